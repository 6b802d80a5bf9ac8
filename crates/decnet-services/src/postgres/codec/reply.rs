//! What a server sends.

/// An error or a notice with the fields that the product gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault(Box<Fields>);

impl From<Fields> for Fault {
    fn from(fields: Fields) -> Fault {
        Fault(Box::new(fields))
    }
}

impl std::ops::Deref for Fault {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.0
    }
}

impl std::ops::DerefMut for Fault {
    fn deref_mut(&mut self) -> &mut Fields {
        &mut self.0
    }
}

/// The fields of an error or a notice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    /// `ERROR`, `FATAL`, `NOTICE`, …
    pub(crate) severity: &'static str,
    /// SQLSTATE.
    pub(crate) code: String,
    /// The text.
    pub(crate) message: String,
    /// More of it.
    pub(crate) detail: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// The place in the statement, from 1, in characters.
    pub(crate) position: Option<usize>,
    /// What was under way.
    pub(crate) place: Option<String>,
    /// Schema, table, column, data type, constraint: letters and names.
    pub(crate) names: Vec<(u8, String)>,
    /// The source: file, line and function.
    pub(crate) source: (String, u32, &'static str),
}

/// A column of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: String,
    /// The table it comes from, or 0.
    pub(crate) table: u32,
    /// Its number there, or 0.
    pub(crate) number: u16,
    /// Its type.
    pub(crate) oid: u32,
    /// The size of the type.
    pub(crate) size: i16,
    /// The modifier of the type.
    pub(crate) modifier: i32,
    /// 0 for text, 1 for binary.
    pub(crate) format: u16,
}

/// Messages, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Replies(pub(crate) Vec<u8>);

impl Replies {
    /// A message of any type.
    pub(crate) fn message(&mut self, kind: u8, body: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(
            &(u32::try_from(body.len()).unwrap_or(u32::MAX).saturating_add(4)).to_be_bytes(),
        );
        self.0.extend_from_slice(body);
    }

    /// `R`.
    pub(crate) fn authentication(&mut self, code: u32, rest: &[u8]) {
        self.message(b'R', &[&code.to_be_bytes(), rest].concat());
    }

    /// `S`.
    pub(crate) fn parameter(&mut self, name: &str, value: &str) {
        self.message(b'S', format!("{name}\0{value}\0").as_bytes());
    }

    /// `K`.
    pub(crate) fn key(&mut self, process: u32, key: &[u8]) {
        self.message(b'K', &[&process.to_be_bytes(), key].concat());
    }

    /// `Z`.
    pub(crate) fn ready(&mut self, state: u8) {
        self.message(b'Z', &[state]);
    }

    /// `C`.
    pub(crate) fn complete(&mut self, tag: &str) {
        self.message(b'C', format!("{tag}\0").as_bytes());
    }

    /// `v`: the newest minor version that there is, and the options that are not known.
    pub(crate) fn negotiate(&mut self, version: u32, options: &[Vec<u8>]) {
        let mut body = version.to_be_bytes().to_vec();
        body.extend_from_slice(&u32::try_from(options.len()).unwrap_or(0).to_be_bytes());
        for option in options {
            body.extend_from_slice(option);
            body.push(0);
        }
        self.message(b'v', &body);
    }

    /// `E` or `N`. `old`: without the field V, which came with 9.6.
    pub(crate) fn fault(&mut self, fault: &Fault, old: bool) {
        let mut body = Vec::new();
        let mut field = |letter: u8, text: &str| {
            body.push(letter);
            body.extend(text.bytes().filter(|byte| *byte != 0));
            body.push(0);
        };
        field(b'S', fault.severity);
        if !old {
            field(b'V', fault.severity);
        }
        field(b'C', &fault.code);
        field(b'M', &fault.message);
        if let Some(detail) = &fault.detail {
            field(b'D', detail);
        }
        if let Some(hint) = &fault.hint {
            field(b'H', hint);
        }
        if let Some(place) = &fault.place {
            field(b'W', place);
        }
        for (letter, name) in &fault.names {
            field(*letter, name);
        }
        if let Some(position) = fault.position {
            field(b'P', &position.to_string());
        }
        if !fault.source.0.is_empty() {
            field(b'F', &fault.source.0);
            field(b'L', &fault.source.1.to_string());
            field(b'R', fault.source.2);
        }
        body.push(0);
        let notice = matches!(fault.severity, "NOTICE" | "WARNING" | "INFO" | "LOG" | "DEBUG");
        self.message(if notice { b'N' } else { b'E' }, &body);
    }

    /// `T`.
    pub(crate) fn description(&mut self, fields: &[Field]) {
        let mut body = u16::try_from(fields.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        for field in fields {
            body.extend(field.name.bytes().filter(|byte| *byte != 0));
            body.push(0);
            body.extend_from_slice(&field.table.to_be_bytes());
            body.extend_from_slice(&field.number.to_be_bytes());
            body.extend_from_slice(&field.oid.to_be_bytes());
            body.extend_from_slice(&field.size.to_be_bytes());
            body.extend_from_slice(&field.modifier.to_be_bytes());
            body.extend_from_slice(&field.format.to_be_bytes());
        }
        self.message(b'T', &body);
    }

    /// `t`.
    pub(crate) fn parameters(&mut self, types: &[u32]) {
        let mut body = u16::try_from(types.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        for oid in types {
            body.extend_from_slice(&oid.to_be_bytes());
        }
        self.message(b't', &body);
    }

    /// `D`.
    pub(crate) fn row(&mut self, values: &[Option<Vec<u8>>]) {
        let mut body = u16::try_from(values.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
        for value in values {
            match value {
                Some(value) => {
                    body.extend_from_slice(&u32::try_from(value.len()).unwrap_or(0).to_be_bytes());
                    body.extend_from_slice(value);
                }
                None => body.extend_from_slice(&u32::MAX.to_be_bytes()),
            }
        }
        self.message(b'D', &body);
    }

    /// `G` or `H`: text, with that many columns.
    pub(crate) fn copy(&mut self, kind: u8, columns: usize) {
        let count = u16::try_from(columns).unwrap_or(u16::MAX);
        let mut body = vec![0];
        body.extend_from_slice(&count.to_be_bytes());
        body.resize(3 + usize::from(count) * 2, 0);
        self.message(kind, &body);
    }
}

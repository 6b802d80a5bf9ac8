//! The tokens of a reply (section 2.2.7).

use super::text::utf16;
use super::types::{COLLATION, ColumnType, column_type};
use super::{Login, TdsVersion};
use crate::sql::{Kind, ResultSet, Value};

/// Flags of DONE (section 2.2.7.6).
mod status {
    pub(super) const MORE: u16 = 0x01;
    pub(super) const ERROR: u16 = 0x02;
    pub(super) const COUNT: u16 = 0x10;
    pub(super) const ATTENTION: u16 = 0x20;
}

/// What a DONE ends, as the server numbers it (observed).
pub(in super::super) mod command {
    /// SELECT.
    pub(in super::super::super) const SELECT: u16 = 0xc1;
    /// INSERT.
    pub(in super::super::super) const INSERT: u16 = 0xc3;
    /// DELETE.
    pub(in super::super::super) const DELETE: u16 = 0xc4;
    /// UPDATE.
    pub(in super::super::super) const UPDATE: u16 = 0xc5;
    /// CREATE TABLE.
    pub(in super::super::super) const CREATE: u16 = 0xc6;
    /// DROP TABLE.
    pub(in super::super::super) const DROP: u16 = 0xc7;
    /// EXECUTE.
    pub(in super::super::super) const EXECUTE: u16 = 0xe0;
    /// Anything else.
    pub(in super::super::super) const OTHER: u16 = 0xfd;
}

/// A message to the user: INFO and ERROR (sections 2.2.7.13, 2.2.7.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Notice {
    /// Its number in `sys.messages`.
    pub(in super::super) number: i32,
    /// Where in the server it was made.
    pub(in super::super) state: u8,
    /// Its severity; above 10 it is an error.
    pub(in super::super) class: u8,
    /// The text.
    pub(in super::super) text: String,
    /// The procedure that it comes from; empty without one.
    pub(in super::super) procedure: String,
    /// The line of the batch or procedure.
    pub(in super::super) line: u32,
}

impl Notice {
    /// A message of line 1 of the batch.
    pub(in super::super) fn new(number: i32, class: u8, state: u8, text: impl Into<String>) -> Notice {
        Notice { number, state, class, text: text.into(), procedure: String::new(), line: 1 }
    }
}

/// A reply in the making.
#[derive(Clone, Debug)]
pub(in super::super) struct Tokens {
    version: TdsVersion,
    bytes: Vec<u8>,
    /// Where the flags of the last DONE are.
    last_done: Option<usize>,
}

impl Tokens {
    /// An empty one for a client of this version.
    pub(in super::super) fn new(version: TdsVersion) -> Tokens {
        Tokens { version, bytes: Vec::new(), last_done: None }
    }

    /// Bytes so far.
    pub(in super::super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The reply; its last DONE says that nothing follows.
    pub(in super::super) fn finish(mut self) -> Vec<u8> {
        if self.last_done.is_none() {
            self.done(command::OTHER, None, false);
        }
        if let Some(flags) = self.last_done.and_then(|at| self.bytes.get_mut(at)) {
            *flags &= !(status::MORE as u8);
        }
        self.bytes
    }

    /// The bytes as they are, for what ends without a DONE.
    pub(in super::super) fn unfinished(self) -> Vec<u8> {
        self.bytes
    }

    /// A token with a length of two bytes.
    fn sized(&mut self, token: u8, body: &[u8]) {
        let body = &body[..body.len().min(usize::from(u16::MAX))];
        self.bytes.push(token);
        self.bytes.extend((body.len() as u16).to_le_bytes());
        self.bytes.extend_from_slice(body);
    }

    /// An error, or below class 11 an information.
    pub(in super::super) fn notice(&mut self, notice: &Notice, server: &str) {
        let mut body = notice.number.to_le_bytes().to_vec();
        body.extend([notice.state, notice.class]);
        // A message is at most 2,047 characters.
        let text: String = notice.text.chars().take(2047).collect();
        long_text(&mut body, &text);
        short_text(&mut body, server);
        short_text(&mut body, &notice.procedure);
        if self.version.since(TdsVersion::V7_2) {
            body.extend(notice.line.to_le_bytes());
        } else {
            body.extend((notice.line as u16).to_le_bytes());
        }
        self.sized(if notice.class > 10 { 0xaa } else { 0xab }, &body);
    }

    /// The database changes.
    pub(in super::super) fn database(&mut self, new: &str, old: &str) {
        self.changed(1, new, old);
    }

    /// The language changes.
    pub(in super::super) fn language(&mut self, new: &str, old: &str) {
        self.changed(2, new, old);
    }

    /// The size of packets changes.
    pub(in super::super) fn packet_size(&mut self, new: usize, old: usize) {
        self.changed(4, &new.to_string(), &old.to_string());
    }

    fn changed(&mut self, what: u8, new: &str, old: &str) {
        let mut body = vec![what];
        short_text(&mut body, new);
        short_text(&mut body, old);
        self.sized(0xe3, &body);
    }

    /// The collation, where the client is new enough to be told.
    pub(in super::super) fn collation(&mut self) {
        if self.version.since(TdsVersion::V7_1) {
            let mut body = vec![7, COLLATION.len() as u8];
            body.extend(COLLATION);
            body.push(0);
            self.sized(0xe3, &body);
        }
    }

    /// A transaction began (8), was committed (9) or rolled back (10).
    pub(in super::super) fn transaction(&mut self, what: u8, descriptor: u64) {
        if !self.version.since(TdsVersion::V7_2) {
            return;
        }
        let mut body = vec![what];
        let sides: [&[u8]; 2] = [&descriptor.to_le_bytes(), &[]];
        let order = if what == 8 { [0, 1] } else { [1, 0] };
        for side in order {
            body.push(sides[side].len() as u8);
            body.extend_from_slice(sides[side]);
        }
        self.sized(0xe3, &body);
    }

    /// The client is in.
    pub(in super::super) fn login_ack(&mut self, (major, minor, build): (u8, u8, u16)) {
        // The interface: SQL_TSQL.
        let mut body = vec![1];
        body.extend(self.version.0.to_be_bytes());
        // As every release since 7.0 sends it, with its two zeros (section 2.2.7.14).
        short_text(&mut body, "Microsoft SQL Server\0\0");
        body.extend([major, minor]);
        body.extend(build.to_be_bytes());
        self.sized(0xad, &body);
    }

    /// Of the features that a client asked for, those that are granted (section 2.2.7.11).
    pub(in super::super) fn features(&mut self, login: &Login) {
        if !self.version.since(TdsVersion::V7_4) {
            return;
        }
        let mut body = Vec::new();
        for (number, data) in &login.features {
            let answer: &[u8] = match number {
                // Always encrypted: version 1. Global transactions: not here. UTF-8: yes.
                0x04 if !data.is_empty() => &[1],
                0x05 => &[0],
                0x0a => &[1],
                _ => continue,
            };
            body.push(*number);
            body.extend((answer.len() as u32).to_le_bytes());
            body.extend_from_slice(answer);
        }
        if !login.features.is_empty() {
            self.bytes.push(0xae);
            self.bytes.extend(body);
            self.bytes.push(0xff);
        }
    }

    /// The next message of integrated authentication.
    pub(in super::super) fn sspi(&mut self, message: &[u8]) {
        self.sized(0xed, message);
    }

    /// Columns and rows. Gives how many rows there are.
    pub(in super::super) fn rows(&mut self, set: &ResultSet) -> u64 {
        let types: Vec<ColumnType> = set
            .columns
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let values = || set.rows.iter().filter_map(|row| row.get(at));
                let longest = values().map(length).max().unwrap_or(0);
                column_type(widest(column.kind, values()), longest, self.version)
            })
            .collect();
        self.bytes.push(0x81);
        self.bytes.extend((types.len() as u16).to_le_bytes());
        for (column, kind) in set.columns.iter().zip(&types) {
            // No user type; may be null, and where it comes from is not told.
            if self.version.since(TdsVersion::V7_2) {
                self.bytes.extend([0; 4]);
            } else {
                self.bytes.extend([0; 2]);
            }
            let stored = if column.origin.is_some() { 0x08 } else { 0x20 };
            self.bytes.extend([stored | 0x01, 0]);
            kind.write(self.version, &mut self.bytes);
            short_text(&mut self.bytes, &column.name);
        }
        for row in &set.rows {
            self.bytes.push(0xd1);
            for (kind, value) in types.iter().zip(row) {
                kind.write_value(value, self.version, &mut self.bytes);
            }
        }
        set.rows.len() as u64
    }

    /// What a procedure returned.
    pub(in super::super) fn return_status(&mut self, value: i32) {
        self.bytes.push(0x79);
        self.bytes.extend(value.to_le_bytes());
    }

    /// An output parameter (section 2.2.7.19).
    pub(in super::super) fn return_value(&mut self, place: u16, name: &str, value: &Value) {
        let kind = value.kind().unwrap_or(Kind::Integer);
        let kind = column_type(kind, length(value), self.version);
        self.bytes.push(0xac);
        self.bytes.extend(place.to_le_bytes());
        short_text(&mut self.bytes, name);
        self.bytes.push(1);
        self.bytes.extend(if self.version.since(TdsVersion::V7_2) { &[0; 4][..] } else { &[0; 2] });
        self.bytes.extend([1, 0]);
        kind.write(self.version, &mut self.bytes);
        kind.write_value(value, self.version, &mut self.bytes);
    }

    /// A statement of a batch ended.
    pub(in super::super) fn done(&mut self, command: u16, count: Option<u64>, error: bool) {
        self.ended(0xfd, command, count, error);
    }

    /// A statement within a procedure ended.
    pub(in super::super) fn done_in_procedure(&mut self, command: u16, count: Option<u64>, error: bool) {
        self.ended(0xff, command, count, error);
    }

    /// A procedure ended.
    pub(in super::super) fn done_procedure(&mut self, error: bool) {
        self.ended(0xfe, command::EXECUTE, None, error);
    }

    /// The client's wish to stop was heard.
    pub(in super::super) fn done_attention(&mut self) {
        self.ended(0xfd, 0, None, false);
        if let Some(flags) = self.last_done.and_then(|at| self.bytes.get_mut(at)) {
            *flags |= status::ATTENTION as u8;
        }
    }

    fn ended(&mut self, token: u8, command: u16, count: Option<u64>, error: bool) {
        let mut flags = status::MORE;
        if count.is_some() {
            flags |= status::COUNT;
        }
        if error {
            flags |= status::ERROR;
        }
        self.bytes.push(token);
        self.last_done = Some(self.bytes.len());
        self.bytes.extend(flags.to_le_bytes());
        self.bytes.extend(command.to_le_bytes());
        let count = count.unwrap_or(0);
        if self.version.since(TdsVersion::V7_2) {
            self.bytes.extend(count.to_le_bytes());
        } else {
            self.bytes.extend((count as u32).to_le_bytes());
        }
    }
}

/// Text behind a count of characters in one byte.
fn short_text(out: &mut Vec<u8>, text: &str) {
    let bytes = utf16(text);
    let bytes = &bytes[..bytes.len().min(255 * 2)];
    out.push((bytes.len() / 2) as u8);
    out.extend_from_slice(bytes);
}

/// Text behind a count of characters in two bytes.
fn long_text(out: &mut Vec<u8>, text: &str) {
    let bytes = utf16(text);
    out.extend(((bytes.len() / 2) as u16).to_le_bytes());
    out.extend(bytes);
}

/// Characters or bytes of a value.
fn length(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.encode_utf16().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Null => 0,
        other => other.to_string().len(),
    }
}

/// The kind that all values fit: an expression's own is that of its first value.
fn widest<'a>(kind: Kind, values: impl Iterator<Item = &'a Value>) -> Kind {
    let mut all = kind;
    for value in values {
        all = match (all, value) {
            (Kind::TinyInt | Kind::SmallInt | Kind::Integer, Value::Integer(number))
                if i32::try_from(*number).is_err() =>
            {
                Kind::BigInt
            }
            (Kind::TinyInt, Value::Integer(number)) if u8::try_from(*number).is_err() => Kind::Integer,
            (Kind::SmallInt, Value::Integer(number)) if i16::try_from(*number).is_err() => Kind::Integer,
            (kind, Value::Float(_)) if kind.is_number() && kind != Kind::Float => Kind::Double,
            (Kind::TinyInt | Kind::SmallInt | Kind::Integer | Kind::BigInt, Value::Decimal(number)) => {
                Kind::Decimal { precision: 38, scale: number.scale() }
            }
            (Kind::Decimal { precision, scale }, Value::Decimal(number)) if number.scale() > scale => {
                Kind::Decimal { precision, scale: number.scale() }
            }
            (kind, Value::Text(_)) if kind.is_number() || matches!(kind, Kind::Boolean | Kind::Blob) => {
                Kind::Text
            }
            (kind, Value::Bytes(_)) if kind != Kind::Blob => Kind::Blob,
            (kind, _) => kind,
        };
    }
    all
}

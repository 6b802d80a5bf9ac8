//! BSON (bsonspec.org 1.1): every type of the specification is kept as it came, in its order.
//!
//! Of its own and not the crate `bson`: that one brings some twenty crates for conversions to Rust types,
//! of which nothing is wanted here, and reads to any depth.

use std::fmt::Write as _;

/// Documents within documents that the product takes (`BSONDepth::kDefaultMaxAllowableDepth`).
pub(crate) const DEPTH_LIMIT: usize = 200;
/// Elements of one message: each takes some fifty bytes in memory while it may be three on the wire.
pub(crate) const ELEMENT_LIMIT: usize = 400_000;

/// Why bytes are no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BsonError {
    /// It ends before it should, or a length does not fit.
    #[error("the document is cut short")]
    Short,
    /// A type byte that is none.
    #[error("type {0:#04x} is none")]
    Type(u8),
    /// [`DEPTH_LIMIT`].
    #[error("documents lie within documents too deep")]
    Depth,
    /// [`ELEMENT_LIMIT`].
    #[error("too many elements")]
    Elements,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Double(f64),
    Text(String),
    Document(Document),
    Array(Vec<Value>),
    Binary(u8, Vec<u8>),
    Undefined,
    ObjectId([u8; 12]),
    Bool(bool),
    /// Milliseconds since 1970-01-01 UTC.
    Date(i64),
    Null,
    Regex(String, String),
    Pointer(String, [u8; 12]),
    Code(String),
    Symbol(String),
    ScopedCode(String, Document),
    Int(i32),
    Timestamp(u64),
    Long(i64),
    Decimal([u8; 16]),
    MinKey,
    MaxKey,
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Double(value)
    }
}
impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Long(value)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}
impl From<Document> for Value {
    fn from(value: Document) -> Value {
        Value::Document(value)
    }
}
impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Value {
        Value::Array(value)
    }
}

/// Names and values in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Document(pub(crate) Vec<(String, Value)>);

impl Document {
    /// An empty one.
    pub(crate) fn new() -> Document {
        Document(Vec::new())
    }

    /// The same with one more value at its end.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Document {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a value at the end.
    pub(crate) fn push(&mut self, name: &str, value: impl Into<Value>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// The first value of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The same to change.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.iter_mut().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// Puts a value where one of that name stands, or at the end.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.get_mut(name) {
            Some(place) => *place = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.remove(at).1)
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::text)
    }

    /// A document.
    pub(crate) fn document(&self, name: &str) -> Option<&Document> {
        match self.get(name) {
            Some(Value::Document(document)) => Some(document),
            _ => None,
        }
    }

    /// An array.
    pub(crate) fn array(&self, name: &str) -> Option<&[Value]> {
        match self.get(name) {
            Some(Value::Array(values)) => Some(values),
            _ => None,
        }
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Value::integer)
    }

    /// Whether a value is there that holds.
    pub(crate) fn truth(&self, name: &str) -> bool {
        self.get(name).is_some_and(Value::truth)
    }

    /// Bytes on the wire.
    pub(crate) fn size(&self) -> usize {
        5 + self.0.iter().map(|(name, value)| name.len() + 2 + value.size()).sum::<usize>()
    }

    /// Reads a document at the start of `bytes`: it and how many bytes it takes.
    ///
    /// # Errors
    /// [`BsonError`].
    pub(crate) fn read(bytes: &[u8]) -> Result<(Document, usize), BsonError> {
        let mut left = ELEMENT_LIMIT;
        let mut reader = Reader { bytes, at: 0 };
        let document = reader.document(0, &mut left)?;
        Ok((document, reader.at))
    }

    /// Writes it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; 4]);
        for (name, value) in &self.0 {
            element(name, value, out);
        }
        out.push(0);
        close(start, out);
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.size());
        self.write(&mut out);
        out
    }

    /// As relaxed extended JSON, for events; cut at about `bound` bytes.
    pub(crate) fn json(&self, bound: usize) -> String {
        let mut text = String::new();
        json_document(self, &mut text, bound);
        if text.len() > bound {
            let mut end = bound;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            text.push('…');
        }
        text
    }
}

impl Value {
    /// The number of its type in the specification.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Value::Double(_) => 0x01,
            Value::Text(_) => 0x02,
            Value::Document(_) => 0x03,
            Value::Array(_) => 0x04,
            Value::Binary(..) => 0x05,
            Value::Undefined => 0x06,
            Value::ObjectId(_) => 0x07,
            Value::Bool(_) => 0x08,
            Value::Date(_) => 0x09,
            Value::Null => 0x0a,
            Value::Regex(..) => 0x0b,
            Value::Pointer(..) => 0x0c,
            Value::Code(_) => 0x0d,
            Value::Symbol(_) => 0x0e,
            Value::ScopedCode(..) => 0x0f,
            Value::Int(_) => 0x10,
            Value::Timestamp(_) => 0x11,
            Value::Long(_) => 0x12,
            Value::Decimal(_) => 0x13,
            Value::MinKey => 0xff,
            Value::MaxKey => 0x7f,
        }
    }

    /// What `$type` and the product's messages call it.
    pub(crate) fn kind_name(&self) -> &'static str {
        match self {
            Value::Double(_) => "double",
            Value::Text(_) => "string",
            Value::Document(_) => "object",
            Value::Array(_) => "array",
            Value::Binary(..) => "binData",
            Value::Undefined => "undefined",
            Value::ObjectId(_) => "objectId",
            Value::Bool(_) => "bool",
            Value::Date(_) => "date",
            Value::Null => "null",
            Value::Regex(..) => "regex",
            Value::Pointer(..) => "dbPointer",
            Value::Code(_) => "javascript",
            Value::Symbol(_) => "symbol",
            Value::ScopedCode(..) => "javascriptWithScope",
            Value::Int(_) => "int",
            Value::Timestamp(_) => "timestamp",
            Value::Long(_) => "long",
            Value::Decimal(_) => "decimal",
            Value::MinKey => "minKey",
            Value::MaxKey => "maxKey",
        }
    }

    /// Text or symbol.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) | Value::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a number.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Value::Double(_) | Value::Int(_) | Value::Long(_) | Value::Decimal(_))
    }

    /// As a whole number.
    pub(crate) fn integer(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(i64::from(*number)),
            Value::Long(number) => Some(*number),
            Value::Double(number) if number.is_finite() => Some(*number as i64),
            _ => None,
        }
    }

    /// As a floating-point number.
    pub(crate) fn float(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(f64::from(*number)),
            Value::Long(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            Value::Decimal(bytes) => Some(decimal(bytes)),
            _ => None,
        }
    }

    /// Whether it holds as a condition.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::Bool(truth) => *truth,
            Value::Null | Value::Undefined => false,
            other => other.float().is_none_or(|number| number != 0.0),
        }
    }

    /// Bytes on the wire, without type and name.
    pub(crate) fn size(&self) -> usize {
        match self {
            Value::Double(_) | Value::Date(_) | Value::Timestamp(_) | Value::Long(_) => 8,
            Value::Text(text) | Value::Code(text) | Value::Symbol(text) => text.len() + 5,
            Value::Document(document) => document.size(),
            Value::Array(values) => {
                let mut size = 5;
                for (at, value) in values.iter().enumerate() {
                    size += at.checked_ilog10().unwrap_or(0) as usize + 3 + value.size();
                }
                size
            }
            Value::Binary(_, bytes) => bytes.len() + 5,
            Value::ObjectId(_) => 12,
            Value::Bool(_) => 1,
            Value::Undefined | Value::Null | Value::MinKey | Value::MaxKey => 0,
            Value::Regex(pattern, options) => pattern.len() + options.len() + 2,
            Value::Pointer(name, _) => name.len() + 17,
            Value::ScopedCode(code, scope) => code.len() + 9 + scope.size(),
            Value::Int(_) => 4,
            Value::Decimal(_) => 16,
        }
    }
}

/// A decimal128 (binary integer encoding) as the nearest double.
fn decimal(bytes: &[u8; 16]) -> f64 {
    let number = u128::from_le_bytes(*bytes);
    let sign = if number >> 127 == 1 { -1.0 } else { 1.0 };
    match number >> 122 & 0x1f {
        0x1e => return sign * f64::INFINITY,
        0x1f => return f64::NAN,
        _ => {}
    }
    // The form with an implied large coefficient holds nothing but zero.
    if number >> 125 & 3 == 3 {
        return 0.0;
    }
    let exponent = (number >> 113 & 0x3fff) as i32 - 6176;
    let coefficient = number & ((1 << 113) - 1);
    // By way of text: rounding once, as the product prints and reads.
    format!("{coefficient}e{exponent}").parse::<f64>().unwrap_or(0.0) * sign
}

/// A whole number with a decimal exponent as decimal128.
pub(crate) fn decimal_of(unscaled: i128, scale: u8) -> [u8; 16] {
    let mut number = unscaled.unsigned_abs() & ((1 << 113) - 1);
    number |= u128::from(6176 - u16::from(scale)) << 113;
    if unscaled < 0 {
        number |= 1 << 127;
    }
    number.to_le_bytes()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BsonError> {
        let end = self.at.checked_add(count).ok_or(BsonError::Short)?;
        let taken = self.bytes.get(self.at..end).ok_or(BsonError::Short)?;
        self.at = end;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], BsonError> {
        self.take(N)?.try_into().map_err(|_| BsonError::Short)
    }

    fn length(&mut self) -> Result<usize, BsonError> {
        usize::try_from(i32::from_le_bytes(self.fixed()?)).map_err(|_| BsonError::Short)
    }

    fn name(&mut self) -> Result<String, BsonError> {
        let rest = self.bytes.get(self.at..).ok_or(BsonError::Short)?;
        let end = rest.iter().position(|byte| *byte == 0).ok_or(BsonError::Short)?;
        self.at += end + 1;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    fn string(&mut self) -> Result<String, BsonError> {
        let length = self.length()?;
        match self.take(length)?.split_last() {
            Some((0, text)) => Ok(String::from_utf8_lossy(text).into_owned()),
            _ => Err(BsonError::Short),
        }
    }

    fn document(&mut self, depth: usize, left: &mut usize) -> Result<Document, BsonError> {
        let mut elements = Vec::new();
        self.elements(depth, left, &mut |name, value| elements.push((name, value)))?;
        Ok(Document(elements))
    }

    fn elements(
        &mut self,
        depth: usize,
        left: &mut usize,
        keep: &mut dyn FnMut(String, Value),
    ) -> Result<(), BsonError> {
        if depth > DEPTH_LIMIT {
            return Err(BsonError::Depth);
        }
        let start = self.at;
        let length = self.length()?;
        let end = start.checked_add(length).filter(|end| length >= 5 && *end <= self.bytes.len());
        let end = end.ok_or(BsonError::Short)?;
        // What is within cannot reach beyond what holds it.
        let mut inner = Reader { bytes: &self.bytes[..end], at: self.at };
        loop {
            let [kind] = inner.fixed()?;
            if kind == 0 {
                break;
            }
            *left = left.checked_sub(1).ok_or(BsonError::Elements)?;
            let name = inner.name()?;
            let value = inner.value(kind, depth, left)?;
            keep(name, value);
        }
        if inner.at != end {
            return Err(BsonError::Short);
        }
        self.at = end;
        Ok(())
    }

    fn value(&mut self, kind: u8, depth: usize, left: &mut usize) -> Result<Value, BsonError> {
        Ok(match kind {
            0x01 => Value::Double(f64::from_le_bytes(self.fixed()?)),
            0x02 => Value::Text(self.string()?),
            0x03 => Value::Document(self.document(depth + 1, left)?),
            0x04 => {
                let mut values = Vec::new();
                self.elements(depth + 1, left, &mut |_, value| values.push(value))?;
                Value::Array(values)
            }
            0x05 => {
                let length = self.length()?;
                let [kind] = self.fixed()?;
                Value::Binary(kind, self.take(length)?.to_vec())
            }
            0x06 => Value::Undefined,
            0x07 => Value::ObjectId(self.fixed()?),
            0x08 => Value::Bool(self.fixed::<1>()? != [0]),
            0x09 => Value::Date(i64::from_le_bytes(self.fixed()?)),
            0x0a => Value::Null,
            0x0b => Value::Regex(self.name()?, self.name()?),
            0x0c => Value::Pointer(self.string()?, self.fixed()?),
            0x0d => Value::Code(self.string()?),
            0x0e => Value::Symbol(self.string()?),
            0x0f => {
                self.length()?;
                Value::ScopedCode(self.string()?, self.document(depth + 1, left)?)
            }
            0x10 => Value::Int(i32::from_le_bytes(self.fixed()?)),
            0x11 => Value::Timestamp(u64::from_le_bytes(self.fixed()?)),
            0x12 => Value::Long(i64::from_le_bytes(self.fixed()?)),
            0x13 => Value::Decimal(self.fixed()?),
            0xff => Value::MinKey,
            0x7f => Value::MaxKey,
            other => return Err(BsonError::Type(other)),
        })
    }
}

/// Writes the length of what began at `start`.
fn close(start: usize, out: &mut [u8]) {
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

fn name_bytes(name: &str, out: &mut Vec<u8>) {
    out.extend(name.bytes().filter(|byte| *byte != 0));
    out.push(0);
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.extend(u32::try_from(text.len() + 1).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(text.as_bytes());
    out.push(0);
}

fn element(name: &str, value: &Value, out: &mut Vec<u8>) {
    out.push(value.kind());
    name_bytes(name, out);
    match value {
        Value::Double(number) => out.extend(number.to_le_bytes()),
        Value::Text(text) | Value::Code(text) | Value::Symbol(text) => string(text, out),
        Value::Document(document) => document.write(out),
        Value::Array(values) => {
            let start = out.len();
            out.extend([0; 4]);
            for (at, value) in values.iter().enumerate() {
                element(&at.to_string(), value, out);
            }
            out.push(0);
            close(start, out);
        }
        Value::Binary(kind, bytes) => {
            out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.push(*kind);
            out.extend(bytes);
        }
        Value::Undefined | Value::Null | Value::MinKey | Value::MaxKey => {}
        Value::ObjectId(id) => out.extend(id),
        Value::Bool(truth) => out.push(u8::from(*truth)),
        Value::Date(number) | Value::Long(number) => out.extend(number.to_le_bytes()),
        Value::Regex(pattern, options) => {
            name_bytes(pattern, out);
            name_bytes(options, out);
        }
        Value::Pointer(name, id) => {
            string(name, out);
            out.extend(id);
        }
        Value::ScopedCode(code, scope) => {
            let start = out.len();
            out.extend([0; 4]);
            string(code, out);
            scope.write(out);
            close(start, out);
        }
        Value::Int(number) => out.extend(number.to_le_bytes()),
        Value::Timestamp(number) => out.extend(number.to_le_bytes()),
        Value::Decimal(bytes) => out.extend(bytes),
    }
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn quoted(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::String(text.to_owned()).to_string());
}

fn json_document(document: &Document, out: &mut String, bound: usize) {
    out.push('{');
    for (at, (name, value)) in document.0.iter().enumerate() {
        if out.len() > bound {
            return;
        }
        if at > 0 {
            out.push(',');
        }
        quoted(name, out);
        out.push(':');
        json(value, out, bound);
    }
    out.push('}');
}

/// A value as relaxed extended JSON.
pub(crate) fn json(value: &Value, out: &mut String, bound: usize) {
    if out.len() > bound {
        return;
    }
    let _ = match value {
        Value::Double(number) if number.is_finite() => write!(out, "{number:?}"),
        Value::Double(number) => write!(out, "{{\"$numberDouble\":\"{number}\"}}"),
        Value::Text(text) => {
            quoted(&text[..text.floor_char_boundary(bound)], out);
            Ok(())
        }
        Value::Document(document) => {
            json_document(document, out, bound);
            Ok(())
        }
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if out.len() > bound {
                    return;
                }
                if at > 0 {
                    out.push(',');
                }
                json(value, out, bound);
            }
            out.push(']');
            Ok(())
        }
        Value::Binary(kind, bytes) => {
            let shown = hex(&bytes[..bytes.len().min(bound / 2)]);
            write!(out, "{{\"$binary\":{{\"hex\":\"{shown}\",\"subType\":\"{kind:02x}\"}}}}")
        }
        Value::Undefined => write!(out, "{{\"$undefined\":true}}"),
        Value::ObjectId(id) => write!(out, "{{\"$oid\":\"{}\"}}", hex(id)),
        Value::Bool(truth) => write!(out, "{truth}"),
        Value::Date(ms) => {
            let micros = ms.saturating_mul(1000);
            write!(out, "{{\"$date\":\"{}\"}}", decnet_logging::event::timestamp::format(micros))
        }
        Value::Null => write!(out, "null"),
        Value::Regex(pattern, options) => {
            out.push_str("{\"$regex\":");
            quoted(pattern, out);
            out.push_str(",\"$options\":");
            quoted(options, out);
            out.push('}');
            Ok(())
        }
        Value::Pointer(name, id) => {
            out.push_str("{\"$ref\":");
            quoted(name, out);
            write!(out, ",\"$id\":\"{}\"}}", hex(id))
        }
        Value::Code(code) | Value::ScopedCode(code, _) => {
            out.push_str("{\"$code\":");
            quoted(code, out);
            out.push('}');
            Ok(())
        }
        Value::Symbol(text) => {
            out.push_str("{\"$symbol\":");
            quoted(text, out);
            out.push('}');
            Ok(())
        }
        Value::Int(number) => write!(out, "{number}"),
        Value::Timestamp(number) => {
            write!(out, "{{\"$timestamp\":{{\"t\":{},\"i\":{}}}}}", number >> 32, *number as u32)
        }
        Value::Long(number) => write!(out, "{number}"),
        Value::Decimal(bytes) => write!(out, "{{\"$numberDecimal\":\"{}\"}}", decimal(bytes)),
        Value::MinKey => write!(out, "{{\"$minKey\":1}}"),
        Value::MaxKey => write!(out, "{{\"$maxKey\":1}}"),
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Document {
        Document::new()
            .with("double", 1.5)
            .with("text", "grün")
            .with("document", Document::new().with("a", 1))
            .with("array", vec![Value::Int(1), Value::Null, Value::from("x")])
            .with("binary", Value::Binary(4, vec![1, 2, 3]))
            .with("undefined", Value::Undefined)
            .with("id", Value::ObjectId([7; 12]))
            .with("bool", true)
            .with("date", Value::Date(1_700_000_000_123))
            .with("regex", Value::Regex("^a".into(), "i".into()))
            .with("pointer", Value::Pointer("a.b".into(), [1; 12]))
            .with("code", Value::Code("f()".into()))
            .with("symbol", Value::Symbol("s".into()))
            .with("scoped", Value::ScopedCode("g()".into(), Document::new().with("x", 2)))
            .with("int", 42)
            .with("timestamp", Value::Timestamp(7 << 32 | 1))
            .with("long", 1i64 << 40)
            .with("decimal", Value::Decimal(decimal_of(-1299, 2)))
            .with("min", Value::MinKey)
            .with("max", Value::MaxKey)
    }

    #[test]
    fn every_type_comes_back_as_it_went() {
        let bytes = sample().bytes();
        assert_eq!(bytes.len(), sample().size());
        assert_eq!(Document::read(&bytes), Ok((sample(), bytes.len())));
        assert_eq!(Value::Decimal(decimal_of(-1299, 2)).float(), Some(-12.99));
    }

    #[test]
    fn depth_and_count_are_bounded() {
        let mut deep = Document::new();
        for _ in 0..=DEPTH_LIMIT {
            deep = Document::new().with("a", deep);
        }
        assert_eq!(Document::read(&deep.bytes()), Err(BsonError::Depth));
        let many = Document(vec![(String::new(), Value::Null); ELEMENT_LIMIT + 1]);
        assert_eq!(Document::read(&many.bytes()), Err(BsonError::Elements));
        assert_eq!(Document::read(b"\x08\0\0\0\x20a\0\0"), Err(BsonError::Type(0x20)));
    }

    #[test]
    fn json_is_readable_and_bounded() {
        let json = sample().json(10_000);
        assert!(json.contains("\"date\":{\"$date\":\"2023-11-14T22:13:20.123000Z\"}"), "{json}");
        let long = Document::new().with("a", "x".repeat(100_000)).with("b", vec![Value::Int(1); 100_000]);
        assert!(long.json(4096).len() < 4096 + 8);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Document::read(&bytes);
        }

        #[test]
        fn damaged_documents_do_not_panic(at in 0usize..400, with: u8) {
            let mut bytes = sample().bytes();
            let at = at % bytes.len();
            bytes[at] = with;
            if let Ok((document, length)) = Document::read(&bytes) {
                prop_assert!(length <= bytes.len());
                let _ = document.json(200);
                prop_assert!(Document::read(&document.bytes()).is_ok());
            }
        }
    }
}

//! What a server answers.

use super::{put_number, put_text};
use crate::sql::{Value, moment};

/// Status flags (`SERVER_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status(pub(in super::super) u16);

impl Status {
    /// A transaction is open.
    pub(crate) const IN_TRANSACTION: u16 = 0x0001;
    /// Every statement commits itself.
    pub(crate) const AUTOCOMMIT: u16 = 0x0002;
    /// Another result follows.
    pub(crate) const MORE_RESULTS: u16 = 0x0008;
    /// A statement read a table without an index.
    pub(crate) const NO_INDEX: u16 = 0x0020;
}

/// Types of columns (`MYSQL_TYPE_…`).
pub(crate) mod kind {
    pub(crate) const TINY: u8 = 1;
    pub(crate) const SHORT: u8 = 2;
    pub(crate) const LONG: u8 = 3;
    pub(crate) const FLOAT: u8 = 4;
    pub(crate) const DOUBLE: u8 = 5;
    pub(crate) const NULL: u8 = 6;
    pub(crate) const TIMESTAMP: u8 = 7;
    pub(crate) const LONGLONG: u8 = 8;
    pub(crate) const INT24: u8 = 9;
    pub(crate) const DATE: u8 = 10;
    pub(crate) const TIME: u8 = 11;
    pub(crate) const DATETIME: u8 = 12;
    pub(crate) const YEAR: u8 = 13;
    pub(crate) const JSON: u8 = 245;
    pub(crate) const NEWDECIMAL: u8 = 246;
    pub(crate) const BLOB: u8 = 252;
    pub(crate) const VAR_STRING: u8 = 253;
    pub(crate) const STRING: u8 = 254;
}

/// Flags of columns.
pub(crate) mod flag {
    pub(crate) const NOT_NULL: u16 = 1;
    pub(crate) const PRIMARY: u16 = 2;
    pub(crate) const UNIQUE: u16 = 4;
    pub(crate) const BLOB: u16 = 16;
    pub(crate) const BINARY: u16 = 128;
    pub(crate) const AUTOMATIC: u16 = 512;
    pub(crate) const NO_DEFAULT: u16 = 0x1000;
    pub(crate) const PART_KEY: u16 = 0x4000;
}

/// The description of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Column {
    /// The database.
    pub(crate) schema: String,
    /// The table's name in the statement.
    pub(crate) table: String,
    /// The table.
    pub(crate) original_table: String,
    /// The heading.
    pub(crate) name: String,
    /// The column.
    pub(crate) original_name: String,
    /// The collation; 63 for what is no text.
    pub(crate) charset: u16,
    /// The most bytes that a value takes.
    pub(crate) length: u32,
    /// The type.
    pub(crate) kind: u8,
    /// Flags.
    pub(crate) flags: u16,
    /// Digits behind the point; 31 for floating point, 39 for texts that are worked out.
    pub(crate) decimals: u8,
}

/// A column's description; `extended` for clients that asked for more of it, `default` for COM_FIELD_LIST.
pub(crate) fn column(column: &Column, extended: bool, default: Option<Option<&[u8]>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_text(&mut out, b"def");
    for text in [&column.schema, &column.table, &column.original_table, &column.name, &column.original_name] {
        put_text(&mut out, text.as_bytes());
    }
    if extended {
        // Nothing further is told of any type.
        out.push(0);
    }
    out.push(0x0c);
    out.extend_from_slice(&column.charset.to_le_bytes());
    out.extend_from_slice(&column.length.to_le_bytes());
    out.push(column.kind);
    out.extend_from_slice(&column.flags.to_le_bytes());
    out.push(column.decimals);
    out.extend_from_slice(&[0, 0]);
    match default {
        Some(Some(text)) => put_text(&mut out, text),
        Some(None) => out.push(0xfb),
        None => {}
    }
    out
}

/// Everything went well; `header` is 0xfe where it ends rows.
pub(crate) fn ok(header: u8, rows: u64, id: u64, status: u16, warnings: u16, info: &str) -> Vec<u8> {
    let mut out = vec![header];
    put_number(&mut out, rows);
    put_number(&mut out, id);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&warnings.to_le_bytes());
    if !info.is_empty() {
        put_text(&mut out, info.as_bytes());
    }
    out
}

/// The end of columns or rows, for clients that still want one.
pub(crate) fn eof(status: u16, warnings: u16) -> Vec<u8> {
    let mut out = vec![0xfe];
    out.extend_from_slice(&warnings.to_le_bytes());
    out.extend_from_slice(&status.to_le_bytes());
    out
}

/// An error; `state` is left out for clients whose capabilities are not known.
pub(crate) fn error(code: u16, state: Option<&str>, message: &str) -> Vec<u8> {
    let mut out = vec![0xff];
    out.extend_from_slice(&code.to_le_bytes());
    if let Some(state) = state {
        out.push(b'#');
        out.extend_from_slice(state.as_bytes());
    }
    out.extend_from_slice(message.as_bytes());
    out
}

/// The request to log in by another plugin.
pub(crate) fn switch(plugin: &str, salt: &[u8; 20]) -> Vec<u8> {
    let mut out = vec![0xfe];
    out.extend_from_slice(plugin.as_bytes());
    out.push(0);
    out.extend_from_slice(salt);
    out.push(0);
    out
}

/// A value as text: booleans are numbers here.
fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(truth) => vec![b'0' + u8::from(*truth)],
        Value::Bytes(bytes) => bytes.to_vec(),
        Value::Float(number) => float(*number).into_bytes(),
        other => other.to_string().into_bytes(),
    }
}

/// A floating-point number as both products print it: 15 digits, an exponent from 1e15 up and 1e-5 down.
pub(crate) fn float(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-15..1e15).contains(&size) { format!("{number:e}") } else { number.to_string() }
}

/// A row of a statement that was sent as text.
pub(crate) fn text_row(row: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in row {
        if value.is_null() {
            out.push(0xfb);
        } else {
            put_text(&mut out, &text(value));
        }
    }
    out
}

/// A row of a prepared statement.
pub(crate) fn binary_row(columns: &[Column], row: &[Value]) -> Vec<u8> {
    let mut out = vec![0];
    let mut nulls = vec![0u8; (columns.len() + 9) / 8];
    let mut values = Vec::new();
    for (index, (column, value)) in columns.iter().zip(row).enumerate() {
        if value.is_null() || column.kind == kind::NULL {
            let at = index + 2;
            nulls[at / 8] |= 1 << (at % 8);
            continue;
        }
        binary(&mut values, column.kind, value);
    }
    out.append(&mut nulls);
    out.append(&mut values);
    out
}

fn binary(out: &mut Vec<u8>, kind: u8, value: &Value) {
    let whole = || value.integer().unwrap_or(0).to_le_bytes();
    match kind {
        kind::TINY => out.push(whole()[0]),
        kind::SHORT | kind::YEAR => out.extend_from_slice(&whole()[..2]),
        kind::LONG | kind::INT24 => out.extend_from_slice(&whole()[..4]),
        kind::LONGLONG => out.extend_from_slice(&whole()),
        kind::FLOAT => out.extend_from_slice(&(value.float().unwrap_or(0.0) as f32).to_le_bytes()),
        kind::DOUBLE => out.extend_from_slice(&value.float().unwrap_or(0.0).to_le_bytes()),
        kind::DATE | kind::DATETIME | kind::TIMESTAMP => moment(out, value, kind == kind::DATE),
        kind::TIME => time(out, &value.to_string()),
        _ => put_text(out, &text(value)),
    }
}

/// Length, year, month, day; hour, minute, second and microseconds where they are not zero.
fn moment(out: &mut Vec<u8>, value: &Value, day_only: bool) {
    let at = value.timestamp().unwrap_or(0);
    let (year, month, day) = moment::calendar(at.div_euclid(moment::DAY) as i32);
    let rest = at.rem_euclid(moment::DAY);
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let length = match (seconds, micros) {
        _ if day_only => 4,
        (0, 0) => 4,
        (_, 0) => 7,
        _ => 11,
    };
    out.push(length);
    out.extend_from_slice(&(year as u16).to_le_bytes());
    out.extend_from_slice(&[month as u8, day as u8]);
    if length > 4 {
        out.extend_from_slice(&[(seconds / 3600) as u8, (seconds / 60 % 60) as u8, (seconds % 60) as u8]);
    }
    if length > 7 {
        out.extend_from_slice(&(micros as u32).to_le_bytes());
    }
}

/// A time of day, kept as text.
fn time(out: &mut Vec<u8>, text: &str) {
    let mut parts = text.trim_start_matches('-').split(':').map(|part| part.parse::<f64>().unwrap_or(0.0));
    let (hours, minutes, seconds) =
        (parts.next().unwrap_or(0.0), parts.next().unwrap_or(0.0), parts.next().unwrap_or(0.0));
    out.push(8);
    out.push(u8::from(text.starts_with('-')));
    out.extend_from_slice(&((hours as u32) / 24).to_le_bytes());
    out.extend_from_slice(&[(hours as u32 % 24) as u8, minutes as u8, seconds as u8]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured: MariaDB 10.11.19.
    #[test]
    fn answers_are_the_products() {
        let id = Column {
            schema: "shop".into(),
            table: "t".into(),
            original_table: "t".into(),
            name: "id".into(),
            original_name: "id".into(),
            charset: 63,
            length: 11,
            kind: kind::LONG,
            flags: 0x4203,
            decimals: 0,
        };
        assert_eq!(
            column(&id, false, Some(Some(b"0"))),
            b"\x03def\x04shop\x01t\x01t\x02id\x02id\x0c?\x00\x0b\x00\x00\x00\x03\x03B\x00\x00\x00\x010"
        );
        assert_eq!(error(1064, Some("42000"), "You have"), b"\xff(\x04#42000You have");
        assert_eq!(
            ok(0, 2, 3, 2, 0, "Records: 2  Duplicates: 0  Warnings: 0"),
            b"\x00\x02\x03\x02\x00\x00\x00&Records: 2  Duplicates: 0  Warnings: 0"
        );
        let column = |kind| Column { kind, ..Column::default() };
        let columns =
            [column(kind::LONG), column(kind::VAR_STRING), column(kind::DATETIME), column(kind::DOUBLE)];
        let at = moment::parse("2024-01-02 03:04:05").unwrap();
        let row = [Value::Integer(1), Value::Null, Value::Timestamp(at), Value::Float(1.5)];
        assert_eq!(
            binary_row(&columns, &row),
            b"\x00\x08\x01\x00\x00\x00\x07\xe8\x07\x01\x02\x03\x04\x05\x00\x00\x00\x00\x00\x00\xf8?"
        );
    }
}

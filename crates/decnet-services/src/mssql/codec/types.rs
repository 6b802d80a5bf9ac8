//! Data types (section 2.2.5.4): what a client's parameters are, and how columns go out.

use super::text::{utf16, utf16_lossy};
use super::{Reader, TdsVersion, Unparsed};
use crate::sql::moment::DAY;
use crate::sql::{Decimal, Kind, Value};

/// SQL_Latin1_General_CP1_CI_AS, the collation of a server installed in English.
pub(super) const COLLATION: [u8; 5] = [0x09, 0x04, 0xd0, 0x00, 0x34];
/// Bytes of one value of a parameter.
const VALUE_LIMIT: usize = 4 * 1024 * 1024;
/// Days between 1900-01-01 and 1970-01-01.
const DAYS_1900: i64 = 25_567;
/// Days between 0001-01-01 and 1970-01-01.
const DAYS_0001: i64 = 719_162;

mod token {
    pub(super) const NULL: u8 = 0x1f;
    pub(super) const IMAGE: u8 = 0x22;
    pub(super) const TEXT: u8 = 0x23;
    pub(super) const GUID: u8 = 0x24;
    pub(super) const INTN: u8 = 0x26;
    pub(super) const DATEN: u8 = 0x28;
    pub(super) const TIMEN: u8 = 0x29;
    pub(super) const DATETIME2N: u8 = 0x2a;
    pub(super) const OFFSETN: u8 = 0x2b;
    pub(super) const VARIANT: u8 = 0x62;
    pub(super) const NTEXT: u8 = 0x63;
    pub(super) const BITN: u8 = 0x68;
    pub(super) const DECIMALN: u8 = 0x6a;
    pub(super) const NUMERICN: u8 = 0x6c;
    pub(super) const FLTN: u8 = 0x6d;
    pub(super) const MONEYN: u8 = 0x6e;
    pub(super) const DATETIMN: u8 = 0x6f;
    pub(super) const BIGVARBIN: u8 = 0xa5;
    pub(super) const BIGVARCHAR: u8 = 0xa7;
    pub(super) const BIGBINARY: u8 = 0xad;
    pub(super) const BIGCHAR: u8 = 0xaf;
    pub(super) const NVARCHAR: u8 = 0xe7;
    pub(super) const NCHAR: u8 = 0xef;
    pub(super) const XML: u8 = 0xf1;
}

/// A column as it goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum ColumnType {
    Bit,
    Int(u8),
    Float(u8),
    Decimal {
        precision: u8,
        scale: u8,
    },
    DateTime,
    Date,
    /// Characters at most; `None`: without a bound.
    Text(Option<u16>),
    Binary(Option<u16>),
    Guid,
}

/// The type that a column of this kind has on the wire. `longest`: of its values in characters or bytes,
/// for kinds without a bound of their own.
pub(in super::super) fn column_type(kind: Kind, longest: usize, version: TdsVersion) -> ColumnType {
    let text = |bound: usize| match u16::try_from(bound.max(1)) {
        Ok(bound) if bound <= 4000 => ColumnType::Text(Some(bound)),
        _ => ColumnType::Text(None),
    };
    match kind {
        Kind::Boolean => ColumnType::Bit,
        Kind::TinyInt => ColumnType::Int(1),
        Kind::SmallInt => ColumnType::Int(2),
        Kind::Integer => ColumnType::Int(4),
        Kind::BigInt | Kind::Oid => ColumnType::Int(8),
        Kind::Decimal { precision, scale } => {
            ColumnType::Decimal { precision: precision.clamp(1, 38), scale: scale.min(38) }
        }
        Kind::Float => ColumnType::Float(4),
        Kind::Double => ColumnType::Float(8),
        Kind::Char(length) | Kind::Varchar(length) if length <= 4000 => {
            text(longest.max(usize::try_from(length).unwrap_or(usize::MAX)))
        }
        Kind::Char(_) | Kind::Varchar(_) | Kind::Text | Kind::Json | Kind::Array => text(longest),
        Kind::Name => text(longest.max(128)),
        Kind::Letter => text(longest.max(1)),
        Kind::Time => text(longest.max(16)),
        Kind::Blob => match u16::try_from(longest.max(1)) {
            Ok(bound) if bound <= 8000 => ColumnType::Binary(Some(bound)),
            _ => ColumnType::Binary(None),
        },
        Kind::Date if version.since(TdsVersion::V7_3) => ColumnType::Date,
        // Clients from before 2008 get days as text (section 2.2.5.4.2).
        Kind::Date => text(10),
        Kind::Timestamp => ColumnType::DateTime,
        Kind::Uuid => ColumnType::Guid,
    }
}

impl ColumnType {
    /// Whether values come in parts, or, before 2005, as text of the old kind.
    fn is_old_text(self, version: TdsVersion) -> bool {
        matches!(self, ColumnType::Text(None) | ColumnType::Binary(None)) && !version.since(TdsVersion::V7_2)
    }

    /// TYPE_INFO.
    pub(super) fn write(self, version: TdsVersion, out: &mut Vec<u8>) {
        let collated = |out: &mut Vec<u8>| {
            if version.since(TdsVersion::V7_1) {
                out.extend(COLLATION);
            }
        };
        match self {
            ColumnType::Bit => out.extend([token::BITN, 1]),
            ColumnType::Int(bytes) => out.extend([token::INTN, bytes]),
            ColumnType::Float(bytes) => out.extend([token::FLTN, bytes]),
            ColumnType::Decimal { precision, scale } => {
                out.extend([token::NUMERICN, decimal_bytes(precision) + 1, precision, scale]);
            }
            ColumnType::DateTime => out.extend([token::DATETIMN, 8]),
            ColumnType::Date => out.push(token::DATEN),
            ColumnType::Guid => out.extend([token::GUID, 16]),
            ColumnType::Text(None) if self.is_old_text(version) => {
                out.push(token::NTEXT);
                out.extend(0x7fff_fffeu32.to_le_bytes());
                collated(out);
                // The name of the table, which an expression does not have.
                out.extend([0, 0]);
            }
            ColumnType::Binary(None) if self.is_old_text(version) => {
                out.push(token::IMAGE);
                out.extend(0x7fff_ffffu32.to_le_bytes());
                out.extend([0, 0]);
            }
            ColumnType::Text(bound) => {
                out.push(token::NVARCHAR);
                out.extend(bound.map_or(u16::MAX, |bound| bound * 2).to_le_bytes());
                collated(out);
            }
            ColumnType::Binary(bound) => {
                out.push(token::BIGVARBIN);
                out.extend(bound.unwrap_or(u16::MAX).to_le_bytes());
            }
        }
    }

    /// One value, with its length.
    pub(super) fn write_value(self, value: &Value, version: TdsVersion, out: &mut Vec<u8>) {
        let bytes = match (self, value) {
            (_, Value::Null) => return self.write_null(version, out),
            (ColumnType::Bit, value) => vec![u8::from(value.truth().unwrap_or(false))],
            (ColumnType::Int(size), value) => {
                let number = value.integer().unwrap_or(0);
                number.to_le_bytes()[..usize::from(size)].to_vec()
            }
            (ColumnType::Float(4), value) => (value.float().unwrap_or(0.0) as f32).to_le_bytes().to_vec(),
            (ColumnType::Float(_), value) => value.float().unwrap_or(0.0).to_le_bytes().to_vec(),
            (ColumnType::Decimal { precision, scale }, value) => decimal(value, precision, scale),
            (ColumnType::DateTime, value) => datetime(value.timestamp().unwrap_or(0)),
            (ColumnType::Date, value) => {
                let days = value.timestamp().unwrap_or(0).div_euclid(DAY) + DAYS_0001;
                days.max(0).to_le_bytes()[..3].to_vec()
            }
            (ColumnType::Guid, value) => guid(&value.to_string()),
            (ColumnType::Text(_), Value::Bool(truth)) => utf16(if *truth { "1" } else { "0" }),
            (ColumnType::Text(_), value) => utf16(&value.to_string()),
            (ColumnType::Binary(_), Value::Bytes(bytes)) => bytes.to_vec(),
            (ColumnType::Binary(_), value) => value.to_string().into_bytes(),
        };
        match self {
            ColumnType::Text(None) | ColumnType::Binary(None) if self.is_old_text(version) => {
                // A text pointer and a timestamp that nobody looks at (section 2.2.5.5.1).
                out.push(16);
                out.extend(*b"dummy textptr\0\0\0");
                out.extend(*b"dummyTS\0");
                out.extend((bytes.len() as u32).to_le_bytes());
                out.extend(bytes);
            }
            ColumnType::Text(None) | ColumnType::Binary(None) => {
                out.extend((bytes.len() as u64).to_le_bytes());
                if !bytes.is_empty() {
                    out.extend((bytes.len() as u32).to_le_bytes());
                    out.extend(bytes);
                }
                out.extend([0; 4]);
            }
            ColumnType::Text(Some(bound)) => {
                let most = usize::from(bound) * 2;
                let bytes = &bytes[..bytes.len().min(most)];
                out.extend((bytes.len() as u16).to_le_bytes());
                out.extend(bytes);
            }
            ColumnType::Binary(Some(bound)) => {
                let bytes = &bytes[..bytes.len().min(usize::from(bound))];
                out.extend((bytes.len() as u16).to_le_bytes());
                out.extend(bytes);
            }
            _ => {
                out.push(bytes.len() as u8);
                out.extend(bytes);
            }
        }
    }

    fn write_null(self, version: TdsVersion, out: &mut Vec<u8>) {
        match self {
            ColumnType::Text(None) | ColumnType::Binary(None) if self.is_old_text(version) => out.push(0),
            ColumnType::Text(None) | ColumnType::Binary(None) => out.extend([0xff; 8]),
            ColumnType::Text(Some(_)) | ColumnType::Binary(Some(_)) => out.extend([0xff; 2]),
            _ => out.push(0),
        }
    }
}

/// Bytes of a number of so many digits, without the sign (section 2.2.5.5.1.6).
fn decimal_bytes(precision: u8) -> u8 {
    match precision {
        0..=9 => 4,
        10..=19 => 8,
        20..=28 => 12,
        _ => 16,
    }
}

fn decimal(value: &Value, precision: u8, scale: u8) -> Vec<u8> {
    let number = match (Kind::Decimal { precision, scale }).coerce(value.clone()) {
        Some(Value::Decimal(number)) => number,
        _ => Decimal::from(0),
    };
    let digits = number.unscaled();
    let mut bytes = vec![u8::from(digits >= 0)];
    let size = usize::from(decimal_bytes(precision));
    bytes.extend_from_slice(&digits.unsigned_abs().to_le_bytes()[..size]);
    bytes
}

/// Days since 1900 and three-hundredths of a second.
fn datetime(at: i64) -> Vec<u8> {
    let days = i32::try_from(at.div_euclid(DAY) + DAYS_1900).unwrap_or(i32::MAX);
    let ticks = (at.rem_euclid(DAY) * 3 + 5_000) / 10_000;
    let mut bytes = days.to_le_bytes().to_vec();
    bytes.extend((ticks as u32).to_le_bytes());
    bytes
}

/// The first three groups of a GUID have their low byte first.
fn guid(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.bytes().filter_map(|byte| (byte as char).to_digit(16).map(|d| d as u8)).collect();
    let mut bytes: Vec<u8> = digits.as_chunks::<2>().0.iter().map(|[a, b]| a << 4 | b).collect();
    bytes.resize(16, 0);
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

fn guid_text(bytes: &[u8]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (index, at) in ORDER.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{:02X}", bytes.get(at).copied().unwrap_or(0)));
    }
    text
}

/// Reads a parameter: TYPE_INFO and value.
pub(super) fn read_value(reader: &mut Reader<'_>, version: TdsVersion) -> Result<Value, Unparsed> {
    let kind = reader.u8()?;
    let collated = version.since(TdsVersion::V7_1);
    match kind {
        token::NULL => Ok(Value::Null),
        // Types of one length.
        0x30 => reader.u8().map(|byte| Value::Integer(byte.into())),
        0x32 => reader.u8().map(|byte| Value::Bool(byte != 0)),
        0x34 => reader.u16().map(|number| Value::Integer((number as i16).into())),
        0x38 => reader.u32().map(|number| Value::Integer((number as i32).into())),
        0x7f => reader.u64().map(|number| Value::Integer(number as i64)),
        0x3b => reader.u32().map(|bits| Value::Float(f32::from_bits(bits).into())),
        0x3e => reader.u64().map(|bits| Value::Float(f64::from_bits(bits))),
        0x3a | 0x7a => reader.take(4).map(|bytes| scalar(kind, bytes, 0)),
        0x3c | 0x3d => reader.take(8).map(|bytes| scalar(kind, bytes, 0)),
        // Types with a length of one byte.
        token::INTN | token::BITN | token::FLTN | token::MONEYN | token::DATETIMN | token::GUID => {
            reader.u8()?;
            short(reader, kind, 0)
        }
        token::DECIMALN | token::NUMERICN => {
            reader.u8()?;
            reader.u8()?;
            let scale = reader.u8()?;
            short(reader, kind, scale)
        }
        token::DATEN => short(reader, kind, 0),
        token::TIMEN | token::DATETIME2N | token::OFFSETN => {
            let scale = reader.u8()?;
            short(reader, kind, scale)
        }
        0x25 | 0x27 | 0x2d | 0x2f => {
            // The short strings of old servers.
            reader.u8()?;
            let length = usize::from(reader.u8()?);
            let bytes = reader.take(length)?;
            Ok(if kind & 2 != 0 && kind != 0x2d { ansi(bytes) } else { Value::bytes(bytes) })
        }
        token::BIGVARCHAR | token::BIGCHAR | token::NVARCHAR | token::NCHAR => {
            let most = reader.u16()?;
            if collated {
                reader.take(5)?;
            }
            long(reader, kind, most)
        }
        token::BIGVARBIN | token::BIGBINARY => {
            let most = reader.u16()?;
            long(reader, kind, most)
        }
        token::XML => {
            if reader.u8()? != 0 {
                for _ in 0..2 {
                    let length = usize::from(reader.u8()?);
                    reader.take(length * 2)?;
                }
                let length = usize::from(reader.u16()?);
                reader.take(length * 2)?;
            }
            long(reader, kind, u16::MAX)
        }
        token::TEXT | token::NTEXT | token::IMAGE => {
            reader.u32()?;
            if collated && kind != token::IMAGE {
                reader.take(5)?;
            }
            let length = reader.u32()?;
            if length == u32::MAX {
                return Ok(Value::Null);
            }
            let bytes = reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
            Ok(characters(kind, bytes))
        }
        token::VARIANT => {
            reader.u32()?;
            let length = reader.u32()?;
            let bytes = reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
            let [base, properties, rest @ ..] = bytes else { return Ok(Value::Null) };
            let rest = rest.get(usize::from(*properties)..).unwrap_or_default();
            Ok(match *base {
                token::NVARCHAR | token::NCHAR | token::BIGVARCHAR | token::BIGCHAR => {
                    characters(*base, rest)
                }
                base => scalar(base, rest, 0),
            })
        }
        other => Err(Unparsed::UnknownType(other)),
    }
}

/// A value behind a length of one byte.
fn short(reader: &mut Reader<'_>, kind: u8, scale: u8) -> Result<Value, Unparsed> {
    let length = usize::from(reader.u8()?);
    let bytes = reader.take(length)?;
    Ok(if length == 0 { Value::Null } else { scalar(kind, bytes, scale) })
}

/// A value behind a length of two bytes, or in parts.
fn long(reader: &mut Reader<'_>, kind: u8, most: u16) -> Result<Value, Unparsed> {
    if most != u16::MAX {
        let length = reader.u16()?;
        if length == u16::MAX {
            return Ok(Value::Null);
        }
        return Ok(characters(kind, reader.take(length.into())?));
    }
    if reader.u64()? == u64::MAX {
        return Ok(Value::Null);
    }
    let mut bytes = Vec::new();
    loop {
        let length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
        if length == 0 {
            return Ok(characters(kind, &bytes));
        }
        bytes.extend_from_slice(reader.take(length)?);
        if bytes.len() > VALUE_LIMIT {
            return Err(Unparsed::TooLarge("value"));
        }
    }
}

fn ansi(bytes: &[u8]) -> Value {
    // Code page 1252 as far as it is Latin-1; clients send UTF-16 for the rest.
    Value::text(bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
}

fn characters(kind: u8, bytes: &[u8]) -> Value {
    match kind {
        token::NVARCHAR | token::NCHAR | token::NTEXT | token::XML => Value::text(utf16_lossy(bytes)),
        token::BIGVARCHAR | token::BIGCHAR | token::TEXT => ansi(bytes),
        _ => Value::bytes(bytes),
    }
}

/// A whole number of up to eight bytes, low byte first.
fn whole(bytes: &[u8]) -> u64 {
    let mut all = [0; 8];
    let count = bytes.len().min(8);
    all[..count].copy_from_slice(&bytes[..count]);
    u64::from_le_bytes(all)
}

fn scalar(kind: u8, bytes: &[u8], scale: u8) -> Value {
    let number = whole(bytes);
    match (kind, bytes.len()) {
        (token::BITN | 0x32, _) => Value::Bool(number != 0),
        (token::INTN | 0x30 | 0x34 | 0x38 | 0x7f, 1) => Value::Integer(number as i64),
        (token::INTN | 0x34, 2) => Value::Integer((number as i16).into()),
        (token::INTN | 0x38, 4) => Value::Integer((number as i32).into()),
        (token::INTN | 0x7f, _) => Value::Integer(number as i64),
        (token::FLTN | 0x3b, 4) => Value::Float(f32::from_bits(number as u32).into()),
        (token::FLTN | 0x3e, _) => Value::Float(f64::from_bits(number)),
        (token::MONEYN | 0x7a, 4) => Value::Decimal(Decimal::new((number as i32).into(), 4)),
        (token::MONEYN | 0x3c, _) => {
            // The high half comes first.
            let units = number.rotate_right(32) as i64;
            Value::Decimal(Decimal::new(units.into(), 4))
        }
        (token::DECIMALN | token::NUMERICN, length) if length > 1 => {
            let mut digits = [0; 16];
            let count = (length - 1).min(16);
            digits[..count].copy_from_slice(&bytes[1..=count]);
            let digits = i128::from_le_bytes(digits).max(0);
            let signed = if bytes[0] == 0 { -digits } else { digits };
            Value::Decimal(Decimal::new(signed, scale.min(38)))
        }
        (token::DATETIMN | 0x3a, 4) => {
            let (days, minutes) = (i64::from(number as u16), i64::from((number >> 16) as u16));
            Value::Timestamp((days - DAYS_1900) * DAY + minutes * 60_000_000)
        }
        (token::DATETIMN | 0x3d, _) => {
            let (days, ticks) = (i64::from(number as i32), (number >> 32) as i64);
            Value::Timestamp((days - DAYS_1900).saturating_mul(DAY).saturating_add(ticks * 10_000 / 3))
        }
        (token::GUID, _) => Value::text(guid_text(bytes)),
        (token::DATEN, _) => Value::Date((number as i64 - DAYS_0001) as i32),
        (token::TIMEN, _) => {
            let at = micros(number, scale);
            let text = crate::sql::moment::timestamp(at.rem_euclid(DAY));
            Value::text(text.get(11..).unwrap_or_default())
        }
        (token::DATETIME2N | token::OFFSETN, length) => {
            let zone = if kind == token::OFFSETN { 2 } else { 0 };
            let clock = length.saturating_sub(3 + zone);
            let at = micros(whole(&bytes[..clock]), scale);
            let days = whole(bytes.get(clock..clock + 3).unwrap_or_default()) as i64;
            Value::Timestamp((days - DAYS_0001).saturating_mul(DAY).saturating_add(at))
        }
        _ => Value::bytes(bytes),
    }
}

/// Units of ten to the power of minus `scale` seconds as microseconds.
fn micros(units: u64, scale: u8) -> i64 {
    let units = (units & 0xff_ffff_ffff) as i64;
    match scale {
        0..=6 => units.saturating_mul(10i64.pow(u32::from(6 - scale))),
        _ => units / 10,
    }
}

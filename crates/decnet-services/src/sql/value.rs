//! One value of a row, and how values compare, convert and read as text.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::decimal::Decimal;
use super::moment;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fixed count of decimals.
    Decimal(Decimal),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// Bytes.
    Bytes(Arc<[u8]>),
    /// A day, counted from 1970-01-01.
    Date(i32),
    /// A point in time without a zone, in microseconds since 1970-01-01 00:00.
    Timestamp(i64),
    /// A row of values of one kind (PostgreSQL).
    Array(Arc<[Value]>),
}

impl Value {
    /// Text of anything that is text.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Text(Arc::from(text.as_ref()))
    }

    /// Bytes of anything that is bytes.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Value {
        Value::Bytes(Arc::from(bytes.as_ref()))
    }

    /// Whether it is [`Value::Null`].
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The kind of the value, where it has one.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(_) => Kind::Boolean,
            Value::Integer(number) if i32::try_from(*number).is_ok() => Kind::Integer,
            Value::Integer(_) => Kind::BigInt,
            Value::Decimal(number) => Kind::Decimal { precision: 38, scale: number.scale() },
            Value::Float(_) => Kind::Double,
            Value::Text(_) => Kind::Text,
            Value::Bytes(_) => Kind::Blob,
            Value::Date(_) => Kind::Date,
            Value::Timestamp(_) => Kind::Timestamp,
            Value::Array(_) => Kind::Array,
        })
    }

    /// As a whole number, the way all three products read the head of a text; none for what is no number.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Bool(truth) => Some(i64::from(*truth)),
            Value::Integer(number) => Some(*number),
            Value::Decimal(number) => number.rounded(),
            Value::Float(number) => Some(number.round() as i64),
            Value::Text(text) => leading_number(text).map(|number| number.round() as i64),
            Value::Date(days) => Some(i64::from(*days)),
            Value::Timestamp(at) => Some(*at),
            Value::Null | Value::Bytes(_) | Value::Array(_) => None,
        }
    }

    /// As a floating-point number; none for what is no number.
    pub fn float(&self) -> Option<f64> {
        match self {
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            Value::Integer(number) => Some(*number as f64),
            Value::Decimal(number) => Some(number.float()),
            Value::Float(number) => Some(*number),
            Value::Text(text) => leading_number(text),
            Value::Date(days) => Some(f64::from(*days)),
            Value::Timestamp(at) => Some(*at as f64),
            Value::Null | Value::Bytes(_) | Value::Array(_) => None,
        }
    }

    /// Whether it holds as a condition; none where that is unknown.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Value::Null => None,
            Value::Bool(truth) => Some(*truth),
            Value::Text(text) => Some(match text.as_ref() {
                "t" | "true" => true,
                "f" | "false" => false,
                other => leading_number(other).is_some_and(|number| number != 0.0),
            }),
            other => other.float().map(|number| number != 0.0),
        }
    }

    /// How two values compare; none where one of them is null. Numbers compare as numbers also where one
    /// side is text, dates with texts that are dates; `fold` compares texts without their case.
    pub fn compare(&self, other: &Value, fold: bool) -> Option<Ordering> {
        use Value::{Array, Bool, Bytes, Date, Integer, Null, Text, Timestamp};
        match (self, other) {
            (Null, _) | (_, Null) => None,
            (Text(a), Text(b)) if fold => Some(folded(a).cmp(folded(b))),
            (Text(a), Text(b)) => Some(a.cmp(b)),
            (Bytes(a), Bytes(b)) => Some(a.cmp(b)),
            (Bytes(a), Text(b)) => Some(a.as_ref().cmp(b.as_bytes())),
            (Text(a), Bytes(b)) => Some(a.as_bytes().cmp(b)),
            (Integer(a), Integer(b)) => Some(a.cmp(b)),
            (Bool(a), Bool(b)) => Some(a.cmp(b)),
            (Bool(a), Text(b)) => Text(b.clone()).truth().map(|b| a.cmp(&b)),
            (Text(a), Bool(b)) => Text(a.clone()).truth().map(|a| a.cmp(b)),
            (Date(_) | Timestamp(_), _) | (_, Date(_) | Timestamp(_)) => {
                match (self.timestamp(), other.timestamp()) {
                    (Some(a), Some(b)) => Some(a.cmp(&b)),
                    _ => Some(self.to_string().cmp(&other.to_string())),
                }
            }
            (Array(a), Array(b)) => {
                let mut pairs = a.iter().zip(b.iter());
                pairs
                    .find_map(|(a, b)| a.compare(b, fold).filter(|order| order.is_ne()))
                    .or_else(|| Some(a.len().cmp(&b.len())))
            }
            (Value::Decimal(a), Value::Decimal(b)) => Some(a.cmp(b)),
            (Value::Decimal(a), Integer(b)) => Some(a.cmp(&Decimal::from(*b))),
            (Integer(a), Value::Decimal(b)) => Some(Decimal::from(*a).cmp(b)),
            _ => {
                let (a, b) = (self.float().unwrap_or(0.0), other.float().unwrap_or(0.0));
                a.partial_cmp(&b)
            }
        }
    }

    /// As a point in time: a timestamp, a day, or a text that is one of them.
    pub fn timestamp(&self) -> Option<i64> {
        match self {
            Value::Timestamp(at) => Some(*at),
            Value::Date(days) => Some(i64::from(*days) * moment::DAY),
            Value::Text(text) => moment::parse(text),
            _ => None,
        }
    }

    /// Bytes that it takes in memory, roughly.
    pub fn size(&self) -> usize {
        24 + match self {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Array(values) => values.iter().map(Value::size).sum(),
            _ => 0,
        }
    }
}

impl fmt::Display for Value {
    /// As PostgreSQL and MySQL print it where both agree; the booleans are PostgreSQL's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("NULL"),
            Value::Bool(truth) => f.write_str(if *truth { "t" } else { "f" }),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Decimal(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
            Value::Date(days) => f.write_str(&moment::date(*days)),
            Value::Timestamp(at) => f.write_str(&moment::timestamp(*at)),
            Value::Array(values) => {
                f.write_str("{")?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    let text = value.to_string();
                    let plain = !text.is_empty() && !text.contains([',', '{', '}', '"', '\\', ' ']);
                    if plain || value.is_null() {
                        f.write_str(&text)?;
                    } else {
                        write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))?;
                    }
                }
                f.write_str("}")
            }
        }
    }
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// True or false; `bit` and `tinyint(1)` in products that have no other.
    Boolean,
    /// One byte.
    TinyInt,
    /// Two bytes.
    SmallInt,
    /// Four bytes.
    Integer,
    /// Eight bytes.
    BigInt,
    /// A number with `scale` decimals of `precision` digits.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// Four-byte floating point.
    Float,
    /// Eight-byte floating point.
    Double,
    /// Text of a fixed length.
    Char(u32),
    /// Text up to a length, in characters.
    Varchar(u32),
    /// Text of any length.
    Text,
    /// Bytes of any length.
    Blob,
    /// A day.
    Date,
    /// A time of day, kept as text.
    Time,
    /// A point in time.
    Timestamp,
    /// JSON, kept as text.
    Json,
    /// A UUID, kept as text.
    Uuid,
    /// PostgreSQL's object identifier.
    Oid,
    /// PostgreSQL's `name`.
    Name,
    /// PostgreSQL's one-byte `"char"`.
    Letter,
    /// PostgreSQL's array of texts.
    Array,
}

impl Kind {
    /// Whether values of it are numbers.
    pub fn is_number(self) -> bool {
        matches!(
            self,
            Kind::TinyInt
                | Kind::SmallInt
                | Kind::Integer
                | Kind::BigInt
                | Kind::Decimal { .. }
                | Kind::Float
                | Kind::Double
                | Kind::Oid
        )
    }

    /// Makes a value fit; none where it cannot be read as this kind.
    pub fn coerce(self, value: Value) -> Option<Value> {
        if value.is_null() {
            return Some(value);
        }
        Some(match self {
            Kind::Boolean => Value::Bool(value.truth()?),
            Kind::TinyInt | Kind::SmallInt | Kind::Integer | Kind::BigInt | Kind::Oid => match &value {
                Value::Text(text) => Value::Integer(text.trim().parse::<f64>().ok()?.round() as i64),
                other => Value::Integer(other.integer()?),
            },
            Kind::Decimal { scale, .. } => Value::Decimal(match &value {
                Value::Integer(number) => Decimal::from(*number).rescaled(scale)?,
                Value::Decimal(number) => number.rescaled(scale)?,
                other => other.to_string().trim().parse::<Decimal>().ok()?.rescaled(scale)?,
            }),
            Kind::Float | Kind::Double => match &value {
                Value::Text(text) => Value::Float(text.trim().parse().ok()?),
                other => Value::Float(other.float()?),
            },
            Kind::Date => Value::Date(i32::try_from(value.timestamp()?.div_euclid(moment::DAY)).ok()?),
            Kind::Timestamp => Value::Timestamp(value.timestamp()?),
            Kind::Blob => match value {
                Value::Bytes(_) => value,
                other => Value::bytes(other.to_string()),
            },
            Kind::Char(_)
            | Kind::Varchar(_)
            | Kind::Text
            | Kind::Time
            | Kind::Json
            | Kind::Uuid
            | Kind::Name
            | Kind::Letter => match value {
                Value::Text(_) => value,
                other => Value::text(other.to_string()),
            },
            Kind::Array => match value {
                Value::Array(_) => value,
                _ => return None,
            },
        })
    }
}

/// The number at the beginning of a text, as MySQL reads it; none where there is none.
fn leading_number(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let mut end = 0;
    let (mut digits, mut point, mut exponent) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'0'..=b'9' => digits = true,
            b'+' | b'-' if at == 0 => {}
            b'+' | b'-' if matches!(text.as_bytes().get(at.wrapping_sub(1)), Some(b'e' | b'E')) => {}
            b'.' if !point && !exponent => point = true,
            b'e' | b'E' if digits && !exponent => exponent = true,
            _ => break,
        }
        end = at + 1;
    }
    if !digits {
        return None;
    }
    // A trailing `e` or sign belongs to what follows.
    let head = text.get(..end)?.trim_end_matches(['e', 'E', '+', '-']);
    head.parse().ok()
}

/// Texts compared without their case, by character.
fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    // Trailing spaces count for neither MySQL's PAD SPACE collations nor SQL Server.
    text.trim_end_matches(' ').chars().flat_map(char::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_number_it_begins_with() {
        for (text, number) in
            [("12abc", Some(12.0)), (" -3.5e2x", Some(-350.0)), ("abc", None), ("1e", Some(1.0)), ("", None)]
        {
            assert_eq!(leading_number(text), number, "{text}");
        }
    }

    #[test]
    fn null_compares_with_nothing() {
        assert_eq!(Value::Null.compare(&Value::Integer(1), false), None);
        assert_eq!(Value::Integer(1).compare(&Value::text("1"), false), Some(Ordering::Equal));
        assert_eq!(Value::text("Admin ").compare(&Value::text("aDMIN"), true), Some(Ordering::Equal));
        assert_eq!(Value::text("Admin").compare(&Value::text("admin"), false), Some(Ordering::Less));
        let day = Value::Date(19_000);
        assert_eq!(day.compare(&Value::text("2022-01-08"), false), Some(Ordering::Equal));
    }

    #[test]
    fn values_are_made_to_fit() {
        let money = Kind::Decimal { precision: 10, scale: 2 };
        assert_eq!(money.coerce(Value::text("12.345")).unwrap().to_string(), "12.35");
        assert_eq!(money.coerce(Value::Integer(7)).unwrap().to_string(), "7.00");
        assert_eq!(Kind::Integer.coerce(Value::text("x")), None);
        assert_eq!(Kind::Date.coerce(Value::text("2024-02-29 10:00:00")).unwrap().to_string(), "2024-02-29");
    }
}

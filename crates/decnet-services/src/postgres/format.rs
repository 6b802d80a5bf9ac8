//! Values on the wire, as text and binary.

use super::product::type_of;
use crate::sql::{Kind, Value, moment};

/// Microseconds between 1970-01-01 and 2000-01-01, from which the product counts.
const EPOCH: i64 = 946_684_800_000_000;

/// Bytes of hex digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// A value as text; none for null.
pub(crate) fn text(value: &Value, oid: u32) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bytes(bytes) => {
            format!("\\x{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        Value::Timestamp(_) if oid == 1184 => format!("{value}+00"),
        Value::Float(number) if number.is_infinite() => {
            if *number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
        }
        other => other.to_string(),
    })
}

/// A value in the format that was asked for.
pub(crate) fn encode(value: &Value, oid: u32, binary: bool) -> Option<Vec<u8>> {
    let shown = text(value, oid)?;
    if !binary {
        return Some(shown.into_bytes());
    }
    let number = || value.integer().or_else(|| shown.parse().ok()).unwrap_or(0);
    Some(match oid {
        16 => vec![u8::from(value.truth().unwrap_or(false))],
        20 => number().to_be_bytes().to_vec(),
        21 => (number() as i16).to_be_bytes().to_vec(),
        23 | 26 => (number() as i32).to_be_bytes().to_vec(),
        700 => (value.float().unwrap_or(0.0) as f32).to_be_bytes().to_vec(),
        701 => value.float().unwrap_or(0.0).to_be_bytes().to_vec(),
        17 => match value {
            Value::Bytes(bytes) => bytes.to_vec(),
            other => other.to_string().into_bytes(),
        },
        1082 => {
            let days = value.timestamp().unwrap_or(EPOCH).div_euclid(moment::DAY) - EPOCH / moment::DAY;
            (days as i32).to_be_bytes().to_vec()
        }
        1114 | 1184 => (value.timestamp().unwrap_or(EPOCH) - EPOCH).to_be_bytes().to_vec(),
        1700 => numeric(&shown),
        2950 => unhex(&shown.replace('-', "")).unwrap_or_default(),
        1009 => array(value),
        _ => shown.into_bytes(),
    })
}

/// The binary form of `numeric`: digits of base 10000.
fn numeric(text: &str) -> Vec<u8> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = fraction.len();
    let whole = whole.trim_start_matches('0');
    let mut padded = "0".repeat((4 - whole.len() % 4) % 4) + whole;
    let weight = padded.len() as i64 / 4 - 1;
    padded.push_str(fraction);
    padded.push_str(&"0".repeat((4 - fraction.len() % 4) % 4));
    let mut groups: Vec<u16> = padded
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0')))
        .collect();
    let mut weight = weight;
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    let mut out = (groups.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(&(weight as i16).to_be_bytes());
    out.extend_from_slice(&(if negative { 0x4000u16 } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
    out
}

fn array(value: &Value) -> Vec<u8> {
    let Value::Array(values) = value else { return Vec::new() };
    let mut out = (i32::from(!values.is_empty())).to_be_bytes().to_vec();
    out.extend_from_slice(&i32::from(values.iter().any(Value::is_null)).to_be_bytes());
    out.extend_from_slice(&25i32.to_be_bytes());
    if !values.is_empty() {
        out.extend_from_slice(&(values.len() as i32).to_be_bytes());
        out.extend_from_slice(&1i32.to_be_bytes());
    }
    for value in values.iter() {
        match text(value, 25) {
            Some(text) => {
                out.extend_from_slice(&(text.len() as i32).to_be_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            None => out.extend_from_slice(&(-1i32).to_be_bytes()),
        }
    }
    out
}

/// The value of a parameter. `Err`: its bytes are none of the type.
pub(crate) fn decode(bytes: &[u8], oid: u32, binary: bool) -> Result<Value, ()> {
    if !binary {
        let text = std::str::from_utf8(bytes).map_err(|_| ())?;
        return Ok(match oid {
            20 | 21 | 23 | 26 => Value::Integer(text.trim().parse().map_err(|_| ())?),
            16 => Value::Bool(matches!(text.trim(), "t" | "true" | "1" | "on" | "yes")),
            700 | 701 => Value::Float(text.trim().parse().map_err(|_| ())?),
            17 => Value::bytes(text.strip_prefix("\\x").and_then(unhex).unwrap_or_else(|| bytes.to_vec())),
            _ => Value::text(text),
        });
    }
    let short = || bytes.try_into().map(i16::from_be_bytes).map(i64::from);
    let long = || bytes.try_into().map(i32::from_be_bytes).map(i64::from);
    let wide = || bytes.try_into().map(i64::from_be_bytes);
    let whole = |number: Result<i64, _>| number.map_err(|_: std::array::TryFromSliceError| ());
    Ok(match oid {
        16 => Value::Bool(bytes == [1]),
        20 => Value::Integer(whole(wide())?),
        21 => Value::Integer(whole(short())?),
        23 | 26 => Value::Integer(whole(long())?),
        700 => Value::Float(f64::from(f32::from_be_bytes(bytes.try_into().map_err(|_| ())?))),
        701 => Value::Float(f64::from_be_bytes(bytes.try_into().map_err(|_| ())?)),
        17 => Value::bytes(bytes),
        1082 => Value::Date(i32::try_from(whole(long())? + EPOCH / moment::DAY).map_err(|_| ())?),
        1114 | 1184 => Value::Timestamp(whole(wide())?.checked_add(EPOCH).ok_or(())?),
        _ => Value::text(std::str::from_utf8(bytes).map_err(|_| ())?),
    })
}

/// Some value of a type, by which the columns of a statement without its parameters are worked out.
pub(crate) fn sample(oid: u32) -> Value {
    match oid {
        16 => Value::Bool(false),
        20 | 21 | 23 | 26 => Value::Integer(1),
        700 | 701 => Value::Float(1.0),
        _ => Value::Null,
    }
}

/// The kind of a type's number, for values that are to become columns.
pub(crate) fn size(oid: u32) -> i16 {
    const KINDS: [Kind; 10] = [
        Kind::Boolean,
        Kind::SmallInt,
        Kind::Integer,
        Kind::BigInt,
        Kind::Float,
        Kind::Double,
        Kind::Date,
        Kind::Timestamp,
        Kind::Uuid,
        Kind::Oid,
    ];
    match oid {
        19 => 64,
        18 => 1,
        1184 | 1083 => 8,
        2205 | 2206 => 4,
        other => KINDS
            .iter()
            .map(|kind| type_of(*kind))
            .find(|(known, ..)| *known == other)
            .map_or(-1, |(_, size, _)| size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_of_ten_thousand() {
        assert_eq!(numeric("12345.67"), [0, 3, 0, 1, 0, 0, 0, 2, 0, 1, 0x09, 0x29, 0x1a, 0x2c]);
        assert_eq!(numeric("0.00"), [0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(numeric("-0.0001")[..8], [0, 1, 0xff, 0xff, 0x40, 0, 0, 4]);
    }

    #[test]
    fn what_goes_out_comes_back() {
        for (value, oid) in [
            (Value::Integer(-7), 23),
            (Value::Integer(1 << 40), 20),
            (Value::Bool(true), 16),
            (Value::Float(1.5), 701),
            (Value::bytes(b"\0\xff"), 17),
            (Value::Date(19_000), 1082),
            (Value::Timestamp(1_700_000_000_000_000), 1114),
            (Value::text("ä"), 25),
        ] {
            let bytes = encode(&value, oid, true).unwrap();
            assert_eq!(decode(&bytes, oid, true), Ok(value));
        }
        assert_eq!(decode(b"abc", 23, true), Err(()));
        assert_eq!(encode(&Value::Null, 23, true), None);
    }
}

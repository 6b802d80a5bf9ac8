//! The values of a prepared statement.

use super::{Reader, kind};
use crate::sql::Value;

/// The type of a placeholder, as the client says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    kind: u8,
    unsigned: bool,
}

/// COM_STMT_EXECUTE without its first byte.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Execute {
    /// The types, where the client sent them; otherwise those of last time stand.
    pub(crate) types: Option<Vec<Parameter>>,
    /// The values, first to last.
    pub(crate) values: Vec<Value>,
}

impl Execute {
    /// The number of the statement, which stands first.
    pub(crate) fn statement(payload: &[u8]) -> Option<u32> {
        Reader(payload).number(4).map(|number| number as u32)
    }

    /// Reads the values of `count` placeholders; `known` are the types of last time.
    pub(crate) fn read(payload: &[u8], count: usize, known: Option<&[Parameter]>) -> Option<Execute> {
        let mut reader = Reader(payload);
        reader.number(4)?;
        let _flags = reader.byte()?;
        let _iterations = reader.number(4)?;
        if count == 0 {
            return Some(Execute { types: None, values: Vec::new() });
        }
        let nulls = reader.take(count.div_ceil(8))?;
        let sent = reader.byte()? == 1;
        let types = if sent {
            let mut types = Vec::with_capacity(count);
            for _ in 0..count {
                let kind = reader.byte()?;
                types.push(Parameter { kind, unsigned: reader.byte()? & 0x80 != 0 });
            }
            Some(types)
        } else {
            None
        };
        let used = types.as_deref().or(known)?;
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            let null = nulls[index / 8] & (1 << (index % 8)) != 0;
            values.push(if null { Value::Null } else { value(&mut reader, *used.get(index)?)? });
        }
        Some(Execute { types, values })
    }
}

fn value(reader: &mut Reader<'_>, parameter: Parameter) -> Option<Value> {
    let signed = |number: u64, bits: u32| {
        let shift = 64 - bits;
        if parameter.unsigned { number as i64 } else { ((number << shift) as i64) >> shift }
    };
    Some(match parameter.kind {
        kind::NULL => Value::Null,
        kind::TINY => Value::Integer(signed(reader.number(1)?, 8)),
        kind::SHORT | kind::YEAR => Value::Integer(signed(reader.number(2)?, 16)),
        kind::LONG | kind::INT24 => Value::Integer(signed(reader.number(4)?, 32)),
        kind::LONGLONG => Value::Integer(reader.number(8)? as i64),
        kind::FLOAT => Value::Float(f64::from(f32::from_bits(reader.number(4)? as u32))),
        kind::DOUBLE => Value::Float(f64::from_bits(reader.number(8)?)),
        kind::DATE | kind::DATETIME | kind::TIMESTAMP => {
            let length = usize::from(reader.byte()?);
            let mut inner = Reader(reader.take(length)?);
            let year = inner.number(2).unwrap_or(0);
            let mut part = || inner.byte().unwrap_or(0);
            let (month, day, hour, minute, second) = (part(), part(), part(), part(), part());
            let mut text = format!("{year:04}-{month:02}-{day:02}");
            if length > 4 {
                text.push_str(&format!(" {hour:02}:{minute:02}:{second:02}"));
            }
            Value::text(text)
        }
        kind::TIME => {
            let length = usize::from(reader.byte()?);
            let mut inner = Reader(reader.take(length)?);
            let negative = inner.byte().unwrap_or(0) == 1;
            let days = inner.number(4).unwrap_or(0);
            let mut part = || inner.byte().unwrap_or(0);
            let (hour, minute, second) = (part(), part(), part());
            let hours = days.saturating_mul(24) + u64::from(hour);
            Value::text(format!("{}{hours:02}:{minute:02}:{second:02}", if negative { "-" } else { "" }))
        }
        _ => {
            let bytes = reader.text()?;
            match std::str::from_utf8(bytes) {
                Ok(text) => Value::text(text),
                Err(_) => Value::bytes(bytes),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_by_their_types() {
        let mut bytes = b"\x01\0\0\0\0\x01\0\0\0\x04\x01\x08\0\xfd\0\x06\0\x01\x80".to_vec();
        bytes.extend_from_slice(&(-5i64).to_le_bytes());
        bytes.extend_from_slice(b"\x01c\xff");
        let execute = Execute::read(&bytes, 4, None).unwrap();
        assert_eq!(execute.values, [Value::Integer(-5), Value::text("c"), Value::Null, Value::Integer(255)]);
        // The next time the types are left out.
        let again = b"\x01\0\0\0\0\x01\0\0\0\x07\0\x09";
        let types = execute.types.unwrap();
        let execute = Execute::read(again, 4, Some(&types)).unwrap();
        assert_eq!(execute.values[3], Value::Integer(9));
        assert_eq!(Execute::read(again, 4, None), None);
        assert_eq!(Execute::statement(again), Some(1));
    }
}

//! Strings as bits.

use super::strings::{bytes_of, fits};
use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, Fault, SYNTAX};
use crate::redis::store::Value;

pub(super) const HANDLERS: super::Group = &[
    ("bitcount", bitcount),
    ("bitfield", |call| bitfield(call, false)),
    ("bitfield_ro", |call| bitfield(call, true)),
    ("bitop", bitop),
    ("bitpos", bitpos),
    ("getbit", getbit),
    ("setbit", setbit),
];

const BAD_OFFSET: &str = "ERR bit offset is not an integer or out of range";

/// A bit offset; `#n` counts in fields of `width` bits.
fn offset(text: &[u8], hash: Option<u64>) -> Result<u64, Fault> {
    let (text, factor) = match (text.strip_prefix(b"#"), hash) {
        (Some(rest), Some(width)) => (rest, width),
        _ => (text, 1),
    };
    number(text)
        .and_then(|number| u64::try_from(number).ok())
        .and_then(|number| number.checked_mul(factor))
        .filter(|offset| offset / 8 < 512 * 1024 * 1024)
        .ok_or_else(|| BAD_OFFSET.into())
}

fn bit(bytes: &[u8], offset: u64) -> u8 {
    bytes.get((offset / 8) as usize).map_or(0, |byte| byte >> (7 - offset % 8) & 1)
}

fn setbit(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let offset = offset(call.arg(2), None)?;
    let on = match number(call.arg(3)) {
        Some(on @ (0 | 1)) => on == 1,
        _ => return Err("ERR bit is not an integer or out of range".into()),
    };
    let old = call.string(&key)?.map_or(0, <[u8]>::len);
    let needed = offset / 8 + 1;
    fits(call, needed, needed.saturating_sub(old as u64))?;
    let bytes = call.string_mut(&key)?;
    if bytes.len() < needed as usize {
        bytes.resize(needed as usize, 0);
    }
    let before = bit(bytes, offset);
    write(bytes, offset, 1, u64::from(on));
    call.changed(&key, "setbit", '$');
    Ok(Reply::Integer(i64::from(before)))
}

fn getbit(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let offset = offset(call.arg(2), None)?;
    Ok(Reply::Integer(i64::from(call.string(&key)?.map_or(0, |bytes| bit(bytes, offset)))))
}

/// Whether the range at `at` is in bits.
fn unit(call: &Call<'_>, at: usize) -> Result<bool, Fault> {
    if call.len() <= at {
        return Ok(false);
    }
    match call.word(at).as_str() {
        "bit" if call.since(7, 0) => Ok(true),
        "byte" if call.since(7, 0) => Ok(false),
        _ => Err(SYNTAX.into()),
    }
}

fn bitcount(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    // The product looks the key up first: a missing one is 0 whatever else is wrong.
    let Some(bytes) = call.string(&key)?.map(<[u8]>::to_vec) else { return Ok(Reply::Integer(0)) };
    let count = match call.len() {
        2 => bytes.iter().map(|byte| u64::from(byte.count_ones())).sum(),
        4 | 5 => {
            let (start, end) = (call.integer(2)?, call.integer(3)?);
            let bits = unit(call, 4)?;
            if start < 0 && end < 0 && start > end {
                0
            } else if bits {
                let (from, to) = super::span(start, end, bytes.len() * 8);
                (from as u64..to as u64).map(|offset| u64::from(bit(&bytes, offset))).sum()
            } else {
                let (from, to) = super::span(start, end, bytes.len());
                bytes[from..to].iter().map(|byte| u64::from(byte.count_ones())).sum()
            }
        }
        _ => return Err(SYNTAX.into()),
    };
    Ok(Reply::Integer(count as i64))
}

fn bitpos(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let wanted = match call.integer(2)? {
        wanted @ (0 | 1) => wanted as u8,
        _ => return Err("ERR The bit argument must be 1 or 0.".into()),
    };
    let Some(bytes) = call.string(&key)?.map(<[u8]>::to_vec) else {
        return Ok(Reply::Integer(if wanted == 1 { -1 } else { 0 }));
    };
    let given = call.len();
    let start = if given > 3 { call.integer(3)? } else { 0 };
    let end = if given > 4 { call.integer(4)? } else { -1 };
    let bits = unit(call, 5)?;
    if given > 6 {
        return Err(SYNTAX.into());
    }
    let length = if bits { bytes.len() * 8 } else { bytes.len() };
    let (from, to) = super::span(start, end, length);
    if from == to {
        return Ok(Reply::Integer(-1));
    }
    let (from, to) = if bits { (from as u64, to as u64) } else { (from as u64 * 8, to as u64 * 8) };
    let found = (from..to).find(|offset| bit(&bytes, *offset) == wanted);
    Ok(Reply::Integer(match found {
        Some(offset) => offset as i64,
        // Without an end the string is taken as followed by zeros.
        None if wanted == 0 && given < 5 => to as i64,
        None => -1,
    }))
}

fn bitop(call: &mut Call<'_>) -> Answer {
    let operation = call.word(1);
    if !matches!(operation.as_str(), "and" | "or" | "xor" | "not") {
        return Err(SYNTAX.into());
    }
    if operation == "not" && call.len() != 4 {
        return Err("ERR BITOP NOT must be called with a single source key.".into());
    }
    let target = call.arg(2).to_vec();
    let mut sources = Vec::new();
    for at in 3..call.len() {
        let key = call.arg(at).to_vec();
        let bytes = bytes_of(call.look(&key))?.cloned().unwrap_or_default();
        call.spend(bytes.len())?;
        sources.push(bytes);
    }
    let length = sources.iter().map(Vec::len).max().unwrap_or(0);
    call.room(length)?;
    let mut result = vec![0u8; length];
    for (at, byte) in result.iter_mut().enumerate() {
        let mut values = sources.iter().map(|source| source.get(at).copied().unwrap_or(0));
        let first = values.next().unwrap_or(0);
        *byte = match operation.as_str() {
            "and" => values.fold(first, |a, b| a & b),
            "or" => values.fold(first, |a, b| a | b),
            "xor" => values.fold(first, |a, b| a ^ b),
            _ => !first,
        };
    }
    if length == 0 {
        if call.delete(&target) {
            call.changed(&target, "del", 'g');
        }
    } else {
        call.put(&target, Value::String(result, true));
        call.changed(&target, "set", '$');
    }
    Ok(Reply::Integer(length as i64))
}

/// Reads `width` bits from `offset`; what is past the end is zero.
fn read(bytes: &[u8], offset: u64, width: u64) -> u64 {
    (0..width).fold(0, |value, i| value << 1 | u64::from(bit(bytes, offset + i)))
}

/// Writes the low `width` bits of a value; the bytes must be there.
fn write(bytes: &mut [u8], offset: u64, width: u64, value: u64) {
    for i in 0..width {
        let at = offset + i;
        let on = (value >> (width - 1 - i) & 1) as u8;
        if let Some(byte) = bytes.get_mut((at / 8) as usize) {
            let shift = 7 - at % 8;
            *byte = *byte & !(1 << shift) | on << shift;
        }
    }
}

#[derive(Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

struct Field {
    signed: bool,
    width: u64,
}

impl Field {
    fn parse(text: &[u8]) -> Result<Field, Fault> {
        let bad = || {
            Fault::from(
                "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
            )
        };
        let (mark, digits) = text.split_first().ok_or_else(bad)?;
        let signed = match mark {
            b'i' => true,
            b'u' => false,
            _ => return Err(bad()),
        };
        let width = number(digits).and_then(|width| u64::try_from(width).ok()).ok_or_else(bad)?;
        if !(1..=64).contains(&width) || (!signed && width > 63) {
            return Err(bad());
        }
        Ok(Field { signed, width })
    }

    fn bounds(&self) -> (i128, i128) {
        if self.signed {
            (-(1i128 << (self.width - 1)), (1i128 << (self.width - 1)) - 1)
        } else {
            (0, (1i128 << self.width) - 1)
        }
    }

    fn value(&self, bits: u64) -> i128 {
        let value = i128::from(bits);
        if self.signed && bits >> (self.width - 1) & 1 == 1 { value - (1i128 << self.width) } else { value }
    }

    /// Fits a value into the field; `None` where it does not and may not.
    fn fit(&self, value: i128, overflow: Overflow) -> Option<i128> {
        let (low, high) = self.bounds();
        if (low..=high).contains(&value) {
            return Some(value);
        }
        match overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(value.clamp(low, high)),
            Overflow::Wrap => {
                let bits = value.rem_euclid(1i128 << self.width) as u64;
                Some(self.value(bits))
            }
        }
    }
}

fn bitfield(call: &mut Call<'_>, read_only: bool) -> Answer {
    enum Step {
        Get,
        Set(i64),
        Add(i64),
    }
    let key = call.arg(1).to_vec();
    let mut steps = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut needed = 0;
    let mut at = 2;
    while at < call.len() {
        let word = call.word(at);
        let left = call.len() - at - 1;
        match word.as_str() {
            "get" if left >= 2 => {
                let field = Field::parse(call.arg(at + 1))?;
                let from = offset(call.arg(at + 2), Some(field.width))?;
                steps.push((Step::Get, field, from, overflow));
                at += 3;
            }
            "set" | "incrby" if left >= 3 => {
                if read_only {
                    return Err("ERR BITFIELD_RO only supports the GET subcommand".into());
                }
                let field = Field::parse(call.arg(at + 1))?;
                let from = offset(call.arg(at + 2), Some(field.width))?;
                let value = call.integer(at + 3)?;
                needed = needed.max((from + field.width).div_ceil(8));
                let step = if word == "set" { Step::Set(value) } else { Step::Add(value) };
                steps.push((step, field, from, overflow));
                at += 4;
            }
            "overflow" if left >= 1 => {
                overflow = match call.word(at + 1).as_str() {
                    "wrap" => Overflow::Wrap,
                    "sat" => Overflow::Saturate,
                    "fail" => Overflow::Fail,
                    _ => return Err("ERR Invalid OVERFLOW type specified".into()),
                };
                at += 2;
            }
            _ => return Err(SYNTAX.into()),
        }
    }
    let mut bytes = call.string(&key)?.map(<[u8]>::to_vec).unwrap_or_default();
    if needed > 0 {
        let old = bytes.len() as u64;
        fits(call, needed, needed.saturating_sub(old))?;
        if bytes.len() < needed as usize {
            bytes.resize(needed as usize, 0);
        }
    }
    let mut replies = Vec::new();
    let mut changed = false;
    for (step, field, from, overflow) in steps {
        let old = field.value(read(&bytes, from, field.width));
        let (new, shown) = match step {
            Step::Get => {
                replies.push(Reply::Integer(old as i64));
                continue;
            }
            Step::Set(value) => {
                let value = if field.signed { i128::from(value) } else { i128::from(value as u64) };
                let fitted = field.fit(value, overflow);
                (fitted, fitted.map(|_| old))
            }
            Step::Add(by) => {
                let fitted = field.fit(old + i128::from(by), overflow);
                (fitted, fitted)
            }
        };
        match (new, shown) {
            (Some(new), Some(shown)) => {
                write(&mut bytes, from, field.width, new as u64);
                changed = true;
                replies.push(Reply::Integer(shown as i64));
            }
            _ => replies.push(Reply::Null),
        }
    }
    if changed {
        *call.string_mut(&key)? = bytes;
        call.changed(&key, "setbit", '$');
    }
    Ok(Reply::Array(replies))
}

//! Listpacks: the packed form of small values in dumps.

use crate::redis::codec::number;

/// Elements in one listpack.
pub(super) fn listpack<'a>(items: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = vec![0u8; 6];
    let mut count = 0usize;
    for item in items {
        let from = out.len();
        match number(item) {
            Some(value @ 0..=127) => out.push(value as u8),
            Some(value @ -4096..=4095) => {
                let value = value as u16 & 0x1fff;
                out.extend_from_slice(&[0xc0 | (value >> 8) as u8, value as u8]);
            }
            Some(value) if i16::try_from(value).is_ok() => {
                out.push(0xf1);
                out.extend_from_slice(&(value as i16).to_le_bytes());
            }
            Some(value @ -8_388_608..=8_388_607) => {
                out.push(0xf2);
                out.extend_from_slice(&value.to_le_bytes()[..3]);
            }
            Some(value) if i32::try_from(value).is_ok() => {
                out.push(0xf3);
                out.extend_from_slice(&(value as i32).to_le_bytes());
            }
            Some(value) => {
                out.push(0xf4);
                out.extend_from_slice(&value.to_le_bytes());
            }
            None => {
                match item.len() {
                    0..=63 => out.push(0x80 | item.len() as u8),
                    64..=4095 => out.extend_from_slice(&[0xe0 | (item.len() >> 8) as u8, item.len() as u8]),
                    _ => {
                        out.push(0xf0);
                        out.extend_from_slice(&(item.len() as u32).to_le_bytes());
                    }
                }
                out.extend_from_slice(item);
            }
        }
        // The entry's length once more, to be read backwards, seven bits a byte.
        let size = out.len() - from;
        let bytes = match size {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            2_097_152..=268_435_455 => 4,
            _ => 5,
        };
        for i in (0..bytes).rev() {
            let bits = (size >> (7 * i) & 0x7f) as u8;
            out.push(if i == bytes - 1 { bits } else { bits | 0x80 });
        }
        count += 1;
    }
    out.push(0xff);
    let total = out.len() as u32;
    out[..4].copy_from_slice(&total.to_le_bytes());
    out[4..6].copy_from_slice(&(count.min(65_535) as u16).to_le_bytes());
    out
}

/// Reads what [`listpack`] writes, from anybody.
pub(super) fn unpack(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let total = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    if total != bytes.len() || bytes.last() != Some(&0xff) {
        return None;
    }
    let mut items = Vec::new();
    let mut at = 6;
    while at + 1 < bytes.len() {
        let first = bytes[at];
        let signed = |bytes: &[u8]| -> i64 {
            let mut wide = [if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 }; 8];
            wide[..bytes.len()].copy_from_slice(bytes);
            i64::from_le_bytes(wide)
        };
        let (head, size, value) = match first {
            0x00..=0x7f => (1, 0, Some(i64::from(first))),
            0x80..=0xbf => (1, usize::from(first & 0x3f), None),
            0xc0..=0xdf => {
                let raw = u16::from(first & 0x1f) << 8 | u16::from(*bytes.get(at + 1)?);
                let value = if raw >= 4096 { i64::from(raw) - 8192 } else { i64::from(raw) };
                (2, 0, Some(value))
            }
            0xe0..=0xef => (2, usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(at + 1)?), None),
            0xf0 => {
                let size = u32::from_le_bytes(bytes.get(at + 1..at + 5)?.try_into().ok()?);
                (5, size as usize, None)
            }
            0xf1 => (3, 0, Some(signed(bytes.get(at + 1..at + 3)?))),
            0xf2 => (4, 0, Some(signed(bytes.get(at + 1..at + 4)?))),
            0xf3 => (5, 0, Some(signed(bytes.get(at + 1..at + 5)?))),
            0xf4 => (9, 0, Some(signed(bytes.get(at + 1..at + 9)?))),
            _ => return None,
        };
        items.push(match value {
            Some(value) => value.to_string().into_bytes(),
            None => bytes.get(at + head..at + head + size)?.to_vec(),
        });
        let entry = head + size;
        let back = match entry {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            2_097_152..=268_435_455 => 4,
            _ => 5,
        };
        at += entry + back;
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn elements_come_back(items in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20), numbers in proptest::collection::vec(any::<i64>(), 0..20)) {
            let mut items = items;
            items.extend(numbers.iter().map(|number| number.to_string().into_bytes()));
            let packed = listpack(items.iter().map(Vec::as_slice));
            prop_assert_eq!(unpack(&packed).unwrap(), items);
        }

        #[test]
        fn nothing_makes_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 7..200)) {
            let length = bytes.len() as u32;
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            if let Some(last) = bytes.last_mut() {
                *last = 0xff;
            }
            let _ = unpack(&bytes);
        }
    }
}

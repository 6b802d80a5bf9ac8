//! The product's dump format: DUMP, RESTORE, and the file that SAVE and PSYNC make.

use super::value::Encoding;
use super::{Entry, Hash, List, Set, Stream, StreamId, Value, Zset};
use crate::redis::codec::number;
use crate::redis::persona::Release;

const STRING: u8 = 0;
const LIST: u8 = 1;
const SET: u8 = 2;
const HASH: u8 = 4;
const ZSET: u8 = 5;
const INTSET: u8 = 11;
const HASH_LISTPACK: u8 = 16;
const ZSET_LISTPACK: u8 = 17;
const QUICKLIST: u8 = 18;
const SET_LISTPACK: u8 = 20;
const LIBRARY: u8 = 245;

/// The number of the format that a release writes.
pub(crate) fn version(release: Release) -> u16 {
    match release {
        r if r.since(7, 2) => 11,
        r if r.since(7, 0) => 10,
        r if r.since(5, 0) => 9,
        r if r.since(4, 0) => 8,
        _ => 7,
    }
}

/// CRC-64 of Jones, reflected, as the product's crc64.c.
pub(crate) fn crc64(bytes: &[u8]) -> u64 {
    const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
    bytes.iter().fold(0u64, |mut crc, byte| {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
        }
        crc
    })
}

fn length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..=63 => out.push(length as u8),
        64..=16_383 => out.extend_from_slice(&[0x40 | (length >> 8) as u8, length as u8]),
        _ if u32::try_from(length).is_ok() => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= 11
        && let Some(value) = number(bytes)
    {
        if let Ok(value) = i8::try_from(value) {
            out.extend_from_slice(&[0xc0, value as u8]);
            return;
        }
        if let Ok(value) = i16::try_from(value) {
            out.push(0xc1);
            out.extend_from_slice(&value.to_le_bytes());
            return;
        }
        if let Ok(value) = i32::try_from(value) {
            out.push(0xc2);
            out.extend_from_slice(&value.to_le_bytes());
            return;
        }
    }
    if bytes.len() > 20
        && let Some(packed) = compress(bytes)
    {
        out.push(0xc3);
        length(out, packed.len());
        length(out, bytes.len());
        out.extend_from_slice(&packed);
        return;
    }
    length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// LZF as liblzf's lzf_c.c with a table of 2¹⁶ entries (the product's `ULTRA_FAST 0`, `VERY_FAST 1`);
/// `None` where it saves less than four bytes.
fn compress(input: &[u8]) -> Option<Vec<u8>> {
    const BITS: u32 = 16;
    const MAX_OFFSET: usize = 1 << 13;
    const MAX_LENGTH: usize = (1 << 8) + (1 << 3);
    let limit = input.len() - 4;
    let mut table = vec![usize::MAX; 1 << BITS];
    let slot = |value: u32| {
        ((value >> (3 * 8 - BITS)).wrapping_sub(value.wrapping_mul(5)) & ((1 << BITS) - 1)) as usize
    };
    let mut out: Vec<u8> = vec![0];
    let mut literals = 0usize;
    let mut at = 0;
    let mut hash = u32::from(input[0]) << 8 | u32::from(input[1]);
    while at + 2 < input.len() {
        hash = hash << 8 | u32::from(input[at + 2]);
        let place = &mut table[slot(hash & 0x00ff_ffff)];
        let reference = std::mem::replace(place, at);
        let matches = reference != usize::MAX
            && reference > 0
            && at - reference - 1 < MAX_OFFSET
            && input[reference..reference + 3] == input[at..at + 3];
        if !matches {
            literals += 1;
            out.push(input[at]);
            at += 1;
            if literals == 32 {
                let run = out.len() - literals - 1;
                out[run] = (literals - 1) as u8;
                literals = 0;
                out.push(0);
            }
            if out.len() > limit {
                return None;
            }
            continue;
        }
        let offset = at - reference - 1;
        let most = (input.len() - at - 2).min(MAX_LENGTH);
        let mut run = 2;
        loop {
            run += 1;
            if run >= most || input.get(reference + run) != input.get(at + run) {
                break;
            }
        }
        if literals > 0 {
            let place = out.len() - literals - 1;
            out[place] = (literals - 1) as u8;
        } else {
            out.pop();
        }
        let stored = run - 2;
        if stored < 7 {
            out.push((offset >> 8) as u8 + ((stored as u8) << 5));
        } else {
            out.push((offset >> 8) as u8 + (7 << 5));
            out.push((stored - 7) as u8);
        }
        out.push(offset as u8);
        literals = 0;
        out.push(0);
        if out.len() > limit {
            return None;
        }
        // VERY_FAST: only the last two positions of a match are remembered.
        at += run;
        if at + 2 >= input.len() {
            break;
        }
        for back in (1..=2).rev() {
            let from = at - back;
            let value =
                u32::from(input[from]) << 16 | u32::from(input[from + 1]) << 8 | u32::from(input[from + 2]);
            table[slot(value)] = from;
        }
        hash = u32::from(input[at]) << 8 | u32::from(input[at + 1]);
    }
    for byte in &input[at.min(input.len())..] {
        literals += 1;
        out.push(*byte);
        if literals == 32 {
            let run = out.len() - literals - 1;
            out[run] = 31;
            literals = 0;
            out.push(0);
        }
    }
    if literals > 0 {
        let run = out.len() - literals - 1;
        out[run] = (literals - 1) as u8;
    } else {
        out.pop();
    }
    (out.len() <= limit).then_some(out)
}

fn decompress(input: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < input.len() {
        let control = usize::from(input[at]);
        at += 1;
        if control < 32 {
            out.extend_from_slice(input.get(at..=at + control)?);
            at += control + 1;
        } else {
            let mut run = control >> 5;
            if run == 7 {
                run += usize::from(*input.get(at)?);
                at += 1;
            }
            let back = ((control & 0x1f) << 8 | usize::from(*input.get(at)?)) + 1;
            at += 1;
            let from = out.len().checked_sub(back)?;
            for i in 0..run + 2 {
                let byte = *out.get(from + i)?;
                out.push(byte);
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

/// Elements in one listpack.
fn listpack<'a>(items: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
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
fn unpack(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
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

fn score(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// The type byte and the value.
fn value(out: &mut Vec<u8>, value: &Value, release: Release, rules: Encoding) {
    let packed = release.since(7, 0);
    match value {
        Value::String(bytes, _) => {
            out.push(STRING);
            string(out, bytes);
        }
        Value::List(list) if packed => {
            // Nodes of at most 8 kB, as `list-max-listpack-size -2` says.
            let mut nodes: Vec<Vec<&[u8]>> = vec![Vec::new()];
            let mut size = 0;
            for item in list.items() {
                if size + item.len() + 11 > 8192 && size > 0 {
                    nodes.push(Vec::new());
                    size = 0;
                }
                size += item.len() + 11;
                if let Some(node) = nodes.last_mut() {
                    node.push(item);
                }
            }
            out.push(QUICKLIST);
            length(out, nodes.len());
            for node in nodes {
                out.push(2);
                string(out, &listpack(node.into_iter()));
            }
        }
        Value::List(list) => {
            out.push(LIST);
            length(out, list.items().len());
            list.items().iter().for_each(|item| string(out, item));
        }
        Value::Set(Set::Integers(set)) => {
            let width = set.iter().fold(2usize, |width, number| {
                width.max(match *number {
                    n if i16::try_from(n).is_ok() => 2,
                    n if i32::try_from(n).is_ok() => 4,
                    _ => 8,
                })
            });
            let mut bytes = (width as u32).to_le_bytes().to_vec();
            bytes.extend_from_slice(&(set.len() as u32).to_le_bytes());
            for number in set {
                bytes.extend_from_slice(&number.to_le_bytes()[..width]);
            }
            out.push(INTSET);
            string(out, &bytes);
        }
        Value::Set(Set::Small(members)) => {
            out.push(SET_LISTPACK);
            string(out, &listpack(members.iter().map(Vec::as_slice)));
        }
        Value::Set(set) => {
            out.push(SET);
            length(out, set.len());
            set.members().iter().for_each(|member| string(out, member));
        }
        Value::Hash(hash) if packed && value.encoding(rules) == "listpack" => {
            out.push(HASH_LISTPACK);
            string(out, &listpack(hash.iter().flat_map(|(field, value)| [field, value])));
        }
        Value::Hash(hash) => {
            out.push(HASH);
            length(out, hash.len());
            for (field, value) in hash.iter() {
                string(out, field);
                string(out, value);
            }
        }
        Value::Zset(zset) if packed && value.encoding(rules) == "listpack" => {
            let texts: Vec<Vec<u8>> = zset
                .iter()
                .flat_map(|(member, score)| {
                    [member.to_vec(), crate::redis::codec::double(score).into_bytes()]
                })
                .collect();
            out.push(ZSET_LISTPACK);
            string(out, &listpack(texts.iter().map(Vec::as_slice)));
        }
        Value::Zset(zset) => {
            out.push(ZSET);
            length(out, zset.len());
            // The product writes from the highest score down.
            for (member, value) in zset.iter().rev() {
                string(out, member);
                score(out, value);
            }
        }
        Value::Stream(stream) => {
            out.push(match release {
                r if r.since(7, 2) => 21,
                r if r.since(7, 0) => 19,
                _ => 15,
            });
            stream_body(out, stream, release);
        }
    }
}

fn raw_id(id: StreamId) -> [u8; 16] {
    let mut raw = [0; 16];
    raw[..8].copy_from_slice(&id.ms.to_be_bytes());
    raw[8..].copy_from_slice(&id.number.to_be_bytes());
    raw
}

fn number_length(out: &mut Vec<u8>, value: u64) {
    length(out, usize::try_from(value).unwrap_or(usize::MAX));
}

/// Nodes of up to a hundred entries, whose fields stand once where all share them; then ids, counters and
/// groups.
fn stream_body(out: &mut Vec<u8>, stream: &Stream, release: Release) {
    let entries: Vec<(&StreamId, &Vec<Vec<u8>>)> = stream.entries().iter().collect();
    length(out, entries.len().div_ceil(100));
    for node in entries.chunks(100) {
        let Some((master, first)) = node.first() else { continue };
        let names: Vec<&Vec<u8>> = first.iter().step_by(2).collect();
        let mut items: Vec<Vec<u8>> = Vec::new();
        let push = |items: &mut Vec<Vec<u8>>, value: u64| items.push(value.to_string().into_bytes());
        push(&mut items, node.len() as u64);
        push(&mut items, 0);
        push(&mut items, names.len() as u64);
        items.extend(names.iter().map(|name| (*name).clone()));
        push(&mut items, 0);
        for (id, fields) in node {
            let same = fields.iter().step_by(2).eq(names.iter().copied());
            let count = fields.len() as u64 / 2;
            push(&mut items, if same { 2 } else { 0 });
            push(&mut items, id.ms.wrapping_sub(master.ms));
            items.push((id.number.wrapping_sub(master.number) as i64).to_string().into_bytes());
            if same {
                items.extend(fields.iter().skip(1).step_by(2).cloned());
                push(&mut items, count + 3);
            } else {
                push(&mut items, count);
                items.extend(fields.iter().cloned());
                push(&mut items, 2 * count + 4);
            }
        }
        string(out, &raw_id(**master));
        string(out, &listpack(items.iter().map(Vec::as_slice)));
    }
    let id = |out: &mut Vec<u8>, id: StreamId| {
        number_length(out, id.ms);
        number_length(out, id.number);
    };
    length(out, stream.len());
    id(out, stream.last);
    if release.since(7, 0) {
        id(out, entries.first().map_or(StreamId::MIN, |(id, _)| **id));
        id(out, stream.max_deleted);
        number_length(out, stream.added);
    }
    length(out, stream.groups.len());
    for (name, group) in &stream.groups {
        string(out, name);
        id(out, group.last);
        if release.since(7, 0) {
            number_length(out, group.read.unwrap_or(u64::MAX));
        }
        length(out, group.pending.len());
        for (entry, pending) in &group.pending {
            out.extend_from_slice(&raw_id(*entry));
            out.extend_from_slice(&pending.delivered.to_le_bytes());
            number_length(out, pending.count);
        }
        length(out, group.consumers.len());
        for (name, consumer) in &group.consumers {
            string(out, name);
            out.extend_from_slice(&consumer.seen.to_le_bytes());
            if release.since(7, 2) {
                out.extend_from_slice(&consumer.active.to_le_bytes());
            }
            let mine: Vec<&StreamId> = group
                .pending
                .iter()
                .filter(|(_, pending)| pending.consumer == *name)
                .map(|(id, _)| id)
                .collect();
            length(out, mine.len());
            for entry in mine {
                out.extend_from_slice(&raw_id(*entry));
            }
        }
    }
}

/// A value as DUMP gives it: type, value, format number, checksum.
pub(crate) fn dump(what: &Value, release: Release, rules: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    value(&mut out, what, release, rules);
    out.extend_from_slice(&version(release).to_le_bytes());
    let crc = crc64(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Whether format number and checksum of a DUMP are right.
pub(crate) fn verify(payload: &[u8], release: Release) -> bool {
    let Some(split) = payload.len().checked_sub(8) else { return false };
    let (body, crc) = payload.split_at(split);
    let Some(number) = body.len().checked_sub(2).and_then(|at| body.get(at..)) else { return false };
    let number = u16::from_le_bytes([number[0], number[1]]);
    number <= version(release) && crc64(body).to_le_bytes() == *crc
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A length, or the number of a special form.
    fn length(&mut self) -> Option<Result<usize, u8>> {
        let first = self.byte()?;
        Some(match first >> 6 {
            0 => Ok(usize::from(first & 0x3f)),
            1 => Ok(usize::from(first & 0x3f) << 8 | usize::from(self.byte()?)),
            2 if first == 0x80 => Ok(u32::from_be_bytes(self.take(4)?.try_into().ok()?) as usize),
            2 if first == 0x81 => {
                usize::try_from(u64::from_be_bytes(self.take(8)?.try_into().ok()?)).ok().map(Ok)?
            }
            2 => return None,
            _ => Err(first & 0x3f),
        })
    }

    fn count(&mut self) -> Option<usize> {
        // No count can exceed the bytes that are left.
        self.length()?.ok().filter(|count| *count <= self.0.len())
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        match self.length()? {
            Ok(length) => self.take(length).map(<[u8]>::to_vec),
            Err(0) => Some((self.byte()? as i8).to_string().into_bytes()),
            Err(1) => Some(i16::from_le_bytes(self.take(2)?.try_into().ok()?).to_string().into_bytes()),
            Err(2) => Some(i32::from_le_bytes(self.take(4)?.try_into().ok()?).to_string().into_bytes()),
            Err(3) => {
                let packed = self.length()?.ok()?;
                let length = self.length()?.ok()?;
                if length > super::MEMORY_BOUND {
                    return None;
                }
                decompress(self.take(packed)?, length)
            }
            Err(_) => None,
        }
    }
}

/// Reads the value of a DUMP whose trailer was verified.
pub(crate) fn load(payload: &[u8], rules: Encoding, seed: u64) -> Option<Value> {
    let mut reader = Reader(payload.get(..payload.len().checked_sub(10)?)?);
    let loaded = match reader.byte()? {
        STRING => Value::string(reader.string()?),
        LIST => {
            let count = reader.count()?;
            let items: Option<Vec<Vec<u8>>> = (0..count).map(|_| reader.string()).collect();
            Value::List(items?.into_iter().collect())
        }
        SET => {
            let mut set = Set::new();
            for _ in 0..reader.count()? {
                set.add(&reader.string()?, rules, seed);
            }
            Value::Set(set)
        }
        HASH => {
            let mut hash = Hash::new(seed);
            for _ in 0..reader.count()? {
                let field = reader.string()?;
                hash.set(&field, reader.string()?);
            }
            Value::Hash(hash)
        }
        ZSET => {
            let mut zset = Zset::default();
            for _ in 0..reader.count()? {
                let member = reader.string()?;
                let score = f64::from_le_bytes(reader.take(8)?.try_into().ok()?);
                zset.set(&member, Some(score).filter(|score| !score.is_nan())?);
            }
            Value::Zset(zset)
        }
        INTSET => {
            let bytes = reader.string()?;
            let width = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
            if !matches!(width, 2 | 4 | 8) {
                return None;
            }
            let mut set = Set::new();
            for chunk in bytes.get(8..)?.chunks_exact(width) {
                let mut wide = [if chunk[width - 1] & 0x80 != 0 { 0xff } else { 0 }; 8];
                wide[..width].copy_from_slice(chunk);
                set.add(i64::from_le_bytes(wide).to_string().as_bytes(), rules, seed);
            }
            Value::Set(set)
        }
        HASH_LISTPACK => {
            let items = unpack(&reader.string()?)?;
            let mut hash = Hash::new(seed);
            for pair in items.chunks_exact(2) {
                hash.set(&pair[0], pair[1].clone());
            }
            Value::Hash(hash)
        }
        ZSET_LISTPACK => {
            let items = unpack(&reader.string()?)?;
            let mut zset = Zset::default();
            for pair in items.chunks_exact(2) {
                zset.set(&pair[0], crate::redis::engine::float(&pair[1])?);
            }
            Value::Zset(zset)
        }
        SET_LISTPACK => {
            let mut set = Set::new();
            for member in unpack(&reader.string()?)? {
                set.add(&member, rules, seed);
            }
            Value::Set(set)
        }
        QUICKLIST => {
            let mut list = List::default();
            for _ in 0..reader.count()? {
                let container = reader.length()?.ok()?;
                let node = reader.string()?;
                match container {
                    1 => list.push(node, false),
                    2 => unpack(&node)?.into_iter().for_each(|item| list.push(item, false)),
                    _ => return None,
                }
            }
            Value::List(list)
        }
        _ => return None,
    };
    (reader.0.is_empty() && !loaded.vanishes()).then_some(loaded)
}

/// Function libraries as FUNCTION DUMP gives them.
pub(crate) fn dump_libraries(codes: &[&[u8]], release: Release) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(LIBRARY);
        string(&mut out, code);
    }
    out.extend_from_slice(&version(release).to_le_bytes());
    let crc = crc64(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

/// Reads function libraries from a payload whose trailer was verified.
pub(crate) fn load_libraries(payload: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader(payload.get(..payload.len().checked_sub(10)?)?);
    let mut codes = Vec::new();
    while !reader.0.is_empty() {
        if reader.byte()? != LIBRARY {
            return None;
        }
        codes.push(reader.string()?);
    }
    Some(codes)
}

/// Auxiliary fields of a file: names and values.
pub(crate) type Auxiliary = Vec<(&'static str, String)>;

/// A whole file: header, fields, databases, checksum.
pub(crate) fn file<'a>(
    release: Release,
    rules: Encoding,
    auxiliary: &Auxiliary,
    databases: impl Iterator<Item = (usize, Vec<(&'a [u8], &'a Entry)>)>,
) -> Vec<u8> {
    let mut out = format!("REDIS{:04}", version(release)).into_bytes();
    for (name, text) in auxiliary {
        out.push(0xfa);
        string(&mut out, name.as_bytes());
        string(&mut out, text.as_bytes());
    }
    for (number, entries) in databases {
        out.push(0xfe);
        length(&mut out, number);
        out.push(0xfb);
        length(&mut out, entries.len());
        length(&mut out, entries.iter().filter(|(_, entry)| entry.expires.is_some()).count());
        for (key, entry) in entries {
            if let Some(at) = entry.expires {
                out.push(0xfc);
                out.extend_from_slice(&at.to_le_bytes());
            }
            let from = out.len();
            value(&mut out, &entry.value, release, rules);
            // The key stands between type and value.
            let rest = out.split_off(from + 1);
            string(&mut out, key);
            out.extend_from_slice(&rest);
        }
    }
    out.push(0xff);
    let crc = crc64(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Encoding =
        Encoding { listpack: true, packs_sets: false, hash: (512, 64), intset: 512, zset: (128, 64) };
    const RELEASE: Release = Release(7, 0, 15);

    #[test]
    fn a_list_is_dumped_as_the_product_does() {
        // `LPUSH l a b c`, `DUMP l` on redis-server 7.0.15.
        let list: List = ["c", "b", "a"].iter().map(|item| item.as_bytes().to_vec()).collect();
        let expected = b"\x12\x01\x02\x10\x10\x00\x00\x00\x03\x00\x81c\x02\x81b\x02\x81a\x02\xff\n\x008\xf8\xc2h\xc0M\x88\xb6";
        assert_eq!(dump(&Value::List(list), RELEASE, RULES), expected);
    }

    #[test]
    fn every_type_comes_back() {
        let mut hash = Hash::new(1);
        let mut big = Hash::new(1);
        let mut zset = Zset::default();
        let mut set = Set::new();
        let mut integers = Set::new();
        for i in 0..200i64 {
            big.set(format!("f{i}").as_bytes(), vec![b'v'; i as usize]);
            zset.set(format!("m{i}").as_bytes(), i as f64 / 3.0);
            set.add(format!("s{i}").as_bytes(), RULES, 1);
            integers.add((i * 1_000_003 - 77).to_string().as_bytes(), RULES, 1);
        }
        for text in ["-1", "127", "4095", "-4096", "40000", "-8388608", "2147483648", "x", ""] {
            hash.set(text.as_bytes(), text.repeat(3).into_bytes());
        }
        let long: Vec<Vec<u8>> = (0..600).map(|i| vec![b'a' + (i % 26) as u8; i * 3]).collect();
        let values = [
            Value::string("abcabcabcabcabcabcabcabcabcabcabc"),
            Value::string("-129"),
            Value::Hash(hash),
            Value::Hash(big),
            Value::Zset(zset),
            Value::Set(set),
            Value::Set(integers),
            Value::List(long.into_iter().collect()),
        ];
        for value in values {
            let payload = dump(&value, RELEASE, RULES);
            assert!(verify(&payload, RELEASE) && !verify(&payload, Release(3, 2, 0)));
            let loaded = load(&payload, RULES, 1).unwrap();
            assert_eq!((loaded.shape(), loaded.len()), (value.shape(), value.len()));
            assert_eq!(dump(&loaded, RELEASE, RULES).len(), payload.len());
        }
    }

    proptest! {
        #[test]
        fn compression_comes_back(bytes in proptest::collection::vec(0u8..4, 21..2000)) {
            if let Some(packed) = compress(&bytes) {
                prop_assert_eq!(decompress(&packed, bytes.len()).unwrap(), bytes);
            }
        }

        #[test]
        fn nothing_makes_loading_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u8..22) {
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            bytes.extend_from_slice(&[0; 10]);
            let _ = load(&bytes, RULES, 1);
            let _ = decompress(&bytes, 1000);
            let _ = unpack(&bytes);
            let _ = verify(&bytes, RELEASE);
        }
    }
}

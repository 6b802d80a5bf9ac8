//! The product's dump format: DUMP, RESTORE, and the file that SAVE and PSYNC make.

use super::listpack::{listpack, unpack};
use super::lzf::{compress, decompress};
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
        fn nothing_makes_loading_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0u8..22) {
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            bytes.extend_from_slice(&[0; 10]);
            let _ = load(&bytes, RULES, 1);
            let _ = verify(&bytes, RELEASE);
        }
    }
}

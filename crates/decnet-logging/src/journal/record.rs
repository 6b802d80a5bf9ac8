//! One line of a segment.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A SHA-256 in lower-case hexadecimal digits, as it stands in a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; Hash::LENGTH]);

impl Hash {
    /// Digits.
    pub const LENGTH: usize = 64;
    /// What stands before a journal's first line.
    pub const ZERO: Hash = Hash([b'0'; Hash::LENGTH]);

    /// The hash of a line: of the hash before, a space, and the line without its own hash.
    pub fn of(previous: &Hash, rest: &[u8]) -> Hash {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut digest = Sha256::new();
        digest.update(previous.0);
        digest.update(b" ");
        digest.update(rest);
        let mut hash = Hash::ZERO;
        for (pair, byte) in hash.0.chunks_exact_mut(2).zip(digest.finalize()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hash
    }

    /// Its digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn read(bytes: &[u8]) -> Option<Hash> {
        let digits = <[u8; Hash::LENGTH]>::try_from(bytes).ok()?;
        digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(Hash(digits))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no hash; write 64 lower-case hexadecimal digits")]
pub struct InvalidHash(pub String);

impl FromStr for Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        Hash::read(text.as_bytes()).ok_or_else(|| InvalidHash(text.to_owned()))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A segment's first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// [`Header::VERSION`].
    pub(crate) journal: u16,
    pub(crate) fleet: String,
    pub(crate) first_seq: u64,
    /// The last hash of the segment before.
    pub(crate) previous: Hash,
}

impl Header {
    pub(crate) const VERSION: u16 = 1;

    /// Reads what follows the hash. None for another version's.
    pub(crate) fn read(rest: &[u8]) -> Option<Header> {
        serde_json::from_slice(rest).ok().filter(|header: &Header| header.journal == Header::VERSION)
    }
}

/// What follows the hash in an event's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) seq: u64,
    /// Microseconds since 1970-01-01 UTC.
    pub(crate) time: i64,
    /// The length of the datagram that it was made of.
    pub(crate) bytes: u64,
    pub(crate) json: &'a [u8],
}

impl<'a> Record<'a> {
    pub(crate) fn read(rest: &'a [u8]) -> Option<Record<'a>> {
        let mut parts = rest.splitn(4, |b| *b == b' ');
        let seq = number(parts.next()?)?;
        let time = number(parts.next()?)?;
        let bytes = number(parts.next()?)?;
        let json = parts.next().filter(|json| json.first() == Some(&b'{'))?;
        Some(Record { seq, time, bytes, json })
    }
}

fn number<T: FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A line without its line feed in its hash and the rest. None where it is no line of a journal.
pub(crate) fn split(line: &[u8]) -> Option<(Hash, &[u8])> {
    let (hash, rest) = line.split_at_checked(Hash::LENGTH)?;
    Some((Hash::read(hash)?, rest.strip_prefix(b" ")?))
}

/// Appends a line, the hash computed over what `write` puts behind it. Gives the hash, or leaves `out` as it
/// was if `write` fails.
pub(crate) fn append(
    out: &mut Vec<u8>,
    previous: &Hash,
    write: impl FnOnce(&mut Vec<u8>) -> bool,
) -> Option<Hash> {
    let start = out.len();
    out.extend_from_slice(Hash::ZERO.as_bytes());
    out.push(b' ');
    let rest = out.len();
    if !write(out) {
        out.truncate(start);
        return None;
    }
    let hash = Hash::of(previous, &out[rest..]);
    out[start..start + Hash::LENGTH].copy_from_slice(hash.as_bytes());
    out.push(b'\n');
    Some(hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hash_is_what_sha256sum_says() {
        // printf '%064d %s' 0 abc | sha256sum
        assert_eq!(
            Hash::of(&Hash::ZERO, b"abc").to_string(),
            "ccb3cad955ee5974e2129ad3381d4c430d3770574c3620e62dc9409206689dd9"
        );
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let mut out = b"before".to_vec();
        let hash = append(&mut out, &Hash::ZERO, |out| {
            out.extend_from_slice(b"7 -5 2 {\"a\": 1}");
            true
        })
        .unwrap();
        assert_eq!(append(&mut out, &hash, |_| false), None);
        let line = out.strip_prefix(b"before").unwrap().strip_suffix(b"\n").unwrap();
        let (read, rest) = split(line).unwrap();
        assert_eq!(read, hash);
        assert_eq!(Record::read(rest), Some(Record { seq: 7, time: -5, bytes: 2, json: b"{\"a\": 1}" }));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(line: Vec<u8>) {
            if let Some((_, rest)) = split(&line) {
                let _ = (Record::read(rest), Header::read(rest));
            }
            let _ = (Record::read(&line), Header::read(&line));
        }
    }
}

//! Artifacts: what an intruder gave to a decoy - uploads, mail, recorded terminals - kept once, by SHA-256.
//!
//! A worker has no file system. Its services stream bytes as [`frame`]s over the same socket that their
//! reports take ([`ArtifactWriter`]); the collector hashes them itself and keeps them ([`ArtifactStore`]).
//! Nothing ever waits for the store: what finds the socket full is not kept, and its hash and size are right
//! all the same. The collector has the last word: it sets `stored` and `artifact` of an event to what it
//! really holds.

pub mod frame;
mod index;
mod open;
mod store;
mod writer;

use std::fmt;

pub(crate) use store::settle;
pub use store::{ArtifactStore, StoreError, StoreLimits, find};
pub use writer::{ArtifactWriter, Stored};

/// Bytes of one artifact (service book, rule 21). What is longer is hashed and counted, not kept.
pub const FILE_LIMIT: u64 = 32 * 1024 * 1024;

/// Bytes of one chunk: two fit in the quarter of a default log socket (208 KiB) that artifacts may fill.
pub const CHUNK_LIMIT: usize = 16 * 1024;

/// A SHA-256. Text form: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Digest {
    /// Reads the text form; nothing else is one, so a digest never leads out of the store.
    pub fn parse(text: &str) -> Option<Digest> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            let value = |digit: u8| if digit <= b'9' { digit - b'0' } else { digit - b'a' + 10 };
            *byte = value(pair[0]) << 4 | value(pair[1]);
        }
        Some(Digest(digest))
    }
}

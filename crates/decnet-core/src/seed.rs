//! Every value that looks random and must come out the same again is drawn from a [`Seed`].
//!
//! A seed is 32 bytes. Deriving hashes it with a path of labels, so two purposes never share bytes and
//! adding a new purpose leaves the old ones as they were. The fleet's seed comes from the number the user
//! gave (or that was drawn once and stored); a decky's seed is derived from it and the decky's name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The root of a tree of derived values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// The fleet's root, from the number behind `--seed`.
    pub fn from_number(number: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"fleet seed 1");
        hash.update(number.to_be_bytes());
        Seed(hash.finalize().into())
    }

    /// A seed for one purpose. Labels are length-prefixed, so `["ab", "c"]` and `["a", "bc"]` differ.
    #[must_use]
    pub fn derive(&self, labels: &[&str]) -> Seed {
        let mut hash = Sha256::new();
        hash.update(self.0);
        for label in labels {
            hash.update((label.len() as u64).to_be_bytes());
            hash.update(label.as_bytes());
        }
        Seed(hash.finalize().into())
    }

    /// A stream of values for one purpose.
    pub fn draw(&self, labels: &[&str]) -> Draw {
        Draw { key: self.derive(labels).0, block: [0; 32], counter: 0, used: 32 }
    }

    /// The raw 32 bytes, for key derivation.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    /// Names the type only: a seed is the secret from which a decky's keys are made.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

impl Serialize for Seed {
    /// 64 lower-case hexadecimal digits.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(D::Error::custom("a seed is 64 hexadecimal digits"));
        }
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(D::Error::custom)?;
            *byte = u8::from_str_radix(pair, 16).map_err(D::Error::custom)?;
        }
        Ok(Seed(bytes))
    }
}

/// An endless stream of derived bytes: SHA-256 of key and counter. It is used for choices and for key
/// material alike, so it is a cryptographic generator although nothing here needs speed.
#[derive(Clone)]
pub struct Draw {
    key: [u8; 32],
    block: [u8; 32],
    counter: u64,
    used: usize,
}

impl Draw {
    /// Fills `buffer` with the next bytes.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            if self.used == self.block.len() {
                let mut hash = Sha256::new();
                hash.update(self.key);
                hash.update(self.counter.to_be_bytes());
                self.block = hash.finalize().into();
                self.counter += 1;
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A uniform number.
    pub fn number(&mut self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }

    /// A uniform number below `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // Rejection keeps it uniform; for the small bounds used here the loop ends at once.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let number = self.number();
            if number < limit {
                return number % bound;
            }
        }
    }

    /// A uniform number from `low` to `high`, both included. `low` must not exceed `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        debug_assert!(low <= high, "{low} exceeds {high}");
        low + self.below((high - low).saturating_add(1))
    }

    /// One of `choices`, or nothing where there are none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        if choices.is_empty() {
            return None;
        }
        choices.get(self.below(choices.len() as u64) as usize)
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(i as u64 + 1) as usize;
            items.swap(i, j);
        }
    }

    /// `length` characters, each one of `alphabet` (ASCII).
    pub fn text(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length).filter_map(|_| self.pick(alphabet).map(|byte| char::from(*byte))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_path_gives_the_same_stream() {
        let seed = Seed::from_number(7);
        assert_eq!(seed.draw(&["a"]).bytes::<40>(), seed.draw(&["a"]).bytes::<40>());
        assert_ne!(seed.draw(&["a"]).number(), seed.draw(&["b"]).number());
        assert_ne!(seed.derive(&["ab", "c"]), seed.derive(&["a", "bc"]));
        assert_ne!(Seed::from_number(7), Seed::from_number(8));
    }

    #[test]
    fn below_stays_below() {
        let mut draw = Seed::from_number(1).draw(&["t"]);
        for bound in [1, 2, 3, 10, 1 << 40] {
            for _ in 0..200 {
                assert!(draw.below(bound) < bound);
            }
        }
        assert_eq!(draw.below(0), 0);
    }

    #[test]
    fn survives_serialization() {
        let seed = Seed::from_number(3);
        let text = serde_json::to_string(&seed).unwrap();
        assert_eq!(serde_json::from_str::<Seed>(&text).unwrap(), seed);
        assert_eq!(format!("{seed:?}"), "Seed(..)");
    }
}

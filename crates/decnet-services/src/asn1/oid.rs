//! Object identifiers.

use std::fmt;
use std::str::FromStr;

use super::Error;

/// The longest object identifier that SNMP allows (RFC 3416 section 4.1), and that we read at all.
pub const MAX_ARCS: usize = 128;

/// An object identifier. The order is the lexicographic one of its numbers, as a MIB walk needs it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid(Vec<u32>);

/// Text that is no object identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an object identifier; write numbers with dots, such as 1.3.6.1.2.1")]
pub struct ParseOidError(pub String);

impl Oid {
    /// From its numbers.
    pub fn new(arcs: &[u32]) -> Oid {
        Oid(arcs.to_vec())
    }

    /// Its numbers.
    pub fn arcs(&self) -> &[u32] {
        &self.0
    }

    /// This one with more numbers behind it.
    #[must_use]
    pub fn with(&self, arcs: &[u32]) -> Oid {
        let mut all = Vec::with_capacity(self.0.len() + arcs.len());
        all.extend_from_slice(&self.0);
        all.extend_from_slice(arcs);
        Oid(all)
    }

    /// Whether it lies below `root` or is it.
    pub fn is_below(&self, root: &[u32]) -> bool {
        self.0.starts_with(root)
    }

    /// Reads the contents of an element (X.690 section 8.19). Contents of zero bytes give the empty
    /// identifier, which some agents send for 0.0.
    ///
    /// # Errors
    /// A number above 32 bits, an unfinished number, more than [`MAX_ARCS`] numbers.
    pub fn from_contents(contents: &[u8]) -> Result<Oid, Error> {
        let mut arcs = Vec::with_capacity(contents.len().min(MAX_ARCS) + 1);
        let mut rest = contents.iter();
        let mut number: u64 = 0;
        let mut unfinished = false;
        for byte in &mut rest {
            number = (number << 7) | u64::from(byte & 0x7f);
            if number > u64::from(u32::MAX) + 80 {
                return Err(Error::BadOid);
            }
            unfinished = byte & 0x80 != 0;
            if unfinished {
                continue;
            }
            if arcs.is_empty() {
                // The first byte holds two numbers; only below 2 can the second exceed 39.
                let first = (number / 40).min(2);
                arcs.push(first as u32);
                number -= first * 40;
            }
            arcs.push(u32::try_from(number).map_err(|_| Error::BadOid)?);
            if arcs.len() > MAX_ARCS {
                return Err(Error::BadOid);
            }
            number = 0;
        }
        if unfinished { Err(Error::BadOid) } else { Ok(Oid(arcs)) }
    }

    /// Appends the contents of an element. Identifiers of fewer than two numbers are filled up with 0.
    pub fn write_contents(&self, out: &mut Vec<u8>) {
        let first = self.0.first().copied().unwrap_or(0);
        let second = self.0.get(1).copied().unwrap_or(0);
        push_base128(out, u64::from(first) * 40 + u64::from(second));
        for arc in self.0.iter().skip(2) {
            push_base128(out, u64::from(*arc));
        }
    }
}

fn push_base128(out: &mut Vec<u8>, number: u64) {
    let bits = 64 - number.leading_zeros().min(63);
    let groups = bits.div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let bits = (number >> (group * 7)) as u8 & 0x7f;
        out.push(if group == 0 { bits } else { bits | 0x80 });
    }
}

impl fmt::Display for Oid {
    /// `1.3.6.1.2.1`, without a leading dot.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, arc) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Oid {
    type Err = ParseOidError;

    /// Reads `1.3.6.1` and `.1.3.6.1`.
    fn from_str(text: &str) -> Result<Oid, ParseOidError> {
        let invalid = || ParseOidError(text.to_owned());
        let trimmed = text.trim();
        let bare = trimmed.strip_prefix('.').unwrap_or(trimmed);
        let arcs: Vec<u32> = bare
            .split('.')
            .map(|part| if part.starts_with('+') { None } else { part.parse().ok() })
            .collect::<Option<_>>()
            .ok_or_else(invalid)?;
        let first = arcs.first().copied().unwrap_or(0);
        let second = arcs.get(1).copied().unwrap_or(0);
        if arcs.len() < 2 || arcs.len() > MAX_ARCS || first > 2 || (first < 2 && second > 39) {
            return Err(invalid());
        }
        Ok(Oid(arcs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_a_real_one() {
        let oid: Oid = ".1.3.6.1.4.1.8072.3.2.10".parse().unwrap();
        let mut out = Vec::new();
        oid.write_contents(&mut out);
        assert_eq!(out, b"\x2b\x06\x01\x04\x01\xbf\x08\x03\x02\x0a");
        assert_eq!(Oid::from_contents(&out).unwrap(), oid);
        assert_eq!(oid.to_string(), "1.3.6.1.4.1.8072.3.2.10");
    }

    #[test]
    fn order_is_that_of_a_walk() {
        let oid = |text: &str| text.parse::<Oid>().unwrap();
        assert!(oid("1.3.6.1.2.1.2") < oid("1.3.6.1.2.1.10"));
        assert!(oid("1.3.6") < oid("1.3.6.1"));
    }

    #[test]
    fn what_is_none() {
        for text in ["", ".", "1", "1.", "1.x", "3.1", "1.40", "1.+3", "1.4294967296"] {
            assert!(text.parse::<Oid>().is_err(), "{text}");
        }
        assert_eq!(Oid::from_contents(b"\x2b\x86"), Err(Error::BadOid));
        assert_eq!(Oid::from_contents(b"\x2b\x9f\xff\xff\xff\xff\x7f"), Err(Error::BadOid));
        assert_eq!(Oid::from_contents(&[1; 200]), Err(Error::BadOid));
        assert!(Oid::from_contents(b"").unwrap().arcs().is_empty());
    }
}

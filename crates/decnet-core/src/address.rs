//! Link-layer addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An IEEE 802 48-bit address. Text form: six lower-case hexadecimal pairs joined by colons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// Text that is not a MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a MAC address; write six hexadecimal pairs such as 00:1b:21:3a:4f:07")]
pub struct InvalidMacAddress(pub String);

impl MacAddress {
    /// The six octets, first transmitted first.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The organisationally unique identifier: the vendor's three octets.
    pub const fn oui(self) -> [u8; 3] {
        [self.0[0], self.0[1], self.0[2]]
    }

    /// Whether the group bit is set, which no host's own address may have.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether the address is locally administered rather than assigned by a vendor.
    pub const fn is_local(self) -> bool {
        self.0[0] & 2 != 0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddress {
    type Err = InvalidMacAddress;

    /// Reads pairs joined by `:` or `-`, in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidMacAddress(text.to_owned());
        let mut octets = [0u8; 6];
        let mut parts = text.split([':', '-']);
        for octet in &mut octets {
            let part = parts.next().ok_or_else(invalid)?;
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
        }
        if parts.next().is_some() {
            return Err(invalid());
        }
        Ok(MacAddress(octets))
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MacAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        let mac: MacAddress = "00:1B:21:3a:4f:07".parse().unwrap();
        assert_eq!(mac.to_string(), "00:1b:21:3a:4f:07");
        assert_eq!("00-1b-21-3a-4f-07".parse::<MacAddress>().unwrap(), mac);
        assert_eq!(mac.oui(), [0x00, 0x1b, 0x21]);
    }

    #[test]
    fn wrong_text_is_named() {
        for text in ["", "00:1b:21:3a:4f", "00:1b:21:3a:4f:07:08", "0:1b:21:3a:4f:07", "zz:1b:21:3a:4f:07"] {
            assert_eq!(text.parse::<MacAddress>(), Err(InvalidMacAddress(text.to_owned())));
        }
    }
}

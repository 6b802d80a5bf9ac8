//! What a service is, as far as planning goes: its name, ports and persona keys.
//!
//! The servers live in `decnet-services`, above this crate; they describe themselves with these types, and
//! whoever resolves a request passes the descriptors in. So planning knows every service without depending
//! on one.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::identity::{Identity, OsFamily};

/// The transport of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        })
    }
}

/// A port that a service answers on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// Whether TLS starts with the first byte.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tls: bool,
}

impl Port {
    /// A plain TCP port.
    pub const fn tcp(number: u16) -> Port {
        Port { number, transport: Transport::Tcp, tls: false }
    }

    /// A TCP port that speaks TLS from the first byte.
    pub const fn tls(number: u16) -> Port {
        Port { number, transport: Transport::Tcp, tls: true }
    }

    /// A UDP port.
    pub const fn udp(number: u16) -> Port {
        Port { number, transport: Transport::Udp, tls: false }
    }

    /// Whether two services that ask for these could not share a host.
    pub fn clashes_with(self, other: Port) -> bool {
        self.number == other.number && self.transport == other.transport
    }
}

impl fmt::Display for Port {
    /// `80`, `443 (TLS)`, `161/udp`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)?;
        if self.transport == Transport::Udp {
            f.write_str("/udp")?;
        }
        if self.tls {
            f.write_str(" (TLS)")?;
        }
        Ok(())
    }
}

/// What a persona key accepts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KeyKind {
    /// Any text; it goes on the wire as it is.
    Text,
    /// A whole number within bounds, both included.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// `yes`/`no`, `true`/`false`, `on`/`off`, `1`/`0`.
    Boolean,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// `user:password,user:password`; empty lets nobody in. A password may hold a colon.
    Credentials,
    /// Words separated by commas.
    List,
    /// A JSON value.
    Json,
    /// A path on the machine that deploys.
    Path,
}

impl KeyKind {
    /// Checks a value as the user wrote it.
    ///
    /// # Errors
    /// What is wrong with it, as the second half of a sentence: "is not a number from 1 to 6".
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self {
            KeyKind::Text | KeyKind::List | KeyKind::Path => Ok(()),
            KeyKind::Integer { min, max } => match value.trim().parse::<i64>() {
                Ok(number) if (*min..=*max).contains(&number) => Ok(()),
                _ => Err(format!("is not a whole number from {min} to {max}")),
            },
            KeyKind::Boolean => match parse_bool(value) {
                Some(_) => Ok(()),
                None => Err("is neither yes nor no".to_owned()),
            },
            KeyKind::OneOf(words) => {
                if words.contains(&value.trim()) {
                    Ok(())
                } else {
                    Err(format!("is none of {}", words.join(", ")))
                }
            }
            KeyKind::Credentials => match parse_credentials(value) {
                Ok(_) => Ok(()),
                Err(entry) => Err(format!("holds `{entry}`, which is not user:password")),
            },
            KeyKind::Json => match serde_json::from_str::<serde_json::Value>(value) {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("is not JSON: {error}")),
            },
        }
    }

    /// The kind in a word or two, for tables.
    pub fn describe(&self) -> String {
        match self {
            KeyKind::Text => "text".to_owned(),
            KeyKind::Integer { min, max } => format!("{min} to {max}"),
            KeyKind::Boolean => "yes or no".to_owned(),
            KeyKind::OneOf(words) => words.join(", "),
            KeyKind::Credentials => "user:password, …".to_owned(),
            KeyKind::List => "list".to_owned(),
            KeyKind::Json => "JSON".to_owned(),
            KeyKind::Path => "path".to_owned(),
        }
    }
}

/// Reads a yes or no as [`KeyKind::Boolean`] accepts it.
pub fn parse_bool(value: &str) -> Option<bool> {
    match value.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Some(true),
        "no" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Reads `user:password,user:password` as [`KeyKind::Credentials`] accepts it.
///
/// # Errors
/// The first entry that is not of that form.
pub fn parse_credentials(value: &str) -> Result<Vec<(String, String)>, String> {
    value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| match entry.split_once(':') {
            Some((user, password)) if !user.is_empty() => Ok((user.to_owned(), password.to_owned())),
            _ => Err(entry.to_owned()),
        })
        .collect()
}

/// A key of `[name.service]`.
#[derive(Clone, Copy, Debug)]
pub struct PersonaKey {
    /// As written in the config.
    pub name: &'static str,
    /// Other spellings that mean the same.
    pub aliases: &'static [&'static str],
    /// What it accepts.
    pub kind: KeyKind,
    /// Where the value comes from when the key is not set, in a few words.
    pub default: &'static str,
    /// What it changes on the wire, in one sentence.
    pub doc: &'static str,
}

/// The persona values of one service of one decky: only what the user set, by canonical key name.
pub type PersonaValues = BTreeMap<String, String>;

/// What planning knows of a service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceDescriptor {
    /// The name in `services=`.
    pub slug: &'static str,
    /// What it is, for tables.
    pub role: &'static str,
    /// Every port it may answer on.
    pub ports: &'static [Port],
    /// Its persona keys, the documented ones first.
    pub keys: &'static [PersonaKey],
    /// The OS families that have a coherent persona for it.
    pub families: &'static [OsFamily],
    /// Ports that it leaves to another service of the same decky, which then speaks for both.
    pub yields: &'static [(&'static str, Port)],
    /// Narrows [`Self::ports`] to those that this persona has. `None`: always all of them.
    pub narrow: Option<fn(&Identity, &PersonaValues) -> Vec<Port>>,
    /// The image of its container: `None` for our own binary on the decky's build base.
    pub image: Option<&'static str>,
}

impl ServiceDescriptor {
    /// The key of that name or alias.
    pub fn key(&self, name: &str) -> Option<&'static PersonaKey> {
        self.keys.iter().find(|key| key.name == name || key.aliases.contains(&name))
    }

    /// The ports that this decky's instance answers on.
    pub fn ports_for(&self, identity: &Identity, persona: &PersonaValues) -> Vec<Port> {
        match self.narrow {
            Some(narrow) => narrow(identity, persona),
            None => self.ports.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_read_as_in_the_tables() {
        assert_eq!(Port::tcp(80).to_string(), "80");
        assert_eq!(Port::tls(443).to_string(), "443 (TLS)");
        assert_eq!(Port::udp(161).to_string(), "161/udp");
        assert!(Port::tcp(443).clashes_with(Port::tls(443)));
        assert!(!Port::tcp(5060).clashes_with(Port::udp(5060)));
    }

    #[test]
    fn credentials_may_be_empty_and_hold_colons() {
        assert_eq!(parse_credentials("").unwrap(), vec![]);
        assert_eq!(
            parse_credentials("root:to:or, admin:").unwrap(),
            vec![("root".into(), "to:or".into()), ("admin".into(), String::new())]
        );
        assert_eq!(parse_credentials("root"), Err("root".into()));
    }

    #[test]
    fn a_wrong_value_says_why() {
        assert_eq!(
            KeyKind::Integer { min: 1, max: 6 }.check("7").unwrap_err(),
            "is not a whole number from 1 to 6"
        );
        assert_eq!(KeyKind::OneOf(&["a", "b"]).check("c").unwrap_err(), "is none of a, b");
        assert!(KeyKind::Boolean.check("On").is_ok());
    }
}

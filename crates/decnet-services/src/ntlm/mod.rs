//! NTLM over any protocol that carries it (MS-NLMP): HTTP, SMB, RDP, TDS, LDAP, SMTP, IMAP.
//!
//! The server's half, without I/O, clock or randomness of its own. A [`Server`] holds the names and the
//! release that a decky shows; it answers a client's NEGOTIATE with an [`Exchange`], whose
//! [`Exchange::message`] is the CHALLENGE; the client's AUTHENTICATE gives an [`Authentication`]: who it
//! was, the secret as one line for a cracker, and whether a password was the right one.
//!
//! What a client says about itself is never trusted, and never refused where Windows does not: what is out
//! of range is an [`Error`] that the service answers as its product does.
//!
//! The password is never sent, so a hash is all there is. NTLMv2 responses come as hashcat's mode 5600,
//! NTLMv1 ones, with or without a client's challenge, as its mode 5500, and the responses of LAN Manager,
//! which hashcat has no mode for, as john's `netlm`.
//!
//! ```
//! use decnet_services::ntlm::{Names, Release, Server, Version};
//!
//! let names = Names::of_computer("SRV-APP-01", "SRV-APP-01");
//! let version = Version { major: 10, minor: 0, build: 17763 };
//! let server = Server::new(names, Release::Windows(version));
//! // The opening of a scanner: no names, Unicode, target wanted.
//! let negotiate = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
//! let exchange = server.challenge(negotiate, [1, 2, 3, 4, 5, 6, 7, 8], 1_795_176_000_000_000)?;
//! assert!(exchange.message().starts_with(b"NTLMSSP\0\x02"));
//! # Ok::<(), decnet_services::ntlm::Error>(())
//! ```

mod authentication;
mod crypto;
mod message;

use decnet_core::identity::{Identity, OsFamily};

pub use authentication::{Authentication, Response};
use message::{Authenticate, Challenge};
pub use message::{Blob, MAX_MESSAGE, Negotiate, SIGNATURE, flags, message_type};

/// Microseconds between 1601 and 1970.
const FILETIME_EPOCH: i64 = 11_644_473_600_000_000;

/// Why a message could not be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not begin with NTLM's signature.
    #[error("not an NTLM message")]
    NotNtlm,
    /// It is another message than the one that is due.
    #[error("an NTLM message of type {found} where type {wanted} is due")]
    WrongType {
        /// What it is.
        found: u32,
        /// What is due.
        wanted: u32,
    },
    /// It ends before its fixed part does.
    #[error("an NTLM message of {length} bytes ends too early")]
    Truncated {
        /// Its bytes.
        length: usize,
    },
    /// It is longer than any client's.
    #[error("an NTLM message of {length} bytes; at most {MAX_MESSAGE} are read")]
    TooLong {
        /// Its bytes.
        length: usize,
    },
    /// A field points outside of it.
    #[error("the {field} of {length} bytes at {offset} lies outside of the NTLM message")]
    OutOfRange {
        /// Which.
        field: &'static str,
        /// Where it points.
        offset: usize,
        /// How much it wants.
        length: usize,
    },
    /// The client offers no character set.
    #[error("the client offers neither Unicode nor its code page (flags {flags:#010x})")]
    NoCharacterSet {
        /// What it offers.
        flags: u32,
    },
}

/// The release in a VERSION structure (section 2.2.2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major.
    pub major: u8,
    /// Minor.
    pub minor: u8,
    /// Build.
    pub build: u16,
}

impl Version {
    /// Reads `10.0.17763`; what is missing is 0.
    pub fn read(text: &str) -> Option<Version> {
        let mut parts = text.split('.');
        let major = parts.next()?.parse().ok()?;
        let minor = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        let build = parts.next().map_or(Some(0), |part| part.parse().ok())?;
        Some(Version { major, minor, build })
    }
}

impl std::fmt::Display for Version {
    /// `10.0.17763`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// Whose NTLM it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Windows: its version is in every challenge.
    Windows(Version),
    /// Samba: version 6.1.0 for those who ask (`auth/ntlmssp/ntlmssp_server.c`).
    Samba,
}

/// The names in a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The NetBIOS name of the computer.
    pub netbios_computer: String,
    /// The NetBIOS name of its domain; its own one where it is in none.
    pub netbios_domain: String,
    /// The DNS name of the computer.
    pub dns_computer: String,
    /// The DNS name of its domain; its own one where it is in none (Windows).
    pub dns_domain: String,
    /// The DNS name of the forest; only of a member of one.
    pub dns_tree: Option<String>,
    /// Whether it is a member of a domain, so that the target is the domain.
    pub joined: bool,
}

impl Names {
    /// Those of a Windows computer in no domain, which is its own domain.
    pub fn of_computer(netbios: &str, dns: &str) -> Names {
        Names {
            netbios_computer: netbios.to_owned(),
            netbios_domain: netbios.to_owned(),
            dns_computer: dns.to_owned(),
            dns_domain: dns.to_owned(),
            dns_tree: None,
            joined: false,
        }
    }

    /// Those of a decky.
    pub fn of(identity: &Identity) -> Names {
        let names = &identity.names;
        if names.joined {
            return Names {
                netbios_computer: names.netbios.clone(),
                netbios_domain: names.netbios_domain.clone(),
                dns_computer: format!("{}.{}", names.hostname, names.domain),
                dns_domain: names.domain.clone(),
                dns_tree: (identity.os.family == OsFamily::Windows).then(|| names.domain.clone()),
                joined: true,
            };
        }
        let mut alone = Names::of_computer(&names.netbios, &names.hostname);
        if identity.os.family != OsFamily::Windows {
            // Samba: lower case names, and the DNS domain of /etc/hosts.
            alone.dns_computer.clone_from(&names.fqdn);
            alone.dns_domain.clone_from(&names.domain);
        }
        alone
    }

    /// What a client is to authenticate to: the domain, or the computer.
    fn target(&self) -> &str {
        if self.joined { &self.netbios_domain } else { &self.netbios_computer }
    }
}

/// What a decky says of itself in every challenge.
#[derive(Clone, Debug)]
pub struct Server {
    names: Names,
    release: Release,
}

impl Server {
    /// With these names and this release.
    pub fn new(names: Names, release: Release) -> Server {
        Server { names, release }
    }

    /// As the decky's system shows itself: Windows with its build, Samba elsewhere.
    pub fn of(identity: &Identity) -> Server {
        let release = match (identity.os.family, Version::read(&identity.os.version)) {
            (OsFamily::Windows, Some(version)) => Release::Windows(version),
            _ => Release::Samba,
        };
        Server::new(Names::of(identity), release)
    }

    /// The names.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Answers a NEGOTIATE message. `nonce` must be fresh; `now` is in microseconds since 1970.
    ///
    /// # Errors
    /// The message is none, or offers no character set.
    pub fn challenge(&self, negotiate: &[u8], nonce: [u8; 8], now: i64) -> Result<Exchange, Error> {
        let client = Negotiate::read(negotiate)?;
        let flags = self.agree(client.flags)?;
        let version = (flags & flags::VERSION != 0).then_some(match self.release {
            Release::Windows(version) => version,
            Release::Samba => Version { major: 6, minor: 1, build: 0 },
        });
        let filetime = u64::try_from(now.saturating_add(FILETIME_EPOCH).saturating_mul(10)).unwrap_or(0);
        let message = Challenge { flags, nonce, names: &self.names, version, filetime }.write();
        Ok(Exchange { client, negotiate: negotiate.to_vec(), message, nonce, flags })
    }

    /// The flags of the challenge (section 3.2.5.1.1, and what Windows 7 to Server 2022 answer).
    fn agree(&self, offered: u32) -> Result<u32, Error> {
        let mut flags = flags::NTLM | flags::REQUEST_TARGET & offered;
        // Unicode goes before the code page, and is then the only one.
        flags |= match (offered & flags::UNICODE, offered & flags::OEM) {
            (0, 0) => return Err(Error::NoCharacterSet { flags: offered }),
            (0, _) => flags::OEM,
            (_, _) => flags::UNICODE,
        };
        let echoed = flags::SIGN
            | flags::SEAL
            | flags::DATAGRAM
            | flags::ALWAYS_SIGN
            | flags::IDENTIFY
            | flags::KEY_128
            | flags::KEY_EXCHANGE
            | flags::KEY_56;
        flags |= offered & echoed;
        // The key of LAN Manager only where nothing better was offered.
        flags |= match offered & flags::EXTENDED_SESSION_SECURITY {
            0 => offered & flags::LM_KEY,
            better => better,
        };
        if flags & flags::REQUEST_TARGET != 0 {
            let joined = self.names.joined;
            flags |= if joined { flags::TARGET_TYPE_DOMAIN } else { flags::TARGET_TYPE_SERVER };
        }
        if offered & (flags::REQUEST_TARGET | flags::EXTENDED_SESSION_SECURITY | flags::TARGET_INFO) != 0 {
            flags |= flags::TARGET_INFO;
        }
        // Windows gives its version unasked, since Vista; Samba to those who give theirs.
        flags |= match self.release {
            Release::Windows(_) => flags::VERSION,
            Release::Samba => offered & flags::VERSION,
        };
        Ok(flags)
    }
}

/// A challenge that waits for its answer. Belongs to one connection.
#[derive(Clone, Debug)]
pub struct Exchange {
    client: Negotiate,
    negotiate: Vec<u8>,
    message: Vec<u8>,
    nonce: [u8; 8],
    flags: u32,
}

impl Exchange {
    /// The CHALLENGE message.
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    /// What the client opened with.
    pub fn client(&self) -> &Negotiate {
        &self.client
    }

    /// Reads the client's AUTHENTICATE message.
    ///
    /// # Errors
    /// The message is none, or a field lies outside of it.
    pub fn authenticate(&self, bytes: &[u8]) -> Result<Authentication, Error> {
        let read = Authenticate::read(bytes, self.flags)?;
        let with_code = Authentication::new(&read, self.nonce);
        Ok(with_code.integrity(bytes, &[&self.negotiate, &self.message]))
    }
}

#[cfg(test)]
mod tests;

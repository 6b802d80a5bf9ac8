//! The three messages as bytes (MS-NLMP section 2.2.1).

use super::crypto::utf16;
use super::{Error, Names, Version};

/// What every message begins with.
pub const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// The longest message that is read. Windows itself refuses tokens above 2888 bytes; clients that add
/// channel bindings and long target names stay well below this.
pub const MAX_MESSAGE: usize = 8 * 1024;
/// The most target information pairs that are read.
const MAX_PAIRS: usize = 64;

/// NegotiateFlags (section 2.2.2.5).
pub mod flags {
    /// Names are UTF-16.
    pub const UNICODE: u32 = 0x0000_0001;
    /// Names are in the machine's own code page.
    pub const OEM: u32 = 0x0000_0002;
    /// The client wants the target's name.
    pub const REQUEST_TARGET: u32 = 0x0000_0004;
    /// Messages will be signed.
    pub const SIGN: u32 = 0x0000_0010;
    /// Messages will be sealed.
    pub const SEAL: u32 = 0x0000_0020;
    /// Datagrams.
    pub const DATAGRAM: u32 = 0x0000_0040;
    /// The session key of LAN Manager.
    pub const LM_KEY: u32 = 0x0000_0080;
    /// NTLM.
    pub const NTLM: u32 = 0x0000_0200;
    /// The client has no name.
    pub const ANONYMOUS: u32 = 0x0000_0800;
    /// A dummy signature at least.
    pub const ALWAYS_SIGN: u32 = 0x0000_8000;
    /// The target's name is a domain.
    pub const TARGET_TYPE_DOMAIN: u32 = 0x0001_0000;
    /// The target's name is a server.
    pub const TARGET_TYPE_SERVER: u32 = 0x0002_0000;
    /// NTLM2 session security, and the v1 response with a client's challenge in it.
    pub const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    /// The token is for identification only.
    pub const IDENTIFY: u32 = 0x0010_0000;
    /// Target information is there.
    pub const TARGET_INFO: u32 = 0x0080_0000;
    /// A version is there.
    pub const VERSION: u32 = 0x0200_0000;
    /// Keys of 128 bits.
    pub const KEY_128: u32 = 0x2000_0000;
    /// The client sends a session key.
    pub const KEY_EXCHANGE: u32 = 0x4000_0000;
    /// Keys of 56 bits.
    pub const KEY_56: u32 = 0x8000_0000;
}

/// Identifiers of target information (section 2.2.2.1).
mod pair {
    pub(super) const END: u16 = 0;
    pub(super) const COMPUTER: u16 = 1;
    pub(super) const DOMAIN: u16 = 2;
    pub(super) const DNS_COMPUTER: u16 = 3;
    pub(super) const DNS_DOMAIN: u16 = 4;
    pub(super) const DNS_TREE: u16 = 5;
    pub(super) const FLAGS: u16 = 6;
    pub(super) const TIMESTAMP: u16 = 7;
    pub(super) const TARGET_NAME: u16 = 9;
}

/// What a client opens with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiate {
    /// What it offers.
    pub flags: u32,
    /// Its domain, where it says so; in its own code page.
    pub domain: Vec<u8>,
    /// Its name, where it says so; in its own code page.
    pub workstation: Vec<u8>,
    /// Its release, where it says so.
    pub version: Option<Version>,
}

/// What a client answers to a challenge, as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authenticate<'a> {
    pub(super) flags: u32,
    pub(super) lm: &'a [u8],
    pub(super) nt: &'a [u8],
    pub(super) domain: &'a [u8],
    pub(super) user: &'a [u8],
    pub(super) workstation: &'a [u8],
    pub(super) session_key: &'a [u8],
    pub(super) version: Option<Version>,
}

/// The type in a message's head: 1, 2 or 3 where it is one of NTLM's.
pub fn message_type(bytes: &[u8]) -> Option<u32> {
    if bytes.starts_with(SIGNATURE) { number(bytes, 8) } else { None }
}

fn head(bytes: &[u8], wanted: u32) -> Result<(), Error> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Error::TooLong { length: bytes.len() });
    }
    match message_type(bytes) {
        Some(found) if found == wanted => Ok(()),
        Some(found) => Err(Error::WrongType { found, wanted }),
        None => Err(Error::NotNtlm),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn version(bytes: &[u8], at: usize) -> Option<Version> {
    let bytes = bytes.get(at..at + 8)?;
    Some(Version { major: bytes[0], minor: bytes[1], build: u16::from_le_bytes([bytes[2], bytes[3]]) })
}

/// A length and an offset, and what they point at. Fields may overlap, as those of some clients do.
fn field<'a>(bytes: &'a [u8], at: usize, name: &'static str) -> Result<&'a [u8], Error> {
    let fixed = bytes.get(at..at + 8).ok_or(Error::Truncated { length: bytes.len() })?;
    let length = usize::from(u16::from_le_bytes([fixed[0], fixed[1]]));
    let offset = u32::from_le_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]) as usize;
    if length == 0 {
        return Ok(&[]);
    }
    offset.checked_add(length).and_then(|end| bytes.get(offset..end)).ok_or(Error::OutOfRange {
        field: name,
        offset,
        length,
    })
}

impl Negotiate {
    /// Reads a NEGOTIATE message (section 2.2.1.1). The names and the version are optional, as old clients
    /// end after the flags.
    ///
    /// # Errors
    /// It is none, or its flags are missing.
    pub fn read(bytes: &[u8]) -> Result<Negotiate, Error> {
        head(bytes, 1)?;
        let flags = number(bytes, 12).ok_or(Error::Truncated { length: bytes.len() })?;
        // Windows does not look at these names; neither do we refuse a message for them.
        let domain = field(bytes, 16, "domain").unwrap_or_default().to_vec();
        let workstation = field(bytes, 24, "workstation").unwrap_or_default().to_vec();
        let version = (flags & flags::VERSION != 0).then(|| version(bytes, 32)).flatten();
        Ok(Negotiate { flags, domain, workstation, version })
    }
}

impl<'a> Authenticate<'a> {
    /// Reads an AUTHENTICATE message (section 2.2.1.3). Those of Windows 9x end before the session key, those of
    /// NT 4 before the version; where flags are missing, the challenge's hold.
    pub(super) fn read(bytes: &'a [u8], challenged: u32) -> Result<Authenticate<'a>, Error> {
        head(bytes, 3)?;
        let lm = field(bytes, 12, "LM response")?;
        let nt = field(bytes, 20, "NT response")?;
        let domain = field(bytes, 28, "domain")?;
        let user = field(bytes, 36, "user")?;
        let workstation = field(bytes, 44, "workstation")?;
        // Where the fields' contents begin, the fixed part ends.
        let fixed = [12, 20, 28, 36, 44]
            .into_iter()
            .filter(|at| bytes.get(*at..*at + 2).is_some_and(|length| length != [0, 0]))
            .filter_map(|at| number(bytes, at + 4))
            .min()
            .map_or(bytes.len(), |offset| offset as usize);
        let whole = fixed >= 64 && bytes.len() >= 64;
        let flags = if whole { number(bytes, 60).unwrap_or(challenged) } else { challenged };
        let session_key = if whole { field(bytes, 52, "session key")? } else { &[] };
        let version = (fixed >= 72 && flags & flags::VERSION != 0).then(|| version(bytes, 64)).flatten();
        Ok(Authenticate { flags, lm, nt, domain, user, workstation, session_key, version })
    }
}

/// Which challenge to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Challenge<'a> {
    pub(super) flags: u32,
    pub(super) nonce: [u8; 8],
    pub(super) names: &'a Names,
    pub(super) version: Option<Version>,
    /// 100 ns since 1601.
    pub(super) filetime: u64,
}

impl Challenge<'_> {
    /// Writes a CHALLENGE message (section 2.2.1.2): the fixed part, the target's name, its information.
    pub(super) fn write(&self) -> Vec<u8> {
        let unicode = self.flags & flags::UNICODE != 0;
        let target = if self.flags & flags::REQUEST_TARGET == 0 {
            Vec::new()
        } else if unicode {
            utf16(self.names.target())
        } else {
            self.names.target().to_uppercase().into_bytes()
        };
        let information = if self.flags & flags::TARGET_INFO == 0 { Vec::new() } else { self.information() };
        let mut out = Vec::with_capacity(56 + target.len() + information.len());
        out.extend_from_slice(SIGNATURE);
        out.extend_from_slice(&2u32.to_le_bytes());
        put_field(&mut out, target.len(), 56);
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&self.nonce);
        out.extend_from_slice(&[0; 8]);
        put_field(&mut out, information.len(), 56 + target.len());
        match self.version {
            Some(Version { major, minor, build }) => {
                out.extend_from_slice(&[major, minor]);
                out.extend_from_slice(&build.to_le_bytes());
                // NTLMSSP_REVISION_W2K3, the only one there is.
                out.extend_from_slice(&[0, 0, 0, 15]);
            }
            None => out.extend_from_slice(&[0; 8]),
        }
        out.extend_from_slice(&target);
        out.extend_from_slice(&information);
        out
    }

    /// The pairs, in the order of Windows and of Samba.
    fn information(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |id: u16, value: &[u8]| {
            // Names of hosts and domains are below 256 characters.
            let length = u16::try_from(value.len()).unwrap_or(0);
            out.extend_from_slice(&id.to_le_bytes());
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&value[..usize::from(length)]);
        };
        let names = self.names;
        put(pair::DOMAIN, &utf16(&names.netbios_domain));
        put(pair::COMPUTER, &utf16(&names.netbios_computer));
        put(pair::DNS_DOMAIN, &utf16(&names.dns_domain));
        put(pair::DNS_COMPUTER, &utf16(&names.dns_computer));
        if let Some(tree) = &names.dns_tree {
            put(pair::DNS_TREE, &utf16(tree));
        }
        put(pair::TIMESTAMP, &self.filetime.to_le_bytes());
        put(pair::END, &[]);
        out
    }
}

/// Length, room, offset. What is written here is shorter than 64 KiB.
fn put_field(out: &mut Vec<u8>, length: usize, offset: usize) {
    let length = u16::try_from(length).unwrap_or(0).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&length);
    out.extend_from_slice(&u32::try_from(offset).unwrap_or(0).to_le_bytes());
}

/// What the blob of an NTLMv2 response says besides its digest (section 2.2.2.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob {
    /// The service principal that the client believes to talk to, such as `HTTP/mail.example.com`: where a
    /// relayed client was sent to.
    pub target_name: Option<String>,
    /// Whether the client says that its message carries an integrity code.
    pub integrity_code: bool,
}

impl Blob {
    /// Reads what follows the digest; what cannot be read is not there.
    pub(super) fn read(blob: &[u8]) -> Blob {
        let mut out = Blob::default();
        // Versions, reserved, time, client's challenge, reserved: 28 bytes before the pairs.
        let mut rest = blob.get(28..).unwrap_or_default();
        for _ in 0..MAX_PAIRS {
            let [a, b, c, d, after @ ..] = rest else { break };
            let (id, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
            let Some(value) = after.get(..length) else { break };
            match id {
                pair::END => break,
                pair::FLAGS => out.integrity_code = value.first().is_some_and(|flags| flags & 2 != 0),
                pair::TARGET_NAME if !value.is_empty() => out.target_name = Some(text(value, true)),
                _ => {}
            }
            rest = &after[length..];
        }
        out
    }
}

/// A name as text. A code page is not known, so bytes above 127 are taken as UTF-8, or else as Latin-1.
pub(super) fn text(bytes: &[u8], unicode: bool) -> String {
    if unicode {
        let units: Vec<u16> =
            bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
        return String::from_utf16_lossy(&units);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

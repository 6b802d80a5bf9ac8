//! Tabular Data Stream, the server's half: packets, PRELOGIN, LOGIN7, requests, tokens. Bytes in, bytes out.
//! Sections are those of MS-TDS; what no section says is marked "observed".

mod login;
mod packet;
mod prelogin;
mod request;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod types;

pub(super) use login::{Login, old_login};
pub(super) use packet::{Framed, Framer, HEADER, Message, PACKET_SIZES, Wrapping, emit, kind};
pub(super) use prelogin::{Encryption, Prelogin, Terms};
pub(super) use request::{Batch, Call, Procedure};
pub(super) use text::{utf16, utf16_lossy};
pub(super) use token::{Notice, Tokens, command};

/// Why bytes are no message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unparsed {
    /// It ends too early.
    #[error("the {0} ends too early")]
    Truncated(&'static str),
    /// A field points out of the message.
    #[error("the {0} points out of the message")]
    OutOfRange(&'static str),
    /// A data type that the protocol does not have.
    #[error("no data type {0:#04x}")]
    UnknownType(u8),
    /// A count or length that no client sends.
    #[error("the {0} is too large")]
    TooLarge(&'static str),
}

/// A version of the protocol as LOGIN7 and LOGINACK give it (section 2.2.6.4, note on TDSVersion).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TdsVersion(pub(super) u32);

impl TdsVersion {
    /// SQL Server 7.0.
    pub(super) const V7_0: TdsVersion = TdsVersion(0x7000_0000);
    /// SQL Server 2000.
    pub(super) const V7_1: TdsVersion = TdsVersion(0x7100_0001);
    /// SQL Server 2005: row counts of eight bytes, values in parts.
    pub(super) const V7_2: TdsVersion = TdsVersion(0x7209_0002);
    /// SQL Server 2008: date, time, datetime2.
    pub(super) const V7_3: TdsVersion = TdsVersion(0x730a_0003);
    /// SQL Server 2008 R2.
    pub(super) const V7_3B: TdsVersion = TdsVersion(0x730b_0003);
    /// SQL Server 2012 and later.
    pub(super) const V7_4: TdsVersion = TdsVersion(0x7400_0004);
    /// SQL Server 2022, in TLS from the first byte.
    pub(super) const V8_0: TdsVersion = TdsVersion(0x0800_0000);

    /// What server and client speak: the client's version, or the server's where that is older.
    pub(super) fn agree(client: u32, server: TdsVersion, strict: bool) -> TdsVersion {
        if strict {
            return TdsVersion::V8_0;
        }
        let known = match client >> 24 {
            0..=0x70 => TdsVersion::V7_0,
            0x71 => TdsVersion::V7_1,
            0x72 => TdsVersion::V7_2,
            0x73 if client >> 16 == 0x730a => TdsVersion::V7_3,
            0x73 => TdsVersion::V7_3B,
            _ => TdsVersion::V7_4,
        };
        known.min(server)
    }

    /// Whether it has what came with `other`.
    pub(super) fn since(self, other: TdsVersion) -> bool {
        self == TdsVersion::V8_0 || self >= other
    }
}

/// Reads integers and slices off the front.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Reader<'a> {
        Reader { rest: bytes, what }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Unparsed> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(Unparsed::Truncated(self.what))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unparsed> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(Unparsed::Truncated(self.what))?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Unparsed> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Unparsed> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Unparsed> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Unparsed> {
        self.array().map(u64::from_le_bytes)
    }
}

//! The wire (PostgreSQL manual, "Frontend/Backend Protocol"): what a client sends, read without ever failing
//! on its own; what a server sends is in `reply`.

pub(crate) mod reply;
#[cfg(test)]
mod tests;

/// `MAX_STARTUP_PACKET_LENGTH` of the product.
pub(crate) const STARTUP_LIMIT: usize = 10_000;
/// `PG_MAX_AUTH_TOKEN_LENGTH`: bytes of a message during authentication.
pub(crate) const AUTHENTICATION_LIMIT: usize = 65_535;
/// Bytes of a message of a client that is let in. The product takes 1 GB.
pub(crate) const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;
/// Parameters of one statement: what fits the count's two bytes.
const PARAMETER_LIMIT: usize = 65_535;

const CANCEL_CODE: u32 = 80_877_102;
const SSL_CODE: u32 = 80_877_103;
const GSS_CODE: u32 = 80_877_104;

/// The first message of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// SSLRequest.
    Ssl,
    /// GSSENCRequest.
    Gss,
    /// CancelRequest: the process and its key.
    Cancel { process: u32, key: Vec<u8> },
    /// A startup message.
    Startup(Startup),
}

/// A startup message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Startup {
    /// The major and the minor version of the protocol.
    pub(crate) version: (u16, u16),
    /// Names and values, in their order.
    pub(crate) parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether the list ends where the message does.
    pub(crate) whole: bool,
}

impl Startup {
    /// A parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.parameters.iter().rev().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| &value[..])
    }
}

/// The length of the opening message whose first bytes these are; `Err` where it is none that the product
/// reads on.
pub(crate) fn opening_length(head: [u8; 4]) -> Result<usize, ()> {
    let length = u32::from_be_bytes(head) as usize;
    if (8..=STARTUP_LIMIT + 4).contains(&length) { Ok(length) } else { Err(()) }
}

/// Reads an opening message, without its length.
pub(crate) fn opening(body: &[u8]) -> Option<Opening> {
    let (code, rest) = body.split_first_chunk::<4>()?;
    let code = u32::from_be_bytes(*code);
    Some(match code {
        CANCEL_CODE => {
            let (process, key) = rest.split_first_chunk::<4>()?;
            Opening::Cancel { process: u32::from_be_bytes(*process), key: key.to_vec() }
        }
        SSL_CODE => Opening::Ssl,
        GSS_CODE => Opening::Gss,
        version => {
            let mut reader = Reader(rest);
            let mut parameters = Vec::new();
            let mut whole = false;
            while let Some(name) = reader.text() {
                if name.is_empty() {
                    whole = reader.0.is_empty();
                    break;
                }
                let Some(value) = reader.text() else { break };
                parameters.push((name.to_vec(), value.to_vec()));
            }
            let version = ((version >> 16) as u16, (version & 0xffff) as u16);
            Opening::Startup(Startup { version, parameters, whole })
        }
    })
}

/// A message of a client that has started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// `Q`.
    Query(Vec<u8>),
    /// `P`.
    Parse { name: Vec<u8>, query: Vec<u8>, types: Vec<u32> },
    /// `B`.
    Bind(Bind),
    /// `D` of a statement or, if not, of a portal.
    Describe { statement: bool, name: Vec<u8> },
    /// `E`; no limit is zero.
    Execute { portal: Vec<u8>, limit: u32 },
    /// `C`.
    Close { statement: bool, name: Vec<u8> },
    /// `S`.
    Sync,
    /// `H`.
    Flush,
    /// `X`.
    Terminate,
    /// `p`.
    Password(Vec<u8>),
    /// `d`.
    CopyData(Vec<u8>),
    /// `c`.
    CopyDone,
    /// `f`.
    CopyFail(Vec<u8>),
    /// `F`.
    Function,
}

/// `B`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bind {
    /// The portal.
    pub(crate) portal: Vec<u8>,
    /// The prepared statement.
    pub(crate) statement: Vec<u8>,
    /// The formats of the parameters: none, one for all, or one each.
    pub(crate) formats: Vec<u16>,
    /// The parameters.
    pub(crate) values: Vec<Option<Vec<u8>>>,
    /// The formats of the results: none, one for all, or one each.
    pub(crate) results: Vec<u16>,
}

/// Why a message cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The type is none: the product ends the connection.
    Type(u8),
    /// The length cannot be.
    Length,
    /// The content does not fit the type.
    Content,
}

/// The length of a message, without its type, from its first five bytes.
pub(crate) fn message_length(head: [u8; 5], limit: usize) -> Result<usize, Wrong> {
    let [kind, length @ ..] = head;
    if !b"QPBDECSHXpdcfF".contains(&kind) {
        return Err(Wrong::Type(kind));
    }
    match (u32::from_be_bytes(length) as usize).checked_sub(4) {
        Some(length) if length <= limit => Ok(length),
        _ => Err(Wrong::Length),
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = &self.0[..end];
        self.0 = &self.0[end + 1..];
        Some(text)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (number, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*number)
    }

    fn short(&mut self) -> Option<u16> {
        self.number().map(u16::from_be_bytes)
    }

    fn long(&mut self) -> Option<u32> {
        self.number().map(u32::from_be_bytes)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn shorts(&mut self) -> Option<Vec<u16>> {
        let count = self.short()?;
        (0..count).map(|_| self.short()).collect()
    }

    fn target(&mut self) -> Option<(bool, Vec<u8>)> {
        let statement = match self.number::<1>()? {
            [b'S'] => true,
            [b'P'] => false,
            _ => return None,
        };
        Some((statement, self.text()?.to_vec()))
    }
}

/// Reads a message.
pub(crate) fn message(kind: u8, body: &[u8]) -> Result<Message, Wrong> {
    let mut reader = Reader(body);
    let read = match kind {
        b'Q' => reader.text().map(|query| Message::Query(query.to_vec())),
        b'P' => parse(&mut reader),
        b'B' => bind(&mut reader).map(Message::Bind),
        b'D' => reader.target().map(|(statement, name)| Message::Describe { statement, name }),
        b'C' => reader.target().map(|(statement, name)| Message::Close { statement, name }),
        b'E' => reader.text().and_then(|portal| {
            let limit = reader.long()?;
            Some(Message::Execute { portal: portal.to_vec(), limit })
        }),
        b'S' => Some(Message::Sync),
        b'H' => Some(Message::Flush),
        b'X' => return Ok(Message::Terminate),
        b'p' => return Ok(Message::Password(body.to_vec())),
        b'd' => return Ok(Message::CopyData(body.to_vec())),
        b'c' => Some(Message::CopyDone),
        b'f' => reader.text().map(|why| Message::CopyFail(why.to_vec())),
        b'F' => return Ok(Message::Function),
        other => return Err(Wrong::Type(other)),
    };
    read.filter(|_| reader.0.is_empty()).ok_or(Wrong::Content)
}

fn parse(reader: &mut Reader<'_>) -> Option<Message> {
    let name = reader.text()?.to_vec();
    let query = reader.text()?.to_vec();
    let count = reader.short()?;
    let types = (0..count).map(|_| reader.long()).collect::<Option<Vec<_>>>()?;
    Some(Message::Parse { name, query, types })
}

fn bind(reader: &mut Reader<'_>) -> Option<Bind> {
    let portal = reader.text()?.to_vec();
    let statement = reader.text()?.to_vec();
    let formats = reader.shorts()?;
    let count = usize::from(reader.short()?).min(PARAMETER_LIMIT);
    let mut values = Vec::new();
    for _ in 0..count {
        let length = reader.long()?;
        values.push(if length == u32::MAX { None } else { Some(reader.bytes(length as usize)?.to_vec()) });
    }
    let results = reader.shorts()?;
    Some(Bind { portal, statement, formats, values, results })
}

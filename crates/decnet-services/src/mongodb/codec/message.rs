//! Messages (MongoDB wire protocol): a header of sixteen bytes, then what its opcode says.

use super::bson::{BsonError, Document, Value};
use super::compress::{Compressor, UnpackError};

/// Bytes of a header.
const HEADER: usize = 16;
/// The largest message that the product takes (`MaxMessageSizeBytes`).
pub(crate) const PRODUCT_LIMIT: usize = 48_000_000;

const OP_REPLY: i32 = 1;
const OP_UPDATE: i32 = 2001;
const OP_INSERT: i32 = 2002;
const OP_QUERY: i32 = 2004;
const OP_GET_MORE: i32 = 2005;
const OP_DELETE: i32 = 2006;
const OP_KILL_CURSORS: i32 = 2007;
const OP_COMPRESSED: i32 = 2012;
const OP_MSG: i32 = 2013;

/// A checksum follows.
const CHECKSUM: u32 = 1;
/// No answer is wanted; in answers: another one follows.
pub(crate) const MORE_TO_COME: u32 = 1 << 1;
/// The client takes several answers.
pub(crate) const EXHAUST: u32 = 1 << 16;
/// Flags below this must be known.
const REQUIRED: u32 = 0xffff;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    /// The client's number of it.
    pub(crate) id: i32,
    /// What it asks.
    pub(crate) ask: Ask,
    /// The compressor in which it came.
    pub(crate) compressor: Option<Compressor>,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    /// OP_MSG: a command with its document sequences put in.
    Command {
        /// The flags.
        flags: u32,
        /// The command, `$db` included.
        body: Document,
    },
    /// OP_QUERY.
    Query {
        /// `database.collection`, or `database.$cmd`.
        namespace: String,
        /// Documents to leave out.
        skip: i32,
        /// Documents wanted; negative: and no cursor.
        count: i32,
        /// The filter, or the command.
        query: Document,
        /// Fields wanted.
        fields: Option<Document>,
    },
    /// OP_GET_MORE.
    GetMore {
        /// `database.collection`.
        namespace: String,
        /// Documents wanted.
        count: i32,
        /// Of which cursor.
        cursor: i64,
    },
    /// OP_INSERT, OP_UPDATE, OP_DELETE as the commands that took their place; no answer is wanted.
    Write {
        /// `database.collection`.
        namespace: String,
        /// The command.
        command: Document,
    },
    /// OP_KILL_CURSORS; no answer is wanted.
    KillCursors(Vec<i64>),
    /// An opcode that is none.
    Unknown(i32),
}

/// Why bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageError {
    /// The length in the header is none of a message.
    #[error("a message of {0} bytes is none")]
    Length(i32),
    /// It is longer than we take.
    #[error("a message of {0} bytes is too long")]
    TooLong(usize),
    /// The body does not read.
    #[error("the body does not read")]
    Body,
    /// A document in it does not read.
    #[error("{0}")]
    Bson(#[from] BsonError),
    /// Flags that must be known and are not.
    #[error("flags {0:#x} are unknown")]
    Flags(u32),
    /// A compressed body.
    #[error("{0}")]
    Unpack(#[from] UnpackError),
}

/// Something that came in: bytes and what they are.
#[derive(Debug, PartialEq)]
pub(crate) struct Frame {
    /// The bytes.
    pub(crate) raw: Vec<u8>,
    /// What they are; the number is the request's, where there is one.
    pub(crate) request: Result<Request, (i32, MessageError)>,
}

/// Makes messages of a stream.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    bytes: Vec<u8>,
}

impl Framer {
    /// Adds what was read.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    pub(crate) fn held(&self) -> usize {
        self.bytes.len()
    }

    /// What waits.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes
    }

    /// The next message; a wrong length gives everything that is there, as nothing can follow it.
    pub(crate) fn next(&mut self, bound: usize) -> Option<Frame> {
        let length = i32::from_le_bytes(self.bytes.first_chunk().copied()?);
        let wrong = match usize::try_from(length) {
            Ok(length) if (HEADER..=PRODUCT_LIMIT).contains(&length) => {
                (length > bound).then_some(MessageError::TooLong(length))
            }
            _ => Some(MessageError::Length(length)),
        };
        if let Some(wrong) = wrong {
            return Some(Frame { raw: std::mem::take(&mut self.bytes), request: Err((0, wrong)) });
        }
        let length = length as usize;
        if self.bytes.len() < length {
            return None;
        }
        let rest = self.bytes.split_off(length);
        let raw = std::mem::replace(&mut self.bytes, rest);
        let id = int(&raw, 4);
        let request = parse(&raw, bound).map_err(|error| (id, error));
        Some(Frame { raw, request })
    }
}

/// Four bytes as a number; zero where there are none.
fn int(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |chunk| i32::from_le_bytes(*chunk))
}

/// Reads one whole message.
fn parse(raw: &[u8], bound: usize) -> Result<Request, MessageError> {
    let id = int(raw, 4);
    let opcode = int(raw, 12);
    let body = raw.get(HEADER..).ok_or(MessageError::Body)?;
    if opcode != OP_COMPRESSED {
        return Ok(Request { id, ask: ask(opcode, body)?, compressor: None });
    }
    let opcode = int(body, 0);
    let claimed = usize::try_from(int(body, 4)).map_err(|_| MessageError::Body)?;
    let compressor = body.get(8).and_then(|number| Compressor::of(*number)).ok_or(MessageError::Body)?;
    let unpacked = compressor.unpack(body.get(9..).unwrap_or_default(), claimed, bound)?;
    Ok(Request { id, ask: ask(opcode, &unpacked)?, compressor: Some(compressor) })
}

struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], MessageError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(MessageError::Body)?;
        self.0 = rest;
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32, MessageError> {
        Ok(int(self.take(4)?, 0))
    }

    fn long(&mut self) -> Result<i64, MessageError> {
        let bytes = self.take(8)?.first_chunk().copied().ok_or(MessageError::Body)?;
        Ok(i64::from_le_bytes(bytes))
    }

    fn name(&mut self) -> Result<String, MessageError> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(MessageError::Body)?;
        let name = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = &self.0[end + 1..];
        Ok(name)
    }

    fn document(&mut self) -> Result<Document, MessageError> {
        let (document, length) = Document::read(self.0)?;
        self.take(length)?;
        Ok(document)
    }
}

fn ask(opcode: i32, body: &[u8]) -> Result<Ask, MessageError> {
    let mut body = Body(body);
    Ok(match opcode {
        OP_MSG => message(&mut body)?,
        OP_QUERY => {
            body.int()?;
            let namespace = body.name()?;
            let (skip, count) = (body.int()?, body.int()?);
            let query = body.document()?;
            let fields = if body.0.is_empty() { None } else { Some(body.document()?) };
            Ask::Query { namespace, skip, count, query, fields }
        }
        OP_GET_MORE => {
            body.int()?;
            Ask::GetMore { namespace: body.name()?, count: body.int()?, cursor: body.long()? }
        }
        OP_INSERT => {
            let flags = body.int()?;
            let namespace = body.name()?;
            let mut documents = Vec::new();
            while !body.0.is_empty() {
                documents.push(Value::Document(body.document()?));
            }
            let command = Document::new()
                .with("insert", collection(&namespace))
                .with("documents", documents)
                .with("ordered", flags & 1 == 0);
            Ask::Write { namespace, command }
        }
        OP_UPDATE => {
            body.int()?;
            let namespace = body.name()?;
            let flags = body.int()?;
            let update = Document::new()
                .with("q", body.document()?)
                .with("u", body.document()?)
                .with("upsert", flags & 1 != 0)
                .with("multi", flags & 2 != 0);
            let command = Document::new()
                .with("update", collection(&namespace))
                .with("updates", vec![Value::Document(update)]);
            Ask::Write { namespace, command }
        }
        OP_DELETE => {
            body.int()?;
            let namespace = body.name()?;
            let flags = body.int()?;
            let delete = Document::new().with("q", body.document()?).with("limit", flags & 1);
            let command = Document::new()
                .with("delete", collection(&namespace))
                .with("deletes", vec![Value::Document(delete)]);
            Ask::Write { namespace, command }
        }
        OP_KILL_CURSORS => {
            body.int()?;
            body.int()?;
            let mut cursors = Vec::new();
            while !body.0.is_empty() {
                cursors.push(body.long()?);
            }
            Ask::KillCursors(cursors)
        }
        other => Ask::Unknown(other),
    })
}

/// The part of a namespace behind the first point.
pub(crate) fn collection(namespace: &str) -> &str {
    namespace.split_once('.').map_or("", |(_, collection)| collection)
}

fn message(body: &mut Body<'_>) -> Result<Ask, MessageError> {
    let flags = body.int()? as u32;
    let unknown = flags & REQUIRED & !(CHECKSUM | MORE_TO_COME);
    if unknown != 0 {
        return Err(MessageError::Flags(unknown));
    }
    if flags & CHECKSUM != 0 {
        // The sum is of bytes that TCP has seen to already; the product checks it where it was built to.
        let end = body.0.len().checked_sub(4).ok_or(MessageError::Body)?;
        body.0 = &body.0[..end];
    }
    let mut command: Option<Document> = None;
    let mut sequences: Vec<(String, Vec<Value>)> = Vec::new();
    while !body.0.is_empty() {
        match body.take(1)? {
            [0] if command.is_none() => command = Some(body.document()?),
            [1] => {
                let size = usize::try_from(body.int()?).map_err(|_| MessageError::Body)?;
                let mut inner = Body(body.take(size.checked_sub(4).ok_or(MessageError::Body)?)?);
                let name = inner.name()?;
                let mut documents = Vec::new();
                while !inner.0.is_empty() {
                    documents.push(Value::Document(inner.document()?));
                }
                sequences.push((name, documents));
            }
            _ => return Err(MessageError::Body),
        }
    }
    let mut body = command.ok_or(MessageError::Body)?;
    for (name, documents) in sequences {
        if body.get(&name).is_some() {
            return Err(MessageError::Body);
        }
        body.push(&name, documents);
    }
    Ok(Ask::Command { flags, body })
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// OP_MSG.
    Message {
        /// The flags.
        flags: u32,
        /// The document.
        body: Document,
    },
    /// OP_REPLY.
    Reply {
        /// 1: the cursor is none, 2: the query failed, 8: always.
        flags: i32,
        /// The cursor; zero where there is no more.
        cursor: i64,
        /// The place of the first document in the whole answer.
        start: i32,
        /// The documents.
        documents: Vec<Document>,
    },
}

impl Answer {
    /// Its bytes.
    pub(crate) fn bytes(&self, id: i32, to: i32, compressor: Option<Compressor>) -> Vec<u8> {
        let mut body = Vec::new();
        let opcode = match self {
            Answer::Message { flags, body: document } => {
                body.extend(flags.to_le_bytes());
                body.push(0);
                document.write(&mut body);
                OP_MSG
            }
            Answer::Reply { flags, cursor, start, documents } => {
                body.extend(flags.to_le_bytes());
                body.extend(cursor.to_le_bytes());
                body.extend(start.to_le_bytes());
                body.extend(i32::try_from(documents.len()).unwrap_or(i32::MAX).to_le_bytes());
                for document in documents {
                    document.write(&mut body);
                }
                OP_REPLY
            }
        };
        let packed =
            compressor.and_then(|compressor| compressor.pack(&body).map(|packed| (compressor, packed)));
        let (opcode, body) = match packed {
            Some((compressor, packed)) => {
                let mut whole = Vec::with_capacity(packed.len() + 9);
                whole.extend(opcode.to_le_bytes());
                whole.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
                whole.push(compressor.number());
                whole.extend(packed);
                (OP_COMPRESSED, whole)
            }
            None => (opcode, body),
        };
        let mut out = Vec::with_capacity(body.len() + HEADER);
        out.extend(u32::try_from(body.len() + HEADER).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(id.to_le_bytes());
        out.extend(to.to_le_bytes());
        out.extend(opcode.to_le_bytes());
        out.extend(body);
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What nmap's version detection sends (its probe `mongodb`).
    const NMAP: &[u8] = b"\x41\0\0\0\x3a\x30\0\0\xff\xff\xff\xff\xd4\x07\0\0\0\0\0\0test.$cmd\0\0\0\0\0\
        \xff\xff\xff\xff\x1b\0\0\0\x01serverStatus\0\0\0\0\0\0\0\xf0\x3f\0";
    /// An OP_MSG with a document sequence, as a driver's insert is.
    const INSERT: &[u8] = b"\x62\0\0\0\x07\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\
        \0\x1f\0\0\0\x02insert\0\x02\0\0\0t\0\x02$db\0\x03\0\0\0db\0\0\
        \x01\x2d\0\0\0documents\0\x0c\0\0\0\x10a\0\x01\0\0\0\0\x13\0\0\0\x10a\0\x02\0\0\0\x10b\0\0\0\0\0\0";

    fn all(bytes: &[u8], step: usize) -> Vec<Frame> {
        let mut framer = Framer::default();
        let mut frames = Vec::new();
        for piece in bytes.chunks(step.max(1)) {
            framer.push(piece);
            while let Some(frame) = framer.next(1 << 20) {
                frames.push(frame);
            }
        }
        frames
    }

    #[test]
    fn the_probe_of_nmap_reads() {
        let frames = all(NMAP, 7);
        let request = frames[0].request.as_ref().unwrap();
        assert_eq!(request.id, 0x303a);
        assert_eq!(
            request.ask,
            Ask::Query {
                namespace: "test.$cmd".into(),
                skip: 0,
                count: -1,
                query: Document::new().with("serverStatus", 1.0),
                fields: None
            }
        );
    }

    #[test]
    fn a_sequence_becomes_an_array() {
        let frames = all(INSERT, 1000);
        let Ask::Command { body, .. } = &frames[0].request.as_ref().unwrap().ask else {
            panic!("{frames:?}");
        };
        assert_eq!(body.array("documents").map(<[Value]>::len), Some(2));
        assert_eq!(body.text("$db"), Some("db"));
    }

    #[test]
    fn lengths_are_judged() {
        assert_eq!(all(b"GET / HTTP/1.0\r\n\r\n", 3)[0].request, Err((0, MessageError::Length(0x2054_4547))));
        assert_eq!(all(b"\x0f\0\0\0", 4)[0].request, Err((0, MessageError::Length(15))));
        let long = all(&2_000_000i32.to_le_bytes(), 4);
        assert_eq!(long[0].request, Err((0, MessageError::TooLong(2_000_000))));
    }

    #[test]
    fn a_packed_answer_is_read_as_it_was() {
        let body = Document::new().with("ping", 1).with("$db", "admin");
        for compressor in [Compressor::Snappy, Compressor::Zlib] {
            let bytes = Answer::Message { flags: 0, body: body.clone() }.bytes(9, 8, Some(compressor));
            let frames = all(&bytes, 5);
            let request = frames[0].request.as_ref().unwrap();
            assert_eq!(request.compressor, Some(compressor));
            assert_eq!(request.ask, Ask::Command { flags: 0, body: body.clone() });
        }
    }

    #[test]
    fn more_said_than_there_is_shows_itself() {
        let body = Document::new().with("ping", 1).with("$db", "admin");
        let mut bytes = Answer::Message { flags: 0, body }.bytes(9, 8, Some(Compressor::Zlib));
        bytes[20..24].copy_from_slice(&9000i32.to_le_bytes());
        assert!(matches!(
            all(&bytes, 100)[0].request,
            Err((9, MessageError::Unpack(UnpackError::Length { claimed: 9000, .. })))
        ));
    }

    proptest! {
        #[test]
        fn no_stream_panics_and_pieces_do_not_matter(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), step in 1usize..50,
        ) {
            let _ = all(&bytes, step);
        }

        #[test]
        fn damaged_requests_do_not_panic(at in 0usize..200, with: u8, insert: bool, step in 1usize..60) {
            let mut bytes = if insert { INSERT.to_vec() } else { NMAP.to_vec() };
            let at = at % bytes.len();
            bytes[at] = with;
            bytes.extend(NMAP);
            let _ = all(&bytes, step);
        }
    }
}

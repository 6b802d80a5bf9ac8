//! Packets (section 2.2.3): a header of eight bytes, and messages that are cut into them.

/// Bytes of a packet's header.
pub(in super::super) const HEADER: usize = 8;
/// Bytes of one message. SQL batches with the bytes of an assembly in hexadecimal are the longest.
pub(super) const MESSAGE_LIMIT: usize = 4 * 1024 * 1024;
/// The sizes of packets that a server agrees to (section 2.2.6.4, PacketSize).
pub(in super::super) const PACKET_SIZES: std::ops::RangeInclusive<usize> = 512..=32_767;

/// Types of packets (section 2.2.3.1.1).
pub(in super::super) mod kind {
    /// A batch of statements.
    pub(in super::super::super) const BATCH: u8 = 0x01;
    /// The login of versions before 7.0.
    pub(in super::super::super) const OLD_LOGIN: u8 = 0x02;
    /// A call of a procedure.
    pub(in super::super::super) const RPC: u8 = 0x03;
    /// What the server says.
    pub(in super::super::super) const REPLY: u8 = 0x04;
    /// The client wants the server to stop.
    pub(in super::super::super) const ATTENTION: u8 = 0x06;
    /// Rows of BULK INSERT.
    pub(in super::super::super) const BULK: u8 = 0x07;
    /// Begins, commits and rolls transactions back.
    pub(in super::super::super) const TRANSACTION: u8 = 0x0e;
    /// The login.
    pub(in super::super::super) const LOGIN: u8 = 0x10;
    /// The next message of integrated authentication.
    pub(in super::super::super) const SSPI: u8 = 0x11;
    /// Before the login, and TLS within it.
    pub(in super::super::super) const PRELOGIN: u8 = 0x12;

    /// Whether a client may send it.
    pub(in super::super::super) fn is_known(kind: u8) -> bool {
        matches!(
            kind,
            BATCH | OLD_LOGIN | RPC | ATTENTION | BULK | 0x08 | TRANSACTION | LOGIN | SSPI | PRELOGIN
        )
    }
}

/// The last packet of its message (section 2.2.3.1.2).
const END: u8 = 0x01;
/// The message is to be thrown away.
const IGNORE: u8 = 0x02;
/// The session is to be as after its login (from 7.1 on).
const RESET: u8 = 0x08;
/// The same, but for the transaction.
const RESET_KEEP: u8 = 0x10;

/// A whole message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Message {
    /// Its type.
    pub(in super::super) kind: u8,
    /// What its packets hold.
    pub(in super::super) body: Vec<u8>,
    /// Whether the session is to be as after its login first.
    pub(in super::super) reset: bool,
}

/// What the bytes so far hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Framed {
    /// A message.
    Message(Message),
    /// Bytes that are no packet: the product closes without a word.
    Broken(Vec<u8>),
    /// A message past the bound.
    TooLong(usize),
}

/// Puts messages together from what comes in, in pieces of any size.
#[derive(Debug, Default)]
pub(in super::super) struct Framer {
    buffer: Vec<u8>,
    message: Option<(u8, Vec<u8>, bool)>,
}

impl Framer {
    /// Takes bytes.
    pub(in super::super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes of packets that are not whole yet.
    pub(in super::super) fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// The bytes that it holds.
    pub(in super::super) fn held(&self) -> usize {
        self.buffer.len() + self.message.as_ref().map_or(0, |(_, body, _)| body.len())
    }

    /// The next message. Call until there is none.
    pub(in super::super) fn next(&mut self) -> Option<Framed> {
        loop {
            let Some(header) = self.buffer.first_chunk::<HEADER>().copied() else {
                // Something else shows itself by its first bytes.
                return match self.buffer.first() {
                    Some(first) if !kind::is_known(*first) => Some(self.broken()),
                    _ => None,
                };
            };
            let [kind, status, high, low, ..] = header;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let other = self.message.as_ref().is_some_and(|(begun, ..)| *begun != kind);
            if !kind::is_known(kind) || length < HEADER || length > *PACKET_SIZES.end() || other {
                return Some(self.broken());
            }
            if self.buffer.len() < length {
                return None;
            }
            let (_, mut body, reset) = self.message.take().unwrap_or((kind, Vec::new(), false));
            body.extend_from_slice(&self.buffer[HEADER..length]);
            self.buffer.drain(..length);
            let reset = reset || status & (RESET | RESET_KEEP) != 0;
            if body.len() > MESSAGE_LIMIT {
                return Some(Framed::TooLong(body.len()));
            }
            if status & END == 0 {
                self.message = Some((kind, body, reset));
                continue;
            }
            if status & IGNORE != 0 {
                continue;
            }
            return Some(Framed::Message(Message { kind, body, reset }));
        }
    }

    fn broken(&mut self) -> Framed {
        self.message = None;
        Framed::Broken(std::mem::take(&mut self.buffer))
    }
}

/// A message in packets of at most `size` bytes.
pub(in super::super) fn emit(kind: u8, body: &[u8], size: usize, process: u16, out: &mut Vec<u8>) {
    let room = size.clamp(*PACKET_SIZES.start(), *PACKET_SIZES.end()) - HEADER;
    let count = body.len().div_ceil(room).max(1);
    for number in 0..count {
        let piece = &body[number * room..body.len().min((number + 1) * room)];
        let status = if number + 1 == count { END } else { 0 };
        // At most 32,767, by PACKET_SIZES.
        let length = (piece.len() + HEADER) as u16;
        out.extend([kind, status]);
        out.extend(length.to_be_bytes());
        out.extend(process.to_be_bytes());
        // Numbers go up from 1 and wrap around.
        out.extend([(number + 1) as u8, 0]);
        out.extend_from_slice(piece);
    }
}

/// Takes the TLS records of a handshake out of PRELOGIN packets (section 2.2.6.5): what is left of the
/// current packet, and its header as far as it has come.
#[derive(Debug, Default)]
pub(in super::super) struct Wrapping {
    header: Vec<u8>,
    left: usize,
}

impl Wrapping {
    /// The records in `bytes`. `None`: they are no PRELOGIN packets.
    pub(in super::super) fn unwrap(&mut self, mut bytes: &[u8]) -> Option<Vec<u8>> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            if self.left == 0 {
                let wanted = (HEADER - self.header.len()).min(bytes.len());
                let (head, rest) = bytes.split_at(wanted);
                self.header.extend_from_slice(head);
                bytes = rest;
                if self.header.len() < HEADER {
                    break;
                }
                let length = usize::from(u16::from_be_bytes([self.header[2], self.header[3]]));
                if self.header[0] != kind::PRELOGIN || length < HEADER {
                    return None;
                }
                self.header.clear();
                self.left = length - HEADER;
                continue;
            }
            let (piece, rest) = bytes.split_at(self.left.min(bytes.len()));
            self.left -= piece.len();
            records.extend_from_slice(piece);
            bytes = rest;
        }
        Some(records)
    }
}

//! Bytes to frames and back (RFC 9113 section 4). Sans-IO, resumable at any byte. DATA and frames of
//! unknown kinds are handed on as they come in and never held; the others are held whole, and bounded.

/// The preface of every client (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The head of a frame, bytes.
pub const HEAD: usize = 9;
/// Most bytes of a frame that is held whole: products take larger ones only for DATA.
pub const HELD: usize = 64 * 1024;

/// The stream is at its end (DATA, HEADERS).
pub const END_STREAM: u8 = 0x1;
/// It answers another one (SETTINGS, PING).
pub const ACK: u8 = 0x1;
/// The header block is at its end.
pub const END_HEADERS: u8 = 0x4;
/// There is padding (DATA, HEADERS).
pub const PADDED: u8 = 0x8;
/// There is a priority (HEADERS).
pub const PRIORITY: u8 = 0x20;

/// The kind of a frame (RFC 9113 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the document")]
pub enum Kind {
    Data,
    Headers,
    Priority,
    ResetStream,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    Unknown(u8),
}

impl From<u8> for Kind {
    fn from(code: u8) -> Kind {
        match code {
            0 => Kind::Data,
            1 => Kind::Headers,
            2 => Kind::Priority,
            3 => Kind::ResetStream,
            4 => Kind::Settings,
            5 => Kind::PushPromise,
            6 => Kind::Ping,
            7 => Kind::GoAway,
            8 => Kind::WindowUpdate,
            9 => Kind::Continuation,
            other => Kind::Unknown(other),
        }
    }
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> u8 {
        match kind {
            Kind::Data => 0,
            Kind::Headers => 1,
            Kind::Priority => 2,
            Kind::ResetStream => 3,
            Kind::Settings => 4,
            Kind::PushPromise => 5,
            Kind::Ping => 6,
            Kind::GoAway => 7,
            Kind::WindowUpdate => 8,
            Kind::Continuation => 9,
            Kind::Unknown(other) => other,
        }
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// The bytes after the head.
    pub length: usize,
    /// The kind.
    pub kind: Kind,
    /// The flags.
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
}

impl FrameHead {
    /// Whether a flag is set.
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn read(bytes: &[u8; HEAD]) -> FrameHead {
        FrameHead {
            length: usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]),
            kind: Kind::from(bytes[3]),
            flags: bytes[4],
            // The highest bit is reserved and means nothing.
            stream: u32::from_be_bytes([bytes[5] & 0x7f, bytes[6], bytes[7], bytes[8]]),
        }
    }
}

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A whole frame of a kind that is held.
    Frame(FrameHead, Vec<u8>),
    /// Some of a DATA frame, without its padding; `first` and `last` of it.
    Data {
        /// The frame.
        head: FrameHead,
        /// The bytes.
        bytes: Vec<u8>,
        /// Nothing of this frame came before.
        first: bool,
        /// Nothing of this frame follows.
        last: bool,
    },
    /// A frame of an unknown kind begins; the rest of it is thrown away.
    Unknown(FrameHead),
    /// More padding than frame.
    BadPadding(FrameHead),
    /// A frame that is longer than allowed; nothing can follow.
    TooLarge(FrameHead),
}

#[derive(Clone, Debug)]
enum Stage {
    Head,
    Held(FrameHead),
    PadLength(FrameHead),
    Data { head: FrameHead, left: usize, padding: usize, first: bool },
    Skipped(usize),
    Lost,
}

/// Bytes to frames.
#[derive(Clone, Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    at: usize,
    stage: Stage,
    largest: usize,
}

impl Framer {
    /// Frames are at most `largest` bytes without their head.
    pub fn new(largest: usize) -> Framer {
        Framer { buffer: Vec::new(), at: 0, stage: Stage::Head, largest }
    }

    /// More bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at);
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// What was not taken yet.
    pub fn pending(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Whether the last frame is incomplete.
    pub fn is_inside(&self) -> bool {
        !self.pending().is_empty() || !matches!(self.stage, Stage::Head | Stage::Lost)
    }

    /// Takes that many bytes, which are not of a frame: the preface.
    pub fn take(&mut self, count: usize) {
        self.at = (self.at + count).min(self.buffer.len());
    }

    /// The next piece, as far as it is there.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            let rest = &self.buffer[self.at..];
            match self.stage {
                Stage::Lost => return None,
                Stage::Head => {
                    let head = FrameHead::read(rest.first_chunk::<HEAD>()?);
                    self.at += HEAD;
                    let held = !matches!(head.kind, Kind::Data | Kind::Unknown(_));
                    if head.length > self.largest || held && head.length > HELD {
                        self.stage = Stage::Lost;
                        return Some(Piece::TooLarge(head));
                    }
                    match head.kind {
                        Kind::Data if head.has(PADDED) && head.length > 0 => {
                            self.stage = Stage::PadLength(head);
                        }
                        Kind::Data if head.has(PADDED) => return Some(Piece::BadPadding(head)),
                        Kind::Data => {
                            self.stage = Stage::Data { head, left: head.length, padding: 0, first: true };
                        }
                        Kind::Unknown(_) => {
                            self.stage = Stage::Skipped(head.length);
                            return Some(Piece::Unknown(head));
                        }
                        _ => self.stage = Stage::Held(head),
                    }
                }
                Stage::Held(head) => {
                    let payload = rest.get(..head.length)?.to_vec();
                    self.at += head.length;
                    self.stage = Stage::Head;
                    return Some(Piece::Frame(head, payload));
                }
                Stage::PadLength(head) => {
                    let padding = usize::from(*rest.first()?);
                    self.at += 1;
                    let Some(left) = (head.length - 1).checked_sub(padding) else {
                        self.stage = Stage::Skipped(head.length - 1);
                        return Some(Piece::BadPadding(head));
                    };
                    self.stage = Stage::Data { head, left, padding, first: true };
                }
                Stage::Data { head, left, padding, first } => {
                    if left > 0 && rest.is_empty() {
                        return None;
                    }
                    let bytes = rest[..rest.len().min(left)].to_vec();
                    self.at += bytes.len();
                    let left = left - bytes.len();
                    let last = left == 0;
                    self.stage = if last {
                        Stage::Skipped(padding)
                    } else {
                        Stage::Data { head, left, padding, first: false }
                    };
                    return Some(Piece::Data { head, bytes, first, last });
                }
                Stage::Skipped(left) => {
                    let gone = rest.len().min(left);
                    self.at += gone;
                    if gone < left {
                        self.stage = Stage::Skipped(left - gone);
                        return None;
                    }
                    self.stage = Stage::Head;
                }
            }
        }
    }
}

/// Appends a frame.
pub fn write(out: &mut Vec<u8>, kind: Kind, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.push(u8::from(kind));
    out.push(flags);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends a SETTINGS frame.
pub fn write_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    let mut payload = Vec::with_capacity(settings.len() * 6);
    for (id, value) in settings {
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    write(out, Kind::Settings, 0, 0, &payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(framer: &mut Framer) -> Vec<Piece> {
        std::iter::from_fn(|| framer.next_piece()).collect()
    }

    fn data(pieces: &[Piece]) -> Vec<u8> {
        let parts = pieces.iter().filter_map(|piece| match piece {
            Piece::Data { bytes, .. } => Some(bytes.clone()),
            _ => None,
        });
        parts.flatten().collect()
    }

    #[test]
    fn frames_come_back_and_padding_goes() {
        let mut wire = Vec::new();
        write(&mut wire, Kind::Ping, ACK, 0, b"12345678");
        write(&mut wire, Kind::Data, END_STREAM | PADDED, 1, b"\x03ab\0\0\0");
        write(&mut wire, Kind::Unknown(0x77), 0xff, 5, b"abc");
        write(&mut wire, Kind::Data, 0, 3, b"");
        write_settings(&mut wire, &[(3, 128)]);
        let mut framer = Framer::new(16_384);
        framer.feed(&wire);
        let pieces = all(&mut framer);
        assert_eq!(pieces.len(), 5);
        assert!(
            matches!(&pieces[0], Piece::Frame(head, payload) if head.kind == Kind::Ping && payload == b"12345678")
        );
        assert!(matches!(&pieces[1], Piece::Data { bytes, first: true, last: true, .. } if bytes == b"ab"));
        assert!(matches!(&pieces[3], Piece::Data { last: true, .. }));
        assert!(matches!(&pieces[4], Piece::Frame(_, payload) if payload == b"\0\x03\0\0\0\x80"));
        assert!(!framer.is_inside());
    }

    #[test]
    fn what_is_too_large_is_never_held() {
        let mut framer = Framer::new(16_384);
        framer.feed(b"\x00\x50\x00\x06\0\0\0\0\0");
        assert!(matches!(framer.next_piece(), Some(Piece::TooLarge(_))));
        framer.feed(&[0; 4096]);
        assert_eq!(framer.next_piece(), None);
        // Where a product takes 16 MiB, DATA runs through and the rest is bounded.
        let mut framer = Framer::new(0xff_ffff);
        framer.feed(b"\xff\xff\xff\x00\0\0\0\0\x01");
        for _ in 0..100 {
            framer.feed(&[b'a'; 8192]);
            assert_eq!(data(&all(&mut framer)).len(), 8192);
            assert!(framer.pending().is_empty());
        }
        let mut framer = Framer::new(0xff_ffff);
        framer.feed(b"\x01\x00\x01\x01\0\0\0\0\x01");
        assert!(matches!(framer.next_piece(), Some(Piece::TooLarge(_))));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_portions_give_the_same_frames(
            bytes in proptest::collection::vec(proptest::prop_oneof![
                proptest::prelude::any::<u8>(), proptest::prelude::Just(0u8), 0u8..12,
            ], 0..400),
            cuts in proptest::collection::vec(0usize..400, 0..6),
        ) {
            let mut whole = Framer::new(16_384);
            whole.feed(&bytes);
            let expected = all(&mut whole);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut framer = Framer::new(16_384);
            let (mut at, mut pieces) = (0, Vec::new());
            for cut in cuts {
                framer.feed(&bytes[at..cut]);
                pieces.extend(all(&mut framer));
                at = cut;
            }
            proptest::prop_assert_eq!(data(&pieces), data(&expected));
            let frames = |pieces: &[Piece]| -> Vec<Piece> {
                pieces.iter().filter(|piece| !matches!(piece, Piece::Data { .. })).cloned().collect()
            };
            proptest::prop_assert_eq!(frames(&pieces), frames(&expected));
        }
    }
}

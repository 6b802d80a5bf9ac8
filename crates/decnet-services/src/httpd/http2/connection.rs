//! One connection without its socket: frames in, events and bytes out (RFC 9113 sections 3 to 6).
//! Everything that a client can make grow is bounded: streams by the product's own number, lists and
//! blocks by [`Manner::list`] and [`BLOCK`], answers by [`Connection::has_room`], frames that lead to
//! nothing by [`IDLE_FRAMES`] and [`RESETS`].

use std::collections::BTreeMap;

use super::fingerprint::Hello;
use super::frame::{self, Framer, Kind, Piece};
use super::hpack::{BlockFault, Decoder, Encoder};
use super::manner::{Engine, Manner, Reaction, Tolerance, Violation};
use super::{head, receive};
use crate::httpd::request::Field;

/// Most bytes of a header block; nginx, which has the largest bound, takes 32 KiB of decoded fields.
pub const BLOCK: usize = 64 * 1024;
/// Most frames between two requests that lead to nothing: PING, SETTINGS, WINDOW_UPDATE, empty DATA …
pub const IDLE_FRAMES: u32 = 10_000;
/// Most requests that the client takes back before their answer (CVE-2023-44487).
pub const RESETS: u32 = 500;
/// Most bytes of answers that wait for the client's window; requests beyond are refused.
pub const WAITING: usize = 4 * 1024 * 1024;
/// The largest window (RFC 9113 section 6.9.1).
pub(super) const WINDOW: i64 = 0x7fff_ffff;

/// What came of the bytes.
#[derive(Debug)]
pub enum Event {
    /// A request's head.
    Request {
        /// The stream.
        stream: u32,
        /// The list, as sent.
        fields: Vec<Field>,
        /// Whether it has no body.
        end: bool,
    },
    /// A head that the product answers with an error page.
    Unacceptable {
        /// The stream.
        stream: u32,
        /// The list, as far as it was kept.
        fields: Vec<Field>,
        /// Whether it was too large; otherwise it was none.
        too_large: bool,
    },
    /// Some of a body.
    Data {
        /// The stream.
        stream: u32,
        /// The bytes.
        bytes: Vec<u8>,
        /// Whether it is all.
        end: bool,
    },
    /// The stream is over without its end.
    Over {
        /// The stream.
        stream: u32,
    },
    /// A mistake, and whether the connection ends with it.
    Mistake(Violation),
    /// A list that was refused with a reset.
    Refused {
        /// The list.
        fields: Vec<Field>,
    },
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) remote_ended: bool,
    pub(super) answered: bool,
    pub(super) send_window: i64,
    pub(super) receive_window: i64,
    /// Bytes of the body taken since the window was opened last.
    pub(super) consumed: u32,
    /// lighttpd's account of the same.
    pub(super) fudge: i64,
    pub(super) announced: Option<u64>,
    pub(super) received: u64,
    pub(super) body: Vec<u8>,
    pub(super) written: usize,
}

/// What a block is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Request,
    Trailers,
    /// Read for the table's sake only.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) stream: u32,
    pub(super) purpose: Purpose,
    pub(super) end: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) frames: usize,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    pub(super) manner: &'static Manner,
    framer: Framer,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    prefaced: bool,
    pub(super) settled: bool,
    pub(super) streams: BTreeMap<u32, Stream>,
    /// The highest stream that the client opened.
    pub(super) last: u32,
    /// The highest stream that GOAWAY owns up to.
    pub(super) processed: u32,
    pub(super) block: Option<Block>,
    pub(super) peer_window: i64,
    pub(super) peer_frame: usize,
    pub(super) send_window: i64,
    pub(super) receive_window: i64,
    pub(super) fudge: i64,
    pub(super) out: Vec<u8>,
    ended: bool,
    pub(super) draining: bool,
    pub(super) hello: Hello,
    pub(super) idle_frames: u32,
    pub(super) resets: u32,
    pub(super) priorities: usize,
}

impl Connection {
    /// In the manner of a product, which speaks first.
    pub fn new(manner: &'static Manner) -> Connection {
        let mut out = Vec::new();
        frame::write_settings(&mut out, manner.settings);
        frame::write(&mut out, Kind::WindowUpdate, 0, 0, &manner.opening.to_be_bytes());
        Connection {
            manner,
            framer: Framer::new(manner.largest),
            decoder: Decoder::new(super::hpack::TABLE, manner.engine == Engine::Nginx),
            encoder: Encoder::new(manner.style),
            prefaced: false,
            settled: false,
            streams: BTreeMap::new(),
            last: 0,
            processed: 0,
            block: None,
            peer_window: 65_535,
            peer_frame: 16_384,
            send_window: 65_535,
            receive_window: 65_535 + i64::from(manner.opening),
            fudge: 0,
            out,
            ended: false,
            draining: false,
            hello: Hello::default(),
            idle_frames: 0,
            resets: 0,
            priorities: manner.concurrent.max(100),
        }
    }

    /// More bytes of the client.
    pub fn feed(&mut self, bytes: &[u8]) {
        if !self.ended {
            self.framer.feed(bytes);
        }
    }

    /// Bytes that became nothing yet.
    pub fn pending(&self) -> &[u8] {
        self.framer.pending()
    }

    /// Whether the client is in the middle of something.
    pub fn is_inside(&self) -> bool {
        self.block.is_some() || self.framer.is_inside()
    }

    /// Whether the client's preface came.
    pub fn is_prefaced(&self) -> bool {
        self.prefaced
    }

    /// Whether nothing follows what [`Self::output`] gives.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// The client's fingerprint, with its first request.
    pub fn fingerprint(&self, fields: &[Field]) -> String {
        self.hello.fingerprint(fields)
    }

    /// What came next of the bytes so far.
    pub fn next_event(&mut self) -> Option<Event> {
        while !self.ended {
            if !self.prefaced {
                if let Some(event) = self.preface()? {
                    return Some(event);
                }
                continue;
            }
            let event = match self.framer.next_piece()? {
                Piece::TooLarge(_) => self.mistake(Violation::FrameTooLarge, 0),
                piece => self.piece(piece),
            };
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// The client's preface; outer `None`: more is needed, inner `None`: it is there.
    fn preface(&mut self) -> Option<Option<Event>> {
        let pending = self.framer.pending();
        let seen = pending.len().min(frame::PREFACE.len());
        // nginx looks at the two halves of the preface, the others at each byte.
        let compared = match (self.manner.engine, seen) {
            (Engine::Nginx, 0..18) => 0,
            (Engine::Nginx, 18..24) => 18,
            _ => seen,
        };
        if pending[..compared] != frame::PREFACE[..compared] {
            return Some(self.mistake(Violation::Preface, 0));
        }
        if seen < frame::PREFACE.len() {
            return None;
        }
        self.framer.take(frame::PREFACE.len());
        self.prefaced = true;
        Some(None)
    }

    fn piece(&mut self, piece: Piece) -> Option<Event> {
        let head = match &piece {
            Piece::Frame(head, _) | Piece::Data { head, .. } => *head,
            Piece::Unknown(head) | Piece::BadPadding(head) | Piece::TooLarge(head) => *head,
        };
        if let Some(block) = &self.block
            && (head.kind != Kind::Continuation || head.stream != block.stream)
        {
            return self.mistake(Violation::ContinuationExpected, head.stream);
        }
        if !self.settled && head.kind != Kind::Settings {
            self.settled = true;
            if let Some(event) = self.mistake(Violation::SettingsNotFirst, 0) {
                return Some(event);
            }
        }
        let leads_on = matches!(head.kind, Kind::Headers)
            || head.length > 0 && matches!(head.kind, Kind::Data | Kind::Continuation)
            || head.has(frame::END_STREAM) && head.kind == Kind::Data;
        if !leads_on {
            self.idle_frames += 1;
            if self.idle_frames > IDLE_FRAMES {
                return self.mistake(Violation::Flood, 0);
            }
        }
        receive::piece(self, piece)
    }

    /// Does what the product does about a mistake.
    pub(super) fn mistake(&mut self, violation: Violation, stream: u32) -> Option<Event> {
        match self.manner.reaction(violation) {
            Reaction::Ignore | Reaction::Answer => None,
            Reaction::Reset(code) => {
                self.reset(stream, code);
                Some(Event::Mistake(violation))
            }
            Reaction::GoAway(code, text) => {
                // libnghttp2 forgets what it did not send yet.
                if self.manner.engine == Engine::Nghttp2 {
                    self.out.clear();
                }
                self.goodbye(code, text);
                Some(Event::Mistake(violation))
            }
        }
    }

    /// Ends the connection.
    pub fn goodbye(&mut self, code: u32, text: &str) {
        if self.ended {
            return;
        }
        let payload = [&self.processed.to_be_bytes()[..], &code.to_be_bytes(), text.as_bytes()].concat();
        frame::write(&mut self.out, Kind::GoAway, 0, 0, &payload);
        self.ended = true;
        self.streams.clear();
    }

    /// Ends a stream.
    pub fn reset(&mut self, stream: u32, code: u32) {
        frame::write(&mut self.out, Kind::ResetStream, 0, stream, &code.to_be_bytes());
        self.streams.remove(&stream);
    }

    /// A block is complete.
    pub(super) fn block_read(&mut self, block: Block) -> Option<Event> {
        let Block { stream, purpose, end, bytes, .. } = block;
        if purpose == Purpose::Request {
            self.processed = self.processed.max(stream);
        }
        let list = match self.decoder.read(&bytes, &self.manner.list) {
            Ok(list) => list,
            Err(BlockFault::Truncated) => return self.mistake(Violation::BlockTruncated, stream),
            Err(_) => return self.mistake(Violation::BlockBroken, stream),
        };
        match purpose {
            Purpose::Nothing => return None,
            Purpose::Trailers => return receive::body_ended(self, stream, Vec::new()),
            Purpose::Request => {}
        }
        self.idle_frames = 0;
        self.priorities = self.priorities.saturating_add(self.manner.concurrent).min(100_000);
        let fields = list.fields;
        let announced = head::value(&fields, b"content-length")
            .and_then(|text| std::str::from_utf8(text).ok())
            .and_then(|text| text.parse().ok());
        let opened = Stream {
            remote_ended: end,
            answered: false,
            send_window: self.peer_window,
            receive_window: i64::from(self.manner.window),
            consumed: 0,
            fudge: 0,
            announced,
            received: 0,
            body: Vec::new(),
            written: 0,
        };
        self.streams.insert(stream, opened);
        if list.exceeded {
            return self.mistake(Violation::ListTooLarge, stream).or(Some(Event::Unacceptable {
                stream,
                fields,
                too_large: true,
            }));
        }
        for flaw in head::flaws(&fields, self.manner.engine) {
            match self.manner.tolerance(flaw) {
                Tolerance::Ignore => {}
                Tolerance::Reset => {
                    self.reset(stream, 1);
                    return Some(Event::Refused { fields });
                }
                Tolerance::Answer => {
                    return Some(Event::Unacceptable { stream, fields, too_large: false });
                }
            }
        }
        if !end {
            receive::body_begins(self, stream);
        }
        if end && announced.is_some_and(|length| length > 0) {
            let event = self.mistake(Violation::LengthMismatch, stream);
            if event.is_some() {
                return event;
            }
        }
        Some(Event::Request { stream, fields, end })
    }
}

//! Bytes to requests: heads line by line, bodies by length or in chunks. Sans-IO, resumable at any byte,
//! and every size is bounded. It judges nothing: what a product makes of a line is the product's.

use std::ops::Range;

/// What a product makes of a request line, asked while it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineVerdict {
    /// Go on: with the line while it is incomplete, with the fields when it is complete.
    More,
    /// The line alone is the request: HTTP/0.9.
    Alone,
    /// No request will come of it.
    Stop,
}

/// Bounds of a head, in bytes unless said otherwise. Line endings do not count.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// The request line.
    pub request_line: usize,
    /// One field line.
    pub field_line: usize,
    /// The number of field lines.
    pub fields: usize,
    /// All of it.
    pub total: usize,
}

/// Why a head was not read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// [`LineVerdict::Stop`].
    Line,
    /// The request line is longer than its bound.
    LineTooLong,
    /// A field line is longer than its bound.
    FieldTooLong,
    /// There are more field lines than the bound.
    TooManyFields,
    /// The head is longer than its bound.
    TooLong,
}

/// A head as it came: nothing is changed, trimmed or refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    raw: Vec<u8>,
    line: Range<usize>,
    fields: Vec<Range<usize>>,
    /// Whether a line ended with LF alone.
    pub bare_lf: bool,
}

impl Head {
    /// All bytes, blank lines before the request line included.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The request line without its ending.
    pub fn line(&self) -> &[u8] {
        self.raw.get(self.line.clone()).unwrap_or_default()
    }

    /// The field lines without their endings, in order.
    pub fn fields(&self) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter_map(|range| self.raw.get(range.clone()))
    }
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// By a number of bytes; 0 for none.
    Exactly(u64),
    /// Chunked (RFC 9112 section 7.1).
    Chunked,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ChunkStage {
    Size,
    Data(u64),
    DataEnd,
    Trailer,
}

/// A body being read: keeps its first bytes, counts all.
#[derive(Clone, Debug)]
pub struct BodyReader {
    length: BodyLength,
    kept: Vec<u8>,
    keep: usize,
    received: u64,
    stage: ChunkStage,
    trailers: usize,
}

/// Longest line that gives a chunk's size, with its extensions, or a trailer.
const CHUNK_LINE: usize = 4096;
/// Most bytes of trailers.
const TRAILERS: usize = 16 * 1024;

impl BodyReader {
    /// Keeps at most `keep` bytes.
    pub fn new(length: BodyLength, keep: usize) -> BodyReader {
        BodyReader { length, kept: Vec::new(), keep, received: 0, stage: ChunkStage::Size, trailers: 0 }
    }

    /// The bytes that were kept.
    pub fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// The bytes that were kept, and how many there were.
    pub fn into_parts(self) -> (Vec<u8>, u64) {
        (self.kept, self.received)
    }

    /// How many bytes there were.
    pub fn received(&self) -> u64 {
        self.received
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = self.keep.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        self.received += bytes.len() as u64;
    }
}

/// Where a body stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyProgress {
    /// Bytes are missing.
    More,
    /// It is complete.
    Done,
    /// It is not what it says: a chunk without a size, or without its end.
    Broken,
}

/// Takes a stream apart.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    scanned: usize,
    line: Option<Range<usize>>,
    fields: Vec<Range<usize>>,
    begins: usize,
    bare_lf: bool,
}

impl Framer {
    /// Takes bytes in.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The bytes that wait.
    pub fn pending(&self) -> &[u8] {
        &self.buffer
    }

    /// The next head, or what is wrong with it together with the bytes so far; `None`: more is needed.
    pub fn head(
        &mut self,
        limits: &HeadLimits,
        mut judge: impl FnMut(&[u8], bool) -> LineVerdict,
    ) -> Option<Result<Head, (HeadFault, Head)>> {
        loop {
            if self.line.is_none() {
                // Blank lines before a request are skipped (RFC 9112 section 2.2).
                while let Some(b'\r' | b'\n') = self.buffer.get(self.begins) {
                    self.begins += 1;
                }
                self.scanned = self.scanned.max(self.begins);
                if self.begins > limits.total {
                    return Some(Err((HeadFault::TooLong, self.cut(self.buffer.len()))));
                }
            }
            let at = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n');
            let start = match (&self.line, self.fields.last()) {
                (None, _) => self.begins,
                (Some(line), None) => after(&self.buffer, line.end),
                (Some(_), Some(last)) => after(&self.buffer, last.end),
            };
            let Some(offset) = at else {
                self.scanned = self.buffer.len();
                let partial = &self.buffer[start.min(self.buffer.len())..];
                let fault = if self.line.is_none() {
                    if partial.is_empty() {
                        return None;
                    } else if judge(partial, false) == LineVerdict::Stop {
                        Some(HeadFault::Line)
                    } else if partial.len() > limits.request_line {
                        Some(HeadFault::LineTooLong)
                    } else {
                        None
                    }
                } else if partial.len() > limits.field_line {
                    Some(HeadFault::FieldTooLong)
                } else if self.buffer.len() > limits.total {
                    Some(HeadFault::TooLong)
                } else {
                    None
                };
                return fault.map(|fault| Err((fault, self.cut(self.buffer.len()))));
            };
            let feed = self.scanned + offset;
            self.scanned = feed + 1;
            let mut end = feed;
            if end > start && self.buffer[end - 1] == b'\r' {
                end -= 1;
            } else {
                self.bare_lf = true;
            }
            if self.line.is_none() {
                self.line = Some(start..end);
                if end - start > limits.request_line {
                    return Some(Err((HeadFault::LineTooLong, self.cut(feed + 1))));
                }
                match judge(&self.buffer[start..end], true) {
                    LineVerdict::More => {}
                    LineVerdict::Alone => return Some(Ok(self.cut(feed + 1))),
                    LineVerdict::Stop => return Some(Err((HeadFault::Line, self.cut(feed + 1)))),
                }
                continue;
            }
            if end == start {
                return Some(Ok(self.cut(feed + 1)));
            }
            self.fields.push(start..end);
            let fault = if end - start > limits.field_line {
                HeadFault::FieldTooLong
            } else if self.fields.len() > limits.fields {
                HeadFault::TooManyFields
            } else if feed > limits.total {
                HeadFault::TooLong
            } else {
                continue;
            };
            return Some(Err((fault, self.cut(feed + 1))));
        }
    }

    /// Takes the first bytes out as a head and begins anew.
    fn cut(&mut self, length: usize) -> Head {
        let rest = self.buffer.split_off(length.min(self.buffer.len()));
        let raw = std::mem::replace(&mut self.buffer, rest);
        let line = self.line.take().unwrap_or(self.begins.min(raw.len())..raw.len());
        let head = Head { raw, line, fields: std::mem::take(&mut self.fields), bare_lf: self.bare_lf };
        self.scanned = 0;
        self.begins = 0;
        self.bare_lf = false;
        head
    }

    /// Goes on with a body as far as the bytes reach.
    pub fn body(&mut self, body: &mut BodyReader) -> BodyProgress {
        if let BodyLength::Exactly(length) = body.length {
            let missing = length.saturating_sub(body.received);
            let there = usize::try_from(missing).unwrap_or(usize::MAX).min(self.buffer.len());
            let rest = self.buffer.split_off(there);
            let bytes = std::mem::replace(&mut self.buffer, rest);
            body.take(&bytes);
            return if body.received == length { BodyProgress::Done } else { BodyProgress::More };
        }
        let mut at = 0;
        let progress = loop {
            let rest = &self.buffer[at..];
            match body.stage {
                ChunkStage::Data(left) => {
                    let there = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let part = rest[..there].to_vec();
                    body.take(&part);
                    at += there;
                    let left = left - there as u64;
                    if left > 0 {
                        body.stage = ChunkStage::Data(left);
                        break BodyProgress::More;
                    }
                    body.stage = ChunkStage::DataEnd;
                }
                ChunkStage::DataEnd => match rest {
                    [b'\n', ..] => {
                        at += 1;
                        body.stage = ChunkStage::Size;
                    }
                    [b'\r', b'\n', ..] => {
                        at += 2;
                        body.stage = ChunkStage::Size;
                    }
                    [] | [b'\r'] => break BodyProgress::More,
                    _ => break BodyProgress::Broken,
                },
                ChunkStage::Size | ChunkStage::Trailer => {
                    let Some(feed) = rest.iter().position(|byte| *byte == b'\n') else {
                        break if rest.len() > CHUNK_LINE {
                            BodyProgress::Broken
                        } else {
                            BodyProgress::More
                        };
                    };
                    let line = rest[..feed].strip_suffix(b"\r").unwrap_or(&rest[..feed]);
                    at += feed + 1;
                    if body.stage == ChunkStage::Trailer {
                        body.trailers += feed + 1;
                        if line.is_empty() {
                            break BodyProgress::Done;
                        }
                        if body.trailers > TRAILERS {
                            break BodyProgress::Broken;
                        }
                        continue;
                    }
                    match chunk_size(line) {
                        Some(0) => body.stage = ChunkStage::Trailer,
                        Some(size) => body.stage = ChunkStage::Data(size),
                        None => break BodyProgress::Broken,
                    }
                }
            }
        };
        self.buffer.drain(..at);
        progress
    }
}

fn after(buffer: &[u8], end: usize) -> usize {
    // A line ends with LF or CR LF; `end` is before either.
    if buffer.get(end) == Some(&b'\r') { end + 2 } else { end + 1 }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    if digits == 0 || digits > 15 {
        return None;
    }
    match line.get(digits) {
        None | Some(b';' | b' ' | b'\t') => {}
        Some(_) => return None,
    }
    u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits { request_line: 100, field_line: 100, fields: 10, total: 500 };

    fn judge(line: &[u8], complete: bool) -> LineVerdict {
        match line {
            [b'!', ..] => LineVerdict::Stop,
            _ if complete && !line.ends_with(b"1") => LineVerdict::Alone,
            _ => LineVerdict::More,
        }
    }

    fn all(framer: &mut Framer) -> Vec<Result<Head, (HeadFault, Head)>> {
        std::iter::from_fn(|| framer.head(&LIMITS, judge)).take(64).collect()
    }

    #[test]
    fn heads_are_kept_as_they_came() {
        let mut framer = Framer::default();
        framer.feed(b"\r\n\nGET / HTTP/1.1\r\nHost:  a\r\nx : y\n\r\nrest");
        let head = framer.head(&LIMITS, judge).unwrap().unwrap();
        assert_eq!(head.line(), b"GET / HTTP/1.1");
        assert_eq!(head.fields().collect::<Vec<_>>(), [&b"Host:  a"[..], b"x : y"]);
        assert!(head.bare_lf);
        assert_eq!(framer.pending(), b"rest");
    }

    #[test]
    fn bounds_hold() {
        for (bytes, fault) in [
            (b"a".repeat(200), HeadFault::LineTooLong),
            ([b"g1\r\n".to_vec(), b"a".repeat(200)].concat(), HeadFault::FieldTooLong),
            ([b"g1\r\n".to_vec(), b"a: b\r\n".repeat(11)].concat(), HeadFault::TooManyFields),
            (
                [b"g1\r\n".to_vec(), [b"a".repeat(90), b"\r\n".to_vec()].concat().repeat(7)].concat(),
                HeadFault::TooLong,
            ),
            (b"\r\n".repeat(400), HeadFault::TooLong),
            (b"!".to_vec(), HeadFault::Line),
        ] {
            let mut framer = Framer::default();
            framer.feed(&bytes);
            assert_eq!(framer.head(&LIMITS, judge).unwrap().unwrap_err().0, fault);
        }
    }

    #[test]
    fn chunks_are_joined() {
        let mut framer = Framer::default();
        framer.feed(b"4;x=y\r\nWiki\r\n5\npedia\n0\r\nT: v\r\n\r\nnext");
        let mut body = BodyReader::new(BodyLength::Chunked, 6);
        assert_eq!(framer.body(&mut body), BodyProgress::Done);
        assert_eq!(body.into_parts(), (b"Wikipe".to_vec(), 9));
        assert_eq!(framer.pending(), b"next");
        for broken in [&b"zz\r\n"[..], b"\r\n", b"1\r\nab\r\n", b"ffffffffffffffff\r\n"] {
            let mut framer = Framer::default();
            framer.feed(broken);
            let mut body = BodyReader::new(BodyLength::Chunked, 6);
            assert_eq!(framer.body(&mut body), BodyProgress::Broken, "{}", broken.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_split_anywhere_give_the_same(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b'1')], 0..400),
            cuts in proptest::collection::vec(0usize..400, 0..6),
        ) {
            let mut whole = Framer::default();
            whole.feed(&bytes);
            let expected = all(&mut whole);
            let mut parts = Framer::default();
            let mut got = Vec::new();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts {
                parts.feed(&bytes[from..cut]);
                from = cut;
                got.extend(all(&mut parts));
            }
            // A line that is stopped early may be cut elsewhere; complete heads must agree.
            if expected.iter().all(Result::is_ok) {
                prop_assert_eq!(got, expected);
            }
        }

        #[test]
        fn any_body_split_anywhere_gives_the_same(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r'), Just(b'1'), Just(b'0')], 0..200),
            cut in 0usize..200,
        ) {
            let run = |parts: &[&[u8]]| {
                let mut framer = Framer::default();
                let mut body = BodyReader::new(BodyLength::Chunked, 32);
                let mut progress = BodyProgress::More;
                for part in parts {
                    framer.feed(part);
                    if progress == BodyProgress::More {
                        progress = framer.body(&mut body);
                    }
                }
                (progress, body.into_parts(), framer.pending().to_vec())
            };
            let cut = cut.min(bytes.len());
            let (whole, split) = (run(&[&bytes]), run(&[&bytes[..cut], &bytes[cut..]]));
            prop_assert!(whole.1.0.len() <= 32);
            if whole.0 != BodyProgress::Broken {
                prop_assert_eq!(whole, split);
            }
        }
    }
}

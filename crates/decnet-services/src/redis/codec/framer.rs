//! Bytes to requests.
//!
//! The rules are those of `readQueryFromClient` and its helpers in networking.c of the product: the first
//! byte of a request decides between an array (`*`) and an inline line, the CR of a header line is looked
//! for and its LF is taken on trust, and the two bytes behind a bulk are skipped unread.

/// Longest inline line and longest header line.
const INLINE_BOUND: usize = 64 * 1024;
/// Arguments and bytes per argument that a client may announce before it has logged in.
const UNAUTHENTICATED_ARGUMENTS: i64 = 10;
const UNAUTHENTICATED_BULK: i64 = 16_384;
/// What the product's `proto-max-bulk-len` is unless configured otherwise.
pub(crate) const MAX_BULK: i64 = 512 * 1024 * 1024;

/// Bytes of a request that are kept as they came.
pub(crate) const RAW_BOUND: usize = 64 * 1024;

/// What the framer must know of the conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Most arguments of an array: 1024 × 1024 before release 7, 2³¹ − 1 since.
    pub(crate) max_arguments: i64,
    /// Whether the short bounds for clients without a login hold.
    pub(crate) restricted: bool,
    /// Our own bound on the bytes of one request.
    pub(crate) frame_bound: usize,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { max_arguments: i64::from(i32::MAX), restricted: false, frame_bound: 8 * 1024 * 1024 }
    }
}

/// What came off the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A request.
    Request {
        /// The argument vector, never empty.
        arguments: Vec<Vec<u8>>,
        /// The bytes on the wire, cut at [`RAW_BOUND`].
        raw: Vec<u8>,
        /// How many bytes there were.
        length: usize,
    },
    /// The product answers with this text behind `-ERR Protocol error: ` and closes.
    Broken {
        /// The product's text.
        text: String,
        /// The bytes that were read and not understood, cut at [`RAW_BOUND`].
        raw: Vec<u8>,
    },
    /// The request is larger than our own bound; the product would close without a word when its query
    /// buffer limit is hit.
    TooLarge(usize),
}

/// Takes bytes, gives requests.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    buffer: Vec<u8>,
    position: usize,
    /// The array being read.
    pending: Option<Pending>,
    /// After a protocol error nothing more is read.
    dead: bool,
}

#[derive(Debug)]
struct Pending {
    left: i64,
    bulk: Option<usize>,
    arguments: Vec<Vec<u8>>,
    taken: usize,
    raw: Vec<u8>,
}

impl Pending {
    fn keep(&mut self, bytes: &[u8]) {
        let room = RAW_BOUND - self.raw.len().min(RAW_BOUND);
        self.raw.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// What stopped a request: the product's text, or our bound.
enum Stop {
    Broken(String),
    TooLarge(usize),
}

enum Line {
    Incomplete,
    TooLong,
    At(usize),
}

impl Framer {
    /// Adds what was read. After a [`Frame::Broken`] or [`Frame::TooLarge`] it is dropped.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if !self.dead {
            if self.position > 0 && self.position == self.buffer.len() {
                self.buffer.clear();
                self.position = 0;
            } else if self.position > 64 * 1024 {
                self.buffer.drain(..self.position);
                self.position = 0;
            }
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes that are held: read and not yet given out.
    pub(crate) fn held(&self) -> usize {
        let pending: usize = self.pending.as_ref().map_or(0, |pending| pending.taken);
        self.buffer.len() - self.position + pending
    }

    /// Bytes read and not yet looked at, for `qbuf` in CLIENT LIST.
    pub(crate) fn unread(&self) -> usize {
        self.buffer.len() - self.position
    }

    /// The bytes not yet looked at.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer[self.position..]
    }

    /// The next request; `None` until more bytes come.
    pub(crate) fn next(&mut self, rules: Rules) -> Option<Frame> {
        if self.dead {
            return None;
        }
        loop {
            let step = if self.pending.is_some() {
                self.array(rules)
            } else {
                match self.rest().first() {
                    None => return None,
                    Some(b'*') => self.header(rules),
                    Some(_) => self.inline(),
                }
            };
            let stop = match step {
                Step::Again => continue,
                Step::Frame(frame) => {
                    if self.position == self.buffer.len() && self.buffer.capacity() > 64 * 1024 {
                        self.buffer = Vec::new();
                        self.position = 0;
                    }
                    return Some(frame);
                }
                Step::More if self.held() > rules.frame_bound => Stop::TooLarge(self.held()),
                Step::More => return None,
                Step::Stop(stop) => stop,
            };
            let mut raw = self.pending.take().map(|pending| pending.raw).unwrap_or_default();
            let room = RAW_BOUND - raw.len().min(RAW_BOUND);
            raw.extend(self.rest().iter().take(room));
            self.dead = true;
            self.buffer = Vec::new();
            self.position = 0;
            return Some(match stop {
                Stop::Broken(text) => Frame::Broken { text, raw },
                Stop::TooLarge(count) => Frame::TooLarge(count),
            });
        }
    }

    /// Where the CR of the current line is. The LF must have come, too, but is not looked at.
    fn line(&self) -> Line {
        let rest = self.rest();
        match find(rest, b'\r') {
            Some(at) if at + 1 < rest.len() => Line::At(at),
            Some(_) => Line::Incomplete,
            None if rest.len() > INLINE_BOUND => Line::TooLong,
            None => Line::Incomplete,
        }
    }

    fn header(&mut self, rules: Rules) -> Step {
        let at = match self.line() {
            Line::Incomplete => return Step::More,
            Line::TooLong => return Step::broken("too big mbulk count string"),
            Line::At(at) => at,
        };
        let count = number(&self.rest()[1..at]);
        let restricted = rules.restricted;
        match count {
            Some(count) if count <= rules.max_arguments => {
                if count > UNAUTHENTICATED_ARGUMENTS && restricted {
                    return Step::broken("unauthenticated multibulk length");
                }
                self.position += at + 2;
                if count > 0 {
                    let raw = self.buffer[self.position - at - 2..self.position].to_vec();
                    let arguments = Vec::new();
                    self.pending = Some(Pending { left: count, bulk: None, arguments, taken: at + 2, raw });
                }
                Step::Again
            }
            _ => Step::broken("invalid multibulk length"),
        }
    }

    fn array(&mut self, rules: Rules) -> Step {
        let Some(mut pending) = self.pending.take() else { return Step::More };
        let step = self.fill(&mut pending, rules);
        if matches!(step, Step::Frame(_)) {
            let Pending { arguments, raw, taken, .. } = pending;
            return Step::Frame(Frame::Request { arguments, raw, length: taken });
        }
        self.pending = Some(pending);
        step
    }

    /// Reads what is there of an array; a frame, whatever it holds, says that all of it is.
    fn fill(&mut self, pending: &mut Pending, rules: Rules) -> Step {
        while pending.left > 0 {
            let length = match pending.bulk {
                Some(length) => length,
                None => {
                    let at = match self.line() {
                        Line::Incomplete => return Step::More,
                        Line::TooLong => return Step::broken("too big bulk count string"),
                        Line::At(at) => at,
                    };
                    let first = self.rest()[0];
                    if first != b'$' {
                        return Step::broken(&format!("expected '$', got '{}'", char::from(first)));
                    }
                    let length = match number(&self.rest()[1..at]) {
                        Some(length) if (0..=MAX_BULK).contains(&length) => length,
                        _ => return Step::broken("invalid bulk length"),
                    };
                    if length > UNAUTHENTICATED_BULK && rules.restricted {
                        return Step::broken("unauthenticated bulk length");
                    }
                    pending.keep(&self.rest()[..at + 2]);
                    self.position += at + 2;
                    pending.taken += at + 2;
                    length as usize
                }
            };
            if self.rest().len() < length + 2 {
                pending.bulk = Some(length);
                return Step::More;
            }
            pending.arguments.push(self.rest()[..length].to_vec());
            pending.keep(&self.rest()[..length + 2]);
            pending.bulk = None;
            pending.left -= 1;
            pending.taken += length + 2;
            self.position += length + 2;
            // An empty argument costs memory, too.
            if pending.taken + pending.arguments.len() * 24 > rules.frame_bound.saturating_mul(2) {
                return Step::Stop(Stop::TooLarge(pending.taken));
            }
        }
        Step::Frame(Frame::TooLarge(0))
    }

    fn inline(&mut self) -> Step {
        let rest = self.rest();
        let Some(end) = find(rest, b'\n') else {
            return if rest.len() > INLINE_BOUND {
                Step::broken("too big inline request")
            } else {
                Step::More
            };
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        match split(line) {
            None => Step::broken("unbalanced quotes in request"),
            Some(arguments) => {
                let raw = rest[..end + 1].to_vec();
                self.position += end + 1;
                if arguments.is_empty() {
                    Step::Again
                } else {
                    Step::Frame(Frame::Request { arguments, raw, length: end + 1 })
                }
            }
        }
    }
}

enum Step {
    More,
    Again,
    Frame(Frame),
    Stop(Stop),
}

impl Step {
    fn broken(text: &str) -> Step {
        Step::Stop(Stop::Broken(text.to_owned()))
    }
}

/// Where a byte is, as C's strchr finds it: not behind a NUL. So a line with one in it never ends.
fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().take_while(|byte| **byte != 0).position(|byte| *byte == wanted)
}

/// A decimal number as the product's string2ll reads it: no sign but a minus, no leading zeros, no spaces.
pub(crate) fn number(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits[0] == b'0' && text.len() > 1 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Splits an inline line as the product's sdssplitargs does; `None` where quotes do not balance.
pub(crate) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut i = 0;
    let space = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c);
    loop {
        while i < line.len() && space(line[i]) {
            i += 1;
        }
        if i >= line.len() {
            return Some(words);
        }
        let mut word = Vec::new();
        let mut quote = None;
        loop {
            let Some(&byte) = line.get(i) else {
                if quote.is_some() {
                    return None;
                }
                break;
            };
            match quote {
                Some(b'"') => match byte {
                    b'\\' => {
                        let hex = |at: usize| line.get(at).and_then(|byte| char::from(*byte).to_digit(16));
                        match (line.get(i + 1), hex(i + 2), hex(i + 3)) {
                            (Some(b'x'), Some(high), Some(low)) => {
                                word.push((high * 16 + low) as u8);
                                i += 3;
                            }
                            (Some(&escaped), ..) => {
                                word.push(match escaped {
                                    b'n' => b'\n',
                                    b'r' => b'\r',
                                    b't' => b'\t',
                                    b'b' => 0x08,
                                    b'a' => 0x07,
                                    other => other,
                                });
                                i += 1;
                            }
                            _ => word.push(b'\\'),
                        }
                    }
                    b'"' => {
                        if line.get(i + 1).is_some_and(|next| !space(*next)) {
                            return None;
                        }
                        i += 1;
                        break;
                    }
                    other => word.push(other),
                },
                Some(_) => match byte {
                    b'\\' if line.get(i + 1) == Some(&b'\'') => {
                        word.push(b'\'');
                        i += 1;
                    }
                    b'\'' => {
                        if line.get(i + 1).is_some_and(|next| !space(*next)) {
                            return None;
                        }
                        i += 1;
                        break;
                    }
                    other => word.push(other),
                },
                None => match byte {
                    b'"' | b'\'' => quote = Some(byte),
                    byte if space(byte) => {
                        i += 1;
                        break;
                    }
                    other => word.push(other),
                },
            }
            i += 1;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Vec<Frame> {
        let mut framer = Framer::default();
        framer.push(bytes);
        std::iter::from_fn(|| framer.next(Rules::default())).collect()
    }

    /// How much of what is wrong has come already depends on the split; everything else must not.
    fn without_rest(frame: Frame) -> Frame {
        match frame {
            Frame::Broken { text, .. } => Frame::Broken { text, raw: Vec::new() },
            other => other,
        }
    }

    fn request(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    fn frame(words: &[&str], raw: &[u8]) -> Frame {
        Frame::Request { arguments: request(words), raw: raw.to_vec(), length: raw.len() }
    }

    fn errors(bytes: &[u8]) -> String {
        match &all(bytes)[..] {
            [Frame::Broken { text, .. }] => text.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn arrays_and_lines_mix_and_pipeline() {
        let frames = all(b"PING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n\r\n*0\r\nSET a \"x\\x41\\n\" 'it\\'s'\n");
        assert_eq!(
            frames,
            vec![
                frame(&["PING"], b"PING\r\n"),
                frame(&["GET", "k"], b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
                frame(&["SET", "a", "xA\n", "it's"], b"SET a \"x\\x41\\n\" 'it\\'s'\n"),
            ]
        );
    }

    #[test]
    fn errors_are_the_products() {
        assert_eq!(errors(b"*x\r\n"), "invalid multibulk length");
        assert_eq!(errors(b"*3000000000\r\n"), "invalid multibulk length");
        assert_eq!(errors(b"*1\r\n+PING\r\n"), "expected '$', got '+'");
        assert_eq!(errors(b"*1\r\n$-1\r\n"), "invalid bulk length");
        assert_eq!(errors(b"*1\r\n$536870913\r\n"), "invalid bulk length");
        assert_eq!(errors(b"SET a \"b\r\n"), "unbalanced quotes in request");
        assert_eq!(errors(&vec![b'a'; 65_537]), "too big inline request");
        assert_eq!(errors(&[&b"*"[..], &vec![b'1'; 65_537]].concat()), "too big mbulk count string");
        assert_eq!(errors(&[&b"*1\r\n$"[..], &vec![b'1'; 65_537]].concat()), "too big bulk count string");
        let old = Rules { max_arguments: 1024 * 1024, restricted: true, ..Rules::default() };
        for (bytes, text) in [
            (&b"*1048577\r\n"[..], "invalid multibulk length"),
            (b"*11\r\n", "unauthenticated multibulk length"),
            (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
        ] {
            let mut framer = Framer::default();
            framer.push(bytes);
            assert_eq!(framer.next(old), Some(Frame::Broken { text: text.to_owned(), raw: bytes.to_vec() }));
            framer.push(b"PING\r\n");
            assert_eq!(framer.next(old), None, "nothing is read after a protocol error");
        }
    }

    #[test]
    fn a_request_over_our_bound_ends_and_frees_its_bytes() {
        let rules = Rules { frame_bound: 1000, ..Rules::default() };
        let mut framer = Framer::default();
        framer.push(b"*2\r\n$3\r\nSET\r\n$536870912\r\n");
        assert_eq!(framer.next(rules), None);
        framer.push(&[b'a'; 2000]);
        assert!(matches!(framer.next(rules), Some(Frame::TooLarge(held)) if held > 1000));
        assert_eq!(framer.held(), 0);
        // Empty arguments are counted with what they cost.
        let mut framer = Framer::default();
        framer.push(b"*100000\r\n");
        for _ in 0..100 {
            framer.push(&b"$0\r\n\r\n".repeat(10));
            if let Some(frame) = framer.next(rules) {
                assert!(matches!(frame, Frame::TooLarge(_)));
                return;
            }
        }
        panic!("a hundred thousand empty arguments were taken");
    }

    /// Bytes that look enough like the protocol to get deep.
    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"*".to_vec()),
            Just(b"$".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n".to_vec()),
            Just(b"\"".to_vec()),
            "[0-9]{1,3}".prop_map(String::into_bytes),
            "[a-zA-Z ]{1,8}\r\n".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..12),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_frames(bytes in wire(), cuts in proptest::collection::vec(0usize..400, 0..12)) {
            let whole: Vec<Frame> = all(&bytes).into_iter().map(without_rest).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut framer = Framer::default();
            let mut frames = Vec::new();
            let mut from = 0;
            for cut in cuts {
                framer.push(&bytes[from..cut]);
                from = cut;
                while let Some(frame) = framer.next(Rules::default()) {
                    frames.push(without_rest(frame));
                }
                prop_assert!(framer.held() <= bytes.len());
            }
            prop_assert_eq!(frames, whole);
        }

        #[test]
        fn an_encoded_vector_comes_back(words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8)) {
            let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
            for word in &words {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
            let length = bytes.len();
            prop_assert_eq!(all(&bytes), vec![Frame::Request { arguments: words, raw: bytes, length }]);
        }
    }
}

//! A terminal session as asciicast v2 (<https://docs.asciinema.org/manual/asciicast/v2/>): a header line and
//! one line per thing that happened, which `asciinema play` shows again. Pure: the caller has the clock and
//! puts the lines where they belong.
//!
//! ```
//! use decnet_logging::asciicast::{Asciicast, Header};
//!
//! let header = Header { width: 80, height: 24, timestamp: 1_795_000_000, env: vec![("TERM".into(), "xterm".into())] };
//! let (mut cast, line) = Asciicast::new(&header);
//! assert_eq!(line, "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1795000000,\"env\":{\"TERM\":\"xterm\"}}\n");
//! assert_eq!(cast.output(1_500_000, b"$ \xc3"), "[1.500000,\"o\",\"$ \"]\n");
//! assert_eq!(cast.output(1_600_000, b"\xa9\r\n"), "[1.600000,\"o\",\"é\\r\\n\"]\n");
//! ```

use std::fmt::Write as _;

use crate::text::write_json_escaped;

/// Bytes of one recording. Beyond, a last line says that there was more.
pub const RECORDING_LIMIT: usize = 16 * 1024 * 1024;

/// Characters of a name or a value of the environment, and how many there are.
const ENV_LIMIT: usize = 256;
const ENV_COUNT: usize = 16;

/// What the client's terminal was when the recording began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: u16,
    /// Lines.
    pub height: u16,
    /// When it began: seconds since 1970-01-01 UTC.
    pub timestamp: i64,
    /// Of the environment: `TERM`, `SHELL`.
    pub env: Vec<(String, String)>,
}

/// What happened in a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    Output,
    Input,
    Resize,
    Marker,
}

/// Writes the lines of one recording.
#[derive(Clone, Debug)]
pub struct Asciicast {
    output: Utf8,
    input: Utf8,
    /// Microseconds of the last line: time never goes back in a recording.
    last: u64,
    /// Bytes of all lines.
    written: usize,
    full: bool,
}

impl Asciicast {
    /// Begins a recording; gives its first line.
    pub fn new(header: &Header) -> (Asciicast, String) {
        let Header { width, height, timestamp, env } = header;
        let mut line =
            format!("{{\"version\":2,\"width\":{width},\"height\":{height},\"timestamp\":{timestamp}");
        if !env.is_empty() {
            line.push_str(",\"env\":{");
            for (index, (name, value)) in env.iter().take(ENV_COUNT).enumerate() {
                line.push_str(if index > 0 { ",\"" } else { "\"" });
                write_json_escaped(&mut line, cut(name));
                line.push_str("\":\"");
                write_json_escaped(&mut line, cut(value));
                line.push('"');
            }
            line.push('}');
        }
        line.push_str("}\n");
        let written = line.len();
        (Asciicast { output: Utf8::default(), input: Utf8::default(), last: 0, written, full: false }, line)
    }

    /// What the terminal showed, `at` microseconds after the beginning. Gives the line, or nothing where the
    /// bytes are only the beginning of a character.
    pub fn output(&mut self, at: u64, bytes: &[u8]) -> String {
        let text = self.output.push(bytes);
        self.line(at, Code::Output, &text)
    }

    /// What was typed.
    pub fn input(&mut self, at: u64, bytes: &[u8]) -> String {
        let text = self.input.push(bytes);
        self.line(at, Code::Input, &text)
    }

    /// The terminal has another size.
    pub fn resize(&mut self, at: u64, width: u16, height: u16) -> String {
        self.line(at, Code::Resize, &format!("{width}x{height}"))
    }

    /// Ends it: what was cut in the middle of a character is shown as such.
    pub fn finish(&mut self, at: u64) -> String {
        let (output, input) = (self.output.rest(), self.input.rest());
        self.line(at, Code::Output, output) + &self.line(at, Code::Input, input)
    }

    fn line(&mut self, at: u64, code: Code, text: &str) -> String {
        if text.is_empty() || self.full {
            return String::new();
        }
        self.last = self.last.max(at);
        let line = written(self.last, code, text);
        let end = || written(self.last, Code::Marker, "the recording ends here: it is too long");
        if self.written + line.len() + end().len() > RECORDING_LIMIT {
            self.full = true;
            return end();
        }
        self.written += line.len();
        line
    }
}

fn written(at: u64, code: Code, text: &str) -> String {
    let code = match code {
        Code::Output => 'o',
        Code::Input => 'i',
        Code::Resize => 'r',
        Code::Marker => 'm',
    };
    let mut line = String::with_capacity(text.len() + 24);
    // Writing to a String cannot fail.
    let _ = write!(line, "[{}.{:06},\"{code}\",\"", at / 1_000_000, at % 1_000_000);
    write_json_escaped(&mut line, text);
    line.push_str("\"]\n");
    line
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(ENV_LIMIT).map_or(text, |(end, _)| &text[..end])
}

/// Bytes that come in pieces, as text: a character that is split between two pieces stays one.
#[derive(Clone, Debug, Default)]
struct Utf8 {
    /// The beginning of a character: at most three bytes.
    begun: Vec<u8>,
}

impl Utf8 {
    fn push(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let invalid = chunk.invalid();
            // At the end it may go on in the next piece; anywhere else it does not.
            if chunks.peek().is_none() && is_beginning(invalid) {
                self.begun = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push('\u{fffd}');
            }
        }
        text
    }

    fn rest(&mut self) -> &'static str {
        if std::mem::take(&mut self.begun).is_empty() { "" } else { "\u{fffd}" }
    }
}

/// Whether bytes are the beginning of a character and not just wrong.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn played(lines: &str) -> Vec<(f64, String, String)> {
        lines
            .lines()
            .map(|line| {
                let value: Value = serde_json::from_str(line).unwrap();
                let text = |index: usize| value[index].as_str().unwrap().to_owned();
                (value[0].as_f64().unwrap(), text(1), text(2))
            })
            .collect()
    }

    #[test]
    fn a_session_reads_back() {
        let env = vec![("TERM".to_owned(), "xterm\"\n".to_owned()), ("SHELL".into(), "/bin/bash".into())];
        let header = Header { width: 120, height: 40, timestamp: 1_795_000_000, env };
        let (mut cast, first) = Asciicast::new(&header);
        let first: Value = serde_json::from_str(&first).unwrap();
        assert_eq!((&first["version"], &first["width"]), (&2.into(), &120.into()));
        assert_eq!((&first["height"], &first["timestamp"]), (&40.into(), &1_795_000_000.into()));
        assert_eq!(first["env"]["TERM"], "xterm\"\n");
        let mut lines = cast.output(250_000, b"root@srv:~# ");
        lines += &cast.input(1_000_000, b"id\r");
        lines += &cast.output(900_000, "\u{1b}[31mé漢".as_bytes());
        lines += &cast.resize(2_000_001, 100, 30);
        lines += &cast.output(3_000_000, b"\xff\xf0\x9f");
        lines += &cast.finish(4_000_000);
        assert!(lines.contains("\\u001b[31m"), "a recording is safe on a terminal until it is played");
        let expected = [
            (0.25, "o", "root@srv:~# "),
            (1.0, "i", "id\r"),
            (1.0, "o", "\u{1b}[31mé漢"),
            (2.000_001, "r", "100x30"),
            (3.0, "o", "\u{fffd}"),
            (4.0, "o", "\u{fffd}"),
        ];
        let expected = expected.map(|(at, code, text)| (at, code.to_owned(), text.to_owned()));
        assert_eq!(played(&lines), expected);
    }

    #[test]
    fn a_recording_is_bounded_and_says_so() {
        let (mut cast, first) =
            Asciicast::new(&Header { env: vec![("x".repeat(9999), "y".into()); 99], ..Header::default() });
        assert!(first.len() < ENV_COUNT * ENV_LIMIT * 2);
        let mut length = first.len();
        let mut last = String::new();
        for at in 0..1000 {
            let line = cast.output(at, &[1; 10_000]);
            length += line.len();
            last = if line.is_empty() { last } else { line };
        }
        assert!(length <= RECORDING_LIMIT && length > RECORDING_LIMIT - 200_000, "{length}");
        assert_eq!(played(&last)[0].1, "m");
        assert_eq!(cast.finish(9999), "");
    }

    proptest! {
        #[test]
        fn where_it_is_cut_changes_no_character(text in "\\PC{0,40}", noise in proptest::collection::vec(any::<u8>(), 0..20), sizes in proptest::collection::vec(1usize..5, 1..60)) {
            let mut bytes = text.into_bytes();
            bytes.extend(noise);
            let (mut cast, _) = Asciicast::new(&Header::default());
            let (mut lines, mut rest, mut sizes) = (String::new(), &bytes[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (part, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                lines += &cast.output(0, part);
                rest = after;
            }
            lines += &cast.finish(0);
            let all: String = played(&lines).into_iter().map(|(_, _, text)| text).collect();
            prop_assert_eq!(all, String::from_utf8_lossy(&bytes));
        }
    }
}

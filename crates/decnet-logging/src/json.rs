//! JSON that stays on its line.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::text::{is_line_safe, write_json_escaped};

/// Compact JSON in which also those characters are escaped that some readers take for the end of a line or
/// that turn text around on a terminal ([`crate::text::is_unsafe`]); serde_json alone escapes only C0.
struct LineSafe;

impl Formatter for LineSafe {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if is_line_safe(text) {
            return out.write_all(text.as_bytes());
        }
        // A fragment holds neither quotes nor backslashes: serde_json hands those over as escapes.
        let mut escaped = String::with_capacity(text.len() + 16);
        write_json_escaped(&mut escaped, text);
        out.write_all(escaped.as_bytes())
    }
}

/// Appends a value as one line of JSON, without the line feed.
///
/// # Errors
/// What the value's own `Serialize` refuses; none of this crate's types does. `out` is left as it was.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let start = out.len();
    let result = value.serialize(&mut Serializer::with_formatter(&mut *out, LineSafe));
    if result.is_err() {
        out.truncate(start);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_a_line() {
        let text = "a\"\\\n\u{85}\u{2028}\u{7f}\u{202e}é";
        let mut out = Vec::new();
        encode_into(text, &mut out).unwrap();
        let json = String::from_utf8(out).unwrap();
        assert_eq!(json, r#""a\"\\\n\u0085\u2028\u007f\u202eé""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}

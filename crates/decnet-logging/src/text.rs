//! Text that an intruder chose: which characters are dangerous to lines and terminals, and how they are
//! shown.

use std::fmt;
use std::fmt::Write as _;

/// Whether a character must never stand as itself in a line or on a terminal: controls of both blocks
/// (also NUL, line feed, escape, U+0085), the line and paragraph separators, what turns or hides text
/// (bidirectional controls, zero-width characters, byte order mark, language tags).
pub fn is_unsafe(c: char) -> bool {
    match c {
        ' '..='~' => false,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{feff}' => true,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => c.is_control(),
    }
}

/// Whether a text holds no [`is_unsafe`] character.
pub fn is_line_safe(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~')) || !text.chars().any(is_unsafe)
}

/// Writes a text as the inside of a JSON string (RFC 8259 section 7) that is line-safe: `"`, `\` and every
/// [`is_unsafe`] character are escaped, so any JSON reader gives the exact text back.
pub fn write_json_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => write_unicode_escape(out, c),
            c => out.push(c),
        }
    }
}

/// `\u0085`; beyond the Basic Multilingual Plane a surrogate pair, as RFC 8259 wants.
fn write_unicode_escape(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// How many bytes [`write_json_escaped`] makes of a character.
pub(crate) fn json_escaped_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if is_unsafe(c) => 6 * c.len_utf16(),
        c => c.len_utf8(),
    }
}

/// Shows intruder text to a person: unsafe characters escaped (`\n`, `\x1b`, `\u{2028}`), a backslash
/// doubled, at most `limit` characters, then `…`.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    text: &'a str,
    limit: usize,
}

/// Shows a text, at most `limit` characters of it.
pub fn shown(text: &str, limit: usize) -> Shown<'_> {
    Shown { text, limit }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, c) in self.text.chars().enumerate() {
            if index == self.limit {
                return f.write_char('…');
            }
            match c {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c if is_unsafe(c) => write!(f, "\\u{{{:x}}}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_shown_not_sent() {
        assert_eq!(shown("a\x1b[31m\r\n\0", 99).to_string(), "a\\x1b[31m\\r\\n\\x00");
        assert_eq!(shown("a\u{85}\u{2028}\u{202e}", 99).to_string(), "a\\u{85}\\u{2028}\\u{202e}");
        assert_eq!(shown("C:\\temp é 漢", 99).to_string(), "C:\\\\temp é 漢");
        assert_eq!(shown("abcdef", 3).to_string(), "abc…");
        assert_eq!(shown("abc", 3).to_string(), "abc");
    }

    proptest! {
        #[test]
        fn escaped_text_is_safe_and_any_json_reader_gives_it_back(text in ".{0,40}|[\\x00-\\x9f\\u{2028}\\u{e0001}\"\\\\]{0,40}") {
            let mut escaped = String::new();
            write_json_escaped(&mut escaped, &text);
            prop_assert!(is_line_safe(&escaped));
            prop_assert_eq!(escaped.len(), text.chars().map(json_escaped_len).sum::<usize>());
            prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{escaped}\"")).unwrap(), text);
        }

        #[test]
        fn shown_text_is_safe(text in any::<String>()) {
            prop_assert!(is_line_safe(&shown(&text, 30).to_string()));
        }
    }
}

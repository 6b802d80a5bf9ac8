//! What is wrong with a request, and where it stands.
//!
//! Reading and resolving never stop at the first problem: they return everything they found, each with a
//! stable code, the offending value in the message, its place, and what to do.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// A text that was read, kept so that a place in it can be shown.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The name shown to the user: the path as it was typed.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A source ready to be shared by spans.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into() })
    }

    /// Line and column, both from 1, of a byte offset; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq)]
pub enum Origin {
    /// A range of bytes of a file.
    File {
        /// The file.
        source: Arc<Source>,
        /// Bytes of its text.
        range: Range<usize>,
    },
    /// A command line flag, with its dashes.
    Flag(&'static str),
    /// Made by a program that builds a request by hand.
    Program,
}

impl Origin {
    /// A place in a file.
    pub fn file(source: &Arc<Source>, range: Range<usize>) -> Origin {
        Origin::File { source: Arc::clone(source), range }
    }
}

impl fmt::Display for Origin {
    /// `file:line:column`, or the flag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { source, range } => {
                let (line, column) = source.position(range.start);
                write!(f, "{}:{line}:{column}", source.name)
            }
            Origin::Flag(flag) => f.write_str(flag),
            Origin::Program => f.write_str("request"),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub origin: Origin,
}

impl<T> Spanned<T> {
    /// Joins a value with its place.
    pub fn new(value: T, origin: Origin) -> Self {
        Spanned { value, origin }
    }
}

impl Spanned<String> {
    /// The value as text.
    pub fn as_str(&self) -> &str {
        &self.value
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing; nothing needs doing.
    Note,
    /// It works, perhaps not as meant.
    Warning,
    /// No plan can be made of it.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// A second place that belongs to a diagnostic, such as the first of two duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub origin: Origin,
    /// What stands there, in a few words.
    pub label: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub level: Level,
    /// Stable, dotted, lower case: `config.unknown-key`. Scripts match on it; it never changes meaning.
    pub code: &'static str,
    /// One sentence, lower case, no full stop, with the offending value.
    pub message: String,
    /// Where.
    pub origin: Origin,
    /// Further places.
    pub related: Vec<Related>,
    /// What to do, where there is something to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A new diagnostic without help or further places.
    pub fn new(level: Level, code: &'static str, origin: Origin, message: impl Into<String>) -> Self {
        Diagnostic { level, code, message: message.into(), origin, related: Vec::new(), help: None }
    }

    /// An error.
    pub fn error(code: &'static str, origin: Origin, message: impl Into<String>) -> Self {
        Self::new(Level::Error, code, origin, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, origin: Origin, message: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, origin, message)
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a second place.
    #[must_use]
    pub fn related(mut self, origin: Origin, label: impl Into<String>) -> Self {
        self.related.push(Related { origin, label: label.into() });
        self
    }
}

impl fmt::Display for Diagnostic {
    /// `place: level: message [code]`, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {} [{}]", self.origin, self.level, self.message, self.code)
    }
}

/// Whether any of `diagnostics` forbids going on.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|diagnostic| diagnostic.level == Level::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters() {
        let source = Source::new("fleet.ini", "é = 1\n[a]\nb = c\n");
        let text = &source.text;
        assert_eq!(source.position(text.find('1').unwrap()), (1, 5));
        assert_eq!(source.position(text.find('c').unwrap()), (3, 5));
        assert_eq!(source.position(1), (1, 1), "the middle of a character is its start");
        assert_eq!(source.position(9999), (4, 1));
    }

    #[test]
    fn one_line_names_place_level_and_code() {
        let source = Source::new("fleet.ini", "[a]\nb = c\n");
        let diagnostic =
            Diagnostic::error("config.unknown-key", Origin::file(&source, 4..5), "unknown key `b`");
        assert_eq!(diagnostic.to_string(), "fleet.ini:2:1: error: unknown key `b` [config.unknown-key]");
    }
}

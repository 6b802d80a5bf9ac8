//! What is wrong with a request, and where it stands.
//!
//! Reading and resolving never stop at the first problem: they return everything they found, each with a
//! stable code, the offending value in the message, its place, and what to do.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use serde::{Serialize, Serializer};

/// A text that was read, kept so that a place in it can be shown.
#[derive(Debug)]
pub struct Source {
    /// The name shown to the user: the path as it was typed.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where each line starts, made when a place is first asked for: a file with ten thousand mistakes has
    /// tens of thousands of places, and counting its lines anew for each would take minutes.
    lines: OnceLock<Vec<usize>>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Source {}

impl Source {
    /// A source ready to be shared by spans.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        Arc::new(Source { name: name.into(), text: text.into(), lines: OnceLock::new() })
    }

    /// The byte offset at which each line starts; a text that ends with a line feed has an empty last line.
    pub fn line_starts(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let feeds = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            std::iter::once(0).chain(feeds.map(|(at, _)| at + 1)).collect()
        })
    }

    /// The line of a byte offset, from 0.
    pub fn line_of(&self, offset: usize) -> usize {
        // The first line starts at 0, so at least one start is not beyond the offset.
        self.line_starts().partition_point(|start| *start <= offset).saturating_sub(1)
    }

    /// Line and column, both from 1, of a byte offset; columns count characters, and a byte order mark at
    /// the start is none.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.line_of(offset);
        let line_text = &self.text[self.line_starts()[line]..offset];
        let shown =
            if line == 0 { line_text.strip_prefix('\u{feff}').unwrap_or(line_text) } else { line_text };
        (line + 1, shown.chars().count() + 1)
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

impl Origin {
    /// Flags before files, a file from top to bottom, and what a program made last.
    fn order(&self) -> (u8, &str, usize, usize) {
        match self {
            Origin::Flag(flag) => (0, flag, 0, 0),
            Origin::File { source, range } => (1, &source.name, range.start, range.end),
            Origin::Program => (2, "", 0, 0),
        }
    }

    /// The place as the JSON form shows it.
    fn place(&self) -> Place<'_> {
        match self {
            Origin::File { source, range } => {
                let (line, column) = source.position(range.start);
                let (end_line, end_column) = source.position(range.end);
                Place {
                    file: Some(&source.name),
                    line: Some(line),
                    column: Some(column),
                    end_line: Some(end_line),
                    end_column: Some(end_column),
                    flag: None,
                }
            }
            Origin::Flag(flag) => Place { flag: Some(flag), ..Place::default() },
            Origin::Program => Place::default(),
        }
    }
}

/// Either the six members of a place in a file or a flag; what does not apply is null, so that every
/// object has the same members.
#[derive(Default, Serialize)]
struct Place<'a> {
    file: Option<&'a str>,
    line: Option<usize>,
    column: Option<usize>,
    end_line: Option<usize>,
    end_column: Option<usize>,
    flag: Option<&'a str>,
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

impl Serialize for Related {
    /// `{"label", "file", "line", "column", "end_line", "end_column", "flag"}`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            label: &'a str,
            #[serde(flatten)]
            place: Place<'a>,
        }
        Form { label: &self.label, place: self.origin.place() }.serialize(serializer)
    }
}

impl Serialize for Diagnostic {
    /// `{"level", "code", "message", "file", "line", "column", "end_line", "end_column", "flag", "related",
    /// "help"}`: lines and columns from 1, the end excluded, null where there is none.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Form<'a> {
            level: Level,
            code: &'a str,
            message: &'a str,
            #[serde(flatten)]
            place: Place<'a>,
            related: &'a [Related],
            help: Option<&'a str>,
        }
        Form {
            level: self.level,
            code: self.code,
            message: &self.message,
            place: self.origin.place(),
            related: &self.related,
            help: self.help.as_deref(),
        }
        .serialize(serializer)
    }
}

/// Sorts by place: flags, then each file from top to bottom; at one place the worst comes first.
pub fn sort_by_place(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(|a, b| (a.origin.order(), b.level, a.code).cmp(&(b.origin.order(), a.level, b.code)));
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
        let marked = Source::new("fleet.ini", "\u{feff}[a]\nb = c\n");
        assert_eq!(marked.position(3), (1, 1), "a byte order mark is no column");
        assert_eq!(marked.position(7), (2, 1));
        assert_eq!(source.line_starts(), [0, 7, 11, 17]);
        assert_eq!([0, 6, 7, 16, 17, 99].map(|offset| source.line_of(offset)), [0, 0, 1, 2, 3, 3]);
    }

    #[test]
    fn json_has_every_member_and_both_places() {
        let source = Source::new("fleet.ini", "[a]\n[a]\n");
        let diagnostic = Diagnostic::error("config.duplicate-section", Origin::file(&source, 4..7), "twice")
            .related(Origin::file(&source, 0..3), "first here")
            .help("remove one");
        assert_eq!(
            serde_json::to_value(&diagnostic).unwrap(),
            serde_json::json!({
                "level": "error", "code": "config.duplicate-section", "message": "twice",
                "file": "fleet.ini", "line": 2, "column": 1, "end_line": 2, "end_column": 4, "flag": null,
                "related": [{
                    "label": "first here", "file": "fleet.ini",
                    "line": 1, "column": 1, "end_line": 1, "end_column": 4, "flag": null,
                }],
                "help": "remove one",
            })
        );
        let flag = Diagnostic::warning("x", Origin::Flag("--subnet"), "y");
        let value = serde_json::to_value(&flag).unwrap();
        assert_eq!((&value["flag"], &value["file"]), (&"--subnet".into(), &serde_json::Value::Null));
    }

    #[test]
    fn sorting_goes_by_place_then_severity() {
        let source = Source::new("fleet.ini", "[a]\nb = c\n");
        let at = |start| Origin::file(&source, start..start + 1);
        let mut found = vec![
            Diagnostic::error("e", Origin::Program, ""),
            Diagnostic::error("d", at(4), ""),
            Diagnostic::warning("c", at(0), ""),
            Diagnostic::error("b", at(0), ""),
            Diagnostic::error("a", Origin::Flag("--seed"), ""),
        ];
        sort_by_place(&mut found);
        assert_eq!(found.iter().map(|one| one.code).collect::<String>(), "abcde");
    }

    #[test]
    fn one_line_names_place_level_and_code() {
        let source = Source::new("fleet.ini", "[a]\nb = c\n");
        let diagnostic =
            Diagnostic::error("config.unknown-key", Origin::file(&source, 4..5), "unknown key `b`");
        assert_eq!(diagnostic.to_string(), "fleet.ini:2:1: error: unknown key `b` [config.unknown-key]");
    }
}

//! The line pass over an INI text: what every line is and where its parts stand.
//!
//! rust-ini, which parses, knows no positions, takes `:` for a separator, never sees a comment behind a
//! value, and joins what it does not understand to the next key without a word. So this pass goes first.
//! It removes comments, finds the place of every section, key and value, reports each line that rust-ini
//! would swallow or misread, and writes the rest down as a clean text with one line for each line of the
//! original.

use std::ops::Range;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Origin, Source};

/// What the pass found.
#[derive(Debug, Default)]
pub(super) struct LineIndex {
    /// The sections in order.
    pub(super) sections: Vec<IndexedSection>,
    /// The text for rust-ini, line for line.
    pub(super) cleaned: String,
}

/// A section header and the entries below it.
#[derive(Debug)]
pub(super) struct IndexedSection {
    /// The name between the brackets, trimmed.
    pub(super) name: Range<usize>,
    /// The brackets and what is between them.
    pub(super) header: Range<usize>,
    /// Its entries in order.
    pub(super) entries: Vec<IndexedEntry>,
}

/// `key = value`.
#[derive(Debug)]
pub(super) struct IndexedEntry {
    /// The key, trimmed.
    pub(super) key: Range<usize>,
    /// The value, trimmed; without its quotes if it was quoted.
    pub(super) value: Range<usize>,
    /// The comment behind it, from its mark to the end of the line.
    pub(super) comment: Option<Range<usize>>,
}

/// Reads `source` line by line.
pub(super) fn index(source: &Arc<Source>, diagnostics: &mut Vec<Diagnostic>) -> LineIndex {
    let text = source.text.as_str();
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut pass = Pass { source, diagnostics, index: LineIndex::default() };
    let mut offset = start;
    for line in text[start..].split_inclusive('\n') {
        let content = line.strip_suffix('\n').unwrap_or(line);
        let content = content.strip_suffix('\r').unwrap_or(content);
        pass.line(offset..offset + content.len());
        pass.index.cleaned.push('\n');
        offset += line.len();
    }
    pass.index
}

struct Pass<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Vec<Diagnostic>,
    index: LineIndex,
}

impl Pass<'_> {
    fn error(&mut self, code: &'static str, at: Range<usize>, message: String, help: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(code, Origin::file(self.source, at), message).help(help));
    }

    /// Reads one line, given without its line end.
    fn line(&mut self, whole: Range<usize>) {
        let source = Arc::clone(self.source);
        let text = source.text.as_str();
        let range = trimmed(text, whole.clone());
        let line = &text[range.clone()];
        if line.is_empty() || line.starts_with(['#', ';']) {
            return;
        }
        if let Some((at, control)) = line.char_indices().find(|(_, c)| c.is_control() && *c != '\t') {
            let at = range.start + at;
            self.error(
                "config.control-character",
                at..at + control.len_utf8(),
                format!("the line holds the control character U+{:04X}", u32::from(control)),
                "remove it; an INI file has one entry on a line and no control characters",
            );
        } else if line.starts_with('[') {
            self.header(text, range);
        } else {
            self.entry(text, range, whole.start);
        }
    }

    /// Reads `[name]`.
    fn header(&mut self, text: &str, range: Range<usize>) {
        let line = &text[range.clone()];
        let inner_start = range.start + 1;
        let (name, header) = match line.find(']') {
            Some(close) => {
                let close = range.start + close;
                let rest = trimmed(text, close + 1..range.end);
                if !rest.is_empty() && !text[rest.clone()].starts_with(['#', ';']) {
                    let shown = &text[rest.clone()];
                    self.error(
                        "config.text-after-section",
                        rest,
                        format!("`{shown}` stands behind the section header"),
                        "put it on a line of its own, or `#` before a comment",
                    );
                }
                (trimmed(text, inner_start..close), range.start..close + 1)
            }
            None => {
                let end = comment_start(&text[inner_start..range.end])
                    .map_or(range.end, |comment| inner_start + comment);
                let name = trimmed(text, inner_start..end);
                let shown = &text[name.clone()];
                self.error(
                    "config.unclosed-section",
                    range.start..name.end,
                    format!("`[{shown}` has no closing bracket"),
                    format!("write `[{shown}]`"),
                );
                let header = range.start..name.end;
                (name, header)
            }
        };
        let shown = &text[name.clone()];
        self.index.cleaned.push('[');
        self.index.cleaned.push_str(shown);
        self.index.cleaned.push_str(guard(shown));
        self.index.cleaned.push(']');
        self.index.sections.push(IndexedSection { name, header, entries: Vec::new() });
    }

    /// Reads `key = value`; the line itself starts at `line_start`, before any white space.
    fn entry(&mut self, text: &str, range: Range<usize>, line_start: usize) {
        let line = &text[range.clone()];
        let comment = comment_start(line).unwrap_or(line.len());
        let Some(equals) = line.find('=').filter(|equals| *equals < comment) else {
            let stated = trimmed(text, range.start..range.start + comment);
            self.without_equals(text, stated, line_start);
            return;
        };
        let equals = range.start + equals;
        let key = trimmed(text, range.start..equals);
        let shown = &text[key.clone()];
        if shown.is_empty() {
            self.error(
                "config.empty-key",
                equals..equals + 1,
                "no key stands before the `=`".to_owned(),
                "write `key = value`",
            );
            return;
        }
        if shown.contains(':') {
            let help = instead_of_colon(&text[range.start..range.start + comment]);
            self.error("config.colon-in-key", key.clone(), format!("`{shown}` is no key"), help);
            return;
        }
        let Some((value, quote, comment)) = self.value(text, equals + 1..range.end) else { return };
        let Some(section) = self.index.sections.last_mut() else {
            self.error(
                "config.key-outside-section",
                key,
                format!("`{shown}` stands in no section"),
                "put a section header such as `[general]` above it",
            );
            return;
        };
        let cleaned = &mut self.index.cleaned;
        cleaned.push_str(shown);
        cleaned.push_str(" = ");
        write_value(cleaned, &text[value.clone()], quote);
        section.entries.push(IndexedEntry { key, value, comment });
    }

    /// Reads what stands right of the `=`: the value, the quote it had, and the comment.
    #[expect(clippy::type_complexity, reason = "used once, just above")]
    fn value(
        &mut self,
        text: &str,
        range: Range<usize>,
    ) -> Option<(Range<usize>, Option<char>, Option<Range<usize>>)> {
        let full = trimmed(text, range.clone());
        let Some(quote) = text[full.clone()].chars().next().filter(|first| matches!(first, '"' | '\''))
        else {
            let comment = comment_start(&text[range.clone()]).map(|at| range.start + at);
            let value = trimmed(text, range.start..comment.unwrap_or(range.end));
            return Some((value, None, comment.map(|at| at..range.end)));
        };
        let inner = full.start + 1;
        let Some(close) = text[inner..full.end].find(quote).map(|at| inner + at) else {
            self.error(
                "config.unclosed-quote",
                full.clone(),
                format!("`{}` has no closing quote", &text[full]),
                "close it on the same line; a value that begins with a quote itself goes in the other kind of quotes",
            );
            return None;
        };
        let comment = comment_start(&text[close + 1..full.end]).map(|at| close + 1 + at);
        let rest = trimmed(text, close + 1..comment.unwrap_or(full.end));
        if !rest.is_empty() {
            let shown = &text[rest.clone()];
            self.error(
                "config.text-after-quote",
                rest,
                format!("`{shown}` stands behind the closing quote"),
                "quote the whole value, in the other kind of quotes if it holds this one; `\\` escapes nothing",
            );
            return None;
        }
        Some((inner..close, Some(quote), comment.map(|at| at..full.end)))
    }

    fn without_equals(&mut self, text: &str, range: Range<usize>, line_start: usize) {
        let shown = &text[range.clone()];
        let help = if shown.contains(':') {
            instead_of_colon(shown)
        } else if range.start > line_start {
            "a value ends with its line; write it all behind its key".to_owned()
        } else {
            "write `key = value`, or `#` before a comment".to_owned()
        };
        self.error("config.text-without-equals", range, format!("`{shown}` has no `=`"), help);
    }
}

/// What to write for a line that uses `:` as the separator.
fn instead_of_colon(line: &str) -> String {
    let (key, value) = line.split_once(':').unwrap_or((line, ""));
    format!("only `=` separates a key from its value: `{} = {}`", key.trim(), value.trim())
}

/// The part of `range` that is left without white space at both ends.
fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..start + part.trim().len()
}

/// Where a comment begins: `#` or `;` after white space and before white space or the end, not within
/// quotes. A quote opens after anything but a letter or digit (so an apostrophe does not) and only if it
/// closes on the line.
fn comment_start(text: &str) -> Option<usize> {
    let mut before = None;
    let mut at = 0;
    while let Some(here) = text[at..].chars().next() {
        let after = at + here.len_utf8();
        match here {
            '"' | '\'' if !before.is_some_and(char::is_alphanumeric) => {
                if let Some(close) = text[after..].find(here) {
                    at = after + close + 1;
                    before = Some(here);
                    continue;
                }
            }
            '#' | ';'
                if before.is_some_and(char::is_whitespace)
                    && text[after..].chars().next().is_none_or(char::is_whitespace) =>
            {
                return Some(at);
            }
            _ => {}
        }
        before = Some(here);
        at = after;
    }
    None
}

/// Even with escapes off, rust-ini takes `\` together with the character after it, so a `\` at the end
/// would swallow the bracket or the line end. A space after it takes the blow and is trimmed away.
fn guard(text: &str) -> &'static str {
    if text.ends_with('\\') { " " } else { "" }
}

/// Writes a value so that rust-ini reads it back unchanged.
fn write_value(cleaned: &mut String, value: &str, quote: Option<char>) {
    let Some(quote) = quote else {
        cleaned.push_str(value);
        cleaned.push_str(guard(value));
        return;
    };
    // An odd run of `\` would take the closing quote with it: the last one goes behind the quote, where
    // rust-ini goes on with the same value.
    let run = value.len() - value.trim_end_matches('\\').len();
    let (inside, behind) = value.split_at(value.len() - run % 2);
    cleaned.push(quote);
    cleaned.push_str(inside);
    cleaned.push(quote);
    cleaned.push_str(behind);
    cleaned.push_str(guard(behind));
}

//! A config file as snippets of it are shown: any place found at once, and nothing in it that a terminal
//! would obey.
//!
//! miette's own `NamedSource` walks the text from its start for every place and wants a copy of it for every
//! diagnostic, which takes minutes where a generated file repeats one mistake ten thousand times.

use std::borrow::Cow;
use std::ops::Range;

use decnet_core::diagnostic::Source;
use decnet_logging::text::is_unsafe;
use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Bytes of the longest line that is shown. Of a longer one the message tells the value and the place.
const WIDEST: usize = 400;

/// A source that is fit to be shown.
pub(crate) struct Excerpt {
    /// Without byte order mark; whatever a terminal would obey is replaced, byte for byte.
    source: std::sync::Arc<Source>,
    /// Bytes of the byte order mark.
    mark: usize,
}

impl Excerpt {
    pub(crate) fn of(source: &Source) -> Excerpt {
        let text = source.text.strip_prefix('\u{feff}').unwrap_or(&source.text);
        let mark = source.text.len() - text.len();
        Excerpt { source: Source::new(harmless(&source.name), masked(text)), mark }
    }

    /// A range of the original text.
    pub(crate) fn range(&self, range: &Range<usize>) -> Range<usize> {
        range.start.saturating_sub(self.mark)..range.end.saturating_sub(self.mark)
    }

    /// Whether the lines around a range of [`Self::range`] are short enough to be shown.
    pub(crate) fn is_narrow(&self, range: &Range<usize>) -> bool {
        let lines = self.lines(range.start, range.end, 1);
        lines.clone().all(|line| self.start(line + 1) - self.start(line) <= WIDEST)
    }

    /// The lines of a range and as many before and after it.
    fn lines(&self, start: usize, end: usize, around: usize) -> Range<usize> {
        // The end is excluded: a range that ends with a line feed does not reach the line behind it.
        let last = self.source.line_of(end.saturating_sub(1).max(start));
        let all = self.source.line_starts().len();
        self.source.line_of(start).saturating_sub(around)..(last + 1 + around).min(all)
    }

    /// Where a line from 0 starts; the end of the text for the one behind the last.
    fn start(&self, line: usize) -> usize {
        self.source.line_starts().get(line).copied().unwrap_or(self.source.text.len())
    }
}

impl SourceCode for Excerpt {
    /// Asked for no line before the range, it starts with the range itself, as miette's own sources do.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = &self.source.text;
        let (start, end) = (span.offset(), span.offset().saturating_add(span.len()));
        if end > text.len() {
            return Err(MietteError::OutOfBounds);
        }
        let from = if before == 0 { start } else { self.start(self.lines(start, end, before).start) };
        let to = if after == 0 { end } else { self.start(self.lines(start, end, after).end) };
        let (line, column) = self.source.position(from);
        let data = text.as_bytes().get(from..to).ok_or(MietteError::OutOfBounds)?;
        let lines = self.lines(from, to, 0).len();
        Ok(Box::new(MietteSpanContents::new_named(
            self.source.name.clone(),
            data,
            (from, to - from).into(),
            line - 1,
            column - 1,
            lines,
        )))
    }
}

/// Text in one line, with what a terminal would obey as its escape: `\u{1b}`.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// The text with as many bytes in every place, but nothing that a terminal would obey.
fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' if letters.peek() == Some(&'\n') => shown.push(c),
            c if is_unsafe(c) => shown.push_str(match c.len_utf8() {
                1 => "?",
                2 => "\u{b7}",
                3 => "\u{fffd}",
                _ => "\u{fffd}?",
            }),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_obeys_is_masked_in_place() {
        let text = "a\u{1b}[31m\tb\r\nc\rd\u{85}e\u{202e}f\u{e0041}g\n";
        let shown = masked(text);
        assert_eq!(shown, "a?[31m\tb\r\nc?d\u{b7}e\u{fffd}f\u{fffd}?g\n");
        assert_eq!(shown.len(), text.len());
        assert_eq!(harmless("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert!(matches!(harmless("plain ü"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_place_is_shown_with_the_lines_around_it() {
        let excerpt = Excerpt::of(&Source::new("x.ini", "\u{feff}one\ntwo\nthree\nfour\n"));
        let two = excerpt.range(&(7..10));
        let piece = excerpt.read_span(&two.clone().into(), 1, 1).unwrap();
        assert_eq!(piece.data(), b"one\ntwo\nthree\n");
        assert_eq!((piece.line(), piece.column(), piece.line_count()), (0, 0, 3));
        let header = excerpt.read_span(&two.into(), 0, 0).unwrap();
        assert_eq!((header.data(), header.line(), header.column()), (&b"two"[..], 1, 0));
        assert!(excerpt.read_span(&(19, 1).into(), 1, 1).is_err());
        assert!(excerpt.read_span(&(19, 0).into(), 1, 1).is_ok(), "the end of the file is a place");
    }

    #[test]
    fn a_line_of_a_megabyte_is_not_shown() {
        let excerpt =
            Excerpt::of(&Source::new("x.ini", format!("[a]\nb = {}\n\n\nc\n", "x".repeat(1 << 20))));
        assert!(!excerpt.is_narrow(&(4..5)));
        assert!(!excerpt.is_narrow(&(0..3)), "the line below it is shown with it");
        let end = (1 << 20) + 11;
        assert!(excerpt.is_narrow(&(end..end)));
    }
}

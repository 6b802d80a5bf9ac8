//! Statements as text: cut apart, looked at word by word, before anything parses them.

use std::ops::Range;

/// What a word of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A name, a keyword, a number, a variable.
    Word,
    /// A text in `'` or `"`.
    Text,
    /// A name in backticks.
    Quoted,
    /// Anything else, one character.
    Sign,
    /// A text or comment without an end.
    Broken,
}

/// A word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// What it is.
    pub(crate) sort: Sort,
    /// Where, in bytes.
    pub(crate) at: Range<usize>,
}

/// Words of one statement that are looked at.
const WORDS: usize = 200_000;

/// Writes what stands in comments for this product as if it stood outside, in the same place: `/*!40101 … */`.
pub(crate) fn unwrap_comments(text: &str, release: u32, maria: bool) -> String {
    if !text.contains("/*!") && !text.contains("/*M!") {
        return text.to_owned();
    }
    let mut out = text.as_bytes().to_vec();
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut open = false;
    let mut quote = None;
    while at < bytes.len() {
        let rest = &bytes[at..];
        match quote {
            Some(mark) => {
                if rest[0] == b'\\' && mark != b'`' {
                    at += 1;
                } else if rest[0] == mark {
                    quote = None;
                }
                at += 1;
            }
            None if matches!(rest[0], b'\'' | b'"' | b'`') => {
                quote = Some(rest[0]);
                at += 1;
            }
            None if rest.starts_with(b"/*!") || (maria && rest.starts_with(b"/*M!")) => {
                let mark = if rest[2] == b'!' { 3 } else { 4 };
                let digits = rest[mark..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
                let number: u32 =
                    text.get(at + mark..at + mark + digits).and_then(|n| n.parse().ok()).unwrap_or(0);
                // MariaDB skips what is meant for MySQL 5.7 and later.
                let foreign = maria && mark == 3 && (50_700..100_000).contains(&number);
                if number <= release && !foreign {
                    out[at..at + mark + digits].fill(b' ');
                    open = true;
                    at += mark + digits;
                } else {
                    let end =
                        rest.windows(2).position(|pair| pair == b"*/").map_or(rest.len(), |end| end + 2);
                    out[at..at + end].fill(b' ');
                    at += end;
                }
            }
            None if open && rest.starts_with(b"*/") => {
                out[at..at + 2].fill(b' ');
                open = false;
                at += 2;
            }
            None => at += 1,
        }
    }
    // Only whole ASCII characters were written over, so this stays UTF-8.
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The words of a text, comments left out.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let bytes = text.as_bytes();
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() && words.len() < WORDS {
        let start = at;
        let rest = &bytes[at..];
        let sort = match rest[0] {
            byte if byte.is_ascii_whitespace() || byte == 0 => {
                at += 1;
                continue;
            }
            b'#' => {
                at += line(rest);
                continue;
            }
            b'-' if rest.starts_with(b"--")
                && rest.get(2).is_none_or(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) =>
            {
                at += line(rest);
                continue;
            }
            b'/' if rest.starts_with(b"/*") => match rest.windows(2).skip(2).position(|pair| pair == b"*/") {
                Some(end) => {
                    at += end + 4;
                    continue;
                }
                None => {
                    at = bytes.len();
                    Sort::Broken
                }
            },
            mark @ (b'\'' | b'"' | b'`') => {
                at += 1;
                let mut closed = false;
                while at < bytes.len() {
                    let byte = bytes[at];
                    if byte == b'\\' && mark != b'`' {
                        at += 2;
                        continue;
                    }
                    at += 1;
                    if byte == mark {
                        if bytes.get(at) == Some(&mark) {
                            at += 1;
                            continue;
                        }
                        closed = true;
                        break;
                    }
                }
                at = at.min(bytes.len());
                match (closed, mark) {
                    (false, _) => Sort::Broken,
                    (true, b'`') => Sort::Quoted,
                    (true, _) => Sort::Text,
                }
            }
            byte if is_word(byte) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                Sort::Word
            }
            _ => {
                at += 1;
                Sort::Sign
            }
        };
        words.push(Word { sort, at: start..at });
    }
    words
}

fn line(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@') || byte >= 0x80
}

/// One statement: its text, and its words with places in that text.
#[derive(Clone, Debug)]
pub(crate) struct Statement<'a> {
    /// Its text, without the semicolon.
    pub(crate) text: &'a str,
    /// Its words.
    pub(crate) words: Vec<Word>,
    /// Where it starts in the whole text.
    pub(crate) start: usize,
}

/// Cuts a text at its semicolons. Nothing but blanks and comments is no statement.
pub(crate) fn split(text: &str) -> Vec<Statement<'_>> {
    let all = words(text);
    let mut found = Vec::new();
    let mut from = 0;
    let mut held: Vec<Word> = Vec::new();
    let mut close = |held: &mut Vec<Word>, from: usize, to: usize| {
        if let Some(first) = held.first() {
            let start = first.at.start.max(from);
            let words = held
                .drain(..)
                .map(|word| Word { at: word.at.start - start..word.at.end - start, ..word })
                .collect();
            found.push(Statement { text: &text[start..to], words, start });
        }
    };
    for word in all {
        if word.sort == Sort::Sign && &text[word.at.clone()] == ";" {
            close(&mut held, from, word.at.start);
            from = word.at.end;
        } else {
            held.push(word);
        }
    }
    close(&mut held, from, text.len());
    found
}

impl<'a> Statement<'a> {
    /// From a text of one statement.
    pub(crate) fn of(text: &'a str) -> Statement<'a> {
        Statement { text, words: words(text), start: 0 }
    }

    /// The text of a word.
    pub(crate) fn word(&self, index: usize) -> &'a str {
        self.words.get(index).map_or("", |word| &self.text[word.at.clone()])
    }

    /// Whether the words from `index` on are these, without regard to case.
    pub(crate) fn is(&self, index: usize, expected: &[&str]) -> bool {
        expected.iter().enumerate().all(|(offset, word)| self.word(index + offset).eq_ignore_ascii_case(word))
    }

    /// The first place of a word outside of texts, at or after `index`.
    pub(crate) fn find(&self, index: usize, expected: &str) -> Option<usize> {
        (index..self.words.len())
            .find(|at| self.words[*at].sort != Sort::Text && self.word(*at).eq_ignore_ascii_case(expected))
    }

    /// The text from a word on.
    pub(crate) fn from(&self, index: usize) -> &'a str {
        self.words.get(index).map_or("", |word| &self.text[word.at.start..])
    }

    /// A name or a text, without its marks.
    pub(crate) fn name(&self, index: usize) -> String {
        let Some(word) = self.words.get(index) else { return String::new() };
        plain(word.sort, self.word(index))
    }

    /// A name of one or two parts at `index`: the parts, and the index behind them.
    pub(crate) fn path(&self, index: usize) -> (Vec<String>, usize) {
        let mut parts = vec![self.name(index)];
        let mut next = index + 1;
        while self.word(next) == "." && next + 1 < self.words.len() {
            parts.push(self.name(next + 1));
            next += 2;
        }
        (parts, next)
    }
}

/// A name or text without its marks and escapes.
pub(crate) fn plain(sort: Sort, text: &str) -> String {
    if !matches!(sort, Sort::Text | Sort::Quoted) {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut inner = text.chars();
    let mark = inner.next();
    inner.next_back();
    while let Some(letter) = inner.next() {
        if letter == '\\' && sort == Sort::Text {
            match inner.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('0') => out.push('\0'),
                Some(other) => out.push(other),
                None => {}
            }
            continue;
        }
        out.push(letter);
        if Some(letter) == mark {
            inner.next();
        }
    }
    out
}

/// The texts of the items of every SELECT in a statement.
pub(crate) fn items<'a>(statement: &Statement<'a>) -> Vec<&'a str> {
    const ENDS: &[&str] = &[
        "from",
        "where",
        "group",
        "having",
        "order",
        "limit",
        "union",
        "into",
        "procedure",
        "for",
        "except",
        "intersect",
    ];
    const SKIPPED: &[&str] = &[
        "distinct",
        "all",
        "distinctrow",
        "sql_no_cache",
        "sql_calc_found_rows",
        "straight_join",
        "high_priority",
        "sql_cache",
    ];
    let mut found = Vec::new();
    // Per bracket: where the item began, while a list of SELECT is open.
    let mut open: Vec<Option<usize>> = vec![None];
    for index in 0..statement.words.len() {
        let word = &statement.words[index];
        let text = statement.word(index);
        let lower = if word.sort == Sort::Word { text.to_ascii_lowercase() } else { String::new() };
        let close = |began: &mut Option<usize>, end: usize, found: &mut Vec<&'a str>| {
            if let Some(start) = began.take()
                && start < end
            {
                found.push(statement.text[start..end].trim());
            }
        };
        match (word.sort, text) {
            (Sort::Sign, "(") => open.push(None),
            (Sort::Sign, ")") => {
                if let Some(mut began) = open.pop() {
                    close(&mut began, word.at.start, &mut found);
                }
                if open.is_empty() {
                    open.push(None);
                }
            }
            (Sort::Sign, ",") => {
                if let Some(began) = open.last_mut()
                    && began.is_some()
                {
                    close(began, word.at.start, &mut found);
                    *began = Some(word.at.end);
                }
            }
            (Sort::Word, _) if lower == "select" => {
                if let Some(began) = open.last_mut() {
                    *began = Some(word.at.end);
                }
            }
            (Sort::Word, _) if SKIPPED.contains(&lower.as_str()) => {
                if let Some(Some(start)) = open.last_mut()
                    && statement.text[*start..word.at.start].trim().is_empty()
                {
                    *start = word.at.end;
                }
            }
            (Sort::Word, _) if ENDS.contains(&lower.as_str()) => {
                if let Some(began) = open.last_mut() {
                    close(began, word.at.start, &mut found);
                }
            }
            _ => {}
        }
    }
    for began in open.into_iter().flatten() {
        if began < statement.text.len() {
            found.push(statement.text[began..].trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statements_are_cut_at_semicolons_outside_of_texts() {
        let texts: Vec<&str> =
            split("select ';' ; -- ; x\n drop table `a;b`;;").iter().map(|s| s.text).collect();
        assert_eq!(texts, ["select ';' ", "drop table `a;b`"]);
        assert!(split(" ; /* x */ ; # y").is_empty());
    }

    #[test]
    fn comments_for_the_product_are_code() {
        let text = "/*!40101 SET NAMES utf8 */; /*!99999 X */ select 'a/*!1*/'";
        assert_eq!(
            unwrap_comments(text, 80_036, false),
            "         SET NAMES utf8   ;               select 'a/*!1*/'"
        );
    }

    #[test]
    fn items_of_every_select_are_found() {
        let statement = Statement::of(
            "SELECT  DISTINCT count( * ), a as b,(select max(x ) from t) FROM (select 1+ 1) q limit 2",
        );
        assert_eq!(items(&statement), ["count( * )", "a as b", "max(x )", "(select max(x ) from t)", "1+ 1"]);
    }

    #[test]
    fn names_and_texts_lose_their_marks() {
        let statement = Statement::of(r"use `a``b`.'it\'s' x");
        assert_eq!(statement.path(1), (vec!["a`b".to_owned(), "it's".to_owned()], 4));
        assert_eq!(statement.name(4), "x");
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[a-z0-9 ;'\"`/*!#,().\\\\ä-]{0,80}") {
            let unwrapped = unwrap_comments(&text, 80_036, true);
            prop_assert_eq!(unwrapped.len(), text.len());
            for statement in split(&unwrapped) {
                let _ = items(&statement);
                for index in 0..statement.words.len() {
                    let _ = statement.name(index);
                }
            }
        }
    }
}

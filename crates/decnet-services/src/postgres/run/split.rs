//! A text of statements taken apart at its semicolons, and statements at their words.

/// One of several statements: where it begins, in bytes, and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) offset: usize,
    pub(crate) text: &'a str,
}

/// The end of what begins at `at`: a quoted text, a comment, a dollar quote; or the next character's.
fn skip(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let after = |open: usize, close: &str| {
        rest[open..].find(close).map_or(text.len(), |end| at + open + end + close.len())
    };
    match rest.as_bytes() {
        [b'\'', ..] => quoted(text, at, at > 0 && matches!(text.as_bytes()[at - 1], b'e' | b'E')),
        [b'"', ..] => after(1, "\""),
        [b'-', b'-', ..] => after(2, "\n"),
        [b'/', b'*', ..] => after(2, "*/"),
        [b'$', ..] => match rest[1..].find('$') {
            Some(end)
                if rest[1..=end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                    && !rest.as_bytes()[1].is_ascii_digit() =>
            {
                let tag = &rest[..end + 2];
                after(tag.len(), tag)
            }
            _ => at + 1,
        },
        _ => at + rest.chars().next().map_or(1, char::len_utf8),
    }
}

/// The end of a text in single quotes.
fn quoted(text: &str, at: usize, escapes: bool) -> usize {
    let bytes = text.as_bytes();
    let mut here = at + 1;
    while here < bytes.len() {
        match bytes[here] {
            b'\\' if escapes => here += 2,
            b'\'' if bytes.get(here + 1) == Some(&b'\'') => here += 2,
            b'\'' => return here + 1,
            _ => here += 1,
        }
    }
    bytes.len()
}

/// Takes a text apart at the semicolons that stand outside of texts, comments and quoted bodies. What stands
/// behind the last one is a statement too, unless it is blank and there is another.
pub(crate) fn split(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < text.len() {
        if text.as_bytes()[at] == b';' {
            parts.push(Part { offset: start, text: &text[start..at] });
            start = at + 1;
            at += 1;
        } else {
            at = skip(text, at).min(text.len());
            while !text.is_char_boundary(at) {
                at += 1;
            }
        }
    }
    parts.push(Part { offset: start, text: &text[start..] });
    parts.retain(|part| !is_blank(part.text));
    parts
}

/// Whether there is nothing but space and comments.
pub(crate) fn is_blank(text: &str) -> bool {
    words(text).is_empty()
}

/// The words of a statement: names and keywords, texts in quotes with them, other characters alone.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let letter = rest.chars().next().unwrap_or(' ');
        if letter.is_whitespace() {
            at += letter.len_utf8();
            continue;
        }
        let name = |letter: char| letter.is_alphanumeric() || letter == '_';
        let end = if name(letter) {
            at + rest.find(|letter| !name(letter)).unwrap_or(rest.len())
        } else {
            let mut end = skip(text, at).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            end
        };
        let word = &text[at..end];
        if !word.starts_with("--") && !word.starts_with("/*") {
            out.push(word);
        }
        at = end.max(at + 1);
    }
    out
}

/// A word without its quotes, or in lower case without them.
pub(crate) fn name(word: &str) -> String {
    match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => word.to_lowercase(),
    }
}

/// The content of a text in quotes.
pub(crate) fn literal(word: &str) -> Option<String> {
    if let Some(inner) = word.strip_prefix('\'').and_then(|word| word.strip_suffix('\'')) {
        return Some(inner.replace("''", "'"));
    }
    let rest = word.strip_prefix('$')?;
    let tag = rest.find('$')?;
    rest.get(tag + 1..rest.len().checked_sub(tag + 2)?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn statements_end_at_semicolons() {
        let texts = |text| split(text).iter().map(|part| part.text.trim().to_owned()).collect::<Vec<_>>();
        assert_eq!(texts("select 1; select ';' ;"), ["select 1", "select ';'"]);
        assert_eq!(
            texts("select $$a;b$$; select 'it''s; ok' -- ;\n; "),
            ["select $$a;b$$", "select 'it''s; ok' -- ;"]
        );
        assert_eq!(texts("select $f$;$$;$f$, $1; /* ; */"), ["select $f$;$$;$f$, $1"]);
        assert_eq!(texts(" ; "), Vec::<String>::new());
        assert_eq!(texts("select E'a\\';b'; x"), ["select E'a\\';b'", "x"]);
    }

    #[test]
    fn words_are_names_texts_and_signs() {
        assert_eq!(
            words("COPY t(a) FROM PROGRAM 'id; x' -- y"),
            ["COPY", "t", "(", "a", ")", "FROM", "PROGRAM", "'id; x'"]
        );
        assert_eq!(literal("'it''s'").as_deref(), Some("it's"));
        assert_eq!(literal("$x$a$x$").as_deref(), Some("a"));
        assert_eq!((name("\"A\"\"b\""), name("AB")), ("A\"b".to_owned(), "ab".to_owned()));
    }

    proptest! {
        #[test]
        fn no_text_harms(text in "[a-z';\"$/*\\-ä\\\\ \\n]{0,60}") {
            let _ = (split(&text), words(&text), literal(&text));
        }
    }
}

//! Comma lists, with the place of each word.

use crate::diagnostic::{Diagnostic, Origin};
use crate::request::Text;

/// A word of a list and its place.
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) origin: Origin,
}

/// The words of a comma list; empty ones are left out.
pub(super) fn split(list: &Text) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut start = 0;
    for part in list.value.split(',') {
        let text = part.trim();
        if !text.is_empty() {
            let offset = start + (part.len() - part.trim_start().len());
            words.push(Word { text, origin: within(list, offset, text.len()) });
        }
        start += part.len() + 1;
    }
    words
}

/// The place of a part of a value: the exact bytes where the file holds the value as it is, else the value.
fn within(value: &Text, offset: usize, length: usize) -> Origin {
    match &value.origin {
        Origin::File { source, range } if source.text.get(range.clone()) == Some(value.as_str()) => {
            let start = range.start + offset;
            Origin::file(source, start..start + length)
        }
        origin => origin.clone(),
    }
}

/// An error about a word that should be one of `known`: with "did you mean", or else the known words if
/// they are few.
pub(super) fn unknown<'a>(
    code: &'static str,
    kind: &str,
    word: &Word<'_>,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let diagnostic = Diagnostic::error(code, word.origin.clone(), format!("`{}` is no {kind}", word.text));
    if let Some(help) = crate::suggest::did_you_mean(word.text, known.clone()) {
        return diagnostic.help(help);
    }
    let all: Vec<&str> = known.collect();
    match all.len() {
        0 => diagnostic,
        _ => diagnostic.help(format!("there are {}", all.join(", "))),
    }
}

/// A whole value as one word.
pub(super) fn whole(value: &Text) -> Word<'_> {
    Word { text: value.value.trim(), origin: value.origin.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Source, Spanned};

    #[test]
    fn words_have_their_own_places() {
        let source = Source::new("f.ini", "services = ssh, htp ,,ftp\n");
        let list = Spanned::new("ssh, htp ,,ftp".to_owned(), Origin::file(&source, 11..25));
        let found: Vec<String> =
            split(&list).iter().map(|word| format!("{} {}", word.origin, word.text)).collect();
        assert_eq!(found, ["f.ini:1:12 ssh", "f.ini:1:17 htp", "f.ini:1:23 ftp"]);
        let quoted = Spanned::new("a,b".to_owned(), Origin::file(&source, 0..5));
        assert!(split(&quoted).iter().all(|word| word.origin == quoted.origin));
    }
}

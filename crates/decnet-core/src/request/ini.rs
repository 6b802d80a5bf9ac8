//! Reading INI: rust-ini parses, the line index knows the places.

use std::sync::Arc;

use ini::{Ini, ParseOption};

use super::line_index::{self, IndexedSection};
use super::section_name::SectionName;
use super::sections::{Entry, Section, Value};
use crate::diagnostic::{Diagnostic, Origin, Source, Spanned};

/// The sections of `source`, in order.
pub(super) fn read(source: &Arc<Source>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Section> {
    let index = line_index::index(source, diagnostics);
    match parse(&index.cleaned) {
        Ok(parsed) => join(source, index.sections, parsed, diagnostics),
        Err(error) => {
            let start: usize =
                source.text.split_inclusive('\n').take(error.line.saturating_sub(1)).map(str::len).sum();
            let origin = Origin::file(source, start..start);
            diagnostics.push(Diagnostic::error("config.ini-syntax", origin, error.msg.into_owned()));
            Vec::new()
        }
    }
}

/// A section as rust-ini sees it: its name and its entries.
type Parsed = (String, Vec<(String, String)>);

fn parse(cleaned: &str) -> Result<Vec<Parsed>, ini::ParseError> {
    let options = ParseOption { enabled_quote: true, enabled_escape: false, ..ParseOption::default() };
    let ini = Ini::load_from_str_opt(cleaned, options)?;
    // The part before the first header comes first and without a name; the line pass left nothing in it.
    Ok(ini
        .iter()
        .filter_map(|(name, properties)| {
            let entries = properties.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            Some((name?.to_owned(), entries))
        })
        .collect())
}

/// Gives what rust-ini read the places of the line index. The two agree on every text (a property test
/// says so); should a later rust-ini read a line in another way, that is an error here and never a
/// silently different fleet.
fn join(
    source: &Arc<Source>,
    indexed: Vec<IndexedSection>,
    parsed: Vec<Parsed>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Section> {
    let at = |range: std::ops::Range<usize>| Origin::file(source, range);
    let mut disagree = |range: std::ops::Range<usize>, read: &str| {
        diagnostics.push(
            Diagnostic::error(
                "config.ini-syntax",
                at(range),
                format!("read as `{read}`, which does not stand here"),
            )
            .help("quote the value, and report this line as a defect"),
        );
    };
    let mut parsed = parsed.into_iter();
    let mut sections = Vec::with_capacity(indexed.len());
    for section in indexed {
        let (name, entries) = parsed.next().unwrap_or_default();
        if name != source.text[section.name.clone()] || entries.len() != section.entries.len() {
            disagree(section.header.clone(), &name);
        }
        let mut joined = Vec::with_capacity(section.entries.len());
        for (entry, (key, value)) in section.entries.into_iter().zip(entries) {
            if key != source.text[entry.key.clone()] || value != source.text[entry.value.clone()] {
                disagree(entry.key.clone(), &format!("{key} = {value}"));
            }
            joined.push(Entry {
                key: Spanned::new(key, at(entry.key)),
                origin: at(entry.value),
                value: Value::Plain(value),
                comment: entry.comment.map(at),
            });
        }
        sections.push(Section {
            name: section_name(source, section.name, name),
            header: at(section.header),
            entries: joined,
        });
    }
    sections
}

/// Splits `name.service` at its last dot.
fn section_name(source: &Arc<Source>, range: std::ops::Range<usize>, name: String) -> SectionName {
    match name.rfind('.') {
        Some(dot) if name.len() == range.len() => SectionName::Sub {
            owner: Spanned::new(name[..dot].to_owned(), Origin::file(source, range.start..range.start + dot)),
            service: Spanned::new(
                name[dot + 1..].to_owned(),
                Origin::file(source, range.start + dot + 1..range.end),
            ),
        },
        _ => SectionName::Whole(Spanned::new(name, Origin::file(source, range))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a text and says how rust-ini and the line index differ, if they do.
    fn disagreement(text: &str) -> Option<String> {
        let source = Source::new("x.ini", text);
        let mut diagnostics = Vec::new();
        let index = line_index::index(&source, &mut diagnostics);
        let of = |range: &std::ops::Range<usize>| source.text[range.clone()].to_owned();
        let ours: Vec<Parsed> = index
            .sections
            .iter()
            .map(|section| {
                let entries =
                    section.entries.iter().map(|entry| (of(&entry.key), of(&entry.value))).collect();
                (of(&section.name), entries)
            })
            .collect();
        match parse(&index.cleaned) {
            Ok(theirs) if theirs == ours => None,
            other => Some(format!("cleaned {:?}\nours {ours:?}\nrust-ini {other:?}", index.cleaned)),
        }
    }

    #[test]
    fn awkward_lines_are_read_alike() {
        for text in [
            "[a]\nk = C:\\\nj = 1\n",
            "[a]\nk = C:\\\\\nj = 1\n",
            "[a]\nk = \"C:\\\"\nj = 1\n",
            "[a]\nk = \"C:\\\\\"\nj = 1\n",
            "[a]\nk = '\\'\n",
            "[a\\]\nk = 1\n",
            "[a\\\\]\nk = 1\n",
            "[]\nk = 1\n[ ]\n",
            "[a]\nk\\ = 1\n",
            "[a]\nk =\nj = \"\"\n",
            "[a]\nk =#x\nj = ;x\n",
            "[a]\nk = 1\n[b]\nk = 2\n[a]\nk = 3\nk = 4\n",
            "[a]\nk = \u{2003}\"a\"\u{2003}\n",
            "[a]\nk = \u{2028}x\u{2028}\n",
            "[a]\nk = a\rb\n",
            "\u{feff}[a]\r\nk = 1\r\n",
            "[a]\n\u{feff}k = 1\n",
            "[a]\n   k = 1\n\tj = 2\n  cont\n",
            "[a]\nk = x=y:z\nk:j = 3\n",
            "[a]\nk = \"x\" \"y\"\nj = \"x\"y\n",
            "[a]\nk = \"x\ny\"\n",
            "k = 1\n[a]\n",
        ] {
            assert_eq!(disagreement(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_broken_agreement_is_an_error_and_no_other_fleet() {
        let source = Source::new("x.ini", "[a]\nk = 1\n");
        let mut diagnostics = Vec::new();
        let index = line_index::index(&source, &mut diagnostics);
        let wrong = vec![("a".to_owned(), vec![("k".to_owned(), "2".to_owned())])];
        join(&source, index.sections, wrong, &mut diagnostics);
        assert_eq!(
            diagnostics[0].to_string(),
            "x.ini:2:1: error: read as `k = 2`, which does not stand here [config.ini-syntax]"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn any_text_is_read_alike(text in any::<String>()) {
            prop_assert_eq!(disagreement(&text), None);
        }

        #[test]
        fn any_text_made_of_ini_is_read_alike(
            text in r#"([\[\]=:#;"'\\ \t\r\n.abk\-]|\r\n|\[a\]\n|k = |\u{feff}|\u{85}|\u{2028}|é){0,60}"#
        ) {
            prop_assert_eq!(disagreement(&text), None);
        }
    }
}

//! Reading TOML: tables become the same sections that INI gives.
//!
//! `[name.service]` is a table in a table here, so a table among the keys of `[name]` is a persona. A list
//! becomes `a, b`; the words of a command are quoted as a shell wants them.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned as TomlSpanned;
use toml::de::{DeString, DeTable, DeValue};

use super::Text;
use super::section_name::SectionName;
use super::sections::{Entry, Section, Value};
use crate::diagnostic::{Diagnostic, Origin, Source, Spanned};

/// What the TOML reader says of a key or table that is there already.
const DUPLICATE: &str = "duplicate key";

/// The sections of `source`, in order.
pub(super) fn read(source: &Arc<Source>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Section> {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let repeated = repeated_sections(source, &errors);
    for error in errors.iter().filter(|error| !within(source, error, &repeated)) {
        diagnostics.push(syntax_error(source, error));
    }
    let broken_lines = errors
        .iter()
        .filter(|error| error.message() != DUPLICATE)
        .filter_map(|error| Some(source.position(error.span()?.start).0))
        .collect();
    let mut reader = Reader { source, diagnostics, broken_lines };
    let mut sections = reader.root(root.get_ref());
    sections.sort_by_key(|section| match &section.header {
        Origin::File { range, .. } => range.start,
        Origin::Flag(_) | Origin::Program => 0,
    });
    sections
}

/// The lines from 0 of the headers that are there already.
fn repeated_sections(source: &Source, errors: &[toml::de::Error]) -> HashSet<usize> {
    let lines = errors.iter().filter(|error| error.message() == DUPLICATE);
    lines
        .filter_map(|error| Some(source.line_of(error.span()?.start)))
        .filter(|line| is_header(source, *line))
        .collect()
}

/// Whether it is a key of a repeated section. The TOML reader goes on with the first section then, and so
/// finds its keys there a second time: a consequence, which tells nobody anything.
fn within(source: &Source, error: &toml::de::Error, repeated: &HashSet<usize>) -> bool {
    let Some(line) = error.span().map(|span| source.line_of(span.start)) else { return false };
    let header = (0..=line).rev().find(|line| is_header(source, *line));
    error.message() == DUPLICATE && header.is_some_and(|header| header != line && repeated.contains(&header))
}

fn is_header(source: &Source, line: usize) -> bool {
    let start = source.line_starts().get(line).copied();
    start
        .and_then(|start| source.text.get(start..))
        .is_some_and(|line| line.trim_start_matches([' ', '\t']).starts_with('['))
}

/// An error of the TOML reader, whose duplicates get the codes that INI's have.
fn syntax_error(source: &Arc<Source>, error: &toml::de::Error) -> Diagnostic {
    let text = source.text.as_str();
    let span = error.span().unwrap_or(0..0);
    let origin = Origin::file(source, span.clone());
    let shown = text.get(span.clone()).unwrap_or_default();
    if error.message() != DUPLICATE {
        return Diagnostic::error("config.toml-syntax", origin, format!("not TOML: {}", error.message()))
            .help("see https://toml.io for how values are written; text stands in quotes");
    }
    let line_start =
        text.get(..span.start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    let header =
        line.trim_start().split_once(']').map(|(header, _)| header).filter(|line| line.starts_with('['));
    match header {
        Some(header) => {
            let diagnostic = Diagnostic::error(
                "config.duplicate-section",
                origin,
                format!("section `{header}]` stands here a second time"),
            );
            let first = earlier(text, line_start, |line| line.split(']').next() == Some(header));
            with_first(diagnostic, source, first).help("put all its keys into one section")
        }
        None => {
            let diagnostic = Diagnostic::error(
                "config.duplicate-key",
                origin,
                format!("`{shown}` stands here a second time"),
            );
            let first = earlier(text, line_start, |line| {
                line.split_once('=').is_some_and(|(key, _)| key.trim() == shown)
            });
            with_first(diagnostic, source, first).help("remove one of them")
        }
    }
}

/// The nearest line above `end` that fits, without its white space. The TOML reader keeps only the place
/// of a second one, so the first is looked up.
fn earlier(text: &str, end: usize, fits: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let mut start = 0;
    let mut found = None;
    for line in text[..end].split_inclusive('\n') {
        let trimmed = line.trim();
        if fits(trimmed) {
            let at = start + (line.len() - line.trim_start().len());
            found = Some(at..at + trimmed.len());
        }
        start += line.len();
    }
    found
}

fn with_first(diagnostic: Diagnostic, source: &Arc<Source>, first: Option<Range<usize>>) -> Diagnostic {
    match first {
        Some(first) => diagnostic.related(Origin::file(source, first), "first here"),
        None => diagnostic,
    }
}

struct Reader<'a> {
    source: &'a Arc<Source>,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Lines with a syntax error, from 1.
    broken_lines: HashSet<usize>,
}

impl Reader<'_> {
    fn at(&self, range: Range<usize>) -> Origin {
        Origin::file(self.source, range)
    }

    fn name(&self, key: &TomlSpanned<DeString<'_>>) -> Text {
        Spanned::new(key.get_ref().clone().into_owned(), self.at(key.span()))
    }

    fn root(&mut self, root: &DeTable<'_>) -> Vec<Section> {
        let mut sections = Vec::new();
        for (key, value) in root {
            let name = self.name(key);
            match value.get_ref() {
                DeValue::Table(table) => self.section(key, name, value.span(), table, &mut sections),
                DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
                    self.diagnostics.push(
                        Diagnostic::error(
                            "config.wrong-type",
                            name.origin,
                            format!("`[[{}]]` is a list of sections", name.value),
                        )
                        .help(format!("write `[{}]`; `amount` makes more of the same", name.value)),
                    );
                }
                _ => self.diagnostics.push(
                    Diagnostic::error(
                        "config.key-outside-section",
                        name.origin,
                        format!("`{}` stands in no section", name.value),
                    )
                    .help("put a section header such as `[general]` above it"),
                ),
            }
        }
        sections
    }

    /// Reads a table of the root and the persona tables in it.
    fn section(
        &mut self,
        key: &TomlSpanned<DeString<'_>>,
        name: Text,
        header: Range<usize>,
        table: &DeTable<'_>,
        sections: &mut Vec<Section>,
    ) {
        let mut entries = Vec::new();
        for (inner, value) in table {
            if let DeValue::Table(persona) = value.get_ref() {
                let service = self.name(inner);
                let entries = self.entries(persona);
                let header = self.header(value.span(), inner);
                let owner = name.clone();
                sections.push(Section { name: SectionName::Sub { owner, service }, header, entries });
            } else {
                entries.extend(self.entry(inner, value));
            }
        }
        entries.sort_by_key(Entry::position);
        // `[web.http]` alone makes a table `web` that nobody wrote; its place is that of its name.
        let written = header != key.span();
        if written || !entries.is_empty() {
            let header = self.header(header, key);
            sections.push(Section { name: split(name), header, entries });
        }
    }

    /// A header in brackets is shown whole; anything else (`web = { … }`, `web.ip = …`) by its key.
    fn header(&self, value: Range<usize>, key: &TomlSpanned<DeString<'_>>) -> Origin {
        let bracketed = self.source.text.get(value.clone()).is_some_and(|text| text.starts_with('['));
        self.at(if bracketed { value } else { key.span() })
    }

    fn entries(&self, table: &DeTable<'_>) -> Vec<Entry> {
        let mut entries: Vec<Entry> =
            table.iter().filter_map(|(key, value)| self.entry(key, value)).collect();
        entries.sort_by_key(Entry::position);
        entries
    }

    fn entry(&self, key: &TomlSpanned<DeString<'_>>, value: &TomlSpanned<DeValue<'_>>) -> Option<Entry> {
        // What stands on a line with an error was guessed by the TOML reader.
        let guessed = |line| self.broken_lines.contains(&line);
        if !self.broken_lines.is_empty() && guessed(self.source.position(key.span().start).0) {
            return None;
        }
        let key = self.name(key);
        Some(Entry { key, value: converted(value.get_ref()), origin: self.at(value.span()), comment: None })
    }
}

fn converted(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number.to_string()),
            Err(_) => Value::Other("a number out of range"),
        },
        // As it was written: 15.10 is a version before it is a number.
        DeValue::Float(number) if number.as_str().contains(|c: char| c.is_ascii_digit()) => {
            Value::Float(number.as_str().to_owned())
        }
        DeValue::Float(_) => Value::Other("no number"),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(_) => Value::Other("a date or time"),
        DeValue::Table(_) => Value::Other("a table"),
        DeValue::Array(items) => {
            let mut texts = Vec::with_capacity(items.len());
            for item in items.iter() {
                texts.push(match converted(item.get_ref()) {
                    Value::Plain(text) | Value::Text(text) | Value::Integer(text) | Value::Float(text) => {
                        text
                    }
                    Value::Boolean(value) => value.to_string(),
                    Value::List(_) | Value::Other(_) => {
                        return Value::Other("a list of something else than texts, numbers and booleans");
                    }
                });
            }
            Value::List(texts)
        }
    }
}

/// A quoted `["web.http"]` is what it is in INI.
fn split(name: Text) -> SectionName {
    match name.value.rsplit_once('.') {
        Some((owner, service)) => SectionName::Sub {
            owner: Spanned::new(owner.to_owned(), name.origin.clone()),
            service: Spanned::new(service.to_owned(), name.origin.clone()),
        },
        None => SectionName::Whole(name),
    }
}

impl Entry {
    fn position(&self) -> usize {
        match &self.key.origin {
            Origin::File { range, .. } => range.start,
            Origin::Flag(_) | Origin::Program => 0,
        }
    }
}

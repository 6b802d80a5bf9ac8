//! From sections, as INI and TOML both give them, to a request.
//!
//! | section | is |
//! |---|---|
//! | `[general]` | the LAN, the log, the engine |
//! | `[custom-SLUG]` | a service of the user's own |
//! | `[NAME]` | a decky or a group |
//! | `[NAME.SERVICE]` | persona values |

use std::collections::HashMap;

use super::schema::{self, Accepts, CUSTOM, GENERAL, GROUP, Key};
use super::section_name::{self, SectionName};
use super::{CustomSection, General, Group, PersonaSection, Request, Text};
use crate::diagnostic::{Diagnostic, Origin, Spanned};

/// One section.
#[derive(Debug)]
pub(super) struct Section {
    /// What stands between the brackets.
    pub(super) name: SectionName,
    /// Where the header stands.
    pub(super) header: Origin,
    /// The entries in order.
    pub(super) entries: Vec<Entry>,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// The key.
    pub(super) key: Text,
    /// The value.
    pub(super) value: Value,
    /// Where the value stands.
    pub(super) origin: Origin,
    /// The comment behind the value.
    pub(super) comment: Option<Origin>,
}

/// A value as the format gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// INI: text that may mean anything.
    Plain(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer, in decimal.
    Integer(String),
    /// A TOML float, as it was written.
    Float(String),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array of the above, as texts.
    List(Vec<String>),
    /// What no key takes, in words: "a table".
    Other(&'static str),
}

impl Value {
    const fn describe(&self) -> &'static str {
        match self {
            Value::Plain(_) | Value::Text(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number with a fraction",
            Value::Boolean(_) => "a boolean",
            Value::List(_) => "a list",
            Value::Other(description) => description,
        }
    }
}

/// Sorts the sections into a request and reports what fits nowhere.
pub(super) fn build(sections: Vec<Section>, diagnostics: &mut Vec<Diagnostic>) -> Request {
    let mut builder = Builder { request: Request::default(), seen: HashMap::new(), diagnostics };
    for section in sections {
        builder.section(section);
    }
    builder.request
}

struct Builder<'a> {
    request: Request,
    /// Where each section name was first.
    seen: HashMap<String, Origin>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Builder<'_> {
    fn section(&mut self, section: Section) {
        if let Some(diagnostic) = section_name::problem(&section) {
            self.diagnostics.push(diagnostic);
            return;
        }
        let full = section.name.full();
        let first = match self.seen.get(&full) {
            Some(first) => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "config.duplicate-section",
                        section.header.clone(),
                        format!("section `[{full}]` stands here a second time"),
                    )
                    .related(first.clone(), "first here")
                    .help("put all its keys into one section, or give this one another name"),
                );
                false
            }
            None => {
                self.seen.insert(full.clone(), section.header.clone());
                true
            }
        };
        // The keys of a second section are still judged, but only the first one counts.
        match section.name {
            SectionName::Whole(name) if name.value == "general" => {
                let mut general = General::default();
                self.fill(&full, section.entries, &GENERAL, &mut general);
                if first {
                    self.request.general = general;
                }
            }
            SectionName::Whole(name) => match name.value.strip_prefix("custom-") {
                Some(slug) => {
                    let slug = Spanned::new(slug.to_owned(), name.origin);
                    let mut custom = CustomSection { slug, binary: None, exec: None, ports: None };
                    self.fill(&full, section.entries, &CUSTOM, &mut custom);
                    if first {
                        self.request.customs.push(custom);
                    }
                }
                None => {
                    let mut group = Group::new(name);
                    self.fill(&full, section.entries, &GROUP, &mut group);
                    if first {
                        self.request.groups.push(group);
                    }
                }
            },
            SectionName::Sub { owner, service } => {
                let entries = self.persona(section.entries);
                if first {
                    self.request.personas.push(PersonaSection { owner, service, entries });
                }
            }
        }
    }

    /// Puts the entries of a section with known keys into their fields.
    fn fill<T>(&mut self, section: &str, entries: Vec<Entry>, keys: &'static [Key<T>], target: &mut T) {
        let mut seen: HashMap<&'static str, Origin> = HashMap::new();
        for entry in entries {
            let Some(key) = schema::find(keys, &entry.key.value) else {
                self.diagnostics.push(unknown_key(section, &entry, keys));
                continue;
            };
            if let Some(first) = seen.get(key.name) {
                self.diagnostics.push(duplicate_key(key.name, &entry, first));
                continue;
            }
            seen.insert(key.name, entry.key.origin.clone());
            if key.accepts == Accepts::Command {
                self.warn_of_comment(&entry);
            }
            let Some(text) = self.text(&entry, key.accepts) else { continue };
            if text.is_empty() && !key.may_be_empty {
                self.diagnostics.push(
                    Diagnostic::error(
                        "config.empty-value",
                        entry.key.origin,
                        format!("`{}` has no value", entry.key.value),
                    )
                    .help("give it a value, or remove the key"),
                );
                continue;
            }
            *(key.field)(target) = Some(Spanned::new(text, entry.origin));
        }
    }

    /// The entries of a persona. Which keys there are is the service's business; an empty value is one.
    fn persona(&mut self, entries: Vec<Entry>) -> Vec<(Text, Text)> {
        let mut seen: HashMap<String, Origin> = HashMap::new();
        let mut kept = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(first) = seen.get(&entry.key.value) {
                self.diagnostics.push(duplicate_key(&entry.key.value, &entry, first));
                continue;
            }
            seen.insert(entry.key.value.clone(), entry.key.origin.clone());
            self.warn_of_comment(&entry);
            if let Some(text) = self.text(&entry, Accepts::Any) {
                kept.push((entry.key, Spanned::new(text, entry.origin)));
            }
        }
        kept
    }

    /// Persona values and commands often hold a `;` that is meant.
    fn warn_of_comment(&mut self, entry: &Entry) {
        let Some(Origin::File { source, range }) = &entry.comment else { return };
        let comment = &source.text[range.clone()];
        if comment.starts_with(';') {
            self.diagnostics.push(
                Diagnostic::warning(
                    "config.comment-in-value",
                    Origin::file(source, range.clone()),
                    format!("`{comment}` was taken as a comment and is not part of `{}`", entry.key.value),
                )
                .help("quote the whole value to keep it, or write `#` before a comment"),
            );
        }
    }

    /// The value as text, if the key accepts its kind.
    fn text(&mut self, entry: &Entry, accepts: Accepts) -> Option<String> {
        let any = accepts == Accepts::Any;
        let text = match &entry.value {
            Value::Plain(text) | Value::Text(text) => Some(text.clone()),
            Value::Integer(number) if any || matches!(accepts, Accepts::Integer | Accepts::Ports) => {
                Some(number.clone())
            }
            Value::Float(number) if any => Some(number.clone()),
            Value::Boolean(value) if any || accepts == Accepts::Boolean => Some(value.to_string()),
            Value::List(words) if accepts == Accepts::Command => {
                Some(words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "))
            }
            Value::List(items) if any || matches!(accepts, Accepts::List | Accepts::Ports) => {
                if let Some(item) = items.iter().find(|item| item.contains(',')) {
                    self.diagnostics.push(
                        Diagnostic::error(
                            "config.comma-in-item",
                            entry.origin.clone(),
                            format!("the item `{item}` of `{}` holds a comma", entry.key.value),
                        )
                        .help("a comma separates items; give each an item of its own"),
                    );
                    return None;
                }
                Some(items.join(", "))
            }
            _ => None,
        };
        if text.is_none() {
            self.diagnostics.push(wrong_type(entry, accepts));
        }
        text
    }
}

/// A value of a kind that its key does not take.
fn wrong_type(entry: &Entry, accepts: Accepts) -> Diagnostic {
    /// Of a longer value the beginning is enough to know it by.
    const SHOWN: usize = 40;
    let key = entry.key.value.as_str();
    let written = match &entry.origin {
        Origin::File { source, range } => source.text.get(range.clone()).unwrap_or_default(),
        Origin::Flag(_) | Origin::Program => "",
    };
    let shown = match written.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &written[..end]),
        None => written.to_owned(),
    };
    Diagnostic::error(
        "config.wrong-type",
        entry.origin.clone(),
        format!("`{shown}`, the value of `{key}`, is {}", entry.value.describe()),
    )
    .help(format!("`{key}` takes {}", accepts.describe()))
}

/// Quotes a word so that a shell's way of splitting gives it back.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn duplicate_key(key: &str, entry: &Entry, first: &Origin) -> Diagnostic {
    Diagnostic::error(
        "config.duplicate-key",
        entry.key.origin.clone(),
        format!("`{key}` stands here a second time"),
    )
    .related(first.clone(), "first here")
    .help("remove one of them")
}

fn unknown_key<T>(section: &str, entry: &Entry, keys: &'static [Key<T>]) -> Diagnostic {
    let name = entry.key.value.as_str();
    let group = !section.starts_with("custom-") && section != "general";
    let help = if let Some(meant) = schema::meant(keys, name) {
        format!("did you mean `{meant}`?")
    } else if let Some((service, key)) = name.split_once('.').filter(|_| group) {
        format!("persona values stand in a section of their own: `[{section}.{service}]` with `{key}`")
    } else if schema::find(&GENERAL, name).is_some() {
        format!("`{name}` belongs in `[general]`")
    } else if schema::find(&GROUP, name).is_some() {
        format!("`{name}` belongs in the section of a decky or group")
    } else if schema::find(&CUSTOM, name).is_some() {
        format!("`{name}` belongs in a section `[custom-SLUG]`")
    } else {
        let known = schema::names(keys).collect::<Vec<_>>().join(", ");
        format!("`[{section}]` has the keys {known}")
    };
    Diagnostic::error(
        "config.unknown-key",
        entry.key.origin.clone(),
        format!("unknown key `{name}` in `[{section}]`"),
    )
    .help(help)
}

//! What a section may be called.
//!
//! A name is letters, digits, `-` and `_`, starts with a letter or digit and has at most
//! [`LONGEST_NAME`] characters, because it becomes part of container, network and file names. So it holds
//! no dot, and the one dot of a section name separates the service.

use super::Text;
use super::schema::{self, CUSTOM, GENERAL};
use super::sections::Section;
use crate::diagnostic::Diagnostic;

/// The most characters that a decky's, group's or service's name has.
pub const LONGEST_NAME: usize = 48;

/// What a section is called.
#[derive(Debug)]
pub(super) enum SectionName {
    /// Without a dot.
    Whole(Text),
    /// `owner.service`, split at the last dot.
    Sub {
        /// Before the dot.
        owner: Text,
        /// Behind it.
        service: Text,
    },
}

impl SectionName {
    /// As written between the brackets.
    pub(super) fn full(&self) -> String {
        match self {
            SectionName::Whole(name) => name.value.clone(),
            SectionName::Sub { owner, service } => format!("{}.{}", owner.value, service.value),
        }
    }
}

/// What is wrong with a name, as the second half of a sentence.
pub(crate) fn flaw(name: &str) -> Option<String> {
    let odd = name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'));
    if let Some(odd) = odd {
        return Some(format!("holds `{odd}`; a name is letters, digits, `-` and `_`"));
    }
    if name.starts_with(['-', '_']) {
        return Some("starts with neither a letter nor a digit".to_owned());
    }
    (name.len() > LONGEST_NAME).then(|| format!("is longer than {LONGEST_NAME} characters"))
}

/// Why the section is of no kind that there is, if it is not.
pub(super) fn problem(section: &Section) -> Option<Diagnostic> {
    let full = section.name.full();
    let unknown = |message: String, help: String| {
        Some(Diagnostic::error("config.unknown-section", section.header.clone(), message).help(help))
    };
    let empty = |message: String, help: &str| {
        Some(Diagnostic::error("config.empty-section-name", section.header.clone(), message).help(help))
    };
    let has = |key: &str| section.entries.iter().any(|entry| entry.key.value.replace('-', "_") == key);
    let looks_custom = schema::names(&CUSTOM).any(has);
    let kinds = "there are `[general]`, `[NAME]`, `[NAME.SERVICE]` and `[custom-SLUG]`";
    match &section.name {
        SectionName::Whole(name) => {
            let name = name.value.as_str();
            let general_only = || schema::names(&GENERAL).any(has);
            if name.is_empty() {
                return empty("the section has no name".to_owned(), kinds);
            }
            if name == "general" {
                return None;
            }
            let near = crate::suggest::closest(name, ["general"]).is_some();
            if name.eq_ignore_ascii_case("general") || (near && general_only()) {
                return unknown(
                    format!("unknown section `[{name}]`"),
                    "did you mean `[general]`?".to_owned(),
                );
            }
            if let Some(slug) = name.strip_prefix("custom-") {
                if slug.is_empty() {
                    return empty(
                        "`[custom-]` names no service".to_owned(),
                        "write the service's slug behind the dash: `[custom-myapp]`",
                    );
                }
                return match flaw(slug) {
                    Some(flaw) => unknown(format!("the slug `{slug}` {flaw}"), kinds.to_owned()),
                    None => None,
                };
            }
            if let Some(rest) = name.strip_prefix("custom").filter(|_| looks_custom) {
                let slug = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
                let slug = if slug.is_empty() { "SLUG" } else { slug };
                return unknown(
                    format!("unknown section `[{name}]`"),
                    format!("did you mean `[custom-{slug}]`?"),
                );
            }
            match flaw(name) {
                Some(flaw) => unknown(format!("the section name `{name}` {flaw}"), kinds.to_owned()),
                None => None,
            }
        }
        SectionName::Sub { owner, service } => {
            let (owner, service) = (owner.value.as_str(), service.value.as_str());
            if owner.is_empty() || service.is_empty() {
                let part = if owner.is_empty() { "decky before" } else { "service behind" };
                return empty(
                    format!("`[{full}]` names no {part} the dot"),
                    "write `[NAME.SERVICE]`: a decky or group, a dot, a service",
                );
            }
            if owner == "custom" && looks_custom {
                return unknown(
                    format!("unknown section `[{full}]`"),
                    format!("did you mean `[custom-{service}]`?"),
                );
            }
            if owner == "general" || owner.starts_with("custom-") {
                return unknown(
                    format!("`[{owner}]` has no subsections, so there is no `[{full}]`"),
                    "only a decky or group has: `[NAME.SERVICE]`".to_owned(),
                );
            }
            match flaw(owner).map(|flaw| (owner, flaw)).or_else(|| flaw(service).map(|flaw| (service, flaw)))
            {
                Some((name, flaw)) => unknown(format!("`{name}` in `[{full}]` {flaw}"), kinds.to_owned()),
                None => None,
            }
        }
    }
}

//! `[name.service]`: persona values, and to whom they belong.

use std::collections::{BTreeMap, HashMap};

use super::groups::{Group, Services};
use super::members::Members;
use super::services::Known;
use super::words;
use crate::diagnostic::{Diagnostic, Origin};
use crate::identity::OsFamily;
use crate::request::{PersonaSection, Text};
use crate::service::{KeyKind, PersonaKey, PersonaValues, ServiceDescriptor};

/// The values by group and by member.
#[derive(Default)]
pub(super) struct Personas {
    groups: HashMap<usize, BTreeMap<String, PersonaValues>>,
    members: HashMap<usize, BTreeMap<String, PersonaValues>>,
}

impl Personas {
    /// The values of one service of one member: the group's, overridden key by key by the member's own.
    pub(super) fn of(&self, member: usize, group: usize, slug: &str) -> PersonaValues {
        let of = |map: &HashMap<usize, BTreeMap<String, PersonaValues>>, at: usize| {
            map.get(&at).and_then(|services| services.get(slug)).cloned().unwrap_or_default()
        };
        let mut values = of(&self.groups, group);
        values.extend(of(&self.members, member));
        values
    }
}

/// Whether ssh or telnet is there without `users`.
pub(super) fn wants_account(services: &[&str], values: impl Fn(&str) -> PersonaValues) -> bool {
    ["ssh", "telnet"].iter().any(|slug| services.contains(slug) && !values(slug).contains_key("users"))
}

/// To whom a section speaks.
enum Owner {
    Group(usize),
    Member(usize),
}

pub(super) fn resolve(
    sections: &[PersonaSection],
    groups: &[Group<'_>],
    members: &Members<'_>,
    slugs: &[Vec<String>],
    known: &Known<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Personas {
    let mut personas = Personas::default();
    if sections.is_empty() {
        return personas;
    }
    let by_group: HashMap<&str, usize> =
        groups.iter().enumerate().map(|(at, group)| (group.name(), at)).collect();
    let by_member = members.by_name();
    for section in sections {
        let owner = section.owner.as_str();
        let owner = match (by_group.get(owner), by_member.get(owner)) {
            (Some(at), _) => Some(Owner::Group(*at)),
            (None, Some(at)) => Some(Owner::Member(*at)),
            (None, None) => {
                let known =
                    by_group_names(groups).chain(members.list.iter().map(|member| member.name.as_str()));
                let help = crate::suggest::did_you_mean(owner, known);
                let message = format!("there is no decky or group `{owner}`");
                let diagnostic =
                    Diagnostic::error("persona.unknown-owner", section.owner.origin.clone(), message);
                diagnostics.push(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic.help(format!("write a section `[{owner}]`, or leave this one out")),
                });
                None
            }
        };
        let slug = section.service.as_str();
        if !known.has(slug) {
            let word = words::whole(&section.service);
            diagnostics.push(words::unknown("service.unknown", "service", &word, known.slugs()));
            continue;
        }
        let Some(service) = known.builtin(slug) else {
            let message = format!("`{slug}` is a service of your own, and has no persona keys");
            let code = "persona.custom";
            diagnostics.push(Diagnostic::error(code, section.service.origin.clone(), message));
            continue;
        };
        let family = match &owner {
            Some(Owner::Group(at)) => Some(groups[*at].family),
            Some(Owner::Member(at)) => Some(groups[members.list[*at].group].family),
            None => None,
        };
        let values = values(section, service, family, diagnostics);
        let Some(owner) = owner else { continue };
        check_offered(section, &owner, groups, members, slugs, diagnostics);
        let of = match owner {
            Owner::Group(at) => personas.groups.entry(at).or_default(),
            Owner::Member(at) => personas.members.entry(at).or_default(),
        };
        of.entry(slug.to_owned()).or_default().extend(values);
    }
    personas
}

fn by_group_names<'g>(groups: &'g [Group<'_>]) -> impl Iterator<Item = &'g str> {
    groups.iter().map(|group| group.name())
}

/// A section is for a service that the decky has.
fn check_offered(
    section: &PersonaSection,
    owner: &Owner,
    groups: &[Group<'_>],
    members: &Members<'_>,
    slugs: &[Vec<String>],
    diagnostics: &mut Vec<Diagnostic>,
) {
    let slug = section.service.as_str();
    let (group, offered) = match owner {
        Owner::Group(at) => {
            let mut own = members.list.iter().zip(slugs).filter(|(member, _)| member.group == *at);
            (&groups[*at], own.any(|(_, slugs)| slugs.iter().any(|other| other == slug)))
        }
        Owner::Member(at) => (&groups[members.list[*at].group], slugs[*at].iter().any(|other| other == slug)),
    };
    if offered {
        return;
    }
    let name = section.owner.as_str();
    let at = section.service.origin.clone();
    diagnostics.push(match &group.services {
        Services::Random => Diagnostic::warning(
            "persona.missing-service",
            at,
            format!("`{slug}` was not drawn for `{name}`, so these values change nothing"),
        ),
        // A group whose own services are wrong has been told so.
        Services::Fixed(fixed) if fixed.is_empty() => return,
        Services::Fixed(fixed) => {
            Diagnostic::error("persona.missing-service", at, format!("`{name}` has no service `{slug}`"))
                .help(format!(
                    "it has {}; add `{slug}` to its `services` or leave this section out",
                    fixed.join(", ")
                ))
        }
    });
}

/// The values of a section by canonical key, those left out that are wrong.
fn values(
    section: &PersonaSection,
    service: &'static ServiceDescriptor,
    family: Option<OsFamily>,
    diagnostics: &mut Vec<Diagnostic>,
) -> PersonaValues {
    let mut values = PersonaValues::new();
    let mut written: BTreeMap<&str, &Text> = BTreeMap::new();
    for (name, value) in &section.entries {
        let slug = service.slug;
        let Some(key) = service.key(name.as_str()).or_else(|| service.key(&name.value.replace('-', "_")))
        else {
            let names = service.keys.iter().map(|key| key.name);
            let message = format!("{slug} has no persona key `{}`", name.value);
            let diagnostic = Diagnostic::error("persona.unknown-key", name.origin.clone(), message);
            let known: Vec<&str> = names.clone().collect();
            diagnostics.push(match crate::suggest::did_you_mean(name.as_str(), names) {
                Some(help) => diagnostic.help(help),
                None if known.is_empty() => diagnostic,
                None => diagnostic.help(format!("there are {}", known.join(", "))),
            });
            continue;
        };
        if let Some(first) = written.insert(key.name, name) {
            // One spelling written twice has been reported by the reader.
            if first.value != name.value {
                let message = format!("`{}` and `{}` are one key of {slug}", first.value, name.value);
                diagnostics.push(
                    Diagnostic::error("persona.duplicate-key", name.origin.clone(), message)
                        .related(first.origin.clone(), "the first one"),
                );
            }
            continue;
        }
        if let Err(flaw) = key.kind.check(&value.value) {
            let message = format!("`{}` of {slug}.{} {flaw}", value.value, key.name);
            diagnostics.push(Diagnostic::error("persona.value", value.origin.clone(), message));
            continue;
        }
        if let Some(family) = family {
            warn_contradiction(key, &value.value, family, &value.origin, diagnostics);
        }
        values.insert(key.name.to_owned(), value.value.clone());
    }
    values
}

/// Warns of a text that names another operating system than the decky's.
fn warn_contradiction(
    key: &PersonaKey,
    value: &str,
    family: OsFamily,
    at: &Origin,
    diagnostics: &mut Vec<Diagnostic>,
) {
    const WINDOWS: [&str; 4] = ["windows", "microsoft", "iis/", "win32"];
    const UNIX: [&str; 9] =
        ["ubuntu", "debian", "centos", "rocky", "fedora", "alpine", "freebsd", "linux", "red hat"];
    let shown = ["_version", "_banner", "_header", "_descr", "_server", "_string"];
    if key.kind != KeyKind::Text || !shown.iter().any(|end| key.name.ends_with(end)) {
        return;
    }
    let lower = value.to_ascii_lowercase();
    let named = |words: &[&'static str]| words.iter().copied().find(|word| lower.contains(word));
    let other = match family {
        OsFamily::Windows => named(&UNIX),
        OsFamily::Linux | OsFamily::Bsd | OsFamily::Cisco => named(&WINDOWS),
        OsFamily::Embedded => None,
    };
    if let Some(word) = other {
        let word = word.trim_end_matches('/');
        let message = format!("{} names {word}, and the decky claims to be {family}", key.name);
        diagnostics.push(
            Diagnostic::warning("persona.family", at.clone(), message)
                .help("the value is kept; `nmap_os` sets what the decky claims to be"),
        );
    }
}

//! Which ports the services of a decky answer on, and whether they can share a host.

use std::collections::HashSet;

use super::groups::Group;
use super::members::Member;
use super::services::Known;
use super::words;
use crate::diagnostic::Diagnostic;
use crate::identity::Identity;
use crate::service::{PersonaValues, Port, ServiceDescriptor};

/// Whether two services could never share a host: they declare one port, and neither leaves it to the other.
pub(super) fn contend(a: &ServiceDescriptor, b: &ServiceDescriptor) -> bool {
    let yields = |service: &ServiceDescriptor, to: &ServiceDescriptor, port: Port| {
        service.yields.iter().any(|(slug, given)| *slug == to.slug && given.clashes_with(port))
    };
    a.ports.iter().any(|port| {
        !yields(a, b, *port) && b.ports.iter().any(|other| other.clashes_with(*port) && !yields(b, a, *other))
    })
}

/// The ports of each service, in the order of `slugs`: declared, narrowed by the persona, less what it
/// leaves to another.
pub(super) fn of_decky(
    slugs: &[String],
    values: &[PersonaValues],
    identity: &Identity,
    known: &Known<'_>,
) -> Vec<Vec<Port>> {
    slugs
        .iter()
        .zip(values)
        .map(|(slug, values)| match (known.builtin(slug), known.custom(slug)) {
            (Some(service), _) => {
                let given = |port: &Port| {
                    service
                        .yields
                        .iter()
                        .any(|(to, given)| given.clashes_with(*port) && slugs.iter().any(|other| other == to))
                };
                let mut ports = service.ports_for(identity, values);
                ports.retain(|port| !given(port));
                ports
            }
            (None, Some(custom)) => custom.ports.clone(),
            (None, None) => Vec::new(),
        })
        .collect()
}

/// Clashes that have been reported: once for a group, however many members it has.
#[derive(Default)]
pub(super) struct Clashes {
    told: HashSet<(usize, String, String)>,
}

impl Clashes {
    pub(super) fn check(
        &mut self,
        member: &Member<'_>,
        group: &Group<'_>,
        slugs: &[String],
        ports: &[Vec<Port>],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        for (i, (first, firsts)) in slugs.iter().zip(ports).enumerate() {
            for (second, seconds) in slugs.iter().zip(ports).skip(i + 1) {
                let shared: Vec<String> = firsts
                    .iter()
                    .filter(|port| seconds.iter().any(|other| other.clashes_with(**port)))
                    .map(Port::to_string)
                    .collect();
                if shared.is_empty() || !self.told.insert((member.group, first.clone(), second.clone())) {
                    continue;
                }
                let section = group.section;
                let list = section.services.as_ref().or(section.archetype.as_ref()).unwrap_or(&section.name);
                let place = words::split(list).into_iter().find(|word| word.text == second);
                let origin = place.map_or_else(|| list.origin.clone(), |word| word.origin);
                let message = format!(
                    "services `{first}` and `{second}` of `{}` both want port {}",
                    group.name(),
                    shared.join(", ")
                );
                diagnostics.push(
                    Diagnostic::error("service.port-clash", origin, message)
                        .help("give them to two deckies, or leave one out"),
                );
            }
        }
    }
}

//! `[name]`: what a section says, judged.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::services::Known;
use super::{MOST_DECKIES, hosts, words};
use crate::address::MacAddress;
use crate::catalogue::{Archetype, Distro, Persona};
use crate::diagnostic::{Diagnostic, Origin};
use crate::identity::OsFamily;
use crate::request::{self, Text, flaw};
use crate::service::parse_bool;

/// A section, read. What is wrong in it has been reported and is replaced by what would stand there without
/// it, so that the rest can be judged.
pub(super) struct Group<'r> {
    pub(super) section: &'r request::Group,
    pub(super) amount: usize,
    pub(super) archetype: Option<&'static Archetype>,
    pub(super) family: OsFamily,
    /// Where `nmap_os` names one.
    pub(super) persona: Option<&'static Persona>,
    pub(super) services: Services,
    pub(super) distros: Distros,
    pub(super) ip: Option<(Ipv4Addr, Origin)>,
    pub(super) mac: Option<MacAddress>,
    pub(super) hostname: Option<hosts::Hostname>,
}

/// Where the services of a group come from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Services {
    /// These, sorted; none where there was an error.
    Fixed(Vec<String>),
    /// Drawn for each member.
    Random,
}

/// Where the distributions of a group come from.
pub(super) enum Distros {
    /// The user's list, cycled.
    Listed(Vec<&'static Distro>),
    /// Drawn for each member.
    Random,
    /// The archetype's list or all, cycled.
    Cycled(Vec<&'static Distro>),
}

impl Group<'_> {
    pub(super) fn name(&self) -> &str {
        self.section.name.as_str()
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.section.name.origin
    }

    /// Whether the user named the distributions.
    pub(super) fn names_distro(&self) -> bool {
        matches!(self.distros, Distros::Listed(_))
    }
}

pub(super) fn resolve<'r>(
    sections: &'r [request::Group],
    known: &Known<'_>,
    subnet: Option<Ipv4Net>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Group<'r>> {
    // Of the addresses of a LAN, three are no decky's: the network, the broadcast and the gateway. A LAN
    // that passed has four or more.
    let capacity = subnet.map_or(MOST_DECKIES, |subnet| {
        let addresses = 1u64 << (32 - u32::from(subnet.prefix_len()));
        usize::try_from(addresses - 3).unwrap_or(MOST_DECKIES).min(MOST_DECKIES)
    });
    let mut groups: Vec<Group<'r>> = Vec::with_capacity(sections.len());
    let mut total = 0usize;
    let mut told = false;
    for section in sections {
        let mut group = read(section, known, capacity, diagnostics);
        total += group.amount;
        if total > capacity && !told {
            told = true;
            let at = section.amount.as_ref().unwrap_or(&section.name);
            let message = match subnet {
                Some(subnet) => {
                    format!(
                        "with `{}` there are {total} deckies, and {subnet} has room for {capacity}",
                        group.name()
                    )
                }
                None => format!(
                    "with `{}` there are {total} deckies; at most {capacity} can be planned",
                    group.name()
                ),
            };
            diagnostics.push(
                Diagnostic::error("amount.too-many", at.origin.clone(), message)
                    .help("ask for fewer deckies or a wider network"),
            );
        }
        if told {
            // What follows is judged with one member each.
            group.amount = 1;
        }
        groups.push(group);
    }
    groups
}

fn read<'r>(
    section: &'r request::Group,
    known: &Known<'_>,
    capacity: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> Group<'r> {
    let catalogue = known.catalogue;
    if let Some(flaw) = flaw(section.name.as_str()) {
        let message = format!("name `{}` {flaw}", section.name.as_str());
        diagnostics.push(Diagnostic::error("name.invalid", section.name.origin.clone(), message));
    }
    let amount = section.amount.as_ref().map_or(1, |text| amount(text, capacity, diagnostics));
    let archetype = section.archetype.as_ref().and_then(|text| {
        let word = words::whole(text);
        let found = catalogue.archetype(word.text);
        if found.is_none() {
            let slugs = catalogue.archetypes().iter().map(|archetype| archetype.slug.as_str());
            diagnostics.push(words::unknown("archetype.unknown", "archetype", &word, slugs));
        }
        found
    });
    let claimed = section.nmap_os.as_ref().and_then(|text| claimed_os(text, known, diagnostics));
    let (family, persona) = match claimed {
        Some((family, persona)) => (family, persona),
        None => (archetype.map_or(OsFamily::Linux, |archetype| archetype.os), None),
    };
    let services = services(section, archetype, known, diagnostics);
    if let Services::Fixed(slugs) = &services {
        warn_incoherent(section, slugs, family, known, diagnostics);
    }
    let distros = distros(section, archetype, known, diagnostics);
    if let (Distros::Listed(list), Some(persona), OsFamily::Linux) = (&distros, persona, family) {
        for distro in list.iter().filter(|distro| !persona.rows.contains(&distro.slug)) {
            let at = section.nmap_os.as_ref().unwrap_or(&section.name);
            let message = format!("the packets of `{}` are not those of {}", persona.slug, distro.name);
            diagnostics.push(
                Diagnostic::warning("os.distro", at.origin.clone(), message)
                    .help("the decky shows a system that fits the packets; its container runs the distro"),
            );
        }
    }
    let mut group = Group {
        section,
        amount,
        archetype,
        family,
        persona,
        services,
        distros,
        ip: section.ip.as_ref().and_then(|text| ip(text, diagnostics)),
        mac: section.mac.as_ref().and_then(|text| hosts::mac(text, diagnostics)),
        hostname: section.hostname.as_ref().and_then(|text| hosts::hostname(text, diagnostics)),
    };
    only_one_member(&mut group, diagnostics);
    group
}

fn amount(text: &Text, capacity: usize, diagnostics: &mut Vec<Diagnostic>) -> usize {
    let value = text.value.trim();
    let mut error = |code, message: String| {
        diagnostics.push(
            Diagnostic::error(code, text.origin.clone(), message)
                .help(format!("a whole number from 1 to {capacity}")),
        );
        1
    };
    match value.parse::<usize>() {
        Ok(0) => error("amount.zero", "amount is 0, so there would be no decky".to_owned()),
        Ok(number) if number > capacity => error(
            "amount.too-many",
            format!("amount {number} is more than the {capacity} that there is room for"),
        ),
        Ok(number) => number,
        // So many digits are a number all the same.
        Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => error(
            "amount.too-many",
            format!("amount {value} is more than the {capacity} that there is room for"),
        ),
        Err(_) => error("amount.invalid", format!("amount `{value}` is not a number")),
    }
}

/// A fixed address, MAC address or host name can belong to one decky only.
fn only_one_member(group: &mut Group<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if group.amount <= 1 {
        return;
    }
    let section = group.section;
    for (code, key, text) in [
        ("amount.with-ip", "ip", &section.ip),
        ("amount.with-mac", "mac", &section.mac),
        ("amount.with-hostname", "hostname", &section.hostname),
    ] {
        let Some(text) = text else { continue };
        let message =
            format!("`{}` has {} members, and `{key}` can belong to one only", group.name(), group.amount);
        let mut diagnostic = Diagnostic::error(code, text.origin.clone(), message)
            .help(format!("leave out `{key}` or write a section for that decky alone"));
        if let Some(amount) = &section.amount {
            diagnostic = diagnostic.related(amount.origin.clone(), "the amount");
        }
        diagnostics.push(diagnostic);
    }
    group.ip = None;
    group.mac = None;
    group.hostname = None;
}

fn ip(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<(Ipv4Addr, Origin)> {
    match text.value.trim().parse() {
        Ok(address) => Some((address, text.origin.clone())),
        Err(_) => {
            let message = format!("ip `{}` is not an IPv4 address", text.value.trim());
            diagnostics.push(Diagnostic::error("address.invalid", text.origin.clone(), message));
            None
        }
    }
}

/// A family, or a persona and its family.
fn claimed_os(
    text: &Text,
    known: &Known<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(OsFamily, Option<&'static Persona>)> {
    let word = words::whole(text);
    if let Ok(family) = word.text.parse() {
        return Some((family, None));
    }
    let catalogue = known.catalogue;
    if let Some(persona) = catalogue.persona(word.text) {
        return Some((persona.family, Some(persona)));
    }
    let families = OsFamily::ALL.iter().map(|family| family.slug());
    let personas = catalogue.personas().map(|persona| persona.slug.as_str());
    diagnostics.push(words::unknown("os.unknown", "OS family or persona", &word, families.chain(personas)));
    None
}

fn switch(text: Option<&Text>, key: &str, code: &'static str, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let Some(text) = text else { return false };
    parse_bool(&text.value).unwrap_or_else(|| {
        let message = format!("{key} is `{}`, which is neither yes nor no", text.value);
        diagnostics.push(Diagnostic::error(code, text.origin.clone(), message));
        false
    })
}

fn services(
    section: &request::Group,
    archetype: Option<&'static Archetype>,
    known: &Known<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Services {
    let random =
        switch(section.randomize_services.as_ref(), "randomize_services", "service.randomize", diagnostics);
    let named = section.services.is_some() || archetype.is_some();
    if random && named {
        let at = section.randomize_services.as_ref().unwrap_or(&section.name);
        let what = if section.services.is_some() { "services" } else { "archetype" };
        let message = format!("`{what}` names the services of `{}`; none is drawn", section.name.as_str());
        diagnostics.push(Diagnostic::warning("service.randomize", at.origin.clone(), message));
    }
    if let Some(list) = &section.services {
        let mut slugs: Vec<String> = Vec::new();
        let words = words::split(list);
        if words.is_empty() {
            no_services(section, &list.origin, diagnostics);
        }
        for word in words {
            if !known.has(word.text) {
                diagnostics.push(words::unknown("service.unknown", "service", &word, known.slugs()));
            } else if slugs.iter().any(|slug| slug == word.text) {
                let message = format!("service `{}` stands here twice", word.text);
                diagnostics.push(Diagnostic::warning("service.duplicate", word.origin, message));
            } else {
                slugs.push(word.text.to_owned());
            }
        }
        slugs.sort();
        return Services::Fixed(slugs);
    }
    if let Some(archetype) = archetype {
        let mut slugs = archetype.services.clone();
        slugs.sort();
        // A program that links fewer services than the catalogue names still has a plan to make.
        for slug in slugs.extract_if(.., |slug| !known.has(slug)) {
            let at = section.archetype.as_ref().unwrap_or(&section.name);
            let message =
                format!("archetype `{}` needs the service `{slug}`, which is not there", archetype.slug);
            diagnostics.push(Diagnostic::error("service.unknown", at.origin.clone(), message));
        }
        return Services::Fixed(slugs);
    }
    // An archetype that is unknown has been reported, and would have named the services.
    if !random && section.archetype.is_none() {
        no_services(section, &section.name.origin, diagnostics);
    }
    if random { Services::Random } else { Services::Fixed(Vec::new()) }
}

fn no_services(section: &request::Group, at: &Origin, diagnostics: &mut Vec<Diagnostic>) {
    let message = format!("`{}` has no services", section.name.as_str());
    let help = match at {
        Origin::Flag(_) => "use --services, --archetype or --randomize-services",
        _ => "write `services = ssh, http`, `archetype = linux-server` or `randomize_services = yes`",
    };
    diagnostics.push(Diagnostic::error("service.none", at.clone(), message).help(help));
}

/// A service that no machine of the family has.
fn warn_incoherent(
    section: &request::Group,
    slugs: &[String],
    family: OsFamily,
    known: &Known<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for slug in slugs {
        let Some(service) = known.builtin(slug) else { continue };
        if service.families.contains(&family) {
            continue;
        }
        let at = section.services.as_ref().or(section.archetype.as_ref()).unwrap_or(&section.name);
        let place = words::split(at).into_iter().find(|word| word.text == slug);
        let origin = place.map_or_else(|| at.origin.clone(), |word| word.origin);
        let message =
            format!("no {family} machine offers {slug}; `{}` shows that of linux", section.name.as_str());
        let families: Vec<&str> = service.families.iter().map(|family| family.slug()).collect();
        diagnostics.push(
            Diagnostic::warning("service.incoherent", origin, message)
                .help(format!("{slug} is found on {}", families.join(", "))),
        );
    }
}

fn distros(
    section: &request::Group,
    archetype: Option<&'static Archetype>,
    known: &Known<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Distros {
    let catalogue = known.catalogue;
    let random =
        switch(section.randomize_distros.as_ref(), "randomize_distros", "distro.randomize", diagnostics);
    if let Some(list) = &section.distro {
        if random {
            let at = section.randomize_distros.as_ref().unwrap_or(&section.name);
            let message = format!("`distro` names the distros of `{}`; none is drawn", section.name.as_str());
            diagnostics.push(Diagnostic::warning("distro.randomize", at.origin.clone(), message));
        }
        let mut found = Vec::new();
        for word in words::split(list) {
            match catalogue.distro(word.text) {
                Some(distro) => found.push(distro),
                None => {
                    let slugs = catalogue.distros().iter().map(|distro| distro.slug.as_str());
                    diagnostics.push(words::unknown("distro.unknown", "distro", &word, slugs));
                }
            }
        }
        if !found.is_empty() {
            return Distros::Listed(found);
        }
    }
    if random {
        return Distros::Random;
    }
    let preferred = archetype.map(|archetype| archetype.distros.as_slice()).unwrap_or_default();
    let preferred: Vec<&'static Distro> =
        preferred.iter().filter_map(|slug| catalogue.distro(slug)).collect();
    Distros::Cycled(if preferred.is_empty() { catalogue.distros().iter().collect() } else { preferred })
}

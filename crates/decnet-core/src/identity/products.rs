//! Which release of which product stands behind a service.

use std::collections::BTreeMap;

use super::machine::Machine;
use super::{OsFamily, Product};
use crate::catalogue::{Catalogue, ProductChoice};

/// Services that are one program with another: they take its product.
const SAME_PROGRAM: [(&str, &str); 1] = [("pop3", "imap")];

/// The products of a machine: one for every service, and those of its row that are no service.
///
/// `number` decides; a component's choice depends on it and on the component alone, so a further service
/// leaves the others as they were.
pub(super) fn choose(
    catalogue: &Catalogue,
    machine: &Machine,
    services: &[&str],
    version: &str,
    number: u64,
) -> BTreeMap<String, Product> {
    let mut products = BTreeMap::new();
    let mut insert = |component: &str, key: &str, choices: &[ProductChoice], preferred: Option<&str>| {
        if let Some(product) = pick(choices, preferred, mix(number, key)) {
            let version = product.version.replace("{firmware}", version);
            products.insert(component.to_owned(), Product { version, ..product.clone() });
        }
    };
    for service in services {
        let key = SAME_PROGRAM.iter().find(|(slug, _)| slug == service).map_or(*service, |(_, of)| of);
        let preferred = machine.variant.and_then(|variant| variant.prefer.get(key)).map(String::as_str);
        if let Some(choices) = candidates(catalogue, machine, key) {
            insert(service, key, choices, preferred);
        }
    }
    for (component, choices) in &machine.row.extras {
        insert(component, component, choices, None);
    }
    if let Some(variant) = machine.variant {
        let extra = |component: &str| match component {
            "webapp" => services.contains(&"http"),
            "containerd" => services.contains(&"k8s") || services.contains(&"docker_api"),
            _ => false,
        };
        for (component, choices) in variant.products.iter().filter(|(component, _)| extra(component)) {
            insert(component, component, choices, None);
        }
    }
    products
}

/// What a service of that machine may be: the variant's own, the row's, the family's, and for a family that
/// has no such thing a Debian's, so that even a wrong combination looks like some real machine.
fn candidates<'a>(catalogue: &'a Catalogue, machine: &Machine, key: &str) -> Option<&'a Vec<ProductChoice>> {
    let linux = catalogue.family(OsFamily::Linux);
    let own = machine.variant.and_then(|variant| variant.products.get(key));
    own.or_else(|| machine.row.products.get(key))
        .or_else(|| catalogue.family(machine.row.family()).products.get(key))
        .or_else(|| catalogue.row(&linux.row).and_then(|row| row.products.get(key)))
        .or_else(|| linux.products.get(key))
}

fn pick<'a>(choices: &'a [ProductChoice], preferred: Option<&str>, number: u64) -> Option<&'a Product> {
    let fits = |choice: &&ProductChoice| preferred.is_none_or(|name| choice.0.name == name);
    let fitting = choices.iter().filter(fits).count();
    if fitting == 0 {
        return choices.get((number % choices.len().max(1) as u64) as usize).map(|choice| &choice.0);
    }
    choices.iter().filter(fits).nth((number % fitting as u64) as usize).map(|choice| &choice.0)
}

/// A number for one component. Nothing secret hangs on it, so no cryptographic hash is spent: FNV-1a over
/// the name, then the finaliser of SplitMix64.
fn mix(number: u64, component: &str) -> u64 {
    let hash = component
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    let mut mixed = number ^ hash;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The families that have a coherent persona for each service.
    const COHERENT: [(&str, &str); 25] = [
        ("ssh", "LWBEC"),
        ("http", "LWBEC"),
        ("ftp", "LWBE"),
        ("tftp", "LWBEC"),
        ("smb", "LWBE"),
        ("rdp", "LWB"),
        ("telnet", "LWBEC"),
        ("vnc", "LWBE"),
        ("smtp", "LWBE"),
        ("imap", "LWB"),
        ("pop3", "LWB"),
        ("ldap", "LWB"),
        ("llmnr", "LWBE"),
        ("mysql", "LWBE"),
        ("postgres", "LWB"),
        ("mssql", "LW"),
        ("mongodb", "LWB"),
        ("redis", "LWBE"),
        ("elasticsearch", "LW"),
        ("mqtt", "LWBE"),
        ("snmp", "LWBEC"),
        ("sip", "LWBEC"),
        ("k8s", "L"),
        ("docker_api", "LW"),
        ("conpot", "E"),
    ];

    #[test]
    fn a_coherent_service_never_borrows_from_linux() {
        let catalogue = Catalogue::builtin([]);
        for row in &catalogue.tables().rows {
            let family = row.family();
            let letter = match family {
                OsFamily::Linux => continue,
                OsFamily::Windows => 'W',
                OsFamily::Bsd => 'B',
                OsFamily::Embedded => 'E',
                OsFamily::Cisco => 'C',
            };
            for (slug, _) in COHERENT.iter().filter(|(_, families)| families.contains(letter)) {
                let key = if *slug == "pop3" { "imap" } else { slug };
                let own =
                    row.products.contains_key(key) || catalogue.family(family).products.contains_key(key);
                assert!(own, "{}: {slug}", row.slug);
            }
        }
    }

    #[test]
    fn a_component_is_chosen_on_its_own() {
        let choices = ["a 1", "a 2", "b 3"].map(|text| ProductChoice::try_from(text.to_owned()).unwrap());
        assert_eq!(pick(&choices, Some("b"), 17).unwrap().version, "3");
        assert!(pick(&choices, Some("c"), 17).is_some(), "a preference that nothing meets is none");
        assert!(pick(&[], None, 17).is_none());
        let seen: std::collections::BTreeSet<u64> = (0..64).map(|number| mix(number, "ssh") % 3).collect();
        assert_eq!(seen.len(), 3);
        assert_ne!(mix(1, "ssh"), mix(1, "http"));
    }
}

//! Deriving an identity: the same seed, name and settings give the same one.

use super::expand::{self, HIGHEST_REACH, Words};
use super::machine::{self, Machine};
use super::taken::{NETBIOS_LENGTH, Taken};
use super::{Hardware, Identity, Names, Os, OsFamily, Product, Times, products};
use crate::address::MacAddress;
use crate::catalogue::{Catalogue, Nic};
use crate::plan::Decky;
use crate::seed::{Draw, Seed};

pub(crate) use super::machine::Claim;

/// First labels of a domain that say nothing about the organisation.
const GENERIC_LABELS: [&str; 8] = ["corp", "ad", "intra", "int", "internal", "office", "lan", "home"];

/// What all deckies of a fleet share: they stand on one LAN.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// The root of the fleet's seeds.
    pub(crate) seed: Seed,
    /// The DNS domain.
    pub(crate) domain: String,
    /// Whether the user chose it.
    pub(crate) domain_is_explicit: bool,
    organisation: String,
    timezone: &'static str,
    code: &'static str,
}

impl Site {
    /// The site of a fleet; `domain` is the user's.
    pub(crate) fn new(catalogue: &Catalogue, seed: Seed, domain: Option<String>) -> Site {
        let general = &catalogue.tables().general;
        let mut draw = seed.draw(&["site"]);
        let organisations = &general.organisations;
        let name = draw.pick(&organisations.names).map_or("Meridian", String::as_str);
        let kind = draw.pick(&organisations.kinds).map_or("Systems", String::as_str);
        let form = draw.pick(&organisations.domains).map_or("{org}.lan", String::as_str);
        let region = draw.pick(&general.regions);
        let code = region.and_then(|region| draw.pick(&region.sites)).map_or("hq", String::as_str);
        let domain_is_explicit = domain.is_some();
        let (domain, organisation) = match domain {
            Some(domain) => {
                let organisation = capitalised(organisation_label(&domain));
                (domain, organisation)
            }
            None => (form.replace("{org}", &name.to_ascii_lowercase()), format!("{name} {kind}")),
        };
        let timezone = region.map_or("Etc/UTC", |region| region.timezone.as_str());
        Site { seed, domain, domain_is_explicit, organisation, timezone, code }
    }
}

/// The label of a domain that names its owner: the second from the end, less generic ones and those under
/// which countries sell names.
fn organisation_label(domain: &str) -> &str {
    let labels: Vec<&str> = domain.split('.').collect();
    let generic = |label: &&&str| {
        !GENERIC_LABELS.contains(label) && !["com", "co", "org", "net", "gov", "ac", "edu"].contains(label)
    };
    let owners = &labels[..labels.len().saturating_sub(1).max(1)];
    owners.iter().rev().find(generic).or(owners.last()).copied().unwrap_or(domain)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// The NetBIOS form of a domain: its first label that says something.
fn netbios_domain(domain: &str) -> String {
    let label = domain.split('.').find(|label| !GENERIC_LABELS.contains(label));
    let label = label.or_else(|| domain.split('.').next()).unwrap_or(domain);
    label.to_ascii_uppercase().chars().take(NETBIOS_LENGTH).collect()
}

/// What the request says about one decky.
pub(crate) struct Wanted<'a> {
    /// Its name to the operator.
    pub(crate) name: &'a str,
    pub(crate) claim: Claim<'a>,
    /// A host name of the user's, with its domain where he gave one. Already taken.
    pub(crate) hostname: Option<(&'a str, Option<&'a str>)>,
    /// A MAC address of the user's. Already taken.
    pub(crate) mac: Option<MacAddress>,
    /// Whether a service wants the account that the commonly sprayed credentials open.
    pub(crate) wants_account: bool,
    /// The decky of that name in the plan before this one, if its seed is the same.
    pub(crate) previous: Option<&'a Decky>,
}

/// An identity and what the plan holds beside it.
pub(crate) struct Derived {
    pub(crate) identity: Identity,
    pub(crate) mac: MacAddress,
    pub(crate) persona: &'static str,
}

/// The seed of a decky.
pub(crate) fn decky_seed(fleet: &Seed, name: &str) -> Seed {
    fleet.derive(&["decky", name])
}

/// Derives an identity, and takes from `taken` what may exist once.
pub(crate) fn derive(catalogue: &Catalogue, site: &Site, wanted: &Wanted<'_>, taken: &mut Taken) -> Derived {
    let seed = decky_seed(&site.seed, wanted.name);
    let machine = machine::choose(catalogue, &wanted.claim, &mut seed.draw(&["identity", "machine"]));
    // What a machine is keeps across a redeploy, even where the catalogue has been revised.
    let before = wanted.previous.filter(|before| same_machine(before, &machine));

    let mut draw = seed.draw(&["identity", "mac"]);
    let mac = wanted.mac.unwrap_or_else(|| choose_mac(catalogue, &machine, before, &mut draw, taken));
    let nic_vendor = catalogue.nic_vendor(mac).unwrap_or_default();
    let (names, pattern_joined) = {
        let hostname = match wanted.hostname {
            Some((hostname, _)) => (hostname.to_owned(), false),
            None => choose_hostname(catalogue, site, wanted, &machine, mac, before, &seed, taken),
        };
        let netbios = taken.netbios(&hostname.0);
        ((hostname.0, netbios), hostname.1)
    };
    let joined = machine.variant.map_or(pattern_joined, |variant| variant.joined);
    let names = name(site, wanted, &machine, names, joined);

    let hardware = match before {
        Some(before) if taken.serial(&before.identity.hardware.serial) => {
            Hardware { nic_vendor: nic_vendor.to_owned(), ..before.identity.hardware.clone() }
        }
        _ => choose_hardware(&machine, nic_vendor, &mut seed.draw(&["identity", "hardware"]), taken),
    };
    let mut draw = seed.draw(&["identity", "system"]);
    let system = system(&machine, &mut draw);
    let times = times(catalogue, site, &machine, joined, &mut draw);
    let (os, times) = match before {
        Some(before) => (before.identity.os.clone(), before.identity.times.clone()),
        None => (system, times),
    };
    let number = seed.draw(&["identity", "products"]).number();
    let mut products = products::choose(catalogue, &machine, wanted.claim.services, &os.version, number);
    if let Some(before) = before {
        for (component, product) in &mut products {
            if let Some(kept) = before.identity.products.get(component) {
                product.clone_from(kept);
            }
        }
    }
    if !os.kernel.is_empty() {
        let name = match os.family {
            OsFamily::Windows => "windows-nt",
            OsFamily::Bsd => "freebsd",
            OsFamily::Linux | OsFamily::Embedded | OsFamily::Cisco => "linux",
        };
        let kernel =
            Product { name: name.into(), version: os.kernel.clone(), suffix: os.kernel_build.clone() };
        products.insert("kernel".to_owned(), kernel);
    }
    let family = os.family;
    let weak_account = wanted
        .wants_account
        .then(|| {
            choose_account(
                catalogue,
                family,
                wanted.previous,
                &mut seed.draw(&["identity", "account"]),
                taken,
            )
        })
        .flatten();
    let variant = machine.variant.map(|variant| variant.name.clone()).unwrap_or_default();
    let identity = Identity { seed, names, os, hardware, times, variant, products, weak_account };
    Derived { identity, mac, persona: machine.persona }
}

/// Whether the decky of the plan before is still the same machine.
fn same_machine(before: &Decky, machine: &Machine) -> bool {
    let variant = machine.variant.map_or("", |variant| variant.name.as_str());
    before.identity.os.row == machine.row.slug
        && before.identity.variant == variant
        && before.identity.hardware.vendor == machine.hardware.vendor
}

fn choose_mac(
    catalogue: &Catalogue,
    machine: &Machine,
    before: Option<&Decky>,
    draw: &mut Draw,
    taken: &mut Taken,
) -> MacAddress {
    let nics: Vec<&'static Nic> =
        catalogue.tables().nics.iter().filter(|nic| machine.hardware.nics.contains(&nic.slug)).collect();
    let fits = |mac| nics.iter().any(|nic| nic.prefixes.iter().any(|prefix| prefix.holds(mac)));
    if let Some(before) = before
        && fits(before.mac)
        && taken.mac(before.mac)
    {
        return before.mac;
    }
    loop {
        // The loader refuses hardware without a card and the card's type has at least one prefix; a block
        // holds 2^22 addresses or more, so a free one comes soon.
        let prefix = draw.pick(&nics).and_then(|nic| draw.pick(&nic.prefixes));
        let Some(prefix) = prefix else { return MacAddress([0x52, 0x54, 0, 0, 0, 1]) };
        let [a, b, c] = prefix.oui;
        let d = draw.between(u64::from(prefix.fourth.0), u64::from(prefix.fourth.1)) as u8;
        let [e, f] = draw.bytes();
        let mac = MacAddress([a, b, c, d, e, f]);
        // Addresses that end in zeros or ones are broadcast-like and look invented.
        if ![[0, 0], [0xff, 0xff]].contains(&[e, f]) && taken.mac(mac) {
            return mac;
        }
    }
}

/// A free host name, and whether its pattern is one that administrators give out: a machine named so is
/// likely joined to the domain.
#[allow(clippy::too_many_arguments, reason = "each is a different source of the name")]
fn choose_hostname(
    catalogue: &Catalogue,
    site: &Site,
    wanted: &Wanted<'_>,
    machine: &Machine,
    mac: MacAddress,
    before: Option<&Decky>,
    seed: &Seed,
    taken: &mut Taken,
) -> (String, bool) {
    let general = &catalogue.tables().general;
    let windows = machine.row.family() == OsFamily::Windows;
    let administered = |name: &str| windows && !name.starts_with("DESKTOP-") && !name.starts_with("WIN-");
    // A name that holds digits of the MAC address is wrong for any other address.
    if let Some(before) = before
        && before.mac == mac
        && taken.hostname(&before.identity.names.hostname)
    {
        let name = before.identity.names.hostname.clone();
        let joined = before.identity.names.joined;
        return (name, joined);
    }
    let mut draw = seed.draw(&["identity", "hostname"]);
    let words: &[String] = match wanted.claim.archetype {
        Some(archetype) => &archetype.words,
        None => {
            let service = draw.pick(wanted.claim.services).copied().unwrap_or("other");
            general.words.get(service).or_else(|| general.words.get("other")).map_or(&[], Vec::as_slice)
        }
    };
    let mut attempt = 0;
    loop {
        let pick = |list: &'static [String], draw: &mut Draw| draw.pick(list).map_or("node", String::as_str);
        let words = Words {
            word: draw.pick(words).map_or("node", String::as_str),
            site: site.code,
            first: pick(&general.rolling.first, &mut draw),
            last: pick(&general.rolling.last, &mut draw),
            mac,
            reach: (attempt / 6).min(HIGHEST_REACH),
        };
        let pattern = draw.pick(machine.hostnames).map_or("{word}-{nn}", String::as_str);
        let mut name = expand::hostname(pattern, &words, &mut draw);
        if attempt > 24 {
            // Everything natural is taken: a number makes it free.
            name = format!("{name}-{}", draw.between(2, 1 << attempt.min(40)));
        }
        if taken.hostname(&name) {
            let joined = administered(&name);
            return (name, joined);
        }
        attempt += 1;
    }
}

fn name(
    site: &Site,
    wanted: &Wanted<'_>,
    machine: &Machine,
    (hostname, netbios): (String, String),
    joined: bool,
) -> Names {
    let rhel = machine.row.style == "rhel";
    let domain = match wanted.hostname {
        Some((_, Some(domain))) => domain,
        // What the installer of these distributions leaves behind.
        _ if rhel && !joined && !site.domain_is_explicit => "localdomain",
        _ => &site.domain,
    };
    let workgroup = if rhel { "SAMBA" } else { "WORKGROUP" };
    Names {
        fqdn: format!("{}.{domain}", hostname.to_ascii_lowercase()),
        hostname,
        domain: domain.to_owned(),
        netbios,
        netbios_domain: if joined { netbios_domain(&site.domain) } else { workgroup.to_owned() },
        joined,
        organisation: site.organisation.clone(),
    }
}

fn choose_hardware(machine: &Machine, nic_vendor: &str, draw: &mut Draw, taken: &mut Taken) -> Hardware {
    let model = draw.pick(&machine.hardware.models).cloned().unwrap_or_default();
    let serial = loop {
        // Every pattern has five places or more to draw.
        let serial = expand::serial(&machine.hardware.serial, draw);
        if taken.serial(&serial) {
            break serial;
        }
    };
    let vendor = machine.hardware.vendor.clone();
    Hardware { vendor, model, serial, nic_vendor: nic_vendor.to_owned() }
}

fn system(machine: &Machine, draw: &mut Draw) -> Os {
    let row = machine.row;
    let (kernel, kernel_build) = draw.pick(&row.kernels).cloned().unwrap_or_default();
    let version = draw.pick(&row.firmware).cloned().unwrap_or_else(|| row.version.clone());
    Os {
        family: row.family(),
        row: row.slug.clone(),
        name: row.name.clone(),
        version,
        kernel,
        kernel_build,
        architecture: row.architecture.clone(),
    }
}

fn times(catalogue: &Catalogue, site: &Site, machine: &Machine, joined: bool, draw: &mut Draw) -> Times {
    const DAY: i64 = 86_400;
    let row = machine.row;
    let (first, last) = row.window;
    let day = first + draw.below(((last - first) / DAY).max(1) as u64) as i64 * DAY;
    // Systems are installed by day.
    let installed = day + 8 * 3600 + draw.below(10 * 3600) as i64;
    let (least, most) = row.reboot_days.unwrap_or(catalogue.tables().general.reboot_days);
    let reboot_period = draw.between(least, most) as i64 * DAY + draw.below(DAY as u64) as i64;
    // A domain member follows its controller, others a time server, devices often nobody.
    let off = match row.family() {
        OsFamily::Windows if joined => 60,
        OsFamily::Linux | OsFamily::Windows | OsFamily::Bsd => 400,
        OsFamily::Embedded | OsFamily::Cisco => 1900,
    };
    let clock_offset_ms = draw.below(2 * off + 1) as i64 - off as i64;
    let in_utc = match row.family() {
        OsFamily::Windows => false,
        OsFamily::Linux | OsFamily::Bsd => draw.below(3) == 0,
        OsFamily::Embedded | OsFamily::Cisco => draw.below(2) == 0,
    };
    let timezone = if in_utc { "Etc/UTC" } else { site.timezone };
    Times { timezone: timezone.to_owned(), installed, reboot_period, clock_offset_ms }
}

/// One of the commonly sprayed credentials, while possible one that no other decky has.
fn choose_account(
    catalogue: &Catalogue,
    family: OsFamily,
    previous: Option<&Decky>,
    draw: &mut Draw,
    taken: &mut Taken,
) -> Option<(String, String)> {
    let credentials = &catalogue.tables().general.credentials;
    let list = match family {
        OsFamily::Linux => &credentials.linux,
        OsFamily::Embedded => &credentials.embedded,
        OsFamily::Windows | OsFamily::Bsd | OsFamily::Cisco => return None,
    };
    let split =
        |entry: &str| entry.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()));
    if let Some(kept) = previous.and_then(|previous| previous.identity.weak_account.as_ref()) {
        let same = |entry: &&String| entry.split_once(':') == Some((&kept.0, &kept.1));
        let entry = list.iter().find(same);
        if entry.is_some_and(|entry| taken.account(entry)) {
            return Some(kept.clone());
        }
    }
    let start = draw.below(list.len() as u64) as usize;
    // When each has been given away, a second decky has the one that it drew.
    let entry = taken.next_account(family, list, start);
    entry.or_else(|| list.get(start).map(String::as_str)).and_then(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_domain() {
        for (domain, owner, netbios) in [
            ("corp.acme.com", "acme", "ACME"),
            ("kessler.local", "kessler", "KESSLER"),
            ("ad.kessler.lan", "kessler", "KESSLER"),
            ("acme.co.uk", "acme", "ACME"),
            ("lan", "lan", "LAN"),
            ("a-very-long-organisation.net", "a-very-long-organisation", "A-VERY-LONG-ORG"),
        ] {
            assert_eq!(organisation_label(domain), owner, "{domain}");
            assert_eq!(netbios_domain(domain), netbios, "{domain}");
        }
    }
}

//! Host names, domains and MAC addresses that the user chose.

use std::collections::HashMap;

use super::groups::Group;
use crate::address::MacAddress;
use crate::catalogue::Catalogue;
use crate::diagnostic::{Diagnostic, Origin};
use crate::identity::taken::{NETBIOS_LENGTH, Taken};
use crate::identity::{Identity, OsFamily};
use crate::plan::Attachment;
use crate::request::Text;

/// A host name of the user's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hostname {
    /// Without a domain.
    pub(super) short: String,
    /// The domain, where it was written with one.
    pub(super) domain: Option<String>,
}

/// What is wrong with one label of a name, as the second half of a sentence (RFC 1123 section 2.1).
fn label_flaw(label: &str) -> Option<String> {
    if label.is_empty() {
        return Some("has an empty part".to_owned());
    }
    if label.len() > 63 {
        return Some("has a part of more than 63 characters".to_owned());
    }
    let odd = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-');
    if let Some(odd) = odd {
        return Some(format!("holds `{odd}`; a host name is letters, digits and `-`"));
    }
    (label.starts_with('-') || label.ends_with('-'))
        .then(|| "has a part that starts or ends with `-`".to_owned())
}

/// What is wrong with a domain.
pub(super) fn domain_flaw(domain: &str) -> Option<String> {
    if domain.len() > 200 {
        return Some("is longer than 200 characters".to_owned());
    }
    let numeric =
        domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    let numeric = (numeric && !domain.is_empty()).then(|| "ends in a number".to_owned());
    domain.split('.').find_map(label_flaw).or(numeric)
}

/// Reads `hostname`.
pub(super) fn hostname(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<Hostname> {
    let value = text.value.trim().trim_end_matches('.');
    let (short, domain) = match value.split_once('.') {
        Some((short, domain)) => (short, Some(domain.to_ascii_lowercase())),
        None => (value, None),
    };
    if let Some(flaw) = label_flaw(short).or_else(|| domain.as_deref().and_then(domain_flaw)) {
        let message = format!("hostname `{}` {flaw}", text.value);
        diagnostics.push(Diagnostic::error("hostname.invalid", text.origin.clone(), message));
        return None;
    }
    warn_tell("hostname", value, &text.origin, diagnostics);
    Some(Hostname { short: short.to_owned(), domain })
}

/// Warns of a name that says what the machine is.
pub(super) fn warn_tell(key: &str, name: &str, at: &Origin, diagnostics: &mut Vec<Diagnostic>) {
    let lower = name.to_ascii_lowercase();
    let tell =
        ["decnet", "decky", "honeypot", "decoy", "cowrie"].into_iter().find(|tell| lower.contains(tell));
    if let Some(tell) = tell {
        let message = format!("{key} `{name}` holds `{tell}`, which every attacker can read");
        diagnostics.push(Diagnostic::warning("hostname.tell", at.clone(), message));
    }
}

/// Reads `mac`.
pub(super) fn mac(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> Option<MacAddress> {
    let mac: MacAddress = match text.value.trim().parse() {
        Ok(mac) => mac,
        Err(error) => {
            let error: crate::address::InvalidMacAddress = error;
            diagnostics.push(Diagnostic::error("mac.invalid", text.origin.clone(), format!("mac {error}")));
            return None;
        }
    };
    if mac.is_multicast() {
        let message = format!("mac {mac} is a multicast address, which no host can have");
        diagnostics.push(
            Diagnostic::error("mac.multicast", text.origin.clone(), message)
                .help("the second hexadecimal digit has to be even"),
        );
        return None;
    }
    if mac.octets() == [0; 6] {
        let message = format!("mac {mac} is no address of a host");
        diagnostics.push(Diagnostic::error("mac.invalid", text.origin.clone(), message));
        return None;
    }
    // 52:54:00 is what QEMU and KVM give their machines.
    if mac.is_local() && mac.oui() != [0x52, 0x54, 0x00] {
        let message = format!("mac {mac} is locally administered: no vendor made such a card");
        diagnostics.push(
            Diagnostic::warning("mac.local", text.origin.clone(), message)
                .help("leave out `mac`; an address of a fitting vendor is drawn"),
        );
    }
    Some(mac)
}

/// Takes what the user fixed before anything is drawn.
pub(super) fn reserve(
    groups: &[Group<'_>],
    catalogue: &Catalogue,
    attachment: Option<Attachment>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Taken {
    let mut taken = Taken::default();
    let mut names: HashMap<String, &Origin> = HashMap::new();
    let mut macs: HashMap<MacAddress, &Origin> = HashMap::new();
    for group in groups {
        if let (Some(hostname), Some(text)) = (&group.hostname, &group.section.hostname) {
            let key = hostname.short.to_ascii_lowercase();
            if let Some(first) = names.get(&key) {
                let message = format!("two deckies have the host name `{}`", hostname.short);
                diagnostics.push(
                    Diagnostic::error("hostname.duplicate", text.origin.clone(), message)
                        .related((*first).clone(), "the first one"),
                );
            } else {
                names.insert(key, &text.origin);
                // A second name of one NetBIOS form is told apart there, so the answer does not matter.
                let _ = taken.hostname(&hostname.short);
            }
            if group.family == OsFamily::Windows && hostname.short.len() > NETBIOS_LENGTH {
                let message = format!("Windows has no computer name as long as `{}`", hostname.short);
                diagnostics.push(
                    Diagnostic::warning("hostname.long", text.origin.clone(), message)
                        .help(format!("at most {NETBIOS_LENGTH} characters")),
                );
            }
        }
        if let (Some(mac), Some(text)) = (group.mac, &group.section.mac) {
            if let Some(first) = macs.insert(mac, &text.origin) {
                let message = format!("two deckies have the MAC address {mac}");
                diagnostics.push(
                    Diagnostic::error("mac.duplicate", text.origin.clone(), message)
                        .related(first.clone(), "the first one"),
                );
            } else {
                // Neighbours are the user's own wish here.
                let _ = taken.exact_mac(mac);
            }
            if attachment == Some(Attachment::Ipvlan) {
                let message =
                    format!("mac {mac} of `{}` is not seen: with ipvlan all have the NIC's", group.name());
                diagnostics.push(Diagnostic::warning("mac.ipvlan", text.origin.clone(), message));
            }
            let is_virtual = catalogue.nic(mac).is_some_and(|nic| nic.is_virtual);
            if is_virtual && matches!(group.family, OsFamily::Embedded | OsFamily::Cisco) {
                let message =
                    format!("mac {mac} is that of a virtual machine, and `{}` is a device", group.name());
                diagnostics.push(Diagnostic::warning("mac.vendor", text.origin.clone(), message));
            }
        }
    }
    taken
}

/// Warns where a MAC address that the user chose belongs to a vendor unlike the machine's.
pub(super) fn check_vendor(
    group: &Group<'_>,
    identity: &Identity,
    catalogue: &Catalogue,
    mac: MacAddress,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let (Some(_), Some(text)) = (group.mac, &group.section.mac) else { return };
    if !matches!(identity.os.family, OsFamily::Embedded | OsFamily::Cisco) {
        return;
    }
    let Some(nic) = catalogue.nic(mac).filter(|nic| !nic.is_virtual) else { return };
    let tables = catalogue.tables();
    let fits = tables
        .hardware
        .iter()
        .filter(|machine| machine.vendor == identity.hardware.vendor)
        .any(|machine| machine.nics.contains(&nic.slug));
    if !fits {
        let message =
            format!("mac {mac} is of {}, and the device is of {}", nic.vendor, identity.hardware.vendor);
        diagnostics.push(Diagnostic::warning("mac.vendor", text.origin.clone(), message));
    }
}

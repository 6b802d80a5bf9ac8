//! LLMNR / mDNS name resolution.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port, parse_bool};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "llmnr",
    role: "LLMNR / mDNS name resolution",
    ports: &[Port::udp(5355), Port::udp(5353)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: Some(narrow),
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "hostname",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's host name",
        doc: "The name that is answered for.",
    },
    PersonaKey {
        name: "mdns",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes where the system speaks it",
        doc: "Whether multicast DNS is spoken; without it 5353/udp is closed.",
    },
    PersonaKey {
        name: "llmnr",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes on windows and linux",
        doc: "Whether LLMNR is spoken; without it 5355/udp is closed.",
    },
    PersonaKey {
        name: "nbns",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes on windows",
        doc: "Whether NetBIOS name and node status queries on 137/udp are answered.",
    },
    PersonaKey {
        name: "services",
        aliases: &[],
        kind: KeyKind::List,
        default: "those that the decky really runs",
        doc: "More DNS-SD service types to announce.",
    },
    PersonaKey {
        name: "chatter",
        aliases: &[],
        kind: KeyKind::OneOf(&["off", "low", "normal"]),
        default: "low",
        doc: "How often the decky asks for names itself, as a live machine does.",
    },
    PersonaKey {
        name: "detect_poisoning",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "Whether names that do not exist are asked for now and then, to catch who answers.",
    },
    PersonaKey {
        name: "bait_names",
        aliases: &[],
        kind: KeyKind::List,
        default: "drawn from the identity",
        doc: "The names that are asked for to catch a poisoner.",
    },
];

/// The build of Windows 10 1703, the first that speaks multicast DNS.
const FIRST_WINDOWS_WITH_MDNS: u32 = 15_063;

/// Each of the two protocols has its own port, closed where the system does not speak it: devices and BSD
/// have multicast DNS only, Windows before 10 1703 has LLMNR only.
fn narrow(identity: &Identity, persona: &PersonaValues) -> Vec<Port> {
    let os = &identity.os;
    let set = |key: &str| persona.get(key).and_then(|value| parse_bool(value));
    let llmnr = set("llmnr").unwrap_or(matches!(os.family, OsFamily::Windows | OsFamily::Linux));
    let mdns = set("mdns").unwrap_or_else(|| {
        let build = os.kernel.parse::<u32>();
        os.family != OsFamily::Windows || build.map_or(true, |build| build >= FIRST_WINDOWS_WITH_MDNS)
    });
    DESCRIPTOR.ports.iter().copied().filter(|port| if port.number == 5353 { mdns } else { llmnr }).collect()
}

inventory::submit! { Service::described(&DESCRIPTOR) }

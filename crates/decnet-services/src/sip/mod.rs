//! SIP VoIP.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "sip",
    role: "SIP VoIP",
    ports: &[Port::udp(5060), Port::tcp(5060)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded, OsFamily::Cisco],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "sip_server",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's SIP server",
        doc: "The Server header; it selects methods, header order and digest form of that product.",
    },
    PersonaKey {
        name: "sip_domain",
        aliases: &[],
        kind: KeyKind::Text,
        default: "`asterisk` for pjsip, else the product's habit",
        doc: "The domain in addresses and, unless `realm` is set, the digest realm.",
    },
    PersonaKey {
        name: "extensions",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "Extensions and their secrets, `number:secret`; these register.",
    },
    PersonaKey {
        name: "realm",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the value of `sip_domain`",
        doc: "The realm of the digest challenge.",
    },
    PersonaKey {
        name: "user_agent",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the value of `sip_server`",
        doc: "The User-Agent header of requests.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

//! SMTP mail relay.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "smtp",
    role: "SMTP mail relay",
    ports: &[Port::tcp(25), Port::tcp(587)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "smtp_banner",
        aliases: &["banner"],
        kind: KeyKind::Text,
        default: "the product's greeting",
        doc: "The greeting, with or without 220; a known product in it selects that product's texts.",
    },
    PersonaKey {
        name: "smtp_mta",
        aliases: &["mta"],
        kind: KeyKind::Text,
        default: "the identity's mail host name",
        doc: "The host name in the greeting, the EHLO answer and Received headers.",
    },
    PersonaKey {
        name: "domains",
        aliases: &[],
        kind: KeyKind::List,
        default: "the identity's domain",
        doc: "The domains that mail is accepted for; every other is relaying.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that AUTH lets in.",
    },
    PersonaKey {
        name: "relay",
        aliases: &[],
        kind: KeyKind::OneOf(&["off", "bait"]),
        default: "off",
        doc: "`bait` accepts the first relayed probe mail of every source, which is kept and never sent.",
    },
    PersonaKey {
        name: "max_size",
        aliases: &[],
        kind: KeyKind::Integer { min: 1, max: 2_147_483_647 },
        default: "the product's",
        doc: "The SIZE in the EHLO answer, in octets; larger mail is refused.",
    },
    PersonaKey {
        name: "tls",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes",
        doc: "Whether STARTTLS is offered.",
    },
    PersonaKey {
        name: "auth_mechs",
        aliases: &[],
        kind: KeyKind::List,
        default: "the product's",
        doc: "The mechanisms after AUTH in the EHLO answer.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

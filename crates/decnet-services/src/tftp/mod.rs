//! TFTP.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "tftp",
    role: "TFTP",
    ports: &[Port::udp(69)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded, OsFamily::Cisco],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "files",
        aliases: &[],
        kind: KeyKind::List,
        default: "the product's usual boot and configuration files",
        doc: "The names that a read request finds; every other is error 1.",
    },
    PersonaKey {
        name: "writable",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "the product's habit: yes on IOS",
        doc: "Whether a write request is accepted or is error 2.",
    },
    PersonaKey {
        name: "root",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the product's directory",
        doc: "The directory that paths are taken relative to; absolute names outside it are refused in the product's words.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

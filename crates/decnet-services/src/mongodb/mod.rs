//! MongoDB.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "mongodb",
    role: "MongoDB",
    ports: &[Port::tcp(27017)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "mongo_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's MongoDB",
        doc: "The release; it sets wire versions, git version and the commands that exist.",
    },
    PersonaKey {
        name: "auth",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes",
        doc: "Whether commands need a login or answer anybody.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that may log in.",
    },
    PersonaKey {
        name: "databases",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set made from the identity",
        doc: "The databases that are listed and queried.",
    },
    PersonaKey {
        name: "replset",
        aliases: &[],
        kind: KeyKind::Text,
        default: "none",
        doc: "The replica set name, which makes the server a primary in `hello`.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

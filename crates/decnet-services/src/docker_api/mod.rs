//! Docker Remote API.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port, parse_bool};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "docker_api",
    role: "Docker Remote API",
    ports: &[Port::tcp(2375), Port::tls(2376)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows],
    yields: &[],
    narrow: Some(narrow),
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "docker_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's Docker",
        doc: "The release in /version and the Server header; it sets the API version.",
    },
    PersonaKey {
        name: "containers",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set made from the identity",
        doc: "The containers that are listed, by image name.",
    },
    PersonaKey {
        name: "images",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set made from the identity",
        doc: "The images that are listed.",
    },
    PersonaKey {
        name: "open_2375",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes",
        doc: "Whether the port without TLS is open.",
    },
    PersonaKey {
        name: "swarm",
        aliases: &[],
        kind: KeyKind::OneOf(&["inactive", "active"]),
        default: "inactive",
        doc: "The swarm state in /info and the answer to swarm requests.",
    },
    PersonaKey {
        name: "storage_driver",
        aliases: &[],
        kind: KeyKind::Text,
        default: "overlay2",
        doc: "The storage driver in /info.",
    },
];

/// A daemon that listens with TLS only keeps 2375 closed.
fn narrow(_: &Identity, persona: &PersonaValues) -> Vec<Port> {
    let open = persona.get("open_2375").and_then(|value| parse_bool(value)).unwrap_or(true);
    DESCRIPTOR.ports.iter().copied().filter(|port| open || port.tls).collect()
}

inventory::submit! { Service::described(&DESCRIPTOR) }

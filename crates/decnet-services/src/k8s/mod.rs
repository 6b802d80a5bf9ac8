//! Kubernetes API server.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "k8s",
    role: "Kubernetes API server",
    ports: &[Port::tls(6443), Port::tcp(8080)],
    keys: KEYS,
    families: &[OsFamily::Linux],
    yields: &[],
    narrow: Some(narrow),
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "k8s_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's Kubernetes",
        doc: "The release in /version, in node records and in the discovery documents.",
    },
    PersonaKey {
        name: "cluster_name",
        aliases: &[],
        kind: KeyKind::Text,
        default: "drawn from the identity",
        doc: "The cluster's name in configuration and node names.",
    },
    PersonaKey {
        name: "anonymous",
        aliases: &[],
        kind: KeyKind::OneOf(&["rbac", "admin"]),
        default: "rbac",
        doc: "What a client without credentials may do: discovery only, or everything.",
    },
    PersonaKey {
        name: "port8080",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "closed"]),
        default: "auto",
        doc: "8080 is the insecure port before 1.20 and a careless `kubectl proxy` after, or closed.",
    },
    PersonaKey {
        name: "nodes",
        aliases: &[],
        kind: KeyKind::Integer { min: 1, max: 100 },
        default: "drawn from the identity",
        doc: "How many nodes the cluster has.",
    },
    PersonaKey {
        name: "namespaces",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set made from the identity",
        doc: "The namespaces beside those that every cluster has.",
    },
    PersonaKey {
        name: "secrets",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set made from the identity",
        doc: "The names of secrets to find.",
    },
    PersonaKey {
        name: "tokens",
        aliases: &[],
        kind: KeyKind::List,
        default: "none",
        doc: "Bearer tokens that are accepted.",
    },
];

/// A cluster that neither has an insecure port nor a proxy running keeps 8080 closed.
fn narrow(_: &Identity, persona: &PersonaValues) -> Vec<Port> {
    let closed = persona.get("port8080").is_some_and(|value| value.trim() == "closed");
    DESCRIPTOR.ports.iter().copied().filter(|port| port.tls || !closed).collect()
}

inventory::submit! { Service::described(&DESCRIPTOR) }

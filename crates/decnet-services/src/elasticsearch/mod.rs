//! Elasticsearch REST API.

#[cfg(feature = "servers")]
mod aggs;
#[cfg(feature = "servers")]
mod api;
#[cfg(feature = "servers")]
mod bait;
#[cfg(feature = "servers")]
mod codec;
#[cfg(feature = "servers")]
mod error;
#[cfg(feature = "servers")]
mod exploits;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod query;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod store;

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "elasticsearch",
    role: "Elasticsearch REST API",
    ports: &[Port::tcp(9200)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "es_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's Elasticsearch",
        doc: "The release; it sets build, Lucene version, headers and error texts.",
    },
    PersonaKey {
        name: "cluster_name",
        aliases: &[],
        kind: KeyKind::Text,
        default: "drawn from the identity",
        doc: "The cluster's name in every answer that shows it.",
    },
    PersonaKey {
        name: "node_name",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's host name",
        doc: "The node's name in every answer that shows it.",
    },
    PersonaKey {
        name: "security",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "on", "off"]),
        default: "auto: on from 8 on",
        doc: "Whether a request without credentials is answered 401.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that may log in.",
    },
    PersonaKey {
        name: "indices",
        aliases: &[],
        kind: KeyKind::List,
        default: "auto: applications drawn from the identity, and logs",
        doc: "The indices: `auto`, `none`, `logs`, applications (shop, hr, crm, accounting, portal, helpdesk), or names of your own.",
    },
    PersonaKey {
        name: "tls",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "on", "off"]),
        default: "auto: on from 8 on where security is on",
        doc: "Whether 9200 speaks TLS.",
    },
];

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build) }
#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

//! MongoDB: a document store on 27017/tcp.
//!
//! `codec` is the wire (BSON and messages), `persona` what differs between releases and platforms, `bait`
//! what is planted, `store` what is kept, `query` what can be asked of documents, `commands` the commands
//! over all of them, `server` the conversation.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

#[cfg(feature = "servers")]
mod bait;
#[cfg(feature = "servers")]
mod codec;
#[cfg(feature = "servers")]
mod commands;
#[cfg(feature = "servers")]
mod fault;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod query;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod store;

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

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build) }

#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

//! Redis: an in-memory store that speaks RESP on 6379/tcp.
//!
//! What it shows of itself (release, platform, configuration) is `persona`; what a client may ask is
//! `commands`, one file per group, over the keyspace in `store`; `engine` is the single thread of the
//! product: clients, dispatch, blocking, publish and subscribe, statistics; `codec` is the wire;
//! `server` holds the conversation and reports it.

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
mod engine;
#[cfg(feature = "servers")]
mod info;
#[cfg(feature = "servers")]
mod lua;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod record;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod store;
#[cfg(feature = "servers")]
mod tables;
#[cfg(all(test, feature = "servers"))]
mod tests;

/// The words of the key `keys`.
#[cfg(feature = "servers")]
const BAIT: &str = "auto, none, sessions, cache, queue, mail, ci";

static KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "redis_version",
        aliases: &["version"],
        kind: KeyKind::Text,
        default: "the release of the distribution",
        doc: "The release: INFO, HELLO and LOLWUT show it, and it decides wording, commands and parameters.",
    },
    PersonaKey {
        name: "os_string",
        aliases: &[],
        kind: KeyKind::Text,
        default: "from the identity's kernel",
        doc: "The line `os:` of INFO server.",
    },
    PersonaKey {
        name: "requirepass",
        aliases: &[],
        kind: KeyKind::Text,
        default: "none",
        doc: "The password of the default user; with one, every command before AUTH is refused.",
    },
    PersonaKey {
        name: "protected_mode",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "With yes and no password, clients are told that the server is in protected mode, and closed.",
    },
    PersonaKey {
        name: "keys",
        aliases: &[],
        kind: KeyKind::List,
        default: "auto",
        doc: "What the databases hold: auto (by the host's role), none, or some of sessions, cache, queue, \
              mail, ci.",
    },
    PersonaKey {
        name: "modules",
        aliases: &[],
        kind: KeyKind::List,
        default: "none",
        doc: "Modules that MODULE LIST and INFO show, as name or name:version.",
    },
];

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "redis",
    role: "Redis",
    ports: &[Port::tcp(6379)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build) }

#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

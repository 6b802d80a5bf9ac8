//! PostgreSQL on 5432/tcp.
//!
//! `persona` is what it claims to be; `state` what all its connections share: databases, roles, processes;
//! `product` tells the SQL engine what PostgreSQL is, with the system's tables in `catalogue` (over a dump of
//! a real one, `tables`), parameters in `settings`, functions in `functions` and the few files that they
//! reach in `files`; `run` carries statements out, those of the engine and the product's own; `codec` is the
//! wire; `server` holds the conversation.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

#[cfg(feature = "servers")]
mod catalogue;
#[cfg(feature = "servers")]
mod codec;
#[cfg(feature = "servers")]
mod errors;
#[cfg(feature = "servers")]
mod files;
#[cfg(feature = "servers")]
mod format;
#[cfg(feature = "servers")]
mod functions;
#[cfg(feature = "servers")]
mod login;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod product;
#[cfg(feature = "servers")]
mod run;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod settings;
#[cfg(feature = "servers")]
mod state;
#[cfg(feature = "servers")]
mod tables;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "postgres",
    role: "PostgreSQL",
    ports: &[Port::tcp(5432)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "pg_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's PostgreSQL",
        doc: "The `server_version`; it selects source lines in errors, parameters and authentication.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The roles that may log in.",
    },
    PersonaKey {
        name: "databases",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set made from the identity",
        doc: "The databases that exist; every other is error 3D000.",
    },
    PersonaKey {
        name: "auth",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "md5", "scram", "password"]),
        default: "auto: scram from 14 on, md5 before",
        doc: "The authentication that a client is asked for.",
    },
    PersonaKey {
        name: "hba",
        aliases: &[],
        kind: KeyKind::Text,
        default: "every host may try",
        doc: "The text of the 28000 refusal with which every client is turned away.",
    },
    PersonaKey {
        name: "tls",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes on Debian and Ubuntu, no elsewhere",
        doc: "Whether an SSLRequest is answered S or N.",
    },
];

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build) }

#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

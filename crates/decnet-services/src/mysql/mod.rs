//! MySQL and MariaDB on 3306/tcp.
//!
//! What it shows of itself is `persona`; the wire is `codec`, packets in order `wire`; `auth` holds what a
//! client proves. Statements are cut apart in `statement`, carried out in `front`, `show` and `admin`, and
//! by the SQL engine through `product`; `schema` and `variables` are what the system tells of itself.
//! `store` is what all connections share; `server` holds the conversation, `login` its beginning, `record` what is reported of it.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

#[cfg(feature = "servers")]
mod admin;
#[cfg(feature = "servers")]
mod auth;
#[cfg(feature = "servers")]
mod client;
#[cfg(feature = "servers")]
mod codec;
#[cfg(feature = "servers")]
mod failure;
#[cfg(feature = "servers")]
mod front;
#[cfg(feature = "servers")]
mod functions;
#[cfg(feature = "servers")]
mod login;
#[cfg(feature = "servers")]
mod metadata;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod product;
#[cfg(feature = "servers")]
mod record;
#[cfg(feature = "servers")]
mod schema;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod show;
#[cfg(feature = "servers")]
mod statement;
#[cfg(feature = "servers")]
mod store;
#[cfg(feature = "servers")]
mod system;
#[cfg(feature = "servers")]
mod variables;
#[cfg(feature = "servers")]
mod wire;

/// The words of the key `databases`.
#[cfg(feature = "servers")]
const DATABASES: &str = "auto, none, shop, hr, crm, accounting, portal, helpdesk";

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "mysql",
    role: "MySQL",
    ports: &[Port::tcp(3306)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "mysql_version",
        aliases: &["version"],
        kind: KeyKind::Text,
        default: "the identity's MySQL or MariaDB",
        doc: "The version in the greeting; it selects authentication plugin, character set, capabilities and error texts.",
    },
    PersonaKey {
        name: "mysql_banner",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the distribution's",
        doc: "What `@@version_comment` says.",
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
        default: "auto",
        doc: "The applications whose databases are there: auto (drawn from the identity), none, or some of shop, hr, \
              crm, accounting, portal, helpdesk.",
    },
    PersonaKey {
        name: "host_acl",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "Whether every client is refused with error 1130 before it can log in.",
    },
    PersonaKey {
        name: "tls",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "the release's habit",
        doc: "Whether the greeting offers TLS.",
    },
];

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build) }

#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

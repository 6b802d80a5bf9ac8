//! Microsoft SQL Server: Tabular Data Stream on 1433/tcp, and its Browser on 1434/udp.
//!
//! `codec` is the wire, `tunnel` TLS within it, `persona` what this server claims to be, `engine` what it keeps
//! and computes, `server` the conversation.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port, parse_bool};

use crate::registry::Service;

#[cfg(feature = "servers")]
mod codec;
#[cfg(feature = "servers")]
mod engine;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod tunnel;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "mssql",
    role: "Microsoft SQL Server",
    ports: &[Port::tcp(1433), Port::udp(1434)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows],
    yields: &[],
    narrow: Some(narrow),
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "mssql_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's SQL Server",
        doc: "Release or build number; it sets the version in PRELOGIN, LOGINACK and `@@version`.",
    },
    PersonaKey {
        name: "server_name",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's NetBIOS name",
        doc: "The server name in errors, `@@servername` and NTLM.",
    },
    PersonaKey {
        name: "instance",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the default instance",
        doc: "The name of the instance in errors and `@@servicename`.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The logins that are accepted.",
    },
    PersonaKey {
        name: "databases",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set made from the identity",
        doc: "The applications whose databases there are: auto, none, or some of shop, hr, crm, accounting, \
              portal, helpdesk.",
    },
    PersonaKey {
        name: "encrypt",
        aliases: &[],
        kind: KeyKind::OneOf(&["off", "on", "force"]),
        default: "off",
        doc: "The encryption that PRELOGIN negotiates: of the login, of everything, or (2022 and later) TLS first.",
    },
    PersonaKey {
        name: "browser",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "Whether SQL Server Browser queries on 1434/udp for the instance are answered.",
    },
];

/// The Browser answers where the persona says so.
fn narrow(_: &Identity, persona: &PersonaValues) -> Vec<Port> {
    let mut ports = vec![Port::tcp(1433)];
    if persona.get("browser").and_then(|text| parse_bool(text)) == Some(true) {
        ports.push(Port::udp(1434));
    }
    ports
}

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build) }

#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

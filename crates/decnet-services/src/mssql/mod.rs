//! Microsoft SQL Server.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "mssql",
    role: "Microsoft SQL Server",
    ports: &[Port::tcp(1433)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows],
    yields: &[],
    narrow: None,
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
        doc: "The databases that `sys.databases` lists and queries find.",
    },
    PersonaKey {
        name: "encrypt",
        aliases: &[],
        kind: KeyKind::OneOf(&["off", "on", "force"]),
        default: "off",
        doc: "The encryption that PRELOGIN negotiates.",
    },
    PersonaKey {
        name: "browser",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "Whether SQL Server Browser queries on 1434/udp for the instance are answered.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

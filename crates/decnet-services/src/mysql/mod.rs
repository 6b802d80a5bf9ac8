//! MySQL.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

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
        default: "a set made from the identity",
        doc: "The databases that SHOW DATABASES lists and queries find.",
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

inventory::submit! { Service::described(&DESCRIPTOR) }

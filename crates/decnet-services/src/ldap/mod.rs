//! LDAP / Active Directory.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "ldap",
    role: "LDAP / Active Directory",
    ports: &[Port::tcp(389), Port::tls(636)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "base_dn",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's domain as DC components",
        doc: "The naming context in the rootDSE and the root of the directory.",
    },
    PersonaKey {
        name: "domain",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's domain",
        doc: "The DNS domain in the rootDSE, the server's principal names and NTLM.",
    },
    PersonaKey {
        name: "os_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's system",
        doc: "The system whose error texts, functional levels and capabilities are shown.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that a bind lets in.",
    },
    PersonaKey {
        name: "directory",
        aliases: &[],
        kind: KeyKind::Text,
        default: "a directory made from the identity",
        doc: "Which set of users, groups and computers a search finds.",
    },
    PersonaKey {
        name: "anonymous",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "rootdse", "read", "off"]),
        default: "auto: rootDSE on Active Directory, read on OpenLDAP",
        doc: "What a client sees without a bind.",
    },
    PersonaKey {
        name: "functional_level",
        aliases: &[],
        kind: KeyKind::Integer { min: 0, max: 10 },
        default: "the system's: 7 for 2016 to 2022, 10 for 2025",
        doc: "The forest, domain and controller functional levels in the rootDSE.",
    },
    PersonaKey {
        name: "site",
        aliases: &[],
        kind: KeyKind::Text,
        default: "Default-First-Site-Name",
        doc: "The site in the server's names and in answers to a netlogon ping.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

//! FTP file transfer.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "ftp",
    role: "FTP file transfer",
    ports: &[Port::tcp(21)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "ftp_banner",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the product's greeting",
        doc: "The text of the 220 greeting, verbatim.",
    },
    PersonaKey {
        name: "ftp_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's FTP server",
        doc: "The product and release whose reply texts, FEAT and listing style are spoken.",
    },
    PersonaKey {
        name: "anonymous",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no; yes on printers",
        doc: "Whether `anonymous` and `ftp` log in.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that may log in.",
    },
    PersonaKey {
        name: "writable",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no; yes on printers",
        doc: "Whether STOR, MKD, DELE and their kin succeed or answer 550.",
    },
    PersonaKey {
        name: "passive_range",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the system's ephemeral ports",
        doc: "The port range, `low-high`, from which PASV and EPSV answer.",
    },
    PersonaKey {
        name: "tls",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "the product's habit",
        doc: "Whether AUTH TLS is offered and in FEAT.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

//! Telnet remote access.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "telnet",
    role: "Telnet remote access",
    ports: &[Port::tcp(23)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded, OsFamily::Cisco],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "telnet_banner",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the system's issue text",
        doc: "The text before the login prompt.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "one commonly sprayed account on linux and embedded deckies, nobody elsewhere",
        doc: "The accounts that may log in; every other login is refused.",
    },
    PersonaKey {
        name: "prompt",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the shell's own",
        doc: "The shell prompt after a login.",
    },
    PersonaKey {
        name: "device",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's architecture",
        doc: "The architecture (`mips`, `armv7l`, …) of the ELF files that are read in the shell.",
    },
    PersonaKey {
        name: "enable_secret",
        aliases: &[],
        kind: KeyKind::Text,
        default: "nobody is let into enable mode",
        doc: "The password that opens enable mode on a Cisco command line.",
    },
    PersonaKey {
        name: "max_tries",
        aliases: &[],
        kind: KeyKind::Integer { min: 1, max: 100 },
        default: "the product's: 3 for BusyBox and IOS, 5 for inetutils",
        doc: "Failed logins until the connection is closed.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

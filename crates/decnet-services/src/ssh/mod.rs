//! SSH.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "ssh",
    role: "SSH",
    ports: &[Port::tcp(22)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded, OsFamily::Cisco],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "ssh_version",
        aliases: &["ssh_banner"],
        kind: KeyKind::Text,
        default: "the identity's OpenSSH, Dropbear or Cisco release",
        doc: "The identification line, with or without `SSH-2.0-`; it also selects the algorithm lists and texts of that release.",
    },
    PersonaKey {
        name: "kernel_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's kernel release",
        doc: "What `uname -r`, `/proc/version` and the login message say in the shell.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "one commonly sprayed account on linux and embedded deckies, nobody elsewhere",
        doc: "The accounts that may log in; every other login is refused.",
    },
    PersonaKey {
        name: "kernel_build_string",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's kernel build",
        doc: "What `uname -v` and `/proc/version` say in the shell.",
    },
    PersonaKey {
        name: "hardware_platform",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's architecture",
        doc: "What `uname -m` says, and the architecture of the ELF files that are read in the shell.",
    },
    PersonaKey {
        name: "motd",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the distribution's text",
        doc: "The message of the day after a login.",
    },
    PersonaKey {
        name: "auth_methods",
        aliases: &[],
        kind: KeyKind::List,
        default: "the release's list",
        doc: "The authentication methods that a failure names, in this order.",
    },
    PersonaKey {
        name: "login_grace",
        aliases: &[],
        kind: KeyKind::Integer { min: 1, max: 3600 },
        default: "120",
        doc: "Seconds until a connection that has not logged in is closed.",
    },
    PersonaKey {
        name: "max_auth_tries",
        aliases: &[],
        kind: KeyKind::Integer { min: 1, max: 100 },
        default: "6",
        doc: "Failed logins until `Too many authentication failures`.",
    },
    PersonaKey {
        name: "hostkeys",
        aliases: &[],
        kind: KeyKind::List,
        default: "the release's: rsa3072, ecdsa256, ed25519",
        doc: "The host keys that are offered.",
    },
    PersonaKey {
        name: "sftp",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes",
        doc: "Whether the sftp subsystem is there.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

//! Remote Desktop Protocol.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "rdp",
    role: "Remote Desktop Protocol",
    ports: &[Port::tcp(3389)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "os_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's system",
        doc: "The system whose negotiation flags and logon screen are shown.",
    },
    PersonaKey {
        name: "build",
        aliases: &[],
        kind: KeyKind::Integer { min: 2600, max: 99_999 },
        default: "the identity's build",
        doc: "The build number in the NTLM version: 10.0.BUILD.",
    },
    PersonaKey {
        name: "nla",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes on Windows from 2012 on; no on xrdp",
        doc: "Whether network level authentication is required; without it the classic logon screen is shown.",
    },
    PersonaKey {
        name: "computer_name",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's names",
        doc: "The computer name in NTLM and the subject of the certificate.",
    },
    PersonaKey {
        name: "domain",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's domain",
        doc: "The domain in NTLM and on the logon screen.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that may log in.",
    },
    PersonaKey {
        name: "last_user",
        aliases: &[],
        kind: KeyKind::Text,
        default: "drawn from the identity",
        doc: "The user name that the classic logon screen shows.",
    },
    PersonaKey {
        name: "cert_days",
        aliases: &[],
        kind: KeyKind::Integer { min: 1, max: 3650 },
        default: "180",
        doc: "How many days the self-signed certificate is valid.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

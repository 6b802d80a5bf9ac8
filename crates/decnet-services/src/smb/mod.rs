//! SMB/CIFS file shares.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "smb",
    role: "SMB/CIFS file shares",
    ports: &[Port::tcp(445), Port::tcp(139)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "workgroup",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's NetBIOS domain",
        doc: "The NetBIOS domain or workgroup in NTLM and in the server's answers.",
    },
    PersonaKey {
        name: "server_name",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's NetBIOS name",
        doc: "The computer name in NTLM, the session service and the share list; at most 15 characters, shown in upper case.",
    },
    PersonaKey {
        name: "os_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's system",
        doc: "The system whose dialects, signing, sizes and NTLM version are spoken.",
    },
    PersonaKey {
        name: "domain",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's domain where it is joined",
        doc: "The DNS domain in NTLM, which makes the host look joined.",
    },
    PersonaKey {
        name: "shares",
        aliases: &[],
        kind: KeyKind::List,
        default: "the archetype's shares",
        doc: "The shares, each `name:comment:ro` or `name:comment:rw`.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that may log in.",
    },
    PersonaKey {
        name: "smb1",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "on", "off"]),
        default: "auto: what the system's release has",
        doc: "Whether an SMB1 negotiation is answered.",
    },
    PersonaKey {
        name: "signing",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "optional", "required"]),
        default: "auto: required on domain controllers and newest systems",
        doc: "The security mode in the negotiation.",
    },
    PersonaKey {
        name: "guest",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "Whether Samba maps unknown users to a guest session.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

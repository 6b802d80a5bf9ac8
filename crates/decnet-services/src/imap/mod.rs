//! IMAP mail access.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port, parse_bool};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "imap",
    role: "IMAP mail access",
    ports: &[Port::tcp(143), Port::tls(993)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd],
    yields: &[],
    narrow: Some(narrow),
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "imap_banner",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the product's greeting",
        doc: "The text of the untagged OK greeting, verbatim.",
    },
    PersonaKey {
        name: "imap_server",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's IMAP server",
        doc: "Product and release (dovecot, exchange, courier, cyrus) whose capabilities and texts are spoken.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that may log in.",
    },
    PersonaKey {
        name: "mailbox",
        aliases: &[],
        kind: KeyKind::Text,
        default: "a mailbox made from the identity",
        doc: "Which set of mails an account that logs in finds.",
    },
    PersonaKey {
        name: "plaintext",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "allow", "deny"]),
        default: "auto: the release's",
        doc: "Whether a password is accepted before TLS; without it LOGINDISABLED is announced.",
    },
    PersonaKey {
        name: "tls",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes",
        doc: "Whether STARTTLS is offered and 993 is open.",
    },
];

/// Without TLS the port that starts with it is closed.
fn narrow(_: &Identity, persona: &PersonaValues) -> Vec<Port> {
    let tls = persona.get("tls").and_then(|value| parse_bool(value)).unwrap_or(true);
    DESCRIPTOR.ports.iter().copied().filter(|port| tls || !port.tls).collect()
}

inventory::submit! { Service::described(&DESCRIPTOR) }

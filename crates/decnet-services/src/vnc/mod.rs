//! VNC remote desktop.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "vnc",
    role: "VNC remote desktop",
    ports: &[Port::tcp(5900)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "vnc_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's VNC server",
        doc: "Product and release; they select the protocol version line, the security types and the failure texts.",
    },
    PersonaKey {
        name: "password",
        aliases: &[],
        kind: KeyKind::Text,
        default: "nobody is let in",
        doc: "The password that is accepted.",
    },
    PersonaKey {
        name: "desktop_name",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the product's form of the host name",
        doc: "The desktop name in ServerInit.",
    },
    PersonaKey {
        name: "geometry",
        aliases: &[],
        kind: KeyKind::Text,
        default: "1280x800",
        doc: "Width and height of the screen, `WIDTHxHEIGHT`.",
    },
    PersonaKey {
        name: "no_auth",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "Whether security type None is offered and a view-only screen is shown.",
    },
    PersonaKey {
        name: "screen",
        aliases: &[],
        kind: KeyKind::Path,
        default: "a drawn lock screen",
        doc: "An image file to show in place of the lock screen.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

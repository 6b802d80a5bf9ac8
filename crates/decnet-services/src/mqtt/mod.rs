//! MQTT broker.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "mqtt",
    role: "MQTT broker",
    ports: &[Port::tcp(1883)],
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "mqtt_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's broker",
        doc: "Product and release; they set `$SYS/broker/version` and the reason codes.",
    },
    PersonaKey {
        name: "anonymous",
        aliases: &[],
        kind: KeyKind::OneOf(&["auto", "on", "off"]),
        default: "auto: on up to Mosquitto 1.6, off from 2.0",
        doc: "Whether a CONNECT without credentials is accepted.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "The accounts that may connect.",
    },
    PersonaKey {
        name: "topics",
        aliases: &[],
        kind: KeyKind::List,
        default: "a set that fits the archetype",
        doc: "The sets of retained and live topics: building, water, energy, zigbee2mqtt, tasmota, homeassistant.",
    },
    PersonaKey {
        name: "sys",
        aliases: &[],
        kind: KeyKind::Boolean,
        default: "yes",
        doc: "Whether the `$SYS` tree is published.",
    },
];

inventory::submit! { Service::described(&DESCRIPTOR) }

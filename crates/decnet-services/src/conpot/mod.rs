//! ICS/SCADA: Modbus, S7, DNP3, and the device's SNMP and web page.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port};

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "conpot",
    role: "ICS/SCADA: Modbus, S7, DNP3, and the device's SNMP and web page",
    ports: &[Port::tcp(502), Port::tcp(102), Port::tcp(20000), Port::udp(161), Port::tcp(80)],
    keys: KEYS,
    families: &[OsFamily::Embedded],
    yields: &[("snmp", Port::udp(161)), ("http", Port::tcp(80))],
    narrow: Some(narrow),
    image: None,
};

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "plc",
        aliases: &[],
        kind: KeyKind::OneOf(PLCS),
        default: "the identity's device, else siemens-s7-1200-rtu",
        doc: "The controller: its protocols, its ports and its identification.",
    },
    PersonaKey {
        name: "plant",
        aliases: &[],
        kind: KeyKind::OneOf(&["water", "energy", "heating", "conveyor"]),
        default: "drawn from the identity",
        doc: "The process behind the registers, and how its values move.",
    },
    PersonaKey {
        name: "station",
        aliases: &[],
        kind: KeyKind::Text,
        default: "drawn from the identity",
        doc: "The station or plant name in S7, SNMP and on the web page.",
    },
    PersonaKey {
        name: "serial",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the identity's serial number",
        doc: "The serial number in S7, Modbus, SNMP and on the web page.",
    },
    PersonaKey {
        name: "firmware",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the device's usual release",
        doc: "The firmware version in S7, Modbus, SNMP and on the web page.",
    },
    PersonaKey {
        name: "unit_ids",
        aliases: &[],
        kind: KeyKind::List,
        default: "the device's: 0, 1 and 255",
        doc: "The Modbus unit identifiers that are answered.",
    },
    PersonaKey {
        name: "s7_modules",
        aliases: &[],
        kind: KeyKind::List,
        default: "the device's rack",
        doc: "The order numbers of the modules in the S7 system status lists, one a slot.",
    },
    PersonaKey {
        name: "registers",
        aliases: &[],
        kind: KeyKind::List,
        default: "the plant's registers",
        doc: "Modbus registers, each `name:address:type:curve`.",
    },
];

/// The controllers, the one of a decky that names none first. The default carries a telecontrol module,
/// which is why it alone speaks all five.
const PLCS: &[&str] =
    &["siemens-s7-1200-rtu", "siemens-s7-300", "schneider-m340", "wago-750", "moxa-rtu", "sel-rtu"];

/// A controller answers only in the protocols that it has; the ports of the others are closed.
fn narrow(identity: &Identity, persona: &PersonaValues) -> Vec<Port> {
    let device = identity.product(DESCRIPTOR.slug).map(|product| product.name.as_str());
    let plc = persona.get("plc").map(|value| value.trim()).or(device).unwrap_or(PLCS[0]);
    let speaks = |port: &Port| match plc {
        "siemens-s7-300" => matches!(port.number, 102 | 161 | 80),
        "schneider-m340" | "wago-750" | "moxa-rtu" => matches!(port.number, 502 | 161 | 80),
        "sel-rtu" => matches!(port.number, 20_000 | 502 | 80),
        _ => true,
    };
    DESCRIPTOR.ports.iter().copied().filter(speaks).collect()
}

inventory::submit! { Service::described(&DESCRIPTOR) }

//! ICS/SCADA: Modbus, S7, DNP3, and the device's SNMP and web page.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::Port;

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "conpot",
    role: "ICS/SCADA: Modbus, S7, DNP3, and the device's SNMP and web page",
    ports: &[Port::tcp(502), Port::tcp(102), Port::tcp(20000), Port::udp(161), Port::tcp(80)],
    keys: &[],
    families: &[OsFamily::Embedded],
    yields: &[("snmp", Port::udp(161)), ("http", Port::tcp(80))],
    narrow: None,
    image: None,
};

inventory::submit! { Service::described(&DESCRIPTOR) }

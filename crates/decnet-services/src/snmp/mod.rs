//! SNMP: the agent of the decky's device, v1, v2c and v3.
//!
//! `codec` and `value` read and write messages; `agent` answers PDUs from a tree; `mib` makes the tree of
//! the persona from the decky's identity when it is first asked for; `usm` is the security of v3; `server`
//! puts them together and tells what happened, through `journal`.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::{KeyKind, PersonaKey, Port};

use crate::registry::Service;

#[cfg(feature = "servers")]
mod agent;
#[cfg(feature = "servers")]
pub mod codec;
#[cfg(feature = "servers")]
mod journal;
#[cfg(feature = "servers")]
mod mib;
#[cfg(feature = "servers")]
mod pace;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod stats;
#[cfg(test)]
mod tests;
#[cfg(feature = "servers")]
pub mod usm;
#[cfg(feature = "servers")]
pub mod value;
#[cfg(feature = "servers")]
mod zone;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "snmp",
    role: "SNMP",
    ports: &[Port::udp(161)],
    keys: &[
        PersonaKey {
            name: "snmp_community",
            aliases: &["community"],
            kind: KeyKind::List,
            default: "as the device comes: public, on some devices another one that writes",
            doc: "Communities of v1 and v2c, separated by commas; `rw:` before one lets it write. Any other \
                  community is met with silence.",
        },
        PersonaKey {
            name: "sys_descr",
            aliases: &[],
            kind: KeyKind::Text,
            default: "system, kernel and firmware of the identity, in the product's form",
            doc: "sysDescr, the description of the device.",
        },
        PersonaKey {
            name: "sys_contact",
            aliases: &[],
            kind: KeyKind::Text,
            default: "a role address in the decky's domain; empty on devices",
            doc: "sysContact, whom to ask about the device.",
        },
        PersonaKey {
            name: "sys_location",
            aliases: &[],
            kind: KeyKind::Text,
            default: "a place; empty on devices",
            doc: "sysLocation, where the device stands.",
        },
        PersonaKey {
            name: "sys_name",
            aliases: &[],
            kind: KeyKind::Text,
            default: "the host name",
            doc: "sysName, the name of the device.",
        },
        PersonaKey {
            name: "sys_object_id",
            aliases: &[],
            kind: KeyKind::Text,
            default: "the product's",
            doc: "sysObjectID, the vendor's number for the device.",
        },
        PersonaKey {
            name: "v3_users",
            aliases: &[],
            kind: KeyKind::List,
            default: "none",
            doc: "Users of v3, separated by commas: `name`, `name:md5:password`, \
                  `name:sha:password:aes:password`; `rw:` before one lets it write.",
        },
        PersonaKey {
            name: "device",
            aliases: &[],
            kind: KeyKind::OneOf(&["server", "printer", "switch", "ups", "plc"]),
            default: "what the identity is",
            doc: "Which kind of device the agent belongs to: it chooses agent product and objects.",
        },
    ],
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded, OsFamily::Cisco],
    yields: &[],
    narrow: None,
    image: None,
};

#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build_server) }

//! The system group (RFC 3418) and sysORTable, and the snmp group with the statistics of v3.

use super::facts::Machine;
use super::live::Live;
use super::short::{int, oid, text, ticks};
use super::{Builder, Rule};
use crate::snmp::persona::Profile;
use crate::snmp::stats::counter;
use crate::snmp::value::Value;

const SYSTEM: &[u32] = &[1, 3, 6, 1, 2, 1, 1];
const SNMP: &[u32] = &[1, 3, 6, 1, 2, 1, 11];

/// What snmpd 5.9 says it implements, in the order in which its modules register.
const NET_SNMP_OR: [(&[u32], &str); 10] = [
    (&[1, 3, 6, 1, 6, 3, 10, 3, 1, 1], "The SNMP Management Architecture MIB."),
    (&[1, 3, 6, 1, 6, 3, 11, 3, 1, 1], "The MIB for Message Processing and Dispatching."),
    (
        &[1, 3, 6, 1, 6, 3, 15, 2, 1, 1],
        "The management information definitions for the SNMP User-based Security Model.",
    ),
    (&[1, 3, 6, 1, 6, 3, 1], "The MIB module for SNMPv2 entities"),
    (&[1, 3, 6, 1, 6, 3, 16, 2, 2, 1], "View-based Access Control Model for SNMP."),
    (&[1, 3, 6, 1, 2, 1, 49], "The MIB module for managing TCP implementations"),
    (&[1, 3, 6, 1, 2, 1, 50], "The MIB module for managing UDP implementations"),
    (&[1, 3, 6, 1, 2, 1, 4], "The MIB module for managing IP and ICMP implementations"),
    (&[1, 3, 6, 1, 6, 3, 13, 3, 1, 3], "The MIB modules for managing SNMP Notification, plus filtering."),
    (&[1, 3, 6, 1, 2, 1, 92], "The MIB module for logging SNMP Notifications."),
];

/// What bsnmpd says of itself and its modules.
const BSNMPD_OR: [(&[u32], &str); 3] = [
    (&[1, 3, 6, 1, 2, 1, 1], "The MIB module for SNMPv2 entities."),
    (&[1, 3, 6, 1, 4, 1, 12325, 1, 1], "The MIB module for the Begemot SNMPd."),
    (&[1, 3, 6, 1, 2, 1, 2], "The (incomplete) MIB II."),
];

/// The system group.
pub(super) fn system(builder: &mut Builder, machine: &Machine<'_>) {
    let persona = machine.persona;
    let under = |number: u32| [SYSTEM, &[number]].concat();
    builder.scalar(&under(1), text(&persona.descr));
    builder.scalar(&under(2), Value::Oid(persona.object_id.clone()));
    builder.scalar(&under(3), Live::AgentUptime);
    builder.writable(&under(4), text(&persona.contact), Rule::Text(255));
    builder.writable(&under(5), text(&persona.name), Rule::Text(255));
    builder.writable(&under(6), text(&persona.location), Rule::Text(255));
    builder.scalar(&under(7), int(persona.services));
    let implemented: &[(&[u32], &str)] = match persona.profile {
        Profile::NetSnmp => &NET_SNMP_OR,
        Profile::Bsnmpd => &BSNMPD_OR,
        _ => return,
    };
    // The modules register in the first hundredths of a second after the start.
    let when = machine.identity.draw(&["snmp", "modules"]).between(0, 5) as u32;
    builder.scalar(&under(8), ticks(when));
    let mut table = builder.table(&[SYSTEM, &[9, 1]].concat(), (2, 4));
    for (index, (id, descr)) in (1..).zip(implemented) {
        table.row(&[index], [(2, oid(id)), (3, text(descr)), (4, ticks(when))]);
    }
}

/// The snmp group: 1 to 32 without 7 and 23.
pub(super) fn snmp(builder: &mut Builder, machine: &Machine<'_>) {
    for number in (1..=32usize).filter(|number| ![7, 23].contains(number)) {
        let object = [SNMP, &[number as u32]].concat();
        if number == 30 {
            builder.writable(&object, int(2), Rule::OneOf(&[1, 2]));
        } else {
            builder.scalar(&object, Live::Stat(number));
        }
    }
    if !machine.persona.v3 {
        return;
    }
    let modules = |rest: &[u32]| [&[1, 3, 6, 1, 6, 3][..], rest].concat();
    builder.scalar(&modules(&[10, 2, 1, 1]), Value::bytes(machine.persona.engine_id.clone()));
    builder.scalar(&modules(&[10, 2, 1, 2]), Live::EngineBoots);
    builder.scalar(&modules(&[10, 2, 1, 3]), Live::EngineTime);
    builder.scalar(
        &modules(&[10, 2, 1, 4]),
        int(if machine.persona.profile == Profile::NetSnmp { 1500 } else { machine.persona.max_size }),
    );
    builder.scalar(&modules(&[11, 2, 1, 1]), Live::Stat(counter::UNKNOWN_SECURITY_MODELS));
    builder.scalar(&modules(&[11, 2, 1, 2]), Live::Stat(counter::INVALID_MESSAGES));
    builder.scalar(&modules(&[11, 2, 1, 3]), Live::Stat(counter::UNKNOWN_CONTEXTS));
    for (number, which) in (1..).zip(counter::UNSUPPORTED_SECURITY_LEVELS..=counter::DECRYPTION_ERRORS) {
        builder.scalar(&modules(&[15, 1, 1, number]), Live::Stat(which));
    }
}

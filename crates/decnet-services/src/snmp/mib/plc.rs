//! Controllers: Siemens S7 and Schneider Modicon. Beside MIB-2 they tell their neighbours (LLDP-MIB), as
//! PROFINET's topology needs it.

use super::Builder;
use super::facts::Machine;
use super::short::{arcs, bytes, int, no_oid, text};
use crate::snmp::persona::Profile;

const LLDP: &[u32] = &[1, 0, 8802, 1, 1, 2, 1];
const SIEMENS: &[u32] = &[1, 3, 6, 1, 4, 1, 4329];
const SCHNEIDER: &[u32] = &[1, 3, 6, 1, 4, 1, 3833, 1, 7];

/// Everything that only controllers have.
pub(super) fn plc(builder: &mut Builder, machine: &Machine<'_>) {
    match machine.persona.profile {
        Profile::Schneider => schneider(builder, machine),
        _ => siemens(builder, machine),
    }
}

fn siemens(builder: &mut Builder, machine: &Machine<'_>) {
    let hardware = &machine.identity.hardware;
    let under = |rest: &[u32]| [LLDP, rest].concat();
    // lldpConfiguration.
    for (number, value) in [(1, 5), (2, 4), (3, 2), (4, 2), (5, 5)] {
        builder.scalar(&under(&[1, number]), int(value));
    }
    // lldpLocalSystemData: the chassis is named by its description, as PROFINET has it.
    builder.scalar(&under(&[3, 1]), int(7));
    let station = machine.identity.names.hostname.to_ascii_lowercase();
    builder.scalar(&under(&[3, 2]), text(&station));
    builder.scalar(&under(&[3, 3]), text(&station));
    builder.scalar(&under(&[3, 4]), text(&machine.persona.descr));
    builder.scalar(&under(&[3, 5]), bytes([0x01]));
    builder.scalar(&under(&[3, 6]), bytes([0x01]));
    let mut ports = builder.table(&under(&[3, 7, 1]), (1, 4));
    ports.row(
        &[1],
        [(2, int(7)), (3, text("port-001")), (4, text("Siemens, SIMATIC S7, Ethernet Port, X1 P1"))],
    );
    let mut addresses = builder.table(&under(&[3, 8, 1]), (1, 6));
    let index = [&[1, 4][..], &arcs(machine.address)].concat();
    addresses.row(&index, [(3, int(5)), (4, int(2)), (5, int(2)), (6, no_oid())]);
    // Order number, serial number and versions (SIEMENS automation, snGen).
    let own = |rest: &[u32]| [SIEMENS, &[6, 3, 2, 1, 1], rest].concat();
    let order =
        if hardware.model.starts_with("6ES7") { hardware.model.as_str() } else { "6ES7 214-1AG40-0XB0" };
    builder.scalar(&own(&[1]), int(1));
    builder.scalar(&own(&[2]), text(order));
    builder.scalar(&own(&[3]), text(&hardware.serial));
    builder.scalar(&own(&[5]), text(&machine.identity.os.version));
}

fn schneider(builder: &mut Builder, machine: &Machine<'_>) {
    let hardware = &machine.identity.hardware;
    let under = |rest: &[u32]| [SCHNEIDER, rest].concat();
    // Transparent Factory: product, version, configured, role, rack and slot.
    builder.scalar(&under(&[1]), text(&hardware.model));
    builder.scalar(&under(&[2]), int(100));
    builder.scalar(&under(&[3]), text("Ethernet TCP/IP"));
    builder.scalar(&under(&[4]), int(1));
    builder.scalar(&under(&[5]), text(&machine.identity.os.version));
    builder.scalar(&under(&[6]), text(&hardware.serial));
    builder.scalar(&under(&[7]), int(0));
    builder.scalar(&under(&[11]), int(2));
}

//! Cisco IOS: its chassis (ENTITY-MIB), bridging (BRIDGE-MIB), neighbours (CISCO-CDP-MIB), processor and
//! memory, and the copy tables through which configurations are taken and written.

use super::Builder;
use super::facts::Machine;
use super::live::{Flow, Live, Swing};
use super::short::{bytes, counter, gauge, grows, int, no_oid, text, ticks};
use crate::snmp::persona::Profile;

const ENTITY: &[u32] = &[1, 3, 6, 1, 2, 1, 47];
const BRIDGE: &[u32] = &[1, 3, 6, 1, 2, 1, 17];
const CISCO: &[u32] = &[1, 3, 6, 1, 4, 1, 9];

/// Everything that only Cisco has.
pub(super) fn cisco(builder: &mut Builder, machine: &Machine<'_>) {
    chassis(builder, machine);
    processor(builder, machine);
    neighbours(builder, machine);
    old_system(builder, machine);
    if machine.persona.profile == Profile::CiscoSwitch {
        bridge(builder, machine);
    }
    // ccCopyTable, and writeNet and hostConfigSet of OLD-CISCO-SYSTEM-MIB: rows appear when written.
    for area in [&[9, 96, 1, 1, 1, 1][..], &[2, 1, 53], &[2, 1, 55]] {
        builder.writable_area(&[CISCO, area].concat());
    }
}

fn model(machine: &Machine<'_>) -> String {
    match machine.persona.profile {
        Profile::CiscoSwitch if !machine.identity.hardware.model.starts_with("WS-") => {
            "WS-C2960-24TT-L".into()
        }
        _ => machine.identity.hardware.model.clone(),
    }
}

fn chassis(builder: &mut Builder, machine: &Machine<'_>) {
    let serial = &machine.identity.hardware.serial;
    let version = &machine.identity.os.version;
    let model = model(machine);
    let switch = machine.persona.profile == Profile::CiscoSwitch;
    let mut table = builder.table(&[ENTITY, &[1, 1, 1, 1]].concat(), (1, 19));
    let mut row = |index: u32,
                   descr: &str,
                   kind: i32,
                   inside: u32,
                   place: i32,
                   name: &str,
                   serial: &str,
                   model: &str| {
        table.row(
            &[index],
            [
                (2, text(descr)),
                (3, no_oid()),
                (4, int(inside)),
                (5, int(kind)),
                (6, int(place)),
                (7, text(name)),
                (8, text(if kind == 3 { "V05 " } else { "" })),
                (9, text("")),
                (10, text(if kind == 3 { version.as_str() } else { "" })),
                (11, text(serial)),
                (12, text("Cisco Systems, Inc.")),
                (13, text(model)),
                (14, text("")),
                (15, text("")),
                (16, int(if kind == 3 { 1 } else { 2 })),
            ],
        );
    };
    let descr = if switch { "WS-C2960-24TT-L".to_owned() } else { format!("{model} chassis") };
    let name = if switch { "1".to_owned() } else { format!("{model} chassis") };
    row(if switch { 1001 } else { 1 }, &descr, 3, 0, -1, &name, serial, &model);
    let inside = if switch { 1001 } else { 1 };
    let first_port = if switch { 1003 } else { 2 };
    for (number, interface) in machine.interfaces.iter().filter(|interface| interface.connector).enumerate() {
        let number = number as u32;
        row(first_port + number, &interface.descr, 10, inside, number as i32 + 1, &interface.descr, "", "");
    }
    builder.scalar(&[ENTITY, &[1, 4, 1]].concat(), ticks(0));
}

/// CISCO-PROCESS-MIB, OLD-CISCO-CPU, CISCO-MEMORY-POOL-MIB.
fn processor(builder: &mut Builder, machine: &Machine<'_>) {
    let phase = machine.traffic().0.phase;
    let busy = |high: f64, period: f64| Swing { low: 1.0, high, period, phase };
    for (number, high, period) in [(56, 22.0, 60.0), (57, 12.0, 300.0), (58, 10.0, 1500.0)] {
        builder.scalar(&[CISCO, &[2, 1, number]].concat(), Live::Integer(busy(high, period)));
    }
    let mut table = builder.table(&[CISCO, &[9, 109, 1, 1, 1, 1]].concat(), (2, 8));
    table.row(
        &[1],
        [
            (2, int(0)),
            (3, Live::Gauge(busy(22.0, 60.0)).into()),
            (4, Live::Gauge(busy(12.0, 300.0)).into()),
            (5, Live::Gauge(busy(10.0, 1500.0)).into()),
            (6, Live::Gauge(busy(22.0, 60.0)).into()),
            (7, Live::Gauge(busy(12.0, 300.0)).into()),
            (8, Live::Gauge(busy(10.0, 1500.0)).into()),
        ],
    );
    let mut pools = builder.table(&[CISCO, &[9, 48, 1, 1, 1]].concat(), (2, 7));
    for (index, name, size) in [(1u32, "Processor", 284_132_000.0), (2, "I/O", 33_554_432.0)] {
        let used = Swing { low: size * 0.21, high: size * 0.24, period: 9_000.0, phase };
        let free = Swing { low: size * 0.76, high: size * 0.79, phase: (phase + 0.5).fract(), ..used };
        pools.row(
            &[index],
            [
                (2, text(name)),
                (3, int(0)),
                (4, int(1)),
                (5, Live::Gauge(used).into()),
                (6, Live::Gauge(free).into()),
                (7, gauge((size * 0.73) as u32)),
            ],
        );
    }
}

/// CISCO-CDP-MIB: itself, and the device at the other end of its uplink.
fn neighbours(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [CISCO, &[9, 23, 1], rest].concat();
    let mut draw = machine.identity.draw(&["snmp", "neighbour"]);
    let site = machine.identity.names.hostname.split('-').next().unwrap_or("core").to_owned();
    let neighbour = format!("{site}-sw-{:02}.{}", draw.between(1, 9), machine.identity.names.domain);
    let uplink = machine.uplink();
    let mut table = builder.table(&under(&[2, 1, 1]), (1, 24));
    let octets = machine.gateway.octets();
    let port = format!("GigabitEthernet1/0/{}", draw.between(1, 48));
    table.row(
        &[uplink, 1],
        [
            (3, int(1)),
            (4, bytes(octets)),
            (
                5,
                text(
                    "Cisco IOS Software, C3750E Software (C3750E-UNIVERSALK9-M), Version 15.0(2)SE8, RELEASE \
                     SOFTWARE (fc1)",
                ),
            ),
            (6, text(&neighbour)),
            (7, text(port)),
            (8, text("cisco WS-C3750X-48")),
            (9, bytes([0, 0, 0, 0x28])),
            (10, text("")),
            (11, int(1)),
            (12, int(3)),
        ],
    );
    builder.scalar(&under(&[3, 1]), int(1));
    builder.scalar(&under(&[3, 2]), int(60));
    builder.scalar(&under(&[3, 3]), int(180));
    builder.scalar(&under(&[3, 4]), text(&machine.persona.name));
}

/// The old local variables: host, domain, reason of the last boot, chassis.
fn old_system(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [CISCO, rest].concat();
    builder.scalar(&under(&[2, 1, 2]), text("power-on"));
    builder.scalar(&under(&[2, 1, 3]), text(&machine.identity.names.hostname));
    builder.scalar(&under(&[2, 1, 4]), text(&machine.identity.names.domain));
    builder.scalar(
        &under(&[3, 6, 1]),
        int(if machine.persona.profile == Profile::CiscoSwitch { 716 } else { 1 }),
    );
    builder.scalar(&under(&[3, 6, 3]), text(&machine.identity.hardware.serial));
    builder.scalar(&under(&[3, 6, 4]), text(""));
    builder.scalar(&under(&[3, 6, 6]), int(512 * 1024 * 1024));
    builder.scalar(&under(&[3, 6, 7]), int(262_136));
    // When the running and the stored configuration last changed (CISCO-CONFIG-MAN-MIB).
    let mut draw = machine.identity.draw(&["snmp", "configured"]);
    let changed = draw.between(9_000, 60_000) as u32;
    builder.scalar(&under(&[9, 43, 1, 1, 1]), ticks(changed));
    builder.scalar(&under(&[9, 43, 1, 1, 2]), ticks(changed + 1_211));
    builder.scalar(&under(&[9, 43, 1, 1, 3]), ticks(changed + 1_211));
}

/// BRIDGE-MIB with the spanning tree, ports, and the addresses behind them.
fn bridge(builder: &mut Builder, machine: &Machine<'_>) {
    let under = |rest: &[u32]| [BRIDGE, rest].concat();
    let mac = machine.decky.mac.octets();
    let ports: Vec<(u32, u32, bool)> = (1u32..)
        .zip(machine.interfaces.iter().filter(|interface| interface.connector))
        .map(|(number, interface)| (number, interface.index, interface.up))
        .collect();
    builder.scalar(&under(&[1, 1]), bytes(mac));
    builder.scalar(&under(&[1, 2]), int(ports.len() as u32));
    builder.scalar(&under(&[1, 3]), int(2));
    let mut base = builder.table(&under(&[1, 4, 1]), (1, 5));
    for (number, interface, _) in &ports {
        base.row(
            &[*number],
            [(1, int(*number)), (2, int(*interface)), (3, no_oid()), (4, counter(0)), (5, counter(0))],
        );
    }
    builder.scalar(&under(&[2, 1]), int(3));
    builder.scalar(&under(&[2, 2]), int(32_769));
    let changes = Flow { rate: 0.000_01, phase: 0.4, base: 3 };
    builder.scalar(&under(&[2, 4]), grows(changes));
    let mut root = vec![0x80, 0x01];
    root.extend(machine.gateway_mac);
    builder.scalar(&under(&[2, 5]), bytes(root.clone()));
    builder.scalar(&under(&[2, 6]), int(4));
    builder.scalar(&under(&[2, 7]), int(ports.len() as u32 - 1));
    builder.scalar(&under(&[2, 8]), int(2_000));
    builder.scalar(&under(&[2, 9]), int(200));
    builder.scalar(&under(&[2, 11]), int(1_500));
    let mut spanning = builder.table(&under(&[2, 15, 1]), (1, 10));
    for (number, _, up) in &ports {
        spanning.row(
            &[*number],
            [
                (1, int(*number)),
                (2, int(128)),
                (3, int(if *up { 5 } else { 1 })),
                (4, int(1)),
                (5, int(19)),
                (6, bytes(root.clone())),
                (7, int(0)),
                (8, bytes(root.clone())),
                (9, bytes([0x80, *number as u8])),
                (10, counter(u32::from(*up))),
            ],
        );
    }
    builder.scalar(&under(&[4, 1]), counter(0));
    builder.scalar(&under(&[4, 2]), int(300));
    let mut learned = builder.table(&under(&[4, 3, 1]), (1, 3));
    let mut draw = machine.identity.draw(&["snmp", "learned"]);
    for (number, _, _) in ports.iter().filter(|(_, _, up)| *up) {
        // Stations of the vendors that offices buy.
        let prefix = *draw
            .pick(&[[0xd4, 0xbe, 0xd9], [0x8c, 0xec, 0x4b], [0x54, 0xe1, 0xad], [0x3c, 0x2a, 0xf4]])
            .unwrap_or(&[0, 0x1b, 0x21]);
        let tail = draw.bytes::<3>();
        let station = [prefix, tail].concat();
        let index: Vec<u32> = station.iter().map(|byte| u32::from(*byte)).collect();
        learned.row(&index, [(1, bytes(station)), (2, int(*number)), (3, int(3))]);
    }
    // VLANs (CISCO-VTP-MIB).
    let mut vlans = builder.table(&[CISCO, &[9, 46, 1, 3, 1, 1]].concat(), (1, 18));
    for (vlan, name) in [(1u32, "default"), (10, "CLIENTS"), (20, "SERVERS"), (30, "VOICE"), (99, "MGMT")] {
        vlans.row(&[1, vlan], [(2, int(1)), (3, int(1)), (4, text(name)), (5, int(1500))]);
    }
    builder.scalar(&[CISCO, &[9, 46, 1, 1, 1]].concat(), int(2));
}

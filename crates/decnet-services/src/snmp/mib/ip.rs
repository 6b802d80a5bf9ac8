//! The ip and icmp groups (RFC 4293), with the old address, route and neighbour tables (RFC 1213) that
//! every tool still asks for.

use std::net::Ipv4Addr;

use super::Builder;
use super::facts::{MASK, Machine, PREFIX};
use super::interfaces::packets;
use super::live::Flow;
use super::short::{arcs, bytes, counter, gauge, grows, grows_wide, int, ip, no_oid, oid, ticks};
use crate::snmp::persona::Profile;

const IP: &[u32] = &[1, 3, 6, 1, 2, 1, 4];
const ICMP: &[u32] = &[1, 3, 6, 1, 2, 1, 5];
const AT: &[u32] = &[1, 3, 6, 1, 2, 1, 3, 1, 1];

/// Packets that reach and leave IP: those of the uplink without what is not IP.
pub(super) fn datagrams(machine: &Machine<'_>) -> (Flow, Flow) {
    let (received, sent) = machine.traffic();
    (packets(received).times(0.97), packets(sent).times(0.99))
}

/// The ip group.
pub(super) fn ip_group(builder: &mut Builder, machine: &Machine<'_>) {
    let profile = machine.persona.profile;
    let (received, sent) = datagrams(machine);
    let forwards =
        matches!(profile, Profile::CiscoRouter) || machine.identity.os.row.starts_with("teltonika");
    let hops = match profile {
        Profile::Windows => 128,
        Profile::CiscoRouter | Profile::CiscoSwitch => 255,
        Profile::HpPrinter | Profile::Siemens | Profile::Schneider => 64,
        _ => 64,
    };
    let under = |rest: &[u32]| [IP, rest].concat();
    let forwarding = match (forwards, profile) {
        (true, _) => 1,
        (false, _) => 2,
    };
    builder.scalars(
        IP,
        1,
        [
            int(forwarding),
            int(hops),
            grows(received),
            counter(0),
            grows(received.times(0.0002)),
            if forwards { grows(received.times(0.8)) } else { counter(0) },
            counter(0),
            grows(received.times(0.001)),
            grows(received.times(0.98)),
            grows(sent),
            counter(0),
            grows(sent.times(0.000_01)),
            int(if profile == Profile::Windows { 60 } else { 30 }),
            counter(0),
            counter(0),
            counter(0),
            counter(0),
            counter(0),
            counter(0),
        ],
    );
    addresses(builder, machine);
    routes(builder, machine);
    neighbours(builder, machine);
    builder.scalar(&under(&[23]), counter(0));
    match profile {
        Profile::NetSnmp => {
            cidr_routes(builder, machine);
            builder.scalar(&under(&[25]), int(2));
            builder.scalar(&under(&[26]), int(64));
            system_stats(builder, received, sent);
            builder.scalar(&under(&[31, 2]), ticks(0));
            prefixes_and_addresses(builder, machine);
        }
        Profile::CiscoRouter | Profile::Windows | Profile::Bsnmpd => cidr_routes(builder, machine),
        _ => {}
    }
}

/// Address, interface, mask, for each interface that has an address.
fn address_rows(machine: &Machine<'_>) -> Vec<(Ipv4Addr, u32, Ipv4Addr)> {
    machine
        .interfaces
        .iter()
        .filter_map(|interface| {
            let address = interface.address?;
            let mask = if address.is_loopback() { Ipv4Addr::new(255, 0, 0, 0) } else { MASK };
            Some((address, interface.index, mask))
        })
        .collect()
}

fn addresses(builder: &mut Builder, machine: &Machine<'_>) {
    let linux = machine.persona.profile == Profile::NetSnmp;
    // The Linux kernel does not tell the largest datagram, so net-snmp has no fifth column.
    let mut table = builder.table(&[IP, &[20, 1]].concat(), (1, if linux { 4 } else { 5 }));
    for (address, interface, mask) in address_rows(machine) {
        let index = arcs(address);
        table.row(
            &index,
            [
                (1, ip(address)),
                (2, int(interface)),
                (3, ip(mask)),
                (4, int(if address.is_loopback() { 0 } else { 1 })),
            ],
        );
        if !linux {
            table.cell(5, &index, int(65_535));
        }
    }
}

/// Destination, mask, next hop, interface of each route.
fn route_rows(machine: &Machine<'_>) -> [(Ipv4Addr, Ipv4Addr, Ipv4Addr, u32); 2] {
    let any = Ipv4Addr::UNSPECIFIED;
    let uplink = machine.uplink();
    [(any, any, machine.gateway, uplink), (machine.network(), MASK, any, uplink)]
}

fn routes(builder: &mut Builder, machine: &Machine<'_>) {
    let profile = machine.persona.profile;
    let mut table = builder.table(&[IP, &[21, 1]].concat(), (1, 13));
    for (destination, mask, next, interface) in route_rows(machine) {
        let direct = next.is_unspecified();
        // Windows and the devices give their own address as the next hop of a local route.
        let next = if direct && profile != Profile::NetSnmp { machine.address } else { next };
        table.row(
            &arcs(destination),
            [
                (1, ip(destination)),
                (2, int(interface)),
                (3, int(if direct { 0 } else { 1 })),
                (7, ip(next)),
                (8, int(if direct { 3 } else { 4 })),
                (9, int(2)),
                (11, ip(mask)),
                (13, no_oid()),
            ],
        );
    }
}

/// The router is the one neighbour that every host has.
fn neighbours(builder: &mut Builder, machine: &Machine<'_>) {
    let profile = machine.persona.profile;
    let uplink = machine.uplink();
    let mut entries = vec![(machine.gateway, machine.gateway_mac)];
    if matches!(profile, Profile::CiscoRouter | Profile::CiscoSwitch) {
        // IOS lists its own address, too.
        entries.push((machine.address, machine.decky.mac.octets()));
    }
    if profile == Profile::NetSnmp {
        let mut table = builder.table(AT, (1, 3));
        for (address, mac) in &entries {
            let index = [&[uplink, 1][..], &arcs(*address)].concat();
            table.row(&index, [(1, int(uplink)), (2, bytes(*mac)), (3, ip(*address))]);
        }
    }
    let mut table = builder.table(&[IP, &[22, 1]].concat(), (1, 4));
    for (address, mac) in &entries {
        let index = [&[uplink][..], &arcs(*address)].concat();
        let how = if *address == machine.address { 4 } else { 3 };
        table.row(&index, [(1, int(uplink)), (2, bytes(*mac)), (3, ip(*address)), (4, int(how))]);
    }
    if profile == Profile::NetSnmp {
        let mut table = builder.table(&[IP, &[35, 1]].concat(), (1, 8));
        for (address, mac) in &entries {
            let index = [&[uplink, 1, 4][..], &arcs(*address)].concat();
            table.row(&index, [(4, bytes(*mac)), (5, ticks(208)), (6, int(3)), (7, int(1)), (8, int(1))]);
        }
    }
}

/// ipCidrRouteTable and inetCidrRouteTable (RFC 4292).
fn cidr_routes(builder: &mut Builder, machine: &Machine<'_>) {
    let rows = route_rows(machine);
    // snmpd has no ipCidrRouteNumber.
    if machine.persona.profile != Profile::NetSnmp {
        builder.scalar(&[IP, &[24, 3]].concat(), gauge(rows.len() as u32));
    }
    let mut table = builder.table(&[IP, &[24, 4, 1]].concat(), (1, 16));
    for (destination, mask, next, interface) in rows {
        let index = [&arcs(destination)[..], &arcs(mask), &[0], &arcs(next)].concat();
        let direct = next.is_unspecified();
        table.row(
            &index,
            [
                (1, ip(destination)),
                (2, ip(mask)),
                (3, int(0)),
                (4, ip(next)),
                (5, int(interface)),
                (6, int(if direct { 3 } else { 4 })),
                (7, int(2)),
                (9, no_oid()),
                (10, int(0)),
                (11, int(0)),
                (12, int(-1)),
                (13, int(-1)),
                (14, int(-1)),
                (15, int(-1)),
                (16, int(1)),
            ],
        );
    }
    if machine.persona.profile != Profile::NetSnmp {
        return;
    }
    builder.scalar(&[IP, &[24, 6]].concat(), gauge(rows.len() as u32));
    let mut table = builder.table(&[IP, &[24, 7, 1]].concat(), (1, 17));
    for (number, (destination, mask, next, interface)) in (2..).zip(rows) {
        let direct = next.is_unspecified();
        let prefix = mask.to_bits().count_ones();
        // net-snmp makes the policy part of the index from the order in which the kernel lists routes.
        let policy: &[u32] = if direct { &[3, 0, 0] } else { &[2, 0, 0] };
        let policy = if direct { [policy, &[number + 1]].concat() } else { policy.to_vec() };
        let index = [&[1, 4][..], &arcs(destination), &[prefix], &policy, &[1, 4], &arcs(next)].concat();
        table.row(
            &index,
            [
                (7, int(interface)),
                (8, int(if direct { 3 } else { 4 })),
                (9, int(2)),
                (10, gauge(0)),
                (11, gauge(0)),
                (12, int(0)),
                (13, int(-1)),
                (14, int(-1)),
                (15, int(-1)),
                (16, int(-1)),
                (17, int(1)),
            ],
        );
    }
}

/// ipSystemStatsTable, the row of IPv4.
fn system_stats(builder: &mut Builder, received: Flow, sent: Flow) {
    // Columns 3 to 47; which of them count in 64 bits, and the share of which flow they are.
    const WIDE: [u32; 15] = [4, 6, 13, 19, 21, 24, 31, 33, 35, 37, 39, 41, 43, 45, 0];
    let mut table = builder.table(&[IP, &[31, 1, 1]].concat(), (3, 47));
    for column in 3..=45u32 {
        let flow = match column {
            3 | 4 => received,
            5 | 6 => Flow { base: received.base * 412, ..received.times(412.0) },
            18 | 19 => received.times(0.98),
            20 | 21 => sent,
            30 | 31 => sent,
            32 | 33 => Flow { base: sent.base * 412, ..sent.times(412.0) },
            34 | 35 => received.times(0.012),
            36 | 37 => received.times(0.9),
            42 | 43 => received.times(0.02),
            _ => Flow { rate: 0.0, phase: 0.0, base: 0 },
        };
        table.cell(column, &[1], if WIDE.contains(&column) { grows_wide(flow) } else { grows(flow) });
    }
    table.cell(46, &[1], ticks(0)).cell(47, &[1], gauge(60_000));
}

/// ipAddressPrefixTable, ipAddressSpinLock and ipAddressTable.
fn prefixes_and_addresses(builder: &mut Builder, machine: &Machine<'_>) {
    let lock = machine.identity.draw(&["snmp", "lock"]).below(0x7fff_ffff) as u32;
    let rows = address_rows(machine);
    let prefix_index = |address: Ipv4Addr, interface: u32| -> Vec<u32> {
        let [a, b, c, _] = arcs(address);
        let (network, length) =
            if address.is_loopback() { ([a, 0, 0, 0], 8) } else { ([a, b, c, 0], PREFIX) };
        [&[interface, 1, 4][..], &network, &[length]].concat()
    };
    let mut table = builder.table(&[IP, &[32, 1]].concat(), (5, 9));
    for (address, interface, _) in &rows {
        let index = prefix_index(*address, *interface);
        table
            .row(&index, [(5, int(2)), (6, int(1)), (7, int(2)), (8, gauge(u32::MAX)), (9, gauge(u32::MAX))]);
    }
    builder.scalar(&[IP, &[33]].concat(), int(lock));
    let mut table = builder.table(&[IP, &[34, 1]].concat(), (3, 11));
    for (address, interface, _) in &rows {
        let pointer = [IP, &[32, 1, 5], &prefix_index(*address, *interface)].concat();
        let mut all = vec![(*address, 1)];
        if !address.is_loopback() {
            let [a, b, c, _] = address.octets();
            all.push((Ipv4Addr::new(a, b, c, 255), 3));
        }
        for (address, kind) in all {
            let index = [&[1, 4][..], &arcs(address)].concat();
            table.row(
                &index,
                [
                    (3, int(*interface)),
                    (4, int(kind)),
                    (5, oid(&pointer)),
                    (6, int(2)),
                    (7, int(1)),
                    (8, ticks(0)),
                    (9, ticks(0)),
                    (10, int(1)),
                    (11, int(2)),
                ],
            );
        }
    }
}

/// The icmp group. A host on a LAN is pinged now and then and tells of closed ports.
pub(super) fn icmp(builder: &mut Builder, machine: &Machine<'_>) {
    let (received, _) = datagrams(machine);
    let pings = Flow { rate: 0.02 + received.rate * 0.0004, phase: received.phase, base: 0 };
    let unreachable = pings.times(0.31);
    let none = Flow { rate: 0.0, phase: 0.0, base: 0 };
    let both = |first: Flow, second: Flow| Flow { rate: first.rate + second.rate, ..first };
    let incoming =
        [both(pings, unreachable.times(0.4)), none, unreachable.times(0.4), none, none, none, none, pings];
    let outgoing = [both(pings, unreachable), none, unreachable, none, none, none, none, none, pings];
    let flows = incoming.into_iter().chain([none; 5]).chain(outgoing).chain([none; 4]).map(grows);
    builder.scalars(ICMP, 1, flows);
    if machine.persona.profile != Profile::NetSnmp {
        return;
    }
    let mut table = builder.table(&[ICMP, &[29, 1]].concat(), (2, 5));
    table.row(
        &[1],
        [
            (2, grows(both(pings, unreachable.times(0.4)))),
            (3, counter(0)),
            (4, grows(both(pings, unreachable))),
            (5, counter(0)),
        ],
    );
    let mut table = builder.table(&[ICMP, &[30, 1]].concat(), (3, 4));
    for kind in [0, 3, 4, 5, 8, 11, 12, 13, 14, 17, 18] {
        let incoming = match kind {
            3 => unreachable.times(0.4),
            8 => pings,
            _ => none,
        };
        let outgoing = match kind {
            3 => unreachable,
            0 => pings,
            _ => none,
        };
        table.row(&[1, kind], [(3, grows(incoming)), (4, grows(outgoing))]);
    }
}

//! The interfaces: ifTable and ifXTable (RFC 2863), and the Ethernet statistics (RFC 3635).

use super::Builder;
use super::facts::{Interface, Machine};
use super::live::Flow;
use super::short::{bytes, counter, gauge, grows, grows_wide, int, no_oid, text, ticks};
use crate::snmp::persona::Profile;

const INTERFACES: &[u32] = &[1, 3, 6, 1, 2, 1, 2];
const IF_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 31, 1];
const DOT3_STATS: &[u32] = &[1, 3, 6, 1, 2, 1, 10, 7, 2, 1];

/// Octets of an average packet: full ones, and acknowledgements between them.
const PACKET: f64 = 412.0;
/// The share of packets that are broadcast or multicast on an office LAN.
const NOISE: f64 = 0.04;

/// Packets of a flow of octets. Their daily course differs a little from that of the octets, because
/// large transfers have their own hours.
pub(super) fn packets(octets: Flow) -> Flow {
    Flow { rate: octets.rate / PACKET, phase: (octets.phase + 0.013).fract(), base: octets.base / 412 }
}

/// ifTable, and ifXTable where the product has it.
pub(super) fn interfaces(builder: &mut Builder, machine: &Machine<'_>) {
    let profile = machine.persona.profile;
    builder.scalar(&[INTERFACES, &[1]].concat(), int(machine.interfaces.len() as u32));
    // What net-snmp leaves out, it declares all the same.
    let mut table = builder.table(&[INTERFACES, &[2, 1]].concat(), (1, 22));
    for interface in &machine.interfaces {
        let received = packets(interface.received);
        let sent = packets(interface.sent);
        let index = [interface.index];
        table.row(
            &index,
            [
                (1, int(interface.index)),
                (2, text(description(interface, profile))),
                (3, int(interface.kind)),
                (4, int(interface.mtu)),
                (5, gauge(interface.speed)),
                (6, bytes(interface.mac.map(Vec::from).unwrap_or_default())),
                (7, int(if interface.up || is_cisco(profile) { 1 } else { 2 })),
                (8, int(if interface.up { 1 } else { 2 })),
                (9, ticks(last_change(interface, machine))),
                (10, grows(interface.received)),
                (11, grows(received.times(if interface.mac.is_some() { 1.0 - NOISE } else { 1.0 }))),
                (12, grows(received.times(noise(interface)))),
                (13, counter(0)),
                (14, counter(0)),
                (15, counter(0)),
                (16, grows(interface.sent)),
                (17, grows(sent)),
                (18, grows(sent.times(noise(interface) / 40.0))),
                (19, counter(0)),
                (20, counter(0)),
                (21, gauge(0)),
                (22, no_oid()),
            ],
        );
    }
    if matches!(profile, Profile::Brother | Profile::Schneider) {
        return;
    }
    extended(builder, machine);
    if matches!(profile, Profile::NetSnmp) {
        ethernet(builder, machine);
    }
}

fn is_cisco(profile: Profile) -> bool {
    matches!(profile, Profile::CiscoRouter | Profile::CiscoSwitch)
}

/// Windows ends its descriptions with a zero byte.
fn description(interface: &Interface, profile: Profile) -> String {
    if profile == Profile::Windows { format!("{}\0", interface.descr) } else { interface.descr.clone() }
}

fn noise(interface: &Interface) -> f64 {
    if interface.mac.is_some() { NOISE } else { 0.0 }
}

/// net-snmp says 0; devices remember when a link came up.
fn last_change(interface: &Interface, machine: &Machine<'_>) -> u32 {
    match machine.persona.profile {
        Profile::NetSnmp | Profile::Windows => 0,
        _ => {
            machine.identity.draw(&["snmp", "link", &interface.index.to_string()]).between(900, 6_000) as u32
        }
    }
}

fn extended(builder: &mut Builder, machine: &Machine<'_>) {
    let mut table = builder.table(&[IF_MIB, &[1, 1]].concat(), (1, 19));
    for interface in &machine.interfaces {
        let received = packets(interface.received);
        let sent = packets(interface.sent);
        let noise = noise(interface);
        table.row(
            &[interface.index],
            [
                (1, text(&interface.name)),
                (2, grows(received.times(noise * 0.6))),
                (3, grows(received.times(noise * 0.4))),
                (4, grows(sent.times(noise / 60.0))),
                (5, grows(sent.times(noise / 120.0))),
                (6, grows_wide(interface.received)),
                (7, grows_wide(received.times(1.0 - noise))),
                (8, grows_wide(received.times(noise * 0.6))),
                (9, grows_wide(received.times(noise * 0.4))),
                (10, grows_wide(interface.sent)),
                (11, grows_wide(sent)),
                (12, grows_wide(sent.times(noise / 60.0))),
                (13, grows_wide(sent.times(noise / 120.0))),
                (15, gauge(interface.speed.div_ceil(1_000_000).min(10_000))),
                (16, int(2)),
                (17, int(if interface.connector { 1 } else { 2 })),
                (18, text(&interface.alias)),
                (19, ticks(0)),
            ],
        );
    }
    builder.scalar(&[IF_MIB, &[5]].concat(), ticks(0));
}

/// dot3StatsTable of cards whose driver tells.
fn ethernet(builder: &mut Builder, machine: &Machine<'_>) {
    let mut table = builder.table(DOT3_STATS, (1, 21));
    for interface in machine.interfaces.iter().filter(|interface| interface.mac.is_some()) {
        table.row(
            &[interface.index],
            [
                (1, int(interface.index)),
                (3, counter(0)),
                (7, counter(0)),
                (10, counter(0)),
                (13, counter(0)),
                (16, counter(0)),
                (19, int(if interface.up { 3 } else { 1 })),
            ],
        );
    }
}

//! The tcp and udp groups (RFC 4022, RFC 4113) with the old connection tables: what is open is what the
//! decky answers on.

use std::net::Ipv4Addr;

use decnet_core::service::Transport;

use super::Builder;
use super::facts::Machine;
use super::ip::datagrams;
use super::live::{Live, Swing};
use super::processes;
use super::short::{arcs, counter, gauge, grows, grows_wide, int, ip};
use crate::snmp::persona::Profile;

const TCP: &[u32] = &[1, 3, 6, 1, 2, 1, 6];
const UDP: &[u32] = &[1, 3, 6, 1, 2, 1, 7];

/// Where something listens.
type Listener = (Ipv4Addr, u16);

/// Ports that only the host itself can reach, TCP and UDP: local mail, the local resolver.
fn local_only(machine: &Machine<'_>) -> (Vec<Listener>, Vec<Listener>) {
    let resolver = Ipv4Addr::new(127, 0, 0, 53);
    match machine.identity.os.row.as_str() {
        "ubuntu22" | "ubuntu20" => (vec![(resolver, 53)], vec![(resolver, 53)]),
        "debian" if machine.decky.service("smtp").is_none() => (vec![(Ipv4Addr::LOCALHOST, 25)], Vec::new()),
        "rocky9" | "centos7" => (Vec::new(), vec![(Ipv4Addr::LOCALHOST, 323)]),
        _ => (Vec::new(), Vec::new()),
    }
}

/// Address and port of everything that listens.
fn listeners(machine: &Machine<'_>, transport: Transport) -> Vec<Listener> {
    let (tcp, udp) = local_only(machine);
    let mut local = if transport == Transport::Tcp { tcp } else { udp };
    // Devices and Linux bind every address; so do the services of a decky as far as anyone can tell.
    let ports = machine.ports(transport);
    local.retain(|(_, port)| !ports.contains(port));
    local.extend(ports.into_iter().map(|port| (Ipv4Addr::UNSPECIFIED, port)));
    local.sort_unstable();
    local
}

/// The tcp group.
pub(super) fn tcp(builder: &mut Builder, machine: &Machine<'_>) {
    let profile = machine.persona.profile;
    let (received, sent) = datagrams(machine);
    let opens = received.times(0.02);
    let (low, high, most) = match profile {
        Profile::Windows => (10, -1, -1),
        Profile::CiscoRouter | Profile::CiscoSwitch => (300, 60_000, -1),
        _ => (200, 120_000, -1),
    };
    builder.scalars(
        TCP,
        1,
        [
            int(if profile == Profile::Windows { 4 } else { 1 }),
            int(low),
            int(high),
            int(most),
            grows(opens.times(0.4)),
            grows(opens),
            grows(opens.times(0.05)),
            grows(opens.times(0.08)),
            // Nobody is connected that a scan would not see.
            Live::Gauge(Swing { low: 0.0, high: 1.0, period: 900.0, phase: received.phase }).into(),
            grows(received.times(0.9)),
            grows(sent.times(0.88)),
            grows(sent.times(0.001)),
        ],
    );
    let mut table = builder.table(&[TCP, &[13, 1]].concat(), (1, 5));
    let any = Ipv4Addr::UNSPECIFIED;
    for (address, port) in listeners(machine, Transport::Tcp) {
        let index = [&arcs(address)[..], &[u32::from(port)], &arcs(any), &[0]].concat();
        table.row(&index, [(1, int(2)), (2, ip(address)), (3, int(port)), (4, ip(any)), (5, int(0))]);
    }
    if matches!(profile, Profile::Brother | Profile::Schneider | Profile::Siemens) {
        return;
    }
    builder.scalar(&[TCP, &[14]].concat(), counter(0));
    builder.scalar(&[TCP, &[15]].concat(), grows(opens.times(0.03)));
    if profile == Profile::NetSnmp || profile == Profile::Windows {
        let processes = processes::list(machine);
        // RFC 4022: tcpConnectionTable holds no listeners, so that it has no rows without a connection.
        builder.table(&[TCP, &[19, 1]].concat(), (7, 8));
        let mut table = builder.table(&[TCP, &[20, 1]].concat(), (4, 4));
        for (address, port) in listeners(machine, Transport::Tcp) {
            let index = [&[1, 4][..], &arcs(address), &[u32::from(port)]].concat();
            table.cell(4, &index, gauge(processes::owner(&processes, machine, Transport::Tcp, port)));
        }
    }
    if profile == Profile::CiscoRouter {
        builder.scalar(&[TCP, &[17]].concat(), grows_wide(received.times(0.9)));
        builder.scalar(&[TCP, &[18]].concat(), grows_wide(sent.times(0.88)));
    }
}

/// The udp group.
pub(super) fn udp(builder: &mut Builder, machine: &Machine<'_>) {
    let profile = machine.persona.profile;
    let (received, sent) = datagrams(machine);
    builder.scalars(
        UDP,
        1,
        [grows(received.times(0.08)), grows(received.times(0.003)), counter(0), grows(sent.times(0.05))],
    );
    let mut table = builder.table(&[UDP, &[5, 1]].concat(), (1, 2));
    for (address, port) in listeners(machine, Transport::Udp) {
        let index = [&arcs(address)[..], &[u32::from(port)]].concat();
        table.row(&index, [(1, ip(address)), (2, int(port))]);
    }
    if profile == Profile::NetSnmp {
        let processes = processes::list(machine);
        let mut table = builder.table(&[UDP, &[7, 1]].concat(), (8, 8));
        for (address, port) in listeners(machine, Transport::Udp) {
            let instance =
                machine.identity.draw(&["snmp", "socket", &port.to_string()]).between(14_000, 40_000);
            let index = [
                &[1, 4][..],
                &arcs(address),
                &[u32::from(port), 1, 4],
                &arcs(Ipv4Addr::UNSPECIFIED),
                &[0, instance as u32],
            ]
            .concat();
            table.cell(8, &index, gauge(processes::owner(&processes, machine, Transport::Udp, port)));
        }
    }
}

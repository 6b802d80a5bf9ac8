//! Two hundred deckies on the wire, and what a scanner makes of them.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use decnet_core::plan::Decky;
use decnet_core::service::Transport;
use decnet_core::{MacAddress, Plan};
use decnet_logging::event::{Body, Event};
use lab_support::{TestLab, assert_sound};

/// What the deckies offer.
const SERVICES: &str = "http,redis,snmp";
/// How many there are.
const DECKIES: usize = 200;
/// The ports that every decky is asked for.
const PORTS: &str = "1-1024,6379,8080";
/// How many that is.
const PORT_COUNT: usize = 1026;
/// Deckies that are asked for every port.
const THOROUGH: usize = 3;

const NMAP: (&str, &str) = ("nmap", "nmap");

/// The ports of one transport that the plan opens on a decky, sorted.
fn planned(decky: &Decky, transport: Transport) -> Vec<(Transport, u16)> {
    let mut ports: Vec<_> = decky
        .open_ports()
        .map(|(_, port)| (port.transport, port.number))
        .filter(|(one, _)| *one == transport)
        .collect();
    ports.sort_unstable();
    ports
}

fn addresses(plan: &Plan) -> BTreeMap<Ipv4Addr, MacAddress> {
    plan.deckies.iter().map(|decky| (decky.address, decky.mac)).collect()
}

/// Of the scan events of one kind: how many packets each decky got, and at which ports.
fn scanned(events: &[Event], kind: &str) -> BTreeMap<String, (u64, BTreeSet<u16>)> {
    let mut found: BTreeMap<String, (u64, BTreeSet<u16>)> = BTreeMap::new();
    for event in events {
        if let Body::ScanPackets { kind: its, count, ports } = &event.report.body
            && its == kind
        {
            assert_eq!(event.speaker.service, "wire");
            let entry = found.entry(event.speaker.decky.clone()).or_default();
            entry.0 += count;
            entry.1.extend(ports);
        }
    }
    found
}

#[test]
fn a_sweep_finds_exactly_the_plan() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let plan = lab.deploy(&["-n", &DECKIES.to_string(), "--services", SERVICES]).plan;
    assert_eq!(plan.deckies.len(), DECKIES);

    let found = lab.nmap(120, &["-sn", "198.51.100.0/24"]);
    let mut wanted = addresses(&plan);
    let mut seen: BTreeMap<Ipv4Addr, Option<MacAddress>> =
        found.iter().map(|host| (host.address, host.mac)).collect();
    assert!(seen.remove(&lab.host()).is_some(), "the gateway answers");
    assert_eq!(seen.remove(&lab.attacker()), Some(None), "nmap sees itself, without a MAC");
    let seen: BTreeMap<_, _> = seen.into_iter().map(|(address, mac)| (address, mac.unwrap())).collect();
    assert_eq!(seen, wanted);
    let macs: BTreeSet<MacAddress> = wanted.values().copied().collect();
    assert_eq!(macs.len(), DECKIES, "each has a MAC of its own");

    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let mut told = BTreeMap::new();
    let (own, of_wire): (Vec<&Event>, Vec<&Event>) =
        events.iter().partition(|event| event.speaker.service == "collector");
    let summaries = own.iter().filter(|event| {
        matches!(event.report.body, Body::ScanSummary { deckies_count, .. } if deckies_count == DECKIES as u64)
    });
    assert_eq!(summaries.count(), 1, "the whole sweep is one summary: {own:?}");
    for event in of_wire {
        assert_eq!(event.report.body.kind(), "scan.packets", "a sweep opens nothing: {event:?}");
        assert!(event.report.src_mac.is_some());
        told.insert(event.report.dst_ip, event.speaker.decky.clone());
    }
    for decky in &plan.deckies {
        assert_eq!(told.get(&decky.address.into()), Some(&decky.name), "{} was asked for", decky.address);
        wanted.remove(&decky.address);
    }
    assert_eq!(scanned(&events, "arp").len(), DECKIES);
}

#[test]
fn a_port_scan_finds_exactly_the_plan() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let plan = lab.deploy(&["-n", &DECKIES.to_string(), "--services", SERVICES]).plan;
    let first = plan.deckies.first().unwrap().address.to_string();
    let last = plan.deckies.last().unwrap().address.octets()[3];
    let range = format!("{first}-{last}");

    let hosts = lab.nmap(280, &["-sS", "-T4", "--min-rate", "2000", "-p", PORTS, &range]);
    assert_eq!(hosts.len(), DECKIES);
    for (host, decky) in hosts.iter().zip(&plan.deckies) {
        assert_eq!((host.address, host.mac), (decky.address, Some(decky.mac)));
        let open = planned(decky, Transport::Tcp);
        assert_eq!(host.open(), open, "{}", decky.name);
        assert_eq!(host.count("closed"), PORT_COUNT - open.len(), "{}: {:?}", decky.name, host.others);
    }
    let udp = lab.nmap(120, &["-sU", "-sV", "-p", "161", &range]);
    assert_eq!(udp.len(), DECKIES);
    for (host, decky) in udp.iter().zip(&plan.deckies) {
        assert_eq!(host.open(), planned(decky, Transport::Udp), "{}", decky.name);
    }

    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let half_open = scanned(&events, "half_open");
    let closed = scanned(&events, "closed_tcp_port");
    for decky in &plan.deckies {
        let open: BTreeSet<u16> = planned(decky, Transport::Tcp).into_iter().map(|(_, port)| port).collect();
        assert_eq!(half_open[&decky.name].1, open, "{}", decky.name);
        let (count, ports) = &closed[&decky.name];
        // nmap asks again where an answer was late: never fewer than the ports that are closed.
        let at_least = PORT_COUNT - open.len();
        assert!(*count >= at_least as u64, "{}: {count} of {at_least}", decky.name);
        assert_eq!(ports.len(), at_least, "{}", decky.name);
        let asked = lab_support::of(&events, decky, "snmp");
        assert!(asked.iter().any(|event| event.report.body.kind() == "request"), "{}: {asked:?}", decky.name);
    }
}

#[test]
fn every_port_of_a_decky_is_as_planned() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let plan = lab.deploy(&["-n", &THOROUGH.to_string(), "--services", SERVICES]).plan;
    let targets: Vec<String> = plan.deckies.iter().map(|decky| decky.address.to_string()).collect();
    let mut arguments = vec!["-sS", "-T4", "--min-rate", "4000", "-p-"];
    arguments.extend(targets.iter().map(String::as_str));
    let hosts = lab.nmap(200, &arguments);
    assert_eq!(hosts.len(), THOROUGH);
    for (host, decky) in hosts.iter().zip(&plan.deckies) {
        let open = planned(decky, Transport::Tcp);
        assert_eq!(host.open(), open);
        assert_eq!(host.count("closed"), 65_535 - open.len(), "{:?}", host.others);
    }
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let closed = scanned(&events, "closed_tcp_port");
    for decky in &plan.deckies {
        let open = planned(decky, Transport::Tcp).len();
        assert!(closed[&decky.name].0 >= (65_535 - open) as u64, "{:?}", closed[&decky.name].0);
    }
}

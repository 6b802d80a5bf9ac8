//! One decky in a container's namespace: everything goes through its persona, nothing is answered twice, and
//! without the persona nothing is answered at all.
//! Needs root (or `unshare -rn` with a usable /dev/net/tun).
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use decnet_core::MacAddress;
use decnet_core::service::Transport;
use decnet_fingerprint::{Facts, Machine, Stack, builtin};
use decnet_net::lab::{ATTACKER_INTERFACE, HOST_INTERFACE, Lab, Layout};
use decnet_net::observer::{Observer, Probe};
use decnet_net::packet::{Glance, Payload};
use decnet_net::sys::{Filter, PacketSocket, VNET_HEADER};
use decnet_net::wire::{Host, Wire};
use decnet_net::{NetError, links, sidecar};

const PORT: u16 = 445;
/// The port that the attacker's own segments come from; no socket of a kernel is given one so low.
const SOURCE: u16 = 2000;
const MAC: MacAddress = MacAddress([0x00, 0x1b, 0x21, 0x0a, 0x0b, 0x0c]);
const ETHERNET: usize = 14;

struct Quiet;

impl Observer for Quiet {
    fn probed(&mut self, _: Probe) {}
    fn egress_blocked(&mut self, _: &Glance, _: &[u8]) {}
}

/// Reports what cannot be tested here; under `DECNET_TEST_REQUIRE=all` that is a failure.
fn skipped(error: &NetError) {
    assert!(std::env::var("DECNET_TEST_REQUIRE").as_deref() != Ok("all"), "cannot be skipped here: {error}");
    eprintln!("skipped: {error}; run as root, or in `unshare -rn` where /dev/net/tun may be opened");
}

fn join(lab: &Lab, address: Ipv4Addr) -> Result<Wire, NetError> {
    let stack = Stack::new(
        Facts::parse(builtin("windows-10").unwrap()).unwrap(),
        Machine {
            address,
            tcp_ports: vec![PORT],
            udp_ports: vec![],
            boots: Box::new(|now| now - 86_400),
            clock_offset_ms: 0,
            seed: 1,
        },
    );
    let host = Host { address, mac: MAC, open: vec![(Transport::Tcp, PORT)], persona: Box::new(stack) };
    lab.host.run(|| sidecar::join(HOST_INTERFACE, 24, host, Box::new(Quiet)))
}

/// Sends a frame as the attacker and takes in, for a moment, what comes from the decky.
fn ask(lab: &Lab, decky: Ipv4Addr, packet: &[u8]) -> Vec<Vec<u8>> {
    let is_tcp = packet[9] == 6;
    let mut frame = vec![0; VNET_HEADER];
    frame.extend(MAC.octets());
    frame.extend([0x00, 0x1b, 0x21, 0x5e, 0x10, 0x02, 0x08, 0x00]);
    frame.extend(packet);
    lab.attacker
        .run(|| {
            let socket = PacketSocket::open(links::find(ATTACKER_INTERFACE)?.index)?;
            let attacker = lab.layout.attacker;
            socket.filter(Some(Filter { lowest: attacker, highest: attacker }))?;
            assert!(socket.send(&frame).unwrap());
            let until = Instant::now() + Duration::from_millis(400);
            let mut answers = Vec::new();
            let mut buffer = vec![0; 4096];
            while Instant::now() < until {
                match socket.receive(&mut buffer).unwrap() {
                    Some(length) => {
                        let packet = &buffer[VNET_HEADER + ETHERNET..length];
                        // Not what the end of another conversation still sends.
                        let is_answer = Glance::of(packet).is_some_and(|glance| {
                            glance.source == decky
                                && match glance.payload {
                                    Payload::Tcp { destination, .. } => is_tcp && destination == SOURCE,
                                    _ => !is_tcp,
                                }
                        });
                        if is_answer {
                            answers.push(packet.to_vec());
                        }
                    }
                    None => std::thread::sleep(Duration::from_millis(2)),
                }
            }
            Ok(answers)
        })
        .unwrap()
}

fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let mut sum = 0u32;
    for pair in parts.concat().chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn packet(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 20 + payload.len() as u8, 0, 9, 0, 0, 64, protocol, 0, 0];
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&sum);
    let mut payload = payload.to_vec();
    let pseudo = [&packet[12..20], &[0, protocol, 0, payload.len() as u8]].concat();
    let (place, sum) = match protocol {
        1 => (2, checksum(&[&payload])),
        6 => (16, checksum(&[&pseudo, &payload])),
        _ => (6, checksum(&[&pseudo, &payload])),
    };
    payload[place..place + 2].copy_from_slice(&sum);
    packet.extend(payload);
    packet
}

fn segment(to: u16, flags: u8) -> Vec<u8> {
    let mut segment = SOURCE.to_be_bytes().to_vec();
    segment.extend(to.to_be_bytes());
    segment.extend([0, 0, 0, 7, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0]);
    segment
}

#[test]
fn everything_is_answered_once_and_by_the_persona() {
    let lab = match Lab::build(Layout::default()) {
        Ok(lab) => lab,
        Err(error) => return skipped(&error),
    };
    let (attacker, decky) = (lab.layout.attacker, lab.layout.host);
    // As a container runtime leaves it: the NIC has the decky's addresses, a gateway, and a service listens.
    let listener = lab
        .host
        .run(|| {
            links::set_mac(HOST_INTERFACE, MAC)?;
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, PORT)).map_err(|error| NetError::system("bind", error))
        })
        .unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut data = [0; 5];
            let _ = stream.read_exact(&mut data).and_then(|()| stream.write_all(&data));
        }
    });
    let wire = match join(&lab, decky) {
        Ok(wire) => wire,
        Err(error) => return skipped(&error),
    };
    let probes: BTreeMap<&str, Vec<u8>> = [
        ("ping", packet(attacker, decky, 1, &[8, 9, 0, 0, 0, 1, 0, 1, 1, 2, 3, 4])),
        ("SYN to an open port", packet(attacker, decky, 6, &segment(PORT, 0x02))),
        ("SYN to a closed port", packet(attacker, decky, 6, &segment(1, 0x02))),
        ("no flags to an open port", packet(attacker, decky, 6, &segment(PORT, 0))),
        ("datagram to a closed port", packet(attacker, decky, 17, &[9, 9, 0, 7, 0, 12, 0, 0, 1, 2, 3, 4])),
    ]
    .into();
    for (what, probe) in &probes {
        let answers = ask(&lab, decky, probe);
        // A SYN-ACK that nobody acknowledges is repeated after a second, so one is all that comes by now.
        assert_eq!(answers.len(), 1, "{what}: {answers:02x?}");
        assert_eq!(answers[0][8], 128, "{what}: the time to live of Windows");
    }
    let syn_ack = &ask(&lab, decky, &packet(attacker, decky, 6, &segment(PORT, 0x02)))[0];
    let Some(Payload::Tcp { flags, .. }) = Glance::of(syn_ack).map(|glance| glance.payload) else { panic!() };
    assert_eq!(flags, 0x12);

    // An ordinary client, who sees the decky's MAC address.
    lab.attacker
        .run(|| {
            let mut stream =
                TcpStream::connect((decky, PORT)).map_err(|error| NetError::system("connect", error))?;
            stream.write_all(b"hello").unwrap();
            let mut heard = [0; 5];
            stream.read_exact(&mut heard).unwrap();
            assert_eq!(&heard, b"hello");
            assert_eq!(links::neighbour(decky)?, Some(MAC));
            Ok(())
        })
        .unwrap();

    // Without the persona there is nobody.
    drop(wire);
    for (what, probe) in &probes {
        assert_eq!(ask(&lab, decky, probe), Vec::<Vec<u8>>::new(), "{what}, when the persona has ended");
    }
    lab.attacker
        .run(|| {
            let to = SocketAddr::from((decky, PORT));
            assert!(TcpStream::connect_timeout(&to, Duration::from_millis(300)).is_err());
            Ok(())
        })
        .unwrap();

    // Started again, it is back.
    let _wire = join(&lab, decky).unwrap();
    for (what, probe) in &probes {
        assert_eq!(ask(&lab, decky, probe).len(), 1, "{what}, when the persona is back");
    }
}

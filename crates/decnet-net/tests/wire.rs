//! The wire between two namespaces: an attacker's ordinary sockets against listeners of the fleet.
//! Needs root (or `unshare -rn` with a usable /dev/net/tun).
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::time::Duration;

use decnet_core::MacAddress;
use decnet_core::service::Transport;
use decnet_fingerprint::Plain;
use decnet_net::lab::{ATTACKER_INTERFACE, HOST_INTERFACE, Lab, Layout};
use decnet_net::observer::{Observer, Probe};
use decnet_net::packet::Glance;
use decnet_net::probe::{ArpProber, Prober};
use decnet_net::wire::{Host, Wire};
use decnet_net::{Namespace, NetError, links};

const DECKY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
const SILENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 21);
const MAC: MacAddress = MacAddress([0x00, 0x1b, 0x21, 0x01, 0x02, 0x03]);

/// Reports what cannot be tested here; under `DECNET_TEST_REQUIRE=all` that is a failure.
fn skipped(error: &NetError) {
    assert!(std::env::var("DECNET_TEST_REQUIRE").as_deref() != Ok("all"), "cannot be skipped here: {error}");
    eprintln!("skipped: {error}; run as root, or in `unshare -rn` where /dev/net/tun may be opened");
}

struct Reports(mpsc::Sender<String>);

impl Observer for Reports {
    fn probed(&mut self, probe: Probe) {
        let _ = self.0.send(format!("{} {} {:?}", probe.kind.name(), probe.decky, probe.ports));
    }
    fn egress_blocked(&mut self, packet: &Glance, _: &[u8]) {
        let _ = self.0.send(format!("egress {} to {}", packet.source, packet.destination));
    }
}

struct Fleet {
    lab: Lab,
    fleet: Namespace,
    wire: Wire,
    reports: mpsc::Receiver<String>,
}

fn fleet() -> Result<Fleet, NetError> {
    let lab = Lab::build(Layout::default())?;
    let fleet = Namespace::create()?;
    let (sender, reports) = mpsc::channel();
    let wire = lab.host.run(|| Wire::start(HOST_INTERFACE, &fleet, Box::new(Reports(sender))))?;
    fleet.run(|| links::add_local_addresses(&[DECKY]))?;
    wire.add(vec![Host {
        address: DECKY,
        mac: MAC,
        open: vec![(Transport::Tcp, 80), (Transport::Udp, 161)],
        persona: Box::new(Plain),
    }]);
    wire.settle();
    Ok(Fleet { lab, fleet, wire, reports })
}

macro_rules! need {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return skipped(&error),
        }
    };
}

#[test]
fn a_megabyte_goes_each_way_and_the_mac_is_the_deckys() {
    let Fleet { lab, fleet, wire, .. } = need!(fleet());
    let listener = fleet
        .run(|| TcpListener::bind((DECKY, 80)).map_err(|error| NetError::system("bind", error)))
        .unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, peer) = listener.accept().unwrap();
        let mut data = vec![0; 1 << 20];
        stream.read_exact(&mut data).unwrap();
        stream.write_all(&data).unwrap();
        peer
    });
    let (echoed, mac) = lab
        .attacker
        .run(|| {
            let mut stream =
                TcpStream::connect((DECKY, 80)).map_err(|error| NetError::system("connect", error))?;
            let data: Vec<u8> = (0..1 << 20).map(|i: u32| ((i * 7) >> 3) as u8).collect();
            let mut writer = stream.try_clone().map_err(|error| NetError::system("clone", error))?;
            let sent = data.clone();
            let sender = std::thread::spawn(move || writer.write_all(&sent).unwrap());
            let mut back = vec![0; data.len()];
            stream.read_exact(&mut back).map_err(|error| NetError::system("read", error))?;
            sender.join().unwrap();
            Ok((back == data, links::neighbour(DECKY)?))
        })
        .unwrap();
    assert!(echoed);
    assert_eq!(mac, Some(MAC));
    assert_eq!(server.join().unwrap().ip(), lab.layout.attacker, "the service sees the real source");
    let counters = wire.counters().unwrap();
    assert!(counters.arp_answers >= 1 && counters.egress_blocked == 0, "{counters:?}");
}

#[test]
fn nothing_leaves_that_is_not_an_answer() {
    let Fleet { lab, fleet, reports, wire: _wire } = need!(fleet());
    let attacker = lab.layout.attacker;
    let trap = lab
        .attacker
        .run(|| {
            let socket =
                UdpSocket::bind((attacker, 9999)).map_err(|error| NetError::system("bind", error))?;
            // The wire learns the attacker's MAC address, so that a leak would arrive.
            socket.send_to(b"hello", (DECKY, 7)).map_err(|error| NetError::system("send", error))?;
            socket
                .set_read_timeout(Some(Duration::from_millis(300)))
                .map_err(|error| NetError::system("time", error))?;
            Ok(socket)
        })
        .unwrap();
    fleet
        .run(|| {
            let socket = UdpSocket::bind((DECKY, 161)).map_err(|error| NetError::system("bind", error))?;
            let _ = socket.send_to(b"leak", (attacker, 53));
            let connect =
                TcpStream::connect_timeout(&SocketAddr::from((attacker, 22)), Duration::from_millis(200));
            assert!(connect.is_err());
            Ok(())
        })
        .unwrap();
    assert!(trap.recv_from(&mut [0; 16]).is_err(), "nothing arrived");
    let blocked = (0..2).map(|_| reports.recv_timeout(Duration::from_secs(3)).unwrap());
    assert!(blocked.into_iter().any(|report| report == format!("egress {DECKY} to {attacker}")));
}

#[test]
fn addresses_in_use_are_found_and_scans_are_told() {
    let Fleet { lab, reports, wire: _wire, fleet: _fleet } = need!(fleet());
    let taken = lab
        .attacker
        .run(|| ArpProber::new(ATTACKER_INTERFACE).in_use(&[DECKY, SILENT, lab.layout.host]))
        .unwrap();
    assert_eq!(taken.into_iter().collect::<Vec<_>>(), [lab.layout.host, DECKY]);
    assert_eq!(reports.recv_timeout(Duration::from_secs(3)).unwrap(), format!("arp {DECKY} []"));
    lab.attacker
        .run(|| {
            for port in [22, 23] {
                let error = TcpStream::connect((DECKY, port)).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(
        reports.recv_timeout(Duration::from_secs(3)).unwrap(),
        format!("closed_tcp_port {DECKY} [22, 23]")
    );
}

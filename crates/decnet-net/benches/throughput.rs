//! What the wire and the packet persona cost a connection: one stream each way between two namespaces, over
//! a plain cable, over the wire, over the wire with a persona. Needs root.
//!
//! `cargo bench -p decnet-net --bench throughput` prints a table. `DECNET_BENCH_MEGABYTES` changes the size.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark that prints figures")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use decnet_core::MacAddress;
use decnet_core::service::Transport;
use decnet_fingerprint::{Facts, Machine, Persona, Plain, Stack, builtin};
use decnet_net::lab::{HOST_INTERFACE, Lab, Layout};
use decnet_net::observer::{Observer, Probe};
use decnet_net::packet::Glance;
use decnet_net::wire::{Host, Wire};
use decnet_net::{Namespace, NetError, links};

const PORT: u16 = 80;
const DECKY: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
const BLOCK: usize = 1 << 17;

struct Quiet;

impl Observer for Quiet {
    fn probed(&mut self, _: Probe) {}
    fn egress_blocked(&mut self, _: &Glance, _: &[u8]) {}
}

fn persona(slug: &str) -> Box<dyn Persona> {
    let Some(text) = builtin(slug) else { return Box::new(Plain) };
    let machine = Machine {
        address: DECKY,
        tcp_ports: vec![PORT],
        udp_ports: vec![],
        boots: Box::new(|now| now - 86_400),
        clock_offset_ms: 0,
        seed: 1,
    };
    Box::new(Stack::new(Facts::parse(text).unwrap(), machine))
}

/// One byte says which way: `i` in, `o` out; then so many octets go that way.
fn serve(listener: TcpListener, octets: usize) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { return };
        let mut way = [0];
        if stream.read_exact(&mut way).is_err() {
            continue;
        }
        let mut block = vec![0x5a; BLOCK];
        let mut left = octets;
        while left > 0 {
            let now = left.min(BLOCK);
            let done = match way {
                [b'o'] => stream.write(&block[..now]),
                _ => stream.read(&mut block[..now]),
            };
            match done {
                Ok(count @ 1..) => left -= count,
                _ => break,
            }
        }
        let _ = stream.write_all(b".");
    }
}

/// Seconds that the octets take.
fn measure(to: Ipv4Addr, way: u8, octets: usize) -> f64 {
    let mut stream = TcpStream::connect((to, PORT)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut block = vec![0x5a; BLOCK];
    let began = Instant::now();
    stream.write_all(&[way]).unwrap();
    let mut left = octets;
    while left > 0 {
        let now = left.min(BLOCK);
        left -= match way {
            b'i' => stream.write(&block[..now]).unwrap(),
            _ => stream.read(&mut block[..now]).unwrap(),
        };
    }
    // The last octet is told when all have arrived.
    stream.read_exact(&mut [0]).unwrap();
    began.elapsed().as_secs_f64()
}

fn run(carrier: &str, octets: usize) -> Result<(), NetError> {
    let bind = |address| TcpListener::bind((address, PORT)).map_err(|error| NetError::system("bind", error));
    let lab = Lab::build(Layout::default())?;
    let (address, _wire) = match carrier {
        "cable" => {
            let listener = lab.host.run(|| bind(lab.layout.host))?;
            std::thread::spawn(move || serve(listener, octets));
            (lab.layout.host, None)
        }
        slug => {
            let fleet = Namespace::create()?;
            let wire = lab.host.run(|| Wire::start(HOST_INTERFACE, &fleet, Box::new(Quiet)))?;
            fleet.run(|| links::add_local_addresses(&[DECKY]))?;
            let listener = fleet.run(|| bind(DECKY))?;
            std::thread::spawn(move || serve(listener, octets));
            wire.add(vec![Host {
                address: DECKY,
                mac: MacAddress([0x00, 0x1b, 0x21, 1, 2, 3]),
                open: vec![(Transport::Tcp, PORT)],
                persona: persona(slug),
            }]);
            wire.settle();
            (DECKY, Some((wire, fleet)))
        }
    };
    lab.attacker.run(|| {
        let gigabits = |way| octets as f64 * 8.0 / 1e9 / measure(address, way, octets);
        println!("{carrier:<22} {:>8.2} {:>8.2}", gigabits(b'i'), gigabits(b'o'));
        Ok(())
    })
}

fn main() {
    // `cargo test --benches` asks for a list; there is nothing to assert here.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let megabytes: usize =
        std::env::var("DECNET_BENCH_MEGABYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(500);
    println!("{megabytes} MB in one stream, Gbit/s\n{:<22} {:>8} {:>8}", "", "in", "out");
    for carrier in ["cable", "wire without persona", "linux-5", "windows-10", "freebsd-12", "hp-laserjet"] {
        if let Err(error) = run(carrier, megabytes << 20) {
            println!("cannot run here: {error}");
            return;
        }
    }
}

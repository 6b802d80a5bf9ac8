//! What tests of servers share: a decky made by hand, a clock that stands still, and ways to talk to a
//! server over a pipe or over loopback. Compiled for tests only.
#![allow(clippy::unwrap_used, reason = "test support: a broken set-up should stop the test where it is")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use decnet_core::identity::{Hardware, Identity, Names, Os, OsFamily, Product, Times};
use decnet_core::plan::{Decky, ServicePlan};
use decnet_core::service::{PersonaValues, Port, Transport};
use decnet_core::{MacAddress, Seed};
use decnet_logging::sink::{EventSink, MemorySink};
use tokio::io::DuplexStream;

use crate::clock::Clock;
use crate::connection::Connection;
use crate::entropy::Entropy;
use crate::files::Folder;
use crate::host::Host;
use crate::limits::Limits;
use crate::registry;
use crate::run::{Bound, Socket, start};
use crate::server::Server;
use crate::session::Session;

/// 2026-11-20 12:00:00 UTC: the present of every test.
pub const NOW: i64 = 1_795_176_000;

/// An identity of that family with the given products (component, name, version, suffix).
pub fn identity(family: OsFamily, seed: u64, products: &[(&str, &str, &str, &str)]) -> Identity {
    let (row, name, version, kernel, build) = match family {
        OsFamily::Linux => (
            "debian",
            "Debian GNU/Linux 12 (bookworm)",
            "12",
            "6.1.0-37-amd64",
            "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)",
        ),
        OsFamily::Windows => ("server-2019", "Windows Server 2019 Standard", "10.0.17763", "17763", ""),
        OsFamily::Bsd => ("freebsd-14", "FreeBSD 14.0-RELEASE", "14.0", "14.0-RELEASE", "GENERIC"),
        OsFamily::Embedded => ("brother-hl", "Brother NC-8500h", "1.17", "", ""),
        OsFamily::Cisco => ("ios-15", "Cisco IOS 15.2(4)M7", "15.2(4)M7", "", ""),
    };
    let host = format!("srv-test-{seed:02}");
    Identity {
        seed: Seed::from_number(seed),
        names: Names {
            hostname: host.to_uppercase(),
            fqdn: format!("{host}.corp.northwind-labs.net"),
            domain: "corp.northwind-labs.net".into(),
            netbios: host.to_uppercase(),
            netbios_domain: "CORP".into(),
            joined: false,
            organisation: "Northwind Labs".into(),
        },
        os: Os {
            family,
            row: row.into(),
            name: name.into(),
            version: version.into(),
            kernel: kernel.into(),
            kernel_build: build.into(),
            architecture: "x86_64".into(),
        },
        hardware: Hardware {
            vendor: "Dell Inc.".into(),
            model: "PowerEdge R640".into(),
            serial: format!("7XK{seed:04}"),
            nic_vendor: "Dell Inc.".into(),
        },
        times: Times {
            timezone: "Europe/Berlin".into(),
            installed: NOW - 200 * 86_400,
            reboot_period: 40 * 86_400,
            clock_offset_ms: 0,
        },
        variant: "a".into(),
        products: products
            .iter()
            .map(|(component, name, version, suffix)| {
                let product =
                    Product { name: (*name).into(), version: (*version).into(), suffix: (*suffix).into() };
                ((*component).to_owned(), product)
            })
            .collect(),
        weak_account: None,
    }
}

/// A decky with these services and persona values, on 198.51.100.(20 + seed).
pub fn decky(identity: Identity, seed: u64, services: &[(&str, &[(&str, &str)])]) -> Decky {
    let services = services
        .iter()
        .map(|(slug, values)| {
            let persona: PersonaValues =
                values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let descriptor = registry::find(slug).unwrap().descriptor;
            let ports = descriptor.ports_for(&identity, &persona);
            ServicePlan { slug: (*slug).to_owned(), ports, persona, custom: false }
        })
        .collect();
    Decky {
        name: format!("decky-{seed:02}"),
        group: "decky".into(),
        archetype: None,
        address: Ipv4Addr::new(198, 51, 100, 20 + seed as u8),
        mac: MacAddress([0x18, 0x66, 0xda, 1, 2, seed as u8]),
        os_persona: "linux-5".into(),
        os_facts: None,
        distro: "debian".into(),
        identity,
        services,
    }
}

/// A host whose clock stands at [`NOW`] and whose randomness repeats.
pub fn host(decky: Decky) -> Arc<Host> {
    host_with_files(decky, BTreeMap::new())
}

/// The same with what its keys that name a path were handed.
pub fn host_with_files(decky: Decky, files: BTreeMap<(String, String), Folder>) -> Arc<Host> {
    let entropy = Entropy::seeded(decky.identity.seed);
    Arc::new(Host {
        decky,
        clock: Clock::manual(NOW * 1_000_000).0,
        entropy,
        limits: Limits::default(),
        files,
    })
}

/// The server of one service of a host.
pub fn server(host: &Arc<Host>, slug: &str) -> Box<dyn Server> {
    registry::find(slug).unwrap().build.unwrap()(host).unwrap()
}

/// A connection of `server` over a pipe: the client's end, what is reported, and the conversation.
pub fn connect(
    host: &Arc<Host>,
    server: Arc<dyn Server>,
    port: Port,
) -> (DuplexStream, Arc<MemorySink>, tokio::task::JoinHandle<std::io::Result<()>>) {
    let sink = Arc::new(MemorySink::new());
    let session = session(host, &sink, port);
    let (client, ours) = tokio::io::duplex(256 * 1024);
    let connection = Connection::new(Box::new(ours), port, session);
    let task = tokio::spawn(async move { server.connection(connection).await });
    (client, sink, task)
}

/// A session between 198.51.100.7:40000 and the host's port.
pub fn session(host: &Arc<Host>, sink: &Arc<MemorySink>, port: Port) -> Session {
    Session::new(
        Arc::clone(host),
        Arc::clone(sink) as Arc<dyn EventSink>,
        SocketAddr::from(([198, 51, 100, 7], 40_000)),
        SocketAddr::from((host.decky.address, port.number)),
        port.transport,
        None,
    )
}

/// Runs one service of a host on free ports of 127.0.0.1 on the current runtime; gives each declared
/// port's real address, and what is reported.
pub fn serve_on_loopback(host: &Arc<Host>, slug: &str) -> (BTreeMap<Port, SocketAddr>, Arc<MemorySink>) {
    let sink = Arc::new(MemorySink::new());
    let mut addresses = BTreeMap::new();
    let mut sockets = Vec::new();
    for port in &host.service(slug).unwrap().ports {
        let (socket, address) = match port.transport {
            Transport::Tcp => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = listener.local_addr().unwrap();
                (Socket::Tcp(listener), address)
            }
            Transport::Udp => {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let address = socket.local_addr().unwrap();
                (Socket::Udp(socket), address)
            }
        };
        addresses.insert(*port, address);
        sockets.push(Bound { service: slug.to_owned(), port: *port, socket });
    }
    start(host, sockets, |_| Arc::clone(&sink) as Arc<dyn EventSink>).unwrap();
    (addresses, sink)
}

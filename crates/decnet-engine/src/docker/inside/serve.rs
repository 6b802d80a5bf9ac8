//! A service of a decky, in a container of its own.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use decnet_core::service::Transport;
use decnet_logging::{EventSink, ReconnectingSink};
use decnet_net::nftables::RESOLVER;
use decnet_services::host::Host;
use decnet_services::run::{Bound, Socket, start};

use super::{Ends, host, log, say};
use crate::listen;

/// How long the guard may take to close the namespace.
const GUARD: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);
/// How often what waits for the collector is offered to it.
const FLUSH: Duration = Duration::from_millis(500);

/// Serves until it is asked to end.
pub(crate) fn run(service: &str) -> u8 {
    let served = Ends::new().and_then(|ends| {
        let runtime = begin(service)?;
        // On a thread of its own, so that this one can wait for the signal.
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        ends.within(None)
    });
    match served {
        Ok(_) => 0,
        Err(message) => {
            say(&message);
            1
        }
    }
}

fn begin(service: &str) -> Result<tokio::runtime::Runtime, String> {
    let decky = host()?;
    // Compose and a daemon that restarts start containers in whatever order: no port opens in a namespace
    // that could still ask.
    if !is_closed_within(GUARD) {
        return Err("the network is not ready".to_owned());
    }
    let mut sockets = Vec::new();
    for port in decky.service(service).map(|plan| plan.ports.clone()).unwrap_or_default() {
        let socket =
            listen::open(decky.address, port).map_err(|error| format!("open port {port}: {error}"))?;
        let socket = match port.transport {
            Transport::Tcp => Socket::Tcp(TcpListener::from(socket)),
            Transport::Udp => Socket::Udp(UdpSocket::from(socket)),
        };
        sockets.push(Bound { service: service.to_owned(), port, socket });
    }
    if sockets.is_empty() {
        return Err(format!("there is no {service} here"));
    }
    let host = Host::new(decky).map_err(|_| "the system has no randomness to give".to_owned())?;
    let sink = Arc::new(log());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("start a runtime: {error}"))?;
    {
        let _inside = runtime.enter();
        start(&host, sockets, |_| Arc::clone(&sink) as Arc<dyn EventSink>)
            .map_err(|error| error.to_string())?;
        tokio::spawn(keep_flushing(sink));
    }
    Ok(runtime)
}

async fn keep_flushing(sink: Arc<ReconnectingSink>) {
    loop {
        tokio::time::sleep(FLUSH).await;
        sink.flush();
    }
}

/// Whether the guard has closed the namespace, within that time.
fn is_closed_within(patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        if is_closed() {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether a datagram to the resolver's address is refused. It never leaves the loopback, and the port is
/// nobody's.
fn is_closed() -> bool {
    /// `discard`
    const PORT: u16 = 9;
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
        .and_then(|socket| socket.send_to(&[0], (RESOLVER, PORT)))
        .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

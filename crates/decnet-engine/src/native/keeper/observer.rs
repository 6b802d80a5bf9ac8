//! What the wire sees, as events.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use decnet_core::service::Transport;
use decnet_logging::EventSink;
use decnet_logging::event::{Body, Report, Session, Speaker};
use decnet_net::observer::{Kind, Observer, Probe};
use decnet_net::packet::Glance;
use decnet_net::wire::{ports_of, protocol_of};

use super::logs::{Logs, WIRE};
use super::members::Member;

/// Blocked packets of one decky are told at most this often; the rest are counted.
const QUIET: Duration = Duration::from_secs(1);
/// Bytes of a blocked packet that are kept.
const KEPT: usize = 256;

/// Turns what the wire sees into events of the decky that it concerns. Shared between the wire's thread and
/// the keeper's.
#[derive(Clone, Debug)]
pub(crate) struct Observations(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    logs: Logs,
    known: HashMap<Ipv4Addr, Known>,
    next_session: u128,
}

struct Known {
    speaker: Speaker,
    /// Made with the first event: most deckies never need one.
    sink: Option<Arc<dyn EventSink>>,
    blocked: u64,
    told: Option<Instant>,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Known").field("speaker", &self.speaker).finish_non_exhaustive()
    }
}

impl Observations {
    pub(crate) fn new(logs: Logs) -> Observations {
        // Sessions of the wire count on from the time, so that they differ from those of an earlier run.
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let next_session = since.as_nanos() << 32;
        Observations(Arc::new(Mutex::new(Inner { logs, known: HashMap::new(), next_session })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A decky joins the LAN.
    pub(crate) fn know(&self, member: &Member) {
        let known = Known { speaker: member.speaker(WIRE), sink: None, blocked: 0, told: None };
        self.inner().known.insert(member.decky.address, known);
    }

    /// A decky has left it.
    pub(crate) fn forget(&self, address: Ipv4Addr) {
        self.inner().known.remove(&address);
    }

    /// All have left it.
    pub(crate) fn forget_all(&self) {
        self.inner().known.clear();
    }

    /// A worker reached for a system call that leads out, and was ended.
    pub(crate) fn violated(&self, member: &Member) {
        let address = member.decky.address;
        let body = Body::EgressBlocked { protocol: "system call".to_owned(), count: 1 };
        self.inner()
            .emit(address, |session| report(session, (address, 0), (address, 0), Transport::Tcp, body));
    }
}

impl Inner {
    fn emit(&mut self, decky: Ipv4Addr, make: impl FnOnce(Session) -> Report) {
        let Some(known) = self.known.get_mut(&decky) else { return };
        if known.sink.is_none() {
            known.sink = self.logs.wire(known.speaker.clone());
        }
        if let Some(sink) = &known.sink {
            self.next_session += 1;
            sink.emit(make(Session(self.next_session)));
        }
    }
}

impl Observer for Observations {
    fn probed(&mut self, probe: Probe) {
        let transport = match probe.kind {
            Kind::HalfOpen | Kind::OddFlags | Kind::ClosedPort(Transport::Tcp) => Transport::Tcp,
            _ => Transport::Udp,
        };
        let body = Body::ScanPackets {
            kind: probe.kind.name().to_owned(),
            count: probe.count,
            ports: probe.ports.clone(),
        };
        let port = probe.ports.first().copied().unwrap_or(0);
        self.inner().emit(probe.decky, |session| {
            let source = (probe.source, probe.source_port);
            let mut report = report(session, source, (probe.decky, port), transport, body);
            report.src_mac = Some(probe.source_mac.to_string());
            report
        });
    }

    fn egress_blocked(&mut self, packet: &Glance, bytes: &[u8]) {
        let mut inner = self.inner();
        let Some(known) = inner.known.get_mut(&packet.source) else { return };
        known.blocked += 1;
        let now = Instant::now();
        if known.told.is_some_and(|told| now.duration_since(told) < QUIET) {
            return;
        }
        known.told = Some(now);
        let count = std::mem::take(&mut known.blocked);
        let body = Body::EgressBlocked { protocol: protocol_of(packet), count };
        let (transport, source, destination) = ports_of(packet);
        inner.emit(packet.source, |session| {
            let ends = ((packet.source, source), (packet.destination, destination));
            report(session, ends.0, ends.1, transport, body).with_raw(&bytes[..bytes.len().min(KEPT)])
        });
    }
}

fn report(
    session: Session,
    source: (Ipv4Addr, u16),
    destination: (Ipv4Addr, u16),
    transport: Transport,
    body: Body,
) -> Report {
    Report {
        session,
        src_ip: IpAddr::V4(source.0),
        src_port: source.1,
        dst_ip: IpAddr::V4(destination.0),
        dst_port: destination.1,
        transport,
        ..Report::without_conversation(body)
    }
}

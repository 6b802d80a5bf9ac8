//! Receiving datagrams.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use decnet_core::service::{Port, Transport};
use decnet_logging::event::{Body, CloseReason};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use super::{Guarded, Running};
use crate::datagram::{Exchange, ReplyBudget, ReplyTo};
use crate::limits::Limits;
use crate::session::Session;

/// The largest UDP payload over IPv4.
const MAX_DATAGRAM: usize = 65_507;
/// How long to wait after the socket failed.
const BREATH: Duration = Duration::from_millis(50);

/// Datagrams between the same two endpoints within a minute are one session.
struct Known {
    session: Session,
    began: Instant,
    bytes_in: u64,
    replies: Arc<Counted>,
}

/// Receives for as long as the runtime lives.
pub(crate) async fn receive(socket: Arc<UdpSocket>, port: Port, service: Arc<Running>) {
    let Ok(destination) = socket.local_addr() else { return };
    let limits = service.host.limits.clone();
    let budget: Arc<Budget> = Arc::new(Budget::new(&limits));
    let mut sessions: HashMap<SocketAddr, Known> = HashMap::new();
    let mut buffer = vec![0u8; MAX_DATAGRAM];
    // When the oldest session ends; without sessions nothing wakes us but a datagram.
    let mut next_end: Option<Instant> = None;
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = sleep_until(next_end.unwrap_or_else(Instant::now)), if next_end.is_some() => {
                next_end = end_old(&mut sessions, &limits);
                if sessions.is_empty() {
                    budget.forget();
                }
                continue;
            }
        };
        let (length, source) = match received {
            Ok(received) => received,
            // An ICMP error for an earlier reply; the socket is fine.
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => continue,
            Err(_) => {
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        if !sessions.contains_key(&source) && sessions.len() >= limits.datagram_sessions {
            next_end = end_old(&mut sessions, &limits);
            if sessions.len() >= limits.datagram_sessions {
                end_oldest(&mut sessions);
            }
        }
        let known = sessions.entry(source).or_insert_with(|| {
            let session = Session::new(
                Arc::clone(&service.host),
                Arc::clone(&service.sink),
                source,
                destination,
                Transport::Udp,
                Some(service.persona.clone()),
            );
            session.emit(Body::ConnectionOpened);
            let replies = Arc::new(Counted { socket: Arc::clone(&socket), bytes: Mutex::new(0) });
            Known { session, began: Instant::now(), bytes_in: 0, replies }
        });
        known.bytes_in += length as u64;
        let ends = known.began + limits.datagram_session_time;
        next_end = Some(next_end.map_or(ends, |next| next.min(ends)));
        let exchange = Exchange::new(
            buffer[..length].to_vec(),
            port,
            known.session.clone(),
            Arc::clone(&known.replies) as Arc<dyn ReplyTo>,
            Arc::clone(&budget) as Arc<dyn ReplyBudget>,
        );
        let session = known.session.clone();
        // Answered in order: an agent or a name server is one loop, too, and no task can pile up.
        if let Err(message) = Guarded(service.server.datagram(exchange)).await {
            session.emit(Body::ServerFailed { message });
        }
    }
}

/// Ends the sessions whose time is over; returns when the next one ends.
fn end_old(sessions: &mut HashMap<SocketAddr, Known>, limits: &Limits) -> Option<Instant> {
    let now = Instant::now();
    sessions.retain(|_, known| {
        let over = now >= known.began + limits.datagram_session_time;
        if over {
            report_end(known);
        }
        !over
    });
    sessions.values().map(|known| known.began + limits.datagram_session_time).min()
}

fn end_oldest(sessions: &mut HashMap<SocketAddr, Known>) {
    let oldest = sessions.iter().min_by_key(|(_, known)| known.began).map(|(source, _)| *source);
    if let Some(known) = oldest.and_then(|source| sessions.remove(&source)) {
        report_end(&known);
    }
}

fn report_end(known: &Known) {
    let bytes_out = *known.replies.bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    known.session.emit(Body::ConnectionClosed {
        reason: CloseReason::Idle,
        duration_ms: u64::try_from(known.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        bytes_in: known.bytes_in,
        bytes_out,
    });
}

/// The socket, counting what was sent in one session.
struct Counted {
    socket: Arc<UdpSocket>,
    bytes: Mutex<u64>,
}

impl ReplyTo for Counted {
    fn reply(&self, bytes: &[u8], to: SocketAddr) -> std::io::Result<()> {
        *self.bytes.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += bytes.len() as u64;
        self.socket.reply(bytes, to)
    }
}

/// Keeps a decky from being an amplifier: a reply of up to a few times its request always goes, a larger
/// one only some times a second per source, whoever forged that source.
struct Budget {
    factor: usize,
    per_second: u32,
    table: Mutex<HashMap<IpAddr, (Instant, u32)>>,
    bound: usize,
}

impl Budget {
    fn new(limits: &Limits) -> Budget {
        Budget {
            factor: limits.datagram_factor,
            per_second: limits.large_replies_per_second,
            table: Mutex::new(HashMap::new()),
            bound: limits.datagram_sessions,
        }
    }

    fn forget(&self) {
        let mut table = self.table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        table.clear();
        table.shrink_to_fit();
    }
}

impl ReplyBudget for Budget {
    fn grant(&self, request: usize, reply: usize, to: SocketAddr) -> bool {
        if reply <= request.saturating_mul(self.factor) {
            return true;
        }
        let now = Instant::now();
        let mut table = self.table.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if table.len() >= self.bound && !table.contains_key(&to.ip()) {
            table.retain(|_, (since, _)| now.duration_since(*since) < Duration::from_secs(1));
            if table.len() >= self.bound {
                return false;
            }
        }
        let entry = table.entry(to.ip()).or_insert((now, 0));
        if now.duration_since(entry.0) >= Duration::from_secs(1) {
            *entry = (now, 0);
        }
        entry.1 += 1;
        entry.1 <= self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn large_replies_are_rationed_and_the_table_is_bounded() {
        let limits = Limits { datagram_sessions: 2, large_replies_per_second: 3, ..Limits::default() };
        let budget = Budget::new(&limits);
        let to = |last: u8| SocketAddr::from(([198, 51, 100, last], 161));
        assert!((0..100).all(|_| budget.grant(40, 120, to(1))), "three times the request always goes");
        let granted = (0..10).filter(|_| budget.grant(40, 121, to(1))).count();
        assert_eq!(granted, 3);
        assert!(budget.grant(40, 1400, to(2)));
        assert!(!budget.grant(40, 1400, to(3)), "no room for a third source within the second");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(budget.grant(40, 1400, to(3)));
        assert!(budget.table.lock().unwrap().len() <= 2);
    }
}

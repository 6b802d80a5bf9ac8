//! The sidecar that lets a decky's namespace answer, never ask.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use decnet_core::plan::Decky;
use decnet_core::service::Transport;
use decnet_logging::EventSink;
use decnet_logging::event::{Body, Report, Session};
use decnet_net::nftables::{Attempt, attempts, make_reply_only};

use super::{Ends, host, log, say};

/// How often what was tried is counted.
const EVERY: Duration = Duration::from_secs(1);

/// Groups that a service of name resolution speaks to first (RFC 4795 section 2.1, RFC 6762 section 3).
const NAMES: [(Ipv4Addr, u16); 2] =
    [(Ipv4Addr::new(224, 0, 0, 252), 5355), (Ipv4Addr::new(224, 0, 0, 251), 5353)];

/// Closes the namespace, and tells what tried to get out of it, until it is asked to end. The rules stay:
/// they go with the namespace.
pub(crate) fn run() -> u8 {
    match guard() {
        Ok(()) => 0,
        Err(message) => {
            say(&message);
            1
        }
    }
}

fn guard() -> Result<(), String> {
    let ends = Ends::new()?;
    let decky = host()?;
    make_reply_only(may_say(&decky)).map_err(|error| error.to_string())?;
    let sink = log();
    // Sessions count on from the time, so that they differ from those of an earlier run.
    let mut session = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() << 32;
    let mut before: BTreeMap<Attempt, u64> = BTreeMap::new();
    while !ends.within(Some(EVERY))? {
        // Where the rules were taken away, this process ends, and makes them again when it is started again.
        let now = attempts().map_err(|error| error.to_string())?;
        for (attempt, count) in &now {
            let new = count.saturating_sub(before.get(attempt).copied().unwrap_or_default());
            if new > 0 {
                session += 1;
                sink.emit(report(&decky, Session(session), *attempt, new));
            }
        }
        before = now;
        sink.flush();
    }
    Ok(())
}

fn may_say(decky: &Decky) -> &'static [(Ipv4Addr, u16)] {
    if decky.service("llmnr").is_some() { &NAMES } else { &[] }
}

fn report(decky: &Decky, session: Session, attempt: Attempt, count: u64) -> Report {
    let body = Body::EgressBlocked { protocol: attempt.name().to_owned(), count };
    Report {
        session,
        src_ip: IpAddr::V4(decky.address),
        transport: if attempt == Attempt::Tcp { Transport::Tcp } else { Transport::Udp },
        ..Report::without_conversation(body)
    }
}

//! A log target's address, and whether anybody is there.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use decnet_core::plan::{LogTarget, LogTransport};

use crate::sinks::link::Link;

/// Where names are looked up. Not DNS: a query for the log server's name would be seen on the LAN of the
/// decoys, and a static binary has no resolver of the C library.
const HOSTS: &str = "/etc/hosts";

/// What UDP probes send: a whole RFC 5424 message without facts, local0.info.
const PROBE: &[u8] = b"<134>1 - - - - probe -";

/// A log target whose host has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "log target {target}: `{host}` is neither an address nor a name in /etc/hosts; write its address, or \
     add the name to /etc/hosts"
)]
pub struct ResolveError {
    /// The target, as it is written.
    pub target: String,
    /// Its host.
    pub host: String,
}

/// The address of a log target: its host as it stands, or as `/etc/hosts` has it.
///
/// # Errors
/// The host is a name that `/etc/hosts` does not have.
pub fn resolve(target: &LogTarget) -> Result<SocketAddr, ResolveError> {
    // A host without the file has no names.
    let hosts = std::fs::read_to_string(HOSTS).unwrap_or_default();
    lookup(&target.host, &hosts)
        .map(|ip| SocketAddr::new(ip, target.port))
        .ok_or_else(|| ResolveError { target: target.to_string(), host: target.host.clone() })
}

/// The first address of a name in the text of a hosts(5) file; names have no case.
fn lookup(host: &str, hosts: &str) -> Option<IpAddr> {
    if let Ok(ip) = host.parse() {
        return Some(ip);
    }
    let listed = hosts.lines().find_map(|line| {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(ip)
    });
    // RFC 6761 section 6.3: this name is the loopback also where no file says so.
    listed.or_else(|| host.eq_ignore_ascii_case("localhost").then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)))
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// TCP and TLS: a connection was made.
    Answered,
    /// UDP: no refusal came. That is all that can be known: a host that is off is just as silent.
    Silent,
    /// Somebody is there and nobody listens: a reset, or ICMP port unreachable.
    Refused,
    /// Nothing came in time.
    TimedOut(Duration),
    /// There is no way there.
    Unreachable(String),
    /// TLS: a server answers, and there is no trust between it and us.
    Untrusted(String),
    /// The name has no address.
    Unresolved(ResolveError),
}

/// What a probe of a log target found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The target.
    pub target: LogTarget,
    /// What was found.
    pub finding: Finding,
}

impl Probe {
    /// The warning for the operator; none if nothing speaks against the target. `kept` says whether events
    /// for it are kept on disk until it is back.
    pub fn warning(&self, kept: bool) -> Option<String> {
        let place = self.target.place();
        let why = match &self.finding {
            Finding::Answered | Finding::Silent => return None,
            Finding::Unresolved(error) => return Some(error.to_string()),
            Finding::Refused => "it refuses".to_owned(),
            Finding::TimedOut(after) => format!("no answer in {} ms", after.as_millis()),
            Finding::Unreachable(why) => why.clone(),
            Finding::Untrusted(why) => why.clone(),
        };
        let consequence = if kept {
            "Logs wait on disk while it is down, and are lost past the disk bound."
        } else {
            "Logs will be lost if it stays down."
        };
        Some(format!("log target {place} is unreachable ({why}). {consequence}"))
    }

    /// What the probe could not find out; none if it could find out everything.
    pub fn note(&self) -> Option<String> {
        (self.finding == Finding::Silent).then(|| {
            format!(
                "log target {}: UDP gives no answer; it did not refuse, but whether it receives is not known",
                self.target
            )
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Answered => f.write_str("answered"),
            Finding::Silent => f.write_str("silent"),
            Finding::Refused => f.write_str("refused"),
            Finding::TimedOut(after) => write!(f, "no answer in {} ms", after.as_millis()),
            Finding::Unreachable(why) | Finding::Untrusted(why) => f.write_str(why),
            Finding::Unresolved(error) => error.fmt(f),
        }
    }
}

/// Looks whether log targets are there, all at the same time, for at most `timeout`.
pub fn probe_all(targets: &[LogTarget], timeout: Duration) -> Vec<Probe> {
    std::thread::scope(|scope| {
        let asking: Vec<_> =
            targets.iter().map(|target| (target, scope.spawn(|| probe(target, timeout)))).collect();
        let answer = |(target, thread): (&LogTarget, std::thread::ScopedJoinHandle<'_, Probe>)| {
            thread.join().unwrap_or_else(|_| Probe {
                target: target.clone(),
                finding: Finding::Unreachable("it could not be asked".to_owned()),
            })
        };
        asking.into_iter().map(answer).collect()
    })
}

/// Looks whether a log target is there, for at most `timeout`. UDP: one message of RFC 5424 without facts is
/// sent, and an ICMP refusal waited for. TCP: a connection is made and closed. TLS: hands are shaken.
pub fn probe(target: &LogTarget, timeout: Duration) -> Probe {
    // Zero means "for ever" to the socket options.
    let timeout = timeout.max(Duration::from_millis(1));
    let finding = match resolve(target) {
        Err(error) => Finding::Unresolved(error),
        Ok(address) => {
            let result = match target.transport {
                LogTransport::Udp => probe_udp(address, timeout),
                LogTransport::Tcp | LogTransport::Tls => probe_stream(target, timeout),
            };
            result.unwrap_or_else(|error| match error.kind() {
                io::ErrorKind::ConnectionRefused => Finding::Refused,
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Finding::TimedOut(timeout),
                io::ErrorKind::InvalidData => Finding::Untrusted(error.to_string()),
                _ => Finding::Unreachable(error.to_string()),
            })
        }
    };
    Probe { target: target.clone(), finding }
}

/// How long a server that refuses our certificate takes to say so, after the handshake (TLS 1.3).
const REFUSAL: Duration = Duration::from_millis(300);

fn probe_stream(target: &LogTarget, timeout: Duration) -> io::Result<Finding> {
    let deadline = Instant::now() + timeout;
    let mut link = Link::begin(target)?;
    if !link.ready(deadline)? {
        return Ok(Finding::TimedOut(timeout));
    }
    if target.transport == LogTransport::Tls {
        let until = deadline.min(Instant::now() + REFUSAL);
        loop {
            link.listen()?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            link.wait(left)?;
        }
    }
    Ok(Finding::Answered)
}

fn probe_udp(address: SocketAddr, timeout: Duration) -> io::Result<Finding> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.send(PROBE)?;
    match socket.recv(&mut [0]) {
        Ok(_) => Ok(Finding::Answered),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Ok(Finding::Silent)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn names_come_from_the_hosts_file() {
        let hosts = "127.0.0.1 localhost\n# 192.0.2.9 siem\n192.0.2.7\tsiem.example siem # the server\nbad\n";
        assert_eq!(lookup("SIEM", hosts), Some([192, 0, 2, 7].into()));
        assert_eq!(lookup("192.0.2.1", ""), Some([192, 0, 2, 1].into()));
        assert_eq!(lookup("::1", ""), Some(Ipv6Addr::LOCALHOST.into()));
        assert_eq!(lookup("localhost", ""), Some(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(lookup("other", hosts), None);
        let target: LogTarget = "no-such-name.invalid:514".parse().unwrap();
        let probe = probe(&target, Duration::from_millis(1));
        let warning = probe.warning(false).unwrap();
        assert!(warning.contains("`no-such-name.invalid`") && warning.contains("/etc/hosts"), "{warning}");
    }

    #[test]
    fn a_udp_probe_knows_refusal_and_admits_what_it_does_not_know() {
        let listener = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let target: LogTarget = address.to_string().parse().unwrap();
        let there = probe(&target, Duration::from_millis(50));
        assert_eq!(there.finding, Finding::Silent);
        assert_eq!(there.warning(false), None);
        assert!(there.note().unwrap().contains("not known"));
        drop(listener);
        let gone = probe(&target, Duration::from_secs(5));
        assert_eq!(gone.finding, Finding::Refused);
        assert_eq!(
            gone.warning(false).unwrap(),
            format!("log target {address} is unreachable (it refuses). Logs will be lost if it stays down.")
        );
        assert!(gone.warning(true).unwrap().contains("wait on disk"));
        assert_eq!(gone.note(), None);
    }

    #[test]
    fn a_tcp_probe_connects() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target: LogTarget = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
        assert_eq!(probe(&target, Duration::from_secs(5)).finding, Finding::Answered);
        drop(listener);
        assert_eq!(probe(&target, Duration::from_secs(5)).finding, Finding::Refused);
    }
}

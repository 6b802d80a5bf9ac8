//! A delivery against servers that misbehave; every event is counted by its number.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rcgen::{
    CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::event::RAW_LIMIT;
use crate::samples::sample;
use crate::sinks::datagrams::DatagramDelivery;

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);

fn events(numbers: std::ops::RangeInclusive<u64>) -> Vec<Event> {
    numbers.map(|seq| sample(json!({"event": "scan.probe", "kind": "empty", "seq": seq}))).collect()
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn delivery(target: &str) -> StreamDelivery {
    StreamDelivery::new("x".to_owned(), target.parse().unwrap())
}

/// What the thread that drives a delivery does: goes on behind what is settled after every error, until all
/// is settled. Gives the errors.
fn drive(delivery: &mut dyn Delivery, events: &[Event]) -> Vec<String> {
    let until = Instant::now() + LONG;
    let first = events[0].seq;
    let last = events[events.len() - 1].seq;
    let (mut next, mut errors) = (0, Vec::new());
    loop {
        assert!(Instant::now() < until, "settled {:?} of {last}; {errors:?}", delivery.settled());
        match delivery.deliver(&events[next..], Duration::from_millis(200)) {
            Ok(count) => next += count,
            Err(error) => {
                errors.push(error.to_string());
                next = delivery.settled().map_or(0, |settled| (settled + 1).saturating_sub(first) as usize);
                thread::sleep(Duration::from_millis(20));
            }
        }
        match delivery.settled() {
            Some(settled) if settled >= last => return errors,
            _ => thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Reads frames with their length in front; the numbers of their events. Ends with the connection.
fn read_octets(mut stream: impl Read, numbers: &Sender<u64>) {
    let mut reader = BufReader::new(&mut stream);
    loop {
        let mut length = Vec::new();
        match reader.read_until(b' ', &mut length) {
            Ok(count) if count > 0 => {}
            _ => return,
        }
        let length: usize = String::from_utf8(length).unwrap().trim_end().parse().unwrap();
        let mut message = vec![0; length];
        if reader.read_exact(&mut message).is_err() {
            return;
        }
        let event = syslog::parse(std::str::from_utf8(&message).unwrap()).unwrap();
        numbers.send(event.seq).unwrap();
    }
}

/// Everything received, in order, without repetitions.
fn received(numbers: &Receiver<u64>) -> Vec<u64> {
    let mut all: Vec<u64> = numbers.try_iter().collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn octet_counting_brings_everything_in_order() {
    let (listener, address) = listener();
    let (tell, numbers) = channel();
    let server = thread::spawn(move || read_octets(listener.accept().unwrap().0, &tell));
    let mut delivery = delivery(&format!("tcp://{address}"));
    assert!(drive(&mut delivery, &events(1..=5000)).is_empty());
    drop(delivery);
    server.join().unwrap();
    assert_eq!(numbers.try_iter().collect::<Vec<_>>(), (1..=5000).collect::<Vec<_>>(), "none twice");
}

#[test]
fn line_feeds_on_request() {
    let (listener, address) = listener();
    let server = thread::spawn(move || {
        let lines = BufReader::new(listener.accept().unwrap().0).lines();
        lines.map(|line| syslog::parse(&line.unwrap()).unwrap()).collect::<Vec<_>>()
    });
    let mut delivery = delivery(&format!("tcp://{address}?framing=lf&size=256k"));
    let mut all = events(1..=3);
    all.push(sample(json!({"event": "command", "command": "x", "outcome": "failed", "seq": 4,
        "line": "a\n<134>1 - forged\r\n\u{0}\u{2028}]\"\\"})));
    assert!(drive(&mut delivery, &all).is_empty());
    drop(delivery);
    assert_eq!(server.join().unwrap(), all);
}

#[test]
fn a_reset_in_the_middle_loses_nothing() {
    let (listener, address) = listener();
    let (tell, numbers) = channel();
    thread::spawn(move || {
        for round in 0.. {
            let (mut stream, _) = listener.accept().unwrap();
            if round < 3 {
                // Reads a part, and closes with the rest unread: that is a reset.
                let mut part = vec![0; 20_000];
                stream.read_exact(&mut part).unwrap();
                let whole = part.iter().rposition(|b| *b == b'<').unwrap_or(0);
                let end = part[..whole].iter().rposition(|b| !b.is_ascii_digit() && *b != b' ').unwrap_or(0);
                read_octets(&part[..=end], &tell);
                continue;
            }
            let tell = tell.clone();
            thread::spawn(move || read_octets(stream, &tell));
        }
    });
    let mut delivery = delivery(&format!("tcp://{address}"));
    let errors = drive(&mut delivery, &events(1..=3000));
    assert_eq!(errors.len(), 3, "{errors:?}");
    thread::sleep(Duration::from_millis(200));
    assert_eq!(received(&numbers), (1..=3000).collect::<Vec<_>>());
}

#[test]
fn a_server_that_takes_and_throws_away_settles_nothing() {
    let (listener, address) = listener();
    let server = thread::spawn(move || {
        // Its kernel acknowledges; the program never reads, and goes.
        let (stream, _) = listener.accept().unwrap();
        thread::sleep(Duration::from_millis(300));
        drop(stream);
        listener
    });
    let mut delivery = delivery(&format!("tcp://{address}"));
    let all = events(1..=10);
    assert_eq!(delivery.deliver(&all, Duration::from_secs(5)).unwrap(), 10);
    let listener = server.join().unwrap();
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        assert_eq!(delivery.settled(), None);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(delivery.deliver(&all, Duration::from_secs(1)).is_err());
    let (tell, numbers) = channel();
    thread::spawn(move || read_octets(listener.accept().unwrap().0, &tell));
    drive(&mut delivery, &all);
    assert_eq!(received(&numbers), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_server_that_ends_its_half_is_left_before_anything_is_lost() {
    let (listener, address) = listener();
    let (tell, numbers) = channel();
    thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        first.shutdown(Shutdown::Write).unwrap();
        let (second, _) = listener.accept().unwrap();
        read_octets(second, &tell);
        drop(first);
    });
    let mut delivery = delivery(&format!("tcp://{address}"));
    drive(&mut delivery, &events(1..=100));
    thread::sleep(Duration::from_millis(100));
    assert_eq!(received(&numbers), (1..=100).collect::<Vec<_>>());
}

#[test]
fn an_idle_connection_that_the_server_closed_is_made_anew_without_an_error() {
    let (listener, address) = listener();
    let (tell, numbers) = channel();
    let mut delivery = delivery(&format!("tcp://{address}"));
    let server = thread::spawn(move || {
        let (first, _) = listener.accept().unwrap();
        let closer = first.try_clone().unwrap();
        let told = tell.clone();
        let reader = thread::spawn(move || read_octets(first, &told));
        thread::sleep(Duration::from_millis(2500));
        closer.shutdown(Shutdown::Both).unwrap();
        reader.join().unwrap();
        read_octets(listener.accept().unwrap().0, &tell);
    });
    assert!(drive(&mut delivery, &events(1..=5)).is_empty());
    thread::sleep(Duration::from_secs(2));
    assert!(drive(&mut delivery, &events(6..=9)).is_empty());
    drop(delivery);
    server.join().unwrap();
    assert_eq!(numbers.try_iter().collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
}

#[test]
fn a_server_that_reads_slowly_is_waited_for_within_bounds() {
    let (listener, address) = listener();
    let (tell, numbers) = channel();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        thread::sleep(Duration::from_secs(2));
        read_octets(stream, &tell);
    });
    let mut delivery = delivery(&format!("tcp://{address}?size=256k"));
    let long: Vec<Event> = (1..=400)
        .map(|seq| {
            let mut event = sample(json!({"event": "scan.probe", "kind": "empty", "seq": seq}));
            event.report = event.report.with_raw(&vec![0; RAW_LIMIT]);
            event
        })
        .collect();
    let begun = Instant::now();
    let taken = delivery.deliver(&long, Duration::from_millis(300)).unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
    assert!(taken < 400, "fewer are taken than there are");
    assert!(delivery.link.as_ref().unwrap().pending() < OUT_LIMIT + 256 * 1024);
    assert_eq!(delivery.settled().unwrap_or(0).max(399), 399);
    assert!(drive(&mut delivery, &long[taken..]).is_empty());
    drop(delivery);
    server.join().unwrap();
    assert_eq!(numbers.try_iter().collect::<Vec<_>>(), (1..=400).collect::<Vec<_>>());
}

#[test]
fn a_server_that_never_reads_bounds_what_is_under_way() {
    let (listener, address) = listener();
    let mut delivery = delivery(&format!("tcp://{address}"));
    let all = events(1..=40_000);
    let mut taken = 0;
    for _ in 0..5 {
        taken += delivery.deliver(&all[taken..], Duration::from_millis(200)).unwrap();
    }
    assert!(taken < all.len());
    assert!(delivery.link.as_ref().unwrap().pending() < OUT_LIMIT + 8192);
    drop(listener);
}

#[test]
fn down_and_back_again() {
    let (listener, address) = listener();
    drop(listener);
    let (tell, numbers) = channel();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(500));
        read_octets(TcpListener::bind(address).unwrap().accept().unwrap().0, &tell);
    });
    let mut delivery = delivery(&format!("tcp://{address}"));
    let errors = drive(&mut delivery, &events(1..=10));
    assert!(errors[0].contains("refused"), "{errors:?}");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(received(&numbers), (1..=10).collect::<Vec<_>>());
}

#[test]
fn nothing_blocks_longer_than_patience_where_nobody_accepts() {
    // A backlog that is full: the kernel answers no SYN any more.
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None);
    let socket = socket.unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    rustix::net::listen(&socket, 0).unwrap();
    let address = TcpListener::from(socket.try_clone().unwrap()).local_addr().unwrap();
    let _full = TcpStream::connect(address).unwrap();
    let mut delivery = delivery(&format!("tcp://{address}"));
    let begun = Instant::now();
    assert_eq!(delivery.deliver(&events(1..=1), Duration::from_millis(200)).unwrap(), 0);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[test]
fn udp_waits_while_nobody_listens_and_goes_on_from_there() {
    let first = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = first.local_addr().unwrap();
    let take = |socket: &std::net::UdpSocket| {
        socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut numbers = Vec::new();
        let mut datagram = [0; 65536];
        while let Ok(length) = socket.recv(&mut datagram) {
            let event = syslog::parse(std::str::from_utf8(&datagram[..length]).unwrap()).unwrap();
            numbers.push(event.seq);
        }
        numbers
    };
    let mut delivery = DatagramDelivery::new("u".to_owned(), address.to_string().parse().unwrap());
    assert!(drive(&mut delivery, &events(1..=50)).is_empty());
    assert_eq!(take(&first), (1..=50).collect::<Vec<_>>());
    drop(first);
    // Refused, so none of these counts as arrived.
    let more = events(51..=100);
    let mut errors = 0;
    for _ in 0..10 {
        errors += usize::from(delivery.deliver(&more, Duration::from_millis(100)).is_err());
        thread::sleep(Duration::from_millis(100));
        assert_eq!(delivery.settled(), Some(50));
    }
    assert!(errors >= 5, "{errors}");
    let second = std::net::UdpSocket::bind(address).unwrap();
    drive(&mut delivery, &more);
    let mut numbers = take(&second);
    numbers.dedup();
    assert_eq!(numbers, (51..=100).collect::<Vec<_>>());
}

#[test]
fn datagrams_keep_their_size() {
    let server = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = server.local_addr().unwrap();
    let mut event = sample(json!({"event": "scan.probe", "kind": "empty", "seq": 1}));
    event.report = event.report.with_raw(&vec![0xee; RAW_LIMIT]);
    for (option, limit) in [("", 2048), ("?size=1k", 1024), ("?size=65507", 65_507)] {
        let target = format!("udp://{address}{option}").parse().unwrap();
        let mut delivery = DatagramDelivery::new("u".to_owned(), target);
        drive(&mut delivery, std::slice::from_ref(&event));
        let mut datagram = vec![0; 70_000];
        let length = server.recv(&mut datagram).unwrap();
        assert!(length <= limit && length > limit * 9 / 10, "{length} of {limit}");
        let line = std::str::from_utf8(&datagram[..length]).unwrap();
        assert!(line.contains("truncated=\"raw\"") && syslog::parse(line).is_ok());
    }
}

// TLS.

/// Files of an authority, a server's certificate and a client's.
struct Pki {
    dir: tempfile::TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    fn new() -> Pki {
        let dir = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        Pki { dir, ca }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Certificate and key of a name, written as `NAME.pem` and `NAME.key`.
    fn issue(&self, name: &str, expired: bool) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.ca).unwrap();
        std::fs::write(self.path(&format!("{name}.pem")), cert.pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        (vec![cert.der().clone()], PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap())
    }

    /// A server's configuration; `clients`: only those of our authority.
    fn server(&self, name: &str, expired: bool, clients: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            roots.add(self.ca.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let (cert, key) = self.issue(name, expired);
        Arc::new(builder.with_single_cert(cert, key).unwrap())
    }
}

/// Serves every connection; the numbers of the events.
fn serve(config: Arc<ServerConfig>) -> (SocketAddr, Receiver<u64>) {
    let (listener, address) = listener();
    let (tell, numbers) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (tell, config) = (tell.clone(), config.clone());
            thread::spawn(move || {
                let connection = ServerConnection::new(config).unwrap();
                read_octets(StreamOwned::new(connection, stream.unwrap()), &tell);
            });
        }
    });
    (address, numbers)
}

fn first_error(target: &str) -> String {
    let mut delivery = delivery(target);
    let until = Instant::now() + LONG;
    let all = events(1..=3);
    while Instant::now() < until {
        if let Err(error) = delivery.deliver(&all, Duration::from_millis(500)) {
            return error.to_string();
        }
        thread::sleep(Duration::from_millis(50));
        assert_eq!(delivery.settled(), None);
    }
    panic!("{target} takes everything");
}

#[test]
fn tls_brings_everything_in_order() {
    let pki = Pki::new();
    let (address, numbers) = serve(pki.server("siem.example", false, false));
    let target = format!("tls://{address}?ca={}&name=siem.example", pki.path("ca.pem"));
    let mut tls = delivery(&target);
    assert!(drive(&mut tls, &events(1..=3000)).is_empty());
    drop(tls);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(numbers.try_iter().collect::<Vec<_>>(), (1..=3000).collect::<Vec<_>>());
    let probe = crate::target::probe(&target.parse().unwrap(), LONG);
    assert_eq!(probe.finding, crate::target::Finding::Answered);
}

#[test]
fn tls_trusts_nobody_else() {
    let (pki, other) = (Pki::new(), Pki::new());
    let (address, numbers) = serve(pki.server("siem.example", false, false));
    let (expired, _) = serve(pki.server("old.example", true, false));
    let ca = pki.path("ca.pem");
    for (target, said) in [
        (
            format!("tls://{address}?ca={}&name=siem.example", other.path("ca.pem")),
            "not signed by an authority",
        ),
        (format!("tls://{address}?ca={ca}&name=siem.exemple"), "for another name"),
        (format!("tls://{address}?ca={ca}"), "for another name"),
        (format!("tls://{expired}?ca={ca}&name=old.example"), "has expired"),
        (format!("tls://{address}?fingerprint=sha256:{}", "00".repeat(32)), "its fingerprint is sha256:"),
        (format!("tls://{address}?ca={ca}&name=a..b"), "is no name that a certificate could hold"),
        (format!("tls://{address}?ca=/no/such/file"), "cannot read `/no/such/file`"),
        (format!("tls://{address}?ca={}", pki.path("siem.example.key")), "holds no certificate in PEM"),
    ] {
        let error = first_error(&target);
        assert!(error.contains(said), "{target}: {error}");
        let probe = crate::target::probe(&target.parse().unwrap(), LONG);
        assert!(probe.warning(true).unwrap().contains(said), "{probe:?}");
    }
    assert_eq!(numbers.try_iter().count(), 0);
}

#[test]
fn a_fingerprint_is_trust_enough() {
    let pki = Pki::new();
    let (address, numbers) = serve(pki.server("old.example", true, false));
    let der = CertificateDer::from_pem_file(pki.path("old.example.pem")).unwrap();
    let print = decnet_core::plan::Fingerprint(Sha256::digest(&der).into());
    let mut delivery = delivery(&format!("tls://{address}?fingerprint={print}"));
    assert!(drive(&mut delivery, &events(1..=10)).is_empty());
    assert_eq!(received(&numbers), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_client_certificate_is_shown_and_its_want_settles_nothing() {
    let (pki, other) = (Pki::new(), Pki::new());
    let (address, numbers) = serve(pki.server("siem.example", false, true));
    let ca = pki.path("ca.pem");
    let target = format!("tls://{address}?ca={ca}&name=siem.example");
    let error = first_error(&target);
    assert!(error.contains("refuses our client certificate"), "{error}");
    let probe = crate::target::probe(&target.parse().unwrap(), LONG);
    assert!(
        matches!(&probe.finding, crate::target::Finding::Untrusted(why) if why.contains("refuses")),
        "{probe:?}"
    );
    other.issue("client", false);
    let (cert, key) = (other.path("client.pem"), other.path("client.key"));
    let error = first_error(&format!("{target}&cert={cert}&key={key}"));
    assert!(error.contains("refuses our client certificate"), "{error}");
    assert_eq!(numbers.try_iter().count(), 0);
    pki.issue("client", false);
    let (cert, key) = (pki.path("client.pem"), pki.path("client.key"));
    let mut delivery = delivery(&format!("{target}&cert={cert}&key={key}"));
    assert!(drive(&mut delivery, &events(1..=10)).is_empty());
    assert_eq!(received(&numbers), (1..=10).collect::<Vec<_>>());
}

#[test]
fn a_server_without_tls_is_told_as_one() {
    let (listener, address) = listener();
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"220 mail.example ESMTP\r\n").unwrap();
        }
    });
    let error = first_error(&format!("tls://{address}?fingerprint=sha256:{}", "00".repeat(32)));
    assert!(
        error.contains("speaks no TLS") || error.contains("closed") || error.contains("reset"),
        "{error}"
    );
}

//! A reply-only namespace, attacked from inside and out: it answers everything, and asks nothing.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use decnet_net::lab::{Lab, Layout};
use decnet_net::nftables::{Attempt, RESOLVER, attempts, make_reply_only};

const PATIENCE: Duration = Duration::from_millis(700);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

fn lab() -> Option<Lab> {
    match Lab::build(Layout::default()) {
        Ok(lab) => Some(lab),
        Err(error) => {
            assert!(std::env::var("DECNET_TEST_REQUIRE").as_deref() != Ok("all"), "{error}");
            eprintln!("skipped: {error}; run as root, or in `unshare -rn`");
            None
        }
    }
}

#[test]
fn it_answers_and_never_asks() {
    let Some(lab) = lab() else { return };
    let (inside, outside) = (lab.layout.host, lab.layout.attacker);
    let at = |address: Ipv4Addr, port: u16| SocketAddr::from((address, port));
    lab.attacker.run(|| Ok(TcpListener::bind(at(outside, 4444)).unwrap())).map(std::mem::forget).unwrap();
    let connects =
        || lab.host.run(|| Ok(TcpStream::connect_timeout(&at(outside, 4444), PATIENCE).is_ok())).unwrap();
    assert!(connects(), "without rules it can ask: else this test proves nothing");

    lab.host.run(|| make_reply_only(&[])).unwrap();
    lab.host.run(|| make_reply_only(&[])).unwrap();
    assert!(!connects());
    let udp = || lab.host.run(|| Ok(UdpSocket::bind("0.0.0.0:0").unwrap())).unwrap();
    assert_eq!(udp().send_to(b"x", at(outside, 53)).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(udp().send_to(b"x", at(RESOLVER, 53)).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(udp().send_to(b"x", at(RESOLVER, 9)).unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert!(udp().send_to(b"x", at(GROUP, 5353)).is_err());
    assert!(udp().send_to(b"x", at(Ipv4Addr::LOCALHOST, 9)).is_ok(), "the loopback is open");

    // Conversations that the other side begins.
    let listener = lab.host.run(|| Ok(TcpListener::bind(at(inside, 80)).unwrap())).unwrap();
    let answering = lab.host.run(|| Ok(UdpSocket::bind(at(inside, 161)).unwrap())).unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"hello").unwrap();
        drop(stream);
        let mut buffer = [0; 16];
        let (_, from) = answering.recv_from(&mut buffer).unwrap();
        answering.send_to(b"pong", from).unwrap();
    });
    lab.attacker
        .run(|| {
            let mut text = String::new();
            let mut stream = TcpStream::connect_timeout(&at(inside, 80), PATIENCE).unwrap();
            stream.read_to_string(&mut text).unwrap();
            assert_eq!(text, "hello");
            let socket = UdpSocket::bind(at(outside, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.send_to(b"ping", at(inside, 161)).unwrap();
            let mut buffer = [0; 16];
            assert_eq!(socket.recv(&mut buffer).unwrap(), 4);
            // Closed ports are closed, not silent.
            let refused = TcpStream::connect_timeout(&at(inside, 81), PATIENCE).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            let socket = UdpSocket::bind(at(outside, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket.connect(at(inside, 162)).unwrap();
            socket.send(b"x").unwrap();
            assert_eq!(socket.recv(&mut buffer).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            Ok(())
        })
        .unwrap();
    server.join().unwrap();

    let counted = lab.host.run(attempts).unwrap();
    assert!(counted[&Attempt::Tcp] >= 1, "{counted:?}");
    assert_eq!(counted[&Attempt::Udp], 2, "{counted:?}");
    assert_eq!(counted[&Attempt::Resolver], 1, "{counted:?}");

    lab.host.run(|| make_reply_only(&[(GROUP, 5353)])).unwrap();
    assert!(udp().send_to(b"x", at(GROUP, 5353)).is_ok(), "what it must say first");
    assert!(udp().send_to(b"x", at(GROUP, 5354)).is_err());
    assert_eq!(lab.host.run(attempts).unwrap()[&Attempt::Tcp], 0, "counts begin anew");
}

#[test]
fn a_namespace_without_rules_has_no_counts() {
    let Some(lab) = lab() else { return };
    assert!(lab.host.run(attempts).is_err());
}

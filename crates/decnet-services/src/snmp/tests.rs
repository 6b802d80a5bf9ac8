//! The agent as a whole: what is answered, what is told, what is bounded.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use decnet_core::identity::OsFamily;
use decnet_core::service::Port;
use decnet_logging::event::{Body, Direction, Outcome};
use decnet_logging::sink::MemorySink;
use proptest::prelude::*;

use super::agent::{Agent, Asker, MAX_WRITTEN, Written, status};
use super::codec::{Binding, Message, Pdu, PduKind, Version};
use super::journal::{Journal, MAX_CONVERSATIONS};
use super::mib::live::Moment;
use super::mib::{Tree, build};
use super::persona::Persona;
use super::stats::Stats;
use super::value::Value;
use crate::asn1::{LengthForm, Oid};
use crate::datagram::{Exchange, ReplyBudget, ReplyTo};
use crate::host::Host;
use crate::server::Server;
use crate::session::Session;
use crate::testing::{NOW, decky, host, identity, server, session};

#[derive(Default)]
struct Replies(Mutex<Vec<Vec<u8>>>);

impl ReplyTo for Replies {
    fn reply(&self, bytes: &[u8], _: SocketAddr) -> io::Result<()> {
        self.0.lock().unwrap().push(bytes.to_vec());
        Ok(())
    }
}

struct Unlimited;

impl ReplyBudget for Unlimited {
    fn grant(&self, _: usize, _: usize, _: SocketAddr) -> bool {
        true
    }
}

fn linux(values: &[(&str, &str)]) -> Arc<Host> {
    let products = [("snmp", "net-snmp", "5.9.3", "")];
    host(decky(identity(OsFamily::Linux, 1, &products), 1, &[("snmp", values)]))
}

/// A conversation with an agent.
struct Talk {
    server: Box<dyn Server>,
    session: Session,
    sink: Arc<MemorySink>,
    replies: Arc<Replies>,
}

impl Talk {
    fn with(host: &Arc<Host>) -> Talk {
        let sink = Arc::new(MemorySink::new());
        let session = session(host, &sink, Port::udp(161));
        Talk { server: server(host, "snmp"), session, sink, replies: Arc::default() }
    }

    async fn send(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let exchange = Exchange::new(
            bytes.to_vec(),
            Port::udp(161),
            self.session.clone(),
            Arc::clone(&self.replies) as Arc<dyn ReplyTo>,
            Arc::new(Unlimited),
        );
        self.server.datagram(exchange).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.replies.0.lock().unwrap().pop()
    }

    async fn ask(&self, community: &str, kind: PduKind, names: &[&str]) -> Option<Pdu> {
        let bindings =
            names.iter().map(|name| Binding { name: name.parse().unwrap(), value: Value::Null }).collect();
        self.request(community, pdu(kind, 0, 0, bindings)).await
    }

    async fn request(&self, community: &str, pdu: Pdu) -> Option<Pdu> {
        let community = community.as_bytes().to_vec();
        let bytes = Message::Community { version: Version::V2c, community, pdu }.encode(LengthForm::Shortest);
        match Message::parse(&self.send(&bytes).await?).unwrap() {
            Message::Community { pdu, .. } => Some(pdu),
            Message::V3(_) => panic!("v3"),
        }
    }

    fn bodies(&self) -> Vec<Body> {
        self.sink.reports().into_iter().map(|report| report.body).collect()
    }
}

fn pdu(kind: PduKind, error_status: i32, error_index: i32, bindings: Vec<Binding>) -> Pdu {
    Pdu { kind, request_id: 7, error_status, error_index, bindings }
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_told_once_in_a_conversation_and_each_wrong_one() {
    let talk = Talk::with(&linux(&[]));
    for _ in 0..3 {
        assert!(talk.ask("public", PduKind::Get, &["1.3.6.1.2.1.1.1.0"]).await.is_some());
    }
    for community in ["private", "cisco"] {
        assert_eq!(talk.ask(community, PduKind::Get, &["1.3.6.1.2.1.1.1.0"]).await, None);
    }
    let attempts: Vec<(String, Outcome)> = talk
        .bodies()
        .into_iter()
        .filter_map(|body| match body {
            Body::AuthAttempt { credential, outcome } => Some((credential.password.unwrap(), outcome)),
            _ => None,
        })
        .collect();
    let expected = [("public", Outcome::Accepted), ("private", Outcome::Failed), ("cisco", Outcome::Failed)];
    assert_eq!(attempts, expected.map(|(name, outcome)| (name.to_owned(), outcome)));
    let requests = talk.bodies().iter().filter(|body| matches!(body, Body::Request { .. })).count();
    assert_eq!(requests, 3, "single requests are told each");
}

#[tokio::test(start_paused = true)]
async fn a_short_run_is_told_request_by_request_and_a_long_one_as_a_walk() {
    let talk = Talk::with(&linux(&[]));
    let mut at: Oid = "1.3.6.1.2.1.1".parse().unwrap();
    for _ in 0..5 {
        at = talk.ask("public", PduKind::GetNext, &[&at.to_string()]).await.unwrap().bindings[0].name.clone();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let requests = talk.bodies().iter().filter(|body| matches!(body, Body::Request { .. })).count();
    assert_eq!(requests, 5);
    for _ in 0..40 {
        let asked = pdu(PduKind::GetBulk, 0, 10, vec![Binding { name: at, value: Value::Null }]);
        at = talk.request("public", asked).await.unwrap().bindings.last().unwrap().name.clone();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let bodies = talk.bodies();
    let walks: Vec<&Body> = bodies.iter().filter(|body| matches!(body, Body::Query { .. })).collect();
    assert!(matches!(walks.as_slice(), [Body::Query { rows: 400, .. }]), "{walks:?}");
    assert_eq!(bodies.iter().filter(|body| matches!(body, Body::Request { .. })).count(), 6);
}

#[tokio::test(start_paused = true)]
async fn malformed_bytes_are_met_with_silence_and_kept() {
    let talk = Talk::with(&linux(&[]));
    for (bytes, kind) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "wrong_protocol"),
        (b"\x30\x03\x02\x01\x09", "malformed"),
        (b"\x30\x82\xff\xff", "malformed"),
        (b"", "empty"),
    ] {
        assert_eq!(talk.send(bytes).await, None);
        let report = talk.sink.reports().pop().unwrap();
        assert_eq!(report.body, Body::ScanProbe { kind: kind.to_owned() });
        assert_eq!(report.raw.unwrap().0, bytes);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cisco_copy_is_stored_and_told_as_a_fetch() {
    let products = [("snmp", "cisco-ios", "15.2(4)M7", "")];
    let values = [("snmp_community", "rw:private")];
    let host = host(decky(identity(OsFamily::Cisco, 1, &products), 1, &[("snmp", &values)]));
    let talk = Talk::with(&host);
    let cell = |column: u32| Oid::new(&[1, 3, 6, 1, 4, 1, 9, 9, 96, 1, 1, 1, 1, column, 336]);
    let rows = vec![
        Binding { name: cell(2), value: Value::Integer(1) },
        Binding { name: cell(3), value: Value::Integer(4) },
        Binding { name: cell(4), value: Value::Integer(1) },
        Binding { name: cell(5), value: Value::IpAddress(vec![198, 51, 100, 7]) },
        Binding { name: cell(6), value: Value::text("running.cfg") },
        Binding { name: cell(14), value: Value::Integer(1) },
    ];
    let answer = talk.request("private", pdu(PduKind::Set, 0, 0, rows)).await.unwrap();
    assert_eq!(answer.error_status, status::NO_ERROR);
    let read = talk.ask("private", PduKind::Get, &[&cell(6).to_string()]).await.unwrap();
    assert_eq!(read.bindings[0].value, Value::text("running.cfg"));
    assert!(talk.bodies().iter().any(|body| matches!(body,
        Body::FileDownload { url: Some(url), direction: Direction::Requested, .. }
            if url == "tftp://198.51.100.7/running.cfg")));
    // A walk finds what was created.
    let next = talk.ask("private", PduKind::GetNext, &[&cell(5).to_string()]).await.unwrap();
    assert_eq!(next.bindings[0].name, cell(6));
}

#[tokio::test(start_paused = true)]
async fn uptime_is_that_of_the_host_and_moves() {
    let host = linux(&[]);
    let talk = Talk::with(&host);
    let answer = talk
        .ask("public", PduKind::Get, &["1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.25.1.1.0", "1.3.6.1.6.3.10.2.1.3.0"])
        .await
        .unwrap();
    let [Value::TimeTicks(agent), Value::TimeTicks(system), Value::Integer(engine)] =
        answer.bindings.iter().map(|found| found.value.clone()).collect::<Vec<_>>()[..]
    else {
        panic!("{answer:?}");
    };
    assert_eq!(i64::from(system), host.uptime() * 100);
    assert!((500..3_000).contains(&(system - agent)), "snmpd is started some seconds after the kernel");
    assert_eq!(i64::from(engine), i64::from(agent / 100));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_remembered_when_nobody_talks() {
    let host = linux(&[]);
    let talk = Talk::with(&host);
    talk.ask("public", PduKind::Get, &["1.3.6.1.2.1.1.3.0"]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(90)).await;
    // The tidying task has ended, and a new request starts another.
    assert!(talk.ask("public", PduKind::Get, &["1.3.6.1.2.1.1.3.0"]).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn conversations_are_bounded() {
    let host = linux(&[]);
    let sink = Arc::new(MemorySink::new());
    let mut journal = Journal::default();
    for _ in 0..MAX_CONVERSATIONS * 2 {
        let session = session(&host, &sink, Port::udp(161));
        assert!(journal.first_time(&session, b"public"));
        assert!(!journal.first_time(&session, b"public"));
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    assert_eq!(journal.len(), MAX_CONVERSATIONS);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(!journal.settle());
}

fn moment() -> Moment {
    Moment {
        now: NOW * 1_000_000,
        uptime: 90_000_000_000,
        agent_uptime: 90_000_000_000,
        utc_offset: 0,
        boots: 1,
        stats: Stats::default(),
    }
}

fn tree(family: OsFamily) -> Tree {
    let who = identity(family, 2, &[]);
    let decky = decky(who, 2, &[("snmp", &[])]);
    build(&decky, &Persona::new(&decky, &Default::default()).unwrap())
}

#[test]
fn what_managers_write_is_bounded() {
    let tree = tree(OsFamily::Cisco);
    let (mut written, moment) = (Written::new(), moment());
    let mut agent =
        Agent { tree: &tree, written: &mut written, moment: &moment, form: LengthForm::Shortest, room: 1400 };
    let asker = Asker { v1: false, write: true };
    let mut last = 0;
    for number in 0..MAX_WRITTEN as u32 * 2 {
        let name = Oid::new(&[1, 3, 6, 1, 4, 1, 9, 9, 96, 1, 1, 1, 1, 2, number]);
        let set = pdu(PduKind::Set, 0, 0, vec![Binding { name, value: Value::Integer(1) }]);
        last = agent.answer(asker, &set).unwrap().pdu.error_status;
    }
    assert_eq!(last, status::RESOURCE_UNAVAILABLE);
    let name = Oid::new(&[1, 3, 6, 1, 4, 1, 9, 9, 96, 1, 1, 1, 1, 2, 0]);
    let set = pdu(PduKind::Set, 0, 0, vec![Binding { name, value: Value::bytes(vec![0; 60_000]) }]);
    assert_eq!(agent.answer(asker, &set).unwrap().pdu.error_status, status::WRONG_LENGTH);
    assert_eq!(written.len(), MAX_WRITTEN);
}

#[test]
fn too_much_at_once_is_too_big_in_the_words_of_each_version() {
    let tree = tree(OsFamily::Linux);
    let (mut written, moment) = (Written::new(), moment());
    let mut agent =
        Agent { tree: &tree, written: &mut written, moment: &moment, form: LengthForm::Shortest, room: 300 };
    let name: Oid = "1.3.6.1.2.1.1.1.0".parse().unwrap();
    let asked = pdu(PduKind::Get, 0, 0, vec![Binding { name, value: Value::Null }; 10]);
    let v1 = agent.answer(Asker { v1: true, write: false }, &asked).unwrap().pdu;
    assert_eq!((v1.error_status, v1.error_index, v1.bindings.len()), (status::TOO_BIG, 0, 10));
    let v2 = agent.answer(Asker { v1: false, write: false }, &asked).unwrap().pdu;
    assert_eq!((v2.error_status, v2.error_index, v2.bindings.len()), (status::TOO_BIG, 0, 0));
    // GETBULK leaves out what does not fit and is no error.
    let bulk = pdu(PduKind::GetBulk, 1, i32::MAX, asked.bindings[..2].to_vec());
    let answer = agent.answer(Asker { v1: false, write: false }, &bulk).unwrap().pdu;
    let length: usize = answer.bindings.iter().map(|found| found.encoded_length(LengthForm::Shortest)).sum();
    assert!(answer.error_status == 0 && length <= 300 && answer.bindings.len() > 3, "{length}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_datagram_is_survived_and_no_reply_is_larger_than_a_frame(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        kind in 0u32..9,
        names in proptest::collection::vec(proptest::collection::vec(0u32..30, 0..12), 0..40),
        first in any::<i32>(),
        second in any::<i32>(),
        write in any::<bool>(),
        v1 in any::<bool>(),
    ) {
        let host = linux(&[("snmp_community", "public,rw:secret")]);
        runtime().block_on(async {
            let talk = Talk::with(&host);
            let _ = talk.send(&bytes).await;
            let bindings: Vec<Binding> = names
                .iter()
                .map(|rest| Binding {
                    name: Oid::new(&[&[1, 3, 6, 1][..], rest].concat()),
                    value: Value::bytes(bytes.clone()),
                })
                .collect();
            let kind = [
                PduKind::Get, PduKind::GetNext, PduKind::Response, PduKind::Set, PduKind::TrapV1,
                PduKind::GetBulk, PduKind::Inform, PduKind::TrapV2, PduKind::Report,
            ][kind as usize];
            let message = Message::Community {
                version: if v1 { Version::V1 } else { Version::V2c },
                community: if write { b"secret".to_vec() } else { b"public".to_vec() },
                pdu: pdu(kind, first, second, bindings),
            };
            let sent = message.encode(LengthForm::Shortest);
            if let Some(reply) = talk.send(&sent).await {
                // An error sends back what was asked, which may be larger than a frame by itself.
                prop_assert!(reply.len() <= 1472 || reply.len() <= sent.len() + 16, "{} bytes", reply.len());
                prop_assert!(Message::parse(&reply).is_ok());
            }
            Ok(())
        })?;
    }
}

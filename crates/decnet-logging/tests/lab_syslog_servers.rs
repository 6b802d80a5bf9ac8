//! The ways out against the servers that people run: rsyslog and syslog-ng, from Debian, by UDP, TCP and
//! TLS. They must read every field of every event back as it was, whatever the intruder put into it.
//!
//! syslog-ng cannot be installed beside rsyslog; it is looked for on the PATH, and unpacked under
//! `target/syslog-ng` (`.ci/run` does that). What cannot be tested here is said; under
//! `DECNET_TEST_REQUIRE=all` that is a failure.
#![allow(clippy::disallowed_methods, reason = "the tests start the servers")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use decnet_core::plan::LogTarget;
use decnet_logging::event;
use decnet_logging::event::{Credential, Event, RAW_LIMIT};
use decnet_logging::sinks::{Delivery, DeliveryConfig, open};
use decnet_logging::syslog;
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

#[allow(dead_code, reason = "the unit tests use the rest")]
#[path = "../src/samples.rs"]
mod samples;

use samples::{every_kind, sample};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Ports of one server.
struct Ports {
    udp: u16,
    tcp: u16,
    lines: u16,
    tls: u16,
}

/// A server with its files, ended with the test.
struct Server {
    dir: tempfile::TempDir,
    ports: Ports,
    kind: Kind,
    child: Child,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Rsyslog,
    SyslogNg,
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// An authority, and a certificate of it for `localhost`, used by both sides.
fn certificates(dir: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, "test authority");
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2120, 1, 1);
    let cert = params.signed_by(&key, &ca).unwrap();
    fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    fs::write(dir.join("cert.pem"), cert.pem()).unwrap();
    fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}

/// Where syslog-ng was unpacked.
fn unpacked() -> PathBuf {
    // The folder of the target triple may stand between.
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut folders = tmp.ancestors().skip(1).take(2).map(|folder| folder.join("syslog-ng"));
    folders.find(|folder| folder.exists()).unwrap_or_default()
}

/// The program of a server, and what it needs to run.
fn program(kind: Kind) -> Option<Command> {
    let here = |path: &str| Path::new(path).exists().then(|| Command::new(path));
    let found = match kind {
        Kind::Rsyslog => {
            let driver = fs::read_dir("/usr/lib").ok()?.filter_map(Result::ok);
            let tls = driver.map(|entry| entry.path()).any(|dir| dir.join("rsyslog/lmnsd_gtls.so").exists());
            here("/usr/sbin/rsyslogd").filter(|_| tls)
        }
        Kind::SyslogNg => {
            let root = unpacked();
            let own = root.join("usr/sbin/syslog-ng");
            if own.exists() {
                let libraries = root.join("usr/lib/syslog-ng");
                let modules = fs::read_dir(&libraries).ok()?.filter_map(Result::ok).map(|entry| entry.path());
                let modules = modules.filter(|path| path.is_dir()).max()?;
                let mut command = Command::new(own);
                command.env("LD_LIBRARY_PATH", libraries).arg("--module-path").arg(modules);
                Some(command)
            } else {
                here("/usr/sbin/syslog-ng")
            }
        }
    };
    if found.is_none() {
        let missing = match kind {
            Kind::Rsyslog => "rsyslogd with TLS (Debian packages rsyslog, rsyslog-gnutls)",
            Kind::SyslogNg => "syslog-ng (Debian package syslog-ng-core, unpacked as .ci/run does)",
        };
        let required = std::env::var("DECNET_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "this machine lacks {missing}");
        // Past the capture of passed tests: a skip is seen.
        let _ = writeln!(std::io::stderr(), "skipped: this machine lacks {missing}");
    }
    found
}

fn rsyslog_config(dir: &Path, ports: &Ports) -> String {
    let Ports { udp, tcp, tls, .. } = ports;
    let dir = dir.display();
    format!(
        r#"global(workDirectory="{dir}" maxMessageSize="256k" defaultNetstreamDriverCAFile="{dir}/ca.pem"
 defaultNetstreamDriverCertFile="{dir}/cert.pem" defaultNetstreamDriverKeyFile="{dir}/key.pem")
module(load="imudp")
module(load="imtcp" maxFrameSize="262144")
module(load="mmpstrucdata")
template(name="parsed" type="list" option.jsonf="on") {{
 property(outname="pri" name="pri" format="jsonf")
 property(outname="ts" name="timereported" dateFormat="rfc3339" format="jsonf")
 property(outname="host" name="hostname" format="jsonf")
 property(outname="app" name="app-name" format="jsonf")
 property(outname="id" name="msgid" format="jsonf")
 property(outname="msg" name="msg" format="jsonf")
 property(outname="raw" name="rawmsg" format="jsonf")
 property(outname="params" name="$!rfc5424-sd" format="jsonf")
}}
ruleset(name="all") {{
 action(type="mmpstrucdata" sd_name.lowercase="off")
 action(type="omfile" file="{dir}/out" template="parsed" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imudp" address="127.0.0.1" port="{udp}" ruleset="all" rcvbufSize="4m")
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="all")
input(type="imtcp" address="127.0.0.1" port="{tls}" ruleset="all" streamDriver.name="gtls" streamDriver.mode="1"
 streamDriver.authMode="x509/certvalid")
"#
    )
}

fn syslog_ng_config(dir: &Path, ports: &Ports) -> String {
    let Ports { udp, tcp, lines, tls } = ports;
    let dir = dir.display();
    format!(
        r#"@version: 3.38
options {{ log-msg-size(262144); keep-hostname(yes); keep-timestamp(yes); use-dns(no); dns-cache(no);
 stats-freq(0); frac-digits(6); }};
source all {{
 syslog(ip("127.0.0.1") port({udp}) transport("udp") so-rcvbuf(4194304));
 syslog(ip("127.0.0.1") port({tcp}) transport("tcp"));
 network(ip("127.0.0.1") port({lines}) transport("tcp") flags(syslog-protocol));
 syslog(ip("127.0.0.1") port({tls}) transport("tls") tls(key-file("{dir}/key.pem") cert-file("{dir}/cert.pem")
  ca-file("{dir}/ca.pem") peer-verify(required-trusted)));
}};
destination parsed {{ file("{dir}/out" template("$(format-json --pair pri=\"$PRI\" --pair ts=\"$S_ISODATE\" --pair host=\"$HOST\" --pair app=\"$PROGRAM\" --pair id=\"$MSGID\" --pair msg=\"$MSG\" --key .SDATA.*)\n")); }};
log {{ source(all); destination(parsed); }};
"#
    )
}

impl Server {
    fn start(kind: Kind) -> Option<Server> {
        let command = program(kind)?;
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
        let ports = Ports { udp: free_port(), tcp: free_port(), lines: free_port(), tls: free_port() };
        let child = Self::spawn(kind, command, dir.path(), &ports);
        Some(Server { dir, ports, kind, child })
    }

    fn spawn(kind: Kind, mut command: Command, dir: &Path, ports: &Ports) -> Child {
        let config = dir.join("conf");
        let log = File::create(dir.join("log")).unwrap();
        match kind {
            Kind::Rsyslog => {
                fs::write(&config, rsyslog_config(dir, ports)).unwrap();
                command.arg("-n").arg("-f").arg(&config).arg("-i").arg(dir.join("pid"));
            }
            Kind::SyslogNg => {
                fs::write(&config, syslog_ng_config(dir, ports)).unwrap();
                let files = [("-f", "conf"), ("-R", "persist"), ("-p", "pid"), ("-c", "control")];
                command.args(["-F", "--no-caps"]);
                for (flag, name) in files {
                    command.arg(flag).arg(dir.join(name));
                }
            }
        }
        let mut child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let until = Instant::now() + LONG;
        for port in [ports.tcp, ports.tls] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                let said = fs::read_to_string(dir.join("log")).unwrap();
                assert!(child.try_wait().unwrap().is_none() && Instant::now() < until, "{said}");
                thread::sleep(Duration::from_millis(50));
            }
        }
        child
    }

    /// Ends it as an operator would; it writes what it has.
    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        let command = program(self.kind).unwrap();
        self.child = Self::spawn(self.kind, command, self.dir.path(), &self.ports);
    }

    fn targets(&self) -> Vec<String> {
        let Ports { udp, tcp, lines, tls } = self.ports;
        let dir = self.dir.path().display();
        let lines = if self.kind == Kind::SyslogNg { lines } else { tcp };
        vec![
            format!("udp://127.0.0.1:{udp}?size=65507"),
            format!("tcp://127.0.0.1:{tcp}?size=256k"),
            format!("tcp://127.0.0.1:{lines}?size=256k&framing=lf"),
            // What rsyslog's own parser holds; nothing is left to its raw message then.
            format!("tcp://127.0.0.1:{tcp}?size=32k"),
            format!("tls://localhost:{tls}?size=256k&ca={dir}/ca.pem&cert={dir}/cert.pem&key={dir}/key.pem"),
        ]
    }

    /// What it has written so far, by sequence number: the event made again of what it parsed, and MSG.
    fn parsed(&self) -> BTreeMap<u64, (Event, String)> {
        let text = fs::read_to_string(self.dir.path().join("out")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| {
                let parsed: Value =
                    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let (event, message) = again(&parsed);
                (event.seq, (event, message))
            })
            .collect()
    }

    /// Waits until it has written that many events.
    fn wait_for(&self, count: usize) -> BTreeMap<u64, (Event, String)> {
        let until = Instant::now() + LONG;
        loop {
            let parsed = self.parsed();
            if parsed.len() >= count {
                return parsed;
            }
            let said = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "{} of {count}: {said}", parsed.len());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// rsyslog 8.2302 takes every message whole, but of structured data with a value of 32 KiB its mmpstrucdata
/// makes no parameters, and of 64 KiB and more its `structured-data` keeps the length modulo 65,536.
const RSYSLOG_VALUE: usize = 32 * 1024;

/// How many bytes of a value syslog-ng keeps.
const SYSLOG_NG_VALUE: usize = 65_535;

/// The event that a server's own parse of a line makes, and MSG. The parameters are written again with the
/// escapes of the RFC: only what the server itself took for a value is read.
fn again(parsed: &Value) -> (Event, String) {
    let text = |name: &str| parsed[name].as_str().unwrap_or_else(|| panic!("{name}: {parsed}")).to_owned();
    let header =
        format!("<{}>1 {} {} {} - {}", text("pri"), text("ts"), text("host"), text("app"), text("id"));
    let elements = match &parsed["params"] {
        Value::String(empty) if empty.is_empty() => {
            let raw = text("raw");
            assert!(raw.len() > RSYSLOG_VALUE, "not parsed: {parsed}");
            return (syslog::parse(&raw).unwrap(), text("msg"));
        }
        // rsyslog gives the object as text.
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {parsed}")),
        _ => parsed["_SDATA"].clone(),
    };
    let params = elements[syslog::SD_ID].as_object().unwrap_or_else(|| panic!("{parsed}"));
    let mut line = format!("{header} [{}", syslog::SD_ID);
    for (name, value) in params {
        let mut value = value.as_str().unwrap();
        if value.len() >= SYSLOG_NG_VALUE {
            assert!(
                parsed["_SDATA"].is_object() && value.len() == SYSLOG_NG_VALUE,
                "{name}: {}",
                value.len()
            );
            // What is left of it is read as far as it goes: whole groups of base64, whole escapes.
            value = &value[..value.len() / 4 * 4];
            while value.ends_with('\\') {
                value = &value[..value.len() - 4];
            }
        }
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
        write!(line, " {name}=\"{value}\"").unwrap();
    }
    line.push(']');
    (syslog::parse(&line).unwrap_or_else(|error| panic!("{error}: {line}")), text("msg"))
}

/// The event with the values cut that syslog-ng cuts.
fn as_kept(event: &Event, kind: Kind) -> Event {
    let mut event = event.clone();
    if kind == Kind::SyslogNg {
        if let Some(raw) = &mut event.report.raw {
            raw.0.truncate(SYSLOG_NG_VALUE / 4 * 3);
        }
        if let event::Body::Command { line, .. } = &mut event.report.body {
            let whole = line.chars().all(|c| c == 'x');
            if whole {
                line.truncate(SYSLOG_NG_VALUE / 4 * 4);
            }
        }
    }
    event
}

/// Events of every kind, and what an intruder would send to break a log.
fn hostile() -> Vec<Event> {
    let mut all = every_kind();
    let command =
        |line: String| sample(json!({"event": "command", "command": "x", "line": line, "outcome": "failed"}));
    for text in [
        "a\n<134>1 2026-11-18T11:06:40Z forged ssh - auth.attempt - forged\n",
        "\"]] [evil@1 x=\"y\"] \\\" \\\\ \\] \\n \\",
        "nul\u{0}nul \u{1b}[31m \u{7f}\u{85}\u{2028}\u{202e}",
        "Ünïcödé 漢字 🦀 \u{feff}bom",
        "%s%n %HOST% ${MSG} $(format-json) #012 #000 '\\''; rm",
        "{\"json\": [1, \"2\"]}",
        "   leading and trailing   ",
        "-",
        "",
        "17 not a frame",
    ] {
        all.push(command(text.to_owned()));
    }
    let credential = Credential::password("plain", b"\xff\xfe\x00root", b"\xc3\x28\r\n\x00]\"\\");
    let mut invalid = sample(json!({"event": "scan.probe", "kind": "malformed"}));
    invalid.report.body = event::Body::AuthAttempt { credential, outcome: event::Outcome::Failed };
    invalid.severity = invalid.report.body.severity();
    all.push(invalid);
    let bytes: Vec<u8> = (0..RAW_LIMIT).map(|index| (index * 7) as u8).collect();
    let mut raw = sample(json!({"event": "scan.probe", "kind": "malformed"}));
    raw.report = raw.report.with_raw(&bytes);
    all.push(raw);
    all.push(command("x".repeat(64 * 1024)));
    all.push(command("\n]\"\\".repeat(8 * 1024)));
    for (seq, event) in (1..).zip(&mut all) {
        event.seq = seq;
    }
    all
}

fn delivery(target: &str) -> Box<dyn Delivery> {
    let target: LogTarget = target.parse().unwrap();
    open(&DeliveryConfig::Target { target }, Arc::new(|notice| panic!("{notice}"))).unwrap()
}

/// What the thread that drives a delivery does, until all is settled.
fn drive(delivery: &mut dyn Delivery, events: &[Event], mut midway: impl FnMut(usize)) {
    let until = Instant::now() + LONG;
    let last = events[events.len() - 1].seq;
    let mut next = 0;
    let mut said = String::new();
    while delivery.settled().is_none_or(|settled| settled < last) {
        assert!(Instant::now() < until, "settled {:?} of {last}; {said}", delivery.settled());
        match delivery.deliver(&events[next..(next + 200).min(events.len())], Duration::from_millis(200)) {
            Ok(count) => {
                next += count;
                midway(next);
            }
            Err(error) => {
                said = error.to_string();
                next = delivery.settled().map_or(0, |settled| (settled + 1 - events[0].seq) as usize);
                thread::sleep(Duration::from_millis(50));
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Every field of every event, by every transport.
fn everything_is_read_back(kind: Kind) {
    let Some(mut server) = Server::start(kind) else { return };
    let all = hostile();
    for target in server.targets() {
        let _ = fs::remove_file(server.dir.path().join("out"));
        let mut delivery = delivery(&target);
        let stream = !target.starts_with("udp");
        drive(&mut *delivery, &all, |_| {});
        let parsed = server.wait_for(all.len());
        assert_eq!(parsed.len(), all.len(), "{target}");
        let limit = target.parse::<LogTarget>().unwrap().size();
        for event in &all {
            let line = syslog::encode_within(event, limit);
            let sent = syslog::parse(&line).unwrap();
            assert!(!stream || limit < 256 * 1024 || sent == *event, "{target}: nothing is cut");
            let (received, message) = &parsed[&event.seq];
            assert_eq!(*received, as_kept(&sent, kind), "{target}");
            assert!(line.ends_with(message.trim()) && !message.trim().is_empty(), "{target}: {message}");
        }
        drop(delivery);
        // The file is removed under it; it makes a new one only when it opens it again.
        server.stop();
        server.start_again();
    }
}

/// The server goes in the middle and comes back; no number is missing.
fn a_restart_loses_nothing(kind: Kind) {
    let Some(mut server) = Server::start(kind) else { return };
    let made = |seq| sample(json!({"event": "scan.probe", "kind": "empty", "seq": seq}));
    let mut first = 1;
    for target in server.targets().into_iter().filter(|target| !target.starts_with("udp")) {
        let all: Vec<Event> = (first..first + 4000).map(made).collect();
        first += 4000;
        let mut delivery = delivery(&target);
        let mut stopped = false;
        drive(&mut *delivery, &all, |done| {
            if done > 1500 && !stopped {
                stopped = true;
                server.stop();
                server.start_again();
            }
        });
        assert!(stopped);
        drop(delivery);
        let parsed = server.wait_for(first as usize - 1);
        assert_eq!(parsed.len() as u64, first - 1, "{target}");
    }
}

/// Ports are free for UDP where they are for TCP, or the test would wait for nothing.
#[test]
fn the_ports_of_the_test_are_free_for_udp_too() {
    let port = free_port();
    assert!(UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
}

#[test]
fn rsyslog_reads_everything_back() {
    everything_is_read_back(Kind::Rsyslog);
}

#[test]
fn syslog_ng_reads_everything_back() {
    everything_is_read_back(Kind::SyslogNg);
}

#[test]
fn a_restart_of_rsyslog_loses_nothing() {
    a_restart_loses_nothing(Kind::Rsyslog);
}

#[test]
fn a_restart_of_syslog_ng_loses_nothing() {
    a_restart_loses_nothing(Kind::SyslogNg);
}

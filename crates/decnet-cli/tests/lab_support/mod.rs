//! What every lab test needs: a LAN in a box, the real program on its host's side, real tools on the
//! attacker's side, and the plan, the status and the events to judge them by.
//!
//! Needs root, or `unshare -rn` where /dev/net/tun may be opened. What cannot be tested here is said; under
//! `DECNET_TEST_REQUIRE=all` that is a failure.
#![allow(dead_code, reason = "every test binary has its own copy, and uses its own part of it")]
#![allow(clippy::disallowed_methods, reason = "the tests start the program and the attackers' tools")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(unreachable_pub, reason = "a shared module, written as one")]

pub mod nmap;
pub mod personas;
pub mod processes;

use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use decnet_core::Plan;
use decnet_core::plan::Decky;
use decnet_engine::{Converged, FleetStatus};
use decnet_logging::event::{Body, Event};
use decnet_net::NetError;
use decnet_net::lab::{ATTACKER_INTERFACE, HOST_INTERFACE, Lab, Layout};
use decnet_net::probe::{ArpProber, Prober};
use serde::Deserialize;

/// The program under test.
pub const DECNET: &str = env!("CARGO_BIN_EXE_decnet");
/// The MAC address of the attacker's NIC in every box.
pub const ATTACKER_MAC: &str = "00:1b:21:5e:10:02";
/// Seconds that one command of ours may take.
const OURS: u64 = 60;
/// Seconds that one command of the attacker may take, unless the test says otherwise.
const THEIRS: u64 = 120;
/// How long an event may be under way, the second for which the wire gathers included.
const UNDER_WAY: Duration = Duration::from_secs(15);

/// A LAN in a box with a fleet's host and an attacker. What was deployed goes with it, also when the test
/// is killed.
pub struct TestLab {
    lab: Lab,
    directory: tempfile::TempDir,
    guard: Guard,
}

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// What `decnet deploy --output json` prints.
#[derive(Debug, Deserialize)]
pub struct Deployed {
    pub plan: Plan,
    pub changes: Converged,
}

/// What `decnet status --output json` prints.
#[derive(Debug, Deserialize)]
pub struct Status {
    pub deployed: bool,
    #[serde(flatten)]
    pub fleet: Option<FleetStatus>,
}

impl TestLab {
    /// Builds it; `None`, after saying why, where this machine lacks the rights or one of the tools.
    pub fn build(tools: &[(&str, &str)]) -> Option<TestLab> {
        let missing: Vec<String> = tools
            .iter()
            .filter(|(tool, _)| !is_installed(tool))
            .map(|(tool, package)| format!("{tool} (Debian package {package})"))
            .collect();
        if !missing.is_empty() {
            skipped(&format!("{} not found; install it", missing.join(", ")));
            return None;
        }
        let lab = match Lab::build(Layout::default()) {
            Ok(lab) => lab,
            Err(error) => {
                skipped(&format!(
                    "{error}; run as root, or in `unshare -rn` where /dev/net/tun may be opened"
                ));
                return None;
            }
        };
        let directory = tempfile::tempdir().unwrap();
        let guard = Guard::over(&directory.path().join("state"));
        Some(TestLab { lab, directory, guard })
    }

    /// The attacker's address.
    pub fn attacker(&self) -> Ipv4Addr {
        self.lab.layout.attacker
    }

    /// The address of the fleet's host.
    pub fn host(&self) -> Ipv4Addr {
        self.lab.layout.host
    }

    /// The state directory.
    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    /// Writes a file for the test, and says where it is.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs `decnet --state-dir … --output json ARGUMENTS` on the fleet's host.
    pub fn decnet(&self, arguments: &[&str]) -> Said {
        let state = self.state();
        let mut all = vec!["--state-dir", state.to_str().unwrap(), "--output", "json"];
        all.extend(arguments);
        self.lab.host.run(|| Ok::<_, NetError>(run(DECNET, &all, OURS))).unwrap()
    }

    /// Deploys on the box's NIC.
    pub fn deploy(&self, arguments: &[&str]) -> Deployed {
        self.try_deploy(arguments).json()
    }

    /// Deploys on the box's NIC, whatever comes of it.
    pub fn try_deploy(&self, arguments: &[&str]) -> Said {
        let mut all = vec!["deploy", "--interface", HOST_INTERFACE, "--engine", "native"];
        all.extend(arguments);
        self.decnet(&all)
    }

    /// Deploys a config.
    pub fn deploy_config(&self, config: &str) -> Deployed {
        let path = self.file("fleet.ini", config);
        self.decnet(&["deploy", "--config", path.to_str().unwrap()]).json()
    }

    /// What really runs.
    pub fn status(&self) -> Status {
        let said = self.decnet(&["status"]);
        assert!(matches!(said.status.code(), Some(0 | 3)), "{said:?}");
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// The fleet's status, once it satisfies `wanted`.
    pub fn status_when(&self, what: &str, wanted: impl Fn(&FleetStatus) -> bool) -> FleetStatus {
        let until = Instant::now() + UNDER_WAY;
        loop {
            let fleet = self.status().fleet.expect("a fleet is deployed");
            if wanted(&fleet) {
                return fleet;
            }
            assert!(Instant::now() < until, "{what} does not come: {fleet:#?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs a tool as the attacker and returns what it printed, whatever it thought of it.
    pub fn attack(&self, program: &str, arguments: &[&str]) -> Said {
        self.attack_for(THEIRS, program, arguments)
    }

    /// The same with a bound of its own, in seconds.
    pub fn attack_for(&self, seconds: u64, program: &str, arguments: &[&str]) -> Said {
        self.as_attacker(|| run(program, arguments, seconds))
    }

    /// Does something in the attacker's network, on a thread of its own.
    pub fn as_attacker<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.lab.attacker.run(|| Ok::<_, NetError>(work())).unwrap()
    }

    /// Does something in the network of the fleet's host, on a thread of its own.
    pub fn as_host<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.lab.host.run(|| Ok::<_, NetError>(work())).unwrap()
    }

    /// Whether anybody on the LAN answers for an address: asked by ARP, from the attacker's seat.
    pub fn answers(&self, address: Ipv4Addr) -> bool {
        self.as_attacker(|| ArpProber::new(ATTACKER_INTERFACE).in_use(&[address])).unwrap().contains(&address)
    }

    /// The events so far, as `decnet events` reads them; heartbeats and all.
    pub fn events(&self) -> Vec<Event> {
        let said = self.decnet(&["events", "--raw"]);
        assert!(said.status.success(), "{said:?}");
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The events, once they satisfy `wanted`.
    pub fn events_when(&self, what: &str, wanted: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let until = Instant::now() + UNDER_WAY;
        loop {
            let events = self.events();
            if wanted(&events) {
                return events;
            }
            assert!(Instant::now() < until, "{what} does not come:\n{}", in_lines(&events));
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Takes the fleet away, so that everything is written, and returns all events.
    pub fn finish(&self) -> Vec<Event> {
        let said = self.decnet(&["teardown", "--all"]);
        assert!(said.status.success(), "{said:?}");
        self.events()
    }

    /// What the fleet's keeper and its helpers said to the operator.
    pub fn keeper_log(&self) -> String {
        std::fs::read_to_string(self.state().join("run/keeper.log")).unwrap_or_default()
    }

    /// The keeper's process.
    pub fn keeper(&self) -> u32 {
        let text = std::fs::read_to_string(self.state().join("run/lock")).unwrap();
        text.trim().parse().unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }
}

impl Drop for TestLab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the keeper's log:\n{}", self.keeper_log());
        }
        self.guard.end();
    }
}

impl Said {
    /// The value it printed, if it succeeded.
    pub fn json<T: for<'a> Deserialize<'a>>(&self) -> T {
        assert!(self.status.success(), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

/// A process of its own that takes the fleet away when the test's end of a pipe is closed, by the test or
/// by its death.
struct Guard(Child);

impl Guard {
    fn over(state: &Path) -> Guard {
        let script =
            "cat >/dev/null; [ -d \"$2\" ] && exec timeout 60 \"$1\" --state-dir \"$2\" teardown --all";
        let child = Command::new("sh")
            .args(["-c", script, "guard", DECNET])
            .arg(state)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: a runner that ends the test's group leaves it.
            .process_group(0)
            .spawn()
            .unwrap();
        Guard(child)
    }

    fn end(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Runs a command and takes in what it says; one that takes too long fails the test.
pub fn run(program: &str, arguments: &[&str], seconds: u64) -> Said {
    let output = Command::new("timeout")
        .args(["--kill-after=5", &seconds.to_string(), program])
        .args(arguments)
        .env_remove("DECNET_STATE_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let Output { status, stdout, stderr } = output;
    let said = Said {
        status,
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    };
    let timed_out = status.code() == Some(124) || status.signal() == Some(9);
    assert!(!timed_out, "{program} {arguments:?} takes longer than {seconds} s: {said:?}");
    said
}

/// Whether there is such a program.
pub fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Scanners stand where a normal user does not look.
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|one| one.join(tool).is_file())
}

/// Says what cannot be tested here; under `DECNET_TEST_REQUIRE=all` that is a failure.
pub fn skipped(why: &str) {
    assert!(std::env::var("DECNET_TEST_REQUIRE").as_deref() != Ok("all"), "cannot be skipped here: {why}");
    // Past the capture of passed tests: a skip is seen.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// The events of one decky's service, in their order.
pub fn of<'a>(events: &'a [Event], decky: &Decky, service: &str) -> Vec<&'a Event> {
    events
        .iter()
        .filter(|event| event.speaker.decky == decky.name && event.speaker.service == service)
        .collect()
}

/// One line for each event.
pub fn in_lines(events: &[Event]) -> String {
    events.iter().map(|event| format!("{}\n", decnet_logging::story::story(event))).collect()
}

/// What must hold for the events of every test: from the attacker alone, none lost, none unreadable, no
/// server failed, nothing reached out, and each source's numbers without a gap.
pub fn assert_sound(events: &[Event], attacker: Ipv4Addr) {
    for event in events {
        let story = decnet_logging::story::story(event);
        if let Body::Heartbeat { dropped, .. } = event.report.body {
            assert_eq!(dropped, 0, "{story}");
            continue;
        }
        match event.report.src_ip.is_unspecified() {
            // A prober that has no address yet (RFC 5227) is known by its NIC.
            true => assert_eq!(event.report.src_mac.as_deref(), Some(ATTACKER_MAC), "{story}"),
            false => assert_eq!(event.report.src_ip, attacker, "{story}"),
        }
        assert!(
            !matches!(
                event.report.body,
                Body::EventsDropped { .. }
                    | Body::EventsInvalid { .. }
                    | Body::ServerFailed { .. }
                    | Body::EgressBlocked { .. }
            ),
            "{story}"
        );
    }
    let mut numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    numbers.sort_unstable();
    let gaps: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert!(gaps.is_empty(), "numbers missing or twice: {gaps:?}");
}

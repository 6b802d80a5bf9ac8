//! A LAN for containers, and the program on the machine's own daemon.
#![allow(dead_code, reason = "shared by the tests of one binary")]
#![allow(unreachable_pub, reason = "a shared module, written as one")]

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use decnet_core::Plan;
use decnet_engine::{Converged, FleetStatus};
use decnet_logging::event::Event;
use decnet_net::probe::{ArpProber, Prober};
use decnet_net::{Namespace, NetError, links};
use serde::Deserialize;

const DECNET: &str = env!("CARGO_BIN_EXE_decnet");
/// The attacker's address.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// The LAN's interface in this machine's namespace.
const PARENT: &str = "dclab0";
/// The image of the custom service, made on the spot.
const IMAGE: &str = "decnet-test/busybox:1";
/// What stands in for the image of the distribution `debian`.
const DISTRO: &str = "debian:bookworm-slim";
/// How long an event may be under way.
const UNDER_WAY: Duration = Duration::from_secs(15);

/// One lab at a time: there is one daemon, and one network of that name.
static ALONE: Mutex<()> = Mutex::new(());

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub status: std::process::ExitStatus,
    pub out: String,
    pub err: String,
}

#[derive(Debug, Deserialize)]
pub struct Deployed {
    pub plan: Plan,
    pub changes: Converged,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(flatten)]
    fleet: Option<FleetStatus>,
}

/// A LAN with an attacker. What was deployed on it goes with it.
pub struct DockerLab {
    attacker: Namespace,
    directory: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Somebody who waits for connections on the attacker's side.
pub struct Listener(Arc<AtomicUsize>);

impl Listener {
    pub fn connections(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl DockerLab {
    /// Builds it; `None`, after saying why, where this machine cannot.
    pub fn build() -> Option<DockerLab> {
        let alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let missing = [
            ("docker", "docker.io"),
            ("docker-compose", "docker-compose"),
            ("nmap", "nmap"),
            ("redis-cli", "redis-tools"),
            ("snmpget", "snmp"),
            ("curl", "curl"),
            ("nc", "netcat-openbsd"),
            ("busybox", "busybox-static"),
        ]
        .into_iter()
        .filter(|(tool, _)| !is_installed(tool))
        .map(|(tool, package)| format!("{tool} (Debian package {package})"))
        .collect::<Vec<_>>();
        let why = if !missing.is_empty() {
            Some(format!("{} not found; install it", missing.join(", ")))
        } else if !nix::unistd::geteuid().is_root() {
            Some("run as root".to_owned())
        } else if !Command::new("docker").arg("version").output().unwrap().status.success() {
            Some("no Docker daemon answers at its default socket".to_owned())
        } else {
            None
        };
        if let Some(why) = why {
            skipped(&why);
            return None;
        }
        let attacker = Namespace::create().unwrap();
        // Left by a test that was killed.
        let _ = Command::new("ip").args(["link", "del", PARENT]).output();
        links::add_veth(PARENT, "dclab1", &attacker).unwrap();
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{PARENT}/disable_ipv6"), "1");
        links::set_up(PARENT).unwrap();
        attacker
            .run(|| {
                links::rename("dclab1", "eth0")?;
                links::add_address("eth0", ATTACKER, 24)?;
                links::set_up("lo")?;
                links::set_up("eth0")
            })
            .unwrap();
        let lab = DockerLab { attacker, directory: tempfile::tempdir().unwrap(), _alone: alone };
        lab.import_busybox();
        Some(lab)
    }

    /// A static busybox as an image.
    fn import_busybox(&self) {
        let root = self.directory.path().join("busybox");
        for folder in ["bin", "etc", "tmp", "proc", "sys", "dev"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        let busybox = which("busybox").unwrap();
        std::fs::copy(&busybox, root.join("bin/busybox")).unwrap();
        for applet in [
            "sh", "nc", "cat", "ping", "nslookup", "arping", "sleep", "hostname", "env", "echo", "ls",
            "touch", "rm", "true",
        ] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let command = format!("tar -C {} -c . | docker import - {IMAGE}", root.display());
        let said = run("sh", &["-c", &command], 60);
        assert!(said.status.success(), "{said:?}");
        // One distribution's image is here, the others cannot be had.
        if !docker(&["inspect", DISTRO]).status.success() {
            docker(&["tag", IMAGE, DISTRO]);
        }
    }

    pub fn attacker(&self) -> Ipv4Addr {
        ATTACKER
    }

    pub fn state(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn config(&self, text: &str) -> PathBuf {
        let path = self.directory.path().join("fleet.ini");
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn decnet(&self, arguments: &[&str]) -> Said {
        let state = self.state();
        let mut all = vec!["--state-dir", state.to_str().unwrap(), "--output", "json"];
        all.extend(arguments);
        run(DECNET, &all, 150)
    }

    pub fn try_deploy_with(&self, config: &str, more: &[&str]) -> Said {
        let config = self.config(config);
        let mut all = vec!["deploy", "--engine", "docker", "-i", PARENT, "-c", config.to_str().unwrap()];
        all.extend(more);
        self.decnet(&all)
    }

    pub fn try_deploy_config(&self, config: &str) -> Said {
        self.try_deploy_with(config, &["--subnet", "198.51.100.0/24", "--gateway", "198.51.100.2"])
    }

    pub fn deploy_config(&self, config: &str) -> Deployed {
        let said = self.try_deploy_config(config);
        assert!(said.status.success(), "{said:?}\n{}", self.watcher_log());
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"))
    }

    /// Kills a deployment, but nothing that it had started, that long after its beginning.
    pub fn deploy_and_kill(&self, config: &str, after: Duration) {
        let (config, state) = (self.config(config), self.state());
        let mut child = Command::new(DECNET)
            .arg("--state-dir")
            .arg(&state)
            .args(["deploy", "--engine", "docker", "-i", PARENT, "--subnet", "198.51.100.0/24"])
            .args(["--gateway", "198.51.100.2", "-c"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn status(&self) -> FleetStatus {
        let said = self.decnet(&["status"]);
        let status: Status =
            serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}"));
        status.fleet.expect("a fleet is deployed")
    }

    pub fn events(&self) -> Vec<Event> {
        let said = self.decnet(&["events"]);
        assert!(said.status.success(), "{said:?}");
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn events_when(&self, what: &str, wanted: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let until = Instant::now() + UNDER_WAY;
        loop {
            let events = self.events();
            if wanted(&events) {
                return events;
            }
            let lines: Vec<String> =
                events.iter().map(|event| decnet_logging::story(event).to_string()).collect();
            assert!(Instant::now() < until, "{what} does not come: {lines:#?}\n{}", self.watcher_log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub fn until(&self, patience: Duration, wanted: impl Fn() -> bool) -> bool {
        let until = Instant::now() + patience;
        loop {
            if wanted() {
                return true;
            }
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn attack(&self, program: &str, arguments: &[&str]) -> Said {
        self.attacker.run(|| Ok::<_, NetError>(run(program, arguments, 60))).unwrap()
    }

    pub fn answers(&self, address: Ipv4Addr) -> bool {
        self.attacker.run(|| ArpProber::new("eth0").in_use(&[address])).unwrap().contains(&address)
    }

    /// Waits for connections on the attacker's side, and counts them.
    pub fn listen(&self, port: u16) -> Listener {
        let listener = self.attacker.run(|| Ok(TcpListener::bind((ATTACKER, port)).unwrap())).unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            while listener.accept().is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        Listener(count)
    }

    /// The containers of the fleet: name and id.
    pub fn containers(&self) -> Vec<(String, String)> {
        let said = docker(&[
            "ps",
            "-a",
            "--no-trunc",
            "--filter",
            "label=decnet.fleet",
            "--format",
            "{{.Names}} {{.ID}}",
        ]);
        let mut all: Vec<(String, String)> = said
            .out
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, id)| (name.to_owned(), id.to_owned()))
            .collect();
        all.sort();
        all
    }

    /// The base container of a decky.
    pub fn name_of(&self, decky: &str) -> String {
        self.labelled(decky, "decnet.role=base")
    }

    fn labelled(&self, decky: &str, label: &str) -> String {
        let said = docker(&[
            "ps",
            "--filter",
            &format!("label=decnet.decky={decky}"),
            "--filter",
            &format!("label={label}"),
            "--format",
            "{{.Names}}",
        ]);
        said.out.trim().to_owned()
    }

    /// Runs a command in a container of a decky.
    pub fn inside(&self, decky: &str, service: &str, command: &str) -> Said {
        let name = self.labelled(decky, &format!("decnet.service={service}"));
        docker(&["exec", &name, "/bin/sh", "-c", command])
    }

    /// Whether the namespace of a container has the rules.
    pub fn is_reply_only(&self, container: &str) -> bool {
        let namespace = Namespace::of_process(pid_of(container)).unwrap();
        namespace.run(decnet_net::nftables::attempts).is_ok()
    }

    /// Kills the watcher and its collector, as a crash would.
    pub fn kill_watcher(&self) {
        let pid = std::fs::read_to_string(self.state().join("run/lock")).unwrap();
        let pid = pid.trim().to_owned();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        self.until(Duration::from_secs(5), || !Path::new("/proc").join(&pid).exists());
    }

    pub fn watcher_log(&self) -> String {
        std::fs::read_to_string(self.state().join("run/keeper.log")).unwrap_or_default()
    }

    /// What the machine has that a deployment could leave behind.
    pub fn inventory(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut note = |what: &str, text: String| {
            found.extend(text.lines().map(|line| format!("{what}: {}", line.trim())));
        };
        note("link", run("ip", &["-o", "-br", "link"], 10).out);
        note("route", run("ip", &["route", "show", "table", "all"], 10).out);
        note("namespace", run("ip", &["netns", "list"], 10).out);
        note("network", docker(&["network", "ls", "--format", "{{.Name}} {{.Driver}}"]).out);
        note("container", docker(&["ps", "-a", "--format", "{{.Names}}"]).out);
        note("image", docker(&["images", "-a", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]).out);
        note("volume", docker(&["volume", "ls", "-q"]).out);
        let state = self.state().to_string_lossy().into_owned();
        let processes = run("ps", &["-eo", "args"], 10).out;
        note(
            "process",
            processes.lines().filter(|line| line.contains(&state)).map(|line| format!("{line}\n")).collect(),
        );
        for folder in ["docker", "guests", "run"] {
            if self.state().join(folder).exists() {
                found.insert(format!("folder: {folder}"));
            }
        }
        // Other programs' veth pairs come and go.
        found.retain(|line| !line.starts_with("link: veth"));
        found
    }
}

impl Drop for DockerLab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the watcher's log:\n{}", self.watcher_log());
        }
        let _ = self.decnet(&["teardown", "--all"]);
        if docker(&["inspect", "-f", "{{.RepoTags}}", DISTRO]).out.contains(IMAGE) {
            docker(&["rmi", DISTRO]);
        }
        let _ = docker(&["rmi", "-f", IMAGE]);
        let _ = Command::new("ip").args(["link", "del", PARENT]).output();
    }
}

/// Runs Docker's own client.
pub fn docker(arguments: &[&str]) -> Said {
    run("docker", arguments, 60)
}

/// The first process of a container; 0 while it does not run.
pub fn pid_of(container: &str) -> u32 {
    docker(&["inspect", "-f", "{{.State.Pid}}", container]).out.trim().parse().unwrap_or(0)
}

fn run(program: &str, arguments: &[&str], seconds: u64) -> Said {
    let output: Output = Command::new("timeout")
        .args(["--kill-after=5", &seconds.to_string(), program])
        .args(arguments)
        .env_remove("DECNET_STATE_DIR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn which(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|folder| folder.join(tool))
        .find(|path| path.is_file())
}

fn is_installed(tool: &str) -> bool {
    which(tool).is_some()
}

fn skipped(why: &str) {
    assert!(std::env::var("DECNET_TEST_REQUIRE").as_deref() != Ok("all"), "cannot be skipped here: {why}");
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

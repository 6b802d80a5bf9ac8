//! What a fleet costs: time to deploy and to take away, memory, idle CPU. Whole processes, in a LAN in a
//! box; needs root.
//!
//! `cargo bench -p decnet-cli --bench fleet` prints the table that README quotes. `DECNET_BENCH_DECKIES`
//! changes the sizes.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark that prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark of the binary starts it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use decnet_engine::lab;
use decnet_net::NetError;
use decnet_net::lab::{HOST_INTERFACE, Lab, Layout};

const SERVICES: &str = "http,redis,snmp";
const IDLE: Duration = Duration::from_secs(5);

fn main() {
    // `cargo test --benches` asks for a list; there is nothing to assert here.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let sizes = std::env::var("DECNET_BENCH_DECKIES").unwrap_or_else(|_| "20,200,1000".to_owned());
    println!("services of every decky: {SERVICES}");
    println!(
        "{:>8} {:>10} {:>10} {:>12} {:>12} {:>12} {:>12} {:>10} {:>10}",
        "deckies",
        "deploy s",
        "again s",
        "workers KiB",
        "keeper KiB",
        "kernel KiB",
        "total KiB",
        "idle CPU s",
        "down s"
    );
    for size in sizes.split(',') {
        measure(size.trim().parse().unwrap());
    }
}

fn measure(deckies: usize) {
    let layout = Layout::on("198.18.0.0/16".parse().unwrap()).unwrap();
    let built = lab::build(layout).unwrap();
    let state = tempfile::tempdir().unwrap();
    let before = kernel_kib();
    let number = deckies.to_string();
    let services =
        ["--services", SERVICES, "--interface", HOST_INTERFACE, "--engine", "native", "--seed", "1"];
    let arguments: Vec<&str> = ["deploy", "-n", &number].into_iter().chain(services).collect();
    let (deploy, _) = decnet(&built, state.path(), &arguments);
    // The second deployment changes nothing.
    let (again, _) = decnet(&built, state.path(), &arguments);
    let keeper: u32 = std::fs::read_to_string(state.path().join("run/lock")).unwrap().trim().parse().unwrap();
    // Freed memory comes back to the kernel's books with some delay.
    std::thread::sleep(Duration::from_secs(2));
    let kernel = kernel_kib().saturating_sub(before);
    let processes = descendants(keeper);
    let pss = |pid: u32| pss_kib(pid).unwrap_or(0);
    let helpers: Vec<u32> = processes.iter().copied().filter(|pid| parent(*pid) == Some(keeper)).collect();
    let keeper_pss: u64 = pss(keeper) + helpers.iter().map(|pid| pss(*pid)).sum::<u64>();
    let workers_pss: u64 = processes.iter().filter(|pid| !helpers.contains(pid)).map(|pid| pss(*pid)).sum();
    let all: Vec<u32> = std::iter::once(keeper).chain(processes).collect();
    let busy = cpu_ticks(&all);
    std::thread::sleep(IDLE);
    let idle = (cpu_ticks(&all) - busy) as f64 / 100.0;
    let (down, _) = decnet(&built, state.path(), &["teardown", "--all"]);
    let per = |kib: u64| kib as f64 / deckies as f64;
    println!(
        "{deckies:>8} {:>10.2} {:>10.2} {:>12.0} {:>12.0} {:>12.0} {:>12.0} {idle:>10.2} {:>10.2}",
        deploy.as_secs_f64(),
        again.as_secs_f64(),
        per(workers_pss),
        per(keeper_pss),
        per(kernel),
        per(workers_pss + keeper_pss + kernel),
        down.as_secs_f64(),
    );
}

/// Runs the binary in the box's host namespace; how long it took, and what it printed.
fn decnet(built: &Lab, state: &Path, arguments: &[&str]) -> (Duration, String) {
    built
        .host
        .run(|| {
            let began = Instant::now();
            let output = Command::new(env!("CARGO_BIN_EXE_decnet"))
                .arg("--state-dir")
                .arg(state)
                .args(arguments)
                .stdin(Stdio::null())
                .output()
                .map_err(|error| NetError::system("run the binary", error))?;
            let took = began.elapsed();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok((took, String::from_utf8_lossy(&output.stdout).into_owned()))
        })
        .unwrap()
}

/// What the kernel itself holds: slab that it cannot give back, stacks and page tables, in KiB.
fn kernel_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap();
    let fields: BTreeMap<&str, u64> = text
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name, value.split_whitespace().next()?.parse().ok()?))
        })
        .collect();
    ["SUnreclaim", "KernelStack", "PageTables"].iter().filter_map(|name| fields.get(name)).sum()
}

fn pss_kib(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:"))?.split_whitespace().next()?.parse().ok()
}

fn parent(pid: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn descendants(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for thread in threads {
        let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

/// User and system time of processes, in clock ticks (a hundredth of a second).
fn cpu_ticks(pids: &[u32]) -> u64 {
    let ticks = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
    };
    pids.iter().filter_map(ticks).sum()
}

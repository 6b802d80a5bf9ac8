//! The life of a fleet: deployed, deployed again, hurt in every place, taken away.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use decnet_engine::{FleetStatus, Health};
use decnet_logging::event::{Body, Event};
use lab_support::processes::Process;
use lab_support::{TestLab, assert_sound};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::Signal;

/// How long an answer may take that a decky gives at once.
const ANSWER: Duration = Duration::from_secs(10);

/// How often the collector is killed in the middle of its work.
const KILLS: usize = 3;

/// Three deckies, each in a section of its own.
const FLEET: &str = "
[general]
net = 198.51.100.0/24
interface = eth0
engine = native
seed = 4711
[alpha]
services = http
[beta]
services = http
[gamma]
services = http
";

/// Asks a decky for a page, as a plain client would; to be called in the attacker's network.
fn get(address: Ipv4Addr, target: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&SocketAddr::from((address, 80)), ANSWER)?;
    ask(&mut stream, target)
}

fn ask(stream: &mut TcpStream, target: &str) -> io::Result<String> {
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET {target} HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    match answer.starts_with(b"HTTP/1.") {
        true => Ok(String::from_utf8_lossy(&answer).into_owned()),
        false => Err(io::Error::other(format!("no answer but {answer:?}"))),
    }
}

fn pids(fleet: &FleetStatus) -> BTreeMap<String, u32> {
    fleet
        .deckies
        .iter()
        .map(|decky| (decky.name.clone(), decky.pid.unwrap_or_else(|| panic!("no process: {decky:?}"))))
        .collect()
}

fn restarts(fleet: &FleetStatus) -> Vec<u64> {
    fleet.deckies.iter().map(|decky| decky.restarts).collect()
}

fn is_up(fleet: &FleetStatus) -> bool {
    fleet.health == Health::Up
}

/// The targets of all requests in the events, in their order.
fn targets(events: &[Event]) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::Request { target, .. } => Some(target.as_str()),
            _ => None,
        })
        .collect()
}

/// The keeper's helper that was started with that word.
fn helper(keeper: &Process, word: &str) -> Process {
    let children = keeper.children();
    children
        .iter()
        .find(|child| child.arguments().get(2).is_some_and(|argument| argument == word))
        .unwrap_or_else(|| {
            let started: Vec<_> = children.iter().map(Process::arguments).collect();
            panic!("no {word} among {started:?}")
        })
        .clone()
}

#[test]
fn deploying_the_same_again_changes_nothing() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let first = lab.deploy_config(FLEET);
    assert_eq!(first.changes.started, ["alpha", "beta", "gamma"]);
    let before = lab.status().fleet.unwrap();
    assert!(is_up(&before), "{before:#?}");
    let address = first.plan.deckies[0].address;
    let mut held = lab.as_attacker(|| TcpStream::connect_timeout(&(address, 80).into(), ANSWER)).unwrap();

    let second = lab.deploy_config(FLEET);
    assert_eq!(second.plan, first.plan);
    assert_eq!(second.changes.unchanged, ["alpha", "beta", "gamma"]);
    assert!(second.changes.started.is_empty() && second.changes.restarted.is_empty());
    let after = lab.status().fleet.unwrap();
    assert_eq!(after, before, "the same processes, none started again");
    ask(&mut held, "/held").expect("a conversation goes on over a deployment");

    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    assert_eq!(targets(&events), ["/held"]);
}

#[test]
fn deploying_converges_and_leaves_the_unchanged_alone() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let first = lab.deploy_config(FLEET).plan;
    let before = pids(&lab.status().fleet.unwrap());

    let config = FLEET.replace(
        "[gamma]\nservices = http\n",
        "[beta.http]\nresponse_code = 503\n[delta]\nservices = snmp\n",
    );
    let changed = lab.deploy_config(&config);
    assert_eq!(changed.changes.restarted, ["beta"]);
    assert_eq!(changed.changes.started, ["delta"]);
    assert_eq!(changed.changes.stopped, ["gamma"]);
    assert_eq!(changed.changes.unchanged, ["alpha"]);
    let status = lab.status_when("a whole fleet", is_up);
    let after = pids(&status);
    assert_eq!(after["alpha"], before["alpha"]);
    assert_ne!(after["beta"], before["beta"]);
    assert_eq!(restarts(&status), [0, 0, 0], "a replacement is no restart");
    assert!(Process::of(before["gamma"]).is_none(), "what is gone has ended");
    for name in ["alpha", "beta"] {
        let (old, new) = (first.decky(name).unwrap(), changed.plan.decky(name).unwrap());
        assert_eq!((old.address, old.mac, &old.identity), (new.address, new.mac, &new.identity));
    }
    let answer = lab.as_attacker(|| get(first.decky("beta").unwrap().address, "/")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let gone = first.decky("gamma").unwrap().address;
    if changed.plan.decky("delta").unwrap().address != gone {
        assert!(!lab.answers(gone));
    }
    assert_sound(&lab.finish(), lab.attacker());
}

#[test]
fn a_decky_is_replaced_as_often_as_it_changes() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let names: Vec<String> = (1..=12).map(|number| format!("unit-{number}")).collect();
    // All of them change at once, and each needs the ports that its predecessor had.
    for round in 0..6 {
        let code = 500 + round % 4;
        let sections: String = names
            .iter()
            .map(|name| format!("[{name}]\nservices = http\n[{name}.http]\nresponse_code = {code}\n"))
            .collect();
        let head = FLEET.split("[alpha]").next().unwrap();
        let deployed = lab.deploy_config(&format!("{head}{sections}"));
        assert_eq!(deployed.changes.restarted.len(), if round == 0 { 0 } else { names.len() });
        let status = lab.status().fleet.unwrap();
        assert!(is_up(&status), "{status:#?}");
        let workers = helper(&Process::of(lab.keeper()).unwrap(), "zygote").children();
        assert_eq!(workers.len(), names.len(), "the predecessors have ended");
        let answer = lab.as_attacker(|| get(deployed.plan.deckies[0].address, "/")).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{answer}");
    }
    assert_sound(&lab.finish(), lab.attacker());
}

#[test]
fn a_killed_worker_is_not_missed() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let plan = lab.deploy_config(FLEET).plan;
    let before = lab.status().fleet.unwrap();
    let address = plan.decky("beta").unwrap().address;
    lab.as_attacker(|| get(address, "/warm")).unwrap();
    for round in 1..=3 {
        let worker = Process::of(pids(&lab.status_when("a whole fleet", is_up))["beta"]).unwrap();
        worker.signal(Signal::SIGKILL);
        // Right after: nobody may have noticed yet.
        lab.as_attacker(|| get(address, &format!("/round-{round}"))).expect("the port never closes");
        worker.await_end();
        let status = lab.status_when("a whole fleet", is_up);
        assert_eq!(restarts(&status), [0, round, 0]);
        assert!(status.deckies[1].reason.is_none(), "{status:#?}");
        assert_eq!(pids(&status)["alpha"], pids(&before)["alpha"], "its neighbours do not feel it");
    }
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    assert_eq!(targets(&events), ["/warm", "/round-1", "/round-2", "/round-3"]);
}

#[test]
fn a_killed_zygote_takes_every_worker_and_all_come_back() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let plan = lab.deploy_config(FLEET).plan;
    let before = pids(&lab.status().fleet.unwrap());
    let keeper = Process::of(lab.keeper()).unwrap();
    let zygote = helper(&keeper, "zygote");
    assert_eq!(zygote.children().len(), 3);
    zygote.signal(Signal::SIGKILL);
    // The kernel ends its workers one after the other; until then one may still take a connection.
    zygote.await_end();
    for decky in &plan.deckies {
        lab.as_attacker(|| get(decky.address, &format!("/{}", decky.name))).expect("no port closes");
    }
    let status = lab.status_when("a whole fleet", is_up);
    assert_eq!(restarts(&status), [1, 1, 1]);
    let after = pids(&status);
    assert!(after.iter().all(|(name, pid)| before[name] != *pid), "{before:?} {after:?}");
    assert_ne!(helper(&keeper, "zygote"), zygote);
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    assert_eq!(targets(&events), ["/alpha", "/beta", "/gamma"]);
}

#[test]
fn a_killed_collector_loses_and_doubles_nothing() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let plan = lab.deploy_config(FLEET).plan;
    let address = plan.decky("alpha").unwrap().address;
    let visit = |name: &str, count: u32| {
        lab.as_attacker(|| {
            for one in 0..count {
                get(address, &format!("/{name}-{one}")).unwrap();
            }
        });
    };
    let wanted = |name: &str, count: u32| (0..count).map(|one| format!("/{name}-{one}")).collect::<Vec<_>>();
    visit("before", 10);
    lab.events_when("the events before", |events| targets(events).len() == 10);
    let keeper = Process::of(lab.keeper()).unwrap();
    let collector = helper(&keeper, "collector");
    collector.signal(Signal::SIGKILL);
    visit("after", 10);
    collector.await_end();
    let events = lab.events_when("the events after", |events| targets(events).len() >= 20);
    assert_eq!(targets(&events), [wanted("before", 10), wanted("after", 10)].concat());

    // And in the middle of a stream of them.
    let going = AtomicBool::new(true);
    let asked = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            lab.as_attacker(|| {
                while going.load(Ordering::Relaxed) {
                    get(address, &format!("/during-{}", asked.load(Ordering::Relaxed))).unwrap();
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        for _ in 0..KILLS {
            std::thread::sleep(Duration::from_millis(400));
            helper(&keeper, "collector").signal(Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(400));
        going.store(false, Ordering::Relaxed);
    });
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let told = targets(&events);
    assert_eq!(told[..20], [wanted("before", 10), wanted("after", 10)].concat());
    let asked = asked.into_inner() as usize;
    assert!(asked > 100, "a stream: {asked}");
    let missing: Vec<String> = wanted("during", asked as u32)
        .into_iter()
        .filter(|target| !told.contains(&target.as_str()))
        .collect();
    assert!(missing.is_empty(), "{asked} asked, {} missing: {missing:?}", missing.len());
    assert_eq!(told.iter().collect::<BTreeSet<_>>().len(), told.len(), "none is told twice");
}

#[test]
fn a_killed_keeper_leaves_nothing_on_the_lan_and_nothing_to_clean_by_hand() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let before = Traces::of(&lab);
    let plan = lab.deploy_config(FLEET).plan;
    lab.as_attacker(|| get(plan.deckies[0].address, "/first")).unwrap();
    lab.events_when("the first request", |events| targets(events).len() == 1);
    for (round, torn_down) in [("second", true), ("third", false)] {
        let tree = Process::of(lab.keeper()).unwrap().tree();
        assert!(tree.len() >= 6, "keeper, collector, zygote and three workers: {tree:?}");
        tree[0].signal(Signal::SIGKILL);
        for process in &tree {
            process.await_end();
        }
        for decky in &plan.deckies {
            assert!(!lab.answers(decky.address), "{} is gone from the LAN", decky.address);
        }
        let said = lab.decnet(&["status"]);
        assert_eq!(said.status.code(), Some(3), "{said:?}");
        let status = lab.status().fleet.unwrap();
        assert_eq!(status.health, Health::Down);
        assert!(status.problems[0].contains("deploy again"), "{status:?}");
        if torn_down {
            let said = lab.decnet(&["teardown", "--all"]);
            assert!(said.status.success(), "{said:?}");
            assert_eq!(Traces::of(&lab), before);
            assert!(!lab.status().deployed);
        }
        let again = lab.deploy_config(FLEET);
        assert_eq!(again.changes.started, ["alpha", "beta", "gamma"]);
        assert_eq!(again.plan, plan, "the same machines come back");
        lab.as_attacker(|| get(plan.deckies[0].address, &format!("/{round}"))).unwrap();
    }
    let events = lab.finish();
    assert_eq!(targets(&events), ["/first", "/second", "/third"]);
    assert_sound(&events, lab.attacker());
    assert_eq!(Traces::of(&lab), before);
}

#[test]
fn a_keeper_told_to_end_writes_everything_and_leaves_nothing() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let before = Traces::of(&lab);
    let plan = lab.deploy_config(FLEET).plan;
    for decky in &plan.deckies {
        lab.as_attacker(|| get(decky.address, &format!("/{}", decky.name))).unwrap();
    }
    let tree = Process::of(lab.keeper()).unwrap().tree();
    tree[0].signal(Signal::SIGTERM);
    for process in &tree {
        process.await_end();
    }
    let events = lab.events();
    assert_sound(&events, lab.attacker());
    assert_eq!(targets(&events), ["/alpha", "/beta", "/gamma"]);
    assert_eq!(lab.status().fleet.unwrap().health, Health::Down);
    let said = lab.decnet(&["teardown", "--all"]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!(Traces::of(&lab), before);
}

#[test]
fn a_teardown_leaves_nothing() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let before = Traces::of(&lab);
    lab.deploy_config(FLEET);
    let tree = Process::of(lab.keeper()).unwrap().tree();
    assert_ne!(Traces::of(&lab), before, "the comparison sees a fleet");
    let said = lab.decnet(&["teardown", "--all"]);
    assert!(said.status.success(), "{said:?}");
    assert!(tree.iter().all(|process| !process.lives()), "all have ended when it says so");
    assert_eq!(Traces::of(&lab), before);
    assert!(!lab.status().deployed);
    let again = lab.decnet(&["teardown", "--all"]);
    assert_eq!(again.status.code(), Some(0), "nothing to take away is no failure: {again:?}");
}

#[test]
fn one_decky_is_taken_away_wholly() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let plan = lab.deploy_config(FLEET).plan;
    let before = pids(&lab.status().fleet.unwrap());
    let unknown = lab.decnet(&["teardown", "--id", "omega"]);
    assert_eq!(unknown.status.code(), Some(2));
    let said = format!("{}{}", unknown.out, unknown.err);
    assert!(["omega", "alpha", "beta", "gamma"].iter().all(|name| said.contains(name)), "{said}");

    let worker = Process::of(before["beta"]).unwrap();
    let said = lab.decnet(&["teardown", "--id", "beta"]);
    assert!(said.status.success(), "{said:?}");
    worker.await_end();
    let beta = plan.decky("beta").unwrap();
    assert!(!lab.answers(beta.address));
    let after = lab.status().fleet.unwrap();
    assert!(is_up(&after), "{after:#?}");
    let rest = pids(&after);
    assert_eq!(rest.keys().collect::<Vec<_>>(), ["alpha", "gamma"]);
    assert!(rest.iter().all(|(name, pid)| before[name] == *pid));

    let again = lab.deploy_config(FLEET);
    assert_eq!(again.changes.started, ["beta"]);
    assert_eq!(again.plan, plan, "it comes back as the machine that it was");
    lab.as_attacker(|| get(beta.address, "/back")).unwrap();
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    assert_eq!(targets(&events), ["/back"]);
}

/// Enters the namespace of the fleet, which only the keeper holds.
fn enter_fleet(keeper: u32) {
    let own = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let held = fs::read_dir(format!("/proc/{keeper}/fd")).unwrap().flatten().find(|one| {
        fs::read_link(one.path())
            .is_ok_and(|target| target.to_string_lossy().starts_with("net:[") && target != own)
    });
    let file = fs::File::open(held.expect("the keeper holds a namespace").path()).unwrap();
    setns(file, CloneFlags::CLONE_NEWNET).unwrap();
}

#[test]
fn a_failure_midway_is_rolled_back_and_the_earlier_fleet_runs_on() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let first = lab.deploy_config(FLEET).plan;
    let before = lab.status().fleet.unwrap();
    let keeper = lab.keeper();
    // Somebody has the port that a new decky needs: opening it fails when others are open already.
    let taken = lab.as_host(|| {
        enter_fleet(keeper);
        UdpSocket::bind("0.0.0.0:161").unwrap()
    });
    let config = FLEET.replace(
        "[beta]\nservices = http\n",
        "[beta]\nservices = http\n[beta.http]\nresponse_code = 503\n[delta]\nservices = http\n[epsilon]\nservices = snmp\n",
    );
    let path = lab.file("fleet.ini", &config.replace("[alpha]\nservices = http\n", ""));
    let failed = lab.decnet(&["deploy", "--config", path.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    let said = format!("{}{}", failed.out, failed.err);
    for word in ["161", "epsilon"] {
        assert!(said.contains(word), "it says what failed: {said}");
    }

    let after = lab.status_when("the earlier fleet", is_up);
    let (old, new) = (pids(&before), pids(&after));
    assert_eq!(new.keys().collect::<Vec<_>>(), ["alpha", "beta", "gamma"]);
    assert_eq!(new["gamma"], old["gamma"], "what was unchanged was never touched");
    for decky in &first.deckies {
        let answer = lab.as_attacker(|| get(decky.address, "/earlier")).unwrap();
        assert!(!answer.contains(" 503 "), "as it was before: {answer}");
    }
    let sweep: BTreeSet<Ipv4Addr> = first.deckies.iter().map(|decky| decky.address).collect();
    for last in 3..12 {
        let address = Ipv4Addr::new(198, 51, 100, last);
        assert_eq!(lab.answers(address), sweep.contains(&address), "{address}");
    }
    drop(taken);
    let retried = lab.decnet(&["deploy", "--config", path.to_str().unwrap()]);
    assert!(retried.status.success(), "without the obstacle it works: {retried:?}");
    lab.status_when("the new fleet", is_up);
    assert_sound(&lab.finish(), lab.attacker());
}

#[test]
fn a_first_deployment_that_fails_leaves_nothing() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let before = Traces::of(&lab);
    let config =
        FLEET.replace("interface = eth0", "interface = eth0\nlog_file = /proc/self/no-such-directory/log");
    let path = lab.file("fleet.ini", &config);
    let failed = lab.decnet(&["deploy", "--config", path.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert!(failed.out.contains("/proc/self/no-such-directory/log"), "it names the file: {failed:?}");
    assert_eq!(Traces::of(&lab), before);
    assert!(!lab.status().deployed);
    lab.deploy_config(FLEET);
}

#[test]
fn another_log_is_written_without_touching_a_decky() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let plan = lab.deploy_config(FLEET).plan;
    let address = plan.deckies[0].address;
    let before = lab.status().fleet.unwrap();
    lab.as_attacker(|| get(address, "/one")).unwrap();

    // A log that cannot be written is no reason to give up a fleet.
    let lost = FLEET.replace("[alpha]", "log_file = /proc/self/no-such-directory/log\n[alpha]");
    let path = lab.file("fleet.ini", &lost);
    let failed = lab.decnet(&["deploy", "--config", path.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert_eq!(lab.status().fleet.unwrap(), before);
    lab.as_attacker(|| get(address, "/two")).unwrap();

    let file = lab.state().join("all.log");
    let logged = format!("log_file = {}\n[alpha]", file.display());
    let changed = lab.deploy_config(&FLEET.replace("[alpha]", &logged));
    assert_eq!(changed.changes.unchanged, ["alpha", "beta", "gamma"]);
    assert_eq!(lab.status().fleet.unwrap(), before);
    lab.as_attacker(|| get(address, "/three")).unwrap();
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    assert_eq!(targets(&events), ["/one", "/two", "/three"]);
    let lines = fs::read_to_string(file).unwrap();
    assert!(lines.contains("/three") && !lines.contains("/two"), "{lines}");
}

#[test]
fn events_go_everywhere_and_a_hang_up_opens_the_logs_anew() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let siem = lab.as_host(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let heard = siem.local_addr().unwrap();
    let received = Arc::new(Mutex::new(String::new()));
    let keep = received.clone();
    std::thread::spawn(move || {
        for stream in siem.incoming().map_while(Result::ok) {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                keep.lock().unwrap().push_str(&format!("{line}\n"));
            }
        }
    });
    // Where nobody listens the deployment says so, and goes on.
    let lists = format!(
        "log_file = all.log, json:all.jsonl, ecs:all.ecs\nlog_rotate_size = 1M\n\
         log_target = tcp://127.0.0.1:9, udp://127.0.0.1:9, tcp://{heard}?framing=lf\n[alpha]"
    );
    let deployed = lab.deploy_config(&FLEET.replace("[alpha]", &lists));
    assert_eq!(deployed.plan.logging.targets.len(), 3);
    let files: Vec<_> = deployed.plan.logging.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(files.len(), 3);
    assert!(files.iter().all(|file| file.is_absolute() && file.is_file()), "{files:?}");
    let address = deployed.plan.deckies[0].address;
    lab.as_attacker(|| get(address, "/one")).unwrap();
    lab.events_when("the first request", |events| targets(events).contains(&"/one"));
    let keeper = Process::of(lab.keeper()).unwrap();
    keeper.signal(Signal::SIGHUP);
    lab.status_when("the fleet after it", is_up);
    assert!(keeper.lives());
    lab.as_attacker(|| get(address, "/two")).unwrap();
    let events = lab.finish();
    assert_eq!(targets(&events), ["/one", "/two"]);
    for file in files {
        let lines = fs::read_to_string(&file).unwrap();
        assert!(lines.contains("/one") && lines.contains("/two"), "{}: {lines}", file.display());
    }
    let lines = received.lock().unwrap();
    assert!(lines.contains("/one") && lines.contains("/two"), "{lines}");
}

#[test]
fn a_certificate_that_cannot_be_read_stops_a_deployment_at_its_place() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let config = FLEET.replace("[alpha]", "log_target = tls://127.0.0.1?ca=no-such-ca.pem\n[alpha]");
    let path = lab.file("fleet.ini", &config);
    let failed = lab.decnet(&["deploy", "--config", path.to_str().unwrap()]);
    assert_eq!(failed.status.code(), Some(2), "{failed:?}");
    let said = format!("{}{}", failed.out, failed.err);
    assert!(said.contains("general.log-target") && said.contains("no-such-ca.pem"), "{said}");
    assert!(!lab.status().deployed);
}

#[test]
fn two_deployments_at_once_do_not_mix() {
    let Some(lab) = TestLab::build(&[]) else { return };
    let path = lab.file("fleet.ini", FLEET);
    let path = path.to_str().unwrap();
    let both = std::thread::scope(|scope| {
        let started: Vec<_> =
            (0..2).map(|_| scope.spawn(|| lab.decnet(&["deploy", "--config", path]))).collect();
        started.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    for said in &both {
        let refused = said.status.code() == Some(1) && said.out.contains("wait until that has ended");
        assert!(said.status.success() || refused, "one after the other, or told to wait: {said:?}");
    }
    assert!(both.iter().any(|said| said.status.success()), "{both:?}");
    let status = lab.status_when("a whole fleet", is_up);
    assert_eq!(restarts(&status), [0, 0, 0]);
    let keepers = Traces::of(&lab).processes;
    let keepers = keepers.values().filter(|arguments| arguments.iter().any(|one| one == "keeper"));
    assert_eq!(keepers.count(), 1);
}

/// What a fleet could leave behind on its host.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    links: String,
    addresses: String,
    routes: String,
    packet_sockets: usize,
    mounts: String,
    /// Processes of this program that were started for the state directory.
    processes: BTreeMap<u32, Vec<String>>,
    /// Files in the state directory, but for the events, which are kept, and the empty file by which one
    /// command at a time holds the directory: removing that one would let two in.
    files: BTreeSet<String>,
}

impl Traces {
    fn of(lab: &TestLab) -> Traces {
        let state = lab.state();
        let marker = state.to_string_lossy().into_owned();
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let (links, addresses, routes, packet_sockets) = lab.as_host(|| {
            let read = |name: &str| read(&format!("/proc/thread-self/net/{name}"));
            let links: Vec<String> = read("dev")
                .lines()
                .filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned()))
                .collect();
            (links.join(" "), read("fib_trie"), read("route"), read("packet").lines().count())
        });
        let processes = fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(Process::of)
            .filter(|process| {
                let arguments = process.arguments();
                arguments
                    .first()
                    .is_some_and(|program| program.ends_with("decnet") || program == "/proc/self/exe")
                    && arguments.iter().any(|argument| argument.contains(&marker))
            })
            .map(|process| (process.pid, process.arguments()))
            .collect();
        Traces {
            links,
            addresses,
            routes,
            packet_sockets,
            mounts: read("/proc/self/mounts"),
            processes,
            files: files(&state),
        }
    }
}

fn files(directory: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(directory) else { return BTreeSet::new() };
    entries
        .flatten()
        .flat_map(|entry| {
            let mut all = if entry.path().is_dir() { files(&entry.path()) } else { BTreeSet::new() };
            all.insert(entry.path().to_string_lossy().into_owned());
            all
        })
        .filter(|name| !name.contains("/state/journal") && !name.ends_with("/state/lock"))
        .collect()
}

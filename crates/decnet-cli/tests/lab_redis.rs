//! Redis under attack: redis-cli's conversation event by event, and what nmap reads.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use std::collections::BTreeSet;

use decnet_core::service::Transport;
use decnet_logging::event::{Body, Outcome};
use lab_support::{TestLab, assert_sound, of};

const NMAP: (&str, &str) = ("nmap", "nmap");
const REDIS_CLI: (&str, &str) = ("redis-cli", "redis-tools");

#[test]
fn redis_cli_holds_a_conversation_and_each_step_is_an_event() {
    let Some(lab) = TestLab::build(&[REDIS_CLI]) else { return };
    let plan = lab.deploy(&["-n", "1", "--services", "redis", "--distro", "debian", "--seed", "3"]).plan;
    let decky = &plan.deckies[0];
    let address = decky.address.to_string();
    let ask = |arguments: &[&str]| {
        let mut all = vec!["-h", &address];
        all.extend(arguments);
        let said = lab.attack_for(20, "redis-cli", &all);
        assert!(said.status.success(), "{said:?}");
        said.out.trim().to_owned()
    };
    assert_eq!(ask(&["PING"]), "PONG");
    let information = ask(&["INFO", "server"]);
    let version = &decky.identity.products["redis"].version;
    assert!(information.contains(&format!("redis_version:{version}\r\n")), "{information}");
    assert_eq!(ask(&["SET", "lab:key", "a b\"c"]), "OK");
    assert_eq!(ask(&["GET", "lab:key"]), "a b\"c");
    assert!(ask(&["AUTH", "hunter2"]).starts_with("ERR AUTH <password> called without any password"));
    assert!(ask(&["NOSUCH"]).starts_with("ERR unknown command"));
    assert!(
        ask(&["KEYS", "lab:*"]).contains("lab:key"),
        "what was written is there in the next conversation"
    );

    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let told = of(&events, decky, "redis");
    let count = |kind: &str| told.iter().filter(|event| event.report.body.kind() == kind).count();
    assert_eq!((count("connection.opened"), count("connection.closed")), (7, 7));
    let commands: Vec<(String, Outcome)> = told
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::Command { line, outcome, .. } => Some((line.clone(), *outcome)),
            _ => None,
        })
        .collect();
    for (word, wanted) in [
        ("PING", Outcome::Accepted),
        ("INFO server", Outcome::Accepted),
        ("SET lab:key", Outcome::Accepted),
        ("GET lab:key", Outcome::Accepted),
        ("NOSUCH", Outcome::Failed),
        ("KEYS lab:*", Outcome::Accepted),
    ] {
        let found = commands.iter().find(|(line, _)| line.starts_with(word));
        assert_eq!(found.map(|(_, outcome)| *outcome), Some(wanted), "{word}: {commands:?}");
    }
    let passwords: Vec<_> = told
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::AuthAttempt { credential, outcome } => Some((credential.password.as_deref(), *outcome)),
            _ => None,
        })
        .collect();
    assert_eq!(passwords, [(Some("hunter2"), Outcome::Failed)]);
}

#[test]
fn nmap_names_the_release_and_no_two_are_one() {
    let Some(lab) = TestLab::build(&[NMAP, REDIS_CLI]) else { return };
    let plan = lab.deploy(&["-n", "6", "--services", "redis"]).plan;
    let targets: Vec<String> = plan.deckies.iter().map(|decky| decky.address.to_string()).collect();
    let mut arguments = vec!["-sV", "--version-all", "-sC", "-p", "6379"];
    arguments.extend(targets.iter().map(String::as_str));
    let hosts = lab.nmap(200, &arguments);
    assert_eq!(hosts.len(), plan.deckies.len());
    for (host, decky) in hosts.iter().zip(&plan.deckies) {
        let port = host.port(Transport::Tcp, 6379);
        let about = format!("{} {port:#?}", decky.name);
        assert_eq!((port.state.as_str(), port.unrecognized.as_deref()), ("open", None), "{about}");
        assert!(
            port.product.as_deref().is_some_and(|told| told.starts_with("Redis key-value store")),
            "{about}"
        );
        let version = &decky.identity.products["redis"].version;
        assert_eq!(port.version.as_ref(), Some(version), "{about}");
    }
    let mut runs = BTreeSet::new();
    for address in &targets {
        let said = lab.attack_for(20, "redis-cli", &["-h", address, "INFO", "server"]);
        let run = said.out.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap().trim().to_owned();
        assert!(runs.insert(run.clone()), "{run} is another's too");
    }
    assert_sound(&lab.finish(), lab.attacker());
}

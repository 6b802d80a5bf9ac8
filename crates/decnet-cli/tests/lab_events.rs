//! A fleet under attack, and what its operator reads of it: each source, one conversation, the summary, the
//! heartbeat, and what the intruder left behind.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use decnet_logging::event::{Body, Event, Life};
use lab_support::{Said, TestLab, assert_sound, run};
use serde_json::Value;

const NMAP: (&str, &str) = ("nmap", "nmap");
const REDIS_CLI: (&str, &str) = ("redis-cli", "redis-tools");
const CURL: (&str, &str) = ("curl", "curl");

/// What is uploaded, in characters that JSON and terminals could trip over.
const SHELL: &str = "<?php system($_GET['c']); ?>\n\u{1b}[2J\n";

/// `decnet events` for people.
fn in_words(lab: &TestLab, flags: &[&str]) -> Said {
    let state = lab.state();
    let said = run(
        env!("CARGO_BIN_EXE_decnet"),
        &[&["--state-dir", state.to_str().unwrap(), "events"], flags].concat(),
        20,
    );
    assert!(said.status.success() && said.err.is_empty(), "{said:?}");
    said
}

#[test]
fn an_operator_reads_what_a_source_did_and_gets_its_files() {
    let Some(lab) = TestLab::build(&[NMAP, REDIS_CLI, CURL]) else { return };
    let plan = lab.deploy(&["-n", "4", "--services", "redis,http", "--distro", "debian", "--seed", "5"]).plan;
    let address = plan.deckies[0].address.to_string();
    let all: Vec<String> = plan.deckies.iter().map(|decky| decky.address.to_string()).collect();

    let mut scan = vec!["-sS", "-p", "1-100,6379"];
    scan.extend(all.iter().map(String::as_str));
    assert_eq!(lab.nmap(60, &scan).len(), 4);
    let big = "A".repeat(2_000_000);
    let (shell, payload) = (lab.file("shell.php", SHELL), lab.file("payload", &big));
    let set = format!("redis-cli -h {address} -x SET payload < {}", payload.display());
    let said = lab.attack_for(20, "sh", &["-c", &set]);
    assert_eq!(said.out.trim(), "OK", "{said:?}");
    assert!(lab.attack_for(20, "redis-cli", &["-h", &address, "AUTH", "hunter2"]).status.success());
    let form = format!("f=@{}", shell.display());
    let url = format!("http://{address}/up.php");
    let said =
        lab.attack_for(20, "curl", &["-s", "-o", "/dev/null", "-u", "admin:letmein", "-F", &form, &url]);
    assert!(said.status.success(), "{said:?}");

    let uploads = |events: &[Event]| -> Vec<(String, u64, bool, String, String)> {
        let told = events.iter().filter_map(|event| match &event.report.body {
            Body::FileUpload { name, size, stored, sha256, artifact } => {
                assert_eq!(artifact.as_ref(), stored.then_some(sha256));
                Some((name.clone(), *size, *stored, sha256.clone(), event.report.session.to_string()))
            }
            _ => None,
        });
        told.collect()
    };
    lab.events_when("two uploads", |events| uploads(events).len() == 2);
    let events = lab.finish();
    assert_sound(&events, lab.attacker());

    // Both files were kept, and come back byte for byte.
    for (name, size, stored, sha256, _) in uploads(&events) {
        assert!(stored, "{name}");
        let to = lab.state().join(format!("fetched-{size}"));
        let said = lab.decnet(&["events", "artifact", &sha256[..12], "-o", to.to_str().unwrap()]);
        assert!(said.status.success(), "{said:?}");
        let expected = if name == "payload" { big.as_bytes() } else { SHELL.as_bytes() };
        assert_eq!(std::fs::read(&to).unwrap(), expected, "{name}");
        let again = lab.decnet(&["events", "artifact", &sha256, "-o", to.to_str().unwrap()]);
        assert!(!again.status.success(), "nothing is written over: {again:?}");
    }

    // The source, over all deckies.
    let by: Value = lab.decnet(&["events", "--by", "src"]).json();
    let source = &by["groups"][0];
    assert_eq!(
        (by["groups"].as_array().unwrap().len(), source["name"].as_str().unwrap()),
        (1, &*lab.attacker().to_string())
    );
    assert_eq!(source["touched_count"], 4, "{source:#}");
    assert!(source["ports"].as_u64().unwrap() >= 101, "{source:#}");
    let words = |list: &Value, field: &str| -> Vec<String> {
        let words = list.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned());
        words.collect()
    };
    assert_eq!(words(&source["credentials"], "what"), ["admin / letmein (basic)", "hunter2 (plain)"]);
    assert_eq!(words(&source["files"], "name"), ["payload", "shell.php"]);

    // One conversation, by the beginning of its id.
    let (.., session) = uploads(&events).into_iter().find(|(name, ..)| name == "shell.php").unwrap();
    let said = in_words(&lab, &["--session", &session[..8]]);
    assert!(said.out.contains(&session) && said.out.contains("file uploaded: shell.php"), "{}", said.out);
    assert!(said.out.contains("login failed: admin / letmein (basic)"), "{}", said.out);
    assert!(said.out.contains("<?php system($_GET['c']); ?>"), "the bytes are told: {}", said.out);
    assert!(!said.out.contains('\u{1b}'), "and obeyed by no terminal: {}", said.out);

    // The scan is one event besides its own, and one line of the story.
    let summary = events.iter().find(|event| event.report.body.kind() == "scan.summary").unwrap();
    let Body::ScanSummary { deckies_count, ports_count, services, .. } = &summary.report.body else {
        panic!()
    };
    assert_eq!((*deckies_count, services.join(" ").as_str()), (4, "http redis"));
    assert!(*ports_count >= 101, "{summary:?}");
    let said = in_words(&lab, &[]);
    assert_eq!(said.out.lines().filter(|line| line.contains("sweep: 4 deckies")).count(), 1, "{}", said.out);

    // Alive from its first moment to its orderly last, and nothing is missing.
    let lives: Vec<Life> = events
        .iter()
        .filter_map(|event| match event.report.body {
            Body::Heartbeat { state, .. } => Some(state),
            _ => None,
        })
        .collect();
    assert_eq!((lives.first(), lives.last()), (Some(&Life::Starting), Some(&Life::Stopping)));
    let gaps: Value = lab.decnet(&["events", "gaps"]).json();
    assert_eq!(gaps["gaps"], Value::Array(Vec::new()), "{gaps:#}");
}

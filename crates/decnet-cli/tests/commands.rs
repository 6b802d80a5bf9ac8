//! Every command as a stranger meets it: what it prints for people and programs, what it writes, and the
//! exit code. Nothing here needs root, Docker or a network.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]
#![allow(clippy::disallowed_methods, reason = "the tests start the program that they test")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says so")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use decnet_core::Plan;
use decnet_core::state::{Engine, State, StateDir};
use serde_json::{Value, json};
use support::{Done, Place, finish, root};

const COMMANDS: [&str; 12] = [
    "deploy",
    "lab",
    "status",
    "teardown",
    "doctor",
    "services",
    "archetypes",
    "distros",
    "validate",
    "events",
    "completions",
    "man",
];

/// Names in a member of each of a list's objects.
fn names<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect()
}

// ---------------------------------------------------------------------------------------- catalogue

/// The documents' table of services: slug and ports.
const SERVICES: [(&str, &str); 25] = [
    ("conpot", "502, 102, 20000, 161/udp, 80"),
    ("docker_api", "2375, 2376 (TLS)"),
    ("elasticsearch", "9200"),
    ("ftp", "21"),
    ("http", "80, 443 (TLS)"),
    ("imap", "143, 993 (TLS)"),
    ("k8s", "6443 (TLS), 8080"),
    ("ldap", "389, 636 (TLS)"),
    ("llmnr", "5355/udp, 5353/udp"),
    ("mongodb", "27017"),
    ("mqtt", "1883"),
    ("mssql", "1433, 1434/udp"),
    ("mysql", "3306"),
    ("pop3", "110, 995 (TLS)"),
    ("postgres", "5432"),
    ("rdp", "3389"),
    ("redis", "6379"),
    ("sip", "5060/udp, 5060"),
    ("smb", "445, 139"),
    ("smtp", "25, 587"),
    ("snmp", "161/udp"),
    ("ssh", "22"),
    ("telnet", "23"),
    ("tftp", "69/udp"),
    ("vnc", "5900"),
];

#[test]
fn services_are_the_25_with_their_ports() {
    let place = Place::new();
    let (code, value) = place.json(&["services"]);
    let services = value["services"].as_array().unwrap();
    assert_eq!((code, services.len()), (0, 25));
    let table = place.run(&["services"]);
    assert_eq!((table.code, table.err.as_str()), (0, ""));
    let mut lines = table.out.lines();
    assert!(lines.next().unwrap().starts_with("service  "), "{}", table.out);
    for ((slug, ports), (service, line)) in SERVICES.iter().zip(services.iter().zip(lines.by_ref())) {
        assert_eq!(service["slug"], *slug);
        let shown: Vec<String> = service["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| {
                let udp = if port["transport"] == "udp" { "/udp" } else { "" };
                let tls = if port["tls"] == true { " (TLS)" } else { "" };
                format!("{}{udp}{tls}", port["number"])
            })
            .collect();
        assert_eq!(shown.join(", "), *ports, "{slug}");
        // The table for people says the same, one service on each line.
        assert!(line.starts_with(&format!("{slug} ")), "{line}");
        let keys = names(&service["keys"], "name");
        for cell in [*ports, service["role"].as_str().unwrap(), &keys.join(", ")] {
            assert!(line.contains(cell), "{cell} in {line}");
        }
        for key in service["keys"].as_array().unwrap() {
            for member in ["accepts", "default", "doc"] {
                assert!(!key[member].as_str().unwrap().is_empty(), "{member} of {slug}.{}", key["name"]);
            }
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn archetypes_and_distros_are_the_14_and_9() {
    let place = Place::new();
    for (command, count) in [("archetypes", 14), ("distros", 9)] {
        let (code, value) = place.json(&[command]);
        assert_eq!((code, value[command].as_array().unwrap().len()), (0, count));
        let table = place.run(&[command]);
        assert_eq!((table.code, table.out.lines().count(), table.err.as_str()), (0, 1 + count, ""));
        insta::assert_snapshot!(command, table.out);
        insta::assert_snapshot!(format!("{command}_json"), format!("{value:#}"));
    }
}

// ---------------------------------------------------------------------------------------- dry run

const FLEET: [&str; 10] =
    ["deploy", "--dry-run", "-n", "3", "--services", "ssh,http", "--subnet", "10.0.0.0/24", "--seed", "7"];

/// Every file below a directory with its bytes, sorted.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let name = path.strip_prefix(directory).unwrap().display().to_string();
                    found.push((name, std::fs::read(&path).unwrap()));
                }
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_dry_run_gives_the_same_bytes_again() {
    let (first, second) = (Place::new(), Place::new());
    let done = [&first, &second].map(|place| {
        let done = place.run(&[FLEET.as_slice(), &["--output", "json"]].concat());
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        done.out
    });
    assert_eq!(done[0], done[1]);
    let written = files(&first.path("decnet-dry-run"));
    assert_eq!(written, files(&second.path("decnet-dry-run")));
    assert_eq!(written[0].0, "compose.yaml");
    let compose = String::from_utf8(written[0].1.clone()).unwrap();
    let value: Value = serde_json::from_str(&done[0]).unwrap();
    assert_eq!(value["compose_file"], "decnet-dry-run/compose.yaml");
    assert_eq!(value["plan"]["seed"], 7);
    for decky in value["plan"]["deckies"].as_array().unwrap() {
        for key in ["address", "mac"] {
            assert!(compose.contains(decky[key].as_str().unwrap()), "{} of {}", key, decky["name"]);
        }
        let names = names(&decky["services"], "slug");
        assert_eq!(names, ["http", "ssh"]);
    }
    // Once more into the same place: what lies there is replaced by the same.
    assert_eq!(first.run(&FLEET).code, 0);
    assert_eq!(written, files(&first.path("decnet-dry-run")));
    // Another seed is another fleet.
    let other = [&FLEET[..9], &["8", "--output", "json"]].concat();
    assert_ne!(first.run(&other).out, done[0]);
}

#[test]
fn a_dry_run_shows_the_plan_and_leaves_the_state_alone() {
    let place = Place::new();
    let done = place.run(&FLEET);
    assert_eq!(done.code, 0);
    insta::assert_snapshot!("dry_run", done.out);
    insta::assert_snapshot!("dry_run_notes", done.err);
    assert!(!place.path("state").exists(), "the state directory is not even made");
    let mode = |name: &str| place.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("decnet-dry-run/compose.yaml"), 0o600, "it names every decky");
    let elsewhere = [FLEET.as_slice(), &["--compose-dir", "a/b"]].concat();
    assert!(
        place.run(&elsewhere).out.ends_with("the compose file is a/b/compose.yaml; nothing was started\n")
    );
    assert!(place.path("a/b/compose.yaml").is_file());
    // One decky is not "1 deckies".
    let one =
        ["deploy", "--dry-run", "-n", "1", "--services", "ssh", "--subnet", "10.0.0.0/24", "--seed", "7"];
    assert!(place.run(&one).out.contains(": 1 decky on 10.0.0.0/24 ("));
}

#[test]
fn a_dry_run_that_cannot_write_says_where() {
    let place = Place::new();
    place.write("file", "");
    let done = place.run(&[FLEET.as_slice(), &["--compose-dir", "file/x"]].concat());
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(done.err.contains("error: cannot make file/x: "), "{}", done.err);
}

/// Runs it as nobody at all, if this user may become that; says so if not.
fn as_nobody(place: &Place, arguments: &[&str]) -> Option<Done> {
    let binary = place.path("decnet");
    std::fs::copy(env!("CARGO_BIN_EXE_decnet"), &binary).unwrap();
    for (path, mode) in [(place.path(""), 0o777), (binary.clone(), 0o755)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let mut command = Command::new("setpriv");
    place.furnish(&mut command).args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    match Command::new("setpriv").args(["--reuid", "65534", "--clear-groups", "true"]).output() {
        Ok(output) if output.status.success() => Some(finish(command.arg(binary).args(arguments))),
        why => {
            eprintln!("SKIPPED: not run as another user, which takes root and `setpriv`: {why:?}");
            None
        }
    }
}

#[test]
fn a_dry_run_needs_no_rights() {
    let (nobody, me) = (Place::new(), Place::new());
    let words = [FLEET.as_slice(), &["--output", "json"]].concat();
    let Some(done) = as_nobody(&nobody, &words) else { return };
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.out, me.run(&words).out, "who asks changes nothing");
    assert_eq!(files(&nobody.path("decnet-dry-run")), files(&me.path("decnet-dry-run")));
}

#[test]
fn a_state_of_somebody_else_is_told_with_what_to_do() {
    let place = Place::new();
    std::fs::create_dir(place.path("state")).unwrap();
    std::fs::set_permissions(place.path("state"), std::fs::Permissions::from_mode(0o700)).unwrap();
    for words in [&["status"][..], &["teardown", "--all"], &["events"]] {
        let Some(done) = as_nobody(&place, words) else { return };
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{words:?}: {}", done.err);
        assert!(
            done.err.starts_with("error: cannot ") && done.err.contains("Permission denied"),
            "{}",
            done.err
        );
        if words != ["events"] {
            assert!(done.err.contains("--state-dir"), "{words:?}: {}", done.err);
        }
    }
}

#[test]
fn a_state_that_others_may_write_to_is_refused() {
    let place = Place::new();
    std::fs::create_dir(place.path("state")).unwrap();
    std::fs::set_permissions(place.path("state"), std::fs::Permissions::from_mode(0o777)).unwrap();
    let done = place.run(&["teardown", "--all"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(done.err.contains("has mode 0777") && done.err.contains("`chmod 700 "), "{}", done.err);
}

#[test]
fn a_state_that_is_broken_is_told() {
    let place = Place::new();
    std::fs::create_dir(place.path("state")).unwrap();
    std::fs::set_permissions(place.path("state"), std::fs::Permissions::from_mode(0o700)).unwrap();
    place.write("state/state.json", "{\"version\":1,");
    let done = place.run(&["status"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(done.err.contains("state.json cannot be understood: EOF while parsing"), "{}", done.err);
    place.write("state/state.json", "{\"version\":999}");
    let done = place.run(&["status"]);
    assert!(done.err.contains("is of version 999"), "{}", done.err);
    let (code, value) = place.json(&["status"]);
    assert_eq!(code, 1);
    assert!(value["error"]["message"].as_str().unwrap().contains("is of version 999"));
}

/// A place where a fleet was deployed of which nothing runs any more, as after a restart of the machine.
fn after_a_crash() -> Place {
    let place = Place::new();
    let (_, value) = place.json(&FLEET);
    let plan: Plan = serde_json::from_value(value["plan"].clone()).unwrap();
    let directory = StateDir::open(place.path("state")).unwrap();
    directory.save(&State::new(plan, Engine::Native)).unwrap();
    place
}

#[test]
fn a_dry_run_shows_what_becomes_of_the_fleet_that_is_there() {
    let place = after_a_crash();
    let before = files(&place.path("state"));
    let words = ["deploy", "--dry-run", "-n", "5", "--services", "ssh,http", "--subnet", "10.0.0.0/24"];
    let (code, grown) = place.json(&words);
    let (_, deployed) = place.json(&FLEET);
    assert_eq!(code, 0);
    let deckies = |value: &Value| value["plan"]["deckies"].as_array().unwrap().clone();
    assert_eq!(deckies(&grown).len(), 5);
    assert_eq!(deckies(&grown)[..3], deckies(&deployed)[..], "what is there stays as it is");
    assert_eq!(grown["plan"]["seed"], 7, "the seed is that of the deployment");
    assert_eq!(files(&place.path("state")), before, "and nothing there is touched");
}

#[test]
fn what_runs_no_more_is_told_so() {
    let place = after_a_crash();
    let done = place.run(&["status"]);
    assert_eq!((done.code, done.err.as_str()), (3, ""), "{done:?}");
    assert!(done.out.lines().any(|line| line.starts_with("decky-01  10.0.0.2  ")), "{}", done.out);
    assert!(done.out.contains("0 of 3 deckies up"), "{}", done.out);
    let (code, value) = place.json(&["status"]);
    assert_eq!((code, &value["deployed"], value["deckies"].as_array().unwrap().len()), (3, &json!(true), 3));
    let done = place.run(&["teardown", "--id", "decky-9"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    assert!(
        done.err.contains("there is no decky `decky-9`; there are decky-01, decky-02, decky-03"),
        "{}",
        done.err
    );
    let done = place.run(&["teardown", "--id", "decky-02"]);
    assert_eq!((done.code, done.out.as_str()), (0, "decky-02 is gone\n"), "{done:?}");
    assert_eq!(place.json(&["status"]).1["deckies"].as_array().unwrap().len(), 2);
    let done = place.run(&["teardown", "--all"]);
    assert_eq!((done.code, done.out.as_str()), (0, "2 deckies are gone\n"), "{done:?}");
    assert_eq!(place.json(&["status"]), (0, json!({ "deployed": false })));
    let done = place.run(&["teardown", "--all"]);
    assert_eq!((done.code, done.out.as_str()), (0, "nothing was deployed\n"), "{done:?}");
}

// ---------------------------------------------------------------------------------------- validate

#[test]
fn the_toml_and_ini_examples_have_the_same_verdict() {
    let place = Place::new();
    let verdicts = ["ini", "toml"].map(|end| {
        let file = root().join("fixtures").join(format!("test-full.{end}"));
        place.json(&["validate", file.to_str().unwrap()])
    });
    let codes = verdicts.each_ref().map(|(code, verdict)| {
        let found = names(&verdict["diagnostics"], "message").join("\n");
        (*code, verdict["deckies"].clone(), found)
    });
    assert_eq!(codes[0], codes[1]);
}

#[test]
fn the_long_example_is_planned_and_rendered_whole() {
    let place = Place::new();
    let config = root().join("fixtures/test-full.ini");
    let (code, value) = place.json(&["deploy", "--dry-run", "--config", config.to_str().unwrap()]);
    assert_eq!(code, 0, "{value}");
    let deckies = value["plan"]["deckies"].as_array().unwrap();
    assert_eq!(deckies.len(), 14);
    let services: std::collections::BTreeSet<&str> =
        deckies.iter().flat_map(|decky| names(&decky["services"], "slug")).collect();
    assert_eq!(services, SERVICES.iter().map(|(slug, _)| *slug).collect());
    let compose = std::fs::read_to_string(place.path("decnet-dry-run/compose.yaml")).unwrap();
    for decky in names(&value["plan"]["deckies"], "name") {
        assert!(compose.contains(&format!("\n  {decky}:")), "{decky}");
    }
}

#[test]
fn validate_answers_by_exit_code() {
    let place = Place::new();
    place.write(
        "good.ini",
        "[general]\nnet = 10.0.0.0/24\ngw = 10.0.0.1\n[web]\namount = 3\nservices = http\n",
    );
    place.write("odd.ini", "[general]\nnet = 10.0.0.0/24\ngw = 10.0.0.1\n[web]\nservices = http, http\n");
    place.write("bad.ini", "[general]\nnet = 10.0.0.0/24\ngw = 10.0.0.1\n[web]\nservices = htp\n");
    let done = place.run(&["validate", "good.ini"]);
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "good.ini is valid: 3 deckies\n", ""));
    let done = place.run(&["validate", "odd.ini"]);
    assert_eq!(done.code, 0);
    assert!(done.out.ends_with("odd.ini is valid: 1 decky, 1 warning\n"), "{}", done.out);
    let done = place.run(&["validate", "bad.ini"]);
    assert_eq!(done.code, 2);
    assert!(done.out.ends_with("bad.ini is not valid: 1 error\n"), "{}", done.out);
    let (code, verdict) = place.json(&["validate", "good.ini"]);
    let expected = json!({ "file": "good.ini", "valid": true, "deckies": 3, "diagnostics": [] });
    assert_eq!((code, verdict), (0, expected));
    // It is about the file alone, whoever deploys where.
    assert!(!place.path("state").exists());
}

// ---------------------------------------------------------------------------------------- nothing deployed

#[test]
fn without_a_deployment_nothing_fails() {
    let place = Place::new();
    for (words, out, err) in [
        (&["status"][..], "nothing is deployed\n", ""),
        (&["teardown", "--all"], "nothing was deployed\n", ""),
        // There are no known ids to name.
        (&["teardown", "--id", "decky-01"], "nothing was deployed\n", ""),
        (&["events"], "", "nothing was trapped yet\n"),
    ] {
        let done = place.run(words);
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, out, err), "{words:?}");
    }
    assert_eq!(place.json(&["status"]), (0, json!({ "deployed": false })));
    assert_eq!(place.json(&["teardown", "--all"]), (0, json!({ "removed": [], "problems": [] })));
    let events = place.run(&["events", "--output", "json"]);
    assert_eq!((events.code, events.out.as_str(), events.err.as_str()), (0, "", ""));
    assert!(!place.path("state").exists(), "asking makes nothing");
    // An empty name is none, as the variable of a careless unit file has it.
    let mut command = place.command(&["status"]);
    let done = finish(command.env("DECNET_STATE_DIR", "").env("XDG_STATE_HOME", place.path("xdg")));
    assert!(done.err.is_empty() || !done.err.contains("a value is required"), "{}", done.err);
}

// ---------------------------------------------------------------------------------------- help and texts

#[test]
fn help_of_every_command() {
    let place = Place::new();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_suffix("help");
    for command in std::iter::once("").chain(COMMANDS) {
        let words: Vec<&str> =
            std::iter::once(command).filter(|word| !word.is_empty()).chain(["--help"]).collect();
        let done = place.run(&words);
        assert_eq!((done.code, done.err.as_str()), (0, ""), "{command}");
        let name = if command.is_empty() { "decnet" } else { command };
        settings.bind(|| insta::assert_snapshot!(name, done.out));
        // `decnet help deploy` is the same page.
        if !command.is_empty() {
            assert_eq!(place.run(&["help", command]).out, done.out);
        }
    }
    let version = place.run(&["--version"]);
    assert_eq!((version.code, version.out), (0, format!("decnet {}\n", env!("CARGO_PKG_VERSION"))));
}

/// The flags that the help of a command names.
fn flags(place: &Place, command: &str) -> Vec<String> {
    let help = place.run(&[command, "--help"]).out;
    let words =
        help.lines().filter(|line| line.trim_start().starts_with('-')).flat_map(str::split_whitespace);
    let flags = words.filter(|word| word.starts_with("--") && word.len() > 2);
    flags.map(|flag| flag.trim_end_matches(',').trim_end_matches("...").to_owned()).collect()
}

#[test]
fn completions_know_every_command_and_flag() {
    let place = Place::new();
    let deploy = flags(&place, "deploy");
    assert!(deploy.len() > 20, "{deploy:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let done = place.run(&["completions", shell]);
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        for command in COMMANDS {
            assert!(done.out.contains(command), "{command} in {shell}");
        }
        for flag in &deploy {
            assert!(done.out.contains(flag.trim_start_matches('-')), "{flag} in {shell}");
        }
    }
    let wrong = place.run(&["completions", "tcsh"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("bash, elvish, fish, powershell, zsh"), "{}", wrong.err);
}

#[test]
fn manual_pages_name_every_flag() {
    let place = Place::new();
    let done = place.run(&["man", "--directory", "pages"]);
    assert_eq!((done.code, done.out.as_str()), (0, "the manual pages are in pages\n"));
    for command in COMMANDS {
        let page = std::fs::read_to_string(place.path(&format!("pages/decnet-{command}.1"))).unwrap();
        let page = page.replace("\\-", "-");
        assert!(page.contains(&format!(".TH decnet-{command} 1")), "{page}");
        for flag in flags(&place, command) {
            assert!(page.contains(&flag), "{flag} of {command}");
        }
    }
    let page = place.run(&["man"]).out;
    assert_eq!(page, std::fs::read_to_string(place.path("pages/decnet.1")).unwrap());
    for command in COMMANDS {
        assert!(page.replace("\\-", "-").contains(&format!("decnet-{command}(1)")), "{command}");
    }
    assert_eq!(
        page.matches("(1)\n").count(),
        COMMANDS.len(),
        "no page is promised that there is not: {page}"
    );
}

// ---------------------------------------------------------------------------------------- behaviour of all

#[test]
fn exit_codes_are_those_of_the_documents() {
    let place = Place::new();
    place.write("file", "");
    for (code, words) in [
        (0, &["distros"][..]),
        (0, &["status"]),
        (1, &["man", "--directory", "file/x"]),
        (1, &["deploy", "-m", "swarm", "-n", "1", "--services", "http"]),
        (2, &[]),
        (2, &["dance"]),
        (2, &["deploy"]),
        (2, &["deploy", "-n", "1"]),
        (2, &["deploy", "-n", "1", "--services", "http", "--compose-dir", "x"]),
        (2, &["lab", "--dry-run", "-n", "1", "--services", "http"]),
        (2, &["teardown"]),
        (2, &["teardown", "--all", "--id", "x"]),
        (2, &["validate"]),
        (2, &["validate", "nowhere.ini"]),
        (2, &["events", "--since", "yesterday"]),
        (2, &["events", "--src", "srv"]),
        (2, &["events", "--session", "xyz"]),
        (2, &["events", "--file", "nowhere"]),
        (2, &["services", "--output", "xml"]),
    ] {
        let done = place.run(words);
        assert_eq!(done.code, code, "{words:?}: {done:?}");
        if code != 0 {
            assert_eq!(done.out, "", "{words:?}");
            assert!(done.err.starts_with("error: "), "{words:?}: {}", done.err);
            assert_eq!(done.err.matches("error:").count(), 1, "one message: {}", done.err);
        }
    }
}

#[test]
fn a_failure_is_one_json_value_too() {
    let place = Place::new();
    for (code, words) in [
        (1, &["deploy", "-m", "swarm", "-n", "1", "--services", "http"][..]),
        (2, &["deploy", "-n", "1"]),
        (2, &["dance"]),
        (2, &["teardown"]),
        (2, &["events", "--since", "yesterday"]),
        (2, &["deploy", "--dry-run", "-n", "0", "--services", "http", "--subnet", "10.0.0.0/24"]),
    ] {
        let (real, value) = place.json(words);
        assert_eq!(real, code, "{words:?}");
        let message = value["error"]["message"].as_str().unwrap();
        assert!(
            !message.is_empty() && !message.contains("Usage:") && !message.starts_with("error"),
            "{message}"
        );
        assert_eq!(value.as_object().unwrap().len(), 1);
        let before = [&["--output=json"], words].concat();
        let done = place.run(&before);
        assert_eq!(done.code, code);
        assert_eq!(serde_json::from_str::<Value>(&done.out).unwrap(), value);
        assert_eq!(done.err, "");
    }
}

#[test]
fn every_answer_is_json_where_it_is_asked_for() {
    let place = Place::new();
    for words in [&["services"][..], &["archetypes"], &["distros"], &["status"], &["teardown", "--all"]] {
        let (code, value) = place.json(words);
        assert!(code == 0 && value.is_object(), "{words:?}");
    }
    let (code, value) = place.json(&FLEET);
    assert_eq!(code, 0);
    let members: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(members, ["compose_file", "diagnostics", "plan"]);
    assert_eq!(value["diagnostics"][0]["code"], "network.detected");
    let (code, value) = place.json(&["man", "--directory", "pages"]);
    assert_eq!((code, value), (0, json!({ "message": "the manual pages are in pages" })));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let shell = |script: &str| {
        let mut command = Command::new("bash");
        let script = format!("set -o pipefail; {script}");
        finish(place.furnish(&mut command).args(["-c", &script, env!("CARGO_BIN_EXE_decnet")]))
    };
    // More than a pipe holds, so that writing fails.
    let fleet = "deploy --dry-run -n 250 --services ssh --subnet 10.0.0.0/24 --seed 1";
    for words in ["services", "completions bash", &format!("{fleet} --output json"), "--help"] {
        let done = shell(&format!("\"$0\" {words} | head -1"));
        assert_eq!((done.code, done.out.lines().count()), (0, 1), "{words}: {done:?}");
        assert!(!done.err.contains("roken pipe"), "{words}: {done:?}");
    }
    let closed = shell("\"$0\" services >&-");
    assert!(!closed.err.contains("panicked"), "{closed:?}");
}

#[test]
fn a_table_for_a_program_has_one_line_for_each_row() {
    let place = Place::new();
    let mut command = place.command(&["services"]);
    let done = finish(command.stdout(Stdio::piped()).env("COLUMNS", "40"));
    assert_eq!(done.out.lines().count(), 26, "a pipe has no width: {}", done.out);
    assert!(done.out.lines().all(|line| line.trim_end() == line && !line.starts_with(' ')));
}

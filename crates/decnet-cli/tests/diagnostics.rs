//! Whatever can be wrong with a config or a command line is told clearly: what, where, and what to do; all
//! of it in one run, and never as a panic.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod mistakes;
mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use decnet_core::request::{Format, read};
use decnet_core::{Catalogue, HostFacts, ResolveOptions, diagnostic::Source, resolve};
use mistakes::{Mistake, NET};
use serde_json::Value;
use support::{Place, root};

/// A diagnostic of the JSON form as the tables of mistakes write it: `4:1 error config.unknown-key`.
fn brief(diagnostic: &Value) -> String {
    let place = match (diagnostic["line"].as_u64(), diagnostic["flag"].as_str()) {
        (Some(line), _) => format!("{line}:{} ", diagnostic["column"]),
        (None, Some(flag)) => format!("{flag} "),
        (None, None) => String::new(),
    };
    let text = |key: &str| diagnostic[key].as_str().unwrap().to_owned();
    format!("{place}{} {}", text("level"), text("code"))
}

/// All but notes.
fn briefs(diagnostics: &Value) -> Vec<String> {
    let all = diagnostics.as_array().unwrap();
    all.iter().filter(|one| one["level"] != "note").map(brief).collect()
}

/// House rules for messages.
#[track_caller]
fn assert_well_worded(diagnostic: &Value) {
    let message = diagnostic["message"].as_str().unwrap();
    // A word that is written with a capital stays so.
    let proper = ["Windows"].iter().any(|word| message.starts_with(word));
    assert!(proper || !message.starts_with(char::is_uppercase), "lower case: {message}");
    assert!(!message.ends_with('.') && !message.contains('\n'), "one sentence, no full stop: {message}");
    assert!(message.len() < 250, "short: {message}");
    if let Some(help) = diagnostic["help"].as_str() {
        assert!(!help.ends_with('.') && !help.is_empty(), "no full stop: {help}");
    }
}

/// Checks a table, all of it.
#[track_caller]
fn check(mistakes: &[Mistake]) {
    let place = Place::new();
    let mut wrong = Vec::new();
    for Mistake { is, name, config, found, says } in mistakes {
        place.write(name, config);
        let (code, verdict) = place.json(&["validate", name]);
        let diagnostics = &verdict["diagnostics"];
        diagnostics.as_array().unwrap().iter().for_each(assert_well_worded);
        let valid = !found.iter().any(|one| one.contains("error "));
        assert_eq!(
            (code, &verdict["valid"], &verdict["file"]),
            (if valid { 0 } else { 2 }, &valid.into(), &(*name).into()),
            "{is}: {verdict:#}"
        );
        let text = diagnostics.to_string();
        let unsaid = says.iter().find(|says| !text.contains(&says.replace('"', "\\\"")));
        let really = briefs(diagnostics);
        if really != *found || unsaid.is_some() {
            wrong.push(format!("{is}: {really:?}, not said: {unsaid:?}\n{diagnostics:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn mistakes_in_the_text_are_told_at_their_place() {
    check(mistakes::TEXT);
}

#[test]
fn mistakes_in_general_are_told_at_their_place() {
    check(mistakes::GENERAL);
}

#[test]
fn mistakes_in_deckies_are_told_at_their_place() {
    check(mistakes::DECKIES);
}

#[test]
fn mistakes_in_personas_are_told_at_their_place() {
    check(mistakes::PERSONAS);
}

#[test]
fn mistakes_in_custom_services_are_told_at_their_place() {
    check(mistakes::CUSTOMS);
}

#[test]
fn the_table_knows_more_than_forty_kinds_and_every_code() {
    let tables =
        [mistakes::TEXT, mistakes::GENERAL, mistakes::DECKIES, mistakes::PERSONAS, mistakes::CUSTOMS];
    let told: BTreeSet<&str> = tables
        .into_iter()
        .flatten()
        .flat_map(|mistake| mistake.found)
        .chain(mistakes::FLAGS.iter().flat_map(|mistake| mistake.found))
        .map(|one| one.rsplit(' ').next().unwrap())
        .collect();
    assert!(told.len() >= 44, "{} kinds", told.len());
    // What no file and no flag can bring about alone.
    let elsewhere = [
        // The machine's own network: `what_the_machine_says_is_judged_too` has them.
        "address.host",
        "address.in-use",
        "network.detected",
        "network.missing",
        "network.not-local",
        "network.undetected",
        "network.wireless",
        // In a file beside the config: the tests of the program's `personas` have it.
        "persona.file",
        // Not even text: `what_is_no_config_at_all_is_told_as_well` has it.
        "config.not-utf-8",
        // What the reader of files has refused as a section already; these are for requests that a program
        // makes by hand.
        "custom.duplicate",
        "custom.slug",
        "name.invalid",
        // A disagreement between the two readers of INI: one of them would have a bug.
        "config.ini-syntax",
    ];
    let mut known = codes_in_source();
    known.retain(|code| !elsewhere.contains(&code.as_str()));
    let untold: Vec<&String> = known.iter().filter(|code| !told.contains(code.as_str())).collect();
    assert!(untold.is_empty(), "these codes have no mistake in the table: {untold:?}");
}

/// Every diagnostic code that stands in the sources: they are literals, so that scripts may rely on them.
fn codes_in_source() -> BTreeSet<String> {
    let mut folders: Vec<PathBuf> =
        ["crates/decnet-core/src/request", "crates/decnet-core/src/resolve", "crates/decnet-cli/src"]
            .map(|folder| root().join(folder))
            .into();
    let mut codes = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            // What stands in tests is no code.
            let text = text.split("#[cfg(test)]").next().unwrap();
            codes.extend(text.split('"').filter(|word| is_code(word)).map(str::to_owned));
        }
    }
    codes
}

fn is_code(word: &str) -> bool {
    const AREAS: [&str; 15] = [
        "address",
        "amount",
        "archetype",
        "config",
        "custom",
        "distro",
        "flag",
        "fleet",
        "general",
        "hostname",
        "mac",
        "name",
        "network",
        "os",
        "persona",
    ];
    word.split_once('.').is_some_and(|(area, rest)| {
        (AREAS.contains(&area) || area == "service")
            && !rest.is_empty()
            && !rest.ends_with("ini")
            && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-' || byte == b'8')
    })
}

#[test]
fn many_mistakes_in_one_file_are_told_in_one_run() {
    let place = Place::new();
    place.write("many.ini", mistakes::MANY);
    let (code, verdict) = place.json(&["validate", "many.ini"]);
    assert_eq!(code, 2);
    assert_eq!(briefs(&verdict["diagnostics"]), mistakes::MANY_FOUND, "{verdict:#}");
    let done = place.run(&["validate", "many.ini"]);
    assert_eq!((done.code, done.err.as_str()), (2, ""));
    insta::assert_snapshot!(done.out);
    // Deploying says the same, and does nothing.
    let (code, refusal) = place.json(&["deploy", "--dry-run", "--config", "many.ini"]);
    assert_eq!(code, 2);
    assert_eq!(refusal["error"]["message"], "the request is not valid");
    assert_eq!(briefs(&refusal["error"]["diagnostics"]), mistakes::MANY_FOUND);
    assert!(!place.path("decnet-dry-run").exists());
}

#[test]
fn wrong_flags_are_told_by_their_name() {
    let place = Place::new();
    place.write("fleet.ini", format!("{NET}[web]\nservices = ssh\n"));
    let mut wrong = Vec::new();
    for mistakes::Flags { is, flags, found, says } in mistakes::FLAGS {
        let words: Vec<&str> = ["deploy", "--dry-run"].into_iter().chain(flags.split(' ')).collect();
        let (code, refusal) = place.json(&words);
        assert_eq!(code, 2, "{is}: {refusal:#}");
        let error = &refusal["error"];
        let empty = Value::Array(Vec::new());
        let diagnostics = error.get("diagnostics").unwrap_or(&empty);
        diagnostics.as_array().unwrap().iter().for_each(assert_well_worded);
        let really = briefs(diagnostics);
        let text = error.to_string();
        let unsaid = says.iter().find(|says| !text.contains(&says.replace('"', "\\\"")));
        if really != *found || unsaid.is_some() {
            wrong.push(format!("{is}: {really:?}, not said: {unsaid:?}\n{error:#}"));
        }
        assert!(!place.path("decnet-dry-run").exists(), "{is}: nothing is written");
        assert!(!place.path("state").exists(), "{is}: the state is left alone");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let done = place.run(&["deploy", "--dry-run", "--config", "fleet.ini", "-n", "3", "-a", "printer"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""));
    insta::assert_snapshot!(done.err);
}

#[test]
fn what_the_machine_says_is_judged_too() {
    let catalogue = Catalogue::builtin(decnet_services::registry::descriptors());
    let judge = |text: &str, facts: &HostFacts| {
        let (request, mut found) = read(&Source::new("f.ini", text), Format::Ini);
        found.extend(resolve(&request, facts, &catalogue, &ResolveOptions::seeded(1)).1);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let facts = HostFacts {
        interface: Some("wlan0".into()),
        subnet: Some("10.0.0.0/24".parse().unwrap()),
        gateway: Some([10, 0, 0, 1].into()),
        address: Some([10, 0, 0, 9].into()),
        in_use: [[10, 0, 0, 7].into()].into(),
        wireless: true,
    };
    let own = judge("[a]\nservices = ssh\nip = 10.0.0.9\n", &facts);
    assert!(own[0].starts_with("f.ini:3:6: error: ip 10.0.0.9 of `a` is that of this machine"), "{own:#?}");
    assert!(own.iter().any(|one| one.contains("note: no `net` is given; 10.0.0.0/24 was detected")));
    assert!(
        own.iter().any(|one| one.contains("warning: wlan0 is wireless") && one.contains("network.wireless"))
    );
    let taken = judge("[a]\nservices = ssh\nip = 10.0.0.7\n", &facts);
    assert!(taken[0].contains("f.ini:3:6: warning: ip 10.0.0.7 of `a` is in use"), "{taken:#?}");
    let foreign = judge("[general]\nnet = 172.16.0.0/24\n[a]\nservices = ssh\n", &facts);
    assert!(
        foreign[0].contains("f.ini:2:7: warning: 172.16.0.0/24 is not the network of wlan0"),
        "{foreign:#?}"
    );
    let none = judge("[a]\nservices = ssh\n", &HostFacts::default());
    assert!(none[0].contains("error: the LAN is neither given nor detected [network.missing]"), "{none:#?}");
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    let place = Place::new();
    let words = ["deploy", "--dry-run", "-n", "1", "--services", "ssh", "--interface", "nosuch0"];
    let (code, refusal) = place.json(&words);
    let found = &refusal["error"]["diagnostics"];
    assert_eq!(code, 2);
    assert_eq!(briefs(found), ["--interface warning network.undetected", "error network.missing"]);
    assert!(found.to_string().contains("`nosuch0`"), "{found:#}");
}

#[test]
fn what_is_no_config_at_all_is_told_as_well() {
    let place = Place::new();
    place.write("latin.ini", b"[general]\n# caf\xe9\n");
    let (code, verdict) = place.json(&["validate", "latin.ini"]);
    assert_eq!((code, briefs(&verdict["diagnostics"])), (2, vec!["2:6 error config.not-utf-8".to_owned()]));
    let done = place.run(&["deploy", "--dry-run", "-c", "latin.ini"]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("0xE9") && done.err.contains("latin.ini:2:6"), "{}", done.err);

    std::fs::create_dir(place.path("folder")).unwrap();
    for (name, says) in [
        ("folder", "`folder` is a directory; name the config file in it"),
        ("nowhere.ini", "there is no config file `nowhere.ini`"),
        ("", "a value is required for '<FILE>'"),
    ] {
        let done = place.run(&["validate", name]);
        assert_eq!((done.code, done.out.as_str()), (2, ""));
        assert!(done.err.starts_with("error: ") && done.err.contains(says), "{}", done.err);
        assert!(!done.err.contains("os error"), "{}", done.err);
        assert_eq!(place.run(&["deploy", "--dry-run", "-c", name]).code, 2);
    }
}

#[test]
fn a_mark_and_windows_line_ends_are_no_mistakes() {
    let place = Place::new();
    let ini = format!("\u{feff}{NET}[a]\nservices = ssh\n").replace('\n', "\r\n");
    let toml =
        "\u{feff}[general]\r\nnet = \"10.0.0.0/24\"\r\ngw = \"10.0.0.1\"\r\n[a]\r\nservices = [\"ssh\"]\r\n";
    for (name, text) in [("a.ini", ini.as_str()), ("a.toml", toml)] {
        place.write(name, text);
        let done = place.run(&["validate", name]);
        assert_eq!((done.code, done.out), (0, format!("{name} is valid: 1 decky\n")));
    }
    // And the places behind them are right.
    place.write("b.ini", "\u{feff}[genral]\r\nnet = 10.0.0.0/24\r\n[a]\r\nservices = ssh\r\n");
    let (_, verdict) = place.json(&["validate", "b.ini"]);
    assert_eq!(briefs(&verdict["diagnostics"]), ["1:1 error config.unknown-section"]);
    let done = place.run(&["validate", "b.ini"]);
    assert!(done.out.contains("[b.ini:1:1]\n 1 | [genral]\n"), "{}", done.out);
}

#[test]
fn a_config_cannot_talk_to_the_terminal() {
    let place = Place::new();
    place.write(
        "a.toml",
        "[general]\nnet = \"10.0.0.0/24\"\n[a]\nservices = \"ssh\\u001b[2J, \u{202e}ftp\"\n",
    );
    let done = place.run(&["validate", "a.toml"]);
    assert_eq!(done.code, 2);
    assert!(done.out.contains("`ssh\\u{1b}[2J` is no service"), "{}", done.out);
    assert!(!done.out.contains('\u{202e}'), "{}", done.out);
    place.write("b.ini", "[a]\nservices = s\u{1b}]0;owned\u{7}sh\n");
    let done = place.run(&["validate", "b.ini"]);
    assert!(done.out.contains("U+001B") && done.out.contains("services = s?]0;owned?sh"), "{}", done.out);
}

#[test]
fn what_is_left_to_detection_is_no_mistake_and_judges_nothing() {
    let place = Place::new();
    place.write("a.ini", "[a]\nservices = ssh\nip = 192.168.7.5\n");
    let done = place.run(&["validate", "a.ini"]);
    assert_eq!(done.code, 0, "{}", done.out);
    insta::assert_snapshot!(done.out);
}

#[test]
fn thousands_of_mistakes_are_told_at_once() {
    let place = Place::new();
    let groups = (0..2_500).map(|at| format!("[g{at}]\nservices = ssh, htp\n")).collect::<String>();
    place.write("big.ini", format!("[general]\nnet = 10.0.0.0/8\ngw = 10.0.0.1\n{groups}"));
    let begin = std::time::Instant::now();
    let done = place.run(&["validate", "big.ini"]);
    // It takes less than a second of a busy machine. Where every place is counted from the top of the file
    // it takes minutes.
    assert!(begin.elapsed().as_secs() < 15, "{:?}", begin.elapsed());
    assert_eq!(done.code, 2);
    assert!(done.out.contains("[big.ini:5003:17]"), "the last of them is told");
    assert!(done.out.ends_with("big.ini is not valid: 2500 errors\n"));
}

//! The state directory: locking, replacing, refusing, and what an interruption leaves.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use decnet_core::plan::{self, Attachment, EngineChoice, Logging, Network, Plan};
use decnet_core::state::{self, Engine, State, StateDir, StateError};

fn plan(seed: u64) -> Plan {
    Plan {
        version: plan::VERSION,
        fleet: format!("fleet-{seed:08x}"),
        seed,
        network: Network {
            interface: Some("eth0".into()),
            subnet: "198.51.100.0/24".parse().expect("a network"),
            gateway: Ipv4Addr::new(198, 51, 100, 1),
            host: None,
            attachment: Attachment::Macvlan,
        },
        domain: "corp.example".into(),
        engine: EngineChoice::Auto,
        logging: Logging::default(),
        custom_services: Vec::new(),
        deckies: Vec::new(),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn what_was_saved_is_loaded() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("a/b");
    let directory = StateDir::open(&path).unwrap();
    assert!(directory.load().unwrap().is_none());
    let mut state = State::new(plan(7), Engine::Native);
    directory.save(&state).unwrap();
    assert_eq!(directory.load().unwrap().unwrap(), state);
    state.settled = true;
    state.compose_file = Some("/somewhere/compose.yaml".into());
    directory.save(&state).unwrap();
    assert_eq!(directory.load().unwrap().unwrap(), state);
    assert_eq!(state::peek(&path).unwrap().unwrap(), state, "looking needs no lock");
    directory.remove().unwrap();
    directory.remove().unwrap();
    assert!(directory.load().unwrap().is_none());
}

#[test]
fn only_the_owner_reads_it() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("state");
    let directory = StateDir::open(&path).unwrap();
    directory.save(&State::new(plan(1), Engine::Docker)).unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("state.json")), 0o600);
    assert_eq!(mode(&path.join("lock")), 0o600);
}

#[test]
fn a_directory_that_others_may_write_to_is_refused_and_left_as_it_is() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("open");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    let error = StateDir::open(&path).unwrap_err();
    assert!(matches!(error, StateError::Exposed { mode: 0o777, .. }));
    assert!(error.to_string().contains("mode 0777"), "{error}");
    assert_eq!(mode(&path), 0o777);
    assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
}

#[test]
fn a_second_one_is_told_who_holds_it() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().to_owned();
    let first = StateDir::open(&path).unwrap();
    let error = StateDir::open(&path).unwrap_err();
    let own = std::process::id();
    assert!(matches!(error, StateError::Locked { holder: Some(pid), .. } if pid == own));
    assert_eq!(
        error.to_string(),
        format!("the state in {} is in use by process {own}; wait until that has ended", path.display())
    );
    fs::write(path.join("lock"), "no number").unwrap();
    let error = StateDir::open(&path).unwrap_err();
    assert!(matches!(error, StateError::Locked { holder: None, .. }), "{error}");
    drop(first);
    StateDir::open(&path).unwrap();
    assert_eq!(fs::read_to_string(path.join("lock")).unwrap(), format!("{own}\n"));
}

#[test]
fn an_interrupted_save_leaves_the_old_state_and_is_cleared_away() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    let old = State::new(plan(1), Engine::Native);
    StateDir::open(path).unwrap().save(&old).unwrap();
    // What a process leaves that is killed while it writes: a part of the new file under another name.
    let stale = path.join(".state.json.4242");
    let new = serde_json::to_vec(&State::new(plan(2), Engine::Native)).unwrap();
    fs::File::create(&stale).unwrap().write_all(&new[..new.len() / 2]).unwrap();
    // And one of our own process id, which the next save must not stumble over.
    fs::write(path.join(format!(".state.json.{}", std::process::id())), "{").unwrap();
    assert_eq!(state::peek(path).unwrap().unwrap(), old);
    let directory = StateDir::open(path).unwrap();
    assert!(!stale.exists());
    assert_eq!(directory.load().unwrap().unwrap(), old);
    let newer = State::new(plan(3), Engine::Native);
    directory.save(&newer).unwrap();
    assert_eq!(directory.load().unwrap().unwrap(), newer);
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lock", "state.json"]);
}

#[test]
fn a_save_that_fails_leaves_the_old_state() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    let directory = StateDir::open(path).unwrap();
    // A directory stands where the file should go, so the last step fails.
    fs::create_dir(path.join("state.json")).unwrap();
    fs::write(path.join("state.json/kept"), "").unwrap();
    let error = directory.save(&State::new(plan(1), Engine::Native)).unwrap_err();
    assert!(matches!(error, StateError::Write { .. }), "{error}");
    assert!(path.join("state.json/kept").exists());
    assert!(!path.join(format!(".state.json.{}", std::process::id())).exists());
}

#[test]
fn a_newer_state_is_refused_whatever_its_shape() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = StateDir::open(temporary.path()).unwrap();
    let file = temporary.path().join("state.json");
    for (text, found) in [
        (r#"{"version": 2, "fleets": []}"#, 2),
        (r#"{"version": 1, "plan": {"version": 9, "unheard": "of"}}"#, 9),
    ] {
        fs::write(&file, text).unwrap();
        let error = directory.load().unwrap_err();
        assert!(matches!(error, StateError::Newer { found: f, known: 1, .. } if f == found), "{error}");
        assert!(error.to_string().contains("and this program knows versions up to 1"), "{error}");
    }
}

#[test]
fn a_broken_state_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = StateDir::open(temporary.path()).unwrap();
    let file = temporary.path().join("state.json");
    for text in ["", "{", "[]", "{\"version\": 1}", "{\"version\": \"1\"}"] {
        fs::write(&file, text).unwrap();
        let error = directory.load().unwrap_err();
        assert!(matches!(error, StateError::Malformed { .. }), "{text}: {error}");
        assert!(error.to_string().starts_with(&file.display().to_string()), "{error}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_says_what_to_do() {
    let temporary = tempfile::tempdir().unwrap();
    fs::write(temporary.path().join("file"), "").unwrap();
    let error = StateDir::open(temporary.path().join("file/state")).unwrap_err();
    assert!(matches!(error, StateError::Directory { .. }));
    assert!(error.to_string().contains("--state-dir"), "{error}");
}

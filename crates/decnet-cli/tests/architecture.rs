//! The invariants of ARCHITECTURE.md that a test can hold.
#![allow(clippy::unwrap_used, reason = "a test: what cannot be read is a failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every Rust source below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file without comments and without what follows its test module; nothing of a file that is
/// one.
fn code(path: &Path) -> String {
    let is_test = path.file_name().is_some_and(|name| name == "tests.rs")
        || path.parent().is_some_and(|folder| folder.ends_with("tests"));
    if is_test {
        return String::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// String literals of code, raw ones included, escapes left as they are.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in code.lines() {
        let mut rest = line;
        while let Some(start) = rest.find('"') {
            let inner = &rest[start + 1..];
            let mut end = 0;
            let bytes = inner.as_bytes();
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            let end = end.min(inner.len());
            found.push(inner.get(..end).unwrap_or_default().to_owned());
            rest = inner.get(end + 1..).unwrap_or_default();
        }
    }
    found
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let layers: BTreeMap<&str, u8> = [
        ("decnet-core", 0),
        ("decnet-logging", 1),
        ("decnet-fingerprint", 1),
        ("decnet-net", 2),
        ("decnet-services", 2),
        ("decnet-compose", 2),
        ("decnet-engine", 3),
        ("decnet-cli", 4),
    ]
    .into();
    let crates = root().join("crates");
    let names: BTreeSet<String> = fs::read_dir(&crates)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        names,
        layers.keys().map(|name| (*name).to_owned()).collect(),
        "a crate has no place in the house"
    );
    for name in &names {
        let manifest = fs::read_to_string(crates.join(name).join("Cargo.toml")).unwrap();
        // Test-only edges may point anywhere: they ship nothing.
        let shipped = manifest.split("[dev-dependencies]").next().unwrap();
        for dependency in shipped.lines().filter_map(|line| line.split(['.', ' ', '=']).next()) {
            if let Some(layer) = layers.get(dependency) {
                assert!(*layer < layers[name.as_str()], "{name} must not depend on {dependency}");
            }
        }
    }
    for name in ["decnet-compose", "decnet-core"] {
        let manifest = fs::read_to_string(crates.join(name).join("Cargo.toml")).unwrap();
        let shipped = manifest.split("[dev-dependencies]").next().unwrap();
        for heavy in ["tokio", "nix", "rustix", "rtnetlink", "libc", "getrandom"] {
            assert!(
                !shipped.contains(&format!("\n{heavy}")),
                "{name} is pure: it must not depend on {heavy}"
            );
        }
    }
}

#[test]
fn pure_crates_have_no_clock_no_network_and_no_files() {
    for name in ["decnet-core", "decnet-compose", "decnet-fingerprint"] {
        for path in sources(&root().join("crates").join(name).join("src")) {
            let is_state = path.ends_with("decnet-core/src/state.rs");
            let code = code(&path);
            for forbidden in
                ["Instant::now", "SystemTime", "now_utc", "std::fs", "TcpStream", "UdpSocket", "std::env"]
            {
                let allowed = is_state && forbidden == "std::fs";
                assert!(allowed || !code.contains(forbidden), "{} uses {forbidden}", path.display());
            }
        }
    }
}

#[test]
fn unsafe_code_stands_where_it_is_listed() {
    for name in ["decnet-core", "decnet-fingerprint", "decnet-logging", "decnet-services", "decnet-compose"] {
        let lib = fs::read_to_string(root().join("crates").join(name).join("src/lib.rs")).unwrap();
        assert!(lib.contains("#![forbid(unsafe_code)]"), "{name} forbids unsafe code");
    }
    let allowed = ["decnet-net/src/sys/mod.rs", "decnet-engine/src/sys.rs"];
    let mut found = Vec::new();
    for path in sources(&root().join("crates")) {
        if fs::read_to_string(&path).unwrap().contains("allow(unsafe_code")
            && !path.ends_with("architecture.rs")
        {
            found.push(path);
        }
    }
    assert_eq!(found.len(), allowed.len(), "{found:?}");
    for path in found {
        assert!(allowed.iter().any(|allowed| path.ends_with(allowed)), "{}", path.display());
    }
}

#[test]
fn processes_start_in_one_file_and_printing_is_the_command_lines() {
    let crates = root().join("crates");
    for path in
        sources(&crates).into_iter().filter(|path| path.components().any(|part| part.as_os_str() == "src"))
    {
        let code = code(&path);
        let shown = path.display();
        if !path.ends_with("decnet-engine/src/process.rs") {
            assert!(!code.contains("Command::new("), "{shown} starts a process");
        }
        if !path.starts_with(crates.join("decnet-cli")) {
            for print in ["println!", "eprintln!", "print!(", "dbg!("] {
                assert!(!code.contains(print), "{shown} prints");
            }
        }
        if !path.starts_with(crates.join("decnet-engine/src/docker")) {
            assert!(!code.contains("bollard"), "{shown} talks to Docker, which is the Docker engine's");
        }
        if !path.starts_with(crates.join("decnet-net")) {
            for raw in ["rtnetlink", "AF_PACKET", "SockType::Raw", "setns("] {
                assert!(!code.contains(raw), "{shown} uses {raw}, which is decnet-net's");
            }
        }
    }
}

/// The folders of services, by the registry.
fn services() -> Vec<&'static str> {
    decnet_services::registry().into_iter().map(|service| service.descriptor.slug).collect()
}

#[test]
fn no_service_names_another() {
    let src = root().join("crates/decnet-services/src");
    for slug in services() {
        for path in sources(&src.join(slug)) {
            let code = code(&path);
            for other in services().into_iter().filter(|other| *other != slug) {
                let form = format!("crate::{other}::");
                assert!(
                    !code.contains(&form),
                    "{} uses {form}: what two services share is a kit",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn codecs_only_read_and_write_bytes() {
    let src = root().join("crates/decnet-services/src");
    for path in sources(&src) {
        let is_codec = path.file_name().is_some_and(|name| name == "codec.rs")
            || path.components().any(|part| part.as_os_str() == "codec" || part.as_os_str() == "asn1");
        if !is_codec {
            continue;
        }
        let code = code(&path);
        for forbidden in
            ["tokio", "std::net", "std::fs", "Clock", "Entropy", "Instant", "async fn", ".unwrap()", "panic!"]
        {
            assert!(!code.contains(forbidden), "{} uses {forbidden}", path.display());
        }
    }
}

#[test]
fn nothing_that_a_server_says_gives_it_away() {
    let src = root().join("crates/decnet-services/src");
    let frame = ["run", "registry.rs", "lib.rs", "testing.rs"];
    for path in sources(&src) {
        // A service's mod.rs describes it to the operator: its persona keys' docs never leave this machine.
        let describes = path.ends_with("mod.rs") && path.parent().and_then(Path::parent) == Some(&src);
        if describes || frame.iter().any(|part| path.starts_with(src.join(part))) {
            continue;
        }
        for literal in literals(&code(&path)) {
            let literal = literal.to_lowercase();
            for tell in ["decnet", "decky", "honeypot", "decoy"] {
                assert!(!literal.contains(tell), "{}: \"{literal}\"", path.display());
            }
        }
    }
    // Data files go on the wire as they are.
    for entry in fs::read_dir(&src).unwrap().flatten() {
        let folders = ["data", "pages"].map(|folder| fs::read_dir(entry.path().join(folder)));
        for file in folders.into_iter().flatten().flatten().flatten() {
            let text = fs::read(file.path()).unwrap_or_default();
            let is_table = file.path().extension().is_some_and(|extension| extension == "toml");
            let text: String = String::from_utf8_lossy(&text)
                .to_lowercase()
                .lines()
                .filter(|line| !(is_table && line.trim_start().starts_with('#')))
                .map(|line| format!("{line}\n"))
                .collect();
            for tell in ["decnet", "decky", "honeypot"] {
                assert!(!text.contains(tell), "{}: {tell}", file.path().display());
            }
        }
    }
}

#[test]
fn files_stay_small_enough_to_read() {
    for path in sources(&root().join("crates")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let most = if path.components().any(|part| part.as_os_str() == "tests") { 1200 } else { 900 };
        assert!(lines <= most, "{} has {lines} lines; split it by idea", path.display());
    }
}

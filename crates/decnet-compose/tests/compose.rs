//! The file as compose itself reads it. No daemon is asked: `config` only reads and checks.
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use decnet_compose::{Options, render};
use decnet_core::plan::{Attachment, Plan};
use serde_json::Value;

#[allow(clippy::disallowed_methods, reason = "the reference reader is a program")]
fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = command(program, arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The ways to call compose that are there.
fn composes() -> Vec<(&'static str, &'static [&'static str])> {
    let known: [(&str, &[&str]); 2] = [("docker-compose", &[]), ("docker", &["compose"])];
    known.into_iter().filter(|(program, first)| works(program, &[first, &["version"][..]].concat())).collect()
}

/// Says that a test is skipped; where all tests are required, that is a failure.
fn skip(missing: &str) {
    let required = std::env::var("DECNET_TEST_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!required, "{missing}");
    // Past the harness, which keeps what a passing test prints to itself.
    std::io::stderr().write_all(format!("skipped: {missing}\n").as_bytes()).unwrap();
}

fn python(code: &str, input: &[u8]) -> Vec<u8> {
    let mut child =
        command("python3", &["-c", code]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// What compose makes of a fleet.
fn config(program: &str, first: &[&str], plan: &Plan) -> Value {
    let rendered = render(plan, &support::platform(), &Options::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("docker-compose.yml");
    std::fs::write(&file, &rendered.compose).unwrap();
    for context in &rendered.contexts {
        // Compose checks that build contexts are there.
        let context_directory = directory.path().join(&context.directory);
        std::fs::create_dir_all(&context_directory).unwrap();
        std::fs::write(context_directory.join("Dockerfile"), &context.dockerfile).unwrap();
    }
    let file = file.to_str().unwrap();
    let arguments = [first, &["-f", file, "-p", &rendered.project, "config"]].concat();
    let output = command(program, &arguments).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {complaint}");
    assert!(!complaint.contains("nsupported"), "{program}: {complaint}");
    let json =
        python("import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)", &output.stdout);
    serde_json::from_slice(&json).unwrap()
}

#[test]
fn compose_reads_what_was_meant() {
    let composes = composes();
    if composes.is_empty() {
        return skip("no docker-compose and no docker compose; install docker-compose");
    }
    if !works("python3", &["-c", "import yaml"]) {
        return skip("python3 with PyYAML is missing; install python3-yaml");
    }
    let mut awkward = support::fleet(3);
    awkward.deckies[0].name = "yes".into();
    awkward.deckies[1].name = "1e3".into();
    awkward.deckies[0].mac = decnet_core::MacAddress([0x10, 0x11, 0x22, 0x33, 0x44, 0x55]);
    awkward.deckies[0].identity.names.hostname = "22".into();
    awkward.deckies[1].identity.names.domain = "on".into();
    let mut ipvlan = support::fleet(2);
    ipvlan.network.attachment = Attachment::Ipvlan;
    for (program, first) in composes {
        for plan in [&support::everything(), &awkward, &ipvlan] {
            let file = config(program, first, plan);
            let services = file["services"].as_object().unwrap();
            let count: usize = plan.deckies.iter().map(|decky| 2 + decky.services.len()).sum();
            assert_eq!(services.len(), count, "{program}");
            for decky in &plan.deckies {
                let base = &services[&decky.name];
                assert_eq!(base["hostname"], decky.identity.names.hostname, "{program}");
                assert_eq!(base["domainname"], decky.identity.names.domain, "{program}");
                let address = &base["networks"]["decnet_lan"]["ipv4_address"];
                assert_eq!(*address, decky.address.to_string(), "{program}");
                if plan.network.attachment == Attachment::Macvlan {
                    assert_eq!(base["mac_address"], decky.mac.to_string(), "{program}");
                }
                let port_start = &base["sysctls"]["net.ipv4.ip_unprivileged_port_start"];
                assert!(*port_start == "0" || *port_start == 0, "{program}: {port_start}");
                for service in &decky.services {
                    let container = &services[&format!("{}.{}", decky.name, service.slug)];
                    assert_eq!(container["network_mode"], format!("service:{}", decky.name), "{program}");
                    match plan.custom_services.iter().find(|custom| custom.slug == service.slug) {
                        None => assert_eq!(container["user"], "65534:65534", "{program}"),
                        // `config` prints a file that can be read again: every `$` is doubled there too.
                        Some(custom) => {
                            let exec: Vec<_> = custom.exec.iter().map(|w| w.replace('$', "$$")).collect();
                            assert_eq!(container["command"], serde_json::json!(exec), "{program}");
                        }
                    }
                }
            }
        }
    }
}

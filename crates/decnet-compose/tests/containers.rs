//! What must hold for every container of every fleet.
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use decnet_compose::{Error, Options, Rendered, layout, render};
use decnet_core::Plan;
use decnet_core::identity::OsFamily;
use decnet_core::plan::Attachment;
use serde_json::{Value, json};

fn rendered(plan: &Plan) -> Rendered {
    render(plan, &support::platform(), &Options::default()).unwrap()
}

fn read(rendered: &Rendered) -> Value {
    serde_saphyr::from_str(&rendered.compose).unwrap()
}

/// The containers of a fleet: name, role, settings.
fn containers(file: &Value) -> Vec<(&str, &'static str, &Value)> {
    let services = file["services"].as_object().unwrap();
    let role = |value: &'_ Value| value["labels"]["decnet.role"].as_str().map(str::to_owned);
    services
        .iter()
        .map(|(name, value)| {
            let role = match role(value).unwrap().as_str() {
                "base" => layout::ROLE_BASE,
                "guard" => layout::ROLE_GUARD,
                "service" => layout::ROLE_SERVICE,
                "custom" => layout::ROLE_CUSTOM,
                other => panic!("{name} has the role {other}"),
            };
            (name.as_str(), role, value)
        })
        .collect()
}

fn fleets() -> Vec<Plan> {
    let mut ipvlan = support::fleet(3);
    ipvlan.network.attachment = Attachment::Ipvlan;
    vec![support::fleet(5), support::everything(), ipvlan]
}

#[test]
fn the_example_plan_is_the_fleet_of_one() {
    let plan: Plan = serde_json::from_str(include_str!("data/plan.json")).unwrap();
    assert_eq!(plan, support::fleet(1), "tests/data/plan.json is the plan of the crate's example");
}

#[test]
fn rendering_twice_gives_the_same_bytes() {
    for plan in fleets() {
        assert_eq!(rendered(&plan), rendered(&plan));
    }
}

#[test]
fn every_decky_has_a_base_a_guard_and_its_services() {
    for plan in fleets() {
        let rendered = rendered(&plan);
        let file = read(&rendered);
        let containers = containers(&file);
        let mut expected = Vec::new();
        for decky in &plan.deckies {
            expected.push((layout::base_name(decky).to_owned(), "base"));
            expected.push((layout::guard_name(decky), "guard"));
            for service in &decky.services {
                let role = if service.custom { "custom" } else { "service" };
                expected.push((layout::service_name(decky, &service.slug), role));
            }
        }
        let found: BTreeSet<_> =
            containers.iter().map(|(name, role, _)| ((*name).to_owned(), *role)).collect();
        assert_eq!(found, expected.into_iter().collect::<BTreeSet<_>>());
        for (name, role, container) in &containers {
            let labels = &container["labels"];
            assert_eq!(labels["decnet.fleet"], plan.fleet, "{name}");
            let decky = plan.decky(labels["decnet.decky"].as_str().unwrap()).unwrap();
            if *role != "base" {
                assert_eq!(container["network_mode"], format!("service:{}", decky.name), "{name}");
                assert_eq!(container["depends_on"][0], decky.name, "{name}");
            }
        }
    }
}

#[test]
fn only_the_base_has_a_network_and_kernel_settings() {
    for plan in fleets() {
        let file = read(&rendered(&plan));
        for (name, role, container) in containers(&file) {
            let settings = ["hostname", "domainname", "mac_address", "networks", "sysctls", "ports"];
            if role == "base" {
                let decky = plan.decky(name).unwrap();
                assert_eq!(container["hostname"], decky.identity.names.hostname);
                assert_eq!(container["domainname"], decky.identity.names.domain);
                assert_eq!(
                    container["networks"],
                    json!({"decnet_lan": {"ipv4_address": decky.address.to_string()}}),
                    "the LAN and nothing else"
                );
                let mac = match plan.network.attachment {
                    Attachment::Macvlan => json!(decky.mac.to_string()),
                    Attachment::Ipvlan => Value::Null,
                };
                assert_eq!(container["mac_address"], mac);
                let mut sysctls = json!(support::platform().sysctls[&decky.identity.os.family]);
                sysctls["net.ipv4.ip_unprivileged_port_start"] = json!("0");
                assert_eq!(container["sysctls"], sysctls);
            } else {
                for setting in settings {
                    assert!(container.get(setting).is_none(), "{name} has {setting}");
                }
            }
        }
    }
}

#[test]
fn every_container_is_denied_what_it_does_not_need() {
    let mut seen = BTreeSet::new();
    for plan in fleets() {
        let file = read(&rendered(&plan));
        for (name, role, container) in containers(&file) {
            seen.insert(role);
            assert_eq!(container["cap_drop"], json!(["ALL"]), "{name}");
            assert_eq!(container["security_opt"], json!(["no-new-privileges:true"]), "{name}");
            assert_eq!(container["ipc"], "private", "{name}");
            assert_eq!(container["restart"], "unless-stopped", "{name}");
            assert_eq!(container["ulimits"], json!({"nofile": 4096, "core": 0}), "{name}");
            assert_eq!(container["mem_limit"], container["memswap_limit"], "{name} does not swap");
            for limit in ["pids_limit", "cpus"] {
                assert!(container[limit].as_f64().is_some_and(|limit| limit > 0.0), "{name}: {limit}");
            }
            for forbidden in ["privileged", "devices", "pid", "userns_mode", "environment", "env_file"] {
                assert!(container.get(forbidden).is_none(), "{name} has {forbidden}");
            }
            let capabilities = container.get("cap_add");
            match role {
                "base" | "service" => {
                    assert!(capabilities.is_none(), "{name}");
                    assert_eq!(container["user"], "65534:65534", "{name}");
                }
                "guard" => assert_eq!(capabilities, Some(&json!(["NET_ADMIN"])), "{name}"),
                _ => {
                    for dangerous in ["NET_RAW", "NET_ADMIN", "SYS_ADMIN", "MKNOD", "SYS_PTRACE"] {
                        let capabilities = capabilities.and_then(Value::as_array).unwrap();
                        assert!(!capabilities.contains(&json!(dangerous)), "{name}: {dangerous}");
                    }
                }
            }
            if role != "custom" {
                assert_eq!(container["read_only"], true, "{name}");
            }
            for volume in container["volumes"].as_array().into_iter().flatten() {
                assert_eq!(volume["read_only"], true, "{name}: {volume}");
            }
        }
    }
    assert_eq!(seen.len(), 4, "all roles were looked at");
}

/// All text of a value, keys included.
fn text(value: &Value) -> String {
    value.to_string().to_ascii_lowercase()
}

#[test]
fn nothing_that_a_container_shows_names_the_product() {
    for plan in fleets() {
        let rendered = rendered(&plan);
        let file = read(&rendered);
        for (name, role, container) in containers(&file) {
            // What is seen from inside: names, command line, files, mounts with their source.
            for setting in ["hostname", "domainname", "entrypoint", "tmpfs", "volumes", "user", "sysctls"] {
                let text = text(&container[setting]);
                assert!(!text.contains("decnet") && !text.contains("decky"), "{name} {setting}: {text}");
            }
            if role != "custom" {
                let text = text(&container["command"]);
                assert!(!text.contains("decnet") && !text.contains("decky"), "{name}: {text}");
            }
        }
        for files in &rendered.deckies {
            let decky = plan.decky(&files.decky).unwrap();
            let told = files.host_file_text.to_ascii_lowercase();
            assert!(!told.contains("decnet") && !told.contains("decky"), "{told}");
            assert!(!told.contains("file-server"), "the archetype is nobody's business: {told}");
            let read: decnet_core::Decky = serde_json::from_str(&files.host_file_text).unwrap();
            assert_eq!((&read.identity, &read.services), (&decky.identity, &decky.services));
        }
        for context in &rendered.contexts {
            let inside = context.dockerfile.lines().filter(|line| !line.starts_with("LABEL "));
            assert!(inside.clone().all(|line| !line.contains("decnet")), "{}", context.dockerfile);
            assert!(inside.clone().any(|line| line == "FROM ${BASE_IMAGE}"), "{}", context.dockerfile);
        }
    }
}

#[test]
fn each_container_has_a_log_directory_of_its_own() {
    for plan in fleets() {
        let rendered = rendered(&plan);
        let file = read(&rendered);
        let mut sources = BTreeSet::new();
        for (name, role, container) in containers(&file) {
            let labels = &container["labels"];
            let volumes = container["volumes"].as_array().cloned().unwrap_or_default();
            assert_eq!(volumes.len(), if matches!(role, "guard" | "service") { 2 } else { 0 }, "{name}");
            if volumes.is_empty() {
                continue;
            }
            let decky = labels["decnet.decky"].as_str().unwrap();
            let files = rendered.deckies.iter().find(|files| files.decky == decky).unwrap();
            let log = files.log_directory(labels["decnet.service"].as_str()).unwrap();
            assert_eq!(volumes[0]["source"], json!(files.host_file));
            assert_eq!(volumes[0]["target"], layout::HOST_FILE);
            assert_eq!(volumes[1]["source"], json!(log));
            assert_eq!(volumes[1]["target"], layout::LOG_DIRECTORY);
            assert!(sources.insert(volumes[1]["source"].to_string()), "{name} shares its socket");
        }
        let made: usize = rendered.deckies.iter().map(|files| files.log_directories.len()).sum();
        assert_eq!(made, sources.len(), "no directory is made that nobody mounts");
    }
}

#[test]
fn distros_of_one_base_share_an_image() {
    let mut platform = support::platform();
    let debian = platform.images["debian"].clone();
    platform.images.insert("ubuntu22".into(), debian);
    let rendered = render(&support::fleet(4), &platform, &Options::default()).unwrap();
    assert_eq!(rendered.contexts.len(), 1);
    let file = read(&rendered);
    let images: BTreeSet<_> = containers(&file)
        .iter()
        .filter(|(_, role, _)| *role == "service")
        .map(|(_, _, container)| container["image"].to_string())
        .collect();
    assert_eq!(images.len(), 1);
    for (_, role, container) in containers(&file) {
        if role == "service" {
            assert_eq!(container["build"]["context"], rendered.contexts[0].directory);
            assert_eq!(container["build"]["args"]["BASE_IMAGE"], rendered.contexts[0].base_image);
        }
    }
}

#[test]
fn a_changed_identity_makes_its_containers_anew_and_no_others() {
    let plan = support::fleet(2);
    let mut changed = plan.clone();
    changed.deckies[0].identity.os.kernel = "6.1.0-38-amd64".into();
    let (before, after) = (read(&rendered(&plan)), read(&rendered(&changed)));
    for (name, role, container) in containers(&before) {
        let same = *container == after["services"][name];
        let touched = name.starts_with("decky-01") && role != "base";
        assert_eq!(same, !touched, "{name}: the base keeps its namespace");
    }
}

#[test]
fn the_log_network_is_internal_and_no_decky_is_on_it() {
    for plan in fleets() {
        let file = read(&rendered(&plan));
        assert_eq!(file["networks"]["decnet_lan"], json!({"name": "decnet_lan", "external": true}));
        assert_eq!(file["networks"]["decnet_logs"]["internal"], true);
        for (name, _, container) in containers(&file) {
            assert!(!text(&container["networks"]).contains("decnet_logs"), "{name}");
        }
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let platform = support::platform();
    let message = |plan: &Plan, options: &Options| render(plan, &platform, options).unwrap_err().to_string();
    let plan = |change: &dyn Fn(&mut Plan)| {
        let mut plan = support::fleet(2);
        change(&mut plan);
        plan
    };
    let usual = Options::default();
    let expected = [
        (
            message(&plan(&|plan| plan.deckies[1].distro = "gentoo".into()), &usual),
            "decky-02 runs the distro `gentoo`, for which there is no image; there are alpine, debian, ubuntu22",
        ),
        (
            message(&plan(&|plan| plan.deckies[0].identity.os.family = OsFamily::Cisco), &usual),
            "decky-01 is of the OS family cisco, for which there are no kernel settings",
        ),
        (
            message(&plan(&|plan| plan.deckies[0].services.push(support::custom_service("app", 1))), &usual),
            "decky-01 has the custom service `app`, which the plan does not describe; add [custom-app]",
        ),
        (
            message(&plan(&|plan| plan.deckies[1].name = "decky-01".into()), &usual),
            "two containers would be called `decky-01`; rename the decky or the service",
        ),
        (
            message(&plan(&|plan| plan.deckies[1].name = "decky-01.ssh".into()), &usual),
            "two containers would be called `decky-01.ssh`; rename the decky or the service",
        ),
        (
            message(&plan(&|_| ()), &Options { run_directory: PathBuf::from("run"), ..usual.clone() }),
            "the run directory `run` is not an absolute path in UTF-8",
        ),
        (
            message(
                &plan(&|_| ()),
                &Options { run_directory: PathBuf::from("/run/Decnet"), ..usual.clone() },
            ),
            "the run directory `/run/Decnet` would be readable inside the containers; choose one without \
             `decnet` in it",
        ),
    ];
    for (message, expected) in expected {
        assert_eq!(message, expected);
    }
    for name in ["", ".", "..", "a/b", "../a", "-a", "a.", "a..guard", "a b", "a\n", "ä", "a$b", "a:b"] {
        for result in [
            render(&plan(&|plan| plan.deckies[0].name = name.into()), &platform, &usual),
            render(&plan(&|plan| plan.deckies[0].services[0].slug = name.into()), &platform, &usual),
            render(&plan(&|_| ()), &platform, &Options { tag: name.into(), ..usual.clone() }),
        ] {
            assert!(matches!(result, Err(Error::Name { .. })), "{name:?}");
        }
    }
    for text in ["", "a\nb", "\u{e000}\u{e001}", "ä"] {
        let mut platform = support::platform();
        let linux = platform.sysctls.get_mut(&OsFamily::Linux).unwrap();
        linux.insert("net.ipv4.ip_default_ttl".into(), text.into());
        let result = render(&support::fleet(1), &platform, &usual);
        assert!(matches!(result, Err(Error::PlatformText { .. })), "{text:?}");
    }
}

//! Fleets of containers on the machine's own Docker daemon, attacked by real clients.
//!
//! The LAN is one end of a cable in this machine's namespace, without an address; its other end is in the
//! attacker's namespace. Nothing leaves either. Needs root, a daemon at the default socket, and compose.
#![allow(clippy::disallowed_methods, reason = "the tests start the program and the attackers' tools")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod docker_support;

use std::time::{Duration, Instant};

use decnet_core::plan::Decky;
use decnet_engine::{Converged, Health};
use decnet_logging::event::{Body, Outcome};
use docker_support::{DockerLab, docker, pid_of};

const MIXED: &str = "[web]\nip = 198.51.100.20\nservices = http\nnmap_os = linux\ndistro = debian\n\
    [data]\nip = 198.51.100.21\nservices = redis, snmp\nnmap_os = linux\ndistro = ubuntu22\nhostname = SRV-DATA-01\n\
    [data.snmp]\nsnmp_community = northwind\n\
    [win]\nip = 198.51.100.22\nservices = http, echo\nnmap_os = windows\ndistro = ubuntu20\n\
    [custom-echo]\nbinary = decnet-test/busybox:1\nexec = /bin/sh -c \"echo ready; exec /bin/nc -ll -p 9999 -e /bin/cat\"\nports = 9999\n";

fn shows(lab: &DockerLab, decky: &Decky) {
    let ports: Vec<String> = decky
        .open_ports()
        .filter(|(_, port)| port.transport == decnet_core::service::Transport::Tcp)
        .map(|(_, port)| port.number.to_string())
        .collect();
    let target = decky.address.to_string();
    let scan =
        lab.attack("nmap", &["-n", "-Pn", "-sS", "-T4", "-p", &format!("22,{}", ports.join(",")), &target]);
    assert!(scan.out.contains(&decky.mac.to_string().to_uppercase()), "{}: {}", decky.name, scan.out);
    for port in &ports {
        let open =
            scan.out.lines().any(|line| line.starts_with(&format!("{port}/tcp")) && line.contains("open"));
        assert!(open, "{} {port}: {}", decky.name, scan.out);
    }
    assert!(
        scan.out.lines().any(|line| line.starts_with("22/tcp") && line.contains("closed")),
        "{}",
        scan.out
    );
}

#[test]
fn a_fleet_of_containers() {
    let Some(lab) = DockerLab::build() else { return };
    let before = lab.inventory();
    let first = lab.deploy_config(MIXED);
    assert_eq!(first.changes.started, ["data", "web", "win"]);

    for decky in &first.plan.deckies {
        shows(&lab, decky);
    }
    let by = |name: &str| first.plan.decky(name).unwrap();
    let said = lab.attack("redis-cli", &["-h", "198.51.100.21", "info", "server"]);
    assert!(said.out.contains("redis_version:"), "{said:?}");
    let said = lab.attack("curl", &["-si", "http://198.51.100.20/"]);
    assert!(said.out.starts_with("HTTP/1.1 "), "{said:?}");
    let said =
        lab.attack("snmpget", &["-v2c", "-c", "northwind", "-t", "2", "198.51.100.21", "1.3.6.1.2.1.1.5.0"]);
    assert!(said.out.contains("SRV-DATA-01"), "{said:?}");
    let said = lab.attack("sh", &["-c", "echo from the outside | timeout 3 nc -q 1 198.51.100.22 9999"]);
    assert!(said.out.contains("from the outside"), "{said:?}");
    let said = lab.attack("ping", &["-n", "-c", "1", "-W", "2", "198.51.100.22"]);
    assert!(said.out.contains("ttl=128"), "{said:?}");

    let events = lab.events_when("every service's conversation", |events| {
        let heard = |decky: &str, service: &str| {
            events.iter().any(|event| event.speaker.decky == decky && event.speaker.service == service)
        };
        heard("web", "http") && heard("data", "redis") && heard("data", "snmp") && heard("win", "echo")
    });
    assert!(events.iter().all(|event| event.speaker.fleet == first.plan.fleet));
    assert!(
        events.iter().any(
            |event| matches!(&event.report.body, Body::Request { target, .. } if target == "/")
                && event.report.src_ip == lab.attacker()
                && event.speaker.hostname == by("web").identity.names.hostname
        ),
        "{events:#?}"
    );
    assert!(
        events.iter().any(|event| event.speaker.service == "echo"
            && matches!(&event.report.body, Body::Printed { line, .. } if line == "ready")),
        "{events:#?}"
    );
    assert!(
        events.iter().any(|event| matches!(&event.report.body,
            Body::AuthAttempt { credential, outcome: Outcome::Accepted } if credential.password.as_deref() == Some("northwind"))),
        "{events:#?}"
    );

    // The same fleet again: nothing changes, and quickly.
    let ids = lab.containers();
    let began = Instant::now();
    let second = lab.deploy_config(MIXED);
    let took = began.elapsed();
    assert_eq!(second.changes.unchanged, ["data", "web", "win"]);
    assert_eq!(
        second.changes,
        Converged { unchanged: second.changes.unchanged.clone(), ..Converged::default() }
    );
    assert_eq!(lab.containers(), ids);
    assert!(took < Duration::from_secs(2), "{took:?}");

    // A changed plan touches only what changed.
    let changed = MIXED
        .replace("services = redis, snmp", "services = redis")
        .replace("[data.snmp]\nsnmp_community = northwind\n", "");
    let changed = format!("{changed}[extra]\nip = 198.51.100.23\nservices = redis\n");
    let third = lab.deploy_config(&changed);
    assert_eq!(third.changes.started, ["extra"]);
    assert_eq!(third.changes.restarted, ["data"]);
    assert_eq!(third.changes.unchanged, ["web", "win"]);
    let unchanged = |all: &[(String, String)]| -> Vec<(String, String)> {
        all.iter().filter(|(name, _)| name.contains("_web") || name.contains("_win")).cloned().collect()
    };
    assert_eq!(unchanged(&lab.containers()), unchanged(&ids));
    let fourth = lab.deploy_config(MIXED);
    assert_eq!(fourth.changes.stopped, ["extra"]);
    assert!(!lab.answers("198.51.100.23".parse().unwrap()));

    // A base that is made anew takes along what did not change itself.
    let moved = lab.deploy_config(&MIXED.replace("distro = ubuntu20", "distro = kali"));
    assert_eq!(moved.changes.restarted, ["win"]);
    let said = lab.attack("sh", &["-c", "echo still here | timeout 3 nc -q 1 198.51.100.22 9999"]);
    assert!(said.out.contains("still here"), "{said:?}");

    // One goes, the others stay.
    let said = lab.decnet(&["teardown", "--id", "web"]);
    assert!(said.status.success(), "{said:?}");
    assert!(!lab.answers(by("web").address));
    let fleet = lab.status();
    assert_eq!((fleet.health, fleet.deckies.len()), (Health::Up, 2), "{fleet:#?}");

    let said = lab.decnet(&["teardown", "--all"]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!(lab.inventory(), before, "everything is as it was");
    let said = lab.decnet(&["teardown", "--all"]);
    assert!(said.status.success(), "{said:?}");
}

#[test]
fn a_decky_that_is_taken_over_cannot_get_out() {
    let Some(lab) = DockerLab::build() else { return };
    lab.deploy_config(MIXED);
    let listener = lab.listen(4444);
    // A shell planted in the namespace, with what a container has: in one of the user's own, where it is root
    // with some rights, and in one of ours, where it is nobody.
    for (decky, service) in [("win", "echo"), ("web", "http")] {
        let reaches = |command: &str| lab.inside(decky, service, command).status.success();
        let port = if decky == "win" { 9999 } else { 80 };
        assert!(reaches("true"), "a command can be run at all");
        assert!(!reaches("/bin/nc -w 2 198.51.100.2 4444 </dev/null"), "{decky}: TCP to the attacker");
        assert!(!reaches("/bin/nc -w 2 198.51.100.21 6379 </dev/null"), "{decky}: TCP to a neighbour");
        assert!(!reaches("/bin/ping -c 1 -W 1 198.51.100.2"), "{decky}: ping");
        assert!(!reaches("/bin/nslookup web 127.0.0.11"), "{decky}: Docker's resolver");
        assert!(!reaches("/bin/nslookup web 198.51.100.2"), "{decky}: a resolver on the LAN");
        assert!(!reaches("/bin/arping -c 1 -w 1 -I eth0 198.51.100.2"), "{decky}: raw packets");
        assert!(
            reaches(&format!(
                "echo x | /bin/nc -w 2 127.0.0.1 {port} || /bin/nc -w 2 198.51.100.20 {port} </dev/null"
            )),
            "{decky}: itself"
        );
    }
    let nobody = lab.inside(
        "web",
        "http",
        "cat /proc/self/status; touch /x /run/host/log/x; rm -f /run/host/log/log.sock; ls /run/host/log",
    );
    assert!(nobody.out.contains("CapBnd:\t0000000000000000"), "{nobody:?}");
    assert!(nobody.out.contains("NoNewPrivs:\t1") && nobody.out.contains("Uid:\t65534"), "{nobody:?}");
    assert!(nobody.out.trim_end().ends_with("log.sock"), "the log's socket stays: {nobody:?}");
    assert_eq!(listener.connections(), 0);
    let events = lab.events_when("the attempts", |events| {
        let told =
            |protocol: &str| {
                events.iter().any(|event| event.speaker.decky == "win"
                && matches!(&event.report.body, Body::EgressBlocked { protocol: p, .. } if p == protocol))
            };
        told("tcp")
            && told("resolver")
            && told("udp")
            && events.iter().any(|event| {
                event.speaker.decky == "web" && matches!(event.report.body, Body::EgressBlocked { .. })
            })
    });
    let innocent = |event: &decnet_logging::Event| {
        event.speaker.decky != "data" || !matches!(event.report.body, Body::EgressBlocked { .. })
    };
    assert!(events.iter().all(innocent), "nobody else is blamed");

    // What a container of ours can read says nothing.
    let said = lab.inside(
        "win",
        "echo",
        "cat /proc/self/mountinfo /proc/1/cmdline /etc/hosts /proc/net/route; env; hostname",
    );
    for tell in ["decnet", "decky", "honeypot"] {
        let lines: Vec<&str> = said.out.lines().filter(|line| line.to_lowercase().contains(tell)).collect();
        assert!(lines.is_empty(), "{tell}: {lines:?}");
    }
}

#[test]
fn a_base_that_dies_takes_its_services_along() {
    let Some(lab) = DockerLab::build() else { return };
    let deployed = lab.deploy_config(MIXED);
    let data = deployed.plan.decky("data").unwrap();
    let (web, base) = (deployed.plan.decky("web").unwrap(), lab.name_of("data"));
    for how in ["kill", "restart", "process"] {
        let pid = pid_of(&base);
        let began = Instant::now();
        match how {
            "process" => drop(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status()),
            how => drop(docker(&[how, &base])),
        }
        // The old namespace is dead, and the new one is as the old one was.
        let back = lab.until(Duration::from_secs(15), || {
            pid_of(&base) != pid
                && lab
                    .attack("timeout", &["2", "redis-cli", "-h", "198.51.100.21", "ping"])
                    .out
                    .contains("PONG")
        });
        assert!(back, "{how}: it does not come back: {:?}", lab.status());
        eprintln!("{how}: back after {:?}", began.elapsed());
        let up = lab.until(Duration::from_secs(15), || lab.status().health == Health::Up);
        assert!(up, "{how}: {:?}", lab.status());
        shows(&lab, data);
        assert!(lab.is_reply_only(&base), "{how}: the guard is back");
    }
    shows(&lab, web);
    let health = std::fs::read_to_string(lab.state().join("health.jsonl")).unwrap();
    assert!(health.contains(r#""decky":"data","role":"base","event":"die""#), "{health}");
    assert!(!lab.events().iter().any(|event| event.report.body.kind().contains("die")));

    // Without its watcher nothing is mended, and the status says what is true.
    lab.kill_watcher();
    let pid = pid_of(&base);
    docker(&["restart", "-t", "0", &base]);
    assert_ne!(pid_of(&base), pid);
    let fleet = lab.status();
    let decky = fleet.deckies.iter().find(|decky| decky.name == "data").unwrap();
    assert_eq!(decky.health, Health::Degraded, "{decky:#?}");
    assert!(decky.reason.as_deref().unwrap_or_default().contains("dead namespace"), "{decky:#?}");
    assert!(fleet.problems.iter().any(|problem| problem.contains("watcher")), "{fleet:#?}");
    // The next deployment brings both back.
    lab.deploy_config(MIXED);
    assert!(lab.until(Duration::from_secs(10), || lab.status().health == Health::Up), "{:#?}", lab.status());
    lab.attack("redis-cli", &["-h", "198.51.100.21", "ping"]);
    lab.events_when("a conversation after the watcher's end", |events| {
        events.iter().rev().take(3).any(|event| event.speaker.service == "redis")
    });
}

#[test]
fn a_killed_deployment_leaves_nothing_that_teardown_does_not_find() {
    let Some(lab) = DockerLab::build() else { return };
    let before = lab.inventory();
    for milliseconds in [300, 1500, 3000, 5000] {
        lab.deploy_and_kill(MIXED, Duration::from_millis(milliseconds));
        let said = lab.decnet(&["teardown", "--all"]);
        assert!(said.status.success(), "{milliseconds} ms: {said:?}");
        assert_eq!(lab.inventory(), before, "killed after {milliseconds} ms");
    }
    // And the next deployment goes on from there.
    lab.deploy_and_kill(MIXED, Duration::from_millis(4000));
    let deployed = lab.deploy_config(MIXED);
    assert_eq!(deployed.plan.deckies.len(), 3);
    assert_eq!(lab.status().health, Health::Up);
    // The state is lost as well: what compose made is known by where its file lay.
    std::fs::remove_file(lab.state().join("state.json")).unwrap();
    std::fs::remove_file(lab.state().join("docker/deployment.json")).unwrap();
    let said = lab.decnet(&["teardown", "--all"]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!(lab.inventory(), before);
}

#[test]
fn what_fails_midway_goes_back_to_what_was() {
    let Some(lab) = DockerLab::build() else { return };
    let before = lab.inventory();
    // A custom service that does not listen where it says it does.
    let broken = MIXED.replace("-p 9999", "-p 9998");
    let said = lab.try_deploy_config(&broken);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(said.out.contains("win") && said.out.contains("9999"), "the difference is named: {said:?}");
    assert_eq!(lab.inventory(), before, "nothing was there, nothing stays");

    lab.deploy_config(MIXED);
    let ids = lab.containers();
    let broken = broken.replace("[web]", "[extra]\nip = 198.51.100.23\nservices = redis\n[web]");
    assert_eq!(lab.try_deploy_config(&broken).status.code(), Some(1));
    let fleet = lab.status();
    assert_eq!((fleet.health, fleet.deckies.len()), (Health::Up, 3), "{fleet:#?}");
    assert!(!lab.answers("198.51.100.23".parse().unwrap()));
    let kept = lab.containers().iter().filter(|container| ids.contains(container)).count();
    assert!(kept >= ids.len() - 1, "only what the change touched was made anew");
}

#[test]
fn a_network_that_is_not_ours_is_left_alone() {
    let Some(lab) = DockerLab::build() else { return };
    docker(&["network", "create", "-d", "bridge", "--subnet", "203.0.113.0/24", "decnet_lan"]);
    let said = lab.try_deploy_config(MIXED);
    let names = docker(&["network", "ls", "--format", "{{.Name}} {{.Driver}}"]).out;
    docker(&["network", "rm", "decnet_lan"]);
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(said.out.contains("decnet_lan") && said.out.contains("docker network rm"), "{said:?}");
    assert!(names.contains("decnet_lan bridge"), "{names}");

    // Ours with other settings is made anew, and says so.
    lab.deploy_config(MIXED);
    let other = MIXED.replace("[web]", "[general]\ngw = 198.51.100.9\n[web]");
    let said = lab.try_deploy_with(&other, &["--subnet", "198.51.100.0/24"]);
    assert!(said.status.success(), "{said:?}");
    assert!(said.err.contains("gateway") && said.err.contains("made anew"), "{said:?}");
    assert_eq!(lab.status().health, Health::Up);
}

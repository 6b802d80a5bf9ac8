//! SNMP agents under attack: net-snmp's clients and nmap's scripts against identity and events.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use std::collections::BTreeMap;

use decnet_core::plan::Decky;
use decnet_core::service::Transport;
use decnet_logging::event::{Body, Event, Outcome, Severity};
use lab_support::{Said, TestLab, assert_sound, of};

const SNMPGET: (&str, &str) = ("snmpget", "snmp");
const SNMPWALK: (&str, &str) = ("snmpwalk", "snmp");
const SNMPBULKWALK: (&str, &str) = ("snmpbulkwalk", "snmp");
const NMAP: (&str, &str) = ("nmap", "nmap");

const SYS_DESCR: &str = "1.3.6.1.2.1.1.1.0";
const SYS_UP_TIME: &str = "1.3.6.1.2.1.1.3.0";
const SYS_NAME: &str = "1.3.6.1.2.1.1.5.0";

/// Agents of every kind.
const AGENTS: &str = "
[general]
net = 198.51.100.0/24
interface = eth0
engine = native
seed = 31
[unit-linux]
services = http,snmp
distro = debian
[unit-rocky]
services = snmp
distro = rocky9
[unit-windows]
archetype = windows-server
services = http,snmp
[unit-printer]
archetype = printer
services = http,snmp
[unit-switch]
nmap_os = cisco
services = snmp
[unit-bsd]
nmap_os = bsd
services = snmp
";

fn client(lab: &TestLab, program: &str, arguments: &[&str]) -> Said {
    let mut all = vec!["-On", "-Oe", "-t", "2", "-r", "1"];
    all.extend(arguments);
    lab.attack(program, &all)
}

/// What the agent said, by object: `.1.3.6.1.2.1.1.5.0` to `STRING: "name"`.
fn values(said: &Said) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut last = String::new();
    // The end of the tree is told under the name of its last object.
    for line in said.out.lines().filter(|line| !line.contains("No more variables left")) {
        match line.strip_prefix('.').and_then(|line| line.split_once(" = ")) {
            Some((object, value)) => {
                last = object.to_owned();
                assert!(values.insert(last.clone(), value.to_owned()).is_none(), "{last} came twice");
            }
            // Octets go on in the next line.
            None => values.entry(last.clone()).or_default().push_str(line),
        }
    }
    values
}

/// The one value that was asked for.
fn value(said: &Said) -> String {
    assert!(said.status.success(), "{said:?}");
    said.out.trim().split_once(" = ").unwrap().1.split_once(": ").unwrap().1.trim_matches('"').to_owned()
}

/// What belongs to the description of every system: at least this stands in it.
fn description(decky: &Decky) -> String {
    let os = &decky.identity.os;
    match os.family {
        decnet_core::identity::OsFamily::Linux => {
            format!("Linux {} {} {}", decky.identity.names.hostname, os.kernel, os.kernel_build)
        }
        decnet_core::identity::OsFamily::Windows => format!("(Build {} Multiprocessor Free)", os.kernel),
        decnet_core::identity::OsFamily::Bsd => "FreeBSD".to_owned(),
        decnet_core::identity::OsFamily::Cisco => "Cisco IOS Software".to_owned(),
        decnet_core::identity::OsFamily::Embedded => String::new(),
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs().cast_signed()
}

fn requests(events: &[&Event]) -> usize {
    events.iter().filter(|event| matches!(event.report.body, Body::Request { .. })).count()
}

#[test]
fn every_version_walks_the_same_tree_of_the_same_machine() {
    let Some(lab) = TestLab::build(&[SNMPGET, SNMPWALK, SNMPBULKWALK]) else { return };
    let plan = lab.deploy_config(AGENTS).plan;
    for decky in &plan.deckies {
        let about = &decky.name;
        let address = decky.address.to_string();
        let get = |version: &str, object: &str| {
            value(&client(&lab, "snmpget", &["-v", version, "-c", "public", &address, object]))
        };
        let told = get("1", SYS_DESCR);
        assert_eq!(get("2c", SYS_DESCR), told, "{about}");
        assert!(told.contains(&description(decky)), "{about}: {told}");
        let name = get("2c", SYS_NAME).to_lowercase();
        let names = &decky.identity.names;
        assert!(
            [&names.hostname, &names.fqdn].iter().any(|one| one.to_lowercase() == name),
            "{about}: {name}"
        );

        // Up as long as the machine is, within the agent's own start some seconds later.
        let ticks = get("2c", SYS_UP_TIME);
        let ticks: i64 = ticks.trim_start_matches('(').split(')').next().unwrap().parse().unwrap();
        let up = now() - decky.identity.booted_at(now());
        assert!((up - ticks / 100).abs() < 300, "{about}: {} of {up} s", ticks / 100);

        let walk = client(&lab, "snmpwalk", &["-v", "1", "-c", "public", &address, "1.3.6.1.2.1.1"]);
        let bulk = client(&lab, "snmpbulkwalk", &["-v", "2c", "-c", "public", &address, "1.3.6.1.2.1.1"]);
        assert!(walk.status.success() && bulk.status.success(), "{about}: {walk:?} {bulk:?}");
        let still = |said: &Said| -> BTreeMap<String, String> {
            values(said).into_iter().filter(|(_, value)| !value.starts_with("Timeticks")).collect()
        };
        assert_eq!(still(&walk), still(&bulk), "{about}");
        assert!(walk.out.lines().count() >= 7, "{about}: {walk:?}");

        // The whole of it (the client stops where objects do not ascend): this machine's, and nobody else's.
        let all = client(&lab, "snmpbulkwalk", &["-v", "2c", "-c", "public", &address, "1.3.6.1"]);
        assert!(all.status.success(), "{about}: {:?}", all.err);
        let tree = values(&all);
        assert!(tree.len() > 60, "{about}: {} objects", tree.len());
        let mac = decky.mac.to_string().to_uppercase().replace(':', " ");
        let physical: Vec<&String> = tree
            .iter()
            .filter(|(object, _)| object.starts_with("1.3.6.1.2.1.2.2.1.6."))
            .map(|(_, value)| value)
            .collect();
        assert!(
            physical.iter().any(|value| value.replace(':', " ").contains(&mac) || value.contains(&decky.mac.to_string())),
            "{about}: {mac} in {physical:?}"
        );
        assert!(tree.values().any(|value| value.contains(&address)), "{about}: its own address");
        let text = all.out.to_lowercase();
        assert!(!text.contains("decnet") && !text.contains("unit-"), "{about}");
    }
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    for decky in &plan.deckies {
        let told = of(&events, decky, "snmp");
        assert!(requests(&told) >= 5, "{}: {told:#?}", decky.name);
        assert!(told.iter().all(|event| event.report.dst_port == 161));
        let communities = told.iter().filter_map(|event| match &event.report.body {
            Body::AuthAttempt { credential, outcome } => Some((credential.password.as_deref(), *outcome)),
            _ => None,
        });
        for (community, outcome) in communities {
            assert_eq!((community, outcome), (Some("public"), Outcome::Accepted), "{}", decky.name);
        }
    }
}

#[test]
fn a_wrong_community_meets_silence_and_is_told() {
    let Some(lab) = TestLab::build(&[SNMPGET]) else { return };
    let plan =
        lab.deploy_config(&AGENTS.replace(
            "[unit-rocky]\n",
            "[unit-linux.snmp]\nsnmp_community = s3cret,rw:wr1te\n[unit-rocky]\n",
        ))
        .plan;
    let linux = plan.decky("unit-linux").unwrap();
    let address = linux.address.to_string();
    for community in ["public", "private"] {
        let said = client(&lab, "snmpget", &["-v", "2c", "-c", community, &address, SYS_NAME]);
        assert!(said.err.contains("Timeout"), "{said:?}");
    }
    let said = client(&lab, "snmpget", &["-v", "2c", "-c", "s3cret", &address, SYS_NAME]);
    assert_eq!(value(&said).to_lowercase(), linux.identity.names.hostname.to_lowercase());
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let logins: Vec<_> = of(&events, linux, "snmp")
        .into_iter()
        .filter_map(|event| match &event.report.body {
            Body::AuthAttempt { credential, outcome } => {
                assert_eq!(credential.method, "community");
                assert_eq!(
                    event.severity,
                    if *outcome == Outcome::Failed { Severity::Warning } else { Severity::Error }
                );
                Some((credential.password.clone().unwrap(), *outcome))
            }
            _ => None,
        })
        .collect();
    // The client asks a second time where nobody answers.
    for (community, outcome) in
        [("public", Outcome::Failed), ("private", Outcome::Failed), ("s3cret", Outcome::Accepted)]
    {
        assert!(logins.contains(&(community.to_owned(), outcome)), "{community}: {logins:?}");
    }
}

#[test]
fn version_3_discovers_refuses_and_lets_in() {
    let Some(lab) = TestLab::build(&[SNMPGET, SNMPWALK]) else { return };
    let plan = lab
        .deploy_config(
            &AGENTS.replace("[unit-rocky]\n", "[unit-linux.snmp]\nv3_users = monitor\n[unit-rocky]\n"),
        )
        .plan;
    let linux = plan.decky("unit-linux").unwrap();
    let address = linux.address.to_string();
    let stranger = ["-v", "3", "-u", "stranger", "-l", "noAuthNoPriv", &address, SYS_NAME];
    let said = client(&lab, "snmpget", &stranger);
    assert!(said.err.to_lowercase().contains("unknown user name"), "{said:?}");
    let monitor = ["-v", "3", "-u", "monitor", "-l", "noAuthNoPriv", &address, SYS_NAME];
    let said = client(&lab, "snmpget", &monitor);
    assert_eq!(value(&said).to_lowercase(), linux.identity.names.hostname.to_lowercase());
    let guess =
        ["-v", "3", "-u", "monitor", "-l", "authNoPriv", "-a", "MD5", "-A", "guessing1", &address, SYS_NAME];
    let said = client(&lab, "snmpget", &guess);
    assert!(!said.status.success(), "{said:?}");
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let told = of(&events, linux, "snmp");
    let users: Vec<(String, Outcome)> = told
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::AuthAttempt { credential, outcome } => Some((credential.username.clone(), *outcome)),
            _ => None,
        })
        .collect();
    assert!(users.contains(&("stranger".to_owned(), Outcome::Failed)), "{users:?}");
    assert!(users.contains(&("monitor".to_owned(), Outcome::Accepted)), "{users:?}");
    assert!(users.contains(&("monitor".to_owned(), Outcome::Failed)), "{users:?}");
    let hashes = told.iter().filter_map(|event| match &event.report.body {
        Body::AuthAttempt { credential, .. } => credential.hash.as_deref(),
        _ => None,
    });
    assert!(hashes.into_iter().any(|hash| hash.starts_with("$SNMPv3$")), "a line for a cracker");
}

#[test]
fn nmap_reads_the_identity() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let plan = lab.deploy_config(AGENTS).plan;
    let targets: Vec<String> = plan.deckies.iter().map(|decky| decky.address.to_string()).collect();
    let mut arguments =
        vec!["-sU", "-sV", "-p", "161", "--script", "snmp-info,snmp-sysdescr,snmp-interfaces,snmp-netstat"];
    arguments.extend(targets.iter().map(String::as_str));
    let hosts = lab.nmap(200, &arguments);
    assert_eq!(hosts.len(), plan.deckies.len());
    for host in &hosts {
        let decky = plan.deckies.iter().find(|decky| decky.address == host.address).unwrap();
        let port = host.port(Transport::Udp, 161);
        let about = format!("{} {port:#?}", decky.name);
        assert_eq!((port.state.as_str(), port.unrecognized.as_deref()), ("open", None), "{about}");
        assert!(port.product.as_deref().is_some_and(|told| told.starts_with("SNMPv1 server")), "{about}");
        assert_eq!(port.extra.as_deref(), Some("public"), "{about}");
        let hostname = port.hostname.as_deref().unwrap_or_default().to_lowercase();
        let names = &decky.identity.names;
        assert!([&names.hostname, &names.fqdn].iter().any(|one| one.to_lowercase() == hostname), "{about}");
        assert!(port.script("snmp-sysdescr").contains(&description(decky)), "{about}");
        let interfaces = port.script("snmp-interfaces");
        assert!(interfaces.contains(&decky.mac.to_string().replace(':', "")), "{about}");
        assert!(
            interfaces.contains(&format!("IP address: {}  Netmask: 255.255.255.0", decky.address)),
            "{about}"
        );
        // What it says it listens on is what the plan opens.
        let table = port.scripts.get("snmp-netstat").cloned().unwrap_or_default();
        if !table.is_empty() {
            for (_, open) in decky.open_ports() {
                assert!(table.contains(&format!(":{} ", open.number)), "{open} of {about}");
            }
        }
        if let Some(info) = port.scripts.get("snmp-info") {
            assert!(info.contains("snmpEngineTime: "), "{about}");
        }
    }
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    for decky in &plan.deckies {
        assert!(requests(&of(&events, decky, "snmp")) > 0, "{}", decky.name);
    }
}

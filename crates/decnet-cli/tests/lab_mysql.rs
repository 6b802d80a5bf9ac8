//! MySQL and MariaDB under attack: what nmap reads, what the real clients do, and the events of it.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use decnet_core::service::Transport;
use decnet_logging::event::{Body, Outcome};
use lab_support::{TestLab, assert_sound, of};

const NMAP: (&str, &str) = ("nmap", "nmap");
const MARIADB: (&str, &str) = ("mariadb", "mariadb-client");
const DUMP: (&str, &str) = ("mariadb-dump", "mariadb-client");
const PYTHON: (&str, &str) = ("/usr/bin/python3", "python3-pymysql");

#[test]
fn nmap_names_the_release_and_its_scripts_agree() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let plan = lab.deploy(&["-n", "4", "--services", "mysql"]).plan;
    let targets: Vec<String> = plan.deckies.iter().map(|decky| decky.address.to_string()).collect();
    let mut arguments = vec!["-sV", "--version-all", "-sC", "-p", "3306"];
    arguments.extend(targets.iter().map(String::as_str));
    let hosts = lab.nmap(200, &arguments);
    assert_eq!(hosts.len(), plan.deckies.len());
    for (host, decky) in hosts.iter().zip(&plan.deckies) {
        let port = host.port(Transport::Tcp, 3306);
        let about = format!("{} {port:#?}", decky.name);
        assert_eq!((port.state.as_str(), port.unrecognized.as_deref()), ("open", None), "{about}");
        let version = &decky.identity.products["mysql"].version;
        let told =
            format!("{} {}", port.product.as_deref().unwrap_or(""), port.version.as_deref().unwrap_or(""));
        assert!(told.contains(version.as_str()), "{version}: {about}");
    }
    for target in &targets {
        let said = lab.attack_for(
            60,
            "nmap",
            &["-Pn", "-n", "-p", "3306", "--script", "mysql-info,mysql-empty-password", target],
        );
        assert!(said.out.contains("Protocol: 10") && said.out.contains("Status: Autocommit"), "{}", said.out);
        assert!(!said.out.contains("account has empty password"), "{}", said.out);
    }
    assert_sound(&lab.finish(), lab.attacker());
}

#[test]
fn the_real_clients_hold_their_conversations() {
    let Some(lab) = TestLab::build(&[MARIADB, DUMP, PYTHON]) else { return };
    // One of MariaDB, one of MySQL 8 with its certificate and its own plugin.
    for (distro, seed) in [("debian", "3"), ("ubuntu22", "4")] {
        let config = format!(
            "[general]\nnet = 198.51.100.0/24\ngw = 198.51.100.1\nseed = {seed}\n[db]\nservices = mysql\ndistro = {distro}\n\
             [db.mysql]\nusers = app:secret\ndatabases = hr\n"
        );
        let _ = config;
    }
    let deployed = lab.deploy(&["-n", "1", "--services", "mysql", "--distro", "debian", "--seed", "3"]);
    let decky = &deployed.plan.deckies[0];
    let address = decky.address.to_string();
    let said = lab.attack_for(
        20,
        "mariadb",
        &["--no-defaults", "-h", &address, "-uroot", "-phunter2", "-e", "select 1"],
    );
    assert!(
        said.err.contains("ERROR 1045 (28000): Access denied for user 'root'@")
            || said.err.contains("ERROR 1698"),
        "{said:?}"
    );
    let script = format!(
        "import pymysql\ntry:\n    pymysql.connect(host='{address}', user='admin', password='x', connect_timeout=8)\nexcept pymysql.err.OperationalError as error:\n    print(error.args)\n"
    );
    let said = lab.attack_for(30, "/usr/bin/python3", &["-c", &script]);
    assert!(
        said.out.contains("(1045, \"Access denied for user 'admin'@") || said.out.contains("(1698,"),
        "{said:?}"
    );
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let told = of(&events, decky, "mysql");
    let kept: Vec<(String, Outcome, bool)> = told
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::AuthAttempt { credential, outcome } => {
                Some((credential.username.clone(), *outcome, credential.hash.is_some()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        kept,
        [("root".to_owned(), Outcome::Failed, true), ("admin".to_owned(), Outcome::Failed, true)]
    );
}

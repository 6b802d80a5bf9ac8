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

/// MariaDB of Debian, and MySQL 8 of Ubuntu with its certificate and its own plugin.
const FLEET: &str = "[general]\nnet = 198.51.100.0/24\nseed = 3\n\
    [old]\nservices = mysql\ndistro = debian\n[old.mysql]\nusers = app:secret\ndatabases = hr\n\
    [new]\nservices = mysql\ndistro = ubuntu22\n[new.mysql]\nusers = app:secret\ndatabases = hr\n";

#[test]
fn the_real_clients_hold_their_conversations() {
    let Some(lab) = TestLab::build(&[MARIADB, DUMP, PYTHON]) else { return };
    let plan = lab.deploy_config(FLEET).plan;
    assert_eq!(plan.deckies.len(), 2);
    for decky in &plan.deckies {
        let address = decky.address.to_string();
        let version = &decky.identity.products["mysql"].version;
        let client = |password: &str, more: &[&str]| {
            let password = format!("-p{password}");
            let mut arguments = vec!["--no-defaults", "-h", &address, "-uapp", &password];
            arguments.extend(more);
            lab.attack_for(20, "mariadb", &arguments)
        };
        let said = client("wrong", &["-e", "select 1"]);
        assert!(said.err.contains("ERROR 1045 (28000): Access denied for user 'app'@'"), "{said:?}");
        let said = client("secret", &["-N", "-e", "select version(); show databases"]);
        assert!(said.status.success() && said.out.contains(version.as_str()), "{said:?}");
        assert!(said.out.contains("\ninformation_schema\nmysql\nperformance_schema\n"), "{said:?}");
        let databases: Vec<&str> =
            said.out.lines().filter(|line| line.contains("hr") || line.contains("personnel")).collect();
        let database = databases.first().copied().unwrap_or_else(|| panic!("{said:?}")).to_owned();
        let dump = lab.attack_for(
            60,
            "mariadb-dump",
            &["--no-defaults", "-h", &address, "-uapp", "-psecret", "--databases", &database],
        );
        assert!(dump.status.success() && dump.err.is_empty(), "{}", dump.err);
        assert!(
            dump.out.contains("INSERT INTO `") && dump.out.contains("-- Dump completed on"),
            "{}",
            dump.out
        );
        let script = format!(
            "import pymysql\n\
             try:\n    pymysql.connect(host='{address}', user='admin', password='x', connect_timeout=8)\n\
             except Exception as error:\n    print(error)\n\
             c = pymysql.connect(host='{address}', user='app', password='secret', database='{database}', ssl={tls})\n\
             q = c.cursor()\n\
             q.execute('select table_name from information_schema.tables where table_schema=%s', ('{database}',))\n\
             print(len(q.fetchall()) > 1)\n\
             q.execute('create table readme (note varchar(200))')\n\
             q.execute('insert into readme values (%s)', ('pay 1 BTC',))\n\
             c.commit()\n\
             q.execute('select * from readme')\nprint(q.fetchall())\n",
            tls = if decky.identity.products["mysql"].name == "mysql" { "{'fake': True}" } else { "None" },
        );
        let said = lab.attack_for(30, "/usr/bin/python3", &["-c", &script]);
        assert!(said.out.ends_with("True\n(('pay 1 BTC',),)\n"), "{said:?}");
    }
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    for decky in &plan.deckies {
        let told = of(&events, decky, "mysql");
        let has = |wanted: &dyn Fn(&Body) -> bool| told.iter().any(|event| wanted(&event.report.body));
        assert!(has(&|body| matches!(body, Body::AuthAttempt { credential, outcome: Outcome::Failed }
            if credential.username == "app" && (credential.hash.is_some() || credential.password.as_deref() == Some("wrong")))));
        assert!(has(&|body| matches!(body, Body::SessionStarted { username, .. } if username == "app")));
        assert!(has(&|body| matches!(body, Body::BaitTouched { .. })));
        assert!(has(&|body| matches!(body, Body::Query { statement, outcome: Outcome::Accepted, .. }
            if statement.contains("insert into readme"))));
        assert!(has(
            &|body| matches!(body, Body::ExploitAttempt { name, .. } if name == "mysql.ransom_note")
        ));
        assert!(has(
            &|body| matches!(body, Body::ClientFingerprint { kind, .. } if kind == "mysql_attributes")
        ));
    }
}

//! MongoDB under attack: what nmap reads, and a ransom by Debian's pymongo as a story. mongosh is in no
//! Debian release.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use decnet_logging::event::{Body, Outcome};
use lab_support::{TestLab, assert_sound, of};

const NMAP: (&str, &str) = ("nmap", "nmap");
const PYTHON: (&str, &str) = ("/usr/bin/python3", "python3-pymongo");

#[test]
fn nmap_names_the_release_and_its_scripts_tell_of_the_identity() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let config = "[fleet]\nseed = 5\n[old]\nservices = mongodb\n[old.mongodb]\nmongo_version = 4.4.29\nauth = no\n\
                  databases = shop\n[shut]\nservices = mongodb\n[shut.mongodb]\nmongo_version = 4.4.29\n\
                  users = admin:admin\n[new]\nservices = mongodb\n[new.mongodb]\nmongo_version = 7.0.9\n";
    let config = config.replace("[fleet]\nseed = 5\n", "");
    let plan = lab.deploy_config(&config).plan;
    let address = |name: &str| {
        let decky = plan.deckies.iter().find(|decky| decky.name.starts_with(name)).unwrap();
        decky.address.to_string()
    };
    let scripts = "mongodb-info,mongodb-databases";
    let arguments =
        ["-sV", "--version-all", "-sC", "--script", scripts, "-p", "27017", &address("old"), &address("new")];
    let said = lab.attack_for(300, "nmap", &arguments);
    let out = &said.out;
    for wanted in [
        "MongoDB 4.4.29",
        "gitVersion = f4dda329a99811c707eb06d05ad023599f9be263",
        "MongoDB 7.0.9",
        "Unsupported OP_QUERY command: serverStatus.",
        "name = admin",
        "name = local",
        "totalCreated",
    ] {
        assert!(out.contains(wanted), "{wanted}: {out}");
    }
    assert!(!out.contains("unrecognized"), "{out}");
    let shut = address("shut");
    let brute = lab.attack_for(120, "nmap", &["-p", "27017", "--script", "mongodb-info", &shut]);
    assert!(brute.out.contains("command serverStatus requires authentication"), "{}", brute.out);
    assert_sound(&lab.finish(), lab.attacker());
}

#[test]
fn a_ransom_is_a_story() {
    let Some(lab) = TestLab::build(&[PYTHON]) else { return };
    let config =
        "[docs]\nservices = mongodb\n[docs.mongodb]\nauth = no\ndatabases = crm\nmongo_version = 6.0.14\n";
    let plan = lab.deploy_config(config).plan;
    let decky = &plan.deckies[0];
    let script = format!(
        "import pymongo\nc = pymongo.MongoClient('mongodb://{}/')\n\
         names = [d for d in c.list_database_names() if d not in ('admin', 'config', 'local')]\n\
         print(c[names[0]].contacts.find_one()['email'])\nc.drop_database(names[0])\n\
         c.README.README.insert_one({{'text': 'pay 0.02 bitcoin (BTC) to restore your data'}})\n",
        decky.address
    );
    let said = lab.attack_for(60, "/usr/bin/python3", &["-c", &script]);
    assert!(said.status.success() && said.out.contains('@'), "{said:?}");
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let told = of(&events, decky, "mongodb");
    let has = |wanted: &dyn Fn(&Body) -> bool| told.iter().any(|event| wanted(&event.report.body));
    assert!(has(&|body| matches!(body, Body::BaitTouched { bait, .. } if bait.ends_with(".contacts"))));
    assert!(has(&|body| matches!(body, Body::StateChanged { new, .. } if new == "dropped")));
    assert!(has(
        &|body| matches!(body, Body::FileUpload { name, stored: true, .. } if name == "README.README.txt")
    ));
    assert!(has(
        &|body| matches!(body, Body::Query { statement, outcome: Outcome::Accepted, .. } if statement.contains("dropDatabase"))
    ));
}

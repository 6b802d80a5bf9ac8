//! What scanners make of the operating systems that deckies claim.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use lab_support::personas::{WORDS, address, config, is_exact, scan};
use lab_support::{TestLab, assert_sound};

const NMAP: (&str, &str) = ("nmap", "nmap");
const P0F: (&str, &str) = ("p0f", "p0f");

#[test]
fn nmap_names_every_system_exactly_at_its_first_try_while_others_are_scanned() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let others = "[other]\nservices = http\narchetype = printer\namount = 20\n";
    let plan = lab.deploy_config(&format!("{}{others}", config())).plan;
    let done = AtomicBool::new(false);
    let others: Vec<String> = plan
        .deckies
        .iter()
        .filter(|decky| decky.group == "other")
        .map(|decky| decky.address.to_string())
        .collect();
    let found = std::thread::scope(|scope| {
        // Another scanner is at work all the while.
        scope.spawn(|| {
            let mut words = vec!["-sS", "-T4", "-p", "1-2000"];
            words.extend(others.iter().map(String::as_str));
            while !done.load(Ordering::Relaxed) {
                lab.nmap(240, &words);
            }
        });
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scan(&lab, &plan)));
        done.store(true, Ordering::Relaxed);
        found.unwrap()
    });
    let missing: Vec<_> =
        WORDS.iter().filter(|(slug, _)| !found.get(*slug).is_some_and(|said| is_exact(slug, said))).collect();
    assert!(
        missing.is_empty() && found.len() == WORDS.len(),
        "{missing:#?}
of {found:#?}"
    );
    assert_sound(&lab.finish(), lab.attacker());
}

#[test]
fn a_persona_of_ones_own_is_what_nmap_sees() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let facts = decnet_fingerprint::builtin("brother").unwrap();
    let own = lab.state().parent().unwrap().join("own");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("label-printer.toml"), format!("like = \"embedded-linux\"\n{facts}")).unwrap();
    let config = "[general]\ninterface = eth0\nengine = native\npersonas = own\n\
        [a]\nservices = http\nnmap_os = label-printer\nip = 198.51.100.20\n";
    let plan = lab.deploy_config(config).plan;
    assert_eq!(plan.deckies[0].os_persona, "label-printer");
    let said = lab.attack("nmap", &["-n", "-O", "--max-os-tries", "1", "-p", "80,1", "198.51.100.20"]);
    assert!(said.out.contains("OS details: Brother HL-495CW printer"), "{}", said.out);
    // Another text is another machine.
    let facts = decnet_fingerprint::builtin("linux-3").unwrap();
    std::fs::write(own.join("label-printer.toml"), format!("like = \"embedded-linux\"\n{facts}")).unwrap();
    let changes = lab.deploy_config(config).changes;
    assert_eq!(changes.restarted, ["a"]);
    let said = lab.attack("nmap", &["-n", "-O", "--max-os-tries", "1", "-p", "80,1", "198.51.100.20"]);
    assert!(said.out.contains("OS details: Linux 3.2 - 3.10, Linux 3.2 - 3.16"), "{}", said.out);
}

/// p0f knows few SYN-ACKs, and none of Windows 10. What it knows it must name.
#[test]
fn p0f_names_the_systems_that_it_knows() {
    let Some(lab) = TestLab::build(&[P0F, ("curl", "curl")]) else { return };
    let plan = lab.deploy_config(&config()).plan;
    let log = lab.file("p0f.log", "");
    let script = format!(
        "timeout 20 p0f -i eth0 -o {log} >/dev/null 2>&1 & p0f=$!; sleep 2; \
         for last in $(seq 20 {last}); do curl -s -m 3 -o /dev/null http://198.51.100.$last/; done; \
         sleep 1; kill $p0f; wait $p0f; true",
        log = log.display(),
        last = address(WORDS.len() - 1).octets()[3],
    );
    lab.attack_for(120, "sh", &["-c", &script]);
    let text = std::fs::read_to_string(&log).unwrap();
    let mut named: BTreeMap<&str, String> = BTreeMap::new();
    for decky in &plan.deckies {
        let line = text
            .lines()
            .find(|line| line.contains("mod=syn+ack|") && line.contains(&format!("|srv={}/", decky.address)));
        let words = line.and_then(|line| line.split('|').find_map(|part| part.strip_prefix("os=")));
        named.insert(&decky.os_persona, words.unwrap_or("not seen").to_owned());
    }
    for (slug, words) in [
        ("windows-7", "Windows 7 or 8"),
        ("windows-server-2016", "Windows 7 or 8"),
        ("freebsd-12", "FreeBSD 9.x"),
        ("linux-2.6", "Linux 2.6.x"),
        ("linux-3", "Linux 3.x"),
    ] {
        assert_eq!(named[slug], words, "{named:#?}\n{text}");
    }
    // It has no signature for the others, and so must not find one of another system.
    for slug in ["windows-10", "windows-server-2019", "hp-laserjet", "brother", "siemens-plc"] {
        assert_eq!(named[slug], "???", "{named:#?}\n{text}");
    }
}

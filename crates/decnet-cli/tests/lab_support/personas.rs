//! A decky of every packet persona, and what nmap 7.93 calls the system of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use decnet_core::Plan;

use super::TestLab;

#[path = "nmap_words.rs"]
mod nmap_words;
pub use nmap_words::WORDS;

/// Whether nmap named the system exactly. Where several entries of its list fit, it may name only some.
pub fn is_exact(slug: &str, said: &str) -> bool {
    let wanted = WORDS.iter().find(|(its, _)| *its == slug).map_or("", |(_, words)| words);
    let known: Vec<&str> = wanted.split(", ").collect();
    said.split(", ").all(|one| known.contains(&one))
}

/// A config with one decky of each persona.
pub fn config() -> String {
    let mut config = String::from("[general]\ninterface = eth0\nengine = native\n");
    for (number, (slug, _)) in WORDS.iter().enumerate() {
        write!(config, "[p{number}]\nservices = http, snmp\nnmap_os = {slug}\nip = {}\n", address(number))
            .unwrap();
    }
    config
}

/// The address of the decky of that number.
pub fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 20 + number as u8)
}

/// What nmap says at its first try, by persona: the words of an exact match, or why there is none.
pub fn scan(lab: &TestLab, plan: &Plan) -> BTreeMap<String, String> {
    let last = address(WORDS.len() - 1).octets()[3];
    let range = format!("{}-{last}", address(0));
    // One open and one closed port, one closed UDP port: what an attacker's scan finds as well.
    let words = ["-n", "-O", "--max-os-tries", "1", "-p", "80,1", range.as_str()];
    let said = lab.attack_for(240, "nmap", &words);
    assert!(said.status.success(), "{said:?}");
    let mut found = BTreeMap::new();
    for report in said.out.split("Nmap scan report for ").skip(1) {
        let address = report.lines().next().unwrap_or_default();
        let details = report.lines().find_map(|line| line.strip_prefix("OS details: "));
        let guess = report.lines().find(|line| {
            ["Aggressive OS guesses", "No exact OS", "Too many"].iter().any(|word| line.starts_with(word))
        });
        let words = details.or(guess).unwrap_or("nothing").to_owned();
        let decky = plan.deckies.iter().find(|decky| decky.address.to_string() == address);
        found.insert(decky.unwrap().os_persona.clone(), words);
    }
    found
}

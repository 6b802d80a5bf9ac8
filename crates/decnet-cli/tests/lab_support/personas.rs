//! A decky of every packet persona, and what nmap 7.93 calls the system of each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use decnet_core::Plan;

use super::TestLab;

/// Slug, and the words behind "OS details:".
pub const WORDS: [(&str, &str); 16] = [
    ("brother", "Brother HL-495CW printer"),
    (
        "cisco-ap",
        "Cisco Aironet 1141N (IOS 12.4) or 3602I (IOS 15.3) WAP, Cisco Aironet 2600-series WAP (IOS 15.2(2))",
    ),
    ("cisco-ios-router", "Cisco IOS 12.4 or IOS-XE 15.3"),
    ("embedded-linux", "OpenWrt Chaos Calmer 15.05 (Linux 3.18) or Designated Driver (Linux 4.1 or 4.4)"),
    ("freebsd-12", "FreeBSD 12.0-RELEASE - 13.0-CURRENT"),
    ("hp-laserjet", "VxWorks: HP printer or Vocality BASICS Four Wire VoIP gateway"),
    ("hp-laserjet-m525", "HP LaserJet M525 printer"),
    ("linux-2.6", "Linux 2.6.9 - 2.6.30"),
    ("linux-3", "Linux 3.2 - 3.10, Linux 3.2 - 3.16"),
    ("linux-5", "Linux 4.15 - 5.6"),
    ("siemens-plc", "Siemens LOGO! 0BA7 PLC"),
    ("voip-linux", "Grandstream GXP1400 VoIP phone"),
    ("windows-10", "Microsoft Windows 10 1709 - 1803"),
    ("windows-7", "Microsoft Windows 7 or 8.1 R1 or Server 2008 R2 SP1"),
    ("windows-server-2016", "Microsoft Windows Server 2016 build 10586 - 14393"),
    ("windows-server-2019", "Microsoft Windows 10 1709 - 1909"),
];

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

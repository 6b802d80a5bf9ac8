//! What may exist once in a fleet, and what is taken of it.

use std::collections::HashSet;

use super::OsFamily;
use crate::address::MacAddress;

/// A NetBIOS computer name has at most so many characters (RFC 1001 section 14.1, less the suffix octet).
pub(crate) const NETBIOS_LENGTH: usize = 15;

/// The names, addresses and accounts that deckies already have.
#[derive(Default)]
pub(crate) struct Taken {
    hostnames: HashSet<String>,
    netbios: HashSet<String>,
    macs: HashSet<u64>,
    serials: HashSet<String>,
    accounts: HashSet<&'static str>,
    /// Families whose list of accounts is used up.
    exhausted: HashSet<OsFamily>,
}

/// A MAC address as a number, so that neighbours can be seen.
fn number(mac: MacAddress) -> u64 {
    mac.octets().iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

impl Taken {
    /// Takes a host name, in any case. False if a decky has it, or one that is the same to NetBIOS.
    pub(crate) fn hostname(&mut self, name: &str) -> bool {
        let short = name.len() <= NETBIOS_LENGTH;
        let upper = name.to_ascii_uppercase();
        if self.hostnames.contains(&upper) || (short && self.netbios.contains(&upper)) {
            return false;
        }
        self.hostnames.insert(upper);
        true
    }

    /// Takes the NetBIOS name for a host name: the first 15 characters where they are free, else a form
    /// that keeps the number at its end.
    pub(crate) fn netbios(&mut self, hostname: &str) -> String {
        let upper = hostname.to_ascii_uppercase();
        let cut: String = upper.chars().take(NETBIOS_LENGTH).collect();
        let tight: String = upper.chars().filter(|c| *c != '-').collect();
        let digits = tight.len() - tight.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        let (head, tail) = tight.split_at(tight.len() - digits.min(NETBIOS_LENGTH - 1));
        let packed: String = head.chars().take(NETBIOS_LENGTH - tail.len()).chain(tail.chars()).collect();
        let numbered = (1u32..).map(|turn| {
            let end = turn.to_string();
            cut.chars().take(NETBIOS_LENGTH - end.len()).collect::<String>() + &end
        });
        for name in [cut.clone(), packed].into_iter().chain(numbered) {
            // A name that another decky has as its host name is no free NetBIOS name either.
            let own = name == upper;
            if (own || !self.hostnames.contains(&name)) && self.netbios.insert(name.clone()) {
                return name;
            }
        }
        cut
    }

    /// Takes a MAC address. False if a decky has it or the one before or behind it.
    pub(crate) fn mac(&mut self, mac: MacAddress) -> bool {
        let number = number(mac);
        if [number.wrapping_sub(1), number, number + 1].iter().any(|near| self.macs.contains(near)) {
            return false;
        }
        self.macs.insert(number)
    }

    /// Takes a MAC address that the user chose, whatever its neighbours. False if a decky has it.
    pub(crate) fn exact_mac(&mut self, mac: MacAddress) -> bool {
        self.macs.insert(number(mac))
    }

    /// Takes a serial number. False if a decky has it.
    pub(crate) fn serial(&mut self, serial: &str) -> bool {
        self.serials.insert(serial.to_owned())
    }

    /// Takes `user:password`. False if a decky has it.
    pub(crate) fn account(&mut self, account: &'static str) -> bool {
        self.accounts.insert(account)
    }

    /// Takes the first free one of a family's accounts, from place `start` on and around.
    pub(crate) fn next_account(
        &mut self,
        family: OsFamily,
        list: &'static [String],
        start: usize,
    ) -> Option<&'static str> {
        if self.exhausted.contains(&family) {
            return None;
        }
        let (before, from) = list.split_at(start.min(list.len()));
        let free = from.iter().chain(before).map(String::as_str).find(|entry| self.accounts.insert(entry));
        if free.is_none() {
            self.exhausted.insert(family);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_one_in_every_case() {
        let mut taken = Taken::default();
        assert!(taken.hostname("web01"));
        assert!(!taken.hostname("WEB01"));
        assert_eq!(taken.netbios("web01"), "WEB01");
    }

    #[test]
    fn long_names_keep_apart_in_netbios() {
        let mut taken = Taken::default();
        let names: HashSet<String> =
            (1..=40).map(|n| taken.netbios(&format!("app-production-{n:02}"))).collect();
        assert_eq!(names.len(), 40);
        assert!(names.iter().all(|name| name.len() <= NETBIOS_LENGTH));
        assert!(names.contains("APPPRODUCTION02"));
        let same: HashSet<String> = (0..30).map(|_| taken.netbios("aaaaaaaaaaaaaaaaaaaa")).collect();
        assert_eq!(same.len(), 30, "even equal names get different ones");
    }

    #[test]
    fn neighbours_of_a_mac_are_taken() {
        let mut taken = Taken::default();
        assert!(taken.mac(MacAddress([0, 0x1b, 0x21, 0, 0, 5])));
        assert!(!taken.mac(MacAddress([0, 0x1b, 0x21, 0, 0, 6])));
        assert!(!taken.mac(MacAddress([0, 0x1b, 0x21, 0, 0, 4])));
        assert!(taken.mac(MacAddress([0, 0x1b, 0x21, 0, 0, 7])));
        assert!(!taken.exact_mac(MacAddress([0, 0x1b, 0x21, 0, 0, 7])));
    }
}

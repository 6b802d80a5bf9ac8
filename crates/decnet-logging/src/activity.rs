//! What one source did, gathered event by event within bounds: the state behind summaries and views.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::event::{Body, Event};

/// Deckies that are told apart. Beyond, the number stands still.
const DECKIES: usize = 512;
/// Services that are told apart; there are fewer.
const SERVICES: usize = 64;
/// Kinds that are told apart; there are fewer.
const KINDS: usize = 64;
/// Ports kept as a list; beyond they are bits.
const FEW_PORTS: usize = 64;

/// Who did it: an address, or the MAC of a prober that gave none (RFC 5227).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// An address.
    Address(IpAddr),
    /// A NIC.
    Mac(String),
}

impl Source {
    /// The intruder behind an event. None where there is none: what decoys do, and the collector's own.
    pub fn of(event: &Event) -> Option<Source> {
        let report = &event.report;
        match &report.body {
            // Told of a decoy, not of an intruder.
            Body::EgressBlocked { .. } => None,
            // Longer is none, and would not be bounded.
            _ if report.src_ip.is_unspecified() => {
                report.src_mac.clone().filter(|mac| mac.len() <= 32).map(Source::Mac)
            }
            _ => Some(Source::Address(report.src_ip)),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Address(address) => address.fmt(f),
            Source::Mac(mac) => crate::text::shown(mac, 32).fmt(f),
        }
    }
}

/// Events of one source, added up.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The first event's time and the last one's: microseconds since 1970-01-01 UTC.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// How many events.
    pub events: u64,
    /// The NIC, where the wire knows it.
    pub mac: Option<String>,
    /// How often each kind came. `scan.packets` is told apart by its own kind, and counts packets.
    pub kinds: BTreeMap<String, u64>,
    /// Names of deckies.
    pub deckies: BTreeSet<String>,
    /// Slugs of services.
    pub services: BTreeSet<String>,
    /// Ports that were touched.
    pub ports: Ports,
    /// Probes: `scan.probe` events.
    pub probes: u64,
    /// The tool that it looks like.
    pub tool: Option<&'static str>,
}

impl Activity {
    /// Adds an event.
    pub fn observe(&mut self, event: &Event) {
        if self.events == 0 {
            (self.first, self.last) = (event.ts, event.ts);
        }
        self.first = self.first.min(event.ts);
        self.last = self.last.max(event.ts);
        self.events += 1;
        let report = &event.report;
        if self.mac.is_none() {
            self.mac.clone_from(&report.src_mac);
        }
        let (kind, count) = match &report.body {
            Body::ScanPackets { kind, count, ports } => {
                ports.iter().for_each(|port| self.ports.insert(*port));
                (format!("scan.packets.{kind}"), *count)
            }
            body => (body.kind().to_owned(), 1),
        };
        if self.kinds.len() < KINDS || self.kinds.contains_key(&kind) {
            let sum = self.kinds.entry(kind).or_default();
            *sum = sum.saturating_add(count);
        }
        self.probes += u64::from(matches!(report.body, Body::ScanProbe { .. }));
        if report.dst_port != 0 {
            self.ports.insert(report.dst_port);
        }
        add(&mut self.deckies, &event.speaker.decky, DECKIES);
        // The wire is no service of a decky.
        if event.speaker.service != "wire" {
            add(&mut self.services, &event.speaker.service, SERVICES);
        }
        if let Some(tool) = tool(event)
            && self.tool.is_none_or(|known| rank(tool) < rank(known))
        {
            self.tool = Some(tool);
        }
    }

    /// From the first event to the last, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        u64::try_from(self.last.saturating_sub(self.first) / 1000).unwrap_or(0)
    }

    /// In words: `nmap-like sweep: 20 deckies, 143 ports`.
    pub fn words(&self) -> String {
        crate::story::sweep(self.tool, self.deckies.len() as u64, self.ports.len() as u64)
    }
}

fn add(set: &mut BTreeSet<String>, name: &str, limit: usize) {
    if !set.contains(name) && set.len() < limit {
        set.insert(name.to_owned());
    }
}

/// Tools by what they say of themselves; the more telling ones first.
const TOOLS: &[(&str, &str)] = &[
    ("nmap", "nmap"),
    ("masscan", "masscan"),
    ("zgrab", "zgrab"),
    ("zmap", "zmap"),
    ("nuclei", "nuclei"),
    ("nikto", "nikto"),
    ("sqlmap", "sqlmap"),
    ("gobuster", "gobuster"),
    ("feroxbuster", "feroxbuster"),
    ("fuzz faster", "ffuf"),
    ("dirbuster", "dirbuster"),
    ("wpscan", "wpscan"),
    ("hydra", "hydra"),
    ("censys", "censys"),
    ("shodan", "shodan"),
];

fn rank(tool: &str) -> usize {
    TOOLS.iter().position(|(_, name)| *name == tool).unwrap_or(TOOLS.len())
}

/// The tool that an event gives away.
pub(crate) fn tool(event: &Event) -> Option<&'static str> {
    let report = &event.report;
    let named = |text: &str| {
        let text = text.to_ascii_lowercase();
        TOOLS.iter().find(|(word, _)| text.contains(word)).map(|(_, name)| *name)
    };
    let said = match &report.body {
        Body::ScanProbe { kind } => named(kind),
        Body::ClientFingerprint { value, .. } => named(value),
        _ => None,
    };
    said.or_else(|| report.tags.iter().find_map(|tag| named(tag)))
}

/// A set of ports: a few as a list, many as 8 KiB of bits.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    few: Vec<u16>,
    many: Option<Box<[u64; 1024]>>,
}

impl Ports {
    /// Adds one.
    pub fn insert(&mut self, port: u16) {
        if let Some(bits) = &mut self.many {
            bits[usize::from(port) / 64] |= 1 << (port % 64);
        } else if let Err(place) = self.few.binary_search(&port) {
            self.few.insert(place, port);
            if self.few.len() > FEW_PORTS {
                let few = std::mem::take(&mut self.few);
                self.many = Some(Box::new([0; 1024]));
                few.into_iter().for_each(|port| self.insert(port));
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.many {
            Some(bits) => bits.iter().map(|bits| bits.count_ones() as usize).sum(),
            None => self.few.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        let bits = self.many.iter().flat_map(|bits| {
            (0..=u16::MAX).filter(|port| bits[usize::from(*port) / 64] >> (port % 64) & 1 == 1)
        });
        self.few.iter().copied().chain(bits)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ports_are_a_set(wanted in proptest::collection::vec(any::<u16>(), 0..200)) {
            let mut ports = Ports::default();
            wanted.iter().for_each(|port| ports.insert(*port));
            let set: BTreeSet<u16> = wanted.into_iter().collect();
            prop_assert_eq!(ports.len(), set.len());
            prop_assert_eq!(ports.iter().collect::<Vec<_>>(), set.into_iter().collect::<Vec<_>>());
        }
    }
}

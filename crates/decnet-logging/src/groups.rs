//! Who did what, over all deckies; or what was done to each decky, by everybody. Pure: an iterator of events
//! in, a list of groups out, in bounded memory.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::activity::{Activity, Source};
use crate::event::{Body, Direction, Event, Outcome, Severity, timestamp};
use crate::story::{login, show};

/// Groups that are kept. Beyond, the mildest half goes into the sum of the rest.
const GROUPS: usize = 10_000;
/// Different credentials, exploits, files and others of one group. Beyond, they are only counted.
const LISTED: usize = 100;
/// Other ends (deckies of a source, sources of a decky) that a group tells apart.
const OTHERS: usize = 512;

/// What events are gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The intruder's address.
    Source,
    /// The decky's name.
    Decky,
}

/// Something that was done more than once, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// What: safe on a terminal.
    pub what: String,
    /// How often.
    pub count: u64,
    /// Of a credential: whether it was let in, ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
}

/// A file that went one way or the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileSeen {
    /// Its name, or where it was to be fetched from.
    pub name: String,
    /// `uploaded`, `downloaded`, `ordered`, `mail` or `recording`.
    pub way: &'static str,
    /// Bytes, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The artifact, where it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
}

/// What one source did, or what was done to one decky.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// The address or the decky's name.
    pub name: String,
    /// The NIC, where the wire knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// The worst that happened.
    pub severity: Severity,
    /// The first event.
    #[serde(serialize_with = "timestamp::serialize")]
    pub first: i64,
    /// The last event.
    #[serde(serialize_with = "timestamp::serialize")]
    pub last: i64,
    /// From the first to the last.
    pub duration_ms: u64,
    /// How many.
    pub events: u64,
    /// The tool that it looks like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<&'static str>,
    /// Deckies that were touched; of a decky, the sources that touched it.
    pub touched: Vec<String>,
    /// How many; a list of several hundred is cut.
    pub touched_count: u64,
    /// Services.
    pub services: Vec<String>,
    /// How many different ports.
    pub ports: u64,
    /// How many of each kind of event.
    pub kinds: BTreeMap<String, u64>,
    /// Credentials that were tried, each once; those that were let in first.
    pub credentials: Vec<Counted>,
    /// Exploits, tests for a decoy and touched baits.
    pub exploits: Vec<Counted>,
    /// Files.
    pub files: Vec<FileSeen>,
    /// Credentials, exploits and files that are not listed.
    pub unlisted: u64,
}

/// All groups.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Grouped {
    /// The worst first; among equals, the latest first.
    pub groups: Vec<Group>,
    /// Groups that were too many to keep. None of them was worse than any that is listed was then.
    pub rest: u64,
}

#[derive(Debug)]
struct Gathered {
    activity: Activity,
    severity: Severity,
    others: BTreeSet<String>,
    /// The words, and whether it was let in.
    credentials: BTreeMap<String, (u64, bool)>,
    exploits: BTreeMap<String, u64>,
    files: BTreeSet<FileSeen>,
    unlisted: u64,
}

/// Gathers events.
#[derive(Debug)]
pub struct Groups {
    by: By,
    groups: BTreeMap<String, Gathered>,
    rest: u64,
}

impl Groups {
    /// Nothing yet.
    pub fn new(by: By) -> Groups {
        Groups { by, groups: BTreeMap::new(), rest: 0 }
    }

    /// Takes an event. What no intruder did is passed over.
    pub fn push(&mut self, event: &Event) {
        if matches!(event.report.body, Body::ScanSummary { .. } | Body::Heartbeat { .. }) {
            return;
        }
        let source = Source::of(event).map(|source| source.to_string());
        let decky = show(&event.speaker.decky);
        let (name, other) = match (self.by, source) {
            (By::Source, Some(source)) => (source, Some(decky)),
            (By::Source, None) => return,
            (By::Decky, source) => (decky, source),
        };
        if !self.groups.contains_key(&name) && self.groups.len() >= GROUPS {
            self.thin_out();
        }
        let gathered = self.groups.entry(name).or_insert_with(Gathered::new);
        gathered.push(event, other);
        if self.by == By::Decky {
            // Of many intruders there is no one NIC.
            gathered.activity.mac = None;
        }
    }

    /// What was gathered.
    pub fn finish(self) -> Grouped {
        let mut groups: Vec<Group> =
            self.groups.into_iter().map(|(name, gathered)| gathered.finish(name)).collect();
        // Severities are in the order of their numbers: the worst is the least.
        groups.sort_by(|a, b| (a.severity, b.last, &a.name).cmp(&(b.severity, a.last, &b.name)));
        Grouped { groups, rest: self.rest }
    }

    fn thin_out(&mut self) {
        let mut order: Vec<_> = self
            .groups
            .iter()
            .map(|(name, group)| (std::cmp::Reverse(group.severity), group.activity.last, name.clone()))
            .collect();
        order.sort();
        for (_, _, name) in order.into_iter().take(GROUPS / 2) {
            self.groups.remove(&name);
            self.rest += 1;
        }
    }
}

impl Gathered {
    fn new() -> Gathered {
        Gathered {
            activity: Activity::default(),
            severity: Severity::Info,
            others: BTreeSet::new(),
            credentials: BTreeMap::new(),
            exploits: BTreeMap::new(),
            files: BTreeSet::new(),
            unlisted: 0,
        }
    }

    fn push(&mut self, event: &Event, other: Option<String>) {
        self.activity.observe(event);
        self.severity = self.severity.min(event.severity);
        if let Some(other) = other
            && self.others.len() < OTHERS
        {
            self.others.insert(other);
        }
        match &event.report.body {
            Body::AuthAttempt { credential, outcome } => {
                let words = format!("{} ({})", login(credential), show(&credential.method));
                let accepted = *outcome == Outcome::Accepted;
                if self.credentials.len() < LISTED || self.credentials.contains_key(&words) {
                    let (count, ever) = self.credentials.entry(words).or_default();
                    *count += 1;
                    *ever |= accepted;
                } else {
                    self.unlisted += 1;
                }
            }
            Body::ExploitAttempt { name, .. } => self.exploit(show(name)),
            Body::HoneypotTest { rule } => self.exploit(format!("test for a decoy: {}", show(rule))),
            Body::BaitTouched { bait, .. } => self.exploit(format!("bait: {}", show(bait))),
            Body::PoisonerSeen { name, .. } => self.exploit(format!("name poisoning: {}", show(name))),
            Body::FileUpload { name, size, artifact, .. } => {
                self.file(name, "uploaded", Some(*size), artifact.as_deref());
            }
            Body::FileDownload { name, url, direction, size, .. } => {
                let way = if *direction == Direction::Served { "downloaded" } else { "ordered" };
                self.file(name.as_deref().or(url.as_deref()).unwrap_or_default(), way, *size, None);
            }
            Body::Message { subject, size, artifact, .. } => {
                self.file(subject.as_deref().unwrap_or_default(), "mail", Some(*size), artifact.as_deref());
            }
            Body::SessionRecorded { artifact, format, .. } => {
                self.file(format, "recording", None, Some(artifact));
            }
            _ => {}
        }
    }

    fn exploit(&mut self, words: String) {
        if self.exploits.len() < LISTED || self.exploits.contains_key(&words) {
            *self.exploits.entry(words).or_default() += 1;
        } else {
            self.unlisted += 1;
        }
    }

    fn file(&mut self, name: &str, way: &'static str, size: Option<u64>, artifact: Option<&str>) {
        let file = FileSeen { name: show(name), way, size, artifact: artifact.map(show) };
        if self.files.len() < LISTED || self.files.contains(&file) {
            self.files.insert(file);
        } else {
            self.unlisted += 1;
        }
    }

    fn finish(self, name: String) -> Group {
        let activity = self.activity;
        let counted = |(what, count)| Counted { what, count, accepted: None };
        let mut credentials: Vec<Counted> = self
            .credentials
            .into_iter()
            .map(|(what, (count, accepted))| Counted { what, count, accepted: Some(accepted) })
            .collect();
        credentials.sort_by(|a, b| (b.accepted, b.count, &a.what).cmp(&(a.accepted, a.count, &b.what)));
        let mut exploits: Vec<Counted> = self.exploits.into_iter().map(counted).collect();
        exploits.sort_by(|a, b| (b.count, &a.what).cmp(&(a.count, &b.what)));
        Group {
            name,
            mac: activity.mac.as_deref().map(show),
            severity: self.severity,
            first: activity.first,
            last: activity.last,
            duration_ms: activity.duration_ms(),
            events: activity.events,
            tool: activity.tool,
            touched_count: self.others.len() as u64,
            touched: self.others.into_iter().collect(),
            services: activity.services.iter().map(|slug| show(slug)).collect(),
            ports: activity.ports.len() as u64,
            kinds: activity.kinds,
            credentials,
            exploits,
            files: self.files.into_iter().collect(),
            unlisted: self.unlisted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Credential, Report, SCHEMA, Speaker};

    fn event(ts: i64, source: u32, decky: &str, service: &str, body: Body) -> Event {
        let mut report = Report::without_conversation(body);
        report.src_ip = std::net::IpAddr::V4(source.into());
        report.dst_port = 22;
        let (fleet, decky, hostname, service) = ("lab".into(), decky.into(), "SRV".into(), service.into());
        let speaker = Speaker { fleet, decky, hostname, service };
        let severity = report.body.severity();
        Event { schema: SCHEMA, ts: ts * 1_000_000, seq: 1, speaker, severity, report }
    }

    fn login(password: &str, outcome: Outcome) -> Body {
        Body::AuthAttempt { credential: Credential::password("plain", b"root", password.as_bytes()), outcome }
    }

    const A: u32 = 0xc633_6407;
    const B: u32 = 0xc633_6408;

    fn sample() -> Vec<Event> {
        let exploit = Body::ExploitAttempt { name: "CVE-2021-44228".into(), confidence: 100 };
        let upload = Body::FileUpload {
            name: "x.sh".into(),
            size: 3,
            sha256: "ab".into(),
            stored: true,
            artifact: Some("ab".into()),
        };
        vec![
            event(1, A, "d1", "ssh", login("a", Outcome::Failed)),
            event(2, A, "d2", "ssh", login("a", Outcome::Failed)),
            event(3, A, "d2", "ssh", login("b", Outcome::Accepted)),
            event(4, B, "d2", "http", exploit),
            event(5, A, "d2", "ssh", upload),
            event(6, 9, "d3", "ssh", Body::ScanProbe { kind: "nmap".into() }),
            event(7, 0, "d3", "ssh", Body::EventsDropped { count: 1, delivery: None }),
        ]
    }

    fn grouped(by: By, events: &[Event]) -> Grouped {
        let mut groups = Groups::new(by);
        events.iter().for_each(|event| groups.push(event));
        groups.finish()
    }

    #[test]
    fn each_source_is_told_over_all_deckies() {
        let told = serde_json::to_string_pretty(&grouped(By::Source, &sample())).unwrap();
        insta::assert_snapshot!(told);
    }

    #[test]
    fn each_decky_is_told_with_all_its_sources() {
        let all = grouped(By::Decky, &sample());
        let told: Vec<_> = all
            .groups
            .iter()
            .map(|group| (group.name.as_str(), group.severity, group.touched.join(" "), group.events))
            .collect();
        let both = "198.51.100.7 198.51.100.8".to_owned();
        assert_eq!(
            told,
            [
                ("d2", Severity::Critical, both, 4),
                ("d3", Severity::Warning, "0.0.0.9".to_owned(), 2),
                ("d1", Severity::Warning, "198.51.100.7".to_owned(), 1),
            ]
        );
    }

    #[test]
    fn a_flood_of_sources_does_not_push_the_worst_out() {
        let mut groups = Groups::new(By::Source);
        sample().iter().for_each(|event| groups.push(event));
        for number in 0..40_000 {
            let probe = Body::ScanProbe { kind: "x".into() };
            groups.push(&event(10 + i64::from(number), 0x0a00_0000 + number, "d1", "ssh", probe));
            assert!(groups.groups.len() <= GROUPS);
        }
        for number in 0..1000 {
            groups.push(&event(99, A, "d1", "ssh", login(&number.to_string(), Outcome::Failed)));
            let exploit = Body::ExploitAttempt { name: number.to_string(), confidence: 1 };
            groups.push(&event(99, A, &number.to_string(), "ssh", exploit));
        }
        let all = groups.finish();
        assert_eq!(all.rest + all.groups.len() as u64, 40_003);
        assert_eq!([&all.groups[0].name, &all.groups[1].name], ["198.51.100.7", "198.51.100.8"]);
        let worst = &all.groups[0];
        assert_eq!((worst.credentials.len(), worst.exploits.len()), (LISTED, LISTED));
        assert_eq!((worst.touched.len(), worst.unlisted), (OTHERS, 1802));
    }
}

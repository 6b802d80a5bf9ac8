//! Scans in one line: what a source did within a window, once it has gone quiet or the window is long
//! enough. The events themselves stay; this is one more, for those who read few.
//!
//! Pure: it is told what happened and what time it is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr};

use crate::activity::{Activity, Source};
use crate::event::{Body, Event, Report, timestamp};

/// A window ends when its source was quiet for so long: microseconds.
pub const QUIET: i64 = 60 * 1_000_000;

/// And at the latest so long after it began.
pub const LONGEST: i64 = 5 * 60 * 1_000_000;

/// Sources whose windows are open. Beyond, the window that ends soonest ends now; what it holds is told
/// then, so nobody hides by inventing addresses.
pub const SOURCES: usize = 1024;

/// A source that touched so many deckies within a window has swept them: who works at one machine does not.
pub const SWEEP_DECKIES: usize = 3;
/// Or so many ports.
pub const SCAN_PORTS: usize = 10;
/// Or sent so many probes that were no conversation.
pub const SCAN_PROBES: u64 = 8;

/// Names of deckies, and ports, that stand in a summary.
const DECKIES_TOLD: usize = 64;
const PORTS_TOLD: usize = 256;

/// Gathers windows.
#[derive(Debug, Default)]
pub struct Summaries {
    windows: BTreeMap<Source, Activity>,
    /// When each window should be looked at: its end as it was known then. One entry for each window.
    ends: BinaryHeap<Reverse<(i64, Source)>>,
    /// Of windows that had to make room.
    early: Vec<Report>,
}

impl Summaries {
    /// Takes notice of an event.
    pub fn observe(&mut self, event: &Event) {
        if matches!(event.report.body, Body::ScanSummary { .. } | Body::Heartbeat { .. }) {
            return;
        }
        let Some(source) = Source::of(event) else { return };
        if !self.windows.contains_key(&source) {
            if self.windows.len() >= SOURCES {
                self.evict();
            }
            self.ends.push(Reverse((event.ts.saturating_add(QUIET), source.clone())));
        }
        self.windows.entry(source).or_default().observe(event);
    }

    /// When [`Summaries::due`] should be called; none while nobody is about. It may be too early, at most
    /// once a minute for each source.
    pub fn next_due(&self) -> Option<i64> {
        if !self.early.is_empty() {
            return Some(i64::MIN);
        }
        self.ends.peek().map(|Reverse((end, _))| *end)
    }

    /// The summaries of windows that have ended.
    pub fn due(&mut self, now: i64) -> Vec<Report> {
        let mut told = std::mem::take(&mut self.early);
        while let Some(Reverse((end, _))) = self.ends.peek()
            && *end <= now
        {
            let Some(Reverse((_, source))) = self.ends.pop() else { break };
            match self.windows.get(&source).map(end_of) {
                Some(end) if end > now => self.ends.push(Reverse((end, source))),
                _ => told.extend(self.close(&source)),
            }
        }
        told
    }

    /// The summaries of all windows, at the end.
    pub fn finish(&mut self) -> Vec<Report> {
        let mut told = std::mem::take(&mut self.early);
        self.ends.clear();
        let windows = std::mem::take(&mut self.windows);
        told.extend(windows.iter().filter(|(_, window)| is_scan(window)).map(|(who, did)| report(who, did)));
        told
    }

    /// How many windows are open.
    pub fn open(&self) -> usize {
        self.windows.len()
    }

    fn evict(&mut self) {
        if let Some(Reverse((_, source))) = self.ends.pop() {
            let told = self.close(&source);
            self.early.extend(told);
        }
    }

    fn close(&mut self, source: &Source) -> Option<Report> {
        let window = self.windows.remove(source)?;
        is_scan(&window).then(|| report(source, &window))
    }
}

/// When a window ends, as far as is known.
fn end_of(window: &Activity) -> i64 {
    window.last.saturating_add(QUIET).min(window.first.saturating_add(LONGEST))
}

/// Whether it is worth a summary.
pub fn is_scan(activity: &Activity) -> bool {
    activity.deckies.len() >= SWEEP_DECKIES
        || activity.ports.len() >= SCAN_PORTS
        || activity.probes >= SCAN_PROBES
}

fn report(source: &Source, activity: &Activity) -> Report {
    let body = Body::ScanSummary {
        tool: activity.tool.map(str::to_owned),
        began: timestamp::format(activity.first),
        duration_ms: activity.duration_ms(),
        count: activity.events,
        kinds: activity.kinds.iter().map(|(kind, count)| (kind.clone(), *count)).collect(),
        deckies: activity.deckies.iter().take(DECKIES_TOLD).cloned().collect(),
        deckies_count: activity.deckies.len() as u64,
        services: activity.services.iter().cloned().collect(),
        ports: activity.ports.iter().take(PORTS_TOLD).collect(),
        ports_count: activity.ports.len() as u64,
    };
    let mut report = Report::without_conversation(body);
    report.src_mac.clone_from(&activity.mac);
    report.src_ip = match source {
        Source::Address(address) => *address,
        Source::Mac(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{SCHEMA, Speaker};

    const SECOND: i64 = 1_000_000;

    fn event(seconds: i64, source: [u8; 4], decky: &str, port: u16, body: Body) -> Event {
        let mut report = Report::without_conversation(body);
        report.src_ip = source.into();
        report.dst_port = port;
        Event {
            schema: SCHEMA,
            ts: seconds * SECOND,
            seq: 1,
            speaker: Speaker {
                fleet: "lab".into(),
                decky: decky.into(),
                hostname: "SRV".into(),
                service: if port == 0 { "wire" } else { "redis" }.into(),
            },
            severity: report.body.severity(),
            report,
        }
    }

    fn probe(kind: &str) -> Body {
        Body::ScanProbe { kind: kind.into() }
    }

    const INTRUDER: [u8; 4] = [198, 51, 100, 7];

    #[test]
    fn a_sweep_is_one_summary_when_it_has_gone_quiet() {
        let mut summaries = Summaries::default();
        assert_eq!(summaries.next_due(), None, "no timer while nobody is about");
        for number in 0..20 {
            let ports = (1..=100).collect();
            let packets = Body::ScanPackets { kind: "half_open".into(), count: 1000, ports };
            summaries.observe(&event(number, INTRUDER, &format!("decky-{number:02}"), 0, packets));
        }
        summaries.observe(&event(20, INTRUDER, "decky-00", 6379, probe("nmap")));
        assert_eq!(summaries.next_due(), Some(60 * SECOND));
        assert_eq!(summaries.due(60 * SECOND), []);
        assert_eq!(summaries.next_due(), Some(80 * SECOND), "quiet since the twentieth second");
        let told = summaries.due(80 * SECOND);
        let [report] = &told[..] else { panic!("{told:?}") };
        assert_eq!(report.src_ip, IpAddr::from(INTRUDER));
        let Body::ScanSummary {
            tool, began, duration_ms, count, kinds, deckies, ports_count, services, ..
        } = &report.body
        else {
            panic!("{report:?}")
        };
        assert_eq!((tool.as_deref(), *count, *duration_ms, *ports_count), (Some("nmap"), 21, 20_000, 101));
        assert_eq!((began.as_str(), deckies.len()), ("1970-01-01T00:00:00.000000Z", 20));
        assert_eq!(services, &["redis"]);
        assert_eq!(kinds, &[("scan.packets.half_open".to_owned(), 20_000), ("scan.probe".to_owned(), 1)]);
        assert_eq!((summaries.next_due(), summaries.open()), (None, 0));
    }

    #[test]
    fn who_goes_on_is_told_every_five_minutes() {
        let mut summaries = Summaries::default();
        let mut told = Vec::new();
        for second in 0..1000 {
            let decky = format!("decky-{}", second % 5);
            told.extend(summaries.due(second * SECOND).into_iter().map(|report| (second, report)));
            summaries.observe(&event(second, INTRUDER, &decky, 22, Body::ConnectionOpened));
        }
        let seconds: Vec<i64> = told.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds, [300, 600, 900]);
        assert_eq!(summaries.finish().len(), 1);
        assert_eq!(summaries.next_due(), None);
    }

    #[test]
    fn a_login_session_needs_no_summary() {
        let mut summaries = Summaries::default();
        for second in 0..50 {
            let command = Body::Command {
                command: "id".into(),
                line: "id".into(),
                outcome: crate::event::Outcome::Accepted,
            };
            summaries.observe(&event(second, INTRUDER, "decky-01", 22, command));
            summaries.observe(&event(second, INTRUDER, "decky-02", 22, Body::ConnectionOpened));
        }
        assert_eq!(summaries.due(i64::MAX), []);
        assert_eq!(summaries.open(), 0);
    }

    #[test]
    fn each_threshold_is_enough_and_one_less_is_not() {
        let told = |observe: &dyn Fn(&mut Summaries)| {
            let mut summaries = Summaries::default();
            observe(&mut summaries);
            summaries.finish().len()
        };
        for (enough, one_less) in [(SWEEP_DECKIES, true), (SWEEP_DECKIES - 1, false)] {
            let all = |summaries: &mut Summaries| {
                for decky in 0..enough {
                    summaries.observe(&event(0, INTRUDER, &decky.to_string(), 22, Body::ConnectionOpened));
                }
            };
            assert_eq!(told(&all), usize::from(one_less));
        }
        for (enough, one_less) in [(SCAN_PORTS, true), (SCAN_PORTS - 1, false)] {
            let all = |summaries: &mut Summaries| {
                for port in 0..enough as u16 {
                    summaries.observe(&event(0, INTRUDER, "a", port + 1, Body::ConnectionOpened));
                }
            };
            assert_eq!(told(&all), usize::from(one_less));
        }
        for (enough, one_less) in [(SCAN_PROBES, true), (SCAN_PROBES - 1, false)] {
            let all = |summaries: &mut Summaries| {
                for _ in 0..enough {
                    summaries.observe(&event(0, INTRUDER, "a", 22, probe("empty")));
                }
            };
            assert_eq!(told(&all), usize::from(one_less));
        }
    }

    #[test]
    fn invented_addresses_end_a_window_early_and_hide_nothing() {
        let mut summaries = Summaries::default();
        for decky in 0..5 {
            summaries.observe(&event(0, INTRUDER, &format!("d{decky}"), 22, Body::ConnectionOpened));
        }
        for number in 0..100_000u32 {
            let [_, b, c, d] = number.to_be_bytes();
            summaries.observe(&event(1, [10, b, c, d], "d1", 22, Body::ConnectionOpened));
            assert!(summaries.open() <= SOURCES && summaries.ends.len() <= SOURCES);
        }
        assert_eq!(summaries.next_due(), Some(i64::MIN), "what had to make room is told at once");
        let told = summaries.due(1);
        assert_eq!(told.len(), 1, "the scan, and none of the invented ones");
        assert_eq!(told[0].src_ip, IpAddr::from(INTRUDER));
    }

    #[test]
    fn decoys_and_the_collector_are_no_intruders() {
        let mut summaries = Summaries::default();
        for second in 0..20 {
            let decky = format!("d{second}");
            let blocked = Body::EgressBlocked { protocol: "tcp".into(), count: 1 };
            summaries.observe(&event(second, [198, 51, 100, 20], &decky, 0, blocked));
            summaries.observe(&event(
                second,
                [0; 4],
                &decky,
                0,
                Body::EventsDropped { count: 1, delivery: None },
            ));
        }
        let mut own = Summaries::default();
        for decky in 0..9 {
            own.observe(&event(0, INTRUDER, &decky.to_string(), 22, Body::ConnectionOpened));
        }
        let report = own.finish().remove(0);
        let mut event = event(0, INTRUDER, "collector", 0, Body::ConnectionOpened);
        event.report = report;
        summaries.observe(&event);
        assert_eq!(summaries.open(), 0);
    }
}

//! A stream of events as a person wants to read it: what intruders said line by line, and what was only
//! looking around gathered - one scan is one line.
//!
//! A conversation is *looking around* while all its events are of severity info: a connection, a probe, a
//! handshake. They are held back until something deeper happens, which brings them out, or until the
//! conversation ends, which puts them into the scan of their source. Pure, and bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::activity::{Activity, Source};
use crate::event::{Body, Event, Session, Severity};

/// A scan is over when its source was quiet for so long: microseconds.
pub const QUIET: i64 = 60 * 1_000_000;

/// Scans that are open at once. Beyond, the oldest are told.
const SCANS: usize = 4096;

/// Conversations that are held back at once. Beyond, the oldest counts as looking around.
const HELD: usize = 4096;

/// Events of one conversation that are held back; beyond, it counts as looking around.
const HELD_EVENTS: usize = 8;

/// Conversations that are known to be deep. Beyond, the oldest is forgotten.
const DEEP: usize = 16_384;

/// One line of the story.
#[derive(Clone, Debug)]
pub enum Line {
    /// An event.
    Event(Box<Event>),
    /// A scan: what one source did besides.
    Scan(Source, Box<Activity>),
}

/// Gathers a stream.
#[derive(Debug, Default)]
pub struct Coalesce {
    scans: BTreeMap<Source, Activity>,
    /// When a scan may be over at the earliest.
    look: Option<i64>,
    held: BTreeMap<Session, Vec<Event>>,
    held_order: VecDeque<Session>,
    deep: BTreeSet<Session>,
    deep_order: VecDeque<Session>,
}

impl Coalesce {
    /// Takes an event; `told` gets the lines that are ready, in order.
    pub fn push(&mut self, event: Event, mut told: impl FnMut(Line)) {
        self.due(event.ts, &mut told);
        let Some(source) = Source::of(&event) else { return told(Line::Event(Box::new(event))) };
        let session = event.report.session;
        if event.severity < Severity::Info || matches!(event.report.body, Body::ScanSummary { .. }) {
            if session != Session(0) && self.deep.insert(session) {
                self.deep_order.push_back(session);
                if self.deep_order.len() > DEEP {
                    self.deep_order.pop_front().map(|oldest| self.deep.remove(&oldest));
                }
                for held in self.held.remove(&session).unwrap_or_default() {
                    told(Line::Event(Box::new(held)));
                }
            }
            return told(Line::Event(Box::new(event)));
        }
        if self.deep.contains(&session) {
            return told(Line::Event(Box::new(event)));
        }
        let closes = matches!(event.report.body, Body::ConnectionClosed { .. });
        let holds = session != Session(0)
            && !closes
            && (self.held.contains_key(&session) || matches!(event.report.body, Body::ConnectionOpened));
        if holds {
            let held = self.held.entry(session).or_default();
            held.push(event);
            if held.len() == 1 {
                self.held_order.push_back(session);
            }
            let many = held.len() > HELD_EVENTS;
            if many {
                self.absorb(session, &mut told);
            }
            while self.held_order.len() > HELD {
                let Some(oldest) = self.held_order.pop_front() else { break };
                self.absorb(oldest, &mut told);
            }
            return;
        }
        self.absorb(session, &mut told);
        self.scan(source, &event, &mut told);
    }

    /// The scans that are over by then. Who follows a stream calls it while nothing comes.
    pub fn due(&mut self, now: i64, mut told: impl FnMut(Line)) {
        if self.look.is_none_or(|look| look > now) {
            return;
        }
        let over: Vec<Source> = self
            .scans
            .iter()
            .filter(|(_, scan)| scan.last.saturating_add(QUIET) <= now)
            .map(|(source, _)| source.clone())
            .collect();
        let mut scans: Vec<_> =
            over.into_iter().filter_map(|source| self.scans.remove_entry(&source)).collect();
        scans.sort_by_key(|(_, scan)| scan.last);
        for (source, scan) in scans {
            told(Line::Scan(source, Box::new(scan)));
        }
        self.look = self.scans.values().map(|scan| scan.last.saturating_add(QUIET)).min();
    }

    /// All that is left.
    pub fn finish(mut self, mut told: impl FnMut(Line)) {
        for session in std::mem::take(&mut self.held_order) {
            self.absorb(session, &mut told);
        }
        let mut scans: Vec<_> = self.scans.into_iter().collect();
        scans.sort_by_key(|(_, scan)| scan.last);
        for (source, scan) in scans {
            told(Line::Scan(source, Box::new(scan)));
        }
    }

    /// Puts a conversation that was held back into its source's scan.
    fn absorb(&mut self, session: Session, told: &mut impl FnMut(Line)) {
        for event in self.held.remove(&session).unwrap_or_default() {
            if let Some(source) = Source::of(&event) {
                self.scan(source, &event, told);
            }
        }
    }

    fn scan(&mut self, source: Source, event: &Event, told: &mut impl FnMut(Line)) {
        if !self.scans.contains_key(&source) && self.scans.len() >= SCANS {
            // A quarter at once: one by one, a flood of invented addresses would be searched through each time.
            let mut all: Vec<_> =
                self.scans.iter().map(|(source, scan)| (scan.last, source.clone())).collect();
            all.sort();
            for (_, source) in all.into_iter().take(SCANS / 4) {
                if let Some((source, scan)) = self.scans.remove_entry(&source) {
                    told(Line::Scan(source, Box::new(scan)));
                }
            }
        }
        let scan = self.scans.entry(source).or_default();
        scan.observe(event);
        let over = scan.last.saturating_add(QUIET);
        self.look = Some(self.look.map_or(over, |look| look.min(over)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CloseReason, Credential, Outcome, Report, SCHEMA, Speaker};

    fn event(ts: i64, session: u128, source: u8, decky: &str, body: Body) -> Event {
        let mut report = Report::without_conversation(body);
        report.session = Session(session);
        report.src_ip = [198, 51, 100, source].into();
        report.dst_port = if session == 0 { 0 } else { 22 };
        Event {
            schema: SCHEMA,
            ts: ts * 1_000_000,
            seq: 1,
            speaker: Speaker {
                fleet: "lab".into(),
                decky: decky.into(),
                hostname: "SRV".into(),
                service: "ssh".into(),
            },
            severity: report.body.severity(),
            report,
        }
    }

    fn told(events: Vec<Event>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut say = |line| {
            lines.push(match line {
                Line::Event(event) => format!("{} {}", event.ts / 1_000_000, event.report.body.kind()),
                Line::Scan(source, scan) => format!("{source} {}, {} events", scan.words(), scan.events),
            });
        };
        let mut coalesce = Coalesce::default();
        for event in events {
            coalesce.push(event, &mut say);
        }
        coalesce.finish(&mut say);
        lines
    }

    fn closed() -> Body {
        Body::ConnectionClosed { reason: CloseReason::Client, duration_ms: 1, bytes_in: 0, bytes_out: 0 }
    }

    fn login() -> Body {
        Body::AuthAttempt { credential: Credential::password("x", b"a", b"b"), outcome: Outcome::Failed }
    }

    #[test]
    fn one_scan_is_one_line_and_a_login_is_told_from_its_beginning() {
        let mut events = Vec::new();
        for number in 1..=20 {
            let decky = format!("decky-{number:02}");
            let ports = (1..=100).collect();
            let packets = Body::ScanPackets { kind: "half_open".into(), count: 100, ports };
            events.push(event(0, 0, 7, &decky, packets));
            events.push(event(1, number, 7, &decky, Body::ConnectionOpened));
            events.push(event(2, number, 7, &decky, Body::ScanProbe { kind: "nmap".into() }));
            events.push(event(3, number, 7, &decky, closed()));
        }
        events.push(event(4, 99, 9, "decky-01", Body::ConnectionOpened));
        events.push(event(5, 99, 9, "decky-01", login()));
        events.push(event(6, 99, 9, "decky-01", closed()));
        events.push(event(7, 100, 9, "decky-01", Body::ConnectionOpened));
        assert_eq!(
            told(events),
            [
                "4 connection.opened",
                "5 auth.attempt",
                "6 connection.closed",
                "198.51.100.7 nmap-like sweep: 20 deckies, 100 ports, 80 events",
                "198.51.100.9 scan: 1 decky, 1 port, 1 events",
            ]
        );
    }

    #[test]
    fn a_scan_is_told_when_its_source_is_quiet() {
        let probe = |at, source| event(at, 0, source, "d", Body::ScanProbe { kind: "empty".into() });
        let lines = told(vec![probe(0, 7), probe(30, 7), probe(40, 8), probe(95, 8), probe(500, 7)]);
        assert_eq!(
            lines,
            [
                "198.51.100.7 scan: 1 decky, 2 events",
                "198.51.100.8 scan: 1 decky, 2 events",
                "198.51.100.7 scan: 1 decky, 1 events"
            ]
        );
    }

    #[test]
    fn it_holds_no_more_than_its_bounds() {
        let mut coalesce = Coalesce::default();
        let mut lines = 0u64;
        let mut count = |line| {
            lines += match line {
                Line::Event(_) => 1,
                Line::Scan(_, scan) => scan.events,
            }
        };
        for number in 0..40_000u32 {
            let body = if number % 2 == 0 { Body::ConnectionOpened } else { login() };
            let mut event = event(1, u128::from(number) + 1, 7, "d", body);
            event.report.src_ip = std::net::IpAddr::V4((number % 9000).into());
            coalesce.push(event, &mut count);
            assert!(
                coalesce.scans.len() <= SCANS && coalesce.held.len() <= HELD && coalesce.deep.len() <= DEEP
            );
            assert!(coalesce.held_order.len() <= HELD && coalesce.deep_order.len() <= DEEP);
        }
        for _ in 0..100 {
            coalesce.push(event(1, 7, 7, "d", Body::ConnectionOpened), &mut count);
        }
        coalesce.finish(&mut count);
        assert_eq!(lines, 40_100, "nothing is lost");
    }
}

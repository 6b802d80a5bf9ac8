//! A stream of events as a person wants to read it: what intruders said line by line, and what was only
//! looking around gathered - one scan is one line.
//!
//! A conversation is *looking around* while all its events are of severity info: a connection, a probe, a
//! handshake. They are held back until something deeper happens, which brings them out, or until the
//! conversation ends, which puts them into the scan of their source. A first request is held back for a
//! moment, too: a scanner names itself right behind it, and then it only looked around. Pure, and bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::activity::{self, Activity, Source};
use crate::event::{Body, Event, Session, Severity};

/// A scan is over when its source was quiet for so long: microseconds.
pub const QUIET: i64 = 60 * 1_000_000;

/// Scans that are open at once. Beyond, the oldest are told.
const SCANS: usize = 4096;

/// Conversations that are held back at once. Beyond, the oldest counts as looking around.
const HELD: usize = 4096;

/// Events of one conversation that are held back; beyond, it counts as looking around.
const HELD_EVENTS: usize = 8;

/// Conversations that are known to be deep, or a scanner's. Beyond, the oldest is forgotten.
const KNOWN: usize = 16_384;

/// How long a request waits for the name of who sent it: microseconds.
const MOMENT: i64 = 2 * 1_000_000;

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
    /// Held requests, and when they came.
    requests: VecDeque<(i64, Session)>,
    deep: Known,
    scanners: Known,
}

/// The latest of many conversations.
#[derive(Debug, Default)]
struct Known {
    all: BTreeSet<Session>,
    order: VecDeque<Session>,
}

impl Known {
    fn insert(&mut self, session: Session) {
        if self.all.insert(session) {
            self.order.push_back(session);
            if self.order.len() > KNOWN {
                self.order.pop_front().map(|oldest| self.all.remove(&oldest));
            }
        }
    }
}

impl Coalesce {
    /// Takes an event; `told` gets the lines that are ready, in order.
    pub fn push(&mut self, event: Event, mut told: impl FnMut(Line)) {
        self.due(event.ts, &mut told);
        let Some(source) = Source::of(&event) else { return told(Line::Event(Box::new(event))) };
        let session = event.report.session;
        if matches!(event.report.body, Body::ScanSummary { .. }) {
            return told(Line::Event(Box::new(event)));
        }
        if session == Session(0) {
            match event.severity {
                Severity::Info => self.scan(source, &event, &mut told),
                _ => told(Line::Event(Box::new(event))),
            }
            return;
        }
        if self.scanners.all.contains(&session) && event.severity >= Severity::Notice {
            return self.scan(source, &event, &mut told);
        }
        let known = self.deep.all.contains(&session);
        let waits = !known && matches!(event.report.body, Body::Request { .. });
        if known || event.severity < Severity::Info && !waits {
            self.surface(session, &mut told);
            return told(Line::Event(Box::new(event)));
        }
        let asked = |held: &Vec<Event>| held.iter().any(|held| held.severity < Severity::Info);
        if self.held.get(&session).is_some_and(asked) {
            if activity::tool(&event).is_none() {
                self.surface(session, &mut told);
                return told(Line::Event(Box::new(event)));
            }
            self.scanners.insert(session);
            self.absorb(session, &mut told);
            return self.scan(source, &event, &mut told);
        }
        let begins = matches!(event.report.body, Body::ConnectionOpened) || waits;
        let closes = matches!(event.report.body, Body::ConnectionClosed { .. });
        if !begins && (closes || !self.held.contains_key(&session)) {
            self.absorb(session, &mut told);
            return self.scan(source, &event, &mut told);
        }
        if waits {
            self.requests.push_back((event.ts, session));
        }
        let held = self.held.entry(session).or_default();
        held.push(event);
        if held.len() == 1 {
            self.held_order.push_back(session);
        }
        if held.len() > HELD_EVENTS {
            self.absorb(session, &mut told);
        }
        while self.held_order.len() > HELD {
            let Some(oldest) = self.held_order.pop_front() else { break };
            self.absorb(oldest, &mut told);
        }
    }

    /// A conversation is deep: what was held back of it comes out.
    fn surface(&mut self, session: Session, told: &mut impl FnMut(Line)) {
        self.deep.insert(session);
        for held in self.held.remove(&session).unwrap_or_default() {
            // That somebody connected is plain from what they say.
            if !matches!(held.report.body, Body::ConnectionOpened) {
                told(Line::Event(Box::new(held)));
            }
        }
    }

    /// The scans that are over by then. Who follows a stream calls it while nothing comes.
    pub fn due(&mut self, now: i64, mut told: impl FnMut(Line)) {
        while let Some((came, session)) = self.requests.front().copied()
            && (came.saturating_add(MOMENT) <= now || self.requests.len() > HELD)
        {
            self.requests.pop_front();
            if self.held.contains_key(&session) {
                self.surface(session, &mut told);
            }
        }
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

    /// Puts a conversation that was held back into its source's scan, unless it asked for something.
    fn absorb(&mut self, session: Session, told: &mut impl FnMut(Line)) {
        let asked = |held: &Vec<Event>| held.iter().any(|held| held.severity < Severity::Info);
        if self.held.get(&session).is_some_and(asked) && !self.scanners.all.contains(&session) {
            return self.surface(session, told);
        }
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
                "5 auth.attempt",
                "6 connection.closed",
                "198.51.100.7 nmap-like sweep: 20 deckies, 100 ports, 80 events",
                "198.51.100.9 scan: 1 decky, 1 port, 1 events",
            ]
        );
    }

    #[test]
    fn a_scanner_that_names_itself_looked_around_and_others_asked() {
        let request = || Body::Request {
            method: "GET".into(),
            target: "/".into(),
            status: "200".into(),
            version: None,
            headers: vec![],
            body_len: None,
        };
        let agent = |value: &str| Body::ClientFingerprint { kind: "user_agent".into(), value: value.into() };
        let mut events = Vec::new();
        for (session, value) in [(1, "Nmap Scripting Engine"), (2, "curl/8")] {
            events.push(event(1, session, 7, "d", Body::ConnectionOpened));
            events.push(event(1, session, 7, "d", request()));
            events.push(event(1, session, 7, "d", agent(value)));
            events.push(event(2, session, 7, "d", request()));
            events.push(event(2, session, 7, "d", closed()));
        }
        // One that says no name, and goes on.
        events.push(event(3, 3, 7, "d", request()));
        events.push(event(4, 1, 7, "d", login()));
        events.push(event(6, 9, 8, "d", login()));
        assert_eq!(
            told(events),
            [
                "1 request",
                "1 client.fingerprint",
                "2 request",
                "2 connection.closed",
                "4 auth.attempt",
                "3 request",
                "6 auth.attempt",
                "198.51.100.7 nmap-like scan: 1 decky, 1 port, 5 events",
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
                coalesce.scans.len() <= SCANS
                    && coalesce.held.len() <= HELD
                    && coalesce.deep.all.len() <= KNOWN
            );
            assert!(coalesce.held_order.len() <= HELD && coalesce.deep.order.len() <= KNOWN);
        }
        for _ in 0..100 {
            coalesce.push(event(1, 7, 7, "d", Body::ConnectionOpened), &mut count);
        }
        coalesce.finish(&mut count);
        assert_eq!(lines, 40_100, "nothing is lost");
    }
}

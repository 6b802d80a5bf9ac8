//! A sign of life at a fixed interval, and its absence: what tells a quiet network from a dead collector.
//!
//! Both halves are pure. [`Heartbeat`] says when the next one is due and makes it; [`Gaps`] reads events in
//! the order in which they came and finds what is missing: numbers, and heartbeats.

use std::collections::{BTreeMap, VecDeque};

use serde::{Serialize, Serializer};

use crate::event::{Body, Event, Life, timestamp};

/// How things stand when a heartbeat is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Deckies that are up.
    pub deckies: u64,
    /// Their services.
    pub services: u64,
    /// Events since the collector began.
    pub events: u64,
    /// Events lost since then, as far as is known.
    pub dropped: u64,
    /// The number of the next event.
    pub next_seq: u64,
}

/// Makes heartbeats.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// Microseconds.
    interval: i64,
    /// When the last one was; none before the first.
    last: Option<i64>,
}

impl Heartbeat {
    /// One in every `seconds`, at least 1. The first is due at once.
    pub fn every(seconds: u64) -> Heartbeat {
        let seconds = i64::try_from(seconds.clamp(1, 86_400)).unwrap_or(86_400);
        Heartbeat { interval: seconds * 1_000_000, last: None }
    }

    /// When the next one is due: microseconds since 1970-01-01 UTC. A clock that was set back must not make
    /// us dumb until it has caught up: then it is due now.
    pub fn next_due(&self, now: i64) -> i64 {
        match self.last {
            None => i64::MIN,
            Some(last) if now < last => now,
            Some(last) => last.saturating_add(self.interval),
        }
    }

    /// The heartbeat, if one is due.
    pub fn tick(&mut self, now: i64, standing: &Standing) -> Option<Body> {
        if now < self.next_due(now) {
            return None;
        }
        let state = if self.last.is_none() { Life::Starting } else { Life::Running };
        self.last = Some(now);
        Some(self.body(state, standing))
    }

    /// The last one, when the collector ends in order.
    pub fn finish(&mut self, standing: &Standing) -> Body {
        self.body(Life::Stopping, standing)
    }

    fn body(&self, state: Life, standing: &Standing) -> Body {
        Body::Heartbeat {
            state,
            interval_s: u64::try_from(self.interval / 1_000_000).unwrap_or(0),
            deckies_up: standing.deckies,
            services_up: standing.services,
            events: standing.events,
            dropped: standing.dropped,
            next_seq: standing.next_seq + 1,
        }
    }
}

/// Fleets that are followed at once. Events of others are passed over.
const FLEETS: usize = 256;

/// Gaps that are kept of one fleet; of the older ones only the sums.
const KEPT: usize = 1000;

/// A heartbeat may be late by half an interval before it is missed.
const LATE: i64 = 2;

/// Something that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "gap", rename_all = "snake_case")]
pub enum Gap {
    /// Events were numbered and are not there.
    Numbers {
        /// The fleet.
        fleet: String,
        /// The first number that is missing.
        first: u64,
        /// The last one.
        last: u64,
        /// The time of the event before.
        #[serde(serialize_with = "timestamp::serialize")]
        from: i64,
        /// And of the one after.
        #[serde(serialize_with = "timestamp::serialize")]
        to: i64,
    },
    /// Heartbeats did not come: the collector was dead, or what it sent did not arrive.
    Silence {
        /// The fleet.
        fleet: String,
        /// The last sign of life before.
        #[serde(serialize_with = "timestamp::serialize")]
        from: i64,
        /// The first one after; none: it lasts.
        #[serde(serialize_with = "maybe")]
        to: Option<i64>,
        /// How many heartbeats should have come.
        missed: u64,
    },
    /// The numbers begin anew: a new journal, or somebody's.
    Renumbered {
        /// The fleet.
        fleet: String,
        /// When.
        #[serde(serialize_with = "timestamp::serialize")]
        at: i64,
        /// The last number before.
        after: u64,
        /// The first one then.
        first: u64,
    },
    /// The fleet itself says that it lost events: a queue was full.
    Dropped {
        /// The fleet.
        fleet: String,
        /// When it said so.
        #[serde(serialize_with = "timestamp::serialize")]
        at: i64,
        /// How many.
        count: u64,
    },
}

#[expect(clippy::ref_option, reason = "serde hands a reference to the field")]
fn maybe<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
    match micros {
        Some(micros) => timestamp::serialize(micros, serializer),
        None => serializer.serialize_none(),
    }
}

/// What one fleet's events were found to lack.
#[derive(Clone, Debug, Default)]
struct Fleet {
    /// The highest number, and the time of its event.
    last: Option<(u64, i64)>,
    /// The last heartbeat: time, interval, whether none is expected after it.
    beat: Option<(i64, i64, bool)>,
    gaps: VecDeque<Gap>,
    /// Gaps that are not kept any more.
    forgotten: u64,
}

/// Finds what is missing.
#[derive(Clone, Debug, Default)]
pub struct Gaps {
    fleets: BTreeMap<String, Fleet>,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// In the order in which it was found, fleet by fleet.
    pub gaps: Vec<Gap>,
    /// Older gaps that are only counted.
    pub forgotten: u64,
    /// Numbers that are missing, in all gaps that are kept.
    pub events: u64,
}

impl Gaps {
    /// Takes notice of an event. All events must be shown, not only those that somebody wants to see.
    pub fn observe(&mut self, event: &Event) {
        if !self.fleets.contains_key(&event.speaker.fleet) {
            if self.fleets.len() >= FLEETS {
                return;
            }
            self.fleets.insert(event.speaker.fleet.clone(), Fleet::default());
        }
        if let Some(fleet) = self.fleets.get_mut(&event.speaker.fleet) {
            fleet.number(event);
            fleet.beat(event);
        }
    }

    /// What is missing. `now`: where the events are those of a fleet that should be alive, so that a silence
    /// that lasts is found too.
    pub fn finish(self, now: Option<i64>) -> Missing {
        let mut missing = Missing::default();
        for (name, fleet) in self.fleets {
            missing.forgotten += fleet.forgotten;
            let lasting = match (now, fleet.beat) {
                (Some(now), Some((at, interval, false))) => silence(&name, at, interval, now, None),
                _ => None,
            };
            missing.gaps.extend(fleet.gaps.into_iter().chain(lasting));
        }
        let numbers = missing.gaps.iter().map(|gap| match gap {
            Gap::Numbers { first, last, .. } => last - first + 1,
            _ => 0,
        });
        missing.events = numbers.fold(0, u64::saturating_add);
        missing
    }
}

impl Fleet {
    fn push(&mut self, gap: Gap) {
        if self.gaps.len() >= KEPT {
            self.gaps.pop_front();
            self.forgotten += 1;
        }
        self.gaps.push_back(gap);
    }

    fn number(&mut self, event: &Event) {
        let fleet = || event.speaker.fleet.clone();
        let (seq, ts) = (event.seq, event.ts);
        let Some((highest, before)) = self.last else {
            self.last = Some((seq, ts));
            return;
        };
        if seq > highest {
            if seq - highest > 1 {
                let (first, last) = (highest + 1, seq - 1);
                self.push(Gap::Numbers { fleet: fleet(), first, last, from: before, to: ts });
            }
            self.last = Some((seq, ts));
        } else if ts > before {
            // What came late, or twice, is older than what came before it. This is newer.
            self.push(Gap::Renumbered { fleet: fleet(), at: ts, after: highest, first: seq });
            self.last = Some((seq, ts));
        } else {
            self.fill(seq);
        }
    }

    /// A number that came late, as datagrams do, is not missing any more.
    fn fill(&mut self, seq: u64) {
        let holds =
            |gap: &Gap| matches!(gap, Gap::Numbers { first, last, .. } if (*first..=*last).contains(&seq));
        let Some(place) = self.gaps.iter().rposition(holds) else { return };
        let Some(Gap::Numbers { fleet, first, last, from, to }) = self.gaps.remove(place) else { return };
        if seq < last {
            let gap = Gap::Numbers { fleet: fleet.clone(), first: seq + 1, last, from, to };
            self.gaps.insert(place, gap);
        }
        if seq > first {
            self.gaps.insert(place, Gap::Numbers { fleet, first, last: seq - 1, from, to });
        }
    }

    fn beat(&mut self, event: &Event) {
        match &event.report.body {
            Body::Heartbeat { state, interval_s, .. } => {
                if let Some((at, interval, false)) = self.beat
                    && let Some(gap) = silence(&event.speaker.fleet, at, interval, event.ts, Some(event.ts))
                {
                    self.push(gap);
                }
                let interval = i64::try_from(*interval_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                self.beat = Some((event.ts, interval.max(1), *state == Life::Stopping));
            }
            Body::EventsDropped { count, delivery: None } => {
                self.push(Gap::Dropped { fleet: event.speaker.fleet.clone(), at: event.ts, count: *count });
            }
            _ => {}
        }
    }
}

/// The silence between two signs of life, if it is one.
fn silence(fleet: &str, from: i64, interval: i64, until: i64, to: Option<i64>) -> Option<Gap> {
    let quiet = until.saturating_sub(from);
    if quiet <= interval.saturating_add(interval / LATE) {
        return None;
    }
    // The one that ends the silence is not missed; of one that lasts, every interval is.
    let missed = u64::try_from(quiet / interval).unwrap_or(0).saturating_sub(u64::from(to.is_some()));
    Some(Gap::Silence { fleet: fleet.to_owned(), from, to, missed: missed.max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Report, SCHEMA, Speaker};

    const SECOND: i64 = 1_000_000;

    fn event(seq: u64, ts: i64, body: Body) -> Event {
        Event {
            schema: SCHEMA,
            ts: ts * SECOND,
            seq,
            speaker: Speaker {
                fleet: "lab".into(),
                decky: "collector".into(),
                hostname: "collector".into(),
                service: "collector".into(),
            },
            severity: body.severity(),
            report: Report::without_conversation(body),
        }
    }

    fn found(events: &[Event], now: Option<i64>) -> Vec<Gap> {
        let mut gaps = Gaps::default();
        events.iter().for_each(|event| gaps.observe(event));
        gaps.finish(now).gaps
    }

    fn numbers(gaps: &[Gap]) -> Vec<(u64, u64)> {
        let pair = |gap: &Gap| match gap {
            Gap::Numbers { first, last, .. } => (*first, *last),
            other => panic!("{other:?}"),
        };
        gaps.iter().map(pair).collect()
    }

    fn beats(times: &[i64], state: Life) -> Vec<Event> {
        let mut heart = Heartbeat::every(60);
        let mut all: Vec<Event> = times
            .iter()
            .enumerate()
            .filter_map(|(index, at)| {
                Some(event(index as u64 + 1, *at, heart.tick(at * SECOND, &Standing::default())?))
            })
            .collect();
        if state == Life::Stopping {
            let end =
                event(all.len() as u64 + 1, times.last().unwrap() + 1, heart.finish(&Standing::default()));
            all.push(end);
        }
        all
    }

    #[test]
    fn a_heart_beats_at_its_interval_also_when_the_clock_is_set() {
        let mut heart = Heartbeat::every(60);
        let standing = Standing { deckies: 3, services: 7, events: 9, dropped: 1, next_seq: 10 };
        assert_eq!(heart.next_due(0), i64::MIN, "the first is due at once");
        let Some(Body::Heartbeat { state, interval_s, next_seq, .. }) = heart.tick(5, &standing) else {
            panic!()
        };
        assert_eq!((state, interval_s, next_seq), (Life::Starting, 60, 11));
        assert_eq!(heart.next_due(6), 5 + 60 * SECOND);
        assert_eq!(heart.tick(4 + 60 * SECOND, &standing), None);
        assert!(matches!(
            heart.tick(5 + 60 * SECOND, &standing),
            Some(Body::Heartbeat { state: Life::Running, .. })
        ));
        assert!(heart.tick(7, &standing).is_some(), "set back by an hour, it does not wait an hour");
        assert_eq!(heart.next_due(8), 7 + 60 * SECOND);
    }

    #[test]
    fn nothing_is_missing_where_all_is_there() {
        let events = beats(&[0, 60, 121, 182], Life::Running);
        assert_eq!(found(&events, Some(240 * SECOND)), []);
        assert_eq!(found(&[], Some(0)), []);
    }

    #[test]
    fn missed_heartbeats_are_a_silence_and_an_orderly_end_is_none() {
        let mut events = beats(&[0, 60], Life::Running);
        events.extend(beats(&[600], Life::Running).into_iter().map(|mut event| {
            event.seq += 2;
            event
        }));
        let gaps = found(&events, Some(610 * SECOND));
        let (from, to) = (60 * SECOND, Some(600 * SECOND));
        assert_eq!(gaps, [Gap::Silence { fleet: "lab".into(), from, to, missed: 8 }]);
        let lasting = found(&events[..2], Some(600 * SECOND));
        assert_eq!(lasting, [Gap::Silence { fleet: "lab".into(), from, to: None, missed: 9 }]);
        assert_eq!(found(&events[..2], None), [], "an old file is no fleet that should be alive");
        assert_eq!(found(&beats(&[0, 60], Life::Stopping), Some(i64::MAX)), []);
    }

    #[test]
    fn missing_numbers_are_found_and_late_ones_are_not_missing() {
        let of = |numbers: &[(u64, i64)]| -> Vec<Event> {
            numbers.iter().map(|(seq, ts)| event(*seq, *ts, Body::ConnectionOpened)).collect()
        };
        assert_eq!(
            numbers(&found(&of(&[(5, 1), (6, 2), (9, 3), (10, 4), (12, 5)]), None)),
            [(7, 8), (11, 11)]
        );
        let late = of(&[(1, 1), (5, 5), (3, 3), (6, 6), (2, 2), (4, 4), (4, 4), (6, 6)]);
        assert_eq!(found(&late, None), []);
        assert_eq!(numbers(&found(&of(&[(1, 1), (9, 9), (5, 5)]), None)), [(2, 4), (6, 8)]);
        let anew = found(&of(&[(1, 1), (2, 2), (1, 9), (2, 10), (4, 11)]), None);
        assert!(matches!(anew[0], Gap::Renumbered { after: 2, first: 1, .. }), "{anew:?}");
        assert_eq!(numbers(&anew[1..]), [(3, 3)]);
        let dropped = found(&[event(1, 1, Body::EventsDropped { count: 7, delivery: None })], None);
        assert!(matches!(dropped[..], [Gap::Dropped { count: 7, .. }]));
    }

    #[test]
    fn a_file_full_of_holes_is_bounded() {
        let mut gaps = Gaps::default();
        for number in 0..50_000u64 {
            gaps.observe(&event(number * 2 + 1, number as i64, Body::ConnectionOpened));
        }
        let mut other = event(1, 1, Body::ConnectionOpened);
        for number in 0..2 * FLEETS {
            other.speaker.fleet = number.to_string();
            gaps.observe(&other);
        }
        assert_eq!(gaps.fleets.len(), FLEETS);
        let missing = gaps.finish(None);
        assert_eq!((missing.gaps.len(), missing.forgotten, missing.events), (KEPT, 48_999, KEPT as u64));
    }
}

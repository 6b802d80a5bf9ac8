//! `decnet events gaps`: what is missing.

use std::path::Path;

use decnet_logging::event::timestamp;
use decnet_logging::heartbeat::{Gap, Gaps, Missing};
use decnet_logging::story::{counted, lasting};
use decnet_logging::text::shown;

use super::Source;
use crate::failure::Failure;
use crate::output::{self, Outcome, Report, Shown};
use crate::terminal::Terminal;

/// Reads all events and tells what is missing.
pub(super) fn run(file: Option<&Path>, state: &Path, terminal: &Terminal) -> Result<Outcome, Failure> {
    let Some(mut source) = Source::open(file, state, false)? else {
        terminal.note("nothing was trapped yet");
        return Ok(Outcome::done(Shown));
    };
    let mut gaps = Gaps::default();
    while let Some(event) = source.next()? {
        gaps.observe(&event);
    }
    source.warn(terminal);
    // Of this machine's own fleet a sign of life is due now; another file may be as old as it likes.
    let now = file.is_none().then(super::now);
    Ok(Outcome::done(Found(gaps.finish(now))))
}

/// One line for those who look at something else.
pub(super) fn warn(missing: Missing, terminal: &Terminal) {
    if missing.gaps.is_empty() {
        return;
    }
    let silences = missing.gaps.iter().filter(|gap| matches!(gap, Gap::Silence { .. })).count();
    let dropped: u64 = missing
        .gaps
        .iter()
        .map(|gap| if let Gap::Dropped { count, .. } = gap { *count } else { 0 })
        .fold(0, u64::saturating_add);
    let mut parts = Vec::new();
    if missing.events > 0 {
        parts.push(format!("{} missing by number", counted(missing.events, "event")));
    }
    if dropped > 0 {
        parts.push(format!("{} lost in full queues", counted(dropped, "event")));
    }
    if silences > 0 {
        parts.push(format!("{} without a sign of life", counted(silences as u64, "while")));
    }
    if parts.is_empty() {
        parts.push("the numbers begin anew".to_owned());
    }
    terminal.warn(&format!("{}; `decnet events gaps` tells more", parts.join(", ")));
}

/// The answer.
struct Found(Missing);

impl Report for Found {
    fn json(&self) -> Option<serde_json::Result<String>> {
        output::json(&self.0)
    }

    fn human(&self) -> String {
        let Missing { gaps, forgotten, .. } = &self.0;
        if gaps.is_empty() {
            return "nothing is missing\n".to_owned();
        }
        let mut text: String = gaps.iter().map(|gap| words(gap) + "\n").collect();
        if *forgotten > 0 {
            text.push_str(&format!("… and {forgotten} before these\n"));
        }
        text
    }
}

fn words(gap: &Gap) -> String {
    let clock =
        |micros: &i64| timestamp::format(*micros).split('.').next().unwrap_or_default().replace('T', " ");
    match gap {
        Gap::Numbers { fleet, first, last, from, to } => {
            let number =
                if first == last { format!("number {first}") } else { format!("numbers {first}-{last}") };
            format!(
                "{}  fleet {}: {} missing ({number}), until {}",
                clock(from),
                shown(fleet, 60),
                counted((last - first).saturating_add(1), "event"),
                clock(to)
            )
        }
        Gap::Silence { fleet, from, to, missed } => {
            let until = match to {
                Some(to) => {
                    let quiet = u64::try_from((to - from) / 1000).unwrap_or(0);
                    format!("for {}", lasting(quiet))
                }
                None => "since then".to_owned(),
            };
            let missed = counted(*missed, "heartbeat");
            format!("{}  fleet {}: no sign of life {until} ({missed} missed)", clock(from), shown(fleet, 60))
        }
        Gap::Renumbered { fleet, at, after, first } => {
            format!(
                "{}  fleet {}: the numbers begin anew at {first}, after {after}",
                clock(at),
                shown(fleet, 60)
            )
        }
        Gap::Dropped { fleet, at, count } => {
            format!(
                "{}  fleet {}: {} lost in a full queue",
                clock(at),
                shown(fleet, 60),
                counted(*count, "event")
            )
        }
    }
}

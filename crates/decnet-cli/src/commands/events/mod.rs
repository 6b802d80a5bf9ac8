//! `decnet events`.

mod artifact;
mod gaps;
pub(crate) mod human;
mod verify;

use std::path::Path;
use std::time::Duration;

use decnet_engine::native::RunDirectory;
use decnet_logging::coalesce::Coalesce;
use decnet_logging::event::{Body, Event};
use decnet_logging::groups::{By, Grouped, Groups};
use decnet_logging::heartbeat::Gaps;
use decnet_logging::reader::{Filter, Reader, parse_since, parse_source};
use decnet_logging::{json, syslog};
use time::OffsetDateTime;

use crate::arguments::{Events, EventsBy, EventsView, OutputFormat};
use crate::failure::Failure;
use crate::output::{self, Outcome, Report, Shown};
use crate::terminal::Terminal;

/// How soon a follower looks again.
const AGAIN: Duration = Duration::from_millis(200);

/// Shows events as they stand in the file, and goes on with `--follow`.
pub(crate) fn run(arguments: &Events, state: &Path, terminal: &Terminal) -> Result<Outcome, Failure> {
    if arguments.schema {
        terminal.write(decnet_logging::schema::EVENT_V1);
        return Ok(Outcome::done(Shown));
    }
    match &arguments.view {
        Some(EventsView::Artifact { sha256, to }) => {
            return artifact::run(sha256, to.as_deref(), state, terminal);
        }
        Some(EventsView::Gaps { file }) => return gaps::run(file.as_deref(), state, terminal),
        Some(EventsView::Verify(arguments)) => return verify::run(arguments, state),
        None => {}
    }
    let filter = filter(arguments)?;
    let mut view = View::of(arguments, terminal);
    let Some(mut source) = Source::open(arguments.file.as_deref(), state, arguments.follow)? else {
        terminal.note("nothing was trapped yet");
        return Ok(Outcome::done(Shown));
    };
    let mut gaps = Gaps::default();
    loop {
        match source.next()? {
            Some(event) => {
                gaps.observe(&event);
                // The fleet's own health is another stream; who wants it asks for it.
                let hidden = arguments.kind.is_empty() && !arguments.raw && is_health(&event);
                if !hidden && filter.matches(&event) {
                    view.push(event, terminal)?;
                }
            }
            None if arguments.follow => {
                view.idle(now(), terminal);
                std::thread::sleep(AGAIN);
            }
            None => break,
        }
    }
    let outcome = view.finish(terminal);
    source.warn(terminal);
    gaps::warn(gaps.finish(None), terminal);
    Ok(outcome)
}

/// Whether an event is of the fleet's own health.
pub(crate) fn is_health(event: &Event) -> bool {
    matches!(event.report.body, Body::Heartbeat { .. })
}

/// Where events are read: all of them, oldest first.
struct Source {
    reader: Reader,
    path: std::path::PathBuf,
    finished: bool,
}

impl Source {
    /// None: nothing was written yet. With `wait`, it is waited for.
    fn open(named: Option<&Path>, state: &Path, wait: bool) -> Result<Option<Source>, Failure> {
        let path = named.map_or_else(|| RunDirectory::of(state).events(), Path::to_owned);
        // Where we may not look there may be something: that is no "nothing was trapped".
        let exists = || path.try_exists().map_err(|error| Failure::file("read", &path, &error));
        if !exists()? && !wait {
            return match named {
                Some(_) => Err(Failure::Usage(format!("there is no file `{}`", path.display()))),
                None => Ok(None),
            };
        }
        while !exists()? {
            std::thread::sleep(AGAIN);
        }
        let reader =
            Reader::open(&path, Filter::default()).map_err(|error| Failure::file("read", &path, &error))?;
        Ok(Some(Source { reader, path, finished: wait }))
    }

    fn next(&mut self) -> Result<Option<Event>, Failure> {
        let next = self.reader.next_event().map_err(|error| Failure::file("read", &self.path, &error))?;
        // A last line without line feed; a follower waits for the rest of it.
        if next.is_none() && !std::mem::replace(&mut self.finished, true) {
            return Ok(self.reader.finish());
        }
        Ok(next)
    }

    fn warn(&self, terminal: &Terminal) {
        let unreadable = self.reader.unreadable();
        if unreadable > 0 {
            let are = if unreadable == 1 { "line is no event" } else { "lines are no events" };
            terminal.warn(&format!("{}: {unreadable} {are}", self.path.display()));
        }
    }
}

fn filter(arguments: &Events) -> Result<Filter, Failure> {
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let time = |text: &Option<String>| {
        text.as_deref().map(|text| parse_since(text, now())).transpose().map_err(|error| usage(&error))
    };
    let sources = arguments.src.iter().map(|text| parse_source(text)).collect::<Result<Vec<_>, _>>();
    let session = arguments.session.as_deref().map(str::parse).transpose();
    Ok(Filter {
        deckies: arguments.decky.clone(),
        services: arguments.service.clone(),
        sources: sources.map_err(|error| usage(&error))?,
        kinds: arguments.kind.clone(),
        since: time(&arguments.since)?,
        until: time(&arguments.until)?,
        severity: arguments.severity.map(Into::into),
        session: session.map_err(|error| usage(&error))?,
    })
}

/// Microseconds since 1970-01-01 UTC.
fn now() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// How events are shown.
enum View {
    /// One line of JSON each.
    Json,
    /// One line of RFC 5424 each.
    Syslog,
    /// One line in words each.
    Lines,
    /// Likewise, and every scan in one line.
    Story(Box<Coalesce>),
    /// From the beginning of a conversation to its end.
    Conversation(human::Conversation),
    /// At the end, by source or decky.
    Grouped(Groups, EventsBy),
}

impl View {
    fn of(arguments: &Events, terminal: &Terminal) -> View {
        if let Some(by) = arguments.by {
            let groups = Groups::new(match by {
                EventsBy::Src => By::Source,
                EventsBy::Decky => By::Decky,
            });
            return View::Grouped(groups, by);
        }
        match terminal.format() {
            OutputFormat::Json => View::Json,
            OutputFormat::Syslog => View::Syslog,
            OutputFormat::Human if arguments.session.is_some() => {
                View::Conversation(human::Conversation::new(arguments.raw))
            }
            OutputFormat::Human if arguments.raw || !arguments.kind.is_empty() => View::Lines,
            OutputFormat::Human => View::Story(Box::default()),
        }
    }

    fn push(&mut self, event: Event, terminal: &Terminal) -> Result<(), Failure> {
        match self {
            View::Json => {
                // Escaped beyond what JSON asks for: the lines may well be looked at on a terminal.
                let mut line = Vec::new();
                json::encode_into(&event, &mut line)
                    .map_err(|error| Failure::Failed(format!("an event is no JSON: {error}")))?;
                terminal.write(&format!("{}\n", String::from_utf8_lossy(&line)));
            }
            View::Syslog => terminal.write(&format!("{}\n", syslog::encode(&event))),
            View::Lines => terminal.write(&format!("{}\n", human::event(&event))),
            // Scans are gathered here, of these events; the collector's own sums are of all.
            View::Story(_) if matches!(event.report.body, Body::ScanSummary { .. }) => {}
            View::Story(story) => {
                story.push(event, |line| terminal.write(&format!("{}\n", human::line(&line))));
            }
            View::Conversation(conversation) => terminal.write(&conversation.tell(&event)),
            View::Grouped(groups, _) => groups.push(&event),
        }
        Ok(())
    }

    /// Nothing comes at present: what waits for quiet may have it.
    fn idle(&mut self, now: i64, terminal: &Terminal) {
        if let View::Story(story) = self {
            story.due(now, |line| terminal.write(&format!("{}\n", human::line(&line))));
        }
    }

    fn finish(self, terminal: &Terminal) -> Outcome {
        match self {
            View::Grouped(groups, by) => Outcome::done(GroupedBy(groups.finish(), by)),
            View::Story(story) => {
                story.finish(|line| terminal.write(&format!("{}\n", human::line(&line))));
                Outcome::done(Shown)
            }
            _ => Outcome::done(Shown),
        }
    }
}

/// The answer of `--by`.
struct GroupedBy(Grouped, EventsBy);

impl Report for GroupedBy {
    fn json(&self) -> Option<serde_json::Result<String>> {
        // Intruder text in it was made safe for terminals when it was gathered.
        output::json(&self.0)
    }

    fn human(&self) -> String {
        human::grouped(&self.0, self.1)
    }
}

//! `decnet events`.

use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use decnet_engine::native::RunDirectory;
use decnet_logging::event::{Event, Session, Severity};
use decnet_logging::json;
use decnet_logging::reader::{Filter, Reader, parse_since, parse_source};
use decnet_logging::story::story;
use time::OffsetDateTime;

use super::verify;
use crate::arguments::{Events, EventsAction};
use crate::failure::Failure;
use crate::output::{Outcome, Shown};
use crate::terminal::Terminal;

/// How soon a follower looks again.
const AGAIN: Duration = Duration::from_millis(200);

/// Shows events as they stand in the journal or a file, and goes on with `--follow`.
pub(crate) fn run(arguments: &Events, state: &Path, terminal: &Terminal) -> Result<Outcome, Failure> {
    if let Some(EventsAction::Verify(arguments)) = &arguments.action {
        return verify::run(arguments, state);
    }
    let filter = filter(arguments)?;
    let path = arguments.file.clone().unwrap_or_else(|| RunDirectory::of(state).events());
    // Where we may not look there may be something: that is no "nothing was trapped".
    let exists = || path.try_exists().map_err(|error| Failure::file("read", &path, &error));
    if !exists()? && !arguments.follow {
        return match arguments.file {
            Some(_) => Err(Failure::Usage(format!("there is no file `{}`", path.display()))),
            None => {
                terminal.note("nothing was trapped yet");
                Ok(Outcome::done(Shown))
            }
        };
    }
    while !exists()? {
        std::thread::sleep(AGAIN);
    }
    let mut reader = Reader::open(&path, filter).map_err(|error| Failure::file("read", &path, &error))?;
    loop {
        match reader.next_event() {
            Ok(Some(event)) => show(&event, terminal)?,
            Ok(None) if arguments.follow => std::thread::sleep(AGAIN),
            Ok(None) => break,
            Err(error) => return Err(Failure::file("read", &path, &error)),
        }
    }
    if let Some(event) = reader.finish() {
        show(&event, terminal)?;
    }
    if reader.unreadable() > 0 {
        let are = if reader.unreadable() == 1 { "line is no event" } else { "lines are no events" };
        terminal.warn(&format!("{}: {} {are}", path.display(), reader.unreadable()));
    }
    Ok(Outcome::done(Shown))
}

fn filter(arguments: &Events) -> Result<Filter, Failure> {
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000;
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let since = arguments.since.as_deref().map(|text| parse_since(text, now)).transpose();
    let sources = arguments.src.iter().map(|text| parse_source(text)).collect::<Result<Vec<_>, _>>();
    let session = arguments.session.as_deref().map(|text| {
        u128::from_str_radix(text, 16)
            .map(Session)
            .map_err(|_| Failure::Usage(format!("`{text}` is no session id; they are 32 hexadecimal digits")))
    });
    Ok(Filter {
        deckies: arguments.decky.clone(),
        services: arguments.service.clone(),
        sources: sources.map_err(|error| Failure::Usage(error.to_string()))?,
        kinds: arguments.kind.clone(),
        since: since.map_err(|error| Failure::Usage(error.to_string()))?,
        session: session.transpose()?,
    })
}

fn show(event: &Event, terminal: &Terminal) -> Result<(), Failure> {
    let line = if terminal.is_json() {
        // Escaped beyond what JSON asks for: the lines may well be looked at on a terminal.
        let mut line = Vec::new();
        json::encode_into(event, &mut line)
            .map_err(|error| Failure::Failed(format!("an event is no JSON: {error}")))?;
        String::from_utf8_lossy(&line).into_owned()
    } else {
        human(event)
    };
    terminal.write(&format!("{line}\n"));
    Ok(())
}

/// One line of the story.
pub(crate) fn human(event: &Event) -> String {
    let story = story(event);
    let dim = Style::new().dimmed();
    let bold = Style::new().bold();
    let colour = match story.severity {
        Severity::Critical => AnsiColor::Red.on_default().bold(),
        Severity::Error => AnsiColor::Red.on_default(),
        Severity::Warning => AnsiColor::Yellow.on_default(),
        Severity::Notice => AnsiColor::Cyan.on_default(),
        Severity::Info => Style::new(),
    };
    let mut line = format!(
        "{dim}{} {}{dim:#} {bold}{}{bold:#} → {} {dim}{}{dim:#}  {colour}{}{colour:#}",
        story.date, story.time, story.source, story.hostname, story.service, story.headline
    );
    if !story.detail.is_empty() {
        line.push_str(&format!(": {}", story.detail));
    }
    if !story.aside.is_empty() {
        line.push_str(&format!(" {dim}({}){dim:#}", story.aside));
    }
    line
}

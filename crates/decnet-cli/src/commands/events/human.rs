//! Events in words, with colours.

use anstyle::{AnsiColor, Style};
use decnet_logging::activity::{Activity, Source};
use decnet_logging::coalesce::Line;
use decnet_logging::event::{Body, Event, Session, Severity, timestamp};
use decnet_logging::groups::{Counted, FileSeen, Group, Grouped};
use decnet_logging::story::{counted, lasting, story};
use decnet_logging::text::shown;

use crate::arguments::EventsBy;

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();

/// Lines of raw bytes that are shown of one event, and characters of each.
const RAW_LINES: usize = 24;
const RAW_WIDTH: usize = 120;

/// Names that stand in one line.
const NAMES: usize = 8;

/// Credentials, exploits and files that are shown of one group.
const LISTED: usize = 12;

const fn colour(severity: Severity) -> Style {
    match severity {
        Severity::Critical => AnsiColor::Red.on_default().bold(),
        Severity::Error => AnsiColor::Red.on_default(),
        Severity::Warning => AnsiColor::Yellow.on_default(),
        Severity::Notice => AnsiColor::Cyan.on_default(),
        Severity::Info => Style::new(),
    }
}

/// One line of the story.
pub(crate) fn line(line: &Line) -> String {
    match line {
        Line::Event(one) => event(one),
        Line::Scan(source, activity) => scan(source, activity),
    }
}

/// An event's line.
pub(crate) fn event(event: &Event) -> String {
    let story = story(event);
    let arrow = if story.source.is_empty() { "" } else { " → " };
    let service =
        if story.service.is_empty() { String::new() } else { format!(" {DIM}{}{DIM:#}", story.service) };
    let mut line = format!(
        "{DIM}{} {}{DIM:#} {BOLD}{}{BOLD:#}{arrow}{}{service}  {}",
        story.date,
        story.time,
        story.source,
        story.hostname,
        what(event)
    );
    if event.report.session != Session(0) {
        line.push_str(&format!(" {DIM}#{:.8}{DIM:#}", event.report.session.to_string()));
    }
    line
}

/// What happened, without who and when.
fn what(event: &Event) -> String {
    let story = story(event);
    let colour = colour(story.severity);
    let mut text = format!("{colour}{}{colour:#}", story.headline);
    if !story.detail.is_empty() {
        text.push_str(&format!(": {}", story.detail));
    }
    if !story.aside.is_empty() {
        text.push_str(&format!(" {DIM}({}){DIM:#}", story.aside));
    }
    text
}

/// A whole scan in one line, at the time of its end.
fn scan(source: &Source, activity: &Activity) -> String {
    let clock = timestamp::format(activity.last);
    let (date, time) = clock.split_once('T').unwrap_or((&clock, ""));
    let time = time.split('.').next().unwrap_or_default();
    let within = match activity.duration_ms() {
        0 => String::new(),
        duration => format!(" within {}", lasting(duration)),
    };
    let what = if decnet_logging::summary::is_scan(activity) {
        activity.words()
    } else {
        format!("looked around: {}", whereabouts(activity))
    };
    format!(
        "{DIM}{date} {time}{DIM:#} {BOLD}{source}{BOLD:#}  {what} {DIM}({}{within}){DIM:#}",
        counted(activity.events, "event"),
    )
}

/// `decky-01, port 22`.
fn whereabouts(activity: &Activity) -> String {
    let deckies: Vec<String> = activity.deckies.iter().map(|name| shown(name, 60).to_string()).collect();
    let ports: Vec<String> = activity.ports.iter().map(|port| port.to_string()).collect();
    match ports.len() {
        0 => names(&deckies, NAMES),
        1 => format!("{}, port {}", names(&deckies, NAMES), ports[0]),
        _ => format!("{}, ports {}", names(&deckies, NAMES), names(&ports, NAMES)),
    }
}

/// `a, b, c and 4 more`.
fn names(all: &[String], limit: usize) -> String {
    let text = all[..all.len().min(limit)].join(", ");
    match all.len().saturating_sub(limit) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// One conversation, with times from its beginning, and with the bytes where words do not say it all.
pub(crate) struct Conversation {
    /// All bytes, not only those that matter.
    raw: bool,
    current: Option<Session>,
    began: i64,
    last_raw: Vec<u8>,
}

impl Conversation {
    pub(crate) fn new(raw: bool) -> Conversation {
        Conversation { raw, current: None, began: 0, last_raw: Vec::new() }
    }

    /// The lines of an event, with a head where its conversation begins.
    pub(crate) fn tell(&mut self, event: &Event) -> String {
        let report = &event.report;
        let mut text = String::new();
        if self.current != Some(report.session) {
            let head = story(event);
            if self.current.is_some() {
                text.push('\n');
            }
            let persona = report.persona.as_deref().map(|persona| format!(", {}", shown(persona, 80)));
            text.push_str(&format!(
                "{BOLD}{}:{} → {} {}{BOLD:#} {DIM}({}, {}:{}{}{}){DIM:#}\n{DIM}session {}, {} {} UTC{DIM:#}\n",
                head.source,
                report.src_port,
                head.hostname,
                head.service,
                head.decky,
                report.dst_ip,
                report.dst_port,
                if report.tls { ", TLS" } else { "" },
                persona.unwrap_or_default(),
                report.session,
                head.date,
                head.time,
            ));
            self.current = Some(report.session);
            self.began = event.ts;
            self.last_raw.clear();
        }
        let since = event.ts.saturating_sub(self.began).max(0);
        let at = format!("+{}.{:03} s", since / 1_000_000, since / 1000 % 1000);
        text.push_str(&format!("{DIM}{at:>12}{DIM:#}  {}\n", what(event)));
        if let Some(raw) = &report.raw
            && (self.raw || speaks(&report.body))
            && raw.0 != self.last_raw
        {
            let total = report.raw_len.unwrap_or(raw.0.len() as u64);
            text.push_str(&bytes(&raw.0, total));
            self.last_raw.clone_from(&raw.0);
        }
        text
    }
}

/// Whether the bytes say what the words cannot.
fn speaks(body: &Body) -> bool {
    match body {
        Body::ScanProbe { .. }
        | Body::ExploitAttempt { .. }
        | Body::HoneypotTest { .. }
        | Body::EventsInvalid { .. }
        | Body::FileUpload { .. }
        | Body::Message { .. } => true,
        Body::Request { body_len, .. } => body_len.is_some_and(|length| length > 0),
        _ => false,
    }
}

/// Bytes under an event, in lines.
fn bytes(raw: &[u8], total: u64) -> String {
    let mut text = String::new();
    let mut told = 0;
    for line in raw.split_inclusive(|byte| *byte == b'\n').take(RAW_LINES) {
        let content = line.strip_suffix(b"\n").unwrap_or(line);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        // Whatever is no text is shown as its value, so that nothing is lost to replacement characters.
        let content: String = match std::str::from_utf8(content) {
            Ok(content) => shown(content, RAW_WIDTH).to_string(),
            Err(_) => content.escape_ascii().to_string().chars().take(RAW_WIDTH).collect(),
        };
        text.push_str(&format!("              {DIM}│ {content}{DIM:#}\n"));
        told += line.len() as u64;
    }
    if total > told {
        text.push_str(&format!("              {DIM}│ … {} more{DIM:#}\n", counted(total - told, "byte")));
    }
    text
}

/// The answer of `--by`.
pub(crate) fn grouped(all: &Grouped, by: EventsBy) -> String {
    let mut text = String::new();
    for one in &all.groups {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&group(one, by));
    }
    if all.rest > 0 {
        text.push_str(&format!("\n… and {} more, of which none was as bad\n", all.rest));
    }
    text
}

fn group(group: &Group, by: EventsBy) -> String {
    let Group { name, severity, duration_ms, events, .. } = group;
    let colour = colour(*severity);
    let word = match severity {
        Severity::Critical => "critical",
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
        Severity::Info => "info",
    };
    let second =
        |micros: i64| timestamp::format(micros).replace('T', " ").split('.').next().map(str::to_owned);
    let (first, last) = (second(group.first).unwrap_or_default(), second(group.last).unwrap_or_default());
    // The same day is not said twice.
    let last = last.strip_prefix(&first[..first.len().min(11)]).unwrap_or(&last);
    let tool = group.tool.map(|tool| format!(", looks like {tool}")).unwrap_or_default();
    let mac = group.mac.as_ref().map(|mac| format!(" {DIM}{mac}{DIM:#}")).unwrap_or_default();
    let mut text = format!(
        "{BOLD}{name}{BOLD:#}{mac}  {colour}{word}{colour:#}  {first} – {last} {DIM}({}){DIM:#}\n",
        lasting(*duration_ms)
    );
    let (noun, touched) = match by {
        EventsBy::Src => ("decky", "touched"),
        EventsBy::Decky => ("source", "touched by"),
    };
    let ports = if group.ports > 0 { format!(", {}", counted(group.ports, "port")) } else { String::new() };
    field(
        &mut text,
        touched,
        &format!(
            "{}{ports} {DIM}({}){DIM:#}",
            counted(group.touched_count, noun),
            names(&group.touched, NAMES)
        ),
    );
    if !group.services.is_empty() {
        field(&mut text, "services", &group.services.join(", "));
    }
    let kinds = ["command", "request", "query", "session.started", "state.changed"];
    let did: Vec<String> = kinds
        .iter()
        .filter_map(|kind| Some((*kind, *group.kinds.get(*kind)?)))
        .map(|(kind, count)| match kind {
            "session.started" => counted(count, "session"),
            "state.changed" => counted(count, "change"),
            kind => counted(count, kind),
        })
        .chain([counted(*events, "event") + " in all" + &tool])
        .collect();
    field(&mut text, "did", &did.join(", "));
    let exploit = |one: &Counted| {
        let red = self::colour(Severity::Critical);
        format!("{red}{}{red:#}{}", one.what, times(one.count))
    };
    list(&mut text, "exploits", &group.exploits, exploit);
    let credential = |one: &Counted| {
        let (style, word) = match one.accepted {
            Some(true) => (self::colour(Severity::Error), "let in"),
            _ => (self::colour(Severity::Warning), "refused"),
        };
        format!("{style}{}{style:#} {word}{}", one.what, times(one.count))
    };
    list(&mut text, "credentials", &group.credentials, credential);
    let file = |file: &FileSeen| {
        let size = file.size.map(|size| format!(" {}", counted(size, "byte"))).unwrap_or_default();
        let kept = match &file.artifact {
            Some(artifact) => format!(" {DIM}kept as {artifact}{DIM:#}"),
            None => String::new(),
        };
        format!("{} {}{size}{kept}", file.way, file.name)
    };
    list(&mut text, "files", &group.files, file);
    if group.unlisted > 0 {
        field(&mut text, "", &format!("{} more of these", group.unlisted));
    }
    text
}

fn times(count: u64) -> String {
    if count == 1 { String::new() } else { format!(" {DIM}×{count}{DIM:#}") }
}

fn field(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!("  {DIM}{name:<12}{DIM:#}{value}\n"));
}

fn list<T>(text: &mut String, name: &str, all: &[T], words: impl Fn(&T) -> String) {
    for (index, one) in all.iter().take(LISTED).enumerate() {
        field(text, if index == 0 { name } else { "" }, &words(one));
    }
    if all.len() > LISTED {
        field(text, "", &format!("and {} more; --output json tells all", all.len() - LISTED));
    }
}

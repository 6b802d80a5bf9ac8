//! Writing.

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use super::{
    APP_NAME_LIMIT, DATAGRAM_LIMIT, ESCAPED, FACILITY, HOSTNAME_LIMIT, MSGID_LIMIT, SD_ID, TRUNCATED,
};
use crate::event::{Event, timestamp};
use crate::fields::{self, Visit};
use crate::shrink::shrink;
use crate::story::headline;
use crate::text::{is_line_safe, write_json_escaped};

/// The last microsecond that RFC 3339 can write.
const LAST_TIME: i64 = 253_402_300_799_999_999;

/// One line, without the line feed, of whatever length the event has.
pub fn encode(event: &Event) -> String {
    let mut line = String::with_capacity(512);
    encode_into(event, &mut line);
    line
}

/// Appends one line, without the line feed.
pub fn encode_into(event: &Event, line: &mut String) {
    write_line(event, &[], line);
}

/// One line of at most [`DATAGRAM_LIMIT`] octets, for UDP (RFC 5426).
pub fn encode_datagram(event: &Event) -> String {
    encode_within(event, DATAGRAM_LIMIT)
}

/// One line of at most `limit` octets: the raw bytes are cut first, then the longest values, and `truncated`
/// names them. What says who, where and when is never cut, so that a limit under about 600 octets may be
/// passed by a few.
pub fn encode_within(event: &Event, limit: usize) -> String {
    let mut event = Cow::Borrowed(event);
    let mut cut = Vec::new();
    // Most of a long event is raw bytes of which nothing past the limit can go along: they are not even
    // encoded, or each such event would cost hundreds of microseconds.
    if event.report.raw.as_ref().is_some_and(|raw| raw.0.len() > limit) {
        let report = &mut event.to_mut().report;
        if let Some(raw) = &mut report.raw {
            raw.0.truncate(limit);
        }
        report.raw_truncated = true;
        cut.push("raw".to_owned());
    }
    let line = encode(&event);
    if line.len() <= limit {
        return line;
    }
    let written = |event: &Event, cut: &[String]| {
        let mut line = String::with_capacity(2 * limit);
        write_line(event, cut, &mut line);
        line
    };
    let excess = |event: &Event, cut: &[String]| written(event, cut).len().saturating_sub(limit);
    match shrink(event.as_ref(), cut, excess) {
        Some((event, cut)) => written(&event, &cut),
        // An event that does not survive its own JSON: the header alone still tells what happened.
        None => {
            let mut line = String::new();
            write_header(&event, &mut line);
            line.push_str(" -");
            line
        }
    }
}

fn write_line(event: &Event, cut: &[String], line: &mut String) {
    write_header(event, line);
    line.push_str(" [");
    line.push_str(SD_ID);
    let mut params = Params {
        line: &mut *line,
        decky_in_header: header_is_exact(&event.speaker.decky, HOSTNAME_LIMIT),
        service_in_header: header_is_exact(&event.speaker.service, APP_NAME_LIMIT),
        escaped: String::new(),
    };
    // The only errors are of values without fields, and an event has fields.
    let visited = fields::visit(event, &mut params);
    debug_assert!(visited.is_ok(), "an event has fields: {visited:?}");
    let escaped = std::mem::take(&mut params.escaped);
    if !escaped.is_empty() {
        params.param(ESCAPED, &escaped);
    }
    if !cut.is_empty() {
        params.param(TRUNCATED, &cut.join(" "));
    }
    line.push(']');
    // Writing to a String cannot fail.
    let _ = if event.report.src_ip.is_unspecified() {
        write!(line, " {}", headline(&event.report.body))
    } else {
        write!(line, " {} {}", event.report.src_ip, headline(&event.report.body))
    };
}

/// Everything before the structured data.
fn write_header(event: &Event, line: &mut String) {
    let priority = FACILITY * 8 + event.severity.code();
    let time = if (0..=LAST_TIME).contains(&event.ts) {
        Cow::Owned(timestamp::format(event.ts))
    } else {
        Cow::Borrowed("-")
    };
    let _ = write!(
        line,
        "<{priority}>1 {time} {} {} - {}",
        header(&event.speaker.decky, HOSTNAME_LIMIT),
        header(&event.speaker.service, APP_NAME_LIMIT),
        header(event.report.body.kind(), MSGID_LIMIT),
    );
}

/// A header field: PRINTUSASCII only (RFC 5424 section 6), anything else as `_`, cut at the limit, NILVALUE
/// where nothing is left.
pub(super) fn header(value: &str, limit: usize) -> Cow<'_, str> {
    if value.is_empty() {
        return Cow::Borrowed("-");
    }
    if value.len() <= limit && value.bytes().all(|b| b.is_ascii_graphic()) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.chars().map(|c| if c.is_ascii_graphic() { c } else { '_' }).take(limit).collect())
}

/// Whether a reader gets the exact value out of the header; `-` would be read as nothing.
fn header_is_exact(value: &str, limit: usize) -> bool {
    value.is_empty() || (value != "-" && header(value, limit) == value)
}

/// Writes the fields as SD-PARAMs.
struct Params<'a> {
    line: &'a mut String,
    decky_in_header: bool,
    service_in_header: bool,
    /// Names of the fields that were written with JSON escapes.
    escaped: String,
}

impl Params<'_> {
    /// Whether the header says it already.
    fn in_header(&self, name: &str) -> bool {
        match name {
            "ts" | "severity" | "event" => true,
            "decky" => self.decky_in_header,
            "service" => self.service_in_header,
            _ => false,
        }
    }

    fn param(&mut self, name: &str, value: &str) {
        self.line.push(' ');
        self.line.push_str(name);
        self.line.push_str("=\"");
        let mut rest = value;
        // RFC 5424 section 6.3.3: these three, and always these three.
        while let Some(place) = rest.find(['"', '\\', ']']) {
            self.line.push_str(&rest[..place]);
            self.line.push('\\');
            self.line.push_str(&rest[place..=place]);
            rest = &rest[place + 1..];
        }
        self.line.push_str(rest);
        self.line.push('"');
    }
}

impl Visit for Params<'_> {
    fn text(&mut self, name: &str, value: &str) {
        if self.in_header(name) {
            return;
        }
        if is_line_safe(value) {
            return self.param(name, value);
        }
        if !self.escaped.is_empty() {
            self.escaped.push(' ');
        }
        self.escaped.push_str(name);
        let mut safe = String::with_capacity(value.len() + 16);
        write_json_escaped(&mut safe, value);
        self.param(name, &safe);
    }

    fn plain(&mut self, name: &str, value: fmt::Arguments<'_>) {
        let _ = write!(self.line, " {name}=\"{value}\"");
    }

    fn json(&mut self, name: &str, value: &str) {
        self.param(name, value);
    }
}

//! Reading our own lines back.

use serde_json::{Map, Value};

use super::{ESCAPED, FACILITY, SD_ID};
use crate::event::{Event, Severity, timestamp};

/// Why a line is no event. The texts hold nothing of the line: it may be an intruder's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// The header is not that of RFC 5424. Another program's line, or a torn one.
    #[error("the {0} of the line is not as RFC 5424 has it")]
    Header(&'static str),
    /// The line has another facility than local0 or a severity that events never have: not ours.
    #[error("priority {0} is none of ours")]
    Priority(u8),
    /// There is no `[decnet@32473 …]`, or it ends too early: a torn line.
    #[error("the structured data is not whole")]
    StructuredData,
    /// A parameter's value is not of its type.
    #[error("the value of `{0}` is not of its type")]
    Value(String),
    /// The parameters together make no event: another version's, or a kind that is not known here.
    #[error("the fields make no event of schema 1: {0}")]
    Event(String),
}

/// Reads one line, with or without its line feed.
///
/// # Errors
/// See [`ParseError`]. Parameters with unknown names are no error.
pub fn parse(line: &str) -> Result<Event, ParseError> {
    let line = line.trim_end_matches(['\r', '\n']);
    let rest = line.strip_prefix('<').ok_or(ParseError::Header("priority"))?;
    let (priority, rest) = rest.split_once('>').ok_or(ParseError::Header("priority"))?;
    let priority: u8 = priority.parse().map_err(|_| ParseError::Header("priority"))?;
    let severity = Severity::from_code(priority % 8)
        .filter(|_| priority / 8 == FACILITY)
        .ok_or(ParseError::Priority(priority))?;
    let rest = rest.strip_prefix("1 ").ok_or(ParseError::Header("version"))?;
    let mut words = rest.splitn(6, ' ');
    let mut word = |name| words.next().filter(|word| !word.is_empty()).ok_or(ParseError::Header(name));
    let (time, decky, service) = (word("timestamp")?, word("host name")?, word("app name")?);
    let (_procid, kind, rest) = (word("process id")?, word("message id")?, word("structured data")?);

    let mut map = Map::new();
    let ts = match time {
        "-" => 0,
        time => timestamp::parse(time).map_err(|_| ParseError::Header("timestamp"))?,
    };
    map.insert("ts".to_owned(), timestamp::format(ts).into());
    map.insert("severity".to_owned(), serde_json::to_value(severity).unwrap_or_default());
    map.insert("event".to_owned(), kind.into());
    map.insert("decky".to_owned(), nil_is_empty(decky).into());
    map.insert("service".to_owned(), nil_is_empty(service).into());

    let params = element(rest).ok_or(ParseError::StructuredData)?;
    let escaped = params.iter().find(|(name, _)| *name == ESCAPED).map_or("", |(_, value)| value);
    for (name, value) in &params {
        let value = typed(name, value, escaped).ok_or_else(|| ParseError::Value((*name).to_owned()))?;
        map.insert((*name).to_owned(), value);
    }
    serde_json::from_value(Value::Object(map)).map_err(|error| {
        // serde names fields and kinds that it misses; values of the line may be in the text too.
        ParseError::Event(crate::text::shown(&error.to_string(), 120).to_string())
    })
}

fn nil_is_empty(word: &str) -> &str {
    if word == "-" { "" } else { word }
}

/// The parameters of our element.
fn element(mut rest: &str) -> Option<Vec<(&str, String)>> {
    // Relays may put elements of their own before ours.
    while let Some(inner) = rest.strip_prefix('[') {
        let end = inner.find([' ', ']'])?;
        let (id, mut tail) = inner.split_at(end);
        let mut params = Vec::new();
        while let Some(param) = tail.strip_prefix(' ') {
            let (name, value) = param.split_once("=\"")?;
            let (value, after) = quoted(value)?;
            params.push((name, value));
            tail = after;
        }
        rest = tail.strip_prefix(']')?;
        if id == SD_ID {
            return Some(params);
        }
    }
    None
}

/// The value up to its closing quote, and what follows. RFC 5424 section 6.3.3: a backslash before any other
/// character than the three stands for itself.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let place = rest.find(['"', '\\'])?;
        value.push_str(&rest[..place]);
        let after = &rest[place + 1..];
        if rest[place..].starts_with('"') {
            return Some((value, after));
        }
        match after.chars().next()? {
            c @ ('"' | '\\' | ']') => {
                value.push(c);
                rest = &after[1..];
            }
            _ => {
                value.push('\\');
                rest = after;
            }
        }
    }
}

/// The types of the fields that are not strings. The round-trip tests hold every kind of event against it.
fn typed(name: &str, value: &str, escaped: &str) -> Option<Value> {
    match name {
        "schema" | "seq" | "src_port" | "dst_port" | "duration_ms" | "bytes_in" | "bytes_out"
        | "body_len" | "rows" | "size" | "confidence" | "count" | "raw_len" | "deckies_count"
        | "ports_count" | "interval_s" | "deckies_up" | "services_up" | "events" | "dropped" | "next_seq" => {
            value.parse::<u64>().ok().map(Value::from)
        }
        "tls" | "completed" | "stored" | "raw_truncated" => value.parse::<bool>().ok().map(Value::from),
        "alpn" | "versions" | "headers" | "to" | "tags" | "ports" | "kinds" | "deckies" | "services" => {
            serde_json::from_str(value).ok()
        }
        name if escaped.split(' ').any(|marked| marked == name) => {
            serde_json::from_str::<String>(&format!("\"{value}\"")).ok().map(Value::from)
        }
        _ => Some(Value::from(value)),
    }
}

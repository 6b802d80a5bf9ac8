//! The commands, one file per group. A handler finds its arguments checked for number, the client logged
//! in and permitted, and memory there.

mod bitmaps;
mod clients;
mod command;
mod config;
mod connection;
mod debug;
mod functions;
mod generic;
mod geo;
mod hashes;
mod hyperloglog;
mod latency;
mod lists;
mod lolwut;
mod memory;
mod modules;
mod pubsub;
mod replication;
mod scripting;
mod server;
mod sets;
mod sort;
mod stream_groups;
mod streams;
mod strings;
mod transactions;
mod users;
mod zsets;

use std::collections::HashMap;
use std::sync::OnceLock;

use super::engine::{Answer, Call, Fault};
use super::tables::Spec;

pub(crate) use functions::Library;
pub(crate) use modules::module_rows;
pub(crate) use replication::{rdb_of, replicas};
pub(crate) use scripting::sha1_hex;
pub(crate) use server::writes_where;

/// Carries out one command.
pub(crate) type Handler = fn(&mut Call<'_>) -> Answer;

/// Names and handlers of one group.
type Group = &'static [(&'static str, Handler)];

const GROUPS: [Group; 28] = [
    bitmaps::HANDLERS,
    clients::HANDLERS,
    command::HANDLERS,
    config::HANDLERS,
    connection::HANDLERS,
    debug::HANDLERS,
    functions::HANDLERS,
    generic::HANDLERS,
    geo::HANDLERS,
    hashes::HANDLERS,
    hyperloglog::HANDLERS,
    latency::HANDLERS,
    lists::HANDLERS,
    lolwut::HANDLERS,
    memory::HANDLERS,
    modules::HANDLERS,
    pubsub::HANDLERS,
    replication::HANDLERS,
    scripting::HANDLERS,
    server::HANDLERS,
    sets::HANDLERS,
    sort::HANDLERS,
    stream_groups::HANDLERS,
    streams::HANDLERS,
    strings::HANDLERS,
    transactions::HANDLERS,
    users::HANDLERS,
    zsets::HANDLERS,
];

/// The handler of a command or subcommand. `<container>|help` and the bare container share theirs.
pub(crate) fn handler(name: &str) -> Option<Handler> {
    static TABLE: OnceLock<HashMap<&'static str, Handler>> = OnceLock::new();
    let table = TABLE.get_or_init(|| GROUPS.into_iter().flatten().copied().collect());
    match table.get(name) {
        Some(handler) => Some(*handler),
        None if name.ends_with("|help") => Some(help),
        None if super::tables::commands().get(name).is_some_and(|spec| !spec.subcommands.is_empty()) => {
            Some(bare_container)
        }
        None => None,
    }
}

fn help(call: &mut Call<'_>) -> Answer {
    let container = call.word(0);
    let title =
        format!("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container.to_uppercase());
    let mut lines = vec![title];
    lines.extend(super::tables::help(&container).into_iter().map(str::to_owned));
    lines.push("HELP".to_owned());
    lines.push("    Prints this help.".to_owned());
    Ok(super::codec::Reply::Array(
        lines.into_iter().map(|line| super::codec::Reply::Simple(line.into())).collect(),
    ))
}

fn bare_container(call: &mut Call<'_>) -> Answer {
    Err(unknown_subcommand(call))
}

/// The error of releases before 7 for a subcommand that is not there or takes other arguments.
pub(crate) fn unknown_subcommand(call: &Call<'_>) -> Fault {
    let container = call.word(0).to_uppercase();
    if !call.since(4, 0) {
        return match container.as_str() {
            "CONFIG" => "ERR CONFIG subcommand must be one of GET, SET, RESETSTAT, REWRITE".into(),
            "CLIENT" => {
                "ERR Syntax error, try CLIENT (LIST | KILL | GETNAME | SETNAME | PAUSE | REPLY)".into()
            }
            "OBJECT" => "ERR Syntax error. Try OBJECT (refcount|encoding|idletime)".into(),
            "SCRIPT" => "ERR Unknown SCRIPT subcommand or wrong # of args.".into(),
            "PUBSUB" => Fault::quoting(
                "ERR Unknown PUBSUB subcommand or wrong number of arguments for '",
                call.arg(1),
                "'",
            ),
            "SLOWLOG" => "ERR Unknown SLOWLOG subcommand or wrong # of args. Try GET, RESET, LEN.".into(),
            "LATENCY" | "DEBUG" => "ERR syntax error".into(),
            _ => "ERR Unknown subcommand or wrong number of arguments.".into(),
        };
    }
    let shown: Vec<u8> = call.arg(1).iter().take(128).copied().collect();
    Fault::quoting(
        "ERR Unknown subcommand or wrong number of arguments for '",
        &shown,
        &format!("'. Try {container} HELP."),
    )
}

/// The keys among the arguments of a command, by its table row and, where that cannot tell, by its form.
pub(crate) fn keys_of(spec: &Spec, arguments: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let length = arguments.len() as i64;
    let counted = |at: usize| -> Vec<Vec<u8>> {
        let count = arguments.get(at).and_then(|text| super::codec::number(text)).unwrap_or(0);
        let count = usize::try_from(count).unwrap_or(0);
        arguments.iter().skip(at + 1).take(count).cloned().collect()
    };
    match spec.name {
        "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro" => return counted(2),
        "zunionstore" | "zinterstore" | "zdiffstore" => {
            let mut keys = vec![arguments.get(1).cloned().unwrap_or_default()];
            keys.extend(counted(2));
            return keys;
        }
        "zunion" | "zinter" | "zdiff" | "sintercard" | "zintercard" | "lmpop" | "zmpop" => return counted(1),
        "blmpop" | "bzmpop" => return counted(2),
        "xread" | "xreadgroup" => {
            let Some(at) = arguments.iter().position(|word| word.eq_ignore_ascii_case(b"streams")) else {
                return Vec::new();
            };
            let rest = &arguments[at + 1..];
            return rest[..rest.len() / 2].to_vec();
        }
        _ => {}
    }
    let (first, last, step) = spec.keys;
    if first <= 0 || step <= 0 {
        return Vec::new();
    }
    let last = if last < 0 { length + last } else { last };
    let mut keys = Vec::new();
    let mut at = first;
    while at <= last && at < length {
        keys.extend(arguments.get(at as usize).cloned());
        at += step;
    }
    keys
}

/// Whether a text matches a glob-style pattern, as the product's stringmatchlen does: `*`, `?`, `[a-z]`,
/// `[^a]`, backslash. Unlike the product's, it takes time proportional to pattern times text only.
pub(crate) fn glob(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    let fold = |byte: u8| if ignore_case { byte.to_ascii_lowercase() } else { byte };
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let matched = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            None => None,
            Some(_) if t == text.len() => None,
            Some(b'?') => Some(p + 1),
            Some(b'[') => {
                class(&pattern[p..], fold(text[t]), fold).and_then(|(length, hit)| hit.then_some(p + length))
            }
            Some(b'\\') if p + 1 < pattern.len() => (fold(pattern[p + 1]) == fold(text[t])).then_some(p + 2),
            Some(byte) => (fold(*byte) == fold(text[t])).then_some(p + 1),
        };
        match (matched, star) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((at, from))) if from < text.len() => {
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
            (None, _) => return false,
        }
    }
}

/// Reads a class from its bracket; gives its length and whether the byte is in it.
fn class(pattern: &[u8], byte: u8, fold: impl Fn(u8) -> u8) -> Option<(usize, bool)> {
    let mut at = 1;
    let negated = pattern.get(1) == Some(&b'^');
    at += usize::from(negated);
    let mut hit = false;
    loop {
        match pattern.get(at) {
            // An open class ends with the pattern, as in the product.
            None => return Some((at, hit != negated)),
            Some(b']') => return Some((at + 1, hit != negated)),
            Some(b'\\') if at + 1 < pattern.len() => {
                hit |= fold(pattern[at + 1]) == byte;
                at += 2;
            }
            Some(low) if pattern.get(at + 1) == Some(&b'-') && at + 2 < pattern.len() => {
                let (low, high) = (fold(*low), fold(pattern[at + 2]));
                hit |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            Some(other) => {
                hit |= fold(*other) == byte;
                at += 1;
            }
        }
    }
}

/// A range given by start and end, negative from the end, as indexes from..to of `length` elements.
pub(crate) fn span(start: i64, end: i64, length: usize) -> (usize, usize) {
    let length = length as i64;
    let start = if start < 0 { start.saturating_add(length) } else { start }.max(0);
    let end = if end < 0 { end.saturating_add(length) } else { end }.min(length - 1);
    if start > end || start >= length { (0, 0) } else { (start as usize, end as usize + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::tables;

    #[test]
    fn every_command_has_a_handler_and_every_handler_a_command() {
        for name in tables::commands().keys() {
            assert!(handler(name).is_some(), "{name} has no handler");
        }
        for (name, _) in GROUPS.into_iter().flatten() {
            assert!(tables::commands().contains_key(name), "{name} is in no table");
        }
    }

    #[test]
    fn globs() {
        for (pattern, text, hit) in [
            ("*", "", true),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("*a*b*c", "xxaxxbxxc", true),
            ("*a*b*c", "xxaxxbxx", false),
            ("session:*", "session:1", true),
            ("[", "a", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes(), false), hit, "{pattern} {text}");
        }
        assert!(glob(b"MAX*", b"maxmemory", true));
        // The product took exponential time for this before it counted steps.
        assert!(!glob("*a".repeat(60).as_bytes(), "a".repeat(59).as_bytes(), false));
    }

    #[test]
    fn spans() {
        assert_eq!(span(0, -1, 3), (0, 3));
        assert_eq!(span(-2, -1, 3), (1, 3));
        assert_eq!(span(2, 1, 3), (0, 0));
        assert_eq!(span(i64::MIN, i64::MAX, 3), (0, 3));
        assert_eq!(span(0, 0, 0), (0, 0));
    }

    #[test]
    fn keys_are_found() {
        let keys = |line: &str| {
            let arguments: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            let keys = keys_of(&tables::commands()[line.split(' ').next().unwrap()], &arguments);
            keys.into_iter().map(|key| String::from_utf8(key).unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys("mset a 1 b 2"), "a b");
        assert_eq!(keys("blpop a b 0"), "a b");
        assert_eq!(keys("eval x 2 a b c"), "a b");
        assert_eq!(keys("zunionstore d 2 a b weights 1 2"), "d a b");
        assert_eq!(keys("xread count 1 streams a b 0 0"), "a b");
        assert_eq!(keys("ping"), "");
    }
}

//! CONFIG.

use decnet_core::identity::OsFamily;
use decnet_logging::event::Body;

use super::glob;
use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, Fault, User};
use crate::redis::tables::{self, Parameter, ParameterKind};

pub(super) const HANDLERS: super::Group = &[
    ("config|get", get),
    ("config|resetstat", |call| {
        let now = call.state.host.clock.micros();
        call.state.stats.reset(now);
        Ok(Reply::OK)
    }),
    ("config|rewrite", rewrite),
    ("config|set", set),
];

/// Bytes of one parameter.
const VALUE_BOUND: usize = 64 * 1024;

fn get(call: &mut Call<'_>) -> Answer {
    if call.len() > 3 && !call.since(7, 0) {
        return Err(super::unknown_subcommand(call));
    }
    let release = call.release();
    let patterns: Vec<Vec<u8>> = call.args[2..].to_vec();
    let mut rows: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for parameter in tables::parameters() {
        for name in parameter.names(release) {
            if patterns.iter().any(|pattern| glob(pattern, name.as_bytes(), true)) {
                // Release 7 answers an exact name in the spelling of the question.
                let asked = patterns.iter().find(|pattern| pattern.eq_ignore_ascii_case(name.as_bytes()));
                let name = match asked {
                    Some(asked) if release.since(7, 0) => asked.clone(),
                    _ => name.as_bytes().to_vec(),
                };
                rows.push((name, shown(call, parameter)));
            }
        }
    }
    // Release 7 lists them in the order of a table whose hash is seeded anew with each run.
    if release.since(7, 0) {
        let mut order = call.state.host.identity().draw(&["redis", "config order", &call.state.run_id]);
        order.shuffle(&mut rows);
    }
    Ok(Reply::Map(rows.into_iter().map(|(name, value)| (Reply::Bulk(name), Reply::Bulk(value))).collect()))
}

fn shown(call: &Call<'_>, parameter: &Parameter) -> Vec<u8> {
    match parameter.name {
        "replicaof" => match &call.state.master {
            Some(master) => [&master.host[..], b" ", master.port.to_string().as_bytes()].concat(),
            None => Vec::new(),
        },
        // The word before release 5 stays in this value up to now.
        name => call.state.setting(name).to_vec(),
    }
}

struct Refusal {
    name: Vec<u8>,
    why: String,
    value: Vec<u8>,
}

fn refusal(call: &Call<'_>, refusal: Refusal) -> Fault {
    let Refusal { name, why, value } = refusal;
    let why = why.as_bytes();
    if call.since(7, 0) {
        let start = b"ERR CONFIG SET failed (possibly related to argument '";
        return Fault([start.as_slice(), &name, b"') - ", why].concat());
    }
    if name == b"dir" && why.starts_with(b"Changing") {
        return Fault([b"ERR ".as_slice(), why].concat());
    }
    let name = name.to_ascii_lowercase();
    let start = [b"ERR Invalid argument '".as_slice(), &value, b"' for CONFIG SET '", &name, b"'"].concat();
    if call.since(6, 0) && !why.is_empty() {
        return Fault([start.as_slice(), b" - ", why].concat());
    }
    Fault(start)
}

fn set(call: &mut Call<'_>) -> Answer {
    let release = call.release();
    let seven = call.since(7, 0);
    if !seven && call.len() != 4 {
        return Err(super::unknown_subcommand(call));
    }
    if !call.len().is_multiple_of(2) {
        return Err(Call::arity("config|set"));
    }
    let mut changes: Vec<(&'static Parameter, Vec<u8>, String)> = Vec::new();
    for at in (2..call.len()).step_by(2) {
        let word = call.word(at);
        let Some(parameter) =
            tables::parameter(&word, release).filter(|parameter| seven || !parameter.immutable)
        else {
            attempt(call, &word, at);
            return Err(if seven {
                Fault::quoting(
                    "ERR Unknown option or number of arguments for CONFIG SET - '",
                    call.arg(at),
                    "'",
                )
            } else {
                Fault::quoting("ERR Unsupported CONFIG parameter: ", call.arg(at), "")
            });
        };
        let value = call.arg(at + 1).to_vec();
        let refuse = |why: &str| Refusal {
            name: word.clone().into_bytes(),
            why: why.to_owned(),
            value: value.clone(),
        };
        if parameter.immutable {
            return Err(refusal(call, refuse("can't set immutable config")));
        }
        if parameter.protected && seven && call.state.setting("enable-protected-configs") != b"yes" {
            attempt(call, &word, at);
            return Err(refusal(call, refuse("can't set protected config")));
        }
        if changes.iter().any(|(other, ..)| other.name == parameter.name) {
            return Err(refusal(call, refuse("duplicate parameter")));
        }
        if value.len() > VALUE_BOUND {
            return Err(refusal(call, refuse("argument is too long")));
        }
        match normalise(call, parameter, &value) {
            Ok(normal) => changes.push((parameter, normal, word)),
            Err(why) => return Err(refusal(call, Refusal { name: word.into_bytes(), why, value })),
        }
    }
    for (parameter, value, word) in changes {
        apply(call, parameter, value, &word)?;
    }
    Ok(Reply::OK)
}

/// Reports a try at `dir` or `dbfilename` that was refused.
fn attempt(call: &mut Call<'_>, word: &str, at: usize) {
    if matches!(word, "dir" | "dbfilename") {
        let value = String::from_utf8_lossy(call.arg(at + 1)).into_owned();
        let name = super::writes_where(&value).unwrap_or("redis.write.file").to_owned();
        call.state.note(Body::ExploitAttempt { name, confidence: 80 });
    }
}

fn apply(
    call: &mut Call<'_>,
    parameter: &'static Parameter,
    value: Vec<u8>,
    word: &str,
) -> Result<(), Fault> {
    let old = call.state.setting(parameter.name).to_vec();
    call.keep_forever(value.len().saturating_sub(old.len()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    call.state.note(Body::StateChanged {
        object: format!("config {word}"),
        old: Some(text(&old)),
        new: text(&value),
    });
    if matches!(parameter.name, "dir" | "dbfilename") {
        let directory = if parameter.name == "dir" { &value } else { call.state.setting("dir") };
        let file = if parameter.name == "dir" { call.state.setting("dbfilename") } else { &value };
        let path = format!("{}/{}", text(directory), text(file));
        if let Some(name) = super::writes_where(&path) {
            call.state.note(Body::ExploitAttempt { name: name.to_owned(), confidence: 90 });
        }
    }
    if parameter.name == "requirepass" {
        let password = text(&value);
        let user = User::default_user((!password.is_empty()).then_some(password.as_str()));
        call.state.users.insert(b"default".to_vec(), user);
    }
    call.state.config.insert(parameter.name, value);
    Ok(())
}

/// Bytes with the product's units.
fn memory(text: &str) -> Option<u64> {
    let lower = text.to_ascii_lowercase();
    let at = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
    let (digits, unit) = lower.split_at(at);
    let factor: u64 = match unit {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1024,
        "m" => 1_000_000,
        "mb" => 1024 * 1024,
        "g" => 1_000_000_000,
        "gb" => 1024 * 1024 * 1024,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Checks a value and gives the form in which CONFIG GET shows it.
fn normalise(call: &Call<'_>, parameter: &Parameter, value: &[u8]) -> Result<Vec<u8>, String> {
    let text = String::from_utf8_lossy(value).into_owned();
    match &parameter.kind {
        ParameterKind::Text => Ok(text_value(parameter.name, value)?),
        ParameterKind::Bool => {
            let lower = text.to_ascii_lowercase();
            if matches!(lower.as_str(), "yes" | "no") {
                Ok(lower.into_bytes())
            } else {
                Err("argument must be 'yes' or 'no'".to_owned())
            }
        }
        ParameterKind::Integer(low, high) => {
            let number = number(value).ok_or("argument couldn't be parsed into an integer")?;
            if (*low..=*high).contains(&number) {
                Ok(number.to_string().into_bytes())
            } else {
                Err(format!("argument must be between {low} and {high} inclusive"))
            }
        }
        ParameterKind::Memory => memory(&text)
            .map(|bytes| bytes.to_string().into_bytes())
            .ok_or("argument must be a memory value".into()),
        ParameterKind::Enum(words) => {
            let lower = text.to_ascii_lowercase();
            if words.contains(&lower.as_str()) {
                Ok(lower.into_bytes())
            } else {
                Err(format!("argument(s) must be one of the following: {}", words.join(", ")))
            }
        }
        ParameterKind::Special(kind) => special(call, kind, &text),
    }
}

fn text_value(name: &str, value: &[u8]) -> Result<Vec<u8>, String> {
    if name == "dbfilename" && value.contains(&b'/') {
        return Err("dbfilename can't be a path, just a filename".to_owned());
    }
    Ok(value.to_vec())
}

fn special(call: &Call<'_>, kind: &str, text: &str) -> Result<Vec<u8>, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match kind {
        "save" => {
            let numbers = words.iter().all(|word| word.parse::<i64>().is_ok_and(|number| number >= 0));
            if words.len().is_multiple_of(2) && numbers {
                Ok(words.join(" ").into_bytes())
            } else {
                Err("Invalid save parameters".to_owned())
            }
        }
        "dir" => {
            if directory_exists(call, text) {
                Ok(trimmed(text).as_bytes().to_vec())
            } else {
                Err("Changing directory: No such file or directory".to_owned())
            }
        }
        "notify-keyspace-events" => {
            let letters = "Ag$lshzxeKEtmdn";
            match text.chars().find(|letter| !letters.contains(*letter)) {
                Some(_) => Err(format!("Invalid event class character. Use '{letters}'.")),
                None => Ok(events_in_order(text)),
            }
        }
        "memory-percent" => {
            let percent = text.strip_suffix('%').is_some_and(|digits| digits.parse::<u32>().is_ok());
            match memory(text) {
                _ if percent => Ok(text.as_bytes().to_vec()),
                Some(bytes) => Ok(bytes.to_string().into_bytes()),
                None => Err("argument must be a memory or percent value".to_owned()),
            }
        }
        "client-output-buffer-limit" => {
            if words.is_empty() || !words.len().is_multiple_of(4) {
                return Err("Wrong number of arguments in buffer limit configuration.".to_owned());
            }
            let mut limits: Vec<String> =
                String::from_utf8_lossy(call.state.setting("client-output-buffer-limit"))
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect();
            for limit in words.chunks_exact(4) {
                let class = match limit[0].to_ascii_lowercase().as_str() {
                    "replica" => "slave".to_owned(),
                    other => other.to_owned(),
                };
                let place = limits.iter().step_by(4).position(|other| *other == class);
                let numbers = (memory(limit[1]), memory(limit[2]), limit[3].parse::<u32>());
                let (Some(place), (Some(hard), Some(soft), Ok(seconds))) = (place, numbers) else {
                    return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration."
                        .to_owned());
                };
                for (offset, number) in
                    [hard.to_string(), soft.to_string(), seconds.to_string()].into_iter().enumerate()
                {
                    if let Some(slot) = limits.get_mut(place * 4 + offset + 1) {
                        *slot = number;
                    }
                }
            }
            Ok(limits.join(" ").into_bytes())
        }
        "oom-score-adj-values" => {
            if words.len() != 3 {
                return Err("wrong number of arguments".to_owned());
            }
            let numbers: Option<Vec<i32>> = words.iter().map(|word| word.parse().ok()).collect();
            match numbers {
                Some(numbers) if numbers.iter().all(|number| (-2000..=2000).contains(number)) => {
                    Ok(words.join(" ").into_bytes())
                }
                _ => Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".to_owned()),
            }
        }
        "percentiles" => {
            let numbers: Option<Vec<f64>> = words.iter().map(|word| word.parse().ok()).collect();
            match numbers {
                None => Err("Invalid latency-tracking-info-percentiles parameters".to_owned()),
                Some(numbers) if numbers.iter().all(|number| (0.0..=100.0).contains(number)) => {
                    Ok(words.join(" ").into_bytes())
                }
                Some(_) => {
                    Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                        .to_owned())
                }
            }
        }
        "cluster-announce-hostname" => {
            if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')) {
                Ok(text.as_bytes().to_vec())
            } else {
                Err("Hostnames may only contain alphanumeric characters, hyphens or dots".to_owned())
            }
        }
        "bind" => {
            let own = call.state.host.decky.address.to_string();
            let ours = words.iter().all(|word| {
                let word = word.trim_start_matches('-');
                matches!(word, "*" | "::*" | "0.0.0.0" | "::" | "::1" | "127.0.0.1") || word == own
            });
            if ours {
                Ok(words.join(" ").into_bytes())
            } else {
                Err("Failed to bind to specified addresses.".to_owned())
            }
        }
        _ => Ok(text.as_bytes().to_vec()),
    }
}

/// The letters of keyspace events in the product's order, with `A` for all classes.
fn events_in_order(text: &str) -> Vec<u8> {
    const CLASSES: &str = "g$lshzxetd";
    let all = text.contains('A') || CLASSES.chars().all(|class| text.contains(class));
    let mut out = String::new();
    if all {
        out.push('A');
    } else {
        out.extend(CLASSES.chars().filter(|class| text.contains(*class)));
    }
    out.extend("KEmn".chars().filter(|letter| text.contains(*letter)));
    out.into_bytes()
}

fn trimmed(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed }
}

/// Whether the machine has that directory. Paths that every one has, those of its own home directories and
/// whatever it is configured with; nothing of the real file system is looked at.
fn directory_exists(call: &Call<'_>, path: &str) -> bool {
    let identity = call.state.host.identity();
    if call.state.persona.windows || identity.os.family == OsFamily::Windows {
        let lower = path.to_ascii_lowercase();
        return ["c:\\", "c:/"].iter().any(|drive| lower.starts_with(drive)) && !lower.contains("..");
    }
    let path = trimmed(path);
    if path == "." || path.as_bytes() == call.state.setting("dir") {
        return true;
    }
    let web = ["httpd", "nginx", "apache"].iter().any(|name| identity.product(name).is_some())
        || call.state.host.service("http").is_some();
    tables::rows(include_str!("../data/directories.txt")).any(|row| {
        row.first() == Some(&path)
            && match row.get(1) {
                None => true,
                Some(&"web") => web,
                Some(rows) => rows.split(',').any(|row| identity.os.row.starts_with(row)),
            }
    })
}

fn rewrite(call: &mut Call<'_>) -> Answer {
    if call.state.persona.platform.config_file.is_empty() {
        return Err("ERR The server is running without a config file".into());
    }
    let file = call.state.persona.platform.config_file.to_owned();
    call.state.note(Body::StateChanged { object: file, old: None, new: "rewritten".to_owned() });
    Ok(Reply::OK)
}

//! COMMAND: what the server knows of its commands.

use serde_json::Value as Json;

use super::{glob, keys_of};
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX, TRAPS, spec_of};
use crate::redis::persona::Release;
use crate::redis::tables::{self, Spec};

pub(super) const HANDLERS: super::Group = &[
    ("command", |call| {
        if call.len() > 1 {
            return Err(super::unknown_subcommand(call));
        }
        let specs = listed(call.release());
        command_rows(call, &specs)
    }),
    ("command|count", |call| Ok(Reply::Integer(count(call.release())))),
    ("command|docs", docs),
    ("command|getkeys", getkeys),
    ("command|getkeysandflags", getkeysandflags),
    ("command|info", info),
    ("command|list", list),
];

/// The commands of a release, without subcommands, in the order of their names. QUIT came into the table
/// with release 7; before it was handled apart.
fn listed(release: Release) -> Vec<&'static Spec> {
    let mut specs: Vec<&'static Spec> = tables::commands()
        .values()
        .filter(|spec| release >= spec.since && !spec.name.contains('|'))
        .filter(|spec| spec.name != "quit" || release.since(7, 0))
        .collect();
    specs.sort_by_key(|spec| spec.name);
    specs
}

fn count(release: Release) -> i64 {
    let traps = if release.since(7, 0) { 0 } else { TRAPS.len() };
    (listed(release).len() + traps) as i64
}

/// A JSON value as the reply it was read from; arrays that stand for maps are named by the caller.
fn from_json(json: &Json) -> Reply {
    match json {
        Json::Null => Reply::Null,
        Json::Bool(value) => Reply::Bool(*value),
        Json::Number(number) => Reply::Integer(number.as_i64().unwrap_or(0)),
        Json::String(text) => Reply::text(text.clone()),
        Json::Array(items) => Reply::Array(items.iter().map(from_json).collect()),
        Json::Object(_) => Reply::Null,
    }
}

/// An array of alternating names and values as a map; inner maps of the documentation likewise.
fn doc_map(json: &Json) -> Reply {
    let Json::Array(items) = json else { return from_json(json) };
    let pairs = items
        .chunks_exact(2)
        .map(|pair| {
            let name = pair[0].as_str().unwrap_or("");
            let value = match (name, &pair[1]) {
                ("arguments", Json::Array(rows)) => Reply::Array(rows.iter().map(doc_map).collect()),
                ("subcommands", Json::Array(rows)) => Reply::Map(
                    rows.chunks_exact(2).map(|row| (from_json(&row[0]), doc_map(&row[1]))).collect(),
                ),
                ("flags" | "doc_flags", Json::Array(flags)) => {
                    Reply::Set(flags.iter().map(status_or_bulk).collect())
                }
                ("history", Json::Array(rows)) => Reply::Set(rows.iter().map(from_json).collect()),
                (_, other) => from_json(other),
            };
            (from_json(&pair[0]), value)
        })
        .collect();
    Reply::Map(pairs)
}

/// Flags stand on the wire as status lines.
fn status_or_bulk(json: &Json) -> Reply {
    Reply::Simple(json.as_str().unwrap_or("").to_owned().into())
}

/// A key specification: `begin_search`, `find_keys` and their `spec` are maps, flags are status lines.
fn key_specification(json: &Json) -> Reply {
    let Json::Array(items) = json else { return from_json(json) };
    let pairs = items
        .chunks_exact(2)
        .map(|pair| {
            let value = match (pair[0].as_str().unwrap_or(""), &pair[1]) {
                ("flags", Json::Array(flags)) => Reply::Set(flags.iter().map(status_or_bulk).collect()),
                ("begin_search" | "find_keys" | "spec", nested) => key_specification(nested),
                (_, other) => from_json(other),
            };
            (from_json(&pair[0]), value)
        })
        .collect();
    Reply::Map(pairs)
}

fn row(spec: &Spec, release: Release, details: &Json) -> Reply {
    let statuses = |words: &[&'static str], mark: &str| {
        Reply::Set(words.iter().map(|word| Reply::Simple(format!("{mark}{word}").into())).collect())
    };
    let mut fields = vec![
        Reply::text(spec.name),
        Reply::Integer(spec.arity),
        statuses(&spec.flags, ""),
        Reply::Integer(spec.keys.0),
        Reply::Integer(spec.keys.1),
        Reply::Integer(spec.keys.2),
    ];
    if release.since(6, 0) {
        fields.push(statuses(&spec.categories, "@"));
    }
    if release.since(7, 0) {
        let detail = details.get(spec.name);
        let part = |at: usize| detail.and_then(|detail| detail.get(at)).and_then(Json::as_array);
        fields.push(Reply::Set(part(0).into_iter().flatten().map(from_json).collect()));
        fields.push(Reply::Set(part(1).into_iter().flatten().map(key_specification).collect()));
        let subcommands: Vec<Reply> = spec
            .subcommands
            .iter()
            .filter_map(|name| tables::commands().get(format!("{}|{name}", spec.name).as_str()))
            .filter(|spec| release >= spec.since)
            .map(|spec| row(spec, release, details))
            .collect();
        // The empty list is a set, the other is not.
        fields.push(if subcommands.is_empty() { Reply::Set(subcommands) } else { Reply::Array(subcommands) });
    }
    Reply::Array(fields)
}

fn command_rows(call: &mut Call<'_>, specs: &[&'static Spec]) -> Answer {
    let release = call.release();
    let documentation = tables::documentation();
    let details = documentation.get("details").unwrap_or(&Json::Null);
    call.spend(specs.len() * 500)?;
    Ok(Reply::Array(specs.iter().map(|spec| row(spec, release, details)).collect()))
}

fn named(call: &Call<'_>, from: usize) -> Vec<Option<&'static Spec>> {
    let release = call.release();
    call.args
        .iter()
        .skip(from)
        .map(|name| {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let found = tables::commands().get(name.as_str()).filter(|spec| release >= spec.since);
            found.filter(|spec| release.since(7, 0) || !spec.name.contains('|'))
        })
        .collect()
}

fn info(call: &mut Call<'_>) -> Answer {
    if call.len() == 2 && call.since(7, 0) {
        let specs = listed(call.release());
        return command_rows(call, &specs);
    }
    let release = call.release();
    let documentation = tables::documentation();
    let details = documentation.get("details").unwrap_or(&Json::Null);
    let mut rows = Vec::new();
    for spec in named(call, 2) {
        call.spend(500)?;
        let missing = if release.since(7, 0) { Reply::Null } else { Reply::NullArray };
        rows.push(spec.map_or(missing, |spec| row(spec, release, details)));
    }
    Ok(Reply::Array(rows))
}

fn docs(call: &mut Call<'_>) -> Answer {
    let documentation = tables::documentation();
    let docs = documentation.get("docs").unwrap_or(&Json::Null);
    let names: Vec<&str> = if call.len() == 2 {
        listed(call.release()).into_iter().map(|spec| spec.name).collect()
    } else {
        named(call, 2).into_iter().flatten().map(|spec| spec.name).collect()
    };
    let mut rows = Vec::new();
    for name in names {
        // A subcommand's documentation lies within that of its container.
        let found = match name.split_once('|') {
            None => docs.get(name),
            Some((container, _)) => docs.get(container).and_then(Json::as_array).and_then(|rows| {
                let at = rows.iter().position(|row| row.as_str() == Some("subcommands"))?;
                let rows = rows.get(at + 1)?.as_array()?;
                let at = rows.iter().position(|row| row.as_str() == Some(name))?;
                rows.get(at + 1)
            }),
        };
        if let Some(found) = found {
            let reply = doc_map(found);
            call.spend(reply.weight())?;
            rows.push((Reply::text(name), reply));
        }
    }
    Ok(Reply::Map(rows))
}

fn list(call: &mut Call<'_>) -> Answer {
    let release = call.release();
    // Unlike COMMAND, the list has the subcommands, too.
    let mut names: Vec<&str> =
        tables::commands().values().filter(|spec| release >= spec.since).map(|spec| spec.name).collect();
    names.sort_unstable();
    if call.len() == 5 && call.is(2, "filterby") {
        let wanted = call.arg(4).to_vec();
        match call.word(3).as_str() {
            "module" => names.clear(),
            "aclcat" => {
                let category = String::from_utf8_lossy(&wanted).to_ascii_lowercase();
                names = tables::commands()
                    .values()
                    .filter(|spec| release >= spec.since && spec.categories.contains(&category.as_str()))
                    .map(|spec| spec.name)
                    .collect();
                names.sort_unstable();
            }
            "pattern" => {
                names = tables::commands()
                    .values()
                    .filter(|spec| release >= spec.since && glob(&wanted, spec.name.as_bytes(), true))
                    .map(|spec| spec.name)
                    .collect();
                names.sort_unstable();
            }
            _ => return Err(SYNTAX.into()),
        }
    } else if call.len() != 2 {
        return Err(SYNTAX.into());
    }
    Ok(Reply::bulks(names))
}

fn keys_argument(call: &Call<'_>) -> Result<(Vec<Vec<u8>>, &'static Spec), Fault> {
    let arguments = &call.args[2..];
    let Ok(spec) = spec_of(arguments, call.release()) else {
        return Err("ERR Invalid command specified".into());
    };
    if spec.keys.0 == 0 && keys_of(spec, arguments).is_empty() && !spec.has("movablekeys") {
        return Err("ERR The command has no key arguments".into());
    }
    if !spec.takes(arguments.len()) {
        return Err("ERR Invalid number of arguments specified for command".into());
    }
    let keys = keys_of(spec, arguments);
    if keys.is_empty() {
        return Err("ERR Invalid arguments specified for command".into());
    }
    Ok((keys, spec))
}

fn getkeys(call: &mut Call<'_>) -> Answer {
    Ok(Reply::bulks(keys_argument(call)?.0))
}

fn getkeysandflags(call: &mut Call<'_>) -> Answer {
    let (keys, spec) = keys_argument(call)?;
    // The flags of the first key specification stand for all keys of the command; SET's depend on GET.
    let documentation = tables::documentation();
    let specification = documentation
        .get("details")
        .and_then(|details| details.get(spec.name)?.get(1)?.get(0))
        .and_then(Json::as_array);
    let flags: Vec<Reply> = specification
        .and_then(|rows| rows.chunks_exact(2).find(|row| row[0] == "flags"))
        .and_then(|row| row[1].as_array())
        .into_iter()
        .flatten()
        .filter(|flag| *flag != "variable_flags")
        .map(status_or_bulk)
        .collect();
    let gets = call.args.iter().skip(5).any(|word| word.eq_ignore_ascii_case(b"get"));
    let flags = if spec.name == "set" && !gets {
        ["OW", "update"].map(|flag| Reply::Simple(flag.into())).to_vec()
    } else {
        flags
    };
    Ok(Reply::Array(
        keys.into_iter().map(|key| Reply::Array(vec![Reply::Bulk(key), Reply::Set(flags.clone())])).collect(),
    ))
}

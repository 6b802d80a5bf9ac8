//! What the server knows of itself: COMMAND, SLOWLOG, LATENCY, MEMORY, MODULE, DEBUG, LOLWUT.

use decnet_logging::event::{Body, Direction};
use serde_json::Value as Json;

use super::{glob, keys_of};
use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, Close, Fault, SYNTAX, TRAPS, spec_of};
use crate::redis::persona::Release;
use crate::redis::store::{Shape, rdb};
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
    ("debug", debug),
    ("latency|doctor", latency_doctor),
    ("latency|graph", |call| Err(Fault::quoting("ERR No samples available for event '", call.arg(2), "'"))),
    ("latency|histogram", histogram),
    ("latency|history", |_| Ok(Reply::Array(Vec::new()))),
    ("latency|latest", |_| Ok(Reply::Array(Vec::new()))),
    ("latency|reset", |_| Ok(Reply::Integer(0))),
    ("lolwut", lolwut),
    ("memory|doctor", memory_doctor),
    ("memory|malloc-stats", malloc_stats),
    ("memory|purge", |_| Ok(Reply::OK)),
    ("memory|stats", memory_stats),
    ("memory|usage", memory_usage),
    ("module|list", |call| Ok(Reply::Array(module_rows(call)))),
    ("module|load", module_load),
    ("module|loadex", module_load),
    ("module|unload", module_unload),
    ("slowlog|get", slowlog_get),
    ("slowlog|len", |call| Ok(Reply::Integer(call.state.slowlog.len() as i64))),
    ("slowlog|reset", |call| {
        call.state.slowlog.clear();
        Ok(Reply::OK)
    }),
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

fn slowlog_get(call: &mut Call<'_>) -> Answer {
    let mut count = 10;
    if call.len() > 2 {
        let wanted = number(call.arg(2));
        count = if call.since(7, 0) {
            match wanted {
                Some(-1) => usize::MAX,
                Some(wanted) if wanted >= 0 => wanted as usize,
                _ => return Err("ERR count should be greater than or equal to -1".into()),
            }
        } else {
            usize::try_from(wanted.ok_or("ERR value is not an integer or out of range")?)
                .unwrap_or(usize::MAX)
        };
    }
    let peers = call.since(4, 0);
    let rows = call
        .state
        .slowlog
        .iter()
        .take(count)
        .map(|slow| {
            let mut row = vec![
                Reply::Integer(slow.id as i64),
                Reply::Integer(slow.at),
                Reply::Integer(slow.took as i64),
                Reply::bulks(slow.arguments.clone()),
            ];
            if peers {
                row.push(Reply::text(slow.peer.clone()));
                row.push(Reply::bulk(&slow.name));
            }
            Reply::Array(row)
        })
        .collect();
    Ok(Reply::Array(rows))
}

fn latency_doctor(call: &mut Call<'_>) -> Answer {
    let text = if call.state.setting_number("latency-monitor-threshold") == 0 {
        "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG \
         SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission \
         I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n"
    } else {
        "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest bit. I \
         honestly think you ought to sit down calmly, take a stress pill, and think things over.\n"
    };
    Ok(Reply::Verbatim("txt", text.as_bytes().to_vec()))
}

fn histogram(call: &mut Call<'_>) -> Answer {
    let now = call.state.host.clock.micros();
    let wanted: Vec<String> = (2..call.len()).map(|at| call.word(at)).collect();
    let rows = call
        .state
        .stats
        .commands_now(now)
        .into_iter()
        .filter(|(name, stats)| {
            stats.calls > 0
                && (wanted.is_empty()
                    || wanted.iter().any(|word| word == name || name.split('|').next() == Some(word)))
        })
        .map(|(name, stats)| {
            // Cumulated counts at powers of two; around the mean lie most of the calls.
            let mean = (stats.usec / stats.calls.max(1)).max(1).next_power_of_two();
            let buckets = [(mean, stats.calls - stats.calls / 9), (mean * 2, stats.calls)];
            let buckets = buckets
                .into_iter()
                .filter(|(_, calls)| *calls > 0)
                .map(|(usec, calls)| (Reply::Integer(usec as i64), Reply::Integer(calls as i64)))
                .collect();
            let row = Reply::Map(vec![
                (Reply::text("calls"), Reply::Integer(stats.calls as i64)),
                (Reply::text("histogram_usec"), Reply::Map(buckets)),
            ]);
            (Reply::text(name), row)
        })
        .collect();
    Ok(Reply::Map(rows))
}

fn memory_doctor(call: &mut Call<'_>) -> Answer {
    let text = if call.state.used_memory() < 5 * 1024 * 1024 {
        "Hi Sam, this instance is empty or is using very little memory, my issues detector can't be used in these \
         conditions. Please, leave for your mission on Earth and fill it with some data. The new Sam and I will be \
         back to our programming as soon as I finished rebooting.\n"
    } else {
        "Hi Sam, I can't find any memory issue in your instance. I can only account for what occurs on this base.\n"
    };
    Ok(Reply::Verbatim("txt", text.as_bytes().to_vec()))
}

fn malloc_stats(call: &mut Call<'_>) -> Answer {
    let allocator = call.state.persona.platform.allocator;
    let Some(version) = allocator.strip_prefix("jemalloc-") else {
        return Ok(Reply::text("Stats not supported for the current allocator"));
    };
    let (allocated, active, resident) = crate::redis::info::allocator(call);
    let text = format!(
        "___ Begin jemalloc statistics ___\nVersion: \"{version}-0-g0\"\nBuild-time option settings\n  \
         config.cache_oblivious: false\n  config.debug: false\n  config.fill: true\n  config.lazy_lock: false\n  \
         config.malloc_conf: \"\"\n  config.opt_safety_checks: false\n  config.prof: false\n  \
         config.prof_libgcc: false\n  config.prof_libunwind: false\n  config.stats: true\n  config.utrace: false\n  \
         config.xmalloc: false\nAllocated: {allocated}, active: {active}, metadata: {}, resident: {resident}, \
         mapped: {}, retained: {}\n--- End jemalloc statistics ---\n",
        allocated * 2,
        resident + 2_744_320,
        active / 2 * 4096 / 4096,
    );
    Ok(Reply::Verbatim("txt", text.into_bytes()))
}

fn memory_stats(call: &mut Call<'_>) -> Answer {
    let facts = crate::redis::info::memory_facts(call);
    let seven = call.since(7, 0);
    let integer = |name: &'static str, value: u64| (Reply::text(name), Reply::Integer(value as i64));
    let double = |name: &'static str, value: f64| (Reply::text(name), Reply::Double(value));
    let mut rows = vec![
        integer("peak.allocated", facts.peak),
        integer("total.allocated", facts.used),
        integer("startup.allocated", facts.startup),
        integer("replication.backlog", facts.backlog),
        integer("clients.slaves", 0),
        integer("clients.normal", facts.clients),
    ];
    if seven {
        rows.push(integer("cluster.links", 0));
    }
    rows.push(integer("aof.buffer", 0));
    rows.push(integer("lua.caches", facts.scripts));
    if seven {
        rows.push(integer("functions.caches", 200));
    }
    for (number, database) in call.state.databases.iter().enumerate() {
        if database.len() > 0 {
            let main = database.len() as i64 * 40 + database.keys().slots() as i64 * 8;
            let mut inner = vec![
                (Reply::text("overhead.hashtable.main"), Reply::Integer(main)),
                (Reply::text("overhead.hashtable.expires"), Reply::Integer(database.expiring() as i64 * 32)),
            ];
            if seven {
                inner.push((Reply::text("overhead.hashtable.slot-to-keys"), Reply::Integer(0)));
            }
            rows.push((Reply::text(format!("db.{number}")), Reply::Map(inner)));
        }
    }
    let keys = call.state.objects() as u64;
    rows.extend([
        integer("overhead.total", facts.overhead),
        integer("keys.count", keys),
        integer("keys.bytes-per-key", (facts.used - facts.startup).checked_div(keys).unwrap_or(0)),
        integer("dataset.bytes", facts.dataset),
        double(
            "dataset.percentage",
            facts.dataset as f64 * 100.0 / (facts.used - facts.startup).max(1) as f64,
        ),
        double("peak.percentage", facts.used as f64 * 100.0 / facts.peak.max(1) as f64),
        integer("allocator.allocated", facts.allocated),
        integer("allocator.active", facts.active),
        integer("allocator.resident", facts.resident),
        double("allocator-fragmentation.ratio", facts.active as f64 / facts.allocated.max(1) as f64),
        integer("allocator-fragmentation.bytes", facts.active.saturating_sub(facts.allocated)),
        double("allocator-rss.ratio", facts.resident as f64 / facts.active.max(1) as f64),
        integer("allocator-rss.bytes", facts.resident.saturating_sub(facts.active)),
        double("rss-overhead.ratio", facts.rss as f64 / facts.resident.max(1) as f64),
        integer("rss-overhead.bytes", facts.rss.saturating_sub(facts.resident)),
        double("fragmentation", facts.rss as f64 / facts.used.max(1) as f64),
        integer("fragmentation.bytes", facts.rss.saturating_sub(facts.used)),
    ]);
    Ok(Reply::Map(rows))
}

fn memory_usage(call: &mut Call<'_>) -> Answer {
    match call.len() {
        3 => {}
        5 if call.is(3, "samples") => {
            if call.integer(4)? < 0 {
                return Err(SYNTAX.into());
            }
        }
        _ => return Err(SYNTAX.into()),
    }
    let key = call.arg(2).to_vec();
    call.expire_if_due(&key);
    let rules = call.state.encoding();
    let Some(entry) = call.db().get(&key) else { return Ok(Reply::Null) };
    // An sds has a header of 1, 3 or 5 bytes and a terminator, rounded to jemalloc's classes.
    let class = |bytes: usize| -> usize {
        match bytes {
            0..=8 => 8,
            9..=128 => bytes.div_ceil(16) * 16,
            129..=256 => bytes.div_ceil(32) * 32,
            257..=512 => bytes.div_ceil(64) * 64,
            513..=1024 => bytes.div_ceil(128) * 128,
            _ => bytes.div_ceil(bytes.next_power_of_two() / 8) * (bytes.next_power_of_two() / 8),
        }
    };
    let sds = |bytes: usize| {
        class(
            bytes
                + 1
                + if bytes < 32 {
                    1
                } else if bytes < 256 {
                    3
                } else {
                    5
                },
        )
    };
    let value = &entry.value;
    let content = match (value.shape(), value.encoding(rules)) {
        (Shape::String, "int") => 0,
        (Shape::String, "embstr") => class(16 + 3 + value.len() + 1) - 16,
        (Shape::String, _) => sds(value.len()),
        (Shape::List, _) => 40 + 32 + class(value.weight().saturating_sub(14 * value.len()) + 7),
        (_, "listpack" | "ziplist") => class(value.weight() / 2 + 7),
        (_, "intset") => class(8 + value.len() * 2),
        _ => value.weight() + 64,
    };
    // The table's entry is 24 bytes in every release.
    Ok(Reply::Integer((16 + content + sds(key.len()) + 24) as i64))
}

/// The modules as MODULE LIST and HELLO show them.
pub(crate) fn module_rows(call: &Call<'_>) -> Vec<Reply> {
    let seven = call.since(7, 0);
    call.state
        .persona
        .modules
        .iter()
        .map(|(name, version)| {
            let mut row = vec![
                (Reply::text("name"), Reply::text(name.clone())),
                (Reply::text("ver"), Reply::Integer(*version)),
            ];
            if seven {
                row.push((Reply::text("path"), Reply::text(format!("/usr/lib/redis/modules/{name}.so"))));
                row.push((Reply::text("args"), Reply::Array(Vec::new())));
            }
            Reply::Map(row)
        })
        .collect()
}

fn module_load(call: &mut Call<'_>) -> Answer {
    let path = String::from_utf8_lossy(call.arg(2)).into_owned();
    call.state.note(Body::ExploitAttempt { name: "redis.module_load".to_owned(), confidence: 95 });
    call.state.note(Body::FileDownload {
        name: Some(path),
        url: None,
        direction: Direction::Requested,
        size: None,
        bait: None,
    });
    Err("ERR Error loading the extension. Please check the server logs.".into())
}

fn module_unload(call: &mut Call<'_>) -> Answer {
    let name = String::from_utf8_lossy(call.arg(2)).into_owned();
    let known = call.state.persona.modules.iter().any(|(module, _)| *module == name);
    let why = if known {
        "the module exports one or more module-side data types, can't unload"
    } else {
        "no such module with that name"
    };
    Err(format!("ERR Error unloading module: {why}").into())
}

fn debug(call: &mut Call<'_>) -> Answer {
    match call.word(1).as_str() {
        "help" => {
            let title = "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".to_owned();
            let mut lines = vec![title];
            lines.extend(tables::help("debug").into_iter().map(str::to_owned));
            lines.extend(["HELP".to_owned(), "    Prints this help.".to_owned()]);
            Ok(Reply::Array(lines.into_iter().map(|line| Reply::Simple(line.into())).collect()))
        }
        "sleep" if call.len() == 3 => {
            let seconds = call.float(2)?;
            call.state.note(Body::StateChanged {
                object: "server".to_owned(),
                old: None,
                new: format!("sleeps {seconds} s"),
            });
            // The product stands still for everybody; ours for the one who asked, and not for long.
            let nested = call.nested;
            if nested {
                return Ok(Reply::OK);
            }
            call.block(Vec::new(), Some(seconds.clamp(0.001, 60.0)), Reply::OK)
        }
        "jmap" | "segfault" | "panic" | "assert" | "oom" | "restart" | "crash-and-recover" => {
            let text = call.word(1);
            call.state.note(Body::ExploitAttempt { name: format!("redis.debug.{text}"), confidence: 70 });
            let away = call.state.host.entropy.between(1_000_000, 3_000_000) as i64;
            call.state.away_until = Some(call.state.host.clock.micros() + away);
            call.client().close = Close::Now;
            call.state.close_all();
            Ok(Reply::nothing())
        }
        "object" if call.len() >= 3 => {
            let key = call.arg(2).to_vec();
            let (release, rules, now) = (call.release(), call.state.encoding(), call.now / 1000);
            call.expire_if_due(&key);
            let seed = call
                .state
                .host
                .identity()
                .draw(&["redis", "address", &String::from_utf8_lossy(&key)])
                .number();
            let Some(entry) = call.db().get(&key) else { return Err("ERR no such key".into()) };
            let length = rdb::dump(&entry.value, release, rules).len() - 11;
            Ok(Reply::Simple(
                format!(
                    "Value at:0x7f{:010x} refcount:1 encoding:{} serializedlength:{length} lru:{} lru_seconds_idle:{}",
                    seed & 0xff_ffff_fff0,
                    entry.value.encoding(rules),
                    entry.used & 0xff_ffff,
                    now - entry.used,
                )
                .into(),
            ))
        }
        "set-active-expire"
        | "quicklist-packed-threshold"
        | "stringmatch-len"
        | "set-disable-deny-scripts"
        | "change-repl-id"
        | "jemalloc"
        | "replybuffer"
        | "reload"
        | "loadaof"
        | "flushall" => Ok(Reply::OK),
        "digest" => {
            let text = call.state.objects().to_string();
            Ok(Reply::Simple(
                if text == "0" {
                    "0".repeat(40)
                } else {
                    super::sha1_hex(format!("{}{}", call.state.run_id, call.state.dirty).as_bytes())
                }
                .into(),
            ))
        }
        "populate" => {
            call.state.note(Body::HoneypotTest { rule: "redis.debug_populate".to_owned() });
            Ok(Reply::OK)
        }
        "log" if call.len() == 3 => Ok(Reply::OK),
        "error" if call.len() == 3 => Err(Fault(call.arg(2).to_vec())),
        "protocol" if call.len() == 3 => Ok(match call.word(2).as_str() {
            "string" => Reply::text("Hello World"),
            "integer" => Reply::Integer(12_345),
            "double" => Reply::Double(f64::from(3141) / 1000.0),
            "null" => Reply::Null,
            "array" => Reply::Array((0..3).map(Reply::Integer).collect()),
            "set" => Reply::Set((0..3).map(Reply::Integer).collect()),
            "map" => Reply::Map((0..3).map(|i| (Reply::Integer(i), Reply::Bool(i == 1))).collect()),
            "true" => Reply::Bool(true),
            "false" => Reply::Bool(false),
            "verbatim" => Reply::Verbatim("txt", b"This is a verbatim\nstring".to_vec()),
            _ => {
                return Err("ERR Wrong protocol type name. Please use one of the following: \
                            string|integer|double|null|array|set|map|attrib|push|verbatim|true|false"
                    .into());
            }
        }),
        _ => {
            let shown: Vec<u8> = call.arg(1).iter().take(128).copied().collect();
            Err(if call.since(7, 0) {
                Fault::quoting(
                    "ERR unknown subcommand or wrong number of arguments for '",
                    &shown,
                    "'. Try DEBUG HELP.",
                )
            } else {
                super::unknown_subcommand(call)
            })
        }
    }
}

/// LOLWUT of release 5 and later: its last line names the release. The drawing of release 5, "Schotter",
/// is a pure matter of squares on a canvas of Braille dots, drawn on request.
fn lolwut(call: &mut Call<'_>) -> Answer {
    let version = call.state.persona.version.clone();
    let mut at = 1;
    let mut wanted = None;
    if call.is(1, "version") && call.len() > 2 {
        wanted = Some(call.integer(2)?);
        at = 3;
    }
    let release = call.release();
    let five = wanted == Some(5) || (wanted.is_none() && !release.since(6, 0));
    if !five {
        return Ok(Reply::Verbatim("txt", format!("Redis ver. {version}\n").into_bytes()));
    }
    let size = |at: usize, default: i64, high: i64| -> Result<usize, Fault> {
        let value = if call.len() > at { call.integer(at)? } else { default };
        Ok(value.clamp(1, high) as usize)
    };
    let (columns, per_row, per_column) = (size(at, 66, 1000)?, size(at + 1, 8, 200)?, size(at + 2, 12, 200)?);
    let canvas = schotter(call, columns, per_row, per_column);
    let text = format!("{canvas}\nGeorg Nees - schotter, plotter on paper, 1968. Redis ver. {version}\n");
    Ok(Reply::Verbatim("txt", text.into_bytes()))
}

/// Cells of the canvas.
const CANVAS_BOUND: usize = 4_000_000;

fn schotter(call: &Call<'_>, columns: usize, per_row: usize, per_column: usize) -> String {
    let width = columns * 2;
    let padding = if width > 4 { 2 } else { 0 };
    let side = (width - padding * 2) as f64 / per_row as f64;
    let height = (side * per_column as f64) as usize + padding * 2;
    if width.saturating_mul(height) > CANVAS_BOUND {
        return String::new();
    }
    let mut dots = vec![false; width * height];
    let random = || call.state.host.entropy.between(0, 1_000_000) as f64 / 1_000_000.0;
    for y in 0..per_column {
        for x in 0..per_row {
            let mut center = (
                x as f64 * side + side / 2.0 + padding as f64,
                y as f64 * side + side / 2.0 + padding as f64,
            );
            let mut angle = 0.0;
            if y > 1 {
                let strength = y as f64 / per_column as f64;
                let sign = |value: f64| if random() < 0.5 { -value } else { value };
                angle = sign(random() * strength);
                center.0 += sign(random() * strength * side / 3.0);
                center.1 += sign(random() * strength * side / 3.0);
            }
            square(&mut dots, width, height, center, side, angle);
        }
    }
    let mut text = String::new();
    for row in (0..height).step_by(4) {
        for column in (0..width).step_by(2) {
            let dot = |x: usize, y: usize| {
                column + x < width
                    && row + y < height
                    && dots.get((row + y) * width + column + x) == Some(&true)
            };
            let order = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
            let bits =
                order.iter().enumerate().fold(0u32, |bits, (i, (x, y))| bits | u32::from(dot(*x, *y)) << i);
            text.push(char::from_u32(0x2800 + bits).unwrap_or(' '));
        }
        text.push('\n');
    }
    text
}

fn square(dots: &mut [bool], width: usize, height: usize, center: (f64, f64), side: f64, angle: f64) {
    let radius = side / std::f64::consts::SQRT_2;
    let corner = |i: usize| {
        let turn = std::f64::consts::FRAC_PI_4 + angle + std::f64::consts::FRAC_PI_2 * i as f64;
        ((turn.sin() * radius + center.0).round(), (turn.cos() * radius + center.1).round())
    };
    for i in 0..4 {
        let (from, to) = (corner(i), corner(i + 1));
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1.0) as usize;
        for step in 0..=steps {
            let part = step as f64 / steps as f64;
            let x = (from.0 + (to.0 - from.0) * part).round();
            let y = (from.1 + (to.1 - from.1) * part).round();
            if x >= 0.0
                && y >= 0.0
                && (x as usize) < width
                && (y as usize) < height
                && let Some(dot) = dots.get_mut(y as usize * width + x as usize)
            {
                *dot = true;
            }
        }
    }
}

//! MEMORY.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, SYNTAX};
use crate::redis::store::Shape;

pub(super) const HANDLERS: super::Group = &[
    ("memory|doctor", memory_doctor),
    ("memory|malloc-stats", malloc_stats),
    ("memory|purge", |_| Ok(Reply::OK)),
    ("memory|stats", memory_stats),
    ("memory|usage", memory_usage),
];

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

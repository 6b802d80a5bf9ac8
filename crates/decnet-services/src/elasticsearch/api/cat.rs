//! `_cat`: the tables for people.

use super::cluster::{Machine, disk, health_of, health_word, roles};
use super::{Answer, Call, Outcome};
use crate::elasticsearch::codec::table::{Column, Table, bytes, left, right};

fn some(text: impl ToString) -> Option<String> {
    Some(text.to_string())
}

fn table(columns: &[Column], rows: Vec<Vec<Option<String>>>) -> Outcome {
    Ok(Answer::Table(Table { columns: columns.to_vec(), rows }))
}

fn clock(seconds: i64) -> String {
    let day = seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", day / 3600, day / 60 % 60, day % 60)
}

/// `_cat`.
pub(super) fn help(call: &mut Call<'_>) -> Outcome {
    let mut paths = vec![
        "/_cat/allocation",
        "/_cat/shards",
        "/_cat/shards/{index}",
        "/_cat/master",
        "/_cat/nodes",
        "/_cat/tasks",
        "/_cat/indices",
        "/_cat/indices/{index}",
        "/_cat/segments",
        "/_cat/segments/{index}",
        "/_cat/count",
        "/_cat/count/{index}",
        "/_cat/recovery",
        "/_cat/recovery/{index}",
        "/_cat/health",
        "/_cat/pending_tasks",
        "/_cat/aliases",
        "/_cat/aliases/{alias}",
        "/_cat/thread_pool",
        "/_cat/thread_pool/{thread_pools}",
        "/_cat/plugins",
        "/_cat/fielddata",
        "/_cat/fielddata/{fields}",
        "/_cat/nodeattrs",
        "/_cat/repositories",
        "/_cat/snapshots/{repository}",
        "/_cat/templates",
    ];
    if call.persona().number.0 >= 8 {
        paths.push("/_cat/component_templates/_all");
    }
    Ok(Answer::Text(format!("=^.^=\n{}\n", paths.join("\n"))))
}

/// `_cat/indices`.
pub(super) fn indices(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let unit = call.parameter("bytes").map(str::to_owned);
    let size = |count: u64| match unit.as_deref() {
        Some("b") => count.to_string(),
        Some("k" | "kb") => (count >> 10).to_string(),
        Some("m" | "mb") => (count >> 20).to_string(),
        Some("g" | "gb") => (count >> 30).to_string(),
        _ => bytes(count),
    };
    let mut columns = vec![
        left("health", &["h"], "current health status"),
        left("status", &["s"], "open/close status"),
        left("index", &["i", "idx"], "index name"),
        left("uuid", &["id", "uuid"], "index uuid"),
        right("pri", &["p", "shards.primary", "shardsPrimary"], "number of primary shards"),
        right("rep", &["r", "shards.replica", "shardsReplica"], "number of replica shards"),
        right("docs.count", &["dc", "docsCount"], "available docs"),
        right("docs.deleted", &["dd", "docsDeleted"], "deleted docs"),
        left("creation.date", &["cd"], "index creation date (millisecond value)").hidden(),
        left("creation.date.string", &["cds"], "index creation date (as string)").hidden(),
        right("store.size", &["ss", "storeSize"], "store size of primaries & replicas"),
        right("pri.store.size", &[], "store size of primaries"),
    ];
    let dataset = call.persona().since(8, 11);
    if dataset {
        columns.push(right("dataset.size", &[], "total size of dataset"));
    }
    let only = call.parameter("health").map(str::to_owned);
    let rows = names
        .iter()
        .filter_map(|name| call.cluster.indices.get(name))
        .filter(|index| only.as_deref().is_none_or(|only| only == health_word(index.replicas)))
        .map(|index| {
            let mut row = vec![
                some(health_word(index.replicas)),
                some(if index.open { "open" } else { "close" }),
                some(&index.name),
                some(&index.uuid),
                some(index.shards),
                some(index.replicas),
                index.open.then(|| index.count().to_string()),
                index.open.then(|| index.deleted.to_string()),
                some(index.created),
                some(crate::elasticsearch::query::iso(index.created)),
                index.open.then(|| size(index.bytes())),
                index.open.then(|| size(index.bytes())),
            ];
            if dataset {
                row.push(index.open.then(|| size(index.bytes())));
            }
            row
        })
        .collect();
    table(&columns, rows)
}

/// `_cat/health`.
pub(super) fn health(call: &mut Call<'_>) -> Outcome {
    let health = health_of(call);
    let seconds = call.now / 1000;
    let row = vec![
        some(seconds),
        some(clock(seconds)),
        some(&call.persona().cluster),
        some(health.status),
        some(1),
        some(1),
        some(health.active),
        some(health.active),
        some(0),
        some(0),
        some(health.unassigned),
        some(0),
        some("-"),
        some(format!("{:.1}%", health.percent)),
    ];
    table(
        &[
            left("epoch", &["t", "time"], "seconds since 1970-01-01 00:00:00"),
            left("timestamp", &["ts", "hms", "hhmmss"], "time in HH:MM:SS"),
            left("cluster", &["cl"], "cluster name"),
            left("status", &["st"], "health status"),
            right("node.total", &["nt", "nodeTotal"], "total number of nodes"),
            right("node.data", &["nd", "nodeData"], "number of nodes that can store data"),
            right("shards", &["t", "sh", "shards.total", "shardsTotal"], "total number of shards"),
            right("pri", &["p", "shards.primary", "shardsPrimary"], "number of primary shards"),
            right("relo", &["r", "shards.relocating", "shardsRelocating"], "number of relocating nodes"),
            right(
                "init",
                &["i", "shards.initializing", "shardsInitializing"],
                "number of initializing nodes",
            ),
            right("unassign", &["u", "shards.unassigned", "shardsUnassigned"], "number of unassigned shards"),
            right("pending_tasks", &["pt", "pendingTasks"], "number of pending tasks"),
            right("max_task_wait_time", &["mtwt", "maxTaskWaitTime"], "wait time of longest task pending"),
            right(
                "active_shards_percent",
                &["asp", "activeShardsPercent"],
                "active number of shards in percent",
            ),
        ],
        vec![row],
    )
}

/// `_cat/nodes`.
pub(super) fn nodes(call: &mut Call<'_>) -> Outcome {
    let machine = Machine::of(call);
    let persona = call.persona();
    let load = |at: usize| some(format!("{:.2}", machine.load[at]));
    let (used, free, total, percent) = disk(&machine);
    let row = vec![
        some(call.node.host.decky.address),
        some(machine.heap_percent),
        some(machine.memory_percent),
        some(machine.cpu),
        load(0),
        load(1),
        load(2),
        some(roles(call).0),
        some("*"),
        some(&persona.node),
        some(&persona.node_id[..4]),
        some(&persona.version),
        some(bytes(machine.heap)),
        some(bytes(machine.memory)),
        some(total),
        some(used),
        some(free),
        some(percent),
        some(machine.pid),
        some(9300),
        some(persona.java),
    ];
    table(
        &[
            left("ip", &["i"], "ip address"),
            right("heap.percent", &["hp", "heapPercent"], "used heap ratio"),
            right("ram.percent", &["rp", "ramPercent"], "used machine memory ratio"),
            right("cpu", &["cpu"], "recent cpu usage"),
            right("load_1m", &["l"], "1m load avg"),
            right("load_5m", &["l"], "5m load avg"),
            right("load_15m", &["l"], "15m load avg"),
            left(
                "node.role",
                &["r", "role", "nodeRole"],
                "m:master eligible node, d:data node, i:ingest node, -:coordinating node only",
            ),
            left("master", &["m"], "*:current master"),
            left("name", &["n"], "node name"),
            left("id", &["nodeId"], "unique node id").hidden(),
            left("version", &["v"], "es version").hidden(),
            right("heap.max", &["hm", "heapMax"], "max configured heap").hidden(),
            right("ram.max", &["rm", "ramMax"], "total machine memory").hidden(),
            right("disk.total", &["dt", "diskTotal"], "total disk space").hidden(),
            right("disk.used", &["du", "diskUsed"], "used disk space").hidden(),
            right("disk.avail", &["d", "da", "disk", "diskAvail"], "available disk space").hidden(),
            right("disk.used_percent", &["dup", "diskUsedPercent"], "used disk space percentage").hidden(),
            left("pid", &["p"], "process id").hidden(),
            left("port", &["po"], "bound transport port").hidden(),
            left("jdk", &["j"], "jdk version").hidden(),
        ],
        vec![row],
    )
}

/// `_cat/master`.
pub(super) fn master(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona();
    let address = call.node.host.decky.address;
    table(
        &[
            left("id", &[], "node id"),
            left("host", &["h"], "host name"),
            left("ip", &[], "ip address "),
            left("node", &["n"], "node name"),
        ],
        vec![vec![some(&persona.node_id), some(address), some(address), some(&persona.node)]],
    )
}

/// `_cat/shards`.
pub(super) fn shards(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let mut rows = Vec::new();
    for index in names.iter().filter_map(|name| call.cluster.indices.get(name)) {
        for number in 0..index.shards {
            let (share, rest) = (index.count() / index.shards, index.count() % index.shards);
            let docs = share + u64::from(number < rest);
            rows.push(vec![
                some(&index.name),
                some(number),
                some("p"),
                some("STARTED"),
                some(docs),
                some(bytes(index.bytes() / index.shards)),
                some(call.node.host.decky.address),
                some(&call.persona().node),
            ]);
            for _ in 0..index.replicas.min(5) {
                rows.push(vec![
                    some(&index.name),
                    some(number),
                    some("r"),
                    some("UNASSIGNED"),
                    None,
                    None,
                    None,
                    None,
                ]);
            }
        }
    }
    table(
        &[
            left("index", &["i", "idx"], "index name"),
            left("shard", &["s", "sh"], "shard name"),
            left("prirep", &["p", "pr", "primaryOrReplica"], "primary or replica"),
            left("state", &["st"], "shard state"),
            right("docs", &["d", "dc"], "number of docs in shard"),
            right("store", &["sto"], "store size of shard (how much disk it uses)"),
            left("ip", &[], "ip of node where it lives"),
            left("node", &["n"], "name of node where it lives"),
        ],
        rows,
    )
}

/// `_cat/allocation`.
pub(super) fn allocation(call: &mut Call<'_>) -> Outcome {
    let machine = Machine::of(call);
    let health = health_of(call);
    let (used, free, total, percent) = disk(&machine);
    let address = call.node.host.decky.address;
    let mut rows = vec![vec![
        some(health.active),
        some(bytes(call.cluster.totals().2)),
        some(used),
        some(free),
        some(total),
        some(percent),
        some(address),
        some(address),
        some(&call.persona().node),
    ]];
    if health.unassigned > 0 {
        rows.push(vec![
            some(health.unassigned),
            None,
            None,
            None,
            None,
            None,
            None,
            None,
            some("UNASSIGNED"),
        ]);
    }
    table(
        &[
            right("shards", &["s"], "number of shards on node"),
            right("disk.indices", &["di", "diskIndices"], "disk used by ES indices"),
            right("disk.used", &["du", "diskUsed"], "disk used (total, not just ES)"),
            right("disk.avail", &["da", "diskAvail"], "disk available"),
            right("disk.total", &["dt", "diskTotal"], "total capacity of all volumes"),
            right("disk.percent", &["dp", "diskPercent"], "percent disk used"),
            left("host", &["h"], "host of node"),
            left("ip", &[], "ip of node"),
            left("node", &["n"], "name of node"),
        ],
        rows,
    )
}

/// `_cat/count`.
pub(super) fn count(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let docs: u64 =
        names.iter().filter_map(|name| call.cluster.indices.get(name)).map(|index| index.count()).sum();
    let seconds = call.now / 1000;
    table(
        &[
            left("epoch", &["t", "time"], "seconds since 1970-01-01 00:00:00"),
            left("timestamp", &["ts", "hms", "hhmmss"], "time in HH:MM:SS"),
            left("count", &["dc", "docs.count", "docsCount"], "the document count"),
        ],
        vec![vec![some(seconds), some(clock(seconds)), some(docs)]],
    )
}

/// `_cat/aliases`.
pub(super) fn aliases(call: &mut Call<'_>) -> Outcome {
    let mut rows = Vec::new();
    for index in call.cluster.indices.values() {
        for alias in index.aliases.keys() {
            rows.push(vec![some(alias), some(&index.name), some("-"), some("-"), some("-"), some("-")]);
        }
    }
    table(
        &[
            left("alias", &["a"], "alias name"),
            left("index", &["i", "idx"], "index alias points to"),
            left("filter", &["f", "fi"], "filter"),
            left("routing.index", &["ri", "routingIndex"], "index routing"),
            left("routing.search", &["rs", "routingSearch"], "search routing"),
            left("is_write_index", &["w", "isWriteIndex"], "write index"),
        ],
        rows,
    )
}

/// `_cat/templates`.
pub(super) fn templates(call: &mut Call<'_>) -> Outcome {
    let rows = call
        .cluster
        .named
        .iter()
        .filter(|((kind, _), _)| *kind == "template" || *kind == "index_template")
        .map(|((_, name), value)| {
            let patterns: Vec<String> = value
                .get("index_patterns")
                .map(|list| list.items().iter().filter_map(|item| item.keyword()).collect())
                .unwrap_or_default();
            vec![
                some(name),
                some(format!("[{}]", patterns.join(", "))),
                value.get("order").and_then(|order| order.keyword()).or(some(0)),
                None,
                None,
            ]
        })
        .collect();
    table(
        &[
            left("name", &["n"], "template name"),
            left("index_patterns", &["t"], "template index patterns"),
            left("order", &["o", "p"], "template application order/priority number"),
            left("version", &["v"], "version"),
            left("composed_of", &["c"], "component templates comprising index template"),
        ],
        rows,
    )
}

/// `_cat/thread_pool`.
pub(super) fn thread_pool(call: &mut Call<'_>) -> Outcome {
    let node = call.persona().node.clone();
    let pools = [
        "analyze",
        "fetch_shard_started",
        "fetch_shard_store",
        "flush",
        "force_merge",
        "generic",
        "get",
        "listener",
        "management",
        "refresh",
        "search",
        "search_throttled",
        "snapshot",
        "warmer",
        "write",
    ];
    let rows = pools
        .iter()
        .map(|pool| vec![some(&node), some(pool), some(u8::from(*pool == "management")), some(0), some(0)])
        .collect();
    table(
        &[
            left("node_name", &["nn"], "node name"),
            left("name", &["n"], "thread pool name"),
            right("active", &["a"], "number of active threads"),
            right("queue", &["q"], "number of tasks currently in queue"),
            right("rejected", &["r"], "number of rejected tasks"),
        ],
        rows,
    )
}

/// `_cat/plugins`, `_cat/nodeattrs`, `_cat/fielddata`, `_cat/pending_tasks`: nothing of it.
pub(super) fn empty(_: &mut Call<'_>) -> Outcome {
    table(
        &[
            left("name", &["n"], "name"),
            left("component", &["c"], "component"),
            left("version", &["v"], "version"),
        ],
        Vec::new(),
    )
}

/// `_cat/repositories`.
pub(super) fn repositories(call: &mut Call<'_>) -> Outcome {
    let rows = call
        .cluster
        .named
        .iter()
        .filter(|((kind, _), _)| *kind == "repository")
        .map(|((_, name), value)| vec![some(name), value.get("type").and_then(|kind| kind.keyword())])
        .collect();
    table(
        &[
            left("id", &["id", "repoId"], "unique repository id"),
            left("type", &["t", "type"], "repository type"),
        ],
        rows,
    )
}

/// `_cat/tasks`.
pub(super) fn tasks(call: &mut Call<'_>) -> Outcome {
    let seconds = call.now / 1000;
    let address = call.node.host.decky.address;
    let id = format!("{}:{}", call.persona().node_id, 4000 + call.cluster.requests * 3);
    let row = vec![
        some("cluster:monitor/tasks/lists"),
        some(id),
        some("-"),
        some("transport"),
        some(call.now),
        some(clock(seconds)),
        some("312micros"),
        some(address),
        some(&call.persona().node),
    ];
    table(
        &[
            left("action", &["ac"], "task action"),
            left("task_id", &["ti"], "unique task id"),
            left("parent_task_id", &["pti"], "parent task id"),
            left("type", &["ty"], "task type"),
            left("start_time", &["start"], "start time in ms"),
            left("timestamp", &["ts", "hms", "hhmmss"], "start time in HH:MM:SS"),
            left("running_time", &["time"], "running time"),
            left("ip", &["i"], "ip address"),
            left("node", &["n"], "node name"),
        ],
        vec![row],
    )
}

/// `_cat/segments`.
pub(super) fn segments(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let address = call.node.host.decky.address;
    let rows = names
        .iter()
        .filter_map(|name| call.cluster.indices.get(name))
        .filter(|index| index.count() > 0)
        .map(|index| {
            vec![
                some(&index.name),
                some(0),
                some("p"),
                some(address),
                some("_0"),
                some(0),
                some(index.count()),
                some(index.deleted),
                some(bytes(index.bytes())),
                some(0),
                some("true"),
                some("true"),
                some(call.persona().lucene),
                some("true"),
            ]
        })
        .collect();
    table(
        &[
            left("index", &["i", "idx"], "index name"),
            left("shard", &["s", "sh"], "shard name"),
            left("prirep", &["p", "pr", "primaryOrReplica"], "primary or replica"),
            left("ip", &[], "ip of node where it lives"),
            left("segment", &["seg"], "segment name"),
            right("generation", &["g", "gen"], "segment generation"),
            right("docs.count", &["dc", "docsCount"], "number of docs in segment"),
            right("docs.deleted", &["dd", "docsDeleted"], "number of deleted docs in segment"),
            right("size", &["si"], "segment size in bytes"),
            right("size.memory", &["sm", "sizeMemory"], "segment memory in bytes"),
            left("committed", &["ic", "isCommitted"], "is segment committed"),
            left("searchable", &["is", "isSearchable"], "is segment searched"),
            left("version", &["v", "ver"], "version"),
            left("compound", &["ico", "isCompound"], "is segment compound"),
        ],
        rows,
    )
}

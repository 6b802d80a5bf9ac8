//! `_cluster/*` and `_nodes*`: one node, and figures that agree with `_cat` and `_stats`.

use super::{Answer, Call, Outcome};
use crate::elasticsearch::codec::json::{Json, object};
use crate::elasticsearch::codec::table::bytes;
use crate::elasticsearch::error::EsError;
use crate::elasticsearch::query::iso;
use crate::elasticsearch::store::flatten;
use decnet_core::identity::OsFamily;

/// What the machine has, drawn once.
pub(super) struct Machine {
    pub(super) memory: u64,
    pub(super) heap: u64,
    pub(super) disk: u64,
    pub(super) disk_used: u64,
    pub(super) processors: u64,
    pub(super) pid: u64,
    /// Seconds since the node started.
    pub(super) uptime: i64,
    /// Now, each between 0 and 100.
    pub(super) heap_percent: u64,
    pub(super) memory_percent: u64,
    pub(super) cpu: u64,
    pub(super) load: [f32; 3],
}

impl Machine {
    pub(super) fn of(call: &Call<'_>) -> Machine {
        let mut draw = call.node.host.identity().draw(&["elasticsearch", "machine"]);
        let gib = 1u64 << 30;
        let memory = *draw.pick(&[8, 16, 32]).unwrap_or(&16) * gib - draw.between(180, 420) * (1 << 20);
        let processors = *draw.pick(&[2, 4, 8]).unwrap_or(&4);
        let disk = *draw.pick(&[49, 98, 196, 491]).unwrap_or(&98) * gib + draw.below(gib);
        let disk_used = disk / 100 * draw.between(11, 46) + call.cluster.totals().2;
        let heap =
            if call.persona().number.0 < 7 || memory < 6 * gib { gib } else { (memory / 2 / gib) * gib };
        let pid = draw.between(612, 1900);
        let late = draw.between(14, 60) as i64;
        // The figures move with the time and stay the same within some seconds.
        let moment = (call.now / 7000).to_string();
        let mut drift = call.node.host.identity().draw(&["elasticsearch", "load", &moment]);
        let load = drift.between(1, 90) as f32 / 100.0;
        Machine {
            memory,
            heap,
            disk,
            disk_used,
            processors,
            pid,
            uptime: (call.node.host.uptime() - late).max(40),
            heap_percent: drift.between(18, 68),
            memory_percent: drift.between(71, 97),
            cpu: drift.between(0, 9),
            load: [load, (load + 0.14) * 0.8, 0.11 + load / 3.0],
        }
    }
}

/// The roles of a node, by release.
pub(super) fn roles(call: &Call<'_>) -> (&'static str, Vec<&'static str>) {
    let all = vec![
        "data",
        "data_cold",
        "data_content",
        "data_frozen",
        "data_hot",
        "data_warm",
        "ingest",
        "master",
        "ml",
        "remote_cluster_client",
        "transform",
    ];
    match call.persona().number {
        (0..=6, ..) => ("mdi", vec!["master", "data", "ingest"]),
        _ => ("cdfhilmrstw", all),
    }
}

pub(super) fn health_word(replicas: u64) -> &'static str {
    if replicas > 0 { "yellow" } else { "green" }
}

/// What hides behind `_cluster/health`.
pub(super) struct Health {
    pub(super) status: &'static str,
    pub(super) active: u64,
    pub(super) unassigned: u64,
    pub(super) percent: f64,
}

pub(super) fn health_of(call: &Call<'_>) -> Health {
    let (active, unassigned) = call.cluster.shards();
    let percent =
        if active + unassigned == 0 { 100.0 } else { active as f64 * 100.0 / (active + unassigned) as f64 };
    Health { status: health_word(unassigned), active, unassigned, percent }
}

/// `_cluster/health`.
pub(super) fn health(call: &mut Call<'_>) -> Outcome {
    if let Some(name) = call.name("index").map(str::to_owned) {
        call.cluster.resolve(&name, call.lookup())?;
    }
    let health = health_of(call);
    Ok(Answer::Json(
        200,
        object! {
            "cluster_name" => &call.persona().cluster,
            "status" => health.status,
            "timed_out" => false,
            "number_of_nodes" => 1,
            "number_of_data_nodes" => 1,
            "active_primary_shards" => health.active,
            "active_shards" => health.active,
            "relocating_shards" => 0,
            "initializing_shards" => 0,
            "unassigned_shards" => health.unassigned,
            "delayed_unassigned_shards" => 0,
            "number_of_pending_tasks" => 0,
            "number_of_in_flight_fetch" => 0,
            "task_max_waiting_in_queue_millis" => 0,
            "active_shards_percent_as_number" => health.percent,
        },
    ))
}

fn transport(call: &Call<'_>, port: u16) -> String {
    format!("{}:{port}", call.node.host.decky.address)
}

/// `_cluster/state`.
pub(super) fn state(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona().clone();
    let mut nodes = Json::empty();
    nodes.set(
        &persona.node_id,
        object! {
            "name" => &persona.node,
            "ephemeral_id" => &persona.ephemeral_id,
            "transport_address" => transport(call, 9300),
            "attributes" => Json::empty(),
            "roles" => roles(call).1.into_iter().map(Json::from).collect::<Vec<_>>(),
        },
    );
    let (mut indices, mut table) = (Json::empty(), Json::empty());
    for index in call.cluster.indices.values() {
        indices.set(&index.name, object! {
            "state" => if index.open { "open" } else { "close" },
            "settings" => object! { "index" => object! {
                "number_of_shards" => index.shards.to_string(), "number_of_replicas" => index.replicas.to_string(),
                "uuid" => &index.uuid, "creation_date" => index.created.to_string(), "provided_name" => &index.name,
            } },
            "mappings" => object! { "_doc" => index.mapping.clone() },
            "aliases" => index.aliases.keys().map(Json::from).collect::<Vec<_>>(),
            "primary_terms" => object! { "0" => 1 },
            "in_sync_allocations" => object! { "0" => Vec::new() },
        });
        let mut shards = Json::empty();
        for number in 0..index.shards {
            shards.set(&number.to_string(), vec![object! {
                "state" => "STARTED", "primary" => true, "node" => &persona.node_id, "relocating_node" => Json::Null,
                "shard" => number, "index" => &index.name,
            }]);
        }
        table.set(&index.name, object! { "shards" => shards });
    }
    let mut state_id =
        call.node.host.identity().draw(&["elasticsearch", "state", &call.cluster.version.to_string()]);
    let all = object! {
        "cluster_name" => &persona.cluster,
        "cluster_uuid" => &persona.cluster_uuid,
        "version" => call.cluster.version,
        "state_uuid" => crate::elasticsearch::persona::uuid(state_id.bytes()),
        "master_node" => &persona.node_id,
        "blocks" => Json::empty(),
        "nodes" => nodes,
        "metadata" => object! {
            "cluster_uuid" => &persona.cluster_uuid,
            "cluster_uuid_committed" => true,
            "templates" => Json::empty(),
            "indices" => indices,
        },
        "routing_table" => object! { "indices" => table },
    };
    let Some(wanted) = call.name("metric").filter(|metric| *metric != "_all") else {
        return Ok(Answer::Json(200, all));
    };
    let kept = all
        .members()
        .iter()
        .filter(|(name, _)| {
            matches!(name.as_str(), "cluster_name" | "cluster_uuid")
                || wanted
                    .split(',')
                    .any(|metric| metric == name || metric == "version" && name == "state_uuid")
        })
        .cloned()
        .collect();
    Ok(Answer::Json(200, Json::Map(kept)))
}

fn plugins() -> Json {
    Json::List(Vec::new())
}

fn os_name(call: &Call<'_>) -> (String, String, String) {
    let os = &call.node.host.identity().os;
    let name = if os.family == OsFamily::Windows { os.name.clone() } else { "Linux".to_owned() };
    (name, os.name.clone(), os.kernel.clone())
}

/// `_cluster/stats`.
pub(super) fn stats(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona().clone();
    let machine = Machine::of(call);
    let (docs, deleted, size) = call.cluster.totals();
    let health = health_of(call);
    let count = call.cluster.indices.len();
    let (name, pretty, _) = os_name(call);
    let mean = if count == 0 { 0.0 } else { health.active as f64 / count as f64 };
    Ok(Answer::Json(
        200,
        object! {
            "_nodes" => object! { "total" => 1, "successful" => 1, "failed" => 0 },
            "cluster_name" => &persona.cluster,
            "cluster_uuid" => &persona.cluster_uuid,
            "timestamp" => call.now,
            "status" => health.status,
            "indices" => object! {
                "count" => count,
                "shards" => object! { "total" => health.active, "primaries" => health.active, "replication" => 0.0, "index" => object! {
                    "shards" => object! { "min" => 1, "max" => call.cluster.indices.values().map(|index| index.shards).max(), "avg" => mean },
                } },
                "docs" => object! { "count" => docs, "deleted" => deleted },
                "store" => object! { "size_in_bytes" => size, "reserved_in_bytes" => 0 },
                "fielddata" => object! { "memory_size_in_bytes" => 0, "evictions" => 0 },
                "segments" => object! { "count" => health.active, "memory_in_bytes" => 0 },
            },
            "nodes" => object! {
                "count" => object! { "total" => 1, "data" => 1, "ingest" => 1, "master" => 1, "coordinating_only" => 0 },
                "versions" => vec![Json::from(&persona.version)],
                "os" => object! {
                    "available_processors" => machine.processors,
                    "allocated_processors" => machine.processors,
                    "names" => vec![object! { "name" => name, "count" => 1 }],
                    "pretty_names" => vec![object! { "pretty_name" => pretty, "count" => 1 }],
                    "mem" => object! { "total_in_bytes" => machine.memory, "free_in_bytes" => machine.memory / 100 * (100 - machine.memory_percent), "used_in_bytes" => machine.memory / 100 * machine.memory_percent },
                },
                "process" => object! { "cpu" => object! { "percent" => machine.cpu } },
                "jvm" => object! {
                    "max_uptime_in_millis" => machine.uptime * 1000,
                    "versions" => vec![object! { "version" => persona.java, "vm_name" => "OpenJDK 64-Bit Server VM", "using_bundled_jdk" => persona.number.0 >= 7, "count" => 1 }],
                    "mem" => object! { "heap_used_in_bytes" => machine.heap / 100 * machine.heap_percent, "heap_max_in_bytes" => machine.heap },
                },
                "fs" => object! { "total_in_bytes" => machine.disk, "free_in_bytes" => machine.disk - machine.disk_used, "available_in_bytes" => machine.disk - machine.disk_used },
                "plugins" => plugins(),
                "network_types" => object! { "transport_types" => object! { "netty4" => 1 }, "http_types" => object! { "netty4" => 1 } },
                "packaging_types" => vec![object! { "flavor" => "default", "type" => persona.package, "count" => 1 }],
            },
        },
    ))
}

/// `GET _cluster/settings`.
pub(super) fn settings(call: &mut Call<'_>) -> Outcome {
    let mut out = object! { "persistent" => call.cluster.persistent.0.clone(), "transient" => call.cluster.transient.0.clone() };
    if call.flag("include_defaults") {
        out.set(
            "defaults",
            object! {
                "cluster" => object! { "name" => &call.persona().cluster, "max_shards_per_node" => "1000" },
                "node" => object! { "name" => &call.persona().node },
                "http" => object! { "port" => "9200" },
            },
        );
    }
    Ok(Answer::Json(200, out))
}

/// `PUT _cluster/settings`.
pub(super) fn put_settings(call: &mut Call<'_>) -> Outcome {
    let body = call.need()?;
    let size = body.size();
    call.cluster.room("_cluster", size, 0)?;
    let mut out = object! { "acknowledged" => true };
    let mut any = false;
    for part in ["persistent", "transient"] {
        let given = body.get(part).cloned().unwrap_or_else(Json::empty);
        let mut flat = std::collections::BTreeMap::new();
        flatten(&given, "", &mut flat);
        any |= !flat.is_empty();
        for name in flat.keys() {
            let known = [
                "cluster.",
                "indices.",
                "action.",
                "xpack.",
                "search.",
                "logger.",
                "script.",
                "ingest.",
                "persistent_tasks.",
            ];
            if !known.iter().any(|prefix| name.starts_with(prefix)) {
                return Err(EsError::argument(format!("{part} setting [{name}], not recognized")));
            }
        }
        let store =
            if part == "persistent" { &mut call.cluster.persistent.0 } else { &mut call.cluster.transient.0 };
        let mut nested = Json::empty();
        for (name, value) in &flat {
            nest(&mut nested, name, value.clone());
        }
        store.merge(&nested);
        out.set(part, nested);
    }
    if !any {
        return Err(EsError::validation("no settings to update"));
    }
    call.cluster.added_bytes += size;
    call.changed("cluster settings".into(), None, body.compact().chars().take(2000).collect());
    Ok(Answer::Json(200, out))
}

fn nest(out: &mut Json, name: &str, value: Json) {
    match name.split_once('.') {
        Some((first, rest)) => {
            if !matches!(out.get(first), Some(Json::Map(_))) {
                out.set(first, Json::empty());
            }
            if let Some(inner) = out.get_mut(first) {
                nest(inner, rest, value);
            }
        }
        None => out.set(name, value),
    }
}

/// `_cluster/pending_tasks`.
pub(super) fn pending(_: &mut Call<'_>) -> Outcome {
    Ok(Answer::Json(200, object! { "tasks" => Vec::new() }))
}

fn wrap(call: &Call<'_>, node: Json) -> Outcome {
    let mut nodes = Json::empty();
    nodes.set(&call.persona().node_id, node);
    Ok(Answer::Json(
        200,
        object! {
            "_nodes" => object! { "total" => 1, "successful" => 1, "failed" => 0 },
            "cluster_name" => &call.persona().cluster,
            "nodes" => nodes,
        },
    ))
}

/// `_nodes`.
pub(super) fn nodes(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona().clone();
    let machine = Machine::of(call);
    let (name, pretty, kernel) = os_name(call);
    let address = call.node.host.decky.address.to_string();
    let windows = call.node.host.identity().os.family == OsFamily::Windows;
    let path = if windows {
        object! { "logs" => format!("C:\\elasticsearch-{}\\logs", persona.version), "home" => format!("C:\\elasticsearch-{}", persona.version) }
    } else {
        object! { "data" => vec![Json::from("/var/lib/elasticsearch")], "logs" => "/var/log/elasticsearch", "home" => "/usr/share/elasticsearch" }
    };
    let started = call.now - machine.uptime * 1000;
    let mut node = object! {
        "name" => &persona.node,
        "transport_address" => transport(call, 9300),
        "host" => &address,
        "ip" => &address,
        "version" => &persona.version,
        "build_flavor" => "default",
        "build_type" => persona.package,
        "build_hash" => persona.hash,
        "total_indexing_buffer" => machine.heap / 10,
        "roles" => roles(call).1.into_iter().map(Json::from).collect::<Vec<_>>(),
        "settings" => object! {
            "cluster" => object! { "name" => &persona.cluster },
            "node" => object! { "name" => &persona.node },
            "path" => path,
            "discovery" => object! { "type" => "single-node" },
            "network" => object! { "host" => "0.0.0.0" },
            "client" => object! { "type" => "node" },
            "http" => object! { "type" => "netty4" },
            "transport" => object! { "type" => "netty4" },
        },
        "os" => object! { "refresh_interval_in_millis" => 1000, "name" => name, "pretty_name" => pretty, "arch" => "amd64", "version" => kernel, "available_processors" => machine.processors, "allocated_processors" => machine.processors },
        "process" => object! { "refresh_interval_in_millis" => 1000, "id" => machine.pid, "mlockall" => false },
        "jvm" => object! { "pid" => machine.pid, "version" => persona.java, "vm_name" => "OpenJDK 64-Bit Server VM", "vm_vendor" => if persona.number.0 < 7 { "Debian" } else { "Oracle Corporation" }, "start_time_in_millis" => started, "mem" => object! { "heap_init_in_bytes" => machine.heap, "heap_max_in_bytes" => machine.heap, "direct_max_in_bytes" => machine.heap / 2 } },
        "transport" => object! { "bound_address" => vec![Json::from(transport(call, 9300))], "publish_address" => transport(call, 9300), "profiles" => Json::empty() },
        "http" => object! { "bound_address" => vec![Json::from("0.0.0.0:9200")], "publish_address" => transport(call, 9200), "max_content_length_in_bytes" => 104_857_600 },
        "plugins" => plugins(),
        "modules" => Vec::new(),
        "ingest" => object! { "processors" => ["append", "convert", "date", "drop", "grok", "json", "remove", "rename", "script", "set", "split"].iter().map(|name| object! { "type" => *name }).collect::<Vec<_>>() },
    };
    let known = [
        "settings",
        "os",
        "process",
        "jvm",
        "thread_pool",
        "transport",
        "http",
        "plugins",
        "ingest",
        "modules",
        "indices",
    ];
    if let Some(wanted) = call
        .name("metric")
        .or(call.name("node"))
        .filter(|wanted| wanted.split(',').all(|word| known.contains(&word)))
        && let Json::Map(members) = &mut node
    {
        members.retain(|(name, _)| {
            !known.contains(&name.as_str()) || wanted.split(',').any(|word| word == name)
        });
    }
    wrap(call, node)
}

/// `_nodes/stats`.
pub(super) fn nodes_stats(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona().clone();
    let machine = Machine::of(call);
    let (docs, deleted, size) = call.cluster.totals();
    let address = call.node.host.decky.address.to_string();
    let free = machine.disk - machine.disk_used;
    let heap = machine.heap / 100 * machine.heap_percent;
    let load = object! { "1m" => machine.load[0], "5m" => machine.load[1], "15m" => machine.load[2] };
    let node = object! {
        "timestamp" => call.now,
        "name" => &persona.node,
        "transport_address" => transport(call, 9300),
        "host" => &address,
        "ip" => transport(call, 9300),
        "roles" => roles(call).1.into_iter().map(Json::from).collect::<Vec<_>>(),
        "indices" => object! { "docs" => object! { "count" => docs, "deleted" => deleted }, "store" => object! { "size_in_bytes" => size } },
        "os" => object! { "timestamp" => call.now, "cpu" => object! { "percent" => machine.cpu, "load_average" => load }, "mem" => object! { "total_in_bytes" => machine.memory, "used_percent" => machine.memory_percent, "free_percent" => 100 - machine.memory_percent } },
        "process" => object! { "timestamp" => call.now, "open_file_descriptors" => 380 + docs % 90, "max_file_descriptors" => 65_535, "cpu" => object! { "percent" => machine.cpu } },
        "jvm" => object! { "timestamp" => call.now, "uptime_in_millis" => machine.uptime * 1000, "mem" => object! { "heap_used_in_bytes" => heap, "heap_used_percent" => machine.heap_percent, "heap_committed_in_bytes" => machine.heap, "heap_max_in_bytes" => machine.heap } },
        "fs" => object! { "timestamp" => call.now, "total" => object! { "total_in_bytes" => machine.disk, "free_in_bytes" => free, "available_in_bytes" => free } },
        "http" => object! { "current_open" => 1, "total_opened" => call.cluster.requests },
    };
    wrap(call, node)
}

/// `_nodes/hot_threads`.
pub(super) fn hot_threads(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona();
    let time = iso(call.now);
    Ok(Answer::Text(format!(
        "::: {{{}}}{{{}}}{{{}}}{{{}}}{{{}}}{{{}}}\n   Hot threads at {time}, interval=500ms, busiestThreads=3, ignoreIdleThreads=true:\n\n",
        persona.node,
        persona.node_id,
        persona.ephemeral_id,
        call.node.host.decky.address,
        transport(call, 9300),
        roles(call).0
    )))
}

/// Disk figures for `_cat/allocation`.
pub(super) fn disk(machine: &Machine) -> (String, String, String, u64) {
    (
        bytes(machine.disk_used),
        bytes(machine.disk - machine.disk_used),
        bytes(machine.disk),
        machine.disk_used * 100 / machine.disk.max(1),
    )
}

//! INFO: every section as its release writes it, with numbers that grow and agree with each other.

use super::commands::{module_rows, replicas};
use super::engine::Call;

/// The numbers about memory, for INFO and MEMORY STATS.
pub(crate) struct MemoryFacts {
    /// `used_memory`
    pub(crate) used: u64,
    /// `used_memory_peak`
    pub(crate) peak: u64,
    /// `used_memory_startup`
    pub(crate) startup: u64,
    /// `used_memory_overhead`
    pub(crate) overhead: u64,
    /// `used_memory_dataset`
    pub(crate) dataset: u64,
    /// `used_memory_rss`
    pub(crate) rss: u64,
    /// `allocator_allocated`
    pub(crate) allocated: u64,
    /// `allocator_active`
    pub(crate) active: u64,
    /// `allocator_resident`
    pub(crate) resident: u64,
    /// `mem_clients_normal`
    pub(crate) clients: u64,
    /// `mem_replication_backlog`
    pub(crate) backlog: u64,
    /// Scripts kept.
    pub(crate) scripts: u64,
}

/// Allocated, active and resident bytes as the allocator counts them.
pub(crate) fn allocator(call: &Call<'_>) -> (u64, u64, u64) {
    let facts = memory_facts(call);
    (facts.allocated, facts.active, facts.resident)
}

/// The numbers about memory.
pub(crate) fn memory_facts(call: &Call<'_>) -> MemoryFacts {
    let state = &call.state;
    let used = state.used_memory();
    let startup = state.persona.startup_memory;
    let clients = state.clients.len().saturating_sub(1) as u64 * 1_800;
    let backlog = state.backlog.map_or(0, |_| 1_048_592);
    let tables: u64 = state
        .databases
        .iter()
        .map(|database| {
            database.keys().slots() as u64 * 8 + database.len() as u64 * 40 + database.expiring() as u64 * 32
        })
        .sum();
    let overhead = (startup + clients + backlog + tables).min(used);
    // What the planted application needed at its busiest, before anybody came to look.
    let busiest = used + used / 23 + 61_440;
    let allocated = used + 213_000;
    let page = |bytes: u64| bytes.div_ceil(4096) * 4096;
    let active = page(allocated + allocated / 11);
    let resident = page(active + 2_650_112);
    MemoryFacts {
        used,
        peak: state.peak.max(busiest),
        startup,
        overhead,
        dataset: used - overhead,
        rss: page(resident + 7_200_000),
        allocated,
        active,
        resident,
        clients,
        backlog,
        scripts: state.scripts.values().map(|script| script.len() as u64 + 120).sum(),
    }
}

fn human(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..1_048_576 => format!("{:.2}K", value / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.2}M", value / 1_048_576.0),
        _ => format!("{:.2}G", value / 1_073_741_824.0),
    }
}

struct Page {
    text: String,
}

impl Page {
    fn title(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.text.push_str(&format!("# {title}\r\n"));
    }

    fn row(&mut self, name: &str, value: impl std::fmt::Display) {
        self.text.push_str(&format!("{name}:{value}\r\n"));
    }

    fn bytes(&mut self, name: &str, value: u64) {
        self.row(name, value);
        self.row(&format!("{name}_human"), human(value));
    }
}

/// The sections in the order of the product; the ones that only `all` and `everything` show.
const SECTIONS: [&str; 13] = [
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "modules",
    "commandstats",
    "errorstats",
    "latencystats",
    "cluster",
    "keyspace",
];
const ONLY_ALL: [&str; 2] = ["commandstats", "latencystats"];

/// The text of the asked sections; of the default ones where none is named.
pub(crate) fn render(call: &mut Call<'_>, asked: &[String]) -> String {
    let mut page = Page { text: String::new() };
    let has = |word: &str| asked.iter().any(|other| other == word);
    let everything = has("everything") || has("all");
    let default = asked.is_empty() || has("default");
    for section in SECTIONS {
        let wanted = everything || has(section) || (default && !ONLY_ALL.contains(&section));
        let there = match section {
            "modules" => call.since(6, 0) && !(has("all") && !has("everything") && !has("modules")),
            "errorstats" => call.since(6, 2),
            "latencystats" => call.since(7, 0),
            _ => true,
        };
        // `all` leaves out what modules add, not the section's title.
        let there = there || (section == "modules" && call.since(6, 0) && has("all"));
        if wanted && there {
            write(call, section, &mut page);
        }
    }
    page.text
}

fn write(call: &mut Call<'_>, section: &str, page: &mut Page) {
    match section {
        "server" => server(call, page),
        "clients" => clients(call, page),
        "memory" => memory(call, page),
        "persistence" => persistence(call, page),
        "stats" => stats(call, page),
        "replication" => replication(call, page),
        "cpu" => cpu(call, page),
        "modules" => modules(call, page),
        "commandstats" => commandstats(call, page),
        "errorstats" => errorstats(call, page),
        "latencystats" => latencystats(call, page),
        "cluster" => {
            page.title("Cluster");
            page.row("cluster_enabled", 0);
        }
        _ => keyspace(call, page),
    }
}

fn server(call: &Call<'_>, page: &mut Page) {
    let persona = &call.state.persona;
    let micros = call.state.host.clock.micros();
    let uptime = call.state.uptime();
    page.title("Server");
    page.row("redis_version", &persona.version);
    page.row("redis_git_sha1", "00000000");
    page.row("redis_git_dirty", 0);
    page.row("redis_build_id", &persona.build_id);
    page.row("redis_mode", "standalone");
    page.row("os", &persona.os);
    page.row("arch_bits", persona.bits);
    if call.since(6, 2) {
        page.row("monotonic_clock", "POSIX clock_gettime");
    }
    page.row("multiplexing_api", persona.platform.multiplexing);
    if call.since(4, 0) {
        let old = persona.platform.gcc.starts_with("4.8");
        page.row("atomicvar_api", if call.since(6, 2) && !old { "c11-builtin" } else { "atomic-builtin" });
    }
    page.row("gcc_version", persona.platform.gcc);
    page.row("process_id", process_id(call));
    if call.since(6, 2) {
        page.row("process_supervised", persona.platform.supervised);
    }
    page.row("run_id", &call.state.run_id);
    page.row("tcp_port", String::from_utf8_lossy(call.state.setting("port")));
    if call.since(6, 2) {
        page.row("server_time_usec", micros);
    }
    page.row("uptime_in_seconds", uptime);
    page.row("uptime_in_days", uptime / 86_400);
    page.row("hz", String::from_utf8_lossy(call.state.setting("hz")));
    if call.since(5, 0) {
        page.row("configured_hz", String::from_utf8_lossy(call.state.setting("hz")));
    }
    page.row("lru_clock", (micros / 1_000_000) & 0x00ff_ffff);
    page.row("executable", persona.platform.executable);
    page.row("config_file", persona.platform.config_file);
    if call.since(6, 2) {
        page.row("io_threads_active", 0);
    }
    if call.since(7, 2) {
        let bind = String::from_utf8_lossy(call.state.setting("bind")).into_owned();
        let binds: Vec<String> = bind.split(' ').map(|address| format!("bind={address}")).collect();
        let port = String::from_utf8_lossy(call.state.setting("port")).into_owned();
        page.row("listener0", format!("name=tcp,{},port={port}", binds.join(",")));
    }
}

/// A service started early at boot has a small process id; one started anew a larger one.
fn process_id(call: &Call<'_>) -> u64 {
    let mut draw = call.state.host.identity().draw(&["redis", "process", &call.state.run_id]);
    draw.between(480, 1900)
}

fn clients(call: &Call<'_>, page: &mut Page) {
    let state = &call.state;
    let count = state.clients.values().filter(|client| client.replica.is_none()).count();
    let blocked = state.clients.values().filter(|client| client.blocked.is_some()).count();
    page.title("Clients");
    page.row("connected_clients", count);
    if call.since(6, 2) {
        page.row("cluster_connections", 0);
        page.row("maxclients", String::from_utf8_lossy(state.setting("maxclients")));
    }
    if call.since(5, 0) {
        page.row("client_recent_max_input_buffer", if count > 1 { 20_480 } else { 0 });
        page.row("client_recent_max_output_buffer", 0);
    } else {
        page.row("client_longest_output_list", 0);
        page.row("client_biggest_input_buf", 0);
    }
    page.row("blocked_clients", blocked);
    if call.since(6, 0) {
        let tracking = state.clients.values().filter(|client| client.tracking.is_some()).count();
        let timed = state
            .clients
            .values()
            .filter(|client| client.blocked.as_ref().is_some_and(|blocked| blocked.wait.is_some()))
            .count();
        page.row("tracking_clients", tracking);
        page.row("clients_in_timeout_table", timed);
    }
    if call.since(7, 2) {
        page.row("total_blocking_keys", blocked);
        page.row("total_blocking_keys_on_nokey", 0);
    }
}

fn memory(call: &Call<'_>, page: &mut Page) {
    let facts = memory_facts(call);
    let persona = &call.state.persona;
    let four = call.since(4, 0);
    let seven = call.since(7, 0);
    let max = call.state.setting_number("maxmemory").max(0) as u64;
    let policy = String::from_utf8_lossy(call.state.setting("maxmemory-policy")).into_owned();
    let lua = if seven { 32_768 } else { 37_888 + facts.scripts };
    page.title("Memory");
    page.bytes("used_memory", facts.used);
    page.bytes("used_memory_rss", facts.rss);
    page.bytes("used_memory_peak", facts.peak);
    if four {
        let used = facts.used as f64 * 100.0 / facts.peak as f64;
        let data = facts.dataset as f64 * 100.0 / (facts.used - facts.startup).max(1) as f64;
        page.row("used_memory_peak_perc", format!("{used:.2}%"));
        page.row("used_memory_overhead", facts.overhead);
        page.row("used_memory_startup", facts.startup);
        page.row("used_memory_dataset", facts.dataset);
        page.row("used_memory_dataset_perc", format!("{data:.2}%"));
    }
    if call.since(5, 0) {
        page.row("allocator_allocated", facts.allocated);
        page.row("allocator_active", facts.active);
        page.row("allocator_resident", facts.resident);
    }
    page.bytes("total_system_memory", persona.memory);
    if seven {
        let functions: usize = call.state.libraries.values().map(|library| library.count()).sum();
        let functions_memory: usize =
            call.state.libraries.values().map(|library| library.code.len() + 400).sum();
        page.row("used_memory_lua", lua);
        page.row("used_memory_vm_eval", lua);
        page.row("used_memory_lua_human", human(lua));
        page.row("used_memory_scripts_eval", facts.scripts);
        page.row("number_of_cached_scripts", call.state.scripts.len());
        page.row("number_of_functions", functions);
        page.row("number_of_libraries", call.state.libraries.len());
        page.row("used_memory_vm_functions", 33_792);
        page.row("used_memory_vm_total", lua + 33_792);
        page.row("used_memory_vm_total_human", human(lua + 33_792));
        page.row("used_memory_functions", 200 + functions_memory);
        page.bytes("used_memory_scripts", 200 + functions_memory as u64 + facts.scripts);
    } else {
        page.bytes("used_memory_lua", lua);
        if call.since(5, 0) {
            page.bytes("used_memory_scripts", facts.scripts);
            page.row("number_of_cached_scripts", call.state.scripts.len());
        }
    }
    page.bytes("maxmemory", max);
    page.row("maxmemory_policy", policy);
    let ratio = |a: u64, b: u64| format!("{:.2}", a as f64 / b.max(1) as f64);
    if call.since(5, 0) {
        page.row("allocator_frag_ratio", ratio(facts.active, facts.allocated));
        page.row("allocator_frag_bytes", facts.active - facts.allocated);
        page.row("allocator_rss_ratio", ratio(facts.resident, facts.active));
        page.row("allocator_rss_bytes", facts.resident - facts.active);
        page.row("rss_overhead_ratio", ratio(facts.rss, facts.resident));
        page.row("rss_overhead_bytes", facts.rss - facts.resident);
    }
    page.row("mem_fragmentation_ratio", ratio(facts.rss, facts.used));
    if call.since(5, 0) {
        page.row("mem_fragmentation_bytes", facts.rss - facts.used);
        page.row("mem_not_counted_for_evict", 0);
        page.row("mem_replication_backlog", facts.backlog);
        if seven {
            page.row("mem_total_replication_buffers", facts.backlog);
        }
        page.row("mem_clients_slaves", 0);
        page.row("mem_clients_normal", facts.clients);
        if seven {
            page.row("mem_cluster_links", 0);
        }
        page.row("mem_aof_buffer", 0);
    }
    page.row("mem_allocator", persona.platform.allocator);
    if four {
        page.row("active_defrag_running", 0);
        page.row("lazyfree_pending_objects", 0);
    }
    if call.since(6, 2) {
        page.row("lazyfreed_objects", 0);
    }
}

fn persistence(call: &Call<'_>, page: &mut Page) {
    let state = &call.state;
    let saving = state.saving_until > call.now;
    let rewriting = state.rewriting_until > call.now;
    let saves = state.stats.forks + state.stats.saves_before(state.host.clock.micros());
    page.title("Persistence");
    page.row("loading", 0);
    if call.since(7, 0) {
        page.row("async_loading", 0);
        page.row("current_cow_peak", 0);
    }
    if call.since(6, 2) {
        page.row("current_cow_size", 0);
        page.row("current_cow_size_age", 0);
        page.row("current_fork_perc", "0.00");
        page.row("current_save_keys_processed", 0);
        page.row("current_save_keys_total", 0);
    }
    page.row(
        "rdb_changes_since_last_save",
        state.dirty + state.bait.changes_since(state.last_save, call.now / 1000),
    );
    page.row("rdb_bgsave_in_progress", u8::from(saving));
    page.row("rdb_last_save_time", state.last_save);
    page.row("rdb_last_bgsave_status", "ok");
    page.row("rdb_last_bgsave_time_sec", if saves > 0 { 0 } else { -1 });
    page.row("rdb_current_bgsave_time_sec", if saving { 0 } else { -1 });
    if call.since(7, 0) {
        page.row("rdb_saves", saves);
    }
    if call.since(4, 0) {
        page.row("rdb_last_cow_size", if saves > 0 { 311_296 } else { 0 });
    }
    if call.since(7, 0) {
        page.row("rdb_last_load_keys_expired", state.bait.loaded().1);
        page.row("rdb_last_load_keys_loaded", state.bait.loaded().0);
    }
    page.row("aof_enabled", u8::from(state.setting("appendonly") == b"yes"));
    page.row("aof_rewrite_in_progress", u8::from(rewriting));
    page.row("aof_rewrite_scheduled", 0);
    page.row("aof_last_rewrite_time_sec", -1);
    page.row("aof_current_rewrite_time_sec", if rewriting { 0 } else { -1 });
    page.row("aof_last_bgrewrite_status", "ok");
    if call.since(7, 0) {
        page.row("aof_rewrites", 0);
        page.row("aof_rewrites_consecutive_failures", 0);
    }
    page.row("aof_last_write_status", "ok");
    if call.since(4, 0) {
        page.row("aof_last_cow_size", 0);
    }
    if call.since(6, 0) {
        page.row("module_fork_in_progress", 0);
        page.row("module_fork_last_cow_size", 0);
    }
}

fn stats(call: &mut Call<'_>, page: &mut Page) {
    let second = call.state.host.clock.seconds();
    let flow = call.state.stats.last_second(second);
    let state = &call.state;
    let now = state.host.clock.micros();
    let stats = &state.stats;
    let (before_in, before_out) = stats.bytes_before(now);
    let (hits, misses) = stats.lookups_before(now);
    let commands = stats.commands + stats.commands_before(now);
    let kbps = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    let channels: std::collections::BTreeSet<&Vec<u8>> =
        state.clients.values().flat_map(|client| &client.channels).collect();
    let patterns: std::collections::BTreeSet<&Vec<u8>> =
        state.clients.values().flat_map(|client| &client.patterns).collect();
    let (six, six_two, seven) = (call.since(6, 0), call.since(6, 2), call.since(7, 0));
    page.title("Stats");
    page.row("total_connections_received", stats.connections + stats.connections_before(now));
    page.row("total_commands_processed", commands);
    page.row("instantaneous_ops_per_sec", flow.commands);
    page.row("total_net_input_bytes", stats.bytes_in + before_in);
    page.row("total_net_output_bytes", stats.bytes_out + before_out);
    if seven {
        page.row("total_net_repl_input_bytes", 0);
        page.row("total_net_repl_output_bytes", 0);
    }
    page.row("instantaneous_input_kbps", kbps(flow.bytes_in));
    page.row("instantaneous_output_kbps", kbps(flow.bytes_out));
    if seven {
        page.row("instantaneous_input_repl_kbps", "0.00");
        page.row("instantaneous_output_repl_kbps", "0.00");
    }
    page.row("rejected_connections", 0);
    page.row("sync_full", stats.full_syncs);
    page.row("sync_partial_ok", 0);
    page.row("sync_partial_err", stats.full_syncs);
    page.row("expired_keys", stats.expired + stats.expired_before(now));
    if call.since(4, 0) {
        page.row("expired_stale_perc", "0.00");
        page.row("expired_time_cap_reached_count", 0);
    }
    if six {
        page.row("expire_cycle_cpu_milliseconds", state.uptime() / 55);
    }
    page.row("evicted_keys", 0);
    if seven {
        page.row("evicted_clients", 0);
        page.row("total_eviction_exceeded_time", 0);
        page.row("current_eviction_exceeded_time", 0);
    }
    page.row("keyspace_hits", stats.hits + hits);
    page.row("keyspace_misses", stats.misses + misses);
    page.row("pubsub_channels", channels.len());
    page.row("pubsub_patterns", patterns.len());
    if seven {
        let shards: std::collections::BTreeSet<&Vec<u8>> =
            state.clients.values().flat_map(|client| &client.shard_channels).collect();
        page.row("pubsubshard_channels", shards.len());
    }
    let forks = stats.forks + stats.saves_before(now);
    page.row("latest_fork_usec", if forks > 0 { stats.fork_usec } else { 0 });
    if six_two {
        page.row("total_forks", forks);
    }
    page.row("migrate_cached_sockets", 0);
    if call.since(4, 0) {
        page.row("slave_expires_tracked_keys", 0);
        page.row("active_defrag_hits", 0);
        page.row("active_defrag_misses", 0);
        page.row("active_defrag_key_hits", 0);
        page.row("active_defrag_key_misses", 0);
    }
    if seven {
        page.row("total_active_defrag_time", 0);
        page.row("current_active_defrag_time", 0);
    }
    if six {
        let tracked: usize = state
            .clients
            .values()
            .filter_map(|client| client.tracking.as_ref())
            .map(|tracking| tracking.keys.len())
            .sum();
        let prefixes: usize = state
            .clients
            .values()
            .filter_map(|client| client.tracking.as_ref())
            .map(|tracking| tracking.prefixes.len())
            .sum();
        page.row("tracking_total_keys", tracked);
        page.row("tracking_total_items", tracked);
        page.row("tracking_total_prefixes", prefixes);
        page.row("unexpected_error_replies", 0);
    }
    if six_two {
        page.row("total_error_replies", stats.error_replies);
        page.row("dump_payload_sanitizations", 0);
    }
    if six {
        let turns = commands - commands / 9;
        page.row("total_reads_processed", stats.reads + turns);
        page.row("total_writes_processed", stats.writes + turns - turns / 90);
        page.row("io_threaded_reads_processed", 0);
        page.row("io_threaded_writes_processed", 0);
    }
    if seven {
        let connections = stats.connections + stats.connections_before(now);
        page.row("reply_buffer_shrinks", connections - connections / 7);
        page.row("reply_buffer_expands", connections / 60);
    }
}

fn replication(call: &Call<'_>, page: &mut Page) {
    let state = &call.state;
    let replicas = replicas(call);
    page.title("Replication");
    match &state.master {
        Some(master) => {
            page.row("role", "slave");
            page.row("master_host", String::from_utf8_lossy(&master.host));
            page.row("master_port", master.port);
            page.row("master_link_status", "down");
            page.row("master_last_io_seconds_ago", -1);
            page.row("master_sync_in_progress", 0);
            if call.since(7, 0) {
                page.row("slave_read_repl_offset", state.offset);
            }
            page.row("slave_repl_offset", state.offset);
            let down = if call.since(7, 0) { -1 } else { (call.now / 1000 - master.since).max(0) };
            page.row("master_link_down_since_seconds", down);
            page.row("slave_priority", String::from_utf8_lossy(state.setting("replica-priority")));
            page.row("slave_read_only", u8::from(state.setting("replica-read-only") == b"yes"));
            if call.since(6, 2) {
                page.row("replica_announced", u8::from(state.setting("replica-announced") == b"yes"));
            }
        }
        None => page.row("role", "master"),
    }
    page.row("connected_slaves", replicas.len());
    for (number, (address, port, offset)) in replicas.iter().enumerate() {
        let lag = if *offset > 0 { 1 } else { 0 };
        page.row(
            &format!("slave{number}"),
            format!("ip={address},port={port},state=online,offset={offset},lag={lag}"),
        );
    }
    if call.since(6, 2) {
        page.row("master_failover_state", "no-failover");
    }
    if call.since(4, 0) {
        page.row("master_replid", &state.replication_id);
        page.row("master_replid2", &state.replication_id2);
    }
    page.row("master_repl_offset", state.offset);
    if call.since(4, 0) {
        page.row("second_repl_offset", state.second_offset);
    }
    page.row("repl_backlog_active", u8::from(state.backlog.is_some()));
    page.row("repl_backlog_size", String::from_utf8_lossy(state.setting("repl-backlog-size")));
    page.row("repl_backlog_first_byte_offset", state.backlog.unwrap_or(0));
    page.row("repl_backlog_histlen", state.backlog.map_or(0, |first| (state.offset + 1 - first).max(0)));
}

fn cpu(call: &Call<'_>, page: &mut Page) {
    let (system, user) = call.state.stats.cpu(call.state.host.clock.micros(), call.state.started);
    let saves = call.state.stats.saves_before(call.state.host.clock.micros()) as f64;
    let digits = if call.since(5, 0) { 6 } else { 2 };
    page.title("CPU");
    page.row("used_cpu_sys", format!("{system:.digits$}"));
    page.row("used_cpu_user", format!("{user:.digits$}"));
    page.row("used_cpu_sys_children", format!("{:.digits$}", saves * 0.0041));
    page.row("used_cpu_user_children", format!("{:.digits$}", saves * 0.0032));
    if call.since(6, 2) {
        page.row("used_cpu_sys_main_thread", format!("{:.6}", system * 0.994));
        page.row("used_cpu_user_main_thread", format!("{:.6}", user * 0.993));
    }
}

fn modules(call: &Call<'_>, page: &mut Page) {
    page.title("Modules");
    if module_rows(call).is_empty() {
        return;
    }
    for (name, version) in &call.state.persona.modules {
        page.text.push_str(&format!(
            "module:name={name},ver={version},api=1,filters=0,usedby=[],using=[],options=[]\r\n"
        ));
    }
}

/// Counters by command: release 7 names subcommands, older ones their container.
fn by_command(call: &Call<'_>) -> Vec<(String, super::engine::CommandStats)> {
    let now = call.state.host.clock.micros();
    let all = call.state.stats.commands_now(now);
    if call.since(7, 0) {
        return all.into_iter().map(|(name, stats)| (name.to_owned(), stats)).collect();
    }
    let mut merged: std::collections::BTreeMap<String, super::engine::CommandStats> = Default::default();
    for (name, stats) in all {
        let container = name.split('|').next().unwrap_or(name).to_owned();
        let entry = merged.entry(container).or_default();
        entry.calls += stats.calls;
        entry.usec += stats.usec;
        entry.rejected += stats.rejected;
        entry.failed += stats.failed;
    }
    merged.into_iter().collect()
}

fn commandstats(call: &Call<'_>, page: &mut Page) {
    page.title("Commandstats");
    for (name, stats) in by_command(call) {
        let each = stats.usec as f64 / stats.calls.max(1) as f64;
        let mut value = format!("calls={},usec={},usec_per_call={each:.2}", stats.calls, stats.usec);
        if call.since(6, 2) {
            value.push_str(&format!(",rejected_calls={},failed_calls={}", stats.rejected, stats.failed));
        } else if stats.calls == 0 {
            continue;
        }
        page.row(&format!("cmdstat_{name}"), value);
    }
}

fn errorstats(call: &Call<'_>, page: &mut Page) {
    page.title("Errorstats");
    for (name, count) in &call.state.stats.errors {
        page.row(&format!("errorstat_{name}"), format!("count={count}"));
    }
}

/// A duration as the product's histogram of two significant digits gives it back: the upper end of its
/// bucket, in microseconds.
fn bucket(usec: f64) -> String {
    let nanos = ((usec * 1000.0) as u64).max(1);
    let size = 1u64 << nanos.ilog2().saturating_sub(7);
    format!("{:.3}", ((nanos / size + 1) * size - 1) as f64 / 1000.0)
}

fn latencystats(call: &Call<'_>, page: &mut Page) {
    page.title("Latencystats");
    for (name, stats) in by_command(call).into_iter().filter(|(_, stats)| stats.calls > 0) {
        let each = (stats.usec as f64 / stats.calls as f64).floor().max(1.0);
        let tail = if stats.calls > 3 { (each * 2.6).floor() } else { each };
        page.row(
            &format!("latency_percentiles_usec_{name}"),
            format!("p50={},p99={},p99.9={}", bucket(each), bucket(tail), bucket(tail)),
        );
    }
}

fn keyspace(call: &mut Call<'_>, page: &mut Page) {
    call.state.expire_cycle();
    let now = call.now;
    page.title("Keyspace");
    for (number, database) in
        call.state.databases.iter().enumerate().filter(|(_, database)| database.len() > 0)
    {
        let lives = database.keys().iter().filter_map(|(_, entry)| entry.expires);
        let total: i64 = lives.map(|at| (at - now).max(0)).sum();
        let average = total.checked_div(database.expiring() as i64).unwrap_or(0);
        page.row(
            &format!("db{number}"),
            format!("keys={},expires={},avg_ttl={average}", database.len(), database.expiring()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read_as_the_products() {
        assert_eq!(human(916_696), "895.21K");
        assert_eq!(human(25_276_502_016), "23.54G");
        assert_eq!(human(200), "200B");
        for (usec, text) in [(1.0, "1.003"), (3.0, "3.007"), (10.0, "10.047"), (193.0, "193.535")] {
            assert_eq!(bucket(usec), text);
        }
    }
}

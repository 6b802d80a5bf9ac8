//! The product's one thread: everything that a command can see or change, behind one lock.

mod acl;
mod call;
mod client;
mod dispatch;
mod keyspace;
mod long_double;
mod stats;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use decnet_core::seed::Draw;
use decnet_logging::event::Body;

use super::bait;
use super::persona::Persona;
use super::store::{Database, Encoding};
use crate::host::Host;

pub(crate) use acl::{Lacks, User};
pub(crate) use call::*;
pub(crate) use client::{Blocked, Client, Close, Queued, Replica, ReplyMode, Tracking};
pub(crate) use dispatch::{TRAPS, execute, perform, spec_of};
pub(crate) use keyspace::quoted;
pub(crate) use stats::{CommandStats, Flow, Stats};

/// Databases, as the configuration says.
pub(crate) const DATABASES: usize = 16;
/// Bytes that clients may make us keep besides keys: names, subscriptions, queued commands, scripts.
pub(crate) const KEPT_BOUND: usize = 8 * 1024 * 1024;
/// Bytes that may wait for a client that does not read.
pub(crate) const OUTPUT_BOUND: usize = 4 * 1024 * 1024;
/// Bytes of the replies to one request.
pub(crate) const REPLY_BOUND: usize = 64 * 1024 * 1024;
/// Events of one command.
const NOTES_BOUND: usize = 32;

/// A slow command, for SLOWLOG.
#[derive(Clone, Debug)]
pub(crate) struct Slow {
    /// Counts up.
    pub(crate) id: u64,
    /// Seconds since 1970-01-01 UTC.
    pub(crate) at: i64,
    /// Microseconds.
    pub(crate) took: u64,
    /// The arguments, shortened as the product does.
    pub(crate) arguments: Vec<Vec<u8>>,
    /// `address:port`
    pub(crate) peer: String,
    /// The client's name.
    pub(crate) name: Vec<u8>,
}

/// What REPLICAOF made of the server.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    /// As the client wrote it.
    pub(crate) host: Vec<u8>,
    /// Its port.
    pub(crate) port: u16,
    /// When, in seconds since 1970-01-01 UTC.
    pub(crate) since: i64,
}

/// Everything behind the lock.
pub(crate) struct State {
    /// The decky.
    pub(crate) host: Arc<Host>,
    /// What it claims to be.
    pub(crate) persona: Arc<Persona>,
    /// When this run of the server began, in microseconds since 1970-01-01 UTC.
    pub(crate) started: i64,
    /// 40 hexadecimal digits, new with each run.
    pub(crate) run_id: String,
    /// The replication id and the one before.
    pub(crate) replication_id: String,
    /// The id before the last change of master; zeros where none.
    pub(crate) replication_id2: String,
    /// `master_repl_offset`
    pub(crate) offset: i64,
    /// `second_repl_offset`
    pub(crate) second_offset: i64,
    /// Whether a replica ever asked, which makes the backlog.
    pub(crate) backlog: Option<i64>,
    /// The database that replicas were last told.
    pub(crate) replicated_db: Option<usize>,
    /// The databases.
    pub(crate) databases: Vec<Database>,
    /// The configuration as it is now, by main name.
    pub(crate) config: BTreeMap<&'static str, Vec<u8>>,
    /// The connections.
    pub(crate) clients: BTreeMap<u64, Client>,
    /// The id of the next connection.
    pub(crate) next_client: u64,
    /// Who may log in.
    pub(crate) users: BTreeMap<Vec<u8>, User>,
    /// Refusals, for ACL LOG.
    pub(crate) acl_log: VecDeque<acl::Refusal>,
    /// Scripts by the SHA-1 of their text.
    pub(crate) scripts: BTreeMap<String, Vec<u8>>,
    /// Function libraries by name: engine's text.
    pub(crate) libraries: BTreeMap<Vec<u8>, crate::redis::commands::Library>,
    /// The slow log, newest first.
    pub(crate) slowlog: VecDeque<Slow>,
    /// The id of the next slow command.
    pub(crate) next_slow: u64,
    /// Counters.
    pub(crate) stats: Stats,
    /// Changes since the last save.
    pub(crate) dirty: i64,
    /// The last save, in seconds since 1970-01-01 UTC.
    pub(crate) last_save: i64,
    /// Until when a background save is shown as running.
    pub(crate) saving_until: i64,
    /// Until when an append-only rewrite is shown as running.
    pub(crate) rewriting_until: i64,
    /// Set by REPLICAOF.
    pub(crate) master: Option<Master>,
    /// Bytes kept for clients besides keys.
    pub(crate) kept: usize,
    /// Most bytes ever taken, for `used_memory_peak`.
    pub(crate) peak: u64,
    /// Keys that blocked clients may wait for.
    pub(crate) ready: Vec<(usize, Vec<u8>)>,
    /// What is to be reported of the current command.
    pub(crate) notes: Vec<(Body, Option<Vec<u8>>)>,
    /// The application whose keys are planted.
    pub(crate) bait: bait::Workload,
    /// Set by SHUTDOWN: until when the server is away, in microseconds since 1970-01-01 UTC.
    pub(crate) away_until: Option<i64>,
    /// Set by CLIENT PAUSE: until when, and whether only writes wait.
    pub(crate) paused: Option<(i64, bool)>,
    /// The second in which it was last looked whether the machine was booted anew.
    pub(crate) checked: i64,
    hash_seed: u64,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("clients", &self.clients.len()).finish_non_exhaustive()
    }
}

impl State {
    /// The state of a server that has been running since `started` (microseconds).
    pub(crate) fn new(host: &Arc<Host>, persona: &Arc<Persona>, port: u16, started: i64) -> State {
        let identity = host.identity();
        // A run has its own ids; the same run has the same ones though our process was started anew.
        let run = (started / 1_000_000).to_string();
        let mut draw: Draw = identity.draw(&["redis", "run", &run]);
        let hex = "0123456789abcdef";
        let run_id = draw.text(hex, 40);
        let replication_id = draw.text(hex, 40);
        let hash_seed = draw.number();
        let mut config = BTreeMap::new();
        let configured = persona.configured(port);
        for parameter in super::tables::parameters() {
            let default = parameter.default(persona.release);
            let value = configured.get(parameter.name).map_or(default, String::as_str);
            config.insert(parameter.name, value.as_bytes().to_vec());
        }
        let users = BTreeMap::from([(b"default".to_vec(), User::default_user(persona.password.as_deref()))]);
        let now = host.clock.micros();
        let stats = Stats::new(identity, started);
        let next_client = stats.connections_before(now) + draw.between(3, 9);
        let mut state = State {
            host: Arc::clone(host),
            persona: Arc::clone(persona),
            started,
            run_id,
            replication_id,
            replication_id2: "0".repeat(40),
            offset: 0,
            second_offset: -1,
            backlog: None,
            replicated_db: None,
            databases: (0..DATABASES as u64).map(|i| Database::new(hash_seed.wrapping_add(i))).collect(),
            config,
            clients: BTreeMap::new(),
            next_client,
            users,
            acl_log: VecDeque::new(),
            scripts: BTreeMap::new(),
            libraries: BTreeMap::new(),
            slowlog: VecDeque::new(),
            next_slow: 0,
            stats,
            dirty: 0,
            last_save: started / 1_000_000,
            saving_until: 0,
            rewriting_until: 0,
            master: None,
            kept: 0,
            peak: 0,
            ready: Vec::new(),
            notes: Vec::new(),
            bait: bait::Workload::new(identity, &persona.bait),
            away_until: None,
            paused: None,
            checked: now / 1_000_000,
            hash_seed,
        };
        state.live();
        state
    }

    /// Lets the planted application go on up to now: sessions come and go, counters grow.
    pub(crate) fn live(&mut self) {
        let now = self.now_ms();
        let planted = self.bait.advance(now);
        for (database, key, entry) in planted {
            if let Some(database) = self.databases.get_mut(database) {
                // What an intruder wrote stays his.
                if database.get(&key).is_none_or(|old| old.bait) {
                    database.put(&key, entry);
                }
            }
        }
        // The product saves by itself when enough has changed; the application changes enough every hour.
        let hour = now / 1000 / 3600 * 3600 + self.bait.minute() * 60;
        let last = if hour <= now / 1000 { hour } else { hour - 3600 };
        if last > self.last_save && !self.setting("save").is_empty() {
            self.last_save = last;
            self.dirty = 0;
        }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) fn now_ms(&self) -> i64 {
        self.host.clock.micros().div_euclid(1000)
    }

    /// Seconds that the server has been running.
    pub(crate) fn uptime(&self) -> i64 {
        (self.host.clock.micros() - self.started).max(0) / 1_000_000
    }

    /// A fresh seed for the order of a table.
    pub(crate) fn hash_seed(&self) -> u64 {
        self.hash_seed
    }

    /// A parameter's value.
    pub(crate) fn setting(&self, name: &str) -> &[u8] {
        self.config.get(name).map_or(&[], Vec::as_slice)
    }

    /// A parameter's value as a number; 0 where it is none.
    pub(crate) fn setting_number(&self, name: &str) -> i64 {
        std::str::from_utf8(self.setting(name)).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// The sizes up to which values are packed.
    pub(crate) fn encoding(&self) -> Encoding {
        let release = self.persona.release;
        let number = |name| usize::try_from(self.setting_number(name)).unwrap_or(0);
        Encoding {
            listpack: release.since(7, 0),
            packs_sets: release.since(7, 2),
            hash: (number("hash-max-listpack-entries"), number("hash-max-listpack-value")),
            intset: number("set-max-intset-entries"),
            zset: (number("zset-max-listpack-entries"), number("zset-max-listpack-value")),
        }
    }

    /// Keeps an event for whoever runs the command.
    pub(crate) fn note(&mut self, body: Body) {
        if self.notes.len() < NOTES_BOUND {
            self.notes.push((body, None));
        }
    }

    /// Keeps an event with the bytes behind it.
    pub(crate) fn note_raw(&mut self, body: Body, raw: Vec<u8>) {
        if self.notes.len() < NOTES_BOUND {
            self.notes.push((body, Some(raw)));
        }
    }

    /// Bytes that keys and values take.
    pub(crate) fn data_weight(&self) -> usize {
        self.databases.iter().map(Database::weight).sum()
    }

    /// Keys over all databases.
    pub(crate) fn objects(&self) -> usize {
        self.databases.iter().map(Database::len).sum()
    }

    /// What INFO calls `used_memory`.
    pub(crate) fn used_memory(&self) -> u64 {
        let per_client = if self.persona.release.since(7, 0) { 22_400 } else { 17_186 };
        let used = self.persona.startup_memory
            + self.data_weight() as u64
            + self.kept as u64
            + self.clients.len() as u64 * per_client
            + self.backlog.map_or(0, |_| 1_048_592);
        // Every allocation is a multiple of eight bytes, and so is their sum.
        used.next_multiple_of(8)
    }
}

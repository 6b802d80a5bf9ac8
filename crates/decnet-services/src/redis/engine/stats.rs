//! Counters that grow: what intruders did, above what the planted application did before and goes on
//! doing.

use std::collections::BTreeMap;

use decnet_core::identity::Identity;

/// The counters of one command.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommandStats {
    /// Times it ran.
    pub(crate) calls: u64,
    /// Microseconds in all.
    pub(crate) usec: u64,
    /// Refused before it ran.
    pub(crate) rejected: u64,
    /// Ended with an error.
    pub(crate) failed: u64,
}

/// What happened in this second and in the one before, for the `instantaneous` values.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    second: i64,
    now: Flow,
    before: Flow,
}

/// Commands and bytes of one second.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flow {
    /// Commands.
    pub(crate) commands: u64,
    /// Bytes that came.
    pub(crate) bytes_in: u64,
    /// Bytes that went.
    pub(crate) bytes_out: u64,
}

/// All counters.
#[derive(Debug)]
pub(crate) struct Stats {
    /// Connections of intruders.
    pub(crate) connections: u64,
    /// Their commands.
    pub(crate) commands: u64,
    /// Bytes they sent.
    pub(crate) bytes_in: u64,
    /// Bytes they got.
    pub(crate) bytes_out: u64,
    /// Keys found and not found.
    pub(crate) hits: u64,
    /// Keys not found.
    pub(crate) misses: u64,
    /// Keys that expired.
    pub(crate) expired: u64,
    /// Reads and writes of sockets.
    pub(crate) reads: u64,
    /// Writes of sockets.
    pub(crate) writes: u64,
    /// Saves.
    pub(crate) forks: u64,
    /// Microseconds of the last fork.
    pub(crate) fork_usec: u64,
    /// Full synchronisations asked for by replicas.
    pub(crate) full_syncs: u64,
    /// By command.
    pub(crate) by_command: BTreeMap<&'static str, CommandStats>,
    /// By error prefix.
    pub(crate) errors: BTreeMap<String, u64>,
    /// Replies that were errors.
    pub(crate) error_replies: u64,
    /// When RESETSTAT was last called, in microseconds since 1970-01-01 UTC; the start otherwise.
    since: i64,
    shares: Vec<(&'static str, f64, f64)>,
    connections_per_day: f64,
    window: Window,
    syscpu: f64,
    usrcpu: f64,
}

impl Stats {
    /// The counters of a server that has run since `started`.
    pub(crate) fn new(identity: &Identity, started: i64) -> Stats {
        let mut draw = identity.draw(&["redis", "load"]);
        // Pages that connect, ask four or five times and go: nobody but the intruder is seen connected.
        let connections_per_day = draw.between(400, 2500) as f64;
        let mut share = |low: u64, high: u64| draw.between(low, high) as f64 / 1000.0;
        let get = share(2000, 2700);
        let set = share(400, 800);
        let hash = share(200, 500);
        let push = share(40, 160);
        let ping = share(50, 250);
        let rate = connections_per_day / 86_400.0;
        let shares = [
            ("get", get, 2.1),
            ("setex", set, 4.3),
            ("hgetall", hash, 6.7),
            ("expire", set * 0.7, 1.9),
            ("exists", get * 0.06, 1.4),
            ("hset", hash * 0.4, 5.2),
            ("rpush", push, 3.3),
            ("lpop", push * 1.6, 3.9),
            ("del", set * 0.4, 3.1),
            ("ping", ping, 0.8),
            ("select", 0.4, 0.7),
        ];
        let shares = shares
            .into_iter()
            .map(|(name, share, usec)| (name, share * rate, usec * (0.8 + share.fract() * 0.4)))
            .collect();
        Stats {
            connections: 0,
            commands: 0,
            bytes_in: 0,
            bytes_out: 0,
            hits: 0,
            misses: 0,
            expired: 0,
            reads: 0,
            writes: 0,
            forks: 0,
            fork_usec: draw.between(180, 640),
            full_syncs: 0,
            by_command: BTreeMap::new(),
            errors: BTreeMap::new(),
            error_replies: 0,
            since: started,
            shares,
            connections_per_day,
            window: Window::default(),
            syscpu: draw.between(900, 1900) as f64 / 1_000_000.0,
            usrcpu: draw.between(700, 1600) as f64 / 1_000_000.0,
        }
    }

    fn seconds(&self, now: i64) -> f64 {
        (now - self.since).max(0) as f64 / 1_000_000.0
    }

    /// Connections before any of an intruder.
    pub(crate) fn connections_before(&self, now: i64) -> u64 {
        (self.seconds(now) / 86_400.0 * self.connections_per_day) as u64
    }

    /// Commands of the application up to now.
    pub(crate) fn commands_before(&self, now: i64) -> u64 {
        self.shares.iter().map(|(_, rate, _)| (rate * self.seconds(now)) as u64).sum()
    }

    /// Bytes, in and out, of the application up to now.
    pub(crate) fn bytes_before(&self, now: i64) -> (u64, u64) {
        let commands = self.commands_before(now);
        (commands * 71 + commands / 7, commands * 113 + commands / 3)
    }

    /// Hits and misses of the application up to now.
    pub(crate) fn lookups_before(&self, now: i64) -> (u64, u64) {
        let reads: f64 = self
            .shares
            .iter()
            .filter(|(name, ..)| matches!(*name, "get" | "hgetall" | "exists"))
            .map(|(_, rate, _)| rate)
            .sum();
        let reads = reads * self.seconds(now);
        ((reads * 0.83) as u64, (reads * 0.17) as u64)
    }

    /// Keys that expired under the application.
    pub(crate) fn expired_before(&self, now: i64) -> u64 {
        (self.seconds(now) * self.shares.get(1).map_or(0.0, |(_, rate, _)| rate * 0.31)) as u64
    }

    /// Saves of the application's changes up to now.
    pub(crate) fn saves_before(&self, now: i64) -> u64 {
        (self.seconds(now) / 3600.0) as u64
    }

    /// System and user seconds of the processor.
    pub(crate) fn cpu(&self, now: i64, started: i64) -> (f64, f64) {
        let seconds = (now - started).max(0) as f64 / 1_000_000.0;
        let commands = self.commands as f64 * 0.000_02;
        (seconds * self.syscpu + commands + 0.01, seconds * self.usrcpu + commands + 0.006)
    }

    /// The counters of each command, the application's included.
    pub(crate) fn commands_now(&self, now: i64) -> BTreeMap<&'static str, CommandStats> {
        let mut all = self.by_command.clone();
        for (name, rate, usec) in &self.shares {
            let calls = (rate * self.seconds(now)) as u64;
            if calls > 0 {
                let entry = all.entry(name).or_default();
                entry.calls += calls;
                entry.usec += (calls as f64 * usec) as u64;
            }
        }
        all
    }

    /// Counts what happens in the second `second` (since 1970-01-01 UTC).
    pub(crate) fn flow(&mut self, second: i64, more: Flow) {
        self.turn(second);
        self.window.now.commands += more.commands;
        self.window.now.bytes_in += more.bytes_in;
        self.window.now.bytes_out += more.bytes_out;
    }

    fn turn(&mut self, second: i64) {
        match second - self.window.second {
            0 => {}
            1 => self.window = Window { second, before: self.window.now, now: Flow::default() },
            _ => self.window = Window { second, ..Window::default() },
        }
    }

    /// What happened in the last whole second.
    pub(crate) fn last_second(&mut self, second: i64) -> Flow {
        self.turn(second);
        self.window.before
    }

    /// CONFIG RESETSTAT.
    pub(crate) fn reset(&mut self, now: i64) {
        self.connections = 0;
        self.commands = 0;
        self.bytes_in = 0;
        self.bytes_out = 0;
        self.hits = 0;
        self.misses = 0;
        self.expired = 0;
        self.reads = 0;
        self.writes = 0;
        self.forks = 0;
        self.full_syncs = 0;
        self.by_command.clear();
        self.errors.clear();
        self.error_replies = 0;
        self.since = now;
    }

    /// Counts an error reply by its first word; the number of words is bounded as in the product.
    pub(crate) fn count_error(&mut self, text: &[u8]) {
        self.error_replies += 1;
        let word: String = text
            .iter()
            .take_while(|byte| !byte.is_ascii_whitespace())
            .take(24)
            .map(|byte| char::from(*byte))
            .collect();
        if self.errors.len() < 64 || self.errors.contains_key(&word) {
            *self.errors.entry(word).or_default() += 1;
        }
    }
}

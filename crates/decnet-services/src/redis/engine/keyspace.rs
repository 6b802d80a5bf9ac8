//! What follows from a change of a key: watches, waiters, tracking, keyspace events, replicas.

use super::{Call, Close, State};
use crate::redis::codec::{Protocol, Reply};

impl State {
    /// Removes a key whose time has come.
    pub(crate) fn expire_key(&mut self, database: usize, key: &[u8], now: i64) {
        let Some(db) = self.databases.get_mut(database) else { return };
        let due = db.get(key).and_then(|entry| entry.expires).is_some_and(|at| at <= now);
        if due {
            db.remove(key);
            self.stats.expired += 1;
            self.signal(database, key, None);
            self.notify(database, key, "expired", 'x');
        }
    }

    /// Removes some expired keys, as the product's cycle does ten times a second.
    pub(crate) fn expire_cycle(&mut self) {
        let now = self.now_ms();
        for number in 0..self.databases.len() {
            if self.databases[number].expiring() == 0 {
                continue;
            }
            let due: Vec<Vec<u8>> = self.databases[number]
                .keys()
                .iter()
                .filter(|(_, entry)| entry.expires.is_some_and(|at| at <= now))
                .map(|(key, _)| key.to_vec())
                .take(256)
                .collect();
            for key in due {
                self.expire_key(number, &key, now);
            }
        }
    }

    /// Says that a key changed: breaks watches, marks it for waiters, tells tracking clients.
    pub(crate) fn signal(&mut self, database: usize, key: &[u8], by: Option<u64>) {
        let mut waited_for = false;
        let mut told: Vec<(u64, bool)> = Vec::new();
        for (id, client) in &mut self.clients {
            if client.watched.iter().any(|(number, name)| *number == database && name == key) {
                client.watch_broken = true;
            }
            waited_for |= client.database == database
                && client.blocked.as_ref().is_some_and(|blocked| blocked.keys.iter().any(|name| name == key));
            if let Some(tracking) = &mut client.tracking {
                let concerned = if tracking.broadcast {
                    tracking.prefixes.is_empty()
                        || tracking.prefixes.iter().any(|prefix| key.starts_with(prefix))
                } else {
                    tracking.keys.remove(key)
                };
                if concerned && !(tracking.no_loop && by == Some(*id)) {
                    told.push(if tracking.redirect == 0 { (*id, false) } else { (tracking.redirect, true) });
                }
            }
        }
        if waited_for && !self.ready.iter().any(|(number, name)| *number == database && name == key) {
            self.ready.push((database, key.to_vec()));
        }
        let keys = Reply::Array(vec![Reply::bulk(key)]);
        for (id, redirected) in told {
            self.invalidate(id, redirected, &keys);
        }
    }

    /// Tells a tracking client to forget keys.
    pub(crate) fn invalidate(&mut self, id: u64, redirected: bool, keys: &Reply) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.protocol == Protocol::Resp3 {
            client.push(&Reply::Push(vec![Reply::text("invalidate"), keys.clone()]));
        } else if redirected {
            client.push(&Reply::Array(vec![
                Reply::text("message"),
                Reply::text("__redis__:invalidate"),
                keys.clone(),
            ]));
        }
    }

    /// Publishes a keyspace event, where `notify-keyspace-events` asks for its kind.
    pub(crate) fn notify(&mut self, database: usize, key: &[u8], event: &str, kind: char) {
        let wanted = self.setting("notify-keyspace-events");
        if wanted.is_empty() {
            return;
        }
        let has = |letter: char| wanted.contains(&(letter as u8));
        let all = has('A') && "g$lshzxetd".contains(kind);
        let (space, events) = (has('K'), has('E'));
        if !(all || has(kind)) {
            return;
        }
        if space {
            let channel = [format!("__keyspace@{database}__:").as_bytes(), key].concat();
            self.publish(&channel, event.as_bytes());
        }
        if events {
            let channel = format!("__keyevent@{database}__:{event}");
            self.publish(channel.as_bytes(), key);
        }
    }

    /// Sends a message to everybody who subscribed; gives how many.
    pub(crate) fn publish(&mut self, channel: &[u8], message: &[u8]) -> i64 {
        let mut receivers = 0;
        for client in self.clients.values_mut() {
            if client.channels.contains(channel) {
                client.push(&Reply::Push(vec![
                    Reply::text("message"),
                    Reply::bulk(channel),
                    Reply::bulk(message),
                ]));
                receivers += 1;
            }
            let matching: Vec<Vec<u8>> = client
                .patterns
                .iter()
                .filter(|pattern| crate::redis::commands::glob(pattern, channel, false))
                .cloned()
                .collect();
            for pattern in matching {
                client.push(&Reply::Push(vec![
                    Reply::text("pmessage"),
                    Reply::Bulk(pattern),
                    Reply::bulk(channel),
                    Reply::bulk(message),
                ]));
                receivers += 1;
            }
        }
        receivers
    }

    /// Sends a message to a shard channel.
    pub(crate) fn publish_shard(&mut self, channel: &[u8], message: &[u8]) -> i64 {
        let mut receivers = 0;
        for client in self.clients.values_mut().filter(|client| client.shard_channels.contains(channel)) {
            client.push(&Reply::Push(vec![
                Reply::text("smessage"),
                Reply::bulk(channel),
                Reply::bulk(message),
            ]));
            receivers += 1;
        }
        receivers
    }

    /// Shows a command to everybody who said MONITOR.
    pub(crate) fn monitor(&mut self, database: usize, source: &str, arguments: &[Vec<u8>]) {
        if !self.clients.values().any(|client| client.monitor) {
            return;
        }
        let now = self.host.clock.micros();
        let mut line = format!("{}.{:06} [{database} {source}]", now / 1_000_000, now % 1_000_000);
        for argument in arguments {
            line.push(' ');
            line.push_str(&quoted(argument));
        }
        let reply = Reply::Simple(line.into());
        for client in self.clients.values_mut().filter(|client| client.monitor) {
            client.push(&reply);
        }
    }

    /// Passes a write on to the replicas.
    pub(crate) fn replicate(&mut self, database: usize, arguments: &[Vec<u8>]) {
        if !self.clients.values().any(|client| client.replica.as_ref().is_some_and(|replica| replica.online))
        {
            return;
        }
        let mut bytes = Vec::new();
        if self.replicated_db != Some(database) {
            self.replicated_db = Some(database);
            Reply::bulks(["SELECT".to_owned(), database.to_string()]).emit(Protocol::Resp2, &mut bytes);
        }
        Reply::bulks(arguments.to_vec()).emit(Protocol::Resp2, &mut bytes);
        self.feed_replicas(bytes);
    }

    /// Sends bytes down the replication stream.
    pub(crate) fn feed_replicas(&mut self, bytes: Vec<u8>) {
        self.offset += bytes.len() as i64;
        let reply = Reply::Raw(bytes);
        let online = |replica: &super::Replica| replica.online;
        for client in self.clients.values_mut().filter(|client| client.replica.as_ref().is_some_and(online)) {
            client.push(&reply);
        }
    }

    /// Answers the waiting clients whose keys are ready, first come first served.
    pub(crate) fn serve_waiting(&mut self) {
        // One answer may make another key ready, as BLMOVE does; the rounds are bounded by the waiters.
        while !self.ready.is_empty() {
            let ready = std::mem::take(&mut self.ready);
            let mut waiting: Vec<(u64, u64)> = self
                .clients
                .iter()
                .filter_map(|(id, client)| {
                    let blocked = client.blocked.as_ref()?;
                    let concerned = ready.iter().any(|(database, key)| {
                        *database == client.database && blocked.keys.iter().any(|name| name == key)
                    });
                    concerned.then_some((blocked.order, *id))
                })
                .collect();
            waiting.sort_unstable();
            for (_, id) in waiting {
                self.retry(id);
            }
        }
    }

    fn retry(&mut self, id: u64) {
        let Some(blocked) = self.clients.get_mut(&id).and_then(|client| client.blocked.take()) else {
            return;
        };
        let now = self.now_ms();
        let database = self.clients.get(&id).map_or(0, |client| client.database);
        let before = self.dirty;
        let mut call =
            Call { state: self, id, args: &blocked.arguments, now, nested: false, retry: true, spent: 0 };
        let answer = super::dispatch::run_handler(&mut call);
        let reply = answer.unwrap_or_else(|fault| Reply::Error(fault.0));
        if self.dirty > before {
            self.replicate(database, &blocked.arguments);
        }
        let Some(client) = self.clients.get_mut(&id) else { return };
        if reply == Reply::nothing() {
            client.blocked = Some(blocked);
        } else {
            client.push(&reply);
        }
    }

    /// Ends a wait whose time is over.
    pub(crate) fn end_wait(&mut self, id: u64) {
        if let Some(client) = self.clients.get_mut(&id)
            && let Some(blocked) = client.blocked.take()
        {
            // A replica's wait ends with the data.
            if let (Reply::Raw(_), Some(replica)) = (&blocked.late, &mut client.replica) {
                replica.online = true;
            }
            client.push(&blocked.late);
        }
    }

    /// Forgets a connection.
    pub(crate) fn forget(&mut self, id: u64) {
        if let Some(client) = self.clients.remove(&id) {
            self.kept = self.kept.saturating_sub(client.kept);
        }
    }

    /// Closes every connection, as SHUTDOWN does.
    pub(crate) fn close_all(&mut self) {
        for client in self.clients.values_mut() {
            client.close = Close::Now;
            client.wake.notify_one();
        }
    }
}

impl Call<'_> {
    /// Remembers that a tracking client read a key.
    pub(crate) fn track(&mut self, key: &[u8]) {
        let caching = self.client().caching;
        let Some(tracking) = &mut self.client().tracking else { return };
        if tracking.broadcast
            || (tracking.opt_in && caching != Some(true))
            || (tracking.opt_out && caching == Some(false))
            || tracking.keys.contains(key)
        {
            return;
        }
        if self.keep(key.len()).is_ok()
            && let Some(tracking) = &mut self.client().tracking
        {
            tracking.keys.insert(key.to_vec());
        }
    }
}

/// Bytes in quotes as MONITOR and SLOWLOG of the product write them.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        match byte {
            b'\\' | b'"' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x20..=0x7e => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\x{other:02x}")),
        }
    }
    text.push('"');
    text
}

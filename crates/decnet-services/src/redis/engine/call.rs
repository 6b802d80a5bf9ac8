//! One command under way: the arguments, the client, and what handlers share.

use std::time::Duration;

use decnet_logging::event::Body;

use super::{Blocked, Client, Close, KEPT_BOUND, State};
use crate::redis::codec::{Protocol, Reply, number};
use crate::redis::persona::Release;
use crate::redis::store::{
    Database, Entry, Hash, List, MEMORY_BOUND, OBJECT_BOUND, Set, Stream, Value, Zset,
};

/// An error reply, without the dash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault(pub(crate) Vec<u8>);

impl From<&str> for Fault {
    fn from(text: &str) -> Fault {
        Fault(text.as_bytes().to_vec())
    }
}

impl From<String> for Fault {
    fn from(text: String) -> Fault {
        Fault(text.into_bytes())
    }
}

impl Fault {
    /// A text with some of the client's bytes in it.
    pub(crate) fn quoting(before: &str, bytes: &[u8], after: &str) -> Fault {
        Fault([before.as_bytes(), bytes, after.as_bytes()].concat())
    }
}

/// What a command gives.
pub(crate) type Answer = Result<Reply, Fault>;

pub(crate) const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
pub(crate) const SYNTAX: &str = "ERR syntax error";
pub(crate) const NOT_INTEGER: &str = "ERR value is not an integer or out of range";
pub(crate) const NOT_FLOAT: &str = "ERR value is not a valid float";
pub(crate) const NO_KEY: &str = "ERR no such key";
pub(crate) const OUT_OF_MEMORY: &str = "OOM command not allowed when used memory > 'maxmemory'.";
pub(crate) const OUT_OF_RANGE: &str = "ERR index out of range";

/// One command of one client.
pub(crate) struct Call<'a> {
    /// Everything.
    pub(crate) state: &'a mut State,
    /// Whose command it is.
    pub(crate) id: u64,
    /// The arguments, the command's name first.
    pub(crate) args: &'a [Vec<u8>],
    /// The present in milliseconds since 1970-01-01 UTC.
    pub(crate) now: i64,
    /// Whether it runs inside MULTI or a script, where nothing may wait.
    pub(crate) nested: bool,
    /// Whether a blocked command is being tried again.
    pub(crate) retry: bool,
    /// Bytes of replies so far.
    pub(crate) spent: usize,
}

impl Call<'_> {
    /// The client.
    pub(crate) fn client(&mut self) -> &mut Client {
        self.state.clients.entry(self.id).or_default()
    }

    /// The number of arguments, the name included.
    pub(crate) fn len(&self) -> usize {
        self.args.len()
    }

    /// An argument; empty where there is none.
    pub(crate) fn arg(&self, at: usize) -> &[u8] {
        self.args.get(at).map_or(&[], Vec::as_slice)
    }

    /// An argument as a lower-case word, for options.
    pub(crate) fn word(&self, at: usize) -> String {
        String::from_utf8_lossy(self.arg(at)).to_ascii_lowercase()
    }

    /// Whether an argument is this option.
    pub(crate) fn is(&self, at: usize, word: &str) -> bool {
        self.arg(at).eq_ignore_ascii_case(word.as_bytes())
    }

    /// An argument as an integer.
    pub(crate) fn integer(&self, at: usize) -> Result<i64, Fault> {
        number(self.arg(at)).ok_or_else(|| NOT_INTEGER.into())
    }

    /// An argument as a double.
    pub(crate) fn float(&self, at: usize) -> Result<f64, Fault> {
        float(self.arg(at)).ok_or_else(|| NOT_FLOAT.into())
    }

    /// The release.
    pub(crate) fn release(&self) -> Release {
        self.state.persona.release
    }

    /// Whether the release is this one or later.
    pub(crate) fn since(&self, major: u32, minor: u32) -> bool {
        self.release().since(major, minor)
    }

    /// Whether the client speaks RESP3.
    pub(crate) fn resp3(&mut self) -> bool {
        self.client().protocol == Protocol::Resp3
    }

    /// The number of the client's database.
    pub(crate) fn database_number(&mut self) -> usize {
        self.client().database
    }

    /// The client's database.
    pub(crate) fn db(&mut self) -> &mut Database {
        let number = self.database_number();
        // SELECT lets only existing numbers through; the first stands in for any other.
        let number = if number < self.state.databases.len() { number } else { 0 };
        &mut self.state.databases[number]
    }

    /// Takes a key away if its time has come.
    pub(crate) fn expire_if_due(&mut self, key: &[u8]) {
        let number = self.database_number();
        let now = self.now;
        self.state.expire_key(number, key, now);
    }

    /// Looks a key up to read it: counts hit or miss, notices bait, moves the idle time.
    pub(crate) fn look(&mut self, key: &[u8]) -> Option<&Value> {
        self.expire_if_due(key);
        let touch = !self.client().no_touch;
        let now = self.now;
        let (found, bait) = match self.db().get_mut(key) {
            Some(entry) => {
                if touch {
                    entry.used = now / 1000;
                    entry.frequency = entry.frequency.saturating_add(u8::from(entry.frequency < 12));
                }
                (true, entry.bait)
            }
            None => (false, false),
        };
        if found {
            self.state.stats.hits += 1;
        } else {
            self.state.stats.misses += 1;
        }
        self.track(key);
        if bait {
            self.touch_bait(key);
        }
        self.db().get(key).map(|entry| &entry.value)
    }

    fn touch_bait(&mut self, key: &[u8]) {
        let client = self.client();
        // The first few say it all; a dump of the whole keyspace is not a thousand alarms.
        if client.bait_seen.len() < 16 && client.bait_seen.insert(key.to_vec()) {
            let bait = String::from_utf8_lossy(key).into_owned();
            self.state.note(Body::BaitTouched { bait, planted_on: None });
        }
    }

    /// Whether a key is there.
    pub(crate) fn exists(&mut self, key: &[u8]) -> bool {
        self.expire_if_due(key);
        self.db().get(key).is_some()
    }

    /// A string to read.
    pub(crate) fn string(&mut self, key: &[u8]) -> Result<Option<&[u8]>, Fault> {
        match self.look(key) {
            None => Ok(None),
            Some(Value::String(bytes, _)) => Ok(Some(bytes)),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    /// A list to read.
    pub(crate) fn list(&mut self, key: &[u8]) -> Result<Option<&List>, Fault> {
        match self.look(key) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    /// A hash to read.
    pub(crate) fn hash(&mut self, key: &[u8]) -> Result<Option<&Hash>, Fault> {
        match self.look(key) {
            None => Ok(None),
            Some(Value::Hash(hash)) => Ok(Some(hash)),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    /// A set to read.
    pub(crate) fn set(&mut self, key: &[u8]) -> Result<Option<&Set>, Fault> {
        match self.look(key) {
            None => Ok(None),
            Some(Value::Set(set)) => Ok(Some(set)),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    /// A sorted set to read.
    pub(crate) fn zset(&mut self, key: &[u8]) -> Result<Option<&Zset>, Fault> {
        match self.look(key) {
            None => Ok(None),
            Some(Value::Zset(zset)) => Ok(Some(zset)),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    /// A stream to read.
    pub(crate) fn stream(&mut self, key: &[u8]) -> Result<Option<&Stream>, Fault> {
        match self.look(key) {
            None => Ok(None),
            Some(Value::Stream(stream)) => Ok(Some(stream)),
            Some(_) => Err(WRONG_TYPE.into()),
        }
    }

    /// A value to change, made by `make` where the key is missing. [`Self::changed`] must follow.
    fn make_or_find(&mut self, key: &[u8], make: impl FnOnce(u64) -> Value) -> &mut Value {
        self.expire_if_due(key);
        let (now, seed) = (self.now, self.state.hash_seed());
        let entry = self.db().entry(key, || Entry::new(make(seed), now));
        entry.used = now / 1000;
        &mut entry.value
    }

    /// A string to change. Where the key is new and the command then fails, it must be removed again;
    /// so callers check before.
    pub(crate) fn string_mut(&mut self, key: &[u8]) -> Result<&mut Vec<u8>, Fault> {
        match self.make_or_find(key, |_| Value::String(Vec::new(), true)) {
            Value::String(bytes, raw) => {
                *raw = true;
                Ok(bytes)
            }
            _ => Err(WRONG_TYPE.into()),
        }
    }

    /// A list to change.
    pub(crate) fn list_mut(&mut self, key: &[u8]) -> Result<&mut List, Fault> {
        match self.make_or_find(key, |_| Value::List(List::default())) {
            Value::List(list) => Ok(list),
            _ => Err(WRONG_TYPE.into()),
        }
    }

    /// A hash to change.
    pub(crate) fn hash_mut(&mut self, key: &[u8]) -> Result<&mut Hash, Fault> {
        match self.make_or_find(key, |seed| Value::Hash(Hash::new(seed))) {
            Value::Hash(hash) => Ok(hash),
            _ => Err(WRONG_TYPE.into()),
        }
    }

    /// A set to change.
    pub(crate) fn set_mut(&mut self, key: &[u8]) -> Result<&mut Set, Fault> {
        match self.make_or_find(key, |_| Value::Set(Set::new())) {
            Value::Set(set) => Ok(set),
            _ => Err(WRONG_TYPE.into()),
        }
    }

    /// A sorted set to change.
    pub(crate) fn zset_mut(&mut self, key: &[u8]) -> Result<&mut Zset, Fault> {
        match self.make_or_find(key, |_| Value::Zset(Zset::default())) {
            Value::Zset(zset) => Ok(zset),
            _ => Err(WRONG_TYPE.into()),
        }
    }

    /// A stream to change.
    pub(crate) fn stream_mut(&mut self, key: &[u8]) -> Result<&mut Stream, Fault> {
        match self.make_or_find(key, |_| Value::Stream(Box::default())) {
            Value::Stream(stream) => Ok(stream),
            _ => Err(WRONG_TYPE.into()),
        }
    }

    /// Puts a value in the place of whatever was there, without a time to live.
    pub(crate) fn put(&mut self, key: &[u8], value: Value) {
        let entry = Entry::new(value, self.now);
        self.db().put(key, entry);
    }

    /// Puts a value, or removes the key where the value is empty, as the STORE commands do.
    pub(crate) fn store(&mut self, key: &[u8], value: Value, event: &str, kind: char) -> i64 {
        let length = value.len() as i64;
        if length == 0 {
            if self.delete(key) {
                self.changed(key, "del", 'g');
            }
        } else {
            self.put(key, value);
            self.changed(key, event, kind);
        }
        length
    }

    /// Takes a key out; whether it was there.
    pub(crate) fn delete(&mut self, key: &[u8]) -> bool {
        self.expire_if_due(key);
        self.db().remove(key).is_some()
    }

    /// Says that a key changed: weighs it, removes it where nothing is left, breaks watches, wakes
    /// waiters, tells tracking clients and listeners of keyspace events.
    pub(crate) fn changed(&mut self, key: &[u8], event: &str, kind: char) {
        self.state.dirty += 1;
        let number = self.database_number();
        let db = self.db();
        let vanished = db.get(key).is_some_and(|entry| entry.value.vanishes());
        if vanished {
            db.remove(key);
        } else {
            db.weigh(key);
        }
        self.state.signal(number, key, Some(self.id));
        self.state.notify(number, key, event, kind);
        if vanished {
            self.state.notify(number, key, "del", 'g');
        }
    }

    /// Checks that `bytes` more would fit.
    pub(crate) fn room(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.state.data_weight().saturating_add(bytes) > MEMORY_BOUND
            || self.state.objects() >= OBJECT_BOUND
        {
            let count = self.state.data_weight() as u64;
            self.state.note(Body::LimitReached { limit: "keyspace".to_owned(), count });
            return Err(OUT_OF_MEMORY.into());
        }
        Ok(())
    }

    /// Counts bytes of a reply that repeats stored values; past the bound the connection is closed as the
    /// product does past its output buffer limit.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), Fault> {
        self.spent += bytes + 16;
        if self.spent > super::REPLY_BOUND {
            self.client().close = Close::Limit("reply bytes");
            return Err("ERR client output buffer limit reached".into());
        }
        Ok(())
    }

    /// Keeps bytes for the client besides keys; past the bound the connection is closed.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), Fault> {
        let bytes = bytes + 64;
        if self.state.kept + bytes > KEPT_BOUND {
            self.client().close = Close::Limit("kept bytes");
            return Err(OUT_OF_MEMORY.into());
        }
        self.state.kept += bytes;
        self.client().kept += bytes;
        Ok(())
    }

    /// Lets go of bytes that were kept for the client.
    pub(crate) fn let_go(&mut self, bytes: usize) {
        let bytes = (bytes + 64).min(self.client().kept);
        self.client().kept -= bytes;
        self.state.kept = self.state.kept.saturating_sub(bytes);
    }

    /// Keeps bytes that outlive the client.
    pub(crate) fn keep_forever(&mut self, bytes: usize) -> Result<(), Fault> {
        if self.state.kept + bytes + 64 > KEPT_BOUND {
            return Err(OUT_OF_MEMORY.into());
        }
        self.state.kept += bytes + 64;
        Ok(())
    }

    /// Makes the client wait for keys; inside MULTI and scripts it gets the late answer at once.
    pub(crate) fn block(&mut self, keys: Vec<Vec<u8>>, timeout: Option<f64>, late: Reply) -> Answer {
        let arguments = self.args.to_vec();
        self.block_with(keys, arguments, timeout, late)
    }

    /// As [`Self::block`], with other arguments for the next try.
    pub(crate) fn block_with(
        &mut self,
        keys: Vec<Vec<u8>>,
        arguments: Vec<Vec<u8>>,
        timeout: Option<f64>,
        late: Reply,
    ) -> Answer {
        if self.nested {
            return Ok(late);
        }
        if self.retry {
            return Ok(Reply::nothing());
        }
        let wait = timeout
            .filter(|seconds| *seconds > 0.0)
            .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        let order = self.state.stats.commands;
        self.client().blocked = Some(Blocked { keys, arguments, wait, late, order });
        Ok(Reply::nothing())
    }

    /// A timeout in seconds, as BLPOP and kin take it.
    pub(crate) fn timeout(&self, at: usize) -> Result<f64, Fault> {
        let seconds = if self.since(6, 0) {
            float(self.arg(at)).ok_or("ERR timeout is not a float or out of range")?
        } else {
            number(self.arg(at)).ok_or("ERR timeout is not an integer or out of range")? as f64
        };
        if seconds < 0.0 {
            return Err("ERR timeout is negative".into());
        }
        if !seconds.is_finite() || seconds > 9.2e15 {
            return Err("ERR timeout is out of range".into());
        }
        Ok(seconds)
    }

    /// A random number below `bound`.
    pub(crate) fn random(&self, bound: usize) -> usize {
        self.state.host.entropy.between(0, bound.saturating_sub(1) as u64) as usize
    }

    /// The error for a wrong number of arguments of a command or `container|subcommand`.
    pub(crate) fn arity(name: &str) -> Fault {
        format!("ERR wrong number of arguments for '{name}' command").into()
    }
}

/// A double as the product's string2d reads it.
pub(crate) fn float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() || text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return None;
    }
    let number = match text.to_ascii_lowercase().trim_start_matches('+') {
        "inf" | "infinity" => f64::INFINITY,
        "-inf" | "-infinity" => f64::NEG_INFINITY,
        "nan" | "-nan" => return None,
        plain => plain.parse::<f64>().ok()?,
    };
    (!number.is_nan()).then_some(number)
}

/// The sum of two texts that read as doubles, as INCRBYFLOAT writes it; `None` where it is no number.
pub(crate) fn float_sum(a: &[u8], b: &[u8]) -> Option<String> {
    let total = float(a)? + float(b)?;
    if !total.is_finite() {
        return None;
    }
    Some(super::long_double::sum(a, b).unwrap_or_else(|| {
        let plain = format!("{total:.17}");
        plain.trim_end_matches('0').trim_end_matches('.').to_owned()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_read_as_strtod_does() {
        assert_eq!(float(b"1e3"), Some(1000.0));
        assert_eq!(float(b"+inf"), Some(f64::INFINITY));
        for bad in ["", " 1", "1 ", "nan", "abc", "1,5"] {
            assert_eq!(float(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(float_sum(b"10.5", b"0.1").as_deref(), Some("10.6"));
        assert_eq!(float_sum(b"1e308", b"1e308"), None);
    }
}

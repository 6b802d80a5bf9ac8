//! Keys of any type.

use super::glob;
use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, DATABASES, Fault, NO_KEY, SYNTAX};
use crate::redis::store::rdb;

pub(super) const HANDLERS: super::Group = &[
    ("copy", copy),
    ("dbsize", dbsize),
    ("del", del),
    ("dump", dump),
    ("exists", exists),
    ("expire", |call| expire(call, 1000, true)),
    ("expireat", |call| expire(call, 1000, false)),
    ("expiretime", |call| ttl(call, 1000, false)),
    ("flushall", |call| flush(call, true)),
    ("flushdb", |call| flush(call, false)),
    ("keys", keys),
    ("migrate", migrate),
    ("move", move_key),
    ("object|encoding", object_encoding),
    ("object|freq", object_freq),
    ("object|idletime", object_idletime),
    ("object|refcount", object_refcount),
    ("persist", persist),
    ("pexpire", |call| expire(call, 1, true)),
    ("pexpireat", |call| expire(call, 1, false)),
    ("pexpiretime", |call| ttl(call, 1, false)),
    ("pttl", |call| ttl(call, 1, true)),
    ("randomkey", randomkey),
    ("rename", |call| rename(call, false)),
    ("renamenx", |call| rename(call, true)),
    ("restore", restore),
    ("restore-asking", restore),
    ("scan", scan),
    ("swapdb", swapdb),
    ("touch", exists),
    ("ttl", |call| ttl(call, 1000, true)),
    ("type", kind),
    ("unlink", del),
];

fn del(call: &mut Call<'_>) -> Answer {
    let mut removed = 0;
    for at in 1..call.len() {
        let key = call.arg(at).to_vec();
        if call.delete(&key) {
            call.changed(&key, "del", 'g');
            removed += 1;
        }
    }
    Ok(Reply::Integer(removed))
}

fn exists(call: &mut Call<'_>) -> Answer {
    let mut found = 0;
    for at in 1..call.len() {
        let key = call.arg(at).to_vec();
        found += i64::from(call.look(&key).is_some());
    }
    Ok(Reply::Integer(found))
}

fn kind(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let word = if call.exists(&key) {
        call.db().get(&key).map_or("none", |entry| entry.value.shape().word())
    } else {
        "none"
    };
    Ok(Reply::Simple(word.into()))
}

fn expire(call: &mut Call<'_>, unit: i64, relative: bool) -> Answer {
    let key = call.arg(1).to_vec();
    let value = call.integer(2)?;
    let (mut nx, mut xx, mut gt, mut lt) = (false, false, false, false);
    if call.len() > 3 && !call.since(7, 0) {
        return Err(Call::arity(&call.word(0)));
    }
    for at in 3..call.len() {
        match call.word(at).as_str() {
            "nx" => nx = true,
            "xx" => xx = true,
            "gt" => gt = true,
            "lt" => lt = true,
            _ => return Err(Fault::quoting("ERR Unsupported option ", call.arg(at), "")),
        }
    }
    if nx && (xx || gt || lt) {
        return Err("ERR NX and XX, GT or LT options at the same time are not compatible".into());
    }
    if gt && lt {
        return Err("ERR GT and LT options at the same time are not compatible".into());
    }
    let invalid = || -> Fault {
        let name = call.word(0);
        if call.since(7, 0) {
            format!("ERR invalid expire time in '{name}' command").into()
        } else {
            format!("ERR invalid expire time in {name}").into()
        }
    };
    let at = value.checked_mul(unit).ok_or_else(invalid)?;
    let at = if relative { at.checked_add(call.now).ok_or_else(invalid)? } else { at };
    if !call.exists(&key) {
        return Ok(Reply::Integer(0));
    }
    let old = call.db().get(&key).and_then(|entry| entry.expires);
    let refused = (nx && old.is_some())
        || (xx && old.is_none())
        || (gt && old.is_none_or(|old| at <= old))
        || (lt && old.is_some_and(|old| at >= old));
    if refused {
        return Ok(Reply::Integer(0));
    }
    if at <= call.now {
        call.delete(&key);
        call.changed(&key, "del", 'g');
    } else {
        call.db().expire(&key, Some(at));
        call.changed(&key, "expire", 'g');
    }
    Ok(Reply::Integer(1))
}

fn persist(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if !call.exists(&key) || call.db().get(&key).is_none_or(|entry| entry.expires.is_none()) {
        return Ok(Reply::Integer(0));
    }
    call.db().expire(&key, None);
    call.changed(&key, "persist", 'g');
    Ok(Reply::Integer(1))
}

fn ttl(call: &mut Call<'_>, unit: i64, relative: bool) -> Answer {
    let key = call.arg(1).to_vec();
    if !call.exists(&key) {
        return Ok(Reply::Integer(-2));
    }
    let now = call.now;
    Ok(Reply::Integer(match call.db().get(&key).and_then(|entry| entry.expires) {
        None => -1,
        Some(at) if relative => ((at - now).max(0) + unit / 2) / unit,
        Some(at) => (at + unit / 2) / unit,
    }))
}

fn keys(call: &mut Call<'_>) -> Answer {
    let pattern = call.arg(1).to_vec();
    let now = call.now;
    let found: Vec<Vec<u8>> = call
        .db()
        .keys()
        .iter()
        .filter(|(_, entry)| entry.expires.is_none_or(|at| at > now))
        .filter(|(key, _)| glob(&pattern, key, false))
        .map(|(key, _)| key.to_vec())
        .collect();
    Ok(Reply::bulks(found))
}

/// MATCH, COUNT and TYPE of the SCAN family.
pub(super) struct ScanOptions {
    /// About how many to visit.
    pub(super) count: usize,
    pattern: Option<Vec<u8>>,
    shape: Option<String>,
}

impl ScanOptions {
    /// Whether a name passes MATCH.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| glob(pattern, name, false))
    }
}

/// The cursor and the options of a SCAN command whose cursor is argument `at`.
pub(super) fn scan_options(call: &Call<'_>, at: usize) -> Result<(u64, ScanOptions), Fault> {
    let text = std::str::from_utf8(call.arg(at)).unwrap_or("x");
    let cursor: u64 = text.parse().map_err(|_| "ERR invalid cursor")?;
    let mut options = ScanOptions { count: 10, pattern: None, shape: None };
    let mut i = at + 1;
    while i < call.len() {
        if i + 1 >= call.len() {
            return Err(SYNTAX.into());
        }
        match call.word(i).as_str() {
            "count" => {
                let count = call.integer(i + 1)?;
                options.count = usize::try_from(count).ok().filter(|count| *count > 0).ok_or(SYNTAX)?;
            }
            "match" => options.pattern = Some(call.arg(i + 1).to_vec()),
            "type" if at == 1 && call.since(6, 0) => options.shape = Some(call.word(i + 1)),
            _ => return Err(SYNTAX.into()),
        }
        i += 2;
    }
    Ok((cursor, options))
}

/// The reply of a SCAN command.
pub(super) fn scan_reply(cursor: u64, found: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::text(cursor.to_string()), Reply::Array(found)])
}

fn scan(call: &mut Call<'_>) -> Answer {
    let (cursor, options) = scan_options(call, 1)?;
    let now = call.now;
    let mut found = Vec::new();
    let next = call.db().keys().scan(cursor, options.count, |key, entry| {
        let alive = entry.expires.is_none_or(|at| at > now);
        let fits = options.shape.as_ref().is_none_or(|shape| entry.value.shape().word() == shape);
        if alive && fits && options.matches(key) {
            found.push(Reply::bulk(key));
        }
    });
    Ok(scan_reply(next, found))
}

fn randomkey(call: &mut Call<'_>) -> Answer {
    let now = call.now;
    let host = std::sync::Arc::clone(&call.state.host);
    for _ in 0..100 {
        let number = |bound: usize| host.entropy.between(0, bound.saturating_sub(1) as u64) as usize;
        let found = call.db().keys().random(number).map(|(key, entry)| (key.to_vec(), entry.expires));
        match found {
            None => return Ok(Reply::Null),
            Some((key, expires)) if expires.is_none_or(|at| at > now) => return Ok(Reply::Bulk(key)),
            Some((key, _)) => call.expire_if_due(&key),
        }
    }
    Ok(Reply::Null)
}

fn dbsize(call: &mut Call<'_>) -> Answer {
    Ok(Reply::Integer(call.db().len() as i64))
}

fn flush(call: &mut Call<'_>, all: bool) -> Answer {
    let lazy = call.len() == 2
        && ((call.is(1, "async") && call.since(4, 0)) || (call.is(1, "sync") && call.since(6, 2)));
    if call.len() > 2 || (call.len() == 2 && !lazy) {
        return Err(SYNTAX.into());
    }
    let selected = call.database_number();
    let seed = call.state.hash_seed();
    let mut gone = 0;
    for number in 0..call.state.databases.len() {
        if !all && number != selected {
            continue;
        }
        let keys: Vec<Vec<u8>> =
            call.state.databases[number].keys().iter().map(|(key, _)| key.to_vec()).collect();
        call.state.databases[number].clear(seed.wrapping_add(number as u64));
        gone += keys.len();
        // Only what somebody watches or waits for need be told.
        for key in keys {
            call.state.signal(number, &key, Some(call.id));
        }
    }
    call.state.dirty += gone as i64 + 1;
    let object = if all { "all databases".to_owned() } else { format!("database {selected}") };
    call.state.note(decnet_logging::event::Body::StateChanged {
        object,
        old: Some(format!("{gone} keys")),
        new: "empty".to_owned(),
    });
    Ok(Reply::OK)
}

fn rename(call: &mut Call<'_>, only_new: bool) -> Answer {
    let (from, to) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    if !call.exists(&from) {
        return Err(NO_KEY.into());
    }
    if from == to {
        return Ok(if only_new { Reply::Integer(0) } else { Reply::OK });
    }
    if only_new && call.exists(&to) {
        return Ok(Reply::Integer(0));
    }
    if let Some(entry) = call.db().remove(&from) {
        call.db().put(&to, entry);
    }
    call.changed(&from, "rename_from", 'g');
    call.changed(&to, "rename_to", 'g');
    Ok(if only_new { Reply::Integer(1) } else { Reply::OK })
}

fn database_argument(call: &Call<'_>, at: usize) -> Result<usize, Fault> {
    let number = call.integer(at)?;
    usize::try_from(number)
        .ok()
        .filter(|number| *number < DATABASES)
        .ok_or_else(|| "ERR DB index is out of range".into())
}

fn move_key(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let from = call.database_number();
    let to = if call.since(6, 2) {
        database_argument(call, 2)?
    } else {
        database_argument(call, 2).map_err(|_| "ERR index out of range")?
    };
    if from == to {
        return Err("ERR source and destination objects are the same".into());
    }
    let now = call.now;
    call.expire_if_due(&key);
    call.state.expire_key(to, &key, now);
    if call.state.databases[to].get(&key).is_some() {
        return Ok(Reply::Integer(0));
    }
    let Some(entry) = call.db().remove(&key) else { return Ok(Reply::Integer(0)) };
    call.state.databases[to].put(&key, entry);
    call.changed(&key, "move_from", 'g');
    call.state.signal(to, &key, Some(call.id));
    Ok(Reply::Integer(1))
}

fn copy(call: &mut Call<'_>) -> Answer {
    let (from, to) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let source = call.database_number();
    let mut target = source;
    let mut replace = false;
    let mut at = 3;
    while at < call.len() {
        match call.word(at).as_str() {
            "replace" => replace = true,
            "db" if at + 1 < call.len() => {
                target = database_argument(call, at + 1)?;
                at += 1;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if source == target && from == to {
        return Err("ERR source and destination objects are the same".into());
    }
    let Some(value) = call.look(&from).cloned() else { return Ok(Reply::Integer(0)) };
    let expires = call.db().get(&from).and_then(|entry| entry.expires);
    let now = call.now;
    call.state.expire_key(target, &to, now);
    if call.state.databases[target].get(&to).is_some() && !replace {
        return Ok(Reply::Integer(0));
    }
    call.room(value.weight())?;
    let mut entry = crate::redis::store::Entry::new(value, now);
    entry.expires = expires;
    call.state.databases[target].put(&to, entry);
    call.state.dirty += 1;
    call.state.signal(target, &to, Some(call.id));
    call.state.notify(target, &to, "copy_to", 'g');
    Ok(Reply::Integer(1))
}

fn swapdb(call: &mut Call<'_>) -> Answer {
    let first = number(call.arg(1)).ok_or("ERR invalid first DB index")?;
    let second = number(call.arg(2)).ok_or("ERR invalid second DB index")?;
    let known = |number: i64| usize::try_from(number).ok().filter(|number| *number < DATABASES);
    let (Some(first), Some(second)) = (known(first), known(second)) else {
        return Err("ERR DB index is out of range".into());
    };
    call.state.databases.swap(first, second);
    call.state.dirty += 1;
    Ok(Reply::OK)
}

fn object_value<'a>(call: &'a mut Call<'_>) -> Option<&'a crate::redis::store::Entry> {
    let key = call.arg(2).to_vec();
    call.expire_if_due(&key);
    call.db().get(&key)
}

fn object_encoding(call: &mut Call<'_>) -> Answer {
    let rules = call.state.encoding();
    match object_value(call) {
        Some(entry) => {
            let encoding = entry.value.encoding(rules);
            Ok(Reply::text(encoding))
        }
        None => Ok(Reply::Null),
    }
}

fn object_refcount(call: &mut Call<'_>) -> Answer {
    match object_value(call) {
        // Small integers are shared objects, unless maxmemory needs an idle time for each of them.
        Some(_) => Ok(Reply::Integer(1)),
        None => Ok(Reply::Null),
    }
}

fn lfu(call: &Call<'_>) -> bool {
    call.state.setting("maxmemory-policy").ends_with(b"lfu")
}

fn object_idletime(call: &mut Call<'_>) -> Answer {
    let now = call.now / 1000;
    let lfu = lfu(call);
    match object_value(call).map(|entry| entry.used) {
        Some(_) if lfu => Err("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that \
                               when switching between policies at runtime LRU and LFU data will take some time to \
                               adjust."
            .into()),
        Some(used) => Ok(Reply::Integer((now - used).max(0))),
        None => Ok(Reply::Null),
    }
}

fn object_freq(call: &mut Call<'_>) -> Answer {
    let lfu = lfu(call);
    match object_value(call).map(|entry| entry.frequency) {
        Some(frequency) if lfu => Ok(Reply::Integer(i64::from(frequency))),
        Some(_) => Err("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
                        that when switching between policies at runtime LRU and LFU data will take some time to \
                        adjust."
            .into()),
        None => Ok(Reply::Null),
    }
}

fn dump(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let release = call.release();
    let rules = call.state.encoding();
    Ok(Reply::maybe(call.look(&key).map(|value| rdb::dump(value, release, rules))))
}

fn restore(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (mut replace, mut absolute) = (false, false);
    let mut at = 4;
    while at < call.len() {
        match call.word(at).as_str() {
            "replace" => replace = true,
            "absttl" if call.since(5, 0) => absolute = true,
            "idletime" | "freq" if call.since(5, 0) && at + 1 < call.len() => {
                if call.integer(at + 1)? < 0 {
                    return Err("ERR Invalid IDLETIME value, must be >= 0".into());
                }
                at += 1;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if !replace && call.exists(&key) {
        return Err("BUSYKEY Target key name already exists.".into());
    }
    let ttl = call.integer(2)?;
    if ttl < 0 {
        return Err("ERR Invalid TTL value, must be >= 0".into());
    }
    let (release, rules, seed) = (call.release(), call.state.encoding(), call.state.hash_seed());
    let payload = call.arg(3).to_vec();
    if !rdb::verify(&payload, release) {
        return Err("ERR DUMP payload version or checksum are wrong".into());
    }
    let value = rdb::load(&payload, rules, seed).ok_or("ERR Bad data format")?;
    call.room(value.weight())?;
    let expires = match ttl {
        0 => None,
        ttl if absolute => Some(ttl),
        ttl => Some(ttl.saturating_add(call.now)),
    };
    if expires.is_some_and(|at| at <= call.now) {
        call.delete(&key);
        return Ok(Reply::OK);
    }
    call.put(&key, value);
    call.db().expire(&key, expires);
    call.changed(&key, "restore", 'g');
    Ok(Reply::OK)
}

/// MIGRATE would have the server connect elsewhere. It finds nothing there.
fn migrate(call: &mut Call<'_>) -> Answer {
    call.integer(5)?;
    call.integer(4)?;
    let mut at = 6;
    let mut first = 3;
    let mut count = 1;
    while at < call.len() {
        match call.word(at).as_str() {
            "copy" | "replace" => {}
            "auth" if at + 1 < call.len() => at += 1,
            "auth2" if at + 2 < call.len() => at += 2,
            "keys" => {
                if !call.arg(3).is_empty() {
                    return Err(
                        "ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
                                string"
                            .into(),
                    );
                }
                first = at + 1;
                count = call.len() - first;
                break;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    let mut found = false;
    for at in first..first + count {
        let key = call.arg(at).to_vec();
        found |= call.exists(&key);
    }
    if !found {
        return Ok(Reply::Simple("NOKEY".into()));
    }
    let url =
        format!("redis://{}:{}", String::from_utf8_lossy(call.arg(1)), String::from_utf8_lossy(call.arg(2)));
    call.state.note(decnet_logging::event::Body::FileDownload {
        name: None,
        url: Some(url),
        direction: decnet_logging::event::Direction::Requested,
        size: None,
        bait: None,
    });
    Err("IOERR error or timeout connecting to the client".into())
}

//! Strings.

use crate::redis::codec::{MAX_BULK, Reply, number};
use crate::redis::engine::{
    Answer, Call, Fault, NOT_FLOAT, NOT_INTEGER, SYNTAX, WRONG_TYPE, float, float_sum,
};
use crate::redis::store::Value;

pub(super) const HANDLERS: super::Group = &[
    ("append", append),
    ("decr", |call| increment(call, -1)),
    ("decrby", decrby),
    ("get", get),
    ("getdel", getdel),
    ("getex", getex),
    ("getrange", getrange),
    ("getset", getset),
    ("incr", |call| increment(call, 1)),
    ("incrby", |call| {
        let by = call.integer(2)?;
        increment(call, by)
    }),
    ("incrbyfloat", incrbyfloat),
    ("lcs", lcs),
    ("mget", mget),
    ("mset", |call| mset(call, false)),
    ("msetnx", |call| mset(call, true)),
    ("psetex", |call| setex(call, 1)),
    ("set", set),
    ("setex", |call| setex(call, 1000)),
    ("setnx", setnx),
    ("setrange", setrange),
    ("strlen", strlen),
    ("substr", getrange),
];

fn get(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::maybe(call.string(&key)?.map(<[u8]>::to_vec)))
}

/// An expiry option and its argument as an absolute time in milliseconds.
pub(super) fn expiry(call: &Call<'_>, option: &str, at: usize, command: &str) -> Result<i64, Fault> {
    let value = call.integer(at)?;
    let (unit, relative) = match option {
        "ex" => (1000, true),
        "px" => (1, true),
        "exat" => (1000, false),
        _ => (1, false),
    };
    let invalid = || {
        if call.since(7, 0) {
            Fault::from(format!("ERR invalid expire time in '{command}' command"))
        } else {
            Fault::from(format!("ERR invalid expire time in {command}"))
        }
    };
    let ms = value.checked_mul(unit).filter(|ms| *ms > 0).ok_or_else(invalid)?;
    if relative { ms.checked_add(call.now).ok_or_else(invalid) } else { Ok(ms) }
}

fn set(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (mut nx, mut xx, mut get, mut keep) = (false, false, false, false);
    let mut expires = None;
    let mut at = 3;
    while at < call.len() {
        let option = call.word(at);
        let more = at + 1 < call.len();
        match option.as_str() {
            "nx" if !xx => nx = true,
            "xx" if !nx => xx = true,
            "get" if call.since(6, 2) => get = true,
            "keepttl" if call.since(6, 0) && expires.is_none() => keep = true,
            "ex" | "px" if more && expires.is_none() && !keep => {
                expires = Some((option, at + 1));
                at += 1;
            }
            "exat" | "pxat" if more && call.since(6, 2) && expires.is_none() && !keep => {
                expires = Some((option, at + 1));
                at += 1;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if get && nx && !call.since(7, 0) {
        return Err(SYNTAX.into());
    }
    let expires = match expires {
        Some((option, at)) => Some(expiry(call, &option, at, "set")?),
        None => None,
    };
    let old = if get { Some(call.string(&key)?.map(<[u8]>::to_vec)) } else { None };
    let exists = call.exists(&key);
    if (nx && exists) || (xx && !exists) {
        return Ok(old.map_or(Reply::Null, Reply::maybe));
    }
    let kept = if keep { call.db().get(&key).and_then(|entry| entry.expires) } else { None };
    let value = call.arg(2).to_vec();
    call.put(&key, Value::string(value));
    call.db().expire(&key, expires.or(kept));
    call.changed(&key, "set", '$');
    if expires.is_some() {
        let number = call.database_number();
        call.state.notify(number, &key, "expire", 'g');
    }
    Ok(old.map_or(Reply::OK, Reply::maybe))
}

fn setnx(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if call.exists(&key) {
        return Ok(Reply::Integer(0));
    }
    let value = call.arg(2).to_vec();
    call.put(&key, Value::string(value));
    call.changed(&key, "set", '$');
    Ok(Reply::Integer(1))
}

fn setex(call: &mut Call<'_>, unit: i64) -> Answer {
    let key = call.arg(1).to_vec();
    let (option, command) = if unit == 1 { ("px", "psetex") } else { ("ex", "setex") };
    let expires = expiry(call, option, 2, command)?;
    let value = call.arg(3).to_vec();
    call.put(&key, Value::string(value));
    call.db().expire(&key, Some(expires));
    call.changed(&key, "set", '$');
    let number = call.database_number();
    call.state.notify(number, &key, "expire", 'g');
    Ok(Reply::OK)
}

fn getset(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let old = call.string(&key)?.map(<[u8]>::to_vec);
    let value = call.arg(2).to_vec();
    call.put(&key, Value::string(value));
    call.changed(&key, "set", '$');
    Ok(Reply::maybe(old))
}

fn getdel(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let old = call.string(&key)?.map(<[u8]>::to_vec);
    if old.is_some() {
        call.delete(&key);
        call.changed(&key, "del", 'g');
    }
    Ok(Reply::maybe(old))
}

fn getex(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let mut expires = None;
    match (call.len(), call.word(2).as_str()) {
        (2, _) => {}
        (3, "persist") => expires = Some(None),
        (4, option @ ("ex" | "px" | "exat" | "pxat")) => {
            let option = option.to_owned();
            // The key comes first: a missing one is nil, whatever the time says, but a bad number is not.
            call.integer(3)?;
            expires = Some(Some(expiry(call, &option, 3, "getex")?));
        }
        _ => return Err(SYNTAX.into()),
    }
    let value = call.string(&key)?.map(<[u8]>::to_vec);
    if let (Some(expires), true) = (expires, value.is_some()) {
        match expires {
            Some(at) if at <= call.now => {
                call.delete(&key);
                call.changed(&key, "del", 'g');
            }
            at => {
                call.db().expire(&key, at);
                call.changed(&key, if at.is_some() { "expire" } else { "persist" }, 'g');
            }
        }
    }
    Ok(Reply::maybe(value))
}

fn mget(call: &mut Call<'_>) -> Answer {
    let mut values = Vec::new();
    for at in 1..call.len() {
        let key = call.arg(at).to_vec();
        let value = match call.look(&key) {
            Some(Value::String(bytes, _)) => Some(bytes.clone()),
            _ => None,
        };
        call.spend(value.as_ref().map_or(0, Vec::len))?;
        values.push(Reply::maybe(value));
    }
    Ok(Reply::Array(values))
}

fn mset(call: &mut Call<'_>, only_new: bool) -> Answer {
    if call.len().is_multiple_of(2) {
        return Err(if call.since(7, 0) {
            Call::arity(if only_new { "msetnx" } else { "mset" })
        } else {
            "ERR wrong number of arguments for MSET".into()
        });
    }
    if only_new {
        for at in (1..call.len()).step_by(2) {
            let key = call.arg(at).to_vec();
            if call.exists(&key) {
                return Ok(Reply::Integer(0));
            }
        }
    }
    for at in (1..call.len()).step_by(2) {
        let (key, value) = (call.arg(at).to_vec(), call.arg(at + 1).to_vec());
        call.put(&key, Value::string(value));
        call.changed(&key, "set", '$');
    }
    Ok(if only_new { Reply::Integer(1) } else { Reply::OK })
}

fn decrby(call: &mut Call<'_>) -> Answer {
    let by = call.integer(2)?;
    let Some(by) = by.checked_neg() else { return Err("ERR decrement would overflow".into()) };
    increment(call, by)
}

fn increment(call: &mut Call<'_>, by: i64) -> Answer {
    let key = call.arg(1).to_vec();
    let old = match call.string(&key)? {
        Some(bytes) => number(bytes).ok_or(NOT_INTEGER)?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
    replace(call, &key, new.to_string().into_bytes(), if by < 0 { "decrby" } else { "incrby" });
    Ok(Reply::Integer(new))
}

fn incrbyfloat(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let old = call.string(&key)?.map_or_else(|| b"0".to_vec(), <[u8]>::to_vec);
    float(&old).ok_or(NOT_FLOAT)?;
    call.float(2)?;
    let text = float_sum(&old, call.arg(2)).ok_or("ERR increment would produce NaN or Infinity")?;
    replace(call, &key, text.clone().into_bytes(), "incrbyfloat");
    Ok(Reply::text(text))
}

/// Puts a new value and leaves the time to live as it was.
pub(super) fn replace(call: &mut Call<'_>, key: &[u8], value: Vec<u8>, event: &str) {
    let expires = call.db().get(key).and_then(|entry| entry.expires);
    call.put(key, Value::string(value));
    call.db().expire(key, expires);
    call.changed(key, event, '$');
}

/// Checks the size that a string would get.
pub(super) fn fits(call: &mut Call<'_>, length: u64, more: u64) -> Result<(), Fault> {
    if length > MAX_BULK as u64 {
        return Err(if call.since(6, 2) {
            "ERR string exceeds maximum allowed size (proto-max-bulk-len)".into()
        } else {
            "ERR string exceeds maximum allowed size (512MB)".into()
        });
    }
    call.room(more as usize)
}

fn append(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let old = call.string(&key)?.map(<[u8]>::len);
    let more = call.arg(2).len();
    fits(call, (old.unwrap_or(0) + more) as u64, more as u64)?;
    let tail = call.arg(2).to_vec();
    let length = match old {
        Some(_) => {
            let bytes = call.string_mut(&key)?;
            bytes.extend_from_slice(&tail);
            bytes.len()
        }
        // A new string is an ordinary one, with the encoding of SET.
        None => {
            call.put(&key, Value::string(tail));
            more
        }
    };
    call.changed(&key, "append", '$');
    Ok(Reply::Integer(length as i64))
}

fn strlen(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(call.string(&key)?.map_or(0, <[u8]>::len) as i64))
}

fn setrange(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let offset = call.integer(2)?;
    let Ok(offset) = u64::try_from(offset) else { return Err("ERR offset is out of range".into()) };
    let patch = call.arg(3).to_vec();
    let old = call.string(&key)?.map_or(0, <[u8]>::len);
    if patch.is_empty() {
        return Ok(Reply::Integer(old as i64));
    }
    let end = offset.saturating_add(patch.len() as u64);
    fits(call, end, end.saturating_sub(old as u64))?;
    let bytes = call.string_mut(&key)?;
    let (offset, end) = (offset as usize, end as usize);
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(&patch);
    let length = bytes.len();
    call.changed(&key, "setrange", '$');
    Ok(Reply::Integer(length as i64))
}

fn getrange(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let Some(bytes) = call.string(&key)? else { return Ok(Reply::Bulk(Vec::new())) };
    if start < 0 && end < 0 && start > end {
        return Ok(Reply::Bulk(Vec::new()));
    }
    // Unlike in lists, an end before the first byte means the first byte.
    let end = if end < 0 { (end.saturating_add(bytes.len() as i64)).max(0) } else { end };
    let (from, to) = super::span(start, end, bytes.len());
    Ok(Reply::bulk(&bytes[from..to]))
}

/// Cells of the table of LCS; the product's own bound is its memory.
const LCS_BOUND: usize = 4 * 1024 * 1024;

fn lcs(call: &mut Call<'_>) -> Answer {
    let (mut idx, mut len, mut with_length, mut least) = (false, false, false, 0i64);
    let mut at = 3;
    while at < call.len() {
        match call.word(at).as_str() {
            "idx" => idx = true,
            "len" => len = true,
            "withmatchlen" => with_length = true,
            "minmatchlen" if at + 1 < call.len() => {
                least = call.integer(at + 1)?.max(0);
                at += 1;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if idx && len {
        return Err("ERR If you want both the length and indexes, please just use IDX.".into());
    }
    let mut read = |at: usize| -> Result<Vec<u8>, Fault> {
        let key = call.arg(at).to_vec();
        match call.string(&key) {
            Ok(bytes) => Ok(bytes.map(<[u8]>::to_vec).unwrap_or_default()),
            Err(_) => Err("ERR The specified keys must contain string values".into()),
        }
    };
    let (a, b) = (read(1)?, read(2)?);
    let width = b.len() + 1;
    if (a.len() + 1).saturating_mul(width) > LCS_BOUND {
        return Err("ERR Insufficient memory, failed allocating transient memory for LCS".into());
    }
    let mut table = vec![0u32; (a.len() + 1) * width];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            table[(i + 1) * width + j + 1] = if x == y {
                table[i * width + j] + 1
            } else {
                table[i * width + j + 1].max(table[(i + 1) * width + j])
            };
        }
    }
    let total = table[a.len() * width + b.len()] as i64;
    if len {
        return Ok(Reply::Integer(total));
    }
    let (mut i, mut j) = (a.len(), b.len());
    let mut common = Vec::new();
    // Runs as (start in a, start in b, length), last first, as the product lists them.
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            common.push(a[i - 1]);
            match runs.last_mut() {
                Some((x, y, length)) if *x == i && *y == j => {
                    *x -= 1;
                    *y -= 1;
                    *length += 1;
                }
                _ => runs.push((i - 1, j - 1, 1)),
            }
            i -= 1;
            j -= 1;
        } else if table[(i - 1) * width + j] > table[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    if !idx {
        common.reverse();
        return Ok(Reply::Bulk(common));
    }
    let pair = |from: usize, length: usize| {
        Reply::Array(vec![Reply::Integer(from as i64), Reply::Integer((from + length - 1) as i64)])
    };
    let matches = runs
        .into_iter()
        .filter(|(.., length)| *length as i64 >= least)
        .map(|(x, y, length)| {
            let mut row = vec![pair(x, length), pair(y, length)];
            if with_length {
                row.push(Reply::Integer(length as i64));
            }
            Reply::Array(row)
        })
        .collect();
    Ok(Reply::Map(vec![
        (Reply::text("matches"), Reply::Array(matches)),
        (Reply::text("len"), Reply::Integer(total)),
    ]))
}

/// A string that bit commands read, or the product's refusal.
pub(super) fn bytes_of(value: Option<&Value>) -> Result<Option<&Vec<u8>>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::String(bytes, _)) => Ok(Some(bytes)),
        Some(_) => Err(WRONG_TYPE.into()),
    }
}

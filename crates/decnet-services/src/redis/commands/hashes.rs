//! Hashes.

use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, SYNTAX, float, float_sum};

pub(super) const HANDLERS: super::Group = &[
    ("hdel", hdel),
    ("hexists", hexists),
    ("hget", hget),
    ("hgetall", hgetall),
    ("hincrby", hincrby),
    ("hincrbyfloat", hincrbyfloat),
    ("hkeys", hkeys),
    ("hlen", hlen),
    ("hmget", hmget),
    ("hmset", |call| hset(call, true)),
    ("hrandfield", hrandfield),
    ("hscan", hscan),
    ("hset", |call| hset(call, false)),
    ("hsetnx", hsetnx),
    ("hstrlen", hstrlen),
    ("hvals", hvals),
];

fn hset(call: &mut Call<'_>, multi: bool) -> Answer {
    let key = call.arg(1).to_vec();
    let several = call.since(4, 0) || multi;
    if call.len() % 2 == 1 || (!several && call.len() != 4) {
        let name = if multi { "hmset" } else { "hset" };
        return Err(if call.since(7, 0) || !several {
            Call::arity(name)
        } else {
            format!("ERR wrong number of arguments for {}", name.to_uppercase()).into()
        });
    }
    let pairs: Vec<Vec<u8>> = call.args[2..].to_vec();
    let hash = call.hash_mut(&key)?;
    let mut added = 0;
    for pair in pairs.chunks_exact(2) {
        added += i64::from(hash.set(&pair[0], pair[1].clone()));
    }
    call.changed(&key, "hset", 'h');
    Ok(if multi { Reply::OK } else { Reply::Integer(added) })
}

fn hsetnx(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (field, value) = (call.arg(2).to_vec(), call.arg(3).to_vec());
    if call.hash(&key)?.is_some_and(|hash| hash.get(&field).is_some()) {
        return Ok(Reply::Integer(0));
    }
    call.hash_mut(&key)?.set(&field, value);
    call.changed(&key, "hset", 'h');
    Ok(Reply::Integer(1))
}

fn hget(call: &mut Call<'_>) -> Answer {
    let (key, field) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    Ok(Reply::maybe(call.hash(&key)?.and_then(|hash| hash.get(&field).cloned())))
}

fn hmget(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    call.hash(&key)?;
    let mut values = Vec::new();
    for at in 2..call.len() {
        let field = call.arg(at).to_vec();
        let value = match call.db().get(&key).map(|entry| &entry.value) {
            Some(crate::redis::store::Value::Hash(hash)) => hash.get(&field).cloned(),
            _ => None,
        };
        call.spend(value.as_ref().map_or(0, Vec::len))?;
        values.push(Reply::maybe(value));
    }
    Ok(Reply::Array(values))
}

fn hgetall(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let pairs = call.hash(&key)?.map(|hash| {
        hash.iter().map(|(field, value)| (Reply::bulk(field), Reply::bulk(value))).collect::<Vec<_>>()
    });
    Ok(Reply::Map(pairs.unwrap_or_default()))
}

fn hkeys(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let fields =
        call.hash(&key)?.map(|hash| hash.iter().map(|(field, _)| field.to_vec()).collect::<Vec<_>>());
    Ok(Reply::bulks(fields.unwrap_or_default()))
}

fn hvals(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let values =
        call.hash(&key)?.map(|hash| hash.iter().map(|(_, value)| value.to_vec()).collect::<Vec<_>>());
    Ok(Reply::bulks(values.unwrap_or_default()))
}

fn hlen(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(call.hash(&key)?.map_or(0, |hash| hash.len()) as i64))
}

fn hexists(call: &mut Call<'_>) -> Answer {
    let (key, field) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    Ok(Reply::Integer(i64::from(call.hash(&key)?.is_some_and(|hash| hash.get(&field).is_some()))))
}

fn hstrlen(call: &mut Call<'_>) -> Answer {
    let (key, field) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let length = call.hash(&key)?.and_then(|hash| hash.get(&field)).map_or(0, Vec::len);
    Ok(Reply::Integer(length as i64))
}

fn hdel(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if call.hash(&key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let fields = call.args[2..].to_vec();
    let hash = call.hash_mut(&key)?;
    let removed = fields.iter().filter(|field| hash.remove(field).is_some()).count();
    if removed > 0 {
        call.changed(&key, "hdel", 'h');
    }
    Ok(Reply::Integer(removed as i64))
}

fn hincrby(call: &mut Call<'_>) -> Answer {
    let (key, field) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let by = call.integer(3)?;
    let old = match call.hash(&key)?.and_then(|hash| hash.get(&field)) {
        Some(value) => number(value).ok_or("ERR hash value is not an integer")?,
        None => 0,
    };
    let new = old.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
    call.hash_mut(&key)?.set(&field, new.to_string().into_bytes());
    call.changed(&key, "hincrby", 'h');
    Ok(Reply::Integer(new))
}

fn hincrbyfloat(call: &mut Call<'_>) -> Answer {
    let (key, field) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    call.float(3)?;
    let old = call.hash(&key)?.and_then(|hash| hash.get(&field)).cloned().unwrap_or_else(|| b"0".to_vec());
    float(&old).ok_or("ERR hash value is not a float")?;
    let text = float_sum(&old, call.arg(3)).ok_or("ERR increment would produce NaN or Infinity")?;
    call.hash_mut(&key)?.set(&field, text.clone().into_bytes());
    call.changed(&key, "hincrbyfloat", 'h');
    Ok(Reply::text(text))
}

fn hrandfield(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = call
        .hash(&key)?
        .map(|hash| hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect())
        .unwrap_or_default();
    if call.len() == 2 {
        let place = call.random(pairs.len());
        return Ok(Reply::maybe(pairs.get(place).map(|(field, _)| field.clone())));
    }
    let count = call.integer(2)?;
    let with_values = match call.len() {
        3 => false,
        4 if call.is(3, "withvalues") => true,
        _ => return Err(SYNTAX.into()),
    };
    if with_values && count < -(i64::MAX / 2) {
        return Err("ERR value is out of range".into());
    }
    let picked = pick(call, pairs, count)?;
    let resp3 = call.resp3();
    let mut replies = Vec::new();
    for (field, value) in picked {
        match (with_values, resp3) {
            (false, _) => replies.push(Reply::Bulk(field)),
            (true, false) => replies.extend([Reply::Bulk(field), Reply::Bulk(value)]),
            (true, true) => replies.push(Reply::Array(vec![Reply::Bulk(field), Reply::Bulk(value)])),
        }
    }
    Ok(Reply::Array(replies))
}

/// Some random elements: distinct ones, or with repetition where `count` is negative.
pub(super) fn pick<T: Clone + Weighs>(
    call: &mut Call<'_>,
    mut items: Vec<T>,
    count: i64,
) -> Result<Vec<T>, crate::redis::engine::Fault> {
    if items.is_empty() {
        return Ok(items);
    }
    if count >= 0 {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(items.len());
        for at in 0..count {
            let other = at + call.random(items.len() - at);
            items.swap(at, other);
        }
        items.truncate(count);
        return Ok(items);
    }
    let mut picked = Vec::new();
    for _ in 0..count.unsigned_abs() {
        let place = call.random(items.len());
        if let Some(item) = items.get(place) {
            call.spend(item.bytes())?;
            picked.push(item.clone());
        }
    }
    Ok(picked)
}

/// How many bytes an element takes in a reply.
pub(super) trait Weighs {
    /// Bytes.
    fn bytes(&self) -> usize;
}

impl Weighs for Vec<u8> {
    fn bytes(&self) -> usize {
        self.len() + 24
    }
}

impl Weighs for (Vec<u8>, Vec<u8>) {
    fn bytes(&self) -> usize {
        self.0.len() + self.1.len() + 48
    }
}

impl Weighs for (Vec<u8>, f64) {
    fn bytes(&self) -> usize {
        self.0.len() + 48
    }
}

fn hscan(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (cursor, options) = super::generic::scan_options(call, 2)?;
    let Some(hash) = call.hash(&key)? else { return Ok(super::generic::scan_reply(0, Vec::new())) };
    let mut found = Vec::new();
    let next = hash.scan(cursor, options.count, |field, value| {
        if options.matches(field) {
            found.push(Reply::bulk(field));
            found.push(Reply::bulk(value));
        }
    });
    Ok(super::generic::scan_reply(next, found))
}

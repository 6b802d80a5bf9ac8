//! Lists.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, NO_KEY, OUT_OF_RANGE, SYNTAX};

pub(super) const HANDLERS: super::Group = &[
    ("blmove", |call| move_between(call, Ends::Named, Some(5))),
    ("blmpop", |call| many_pop(call, true)),
    ("blpop", |call| wait_pop(call, true)),
    ("brpop", |call| wait_pop(call, false)),
    ("brpoplpush", |call| move_between(call, Ends::TailToHead, Some(3))),
    ("lindex", lindex),
    ("linsert", linsert),
    ("llen", llen),
    ("lmove", |call| move_between(call, Ends::Named, None)),
    ("lmpop", |call| many_pop(call, false)),
    ("lpop", |call| pop(call, true)),
    ("lpos", lpos),
    ("lpush", |call| push(call, true, false)),
    ("lpushx", |call| push(call, true, true)),
    ("lrange", lrange),
    ("lrem", lrem),
    ("lset", lset),
    ("ltrim", ltrim),
    ("rpop", |call| pop(call, false)),
    ("rpoplpush", |call| move_between(call, Ends::TailToHead, None)),
    ("rpush", |call| push(call, false, false)),
    ("rpushx", |call| push(call, false, true)),
];

const MUST_BE_POSITIVE: &str = "ERR value is out of range, must be positive";

fn push(call: &mut Call<'_>, head: bool, only_old: bool) -> Answer {
    let key = call.arg(1).to_vec();
    if call.list(&key)?.is_none() && only_old {
        return Ok(Reply::Integer(0));
    }
    let items = call.args[2..].to_vec();
    let list = call.list_mut(&key)?;
    for item in items {
        list.push(item, head);
    }
    let length = list.items().len();
    call.changed(&key, if head { "lpush" } else { "rpush" }, 'l');
    Ok(Reply::Integer(length as i64))
}

fn count_argument(call: &Call<'_>, at: usize) -> Result<usize, Fault> {
    call.integer(at).ok().and_then(|count| usize::try_from(count).ok()).ok_or_else(|| MUST_BE_POSITIVE.into())
}

fn pop(call: &mut Call<'_>, head: bool) -> Answer {
    let key = call.arg(1).to_vec();
    let with_count = call.len() == 3;
    if call.len() > 3 || (with_count && !call.since(6, 2)) {
        return Err(Call::arity(if head { "lpop" } else { "rpop" }));
    }
    let count = if with_count { count_argument(call, 2)? } else { 1 };
    if call.list(&key)?.is_none() {
        return Ok(if with_count { Reply::NullArray } else { Reply::Null });
    }
    if count == 0 {
        return Ok(Reply::Array(Vec::new()));
    }
    let items = take(call, &key, head, count)?;
    if with_count { Ok(Reply::bulks(items)) } else { Ok(Reply::maybe(items.into_iter().next())) }
}

/// Takes up to `count` elements from an end.
fn take(call: &mut Call<'_>, key: &[u8], head: bool, count: usize) -> Result<Vec<Vec<u8>>, Fault> {
    let list = call.list_mut(key)?;
    let mut items = Vec::new();
    while items.len() < count {
        match list.pop(head) {
            Some(item) => items.push(item),
            None => break,
        }
    }
    call.changed(key, if head { "lpop" } else { "rpop" }, 'l');
    Ok(items)
}

fn wait_pop(call: &mut Call<'_>, head: bool) -> Answer {
    let timeout = call.timeout(call.len() - 1)?;
    let keys: Vec<Vec<u8>> = call.args[1..call.len() - 1].to_vec();
    for key in &keys {
        if call.list(key)?.is_some() {
            let item = take(call, key, head, 1)?.into_iter().next();
            return Ok(Reply::Array(vec![Reply::bulk(key), Reply::maybe(item)]));
        }
    }
    call.block(keys, Some(timeout), Reply::NullArray)
}

#[derive(Clone, Copy)]
enum Ends {
    TailToHead,
    Named,
}

fn end(call: &Call<'_>, at: usize) -> Result<bool, Fault> {
    match call.word(at).as_str() {
        "left" => Ok(true),
        "right" => Ok(false),
        _ => Err(SYNTAX.into()),
    }
}

fn move_between(call: &mut Call<'_>, ends: Ends, timeout_at: Option<usize>) -> Answer {
    let (from, to) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let (take_head, put_head) = match ends {
        Ends::TailToHead => (false, true),
        Ends::Named => (end(call, 3)?, end(call, 4)?),
    };
    let timeout = match timeout_at {
        Some(at) => Some(call.timeout(at)?),
        None => None,
    };
    if call.list(&from)?.is_none() {
        return match timeout {
            Some(timeout) => call.block(vec![from], Some(timeout), Reply::NullArray),
            None => Ok(Reply::Null),
        };
    }
    call.list(&to)?;
    let Some(item) = take(call, &from, take_head, 1)?.into_iter().next() else { return Ok(Reply::Null) };
    call.list_mut(&to)?.push(item.clone(), put_head);
    call.changed(&to, if put_head { "lpush" } else { "rpush" }, 'l');
    Ok(Reply::Bulk(item))
}

/// The number of keys, the keys, and where the arguments go on.
pub(super) fn counted_keys(call: &Call<'_>, at: usize) -> Result<(Vec<Vec<u8>>, usize), Fault> {
    let count =
        call.integer(at).ok().filter(|count| *count > 0).ok_or("ERR numkeys should be greater than 0")?;
    let next = (count as usize).saturating_add(at + 1);
    if next >= call.len() {
        return Err(SYNTAX.into());
    }
    Ok((call.args[at + 1..next].to_vec(), next))
}

/// `COUNT n` at the end of LMPOP and ZMPOP.
pub(super) fn trailing_count(call: &Call<'_>, at: usize) -> Result<usize, Fault> {
    if call.len() <= at {
        return Ok(1);
    }
    if !call.is(at, "count") || call.len() != at + 2 {
        return Err(SYNTAX.into());
    }
    call.integer(at + 1)
        .ok()
        .filter(|count| *count > 0)
        .map(|count| count as usize)
        .ok_or_else(|| "ERR count should be greater than 0".into())
}

fn many_pop(call: &mut Call<'_>, wait: bool) -> Answer {
    let timeout = if wait { Some(call.timeout(1)?) } else { None };
    let (keys, next) = counted_keys(call, if wait { 2 } else { 1 })?;
    let head = end(call, next)?;
    let count = trailing_count(call, next + 1)?;
    for key in &keys {
        if call.list(key)?.is_some() {
            let items = take(call, key, head, count)?;
            return Ok(Reply::Array(vec![Reply::bulk(key), Reply::bulks(items)]));
        }
    }
    match timeout {
        Some(timeout) => call.block(keys, Some(timeout), Reply::NullArray),
        None => Ok(Reply::NullArray),
    }
}

fn llen(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(call.list(&key)?.map_or(0, |list| list.items().len()) as i64))
}

fn index_of(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(length as i64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

fn lindex(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let Some(length) = call.list(&key)?.map(|list| list.items().len()) else { return Ok(Reply::Null) };
    let index = index_of(call.integer(2)?, length);
    let item = call.list(&key)?.and_then(|list| list.items().get(index?).cloned());
    Ok(Reply::maybe(item))
}

fn lset(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let Some(length) = call.list(&key)?.map(|list| list.items().len()) else { return Err(NO_KEY.into()) };
    let index = index_of(call.integer(2)?, length).ok_or(OUT_OF_RANGE)?;
    let item = call.arg(3).to_vec();
    call.list_mut(&key)?.set(index, item);
    call.changed(&key, "lset", 'l');
    Ok(Reply::OK)
}

fn linsert(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let after = match call.word(2).as_str() {
        "before" => 0,
        "after" => 1,
        _ => return Err(SYNTAX.into()),
    };
    let pivot = call.arg(3).to_vec();
    let Some(list) = call.list(&key)? else { return Ok(Reply::Integer(0)) };
    let Some(place) = list.items().iter().position(|item| *item == pivot) else {
        return Ok(Reply::Integer(-1));
    };
    let item = call.arg(4).to_vec();
    let list = call.list_mut(&key)?;
    list.insert(place + after, item);
    let length = list.items().len();
    call.changed(&key, "linsert", 'l');
    Ok(Reply::Integer(length as i64))
}

fn lrange(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    let Some(list) = call.list(&key)? else { return Ok(Reply::Array(Vec::new())) };
    let (from, to) = super::span(start, end, list.items().len());
    Ok(Reply::bulks(list.items().range(from..to).cloned()))
}

fn ltrim(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (start, end) = (call.integer(2)?, call.integer(3)?);
    if call.list(&key)?.is_some() {
        let list = call.list_mut(&key)?;
        let (from, to) = super::span(start, end, list.items().len());
        list.keep(from, to);
        call.changed(&key, "ltrim", 'l');
    }
    Ok(Reply::OK)
}

fn lrem(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let count = call.integer(2)?;
    let wanted = call.arg(3).to_vec();
    let Some(list) = call.list(&key)? else { return Ok(Reply::Integer(0)) };
    let mut places: Vec<usize> =
        list.items().iter().enumerate().filter(|(_, item)| **item == wanted).map(|(at, _)| at).collect();
    let most =
        if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    if count < 0 {
        places.reverse();
    }
    places.truncate(most);
    places.sort_unstable();
    if !places.is_empty() {
        let list = call.list_mut(&key)?;
        for place in places.iter().rev() {
            list.remove(*place);
        }
        call.changed(&key, "lrem", 'l');
    }
    Ok(Reply::Integer(places.len() as i64))
}

fn lpos(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (mut rank, mut count, mut most) = (1i64, None, 0i64);
    let mut at = 3;
    while at < call.len() {
        if at + 1 >= call.len() {
            return Err(SYNTAX.into());
        }
        match call.word(at).as_str() {
            "rank" => {
                rank = call.integer(at + 1)?;
                if rank == 0 {
                    return Err(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                                ... or use negative to start from the end of the list"
                            .into(),
                    );
                }
                if rank == i64::MIN {
                    return Err("ERR value is out of range, value must between -9223372036854775807 and \
                                9223372036854775807"
                        .into());
                }
            }
            "count" => {
                count =
                    Some(call.integer(at + 1).ok().filter(|n| *n >= 0).ok_or("ERR COUNT can't be negative")?);
            }
            "maxlen" => {
                most = call.integer(at + 1).ok().filter(|n| *n >= 0).ok_or("ERR MAXLEN can't be negative")?;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 2;
    }
    let wanted = call.arg(2).to_vec();
    let missing = if count.is_some() { Reply::Array(Vec::new()) } else { Reply::Null };
    let Some(list) = call.list(&key)? else { return Ok(missing) };
    let limit = if most == 0 { usize::MAX } else { most as usize };
    let skip = rank.unsigned_abs() as usize - 1;
    let hits = |places: &mut dyn Iterator<Item = (usize, &Vec<u8>)>, wanted_count: usize| -> Vec<usize> {
        places
            .take(limit)
            .filter(|(_, item)| **item == wanted)
            .map(|(place, _)| place)
            .skip(skip)
            .take(wanted_count)
            .collect()
    };
    let wanted_count = match count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count as usize,
    };
    let found = if rank > 0 {
        hits(&mut list.items().iter().enumerate(), wanted_count)
    } else {
        hits(&mut list.items().iter().enumerate().rev(), wanted_count)
    };
    Ok(match count {
        None => found.first().map_or(Reply::Null, |place| Reply::Integer(*place as i64)),
        Some(_) => Reply::Array(found.into_iter().map(|place| Reply::Integer(place as i64)).collect()),
    })
}

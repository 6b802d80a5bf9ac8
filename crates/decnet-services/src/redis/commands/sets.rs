//! Sets.

use std::collections::BTreeSet;

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX};
use crate::redis::store::{Set, Value};

pub(super) const HANDLERS: super::Group = &[
    ("sadd", sadd),
    ("scard", scard),
    ("sdiff", |call| combine(call, Operation::Difference, false)),
    ("sdiffstore", |call| combine(call, Operation::Difference, true)),
    ("sinter", |call| combine(call, Operation::Intersection, false)),
    ("sintercard", sintercard),
    ("sinterstore", |call| combine(call, Operation::Intersection, true)),
    ("sismember", sismember),
    ("smembers", smembers),
    ("smismember", smismember),
    ("smove", smove),
    ("spop", spop),
    ("srandmember", srandmember),
    ("srem", srem),
    ("sscan", sscan),
    ("sunion", |call| combine(call, Operation::Union, false)),
    ("sunionstore", |call| combine(call, Operation::Union, true)),
];

fn sadd(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let members = call.args[2..].to_vec();
    let (rules, seed) = (call.state.encoding(), call.state.hash_seed());
    let set = call.set_mut(&key)?;
    let added = members.iter().filter(|member| set.add(member, rules, seed)).count();
    if added > 0 {
        call.changed(&key, "sadd", 's');
    }
    Ok(Reply::Integer(added as i64))
}

fn srem(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if call.set(&key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let members = call.args[2..].to_vec();
    let set = call.set_mut(&key)?;
    let removed = members.iter().filter(|member| set.remove(member)).count();
    if removed > 0 {
        call.changed(&key, "srem", 's');
    }
    Ok(Reply::Integer(removed as i64))
}

fn smove(call: &mut Call<'_>) -> Answer {
    let (from, to, member) = (call.arg(1).to_vec(), call.arg(2).to_vec(), call.arg(3).to_vec());
    if call.set(&from)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    call.set(&to)?;
    if from == to {
        let there = call.set(&from)?.is_some_and(|set| set.contains(&member));
        return Ok(Reply::Integer(i64::from(there)));
    }
    if !call.set_mut(&from)?.remove(&member) {
        return Ok(Reply::Integer(0));
    }
    call.changed(&from, "srem", 's');
    let (rules, seed) = (call.state.encoding(), call.state.hash_seed());
    call.set_mut(&to)?.add(&member, rules, seed);
    call.changed(&to, "sadd", 's');
    Ok(Reply::Integer(1))
}

fn scard(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(call.set(&key)?.map_or(0, Set::len) as i64))
}

fn sismember(call: &mut Call<'_>) -> Answer {
    let (key, member) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    Ok(Reply::Integer(i64::from(call.set(&key)?.is_some_and(|set| set.contains(&member)))))
}

fn smismember(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let members = call.args[2..].to_vec();
    let set = call.set(&key)?;
    let replies = members
        .iter()
        .map(|member| Reply::Integer(i64::from(set.is_some_and(|set| set.contains(member)))))
        .collect();
    Ok(Reply::Array(replies))
}

fn members(call: &mut Call<'_>, key: &[u8]) -> Result<Option<Vec<Vec<u8>>>, Fault> {
    Ok(call.set(key)?.map(Set::members))
}

fn as_set(members: Vec<Vec<u8>>) -> Reply {
    Reply::Set(members.into_iter().map(Reply::Bulk).collect())
}

fn smembers(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(as_set(members(call, &key)?.unwrap_or_default()))
}

fn spop(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if call.len() > 3 {
        return Err(SYNTAX.into());
    }
    let count = if call.len() == 3 {
        let count = call.integer(2).ok().and_then(|count| usize::try_from(count).ok());
        Some(count.ok_or("ERR value is out of range, must be positive")?)
    } else {
        None
    };
    let Some(all) = members(call, &key)? else {
        return Ok(if count.is_some() { Reply::Set(Vec::new()) } else { Reply::Null });
    };
    let picked = super::hashes::pick(call, all, count.unwrap_or(1) as i64)?;
    let set = call.set_mut(&key)?;
    for member in &picked {
        set.remove(member);
    }
    if !picked.is_empty() {
        call.changed(&key, "spop", 's');
    }
    Ok(match count {
        Some(_) => as_set(picked),
        None => Reply::maybe(picked.into_iter().next()),
    })
}

fn srandmember(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if call.len() > 3 {
        return Err(SYNTAX.into());
    }
    if call.len() == 2 {
        let entropy = std::sync::Arc::clone(&call.state.host);
        let number = |bound: usize| entropy.entropy.between(0, bound.saturating_sub(1) as u64) as usize;
        let member = call.set(&key)?.and_then(|set| set.random(number));
        return Ok(Reply::maybe(member));
    }
    let count = call.integer(2)?;
    let all = members(call, &key)?.unwrap_or_default();
    let picked = super::hashes::pick(call, all, count)?;
    Ok(Reply::bulks(picked))
}

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

fn combined(call: &mut Call<'_>, keys: &[Vec<u8>], operation: Operation) -> Result<Vec<Vec<u8>>, Fault> {
    let mut sets = Vec::new();
    let mut total = 0usize;
    for key in keys {
        let set = members(call, key)?;
        total += set.as_ref().map_or(0, |set| set.iter().map(|member| member.len() + 24).sum());
        // The same large set may be named a thousand times.
        if total > crate::redis::store::MEMORY_BOUND * 2 {
            return Err(crate::redis::engine::OUT_OF_MEMORY.into());
        }
        sets.push(set);
    }
    Ok(match operation {
        Operation::Union => {
            let mut seen = BTreeSet::new();
            sets.into_iter().flatten().flatten().filter(|member| seen.insert(member.clone())).collect()
        }
        Operation::Intersection => {
            if sets.iter().any(Option::is_none) {
                return Ok(Vec::new());
            }
            let mut sets: Vec<Vec<Vec<u8>>> = sets.into_iter().flatten().collect();
            // From the smallest, in its order.
            sets.sort_by_key(Vec::len);
            let mut sets = sets.into_iter();
            let first = sets.next().unwrap_or_default();
            let rest: Vec<BTreeSet<Vec<u8>>> = sets.map(|set| set.into_iter().collect()).collect();
            first.into_iter().filter(|member| rest.iter().all(|set| set.contains(member))).collect()
        }
        Operation::Difference => {
            let mut sets = sets.into_iter();
            let first = sets.next().flatten().unwrap_or_default();
            let rest: BTreeSet<Vec<u8>> = sets.flatten().flatten().collect();
            first.into_iter().filter(|member| !rest.contains(member)).collect()
        }
    })
}

fn combine(call: &mut Call<'_>, operation: Operation, store: bool) -> Answer {
    let keys = call.args[if store { 2 } else { 1 }..].to_vec();
    let result = combined(call, &keys, operation)?;
    if !store {
        let (rules, seed) = (call.state.encoding(), call.state.hash_seed());
        // The product builds a set of the answer, so integers come sorted.
        let mut set = Set::new();
        if operation != Operation::Intersection {
            result.iter().for_each(|member| {
                set.add(member, rules, seed);
            });
            return Ok(as_set(set.members()));
        }
        return Ok(as_set(result));
    }
    let target = call.arg(1).to_vec();
    let (rules, seed) = (call.state.encoding(), call.state.hash_seed());
    let mut set = Set::new();
    for member in &result {
        set.add(member, rules, seed);
    }
    let event = match operation {
        Operation::Union => "sunionstore",
        Operation::Intersection => "sinterstore",
        Operation::Difference => "sdiffstore",
    };
    Ok(Reply::Integer(call.store(&target, Value::Set(set), event, 's')))
}

fn sintercard(call: &mut Call<'_>) -> Answer {
    let (keys, limit) = card_arguments(call)?;
    let count = combined(call, &keys, Operation::Intersection)?.len() as i64;
    Ok(Reply::Integer(if limit > 0 { count.min(limit) } else { count }))
}

/// Keys and LIMIT of SINTERCARD and ZINTERCARD.
pub(super) fn card_arguments(call: &Call<'_>) -> Result<(Vec<Vec<u8>>, i64), Fault> {
    let count = call.integer(1).ok().filter(|n| *n > 0).ok_or("ERR numkeys should be greater than 0")?;
    let next = (count as usize).saturating_add(2);
    if next > call.len() {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    let keys = call.args[2..next].to_vec();
    let limit = match call.len() - next {
        0 => 0,
        2 if call.is(next, "limit") => {
            call.integer(next + 1).ok().filter(|n| *n >= 0).ok_or("ERR LIMIT can't be negative")?
        }
        _ => return Err(SYNTAX.into()),
    };
    Ok((keys, limit))
}

fn sscan(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (cursor, options) = super::generic::scan_options(call, 2)?;
    let Some(set) = call.set(&key)? else { return Ok(super::generic::scan_reply(0, Vec::new())) };
    let mut found = Vec::new();
    let next = set.scan(cursor, options.count, |member| {
        if options.matches(member) {
            found.push(Reply::bulk(member));
        }
    });
    Ok(super::generic::scan_reply(next, found))
}

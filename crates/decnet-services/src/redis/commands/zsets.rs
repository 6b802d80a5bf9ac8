//! Sorted sets.

use std::collections::BTreeMap;

use super::hashes::pick;
use super::lists::{counted_keys, trailing_count};
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, NOT_FLOAT, SYNTAX, WRONG_TYPE, float};
use crate::redis::store::{ScoreBound, Value, Zset};

pub(super) const HANDLERS: super::Group = &[
    ("bzmpop", |call| many_pop(call, true)),
    ("bzpopmax", |call| wait_pop(call, true)),
    ("bzpopmin", |call| wait_pop(call, false)),
    ("zadd", zadd),
    ("zcard", zcard),
    ("zcount", zcount),
    ("zdiff", |call| combine(call, Operation::Difference, false)),
    ("zdiffstore", |call| combine(call, Operation::Difference, true)),
    ("zincrby", zincrby),
    ("zinter", |call| combine(call, Operation::Intersection, false)),
    ("zintercard", zintercard),
    ("zinterstore", |call| combine(call, Operation::Intersection, true)),
    ("zlexcount", zlexcount),
    ("zmpop", |call| many_pop(call, false)),
    ("zmscore", zmscore),
    ("zpopmax", |call| pop(call, true)),
    ("zpopmin", |call| pop(call, false)),
    ("zrandmember", zrandmember),
    ("zrange", |call| range(call, None, Form::Auto, false)),
    ("zrangebylex", |call| range(call, None, Form::Lex, false)),
    ("zrangebyscore", |call| range(call, None, Form::Score, false)),
    ("zrangestore", |call| {
        let target = call.arg(1).to_vec();
        range(call, Some(target), Form::Auto, false)
    }),
    ("zrank", |call| rank(call, false)),
    ("zrem", zrem),
    ("zremrangebylex", |call| remove_range(call, Form::Lex)),
    ("zremrangebyrank", |call| remove_range(call, Form::Rank)),
    ("zremrangebyscore", |call| remove_range(call, Form::Score)),
    ("zrevrange", |call| range(call, None, Form::Rank, true)),
    ("zrevrangebylex", |call| range(call, None, Form::Lex, true)),
    ("zrevrangebyscore", |call| range(call, None, Form::Score, true)),
    ("zrevrank", |call| rank(call, true)),
    ("zscan", zscan),
    ("zscore", zscore),
    ("zunion", |call| combine(call, Operation::Union, false)),
    ("zunionstore", |call| combine(call, Operation::Union, true)),
];

type Pairs = Vec<(Vec<u8>, f64)>;

fn zadd(call: &mut Call<'_>) -> Answer {
    let (mut nx, mut xx, mut gt, mut lt, mut ch, mut incr) = (false, false, false, false, false, false);
    let mut at = 2;
    while at < call.len() {
        match call.word(at).as_str() {
            "nx" => nx = true,
            "xx" => xx = true,
            "ch" => ch = true,
            "incr" => incr = true,
            "gt" if call.since(6, 2) => gt = true,
            "lt" if call.since(6, 2) => lt = true,
            _ => break,
        }
        at += 1;
    }
    let pairs = call.args[at.min(call.len())..].to_vec();
    if pairs.is_empty() || pairs.len() % 2 == 1 {
        return Err(SYNTAX.into());
    }
    if nx && xx {
        return Err("ERR XX and NX options at the same time are not compatible".into());
    }
    if u8::from(gt) + u8::from(nx) + u8::from(lt) > 1 {
        return Err("ERR GT, LT, and/or NX options at the same time are not compatible".into());
    }
    if incr && pairs.len() > 2 {
        return Err("ERR INCR option supports a single increment-element pair".into());
    }
    let mut scores = Vec::new();
    for pair in pairs.chunks_exact(2) {
        scores.push((float(&pair[0]).ok_or(NOT_FLOAT)?, &pair[1]));
    }
    let key = call.arg(1).to_vec();
    if call.zset(&key)?.is_none() && xx {
        return Ok(if incr { Reply::Null } else { Reply::Integer(0) });
    }
    let zset = call.zset_mut(&key)?;
    let (mut added, mut updated, mut last) = (0, 0, None);
    let mut not_a_number = false;
    for (score, member) in scores {
        let old = zset.score(member);
        let new = if incr { old.unwrap_or(0.0) + score } else { score };
        if new.is_nan() {
            not_a_number = true;
            break;
        }
        match old {
            None if xx => {}
            None => {
                zset.set(member, new);
                added += 1;
                last = Some(new);
            }
            Some(_) if nx => {}
            Some(old) if (gt && new <= old) || (lt && new >= old) => {}
            Some(old) => {
                if new != old {
                    zset.set(member, new);
                    updated += 1;
                }
                last = Some(new);
            }
        }
    }
    if added + updated > 0 || zset.len() == 0 {
        call.changed(&key, if incr { "zincr" } else { "zadd" }, 'z');
    }
    if not_a_number {
        return Err("ERR resulting score is not a number (NaN)".into());
    }
    Ok(if incr {
        last.map_or(Reply::Null, Reply::Double)
    } else {
        Reply::Integer(if ch { added + updated } else { added })
    })
}

fn zincrby(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let by = call.float(2)?;
    let member = call.arg(3).to_vec();
    let old = call.zset(&key)?.and_then(|zset| zset.score(&member)).unwrap_or(0.0);
    let new = old + by;
    if new.is_nan() {
        return Err("ERR resulting score is not a number (NaN)".into());
    }
    call.zset_mut(&key)?.set(&member, new);
    call.changed(&key, "zincr", 'z');
    Ok(Reply::Double(new))
}

fn zrem(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if call.zset(&key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let members = call.args[2..].to_vec();
    let zset = call.zset_mut(&key)?;
    let removed = members.iter().filter(|member| zset.remove(member).is_some()).count();
    if removed > 0 {
        call.changed(&key, "zrem", 'z');
    }
    Ok(Reply::Integer(removed as i64))
}

fn zcard(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(call.zset(&key)?.map_or(0, Zset::len) as i64))
}

fn zscore(call: &mut Call<'_>) -> Answer {
    let (key, member) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    Ok(call.zset(&key)?.and_then(|zset| zset.score(&member)).map_or(Reply::Null, Reply::Double))
}

fn zmscore(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let members = call.args[2..].to_vec();
    let zset = call.zset(&key)?;
    let score =
        |member: &Vec<u8>| zset.and_then(|zset| zset.score(member)).map_or(Reply::Null, Reply::Double);
    Ok(Reply::Array(members.iter().map(score).collect()))
}

fn rank(call: &mut Call<'_>, reverse: bool) -> Answer {
    let (key, member) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let with_score = match call.len() {
        3 => false,
        4 if call.since(7, 2) && call.is(3, "withscore") => true,
        _ => return Err(SYNTAX.into()),
    };
    let found = call.zset(&key)?.and_then(|zset| {
        let rank = zset.rank(&member)?;
        Some((if reverse { zset.len() - 1 - rank } else { rank }, zset.score(&member)?))
    });
    Ok(match found {
        None if with_score => Reply::NullArray,
        None => Reply::Null,
        Some((rank, score)) if with_score => {
            Reply::Array(vec![Reply::Integer(rank as i64), Reply::Double(score)])
        }
        Some((rank, _)) => Reply::Integer(rank as i64),
    })
}

fn score_bound(text: &[u8]) -> Result<ScoreBound, Fault> {
    let (open, text) = match text.strip_prefix(b"(") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let score = float(text).ok_or("ERR min or max is not a float")?;
    Ok(ScoreBound { score, open })
}

/// One end of a range of members.
enum LexBound {
    Lowest,
    Highest,
    At(Vec<u8>, bool),
}

fn lex_bound(text: &[u8]) -> Result<LexBound, Fault> {
    match text {
        b"-" => Ok(LexBound::Lowest),
        b"+" => Ok(LexBound::Highest),
        [b'(', rest @ ..] => Ok(LexBound::At(rest.to_vec(), true)),
        [b'[', rest @ ..] => Ok(LexBound::At(rest.to_vec(), false)),
        _ => Err("ERR min or max not valid string range item".into()),
    }
}

impl LexBound {
    /// Whether a member lies at or above this lower end.
    fn below(&self, member: &[u8]) -> bool {
        match self {
            LexBound::Lowest => true,
            LexBound::Highest => false,
            LexBound::At(bound, true) => member > bound.as_slice(),
            LexBound::At(bound, false) => member >= bound.as_slice(),
        }
    }

    /// Whether a member lies at or below this upper end.
    fn above(&self, member: &[u8]) -> bool {
        match self {
            LexBound::Highest => true,
            LexBound::Lowest => false,
            LexBound::At(bound, true) => member < bound.as_slice(),
            LexBound::At(bound, false) => member <= bound.as_slice(),
        }
    }
}

/// Members between two ends. Where scores differ the result is unspecified; it is that of the product, which
/// looks at the first and the last member and then for where to begin and to stop.
fn by_lex(zset: &Zset, low: &LexBound, high: &LexBound) -> Pairs {
    let outside = zset.iter().next_back().is_none_or(|(last, _)| !low.below(last))
        || zset.iter().next().is_none_or(|(first, _)| !high.above(first));
    if outside {
        return Pairs::new();
    }
    zset.iter()
        .skip_while(|(member, _)| !low.below(member))
        .take_while(|(member, _)| high.above(member))
        .map(|(member, score)| (member.to_vec(), score))
        .collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// By rank unless BYSCORE or BYLEX is given.
    Auto,
    Rank,
    Score,
    Lex,
}

/// What is within two ends, ascending.
fn select(call: &mut Call<'_>, key: &[u8], low: usize, high: usize, form: Form) -> Result<Pairs, Fault> {
    match form {
        Form::Score => {
            let (low, high) = (score_bound(call.arg(low))?, score_bound(call.arg(high))?);
            Ok(call.zset(key)?.map(|zset| zset.by_score(low, high)).unwrap_or_default())
        }
        Form::Lex => {
            let (low, high) = (lex_bound(call.arg(low))?, lex_bound(call.arg(high))?);
            Ok(call.zset(key)?.map(|zset| by_lex(zset, &low, &high)).unwrap_or_default())
        }
        Form::Auto | Form::Rank => {
            let (start, end) = (call.integer(low)?, call.integer(high)?);
            let zset = call.zset(key)?;
            Ok(zset
                .map(|zset| {
                    let (from, to) = super::span(start, end, zset.len());
                    zset.iter()
                        .skip(from)
                        .take(to - from)
                        .map(|(member, score)| (member.to_vec(), score))
                        .collect()
                })
                .unwrap_or_default())
        }
    }
}

fn range(call: &mut Call<'_>, store: Option<Vec<u8>>, form: Form, reverse: bool) -> Answer {
    let base = if store.is_some() { 2 } else { 1 };
    let (mut form, mut reverse, fixed) = (form, reverse, form != Form::Auto);
    let mut with_scores = false;
    let mut limit: Option<(i64, i64)> = None;
    let options = call.since(6, 2);
    let mut at = base + 3;
    while at < call.len() {
        match call.word(at).as_str() {
            "withscores" if store.is_none() => with_scores = true,
            "limit" if at + 2 < call.len() => {
                limit = Some((call.integer(at + 1)?, call.integer(at + 2)?));
                at += 2;
            }
            "rev" if !fixed && options => reverse = true,
            "byscore" if !fixed && options => form = Form::Score,
            "bylex" if !fixed && options => form = Form::Lex,
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if limit.is_some() && matches!(form, Form::Auto | Form::Rank) {
        return Err(
            "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX".into()
        );
    }
    if with_scores && form == Form::Lex {
        return Err("ERR syntax error, WITHSCORES not supported in combination with BYLEX".into());
    }
    let key = call.arg(base).to_vec();
    let by_rank = matches!(form, Form::Auto | Form::Rank);
    let mut pairs = if reverse && by_rank {
        // Ranks count from the other end.
        let (start, end) = (call.integer(base + 1)?, call.integer(base + 2)?);
        let mut all: Pairs = call
            .zset(&key)?
            .map(|zset| zset.iter().rev().map(|(member, score)| (member.to_vec(), score)).collect())
            .unwrap_or_default();
        let (from, to) = super::span(start, end, all.len());
        all.drain(from..to).collect()
    } else {
        let (low, high) = if reverse { (base + 2, base + 1) } else { (base + 1, base + 2) };
        let mut pairs = select(call, &key, low, high, form)?;
        if reverse {
            pairs.reverse();
        }
        pairs
    };
    if let Some((offset, count)) = limit {
        let Ok(offset) = usize::try_from(offset) else {
            pairs.clear();
            return finish(call, store, pairs, with_scores);
        };
        pairs.drain(..offset.min(pairs.len()));
        if let Ok(count) = usize::try_from(count) {
            pairs.truncate(count);
        }
    }
    finish(call, store, pairs, with_scores)
}

fn finish(call: &mut Call<'_>, store: Option<Vec<u8>>, pairs: Pairs, with_scores: bool) -> Answer {
    match store {
        Some(target) => {
            let mut zset = Zset::default();
            for (member, score) in &pairs {
                zset.set(member, *score);
            }
            Ok(Reply::Integer(call.store(&target, Value::Zset(zset), "zrangestore", 'z')))
        }
        None => Ok(shown(call, pairs, with_scores)),
    }
}

/// Members, with their scores in the form of the dialect.
fn shown(call: &mut Call<'_>, pairs: Pairs, with_scores: bool) -> Reply {
    let resp3 = call.resp3();
    let mut replies = Vec::new();
    for (member, score) in pairs {
        match (with_scores, resp3) {
            (false, _) => replies.push(Reply::Bulk(member)),
            (true, false) => replies.extend([Reply::Bulk(member), Reply::Double(score)]),
            (true, true) => replies.push(Reply::Array(vec![Reply::Bulk(member), Reply::Double(score)])),
        }
    }
    Reply::Array(replies)
}

fn zcount(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(select(call, &key, 2, 3, Form::Score)?.len() as i64))
}

fn zlexcount(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(select(call, &key, 2, 3, Form::Lex)?.len() as i64))
}

fn remove_range(call: &mut Call<'_>, form: Form) -> Answer {
    let key = call.arg(1).to_vec();
    let pairs = select(call, &key, 2, 3, form)?;
    if !pairs.is_empty() {
        let zset = call.zset_mut(&key)?;
        for (member, _) in &pairs {
            zset.remove(member);
        }
        let event = match form {
            Form::Lex => "zremrangebylex",
            Form::Score => "zremrangebyscore",
            _ => "zremrangebyrank",
        };
        call.changed(&key, event, 'z');
    }
    Ok(Reply::Integer(pairs.len() as i64))
}

/// Takes up to `count` members from an end.
fn take(call: &mut Call<'_>, key: &[u8], max: bool, count: usize) -> Result<Pairs, Fault> {
    let zset = call.zset_mut(key)?;
    let own = |(member, score): (&[u8], f64)| (member.to_vec(), score);
    let pairs: Pairs = if max {
        zset.iter().rev().take(count).map(own).collect()
    } else {
        zset.iter().take(count).map(own).collect()
    };
    for (member, _) in &pairs {
        zset.remove(member);
    }
    if !pairs.is_empty() {
        call.changed(key, if max { "zpopmax" } else { "zpopmin" }, 'z');
    }
    Ok(pairs)
}

fn pop(call: &mut Call<'_>, max: bool) -> Answer {
    let key = call.arg(1).to_vec();
    let count = match call.len() {
        2 => None,
        3 => {
            let count = call.integer(2).ok().and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or("ERR value is out of range, must be positive")?)
        }
        _ => return Err(SYNTAX.into()),
    };
    if call.zset(&key)?.is_none() || count == Some(0) {
        return Ok(Reply::Array(Vec::new()));
    }
    let pairs = take(call, &key, max, count.unwrap_or(1))?;
    if count.is_none() {
        let flat = pairs.into_iter().flat_map(|(member, score)| [Reply::Bulk(member), Reply::Double(score)]);
        return Ok(Reply::Array(flat.collect()));
    }
    Ok(shown(call, pairs, true))
}

fn wait_pop(call: &mut Call<'_>, max: bool) -> Answer {
    let timeout = call.timeout(call.len() - 1)?;
    let keys: Vec<Vec<u8>> = call.args[1..call.len() - 1].to_vec();
    for key in &keys {
        if call.zset(key)?.is_some() {
            let mut replies = vec![Reply::bulk(key)];
            for (member, score) in take(call, key, max, 1)? {
                replies.extend([Reply::Bulk(member), Reply::Double(score)]);
            }
            return Ok(Reply::Array(replies));
        }
    }
    call.block(keys, Some(timeout), Reply::NullArray)
}

fn many_pop(call: &mut Call<'_>, wait: bool) -> Answer {
    let timeout = if wait { Some(call.timeout(1)?) } else { None };
    let (keys, next) = counted_keys(call, if wait { 2 } else { 1 })?;
    let max = match call.word(next).as_str() {
        "min" => false,
        "max" => true,
        _ => return Err(SYNTAX.into()),
    };
    let count = trailing_count(call, next + 1)?;
    for key in &keys {
        if call.zset(key)?.is_some() {
            let pairs = take(call, key, max, count)?
                .into_iter()
                .map(|(member, score)| Reply::Array(vec![Reply::Bulk(member), Reply::Double(score)]))
                .collect();
            return Ok(Reply::Array(vec![Reply::bulk(key), Reply::Array(pairs)]));
        }
    }
    match timeout {
        Some(timeout) => call.block(keys, Some(timeout), Reply::NullArray),
        None => Ok(Reply::NullArray),
    }
}

fn zrandmember(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let all: Pairs = call
        .zset(&key)?
        .map(|zset| zset.iter().map(|(member, score)| (member.to_vec(), score)).collect())
        .unwrap_or_default();
    if call.len() == 2 {
        let place = call.random(all.len());
        return Ok(Reply::maybe(all.get(place).map(|(member, _)| member.clone())));
    }
    let count = call.integer(2)?;
    let with_scores = match call.len() {
        3 => false,
        4 if call.is(3, "withscores") => true,
        _ => return Err(SYNTAX.into()),
    };
    let picked = pick(call, all, count)?;
    Ok(shown(call, picked, with_scores))
}

#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            // Infinity and its opposite cancel out.
            Aggregate::Sum => {
                let sum = a + b;
                if sum.is_nan() { 0.0 } else { sum }
            }
            Aggregate::Min => a.min(b),
            Aggregate::Max => a.max(b),
        }
    }
}

/// A sorted set or a set, whose members then have the score 1.
fn source(call: &mut Call<'_>, key: &[u8]) -> Result<BTreeMap<Vec<u8>, f64>, Fault> {
    match call.look(key) {
        None => Ok(BTreeMap::new()),
        Some(Value::Zset(zset)) => Ok(zset.iter().map(|(member, score)| (member.to_vec(), score)).collect()),
        Some(Value::Set(set)) => Ok(set.members().into_iter().map(|member| (member, 1.0)).collect()),
        Some(_) => Err(WRONG_TYPE.into()),
    }
}

fn merged(
    call: &mut Call<'_>,
    keys: &[Vec<u8>],
    weights: &[f64],
    aggregate: Aggregate,
    operation: Operation,
) -> Result<BTreeMap<Vec<u8>, f64>, Fault> {
    let mut result: Option<BTreeMap<Vec<u8>, f64>> = None;
    for (at, key) in keys.iter().enumerate() {
        let weight = weights.get(at).copied().unwrap_or(1.0);
        let mut next = source(call, key)?;
        call.spend(next.len() * 64)?;
        for score in next.values_mut() {
            *score *= weight;
            if score.is_nan() {
                *score = 0.0;
            }
        }
        result = Some(match result {
            None => next,
            Some(mut so_far) => {
                match operation {
                    Operation::Union => {
                        for (member, score) in next {
                            let entry = so_far.get(&member).copied();
                            so_far.insert(member, entry.map_or(score, |old| aggregate.of(old, score)));
                        }
                    }
                    Operation::Intersection => {
                        so_far.retain(|member, score| match next.get(member) {
                            Some(other) => {
                                *score = aggregate.of(*score, *other);
                                true
                            }
                            None => false,
                        });
                    }
                    Operation::Difference => so_far.retain(|member, _| !next.contains_key(member)),
                }
                so_far
            }
        });
    }
    Ok(result.unwrap_or_default())
}

fn combine(call: &mut Call<'_>, operation: Operation, store: bool) -> Answer {
    let at = if store { 2 } else { 1 };
    let name = call.word(0);
    let count = call.integer(at)?;
    if count < 1 {
        return Err(if call.since(6, 2) {
            format!("ERR at least 1 input key is needed for '{name}' command").into()
        } else {
            "ERR at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE".into()
        });
    }
    let next = (count as usize).saturating_add(at + 1);
    if next > call.len() {
        return Err(SYNTAX.into());
    }
    let keys = call.args[at + 1..next].to_vec();
    // The types are checked before the options.
    for key in &keys {
        if !matches!(call.look(key), None | Some(Value::Zset(_) | Value::Set(_))) {
            return Err(WRONG_TYPE.into());
        }
    }
    let mut weights = Vec::new();
    let mut aggregate = Aggregate::Sum;
    let mut with_scores = false;
    let mut at = next;
    while at < call.len() {
        match call.word(at).as_str() {
            "weights" if operation != Operation::Difference && at + keys.len() < call.len() => {
                for i in 0..keys.len() {
                    weights.push(float(call.arg(at + 1 + i)).ok_or("ERR weight value is not a float")?);
                }
                at += keys.len();
            }
            "aggregate" if operation != Operation::Difference && at + 1 < call.len() => {
                aggregate = match call.word(at + 1).as_str() {
                    "sum" => Aggregate::Sum,
                    "min" => Aggregate::Min,
                    "max" => Aggregate::Max,
                    _ => return Err(SYNTAX.into()),
                };
                at += 1;
            }
            "withscores" if !store => with_scores = true,
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    let result = merged(call, &keys, &weights, aggregate, operation)?;
    let mut zset = Zset::default();
    for (member, score) in &result {
        zset.set(member, *score);
    }
    if store {
        let target = call.arg(1).to_vec();
        return Ok(Reply::Integer(call.store(&target, Value::Zset(zset), &name, 'z')));
    }
    let pairs = zset.iter().map(|(member, score)| (member.to_vec(), score)).collect();
    Ok(shown(call, pairs, with_scores))
}

fn zintercard(call: &mut Call<'_>) -> Answer {
    let (keys, limit) = super::sets::card_arguments(call)?;
    let count = merged(call, &keys, &[], Aggregate::Sum, Operation::Intersection)?.len() as i64;
    Ok(Reply::Integer(if limit > 0 { count.min(limit) } else { count }))
}

fn zscan(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let (cursor, options) = super::generic::scan_options(call, 2)?;
    let Some(zset) = call.zset(&key)? else { return Ok(super::generic::scan_reply(0, Vec::new())) };
    // The table behind is ordered, so the cursor is a plain position; small sets come whole as packed ones
    // do.
    let whole = zset.len() <= 128;
    let from = if whole { 0 } else { usize::try_from(cursor).unwrap_or(usize::MAX) };
    let count = if whole { usize::MAX } else { options.count };
    let mut found = Vec::new();
    for (member, score) in zset.iter().skip(from).take(count) {
        if options.matches(member) {
            found.push(Reply::bulk(member));
            found.push(Reply::text(crate::redis::codec::double(score)));
        }
    }
    let next = from.saturating_add(count);
    let next = if next >= zset.len() { 0 } else { next as u64 };
    Ok(super::generic::scan_reply(next, found))
}

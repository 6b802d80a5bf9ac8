//! SORT.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, SYNTAX, WRONG_TYPE, float};
use crate::redis::store::{List, Value};

pub(super) const HANDLERS: super::Group =
    &[("sort", |call| sort(call, false)), ("sort_ro", |call| sort(call, true))];

fn sort(call: &mut Call<'_>, read_only: bool) -> Answer {
    let key = call.arg(1).to_vec();
    let (mut descending, mut alpha) = (false, false);
    let mut limit: Option<(i64, i64)> = None;
    let mut store = None;
    let mut by: Option<Vec<u8>> = None;
    let mut gets: Vec<Vec<u8>> = Vec::new();
    let mut at = 2;
    while at < call.len() {
        let left = call.len() - at - 1;
        match call.word(at).as_str() {
            "asc" => descending = false,
            "desc" => descending = true,
            "alpha" => alpha = true,
            "limit" if left >= 2 => {
                limit = Some((call.integer(at + 1)?, call.integer(at + 2)?));
                at += 2;
            }
            "store" if left >= 1 && !read_only => {
                store = Some(call.arg(at + 1).to_vec());
                at += 1;
            }
            "by" if left >= 1 => {
                by = Some(call.arg(at + 1).to_vec());
                at += 1;
            }
            "get" if left >= 1 => {
                gets.push(call.arg(at + 1).to_vec());
                at += 1;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    let mut items: Vec<Vec<u8>> = match call.look(&key) {
        None => Vec::new(),
        Some(Value::List(list)) => list.items().iter().cloned().collect(),
        Some(Value::Set(set)) => set.members(),
        Some(Value::Zset(zset)) => zset.iter().map(|(member, _)| member.to_vec()).collect(),
        Some(_) => return Err(WRONG_TYPE.into()),
    };
    // A BY pattern without a star means: leave the order.
    let unsorted = by.as_ref().is_some_and(|pattern| !pattern.contains(&b'*'));
    if !unsorted {
        let mut keyed = Vec::new();
        for item in items {
            let weight = match &by {
                Some(pattern) => lookup(call, pattern, &item),
                None => Some(item.clone()),
            };
            let number = match (&weight, alpha) {
                (Some(weight), false) => {
                    float(weight).ok_or("ERR One or more scores can't be converted into double")?
                }
                _ => 0.0,
            };
            keyed.push((number, weight, item));
        }
        keyed.sort_by(|a, b| {
            let order = if alpha { a.1.cmp(&b.1) } else { a.0.total_cmp(&b.0) };
            // Equal weights fall back to the elements, so that the order is the same every time.
            let order = if by.is_none() || alpha { order } else { order.then_with(|| a.2.cmp(&b.2)) };
            if descending { order.reverse() } else { order }
        });
        items = keyed.into_iter().map(|(.., item)| item).collect();
    }
    if let Some((offset, count)) = limit {
        let offset = usize::try_from(offset).unwrap_or(0).min(items.len());
        items.drain(..offset);
        if let Ok(count) = usize::try_from(count) {
            items.truncate(count);
        }
    }
    let mut output: Vec<Option<Vec<u8>>> = Vec::new();
    for item in items {
        if gets.is_empty() {
            output.push(Some(item));
            continue;
        }
        for pattern in &gets {
            let value = if pattern == b"#" { Some(item.clone()) } else { lookup(call, pattern, &item) };
            call.spend(value.as_ref().map_or(0, Vec::len))?;
            output.push(value);
        }
    }
    match store {
        Some(target) => {
            let bytes = output.iter().flatten().map(Vec::len).sum();
            call.room(bytes)?;
            let list: List = output.into_iter().map(Option::unwrap_or_default).collect();
            Ok(Reply::Integer(call.store(&target, Value::List(list), "sortstore", 'l')))
        }
        None => Ok(Reply::Array(output.into_iter().map(Reply::maybe).collect())),
    }
}

/// The value behind `weight_*` or `object_*->field` for an element.
fn lookup(call: &mut Call<'_>, pattern: &[u8], item: &[u8]) -> Option<Vec<u8>> {
    let star = pattern.iter().position(|byte| *byte == b'*')?;
    let (pattern, field) = match pattern[star..].windows(2).position(|pair| pair == b"->") {
        Some(arrow) if star + arrow + 2 < pattern.len() => {
            (&pattern[..star + arrow], Some(&pattern[star + arrow + 2..]))
        }
        _ => (pattern, None),
    };
    let key = [&pattern[..star], item, &pattern[star + 1..]].concat();
    match (call.look(&key), field) {
        (Some(Value::Hash(hash)), Some(field)) => hash.get(field).cloned(),
        (Some(Value::String(bytes, _)), None) => Some(bytes.clone()),
        _ => None,
    }
}

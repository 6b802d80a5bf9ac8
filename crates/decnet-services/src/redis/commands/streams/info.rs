//! XINFO.

use super::entry;
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault};
use crate::redis::store::stream::{Fields, Group};
use crate::redis::store::{Stream, StreamId, Value};

fn field(name: &str, value: Reply) -> (Reply, Reply) {
    (Reply::text(name), value)
}

fn stream_to_show<'a>(call: &'a mut Call<'_>) -> Result<&'a Stream, Fault> {
    let key = call.arg(2).to_vec();
    match call.look(&key) {
        Some(Value::Stream(stream)) => Ok(stream),
        Some(_) => Err(crate::redis::engine::WRONG_TYPE.into()),
        None => Err("ERR no such key".into()),
    }
}

/// Entries behind the group's position, where that can be told.
fn lag(stream: &Stream, group: &Group) -> Reply {
    let read = group.read.filter(|_| !stream.gaps_behind(group.last)).or_else(|| stream.distance(group.last));
    match read {
        _ if stream.added == 0 => Reply::Integer(0),
        Some(read) => Reply::Integer(stream.added.saturating_sub(read) as i64),
        None => Reply::Null,
    }
}

pub(super) fn xinfo_stream(call: &mut Call<'_>) -> Answer {
    let seven = call.since(7, 0);
    let full = call.is(3, "full");
    let count = if full && call.is(4, "count") && call.len() > 5 { call.integer(5)? } else { 10 };
    let count = usize::try_from(count).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
    let stream = stream_to_show(call)?;
    let nodes = stream.len().div_ceil(100).max(1) as i64;
    let mut rows = vec![
        field("length", Reply::Integer(stream.len() as i64)),
        field("radix-tree-keys", Reply::Integer(nodes)),
        field("radix-tree-nodes", Reply::Integer(nodes + 1)),
        field("last-generated-id", Reply::text(stream.last.to_string())),
    ];
    if seven {
        let first = stream.entries().first_key_value().map_or(StreamId::MIN, |(id, _)| *id);
        rows.push(field("max-deleted-entry-id", Reply::text(stream.max_deleted.to_string())));
        rows.push(field("entries-added", Reply::Integer(stream.added as i64)));
        rows.push(field("recorded-first-entry-id", Reply::text(first.to_string())));
    }
    if full {
        let entries =
            stream.range(StreamId::MIN, StreamId::MAX).take(count).map(|(id, fields)| entry(id, fields));
        rows.push(field("entries", Reply::Array(entries.collect())));
        let groups = stream
            .groups
            .iter()
            .map(|(name, group)| {
                let pending = group
                    .pending
                    .iter()
                    .take(count)
                    .map(|(id, pending)| {
                        Reply::Array(vec![
                            Reply::text(id.to_string()),
                            Reply::bulk(&pending.consumer),
                            Reply::Integer(pending.delivered),
                            Reply::Integer(pending.count as i64),
                        ])
                    })
                    .collect();
                let mut row = vec![
                    field("name", Reply::bulk(name)),
                    field("last-delivered-id", Reply::text(group.last.to_string())),
                ];
                if seven {
                    row.push(field(
                        "entries-read",
                        group.read.map_or(Reply::Null, |n| Reply::Integer(n as i64)),
                    ));
                    row.push(field("lag", lag(stream, group)));
                }
                row.push(field("pel-count", Reply::Integer(group.pending.len() as i64)));
                row.push(field("pel", Reply::Array(pending)));
                let consumers = group.consumers.iter().map(|(name, consumer)| {
                    let mine = group.pending.iter().filter(|(_, pending)| pending.consumer == *name);
                    let rows: Vec<Reply> = mine
                        .take(count)
                        .map(|(id, pending)| {
                            Reply::Array(vec![
                                Reply::text(id.to_string()),
                                Reply::Integer(pending.delivered),
                                Reply::Integer(pending.count as i64),
                            ])
                        })
                        .collect();
                    Reply::Map(vec![
                        field("name", Reply::bulk(name)),
                        field("seen-time", Reply::Integer(consumer.seen)),
                        field("pel-count", Reply::Integer(rows.len() as i64)),
                        field("pel", Reply::Array(rows)),
                    ])
                });
                row.push(field("consumers", Reply::Array(consumers.collect())));
                Reply::Map(row)
            })
            .collect();
        rows.push(field("groups", Reply::Array(groups)));
        return Ok(Reply::Map(rows));
    }
    let shown =
        |found: Option<(&StreamId, &Fields)>| found.map_or(Reply::Null, |(id, fields)| entry(*id, fields));
    rows.push(field("groups", Reply::Integer(stream.groups.len() as i64)));
    rows.push(field("first-entry", shown(stream.entries().first_key_value())));
    rows.push(field("last-entry", shown(stream.entries().last_key_value())));
    Ok(Reply::Map(rows))
}

pub(super) fn xinfo_groups(call: &mut Call<'_>) -> Answer {
    let seven = call.since(7, 0);
    let stream = stream_to_show(call)?;
    let rows = stream
        .groups
        .iter()
        .map(|(name, group)| {
            let mut row = vec![
                field("name", Reply::bulk(name)),
                field("consumers", Reply::Integer(group.consumers.len() as i64)),
                field("pending", Reply::Integer(group.pending.len() as i64)),
                field("last-delivered-id", Reply::text(group.last.to_string())),
            ];
            if seven {
                row.push(field("entries-read", group.read.map_or(Reply::Null, |n| Reply::Integer(n as i64))));
                row.push(field("lag", lag(stream, group)));
            }
            Reply::Map(row)
        })
        .collect();
    Ok(Reply::Array(rows))
}

pub(super) fn xinfo_consumers(call: &mut Call<'_>) -> Answer {
    let (now, inactive) = (call.now, call.since(7, 2));
    let name = call.arg(3).to_vec();
    let key = call.arg(2).to_vec();
    let stream = stream_to_show(call)?;
    let Some(group) = stream.groups.get(&name) else {
        return Err(Fault(
            [b"NOGROUP No such consumer group '".as_slice(), &name, b"' for key name '", &key, b"'"].concat(),
        ));
    };
    let rows = group
        .consumers
        .iter()
        .map(|(name, consumer)| {
            let pending = group.pending.values().filter(|pending| pending.consumer == *name).count();
            let mut row = vec![
                field("name", Reply::bulk(name)),
                field("pending", Reply::Integer(pending as i64)),
                field("idle", Reply::Integer((now - consumer.seen).max(0))),
            ];
            if inactive {
                let idle = if consumer.active < 0 { -1 } else { (now - consumer.active).max(0) };
                row.push(field("inactive", Reply::Integer(idle)));
            }
            Reply::Map(row)
        })
        .collect();
    Ok(Reply::Array(rows))
}

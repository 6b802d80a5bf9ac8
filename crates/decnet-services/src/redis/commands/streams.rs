//! Streams and consumer groups.

use super::stream_groups::read_group;
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX};
use crate::redis::store::stream::{Fields, Group};
use crate::redis::store::{Stream, StreamId, Value};

pub(super) const HANDLERS: super::Group = &[
    ("xadd", xadd),
    ("xdel", xdel),
    ("xinfo|consumers", xinfo_consumers),
    ("xinfo|groups", xinfo_groups),
    ("xinfo|stream", xinfo_stream),
    ("xlen", xlen),
    ("xrange", |call| range(call, false)),
    ("xread", |call| read(call, false)),
    ("xreadgroup", |call| read(call, true)),
    ("xrevrange", |call| range(call, true)),
    ("xsetid", xsetid),
    ("xtrim", xtrim),
];

const BAD_ID: &str = "ERR Invalid stream ID specified as stream command argument";

/// An id, or the product's refusal.
pub(super) fn id(text: &[u8], missing: u64) -> Result<StreamId, Fault> {
    StreamId::parse(text, missing).ok_or_else(|| BAD_ID.into())
}

/// An entry as replies show it.
pub(super) fn entry(id: StreamId, fields: &Fields) -> Reply {
    Reply::Array(vec![Reply::text(id.to_string()), Reply::bulks(fields.iter().cloned())])
}

#[derive(Default)]
struct Trim {
    length: Option<usize>,
    least: Option<StreamId>,
    limit: Option<usize>,
    approximate: bool,
}

impl Trim {
    /// Reads `MAXLEN|MINID [=|~] threshold [LIMIT n]` at `at`; gives where it ends.
    fn read(&mut self, call: &Call<'_>, at: usize) -> Result<usize, Fault> {
        let by_id = call.is(at, "minid");
        let mut at = at + 1;
        match call.arg(at) {
            b"~" => {
                self.approximate = true;
                at += 1;
            }
            b"=" => at += 1,
            _ => {}
        }
        if at >= call.len() {
            return Err(SYNTAX.into());
        }
        if by_id {
            self.least = Some(id(call.arg(at), 0)?);
        } else {
            let length = call.integer(at)?;
            self.length = Some(usize::try_from(length).map_err(|_| "ERR The MAXLEN argument must be >= 0.")?);
        }
        at += 1;
        if call.is(at, "limit") && at + 1 < call.len() {
            let limit = call.integer(at + 1)?;
            if !self.approximate {
                return Err("ERR syntax error, LIMIT cannot be used without the special ~ option".into());
            }
            self.limit = Some(usize::try_from(limit).map_err(|_| "ERR The LIMIT argument must be >= 0.")?);
            at += 2;
        }
        Ok(at)
    }

    fn apply(&self, stream: &mut Stream) -> usize {
        // An approximate trim drops whole nodes of a hundred entries only.
        let slack = if self.approximate { 100 } else { 1 };
        let limit = self.limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        match (self.length, self.least) {
            (Some(length), _) => {
                let over = stream.len().saturating_sub(length) / slack * slack;
                let keep = stream.len() - over;
                stream.trim(limit, |now, _| now > keep)
            }
            (None, Some(least)) => {
                let over = stream.range(StreamId::MIN, least).filter(|(id, _)| *id < least).count();
                let over = over / slack * slack;
                let keep = stream.len() - over;
                stream.trim(limit, |now, _| now > keep)
            }
            (None, None) => 0,
        }
    }
}

fn xadd(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let mut trim = Trim::default();
    let mut make = true;
    let mut at = 2;
    loop {
        match call.word(at).as_str() {
            "nomkstream" => {
                make = false;
                at += 1;
            }
            "maxlen" | "minid" => at = trim.read(call, at)?,
            _ => break,
        }
    }
    let fields = call.args.get(at + 1..).unwrap_or(&[]).to_vec();
    if fields.is_empty() || fields.len() % 2 == 1 {
        return Err(Call::arity("xadd"));
    }
    let now = call.now.max(0) as u64;
    let text = call.arg(at).to_vec();
    let given = if text == b"*" {
        None
    } else if let Some(ms) = text.strip_suffix(b"-*").filter(|_| call.since(7, 0)) {
        Some((id(ms, 0)?.ms, None))
    } else {
        let id = id(&text, 0)?;
        Some((id.ms, Some(id.number)))
    };
    if given == Some((0, Some(0))) {
        return Err("ERR The ID specified in XADD must be greater than 0-0".into());
    }
    let last = match call.stream(&key)? {
        Some(stream) => stream.last,
        None if !make => return Ok(Reply::Null),
        None => StreamId::MIN,
    };
    let exhausted = "ERR The stream has exhausted the last possible ID, unable to add more items";
    let too_small = "ERR The ID specified in XADD is equal or smaller than the target stream top item";
    let new = match given {
        None if now > last.ms => StreamId { ms: now, number: 0 },
        None => last.next().ok_or(exhausted)?,
        Some((ms, None)) if ms > last.ms => StreamId { ms, number: u64::from(ms == 0) },
        Some((ms, None)) if ms == last.ms => last.next().filter(|next| next.ms == ms).ok_or(too_small)?,
        Some((ms, number)) => StreamId { ms, number: number.unwrap_or(0) },
    };
    if new <= last {
        return Err(too_small.into());
    }
    let stream = call.stream_mut(&key)?;
    stream.add(new, fields);
    trim.apply(stream);
    call.changed(&key, "xadd", 't');
    Ok(Reply::text(new.to_string()))
}

fn xtrim(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let mut trim = Trim::default();
    match call.word(2).as_str() {
        "maxlen" | "minid" => {
            if trim.read(call, 2)? != call.len() {
                return Err(SYNTAX.into());
            }
        }
        _ => return Err(SYNTAX.into()),
    }
    if call.stream(&key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let dropped = trim.apply(call.stream_mut(&key)?);
    if dropped > 0 {
        call.changed(&key, "xtrim", 't');
    }
    Ok(Reply::Integer(dropped as i64))
}

fn xdel(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    if call.stream(&key)?.is_none() {
        return Ok(Reply::Integer(0));
    }
    let mut ids = Vec::new();
    for at in 2..call.len() {
        ids.push(id(call.arg(at), 0)?);
    }
    let stream = call.stream_mut(&key)?;
    let deleted = ids.into_iter().filter(|id| stream.delete(*id)).count();
    if deleted > 0 {
        call.changed(&key, "xdel", 't');
    }
    Ok(Reply::Integer(deleted as i64))
}

fn xlen(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    Ok(Reply::Integer(call.stream(&key)?.map_or(0, Stream::len) as i64))
}

fn xsetid(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let new = id(call.arg(2), 0)?;
    let (mut added, mut deleted) = (None, None);
    let mut at = 3;
    while at < call.len() {
        match call.word(at).as_str() {
            "entriesadded" if at + 1 < call.len() => {
                let count = call.integer(at + 1)?;
                added = Some(u64::try_from(count).map_err(|_| "ERR entries_added must be positive")?);
            }
            "maxdeletedid" if at + 1 < call.len() => deleted = Some(id(call.arg(at + 1), 0)?),
            _ => return Err(SYNTAX.into()),
        }
        at += 2;
    }
    let Some(stream) = call.stream(&key)? else { return Err("ERR no such key".into()) };
    if stream.entries().last_key_value().is_some_and(|(last, _)| new < *last) {
        return Err("ERR The ID specified in XSETID is smaller than the target stream top item".into());
    }
    let stream = call.stream_mut(&key)?;
    stream.last = new;
    stream.added = added.unwrap_or(stream.added);
    stream.max_deleted = deleted.unwrap_or(stream.max_deleted);
    call.changed(&key, "xsetid", 't');
    Ok(Reply::OK)
}

/// One end of a range: `-`, `+`, an id, or an id left out with `(`.
pub(super) fn bound(text: &[u8], low: bool) -> Result<StreamId, Fault> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        [b'(', rest @ ..] => {
            let id = id(rest, if low { 0 } else { u64::MAX })?;
            let moved = if low { id.next() } else { id.previous() };
            moved.ok_or_else(|| {
                if low {
                    "ERR invalid start ID for the interval".into()
                } else {
                    "ERR invalid end ID for the interval".into()
                }
            })
        }
        text => id(text, if low { 0 } else { u64::MAX }),
    }
}

fn range(call: &mut Call<'_>, reverse: bool) -> Answer {
    let key = call.arg(1).to_vec();
    let (low, high) = if reverse { (3, 2) } else { (2, 3) };
    let (low, high) = (bound(call.arg(low), true)?, bound(call.arg(high), false)?);
    let count = match call.len() {
        4 => usize::MAX,
        6 if call.is(4, "count") => {
            let count = call.integer(5)?;
            if count <= 0 {
                return Ok(if count < 0 { Reply::Array(Vec::new()) } else { Reply::NullArray });
            }
            count as usize
        }
        _ => return Err(SYNTAX.into()),
    };
    let Some(stream) = call.stream(&key)? else { return Ok(Reply::Array(Vec::new())) };
    let entries: Vec<Reply> = if reverse {
        stream.range(low, high).rev().take(count).map(|(id, fields)| entry(id, fields)).collect()
    } else {
        stream.range(low, high).take(count).map(|(id, fields)| entry(id, fields)).collect()
    };
    Ok(Reply::Array(entries))
}

fn read(call: &mut Call<'_>, grouped: bool) -> Answer {
    let mut count = usize::MAX;
    let mut wait = None;
    let mut no_ack = false;
    let mut group: Option<(Vec<u8>, Vec<u8>)> = None;
    let mut at = 1;
    let streams = loop {
        if at >= call.len() {
            return Err(SYNTAX.into());
        }
        let more = at + 1 < call.len();
        match call.word(at).as_str() {
            "count" if more => {
                let wanted = call.integer(at + 1)?;
                count = usize::try_from(wanted).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
                at += 2;
            }
            "block" if more => {
                let ms = crate::redis::codec::number(call.arg(at + 1))
                    .ok_or("ERR timeout is not an integer or out of range")?;
                if ms < 0 {
                    return Err("ERR timeout is negative".into());
                }
                wait = Some(ms as f64 / 1000.0);
                at += 2;
            }
            "group" if grouped && at + 2 < call.len() => {
                group = Some((call.arg(at + 1).to_vec(), call.arg(at + 2).to_vec()));
                at += 3;
            }
            "noack" if grouped => {
                no_ack = true;
                at += 1;
            }
            "streams" if more => break at + 1,
            _ => return Err(SYNTAX.into()),
        }
    };
    let rest = call.len() - streams;
    if !rest.is_multiple_of(2) {
        return Err(if call.since(7, 2) {
            let name = if grouped { "xreadgroup" } else { "xread" };
            format!(
                "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{}' must be specified.",
                if grouped { '>' } else { '$' }
            )
            .into()
        } else {
            "ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.".into()
        });
    }
    if grouped && group.is_none() {
        return Err("ERR Missing GROUP option for XREADGROUP".into());
    }
    let mut arguments = call.args.to_vec();
    let half = rest / 2;
    let mut found = Vec::new();
    let mut keys = Vec::new();
    for i in 0..half {
        let key = call.arg(streams + i).to_vec();
        let text = call.arg(streams + half + i).to_vec();
        keys.push(key.clone());
        let entries = match &group {
            Some((name, consumer)) => read_group(call, &key, &text, name, consumer, count, no_ack)?,
            None => {
                let after = if text == b"$" {
                    let last = call.stream(&key)?.map_or(StreamId::MIN, |stream| stream.last);
                    // What `$` means now is what it means when we look again.
                    if let Some(place) = arguments.get_mut(streams + half + i) {
                        *place = last.to_string().into_bytes();
                    }
                    last
                } else {
                    id(&text, 0)?
                };
                let Some(from) = after.next() else { continue };
                call.stream(&key)?.and_then(|stream| {
                    let entries: Vec<Reply> = stream
                        .range(from, StreamId::MAX)
                        .take(count)
                        .map(|(id, fields)| entry(id, fields))
                        .collect();
                    (!entries.is_empty()).then_some(entries)
                })
            }
        };
        if let Some(entries) = entries {
            found.push((Reply::Bulk(key), Reply::Array(entries)));
        }
    }
    if !found.is_empty() {
        return Ok(if call.resp3() {
            Reply::Map(found)
        } else {
            Reply::Array(found.into_iter().map(|(key, entries)| Reply::Array(vec![key, entries])).collect())
        });
    }
    match wait {
        Some(seconds) => call.block_with(keys, arguments, Some(seconds), Reply::NullArray),
        None => Ok(Reply::NullArray),
    }
}

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

fn xinfo_stream(call: &mut Call<'_>) -> Answer {
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

fn xinfo_groups(call: &mut Call<'_>) -> Answer {
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

fn xinfo_consumers(call: &mut Call<'_>) -> Answer {
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

//! Consumer groups of streams.

use super::streams::{bound, entry, id};
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX};
use crate::redis::store::stream::{Consumer, Fields, Group, Pending};
use crate::redis::store::{Stream, StreamId};

pub(super) const HANDLERS: super::Group = &[
    ("xack", xack),
    ("xautoclaim", xautoclaim),
    ("xclaim", xclaim),
    ("xgroup|create", xgroup_create),
    ("xgroup|createconsumer", xgroup_createconsumer),
    ("xgroup|delconsumer", xgroup_delconsumer),
    ("xgroup|destroy", xgroup_destroy),
    ("xgroup|setid", xgroup_setid),
    ("xpending", xpending),
];

const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
                         the MKSTREAM option to create an empty stream automatically.";

fn no_group(key: &[u8], group: &[u8], command: &str) -> Fault {
    Fault(
        [b"NOGROUP No such key '".as_slice(), key, b"' or consumer group '", group, b"'", command.as_bytes()]
            .concat(),
    )
}

/// Entries for a consumer: new ones, or those that it was given before.
pub(super) fn read_group(
    call: &mut Call<'_>,
    key: &[u8],
    text: &[u8],
    name: &[u8],
    consumer: &[u8],
    count: usize,
    no_ack: bool,
) -> Result<Option<Vec<Reply>>, Fault> {
    let fresh = text == b">";
    let after = if fresh { StreamId::MIN } else { id(text, 0)? };
    let missing = || no_group(key, name, " in XREADGROUP with GROUP option");
    match call.stream(key)? {
        Some(stream) if stream.groups.contains_key(name) => {}
        _ => return Err(missing()),
    }
    let now = call.now;
    let stream = call.stream_mut(key)?;
    let range: Vec<(StreamId, Fields)> = match stream.groups.get(name) {
        Some(group) if fresh => match group.last.next() {
            Some(from) => stream
                .range(from, StreamId::MAX)
                .take(count)
                .map(|(id, fields)| (id, fields.clone()))
                .collect(),
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    // What the counter is after this read: one more for each entry, or an estimate where it is unknown.
    let mut read = stream.groups.get(name).and_then(|group| group.read);
    for (id, _) in &range {
        read = match read {
            Some(read) if !stream.gaps_behind(*id) => Some(read + 1),
            _ => stream.distance(*id),
        };
    }
    let Some(group) = stream.groups.get_mut(name) else { return Err(missing()) };
    let known = group.consumers.entry(consumer.to_vec()).or_insert(Consumer { seen: now, active: -1 });
    known.seen = now;
    if !fresh {
        let mine: Vec<StreamId> = group
            .pending
            .range(after..)
            .filter(|(id, pending)| **id > after && pending.consumer == consumer)
            .map(|(id, _)| *id)
            .take(count)
            .collect();
        for id in &mine {
            if let Some(pending) = group.pending.get_mut(id) {
                pending.delivered = now;
                pending.count += 1;
            }
        }
        let replies = mine
            .into_iter()
            .map(|id| match stream.entries().get(&id) {
                Some(fields) => entry(id, fields),
                None => Reply::Array(vec![Reply::text(id.to_string()), Reply::NullArray]),
            })
            .collect();
        return Ok(Some(replies));
    }
    let Some((last, _)) = range.last() else { return Ok(None) };
    known.active = now;
    group.last = *last;
    group.read = read;
    if !no_ack {
        for (id, _) in &range {
            group.pending.insert(*id, Pending { consumer: consumer.to_vec(), delivered: now, count: 1 });
        }
    }
    let replies = range.iter().map(|(id, fields)| entry(*id, fields)).collect();
    call.state.dirty += 1;
    call.db().weigh(key);
    Ok(Some(replies))
}

fn with_group<T>(
    call: &mut Call<'_>,
    key: &[u8],
    name: &[u8],
    run: impl FnOnce(&mut Group) -> T,
) -> Result<Option<T>, Fault> {
    if call.stream(key)?.is_none() {
        return Ok(None);
    }
    Ok(call.stream_mut(key)?.groups.get_mut(name).map(run))
}

fn xack(call: &mut Call<'_>) -> Answer {
    let (key, name) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let mut ids = Vec::new();
    for at in 3..call.len() {
        ids.push(id(call.arg(at), 0)?);
    }
    let acknowledged = with_group(call, &key, &name, |group| {
        ids.iter().filter(|id| group.pending.remove(id).is_some()).count()
    })?;
    if acknowledged.is_some_and(|count| count > 0) {
        call.changed(&key, "xack", 't');
    }
    Ok(Reply::Integer(acknowledged.unwrap_or(0) as i64))
}

fn xgroup_create(call: &mut Call<'_>) -> Answer {
    let (key, name) = (call.arg(2).to_vec(), call.arg(3).to_vec());
    let mut make = false;
    let mut read = None;
    let mut at = 5;
    while at < call.len() {
        match call.word(at).as_str() {
            "mkstream" => make = true,
            "entriesread" if call.since(7, 0) && at + 1 < call.len() => {
                let count = call.integer(at + 1)?;
                if count < -1 {
                    return Err("ERR value for ENTRIESREAD must be positive or -1".into());
                }
                read = u64::try_from(count).ok();
                at += 1;
            }
            _ => return Err(super::unknown_subcommand(call)),
        }
        at += 1;
    }
    let existing = call.stream(&key)?.map(|stream| stream.last);
    let Some(top) = existing.or(make.then_some(StreamId::MIN)) else { return Err(NO_STREAM.into()) };
    let last = if call.arg(4) == b"$" { top } else { id(call.arg(4), 0)? };
    let stream = call.stream_mut(&key)?;
    if stream.groups.contains_key(&name) {
        return Err("BUSYGROUP Consumer Group name already exists".into());
    }
    stream.groups.insert(name, Group { last, read, ..Group::default() });
    call.changed(&key, "xgroup-create", 't');
    Ok(Reply::OK)
}

fn group_of(call: &mut Call<'_>) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let (key, name) = (call.arg(2).to_vec(), call.arg(3).to_vec());
    match call.stream(&key)? {
        None => Err(NO_STREAM.into()),
        Some(stream) if stream.groups.contains_key(&name) => Ok((key, name)),
        Some(_) => Err(Fault(
            [b"NOGROUP No such consumer group '".as_slice(), &name, b"' for key name '", &key, b"'"].concat(),
        )),
    }
}

fn xgroup_setid(call: &mut Call<'_>) -> Answer {
    let (key, name) = group_of(call)?;
    let text = call.arg(4).to_vec();
    let top = call.stream(&key)?.map_or(StreamId::MIN, |stream| stream.last);
    let last = if text == b"$" { top } else { id(&text, 0)? };
    with_group(call, &key, &name, |group| group.last = last)?;
    call.changed(&key, "xgroup-setid", 't');
    Ok(Reply::OK)
}

fn xgroup_destroy(call: &mut Call<'_>) -> Answer {
    let (key, name) = (call.arg(2).to_vec(), call.arg(3).to_vec());
    if call.stream(&key)?.is_none() {
        return Err(NO_STREAM.into());
    }
    let removed = call.stream_mut(&key)?.groups.remove(&name).is_some();
    if removed {
        call.changed(&key, "xgroup-destroy", 't');
    }
    Ok(Reply::Integer(i64::from(removed)))
}

fn xgroup_createconsumer(call: &mut Call<'_>) -> Answer {
    let (key, name) = group_of(call)?;
    let consumer = call.arg(4).to_vec();
    let now = call.now;
    let made = with_group(call, &key, &name, |group| {
        let new = !group.consumers.contains_key(&consumer);
        if new {
            group.consumers.insert(consumer, Consumer { seen: now, active: -1 });
        }
        new
    })?;
    call.changed(&key, "xgroup-createconsumer", 't');
    Ok(Reply::Integer(i64::from(made.unwrap_or(false))))
}

fn xgroup_delconsumer(call: &mut Call<'_>) -> Answer {
    let (key, name) = group_of(call)?;
    let consumer = call.arg(4).to_vec();
    let pending = with_group(call, &key, &name, |group| {
        group.consumers.remove(&consumer);
        let before = group.pending.len();
        group.pending.retain(|_, pending| pending.consumer != consumer);
        before - group.pending.len()
    })?;
    call.changed(&key, "xgroup-delconsumer", 't');
    Ok(Reply::Integer(pending.unwrap_or(0) as i64))
}

fn xpending(call: &mut Call<'_>) -> Answer {
    let (key, name) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let now = call.now;
    let mut at = 3;
    let mut idle = 0;
    if call.is(3, "idle") && call.len() > 4 {
        idle = call.integer(4)?;
        at = 5;
    }
    let extended = match call.len().saturating_sub(at) {
        0 if at == 3 => None,
        3 | 4 => {
            let (low, high) = (bound(call.arg(at), true)?, bound(call.arg(at + 1), false)?);
            let count = usize::try_from(call.integer(at + 2)?).unwrap_or(0);
            let consumer = (call.len() - at == 4).then(|| call.arg(at + 3).to_vec());
            Some((low, high, count, consumer))
        }
        _ => return Err(SYNTAX.into()),
    };
    let answer = with_group(call, &key, &name, |group| match extended {
        None => {
            let bounds = (group.pending.first_key_value(), group.pending.last_key_value());
            let (Some((first, _)), Some((last, _))) = bounds else {
                return Reply::Array(vec![Reply::Integer(0), Reply::Null, Reply::Null, Reply::NullArray]);
            };
            let mut by_consumer: std::collections::BTreeMap<&[u8], u64> = Default::default();
            for pending in group.pending.values() {
                *by_consumer.entry(&pending.consumer).or_default() += 1;
            }
            let rows = by_consumer
                .into_iter()
                .map(|(consumer, count)| {
                    Reply::Array(vec![Reply::bulk(consumer), Reply::text(count.to_string())])
                })
                .collect();
            Reply::Array(vec![
                Reply::Integer(group.pending.len() as i64),
                Reply::text(first.to_string()),
                Reply::text(last.to_string()),
                Reply::Array(rows),
            ])
        }
        Some((low, high, _, _)) if low > high => Reply::Array(Vec::new()),
        Some((low, high, count, consumer)) => Reply::Array(
            group
                .pending
                .range(low..=high)
                .filter(|(_, pending)| consumer.as_ref().is_none_or(|consumer| pending.consumer == *consumer))
                .filter(|(_, pending)| now - pending.delivered >= idle)
                .take(count)
                .map(|(id, pending)| {
                    Reply::Array(vec![
                        Reply::text(id.to_string()),
                        Reply::bulk(&pending.consumer),
                        Reply::Integer((now - pending.delivered).max(0)),
                        Reply::Integer(pending.count as i64),
                    ])
                })
                .collect(),
        ),
    })?;
    answer.ok_or_else(|| no_group(&key, &name, ""))
}

/// What XCLAIM and XAUTOCLAIM change in a claimed entry.
struct Claim {
    consumer: Vec<u8>,
    delivered: i64,
    count: Option<u64>,
    just_id: bool,
}

fn claim(stream: &mut Stream, name: &[u8], id: StreamId, how: &Claim, now: i64) -> Option<Reply> {
    let fields = stream.entries().get(&id).cloned();
    let group = stream.groups.get_mut(name)?;
    let Some(fields) = fields else {
        // The entry was deleted: the claim clears it away.
        group.pending.remove(&id);
        return None;
    };
    let consumer = group.consumers.entry(how.consumer.clone()).or_insert(Consumer { seen: now, active: -1 });
    consumer.seen = now;
    consumer.active = now;
    let pending = group.pending.get_mut(&id)?;
    pending.consumer.clone_from(&how.consumer);
    pending.delivered = how.delivered;
    match how.count {
        Some(count) => pending.count = count,
        None if !how.just_id => pending.count += 1,
        None => {}
    }
    Some(if how.just_id { Reply::text(id.to_string()) } else { entry(id, &fields) })
}

fn xclaim(call: &mut Call<'_>) -> Answer {
    let (key, name) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let now = call.now;
    let least =
        crate::redis::codec::number(call.arg(4)).ok_or("ERR Invalid min-idle-time argument for XCLAIM")?;
    let mut ids = Vec::new();
    let mut at = 5;
    while at < call.len() {
        match StreamId::parse(call.arg(at), 0) {
            Some(id) => ids.push(id),
            None => break,
        }
        at += 1;
    }
    let mut how = Claim { consumer: call.arg(3).to_vec(), delivered: now, count: None, just_id: false };
    let mut force = false;
    while at < call.len() {
        let more = at + 1 < call.len();
        match call.word(at).as_str() {
            "force" => force = true,
            "justid" => how.just_id = true,
            "idle" if more => {
                let idle = call.integer(at + 1)?;
                how.delivered = now - idle.clamp(0, now);
                at += 1;
            }
            "time" if more => {
                how.delivered = call.integer(at + 1)?.clamp(0, now);
                at += 1;
            }
            "retrycount" if more => {
                let count = call.integer(at + 1)?;
                how.count = Some(
                    u64::try_from(count).map_err(|_| "ERR Invalid RETRYCOUNT option argument for XCLAIM")?,
                );
                at += 1;
            }
            "lastid" if more => {
                id(call.arg(at + 1), 0)?;
                at += 1;
            }
            _ => return Err(Fault::quoting("ERR Unrecognized XCLAIM option '", call.arg(at), "'")),
        }
        at += 1;
    }
    match call.stream(&key)? {
        Some(stream) if stream.groups.contains_key(&name) => {}
        _ => return Err(no_group(&key, &name, "")),
    }
    let stream = call.stream_mut(&key)?;
    let mut replies = Vec::new();
    for id in ids {
        let exists = stream.entries().contains_key(&id);
        let Some(group) = stream.groups.get_mut(&name) else { break };
        let due = match group.pending.get(&id) {
            Some(pending) => now - pending.delivered >= least,
            None if force && exists => {
                let pending = Pending { consumer: how.consumer.clone(), delivered: now, count: 0 };
                group.pending.insert(id, pending);
                true
            }
            None => false,
        };
        if due {
            replies.extend(claim(stream, &name, id, &how, now));
        }
    }
    call.changed(&key, "xclaim", 't');
    Ok(Reply::Array(replies))
}

fn xautoclaim(call: &mut Call<'_>) -> Answer {
    let (key, name) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let now = call.now;
    let least = crate::redis::codec::number(call.arg(4))
        .ok_or("ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let from = bound(call.arg(5), true)?;
    let mut how = Claim { consumer: call.arg(3).to_vec(), delivered: now, count: None, just_id: false };
    let mut count = 100;
    let mut at = 6;
    while at < call.len() {
        match call.word(at).as_str() {
            "justid" => how.just_id = true,
            "count" if at + 1 < call.len() => {
                let wanted = call.integer(at + 1)?;
                count = usize::try_from(wanted).ok().filter(|n| *n > 0).ok_or("ERR COUNT must be > 0")?;
                at += 1;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    match call.stream(&key)? {
        Some(stream) if stream.groups.contains_key(&name) => {}
        _ => return Err(no_group(&key, &name, "")),
    }
    let stream = call.stream_mut(&key)?;
    let Some(group) = stream.groups.get(&name) else { return Err(no_group(&key, &name, "")) };
    let mut due = group.pending.range(from..).filter(|(_, pending)| now - pending.delivered >= least);
    let ids: Vec<StreamId> = due.by_ref().take(count).map(|(id, _)| *id).collect();
    let next = due.next().map_or(StreamId::MIN, |(id, _)| *id);
    let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
    for id in ids {
        match claim(stream, &name, id, &how, now) {
            Some(reply) => claimed.push(reply),
            None => deleted.push(Reply::text(id.to_string())),
        }
    }
    call.changed(&key, "xautoclaim", 't');
    let mut reply = vec![Reply::text(next.to_string()), Reply::Array(claimed)];
    if call.since(7, 0) {
        reply.push(Reply::Array(deleted));
    }
    Ok(Reply::Array(reply))
}

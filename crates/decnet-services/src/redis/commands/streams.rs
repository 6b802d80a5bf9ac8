//! Streams and consumer groups.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX};
use crate::redis::store::stream::{Consumer, Fields, Group, Pending};
use crate::redis::store::{Stream, StreamId, Value};

pub(super) const HANDLERS: super::Group = &[
    ("xack", xack),
    ("xadd", xadd),
    ("xautoclaim", xautoclaim),
    ("xclaim", xclaim),
    ("xdel", xdel),
    ("xgroup|create", xgroup_create),
    ("xgroup|createconsumer", xgroup_createconsumer),
    ("xgroup|delconsumer", xgroup_delconsumer),
    ("xgroup|destroy", xgroup_destroy),
    ("xgroup|setid", xgroup_setid),
    ("xinfo|consumers", xinfo_consumers),
    ("xinfo|groups", xinfo_groups),
    ("xinfo|stream", xinfo_stream),
    ("xlen", xlen),
    ("xpending", xpending),
    ("xrange", |call| range(call, false)),
    ("xread", |call| read(call, false)),
    ("xreadgroup", |call| read(call, true)),
    ("xrevrange", |call| range(call, true)),
    ("xsetid", xsetid),
    ("xtrim", xtrim),
];

const BAD_ID: &str = "ERR Invalid stream ID specified as stream command argument";
const NO_STREAM: &str = "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
                         the MKSTREAM option to create an empty stream automatically.";

fn id(text: &[u8], missing: u64) -> Result<StreamId, Fault> {
    StreamId::parse(text, missing).ok_or_else(|| BAD_ID.into())
}

fn entry(id: StreamId, fields: &Fields) -> Reply {
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
fn bound(text: &[u8], low: bool) -> Result<StreamId, Fault> {
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

fn no_group(key: &[u8], group: &[u8], command: &str) -> Fault {
    Fault(
        [b"NOGROUP No such key '".as_slice(), key, b"' or consumer group '", group, b"'", command.as_bytes()]
            .concat(),
    )
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

fn read_group(
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

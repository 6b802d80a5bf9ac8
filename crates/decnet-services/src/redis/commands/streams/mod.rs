//! Streams and consumer groups.

mod groups;
mod info;

use self::groups::{
    read, xack, xautoclaim, xclaim, xgroup_create, xgroup_createconsumer, xgroup_delconsumer, xgroup_destroy,
    xgroup_setid, xpending,
};
use self::info::{xinfo_consumers, xinfo_groups, xinfo_stream};
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault, SYNTAX};
use crate::redis::store::stream::Fields;
use crate::redis::store::{Stream, StreamId};

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

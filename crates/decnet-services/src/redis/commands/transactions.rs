//! MULTI, EXEC, WATCH.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, perform, spec_of};

pub(super) const HANDLERS: super::Group = &[
    ("discard", discard),
    ("exec", exec),
    ("multi", multi),
    ("unwatch", |call| {
        unwatch(call);
        Ok(Reply::OK)
    }),
    ("watch", watch),
];

fn multi(call: &mut Call<'_>) -> Answer {
    if call.client().queue.is_some() {
        return Err("ERR MULTI calls can not be nested".into());
    }
    call.client().queue = Some(Vec::new());
    Ok(Reply::OK)
}

/// Ends a transaction: the queue, its bytes and the watches go.
pub(super) fn end(call: &mut Call<'_>) {
    if let Some(queue) = call.client().queue.take() {
        for queued in queue {
            let bytes: usize = queued.arguments.iter().map(|argument| argument.len() + 64).sum();
            call.let_go(bytes);
        }
    }
    call.client().queue_broken = false;
    unwatch(call);
}

fn unwatch(call: &mut Call<'_>) {
    let watched = std::mem::take(&mut call.client().watched);
    for (_, key) in watched {
        call.let_go(key.len());
    }
    call.client().watch_broken = false;
}

fn discard(call: &mut Call<'_>) -> Answer {
    if call.client().queue.is_none() {
        return Err("ERR DISCARD without MULTI".into());
    }
    end(call);
    Ok(Reply::OK)
}

fn watch(call: &mut Call<'_>) -> Answer {
    if call.client().queue.is_some() {
        return Err("ERR WATCH inside MULTI is not allowed".into());
    }
    let database = call.database_number();
    for at in 1..call.len() {
        let key = call.arg(at).to_vec();
        call.expire_if_due(&key);
        if !call.client().watched.contains(&(database, key.clone())) {
            call.keep(key.len())?;
            call.client().watched.push((database, key));
        }
    }
    Ok(Reply::OK)
}

fn exec(call: &mut Call<'_>) -> Answer {
    let Some(queue) = call.client().queue.clone() else { return Err("ERR EXEC without MULTI".into()) };
    if call.client().queue_broken {
        end(call);
        return Err("EXECABORT Transaction discarded because of previous errors.".into());
    }
    // A watched key that expired meanwhile counts as changed.
    let watched = call.client().watched.clone();
    let now = call.now;
    for (database, key) in watched {
        call.state.expire_key(database, &key, now);
    }
    let broken = call.client().watch_broken;
    end(call);
    if broken {
        return Ok(Reply::NullArray);
    }
    let mut replies = Vec::with_capacity(queue.len().min(1024));
    for queued in queue {
        let (id, now, spent) = (call.id, call.now, call.spent);
        let mut inner =
            Call { state: call.state, id, args: &queued.arguments, now, nested: true, retry: false, spent };
        let reply = match spec_of(inner.args, inner.release()) {
            Ok(spec) => match inner.permitted(spec, "multi") {
                Ok(()) => perform(&mut inner, spec, "multi"),
                Err(fault) => Err(fault),
            },
            Err(fault) => Err(fault),
        }
        .unwrap_or_else(|fault| Reply::Error(fault.0));
        call.spent = inner.spent;
        if let Reply::Error(text) = &reply {
            call.state.stats.count_error(text);
        }
        call.spend(reply.weight())?;
        replies.push(reply);
    }
    Ok(Reply::Array(replies))
}

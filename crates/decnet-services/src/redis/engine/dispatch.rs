//! From an argument vector to a reply, in the order of checks of the product's processCommand.

use super::{Answer, Call, Close, Fault, Flow, OUT_OF_MEMORY, Queued, REPLY_BOUND, ReplyMode, Slow, State};
use crate::redis::codec::{Protocol, Reply};
use crate::redis::commands::{self, Handler};
use crate::redis::persona::Release;
use crate::redis::store::{MEMORY_BOUND, OBJECT_BOUND};
use crate::redis::tables::{self, Spec};
use decnet_logging::event::Body;

/// Commands that only release 6.2 and older list: traps for HTTP.
pub(crate) const TRAPS: [&str; 2] = ["post", "host:"];

/// The row of a command, and of its subcommand where it has one.
pub(crate) fn spec_of(arguments: &[Vec<u8>], release: Release) -> Result<&'static Spec, Fault> {
    let name = word(arguments.first());
    let Some(spec) =
        tables::commands().get(name.as_str()).filter(|spec| release >= spec.since && !name.contains('|'))
    else {
        return Err(unknown_command(arguments, release));
    };
    if spec.subcommands.is_empty() || arguments.len() < 2 {
        return Ok(spec);
    }
    let full = format!("{name}|{}", word(arguments.get(1)));
    match tables::commands().get(full.as_str()).filter(|spec| release >= spec.since) {
        Some(spec) => Ok(spec),
        None if release.since(7, 0) => {
            let shown: Vec<u8> =
                arguments.get(1).map(|word| word.iter().take(128).copied().collect()).unwrap_or_default();
            Err(Fault::quoting(
                "ERR unknown subcommand '",
                &shown,
                &format!("'. Try {} HELP.", name.to_uppercase()),
            ))
        }
        None => Ok(spec),
    }
}

fn word(argument: Option<&Vec<u8>>) -> String {
    // A command's name is short; the rest of a long one cannot make it known.
    argument
        .map(|bytes| String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).to_ascii_lowercase())
        .unwrap_or_default()
}

/// The error for a command that is not there. The product quotes at most 128 bytes of the arguments.
pub(crate) fn unknown_command(arguments: &[Vec<u8>], release: Release) -> Fault {
    let first = arguments.first().map_or(&[][..], Vec::as_slice);
    let name = &first[..first.len().min(128)];
    if !release.since(5, 0) {
        return Fault::quoting("ERR unknown command '", name, "'");
    }
    let mut quoted: Vec<u8> = Vec::new();
    let (open, close, gap) = if release.since(7, 0) { ("'", "'", " ") } else { ("`", "`", ", ") };
    for argument in arguments.iter().skip(1) {
        if quoted.len() >= 128 {
            break;
        }
        let room = 128 - quoted.len();
        quoted.extend_from_slice(open.as_bytes());
        quoted.extend_from_slice(&argument[..argument.len().min(room)]);
        quoted.extend_from_slice(close.as_bytes());
        quoted.extend_from_slice(gap.as_bytes());
    }
    let middle = format!("{close}, with args beginning with: ");
    Fault([b"ERR unknown command ", open.as_bytes(), name, middle.as_bytes(), &quoted].concat())
}

/// Runs one request of a client; the reply goes into what waits to be written to it. Whether it ended
/// without an error.
pub(crate) fn execute(state: &mut State, id: u64, arguments: &[Vec<u8>]) -> bool {
    state.notes.clear();
    state.stats.commands += 1;
    let second = state.host.clock.seconds();
    state.stats.flow(second, Flow { commands: 1, ..Flow::default() });
    let now = state.now_ms();
    let micros = state.host.clock.micros();
    if let Some(client) = state.clients.get_mut(&id) {
        client.active = micros;
        client.argument_bytes = arguments.iter().map(Vec::len).sum();
    }
    let mut call = Call { state, id, args: arguments, now, nested: false, retry: false, spent: 0 };
    let answer = admit(&mut call);
    let reply = match answer {
        Ok(reply) => reply,
        Err(fault) => Reply::Error(fault.0),
    };
    let failed = reply.is_error();
    if let Reply::Error(text) = &reply {
        state.stats.count_error(text);
    }
    let used = state.used_memory();
    state.peak = state.peak.max(used);
    if let Some(client) = state.clients.get_mut(&id) {
        let mode = client.replies;
        match mode {
            ReplyMode::On => reply.emit(client.protocol, &mut client.pending),
            ReplyMode::Off => {}
            ReplyMode::SkipNext => client.replies = ReplyMode::Skip,
            ReplyMode::Skip => client.replies = ReplyMode::On,
        }
        if client.pending.len() > REPLY_BOUND {
            client.close = Close::Limit("reply bytes");
        }
    }
    state.serve_waiting();
    !failed
}

fn admit(call: &mut Call<'_>) -> Answer {
    let release = call.release();
    let name = word(call.args.first());
    if name == "quit" && !release.since(7, 2) {
        call.client().close = Close::AfterReply;
        call.client().last_command = name;
        return Ok(Reply::OK);
    }
    if TRAPS.contains(&name.as_str()) {
        // "Possible SECURITY ATTACK detected": the product logs that and closes without a word.
        call.client().close = Close::Now;
        return Ok(Reply::nothing());
    }
    let spec = match spec_of(call.args, release) {
        Ok(spec) => spec,
        Err(fault) => {
            break_queue(call);
            return Err(fault);
        }
    };
    call.client().last_command = if release.since(7, 0) { spec.name.to_owned() } else { name.clone() };
    match check(call, spec) {
        Ok(None) => {}
        Ok(Some(reply)) => return Ok(reply),
        Err(fault) => {
            call.state.stats.by_command.entry(spec.name).or_default().rejected += 1;
            break_queue(call);
            return Err(fault);
        }
    }
    perform(call, spec, "toplevel")
}

fn break_queue(call: &mut Call<'_>) {
    if call.client().queue.is_some() {
        call.client().queue_broken = true;
    }
}

/// What stands between a known command and its handler; a reply where it does not come to that.
fn check(call: &mut Call<'_>, spec: &'static Spec) -> Result<Option<Reply>, Fault> {
    if !spec.takes(call.len()) {
        if !call.since(7, 0) && spec.name.contains('|') {
            return Err(commands::unknown_subcommand(call));
        }
        return Err(Call::arity(spec.name));
    }
    if call.since(7, 0)
        && let Some((what, setting)) = match spec.name.split('|').next() {
            Some("debug") => Some(("DEBUG", "enable-debug-command")),
            Some("module") if matches!(spec.name, "module|load" | "module|loadex" | "module|unload") => {
                Some(("MODULE", "enable-module-command"))
            }
            _ => None,
        }
        && call.state.setting(setting) != b"yes"
    {
        return Err(format!(
            "ERR {what} command not allowed. If the {setting} option is set to \"local\", you can run it from a \
             local connection, otherwise you need to set this option in the configuration file, and then restart \
             the server."
        )
        .into());
    }
    if !call.client().authenticated && !spec.has("no_auth") {
        return Err("NOAUTH Authentication required.".into());
    }
    if call.since(6, 0) {
        call.permitted(spec, "toplevel")?;
    }
    memory(call, spec)?;
    if call.state.master.is_some() && spec.has("write") && call.state.setting("replica-read-only") == b"yes" {
        let word = if call.since(5, 0) { "replica" } else { "slave" };
        return Err(format!("READONLY You can't write against a read only {word}.").into());
    }
    if call.state.master.is_some()
        && call.state.setting("replica-serve-stale-data") == b"no"
        && !spec.has("stale")
    {
        return Err("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.".into());
    }
    let resp2 = call.client().protocol == Protocol::Resp2;
    let subscribed = call.client().subscriptions() + call.client().shard_channels.len() > 0;
    if subscribed
        && resp2
        && !matches!(
            spec.name,
            "ping"
                | "subscribe"
                | "unsubscribe"
                | "psubscribe"
                | "punsubscribe"
                | "ssubscribe"
                | "sunsubscribe"
                | "reset"
                | "quit"
        )
    {
        return Err(if call.since(7, 0) {
            format!(
                "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
                 in this context",
                spec.name
            )
        } else if call.since(6, 2) {
            let name = spec.name.split('|').next().unwrap_or("");
            format!(
                "ERR Can't execute '{name}': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / RESET are allowed \
                 in this context"
            )
        } else {
            "ERR only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT allowed in this context".to_owned()
        }
        .into());
    }
    if call.client().queue.is_some()
        && !matches!(spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
    {
        if call.since(6, 2) && spec.has("no_multi") {
            return Err("ERR Command not allowed inside a transaction".into());
        }
        let bytes = call.client().argument_bytes + 64 * call.len();
        call.keep(bytes)?;
        let arguments = call.args.to_vec();
        if let Some(queue) = &mut call.client().queue {
            queue.push(Queued { arguments });
        }
        return Ok(Some(Reply::Simple("QUEUED".into())));
    }
    Ok(None)
}

/// The product's out-of-memory error: past its own maxmemory, or past our bound.
fn memory(call: &mut Call<'_>, spec: &Spec) -> Result<(), Fault> {
    if !spec.has("denyoom") {
        return Ok(());
    }
    let incoming: usize = call.args.iter().map(|argument| argument.len() + 16).sum();
    let ours = call.state.data_weight() + incoming > MEMORY_BOUND || call.state.objects() >= OBJECT_BOUND;
    let max = call.state.setting_number("maxmemory");
    let theirs = max > 0
        && call.state.setting("maxmemory-policy") == b"noeviction"
        && call.state.used_memory() > max as u64;
    if ours || theirs {
        let count = call.state.data_weight() as u64;
        call.state.note(Body::LimitReached { limit: "keyspace".to_owned(), count });
        let text = if call.since(6, 2) {
            OUT_OF_MEMORY
        } else {
            "OOM command not allowed when used memory > 'maxmemory'."
        };
        return Err(text.into());
    }
    Ok(())
}

/// Runs the handler of a command that was let through, and counts it. `context` is where it runs:
/// `toplevel`, `multi` or `lua`.
pub(crate) fn perform(call: &mut Call<'_>, spec: &'static Spec, context: &'static str) -> Answer {
    if context != "toplevel" {
        memory(call, spec)?;
    }
    let database = call.database_number();
    // EXEC is shown after what it ran, all others before.
    let shown = !spec.has("skip_monitor") && !spec.has("admin");
    let source = if context == "lua" { "lua".to_owned() } else { call.client().address.clone() };
    if shown && spec.name != "exec" {
        call.state.monitor(database, &source, call.args);
    }
    let before = call.state.dirty;
    let answer = match commands::handler(spec.name) {
        Some(handler) => {
            let handler: Handler = handler;
            handler(call)
        }
        None => Err(unknown_command(call.args, call.release())),
    };
    if spec.name == "exec" {
        call.state.monitor(database, &source, call.args);
    }
    let took = duration(call, spec);
    let stats = call.state.stats.by_command.entry(spec.name).or_default();
    stats.calls += 1;
    stats.usec += took;
    if matches!(&answer, Err(_) | Ok(Reply::Error(_))) {
        stats.failed += 1;
    }
    let changed = call.state.dirty > before;
    if changed && !matches!(spec.name, "exec" | "eval" | "evalsha" | "fcall") && spec.has("write") {
        let arguments = call.args.to_vec();
        call.state.replicate(database, &arguments);
    }
    let threshold = call.state.setting_number("slowlog-log-slower-than");
    if threshold >= 0 && took >= threshold as u64 && !spec.has("skip_slowlog") && context == "toplevel" {
        log_slow(call, took);
    }
    answer
}

/// The handler of the call's own arguments, for a blocked command that is tried again.
pub(crate) fn run_handler(call: &mut Call<'_>) -> Answer {
    let spec = spec_of(call.args, call.release())?;
    match commands::handler(spec.name) {
        Some(handler) => handler(call),
        None => Err(unknown_command(call.args, call.release())),
    }
}

/// Microseconds that the product would have needed: a few, more for commands that walk the keyspace.
fn duration(call: &mut Call<'_>, spec: &Spec) -> u64 {
    let base = if spec.has("fast") { 1 } else { 3 };
    let bytes = call.client().argument_bytes as u64 / 4096;
    let walked = match spec.name {
        "keys" | "scan" | "flushall" | "flushdb" => call.state.objects() as u64 / 12,
        "info" => 60,
        "config|get" => 25,
        "command" | "command|docs" => 900,
        "save" => 9_000,
        "pfselftest" => 160_000,
        _ => 0,
    };
    base + bytes + walked + call.state.host.entropy.between(0, 4)
}

fn log_slow(call: &mut Call<'_>, took: u64) {
    // slowlogCreateEntry: at most 32 arguments of at most 128 bytes.
    let total = call.len();
    let kept = if total > 32 { 31 } else { total };
    let mut arguments: Vec<Vec<u8>> = call.args[..kept]
        .iter()
        .map(|argument| {
            if argument.len() > 128 {
                let rest = format!("... ({} more bytes)", argument.len() - 128);
                [&argument[..128], rest.as_bytes()].concat()
            } else {
                argument.clone()
            }
        })
        .collect();
    if total > 32 {
        arguments.push(format!("... ({} more arguments)", total - 31).into_bytes());
    }
    let (peer, name) = (call.client().address.clone(), call.client().name.clone());
    let name = name[..name.len().min(128)].to_vec();
    let entry = Slow { id: call.state.next_slow, at: call.now / 1000, took, arguments, peer, name };
    call.state.next_slow += 1;
    call.state.slowlog.push_front(entry);
    // Ours is lower than what CONFIG SET would allow.
    let bound = call.state.setting_number("slowlog-max-len").clamp(0, 256) as usize;
    call.state.slowlog.truncate(bound);
}

//! CLIENT.

use crate::redis::codec::{Protocol, Reply, number};
use crate::redis::engine::{Answer, Call, Client, Close, Fault, ReplyMode, SYNTAX, Tracking};

pub(super) const HANDLERS: super::Group = &[
    ("client|caching", caching),
    ("client|getname", |call| {
        let name = call.client().name.clone();
        Ok(if name.is_empty() { Reply::Null } else { Reply::Bulk(name) })
    }),
    ("client|getredir", |call| {
        Ok(Reply::Integer(call.client().tracking.as_ref().map_or(-1, |tracking| tracking.redirect as i64)))
    }),
    ("client|id", |call| Ok(Reply::Integer(call.id as i64))),
    ("client|info", |call| {
        let line = call.describe_client(call.id);
        Ok(Reply::Verbatim("txt", format!("{line}\n").into_bytes()))
    }),
    ("client|kill", kill),
    ("client|list", list),
    ("client|no-evict", |call| {
        let on = on_off(call, 2)?;
        call.client().no_evict = on;
        Ok(Reply::OK)
    }),
    ("client|no-touch", |call| {
        let on = on_off(call, 2)?;
        call.client().no_touch = on;
        Ok(Reply::OK)
    }),
    ("client|pause", pause),
    ("client|reply", reply),
    ("client|setinfo", setinfo),
    ("client|setname", |call| {
        let name = call.arg(2).to_vec();
        valid_name(&name)?;
        set_name(call, name)?;
        Ok(Reply::OK)
    }),
    ("client|tracking", tracking),
    ("client|trackinginfo", trackinginfo),
    ("client|unblock", unblock),
    ("client|unpause", |call| {
        call.state.paused = None;
        wake_all(call);
        Ok(Reply::OK)
    }),
];

/// Checks a name.
///
/// # Errors
/// The product's refusal of spaces and special characters.
pub(super) fn valid_name(name: &[u8]) -> Result<(), Fault> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        Ok(())
    } else {
        Err("ERR Client names cannot contain spaces, newlines or special characters.".into())
    }
}

/// Gives the client a name.
pub(super) fn set_name(call: &mut Call<'_>, name: Vec<u8>) -> Result<(), Fault> {
    let old = std::mem::take(&mut call.client().name);
    call.let_go(old.len());
    call.keep(name.len())?;
    call.client().name = name;
    Ok(())
}

fn on_off(call: &Call<'_>, at: usize) -> Result<bool, Fault> {
    match call.word(at).as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(SYNTAX.into()),
    }
}

fn wake_all(call: &mut Call<'_>) {
    for client in call.state.clients.values() {
        client.wake.notify_one();
    }
}

impl Call<'_> {
    /// A client as CLIENT LIST shows it.
    pub(crate) fn describe_client(&mut self, id: u64) -> String {
        let release = self.release();
        let now = self.state.host.clock.micros();
        let me = self.id;
        let Some(client) = self.state.clients.get(&id) else { return String::new() };
        let mut flags = String::new();
        let mut flag = |letter: char, on: bool| {
            if on {
                flags.push(letter);
            }
        };
        let subscribed = client.subscriptions() + client.shard_channels.len() > 0;
        flag('O', client.monitor);
        flag('S', client.replica.is_some() && !client.monitor);
        flag('P', subscribed);
        flag('x', client.queue.is_some());
        flag('b', client.blocked.is_some());
        flag('t', client.tracking.is_some());
        flag('d', client.watch_broken);
        flag('c', client.close == Close::AfterReply);
        flag('e', client.no_evict);
        flag('T', client.no_touch);
        if flags.is_empty() {
            flags.push('N');
        }
        let seconds = |since: i64| (now - since).max(0) / 1_000_000;
        let name = String::from_utf8_lossy(&client.name);
        let multi = client.queue.as_ref().map_or(-1, |queue| queue.len() as i64);
        // The reader's buffer is 16 kB and grows in steps; the current request still lies in it.
        let query = if id == me { client.query_bytes } else { 0 };
        let (base, old) = if release.since(7, 0) {
            (20_474, false)
        } else {
            (if release.since(6, 2) { 40_954 } else { 32_768 }, true)
        };
        let free = if query > 0 { base.max(query) - query } else { 0 };
        let mut text = format!("id={id} addr={}", client.address);
        if release.since(6, 2) {
            text.push_str(&format!(" laddr={}", client.local));
        }
        text.push_str(&format!(
            " fd={} name={name} age={} idle={} flags={flags} db={} sub={} psub={}",
            client.descriptor,
            seconds(client.connected),
            seconds(client.active),
            client.database,
            client.channels.len(),
            client.patterns.len(),
        ));
        if release.since(7, 0) {
            text.push_str(&format!(" ssub={}", client.shard_channels.len()));
        }
        text.push_str(&format!(" multi={multi} qbuf={query} qbuf-free={free}"));
        let arguments = if id == me && release.since(6, 2) { client.argument_bytes } else { 0 };
        if release.since(6, 2) {
            text.push_str(&format!(" argv-mem={arguments}"));
        }
        if release.since(7, 0) {
            let fresh = seconds(client.connected) < 1;
            let reply = if fresh { 16_384 } else { 1024 };
            text.push_str(&format!(
                " multi-mem={} rbs={reply} rbp={reply}",
                if multi > 0 { client.kept } else { 0 }
            ));
        }
        let waiting = if id == me { 0 } else { client.pending.len() };
        text.push_str(&format!(" obl={waiting} oll=0 omem=0"));
        if release.since(6, 2) {
            let memory = if old { 20_512 } else { 1_800 }
                + if query > 0 { base } else { 0 }
                + arguments
                + if old { 0 } else { 15_376 };
            text.push_str(&format!(" tot-mem={memory}"));
        }
        text.push_str(&format!(
            " events=r cmd={}",
            if client.last_command.is_empty() { "NULL" } else { &client.last_command }
        ));
        if release.since(6, 0) {
            let redirect = client.tracking.as_ref().map_or(-1, |tracking| tracking.redirect as i64);
            text.push_str(&format!(" user={}", String::from_utf8_lossy(&client.user)));
            if release.since(6, 2) {
                text.push_str(&format!(" redir={redirect}"));
            }
        }
        if release.since(7, 0) {
            text.push_str(&format!(" resp={}", if client.protocol == Protocol::Resp3 { 3 } else { 2 }));
        }
        if release.since(7, 2) {
            text.push_str(&format!(
                " lib-name={} lib-ver={}",
                String::from_utf8_lossy(&client.library.0),
                String::from_utf8_lossy(&client.library.1)
            ));
        }
        text
    }
}

fn class(client: &Client) -> &'static str {
    if client.monitor {
        "normal"
    } else if client.replica.is_some() {
        "replica"
    } else if client.subscriptions() > 0 {
        "pubsub"
    } else {
        "normal"
    }
}

fn class_argument(call: &Call<'_>, at: usize) -> Result<&'static str, Fault> {
    match call.word(at).as_str() {
        "normal" => Ok("normal"),
        "pubsub" => Ok("pubsub"),
        "replica" | "slave" => Ok("replica"),
        "master" => Ok("master"),
        _ => Err(Fault::quoting("ERR Unknown client type '", call.arg(at), "'")),
    }
}

fn list(call: &mut Call<'_>) -> Answer {
    let mut ids: Vec<u64> = call.state.clients.keys().copied().collect();
    match (call.len(), call.word(2).as_str()) {
        (2, _) => {}
        (4, "type") if call.since(5, 0) => {
            let wanted = class_argument(call, 3)?;
            ids.retain(|id| call.state.clients.get(id).is_some_and(|client| class(client) == wanted));
        }
        (count, "id") if count > 3 && call.since(6, 2) => {
            let mut wanted = Vec::new();
            for at in 3..count {
                let id = number(call.arg(at)).filter(|id| *id > 0).ok_or("ERR Invalid client ID")?;
                wanted.push(id as u64);
            }
            wanted.retain(|id| ids.contains(id));
            ids = wanted;
        }
        _ => return Err(SYNTAX.into()),
    }
    let mut text = String::new();
    for id in ids {
        call.spend(400)?;
        text.push_str(&call.describe_client(id));
        text.push('\n');
    }
    Ok(Reply::Verbatim("txt", text.into_bytes()))
}

fn kill(call: &mut Call<'_>) -> Answer {
    let me = call.id;
    let mut skip_me = true;
    let old = call.len() == 3;
    let (mut id, mut kind, mut address, mut local, mut user) = (None, None, None, None, None);
    if old {
        address = Some(call.arg(2).to_vec());
        skip_me = false;
    } else {
        let mut at = 2;
        while at < call.len() {
            if at + 1 >= call.len() {
                return Err(SYNTAX.into());
            }
            match call.word(at).as_str() {
                "id" => {
                    let wanted = number(call.arg(at + 1))
                        .filter(|id| *id > 0)
                        .ok_or("ERR client-id should be greater than 0")?;
                    id = Some(wanted as u64);
                }
                "type" => kind = Some(class_argument(call, at + 1)?),
                "addr" => address = Some(call.arg(at + 1).to_vec()),
                "laddr" if call.since(6, 2) => local = Some(call.arg(at + 1).to_vec()),
                "user" if call.since(6, 0) => {
                    let name = call.arg(at + 1).to_vec();
                    if !call.state.users.contains_key(&name) {
                        return Err(Fault::quoting("ERR No such user '", &name, "'"));
                    }
                    user = Some(name);
                }
                "skipme" => {
                    skip_me = match call.word(at + 1).as_str() {
                        "yes" => true,
                        "no" => false,
                        _ => return Err(SYNTAX.into()),
                    };
                }
                _ => return Err(SYNTAX.into()),
            }
            at += 2;
        }
    }
    let mut killed = 0;
    for (number, client) in &mut call.state.clients {
        let chosen = id.is_none_or(|id| id == *number)
            && kind.is_none_or(|kind| class(client) == kind)
            && address.as_ref().is_none_or(|address| client.address.as_bytes() == address)
            && local.as_ref().is_none_or(|local| client.local.as_bytes() == local)
            && user.as_ref().is_none_or(|user| client.user == *user);
        if chosen && !(skip_me && *number == me) {
            client.close = if *number == me { Close::AfterReply } else { Close::Now };
            client.wake.notify_one();
            killed += 1;
        }
    }
    match (old, killed) {
        (true, 0) => Err("ERR No such client".into()),
        (true, _) => Ok(Reply::OK),
        (false, killed) => Ok(Reply::Integer(killed)),
    }
}

/// How long our own clients can be made to wait.
const PAUSE_BOUND_MS: i64 = 60_000;

fn pause(call: &mut Call<'_>) -> Answer {
    let ms = number(call.arg(2)).ok_or("ERR timeout is not an integer or out of range")?;
    if ms < 0 {
        return Err("ERR timeout is negative".into());
    }
    let writes = match (call.len(), call.word(3).as_str()) {
        (3, _) | (4, "all") => false,
        (4, "write") if call.since(6, 2) => true,
        _ => return Err("ERR CLIENT PAUSE mode must be WRITE or ALL".into()),
    };
    call.state.paused = Some((call.now + ms.min(PAUSE_BOUND_MS), writes));
    Ok(Reply::OK)
}

fn reply(call: &mut Call<'_>) -> Answer {
    match call.word(2).as_str() {
        "on" => {
            call.client().replies = ReplyMode::On;
            Ok(Reply::OK)
        }
        "off" => {
            call.client().replies = ReplyMode::Off;
            Ok(Reply::nothing())
        }
        "skip" => {
            if call.client().replies == ReplyMode::On {
                call.client().replies = ReplyMode::SkipNext;
            }
            Ok(Reply::nothing())
        }
        _ => Err(SYNTAX.into()),
    }
}

fn setinfo(call: &mut Call<'_>) -> Answer {
    let value = call.arg(3).to_vec();
    if !value.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        return Err(Fault::quoting(
            "ERR ",
            &call.arg(2).to_ascii_lowercase(),
            " cannot contain spaces, newlines or special characters.",
        ));
    }
    call.keep(value.len())?;
    match call.word(2).as_str() {
        "lib-name" => call.client().library.0 = value,
        "lib-ver" => call.client().library.1 = value,
        _ => return Err(Fault::quoting("ERR Unrecognized option '", call.arg(2), "'")),
    }
    Ok(Reply::OK)
}

fn tracking(call: &mut Call<'_>) -> Answer {
    let on = on_off(call, 2)?;
    let mut wanted = Tracking::default();
    let mut at = 3;
    while at < call.len() {
        let more = at + 1 < call.len();
        match call.word(at).as_str() {
            "bcast" => wanted.broadcast = true,
            "optin" => wanted.opt_in = true,
            "optout" => wanted.opt_out = true,
            "noloop" => wanted.no_loop = true,
            "redirect" if more => {
                let id = call.integer(at + 1)?;
                wanted.redirect = u64::try_from(id).unwrap_or(0);
                if !call.state.clients.contains_key(&wanted.redirect) {
                    return Err("ERR The client ID you want redirect to does not exist".into());
                }
                at += 1;
            }
            "prefix" if more => {
                let prefix = call.arg(at + 1).to_vec();
                call.keep(prefix.len())?;
                wanted.prefixes.push(prefix);
                at += 1;
            }
            _ => return Err(SYNTAX.into()),
        }
        at += 1;
    }
    if !on {
        call.client().tracking = None;
        return Ok(Reply::OK);
    }
    if !wanted.broadcast && !wanted.prefixes.is_empty() {
        return Err("ERR PREFIX option requires BCAST mode to be enabled".into());
    }
    if wanted.opt_in && wanted.opt_out {
        return Err("ERR You can't specify both OPTIN mode and OPTOUT mode".into());
    }
    if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
        return Err("ERR OPTIN and OPTOUT are not compatible with BCAST".into());
    }
    call.client().tracking = Some(wanted);
    Ok(Reply::OK)
}

fn caching(call: &mut Call<'_>) -> Answer {
    let modes = call.client().tracking.as_ref().map(|tracking| (tracking.opt_in, tracking.opt_out));
    let Some((opt_in, opt_out)) = modes else {
        return Err(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT \
                    mode enabled"
                .into(),
        );
    };
    match call.word(2).as_str() {
        "yes" if opt_in => call.client().caching = Some(true),
        "no" if opt_out => call.client().caching = Some(false),
        "yes" => {
            return Err("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.".into());
        }
        "no" => {
            return Err("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.".into());
        }
        _ => return Err(SYNTAX.into()),
    }
    Ok(Reply::OK)
}

fn trackinginfo(call: &mut Call<'_>) -> Answer {
    let (flags, redirect, prefixes) = match &call.client().tracking {
        None => (vec!["off"], -1, Vec::new()),
        Some(tracking) => {
            let mut flags = vec!["on"];
            for (name, on) in [
                ("bcast", tracking.broadcast),
                ("optin", tracking.opt_in),
                ("optout", tracking.opt_out),
                ("noloop", tracking.no_loop),
            ] {
                if on {
                    flags.push(name);
                }
            }
            (flags, tracking.redirect as i64, tracking.prefixes.clone())
        }
    };
    Ok(Reply::Map(vec![
        (Reply::text("flags"), Reply::Set(flags.into_iter().map(Reply::text).collect())),
        (Reply::text("redirect"), Reply::Integer(redirect)),
        (Reply::text("prefixes"), Reply::bulks(prefixes)),
    ]))
}

fn unblock(call: &mut Call<'_>) -> Answer {
    let id = call.integer(2)?;
    let error = match (call.len(), call.word(3).as_str()) {
        (3, _) | (4, "timeout") => false,
        (4, "error") => true,
        _ => return Err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR".into()),
    };
    let Some(client) = u64::try_from(id).ok().and_then(|id| call.state.clients.get_mut(&id)) else {
        return Ok(Reply::Integer(0));
    };
    match client.blocked.take() {
        None => Ok(Reply::Integer(0)),
        Some(blocked) => {
            let late = if error {
                Reply::error("UNBLOCKED client unblocked via CLIENT UNBLOCK")
            } else {
                blocked.late
            };
            client.push(&late);
            Ok(Reply::Integer(1))
        }
    }
}

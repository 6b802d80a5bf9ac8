//! The server: INFO, saving, shutting down, time.

use decnet_logging::event::Body;

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Close, Fault, SYNTAX};

pub(super) const HANDLERS: super::Group = &[
    ("bgrewriteaof", bgrewriteaof),
    ("bgsave", bgsave),
    ("info", info),
    ("lastsave", |call| Ok(Reply::Integer(call.state.last_save))),
    ("monitor", monitor),
    ("save", save),
    ("shutdown", shutdown),
    ("time", |call| {
        let micros = call.state.host.clock.micros();
        Ok(Reply::bulks([(micros / 1_000_000).to_string(), (micros % 1_000_000).to_string()]))
    }),
];

fn info(call: &mut Call<'_>) -> Answer {
    if call.len() > 2 && !call.since(7, 0) {
        return Err(SYNTAX.into());
    }
    let sections: Vec<String> = (1..call.len()).map(|at| call.word(at)).collect();
    let text = crate::redis::info::render(call, &sections);
    Ok(Reply::Verbatim("txt", text.into_bytes()))
}

fn monitor(call: &mut Call<'_>) -> Answer {
    if call.nested {
        return Err("ERR MONITOR isn't allowed for nested calls".into());
    }
    call.client().monitor = true;
    Ok(Reply::OK)
}

/// What kind of file a path is, for those that intruders have the server write; nothing for a dump in a
/// place of its own.
pub(crate) fn writes_where(path: &str) -> Option<&'static str> {
    let path = path.to_ascii_lowercase().replace('\\', "/");
    let ends = |suffixes: &[&str]| suffixes.iter().any(|suffix| path.ends_with(suffix));
    Some(if path.contains("cron") {
        "redis.write.cron"
    } else if path.contains(".ssh") || path.contains("authorized_keys") {
        "redis.write.ssh_key"
    } else if ends(&[".php", ".phtml", ".jsp", ".jspx", ".asp", ".aspx"])
        || path.contains("/www/")
        || path.contains("/html/")
        || path.contains("inetpub")
    {
        "redis.write.webshell"
    } else if ends(&[".so", ".dll", ".ko"]) || path.contains("ld.so") {
        "redis.write.library"
    } else if path.contains("startup")
        || path.contains("systemd")
        || path.contains("init.d")
        || path.contains("profile")
        || ends(&["rc", "rc.local"])
    {
        "redis.write.startup"
    } else if path.contains("passwd") || path.contains("shadow") || path.contains("sudoers") {
        "redis.write.account"
    } else {
        return None;
    })
}

/// Carries out a save: remembers when, and reports what would have been written where.
fn write_file(call: &mut Call<'_>) {
    call.state.dirty = 0;
    call.state.last_save = call.now / 1000;
    call.state.stats.forks += 1;
    let directory = String::from_utf8_lossy(call.state.setting("dir")).into_owned();
    let name = String::from_utf8_lossy(call.state.setting("dbfilename")).into_owned();
    let path = format!("{}/{name}", directory.trim_end_matches('/'));
    let own = directory == call.state.persona.platform.directory && name == "dump.rdb";
    if own {
        return;
    }
    let bytes = super::rdb_of(call);
    let exploit = writes_where(&path).unwrap_or("redis.write.file").to_owned();
    call.state.note(Body::StateChanged {
        object: format!("file {path}"),
        old: None,
        new: format!("dump of {} keys", call.state.objects()),
    });
    call.state.note(Body::ExploitAttempt { name: exploit, confidence: 100 });
    let size = bytes.len() as u64;
    // Hashed and kept when it is reported.
    let upload = Body::FileUpload { name: path, size, sha256: String::new(), stored: false, artifact: None };
    call.state.note_raw(upload, bytes);
}

fn saving(call: &Call<'_>) -> bool {
    call.state.saving_until > call.now
}

fn save(call: &mut Call<'_>) -> Answer {
    if saving(call) {
        return Err("ERR Background save already in progress".into());
    }
    write_file(call);
    Ok(Reply::OK)
}

fn bgsave(call: &mut Call<'_>) -> Answer {
    let schedule = match call.len() {
        1 => false,
        2 if call.is(1, "schedule") => true,
        _ => return Err(SYNTAX.into()),
    };
    if saving(call) {
        return Err("ERR Background save already in progress".into());
    }
    if call.state.rewriting_until > call.now {
        return if schedule {
            Ok(Reply::Simple("Background saving scheduled".into()))
        } else {
            Err("ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                 schedule a BGSAVE whenever possible."
                .into())
        };
    }
    write_file(call);
    // The child needs a while; until then a second save is refused.
    call.state.saving_until = call.now + call.state.host.entropy.between(40, 130) as i64;
    Ok(Reply::Simple("Background saving started".into()))
}

fn bgrewriteaof(call: &mut Call<'_>) -> Answer {
    if call.state.rewriting_until > call.now {
        return Err("ERR Background append only file rewriting already in progress".into());
    }
    let text = if saving(call) {
        "Background append only file rewriting scheduled"
    } else {
        "Background append only file rewriting started"
    };
    call.state.rewriting_until = call.now + call.state.host.entropy.between(40, 130) as i64;
    Ok(Reply::Simple(text.into()))
}

/// The server goes away and its supervisor starts it again: every connection is closed, new ones are closed
/// at once for a second or three, then a new run with the same data begins.
fn shutdown(call: &mut Call<'_>) -> Answer {
    let mut save = true;
    let mut abort = false;
    for at in 1..call.len() {
        match call.word(at).as_str() {
            "nosave" => save = false,
            "save" => save = true,
            "now" | "force" if call.since(7, 0) => {}
            "abort" if call.since(7, 0) && call.len() == 2 => abort = true,
            _ => return Err(SYNTAX.into()),
        }
    }
    if abort {
        return Err("ERR No shutdown in progress.".into());
    }
    if call.nested {
        return Err(Fault::from("ERR SHUTDOWN is not allowed here"));
    }
    if save {
        write_file(call);
    }
    let away = call.state.host.entropy.between(1_000_000, 3_000_000) as i64;
    call.state.away_until = Some(call.state.host.clock.micros() + away);
    call.state.note(Body::StateChanged {
        object: "server".to_owned(),
        old: Some("running".to_owned()),
        new: "shut down".to_owned(),
    });
    call.client().close = Close::Now;
    call.state.close_all();
    Ok(Reply::nothing())
}

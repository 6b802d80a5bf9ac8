//! DEBUG. From release 7 on it is refused before it comes here.

use decnet_logging::event::Body;

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Close, Fault};
use crate::redis::store::rdb;
use crate::redis::tables;

pub(super) const HANDLERS: super::Group = &[("debug", debug)];

fn debug(call: &mut Call<'_>) -> Answer {
    match call.word(1).as_str() {
        "help" => {
            let title = "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:".to_owned();
            let mut lines = vec![title];
            lines.extend(tables::help("debug").into_iter().map(str::to_owned));
            lines.extend(["HELP".to_owned(), "    Prints this help.".to_owned()]);
            Ok(Reply::Array(lines.into_iter().map(|line| Reply::Simple(line.into())).collect()))
        }
        "sleep" if call.len() == 3 => {
            let seconds = call.float(2)?;
            call.state.note(Body::StateChanged {
                object: "server".to_owned(),
                old: None,
                new: format!("sleeps {seconds} s"),
            });
            // The product stands still for everybody; ours for the one who asked, and not for long.
            let nested = call.nested;
            if nested {
                return Ok(Reply::OK);
            }
            call.block(Vec::new(), Some(seconds.clamp(0.001, 60.0)), Reply::OK)
        }
        "jmap" | "segfault" | "panic" | "assert" | "oom" | "restart" | "crash-and-recover" => {
            let text = call.word(1);
            call.state.note(Body::ExploitAttempt { name: format!("redis.debug.{text}"), confidence: 70 });
            let away = call.state.host.entropy.between(1_000_000, 3_000_000) as i64;
            call.state.away_until = Some(call.state.host.clock.micros() + away);
            call.client().close = Close::Now;
            call.state.close_all();
            Ok(Reply::nothing())
        }
        "object" if call.len() >= 3 => {
            let key = call.arg(2).to_vec();
            let (release, rules, now) = (call.release(), call.state.encoding(), call.now / 1000);
            call.expire_if_due(&key);
            let seed = call
                .state
                .host
                .identity()
                .draw(&["redis", "address", &String::from_utf8_lossy(&key)])
                .number();
            let Some(entry) = call.db().get(&key) else { return Err("ERR no such key".into()) };
            let length = rdb::dump(&entry.value, release, rules).len() - 11;
            Ok(Reply::Simple(
                format!(
                    "Value at:0x7f{:010x} refcount:1 encoding:{} serializedlength:{length} lru:{} lru_seconds_idle:{}",
                    seed & 0xff_ffff_fff0,
                    entry.value.encoding(rules),
                    entry.used & 0xff_ffff,
                    now - entry.used,
                )
                .into(),
            ))
        }
        "set-active-expire"
        | "quicklist-packed-threshold"
        | "stringmatch-len"
        | "set-disable-deny-scripts"
        | "change-repl-id"
        | "jemalloc"
        | "replybuffer"
        | "reload"
        | "loadaof"
        | "flushall" => Ok(Reply::OK),
        "digest" => {
            let text = call.state.objects().to_string();
            Ok(Reply::Simple(
                if text == "0" {
                    "0".repeat(40)
                } else {
                    super::sha1_hex(format!("{}{}", call.state.run_id, call.state.dirty).as_bytes())
                }
                .into(),
            ))
        }
        "populate" => {
            call.state.note(Body::HoneypotTest { rule: "redis.debug_populate".to_owned() });
            Ok(Reply::OK)
        }
        "log" if call.len() == 3 => Ok(Reply::OK),
        "error" if call.len() == 3 => Err(Fault(call.arg(2).to_vec())),
        "protocol" if call.len() == 3 => Ok(match call.word(2).as_str() {
            "string" => Reply::text("Hello World"),
            "integer" => Reply::Integer(12_345),
            "double" => Reply::Double(f64::from(3141) / 1000.0),
            "null" => Reply::Null,
            "array" => Reply::Array((0..3).map(Reply::Integer).collect()),
            "set" => Reply::Set((0..3).map(Reply::Integer).collect()),
            "map" => Reply::Map((0..3).map(|i| (Reply::Integer(i), Reply::Bool(i == 1))).collect()),
            "true" => Reply::Bool(true),
            "false" => Reply::Bool(false),
            "verbatim" => Reply::Verbatim("txt", b"This is a verbatim\nstring".to_vec()),
            _ => {
                return Err("ERR Wrong protocol type name. Please use one of the following: \
                            string|integer|double|null|array|set|map|attrib|push|verbatim|true|false"
                    .into());
            }
        }),
        _ => {
            let shown: Vec<u8> = call.arg(1).iter().take(128).copied().collect();
            Err(if call.since(7, 0) {
                Fault::quoting(
                    "ERR unknown subcommand or wrong number of arguments for '",
                    &shown,
                    "'. Try DEBUG HELP.",
                )
            } else {
                super::unknown_subcommand(call)
            })
        }
    }
}

//! The connection itself: AUTH, HELLO, PING, SELECT, RESET, QUIT.

use decnet_logging::event::{Body, Credential, Outcome};

use super::transactions;
use crate::redis::codec::{Protocol, Reply, number};
use crate::redis::engine::{Answer, Call, Close, DATABASES, Fault, ReplyMode, SYNTAX};

pub(super) const HANDLERS: super::Group = &[
    ("auth", auth),
    ("echo", |call| Ok(Reply::bulk(call.arg(1)))),
    ("hello", hello),
    ("ping", ping),
    ("quit", |call| {
        call.client().close = Close::AfterReply;
        Ok(Reply::OK)
    }),
    ("reset", reset),
    ("select", select),
];

fn ping(call: &mut Call<'_>) -> Answer {
    if call.len() > 2 {
        return Err(Call::arity("ping"));
    }
    if call.client().subscriptions() > 0 && !call.resp3() {
        return Ok(Reply::Array(vec![Reply::text("pong"), Reply::bulk(call.arg(1))]));
    }
    Ok(if call.len() == 2 { Reply::bulk(call.arg(1)) } else { Reply::Simple("PONG".into()) })
}

fn select(call: &mut Call<'_>) -> Answer {
    let Some(wanted) = number(call.arg(1)) else {
        return Err(if call.since(6, 2) {
            "ERR value is not an integer or out of range".into()
        } else {
            "ERR invalid DB index".into()
        });
    };
    match usize::try_from(wanted).ok().filter(|number| *number < DATABASES) {
        Some(number) => {
            call.client().database = number;
            Ok(Reply::OK)
        }
        None if call.since(4, 0) => Err("ERR DB index is out of range".into()),
        None => Err("ERR invalid DB index".into()),
    }
}

/// Tries a password; makes the event and, where it lets in, the session.
fn log_in(call: &mut Call<'_>, username: &[u8], password: &[u8], method: &str) -> bool {
    let accepted = call.state.users.get(username).is_some_and(|user| user.accepts(password));
    let outcome = if accepted { Outcome::Accepted } else { Outcome::Failed };
    call.state
        .note(Body::AuthAttempt { credential: Credential::password(method, username, password), outcome });
    if accepted {
        call.client().user = username.to_vec();
        call.client().authenticated = true;
        call.state.note(Body::SessionStarted {
            username: String::from_utf8_lossy(username).into_owned(),
            privilege: if username == b"default" { "admin" } else { "user" }.to_owned(),
        });
    } else if call.since(6, 0) {
        let command = call.word(0).into_bytes();
        call.log_refusal("auth", "toplevel", command, username.to_vec());
    }
    accepted
}

const WRONG: &str = "WRONGPASS invalid username-password pair or user is disabled.";

fn auth(call: &mut Call<'_>) -> Answer {
    if call.len() > 3 {
        return Err(SYNTAX.into());
    }
    if !call.since(6, 0) {
        return old_auth(call);
    }
    let (username, password) = if call.len() == 2 {
        let open = call.state.users.get(&b"default"[..]).is_some_and(|user| user.no_password);
        if open {
            let password = call.arg(1).to_vec();
            call.state.note(Body::AuthAttempt {
                credential: Credential::password("plain", b"", &password),
                outcome: Outcome::Failed,
            });
            return Err(
                "ERR AUTH <password> called without any password configured for the default user. Are you \
                        sure your configuration is correct?"
                    .into(),
            );
        }
        (b"default".to_vec(), call.arg(1).to_vec())
    } else {
        (call.arg(1).to_vec(), call.arg(2).to_vec())
    };
    if log_in(call, &username, &password, "plain") { Ok(Reply::OK) } else { Err(WRONG.into()) }
}

fn old_auth(call: &mut Call<'_>) -> Answer {
    if call.len() != 2 {
        return Err(Call::arity("auth"));
    }
    let password = call.arg(1).to_vec();
    let open = call.state.users.get(&b"default"[..]).is_some_and(|user| user.no_password);
    if open {
        call.state.note(Body::AuthAttempt {
            credential: Credential::password("plain", b"", &password),
            outcome: Outcome::Failed,
        });
        return Err("ERR Client sent AUTH, but no password is set".into());
    }
    if log_in(call, b"default", &password, "plain") {
        Ok(Reply::OK)
    } else {
        call.client().authenticated = false;
        Err("ERR invalid password".into())
    }
}

fn hello(call: &mut Call<'_>) -> Answer {
    let mut next = 1;
    let mut version = None;
    if call.len() > 1 {
        version = match number(call.arg(1)) {
            None if call.since(6, 2) => {
                return Err("ERR Protocol version is not an integer or out of range".into());
            }
            Some(wanted @ (2 | 3)) => Some(wanted),
            _ => return Err("NOPROTO unsupported protocol version".into()),
        };
        next = 2;
    }
    let mut name = None;
    let mut credential = None;
    while next < call.len() {
        let left = call.len() - next - 1;
        match call.word(next).as_str() {
            "auth" if left >= 2 => {
                credential = Some((call.arg(next + 1).to_vec(), call.arg(next + 2).to_vec()));
                next += 3;
            }
            "setname" if left >= 1 => {
                name = Some(call.arg(next + 1).to_vec());
                super::clients::valid_name(call.arg(next + 1))?;
                next += 2;
            }
            _ => return Err(Fault::quoting("ERR Syntax error in HELLO option '", call.arg(next), "'")),
        }
    }
    if let Some((username, password)) = credential
        && !log_in(call, &username, &password, "hello")
    {
        return Err(WRONG.into());
    }
    if !call.client().authenticated {
        return Err("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
                    AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
                    version at the same time"
            .into());
    }
    if let Some(name) = name {
        super::clients::set_name(call, name)?;
    }
    if let Some(version) = version {
        call.client().protocol = if version == 3 { Protocol::Resp3 } else { Protocol::Resp2 };
    }
    let id = call.id as i64;
    let proto = if call.resp3() { 3 } else { 2 };
    let role = match (&call.state.master, call.since(5, 0)) {
        (None, _) => "master",
        (Some(_), _) => "replica",
    };
    let modules = super::modules::module_rows(call);
    Ok(Reply::Map(vec![
        (Reply::text("server"), Reply::text("redis")),
        (Reply::text("version"), Reply::text(call.state.persona.version.clone())),
        (Reply::text("proto"), Reply::Integer(proto)),
        (Reply::text("id"), Reply::Integer(id)),
        (Reply::text("mode"), Reply::text("standalone")),
        (Reply::text("role"), Reply::text(role)),
        (Reply::text("modules"), Reply::Array(modules)),
    ]))
}

fn reset(call: &mut Call<'_>) -> Answer {
    transactions::end(call);
    super::pubsub::forget(call);
    let open = call.state.users.get(&b"default"[..]).is_some_and(|user| user.no_password && user.enabled);
    let name = std::mem::take(&mut call.client().name);
    call.let_go(name.len());
    let client = call.client();
    client.monitor = false;
    client.database = 0;
    client.protocol = Protocol::Resp2;
    client.user = b"default".to_vec();
    client.authenticated = open;
    client.tracking = None;
    client.replies = ReplyMode::On;
    client.no_evict = false;
    client.no_touch = false;
    Ok(Reply::Simple("RESET".into()))
}

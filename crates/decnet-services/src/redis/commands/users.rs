//! ACL.

use decnet_logging::event::Body;

use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, Close, Fault, Lacks, User, spec_of};
use crate::redis::tables;

pub(super) const HANDLERS: super::Group = &[
    ("acl|cat", cat),
    ("acl|deluser", deluser),
    ("acl|dryrun", dryrun),
    ("acl|genpass", genpass),
    ("acl|getuser", getuser),
    ("acl|list", list),
    ("acl|load", |_| Err(NO_FILE.into())),
    ("acl|log", log),
    ("acl|save", |_| Err(NO_FILE.into())),
    ("acl|setuser", setuser),
    ("acl|users", |call| Ok(Reply::bulks(call.state.users.keys().cloned()))),
    ("acl|whoami", |call| {
        let user = call.client().user.clone();
        Ok(Reply::Bulk(user))
    }),
];

/// Users that intruders may make.
const USERS_BOUND: usize = 128;
const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users \
                       via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
                       configuration file set) in order to store users in the Redis configuration.";

/// The categories in the order of the product's table.
const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

fn cat(call: &mut Call<'_>) -> Answer {
    if call.len() == 2 {
        return Ok(Reply::bulks(CATEGORIES));
    }
    if call.len() > 3 {
        return Err(super::unknown_subcommand(call));
    }
    let wanted = call.word(2);
    if !CATEGORIES.contains(&wanted.as_str()) {
        return Err(Fault::quoting("ERR Unknown category '", call.arg(2), "'"));
    }
    let release = call.release();
    let mut names: Vec<&str> = tables::commands()
        .values()
        .filter(|spec| release >= spec.since && spec.categories.contains(&wanted.as_str()))
        .filter(|spec| release.since(7, 0) || !spec.name.contains('|'))
        .filter(|spec| spec.subcommands.is_empty())
        .map(|spec| spec.name)
        .collect();
    names.sort_unstable();
    Ok(Reply::bulks(names))
}

fn setuser(call: &mut Call<'_>) -> Answer {
    let name = call.arg(2).to_vec();
    if name.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0) {
        return Err("ERR Usernames can't contain spaces or null characters".into());
    }
    let release = call.release();
    let all_channels = call.state.setting("acl-pubsub-default") == b"allchannels";
    let old = call.state.users.get(&name).cloned();
    if old.is_none() && call.state.users.len() >= USERS_BOUND {
        return Err("ERR Out Of Memory".into());
    }
    let mut user = old.clone().unwrap_or_else(|| User::fresh(all_channels));
    for rule in &call.args[3..] {
        user.apply(rule, release).map_err(|why| {
            Fault::quoting("ERR Error in ACL SETUSER modifier '", rule, &format!("': {why}"))
        })?;
    }
    let before = old.as_ref().map_or(0, User::weight);
    call.keep_forever(user.weight().saturating_sub(before) + name.len())?;
    let described = |user: &User| String::from_utf8_lossy(&user.describe(release)).into_owned();
    call.state.note(Body::StateChanged {
        object: format!("user {}", String::from_utf8_lossy(&name)),
        old: old.as_ref().map(described),
        new: described(&user),
    });
    call.state.users.insert(name, user);
    Ok(Reply::OK)
}

fn deluser(call: &mut Call<'_>) -> Answer {
    let names = call.args[2..].to_vec();
    if names.iter().any(|name| name == b"default") {
        return Err("ERR The 'default' user cannot be removed".into());
    }
    let me = call.id;
    let mut removed = 0;
    for name in names {
        if call.state.users.remove(&name).is_some() {
            removed += 1;
            for (id, client) in &mut call.state.clients {
                if client.user == name {
                    client.close = if *id == me { Close::AfterReply } else { Close::Now };
                    client.wake.notify_one();
                }
            }
        }
    }
    Ok(Reply::Integer(removed))
}

fn getuser(call: &mut Call<'_>) -> Answer {
    let release = call.release();
    let Some(user) = call.state.users.get(call.arg(2)) else { return Ok(Reply::Null) };
    let flags = Reply::Set(user.flags(release).into_iter().map(Reply::text).collect());
    let mut rows = vec![
        (Reply::text("flags"), flags),
        (Reply::text("passwords"), Reply::bulks(user.passwords.clone())),
        (Reply::text("commands"), Reply::text(user.command_rules())),
    ];
    if release.since(7, 0) {
        rows.push((Reply::text("keys"), Reply::Bulk(user.key_rules().join(&b' '))));
        rows.push((Reply::text("channels"), Reply::Bulk(user.channel_rules().join(&b' '))));
        rows.push((Reply::text("selectors"), Reply::Array(Vec::new())));
    } else {
        let bare = |rules: Vec<Vec<u8>>| Reply::bulks(rules.into_iter().map(|rule| rule[1..].to_vec()));
        rows.push((Reply::text("keys"), bare(user.key_rules())));
        if release.since(6, 2) {
            rows.push((Reply::text("channels"), bare(user.channel_rules())));
        }
    }
    Ok(Reply::Map(rows))
}

fn list(call: &mut Call<'_>) -> Answer {
    let release = call.release();
    let lines = call
        .state
        .users
        .iter()
        .map(|(name, user)| [b"user ", &name[..], b" ", &user.describe(release)].concat());
    Ok(Reply::bulks(lines))
}

fn genpass(call: &mut Call<'_>) -> Answer {
    let bits = match call.len() {
        2 => 256,
        3 => {
            let bits = call.integer(2)?;
            if !(1..=4096).contains(&bits) {
                return Err("ERR ACL GENPASS argument must be the number of bits for the output password, a positive \
                            number up to 4096"
                    .into());
            }
            bits as usize
        }
        _ => return Err(super::unknown_subcommand(call)),
    };
    Ok(Reply::text(call.state.host.entropy.text("0123456789abcdef", bits.div_ceil(4))))
}

fn dryrun(call: &mut Call<'_>) -> Answer {
    let release = call.release();
    let name = call.arg(2).to_vec();
    let Some(user) = call.state.users.get(&name) else {
        return Err(Fault::quoting("ERR User '", &name, "' not found"));
    };
    let arguments = &call.args[3..];
    let Ok(spec) = spec_of(arguments, release) else {
        return Err(Fault::quoting("ERR Command '", call.arg(3), "' not found"));
    };
    if !spec.takes(arguments.len()) {
        return Err(Call::arity(spec.name));
    }
    let who = String::from_utf8_lossy(&name);
    let seven_two = release.since(7, 2);
    Ok(match user.lacks(spec, arguments) {
        None => Reply::OK,
        Some(Lacks::Command) if seven_two => {
            Reply::text(format!("User {who} has no permissions to run the '{}' command", spec.name))
        }
        Some(Lacks::Command) => {
            Reply::text(format!("This user has no permissions to run the '{}' command", spec.name))
        }
        Some(Lacks::Key(key)) => {
            let start = if seven_two { format!("User {who}") } else { "This user".to_owned() };
            Reply::Bulk([start.as_bytes(), b" has no permissions to access the '", &key, b"' key"].concat())
        }
        Some(Lacks::Channel(channel)) => {
            let start = if seven_two { format!("User {who}") } else { "This user".to_owned() };
            Reply::Bulk(
                [start.as_bytes(), b" has no permissions to access the '", &channel, b"' channel"].concat(),
            )
        }
    })
}

fn log(call: &mut Call<'_>) -> Answer {
    let mut count = 10;
    match call.len() {
        2 => {}
        3 if call.is(2, "reset") => {
            call.state.acl_log.clear();
            return Ok(Reply::OK);
        }
        3 => {
            let wanted = number(call.arg(2)).ok_or("ERR value is not an integer or out of range")?;
            count = usize::try_from(wanted).unwrap_or(0);
        }
        _ => {
            return Err(if call.since(7, 0) {
                Fault::quoting(
                    "ERR unknown subcommand or wrong number of arguments for '",
                    call.arg(1),
                    "'. Try ACL HELP.",
                )
            } else {
                super::unknown_subcommand(call)
            });
        }
    }
    let now = call.now;
    let entries = call
        .state
        .acl_log
        .iter()
        .take(count)
        .map(|entry| {
            let row = |name: &str, value: Reply| (Reply::text(name), value);
            Reply::Map(vec![
                row("count", Reply::Integer(entry.count)),
                row("reason", Reply::text(entry.reason)),
                row("context", Reply::text(entry.context)),
                row("object", Reply::bulk(&entry.object)),
                row("username", Reply::bulk(&entry.user)),
                row("age-seconds", Reply::Double((now - entry.at).max(0) as f64 / 1000.0)),
                row("client-info", Reply::text(entry.client.clone())),
            ])
        })
        .collect();
    Ok(Reply::Array(entries))
}

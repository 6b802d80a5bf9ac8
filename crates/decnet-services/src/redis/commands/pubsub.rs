//! Publish and subscribe.

use std::collections::{BTreeMap, BTreeSet};

use super::glob;
use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Client};

pub(super) const HANDLERS: super::Group = &[
    ("psubscribe", |call| subscribe(call, Kind::Pattern)),
    ("publish", publish),
    ("pubsub|channels", |call| channels(call, Kind::Channel)),
    ("pubsub|numpat", numpat),
    ("pubsub|numsub", |call| numsub(call, Kind::Channel)),
    ("pubsub|shardchannels", |call| channels(call, Kind::Shard)),
    ("pubsub|shardnumsub", |call| numsub(call, Kind::Shard)),
    ("punsubscribe", |call| unsubscribe(call, Kind::Pattern)),
    ("spublish", |call| {
        let (channel, message) = (call.arg(1).to_vec(), call.arg(2).to_vec());
        Ok(Reply::Integer(call.state.publish_shard(&channel, &message)))
    }),
    ("ssubscribe", |call| subscribe(call, Kind::Shard)),
    ("subscribe", |call| subscribe(call, Kind::Channel)),
    ("sunsubscribe", |call| unsubscribe(call, Kind::Shard)),
    ("unsubscribe", |call| unsubscribe(call, Kind::Channel)),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Channel,
    Pattern,
    Shard,
}

impl Kind {
    fn of(self, client: &mut Client) -> &mut BTreeSet<Vec<u8>> {
        match self {
            Kind::Channel => &mut client.channels,
            Kind::Pattern => &mut client.patterns,
            Kind::Shard => &mut client.shard_channels,
        }
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Kind::Channel => ("subscribe", "unsubscribe"),
            Kind::Pattern => ("psubscribe", "punsubscribe"),
            Kind::Shard => ("ssubscribe", "sunsubscribe"),
        }
    }

    fn count(self, client: &Client) -> i64 {
        match self {
            Kind::Shard => client.shard_channels.len() as i64,
            _ => client.subscriptions() as i64,
        }
    }
}

fn subscribe(call: &mut Call<'_>, kind: Kind) -> Answer {
    let mut replies = Vec::new();
    for at in 1..call.len() {
        let name = call.arg(at).to_vec();
        if !kind.of(call.client()).contains(&name) {
            call.keep(name.len())?;
            kind.of(call.client()).insert(name.clone());
        }
        let count = kind.count(call.client());
        replies.push(Reply::Push(vec![
            Reply::text(kind.words().0),
            Reply::Bulk(name),
            Reply::Integer(count),
        ]));
    }
    Ok(Reply::Many(replies))
}

fn unsubscribe(call: &mut Call<'_>, kind: Kind) -> Answer {
    let names: Vec<Vec<u8>> = if call.len() > 1 {
        call.args[1..].to_vec()
    } else {
        kind.of(call.client()).iter().cloned().collect()
    };
    if names.is_empty() {
        let count = kind.count(call.client());
        return Ok(Reply::Many(vec![Reply::Push(vec![
            Reply::text(kind.words().1),
            Reply::Null,
            Reply::Integer(count),
        ])]));
    }
    let mut replies = Vec::new();
    for name in names {
        if kind.of(call.client()).remove(&name) {
            call.let_go(name.len());
        }
        let count = kind.count(call.client());
        replies.push(Reply::Push(vec![
            Reply::text(kind.words().1),
            Reply::Bulk(name),
            Reply::Integer(count),
        ]));
    }
    Ok(Reply::Many(replies))
}

/// Ends every subscription, as RESET does.
pub(super) fn forget(call: &mut Call<'_>) {
    for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
        for name in std::mem::take(kind.of(call.client())) {
            call.let_go(name.len());
        }
    }
}

fn publish(call: &mut Call<'_>) -> Answer {
    let (channel, message) = (call.arg(1).to_vec(), call.arg(2).to_vec());
    let receivers = call.state.publish(&channel, &message);
    let database = call.database_number();
    let arguments = call.args.to_vec();
    call.state.replicate(database, &arguments);
    Ok(Reply::Integer(receivers))
}

fn names(call: &mut Call<'_>, kind: Kind) -> BTreeMap<Vec<u8>, i64> {
    let mut names = BTreeMap::new();
    for client in call.state.clients.values_mut() {
        for name in kind.of(client).iter() {
            *names.entry(name.clone()).or_default() += 1;
        }
    }
    names
}

fn channels(call: &mut Call<'_>, kind: Kind) -> Answer {
    let pattern = (call.len() > 2).then(|| call.arg(2).to_vec());
    let names = names(call, kind).into_keys();
    let matching = names.filter(|name| pattern.as_ref().is_none_or(|pattern| glob(pattern, name, false)));
    Ok(Reply::bulks(matching))
}

fn numsub(call: &mut Call<'_>, kind: Kind) -> Answer {
    let names = names(call, kind);
    let replies = call.args[2..]
        .iter()
        .flat_map(|name| [Reply::bulk(name), Reply::Integer(names.get(name).copied().unwrap_or(0))])
        .collect();
    Ok(Reply::Array(replies))
}

fn numpat(call: &mut Call<'_>) -> Answer {
    Ok(Reply::Integer(names(call, Kind::Pattern).len() as i64))
}

//! Replication. A master is never looked for: the server says that it is a replica whose link is down.

use decnet_logging::event::{Body, Direction};

use crate::redis::codec::{Reply, number};
use crate::redis::engine::{Answer, Call, Fault, Master, Replica, SYNTAX};
use crate::redis::store::{Entry, rdb};

pub(super) const HANDLERS: super::Group = &[
    ("asking", no_cluster),
    ("cluster", no_cluster),
    ("cluster|addslots", no_cluster),
    ("cluster|addslotsrange", no_cluster),
    ("cluster|bumpepoch", no_cluster),
    ("cluster|count-failure-reports", no_cluster),
    ("cluster|countkeysinslot", no_cluster),
    ("cluster|delslots", no_cluster),
    ("cluster|delslotsrange", no_cluster),
    ("cluster|failover", no_cluster),
    ("cluster|flushslots", no_cluster),
    ("cluster|forget", no_cluster),
    ("cluster|getkeysinslot", no_cluster),
    ("cluster|help", no_cluster),
    ("cluster|info", no_cluster),
    ("cluster|keyslot", no_cluster),
    ("cluster|links", no_cluster),
    ("cluster|meet", no_cluster),
    ("cluster|myid", no_cluster),
    ("cluster|nodes", no_cluster),
    ("cluster|replicas", no_cluster),
    ("cluster|replicate", no_cluster),
    ("cluster|reset", no_cluster),
    ("cluster|saveconfig", no_cluster),
    ("cluster|set-config-epoch", no_cluster),
    ("cluster|setslot", no_cluster),
    ("cluster|shards", no_cluster),
    ("cluster|slaves", no_cluster),
    ("cluster|slots", no_cluster),
    ("failover", failover),
    ("psync", psync),
    ("readonly", no_cluster),
    ("readwrite", no_cluster),
    ("replconf", replconf),
    ("replicaof", replicaof),
    ("role", role),
    ("slaveof", replicaof),
    ("sync", sync),
    ("wait", wait),
    ("waitaof", waitaof),
];

fn no_cluster(_: &mut Call<'_>) -> Answer {
    Err("ERR This instance has cluster support disabled".into())
}

fn replicaof(call: &mut Call<'_>) -> Answer {
    if call.is(1, "no") && call.is(2, "one") {
        if call.state.master.take().is_some() {
            // The old history ends here; the new one gets an id of its own.
            let new = call.state.host.entropy.text("0123456789abcdef", 40);
            call.state.replication_id2 = std::mem::replace(&mut call.state.replication_id, new);
            call.state.second_offset = call.state.offset + 1;
            call.state.note(Body::StateChanged {
                object: "role".to_owned(),
                old: Some("slave".to_owned()),
                new: "master".to_owned(),
            });
        }
        return Ok(Reply::OK);
    }
    let Some(port) = number(call.arg(2)) else {
        return Err(if call.since(6, 2) {
            "ERR Invalid master port"
        } else {
            "ERR value is not an integer or out of range"
        }
        .into());
    };
    let Some(port) = u16::try_from(port).ok() else { return Err("ERR Invalid master port".into()) };
    let host = call.arg(1).to_vec();
    if call.state.master.as_ref().is_some_and(|master| master.host == host && master.port == port) {
        return Ok(Reply::Simple("OK Already connected to specified master".into()));
    }
    call.keep_forever(host.len())?;
    let shown = String::from_utf8_lossy(&host).into_owned();
    call.state.note(Body::StateChanged {
        object: "role".to_owned(),
        old: Some(if call.state.master.is_some() { "slave" } else { "master" }.to_owned()),
        new: format!("slave of {shown}:{port}"),
    });
    call.state.note(Body::FileDownload {
        name: None,
        url: Some(format!("redis://{shown}:{port}")),
        direction: Direction::Requested,
        size: None,
        bait: None,
    });
    call.state.note(Body::ExploitAttempt { name: "redis.rogue_master".to_owned(), confidence: 90 });
    call.state.master = Some(Master { host, port, since: call.now / 1000 });
    Ok(Reply::OK)
}

/// A replica that asks for nothing but the stream of the current history.
fn psync(call: &mut Call<'_>) -> Answer {
    if call.since(5, 0) && number(call.arg(2)).is_none() {
        return Err("ERR value is not an integer or out of range".into());
    }
    serve(call, true)
}

fn sync(call: &mut Call<'_>) -> Answer {
    serve(call, false)
}

fn serve(call: &mut Call<'_>, partial: bool) -> Answer {
    if call.client().replica.as_ref().is_some_and(|replica| replica.online) {
        return Ok(Reply::nothing());
    }
    if call.state.master.is_some() {
        return Err("NOMASTERLINK Can't SYNC while not connected with my master".into());
    }
    call.state.backlog.get_or_insert(call.state.offset + 1);
    call.state.stats.full_syncs += 1;
    call.state.stats.forks += 1;
    let file = super::rdb_of(call);
    call.state.note(Body::FileDownload {
        name: Some("dump.rdb".to_owned()),
        url: None,
        direction: Direction::Served,
        size: Some(file.len() as u64),
        bait: None,
    });
    let mut bytes = Vec::new();
    if partial {
        bytes.extend_from_slice(
            format!("+FULLRESYNC {} {}\r\n", call.state.replication_id, call.state.offset).as_bytes(),
        );
    }
    call.state.replicated_db = None;
    let eof = call.client().replica.get_or_insert_default().eof;
    if eof && call.state.setting("repl-diskless-sync") == b"yes" && !call.nested {
        // Straight to the socket: between two marks, after a while in which others may join.
        let mark = call.state.host.entropy.text("0123456789abcdef", 40);
        bytes.extend_from_slice(format!("$EOF:{mark}\r\n").as_bytes());
        bytes.extend_from_slice(&file);
        bytes.extend_from_slice(mark.as_bytes());
        let delay = call.state.setting_number("repl-diskless-sync-delay").clamp(0, 60) as f64;
        return call.block(Vec::new(), Some(delay.max(0.05)), Reply::Raw(bytes));
    }
    bytes.extend_from_slice(format!("${}\r\n", file.len()).as_bytes());
    bytes.extend_from_slice(&file);
    call.client().replica.get_or_insert_default().online = true;
    Ok(Reply::Raw(bytes))
}

/// The keyspace as a file of the product's format.
pub(crate) fn rdb_of(call: &Call<'_>) -> Vec<u8> {
    let state = &call.state;
    let auxiliary = vec![
        ("redis-ver", state.persona.version.clone()),
        ("redis-bits", state.persona.bits.to_string()),
        ("ctime", (call.now / 1000).to_string()),
        ("used-mem", state.used_memory().to_string()),
        ("repl-stream-db", "0".to_owned()),
        ("repl-id", state.replication_id.clone()),
        ("repl-offset", state.offset.to_string()),
        ("aof-base", "0".to_owned()),
    ];
    let auxiliary = auxiliary
        .into_iter()
        .filter(|(name, _)| match *name {
            "aof-base" => call.since(7, 0),
            name if name.starts_with("repl-") => call.since(4, 0) && state.backlog.is_some(),
            _ => true,
        })
        .collect();
    let now = call.now;
    let databases = state.databases.iter().enumerate().filter_map(|(number, database)| {
        let entries: Vec<(&[u8], &Entry)> =
            database.keys().iter().filter(|(_, entry)| entry.expires.is_none_or(|at| at > now)).collect();
        (!entries.is_empty()).then_some((number, entries))
    });
    rdb::file(call.release(), state.encoding(), &auxiliary, databases)
}

fn replconf(call: &mut Call<'_>) -> Answer {
    if call.len().is_multiple_of(2) {
        return Err(SYNTAX.into());
    }
    for at in (1..call.len()).step_by(2) {
        match call.word(at).as_str() {
            "listening-port" => {
                let port = call.integer(at + 1)?;
                call.client().replica.get_or_insert_default().port = u16::try_from(port).unwrap_or(0);
            }
            "ip-address" => {
                let address = String::from_utf8_lossy(call.arg(at + 1)).chars().take(255).collect::<String>();
                call.client().replica.get_or_insert_default().address = Some(address);
            }
            "capa" => {
                let eof = call.is(at + 1, "eof");
                call.client().replica.get_or_insert_default().eof |= eof;
            }
            "ack" => {
                let offset = number(call.arg(at + 1)).unwrap_or(0);
                call.client().replica.get_or_insert_default().acknowledged = offset;
                return Ok(Reply::nothing());
            }
            "getack" => return Ok(Reply::nothing()),
            "rdb-only" | "rdb-filter-only" if call.since(7, 0) => {}
            _ => return Err(Fault::quoting("ERR Unrecognized REPLCONF option: ", call.arg(at), "")),
        }
    }
    Ok(Reply::OK)
}

/// The replicas that were sent the data: address, port, what they acknowledged.
pub(crate) fn replicas(call: &Call<'_>) -> Vec<(String, u16, i64)> {
    call.state
        .clients
        .values()
        .filter_map(|client| {
            let replica: &Replica = client.replica.as_ref().filter(|replica| replica.online)?;
            let peer = client.address.rsplit_once(':').map_or(client.address.as_str(), |(host, _)| host);
            Some((
                replica.address.clone().unwrap_or_else(|| peer.to_owned()),
                replica.port,
                replica.acknowledged,
            ))
        })
        .collect()
}

fn role(call: &mut Call<'_>) -> Answer {
    if let Some(master) = &call.state.master {
        return Ok(Reply::Array(vec![
            Reply::text("slave"),
            Reply::bulk(&master.host),
            Reply::Integer(i64::from(master.port)),
            Reply::text("connect"),
            Reply::Integer(-1),
        ]));
    }
    let replicas = replicas(call)
        .into_iter()
        .map(|(address, port, offset)| Reply::bulks([address, port.to_string(), offset.to_string()]))
        .collect();
    Ok(Reply::Array(vec![Reply::text("master"), Reply::Integer(call.state.offset), Reply::Array(replicas)]))
}

fn failover(call: &mut Call<'_>) -> Answer {
    if call.len() == 2 && call.is(1, "abort") {
        return Err("ERR No failover in progress.".into());
    }
    if call.state.master.is_some() {
        return Err("ERR FAILOVER is not valid when server is a replica.".into());
    }
    if replicas(call).is_empty() {
        return Err("ERR FAILOVER requires connected replicas.".into());
    }
    Err("ERR FAILOVER target HOST and PORT is not a replica.".into())
}

fn wait(call: &mut Call<'_>) -> Answer {
    if call.state.master.is_some() {
        return Err("ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a \
                    replica is configured to be writable (which is not the default) writes to replicas are just \
                    local and are not propagated."
            .into());
    }
    let wanted = call.integer(1)?;
    let ms = number(call.arg(2)).ok_or("ERR timeout is not an integer or out of range")?;
    if ms < 0 {
        return Err("ERR timeout is negative".into());
    }
    let offset = call.state.offset;
    let there =
        replicas(call).into_iter().filter(|(.., acknowledged)| *acknowledged >= offset).count() as i64;
    if there >= wanted {
        return Ok(Reply::Integer(there));
    }
    call.block(Vec::new(), Some(ms as f64 / 1000.0), Reply::Integer(there))
}

fn waitaof(call: &mut Call<'_>) -> Answer {
    let local = call.integer(1)?;
    call.integer(2)?;
    call.integer(3)?;
    if local > 0 && call.state.setting("appendonly") == b"no" {
        return Err("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.".into());
    }
    Ok(Reply::Array(vec![Reply::Integer(0), Reply::Integer(0)]))
}

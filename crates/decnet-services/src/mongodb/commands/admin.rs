//! Commands of administration that change nothing here.

use decnet_logging::event::{Body, Direction};

use super::{Call, Client, State};
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;

pub(super) fn execute(
    state: &mut State,
    client: &mut Client,
    call: &Call<'_>,
    name: &str,
) -> Result<Document, Fault> {
    Ok(match name {
        "ping" | "endSessions" | "refreshSessions" | "killSessions" => Document::new(),
        "startSession" => {
            let id = state.uuid();
            Document::new()
                .with("id", Document::new().with("id", Value::Binary(4, id.to_vec())))
                .with("timeoutMinutes", 30)
        }
        "getLastError" | "getlasterror" => Document::new()
            .with("connectionId", client.connection)
            .with("n", 0)
            .with("syncMillis", 0)
            .with("writtenTo", Value::Null)
            .with("err", Value::Null),
        "replSetGetStatus" | "replSetGetConfig" => match &state.persona.replset {
            None => return Err(Fault::new(76, "not running with --replSet")),
            Some(set) => status(state, set),
        },
        "replSetInitiate" => {
            client.note(Body::StateChanged {
                object: "replica set".to_owned(),
                old: None,
                new: call.body.json(1000),
            });
            return Err(match state.persona.replset {
                None => Fault::new(76, "This node was not started with replication enabled."),
                Some(_) => Fault::new(23, "already initialized"),
            });
        }
        "copydb" | "clone" => {
            let from = call.body.text("fromhost").or(call.body.text("clone")).unwrap_or("").to_owned();
            client.note(Body::FileDownload {
                name: None,
                url: Some(format!("mongodb://{from}")),
                direction: Direction::Requested,
                size: None,
                bait: None,
            });
            return Err(Fault::new(
                6,
                format!("couldn't connect to server {from}, connection attempt failed"),
            ));
        }
        "eval" | "$eval" => {
            client.note(Body::ExploitAttempt { name: "mongodb.eval".to_owned(), confidence: 80 });
            return Err(Fault::new(2, "db side execution is disabled"));
        }
        "shutdown" => {
            client.note(Body::StateChanged {
                object: "server".to_owned(),
                old: None,
                new: "shutdown".to_owned(),
            });
            return Err(Fault::new(13, "shutdown must run from localhost when running db without auth"));
        }
        "setParameter" => {
            let changed =
                call.body.0.iter().skip(1).find(|(name, _)| !name.starts_with('$') && name != "lsid");
            let Some((parameter, value)) = changed else {
                return Err(Fault::new(72, "no option found to set, use help:true to see options "));
            };
            client.note(Body::StateChanged {
                object: format!("parameter {parameter}"),
                old: None,
                new: crate::mongodb::query::update::text_of(value),
            });
            Document::new().with("was", value.clone())
        }
        "profile" => Document::new().with("was", 0).with("slowms", 100).with("sampleRate", 1.0),
        "killOp" => Document::new().with("info", "attempting to kill op"),
        "fsync" => Document::new().with("numFiles", 1),
        "connPoolStats" => Document::new()
            .with("numClientConnections", 0)
            .with("numAScopedConnections", 0)
            .with("totalInUse", 0)
            .with("totalAvailable", 0)
            .with("totalCreated", 0),
        "getFreeMonitoringStatus" => Document::new().with("state", "undecided"),
        "compact" => Document::new().with("bytesFreed", 0),
        _ => Document::new(),
    })
}

fn status(state: &State, set: &str) -> Document {
    let now = state.now_ms();
    let up = ((now * 1000 - state.started) / 1_000_000).max(0);
    let optime = || {
        let seconds = u64::try_from(now / 1000).unwrap_or(0);
        Document::new().with("ts", Value::Timestamp((seconds - seconds % 10) << 32 | 1)).with("t", 1i64)
    };
    let member = Document::new()
        .with("_id", 0)
        .with("name", super::info::own_address(state))
        .with("health", 1.0)
        .with("state", 1)
        .with("stateStr", "PRIMARY")
        .with("uptime", i32::try_from(up).unwrap_or(i32::MAX))
        .with("optime", optime())
        .with("optimeDate", Value::Date(now / 10_000 * 10_000))
        .with("syncSourceHost", "")
        .with("syncSourceId", -1)
        .with("infoMessage", "")
        .with("configVersion", 1)
        .with("configTerm", 1)
        .with("self", true)
        .with("lastHeartbeatMessage", "");
    Document::new()
        .with("set", set)
        .with("date", Value::Date(now))
        .with("myState", 1)
        .with("term", 1i64)
        .with("syncSourceHost", "")
        .with("syncSourceId", -1)
        .with("heartbeatIntervalMillis", 2000i64)
        .with("majorityVoteCount", 1)
        .with("writeMajorityCount", 1)
        .with("votingMembersCount", 1)
        .with("writableVotingMembersCount", 1)
        .with(
            "optimes",
            Document::new().with("lastCommittedOpTime", optime()).with("appliedOpTime", optime()),
        )
        .with("members", vec![Value::Document(member)])
}

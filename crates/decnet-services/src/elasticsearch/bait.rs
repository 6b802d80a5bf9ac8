//! What is in the cluster before anybody comes: an index per table of the organisation's applications, and a
//! week of logs. Drawn from the identity; times end at the moment of the first request.

use decnet_core::identity::Identity;
use decnet_core::seed::Draw;

use super::codec::json::{Json, object};
use super::persona::{Persona, uuid};
use super::query::iso;
use super::store::{Cluster, Index};
use crate::bait::{People, applications, databases};
use crate::sql::Value;

/// Days of logs.
const DAYS: i64 = 7;
const DAY: i64 = 86_400_000;

fn value(value: &Value) -> Json {
    match value {
        Value::Null | Value::Bytes(_) | Value::Array(_) => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(value) => Json::Int(*value),
        Value::Decimal(value) => Json::Float(value.float()),
        Value::Float(value) => Json::Float(*value),
        Value::Text(text) => Json::from(&**text),
        Value::Date(days) => Json::Text(crate::sql::moment::date(*days)),
        Value::Timestamp(micros) => Json::Text(iso(micros / 1000)),
    }
}

/// The name of an index, in the letters that names of indices have.
fn index_name(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .map(|letter| if letter.is_alphanumeric() || "-_.".contains(letter) { letter } else { '-' })
        .collect()
}

/// Plants everything. `now`: milliseconds since 1970.
pub(super) fn plant(cluster: &mut Cluster, identity: &Identity, persona: &Persona, now: i64) {
    let today = i32::try_from(now.div_euclid(DAY)).unwrap_or(0);
    let shards = if persona.number.0 < 7 { 5 } else { 1 };
    let known = |word: &String| {
        crate::bait::Application::ALL.iter().any(|(name, _)| name == word)
            || matches!(word.as_str(), "auto" | "none" | "logs")
    };
    let kinds: Vec<String> = persona.indices.iter().filter(|word| known(word)).cloned().collect();
    let free: Vec<&String> = persona.indices.iter().filter(|word| !known(word)).collect();
    let id = |name: &str| uuid(identity.draw(&["elasticsearch", "index", name]).bytes());
    // A list of names alone asks for those and nothing else.
    let silent = kinds.is_empty() && !free.is_empty();
    let only_logs = !kinds.is_empty() && kinds.iter().all(|kind| kind == "logs");
    let chosen =
        if silent || only_logs { Vec::new() } else { applications(identity, "elasticsearch", &kinds) };
    for schema in databases(identity, "elasticsearch", &chosen, today) {
        for table in schema.tables {
            let name = index_name(&format!("{}-{}", schema.name, table.name));
            let mut index = Index::new(&name, id(&name), table.made / 1000, shards);
            for (row, number) in table.rows.iter().zip(1u64..) {
                let members =
                    table.columns.iter().zip(row).map(|(column, cell)| (column.name.clone(), value(cell)));
                index.put(&number.to_string(), Json::Map(members.collect()));
            }
            settle(&mut index, identity);
            cluster.indices.insert(name, index);
        }
    }
    let logs = kinds.iter().any(|kind| kind == "auto" || kind == "logs") || persona.indices.is_empty();
    if logs && !kinds.iter().any(|kind| kind == "none") {
        plant_logs(cluster, identity, now, shards);
    }
    for word in free {
        let name = index_name(word);
        let mut index = Index::new(&name, id(&name), identity.times.installed * 1000 + DAY, shards);
        let mut draw = identity.draw(&["elasticsearch", "documents", &name]);
        let people = People::of(identity);
        let count = draw.between(40, 160);
        for number in 1..=count {
            let Some(person) = people.pick(&mut draw) else { break };
            let at = now - draw.below(300 * DAY as u64) as i64;
            let document = object! {
                "name" => format!("{} {}", person.given, person.family),
                "email" => &person.email,
                "department" => person.department,
                "updated_at" => iso(at),
                "note" => format!("{} {}", draw.pick(&crate::bait::words("material")).copied().unwrap_or(""), draw.pick(&crate::bait::words("product")).copied().unwrap_or("")),
            };
            index.put(&number.to_string(), document);
        }
        settle(&mut index, identity);
        cluster.indices.insert(name, index);
    }
    let mut draw = identity.draw(&["elasticsearch", "state version"]);
    cluster.version = draw.between(180, 4200);
    cluster.ready = true;
}

fn settle(index: &mut Index, identity: &Identity) {
    index.planted = true;
    let mut draw = identity.draw(&["elasticsearch", "counters", &index.name]);
    index.searches = draw.below(900);
}

fn plant_logs(cluster: &mut Cluster, identity: &Identity, now: i64, shards: u64) {
    let mut draw = identity.draw(&["elasticsearch", "logs"]);
    let prefix = *draw.pick(&["logstash", "nginx-access", "applogs", "syslog"]).unwrap_or(&"logstash");
    let people = People::of(identity);
    let begin = (now.div_euclid(DAY) - DAYS + 1) * DAY;
    for day in 0..DAYS {
        let from = begin + day * DAY;
        let date = crate::sql::moment::date(i32::try_from(from / DAY).unwrap_or(0)).replace('-', ".");
        let name = format!("{prefix}-{date}");
        let mut draw = identity.draw(&["elasticsearch", "logs", &date]);
        let uuid = uuid(draw.bytes());
        let mut index = Index::new(&name, uuid, from + 900 + draw.below(4000) as i64, shards);
        let count = draw.between(90, 220);
        let mut times: Vec<i64> = (0..count).map(|_| from + draw.below(DAY as u64) as i64).collect();
        times.sort_unstable();
        for at in times.into_iter().take_while(|at| *at < now) {
            let id = draw.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 20);
            index.put(&id, line(prefix, identity, &people, &mut draw, at));
        }
        settle(&mut index, identity);
        cluster.indices.insert(name, index);
    }
}

fn line(prefix: &str, identity: &Identity, people: &People, draw: &mut Draw, at: i64) -> Json {
    let host = identity.names.hostname.to_lowercase();
    let client = format!("10.{}.{}.{}", draw.between(0, 40), draw.below(255), draw.between(2, 250));
    let person = people.pick(draw).cloned();
    let account = person.as_ref().map_or("admin", |person| person.account.as_str());
    let bytes = draw.between(180, 48_000);
    if prefix == "logstash" || prefix == "nginx-access" {
        let paths = [
            "/",
            "/login",
            "/api/v1/orders",
            "/api/v1/customers",
            "/static/app.js",
            "/search?q=valve",
            "/account",
            "/health",
        ];
        let path = *draw.pick(&paths).unwrap_or(&"/");
        let status = [200, 200, 200, 200, 304, 302, 404, 401, 500][draw.below(9) as usize];
        let verb = if draw.below(6) == 0 { "POST" } else { "GET" };
        let message = format!("{client} - {account} \"{verb} {path} HTTP/1.1\" {status} {bytes}");
        object! {
            "@timestamp" => iso(at),
            "@version" => "1",
            "message" => message,
            "clientip" => client,
            "auth" => account,
            "verb" => verb,
            "request" => path,
            "response" => status,
            "bytes" => bytes,
            "host" => host,
            "type" => "nginx",
        }
    } else {
        let levels = ["INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"];
        let level = *draw.pick(&levels).unwrap_or(&"INFO");
        let jobs = crate::bait::words("job");
        let job = draw.pick(&jobs).copied().unwrap_or("SyncInventory");
        let took = draw.between(12, 4200);
        let message = match draw.below(5) {
            0 => format!("session opened for user {account} from {client}"),
            1 => format!("connection to db01.{} lost, retrying", people.domain),
            _ => format!("{job} finished in {took} ms"),
        };
        object! {
            "@timestamp" => iso(at),
            "level" => level,
            "service" => job,
            "user" => account,
            "client" => client,
            "duration_ms" => took,
            "message" => message,
            "host" => object! { "name" => host },
        }
    }
}

//! The databases that are planted: the tables of the house's applications as documents.

use std::collections::BTreeMap;

use decnet_core::identity::Identity;
use decnet_core::seed::Draw;

use super::codec::bson::decimal_of;
use super::codec::{Document, Value};
use super::persona::Persona;
use super::store::Store;
use crate::bait::{Application, applications, databases};
use crate::sql;

const SLUG: &str = "mongodb";
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A UUID of version 4.
fn uuid(draw: &mut Draw) -> [u8; 16] {
    let mut bytes: [u8; 16] = draw.bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

/// An ObjectId: seconds, five bytes of the process that made it, a counter.
fn object_id(micros: i64, process: [u8; 5], counter: &mut u32) -> [u8; 12] {
    let mut id = [0; 12];
    let seconds = u32::try_from(micros / 1_000_000).unwrap_or(0);
    id[..4].copy_from_slice(&seconds.to_be_bytes());
    id[4..9].copy_from_slice(&process);
    *counter = (*counter + 1) & 0x00ff_ffff;
    id[9..].copy_from_slice(&counter.to_be_bytes()[1..]);
    id
}

/// Plants everything. `now` in microseconds.
pub(crate) fn plant(identity: &Identity, persona: &Persona, now: i64) -> Store {
    let mut store = Store::default();
    let today = i32::try_from(now.div_euclid(DAY)).unwrap_or(0);
    let words: Vec<String> = Application::ALL.iter().map(|(word, _)| (*word).to_owned()).collect();
    let (known, names): (Vec<String>, Vec<String>) = persona
        .databases
        .iter()
        .cloned()
        .partition(|name| words.contains(name) || name == "none" || name == "auto");
    let chosen =
        if known.is_empty() && !names.is_empty() { Vec::new() } else { applications(identity, SLUG, &known) };
    let mut schemas = databases(identity, SLUG, &chosen, today);
    let mut draw = identity.draw(&[SLUG, "names"]);
    for (at, name) in names.iter().enumerate() {
        // A database of the user's own name holds the tables of some application.
        let application = Application::ALL[draw.below(Application::ALL.len() as u64) as usize].1;
        let label = format!("{SLUG}-{at}");
        if let Some(mut schema) = databases(identity, &label, &[application], today).pop() {
            schema.name.clone_from(name);
            schemas.push(schema);
        }
    }
    for schema in &schemas {
        let mut draw = identity.draw(&[SLUG, "database", &schema.name]);
        let process = draw.bytes();
        let mut counter = draw.below(1 << 24) as u32;
        // What other tables call a row by its number, they call by its ObjectId here.
        let mut numbers: BTreeMap<(String, i64), [u8; 12]> = BTreeMap::new();
        for table in &schema.tables {
            let span = (now - table.made).max(DAY);
            for (at, row) in table.rows.iter().enumerate() {
                let own = row.iter().zip(&table.columns).find_map(|(value, column)| match value {
                    sql::Value::Timestamp(micros)
                        if column.name != "last_used" && column.name != "last_login" =>
                    {
                        Some(*micros)
                    }
                    _ => None,
                });
                let micros = own.unwrap_or(table.made + span / (table.rows.len() as i64 + 1) * at as i64);
                let id = object_id(micros, process, &mut counter);
                if let Some(number) = row.first().and_then(sql::Value::integer) {
                    numbers.insert((table.name.clone(), number), id);
                }
            }
        }
        for table in &schema.tables {
            let made = uuid(&mut draw);
            let Ok(collection) = store.make(&schema.name, &table.name, made) else { continue };
            collection.planted = true;
            for column in table.columns.iter().filter(|column| column.unique) {
                let index = Document::new()
                    .with("v", 2)
                    .with("key", Document::new().with(&column.name, 1))
                    .with("name", format!("{}_1", column.name))
                    .with("unique", true);
                collection.indexes.push(index);
            }
            for row in &table.rows {
                let mut document = Document::new();
                for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
                    let number = value.integer();
                    let other = column.name.strip_suffix("_id").and_then(|name| {
                        let tables = [name.to_owned(), format!("{name}s")];
                        tables.into_iter().find_map(|table| numbers.get(&(table, number?)))
                    });
                    if at == 0
                        && let Some(id) = number.and_then(|number| numbers.get(&(table.name.clone(), number)))
                    {
                        document.push("_id", Value::ObjectId(*id));
                        if column.name != "id" {
                            document.push(&camel(&column.name), value_of(value));
                        }
                    } else if let Some(id) = other {
                        document.push(&camel(&column.name), Value::ObjectId(*id));
                    } else if !matches!(value, sql::Value::Null) {
                        document.push(&camel(&column.name), value_of(value));
                    }
                }
                // Duplicates cannot be: every ObjectId has its own count.
                let _ = store.insert(&schema.name, &table.name, document, persona.release);
            }
        }
    }
    system(&mut store, identity, persona, now);
    store.seal();
    store
}

/// What every server has: `admin`, `config`, `local`.
fn system(store: &mut Store, identity: &Identity, persona: &Persona, now: i64) {
    let mut draw = identity.draw(&[SLUG, "system"]);
    let ids: [[u8; 16]; 4] = [uuid(&mut draw), uuid(&mut draw), uuid(&mut draw), uuid(&mut draw)];
    let release = persona.release;
    let feature = format!("{}.{}", release.0, if release.0 > 4 { 0 } else { release.1 });
    let mut add = |database: &str, name: &str, uuid, documents: Vec<Document>| {
        if store.make(database, name, uuid).is_ok() {
            for document in documents {
                let _ = store.insert(database, name, document, release);
            }
        }
    };
    if release >= (3, 4) {
        let version = Document::new().with("_id", "featureCompatibilityVersion").with("version", feature);
        add("admin", "system.version", ids[0], vec![version]);
    }
    if release >= (3, 6) {
        add("config", "system.sessions", ids[1], Vec::new());
    }
    let hostname = host_name(identity);
    let started = identity.booted_at(now / 1_000_000) + persona.start_delay;
    let log = Document::new()
        .with("_id", format!("{hostname}-{}", started * 1000 + persona.pid % 1000))
        .with("hostname", hostname)
        .with("startTime", Value::Date(started * 1000))
        .with("pid", persona.pid)
        .with("buildinfo", super::commands::build_info(persona, identity));
    add("local", "startup_log", ids[2], vec![log]);
    if !persona.users.is_empty() && persona.auth {
        let users = persona.users.iter().map(|(user, _)| {
            Document::new()
                .with("_id", format!("admin.{user}"))
                .with("user", user.as_str())
                .with("db", "admin")
                .with("roles", vec![Value::from(Document::new().with("role", "root").with("db", "admin"))])
        });
        add("admin", "system.users", ids[3], users.collect());
    }
}

/// The name of the machine as `gethostname` gives it.
pub(crate) fn host_name(identity: &Identity) -> String {
    match identity.os.family {
        decnet_core::identity::OsFamily::Windows => identity.names.hostname.clone(),
        _ => identity.names.hostname.to_lowercase(),
    }
}

/// `created_at` as documents have it: `createdAt`.
fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else if upper {
            out.extend(letter.to_uppercase());
            upper = false;
        } else {
            out.push(letter);
        }
    }
    out
}

fn value_of(value: &sql::Value) -> Value {
    match value {
        sql::Value::Null => Value::Null,
        sql::Value::Bool(truth) => Value::Bool(*truth),
        sql::Value::Integer(number) => i32::try_from(*number).map_or(Value::Long(*number), Value::Int),
        sql::Value::Decimal(number) => {
            let text = number.to_string();
            let scale = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let digits: String = text.chars().filter(|letter| *letter != '.').collect();
            match (digits.parse(), u8::try_from(scale)) {
                (Ok(unscaled), Ok(scale)) => Value::Decimal(decimal_of(unscaled, scale)),
                _ => Value::Double(number.float()),
            }
        }
        sql::Value::Float(number) => Value::Double(*number),
        sql::Value::Text(text) => Value::from(text.as_ref()),
        sql::Value::Bytes(bytes) => Value::Binary(0, bytes.to_vec()),
        sql::Value::Date(days) => Value::Date(i64::from(*days) * 86_400_000),
        sql::Value::Timestamp(micros) => Value::Date(micros.div_euclid(1000)),
        sql::Value::Array(values) => Value::Array(values.iter().map(value_of).collect()),
    }
}

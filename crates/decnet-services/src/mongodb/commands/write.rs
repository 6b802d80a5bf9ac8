//! Commands that change what is stored.

use std::sync::Arc;

use decnet_logging::event::Body;

use super::data::{filter, found, touch};
use super::{Call, Client, State, collection};
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;
use crate::mongodb::query::filter::Filter;
use crate::mongodb::query::order::compare;
use crate::mongodb::query::project::Projection;
use crate::mongodb::query::update::{Update, set};
use crate::mongodb::store::INDEXES;

/// Documents of one write command (`maxWriteBatchSize`).
const BATCH: usize = 100_000;
/// Bytes of one document (`maxBsonObjectSize`).
const DOCUMENT: usize = 16 * 1024 * 1024;
/// Texts longer than this are kept as artifacts; notes of extortioners always are.
const LONG: usize = 1024;
/// Artifacts of one command.
const ARTIFACTS: usize = 4;

pub(super) fn execute(
    state: &mut State,
    client: &mut Client,
    call: &Call<'_>,
    name: &str,
) -> Result<Document, Fault> {
    match name {
        "insert" => insert(state, client, call),
        "update" => update(state, client, call),
        "delete" => delete(state, client, call),
        "findAndModify" | "findandmodify" => find_and_modify(state, client, call),
        "create" => create(state, client, call),
        "createIndexes" => create_indexes(state, client, call),
        "dropIndexes" => drop_indexes(state, call),
        "drop" => drop_one(state, client, call),
        "dropDatabase" => drop_database(state, client, call),
        _ => rename(state, client, call),
    }
}

fn changed(client: &mut Client, object: String, old: Option<String>, new: &str) {
    client.note(Body::StateChanged { object, old, new: new.to_owned() });
}

/// The documents of a write command.
fn batch<'a>(call: &'a Call<'_>, name: &str) -> Result<Vec<&'a Document>, Fault> {
    let Some(values) = call.body.array(name) else {
        return Err(Fault::new(
            40414,
            format!("BSON field '{}.{name}' is missing but a required field", call.name),
        ));
    };
    if values.is_empty() || values.len() > BATCH {
        return Err(Fault::new(
            16,
            format!("Write batch sizes must be between 1 and {BATCH}. Got {} operations.", values.len()),
        ));
    }
    values
        .iter()
        .map(|value| match value {
            Value::Document(document) => Ok(document),
            other => Err(Fault::mismatch(format!(
                "BSON field '{}.{name}.0' is the wrong type '{}', expected type 'object'",
                call.name,
                other.kind_name()
            ))),
        })
        .collect()
}

fn writable(database: &str, name: &str) -> Result<(), Fault> {
    if name.starts_with("system.")
        && !matches!(name, "system.js" | "system.views" | "system.profile" | "system.users")
    {
        return Err(Fault::new(73, format!("cannot write to {database}.{name}")));
    }
    Ok(())
}

/// Whether a text asks for money: what extortioners leave behind.
fn ransom(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "bitcoin",
        "btc",
        "monero",
        "xmr",
        "ransom",
        "recover your data",
        "restore your data",
        "your data is backed up",
        "pay ",
        "onionmail",
        "protonmail",
    ];
    let text = text.to_lowercase();
    WORDS.iter().filter(|word| text.contains(**word)).count() >= 2
}

fn texts<'a>(document: &'a Document, found: &mut Vec<&'a str>) {
    for (_, value) in &document.0 {
        match value {
            Value::Text(text) => found.push(text),
            Value::Document(inner) => texts(inner, found),
            _ => {}
        }
    }
}

/// Keeps what is large or a note.
fn keep(client: &mut Client, database: &str, name: &str, document: &Document, kept: &mut usize) {
    let mut found = Vec::new();
    texts(document, &mut found);
    let whole: String = found.join("\n");
    let note = ransom(&whole);
    if note {
        client.note(Body::ExploitAttempt { name: "mongodb.ransom_note".to_owned(), confidence: 90 });
    }
    if (note || document.size() > LONG) && *kept < ARTIFACTS {
        *kept += 1;
        let (body, bytes) = if note { (whole, "txt") } else { (document.json(DOCUMENT), "json") };
        let file = format!("{database}.{name}.{bytes}");
        let upload =
            Body::FileUpload { name: file, size: 0, sha256: String::new(), stored: false, artifact: None };
        client.notes.push((upload, Some(body.into_bytes())));
    }
}

fn made(state: &mut State, client: &mut Client, database: &str, name: &str) -> Result<(), Fault> {
    if state.store.collection(database, name).is_none() {
        let uuid = state.uuid();
        state.store.make(database, name, uuid)?;
        changed(client, format!("{database}.{name}"), None, "created");
    }
    Ok(())
}

fn write_answer(mut answer: Document, errors: Vec<Document>) -> Document {
    if !errors.is_empty() {
        answer.push("writeErrors", errors.into_iter().map(Value::Document).collect::<Vec<_>>());
    }
    answer
}

fn insert(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    state.counters.command -= 1;
    let name = collection(call)?;
    writable(call.database, name)?;
    let ordered = call.body.get("ordered").is_none_or(Value::truth);
    let documents = batch(call, "documents")?;
    made(state, client, call.database, name)?;
    let (mut count, mut errors, mut kept) = (0, Vec::new(), 0);
    for (index, document) in documents.into_iter().enumerate() {
        state.counters.insert += 1;
        let mut document = document.clone();
        keep(client, call.database, name, &document, &mut kept);
        match document.remove("_id") {
            Some(id) => document.0.insert(0, ("_id".to_owned(), id)),
            None => {
                let id = state.object_id();
                document.0.insert(0, ("_id".to_owned(), Value::ObjectId(id)));
            }
        }
        let result = match document.get("_id") {
            Some(Value::Array(_)) => Err(Fault::new(53, "The '_id' value cannot be of type array")),
            Some(Value::Regex(..)) => Err(Fault::new(53, "The '_id' value cannot be of type regex")),
            _ if document.size() > DOCUMENT => Err(Fault::new(
                10334,
                format!(
                    "object to insert too large. size in bytes: {}, max size: {DOCUMENT}",
                    document.size()
                ),
            )),
            _ => state.store.insert(call.database, name, document, state.persona.release),
        };
        match result {
            Ok(()) => count += 1,
            Err(fault) => {
                errors.push(fault.write_error(index));
                if ordered {
                    break;
                }
            }
        }
    }
    client.rows += count as u64;
    if count > 0 {
        changed(client, format!("{}.{name}", call.database), None, &format!("{count} inserted"));
    }
    Ok(write_answer(Document::new().with("n", count), errors))
}

/// The document that an upsert makes.
fn upserted(state: &mut State, filter: &Filter, update: &Update) -> Result<Document, Fault> {
    let mut base = Document::new();
    let mut equal = Vec::new();
    filter.equalities(&mut equal);
    for (path, value) in equal {
        if !update.replaces() || path == "_id" {
            set(&mut base, &path, value)?;
        }
    }
    let mut document = update.apply(&base, state.now_ms(), true)?;
    if document.get("_id").is_none() {
        let id = state.object_id();
        document.0.insert(0, ("_id".to_owned(), Value::ObjectId(id)));
    }
    Ok(document)
}

/// Where the documents are that a filter lets through.
fn places(state: &State, database: &str, name: &str, filter: &Filter) -> Result<Vec<usize>, Fault> {
    let Some(collection) = state.store.collection(database, name) else { return Ok(Vec::new()) };
    if filter.weight().saturating_mul(collection.documents.len())
        > crate::mongodb::query::pipeline::WORK_LIMIT * 4
    {
        return Err(crate::mongodb::query::pipeline::too_long());
    }
    let all = collection.documents.iter().enumerate();
    Ok(all.filter(|(_, document)| filter.matches(document)).map(|(at, _)| at).collect())
}

struct Updated {
    matched: i32,
    modified: i32,
    id: Option<Value>,
}

fn update_one(
    state: &mut State,
    client: &mut Client,
    database: &str,
    name: &str,
    spec: &Document,
) -> Result<Updated, Fault> {
    let filter = filter(client, spec, "q")?;
    let update = Update::parse(spec.get("u").unwrap_or(&Value::Null))?;
    let multi = spec.truth("multi");
    if multi && update.replaces() {
        return Err(Fault::parse("multi update is not supported for replacement-style update"));
    }
    let mut at = places(state, database, name, &filter)?;
    if !multi {
        at.truncate(1);
    }
    if at.is_empty() {
        if !spec.truth("upsert") {
            return Ok(Updated { matched: 0, modified: 0, id: None });
        }
        let document = upserted(state, &filter, &update)?;
        made(state, client, database, name)?;
        let id = document.get("_id").cloned();
        keep(client, database, name, &document, &mut 0);
        state.store.insert(database, name, document, state.persona.release)?;
        return Ok(Updated { matched: 1, modified: 0, id });
    }
    let now = state.now_ms();
    let (mut modified, mut kept) = (0, 0);
    let matched = i32::try_from(at.len()).unwrap_or(i32::MAX);
    for place in at {
        let Some(old) =
            state.store.collection(database, name).and_then(|all| all.documents.get(place)).cloned()
        else {
            continue;
        };
        let new = update.apply(&old, now, false)?;
        if new.size() > DOCUMENT {
            return Err(Fault::new(
                17419,
                format!("Resulting document after update is larger than {DOCUMENT}"),
            ));
        }
        if new != *old {
            modified += 1;
            if kept == 0 {
                keep(client, database, name, &new, &mut kept);
                kept = 1;
            }
            state.store.replace(database, name, place, new)?;
        }
    }
    Ok(Updated { matched, modified, id: None })
}

fn update(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    state.counters.command -= 1;
    let name = collection(call)?;
    writable(call.database, name)?;
    let ordered = call.body.get("ordered").is_none_or(Value::truth);
    let (mut matched, mut modified, mut upserted, mut errors) = (0i32, 0i32, Vec::new(), Vec::new());
    for (index, spec) in batch(call, "updates")?.into_iter().enumerate() {
        state.counters.update += 1;
        match update_one(state, client, call.database, name, spec) {
            Ok(done) => {
                matched = matched.saturating_add(done.matched);
                modified = modified.saturating_add(done.modified);
                if let Some(id) = done.id {
                    upserted.push(Value::Document(
                        Document::new().with("index", i32::try_from(index).unwrap_or(0)).with("_id", id),
                    ));
                }
            }
            Err(fault) => {
                errors.push(fault.write_error(index));
                if ordered {
                    break;
                }
            }
        }
    }
    client.rows += u64::try_from(modified).unwrap_or(0);
    if modified > 0 || !upserted.is_empty() {
        let new = format!("{} updated", modified.saturating_add(upserted.len() as i32));
        changed(client, format!("{}.{name}", call.database), None, &new);
    }
    let mut answer = Document::new().with("n", matched);
    if !upserted.is_empty() {
        answer.push("upserted", upserted);
    }
    answer.push("nModified", modified);
    Ok(write_answer(answer, errors))
}

fn delete(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    state.counters.command -= 1;
    let name = collection(call)?;
    let (mut count, mut errors) = (0, Vec::new());
    for (index, spec) in batch(call, "deletes")?.into_iter().enumerate() {
        state.counters.delete += 1;
        let limit = match spec.number("limit") {
            Some(0) => usize::MAX,
            Some(1) => 1,
            _ => {
                errors.push(
                    Fault::parse("The limit field in delete objects must be 0 or 1.").write_error(index),
                );
                continue;
            }
        };
        match filter(client, spec, "q")
            .and_then(|filter| Ok((places(state, call.database, name, &filter)?, filter)))
        {
            Ok((_, filter)) => {
                let mut left = limit;
                count += state.store.delete(call.database, name, |document| {
                    let goes = left > 0 && filter.matches(document);
                    left -= usize::from(goes);
                    goes
                });
            }
            Err(fault) => errors.push(fault.write_error(index)),
        }
    }
    client.rows += count as u64;
    if count > 0 {
        changed(client, format!("{}.{name}", call.database), None, &format!("{count} deleted"));
    }
    Ok(write_answer(Document::new().with("n", i32::try_from(count).unwrap_or(i32::MAX)), errors))
}

fn find_and_modify(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    let filter = filter(client, call.body, "query")?;
    let remove = call.body.truth("remove");
    if !remove && call.body.get("update").is_none() {
        return Err(Fault::parse("Either an update or remove=true must be specified"));
    }
    touch(state, client, call.database, name);
    let old = found(state, call.database, name, &filter, call.body.document("sort"))?.first().map(Arc::clone);
    let shown = |document: &Document| -> Result<Value, Fault> {
        let projection = call.body.document("fields").map(Projection::parse).transpose()?.flatten();
        Ok(Value::Document(match projection {
            Some(projection) => projection.apply(document)?,
            None => document.clone(),
        }))
    };
    let namespace = format!("{}.{name}", call.database);
    let mut about = Document::new().with("n", i32::from(old.is_some()));
    let value = match (old, remove) {
        (Some(old), true) => {
            let id = old.get("_id").cloned().unwrap_or(Value::Null);
            state.store.delete(call.database, name, |document| {
                document.get("_id").is_some_and(|other| compare(other, &id).is_eq())
            });
            changed(client, namespace, None, "1 deleted");
            shown(&old)?
        }
        (None, true) => Value::Null,
        (old, false) => {
            let update = Update::parse(call.body.get("update").unwrap_or(&Value::Null))?;
            about.push("updatedExisting", old.is_some());
            let new = match &old {
                Some(old) => {
                    let new = update.apply(old, state.now_ms(), false)?;
                    let at = state.store.collection(call.database, name).and_then(|collection| {
                        collection.documents.iter().position(|document| Arc::ptr_eq(document, old))
                    });
                    if let Some(at) = at {
                        state.store.replace(call.database, name, at, new.clone())?;
                    }
                    Some(new)
                }
                None if call.body.truth("upsert") => {
                    let new = upserted(state, &filter, &update)?;
                    made(state, client, call.database, name)?;
                    about.push("upserted", new.get("_id").cloned().unwrap_or(Value::Null));
                    about.set("n", 1);
                    state.store.insert(call.database, name, new.clone(), state.persona.release)?;
                    Some(new)
                }
                None => None,
            };
            if let Some(new) = &new {
                keep(client, call.database, name, new, &mut 0);
                changed(client, namespace, None, "1 updated");
            }
            match (old, new, call.body.truth("new")) {
                (_, Some(new), true) => shown(&new)?,
                (Some(old), _, false) => shown(&old)?,
                _ => Value::Null,
            }
        }
    };
    Ok(Document::new().with("lastErrorObject", about).with("value", value))
}

fn create(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    writable(call.database, name)?;
    if state.store.collection(call.database, name).is_some() {
        let text = if state.persona.since(5, 0) {
            format!("Collection {}.{name} already exists.", call.database)
        } else {
            format!("a collection '{}.{name}' already exists", call.database)
        };
        return Err(Fault::new(48, text));
    }
    made(state, client, call.database, name)?;
    if let Some(collection) = state.store.collection_mut(call.database, name) {
        let options = call.body.0.iter().skip(1).filter(|(name, _)| {
            !name.starts_with('$')
                && !matches!(name.as_str(), "lsid" | "writeConcern" | "comment" | "txnNumber")
        });
        collection.options = Document(options.cloned().collect());
    }
    Ok(Document::new())
}

fn create_indexes(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    let there = state.store.collection(call.database, name).is_some();
    let indexes = batch(call, "indexes")?;
    made(state, client, call.database, name)?;
    let Some(collection) = state.store.collection_mut(call.database, name) else {
        return Ok(Document::new());
    };
    let before = collection.indexes.len();
    for index in indexes {
        let (Some(key), Some(index_name)) = (index.document("key"), index.text("name")) else {
            return Err(Fault::parse("The 'name' field is a required property of an index specification"));
        };
        if key.0.is_empty() {
            return Err(Fault::new(67, "Index keys cannot be empty."));
        }
        if collection
            .indexes
            .iter()
            .any(|other| other.text("name") == Some(index_name) || other.document("key") == Some(key))
        {
            continue;
        }
        if collection.indexes.len() >= INDEXES {
            return Err(Fault::new(
                67,
                format!(
                    "add index fails, too many indexes for {}.{name} key:{}",
                    call.database,
                    super::shown(key)
                ),
            ));
        }
        let mut made = Document::new().with("v", 2);
        made.0.extend(index.0.iter().filter(|(name, _)| name != "v").cloned());
        collection.indexes.push(made);
    }
    let after = collection.indexes.len();
    let mut answer = Document::new()
        .with("numIndexesBefore", before as i32)
        .with("numIndexesAfter", after as i32)
        .with("createdCollectionAutomatically", !there);
    if before == after {
        answer.push("note", "all indexes already exist");
    }
    Ok(answer)
}

fn drop_indexes(state: &mut State, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    let wanted = call.body.text("index").unwrap_or("").to_owned();
    let Some(collection) = state.store.collection_mut(call.database, name) else {
        return Err(Fault::new(26, format!("ns not found {}.{name}", call.database)));
    };
    let before = collection.indexes.len();
    if wanted == "_id_" {
        return Err(Fault::new(72, "cannot drop _id index"));
    }
    collection.indexes.retain(|index| {
        let own = index.text("name").unwrap_or("");
        own == "_id_" || wanted != "*" && own != wanted
    });
    if wanted != "*" && collection.indexes.len() == before {
        return Err(Fault::new(27, format!("index not found with name [{wanted}]")));
    }
    Ok(Document::new().with("nIndexesWas", before as i32))
}

fn drop_one(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    let namespace = format!("{}.{name}", call.database);
    match state.store.drop_collection(call.database, name) {
        Some(gone) => {
            let old = format!("{} documents", gone.documents.len());
            changed(client, namespace.clone(), Some(old), "dropped");
            state.cursors.retain(|cursor| cursor.namespace != namespace);
            Ok(Document::new().with("nIndexesWas", gone.indexes.len() as i32).with("ns", namespace))
        }
        // Since 7.0 a collection that is not there is dropped as well.
        None if state.persona.since(7, 0) => Ok(Document::new()),
        None => Err(Fault::new(26, "ns not found")),
    }
}

fn drop_database(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    if matches!(call.database, "admin" | "config" | "local") && state.persona.since(4, 0) {
        return Err(Fault::new(20, format!("Dropping the '{}' database is prohibited.", call.database)));
    }
    let gone = state.store.drop_database(call.database);
    if gone.is_empty() {
        return Ok(Document::new());
    }
    let documents: usize = gone.iter().map(|(_, collection)| collection.documents.len()).sum();
    let old = format!("{} collections, {documents} documents", gone.len());
    changed(client, call.database.to_owned(), Some(old), "dropped");
    let start = format!("{}.", call.database);
    state.cursors.retain(|cursor| !cursor.namespace.starts_with(&start));
    Ok(Document::new().with("dropped", call.database))
}

fn rename(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let (from, to) = (collection(call)?, call.body.text("to").unwrap_or(""));
    let (Some((database, name)), Some((into, new))) = (from.split_once('.'), to.split_once('.')) else {
        return Err(Fault::new(73, format!("Invalid target namespace: {to}")));
    };
    if state.store.collection(into, new).is_some() && !call.body.truth("dropTarget") {
        return Err(Fault::new(48, "target namespace exists"));
    }
    let Some(gone) = state.store.drop_collection(database, name) else {
        return Err(Fault::new(26, format!("Source collection {from} does not exist")));
    };
    state.store.drop_collection(into, new);
    let moved = state.store.make(into, new, gone.uuid)?;
    moved.indexes = gone.indexes;
    moved.options = gone.options;
    moved.planted = gone.planted;
    for document in gone.documents {
        state.store.insert(into, new, Document::clone(&document), state.persona.release)?;
    }
    changed(client, from.to_owned(), Some(from.to_owned()), to);
    Ok(Document::new())
}

//! Commands that read.

use std::collections::HashSet;
use std::sync::Arc;

use decnet_logging::event::Body;

use super::{Call, Client, State, collection};
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;
use crate::mongodb::query::filter::Filter;
use crate::mongodb::query::order::{at_path, by_sort, fingerprint};
use crate::mongodb::query::pipeline::{self, Documents, Source, filtered};
use crate::mongodb::query::project::Projection;

/// Documents of a first batch where the client does not say.
const FIRST: usize = 101;

pub(super) fn execute(
    state: &mut State,
    client: &mut Client,
    call: &Call<'_>,
    name: &str,
) -> Result<Document, Fault> {
    match name {
        "find" => find(state, client, call),
        "getMore" => get_more(state, client, call),
        "aggregate" => aggregate(state, client, call),
        "count" => count(state, client, call),
        "distinct" => distinct(state, client, call),
        "explain" => explain(state, call),
        "killCursors" => kill(state, call),
        "listCollections" => list_collections(state, client, call),
        "listDatabases" => list_databases(state, client, call),
        "listIndexes" => list_indexes(state, client, call),
        "collStats" | "collstats" | "dataSize" | "validate" => statistics(state, call),
        "dbStats" | "dbstats" => database_statistics(state, call),
        _ => {
            client.note(Body::ExploitAttempt {
                name: "mongodb.server_side_javascript".to_owned(),
                confidence: 40,
            });
            Err(Fault::new(16149, "cannot run map reduce without the js engine"))
        }
    }
}

/// Says that a planted collection was read.
pub(super) fn touch(state: &State, client: &mut Client, database: &str, name: &str) {
    let namespace = format!("{database}.{name}");
    let planted = state.store.collection(database, name).is_some_and(|collection| collection.planted);
    if planted && !client.touched.contains(&namespace) {
        client.touched.push(namespace.clone());
        client.note(Body::BaitTouched { bait: namespace, planted_on: None });
    }
}

/// The filter of a command under one of its names.
pub(super) fn filter(client: &mut Client, body: &Document, name: &str) -> Result<Filter, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Filter::parse(&Document::new()),
        Some(Value::Document(document)) => {
            if has_code(document) {
                let name = "mongodb.server_side_javascript".to_owned();
                client.note(Body::ExploitAttempt { name, confidence: 70 });
            }
            Filter::parse(document)
        }
        Some(other) => Err(Fault::mismatch(format!(
            "BSON field '{name}' is the wrong type '{}', expected type 'object'",
            other.kind_name()
        ))),
    }
}

/// Whether code is to run on the server.
fn has_code(document: &Document) -> bool {
    document.0.iter().any(|(name, value)| {
        matches!(name.as_str(), "$where" | "$function" | "$accumulator")
            || match value {
                Value::Document(inner) => has_code(inner),
                Value::Array(values) => {
                    values.iter().any(|value| matches!(value, Value::Document(inner) if has_code(inner)))
                }
                _ => false,
            }
    })
}

fn amount(body: &Document, name: &str) -> Result<Option<usize>, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.integer() {
            Some(number) if number >= 0 => Ok(usize::try_from(number).ok()),
            Some(number) => Err(Fault::new(
                51024,
                format!("BSON field '{name}' value must be >= 0, actual value '{number}'"),
            )),
            None => Err(Fault::mismatch(format!(
                "BSON field '{name}' is the wrong type '{}', expected types '[long, int, decimal, double]'",
                value.kind_name()
            ))),
        },
    }
}

/// What a find gives: filtered, sorted, cut.
pub(super) fn found(
    state: &State,
    database: &str,
    name: &str,
    filter: &Filter,
    sort: Option<&Document>,
) -> Result<Documents, Fault> {
    let mut documents = filtered(&state.store.documents(database, name), filter)?;
    match sort {
        Some(sort) if sort.get("$natural").and_then(Value::float).is_some_and(|number| number < 0.0) => {
            documents.reverse()
        }
        Some(sort) if !sort.0.is_empty() && sort.get("$natural").is_none() => {
            if documents.len().saturating_mul(sort.0.len()) > pipeline::WORK_LIMIT {
                return Err(pipeline::too_long());
            }
            documents.sort_by(|a, b| by_sort(a, b, sort));
        }
        _ => {}
    }
    Ok(documents)
}

fn find(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    state.counters.query += 1;
    state.counters.command -= 1;
    let name = collection(call)?;
    const KNOWN: &[&str] = &[
        "find",
        "filter",
        "sort",
        "projection",
        "hint",
        "skip",
        "limit",
        "batchSize",
        "singleBatch",
        "comment",
        "maxTimeMS",
        "readConcern",
        "max",
        "min",
        "returnKey",
        "showRecordId",
        "tailable",
        "oplogReplay",
        "noCursorTimeout",
        "awaitData",
        "allowPartialResults",
        "collation",
        "allowDiskUse",
        "let",
        "lsid",
        "txnNumber",
        "apiVersion",
        "apiStrict",
        "ntoreturn",
        "snapshot",
        "maxScan",
        "startTransaction",
        "autocommit",
    ];
    if let Some((unknown, _)) =
        call.body.0.iter().find(|(name, _)| !name.starts_with('$') && !KNOWN.contains(&name.as_str()))
    {
        return Err(if state.persona.since(5, 0) {
            Fault::new(40415, format!("BSON field 'FindCommandRequest.{unknown}' is an unknown field."))
        } else {
            Fault::parse(format!(
                "Failed to parse: {}. Unrecognized field '{unknown}'.",
                super::shown(call.body)
            ))
        });
    }
    let filter = filter(client, call.body, "filter")?;
    let (skip, limit) = (amount(call.body, "skip")?, amount(call.body, "limit")?);
    let size = amount(call.body, "batchSize")?;
    touch(state, client, call.database, name);
    let documents = found(state, call.database, name, &filter, call.body.document("sort"))?;
    let limit = limit.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut documents: Documents = documents.into_iter().skip(skip.unwrap_or(0)).take(limit).collect();
    if let Some(projection) = call.body.document("projection").map(Projection::parse).transpose()?.flatten() {
        documents = documents
            .iter()
            .map(|document| projection.apply(document).map(Arc::new))
            .collect::<Result<_, _>>()?;
    }
    let namespace = format!("{}.{name}", call.database);
    Ok(state.batch(client, &namespace, documents, size.unwrap_or(FIRST), call.body.truth("singleBatch")))
}

fn get_more(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    state.counters.getmore += 1;
    state.counters.command -= 1;
    let Some(id) = call.body.number("getMore") else {
        return Err(Fault::mismatch("BSON field 'getMore.getMore' is the wrong type, expected type 'long'"));
    };
    let namespace = format!("{}.{}", call.database, call.body.text("collection").unwrap_or(""));
    let size = amount(call.body, "batchSize")?.filter(|size| *size > 0);
    let (batch, id) = state.more(id, &namespace, size.unwrap_or(usize::MAX))?;
    client.rows += batch.len() as u64;
    Ok(Document::new()
        .with("cursor", Document::new().with("nextBatch", batch).with("id", id).with("ns", namespace)))
}

fn aggregate(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let Some(stages) = call.body.array("pipeline") else {
        return Err(Fault::mismatch("'pipeline' option must be specified as an array"));
    };
    if state.persona.since(3, 6) && call.body.get("cursor").is_none() && call.body.get("explain").is_none() {
        return Err(Fault::parse(
            "The 'cursor' option is required, except for aggregate with the explain argument",
        ));
    }
    if has_code(call.body) {
        client
            .note(Body::ExploitAttempt { name: "mongodb.server_side_javascript".to_owned(), confidence: 70 });
    }
    let stage_name = |value: Option<&Value>| match value {
        Some(Value::Document(Document(fields))) => fields.first().map(|(name, _)| name.clone()),
        _ => None,
    };
    let first = stage_name(stages.first());
    let whole = call.body.number("aggregate").is_some();
    let (documents, stages, namespace) = match first.as_deref() {
        Some("$currentOp") if whole => {
            let operation = super::info::current(state, client);
            (
                vec![Arc::new(operation)],
                stages.get(1..).unwrap_or_default(),
                "admin.$cmd.aggregate".to_owned(),
            )
        }
        Some("$listLocalSessions" | "$documents") if whole => {
            (Vec::new(), stages.get(1..).unwrap_or_default(), format!("{}.$cmd.aggregate", call.database))
        }
        _ if whole => {
            return Err(Fault::new(
                73,
                "Invalid namespace specified: {aggregate: 1} is not valid for this pipeline",
            ));
        }
        Some("$changeStream") => {
            return Err(Fault::new(40573, "The $changeStream stage is only supported on replica sets"));
        }
        Some("$collStats" | "$indexStats") => {
            let name = collection(call)?;
            let statistics = numbers_of(state, call.database, name);
            let made = Document::new()
                .with("ns", format!("{}.{name}", call.database))
                .with("localTime", Value::Date(state.now_ms()))
                .with("count", statistics.0 as i64)
                .with("storageStats", storage(state, call.database, name));
            (vec![Arc::new(made)], stages.get(1..).unwrap_or_default(), format!("{}.{name}", call.database))
        }
        _ => {
            let name = collection(call)?;
            touch(state, client, call.database, name);
            (state.store.documents(call.database, name), stages, format!("{}.{name}", call.database))
        }
    };
    // Everything that is joined is read.
    for stage in stages {
        if let Value::Document(stage) = stage
            && let Some(from) = stage.document("$lookup").and_then(|lookup| lookup.text("from"))
        {
            touch(state, client, call.database, from);
        }
    }
    let result = {
        let source = Source {
            collection: &|name| state.store.documents(call.database, name),
            random: &|bound| state.host.entropy.between(0, bound.saturating_sub(1) as u64) as usize,
        };
        pipeline::run(documents, stages, &source)
    };
    let result = result.map_err(|mut fault| {
        if state.persona.since(4, 4) && fault.code != 50 && fault.code != 40324 {
            fault.text = match fault.code {
                168 => format!("Invalid $project :: caused by :: {}", fault.text),
                _ => fault.text,
            };
        }
        fault
    })?;
    let size = call.body.document("cursor").and_then(|cursor| cursor.number("batchSize"));
    let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(FIRST);
    Ok(state.batch(client, &namespace, result, size, false))
}

fn count(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    let filter = filter(client, call.body, "query")?;
    let all = found(state, call.database, name, &filter, None)?.len();
    let skip = call.body.number("skip").unwrap_or(0).max(0) as usize;
    let limit = call.body.number("limit").unwrap_or(0).unsigned_abs();
    let mut count = all.saturating_sub(skip);
    if limit > 0 {
        count = count.min(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(Document::new().with("n", i32::try_from(count).unwrap_or(i32::MAX)))
}

fn distinct(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    let Some(key) = call.body.text("key") else {
        return Err(Fault::new(40414, "BSON field 'distinct.key' is missing but a required field"));
    };
    let filter = filter(client, call.body, "query")?;
    touch(state, client, call.database, name);
    let documents = found(state, call.database, name, &filter, None)?;
    let mut seen = HashSet::new();
    let mut values = Vec::new();
    for document in &documents {
        let mut there = Vec::new();
        at_path(document, key, &mut there);
        for value in there {
            let single = [value.clone()];
            let each: &[Value] = if let Value::Array(list) = value { list } else { &single };
            for value in each {
                if seen.insert(fingerprint(value)) {
                    values.push(value.clone());
                }
            }
        }
    }
    client.rows += values.len() as u64;
    Ok(Document::new().with("values", values))
}

fn explain(state: &State, call: &Call<'_>) -> Result<Document, Fault> {
    let inner = call
        .body
        .document("explain")
        .ok_or_else(|| Fault::mismatch("explain command requires a nested object"))?;
    let name = inner.0.first().and_then(|(_, value)| value.text()).unwrap_or("");
    let filter = inner.document("filter").or(inner.document("query")).cloned().unwrap_or_default();
    let plan =
        Document::new().with("stage", "COLLSCAN").with("filter", filter.clone()).with("direction", "forward");
    let planner = Document::new()
        .with("namespace", format!("{}.{name}", call.database))
        .with("indexFilterSet", false)
        .with("parsedQuery", filter)
        .with("maxIndexedOrSolutionsReached", false)
        .with("maxIndexedAndSolutionsReached", false)
        .with("maxScansToExplodeReached", false)
        .with("winningPlan", plan)
        .with("rejectedPlans", Vec::new());
    Ok(Document::new()
        .with("explainVersion", "1")
        .with("queryPlanner", planner)
        .with("command", inner.clone())
        .with("serverInfo", super::info::server_info(state)))
}

fn kill(state: &mut State, call: &Call<'_>) -> Result<Document, Fault> {
    let (mut killed, mut missing) = (Vec::new(), Vec::new());
    for id in call.body.array("cursors").unwrap_or_default() {
        let number = id.integer().unwrap_or(0);
        let before = state.cursors.len();
        state.cursors.retain(|cursor| cursor.id != number);
        if state.cursors.len() < before { &mut killed } else { &mut missing }.push(id.clone());
    }
    Ok(Document::new()
        .with("cursorsKilled", killed)
        .with("cursorsNotFound", missing)
        .with("cursorsAlive", Vec::new())
        .with("cursorsUnknown", Vec::new()))
}

fn list_databases(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let filter = filter(client, call.body, "filter")?;
    let only_names = call.body.truth("nameOnly");
    let mut total = 0i64;
    let mut list = Vec::new();
    for (name, collections) in &state.store.databases {
        let bytes: i64 = collections
            .values()
            .map(|collection| disk(collection.bytes) + 20_480 * collection.indexes.len() as i64)
            .sum();
        let mut one = Document::new().with("name", name.as_str());
        if !only_names {
            total += bytes;
            if state.persona.since(5, 0) {
                one.push("sizeOnDisk", bytes);
            } else {
                one.push("sizeOnDisk", bytes as f64);
            }
            one.push("empty", false);
        }
        if filter.matches(&one) {
            list.push(Value::Document(one));
        }
    }
    client.rows += list.len() as u64;
    let mut answer = Document::new().with("databases", list);
    if !only_names {
        if state.persona.since(5, 0) {
            answer.push("totalSize", total);
            answer.push("totalSizeMb", total / (1024 * 1024));
        } else {
            answer.push("totalSize", total as f64);
        }
    }
    Ok(answer)
}

/// Bytes on the disk: blocks of four KiB.
fn disk(bytes: usize) -> i64 {
    (bytes as i64 * 6 / 10).div_euclid(4096) * 4096 + 4096 + if bytes > 0 { 16_384 } else { 0 }
}

fn list_collections(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let filter = filter(client, call.body, "filter")?;
    let only_names = call.body.truth("nameOnly");
    let mut list = Vec::new();
    for (name, collection) in state.store.databases.get(call.database).into_iter().flatten() {
        let mut one = Document::new().with("name", name.as_str()).with("type", "collection");
        if !only_names {
            one.push("options", collection.options.clone());
            let mut info = Document::new().with("readOnly", false);
            if state.persona.since(3, 6) {
                info.push("uuid", Value::Binary(4, collection.uuid.to_vec()));
            }
            one.push("info", info);
            let index =
                Document::new().with("v", 2).with("key", Document::new().with("_id", 1)).with("name", "_id_");
            one.push("idIndex", index);
        }
        if filter.matches(&one) {
            list.push(Arc::new(one));
        }
    }
    let size = call.body.document("cursor").and_then(|cursor| cursor.number("batchSize"));
    let size =
        size.and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0).unwrap_or(usize::MAX);
    Ok(state.batch(client, &format!("{}.$cmd.listCollections", call.database), list, size, false))
}

fn list_indexes(state: &mut State, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    let namespace = format!("{}.{name}", call.database);
    let Some(found) = state.store.collection(call.database, name) else {
        return Err(Fault::new(26, format!("ns does not exist: {namespace}")));
    };
    let mut indexes: Documents = found.indexes.iter().cloned().map(Arc::new).collect();
    if !state.persona.since(4, 4) {
        indexes = indexes
            .iter()
            .map(|index| Arc::new(Document::clone(index).with("ns", namespace.as_str())))
            .collect();
    }
    let namespace = if state.persona.since(4, 4) {
        namespace
    } else {
        format!("{}.$cmd.listIndexes.{name}", call.database)
    };
    Ok(state.batch(client, &namespace, indexes, usize::MAX, false))
}

fn numbers_of(state: &State, database: &str, name: &str) -> (usize, usize, usize) {
    state.store.collection(database, name).map_or((0, 0, 0), |collection| {
        (collection.documents.len(), collection.bytes, collection.indexes.len())
    })
}

fn int(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn storage(state: &State, database: &str, name: &str) -> Document {
    let (count, bytes, indexes) = numbers_of(state, database, name);
    let mut out = Document::new().with("size", int(bytes)).with("count", int(count));
    if let Some(average) = bytes.checked_div(count) {
        out.push("avgObjSize", int(average));
    }
    let there = state.store.collection(database, name).is_some();
    let size = if there { disk(bytes) as i32 } else { 0 };
    out.with("storageSize", size)
        .with("freeStorageSize", if there { size / 3 / 4096 * 4096 } else { 0 })
        .with("capped", false)
        .with("nindexes", int(indexes))
        .with("totalIndexSize", int(indexes * 20_480))
        .with("totalSize", size + int(indexes * 20_480))
}

fn statistics(state: &State, call: &Call<'_>) -> Result<Document, Fault> {
    let name = collection(call)?;
    if call.name == "validate" && state.store.collection(call.database, name).is_none() {
        return Err(Fault::new(
            26,
            format!("Collection '{}.{name}' does not exist to validate.", call.database),
        ));
    }
    let mut out = Document::new().with("ns", format!("{}.{name}", call.database));
    out.0.extend(storage(state, call.database, name).0);
    if let Some(collection) = state.store.collection(call.database, name) {
        let mut sizes = Document::new();
        for index in &collection.indexes {
            sizes.push(index.text("name").unwrap_or(""), 20_480);
        }
        out.push("indexSizes", sizes);
    }
    Ok(out.with("scaleFactor", 1))
}

fn database_statistics(state: &State, call: &Call<'_>) -> Result<Document, Fault> {
    let collections = state.store.databases.get(call.database);
    let all = || collections.into_iter().flatten().map(|(_, collection)| collection);
    let count: usize = all().map(|collection| collection.documents.len()).sum();
    let bytes: usize = all().map(|collection| collection.bytes).sum();
    let indexes: usize = all().map(|collection| collection.indexes.len()).sum();
    let stored: i64 = all().map(|collection| disk(collection.bytes)).sum();
    let gigabyte = 1024.0 * 1024.0 * 1024.0;
    let mut draw = state.host.identity().draw(&["mongodb", "disk"]);
    let size: f64 = *draw.pick(&[40.0, 80.0, 100.0, 250.0, 500.0]).unwrap_or(&100.0) * gigabyte * 0.98;
    Ok(Document::new()
        .with("db", call.database)
        .with("collections", int(all().count()))
        .with("views", 0)
        .with("objects", int(count))
        .with("avgObjSize", if count > 0 { bytes as f64 / count as f64 } else { 0.0 })
        .with("dataSize", bytes as f64)
        .with("storageSize", stored as f64)
        .with("indexes", int(indexes))
        .with("indexSize", (indexes * 20_480) as f64)
        .with("totalSize", (stored + (indexes * 20_480) as i64) as f64)
        .with("scaleFactor", 1.0)
        .with("fsUsedSize", (size * 0.31).floor() + state.store.totals().0 as f64)
        .with("fsTotalSize", size.floor()))
}

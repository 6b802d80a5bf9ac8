//! Documents: index, create, get, update, delete, bulk, by query.

use super::search::{matching, scripts, sourced};
use super::{Answer, Call, Outcome};
use crate::elasticsearch::codec::json::{Json, object};
use crate::elasticsearch::error::EsError;
use crate::elasticsearch::store::ADDED_DOCUMENTS;

/// Most operations in one `_bulk`, ours.
const OPERATIONS: usize = ADDED_DOCUMENTS;
/// Longest id in bytes, the product's.
const ID_BYTES: usize = 512;
/// Bodies of `_bulk` from this size on are kept as an artifact.
const KEPT_FROM: usize = 4096;

/// What is to be done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Index,
    Create,
    Update,
    Delete,
}

impl Act {
    fn word(self) -> &'static str {
        match self {
            Act::Index => "index",
            Act::Create => "create",
            Act::Update => "update",
            Act::Delete => "delete",
        }
    }
}

fn written(call: &Call<'_>, index: &str, id: &str, version: u64, result: &str, seq: Option<u64>) -> Json {
    let mut out = object! { "_index" => index };
    if call.persona().number.0 < 8 {
        out.set("_type", call.cluster.indices.get(index).map_or("_doc", |index| index.kind.as_str()));
    }
    let replicas = call.cluster.indices.get(index).map_or(1, |index| index.replicas);
    out.merge(&object! { "_id" => id, "_version" => version, "result" => result });
    if call.parameter("refresh").is_some_and(|value| value != "false" && value != "wait_for") {
        out.set("forced_refresh", true);
    }
    let total = if seq.is_some() { 1 + replicas } else { 0 };
    out.set("_shards", object! { "total" => total, "successful" => u64::from(seq.is_some()), "failed" => 0 });
    if let Some(seq) = seq {
        out.set("_seq_no", seq);
        out.set("_primary_term", 1);
    }
    out
}

/// Does one thing to one document; the answer and its status.
fn act(
    call: &mut Call<'_>,
    act: Act,
    index: &str,
    id: Option<String>,
    body: Json,
) -> Result<(u16, Json), EsError> {
    if let Some(id) = id.as_ref().filter(|id| id.len() > ID_BYTES) {
        return Err(EsError::validation(&format!(
            "id [{id}] is too long, must be no longer than {ID_BYTES} bytes but was: {}",
            id.len()
        )));
    }
    if act == Act::Update
        && let Err(cause) = scripts(call, &body)
    {
        return Err(EsError::argument("failed to execute script").because(cause));
    }
    let target = match call.cluster.target(index) {
        Some(name) => name,
        None if act == Act::Delete
            || act == Act::Update && body.get("upsert").is_none() && body.get("doc_as_upsert").is_none() =>
        {
            return Err(EsError::no_index(index));
        }
        None => {
            let shards = if call.persona().number.0 < 7 { 5 } else { 1 };
            let bytes = call.node.host.entropy.bytes();
            call.cluster.create(index, bytes, call.now, shards, &Json::empty())?;
            call.changed(format!("index {index}"), None, "created".to_owned());
            index.to_owned()
        }
    };
    let id = match id {
        Some(id) => id,
        None => {
            let node = call.persona().node_id.clone();
            let now = call.now;
            call.cluster.next_id(now, &node)
        }
    };
    if act == Act::Delete {
        let gone = call.cluster.indices.get_mut(&target).and_then(|found| {
            let planted = found.planted;
            found.remove(&id).map(|(version, seq, size)| (version, seq, size, planted))
        });
        return Ok(match gone {
            Some((version, seq, size, planted)) => {
                if !planted {
                    call.cluster.added_bytes = call.cluster.added_bytes.saturating_sub(size);
                    call.cluster.added_documents = call.cluster.added_documents.saturating_sub(1);
                }
                call.changed(format!("document {target}/{id}"), Some("present".into()), "deleted".into());
                (200, written(call, &target, &id, version, "deleted", Some(seq)))
            }
            None => {
                let seq = call.cluster.indices.get_mut(&target).map(|index| {
                    index.next_seq += 1;
                    index.next_seq - 1
                });
                (404, written(call, &target, &id, 1, "not_found", seq))
            }
        });
    }
    let there = call.cluster.indices.get(&target).and_then(|index| index.document(&id)).cloned();
    let uuid = call.cluster.indices.get(&target).map(|index| index.uuid.clone()).unwrap_or_default();
    let source = match (act, &there) {
        (Act::Create, Some(doc)) => {
            return Err(EsError::new(
                409,
                "version_conflict_engine_exception",
                format!(
                    "[{id}]: version conflict, document already exists (current version [{}])",
                    doc.version
                ),
            )
            .with("index_uuid", uuid)
            .with("shard", "0")
            .with("index", target));
        }
        (Act::Update, Some(doc)) => {
            let Some(part) = body.get("doc") else {
                return Err(EsError::validation("script or doc is missing"));
            };
            let mut source = doc.source.clone();
            source.merge(part);
            if source == doc.source {
                return Ok((200, written(call, &target, &id, doc.version, "noop", None)));
            }
            source
        }
        (Act::Update, None) => {
            match body.get("upsert").or_else(|| body.get("doc_as_upsert").and(body.get("doc"))) {
                Some(source) => source.clone(),
                None => {
                    let place =
                        if call.persona().number.0 < 8 { format!("[_doc][{id}]") } else { format!("[{id}]") };
                    return Err(EsError::new(
                        404,
                        "document_missing_exception",
                        format!("{place}: document missing"),
                    )
                    .with("index_uuid", uuid)
                    .with("shard", "0")
                    .with("index", target));
                }
            }
        }
        _ => body,
    };
    if !matches!(source, Json::Map(_)) {
        return Err(EsError::new(400, "mapper_parsing_exception", "failed to parse").because(EsError::new(
            400,
            "not_x_content_exception",
            "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes",
        )));
    }
    let size = source.size();
    if let Err(error) = call.cluster.room(&target, size, 1) {
        if !call.cluster.full {
            call.cluster.full = true;
            call.notes.push(decnet_logging::event::Body::LimitReached {
                limit: "documents of intruders".to_owned(),
                count: call.cluster.added_documents as u64,
            });
        }
        return Err(error);
    }
    if there.is_none() {
        call.cluster.added_documents += 1;
    }
    call.cluster.added_bytes += size;
    let planted = call.cluster.indices.get(&target).is_some_and(|index| index.planted);
    if let Some(doc) = there.as_ref().filter(|_| !planted) {
        call.cluster.added_bytes = call.cluster.added_bytes.saturating_sub(doc.size);
    }
    let old = there.map(|doc| format!("version {}", doc.version));
    let shown: String = source.compact().chars().take(2000).collect();
    let Some(found) = call.cluster.indices.get_mut(&target) else { return Err(EsError::no_index(index)) };
    let (version, seq, new) = found.put(&id, source);
    call.changed(format!("document {target}/{id}"), old, shown);
    let result = if new { "created" } else { "updated" };
    Ok((if new { 201 } else { 200 }, written(call, &target, &id, version, result, Some(seq))))
}

fn named(call: &Call<'_>) -> (String, Option<String>) {
    (call.name("index").unwrap_or_default().to_owned(), call.name("id").map(str::to_owned))
}

/// `PUT /{index}/_doc/{id}` and its kin.
pub(super) fn index(call: &mut Call<'_>) -> Outcome {
    let body = call.need_document()?;
    let (index, id) = named(call);
    let create = call.parameter("op_type") == Some("create");
    let (status, answer) = act(call, if create { Act::Create } else { Act::Index }, &index, id, body)?;
    Ok(Answer::Json(status, answer))
}

/// `PUT /{index}/_create/{id}`.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let body = call.need_document()?;
    let (index, id) = named(call);
    let (status, answer) = act(call, Act::Create, &index, id, body)?;
    Ok(Answer::Json(status, answer))
}

/// `POST /{index}/_update/{id}`.
pub(super) fn update(call: &mut Call<'_>) -> Outcome {
    let body = call.need()?;
    let (index, id) = named(call);
    let (status, answer) = act(call, Act::Update, &index, id, body)?;
    Ok(Answer::Json(status, answer))
}

/// `DELETE /{index}/_doc/{id}`.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let (index, id) = named(call);
    let (status, answer) = act(call, Act::Delete, &index, id, Json::Null)?;
    Ok(Answer::Json(status, answer))
}

impl Call<'_> {
    /// A document in the body.
    fn need_document(&self) -> Result<Json, EsError> {
        match self.json() {
            Ok(Some(body)) => Ok(body),
            Ok(None) => Err(EsError::new(400, "parse_exception", "request body is required")),
            Err(cause) => {
                Err(EsError::new(400, "mapper_parsing_exception", "failed to parse").because(cause))
            }
        }
    }
}

/// `GET /{index}/_doc/{id}`.
pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    let (index, id) = named(call);
    let id = id.unwrap_or_default();
    let Some(name) = call.cluster.target(&index) else { return Err(EsError::no_index(&index)) };
    call.touch([&name]);
    let old = call.persona().number.0 < 8;
    let found = call.cluster.indices.get(&name);
    let mut out = object! { "_index" => &name };
    if old {
        out.set("_type", found.map_or("_doc", |index| index.kind.as_str()));
    }
    out.set("_id", &id);
    let filter = match (call.parameter("_source"), call.parameter("_source_includes")) {
        (Some("false"), _) => Json::Bool(false),
        (Some("true") | None, None) => Json::Bool(true),
        (_, Some(list)) | (Some(list), None) => Json::List(list.split(',').map(Json::from).collect()),
    };
    match found.and_then(|index| index.document(&id)) {
        Some(doc) => {
            out.merge(&object! { "_version" => doc.version, "_seq_no" => doc.seq, "_primary_term" => 1, "found" => true });
            if let Some(source) = sourced(&doc.source, &filter) {
                out.set("_source", source);
            }
            call.queried(format!("get {name}/{id}"), Some(name), 1);
            Ok(Answer::Json(200, out))
        }
        None => {
            out.set("found", false);
            Ok(Answer::Json(404, out))
        }
    }
}

/// `GET /{index}/_source/{id}`.
pub(super) fn source(call: &mut Call<'_>) -> Outcome {
    let (index, id) = named(call);
    let id = id.unwrap_or_default();
    let Some(name) = call.cluster.target(&index) else { return Err(EsError::no_index(&index)) };
    call.touch([&name]);
    match call.cluster.indices.get(&name).and_then(|index| index.document(&id)) {
        Some(doc) => Ok(Answer::Json(200, doc.source.clone())),
        None => Err(EsError::new(
            404,
            "resource_not_found_exception",
            format!("Document not found [{name}]/[{id}]"),
        )),
    }
}

/// `_mget`.
pub(super) fn mget(call: &mut Call<'_>) -> Outcome {
    let body = call.need()?;
    let mut wanted: Vec<(String, String)> = Vec::new();
    let usual = call.name("index").unwrap_or_default().to_owned();
    for doc in body.get("docs").map(Json::items).unwrap_or_default().iter().take(1000) {
        let index = doc.get("_index").and_then(Json::text).unwrap_or(&usual);
        wanted.push((index.to_owned(), doc.get("_id").and_then(Json::keyword).unwrap_or_default()));
    }
    for id in body.get("ids").map(Json::items).unwrap_or_default().iter().take(1000) {
        wanted.push((usual.clone(), id.keyword().unwrap_or_default()));
    }
    if wanted.is_empty() {
        return Err(EsError::validation("no documents to get"));
    }
    let mut docs = Vec::new();
    for (index, id) in wanted {
        call.names.retain(|(key, _)| *key != "index" && *key != "id");
        call.names.push(("index", index.clone()));
        call.names.push(("id", id.clone()));
        docs.push(match get(call) {
            Ok(Answer::Json(_, doc)) => doc,
            Ok(_) => Json::Null,
            Err(error) => {
                object! { "_index" => index, "_id" => id, "error" => error.answer().get("error").cloned() }
            }
        });
    }
    Ok(Answer::Json(200, object! { "docs" => docs }))
}

/// `_bulk`.
pub(super) fn bulk(call: &mut Call<'_>) -> Outcome {
    let body = call.body.to_vec();
    if body.trim_ascii().is_empty() {
        return Err(EsError::new(400, "parse_exception", "request body is required"));
    }
    if body.last() != Some(&b'\n') {
        return Err(EsError::argument("The bulk request must be terminated by a newline [\\n]"));
    }
    if body.len() >= KEPT_FROM {
        call.uploads.push(("_bulk".to_owned(), body.clone()));
    }
    let mut lines = body.split(|byte| *byte == b'\n');
    let mut items = Vec::new();
    let mut errors = false;
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        if items.len() >= OPERATIONS {
            break;
        }
        let head = Json::read(line).map_err(|error| call.broken(&error))?;
        let Some((word, meta)) = head.members().first() else {
            return Err(EsError::argument(format!(
                "Malformed action/metadata line [{number}], expected FIELD_NAME but found [END_OBJECT]"
            )));
        };
        let what = match word.as_str() {
            "index" => Act::Index,
            "create" => Act::Create,
            "update" => Act::Update,
            "delete" => Act::Delete,
            other => {
                return Err(EsError::argument(format!(
                    "Malformed action/metadata line [{number}], expected field [create], [delete], [index] or [update] but found [{other}]"
                )));
            }
        };
        let index = meta.get("_index").and_then(Json::text).or(call.name("index")).map(str::to_owned);
        let id = meta.get("_id").and_then(Json::keyword);
        let document = if what == Act::Delete {
            Ok(Json::Null)
        } else {
            number += 1;
            Json::read(lines.next().unwrap_or_default())
        };
        let Some(index) = index else { return Err(EsError::validation("index is missing")) };
        let done = match document {
            Ok(document) => act(call, what, &index, id.clone(), document),
            Err(error) => {
                let cause = call.broken(&error);
                Err(EsError::new(400, "mapper_parsing_exception", "failed to parse").because(cause))
            }
        };
        let mut item = match done {
            Ok((status, mut answer)) => {
                answer.set("status", status);
                answer
            }
            Err(error) => {
                errors = true;
                let mut item = object! { "_index" => index };
                if call.persona().number.0 < 8 {
                    item.set("_type", "_doc");
                }
                item.set("_id", id);
                item.set("status", error.status);
                item.set("error", error.item());
                item
            }
        };
        // Items of a bulk do not say that they were refreshed unless all are.
        if let Json::Map(members) = &mut item {
            members.retain(|(name, _)| name != "forced_refresh");
        }
        let mut wrapped = Json::empty();
        wrapped.set(what.word(), item);
        items.push(wrapped);
    }
    let took = 2 + items.len() / 8;
    Ok(Answer::Json(200, object! { "took" => took, "errors" => errors, "items" => items }))
}

fn by_query(took: u64, total: usize, updated: usize, deleted: usize, update: bool) -> Json {
    let mut out = object! { "took" => took, "timed_out" => false, "total" => total };
    if update {
        out.set("updated", updated);
    }
    out.merge(&object! {
        "deleted" => deleted,
        "batches" => total.div_ceil(1000),
        "version_conflicts" => 0,
        "noops" => 0,
        "retries" => object! { "bulk" => 0, "search" => 0 },
        "throttled_millis" => 0,
        "requests_per_second" => -1.0,
        "throttled_until_millis" => 0,
        "failures" => Vec::new(),
    });
    out
}

/// `_delete_by_query`.
pub(super) fn delete_by_query(call: &mut Call<'_>) -> Outcome {
    let found = matching(call)?;
    let mut total = 0;
    for (name, ids) in found {
        let mut gone = 0;
        let mut freed = 0;
        if let Some(index) = call.cluster.indices.get_mut(&name) {
            for id in &ids {
                if let Some((.., size)) = index.remove(id) {
                    gone += 1;
                    freed += size;
                }
            }
            if !index.planted {
                call.cluster.added_bytes = call.cluster.added_bytes.saturating_sub(freed);
                call.cluster.added_documents = call.cluster.added_documents.saturating_sub(gone);
            }
        }
        if gone > 0 {
            call.changed(
                format!("index {name}"),
                Some(format!("{gone} documents")),
                "deleted by query".into(),
            );
        }
        total += gone;
    }
    let took = 20 + total as u64 / 10;
    Ok(Answer::Json(200, by_query(took, total, 0, total, false)))
}

/// `_update_by_query`: without a script it only writes the documents again.
pub(super) fn update_by_query(call: &mut Call<'_>) -> Outcome {
    if call.body.trim_ascii().is_empty() {
        let names = call.indices()?;
        let total: u64 =
            names.iter().filter_map(|name| call.cluster.indices.get(name)).map(|index| index.count()).sum();
        return Ok(Answer::Json(200, by_query(20, total as usize, total as usize, 0, true)));
    }
    let found = matching(call)?;
    let total = found.iter().map(|(_, ids)| ids.len()).sum();
    Ok(Answer::Json(200, by_query(20, total, total, 0, true)))
}

/// `_reindex`: within the cluster; what comes from elsewhere is refused as the release does.
pub(super) fn reindex(call: &mut Call<'_>) -> Outcome {
    let body = call.need()?;
    scripts(call, &body)?;
    let source = body.get("source").cloned().unwrap_or(Json::Null);
    if let Some(host) = source.get("remote").and_then(|remote| remote.get("host")).and_then(Json::text) {
        call.notes.push(decnet_logging::event::Body::FileDownload {
            name: None,
            url: Some(host.to_owned()),
            direction: decnet_logging::event::Direction::Requested,
            size: None,
            bait: None,
        });
        let place = host.split("//").last().unwrap_or(host).trim_end_matches('/');
        return Err(EsError::argument(format!("[{place}] not whitelisted in reindex.remote.whitelist")));
    }
    let from = source
        .get("index")
        .map(Json::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Json::text)
        .collect::<Vec<_>>()
        .join(",");
    let to = body
        .get("dest")
        .and_then(|dest| dest.get("index"))
        .and_then(Json::text)
        .unwrap_or_default()
        .to_owned();
    if from.is_empty() || to.is_empty() {
        return Err(EsError::validation("index is missing"));
    }
    let names = call.cluster.resolve(&from, call.lookup())?;
    call.touch(&names);
    let docs: Vec<(String, Json)> = names
        .iter()
        .filter_map(|name| call.cluster.indices.get(name))
        .flat_map(|index| index.documents().map(|doc| (doc.id.clone(), doc.source.clone())))
        .collect();
    let total = docs.len();
    let mut made = 0;
    for (id, source) in docs {
        let (status, _) = act(call, Act::Index, &to, Some(id), source)?;
        made += usize::from(status == 201);
    }
    let mut out = by_query(30, total, total - made, 0, true);
    out.set("created", made);
    Ok(Answer::Json(200, out))
}

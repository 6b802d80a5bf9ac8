//! Indices: create, delete, look at, settings, mappings, aliases, templates, statistics.

use super::{Answer, Call, Outcome};
use crate::elasticsearch::codec::json::{Json, object, wildcard};
use crate::elasticsearch::codec::table::bytes;
use crate::elasticsearch::error::EsError;
use crate::elasticsearch::store::{Index, Lookup, NAMED, flatten};

fn done() -> Outcome {
    Ok(Answer::Json(200, object! { "acknowledged" => true }))
}

/// `PUT /{index}`.
pub(super) fn create(call: &mut Call<'_>) -> Outcome {
    let name = call.name("index").unwrap_or_default().to_owned();
    let body = call.json()?.unwrap_or_else(Json::empty);
    for (key, _) in body.members() {
        if !matches!(key.as_str(), "settings" | "mappings" | "aliases" | "warmers") {
            return Err(EsError::new(
                400,
                "parse_exception",
                format!("unknown key [{key}] for create index"),
            ));
        }
    }
    let shards = if call.persona().number.0 < 7 { 5 } else { 1 };
    call.cluster.create(&name, call.node.host.entropy.bytes(), call.now, shards, &body)?;
    call.changed(format!("index {name}"), None, "created".into());
    Ok(Answer::Json(200, object! { "acknowledged" => true, "shards_acknowledged" => true, "index" => name }))
}

/// `DELETE /{index}`.
pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    let expression = call.name("index").unwrap_or_default().to_owned();
    if call.persona().number.0 >= 8 && (expression.contains('*') || expression == "_all") {
        return Err(EsError::argument("Wildcard expressions or all indices are not allowed"));
    }
    let names = call.cluster.resolve(&expression, call.lookup())?;
    if let Some(alias) = expression
        .split(',')
        .find(|name| !name.contains('*') && *name != "_all" && !call.cluster.indices.contains_key(*name))
    {
        return Err(EsError::argument(format!(
            "The provided expression [{alias}] matches an alias, specify the corresponding concrete indices instead."
        )));
    }
    for name in names {
        if let Some(index) = call.cluster.drop_index(&name) {
            call.changed(
                format!("index {name}"),
                Some(format!("{} documents", index.count())),
                "deleted".into(),
            );
        }
    }
    done()
}

/// `HEAD /{index}`.
pub(super) fn exists(call: &mut Call<'_>) -> Outcome {
    match call.cluster.resolve(call.name("index").unwrap_or_default(), call.lookup()) {
        Ok(_) => Ok(Answer::Status(200)),
        Err(_) => Ok(Answer::Status(404)),
    }
}

fn version_id(call: &Call<'_>) -> String {
    let (major, minor, patch) = call.persona().number;
    // From 8.11 on an index has a version of its own.
    match (major, minor) {
        (8, 13..) => "8503000".into(),
        (8, 11..) => "8500003".into(),
        _ => (major * 1_000_000 + minor * 10_000 + patch * 100 + 99).to_string(),
    }
}

fn settings_of(call: &Call<'_>, index: &Index) -> Json {
    let mut out = Json::empty();
    if call.persona().since(7, 10) {
        out.set("routing", object! { "allocation" => object! { "include" => object! { "_tier_preference" => "data_content" } } });
    }
    out.set("number_of_shards", index.shards.to_string());
    for (name, value) in &index.settings {
        put(&mut out, name, value.clone());
    }
    out.set("provided_name", &index.name);
    out.set("creation_date", index.created.to_string());
    out.set("number_of_replicas", index.replicas.to_string());
    out.set("uuid", &index.uuid);
    out.set("version", object! { "created" => version_id(call) });
    out
}

/// Puts a dotted name in its place.
fn put(out: &mut Json, name: &str, value: Json) {
    match name.split_once('.') {
        Some((first, rest)) => {
            if !matches!(out.get(first), Some(Json::Map(_))) {
                out.set(first, Json::empty());
            }
            if let Some(inner) = out.get_mut(first) {
                put(inner, rest, value);
            }
        }
        None => out.set(name, value),
    }
}

fn mapping_of(call: &Call<'_>, index: &Index) -> Json {
    let typed = call.persona().number.0 < 7 && call.parameter("include_type_name") != Some("false");
    if typed && !index.mapping.members().is_empty() {
        let mut out = Json::empty();
        out.set(&index.kind, index.mapping.clone());
        return out;
    }
    index.mapping.clone()
}

fn aliases_of(index: &Index) -> Json {
    Json::Map(index.aliases.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn every(call: &mut Call<'_>, make: impl Fn(&Call<'_>, &Index) -> Json) -> Outcome {
    let names = call.indices()?;
    let mut out = Json::empty();
    for name in &names {
        if let Some(index) = call.cluster.indices.get(name) {
            out.set(name, make(call, index));
        }
    }
    Ok(Answer::Json(200, out))
}

/// `GET /{index}`.
pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    every(call, |call, index| {
        object! {
            "aliases" => aliases_of(index),
            "mappings" => mapping_of(call, index),
            "settings" => object! { "index" => settings_of(call, index) },
        }
    })
}

/// `GET _mapping`.
pub(super) fn mapping(call: &mut Call<'_>) -> Outcome {
    every(call, |call, index| object! { "mappings" => mapping_of(call, index) })
}

/// `GET _settings`.
pub(super) fn settings(call: &mut Call<'_>) -> Outcome {
    every(call, |call, index| object! { "settings" => object! { "index" => settings_of(call, index) } })
}

/// `GET _alias`.
pub(super) fn alias(call: &mut Call<'_>) -> Outcome {
    let Some(wanted) = call.name("name").map(str::to_owned) else {
        return every(call, |_, index| object! { "aliases" => aliases_of(index) });
    };
    let names = call.indices()?;
    let mut out = Json::empty();
    for name in names {
        let Some(index) = call.cluster.indices.get(&name) else { continue };
        let hits: Vec<(String, Json)> = index
            .aliases
            .iter()
            .filter(|(alias, _)| {
                wanted.split(',').any(|pattern| pattern == "_all" || wildcard(pattern, alias))
            })
            .map(|(alias, value)| (alias.clone(), value.clone()))
            .collect();
        if !hits.is_empty() {
            out.set(&name, object! { "aliases" => Json::Map(hits) });
        }
    }
    if out.members().is_empty() && !wanted.contains('*') {
        return Ok(Answer::Json(
            404,
            object! { "error" => format!("alias [{wanted}] missing"), "status" => 404 },
        ));
    }
    Ok(Answer::Json(200, out))
}

/// `PUT /{index}/_alias/{name}` and `POST _aliases`.
pub(super) fn put_alias(call: &mut Call<'_>) -> Outcome {
    let mut actions: Vec<(bool, String, String, Json)> = Vec::new();
    if let Some(name) = call.name("name").map(str::to_owned) {
        let body = call.json()?.unwrap_or_else(Json::empty);
        let index = call.name("index").unwrap_or("_all").to_owned();
        actions.push((call.method != "DELETE", index, name, body));
    } else {
        let body = call.need()?;
        for action in body.get("actions").map(Json::items).unwrap_or_default().iter().take(NAMED) {
            let Some((word, how)) = action.members().first() else { continue };
            let list = |one: &str, many: &str| {
                how.get(one)
                    .or(how.get(many))
                    .map(Json::items)
                    .unwrap_or_default()
                    .iter()
                    .filter_map(Json::text)
                    .collect::<Vec<_>>()
                    .join(",")
            };
            if word == "remove_index" {
                for name in call.cluster.resolve(&list("index", "indices"), call.lookup())? {
                    call.cluster.drop_index(&name);
                    call.changed(format!("index {name}"), None, "deleted".into());
                }
                continue;
            }
            actions.push((word == "add", list("index", "indices"), list("alias", "aliases"), Json::empty()));
        }
        if actions.is_empty() {
            return Err(EsError::new(400, "illegal_argument_exception", "No action specified"));
        }
    }
    for (add, expression, aliases, value) in actions {
        for name in call.cluster.resolve(&expression, call.lookup())? {
            for alias in aliases.split(',').filter(|alias| !alias.is_empty()) {
                let size = alias.len() + value.size();
                call.cluster.room(alias, size, 0)?;
                let Some(index) = call.cluster.indices.get_mut(&name) else { continue };
                if add {
                    if index.aliases.len() < NAMED {
                        call.cluster.added_bytes += size;
                        index.aliases.insert(alias.to_owned(), value.clone());
                    }
                } else if index.aliases.remove(alias).is_none() && !alias.contains('*') {
                    return Err(EsError::new(
                        404,
                        "aliases_not_found_exception",
                        format!("aliases [{alias}] missing"),
                    )
                    .with("resource.type", "aliases")
                    .with("resource.id", alias));
                }
            }
            call.changed(
                format!("aliases of {name}"),
                None,
                format!("{} {aliases}", if add { "add" } else { "remove" }),
            );
        }
    }
    done()
}

/// `PUT /{index}/_mapping`.
pub(super) fn put_mapping(call: &mut Call<'_>) -> Outcome {
    let mut body = call.need()?;
    if let [(_, inner)] = body.members()
        && inner.get("properties").is_some()
        && body.get("properties").is_none()
    {
        body = inner.clone();
    }
    let names = call.indices()?;
    let size = body.size() * names.len().max(1);
    call.cluster.room("_all", size, 0)?;
    call.cluster.added_bytes += size;
    for name in names {
        if let Some(index) = call.cluster.indices.get_mut(&name) {
            index.mapping.merge(&body);
        }
        call.changed(format!("mapping of {name}"), None, body.compact().chars().take(2000).collect());
    }
    done()
}

/// `PUT /{index}/_settings`.
pub(super) fn put_settings(call: &mut Call<'_>) -> Outcome {
    let body = call.need()?;
    let mut flat = std::collections::BTreeMap::new();
    flatten(body.get("settings").unwrap_or(&body), "", &mut flat);
    let names = call.indices()?;
    if flat.contains_key("number_of_shards") {
        let shown: Vec<String> = names.iter().map(|name| format!("[{name}]")).collect();
        return Err(EsError::argument(format!(
            "Can't update non dynamic settings [[index.number_of_shards]] for open indices [{}]",
            shown.join(", ")
        )));
    }
    let size = (body.size() + 24) * names.len().max(1);
    call.cluster.room("_all", size, 0)?;
    call.cluster.added_bytes += size;
    for name in names {
        if let Some(index) = call.cluster.indices.get_mut(&name) {
            for (key, value) in &flat {
                if key == "number_of_replicas" {
                    index.replicas = value.number().unwrap_or(1.0).clamp(0.0, 100.0) as u64;
                } else if index.settings.len() < NAMED {
                    index.settings.insert(key.clone(), value.clone());
                }
            }
        }
        call.changed(format!("settings of {name}"), None, body.compact().chars().take(2000).collect());
    }
    done()
}

/// `POST /{index}/_open` and `_close`.
pub(super) fn open_close(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let open = call.name("verb") == Some("_open");
    for name in &names {
        if let Some(index) = call.cluster.indices.get_mut(name) {
            index.open = open;
        }
        call.changed(format!("index {name}"), None, if open { "opened" } else { "closed" }.into());
    }
    let mut out = object! { "acknowledged" => true, "shards_acknowledged" => true };
    if !open && call.persona().number.0 >= 7 {
        let each = names.iter().map(|name| (name.clone(), object! { "closed" => true })).collect();
        out.set("indices", Json::Map(each));
    }
    Ok(Answer::Json(200, out))
}

/// `_refresh`, `_flush`, `_forcemerge`, `_cache/clear`.
pub(super) fn maintain(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let (mut all, mut good) = (0, 0);
    for index in names.iter().filter_map(|name| call.cluster.indices.get(name)) {
        all += index.shards * (1 + index.replicas);
        good += index.shards;
    }
    Ok(Answer::Json(
        200,
        object! { "_shards" => object! { "total" => all, "successful" => good, "failed" => 0 } },
    ))
}

fn stats_of(docs: u64, deleted: u64, size: u64, indexed: u64, searches: u64) -> Json {
    object! {
        "docs" => object! { "count" => docs, "deleted" => deleted },
        "store" => object! { "size_in_bytes" => size, "reserved_in_bytes" => 0 },
        "indexing" => object! { "index_total" => indexed, "index_time_in_millis" => indexed / 3, "index_current" => 0, "index_failed" => 0, "delete_total" => deleted, "delete_time_in_millis" => deleted / 4, "delete_current" => 0, "noop_update_total" => 0, "is_throttled" => false, "throttle_time_in_millis" => 0 },
        "get" => object! { "total" => 0, "time_in_millis" => 0, "exists_total" => 0, "exists_time_in_millis" => 0, "missing_total" => 0, "missing_time_in_millis" => 0, "current" => 0 },
        "search" => object! { "open_contexts" => 0, "query_total" => searches, "query_time_in_millis" => searches * 2, "query_current" => 0, "fetch_total" => searches, "fetch_time_in_millis" => searches, "fetch_current" => 0, "scroll_total" => 0, "scroll_time_in_millis" => 0, "scroll_current" => 0, "suggest_total" => 0, "suggest_time_in_millis" => 0, "suggest_current" => 0 },
        "segments" => object! { "count" => docs.min(1) * (1 + docs / 400), "memory_in_bytes" => 0 },
    }
}

/// `_stats`.
pub(super) fn stats(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let mut each = Json::empty();
    let (mut docs, mut deleted, mut size, mut indexed, mut searches, mut all, mut good) =
        (0, 0, 0, 0, 0, 0, 0);
    for index in names.iter().filter_map(|name| call.cluster.indices.get(name)) {
        docs += index.count();
        deleted += index.deleted;
        size += index.bytes();
        indexed += index.indexed;
        searches += index.searches;
        all += index.shards * (1 + index.replicas);
        good += index.shards;
        let one = stats_of(index.count(), index.deleted, index.bytes(), index.indexed, index.searches);
        let mut entry = object! { "uuid" => &index.uuid };
        if call.persona().since(8, 0) {
            entry.set("health", if index.replicas > 0 { "yellow" } else { "green" });
            entry.set("status", if index.open { "open" } else { "close" });
        }
        entry.set("primaries", one.clone());
        entry.set("total", one);
        each.set(&index.name, entry);
    }
    let whole = stats_of(docs, deleted, size, indexed, searches);
    Ok(Answer::Json(
        200,
        object! {
            "_shards" => object! { "total" => all, "successful" => good, "failed" => 0 },
            "_all" => object! { "primaries" => whole.clone(), "total" => whole },
            "indices" => each,
        },
    ))
}

/// `_segments`, `_recovery`, `_shard_stores`: what there is of them, by index.
pub(super) fn recovery(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona().clone();
    every(call, |_, index| {
        object! { "shards" => vec![object! {
            "id" => 0, "type" => "EMPTY_STORE", "stage" => "DONE", "primary" => true,
            "start_time_in_millis" => index.created, "stop_time_in_millis" => index.created + 41, "total_time_in_millis" => 41,
            "source" => Json::empty(),
            "target" => object! { "id" => &persona.node_id, "name" => &persona.node },
            "index" => object! { "size" => object! { "total" => bytes(index.bytes()), "recovered" => "0b" } },
        }] }
    })
}

/// `GET _template` and its kin.
pub(super) fn templates(call: &mut Call<'_>) -> Outcome {
    let kind = kind(call);
    let wanted = call.name("name").map(str::to_owned);
    let hits: Vec<(String, Json)> = call
        .cluster
        .named
        .iter()
        .filter(|((other, name), _)| {
            *other == kind
                && wanted
                    .as_deref()
                    .is_none_or(|wanted| wanted.split(',').any(|pattern| wildcard(pattern, name)))
        })
        .map(|((_, name), value)| (name.clone(), value.clone()))
        .collect();
    let listed = match kind {
        "index_template" => Some(("index_templates", "index_template")),
        "component_template" => Some(("component_templates", "component_template")),
        _ => None,
    };
    if hits.is_empty() && wanted.as_ref().is_some_and(|wanted| !wanted.contains('*')) {
        return match listed {
            Some((_, word)) => Err(EsError::new(
                404,
                "resource_not_found_exception",
                format!("{} matching [{}] not found", word.replace('_', " "), wanted.unwrap_or_default()),
            )),
            None => Ok(Answer::Json(404, Json::empty())),
        };
    }
    Ok(Answer::Json(
        200,
        match listed {
            Some((list, word)) => {
                let each = hits.into_iter().map(|(name, value)| {
                    let mut entry = object! { "name" => name };
                    entry.set(word, value);
                    entry
                });
                let each: Vec<Json> = each.collect();
                let mut out = Json::empty();
                out.set(list, each);
                out
            }
            None => Json::Map(hits),
        },
    ))
}

fn kind(call: &Call<'_>) -> &'static str {
    match call.name("kind") {
        Some("_index_template") => "index_template",
        Some("_component_template") => "component_template",
        Some("pipeline") => "pipeline",
        Some("_scripts") => "script",
        _ => "template",
    }
}

/// `PUT _template/{name}` and its kin.
pub(super) fn put_template(call: &mut Call<'_>) -> Outcome {
    let kind = kind(call);
    let name = call.name("name").unwrap_or_default().to_owned();
    let body = call.need()?;
    if matches!(kind, "template" | "index_template")
        && body.get("index_patterns").is_none()
        && body.get("template").is_none()
    {
        return Err(EsError::validation("index patterns are missing"));
    }
    if kind == "script" {
        let script = body.get("script").cloned().unwrap_or(Json::Null);
        let source = script.get("source").and_then(Json::text).unwrap_or_default();
        let lang = script.get("lang").and_then(Json::text).unwrap_or("painless");
        call.notes.push(decnet_logging::event::Body::Command {
            command: format!("script:{lang}"),
            line: source.to_owned(),
            outcome: decnet_logging::event::Outcome::Failed,
        });
        return Err(super::search::script_error(lang, source));
    }
    call.cluster.keep(kind, &name, body.clone())?;
    call.changed(format!("{kind} {name}"), None, body.compact().chars().take(2000).collect());
    done()
}

/// `DELETE _template/{name}` and its kin.
pub(super) fn delete_template(call: &mut Call<'_>) -> Outcome {
    let kind = kind(call);
    let name = call.name("name").unwrap_or_default().to_owned();
    if !call.cluster.forget(kind, &name) {
        return Err(EsError::new(
            404,
            match kind {
                "template" => "index_template_missing_exception",
                _ => "resource_not_found_exception",
            },
            match kind {
                "template" => format!("index_template [{name}] missing"),
                _ => format!("{kind} [{name}] is missing"),
            },
        ));
    }
    call.changed(format!("{kind} {name}"), Some("present".into()), "deleted".into());
    done()
}

/// `_analyze`.
pub(super) fn analyze(call: &mut Call<'_>) -> Outcome {
    let body = call.json()?.unwrap_or_else(Json::empty);
    let text = body
        .get("text")
        .map(Json::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Json::text)
        .collect::<Vec<_>>()
        .join(" ");
    if text.is_empty() {
        return Err(EsError::validation("text is missing"));
    }
    let low = text.to_lowercase();
    let mut at = 0;
    let mut tokens = Vec::new();
    for (position, word) in crate::elasticsearch::query::words(&text).into_iter().enumerate().take(10_000) {
        let start = low.get(at..).and_then(|rest| rest.find(&word)).map_or(at, |found| at + found);
        at = start + word.len();
        tokens.push(object! { "token" => word, "start_offset" => start, "end_offset" => at, "type" => "<ALPHANUM>", "position" => position });
    }
    Ok(Answer::Json(200, object! { "tokens" => tokens }))
}

/// `_resolve/index/{name}`.
pub(super) fn resolve(call: &mut Call<'_>) -> Outcome {
    let expression = call.name("name").unwrap_or("*").to_owned();
    let names = call.cluster.resolve(&expression, Lookup { allow_no_indices: true, ..call.lookup() })?;
    let each: Vec<Json> = names
        .iter()
        .map(|name| object! { "name" => name, "attributes" => vec![Json::from("open")] })
        .collect();
    Ok(Answer::Json(
        200,
        object! { "indices" => each, "aliases" => Vec::new(), "data_streams" => Vec::new() },
    ))
}

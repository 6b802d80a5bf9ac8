//! Searching: `_search`, `_msearch`, `_count`, scrolls, `_explain` of a query's validity.

use decnet_logging::event::Body;

use super::{Answer, Call, Outcome};
use crate::elasticsearch::aggs;
use crate::elasticsearch::codec::json::{Json, object, wildcard};
use crate::elasticsearch::error::EsError;
use crate::elasticsearch::query::{self, Present, Query};
use crate::elasticsearch::store::{Doc, Index, SCROLLS, Scroll};

/// The largest `from + size`: the product's `index.max_result_window`.
const WINDOW: i64 = 10_000;
/// Most searches in one `_msearch`, ours.
const SEARCHES: usize = 200;

/// A search, read.
struct Search {
    query: Query,
    from: usize,
    size: usize,
    sort: Vec<(String, bool)>,
    source: Json,
    aggs: Option<Json>,
    totals: bool,
    statement: String,
}

/// Shards as searches report them.
fn shards(count: u64) -> Json {
    object! { "total" => count, "successful" => count, "skipped" => 0, "failed" => 0 }
}

/// The scripts in a body: recorded, never run.
///
/// # Errors
/// The release's compile error.
pub(super) fn scripts(call: &mut Call<'_>, body: &Json) -> Result<(), EsError> {
    let mut found = Vec::new();
    collect(body, &mut found, 0);
    let Some((lang, source)) = found.into_iter().next() else { return Ok(()) };
    call.notes.push(Body::Command {
        command: format!("script:{lang}"),
        line: source.clone(),
        outcome: decnet_logging::event::Outcome::Failed,
    });
    Err(script_error(&lang, &source))
}

fn collect(value: &Json, found: &mut Vec<(String, String)>, depth: usize) {
    if depth > 40 || found.len() >= 16 {
        return;
    }
    for (key, inner) in value.members() {
        if matches!(
            key.as_str(),
            "script" | "init_script" | "map_script" | "reduce_script" | "combine_script"
        ) {
            let lang = inner.get("lang").or(value.get("lang")).and_then(Json::text).unwrap_or("painless");
            let source = inner.get("source").or(inner.get("inline")).unwrap_or(inner);
            if let Some(source) = source.text() {
                found.push((lang.to_owned(), source.to_owned()));
                continue;
            }
        }
        collect(inner, found, depth + 1);
    }
    if let Json::List(items) = value {
        items.iter().for_each(|item| collect(item, found, depth + 1));
    }
}

/// What a release answers to a script that it does not run.
pub(super) fn script_error(lang: &str, source: &str) -> EsError {
    if !matches!(lang, "painless" | "expression" | "mustache") {
        return EsError::argument(format!("script_lang not supported [{lang}]"));
    }
    let first: String = source.chars().take(60).collect();
    let unknown = source
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '.'))
        .find(|word| !word.is_empty())
        .unwrap_or("");
    let unknown: String = unknown.split('.').next().unwrap_or("").chars().take(60).collect();
    EsError::new(400, "script_exception", "compile error")
        .with("script_stack", vec![Json::Text(first.clone()), Json::from("^---- HERE")])
        .with("script", source)
        .with("lang", lang)
        .with("position", object! { "offset" => 0, "start" => 0, "end" => first.chars().count() })
        .because(EsError::argument(format!("cannot resolve symbol [{unknown}]")))
}

fn sorts(value: &Json, out: &mut Vec<(String, bool)>) {
    for item in value.items().iter().take(10) {
        match item {
            Json::Text(text) => {
                let (field, down) = match text.rsplit_once(':') {
                    Some((field, order)) => (field, order == "desc"),
                    None => (text.as_str(), text == "_score"),
                };
                out.push((field.to_owned(), down));
            }
            Json::Map(members) => {
                for (field, how) in members {
                    let order = how.get("order").unwrap_or(how).text().unwrap_or("asc");
                    let down = if matches!(how, Json::Map(_)) && how.get("order").is_none() {
                        field == "_score"
                    } else {
                        order == "desc"
                    };
                    out.push((field.clone(), down));
                }
            }
            _ => {}
        }
    }
}

const KEYS: &[&str] = &[
    "query",
    "from",
    "size",
    "sort",
    "_source",
    "aggs",
    "aggregations",
    "track_total_hits",
    "timeout",
    "highlight",
    "version",
    "seq_no_primary_term",
    "explain",
    "script_fields",
    "fields",
    "docvalue_fields",
    "stored_fields",
    "post_filter",
    "min_score",
    "track_scores",
    "collapse",
    "profile",
    "rescore",
    "suggest",
    "indices_boost",
    "terminate_after",
    "search_after",
    "slice",
    "pit",
    "ext",
    "runtime_mappings",
    "stats",
    "knn",
    "facets",
    "lang",
    "params",
];

fn read(call: &mut Call<'_>, body: Option<Json>) -> Result<Search, EsError> {
    let body = body.unwrap_or_else(Json::empty);
    if !matches!(body, Json::Map(_)) {
        return Err(EsError::parsing("Expected [START_OBJECT] but found [START_ARRAY]"));
    }
    for (key, value) in body.members() {
        if !KEYS.contains(&key.as_str()) {
            let token = match value {
                Json::Map(_) => "a START_OBJECT",
                Json::List(_) => "a START_ARRAY",
                Json::Text(_) => "a VALUE_STRING",
                Json::Int(_) | Json::Float(_) | Json::Single(_) => "a VALUE_NUMBER",
                Json::Bool(_) => "a VALUE_BOOLEAN",
                Json::Null => "a VALUE_NULL",
            };
            return Err(EsError::parsing(format!("Unknown key for {token} in [{key}].")));
        }
    }
    if let Err(error) = scripts(call, &body) {
        return Err(phase(call, error));
    }
    let mut query = match body.get("query") {
        Some(clause) => query::read(clause, 0)?,
        None => Query::All,
    };
    if let Some(text) = call.parameter("q") {
        let fields: Vec<String> = call.parameter("df").map(str::to_owned).into_iter().collect();
        let and = call.parameter("default_operator").is_some_and(|word| word.eq_ignore_ascii_case("and"));
        query = query::query_string(text, &fields, and)?;
    }
    let number = |key: &str, usual: i64| -> Result<i64, EsError> {
        let given = match call.count(key)? {
            Some(count) => Some(count),
            None => body.get(key).and_then(Json::number).map(|count| count as i64),
        };
        let count = given.unwrap_or(usual);
        if count < 0 {
            return Err(EsError::argument(format!("[{key}] parameter cannot be negative, found [{count}]")));
        }
        Ok(count)
    };
    let (from, size) = (number("from", 0)?, number("size", 10)?);
    if from.saturating_add(size) > WINDOW {
        let scroll = call.parameter("scroll").is_some();
        let reason = if scroll {
            format!(
                "Batch size is too large, size must be less than or equal to: [{WINDOW}] but was [{size}]. Scroll batch sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] index level setting."
            )
        } else {
            format!(
                "Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{}]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting.",
                from.saturating_add(size)
            )
        };
        return Err(phase(call, EsError::argument(reason)));
    }
    let mut sort = Vec::new();
    match call.parameter("sort") {
        Some(text) => sorts(&Json::List(text.split(',').map(Json::from).collect()), &mut sort),
        None => {
            if let Some(value) = body.get("sort") {
                sorts(value, &mut sort);
            }
        }
    }
    let mut source = body.get("_source").cloned().unwrap_or(Json::Bool(true));
    if let Some(text) = call.parameter("_source") {
        source = match text {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            list => Json::List(list.split(',').map(Json::from).collect()),
        };
    }
    if call.parameter("_source_includes").is_some() || call.parameter("_source_excludes").is_some() {
        let list = |key: &str| {
            Json::List(
                call.parameter(key).into_iter().flat_map(|text| text.split(',')).map(Json::from).collect(),
            )
        };
        source = object! { "includes" => list("_source_includes"), "excludes" => list("_source_excludes") };
    }
    let statement = match (call.parameter("q"), body.members().is_empty()) {
        (Some(text), _) => text.to_owned(),
        (None, true) => "match_all".to_owned(),
        (None, false) => body.compact(),
    };
    Ok(Search {
        query,
        from: from as usize,
        size: size as usize,
        sort,
        source,
        aggs: body.get("aggs").or(body.get("aggregations")).cloned(),
        totals: body.get("track_total_hits") != Some(&Json::Bool(false))
            && call.parameter("track_total_hits") != Some("false"),
        statement,
    })
}

/// An error that all shards had.
fn phase(call: &Call<'_>, error: EsError) -> EsError {
    let index = call
        .name("index")
        .and_then(|name| call.cluster.resolve(name, call.lookup()).ok())
        .and_then(|names| names.into_iter().next());
    let index = index.or_else(|| call.cluster.indices.keys().next().cloned()).unwrap_or_default();
    EsError {
        phase: Some("query"),
        failed_index: Some(Box::new((index, call.persona().node_id.clone()))),
        ..error
    }
}

/// What `_source` leaves of a document.
pub(super) fn sourced(source: &Json, filter: &Json) -> Option<Json> {
    let list = |value: Option<&Json>| -> Vec<String> {
        value.map(Json::items).unwrap_or_default().iter().filter_map(Json::text).map(str::to_owned).collect()
    };
    let (with, without) = match filter {
        Json::Bool(false) => return None,
        Json::Text(_) | Json::List(_) => (list(Some(filter)), Vec::new()),
        Json::Map(_) => (
            list(filter.get("includes").or(filter.get("include"))),
            list(filter.get("excludes").or(filter.get("exclude"))),
        ),
        _ => return Some(source.clone()),
    };
    let mut kept = source.clone();
    if !with.is_empty() {
        kept = kept.filtered(&with.join(",")).unwrap_or_else(Json::empty);
    }
    for filter in without.iter().filter(|filter| !filter.is_empty()) {
        kept = kept.filtered(&format!("-{filter}")).unwrap_or_else(Json::empty);
    }
    Some(kept)
}

fn hit(old: bool, index: &Index, doc: &Doc, score: Json, filter: &Json, sort: Option<Json>) -> Json {
    let mut out = object! { "_index" => &index.name };
    if old {
        out.set("_type", &index.kind);
    }
    out.set("_id", &doc.id);
    out.set("_score", score);
    if let Some(source) = sourced(&doc.source, filter) {
        out.set("_source", source);
    }
    if let Some(sort) = sort {
        out.set("sort", sort);
    }
    out
}

/// Runs a search over indices.
fn run(call: &mut Call<'_>, names: &[String], search: &Search, scroll: bool) -> Result<(Json, u64), EsError> {
    let old = call.persona().number.0 < 8;
    let six = call.persona().number.0 < 7;
    call.touch(names);
    for name in names {
        if let Some(index) = call.cluster.indices.get_mut(name) {
            index.searches += 1;
        }
    }
    let present = Present { now: call.now };
    let indices: Vec<&Index> = names.iter().filter_map(|name| call.cluster.indices.get(name)).collect();
    if let Some(closed) = indices.iter().find(|index| !index.open) {
        return Err(EsError::new(400, "index_closed_exception", "closed")
            .with("index_uuid", &closed.uuid)
            .with("index", &closed.name));
    }
    let shard_count: u64 = indices.iter().map(|index| index.shards).sum();
    let mut found: Vec<(f32, &Index, &Doc)> = Vec::new();
    for index in &indices {
        for doc in index.documents() {
            if let Some(score) = search.query.score(index, doc, present) {
                found.push((score, index, doc));
            }
        }
    }
    let total = found.len() as u64;
    for (field, _) in &search.sort {
        if indices.iter().any(|index| query::kind(index, field) == Some("text")) {
            let error = EsError::argument(format!(
                "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [{field}] in order to load field data by uninverting the inverted index. Note that this can use significant memory."
            ));
            return Err(phase(call, error));
        }
    }
    let keys = |index: &Index, doc: &Doc, score: f32| -> Vec<Json> {
        search
            .sort
            .iter()
            .map(|(field, _)| match field.as_str() {
                "_score" => Json::from(score),
                field => match query::field_values(doc, &index.name, field).into_iter().next() {
                    Some(Json::Text(text)) => match query::date(&text, 0) {
                        Some(at) if query::is_date(&text) => Json::Int(at),
                        _ => Json::Text(text),
                    },
                    Some(value) => value,
                    None => Json::Null,
                },
            })
            .collect()
    };
    let mut sorted: Vec<(Vec<Json>, f32, &Index, &Doc)> =
        found.iter().map(|(score, index, doc)| (keys(index, doc, *score), *score, *index, *doc)).collect();
    if search.sort.is_empty() {
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    } else {
        sorted.sort_by(|a, b| {
            for (at, (_, down)) in search.sort.iter().enumerate() {
                let (a, b) = (&a.0[at], &b.0[at]);
                // What has no value is last either way.
                let order = match (a, b) {
                    (Json::Null, Json::Null) => std::cmp::Ordering::Equal,
                    (Json::Null, _) => return std::cmp::Ordering::Greater,
                    (_, Json::Null) => return std::cmp::Ordering::Less,
                    _ => query::compare(a, b, 0).unwrap_or(std::cmp::Ordering::Equal),
                };
                let order = if *down { order.reverse() } else { order };
                if order.is_ne() {
                    return order;
                }
            }
            std::cmp::Ordering::Equal
        });
    }
    let scored = search.sort.is_empty() || search.sort.iter().any(|(field, _)| field == "_score");
    let best = sorted
        .iter()
        .map(|(_, score, ..)| *score)
        .max_by(f32::total_cmp)
        .filter(|_| scored && search.size > 0);
    let hits: Vec<Json> = sorted
        .iter()
        .skip(search.from)
        .take(search.size)
        .map(|(keys, score, index, doc)| {
            let score = if scored { Json::from(*score) } else { Json::Null };
            let sort = (!search.sort.is_empty()).then(|| Json::List(keys.clone()));
            hit(old, index, doc, score, &search.source, sort)
        })
        .collect();
    let aggregations = match &search.aggs {
        Some(asked) => {
            let docs: Vec<aggs::Hit<'_>> = found.iter().map(|(_, index, doc)| (*index, *doc)).collect();
            match aggs::all(asked, &docs, present, 0) {
                Ok(out) => Some(out),
                Err(error) => {
                    return Err(if error.kind == "parsing_exception" { error } else { phase(call, error) });
                }
            }
        }
        None => None,
    };
    let rest: Vec<(String, String)> = if scroll {
        sorted
            .iter()
            .skip(search.size)
            .map(|(_, _, index, doc)| (index.name.clone(), doc.id.clone()))
            .collect()
    } else {
        Vec::new()
    };
    let took = 1 + total / 900 + names.len() as u64 / 4;
    let mut answer = Json::empty();
    if scroll {
        if call.cluster.scrolls.len() >= SCROLLS {
            let now = call.now;
            call.cluster.scrolls.retain(|_, scroll| scroll.ends > now);
        }
        if call.cluster.scrolls.len() >= SCROLLS {
            return Err(EsError::new(
                429,
                "exception",
                format!(
                    "Trying to create too many scroll contexts. Must be less than or equal to: [{SCROLLS}]. This limit can be set by changing the [search.max_open_scroll_context] setting."
                ),
            ));
        }
        use base64::Engine as _;
        let mut bytes = b"\x0f\x6e\x63\x6c\x75\x64\x65\x5f\x63\x6f\x6e\x74\x65\x78\x74\x5f\x75\x75\x69\x64\x0eDXF1ZXJ5QW5kRmV0Y2g".to_vec();
        bytes.extend_from_slice(&call.node.host.entropy.bytes::<24>());
        bytes.extend_from_slice(call.persona().node_id.as_bytes());
        let id = base64::engine::general_purpose::URL_SAFE.encode(bytes);
        let keep = call.parameter("scroll").and_then(duration).unwrap_or(60_000);
        let state = Scroll {
            hits: rest,
            at: 0,
            size: search.size,
            total,
            ends: call.now + keep,
            shards: shard_count,
            body: search.source.clone(),
        };
        call.cluster.scrolls.insert(id.clone(), state);
        answer.set("_scroll_id", id);
    }
    let whole: Json = if six || call.flag("rest_total_hits_as_int") {
        Json::from(total)
    } else {
        object! { "value" => total, "relation" => "eq" }
    };
    answer.set("took", took);
    answer.set("timed_out", false);
    answer.set("_shards", shards(shard_count));
    let mut section = Json::empty();
    if search.totals || six {
        section.set("total", whole);
    }
    section.set("max_score", best);
    section.set("hits", hits);
    answer.set("hits", section);
    if let Some(aggregations) = aggregations {
        answer.set("aggregations", aggregations);
    }
    Ok((answer, total))
}

/// A time value in milliseconds.
fn duration(text: &str) -> Option<i64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let count: i64 = text[..end].parse().ok()?;
    let unit = match &text[end..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    count.checked_mul(unit).filter(|span| *span <= 86_400_000)
}

/// `_search`.
pub(super) fn search(call: &mut Call<'_>) -> Outcome {
    let body = call.json()?;
    let search = read(call, body)?;
    let names = call.indices()?;
    let scroll = call.parameter("scroll").is_some();
    let (answer, total) = run(call, &names, &search, scroll)?;
    let database = call.name("index").map(str::to_owned);
    call.queried(search.statement.clone(), database, total);
    Ok(Answer::Json(200, answer))
}

/// `_count`.
pub(super) fn count(call: &mut Call<'_>) -> Outcome {
    let body = call.json()?;
    let search = read(call, body)?;
    let names = call.indices()?;
    call.touch(&names);
    let present = Present { now: call.now };
    let indices: Vec<&Index> = names.iter().filter_map(|name| call.cluster.indices.get(name)).collect();
    let total: usize = indices
        .iter()
        .map(|index| {
            index.documents().filter(|doc| search.query.score(index, doc, present).is_some()).count()
        })
        .sum();
    let shard_count: u64 = indices.iter().map(|index| index.shards).sum();
    let database = call.name("index").map(str::to_owned);
    call.queried(search.statement, database, total as u64);
    Ok(Answer::Json(200, object! { "count" => total, "_shards" => shards(shard_count) }))
}

/// `_msearch`.
pub(super) fn msearch(call: &mut Call<'_>) -> Outcome {
    let lines: Vec<Vec<u8>> = call.body.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if call.body.last() != Some(&b'\n') {
        return Err(EsError::argument("The msearch request must be terminated by a newline [\\n]"));
    }
    let mut responses = Vec::new();
    for pair in lines.chunks(2).take(SEARCHES) {
        let [head, body] = pair else { break };
        let head = if head.trim_ascii().is_empty() {
            Json::empty()
        } else {
            Json::read(head).map_err(|error| call.broken(&error))?
        };
        let body = Json::read(body).map_err(|error| call.broken(&error))?;
        let expression = match head.get("index") {
            Some(index) => index.items().iter().filter_map(Json::text).collect::<Vec<_>>().join(","),
            None => call.name("index").unwrap_or("_all").to_owned(),
        };
        let one = read(call, Some(body)).and_then(|search| {
            let names = call.cluster.resolve(&expression, call.lookup())?;
            let (answer, total) = run(call, &names, &search, false)?;
            call.queried(search.statement, Some(expression.clone()), total);
            Ok(answer)
        });
        responses.push(match one {
            Ok(mut answer) => {
                answer.set("status", 200);
                answer
            }
            Err(error) => error.answer(),
        });
    }
    if responses.is_empty() {
        return Err(EsError::validation("no requests added"));
    }
    let took = responses.len();
    let mut answer = object! { "took" => took };
    if call.persona().number.0 < 7 {
        answer = Json::empty();
    }
    answer.set("responses", responses);
    Ok(Answer::Json(200, answer))
}

fn scroll_ids(call: &Call<'_>) -> Result<Vec<String>, EsError> {
    if let Some(id) = call.name("scroll_id").or_else(|| call.parameter("scroll_id")) {
        return Ok(id.split(',').map(str::to_owned).collect());
    }
    let body = match call.json() {
        Ok(body) => body.unwrap_or_else(Json::empty),
        // Old clients send the bare id.
        Err(_) => return Ok(vec![String::from_utf8_lossy(call.body).trim().to_owned()]),
    };
    Ok(body
        .get("scroll_id")
        .map(Json::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Json::text)
        .map(str::to_owned)
        .collect())
}

/// `_search/scroll`: the next page.
pub(super) fn scroll(call: &mut Call<'_>) -> Outcome {
    let ids = scroll_ids(call)?;
    let Some(id) = ids.first().cloned() else {
        return Err(EsError::validation("scrollId is missing"));
    };
    let (now, old, six) = (call.now, call.persona().number.0 < 8, call.persona().number.0 < 7);
    let six = six || call.flag("rest_total_hits_as_int");
    let Some(scroll) = call.cluster.scrolls.get_mut(&id).filter(|scroll| scroll.ends > now) else {
        let missing = EsError::new(
            404,
            "search_context_missing_exception",
            format!("No search context found for id [{}]", id.len() * 7 % 9973),
        );
        return Err(EsError {
            phase: Some("query"),
            failed_index: Some(Box::new((String::new(), call.persona().node_id.clone()))),
            ..missing
        });
    };
    scroll.ends = now + 60_000;
    let page: Vec<(String, String)> =
        scroll.hits.iter().skip(scroll.at).take(scroll.size.max(1)).cloned().collect();
    scroll.at += page.len();
    let (total, count, filter) = (scroll.total, scroll.shards, scroll.body.clone());
    let hits: Vec<Json> = page
        .iter()
        .filter_map(|(name, id)| {
            let index = call.cluster.indices.get(name)?;
            Some(hit(old, index, index.document(id)?, Json::from(1.0_f32), &filter, None))
        })
        .collect();
    let whole: Json = if six {
        Json::from(total)
    } else {
        object! { "value" => total, "relation" => "eq" }
    };
    let rows = hits.len() as u64;
    call.queried("scroll".to_owned(), None, rows);
    let mut answer = object! { "_scroll_id" => id, "took" => 1, "timed_out" => false };
    if page.is_empty() {
        answer.set("terminated_early", true);
    }
    answer.set("_shards", shards(count));
    answer.set("hits", object! { "total" => whole, "max_score" => 1.0_f32, "hits" => hits });
    Ok(Answer::Json(200, answer))
}

/// `DELETE _search/scroll`.
pub(super) fn clear_scroll(call: &mut Call<'_>) -> Outcome {
    let ids = scroll_ids(call)?;
    let before = call.cluster.scrolls.len();
    if ids.iter().any(|id| id == "_all") {
        call.cluster.scrolls.clear();
    }
    for id in ids {
        call.cluster.scrolls.remove(&id);
    }
    let freed = before - call.cluster.scrolls.len();
    let status = if freed > 0 { 200 } else { 404 };
    Ok(Answer::Json(status, object! { "succeeded" => true, "num_freed" => freed }))
}

/// `_validate/query`.
pub(super) fn validate(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let body = call.json()?;
    let valid = read(call, body).is_ok();
    let count: u64 =
        names.iter().filter_map(|name| call.cluster.indices.get(name)).map(|index| index.shards).sum();
    Ok(Answer::Json(
        200,
        object! { "_shards" => object! { "total" => count.min(1), "successful" => count.min(1), "failed" => 0 }, "valid" => valid },
    ))
}

/// `_field_caps`.
pub(super) fn field_caps(call: &mut Call<'_>) -> Outcome {
    let names = call.indices()?;
    let wanted: Vec<String> = call.parameter("fields").unwrap_or("*").split(',').map(str::to_owned).collect();
    let mut fields = Json::empty();
    for name in &names {
        let Some(index) = call.cluster.indices.get(name) else { continue };
        for (field, how) in index.mapping.get("properties").map(Json::members).unwrap_or_default() {
            if wanted.iter().any(|pattern| wildcard(pattern, field)) {
                let kind = how.get("type").and_then(Json::text).unwrap_or("object");
                let mut caps = Json::empty();
                caps.set(kind, object! { "type" => kind, "metadata_field" => false, "searchable" => kind != "object", "aggregatable" => !matches!(kind, "text" | "object") });
                fields.set(field, caps);
            }
        }
    }
    Ok(Answer::Json(
        200,
        object! { "indices" => names.iter().map(Json::from).collect::<Vec<_>>(), "fields" => fields },
    ))
}

/// The documents that a query of `_delete_by_query` or `_update_by_query` finds, by index.
pub(super) fn matching(call: &mut Call<'_>) -> Result<Vec<(String, Vec<String>)>, EsError> {
    let body = call.json()?;
    if body.as_ref().is_none_or(|body| body.get("query").is_none()) && call.parameter("q").is_none() {
        return Err(EsError::validation("query is missing"));
    }
    let search = read(call, body)?;
    let names = call.indices()?;
    let present = Present { now: call.now };
    let mut out = Vec::new();
    for name in names {
        let Some(index) = call.cluster.indices.get(&name) else { continue };
        let ids = index
            .documents()
            .filter(|doc| search.query.score(index, doc, present).is_some())
            .map(|doc| doc.id.clone())
            .collect();
        out.push((name, ids));
    }
    Ok(out)
}

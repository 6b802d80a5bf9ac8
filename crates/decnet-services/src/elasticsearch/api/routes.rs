//! Paths to handlers. A path that there is with another method is 405, one that there is not 400.

use super::{Call, Outcome, cat, cluster, documents, indices, search, system};
use crate::elasticsearch::error::EsError;

type Handler = fn(&mut Call<'_>) -> Outcome;

/// From which release to which (exclusive).
#[derive(Clone, Copy)]
struct Span(u32, u32);
const EVER: Span = Span(0, 99);
/// With types in the path.
const TYPED: Span = Span(0, 8);

struct Route(&'static str, &'static str, Handler, Span);

const fn r(methods: &'static str, path: &'static str, handler: Handler) -> Route {
    Route(methods, path, handler, EVER)
}

const fn typed(methods: &'static str, path: &'static str, handler: Handler) -> Route {
    Route(methods, path, handler, TYPED)
}

/// The order of methods in a refusal.
const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE", "CONNECT"];

/// More special paths stand first.
const ROUTES: &[Route] = &[
    r("GET HEAD", "/", system::root),
    r("GET", "/_cat", cat::help),
    r("GET", "/_cat/indices", cat::indices),
    r("GET", "/_cat/indices/{index}", cat::indices),
    r("GET", "/_cat/health", cat::health),
    r("GET", "/_cat/nodes", cat::nodes),
    r("GET", "/_cat/master", cat::master),
    r("GET", "/_cat/shards", cat::shards),
    r("GET", "/_cat/shards/{index}", cat::shards),
    r("GET", "/_cat/allocation", cat::allocation),
    r("GET", "/_cat/count", cat::count),
    r("GET", "/_cat/count/{index}", cat::count),
    r("GET", "/_cat/aliases", cat::aliases),
    r("GET", "/_cat/aliases/{alias}", cat::aliases),
    r("GET", "/_cat/templates", cat::templates),
    r("GET", "/_cat/templates/{name}", cat::templates),
    r("GET", "/_cat/thread_pool", cat::thread_pool),
    r("GET", "/_cat/plugins", cat::empty),
    r("GET", "/_cat/nodeattrs", cat::empty),
    r("GET", "/_cat/fielddata", cat::empty),
    r("GET", "/_cat/recovery", cat::empty),
    r("GET", "/_cat/pending_tasks", cat::empty),
    r("GET", "/_cat/repositories", cat::repositories),
    r("GET", "/_cat/snapshots/{repository}", system::in_repository),
    r("GET", "/_cat/tasks", cat::tasks),
    r("GET", "/_cat/segments", cat::segments),
    r("GET", "/_cat/segments/{index}", cat::segments),
    r("GET", "/_cluster/health", cluster::health),
    r("GET", "/_cluster/health/{index}", cluster::health),
    r("GET", "/_cluster/state", cluster::state),
    r("GET", "/_cluster/state/{metric}", cluster::state),
    r("GET", "/_cluster/state/{metric}/{index}", cluster::state),
    r("GET", "/_cluster/stats", cluster::stats),
    r("GET", "/_cluster/settings", cluster::settings),
    r("PUT", "/_cluster/settings", cluster::put_settings),
    r("GET", "/_cluster/pending_tasks", cluster::pending),
    r("GET", "/_nodes", cluster::nodes),
    r("GET", "/_nodes/stats", cluster::nodes_stats),
    r("GET", "/_nodes/stats/{metric}", cluster::nodes_stats),
    r("GET", "/_nodes/hot_threads", cluster::hot_threads),
    r("GET", "/_nodes/{node}", cluster::nodes),
    r("GET", "/_nodes/{node}/stats", cluster::nodes_stats),
    r("GET", "/_nodes/{node}/hot_threads", cluster::hot_threads),
    r("GET", "/_nodes/{node}/{metric}", cluster::nodes),
    r("GET POST", "/_search", search::search),
    r("GET POST", "/_msearch", search::msearch),
    r("GET POST", "/_count", search::count),
    r("GET POST", "/_search/scroll", search::scroll),
    r("DELETE", "/_search/scroll", search::clear_scroll),
    r("GET POST", "/_search/scroll/{scroll_id}", search::scroll),
    r("DELETE", "/_search/scroll/{scroll_id}", search::clear_scroll),
    r("GET POST", "/_validate/query", search::validate),
    r("GET POST", "/_field_caps", search::field_caps),
    r("GET POST", "/_mget", documents::mget),
    r("POST PUT", "/_bulk", documents::bulk),
    r("POST", "/_reindex", documents::reindex),
    r("GET", "/_mapping", indices::mapping),
    r("GET", "/_mappings", indices::mapping),
    r("GET", "/_settings", indices::settings),
    r("PUT", "/_settings", indices::put_settings),
    r("GET", "/_alias", indices::alias),
    r("GET", "/_aliases", indices::alias),
    r("POST", "/_aliases", indices::put_alias),
    r("GET HEAD", "/_alias/{name}", indices::alias),
    r("GET", "/_stats", indices::stats),
    r("GET", "/_stats/{metric}", indices::stats),
    r("GET", "/_recovery", indices::recovery),
    r("GET POST", "/_refresh", indices::maintain),
    r("GET POST", "/_flush", indices::maintain),
    r("POST", "/_forcemerge", indices::maintain),
    r("POST", "/_cache/clear", indices::maintain),
    r("GET POST", "/_analyze", indices::analyze),
    r("GET", "/_resolve/index/{name}", indices::resolve),
    r("GET", "/_license", system::license),
    r("GET", "/_xpack", system::xpack),
    r("GET", "/_xpack/license", system::license),
    r("POST", "/_sql", system::sql),
    r("GET POST", "/_xpack/sql", system::sql),
    r("GET", "/_tasks", system::tasks),
    r("GET", "/_snapshot", system::snapshots),
    r("GET", "/_snapshot/{repository}", system::snapshots),
    r("PUT POST DELETE", "/_snapshot/{repository}", system::put_repository),
    r("GET PUT POST DELETE", "/_snapshot/{repository}/{snapshot}", system::in_repository),
    r("POST", "/_snapshot/{repository}/{snapshot}/{verb}", system::in_repository),
    r("GET", "/_security/_authenticate", system::authenticate),
    r("GET", "/_security/user", system::users),
    r("GET", "/_security/user/{name}", system::users),
    r("PUT POST DELETE", "/_security/user/{name}", system::put_user),
    r("PUT POST", "/_security/user/{name}/_password", system::put_user),
    r("GET", "/_security/role", system::roles),
    r("GET", "/_security/role/{name}", system::roles),
    r("GET", "/_xpack/security/_authenticate", system::authenticate),
    r("GET", "/_xpack/security/user", system::users),
    r("GET", "/_ilm/policy", system::nothing),
    r("GET", "/_ingest/{kind}", indices::templates),
    r("GET", "/_ingest/{kind}/{name}", indices::templates),
    r("PUT", "/_ingest/{kind}/{name}", indices::put_template),
    r("DELETE", "/_ingest/{kind}/{name}", indices::delete_template),
    // `{kind}` stands for the one word of each of the next.
    r("GET", "/{kind:_template}", indices::templates),
    r("GET HEAD", "/{kind:_template}/{name}", indices::templates),
    r("PUT POST", "/{kind:_template}/{name}", indices::put_template),
    r("DELETE", "/{kind:_template}/{name}", indices::delete_template),
    Route("GET", "/{kind:_index_template}", indices::templates, Span(7, 99)),
    Route("GET HEAD", "/{kind:_index_template}/{name}", indices::templates, Span(7, 99)),
    Route("PUT POST", "/{kind:_index_template}/{name}", indices::put_template, Span(7, 99)),
    Route("DELETE", "/{kind:_index_template}/{name}", indices::delete_template, Span(7, 99)),
    Route("GET", "/{kind:_component_template}", indices::templates, Span(7, 99)),
    Route("GET HEAD", "/{kind:_component_template}/{name}", indices::templates, Span(7, 99)),
    Route("PUT POST", "/{kind:_component_template}/{name}", indices::put_template, Span(7, 99)),
    Route("DELETE", "/{kind:_component_template}/{name}", indices::delete_template, Span(7, 99)),
    r("GET", "/{kind:_scripts}/{name}", indices::templates),
    r("PUT POST", "/{kind:_scripts}/{name}", indices::put_template),
    r("DELETE", "/{kind:_scripts}/{name}", indices::delete_template),
    r("GET", "/{index}", indices::get),
    r("HEAD", "/{index}", indices::exists),
    r("PUT", "/{index}", indices::create),
    r("DELETE", "/{index}", indices::delete),
    r("GET POST", "/{index}/_search", search::search),
    r("GET POST", "/{index}/_msearch", search::msearch),
    r("GET POST", "/{index}/_count", search::count),
    r("GET POST", "/{index}/_validate/query", search::validate),
    r("GET POST", "/{index}/_field_caps", search::field_caps),
    r("GET POST", "/{index}/_mget", documents::mget),
    r("POST PUT", "/{index}/_bulk", documents::bulk),
    r("POST", "/{index}/_delete_by_query", documents::delete_by_query),
    r("POST", "/{index}/_update_by_query", documents::update_by_query),
    r("GET", "/{index}/_mapping", indices::mapping),
    r("GET", "/{index}/_mappings", indices::mapping),
    r("PUT POST", "/{index}/_mapping", indices::put_mapping),
    typed("PUT POST", "/{index}/_mapping/{type}", indices::put_mapping),
    typed("GET HEAD", "/{index}/_mapping/{type}", indices::mapping),
    r("GET", "/{index}/_settings", indices::settings),
    r("PUT", "/{index}/_settings", indices::put_settings),
    r("GET", "/{index}/_alias", indices::alias),
    r("GET HEAD", "/{index}/_alias/{name}", indices::alias),
    r("PUT POST DELETE", "/{index}/_alias/{name}", indices::put_alias),
    r("PUT POST DELETE", "/{index}/_aliases/{name}", indices::put_alias),
    r("GET", "/{index}/_stats", indices::stats),
    r("GET", "/{index}/_stats/{metric}", indices::stats),
    r("GET", "/{index}/_recovery", indices::recovery),
    r("GET POST", "/{index}/_refresh", indices::maintain),
    r("GET POST", "/{index}/_flush", indices::maintain),
    r("POST", "/{index}/_forcemerge", indices::maintain),
    r("POST", "/{index}/_cache/clear", indices::maintain),
    r("GET POST", "/{index}/_analyze", indices::analyze),
    r("POST", "/{index}/{verb:_open}", indices::open_close),
    r("POST", "/{index}/{verb:_close}", indices::open_close),
    r("POST", "/{index}/_doc", documents::index),
    r("GET HEAD", "/{index}/_doc/{id}", documents::get),
    r("PUT POST", "/{index}/_doc/{id}", documents::index),
    r("DELETE", "/{index}/_doc/{id}", documents::delete),
    r("PUT POST", "/{index}/_create/{id}", documents::create),
    r("GET HEAD", "/{index}/_source/{id}", documents::source),
    r("POST", "/{index}/_update/{id}", documents::update),
    typed("GET POST", "/{index}/{type}/_search", search::search),
    typed("GET POST", "/{index}/{type}/_count", search::count),
    typed("POST PUT", "/{index}/{type}/_bulk", documents::bulk),
    typed("GET", "/{index}/{type}/_mapping", indices::mapping),
    typed("PUT POST", "/{index}/{type}/_mapping", indices::put_mapping),
    typed("POST", "/{index}/{type}/_delete_by_query", documents::delete_by_query),
    typed("POST", "/{index}/{type}", documents::index),
    typed("GET HEAD", "/{index}/{type}/{id}", documents::get),
    typed("PUT POST", "/{index}/{type}/{id}", documents::index),
    typed("DELETE", "/{index}/{type}/{id}", documents::delete),
    typed("PUT POST", "/{index}/{type}/{id}/_create", documents::create),
    typed("POST", "/{index}/{type}/{id}/_update", documents::update),
    typed("GET HEAD", "/{index}/{type}/{id}/_source", documents::source),
];

/// Whether a route's path fits, with its names.
fn fits(pattern: &'static str, segments: &[String]) -> Option<Vec<(&'static str, String)>> {
    let mut names = Vec::new();
    let mut parts = pattern.split('/').filter(|part| !part.is_empty());
    for segment in segments {
        let part = parts.next()?;
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => {
                match name.split_once(':') {
                    Some((_, word)) if word != segment => return None,
                    Some((name, _)) => names.push((name, segment.clone())),
                    // A type is a word of its own, never a verb.
                    None if name == "type" && segment.starts_with('_') && segment != "_doc" => return None,
                    None => names.push((name, segment.clone())),
                }
            }
            None if part == segment => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(names)
}

/// Finds the handler and asks it.
pub(in super::super) fn dispatch(call: &mut Call<'_>, uri: &str, segments: &[String]) -> Outcome {
    let major = call.persona().number.0;
    let mut there: Vec<&str> = Vec::new();
    let mut literal = None;
    for Route(methods, path, handler, span) in ROUTES {
        if major < span.0 || major >= span.1 {
            continue;
        }
        let Some(names) = fits(path, segments) else { continue };
        // A path that stands there word for word hides the one with names of the same length.
        let plain = path.split('/').filter(|part| part.starts_with('{') && !part.contains(':')).count();
        if literal.is_some_and(|literal| plain > literal) {
            continue;
        }
        literal = Some(plain);
        let head = call.method == "HEAD"
            && methods.split(' ').any(|method| method == "GET")
            && !methods.contains("HEAD");
        if methods.split(' ').any(|method| method == call.method) && !head {
            call.names = names;
            return handler(call);
        }
        there.extend(methods.split(' '));
    }
    let mut allowed: Vec<&str> = METHODS.iter().copied().filter(|method| there.contains(method)).collect();
    allowed.dedup();
    if !METHODS.contains(&call.method) {
        let list =
            if allowed.is_empty() { String::new() } else { format!(", allowed: [{}]", allowed.join(", ")) };
        let mut error = EsError::bare(405, format!("Unexpected http method: {}{list}", call.method));
        error.allow = Some(allowed.join(",").into());
        return Err(error);
    }
    if allowed.is_empty() {
        return Err(EsError::bare(
            400,
            format!("no handler found for uri [{uri}] and method [{}]", call.method),
        ));
    }
    if call.method == "OPTIONS" {
        let mut error = EsError::bare(200, "");
        error.allow = Some(allowed.join(",").into());
        return Err(error);
    }
    let mut error = EsError::bare(
        405,
        format!(
            "Incorrect HTTP method for uri [{uri}] and method [{}], allowed: [{}]",
            call.method,
            allowed.join(", ")
        ),
    );
    error.allow = Some(allowed.join(",").into());
    Err(error)
}

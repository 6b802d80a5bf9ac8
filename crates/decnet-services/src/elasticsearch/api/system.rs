//! The root, and what came with X-Pack: license, security, SQL; snapshots, tasks.

use decnet_logging::event::{Body, Direction};

use super::{Answer, Call, Outcome};
use crate::elasticsearch::codec::json::{Json, object, wildcard};
use crate::elasticsearch::error::EsError;
use crate::elasticsearch::query::{self, Present, iso};

/// `GET /`.
pub(super) fn root(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona();
    let (wire, index) = persona.minimums();
    let mut version = object! { "number" => &persona.version, "build_flavor" => "default", "build_type" => persona.package };
    version.merge(&object! {
        "build_hash" => persona.hash,
        "build_date" => persona.date,
        "build_snapshot" => false,
        "lucene_version" => persona.lucene,
        "minimum_wire_compatibility_version" => wire,
        "minimum_index_compatibility_version" => index,
    });
    Ok(Answer::Json(
        200,
        object! {
            "name" => &persona.node,
            "cluster_name" => &persona.cluster,
            "cluster_uuid" => &persona.cluster_uuid,
            "version" => version,
            "tagline" => "You Know, for Search",
        },
    ))
}

fn drawn_uuid(call: &Call<'_>, what: &str) -> String {
    let bytes: [u8; 16] = call.node.host.identity().draw(&["elasticsearch", what]).bytes();
    let hex: String = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| match at {
            6 => format!("{:02x}", byte & 0x0f | 0x40),
            8 => format!("{:02x}", byte & 0x3f | 0x80),
            _ => format!("{byte:02x}"),
        })
        .collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// `_license`.
pub(super) fn license(call: &mut Call<'_>) -> Outcome {
    let issued = call.node.host.identity().times.installed * 1000 + 3_600_000;
    Ok(Answer::Json(
        200,
        object! { "license" => object! {
            "status" => "active",
            "uid" => drawn_uuid(call, "license"),
            "type" => "basic",
            "issue_date" => iso(issued),
            "issue_date_in_millis" => issued,
            "max_nodes" => 1000,
            "max_resource_units" => Json::Null,
            "issued_to" => &call.persona().cluster,
            "issuer" => "elasticsearch",
            "start_date_in_millis" => -1,
        } },
    ))
}

/// `_xpack`.
pub(super) fn xpack(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona();
    let feature = |available: bool, enabled: bool| object! { "available" => available, "enabled" => enabled };
    Ok(Answer::Json(
        200,
        object! {
            "build" => object! { "hash" => persona.hash, "date" => persona.date },
            "license" => object! { "uid" => drawn_uuid(call, "license"), "type" => "basic", "mode" => "basic", "status" => "active" },
            "features" => object! {
                "ccr" => feature(false, true),
                "graph" => feature(false, true),
                "ilm" => feature(true, true),
                "ml" => feature(false, true),
                "monitoring" => feature(true, true),
                "rollup" => feature(true, true),
                "security" => feature(true, persona.security),
                "sql" => feature(true, true),
                "watcher" => feature(false, true),
            },
            "tagline" => "You know, for X",
        },
    ))
}

fn secured(call: &Call<'_>) -> Result<(), EsError> {
    if call.persona().security {
        return Ok(());
    }
    if call.persona().number.0 >= 8 {
        return Err(EsError::bare(400, "no handler found for uri [/_security] and method [GET]"));
    }
    Err(EsError::new(
        500,
        "exception",
        "Security must be explicitly enabled when using a [basic] license. Enable security by setting [xpack.security.enabled] to [true] in the elasticsearch.yml file and restart the node.",
    ))
}

fn user(name: &str) -> Json {
    let reserved = name == "elastic";
    object! {
        "username" => name,
        "roles" => vec![Json::from("superuser")],
        "full_name" => Json::Null,
        "email" => Json::Null,
        "metadata" => if reserved { object! { "_reserved" => true } } else { Json::empty() },
        "enabled" => true,
    }
}

/// `_security/_authenticate`.
pub(super) fn authenticate(call: &mut Call<'_>) -> Outcome {
    secured(call)?;
    let name = call.user.clone().unwrap_or_default();
    let realm = if name == "elastic" { ("reserved", "reserved") } else { ("default_native", "native") };
    let mut out = user(&name);
    let realm = object! { "name" => realm.0, "type" => realm.1 };
    out.merge(&object! { "authentication_realm" => realm.clone(), "lookup_realm" => realm, "authentication_type" => "realm" });
    Ok(Answer::Json(200, out))
}

/// `_security/user`.
pub(super) fn users(call: &mut Call<'_>) -> Outcome {
    secured(call)?;
    let wanted = call.name("name").map(str::to_owned);
    let mut names: Vec<String> =
        vec!["elastic".into(), "kibana_system".into(), "logstash_system".into(), "beats_system".into()];
    names.extend(call.persona().users.iter().map(|(name, _)| name.clone()));
    names.extend(call.cluster.named.keys().filter(|(kind, _)| *kind == "user").map(|(_, name)| name.clone()));
    names.dedup();
    let hits: Vec<(String, Json)> = names
        .iter()
        .filter(|name| wanted.as_deref().is_none_or(|wanted| wanted == *name))
        .map(|name| (name.clone(), user(name)))
        .collect();
    if hits.is_empty() {
        return Ok(Answer::Json(404, Json::empty()));
    }
    Ok(Answer::Json(200, Json::Map(hits)))
}

/// `PUT _security/user/{name}` and the rest that changes who may do what: kept, and told with its secrets.
pub(super) fn put_user(call: &mut Call<'_>) -> Outcome {
    secured(call)?;
    let name = call.name("name").unwrap_or_default().to_owned();
    let body = call.json()?.unwrap_or_else(Json::empty);
    if call.method == "DELETE" {
        let found = call.cluster.forget("user", &name);
        return Ok(Answer::Json(if found { 200 } else { 404 }, object! { "found" => found }));
    }
    call.cluster.keep("user", &name, body.clone())?;
    call.changed(format!("user {name}"), None, body.compact().chars().take(2000).collect());
    Ok(Answer::Json(200, object! { "created" => true }))
}

/// `_security/role` and the like: what is built in.
pub(super) fn roles(call: &mut Call<'_>) -> Outcome {
    secured(call)?;
    Ok(Answer::Json(
        200,
        object! { "superuser" => object! {
            "cluster" => vec![Json::from("all")],
            "indices" => vec![object! { "names" => vec![Json::from("*")], "privileges" => vec![Json::from("all")], "allow_restricted_indices" => true }],
            "applications" => vec![object! { "application" => "*", "privileges" => vec![Json::from("*")], "resources" => vec![Json::from("*")] }],
            "run_as" => vec![Json::from("*")],
            "metadata" => object! { "_reserved" => true },
            "transient_metadata" => Json::empty(),
        } },
    ))
}

/// `GET _snapshot`.
pub(super) fn snapshots(call: &mut Call<'_>) -> Outcome {
    let wanted = call.name("repository").map(str::to_owned);
    let hits: Vec<(String, Json)> = call
        .cluster
        .named
        .iter()
        .filter(|((kind, name), _)| {
            *kind == "repository"
                && wanted.as_deref().is_none_or(|wanted| wanted == "_all" || wildcard(wanted, name))
        })
        .map(|((_, name), value)| (name.clone(), value.clone()))
        .collect();
    match wanted {
        Some(wanted) if hits.is_empty() && wanted != "_all" => Err(missing_repository(&wanted)),
        _ => Ok(Answer::Json(200, Json::Map(hits))),
    }
}

fn missing_repository(name: &str) -> EsError {
    EsError::new(404, "repository_missing_exception", format!("[{name}] missing"))
}

/// `PUT _snapshot/{repository}`: a place that the node may not write to, as `path.repo` is not set.
pub(super) fn put_repository(call: &mut Call<'_>) -> Outcome {
    let name = call.name("repository").unwrap_or_default().to_owned();
    if call.method == "DELETE" {
        return Err(missing_repository(&name));
    }
    let body = call.need()?;
    let kind = body.get("type").and_then(Json::text).unwrap_or_default().to_owned();
    let settings = body.get("settings").cloned().unwrap_or_else(Json::empty);
    let creation = |cause: EsError| {
        EsError::new(500, "repository_exception", format!("[{name}] failed to create repository"))
            .because(cause)
    };
    let place =
        settings.get("location").or(settings.get("url")).and_then(Json::text).unwrap_or_default().to_owned();
    match kind.as_str() {
        "fs" => Err(creation(EsError::new(
            500,
            "repository_exception",
            format!(
                "[{name}] location [{place}] doesn't match any of the locations specified by path.repo because this setting is empty"
            ),
        ))),
        "url" => {
            call.notes.push(Body::FileDownload {
                name: None,
                url: Some(place.clone()),
                direction: Direction::Requested,
                size: None,
                bait: None,
            });
            Err(creation(EsError::new(
                500,
                "repository_exception",
                format!(
                    "[{name}] file url [{place}] doesn't match any of the locations specified by path.repo or repositories.url.allowed_urls"
                ),
            )))
        }
        "" => Err(EsError::validation("type is missing")),
        other => Err(EsError::new(
            500,
            "repository_exception",
            format!("[{name}] repository type [{other}] does not exist"),
        )),
    }
}

/// Snapshots of a repository that there is not.
pub(super) fn in_repository(call: &mut Call<'_>) -> Outcome {
    Err(missing_repository(call.name("repository").unwrap_or_default()))
}

/// `_tasks`.
pub(super) fn tasks(call: &mut Call<'_>) -> Outcome {
    let persona = call.persona().clone();
    let number = 4000 + call.cluster.requests * 3;
    let address = call.node.host.decky.address;
    let task = object! {
        "node" => &persona.node_id, "id" => number, "type" => "transport", "action" => "cluster:monitor/tasks/lists",
        "start_time_in_millis" => call.now, "running_time_in_nanos" => 312_481, "cancellable" => false, "headers" => Json::empty(),
    };
    let mut each = Json::empty();
    each.set(&format!("{}:{number}", persona.node_id), task);
    let mut nodes = Json::empty();
    nodes.set(&persona.node_id, object! {
        "name" => &persona.node, "transport_address" => format!("{address}:9300"), "host" => address.to_string(), "ip" => format!("{address}:9300"),
        "roles" => super::cluster::roles(call).1.into_iter().map(Json::from).collect::<Vec<_>>(),
        "tasks" => each,
    });
    Ok(Answer::Json(200, object! { "nodes" => nodes }))
}

/// `_sql`: SHOW TABLES, DESCRIBE, and SELECT with a list of columns, WHERE of simple comparisons, LIMIT.
pub(super) fn sql(call: &mut Call<'_>) -> Outcome {
    let body = call.need()?;
    let Some(text) = body.get("query").and_then(Json::text).map(str::to_owned) else {
        return Err(EsError::validation("one of [query] or [cursor] is required"));
    };
    let statement = text.trim().trim_end_matches(';').trim().to_owned();
    let words: Vec<&str> = statement.split_whitespace().collect();
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    let column = |name: &str, kind: &str| object! { "name" => name, "type" => kind };
    let (columns, rows) = match upper.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["SHOW", "TABLES", ..] => {
            let cluster = call.persona().cluster.clone();
            let rows: Vec<Vec<Json>> = call
                .cluster
                .indices
                .keys()
                .map(|name| {
                    vec![Json::from(&cluster), Json::from(name), Json::from("TABLE"), Json::from("INDEX")]
                })
                .collect();
            (
                vec![
                    column("catalog", "keyword"),
                    column("name", "keyword"),
                    column("type", "keyword"),
                    column("kind", "keyword"),
                ],
                rows,
            )
        }
        ["DESCRIBE" | "DESC", ..] | ["SHOW", "COLUMNS", ..] => {
            let name = words.last().map(|word| word.trim_matches(['"', '`'])).unwrap_or_default().to_owned();
            let target = call.cluster.target(&name).ok_or_else(|| unknown(&name))?;
            let index = call.cluster.indices.get(&target);
            let fields = index
                .and_then(|index| index.mapping.get("properties"))
                .map(Json::members)
                .unwrap_or_default();
            let rows = fields
                .iter()
                .map(|(field, how)| {
                    let kind = how.get("type").and_then(Json::text).unwrap_or("object");
                    vec![Json::from(field), Json::from(sql_type(kind)), Json::from(kind)]
                })
                .collect();
            (vec![column("column", "keyword"), column("type", "keyword"), column("mapping", "keyword")], rows)
        }
        ["SELECT", ..] => select(call, &words, &upper)?,
        [] => {
            return Err(EsError::parsing(
                "line 1:1: mismatched input '<EOF>' expecting {'(', 'ANALYZE', 'DEBUG', 'DESC', 'DESCRIBE', 'EXPLAIN', 'SELECT', 'SHOW', 'SYS', 'WITH'}",
            ));
        }
        _ => {
            return Err(EsError::parsing(format!(
                "line 1:1: mismatched input '{}' expecting {{'(', 'DEBUG', 'DESC', 'DESCRIBE', 'EXPLAIN', 'SELECT', 'SHOW', 'SYS', 'WITH'}}",
                words.first().copied().unwrap_or_default()
            )));
        }
    };
    call.queried(statement, None, rows.len() as u64);
    if call.parameter("format").is_some_and(|format| format == "txt") {
        return Ok(Answer::Text(text_table(&columns, &rows)));
    }
    Ok(Answer::Json(
        200,
        object! { "columns" => columns, "rows" => rows.into_iter().map(Json::List).collect::<Vec<_>>() },
    ))
}

fn text_table(columns: &[Json], rows: &[Vec<Json>]) -> String {
    let cell = |value: &Json| value.keyword().unwrap_or_else(|| "null".to_owned());
    let names: Vec<String> =
        columns.iter().map(|column| column.get("name").map(cell).unwrap_or_default()).collect();
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|value| cell(value).chars().count())
            .chain([names[at].len(), 15])
            .max()
            .unwrap_or(15)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let mut out = String::new();
    for (at, name) in names.iter().enumerate() {
        let blanks = widths[at].saturating_sub(name.len());
        out.push_str(&format!("{}{name}{}", " ".repeat(blanks / 2), " ".repeat(blanks - blanks / 2)));
        out.push_str(if at + 1 == names.len() { "\n" } else { "|" });
    }
    out.push_str(&widths.iter().map(|width| "-".repeat(*width)).collect::<Vec<_>>().join("+"));
    out.push('\n');
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(value, width)| format!("{:width$}", cell(value))).collect();
        out.push_str(&cells.join("|"));
        out.push('\n');
    }
    out
}

fn sql_type(kind: &str) -> &'static str {
    match kind {
        "long" => "BIGINT",
        "integer" => "INTEGER",
        "float" => "REAL",
        "double" => "DOUBLE",
        "date" => "TIMESTAMP",
        "boolean" => "BOOLEAN",
        "object" => "STRUCT",
        _ => "VARCHAR",
    }
}

fn unknown(name: &str) -> EsError {
    EsError::new(400, "verification_exception", format!("Found 1 problem\nline 1:15: Unknown index [{name}]"))
}

type Rows = (Vec<Json>, Vec<Vec<Json>>);

fn select(call: &mut Call<'_>, words: &[&str], upper: &[String]) -> Result<Rows, EsError> {
    let find = |word: &str| upper.iter().position(|other| other == word);
    let Some(from) = find("FROM") else {
        return Err(EsError::parsing("line 1:8: Unsupported"));
    };
    let name = words.get(from + 1).map(|word| word.trim_matches(['"', '`'])).unwrap_or_default().to_owned();
    let target = call.cluster.target(&name).ok_or_else(|| unknown(&name))?;
    let wanted = words[1..from].join(" ");
    let end = find("ORDER").or(find("LIMIT")).unwrap_or(words.len());
    let filter = match find("WHERE") {
        Some(at) if at < end => words[at + 1..end]
            .join(" ")
            .replace("'", "\"")
            .replace(" = ", ":")
            .replace(" > ", ":>")
            .replace(" < ", ":<")
            .replace(" and ", " AND ")
            .replace(" or ", " OR "),
        _ => "*".to_owned(),
    };
    let limit = find("LIMIT")
        .and_then(|at| words.get(at + 1))
        .and_then(|count| count.parse::<usize>().ok())
        .unwrap_or(1000)
        .min(1000);
    let query = query::query_string(&filter, &[], true)?;
    call.touch([&target]);
    let present = Present { now: call.now };
    let Some(index) = call.cluster.indices.get(&target) else { return Err(unknown(&name)) };
    let found: Vec<_> = index.documents().filter(|doc| query.score(index, doc, present).is_some()).collect();
    if wanted.to_ascii_uppercase().replace(' ', "").starts_with("COUNT(") {
        return Ok((
            vec![object! { "name" => wanted, "type" => "long" }],
            vec![vec![Json::from(found.len())]],
        ));
    }
    let fields: Vec<String> = if wanted == "*" {
        index
            .mapping
            .get("properties")
            .map(Json::members)
            .unwrap_or_default()
            .iter()
            .map(|(field, _)| field.clone())
            .collect()
    } else {
        wanted.split(',').map(|field| field.trim().trim_matches(['"', '`']).to_owned()).collect()
    };
    for field in &fields {
        if query::kind(index, field).is_none() {
            return Err(EsError::new(
                400,
                "verification_exception",
                format!("Found 1 problem\nline 1:8: Unknown column [{field}]"),
            ));
        }
    }
    let columns = fields.iter().map(|field| object! { "name" => field, "type" => match query::kind(index, field) { Some("date") => "datetime", Some(kind) => kind, None => "text" } }).collect();
    let rows = found
        .into_iter()
        .take(limit)
        .map(|doc| {
            fields
                .iter()
                .map(|field| {
                    query::field_values(doc, &target, field).into_iter().next().unwrap_or(Json::Null)
                })
                .collect()
        })
        .collect();
    Ok((columns, rows))
}

/// What the cluster has none of, as an empty object.
pub(super) fn nothing(_: &mut Call<'_>) -> Outcome {
    Ok(Answer::Json(200, Json::empty()))
}

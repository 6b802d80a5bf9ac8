//! Functions and casts of the product that other databases do not have.

use std::time::Duration;

use super::catalogue::{Stored, indexes, stored};
use super::files;
use super::product::{Effect, Note, Postgres, error, type_of};
use super::tables::lookup;
use crate::sql::{Context, Kind, SqlError, Table, Value};

type Answer = Option<Result<Value, SqlError>>;

/// The longest sleep that one call counts; longer ones end with the connection anyway.
const SLEEP_LIMIT: f64 = 86_400.0;
/// Rows of `generate_series`.
const SERIES_LIMIT: i64 = 100_000;

/// Functions that only superusers and members of the server's own roles may call.
const GUARDED: &[&str] = &[
    "pg_read_file",
    "pg_read_binary_file",
    "pg_ls_dir",
    "pg_stat_file",
    "lo_import",
    "lo_export",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_ls_logdir",
    "pg_ls_waldir",
    "pg_ls_tmpdir",
    "pg_file_write",
    "pg_file_read",
    "pg_hba_file_rules",
];

/// The standard's name of a type, as `format_type` writes it.
pub(crate) fn data_type(kind: Kind) -> String {
    let (oid, _, modifier) = type_of(kind);
    format_type(i64::from(oid), i64::from(modifier))
}

/// The same without its length, as information_schema has it.
pub(crate) fn plain_type(kind: Kind) -> String {
    if kind == Kind::Array { "ARRAY".to_owned() } else { format_type(i64::from(type_of(kind).0), -1) }
}

/// PRIMARY KEY or UNIQUE.
pub(crate) fn constraint_text(primary: bool) -> &'static str {
    if primary { "PRIMARY KEY" } else { "UNIQUE" }
}

fn format_type(oid: i64, modifier: i64) -> String {
    let (base, suffix) = match oid {
        16 => ("boolean", ""),
        18 => ("\"char\"", ""),
        20 => ("bigint", ""),
        21 => ("smallint", ""),
        23 => ("integer", ""),
        700 => ("real", ""),
        701 => ("double precision", ""),
        1042 => ("character", ""),
        1043 => ("character varying", ""),
        1083 => ("time", " without time zone"),
        1114 => ("timestamp", " without time zone"),
        1184 => ("timestamp", " with time zone"),
        1266 => ("time", " with time zone"),
        1560 => ("bit", ""),
        1562 => ("bit varying", ""),
        1700 => ("numeric", ""),
        0 => return "-".to_owned(),
        other => {
            let Some(Value::Text(name)) = lookup("pg_type", "oid", &Value::Integer(other), "typname") else {
                return "???".to_owned();
            };
            return match name.strip_prefix('_') {
                Some(_) => {
                    let element = lookup("pg_type", "oid", &Value::Integer(other), "typelem");
                    format!("{}[]", format_type(element.and_then(|e| e.integer()).unwrap_or(25), -1))
                }
                None => name.to_string(),
            };
        }
    };
    match (oid, modifier) {
        (_, ..0) => format!("{base}{suffix}"),
        (1042 | 1043, _) => format!("{base}({}){suffix}", modifier - 4),
        (1700, _) => format!("{base}({},{})", (modifier - 4) >> 16, (modifier - 4) & 0xffff),
        (1083 | 1114 | 1184 | 1266, _) => format!("{base}({modifier}){suffix}"),
        _ => format!("{base}{suffix}"),
    }
}

/// `pg_get_indexdef` of an index of a table.
pub(crate) fn index_text(schema: &str, table: &Table, index: &str) -> String {
    let columns: Vec<&str> = indexes(table)
        .into_iter()
        .find(|(name, ..)| name == index)
        .map(|(_, _, columns, _)| columns.iter().map(|at| table.columns[*at].name.as_str()).collect())
        .unwrap_or_default();
    format!("CREATE UNIQUE INDEX {index} ON {schema}.{} USING btree ({})", table.name, columns.join(", "))
}

fn size_pretty(bytes: i64) -> String {
    let mut size = bytes as f64;
    for unit in ["bytes", "kB", "MB", "GB"] {
        // The product goes to the next unit at ten of it.
        if size.abs() < 10_240.0 {
            return format!("{} {unit}", size.round());
        }
        size /= 1024.0;
    }
    format!("{} TB", size.round())
}

/// The bytes that a table takes on disk: whole pages, its free-space map and, where it has texts, TOAST.
fn table_size(table: &Table) -> i64 {
    let pages = table.size().div_ceil(8192) as i64;
    let toast = table
        .columns
        .iter()
        .any(|c| matches!(c.kind, Kind::Text | Kind::Varchar(u32::MAX) | Kind::Blob | Kind::Json));
    let map = if pages > 0 { 3 * 8192 } else { 0 };
    pages * 8192 + map + if toast { 8192 } else { 0 }
}

fn relation<'a>(context: &Context<'a>, value: &Value) -> Option<Stored<'a>> {
    let oid = match value {
        Value::Integer(oid) => Some(*oid),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    };
    let name = value.to_string();
    let name = name.strip_prefix("public.").unwrap_or(&name).trim_matches('"').to_owned();
    stored(context).into_iter().find(|s| oid == Some(i64::from(s.table.number)) || s.table.name == name)
}

/// The name of a relation by number, as `regclass` prints it.
fn relation_name(context: &Context<'_>, oid: i64) -> Option<String> {
    for Stored { schema, table, .. } in stored(context) {
        let prefix = if context.session.path.iter().any(|known| known == schema) {
            String::new()
        } else {
            format!("{schema}.")
        };
        if i64::from(table.number) == oid {
            return Some(format!("{prefix}{}", table.name));
        }
        if let Some((name, ..)) = indexes(table).into_iter().find(|(_, number, ..)| i64::from(*number) == oid)
        {
            return Some(format!("{prefix}{name}"));
        }
    }
    lookup("pg_class", "oid", &Value::Integer(oid), "relname").map(|name| name.to_string())
}

fn relation_number(context: &Context<'_>, name: &str) -> Option<i64> {
    let name = name.strip_prefix("pg_catalog.").unwrap_or(name);
    if let Some(stored) = relation(context, &Value::text(name)) {
        return Some(i64::from(stored.table.number));
    }
    for Stored { table, .. } in stored(context) {
        if let Some((_, number, ..)) = indexes(table).into_iter().find(|(known, ..)| known == name) {
            return Some(i64::from(number));
        }
        if let Some((known, number, _)) = super::catalogue::sequence(table)
            && known == name
        {
            return Some(i64::from(number));
        }
    }
    lookup("pg_class", "relname", &Value::text(name), "oid").and_then(|oid| oid.integer())
}

/// Casts to the types that are names of other objects.
pub(crate) fn cast(product: &Postgres<'_>, context: &Context<'_>, value: &Value, kind: &str) -> Answer {
    let kind = kind.strip_prefix("pg_catalog.").unwrap_or(kind);
    if value.is_null() && kind.starts_with("reg") {
        return Some(Ok(Value::Null));
    }
    let number = match value {
        Value::Text(text) => text.parse().ok(),
        other => other.integer(),
    };
    let text = value.to_string();
    let plain = text.rsplit('.').next().unwrap_or(&text).trim_matches('"').to_owned();
    let name = |table: &str, key: &str, shown: &str| {
        if let (Value::Integer(oid), true) = (value, true) {
            return Value::text(
                lookup(table, key, &Value::Integer(*oid), shown)
                    .map_or_else(|| oid.to_string(), |name| name.to_string()),
            );
        }
        match number {
            Some(oid) => Value::Integer(oid),
            None => lookup(table, shown, &Value::text(&plain), key).unwrap_or_else(|| value.clone()),
        }
    };
    Some(match kind {
        "regclass" => match value {
            Value::Integer(oid) => {
                Ok(Value::text(relation_name(context, *oid).unwrap_or_else(|| oid.to_string())))
            }
            _ => match number.or_else(|| relation_number(context, &text)) {
                Some(oid) => Ok(Value::Integer(oid)),
                None => Err(error("42P01", format!("relation \"{text}\" does not exist"))),
            },
        },
        "regtype" => match value {
            Value::Integer(oid) => Ok(Value::text(format_type(*oid, -1))),
            _ => Ok(name("pg_type", "oid", "typname")),
        },
        "regproc" | "regprocedure" => match value {
            Value::Text(_) if number.is_none() => Ok(value.clone()),
            _ => Ok(name("pg_proc", "oid", "proname")),
        },
        "regnamespace" => Ok(name("pg_namespace", "oid", "nspname")),
        "regrole" => match value {
            Value::Integer(oid) => Ok(Value::text(
                product
                    .state
                    .roles
                    .iter()
                    .find(|role| i64::from(role.oid) == *oid)
                    .map_or("", |role| &role.name),
            )),
            _ => Ok(Value::Integer(i64::from(product.state.role_oid(&plain)))),
        },
        "oid" | "xid" => match number {
            Some(number) => Ok(Value::Integer(number)),
            None => Err(error("22P02", format!("invalid input syntax for type {kind}: \"{text}\""))),
        },
        "json" | "jsonb" | "inet" | "cidr" | "money" | "xml" | "interval" | "bit" => Ok(Value::text(text)),
        _ if kind.starts_with("int") || kind == "bigint" || kind == "smallint" => {
            let Value::Text(written) = value else { return None };
            match written.trim().parse::<i64>() {
                Ok(number) => Ok(Value::Integer(number)),
                Err(_) => return None,
            }
        }
        _ => return None,
    })
}

/// A function by its lower-case name.
pub(crate) fn call(product: &Postgres<'_>, context: &Context<'_>, name: &str, arguments: &[Value]) -> Answer {
    let first = arguments.first();
    let number = || first.and_then(Value::integer).unwrap_or(0);
    let text = |at: usize| arguments.get(at).map(Value::to_string).unwrap_or_default();
    if GUARDED.contains(&name) && !product.superuser() {
        exploit(product, name, &text(0));
        return Some(Err(error("42501", format!("permission denied for function {name}"))));
    }
    let state = product.state;
    Some(Ok(match name {
        "version" => Value::text(&product.persona.banner),
        "current_database" => Value::text(&context.session.database),
        "current_schema" => context.session.path.last().map_or(Value::Null, Value::text),
        "current_schemas" => {
            let mut path = context.session.path.clone();
            if number() != 0 || first.and_then(Value::truth) == Some(true) {
                path.insert(0, "pg_catalog".to_owned());
            }
            Value::Array(path.iter().map(Value::text).collect::<Vec<_>>().into())
        }
        "pg_backend_pid" => Value::Integer(i64::from(product.process)),
        "inet_server_addr" => Value::text(&product.local.0),
        "inet_server_port" => Value::Integer(i64::from(product.local.1)),
        "inet_client_addr" => Value::text(&product.remote.0),
        "inet_client_port" => Value::Integer(i64::from(product.remote.1)),
        "pg_postmaster_start_time" | "pg_conf_load_time" => Value::Timestamp(state.started),
        "pg_is_in_recovery" | "pg_is_wal_replay_paused" => Value::Bool(false),
        "txid_current" | "pg_current_xact_id" => Value::Integer(state.transaction as i64),
        "current_setting" => match product.setting(&text(0)) {
            Some(_) if super::settings::is_secret(&text(0)) && !product.superuser() => {
                return Some(Err(error(
                    "42501",
                    format!("must be superuser or have privileges of pg_read_all_settings to examine \"{}\"", text(0)),
                )));
            }
            Some(value) => Value::text(value),
            None if arguments.get(1).and_then(Value::truth) == Some(true) => Value::Null,
            None => {
                return Some(Err(error("42704", format!("unrecognized configuration parameter \"{}\"", text(0)))));
            }
        },
        "set_config" => {
            let local = arguments.get(2).and_then(Value::truth) == Some(true);
            product.effects.borrow_mut().push(Effect::Setting { name: text(0), value: text(1), local });
            Value::text(text(1))
        }
        "pg_sleep" => {
            let seconds = first.and_then(Value::float).unwrap_or(0.0).clamp(0.0, SLEEP_LIMIT);
            context.sleep(Duration::from_secs_f64(seconds));
            Value::text("")
        }
        "pg_terminate_backend" | "pg_cancel_backend" => {
            let process = u32::try_from(number()).unwrap_or(0);
            let known = state.backends.contains_key(&process);
            if known && name.starts_with("pg_term") {
                product.effects.borrow_mut().push(Effect::Terminate(process));
            }
            Value::Bool(known)
        }
        "pg_reload_conf" | "pg_rotate_logfile" => Value::Bool(true),
        "pg_get_userbyid" => {
            let wanted = number();
            let known = state.roles.iter().find(|role| i64::from(role.oid) == wanted).map(|role| role.name.clone());
            let system = || lookup("pg_authid", "oid", &Value::Integer(wanted), "rolname").map(|name| name.to_string());
            Value::text(known.or_else(system).unwrap_or_else(|| format!("unknown (OID={wanted})")))
        }
        "pg_encoding_to_char" => Value::text(if number() == 6 { "UTF8" } else { "SQL_ASCII" }),
        "getdatabaseencoding" | "pg_client_encoding" => Value::text("UTF8"),
        "format_type" if first.is_some_and(Value::is_null) => Value::Null,
        "format_type" => Value::text(format_type(number(), arguments.get(1).and_then(Value::integer).unwrap_or(-1))),
        "pg_get_expr" => first.cloned().unwrap_or(Value::Null),
        "pg_get_indexdef" => index_definition(context, number()),
        "pg_get_constraintdef" => constraint_definition(context, number()),
        "pg_get_viewdef" | "pg_get_ruledef" | "pg_get_triggerdef" | "pg_get_statisticsobjdef_columns"
        | "pg_get_partkeydef" | "pg_get_function_sqlbody" => Value::Null,
        "pg_get_function_result" | "pg_get_function_arguments" | "pg_get_function_identity_arguments" => {
            function_signature(state, number(), name.ends_with("result"))
        }
        "pg_get_functiondef" => state
            .functions
            .iter()
            .find(|(_, function)| i64::from(function.oid) == number())
            .map_or(Value::Null, |(_, function)| {
                Value::text(format!(
                    "CREATE OR REPLACE FUNCTION public.{}({})\n RETURNS {}\n LANGUAGE {}\nAS $function${}$function$\n",
                    function.name, function.arguments, function.result, function.language, function.body
                ))
            }),
        "pg_get_serial_sequence" => relation(context, &Value::text(text(0)))
            .and_then(|stored| super::catalogue::sequence(stored.table))
            .map_or(Value::Null, |(name, ..)| Value::text(format!("public.{name}"))),
        "pg_table_is_visible" | "pg_type_is_visible" | "pg_function_is_visible" | "pg_operator_is_visible"
        | "pg_opclass_is_visible" | "pg_collation_is_visible" | "pg_conversion_is_visible" | "pg_ts_config_is_visible"
        | "pg_ts_dict_is_visible" | "pg_opfamily_is_visible" | "pg_statistics_obj_is_visible" => Value::Bool(true),
        "pg_relation_is_publishable" => Value::Bool(number() >= 16_384),
        "pg_table_size" | "pg_relation_size" | "pg_total_relation_size" => {
            let value = match first {
                Some(Value::Text(name)) if name.parse::<i64>().is_err() => relation_number(context, name),
                other => other.and_then(Value::integer),
            };
            let stored = value.and_then(|oid| relation(context, &Value::Integer(oid)));
            Value::Integer(stored.map_or(8192, |stored| {
                let own = stored.table.size().div_ceil(8192) as i64 * 8192;
                match name {
                    "pg_relation_size" => own,
                    "pg_table_size" => table_size(stored.table),
                    _ => table_size(stored.table) + indexes(stored.table).len() as i64 * 16_384,
                }
            }))
        }
        "pg_indexes_size" => Value::Integer(relation(context, first?).map_or(0, |s| indexes(s.table).len() as i64 * 16_384)),
        "pg_database_size" => {
            let (wanted, name) = (number(), text(0));
            let database = context.catalogue.databases.iter().find(|database| {
                database.name == name || state.numbers.get(&database.name).is_some_and(|oid| i64::from(*oid) == wanted)
            });
            let tables = database.into_iter().flat_map(|d| &d.schemas).flat_map(|s| &s.tables);
            Value::Integer(7_737_135 + tables.map(|table| table_size(table) + 16_384).sum::<i64>())
        }
        "pg_tablespace_size" => Value::Integer(31_457_280),
        "pg_size_pretty" if first.is_some_and(Value::is_null) => Value::Null,
        "pg_size_pretty" => Value::text(size_pretty(number())),
        "pg_tablespace_location" => Value::text(""),
        "obj_description" | "shobj_description" | "col_description" => description(product, name, number(), &text(1)),
        "has_database_privilege" | "has_table_privilege" | "has_schema_privilege" | "has_column_privilege"
        | "has_function_privilege" | "has_sequence_privilege" | "has_any_column_privilege"
        | "has_tablespace_privilege" | "has_language_privilege" | "pg_has_role" => Value::Bool(true),
        "array_lower" => Value::Integer(1),
        "md5" if first.is_some_and(Value::is_null) => Value::Null,
        "md5" => {
            use md5::{Digest, Md5};
            Value::text(Md5::digest(raw(first?)).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        "encode" => encode(first?, &text(1)),
        "decode" => decode(&text(0), &text(1)),
        "convert_from" => Value::text(String::from_utf8_lossy(&raw(first?))),
        "convert_to" => Value::bytes(raw(first?)),
        "gen_random_uuid" | "uuid_generate_v4" => {
            let mut draw = decnet_core::Seed::from_number(context.session.now as u64 ^ u64::from(product.process)).draw(&["uuid"]);
            let hex = draw.text("0123456789abcdef", 30);
            Value::text(format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30]))
        }
        "random" => {
            let mut draw = decnet_core::Seed::from_number(context.session.now as u64 ^ u64::from(product.process)).draw(&["random"]);
            Value::Float(draw.below(1 << 52) as f64 / (1u64 << 52) as f64)
        }
        "pg_read_file" | "pg_read_binary_file" => {
            exploit(product, name, &text(0));
            return Some(files::read(product, &text(0), arguments).map(|bytes| {
                if name == "pg_read_file" { Value::text(String::from_utf8_lossy(&bytes)) } else { Value::bytes(bytes) }
            }));
        }
        "pg_stat_file" => {
            exploit(product, name, &text(0));
            return Some(files::stat(product, &text(0)).map(Value::text));
        }
        "pg_ls_dir" => {
            exploit(product, name, &text(0));
            let listed = files::list(product, &text(0));
            return Some(listed.map(|names| names.first().map_or(Value::Null, Value::text)));
        }
        "lo_import" => {
            exploit(product, name, &text(0));
            return Some(files::read(product, &text(0), &[]).map(|bytes| {
                let oid = arguments.get(1).and_then(Value::integer).and_then(|oid| u32::try_from(oid).ok());
                let oid = oid.unwrap_or_else(|| large_number(state));
                product.effects.borrow_mut().push(Effect::Large { oid, at: 0, bytes });
                Value::Integer(i64::from(oid))
            }).map_err(|error| files::for_import(error, &text(0))));
        }
        "lo_export" => {
            let oid = u32::try_from(number()).unwrap_or(0);
            exploit(product, name, &text(1));
            product.note(Note::Wrote(text(1)));
            if !state.large.contains_key(&oid) {
                return Some(Err(error("42704", format!("large object {oid} does not exist"))));
            }
            return Some(files::writable(product, &text(1)).map(|()| Value::Integer(1)));
        }
        "lo_create" | "lo_creat" => {
            let wanted = if name == "lo_create" { u32::try_from(number()).unwrap_or(0) } else { 0 };
            let oid = if wanted == 0 { large_number(state) } else { wanted };
            if state.large.contains_key(&oid) {
                return Some(Err(error(
                    "23505",
                    "duplicate key value violates unique constraint \"pg_largeobject_metadata_oid_index\"",
                )));
            }
            product.effects.borrow_mut().push(Effect::Large { oid, at: 0, bytes: Vec::new() });
            Value::Integer(i64::from(oid))
        }
        "lo_from_bytea" | "lo_put" => {
            let wanted = u32::try_from(number()).unwrap_or(0);
            let oid = if wanted == 0 { large_number(state) } else { wanted };
            let put = name == "lo_put";
            let at = if put { arguments.get(1).and_then(Value::integer).and_then(|at| usize::try_from(at).ok()).unwrap_or(0) } else { 0 };
            let bytes = arguments.get(if put { 2 } else { 1 }).map(raw).unwrap_or_default();
            product.note(Note::Exploit("postgres.large_object"));
            product.effects.borrow_mut().push(Effect::Large { oid, at, bytes });
            if put { Value::text("") } else { Value::Integer(i64::from(oid)) }
        }
        "lo_get" => {
            let oid = u32::try_from(number()).unwrap_or(0);
            match state.large.get(&oid) {
                Some(bytes) => Value::bytes(bytes),
                None => return Some(Err(error("42704", format!("large object {oid} does not exist")))),
            }
        }
        "lo_unlink" => {
            product.effects.borrow_mut().push(Effect::Unlink(u32::try_from(number()).unwrap_or(0)));
            Value::Integer(1)
        }
        "nextval" | "currval" | "lastval" => {
            let text = text(0);
            let found = stored(context).into_iter().find(|stored| {
                super::catalogue::sequence(stored.table)
                    .is_some_and(|(name, number, _)| name == text || number.to_string() == text)
            });
            match found {
                Some(stored) => Value::Integer(stored.table.next),
                None => return Some(Err(error("42P01", format!("relation \"{text}\" does not exist")))),
            }
        }
        "pg_try_advisory_lock" | "pg_advisory_unlock" => Value::Bool(true),
        "pg_advisory_lock" | "pg_notify" | "pg_switch_wal" | "pg_stat_reset" => Value::text(""),
        "to_regclass" => relation_number(context, &text(0)).and_then(|oid| relation_name(context, oid)).map_or(Value::Null, Value::text),
        "query_to_xml" | "database_to_xml" | "table_to_xml" | "xpath" => {
            return Some(Err(error("0A000", "unsupported XML feature")));
        }
        _ if state.functions.iter().any(|(_, function)| function.name == name) => {
            product.note(Note::Exploit("postgres.udf_call"));
            product.note(Note::Changed(format!("call of {name}"), text(0)));
            Value::Null
        }
        _ => return None,
    }))
}

/// Notes what a guarded function is good for.
fn exploit(product: &Postgres<'_>, name: &str, path: &str) {
    product.note(Note::Exploit(match name {
        "lo_import" => "postgres.lo_import",
        "lo_export" => "postgres.lo_export",
        "pg_ls_dir" | "pg_stat_file" => "postgres.file_list",
        "pg_read_file" | "pg_read_binary_file" => "postgres.file_read",
        _ => return,
    }));
    product.note(Note::Read(path.to_owned()));
}

fn large_number(state: &super::state::State) -> u32 {
    state.large.keys().next_back().map_or(24_600, |last| last + 1)
}

fn raw(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.to_vec(),
        other => other.to_string().into_bytes(),
    }
}

fn encode(value: &Value, format: &str) -> Value {
    use base64::Engine;
    let bytes = raw(value);
    match format {
        "hex" => Value::text(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        "base64" => Value::text(base64::engine::general_purpose::STANDARD.encode(bytes)),
        _ => Value::text(String::from_utf8_lossy(&bytes)),
    }
}

fn decode(text: &str, format: &str) -> Value {
    use base64::Engine;
    match format {
        "hex" => super::format::unhex(text).map_or(Value::Null, Value::bytes),
        "base64" => base64::engine::general_purpose::STANDARD
            .decode(text.replace(['\n', ' '], ""))
            .map_or(Value::Null, Value::bytes),
        _ => Value::bytes(text.as_bytes()),
    }
}

fn description(product: &Postgres<'_>, function: &str, oid: i64, class: &str) -> Value {
    if let Some(comment) = u32::try_from(oid).ok().and_then(|oid| product.state.comments.get(&oid)) {
        return Value::text(comment);
    }
    if function == "shobj_description" && class == "pg_database" {
        let name = product
            .state
            .numbers
            .iter()
            .find(|(_, number)| i64::from(**number) == oid)
            .map(|(name, _)| name.as_str());
        return match name {
            Some("postgres") => Value::text("default administrative connection database"),
            Some("template1") => Value::text("default template for new databases"),
            Some("template0") => Value::text("unmodifiable empty database"),
            _ => Value::Null,
        };
    }
    Value::Null
}

fn index_definition(context: &Context<'_>, oid: i64) -> Value {
    for Stored { schema, table, .. } in stored(context) {
        if let Some((name, ..)) = indexes(table).into_iter().find(|(_, number, ..)| i64::from(*number) == oid)
        {
            return Value::text(index_text(schema, table, &name));
        }
    }
    Value::Null
}

fn constraint_definition(context: &Context<'_>, oid: i64) -> Value {
    for Stored { table, .. } in stored(context) {
        let found =
            indexes(table).into_iter().find(|(_, number, ..)| i64::from(number.wrapping_add(1)) == oid);
        if let Some((_, _, columns, primary)) = found {
            let names: Vec<&str> = columns.iter().map(|at| table.columns[*at].name.as_str()).collect();
            return Value::text(format!("{} ({})", constraint_text(primary), names.join(", ")));
        }
    }
    Value::Null
}

fn function_signature(state: &super::state::State, oid: i64, result: bool) -> Value {
    if let Some((_, function)) = state.functions.iter().find(|(_, function)| i64::from(function.oid) == oid) {
        return Value::text(if result { &function.result } else { &function.arguments });
    }
    let get = |column| lookup("pg_proc", "oid", &Value::Integer(oid), column);
    if result {
        let set = get("proretset").and_then(|set| set.truth()) == Some(true);
        let kind = get("prorettype").and_then(|oid| oid.integer()).unwrap_or(0);
        return Value::text(format!("{}{}", if set { "SETOF " } else { "" }, format_type(kind, -1)));
    }
    let types = get("proargtypes").map(|types| types.to_string()).unwrap_or_default();
    let names: Vec<String> =
        types.split_whitespace().filter_map(|oid| oid.parse().ok()).map(|oid| format_type(oid, -1)).collect();
    Value::text(names.join(", "))
}

/// A function that stands in FROM.
pub(crate) fn table(
    product: &Postgres<'_>,
    context: &Context<'_>,
    name: &str,
    arguments: &[Value],
) -> Option<Result<Table, SqlError>> {
    let number = |at: usize| arguments.get(at).and_then(Value::integer);
    let one = |kind: Kind, values: Vec<Value>| {
        Some(Ok(Table::system(name, &[(name, kind)], values.into_iter().map(|value| vec![value]).collect())))
    };
    match name {
        "generate_series" => {
            let (from, to, step) = (number(0)?, number(1).unwrap_or(0), number(2).unwrap_or(1));
            if step == 0 {
                return Some(Err(error("22023", "step size cannot equal zero")));
            }
            let mut values = Vec::new();
            let mut at = from;
            while (step > 0 && at <= to) || (step < 0 && at >= to) {
                if values.len() as i64 >= SERIES_LIMIT {
                    return Some(Err(SqlError::TooComplex));
                }
                values.push(Value::Integer(at));
                at = at.saturating_add(step);
                if at == i64::MAX {
                    break;
                }
            }
            one(Kind::Integer, values)
        }
        "unnest" | "regexp_split_to_table" | "string_to_table" => match arguments.first()? {
            Value::Array(values) => one(Kind::Text, values.to_vec()),
            Value::Null => one(Kind::Text, Vec::new()),
            other => {
                let separator = arguments.get(1).map_or_else(|| ",".to_owned(), Value::to_string);
                one(Kind::Text, other.to_string().split(separator.as_str()).map(Value::text).collect())
            }
        },
        "generate_subscripts" => match arguments.first()? {
            Value::Array(values) => {
                one(Kind::Integer, (1..=values.len() as i64).map(Value::Integer).collect())
            }
            _ => one(Kind::Integer, Vec::new()),
        },
        "pg_ls_dir" => {
            let path = arguments.first().map(Value::to_string).unwrap_or_default();
            exploit(product, name, &path);
            if !product.superuser() {
                return Some(Err(error("42501", format!("permission denied for function {name}"))));
            }
            match files::list(product, &path) {
                Ok(names) => one(Kind::Text, names.iter().map(Value::text).collect()),
                Err(error) => Some(Err(error)),
            }
        }
        _ => {
            let value = call(product, context, name, arguments)?;
            Some(value.map(|value| {
                Table::system(name, &[(name, value.kind().unwrap_or(Kind::Text))], vec![vec![value]])
            }))
        }
    }
}

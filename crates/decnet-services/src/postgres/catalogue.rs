//! The rows of the system's tables that are made of what is stored.

use super::functions::{constraint_text, data_type};
use super::product::{Postgres, type_of};
use super::tables::{all, array, row};
use crate::sql::{Column, Context, Kind, Table, Value};

/// The number of `pg_catalog`, `public` and `information_schema`.
const PG_CATALOG: i64 = 11;
const PUBLIC: i64 = 2200;
const INFORMATION_SCHEMA: i64 = 13_183;

/// Takes the named values of one row.
type Adding<'a> = dyn FnMut(&[(&str, Value)]) + 'a;

/// A table of the system by the name as it was written.
pub(super) fn table(product: &Postgres<'_>, context: &Context<'_>, path: &[String]) -> Option<Table> {
    let name = match path {
        [name] => name.clone(),
        [schema, name] if schema == "pg_catalog" => name.clone(),
        [schema, name] if schema == "information_schema" => format!("information_schema.{name}"),
        _ => return None,
    };
    let mut table = all().get(&name)?.clone();
    fit(product, &mut table);
    if !made(product, context, &name, &mut table) && !views(product, context, &name, &mut table) {
        return Some(table);
    }
    Some(table)
}

/// Columns come and go with releases.
fn fit(product: &Postgres<'_>, table: &mut Table) {
    let release = product.persona.release;
    let gone: &[&str] = match (table.name.as_str(), release.0) {
        ("pg_database", ..=14) => &["daticulocale", "datlocprovider", "datcollversion"],
        ("pg_database", 16) => &[],
        ("pg_collation", ..=14) => &["colliculocale"],
        ("pg_attribute", ..=11) => &["attmissingval"],
        _ => &[],
    };
    for name in gone {
        if let Some(at) = table.columns.iter().position(|column| column.name == *name) {
            table.columns.remove(at);
            for row in &mut table.rows {
                row.remove(at);
            }
        }
    }
    if table.name == "pg_database" && release.since(17) {
        for column in &mut table.columns {
            if column.name == "daticulocale" {
                column.name = "datlocale".to_owned();
            }
        }
    }
}

/// A stored table with its schema's name and number.
pub(crate) struct Stored<'a> {
    pub(crate) schema: &'a str,
    pub(crate) namespace: i64,
    pub(crate) table: &'a Table,
}

/// The stored tables of the database that the connection is in.
pub(crate) fn stored<'a>(context: &Context<'a>) -> Vec<Stored<'a>> {
    let Some(database) = context.database().and_then(|at| context.catalogue.databases.get(at)) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for (index, schema) in database.schemas.iter().enumerate() {
        let namespace = namespace_number(&schema.name, index);
        out.extend(schema.tables.iter().map(|table| Stored { schema: &schema.name, namespace, table }));
    }
    out
}

fn namespace_number(name: &str, index: usize) -> i64 {
    if name == "public" { PUBLIC } else { 90_000 + index as i64 }
}

/// The indexes of a table: name, number, columns, whether it is the primary key.
pub(crate) fn indexes(table: &Table) -> Vec<(String, u32, Vec<usize>, bool)> {
    let mut out = Vec::new();
    let primary: Vec<usize> =
        table.columns.iter().enumerate().filter(|(_, column)| column.primary).map(|(at, _)| at).collect();
    if !primary.is_empty() {
        out.push((format!("{}_pkey", table.name), table.number.wrapping_add(4), primary, true));
    }
    for (at, column) in
        table.columns.iter().enumerate().filter(|(_, column)| column.unique && !column.primary)
    {
        let number = table.number.wrapping_mul(1024).wrapping_add(at as u32) | 0x4000_0000;
        out.push((format!("{}_{}_key", table.name, column.name), number, vec![at], false));
    }
    out
}

/// The sequence behind an automatic column.
pub(crate) fn sequence(table: &Table) -> Option<(String, u32, usize)> {
    let at = table.columns.iter().position(|column| column.automatic)?;
    Some((format!("{}_{}_seq", table.name, table.columns[at].name), table.number.wrapping_add(1), at))
}

/// The default of a column as it is shown.
pub(crate) fn default_text(table: &Table, column: &Column) -> Option<String> {
    if column.automatic {
        let (name, ..) = sequence(table)?;
        return Some(format!("nextval('{name}'::regclass)"));
    }
    let value = column.default.as_ref()?;
    Some(match value {
        Value::Null => return None,
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(_) | Value::Decimal(_) | Value::Float(_) => value.to_string(),
        other => format!("'{}'::{}", other.to_string().replace('\'', "''"), data_type(column.kind)),
    })
}

fn int(number: impl Into<i64>) -> Value {
    Value::Integer(number.into())
}

fn text(text: impl AsRef<str>) -> Value {
    Value::text(text)
}

/// Adds the rows that are made to a table of `pg_catalog`; whether it has such rows.
fn made(product: &Postgres<'_>, context: &Context<'_>, name: &str, table: &mut Table) -> bool {
    let state = product.state;
    let shape = Table { rows: Vec::new(), ..table.clone() };
    let database = context.session.database.as_str();
    let owner = int(state.role_oid(state.owner(database)));
    let rows = &mut table.rows;
    let mut add = |values: &[(&str, Value)]| rows.push(row(&shape, values));
    match name {
        "pg_database" => databases(product, context, &mut add),
        "pg_class" => classes(context, &owner, &mut add),
        "pg_namespace" => {
            if let Some(found) = context.database().and_then(|at| context.catalogue.databases.get(at)) {
                for (index, schema) in found.schemas.iter().enumerate().filter(|(_, s)| s.name != "public") {
                    let oid = int(namespace_number(&schema.name, index));
                    add(&[("oid", oid), ("nspname", text(&schema.name)), ("nspowner", owner.clone())]);
                }
            }
            if !product.persona.release.since(15) {
                for row in rows.iter_mut().filter(|row| row.get(1) == Some(&text("public"))) {
                    row[2] = int(10);
                }
            }
        }
        "pg_attribute" => attributes(context, &mut add),
        "pg_attrdef" => {
            for Stored { table, .. } in stored(context) {
                for (at, column) in table.columns.iter().enumerate() {
                    if let Some(shown) = default_text(table, column) {
                        add(&[
                            ("oid", int(i64::from(table.number) * 100 + at as i64)),
                            ("adrelid", int(table.number)),
                            ("adnum", int(at as i64 + 1)),
                            ("adbin", text(shown)),
                        ]);
                    }
                }
            }
        }
        "pg_index" => {
            for Stored { table, .. } in stored(context) {
                for (_, number, columns, primary) in indexes(table) {
                    let key: Vec<String> = columns.iter().map(|at| (at + 1).to_string()).collect();
                    add(&[
                        ("indexrelid", int(number)),
                        ("indrelid", int(table.number)),
                        ("indnatts", int(columns.len() as i64)),
                        ("indnkeyatts", int(columns.len() as i64)),
                        ("indisunique", Value::Bool(true)),
                        ("indisprimary", Value::Bool(primary)),
                        ("indimmediate", Value::Bool(true)),
                        ("indisvalid", Value::Bool(true)),
                        ("indisready", Value::Bool(true)),
                        ("indislive", Value::Bool(true)),
                        ("indkey", Value::text(key.join(" "))),
                    ]);
                }
            }
        }
        "pg_constraint" => {
            for Stored { table, namespace, .. } in stored(context) {
                for (name, number, columns, primary) in indexes(table) {
                    let key: Vec<Value> = columns.iter().map(|at| int(*at as i64 + 1)).collect();
                    add(&[
                        ("oid", int(number.wrapping_add(1))),
                        ("conname", text(name)),
                        ("connamespace", int(namespace)),
                        ("contype", text(if primary { "p" } else { "u" })),
                        ("convalidated", Value::Bool(true)),
                        ("conrelid", int(table.number)),
                        ("conindid", int(number)),
                        ("conislocal", Value::Bool(true)),
                        ("connoinherit", Value::Bool(true)),
                        ("conkey", Value::Array(key.into())),
                    ]);
                }
            }
        }
        "pg_sequence" | "pg_sequences" => {
            for Stored { table, schema, .. } in stored(context) {
                if let Some((name, number, _)) = sequence(table) {
                    add(&[
                        ("seqrelid", int(number)),
                        ("seqtypid", int(23)),
                        ("seqstart", int(1)),
                        ("seqincrement", int(1)),
                        ("seqmax", int(i64::from(i32::MAX))),
                        ("seqmin", int(1)),
                        ("seqcache", int(1)),
                        ("schemaname", text(schema)),
                        ("sequencename", text(name)),
                        ("sequenceowner", text(state.owner(database))),
                        ("data_type", text("integer")),
                        ("start_value", int(1)),
                        ("min_value", int(1)),
                        ("max_value", int(i64::from(i32::MAX))),
                        ("increment_by", int(1)),
                        ("cache_size", int(1)),
                        ("last_value", int(table.next - 1)),
                    ]);
                }
            }
        }
        "pg_authid" => {
            rows.retain(|row| row.first() != Some(&int(10)));
            roles(product, &shape, rows);
        }
        "pg_settings" => super::settings::rows(product, table),
        "pg_extension" => {
            for (index, (_, extension)) in
                state.extensions.iter().enumerate().filter(|(_, (known, _))| known == database)
            {
                add(&[
                    ("oid", int(80_000 + index as i64)),
                    ("extname", text(extension)),
                    ("extowner", int(10)),
                    ("extnamespace", int(PUBLIC)),
                    ("extversion", text("1.0")),
                ]);
            }
        }
        "pg_proc" => {
            for (_, function) in state.functions.iter().filter(|(known, _)| known == database) {
                let language = match function.language.as_str() {
                    "c" => 13,
                    "sql" => 14,
                    "internal" => 12,
                    _ => 13_565,
                };
                add(&[
                    ("oid", int(function.oid)),
                    ("proname", text(&function.name)),
                    ("pronamespace", int(PUBLIC)),
                    ("proowner", int(state.role_oid(product.user))),
                    ("prolang", int(language)),
                    ("prokind", text("f")),
                    ("provolatile", text("v")),
                    ("proparallel", text("u")),
                    ("prorettype", int(25)),
                    ("prosrc", text(&function.body)),
                ]);
            }
        }
        "pg_description" => {
            for (object, comment) in &state.comments {
                add(&[("objoid", int(*object)), ("classoid", int(1259)), ("description", text(comment))]);
            }
        }
        _ => return false,
    }
    true
}

fn databases(product: &Postgres<'_>, context: &Context<'_>, add: &mut Adding<'_>) {
    let state = product.state;
    for database in &context.catalogue.databases {
        let template = database.name.starts_with("template");
        let owner = state.owner(&database.name);
        let privileges = if template { array("{=c/postgres,postgres=CTc/postgres}") } else { Value::Null };
        let number = state.numbers.get(&database.name).copied().unwrap_or(0);
        add(&[
            ("oid", int(number)),
            ("datname", text(&database.name)),
            ("datdba", int(state.role_oid(owner))),
            ("encoding", int(6)),
            ("datlocprovider", text("c")),
            ("datistemplate", Value::Bool(template)),
            ("datallowconn", Value::Bool(database.name != "template0")),
            ("datconnlimit", int(-1)),
            ("datfrozenxid", text("717")),
            ("datminmxid", text("1")),
            ("dattablespace", int(1663)),
            ("datcollate", text(super::settings::LOCALE)),
            ("datctype", text(super::settings::LOCALE)),
            ("datacl", privileges),
        ]);
    }
}

fn classes(context: &Context<'_>, owner: &Value, add: &mut Adding<'_>) {
    for Stored { table, namespace, .. } in stored(context) {
        let indexes = indexes(table);
        let common = [
            ("relnamespace", int(namespace)),
            ("relowner", owner.clone()),
            ("relpersistence", text("p")),
            ("relispopulated", Value::Bool(true)),
        ];
        let pages = table.size().div_ceil(8192) as i64;
        let mut values = vec![
            ("oid", int(table.number)),
            ("relname", text(&table.name)),
            ("reltype", int(table.number.wrapping_add(2))),
            ("relam", int(2)),
            ("relfilenode", int(table.number)),
            ("relpages", int(pages)),
            ("reltuples", Value::Float(table.rows.len() as f64)),
            ("relhasindex", Value::Bool(!indexes.is_empty())),
            ("relkind", text("r")),
            ("relnatts", int(table.columns.len() as i64)),
            ("relreplident", text("d")),
        ];
        values.extend(common.clone());
        add(&values);
        for (name, number, columns, _) in indexes {
            let mut values = vec![
                ("oid", int(number)),
                ("relname", text(name)),
                ("relam", int(403)),
                ("relfilenode", int(number)),
                ("relpages", int(2)),
                ("reltuples", Value::Float(table.rows.len() as f64)),
                ("relkind", text("i")),
                ("relnatts", int(columns.len() as i64)),
                ("relreplident", text("n")),
            ];
            values.extend(common.clone());
            add(&values);
        }
        if let Some((name, number, _)) = sequence(table) {
            let mut values = vec![
                ("oid", int(number)),
                ("relname", text(name)),
                ("relfilenode", int(number)),
                ("relpages", int(1)),
                ("reltuples", Value::Float(1.0)),
                ("relkind", text("S")),
                ("relnatts", int(3)),
                ("relreplident", text("n")),
            ];
            values.extend(common);
            add(&values);
        }
    }
}

fn attributes(context: &Context<'_>, add: &mut Adding<'_>) {
    for Stored { table, .. } in stored(context) {
        for (at, column) in table.columns.iter().enumerate() {
            let (oid, size, modifier) = type_of(column.kind);
            let collation = if matches!(oid, 25 | 1042 | 1043 | 1009) { 100 } else { 0 };
            let name = text(&column.name);
            add(&[
                ("attrelid", int(table.number)),
                ("attname", name),
                ("atttypid", int(oid)),
                ("attstattarget", int(-1)),
                ("attlen", int(size)),
                ("attnum", int(at as i64 + 1)),
                ("attcacheoff", int(-1)),
                ("atttypmod", int(modifier)),
                ("attstorage", text(if size < 0 { "x" } else { "p" })),
                ("attnotnull", Value::Bool(!column.nullable)),
                ("atthasdef", Value::Bool(default_text(table, column).is_some())),
                ("attislocal", Value::Bool(true)),
                ("attcollation", int(collation)),
            ]);
        }
        for (_, number, columns, _) in indexes(table) {
            for (position, at) in columns.iter().enumerate() {
                let column = &table.columns[*at];
                let (oid, size, modifier) = type_of(column.kind);
                add(&[
                    ("attrelid", int(number)),
                    ("attname", text(&column.name)),
                    ("atttypid", int(oid)),
                    ("attlen", int(size)),
                    ("attnum", int(position as i64 + 1)),
                    ("atttypmod", int(modifier)),
                    ("attislocal", Value::Bool(true)),
                ]);
            }
        }
    }
}

/// Roles for `pg_authid` and the views over it.
fn roles(product: &Postgres<'_>, shape: &Table, rows: &mut Vec<Vec<Value>>) {
    for role in &product.state.roles {
        rows.push(row(
            shape,
            &[
                ("oid", int(role.oid)),
                ("usesysid", int(role.oid)),
                ("rolname", text(&role.name)),
                ("usename", text(&role.name)),
                ("rolsuper", Value::Bool(role.superuser)),
                ("usesuper", Value::Bool(role.superuser)),
                ("rolinherit", Value::Bool(true)),
                ("rolcreaterole", Value::Bool(role.create_role)),
                ("rolcreatedb", Value::Bool(role.create_database)),
                ("usecreatedb", Value::Bool(role.create_database)),
                ("rolcanlogin", Value::Bool(role.login)),
                ("rolreplication", Value::Bool(role.replication)),
                ("userepl", Value::Bool(role.replication)),
                ("rolconnlimit", int(-1)),
                ("rolpassword", functions_password(product, shape, role)),
                ("passwd", functions_password(product, shape, role)),
                ("rolbypassrls", Value::Bool(role.bypass)),
                ("usebypassrls", Value::Bool(role.bypass)),
            ],
        ));
    }
}

/// What is shown for a password: the stored verifier in `pg_authid` and `pg_shadow`, stars elsewhere.
fn functions_password(product: &Postgres<'_>, shape: &Table, role: &super::state::Role) -> Value {
    match shape.name.as_str() {
        "pg_authid" | "pg_shadow" => {
            super::login::stored(product.persona, role).map_or(Value::Null, Value::text)
        }
        _ => text("********"),
    }
}

/// Views; whether the name is one of them.
fn views(product: &Postgres<'_>, context: &Context<'_>, name: &str, table: &mut Table) -> bool {
    let state = product.state;
    let shape = Table { rows: Vec::new(), ..table.clone() };
    let database = context.session.database.as_str();
    let owner = state.owner(database).to_owned();
    let rows = &mut table.rows;
    match name {
        "pg_roles" => {
            roles(product, &shape, rows);
            if let Some(known) = all().get("pg_authid") {
                let at = |name: &str| known.columns.iter().position(|column| column.name == name);
                for role in known.rows.iter().filter(|row| row[0] != int(10)) {
                    let given: Vec<(&str, Value)> = shape
                        .columns
                        .iter()
                        .filter_map(|column| {
                            Some((column.name.as_str(), role.get(at(&column.name)?)?.clone()))
                        })
                        .collect();
                    rows.push(row(&shape, &given));
                }
            }
        }
        "pg_user" | "pg_shadow" => roles(product, &shape, rows),
        "pg_stat_activity" => activity(product, &shape, rows),
        "pg_tables" => {
            for Stored { schema, table, .. } in stored(context) {
                rows.push(row(
                    &shape,
                    &[
                        ("schemaname", text(schema)),
                        ("tablename", text(&table.name)),
                        ("tableowner", text(&owner)),
                        ("hasindexes", Value::Bool(!indexes(table).is_empty())),
                    ],
                ));
            }
            system_relations("r", &mut |schema, name| {
                rows.push(row(
                    &shape,
                    &[
                        ("schemaname", text(schema)),
                        ("tablename", text(name)),
                        ("tableowner", text("postgres")),
                        ("hasindexes", Value::Bool(true)),
                    ],
                ));
            });
        }
        "pg_views" => system_relations("v", &mut |schema, name| {
            rows.push(row(
                &shape,
                &[("schemaname", text(schema)), ("viewname", text(name)), ("viewowner", text("postgres"))],
            ));
        }),
        "pg_indexes" => {
            for Stored { schema, table, .. } in stored(context) {
                for (index, ..) in indexes(table) {
                    let definition = super::functions::index_text(schema, table, &index);
                    rows.push(row(
                        &shape,
                        &[
                            ("schemaname", text(schema)),
                            ("tablename", text(&table.name)),
                            ("indexname", text(&index)),
                            ("indexdef", text(definition)),
                        ],
                    ));
                }
            }
        }
        "pg_stat_user_tables" => {
            for Stored { schema, table, .. } in stored(context) {
                let count = int(table.rows.len() as i64);
                rows.push(row(
                    &shape,
                    &[
                        ("relid", int(table.number)),
                        ("schemaname", text(schema)),
                        ("relname", text(&table.name)),
                        ("seq_scan", int(12)),
                        ("n_live_tup", count.clone()),
                        ("n_tup_ins", count),
                    ],
                ));
            }
        }
        "pg_stat_database" => {
            for database in &context.catalogue.databases {
                let live =
                    state.backends.values().filter(|backend| backend.database == database.name).count();
                rows.push(row(
                    &shape,
                    &[
                        ("datid", int(state.numbers.get(&database.name).copied().unwrap_or(0))),
                        ("datname", text(&database.name)),
                        ("numbackends", int(live as i64)),
                    ],
                ));
            }
        }
        "pg_hba_file_rules" => {
            let method = match product.persona.method {
                super::persona::Method::Md5 => "md5",
                super::persona::Method::Scram => "scram-sha-256",
                super::persona::Method::Password => "password",
            };
            for (line, kind, user, address, method) in [
                (90, "local", "{postgres}", Value::Null, "peer"),
                (95, "local", "{all}", Value::Null, "peer"),
                (97, "host", "{all}", text("127.0.0.1"), method),
                (99, "host", "{all}", text("0.0.0.0"), method),
            ] {
                rows.push(row(
                    &shape,
                    &[
                        ("line_number", int(line)),
                        ("type", text(kind)),
                        ("database", array("{all}")),
                        ("user_name", array(user)),
                        ("address", address),
                        ("auth_method", text(method)),
                    ],
                ));
            }
        }
        "information_schema.schemata" => {
            let mut add = |schema: &str, owner: &str| {
                rows.push(row(
                    &shape,
                    &[
                        ("catalog_name", text(database)),
                        ("schema_name", text(schema)),
                        ("schema_owner", text(owner)),
                    ],
                ));
            };
            if let Some(found) = context.database().and_then(|at| context.catalogue.databases.get(at)) {
                for schema in &found.schemas {
                    add(&schema.name, if schema.name == "public" { "pg_database_owner" } else { &owner });
                }
            }
            for schema in ["information_schema", "pg_catalog", "pg_toast"] {
                add(schema, "postgres");
            }
        }
        "information_schema.tables" => {
            let mut add = |schema: &str, name: &str, base: bool| {
                rows.push(row(
                    &shape,
                    &[
                        ("table_catalog", text(database)),
                        ("table_schema", text(schema)),
                        ("table_name", text(name)),
                        ("table_type", text(if base { "BASE TABLE" } else { "VIEW" })),
                        ("is_insertable_into", text(if base { "YES" } else { "NO" })),
                        ("is_typed", text("NO")),
                    ],
                ));
            };
            for Stored { schema, table, .. } in stored(context) {
                add(schema, &table.name, true);
            }
            system_relations("r", &mut |schema, name| add(schema, name, true));
            system_relations("v", &mut |schema, name| add(schema, name, false));
        }
        "information_schema.columns" => {
            for Stored { schema, table, .. } in stored(context) {
                for (at, column) in table.columns.iter().enumerate() {
                    rows.push(column_row(&shape, database, schema, table, at, column));
                }
            }
        }
        "information_schema.table_constraints" | "information_schema.key_column_usage" => {
            let usage = name.ends_with("usage");
            for Stored { schema, table, .. } in stored(context) {
                for (index, _, columns, primary) in indexes(table) {
                    for (position, at) in
                        columns.iter().enumerate().filter(|(position, _)| usage || *position == 0)
                    {
                        rows.push(row(
                            &shape,
                            &[
                                ("constraint_catalog", text(database)),
                                ("constraint_schema", text(schema)),
                                ("constraint_name", text(&index)),
                                ("table_catalog", text(database)),
                                ("table_schema", text(schema)),
                                ("table_name", text(&table.name)),
                                ("constraint_type", text(constraint_text(primary))),
                                ("is_deferrable", text("NO")),
                                ("initially_deferred", text("NO")),
                                ("enforced", text("YES")),
                                ("column_name", text(&table.columns[*at].name)),
                                ("ordinal_position", int(position as i64 + 1)),
                            ],
                        ));
                    }
                }
            }
        }
        _ => return false,
    }
    true
}

/// Relations of the system of one kind.
fn system_relations(kind: &str, add: &mut dyn FnMut(&str, &str)) {
    let Some(classes) = all().get("pg_class") else { return };
    let at = |name: &str| classes.columns.iter().position(|column| column.name == name).unwrap_or(0);
    let (name, namespace, own) = (at("relname"), at("relnamespace"), at("relkind"));
    for row in classes.rows.iter().filter(|row| row[own] == text(kind)) {
        let schema = match row[namespace].integer() {
            Some(PG_CATALOG) => "pg_catalog",
            Some(INFORMATION_SCHEMA) => "information_schema",
            _ => continue,
        };
        add(schema, &row[name].to_string());
    }
}

fn column_row(
    shape: &Table,
    database: &str,
    schema: &str,
    table: &Table,
    at: usize,
    column: &Column,
) -> Vec<Value> {
    let (oid, ..) = type_of(column.kind);
    let internal = super::tables::lookup("pg_type", "oid", &int(oid), "typname").unwrap_or(Value::Null);
    let mut values = vec![
        ("table_catalog", text(database)),
        ("table_schema", text(schema)),
        ("table_name", text(&table.name)),
        ("column_name", text(&column.name)),
        ("ordinal_position", int(at as i64 + 1)),
        ("column_default", default_text(table, column).map_or(Value::Null, Value::text)),
        ("is_nullable", text(if column.nullable { "YES" } else { "NO" })),
        ("data_type", text(super::functions::plain_type(column.kind))),
        ("character_maximum_length", Value::Null),
        ("character_octet_length", Value::Null),
        ("numeric_precision", Value::Null),
        ("numeric_precision_radix", Value::Null),
        ("numeric_scale", Value::Null),
        ("datetime_precision", Value::Null),
        ("interval_precision", Value::Null),
        ("maximum_cardinality", Value::Null),
        ("udt_catalog", text(database)),
        ("udt_schema", text("pg_catalog")),
        ("udt_name", internal),
        ("dtd_identifier", text((at + 1).to_string())),
        ("is_self_referencing", text("NO")),
        ("is_identity", text("NO")),
        ("identity_cycle", text("NO")),
        ("is_generated", text("NEVER")),
        ("is_updatable", text("YES")),
    ];
    let numeric = |precision: i64, radix: i64, scale: Value| {
        [
            ("numeric_precision", int(precision)),
            ("numeric_precision_radix", int(radix)),
            ("numeric_scale", scale),
        ]
    };
    match column.kind {
        Kind::Varchar(length) | Kind::Char(length) if length != u32::MAX => values.extend([
            ("character_maximum_length", int(length)),
            ("character_octet_length", int(i64::from(length) * 4)),
        ]),
        Kind::Text => values.push(("character_octet_length", int(1_073_741_824))),
        Kind::Integer => values.extend(numeric(32, 2, int(0))),
        Kind::BigInt => values.extend(numeric(64, 2, int(0))),
        Kind::SmallInt | Kind::TinyInt => values.extend(numeric(16, 2, int(0))),
        Kind::Decimal { precision, scale } => values.extend(numeric(precision.into(), 10, int(scale))),
        Kind::Double => values.extend(numeric(53, 2, Value::Null)),
        Kind::Timestamp | Kind::Time => values.push(("datetime_precision", int(6))),
        Kind::Date => values.push(("datetime_precision", int(0))),
        _ => {}
    }
    row(shape, &values)
}

fn activity(product: &Postgres<'_>, shape: &Table, rows: &mut Vec<Vec<Value>>) {
    let state = product.state;
    // The server's own processes: the first few numbers after the postmaster.
    let first = super::settings::postmaster(state);
    for (offset, kind, wait) in [
        (6, "autovacuum launcher", "AutoVacuumMain"),
        (7, "logical replication launcher", "LogicalLauncherMain"),
        (2, "checkpointer", "CheckpointerMain"),
        (3, "background writer", "BgWriterHibernate"),
        (5, "walwriter", "WalWriterMain"),
    ] {
        let mut values = vec![
            ("datid", Value::Null),
            ("pid", int(first + offset)),
            ("leader_pid", Value::Null),
            ("usesysid", Value::Null),
            ("client_port", Value::Null),
            ("query_id", Value::Null),
            ("backend_start", Value::Timestamp(state.started + offset * 1_700)),
            ("wait_event_type", text("Activity")),
            ("wait_event", text(wait)),
            ("backend_type", text(kind)),
            ("query", text("")),
        ];
        if kind.starts_with("logical") {
            values.extend([("usesysid", int(10)), ("usename", text("postgres"))]);
        }
        rows.push(row(shape, &values));
    }
    let whole = product.superuser();
    for (process, backend) in &state.backends {
        let visible = whole || backend.user == product.user;
        let shown = |value: Value| if visible { value } else { Value::Null };
        rows.push(row(
            shape,
            &[
                ("datid", int(state.numbers.get(&backend.database).copied().unwrap_or(0))),
                ("datname", text(&backend.database)),
                ("pid", int(*process)),
                ("leader_pid", Value::Null),
                ("query_id", Value::Null),
                ("usesysid", int(state.role_oid(&backend.user))),
                ("usename", text(&backend.user)),
                ("application_name", text(&backend.application)),
                ("client_addr", shown(text(&backend.address))),
                ("client_port", shown(int(backend.port))),
                ("backend_start", shown(Value::Timestamp(backend.started))),
                ("xact_start", shown(backend.transaction.map_or(Value::Null, Value::Timestamp))),
                ("query_start", shown(Value::Timestamp(backend.query_started))),
                ("state_change", shown(Value::Timestamp(backend.changed))),
                (
                    "wait_event_type",
                    if backend.state == "active" { Value::Null } else { shown(text("Client")) },
                ),
                (
                    "wait_event",
                    if backend.state == "active" { Value::Null } else { shown(text("ClientRead")) },
                ),
                ("state", shown(text(backend.state))),
                ("query", if visible { text(&backend.query) } else { text("<insufficient privilege>") }),
                ("backend_type", shown(text("client backend"))),
            ],
        ));
    }
}

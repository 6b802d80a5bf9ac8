//! Tables that the system makes when they are asked for: information_schema, mysql, performance_schema.

use super::product::Dialect;
use super::store::INFORMATION;
use super::system::{ENGINE_COLUMNS, PRIVILEGES, engines, own, performance, processlist};
use super::variables;
use crate::sql::{Catalogue, Column, Context, Kind, Schema, Table, Value};

/// The system's own schemas that a release has, sorted.
pub(crate) fn system_schemas(dialect: &Dialect<'_>) -> Vec<&'static str> {
    let persona = dialect.persona;
    let mut names = vec![INFORMATION, "mysql"];
    if persona.release.since(5, 5) {
        names.push("performance_schema");
    }
    if persona.release.since(10, 6) || (!persona.maria() && persona.release.since(5, 7)) {
        names.push("sys");
    }
    names
}

/// The schemas that are stored.
pub(crate) fn schemas(catalogue: &Catalogue) -> &[Schema] {
    catalogue.databases.first().map_or(&[], |database| &database.schemas)
}

/// All schemas by name, sorted.
pub(crate) fn databases(dialect: &Dialect<'_>, catalogue: &Catalogue) -> Vec<String> {
    let mut names: Vec<String> = system_schemas(dialect).into_iter().map(str::to_owned).collect();
    names.extend(schemas(catalogue).iter().map(|schema| schema.name.clone()));
    names.sort();
    names
}

/// A system table by name.
pub(crate) fn table(dialect: &Dialect<'_>, context: &Context<'_>, path: &[String]) -> Option<Table> {
    let (schema, name) = match path {
        [schema, name] => (schema.to_lowercase(), name.to_lowercase()),
        [name] => (context.session.path.first()?.to_lowercase(), name.to_lowercase()),
        _ => return None,
    };
    match schema.as_str() {
        INFORMATION => information(dialect, context, &name),
        "mysql" => own(dialect, &name),
        "performance_schema" if dialect.persona.release.since(5, 5) => performance(dialect, context, &name),
        "sys" if name == "version" => Some(texts(
            "version",
            &["sys_version", "mysql_version"],
            vec![vec![Value::text("2.1.2"), Value::text(&dialect.persona.version)]],
        )),
        _ => None,
    }
}

/// The tables of a schema, stored and of the system, sorted.
pub(crate) fn tables(dialect: &Dialect<'_>, context: &Context<'_>, schema: &str) -> Vec<String> {
    let lower = schema.to_lowercase();
    let known: &[&str] = match lower.as_str() {
        INFORMATION => INFORMATION_TABLES,
        "mysql" => OWN_TABLES,
        "performance_schema" => PERFORMANCE_TABLES,
        "sys" => &["version"],
        _ => {
            let fold = dialect.persona.fold_names;
            let found = schemas(context.catalogue).iter().find(|known| {
                if fold { known.name.eq_ignore_ascii_case(schema) } else { known.name == schema }
            });
            let mut names: Vec<String> = found
                .map_or(&[][..], |schema| &schema.tables)
                .iter()
                .map(|table| table.name.clone())
                .collect();
            names.sort();
            return names;
        }
    };
    known.iter().filter(|name| has(dialect, name)).map(|name| (*name).to_owned()).collect()
}

/// Whether a release has a system table; asked without making it, for some list the others.
fn has(dialect: &Dialect<'_>, name: &str) -> bool {
    let persona = dialect.persona;
    match name {
        "global_priv" => persona.maria() && persona.release.since(10, 4),
        "proc" | "event" => persona.maria() || !persona.release.since(8, 0),
        "GLOBAL_STATUS" | "GLOBAL_VARIABLES" | "SESSION_STATUS" | "SESSION_VARIABLES" => {
            persona.maria() || !persona.release.since(8, 0)
        }
        "global_status" | "global_variables" | "session_status" | "session_variables" => {
            !persona.maria() && persona.release.since(5, 7)
        }
        "processlist" => !persona.maria() && persona.release.since(8, 0),
        _ => true,
    }
}

const INFORMATION_TABLES: &[&str] = &[
    "CHARACTER_SETS",
    "COLLATIONS",
    "COLUMNS",
    "COLUMN_PRIVILEGES",
    "ENGINES",
    "EVENTS",
    "FILES",
    "GLOBAL_STATUS",
    "GLOBAL_VARIABLES",
    "KEY_COLUMN_USAGE",
    "PARAMETERS",
    "PARTITIONS",
    "PLUGINS",
    "PROCESSLIST",
    "REFERENTIAL_CONSTRAINTS",
    "ROUTINES",
    "SCHEMATA",
    "SCHEMA_PRIVILEGES",
    "SESSION_STATUS",
    "SESSION_VARIABLES",
    "STATISTICS",
    "TABLES",
    "TABLE_CONSTRAINTS",
    "TABLE_PRIVILEGES",
    "TRIGGERS",
    "USER_PRIVILEGES",
    "VIEWS",
];
const OWN_TABLES: &[&str] = &[
    "columns_priv",
    "db",
    "event",
    "func",
    "global_priv",
    "plugin",
    "proc",
    "procs_priv",
    "tables_priv",
    "user",
];
const PERFORMANCE_TABLES: &[&str] =
    &["global_status", "global_variables", "processlist", "session_status", "session_variables", "threads"];

/// The type of most columns here.
pub(crate) const TEXT: Kind = Kind::Varchar(64);

/// A table of texts.
pub(crate) fn texts(name: &str, columns: &[&str], rows: Vec<Vec<Value>>) -> Table {
    let columns: Vec<(&str, Kind)> = columns.iter().map(|column| (*column, TEXT)).collect();
    Table::system(name, &columns, rows)
}

/// A type as DESCRIBE and SHOW CREATE TABLE write it.
pub(crate) fn column_type(dialect: &Dialect<'_>, kind: Kind) -> String {
    // MySQL 8.0.19 and later leave out the display width of whole numbers.
    let wide = dialect.persona.maria() || dialect.persona.release < super::persona::Release(8, 0, 19);
    let whole = |name: &str, width: u8| if wide { format!("{name}({width})") } else { name.to_owned() };
    match kind {
        Kind::Boolean => "tinyint(1)".to_owned(),
        Kind::TinyInt => whole("tinyint", 4),
        Kind::SmallInt => whole("smallint", 6),
        Kind::Integer | Kind::Oid => whole("int", 11),
        Kind::BigInt => whole("bigint", 20),
        Kind::Decimal { precision, scale } => format!("decimal({precision},{scale})"),
        Kind::Float => "float".to_owned(),
        Kind::Double => "double".to_owned(),
        Kind::Char(length) => format!("char({length})"),
        Kind::Uuid => "char(36)".to_owned(),
        Kind::Varchar(length) => format!("varchar({})", length.min(65_535)),
        Kind::Name => "varchar(64)".to_owned(),
        Kind::Text | Kind::Array | Kind::Letter => "text".to_owned(),
        Kind::Blob => "blob".to_owned(),
        Kind::Date => "date".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Timestamp => "datetime".to_owned(),
        Kind::Json => if dialect.persona.maria() { "longtext" } else { "json" }.to_owned(),
    }
}

/// Whether values of a kind have a collation.
pub(crate) fn is_text(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Char(_) | Kind::Uuid | Kind::Varchar(_) | Kind::Name | Kind::Text | Kind::Array | Kind::Letter
    )
}

/// `PRI`, `UNI` or nothing.
pub(crate) fn key(column: &Column) -> &'static str {
    if column.primary {
        "PRI"
    } else if column.unique {
        "UNI"
    } else {
        ""
    }
}

/// Character set and collation of stored texts.
pub(crate) fn charset(dialect: &Dialect<'_>) -> (&'static str, &'static str) {
    match (dialect.persona.charset, dialect.persona.maria()) {
        (8, _) => ("latin1", "latin1_swedish_ci"),
        (_, true) => ("utf8mb4", "utf8mb4_general_ci"),
        (_, false) => ("utf8mb4", "utf8mb4_0900_ai_ci"),
    }
}

/// Bytes and rows of a table, as the storage engine estimates them.
pub(crate) fn sizes(table: &Table) -> (i64, i64) {
    let pages = (table.size() as i64 * 2 / 16_384 + 1) * 16_384;
    (table.rows.len() as i64, pages)
}

/// Tables of information_schema.
pub(crate) fn information(dialect: &Dialect<'_>, context: &Context<'_>, name: &str) -> Option<Table> {
    let def = || Value::text("def");
    let (charset_name, collation) = charset(dialect);
    let number = Kind::BigInt;
    Some(match name {
        "schemata" => {
            let rows = databases(dialect, context.catalogue)
                .into_iter()
                .map(|name| {
                    let (set, order) = match name.as_str() {
                        INFORMATION => ("utf8mb3", "utf8mb3_general_ci"),
                        _ => (charset_name, collation),
                    };
                    vec![def(), Value::text(name), Value::text(set), Value::text(order), Value::Null]
                })
                .collect();
            texts(
                "SCHEMATA",
                &[
                    "CATALOG_NAME",
                    "SCHEMA_NAME",
                    "DEFAULT_CHARACTER_SET_NAME",
                    "DEFAULT_COLLATION_NAME",
                    "SQL_PATH",
                ],
                rows,
            )
        }
        "tables" => self::all_tables(dialect, context),
        "columns" => columns(dialect, context),
        "statistics" => {
            let mut rows = Vec::new();
            for (schema, table) in stored(context) {
                for (index, column) in
                    table.columns.iter().filter(|column| column.primary || column.unique).enumerate()
                {
                    let key = if column.primary { "PRIMARY".to_owned() } else { column.name.clone() };
                    rows.push(vec![
                        def(),
                        Value::text(schema),
                        Value::text(&table.name),
                        Value::Integer(0),
                        Value::text(schema),
                        Value::text(key),
                        Value::Integer(index as i64 + 1),
                        Value::text(&column.name),
                        Value::text("A"),
                        Value::Integer(table.rows.len() as i64),
                        Value::Null,
                        Value::Null,
                        Value::text(""),
                        Value::text("BTREE"),
                        Value::text(""),
                        Value::text(""),
                    ]);
                }
            }
            Table::system(
                "STATISTICS",
                &[
                    ("TABLE_CATALOG", TEXT),
                    ("TABLE_SCHEMA", TEXT),
                    ("TABLE_NAME", TEXT),
                    ("NON_UNIQUE", number),
                    ("INDEX_SCHEMA", TEXT),
                    ("INDEX_NAME", TEXT),
                    ("SEQ_IN_INDEX", number),
                    ("COLUMN_NAME", TEXT),
                    ("COLLATION", TEXT),
                    ("CARDINALITY", number),
                    ("SUB_PART", number),
                    ("PACKED", TEXT),
                    ("NULLABLE", TEXT),
                    ("INDEX_TYPE", TEXT),
                    ("COMMENT", TEXT),
                    ("INDEX_COMMENT", TEXT),
                ],
                rows,
            )
        }
        "table_constraints" | "key_column_usage" => {
            let usage = name == "key_column_usage";
            let mut rows = Vec::new();
            for (schema, table) in stored(context) {
                for column in table.columns.iter().filter(|column| column.primary || column.unique) {
                    let key = if column.primary { "PRIMARY".to_owned() } else { column.name.clone() };
                    let mut row = vec![def(), Value::text(schema), Value::text(key)];
                    if usage {
                        row.extend([
                            def(),
                            Value::text(schema),
                            Value::text(&table.name),
                            Value::text(&column.name),
                        ]);
                        row.extend([Value::Integer(1), Value::Null, Value::Null, Value::Null, Value::Null]);
                    } else {
                        row.extend([Value::text(schema), Value::text(&table.name)]);
                        row.push(Value::text(if column.primary { "PRIMARY KEY" } else { "UNIQUE" }));
                    }
                    rows.push(row);
                }
            }
            if usage {
                texts(
                    "KEY_COLUMN_USAGE",
                    &[
                        "CONSTRAINT_CATALOG",
                        "CONSTRAINT_SCHEMA",
                        "CONSTRAINT_NAME",
                        "TABLE_CATALOG",
                        "TABLE_SCHEMA",
                        "TABLE_NAME",
                        "COLUMN_NAME",
                        "ORDINAL_POSITION",
                        "POSITION_IN_UNIQUE_CONSTRAINT",
                        "REFERENCED_TABLE_SCHEMA",
                        "REFERENCED_TABLE_NAME",
                        "REFERENCED_COLUMN_NAME",
                    ],
                    rows,
                )
            } else {
                texts(
                    "TABLE_CONSTRAINTS",
                    &[
                        "CONSTRAINT_CATALOG",
                        "CONSTRAINT_SCHEMA",
                        "CONSTRAINT_NAME",
                        "TABLE_SCHEMA",
                        "TABLE_NAME",
                        "CONSTRAINT_TYPE",
                    ],
                    rows,
                )
            }
        }
        "engines" => texts("ENGINES", ENGINE_COLUMNS, engines(dialect)),
        "plugins" => {
            let (_, maturity) = ("", "Stable");
            let rows = ["binlog", "mysql_native_password", "InnoDB", "MyISAM", "MEMORY", "CSV"]
                .iter()
                .map(|plugin| {
                    let kind = match *plugin {
                        "mysql_native_password" => "AUTHENTICATION",
                        _ => "STORAGE ENGINE",
                    };
                    vec![
                        Value::text(plugin),
                        Value::text("1.0"),
                        Value::text("ACTIVE"),
                        Value::text(kind),
                        Value::Null,
                        Value::text("GPL"),
                        Value::text(maturity),
                    ]
                })
                .collect();
            texts(
                "PLUGINS",
                &[
                    "PLUGIN_NAME",
                    "PLUGIN_VERSION",
                    "PLUGIN_STATUS",
                    "PLUGIN_TYPE",
                    "PLUGIN_LIBRARY",
                    "PLUGIN_LICENSE",
                    "PLUGIN_MATURITY",
                ],
                rows,
            )
        }
        "processlist" => processlist(dialect, true),
        "character_sets" => Table::system(
            "CHARACTER_SETS",
            &[
                ("CHARACTER_SET_NAME", TEXT),
                ("DEFAULT_COLLATE_NAME", TEXT),
                ("DESCRIPTION", TEXT),
                ("MAXLEN", number),
            ],
            lines(include_str!("data/charsets.tsv")),
        ),
        "collations" => Table::system(
            "COLLATIONS",
            &[
                ("COLLATION_NAME", TEXT),
                ("CHARACTER_SET_NAME", TEXT),
                ("ID", number),
                ("IS_DEFAULT", TEXT),
                ("SORTLEN", number),
            ],
            lines(include_str!("data/collations.tsv")),
        ),
        "user_privileges" => {
            let mut rows = Vec::new();
            for account in &dialect.state.accounts {
                let grantee = format!("'{}'@'{}'", account.user, account.host);
                if !account.all {
                    rows.push(vec![Value::text(&grantee), def(), Value::text("USAGE"), Value::text("NO")]);
                    continue;
                }
                for name in PRIVILEGES.iter().filter(|name| **name != "Grant") {
                    let name = name.to_uppercase().replace('_', " ");
                    let name = match name.as_str() {
                        "SHOW DB" => "SHOW DATABASES".to_owned(),
                        "CREATE TMP TABLE" => "CREATE TEMPORARY TABLES".to_owned(),
                        "REPL SLAVE" => "REPLICATION SLAVE".to_owned(),
                        "REPL CLIENT" => "REPLICATION CLIENT".to_owned(),
                        _ => name,
                    };
                    rows.push(vec![Value::text(&grantee), def(), Value::text(name), Value::text("YES")]);
                }
            }
            texts("USER_PRIVILEGES", &["GRANTEE", "TABLE_CATALOG", "PRIVILEGE_TYPE", "IS_GRANTABLE"], rows)
        }
        "global_variables" | "session_variables" => pairs(name, &listed(dialect, name.starts_with("global"))),
        "global_status" | "session_status" => {
            pairs(name, &variables::status(dialect.server, dialect.persona, dialect.state))
        }
        // What nobody has made.
        "views" => texts(
            "VIEWS",
            &[
                "TABLE_CATALOG",
                "TABLE_SCHEMA",
                "TABLE_NAME",
                "VIEW_DEFINITION",
                "CHECK_OPTION",
                "IS_UPDATABLE",
                "DEFINER",
                "SECURITY_TYPE",
            ],
            vec![],
        ),
        "routines" => texts(
            "ROUTINES",
            &[
                "SPECIFIC_NAME",
                "ROUTINE_CATALOG",
                "ROUTINE_SCHEMA",
                "ROUTINE_NAME",
                "ROUTINE_TYPE",
                "DATA_TYPE",
                "ROUTINE_BODY",
                "ROUTINE_DEFINITION",
                "EXTERNAL_LANGUAGE",
                "CREATED",
                "LAST_ALTERED",
                "DEFINER",
                "ROUTINE_COMMENT",
            ],
            vec![],
        ),
        "parameters" => texts(
            "PARAMETERS",
            &[
                "SPECIFIC_CATALOG",
                "SPECIFIC_SCHEMA",
                "SPECIFIC_NAME",
                "ORDINAL_POSITION",
                "PARAMETER_MODE",
                "PARAMETER_NAME",
                "DATA_TYPE",
                "DTD_IDENTIFIER",
            ],
            vec![],
        ),
        "triggers" => texts(
            "TRIGGERS",
            &[
                "TRIGGER_CATALOG",
                "TRIGGER_SCHEMA",
                "TRIGGER_NAME",
                "EVENT_MANIPULATION",
                "EVENT_OBJECT_SCHEMA",
                "EVENT_OBJECT_TABLE",
                "ACTION_STATEMENT",
                "ACTION_TIMING",
                "CREATED",
                "SQL_MODE",
                "DEFINER",
            ],
            vec![],
        ),
        "events" => texts(
            "EVENTS",
            &[
                "EVENT_CATALOG",
                "EVENT_SCHEMA",
                "EVENT_NAME",
                "DEFINER",
                "TIME_ZONE",
                "EVENT_BODY",
                "EVENT_DEFINITION",
                "EVENT_TYPE",
                "STATUS",
                "CREATED",
            ],
            vec![],
        ),
        "files" => texts(
            "FILES",
            &[
                "FILE_ID",
                "FILE_NAME",
                "FILE_TYPE",
                "TABLESPACE_NAME",
                "TABLE_SCHEMA",
                "TABLE_NAME",
                "LOGFILE_GROUP_NAME",
                "ENGINE",
                "TOTAL_EXTENTS",
                "INITIAL_SIZE",
                "EXTRA",
            ],
            vec![],
        ),
        "partitions" => texts(
            "PARTITIONS",
            &["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "PARTITION_NAME", "TABLE_ROWS"],
            vec![],
        ),
        "referential_constraints" => texts(
            "REFERENTIAL_CONSTRAINTS",
            &[
                "CONSTRAINT_CATALOG",
                "CONSTRAINT_SCHEMA",
                "CONSTRAINT_NAME",
                "UNIQUE_CONSTRAINT_SCHEMA",
                "UNIQUE_CONSTRAINT_NAME",
                "MATCH_OPTION",
                "UPDATE_RULE",
                "DELETE_RULE",
                "TABLE_NAME",
                "REFERENCED_TABLE_NAME",
            ],
            vec![],
        ),
        "schema_privileges" => texts(
            "SCHEMA_PRIVILEGES",
            &["GRANTEE", "TABLE_CATALOG", "TABLE_SCHEMA", "PRIVILEGE_TYPE", "IS_GRANTABLE"],
            vec![],
        ),
        "table_privileges" => texts(
            "TABLE_PRIVILEGES",
            &["GRANTEE", "TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "PRIVILEGE_TYPE", "IS_GRANTABLE"],
            vec![],
        ),
        "column_privileges" => texts(
            "COLUMN_PRIVILEGES",
            &[
                "GRANTEE",
                "TABLE_CATALOG",
                "TABLE_SCHEMA",
                "TABLE_NAME",
                "COLUMN_NAME",
                "PRIVILEGE_TYPE",
                "IS_GRANTABLE",
            ],
            vec![],
        ),
        _ => return None,
    })
}

fn stored<'a>(context: &Context<'a>) -> impl Iterator<Item = (&'a str, &'a Table)> {
    schemas(context.catalogue)
        .iter()
        .flat_map(|schema| schema.tables.iter().map(|table| (schema.name.as_str(), table)))
}

fn lines(data: &str) -> Vec<Vec<Value>> {
    data.lines()
        .map(|line| {
            line.split('\t')
                .map(|field| field.parse().map_or_else(|_| Value::text(field), Value::Integer))
                .collect()
        })
        .collect()
}

fn pairs(name: &str, list: &[(String, String)]) -> Table {
    let rows = list.iter().map(|(name, value)| vec![Value::text(name), Value::text(value)]).collect();
    Table::system(
        &name.to_uppercase(),
        &[("VARIABLE_NAME", Kind::Varchar(64)), ("VARIABLE_VALUE", Kind::Varchar(4096))],
        rows,
    )
}

/// All variables; those of the session with what it has set.
pub(crate) fn listed(dialect: &Dialect<'_>, global: bool) -> Vec<(String, String)> {
    let mut list = variables::variables(dialect.server, dialect.persona, dialect.state);
    if !global {
        for (name, value) in &mut list {
            if let Some(own) = dialect.settings.get(name) {
                value.clone_from(own);
            }
        }
    }
    list
}

fn all_tables(dialect: &Dialect<'_>, context: &Context<'_>) -> Table {
    let number = Kind::BigInt;
    let columns = [
        ("TABLE_CATALOG", TEXT),
        ("TABLE_SCHEMA", TEXT),
        ("TABLE_NAME", TEXT),
        ("TABLE_TYPE", TEXT),
        ("ENGINE", TEXT),
        ("VERSION", number),
        ("ROW_FORMAT", TEXT),
        ("TABLE_ROWS", number),
        ("AVG_ROW_LENGTH", number),
        ("DATA_LENGTH", number),
        ("MAX_DATA_LENGTH", number),
        ("INDEX_LENGTH", number),
        ("DATA_FREE", number),
        ("AUTO_INCREMENT", number),
        ("CREATE_TIME", Kind::Timestamp),
        ("UPDATE_TIME", Kind::Timestamp),
        ("CHECK_TIME", Kind::Timestamp),
        ("TABLE_COLLATION", TEXT),
        ("CHECKSUM", number),
        ("CREATE_OPTIONS", TEXT),
        ("TABLE_COMMENT", TEXT),
    ];
    let mut rows = Vec::new();
    for schema in system_schemas(dialect) {
        for name in tables(dialect, context, schema) {
            let (kind, engine) = match schema {
                INFORMATION => ("SYSTEM VIEW", "MEMORY"),
                "mysql" => ("BASE TABLE", "InnoDB"),
                _ => ("BASE TABLE", "PERFORMANCE_SCHEMA"),
            };
            let mut row = vec![
                Value::text("def"),
                Value::text(schema),
                Value::text(name),
                Value::text(kind),
                Value::text(engine),
                Value::Integer(10),
            ];
            row.resize(columns.len(), Value::Null);
            row[19] = Value::text("");
            row[20] = Value::text("");
            rows.push(row);
        }
    }
    for (schema, table) in stored(context) {
        rows.push(table_row(dialect, schema, table));
    }
    Table::system("TABLES", &columns, rows)
}

/// A stored table as `information_schema.TABLES` tells of it.
pub(crate) fn table_row(dialect: &Dialect<'_>, schema: &str, table: &Table) -> Vec<Value> {
    let (count, bytes) = sizes(table);
    let automatic = table.columns.iter().any(|column| column.automatic);
    let made = Value::Timestamp(table.made.div_euclid(1_000_000) * 1_000_000);
    vec![
        Value::text("def"),
        Value::text(schema),
        Value::text(&table.name),
        Value::text("BASE TABLE"),
        Value::text("InnoDB"),
        Value::Integer(10),
        Value::text("Dynamic"),
        Value::Integer(count),
        Value::Integer(bytes.checked_div(count).unwrap_or(0)),
        Value::Integer(bytes),
        Value::Integer(0),
        Value::Integer(0),
        Value::Integer(0),
        if automatic { Value::Integer(table.next) } else { Value::Null },
        made,
        Value::Null,
        Value::Null,
        Value::text(charset(dialect).1),
        Value::Null,
        Value::text(""),
        Value::text(""),
    ]
}

fn columns(dialect: &Dialect<'_>, context: &Context<'_>) -> Table {
    let number = Kind::BigInt;
    let mut headings = vec![
        ("TABLE_CATALOG", TEXT),
        ("TABLE_SCHEMA", TEXT),
        ("TABLE_NAME", TEXT),
        ("COLUMN_NAME", TEXT),
        ("ORDINAL_POSITION", number),
        ("COLUMN_DEFAULT", Kind::Text),
        ("IS_NULLABLE", TEXT),
        ("DATA_TYPE", TEXT),
        ("CHARACTER_MAXIMUM_LENGTH", number),
        ("CHARACTER_OCTET_LENGTH", number),
        ("NUMERIC_PRECISION", number),
        ("NUMERIC_SCALE", number),
        ("DATETIME_PRECISION", number),
        ("CHARACTER_SET_NAME", TEXT),
        ("COLLATION_NAME", TEXT),
        ("COLUMN_TYPE", Kind::Text),
        ("COLUMN_KEY", TEXT),
        ("EXTRA", TEXT),
        ("PRIVILEGES", TEXT),
        ("COLUMN_COMMENT", TEXT),
    ];
    let maria = dialect.persona.maria();
    let generated = dialect.persona.release.since(if maria { 10 } else { 5 }, if maria { 2 } else { 7 });
    if generated && maria {
        headings.extend([("IS_GENERATED", TEXT), ("GENERATION_EXPRESSION", Kind::Text)]);
    } else if generated {
        headings.push(("GENERATION_EXPRESSION", Kind::Text));
    }
    let mut rows = Vec::new();
    let mut describe = |schema: &str, table: &Table| {
        for (index, column) in table.columns.iter().enumerate() {
            let kind = column_type(dialect, column.kind);
            let data_type = kind.split('(').next().unwrap_or_default().to_owned();
            let length = match column.kind {
                Kind::Char(length) | Kind::Varchar(length) => Some(i64::from(length)),
                Kind::Text | Kind::Blob => Some(65_535),
                Kind::Name => Some(64),
                Kind::Uuid => Some(36),
                _ => None,
            };
            let (precision, scale) = match column.kind {
                Kind::Boolean | Kind::TinyInt => (Some(3), Some(0)),
                Kind::SmallInt => (Some(5), Some(0)),
                Kind::Integer | Kind::Oid => (Some(10), Some(0)),
                Kind::BigInt => (Some(19), Some(0)),
                Kind::Decimal { precision, scale } => (Some(i64::from(precision)), Some(i64::from(scale))),
                Kind::Float => (Some(12), None),
                Kind::Double => (Some(22), None),
                _ => (None, None),
            };
            let maybe = |number: Option<i64>| number.map_or(Value::Null, Value::Integer);
            let (set, order) = if is_text(column.kind) {
                let (set, order) = charset(dialect);
                (Value::text(set), Value::text(order))
            } else {
                (Value::Null, Value::Null)
            };
            let wide = if is_text(column.kind) && !matches!(column.kind, Kind::Text) { 4 } else { 1 };
            let mut row = vec![
                Value::text("def"),
                Value::text(schema),
                Value::text(&table.name),
                Value::text(&column.name),
                Value::Integer(index as i64 + 1),
                column
                    .default
                    .as_ref()
                    .map_or(Value::Null, |value| Value::text(super::functions::string(value))),
                Value::text(if column.nullable { "YES" } else { "NO" }),
                Value::text(data_type),
                maybe(length),
                maybe(length.map(|length| length * wide)),
                maybe(precision),
                maybe(scale),
                if matches!(column.kind, Kind::Timestamp | Kind::Time) {
                    Value::Integer(0)
                } else {
                    Value::Null
                },
                set,
                order,
                Value::text(kind),
                Value::text(key(column)),
                Value::text(if column.automatic { "auto_increment" } else { "" }),
                Value::text("select,insert,update,references"),
                Value::text(""),
            ];
            if generated && maria {
                row.extend([Value::text("NEVER"), Value::Null]);
            } else if generated {
                row.push(Value::text(""));
            }
            rows.push(row);
        }
    };
    for schema in system_schemas(dialect) {
        // information_schema.COLUMNS does not describe itself here: that would not end.
        for name in
            tables(dialect, context, schema).iter().filter(|name| schema != INFORMATION || *name != "COLUMNS")
        {
            let path = [schema.to_owned(), name.to_lowercase()];
            if schema != INFORMATION
                && let Some(table) = table(dialect, context, &path)
            {
                describe(schema, &table);
            }
        }
    }
    for (schema, table) in stored(context) {
        describe(schema, table);
    }
    Table::system("COLUMNS", &headings, rows)
}

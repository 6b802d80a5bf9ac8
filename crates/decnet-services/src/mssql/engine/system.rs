//! The system's tables and views, made when somebody asks.

use super::objects::objects;
use super::product::TSql;
use super::{LoginAccount, Setting};
use crate::mssql::persona::Persona;
use crate::sql::{Context, Database, Kind, Table, Value};

/// The folder of the databases' files.
pub(super) fn data_folder(persona: &Persona) -> String {
    if !persona.windows {
        return "/var/opt/mssql/data/".to_owned();
    }
    let instance = if persona.instance.is_empty() { "MSSQLSERVER" } else { &persona.instance };
    let [major, minor, ..] = persona.numbers;
    let minor = if major == 10 && minor >= 50 { "_50" } else { "" };
    format!("C:\\Program Files\\Microsoft SQL Server\\MSSQL{major}{minor}.{instance}\\MSSQL\\DATA\\")
}

/// The options of `sp_configure`: number, name, minimum, maximum, default, whether advanced, whether dynamic
/// (public documentation, "Server configuration options").
#[rustfmt::skip]
const SETTINGS: &[(i64, &str, i64, i64, i64, bool, bool)] = &[
    (101, "recovery interval (min)", 0, 32_767, 0, true, true),
    (102, "allow updates", 0, 1, 0, false, true),
    (103, "user connections", 0, 32_767, 0, true, false),
    (106, "locks", 5_000, 2_147_483_647, 0, true, false),
    (107, "open objects", 0, 2_147_483_647, 0, true, false),
    (109, "fill factor (%)", 0, 100, 0, true, false),
    (114, "disallow results from triggers", 0, 1, 0, true, true),
    (115, "nested triggers", 0, 1, 1, false, true),
    (116, "server trigger recursion", 0, 1, 1, false, true),
    (117, "remote access", 0, 1, 1, false, false),
    (124, "default language", 0, 9_999, 0, false, true),
    (400, "cross db ownership chaining", 0, 1, 0, false, true),
    (503, "max worker threads", 128, 65_535, 0, true, true),
    (505, "network packet size (B)", 512, 32_767, 4_096, true, true),
    (518, "show advanced options", 0, 1, 0, false, true),
    (542, "remote proc trans", 0, 1, 0, false, true),
    (544, "c2 audit mode", 0, 1, 0, true, false),
    (1126, "default full-text language", 0, 2_147_483_647, 1033, true, true),
    (1127, "two digit year cutoff", 1753, 9_999, 2049, true, true),
    (1505, "index create memory (KB)", 704, 2_147_483_647, 0, true, true),
    (1517, "priority boost", 0, 1, 0, true, false),
    (1519, "remote login timeout (s)", 0, 2_147_483_647, 10, false, true),
    (1520, "remote query timeout (s)", 0, 2_147_483_647, 600, false, true),
    (1531, "cursor threshold", -1, 2_147_483_647, -1, true, true),
    (1532, "set working set size", 0, 1, 0, true, false),
    (1534, "user options", 0, 32_767, 0, false, true),
    (1535, "affinity mask", -2_147_483_648, 2_147_483_647, 0, true, true),
    (1536, "max text repl size (B)", -1, 2_147_483_647, 65_536, false, true),
    (1537, "media retention", 0, 365, 0, true, true),
    (1538, "cost threshold for parallelism", 0, 32_767, 5, true, true),
    (1539, "max degree of parallelism", 0, 32_767, 4, true, true),
    (1540, "min memory per query (KB)", 512, 2_147_483_647, 1_024, true, true),
    (1541, "query wait (s)", -1, 2_147_483_647, -1, true, true),
    (1543, "min server memory (MB)", 0, 2_147_483_647, 16, true, true),
    (1544, "max server memory (MB)", 128, 2_147_483_647, 2_147_483_647, true, true),
    (1545, "query governor cost limit", 0, 2_147_483_647, 0, true, true),
    (1546, "lightweight pooling", 0, 1, 0, true, false),
    (1547, "scan for startup procs", 0, 1, 0, true, false),
    (1556, "transform noise words", 0, 1, 0, true, true),
    (1557, "precompute rank", 0, 1, 0, true, true),
    (1562, "clr enabled", 0, 1, 0, false, true),
    (1568, "default trace enabled", 0, 1, 1, true, true),
    (1569, "blocked process threshold (s)", 0, 86_400, 0, true, true),
    (1576, "remote admin connections", 0, 1, 0, false, true),
    (1579, "backup compression default", 0, 1, 0, false, true),
    (1580, "filestream access level", 0, 2, 0, false, true),
    (1581, "optimize for ad hoc workloads", 0, 1, 0, true, true),
    (1583, "contained database authentication", 0, 1, 0, false, true),
    (1587, "clr strict security", 0, 1, 1, true, true),
    (16384, "Agent XPs", 0, 1, 0, true, true),
    (16386, "Database Mail XPs", 0, 1, 0, true, true),
    (16387, "SMO and DMO XPs", 0, 1, 1, true, true),
    (16388, "Ole Automation Procedures", 0, 1, 0, true, true),
    (16390, "xp_cmdshell", 0, 1, 0, true, true),
    (16391, "Ad Hoc Distributed Queries", 0, 1, 0, true, true),
    (16392, "Replication XPs", 0, 1, 0, true, true),
    (16394, "polybase network encryption", 0, 1, 1, false, true),
    (16396, "allow polybase export", 0, 1, 0, false, true),
    (16398, "external scripts enabled", 0, 1, 0, false, true),
];

/// The options of this release.
pub(super) fn settings(persona: &Persona) -> Vec<Setting> {
    let major = persona.numbers[0];
    let express = persona.edition.starts_with("Express");
    SETTINGS
        .iter()
        .filter(|(id, ..)| match id {
            1587 => major >= 14,
            16394 | 16396 => major >= 15,
            16398 => major >= 13,
            1583 => major >= 11,
            _ => true,
        })
        .map(|&(id, name, minimum, maximum, default, advanced, dynamic)| {
            // The agent sets its own when it starts; Express has none.
            let value = if id == 16384 && !express { 1 } else { default };
            Setting { id, name, minimum, maximum, configured: value, running: value, advanced, dynamic }
        })
        .collect()
}

/// Types by number: system id, name, bytes, precision.
pub(super) const TYPES: &[(i64, &str, i64, i64)] = &[
    (34, "image", 16, 0),
    (35, "text", 16, 0),
    (36, "uniqueidentifier", 16, 0),
    (40, "date", 3, 10),
    (41, "time", 5, 16),
    (42, "datetime2", 8, 27),
    (48, "tinyint", 1, 3),
    (52, "smallint", 2, 5),
    (56, "int", 4, 10),
    (58, "smalldatetime", 4, 16),
    (59, "real", 4, 24),
    (60, "money", 8, 19),
    (61, "datetime", 8, 23),
    (62, "float", 8, 53),
    (98, "sql_variant", 8016, 0),
    (99, "ntext", 16, 0),
    (104, "bit", 1, 1),
    (106, "decimal", 17, 38),
    (108, "numeric", 17, 38),
    (127, "bigint", 8, 19),
    (165, "varbinary", 8000, 0),
    (167, "varchar", 8000, 0),
    (173, "binary", 8000, 0),
    (175, "char", 8000, 0),
    (231, "nvarchar", 8000, 0),
    (239, "nchar", 8000, 0),
    (241, "xml", -1, 0),
    (256, "sysname", 256, 0),
];

/// TYPE_NAME.
pub(super) fn type_name(id: i64) -> Value {
    TYPES.iter().find(|(other, ..)| *other == id).map_or(Value::Null, |(_, name, ..)| Value::text(name))
}

/// The type's number, its bytes, precision and scale.
pub(super) fn typed(kind: Kind) -> (i64, i64, i64, i64) {
    let name = super::errors::type_name(kind);
    let (id, _, size, precision) =
        TYPES.iter().find(|(_, other, ..)| *other == name).copied().unwrap_or((231, "", -1, 0));
    match kind {
        Kind::Varchar(length) | Kind::Char(length) if length <= 4000 => (id, i64::from(length) * 2, 0, 0),
        Kind::Varchar(_) | Kind::Text | Kind::Blob => (id, -1, 0, 0),
        Kind::Decimal { precision, scale } => {
            (id, if precision < 10 { 5 } else { 9 }, precision.into(), scale.into())
        }
        _ => (id, size, precision, 0),
    }
}

/// Columns and rows of a system table.
pub(super) type Made = (Vec<(&'static str, Kind)>, Vec<Vec<Value>>);

pub(super) fn text(value: impl AsRef<str>) -> Value {
    Value::text(value)
}

pub(super) fn int(value: impl Into<i64>) -> Value {
    Value::Integer(value.into())
}

pub(super) const NAME: Kind = Kind::Name;
pub(super) const INT: Kind = Kind::Integer;
pub(super) const BIT: Kind = Kind::Boolean;
pub(super) const TIME: Kind = Kind::Timestamp;

/// The table of a path, where it is the system's.
pub(super) fn table(product: &TSql<'_>, context: &Context<'_>, path: &[String]) -> Option<Table> {
    let lower: Vec<String> = path.iter().map(|part| part.to_lowercase()).collect();
    let (database, schema, name) = match lower.as_slice() {
        [name] => (None, "", name.as_str()),
        [schema, name] => (None, schema.as_str(), name.as_str()),
        [database, schema, name] => (Some(database.as_str()), schema.as_str(), name.as_str()),
        _ => return None,
    };
    let at = match database {
        Some(name) => context.catalogue.database(name, true)?,
        None => context.database()?,
    };
    let here = context.catalogue.databases.get(at)?;
    let (columns, rows) = match schema {
        "information_schema" => information(here, name)?,
        // Views of old times stand in every database under dbo, too.
        "sys" | "dbo" | "" => {
            let bare = schema != "sys";
            if bare && !name.starts_with("sys") && !(here.name == "msdb" || here.name == "master") {
                return None;
            }
            server(product, context, name)
                .or_else(|| objects(product, here, name))
                .or_else(|| agent(product, here, name))?
        }
        _ => return None,
    };
    Some(Table::system(name, &columns, rows))
}

fn information(here: &Database, name: &str) -> Option<Made> {
    let user =
        || here.schemas.iter().flat_map(|schema| schema.tables.iter().map(move |table| (schema, table)));
    Some(match name {
        "tables" => (
            vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("TABLE_TYPE", Kind::Varchar(10)),
            ],
            user()
                .map(|(schema, table)| {
                    vec![text(&here.name), text(&schema.name), text(&table.name), text("BASE TABLE")]
                })
                .collect(),
        ),
        "schemata" => (
            vec![("CATALOG_NAME", NAME), ("SCHEMA_NAME", NAME), ("SCHEMA_OWNER", NAME)],
            ["dbo", "guest", "INFORMATION_SCHEMA", "sys"]
                .map(|schema| vec![text(&here.name), text(schema), text(schema)])
                .to_vec(),
        ),
        "columns" => (
            vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("COLUMN_NAME", NAME),
                ("ORDINAL_POSITION", INT),
                ("COLUMN_DEFAULT", Kind::Varchar(4000)),
                ("IS_NULLABLE", Kind::Varchar(3)),
                ("DATA_TYPE", NAME),
                ("CHARACTER_MAXIMUM_LENGTH", INT),
            ],
            user()
                .flat_map(|(schema, table)| {
                    table.columns.iter().enumerate().map(move |(at, column)| {
                        let length = match column.kind {
                            Kind::Varchar(length) | Kind::Char(length) if length <= 4000 => int(length),
                            Kind::Varchar(_) | Kind::Text | Kind::Blob => int(-1),
                            _ => Value::Null,
                        };
                        vec![
                            text(&here.name),
                            text(&schema.name),
                            text(&table.name),
                            text(&column.name),
                            int(at as i64 + 1),
                            Value::Null,
                            text(if column.nullable { "YES" } else { "NO" }),
                            text(super::errors::type_name(column.kind)),
                            length,
                        ]
                    })
                })
                .collect(),
        ),
        "routines" | "views" | "key_column_usage" | "table_constraints" => (
            vec![
                ("TABLE_CATALOG", NAME),
                ("TABLE_SCHEMA", NAME),
                ("TABLE_NAME", NAME),
                ("ROUTINE_NAME", NAME),
            ],
            Vec::new(),
        ),
        _ => return None,
    })
}

fn login_kind(login: &LoginAccount) -> &'static str {
    match login.kind {
        'S' => "SQL_LOGIN",
        'U' => "WINDOWS_LOGIN",
        'R' => "SERVER_ROLE",
        _ => "CERTIFICATE_MAPPED_LOGIN",
    }
}

/// What is the same in every database.
fn server(product: &TSql<'_>, context: &Context<'_>, name: &str) -> Option<Made> {
    let facts = product.facts;
    let persona = &product.shared.persona;
    let level = i64::from(match persona.numbers[0] {
        10 => 100,
        major => major * 10,
    });
    let made = |name: &str| {
        let known = facts.databases_made.get(name).copied();
        Value::Timestamp(known.unwrap_or(product.shared.host.identity().times.installed * 1_000_000))
    };
    let folder = data_folder(persona);
    let databases = || context.catalogue.databases.iter().enumerate();
    Some(match name {
        "databases" => (
            vec![
                ("name", NAME),
                ("database_id", INT),
                ("source_database_id", INT),
                ("owner_sid", Kind::Blob),
                ("create_date", TIME),
                ("compatibility_level", Kind::TinyInt),
                ("collation_name", NAME),
                ("user_access", Kind::TinyInt),
                ("user_access_desc", Kind::Varchar(60)),
                ("is_read_only", BIT),
                ("is_auto_close_on", BIT),
                ("state", Kind::TinyInt),
                ("state_desc", Kind::Varchar(60)),
                ("recovery_model", Kind::TinyInt),
                ("recovery_model_desc", Kind::Varchar(60)),
                ("is_trustworthy_on", BIT),
                ("is_db_chaining_on", BIT),
                ("is_encrypted", BIT),
                ("is_broker_enabled", BIT),
            ],
            databases()
                .map(|(at, database)| {
                    let simple = matches!(database.name.as_str(), "master" | "tempdb" | "msdb");
                    vec![
                        text(&database.name),
                        int(at as i64 + 1),
                        Value::Null,
                        Value::bytes([1]),
                        made(&database.name),
                        int(level),
                        text("SQL_Latin1_General_CP1_CI_AS"),
                        int(0),
                        text("MULTI_USER"),
                        Value::Bool(false),
                        Value::Bool(false),
                        int(0),
                        text("ONLINE"),
                        int(if simple { 3 } else { 1 }),
                        text(if simple { "SIMPLE" } else { "FULL" }),
                        Value::Bool(database.name == "msdb"),
                        Value::Bool(matches!(database.name.as_str(), "master" | "tempdb" | "msdb")),
                        Value::Bool(false),
                        Value::Bool(matches!(database.name.as_str(), "tempdb" | "msdb")),
                    ]
                })
                .collect(),
        ),
        "sysdatabases" => (
            vec![
                ("name", NAME),
                ("dbid", Kind::SmallInt),
                ("sid", Kind::Blob),
                ("mode", Kind::SmallInt),
                ("status", INT),
                ("crdate", TIME),
                ("cmptlevel", Kind::TinyInt),
                ("filename", Kind::Varchar(260)),
            ],
            databases()
                .map(|(at, database)| {
                    vec![
                        text(&database.name),
                        int(at as i64 + 1),
                        Value::bytes([1]),
                        int(0),
                        int(65_536),
                        made(&database.name),
                        int(level),
                        text(file(&folder, &database.name)),
                    ]
                })
                .collect(),
        ),
        "master_files" => (
            vec![
                ("database_id", INT),
                ("file_id", INT),
                ("type", Kind::TinyInt),
                ("type_desc", Kind::Varchar(60)),
                ("name", NAME),
                ("physical_name", Kind::Varchar(260)),
                ("state_desc", Kind::Varchar(60)),
                ("size", INT),
            ],
            databases()
                .map(|(at, database)| {
                    vec![
                        int(at as i64 + 1),
                        int(1),
                        int(0),
                        text("ROWS"),
                        text(&database.name),
                        text(file(&folder, &database.name)),
                        text("ONLINE"),
                        int(1024),
                    ]
                })
                .collect(),
        ),
        "configurations" => (
            vec![
                ("configuration_id", INT),
                ("name", Kind::Varchar(35)),
                ("value", INT),
                ("minimum", INT),
                ("maximum", INT),
                ("value_in_use", INT),
                ("description", Kind::Varchar(255)),
                ("is_dynamic", BIT),
                ("is_advanced", BIT),
            ],
            facts
                .settings
                .iter()
                .map(|setting| {
                    vec![
                        int(setting.id),
                        text(setting.name),
                        int(setting.configured),
                        int(setting.minimum),
                        int(setting.maximum),
                        int(setting.running),
                        text(setting.name),
                        Value::Bool(setting.dynamic),
                        Value::Bool(setting.advanced),
                    ]
                })
                .collect(),
        ),
        "server_principals" | "sql_logins" => (
            vec![
                ("name", NAME),
                ("principal_id", INT),
                ("sid", Kind::Blob),
                ("type", Kind::Char(1)),
                ("type_desc", Kind::Varchar(60)),
                ("is_disabled", BIT),
                ("create_date", TIME),
                ("modify_date", TIME),
                ("default_database_name", NAME),
                ("default_language_name", NAME),
                ("is_fixed_role", BIT),
                ("password_hash", Kind::Blob),
            ],
            facts
                .logins
                .iter()
                .filter(|login| name != "sql_logins" || login.kind == 'S')
                .map(|login| {
                    vec![
                        text(&login.name),
                        int(login.id),
                        Value::bytes(&login.sid),
                        text(login.kind.to_string()),
                        text(login_kind(login)),
                        Value::Bool(login.disabled),
                        Value::Timestamp(login.made),
                        Value::Timestamp(login.made),
                        if login.kind == 'R' { Value::Null } else { text("master") },
                        if login.kind == 'R' { Value::Null } else { text("us_english") },
                        Value::Bool(login.kind == 'R' && login.id > 2),
                        if login.kind == 'S' { password_hash(login) } else { Value::Null },
                    ]
                })
                .collect(),
        ),
        "syslogins" => (
            vec![
                ("sid", Kind::Blob),
                ("name", NAME),
                ("loginname", NAME),
                ("dbname", NAME),
                ("createdate", TIME),
                ("hasaccess", INT),
                ("denylogin", INT),
                ("isntname", INT),
                ("isntgroup", INT),
                ("isntuser", INT),
                ("sysadmin", INT),
                ("securityadmin", INT),
                ("serveradmin", INT),
                ("setupadmin", INT),
                ("processadmin", INT),
                ("diskadmin", INT),
                ("dbcreator", INT),
                ("bulkadmin", INT),
            ],
            facts
                .logins
                .iter()
                .filter(|login| login.kind != 'R')
                .map(|login| {
                    let windows = i64::from(login.kind == 'U');
                    let mut row = vec![
                        Value::bytes(&login.sid),
                        text(&login.name),
                        text(&login.name),
                        text("master"),
                        Value::Timestamp(login.made),
                        int(i64::from(!login.disabled)),
                        int(0),
                        int(windows),
                        int(0),
                        int(windows),
                        int(i64::from(login.sysadmin)),
                    ];
                    row.extend([0i64; 7].map(int));
                    row
                })
                .collect(),
        ),
        "server_role_members" => (
            vec![("role_principal_id", INT), ("member_principal_id", INT)],
            facts
                .logins
                .iter()
                .filter(|login| login.sysadmin)
                .map(|login| vec![int(3), int(login.id)])
                .collect(),
        ),
        "server_permissions" | "database_permissions" => (
            vec![
                ("class", Kind::TinyInt),
                ("class_desc", Kind::Varchar(60)),
                ("major_id", INT),
                ("grantee_principal_id", INT),
                ("grantor_principal_id", INT),
                ("type", Kind::Char(4)),
                ("permission_name", NAME),
                ("state", Kind::Char(1)),
                ("state_desc", Kind::Varchar(60)),
            ],
            facts
                .logins
                .iter()
                .filter(|login| login.kind != 'R' && name == "server_permissions")
                .map(|login| {
                    vec![
                        int(100),
                        text("SERVER"),
                        int(0),
                        int(login.id),
                        int(1),
                        text("COSQ"),
                        text("CONNECT SQL"),
                        text("G"),
                        text("GRANT"),
                    ]
                })
                .collect(),
        ),
        "servers" | "sysservers" => {
            let mut rows = vec![vec![
                int(0),
                text(persona.server_name()),
                text("SQL Server"),
                text("SQLNCLI"),
                text(persona.server_name()),
                Value::Bool(false),
                Value::Bool(true),
                text(persona.server_name()),
            ]];
            for (at, (name, source)) in facts.linked.iter().enumerate() {
                rows.push(vec![
                    int(at as i64 + 1),
                    text(name),
                    text("SQL Server"),
                    text("SQLNCLI"),
                    text(source),
                    Value::Bool(true),
                    Value::Bool(false),
                    text(name),
                ]);
            }
            (
                vec![
                    (if name == "servers" { "server_id" } else { "srvid" }, INT),
                    ("name", NAME),
                    ("product", NAME),
                    ("provider", NAME),
                    ("data_source", Kind::Varchar(4000)),
                    ("is_linked", BIT),
                    ("is_rpc_out_enabled", BIT),
                    ("srvname", NAME),
                ],
                rows,
            )
        }
        "dm_exec_sessions" | "sysprocesses" | "dm_exec_connections" => (
            vec![
                ("session_id", Kind::SmallInt),
                ("spid", Kind::SmallInt),
                ("login_time", TIME),
                ("host_name", Kind::Varchar(128)),
                ("hostname", Kind::Varchar(128)),
                ("program_name", Kind::Varchar(128)),
                ("login_name", Kind::Varchar(128)),
                ("loginame", Kind::Varchar(128)),
                ("status", Kind::Varchar(30)),
                ("net_transport", Kind::Varchar(40)),
                ("auth_scheme", Kind::Varchar(40)),
                ("encrypt_option", Kind::Varchar(40)),
            ],
            facts
                .sessions
                .iter()
                .map(|(spid, (host, application, login))| {
                    let mine = u32::from(*spid) == context.session.connection;
                    vec![
                        int(*spid),
                        int(*spid),
                        Value::Timestamp(context.session.now),
                        text(host),
                        text(host),
                        text(application),
                        text(login),
                        text(login),
                        text(if mine { "running" } else { "sleeping" }),
                        text("TCP"),
                        text("SQL"),
                        text("FALSE"),
                    ]
                })
                .collect(),
        ),
        "dm_os_sys_info" => (
            vec![("cpu_count", INT), ("physical_memory_kb", Kind::BigInt), ("sqlserver_start_time", TIME)],
            vec![vec![int(4), int(16_776_628), Value::Timestamp(facts.started)]],
        ),
        "dm_os_host_info" if persona.numbers[0] >= 14 => (
            vec![("host_platform", NAME), ("host_distribution", NAME), ("host_release", NAME)],
            vec![vec![
                text(if persona.windows { "Windows" } else { "Linux" }),
                text(&product.shared.host.identity().os.name),
                text(&product.shared.host.identity().os.version),
            ]],
        ),
        "dm_server_services" => (
            vec![
                ("servicename", Kind::Varchar(256)),
                ("status_desc", Kind::Varchar(256)),
                ("service_account", Kind::Varchar(256)),
            ],
            vec![vec![
                text(format!("SQL Server ({})", persona.service_name())),
                text("Running"),
                text(super::service_account(persona)),
            ]],
        ),
        "credentials" | "backup_devices" | "server_triggers" | "endpoints" => (
            vec![("name", NAME), ("credential_identity", Kind::Varchar(4000)), ("create_date", TIME)],
            Vec::new(),
        ),
        _ => return None,
    })
}

pub(super) fn file(folder: &str, database: &str) -> String {
    let name = match database {
        "msdb" => "MSDBData",
        "model" => "model",
        other => other,
    };
    format!("{folder}{name}.mdf")
}

/// Version 2 of a password hash: a salt and SHA-512 over the password in UTF-16 and the salt.
fn password_hash(login: &LoginAccount) -> Value {
    use sha2::Digest as _;
    let salt: [u8; 4] =
        std::array::from_fn(|at| login.sid.get(at + 4).copied().unwrap_or(login.name.len() as u8 ^ 0x5a));
    let password = login.password.clone().unwrap_or_else(|| format!("{:?}", login.sid));
    let mut hash = sha2::Sha512::new();
    hash.update(crate::mssql::codec::utf16(&password));
    hash.update(salt);
    let mut bytes = vec![2, 0];
    bytes.extend(salt);
    bytes.extend(hash.finalize());
    Value::bytes(bytes)
}

/// The agent's tables in msdb.
fn agent(product: &TSql<'_>, here: &Database, name: &str) -> Option<Made> {
    if here.name != "msdb" {
        return None;
    }
    let jobs = &product.facts.jobs;
    Some(match name {
        "sysjobs" | "sysjobs_view" => (
            vec![("job_id", Kind::Uuid), ("name", NAME), ("enabled", Kind::TinyInt), ("date_created", TIME)],
            jobs.iter()
                .map(|job| vec![text(&job.id), text(&job.name), int(1), Value::Timestamp(job.made)])
                .collect(),
        ),
        "sysjobsteps" => (
            vec![
                ("job_id", Kind::Uuid),
                ("step_id", INT),
                ("subsystem", Kind::Varchar(40)),
                ("command", Kind::Text),
            ],
            jobs.iter()
                .flat_map(|job| {
                    job.steps.iter().enumerate().map(|(at, (kind, command))| {
                        vec![text(&job.id), int(at as i64 + 1), text(kind), text(command)]
                    })
                })
                .collect(),
        ),
        "backupset" | "sysjobhistory" | "sysproxies" | "sysmail_profile" => {
            (vec![("database_name", NAME), ("backup_finish_date", TIME), ("name", NAME)], Vec::new())
        }
        _ => return None,
    })
}

//! Tables of the system besides information_schema: accounts, connections, engines, performance_schema.

use super::auth;
use super::product::Dialect;
use super::schema::{TEXT, information, texts};
use super::store::Account;
use crate::sql::{Column, Context, Kind, Table, Value};

/// The privileges of an account, as `mysql.user` names its columns.
pub(crate) const PRIVILEGES: &[&str] = &[
    "Select",
    "Insert",
    "Update",
    "Delete",
    "Create",
    "Drop",
    "Reload",
    "Shutdown",
    "Process",
    "File",
    "Grant",
    "References",
    "Index",
    "Alter",
    "Show_db",
    "Super",
    "Create_tmp_table",
    "Lock_tables",
    "Execute",
    "Repl_slave",
    "Repl_client",
    "Create_view",
    "Show_view",
    "Create_routine",
    "Alter_routine",
    "Create_user",
    "Event",
    "Trigger",
    "Create_tablespace",
];

/// The columns of SHOW ENGINES.
pub(crate) const ENGINE_COLUMNS: &[&str] =
    &["ENGINE", "SUPPORT", "COMMENT", "TRANSACTIONS", "XA", "SAVEPOINTS"];

/// The rows of SHOW ENGINES.
pub(crate) fn engines(dialect: &Dialect<'_>) -> Vec<Vec<Value>> {
    let list: &[[&str; 6]] = if dialect.persona.maria() {
        &[
            ["CSV", "YES", "Stores tables as CSV files", "NO", "NO", "NO"],
            ["MRG_MyISAM", "YES", "Collection of identical MyISAM tables", "NO", "NO", "NO"],
            ["MEMORY", "YES", "Hash based, stored in memory, useful for temporary tables", "NO", "NO", "NO"],
            [
                "Aria",
                "YES",
                "Crash-safe tables with MyISAM heritage. Used for internal temporary tables and privilege tables",
                "NO",
                "NO",
                "NO",
            ],
            [
                "MyISAM",
                "YES",
                "Non-transactional engine with good performance and small data footprint",
                "NO",
                "NO",
                "NO",
            ],
            ["SEQUENCE", "YES", "Generated tables filled with sequential values", "YES", "NO", "YES"],
            [
                "InnoDB",
                "DEFAULT",
                "Supports transactions, row-level locking, foreign keys and encryption for tables",
                "YES",
                "YES",
                "YES",
            ],
            ["PERFORMANCE_SCHEMA", "YES", "Performance Schema", "NO", "NO", "NO"],
        ]
    } else {
        &[
            ["FEDERATED", "NO", "Federated MySQL storage engine", "\u{1}", "\u{1}", "\u{1}"],
            ["MEMORY", "YES", "Hash based, stored in memory, useful for temporary tables", "NO", "NO", "NO"],
            [
                "InnoDB",
                "DEFAULT",
                "Supports transactions, row-level locking, and foreign keys",
                "YES",
                "YES",
                "YES",
            ],
            ["PERFORMANCE_SCHEMA", "YES", "Performance Schema", "NO", "NO", "NO"],
            ["MyISAM", "YES", "MyISAM storage engine", "NO", "NO", "NO"],
            ["MRG_MYISAM", "YES", "Collection of identical MyISAM tables", "NO", "NO", "NO"],
            [
                "BLACKHOLE",
                "YES",
                "/dev/null storage engine (anything you write to it disappears)",
                "NO",
                "NO",
                "NO",
            ],
            ["CSV", "YES", "CSV storage engine", "NO", "NO", "NO"],
            ["ARCHIVE", "YES", "Archive storage engine", "NO", "NO", "NO"],
        ]
    };
    list.iter()
        .map(|row| {
            row.iter().map(|text| if *text == "\u{1}" { Value::Null } else { Value::text(text) }).collect()
        })
        .collect()
}

/// The connections, as SHOW PROCESSLIST lists them.
pub(crate) fn processlist(dialect: &Dialect<'_>, upper: bool) -> Table {
    let now = dialect.server.clock.seconds();
    let mut rows = Vec::new();
    if !dialect.persona.maria() && dialect.persona.release.since(8, 0) {
        let uptime = now - dialect.state.started;
        rows.push(vec![
            Value::Integer(5),
            Value::text("event_scheduler"),
            Value::text("localhost"),
            Value::Null,
            Value::text("Daemon"),
            Value::Integer(uptime),
            Value::text("Waiting on empty queue"),
            Value::Null,
        ]);
    }
    for (id, live) in &dialect.state.live {
        let busy = live.statement.is_some();
        let user = if live.user.is_empty() { "unauthenticated user" } else { &live.user };
        rows.push(vec![
            Value::Integer(i64::from(*id)),
            Value::text(user),
            Value::text(&live.host),
            if live.database.is_empty() { Value::Null } else { Value::text(&live.database) },
            Value::text(if busy { "Query" } else { "Sleep" }),
            Value::Integer((now - live.since).max(0)),
            Value::text(if busy { if dialect.persona.maria() { "starting" } else { "init" } } else { "" }),
            live.statement.as_ref().map_or(Value::Null, Value::text),
        ]);
    }
    let number = Kind::BigInt;
    let names = [
        ("Id", number),
        ("User", TEXT),
        ("Host", TEXT),
        ("db", TEXT),
        ("Command", TEXT),
        ("Time", Kind::Integer),
        ("State", TEXT),
        ("Info", Kind::Varchar(100)),
    ];
    let mut table = Table::system("PROCESSLIST", &names, rows);
    if dialect.persona.maria() {
        table.columns.push(Column::new("Progress", Kind::Decimal { precision: 7, scale: 3 }).required());
        for row in &mut table.rows {
            row.push(Value::Decimal("0.000".parse().unwrap_or_else(|_| 0.into())));
        }
    }
    if upper {
        for column in &mut table.columns {
            column.name = column.name.to_uppercase();
        }
    }
    table
}

/// Tables of the schema `mysql`.
pub(crate) fn own(dialect: &Dialect<'_>, name: &str) -> Option<Table> {
    let accounts = &dialect.state.accounts;
    Some(match name {
        "user" => users(dialect, accounts),
        "global_priv" if dialect.persona.maria() && dialect.persona.release.since(10, 4) => {
            let rows = accounts
                .iter()
                .map(|account| {
                    let access: u64 = if account.all { 549_755_813_887 } else { 0 };
                    let text = format!(
                        "{{\"access\":{access},\"plugin\":\"{}\",\"authentication_string\":\"{}\"}}",
                        account.plugin, account.stored
                    );
                    vec![Value::text(&account.host), Value::text(&account.user), Value::text(text)]
                })
                .collect();
            texts("global_priv", &["Host", "User", "Priv"], rows)
        }
        "db" => texts(
            "db",
            &[
                "Host",
                "Db",
                "User",
                "Select_priv",
                "Insert_priv",
                "Update_priv",
                "Delete_priv",
                "Create_priv",
                "Drop_priv",
                "Grant_priv",
            ],
            vec![],
        ),
        "tables_priv" => texts(
            "tables_priv",
            &["Host", "Db", "User", "Table_name", "Grantor", "Timestamp", "Table_priv", "Column_priv"],
            vec![],
        ),
        "columns_priv" => texts(
            "columns_priv",
            &["Host", "Db", "User", "Table_name", "Column_name", "Timestamp", "Column_priv"],
            vec![],
        ),
        "procs_priv" => texts(
            "procs_priv",
            &["Host", "Db", "User", "Routine_name", "Routine_type", "Grantor", "Proc_priv", "Timestamp"],
            vec![],
        ),
        "func" => Table::system(
            "func",
            &[("name", TEXT), ("ret", Kind::TinyInt), ("dl", TEXT), ("type", TEXT)],
            vec![],
        ),
        "plugin" => texts("plugin", &["name", "dl"], vec![]),
        "proc" if dialect.persona.maria() || !dialect.persona.release.since(8, 0) => texts(
            "proc",
            &["db", "name", "type", "specific_name", "language", "body", "definer", "created", "modified"],
            vec![],
        ),
        "event" if dialect.persona.maria() || !dialect.persona.release.since(8, 0) => {
            texts("event", &["db", "name", "body", "definer", "created", "modified", "status"], vec![])
        }
        _ => return None,
    })
}

fn users(dialect: &Dialect<'_>, accounts: &[Account]) -> Table {
    let persona = dialect.persona;
    // `Password` went in MySQL 5.7; MariaDB keeps it.
    let password = persona.maria() || !persona.release.since(5, 7);
    let mut columns: Vec<(String, Kind)> = vec![
        ("Host".to_owned(), Kind::Char(255)),
        ("User".to_owned(), Kind::Char(if persona.maria() { 128 } else { 32 })),
    ];
    if password {
        columns.push(("Password".to_owned(), Kind::Text));
    }
    columns.extend(PRIVILEGES.iter().map(|name| (format!("{name}_priv"), Kind::Varchar(1))));
    for name in ["ssl_type", "ssl_cipher", "x509_issuer", "x509_subject"] {
        columns.push((name.to_owned(), Kind::Text));
    }
    for name in ["max_questions", "max_updates", "max_connections", "max_user_connections"] {
        columns.push((name.to_owned(), Kind::BigInt));
    }
    let plugin = persona.release.since(5, 5);
    if plugin {
        columns.push(("plugin".to_owned(), Kind::Text));
        columns.push(("authentication_string".to_owned(), Kind::Text));
        columns.push(("password_expired".to_owned(), Kind::Varchar(1)));
    }
    if !persona.maria() && persona.release.since(5, 7) {
        columns.push(("account_locked".to_owned(), Kind::Varchar(1)));
    }
    let rows = accounts
        .iter()
        .map(|account| {
            let yes = Value::text(if account.all { "Y" } else { "N" });
            let mut row = vec![Value::text(&account.host), Value::text(&account.user)];
            if password {
                let shown = if account.plugin == auth::NATIVE { account.stored.as_str() } else { "" };
                row.push(Value::text(shown));
            }
            row.extend(PRIVILEGES.iter().map(|_| yes.clone()));
            row.extend([Value::text(""), Value::text(""), Value::text(""), Value::text("")]);
            row.extend([Value::Integer(0), Value::Integer(0), Value::Integer(0), Value::Integer(0)]);
            if plugin {
                row.extend([Value::text(account.plugin), Value::text(&account.stored), Value::text("N")]);
            }
            if !persona.maria() && persona.release.since(5, 7) {
                row.push(Value::text(if account.host == "localhost" && account.user.contains('.') {
                    "Y"
                } else {
                    "N"
                }));
            }
            row
        })
        .collect();
    let columns: Vec<(&str, Kind)> = columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
    Table::system("user", &columns, rows)
}

/// Tables of performance_schema.
pub(crate) fn performance(dialect: &Dialect<'_>, context: &Context<'_>, name: &str) -> Option<Table> {
    match name {
        "global_variables" | "session_variables" | "global_status" | "session_status"
            if !dialect.persona.maria() && dialect.persona.release.since(5, 7) =>
        {
            information(dialect, context, name)
        }
        "processlist" if !dialect.persona.maria() && dialect.persona.release.since(8, 0) => {
            Some(processlist(dialect, true))
        }
        "threads" => {
            let rows = dialect
                .state
                .live
                .iter()
                .map(|(id, live)| {
                    vec![
                        Value::Integer(i64::from(*id) + 40),
                        Value::text("thread/sql/one_connection"),
                        Value::text("FOREGROUND"),
                        Value::Integer(i64::from(*id)),
                        Value::text(&live.user),
                        Value::text(live.host.split(':').next().unwrap_or_default()),
                    ]
                })
                .collect();
            Some(texts(
                "threads",
                &["THREAD_ID", "NAME", "TYPE", "PROCESSLIST_ID", "PROCESSLIST_USER", "PROCESSLIST_HOST"],
                rows,
            ))
        }
        _ => None,
    }
}

//! SHOW and DESCRIBE: what they show as a table, which LIKE and WHERE then narrow.

use super::failure::{Failure, failure, syntax};
use super::product::Dialect;
use super::schema;
use super::statement::Statement;
use super::store::INFORMATION;
use super::system;
use super::variables;
use crate::sql::{Catalogue, Column, Context, Kind, Session, Table, Value};

/// A table to show, and the first word of what narrows it.
pub(crate) struct Shown {
    /// The table.
    pub(crate) table: Table,
    /// The index of LIKE or WHERE, or of the end.
    pub(crate) rest: usize,
}

const TEXT: Kind = Kind::Varchar(64);
const NUMBER: Kind = Kind::BigInt;

fn texts(columns: &[&str], rows: Vec<Vec<Value>>) -> Table {
    let columns: Vec<(&str, Kind)> = columns.iter().map(|column| (*column, TEXT)).collect();
    Table::system("shown", &columns, rows)
}

/// What a SHOW statement is about.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn show(
    dialect: &Dialect<'_>,
    catalogue: &Catalogue,
    session: &Session,
    statement: &Statement<'_>,
) -> Result<Shown, Failure> {
    let context = Context::new(catalogue, session, dialect);
    let persona = dialect.persona;
    let maria = persona.maria();
    let mut at = 1;
    let mut full = false;
    let mut global = false;
    loop {
        let word = statement.word(at).to_ascii_lowercase();
        match word.as_str() {
            "full" => full = true,
            "global" => global = true,
            "session" | "local" | "extended" | "storage" | "count(*)" => {}
            _ => break,
        }
        at += 1;
    }
    let what = statement.word(at).to_ascii_lowercase();
    let here = || session.path.first().cloned().filter(|name| !name.is_empty());
    // `FROM db` or `IN db` behind the word.
    let scope = |index: usize| -> (Option<String>, usize) {
        if statement.is(index, &["from"]) || statement.is(index, &["in"]) {
            (Some(statement.name(index + 1)), index + 2)
        } else {
            (None, index)
        }
    };
    let need = |name: Option<String>| -> Result<String, Failure> {
        let name = name.or_else(here).ok_or_else(|| failure(1046, "3D000", "No database selected"))?;
        exists(dialect, catalogue, &name)
            .ok_or_else(|| failure(1049, "42000", format!("Unknown database '{name}'")))
    };
    let plain = |table: Table, rest: usize| Ok(Shown { table, rest });
    match what.as_str() {
        "databases" | "schemas" => {
            let rows = schema::databases(dialect, catalogue)
                .into_iter()
                .map(|name| vec![Value::text(name)])
                .collect();
            let like = statement.is(at + 1, &["like"]).then(|| format!(" ({})", statement.name(at + 2)));
            plain(texts(&[&format!("Database{}", like.unwrap_or_default())], rows), at + 1)
        }
        "tables" => {
            let (name, rest) = scope(at + 1);
            let name = need(name)?;
            let kind = match name.as_str() {
                INFORMATION => "SYSTEM VIEW",
                _ => "BASE TABLE",
            };
            let rows = schema::tables(dialect, &context, &name)
                .into_iter()
                .map(|table| {
                    let mut row = vec![Value::text(table)];
                    if full {
                        row.push(Value::text(kind));
                    }
                    row
                })
                .collect();
            let heading = format!("Tables_in_{name}");
            let like = if statement.is(rest, &["like"]) {
                format!(" ({})", statement.name(rest + 1))
            } else {
                String::new()
            };
            let heading = format!("{heading}{like}");
            let columns: Vec<&str> = if full { vec![&heading, "Table_type"] } else { vec![&heading] };
            plain(texts(&columns, rows), rest)
        }
        "table" if statement.is(at + 1, &["status"]) => {
            let (name, rest) = scope(at + 2);
            let name = need(name)?;
            let mut columns = vec![
                ("Name", TEXT),
                ("Engine", TEXT),
                ("Version", NUMBER),
                ("Row_format", TEXT),
                ("Rows", NUMBER),
                ("Avg_row_length", NUMBER),
                ("Data_length", NUMBER),
                ("Max_data_length", NUMBER),
                ("Index_length", NUMBER),
                ("Data_free", NUMBER),
                ("Auto_increment", NUMBER),
                ("Create_time", Kind::Timestamp),
                ("Update_time", Kind::Timestamp),
                ("Check_time", Kind::Timestamp),
                ("Collation", TEXT),
                ("Checksum", NUMBER),
                ("Create_options", TEXT),
                ("Comment", TEXT),
            ];
            let extra = maria && persona.release.since(10, 3);
            if extra {
                columns.extend([("Max_index_length", NUMBER), ("Temporary", TEXT)]);
            }
            let found = schema::schemas(catalogue).iter().find(|schema| schema.name == name);
            let mut tables: Vec<&Table> = found.map_or(&[][..], |schema| &schema.tables).iter().collect();
            tables.sort_by(|a, b| a.name.cmp(&b.name));
            let rows = tables
                .into_iter()
                .map(|table| {
                    let mut row = schema::table_row(dialect, &name, table);
                    row.drain(..2);
                    row.remove(1);
                    if extra {
                        row.extend([Value::Integer(0), Value::text("N")]);
                    }
                    row
                })
                .collect();
            plain(Table::system("shown", &columns, rows), rest)
        }
        "columns" | "fields" => {
            let (mut path, mut rest) = statement.path(at + 2);
            if statement.is(rest, &["from"]) || statement.is(rest, &["in"]) {
                path.insert(0, statement.name(rest + 1));
                rest += 2;
            }
            plain(columns(dialect, &context, &path, full)?, rest)
        }
        "index" | "indexes" | "keys" => {
            let (mut path, mut rest) = statement.path(at + 2);
            if statement.is(rest, &["from"]) || statement.is(rest, &["in"]) {
                path.insert(0, statement.name(rest + 1));
                rest += 2;
            }
            plain(indexes(dialect, &context, &path)?, rest)
        }
        "create" => create(dialect, &context, statement, at + 1),
        "variables" => plain(pairs(&schema::listed(dialect, global)), at + 1),
        "status" => plain(pairs(&variables::status(dialect.server, persona, dialect.state)), at + 1),
        "processlist" => {
            let mut table = system::processlist(dialect, false);
            if !full {
                for row in &mut table.rows {
                    if let Some(Value::Text(text)) = row.get(7)
                        && let Some((end, _)) = text.char_indices().nth(100)
                    {
                        row[7] = Value::text(&text[..end]);
                    }
                }
            }
            plain(table, at + 1)
        }
        "engines" => {
            let mut table = texts(system::ENGINE_COLUMNS, system::engines(dialect));
            for column in &mut table.columns {
                if column.name != "XA" {
                    column.name = crate::bait::capital(&column.name.to_lowercase());
                }
            }
            plain(table, at + 1)
        }
        "plugins" => {
            let rows = ["binlog", "mysql_native_password", "CSV", "InnoDB", "MEMORY", "MyISAM"]
                .iter()
                .map(|name| {
                    let kind = if name.ends_with("password") { "AUTHENTICATION" } else { "STORAGE ENGINE" };
                    vec![
                        Value::text(name),
                        Value::text("ACTIVE"),
                        Value::text(kind),
                        Value::Null,
                        Value::text("GPL"),
                    ]
                })
                .collect();
            plain(texts(&["Name", "Status", "Type", "Library", "License"], rows), at + 1)
        }
        "grants" => {
            let (user, host) = if statement.is(at + 1, &["for"]) && !statement.is(at + 2, &["current_user"]) {
                let user = statement.name(at + 2);
                // `user@host` is one word where neither is quoted.
                match user.split_once('@') {
                    Some((user, "")) => (user.to_owned(), statement.name(at + 3)),
                    Some((user, host)) => (user.to_owned(), host.to_owned()),
                    None if statement.word(at + 3) == "@" => (user, statement.name(at + 4)),
                    None => match statement.word(at + 3).strip_prefix('@') {
                        Some(host) if !host.is_empty() => (user, host.to_owned()),
                        _ => (user, "%".to_owned()),
                    },
                }
            } else {
                (dialect.user.clone(), "%".to_owned())
            };
            let host = host.trim_matches(['\'', '`', '"']).to_owned();
            let account =
                dialect.state.accounts.iter().find(|account| account.user == user && account.host == host);
            let Some(account) = account else {
                return Err(failure(
                    1141,
                    "42000",
                    format!("There is no such grant defined for user '{user}' on host '{host}'"),
                ));
            };
            let mark = if maria || persona.release.since(8, 0) { '`' } else { '\'' };
            let who = format!("{mark}{user}{mark}@{mark}{host}{mark}");
            let password = if maria && !account.stored.is_empty() {
                format!(" IDENTIFIED BY PASSWORD '{}'", account.stored)
            } else {
                String::new()
            };
            let text = match (account.all, maria) {
                (false, _) => format!("GRANT USAGE ON *.* TO {who}{password}"),
                (true, false) if persona.release.since(8, 0) => format!(
                    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, RELOAD, SHUTDOWN, PROCESS, FILE, REFERENCES, \
                     INDEX, ALTER, SHOW DATABASES, SUPER, CREATE TEMPORARY TABLES, LOCK TABLES, EXECUTE, REPLICATION \
                     SLAVE, REPLICATION CLIENT, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, CREATE USER, \
                     EVENT, TRIGGER, CREATE TABLESPACE, CREATE ROLE, DROP ROLE ON *.* TO {who} WITH GRANT OPTION"
                ),
                (true, _) => format!("GRANT ALL PRIVILEGES ON *.* TO {who}{password} WITH GRANT OPTION"),
            };
            let heading = format!("Grants for {user}@{host}");
            let end = statement.words.len();
            plain(texts(&[&heading], vec![vec![Value::text(text)]]), end)
        }
        "privileges" => plain(texts(&["Privilege", "Context", "Comment"], privileges()), at + 1),
        "character" | "charset" => {
            let rest = if what == "character" { at + 2 } else { at + 1 };
            let rows = include_str!("data/charsets.tsv")
                .lines()
                .map(|line| {
                    let mut fields = line.split('\t');
                    let mut next = || fields.next().unwrap_or_default();
                    let (name, collation, description, length) = (next(), next(), next(), next());
                    vec![
                        Value::text(name),
                        Value::text(description),
                        Value::text(collation),
                        Value::Integer(length.parse().unwrap_or(1)),
                    ]
                })
                .collect();
            let columns =
                [("Charset", TEXT), ("Description", TEXT), ("Default collation", TEXT), ("Maxlen", NUMBER)];
            plain(Table::system("shown", &columns, rows), rest)
        }
        "collation" => {
            let rows = include_str!("data/collations.tsv")
                .lines()
                .map(|line| {
                    let fields: Vec<&str> = line.split('\t').collect();
                    let field = |at: usize| fields.get(at).copied().unwrap_or_default();
                    vec![
                        Value::text(field(0)),
                        Value::text(field(1)),
                        Value::Integer(field(2).parse().unwrap_or(0)),
                        Value::text(field(3)),
                        Value::text("Yes"),
                        Value::Integer(field(4).parse().unwrap_or(1)),
                    ]
                })
                .collect();
            let columns = [
                ("Collation", TEXT),
                ("Charset", TEXT),
                ("Id", NUMBER),
                ("Default", TEXT),
                ("Compiled", TEXT),
                ("Sortlen", NUMBER),
            ];
            plain(Table::system("shown", &columns, rows), at + 1)
        }
        "open" => plain(
            Table::system(
                "shown",
                &[("Database", TEXT), ("Table", TEXT), ("In_use", NUMBER), ("Name_locked", NUMBER)],
                vec![],
            ),
            scope(at + 2).1,
        ),
        "triggers" => plain(
            texts(
                &[
                    "Trigger",
                    "Event",
                    "Table",
                    "Statement",
                    "Timing",
                    "Created",
                    "sql_mode",
                    "Definer",
                    "character_set_client",
                    "collation_connection",
                    "Database Collation",
                ],
                vec![],
            ),
            scope(at + 1).1,
        ),
        "events" => {
            let (name, rest) = scope(at + 1);
            need(name)?;
            plain(
                texts(
                    &[
                        "Db",
                        "Name",
                        "Definer",
                        "Time zone",
                        "Type",
                        "Execute at",
                        "Interval value",
                        "Interval field",
                        "Starts",
                        "Ends",
                        "Status",
                        "Originator",
                        "character_set_client",
                        "collation_connection",
                        "Database Collation",
                    ],
                    vec![],
                ),
                rest,
            )
        }
        "function" | "procedure" if statement.is(at + 1, &["status"]) => plain(
            texts(
                &[
                    "Db",
                    "Name",
                    "Type",
                    "Definer",
                    "Modified",
                    "Created",
                    "Security_type",
                    "Comment",
                    "character_set_client",
                    "collation_connection",
                    "Database Collation",
                ],
                vec![],
            ),
            at + 2,
        ),
        "master" | "slave" | "replica" | "binary" | "slaves" | "replicas" | "binlog" | "relaylog"
        | "profiles" => {
            if what == "binary" && dialect.variable("log_bin").as_deref() != Some("ON") {
                return Err(failure(1381, "HY000", "You are not using binary logging"));
            }
            let columns: &[&str] = match what.as_str() {
                "binary" => &["Log_name", "File_size"],
                "master" => &["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB"],
                "profiles" => &["Query_ID", "Duration", "Query"],
                _ => &["Slave_IO_State", "Master_Host", "Master_User", "Master_Port"],
            };
            plain(texts(columns, vec![]), statement.words.len())
        }
        _ => Err(syntax(
            persona,
            statement.text,
            statement.words.get(at).map_or(statement.text.len(), |word| word.at.start),
        )),
    }
}

/// The name of a schema as it is kept, where it exists.
pub(crate) fn exists(dialect: &Dialect<'_>, catalogue: &Catalogue, name: &str) -> Option<String> {
    let fold = dialect.persona.fold_names;
    schema::databases(dialect, catalogue).into_iter().find(|known| {
        *known == name || ((fold || known.as_str() == INFORMATION) && known.eq_ignore_ascii_case(name))
    })
}

fn pairs(list: &[(String, String)]) -> Table {
    let rows = list.iter().map(|(name, value)| vec![Value::text(name), Value::text(value)]).collect();
    Table::system("shown", &[("Variable_name", Kind::Varchar(64)), ("Value", Kind::Varchar(4096))], rows)
}

fn find(dialect: &Dialect<'_>, context: &Context<'_>, path: &[String]) -> Result<Table, Failure> {
    if let Some(table) = schema::table(dialect, context, path) {
        return Ok(table);
    }
    let database = context.session.path.first().map_or("", String::as_str);
    if let [schema, _] = path
        && exists(dialect, context.catalogue, schema).is_none()
    {
        return Err(failure(1049, "42000", format!("Unknown database '{schema}'")));
    }
    let place = context
        .find(path)
        .map_err(|error| super::failure::of(dialect.persona, error, "", database, "show"))?;
    context.catalogue.at(place).cloned().ok_or_else(|| failure(1146, "42S02", "Table doesn't exist"))
}

/// SHOW COLUMNS, DESCRIBE.
///
/// # Errors
/// There is no such table.
pub(crate) fn columns(
    dialect: &Dialect<'_>,
    context: &Context<'_>,
    path: &[String],
    full: bool,
) -> Result<Table, Failure> {
    let table = find(dialect, context, path)?;
    let rows = table
        .columns
        .iter()
        .map(|column| {
            let default = column
                .default
                .as_ref()
                .map_or(Value::Null, |value| Value::text(super::functions::string(value)));
            let mut row =
                vec![Value::text(&column.name), Value::text(schema::column_type(dialect, column.kind))];
            if full {
                row.push(if schema::is_text(column.kind) {
                    Value::text(schema::charset(dialect).1)
                } else {
                    Value::Null
                });
            }
            row.push(Value::text(if column.nullable { "YES" } else { "NO" }));
            row.push(Value::text(schema::key(column)));
            row.push(default);
            row.push(Value::text(if column.automatic { "auto_increment" } else { "" }));
            if full {
                row.extend([Value::text("select,insert,update,references"), Value::text("")]);
            }
            row
        })
        .collect();
    Ok(texts(
        if full {
            &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"]
        } else {
            &["Field", "Type", "Null", "Key", "Default", "Extra"]
        },
        rows,
    ))
}

fn indexes(dialect: &Dialect<'_>, context: &Context<'_>, path: &[String]) -> Result<Table, Failure> {
    let table = find(dialect, context, path)?;
    let rows = table
        .columns
        .iter()
        .filter(|column| column.primary || column.unique)
        .map(|column| {
            let key = if column.primary { "PRIMARY".to_owned() } else { column.name.clone() };
            let mut row = vec![
                Value::text(&table.name),
                Value::Integer(0),
                Value::text(key),
                Value::Integer(1),
                Value::text(&column.name),
                Value::text("A"),
                Value::Integer(table.rows.len() as i64),
                Value::Null,
                Value::Null,
                Value::text(if column.nullable { "YES" } else { "" }),
                Value::text("BTREE"),
                Value::text(""),
                Value::text(""),
            ];
            if dialect.persona.maria() {
                row.push(Value::text("NO"));
            } else {
                row.extend([Value::text("YES"), Value::Null]);
            }
            row
        })
        .collect();
    let mut columns = vec![
        ("Table", TEXT),
        ("Non_unique", Kind::Integer),
        ("Key_name", TEXT),
        ("Seq_in_index", Kind::Integer),
        ("Column_name", TEXT),
        ("Collation", TEXT),
        ("Cardinality", NUMBER),
        ("Sub_part", NUMBER),
        ("Packed", TEXT),
        ("Null", TEXT),
        ("Index_type", TEXT),
        ("Comment", TEXT),
        ("Index_comment", TEXT),
    ];
    if dialect.persona.maria() {
        columns.push(("Ignored", TEXT));
    } else {
        columns.extend([("Visible", TEXT), ("Expression", TEXT)]);
    }
    Ok(Table::system("shown", &columns, rows))
}

/// A name in backticks.
fn ticked(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn create(
    dialect: &Dialect<'_>,
    context: &Context<'_>,
    statement: &Statement<'_>,
    at: usize,
) -> Result<Shown, Failure> {
    let what = statement.word(at).to_ascii_lowercase();
    let end = statement.words.len();
    let (set, collation) = schema::charset(dialect);
    match what.as_str() {
        "database" | "schema" => {
            let exists_too = statement.is(at + 1, &["if", "not", "exists"]);
            let name = statement.name(if exists_too { at + 4 } else { at + 1 });
            let name = exists(dialect, context.catalogue, &name)
                .ok_or_else(|| failure(1049, "42000", format!("Unknown database '{name}'")))?;
            let how = match (dialect.persona.maria(), dialect.persona.release.since(8, 0)) {
                (true, _) => format!("/*!40100 DEFAULT CHARACTER SET {set} COLLATE {collation} */"),
                (false, true) => {
                    format!(
                        "/*!40100 DEFAULT CHARACTER SET {set} COLLATE {collation} */ /*!80016 DEFAULT ENCRYPTION='N' */"
                    )
                }
                (false, false) => format!("/*!40100 DEFAULT CHARACTER SET {set} */"),
            };
            let clause = if exists_too { "/*!32312 IF NOT EXISTS*/ " } else { "" };
            let text = format!("CREATE DATABASE {clause}{} {how}", ticked(&name));
            Ok(Shown {
                table: texts(
                    &["Database", "Create Database"],
                    vec![vec![Value::text(name), Value::text(text)]],
                ),
                rest: end,
            })
        }
        "table" => {
            let (path, _) = statement.path(at + 1);
            let table = find(dialect, context, &path)?;
            let mut parts: Vec<String> =
                table.columns.iter().map(|column| definition(dialect, column)).collect();
            let primary: Vec<String> = table
                .columns
                .iter()
                .filter(|column| column.primary)
                .map(|column| ticked(&column.name))
                .collect();
            if !primary.is_empty() {
                parts.push(format!("  PRIMARY KEY ({})", primary.join(",")));
            }
            for column in table.columns.iter().filter(|column| column.unique && !column.primary) {
                parts.push(format!("  UNIQUE KEY {0} ({0})", ticked(&column.name)));
            }
            let next = if table.columns.iter().any(|column| column.automatic) && table.next > 1 {
                format!(" AUTO_INCREMENT={}", table.next)
            } else {
                String::new()
            };
            let order = if dialect.persona.maria() && dialect.persona.release.since(10, 3) || set == "utf8mb4"
            {
                format!(" COLLATE={collation}")
            } else {
                String::new()
            };
            let text = format!(
                "CREATE TABLE {} (\n{}\n) ENGINE=InnoDB{next} DEFAULT CHARSET={set}{order}",
                ticked(&table.name),
                parts.join(",\n")
            );
            let columns = [("Table", TEXT), ("Create Table", Kind::Varchar(4096))];
            Ok(Shown {
                table: Table::system(
                    "shown",
                    &columns,
                    vec![vec![Value::text(&table.name), Value::text(text)]],
                ),
                rest: end,
            })
        }
        "user" => {
            let user =
                if statement.words.len() > at + 1 { statement.name(at + 1) } else { dialect.user.clone() };
            let user = user.split('@').next().unwrap_or_default().to_owned();
            let account = dialect.state.accounts.iter().find(|account| account.user == user);
            let account = account.ok_or_else(|| {
                failure(1396, "HY000", format!("Operation SHOW CREATE USER failed for '{user}'@'%'"))
            })?;
            let text = if dialect.persona.maria() {
                format!(
                    "CREATE USER `{}`@`{}` IDENTIFIED BY PASSWORD '{}'",
                    account.user, account.host, account.stored
                )
            } else {
                format!(
                    "CREATE USER `{}`@`{}` IDENTIFIED WITH '{}' AS '{}' REQUIRE NONE PASSWORD EXPIRE DEFAULT ACCOUNT UNLOCK",
                    account.user, account.host, account.plugin, account.stored
                )
            };
            let heading = format!("CREATE USER for {}@{}", account.user, account.host);
            Ok(Shown { table: texts(&[&heading], vec![vec![Value::text(text)]]), rest: end })
        }
        "view" | "function" | "procedure" | "trigger" | "event" => {
            let (path, _) = statement.path(at + 1);
            let name = path.last().cloned().unwrap_or_default();
            Err(match what.as_str() {
                "view" => failure(1347, "HY000", format!("'{}' is not VIEW", path.join("."))),
                "trigger" => failure(1360, "HY000", "Trigger does not exist"),
                "event" => failure(1539, "HY000", format!("Unknown event '{name}'")),
                kind => failure(1305, "42000", format!("{} {name} does not exist", kind.to_uppercase())),
            })
        }
        _ => Err(syntax(
            dialect.persona,
            statement.text,
            statement.words.get(at).map_or(statement.text.len(), |word| word.at.start),
        )),
    }
}

/// A line of CREATE TABLE.
fn definition(dialect: &Dialect<'_>, column: &Column) -> String {
    let mut text = format!("  {} {}", ticked(&column.name), schema::column_type(dialect, column.kind));
    let no_default = matches!(column.kind, Kind::Text | Kind::Blob | Kind::Json) && !dialect.persona.maria();
    if !column.nullable {
        text.push_str(" NOT NULL");
    }
    match &column.default {
        Some(Value::Null) | None if column.nullable && !no_default => text.push_str(" DEFAULT NULL"),
        Some(Value::Null) | None => {}
        Some(value) => {
            let shown = super::functions::string(value);
            let bare = dialect.persona.maria() && value.kind().is_some_and(Kind::is_number);
            text.push_str(&if bare { format!(" DEFAULT {shown}") } else { format!(" DEFAULT '{shown}'") });
        }
    }
    if column.automatic {
        text.push_str(" AUTO_INCREMENT");
    }
    text
}

fn privileges() -> Vec<Vec<Value>> {
    include_str!("data/privileges.tsv")
        .lines()
        .map(|line| line.split('\t').map(Value::text).collect())
        .collect()
}

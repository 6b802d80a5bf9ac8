//! Statements of administrators: SET, accounts, functions from libraries, tables' care, prepared texts.

use std::time::Duration;

use decnet_logging::event::{Body, Direction};

use super::auth;
use super::failure::{self, Failure, failure, syntax};
use super::front::{Front, Reply, dialect, fine};
use super::functions::string;
use super::persona::Flavour;
use super::product::Dialect;
use super::statement::{Sort, Statement, split};
use super::store::Account;
use crate::sql::{self, Kind, Table, Value};
use std::cell::Cell;
use std::collections::HashMap;

/// Texts of PREPARE that one connection may hold.
const NAMED: usize = 64;

/// Whether a CREATE, DROP or ALTER is about something else than tables and databases.
pub(crate) fn is_ours(statement: &Statement<'_>) -> bool {
    let mut at = 1;
    if statement.is(at, &["or", "replace"]) {
        at += 2;
    }
    if statement.is(at, &["aggregate"]) {
        at += 1;
    }
    matches!(
        statement.word(at).to_ascii_lowercase().as_str(),
        "user"
            | "role"
            | "function"
            | "procedure"
            | "trigger"
            | "event"
            | "view"
            | "definer"
            | "algorithm"
            | "server"
            | "tablespace"
            | "sql"
            | "instance"
    ) || statement.is(0, &["alter", "database"])
        || statement.is(0, &["alter", "schema"])
}

/// SET.
pub(crate) fn set(
    front: &mut Front<'_>,
    statement: &Statement<'_>,
    notes: &mut Vec<Body>,
) -> Result<Reply, Failure> {
    if statement.words.len() < 2 {
        return Err(syntax(front.persona, statement.text, statement.text.len()));
    }
    if statement.is(1, &["names"]) || statement.is(1, &["character"]) || statement.is(1, &["charset"]) {
        let at = if statement.is(1, &["character"]) { 3 } else { 2 };
        let name = statement.name(at).to_lowercase();
        if !include_str!("data/charsets.tsv").lines().any(|line| line.split('\t').next() == Some(&name))
            && !matches!(name.as_str(), "default" | "utf8")
        {
            return Err(failure(1115, "42000", format!("Unknown character set: '{name}'")));
        }
        let collation = match statement.find(at + 1, "collate") {
            Some(index) => statement.name(index + 1),
            None => include_str!("data/charsets.tsv")
                .lines()
                .find(|line| line.split('\t').next() == Some(&name))
                .and_then(|line| line.split('\t').nth(1))
                .unwrap_or("utf8mb4_general_ci")
                .to_owned(),
        };
        front.client.charset = match name.as_str() {
            "latin1" => 8,
            "utf8" | "utf8mb3" => 33,
            _ if front.persona.maria() => 45,
            _ => 255,
        };
        front.client.names(&name, &collation);
        return Ok(fine());
    }
    if statement.is(1, &["password"]) {
        let user = front.client.user.clone();
        notes.push(Body::StateChanged {
            object: format!("account {user}"),
            old: None,
            new: statement.text.to_owned(),
        });
        return Ok(fine());
    }
    if statement.find(1, "transaction").is_some_and(|at| at <= 2)
        || statement.is(1, &["role"])
        || statement.is(1, &["default", "role"])
    {
        return Ok(fine());
    }
    // name = value, name := value, …, commas outside of brackets between them.
    let mut at = 1;
    let mut scope = String::new();
    while at < statement.words.len() {
        let word = statement.word(at).to_ascii_lowercase();
        if matches!(word.as_str(), "global" | "session" | "local" | "persist" | "persist_only") {
            scope = word;
            at += 1;
        }
        let (path, mut next) = statement.path(at);
        let mut name = path.join(".").to_lowercase();
        if statement.word(next) == ":" {
            next += 1;
        }
        if statement.word(next) != "=" {
            let place = statement.words.get(next).map_or(statement.text.len(), |word| word.at.start);
            return Err(syntax(front.persona, statement.text, place));
        }
        next += 1;
        let begin = statement.words.get(next).map_or(statement.text.len(), |word| word.at.start);
        let mut depth = 0usize;
        let mut end = next;
        while end < statement.words.len() {
            match statement.word(end) {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => break,
                _ => {}
            }
            end += 1;
        }
        let finish = statement.words.get(end).map_or(statement.text.len(), |word| word.at.start);
        let written = statement.text[begin..finish].trim();
        let value = value(
            front,
            statement,
            written,
            begin,
            end == next + 1 && statement.words[next].sort == Sort::Word,
        )?;
        if name.starts_with('@') && !name.starts_with("@@") {
            front.client.assign(&name, value);
        } else {
            if let Some(rest) = name.strip_prefix("@@") {
                name = rest.to_owned();
            }
            if let Some((prefix, rest)) = name.clone().split_once('.') {
                prefix.clone_into(&mut scope);
                name = rest.to_owned();
            }
            assign(front, &name, &scope, &value, notes)?;
        }
        scope.clear();
        at = end + 1;
    }
    Ok(fine())
}

/// The value of an assignment; a bare word is a text.
fn value(
    front: &Front<'_>,
    statement: &Statement<'_>,
    written: &str,
    begin: usize,
    bare: bool,
) -> Result<Value, Failure> {
    let plain_word = bare
        && written.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !written.starts_with(|letter: char| letter.is_ascii_digit())
        && !written.eq_ignore_ascii_case("null");
    if plain_word {
        return Ok(Value::text(written));
    }
    let text = format!("SELECT {written}");
    let dialect = dialect!(front);
    let fail = |error| match error {
        sql::SqlError::Syntax(near) | sql::SqlError::Unterminated(near) => {
            syntax(front.persona, statement.text, begin + near.offset.saturating_sub(7))
        }
        other => failure::of(front.persona, other, statement.text, front.client.database(), "set"),
    };
    let parsed = sql::parse(&sqlparser::dialect::MySqlDialect {}, &text).map_err(fail)?;
    let Some(sqlparser::ast::Statement::Query(query)) = parsed.first() else {
        return Err(syntax(front.persona, statement.text, begin));
    };
    let executed =
        sql::query(&front.store.catalogue, &front.client.session, &dialect, query).map_err(fail)?;
    match executed.outcome {
        sql::Outcome::Rows(result) => {
            Ok(result.rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Value::Null))
        }
        _ => Ok(Value::Null),
    }
}

fn assign(
    front: &mut Front<'_>,
    name: &str,
    scope: &str,
    value: &Value,
    notes: &mut Vec<Body>,
) -> Result<(), Failure> {
    let known = {
        let dialect = dialect!(front);
        dialect.variable(name)
    };
    let free = matches!(
        name,
        "timestamp"
            | "insert_id"
            | "last_insert_id"
            | "identity"
            | "pseudo_thread_id"
            | "sql_log_bin"
            | "unique_checks"
            | "foreign_key_checks"
            | "sql_notes"
            | "autocommit"
            | "names"
            | "net_write_timeout"
            | "max_statement_time"
            | "sql_select_limit"
            | "character_set_client"
            | "optimizer_switch"
            | "transaction_isolation"
            | "tx_isolation"
            | "rand_seed1"
            | "rand_seed2"
            | "sql_quote_show_create"
            | "lc_messages"
            | "lc_time_names"
            | "old_mode"
    );
    let Some(old) = known.or_else(|| free.then(String::new)) else {
        return Err(failure(1193, "HY000", format!("Unknown system variable '{name}'")));
    };
    let read_only = matches!(
        name,
        "version"
            | "version_comment"
            | "hostname"
            | "datadir"
            | "basedir"
            | "port"
            | "socket"
            | "secure_file_priv"
            | "plugin_dir"
            | "pid_file"
            | "license"
            | "server_uuid"
            | "have_ssl"
            | "lower_case_table_names"
            | "tmpdir"
            | "innodb_page_size"
            | "performance_schema"
            | "skip_networking"
            | "system_time_zone"
    );
    if read_only {
        return Err(failure(1238, "HY000", format!("Variable '{name}' is a read only variable")));
    }
    let text = match (value, old.as_str()) {
        (Value::Null, _) => String::new(),
        (value, "ON" | "OFF") => match value.truth() {
            _ if string(value).eq_ignore_ascii_case("on") => "ON".to_owned(),
            _ if string(value).eq_ignore_ascii_case("off") => "OFF".to_owned(),
            Some(true) => "ON".to_owned(),
            _ => "OFF".to_owned(),
        },
        (value, _) => string(value),
    };
    if matches!(scope, "global" | "persist" | "persist_only") {
        let touchy =
            ["general_log", "general_log_file", "slow_query_log", "slow_query_log_file", "log_output"];
        if touchy.contains(&name) {
            notes.push(Body::ExploitAttempt { name: "mysql.log_file_write".to_owned(), confidence: 80 });
        }
        notes.push(Body::StateChanged {
            object: format!("@@global.{name}"),
            old: Some(old),
            new: text.clone(),
        });
        front.store.state.set(name, text);
        return Ok(());
    }
    if !matches!(scope, "session" | "local" | "") {
        return Err(failure(1193, "HY000", format!("Unknown system variable '{scope}'")));
    }
    let only_global = [
        "general_log",
        "general_log_file",
        "slow_query_log_file",
        "max_connections",
        "local_infile",
        "log_output",
    ];
    if only_global.contains(&name) {
        return Err(failure(
            1229,
            "HY000",
            format!("Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL"),
        ));
    }
    front.client.set(name, text);
    Ok(())
}

/// All other statements of administrators.
pub(crate) fn run(
    front: &mut Front<'_>,
    first: &str,
    statement: &Statement<'_>,
    delay: &mut Duration,
    notes: &mut Vec<Body>,
) -> Result<Reply, Failure> {
    let told = |object: String| Body::StateChanged {
        object,
        old: None,
        new: statement.text.chars().take(400).collect(),
    };
    match first {
        "savepoint" | "release" | "lock" | "unlock" | "reset" | "xa" | "stop" | "purge" => Ok(fine()),
        "flush" => {
            if statement.is(1, &["hosts"]) {
                front.store.state.forgive(None);
            }
            Ok(fine())
        }
        "analyze" | "optimize" | "check" | "repair" => care(front, first, statement),
        "kill" => kill(front, statement),
        "grant" | "revoke" | "rename" => {
            notes.push(told("accounts".to_owned()));
            if first == "grant" {
                accounts(front, statement, true)?;
            }
            Ok(fine())
        }
        "create" | "drop" | "alter" => object(front, first, statement, notes),
        "prepare" => {
            let name = statement.name(1).to_lowercase();
            let at = if statement.is(2, &["from"]) { 3 } else { 2 };
            let text = match statement.word(at) {
                variable if variable.starts_with('@') => front
                    .client
                    .session
                    .variables
                    .get(&variable.to_lowercase())
                    .map(string)
                    .unwrap_or_default(),
                _ => statement.name(at),
            };
            if front.client.named.len() >= NAMED && !front.client.named.contains_key(&name) {
                return Err(failure(
                    1461,
                    "42000",
                    "Can't create more than max_prepared_stmt_count statements",
                ));
            }
            front.client.named.insert(name, text);
            Ok(fine())
        }
        "execute" => {
            let name = statement.name(1).to_lowercase();
            let Some(text) = front.client.named.get(&name).cloned() else {
                return Err(failure(
                    1243,
                    "HY000",
                    format!("Unknown prepared statement handler ({name}) given to EXECUTE"),
                ));
            };
            let parameters = (2..statement.words.len())
                .filter(|at| statement.word(*at).starts_with('@'))
                .map(|at| {
                    let name = statement.word(at).to_lowercase();
                    front.client.session.variables.get(&name).cloned().unwrap_or(Value::Null)
                })
                .collect();
            let Some(inner) = split(&text).into_iter().next() else {
                return Err(failure(1065, "42000", "Query was empty"));
            };
            // EXECUTE in what is executed does not end.
            if inner.is(0, &["execute"]) || inner.is(0, &["prepare"]) {
                return Err(failure(
                    1295,
                    "HY000",
                    "This command is not supported in the prepared statement protocol yet",
                ));
            }
            front.client.session.parameters = parameters;
            let done = front.run(&inner);
            front.client.session.parameters.clear();
            *delay = done.delay;
            notes.extend(done.notes);
            match done.reply {
                Reply::Fail(failure) => Err(failure),
                reply => Ok(reply),
            }
        }
        "deallocate" => {
            front.client.named.remove(&statement.name(2).to_lowercase());
            Ok(fine())
        }
        "do" => {
            let text = format!("SELECT {}", statement.from(1));
            let done = front.run(&Statement::of(&text));
            *delay = done.delay;
            notes.extend(done.notes);
            match done.reply {
                Reply::Fail(failure) => Err(failure),
                _ => Ok(fine()),
            }
        }
        "call" => {
            let (path, _) = statement.path(1);
            let name = match (path.as_slice(), front.client.database()) {
                ([_], "") => return Err(failure(1046, "3D000", "No database selected")),
                ([name], database) => format!("{database}.{name}"),
                (path, _) => path.join("."),
            };
            Err(failure(1305, "42000", format!("PROCEDURE {name} does not exist")))
        }
        "load" => {
            let Some(at) = statement.find(1, "infile") else {
                return Err(syntax(
                    front.persona,
                    statement.text,
                    statement.words.get(1).map_or(0, |word| word.at.start),
                ));
            };
            let path = statement.name(at + 1);
            notes.push(Body::ExploitAttempt { name: "mysql.load_data".to_owned(), confidence: 70 });
            notes.push(Body::FileDownload {
                name: Some(path.clone()),
                url: None,
                direction: Direction::Requested,
                size: None,
                bait: None,
            });
            // A client's file is never asked for.
            if statement.find(1, "local").is_some_and(|local| local < at) {
                return Err(match (front.persona.flavour, front.persona.release.since(8, 0)) {
                    (Flavour::MySql, true) => failure(
                        3948,
                        "42000",
                        "Loading local data is disabled; this must be enabled on both the client and server sides",
                    ),
                    (Flavour::MariaDb, _) if front.persona.release.since(10, 5) => failure(
                        4166,
                        "HY000",
                        "The used command is not allowed because the MariaDB server or client has disabled the local infile capability",
                    ),
                    _ => failure(
                        1148,
                        "42000",
                        format!(
                            "The used command is not allowed with this {} version",
                            front.persona.product()
                        ),
                    ),
                });
            }
            Err(front.no_file(&path, false))
        }
        "install" | "uninstall" => {
            notes.push(Body::ExploitAttempt { name: "mysql.install_plugin".to_owned(), confidence: 90 });
            let library = statement.find(1, "soname").map(|at| statement.name(at + 1)).unwrap_or_default();
            Err(library_missing(front, &library))
        }
        "shutdown" => {
            notes.push(told("server".to_owned()));
            Err(failure(
                1227,
                "42000",
                "Access denied; you need (at least one of) the SHUTDOWN privilege(s) for this operation",
            ))
        }
        "change" => {
            notes.push(told("replication".to_owned()));
            Ok(fine())
        }
        "help" => front.table(
            Table::system(
                "shown",
                &[("name", Kind::Varchar(64)), ("is_it_category", Kind::Varchar(1))],
                vec![],
            ),
            "",
        ),
        _ => Err(syntax(front.persona, statement.text, 0)),
    }
}

fn library_missing(front: &Front<'_>, library: &str) -> Failure {
    let place = if front.persona.maria() {
        format!(
            "Can't open shared library '{library}' (errno: 2, cannot open shared object file: No such file or directory)"
        )
    } else {
        let dir = front.persona.places.plugin_dir.trim_end_matches('/');
        format!(
            "Can't open shared library '{library}' (errno: 2 {dir}/{library}: cannot open shared object file: No such file or directory)"
        )
    };
    failure(1126, "HY000", place)
}

/// ANALYZE, OPTIMIZE, CHECK and REPAIR TABLE.
fn care(front: &mut Front<'_>, first: &str, statement: &Statement<'_>) -> Result<Reply, Failure> {
    let Some(at) = statement.find(1, "table").or_else(|| statement.find(1, "tables")) else {
        return Err(syntax(
            front.persona,
            statement.text,
            statement.words.get(1).map_or(0, |word| word.at.start),
        ));
    };
    let (path, _) = statement.path(at + 1);
    let name = match (path.as_slice(), front.client.database()) {
        ([_], "") => return Err(failure(1046, "3D000", "No database selected")),
        ([name], database) => format!("{database}.{name}"),
        (path, _) => path.join("."),
    };
    let text = |text: &str| Value::text(text);
    let row = match first {
        "repair" => vec![
            text(&name),
            text("repair"),
            text("note"),
            text("The storage engine for the table doesn't support repair"),
        ],
        verb => vec![text(&name), text(verb), text("status"), text("OK")],
    };
    let columns = [
        ("Table", Kind::Varchar(128)),
        ("Op", Kind::Varchar(10)),
        ("Msg_type", Kind::Varchar(10)),
        ("Msg_text", Kind::Varchar(512)),
    ];
    front.table(Table::system("shown", &columns, vec![row]), "")
}

fn kill(front: &mut Front<'_>, statement: &Statement<'_>) -> Result<Reply, Failure> {
    let at = if ["query", "connection", "hard", "soft"].iter().any(|word| statement.is(1, &[word])) {
        2
    } else {
        1
    };
    let id: u32 = statement.word(at).parse().unwrap_or(0);
    match front.store.state.live.get_mut(&id) {
        Some(live) => {
            live.killed = !statement.is(1, &["query"]);
            if id == front.client.session.connection {
                return Err(failure(1317, "70100", "Query execution was interrupted"));
            }
            Ok(fine())
        }
        None => Err(failure(1094, "HY000", format!("Unknown thread id: {id}"))),
    }
}

/// Reads `user@host IDENTIFIED BY 'password'` and keeps the account.
fn accounts(front: &mut Front<'_>, statement: &Statement<'_>, all: bool) -> Result<(), Failure> {
    let at = if statement.is(0, &["grant"]) {
        match statement.find(1, "to") {
            Some(to) => to + 1,
            None => return Err(syntax(front.persona, statement.text, statement.text.len())),
        }
    } else if statement.is(2, &["if", "not", "exists"]) {
        5
    } else {
        2
    };
    let first = statement.word(at);
    let (user, host) = match first.split_once('@') {
        Some((user, host)) if !host.is_empty() && statement.words[at].sort == Sort::Word => {
            (user.to_owned(), host.to_owned())
        }
        Some((user, "")) if statement.words[at].sort == Sort::Word => {
            (user.to_owned(), statement.name(at + 1))
        }
        _ if statement.word(at + 1) == "@" => (statement.name(at), statement.name(at + 2)),
        _ if statement.word(at + 1).starts_with('@') => {
            (statement.name(at), statement.word(at + 1)[1..].to_owned())
        }
        _ => (statement.name(at), "%".to_owned()),
    };
    if user.is_empty() {
        return Err(syntax(front.persona, statement.text, statement.text.len()));
    }
    let state = &front.store.state;
    let old = state.accounts.iter().find(|account| account.user == user && account.host == host).cloned();
    let by = statement.find(at, "by").map(|by| statement.name(by + 1));
    if by.is_none()
        && old.is_none()
        && statement.is(0, &["grant"])
        && front.persona.release.since(8, 0)
        && !front.persona.maria()
    {
        return Err(failure(1410, "42000", "You are not allowed to create a user with GRANT"));
    }
    let password = by.or_else(|| old.as_ref().and_then(|account| account.password.clone()));
    let plugin = front.persona.plugin().unwrap_or(auth::NATIVE);
    let stored = match (&password, plugin) {
        (Some(password), auth::NATIVE) => auth::stored_native(password.as_bytes()),
        (Some(_), _) => {
            const LETTERS: &str = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
            format!("$A$005${}{}", front.host.entropy.text(LETTERS, 20), front.host.entropy.text(LETTERS, 43))
        }
        (None, _) => String::new(),
    };
    let all = all || old.as_ref().is_some_and(|account| account.all);
    // Whoever makes an account comes back by it; one of the system's own stays closed.
    let password = if old.is_some() { password } else { password.or(Some(String::new())) };
    front.account(Account { user, host, plugin, stored, password, all });
    Ok(())
}

/// CREATE, DROP and ALTER of what is no table.
fn object(
    front: &mut Front<'_>,
    first: &str,
    statement: &Statement<'_>,
    notes: &mut Vec<Body>,
) -> Result<Reply, Failure> {
    let text: String = statement.text.chars().take(400).collect();
    let changed = |object: String| Body::StateChanged { object, old: None, new: text.clone() };
    if statement.find(1, "soname").is_some() && first == "create" {
        let library = statement.find(1, "soname").map(|at| statement.name(at + 1)).unwrap_or_default();
        return Err(library_missing(front, &library));
    }
    match (first, statement.word(1).to_ascii_lowercase().as_str()) {
        ("create" | "alter", "user" | "role") => {
            let (user, _) = statement.path(2);
            notes.push(changed(format!("account {}", user.join("."))));
            accounts(front, statement, false)?;
            Ok(fine())
        }
        ("drop", "user" | "role") => {
            let at = if statement.is(2, &["if", "exists"]) { 4 } else { 2 };
            let user = statement.name(at);
            let user = user.split('@').next().unwrap_or_default().to_owned();
            let before = front.store.state.accounts.len();
            front.store.state.accounts.retain(|account| account.user != user || account.host == "localhost");
            if front.store.state.accounts.len() == before && at == 2 {
                return Err(failure(1396, "HY000", format!("Operation DROP USER failed for '{user}'@'%'")));
            }
            notes.push(changed(format!("account {user}")));
            Ok(fine())
        }
        ("drop", "function" | "procedure" | "trigger" | "event" | "view") => {
            if statement.is(2, &["if", "exists"]) {
                return Ok(fine());
            }
            let (path, _) = statement.path(2);
            let name = match (path.as_slice(), front.client.database()) {
                ([name], database) if !database.is_empty() => format!("{database}.{name}"),
                (path, _) => path.join("."),
            };
            Err(match statement.word(1).to_ascii_lowercase().as_str() {
                "view" if front.persona.maria() => failure(4092, "42S02", format!("Unknown VIEW: '{name}'")),
                "view" => failure(1051, "42S02", format!("Unknown table '{name}'")),
                "trigger" => failure(1360, "HY000", "Trigger does not exist"),
                "event" => failure(1539, "HY000", format!("Unknown event '{}'", path.join("."))),
                kind => failure(1305, "42000", format!("{} {name} does not exist", kind.to_uppercase())),
            })
        }
        _ => {
            if front.client.database().is_empty()
                && !statement.is(1, &["database"])
                && !statement.is(1, &["schema"])
            {
                return Err(failure(1046, "3D000", "No database selected"));
            }
            // Kept in the events; nothing that is stored would ever run.
            notes.push(changed(statement.word(1).to_ascii_lowercase()));
            Ok(fine())
        }
    }
}

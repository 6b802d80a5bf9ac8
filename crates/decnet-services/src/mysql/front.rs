//! Statements carried out: what is the engine's goes there, the rest is done here.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use decnet_logging::event::{Body, Direction};

use super::client::Client;
use super::codec::{self, capability};
use super::failure::{self, Failure, failure, syntax};
use super::persona::Persona;
use super::product::{Dialect, SHOWN};
use super::statement::{Sort, Statement};
use super::store::{Account, Store};
use super::{admin, metadata, show};
use crate::host::Host;
use crate::sql::{self, Layout, Outcome, ResultSet, Value};

/// How schemas lie here: a database is a schema.
pub(crate) const LAYOUT: Layout = Layout { flat: true, schemas: &[] };

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// Rows.
    Rows {
        /// Their columns.
        columns: Vec<codec::Column>,
        /// The rows.
        rows: Vec<Vec<Value>>,
    },
    /// Done.
    Ok {
        /// Rows that were changed.
        rows: u64,
        /// The first automatic number.
        id: i64,
        /// A text for people.
        info: String,
    },
    /// Not done.
    Fail(Failure),
}

/// Done, nothing changed.
pub(crate) fn fine() -> Reply {
    Reply::Ok { rows: 0, id: 0, info: String::new() }
}

/// What came of a statement.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    /// The answer.
    pub(crate) reply: Reply,
    /// How long it takes.
    pub(crate) delay: Duration,
    /// What is to be reported besides the statement.
    pub(crate) notes: Vec<Body>,
}

/// Everything that a statement is carried out against.
pub(crate) struct Front<'a> {
    /// The host.
    pub(crate) host: &'a Arc<Host>,
    /// The persona.
    pub(crate) persona: &'a Persona,
    /// The store.
    pub(crate) store: &'a mut Store,
    /// The connection.
    pub(crate) client: &'a mut Client,
}

/// Makes the dialect of a front without borrowing all of it.
macro_rules! dialect {
    ($front:expr) => {
        Dialect {
            server: $front.host,
            persona: $front.persona,
            state: &$front.store.state,
            host: $front.client.host.clone(),
            user: $front.client.user.clone(),
            settings: &$front.client.settings,
            found_rows: $front.client.found_rows,
            fresh: $front.host.entropy.text("0123456789abcdef", 32),
            random: Cell::new($front.host.entropy.between(1, u64::MAX - 1)),
            shown: None,
            headings: HashMap::new(),
        }
    };
}
pub(crate) use dialect;

impl Front<'_> {
    /// Carries one statement out.
    pub(crate) fn run(&mut self, statement: &Statement<'_>) -> Done {
        self.client.session.now = self.host.clock.micros() + offset(self.host);
        let first = statement.word(0).to_ascii_lowercase();
        // What asks for warnings leaves them.
        let asks = statement.is(0, &["show", "warnings"])
            || statement.is(0, &["show", "errors"])
            || statement.find(0, "@@warning_count").is_some();
        if !asks {
            self.client.warnings.clear();
        }
        let mut notes = Vec::new();
        suspicious(statement, &mut notes);
        let mut delay = Duration::ZERO;
        let result = self.dispatch(&first, statement, &mut delay, &mut notes);
        let reply = match result {
            Ok(reply) => reply,
            Err(failure) => {
                self.client.warn("Error", failure.code, failure.message.clone());
                Reply::Fail(failure)
            }
        };
        self.client.session.row_count = match &reply {
            Reply::Ok { rows, .. } => *rows as i64,
            _ => -1,
        };
        Done { reply, delay, notes }
    }

    fn dispatch(
        &mut self,
        first: &str,
        statement: &Statement<'_>,
        delay: &mut Duration,
        notes: &mut Vec<Body>,
    ) -> Result<Reply, Failure> {
        if let Some(broken) = statement.words.iter().find(|word| word.sort == Sort::Broken) {
            return Err(syntax(self.persona, statement.text, broken.at.start));
        }
        match first {
            "use" => {
                let name = statement.name(1);
                self.choose(&name)?;
                Ok(fine())
            }
            "set" => admin::set(self, statement, notes),
            "show" => self.show(statement),
            "desc" | "describe" | "explain" => self.describe(statement),
            "begin" | "start" => {
                self.client.transaction = true;
                Ok(fine())
            }
            "commit" | "rollback" => {
                self.client.transaction = false;
                Ok(fine())
            }
            "savepoint" | "release" | "lock" | "unlock" | "flush" | "reset" | "analyze" | "optimize"
            | "check" | "repair" | "kill" | "grant" | "revoke" | "rename" | "prepare" | "execute"
            | "deallocate" | "do" | "call" | "load" | "install" | "uninstall" | "shutdown" | "change"
            | "stop" | "purge" | "xa" | "handler" | "help" => {
                admin::run(self, first, statement, delay, notes)
            }
            "create" | "drop" | "alter" if admin::is_ours(statement) => {
                admin::run(self, first, statement, delay, notes)
            }
            "replace" | "select" | "insert" | "update" | "delete" | "create" | "drop" | "alter"
            | "truncate" | "with" | "values" | "table" | "(" => self.engine(statement, delay, notes),
            _ => Err(syntax(
                self.persona,
                statement.text,
                statement.words.first().map_or(0, |word| word.at.start),
            )),
        }
    }

    /// Chooses a database.
    pub(crate) fn choose(&mut self, name: &str) -> Result<(), Failure> {
        let dialect = dialect!(self);
        let Some(known) = show::exists(&dialect, &self.store.catalogue, name) else {
            return Err(failure(1049, "42000", format!("Unknown database '{name}'")));
        };
        self.client.session.path = vec![known];
        Ok(())
    }

    fn show(&mut self, statement: &Statement<'_>) -> Result<Reply, Failure> {
        if statement.is(1, &["warnings"]) || statement.is(1, &["errors"]) {
            let rows = self
                .client
                .warnings
                .iter()
                .map(|(level, code, text)| {
                    vec![Value::text(level), Value::Integer(i64::from(*code)), Value::text(text)]
                })
                .collect();
            let columns = [
                ("Level", sql::Kind::Varchar(7)),
                ("Code", sql::Kind::Integer),
                ("Message", sql::Kind::Varchar(512)),
            ];
            let table = sql::Table::system("shown", &columns, rows);
            return self.table(table, "");
        }
        if statement.is(1, &["count"]) {
            let columns = [("@@session.warning_count", sql::Kind::BigInt)];
            let count = self.client.warnings.len() as i64;
            return self.table(sql::Table::system("shown", &columns, vec![vec![Value::Integer(count)]]), "");
        }
        let shown = {
            let dialect = dialect!(self);
            show::show(&dialect, &self.store.catalogue, &self.client.session, statement)?
        };
        let rest = match statement.word(shown.rest).to_ascii_lowercase().as_str() {
            "" => String::new(),
            "like" => {
                let column = &shown.table.columns[0].name;
                format!("WHERE `{column}` {}", statement.from(shown.rest))
            }
            "where" => statement.from(shown.rest).to_owned(),
            "limit" => String::new(),
            _ => {
                let at = statement.words.get(shown.rest).map_or(0, |word| word.at.start);
                return Err(syntax(self.persona, statement.text, at));
            }
        };
        self.table(shown.table, &rest)
    }

    /// Shows a table, narrowed by a WHERE.
    pub(crate) fn table(&mut self, table: sql::Table, rest: &str) -> Result<Reply, Failure> {
        let mut dialect = dialect!(self);
        dialect.shown = Some(table);
        let text = format!("SELECT * FROM `{SHOWN}` {rest}");
        let fail = |error| failure::of(self.persona, error, &text, "", "show");
        let statements = sql::parse(&sqlparser::dialect::MySqlDialect {}, &text).map_err(fail)?;
        let Some(sqlparser::ast::Statement::Query(query)) = statements.first() else {
            return Err(syntax(self.persona, rest, 0));
        };
        let executed =
            sql::query(&self.store.catalogue, &self.client.session, &dialect, query).map_err(fail)?;
        let Outcome::Rows(result) = executed.outcome else { return Ok(fine()) };
        Ok(rows(&dialect, &self.store.catalogue, result, self.client.charset))
    }

    fn describe(&mut self, statement: &Statement<'_>) -> Result<Reply, Failure> {
        let next = statement.word(1).to_ascii_lowercase();
        if matches!(
            next.as_str(),
            "select" | "update" | "delete" | "insert" | "format" | "analyze" | "extended" | "("
        ) {
            let target = (1..statement.words.len())
                .find(|at| statement.is(*at, &["from"]))
                .map(|at| statement.name(at + 1));
            let columns = [
                ("id", sql::Kind::BigInt),
                ("select_type", sql::Kind::Varchar(19)),
                ("table", sql::Kind::Varchar(64)),
                ("type", sql::Kind::Varchar(10)),
                ("possible_keys", sql::Kind::Varchar(64)),
                ("key", sql::Kind::Varchar(64)),
                ("key_len", sql::Kind::Varchar(64)),
                ("ref", sql::Kind::Varchar(64)),
                ("rows", sql::Kind::BigInt),
                ("Extra", sql::Kind::Varchar(255)),
            ];
            let mut row = vec![Value::Integer(1), Value::text("SIMPLE")];
            match target {
                Some(table) => {
                    let count = self
                        .store
                        .catalogue
                        .databases
                        .iter()
                        .flat_map(|database| &database.schemas)
                        .filter(|schema| schema.name == self.client.database())
                        .flat_map(|schema| &schema.tables)
                        .find(|known| known.name == table)
                        .map_or(1, |table| table.rows.len() as i64);
                    row.extend([
                        Value::text(table),
                        Value::text("ALL"),
                        Value::Null,
                        Value::Null,
                        Value::Null,
                        Value::Null,
                    ]);
                    row.extend([Value::Integer(count), Value::text("")]);
                }
                None => {
                    row.extend(std::iter::repeat_n(Value::Null, 7));
                    row.push(Value::text("No tables used"));
                }
            }
            return self.table(sql::Table::system("shown", &columns, vec![row]), "");
        }
        let (path, rest) = statement.path(if next == "table" { 2 } else { 1 });
        let table = {
            let dialect = dialect!(self);
            let context = sql::Context::new(&self.store.catalogue, &self.client.session, &dialect);
            show::columns(&dialect, &context, &path, false)?
        };
        let narrowed = match statement.word(rest) {
            "" => String::new(),
            _ => format!("WHERE `Field` LIKE '{}'", statement.name(rest).replace('\'', "''")),
        };
        self.table(table, &narrowed)
    }

    /// Carries out what the engine can.
    pub(crate) fn engine(
        &mut self,
        statement: &Statement<'_>,
        delay: &mut Duration,
        notes: &mut Vec<Body>,
    ) -> Result<Reply, Failure> {
        if let Some(reply) = self.files(statement, notes)? {
            return Ok(reply);
        }
        let verb = statement.word(0).to_ascii_lowercase();
        let mut cut = statement.text.trim_end().to_owned();
        // `SELECT … INTO @x` sets variables.
        let mut into = Vec::new();
        if verb == "select"
            && let Some(at) = statement.find(1, "into")
            && statement.word(at + 1).starts_with('@')
        {
            into = (at + 1..statement.words.len())
                .filter(|index| statement.word(*index).starts_with('@'))
                .map(|index| statement.word(index).to_lowercase())
                .collect();
            cut.truncate(statement.words[at].at.start);
        }
        let adjusted = adjust(statement, &cut);
        let database = self.client.database().to_owned();
        let persona = self.persona;
        let fail = |error| failure::of(persona, error, statement.text, &database, &verb);
        let parsed = sql::parse(&sqlparser::dialect::MySqlDialect {}, &adjusted).map_err(fail)?;
        let Some(parsed) = parsed.into_iter().next() else {
            return Err(failure(1065, "42000", "Query was empty"));
        };
        let mut dialect = dialect!(self);
        dialect.remember(statement);
        let executed =
            sql::execute(&mut self.store.catalogue, &self.client.session, &dialect, LAYOUT, &parsed)
                .map_err(fail)?;
        *delay = executed.delay;
        for table in executed.touched {
            notes.push(Body::BaitTouched { bait: format!("table {table}"), planted_on: None });
        }
        match executed.outcome {
            Outcome::Rows(result) => {
                let count = result.rows.len() as i64;
                let reply = rows(&dialect, &self.store.catalogue, result, self.client.charset);
                drop(dialect);
                self.client.found_rows = count;
                if into.is_empty() {
                    return Ok(reply);
                }
                if let Reply::Rows { rows, .. } = reply
                    && let Some(row) = rows.into_iter().next()
                {
                    for (name, value) in into.iter().zip(row) {
                        self.client.assign(name, value);
                    }
                }
                Ok(Reply::Ok { rows: 1, id: 0, info: String::new() })
            }
            Outcome::Changed { rows, matched, last_id } => {
                drop(dialect);
                if last_id > 0 {
                    self.client.session.last_id = last_id;
                }
                changed(statement, rows, notes);
                let several = rows > 1 || statement.find(1, "select").is_some();
                let info = match verb.as_str() {
                    "update" => format!("Rows matched: {matched}  Changed: {rows}  Warnings: 0"),
                    "insert" | "replace" if several => format!("Records: {rows}  Duplicates: 0  Warnings: 0"),
                    _ => String::new(),
                };
                let shown =
                    if verb == "update" && self.client.can(capability::FOUND_ROWS) { matched } else { rows };
                // TRUNCATE counts nothing.
                let shown = if verb == "truncate" { 0 } else { shown };
                Ok(Reply::Ok { rows: shown, id: last_id, info })
            }
            Outcome::Done(_) => {
                drop(dialect);
                changed(statement, 1, notes);
                let made = statement.is(0, &["create", "database"]) || statement.is(0, &["create", "schema"]);
                let gone = statement.is(0, &["drop", "database"]) || statement.is(0, &["drop", "schema"]);
                let still = {
                    let dialect = dialect!(self);
                    show::exists(&dialect, &self.store.catalogue, &database).is_some()
                };
                if gone && !still {
                    self.client.session.path.clear();
                }
                let counts = verb == "alter" || statement.find(1, "select").is_some();
                let info = if counts { "Records: 0  Duplicates: 0  Warnings: 0" } else { "" };
                Ok(Reply::Ok { rows: u64::from(made), id: 0, info: info.to_owned() })
            }
        }
    }

    /// INTO OUTFILE and INTO DUMPFILE: an order to write a file.
    fn files(&mut self, statement: &Statement<'_>, notes: &mut Vec<Body>) -> Result<Option<Reply>, Failure> {
        let Some(at) = statement.find(1, "into") else { return Ok(None) };
        if !statement.is(at + 1, &["outfile"]) && !statement.is(at + 1, &["dumpfile"]) {
            return Ok(None);
        }
        let path = statement.name(at + 2);
        notes.push(Body::ExploitAttempt {
            name: format!("mysql.into_{}", statement.word(at + 1).to_ascii_lowercase()),
            confidence: 90,
        });
        notes.push(Body::FileDownload {
            name: Some(path.clone()),
            url: None,
            direction: Direction::Requested,
            size: None,
            bait: None,
        });
        Err(self.no_file(&path, true))
    }

    /// Why a file cannot be used.
    pub(crate) fn no_file(&self, path: &str, writes: bool) -> Failure {
        let option = "--secure-file-priv";
        let allowed = &self.persona.places.secure_file_priv;
        if !allowed.is_empty() && !path.starts_with(allowed.as_str()) {
            return failure(
                1290,
                "HY000",
                format!(
                    "The {} server is running with the {option} option so it cannot execute this statement",
                    self.persona.product()
                ),
            );
        }
        if writes {
            failure(
                1,
                "HY000",
                format!("Can't create/write to file '{path}' (Errcode: 13 \"Permission denied\")"),
            )
        } else {
            failure(13, "HY000", format!("Can't get stat of '{path}' (Errcode: 13 \"Permission denied\")"))
        }
    }

    /// Adds an account.
    pub(crate) fn account(&mut self, account: Account) {
        self.store.state.add(account);
    }
}

/// The answer of a query.
pub(crate) fn rows(
    dialect: &Dialect<'_>,
    catalogue: &sql::Catalogue,
    result: ResultSet,
    charset: u16,
) -> Reply {
    let columns =
        result.columns.iter().map(|column| metadata::heading(dialect, catalogue, column, charset)).collect();
    Reply::Rows { columns, rows: result.rows }
}

/// Microseconds between UTC and the server's own zone.
fn offset(host: &Host) -> i64 {
    // Zones are not worked out here: servers are run on UTC as often as not.
    let _ = host;
    0
}

/// Words that the parser does not know and that change nothing here, written over by blanks, so that every
/// place in the text stays what it was.
fn adjust(statement: &Statement<'_>, text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    for (index, word) in statement.words.iter().enumerate() {
        if word.sort != Sort::Word || word.at.end > out.len() {
            continue;
        }
        let lower = statement.word(index).to_ascii_lowercase();
        let dropped = matches!(
            lower.as_str(),
            "sql_no_cache"
                | "sql_calc_found_rows"
                | "sql_cache"
                | "straight_join"
                | "high_priority"
                | "sql_small_result"
                | "sql_big_result"
                | "sql_buffer_result"
        );
        // The introducer of a text: _utf8'x'.
        let introducer = lower.starts_with('_')
            && statement
                .words
                .get(index + 1)
                .is_some_and(|next| next.sort == Sort::Text && next.at.start == word.at.end);
        let ignored = (lower == "ignore" || lower == "delayed" || lower == "low_priority")
            && index == 1
            && matches!(
                statement.word(0).to_ascii_lowercase().as_str(),
                "insert" | "replace" | "update" | "delete"
            );
        if dropped || introducer || ignored {
            out[word.at.clone()].fill(b' ');
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// Reports a change of what is stored.
fn changed(statement: &Statement<'_>, rows: u64, notes: &mut Vec<Body>) {
    if rows == 0 {
        return;
    }
    let text: String = statement.text.chars().take(400).collect();
    let verb = statement.word(0).to_ascii_lowercase();
    let at = match verb.as_str() {
        "update" => 1,
        "delete" | "insert" | "replace" if statement.is(1, &["from"]) || statement.is(1, &["into"]) => 2,
        "truncate" if statement.is(1, &["table"]) => 2,
        "truncate" | "insert" | "replace" => 1,
        _ => {
            let mut at = 2;
            while ["if", "not", "exists"].iter().any(|word| statement.is(at, &[word])) {
                at += 1;
            }
            at
        }
    };
    let (path, _) = statement.path(at);
    notes.push(Body::StateChanged { object: path.join("."), old: None, new: text.clone() });
    let lower = text.to_lowercase();
    let named = ["readme", "warning", "please_read", "recover", "how_to", "ransom", "contact"];
    let table = path.last().cloned().unwrap_or_default().to_lowercase();
    let told = ["bitcoin", " btc", ".onion", "wallet", "recover your", "backed up by us", "your data is"];
    if matches!(verb.as_str(), "create" | "insert")
        && (named.iter().any(|word| table.contains(word)) || told.iter().any(|word| lower.contains(word)))
    {
        notes.push(Body::ExploitAttempt { name: "mysql.ransom_note".to_owned(), confidence: 90 });
    }
}

/// Forms of attack that show in a statement's text.
fn suspicious(statement: &Statement<'_>, notes: &mut Vec<Body>) {
    let mut seen = |name: &str, confidence: u8| {
        let body = Body::ExploitAttempt { name: name.to_owned(), confidence };
        if !notes.contains(&body) {
            notes.push(body);
        }
    };
    for (index, word) in statement.words.iter().enumerate() {
        if word.sort != Sort::Word {
            continue;
        }
        let lower = statement.word(index).to_ascii_lowercase();
        match lower.as_str() {
            "sys_exec" | "sys_eval" | "sys_get" | "do_system" | "sys_bineval" => seen("mysql.udf", 95),
            "load_file" if statement.word(index + 1) == "(" => seen("mysql.load_file", 80),
            "benchmark" | "sleep" if statement.word(index + 1) == "(" => seen("mysql.time_based", 60),
            "extractvalue" | "updatexml" if statement.word(index + 1) == "(" => seen("mysql.error_based", 60),
            "soname" => seen("mysql.udf", 95),
            _ if lower.len() > 512 && lower.starts_with("0x") => seen("mysql.hex_blob", 80),
            _ => {}
        }
    }
}

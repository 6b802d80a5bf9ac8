//! Statements: those of the engine, and those that are the product's own.

mod copy;
mod split;
mod utility;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use sqlparser::ast::{Expr, SelectItem, SetExpr, Statement};
use sqlparser::dialect::PostgreSqlDialect;

use super::codec::reply::{Fault, Field};
use super::errors;
use super::format::size;
use super::persona::Persona;
use super::product::{Effect, Note, Postgres, type_of};
use super::state::State;
use crate::sql::{self, Database, Executed, Kind, Layout, Outcome, Session, Value};

pub(crate) use copy::CopyIn;
pub(crate) use split::split;

/// How databases and schemas lie.
pub(crate) const LAYOUT: Layout = Layout { flat: false, schemas: &["public"] };

/// Where the connection's transaction is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transaction {
    /// None.
    #[default]
    Idle,
    /// In a block.
    Open,
    /// In a block that an error ended.
    Failed,
}

/// A connection that is let in.
#[derive(Debug, Default)]
pub(crate) struct Talk {
    pub(crate) process: u32,
    /// The role in force.
    pub(crate) user: String,
    /// The role that logged in.
    pub(crate) session_user: String,
    pub(crate) database: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) transaction: Transaction,
    /// The database as it was when the block began; made at the first change.
    pub(crate) before: Option<Database>,
    pub(crate) local: (String, u16),
    pub(crate) remote: (String, u16),
    /// Statements of PREPARE.
    pub(crate) prepared: BTreeMap<String, String>,
    /// Cursors: their columns and the rows that are left.
    pub(crate) cursors: BTreeMap<String, (Vec<Field>, Vec<Vec<Value>>)>,
}

/// What came of a statement.
#[derive(Debug)]
pub(crate) enum Done {
    /// Rows, and the tag.
    Rows(Vec<Field>, Vec<Vec<Value>>, String),
    /// The tag alone.
    Tag(String),
    /// Nothing was asked.
    Empty,
    /// COPY … TO STDOUT: columns and lines.
    CopyOut(usize, Vec<String>),
    /// COPY … FROM STDIN.
    CopyIn(CopyIn),
}

/// A statement carried out, with what else there is to say.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) done: Done,
    /// Notices before the tag.
    pub(crate) notices: Vec<Fault>,
    pub(crate) notes: Vec<Note>,
    pub(crate) touched: Vec<String>,
    pub(crate) delay: Duration,
    /// Parameters that clients are told of when they change.
    pub(crate) reported: Vec<(String, String)>,
    /// Bytes that the intruder gave and that are worth keeping: a name and them.
    pub(crate) kept: Vec<(String, Vec<u8>)>,
}

impl Ran {
    fn of(done: Done) -> Ran {
        Ran {
            done,
            notices: Vec::new(),
            notes: Vec::new(),
            touched: Vec::new(),
            delay: Duration::ZERO,
            reported: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn tag(tag: impl Into<String>) -> Ran {
        Ran::of(Done::Tag(tag.into()))
    }
}

/// A refusal, and what the attempt was.
pub(crate) struct Refused {
    pub(crate) fault: Fault,
    pub(crate) notes: Vec<Note>,
    pub(crate) kept: Vec<(String, Vec<u8>)>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Refused { fault, notes: Vec::new(), kept: Vec::new() }
    }
}

type Result<T> = std::result::Result<T, Refused>;

fn refuse<T>(code: &str, message: impl Into<String>) -> Result<T> {
    Err(errors::fault("ERROR", code, message).into())
}

/// A statement that has been read.
#[derive(Clone, Debug)]
pub(crate) enum Plan {
    /// The engine's.
    Sql(Box<Statement>),
    /// The product's own.
    Utility,
    /// Nothing.
    Empty,
}

/// Reads a statement.
pub(crate) fn plan(text: &str) -> std::result::Result<Plan, Fault> {
    if split::is_blank(text) {
        return Ok(Plan::Empty);
    }
    if utility::is_utility(text) {
        return Ok(Plan::Utility);
    }
    match sql::parse(&PostgreSqlDialect {}, text) {
        Ok(mut statements) if statements.len() == 1 => {
            Ok(statements.pop().map_or(Plan::Empty, |statement| Plan::Sql(Box::new(statement))))
        }
        Ok(_) => Ok(Plan::Empty),
        Err(error) => Err(errors::of(&error, text, "")),
    }
}

impl Talk {
    /// The letter of ReadyForQuery.
    pub(crate) fn letter(&self) -> u8 {
        match self.transaction {
            Transaction::Idle => b'I',
            Transaction::Open => b'T',
            Transaction::Failed => b'E',
        }
    }

    /// The session as the engine sees it.
    pub(crate) fn session(&self, state: &State, now: i64, parameters: Vec<Value>) -> Session {
        let database = state.catalogue.database(&self.database, false);
        let there = |name: &String| {
            database.is_some_and(|at| {
                state.catalogue.schema(at, name, false).is_some()
                    || matches!(name.as_str(), "pg_catalog" | "information_schema")
            })
        };
        let path = self.settings.get("search_path").map_or_else(
            || vec![self.user.clone(), "public".to_owned()],
            |path| {
                path.split(',')
                    .map(|name| name.trim().trim_matches(['"', '\'']).replace("$user", &self.user))
                    .filter(|name| !name.is_empty())
                    .collect()
            },
        );
        let path: Vec<String> = path.into_iter().filter(there).collect();
        Session {
            user: self.user.clone(),
            database: self.database.clone(),
            path,
            parameters,
            now,
            connection: self.process,
            ..Session::default()
        }
    }

    pub(crate) fn product<'a>(&'a self, persona: &'a Persona, state: &'a State) -> Postgres<'a> {
        Postgres {
            persona,
            state,
            process: self.process,
            user: &self.user,
            session_user: &self.session_user,
            settings: &self.settings,
            local: self.local.clone(),
            remote: self.remote.clone(),
            notes: RefCell::default(),
            effects: RefCell::default(),
            last_call: RefCell::default(),
        }
    }

    /// An error ends a block.
    pub(crate) fn fail(&mut self) {
        if self.transaction == Transaction::Open {
            self.transaction = Transaction::Failed;
        }
    }

    /// Ends the block.
    pub(crate) fn end(&mut self, state: &mut State, keep: bool) {
        if let Some(before) = self.before.take()
            && !keep
            && let Some(at) = state.catalogue.database(&self.database, false)
        {
            state.catalogue.databases[at] = before;
        }
        self.transaction = Transaction::Idle;
        self.cursors.clear();
    }

    /// Carries a statement out. `text` is what stands in the statement, `now` in microseconds.
    pub(crate) fn run(
        &mut self,
        persona: &Persona,
        state: &mut State,
        text: &str,
        plan: &Plan,
        parameters: Vec<Value>,
        now: i64,
    ) -> Result<Ran> {
        if self.transaction == Transaction::Failed
            && !utility::ends_block(text)
            && !matches!(plan, Plan::Empty)
        {
            return refuse(
                "25P02",
                "current transaction is aborted, commands ignored until end of transaction block",
            );
        }
        let result = match plan {
            Plan::Empty => Ok(Ran::of(Done::Empty)),
            Plan::Utility => self.utility(persona, state, text, now),
            Plan::Sql(statement) => self.sql(persona, state, text, statement, parameters, now),
        };
        if result.is_err() {
            self.fail();
        }
        result
    }

    /// Whether the role may change what is in this database.
    fn may_change(&self, state: &State) -> bool {
        state.superuser(&self.user) || state.owner(&self.database) == self.user
    }

    pub(crate) fn sql(
        &mut self,
        persona: &Persona,
        state: &mut State,
        text: &str,
        statement: &Statement,
        parameters: Vec<Value>,
        now: i64,
    ) -> Result<Ran> {
        let session = self.session(state, now, parameters);
        let query = matches!(statement, Statement::Query(_));
        if !query {
            self.allowed(state, statement)?;
            if self.transaction == Transaction::Open && self.before.is_none() {
                self.before = state
                    .catalogue
                    .database(&self.database, false)
                    .and_then(|at| state.catalogue.databases.get(at).cloned());
            }
        }
        // The engine changes the catalogue while the product looks at everything else.
        let mut catalogue = std::mem::take(&mut state.catalogue);
        let product = self.product(persona, state);
        let result = if let Statement::Query(query) = statement {
            guarded(&product, text).and_then(|()| sql::query(&catalogue, &session, &product, query))
        } else {
            sql::execute(&mut catalogue, &session, &product, LAYOUT, statement)
        };
        let notes = product.notes.take();
        let effects = product.effects.take();
        let call = product.last_call.take();
        state.catalogue = catalogue;
        let Executed { outcome, delay, touched } = match result {
            Ok(executed) => executed,
            Err(error) => {
                let fault = errors::of(&error, text, &call);
                return Err(Refused { fault, notes, kept: Vec::new() });
            }
        };
        let mut ran = match outcome {
            Outcome::Rows(result) => {
                let fields = fields(statement, &result);
                let rows = named_rows(statement, persona, state, &session, result.rows);
                let tag = format!("SELECT {}", rows.len());
                Ran::of(Done::Rows(fields, rows, tag))
            }
            Outcome::Changed { rows, .. } => Ran::tag(match statement {
                Statement::Insert(_) => format!("INSERT 0 {rows}"),
                Statement::Update(_) => format!("UPDATE {rows}"),
                Statement::Delete(_) => format!("DELETE {rows}"),
                _ => format!("SELECT {rows}"),
            }),
            Outcome::Done(tag) => {
                self.made(state, statement);
                Ran::tag(tag)
            }
        };
        ran.notes = notes;
        ran.delay = delay;
        ran.touched = touched;
        if !query {
            ran.notes.push(Note::Changed(self.database.clone(), shortened(text)));
        }
        self.apply(state, effects, &mut ran);
        Ok(ran)
    }

    /// Whether the role in force may do that.
    fn allowed(&self, state: &State, statement: &Statement) -> Result<()> {
        let role = state.role(&self.user);
        if matches!(statement, Statement::CreateDatabase { .. })
            && !role.is_some_and(|role| role.superuser || role.create_database)
        {
            return refuse("42501", "permission denied to create database");
        }
        if self.may_change(state) {
            return Ok(());
        }
        let last = |name: &sqlparser::ast::ObjectName| {
            name.to_string().rsplit('.').next().unwrap_or("").replace('"', "")
        };
        match statement {
            Statement::Insert(insert) => {
                let table = insert.table.to_string();
                refuse(
                    "42501",
                    format!("permission denied for table {}", table.rsplit('.').next().unwrap_or(&table)),
                )
            }
            Statement::Update(update) => refuse(
                "42501",
                format!(
                    "permission denied for table {}",
                    update.table.to_string().rsplit('.').next().unwrap_or("")
                ),
            ),
            Statement::Drop { object_type, names, .. } => {
                let name = names.first().map(last).unwrap_or_default();
                refuse("42501", format!("must be owner of {} {name}", object_type.to_string().to_lowercase()))
            }
            Statement::CreateSchema { .. } => {
                refuse("42501", format!("permission denied for database {}", self.database))
            }
            Statement::CreateTable(_) => refuse("42501", "permission denied for schema public"),
            Statement::AlterTable(alter) => {
                refuse("42501", format!("must be owner of table {}", last(&alter.name)))
            }
            Statement::Truncate(truncate) => {
                let name = truncate.table_names.first().map(|target| last(&target.name)).unwrap_or_default();
                refuse("42501", format!("permission denied for table {name}"))
            }
            Statement::Delete(_) => refuse("42501", "permission denied for table"),
            _ => Ok(()),
        }
    }

    /// Keeps count of what was made or taken away.
    fn made(&self, state: &mut State, statement: &Statement) {
        if matches!(statement, Statement::CreateDatabase { .. }) {
            let names: Vec<String> =
                state.catalogue.databases.iter().map(|database| database.name.clone()).collect();
            for name in names {
                if !state.numbers.contains_key(&name) {
                    let oid = state.oid();
                    state.numbers.insert(name.clone(), oid);
                    state.owners.insert(name, self.user.clone());
                }
            }
        }
    }

    fn apply(&mut self, state: &mut State, effects: Vec<Effect>, ran: &mut Ran) {
        for effect in effects {
            match effect {
                Effect::Setting { name, value, .. } => {
                    self.settings.insert(name.to_lowercase(), value);
                }
                Effect::Terminate(process) => {
                    if let Some(backend) = state.backends.get_mut(&process) {
                        backend.terminated = true;
                    }
                }
                Effect::Large { oid, at, bytes } => {
                    if !bytes.is_empty() {
                        ran.kept.push((format!("large object {oid}"), bytes.clone()));
                    }
                    state.put_large(oid, at, &bytes);
                }
                Effect::Unlink(oid) => {
                    state.large.remove(&oid);
                }
            }
        }
    }
}

/// Tables with secrets are the superusers'.
fn guarded(product: &Postgres<'_>, text: &str) -> std::result::Result<(), sql::SqlError> {
    let lower = text.to_lowercase();
    for (name, kind) in [("pg_authid", "table"), ("pg_shadow", "view"), ("pg_hba_file_rules", "view")] {
        if !lower.contains(name) {
            continue;
        }
        if !product.superuser() {
            return Err(super::product::error("42501", format!("permission denied for {kind} {name}")));
        }
        product.note(Note::Read(name.to_owned()));
    }
    Ok(())
}

/// A statement as events name it.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(400).collect()
}

/// The items of a query's first SELECT, where every column of the result is one of them.
fn items(statement: &Statement, columns: usize) -> Option<Vec<&Expr>> {
    let Statement::Query(query) = statement else { return None };
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let items: Vec<&Expr> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
            _ => None,
        })
        .collect();
    (items.len() == columns && items.len() == select.projection.len()).then_some(items)
}

/// The type of a column by the expression that it comes from.
fn typed(expr: &Expr) -> Option<(u32, i32)> {
    let plain = |oid: u32| Some((oid, -1));
    match expr {
        Expr::Value(value)
            if !matches!(
                value.value,
                sqlparser::ast::Value::Number(..) | sqlparser::ast::Value::Boolean(_)
            ) =>
        {
            plain(25)
        }
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => typed(inner),
        Expr::Cast { data_type, .. } => {
            let heading = super::product::type_heading(data_type);
            let oid = match super::tables::lookup("pg_type", "typname", &Value::text(&heading), "oid") {
                Some(Value::Integer(oid)) if !data_type.to_string().ends_with(']') => {
                    u32::try_from(oid).ok()?
                }
                _ => return None,
            };
            let modifier = sql::kind_of_type(data_type).map_or(-1, |kind| match kind {
                Kind::Decimal { .. } if !data_type.to_string().contains('(') => -1,
                kind => type_of(kind).2,
            });
            Some((oid, modifier))
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            match name.rsplit('.').next().unwrap_or(&name) {
                "now"
                | "current_timestamp"
                | "clock_timestamp"
                | "pg_postmaster_start_time"
                | "pg_conf_load_time" => plain(1184),
                "count"
                | "pg_database_size"
                | "pg_table_size"
                | "pg_relation_size"
                | "pg_total_relation_size" => plain(20),
                "current_database" | "current_user" | "session_user" | "user" | "current_schema"
                | "pg_get_userbyid" => plain(19),
                "inet_server_addr" | "inet_client_addr" => plain(869),
                "pg_sleep" => plain(2278),
                "lo_import" | "lo_create" | "lo_from_bytea" | "lo_creat" => plain(26),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The columns of a result as RowDescription has them.
pub(crate) fn fields(statement: &Statement, result: &sql::ResultSet) -> Vec<Field> {
    let items = items(statement, result.columns.len());
    result
        .columns
        .iter()
        .enumerate()
        .map(|(at, heading)| {
            let (oid, _, modifier) = type_of(heading.kind);
            let (oid, modifier) = items
                .as_ref()
                .and_then(|items| typed(items[at]))
                .unwrap_or((oid, if heading.origin.is_some() { modifier } else { -1 }));
            let origin = heading.origin.as_ref();
            Field {
                name: heading.name.clone(),
                table: origin.map_or(0, |origin| origin.table_number),
                number: origin.filter(|origin| origin.table_number > 0).map_or(0, |origin| origin.number),
                oid,
                size: size(oid),
                modifier,
                format: 0,
            }
        })
        .collect()
}

/// Numbers that a cast to `regclass` and its kin gave are shown as the names that they stand for.
fn named_rows(
    statement: &Statement,
    persona: &Persona,
    state: &State,
    session: &Session,
    mut rows: Vec<Vec<Value>>,
) -> Vec<Vec<Value>> {
    let Some(items) = items(statement, rows.first().map_or(0, Vec::len)) else { return rows };
    let talk = Talk::default();
    let product = talk.product(persona, state);
    let context = sql::Context::new(&state.catalogue, session, &product);
    for (at, item) in items.iter().enumerate() {
        let Expr::Cast { data_type, .. } = item else { continue };
        let kind = data_type.to_string().to_lowercase();
        if !kind.contains("reg") {
            continue;
        }
        for row in &mut rows {
            if let Value::Integer(_) = row[at]
                && let Some(Ok(name)) = super::functions::cast(&product, &context, &row[at], &kind)
            {
                row[at] = name;
            }
        }
    }
    rows
}

/// The highest number of a placeholder.
pub(crate) fn placeholders(text: &str) -> usize {
    let words = split::words(text);
    let numbers =
        words.windows(2).filter(|pair| pair[0] == "$").filter_map(|pair| pair[1].parse::<usize>().ok());
    numbers.filter(|number| *number <= 65_535).max().unwrap_or(0)
}

/// The type of a placeholder by the cast behind it; text where there is none.
pub(crate) fn placeholder_type(text: &str, number: usize) -> u32 {
    let mark = format!("${number}::");
    let Some((_, rest)) = text.split_once(&mark) else { return 25 };
    let word: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    match word.to_lowercase().as_str() {
        "int" | "integer" | "int4" => 23,
        "bigint" | "int8" => 20,
        "smallint" | "int2" => 21,
        "bool" | "boolean" => 16,
        "oid" => 26,
        "bytea" => 17,
        _ => 25,
    }
}

impl Talk {
    /// The columns that a statement would give, without what it would do; none where it gives no rows.
    pub(crate) fn shape(
        &mut self,
        persona: &Persona,
        state: &mut State,
        text: &str,
        plan: &Plan,
        values: Vec<Value>,
        now: i64,
    ) -> std::result::Result<Option<Vec<Field>>, Fault> {
        match plan {
            Plan::Sql(statement) if matches!(**statement, Statement::Query(_)) => {
                let Statement::Query(query) = statement.as_ref() else { return Ok(None) };
                let session = self.session(state, now, values);
                let catalogue = std::mem::take(&mut state.catalogue);
                let product = self.product(persona, state);
                let result = sql::query(&catalogue, &session, &product, query);
                let call = product.last_call.take();
                state.catalogue = catalogue;
                match result {
                    Ok(Executed { outcome: Outcome::Rows(result), .. }) => {
                        Ok(Some(fields(statement, &result)))
                    }
                    Ok(_) => Ok(None),
                    Err(error) => Err(errors::of(&error, text, &call)),
                }
            }
            Plan::Utility
                if text.trim_start().get(..4).is_some_and(|word| word.eq_ignore_ascii_case("show")) =>
            {
                match self.run(persona, state, text, plan, values, now) {
                    Ok(Ran { done: Done::Rows(fields, ..), .. }) => Ok(Some(fields)),
                    Ok(_) => Ok(None),
                    Err(refused) => Err(refused.fault),
                }
            }
            _ => Ok(None),
        }
    }
}

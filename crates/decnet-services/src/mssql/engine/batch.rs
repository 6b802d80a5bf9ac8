//! Batches: control flow, variables, and which statement goes to whom.

use std::time::Duration;

use decnet_logging::event::Body;
use sqlparser::ast::{SelectItem, SetExpr, Statement};

use super::super::codec::{Notice, command};
use super::product::TSql;
use super::script::{self, Kind, Token};
use super::{Run, errors};
use crate::sql::{self, Column, Layout, Outcome, ResultSet, SqlError, Table, Value};

/// Statements of one request, loops unrolled.
pub(super) const STATEMENTS: u32 = 10_000;
/// How long one request may compute; other clients wait meanwhile.
const COMPUTING: Duration = Duration::from_secs(2);
/// Blocks and conditions within each other, over all texts of a request.
const BLOCKS: u32 = 48;
/// Blocks and conditions of one text.
const CONDITIONS: usize = 128;
/// Procedures and EXEC within each other; the product's own limit (error 217).
const NESTING: u32 = 32;
/// Bytes of one reply.
const REPLY_LIMIT: usize = 8 * 1024 * 1024;
/// Variables of one connection's batch.
const MOST_VARIABLES: usize = 1024;
const LAYOUT: Layout = Layout { flat: false, schemas: &["dbo", "guest"] };

impl Run<'_> {
    /// Carries a batch out.
    pub(in super::super) fn batch(&mut self, text: &str) {
        self.client.session.variables.clear();
        self.text(text);
    }

    /// Carries a text out: a batch, or what EXEC and sp_executesql are given.
    pub(super) fn text(&mut self, text: &str) {
        let tokens = match script::tokens(text) {
            Ok(tokens) => tokens,
            Err(open) => {
                let line = line_of(text, open.start);
                let mut notice = if open.comment {
                    Notice::new(113, 15, 1, "Missing end comment mark '*/'.")
                } else {
                    errors::unclosed(&text[open.start..])
                };
                notice.line = line;
                return self.fail(notice);
            }
        };
        if self.depth >= NESTING {
            return self.fail(Notice::new(
                217,
                16,
                1,
                "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32).",
            ));
        }
        let blocks = tokens.iter().filter(|token| token.is_any(&["if", "while", "begin", "else"])).count();
        if blocks > CONDITIONS {
            return self.failed_with(&SqlError::TooComplex, "", 1);
        }
        self.statements(text, &tokens, 0, tokens.len());
    }

    fn statements(&mut self, text: &str, tokens: &[Token<'_>], from: usize, to: usize) {
        if self.blocks >= BLOCKS {
            return self.failed_with(&SqlError::TooComplex, "", 1);
        }
        self.blocks += 1;
        let mut at = from;
        while at < to && !self.over && self.caught.is_none() {
            if tokens[at].sign(";") {
                at += 1;
                continue;
            }
            at = self.one(text, tokens, at, to).max(at + 1);
        }
        self.blocks -= 1;
    }

    /// Carries out the statement at a place; gives the place behind it.
    fn one(&mut self, text: &str, tokens: &[Token<'_>], at: usize, to: usize) -> usize {
        self.budget = self.budget.saturating_sub(1);
        if self.budget == 0 || self.tokens.len() > REPLY_LIMIT || self.began.elapsed() > COMPUTING {
            // Like a server that is told to stop: what is there is sent.
            self.over = true;
            return to;
        }
        let first = &tokens[at];
        let next = tokens.get(at + 1);
        if first.is("begin") && !next.is_some_and(|next| next.is_any(&["tran", "transaction", "distributed"]))
        {
            let end = skip(tokens, at).min(to);
            let inner = if next.is_some_and(|next| next.is_any(&["try", "catch"])) { at + 2 } else { at + 1 };
            if next.is_some_and(|next| next.is("try")) {
                return self.attempt(text, tokens, inner, end, to);
            }
            let last = if next.is_some_and(|next| next.is("catch")) { 2 } else { 1 };
            if next.is_some_and(|next| next.is("catch")) {
                return end;
            }
            self.statements(text, tokens, inner, end.saturating_sub(last).max(inner));
            return end;
        }
        if first.is("if") || first.is("while") {
            let body = condition_end(tokens, at + 1).min(to);
            if body >= to {
                self.fail(errors::syntax("", line_of(text, first.start)));
                return to;
            }
            let condition = &text[tokens[at + 1].start..tokens[body - 1].end];
            let after = skip(tokens, body).min(to);
            let otherwise =
                tokens.get(after).filter(|token| token.is("else") && after < to).map(|_| after + 1);
            let end = otherwise.map_or(after, |other| skip(tokens, other).min(to));
            if first.is("while") {
                while !self.over && self.caught.is_none() && self.budget > 0 {
                    match self.holds(condition) {
                        Some(true) => self.statements(text, tokens, body, after),
                        _ => break,
                    }
                    self.budget = self.budget.saturating_sub(1);
                }
                return after;
            }
            match (self.holds(condition), otherwise) {
                (Some(true), _) => self.statements(text, tokens, body, after),
                (Some(false), Some(other)) => self.statements(text, tokens, other, end),
                _ => {}
            }
            return end;
        }
        let end = script::statement_end(tokens, at).min(to);
        let statement = &tokens[at..end];
        let line = line_of(text, first.start);
        self.simple(text, statement, line, at == 0);
        end
    }

    /// BEGIN TRY … END TRY BEGIN CATCH … END CATCH.
    fn attempt(&mut self, text: &str, tokens: &[Token<'_>], inner: usize, end: usize, to: usize) -> usize {
        self.catching += 1;
        self.statements(text, tokens, inner, end.saturating_sub(2).max(inner));
        self.catching -= 1;
        let begins = tokens.get(end).is_some_and(|token| token.is("begin"));
        if !(begins && end < to && tokens.get(end + 1).is_some_and(|token| token.is("catch"))) {
            self.caught = None;
            return end;
        }
        let last = skip(tokens, end).min(to);
        if let Some(error) = self.caught.take() {
            self.over = false;
            self.client.last_error = error.number.into();
            self.statements(text, tokens, end + 2, last.saturating_sub(2).max(end + 2));
        }
        last
    }

    /// Whether a condition holds; `None` after an error.
    fn holds(&mut self, condition: &str) -> Option<bool> {
        self.value(&format!("CASE WHEN {condition} THEN 1 ELSE 0 END"))
            .map(|value| value.integer() == Some(1))
    }

    /// The value of an expression; `None` after an error.
    pub(super) fn value(&mut self, expression: &str) -> Option<Value> {
        let result = self.query(&format!("SELECT {expression}"));
        match result {
            Ok(set) => Some(
                set.rows.into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or(Value::Null),
            ),
            Err(error) => {
                self.failed_with(&error, "select", 1);
                None
            }
        }
    }

    /// The rows of a query, without telling them.
    fn query(&mut self, text: &str) -> Result<ResultSet, SqlError> {
        let product = TSql::new(self.shared, &self.state.facts, self.client);
        let statements = sql::parse(sql::Product::dialect(&product), text)?;
        let Some(Statement::Query(query)) = statements.first() else {
            return Err(SqlError::Unsupported(text.to_owned()));
        };
        let executed = sql::query(&self.state.catalogue, &self.client.session, &product, query)?;
        self.delay += executed.delay;
        match executed.outcome {
            Outcome::Rows(set) => Ok(set),
            _ => Ok(ResultSet::default()),
        }
    }

    /// A statement without others in it.
    fn simple(&mut self, text: &str, tokens: &[Token<'_>], line: u32, first_of_batch: bool) {
        let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return };
        let body = &text[first.start..last.end];
        let verb = first.text.to_lowercase();
        let second = tokens.get(1).map(|token| token.text.to_lowercase()).unwrap_or_default();
        if first.kind != Kind::Word {
            if first.kind == Kind::Quoted && first_of_batch {
                return self.execute(text, tokens, line);
            }
            return self.fail(errors::syntax(first.text, line));
        }
        match verb.as_str() {
            "select" | "with" | "insert" | "update" | "delete" | "truncate" => {
                self.data(text, tokens, body, &verb, line)
            }
            "create" | "alter" | "drop"
                if matches!(
                    second.as_str(),
                    "table" | "database" | "schema" | "index" | "unique" | "clustered" | "nonclustered"
                ) =>
            {
                self.data(text, tokens, body, &verb, line);
            }
            "set" => self.set(text, tokens, line),
            "declare" => self.declare(text, tokens, line),
            "print" => {
                let expression = text[first.end..last.end].to_owned();
                if let Some(value) = self.value(&expression) {
                    let said = if value.is_null() { " ".to_owned() } else { value.to_string() };
                    let mut notice = Notice::new(0, 0, 1, said);
                    notice.line = line;
                    self.tell(&notice);
                }
            }
            "use" => {
                let name = tokens.get(1).map(Token::plain).unwrap_or_default();
                self.use_database(&name, line);
            }
            "waitfor" => {
                let time = tokens
                    .iter()
                    .find(|token| token.kind == Kind::Text)
                    .map(Token::plain)
                    .unwrap_or_default();
                if second == "delay" {
                    self.delay += clock(&time);
                }
                self.done(command::OTHER, None);
            }
            "exec" | "execute" if second == "as" => {
                let name = tokens
                    .iter()
                    .rev()
                    .find(|token| token.kind == Kind::Text)
                    .map(Token::plain)
                    .unwrap_or_default();
                if self.state.login(&name).is_none() {
                    let text = format!(
                        "Cannot execute as the server principal because the principal \"{name}\" does not exist, this \
                         type of principal cannot be impersonated, or you do not have permission."
                    );
                    return self.fail(Notice::new(15406, 16, 1, text));
                }
                self.exploit("mssql.impersonate", 60);
                let before = std::mem::replace(&mut self.client.session.user, name);
                self.client.impersonated.push(before);
                self.client.impersonated.truncate(64);
                self.done(command::OTHER, None);
            }
            "revert" => {
                if let Some(before) = self.client.impersonated.pop() {
                    self.client.session.user = before;
                }
                self.done(command::OTHER, None);
            }
            "exec" | "execute" => self.execute(text, &tokens[1..], line),
            "begin" => {
                self.client.transactions += 1;
                if self.client.transactions == 1 {
                    self.client.descriptor = self.state.descriptor();
                    let descriptor = self.client.descriptor;
                    self.tokens.transaction(8, descriptor);
                }
                self.done(command::OTHER, None);
            }
            "commit" | "rollback" if self.client.transactions == 0 => {
                let (number, what) = if verb == "commit" { (3902, "COMMIT") } else { (3903, "ROLLBACK") };
                let text = format!("The {what} TRANSACTION request has no corresponding BEGIN TRANSACTION.");
                self.fail(Notice::new(number, 16, 1, text));
            }
            "commit" | "rollback" => {
                self.client.transactions = if verb == "commit" { self.client.transactions - 1 } else { 0 };
                if self.client.transactions == 0 {
                    let descriptor = self.client.descriptor;
                    self.tokens.transaction(if verb == "commit" { 9 } else { 10 }, descriptor);
                }
                self.done(command::OTHER, None);
            }
            "return" | "throw" if verb == "return" || tokens.len() > 1 => {
                if verb == "throw" {
                    let number = tokens[1].text.parse().unwrap_or(50_000);
                    let said = tokens
                        .iter()
                        .find(|token| token.kind == Kind::Text)
                        .map(Token::plain)
                        .unwrap_or_default();
                    self.fail(Notice::new(number, 16, 1, said));
                }
                self.over = self.depth == 0;
            }
            "raiserror" => {
                let said = tokens
                    .iter()
                    .find(|token| token.kind == Kind::Text)
                    .map(Token::plain)
                    .unwrap_or_default();
                let numbers: Vec<u8> = tokens
                    .iter()
                    .filter(|token| token.kind == Kind::Number)
                    .filter_map(|token| token.text.parse().ok())
                    .collect();
                let class = numbers.first().copied().unwrap_or(16).min(18);
                let mut notice = Notice::new(50_000, class, numbers.get(1).copied().unwrap_or(1), said);
                notice.line = line;
                if class > 10 { self.fail(notice) } else { self.tell(&notice) }
            }
            "reconfigure" => self.reconfigure(),
            "create" | "alter" | "drop" | "grant" | "deny" | "revoke" | "backup" | "restore" | "dbcc"
            | "shutdown" | "kill" | "bulk" | "checkpoint" | "enable" | "disable" | "save" | "open"
            | "close" | "fetch" | "deallocate" | "merge" => self.administration(tokens, body, line),
            "go" => self.fail(errors::syntax("go", line)),
            _ if first_of_batch => self.execute(text, tokens, line),
            _ => self.fail(errors::syntax(first.text, line)),
        }
    }

    fn data(&mut self, text: &str, tokens: &[Token<'_>], body: &str, verb: &str, line: u32) {
        // A table on another server, or a file: never reached.
        if let Some(token) =
            tokens.iter().find(|token| token.is_any(&["openrowset", "opendatasource", "openquery"]))
        {
            return self.foreign(&token.text.to_lowercase(), tokens, body);
        }
        // INSERT … EXEC gives what the procedure gives.
        if verb == "insert"
            && let Some(at) = tokens.iter().position(|token| token.is_any(&["exec", "execute"]))
        {
            return self.execute(text, &tokens[at + 1..], line);
        }
        let adjusted = adjust(text, tokens);
        let product = TSql::new(self.shared, &self.state.facts, self.client);
        let parsed = sql::parse(sql::Product::dialect(&product), &adjusted);
        let mut statement = match parsed {
            Ok(statements) => match statements.into_iter().next() {
                Some(statement) => statement,
                None => return,
            },
            Err(error) => return self.failed_with(&error, verb, line),
        };
        let (assigned, into) = take_targets(&mut statement);
        let product = TSql::new(self.shared, &self.state.facts, self.client);
        let result =
            sql::execute(&mut self.state.catalogue, &self.client.session, &product, LAYOUT, &statement);
        let executed = match result {
            Ok(executed) => executed,
            Err(error) => return self.failed_with(&error, verb, line),
        };
        self.delay += executed.delay;
        let database = self.client.session.database.clone();
        for table in executed.touched {
            self.note(Body::BaitTouched { bait: format!("{database}.{table}"), planted_on: None });
        }
        self.client.last_error = 0;
        match executed.outcome {
            Outcome::Rows(set) if !assigned.is_empty() => {
                let count = set.rows.len() as i64;
                if let Some(row) = set.rows.last() {
                    for (name, value) in assigned.iter().zip(row) {
                        self.client.session.variables.insert(name.to_lowercase(), value.clone());
                    }
                }
                self.client.session.row_count = count;
            }
            Outcome::Rows(set) => match into {
                Some(name) => self.select_into(&name, set),
                None => self.result(&set),
            },
            Outcome::Changed { rows, last_id, .. } => {
                self.client.session.row_count = i64::try_from(rows).unwrap_or(i64::MAX);
                if last_id != 0 {
                    self.client.session.last_id = last_id;
                }
                self.rows += rows;
                let number = match verb {
                    "insert" => command::INSERT,
                    "update" => command::UPDATE,
                    _ => command::DELETE,
                };
                self.changed(format!("{database}.{verb}"), body.chars().take(4096).collect::<String>());
                self.ransom(body);
                self.done(number, Some(rows));
            }
            Outcome::Done(_) => {
                if verb == "create" && tokens.get(1).is_some_and(|token| token.is("database")) {
                    let now = self.client.session.now;
                    if let Some(name) = tokens.get(2).map(Token::plain) {
                        self.state.facts.databases_made.insert(name, now);
                    }
                }
                self.changed(format!("{database}.{verb}"), body.chars().take(4096).collect::<String>());
                self.done(if verb == "drop" { command::DROP } else { command::CREATE }, None);
            }
        }
    }

    /// A note that asks for money, as those leave it who drop the tables before.
    fn ransom(&mut self, body: &str) {
        let lower = body.to_lowercase();
        let asks = ["bitcoin", "btc", "monero", "ransom", "recover your data", "pay "];
        if asks.iter().filter(|word| lower.contains(**word)).count() >= 2 {
            self.exploit("ransom.note", 90);
            self.notes.push(super::Note::Given("ransom-note.sql".to_owned(), body.as_bytes().to_vec()));
        }
    }

    fn select_into(&mut self, name: &str, set: ResultSet) {
        let fold = true;
        let place = self
            .state
            .catalogue
            .database(&self.client.session.database, fold)
            .and_then(|database| Some((database, self.state.catalogue.schema(database, "dbo", fold)?)));
        let Some((database, schema)) = place else { return };
        if self.state.catalogue.table(database, schema, name, fold).is_some() {
            return self.failed_with(&SqlError::TableExists(name.to_owned()), "create", 1);
        }
        let columns = set.columns.iter().map(|heading| Column::new(&heading.name, heading.kind)).collect();
        let mut table = Table::new(name, columns);
        table.rows = set.rows;
        table.made = self.client.session.now;
        if let Err(error) = self.state.catalogue.room().and_then(|()| self.state.catalogue.grow(table.size()))
        {
            return self.failed_with(&error, "insert", 1);
        }
        table.number = self.state.catalogue.next_number();
        let count = table.rows.len() as u64;
        self.state.catalogue.databases[database].schemas[schema].tables.push(table);
        self.changed(format!("{}.{name}", self.client.session.database), "select into");
        self.done(command::INSERT, Some(count));
    }

    fn set(&mut self, text: &str, tokens: &[Token<'_>], line: u32) {
        let Some(target) = tokens.get(1) else {
            return self.fail(errors::syntax("", line));
        };
        if !target.text.starts_with('@') {
            if target.is("nocount") {
                self.client.no_count = tokens.get(2).is_some_and(|token| token.is("on"));
            }
            // Options of the session: taken, and without effect here.
            return;
        }
        let name = target.text.to_lowercase();
        if !self.client.session.variables.contains_key(&name) {
            return self.failed_with(
                &SqlError::UnknownColumn { name: target.text.to_owned(), clause: "field list" },
                "set",
                line,
            );
        }
        let Some(sign) = tokens.iter().position(|token| token.sign("=")) else {
            return self.fail(errors::syntax(target.text, line));
        };
        let end = tokens.last().map_or(0, |last| last.end);
        let joined = sign > 2 && tokens[sign - 1].sign("+");
        let mut expression = text[tokens[sign].end..end].to_owned();
        if joined {
            expression = format!("{name} + ({expression})");
        }
        if let Some(value) = self.value(&expression) {
            self.client.session.variables.insert(name, value);
        }
    }

    fn declare(&mut self, text: &str, tokens: &[Token<'_>], line: u32) {
        let mut at = 1;
        while at < tokens.len() {
            let name = &tokens[at];
            if !name.text.starts_with('@') {
                // Cursors: declared, and empty.
                return;
            }
            let mut depth = 0;
            let mut end = at + 1;
            while end < tokens.len() && !(depth == 0 && tokens[end].sign(",")) {
                depth += i32::from(tokens[end].sign("(")) - i32::from(tokens[end].sign(")"));
                end += 1;
            }
            let sign = (at + 1..end).find(|index| tokens[*index].sign("="));
            if self.client.session.variables.len() >= MOST_VARIABLES {
                return self.failed_with(&SqlError::TooComplex, "declare", line);
            }
            let value = match sign {
                Some(sign) if sign + 1 < end => {
                    match self.value(&text[tokens[sign].end..tokens[end - 1].end]) {
                        Some(value) => value,
                        None => return,
                    }
                }
                _ => Value::Null,
            };
            let kind = tokens.get(at + 1).map(|token| token.text.to_lowercase()).unwrap_or_default();
            let value = match (&value, kind.as_str()) {
                (Value::Bytes(bytes), "varchar" | "char") => {
                    Value::text(bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
                }
                (Value::Bytes(bytes), "nvarchar" | "nchar" | "sysname") => {
                    Value::text(super::super::codec::utf16_lossy(bytes))
                }
                _ => value,
            };
            self.client.session.variables.insert(name.text.to_lowercase(), value);
            at = end + 1;
        }
    }

    /// USE and the database of the login.
    pub(in super::super) fn use_database(&mut self, name: &str, line: u32) {
        let Some(at) = self.state.catalogue.database(name, true) else {
            return self.failed_with(&SqlError::UnknownDatabase(name.to_owned()), "use", line);
        };
        let name = self.state.catalogue.databases[at].name.clone();
        let old = std::mem::replace(&mut self.client.session.database, name.clone());
        self.tokens.database(&name, &old);
        let mut notice = Notice::new(5701, 0, 1, format!("Changed database context to '{name}'."));
        notice.line = line;
        self.tell(&notice);
        self.done(command::OTHER, None);
    }

    /// Sends rows.
    pub(super) fn result(&mut self, set: &ResultSet) {
        let count = self.tokens.rows(set);
        self.rows += count;
        self.client.session.row_count = i64::try_from(count).unwrap_or(i64::MAX);
        self.done(command::SELECT, Some(count));
    }

    /// A statement ended well.
    pub(super) fn done(&mut self, number: u16, count: Option<u64>) {
        let count = count.filter(|_| !self.client.no_count);
        if self.depth > 0 {
            self.tokens.done_in_procedure(number, count, false);
        } else {
            self.tokens.done(number, count, false);
        }
    }

    /// Says something.
    pub(super) fn tell(&mut self, notice: &Notice) {
        self.tokens.notice(notice, &self.shared.persona.server_name());
    }

    /// Says what is wrong, and ends the statement, or the batch where it does.
    pub(in super::super) fn fail(&mut self, notice: Notice) {
        self.failed = true;
        self.client.last_error = notice.number.into();
        if self.catching > 0 {
            self.caught = Some(notice);
            return;
        }
        self.tell(&notice);
        if self.depth > 0 {
            self.tokens.done_in_procedure(command::SELECT, None, true);
        } else {
            self.tokens.done(command::SELECT, None, true);
        }
        let ends = [102, 105, 113, 137, 156, 174, 191, 195, 207, 208, 209, 217, 241, 245, 4104, 8114];
        self.over |= ends.contains(&notice.number);
    }

    /// The same of the engine's error.
    pub(super) fn failed_with(&mut self, error: &SqlError, verb: &str, line: u32) {
        let mut notice = errors::notice(error, &self.client.session.database, verb);
        notice.line = (notice.line - 1).saturating_add(line);
        let ended = matches!(notice.number, 2627 | 515);
        self.fail(notice);
        if ended && self.caught.is_none() {
            self.tell(&Notice::new(3621, 0, 0, "The statement has been terminated."));
        }
    }
}

/// Text that the parser takes: hints and options that mean nothing here are left out.
fn adjust(text: &str, tokens: &[Token<'_>]) -> String {
    let mut out = String::new();
    let mut at = 0;
    let mut end = tokens.first().map_or(0, |first| first.start);
    while at < tokens.len() {
        let token = &tokens[at];
        let next = tokens.get(at + 1);
        let option = token.is("option") && next.is_some_and(|next| next.sign("("));
        let hint = token.is("with")
            && next.is_some_and(|next| next.sign("("))
            && tokens.get(at + 2).is_some_and(|token| {
                token.is_any(&[
                    "nolock",
                    "readuncommitted",
                    "tablock",
                    "updlock",
                    "rowlock",
                    "readpast",
                    "holdlock",
                ])
            });
        if option || hint {
            let mut depth = 0;
            at += 1;
            while let Some(token) = tokens.get(at) {
                depth += i32::from(token.sign("(")) - i32::from(token.sign(")"));
                end = token.end;
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            continue;
        }
        if !out.is_empty() {
            out.push_str(&text[end..token.start]);
        }
        // INSERT without INTO, DELETE without FROM.
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        if at == 1 && before.is_some_and(|before| before.is("insert")) && !token.is_any(&["into", "top"]) {
            out.push_str("INTO ");
        }
        if at == 1 && before.is_some_and(|before| before.is("delete")) && !token.is_any(&["from", "top"]) {
            out.push_str("FROM ");
        }
        out.push_str(token.text);
        end = token.end;
        at += 1;
    }
    out
}

/// Takes variables that are assigned and the table of INTO out of a query.
fn take_targets(statement: &mut Statement) -> (Vec<String>, Option<String>) {
    let Statement::Query(query) = statement else { return (Vec::new(), None) };
    let SetExpr::Select(select) = query.body.as_mut() else { return (Vec::new(), None) };
    let assigned: Vec<String> = select
        .projection
        .iter()
        .filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } if alias.value.starts_with('@') => {
                Some(alias.value.clone())
            }
            _ => None,
        })
        .collect();
    let into = select.into.take().and_then(|into| {
        into.targets.first().map(|target| {
            target.to_string().rsplit('.').next().unwrap_or_default().trim_matches(['[', ']', '"']).to_owned()
        })
    });
    (assigned, into)
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &str, at: usize) -> u32 {
    let head = text.as_bytes().get(..at).unwrap_or_default();
    u32::try_from(head.iter().filter(|byte| **byte == b'\n').count() + 1).unwrap_or(u32::MAX)
}

/// The place behind a condition: where a statement begins outside of brackets.
fn condition_end(tokens: &[Token<'_>], from: usize) -> usize {
    const STARTS: &[&str] = &[
        "select",
        "insert",
        "update",
        "delete",
        "exec",
        "execute",
        "set",
        "if",
        "while",
        "print",
        "use",
        "create",
        "alter",
        "drop",
        "begin",
        "waitfor",
        "raiserror",
        "throw",
        "return",
        "declare",
        "break",
        "continue",
        "truncate",
        "reconfigure",
        "commit",
        "rollback",
        "backup",
        "grant",
    ];
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(from) {
        depth += i32::from(token.sign("(")) - i32::from(token.sign(")"));
        let call = tokens.get(at + 1).is_some_and(|next| next.sign("(")) && token.is("update");
        if depth == 0 && at > from && token.is_any(STARTS) && !call {
            return at;
        }
    }
    tokens.len()
}

/// The place behind a whole statement, with what is in it.
fn skip(tokens: &[Token<'_>], at: usize) -> usize {
    let mut at = at;
    loop {
        let Some(first) = tokens.get(at) else { return tokens.len() };
        let next = tokens.get(at + 1);
        if first.is("begin") && !next.is_some_and(|next| next.is_any(&["tran", "transaction", "distributed"]))
        {
            let mut depth = 0;
            for (index, token) in tokens.iter().enumerate().skip(at) {
                let next = tokens.get(index + 1);
                let transaction = next.is_some_and(|next| next.is_any(&["tran", "transaction"]));
                if token.is("case") || token.is("begin") && !transaction {
                    depth += 1;
                } else if token.is("end") {
                    depth -= 1;
                    if depth == 0 {
                        let named = next.is_some_and(|next| next.is_any(&["try", "catch"]));
                        return index + 1 + usize::from(named);
                    }
                }
            }
            return tokens.len();
        }
        if first.is("if") || first.is("while") {
            // The body, and where an ELSE follows, what follows that.
            let mut after = skip(tokens, condition_end(tokens, at + 1));
            if tokens.get(after).is_some_and(|token| token.sign(";"))
                && tokens.get(after + 1).is_some_and(|token| token.is("else"))
            {
                after += 1;
            }
            if first.is("if") && tokens.get(after).is_some_and(|token| token.is("else")) {
                at = after + 1;
                continue;
            }
            return after;
        }
        return script::statement_end(tokens, at).max(at + 1);
    }
}

/// `0:0:5`, `00:00:05.500`.
fn clock(text: &str) -> Duration {
    let mut seconds = 0.0;
    for part in text.split(':') {
        seconds = seconds * 60.0 + part.trim().parse::<f64>().unwrap_or(0.0);
    }
    // A day at most, by the product.
    Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))
}

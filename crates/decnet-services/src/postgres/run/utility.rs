//! The statements that are the product's own.

use super::super::product::Note;
use super::super::settings;
use super::super::state::{Function, Role};
use super::split::{literal, name, words};
use super::*;

/// Statements of PREPARE in one connection, and cursors.
const NAMED_LIMIT: usize = 100;
/// Functions and extensions that can be made in all.
const MADE_LIMIT: usize = 500;

fn first_two(text: &str) -> (String, String) {
    let words = words(text);
    let upper = |at: usize| words.get(at).map(|word| word.to_uppercase()).unwrap_or_default();
    (upper(0), upper(1))
}

/// Whether the engine has no part in it.
pub(super) fn is_utility(text: &str) -> bool {
    let (first, second) = first_two(text);
    match first.as_str() {
        "SET" | "SHOW" | "RESET" | "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT"
        | "SAVEPOINT" | "RELEASE" | "COPY" | "GRANT" | "REVOKE" | "LISTEN" | "UNLISTEN" | "NOTIFY"
        | "VACUUM" | "ANALYZE" | "CHECKPOINT" | "DISCARD" | "DEALLOCATE" | "PREPARE" | "EXECUTE"
        | "DECLARE" | "FETCH" | "CLOSE" | "DO" | "COMMENT" | "LOCK" | "EXPLAIN" | "LOAD" | "REINDEX"
        | "CLUSTER" | "REFRESH" | "REASSIGN" => true,
        "CREATE" => {
            let words = words(text);
            let made = words
                .iter()
                .skip(1)
                .map(|word| word.to_uppercase())
                .find(|word| word != "OR" && word != "REPLACE");
            matches!(
                made.as_deref(),
                Some(
                    "FUNCTION"
                        | "PROCEDURE"
                        | "EXTENSION"
                        | "ROLE"
                        | "USER"
                        | "GROUP"
                        | "LANGUAGE"
                        | "TRUSTED"
                        | "TRIGGER"
                        | "VIEW"
                        | "RULE"
                        | "SEQUENCE"
                        | "TYPE"
                        | "EVENT"
                        | "SERVER"
                        | "FOREIGN"
                        | "PUBLICATION"
                        | "SUBSCRIPTION"
                )
            )
        }
        "ALTER" => matches!(
            second.as_str(),
            "ROLE"
                | "USER"
                | "SYSTEM"
                | "DATABASE"
                | "DEFAULT"
                | "FUNCTION"
                | "SEQUENCE"
                | "EXTENSION"
                | "GROUP"
                | "SCHEMA"
        ),
        "DROP" => matches!(
            second.as_str(),
            "ROLE"
                | "USER"
                | "FUNCTION"
                | "EXTENSION"
                | "GROUP"
                | "VIEW"
                | "OWNED"
                | "SEQUENCE"
                | "TYPE"
                | "TRIGGER"
                | "PROCEDURE"
                | "LANGUAGE"
                | "INDEX"
        ),
        _ => false,
    }
}

/// Whether it is heard in a block that failed.
pub(super) fn ends_block(text: &str) -> bool {
    matches!(first_two(text).0.as_str(), "COMMIT" | "END" | "ROLLBACK" | "ABORT")
}

fn block_only(what: &str) -> Result<Ran> {
    refuse("25P01", format!("{what} can only be used in transaction blocks"))
}

impl Talk {
    #[allow(clippy::too_many_lines, reason = "one arm for each statement of the product")]
    pub(super) fn utility(
        &mut self,
        persona: &Persona,
        state: &mut State,
        text: &str,
        now: i64,
    ) -> Result<Ran> {
        let words = words(text);
        let upper: Vec<String> = words.iter().map(|word| word.to_uppercase()).collect();
        let at = |index: usize| upper.get(index).map_or("", String::as_str);
        let warned = |message: &str, code: &str, tag: &str| {
            let notice = errors::fault("WARNING", code, message);
            Ok(Ran { notices: vec![notice], ..Ran::tag(tag) })
        };
        match at(0) {
            "BEGIN" | "START" => {
                let tag = if at(0) == "START" { "START TRANSACTION" } else { "BEGIN" };
                if self.transaction != Transaction::Idle {
                    return warned("there is already a transaction in progress", "25001", tag);
                }
                self.transaction = Transaction::Open;
                state.transaction += 1;
                Ok(Ran::tag(tag))
            }
            "COMMIT" | "END" => match self.transaction {
                Transaction::Idle => warned("there is no transaction in progress", "25P01", "COMMIT"),
                Transaction::Open => {
                    self.end(state, true);
                    Ok(Ran::tag("COMMIT"))
                }
                Transaction::Failed => {
                    self.end(state, false);
                    Ok(Ran::tag("ROLLBACK"))
                }
            },
            "ROLLBACK" if at(1) == "TO" || at(2) == "TO" => Ok(Ran::tag("ROLLBACK")),
            "ROLLBACK" | "ABORT" => {
                if self.transaction == Transaction::Idle {
                    return warned("there is no transaction in progress", "25P01", "ROLLBACK");
                }
                self.end(state, false);
                Ok(Ran::tag("ROLLBACK"))
            }
            "SAVEPOINT" | "RELEASE" | "LOCK" => match (self.transaction, at(0)) {
                (Transaction::Idle, "SAVEPOINT") => block_only("SAVEPOINT"),
                (Transaction::Idle, "RELEASE") => block_only("RELEASE SAVEPOINT"),
                (Transaction::Idle, _) => block_only("LOCK TABLE"),
                (_, "LOCK") => Ok(Ran::tag("LOCK TABLE")),
                (_, tag) => Ok(Ran::tag(tag)),
            },
            "SET" => self.set(persona, state, text, &words),
            "RESET" => {
                if at(1) == "ALL" {
                    self.settings.retain(|name, _| name == "application_name" || name == "client_encoding");
                } else if at(1) == "ROLE" || at(1) == "SESSION" {
                    self.user = self.session_user.clone();
                } else {
                    self.settings.remove(&name(words.get(1).copied().unwrap_or_default()));
                }
                Ok(Ran::tag("RESET"))
            }
            "SHOW" => self.show(persona, state, &upper),
            "COPY" => self.copy(persona, state, text, now),
            "EXPLAIN" => self.explain(persona, state, text, now),
            "PREPARE" => {
                let Some(body) = upper.iter().position(|word| word == "AS") else {
                    return Err(errors::of(&sql::SqlError::Unsupported(String::new()), text, "").into());
                };
                let key = name(words.get(1).copied().unwrap_or_default());
                let start = words
                    .get(body + 1)
                    .map_or(text.len(), |word| word.as_ptr() as usize - text.as_ptr() as usize);
                if self.prepared.contains_key(&key) {
                    return refuse("42P05", format!("prepared statement \"{key}\" already exists"));
                }
                plan(&text[start..])?;
                if self.prepared.len() < NAMED_LIMIT {
                    self.prepared.insert(key, text[start..].to_owned());
                }
                Ok(Ran::tag("PREPARE"))
            }
            "EXECUTE" => {
                let key = name(words.get(1).copied().unwrap_or_default());
                let Some(body) = self.prepared.get(&key).cloned() else {
                    return refuse("26000", format!("prepared statement \"{key}\" does not exist"));
                };
                let parameters = words
                    .iter()
                    .skip(2)
                    .filter(|word| !matches!(**word, "(" | ")" | ","))
                    .map(|word| {
                        literal(word)
                            .map_or_else(|| word.parse().map_or(Value::Null, Value::Integer), Value::text)
                    })
                    .collect();
                let plan = plan(&body)?;
                self.run(persona, state, &body, &plan, parameters, now)
            }
            "DEALLOCATE" => {
                self.prepared.remove(&name(words.last().copied().unwrap_or_default()));
                Ok(Ran::tag("DEALLOCATE"))
            }
            "DECLARE" => {
                if self.transaction == Transaction::Idle {
                    return refuse("25P01", "DECLARE CURSOR can only be used in transaction blocks");
                }
                let Some(body) = upper.iter().position(|word| word == "FOR") else {
                    return Err(errors::of(&sql::SqlError::Unsupported(String::new()), text, "").into());
                };
                let start = words
                    .get(body + 1)
                    .map_or(text.len(), |word| word.as_ptr() as usize - text.as_ptr() as usize);
                let inner = text[start..].to_owned();
                let plan = plan(&inner)?;
                let ran = self.run(persona, state, &inner, &plan, Vec::new(), now)?;
                if let Done::Rows(fields, rows, _) = ran.done
                    && self.cursors.len() < NAMED_LIMIT
                {
                    self.cursors.insert(name(words.get(1).copied().unwrap_or_default()), (fields, rows));
                }
                Ok(Ran { touched: ran.touched, notes: ran.notes, ..Ran::tag("DECLARE CURSOR") })
            }
            "FETCH" => {
                let key = name(words.last().copied().unwrap_or_default());
                let Some((fields, rows)) = self.cursors.get_mut(&key) else {
                    return refuse("34000", format!("cursor \"{key}\" does not exist"));
                };
                let count = words.iter().find_map(|word| word.parse::<usize>().ok());
                let count =
                    if upper.iter().any(|word| word == "ALL") { rows.len() } else { count.unwrap_or(1) };
                let taken: Vec<Vec<Value>> = rows.drain(..count.min(rows.len())).collect();
                let tag = format!("FETCH {}", taken.len());
                Ok(Ran::of(Done::Rows(fields.clone(), taken, tag)))
            }
            "CLOSE" => {
                self.cursors.remove(&name(words.last().copied().unwrap_or_default()));
                Ok(Ran::tag("CLOSE CURSOR"))
            }
            "DISCARD" => Ok(Ran::tag(format!("DISCARD {}", at(1)))),
            "CREATE" => self.create(persona, state, text, &words, &upper),
            "ALTER" => self.alter(persona, state, &words, &upper),
            "DROP" => self.drop_object(state, &words, &upper),
            "DO" => Ok(Ran {
                notes: vec![Note::Exploit("postgres.anonymous_block")],
                kept: vec![("DO block".to_owned(), text.as_bytes().to_vec())],
                ..Ran::tag("DO")
            }),
            "LOAD" => {
                let file = words.get(1).and_then(|word| literal(word)).unwrap_or_default();
                self.library(persona, &file, Vec::new())?;
                Ok(Ran::tag("LOAD"))
            }
            other => Ok(Ran::tag(other)),
        }
    }

    fn set(&mut self, persona: &Persona, state: &mut State, text: &str, words: &[&str]) -> Result<Ran> {
        let mut rest: Vec<&str> = words[1..].to_vec();
        if rest
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case("local") || word.eq_ignore_ascii_case("session"))
            && rest.get(1).is_some_and(|word| !word.eq_ignore_ascii_case("characteristics"))
        {
            rest.remove(0);
        }
        let Some(first) = rest.first() else {
            return Err(errors::of(
                &sql::SqlError::Syntax(crate::sql::Near {
                    offset: text.len(),
                    line: 1,
                    token: String::new(),
                }),
                text,
                "",
            )
            .into());
        };
        let key = first.to_lowercase();
        if key == "role" || key == "authorization" {
            let wanted = rest.iter().skip(1).find(|word| !matches!(**word, "=")).copied().unwrap_or_default();
            let wanted = literal(wanted).unwrap_or_else(|| name(wanted));
            if wanted == "none" || wanted == "default" || wanted == self.session_user {
                self.user = self.session_user.clone();
                return Ok(Ran::tag("SET"));
            }
            if state.role(&wanted).is_none() {
                return refuse("22023", format!("role \"{wanted}\" does not exist"));
            }
            if !state.superuser(&self.session_user) {
                return refuse("42501", format!("permission denied to set role \"{wanted}\""));
            }
            self.user = wanted;
            return Ok(Ran::tag("SET"));
        }
        if matches!(key.as_str(), "transaction" | "characteristics" | "constraints" | "names") {
            return Ok(Ran::tag("SET"));
        }
        let (key, from) = if key == "time" { ("timezone".to_owned(), 2) } else { (key, 1) };
        let custom = rest.get(1) == Some(&".");
        if settings::value(persona, state, &key).is_none() && !custom {
            return refuse("42704", format!("unrecognized configuration parameter \"{key}\""));
        }
        let values: Vec<String> = rest[from..]
            .iter()
            .filter(|word| !matches!(**word, "=" | ",") && !word.eq_ignore_ascii_case("to"))
            .map(|word| literal(word).unwrap_or_else(|| (*word).to_owned()))
            .collect();
        let value = values.join(if key == "search_path" || key == "datestyle" { ", " } else { "" });
        if settings::value(persona, state, &key).is_some_and(|known| {
            known.trim_end_matches(char::is_alphabetic).parse::<i64>().is_ok()
                && !value.starts_with(|l: char| l.is_ascii_digit() || l == '-')
        }) && !value.eq_ignore_ascii_case("default")
        {
            return refuse("22023", format!("invalid value for parameter \"{key}\": \"{value}\""));
        }
        let value = if key == "timezone" { settings::ZONE.to_owned() } else { value };
        if value.eq_ignore_ascii_case("default") {
            self.settings.remove(&key);
        } else if self.settings.len() < NAMED_LIMIT * 4 {
            self.settings.insert(key.clone(), value.clone());
        }
        let reported = match key.as_str() {
            "application_name" => Some("application_name"),
            "client_encoding" => Some("client_encoding"),
            "datestyle" => Some("DateStyle"),
            "standard_conforming_strings" => Some("standard_conforming_strings"),
            _ => None,
        };
        let value = match key.as_str() {
            "datestyle" if value.eq_ignore_ascii_case("iso") => "ISO, MDY".to_owned(),
            "client_encoding" => value.to_uppercase().replace("UTF-8", "UTF8"),
            _ => value,
        };
        let reported = reported.map(|name| vec![(name.to_owned(), value)]).unwrap_or_default();
        Ok(Ran { reported, ..Ran::tag("SET") })
    }

    fn show(&mut self, persona: &Persona, state: &mut State, upper: &[String]) -> Result<Ran> {
        let wanted = match (upper.get(1).map(String::as_str), upper.get(2).map(String::as_str)) {
            (Some("TRANSACTION"), _) => "transaction_isolation".to_owned(),
            (Some("TIME"), _) => "TimeZone".to_owned(),
            (Some("SESSION"), Some("AUTHORIZATION")) => "session_authorization".to_owned(),
            (Some("ALL"), _) => {
                let query = "SELECT name, setting, short_desc AS description FROM pg_catalog.pg_settings ORDER BY lower(name)";
                let plan = plan(query)?;
                let mut ran = self.run(persona, state, query, &plan, Vec::new(), 0)?;
                if let Done::Rows(_, _, tag) = &mut ran.done {
                    *tag = "SHOW".to_owned();
                }
                return Ok(ran);
            }
            (word, _) => name(&word.unwrap_or_default().to_lowercase()),
        };
        let key = wanted.to_lowercase();
        if settings::is_secret(&key) && !state.superuser(&self.user) {
            return refuse(
                "42501",
                format!("must be superuser or have privileges of pg_read_all_settings to examine \"{key}\""),
            );
        }
        let product = self.product(persona, state);
        let value = match key.as_str() {
            "session_authorization" => Some(self.session_user.clone()),
            "is_superuser" => Some(if product.superuser() { "on" } else { "off" }.to_owned()),
            _ => product.setting(&key),
        };
        let Some(value) = value else {
            return refuse("42704", format!("unrecognized configuration parameter \"{key}\""));
        };
        let field = Field { name: wanted, oid: 25, size: -1, modifier: -1, ..Field::default() };
        Ok(Ran::of(Done::Rows(vec![field], vec![vec![Value::text(value)]], "SHOW".to_owned())))
    }

    /// The shape of a plan: what a table of that size costs to read.
    fn explain(&mut self, persona: &Persona, state: &mut State, text: &str, now: i64) -> Result<Ran> {
        let mut inner = text.trim_start().get(7..).unwrap_or_default().trim_start();
        for word in ["analyze", "verbose"] {
            if inner.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)) {
                inner = inner[word.len()..].trim_start();
            }
        }
        if inner.starts_with('(') && !inner.to_lowercase().starts_with("(select") {
            inner = inner.split_once(')').map_or("", |(_, rest)| rest).trim_start();
        }
        let plan = plan(inner)?;
        let (rows, touched) = match &plan {
            Plan::Sql(statement) if matches!(**statement, Statement::Query(_)) => {
                let ran = self.sql(persona, state, inner, statement, Vec::new(), now)?;
                match ran.done {
                    Done::Rows(_, rows, _) => (rows.len(), ran.touched),
                    _ => (0, ran.touched),
                }
            }
            _ => (0, Vec::new()),
        };
        let line = match touched.first().and_then(|table| table.rsplit('.').next()) {
            Some(table) => {
                let cost = 1.0 + rows as f64 * 0.03;
                format!("Seq Scan on {table}  (cost=0.00..{cost:.2} rows={} width=64)", rows.max(1))
            }
            None => "Result  (cost=0.00..0.01 rows=1 width=4)".to_owned(),
        };
        let field =
            Field { name: "QUERY PLAN".to_owned(), oid: 25, size: -1, modifier: -1, ..Field::default() };
        Ok(Ran {
            touched,
            ..Ran::of(Done::Rows(vec![field], vec![vec![Value::text(line)]], "EXPLAIN".to_owned()))
        })
    }

    /// A library that is to be loaded: the product says what is wrong with it.
    fn library(&self, persona: &Persona, file: &str, body: Vec<u8>) -> Result<()> {
        let notes = vec![Note::Exploit("postgres.c_function"), Note::Read(file.to_owned())];
        let there = file.contains("libc.so")
            || file.contains("libc-")
            || file.to_lowercase().ends_with("kernel32.dll");
        let mut fault = if there && !(persona.windows && file.starts_with('/')) {
            let mut fault = errors::fault(
                "ERROR",
                "XX000",
                format!("incompatible library \"{file}\": missing magic block"),
            );
            fault.hint =
                Some("Extension libraries are required to use the PG_MODULE_MAGIC macro.".to_owned());
            fault
        } else {
            errors::fault(
                "ERROR",
                "58P01",
                format!("could not access file \"{file}\": No such file or directory"),
            )
        };
        fault.position = None;
        Err(Refused { fault, notes, kept: vec![(format!("library {file}"), body)] })
    }

    fn create(
        &mut self,
        persona: &Persona,
        state: &mut State,
        text: &str,
        words: &[&str],
        upper: &[String],
    ) -> Result<Ran> {
        let replaced = upper.get(1).is_some_and(|word| word == "OR");
        let from = if replaced { 3 } else { 1 };
        let kind = upper.get(from).cloned().unwrap_or_default();
        let exists = upper.iter().any(|word| word == "EXISTS");
        let named = name(words.get(from + if exists { 4 } else { 1 }).copied().unwrap_or_default());
        match kind.as_str() {
            "ROLE" | "USER" | "GROUP" => {
                if !state.role(&self.user).is_some_and(|role| role.superuser || role.create_role) {
                    return refuse("42501", "permission denied to create role");
                }
                if state.role(&named).is_some() {
                    return refuse("42710", format!("role \"{named}\" already exists"));
                }
                if !state.room_for_role() {
                    return refuse("53100", "could not extend file \"global/1260\": No space left on device");
                }
                let mut role =
                    Role { oid: state.oid(), name: named.clone(), login: kind == "USER", ..Role::default() };
                options(&mut role, words, upper);
                let superuser = role.superuser;
                state.roles.push(role);
                let what = if superuser { "superuser" } else { "role" };
                Ok(Ran {
                    notes: vec![Note::Changed(format!("role {named}"), what.to_owned())],
                    ..Ran::tag("CREATE ROLE")
                })
            }
            "FUNCTION" | "PROCEDURE" => {
                let language = upper
                    .iter()
                    .position(|word| word == "LANGUAGE")
                    .and_then(|at| words.get(at + 1))
                    .map(|word| literal(word).unwrap_or_else(|| name(word)))
                    .unwrap_or_else(|| "sql".to_owned());
                let bodies: Vec<String> =
                    words.iter().filter_map(|word| literal(word)).filter(|text| *text != language).collect();
                let body = bodies.first().cloned().unwrap_or_default();
                let kept = vec![(format!("function {named}"), text.as_bytes().to_vec())];
                if !self.may_change(state) {
                    return refuse("42501", "permission denied for schema public");
                }
                if language == "c" {
                    if !state.superuser(&self.user) {
                        return refuse("42501", "permission denied for language c");
                    }
                    self.library(persona, &body, text.as_bytes().to_vec())?;
                }
                let known = ["sql", "plpgsql", "internal", "c"];
                if !known.contains(&language.as_str()) {
                    let mut fault =
                        errors::fault("ERROR", "42704", format!("language \"{language}\" does not exist"));
                    fault.hint =
                        Some("Use CREATE EXTENSION to load the language into the database.".to_owned());
                    return Err(Refused {
                        fault,
                        notes: vec![Note::Exploit("postgres.untrusted_language")],
                        kept,
                    });
                }
                if state.functions.len() < MADE_LIMIT {
                    let inside = text
                        .split_once('(')
                        .and_then(|(_, rest)| rest.split_once(')'))
                        .map(|(inside, _)| inside.trim().to_owned());
                    let result = upper
                        .iter()
                        .position(|word| word == "RETURNS")
                        .and_then(|at| words.get(at + 1))
                        .map(|word| name(word));
                    let function = Function {
                        oid: state.oid(),
                        name: named.clone(),
                        language,
                        arguments: inside.unwrap_or_default(),
                        result: result.unwrap_or_else(|| "void".to_owned()),
                        body,
                    };
                    state
                        .functions
                        .retain(|(database, known)| *database != self.database || known.name != named);
                    state.functions.push((self.database.clone(), function));
                }
                let notes = vec![Note::Changed(format!("function {named}"), shortened(text))];
                Ok(Ran { notes, kept, ..Ran::tag(format!("CREATE {kind}")) })
            }
            "EXTENSION" | "LANGUAGE" | "TRUSTED" => {
                let available = super::super::tables::lookup(
                    "pg_available_extensions",
                    "name",
                    &Value::text(&named),
                    "name",
                );
                if available.is_none() {
                    let mut fault =
                        errors::fault("ERROR", "0A000", format!("extension \"{named}\" is not available"));
                    fault.detail = Some(format!(
                        "Could not open extension control file \"/usr/share/postgresql/{}/extension/{named}.control\": No such file or directory.",
                        persona.release.major()
                    ));
                    fault.hint = Some(
                        "The extension must first be installed on the system where PostgreSQL is running."
                            .to_owned(),
                    );
                    return Err(Refused {
                        fault,
                        notes: vec![Note::Exploit("postgres.untrusted_language")],
                        kept: Vec::new(),
                    });
                }
                let key = (self.database.clone(), named.clone());
                if state.extensions.contains(&key) && !exists {
                    return refuse("42710", format!("extension \"{named}\" already exists"));
                }
                if !state.extensions.contains(&key) && state.extensions.len() < MADE_LIMIT {
                    state.extensions.push(key);
                }
                Ok(Ran {
                    notes: vec![Note::Changed("extension".to_owned(), named)],
                    ..Ran::tag("CREATE EXTENSION")
                })
            }
            other => Ok(Ran::tag(format!("CREATE {other}"))),
        }
    }

    fn alter(
        &mut self,
        persona: &Persona,
        state: &mut State,
        words: &[&str],
        upper: &[String],
    ) -> Result<Ran> {
        let named = name(words.get(2).copied().unwrap_or_default());
        match upper.get(1).map_or("", String::as_str) {
            "ROLE" | "USER" => {
                let me = state.superuser(&self.user);
                let named = if named == "current_user" { self.user.clone() } else { named };
                let own = named == self.user;
                let Some(role) = state.roles.iter_mut().find(|role| role.name == named) else {
                    return refuse("42704", format!("role \"{named}\" does not exist"));
                };
                if role.superuser && !me {
                    return refuse(
                        "42501",
                        "must be superuser to alter superuser roles or change superuser attribute",
                    );
                }
                if !me && !own {
                    return refuse("42501", "permission denied");
                }
                options(role, words, upper);
                Ok(Ran {
                    notes: vec![Note::Changed(format!("role {named}"), "altered".to_owned())],
                    ..Ran::tag("ALTER ROLE")
                })
            }
            "SYSTEM" => {
                let key = name(words.get(3).copied().unwrap_or_default());
                if !state.superuser(&self.user) {
                    return refuse("42501", format!("permission denied to set parameter \"{key}\""));
                }
                if settings::value(persona, state, &key).is_none() {
                    return refuse("42704", format!("unrecognized configuration parameter \"{key}\""));
                }
                let value: String = words
                    .iter()
                    .skip(4)
                    .filter(|word| **word != "=" && !word.eq_ignore_ascii_case("to"))
                    .map(|word| literal(word).unwrap_or_else(|| (*word).to_owned()))
                    .collect();
                state.settings.insert(key.clone(), value.clone());
                Ok(Ran { notes: vec![Note::Changed(key, value)], ..Ran::tag("ALTER SYSTEM") })
            }
            other => Ok(Ran::tag(format!("ALTER {other}"))),
        }
    }

    fn drop_object(&mut self, state: &mut State, words: &[&str], upper: &[String]) -> Result<Ran> {
        let exists = upper.get(2).is_some_and(|word| word == "IF");
        let named = name(words.get(if exists { 4 } else { 2 }).copied().unwrap_or_default());
        let kind = upper.get(1).cloned().unwrap_or_default();
        match kind.as_str() {
            "ROLE" | "USER" | "GROUP" => {
                if !state.role(&self.user).is_some_and(|role| role.superuser || role.create_role) {
                    return refuse("42501", "permission denied to drop role");
                }
                if state.role(&named).is_none() && !exists {
                    return refuse("42704", format!("role \"{named}\" does not exist"));
                }
                state.roles.retain(|role| role.name != named || role.oid == 10);
                Ok(Ran {
                    notes: vec![Note::Changed(format!("role {named}"), "dropped".to_owned())],
                    ..Ran::tag("DROP ROLE")
                })
            }
            "FUNCTION" | "PROCEDURE" => {
                let before = state.functions.len();
                state.functions.retain(|(_, function)| function.name != named);
                if state.functions.len() == before && !exists {
                    return refuse("42883", format!("could not find a function named \"{named}\""));
                }
                Ok(Ran::tag(format!("DROP {kind}")))
            }
            "EXTENSION" => {
                state.extensions.retain(|(_, extension)| *extension != named);
                Ok(Ran::tag("DROP EXTENSION"))
            }
            other => Ok(Ran::tag(format!("DROP {other}"))),
        }
    }
}

/// The options of CREATE and ALTER ROLE.
fn options(role: &mut Role, words: &[&str], upper: &[String]) {
    for (at, word) in upper.iter().enumerate().skip(3) {
        match word.as_str() {
            "SUPERUSER" => role.superuser = true,
            "NOSUPERUSER" => role.superuser = false,
            "LOGIN" => role.login = true,
            "NOLOGIN" => role.login = false,
            "CREATEROLE" => role.create_role = true,
            "NOCREATEROLE" => role.create_role = false,
            "CREATEDB" => role.create_database = true,
            "NOCREATEDB" => role.create_database = false,
            "REPLICATION" => role.replication = true,
            "BYPASSRLS" => role.bypass = true,
            "PASSWORD" => role.password = words.get(at + 1).and_then(|word| literal(word)),
            _ => {}
        }
    }
}

//! The engine's view of this product: its rules, its variables, its functions.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use sqlparser::ast::{Expr, SelectItem, Value as Literal};
use sqlparser::dialect::MySqlDialect;
use sqlparser::parser::Parser;

use super::persona::Persona;
use super::statement::{Statement, items};
use super::store::State;
use super::{functions, schema, variables};
use crate::host::Host;
use crate::sql::{Context, Product, Rules, SqlError, Table, Value};

/// The name under which a table of SHOW is asked for; no statement can write it.
pub(crate) const SHOWN: &str = "\u{1}shown";

/// One statement's view of the server.
pub(crate) struct Dialect<'a> {
    /// The host.
    pub(crate) server: &'a Host,
    /// The persona.
    pub(crate) persona: &'a Persona,
    /// What all connections share.
    pub(crate) state: &'a State,
    /// The client's host, as it stands in `USER()`.
    pub(crate) host: String,
    /// The user that logged in.
    pub(crate) user: String,
    /// Variables of this session.
    pub(crate) settings: &'a BTreeMap<String, String>,
    /// Rows of the last query before LIMIT.
    pub(crate) found_rows: i64,
    /// 32 fresh hexadecimal digits.
    pub(crate) fresh: String,
    /// What `RAND()` goes on from.
    pub(crate) random: Cell<u64>,
    /// The table that SHOW is about.
    pub(crate) shown: Option<Table>,
    /// The texts of items, by how the parser would write them.
    pub(crate) headings: HashMap<String, String>,
}

impl Dialect<'_> {
    /// The account that let the user in: `name@%`.
    pub(crate) fn account(&self) -> String {
        format!("{}@%", self.user)
    }

    /// A number from 0 to 1.
    pub(crate) fn random(&self) -> f64 {
        // A step of xorshift64; nothing secret hangs on it.
        let mut next = self.random.get() | 1;
        next ^= next << 13;
        next ^= next >> 7;
        next ^= next << 17;
        self.random.set(next);
        (next >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A variable's value, by name without `@@`.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let name = name.to_lowercase();
        let (global, name) = match name.split_once('.') {
            Some(("global", name)) => (true, name.to_owned()),
            Some(("session" | "local", name)) => (false, name.to_owned()),
            _ => (false, name),
        };
        if !global && let Some(value) = self.settings.get(&name) {
            return Some(value.clone());
        }
        match name.as_str() {
            "timestamp" => return Some(format!("{}.000000", self.server.clock.seconds())),
            "tx_isolation" if self.persona.maria() || !self.persona.release.since(8, 0) => {
                return Some("REPEATABLE-READ".to_owned());
            }
            "identity" | "warning_count" | "error_count" | "last_insert_id" => return Some("0".to_owned()),
            _ => {}
        }
        let all = variables::variables(self.server, self.persona, self.state);
        all.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Keeps the texts of a statement's items for the headings.
    pub(crate) fn remember(&mut self, statement: &Statement<'_>) {
        for item in items(statement) {
            let parsed = Parser::new(&MySqlDialect {})
                .with_recursion_limit(40)
                .try_with_sql(item)
                .and_then(|mut parser| parser.parse_select_item());
            if let Ok(SelectItem::UnnamedExpr(expr)) = parsed {
                self.headings.entry(expr.to_string()).or_insert_with(|| item.to_owned());
            }
        }
    }
}

/// A variable's text as a value: numbers and ON/OFF are numbers in `SELECT @@x`.
fn typed(name: &str, text: &str) -> Value {
    if name.contains("version") || name.ends_with("_id") && text.contains('-') {
        return Value::text(text);
    }
    match text {
        "ON" if !name.starts_with("have_") => Value::Integer(1),
        "OFF" if !name.starts_with("have_") && !name.ends_with("_mode") => Value::Integer(0),
        "\u{1}null" => Value::Null,
        _ => match text.parse::<i64>() {
            Ok(number) => Value::Integer(number),
            Err(_) => match text.parse() {
                Ok(number) if text.contains('.') && text.starts_with(|c: char| c.is_ascii_digit()) => {
                    Value::Decimal(number)
                }
                _ => Value::text(text),
            },
        },
    }
}

impl Product for Dialect<'_> {
    fn dialect(&self) -> &dyn sqlparser::dialect::Dialect {
        &MySqlDialect {}
    }

    fn rules(&self) -> Rules {
        Rules {
            fold_names: self.persona.fold_names,
            fold_texts: true,
            lower_names: false,
            integer_division: false,
            zero_is_error: false,
            plus_joins: false,
            pipes_join: false,
            strict_numbers: false,
            nulls_last: false,
        }
    }

    fn system_table(&self, context: &Context<'_>, path: &[String]) -> Option<Table> {
        if let ([name], Some(table)) = (path, &self.shown)
            && name == SHOWN
        {
            return Some(table.clone());
        }
        schema::table(self, context, path)
    }

    fn function(
        &self,
        context: &Context<'_>,
        name: &str,
        arguments: &[Value],
    ) -> Option<Result<Value, SqlError>> {
        functions::call(self, context, name, arguments)
    }

    fn table_function(&self, _: &Context<'_>, _: &str, _: &[Value]) -> Option<Result<Table, SqlError>> {
        None
    }

    fn constant(&self, context: &Context<'_>, name: &str) -> Option<Result<Value, SqlError>> {
        if let Some(variable) = name.strip_prefix("@@") {
            return Some(match self.variable(&variable.replace('`', "")) {
                Some(text) => Ok(typed(variable, &text)),
                None => Err(SqlError::UnknownColumn { name: name.to_owned(), clause: "field list" }),
            });
        }
        if name.starts_with('@') {
            return Some(Ok(context
                .session
                .variables
                .get(&name.to_lowercase())
                .cloned()
                .unwrap_or(Value::Null)));
        }
        match name.to_ascii_lowercase().as_str() {
            "current_user" => Some(Ok(Value::text(self.account()))),
            "current_timestamp" | "localtime" | "localtimestamp" => {
                Some(Ok(Value::Timestamp(context.session.now.div_euclid(1_000_000) * 1_000_000)))
            }
            "current_date" | "utc_date" => Some(Ok(Value::Date(
                i32::try_from(context.session.now.div_euclid(crate::sql::moment::DAY)).unwrap_or(0),
            ))),
            "current_time" | "utc_time" => Some(Ok(Value::text(
                crate::sql::moment::timestamp(context.session.now).get(11..19).unwrap_or("00:00:00"),
            ))),
            _ => None,
        }
    }

    fn cast(&self, _: &Context<'_>, value: &Value, kind: &str) -> Option<Result<Value, SqlError>> {
        match (value, kind) {
            (Value::Bool(truth), kind) if kind.starts_with("char") || kind.starts_with("nchar") => {
                Some(Ok(Value::text(if *truth { "1" } else { "0" })))
            }
            (value, kind) if kind.starts_with("nchar") && !value.is_null() => {
                Some(Ok(Value::text(functions::string(value))))
            }
            // A text of any length, not of one character.
            (value, "char" | "character") if !value.is_null() => {
                Some(Ok(Value::text(functions::string(value))))
            }
            _ => None,
        }
    }

    fn heading(&self, expression: &Expr) -> String {
        if let Expr::Value(literal) = expression {
            match &literal.value {
                Literal::SingleQuotedString(text) | Literal::DoubleQuotedString(text) => return text.clone(),
                Literal::Null => return "NULL".to_owned(),
                Literal::Boolean(true) => return "TRUE".to_owned(),
                Literal::Boolean(false) => return "FALSE".to_owned(),
                _ => {}
            }
        }
        let text = expression.to_string();
        // The engine numbers its placeholders.
        let text = match text.split_once('?') {
            Some(_) => {
                let mut parts = text.split('?');
                let mut out = parts.next().unwrap_or_default().to_owned();
                for part in parts {
                    out.push('?');
                    out.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
                }
                out
            }
            None => text,
        };
        self.headings.get(&text).cloned().unwrap_or(text)
    }

    fn column_heading(&self, written: &str, column: &str) -> String {
        // MySQL 8 made its system tables views, whose columns show their own names.
        let own = !self.persona.maria()
            && self.persona.release.since(8, 0)
            && column.chars().all(|c| !c.is_lowercase());
        if own { column.to_owned() } else { written.to_owned() }
    }
}

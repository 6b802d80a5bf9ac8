//! What PostgreSQL is to the SQL engine: its rules, its system tables, its functions.

use std::cell::RefCell;
use std::collections::BTreeMap;

use sqlparser::ast::{DataType, Expr, Function, FunctionArguments};
use sqlparser::dialect::{Dialect, PostgreSqlDialect};

use super::catalogue;
use super::functions;
use super::persona::Persona;
use super::state::State;
use crate::sql::{Context, Kind, Product, Rules, SqlError, Table, Value};

/// What a statement did besides its rows, for the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// A known way to break out: its name.
    Exploit(&'static str),
    /// A file of the server was asked for.
    Read(String),
    /// A file of the server was to be written.
    Wrote(String),
    /// Something of the server changed: what, and to what.
    Changed(String, String),
}

/// Changes that functions ask for; they are made when the statement is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// `set_config`.
    Setting { name: String, value: String, local: bool },
    /// `pg_terminate_backend`, `pg_cancel_backend`.
    Terminate(u32),
    /// A large object with these bytes from that place on.
    Large { oid: u32, at: usize, bytes: Vec<u8> },
    /// `lo_unlink`.
    Unlink(u32),
}

/// One connection's view of the server, for one statement.
pub(crate) struct Postgres<'a> {
    pub(crate) persona: &'a Persona,
    /// Everything but the catalogue, which the engine holds.
    pub(crate) state: &'a State,
    /// The process of the connection.
    pub(crate) process: u32,
    /// The role in force.
    pub(crate) user: &'a str,
    /// The role that logged in.
    pub(crate) session_user: &'a str,
    /// The settings in force.
    pub(crate) settings: &'a BTreeMap<String, String>,
    /// The server's address and port.
    pub(crate) local: (String, u16),
    /// The client's address and port.
    pub(crate) remote: (String, u16),
    pub(crate) notes: RefCell<Vec<Note>>,
    pub(crate) effects: RefCell<Vec<Effect>>,
    /// The last function that was asked for, and the types of its arguments, for the error's text.
    pub(crate) last_call: RefCell<String>,
}

impl Postgres<'_> {
    /// Notes something.
    pub(crate) fn note(&self, note: Note) {
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&note) && notes.len() < 32 {
            notes.push(note);
        }
    }

    /// Whether the role in force may do everything.
    pub(crate) fn superuser(&self) -> bool {
        self.state.superuser(self.user)
    }

    /// A setting's value: the connection's, the server's, or the release's.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        if let Some(value) = self.settings.get(&name) {
            return Some(value.clone());
        }
        super::settings::value(self.persona, self.state, &name)
    }
}

/// An error of the product.
pub(crate) fn error(code: &str, message: impl Into<String>) -> SqlError {
    SqlError::Product { code: code.to_owned(), message: message.into() }
}

impl Product for Postgres<'_> {
    fn dialect(&self) -> &dyn Dialect {
        &PostgreSqlDialect {}
    }

    fn rules(&self) -> Rules {
        RULES
    }

    fn system_table(&self, context: &Context<'_>, path: &[String]) -> Option<Table> {
        catalogue::table(self, context, path)
    }

    fn function(
        &self,
        context: &Context<'_>,
        name: &str,
        arguments: &[Value],
    ) -> Option<Result<Value, SqlError>> {
        let types: Vec<&str> = arguments.iter().map(type_name).collect();
        *self.last_call.borrow_mut() = format!("({})", types.join(", "));
        functions::call(self, context, name, arguments)
    }

    fn table_function(
        &self,
        context: &Context<'_>,
        name: &str,
        arguments: &[Value],
    ) -> Option<Result<Table, SqlError>> {
        functions::table(self, context, name, arguments)
    }

    fn constant(&self, context: &Context<'_>, name: &str) -> Option<Result<Value, SqlError>> {
        let value = match name.to_ascii_lowercase().as_str() {
            "current_user" | "user" | "current_role" => Value::text(self.user),
            "session_user" => Value::text(self.session_user),
            "current_catalog" | "current_database" => Value::text(&context.session.database),
            "current_schema" => context.session.path.last().map_or(Value::Null, Value::text),
            "current_date" => {
                Value::Date(i32::try_from(context.session.now.div_euclid(86_400_000_000)).unwrap_or(0))
            }
            "current_timestamp" | "localtimestamp" => Value::Timestamp(context.session.now),
            _ => return None,
        };
        Some(Ok(value))
    }

    fn cast(&self, context: &Context<'_>, value: &Value, kind: &str) -> Option<Result<Value, SqlError>> {
        functions::cast(self, context, value, kind)
    }

    fn heading(&self, expression: &Expr) -> String {
        heading(expression)
    }
}

/// How PostgreSQL computes.
pub(crate) const RULES: Rules = Rules {
    fold_names: false,
    fold_texts: false,
    lower_names: true,
    integer_division: true,
    zero_is_error: true,
    plus_joins: false,
    pipes_join: true,
    strict_numbers: true,
    nulls_last: true,
};

/// The type of a value as error texts name it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null | Value::Text(_) => "unknown",
        Value::Bool(_) => "boolean",
        Value::Integer(number) if i32::try_from(*number).is_ok() => "integer",
        Value::Integer(_) => "bigint",
        Value::Decimal(_) => "numeric",
        Value::Float(_) => "double precision",
        Value::Bytes(_) => "bytea",
        Value::Date(_) => "date",
        Value::Timestamp(_) => "timestamp with time zone",
        Value::Array(_) => "text[]",
    }
}

/// `FigureColname` of the product: what a column without a name of its own is called.
pub(crate) fn heading(expression: &Expr) -> String {
    named(expression).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// The name and how good it is: 2 for a name, 1 for the name of a type.
fn named(expression: &Expr) -> Option<(String, u8)> {
    let function = |function: &Function| {
        function.name.0.last().map(|part| part.to_string().trim_matches('"').to_lowercase())
    };
    Some(match expression {
        Expr::Identifier(ident) => {
            let name =
                if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() };
            (name, 2)
        }
        Expr::CompoundIdentifier(parts) => (parts.last()?.value.to_lowercase(), 2),
        Expr::Function(call) if matches!(call.args, FunctionArguments::Subquery(_)) => {
            ("array".to_owned(), 2)
        }
        Expr::Function(call) => (function(call)?, 2),
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => named(inner)?,
        Expr::CompoundFieldAccess { root, .. } => named(root)?,
        Expr::Cast { expr, data_type, .. } => match named(expr) {
            Some((name, 2)) => (name, 2),
            _ => (type_heading(data_type), 1),
        },
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(named) {
            Some((name, 2)) => (name, 2),
            _ => ("case".to_owned(), 1),
        },
        Expr::Exists { .. } => ("exists".to_owned(), 2),
        Expr::Array(_) => ("array".to_owned(), 2),
        Expr::Substring { .. } => ("substring".to_owned(), 2),
        Expr::Position { .. } => ("position".to_owned(), 2),
        Expr::Trim { .. } => ("btrim".to_owned(), 2),
        Expr::Extract { .. } => ("extract".to_owned(), 2),
        Expr::Ceil { .. } => ("ceil".to_owned(), 2),
        Expr::Floor { .. } => ("floor".to_owned(), 2),
        Expr::Interval(_) => ("interval".to_owned(), 1),
        Expr::TypedString(typed) => (type_heading(&typed.data_type), 1),
        Expr::Subquery(query) => match query.body.as_ref() {
            sqlparser::ast::SetExpr::Select(select) => match select.projection.first()? {
                sqlparser::ast::SelectItem::UnnamedExpr(expr) => named(expr)?,
                sqlparser::ast::SelectItem::ExprWithAlias { alias, .. } => (alias.value.clone(), 2),
                _ => return None,
            },
            _ => return None,
        },
        _ => return None,
    })
}

/// The internal name of a type.
pub(crate) fn type_heading(data_type: &DataType) -> String {
    let written = data_type.to_string().to_lowercase();
    if written.ends_with(']') {
        return type_heading_word(written.split('[').next().unwrap_or_default());
    }
    type_heading_word(&written)
}

fn type_heading_word(written: &str) -> String {
    let base = written.split('(').next().unwrap_or(written).trim();
    let base = base.strip_prefix("pg_catalog.").unwrap_or(base);
    match base {
        "int" | "integer" | "int4" => "int4",
        "bigint" | "int8" => "int8",
        "smallint" | "int2" => "int2",
        "boolean" | "bool" => "bool",
        "decimal" | "numeric" | "dec" => "numeric",
        "real" | "float4" => "float4",
        "double precision" | "float" | "float8" | "double" => "float8",
        "character varying" | "varchar" => "varchar",
        "char" | "character" => "bpchar",
        "timestamp" | "timestamp without time zone" => "timestamp",
        "timestamp with time zone" | "timestamptz" => "timestamptz",
        "time with time zone" => "timetz",
        "time" | "time without time zone" => "time",
        other => other.trim_matches('"'),
    }
    .to_owned()
}

/// The number, the size and the modifier of a kind's type.
pub(crate) fn type_of(kind: Kind) -> (u32, i16, i32) {
    match kind {
        Kind::Boolean => (16, 1, -1),
        Kind::TinyInt | Kind::SmallInt => (21, 2, -1),
        Kind::Integer => (23, 4, -1),
        Kind::BigInt => (20, 8, -1),
        Kind::Decimal { precision: 38, .. } => (1700, -1, -1),
        Kind::Decimal { precision, scale } => {
            (1700, -1, ((i32::from(precision) << 16) | i32::from(scale)) + 4)
        }
        Kind::Float => (700, 4, -1),
        Kind::Double => (701, 8, -1),
        Kind::Char(length) => (1042, -1, i32::try_from(length).unwrap_or(0).saturating_add(4)),
        Kind::Varchar(u32::MAX) => (1043, -1, -1),
        Kind::Varchar(length) => (1043, -1, i32::try_from(length).unwrap_or(0).saturating_add(4)),
        Kind::Text => (25, -1, -1),
        Kind::Blob => (17, -1, -1),
        Kind::Date => (1082, 4, -1),
        Kind::Time => (1083, 8, -1),
        Kind::Timestamp => (1114, 8, -1),
        Kind::Json => (114, -1, -1),
        Kind::Uuid => (2950, 16, -1),
        Kind::Oid => (26, 4, -1),
        Kind::Name => (19, 64, -1),
        Kind::Letter => (18, 1, -1),
        Kind::Array => (1009, -1, -1),
    }
}

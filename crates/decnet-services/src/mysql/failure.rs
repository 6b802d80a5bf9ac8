//! Errors as the products number and word them.
//!
//! Source: `share/errmsg-utf8.txt` of MySQL 5.7 and 8.0 and of MariaDB 10.11, and answers of MariaDB 10.11.19.

use crate::sql::{Near, SqlError};

use super::persona::{Persona, Release};

/// An error on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its number.
    pub(crate) code: u16,
    /// Its SQLSTATE.
    pub(crate) state: &'static str,
    /// Its text.
    pub(crate) message: String,
}

/// A failure of these parts.
pub(crate) fn failure(code: u16, state: &'static str, message: impl Into<String>) -> Failure {
    Failure { code, state, message: message.into() }
}

/// Bytes of a statement that are shown behind `near`.
const NEAR: usize = 80;

/// 1064, at a place of the statement.
pub(crate) fn syntax(persona: &Persona, text: &str, offset: usize) -> Failure {
    let rest = text.get(offset..).unwrap_or_default();
    let mut end = rest.len().min(NEAR);
    while !rest.is_char_boundary(end) {
        end -= 1;
    }
    let line = text.get(..offset).unwrap_or(text).bytes().filter(|byte| *byte == b'\n').count() + 1;
    failure(
        1064,
        "42000",
        format!(
            "You have an error in your SQL syntax; check the manual that corresponds to your {} server version \
             for the right syntax to use near '{}' at line {line}",
            persona.product(),
            &rest[..end]
        ),
    )
}

/// The name of a clause. MariaDB renamed them in the releases of autumn 2024.
fn clause(persona: &Persona, clause: &'static str) -> &'static str {
    let release = persona.release;
    let renamed = persona.maria()
        && match release {
            Release(10, 5, patch) => patch >= 27,
            Release(10, 6, patch) => patch >= 20,
            Release(10, 11, patch) => patch >= 10,
            Release(11, 2, patch) => patch >= 6,
            Release(11, 4, patch) => patch >= 4,
            other => other.since(11, 6),
        };
    match (clause, renamed) {
        ("field list", true) => "SELECT",
        ("where clause", true) => "WHERE",
        ("order clause", true) => "ORDER BY",
        ("group statement", true) => "GROUP BY",
        ("having clause", true) => "HAVING",
        ("on clause", true) => "ON",
        (clause, _) => clause,
    }
}

/// What the engine found wrong, in the product's words. `text` is the statement, `database` the one chosen.
pub(crate) fn of(persona: &Persona, error: SqlError, text: &str, database: &str, verb: &str) -> Failure {
    let qualified = |parts: &[String]| match parts {
        [table] if !database.is_empty() => format!("{database}.{table}"),
        parts => parts.join("."),
    };
    match error {
        SqlError::Syntax(Near { offset, .. }) | SqlError::Unterminated(Near { offset, .. }) => {
            syntax(persona, text, offset)
        }
        SqlError::TooComplex => failure(
            1104,
            "42000",
            "The SELECT would examine more than MAX_JOIN_SIZE rows; check your WHERE and use SET SQL_BIG_SELECTS=1 \
             or SET MAX_JOIN_SIZE=# if the SELECT is okay",
        ),
        SqlError::Full => failure(1114, "HY000", "The table is full"),
        SqlError::UnknownDatabase(name) | SqlError::UnknownSchema(name) => match verb {
            "drop" => failure(1008, "HY000", format!("Can't drop database '{name}'; database doesn't exist")),
            _ => failure(1049, "42000", format!("Unknown database '{name}'")),
        },
        SqlError::UnknownTable(parts)
            if parts.first().is_some_and(|s| s.eq_ignore_ascii_case("information_schema")) =>
        {
            let table = parts.last().cloned().unwrap_or_default();
            failure(1109, "42S02", format!("Unknown table '{table}' in information_schema"))
        }
        SqlError::UnknownTable(parts) if verb == "drop" => {
            failure(1051, "42S02", format!("Unknown table '{}'", qualified(&parts)))
        }
        SqlError::UnknownTable(parts) => {
            failure(1146, "42S02", format!("Table '{}' doesn't exist", qualified(&parts)))
        }
        SqlError::UnknownColumn { name, clause: place } => match name.strip_prefix("@@") {
            Some(variable) => {
                let variable = variable
                    .strip_prefix("global.")
                    .or_else(|| variable.strip_prefix("session."))
                    .unwrap_or(variable);
                failure(1193, "HY000", format!("Unknown system variable '{variable}'"))
            }
            None => {
                failure(1054, "42S22", format!("Unknown column '{name}' in '{}'", clause(persona, place)))
            }
        },
        SqlError::Ambiguous(name) => failure(
            1052,
            "23000",
            format!("Column '{name}' in {} is ambiguous", clause(persona, "field list")),
        ),
        SqlError::UnknownFunction { name, .. } => match database {
            "" => failure(1305, "42000", format!("FUNCTION {name} does not exist")),
            database => failure(1305, "42000", format!("FUNCTION {database}.{name} does not exist")),
        },
        SqlError::ArgumentCount(name) => failure(
            1582,
            "42000",
            format!("Incorrect parameter count in the call to native function '{name}'"),
        ),
        SqlError::UnknownType(name) => syntax(persona, text, text.find(&name).unwrap_or(0)),
        SqlError::BadValue { value, wanted } => failure(
            1366,
            if persona.maria() { "22007" } else { "HY000" },
            format!("Incorrect {} value: '{value}'", kind_word(wanted)),
        ),
        SqlError::DivisionByZero => failure(1365, "22012", "Division by 0"),
        SqlError::OutOfRange => failure(1690, "22003", "BIGINT value is out of range"),
        SqlError::ManyRows => failure(1242, "21000", "Subquery returns more than 1 row"),
        SqlError::ColumnCount if text.to_ascii_lowercase().contains("union") => {
            failure(1222, "21000", "The used SELECT statements have a different number of columns")
        }
        SqlError::ColumnCount => failure(1241, "21000", "Operand should contain 1 column(s)"),
        SqlError::ValueCount(row) => {
            failure(1136, "21S01", format!("Column count doesn't match value count at row {row}"))
        }
        SqlError::Duplicate { value, table, key } => {
            let key = if key == "id" { "PRIMARY".to_owned() } else { key };
            // MySQL 8.0.19 and later name the table too.
            let key = if !persona.maria() && persona.release >= Release(8, 0, 19) {
                format!("{table}.{key}")
            } else {
                key
            };
            failure(1062, "23000", format!("Duplicate entry '{value}' for key '{key}'"))
        }
        SqlError::NotNull(name) => failure(1048, "23000", format!("Column '{name}' cannot be null")),
        SqlError::NoDefault(name) => {
            failure(1364, "HY000", format!("Field '{name}' doesn't have a default value"))
        }
        SqlError::TableExists(name) => failure(1050, "42S01", format!("Table '{name}' already exists")),
        SqlError::DatabaseExists(name) => {
            failure(1007, "HY000", format!("Can't create database '{name}'; database exists"))
        }
        SqlError::NoDatabase => failure(1046, "3D000", "No database selected"),
        SqlError::ReadOnly(name) => {
            let schema = name.split('.').next().unwrap_or_default();
            failure(1044, "42000", format!("Access denied for user to database '{schema}'"))
        }
        SqlError::Unsupported(what) if what.starts_with("SELECT *") => {
            failure(1096, "HY000", "No tables used")
        }
        SqlError::Unsupported(what) if what.contains("group function") => {
            failure(1111, "HY000", "Invalid use of group function")
        }
        SqlError::Unsupported(_) => syntax(persona, text, 0),
        SqlError::Product { code, message } => {
            let (number, state) = code.split_once('/').unwrap_or((&code, "HY000"));
            Failure { code: number.parse().unwrap_or(1105), state: state_of(state), message }
        }
    }
}

/// The states that the product's functions raise.
fn state_of(state: &str) -> &'static str {
    match state {
        "42000" => "42000",
        "22003" => "22003",
        _ => "HY000",
    }
}

fn kind_word(kind: crate::sql::Kind) -> &'static str {
    use crate::sql::Kind;
    match kind {
        Kind::Date => "date",
        Kind::Timestamp => "datetime",
        Kind::Decimal { .. } => "decimal",
        Kind::Float | Kind::Double => "double",
        _ => "integer",
    }
}

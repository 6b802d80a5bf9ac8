//! What the engine finds wrong, as the product says it: number, class, state and text of `sys.messages`
//! (public documentation, "Database engine events and errors").

use super::super::codec::Notice;
use crate::sql::{Kind, SqlError};

/// Words that are keywords, so that 156 and not 102 is told.
const KEYWORDS: &[&str] = &[
    "select",
    "from",
    "where",
    "group",
    "order",
    "by",
    "having",
    "union",
    "insert",
    "into",
    "values",
    "update",
    "set",
    "delete",
    "create",
    "table",
    "drop",
    "alter",
    "exec",
    "execute",
    "if",
    "else",
    "begin",
    "end",
    "while",
    "and",
    "or",
    "not",
    "in",
    "is",
    "null",
    "like",
    "between",
    "join",
    "inner",
    "left",
    "right",
    "outer",
    "on",
    "as",
    "top",
    "distinct",
    "all",
    "any",
    "exists",
    "case",
    "when",
    "then",
    "database",
    "use",
    "with",
    "for",
    "desc",
    "asc",
    "default",
    "key",
    "primary",
    "foreign",
    "references",
    "constraint",
    "declare",
    "return",
    "go",
];

fn new(number: i32, class: u8, state: u8, text: impl Into<String>) -> Notice {
    Notice::new(number, class, state, text)
}

/// A mistake near a word.
pub(super) fn syntax(near: &str, line: u32) -> Notice {
    let word = near.trim();
    let mut notice = if word.is_empty() {
        Notice::new(102, 15, 1, "Incorrect syntax near the end of the statement.")
    } else if KEYWORDS.contains(&word.to_lowercase().as_str()) {
        Notice::new(156, 15, 1, format!("Incorrect syntax near the keyword '{word}'."))
    } else {
        let word = word.trim_matches(['\'', '[', ']', '"']);
        Notice::new(102, 15, 1, format!("Incorrect syntax near '{word}'."))
    };
    notice.line = line;
    notice
}

/// A text that does not end.
pub(super) fn unclosed(rest: &str) -> Notice {
    let text: String = rest.trim_start_matches(['N', 'n']).chars().skip(1).take(128).collect();
    Notice::new(105, 15, 1, format!("Unclosed quotation mark after the character string '{text}'."))
}

/// The type's name.
pub(super) fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "bit",
        Kind::TinyInt => "tinyint",
        Kind::SmallInt => "smallint",
        Kind::Integer => "int",
        Kind::BigInt | Kind::Oid => "bigint",
        Kind::Decimal { .. } => "decimal",
        Kind::Float => "real",
        Kind::Double => "float",
        Kind::Char(_) | Kind::Letter => "nchar",
        Kind::Varchar(_) | Kind::Text | Kind::Json | Kind::Array => "nvarchar",
        Kind::Name => "sysname",
        Kind::Blob => "varbinary",
        Kind::Date => "date",
        Kind::Time => "time",
        Kind::Timestamp => "datetime",
        Kind::Uuid => "uniqueidentifier",
    }
}

/// An error of the engine. `database` is the one that is in use; `verb` the statement's first word.
pub(super) fn notice(error: &SqlError, database: &str, verb: &str) -> Notice {
    let last = |path: &[String]| path.join(".");
    match error {
        SqlError::Syntax(near) | SqlError::Unterminated(near) => {
            let line = u32::try_from(near.line).unwrap_or(1);
            syntax(&near.token, line)
        }
        SqlError::TooComplex => new(
            191,
            15,
            1,
            "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into \
             smaller queries.",
        ),
        SqlError::Full => new(
            1105,
            17,
            2,
            format!(
                "Could not allocate space for object 'dbo.SORT temporary run storage' in database '{database}' \
                 because the 'PRIMARY' filegroup is full. Create disk space by deleting unneeded files, dropping \
                 objects in the filegroup, adding additional files to the filegroup, or setting autogrowth on for \
                 existing files in the filegroup."
            ),
        ),
        SqlError::UnknownDatabase(name) if verb == "drop" => new(
            3701,
            11,
            1,
            format!(
                "Cannot drop the database '{name}', because it does not exist or you do not have permission."
            ),
        ),
        SqlError::UnknownDatabase(name) => new(
            911,
            16,
            1,
            format!("Database '{name}' does not exist. Make sure that the name is entered correctly."),
        ),
        SqlError::UnknownSchema(name) => new(
            2760,
            16,
            1,
            format!(
                "The specified schema name \"{name}\" either does not exist or you do not have permission to use it."
            ),
        ),
        SqlError::UnknownTable(path) if verb == "drop" => new(
            3701,
            11,
            5,
            format!(
                "Cannot drop the table '{}', because it does not exist or you do not have permission.",
                path.last().map_or("", String::as_str)
            ),
        ),
        SqlError::UnknownTable(path) if verb == "truncate" || verb == "alter" => new(
            4701,
            16,
            1,
            format!(
                "Cannot find the object \"{}\" because it does not exist or you do not have permissions.",
                path.last().map_or("", String::as_str)
            ),
        ),
        SqlError::UnknownTable(path) => {
            // A name that was given without its schema is told without it.
            let path = match path.as_slice() {
                [schema, table] if schema == "dbo" => std::slice::from_ref(table),
                other => other,
            };
            new(208, 16, 1, format!("Invalid object name '{}'.", last(path)))
        }
        SqlError::UnknownColumn { name, .. } if name.starts_with('@') => {
            new(137, 15, 2, format!("Must declare the scalar variable \"{name}\"."))
        }
        SqlError::UnknownColumn { name, .. } => match name.rsplit_once('.') {
            Some(_) => new(4104, 16, 1, format!("The multi-part identifier \"{name}\" could not be bound.")),
            None => new(207, 16, 1, format!("Invalid column name '{name}'.")),
        },
        SqlError::Ambiguous(name) => new(209, 16, 1, format!("Ambiguous column name '{name}'.")),
        SqlError::UnknownFunction { name, .. } if name.contains('.') => new(
            4121,
            16,
            1,
            format!(
                "Cannot find either column \"{}\" or the user-defined function or aggregate \"{name}\", or the name \
                 is ambiguous.",
                name.split('.').next().unwrap_or_default()
            ),
        ),
        SqlError::UnknownFunction { name, .. } => {
            new(195, 15, 10, format!("'{name}' is not a recognized built-in function name."))
        }
        SqlError::ArgumentCount(name) => {
            new(174, 15, 1, format!("The {} function requires 1 argument(s).", name.to_lowercase()))
        }
        SqlError::UnknownType(name) => {
            new(2715, 16, 6, format!("Column, parameter, or variable #1: Cannot find data type {name}."))
        }
        SqlError::BadValue { wanted: Kind::Date | Kind::Timestamp | Kind::Time, .. } => {
            new(241, 16, 1, "Conversion failed when converting date and/or time from character string.")
        }
        SqlError::BadValue { wanted: Kind::Uuid, .. } => {
            new(8169, 16, 2, "Conversion failed when converting from a character string to uniqueidentifier.")
        }
        SqlError::BadValue { wanted: Kind::Decimal { .. }, .. } => {
            new(8114, 16, 5, "Error converting data type varchar to numeric.")
        }
        SqlError::BadValue { wanted: Kind::Float | Kind::Double, .. } => {
            new(8114, 16, 5, "Error converting data type varchar to float.")
        }
        SqlError::BadValue { value, wanted } => new(
            245,
            16,
            1,
            format!(
                "Conversion failed when converting the varchar value '{value}' to data type {}.",
                type_name(*wanted)
            ),
        ),
        SqlError::DivisionByZero => new(8134, 16, 1, "Divide by zero error encountered."),
        SqlError::OutOfRange => {
            new(8115, 16, 2, "Arithmetic overflow error converting expression to data type int.")
        }
        SqlError::ManyRows => new(
            512,
            16,
            1,
            "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, \
             >= or when the subquery is used as an expression.",
        ),
        SqlError::ColumnCount => new(
            205,
            16,
            1,
            "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of \
             expressions in their target lists.",
        ),
        SqlError::ValueCount(_) => {
            new(213, 16, 1, "Column name or number of supplied values does not match table definition.")
        }
        SqlError::Duplicate { value, table, key } => new(
            2627,
            14,
            1,
            format!(
                "Violation of PRIMARY KEY constraint 'PK__{table}__{key}'. Cannot insert duplicate key in object \
                 'dbo.{table}'. The duplicate key value is ({value})."
            ),
        ),
        SqlError::NotNull(name) | SqlError::NoDefault(name) => new(
            515,
            16,
            2,
            format!(
                "Cannot insert the value NULL into column '{name}', table '{database}.dbo'; column does not allow \
                 nulls. INSERT fails."
            ),
        ),
        SqlError::TableExists(name) => {
            new(2714, 16, 6, format!("There is already an object named '{name}' in the database."))
        }
        SqlError::DatabaseExists(name) => {
            new(1801, 16, 3, format!("Database '{name}' already exists. Choose a different database name."))
        }
        SqlError::NoDatabase => new(208, 16, 1, "Invalid object name."),
        SqlError::ReadOnly(_) => new(259, 16, 1, "Ad hoc updates to system catalogs are not allowed."),
        SqlError::Unsupported(text) => {
            let word = text.split_whitespace().next().unwrap_or_default();
            syntax(word, 1)
        }
        SqlError::Product { code, message } => new(code.parse().unwrap_or(50_000), 16, 1, message.clone()),
    }
}

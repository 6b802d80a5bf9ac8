//! What can be wrong with a statement. Each product has its own number and wording for each of them.

/// Where a statement stops making sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// Byte offset in the statement of the token that does not fit; its length for the end.
    pub offset: usize,
    /// Line, from 1.
    pub line: u64,
    /// The token; empty at the end.
    pub token: String,
}

/// Why a statement was not carried out.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SqlError {
    /// It is no statement of this language.
    #[error("syntax error near `{}`", .0.token)]
    Syntax(Near),
    /// A text or a comment has no end.
    #[error("unterminated text")]
    Unterminated(Near),
    /// It is nested too deeply, or would run for too long.
    #[error("statement too complex")]
    TooComplex,
    /// The catalogue's bound on what can be stored is reached.
    #[error("no room")]
    Full,
    /// There is no such database.
    #[error("unknown database `{0}`")]
    UnknownDatabase(String),
    /// There is no such schema.
    #[error("unknown schema `{0}`")]
    UnknownSchema(String),
    /// There is no such table. The name as far as it is known: database, schema, table.
    #[error("unknown table `{}`", .0.join("."))]
    UnknownTable(Vec<String>),
    /// There is no such column. As it was written, and the clause it stands in (`field list`,
    /// `where clause`, `order clause`, `group statement`, `having clause`, `on clause`).
    #[error("unknown column `{name}` in {clause}")]
    UnknownColumn {
        /// The column as it was written.
        name: String,
        /// The clause.
        clause: &'static str,
    },
    /// A column that more than one table has.
    #[error("ambiguous column `{0}`")]
    Ambiguous(String),
    /// There is no such function.
    #[error("unknown function `{name}`")]
    UnknownFunction {
        /// Its name as it was written.
        name: String,
        /// The number of arguments.
        arguments: usize,
    },
    /// A function with the wrong number of arguments.
    #[error("wrong number of arguments to `{0}`")]
    ArgumentCount(String),
    /// There is no such type.
    #[error("unknown type `{0}`")]
    UnknownType(String),
    /// A value that cannot be read as what is needed there.
    #[error("`{value}` is no {wanted:?}")]
    BadValue {
        /// The value.
        value: String,
        /// What was needed.
        wanted: super::Kind,
    },
    /// Division by zero, in products for which that is an error.
    #[error("division by zero")]
    DivisionByZero,
    /// A number that fits no type.
    #[error("number out of range")]
    OutOfRange,
    /// A subquery with more than one row where one is needed.
    #[error("subquery returns more than one row")]
    ManyRows,
    /// A subquery, or one side of UNION, with another number of columns than is needed.
    #[error("wrong number of columns")]
    ColumnCount,
    /// Values of INSERT that do not fit the columns. The number of the row, from 1.
    #[error("column count does not match value count at row {0}")]
    ValueCount(usize),
    /// A value that a unique column already has. The value and the key.
    #[error("duplicate entry `{value}` for key `{key}`")]
    Duplicate {
        /// The value.
        value: String,
        /// The table.
        table: String,
        /// The key's column.
        key: String,
    },
    /// Null where none may be.
    #[error("column `{0}` cannot be null")]
    NotNull(String),
    /// A column that has no default was left out.
    #[error("column `{0}` has no default")]
    NoDefault(String),
    /// What is to be made exists.
    #[error("`{0}` exists")]
    TableExists(String),
    /// What is to be made exists.
    #[error("database `{0}` exists")]
    DatabaseExists(String),
    /// A statement that needs a database while none is chosen.
    #[error("no database selected")]
    NoDatabase,
    /// A table of the system, which nobody may change.
    #[error("`{0}` is read only")]
    ReadOnly(String),
    /// Valid, and not carried out by this engine: the product's front decides what it says.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// An error with the product's own code and text, made by the product's functions.
    #[error("{code}: {message}")]
    Product {
        /// The product's code.
        code: String,
        /// The product's text.
        message: String,
    },
}

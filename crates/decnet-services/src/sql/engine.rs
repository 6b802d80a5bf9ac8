//! What a statement is carried out against, and what comes of it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use sqlparser::ast::{Expr, Ident};
use sqlparser::dialect::Dialect;

use super::catalogue::{Catalogue, Place, Table, same};
use super::error::SqlError;
use super::value::{Kind, Value};

/// Steps of one statement: rows looked at, expressions worked out. A second or so in a release build.
pub const STEP_LIMIT: u64 = 2_000_000;
/// Subqueries and function calls within each other.
pub(super) const DEPTH_LIMIT: u32 = 64;
/// Bytes of values that one statement may hold at a time.
pub const MEMORY_LIMIT: usize = 32 * 1024 * 1024;

/// How a product differs in what it computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Names of databases, schemas and tables without regard to case. Columns never regard it.
    pub fold_names: bool,
    /// Texts compare without regard to case and trailing spaces.
    pub fold_texts: bool,
    /// Names without quotes are lower case.
    pub lower_names: bool,
    /// `/` of two whole numbers is a whole number.
    pub integer_division: bool,
    /// Division by zero is an error, not null.
    pub zero_is_error: bool,
    /// `+` joins texts.
    pub plus_joins: bool,
    /// `||` joins texts; otherwise it means OR.
    pub pipes_join: bool,
    /// A text that is no number is an error where one is needed, not zero.
    pub strict_numbers: bool,
    /// Null comes last in ascending order.
    pub nulls_last: bool,
}

/// A product: its language, its system tables, its functions.
pub trait Product {
    /// The parser's dialect.
    fn dialect(&self) -> &dyn Dialect;

    /// How it computes.
    fn rules(&self) -> Rules;

    /// A table that is not stored but made when asked for: `information_schema.tables`, `pg_class`,
    /// `sys.objects`. `path` is the name as written, one to three parts, unquoted parts in the product's
    /// case. Stored tables come first only where the product looks there first: this is asked before them.
    fn system_table(&self, context: &Context<'_>, path: &[String]) -> Option<Table>;

    /// A function of the product, by lower-case name without its schema. None for one that it does not
    /// have beyond those that all three have.
    fn function(
        &self,
        context: &Context<'_>,
        name: &str,
        arguments: &[Value],
    ) -> Option<Result<Value, SqlError>>;

    /// A function that stands in FROM.
    fn table_function(
        &self,
        context: &Context<'_>,
        name: &str,
        arguments: &[Value],
    ) -> Option<Result<Table, SqlError>>;

    /// A word that is neither column nor function and still has a value: `@@version`, `@x`,
    /// `CURRENT_USER`. As it was written.
    fn constant(&self, context: &Context<'_>, name: &str) -> Option<Result<Value, SqlError>>;

    /// A cast that is more than making a value fit: `'t'::regclass`. `kind` is the type's name in lower
    /// case.
    fn cast(&self, context: &Context<'_>, value: &Value, kind: &str) -> Option<Result<Value, SqlError>>;

    /// The heading of a column that has no name of its own.
    fn heading(&self, expression: &Expr) -> String;

    /// The heading of a plain column without an alias. `written` is its name in the statement, `column` its
    /// own.
    fn column_heading(&self, written: &str, column: &str) -> String {
        let _ = written;
        column.to_owned()
    }
}

/// Who asks, and where they stand.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// The user.
    pub user: String,
    /// The database that was chosen, by name.
    pub database: String,
    /// Schemas in which names without one are looked up, first to last.
    pub path: Vec<String>,
    /// Variables that were set.
    pub variables: BTreeMap<String, Value>,
    /// The values of placeholders, first to last.
    pub parameters: Vec<Value>,
    /// The present in microseconds since 1970-01-01 UTC, in the server's own zone.
    pub now: i64,
    /// The number of the connection, as the product shows it.
    pub connection: u32,
    /// The last number that was given to an automatic column.
    pub last_id: i64,
    /// Rows of the last statement.
    pub row_count: i64,
}

/// A statement under way.
pub struct Context<'a> {
    /// What is stored.
    pub catalogue: &'a Catalogue,
    /// Who asks.
    pub session: &'a Session,
    /// The product.
    pub product: &'a dyn Product,
    pub(super) rules: Rules,
    steps: Cell<u64>,
    depth: Cell<u32>,
    memory: Cell<usize>,
    delay: Cell<Duration>,
    touched: RefCell<Vec<String>>,
    /// Tables of WITH, innermost last.
    pub(super) named: RefCell<Vec<(String, std::rc::Rc<super::query::Relation>)>>,
}

impl<'a> Context<'a> {
    /// A context with the bounds of one statement.
    pub fn new(catalogue: &'a Catalogue, session: &'a Session, product: &'a dyn Product) -> Context<'a> {
        Context {
            catalogue,
            session,
            product,
            rules: product.rules(),
            steps: Cell::new(STEP_LIMIT),
            depth: Cell::new(DEPTH_LIMIT),
            memory: Cell::new(MEMORY_LIMIT),
            delay: Cell::default(),
            touched: RefCell::default(),
            named: RefCell::default(),
        }
    }

    /// How long the statement would have taken: the sum of `SLEEP`, `pg_sleep`, `WAITFOR`.
    pub fn delay(&self) -> Duration {
        self.delay.get()
    }

    /// Adds to [`Context::delay`], for the product's sleeping functions.
    pub fn sleep(&self, duration: Duration) {
        self.delay.set(self.delay.get().saturating_add(duration));
    }

    /// The planted tables that were read, as `schema.table`.
    pub fn touched(&self) -> Vec<String> {
        self.touched.borrow().clone()
    }

    /// Takes `count` steps.
    pub(super) fn step(&self, count: u64) -> Result<(), SqlError> {
        match self.steps.get().checked_sub(count) {
            Some(left) => {
                self.steps.set(left);
                Ok(())
            }
            None => Err(SqlError::TooComplex),
        }
    }

    /// Counts bytes that the statement holds.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), SqlError> {
        match self.memory.get().checked_sub(bytes) {
            Some(left) => {
                self.memory.set(left);
                Ok(())
            }
            None => Err(SqlError::TooComplex),
        }
    }

    /// Works something out one level deeper.
    pub(super) fn deeper<T>(&self, work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        let left = self.depth.get().checked_sub(1).ok_or(SqlError::TooComplex)?;
        self.depth.set(left);
        let result = work();
        self.depth.set(left + 1);
        result
    }

    /// Works a subquery out of which one value is kept: what it held meanwhile is given back.
    pub(super) fn inner<T>(&self, work: impl FnOnce() -> Result<T, SqlError>) -> Result<T, SqlError> {
        let memory = self.memory.get();
        let result = self.deeper(work);
        self.memory.set(memory);
        result
    }

    /// A name as the product keeps it.
    pub fn name(&self, ident: &Ident) -> String {
        if self.rules.lower_names && ident.quote_style.is_none() {
            ident.value.to_lowercase()
        } else {
            ident.value.clone()
        }
    }

    /// The database that was chosen.
    pub fn database(&self) -> Option<usize> {
        self.catalogue.database(&self.session.database, self.rules.fold_names)
    }

    /// Finds a stored table by a name of one to three parts.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn find(&self, path: &[String]) -> Result<Place, SqlError> {
        let fold = self.rules.fold_names;
        let unknown = || {
            let mut full = path.to_vec();
            if let ([_], Some(schema)) = (path, self.session.path.first()) {
                full.insert(0, schema.clone());
            }
            SqlError::UnknownTable(full)
        };
        let (database, schemas, table) = match path {
            [table] => (self.database(), self.session.path.clone(), table),
            [schema, table] => (self.database(), vec![schema.clone()], table),
            [database, schema, table] => {
                let found = self.catalogue.database(database, fold);
                let found = found.ok_or_else(|| SqlError::UnknownDatabase(database.clone()))?;
                // SQL Server's `master..table`.
                let schemas =
                    if schema.is_empty() { self.session.path.clone() } else { vec![schema.clone()] };
                (Some(found), schemas, table)
            }
            _ => return Err(unknown()),
        };
        let database = database.ok_or(SqlError::NoDatabase)?;
        if schemas.is_empty() {
            return Err(SqlError::NoDatabase);
        }
        schemas
            .iter()
            .filter_map(|schema| self.catalogue.schema(database, schema, fold))
            .find_map(|schema| self.catalogue.table(database, schema, table, fold))
            .ok_or_else(unknown)
    }

    /// The table of a name: the product's own, or a stored one.
    pub(super) fn table(&self, path: &[String]) -> Result<(Cow<'a, Table>, Option<Place>), SqlError> {
        if let Some(table) = self.product.system_table(self, path) {
            return Ok((Cow::Owned(table), None));
        }
        let place = self.find(path)?;
        let table = self.catalogue.at(place).ok_or_else(|| SqlError::UnknownTable(path.to_vec()))?;
        if table.planted {
            let schema = &self.catalogue.databases[place.database].schemas[place.schema].name;
            let name = format!("{schema}.{}", table.name);
            let mut touched = self.touched.borrow_mut();
            if !touched.contains(&name) {
                touched.push(name);
            }
        }
        Ok((Cow::Borrowed(table), Some(place)))
    }

    /// Whether two column names are the same. They never regard case, but for quoted ones of PostgreSQL,
    /// which were folded when they were read.
    pub(super) fn same_column(&self, a: &str, b: &str) -> bool {
        same(a, b, !self.rules.lower_names)
    }
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq)]
pub struct Heading {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Where it comes from, for a plain column of a stored table: schema, table, alias of the table, column.
    pub origin: Option<Origin>,
}

/// Where a column of a result comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The name that the table has in the statement.
    pub alias: String,
    /// The column.
    pub column: String,
    /// The number of the column in its table, from 1.
    pub number: u16,
    /// The table's own number.
    pub table_number: u32,
}

/// Rows that a statement gives back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResultSet {
    /// The columns.
    pub columns: Vec<Heading>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}

/// What came of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Rows.
    Rows(ResultSet),
    /// Rows were changed.
    Changed {
        /// How many.
        rows: u64,
        /// How many a condition found, changed or not.
        matched: u64,
        /// The first number given to an automatic column, or 0.
        last_id: i64,
    },
    /// Something was made, altered or taken away; what it was, as `CREATE TABLE`.
    Done(&'static str),
}

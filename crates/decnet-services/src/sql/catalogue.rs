//! What is stored: databases, schemas, tables, rows; bounded.

use super::error::SqlError;
use super::value::{Kind, Value};

/// Bytes of rows that an intruder may add to a catalogue. The planted rows do not count.
pub const ADDED_LIMIT: usize = 16 * 1024 * 1024;
/// Databases, schemas and tables in a catalogue.
pub const OBJECT_LIMIT: usize = 10_000;
/// Columns in a table; the tightest limit of the three products (SQL Server's).
pub const COLUMN_LIMIT: usize = 1024;

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Whether null may stand in it.
    pub nullable: bool,
    /// Whether it is the primary key, or part of it.
    pub primary: bool,
    /// Whether a value may stand in it once only.
    pub unique: bool,
    /// Whether it is numbered by itself.
    pub automatic: bool,
    /// What stands in it when nothing is given.
    pub default: Option<Value>,
}

impl Column {
    /// A column that may be null.
    pub fn new(name: impl Into<String>, kind: Kind) -> Column {
        Column {
            name: name.into(),
            kind,
            nullable: true,
            primary: false,
            unique: false,
            automatic: false,
            default: None,
        }
    }

    /// The same, but never null.
    #[must_use]
    pub fn required(mut self) -> Column {
        self.nullable = false;
        self
    }

    /// A primary key that is numbered by itself.
    pub fn id(name: impl Into<String>) -> Column {
        Column { nullable: false, primary: true, automatic: true, ..Column::new(name, Kind::Integer) }
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
    /// The next number of an automatic column.
    pub next: i64,
    /// A number that stays the table's own: PostgreSQL's oid, SQL Server's object_id.
    pub number: u32,
    /// When it was made, in microseconds since 1970-01-01 UTC.
    pub made: i64,
    /// Planted by us, not by an intruder.
    pub planted: bool,
    /// Whether nobody may change it.
    pub read_only: bool,
}

impl Table {
    /// An empty table.
    pub fn new(name: impl Into<String>, columns: Vec<Column>) -> Table {
        Table {
            name: name.into(),
            columns,
            rows: Vec::new(),
            next: 1,
            number: 0,
            made: 0,
            planted: false,
            read_only: false,
        }
    }

    /// A table of the system: columns and rows made for one question.
    pub fn system(name: &str, columns: &[(&str, Kind)], rows: Vec<Vec<Value>>) -> Table {
        let columns = columns.iter().map(|(name, kind)| Column::new(*name, *kind)).collect();
        Table { rows, read_only: true, planted: true, ..Table::new(name, columns) }
    }

    /// Bytes of its rows, roughly.
    pub fn size(&self) -> usize {
        self.rows.iter().map(|row| row_size(row)).sum()
    }
}

/// Bytes of one row, roughly.
pub(super) fn row_size(row: &[Value]) -> usize {
    row.iter().map(Value::size).sum::<usize>() + 24
}

/// A schema: tables under one name. What MySQL calls a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Its name.
    pub name: String,
    /// Its tables, in the order in which they were made.
    pub tables: Vec<Table>,
}

/// A database: schemas under one name. A MySQL server has one, whose name nobody sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its schemas.
    pub schemas: Vec<Schema>,
}

/// Everything that a server stores.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    /// The databases.
    pub databases: Vec<Database>,
    /// Bytes that intruders have added.
    added: usize,
    next_number: u32,
}

/// Where a table is: indices of database, schema and table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The database.
    pub database: usize,
    /// The schema.
    pub schema: usize,
    /// The table.
    pub table: usize,
}

/// Whether two names are the same; `fold` without regard to case.
pub(super) fn same(a: &str, b: &str, fold: bool) -> bool {
    if fold { a.eq_ignore_ascii_case(b) } else { a == b }
}

impl Catalogue {
    /// A catalogue whose first user table has the number `first_number`.
    pub fn new(databases: Vec<Database>, first_number: u32) -> Catalogue {
        let mut catalogue = Catalogue { databases, added: 0, next_number: first_number };
        let Catalogue { databases, next_number, .. } = &mut catalogue;
        for table in databases.iter_mut().flat_map(|d| &mut d.schemas).flat_map(|s| &mut s.tables) {
            table.number = *next_number;
            *next_number = next_number.wrapping_add(NUMBER_STEP);
        }
        catalogue
    }

    /// The number that the next table gets.
    pub fn next_number(&mut self) -> u32 {
        let number = self.next_number;
        self.next_number = number.wrapping_add(NUMBER_STEP);
        number
    }

    /// A database by name.
    pub fn database(&self, name: &str, fold: bool) -> Option<usize> {
        self.databases.iter().position(|database| same(&database.name, name, fold))
    }

    /// A schema by name.
    pub fn schema(&self, database: usize, name: &str, fold: bool) -> Option<usize> {
        self.databases.get(database)?.schemas.iter().position(|schema| same(&schema.name, name, fold))
    }

    /// A table by name.
    pub fn table(&self, database: usize, schema: usize, name: &str, fold: bool) -> Option<Place> {
        let tables = &self.databases.get(database)?.schemas.get(schema)?.tables;
        let table = tables.iter().position(|table| same(&table.name, name, fold))?;
        Some(Place { database, schema, table })
    }

    /// The table at a place.
    pub fn at(&self, place: Place) -> Option<&Table> {
        self.databases.get(place.database)?.schemas.get(place.schema)?.tables.get(place.table)
    }

    /// The table at a place.
    pub fn at_mut(&mut self, place: Place) -> Option<&mut Table> {
        self.databases.get_mut(place.database)?.schemas.get_mut(place.schema)?.tables.get_mut(place.table)
    }

    /// Databases, schemas and tables in all.
    pub fn objects(&self) -> usize {
        self.databases
            .iter()
            .map(|database| 1 + database.schemas.iter().map(|schema| 1 + schema.tables.len()).sum::<usize>())
            .sum()
    }

    /// Bytes that intruders have added.
    pub fn added(&self) -> usize {
        self.added
    }

    /// Counts bytes that are about to be added.
    ///
    /// # Errors
    /// [`SqlError::Full`] past [`ADDED_LIMIT`].
    pub fn grow(&mut self, bytes: usize) -> Result<(), SqlError> {
        match self.added.checked_add(bytes).filter(|sum| *sum <= ADDED_LIMIT) {
            Some(sum) => {
                self.added = sum;
                Ok(())
            }
            None => Err(SqlError::Full),
        }
    }

    /// Counts bytes that have gone. Planted rows were never counted, so this stops at zero.
    pub fn shrink(&mut self, bytes: usize) {
        self.added = self.added.saturating_sub(bytes);
    }

    /// Whether one more object may be made.
    ///
    /// # Errors
    /// [`SqlError::Full`] past [`OBJECT_LIMIT`].
    pub fn room(&self) -> Result<(), SqlError> {
        if self.objects() < OBJECT_LIMIT { Ok(()) } else { Err(SqlError::Full) }
    }
}

/// Numbers go up by more than one: a table's sequence, its row type and its index take some too.
const NUMBER_STEP: u32 = 5;

//! A small SQL engine over planted tables, for the services that speak SQL.
//!
//! Text is read by the `sqlparser` crate; what it means is worked out here, in memory, against a
//! [`Catalogue`]. What differs between products (their system tables, functions, texts, rules of
//! comparison) is a [`Product`], which each service brings. Errors are typed: numbers and wording are the
//! service's.
//!
//! Nothing here can reach outside: there is no file, no clock and no network. Every statement has a bound on
//! its length, its depth, its steps and its memory, and a catalogue has a bound on what can be added to it.

mod aggregate;
pub mod catalogue;
mod change;
pub mod decimal;
pub mod engine;
pub mod error;
mod expression;
mod from;
mod functions;
pub mod moment;
mod operators;
mod parse;
mod query;
#[cfg(test)]
mod tests;
mod types;
pub mod value;

pub use catalogue::{Catalogue, Column, Database, Schema, Table};
pub use decimal::Decimal;
pub use engine::{Context, Heading, Origin, Outcome, Product, ResultSet, Rules, Session};
pub use error::{Near, SqlError};
pub use parse::parse;
pub use types::kind as kind_of_type;
pub use value::{Kind, Value};

use std::time::Duration;

use sqlparser::ast::Statement;

/// How a product's databases and schemas lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// A database is what the others call a schema (MySQL).
    pub flat: bool,
    /// The schemas of a new database.
    pub schemas: &'static [&'static str],
}

/// What came of a statement, and what else it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// What came of it.
    pub outcome: Outcome,
    /// How long it would have taken: the sum of the product's sleeping functions.
    pub delay: Duration,
    /// The planted tables that were read, as `schema.table`.
    pub touched: Vec<String>,
}

/// Carries one statement out.
///
/// # Errors
/// What is wrong with it. [`SqlError::Unsupported`] for statements that are none of queries and changes of
/// tables: SET, SHOW, GRANT and their like are the service's own.
pub fn execute(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    layout: Layout,
    statement: &Statement,
) -> Result<Executed, SqlError> {
    if let Statement::Query(query) = statement {
        return self::query(catalogue, session, product, query);
    }
    let outcome = match statement {
        Statement::Insert(insert) => change::insert(catalogue, session, product, insert),
        Statement::Update(update) => change::update(catalogue, session, product, update),
        Statement::Delete(delete) => change::delete(catalogue, session, product, delete),
        Statement::Truncate(truncate) => {
            let names: Vec<_> = truncate.table_names.iter().map(|target| target.name.clone()).collect();
            change::truncate(catalogue, session, product, &names)
        }
        Statement::CreateTable(create) => change::create_table(catalogue, session, product, create),
        Statement::Drop { object_type, if_exists, names, .. } => {
            change::drop(catalogue, session, product, *object_type, names, *if_exists, layout.flat)
        }
        Statement::CreateDatabase { db_name, if_not_exists, .. } => {
            let name = named(catalogue, session, product, db_name);
            change::create_database(catalogue, product, name, *if_not_exists, layout.flat, layout.schemas)
        }
        Statement::CreateSchema { schema_name, if_not_exists, .. } => {
            use sqlparser::ast::SchemaName;
            let (SchemaName::Simple(name) | SchemaName::NamedAuthorization(name, _)) = schema_name else {
                return Err(SqlError::Unsupported(schema_name.to_string()));
            };
            let name = named(catalogue, session, product, name);
            if layout.flat {
                change::create_database(catalogue, product, name, *if_not_exists, true, &[])
            } else {
                change::create_schema(catalogue, session, product, name, *if_not_exists)
            }
        }
        Statement::AlterTable(alter) => {
            change::alter_table(catalogue, session, product, &alter.name, &alter.operations)
        }
        // An index changes nothing that can be seen.
        Statement::CreateIndex(_) => Ok(Outcome::Done("CREATE INDEX")),
        other => Err(SqlError::Unsupported(other.to_string())),
    }?;
    Ok(Executed { outcome, delay: Duration::ZERO, touched: Vec::new() })
}

/// Carries a query out, without a way to change anything.
///
/// # Errors
/// What is wrong with it.
pub fn query(
    catalogue: &Catalogue,
    session: &Session,
    product: &dyn Product,
    query: &sqlparser::ast::Query,
) -> Result<Executed, SqlError> {
    let context = Context::new(catalogue, session, product);
    let result = query::run(&context, None, query)?;
    Ok(Executed { outcome: Outcome::Rows(result), delay: context.delay(), touched: context.touched() })
}

/// Works a single expression out, as SET and EXECUTE need it.
///
/// # Errors
/// What is wrong with it.
pub fn expression(
    catalogue: &Catalogue,
    session: &Session,
    product: &dyn Product,
    expression: &sqlparser::ast::Expr,
) -> Result<Value, SqlError> {
    let context = Context::new(catalogue, session, product);
    expression::evaluate(&context, &expression::Scope::empty(None), expression)
}

/// The last part of a name, in the product's case.
fn named(
    catalogue: &Catalogue,
    session: &Session,
    product: &dyn Product,
    name: &sqlparser::ast::ObjectName,
) -> String {
    let context = Context::new(catalogue, session, product);
    expression::parts(&context, name).pop().unwrap_or_default()
}

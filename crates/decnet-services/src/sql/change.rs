//! INSERT, UPDATE, DELETE, and what makes and takes away tables.

use std::collections::HashSet;

use sqlparser::ast::{
    Assignment, AssignmentTarget, ColumnOption, CreateTable, Delete, Expr, FromTable, Insert, ObjectName,
    ObjectType, SetExpr, TableConstraint, TableFactor, TableObject, TableWithJoins, Update,
};

use super::catalogue::{COLUMN_LIMIT, Catalogue, Column, Database, Place, Schema, Table, row_size};
use super::engine::{Context, Outcome, Product, Session};
use super::error::SqlError;
use super::expression::{Bound, Scope, evaluate, parts, position};
use super::query::{self, group_key};
use super::types;
use super::value::Value;

/// Rows that one statement adds.
const ROWS_LIMIT: usize = 50_000;

/// Runs `work` with a context over the catalogue as it is.
fn with<T>(
    catalogue: &Catalogue,
    session: &Session,
    product: &dyn Product,
    work: impl FnOnce(&Context<'_>) -> Result<T, SqlError>,
) -> Result<T, SqlError> {
    work(&Context::new(catalogue, session, product))
}

/// A stored table that may be changed, by its name.
fn target(context: &Context<'_>, path: &[String]) -> Result<Place, SqlError> {
    if context.product.system_table(context, path).is_some() {
        return Err(SqlError::ReadOnly(path.join(".")));
    }
    let place = context.find(path)?;
    match context.catalogue.at(place) {
        Some(table) if table.read_only => Err(SqlError::ReadOnly(table.name.clone())),
        Some(_) => Ok(place),
        None => Err(SqlError::UnknownTable(path.to_vec())),
    }
}

/// The columns of a table as an expression names them.
fn bound(table: &Table, alias: &str) -> Vec<Bound> {
    table
        .columns
        .iter()
        .map(|column| Bound {
            table: alias.to_owned(),
            schema: None,
            name: column.name.clone(),
            kind: column.kind,
            origin: None,
            shadowed: false,
        })
        .collect()
}

/// Makes a value fit a column.
fn fit(context: &Context<'_>, column: &Column, value: Value) -> Result<Value, SqlError> {
    if value.is_null() {
        return if column.nullable { Ok(value) } else { Err(SqlError::NotNull(column.name.clone())) };
    }
    match column.kind.coerce(value.clone()) {
        Some(value) => Ok(value),
        None if context.rules.strict_numbers || column.kind.is_number() => {
            Err(SqlError::BadValue { value: value.to_string(), wanted: column.kind })
        }
        None => Ok(Value::Null),
    }
}

/// INSERT and REPLACE.
pub(super) fn insert(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    insert: &Insert,
) -> Result<Outcome, SqlError> {
    let TableObject::TableName(name) = &insert.table else {
        return Err(SqlError::Unsupported(insert.table.to_string()));
    };
    let (place, rows, last_id, next) = with(catalogue, session, product, |context| {
        let place = target(context, &parts(context, name))?;
        let table = &catalogue.databases[place.database].schemas[place.schema].tables[place.table];
        let (rows, last_id, next) = new_rows(context, table, insert)?;
        Ok((place, rows, last_id, next))
    })?;
    let fold = product.rules().fold_texts;
    let Some(table) = catalogue.at(place) else { return Err(SqlError::UnknownTable(Vec::new())) };
    let mut taken: Vec<(usize, HashSet<String>)> = table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.unique || column.primary)
        // A key of several columns is not held.
        .filter(|(_, column)| column.unique || table.columns.iter().filter(|c| c.primary).count() == 1)
        .map(|(at, _)| (at, table.rows.iter().map(|row| group_key(&row[at..=at], fold)).collect()))
        .collect();
    let mut added = Vec::with_capacity(rows.len());
    let mut replaced = HashSet::new();
    for row in rows {
        let mut clash = None;
        for (at, keys) in &mut taken {
            let key = group_key(&row[*at..=*at], fold);
            if !row[*at].is_null() && !keys.insert(key.clone()) {
                clash = Some((*at, key));
                break;
            }
        }
        match clash {
            None => added.push(row),
            Some(key) if insert.replace_into => {
                replaced.insert(key);
                added.push(row);
            }
            // INSERT IGNORE, ON CONFLICT DO NOTHING, ON DUPLICATE KEY: the row that is there stays.
            Some(_) if insert.ignore || insert.on.is_some() => {}
            Some((at, _)) => {
                return Err(SqlError::Duplicate {
                    value: row[at].to_string(),
                    table: table.name.clone(),
                    key: table.columns[at].name.clone(),
                });
            }
        }
    }
    let bytes = added.iter().map(|row| row_size(row)).sum();
    catalogue.grow(bytes)?;
    let Some(table) = catalogue.at_mut(place) else { return Err(SqlError::UnknownTable(Vec::new())) };
    let mut gone = 0;
    if !replaced.is_empty() {
        table.rows.retain(|row| {
            let keep = !replaced.iter().any(|(at, key)| group_key(&row[*at..=*at], fold) == *key);
            if !keep {
                gone += row_size(row);
            }
            keep
        });
    }
    let count = added.len() as u64;
    table.rows.extend(added);
    table.next = next;
    catalogue.shrink(gone);
    Ok(Outcome::Changed { rows: count, matched: count, last_id })
}

/// The rows that INSERT makes, the first automatic number it gives, and the next one after it.
fn new_rows(
    context: &Context<'_>,
    table: &Table,
    insert: &Insert,
) -> Result<(Vec<Vec<Value>>, i64, i64), SqlError> {
    let mut places = Vec::new();
    for name in &insert.columns {
        let name = parts(context, name).pop().unwrap_or_default();
        let place = table.columns.iter().position(|column| context.same_column(&column.name, &name));
        places.push(place.ok_or(SqlError::UnknownColumn { name, clause: "field list" })?);
    }
    let mut given: Vec<Vec<Option<Value>>> = Vec::new();
    let scope = Scope::empty(None);
    match (&insert.source, insert.assignments.as_slice()) {
        (Some(source), _) => match source.body.as_ref() {
            SetExpr::Values(values) => {
                for row in &values.rows {
                    let row = row.iter().map(|expr| match expr {
                        Expr::Identifier(word) if word.value.eq_ignore_ascii_case("default") => Ok(None),
                        expr => evaluate(context, &scope, expr).map(Some),
                    });
                    given.push(row.collect::<Result<_, _>>()?);
                    if given.len() > ROWS_LIMIT {
                        return Err(SqlError::TooComplex);
                    }
                }
            }
            _ => {
                let result = query::run(context, None, source)?;
                given.extend(result.rows.into_iter().map(|row| row.into_iter().map(Some).collect()));
            }
        },
        // MySQL's INSERT … SET a = 1.
        (None, assignments) if !assignments.is_empty() => {
            let mut row = Vec::new();
            for assignment in assignments {
                places.push(assigned(context, table, assignment)?);
                row.push(Some(evaluate(context, &scope, &assignment.value)?));
            }
            given.push(row);
        }
        // DEFAULT VALUES.
        _ => given.push(Vec::new()),
    }
    if places.is_empty() {
        places = (0..table.columns.len()).collect();
    }
    let (mut next, mut last_id) = (table.next, 0);
    let mut rows = Vec::with_capacity(given.len());
    for (index, values) in given.into_iter().enumerate() {
        let short = values.len() < places.len() && insert.columns.is_empty() && context.rules.lower_names;
        if values.len() != places.len() && !values.is_empty() && !short {
            return Err(SqlError::ValueCount(index + 1));
        }
        let mut row: Vec<Option<Value>> = vec![None; table.columns.len()];
        for (place, value) in places.iter().zip(values) {
            row[*place] = value;
        }
        let mut whole = Vec::with_capacity(row.len());
        for (column, value) in table.columns.iter().zip(row) {
            let value = match value {
                Some(value) if !(column.automatic && value.is_null()) => fit(context, column, value)?,
                _ if column.automatic => {
                    if last_id == 0 {
                        last_id = next;
                    }
                    Value::Integer(next)
                }
                _ => match &column.default {
                    Some(default) => default.clone(),
                    None if column.nullable => Value::Null,
                    None => return Err(SqlError::NoDefault(column.name.clone())),
                },
            };
            if column.automatic {
                next = next.max(value.integer().unwrap_or(0).saturating_add(1));
            }
            whole.push(value);
        }
        rows.push(whole);
    }
    Ok((rows, last_id, next))
}

fn assigned(context: &Context<'_>, table: &Table, assignment: &Assignment) -> Result<usize, SqlError> {
    let AssignmentTarget::ColumnName(name) = &assignment.target else {
        return Err(SqlError::Unsupported(assignment.to_string()));
    };
    let name = parts(context, name).pop().unwrap_or_default();
    let place = table.columns.iter().position(|column| context.same_column(&column.name, &name));
    place.ok_or(SqlError::UnknownColumn { name, clause: "field list" })
}

/// The one table of UPDATE or DELETE: where it is, and its name in the statement.
fn only(context: &Context<'_>, tables: &[TableWithJoins]) -> Result<(Place, String), SqlError> {
    match tables {
        [TableWithJoins { relation: TableFactor::Table { name, alias, .. }, joins }] if joins.is_empty() => {
            let path = parts(context, name);
            let place = target(context, &path)?;
            let alias = alias.as_ref().map(|alias| context.name(&alias.name));
            Ok((place, alias.or_else(|| path.last().cloned()).unwrap_or_default()))
        }
        _ => Err(SqlError::Unsupported("more than one table".to_owned())),
    }
}

/// The numbers of the rows that a condition finds, at most `limit`.
fn found(
    context: &Context<'_>,
    table: &Table,
    columns: &[Bound],
    condition: Option<&Expr>,
    limit: Option<&Expr>,
) -> Result<Vec<usize>, SqlError> {
    let empty = Scope::empty(None);
    let limit = match limit {
        Some(limit) => evaluate(context, &empty, limit)?.integer().unwrap_or(0),
        None => i64::MAX,
    };
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if let (Some(condition), true) = (condition, table.rows.is_empty()) {
        let scope = Scope { columns, clause: "where clause", ..empty };
        if let Err(error @ SqlError::UnknownColumn { .. }) = evaluate(context, &scope, condition) {
            return Err(error);
        }
    }
    let mut numbers = Vec::new();
    for (index, row) in table.rows.iter().enumerate() {
        if numbers.len() >= limit {
            break;
        }
        let scope = Scope { columns, row, clause: "where clause", ..empty };
        let holds = match condition {
            Some(condition) => evaluate(context, &scope, condition)?.truth() == Some(true),
            None => true,
        };
        if holds {
            numbers.push(index);
        }
    }
    Ok(numbers)
}

/// UPDATE of one table.
pub(super) fn update(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    update: &Update,
) -> Result<Outcome, SqlError> {
    let (place, changes) = with(catalogue, session, product, |context| {
        let (place, alias) = only(context, std::slice::from_ref(&update.table))?;
        let table = catalogue.at(place).ok_or_else(|| SqlError::UnknownTable(Vec::new()))?;
        let columns = bound(table, &alias);
        let mut places = Vec::new();
        for assignment in &update.assignments {
            places.push(assigned(context, table, assignment)?);
        }
        let mut changes = Vec::new();
        for index in found(context, table, &columns, update.selection.as_ref(), update.limit.as_ref())? {
            let row = &table.rows[index];
            let scope = Scope { columns: &columns, row, ..Scope::empty(None) };
            let mut whole = row.clone();
            for (place, assignment) in places.iter().zip(&update.assignments) {
                let value = match &assignment.value {
                    Expr::Identifier(word)
                        if word.value.eq_ignore_ascii_case("default")
                            && position(context, &columns, std::slice::from_ref(&word.value))?.is_none() =>
                    {
                        table.columns[*place].default.clone().unwrap_or(Value::Null)
                    }
                    value => evaluate(context, &scope, value)?,
                };
                whole[*place] = fit(context, &table.columns[*place], value)?;
            }
            context.hold(row_size(&whole))?;
            changes.push((index, whole));
        }
        Ok((place, changes))
    })?;
    let Some(table) = catalogue.at(place) else { return Err(SqlError::UnknownTable(Vec::new())) };
    let matched = changes.len() as u64;
    let before: usize = changes.iter().map(|(index, _)| row_size(&table.rows[*index])).sum();
    let after: usize = changes.iter().map(|(_, row)| row_size(row)).sum();
    catalogue.grow(after.saturating_sub(before))?;
    let mut rows = 0;
    if let Some(table) = catalogue.at_mut(place) {
        for (index, row) in changes {
            if table.rows[index] != row {
                table.rows[index] = row;
                rows += 1;
            }
        }
    }
    catalogue.shrink(before.saturating_sub(after));
    Ok(Outcome::Changed { rows, matched, last_id: 0 })
}

/// DELETE from one table.
pub(super) fn delete(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    delete: &Delete,
) -> Result<Outcome, SqlError> {
    let (place, numbers) = with(catalogue, session, product, |context| {
        let (FromTable::WithFromKeyword(tables) | FromTable::WithoutKeyword(tables)) = &delete.from;
        let (place, alias) = only(context, tables)?;
        let table = catalogue.at(place).ok_or_else(|| SqlError::UnknownTable(Vec::new()))?;
        let columns = bound(table, &alias);
        let numbers = found(context, table, &columns, delete.selection.as_ref(), delete.limit.as_ref())?;
        Ok((place, numbers))
    })?;
    let count = numbers.len() as u64;
    let gone: HashSet<usize> = numbers.into_iter().collect();
    let mut bytes = 0;
    if let Some(table) = catalogue.at_mut(place) {
        let mut index = 0;
        table.rows.retain(|row| {
            let keep = !gone.contains(&index);
            index += 1;
            if !keep {
                bytes += row_size(row);
            }
            keep
        });
    }
    catalogue.shrink(bytes);
    Ok(Outcome::Changed { rows: count, matched: count, last_id: 0 })
}

/// TRUNCATE.
pub(super) fn truncate(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    names: &[ObjectName],
) -> Result<Outcome, SqlError> {
    for name in names {
        let place = with(catalogue, session, product, |context| target(context, &parts(context, name)))?;
        let mut bytes = 0;
        if let Some(table) = catalogue.at_mut(place) {
            bytes = table.size();
            table.rows.clear();
            table.next = 1;
        }
        catalogue.shrink(bytes);
    }
    Ok(Outcome::Done("TRUNCATE TABLE"))
}

/// The schema in which a new table is made, and its name.
fn new_place(context: &Context<'_>, path: &[String]) -> Result<(usize, usize, String), SqlError> {
    let fold = context.rules.fold_names;
    let (database, schema, table) = match path {
        [table] => (context.database(), context.session.path.first().cloned(), table),
        [schema, table] => (context.database(), Some(schema.clone()), table),
        [database, schema, table] => {
            let found = context.catalogue.database(database, fold);
            let found = found.ok_or_else(|| SqlError::UnknownDatabase(database.clone()))?;
            (Some(found), Some(schema.clone()), table)
        }
        _ => return Err(SqlError::UnknownTable(path.to_vec())),
    };
    let (Some(database), Some(schema)) = (database, schema) else { return Err(SqlError::NoDatabase) };
    let found = context.catalogue.schema(database, &schema, fold);
    Ok((database, found.ok_or(SqlError::UnknownSchema(schema))?, table.clone()))
}

/// CREATE TABLE, also AS SELECT and LIKE.
pub(super) fn create_table(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    create: &CreateTable,
) -> Result<Outcome, SqlError> {
    catalogue.room()?;
    let made = with(catalogue, session, product, |context| {
        let (database, schema, name) = new_place(context, &parts(context, &create.name))?;
        if context.catalogue.table(database, schema, &name, context.rules.fold_names).is_some() {
            return if create.if_not_exists { Ok(None) } else { Err(SqlError::TableExists(name)) };
        }
        let mut table = Table::new(name, columns(context, create)?);
        if let Some(query) = &create.query {
            let result = query::run(context, None, query)?;
            if table.columns.is_empty() {
                table.columns = result.columns.iter().map(|h| Column::new(h.name.clone(), h.kind)).collect();
            }
            let width = table.columns.len();
            table.rows = result.rows;
            table.rows.iter_mut().for_each(|row| row.resize(width, Value::Null));
        }
        if table.columns.is_empty() && !context.rules.lower_names {
            return Err(SqlError::Unsupported("a table must have at least one column".to_owned()));
        }
        if table.columns.len() > COLUMN_LIMIT {
            return Err(SqlError::TooComplex);
        }
        Ok(Some((database, schema, table)))
    })?;
    if let Some((database, schema, mut table)) = made {
        catalogue.grow(table.size())?;
        table.number = catalogue.next_number();
        table.made = session.now;
        catalogue.databases[database].schemas[schema].tables.push(table);
    }
    Ok(Outcome::Done("CREATE TABLE"))
}

fn columns(context: &Context<'_>, create: &CreateTable) -> Result<Vec<Column>, SqlError> {
    let mut columns = Vec::with_capacity(create.columns.len());
    for definition in &create.columns {
        let written = definition.data_type.to_string().to_lowercase();
        let mut column = Column::new(context.name(&definition.name), types::kind(&definition.data_type)?);
        column.automatic = written.ends_with("serial");
        column.nullable = !column.automatic;
        for option in &definition.options {
            match &option.option {
                ColumnOption::NotNull => column.nullable = false,
                ColumnOption::Default(expr) => {
                    let value = evaluate(context, &Scope::empty(None), expr)?;
                    column.default = Some(fit(context, &Column::new("", column.kind), value)?);
                }
                ColumnOption::PrimaryKey(_) => {
                    column.primary = true;
                    column.nullable = false;
                }
                ColumnOption::Unique(_) => column.unique = true,
                ColumnOption::Identity(_) | ColumnOption::Generated { .. } => column.automatic = true,
                ColumnOption::DialectSpecific(tokens) => {
                    let words: Vec<String> = tokens.iter().map(ToString::to_string).collect();
                    column.automatic |= words.iter().any(|word| word.eq_ignore_ascii_case("AUTO_INCREMENT"));
                }
                _ => {}
            }
        }
        columns.push(column);
    }
    for constraint in &create.constraints {
        let (names, primary) = match constraint {
            TableConstraint::PrimaryKey(key) => (&key.columns, true),
            TableConstraint::Unique(key) => (&key.columns, false),
            _ => continue,
        };
        for name in names {
            let Expr::Identifier(ident) = &name.column.expr else { continue };
            let name = context.name(ident);
            for column in columns.iter_mut().filter(|column| context.same_column(&column.name, &name)) {
                column.primary |= primary;
                column.nullable &= !primary;
                column.unique |= !primary && names.len() == 1;
            }
        }
    }
    Ok(columns)
}

/// DROP of tables, schemas and databases. What a product calls a database is a schema where `rules` of the
/// product keep one database only; its front says so by `flat`.
pub(super) fn drop(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    kind: ObjectType,
    names: &[ObjectName],
    if_exists: bool,
    flat: bool,
) -> Result<Outcome, SqlError> {
    let done = match kind {
        ObjectType::Table => "DROP TABLE",
        ObjectType::View => "DROP VIEW",
        ObjectType::Schema => "DROP SCHEMA",
        ObjectType::Database => "DROP DATABASE",
        ObjectType::Index => "DROP INDEX",
        other => return Err(SqlError::Unsupported(format!("DROP {other}"))),
    };
    // All of them are looked for before the first goes.
    let mut tables = Vec::new();
    for name in names {
        let path = with(catalogue, session, product, |context| Ok(parts(context, name)))?;
        let last = path.last().cloned().unwrap_or_default();
        let fold = product.rules().fold_names;
        match kind {
            ObjectType::Table | ObjectType::View => {
                match with(catalogue, session, product, |context| target(context, &path)) {
                    Ok(place) => tables.push(place),
                    Err(SqlError::UnknownTable(_)) if if_exists => {}
                    Err(error) => return Err(error),
                }
            }
            ObjectType::Schema | ObjectType::Database if flat || kind == ObjectType::Schema => {
                let database = with(catalogue, session, product, |context| {
                    context.database().ok_or(SqlError::NoDatabase)
                })?;
                match catalogue.schema(database, &last, fold) {
                    Some(schema) => {
                        let schema = catalogue.databases[database].schemas.remove(schema);
                        catalogue.shrink(schema.tables.iter().map(Table::size).sum());
                    }
                    None if if_exists => {}
                    None if flat => return Err(SqlError::UnknownDatabase(last)),
                    None => return Err(SqlError::UnknownSchema(last)),
                }
            }
            ObjectType::Database => match catalogue.database(&last, fold) {
                Some(index) => {
                    let database = catalogue.databases.remove(index);
                    let tables = database.schemas.iter().flat_map(|schema| &schema.tables);
                    catalogue.shrink(tables.map(Table::size).sum());
                }
                None if if_exists => {}
                None => return Err(SqlError::UnknownDatabase(last)),
            },
            _ => {}
        }
    }
    // From the back, so that the places of the others stay.
    tables.sort_by_key(|place| std::cmp::Reverse((place.database, place.schema, place.table)));
    tables.dedup();
    for place in tables {
        let table = catalogue.databases[place.database].schemas[place.schema].tables.remove(place.table);
        catalogue.shrink(table.size());
    }
    Ok(Outcome::Done(done))
}

/// CREATE DATABASE, or CREATE SCHEMA where `flat` makes them the same.
pub(super) fn create_database(
    catalogue: &mut Catalogue,
    product: &dyn Product,
    name: String,
    if_not_exists: bool,
    flat: bool,
    schemas: &[&str],
) -> Result<Outcome, SqlError> {
    let fold = product.rules().fold_names;
    catalogue.room()?;
    let taken =
        if flat { catalogue.schema(0, &name, fold) } else { catalogue.database(&name, fold) }.is_some();
    if taken {
        return if if_not_exists {
            Ok(Outcome::Done("CREATE DATABASE"))
        } else {
            Err(SqlError::DatabaseExists(name))
        };
    }
    if flat {
        if let Some(database) = catalogue.databases.first_mut() {
            database.schemas.push(Schema { name, tables: Vec::new() });
        }
    } else {
        let schemas =
            schemas.iter().map(|name| Schema { name: (*name).to_owned(), tables: Vec::new() }).collect();
        catalogue.databases.push(Database { name, schemas });
    }
    Ok(Outcome::Done("CREATE DATABASE"))
}

/// CREATE SCHEMA in the database that was chosen.
pub(super) fn create_schema(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    name: String,
    if_not_exists: bool,
) -> Result<Outcome, SqlError> {
    catalogue.room()?;
    let fold = product.rules().fold_names;
    let database = catalogue.database(&session.database, fold).ok_or(SqlError::NoDatabase)?;
    if catalogue.schema(database, &name, fold).is_none() {
        catalogue.databases[database].schemas.push(Schema { name, tables: Vec::new() });
    } else if !if_not_exists {
        return Err(SqlError::TableExists(name));
    }
    Ok(Outcome::Done("CREATE SCHEMA"))
}

/// The number of a column of a stored table.
fn place_of(catalogue: &Catalogue, place: Place, name: &str) -> Result<usize, SqlError> {
    let columns = catalogue.at(place).map_or(&[][..], |table| &table.columns);
    let found = columns.iter().position(|column| column.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| SqlError::UnknownColumn { name: name.to_owned(), clause: "field list" })
}

/// ALTER TABLE: columns come, go and change their names; the table changes its own.
pub(super) fn alter_table(
    catalogue: &mut Catalogue,
    session: &Session,
    product: &dyn Product,
    name: &ObjectName,
    operations: &[sqlparser::ast::AlterTableOperation],
) -> Result<Outcome, SqlError> {
    use sqlparser::ast::{AlterTableOperation as A, RenameTableNameKind};
    for operation in operations {
        let place = with(catalogue, session, product, |context| target(context, &parts(context, name)))?;
        let rules = product.rules();
        let named = |ident: &sqlparser::ast::Ident| {
            if rules.lower_names && ident.quote_style.is_none() {
                ident.value.to_lowercase()
            } else {
                ident.value.clone()
            }
        };
        match operation {
            A::AddColumn { column_def, .. } => {
                let column = Column::new(named(&column_def.name), types::kind(&column_def.data_type)?);
                let Some(table) = catalogue.at(place) else { return Err(SqlError::UnknownTable(Vec::new())) };
                let (width, rows) = (table.columns.len(), table.rows.len());
                if width >= COLUMN_LIMIT {
                    return Err(SqlError::TooComplex);
                }
                catalogue.grow(rows * Value::Null.size())?;
                if let Some(table) = catalogue.at_mut(place) {
                    table.columns.push(column);
                    table.rows.iter_mut().for_each(|row| row.push(Value::Null));
                }
            }
            A::DropColumn { column_names, .. } => {
                for name in column_names {
                    let index = place_of(catalogue, place, &named(name))?;
                    if let Some(table) = catalogue.at_mut(place) {
                        table.columns.remove(index);
                        table.rows.iter_mut().for_each(|row| {
                            row.remove(index);
                        });
                    }
                }
            }
            A::RenameColumn { old_column_name, new_column_name } => {
                let index = place_of(catalogue, place, &named(old_column_name))?;
                if let Some(table) = catalogue.at_mut(place) {
                    table.columns[index].name = named(new_column_name);
                }
            }
            A::RenameTable { table_name } => {
                let (RenameTableNameKind::As(new) | RenameTableNameKind::To(new)) = table_name;
                let new = with(catalogue, session, product, |context| Ok(parts(context, new).pop()))?;
                if let (Some(table), Some(new)) = (catalogue.at_mut(place), new) {
                    table.name = new;
                }
            }
            // Keys, owners, defaults: taken, and without a trace in what is shown.
            _ => {}
        }
    }
    Ok(Outcome::Done("ALTER TABLE"))
}

//! FROM: tables, made tables, and how they are joined.

use std::collections::HashMap;

use sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableWithJoins,
};

use super::engine::{Context, Heading, Origin, ResultSet};
use super::error::SqlError;
use super::expression::{Bound, Scope, evaluate, parts};
use super::query::{Relation, group_key, hold, plain_column, relation, run};
use super::value::Value;

/// The parts of a condition that are joined by AND.
pub(super) fn conjuncts<'a>(expr: &'a Expr, into: &mut Vec<&'a Expr>) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(left, into);
            conjuncts(right, into);
        }
        Expr::Nested(inner) => conjuncts(inner, into),
        other => into.push(other),
    }
}

/// The rows of FROM. `conditions` of WHERE may speed up the joining of tables; they are checked again later.
pub(super) fn from(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    tables: &[TableWithJoins],
    conditions: &[&Expr],
) -> Result<Relation, SqlError> {
    let mut whole = Relation { columns: Vec::new(), rows: vec![Vec::new()] };
    for (index, table) in tables.iter().enumerate() {
        let right = joined(context, outer, table, conditions)?;
        whole = if index == 0 {
            right
        } else {
            join(context, outer, whole, right, Conditions::Hints(conditions), Keep::NONE)?
        };
    }
    Ok(whole)
}

fn joined(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    table: &TableWithJoins,
    conditions: &[&Expr],
) -> Result<Relation, SqlError> {
    let mut left = factor(context, outer, &table.relation)?;
    for part in &table.joins {
        use JoinOperator as J;
        if matches!(part.join_operator, J::CrossApply | J::OuterApply) {
            left = apply(context, outer, left, &part.relation, matches!(part.join_operator, J::OuterApply))?;
            continue;
        }
        if is_lateral(&part.relation) {
            let keep = matches!(part.join_operator, J::Left(_) | J::LeftOuter(_));
            left = apply(context, outer, left, &part.relation, keep)?;
            continue;
        }
        let right = factor(context, outer, &part.relation)?;
        let (constraint, keep) = match &part.join_operator {
            J::Join(on) | J::Inner(on) | J::CrossJoin(on) | J::StraightJoin(on) => (on, Keep::NONE),
            J::Left(on) | J::LeftOuter(on) => (on, Keep { left: true, right: false }),
            J::Right(on) | J::RightOuter(on) => (on, Keep { left: false, right: true }),
            J::FullOuter(on) => (on, Keep { left: true, right: true }),
            _ => return Err(SqlError::Unsupported(part.to_string())),
        };
        left = match constraint {
            JoinConstraint::On(on) => {
                let mut parts = Vec::new();
                conjuncts(on, &mut parts);
                join(context, outer, left, right, Conditions::All(&parts), keep)?
            }
            JoinConstraint::None if keep == Keep::NONE => {
                join(context, outer, left, right, Conditions::Hints(conditions), Keep::NONE)?
            }
            JoinConstraint::None => join(context, outer, left, right, Conditions::All(&[]), keep)?,
            JoinConstraint::Using(names) => {
                let names = names.iter().map(|name| parts(context, name).pop().unwrap_or_default());
                using(context, outer, left, right, &names.collect::<Vec<_>>(), keep)?
            }
            JoinConstraint::Natural => {
                let shared = |name: &String| {
                    right.columns.iter().any(|column| context.same_column(&column.name, name))
                };
                let names: Vec<String> = left.columns.iter().map(|c| c.name.clone()).filter(shared).collect();
                using(context, outer, left, right, &names, keep)?
            }
        };
    }
    Ok(left)
}

/// What must hold for two rows to be joined.
#[derive(Clone, Copy)]
enum Conditions<'a> {
    /// All of ON.
    All(&'a [&'a Expr]),
    /// Parts of WHERE, which is checked again when everything is joined: whatever can be used here.
    Hints(&'a [&'a Expr]),
}

/// Which sides keep rows that find no partner.
#[derive(Clone, Copy, PartialEq)]
struct Keep {
    left: bool,
    right: bool,
}

impl Keep {
    const NONE: Keep = Keep { left: false, right: false };
}

fn is_lateral(factor: &TableFactor) -> bool {
    matches!(
        factor,
        TableFactor::Derived { lateral: true, .. }
            | TableFactor::Function { .. }
            | TableFactor::UNNEST { .. }
    ) || matches!(factor, TableFactor::Table { args: Some(_), .. })
}

/// Joins each row with what the right side gives for it.
fn apply(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    left: Relation,
    right: &TableFactor,
    keep: bool,
) -> Result<Relation, SqlError> {
    let mut columns = left.columns.clone();
    let mut rows = Vec::new();
    let mut known = false;
    for row in &left.rows {
        let scope = Scope { columns: &left.columns, row, ..Scope::empty(outer) };
        let part = factor(context, Some(&scope), right)?;
        if !known {
            columns.extend(part.columns.iter().cloned());
            known = true;
        }
        context.step(part.rows.len() as u64 + 1)?;
        if part.rows.is_empty() && keep {
            let mut whole = row.clone();
            whole.resize(columns.len(), Value::Null);
            rows.push(whole);
        }
        for other in part.rows {
            rows.push(row.iter().cloned().chain(other).collect());
        }
    }
    if !known {
        let scope = Scope { columns: &left.columns, ..Scope::empty(outer) };
        columns.extend(factor(context, Some(&scope), right)?.columns);
    }
    hold(context, &rows)?;
    Ok(Relation { columns, rows })
}

fn using(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    left: Relation,
    mut right: Relation,
    names: &[String],
    keep: Keep,
) -> Result<Relation, SqlError> {
    let unknown = |name: &String| SqlError::UnknownColumn { name: name.clone(), clause: "from clause" };
    let mut pairs = Vec::new();
    for name in names {
        let a = left.columns.iter().position(|column| context.same_column(&column.name, name));
        let b = right.columns.iter().position(|column| context.same_column(&column.name, name));
        let (Some(a), Some(b)) = (a, b) else { return Err(unknown(name)) };
        right.columns[b].shadowed = true;
        pairs.push((a, b));
    }
    hashed(context, outer, left, right, &pairs, &[], keep)
}

/// Joins two relations: by the equalities among the conditions, then by the rest of them.
fn join(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    left: Relation,
    right: Relation,
    conditions: Conditions<'_>,
    keep: Keep,
) -> Result<Relation, SqlError> {
    let mut pairs = Vec::new();
    let mut rest = Vec::new();
    let (Conditions::All(all) | Conditions::Hints(all)) = conditions;
    for condition in all {
        if let Expr::BinaryOp { left: a, op: BinaryOperator::Eq, right: b } = condition {
            let places = |expr: &Expr| {
                (plain_column(context, &left.columns, expr), plain_column(context, &right.columns, expr))
            };
            match (places(a), places(b)) {
                ((Some(a), None), (None, Some(b))) | ((None, Some(b)), (Some(a), None)) => {
                    pairs.push((a, b));
                    continue;
                }
                _ => {}
            }
        }
        rest.push(*condition);
    }
    if matches!(conditions, Conditions::Hints(_)) {
        // They may speak of tables that are not joined yet.
        rest.retain(|expr| only_known(context, &left.columns, &right.columns, expr));
    }
    hashed(context, outer, left, right, &pairs, &rest, keep)
}

/// Whether an expression is simple enough to be checked while two tables are joined.
fn only_known(context: &Context<'_>, left: &[Bound], right: &[Bound], expr: &Expr) -> bool {
    let known = |expr: &Expr| only_known(context, left, right, expr);
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            plain_column(context, left, expr).is_some() != plain_column(context, right, expr).is_some()
        }
        Expr::Value(_) => true,
        Expr::Nested(inner) | Expr::IsNull(inner) | Expr::IsNotNull(inner) => known(inner),
        Expr::BinaryOp { left, right, .. } => known(left) && known(right),
        Expr::InList { expr, list, .. } => known(expr) && list.iter().all(known),
        _ => false,
    }
}

fn hashed(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    left: Relation,
    right: Relation,
    pairs: &[(usize, usize)],
    rest: &[&Expr],
    keep: Keep,
) -> Result<Relation, SqlError> {
    let fold = context.rules.fold_texts;
    let columns: Vec<Bound> = left.columns.iter().chain(&right.columns).cloned().collect();
    // Rows with null in a key find nobody.
    let key = |row: &[Value], places: &mut dyn Iterator<Item = usize>| {
        let values: Vec<Value> = places.filter_map(|place| row.get(place).cloned()).collect();
        (!values.iter().any(Value::is_null)).then(|| group_key(&values, fold))
    };
    let mut table: HashMap<String, Vec<usize>> = HashMap::new();
    if !pairs.is_empty() {
        for (index, row) in right.rows.iter().enumerate() {
            if let Some(key) = key(row, &mut pairs.iter().map(|(_, b)| *b)) {
                table.entry(key).or_default().push(index);
            }
        }
    }
    let everyone: Vec<usize> = if pairs.is_empty() { (0..right.rows.len()).collect() } else { Vec::new() };
    let mut met = vec![false; right.rows.len()];
    let mut rows = Vec::new();
    for row in &left.rows {
        let partners: &[usize] = if pairs.is_empty() {
            &everyone
        } else {
            key(row, &mut pairs.iter().map(|(a, _)| *a))
                .and_then(|key| table.get(&key))
                .map_or(&[], Vec::as_slice)
        };
        context.step(partners.len() as u64 + 1)?;
        let mut alone = true;
        for &index in partners {
            let whole: Vec<Value> = row.iter().chain(&right.rows[index]).cloned().collect();
            let scope = Scope { columns: &columns, row: &whole, clause: "on clause", ..Scope::empty(outer) };
            let mut holds = true;
            for condition in rest {
                if evaluate(context, &scope, condition)?.truth() != Some(true) {
                    holds = false;
                    break;
                }
            }
            if holds {
                alone = false;
                met[index] = true;
                context.hold(super::catalogue::row_size(&whole))?;
                rows.push(whole);
            }
        }
        if alone && keep.left {
            let mut whole = row.clone();
            whole.resize(columns.len(), Value::Null);
            rows.push(whole);
        }
    }
    if keep.right {
        for (row, _) in right.rows.iter().zip(&met).filter(|(_, met)| !**met) {
            let mut whole = vec![Value::Null; left.columns.len()];
            whole.extend(row.iter().cloned());
            rows.push(whole);
        }
    }
    Ok(Relation { columns, rows })
}

/// The rows of a stored or made table.
pub(super) fn stored(
    context: &Context<'_>,
    path: &[String],
    alias: Option<&TableAlias>,
) -> Result<Relation, SqlError> {
    if let [name] = path {
        let named = context.named.borrow().iter().rev().find(|(own, _)| own == name).map(|(_, r)| r.clone());
        if let Some(found) = named {
            let mut found = Relation::clone(&found);
            let table = alias.map_or_else(|| name.clone(), |alias| context.name(&alias.name));
            found.columns.iter_mut().for_each(|column| column.table.clone_from(&table));
            return Ok(found);
        }
    }
    let (table, place) = context.table(path)?;
    let alias_name = alias.map(|alias| context.name(&alias.name));
    let shown = alias_name.clone().unwrap_or_else(|| path.last().cloned().unwrap_or_default());
    let schema = match place {
        Some(place) => Some(context.catalogue.databases[place.database].schemas[place.schema].name.clone()),
        None => path.len().checked_sub(2).map(|at| path[at].clone()),
    };
    let mut columns: Vec<Bound> = table
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| Bound {
            table: shown.clone(),
            schema: if alias_name.is_none() { schema.clone() } else { None },
            name: column.name.clone(),
            kind: column.kind,
            origin: Some(Origin {
                schema: schema.clone().unwrap_or_default(),
                table: table.name.clone(),
                alias: shown.clone(),
                column: column.name.clone(),
                number: index as u16 + 1,
                table_number: table.number,
            }),
            shadowed: false,
        })
        .collect();
    if let Some(alias) = alias {
        for (column, named) in columns.iter_mut().zip(&alias.columns) {
            column.name = context.name(&named.name);
        }
    }
    context.step(table.rows.len() as u64)?;
    hold(context, &table.rows)?;
    Ok(Relation { columns, rows: table.rows.clone() })
}

fn factor(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    factor: &TableFactor,
) -> Result<Relation, SqlError> {
    let scope = Scope::empty(outer);
    let call = |name: &str, values: &[Value], alias: Option<&TableAlias>| {
        let table = context.product.table_function(context, name, values).unwrap_or_else(|| {
            Err(SqlError::UnknownFunction { name: name.to_owned(), arguments: values.len() })
        })?;
        let columns = table
            .columns
            .iter()
            .map(|column| Heading { name: column.name.clone(), kind: column.kind, origin: None })
            .collect::<Vec<_>>();
        let mut made = relation(context, ResultSet { columns, rows: table.rows }, alias);
        match alias {
            // One column takes the name of the table: `unnest(…) AS x`.
            Some(alias) if made.columns.len() == 1 && alias.columns.is_empty() => {
                made.columns[0].name = context.name(&alias.name);
            }
            None => made.columns.iter_mut().for_each(|column| column.table = name.to_owned()),
            _ => {}
        }
        hold(context, &made.rows)?;
        Ok::<_, SqlError>(made)
    };
    let values = |arguments: &[sqlparser::ast::FunctionArg]| {
        use sqlparser::ast::{FunctionArg, FunctionArgExpr};
        arguments
            .iter()
            .filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(evaluate(context, &scope, expr)),
                _ => None,
            })
            .collect::<Result<Vec<_>, _>>()
    };
    match factor {
        TableFactor::Table { name, alias, args: Some(args), .. } => {
            let name = parts(context, name).pop().unwrap_or_default();
            call(&name.to_lowercase(), &values(&args.args)?, alias.as_ref())
        }
        TableFactor::Function { name, args, alias, .. } => {
            let name = parts(context, name).pop().unwrap_or_default();
            call(&name.to_lowercase(), &values(args)?, alias.as_ref())
        }
        TableFactor::UNNEST { alias, array_exprs, .. } => {
            let values = array_exprs.iter().map(|expr| evaluate(context, &scope, expr));
            call("unnest", &values.collect::<Result<Vec<_>, _>>()?, alias.as_ref())
        }
        TableFactor::Table { name, alias, .. } => stored(context, &parts(context, name), alias.as_ref()),
        TableFactor::Derived { subquery, alias, .. } => {
            let result = context.deeper(|| run(context, outer, subquery))?;
            Ok(relation(context, result, alias.as_ref()))
        }
        TableFactor::NestedJoin { table_with_joins, .. } => joined(context, outer, table_with_joins, &[]),
        other => Err(SqlError::Unsupported(other.to_string())),
    }
}

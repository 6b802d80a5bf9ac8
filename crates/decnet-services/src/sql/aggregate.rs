//! Functions over the rows of a group, or of a window.

use std::collections::HashSet;

use sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Function, FunctionArgumentClause, FunctionArguments, WindowType,
};

use super::decimal::Decimal;
use super::engine::Context;
use super::error::SqlError;
use super::expression::{Scope, arguments, evaluate};
use super::operators::binary;
use super::query::{compare_keys, group_key, sort_key};
use super::value::Value;

/// Bytes of a text that GROUP_CONCAT makes; MySQL's `group_concat_max_len` is 1024 by default, the others
/// have no limit of their own.
const JOINED_LIMIT: usize = 1024 * 1024;

/// Whether a function works on all rows of a group.
pub(super) fn is_aggregate(name: &str) -> bool {
    matches!(
        name,
        "count"
            | "count_big"
            | "sum"
            | "avg"
            | "min"
            | "max"
            | "group_concat"
            | "string_agg"
            | "array_agg"
            | "bool_and"
            | "bool_or"
            | "every"
            | "json_agg"
            | "stddev"
            | "std"
    )
}

/// Works an aggregate out over the group of a scope.
pub(super) fn aggregate(
    context: &Context<'_>,
    scope: &Scope<'_>,
    function: &Function,
    name: &str,
) -> Result<Value, SqlError> {
    // Outside of a group it belongs to the query around, or is a mistake.
    let rows = match (scope.group, scope.outer) {
        (Some(rows), _) => rows,
        (None, Some(outer)) if outer.group.is_some() => {
            return aggregate(context, outer, function, name);
        }
        _ => return Err(SqlError::Unsupported(format!("invalid use of group function {name}"))),
    };
    over(context, scope, function, name, rows)
}

fn over(
    context: &Context<'_>,
    scope: &Scope<'_>,
    function: &Function,
    name: &str,
    rows: &[Vec<Value>],
) -> Result<Value, SqlError> {
    let expressions = arguments(function);
    let (distinct, clauses) = match &function.args {
        FunctionArguments::List(list) => {
            (list.duplicate_treatment == Some(DuplicateTreatment::Distinct), list.clauses.as_slice())
        }
        _ => (false, [].as_slice()),
    };
    let mut order = &[][..];
    let mut separator = None;
    for clause in clauses {
        match clause {
            FunctionArgumentClause::OrderBy(by) => order = by,
            FunctionArgumentClause::Separator(text) => separator = Some(text.value.clone()),
            _ => {}
        }
    }
    let Some(first) = expressions.first() else {
        return Ok(Value::Integer(rows.len() as i64));
    };
    let mut values = Vec::with_capacity(rows.len());
    let mut seen = HashSet::new();
    for row in rows {
        let inner = Scope { row, group: None, window: None, ..*scope };
        if let Some(filter) = &function.filter
            && evaluate(context, &inner, filter)?.truth() != Some(true)
        {
            continue;
        }
        let value = evaluate(context, &inner, first)?;
        if value.is_null() && name != "array_agg" {
            continue;
        }
        if distinct && !seen.insert(group_key(std::slice::from_ref(&value), context.rules.fold_texts)) {
            continue;
        }
        let keys = order.iter().map(|by| sort_key(context, &inner, by)).collect::<Result<Vec<_>, _>>()?;
        values.push((keys, value));
    }
    if !order.is_empty() {
        values.sort_by(|(a, _), (b, _)| compare_keys(a, b, context.rules.fold_texts));
    }
    let values: Vec<Value> = values.into_iter().map(|(_, value)| value).collect();
    finish(context, scope, name, values, expressions.get(1).copied(), separator)
}

fn finish(
    context: &Context<'_>,
    scope: &Scope<'_>,
    name: &str,
    values: Vec<Value>,
    second: Option<&sqlparser::ast::Expr>,
    separator: Option<sqlparser::ast::Value>,
) -> Result<Value, SqlError> {
    let fold = context.rules.fold_texts;
    let best = |wanted: std::cmp::Ordering| {
        let mut values = values.iter();
        let first = values.next().cloned().unwrap_or(Value::Null);
        values.fold(
            first,
            |best, value| {
                if value.compare(&best, fold) == Some(wanted) { value.clone() } else { best }
            },
        )
    };
    let sum = |values: &[Value]| {
        let mut values = values.iter();
        let first = values.next().cloned().unwrap_or(Value::Null);
        values.try_fold(first, |sum, value| binary(context.rules, &sum, &BinaryOperator::Plus, value))
    };
    Ok(match name {
        "count" | "count_big" => Value::Integer(values.len() as i64),
        "min" => best(std::cmp::Ordering::Less),
        "max" => best(std::cmp::Ordering::Greater),
        "sum" => sum(&values)?,
        "avg" => match sum(&values)? {
            Value::Null => Value::Null,
            Value::Float(total) => Value::Float(total / values.len() as f64),
            total if context.rules.plus_joins && matches!(total, Value::Integer(_)) => {
                Value::Integer(total.integer().unwrap_or(0) / values.len() as i64)
            }
            total => {
                let total = match total {
                    Value::Decimal(total) => total,
                    other => Decimal::from(other.integer().unwrap_or(0)),
                };
                let more = if context.rules.integer_division { 16 } else { 4 };
                let quotient = total.divided(Decimal::from(values.len() as i64), more);
                Value::Decimal(quotient.ok_or(SqlError::OutOfRange)?)
            }
        },
        "bool_and" | "every" => match values.is_empty() {
            true => Value::Null,
            false => Value::Bool(values.iter().all(|value| value.truth() == Some(true))),
        },
        "bool_or" => match values.is_empty() {
            true => Value::Null,
            false => Value::Bool(values.iter().any(|value| value.truth() == Some(true))),
        },
        "array_agg" | "json_agg" if values.is_empty() => Value::Null,
        "array_agg" => Value::Array(values.into()),
        "json_agg" => {
            let texts: Vec<String> = values.iter().map(super::functions::json).collect();
            Value::text(format!("[{}]", texts.join(", ")))
        }
        "group_concat" | "string_agg" if values.is_empty() => Value::Null,
        "group_concat" | "string_agg" => {
            let separator = match (separator, second) {
                (Some(literal), _) => super::expression::value(context, &literal)?.to_string(),
                (None, Some(expr)) if name == "string_agg" => {
                    let inner = Scope { row: &[], columns: &[], group: None, window: None, ..*scope };
                    evaluate(context, &inner, expr)?.to_string()
                }
                _ => ",".to_owned(),
            };
            let mut joined = String::new();
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    joined.push_str(&separator);
                }
                joined.push_str(&value.to_string());
                if joined.len() > JOINED_LIMIT {
                    return Err(SqlError::TooComplex);
                }
            }
            context.hold(joined.len())?;
            Value::text(joined)
        }
        _ => {
            let numbers: Vec<f64> = values.iter().filter_map(Value::float).collect();
            if numbers.is_empty() {
                return Ok(Value::Null);
            }
            let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
            let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
            Value::Float((squares / numbers.len() as f64).sqrt())
        }
    })
}

/// Works a window function out: `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …)` and aggregates over the
/// partition.
pub(super) fn window(
    context: &Context<'_>,
    scope: &Scope<'_>,
    function: &Function,
    name: &str,
) -> Result<Value, SqlError> {
    let (Some((rows, current)), Some(WindowType::WindowSpec(spec))) = (scope.window, &function.over) else {
        return Err(SqlError::Unsupported(format!("window function {name}")));
    };
    let keys = |row: &Vec<Value>| {
        let inner = Scope { row, group: None, window: None, ..*scope };
        let part = spec.partition_by.iter().map(|expr| evaluate(context, &inner, expr));
        let part = part.collect::<Result<Vec<_>, _>>()?;
        let order = spec.order_by.iter().map(|by| sort_key(context, &inner, by));
        Ok::<_, SqlError>((part, order.collect::<Result<Vec<_>, _>>()?))
    };
    let fold = context.rules.fold_texts;
    let Some(own_row) = rows.get(current) else { return Ok(Value::Null) };
    let (own_part, own_order) = keys(own_row)?;
    let own_part = group_key(&own_part, fold);
    let (mut before, mut peers, mut smaller) = (0i64, 0i64, HashSet::new());
    let mut partition = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let (part, order) = keys(row)?;
        if group_key(&part, fold) != own_part {
            continue;
        }
        match compare_keys(&order, &own_order, fold) {
            std::cmp::Ordering::Less => {
                before += 1;
                let values: Vec<Value> = order.into_iter().map(|key| key.value).collect();
                smaller.insert(group_key(&values, fold));
            }
            std::cmp::Ordering::Equal if index < current => peers += 1,
            _ => {}
        }
        partition.push(row.clone());
    }
    match name {
        "row_number" => Ok(Value::Integer(before + peers + 1)),
        "rank" => Ok(Value::Integer(before + 1)),
        "dense_rank" => Ok(Value::Integer(smaller.len() as i64 + 1)),
        _ if is_aggregate(name) => over(context, scope, function, name, &partition),
        _ => Err(SqlError::Unsupported(format!("window function {name}"))),
    }
}

//! Expressions worked out against a row.

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, Subscript, UnaryOperator, Value as Literal,
};

use super::aggregate;
use super::engine::{Context, Origin};
use super::error::SqlError;
use super::functions;
use super::operators::{binary, equal_or_both_null, like};
use super::query;
use super::types;
use super::value::{Kind, Value};

/// A column that an expression may name.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    /// The table, by its name in the statement.
    pub(super) table: String,
    /// The schema, where the table was named without an alias.
    pub(super) schema: Option<String>,
    /// The column.
    pub(super) name: String,
    /// Its type.
    pub(super) kind: Kind,
    /// Where it comes from.
    pub(super) origin: Option<Origin>,
    /// The right side of USING: named only with its table.
    pub(super) shadowed: bool,
}

/// What an expression sees.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// The columns of the row.
    pub(super) columns: &'a [Bound],
    /// The row; empty for the columns of a group without rows.
    pub(super) row: &'a [Value],
    /// The rows of the group, where there are groups.
    pub(super) group: Option<&'a [Vec<Value>]>,
    /// All rows of the query and the number of this one, for window functions.
    pub(super) window: Option<(&'a [Vec<Value>], usize)>,
    /// What the query around this one sees.
    pub(super) outer: Option<&'a Scope<'a>>,
    /// The clause, for messages.
    pub(super) clause: &'static str,
}

impl<'a> Scope<'a> {
    /// A scope without columns.
    pub(super) fn empty(outer: Option<&'a Scope<'a>>) -> Scope<'a> {
        Scope { columns: &[], row: &[], group: None, window: None, outer, clause: "field list" }
    }

    /// Finds a column. None if this scope and those around it have none.
    fn find(&self, context: &Context<'_>, path: &[String]) -> Result<Option<Value>, SqlError> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(index) = position(context, here.columns, path)? {
                return Ok(Some(here.row.get(index).cloned().unwrap_or(Value::Null)));
            }
            scope = here.outer;
        }
        Ok(None)
    }
}

/// The number of a column in a list.
pub(super) fn position(
    context: &Context<'_>,
    columns: &[Bound],
    path: &[String],
) -> Result<Option<usize>, SqlError> {
    let Some((name, table)) = path.split_last() else { return Ok(None) };
    let fold = context.rules.fold_names || !context.rules.lower_names;
    let mut found = None;
    for (index, column) in columns.iter().enumerate() {
        if !context.same_column(&column.name, name) {
            continue;
        }
        let fits = match table {
            [] => !column.shadowed,
            [.., schema, table] => {
                super::catalogue::same(&column.table, table, fold)
                    && column.schema.as_ref().is_none_or(|own| super::catalogue::same(own, schema, fold))
            }
            [table] => super::catalogue::same(&column.table, table, fold),
        };
        if fits {
            if found.is_some() {
                return Err(SqlError::Ambiguous(path.join(".")));
            }
            found = Some(index);
        }
    }
    Ok(found)
}

/// The parts of a name, in the product's case.
pub(super) fn parts(context: &Context<'_>, name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .map(|part| match part {
            ObjectNamePart::Identifier(ident) => context.name(ident),
            ObjectNamePart::Function(function) => function.name.value.clone(),
        })
        .collect()
}

/// Works an expression out.
pub(super) fn evaluate(context: &Context<'_>, scope: &Scope<'_>, expr: &Expr) -> Result<Value, SqlError> {
    context.step(1)?;
    match expr {
        Expr::Identifier(ident) => identifier(context, scope, ident),
        Expr::CompoundIdentifier(idents) => compound(context, scope, idents),
        Expr::Value(literal) => value(context, &literal.value),
        Expr::Nested(inner) => evaluate(context, scope, inner),
        Expr::BinaryOp { left, op, right } => operation(context, scope, left, op, right),
        Expr::UnaryOp { op, expr } => unary(context, &evaluate(context, scope, expr)?, *op),
        Expr::Function(function) => call(context, scope, function),
        Expr::Case { operand, conditions, else_result, .. } => {
            case(context, scope, operand.as_deref(), conditions, else_result.as_deref())
        }
        Expr::Cast { expr, data_type, kind, .. } => cast(context, scope, expr, data_type, kind),
        Expr::Convert { expr, data_type, styles, .. } => match data_type {
            Some(data_type) => {
                let _ = styles;
                cast(context, scope, expr, data_type, &CastKind::Cast)
            }
            None => evaluate(context, scope, expr),
        },
        Expr::Collate { expr, .. } | Expr::Prefixed { value: expr, .. } => evaluate(context, scope, expr),
        Expr::Subquery(subquery) => single(context, scope, subquery),
        Expr::Exists { subquery, negated } => {
            let rows = context.inner(|| query::run(context, Some(scope), subquery))?;
            Ok(Value::Bool(rows.rows.is_empty() == *negated))
        }
        _ => predicate(context, scope, expr),
    }
}

/// The expressions that are true or false, and those that are seldom used.
fn predicate(context: &Context<'_>, scope: &Scope<'_>, expr: &Expr) -> Result<Value, SqlError> {
    let of = |expr: &Expr| evaluate(context, scope, expr);
    let fold = context.rules.fold_texts;
    match expr {
        Expr::IsNull(inner) => Ok(Value::Bool(of(inner)?.is_null())),
        Expr::IsNotNull(inner) => Ok(Value::Bool(!of(inner)?.is_null())),
        Expr::IsTrue(inner) => Ok(Value::Bool(of(inner)?.truth() == Some(true))),
        Expr::IsNotTrue(inner) => Ok(Value::Bool(of(inner)?.truth() != Some(true))),
        Expr::IsFalse(inner) => Ok(Value::Bool(of(inner)?.truth() == Some(false))),
        Expr::IsNotFalse(inner) => Ok(Value::Bool(of(inner)?.truth() != Some(false))),
        Expr::IsUnknown(inner) => Ok(Value::Bool(of(inner)?.truth().is_none())),
        Expr::IsNotUnknown(inner) => Ok(Value::Bool(of(inner)?.truth().is_some())),
        Expr::IsDistinctFrom(a, b) => Ok(Value::Bool(!equal_or_both_null(&of(a)?, &of(b)?, fold))),
        Expr::IsNotDistinctFrom(a, b) => Ok(Value::Bool(equal_or_both_null(&of(a)?, &of(b)?, fold))),
        Expr::InList { expr, list, negated } => {
            let left = of(expr)?;
            let values = list.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            Ok(among(&left, &values, fold, *negated))
        }
        Expr::InSubquery { expr, subquery, negated } => {
            let left = of(expr)?;
            let result = context.deeper(|| query::run(context, Some(scope), subquery))?;
            if result.columns.len() != 1 {
                return Err(SqlError::ColumnCount);
            }
            let values: Vec<Value> = result.rows.into_iter().flatten().collect();
            context.step(values.len() as u64)?;
            Ok(among(&left, &values, fold, *negated))
        }
        Expr::Between { expr, negated, low, high } => {
            let (at, low, high) = (of(expr)?, of(low)?, of(high)?);
            Ok(match (at.compare(&low, fold), at.compare(&high, fold)) {
                (Some(low), Some(high)) => Value::Bool((low.is_ge() && high.is_le()) != *negated),
                _ => Value::Null,
            })
        }
        Expr::Like { negated, expr, pattern, escape_char, .. } => {
            pattern_match(&of(expr)?, &of(pattern)?, escape(context, scope, escape_char)?, fold, *negated)
        }
        Expr::ILike { negated, expr, pattern, escape_char, .. } => {
            pattern_match(&of(expr)?, &of(pattern)?, escape(context, scope, escape_char)?, true, *negated)
        }
        Expr::RLike { negated, expr, pattern, .. } => {
            let operator =
                if *negated { BinaryOperator::PGRegexNotIMatch } else { BinaryOperator::PGRegexIMatch };
            binary(context.rules, &of(expr)?, &operator, &of(pattern)?)
        }
        Expr::AnyOp { left, compare_op, right, .. } => {
            let left = of(left)?;
            let values = elements(context, scope, right)?;
            let mut unknown = false;
            for value in &values {
                match binary(context.rules, &left, compare_op, value)?.truth() {
                    Some(true) => return Ok(Value::Bool(true)),
                    Some(false) => {}
                    None => unknown = true,
                }
            }
            Ok(if unknown { Value::Null } else { Value::Bool(false) })
        }
        Expr::AllOp { left, compare_op, right } => {
            let left = of(left)?;
            for value in &elements(context, scope, right)? {
                if binary(context.rules, &left, compare_op, value)?.truth() != Some(true) {
                    return Ok(Value::Bool(false));
                }
            }
            Ok(Value::Bool(true))
        }
        Expr::Array(array) => {
            let values = array.elem.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            Ok(Value::Array(values.into()))
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            access_chain.iter().try_fold(of(root)?, |value, access| subscript(context, scope, &value, access))
        }
        Expr::TypedString(typed) => {
            types::cast(context, &value(context, &typed.value.value)?, &typed.data_type)
        }
        Expr::AtTimeZone { timestamp, .. } => of(timestamp),
        Expr::Interval(interval) => functions::interval(context, &of(&interval.value)?, interval),
        Expr::Extract { field, expr, .. } => functions::extract(&field.to_string(), &of(expr)?),
        Expr::Ceil { expr, .. } => functions::common(context, "ceil", &[of(expr)?]),
        Expr::Floor { expr, .. } => functions::common(context, "floor", &[of(expr)?]),
        Expr::Position { expr, r#in } => functions::common(context, "locate", &[of(expr)?, of(r#in)?]),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let mut arguments = vec![of(expr)?];
            for part in [substring_from, substring_for].into_iter().flatten() {
                arguments.push(of(part)?);
            }
            functions::common(context, "substring", &arguments)
        }
        Expr::Trim { trim_where, trim_what, expr, .. } => {
            let what = trim_what.as_ref().map(|what| of(what)).transpose()?;
            functions::trim(&of(expr)?, trim_where.as_ref(), what.as_ref())
        }
        Expr::Tuple(values) if values.len() == 1 => of(&values[0]),
        Expr::Named { expr, .. } => of(expr),
        other => Err(SqlError::Unsupported(other.to_string())),
    }
}

fn escape(context: &Context<'_>, scope: &Scope<'_>, written: &Option<Box<Expr>>) -> Result<char, SqlError> {
    match written {
        Some(expr) => Ok(evaluate(context, scope, expr)?.to_string().chars().next().unwrap_or('\0')),
        // SQL Server has none unless one is named.
        None => Ok(if context.rules.plus_joins { '\0' } else { '\\' }),
    }
}

fn pattern_match(
    text: &Value,
    pattern: &Value,
    escape: char,
    fold: bool,
    negated: bool,
) -> Result<Value, SqlError> {
    if text.is_null() || pattern.is_null() {
        return Ok(Value::Null);
    }
    Ok(Value::Bool(like(&text.to_string(), &pattern.to_string(), escape, fold) != negated))
}

fn among(left: &Value, values: &[Value], fold: bool, negated: bool) -> Value {
    if left.is_null() {
        return Value::Null;
    }
    if values.iter().any(|value| left.compare(value, fold).is_some_and(|order| order.is_eq())) {
        return Value::Bool(!negated);
    }
    if values.iter().any(Value::is_null) { Value::Null } else { Value::Bool(negated) }
}

/// The values of an array or a subquery.
fn elements(context: &Context<'_>, scope: &Scope<'_>, expr: &Expr) -> Result<Vec<Value>, SqlError> {
    if let Expr::Subquery(subquery) = expr {
        let result = context.deeper(|| query::run(context, Some(scope), subquery))?;
        return Ok(result.rows.into_iter().filter_map(|row| row.into_iter().next()).collect());
    }
    Ok(match evaluate(context, scope, expr)? {
        Value::Array(values) => values.to_vec(),
        Value::Text(text) => functions::array_of(&text),
        Value::Null => Vec::new(),
        other => vec![other],
    })
}

fn subscript(
    context: &Context<'_>,
    scope: &Scope<'_>,
    value: &Value,
    access: &AccessExpr,
) -> Result<Value, SqlError> {
    match (value, access) {
        (Value::Array(values), AccessExpr::Subscript(Subscript::Index { index })) => {
            let index = evaluate(context, scope, index)?.integer().unwrap_or(0);
            let index = usize::try_from(index.saturating_sub(1)).ok();
            Ok(index.and_then(|index| values.get(index)).cloned().unwrap_or(Value::Null))
        }
        // A field of a row that is no row: PostgreSQL's `(information_schema._pg_expandarray(…)).n`.
        (_, AccessExpr::Dot(field)) => Err(SqlError::Unsupported(field.to_string())),
        (value, _) => Ok(value.clone()),
    }
}

fn identifier(context: &Context<'_>, scope: &Scope<'_>, ident: &Ident) -> Result<Value, SqlError> {
    let name = context.name(ident);
    if let Some(value) = scope.find(context, std::slice::from_ref(&name))? {
        return Ok(value);
    }
    if let Some(constant) = context.product.constant(context, &ident.value) {
        return constant;
    }
    // MySQL's "text" where a column is not meant.
    if ident.quote_style == Some('"') && !context.rules.lower_names && context.rules.fold_texts {
        return Ok(Value::text(&ident.value));
    }
    Err(SqlError::UnknownColumn { name, clause: scope.clause })
}

fn compound(context: &Context<'_>, scope: &Scope<'_>, idents: &[Ident]) -> Result<Value, SqlError> {
    let path: Vec<String> = idents.iter().map(|ident| context.name(ident)).collect();
    if let Some(value) = scope.find(context, &path)? {
        return Ok(value);
    }
    let name = path.join(".");
    match context.product.constant(context, &name) {
        Some(constant) => constant,
        None => Err(SqlError::UnknownColumn { name, clause: scope.clause }),
    }
}

/// The value of a literal.
pub(super) fn value(context: &Context<'_>, literal: &Literal) -> Result<Value, SqlError> {
    Ok(match literal {
        Literal::Number(text, _) => number(text),
        Literal::SingleQuotedString(text)
        | Literal::EscapedStringLiteral(text)
        | Literal::UnicodeStringLiteral(text)
        | Literal::NationalStringLiteral(text)
        | Literal::DoubleQuotedString(text)
        | Literal::TripleSingleQuotedString(text)
        | Literal::SingleQuotedRawStringLiteral(text) => Value::text(text),
        Literal::DollarQuotedString(text) => Value::text(&text.value),
        Literal::SingleQuotedByteStringLiteral(text) => {
            let bits = text.bytes().fold(0i64, |sum, bit| sum.wrapping_shl(1) | i64::from(bit == b'1'));
            Value::Integer(bits)
        }
        Literal::HexStringLiteral(digits) => Value::bytes(functions::unhex(digits).unwrap_or_default()),
        Literal::Boolean(truth) => Value::Bool(*truth),
        Literal::Null => Value::Null,
        Literal::Placeholder(name) => return placeholder(context, name),
        other => return Err(SqlError::Unsupported(other.to_string())),
    })
}

/// A number as written.
fn number(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        return Value::Integer(number);
    }
    match text.parse() {
        Ok(decimal) => Value::Decimal(decimal),
        Err(_) => text.parse().map_or(Value::Null, Value::Float),
    }
}

fn placeholder(context: &Context<'_>, name: &str) -> Result<Value, SqlError> {
    let index = name.trim_start_matches(['$', '?']).parse::<usize>().ok();
    if let Some(value) = index.and_then(|index| context.session.parameters.get(index.wrapping_sub(1))) {
        return Ok(value.clone());
    }
    if let Some(constant) = context.product.constant(context, name) {
        return constant;
    }
    match context.session.variables.get(&name.to_lowercase()) {
        Some(value) => Ok(value.clone()),
        None => Err(SqlError::UnknownColumn { name: name.to_owned(), clause: "field list" }),
    }
}

fn operation(
    context: &Context<'_>,
    scope: &Scope<'_>,
    left: &Expr,
    operator: &BinaryOperator,
    right: &Expr,
) -> Result<Value, SqlError> {
    let first = evaluate(context, scope, left)?;
    match operator {
        BinaryOperator::And => match first.truth() {
            Some(false) => Ok(Value::Bool(false)),
            truth => Ok(match (truth, evaluate(context, scope, right)?.truth()) {
                (_, Some(false)) => Value::Bool(false),
                (Some(true), Some(true)) => Value::Bool(true),
                _ => Value::Null,
            }),
        },
        BinaryOperator::Or => match first.truth() {
            Some(true) => Ok(Value::Bool(true)),
            truth => Ok(match (truth, evaluate(context, scope, right)?.truth()) {
                (_, Some(true)) => Value::Bool(true),
                (Some(false), Some(false)) => Value::Bool(false),
                _ => Value::Null,
            }),
        },
        _ => {
            let second = evaluate(context, scope, right)?;
            let result = binary(context.rules, &first, operator, &second)?;
            context.hold(result.size().saturating_sub(64))?;
            Ok(result)
        }
    }
}

fn unary(context: &Context<'_>, value: &Value, operator: UnaryOperator) -> Result<Value, SqlError> {
    match operator {
        UnaryOperator::Plus => Ok(value.clone()),
        UnaryOperator::Minus => binary(context.rules, &Value::Integer(0), &BinaryOperator::Minus, value),
        UnaryOperator::Not | UnaryOperator::BangNot => {
            Ok(value.truth().map_or(Value::Null, |truth| Value::Bool(!truth)))
        }
        UnaryOperator::BitwiseNot => Ok(value.integer().map_or(Value::Null, |bits| Value::Integer(!bits))),
        other => Err(SqlError::Unsupported(other.to_string())),
    }
}

fn case(
    context: &Context<'_>,
    scope: &Scope<'_>,
    operand: Option<&Expr>,
    conditions: &[sqlparser::ast::CaseWhen],
    otherwise: Option<&Expr>,
) -> Result<Value, SqlError> {
    let operand = operand.map(|operand| evaluate(context, scope, operand)).transpose()?;
    for when in conditions {
        let condition = evaluate(context, scope, &when.condition)?;
        let holds = match &operand {
            Some(operand) => operand.compare(&condition, context.rules.fold_texts).is_some_and(|o| o.is_eq()),
            None => condition.truth() == Some(true),
        };
        if holds {
            return evaluate(context, scope, &when.result);
        }
    }
    otherwise.map_or(Ok(Value::Null), |otherwise| evaluate(context, scope, otherwise))
}

fn cast(
    context: &Context<'_>,
    scope: &Scope<'_>,
    expr: &Expr,
    data_type: &DataType,
    kind: &CastKind,
) -> Result<Value, SqlError> {
    let value = evaluate(context, scope, expr)?;
    match types::cast(context, &value, data_type) {
        Err(SqlError::BadValue { .. }) if *kind == CastKind::TryCast => Ok(Value::Null),
        result => result,
    }
}

/// The one value of a subquery.
fn single(context: &Context<'_>, scope: &Scope<'_>, subquery: &Query) -> Result<Value, SqlError> {
    let mut result = context.inner(|| query::run(context, Some(scope), subquery))?;
    if result.columns.len() != 1 {
        return Err(SqlError::ColumnCount);
    }
    match result.rows.len() {
        0 => Ok(Value::Null),
        1 => Ok(result.rows.pop().and_then(|mut row| row.pop()).unwrap_or(Value::Null)),
        _ => Err(SqlError::ManyRows),
    }
}

/// The arguments of a function as expressions; `*` is left out.
pub(super) fn arguments(function: &Function) -> Vec<&Expr> {
    match &function.args {
        FunctionArguments::List(list) => list
            .args
            .iter()
            .filter_map(|argument| match argument {
                FunctionArg::Named { arg, .. }
                | FunctionArg::ExprNamed { arg, .. }
                | FunctionArg::Unnamed(arg) => match arg {
                    FunctionArgExpr::Expr(expr) => Some(expr),
                    _ => None,
                },
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The name of a function without its schema, in lower case.
pub(super) fn function_name(function: &Function) -> String {
    match function.name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => ident.value.to_lowercase(),
        _ => String::new(),
    }
}

fn call(context: &Context<'_>, scope: &Scope<'_>, function: &Function) -> Result<Value, SqlError> {
    let name = function_name(function);
    // CURRENT_USER and its like are functions to the parser, and stand without brackets.
    if matches!(function.args, FunctionArguments::None)
        && let Some(constant) = context.product.constant(context, &name)
    {
        return constant;
    }
    if function.over.is_some() {
        return context.deeper(|| aggregate::window(context, scope, function, &name));
    }
    if aggregate::is_aggregate(&name) {
        return context.deeper(|| aggregate::aggregate(context, scope, function, &name));
    }
    if let FunctionArguments::Subquery(subquery) = &function.args {
        // PostgreSQL's ARRAY(SELECT …).
        let result = context.deeper(|| query::run(context, Some(scope), subquery))?;
        let values: Vec<Value> = result.rows.into_iter().filter_map(|row| row.into_iter().next()).collect();
        return Ok(Value::Array(values.into()));
    }
    let expressions = arguments(function);
    if let Some(result) = functions::lazy(context, scope, &name, &expressions) {
        return result;
    }
    let mut values = Vec::with_capacity(expressions.len());
    for expression in &expressions {
        values.push(match expression {
            // DATEADD(day, …): the unit is a word, not a column.
            Expr::Identifier(ident) if functions::takes_unit(&name) && values.is_empty() => {
                Value::text(&ident.value)
            }
            expression => evaluate(context, scope, expression)?,
        });
    }
    let result = match context.product.function(context, &name, &values) {
        Some(result) => result?,
        None => match functions::common(context, &name, &values) {
            Err(SqlError::UnknownFunction { arguments, .. }) => {
                return Err(SqlError::UnknownFunction { name: function.name.to_string(), arguments });
            }
            result => result?,
        },
    };
    context.hold(result.size().saturating_sub(64))?;
    Ok(result)
}

//! SELECT.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, LimitClause, OrderByExpr, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableAlias, TopQuantity, Values,
};

use super::aggregate;
use super::engine::{Context, Heading, ResultSet};
use super::error::SqlError;
use super::expression::{Bound, Scope, evaluate, function_name, parts, position};
use super::from::{conjuncts, from, stored};
use super::value::{Kind, Value};

/// Columns and rows under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Relation {
    pub(super) columns: Vec<Bound>,
    pub(super) rows: Vec<Vec<Value>>,
}

/// One key of ORDER BY.
#[derive(Clone, Debug)]
pub(super) struct SortKey {
    pub(super) value: Value,
    descending: bool,
    nulls_first: bool,
}

/// The key of a row for one part of ORDER BY.
pub(super) fn sort_key(
    context: &Context<'_>,
    scope: &Scope<'_>,
    by: &OrderByExpr,
) -> Result<SortKey, SqlError> {
    let value = evaluate(context, scope, &by.expr)?;
    Ok(keyed(context, by, value))
}

fn keyed(context: &Context<'_>, by: &OrderByExpr, value: Value) -> SortKey {
    let descending = is_descending(by);
    let nulls_first = by.options.nulls_first.unwrap_or(context.rules.nulls_last == descending);
    SortKey { value, descending, nulls_first }
}

fn is_descending(by: &OrderByExpr) -> bool {
    by.options.to_string().trim_start().to_ascii_uppercase().starts_with("DESC")
}

/// How two rows stand to each other by their keys.
pub(super) fn compare_keys(a: &[SortKey], b: &[SortKey], fold: bool) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        let order = match (a.value.is_null(), b.value.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if a.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if a.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => {
                let order = a.value.compare(&b.value, fold).unwrap_or(Ordering::Equal);
                if a.descending { order.reverse() } else { order }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// A text that is the same for values that are the same.
pub(super) fn group_key(values: &[Value], fold: bool) -> String {
    let mut key = String::new();
    for value in values {
        match value {
            Value::Null => key.push('\u{1}'),
            Value::Text(text) if fold => {
                key.push('t');
                key.push_str(&text.trim_end_matches(' ').to_lowercase());
            }
            Value::Text(text) => {
                key.push('t');
                key.push_str(text);
            }
            Value::Bytes(bytes) => key.push_str(&super::functions::hex(bytes)),
            // 1 and 1.0 are the same.
            Value::Integer(_) | Value::Decimal(_) | Value::Float(_) | Value::Bool(_) => {
                key.push('n');
                key.push_str(&value.float().unwrap_or(0.0).to_string());
            }
            other => key.push_str(&other.to_string()),
        }
        key.push('\u{0}');
    }
    key
}

/// Carries a query out.
pub(super) fn run(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    query: &Query,
) -> Result<ResultSet, SqlError> {
    let depth = context.named.borrow().len();
    if let Some(with) = &query.with {
        for cte in &with.cte_tables {
            let named = common_table(context, outer, with.recursive, cte);
            match named {
                Ok(relation) => {
                    let name = context.name(&cte.alias.name);
                    context.named.borrow_mut().push((name, Rc::new(relation)));
                }
                Err(error) => {
                    context.named.borrow_mut().truncate(depth);
                    return Err(error);
                }
            }
        }
    }
    let result = body(context, outer, query);
    context.named.borrow_mut().truncate(depth);
    result
}

/// A table of WITH. A recursive one is its first part, and then its second for as long as that gives rows.
fn common_table(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    recursive: bool,
    cte: &sqlparser::ast::Cte,
) -> Result<Relation, SqlError> {
    let name = context.name(&cte.alias.name);
    let relate = |result: ResultSet| relation(context, result, Some(&cte.alias));
    if let (true, SetExpr::SetOperation { left, op: SetOperator::Union, right, set_quantifier }) =
        (recursive, cte.query.body.as_ref())
    {
        let mut all = relate(set(context, outer, left)?);
        let mut last = all.clone();
        let mut seen: HashSet<String> =
            all.rows.iter().map(|row| group_key(row, context.rules.fold_texts)).collect();
        while !last.rows.is_empty() {
            context.named.borrow_mut().push((name.clone(), Rc::new(last)));
            let next = set(context, outer, right);
            context.named.borrow_mut().pop();
            last = relate(next?);
            if !matches!(set_quantifier, SetQuantifier::All) {
                last.rows.retain(|row| seen.insert(group_key(row, context.rules.fold_texts)));
            }
            context.step(last.rows.len() as u64 + 1)?;
            hold(context, &last.rows)?;
            all.rows.extend(last.rows.iter().cloned());
        }
        return Ok(all);
    }
    Ok(relate(context.deeper(|| run(context, outer, &cte.query))?))
}

pub(super) fn hold(context: &Context<'_>, rows: &[Vec<Value>]) -> Result<(), SqlError> {
    context.hold(rows.iter().map(|row| super::catalogue::row_size(row)).sum())
}

/// The result of a query as a table under a name.
pub(super) fn relation(context: &Context<'_>, result: ResultSet, alias: Option<&TableAlias>) -> Relation {
    let table = alias.map(|alias| context.name(&alias.name)).unwrap_or_default();
    let mut columns: Vec<Bound> = result
        .columns
        .into_iter()
        .map(|heading| Bound {
            table: table.clone(),
            schema: None,
            name: heading.name,
            kind: heading.kind,
            origin: heading.origin,
            shadowed: false,
        })
        .collect();
    if let Some(alias) = alias {
        for (column, named) in columns.iter_mut().zip(&alias.columns) {
            column.name = context.name(&named.name);
        }
    }
    Relation { columns, rows: result.rows }
}

fn body(context: &Context<'_>, outer: Option<&Scope<'_>>, query: &Query) -> Result<ResultSet, SqlError> {
    let order: &[OrderByExpr] = match query.order_by.as_ref().map(|order| &order.kind) {
        Some(OrderByKind::Expressions(by)) => by,
        _ => &[],
    };
    let mut result = match query.body.as_ref() {
        SetExpr::Select(select) => self::select(context, outer, select, order)?,
        other => {
            let mut result = set(context, outer, other)?;
            sort_result(context, &mut result, order)?;
            result
        }
    };
    let empty = Scope::empty(outer);
    let count = |expr: &Expr| {
        let number = evaluate(context, &empty, expr)?;
        Ok::<_, SqlError>(number.integer().map(|number| usize::try_from(number).unwrap_or(0)))
    };
    let (limit, offset) = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, offset, .. }) => (
            limit.as_ref().map(&count).transpose()?.flatten(),
            offset.as_ref().map(|offset| count(&offset.value)).transpose()?.flatten(),
        ),
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (count(limit)?, count(offset)?),
        None => (None, None),
    };
    let fetch =
        query.fetch.as_ref().and_then(|fetch| fetch.quantity.as_ref()).map(&count).transpose()?.flatten();
    if let Some(offset) = offset {
        result.rows.drain(..offset.min(result.rows.len()));
    }
    if let Some(limit) = limit.or(fetch) {
        result.rows.truncate(limit);
    }
    Ok(result)
}

/// Sorts by columns of the result: by name or by number.
fn sort_result(context: &Context<'_>, result: &mut ResultSet, order: &[OrderByExpr]) -> Result<(), SqlError> {
    if order.is_empty() {
        return Ok(());
    }
    let columns = result.columns.iter().map(plain).collect::<Vec<_>>();
    let mut rows = Vec::with_capacity(result.rows.len());
    for row in std::mem::take(&mut result.rows) {
        let scope = Scope { columns: &columns, row: &row, clause: "order clause", ..Scope::empty(None) };
        let mut keys = Vec::with_capacity(order.len());
        for by in order {
            let value = match ordinal(&by.expr, row.len())? {
                Some(index) => row[index].clone(),
                None => evaluate(context, &scope, &by.expr)?,
            };
            keys.push(keyed(context, by, value));
        }
        rows.push((keys, row));
    }
    rows.sort_by(|(a, _), (b, _)| compare_keys(a, b, context.rules.fold_texts));
    result.rows = rows.into_iter().map(|(_, row)| row).collect();
    Ok(())
}

fn plain(heading: &Heading) -> Bound {
    Bound {
        table: String::new(),
        schema: None,
        name: heading.name.clone(),
        kind: heading.kind,
        origin: None,
        shadowed: false,
    }
}

/// The number of a column in `ORDER BY 2`, from 0.
fn ordinal(expr: &Expr, columns: usize) -> Result<Option<usize>, SqlError> {
    let Expr::Value(literal) = expr else { return Ok(None) };
    let sqlparser::ast::Value::Number(text, _) = &literal.value else { return Ok(None) };
    let unknown = || SqlError::UnknownColumn { name: text.clone(), clause: "order clause" };
    let number: usize = text.parse().map_err(|_| unknown())?;
    if (1..=columns).contains(&number) { Ok(Some(number - 1)) } else { Err(unknown()) }
}

/// The parts of UNION, EXCEPT and INTERSECT, VALUES, brackets.
fn set(context: &Context<'_>, outer: Option<&Scope<'_>>, expr: &SetExpr) -> Result<ResultSet, SqlError> {
    match expr {
        SetExpr::Select(select) => self::select(context, outer, select, &[]),
        SetExpr::Query(query) => context.deeper(|| run(context, outer, query)),
        SetExpr::Values(values) => self::values(context, outer, values),
        SetExpr::SetOperation { left, op, set_quantifier, right } => {
            let mut first = set(context, outer, left)?;
            let second = set(context, outer, right)?;
            if first.columns.len() != second.columns.len() {
                return Err(SqlError::ColumnCount);
            }
            let fold = context.rules.fold_texts;
            let all = matches!(set_quantifier, SetQuantifier::All);
            match op {
                SetOperator::Union => first.rows.extend(second.rows),
                SetOperator::Except | SetOperator::Minus => {
                    let gone: HashSet<String> = second.rows.iter().map(|row| group_key(row, fold)).collect();
                    first.rows.retain(|row| !gone.contains(&group_key(row, fold)));
                }
                SetOperator::Intersect => {
                    let kept: HashSet<String> = second.rows.iter().map(|row| group_key(row, fold)).collect();
                    first.rows.retain(|row| kept.contains(&group_key(row, fold)));
                }
            }
            if !all {
                distinct(&mut first.rows, fold);
            }
            // Null and text: the column is text.
            for (index, (a, b)) in first.columns.iter_mut().zip(&second.columns).enumerate() {
                if a.kind != b.kind {
                    a.origin = None;
                    a.kind = widest(a.kind, b.kind, first.rows.iter().filter_map(|row| row.get(index)));
                }
            }
            Ok(first)
        }
        SetExpr::Table(table) => {
            let path: Vec<String> =
                [&table.schema_name, &table.table_name].into_iter().flatten().cloned().collect();
            let stored = stored(context, &path, None)?;
            Ok(ResultSet { columns: stored.columns.iter().map(heading_of).collect(), rows: stored.rows })
        }
        other => Err(SqlError::Unsupported(other.to_string())),
    }
}

fn widest<'a>(a: Kind, b: Kind, values: impl Iterator<Item = &'a Value>) -> Kind {
    if a.is_number() && b.is_number() {
        return if matches!(a, Kind::Double | Kind::Float) { a } else { b };
    }
    let mut values = values;
    if values.all(|value| value.is_null() || value.kind() == Some(a)) { a } else { Kind::Text }
}

fn distinct(rows: &mut Vec<Vec<Value>>, fold: bool) {
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert(group_key(row, fold)));
}

fn values(context: &Context<'_>, outer: Option<&Scope<'_>>, values: &Values) -> Result<ResultSet, SqlError> {
    let scope = Scope::empty(outer);
    let mut rows = Vec::with_capacity(values.rows.len());
    for row in &values.rows {
        let row = row.iter().map(|expr| evaluate(context, &scope, expr)).collect::<Result<Vec<_>, _>>()?;
        if rows.first().is_some_and(|first: &Vec<Value>| first.len() != row.len()) {
            return Err(SqlError::ValueCount(rows.len() + 1));
        }
        rows.push(row);
    }
    hold(context, &rows)?;
    let count = rows.first().map_or(0, Vec::len);
    let columns = (0..count)
        .map(|index| Heading {
            name: format!("column{}", index + 1),
            kind: kind_of(rows.iter().filter_map(|row| row.get(index))),
            origin: None,
        })
        .collect();
    Ok(ResultSet { columns, rows })
}

/// The type of a column that has none of its own: that of its values.
fn kind_of<'a>(values: impl Iterator<Item = &'a Value>) -> Kind {
    let mut kind = None;
    for value in values.take(1000) {
        kind = match (kind, value.kind()) {
            (None, found) => found,
            (Some(Kind::Integer), Some(Kind::BigInt)) => Some(Kind::BigInt),
            (Some(Kind::Decimal { precision, scale }), Some(Kind::Decimal { scale: other, .. })) => {
                Some(Kind::Decimal { precision, scale: scale.max(other) })
            }
            (kept, _) => kept,
        };
    }
    kind.unwrap_or(Kind::Text)
}

fn heading_of(column: &Bound) -> Heading {
    Heading { name: column.name.clone(), kind: column.kind, origin: column.origin.clone() }
}

/// One SELECT, sorted.
fn select(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    select: &Select,
    order: &[OrderByExpr],
) -> Result<ResultSet, SqlError> {
    let mut conditions = Vec::new();
    if let Some(selection) = &select.selection {
        conjuncts(selection, &mut conditions);
    }
    let mut source = from(context, outer, &select.from, &conditions)?;
    if let Some(selection) = &select.selection {
        keep(context, outer, &mut source, selection)?;
    }
    let items = expand(context, &source.columns, &select.projection)?;
    let grouped: &[Expr] = match &select.group_by {
        GroupByExpr::Expressions(by, _) => by,
        GroupByExpr::All(_) => &[],
    };
    let aggregated = !grouped.is_empty()
        || select.having.as_ref().is_some_and(has_aggregate)
        || items.iter().any(|item| matches!(item, Item::Expression(expr, _) if has_aggregate(expr)))
        || order.iter().any(|by| has_aggregate(&by.expr));
    let groups = if aggregated { Some(group(context, outer, &source, grouped, &items)?) } else { None };
    let mut produced = Vec::new();
    let count = groups.as_ref().map_or(source.rows.len(), Vec::len);
    for index in 0..count {
        let group = groups.as_ref().map(|groups| groups[index].as_slice());
        let row: &[Value] = match group {
            Some(group) => group.first().map_or(&[], Vec::as_slice),
            None => &source.rows[index],
        };
        let scope = Scope {
            columns: &source.columns,
            row,
            group,
            window: group.is_none().then_some((source.rows.as_slice(), index)),
            outer,
            clause: "field list",
        };
        if let Some(having) = &select.having {
            let scope = Scope { clause: "having clause", ..scope };
            if with_aliases(context, &scope, &items, having)?.truth() != Some(true) {
                continue;
            }
        }
        let mut out = Vec::with_capacity(items.len());
        for item in &items {
            out.push(match item {
                Item::Column(index) => row.get(*index).cloned().unwrap_or(Value::Null),
                Item::Expression(expr, _) => evaluate(context, &scope, expr)?,
            });
        }
        let mut keys = Vec::with_capacity(order.len());
        for by in order {
            let value = match ordinal(&by.expr, out.len())? {
                Some(index) => out[index].clone(),
                None => order_value(context, &scope, &items, &out, &by.expr)?,
            };
            keys.push(keyed(context, by, value));
        }
        produced.push((keys, out));
    }
    if !order.is_empty() {
        produced.sort_by(|(a, _), (b, _)| compare_keys(a, b, context.rules.fold_texts));
    }
    let mut rows: Vec<Vec<Value>> = produced.into_iter().map(|(_, row)| row).collect();
    hold(context, &rows)?;
    if matches!(select.distinct, Some(Distinct::Distinct | Distinct::On(_))) {
        distinct(&mut rows, context.rules.fold_texts);
    }
    if let Some(top) = &select.top {
        let limit = match &top.quantity {
            Some(TopQuantity::Constant(limit)) => Some(i64::try_from(*limit).unwrap_or(i64::MAX)),
            Some(TopQuantity::Expr(expr)) => evaluate(context, &Scope::empty(outer), expr)?.integer(),
            None => None,
        };
        let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(0));
        rows.truncate(if top.percent { (rows.len() * limit.min(100)).div_ceil(100) } else { limit });
    }
    let columns = headings(context, &source.columns, &items, &rows);
    Ok(ResultSet { columns, rows })
}

/// A column of the result.
enum Item<'a> {
    /// The column of the source with that number.
    Column(usize),
    /// An expression and its alias.
    Expression(&'a Expr, Option<String>),
}

/// The columns of SELECT, with `*` written out.
fn expand<'a>(
    context: &Context<'_>,
    columns: &[Bound],
    projection: &'a [SelectItem],
) -> Result<Vec<Item<'a>>, SqlError> {
    let mut items = Vec::new();
    for item in projection {
        match item {
            SelectItem::UnnamedExpr(expr) => items.push(Item::Expression(expr, None)),
            SelectItem::ExprWithAlias { expr, alias } => {
                items.push(Item::Expression(expr, Some(context.name(alias))));
            }
            SelectItem::Wildcard(_) => {
                if columns.is_empty() {
                    return Err(SqlError::Unsupported("SELECT * without FROM".to_owned()));
                }
                items.extend((0..columns.len()).filter(|at| !columns[*at].shadowed).map(Item::Column));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let path = parts(context, name);
                let table = path.last().map(String::as_str).unwrap_or_default();
                let before = items.len();
                let fold = context.rules.fold_names || !context.rules.lower_names;
                for (index, column) in columns.iter().enumerate() {
                    if super::catalogue::same(&column.table, table, fold) {
                        items.push(Item::Column(index));
                    }
                }
                if items.len() == before {
                    return Err(SqlError::UnknownTable(path));
                }
            }
            other => return Err(SqlError::Unsupported(other.to_string())),
        }
        if items.len() > super::catalogue::COLUMN_LIMIT {
            return Err(SqlError::TooComplex);
        }
    }
    Ok(items)
}

fn headings(
    context: &Context<'_>,
    columns: &[Bound],
    items: &[Item<'_>],
    rows: &[Vec<Value>],
) -> Vec<Heading> {
    items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let (expr, alias) = match item {
                Item::Column(at) => return heading_of(&columns[*at]),
                Item::Expression(expr, alias) => (*expr, alias),
            };
            if let Some(at) = plain_column(context, columns, expr) {
                let mut heading = heading_of(&columns[at]);
                match (alias, written(expr)) {
                    (Some(alias), _) => heading.name.clone_from(alias),
                    (None, Some(name)) => heading.name = context.product.column_heading(name, &heading.name),
                    (None, None) => {}
                }
                return heading;
            }
            let kind = match expr {
                Expr::Cast { data_type, .. } => super::types::kind(data_type).ok(),
                _ => None,
            };
            Heading {
                name: alias.clone().unwrap_or_else(|| context.product.heading(expr)),
                kind: kind.unwrap_or_else(|| kind_of(rows.iter().filter_map(|row| row.get(index)))),
                origin: None,
            }
        })
        .collect()
}

/// The name of a column as it was written.
fn written(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Identifier(ident) => Some(&ident.value),
        Expr::CompoundIdentifier(idents) => idents.last().map(|ident| ident.value.as_str()),
        Expr::Nested(inner) => written(inner),
        _ => None,
    }
}

/// The number of the column that an expression is, if it is nothing else.
pub(super) fn plain_column(context: &Context<'_>, columns: &[Bound], expr: &Expr) -> Option<usize> {
    let path: Vec<String> = match expr {
        Expr::Identifier(ident) => vec![context.name(ident)],
        Expr::CompoundIdentifier(idents) => idents.iter().map(|ident| context.name(ident)).collect(),
        Expr::Nested(inner) => return plain_column(context, columns, inner),
        _ => return None,
    };
    position(context, columns, &path).ok().flatten()
}

/// The alias that an expression is, if it is nothing else.
fn alias_of(context: &Context<'_>, items: &[Item<'_>], expr: &Expr) -> Option<usize> {
    let Expr::Identifier(ident) = expr else { return None };
    let name = context.name(ident);
    items.iter().position(
        |item| matches!(item, Item::Expression(_, Some(alias)) if context.same_column(alias, &name)),
    )
}

/// The value of ORDER BY: an alias comes before a column.
fn order_value(
    context: &Context<'_>,
    scope: &Scope<'_>,
    items: &[Item<'_>],
    out: &[Value],
    expr: &Expr,
) -> Result<Value, SqlError> {
    match alias_of(context, items, expr) {
        Some(index) => Ok(out[index].clone()),
        None => evaluate(context, &Scope { clause: "order clause", ..*scope }, expr),
    }
}

/// The value of HAVING and GROUP BY: a column comes before an alias.
fn with_aliases(
    context: &Context<'_>,
    scope: &Scope<'_>,
    items: &[Item<'_>],
    expr: &Expr,
) -> Result<Value, SqlError> {
    match evaluate(context, scope, expr) {
        Err(SqlError::UnknownColumn { name, clause }) => match alias_of(context, items, expr) {
            Some(index) => match &items[index] {
                Item::Expression(expr, _) => evaluate(context, scope, expr),
                Item::Column(at) => Ok(scope.row.get(*at).cloned().unwrap_or(Value::Null)),
            },
            None => Err(SqlError::UnknownColumn { name, clause }),
        },
        result => result,
    }
}

/// The rows of each group, in the order in which the groups were first seen.
fn group(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    source: &Relation,
    by: &[Expr],
    items: &[Item<'_>],
) -> Result<Vec<Vec<Vec<Value>>>, SqlError> {
    if by.is_empty() {
        return Ok(vec![source.rows.clone()]);
    }
    let mut groups: Vec<Vec<Vec<Value>>> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for row in &source.rows {
        let scope = Scope { columns: &source.columns, row, clause: "group statement", ..Scope::empty(outer) };
        let mut keys = Vec::with_capacity(by.len());
        for expr in by {
            keys.push(match ordinal(expr, items.len())? {
                Some(index) => match &items[index] {
                    Item::Column(at) => row.get(*at).cloned().unwrap_or(Value::Null),
                    Item::Expression(expr, _) => evaluate(context, &scope, expr)?,
                },
                None => with_aliases(context, &scope, items, expr)?,
            });
        }
        let index = *known.entry(group_key(&keys, context.rules.fold_texts)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[index].push(row.clone());
    }
    Ok(groups)
}

/// Whether an aggregate stands in an expression, outside of subqueries.
fn has_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => {
            (function.over.is_none() && aggregate::is_aggregate(&function_name(function)))
                || super::expression::arguments(function).into_iter().any(has_aggregate)
        }
        Expr::BinaryOp { left, right, .. } => has_aggregate(left) || has_aggregate(right),
        Expr::UnaryOp { expr, .. }
        | Expr::Nested(expr)
        | Expr::Cast { expr, .. }
        | Expr::Convert { expr, .. }
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::Collate { expr, .. }
        | Expr::Ceil { expr, .. }
        | Expr::Floor { expr, .. } => has_aggregate(expr),
        Expr::InList { expr, list, .. } => has_aggregate(expr) || list.iter().any(has_aggregate),
        Expr::Between { expr, low, high, .. } => {
            [expr, low, high].into_iter().any(|expr| has_aggregate(expr))
        }
        Expr::Like { expr, pattern, .. } => has_aggregate(expr) || has_aggregate(pattern),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            [Some(expr), substring_from.as_ref(), substring_for.as_ref()]
                .into_iter()
                .flatten()
                .any(|expr| has_aggregate(expr))
        }
        Expr::Trim { expr, .. } => has_aggregate(expr),
        Expr::Case { operand, conditions, else_result, .. } => {
            operand.as_deref().is_some_and(has_aggregate)
                || conditions.iter().any(|when| has_aggregate(&when.condition) || has_aggregate(&when.result))
                || else_result.as_deref().is_some_and(has_aggregate)
        }
        _ => false,
    }
}

fn keep(
    context: &Context<'_>,
    outer: Option<&Scope<'_>>,
    source: &mut Relation,
    condition: &Expr,
) -> Result<(), SqlError> {
    let mut kept = Vec::new();
    // Also without rows the names must exist.
    if source.rows.is_empty() {
        let scope = Scope { columns: &source.columns, clause: "where clause", ..Scope::empty(outer) };
        match evaluate(context, &scope, condition) {
            Err(error @ (SqlError::UnknownColumn { .. } | SqlError::Ambiguous(_))) => return Err(error),
            _ => return Ok(()),
        }
    }
    for row in std::mem::take(&mut source.rows) {
        let scope =
            Scope { columns: &source.columns, row: &row, clause: "where clause", ..Scope::empty(outer) };
        if evaluate(context, &scope, condition)?.truth() == Some(true) {
            kept.push(row);
        }
    }
    source.rows = kept;
    Ok(())
}

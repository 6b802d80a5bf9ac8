//! Aggregation expressions.

use time::OffsetDateTime;

use super::order::compare;
use super::update::arithmetic;
use crate::mongodb::codec::bson::hex;
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;

/// An expression.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Literal(Value),
    Path(String),
    Root,
    Remove,
    Object(Vec<(String, Expression)>),
    List(Vec<Expression>),
    Call(&'static str, Vec<Expression>),
    Named(&'static str, Vec<(String, Expression)>),
}

/// Operators whose arguments are a list, or one value in its place.
const CALLS: &[&str] = &[
    "$add",
    "$subtract",
    "$multiply",
    "$divide",
    "$mod",
    "$abs",
    "$ceil",
    "$floor",
    "$round",
    "$concat",
    "$toUpper",
    "$toLower",
    "$size",
    "$cond",
    "$ifNull",
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$and",
    "$or",
    "$not",
    "$in",
    "$arrayElemAt",
    "$toString",
    "$toInt",
    "$toLong",
    "$toDouble",
    "$toDate",
    "$type",
    "$strLenCP",
    "$strLenBytes",
    "$substr",
    "$substrCP",
    "$substrBytes",
    "$split",
    "$concatArrays",
    "$isArray",
    "$mergeObjects",
    "$cmp",
    "$first",
    "$last",
    "$max",
    "$min",
    "$sum",
    "$avg",
    "$year",
    "$month",
    "$dayOfMonth",
    "$hour",
    "$minute",
    "$second",
    "$dayOfWeek",
    "$objectToArray",
    "$reverseArray",
];
/// Operators whose arguments have names.
const NAMED: &[&str] = &["$cond", "$dateToString"];

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// InvalidPipelineOperator for operators that are none.
    pub(crate) fn parse(value: &Value) -> Result<Expression, Fault> {
        Ok(match value {
            Value::Text(text) => match text.strip_prefix('$') {
                None => Expression::Literal(value.clone()),
                Some(variable) => match variable.strip_prefix('$') {
                    Some("ROOT" | "CURRENT") => Expression::Root,
                    Some("REMOVE") => Expression::Remove,
                    Some(rest) => match rest.strip_prefix("ROOT.").or(rest.strip_prefix("CURRENT.")) {
                        Some(path) => Expression::Path(path.to_owned()),
                        None => {
                            let name = rest.split('.').next().unwrap_or("");
                            return Err(Fault::new(17276, format!("Use of undefined variable: {name}")));
                        }
                    },
                    None if variable.is_empty() => {
                        return Err(Fault::new(16872, "'$' by itself is not a valid FieldPath"));
                    }
                    None => Expression::Path(variable.to_owned()),
                },
            },
            Value::Array(values) => {
                Expression::List(values.iter().map(Expression::parse).collect::<Result<_, _>>()?)
            }
            Value::Document(document) => match document.0.as_slice() {
                [(name, argument)] if name == "$literal" => Expression::Literal(argument.clone()),
                [(name, argument)] if name.starts_with('$') => Expression::operator(name, argument)?,
                fields => {
                    let mut object = Vec::new();
                    for (name, value) in fields {
                        if name.starts_with('$') {
                            return Err(Fault::new(
                                15983,
                                "an expression specification must contain exactly one field, the name of the expression",
                            ));
                        }
                        object.push((name.clone(), Expression::parse(value)?));
                    }
                    Expression::Object(object)
                }
            },
            other => Expression::Literal(other.clone()),
        })
    }

    fn operator(name: &str, argument: &Value) -> Result<Expression, Fault> {
        if let (Some(known), Value::Document(fields)) = (NAMED.iter().find(|known| **known == name), argument)
        {
            let fields = fields.0.iter().map(|(name, value)| Ok((name.clone(), Expression::parse(value)?)));
            return Ok(Expression::Named(known, fields.collect::<Result<_, Fault>>()?));
        }
        let Some(known) = CALLS.iter().find(|known| **known == name) else {
            if matches!(name, "$function" | "$accumulator") {
                return Err(Fault::new(
                    31264,
                    format!(
                        "Cannot run server-side javascript without the javascript engine enabled: {name}"
                    ),
                ));
            }
            return Err(Fault::new(168, format!("Unrecognized expression '{name}'")));
        };
        let arguments = match argument {
            Value::Array(values) => values.iter().map(Expression::parse).collect::<Result<Vec<_>, _>>()?,
            other => vec![Expression::parse(other)?],
        };
        let wanted = match *known {
            "$subtract" | "$divide" | "$mod" | "$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte" | "$in"
            | "$cmp" | "$arrayElemAt" | "$split" => Some(2),
            "$cond" => Some(3),
            "$size" | "$toUpper" | "$toLower" | "$not" | "$abs" | "$year" | "$month" => Some(1),
            _ => None,
        };
        if let Some(wanted) = wanted.filter(|wanted| *wanted != arguments.len()) {
            return Err(Fault::new(
                16020,
                format!(
                    "Expression {name} takes exactly {wanted} arguments. {} were passed in.",
                    arguments.len()
                ),
            ));
        }
        Ok(Expression::Call(known, arguments))
    }

    /// Its value for a document; none where there is none.
    ///
    /// # Errors
    /// Arguments of the wrong kind.
    pub(crate) fn value(&self, document: &Document) -> Result<Option<Value>, Fault> {
        Ok(match self {
            Expression::Literal(value) => Some(value.clone()),
            Expression::Root => Some(Value::Document(document.clone())),
            Expression::Remove => None,
            Expression::Path(path) => path_value(document, path),
            Expression::List(list) => {
                let values = list.iter().map(|item| Ok(item.value(document)?.unwrap_or(Value::Null)));
                Some(Value::Array(values.collect::<Result<_, Fault>>()?))
            }
            Expression::Object(fields) => {
                let mut out = Document::new();
                for (name, expression) in fields {
                    if let Some(value) = expression.value(document)? {
                        out.push(name, value);
                    }
                }
                Some(Value::Document(out))
            }
            Expression::Named(name, fields) => named(name, fields, document)?,
            Expression::Call(name, arguments) => {
                let values = arguments.iter().map(|argument| argument.value(document));
                call(name, values.collect::<Result<Vec<_>, _>>()?)?
            }
        })
    }
}

/// What lies at a path of an expression: of arrays on the way an array.
fn path_value(document: &Document, path: &str) -> Option<Value> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let value = document.get(head)?;
    match (value, rest) {
        (value, None) => Some(value.clone()),
        (Value::Document(inner), Some(rest)) => path_value(inner, rest),
        (Value::Array(values), Some(rest)) => {
            let found = values.iter().filter_map(|value| match value {
                Value::Document(inner) => path_value(inner, rest),
                _ => None,
            });
            Some(Value::Array(found.collect()))
        }
        _ => None,
    }
}

fn named(name: &str, fields: &[(String, Expression)], document: &Document) -> Result<Option<Value>, Fault> {
    let field = |wanted: &str| match fields.iter().find(|(name, _)| name == wanted) {
        Some((_, expression)) => expression.value(document),
        None => Ok(None),
    };
    if name == "$cond" {
        let holds = field("if")?.is_some_and(|value| value.truth());
        return field(if holds { "then" } else { "else" });
    }
    let Some(Value::Date(ms)) = field("date")? else { return Ok(Some(Value::Null)) };
    let format = field("format")?.and_then(|format| format.text().map(str::to_owned));
    let format = format.unwrap_or_else(|| "%Y-%m-%dT%H:%M:%S.%LZ".to_owned());
    let at = moment(ms);
    let text = format
        .replace("%Y", &format!("{:04}", at.year()))
        .replace("%m", &format!("{:02}", u8::from(at.month())))
        .replace("%d", &format!("{:02}", at.day()))
        .replace("%H", &format!("{:02}", at.hour()))
        .replace("%M", &format!("{:02}", at.minute()))
        .replace("%S", &format!("{:02}", at.second()))
        .replace("%L", &format!("{:03}", at.millisecond()))
        .replace("%j", &format!("{:03}", at.ordinal()));
    Ok(Some(Value::Text(text)))
}

fn moment(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn none(value: Option<&Value>) -> bool {
    matches!(value, None | Some(Value::Null | Value::Undefined))
}

fn int(number: usize) -> Value {
    i32::try_from(number).map_or(Value::Long(number as i64), Value::Int)
}

fn call(name: &str, mut values: Vec<Option<Value>>) -> Result<Option<Value>, Fault> {
    let first = values.first().and_then(Option::as_ref);
    let second = values.get(1).and_then(Option::as_ref);
    let (a, b) = (first.unwrap_or(&Value::Null), second.unwrap_or(&Value::Null));
    let numbers = |code: i32, verb: &str| -> Result<(), Fault> {
        match values.iter().flatten().find(|value| !value.is_number() && !none(Some(value))) {
            Some(other) => Err(Fault::new(
                code,
                format!("{name} only supports numeric {verb}types, not {}", other.kind_name()),
            )),
            None => Ok(()),
        }
    };
    let any_none = values.iter().any(|value| none(value.as_ref()));
    let text = |value: &Value| match value {
        Value::Null => Ok(String::new()),
        Value::Text(text) => Ok(text.clone()),
        Value::Int(_) | Value::Long(_) | Value::Double(_) => Ok(plain(value)),
        other => {
            Err(Fault::new(16007, format!("can't convert from BSON type {} to String", other.kind_name())))
        }
    };
    Ok(Some(match name {
        "$add" | "$multiply" => {
            if any_none {
                return Ok(Some(Value::Null));
            }
            if name == "$add"
                && let Some(Value::Date(at)) =
                    values.iter().flatten().find(|value| matches!(value, Value::Date(_)))
            {
                let more: i64 =
                    values.iter().flatten().filter_map(Value::integer).fold(0, i64::saturating_add);
                return Ok(Some(Value::Date(at.saturating_add(more))));
            }
            numbers(
                if name == "$add" { 16554 } else { 16555 },
                if name == "$add" { "or date " } else { "" },
            )?;
            let start = Value::Int(i32::from(name == "$multiply"));
            values.iter().flatten().fold(start, |sum, value| arithmetic(&sum, value, name == "$multiply"))
        }
        _ if any_none
            && matches!(
                name,
                "$subtract"
                    | "$divide"
                    | "$mod"
                    | "$abs"
                    | "$ceil"
                    | "$floor"
                    | "$round"
                    | "$concat"
                    | "$split"
                    | "$toString"
                    | "$toInt"
                    | "$toLong"
                    | "$toDouble"
                    | "$toDate"
                    | "$year"
                    | "$month"
                    | "$dayOfMonth"
                    | "$hour"
                    | "$minute"
                    | "$second"
                    | "$dayOfWeek"
                    | "$concatArrays"
                    | "$reverseArray"
                    | "$objectToArray"
                    | "$arrayElemAt"
            ) =>
        {
            Value::Null
        }
        "$subtract" => match (a, b) {
            (Value::Date(a), Value::Date(b)) => Value::Long(a.saturating_sub(*b)),
            (Value::Date(a), b) => Value::Date(a.saturating_sub(b.integer().unwrap_or(0))),
            _ => {
                numbers(16556, "")?;
                arithmetic(a, &arithmetic(b, &Value::Int(-1), true), false)
            }
        },
        "$divide" => {
            numbers(16609, "")?;
            match (a.float(), b.float()) {
                (Some(_), Some(0.0)) => return Err(Fault::bad("can't $divide by zero")),
                (a, b) => Value::Double(a.unwrap_or(0.0) / b.unwrap_or(1.0)),
            }
        }
        "$mod" => {
            numbers(16611, "")?;
            match (a, b) {
                (Value::Double(_), _) | (_, Value::Double(_)) => {
                    Value::Double(a.float().unwrap_or(0.0) % b.float().unwrap_or(1.0))
                }
                _ => match a.integer().unwrap_or(0).checked_rem(b.integer().unwrap_or(0)) {
                    Some(rest) => Value::Long(rest),
                    None => return Err(Fault::new(16610, "can't $mod by zero")),
                },
            }
        }
        "$abs" | "$ceil" | "$floor" | "$round" => {
            numbers(28765, "")?;
            match a {
                Value::Double(number) => Value::Double(match name {
                    "$abs" => number.abs(),
                    "$ceil" => number.ceil(),
                    "$floor" => number.floor(),
                    _ => {
                        let scale = 10f64.powi(b.integer().unwrap_or(0).clamp(-20, 100) as i32);
                        (number * scale).round_ties_even() / scale
                    }
                }),
                Value::Int(number) if name == "$abs" => Value::Int(number.saturating_abs()),
                Value::Long(number) if name == "$abs" => Value::Long(number.saturating_abs()),
                other => other.clone(),
            }
        }
        "$concat" => {
            let mut out = String::new();
            for value in values.iter().flatten() {
                match value {
                    Value::Text(text) => out.push_str(text),
                    other => {
                        return Err(Fault::new(
                            16702,
                            format!("$concat only supports strings, not {}", other.kind_name()),
                        ));
                    }
                }
            }
            Value::Text(out)
        }
        "$toUpper" => Value::Text(text(a)?.to_uppercase()),
        "$toLower" => Value::Text(text(a)?.to_lowercase()),
        "$strLenCP" => int(text(a)?.chars().count()),
        "$strLenBytes" => int(text(a)?.len()),
        "$substr" | "$substrBytes" | "$substrCP" => {
            let text = text(a)?;
            let start = usize::try_from(b.integer().unwrap_or(0)).unwrap_or(0);
            let count = values.get(2).and_then(Option::as_ref).and_then(Value::integer).unwrap_or(-1);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            Value::Text(text.chars().skip(start).take(count).collect())
        }
        "$split" => match (a, b) {
            (Value::Text(text), Value::Text(by)) if !by.is_empty() => {
                Value::Array(text.split(by.as_str()).map(Value::from).collect())
            }
            (Value::Text(_), Value::Text(_)) => {
                return Err(Fault::new(40087, "$split requires a non-empty separator"));
            }
            _ => {
                return Err(Fault::new(
                    40085,
                    format!(
                        "$split requires an expression that evaluates to a string as a first argument, found: {}",
                        a.kind_name()
                    ),
                ));
            }
        },
        "$size" => match a {
            Value::Array(values) => int(values.len()),
            other => {
                let kind = if first.is_none() { "missing" } else { other.kind_name() };
                return Err(Fault::new(
                    17124,
                    format!("The argument to $size must be an array, but was of type: {kind}"),
                ));
            }
        },
        "$isArray" => Value::Bool(matches!(a, Value::Array(_))),
        "$arrayElemAt" | "$first" | "$last" => {
            let Value::Array(list) = a else {
                if none(first) {
                    return Ok(Some(Value::Null));
                }
                return Err(Fault::new(
                    28689,
                    format!("{name}'s first argument must be an array, but is {}", a.kind_name()),
                ));
            };
            let index = match name {
                "$first" => 0,
                "$last" => -1,
                _ => b.integer().unwrap_or(0),
            };
            let index = if index < 0 { index.saturating_add(list.len() as i64) } else { index };
            return Ok(usize::try_from(index).ok().and_then(|index| list.get(index)).cloned());
        }
        "$concatArrays" => {
            let mut all = Vec::new();
            for value in values.iter().flatten() {
                match value {
                    Value::Array(values) => all.extend(values.iter().cloned()),
                    other => {
                        return Err(Fault::new(
                            28664,
                            format!("$concatArrays only supports arrays, not {}", other.kind_name()),
                        ));
                    }
                }
            }
            Value::Array(all)
        }
        "$reverseArray" => match a {
            Value::Array(values) => Value::Array(values.iter().rev().cloned().collect()),
            other => {
                return Err(Fault::new(
                    34435,
                    format!(
                        "The argument to $reverseArray must be an array, but was of type: {}",
                        other.kind_name()
                    ),
                ));
            }
        },
        "$objectToArray" => match a {
            Value::Document(document) => Value::Array(
                document
                    .0
                    .iter()
                    .map(|(name, value)| {
                        Document::new().with("k", name.as_str()).with("v", value.clone()).into()
                    })
                    .collect(),
            ),
            other => {
                return Err(Fault::new(
                    40390,
                    format!("$objectToArray requires a document input, found: {}", other.kind_name()),
                ));
            }
        },
        "$mergeObjects" => {
            let mut out = Document::new();
            for value in values.iter().flatten() {
                if let Value::Document(document) = value {
                    for (name, value) in &document.0 {
                        out.set(name, value.clone());
                    }
                }
            }
            Value::Document(out)
        }
        "$cond" => {
            let holds = a.truth();
            let index = if holds { 1 } else { 2 };
            return Ok(if index < values.len() { values.swap_remove(index) } else { None });
        }
        "$ifNull" => {
            let chosen = values
                .iter()
                .position(|value| !none(value.as_ref()))
                .unwrap_or(values.len().saturating_sub(1));
            return Ok(if chosen < values.len() { values.swap_remove(chosen) } else { None });
        }
        "$eq" => Value::Bool(compare(a, b).is_eq()),
        "$ne" => Value::Bool(compare(a, b).is_ne()),
        "$gt" => Value::Bool(compare(a, b).is_gt()),
        "$gte" => Value::Bool(compare(a, b).is_ge()),
        "$lt" => Value::Bool(compare(a, b).is_lt()),
        "$lte" => Value::Bool(compare(a, b).is_le()),
        "$cmp" => Value::Int(compare(a, b) as i32),
        "$and" => Value::Bool(values.iter().all(|value| value.as_ref().is_some_and(Value::truth))),
        "$or" => Value::Bool(values.iter().any(|value| value.as_ref().is_some_and(Value::truth))),
        "$not" => Value::Bool(!a.truth()),
        "$in" => match b {
            Value::Array(values) => Value::Bool(values.iter().any(|value| compare(a, value).is_eq())),
            other => {
                return Err(Fault::new(
                    40081,
                    format!("$in requires an array as a second argument, found: {}", other.kind_name()),
                ));
            }
        },
        "$type" => Value::from(if first.is_none() { "missing" } else { a.kind_name() }),
        "$toString" => Value::Text(plain(a)),
        "$toInt" | "$toLong" | "$toDouble" => {
            let number = match a {
                Value::Text(text) => text.trim().parse::<f64>().map_err(|_| {
                    Fault::new(241, format!("Failed to parse number '{text}' in $convert with no onError value: Did not consume whole string."))
                })?,
                Value::Bool(truth) => f64::from(u8::from(*truth)),
                Value::Date(ms) => *ms as f64,
                other => other.float().unwrap_or(0.0),
            };
            match name {
                "$toInt" => Value::Int(number as i32),
                "$toLong" => Value::Long(a.integer().unwrap_or(number as i64)),
                _ => Value::Double(number),
            }
        }
        "$toDate" => match a {
            Value::Date(_) => a.clone(),
            Value::ObjectId(id) => {
                Value::Date(i64::from(u32::from_be_bytes([id[0], id[1], id[2], id[3]])) * 1000)
            }
            other => Value::Date(other.integer().unwrap_or(0)),
        },
        "$max" | "$min" | "$sum" | "$avg" => {
            let flat: Vec<Value> = values
                .into_iter()
                .flatten()
                .flat_map(|value| match value {
                    Value::Array(values) => values,
                    other => vec![other],
                })
                .collect();
            return Ok(Some(gathered(name, &flat)));
        }
        "$year" | "$month" | "$dayOfMonth" | "$hour" | "$minute" | "$second" | "$dayOfWeek" => {
            let ms = match a {
                Value::Date(ms) => *ms,
                Value::ObjectId(id) => i64::from(u32::from_be_bytes([id[0], id[1], id[2], id[3]])) * 1000,
                other => {
                    return Err(Fault::new(
                        16006,
                        format!("can't convert from BSON type {} to Date", other.kind_name()),
                    ));
                }
            };
            let at = moment(ms);
            Value::Int(match name {
                "$year" => at.year(),
                "$month" => i32::from(u8::from(at.month())),
                "$dayOfMonth" => i32::from(at.day()),
                "$hour" => i32::from(at.hour()),
                "$minute" => i32::from(at.minute()),
                "$second" => i32::from(at.second()),
                _ => i32::from(at.weekday().number_from_sunday()),
            })
        }
        _ => Value::Null,
    }))
}

/// `$sum`, `$avg`, `$min`, `$max` of values.
pub(crate) fn gathered(name: &str, values: &[Value]) -> Value {
    let numbers = || values.iter().filter(|value| value.is_number());
    let there = || values.iter().filter(|value| !none(Some(value)));
    match name {
        "$sum" => numbers().fold(Value::Int(0), |sum, value| arithmetic(&sum, value, false)),
        "$avg" => match numbers().count() {
            0 => Value::Null,
            count => Value::Double(numbers().filter_map(Value::float).sum::<f64>() / count as f64),
        },
        "$min" => there().min_by(|a, b| compare(a, b)).cloned().unwrap_or(Value::Null),
        _ => there().max_by(|a, b| compare(a, b)).cloned().unwrap_or(Value::Null),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Long(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::ObjectId(id) => hex(id),
        Value::Date(ms) => {
            let micros = ms.saturating_mul(1000);
            let text = decnet_logging::event::timestamp::format(micros);
            format!("{}Z", text.trim_end_matches('Z').get(..23).unwrap_or(""))
        }
        other => super::update::text_of(other),
    }
}

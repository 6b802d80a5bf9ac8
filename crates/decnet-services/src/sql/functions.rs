//! The functions that the products have in common.

use sqlparser::ast::{DateTimeField, Expr, Interval, TrimWhereField};

use super::decimal::Decimal;
use super::engine::Context;
use super::error::SqlError;
use super::expression::{Scope, evaluate};
use super::moment;
use super::value::{Kind, Value};

/// Bytes of a text that a function makes.
const TEXT_LIMIT: usize = 1024 * 1024;

/// Functions that do not work all their arguments out. None for others.
pub(super) fn lazy(
    context: &Context<'_>,
    scope: &Scope<'_>,
    name: &str,
    arguments: &[&Expr],
) -> Option<Result<Value, SqlError>> {
    let of = |expr: &Expr| evaluate(context, scope, expr);
    Some(match (name, arguments) {
        ("coalesce" | "ifnull" | "isnull", [_, _, ..]) => {
            for argument in arguments {
                match of(argument) {
                    Ok(Value::Null) => {}
                    result => return Some(result),
                }
            }
            Ok(Value::Null)
        }
        ("if" | "iif", [condition, yes, no]) => match of(condition) {
            Ok(value) if value.truth() == Some(true) => of(yes),
            Ok(_) => of(no),
            error => error,
        },
        ("nullif", [a, b]) => match (of(a), of(b)) {
            (Ok(a), Ok(b)) if a.compare(&b, context.rules.fold_texts).is_some_and(|o| o.is_eq()) => {
                Ok(Value::Null)
            }
            (Ok(a), Ok(_)) => Ok(a),
            (Err(error), _) | (_, Err(error)) => Err(error),
        },
        _ => return None,
    })
}

/// Whether the first argument of a function is the word for a unit of time.
pub(super) fn takes_unit(name: &str) -> bool {
    matches!(name, "dateadd" | "datediff" | "datepart" | "datename" | "timestampdiff" | "timestampadd")
}

/// A function that all products have.
///
/// # Errors
/// [`SqlError::UnknownFunction`], and what the function finds wrong.
pub(super) fn common(context: &Context<'_>, name: &str, arguments: &[Value]) -> Result<Value, SqlError> {
    let unknown = || SqlError::UnknownFunction { name: name.to_owned(), arguments: arguments.len() };
    if let Some(result) = constant(context, name, arguments) {
        return Ok(result);
    }
    let Some(first) = arguments.first() else { return Err(unknown()) };
    if let Some(result) = variadic(name, arguments) {
        return result;
    }
    // Everything below gives null for null.
    if arguments.iter().any(Value::is_null) && is_known(name) {
        return Ok(Value::Null);
    }
    if let Some(result) = texts(name, first, arguments) {
        return result;
    }
    if let Some(result) = numbers(context, name, first, arguments) {
        return result;
    }
    times(context, name, first, arguments).unwrap_or_else(|| Err(unknown()))
}

/// Whether [`common`] has a function that is null for null.
fn is_known(name: &str) -> bool {
    let one = [Value::text("1"), Value::Integer(1), Value::Integer(1)];
    texts(name, &one[0], &one).is_some() || NUMERIC.contains(&name) || TEMPORAL.contains(&name)
}

/// Functions of the session and the clock.
fn constant(context: &Context<'_>, name: &str, arguments: &[Value]) -> Option<Value> {
    let session = context.session;
    let today = || Value::Date(i32::try_from(session.now.div_euclid(moment::DAY)).unwrap_or(0));
    let second = || Value::Timestamp(session.now.div_euclid(1_000_000) * 1_000_000);
    if arguments.len() > 1 {
        return None;
    }
    Some(match name {
        "now" | "current_timestamp" | "localtimestamp" | "sysdate" | "localtime"
            if !context.rules.plus_joins =>
        {
            if context.rules.lower_names {
                Value::Timestamp(session.now)
            } else {
                second()
            }
        }
        "getdate" | "sysdatetime" | "getutcdate" | "current_timestamp" if context.rules.plus_joins => {
            Value::Timestamp(session.now / 1000 * 1000)
        }
        "utc_timestamp" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp" => second(),
        "curdate" | "current_date" | "utc_date" => today(),
        "curtime" | "current_time" => {
            Value::text(moment::timestamp(session.now).get(11..19).unwrap_or("00:00:00"))
        }
        "unix_timestamp" if arguments.is_empty() => Value::Integer(session.now.div_euclid(1_000_000)),
        "pi" => Value::Float(std::f64::consts::PI),
        _ => return None,
    })
}

/// Functions of any number of arguments, some of which may be null.
fn variadic(name: &str, arguments: &[Value]) -> Option<Result<Value, SqlError>> {
    Some(match name {
        "concat" => {
            let mut joined = String::new();
            for argument in arguments.iter().filter(|argument| !argument.is_null()) {
                joined.push_str(&argument.to_string());
            }
            bounded(joined)
        }
        "concat_ws" => {
            let texts: Vec<String> =
                arguments[1..].iter().filter(|v| !v.is_null()).map(Value::to_string).collect();
            bounded(texts.join(&arguments[0].to_string()))
        }
        "greatest" | "least" => {
            let wanted =
                if name == "greatest" { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
            let mut best = Value::Null;
            for argument in arguments {
                if best.is_null() || argument.compare(&best, false) == Some(wanted) {
                    best = argument.clone();
                }
            }
            Ok(best)
        }
        "field" => {
            let found = arguments[1..]
                .iter()
                .position(|value| value.compare(&arguments[0], true).is_some_and(|order| order.is_eq()));
            Ok(Value::Integer(found.map_or(0, |index| index as i64 + 1)))
        }
        "elt" | "choose" => {
            let index = arguments[0].integer().and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
            Ok(if index == 0 { Value::Null } else { arguments.get(index).cloned().unwrap_or(Value::Null) })
        }
        "char" | "chr" if arguments.len() == 1 || name == "char" => {
            let mut text = String::new();
            for number in arguments.iter().filter_map(Value::integer) {
                text.extend(u32::try_from(number).ok().and_then(char::from_u32));
            }
            Ok(Value::text(text))
        }
        _ => return None,
    })
}

fn bounded(text: String) -> Result<Value, SqlError> {
    if text.len() > TEXT_LIMIT { Err(SqlError::TooComplex) } else { Ok(Value::text(text)) }
}

/// The bytes of a value as a text function takes them.
fn raw(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.to_vec(),
        other => other.to_string().into_bytes(),
    }
}

/// Functions of texts.
fn texts(name: &str, first: &Value, arguments: &[Value]) -> Option<Result<Value, SqlError>> {
    let text = || first.to_string();
    let number = |index: usize| arguments.get(index).and_then(Value::integer);
    let other = |index: usize| arguments.get(index).map(Value::to_string).unwrap_or_default();
    Some(match name {
        "lower" | "lcase" => Ok(Value::text(text().to_lowercase())),
        "upper" | "ucase" => Ok(Value::text(text().to_uppercase())),
        "length" | "octet_length" | "datalength" => Ok(Value::Integer(raw(first).len() as i64)),
        "char_length" | "character_length" => Ok(Value::Integer(text().chars().count() as i64)),
        // SQL Server's does not count trailing spaces.
        "len" => Ok(Value::Integer(text().trim_end_matches(' ').chars().count() as i64)),
        "reverse" => Ok(Value::text(text().chars().rev().collect::<String>())),
        "hex" => Ok(Value::text(match first {
            Value::Integer(number) => format!("{number:X}"),
            other => hex(&raw(other)).to_uppercase(),
        })),
        "unhex" => Ok(unhex(&text()).map_or(Value::Null, Value::bytes)),
        "ascii" | "ord" | "unicode" => {
            Ok(Value::Integer(text().chars().next().map_or(0, |c| i64::from(u32::from(c)))))
        }
        "left" => Ok(Value::text(text().chars().take(count(number(1))).collect::<String>())),
        "right" => {
            let letters: Vec<char> = text().chars().collect();
            let from = letters.len().saturating_sub(count(number(1)));
            Ok(Value::text(letters[from..].iter().collect::<String>()))
        }
        "substring" | "substr" | "mid" => {
            Ok(Value::text(substring(&text(), number(1).unwrap_or(1), number(2))))
        }
        "ltrim" => Ok(Value::text(text().trim_start_matches(' '))),
        "rtrim" => Ok(Value::text(text().trim_end_matches(' '))),
        "trim" | "btrim" => Ok(Value::text(text().trim_matches(' '))),
        "replace" if arguments.len() == 3 => {
            let (text, from, to) = (text(), other(1), other(2));
            let hits = if from.is_empty() { 0 } else { text.matches(&from).count() };
            if text.len().saturating_add(hits.saturating_mul(to.len())) > TEXT_LIMIT {
                return Some(Err(SqlError::TooComplex));
            }
            Ok(Value::text(if from.is_empty() { text } else { text.replace(&from, &to) }))
        }
        "repeat" | "replicate" => {
            let (text, times) = (text(), count(number(1)));
            if text.len().saturating_mul(times) > TEXT_LIMIT {
                return Some(Err(SqlError::TooComplex));
            }
            Ok(Value::text(text.repeat(times)))
        }
        "space" => {
            let times = count(first.integer());
            if times > TEXT_LIMIT { Err(SqlError::TooComplex) } else { Ok(Value::text(" ".repeat(times))) }
        }
        "locate" | "charindex" => {
            let (needle, hay) = (text().to_lowercase(), other(1).to_lowercase());
            let at = hay.find(&needle).map_or(0, |at| hay[..at].chars().count() as i64 + 1);
            Ok(Value::Integer(at))
        }
        "instr" | "strpos" => {
            let (hay, needle) = (text().to_lowercase(), other(1).to_lowercase());
            let at = hay.find(&needle).map_or(0, |at| hay[..at].chars().count() as i64 + 1);
            Ok(Value::Integer(at))
        }
        "lpad" | "rpad" => {
            let (text, width) = (text(), count(number(1)));
            let fill = if arguments.len() > 2 { other(2) } else { " ".to_owned() };
            if width > TEXT_LIMIT {
                return Some(Err(SqlError::TooComplex));
            }
            let missing = width.saturating_sub(text.chars().count());
            let padding: String =
                fill.chars().cycle().take(if fill.is_empty() { 0 } else { missing }).collect();
            let whole: String = text.chars().take(width).collect();
            Ok(Value::text(if name == "lpad" { padding + &whole } else { whole + &padding }))
        }
        "starts_with" => Ok(Value::Bool(text().starts_with(&other(1)))),
        "split_part" => {
            let index = count(number(2));
            let text = text();
            let part = index.checked_sub(1).and_then(|index| text.split(&other(1)).nth(index));
            Ok(Value::text(part.unwrap_or("")))
        }
        "quote_ident" => {
            let text = text();
            let plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            Ok(Value::text(if plain { text } else { format!("\"{}\"", text.replace('"', "\"\"")) }))
        }
        "quote_literal" | "quote" => Ok(Value::text(format!("'{}'", text().replace('\'', "''")))),
        "quotename" => Ok(Value::text(format!("[{}]", text().replace(']', "]]")))),
        "initcap" => {
            let mut begin = true;
            let letters = text()
                .chars()
                .flat_map(|letter| {
                    let upper = begin;
                    begin = !letter.is_alphanumeric();
                    if upper {
                        letter.to_uppercase().collect::<Vec<_>>()
                    } else {
                        letter.to_lowercase().collect()
                    }
                })
                .collect::<String>();
            Ok(Value::text(letters))
        }
        "array_to_string" => match first {
            Value::Array(values) => {
                let texts: Vec<String> =
                    values.iter().filter(|v| !v.is_null()).map(Value::to_string).collect();
                bounded(texts.join(&other(1)))
            }
            _ => Ok(Value::Null),
        },
        "cardinality" | "array_length" | "array_upper" => match first {
            Value::Array(values) if values.is_empty() => Ok(Value::Null),
            Value::Array(values) => Ok(Value::Integer(values.len() as i64)),
            _ => Ok(Value::Null),
        },
        _ => return None,
    })
}

/// A count out of an argument: nothing below zero.
fn count(number: Option<i64>) -> usize {
    usize::try_from(number.unwrap_or(0)).unwrap_or(0)
}

/// The characters from `from` on (from 1; from the end where negative), at most `length`.
fn substring(text: &str, from: i64, length: Option<i64>) -> String {
    let letters: Vec<char> = text.chars().collect();
    let total = letters.len() as i64;
    let from = if from < 0 { total.saturating_add(from) } else { from.saturating_sub(1) };
    let end = length.map_or(total, |length| from.saturating_add(length)).clamp(0, total);
    let from = from.clamp(0, end);
    letters[from as usize..end as usize].iter().collect()
}

/// TRIM with its side and its characters.
pub(super) fn trim(
    value: &Value,
    side: Option<&TrimWhereField>,
    what: Option<&Value>,
) -> Result<Value, SqlError> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let (text, what) = (value.to_string(), what.map_or_else(|| " ".to_owned(), Value::to_string));
    if what.is_empty() {
        return Ok(Value::text(text));
    }
    let mut rest = text.as_str();
    if !matches!(side, Some(TrimWhereField::Trailing)) {
        rest = rest.trim_start_matches(&what);
    }
    if !matches!(side, Some(TrimWhereField::Leading)) {
        rest = rest.trim_end_matches(&what);
    }
    Ok(Value::text(rest))
}

const NUMERIC: &[&str] = &[
    "abs", "sign", "round", "floor", "ceil", "ceiling", "sqrt", "power", "pow", "mod", "ln", "log", "exp",
    "truncate", "trunc",
];

/// Functions of numbers.
fn numbers(
    context: &Context<'_>,
    name: &str,
    first: &Value,
    arguments: &[Value],
) -> Option<Result<Value, SqlError>> {
    if !NUMERIC.contains(&name) {
        return None;
    }
    let number = match first {
        Value::Text(text) if context.rules.strict_numbers && text.trim().parse::<f64>().is_err() => {
            return Some(Err(SqlError::BadValue { value: text.to_string(), wanted: Kind::Double }));
        }
        other => other.float().unwrap_or(0.0),
    };
    let second = arguments.get(1).and_then(Value::float);
    // Numbers that are exact stay exact.
    let exact = match first {
        Value::Integer(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        _ => None,
    };
    let whole = |number: f64| {
        if exact.is_some() { Value::Integer(number as i64) } else { Value::Float(number) }
    };
    Some(Ok(match name {
        "abs" => match first {
            Value::Integer(number) => Value::Integer(number.saturating_abs()),
            _ => exact.map_or(Value::Float(number.abs()), |exact| {
                Value::Decimal(Decimal::new(exact.unscaled().saturating_abs(), exact.scale()))
            }),
        },
        "sign" => Value::Integer(if number > 0.0 {
            1
        } else if number < 0.0 {
            -1
        } else {
            0
        }),
        "floor" => whole(number.floor()),
        "ceil" | "ceiling" => whole(number.ceil()),
        "round" | "truncate" | "trunc" => {
            let places = second.unwrap_or(0.0).clamp(0.0, 20.0) as u8;
            match (exact, name) {
                (Some(exact), "round") if places < exact.scale() => {
                    exact.rescaled(places).map_or(Value::Null, Value::Decimal)
                }
                (Some(_), "round") => first.clone(),
                _ => {
                    let factor = 10f64.powi(i32::from(places));
                    let scaled = number * factor;
                    Value::Float(if name == "round" { scaled.round() } else { scaled.trunc() } / factor)
                }
            }
        }
        "sqrt" if number < 0.0 => Value::Null,
        "sqrt" => Value::Float(number.sqrt()),
        "power" | "pow" => Value::Float(number.powf(second.unwrap_or(1.0))),
        "mod" => {
            let (Some(a), Some(b)) = (first.integer(), arguments.get(1).and_then(Value::integer)) else {
                return Some(Ok(Value::Null));
            };
            match a.checked_rem(b) {
                Some(rest) => Value::Integer(rest),
                None if context.rules.zero_is_error => return Some(Err(SqlError::DivisionByZero)),
                None => Value::Null,
            }
        }
        "ln" | "log" if number <= 0.0 => Value::Null,
        "ln" => Value::Float(number.ln()),
        "log" => Value::Float(match second {
            Some(of) => of.log(number),
            None if context.rules.lower_names => number.log10(),
            None => number.ln(),
        }),
        _ => Value::Float(number.exp()),
    }))
}

const TEMPORAL: &[&str] = &[
    "date",
    "year",
    "month",
    "day",
    "dayofmonth",
    "hour",
    "minute",
    "second",
    "date_format",
    "from_unixtime",
    "unix_timestamp",
    "to_char",
    "datediff",
    "dateadd",
    "datepart",
    "date_add",
    "date_sub",
    "date_trunc",
    "date_part",
    "to_timestamp",
    "last_day",
    "timestampdiff",
];

/// Functions of times.
fn times(
    context: &Context<'_>,
    name: &str,
    first: &Value,
    arguments: &[Value],
) -> Option<Result<Value, SqlError>> {
    if !TEMPORAL.contains(&name) {
        return None;
    }
    let second = arguments.get(1);
    let at = first.timestamp();
    Some(Ok(match (name, at) {
        ("date", Some(at)) => Value::Date(i32::try_from(at.div_euclid(moment::DAY)).unwrap_or(0)),
        ("year" | "month" | "day" | "dayofmonth" | "hour" | "minute" | "second", Some(_)) => {
            return Some(extract(if name == "dayofmonth" { "day" } else { name }, first));
        }
        ("unix_timestamp", Some(at)) => Value::Integer(at.div_euclid(1_000_000)),
        ("from_unixtime" | "to_timestamp", None) => {
            let seconds = first.integer().unwrap_or(0);
            Value::Timestamp(seconds.saturating_mul(1_000_000))
        }
        ("to_timestamp", Some(at)) => Value::Timestamp(at),
        ("date_format", Some(at)) => {
            Value::text(strftime(at, &second.map(Value::to_string).unwrap_or_default()))
        }
        ("to_char", Some(at)) => Value::text(to_char(at, &second.map(Value::to_string).unwrap_or_default())),
        ("to_char", None) => Value::text(first.to_string()),
        ("date_part" | "datepart", _) => {
            return Some(second.map_or(Ok(Value::Null), |value| extract(&first.to_string(), value)));
        }
        ("date_trunc", _) => {
            let at = second.and_then(Value::timestamp).unwrap_or(0);
            Value::Timestamp(truncated(at, &first.to_string().to_lowercase()))
        }
        ("date_add" | "date_sub", Some(at)) => {
            let delta = second.and_then(Value::integer).unwrap_or(0);
            let moved = if name == "date_add" { at.checked_add(delta) } else { at.checked_sub(delta) };
            moved.map_or(Value::Null, Value::Timestamp)
        }
        ("dateadd", _) => {
            let (Some(count), Some(at)) =
                (second.and_then(Value::integer), arguments.get(2).and_then(Value::timestamp))
            else {
                return Some(Ok(Value::Null));
            };
            shifted(at, &first.to_string(), count).map_or(Value::Null, Value::Timestamp)
        }
        ("datediff", Some(a)) if arguments.len() == 2 => match second.and_then(Value::timestamp) {
            Some(b) => Value::Integer(a.div_euclid(moment::DAY) - b.div_euclid(moment::DAY)),
            None => Value::Null,
        },
        ("datediff" | "timestampdiff", _) => {
            let from = second.and_then(Value::timestamp);
            let (Some(from), Some(to)) = (from, arguments.get(2).and_then(Value::timestamp)) else {
                return Some(Ok(Value::Null));
            };
            Value::Integer((to - from) / unit(&first.to_string()).unwrap_or(1_000_000))
        }
        ("last_day", Some(at)) => {
            let (year, month, _) = moment::calendar(i32::try_from(at.div_euclid(moment::DAY)).unwrap_or(0));
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            moment::days(year, month, 1).map_or(Value::Null, |first| Value::Date(first - 1))
        }
        // A text that is no time.
        _ if context.rules.strict_numbers => {
            return Some(Err(SqlError::BadValue { value: first.to_string(), wanted: Kind::Timestamp }));
        }
        _ => Value::Null,
    }))
}

/// Microseconds of a unit; months and years in the mean.
fn unit(name: &str) -> Option<i64> {
    Some(match name.to_lowercase().trim_end_matches('s') {
        "microsecond" => 1,
        "millisecond" | "m" => 1000,
        "second" => 1_000_000,
        "minute" | "mi" => 60_000_000,
        "hour" | "hh" => 3_600_000_000,
        "day" | "dd" | "d" => moment::DAY,
        "week" | "wk" => 7 * moment::DAY,
        "month" | "mm" => 30 * moment::DAY,
        "quarter" => 91 * moment::DAY,
        "year" | "yy" | "yyyy" => 365 * moment::DAY,
        _ => return None,
    })
}

/// A time moved by a count of units; months and years by the calendar.
fn shifted(at: i64, name: &str, count: i64) -> Option<i64> {
    let months = match name.to_lowercase().trim_end_matches('s') {
        "month" | "mm" => Some(count),
        "quarter" => count.checked_mul(3),
        "year" | "yy" | "yyyy" => count.checked_mul(12),
        _ => None,
    };
    let Some(months) = months else {
        return at.checked_add(unit(name)?.checked_mul(count)?);
    };
    let (year, month, day) = moment::calendar(i32::try_from(at.div_euclid(moment::DAY)).ok()?);
    let index = i64::from(year).checked_mul(12)?.checked_add(i64::from(month) - 1)?.checked_add(months)?;
    let (year, month) = (i32::try_from(index.div_euclid(12)).ok()?, index.rem_euclid(12) as u32 + 1);
    let days = (1..=day).rev().take(4).find_map(|day| moment::days(year, month, day))?;
    Some(i64::from(days) * moment::DAY + at.rem_euclid(moment::DAY))
}

/// A time with everything below a unit left out.
fn truncated(at: i64, name: &str) -> i64 {
    let (year, month, _) = moment::calendar(i32::try_from(at.div_euclid(moment::DAY)).unwrap_or(0));
    let day = |days: Option<i32>| i64::from(days.unwrap_or(0)) * moment::DAY;
    match name {
        "year" => day(moment::days(year, 1, 1)),
        "month" => day(moment::days(year, month, 1)),
        other => match unit(other) {
            Some(unit) => at.div_euclid(unit) * unit,
            None => at,
        },
    }
}

/// A field of a time.
pub(super) fn extract(field: &str, value: &Value) -> Result<Value, SqlError> {
    let Some(at) = value.timestamp() else {
        // An interval is its microseconds.
        return Ok(match (value, field.to_lowercase().as_str()) {
            (Value::Integer(micros), "epoch") => Value::Integer(micros / 1_000_000),
            _ => Value::Null,
        });
    };
    let days = i32::try_from(at.div_euclid(moment::DAY)).unwrap_or(0);
    let (year, month, day) = moment::calendar(days);
    let seconds = at.rem_euclid(moment::DAY) / 1_000_000;
    Ok(Value::Integer(match field.to_lowercase().as_str() {
        "year" | "yy" | "yyyy" => i64::from(year),
        "quarter" => i64::from(month.div_ceil(3)),
        "month" | "mm" | "m" => i64::from(month),
        "day" | "dd" | "d" => i64::from(day),
        "hour" | "hh" => seconds / 3600,
        "minute" | "mi" | "n" => seconds / 60 % 60,
        "second" | "ss" | "s" => seconds % 60,
        "dow" => i64::from((days + 4).rem_euclid(7)),
        "epoch" => at.div_euclid(1_000_000),
        other => return Err(SqlError::Unsupported(other.to_owned())),
    }))
}

/// An interval in microseconds.
pub(super) fn interval(
    _context: &Context<'_>,
    value: &Value,
    interval: &Interval,
) -> Result<Value, SqlError> {
    let field = interval.leading_field.as_ref().map(DateTimeField::to_string);
    let text = value.to_string();
    let mut words = text.split_whitespace();
    let mut total = 0i64;
    while let Some(word) = words.next() {
        let count: f64 = word.parse().unwrap_or(0.0);
        let name =
            field.clone().or_else(|| words.next().map(str::to_owned)).unwrap_or_else(|| "second".into());
        let unit =
            unit(&name).ok_or_else(|| SqlError::BadValue { value: text.clone(), wanted: Kind::Time })?;
        total = total.saturating_add((count * unit as f64) as i64);
    }
    Ok(Value::Integer(total))
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// The names of month and weekday of a time.
fn names(at: i64) -> (&'static str, &'static str) {
    let days = i32::try_from(at.div_euclid(moment::DAY)).unwrap_or(0);
    let (_, month, _) = moment::calendar(days);
    (MONTHS[(month as usize).clamp(1, 12) - 1], DAYS[(days + 4).rem_euclid(7) as usize])
}

/// MySQL's DATE_FORMAT.
fn strftime(at: i64, format: &str) -> String {
    let text = moment::timestamp(at);
    let piece = |range: std::ops::Range<usize>| text.get(range).unwrap_or("").to_owned();
    let (month, weekday) = names(at);
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('Y') => out.push_str(&piece(0..4)),
            Some('y') => out.push_str(&piece(2..4)),
            Some('m') => out.push_str(&piece(5..7)),
            Some('d') => out.push_str(&piece(8..10)),
            Some('H') => out.push_str(&piece(11..13)),
            Some('i') => out.push_str(&piece(14..16)),
            Some('s' | 'S') => out.push_str(&piece(17..19)),
            Some('T') => out.push_str(&piece(11..19)),
            Some('M') => out.push_str(month),
            Some('b') => out.push_str(&month[..3]),
            Some('W') => out.push_str(weekday),
            Some('a') => out.push_str(&weekday[..3]),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// PostgreSQL's to_char for times.
fn to_char(at: i64, format: &str) -> String {
    let text = moment::timestamp(at);
    let piece = |range: std::ops::Range<usize>| text.get(range).unwrap_or("").to_owned();
    let (month, weekday) = names(at);
    let fields = [
        ("YYYY", piece(0..4)),
        ("MM", piece(5..7)),
        ("DD", piece(8..10)),
        ("HH24", piece(11..13)),
        ("MI", piece(14..16)),
        ("SS", piece(17..19)),
        ("Month", month.to_owned()),
        ("Mon", month[..3].to_owned()),
        ("Day", weekday.to_owned()),
    ];
    let (mut out, mut rest) = (String::new(), format);
    'next: while let Some(letter) = rest.chars().next() {
        for (field, value) in &fields {
            if let Some(after) = rest.strip_prefix(field) {
                out.push_str(value);
                rest = after;
                continue 'next;
            }
        }
        out.push(letter);
        rest = &rest[letter.len_utf8()..];
    }
    out
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of hexadecimal digits; none where they are not.
pub(super) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The elements of a PostgreSQL array as text: `{a,"b c",NULL}`.
pub(super) fn array_of(text: &str) -> Vec<Value> {
    let Some(inner) = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')) else {
        return Vec::new();
    };
    let mut values = Vec::new();
    let (mut word, mut quoted, mut inside) = (String::new(), false, false);
    let mut letters = inner.chars();
    let end = |word: &mut String, quoted: &mut bool| {
        let text = std::mem::take(word);
        let null = !std::mem::take(quoted) && text.eq_ignore_ascii_case("null");
        if null { Value::Null } else { Value::text(text) }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                inside = !inside;
                quoted = true;
            }
            '\\' => word.extend(letters.next()),
            ',' if !inside => values.push(end(&mut word, &mut quoted)),
            letter => word.push(letter),
        }
    }
    if !inner.is_empty() {
        values.push(end(&mut word, &mut quoted));
    }
    values
}

/// A value as JSON.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(_) | Value::Decimal(_) | Value::Float(_) => value.to_string(),
        Value::Array(values) => format!("[{}]", values.iter().map(json).collect::<Vec<_>>().join(",")),
        other => serde_json::Value::from(other.to_string()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_character() {
        assert_eq!(substring("Grüße", 3, Some(2)), "üß");
        assert_eq!(substring("abc", -2, None), "bc");
        assert_eq!(substring("abc", 0, Some(2)), "a");
        assert_eq!(substring("abc", 9, Some(i64::MAX)), "");
        assert_eq!(substring("abc", i64::MIN, Some(i64::MIN)), "");
    }

    #[test]
    fn arrays_read_back() {
        let text = r#"{a,"b c",NULL,"x\"y",""}"#;
        let values = array_of(text);
        assert_eq!(values.len(), 5);
        assert_eq!(values[2], Value::Null);
        assert_eq!(values[3], Value::text("x\"y"));
        assert!(array_of("{}").is_empty() && array_of("nonsense").is_empty());
    }

    #[test]
    fn times_move_by_the_calendar() {
        let at = moment::parse("2024-01-31 10:00:00").unwrap();
        assert_eq!(moment::timestamp(shifted(at, "month", 1).unwrap()), "2024-02-29 10:00:00");
        assert_eq!(moment::timestamp(shifted(at, "day", -31).unwrap()), "2023-12-31 10:00:00");
        assert_eq!(shifted(at, "year", i64::MAX), None);
        assert_eq!(strftime(at, "%a %d %b %Y %T"), "Wed 31 Jan 2024 10:00:00");
        assert_eq!(to_char(at, "YYYY-MM-DD HH24:MI"), "2024-01-31 10:00");
    }
}

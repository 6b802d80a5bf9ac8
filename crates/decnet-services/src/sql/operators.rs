//! Arithmetic, comparison, patterns.

use std::cmp::Ordering;

use sqlparser::ast::BinaryOperator;

use super::decimal::Decimal;
use super::engine::Rules;
use super::error::SqlError;
use super::moment;
use super::value::{Kind, Value};

/// Decimals that a quotient has more than its dividend; MySQL's `div_precision_increment`.
const QUOTIENT_DECIMALS: u8 = 4;
/// Bytes of a pattern that is searched for.
const PATTERN_LIMIT: usize = 4096;

/// Applies an operator to two values that are worked out. AND and OR are not among them.
pub(super) fn binary(
    rules: Rules,
    left: &Value,
    operator: &BinaryOperator,
    right: &Value,
) -> Result<Value, SqlError> {
    use BinaryOperator as Op;
    let ordering = |wanted: fn(Ordering) -> bool| {
        Ok(left.compare(right, rules.fold_texts).map_or(Value::Null, |order| Value::Bool(wanted(order))))
    };
    match operator {
        Op::Eq => return ordering(Ordering::is_eq),
        Op::NotEq => return ordering(Ordering::is_ne),
        Op::Lt => return ordering(Ordering::is_lt),
        Op::LtEq => return ordering(Ordering::is_le),
        Op::Gt => return ordering(Ordering::is_gt),
        Op::GtEq => return ordering(Ordering::is_ge),
        // MySQL's equality that knows null.
        Op::Spaceship => return Ok(Value::Bool(equal_or_both_null(left, right, rules.fold_texts))),
        _ => {}
    }
    if left.is_null() || right.is_null() {
        return Ok(Value::Null);
    }
    let texts = || Value::text(format!("{left}{right}"));
    match operator {
        Op::StringConcat if rules.pipes_join => Ok(texts()),
        Op::StringConcat => Ok(Value::Bool(left.truth() == Some(true) || right.truth() == Some(true))),
        Op::Plus if rules.plus_joins && matches!((left, right), (Value::Text(_), Value::Text(_))) => {
            Ok(texts())
        }
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::MyIntegerDivide => {
            arithmetic(rules, left, operator, right)
        }
        Op::BitwiseAnd | Op::BitwiseOr | Op::BitwiseXor | Op::PGBitwiseXor => bits(left, operator, right),
        Op::PGBitwiseShiftLeft | Op::PGBitwiseShiftRight => bits(left, operator, right),
        Op::Xor => match (left.truth(), right.truth()) {
            (Some(a), Some(b)) => Ok(Value::Bool(a != b)),
            _ => Ok(Value::Null),
        },
        Op::PGRegexMatch => matches(left, right, false).map(Value::Bool),
        Op::PGRegexIMatch | Op::Regexp => matches(left, right, true).map(Value::Bool),
        Op::PGRegexNotMatch => matches(left, right, false).map(|found| Value::Bool(!found)),
        Op::PGRegexNotIMatch => matches(left, right, true).map(|found| Value::Bool(!found)),
        Op::PGLikeMatch => Ok(Value::Bool(like(&left.to_string(), &right.to_string(), '\\', false))),
        Op::PGILikeMatch => Ok(Value::Bool(like(&left.to_string(), &right.to_string(), '\\', true))),
        Op::PGNotLikeMatch => Ok(Value::Bool(!like(&left.to_string(), &right.to_string(), '\\', false))),
        Op::PGNotILikeMatch => Ok(Value::Bool(!like(&left.to_string(), &right.to_string(), '\\', true))),
        Op::PGExp => match (left.float(), right.float()) {
            (Some(a), Some(b)) => Ok(Value::Float(a.powf(b))),
            _ => Ok(Value::Null),
        },
        Op::PGCustomBinaryOperator(parts) => {
            let named = match parts.last().map(String::as_str) {
                Some("~") => Op::PGRegexMatch,
                Some("~*") => Op::PGRegexIMatch,
                Some("!~") => Op::PGRegexNotMatch,
                Some("!~*") => Op::PGRegexNotIMatch,
                Some("~~") => Op::PGLikeMatch,
                Some("!~~") => Op::PGNotLikeMatch,
                Some("=") => Op::Eq,
                Some("<>") => Op::NotEq,
                Some("<") => Op::Lt,
                Some(">") => Op::Gt,
                Some("+") => Op::Plus,
                Some("-") => Op::Minus,
                Some("*") => Op::Multiply,
                Some("/") => Op::Divide,
                Some("||") => Op::StringConcat,
                other => return Err(SqlError::Unsupported(other.unwrap_or_default().to_owned())),
            };
            binary(rules, left, &named, right)
        }
        other => Err(SqlError::Unsupported(other.to_string())),
    }
}

/// Whether two values are the same, where null is the same as null.
pub(super) fn equal_or_both_null(left: &Value, right: &Value, fold: bool) -> bool {
    match left.compare(right, fold) {
        Some(order) => order.is_eq(),
        None => left.is_null() && right.is_null(),
    }
}

/// A number out of a value, for arithmetic.
fn number(rules: Rules, value: &Value) -> Result<Value, SqlError> {
    Ok(match value {
        Value::Integer(_) | Value::Decimal(_) | Value::Float(_) => value.clone(),
        Value::Bool(truth) => Value::Integer(i64::from(*truth)),
        Value::Text(text) => {
            let trimmed = text.trim();
            if let Ok(number) = trimmed.parse::<i64>() {
                Value::Integer(number)
            } else if let Ok(number) = trimmed.parse::<Decimal>() {
                if rules.strict_numbers { Value::Decimal(number) } else { Value::Float(number.float()) }
            } else if rules.strict_numbers {
                return Err(SqlError::BadValue { value: text.to_string(), wanted: Kind::Integer });
            } else {
                Value::Float(value.float().unwrap_or(0.0))
            }
        }
        other => Value::Float(other.float().unwrap_or(0.0)),
    })
}

fn arithmetic(
    rules: Rules,
    left: &Value,
    operator: &BinaryOperator,
    right: &Value,
) -> Result<Value, SqlError> {
    use BinaryOperator as Op;
    // A day plus days, in the products that have it.
    match (left, operator, right) {
        (Value::Date(days), Op::Plus | Op::Minus, Value::Integer(count)) => {
            let count = i32::try_from(*count).map_err(|_| SqlError::OutOfRange)?;
            let days = if *operator == Op::Plus { days.checked_add(count) } else { days.checked_sub(count) };
            return days.map(Value::Date).ok_or(SqlError::OutOfRange);
        }
        (Value::Date(a), Op::Minus, Value::Date(b)) => {
            return Ok(Value::Integer(i64::from(*a) - i64::from(*b)));
        }
        // SQL Server adds days to a time, PostgreSQL an interval, which is kept in microseconds.
        (Value::Timestamp(at), Op::Plus | Op::Minus, Value::Integer(count)) => {
            let step = if rules.plus_joins { moment::DAY } else { 1 };
            let delta = count.checked_mul(step).ok_or(SqlError::OutOfRange)?;
            let at = if *operator == Op::Plus { at.checked_add(delta) } else { at.checked_sub(delta) };
            return at.map(Value::Timestamp).ok_or(SqlError::OutOfRange);
        }
        _ => {}
    }
    let (left, right) = (number(rules, left)?, number(rules, right)?);
    let zero = right.float() == Some(0.0);
    if zero && matches!(operator, Op::Divide | Op::Modulo | Op::MyIntegerDivide) {
        return if rules.zero_is_error { Err(SqlError::DivisionByZero) } else { Ok(Value::Null) };
    }
    let out_of_range = || SqlError::OutOfRange;
    match (&left, &right) {
        (Value::Integer(a), Value::Integer(b)) => match operator {
            Op::Plus => a.checked_add(*b).map(Value::Integer).ok_or_else(out_of_range),
            Op::Minus => a.checked_sub(*b).map(Value::Integer).ok_or_else(out_of_range),
            Op::Multiply => a.checked_mul(*b).map(Value::Integer).ok_or_else(out_of_range),
            Op::Modulo => a.checked_rem(*b).map(Value::Integer).ok_or_else(out_of_range),
            Op::MyIntegerDivide => a.checked_div(*b).map(Value::Integer).ok_or_else(out_of_range),
            _ if rules.integer_division => a.checked_div(*b).map(Value::Integer).ok_or_else(out_of_range),
            _ => Decimal::from(*a)
                .divided(Decimal::from(*b), QUOTIENT_DECIMALS)
                .map(Value::Decimal)
                .ok_or_else(out_of_range),
        },
        (Value::Float(_), _) | (_, Value::Float(_)) => {
            let (a, b) = (left.float().unwrap_or(0.0), right.float().unwrap_or(0.0));
            Ok(match operator {
                Op::Plus => Value::Float(a + b),
                Op::Minus => Value::Float(a - b),
                Op::Multiply => Value::Float(a * b),
                Op::Modulo => Value::Float(a % b),
                Op::MyIntegerDivide => Value::Integer((a / b) as i64),
                _ => Value::Float(a / b),
            })
        }
        _ => {
            let decimal = |value: &Value| match value {
                Value::Decimal(number) => *number,
                other => Decimal::from(other.integer().unwrap_or(0)),
            };
            let (a, b) = (decimal(&left), decimal(&right));
            let more = if rules.integer_division { 16 } else { QUOTIENT_DECIMALS };
            let result = match operator {
                Op::Plus => a.plus(b),
                Op::Minus => a.minus(b),
                Op::Multiply => a.times(b),
                Op::Divide => a.divided(b, more),
                _ => {
                    let whole = a.divided(b, 0).and_then(Decimal::rounded).unwrap_or(0);
                    let whole = Decimal::from(whole);
                    if *operator == Op::Modulo {
                        whole.times(b).and_then(|part| a.minus(part))
                    } else {
                        Some(whole)
                    }
                }
            };
            result.map(Value::Decimal).ok_or_else(out_of_range)
        }
    }
}

fn bits(left: &Value, operator: &BinaryOperator, right: &Value) -> Result<Value, SqlError> {
    use BinaryOperator as Op;
    let (Some(a), Some(b)) = (left.integer(), right.integer()) else { return Ok(Value::Null) };
    let shift = || u32::try_from(b).map_err(|_| SqlError::OutOfRange);
    Ok(Value::Integer(match operator {
        Op::BitwiseAnd => a & b,
        Op::BitwiseOr => a | b,
        Op::PGBitwiseShiftLeft => a.checked_shl(shift()?).unwrap_or(0),
        Op::PGBitwiseShiftRight => a.checked_shr(shift()?).unwrap_or(0),
        _ => a ^ b,
    }))
}

/// Whether a text matches a regular expression.
fn matches(text: &Value, pattern: &Value, fold: bool) -> Result<bool, SqlError> {
    let pattern = pattern.to_string();
    if pattern.len() > PATTERN_LIMIT {
        return Err(SqlError::TooComplex);
    }
    let expression = regex_lite::RegexBuilder::new(&pattern)
        .case_insensitive(fold)
        .size_limit(256 * 1024)
        .build()
        .map_err(|_| SqlError::BadValue { value: pattern.clone(), wanted: Kind::Text })?;
    Ok(expression.is_match(&text.to_string()))
}

/// Whether a text matches a pattern of LIKE: `%` any text, `_` any character, `escape` makes them plain.
pub(super) fn like(text: &str, pattern: &str, escape: char, fold: bool) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum Part {
        Any,
        One,
        Letter(char),
    }
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            letter if letter == escape => Part::Letter(letters.next().unwrap_or(escape)),
            '%' if parts.last() == Some(&Part::Any) => continue,
            '%' => Part::Any,
            '_' => Part::One,
            letter => Part::Letter(letter),
        });
    }
    let lower = |letter: char| if fold { letter.to_lowercase().next().unwrap_or(letter) } else { letter };
    let text: Vec<char> = text.chars().collect();
    // The last `%`, and where its text ended: the only place to go back to.
    let (mut at, mut part, mut back) = (0, 0, None);
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                back = Some((part, at));
                part += 1;
            }
            Some(Part::One) => {
                at += 1;
                part += 1;
            }
            Some(Part::Letter(letter)) if lower(*letter) == lower(text[at]) => {
                at += 1;
                part += 1;
            }
            _ => match back {
                Some((any, from)) => {
                    at = from + 1;
                    part = any + 1;
                    back = Some((any, at));
                }
                None => return false,
            },
        }
    }
    parts[part.min(parts.len())..].iter().all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_like() {
        for (text, pattern, found) in [
            ("customers", "cust%", true),
            ("customers", "%tom%", true),
            ("customers", "c_stomers", true),
            ("customers", "customer", false),
            ("100%", "100\\%", true),
            ("1000", "100\\%", false),
            ("", "%", true),
            ("", "_", false),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaab", "%a%a%a%a%a%a%a%c", false),
        ] {
            assert_eq!(like(text, pattern, '\\', false), found, "{text} {pattern}");
        }
        assert!(like("ADMIN", "admin", '\\', true));
    }
}

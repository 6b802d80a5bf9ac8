//! `string`.

use super::{Arguments, Builtin, Many, show};
use crate::redis::lua::interpreter::{Interpreter, Stop};
use crate::redis::lua::pattern;
use crate::redis::lua::value::Value;

/// A range of a string as `string.sub` takes it.
fn range(length: usize, from: f64, to: f64) -> std::ops::Range<usize> {
    let length = length as f64;
    let from = if from < 0.0 { (length + from + 1.0).max(1.0) } else { from.max(1.0) };
    let to = if to < 0.0 { length + to + 1.0 } else { to.min(length) };
    if from > to { 0..0 } else { from as usize - 1..to as usize }
}

fn captured(text: &[u8], start: usize, end: usize, captures: &[pattern::Capture], whole: bool) -> Vec<Value> {
    if captures.is_empty() && whole {
        return vec![Value::text(&text[start..end])];
    }
    captures
        .iter()
        .map(|capture| match capture.length {
            Some(length) => Value::text(&text[capture.start..capture.start + length]),
            None => Value::Number(capture.start as f64 + 1.0),
        })
        .collect()
}

/// Calls a function of `string`.
pub(super) fn call(run: &mut Interpreter<'_>, name: &str, arguments: &Arguments) -> Many {
    if name == "char" {
        let mut text = Vec::new();
        for at in 0..arguments.0.len() {
            text.push(arguments.number(run, at)? as u8);
        }
        return Ok(vec![Value::text(text)]);
    }
    if name == "nextmatch" {
        // What `gmatch` gives the loop: the table shrinks from its front.
        let matches = arguments.table(run, 0)?;
        let next = matches.borrow_mut().remove(1);
        return Ok(match next {
            Value::Table(values) => {
                let values = values.borrow();
                (1..=values.len()).map(|at| values.get(&Value::Number(at as f64))).collect()
            }
            _ => vec![Value::Nil],
        });
    }
    if name == "format" {
        let text = format(run, arguments)?;
        return Ok(vec![Value::text(text)]);
    }
    let text = arguments.bytes(run, 0)?;
    run.take(text.len() / 8)?;
    Ok(match name {
        "len" => vec![Value::Number(text.len() as f64)],
        "lower" => vec![Value::text(text.to_ascii_lowercase())],
        "upper" => vec![Value::text(text.to_ascii_uppercase())],
        "reverse" => vec![Value::text(text.iter().rev().copied().collect::<Vec<u8>>())],
        "rep" => {
            let count = arguments.number(run, 1)?.clamp(0.0, 1e9) as usize;
            run.take(text.len().saturating_mul(count))?;
            vec![Value::text(text.repeat(count))]
        }
        "sub" => {
            let to = arguments.get(2).number().unwrap_or(-1.0);
            vec![Value::text(&text[range(text.len(), arguments.number(run, 1)?, to)])]
        }
        "byte" => {
            let from = arguments.get(1).number().unwrap_or(1.0);
            let to = arguments.get(2).number().unwrap_or(from);
            let bytes = &text[range(text.len(), from, to)];
            bytes.iter().take(8000).map(|byte| Value::Number(f64::from(*byte))).collect()
        }
        "find" | "match" => {
            let wanted = arguments.bytes(run, 1)?;
            let from = arguments.get(2).number().unwrap_or(1.0);
            let from =
                if from < 0.0 { (text.len() as f64 + from).max(0.0) } else { (from - 1.0).max(0.0) } as usize;
            if from > text.len() {
                return Ok(vec![Value::Nil]);
            }
            if name == "find" && arguments.get(3).truth() {
                let at = if wanted.is_empty() {
                    Some(from)
                } else {
                    text[from..].windows(wanted.len()).position(|window| window == wanted).map(|at| at + from)
                };
                return Ok(match at {
                    Some(at) => {
                        vec![Value::Number(at as f64 + 1.0), Value::Number((at + wanted.len()) as f64)]
                    }
                    None => vec![Value::Nil],
                });
            }
            match pattern::find(&text, &wanted, from).map_err(|message| run.fail(message))? {
                None => vec![Value::Nil],
                Some((start, end, captures)) if name == "find" => {
                    let mut values = vec![Value::Number(start as f64 + 1.0), Value::Number(end as f64)];
                    values.extend(captured(&text, start, end, &captures, false));
                    values
                }
                Some((start, end, captures)) => captured(&text, start, end, &captures, true),
            }
        }
        "gmatch" => {
            let wanted = arguments.bytes(run, 1)?;
            // All matches at once; the loop then takes them from a table.
            let mut matches = Vec::new();
            let mut at = 0;
            while at <= text.len() {
                let Some((start, end, captures)) =
                    pattern::find(&text, &wanted, at).map_err(|message| run.fail(message))?
                else {
                    break;
                };
                run.take(64 + end - start)?;
                matches.push(Value::list(captured(&text, start, end, &captures, true)));
                at = if end > start { end } else { end + 1 };
            }
            vec![Value::Builtin(Builtin("string.nextmatch")), Value::list(matches), Value::Nil]
        }
        _ => gsub(run, arguments, &text)?,
    })
}

fn gsub(run: &mut Interpreter<'_>, arguments: &Arguments, text: &[u8]) -> Many {
    let wanted = arguments.bytes(run, 1)?;
    let by = arguments.get(2);
    let most = arguments.get(3).number().unwrap_or(f64::INFINITY);
    let mut out = Vec::new();
    let mut count = 0.0;
    let mut at = 0;
    while count < most && at <= text.len() {
        let found = pattern::find(text, &wanted, at).map_err(|message| run.fail(message))?;
        let Some((start, end, captures)) = found else { break };
        count += 1.0;
        out.extend_from_slice(&text[at..start]);
        let values = captured(text, start, end, &captures, true);
        let whole = &text[start..end];
        let replacement = match &by {
            Value::Table(table) => table.borrow().get(&values[0]),
            Value::Closure(_) | Value::Builtin(_) => {
                run.call(&by, values.clone(), None)?.into_iter().next().unwrap_or(Value::Nil)
            }
            other => {
                let template = other.bytes().ok_or_else(|| arguments.bad(run, 2, "string/function/table"))?;
                Value::text(expand(&template, whole, &values))
            }
        };
        match replacement.bytes() {
            Some(bytes) => out.extend_from_slice(&bytes),
            None => out.extend_from_slice(whole),
        }
        run.take(64 + out.len() / 64)?;
        if end > start {
            at = end;
        } else {
            out.extend(text.get(end));
            at = end + 1;
        }
        if wanted.first() == Some(&b'^') {
            break;
        }
    }
    out.extend_from_slice(text.get(at..).unwrap_or(&[]));
    run.take(out.len())?;
    Ok(vec![Value::text(out), Value::Number(count)])
}

fn expand(template: &[u8], whole: &[u8], values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = template.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b'0') => out.extend_from_slice(whole),
            Some(digit @ b'1'..=b'9') => {
                let value = values.get(usize::from(digit - b'1')).and_then(Value::bytes);
                out.extend(value.unwrap_or_default());
            }
            Some(other) => out.push(*other),
            None => {}
        }
    }
    out
}

fn format(run: &mut Interpreter<'_>, arguments: &Arguments) -> Result<Vec<u8>, Stop> {
    let template = arguments.bytes(run, 0)?;
    let mut out = Vec::new();
    let mut at = 0;
    let mut next = 1;
    while let Some(&byte) = template.get(at) {
        at += 1;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let flags: Vec<u8> =
            template[at..].iter().copied().take_while(|byte| b"-+ #0".contains(byte)).collect();
        at += flags.len();
        let mut digits = |template: &[u8]| {
            let count = template[at..].iter().take_while(|byte| byte.is_ascii_digit()).count().min(2);
            let number = std::str::from_utf8(&template[at..at + count])
                .ok()
                .and_then(|text| text.parse::<usize>().ok());
            at += count;
            number
        };
        let width = digits(&template).unwrap_or(0);
        let precision = if template.get(at) == Some(&b'.') {
            at += 1;
            let mut digits = |template: &[u8]| {
                let count = template[at..].iter().take_while(|byte| byte.is_ascii_digit()).count().min(2);
                let number = std::str::from_utf8(&template[at..at + count])
                    .ok()
                    .and_then(|text| text.parse::<usize>().ok());
                at += count;
                number
            };
            Some(digits(&template).unwrap_or(0))
        } else {
            None
        };
        let Some(&kind) = template.get(at) else {
            return Err(run.fail("invalid option '%' to 'format'"));
        };
        at += 1;
        let body: Vec<u8> = match kind {
            b'%' => {
                out.push(b'%');
                continue;
            }
            b'd' | b'i' => (arguments.number(run, next)? as i64).to_string().into_bytes(),
            b'u' => (arguments.number(run, next)? as i64 as u64).to_string().into_bytes(),
            b'c' => vec![arguments.number(run, next)? as u8],
            b'x' => format!("{:x}", arguments.number(run, next)? as i64).into_bytes(),
            b'X' => format!("{:X}", arguments.number(run, next)? as i64).into_bytes(),
            b'o' => format!("{:o}", arguments.number(run, next)? as i64).into_bytes(),
            b'f' => format!("{:.*}", precision.unwrap_or(6), arguments.number(run, next)?).into_bytes(),
            b'g' => crate::redis::codec::general(arguments.number(run, next)?, precision.unwrap_or(6).max(1))
                .into_bytes(),
            b'e' => {
                let text = format!("{:.*e}", precision.unwrap_or(6), arguments.number(run, next)?);
                let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
                let exponent: i32 = exponent.parse().unwrap_or(0);
                let sign = if exponent < 0 { '-' } else { '+' };
                format!("{mantissa}e{sign}{:02}", exponent.abs()).into_bytes()
            }
            b's' => {
                let text = show(&arguments.get(next));
                match precision {
                    Some(most) => text[..text.len().min(most)].to_vec(),
                    None => text,
                }
            }
            b'q' => [b"\"", &arguments.bytes(run, next)?[..], b"\""].concat(),
            other => {
                return Err(run.fail(&format!("invalid option '%{}' to 'format'", char::from(other))));
            }
        };
        next += 1;
        let pad = width.saturating_sub(body.len());
        let numeric = !matches!(kind, b's' | b'q' | b'c');
        if flags.contains(&b'-') {
            out.extend_from_slice(&body);
            out.extend(std::iter::repeat_n(b' ', pad));
        } else if flags.contains(&b'0') && numeric {
            let (sign, digits) = match body.strip_prefix(b"-") {
                Some(digits) => (&b"-"[..], digits),
                None => (&b""[..], &body[..]),
            };
            out.extend_from_slice(sign);
            out.extend(std::iter::repeat_n(b'0', pad));
            out.extend_from_slice(digits);
        } else {
            out.extend(std::iter::repeat_n(b' ', pad));
            out.extend_from_slice(&body);
        }
        run.take(body.len() + pad)?;
    }
    Ok(out)
}

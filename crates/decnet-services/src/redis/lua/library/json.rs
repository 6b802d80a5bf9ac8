//! `cjson`.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Arguments, Many, show};
use crate::redis::lua::interpreter::{Interpreter, Stop};
use crate::redis::lua::value::{Table, Value};

/// Calls a function of `cjson`.
pub(super) fn call(run: &mut Interpreter<'_>, name: &str, arguments: &Arguments) -> Many {
    if name == "decode" {
        let text = arguments.bytes(run, 0)?;
        run.take(text.len() * 8)?;
        return match serde_json::from_slice::<serde_json::Value>(&text) {
            Ok(json) => Ok(vec![decoded(&json)]),
            Err(_) => Err(run.fail("Expected value but found invalid token at character 1")),
        };
    }
    let json = encoded(run, &arguments.get(0), 0)?;
    let text = json.to_string();
    run.take(text.len())?;
    Ok(vec![Value::text(text)])
}

fn decoded(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => Value::Number(number.as_f64().unwrap_or(0.0)),
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(items) => Value::list(items.iter().map(decoded).collect()),
        serde_json::Value::Object(fields) => {
            let mut table = Table::default();
            for (name, value) in fields {
                table.set(&Value::text(name), decoded(value));
            }
            Value::Table(Rc::new(RefCell::new(table)))
        }
    }
}

fn encoded(run: &mut Interpreter<'_>, value: &Value, depth: u32) -> Result<serde_json::Value, Stop> {
    run.take(32)?;
    if depth > 50 {
        return Err(run.fail("Cannot serialise, excessive depth (51)"));
    }
    Ok(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => (*number as i64).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => String::from_utf8_lossy(text).into_owned().into(),
        Value::Table(table) => {
            let table = table.borrow();
            let length = table.len();
            if length > 0 {
                let mut items = Vec::new();
                for at in 1..=length {
                    items.push(encoded(run, &table.get(&Value::Number(at as f64)), depth + 1)?);
                }
                items.into()
            } else {
                let mut fields = serde_json::Map::new();
                let mut key = Value::Nil;
                while let Some((name, value)) = table.next(&key) {
                    let text = String::from_utf8_lossy(&show(&name)).into_owned();
                    fields.insert(text, encoded(run, &value, depth + 1)?);
                    key = name;
                }
                fields.into()
            }
        }
        other => {
            let message = format!("Cannot serialise {}: type not supported", other.kind());
            return Err(run.fail(&message));
        }
    })
}

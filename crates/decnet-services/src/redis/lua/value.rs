//! Values of a script.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::interpreter::Closure;
use super::library::Builtin;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// `nil`
    Nil,
    /// `true`, `false`
    Bool(bool),
    /// Every number is a double.
    Number(f64),
    /// Bytes.
    Text(Rc<[u8]>),
    /// A table.
    Table(Rc<RefCell<Table>>),
    /// A function of the script.
    Closure(Rc<Closure>),
    /// A function of the library.
    Builtin(Builtin),
}

/// A table: an array from 1 and everything else.
#[derive(Debug, Default)]
pub(crate) struct Table {
    array: Vec<Value>,
    rest: BTreeMap<Key, Value>,
    /// Whether writing to it is refused, as to the library's tables.
    pub(crate) read_only: bool,
}

/// A key that is no index of the array.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// `false`, `true`
    Bool(bool),
    /// The bits of a number.
    Number(u64),
    /// Bytes.
    Text(Vec<u8>),
    /// A table or function, by where it is.
    Object(usize),
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl AsRef<[u8]>) -> Value {
        Value::Text(text.as_ref().into())
    }

    /// A fresh table of some items.
    pub(crate) fn list(items: Vec<Value>) -> Value {
        let mut table = Table::default();
        for item in items {
            table.push(item);
        }
        Value::Table(Rc::new(RefCell::new(table)))
    }

    /// A fresh table with one field.
    pub(crate) fn with_field(name: &str, value: Value) -> Value {
        let mut table = Table::default();
        table.set(&Value::text(name), value);
        Value::Table(Rc::new(RefCell::new(table)))
    }

    /// Whether it counts as true.
    pub(crate) fn truth(&self) -> bool {
        !matches!(self, Value::Nil | Value::Bool(false))
    }

    /// What `type` says.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::Text(_) => "string",
            Value::Table(_) => "table",
            Value::Closure(_) | Value::Builtin(_) => "function",
        }
    }

    /// As a number, texts that read as one included.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text(text) => parse_number(std::str::from_utf8(text).ok()?.trim()),
            _ => None,
        }
    }

    /// As a text, numbers included.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Value::Text(text) => Some(text.to_vec()),
            Value::Number(number) => Some(show_number(*number).into_bytes()),
            _ => None,
        }
    }

    /// Whether two values are the same.
    pub(crate) fn same(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Table(a), Value::Table(b)) => Rc::ptr_eq(a, b),
            (Value::Closure(a), Value::Closure(b)) => Rc::ptr_eq(a, b),
            (Value::Builtin(a), Value::Builtin(b)) => a == b,
            _ => false,
        }
    }

    fn key(&self) -> Option<Key> {
        match self {
            Value::Nil => None,
            Value::Bool(value) => Some(Key::Bool(*value)),
            Value::Number(number) if number.is_nan() => None,
            Value::Number(number) => Some(Key::Number((number + 0.0).to_bits())),
            Value::Text(text) => Some(Key::Text(text.to_vec())),
            Value::Table(table) => Some(Key::Object(Rc::as_ptr(table).cast::<u8>() as usize)),
            Value::Closure(closure) => Some(Key::Object(Rc::as_ptr(closure).cast::<u8>() as usize)),
            Value::Builtin(builtin) => Some(Key::Text(format!("builtin {}", builtin.0).into_bytes())),
        }
    }
}

impl Key {
    fn value(&self) -> Value {
        match self {
            Key::Bool(value) => Value::Bool(*value),
            Key::Number(bits) => Value::Number(f64::from_bits(*bits)),
            Key::Text(text) => Value::text(text),
            // Such a key cannot be given back; it is only ever asked for with the object at hand.
            Key::Object(_) => Value::Bool(true),
        }
    }
}

impl Table {
    fn index(key: &Value) -> Option<usize> {
        match key {
            Value::Number(number) if number.fract() == 0.0 && *number >= 1.0 && *number < 1e9 => {
                Some(*number as usize)
            }
            _ => None,
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &Value) -> Value {
        if let Some(value) = Self::index(key).and_then(|index| self.array.get(index - 1)) {
            return value.clone();
        }
        key.key().and_then(|key| self.rest.get(&key).cloned()).unwrap_or(Value::Nil)
    }

    /// The value of a named field.
    pub(crate) fn field(&self, name: &str) -> Value {
        self.rest.get(&Key::Text(name.as_bytes().to_vec())).cloned().unwrap_or(Value::Nil)
    }

    /// Sets a key; `false` where it cannot be one.
    pub(crate) fn set(&mut self, key: &Value, value: Value) -> bool {
        if let Some(index) = Self::index(key) {
            if index <= self.array.len() {
                if matches!(value, Value::Nil) && index == self.array.len() {
                    self.array.pop();
                } else if let Some(place) = self.array.get_mut(index - 1) {
                    *place = value;
                }
                return true;
            }
            if index == self.array.len() + 1 {
                if !matches!(value, Value::Nil) {
                    self.push(value);
                }
                return true;
            }
        }
        let Some(key) = key.key() else { return false };
        match value {
            Value::Nil => {
                self.rest.remove(&key);
            }
            value => {
                self.rest.insert(key, value);
            }
        }
        true
    }

    /// Adds behind the last item, and what lay behind the gap with it. A nil is kept as a hole, as the
    /// constructor of Lua does.
    pub(crate) fn push(&mut self, value: Value) {
        self.array.push(value);
        let bits = |index: usize| Key::Number((index as f64).to_bits());
        while let Some(next) = self.rest.remove(&bits(self.array.len() + 1)) {
            self.array.push(next);
        }
    }

    /// What `#` gives: the array without nils at its end.
    pub(crate) fn len(&self) -> usize {
        let nils = self.array.iter().rev().take_while(|value| matches!(value, Value::Nil)).count();
        self.array.len() - nils
    }

    /// Items and fields.
    pub(crate) fn count(&self) -> usize {
        self.array.len() + self.rest.len()
    }

    /// Inserts before an index.
    pub(crate) fn insert(&mut self, index: usize, value: Value) {
        self.array.insert((index.max(1) - 1).min(self.array.len()), value);
    }

    /// Removes at an index.
    pub(crate) fn remove(&mut self, index: usize) -> Value {
        if index >= 1 && index <= self.array.len() { self.array.remove(index - 1) } else { Value::Nil }
    }

    /// The items, to sort.
    pub(crate) fn items_mut(&mut self) -> &mut Vec<Value> {
        &mut self.array
    }

    /// The pair behind a key; the first for nil.
    pub(crate) fn next(&self, key: &Value) -> Option<(Value, Value)> {
        let start = match key {
            Value::Nil => Some(0),
            key => Self::index(key).filter(|index| *index <= self.array.len()),
        };
        if let Some(start) = start {
            for (at, value) in self.array.iter().enumerate().skip(start) {
                if !matches!(value, Value::Nil) {
                    return Some((Value::Number((at + 1) as f64), value.clone()));
                }
            }
            return self.rest.first_key_value().map(|(key, value)| (key.value(), value.clone()));
        }
        let key = key.key()?;
        let mut behind = self.rest.range((std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded));
        behind.next().map(|(key, value)| (key.value(), value.clone()))
    }
}

/// Reads a numeral as Lua does.
pub(crate) fn parse_number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok().map(|number| sign * number as f64);
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    text.parse().ok()
}

/// Writes a number as Lua's `%.14g`.
pub(crate) fn show_number(number: f64) -> String {
    if number.is_nan() {
        return if number.is_sign_negative() { "-nan" } else { "nan" }.to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    crate::redis::codec::general(number, 14)
}

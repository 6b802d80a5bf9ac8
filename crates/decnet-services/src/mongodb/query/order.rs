//! How values compare (MongoDB manual, "BSON Types: Comparison/Sort Order"), and what lies at a path.

use std::cmp::Ordering;

use crate::mongodb::codec::{Document, Value};

/// The place of a type among the others.
pub(crate) fn class(value: &Value) -> u8 {
    match value {
        Value::MinKey => 0,
        Value::Undefined | Value::Null => 5,
        Value::Double(_) | Value::Int(_) | Value::Long(_) | Value::Decimal(_) => 10,
        Value::Text(_) | Value::Symbol(_) => 15,
        Value::Document(_) => 20,
        Value::Array(_) => 25,
        Value::Binary(..) => 30,
        Value::ObjectId(_) => 35,
        Value::Bool(_) => 40,
        Value::Date(_) => 45,
        Value::Timestamp(_) => 47,
        Value::Regex(..) => 50,
        Value::Pointer(..) => 55,
        Value::Code(_) => 60,
        Value::ScopedCode(..) => 65,
        Value::MaxKey => 127,
    }
}

/// Which of two values comes first.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    let by_class = class(a).cmp(&class(b));
    if by_class.is_ne() {
        return by_class;
    }
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Long(_) | Value::Int(_), Value::Long(_) | Value::Int(_)) => a.integer().cmp(&b.integer()),
        (Value::Text(a) | Value::Symbol(a), Value::Text(b) | Value::Symbol(b)) => {
            a.as_bytes().cmp(b.as_bytes())
        }
        (Value::Document(a), Value::Document(b)) => compare_documents(a, b),
        (Value::Array(a), Value::Array(b)) => {
            let unequal = a.iter().zip(b).map(|(a, b)| compare(a, b)).find(|order| order.is_ne());
            unequal.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Binary(a, x), Value::Binary(b, y)) => (x.len(), a, x).cmp(&(y.len(), b, y)),
        (Value::ObjectId(a), Value::ObjectId(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Timestamp(a), Value::Timestamp(b)) => a.cmp(b),
        (Value::Regex(a, x), Value::Regex(b, y)) => (a, x).cmp(&(b, y)),
        (Value::Pointer(a, x), Value::Pointer(b, y)) => (a, x).cmp(&(b, y)),
        (Value::Code(a), Value::Code(b)) => a.cmp(b),
        (Value::ScopedCode(a, x), Value::ScopedCode(b, y)) => a.cmp(b).then_with(|| compare_documents(x, y)),
        _ => match (a.float(), b.float()) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
            _ => Ordering::Equal,
        },
    }
}

fn compare_documents(a: &Document, b: &Document) -> Ordering {
    let pairs = a.0.iter().zip(&b.0);
    let unequal = pairs
        .map(|((n, v), (m, w))| class(v).cmp(&class(w)).then_with(|| n.cmp(m)).then_with(|| compare(v, w)))
        .find(|order| order.is_ne());
    unequal.unwrap_or_else(|| a.0.len().cmp(&b.0.len()))
}

/// Everything at a path; arrays on the way give what each of their elements holds.
pub(crate) fn at_path<'a>(document: &'a Document, path: &str, found: &mut Vec<&'a Value>) {
    let (head, rest) = match path.split_once('.') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    match (document.get(head), rest) {
        (Some(value), None) => found.push(value),
        (Some(value), Some(rest)) => within(value, rest, found),
        (None, _) => {}
    }
}

fn within<'a>(value: &'a Value, path: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Document(document) => at_path(document, path, found),
        Value::Array(values) => {
            let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
            if let Some(value) = head.parse::<usize>().ok().and_then(|index| values.get(index)) {
                match rest {
                    None => found.push(value),
                    Some(rest) => within(value, rest, found),
                }
            }
            for value in values {
                if let Value::Document(document) = value {
                    at_path(document, path, found);
                }
            }
        }
        _ => {}
    }
}

/// By what a document is sorted at a path: the least of several values, or the greatest.
fn key<'a>(document: &'a Document, path: &str, down: bool) -> &'a Value {
    const MISSING: &Value = &Value::Null;
    let mut found = Vec::new();
    at_path(document, path, &mut found);
    let values = found.into_iter().flat_map(|value| match value {
        Value::Array(values) if !values.is_empty() => values.iter().collect::<Vec<_>>(),
        other => vec![other],
    });
    let best = if down { values.max_by(|a, b| compare(a, b)) } else { values.min_by(|a, b| compare(a, b)) };
    best.unwrap_or(MISSING)
}

/// Compares two documents as `sort` says.
pub(crate) fn by_sort(a: &Document, b: &Document, sort: &Document) -> Ordering {
    for (path, direction) in &sort.0 {
        let down = direction.float().is_some_and(|number| number < 0.0);
        let order = compare(key(a, path, down), key(b, path, down));
        if order.is_ne() {
            return if down { order.reverse() } else { order };
        }
    }
    Ordering::Equal
}

/// Bytes that two values share exactly when they are equal, for indexes.
pub(crate) fn fingerprint(value: &Value) -> Vec<u8> {
    let value = match value {
        Value::Int(number) => Value::Double(f64::from(*number)),
        Value::Long(number) if number.unsigned_abs() < 1 << 53 => Value::Double(*number as f64),
        Value::Symbol(text) => Value::Text(text.clone()),
        other => other.clone(),
    };
    Document::new().with("", value).bytes()
}

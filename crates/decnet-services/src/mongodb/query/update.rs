//! Updates: whole documents, and operators.

use super::expression::Expression;
use super::filter::Filter;
use super::order::{by_sort, compare};
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;

/// Elements that an array is filled up to when one far behind its end is set; the product allows more.
const FILL_LIMIT: usize = 1500;

/// What `update` and `findAndModify` do to a document.
#[derive(Debug)]
pub(crate) enum Update {
    Replace(Document),
    Operators(Vec<(String, Document)>),
    /// Stages of a pipeline (4.2): `$set`, `$addFields`, `$unset`, `$replaceWith`.
    Stages(Vec<(String, Value)>),
}

impl Update {
    /// Reads it.
    ///
    /// # Errors
    /// Operators that are none.
    pub(crate) fn parse(value: &Value) -> Result<Update, Fault> {
        match value {
            Value::Document(document)
                if document.0.first().is_some_and(|(name, _)| name.starts_with('$')) =>
            {
                let mut operators = Vec::new();
                for (name, value) in &document.0 {
                    const KNOWN: &[&str] = &[
                        "$set",
                        "$unset",
                        "$inc",
                        "$mul",
                        "$min",
                        "$max",
                        "$rename",
                        "$push",
                        "$addToSet",
                        "$pull",
                        "$pullAll",
                        "$pop",
                        "$currentDate",
                        "$setOnInsert",
                        "$bit",
                    ];
                    if !KNOWN.contains(&name.as_str()) {
                        return Err(Fault::parse(format!(
                            "Unknown modifier: {name}. Expected a valid update modifier or pipeline-style update specified as an array"
                        )));
                    }
                    let Value::Document(fields) = value else {
                        return Err(Fault::parse(format!(
                            "Modifiers operate on fields but we found type {} instead. For example: {{$mod: {{<field>: ...}}}} not {{{name}: {}}}",
                            value.kind_name(),
                            text_of(value)
                        )));
                    };
                    operators.push((name.clone(), fields.clone()));
                }
                Ok(Update::Operators(operators))
            }
            Value::Document(document) => Ok(Update::Replace(document.clone())),
            Value::Array(stages) => {
                let stages = stages.iter().map(|stage| match stage {
                    Value::Document(Document(stage)) if stage.len() == 1 => Ok(stage[0].clone()),
                    _ => Err(Fault::parse(
                        "A pipeline stage specification object must contain exactly one field.",
                    )),
                });
                Ok(Update::Stages(stages.collect::<Result<_, _>>()?))
            }
            _ => Err(Fault::parse("Update argument must be either an object or an array")),
        }
    }

    /// Whether it replaces the whole document.
    pub(crate) fn replaces(&self) -> bool {
        matches!(self, Update::Replace(_))
    }

    /// The document after it. `now` is in milliseconds; `insert` where the document is made by it.
    ///
    /// # Errors
    /// The product's.
    pub(crate) fn apply(&self, document: &Document, now: i64, insert: bool) -> Result<Document, Fault> {
        let mut out = match self {
            Update::Replace(new) => {
                let mut out = Document::new();
                if let Some(id) = new.get("_id").or(document.get("_id")) {
                    out.push("_id", id.clone());
                }
                out.0.extend(new.0.iter().filter(|(name, _)| name != "_id").cloned());
                out
            }
            Update::Operators(operators) => {
                let mut out = document.clone();
                for (operator, fields) in operators {
                    for (path, value) in &fields.0 {
                        operate(&mut out, operator, path, value, now, insert)?;
                    }
                }
                out
            }
            Update::Stages(stages) => {
                let mut out = document.clone();
                for (name, value) in stages {
                    stage(&mut out, name, value)?;
                }
                out
            }
        };
        if let (Some(old), Some(new)) = (document.get("_id"), out.get("_id"))
            && compare(old, new).is_ne()
        {
            return Err(Fault::new(
                66,
                if self.replaces() {
                    format!(
                        "After applying the update, the (immutable) field '_id' was found to have been altered to _id: {}",
                        text_of(new)
                    )
                } else {
                    "Performing an update on the path '_id' would modify the immutable field '_id'".to_owned()
                },
            ));
        }
        if let Some(at) = out.0.iter().position(|(name, _)| name == "_id").filter(|at| *at > 0) {
            let id = out.0.remove(at);
            out.0.insert(0, id);
        }
        Ok(out)
    }
}

fn stage(document: &mut Document, name: &str, value: &Value) -> Result<(), Fault> {
    match (name, value) {
        ("$set" | "$addFields", Value::Document(fields)) => {
            let before = document.clone();
            for (path, value) in &fields.0 {
                if let Some(value) = Expression::parse(value)?.value(&before)? {
                    set(document, path, value)?;
                }
            }
        }
        ("$unset" | "$project", Value::Text(path)) => unset(document, path),
        ("$unset", Value::Array(paths)) => {
            paths.iter().filter_map(Value::text).for_each(|path| unset(document, path));
        }
        ("$replaceWith" | "$replaceRoot", value) => {
            let value = match value {
                Value::Document(document) if name == "$replaceRoot" => {
                    document.get("newRoot").unwrap_or(value)
                }
                other => other,
            };
            if let Some(Value::Document(new)) = Expression::parse(value)?.value(document)? {
                let id = document.get("_id").cloned();
                *document = new;
                if let Some(id) = id {
                    document.set("_id", id);
                }
            }
        }
        _ => return Err(Fault::new(72, format!("{name} is not allowed to be used within an update"))),
    }
    Ok(())
}

/// A value as the messages of the product show it.
pub(crate) fn text_of(value: &Value) -> String {
    let mut text = String::new();
    crate::mongodb::codec::bson::json(value, &mut text, 200);
    text
}

fn operate(
    document: &mut Document,
    operator: &str,
    path: &str,
    value: &Value,
    now: i64,
    insert: bool,
) -> Result<(), Fault> {
    if path.is_empty() {
        return Err(Fault::new(56, "An empty update path is not valid."));
    }
    if path.split('.').any(|part| part == "$") {
        return Err(Fault::bad("The positional operator did not find the match needed from the query."));
    }
    let now_there = get(document, path).cloned();
    match operator {
        "$set" => set(document, path, value.clone()),
        "$setOnInsert" if insert => set(document, path, value.clone()),
        "$setOnInsert" => Ok(()),
        "$unset" => {
            unset(document, path);
            Ok(())
        }
        "$inc" | "$mul" => {
            if !value.is_number() {
                return Err(Fault::mismatch(format!(
                    "Cannot {} with non-numeric argument: {{{path}: {}}}",
                    if operator == "$inc" { "increment" } else { "multiply" },
                    text_of(value)
                )));
            }
            let old = now_there.unwrap_or(Value::Int(0));
            if !old.is_number() {
                return Err(Fault::mismatch(format!(
                    "Cannot apply {operator} to a value of non-numeric type. {{_id: {}}} has the field '{path}' of non-numeric type {}",
                    document.get("_id").map(text_of).unwrap_or_default(),
                    old.kind_name()
                )));
            }
            set(document, path, arithmetic(&old, value, operator == "$mul"))
        }
        "$min" | "$max" => {
            let order = now_there.map(|old| compare(value, &old));
            let better =
                order.is_none_or(|order| if operator == "$min" { order.is_lt() } else { order.is_gt() });
            if better { set(document, path, value.clone()) } else { Ok(()) }
        }
        "$currentDate" => {
            let stamp = matches!(value, Value::Document(kind) if kind.text("$type") == Some("timestamp"));
            let seconds = u64::try_from(now / 1000).unwrap_or(0);
            set(document, path, if stamp { Value::Timestamp(seconds << 32 | 1) } else { Value::Date(now) })
        }
        "$rename" => {
            let Some(new) = value.text() else {
                return Err(Fault::bad(format!(
                    "The 'to' field for $rename must be a string: {path}: {}",
                    text_of(value)
                )));
            };
            if let Some(old) = now_there {
                unset(document, path);
                set(document, new, old)?;
            }
            Ok(())
        }
        "$bit" => {
            let (Value::Document(bits), Some(old)) = (value, now_there.unwrap_or(Value::Int(0)).integer())
            else {
                return Err(Fault::bad("The $bit modifier is not compatible with this value"));
            };
            let mut number = old;
            for (name, value) in &bits.0 {
                let with = value.integer().unwrap_or(0);
                match name.as_str() {
                    "and" => number &= with,
                    "or" => number |= with,
                    _ => number ^= with,
                }
            }
            set(document, path, number)
        }
        _ => array(document, operator, path, value, now_there),
    }
}

fn array(
    document: &mut Document,
    operator: &str,
    path: &str,
    value: &Value,
    now_there: Option<Value>,
) -> Result<(), Fault> {
    let there = now_there.is_some();
    let mut values = match now_there {
        Some(Value::Array(values)) => values,
        None => Vec::new(),
        Some(other) => {
            return Err(Fault::bad(match operator {
                "$push" => format!(
                    "The field '{path}' must be an array but is of type {} in document {{_id: {}}}",
                    other.kind_name(),
                    document.get("_id").map(text_of).unwrap_or_default()
                ),
                "$pop" => {
                    format!("Path '{path}' contains an element of non-array type '{}'", other.kind_name())
                }
                _ => format!("Cannot apply {operator} to a non-array value"),
            }));
        }
    };
    let modifiers = match value {
        Value::Document(modifiers) if modifiers.get("$each").is_some() => Some(modifiers),
        _ => None,
    };
    let given = match modifiers.map(|modifiers| modifiers.array("$each")) {
        Some(Some(each)) => each.to_vec(),
        Some(None) => return Err(Fault::bad("The argument to $each in $push must be an array")),
        None => vec![value.clone()],
    };
    match operator {
        "$push" => {
            let position = modifiers.and_then(|modifiers| modifiers.number("$position"));
            let at = position.map_or(values.len(), |at| {
                let length = values.len() as i64;
                (if at < 0 { (length + at).max(0) } else { at.min(length) }) as usize
            });
            values.splice(at..at, given);
            if let Some(modifiers) = modifiers {
                match modifiers.get("$sort") {
                    Some(Value::Document(sort)) => values.sort_by(|a, b| match (a, b) {
                        (Value::Document(a), Value::Document(b)) => by_sort(a, b, sort),
                        _ => compare(a, b),
                    }),
                    Some(direction) => {
                        let down = direction.float().is_some_and(|number| number < 0.0);
                        values.sort_by(|a, b| if down { compare(b, a) } else { compare(a, b) });
                    }
                    None => {}
                }
                if let Some(slice) = modifiers.number("$slice") {
                    let count = usize::try_from(slice.unsigned_abs()).unwrap_or(usize::MAX);
                    if slice >= 0 {
                        values.truncate(count);
                    } else {
                        values.drain(..values.len().saturating_sub(count));
                    }
                }
            }
        }
        "$addToSet" => {
            for value in given {
                if !values.iter().any(|other| compare(other, &value).is_eq()) {
                    values.push(value);
                }
            }
        }
        _ if !there => return Ok(()),
        "$pullAll" => match value {
            Value::Array(gone) => {
                values.retain(|value| !gone.iter().any(|other| compare(other, value).is_eq()))
            }
            _ => return Err(Fault::bad("$pullAll requires an array argument")),
        },
        "$pop" => match value.integer() {
            Some(-1) if !values.is_empty() => {
                values.remove(0);
            }
            Some(1) => {
                values.pop();
            }
            Some(-1) => {}
            _ => return Err(Fault::parse("$pop expects 1 or -1")),
        },
        _ => {
            let condition = match value {
                Value::Document(condition) if condition.0.iter().all(|(name, _)| !name.starts_with('$')) => {
                    condition.clone()
                }
                other => Document::new().with("", other.clone()),
            };
            let filter = Filter::parse(&condition)?;
            let whole = condition.get("").is_none();
            values.retain(|value| match value {
                Value::Document(document) if whole => !filter.matches(document),
                _ if whole => true,
                other => !filter.matches(&Document::new().with("", other.clone())),
            });
        }
    }
    set(document, path, values)
}

/// A sum or product in the kind that the product would give it.
pub(crate) fn arithmetic(a: &Value, b: &Value, product: bool) -> Value {
    if let (Some(x), Some(y)) = (a.integer(), b.integer())
        && !matches!(a, Value::Double(_))
        && !matches!(b, Value::Double(_))
    {
        let result = if product { x.checked_mul(y) } else { x.checked_add(y) };
        if let Some(result) = result {
            let small = matches!((a, b), (Value::Int(_), Value::Int(_)));
            return match i32::try_from(result) {
                Ok(result) if small => Value::Int(result),
                _ => Value::Long(result),
            };
        }
    }
    let (x, y) = (a.float().unwrap_or(0.0), b.float().unwrap_or(0.0));
    Value::Double(if product { x * y } else { x + y })
}

fn get<'a>(document: &'a Document, path: &str) -> Option<&'a Value> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let mut value = document.get(head)?;
    for part in rest.into_iter().flat_map(|rest| rest.split('.')) {
        value = match value {
            Value::Document(document) => document.get(part)?,
            Value::Array(values) => values.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Puts a value at a path, with the documents on the way.
pub(crate) fn set(document: &mut Document, path: &str, value: impl Into<Value>) -> Result<(), Fault> {
    let parts: Vec<&str> = path.split('.').collect();
    if parts.len() > crate::mongodb::codec::bson::DEPTH_LIMIT / 2 {
        return Err(Fault::new(9, "Document exceeds maximum nesting depth"));
    }
    place(document, &parts, value.into())
}

fn place(document: &mut Document, parts: &[&str], value: Value) -> Result<(), Fault> {
    let Some((head, rest)) = parts.split_first() else { return Ok(()) };
    if rest.is_empty() {
        document.set(head, value);
        return Ok(());
    }
    if document.get(head).is_none() {
        document.push(head, Document::new());
    }
    match document.get_mut(head) {
        Some(inner) => place_within(inner, head, rest, value),
        None => Ok(()),
    }
}

fn place_within(inner: &mut Value, name: &str, parts: &[&str], value: Value) -> Result<(), Fault> {
    match inner {
        Value::Document(document) => place(document, parts, value),
        Value::Array(values) => {
            let Some((head, rest)) = parts.split_first() else { return Ok(()) };
            let Some(index) = head.parse::<usize>().ok() else {
                return Err(Fault::new(
                    28,
                    format!("Cannot create field '{head}' in element {{{name}: array}}"),
                ));
            };
            if index > values.len() + FILL_LIMIT {
                return Err(Fault::new(
                    28,
                    format!(
                        "Cannot create field '{head}' in element: the array would have to be filled with too many nulls"
                    ),
                ));
            }
            while values.len() <= index {
                values.push(Value::Null);
            }
            match (values.get_mut(index), rest.is_empty()) {
                (Some(place), true) => {
                    *place = value;
                    Ok(())
                }
                (Some(place), false) => {
                    if matches!(place, Value::Null) {
                        *place = Value::Document(Document::new());
                    }
                    place_within(place, head, rest, value)
                }
                (None, _) => Ok(()),
            }
        }
        other => Err(Fault::new(
            28,
            format!(
                "Cannot create field '{}' in element {{{name}: {}}}",
                parts.first().unwrap_or(&""),
                text_of(other)
            ),
        )),
    }
}

/// Takes away what lies at a path.
pub(crate) fn unset(document: &mut Document, path: &str) {
    match path.split_once('.') {
        None => {
            document.remove(path);
        }
        Some((head, rest)) => match document.get_mut(head) {
            Some(Value::Document(inner)) => unset(inner, rest),
            Some(Value::Array(values)) => {
                let (index, below) =
                    rest.split_once('.').map_or((rest, None), |(index, below)| (index, Some(below)));
                let place = index.parse::<usize>().ok().and_then(|index| values.get_mut(index));
                match (place, below) {
                    (Some(place), None) => *place = Value::Null,
                    (Some(Value::Document(inner)), Some(below)) => unset(inner, below),
                    _ => {}
                }
            }
            _ => {}
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(update: Document) -> Document {
        let document =
            Document::new().with("_id", 1).with("n", 5).with("list", vec![Value::Int(3), Value::Int(1)]);
        Update::parse(&Value::Document(update)).unwrap().apply(&document, 1000, false).unwrap()
    }

    fn one(operator: &str, name: &str, value: impl Into<Value>) -> Document {
        Document::new().with(operator, Document::new().with(name, value))
    }

    #[test]
    fn operators_change_what_they_name() {
        assert_eq!(after(one("$set", "a.b", 2)).document("a"), Some(&Document::new().with("b", 2)));
        assert_eq!(after(one("$inc", "n", 2)).get("n"), Some(&Value::Int(7)));
        assert_eq!(after(one("$inc", "n", 0.5)).get("n"), Some(&Value::Double(5.5)));
        assert_eq!(after(one("$unset", "n", "")).get("n"), None);
        assert_eq!(after(one("$push", "list", 9)).array("list").unwrap().len(), 3);
        assert_eq!(after(one("$addToSet", "list", 3)).array("list").unwrap().len(), 2);
        assert_eq!(after(one("$pull", "list", 3)).array("list"), Some(&[Value::Int(1)][..]));
        assert_eq!(after(one("$pop", "list", 1)).array("list"), Some(&[Value::Int(3)][..]));
        assert_eq!(after(one("$rename", "n", "m")).get("m"), Some(&Value::Int(5)));
        assert_eq!(after(one("$min", "n", 4)).get("n"), Some(&Value::Int(4)));
        let each = Document::new().with("$each", vec![Value::Int(2)]).with("$sort", 1).with("$slice", -2);
        assert_eq!(
            after(one("$push", "list", each)).array("list"),
            Some(&[Value::Int(2), Value::Int(3)][..])
        );
        assert_eq!(after(Document::new().with("x", 1)), Document::new().with("_id", 1).with("x", 1));
    }

    #[test]
    fn what_may_not_be_is_refused() {
        let document = Document::new().with("_id", 1).with("n", "text");
        let apply = |update: Document| {
            Update::parse(&Value::Document(update))
                .and_then(|update| update.apply(&document, 0, false))
                .unwrap_err()
                .code
        };
        assert_eq!(apply(one("$set", "_id", 2)), 66);
        assert_eq!(apply(one("$inc", "n", 2)), 14);
        assert_eq!(apply(one("$nope", "n", 2)), 9);
        assert_eq!(apply(one("$set", "n.a", 2)), 28);
        assert_eq!(apply(one("$push", "n", 2)), 2);
    }
}

//! Projections.

use super::expression::Expression;
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;

/// Which fields of a document are wanted.
#[derive(Debug)]
pub(crate) struct Projection {
    include: bool,
    id: bool,
    fields: Vec<(String, Field)>,
}

#[derive(Debug)]
enum Field {
    Plain,
    Computed(Expression),
    Slice(i64, Option<i64>),
}

impl Projection {
    /// Reads a projection; none where it is empty.
    ///
    /// # Errors
    /// Both leaving out and taking in (31253, 31254), or an expression that is none.
    pub(crate) fn parse(document: &Document) -> Result<Option<Projection>, Fault> {
        if document.0.is_empty() {
            return Ok(None);
        }
        let (mut include, mut id, mut fields) = (None, None, Vec::new());
        for (path, value) in &document.0 {
            let plain = matches!(value, Value::Bool(_)) || value.is_number();
            if path == "_id" && plain {
                id = Some(value.truth());
                continue;
            }
            if plain {
                match (include, value.truth()) {
                    (None, truth) => include = Some(truth),
                    (Some(true), false) => {
                        return Err(Fault::new(
                            31254,
                            format!("Cannot do exclusion on field {path} in inclusion projection"),
                        ));
                    }
                    (Some(false), true) => {
                        return Err(Fault::new(
                            31253,
                            format!("Cannot do inclusion on field {path} in exclusion projection"),
                        ));
                    }
                    _ => {}
                }
                fields.push((path.clone(), Field::Plain));
                continue;
            }
            if let Value::Document(inner) = value
                && let Some((operator, argument)) = inner.0.first()
                && operator == "$slice"
            {
                let slice = match argument {
                    Value::Array(pair) if pair.len() == 2 => (
                        pair.first().and_then(Value::integer).unwrap_or(0),
                        pair.last().and_then(Value::integer),
                    ),
                    other => (other.integer().unwrap_or(0), None),
                };
                fields.push((path.clone(), Field::Slice(slice.0, slice.1)));
                continue;
            }
            include = include.or(Some(true));
            fields.push((path.clone(), Field::Computed(Expression::parse(value)?)));
        }
        let include = include.unwrap_or(id == Some(true));
        Ok(Some(Projection { include, id: id.unwrap_or(true), fields }))
    }

    /// The document with what is wanted of it.
    ///
    /// # Errors
    /// Those of its expressions.
    pub(crate) fn apply(&self, document: &Document) -> Result<Document, Fault> {
        let mut out = Document::new();
        if self.include {
            if self.id
                && let Some(id) = document.get("_id")
            {
                out.push("_id", id.clone());
            }
            for (name, value) in &document.0 {
                let paths: Vec<&str> = self
                    .fields
                    .iter()
                    .filter(|(_, field)| !matches!(field, Field::Computed(_)))
                    .filter_map(|(path, _)| below(path, name))
                    .collect();
                if name != "_id" && !paths.is_empty() {
                    out.0.extend(keep(value, &paths).map(|value| (name.clone(), value)));
                }
            }
            for (path, field) in &self.fields {
                if let Field::Computed(expression) = field
                    && let Some(value) = expression.value(document)?
                {
                    out.set(path, value);
                }
            }
        } else {
            for (name, value) in &document.0 {
                if name == "_id" && !self.id {
                    continue;
                }
                let plain = self.fields.iter().filter(|(_, field)| matches!(field, Field::Plain));
                let paths: Vec<&str> = plain.filter_map(|(path, _)| below(path, name)).collect();
                out.0.extend(drop_paths(value, &paths).map(|value| (name.clone(), value)));
            }
        }
        for (path, field) in &self.fields {
            if let (Field::Slice(from, count), Some(Value::Array(values))) = (field, out.get_mut(path)) {
                let length = values.len() as i64;
                let (start, count) = match count {
                    Some(count) => (if *from < 0 { (length + from).max(0) } else { *from }, *count),
                    None if *from < 0 => ((length + from).max(0), length),
                    None => (0, *from),
                };
                let sliced = values.iter().skip(start.max(0) as usize).take(count.max(0) as usize);
                *values = sliced.cloned().collect();
            }
        }
        Ok(out)
    }
}

/// What of a path lies below a name: nothing left where it is the name itself.
fn below<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(name)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('.') }
}

fn keep(value: &Value, paths: &[&str]) -> Option<Value> {
    if paths.contains(&"") {
        return Some(value.clone());
    }
    match value {
        Value::Document(document) => {
            let kept = document.0.iter().filter_map(|(name, value)| {
                let inner: Vec<&str> = paths.iter().filter_map(|path| below(path, name)).collect();
                if inner.is_empty() { None } else { keep(value, &inner).map(|value| (name.clone(), value)) }
            });
            Some(Value::Document(Document(kept.collect())))
        }
        Value::Array(values) => {
            Some(Value::Array(values.iter().filter_map(|value| keep(value, paths)).collect()))
        }
        _ => None,
    }
}

fn drop_paths(value: &Value, paths: &[&str]) -> Option<Value> {
    if paths.contains(&"") {
        return None;
    }
    if paths.is_empty() {
        return Some(value.clone());
    }
    Some(match value {
        Value::Document(document) => {
            let kept = document.0.iter().filter_map(|(name, value)| {
                let inner: Vec<&str> = paths.iter().filter_map(|path| below(path, name)).collect();
                drop_paths(value, &inner).map(|value| (name.clone(), value))
            });
            Value::Document(Document(kept.collect()))
        }
        Value::Array(values) => {
            Value::Array(values.iter().filter_map(|value| drop_paths(value, paths)).collect())
        }
        other => other.clone(),
    })
}

//! Aggregation pipelines.

use std::collections::HashMap;
use std::sync::Arc;

use super::expression::{Expression, gathered};
use super::filter::Filter;
use super::order::{at_path, by_sort, compare, fingerprint};
use super::project::Projection;
use super::update::{set, unset};
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;

/// Documents that a stage may give.
pub(crate) const RESULT_LIMIT: usize = 50_000;
/// Bytes that a stage may give; the product's own bound for a stage is 100 MiB.
pub(crate) const RESULT_BYTES: usize = 32 * 1024 * 1024;
/// Comparisons of one command.
pub(crate) const WORK_LIMIT: usize = 4_000_000;
/// Stages of a pipeline (`internalPipelineLengthLimit`).
const STAGES: usize = 1000;

/// Documents of one collection or stage.
pub(crate) type Documents = Vec<Arc<Document>>;

/// What a pipeline needs from outside.
pub(crate) struct Source<'a> {
    /// The documents of another collection of the same database.
    pub(crate) collection: &'a dyn Fn(&str) -> Documents,
    /// Randomness below a bound.
    pub(crate) random: &'a dyn Fn(usize) -> usize,
}

/// The fault of a command that would take too long.
pub(crate) fn too_long() -> Fault {
    Fault::new(50, "operation exceeded time limit")
}

fn bounded(documents: Documents) -> Result<Documents, Fault> {
    let mut bytes = 0usize;
    for document in &documents {
        bytes += document.size();
    }
    if documents.len() > RESULT_LIMIT || bytes > RESULT_BYTES {
        return Err(Fault::new(
            16945,
            "Exceeded memory limit for $group, but didn't allow external sort. Pass allowDiskUse:true to opt in.",
        ));
    }
    Ok(documents)
}

/// The documents that a filter lets through.
///
/// # Errors
/// [`too_long`].
pub(crate) fn filtered(documents: &[Arc<Document>], filter: &Filter) -> Result<Documents, Fault> {
    if filter.weight().saturating_mul(documents.len()) > WORK_LIMIT * 4 {
        return Err(too_long());
    }
    Ok(documents.iter().filter(|document| filter.matches(document)).cloned().collect())
}

/// The name and argument of a stage.
///
/// # Errors
/// A stage that is none.
pub(crate) fn stage(value: &Value) -> Result<(&str, &Value), Fault> {
    match value {
        Value::Document(Document(fields)) => match fields.as_slice() {
            [(name, argument)] => Ok((name.as_str(), argument)),
            _ => Err(Fault::new(
                40323,
                "A pipeline stage specification object must contain exactly one field.",
            )),
        },
        _ => Err(Fault::mismatch("Each element of the 'pipeline' array must be an object")),
    }
}

/// Runs stages over documents.
///
/// # Errors
/// The product's.
pub(crate) fn run(
    mut documents: Documents,
    stages: &[Value],
    source: &Source<'_>,
) -> Result<Documents, Fault> {
    if stages.len() > STAGES {
        return Err(Fault::new(5054701, "Pipeline length must be no longer than 1000 stages"));
    }
    let mut work = 0usize;
    for value in stages {
        let (name, argument) = stage(value)?;
        work = work.saturating_add(documents.len());
        if work > WORK_LIMIT {
            return Err(too_long());
        }
        documents = bounded(one(documents, name, argument, source)?)?;
    }
    Ok(documents)
}

fn object<'a>(name: &str, argument: &'a Value, code: i32) -> Result<&'a Document, Fault> {
    match argument {
        Value::Document(document) => Ok(document),
        _ => Err(Fault::new(code, format!("the {name} specification must be an object"))),
    }
}

fn count(name: &str, argument: &Value, code: i32) -> Result<usize, Fault> {
    argument
        .integer()
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| Fault::new(code, format!("invalid argument to {name} stage: Expected a number")))
}

fn one(documents: Documents, name: &str, argument: &Value, source: &Source<'_>) -> Result<Documents, Fault> {
    Ok(match name {
        "$match" => {
            let filter = match argument {
                Value::Document(document) => Filter::parse(document)?,
                _ => return Err(Fault::new(15959, "the match filter must be an expression in an object")),
            };
            filtered(&documents, &filter)?
        }
        "$limit" => {
            let limit = count(name, argument, 15957)?;
            if limit == 0 {
                return Err(Fault::new(15958, "the limit must be positive"));
            }
            documents.into_iter().take(limit).collect()
        }
        "$skip" => documents.into_iter().skip(count(name, argument, 15956)?).collect(),
        "$sort" => {
            let sort = object(name, argument, 15973)?;
            if sort.0.is_empty() {
                return Err(Fault::new(15976, "$sort stage must have at least one sort key"));
            }
            let mut documents = documents;
            documents.sort_by(|a, b| by_sort(a, b, sort));
            documents
        }
        "$project" => match Projection::parse(object(name, argument, 15969)?)? {
            Some(projection) => documents
                .iter()
                .map(|document| projection.apply(document).map(Arc::new))
                .collect::<Result<_, _>>()?,
            None => {
                return Err(Fault::new(
                    51272,
                    "Invalid $project :: caused by :: projection specification must have at least one field",
                ));
            }
        },
        "$addFields" | "$set" => {
            let mut fields = Vec::new();
            for (path, value) in &object(name, argument, 40272)?.0 {
                fields.push((path, Expression::parse(value)?));
            }
            let changed = documents.iter().map(|document| {
                let mut out = Document::clone(document);
                for (path, expression) in &fields {
                    if let Some(value) = expression.value(document)? {
                        set(&mut out, path, value)?;
                    }
                }
                Ok(Arc::new(out))
            });
            changed.collect::<Result<_, Fault>>()?
        }
        "$unset" => {
            let paths: Vec<&str> = match argument {
                Value::Array(paths) => paths.iter().filter_map(Value::text).collect(),
                other => other.text().into_iter().collect(),
            };
            let changed = documents.iter().map(|document| {
                let mut out = Document::clone(document);
                paths.iter().for_each(|path| unset(&mut out, path));
                Arc::new(out)
            });
            changed.collect()
        }
        "$replaceRoot" | "$replaceWith" => {
            let root = match argument {
                Value::Document(document) if name == "$replaceRoot" => document
                    .get("newRoot")
                    .ok_or_else(|| Fault::new(40231, "no newRoot specified for the $replaceRoot stage"))?,
                other => other,
            };
            let expression = Expression::parse(root)?;
            let replaced = documents.iter().map(|document| match expression.value(document)? {
                Some(Value::Document(root)) => Ok(Arc::new(root)),
                _ => Err(Fault::new(40228, "'newRoot' expression must evaluate to an object")),
            });
            replaced.collect::<Result<_, Fault>>()?
        }
        "$count" => {
            let Some(field) = argument.text().filter(|field| !field.is_empty()) else {
                return Err(Fault::new(40156, "the count field must be a non-empty string"));
            };
            if documents.is_empty() {
                return Ok(Vec::new());
            }
            vec![Arc::new(Document::new().with(field, i32::try_from(documents.len()).unwrap_or(i32::MAX)))]
        }
        "$group" => group(&documents, object(name, argument, 15947)?)?,
        "$sortByCount" => {
            let spec =
                Document::new().with("_id", argument.clone()).with("count", Document::new().with("$sum", 1));
            let mut groups = group(&documents, &spec)?;
            let sort = Document::new().with("count", -1);
            groups.sort_by(|a, b| by_sort(a, b, &sort));
            groups
        }
        "$unwind" => unwind(&documents, argument)?,
        "$sample" => {
            let size = match argument {
                Value::Document(document) => document.number("size"),
                _ => None,
            };
            let Some(size) = size.and_then(|size| usize::try_from(size).ok()) else {
                return Err(Fault::new(28747, "size argument to $sample must be a positive integer"));
            };
            let mut documents = documents;
            let size = size.min(documents.len());
            for at in 0..size {
                let other = at + (source.random)(documents.len() - at);
                documents.swap(at, other);
            }
            documents.truncate(size);
            documents
        }
        "$lookup" => lookup(&documents, object(name, argument, 9)?, source)?,
        "$facet" => {
            let mut out = Document::new();
            for (field, stages) in &object(name, argument, 40169)?.0 {
                let Value::Array(stages) = stages else {
                    return Err(Fault::new(
                        40170,
                        format!("arguments to $facet must be arrays, {field} is type {}", stages.kind_name()),
                    ));
                };
                if stages.iter().any(|value| stage(value).is_ok_and(|(name, _)| name == "$facet")) {
                    return Err(Fault::new(40600, "$facet is not allowed to be used within a $facet stage"));
                }
                let found = run(documents.clone(), stages, source)?;
                out.push(
                    field,
                    found
                        .iter()
                        .map(|document| Value::Document(Document::clone(document)))
                        .collect::<Vec<_>>(),
                );
            }
            vec![Arc::new(out)]
        }
        "$redact" | "$graphLookup" | "$bucket" | "$bucketAuto" | "$geoNear" | "$unionWith"
        | "$setWindowFields" | "$merge" | "$out" | "$densify" | "$fill" | "$changeStream" => {
            return Err(Fault::new(
                238,
                format!("Feature not supported by this server configuration: {name}"),
            ));
        }
        _ => return Err(Fault::new(40324, format!("Unrecognized pipeline stage name: '{name}'"))),
    })
}

fn group(documents: &[Arc<Document>], spec: &Document) -> Result<Documents, Fault> {
    let id = spec.get("_id").ok_or_else(|| Fault::new(15955, "a group specification must include an _id"))?;
    let id = Expression::parse(id)?;
    let mut fields = Vec::new();
    for (name, value) in spec.0.iter().filter(|(name, _)| name != "_id") {
        match value {
            Value::Document(Document(inner)) if inner.len() == 1 => {
                const KNOWN: &[&str] = &[
                    "$sum",
                    "$avg",
                    "$min",
                    "$max",
                    "$first",
                    "$last",
                    "$push",
                    "$addToSet",
                    "$count",
                    "$mergeObjects",
                ];
                let (operator, argument) = &inner[0];
                if !KNOWN.contains(&operator.as_str()) {
                    return Err(Fault::new(15952, format!("unknown group operator '{operator}'")));
                }
                fields.push((name, operator.as_str(), Expression::parse(argument)?));
            }
            _ => return Err(Fault::new(40234, format!("The field '{name}' must be an accumulator object"))),
        }
    }
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut groups: Vec<(Value, Vec<Vec<Value>>)> = Vec::new();
    for document in documents {
        let key = id.value(document)?.unwrap_or(Value::Null);
        let at = *places.entry(fingerprint(&key)).or_insert_with(|| {
            groups.push((key, vec![Vec::new(); fields.len()]));
            groups.len() - 1
        });
        let Some((_, gathered)) = groups.get_mut(at) else { continue };
        for (values, (_, operator, expression)) in gathered.iter_mut().zip(&fields) {
            match expression.value(document)? {
                _ if *operator == "$count" => values.push(Value::Int(1)),
                Some(value) => values.push(value),
                None if matches!(*operator, "$first" | "$last") => values.push(Value::Null),
                None => {}
            }
        }
    }
    let made = groups.into_iter().map(|(key, gathered_values)| {
        let mut out = Document::new().with("_id", key);
        for (values, (name, operator, _)) in gathered_values.into_iter().zip(&fields) {
            let value = match *operator {
                "$first" => values.into_iter().next().unwrap_or(Value::Null),
                "$last" => values.into_iter().next_back().unwrap_or(Value::Null),
                "$push" => Value::Array(values),
                "$addToSet" => {
                    let mut seen = std::collections::HashSet::new();
                    Value::Array(values.into_iter().filter(|value| seen.insert(fingerprint(value))).collect())
                }
                "$count" => gathered("$sum", &values),
                "$mergeObjects" => {
                    let mut merged = Document::new();
                    for value in &values {
                        if let Value::Document(document) = value {
                            document.0.iter().for_each(|(name, value)| merged.set(name, value.clone()));
                        }
                    }
                    Value::Document(merged)
                }
                other => gathered(other, &values),
            };
            out.push(name, value);
        }
        Arc::new(out)
    });
    Ok(made.collect())
}

fn unwind(documents: &[Arc<Document>], argument: &Value) -> Result<Documents, Fault> {
    let (path, keep_empty, index) = match argument {
        Value::Text(path) => (path.as_str(), false, None),
        Value::Document(document) => (
            document.text("path").unwrap_or(""),
            document.truth("preserveNullAndEmptyArrays"),
            document.text("includeArrayIndex"),
        ),
        _ => {
            return Err(Fault::new(
                15981,
                "expected either a string or an object as specification for $unwind stage",
            ));
        }
    };
    let Some(path) = path.strip_prefix('$') else {
        return Err(Fault::new(
            28818,
            format!("path option to $unwind stage should be prefixed with a '$': {path}"),
        ));
    };
    let mut out = Vec::new();
    for document in documents {
        let mut found = Vec::new();
        at_path(document, path, &mut found);
        match found.first() {
            Some(Value::Array(values)) if !values.is_empty() => {
                for (at, value) in values.iter().enumerate() {
                    if out.len() > RESULT_LIMIT {
                        return Err(Fault::new(16945, "Exceeded memory limit for $unwind"));
                    }
                    let mut one = Document::clone(document);
                    set(&mut one, path, value.clone())?;
                    if let Some(index) = index {
                        set(&mut one, index, at as i64)?;
                    }
                    out.push(Arc::new(one));
                }
            }
            Some(Value::Array(_) | Value::Null) | None if !keep_empty => {}
            Some(Value::Array(_)) => {
                let mut one = Document::clone(document);
                unset(&mut one, path);
                out.push(Arc::new(one));
            }
            _ => out.push(Arc::clone(document)),
        }
    }
    Ok(out)
}

fn lookup(documents: &[Arc<Document>], spec: &Document, source: &Source<'_>) -> Result<Documents, Fault> {
    let (Some(from), Some(into)) = (spec.text("from"), spec.text("as")) else {
        return Err(Fault::parse("must specify 'as' and 'from' fields for a $lookup"));
    };
    let (Some(local), Some(foreign)) = (spec.text("localField"), spec.text("foreignField")) else {
        return Err(Fault::parse(
            "$lookup requires either 'pipeline' or both 'localField' and 'foreignField' to be specified",
        ));
    };
    let others = (source.collection)(from);
    if documents.len().saturating_mul(others.len()) > WORK_LIMIT {
        return Err(too_long());
    }
    let mut bytes = 0;
    let mut out = Vec::new();
    for document in documents {
        let mut here = Vec::new();
        at_path(document, local, &mut here);
        let matched: Vec<Value> = others
            .iter()
            .filter(|other| {
                let mut there = Vec::new();
                at_path(other, foreign, &mut there);
                match (here.is_empty(), there.is_empty()) {
                    (true, true) => true,
                    (true, false) => there.iter().any(|value| matches!(value, Value::Null)),
                    _ => here.iter().any(|a| there.iter().any(|b| same(a, b))),
                }
            })
            .map(|other| Value::Document(Document::clone(other)))
            .collect();
        bytes += matched.iter().map(Value::size).sum::<usize>();
        if bytes > RESULT_BYTES {
            return Err(Fault::new(
                4568,
                "Total size of documents in collection matching pipeline's $lookup stage exceeds the limit",
            ));
        }
        let mut one = Document::clone(document);
        set(&mut one, into, matched)?;
        out.push(Arc::new(one));
    }
    Ok(out)
}

fn same(a: &Value, b: &Value) -> bool {
    let within = |list: &[Value], value: &Value| list.iter().any(|other| compare(other, value).is_eq());
    match (a, b) {
        (Value::Array(list), other) | (other, Value::Array(list)) => within(list, other),
        _ => compare(a, b).is_eq(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders() -> Documents {
        let rows = [("a", 1), ("b", 2), ("a", 3)];
        rows.iter()
            .map(|(who, total)| Arc::new(Document::new().with("who", *who).with("total", *total)))
            .collect()
    }

    fn source<'a>() -> Source<'a> {
        Source {
            collection: &|_| vec![Arc::new(Document::new().with("name", "a").with("city", "Ulm"))],
            random: &|bound| bound.saturating_sub(1),
        }
    }

    fn ran(stages: &[Document]) -> Result<Vec<Document>, Fault> {
        let stages: Vec<Value> = stages.iter().cloned().map(Value::from).collect();
        Ok(run(orders(), &stages, &source())?.iter().map(|document| Document::clone(document)).collect())
    }

    #[test]
    fn stages_follow_each_other() {
        let group = Document::new().with(
            "$group",
            Document::new().with("_id", "$who").with("sum", Document::new().with("$sum", "$total")),
        );
        let sort = Document::new().with("$sort", Document::new().with("sum", -1));
        let limit = Document::new().with("$limit", 1);
        assert_eq!(ran(&[group, sort, limit]).unwrap(), [Document::new().with("_id", "a").with("sum", 4)]);
        let lookup = Document::new().with(
            "$lookup",
            Document::new()
                .with("from", "x")
                .with("localField", "who")
                .with("foreignField", "name")
                .with("as", "l"),
        );
        let unwind = Document::new().with("$unwind", "$l");
        let count = Document::new().with("$count", "n");
        assert_eq!(ran(&[lookup, unwind, count]).unwrap(), [Document::new().with("n", 2)]);
        let sample = Document::new().with("$sample", Document::new().with("size", 2));
        assert_eq!(ran(&[sample]).unwrap().len(), 2);
        let project = Document::new().with(
            "$project",
            Document::new().with("_id", 0).with("w", Document::new().with("$toUpper", "$who")),
        );
        assert_eq!(ran(&[project]).unwrap()[0], Document::new().with("w", "A"));
    }

    #[test]
    fn faults_have_the_codes_of_the_product() {
        assert_eq!(ran(&[Document::new().with("$nope", 1)]).unwrap_err().code, 40324);
        let bad =
            Document::new().with("$project", Document::new().with("a", Document::new().with("$nope", 1)));
        assert_eq!(ran(&[bad]).unwrap_err().code, 168);
    }

    #[test]
    fn results_are_bounded() {
        let many: Documents = (0..3000).map(|n| Arc::new(Document::new().with("n", n))).collect();
        let lookup = Document::new().with(
            "$lookup",
            Document::new()
                .with("from", "x")
                .with("localField", "n")
                .with("foreignField", "n")
                .with("as", "l"),
        );
        let others = many.clone();
        let source = Source { collection: &|_| others.clone(), random: &|_| 0 };
        assert_eq!(run(many, &[lookup.into()], &source).unwrap_err().code, 50);
    }
}

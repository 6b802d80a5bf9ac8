//! Filters, as `find`, `$match`, `update` and `delete` take them.

use regex_lite::{Regex, RegexBuilder};

use super::expression::Expression;
use super::order::{at_path, class, compare};
use crate::mongodb::codec::{Document, Value};
use crate::mongodb::fault::Fault;

/// Bytes that a compiled pattern may take.
const PATTERN_LIMIT: usize = 256 * 1024;

/// A condition on a document.
#[derive(Debug)]
pub(crate) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Neither(Vec<Filter>),
    Field(String, Vec<Test>),
    Expression(Expression),
}

/// A condition on what lies at a path.
#[derive(Debug)]
pub(crate) enum Test {
    Equal(Value),
    Greater(Value, bool),
    Less(Value, bool),
    In(Vec<Value>, Vec<Regex>),
    Exists(bool),
    Type(Vec<u8>),
    Regex(Regex),
    Not(Vec<Test>),
    Size(i64),
    Every(Vec<Test>),
    Modulo(i64, i64),
    Element(Box<Filter>),
    ElementValue(Vec<Test>),
}

/// A pattern with its options.
///
/// # Errors
/// One that does not read.
pub(crate) fn pattern(text: &str, options: &str) -> Result<Regex, Fault> {
    RegexBuilder::new(text)
        .case_insensitive(options.contains('i'))
        .multi_line(options.contains('m'))
        .dot_matches_new_line(options.contains('s'))
        .ignore_whitespace(options.contains('x'))
        .size_limit(PATTERN_LIMIT)
        .build()
        .map_err(|_| {
            Fault::new(51091, "Regular expression is invalid: quantifier does not follow a repeatable item")
        })
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// The product's, for operators and values that are none.
    pub(crate) fn parse(document: &Document) -> Result<Filter, Fault> {
        let mut all = Vec::new();
        for (name, value) in &document.0 {
            if let Some(operator) = name.strip_prefix('$') {
                match operator {
                    "and" => all.push(Filter::All(list(name, value)?)),
                    "or" => all.push(Filter::Any(list(name, value)?)),
                    "nor" => all.push(Filter::Neither(list(name, value)?)),
                    "expr" => all.push(Filter::Expression(Expression::parse(value)?)),
                    "comment" | "alwaysTrue" => {}
                    "alwaysFalse" => all.push(Filter::Any(Vec::new())),
                    "where" => return Err(Fault::bad("no globalScriptEngine in $where parsing")),
                    "text" => return Err(Fault::new(27, "text index required for $text query")),
                    _ => {
                        return Err(Fault::bad(format!(
                            "unknown top level operator: {name}. If you have a field name that starts with a '$' symbol, consider using $getField or $setField."
                        )));
                    }
                }
                continue;
            }
            all.push(Filter::Field(name.clone(), tests(value)?));
        }
        Ok(Filter::All(all))
    }

    /// How many comparisons it may take for one document.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Filter::All(all) | Filter::Any(all) | Filter::Neither(all) => {
                1 + all.iter().map(Filter::weight).sum::<usize>()
            }
            Filter::Field(_, tests) => tests.iter().map(Test::weight).sum::<usize>() + 1,
            Filter::Expression(_) => 4,
        }
    }

    /// Whether a document meets it.
    pub(crate) fn matches(&self, document: &Document) -> bool {
        match self {
            Filter::All(all) => all.iter().all(|filter| filter.matches(document)),
            Filter::Any(any) => any.iter().any(|filter| filter.matches(document)),
            Filter::Neither(any) => !any.iter().any(|filter| filter.matches(document)),
            Filter::Expression(expression) => {
                expression.value(document).is_ok_and(|value| value.is_some_and(|value| value.truth()))
            }
            Filter::Field(path, tests) => {
                let mut found = Vec::new();
                at_path(document, path, &mut found);
                tests.iter().all(|test| test.holds(&found))
            }
        }
    }

    /// The values that a document must have, for an upsert.
    pub(crate) fn equalities(&self, into: &mut Vec<(String, Value)>) {
        match self {
            Filter::All(all) => all.iter().for_each(|filter| filter.equalities(into)),
            Filter::Field(path, tests) => {
                for test in tests {
                    if let Test::Equal(value) = test {
                        into.push((path.clone(), value.clone()));
                    }
                }
            }
            _ => {}
        }
    }
}

fn list(name: &str, value: &Value) -> Result<Vec<Filter>, Fault> {
    let Value::Array(values) = value else {
        return Err(Fault::bad(format!("{name} must be an array")));
    };
    if values.is_empty() {
        return Err(Fault::bad(
            format!("{name}/$or/$nor must be a nonempty array")
                .replace(&format!("{name}/$or/$nor"), "$and/$or/$nor"),
        ));
    }
    values
        .iter()
        .map(|value| match value {
            Value::Document(document) => Filter::parse(document),
            _ => Err(Fault::bad("$or/$and/$nor entries need to be full objects")),
        })
        .collect()
}

/// The tests that a value in a filter stands for.
fn tests(value: &Value) -> Result<Vec<Test>, Fault> {
    match value {
        Value::Regex(text, options) => Ok(vec![Test::Regex(pattern(text, options)?)]),
        Value::Document(document)
            if document
                .0
                .first()
                .is_some_and(|(name, _)| name.starts_with('$') && name != "$ref" && name != "$id") =>
        {
            let options = document.text("$options").unwrap_or("");
            let mut tests = Vec::new();
            for (name, value) in &document.0 {
                if name != "$options" {
                    tests.push(test(name, value, options)?);
                }
            }
            Ok(tests)
        }
        other => Ok(vec![Test::Equal(other.clone())]),
    }
}

fn test(name: &str, value: &Value, options: &str) -> Result<Test, Fault> {
    let array = || match value {
        Value::Array(values) => Ok(values),
        _ => Err(Fault::bad(format!("{name} needs an array"))),
    };
    Ok(match name {
        "$eq" => Test::Equal(value.clone()),
        "$ne" => match value {
            Value::Regex(..) => return Err(Fault::bad("Can't have regex as arg to $ne.")),
            other => Test::Not(vec![Test::Equal(other.clone())]),
        },
        "$gt" => Test::Greater(value.clone(), false),
        "$gte" => Test::Greater(value.clone(), true),
        "$lt" => Test::Less(value.clone(), false),
        "$lte" => Test::Less(value.clone(), true),
        "$in" | "$nin" => {
            let (mut values, mut patterns) = (Vec::new(), Vec::new());
            for value in array()? {
                match value {
                    Value::Regex(text, options) => patterns.push(pattern(text, options)?),
                    other => values.push(other.clone()),
                }
            }
            let test = Test::In(values, patterns);
            if name == "$nin" { Test::Not(vec![test]) } else { test }
        }
        "$exists" => Test::Exists(value.truth()),
        "$type" => Test::Type(types(value)?),
        "$regex" => match value {
            Value::Text(text) => Test::Regex(pattern(text, options)?),
            Value::Regex(text, own) => {
                Test::Regex(pattern(text, if options.is_empty() { own } else { options })?)
            }
            _ => return Err(Fault::bad("$regex has to be a string")),
        },
        "$not" => match value {
            Value::Regex(..) => Test::Not(tests(value)?),
            Value::Document(document) if !document.0.is_empty() => Test::Not(tests(value)?),
            Value::Document(_) => return Err(Fault::bad("$not cannot be empty")),
            _ => return Err(Fault::bad("$not needs a regex or a document")),
        },
        "$size" => match value.integer() {
            Some(size) if size >= 0 => Test::Size(size),
            Some(_) => return Err(Fault::bad("$size may not be negative")),
            None => return Err(Fault::bad("$size needs a number")),
        },
        "$all" => {
            let tests = array()?.iter().map(|value| match value {
                Value::Document(document) if document.get("$elemMatch").is_some() => {
                    test("$elemMatch", document.get("$elemMatch").unwrap_or(&Value::Null), "")
                }
                Value::Regex(text, options) => Ok(Test::Regex(pattern(text, options)?)),
                other => Ok(Test::Equal(other.clone())),
            });
            Test::Every(tests.collect::<Result<_, _>>()?)
        }
        "$mod" => match array()?.as_slice() {
            [divisor, rest] => match (divisor.integer(), rest.integer()) {
                (Some(0), _) => return Err(Fault::bad("divisor cannot be 0")),
                (Some(divisor), Some(rest)) => Test::Modulo(divisor, rest),
                _ => return Err(Fault::bad("malformed mod, divisor not a number")),
            },
            _ => return Err(Fault::bad("malformed mod, not enough elements")),
        },
        "$elemMatch" => match value {
            Value::Document(document)
                if document.0.first().is_some_and(|(name, _)| {
                    name.starts_with('$') && !matches!(name.as_str(), "$and" | "$or" | "$nor" | "$where")
                }) =>
            {
                Test::ElementValue(tests(value)?)
            }
            Value::Document(document) => Test::Element(Box::new(Filter::parse(document)?)),
            _ => return Err(Fault::bad("$elemMatch needs an Object")),
        },
        "$comment" => Test::Every(Vec::new()),
        other => return Err(Fault::bad(format!("unknown operator: {other}"))),
    })
}

fn types(value: &Value) -> Result<Vec<u8>, Fault> {
    const NAMES: [(&str, u8); 20] = [
        ("double", 1),
        ("string", 2),
        ("object", 3),
        ("array", 4),
        ("binData", 5),
        ("undefined", 6),
        ("objectId", 7),
        ("bool", 8),
        ("date", 9),
        ("null", 10),
        ("regex", 11),
        ("dbPointer", 12),
        ("javascript", 13),
        ("symbol", 14),
        ("javascriptWithScope", 15),
        ("int", 16),
        ("timestamp", 17),
        ("long", 18),
        ("decimal", 19),
        ("minKey", 255),
    ];
    let one = |value: &Value| -> Result<Vec<u8>, Fault> {
        match value {
            Value::Text(text) if text == "number" => Ok(vec![1, 16, 18, 19]),
            Value::Text(text) if text == "maxKey" => Ok(vec![127]),
            Value::Text(text) => NAMES
                .iter()
                .find(|(name, _)| name == text)
                .map(|(_, number)| vec![*number])
                .ok_or_else(|| Fault::bad(format!("Unknown type name alias: {text}"))),
            other => match other.integer() {
                Some(-1) => Ok(vec![255]),
                Some(number @ (1..=19 | 127)) => Ok(vec![number as u8]),
                Some(number) => Err(Fault::bad(format!("Invalid numerical type code: {number}"))),
                None => Err(Fault::mismatch("type must be represented as a number or a string")),
            },
        }
    };
    match value {
        Value::Array(values) => Ok(values.iter().map(one).collect::<Result<Vec<_>, _>>()?.concat()),
        other => one(other),
    }
}

impl Test {
    fn weight(&self) -> usize {
        match self {
            Test::In(values, patterns) => values.len() + patterns.len() * 4,
            Test::Not(tests) | Test::Every(tests) | Test::ElementValue(tests) => {
                1 + tests.iter().map(Test::weight).sum::<usize>()
            }
            Test::Element(filter) => filter.weight(),
            Test::Regex(_) => 4,
            _ => 1,
        }
    }

    fn holds(&self, found: &[&Value]) -> bool {
        match self {
            Test::Exists(wanted) => found.is_empty() != *wanted,
            Test::Not(tests) => !tests.iter().all(|test| test.holds(found)),
            Test::Every(tests) => tests.iter().all(|test| test.holds(found)),
            Test::Size(size) => found
                .iter()
                .any(|value| matches!(value, Value::Array(values) if values.len() as i64 == *size)),
            Test::Element(filter) => found.iter().any(|value| match value {
                Value::Array(values) => values
                    .iter()
                    .any(|value| matches!(value, Value::Document(document) if filter.matches(document))),
                _ => false,
            }),
            Test::ElementValue(tests) => found.iter().any(|value| match value {
                Value::Array(values) => {
                    values.iter().any(|value| tests.iter().all(|test| test.holds(&[value])))
                }
                _ => false,
            }),
            Test::Equal(Value::Null) if found.is_empty() => true,
            Test::In(values, _) if found.is_empty() => values.contains(&Value::Null),
            _ => found.iter().any(|value| {
                self.one(value)
                    || matches!(value, Value::Array(values) if values.iter().any(|value| self.one(value)))
            }),
        }
    }

    fn one(&self, value: &Value) -> bool {
        let comparable =
            |other: &Value| class(value) == class(other) || matches!(other, Value::MinKey | Value::MaxKey);
        match self {
            Test::Equal(Value::Null) => matches!(value, Value::Null | Value::Undefined),
            Test::Equal(other) => compare(value, other).is_eq(),
            Test::Greater(other, equal) => {
                comparable(other)
                    && (compare(value, other).is_gt() || *equal && compare(value, other).is_eq())
            }
            Test::Less(other, equal) => {
                comparable(other)
                    && (compare(value, other).is_lt() || *equal && compare(value, other).is_eq())
            }
            Test::In(values, patterns) => {
                values.iter().any(|other| compare(value, other).is_eq())
                    || value.text().is_some_and(|text| patterns.iter().any(|pattern| pattern.is_match(text)))
            }
            Test::Type(kinds) => kinds.contains(&value.kind()),
            Test::Regex(pattern) => value.text().is_some_and(|text| pattern.is_match(text)),
            Test::Modulo(divisor, rest) => {
                value.is_number()
                    && value.integer().and_then(|number| number.checked_rem(*divisor)) == Some(*rest)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(operator: &str, value: impl Into<Value>) -> Document {
        Document::new().with("a", Document::new().with(operator, value))
    }

    #[test]
    fn operators_mean_what_they_say() {
        let document = Document::new()
            .with("a", 5)
            .with("tags", vec![Value::from("x"), Value::from("y")])
            .with("sub", Document::new().with("name", "Becker"))
            .with(
                "rows",
                vec![Value::from(Document::new().with("n", 1)), Value::from(Document::new().with("n", 7))],
            );
        let yes = [
            Document::new(),
            Document::new().with("a", 5.0),
            one("$gt", 4),
            one("$lte", 5i64),
            one("$in", vec![Value::Int(1), Value::Int(5)]),
            one("$ne", 4),
            one("$mod", vec![Value::Int(2), Value::Int(1)]),
            one("$not", Document::new().with("$gt", 9)),
            one("$type", "number"),
            Document::new().with("missing", Value::Null),
            Document::new().with("missing", Document::new().with("$exists", false)),
            Document::new().with("tags", "x"),
            Document::new().with("tags", Document::new().with("$size", 2)),
            Document::new().with("tags", Document::new().with("$all", vec![Value::from("y")])),
            Document::new().with("sub.name", Value::Regex("^beck".into(), "i".into())),
            Document::new().with("rows.n", 7),
            Document::new().with("rows.0.n", 1),
            Document::new().with("rows", Document::new().with("$elemMatch", Document::new().with("n", 7))),
            Document::new().with("$or", vec![Value::from(one("$gt", 9)), Value::from(one("$lt", 9))]),
        ];
        for filter in yes {
            assert!(Filter::parse(&filter).unwrap().matches(&document), "{}", filter.json(500));
        }
        let no = [
            one("$gt", "4"),
            one("$exists", false),
            one("$nin", vec![Value::Int(5)]),
            Document::new().with("tags", "z"),
            Document::new().with("$nor", vec![Value::from(one("$eq", 5))]),
        ];
        for filter in no {
            assert!(!Filter::parse(&filter).unwrap().matches(&document), "{}", filter.json(500));
        }
    }

    #[test]
    fn what_is_no_operator_is_named() {
        let fault = Filter::parse(&one("$gtx", 4)).unwrap_err();
        assert_eq!((fault.code, fault.text.as_str()), (2, "unknown operator: $gtx"));
        let wide = RegexBuilder::new("a").build();
        assert!(wide.is_ok());
        assert_eq!(Filter::parse(&one("$regex", "(")).unwrap_err().code, 51091);
        assert_eq!(Filter::parse(&one("$regex", "(a{1000}){1000}")).unwrap_err().code, 51091);
    }
}

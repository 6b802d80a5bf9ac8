//! Aggregations over the documents that a query found.

use std::collections::BTreeMap;

use super::codec::json::{Json, object};
use super::error::EsError;
use super::query::{Present, Query, compare, date, field_values, iso, kind, read};
use super::store::{Doc, Index};

/// Deepest nesting.
const DEPTH: usize = 8;
/// Most buckets: ours, below the product's `search.max_buckets` of 65,536.
const BUCKETS: usize = 10_000;
/// Most aggregations side by side.
const WIDTH: usize = 50;

/// A document and its index.
pub(super) type Hit<'a> = (&'a Index, &'a Doc);

/// All aggregations of an object.
///
/// # Errors
/// The product's parsing errors.
pub(super) fn all(asked: &Json, hits: &[Hit<'_>], present: Present, depth: usize) -> Result<Json, EsError> {
    if depth > DEPTH {
        return Err(EsError::argument("the aggregations are nested too deeply"));
    }
    let mut out = Json::empty();
    for (name, body) in asked.members().iter().take(WIDTH) {
        let members = body.members();
        let inner = body.get("aggs").or(body.get("aggregations"));
        let Some((kind, body)) =
            members.iter().find(|(key, _)| !matches!(key.as_str(), "aggs" | "aggregations" | "meta"))
        else {
            return Err(EsError::parsing(format!("Missing definition for aggregation [{name}]")));
        };
        out.set(name, one(kind, body, inner, hits, present, depth)?);
    }
    Ok(out)
}

fn numbers(field: &str, hits: &[Hit<'_>]) -> Vec<f64> {
    let of = |(index, doc): &Hit<'_>| {
        field_values(doc, &index.name, field).into_iter().filter_map(|value| match value {
            Json::Text(text) => date(&text, 0).map(|at| at as f64),
            Json::Bool(value) => Some(f64::from(u8::from(value))),
            value => value.number(),
        })
    };
    hits.iter().flat_map(of).collect()
}

fn bucket(
    mut head: Json,
    docs: &[Hit<'_>],
    inner: Option<&Json>,
    present: Present,
    depth: usize,
) -> Result<Json, EsError> {
    head.set("doc_count", docs.len());
    if let Some(inner) = inner {
        head.merge(&all(inner, docs, present, depth + 1)?);
    }
    Ok(head)
}

fn one(
    name: &str,
    body: &Json,
    inner: Option<&Json>,
    hits: &[Hit<'_>],
    present: Present,
    depth: usize,
) -> Result<Json, EsError> {
    let field = body.get("field").and_then(Json::text);
    let need = || {
        field.ok_or_else(|| {
            EsError::new(
                400,
                "illegal_argument_exception",
                "Required one of fields [field, script], but none were specified. ",
            )
        })
    };
    let metric = |value: Option<f64>| {
        let mut out = object! { "value" => value };
        if let (Some(value), Some(field)) = (value, field)
            && hits.first().and_then(|(index, _)| kind(index, field)) == Some("date")
        {
            out.set("value_as_string", iso(value as i64));
        }
        out
    };
    match name {
        "avg" | "min" | "max" | "sum" | "value_count" | "stats" | "extended_stats" => {
            let field = need()?;
            if name == "value_count" {
                let count: usize =
                    hits.iter().map(|(index, doc)| field_values(doc, &index.name, field).len()).sum();
                return Ok(object! { "value" => count });
            }
            let numbers = numbers(field, hits);
            let count = numbers.len();
            let sum: f64 = numbers.iter().sum();
            let least = numbers.iter().copied().min_by(f64::total_cmp);
            let most = numbers.iter().copied().max_by(f64::total_cmp);
            let mean = (count > 0).then(|| sum / count as f64);
            Ok(match name {
                "avg" => metric(mean),
                "min" => metric(least),
                "max" => metric(most),
                "sum" => object! { "value" => sum },
                _ => object! { "count" => count, "min" => least, "max" => most, "avg" => mean, "sum" => sum },
            })
        }
        "cardinality" => {
            let field = need()?;
            let mut seen = std::collections::BTreeSet::new();
            for (index, doc) in hits {
                seen.extend(field_values(doc, &index.name, field).iter().filter_map(Json::keyword));
            }
            Ok(object! { "value" => seen.len() })
        }
        "terms" | "significant_terms" => {
            let field = need()?;
            if hits.first().is_some_and(|(index, _)| kind(index, field) == Some("text")) {
                return Err(EsError::argument(format!(
                    "Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead. Alternatively, set fielddata=true on [{field}] in order to load field data by uninverting the inverted index. Note that this can use significant memory."
                )));
            }
            let size =
                body.get("size").and_then(Json::number).unwrap_or(10.0).clamp(0.0, BUCKETS as f64) as usize;
            let mut groups: BTreeMap<String, (Json, Vec<Hit<'_>>)> = BTreeMap::new();
            for hit in hits {
                let mut values = field_values(hit.1, &hit.0.name, field);
                values.dedup();
                for value in values {
                    if let Some(key) = value.keyword()
                        && (groups.len() < BUCKETS || groups.contains_key(&key))
                    {
                        groups.entry(key).or_insert_with(|| (value, Vec::new())).1.push(*hit);
                    }
                }
            }
            let mut groups: Vec<(Json, Vec<Hit<'_>>)> = groups.into_values().collect();
            let by_key = body.get("order").map(Json::items).unwrap_or_default().first().and_then(|order| {
                let (key, way) = order.members().first()?;
                (key == "_key" || key == "_term").then(|| way.text() == Some("desc"))
            });
            // What counts the same is in the order of the keys.
            groups.sort_by(|a, b| compare(&a.0, &b.0, 0).unwrap_or(std::cmp::Ordering::Equal));
            match by_key {
                Some(true) => groups.reverse(),
                Some(false) => {}
                None => groups.sort_by_key(|(_, docs)| std::cmp::Reverse(docs.len())),
            }
            let others: usize = groups.iter().skip(size).map(|(_, docs)| docs.len()).sum();
            let mut buckets = Vec::new();
            for (key, docs) in groups.into_iter().take(size) {
                let head = match key {
                    Json::Bool(value) => {
                        object! { "key" => i32::from(value), "key_as_string" => value.to_string() }
                    }
                    Json::Text(text) => match date(&text, 0) {
                        Some(at) if super::query::is_date(&text) => {
                            object! { "key" => at, "key_as_string" => iso(at) }
                        }
                        _ => object! { "key" => text },
                    },
                    key => object! { "key" => key.clone() },
                };
                buckets.push(bucket(head, &docs, inner, present, depth)?);
            }
            Ok(
                object! { "doc_count_error_upper_bound" => 0, "sum_other_doc_count" => others, "buckets" => buckets },
            )
        }
        "date_histogram" | "histogram" => {
            let field = need()?;
            let dates = name == "date_histogram";
            let interval =
                ["calendar_interval", "fixed_interval", "interval"].iter().find_map(|key| body.get(key));
            let step = match interval {
                Some(Json::Text(text)) if dates => span(text).ok_or_else(|| {
                    EsError::argument(format!(
                        "The supplied interval [{text}] could not be parsed as a calendar interval."
                    ))
                })?,
                Some(value) if !dates => value.number().filter(|step| *step > 0.0).unwrap_or(1.0),
                _ => {
                    return Err(EsError::argument(
                        "Invalid interval specified, must be non-null and non-empty",
                    ));
                }
            };
            // Months and years are not of one length, and weeks begin on Monday.
            let months = interval.and_then(Json::text).filter(|_| dates).and_then(months);
            let shift = if dates && (step - 604_800_000.0).abs() < 1.0 { 345_600_000.0 } else { 0.0 };
            let mut groups: BTreeMap<i64, Vec<Hit<'_>>> = BTreeMap::new();
            for hit in hits {
                for value in numbers(field, std::slice::from_ref(hit)) {
                    let key = match months {
                        Some(count) => month_of(value as i64).div_euclid(count),
                        None => ((value - shift) / step).floor() as i64,
                    };
                    if groups.len() < BUCKETS || groups.contains_key(&key) {
                        groups.entry(key).or_default().push(*hit);
                    }
                }
            }
            let span = groups.keys().next().zip(groups.keys().next_back()).map(|(a, b)| (*a, *b));
            let least = body.get("min_doc_count").and_then(Json::number).unwrap_or(0.0);
            if let Some((first, last)) = span
                && least == 0.0
                && last.saturating_sub(first) < BUCKETS as i64
            {
                (first..=last).for_each(|key| {
                    groups.entry(key).or_default();
                });
            }
            let mut buckets = Vec::new();
            for (key, docs) in groups {
                let at = match months {
                    Some(count) => month_begins(key.saturating_mul(count)) as f64,
                    None => key as f64 * step + shift,
                };
                let head = if dates {
                    object! { "key_as_string" => iso(at as i64), "key" => at as i64 }
                } else {
                    object! { "key" => at }
                };
                buckets.push(bucket(head, &docs, inner, present, depth)?);
            }
            Ok(object! { "buckets" => buckets })
        }
        "filter" | "filters" | "global" | "missing" => {
            let query = match name {
                "filter" => read(body, 0)?,
                _ => Query::All,
            };
            let docs: Vec<Hit<'_>> = hits
                .iter()
                .filter(|(index, doc)| query.score(index, doc, present).is_some())
                .filter(|(index, doc)| {
                    name != "missing"
                        || field.is_some_and(|field| field_values(doc, &index.name, field).is_empty())
                })
                .copied()
                .collect();
            bucket(Json::empty(), &docs, inner, present, depth)
        }
        other => Err(EsError::parsing(format!("Unknown aggregation type [{other}]")).because(EsError::new(
            400,
            "named_object_not_found_exception",
            format!("[1:1] unknown field [{other}]"),
        ))),
    }
}

/// How many months a calendar interval has.
fn months(text: &str) -> Option<i64> {
    match text {
        "month" | "1M" | "M" => Some(1),
        "quarter" | "1q" | "q" => Some(3),
        "year" | "1y" | "y" => Some(12),
        _ => None,
    }
}

/// The month of a moment, counted from the year 0.
fn month_of(millis: i64) -> i64 {
    let days = i32::try_from(millis.div_euclid(86_400_000)).unwrap_or(0);
    let (year, month, _) = crate::sql::moment::calendar(days);
    i64::from(year) * 12 + i64::from(month) - 1
}

/// When such a month begins.
fn month_begins(month: i64) -> i64 {
    let year = i32::try_from(month.div_euclid(12)).unwrap_or(1970);
    let number = u32::try_from(month.rem_euclid(12)).unwrap_or(0) + 1;
    crate::sql::moment::days(year, number, 1).map_or(0, |days| i64::from(days) * 86_400_000)
}

/// The length of an interval in milliseconds; months and years by their mean.
fn span(text: &str) -> Option<f64> {
    let unit = |text: &str| match text {
        "second" | "s" => Some(1000.0),
        "minute" | "m" => Some(60_000.0),
        "hour" | "h" => Some(3_600_000.0),
        "day" | "d" => Some(86_400_000.0),
        "week" | "w" => Some(604_800_000.0),
        "month" | "M" => Some(2_629_746_000.0),
        "quarter" | "q" => Some(7_889_238_000.0),
        "year" | "y" => Some(31_556_952_000.0),
        "ms" => Some(1.0),
        _ => None,
    };
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let count: f64 = if digits == 0 { 1.0 } else { text[..digits].parse().ok()? };
    Some(unit(&text[digits..])? * count).filter(|span| *span > 0.0)
}

//! Queries: read with the product's errors, matched against documents, scored roughly as BM25 does.

use super::codec::json::{Json, wildcard};
use super::error::EsError;
use super::store::{Doc, Index};

/// Deepest nesting: the product's `indices.query.bool.max_nested_depth`.
const DEPTH: usize = 20;
/// Most clauses: the product's `indices.query.bool.max_clause_count`.
const CLAUSES: usize = 1024;

/// `2026-11-20T12:00:00.000Z`.
pub(super) fn iso(millis: i64) -> String {
    let text = crate::sql::moment::timestamp(millis.div_euclid(1000) * 1_000_000);
    format!("{}.{:03}Z", text.replace(' ', "T"), millis.rem_euclid(1000))
}

/// Whether dynamic mapping takes a text for a date (`strict_date_optional_time` and `yyyy/MM/dd`).
pub(super) fn is_date(text: &str) -> bool {
    text.len() >= 10 && text.len() <= 35 && date(text, 0).is_some() && !text.starts_with("now")
}

/// A date as milliseconds: ISO, with slashes, milliseconds, or date math from now.
pub(super) fn date(text: &str, now: i64) -> Option<i64> {
    let text = text.trim();
    let (base, math) = match text.strip_prefix("now") {
        Some(math) => (now, math),
        None => match text.split_once("||") {
            Some((base, math)) => (date(base, now)?, math),
            None => {
                if text.len() > 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return text.parse().ok();
                }
                let good = text.get(4..5).is_some_and(|mark| mark == "-" || mark == "/")
                    && text.bytes().take(4).all(|byte| byte.is_ascii_digit());
                if !good {
                    return None;
                }
                let text = text.replace('/', "-");
                let (text, shift) = match text.get(11..).and_then(|rest| rest.find(['+', '-'])) {
                    Some(at) => {
                        let zone = &text[11 + at..];
                        let sign = if zone.starts_with('-') { 1 } else { -1 };
                        let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
                        let hours: i64 = digits.get(0..2)?.parse().ok()?;
                        let minutes: i64 = digits.get(2..4).unwrap_or("00").parse().ok()?;
                        (text[..11 + at].to_owned(), sign * (hours * 60 + minutes) * 60_000)
                    }
                    None => (text, 0),
                };
                return Some(crate::sql::moment::parse(&text)? / 1000 + shift);
            }
        },
    };
    let mut at = base;
    let mut rest = math;
    while !rest.is_empty() {
        let (sign, tail) = rest.split_at_checked(1)?;
        let end = tail.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(tail.len());
        let count: i64 = if end == 0 { 1 } else { tail[..end].parse().ok()? };
        let unit = tail.get(end..end + 1)?;
        let length: i64 = match unit {
            "s" => 1000,
            "m" => 60_000,
            "h" | "H" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "M" => 2_592_000_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        at = match sign {
            "+" => at.checked_add(length.checked_mul(count)?)?,
            "-" => at.checked_sub(length.checked_mul(count)?)?,
            "/" => at.div_euclid(length) * length,
            _ => return None,
        };
        rest = &tail[end + 1..];
    }
    Some(at)
}

/// The words of a text, as the standard analyzer takes them apart.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let letters: Vec<char> = text.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let inner = |mark: char| {
            *letter == mark
                && at > 0
                && letters[at - 1].is_alphanumeric()
                && letters.get(at + 1).is_some_and(|next| next.is_alphanumeric())
        };
        if letter.is_alphanumeric() || *letter == '_' || inner('.') || inner('\'') {
            word.extend(letter.to_lowercase());
        } else if !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A query.
#[derive(Clone, Debug)]
pub(super) enum Query {
    All,
    None,
    /// Words in fields; whether all of them must be there, and in order.
    Match {
        fields: Vec<String>,
        words: Vec<String>,
        all: bool,
        phrase: bool,
        prefix: bool,
    },
    Term {
        field: String,
        values: Vec<Json>,
        fold: bool,
    },
    Range {
        field: String,
        low: Option<(Json, bool)>,
        high: Option<(Json, bool)>,
    },
    Pattern {
        fields: Vec<String>,
        pattern: String,
    },
    Regexp {
        field: String,
        pattern: Option<regex_lite::Regex>,
    },
    Ids(Vec<String>),
    Exists(String),
    Bool {
        must: Vec<Query>,
        filter: Vec<Query>,
        should: Vec<Query>,
        must_not: Vec<Query>,
        least: usize,
    },
    Constant(Box<Query>, f32),
}

/// What queries know beside the documents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    pub(super) now: i64,
}

fn malformed(name: &str) -> EsError {
    EsError::parsing(format!("[{name}] query malformed, no start_object after query name"))
}

/// Reads a query clause.
///
/// # Errors
/// The product's parsing errors.
pub(super) fn read(clause: &Json, depth: usize) -> Result<Query, EsError> {
    if depth > DEPTH {
        return Err(EsError::argument(format!(
            "The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.bool.max_nested_depth] ({DEPTH})"
        )));
    }
    let Json::Map(members) = clause else {
        return Err(EsError::parsing("[_na] query malformed, must start with start_object"));
    };
    let Some((name, body)) = members.first() else {
        return Err(EsError::argument("query malformed, empty clause found"));
    };
    if members.len() > 1 {
        return Err(EsError::parsing(format!(
            "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        )));
    }
    let one = || -> Result<(&String, &Json), EsError> {
        match body.members().iter().find(|(field, _)| field != "boost" && field != "_name") {
            Some((field, value)) => Ok((field, value)),
            None => Err(match body {
                Json::Map(_) => EsError::argument("field name is null or empty"),
                _ => malformed(name),
            }),
        }
    };
    let list = |key: &str| -> Result<Vec<Query>, EsError> {
        let Some(part) = body.get(key) else { return Ok(Vec::new()) };
        if part.items().len() > CLAUSES {
            return Err(EsError::new(400, "too_many_clauses", format!("maxClauseCount is set to {CLAUSES}")));
        }
        part.items().iter().map(|clause| read(clause, depth + 1)).collect()
    };
    match name.as_str() {
        "match_all" => Ok(Query::All),
        "match_none" => Ok(Query::None),
        "match" | "match_phrase" | "match_phrase_prefix" | "match_bool_prefix" | "common" => {
            let (field, value) = one()?;
            let text = value.get("query").unwrap_or(value).keyword().ok_or_else(|| {
                EsError::parsing(format!("[{name}] unknown token [START_OBJECT] after [query]"))
            })?;
            let all = value
                .get("operator")
                .and_then(Json::text)
                .is_some_and(|word| word.eq_ignore_ascii_case("and"));
            let phrase = name.starts_with("match_phrase");
            Ok(Query::Match {
                fields: vec![field.clone()],
                words: words(&text).into_iter().take(CLAUSES).collect(),
                all: all || phrase,
                phrase,
                prefix: name.ends_with("prefix"),
            })
        }
        "multi_match" => {
            let text = body
                .get("query")
                .and_then(Json::keyword)
                .ok_or_else(|| EsError::parsing("No text specified for multi_match query"))?;
            let fields = body.get("fields").map(Json::items).unwrap_or_default();
            let fields = fields
                .iter()
                .filter_map(Json::text)
                .map(|field| field.split('^').next().unwrap_or("").to_owned());
            let phrase = body.get("type").and_then(Json::text).is_some_and(|kind| kind.starts_with("phrase"));
            Ok(Query::Match {
                fields: fields.collect(),
                words: words(&text).into_iter().take(CLAUSES).collect(),
                all: phrase,
                phrase,
                prefix: false,
            })
        }
        "term" | "terms" => {
            let (field, value) = one()?;
            if name == "term" && matches!(value, Json::List(_)) {
                return Err(EsError::parsing("[term] query does not support array of values"));
            }
            if name == "terms" && !matches!(value, Json::List(_) | Json::Map(_)) {
                return Err(EsError::parsing(format!("[terms] query does not support [{field}]")));
            }
            let fold = value.get("case_insensitive").is_some_and(|value| *value == Json::Bool(true));
            let values = value.get("value").unwrap_or(value).items().to_vec();
            Ok(Query::Term { field: field.clone(), values, fold })
        }
        "range" => {
            let (field, value) = one()?;
            let Json::Map(bounds) = value else {
                return Err(EsError::parsing("[range] query does not support [".to_owned() + field + "]"));
            };
            let (mut low, mut high) = (None, None);
            for (bound, value) in bounds {
                if matches!(value, Json::Null) {
                    continue;
                }
                match bound.as_str() {
                    "gt" | "from" => low = Some((value.clone(), bound == "from")),
                    "gte" => low = Some((value.clone(), true)),
                    "lt" => high = Some((value.clone(), false)),
                    "lte" | "to" => high = Some((value.clone(), true)),
                    "boost" | "format" | "time_zone" | "relation" | "include_lower" | "include_upper"
                    | "_name" => {}
                    other => {
                        return Err(EsError::parsing(format!("[range] query does not support [{other}]")));
                    }
                }
            }
            Ok(Query::Range { field: field.clone(), low, high })
        }
        "prefix" | "wildcard" => {
            let (field, value) = one()?;
            let text =
                value.get("value").or(value.get("wildcard")).unwrap_or(value).keyword().unwrap_or_default();
            let pattern = if name == "prefix" { format!("{text}*") } else { text };
            Ok(Query::Pattern { fields: vec![field.clone()], pattern })
        }
        "fuzzy" => {
            let (field, value) = one()?;
            let text = value.get("value").unwrap_or(value).keyword().unwrap_or_default();
            Ok(Query::Match {
                fields: vec![field.clone()],
                words: words(&text),
                all: false,
                phrase: false,
                prefix: false,
            })
        }
        "regexp" => {
            let (field, value) = one()?;
            let text = value.get("value").unwrap_or(value).keyword().unwrap_or_default();
            if text.len() > 1000 {
                return Err(EsError::argument(format!(
                    "The length of regex [{}] used in the Regexp Query request has exceeded the allowed maximum of [1000]. This maximum can be set by changing the [index.max_regex_length] index level setting.",
                    text.len()
                )));
            }
            Ok(Query::Regexp {
                field: field.clone(),
                pattern: regex_lite::Regex::new(&format!("^(?:{text})$")).ok(),
            })
        }
        "ids" => {
            let values =
                body.get("values").ok_or_else(|| EsError::argument("[ids] requires providing \"values\""))?;
            Ok(Query::Ids(values.items().iter().filter_map(Json::keyword).collect()))
        }
        "exists" => match body.get("field").and_then(Json::text) {
            Some(field) => Ok(Query::Exists(field.to_owned())),
            None => Err(EsError::parsing("[exists] must be provided with a [field]")),
        },
        "bool" => {
            if !matches!(body, Json::Map(_)) {
                return Err(malformed(name));
            }
            for (key, _) in body.members() {
                if !matches!(
                    key.as_str(),
                    "must"
                        | "filter"
                        | "should"
                        | "must_not"
                        | "minimum_should_match"
                        | "boost"
                        | "adjust_pure_negative"
                        | "_name"
                ) {
                    return Err(EsError::parsing(format!("[bool] query does not support [{key}]")));
                }
            }
            let (must, filter, should) = (list("must")?, list("filter")?, list("should")?);
            let least = body
                .get("minimum_should_match")
                .and_then(Json::number)
                .map(|least| least.clamp(0.0, 1024.0) as usize);
            let least =
                least.unwrap_or(usize::from(must.is_empty() && filter.is_empty() && !should.is_empty()));
            Ok(Query::Bool { must, filter, should, must_not: list("must_not")?, least })
        }
        "constant_score" | "filtered" => {
            let inner = body
                .get("filter")
                .or(body.get("query"))
                .ok_or_else(|| EsError::parsing("[constant_score] requires a 'filter' element"))?;
            let boost = body.get("boost").and_then(Json::number).unwrap_or(1.0) as f32;
            Ok(Query::Constant(Box::new(read(inner, depth + 1)?), boost))
        }
        "function_score" | "nested" | "script_score" | "boosting" | "dis_max" => {
            match body.get("query").or(body.get("positive")).or(body.get("queries")) {
                Some(inner) => read(inner.items().first().unwrap_or(&Json::Null), depth + 1),
                None => Ok(Query::All),
            }
        }
        "query_string" | "simple_query_string" => {
            let text = body
                .get("query")
                .and_then(Json::keyword)
                .ok_or_else(|| EsError::parsing(format!("[{name}] must be provided with a [query]")))?;
            let field = body.get("default_field").and_then(Json::text).map(str::to_owned);
            let fields = body.get("fields").map(Json::items).unwrap_or_default();
            let mut fields: Vec<String> = fields.iter().filter_map(Json::text).map(str::to_owned).collect();
            fields.extend(field.filter(|field| field != "*"));
            let and = body
                .get("default_operator")
                .and_then(Json::text)
                .is_some_and(|word| word.eq_ignore_ascii_case("and"));
            query_string(&text, &fields, and)
        }
        other => Err(EsError::parsing(format!("unknown query [{other}]")).because(EsError::new(
            400,
            "named_object_not_found_exception",
            format!("[1:{}] unknown field [{other}]", other.len() + 13),
        ))),
    }
}

/// A query in Lucene's syntax.
///
/// # Errors
/// Quotes or parentheses that do not close.
pub(super) fn query_string(text: &str, fields: &[String], and: bool) -> Result<Query, EsError> {
    let mut tokens = lex(text).ok_or_else(|| {
        EsError::new(400, "query_shard_exception", format!("Failed to parse query [{text}]"))
    })?;
    tokens.truncate(CLAUSES);
    tokens.reverse();
    let query = parse(&mut tokens, fields, and, 0);
    if tokens.is_empty() {
        Ok(query)
    } else {
        Err(EsError::new(400, "query_shard_exception", format!("Failed to parse query [{text}]")))
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Plus,
    Field(String),
    Word(String),
    Phrase(String),
    Range(String, String, bool, bool),
}

fn lex(text: &str) -> Option<Vec<Token>> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    let mut open = 0i32;
    while at < letters.len() {
        match letters[at] {
            blank if blank.is_whitespace() => at += 1,
            '(' => {
                open += 1;
                tokens.push(Token::Open);
                at += 1;
            }
            ')' => {
                open -= 1;
                tokens.push(Token::Close);
                at += 1;
            }
            '+' => {
                tokens.push(Token::Plus);
                at += 1;
            }
            '-' | '!' => {
                tokens.push(Token::Not);
                at += 1;
            }
            '"' => {
                let end = letters[at + 1..].iter().position(|letter| *letter == '"')?;
                tokens.push(Token::Phrase(letters[at + 1..at + 1 + end].iter().collect()));
                at += end + 2;
            }
            '[' | '{' => {
                let end = letters[at..].iter().position(|letter| matches!(letter, ']' | '}'))?;
                let inner: String = letters[at + 1..at + end].iter().collect();
                let (low, high) = inner.split_once(" TO ")?;
                tokens.push(Token::Range(
                    low.trim().into(),
                    high.trim().into(),
                    letters[at] == '[',
                    letters[at + end] == ']',
                ));
                at += end + 1;
            }
            _ => {
                let end = letters[at..]
                    .iter()
                    .position(|letter| letter.is_whitespace() || "()\"".contains(*letter) || *letter == ':')
                    .map_or(letters.len(), |end| at + end);
                let word: String = letters[at..end.max(at + 1)].iter().collect();
                let end = end.max(at + 1);
                if letters.get(end) == Some(&':') {
                    tokens.push(Token::Field(word));
                    at = end + 1;
                } else {
                    tokens.push(match word.as_str() {
                        "AND" | "&&" => Token::And,
                        "OR" | "||" => Token::Or,
                        "NOT" => Token::Not,
                        _ => Token::Word(word.split(['^', '~']).next().unwrap_or("").to_owned()),
                    });
                    at = end;
                }
            }
        }
    }
    (open == 0).then_some(tokens)
}

fn parse(tokens: &mut Vec<Token>, fields: &[String], and: bool, depth: usize) -> Query {
    let (mut must, mut should, mut must_not) = (Vec::new(), Vec::new(), Vec::new());
    let mut negate = false;
    let mut need = false;
    while let Some(token) = tokens.pop() {
        let mut inner: Vec<String> = fields.to_vec();
        let mut token = token;
        if let Token::Field(field) = &token {
            inner = vec![field.replace('\\', "")];
            match tokens.pop() {
                Some(next) => token = next,
                None => break,
            }
        }
        let query = match token {
            Token::Close => break,
            Token::And => {
                if let Some(last) = should.pop() {
                    must.push(last);
                }
                need = true;
                continue;
            }
            Token::Or => {
                if need {
                    continue;
                }
                if and && let Some(last) = must.pop() {
                    should.push(last);
                }
                continue;
            }
            Token::Not => {
                negate = true;
                continue;
            }
            Token::Plus => {
                need = true;
                continue;
            }
            Token::Open if depth < DEPTH => parse(tokens, &inner, and, depth + 1),
            Token::Open | Token::Field(_) => continue,
            Token::Range(low, high, from, to) => {
                let bound = |text: String, whole| (text != "*").then_some((Json::Text(text), whole));
                Query::Range {
                    field: inner.first().cloned().unwrap_or_default(),
                    low: bound(low, from),
                    high: bound(high, to),
                }
            }
            Token::Phrase(text) => {
                Query::Match { fields: inner, words: words(&text), all: true, phrase: true, prefix: false }
            }
            Token::Word(word) if word == "*" => match inner.first() {
                Some(field) if field != "*" => Query::Exists(field.clone()),
                _ => Query::All,
            },
            Token::Word(word) if word.contains(['*', '?']) => {
                Query::Pattern { fields: inner, pattern: word.to_lowercase() }
            }
            Token::Word(word) => match inner.as_slice() {
                [field] if field == "_exists_" => Query::Exists(word),
                [field] if word.starts_with(['>', '<']) => {
                    let (greater, rest) = (word.starts_with('>'), &word[1..]);
                    let whole = rest.starts_with('=');
                    let bound = Some((Json::Text(rest.trim_start_matches('=').to_owned()), whole));
                    let (low, high) = if greater { (bound, None) } else { (None, bound) };
                    Query::Range { field: field.clone(), low, high }
                }
                _ => Query::Match {
                    fields: inner,
                    words: words(&word),
                    all: false,
                    phrase: false,
                    prefix: false,
                },
            },
        };
        if negate {
            must_not.push(query);
        } else if need || and {
            must.push(query);
        } else {
            should.push(query);
        }
        (negate, need) = (false, false);
    }
    if must.is_empty() && must_not.is_empty() && should.len() == 1 {
        return should.remove(0);
    }
    let least = usize::from(must.is_empty() && !should.is_empty());
    Query::Bool { must, filter: Vec::new(), should, must_not, least }
}

/// The values of a field of a document; `_id` and the like included. A subfield of a text is its parent.
fn values<'a>(doc: &'a Doc, field: &str) -> Vec<&'a Json> {
    let mut found = Vec::new();
    doc.source.at(field, &mut found);
    if found.is_empty()
        && let Some(parent) = field.strip_suffix(".keyword").or_else(|| field.strip_suffix(".raw"))
    {
        doc.source.at(parent, &mut found);
    }
    found
}

/// The same for sorting and aggregating.
pub(super) fn field_values(doc: &Doc, index: &str, field: &str) -> Vec<Json> {
    match field {
        "_id" | "_uid" => vec![Json::from(&doc.id)],
        "_index" => vec![Json::from(index)],
        "_doc" | "_seq_no" => vec![Json::from(doc.seq)],
        _ => values(doc, field).into_iter().cloned().collect(),
    }
}

fn every_text<'a>(value: &'a Json, found: &mut Vec<&'a Json>) {
    match value {
        Json::Map(members) => members.iter().for_each(|(_, value)| every_text(value, found)),
        Json::List(items) => items.iter().for_each(|item| every_text(item, found)),
        Json::Null => {}
        scalar => found.push(scalar),
    }
}

fn in_fields<'a>(doc: &'a Doc, fields: &[String]) -> Vec<&'a Json> {
    if fields.is_empty() || fields.iter().any(|field| field == "*" || field == "_all") {
        let mut found = Vec::new();
        every_text(&doc.source, &mut found);
        return found;
    }
    let mut found = Vec::new();
    for field in fields {
        if field.contains('*') {
            for (name, value) in doc.source.members() {
                if wildcard(field, name) {
                    every_text(value, &mut found);
                }
            }
        } else {
            found.extend(values(doc, field));
        }
    }
    found
}

/// Compares as numbers or dates where both are, else as texts.
pub(super) fn compare(a: &Json, b: &Json, now: i64) -> Option<std::cmp::Ordering> {
    if let (Some(a), Some(b)) = (a.number(), b.number()) {
        return a.partial_cmp(&b);
    }
    let time = |value: &Json| match value {
        Json::Text(text) => date(text, now),
        Json::Int(millis) => Some(*millis),
        _ => None,
    };
    if let (Some(a), Some(b)) = (time(a), time(b)) {
        return Some(a.cmp(&b));
    }
    Some(a.keyword()?.cmp(&b.keyword()?))
}

impl Query {
    /// The score of a document; `None`: it does not match.
    pub(super) fn score(&self, index: &Index, doc: &Doc, present: Present) -> Option<f32> {
        match self {
            Query::All => Some(1.0),
            Query::None => None,
            Query::Match { fields, words: wanted, all, phrase, prefix } => {
                if wanted.is_empty() {
                    return None;
                }
                let mut best: Option<f32> = None;
                for value in in_fields(doc, fields) {
                    let Some(text) = value.keyword() else { continue };
                    let exact = fields.iter().any(|field| field.ends_with(".keyword"));
                    let there = if exact { vec![text] } else { words(&text) };
                    let is = |word: &str, wanted: &str, last: bool| {
                        word == wanted || (*prefix && last && word.starts_with(wanted))
                    };
                    let count = wanted
                        .iter()
                        .enumerate()
                        .filter(|(at, wanted)| {
                            there.iter().any(|word| is(word, wanted, at + 1 == self.words_len()))
                        })
                        .count();
                    let hit = if *phrase {
                        there.windows(wanted.len()).any(|window| {
                            window
                                .iter()
                                .zip(wanted)
                                .enumerate()
                                .all(|(at, (word, wanted))| is(word, wanted, at + 1 == self.words_len()))
                        })
                    } else if *all {
                        count == wanted.len()
                    } else {
                        count > 0
                    };
                    if hit {
                        let score = bm25(count, there.len(), index.count());
                        best = Some(best.map_or(score, |best: f32| best.max(score)));
                    }
                }
                best
            }
            Query::Term { field, values: wanted, fold } => {
                let there = if field == "_id" {
                    vec![Json::from(&doc.id)]
                } else {
                    values(doc, field).into_iter().cloned().collect()
                };
                let keyword = field.ends_with(".keyword") || field == "_id";
                let hit = there.iter().any(|value| {
                    wanted.iter().any(|wanted| match (value, wanted) {
                        (Json::Text(text), wanted) => {
                            let Some(wanted) = wanted.keyword() else { return false };
                            if *fold && text.eq_ignore_ascii_case(&wanted) {
                                return true;
                            }
                            // A text is indexed word by word; one that is a date or a keyword, whole.
                            let analysed = !keyword && kind(index, field).is_none_or(|kind| kind == "text");
                            if analysed {
                                words(text).contains(&wanted)
                            } else {
                                *text == wanted
                                    || date(text, 0).is_some_and(|at| Some(at) == date(&wanted, present.now))
                            }
                        }
                        (value, wanted) => {
                            value.number().is_some_and(|value| Some(value) == wanted.number())
                                || value.keyword() == wanted.keyword()
                        }
                    })
                });
                hit.then(|| if keyword { bm25(1, 1, index.count()) } else { 1.0 })
            }
            Query::Range { field, low, high } => {
                let hit = values(doc, field).into_iter().any(|value| {
                    let inside = |bound: &Option<(Json, bool)>, side: std::cmp::Ordering| {
                        bound.as_ref().is_none_or(|(bound, whole)| {
                            compare(value, bound, present.now)
                                .is_some_and(|order| order == side || (*whole && order.is_eq()))
                        })
                    };
                    inside(low, std::cmp::Ordering::Greater) && inside(high, std::cmp::Ordering::Less)
                });
                hit.then_some(1.0)
            }
            Query::Pattern { fields, pattern } => {
                let keyword = fields.iter().any(|field| field.ends_with(".keyword") || field == "_id");
                let hit = in_fields(doc, fields).into_iter().filter_map(Json::keyword).any(|text| {
                    if keyword {
                        wildcard(pattern, &text)
                    } else {
                        words(&text).iter().any(|word| wildcard(pattern, word))
                    }
                });
                hit.then_some(1.0)
            }
            Query::Regexp { field, pattern } => {
                let pattern = pattern.as_ref()?;
                let keyword = field.ends_with(".keyword");
                let hit = values(doc, field).into_iter().filter_map(Json::keyword).any(|text| {
                    if keyword {
                        pattern.is_match(&text)
                    } else {
                        words(&text).iter().any(|word| pattern.is_match(word))
                    }
                });
                hit.then_some(1.0)
            }
            Query::Ids(ids) => ids.contains(&doc.id).then_some(1.0),
            Query::Exists(field) => (!values(doc, field).is_empty()
                || doc.source.get(field).is_some_and(|value| !matches!(value, Json::Null)))
            .then_some(1.0),
            Query::Bool { must, filter, should, must_not, least } => {
                let mut score = 0.0;
                for query in must {
                    score += query.score(index, doc, present)?;
                }
                for query in filter {
                    query.score(index, doc, present)?;
                }
                if must_not.iter().any(|query| query.score(index, doc, present).is_some()) {
                    return None;
                }
                let hits: Vec<f32> =
                    should.iter().filter_map(|query| query.score(index, doc, present)).collect();
                if hits.len() < (*least).min(should.len().max(1)) {
                    return None;
                }
                let empty = must.is_empty() && filter.is_empty() && should.is_empty();
                Some(score + hits.iter().sum::<f32>() + if empty { 1.0 } else { 0.0 })
            }
            Query::Constant(inner, boost) => inner.score(index, doc, present).map(|_| *boost),
        }
    }

    fn words_len(&self) -> usize {
        match self {
            Query::Match { words, .. } => words.len(),
            _ => 0,
        }
    }
}

/// The type of a field in the mapping.
pub(super) fn kind<'a>(index: &'a Index, field: &str) -> Option<&'a str> {
    let mut at = index.mapping.get("properties")?;
    let mut parts = field.split('.').peekable();
    while let Some(part) = parts.next() {
        let here = at.get(part)?;
        if parts.peek().is_none() {
            return here.get("type").and_then(Json::text).or(Some("object"));
        }
        at = here.get("properties").or(here.get("fields"))?;
    }
    None
}

/// BM25 with the defaults of Lucene, as if a word stood in a tenth of the documents.
fn bm25(count: usize, length: usize, documents: u64) -> f32 {
    let documents = documents.max(1) as f32;
    let holding = (documents / 10.0).ceil();
    let idf = (1.0 + (documents - holding + 0.5) / (holding + 0.5)).ln();
    let norm = 0.25 + 0.75 * length as f32 / 8.0;
    count as f32 * idf * 2.2 / (1.0 + 1.2 * norm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index() -> Index {
        let mut index = Index::new("i", "u".into(), 0, 1);
        for (id, source) in [
            ("1", r#"{"name":"Anna Becker","age":30,"at":"2026-11-20T12:00:00.000Z","tags":["a","b"]}"#),
            ("2", r#"{"name":"Ben Carter","age":41,"at":"2026-10-01","o":{"x":1}}"#),
        ] {
            index.put(id, Json::read(source.as_bytes()).unwrap());
        }
        index
    }

    fn found(query: &str) -> Result<Vec<String>, EsError> {
        let query = read(&Json::read(query.as_bytes()).unwrap(), 0)?;
        let index = index();
        let present = Present { now: 1_795_176_000_000 };
        Ok(index
            .documents()
            .filter(|doc| query.score(&index, doc, present).is_some())
            .map(|doc| doc.id.clone())
            .collect())
    }

    #[test]
    fn queries_find_what_they_ask_for() {
        for (query, ids) in [
            (r#"{"match_all":{}}"#, vec!["1", "2"]),
            (r#"{"match":{"name":"anna carter"}}"#, vec!["1", "2"]),
            (r#"{"match":{"name":{"query":"anna carter","operator":"and"}}}"#, vec![]),
            (r#"{"match_phrase":{"name":"ben carter"}}"#, vec!["2"]),
            (r#"{"term":{"name":"Anna"}}"#, vec![]),
            (r#"{"term":{"name":"anna"}}"#, vec!["1"]),
            (r#"{"term":{"name.keyword":"Anna Becker"}}"#, vec!["1"]),
            (r#"{"terms":{"tags":["b","z"]}}"#, vec!["1"]),
            (r#"{"range":{"age":{"gt":30}}}"#, vec!["2"]),
            (r#"{"range":{"at":{"gte":"now-7d"}}}"#, vec!["1"]),
            (r#"{"bool":{"must_not":[{"term":{"age":30}}]}}"#, vec!["2"]),
            (r#"{"bool":{"should":[{"ids":{"values":["2"]}}]}}"#, vec!["2"]),
            (r#"{"exists":{"field":"o.x"}}"#, vec!["2"]),
            (r#"{"prefix":{"name":"ann"}}"#, vec!["1"]),
            (r#"{"wildcard":{"name.keyword":"*Carter"}}"#, vec!["2"]),
            (r#"{"query_string":{"query":"name:anna OR age:41"}}"#, vec!["1", "2"]),
            (r#"{"query_string":{"query":"becker AND NOT carter"}}"#, vec!["1"]),
            (r#"{"query_string":{"query":"age:[40 TO *]"}}"#, vec!["2"]),
            (r#"{"query_string":{"query":"(name:be*) AND at:>2026-11-01"}}"#, vec!["1"]),
        ] {
            assert_eq!(found(query).unwrap(), ids, "{query}");
        }
        assert_eq!(found(r#"{"nope":{}}"#).unwrap_err().reason, "unknown query [nope]");
        assert_eq!(found("{}").unwrap_err().reason, "query malformed, empty clause found");
        let deep =
            format!("{}{}{}", r#"{"bool":{"must":"#.repeat(30), r#"{"match_all":{}}"#, "}}".repeat(30));
        assert!(found(&deep).unwrap_err().reason.starts_with("The nested depth"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_or_none(text in "[a-z:*?()\"\\[\\]{}+ ANDORT!<>=-]{0,60}") {
            if let Ok(query) = query_string(&text, &[], false) {
                let index = index();
                for doc in index.documents() {
                    let _ = query.score(&index, doc, Present { now: 0 });
                }
            }
            let _ = date(&text, 5);
        }

        #[test]
        fn any_text_is_a_date_or_none(text in "(now|2026-11-20)?[-+/|0-9smhdwMyTZ:.é]{0,30}") {
            let _ = date(&text, i64::MAX);
        }
    }
}

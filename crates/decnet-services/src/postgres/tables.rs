//! The system's tables: rows that every cluster of the release has come from a dump of a real one (PostgreSQL
//! 15.18 just after initdb), the rest is made of what is stored.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::OnceLock;

use crate::sql::{Column, Kind, Table, Value};

/// Bytes that the dump has when it is unpacked, at most.
const DUMP_LIMIT: u64 = 4 * 1024 * 1024;

fn kind(letter: &str) -> Kind {
    match letter {
        "b" => Kind::Boolean,
        "i2" => Kind::SmallInt,
        "i4" => Kind::Integer,
        "i8" => Kind::BigInt,
        "f4" => Kind::Float,
        "f8" => Kind::Double,
        "o" => Kind::Oid,
        "n" => Kind::Name,
        "c" => Kind::Letter,
        "a" => Kind::Array,
        "ts" => Kind::Timestamp,
        _ => Kind::Text,
    }
}

fn heads(line: &str) -> Option<(String, Table)> {
    let mut parts = line.strip_prefix('@')?.split('\t');
    let name = parts.next()?;
    let columns = parts
        .filter_map(|part| part.rsplit_once(':'))
        .map(|(name, letter)| Column::new(name, kind(letter)))
        .collect();
    let short = name.strip_prefix("information_schema.").unwrap_or(name);
    Some((name.to_owned(), Table { read_only: true, planted: true, ..Table::new(short, columns) }))
}

fn unescaped(field: &str) -> String {
    if !field.contains('\\') {
        return field.to_owned();
    }
    let mut out = String::new();
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        out.push(match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some(other) => other,
                None => '\\',
            },
            (other, false) => other,
        });
    }
    out
}

fn value(kind: Kind, field: &str) -> Value {
    if field == "\\N" {
        return Value::Null;
    }
    match kind {
        Kind::Boolean => Value::Bool(field == "true" || field == "t"),
        Kind::SmallInt | Kind::Integer | Kind::BigInt | Kind::Oid => {
            field.parse().map_or(Value::Null, Value::Integer)
        }
        Kind::Float | Kind::Double => field.parse().map_or(Value::Null, Value::Float),
        Kind::Array => array(&unescaped(field)),
        _ => Value::text(unescaped(field)),
    }
}

/// The elements of an array's text.
pub(crate) fn array(text: &str) -> Value {
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
    let mut values = Vec::new();
    let mut current = String::new();
    let (mut quoted, mut was_quoted, mut any) = (false, false, false);
    let mut letters = inner.chars();
    let mut push = |text: &mut String, was_quoted: bool| {
        let text = std::mem::take(text);
        values.push(if text == "NULL" && !was_quoted { Value::Null } else { Value::text(text) });
    };
    while let Some(letter) = letters.next() {
        any = true;
        match letter {
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            '\\' => current.extend(letters.next()),
            ',' if !quoted => {
                push(&mut current, was_quoted);
                was_quoted = false;
            }
            other => current.push(other),
        }
    }
    if any {
        push(&mut current, was_quoted);
    }
    Value::Array(values.into())
}

/// The tables of the dump, and the empty ones whose rows are made.
pub(crate) fn all() -> &'static BTreeMap<String, Table> {
    static TABLES: OnceLock<BTreeMap<String, Table>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut text = String::new();
        let packed: &[u8] = include_bytes!("data/catalogue-15.tsv.gz");
        // Our own file, read whole by a test; a broken one would leave the tables empty.
        let _ = flate2::read::GzDecoder::new(packed).take(DUMP_LIMIT).read_to_string(&mut text);
        let mut tables = BTreeMap::new();
        let mut current: Option<(String, Table)> = None;
        for line in text.lines().chain(include_str!("data/tables-15.tsv").lines()) {
            if line.starts_with('#') {
                continue;
            }
            if let Some(next) = heads(line) {
                tables.extend(current.replace(next));
            } else if let Some((name, table)) = &mut current {
                let mut row: Vec<Value> = table
                    .columns
                    .iter()
                    .zip(line.split('\t'))
                    .map(|(column, field)| value(column.kind, field))
                    .collect();
                row.resize(table.columns.len(), Value::Null);
                if name == "pg_proc" {
                    own_source(table, &mut row);
                }
                table.rows.push(row);
            }
        }
        tables.extend(current);
        tables
    })
}

/// The dump says `=` for a function whose source is its own name.
fn own_source(table: &Table, row: &mut [Value]) {
    let at = |name: &str| table.columns.iter().position(|column| column.name == name);
    if let (Some(source), Some(name)) = (at("prosrc"), at("proname"))
        && matches!(&row[source], Value::Text(text) if text.as_ref() == "=")
    {
        row[source] = row[name].clone();
    }
}

/// A row with these values; what is not named is false, zero or null as fits the column.
pub(crate) fn row(table: &Table, values: &[(&str, Value)]) -> Vec<Value> {
    let given: HashMap<&str, &Value> = values.iter().map(|(name, value)| (*name, value)).collect();
    table
        .columns
        .iter()
        .map(|column| match given.get(column.name.as_str()) {
            Some(value) => (*value).clone(),
            None => match column.kind {
                Kind::Boolean => Value::Bool(false),
                Kind::SmallInt | Kind::Integer | Kind::BigInt | Kind::Oid => Value::Integer(0),
                Kind::Letter => Value::text(""),
                _ => Value::Null,
            },
        })
        .collect()
}

/// A column of a dumped table by another: `pg_type.typname` by `oid`.
pub(crate) fn lookup(table: &str, key: &str, wanted: &Value, column: &str) -> Option<Value> {
    let table = all().get(table)?;
    let at = |name: &str| table.columns.iter().position(|known| known.name == name);
    let (key, column) = (at(key)?, at(column)?);
    table.rows.iter().find(|row| row[key] == *wanted).map(|row| row[column].clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dump_is_whole() {
        let tables = all();
        for (name, least) in [
            ("pg_proc", 3_000),
            ("pg_settings", 300),
            ("pg_type", 600),
            ("pg_class", 400),
            ("pg_attribute", 2_000),
        ] {
            let table = &tables[name];
            assert!(table.rows.len() > least, "{name}: {}", table.rows.len());
            assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        }
        assert!(
            tables["pg_database"].rows.is_empty() && tables["information_schema.tables"].columns.len() == 12
        );
        assert_eq!(lookup("pg_type", "oid", &Value::Integer(23), "typname"), Some(Value::text("int4")));
        let wrong = lookup("pg_proc", "proname", &Value::text("now"), "prosrc");
        assert_eq!(wrong, Some(Value::text("now")));
    }

    #[test]
    fn arrays_are_read() {
        assert_eq!(array("{a,\"b,c\",NULL}").to_string(), "{a,\"b,c\",NULL}");
        assert_eq!(array("{}"), Value::Array(Vec::new().into()));
    }
}

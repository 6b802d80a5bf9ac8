//! JSON with the order of its members, read strictly and written as Jackson writes it: compact, or with its
//! default pretty printer (`"key" : value`, arrays on one line where they hold no objects).

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Json {
    Null,
    Bool(bool),
    Int(i64),
    /// A double.
    Float(f64),
    /// A float: scores, percentages.
    Single(f32),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

/// An object in the order of its members.
macro_rules! object {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::elasticsearch::codec::json::Json::Map(vec![
            $((String::from($key), $crate::elasticsearch::codec::json::Json::from($value))),*
        ])
    };
}
pub(in super::super) use object;

macro_rules! from {
    ($($kind:ty => |$value:ident| $made:expr;)*) => {
        $(impl From<$kind> for Json { fn from($value: $kind) -> Json { $made } })*
    };
}
from! {
    bool => |value| Json::Bool(value);
    i64 => |value| Json::Int(value);
    i32 => |value| Json::Int(i64::from(value));
    u16 => |value| Json::Int(i64::from(value));
    u32 => |value| Json::Int(i64::from(value));
    u64 => |value| Json::Int(i64::try_from(value).unwrap_or(i64::MAX));
    usize => |value| Json::Int(i64::try_from(value).unwrap_or(i64::MAX));
    f64 => |value| Json::Float(value);
    f32 => |value| Json::Single(value);
    &str => |value| Json::Text(value.to_owned());
    String => |value| Json::Text(value);
    &String => |value| Json::Text(value.clone());
    Vec<Json> => |value| Json::List(value);
}
impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Json {
        value.map_or(Json::Null, Into::into)
    }
}

impl Json {
    /// Reads one value; the rest must be blank.
    ///
    /// # Errors
    /// What is wrong, and where (line, column).
    pub(in super::super) fn read(bytes: &[u8]) -> Result<Json, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// An empty object.
    pub(in super::super) fn empty() -> Json {
        Json::Map(Vec::new())
    }

    /// A member of an object.
    pub(in super::super) fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Map(members) => members.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The same, to change it.
    pub(in super::super) fn get_mut(&mut self, key: &str) -> Option<&mut Json> {
        match self {
            Json::Map(members) => members.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// Sets a member; no-op on what is no object.
    pub(in super::super) fn set(&mut self, key: &str, value: impl Into<Json>) {
        if let Some(old) = self.get_mut(key) {
            *old = value.into();
        } else if let Json::Map(members) = self {
            members.push((key.to_owned(), value.into()));
        }
    }

    /// The members of an object.
    pub(in super::super) fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Map(members) => members,
            _ => &[],
        }
    }

    /// The items of an array; a value that is none is its only item.
    pub(in super::super) fn items(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            one => std::slice::from_ref(one),
        }
    }

    /// Text.
    pub(in super::super) fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What the product takes for a number, texts of digits included.
    pub(in super::super) fn number(&self) -> Option<f64> {
        match self {
            Json::Int(value) => Some(*value as f64),
            Json::Float(value) => Some(*value),
            Json::Single(value) => Some(f64::from(*value)),
            Json::Text(text) => text.trim().parse().ok().filter(|value: &f64| value.is_finite()),
            _ => None,
        }
    }

    /// A scalar as the text of a keyword.
    pub(in super::super) fn keyword(&self) -> Option<String> {
        match self {
            Json::Text(text) => Some(text.clone()),
            Json::Null | Json::List(_) | Json::Map(_) => None,
            scalar => Some(scalar.compact()),
        }
    }

    /// All scalars below a dotted path, arrays taken apart.
    pub(in super::super) fn at<'a>(&'a self, path: &str, found: &mut Vec<&'a Json>) {
        match self {
            Json::List(items) => items.iter().for_each(|item| item.at(path, found)),
            Json::Map(members) => {
                for (name, value) in members {
                    if name == path {
                        value.scalars(found);
                    } else if let Some(rest) =
                        path.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.'))
                    {
                        value.at(rest, found);
                    }
                }
            }
            _ => {}
        }
    }

    fn scalars<'a>(&'a self, found: &mut Vec<&'a Json>) {
        match self {
            Json::Null | Json::Map(_) => {}
            Json::List(items) => items.iter().for_each(|item| item.scalars(found)),
            scalar => found.push(scalar),
        }
    }

    /// Overlays an object: members of objects are merged, everything else is replaced.
    pub(in super::super) fn merge(&mut self, over: &Json) {
        for (name, value) in over.members() {
            match self.get_mut(name) {
                Some(old @ Json::Map(_)) if matches!(value, Json::Map(_)) => old.merge(value),
                _ => self.set(name, value.clone()),
            }
        }
    }

    /// About how many bytes it holds in memory.
    pub(in super::super) fn size(&self) -> usize {
        24 + match self {
            Json::Text(text) => text.len(),
            Json::List(items) => items.iter().map(Json::size).sum(),
            Json::Map(members) => members.iter().map(|(name, value)| 24 + name.len() + value.size()).sum(),
            _ => 0,
        }
    }

    /// In one line.
    pub(in super::super) fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// As Jackson's default pretty printer, with a line end behind it as the product adds it.
    pub(in super::super) fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out.push('\n');
        out
    }

    /// As YAML, which `?format=yaml` asks for.
    pub(in super::super) fn yaml(&self) -> String {
        let mut out = String::from("---\n");
        self.write_yaml(&mut out, 0, false);
        out
    }

    fn write(&self, out: &mut String, depth: Option<usize>) {
        let line = |out: &mut String, depth: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', depth * 2));
        };
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Int(value) => out.push_str(&value.to_string()),
            Json::Float(value) => out.push_str(&java(format!("{value:?}"), *value, &format!("{value:E}"))),
            Json::Single(value) => {
                out.push_str(&java(format!("{value:?}"), f64::from(*value), &format!("{value:E}")));
            }
            Json::Text(text) => quote(out, text),
            Json::List(items) => match depth {
                None => {
                    out.push('[');
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            out.push(',');
                        }
                        item.write(out, None);
                    }
                    out.push(']');
                }
                Some(depth) if items.is_empty() => {
                    let _ = depth;
                    out.push_str("[ ]");
                }
                // The product's generator puts every item of an array on a line of its own.
                Some(depth) => {
                    out.push('[');
                    for (index, item) in items.iter().enumerate() {
                        if index > 0 {
                            out.push(',');
                        }
                        line(out, depth + 1);
                        item.write(out, Some(depth + 1));
                    }
                    line(out, depth);
                    out.push(']');
                }
            },
            Json::Map(members) => match depth {
                None => {
                    out.push('{');
                    for (index, (name, value)) in members.iter().enumerate() {
                        if index > 0 {
                            out.push(',');
                        }
                        quote(out, name);
                        out.push(':');
                        value.write(out, None);
                    }
                    out.push('}');
                }
                Some(_) if members.is_empty() => out.push_str("{ }"),
                Some(depth) => {
                    out.push('{');
                    for (index, (name, value)) in members.iter().enumerate() {
                        if index > 0 {
                            out.push(',');
                        }
                        line(out, depth + 1);
                        quote(out, name);
                        out.push_str(" : ");
                        value.write(out, Some(depth + 1));
                    }
                    line(out, depth);
                    out.push('}');
                }
            },
        }
    }

    fn write_yaml(&self, out: &mut String, depth: usize, inline: bool) {
        match self {
            Json::Map(members) if !members.is_empty() => {
                for (index, (name, value)) in members.iter().enumerate() {
                    if index > 0 || !inline {
                        out.extend(std::iter::repeat_n(' ', depth * 2));
                    }
                    out.push_str(name);
                    out.push(':');
                    match value {
                        Json::Map(inner) if !inner.is_empty() => {
                            out.push('\n');
                            value.write_yaml(out, depth + 1, false);
                        }
                        Json::List(items) if !items.is_empty() => {
                            out.push('\n');
                            value.write_yaml(out, depth, false);
                        }
                        scalar => {
                            out.push(' ');
                            scalar.write(out, None);
                            out.push('\n');
                        }
                    }
                }
            }
            Json::List(items) if !items.is_empty() => {
                for item in items {
                    out.extend(std::iter::repeat_n(' ', depth * 2));
                    out.push_str("- ");
                    match item {
                        Json::Map(_) => item.write_yaml(out, depth + 1, true),
                        scalar => {
                            scalar.write(out, None);
                            out.push('\n');
                        }
                    }
                }
            }
            scalar => {
                scalar.write(out, None);
                out.push('\n');
            }
        }
    }

    /// Keeps what a `filter_path` names; `None`: nothing is left.
    pub(in super::super) fn filtered(&self, filters: &str) -> Option<Json> {
        let (without, with): (Vec<&str>, Vec<&str>) = filters
            .split(',')
            .filter(|filter| !filter.is_empty())
            .partition(|filter| filter.starts_with('-'));
        let split = |filter: &str| filter.split('.').map(str::to_owned).collect::<Vec<_>>();
        let mut kept = self.clone();
        if !with.is_empty() {
            let with: Vec<Vec<String>> = with.into_iter().map(split).collect();
            kept = kept.including(&with)?;
        }
        for filter in without {
            let parts = split(&filter[1..]);
            kept.excluding(&parts);
        }
        Some(kept)
    }

    fn including(&self, filters: &[Vec<String>]) -> Option<Json> {
        match self {
            Json::List(items) => {
                let kept: Vec<Json> = items.iter().filter_map(|item| item.including(filters)).collect();
                (!kept.is_empty()).then_some(Json::List(kept))
            }
            Json::Map(members) => {
                let mut kept = Vec::new();
                for (name, value) in members {
                    let mut rest = Vec::new();
                    let mut whole = false;
                    for filter in filters {
                        let Some(first) = filter.first() else { continue };
                        if first == "**" {
                            rest.push(filter.clone());
                            if filter.len() > 1 && wildcard(&filter[1], name) {
                                if filter.len() == 2 {
                                    whole = true;
                                } else {
                                    rest.push(filter[2..].to_vec());
                                }
                            }
                        } else if wildcard(first, name) {
                            if filter.len() == 1 {
                                whole = true;
                            } else {
                                rest.push(filter[1..].to_vec());
                            }
                        }
                    }
                    if whole {
                        kept.push((name.clone(), value.clone()));
                    } else if !rest.is_empty()
                        && let Some(value) = value.including(&rest)
                    {
                        kept.push((name.clone(), value));
                    }
                }
                (!kept.is_empty()).then_some(Json::Map(kept))
            }
            _ => None,
        }
    }

    fn excluding(&mut self, filter: &[String]) {
        match self {
            Json::List(items) => items.iter_mut().for_each(|item| item.excluding(filter)),
            Json::Map(members) => {
                let Some(first) = filter.first() else { return };
                if filter.len() == 1 {
                    members.retain(|(name, _)| !wildcard(first, name));
                } else {
                    let inner = members.iter_mut().filter(|(name, _)| wildcard(first, name));
                    inner.for_each(|(_, value)| value.excluding(&filter[1..]));
                }
            }
            _ => {}
        }
    }
}

/// How Java writes a floating-point number: plain between 10^-3 and 10^7, else with `E`.
fn java(plain: String, value: f64, scientific: &str) -> String {
    if !value.is_finite() {
        // The product writes them as texts.
        return if value.is_nan() {
            "\"NaN\"".into()
        } else if value > 0.0 {
            "\"Infinity\"".into()
        } else {
            "\"-Infinity\"".into()
        };
    }
    if value == 0.0 || (1e-3..1e7).contains(&value.abs()) {
        return plain;
    }
    match scientific.split_once('E') {
        Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0E{exponent}"),
        _ => scientific.to_owned(),
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if (control as u32) < 0x20 => out.push_str(&format!("\\u{:04X}", control as u32)),
            letter => out.push(letter),
        }
    }
    out.push('"');
}

/// `*` for any run of letters, `?` for one where the caller's syntax has it. Never more than
/// length × length steps.
pub(in super::super) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut position, mut star, mut mark) = (0, 0, None, 0);
    while position < text.len() {
        if at < pattern.len() && pattern[at] == '*' {
            star = Some(at);
            mark = position;
            at += 1;
        } else if at < pattern.len() && (pattern[at] == text[position] || pattern[at] == '?') {
            at += 1;
            position += 1;
        } else if let Some(star) = star {
            at = star + 1;
            mark += 1;
            position = mark;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|letter| *letter == '*')
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Json;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(i64::try_from(value).map_or(Json::Float(value as f64), Json::Int))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
                let mut map = Vec::new();
                while let Some(member) = members.next_entry()? {
                    map.push(member);
                }
                Ok(Json::Map(map))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_is_written_as_jackson_writes_it() {
        let value = Json::read(br#"{"a":{},"b":[],"c":[1,"x"],"d":[{"e":1.0}],"f":12345678.5}"#).unwrap();
        assert_eq!(value.compact(), r#"{"a":{},"b":[],"c":[1,"x"],"d":[{"e":1.0}],"f":1.23456785E7}"#);
        assert_eq!(
            value.pretty(),
            "{\n  \"a\" : { },\n  \"b\" : [ ],\n  \"c\" : [\n    1,\n    \"x\"\n  ],\n  \"d\" : [\n    {\n      \"e\" : 1.0\n    }\n  ],\n  \"f\" : 1.23456785E7\n}\n"
        );
        assert_eq!(Json::from(0.980_829_1_f32).compact(), "0.9808291");
    }

    #[test]
    fn filters_keep_what_they_name() {
        let value = Json::read(br#"{"a":{"b":1,"c":{"d":2}},"l":[{"x":1,"y":2},{"y":3}],"z":0}"#).unwrap();
        let left = |filter: &str| value.filtered(filter).map(|value| value.compact());
        assert_eq!(left("a.b"), Some(r#"{"a":{"b":1}}"#.into()));
        assert_eq!(left("*.y,z"), Some(r#"{"l":[{"y":2},{"y":3}],"z":0}"#.into()));
        assert_eq!(left("**.d"), Some(r#"{"a":{"c":{"d":2}}}"#.into()));
        assert_eq!(left("-a,-l.x"), Some(r#"{"l":[{"y":2},{"y":3}],"z":0}"#.into()));
        assert_eq!(left("nothing"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = Json::read(&bytes) {
                let again = Json::read(value.compact().as_bytes()).unwrap();
                prop_assert_eq!(again.compact(), value.compact());
                let _ = (value.pretty(), value.yaml(), value.filtered("a.*,-**.b"));
            }
        }

        #[test]
        fn any_pattern_ends(pattern in "[a*?]{0,40}", text in "[ab]{0,60}") {
            let _ = wildcard(&pattern, &text);
            prop_assert!(wildcard("*", &text));
            prop_assert!(wildcard(&text, &text));
        }
    }
}

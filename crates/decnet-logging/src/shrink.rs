//! Making a report or an event smaller without making it unreadable: the raw bytes go first, then the
//! longest values are cut; what says who, where and when stays whole.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::text::json_escaped_len;

/// Fields that are never cut: short by nature, and of types that a cut would break.
const WHOLE: &[&str] = &[
    "direction",
    "dst_ip",
    "event",
    "ja3",
    "ja4",
    "outcome",
    "reason",
    "session",
    "severity",
    "sha256",
    "src_ip",
    "transport",
    "ts",
];

/// Nothing is cut below this many bytes (escaped).
const FLOOR: usize = 32;

/// Cutting converges by halves: 64 fields of 2^20 bytes each need fewer rounds than this.
const ROUNDS: usize = 1024;

/// Cuts until `excess` is 0 (it tells by how many bytes a value is too long), or until nothing is left to
/// cut. `cut` names what the caller has cut already. Gives the value and the names of the fields that are
/// not whole any more, sorted. None where the
/// type cannot be read back from its own JSON, which those of this crate can.
pub(crate) fn shrink<T>(
    value: &T,
    mut cut: Vec<String>,
    excess: impl Fn(&T, &[String]) -> usize,
) -> Option<(T, Vec<String>)>
where
    T: Serialize + DeserializeOwned,
{
    let Value::Object(mut map) = serde_json::to_value(value).ok()? else { return None };
    for _ in 0..ROUNDS {
        let current: T = serde_json::from_value(Value::Object(map.clone())).ok()?;
        let over = excess(&current, &cut);
        let victim = if over == 0 { None } else { shorten(&mut map, over) };
        let Some(name) = victim else { return Some((current, cut)) };
        if let Err(place) = cut.binary_search(&name) {
            cut.insert(place, name);
        }
    }
    None
}

/// Cuts one field and gives its name; none if there is nothing left to cut.
fn shorten(map: &mut Map<String, Value>, over: usize) -> Option<String> {
    if let Some(Value::String(raw)) = map.get("raw") {
        // Whole groups of four keep it base64 without padding. 32 more: the mark itself needs room.
        let keep = raw.len().saturating_sub(over + 32) / 4 * 4;
        if keep == 0 {
            map.remove("raw");
        } else {
            let text = raw[..keep].to_owned();
            map.insert("raw".to_owned(), Value::String(text));
        }
        map.insert("raw_truncated".to_owned(), Value::Bool(true));
        return Some("raw".to_owned());
    }
    let (name, cost) = map
        .iter()
        .filter(|(name, _)| !WHOLE.contains(&name.as_str()))
        .map(|(name, value)| (name, cost(value)))
        .max_by_key(|(_, cost)| *cost)
        .filter(|(_, cost)| *cost > FLOOR)?;
    let name = name.clone();
    // At most to the half, so that the next longest gives its share too.
    let target = cost.saturating_sub(over).max(cost / 2).max(FLOOR);
    match map.get_mut(&name)? {
        // The text beside it says the same with replacement characters.
        Value::String(_) if name.ends_with("_b64") => {
            map.remove(&name);
        }
        Value::String(text) => {
            let mut sum = 0;
            let end = text.char_indices().find(|(_, c)| {
                sum += json_escaped_len(*c);
                sum > target
            });
            if let Some((end, _)) = end {
                text.truncate(end);
            }
        }
        Value::Array(items) => items.truncate(items.len() / 2),
        _ => return None,
    }
    Some(name)
}

/// How many bytes of a value could be saved.
fn cost(value: &Value) -> usize {
    match value {
        Value::String(text) => text.chars().map(json_escaped_len).sum(),
        Value::Array(items) => items.iter().map(|item| cost(item) + 3).sum(),
        Value::Object(map) => map.values().map(|item| cost(item) + 3).sum(),
        _ => 0,
    }
}

//! The event contract as a JSON Schema (draft 2020-12): what a line of JSON is, for programs in any
//! language.
//!
//! The file is made from the types of [`crate::event`]; a test fails where it is behind them, and
//! `DECNET_UPDATE_SCHEMA=1 cargo test -p decnet-logging schema` writes it anew. The contract is closed: a
//! field that is not in it is an error.

/// The schema of [`crate::event::SCHEMA`].
pub const EVENT_V1: &str = include_str!("../schemas/event-v1.json");

/// How a transport is written.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is used; a test holds it against the type")]
pub(crate) enum TransportWord {
    /// A TCP connection.
    Tcp,
    /// Datagrams.
    Udp,
}

/// How a time is written.
#[cfg(test)]
pub(crate) struct TimestampText;

#[cfg(test)]
impl schemars::JsonSchema for TimestampText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "date-time",
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        })
    }
}

#[cfg(test)]
mod tests {
    use decnet_core::service::Transport;
    use schemars::generate::SchemaSettings;
    use serde_json::{Value, json};

    use super::*;
    use crate::event::{Event, SCHEMA};

    /// What an event never has is not in its contract: `null` is never written, what is missing is left out.
    fn without_null(value: &mut Value) {
        match value {
            Value::Object(map) => {
                if let Some(Value::Array(types)) = map.get_mut("type") {
                    types.retain(|one| one != "null");
                    if let [one] = &types[..] {
                        let one = one.clone();
                        map.insert("type".to_owned(), one);
                    }
                }
                if let Some(Value::Array(choices)) = map.get_mut("anyOf") {
                    choices.retain(|choice| *choice != json!({"type": "null"}));
                    if let [Value::Object(only)] = &choices[..] {
                        let only = only.clone();
                        map.remove("anyOf");
                        map.extend(only);
                    }
                }
                if map.get("default") == Some(&Value::Null) {
                    map.remove("default");
                }
                map.values_mut().for_each(without_null);
            }
            Value::Array(items) => items.iter_mut().for_each(without_null),
            _ => {}
        }
    }

    fn generated() -> String {
        let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Event>().to_value();
        without_null(&mut schema);
        let Value::Object(map) = &mut schema else { panic!("{schema}") };
        map.insert("title".to_owned(), format!("DECNET event, version {SCHEMA}").into());
        map.insert("unevaluatedProperties".to_owned(), false.into());
        map["properties"]["schema"] =
            json!({ "const": SCHEMA, "description": "The version of the contract." });
        format!("{:#}\n", schema)
    }

    #[test]
    fn the_schema_is_that_of_the_types() {
        let generated = generated();
        if std::env::var_os("DECNET_UPDATE_SCHEMA").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/event-v1.json");
            std::fs::write(path, generated).unwrap();
            return;
        }
        assert!(
            generated == EVENT_V1,
            "schemas/event-v1.json is behind the types: DECNET_UPDATE_SCHEMA=1 cargo test -p decnet-logging \
             schema writes it anew"
        );
    }

    #[test]
    fn transports_are_written_so() {
        let words = [Transport::Tcp, Transport::Udp].map(|transport| json!(transport));
        assert_eq!(words, [json!("tcp"), json!("udp")]);
    }
}

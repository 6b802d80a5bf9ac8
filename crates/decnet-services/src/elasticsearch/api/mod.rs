//! The REST API: which paths there are, with which methods, and what answers them.

pub(super) mod cat;
pub(super) mod cluster;
pub(super) mod documents;
pub(super) mod indices;
mod routes;
pub(super) mod search;
pub(super) mod system;

use std::sync::Arc;

use decnet_logging::event::{Body, Outcome as Told};

use super::codec::json::Json;
use super::codec::table::Table;
use super::error::EsError;
use super::persona::Persona;
use super::store::{Cluster, Lookup};
use crate::host::Host;

pub(super) use routes::dispatch;

/// The node that answers.
pub(super) struct Node<'a> {
    pub(super) host: &'a Arc<Host>,
    pub(super) persona: &'a Persona,
}

/// What an answer is made of.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Json(u16, Json),
    Text(String),
    Table(Table),
    /// Nothing but a status.
    Status(u16),
}

/// An answer or an error.
pub(super) type Outcome = Result<Answer, EsError>;

/// A request under way.
pub(super) struct Call<'a> {
    pub(super) node: &'a Node<'a>,
    pub(super) cluster: &'a mut Cluster,
    pub(super) method: &'a str,
    /// The names in the path.
    pub(super) names: Vec<(&'static str, String)>,
    pub(super) parameters: &'a [(String, String)],
    pub(super) body: &'a [u8],
    /// Milliseconds since 1970.
    pub(super) now: i64,
    /// Who asks.
    pub(super) user: Option<String>,
    /// What is to be told.
    pub(super) notes: Vec<Body>,
    /// Bodies worth keeping, by name.
    pub(super) uploads: Vec<(String, Vec<u8>)>,
}

impl Call<'_> {
    /// A name in the path.
    pub(super) fn name(&self, key: &str) -> Option<&str> {
        self.names.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    /// A parameter.
    pub(super) fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is set and not `false`.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.parameter(key).is_some_and(|value| value != "false")
    }

    /// A parameter that is a number.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn count(&self, key: &str) -> Result<Option<i64>, EsError> {
        let Some(value) = self.parameter(key) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| {
            EsError::argument(format!("Failed to parse int parameter [{key}] with value [{value}]")).because(
                EsError::new(400, "number_format_exception", format!("For input string: \"{value}\"")),
            )
        })
    }

    /// The release.
    pub(super) fn persona(&self) -> &Persona {
        self.node.persona
    }

    /// The body as JSON; `None` where there is none.
    ///
    /// # Errors
    /// It is no JSON.
    pub(super) fn json(&self) -> Result<Option<Json>, EsError> {
        if self.body.trim_ascii().is_empty() {
            // Clients that cannot send a body with GET.
            return match self.parameter("source") {
                Some(source) => Json::read(source.as_bytes()).map(Some).map_err(|error| self.broken(&error)),
                None => Ok(None),
            };
        }
        Json::read(self.body).map(Some).map_err(|error| self.broken(&error))
    }

    /// The body as JSON that must be there.
    ///
    /// # Errors
    /// It is not, or is no JSON.
    pub(super) fn need(&self) -> Result<Json, EsError> {
        self.json()?.ok_or_else(|| EsError::new(400, "parse_exception", "request body is required"))
    }

    /// What the parser says of a body.
    pub(super) fn broken(&self, error: &serde_json::Error) -> EsError {
        broken(self.persona(), self.body, error)
    }

    /// How names of indices are looked up for this request.
    pub(super) fn lookup(&self) -> Lookup {
        let hidden = self
            .parameter("expand_wildcards")
            .is_some_and(|value| value.split(',').any(|word| matches!(word, "all" | "hidden")));
        Lookup {
            ignore_unavailable: self.flag("ignore_unavailable"),
            allow_no_indices: self.parameter("allow_no_indices") != Some("false"),
            hidden,
        }
    }

    /// The indices of the path.
    ///
    /// # Errors
    /// One of them is not there.
    pub(super) fn indices(&self) -> Result<Vec<String>, EsError> {
        self.cluster.resolve(self.name("index").unwrap_or("_all"), self.lookup())
    }

    /// Tells that planted indices were read; each of them once.
    pub(super) fn touch<'n>(&mut self, names: impl IntoIterator<Item = &'n String>) {
        for name in names {
            let planted = self.cluster.indices.get(name).is_some_and(|index| index.planted);
            if planted && !self.cluster.touched.contains(name) {
                self.cluster.touched.push(name.clone());
                let planted_on = Some(self.persona().node.clone());
                self.notes.push(Body::BaitTouched { bait: format!("index {name}"), planted_on });
            }
        }
    }

    /// Tells of a change.
    pub(super) fn changed(&mut self, object: String, old: Option<String>, new: String) {
        self.notes.push(Body::StateChanged { object, old, new });
    }

    /// Tells of a query.
    pub(super) fn queried(&mut self, statement: String, database: Option<String>, rows: u64) {
        self.notes.push(Body::Query { statement, database, outcome: Told::Accepted, rows });
    }
}

/// What the parser says of bytes that are no JSON, in the words of the release.
pub(super) fn broken(persona: &Persona, body: &[u8], error: &serde_json::Error) -> EsError {
    let (line, column) = (error.line(), error.column().max(1));
    let input = match persona.number.0 {
        0..=6 => "org.elasticsearch.common.bytes.BytesReference$MarkSupportingStreamInput@".to_owned(),
        7 => "(org.elasticsearch.common.io.stream.ByteBufferStreamInput)".to_owned(),
        _ => "(byte[])\"".to_owned(),
    };
    let shown = match persona.number.0 {
        0..=6 => format!("{input}{:x}", body.len().wrapping_mul(0x9e37_79b1) & 0x7fff_ffff),
        7 => input,
        _ => {
            let text: String = String::from_utf8_lossy(body).chars().take(500).collect();
            let more = body.len().saturating_sub(text.len());
            if more > 0 {
                format!("{input}{text}\"[truncated {more} bytes]")
            } else {
                format!("{input}{text}\"")
            }
        }
    };
    let place = format!("\n at [Source: {shown}; line: {line}, column: {column}]");
    let kind = if persona.number.0 >= 8 && persona.number.1 >= 11 {
        "x_content_parse_exception"
    } else {
        "json_parse_exception"
    };
    if error.is_eof() {
        let kind = if persona.number.0 >= 8 { "x_content_e_o_f_exception" } else { "json_e_o_f_exception" };
        return EsError::new(
            if persona.number.0 >= 7 { 400 } else { 500 },
            kind,
            format!(
                "Unexpected end-of-input: expected close marker for Object (start marker at [Source: {shown}; line: 1, column: 1]){place}"
            ),
        );
    }
    let at = nth_line(body, line).get(column - 1).copied().unwrap_or(b' ');
    let reason = if at.is_ascii_alphabetic() {
        let rest = nth_line(body, line).get(column - 1..).unwrap_or_default();
        let word: String = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .map(|byte| char::from(*byte))
            .take(256)
            .collect();
        format!(
            "Unrecognized token '{word}': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
        )
    } else {
        format!(
            "Unexpected character ('{}' (code {at})): was expecting double-quote to start field name",
            char::from(at)
        )
    };
    EsError::new(if persona.number.0 >= 7 { 400 } else { 500 }, kind, reason + &place)
}

fn nth_line(body: &[u8], line: usize) -> &[u8] {
    body.split(|byte| *byte == b'\n').nth(line.saturating_sub(1)).unwrap_or_default()
}

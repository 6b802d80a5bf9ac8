//! What the product says when it does not do what it is asked: type, reason, causes, status.

use super::codec::json::{Json, object};

/// An error.
#[derive(Clone, Debug)]
pub(super) struct EsError {
    pub(super) status: u16,
    pub(super) kind: &'static str,
    pub(super) reason: String,
    /// Members behind the reason: index, uuid, line, header, …
    pub(super) more: Vec<(String, Json)>,
    /// What it was caused by.
    pub(super) cause: Option<Box<EsError>>,
    /// Some are written as a bare text.
    pub(super) bare: bool,
    /// The methods that would do, for 405.
    pub(super) allow: Option<Box<str>>,
    /// Whether it came out of a phase of a search that all shards failed.
    pub(super) phase: Option<&'static str>,
    /// Where it was raised: the node of a shard failure.
    pub(super) failed_index: Option<Box<(String, String)>>,
}

impl EsError {
    /// With type and reason.
    pub(super) fn new(status: u16, kind: &'static str, reason: impl Into<String>) -> EsError {
        EsError {
            status,
            kind,
            reason: reason.into(),
            more: Vec::new(),
            cause: None,
            bare: false,
            allow: None,
            phase: None,
            failed_index: None,
        }
    }

    /// One that is a text only.
    pub(super) fn bare(status: u16, reason: impl Into<String>) -> EsError {
        EsError { bare: true, ..EsError::new(status, "", reason) }
    }

    /// 400 `illegal_argument_exception`.
    pub(super) fn argument(reason: impl Into<String>) -> EsError {
        EsError::new(400, "illegal_argument_exception", reason)
    }

    /// 400 `action_request_validation_exception`.
    pub(super) fn validation(reason: &str) -> EsError {
        EsError::new(400, "action_request_validation_exception", format!("Validation Failed: 1: {reason};"))
    }

    /// 404 `index_not_found_exception`.
    pub(super) fn no_index(name: &str) -> EsError {
        EsError::new(404, "index_not_found_exception", format!("no such index [{name}]"))
            .with("resource.type", "index_or_alias")
            .with("resource.id", name)
            .with("index_uuid", "_na_")
            .with("index", name)
    }

    /// 400 for a query that cannot be parsed.
    pub(super) fn parsing(reason: impl Into<String>) -> EsError {
        EsError::new(400, "parsing_exception", reason).with("line", 1).with("col", 1)
    }

    /// Adds a member.
    pub(super) fn with(mut self, name: &str, value: impl Into<Json>) -> EsError {
        self.more.push((name.to_owned(), value.into()));
        self
    }

    /// Names what it was caused by.
    pub(super) fn because(mut self, cause: EsError) -> EsError {
        self.cause = Some(Box::new(cause));
        self
    }

    fn body(&self) -> Json {
        let mut body = object! { "type" => self.kind, "reason" => &self.reason };
        if let Json::Map(members) = &mut body {
            members.extend(self.more.iter().cloned());
        }
        if let Some(cause) = &self.cause {
            body.set("caused_by", cause.body());
        }
        body
    }

    /// The error inside an item of a bulk answer, without its root.
    pub(super) fn item(&self) -> Json {
        self.body()
    }

    /// The whole answer.
    pub(super) fn answer(&self) -> Json {
        if self.bare {
            // A path without a handler has no status in its answer.
            return if self.status == 400 {
                object! { "error" => &self.reason }
            } else {
                object! { "error" => &self.reason, "status" => self.status }
            };
        }
        let root = EsError { cause: None, ..self.clone() };
        let mut error = object! { "root_cause" => vec![root.body()] };
        if let Some(phase) = self.phase {
            let (index, node) = self.failed_index.as_deref().cloned().unwrap_or_default();
            let failed = object! {
                "shard" => 0, "index" => index, "node" => node, "reason" => self.body(),
            };
            error.merge(&object! {
                "type" => "search_phase_execution_exception",
                "reason" => "all shards failed",
                "phase" => phase,
                "grouped" => true,
                "failed_shards" => vec![failed],
            });
            if let Some(cause) = &self.cause {
                error.set("caused_by", cause.body());
            }
        } else {
            error.merge(&self.body());
        }
        object! { "error" => error, "status" => self.status }
    }
}

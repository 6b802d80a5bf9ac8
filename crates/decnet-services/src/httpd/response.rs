//! A response and how it is written.

use std::borrow::Cow;
use std::time::Duration;

use super::date;
use super::http2::Manner;
use super::profile::{KeepAliveStyle, Profile, Slot};
use super::request::{Request, Version};
use crate::connection::Stream;
use crate::server::Conversation;
use crate::tls::Prefixed;

/// How the end of a body is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`.
    Length,
    /// Chunked to HTTP/1.1, by the end of the connection to older clients: pages made on the fly.
    Dynamic,
    /// By the end of the connection.
    Close,
    /// There is no body and nothing is said of it: 304, 204.
    Absent,
}

/// Whether the connection ends after a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// As the client asked.
    AsAsked,
    /// It ends and the response says so.
    Announced,
    /// It ends; the response does not say so.
    Silent,
}

/// Goes on with the connection after the response: protocol upgrades.
pub type Takeover = Box<dyn FnOnce(Prefixed<Box<dyn Stream>>) -> Conversation<'static> + Send + Sync>;

/// A response.
pub struct Response {
    /// The status.
    pub status: u16,
    /// The reason phrase.
    pub reason: Cow<'static, str>,
    /// `Content-Type`.
    pub content_type: Option<Cow<'static, str>>,
    /// Everything but what the profile has its own place for.
    pub fields: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How its end is marked.
    pub framing: Framing,
    /// Whether the connection ends.
    pub closing: Closing,
    /// Whether the length is left out when only the head is asked for.
    pub length_hidden_from_head: bool,
    /// How long the product takes for it.
    pub delay: Duration,
    /// Another `Server` than the profile's: `Some(None)` for none at all.
    pub server: Option<Option<Cow<'static, str>>>,
    /// Another order of the fields than the profile's.
    pub layout: Option<&'static [Slot]>,
    /// Whether our side stays open while the rest of an unwanted body is waited for.
    pub half_open: bool,
    /// Whether only the body goes out, as to a client of HTTP/0.9 whose request came to nothing.
    pub simple: bool,
    /// What follows on the same connection.
    pub takeover: Option<Takeover>,
    /// Whether it makes sense on a connection of HTTP/1 only, as authentication of connections does: over
    /// HTTP/2 the stream is reset with HTTP_1_1_REQUIRED instead.
    pub http1_only: bool,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// With a body of known length.
    pub fn new(
        status: u16,
        content_type: impl Into<Cow<'static, str>>,
        body: impl Into<Vec<u8>>,
    ) -> Response {
        Response {
            status,
            reason: Cow::Borrowed(reason(status)),
            content_type: Some(content_type.into()),
            fields: Vec::new(),
            body: body.into(),
            framing: Framing::Length,
            closing: Closing::AsAsked,
            length_hidden_from_head: false,
            delay: Duration::ZERO,
            server: None,
            layout: None,
            half_open: false,
            simple: false,
            takeover: None,
            http1_only: false,
        }
    }

    /// Without type and body.
    pub fn bare(status: u16) -> Response {
        let mut response = Response::new(status, "", Vec::new());
        response.content_type = None;
        response
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Response {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Ends the connection after it.
    #[must_use]
    pub fn closing(mut self) -> Response {
        self.closing = Closing::Announced;
        self
    }

    /// Takes that long.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Response {
        self.delay = delay;
        self
    }

    /// The field of that name, in any case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Takes the field of that name away, in any case.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }
}

/// What the connection's state adds to a response.
#[derive(Clone, Copy, Debug)]
pub(super) struct State {
    /// Requests that were answered before on the same connection.
    pub(super) served: u32,
    /// The product's clock, seconds since 1970.
    pub(super) now: i64,
}

/// A response as bytes, and whether the connection stays.
pub(super) fn encode(
    response: &Response,
    request: Option<&Request>,
    profile: &Profile,
    state: State,
) -> (Vec<u8>, bool) {
    let version = request.map_or(Version::V11, |request| request.version);
    let head_only = request.is_some_and(|request| request.method == "HEAD");
    let chunked = response.framing == Framing::Dynamic && version >= Version::V11;
    let delimited = match response.framing {
        Framing::Length | Framing::Absent => true,
        Framing::Dynamic => chunked || head_only,
        Framing::Close => false,
    };
    let asked = request.is_some_and(Request::wants_keep_alive);
    let keep = asked
        && delimited
        && response.closing == Closing::AsAsked
        && profile.keep_alive.style != KeepAliveStyle::Never
        && state.served + 1 < profile.keep_alive.requests.max(1);
    let mut out = Vec::with_capacity(response.body.len() + 512);
    if version > Version::V09 && !response.simple {
        write_head(&mut out, response, request, profile, state, (keep, chunked, head_only));
    }
    if !head_only && response.framing != Framing::Absent {
        if chunked {
            for part in response.body.chunks(32 * 1024) {
                out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
                out.extend_from_slice(part);
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(b"0\r\n\r\n");
        } else {
            out.extend_from_slice(&response.body);
        }
    }
    (out, keep)
}

fn write_head(
    out: &mut Vec<u8>,
    response: &Response,
    request: Option<&Request>,
    profile: &Profile,
    state: State,
    (keep, chunked, head_only): (bool, bool, bool),
) {
    let old = request.is_some_and(|request| request.version < Version::V11);
    let version = if profile.echo_version && old { "HTTP/1.0" } else { "HTTP/1.1" };
    out.extend_from_slice(format!("{version} {} {}\r\n", response.status, response.reason).as_bytes());
    let mut put = |name: &str, value: &str| {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend(value.bytes().map(|byte| if byte == b'\r' || byte == b'\n' { b' ' } else { byte }));
        out.extend_from_slice(b"\r\n");
    };
    let layout = response.layout.unwrap_or(profile.layout);
    let named = |name: &str| {
        layout.iter().any(|slot| matches!(slot, Slot::Named(slot) if slot.eq_ignore_ascii_case(name)))
    };
    let asks = request.is_some_and(|request| request.lists("connection", "keep-alive"));
    let style = profile.keep_alive.style;
    for slot in layout {
        match slot {
            Slot::Server => {
                if let Some(server) = response.server.as_ref().unwrap_or(&profile.server) {
                    put("Server", server);
                }
            }
            Slot::Date => put("Date", &date::format(state.now)),
            Slot::ContentType => {
                if let Some(kind) = &response.content_type
                    && response.framing != Framing::Absent
                {
                    put("Content-Type", kind);
                }
            }
            Slot::ContentLength => {
                let hidden = head_only && response.length_hidden_from_head;
                if response.framing == Framing::Length && !hidden {
                    put("Content-Length", &response.body.len().to_string());
                }
            }
            Slot::TransferEncoding => {
                if chunked {
                    put("Transfer-Encoding", "chunked");
                }
            }
            Slot::KeepAlive => {
                if style == KeepAliveStyle::Echo && keep && asks {
                    let idle = profile.keep_alive.idle.as_secs();
                    let left = profile.keep_alive.requests.saturating_sub(state.served);
                    put("Keep-Alive", &format!("timeout={idle}, max={left}"));
                }
            }
            Slot::Connection => {
                if response.field("connection").is_some() {
                    continue;
                }
                let silent = response.closing == Closing::Silent;
                let text = match (style, keep) {
                    (KeepAliveStyle::Always, true) => Some("keep-alive"),
                    (KeepAliveStyle::Echo, true) if asks => Some("Keep-Alive"),
                    (KeepAliveStyle::Exceptions, true) if old => Some("keep-alive"),
                    (_, true) => None,
                    (_, false) if silent => None,
                    (_, false) => Some("close"),
                };
                if let Some(text) = text {
                    put("Connection", text);
                }
            }
            Slot::Named(name) => {
                response
                    .fields
                    .iter()
                    .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                    .for_each(|(key, value)| put(key, value));
            }
            Slot::Rest => {
                response
                    .fields
                    .iter()
                    .filter(|(key, _)| !named(key))
                    .for_each(|(key, value)| put(key, value));
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// A response as the list of fields and the body of HTTP/2: names in lower case, nothing that belongs to a
/// connection (RFC 9113 section 8.2), in the product's order.
pub(super) fn multiplexed(
    response: &Response,
    request: Option<&Request>,
    profile: &Profile,
    manner: &Manner,
    now: i64,
) -> (Vec<(String, String)>, Vec<u8>) {
    let head_only = request.is_some_and(|request| request.method == "HEAD");
    let absent = response.framing == Framing::Absent;
    let layout = response.layout.unwrap_or(profile.layout);
    // A layout without a place for the rest is complete as it stands.
    let moved = |slot: &Slot| {
        manner.date_last && layout.contains(&Slot::Rest) && matches!(slot, Slot::Date | Slot::Server)
    };
    let named = |name: &str| {
        layout.iter().any(|slot| matches!(slot, Slot::Named(slot) if slot.eq_ignore_ascii_case(name)))
    };
    let connection = ["connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"];
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut put = |name: &str, value: &str| {
        let name = name.to_ascii_lowercase();
        if !connection.contains(&name.as_str()) {
            fields.push((name, value.replace(['\r', '\n', '\0'], " ")));
        }
    };
    let slots = layout.iter().filter(|slot| !moved(slot)).chain(layout.iter().filter(|slot| moved(slot)));
    for slot in slots {
        match slot {
            Slot::Server => {
                if let Some(server) = response.server.as_ref().unwrap_or(&profile.server) {
                    put("server", server);
                }
            }
            Slot::Date => put("date", &date::format(now)),
            Slot::ContentType => {
                if let Some(kind) = response.content_type.as_ref().filter(|_| !absent) {
                    put("content-type", kind);
                }
            }
            Slot::ContentLength => {
                let hidden = head_only && response.length_hidden_from_head;
                if response.framing == Framing::Length && !hidden {
                    put("content-length", &response.body.len().to_string());
                }
            }
            Slot::TransferEncoding | Slot::KeepAlive | Slot::Connection => {}
            Slot::Named(name) => {
                let here = response.fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
                here.for_each(|(key, value)| put(key, value));
            }
            Slot::Rest => {
                let here = response.fields.iter().filter(|(key, _)| !named(key));
                here.for_each(|(key, value)| put(key, value));
            }
        }
    }
    if !manner.order.is_empty() {
        let place =
            |name: &str| manner.order.iter().position(|known| *known == name).unwrap_or(manner.order.len());
        fields.sort_by_key(|(name, _)| place(name));
    }
    fields.insert(0, (":status".to_owned(), response.status.to_string()));
    (fields, if head_only || absent { Vec::new() } else { response.body.clone() })
}

/// The reason phrases of RFC 9110; products that differ set their own.
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

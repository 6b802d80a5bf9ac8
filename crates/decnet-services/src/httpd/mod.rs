//! HTTP as servers really speak it: the kit under `http` and every service that is HTTP underneath.
//!
//! A service is a [`Site`]: it has a [`Profile`] (order and case of fields, timeouts, bounds), judges
//! request lines and heads by its product's own rules, and answers. The kit reads, frames, waits, writes
//! and reports. Nothing here belongs to one product.

pub mod authorization;
pub mod content;
pub mod date;
pub mod form;
pub mod framer;
pub mod http2;
pub mod profile;
pub mod request;
pub mod response;
mod serve;

use std::future::Future;
use std::pin::Pin;

use decnet_logging::event::Body;

pub use authorization::Authorization;
pub use content::Document;
pub use form::Form;
pub use framer::{BodyLength, Head, HeadFault, HeadLimits, LineVerdict};
pub use profile::{BrokenBody, KeepAlive, KeepAliveStyle, Profile, Slot};
pub use request::{Field, PathFault, Request, Version};
pub use response::{Closing, Framing, Response, Takeover};
pub use serve::serve;

use crate::session::Session;

/// How a request came in.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Through TLS.
    pub secure: bool,
    /// On which declared port.
    pub port: u16,
}

/// Why there is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The request line is none.
    BadLine,
    /// The version is one that the product does not speak.
    BadVersion,
    /// The request line is too long.
    LineTooLong,
    /// A field line is none.
    BadField,
    /// A field line is too long.
    FieldTooLong,
    /// There are too many field lines.
    TooManyFields,
    /// The head is too long.
    HeadTooLong,
    /// Host is missing.
    NoHost,
    /// Host is not one.
    BadHost,
    /// The path is none.
    BadPath,
    /// Content-Length is no number, or contradicts itself.
    BadLength,
    /// Transfer-Encoding is one that the product does not have.
    BadTransferEncoding,
    /// Expect is something else than `100-continue`.
    BadExpectation,
    /// The body is larger than the product takes.
    BodyTooLarge,
    /// A chunk is none.
    BadChunk,
    /// The head did not come in time.
    Timeout,
    /// HTTP without TLS on a TLS port.
    PlainOnTls,
    /// A header list of HTTP/2 is larger than the product takes.
    ListTooLarge,
    /// The product wants to be told the length of a body.
    NoLength,
}

/// A refusal in the making.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Why.
    pub detail: Detail,
    /// The bytes so far.
    pub head: Head,
    /// How it came in.
    pub arrival: Arrival,
    /// The request, where its head was accepted.
    pub request: Option<Request>,
}

/// An answer in the making.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// A server behind the kit.
pub trait Site: Send + Sync {
    /// Its profile.
    fn profile(&self) -> &Profile;

    /// How it speaks HTTP/2; `None`: it does not.
    fn http2(&self) -> Option<&'static http2::Manner> {
        None
    }

    /// Judges a request line, while it comes in and when it is there.
    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict;

    /// Makes a request of a head, by the product's rules.
    ///
    /// # Errors
    /// Why not.
    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail>;

    /// The answer to what is no request; `None`: the connection is closed without one.
    fn refuse(&self, fault: &Fault, session: &Session) -> Option<Response>;

    /// Whether the body is read before the answer. Where not, the answer goes first and the body is
    /// read, and reported, after it.
    fn reads_body(&self, request: &Request) -> bool {
        let _ = request;
        true
    }

    /// The answer.
    fn respond<'a>(&'a self, request: &'a Request, session: &'a Session) -> Answering<'a>;

    /// Reports a request when all of it is there.
    fn report(&self, request: &Request, status: u16, session: &Session) {
        report(request, status, session);
    }
}

/// The `request` event of a request: its head and the beginning of its body as raw bytes.
pub fn report(request: &Request, status: u16, session: &Session) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let body = Body::Request {
        method: request.method.clone(),
        target: request.target.clone(),
        status: status.to_string(),
        version: Some(request.version.to_string()),
        headers: request.fields.iter().map(|field| (text(&field.name), text(&field.value))).collect(),
        body_len: (request.body_len > 0).then_some(request.body_len),
    };
    let mut raw = request.raw.clone();
    raw.extend_from_slice(&request.body);
    session.emit_raw(body, &raw);
}

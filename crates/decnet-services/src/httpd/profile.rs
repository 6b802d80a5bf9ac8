//! What distinguishes one HTTP server from another as far as framing goes: order and case of its fields,
//! when it keeps a connection, how long it waits, how much it takes. Data, filled by each product.

use std::borrow::Cow;
use std::time::Duration;

use super::framer::HeadLimits;

/// A place in the order of a response's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `Server`, where the product has one.
    Server,
    /// `Date`.
    Date,
    /// `Content-Type`.
    ContentType,
    /// `Content-Length`.
    ContentLength,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Connection`.
    Connection,
    /// `Keep-Alive`.
    KeepAlive,
    /// A field of the response by its name.
    Named(&'static str),
    /// All fields of the response that no other place names, in the order they were added.
    Rest,
}

/// When and how a product says that it keeps the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAliveStyle {
    /// `Connection: keep-alive` or `close` in every response (nginx).
    Always,
    /// `Keep-Alive: timeout=, max=` and `Connection: Keep-Alive` to those who ask for it, `close` when it
    /// closes (Apache).
    Echo,
    /// Nothing in HTTP/1.1 while it stays open; `keep-alive` to old clients that ask, `close` when it
    /// closes (IIS, lighttpd, Go).
    Exceptions,
    /// Closes after every response.
    Never,
}

/// How connections are kept.
#[derive(Clone, Copy, Debug)]
pub struct KeepAlive {
    /// What it says.
    pub style: KeepAliveStyle,
    /// How long it waits for the next request.
    pub idle: Duration,
    /// After how many requests it closes.
    pub requests: u32,
}

/// What happens after a broken chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenBody {
    /// [`super::Detail::BadChunk`] is refused.
    Refuse,
    /// The request is answered as if it had no body, then the connection is closed.
    Answer,
}

/// A server, as far as framing goes.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The value of `Server`; `None`: it sends none.
    pub server: Option<Cow<'static, str>>,
    /// The order of a response's fields.
    pub layout: &'static [Slot],
    /// Whether the status line names the client's version instead of HTTP/1.1.
    pub echo_version: bool,
    /// Bounds of a head.
    pub head: HeadLimits,
    /// Keeping connections.
    pub keep_alive: KeepAlive,
    /// How long a head may take.
    pub head_timeout: Duration,
    /// How long to wait for more of a body.
    pub body_timeout: Duration,
    /// The largest body it takes.
    pub body_limit: u64,
    /// After a broken chunk.
    pub broken_body: BrokenBody,
    /// How long to read on after closing our side, so that the client sees the answer and no reset.
    pub linger: Duration,
    /// How much of a body is kept in memory, for credentials, exploits and the event. Ours.
    pub body_kept: usize,
}

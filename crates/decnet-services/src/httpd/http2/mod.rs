//! HTTP/2 (RFC 9113) as products speak it, for every [`Site`](super::Site): the same requests go in, the
//! same answers come out. What differs between products is a [`Manner`].
//!
//! [`Connection`] is sans-IO: bytes in, events and bytes out. [`serve()`] gives it a socket and a site.

pub mod connection;
pub mod fingerprint;
pub mod frame;
pub mod head;
pub mod hpack;
pub mod manner;
mod receive;
mod send;
mod serve;

pub use connection::{Connection, Event};
pub use manner::Manner;
pub use serve::serve;

/// The name in ALPN (RFC 9113 section 3.2).
pub const ALPN: &str = "h2";

#[cfg(test)]
mod tests;

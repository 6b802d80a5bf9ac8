//! The Redis serialization protocol: requests in RESP2 arrays or inline words, replies in RESP2 or RESP3.
//!
//! Nothing here knows a socket or a clock. [`Framer`] takes bytes as they come, split anywhere, and gives
//! whole requests; a request that the product would refuse is a [`Frame::Broken`] with the product's text.

mod framer;
mod reply;

pub(crate) use framer::{Frame, Framer, MAX_BULK, Rules, number};
pub(crate) use reply::{Protocol, Reply, double, general};

//! The wire: BSON and the messages that carry it. Pure.

pub(crate) mod bson;
pub(crate) mod compress;
pub(crate) mod message;

pub(crate) use bson::{Document, Value};

//! Asking and changing documents: comparison, filters, projections, updates, pipelines. Pure.

pub(crate) mod expression;
pub(crate) mod filter;
pub(crate) mod order;
pub(crate) mod pipeline;
pub(crate) mod project;
pub(crate) mod update;

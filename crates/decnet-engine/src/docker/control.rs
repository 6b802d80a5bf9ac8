//! The watcher's control protocol: JSON lines over a Unix stream socket that only its user can reach.
//!
//! A connection on which a deployment was announced keeps the watcher from mending, as long as it is open:
//! what is half deployed looks broken.

use std::path::PathBuf;

use decnet_logging::collector::CollectorConfig;
use decnet_logging::event::Speaker;
use serde::{Deserialize, Serialize};

use crate::error::Refusal;

/// What the watcher hears and follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    /// The fleet.
    pub(super) fleet: String,
    /// Where events go; none before the first deployment.
    pub(super) collector: Option<CollectorConfig>,
    /// The directories in which it listens, each for one speaker.
    pub(super) sockets: Vec<(Speaker, PathBuf)>,
    /// Who is heard by what its container prints.
    pub(super) printers: Vec<Speaker>,
    /// Where the state of containers is told.
    pub(super) health: PathBuf,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// A deployment is under way: hear these from now on, and mend nothing until this connection ends.
    Deploying(Box<Watch>),
    /// Write everything, and end.
    End,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Done.
    Done,
    /// No.
    Refused(Refusal),
}

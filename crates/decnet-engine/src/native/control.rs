//! The keeper's control protocol: JSON lines over a Unix stream socket that only its user can reach. One
//! request per connection; any number of progress lines; one answer.

use decnet_core::Plan;
use serde::{Deserialize, Serialize};

use crate::engine::{Converged, FleetStatus, Progress, Scope};
use crate::error::Refusal;

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Make it so.
    Converge(Box<Plan>),
    /// How is it?
    Status(Box<Plan>),
    /// Take it away. With [`Scope::All`] the keeper ends after its answer.
    Teardown(Scope),
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// Not done yet.
    Progress(Progress),
    /// Done.
    Converged(Converged),
    /// So it is.
    Status(Box<FleetStatus>),
    /// Taken away, but for these.
    TornDown(Vec<String>),
    /// No.
    Refused(Refusal),
}

//! What every engine does.

use std::net::Ipv4Addr;

use decnet_core::service::Port;
use decnet_core::{MacAddress, Plan};
use serde::{Deserialize, Serialize};

use crate::error::EngineError;

/// A step of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Namespaces, the wire, helper processes.
    Ground,
    /// Deckies that are no longer wanted go.
    Stop,
    /// Addresses and listening sockets.
    Listen,
    /// The services start.
    Start,
    /// The deckies appear on the LAN.
    Join,
    /// Images are fetched.
    Pull,
    /// Images are made.
    Build,
    /// What runs is compared with the plan.
    Verify,
}

impl Phase {
    /// What is being done, for a progress bar.
    pub const fn label(self) -> &'static str {
        match self {
            Phase::Ground => "preparing",
            Phase::Stop => "stopping deckies",
            Phase::Listen => "opening ports",
            Phase::Start => "starting deckies",
            Phase::Join => "joining the LAN",
            Phase::Pull => "pulling images",
            Phase::Build => "building images",
            Phase::Verify => "checking deckies",
        }
    }
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The step.
    pub phase: Phase,
    /// Deckies (images, containers) done.
    pub done: usize,
    /// Deckies (images, containers) in all.
    pub total: usize,
}

/// What a converge changed, by decky name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converged {
    /// New on the LAN.
    pub started: Vec<String>,
    /// Replaced, because their part of the plan changed.
    pub restarted: Vec<String>,
    /// Gone.
    pub stopped: Vec<String>,
    /// Left alone.
    pub unchanged: Vec<String>,
}

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As planned.
    Up,
    /// Partly, or being restarted.
    Degraded,
    /// Not there.
    Down,
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Health::Up => "up",
            Health::Degraded => "degraded",
            Health::Down => "down",
        })
    }
}

/// A service of a decky as it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The service.
    pub slug: String,
    /// Its planned ports.
    pub ports: Vec<Port>,
    /// How it is.
    pub health: Health,
}

/// A decky as it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeckyStatus {
    /// Its name to the operator.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC address.
    pub mac: MacAddress,
    /// Its host name.
    pub hostname: String,
    /// The operating system it claims.
    pub os: String,
    /// How it is in all.
    pub health: Health,
    /// Its services.
    pub services: Vec<ServiceStatus>,
    /// How often its process had to be started again.
    pub restarts: u64,
    /// Its process on this host, while it has one.
    pub pid: Option<u32>,
    /// Why it is not up, where that is known.
    pub reason: Option<String>,
}

/// A fleet as it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetStatus {
    /// `native` or `docker`.
    pub engine: String,
    /// The fleet's name.
    pub fleet: String,
    /// How it is in all.
    pub health: Health,
    /// What is wrong with the fleet as a whole, where something is.
    pub problems: Vec<String>,
    /// Its deckies.
    pub deckies: Vec<DeckyStatus>,
}

impl FleetStatus {
    /// A planned fleet of which nothing runs.
    pub fn down(engine: &str, plan: &Plan, problem: impl Into<String>) -> FleetStatus {
        let deckies = plan
            .deckies
            .iter()
            .map(|decky| DeckyStatus {
                name: decky.name.clone(),
                address: decky.address,
                mac: decky.mac,
                hostname: decky.identity.names.hostname.clone(),
                os: decky.identity.os.name.clone(),
                health: Health::Down,
                services: decky
                    .services
                    .iter()
                    .map(|service| ServiceStatus {
                        slug: service.slug.clone(),
                        ports: service.ports.clone(),
                        health: Health::Down,
                    })
                    .collect(),
                restarts: 0,
                pid: None,
                reason: None,
            })
            .collect();
        FleetStatus {
            engine: engine.to_owned(),
            fleet: plan.fleet.clone(),
            health: Health::Down,
            problems: vec![problem.into()],
            deckies,
        }
    }
}

/// What to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything.
    All,
    /// These deckies.
    Deckies(Vec<String>),
}

/// An engine.
pub trait Engine {
    /// Makes what runs equal to the plan: what is new starts, what is gone stops, what is unchanged is left
    /// running.
    ///
    /// # Errors
    /// Whatever could not be made; what this call had started is taken back.
    fn converge(&self, plan: &Plan, progress: &mut dyn FnMut(Progress)) -> Result<Converged, EngineError>;

    /// What really runs, compared with the plan.
    ///
    /// # Errors
    /// The truth could not be found out.
    fn status(&self, plan: &Plan) -> Result<FleetStatus, EngineError>;

    /// Takes away what the engine made, even after a crash. Returns what could not be taken away.
    ///
    /// # Errors
    /// Nothing could be done at all.
    fn teardown(&self, scope: &Scope) -> Result<Vec<String>, EngineError>;
}

//! The plan: the one value that everything downstream reads. A dry run prints it, the state stores it,
//! compose renders it, the engines execute it, tests build it by hand.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::address::MacAddress;
use crate::identity::Identity;
use crate::service::{PersonaValues, Port};

mod logging;

pub use logging::*;

/// The version of the serialized form. A reader refuses what it does not know.
pub const VERSION: u32 = 1;

/// How deckies are joined to the LAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Attachment {
    /// Each decky has its own MAC address.
    Macvlan,
    /// All share the NIC's MAC address: for Wi-Fi, which refuses foreign ones.
    Ipvlan,
}

/// The LAN that the fleet joins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The NIC of the machine that deploys; `None` in a dry run that was given none.
    pub interface: Option<String>,
    /// The LAN.
    pub subnet: Ipv4Net,
    /// Its gateway.
    pub gateway: Ipv4Addr,
    /// The address of the machine that deploys, where known.
    pub host: Option<Ipv4Addr>,
    /// MACVLAN or IPvlan.
    pub attachment: Attachment,
}

/// What runs the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// Docker where its socket answers, else native.
    #[default]
    Auto,
    /// Docker.
    Docker,
    /// Namespaces of our own.
    Native,
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineChoice::Auto => "auto",
            EngineChoice::Docker => "docker",
            EngineChoice::Native => "native",
        })
    }
}

impl FromStr for EngineChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(EngineChoice::Auto),
            "docker" => Ok(EngineChoice::Docker),
            "native" => Ok(EngineChoice::Native),
            other => Err(format!("`{other}` is no engine; there are auto, docker and native")),
        }
    }
}

/// A service of the user's own: `[custom-SLUG]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomService {
    /// The name in `services=`.
    pub slug: String,
    /// The Docker image, unchanged.
    pub image: String,
    /// The command, split into words; empty: the image's own.
    pub exec: Vec<String>,
    /// Its ports.
    pub ports: Vec<Port>,
}

/// A service of a decky.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// The service.
    pub slug: String,
    /// The ports it answers on here: declared, narrowed by the persona, less what it yields to another.
    pub ports: Vec<Port>,
    /// The persona keys that the user set, by canonical name.
    #[serde(default, skip_serializing_if = "PersonaValues::is_empty")]
    pub persona: PersonaValues,
    /// Whether it is one of the plan's own [`CustomService`]s.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub custom: bool,
}

/// One decoy, complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decky {
    /// Its name to the operator: `decky-01`, `web-03`. Never on the wire.
    pub name: String,
    /// The section or group it came from.
    pub group: String,
    /// Its archetype, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archetype: Option<String>,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its MAC address.
    pub mac: MacAddress,
    /// The slug of its packet persona: `windows-10`, `linux-5`, `brother`, …
    pub os_persona: String,
    /// The file of its packet persona, where that is one of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_facts: Option<String>,
    /// The slug of the distro whose image its container runs.
    pub distro: String,
    /// Who it is.
    pub identity: Identity,
    /// What it offers, sorted by slug.
    pub services: Vec<ServicePlan>,
}

impl Decky {
    /// Every port that is open on it, with the service that answers.
    pub fn open_ports(&self) -> impl Iterator<Item = (&ServicePlan, Port)> {
        self.services.iter().flat_map(|service| service.ports.iter().map(move |port| (service, *port)))
    }

    /// The service of that slug.
    pub fn service(&self, slug: &str) -> Option<&ServicePlan> {
        self.services.iter().find(|service| service.slug == slug)
    }
}

/// A whole fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`VERSION`].
    pub version: u32,
    /// The fleet's name in events and labels: `fleet-` and eight hexadecimal digits of the seed.
    pub fleet: String,
    /// The number behind `--seed`.
    pub seed: u64,
    /// Where it stands.
    pub network: Network,
    /// The DNS domain of the fleet.
    pub domain: String,
    /// What was asked to run it.
    pub engine: EngineChoice,
    /// Where its events go.
    pub logging: Logging,
    /// Services of the user's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_services: Vec<CustomService>,
    /// The deckies, sorted by name, a number at its end as a number: `web-99` before `web-100`.
    pub deckies: Vec<Decky>,
}

impl Plan {
    /// The decky of that name.
    pub fn decky(&self, name: &str) -> Option<&Decky> {
        self.deckies.iter().find(|decky| decky.name == name)
    }
}

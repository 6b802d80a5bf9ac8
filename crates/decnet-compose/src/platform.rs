//! What rendering needs beside the plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use decnet_core::identity::OsFamily;
use decnet_core::plan::ServicePlan;
use serde::{Deserialize, Serialize};

use crate::layout;

/// Kernel settings of a network namespace, by name: `net.ipv4.ip_default_ttl` → `128`.
pub type Sysctls = BTreeMap<String, String>;

/// How a base container idles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// `sleep infinity` of the image.
    #[default]
    Sleep,
    /// Our binary, for an image that has no `sleep`: the base then runs the image of the services.
    Own,
}

/// The images of a distro.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What the base container runs: `debian:bookworm-slim`.
    pub image: String,
    /// What our binary is put on to make the image of the services; `scratch` where there is nothing.
    pub build_base: String,
    /// How the base container idles.
    pub idle: Idle,
}

/// What containers are made of: catalogue rows, and what the machine that runs them has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// The images, by distro slug.
    pub images: BTreeMap<String, Image>,
    /// The kernel settings of each OS family. One that the kernel refuses keeps the container from
    /// starting, so the caller leaves out what its kernel does not have.
    pub sysctls: BTreeMap<OsFamily, Sysctls>,
    /// Services that bring an image of their own, by slug; all others are our binary.
    pub service_images: BTreeMap<String, String>,
}

impl Platform {
    /// Whether a service is our binary.
    pub(crate) fn is_own(&self, service: &ServicePlan) -> bool {
        !service.custom && !self.service_images.contains_key(&service.slug)
    }

    /// The name of the image of the services on a build base: distros that share a base share an image. The
    /// one on nothing has a name of its own: which distros have no base differs from deployment to deployment,
    /// and what is deployed must not get another image by it.
    pub(crate) fn context_slug<'a>(&'a self, distro: &'a str, build_base: &str) -> &'a str {
        if build_base == "scratch" {
            return "minimal";
        }
        let first = self.images.iter().find(|(_, image)| image.build_base == build_base);
        first.map_or(distro, |(slug, _)| slug)
    }
}

/// How to render.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The host directory below which host files and log sockets lie, absolute. Its name is visible inside
    /// the containers, so it must not give the product away.
    pub run_directory: PathBuf,
    /// The tag of the images that are built. It changes with the binary that the caller puts into the
    /// contexts, so that compose notices: letters, digits, `_`, `.` and `-`.
    pub tag: String,
    /// The name of the network that the deckies join.
    pub lan_network: String,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            run_directory: PathBuf::from("/run/guests"),
            tag: env!("CARGO_PKG_VERSION").to_owned(),
            lan_network: layout::LAN_NETWORK.to_owned(),
        }
    }
}

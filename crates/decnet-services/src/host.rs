//! The decky as its servers see it.

use std::collections::BTreeMap;
use std::sync::Arc;

use decnet_core::identity::Identity;
use decnet_core::plan::{Decky, ServicePlan};
use decnet_core::service::PersonaValues;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::files::Folder;
use crate::limits::Limits;

/// One decky: who it is, its clock, its randomness, its bounds. Shared by all its servers.
#[derive(Debug)]
pub struct Host {
    /// The decky's part of the plan.
    pub decky: Decky,
    /// Its clock.
    pub clock: Clock,
    /// Fresh randomness.
    pub entropy: Entropy,
    /// Our bounds.
    pub limits: Limits,
    /// What the keys that name a path were handed, by service and key.
    pub files: BTreeMap<(String, String), Folder>,
}

impl Host {
    /// A host with its own clock offset and the system's randomness.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn new(decky: Decky) -> Result<Arc<Host>, getrandom::Error> {
        Host::with_files(decky, BTreeMap::new())
    }

    /// The same with files of the machine that deploys.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn with_files(
        decky: Decky,
        files: BTreeMap<(String, String), Folder>,
    ) -> Result<Arc<Host>, getrandom::Error> {
        let clock = Clock::system(decky.identity.times.clock_offset_ms);
        Ok(Arc::new(Host { decky, clock, entropy: Entropy::system()?, limits: Limits::default(), files }))
    }

    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.decky.identity
    }

    /// The plan of one of its services.
    pub fn service(&self, slug: &str) -> Option<&ServicePlan> {
        self.decky.service(slug)
    }

    /// The persona values that the user set for one of its services.
    pub fn persona(&self, slug: &str) -> PersonaValues {
        self.service(slug).map(|service| service.persona.clone()).unwrap_or_default()
    }

    /// What a key of a service that names a path was handed.
    pub fn folder(&self, service: &str, key: &str) -> Option<&Folder> {
        self.files.get(&(service.to_owned(), key.to_owned()))
    }

    /// Seconds since the last boot.
    pub fn uptime(&self) -> i64 {
        let now = self.clock.seconds();
        (now - self.identity().booted_at(now)).max(0)
    }
}

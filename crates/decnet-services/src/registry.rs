//! The registry: every service that is linked into this binary.

use decnet_core::ServiceDescriptor;

#[cfg(feature = "servers")]
use crate::server::Build;

/// A service as it submits itself.
///
/// ```
/// use decnet_core::service::{Port, ServiceDescriptor};
/// use decnet_services::{Service, inventory};
///
/// static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
///     slug: "echo",
///     role: "Echo",
///     ports: &[Port::tcp(7)],
///     keys: &[],
///     families: &decnet_core::identity::OsFamily::ALL,
///     yields: &[],
///     narrow: None,
///     image: None,
/// };
///
/// inventory::submit! { Service::described(&DESCRIPTOR) }
///
/// assert!(decnet_services::find("echo").is_some());
/// ```
pub struct Service {
    /// What planning knows of it.
    pub descriptor: &'static ServiceDescriptor,
    /// Makes its server for one decky; `None` while it has none.
    #[cfg(feature = "servers")]
    pub build: Option<Build>,
}

inventory::collect!(Service);

impl Service {
    /// A service that has no server: it can be planned and rendered, not run.
    pub const fn described(descriptor: &'static ServiceDescriptor) -> Service {
        Service {
            descriptor,
            #[cfg(feature = "servers")]
            build: None,
        }
    }

    /// A service with its server.
    #[cfg(feature = "servers")]
    pub const fn served(descriptor: &'static ServiceDescriptor, build: Build) -> Service {
        Service { descriptor, build: Some(build) }
    }

    /// Whether its server is there.
    pub const fn is_served(&self) -> bool {
        #[cfg(feature = "servers")]
        {
            self.build.is_some()
        }
        #[cfg(not(feature = "servers"))]
        {
            false
        }
    }
}

/// Every service, sorted by slug. The order in which services submit themselves is unspecified.
pub fn registry() -> Vec<&'static Service> {
    let mut services: Vec<&'static Service> = inventory::iter::<Service>.into_iter().collect();
    services.sort_by_key(|service| service.descriptor.slug);
    services
}

/// The service of that slug.
pub fn find(slug: &str) -> Option<&'static Service> {
    inventory::iter::<Service>.into_iter().find(|service| service.descriptor.slug == slug)
}

/// The descriptors, for a catalogue.
pub fn descriptors() -> Vec<&'static ServiceDescriptor> {
    registry().into_iter().map(|service| service.descriptor).collect()
}

//! Kubernetes API server.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::Port;

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "k8s",
    role: "Kubernetes API server",
    ports: &[Port::tls(6443), Port::tcp(8080)],
    keys: &[],
    families: &[OsFamily::Linux],
    yields: &[],
    narrow: None,
    image: None,
};

inventory::submit! { Service::described(&DESCRIPTOR) }

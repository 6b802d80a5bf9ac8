//! Microsoft SQL Server.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::Port;

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "mssql",
    role: "Microsoft SQL Server",
    ports: &[Port::tcp(1433)],
    keys: &[],
    families: &[OsFamily::Linux, OsFamily::Windows],
    yields: &[],
    narrow: None,
    image: None,
};

inventory::submit! { Service::described(&DESCRIPTOR) }

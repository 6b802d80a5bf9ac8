//! SMB/CIFS file shares.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::Port;

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "smb",
    role: "SMB/CIFS file shares",
    ports: &[Port::tcp(445), Port::tcp(139)],
    keys: &[],
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded],
    yields: &[],
    narrow: None,
    image: None,
};

inventory::submit! { Service::described(&DESCRIPTOR) }

//! POP3 mail access.

use decnet_core::ServiceDescriptor;
use decnet_core::identity::OsFamily;
use decnet_core::service::Port;

use crate::registry::Service;

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "pop3",
    role: "POP3 mail access",
    ports: &[Port::tcp(110), Port::tls(995)],
    keys: &[],
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd],
    yields: &[],
    narrow: None,
    image: None,
};

inventory::submit! { Service::described(&DESCRIPTOR) }

//! Where things lie and what they are called: inside the containers, on the machine that runs them, and in
//! Docker. Whoever starts, feeds or looks for a container takes the names from here.

use std::fmt::Write as _;

use decnet_core::Decky;

/// Our binary inside a container.
pub const BINARY: &str = "/sbin/svc";

/// The name of our binary in a build context.
pub const CONTEXT_BINARY: &str = "svc";

/// What a container is told about its decky: JSON, see [`host_file()`](crate::host_file()).
pub const HOST_FILE: &str = "/run/host/host.json";

/// The directory of a container's log socket, mounted read-only: with the directory and not the socket
/// mounted, clients find a restarted collector's new socket; being read-only, nobody inside can unlink it.
pub const LOG_DIRECTORY: &str = "/run/host/log";

/// The name of the log socket in its directory.
pub const LOG_SOCKET: &str = "log.sock";

/// The user and group that services run as.
pub const UNPRIVILEGED: &str = "65534:65534";

/// The network of the deckies, made outside of the compose file.
pub const LAN_NETWORK: &str = "decnet_lan";

/// The network of collectors and log stores. No decky is ever joined to it.
pub const LOG_NETWORK: &str = "decnet_logs";

/// The label with the fleet's name, on everything that belongs to it.
pub const LABEL_FLEET: &str = "decnet.fleet";

/// The label with the decky's name.
pub const LABEL_DECKY: &str = "decnet.decky";

/// The label with a container's role: one of [`ROLE_BASE`], [`ROLE_GUARD`], [`ROLE_SERVICE`],
/// [`ROLE_CUSTOM`].
pub const LABEL_ROLE: &str = "decnet.role";

/// The label with the service's slug.
pub const LABEL_SERVICE: &str = "decnet.service";

/// The label that changes when the host file does, so that compose makes the container anew.
pub const LABEL_REVISION: &str = "decnet.revision";

/// The container that owns the network namespace.
pub const ROLE_BASE: &str = "base";

/// The container that keeps the namespace from asking.
pub const ROLE_GUARD: &str = "guard";

/// A service of ours.
pub const ROLE_SERVICE: &str = "service";

/// An image that is not ours.
pub const ROLE_CUSTOM: &str = "custom";

/// The compose service that is the decky's base.
pub fn base_name(decky: &Decky) -> &str {
    &decky.name
}

/// The compose service that is the decky's guard.
pub fn guard_name(decky: &Decky) -> String {
    // Two dots: no service slug gives that name, whatever users call their own services.
    format!("{}..guard", decky.name)
}

/// The compose service of one of the decky's services: `decky-01.ssh`, as its section in a config.
pub fn service_name(decky: &Decky, slug: &str) -> String {
    format!("{}.{slug}", decky.name)
}

/// The name of the decky's directory below the run directory: a hash, because containers can read it in
/// their list of mounts, and the decky's own name would tell them what they are.
pub fn directory_name(decky: &Decky) -> String {
    hexadecimal(decky.identity.seed.derive(&["container directory"]).bytes())
}

/// The first eight bytes as 16 digits: enough that names do not meet, short enough to read.
pub(crate) fn hexadecimal(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(16);
    for byte in &bytes[..8] {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

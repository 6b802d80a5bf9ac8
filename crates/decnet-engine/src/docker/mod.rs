//! The Docker engine: a base container per decky, its services in the base's network namespace.
//!
//! ```text
//! decnet deploy ── render ─► STATE/docker/compose.yaml ── docker compose up ─► containers
//!       │                                                                        │ one SEQPACKET socket per
//!       └─ control socket ─► watcher ── listens ◄─────────────────────────────────┘ (decky, service)
//!                               ├─ collector   reads events, writes sinks
//!                               └─ Docker's events: a base that restarts takes its services along
//! ```
//!
//! Docker holds the fleet; the command line makes it, compares it with the plan, and takes it away. The
//! *watcher* lives as long as the fleet and does what Docker does not: it hears the services, and mends a
//! decky whose base was started anew, as its services would stay behind in a namespace that is dead.

mod client;
mod compose;
mod containers;
mod context;
mod control;
mod daemon;
mod examine;
mod files;
mod images;
mod inside;
mod network;
mod record;
mod status;
mod sysctls;
mod teardown;
mod verify;
mod watcher;

use std::ffi::OsString;
use std::path::Path;

pub use client::DockerEngine;
pub use daemon::answers;
pub(crate) use examine::examine;

/// The watcher's name.
const WATCHER: &str = "watcher";

/// Becomes one of the engine's processes; `None` where there is none of that name.
pub(crate) fn internal(words: &[OsString]) -> Option<u8> {
    let texts: Vec<&str> = words.iter().map(|word| word.to_str().unwrap_or_default()).collect();
    Some(match texts.as_slice() {
        ["serve", "--service", service] => inside::serve::run(service),
        ["guard"] => inside::guard::run(),
        ["idle"] => inside::idle(),
        [WATCHER, _] => watcher::run(Path::new(&words[1])),
        _ => return None,
    })
}

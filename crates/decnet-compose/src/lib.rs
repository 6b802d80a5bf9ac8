//! A plan as a compose file and build contexts.
//!
//! [`render()`] is pure: it reads a [`Plan`](decnet_core::Plan), a [`Platform`] (what containers are made
//! of) and [`Options`], and gives back text. Whoever calls it writes the files, makes the networks, puts
//! the binary into the build contexts and runs compose.
//!
//! # The containers of a decky
//!
//! ```text
//! decky-01         base:    the distro's image, idle; owns the network namespace: address, MAC, sysctls
//! decky-01.guard   sidecar: our binary with NET_ADMIN; lets the namespace answer, never ask
//! decky-01.ssh     service: our binary on the decky's build base, in the base's namespace, no rights at all
//! decky-01.myapp   custom:  the user's image, unchanged
//! ```
//!
//! # What an intruder can read
//!
//! Somebody who takes over a service container must not read there what he is in. So everything that is
//! visible from inside has neutral names ([`layout`]): the binary is `/sbin/svc`, its files lie in
//! `/run/host`, the host directories behind the mounts (which `/proc/self/mountinfo` shows) are named by a
//! hash, and what the container is told about its decky ([`host_file`]) holds the decky's identity but not
//! its name to the operator. Labels, image names and container names are not visible from inside, with one
//! exception: Docker's resolver at 127.0.0.11 gives container and network names away to a reverse lookup,
//! which is one of the things that the guard closes.
//!
//! # Example
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use decnet_compose::{Idle, Image, Options, Platform, render};
//! use decnet_core::Plan;
//! use decnet_core::identity::OsFamily;
//!
//! # fn plan() -> Plan {
//! #     serde_json::from_str(include_str!("../tests/data/plan.json")).unwrap()
//! # }
//! let platform = Platform {
//!     images: BTreeMap::from([(
//!         "debian".to_owned(),
//!         Image {
//!             image: "debian:bookworm-slim".to_owned(),
//!             build_base: "debian:bookworm-slim".to_owned(),
//!             idle: Idle::Sleep,
//!         },
//!     )]),
//!     sysctls: BTreeMap::from([(
//!         OsFamily::Linux,
//!         BTreeMap::from([("net.ipv4.ip_default_ttl".to_owned(), "64".to_owned())]),
//!     )]),
//!     service_images: BTreeMap::new(),
//! };
//! let rendered = render(&plan(), &platform, &Options::default())?;
//! assert!(rendered.compose.contains("network_mode: \"service:decky-01\""));
//! # Ok::<(), decnet_compose::Error>(())
//! ```
#![forbid(unsafe_code)]

mod container;
mod file;
mod hardening;
mod host_file;
mod image;
pub mod layout;
mod platform;
mod render;
mod template;
mod text;
mod writer;

pub use host_file::host_file;
pub use image::{BINARY_MODE, BuildContext};
pub use platform::{Idle, Image, Options, Platform, Sysctls};
pub use render::{DeckyFiles, Error, LogDirectory, Rendered, render};

//! The decoy services.
//!
//! [`registry()`] lists every service that is linked in: its name, ports and persona keys, and, with the
//! feature `servers` (on by default), the server itself. A service is one folder, `src/<slug>/`; adding one
//! changes nothing else but the `mod` line below.
//!
//! # One service on a listener of your own
//!
//! ```
//! use std::net::{Ipv4Addr, TcpListener};
//! use std::sync::Arc;
//!
//! use decnet_core::plan::Decky;
//! use decnet_core::service::Port;
//! use decnet_logging::MemorySink;
//! use decnet_services::host::Host;
//! use decnet_services::run::{Bound, Socket, start};
//!
//! /// Serves a decky's web pages on `listener`, on the current tokio runtime.
//! fn serve(decky: Decky, listener: TcpListener) -> Result<Arc<MemorySink>, Box<dyn std::error::Error>> {
//!     let host = Host::new(decky)?;
//!     let events = Arc::new(MemorySink::new());
//!     let sockets = vec![Bound {
//!         service: "http".to_owned(),
//!         port: Port::tcp(80),
//!         socket: Socket::Tcp(listener),
//!     }];
//!     start(&host, sockets, |_| events.clone())?;
//!     Ok(events)
//! }
//! ```
#![forbid(unsafe_code)]

/// The examples of README compile.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

pub mod registry;

#[cfg(feature = "servers")]
pub mod artifact;
#[cfg(feature = "servers")]
pub mod asn1;
#[cfg(feature = "servers")]
pub mod clock;
#[cfg(feature = "servers")]
pub mod connection;
#[cfg(feature = "servers")]
pub mod datagram;
#[cfg(feature = "servers")]
pub mod entropy;
#[cfg(feature = "servers")]
pub mod files;
#[cfg(feature = "servers")]
pub mod host;
#[cfg(feature = "servers")]
pub mod limits;
#[cfg(feature = "servers")]
pub mod run;
#[cfg(feature = "servers")]
pub mod server;
#[cfg(feature = "servers")]
pub mod session;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;

// What several services share.
#[cfg(feature = "servers")]
pub mod bait;
#[cfg(feature = "servers")]
pub mod cmdshell;
#[cfg(feature = "servers")]
pub mod httpd;
#[cfg(feature = "servers")]
pub mod ntlm;
#[cfg(feature = "servers")]
pub mod scram;
#[cfg(feature = "servers")]
pub mod spnego;
#[cfg(feature = "servers")]
pub mod sql;
#[cfg(feature = "servers")]
pub mod tls;

// The services, one folder each.
pub mod conpot;
pub mod docker_api;
pub mod elasticsearch;
pub mod ftp;
pub mod http;
pub mod imap;
pub mod k8s;
pub mod ldap;
pub mod llmnr;
pub mod mongodb;
pub mod mqtt;
pub mod mssql;
pub mod mysql;
pub mod pop3;
pub mod postgres;
pub mod rdp;
pub mod redis;
pub mod sip;
pub mod smb;
pub mod smtp;
pub mod snmp;
pub mod ssh;
pub mod telnet;
pub mod tftp;
pub mod vnc;

pub use registry::{Service, find, registry};

#[doc(hidden)]
pub use inventory;

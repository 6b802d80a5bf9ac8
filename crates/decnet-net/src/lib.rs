//! Linux networking for decoys.
//!
//! Only this crate speaks netlink, opens raw sockets and enters namespaces. It gathers the facts of the
//! host's network ([`facts`]), finds out which addresses are taken ([`probe`]), makes namespaces and links
//! ([`namespace`], [`links`], [`lab`]), and carries packets between a NIC and the fleet ([`wire`]) or a
//! container ([`sidecar`]).

pub mod arp;
pub mod drivers;
pub mod egress;
pub mod error;
pub mod facts;
pub mod lab;
pub mod links;
pub mod listening;
pub mod namespace;
pub mod neighbours;
pub mod nftables;
pub mod observer;
pub mod packet;
pub mod probe;
pub mod sidecar;
pub mod sys;
pub mod wire;
pub mod wireless;

pub use error::NetError;
pub use namespace::Namespace;

//! What is known of the machine that deploys and of its LAN.
//!
//! Whoever resolves a request gathers the facts (decnet-net does it by netlink and ARP) and passes them in,
//! so that planning asks nobody and gives the same answer in every test.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// Facts about the NIC that the fleet is to stand on. What is not known is absent, and then the request has
/// to say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// The NIC's name.
    pub interface: Option<String>,
    /// The LAN behind it.
    pub subnet: Option<Ipv4Net>,
    /// The LAN's gateway.
    pub gateway: Option<Ipv4Addr>,
    /// The machine's own address on the LAN.
    pub address: Option<Ipv4Addr>,
    /// Addresses of the LAN that answered; none of them is given to a decky.
    pub in_use: BTreeSet<Ipv4Addr>,
    /// Whether the NIC is wireless.
    pub wireless: bool,
}

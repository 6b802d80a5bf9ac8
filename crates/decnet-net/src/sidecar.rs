//! One decky in a container: its packet persona behind the NIC that the container was given.
//!
//! The container's namespace has a NIC (of a MACVLAN network, say) with the decky's address and MAC address.
//! [`join`] puts a TUN into it, moves the address and all routes there, and makes the kernel deaf on the NIC:
//! it answers no ARP question of its own (`arp_ignore`), and what comes in by the NIC is dropped because the
//! way back leads over the TUN (`rp_filter`). So everything goes through the wire, and nothing is answered
//! twice. It is done by a process of its own, which shares the network of the container whose services it covers,
//! with `CAP_NET_ADMIN`, `CAP_NET_RAW` and `/dev/net/tun`; the services need none of them.
//!
//! When that process ends, however it ends, the TUN goes and with it the address: the decky is off the LAN,
//! and never there without its persona. Starting it again brings the decky back.
//!
//! Where `/proc/sys` is read-only (in a container it is), whoever makes the container sets [`SYSCTLS`]
//! beforehand; what has its value already is not written.
//!
//! ```no_run
//! use decnet_net::observer::Observer;
//! use decnet_net::wire::{Host, Wire};
//! use decnet_net::{NetError, sidecar};
//!
//! /// To be called in the container's network.
//! fn cover(host: Host, observer: Box<dyn Observer>) -> Result<Wire, NetError> {
//!     sidecar::join("eth0", 24, host, observer)
//! }
//! ```

use crate::error::NetError;
use crate::links;
use crate::observer::Observer;
use crate::sys::Tun;
use crate::wire::{FLEET_INTERFACE, Host, Wire};

/// What must hold in the container's namespace, as paths below `/proc/sys` and values. `all` stands for the
/// NIC as well: of the two the higher value counts.
pub const SYSCTLS: [(&str, &str); 6] = [
    ("net/ipv4/conf/all/arp_ignore", "8"),
    ("net/ipv4/conf/all/rp_filter", "1"),
    ("net/ipv4/conf/all/send_redirects", "0"),
    ("net/ipv4/ip_forward", "0"),
    ("net/ipv6/conf/all/disable_ipv6", "1"),
    ("net/ipv6/conf/default/disable_ipv6", "1"),
];

/// Puts a decky behind the interface `nic` of the calling thread's namespace. It is on the LAN, whose network
/// has so many bits, until the wire is dropped.
///
/// Doing it again, after the process before has ended, is no error.
///
/// # Errors
/// Missing rights, no such interface, no TUN, a sysctl that is wrong and cannot be written. Whatever fails,
/// the decky is not on the LAN.
pub fn join(nic: &str, prefix: u8, host: Host, observer: Box<dyn Observer>) -> Result<Wire, NetError> {
    let link = links::find(nic)?;
    // Off the LAN first: until the wire stands nobody is to answer.
    links::remove_addresses(link.index)?;
    for (path, value) in SYSCTLS {
        match links::sysctl(path, value) {
            // A kernel without IPv6 has nothing to turn off.
            Err(_) if path.starts_with("net/ipv6") && !has_sysctl(path) => {}
            result => result?,
        }
    }
    let tun = Tun::create(FLEET_INTERFACE)?;
    links::set_mtu(FLEET_INTERFACE, link.mtu)?;
    links::set_up(FLEET_INTERFACE)?;
    let wire = Wire::between(&link, tun, observer)?;
    links::add_address(FLEET_INTERFACE, host.address, prefix)?;
    links::add_default_route(FLEET_INTERFACE)?;
    wire.add(vec![host]);
    wire.settle();
    Ok(wire)
}

fn has_sysctl(path: &str) -> bool {
    std::path::Path::new("/proc/sys").join(path).exists()
}

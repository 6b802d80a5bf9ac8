//! The sockets of a decky's ports.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use decnet_core::service::{Port, Transport};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, listen, setsockopt, socket, sockopt,
};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;

/// Listens on a port of an address of the calling thread's namespace, or binds it.
pub(crate) fn open(address: Ipv4Addr, port: Port) -> nix::Result<OwnedFd> {
    let kind = match port.transport {
        Transport::Tcp => SockType::Stream,
        Transport::Udp => SockType::Datagram,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let descriptor = socket(AddressFamily::Inet, kind, flags, None)?;
    setsockopt(&descriptor, sockopt::ReuseAddr, &true)?;
    // The address may be on its way from one interface of the namespace to another.
    setsockopt(&descriptor, sockopt::IpFreebind, &true)?;
    let [a, b, c, d] = address.octets();
    bind(descriptor.as_raw_fd(), &SockaddrIn::new(a, b, c, d, port.number))?;
    if port.transport == Transport::Tcp {
        listen(&descriptor, Backlog::new(BACKLOG)?)?;
    }
    Ok(descriptor)
}

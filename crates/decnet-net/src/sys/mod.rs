//! The two kernel devices that no safe crate wraps: packet sockets and TUN. All unsafe code of this crate
//! stands in this folder.
#![allow(unsafe_code, reason = "system calls and ioctls with C structures; each block says why it is sound")]

mod packet_socket;
mod tun;

pub use packet_socket::{Filter, PacketSocket};
pub use tun::Tun;

use std::io;
use std::os::fd::BorrowedFd;

/// Bytes of `struct virtio_net_hdr`, which stands before every packet on both devices. It carries what the
/// kernel left undone: checksums and the cutting of large segments.
pub const VNET_HEADER: usize = 10;

/// Reads one packet; `None` where none is waiting.
fn read_packet(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match nix::unistd::read(fd, buffer) {
        Ok(length) => Ok(Some(length)),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes one packet; `false` where the device would not take it now.
fn write_packet(fd: BorrowedFd<'_>, packet: &[u8]) -> io::Result<bool> {
    use nix::errno::Errno;
    match nix::unistd::write(fd, packet) {
        Ok(_) => Ok(true),
        // Full, or a packet that the kernel finds odd: it is lost, as on any wire.
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS | Errno::EINVAL | Errno::EMSGSIZE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

//! A TUN device: a network interface whose other end is this process.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use super::{read_packet, write_packet};
use crate::error::NetError;

/// Carries IPv4 packets, each behind a [`super::VNET_HEADER`]. The interface goes when the value goes.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
}

/// `struct ifreq`, as far as TUN uses it.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    padding: [u8; 22],
}

nix::ioctl_write_ptr_bad!(
    /// `TUNSETIFF`: makes the interface.
    tun_set_interface,
    0x4004_54ca,
    InterfaceRequest
);
nix::ioctl_write_int_bad!(
    /// `TUNSETOFFLOAD`: what the other end may leave undone.
    tun_set_offload,
    0x4004_54d0
);

/// `TUN_F_CSUM | TUN_F_TSO4`.
const OFFLOAD: libc::c_int = 0x1 | 0x2;

impl Tun {
    /// Makes a TUN interface of that name in the calling thread's namespace. It is down.
    ///
    /// # Errors
    /// `/dev/net/tun` is missing or not allowed, or the name is taken or too long.
    pub fn create(name: &str) -> Result<Tun, NetError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
            .open("/dev/net/tun")
            .map_err(|error| NetError::system("open /dev/net/tun", error))?;
        let fd = OwnedFd::from(file);
        if name.is_empty() || name.len() >= libc::IFNAMSIZ {
            return Err(NetError::NoInterface(name.to_owned()));
        }
        let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
        let mut request =
            InterfaceRequest { name: [0; libc::IFNAMSIZ], flags: flags as libc::c_short, padding: [0; 22] };
        request.name[..name.len()].copy_from_slice(name.as_bytes());
        // SAFETY: the request is a complete `ifreq` that lives through the call.
        unsafe { tun_set_interface(fd.as_raw_fd(), &raw const request) }
            .map_err(|error| NetError::system(format!("make the TUN interface {name}"), error))?;
        // SAFETY: the argument is a plain number.
        unsafe { tun_set_offload(fd.as_raw_fd(), OFFLOAD) }
            .map_err(|error| NetError::system(format!("turn on offload of {name}"), error))?;
        Ok(Tun { fd })
    }

    /// Receives a packet that the namespace sends; `None` where none is waiting.
    ///
    /// # Errors
    /// The interface is down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        read_packet(self.fd.as_fd(), buffer)
    }

    /// Gives the namespace a packet; `false` where it was lost.
    ///
    /// # Errors
    /// The interface is down.
    pub fn send(&self, packet: &[u8]) -> io::Result<bool> {
        write_packet(self.fd.as_fd(), packet)
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

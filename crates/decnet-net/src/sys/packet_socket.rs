//! An AF_PACKET socket on one interface.

use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{read_packet, write_packet};
use crate::error::NetError;

/// Bytes of receive queue: a burst of a scan must not be lost while another packet is worked on.
const RECEIVE_QUEUE: libc::c_int = 8 << 20;

/// Which frames the kernel hands over. Everything else on the NIC costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The lowest address of the fleet.
    pub lowest: Ipv4Addr,
    /// The highest.
    pub highest: Ipv4Addr,
}

/// Sends and receives whole Ethernet frames, each behind a [`super::VNET_HEADER`], on one interface.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

impl PacketSocket {
    /// Opens a socket on the interface with that index in the calling thread's namespace. It receives
    /// nothing until [`Self::filter`] says what.
    ///
    /// # Errors
    /// Missing rights (`CAP_NET_RAW`), or no such interface.
    pub fn open(index: u32) -> Result<PacketSocket, NetError> {
        let index = libc::c_int::try_from(index).map_err(|_| NetError::NoInterface(index.to_string()))?;
        // SAFETY: no pointers; a negative result is checked before the descriptor is owned.
        let fd = unsafe {
            let fd =
                libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
            if fd < 0 {
                let error = io::Error::last_os_error();
                return Err(if error.raw_os_error() == Some(libc::EPERM) {
                    NetError::Rights("opening a packet socket")
                } else {
                    NetError::system("open a packet socket", error)
                });
            }
            OwnedFd::from_raw_fd(fd)
        };
        let socket = PacketSocket { fd };
        let one: libc::c_int = 1;
        socket.option(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &one, "ask for offload headers")?;
        socket.option(
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            &one,
            "ignore the host's own frames",
        )?;
        // Past the system's limit only with CAP_NET_ADMIN over the whole system; without it the queue is
        // as long as the system lets everybody have it.
        if socket.option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &RECEIVE_QUEUE, "").is_err() {
            socket.option(libc::SOL_SOCKET, libc::SO_RCVBUF, &RECEIVE_QUEUE, "lengthen the receive queue")?;
        }
        socket.attach(&[accept(0)])?;
        let membership = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        socket.option(
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            &membership,
            "listen to foreign MAC addresses",
        )?;
        // SAFETY: `sockaddr_ll` is plain data for which all zeroes is a value, and its size is passed.
        let bound = unsafe {
            let mut address: libc::sockaddr_ll = mem::zeroed();
            address.sll_family = libc::AF_PACKET as libc::c_ushort;
            address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
            address.sll_ifindex = index;
            libc::bind(
                socket.fd.as_raw_fd(),
                (&raw const address).cast(),
                mem::size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(NetError::system("bind a packet socket", io::Error::last_os_error()));
        }
        Ok(socket)
    }

    /// Hands over ARP, and IPv4 to addresses of the range; nothing without a range.
    ///
    /// # Errors
    /// The kernel refuses the filter.
    pub fn filter(&self, filter: Option<Filter>) -> Result<(), NetError> {
        let Some(Filter { lowest, highest }) = filter else { return self.attach(&[accept(0)]) };
        // Jump distances count from the next instruction; number 6 accepts, number 7 drops.
        self.attach(&[
            statement(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, 12),
            jump(libc::BPF_JEQ, u32::from(crate::arp::ETHERTYPE), 4, 0),
            jump(libc::BPF_JEQ, 0x0800, 0, 4),
            statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 30),
            jump(libc::BPF_JGE, u32::from(lowest), 0, 2),
            jump(libc::BPF_JGT, u32::from(highest), 1, 0),
            accept(u32::MAX),
            accept(0),
        ])
    }

    /// Receives one frame; `None` where none is waiting.
    ///
    /// # Errors
    /// The interface is gone or down.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        read_packet(self.fd.as_fd(), buffer)
    }

    /// Sends one frame; `false` where it was lost.
    ///
    /// # Errors
    /// The interface is gone or down.
    pub fn send(&self, frame: &[u8]) -> io::Result<bool> {
        write_packet(self.fd.as_fd(), frame)
    }

    fn attach(&self, program: &[libc::sock_filter]) -> Result<(), NetError> {
        let program = libc::sock_fprog {
            len: program.len() as libc::c_ushort,
            // The kernel copies the program and does not write to it.
            filter: program.as_ptr().cast_mut(),
        };
        self.option(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program, "attach a packet filter")
    }

    fn option<T>(
        &self,
        level: libc::c_int,
        name: libc::c_int,
        value: &T,
        action: &str,
    ) -> Result<(), NetError> {
        // SAFETY: `value` is a C structure or integer that lives through the call, and its size is passed.
        let set = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                name,
                std::ptr::from_ref(value).cast(),
                mem::size_of::<T>() as libc::socklen_t,
            )
        };
        if set < 0 { Err(NetError::system(action, io::Error::last_os_error())) } else { Ok(()) }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: 0, k }
}

fn jump(condition: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter { code: (libc::BPF_JMP | condition | libc::BPF_K) as u16, jt, jf, k }
}

/// Ends the program: how many bytes of the frame to hand over.
fn accept(bytes: u32) -> libc::sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, bytes)
}

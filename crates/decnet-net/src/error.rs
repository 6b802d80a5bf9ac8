//! What can go wrong, and what to do.

use std::io;
use std::net::Ipv4Addr;

/// A failure of the host's network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The interface does not exist.
    #[error("there is no network interface `{0}` here; `ip link` lists those that there are")]
    NoInterface(String),
    /// No interface carries the default route.
    #[error(
        "no interface with a default route was found; name one with --interface and its LAN with --subnet"
    )]
    NoDefaultInterface,
    /// The interface has no IPv4 address to take the LAN from.
    #[error("interface `{0}` has no IPv4 address; name its LAN with --subnet")]
    NoAddress(String),
    /// A system call failed.
    #[error("{action}: {source}")]
    System {
        /// What was tried, in a few words.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel refused a netlink request.
    #[error("{action}: {source}")]
    Netlink {
        /// What was tried.
        action: String,
        /// What the kernel said.
        source: rtnetlink::Error,
    },
    /// Rights are missing.
    #[error("{0} needs root (or CAP_NET_ADMIN and CAP_NET_RAW); run it with sudo")]
    Rights(&'static str),
    /// An address that is not on the LAN.
    #[error("{0} is not an address of this LAN")]
    OffLan(Ipv4Addr),
    /// A thread that was to work in a namespace died.
    #[error("a thread that worked in a network namespace ended early")]
    Thread,
}

impl NetError {
    /// Wraps what a system call said.
    pub fn system(action: impl Into<String>, source: impl Into<io::Error>) -> NetError {
        NetError::System { action: action.into(), source: source.into() }
    }

    /// Wraps what the kernel answered to a netlink request. The crate's own debug text would dump the raw
    /// request, so only code and meaning are kept.
    pub fn netlink(action: impl Into<String>, source: rtnetlink::Error) -> NetError {
        match source {
            rtnetlink::Error::NetlinkError(message) => NetError::System {
                action: action.into(),
                source: io::Error::from_raw_os_error(-message.raw_code()),
            },
            source => NetError::Netlink { action: action.into(), source },
        }
    }

    /// The number the system gave, if it gave one.
    pub fn os_code(&self) -> Option<i32> {
        match self {
            NetError::System { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}

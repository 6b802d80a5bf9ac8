//! Whether an interface is Wi-Fi, asked of the kernel's wireless subsystem (nl80211) by generic netlink.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;

/// `GENL_ID_CTRL`: the family that knows the numbers of all families.
const CONTROLLER: u16 = 0x10;
/// `CTRL_CMD_GETFAMILY`.
const GET_FAMILY: u8 = 3;
/// `CTRL_ATTR_FAMILY_ID`.
const FAMILY_ID: u16 = 1;
/// `CTRL_ATTR_FAMILY_NAME`.
const FAMILY_NAME: u16 = 2;
/// `NL80211_CMD_GET_INTERFACE`.
const GET_INTERFACE: u8 = 5;
/// `NL80211_ATTR_IFINDEX`.
const INTERFACE_INDEX: u16 = 3;
/// `NLMSG_ERROR`.
const ERROR: u16 = 2;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// Netlink message header and generic netlink header.
const HEADERS: usize = 16 + 4;

/// Whether the interface with that index, in the calling thread's namespace, is driven by the wireless
/// subsystem. `None` where the kernel gives no answer.
pub fn is_wireless(index: u32) -> Option<bool> {
    let socket =
        socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkGeneric)
            .ok()?;
    // The kernel answers at once; an answer that never comes must not hang a deployment.
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(1, 0)).ok()?;
    let family = ask(&socket, &message(CONTROLLER, GET_FAMILY, FAMILY_NAME, b"nl80211\0"))?;
    let Some(family) = attribute(&family, FAMILY_ID) else {
        // No such family: a kernel without wireless drivers has no wireless interface.
        return Some(false);
    };
    let family = u16::from_ne_bytes(family.get(..2)?.try_into().ok()?);
    let answer = ask(&socket, &message(family, GET_INTERFACE, INTERFACE_INDEX, &index.to_ne_bytes()))?;
    Some(attribute(&answer, INTERFACE_INDEX).is_some())
}

/// A request with one attribute.
fn message(family: u16, command: u8, attribute: u16, value: &[u8]) -> Vec<u8> {
    let attribute_length = 4 + value.len();
    let length = HEADERS + attribute_length.next_multiple_of(4);
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend(family.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend(1u32.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend([command, 1, 0, 0]);
    bytes.extend((attribute_length as u16).to_ne_bytes());
    bytes.extend(attribute.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(length, 0);
    bytes
}

fn ask(socket: &OwnedFd, question: &[u8]) -> Option<Vec<u8>> {
    sendto(socket.as_raw_fd(), question, &NetlinkAddr::new(0, 0), MsgFlags::empty()).ok()?;
    let mut answer = vec![0; 16 * 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty()).ok()?;
    answer.truncate(length);
    Some(answer)
}

/// The value of an attribute of an answer; nothing where the answer is an error or has none. Total on any
/// bytes.
fn attribute(answer: &[u8], wanted: u16) -> Option<&[u8]> {
    let number = |at: usize| Some(u16::from_ne_bytes(answer.get(at..at + 2)?.try_into().ok()?));
    if number(4)? == ERROR {
        return None;
    }
    let mut at = HEADERS;
    loop {
        let length = usize::from(number(at)?);
        // The two highest bits mark nested and big-endian attributes.
        let kind = number(at + 2)? & 0x3fff;
        if length < 4 {
            return None;
        }
        if kind == wanted {
            return answer.get(at + 4..at + length);
        }
        at += length.next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_has_its_attribute() {
        let bytes = message(CONTROLLER, GET_FAMILY, FAMILY_NAME, b"nl80211\0");
        assert_eq!(bytes.len(), 32);
        assert_eq!(attribute(&bytes, FAMILY_NAME), Some(&b"nl80211\0"[..]));
        assert_eq!(attribute(&bytes, FAMILY_ID), None);
    }

    #[test]
    fn the_loopback_is_no_radio() {
        // Kernels answer this to everybody; one that does not says nothing at all.
        assert_ne!(is_wireless(1), Some(true));
    }

    proptest! {
        #[test]
        fn any_answer(bytes in proptest::collection::vec(any::<u8>(), 0..128), wanted in any::<u16>()) {
            let _ = attribute(&bytes, wanted);
        }
    }
}

//! Which sockets listen in a namespace, from the kernel's own tables.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use decnet_core::service::Transport;

use crate::error::NetError;

/// `::ffff:0:0/96` as the kernel prints it.
#[cfg(target_endian = "little")]
const MAPPED: &str = "0000000000000000FFFF0000";
/// `::ffff:0:0/96` as the kernel prints it.
#[cfg(target_endian = "big")]
const MAPPED: &str = "00000000000000000000FFFF";

/// Addresses and ports that answer.
pub type Listening = BTreeSet<(Ipv4Addr, Transport, u16)>;

/// Reads the tables of the calling thread's namespace.
///
/// # Errors
/// `/proc` is not there.
pub fn read() -> Result<Listening, NetError> {
    let mut listening = Listening::new();
    for (file, transport, state) in [
        ("tcp", Transport::Tcp, "0A"),
        ("tcp6", Transport::Tcp, "0A"),
        ("udp", Transport::Udp, "07"),
        ("udp6", Transport::Udp, "07"),
    ] {
        let path = format!("/proc/thread-self/net/{file}");
        let table = match std::fs::read_to_string(&path) {
            Ok(table) => table,
            // A kernel without IPv6.
            Err(error) if file.ends_with('6') && error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(NetError::system(format!("read {path}"), error)),
        };
        listening.extend(parse(&table, transport, state));
    }
    Ok(listening)
}

/// Reads one table (`/proc/net/tcp`): local address and port in hexadecimal, then the peer, then the state.
fn parse<'a>(
    table: &'a str,
    transport: Transport,
    state: &'a str,
) -> impl Iterator<Item = (Ipv4Addr, Transport, u16)> + 'a {
    table.lines().skip(1).filter_map(move |line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, _peer, now) = (fields.next()?, fields.next()?, fields.next()?);
        if now != state {
            return None;
        }
        let (address, port) = local.split_once(':')?;
        // The address is printed as the numbers that its bytes make on this machine, four at a time. Of IPv6
        // those count that also answer IPv4: the unspecified address, and an IPv4 address in IPv6's form.
        let address = match address.len() {
            8 => address,
            32 if address.bytes().all(|digit| digit == b'0') => &address[..8],
            32 => address.strip_prefix(MAPPED)?,
            _ => return None,
        };
        let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
        Some((Ipv4Addr::from(address), transport, u16::from_str_radix(port, 16).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue\n   \
            0: 146433C6:0050 00000000:0000 0A 00000000:00000000\n   \
            1: 146433C6:0050 076433C6:9C40 01 00000000:00000000\n";
        let listening: Vec<_> = parse(table, Transport::Tcp, "0A").collect();
        assert_eq!(listening, [(Ipv4Addr::new(198, 51, 100, 20), Transport::Tcp, 80)]);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn sockets_of_ipv6_that_answer_ipv4_too() {
        let table = "  sl  local_address rem_address st\n   \
            0: 00000000000000000000000000000000:270F 00000000000000000000000000000000:0000 0A\n   \
            1: 0000000000000000FFFF0000146433C6:0050 00000000000000000000000000000000:0000 0A\n   \
            2: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A\n";
        let listening: Vec<_> = parse(table, Transport::Tcp, "0A").collect();
        let decky = Ipv4Addr::new(198, 51, 100, 20);
        assert_eq!(
            listening,
            [(Ipv4Addr::UNSPECIFIED, Transport::Tcp, 9999), (decky, Transport::Tcp, 80)],
            "the loopback of IPv6 is nobody's"
        );
    }
}

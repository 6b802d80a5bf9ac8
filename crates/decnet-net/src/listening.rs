//! Which sockets listen in a namespace, from the kernel's own tables.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use decnet_core::service::Transport;

use crate::error::NetError;

/// Addresses and ports that answer.
pub type Listening = BTreeSet<(Ipv4Addr, Transport, u16)>;

/// Reads the tables of the calling thread's namespace.
///
/// # Errors
/// `/proc` is not there.
pub fn read() -> Result<Listening, NetError> {
    let mut listening = Listening::new();
    for (file, transport, state) in [("tcp", Transport::Tcp, "0A"), ("udp", Transport::Udp, "07")] {
        let path = format!("/proc/thread-self/net/{file}");
        let table = std::fs::read_to_string(&path)
            .map_err(|error| NetError::system(format!("read {path}"), error))?;
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
        // The address is printed as the number that its bytes make on this machine.
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
}

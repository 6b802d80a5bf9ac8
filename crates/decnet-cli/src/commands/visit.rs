//! The lab's own visitor: touches every open port of a fleet once, with nothing but sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use decnet_core::Plan;
use decnet_core::service::{Port, Transport};

use crate::table::table;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long a service may take to speak first.
const GREETING: Duration = Duration::from_millis(150);

/// SNMPv2c GET of sysDescr.0 with the community `public`.
const SNMP_QUESTION: [u8; 43] = [
    0x30, 0x29, 0x02, 0x01, 0x01, 0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x1c, 0x02, 0x04,
    0x12, 0x34, 0x56, 0x78, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x0e, 0x30, 0x0c, 0x06, 0x08, 0x2b,
    0x06, 0x01, 0x02, 0x01, 0x01, 0x01, 0x00, 0x05, 0x00,
];

/// What a port answered.
pub(crate) struct Visited {
    address: Ipv4Addr,
    port: Port,
    service: String,
    answer: String,
}

/// Visits them, from the network of the calling thread.
pub(crate) fn visit(plan: &Plan) -> Vec<Visited> {
    let mut visited = Vec::new();
    for decky in &plan.deckies {
        for (service, port) in decky.open_ports() {
            let to = SocketAddr::from((decky.address, port.number));
            let answer = match port.transport {
                Transport::Tcp => knock(to, &service.slug),
                Transport::Udp => ask(to),
            };
            visited.push(Visited {
                address: decky.address,
                port,
                service: service.slug.clone(),
                answer: answer.unwrap_or_else(|error| error.to_string()),
            });
        }
    }
    visited
}

/// As a table.
pub(crate) fn table_of(visited: &[Visited]) -> String {
    let rows = visited
        .iter()
        .map(|one| [one.address.to_string(), one.port.to_string(), one.service.clone(), one.answer.clone()]);
    table(["address", "port", "service", "answer"], rows)
}

fn knock(to: SocketAddr, service: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    let mut buffer = [0; 512];
    stream.set_read_timeout(Some(GREETING))?;
    if let Ok(length @ 1..) = stream.read(&mut buffer) {
        return Ok(printable(&buffer[..length]));
    }
    stream.set_read_timeout(Some(PATIENCE))?;
    let question: &[u8] = match service {
        "redis" => b"INFO server\r\n",
        _ => b"GET / HTTP/1.0\r\n\r\n",
    };
    stream.write_all(question)?;
    let length = stream.read(&mut buffer)?;
    Ok(printable(&buffer[..length]))
}

fn ask(to: SocketAddr) -> std::io::Result<String> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send_to(&SNMP_QUESTION, to)?;
    let mut buffer = [0; 1500];
    let (length, _) = socket.recv_from(&mut buffer)?;
    Ok(printable(description(&buffer[..length])))
}

/// The value behind sysDescr.0 in an SNMP answer; the whole answer where there is none.
fn description(answer: &[u8]) -> &[u8] {
    const SYS_DESCR: [u8; 8] = [0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x01, 0x00];
    let Some(name) = answer.windows(SYS_DESCR.len()).position(|window| window == SYS_DESCR) else {
        return answer;
    };
    // Behind the name stand the tag and the length, in one byte or in as many as the first one says.
    let value = &answer[name + SYS_DESCR.len()..];
    let more =
        value.get(1).map_or(0, |length| if length & 0x80 == 0 { 0 } else { usize::from(length & 0x7f) });
    value.get(2 + more..).unwrap_or_default()
}

/// The first words of an answer, with everything else taken out.
fn printable(bytes: &[u8]) -> String {
    const LENGTH: usize = 72;
    let text = String::from_utf8_lossy(bytes);
    let shown: String =
        text.chars().map(|c| if c.is_control() || c == '\u{fffd}' { ' ' } else { c }).collect();
    let words: Vec<&str> = shown.split_whitespace().collect();
    words.join(" ").chars().take(LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_read_without_its_length() {
        let mut answer =
            vec![0x30, 0x82, 0x01, 0x00, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x02, 0x01, 0x01, 0x01, 0x00];
        let short = [&answer[..], &[0x04, 0x05], b"Linux"].concat();
        assert_eq!(description(&short), b"Linux");
        answer.extend([0x04, 0x81, 0x90]);
        answer.extend(b"Brother");
        assert_eq!(description(&answer), b"Brother");
        assert_eq!(description(b"odd"), b"odd");
        assert_eq!(description(&short[..14]), b"");
    }
}

//! A namespace that may answer and never ask, by nf_tables.
//!
//! The kernel is spoken to directly: where this runs there is no `nft` and no library of it. The whole
//! rule set is one transaction, so that at no moment a namespace has half of it.

mod codec;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, setsockopt, socket,
    sockopt,
};
use nix::sys::time::TimeVal;

use crate::error::NetError;
use codec::{
    ACK, APPEND, Attributes, Base, CREATE, DONE, DUMP, ERROR, Message, Meta, Rule, Verdict, answers,
    batch_edge, count, error_number, message,
};

/// The table. Somebody inside the namespace might list it, so it has a name that any system has.
const TABLE: &str = "filter";
/// Its one chain.
const CHAIN: &str = "output";
/// `NF_INET_LOCAL_OUT`.
const LOCAL_OUT: u32 = 3;
/// Before Docker's redirection of its resolver (`NF_IP_PRI_NAT_DST`, -100), after connection tracking (-200).
const PRIORITY: i32 = -150;
/// Docker's resolver. It listens in the namespace of every container of a user-defined network, knows the
/// names of the other containers, and asks the outside on behalf of whoever asks it.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);

/// What a namespace tried to send and was not allowed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attempt {
    /// A TCP connection.
    Tcp,
    /// A UDP datagram that answers nothing.
    Udp,
    /// An ICMP message that answers nothing, such as a ping.
    Icmp,
    /// A name asked of Docker's resolver.
    Resolver,
    /// Any other IPv4 packet.
    Other,
}

impl Attempt {
    const ALL: [Attempt; 5] = [Attempt::Tcp, Attempt::Udp, Attempt::Icmp, Attempt::Resolver, Attempt::Other];

    /// Its name in events.
    pub const fn name(self) -> &'static str {
        match self {
            Attempt::Tcp => "tcp",
            Attempt::Udp => "udp",
            Attempt::Icmp => "icmp",
            Attempt::Resolver => "resolver",
            Attempt::Other => "ip",
        }
    }

    const fn mark(self) -> u8 {
        1 + self as u8
    }
}

/// Makes the calling thread's namespace reply-only: what it sends must belong to a conversation that the
/// other side began, or stay on the loopback. `may_say` are multicast groups and UDP ports to which it may
/// speak first. Doing it again replaces the rules; the counts begin anew.
///
/// # Errors
/// Missing rights (`CAP_NET_ADMIN`), or a kernel without nf_tables or connection tracking.
pub fn make_reply_only(may_say: &[(Ipv4Addr, u16)]) -> Result<(), NetError> {
    let failed = |error: io::Error| NetError::system("make the namespace reply-only (nf_tables)", error);
    let table = Attributes::new().text(1, TABLE);
    let hook = Attributes::new().number(1, LOCAL_OUT).number(2, PRIORITY.cast_unsigned());
    let chain = Attributes::new()
        .text(1, TABLE)
        .text(3, CHAIN)
        .nested(4, hook)
        .number(5, Verdict::Drop as u32)
        .text(7, "filter");
    let mut requests = vec![
        // There is one to delete then, whether there was before or not.
        (Message::NewTable, CREATE, table.clone()),
        (Message::DeleteTable, 0, table.clone()),
        (Message::NewTable, CREATE, table),
        (Message::NewChain, CREATE, chain),
    ];
    let rules = rules(may_say);
    requests
        .extend(rules.iter().map(|rule| (Message::NewRule, CREATE | APPEND, rule.attributes(TABLE, CHAIN))));
    let last = requests.len() as u32;
    let mut batch = batch_edge(false, 0);
    for ((kind, flags, attributes), sequence) in requests.into_iter().zip(1..) {
        let acknowledged = if sequence == last { ACK } else { 0 };
        batch.extend(message(kind, flags | acknowledged, sequence, &attributes));
    }
    batch.extend(batch_edge(true, last + 1));
    let socket = open().map_err(failed)?;
    sendto(socket.as_raw_fd(), &batch, &NetlinkAddr::new(0, 0), MsgFlags::empty())
        .map_err(|error| failed(error.into()))?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length =
            recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).map_err(|error| failed(error.into()))?;
        for answer in answers(&buffer[..length]).filter(|answer| answer.kind == ERROR) {
            match error_number(answer.body) {
                Some(0) if answer.sequence == last => return Ok(()),
                Some(0) | None => {}
                Some(number) => return Err(failed(io::Error::from_raw_os_error(number))),
            }
        }
    }
}

/// How often each was tried since [`make_reply_only`], in the calling thread's namespace.
///
/// # Errors
/// There are no such rules here, or rights are missing.
pub fn attempts() -> Result<BTreeMap<Attempt, u64>, NetError> {
    let failed = |error: io::Error| NetError::system("count what the namespace tried to send", error);
    let socket = open().map_err(failed)?;
    let question = message(Message::GetRule, DUMP, 1, &Attributes::new().text(1, TABLE).text(2, CHAIN));
    sendto(socket.as_raw_fd(), &question, &NetlinkAddr::new(0, 0), MsgFlags::empty())
        .map_err(|error| failed(error.into()))?;
    let mut counts = BTreeMap::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length =
            recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).map_err(|error| failed(error.into()))?;
        for answer in answers(&buffer[..length]) {
            match answer.kind {
                // A dump of a table that is not there has no error, only no rules.
                DONE if counts.is_empty() => return Err(failed(io::ErrorKind::NotFound.into())),
                DONE => return Ok(counts),
                ERROR => {
                    let number = error_number(answer.body).unwrap_or_default();
                    return Err(failed(io::Error::from_raw_os_error(number)));
                }
                _ => {
                    let found = count(answer.body).and_then(|(mark, packets)| {
                        let attempt = Attempt::ALL.into_iter().find(|attempt| attempt.mark() == mark)?;
                        Some((attempt, packets))
                    });
                    if let Some((attempt, packets)) = found {
                        *counts.entry(attempt).or_insert(0) += packets;
                    }
                }
            }
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    // The kernel answers at once; an answer that never comes must not hang anybody.
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(2, 0))?;
    Ok(socket)
}

/// The rules, in their order. What none of them accepts is dropped.
fn rules(may_say: &[(Ipv4Addr, u16)]) -> Vec<Rule> {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const ICMP: u8 = 1;
    const IGMP: u8 = 2;
    /// Kernels announce themselves by ICMPv6 on every interface that they set up: no intruder's doing.
    const ICMP6: u8 = 58;
    /// Offset of the flags in a TCP header, and some of them.
    const FLAGS: u32 = 13;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACKNOWLEDGED: u8 = 0x10;
    let ipv4 = |mark| Rule::new(mark).meta(Meta::Family, &[2]);
    let protocol = |mark, number| Rule::new(mark).meta(Meta::Protocol, &[number]);
    let to = |address: Ipv4Addr, mark| ipv4(mark).payload(Base::Network, 16, &address.octets());
    let drop_counted = |rule: Rule| rule.counted().verdict(Verdict::Drop);
    let mut lo = [0; 16];
    lo[..2].copy_from_slice(b"lo");
    let mut rules = Vec::new();
    for transport in [UDP, TCP] {
        rules.push(drop_counted(
            to(RESOLVER, Attempt::Resolver.mark()).meta(Meta::Protocol, &[transport]).payload(
                Base::Transport,
                2,
                &53u16.to_be_bytes(),
            ),
        ));
    }
    rules.push(to(RESOLVER, 0).verdict(Verdict::Drop));
    rules.push(Rule::new(0).meta(Meta::OutputName, &lo).verdict(Verdict::Accept));
    rules.push(Rule::new(0).reply().verdict(Verdict::Accept));
    // Echo replies and "unreachable": the kernel's own answers, also to what connection tracking does not
    // take for a conversation.
    for kind in [0, 3] {
        rules.push(protocol(0, ICMP).payload(Base::Transport, 0, &[kind]).verdict(Verdict::Accept));
    }
    // Resets too: what scanners send to tell systems apart is no conversation, and its answers must come.
    rules.push(protocol(0, TCP).bits(Base::Transport, FLAGS, RST, RST).verdict(Verdict::Accept));
    rules.push(protocol(0, ICMP6).verdict(Verdict::Drop));
    for (group, port) in may_say {
        rules.push(
            to(*group, 0)
                .meta(Meta::Protocol, &[UDP])
                .payload(Base::Transport, 2, &port.to_be_bytes())
                .verdict(Verdict::Accept),
        );
    }
    if !may_say.is_empty() {
        // To hear a group one has to join it.
        rules.push(protocol(0, IGMP).verdict(Verdict::Accept));
    }
    let opening = protocol(Attempt::Tcp.mark(), TCP).bits(Base::Transport, FLAGS, SYN | ACKNOWLEDGED, SYN);
    rules.push(drop_counted(opening));
    // Late segments of conversations that the kernel has forgotten: nobody's attempt.
    rules.push(protocol(0, TCP).verdict(Verdict::Drop));
    rules.push(drop_counted(protocol(Attempt::Udp.mark(), UDP)));
    rules.push(drop_counted(protocol(Attempt::Icmp.mark(), ICMP)));
    rules.push(drop_counted(ipv4(Attempt::Other.mark())));
    rules
}

//! What is remembered of a connection, so that both ends see one and the same.

use crate::clock::Line;
use crate::table::Worth;

/// Connections of one machine that are remembered. A worker serves fewer at a time; beyond, the one that is
/// closed, half open or idle for longest is forgotten.
pub(crate) const MOST: usize = 2048;
/// A connection that is pushed out while its handshake may still be under way, in microseconds, tells of a
/// flood.
pub(crate) const HANDSHAKE: u64 = 1_000_000;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its SYN has come in.
    Opening,
    /// Its SYN-ACK was acknowledged.
    Open,
    /// One side has said that it has no more to say.
    Closing,
    /// The peer has broken it off.
    Reset,
}

/// A connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) state: State,
    /// Microseconds of [`crate::Moment`] of its last packet.
    pub(crate) seen: u64,
    /// The segment size in the peer's SYN.
    pub(crate) peer_mss: Option<u16>,
    /// Whether the peer asked for congestion notification.
    pub(crate) peer_ecn: bool,
    /// Whether the kernel's own sequence numbers are shown: a connection that a flood may push out of the
    /// table lives on without us only so.
    pub(crate) plain: bool,
    /// SYN-ACKs sent so far.
    pub(crate) syn_acks: u8,
    /// The kernel's initial sequence number.
    pub(crate) kernel_sequence: u32,
    /// What is added to the kernel's sequence numbers.
    pub(crate) delta: u32,
    /// The kernel's window scale and the one that was announced.
    pub(crate) scales: (u8, u8),
    /// Its timestamps, where both agreed on them.
    pub(crate) line: Option<Line>,
}

impl Flow {
    pub(crate) fn opening(peer_mss: Option<u16>, peer_ecn: bool, seen: u64) -> Flow {
        Flow {
            state: State::Opening,
            seen,
            peer_mss,
            peer_ecn,
            plain: false,
            syn_acks: 0,
            kernel_sequence: 0,
            delta: 0,
            scales: (0, 0),
            line: None,
        }
    }
}

impl Worth for Flow {
    fn worth(&self) -> (u8, u64) {
        let rank = match self.state {
            State::Closing | State::Reset => 0,
            State::Opening => 1,
            State::Open => 2,
        };
        (rank, self.seen)
    }
}

/// A segment that the kernel may answer with a reset: what the reset does not tell of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) extent: u32,
    pub(crate) seen: u64,
}

impl Worth for Probe {
    fn worth(&self) -> (u8, u64) {
        (0, self.seen)
    }
}

/// Which connection: peer, its port, our port.
pub(crate) fn key(peer: u32, peer_port: u16, own_port: u16) -> u64 {
    u64::from(peer) << 32 | u64::from(peer_port) << 16 | u64::from(own_port)
}

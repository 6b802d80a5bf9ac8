//! Our own bounds, above those of the products.

use std::time::Duration;

/// What one decky grants. Past a bound the service acts like the product under load and says so in an
/// event.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes that one TCP connection may send us.
    pub connection_bytes: u64,
    /// How long one connection may last.
    pub connection_time: Duration,
    /// Connections at once from one source.
    pub connections_per_source: usize,
    /// Connections at once over the whole decky.
    pub connections: usize,
    /// UDP sessions remembered at once over the whole decky.
    pub datagram_sessions: usize,
    /// How long a UDP session lasts after its first datagram.
    pub datagram_session_time: Duration,
    /// UDP replies of more than [`Self::datagram_factor`] times the request, per second and source.
    pub large_replies_per_second: u32,
    /// How many times larger than its request a UDP reply may always be.
    pub datagram_factor: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connection_bytes: 1024 * 1024,
            connection_time: Duration::from_secs(30 * 60),
            connections_per_source: 32,
            connections: 2048,
            datagram_sessions: 4096,
            datagram_session_time: Duration::from_secs(60),
            large_replies_per_second: 20,
            datagram_factor: 3,
        }
    }
}

//! A UDP datagram as a server gets it, and the way back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use decnet_core::service::Port;
use tokio::net::UdpSocket;

use crate::session::Session;

/// Where replies go; a test collects them.
pub trait ReplyTo: Send + Sync {
    /// Sends one datagram to `to`, or drops it where the socket is full, as UDP does.
    ///
    /// # Errors
    /// The socket is gone.
    fn reply(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()>;
}

impl ReplyTo for UdpSocket {
    fn reply(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        match self.try_send_to(bytes, to) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Decides whether a reply may leave: replies much larger than their request would make an amplifier.
pub trait ReplyBudget: Send + Sync {
    /// Whether `reply` bytes may answer `request` bytes to `to` now.
    fn grant(&self, request: usize, reply: usize, to: SocketAddr) -> bool;
}

/// One received datagram.
pub struct Exchange {
    bytes: Vec<u8>,
    port: Port,
    session: Session,
    socket: Arc<dyn ReplyTo>,
    budget: Arc<dyn ReplyBudget>,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("port", &self.port)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Exchange {
    /// A datagram that came in.
    pub fn new(
        bytes: Vec<u8>,
        port: Port,
        session: Session,
        socket: Arc<dyn ReplyTo>,
        budget: Arc<dyn ReplyBudget>,
    ) -> Exchange {
        Exchange { bytes, port, session, socket, budget }
    }

    /// What was sent.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The declared port that it came in on.
    pub fn port(&self) -> Port {
        self.port
    }

    /// The conversation.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Answers the sender. A reply over the decky's budget is dropped, as a congested network would.
    ///
    /// # Errors
    /// The socket is gone.
    pub fn reply(&self, bytes: &[u8]) -> io::Result<()> {
        let to = self.session.source();
        if self.budget.grant(self.bytes.len(), bytes.len(), to) {
            self.socket.reply(bytes, to)
        } else {
            Ok(())
        }
    }
}

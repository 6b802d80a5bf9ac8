//! Packets over a stream, in order.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::codec::{self, Frame, Framer};
use crate::connection::Stream;

/// Bytes that are gathered before they are written.
const GATHER: usize = 64 * 1024;
/// How long a client may refuse to read (`net_write_timeout`).
const WRITE: Duration = Duration::from_secs(60);

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// A packet.
    Packet(Vec<u8>),
    /// The client closed.
    Closed,
    /// Nothing came in time.
    Late,
    /// A packet with a wrong number.
    OutOfOrder,
    /// A packet that is longer than is taken.
    TooLarge(usize),
}

/// A stream of packets.
pub(crate) struct Wire {
    /// The stream; none while it is handed to TLS.
    pub(crate) stream: Box<dyn Stream>,
    framer: Framer,
    sequence: u8,
    out: Vec<u8>,
}

impl Wire {
    /// Over a stream.
    pub(crate) fn new(stream: Box<dyn Stream>) -> Wire {
        Wire { stream, framer: Framer::default(), sequence: 0, out: Vec::new() }
    }

    /// The stream and what was read of it beyond the last packet; numbers go on from here.
    pub(crate) fn into_parts(self) -> (Box<dyn Stream>, Vec<u8>, u8) {
        (self.stream, self.framer.rest().to_vec(), self.sequence)
    }

    /// Goes on over another stream.
    pub(crate) fn resume(stream: Box<dyn Stream>, sequence: u8) -> Wire {
        Wire { stream, framer: Framer::default(), sequence, out: Vec::new() }
    }

    /// What came in and is no packet yet.
    pub(crate) fn rest(&self) -> &[u8] {
        self.framer.rest()
    }

    /// Begins a command: its packet has the number 0.
    pub(crate) fn begin(&mut self) {
        self.sequence = 0;
    }

    /// Reads the next packet.
    pub(crate) async fn read(&mut self, bound: usize, patience: Duration) -> io::Result<Arrival> {
        self.flush().await?;
        let mut buffer = [0u8; 8192];
        loop {
            match self.framer.next(self.sequence, bound) {
                Some(Frame::Packet { sequence, payload }) => {
                    self.sequence = sequence.wrapping_add(1);
                    return Ok(Arrival::Packet(payload));
                }
                Some(Frame::OutOfOrder) => return Ok(Arrival::OutOfOrder),
                Some(Frame::TooLarge(size)) => return Ok(Arrival::TooLarge(size)),
                None => {}
            }
            match timeout(patience, self.stream.read(&mut buffer)).await {
                Ok(Ok(0)) => return Ok(Arrival::Closed),
                Ok(Ok(read)) => self.framer.push(&buffer[..read]),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(Arrival::Late),
            }
        }
    }

    /// Writes a packet; it goes out with the next reading or flushing.
    pub(crate) async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        self.sequence = codec::packet(&mut self.out, self.sequence, payload);
        if self.out.len() > GATHER { self.flush().await } else { Ok(()) }
    }

    /// Writes what was gathered.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if !self.out.is_empty() {
            let out = std::mem::take(&mut self.out);
            let late = |_| io::Error::from(io::ErrorKind::TimedOut);
            timeout(WRITE, self.stream.write_all(&out)).await.map_err(late)??;
            timeout(WRITE, self.stream.flush()).await.map_err(late)??;
        }
        Ok(())
    }
}

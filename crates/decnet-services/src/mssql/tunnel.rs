//! TLS within the protocol: while the handshake lasts, records go in PRELOGIN packets; afterwards they go
//! bare; and where only the login is encrypted, what follows it goes without TLS (section 2.2.6.5).

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::codec::{self, Wrapping, kind};
use crate::connection::Stream;

/// Bytes of records that wait to be written in a packet.
const PENDING: usize = 64 * 1024;
/// The size of packets before the login.
const PACKET: usize = 4096;

struct Inner {
    stream: Box<dyn Stream>,
    wrapping: Wrapping,
    /// Records that were unwrapped and not read yet.
    unwrapped: Vec<u8>,
    /// Records of the flight under way, and packets of those before it.
    flight: Vec<u8>,
    packets: Vec<u8>,
}

/// A connection that TLS is put on, and that can be had back.
#[derive(Clone)]
pub(super) struct Tunnel {
    inner: Arc<Mutex<Inner>>,
    handshake: Arc<AtomicBool>,
}

impl Tunnel {
    /// Wraps records until [`Tunnel::established`].
    pub(super) fn new(stream: Box<dyn Stream>) -> Tunnel {
        let inner = Inner {
            stream,
            wrapping: Wrapping::default(),
            unwrapped: Vec::new(),
            flight: Vec::new(),
            packets: Vec::new(),
        };
        Tunnel { inner: Arc::new(Mutex::new(inner)), handshake: Arc::new(AtomicBool::new(true)) }
    }

    /// From now on records go bare.
    pub(super) fn established(&self) {
        self.handshake.store(false, Ordering::Relaxed);
    }

    fn wraps(&self) -> bool {
        self.handshake.load(Ordering::Relaxed)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        // One task reads and writes; the lock is never waited for.
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// Writes what waits.
    fn push(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.flight.is_empty() {
            codec::emit(kind::PRELOGIN, &self.flight, PACKET, 0, &mut self.packets);
            self.flight.clear();
        }
        while !self.packets.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.packets) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => drop(self.packets.drain(..count)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wraps = self.wraps();
        self.with(|inner| {
            loop {
                if !inner.unwrapped.is_empty() {
                    let count = inner.unwrapped.len().min(buffer.remaining());
                    buffer.put_slice(&inner.unwrapped[..count]);
                    inner.unwrapped.drain(..count);
                    return Poll::Ready(Ok(()));
                }
                if !wraps {
                    return Pin::new(&mut inner.stream).poll_read(context, buffer);
                }
                let mut bytes = [0u8; 4096];
                let mut read = ReadBuf::new(&mut bytes);
                match Pin::new(&mut inner.stream).poll_read(context, &mut read) {
                    Poll::Ready(Ok(())) if read.filled().is_empty() => return Poll::Ready(Ok(())),
                    Poll::Ready(Ok(())) => match inner.wrapping.unwrap(read.filled()) {
                        Some(records) => inner.unwrapped = records,
                        None => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                    },
                    other => return other,
                }
            }
        })
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wraps = self.wraps();
        self.with(|inner| {
            if !wraps {
                return match inner.push(context) {
                    Poll::Ready(Ok(())) => Pin::new(&mut inner.stream).poll_write(context, bytes),
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    Poll::Pending => Poll::Pending,
                };
            }
            if inner.flight.len() + inner.packets.len() > PENDING {
                match inner.push(context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            inner.flight.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| match inner.push(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut inner.stream).poll_flush(context),
            other => other,
        })
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.with(|inner| match inner.push(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut inner.stream).poll_shutdown(context),
            other => other,
        })
    }
}

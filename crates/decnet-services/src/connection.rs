//! A TCP connection as a server gets it: counted, bounded, and with its session.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use decnet_core::service::Port;
use decnet_logging::event::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::session::Session;

/// A byte stream: a socket, or one end of a pipe in a test.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Bytes that went each way, shared with whoever reports the end of the connection.
#[derive(Debug, Default)]
pub struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
    client_closed: AtomicBool,
    limited: AtomicBool,
}

impl Traffic {
    /// Bytes that the intruder sent.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Bytes that we sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the intruder closed its side.
    pub fn client_closed(&self) -> bool {
        self.client_closed.load(Ordering::Relaxed)
    }

    /// Whether the bound on received bytes was hit.
    pub fn limited(&self) -> bool {
        self.limited.load(Ordering::Relaxed)
    }
}

/// An accepted connection. Reading and writing go through it; the bytes are counted, and past the decky's
/// bound on received bytes it reads as closed.
pub struct Connection {
    stream: Box<dyn Stream>,
    port: Port,
    session: Session,
    traffic: Arc<Traffic>,
    allowance: u64,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("port", &self.port)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// Wraps a stream.
    pub fn new(stream: Box<dyn Stream>, port: Port, session: Session) -> Connection {
        let allowance = session.host().limits.connection_bytes;
        Connection { stream, port, session, traffic: Arc::default(), allowance }
    }

    /// The declared port that it came in on.
    pub fn port(&self) -> Port {
        self.port
    }

    /// The conversation.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The counters.
    pub fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    /// Lets the client send up to `bytes` in all, for services that take uploads.
    pub fn allow(&mut self, bytes: u64) {
        self.allowance = bytes;
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let received = self.traffic.received();
        if received >= self.allowance {
            if !self.traffic.limited.swap(true, Ordering::Relaxed) {
                self.session
                    .emit(Body::LimitReached { limit: "connection bytes".to_owned(), count: received });
            }
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Ok(())) = polled {
            let read = (buffer.filled().len() - before) as u64;
            if read == 0 && buffer.remaining() > 0 {
                self.traffic.client_closed.store(true, Ordering::Relaxed);
            }
            self.traffic.received.fetch_add(read, Ordering::Relaxed);
        }
        polled
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = polled {
            self.traffic.sent.fetch_add(written as u64, Ordering::Relaxed);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! A stream some bytes of which were read already.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Gives its first bytes again, then the stream's own.
pub struct Prefixed<S> {
    first: Vec<u8>,
    given: usize,
    stream: S,
}

impl<S> Prefixed<S> {
    /// `first` are the bytes that were read.
    pub fn new(first: Vec<u8>, stream: S) -> Prefixed<S> {
        Prefixed { first, given: 0, stream }
    }

    /// The bytes that were read already and are not given again yet.
    pub fn pending(&self) -> &[u8] {
        &self.first[self.given..]
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefixed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let here = &mut *self;
        let pending = &here.first[here.given..];
        if pending.is_empty() {
            return Pin::new(&mut here.stream).poll_read(context, buffer);
        }
        let count = pending.len().min(buffer.remaining());
        buffer.put_slice(&pending[..count]);
        here.given += count;
        if here.given == here.first.len() {
            // A connection may be long; its first bytes need not stay.
            here.first = Vec::new();
            here.given = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefixed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

//! The service's side: bytes in, hash and size out, never a wait and never the whole file in memory.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use super::frame::Frame;
use super::{CHUNK_LIMIT, Digest, FILE_LIMIT};
use crate::sink::EventSink;

/// The next artifact's id: unique in a process, and a new process's begins throw the old one's away.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What became of an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Of all bytes that were written, kept or not.
    pub sha256: Digest,
    /// How many.
    pub size: u64,
    /// Whether every byte was handed over. The collector may know better, and then says so in the event.
    pub stored: bool,
}

/// Takes the bytes of one artifact. Dropped without [`ArtifactWriter::finish`], nothing is kept.
pub struct ArtifactWriter {
    sink: Arc<dyn EventSink>,
    source: IpAddr,
    id: u64,
    hash: Sha256,
    size: u64,
    /// Bytes that fill no chunk yet.
    waiting: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was sent yet.
    New,
    /// Begun, and nothing lost.
    Sending,
    /// Something found no room, or it is too long: only the hash goes on.
    Lost,
    /// Finished or told to be given up.
    Over,
}

impl std::fmt::Debug for ArtifactWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtifactWriter")
            .field("id", &self.id)
            .field("size", &self.size)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl ArtifactWriter {
    /// Begins an artifact that `source` gives. Nothing is sent before the first bytes.
    pub fn new(sink: Arc<dyn EventSink>, source: IpAddr) -> Self {
        ArtifactWriter {
            sink,
            source,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            hash: Sha256::new(),
            size: 0,
            waiting: Vec::new(),
            state: State::New,
        }
    }

    /// Takes the next bytes. Never blocks: where the socket has no room the artifact is lost, and only its
    /// hash and size go on.
    pub fn write(&mut self, mut bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        if self.size > FILE_LIMIT {
            self.give_up();
        }
        while !bytes.is_empty() && matches!(self.state, State::New | State::Sending) {
            let (part, rest) = bytes.split_at(bytes.len().min(CHUNK_LIMIT - self.waiting.len()));
            self.waiting.extend_from_slice(part);
            bytes = rest;
            if self.waiting.len() == CHUNK_LIMIT {
                self.send_waiting();
            }
        }
    }

    /// Whether the next chunk finds room at this moment. A server that reads a file from the network may
    /// wait for it, for a while: the kernel then slows the intruder down as a busy disk would.
    pub fn has_room(&self) -> bool {
        !matches!(self.state, State::New | State::Sending) || self.sink.has_room()
    }

    /// How many bytes were written.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Ends it, and tells what became of it.
    pub fn finish(mut self) -> Stored {
        self.send_waiting();
        let sha256 = Digest(std::mem::take(&mut self.hash).finalize().into());
        let ended =
            self.state == State::Sending && self.sink.artifact(&Frame::End { id: self.id, size: self.size });
        if ended {
            self.state = State::Over;
        }
        Stored { sha256, size: self.size, stored: ended }
    }

    fn send_waiting(&mut self) {
        if self.state == State::New {
            let begun = self.sink.artifact(&Frame::Begin { id: self.id, source: self.source });
            self.state = if begun { State::Sending } else { State::Lost };
        }
        if self.state == State::Sending && !self.waiting.is_empty() {
            if !self.sink.artifact(&Frame::Chunk { id: self.id, bytes: &self.waiting }) {
                self.give_up();
            }
            self.waiting.clear();
        }
    }

    fn give_up(&mut self) {
        if self.state == State::Sending {
            // Where this finds no room either, the collector throws the unfinished one away in time.
            self.sink.artifact(&Frame::Abort { id: self.id });
        }
        if self.state != State::Over {
            self.state = State::Lost;
        }
        self.waiting = Vec::new();
    }
}

impl Drop for ArtifactWriter {
    fn drop(&mut self) {
        self.give_up();
    }
}

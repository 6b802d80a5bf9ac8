//! The service's side: where reports and artifacts go.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::artifact::Digest;
use crate::artifact::frame::Frame;
use crate::event::Report;

/// Takes reports from a service. Taking one never blocks and never fails as far as the service can tell:
/// logging must not change how a conversation goes.
pub trait EventSink: Send + Sync {
    /// Takes one report.
    fn emit(&self, report: Report);

    /// Takes one step of an artifact. False: it found no room, and the artifact is lost. A sink that keeps
    /// none takes none.
    fn artifact(&self, frame: &Frame<'_>) -> bool {
        let _ = frame;
        false
    }

    /// Whether a step of an artifact would find room at this moment.
    fn has_room(&self) -> bool {
        true
    }
}

/// Keeps reports and artifacts in memory, for tests and for programs that embed one service.
#[derive(Debug, Default)]
pub struct MemorySink {
    reports: Mutex<Vec<Report>>,
    artifacts: Mutex<Artifacts>,
}

#[derive(Debug, Default)]
struct Artifacts {
    open: BTreeMap<u64, Vec<u8>>,
    kept: BTreeMap<Digest, Vec<u8>>,
}

impl MemorySink {
    /// An empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was emitted so far.
    pub fn reports(&self) -> Vec<Report> {
        lock(&self.reports).clone()
    }

    /// The bytes of a finished artifact.
    pub fn kept(&self, sha256: &str) -> Option<Vec<u8>> {
        lock(&self.artifacts).kept.get(&Digest::parse(sha256)?).cloned()
    }
}

impl EventSink for MemorySink {
    fn emit(&self, report: Report) {
        lock(&self.reports).push(report);
    }

    fn artifact(&self, frame: &Frame<'_>) -> bool {
        let mut artifacts = lock(&self.artifacts);
        match *frame {
            Frame::Begin { id, .. } => {
                artifacts.open.insert(id, Vec::new());
            }
            Frame::Chunk { id, bytes } => {
                artifacts.open.entry(id).or_default().extend_from_slice(bytes);
            }
            Frame::End { id, .. } => {
                let bytes = artifacts.open.remove(&id).unwrap_or_default();
                artifacts.kept.insert(Digest(Sha256::digest(&bytes).into()), bytes);
            }
            Frame::Abort { id } => {
                artifacts.open.remove(&id);
            }
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! Forcing to the disk, off the way of the events.

use std::fs::File;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The thread that calls `fdatasync`. It sleeps while nothing is written.
#[derive(Debug)]
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What was written to since it was last forced.
    dirty: Vec<Arc<File>>,
    ended: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Syncer {
    pub(super) fn start(after: Duration) -> std::io::Result<Syncer> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let thread =
            std::thread::Builder::new().name("journal-sync".into()).spawn(move || run(&theirs, after))?;
        Ok(Syncer { shared, thread: Some(thread) })
    }

    /// A file has something that is not on the disk yet.
    pub(super) fn wrote(&self, file: &Arc<File>) {
        let mut state = self.shared.state();
        // At most one segment and the one before it.
        if !state.dirty.iter().any(|known| Arc::ptr_eq(known, file)) {
            state.dirty.push(file.clone());
            self.shared.changed.notify_one();
        }
    }
}

fn run(shared: &Shared, after: Duration) {
    loop {
        let mut state = shared.state();
        while state.dirty.is_empty() && !state.ended {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.ended {
            // Gathers what is written within that time; the end is not waited for longer than needed.
            let waited = shared.changed.wait_timeout_while(state, after, |state| !state.ended);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let (dirty, ended) = (std::mem::take(&mut state.dirty), state.ended);
        drop(state);
        for file in dirty {
            // A disk that fails here fails at the next write too, and is told there.
            let _ = file.sync_data();
        }
        if ended {
            return;
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

//! Processes as `/proc` shows them.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process that may be signalled: the number, and when it began, so that a number that was given again is
/// not taken for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: u32,
    began: u64,
}

impl Process {
    /// The process of that number, while it lives.
    pub fn of(pid: u32) -> Option<Process> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may hold anything; what follows it is numbers.
        let rest: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let (state, began) = (rest.first()?, rest.get(19)?.parse().ok()?);
        (*state != "Z").then_some(Process { pid, began })
    }

    /// Whether it still runs.
    pub fn lives(&self) -> bool {
        Process::of(self.pid).as_ref() == Some(self)
    }

    /// Sends a signal, if it still runs.
    pub fn signal(&self, signal: Signal) {
        assert!(self.lives(), "{self:?} has ended by itself");
        kill(Pid::from_raw(self.pid.cast_signed()), signal).unwrap();
    }

    /// Waits for its end.
    pub fn await_end(&self) {
        let until = Instant::now() + Duration::from_secs(15);
        while self.lives() {
            assert!(Instant::now() < until, "{self:?} does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it was started as.
    pub fn arguments(&self) -> Vec<String> {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        bytes.split(|byte| *byte == 0).map(|one| String::from_utf8_lossy(one).into_owned()).collect()
    }

    /// Its children, whichever of its threads started them.
    pub fn children(&self) -> Vec<Process> {
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.pid)) else { return Vec::new() };
        let mut children: Vec<Process> = tasks
            .flatten()
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
            .filter_map(Process::of)
            .collect();
        children.sort();
        children
    }

    /// Itself and everything below it.
    pub fn tree(&self) -> Vec<Process> {
        let mut all = vec![self.clone()];
        for child in self.children() {
            all.extend(child.tree());
        }
        all
    }
}

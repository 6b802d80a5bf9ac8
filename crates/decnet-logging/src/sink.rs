//! The service's side: where reports go.

use std::sync::Mutex;

use crate::event::Report;

/// Takes reports from a service. Taking one never blocks and never fails as far as the service can tell:
/// logging must not change how a conversation goes.
pub trait EventSink: Send + Sync {
    /// Takes one report.
    fn emit(&self, report: Report);
}

/// Keeps reports in memory, for tests and for programs that embed one service.
#[derive(Debug, Default)]
pub struct MemorySink {
    reports: Mutex<Vec<Report>>,
}

impl MemorySink {
    /// An empty sink.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was emitted so far.
    pub fn reports(&self) -> Vec<Report> {
        self.reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl EventSink for MemorySink {
    fn emit(&self, report: Report) {
        self.reports.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(report);
    }
}

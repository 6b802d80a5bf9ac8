//! Services that are images of the user's own: what they print becomes events.
//!
//! Nothing about the text is trusted: an intruder may have made the service print it. Lines are cut, and
//! only so many a second are kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use decnet_compose::layout;
use decnet_logging::EventSink;
use decnet_logging::event::{Body, Report, Speaker};
use decnet_logging::socket::SocketSink;
use tokio::task::JoinHandle;

use super::super::containers::{self, Which};
use super::super::control::Watch;
use super::super::daemon;
use super::ears::Ears;
use crate::error::EngineError;
use crate::native::keeper::report;

/// Bytes of a line that are kept.
const LINE: usize = 8 * 1024;
/// Lines a second that are kept of one service, in the long run and at once.
const LINES: u32 = 100;
/// How long a container that does not run is waited for.
const AGAIN: Duration = Duration::from_millis(500);

/// The services that are followed.
#[derive(Default)]
pub(super) struct Printers {
    tasks: BTreeMap<(String, String), (Speaker, JoinHandle<()>)>,
}

impl Printers {
    /// Follows these, and no others.
    pub(super) fn follow(&mut self, watch: &Watch, ears: &mut Ears) {
        self.tasks.retain(|_, (speaker, task)| {
            let keep = watch.printers.contains(speaker);
            if !keep {
                task.abort();
            }
            keep
        });
        for speaker in &watch.printers {
            let key = (speaker.decky.clone(), speaker.service.clone());
            if self.tasks.contains_key(&key) {
                continue;
            }
            match ears.speak_as(speaker) {
                Ok(sink) => {
                    let task = tokio::spawn(follow(speaker.clone(), sink));
                    self.tasks.insert(key, (speaker.clone(), task));
                }
                Err(error) => report::operator(&format!(
                    "follow what {}/{} prints: {error}",
                    speaker.decky, speaker.service
                )),
            }
        }
    }

    /// Follows none.
    pub(super) fn end(&mut self) {
        for (_, (_, task)) in std::mem::take(&mut self.tasks) {
            task.abort();
        }
    }
}

/// Reads what a service prints, container after container.
async fn follow(speaker: Speaker, sink: Arc<SocketSink>) {
    let mut printed = Printed::new(sink);
    loop {
        // The container may not be there yet, or the daemon away: both are tried again.
        let _ = read(&speaker, &mut printed).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn read(speaker: &Speaker, printed: &mut Printed) -> Result<(), EngineError> {
    let docker = daemon::open(&daemon::socket()?).await?;
    let all = containers::list(&docker, Which::Decky(&speaker.fleet, &speaker.decky)).await?;
    let Some(container) = all.into_iter().find(|container| {
        container.role == layout::ROLE_CUSTOM && container.service.as_deref() == Some(&speaker.service)
    }) else {
        return Ok(());
    };
    let options = LogsOptions {
        follow: true,
        stdout: true,
        stderr: true,
        timestamps: true,
        since: printed.since(),
        tail: "all".to_owned(),
        ..Default::default()
    };
    let mut output = Box::pin(docker.logs(&container.id, Some(options)));
    while let Some(piece) = daemon::next(&mut output).await {
        match piece.map_err(daemon::said("follow what a container prints"))? {
            LogOutput::StdErr { message } => printed.take(&message, "stderr"),
            LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
                printed.take(&message, "stdout");
            }
        }
    }
    Ok(())
}

/// Turns lines into events, within bounds.
struct Printed {
    sink: Arc<dyn EventSink>,
    /// The daemon's time of the last line: a container that is read again begins behind it.
    last: String,
    allowance: f64,
    refilled: Instant,
    dropped: u64,
}

impl Printed {
    fn new(sink: Arc<dyn EventSink>) -> Printed {
        Printed {
            sink,
            last: String::new(),
            allowance: f64::from(LINES),
            refilled: Instant::now(),
            dropped: 0,
        }
    }

    /// From when on the daemon is asked, in whole seconds.
    fn since(&self) -> i32 {
        decnet_logging::event::timestamp::parse(&self.last)
            .ok()
            .and_then(|micros| i32::try_from(micros / 1_000_000).ok())
            .unwrap_or_default()
    }

    /// A line with the daemon's time before it.
    fn take(&mut self, message: &[u8], stream: &str) {
        let split = message.iter().position(|byte| *byte == b' ').unwrap_or(message.len());
        let (time, line) = message.split_at(split);
        let time = String::from_utf8_lossy(time);
        // RFC 3339 with a fixed number of digits and in UTC: text order is time order.
        if *time <= *self.last {
            return;
        }
        self.last = time.into_owned();
        let line = line.strip_prefix(b" ").unwrap_or(line);
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        let now = Instant::now();
        let earned = now.duration_since(self.refilled).as_secs_f64() * f64::from(LINES);
        self.allowance = (self.allowance + earned).min(f64::from(LINES));
        self.refilled = now;
        if self.allowance < 1.0 {
            self.dropped += 1;
            return;
        }
        self.allowance -= 1.0;
        if self.dropped > 0 {
            let count = std::mem::take(&mut self.dropped);
            let body = Body::LimitReached { limit: "printed_lines".to_owned(), count };
            self.sink.emit(Report::without_conversation(body));
        }
        let kept = &line[..line.len().min(LINE)];
        let (text, bytes) = decnet_logging::event::text(kept);
        let body = Body::Printed { stream: stream.to_owned(), line: text };
        let mut report = Report::without_conversation(body);
        if bytes.is_some() || kept.len() < line.len() {
            report = report.with_raw(kept);
            report.raw_len = Some(line.len() as u64);
            report.raw_truncated = kept.len() < line.len();
        }
        self.sink.emit(report);
    }
}

#[cfg(test)]
mod tests {
    use decnet_logging::MemorySink;

    use super::*;

    fn printed() -> (Printed, Arc<MemorySink>) {
        let sink = Arc::new(MemorySink::new());
        (Printed::new(sink.clone()), sink)
    }

    fn at(second: u32, text: &[u8]) -> Vec<u8> {
        [format!("2026-11-22T12:{:02}:{:02}.000000000Z ", second / 60, second % 60).as_bytes(), text].concat()
    }

    #[test]
    fn a_line_is_an_event_and_never_twice() {
        let (mut printed, sink) = printed();
        printed.take(&at(1, b"login root\r\n"), "stdout");
        printed.take(&at(1, b"login root\r\n"), "stdout");
        printed.take(&at(2, b"\n"), "stdout");
        printed.take(&at(3, b"\xff\n"), "stderr");
        let reports = sink.reports();
        assert_eq!(reports[0].body, Body::Printed { stream: "stdout".into(), line: "login root".into() });
        assert_eq!(reports[1].raw.as_ref().unwrap().0, b"\xff");
        assert_eq!(reports.len(), 2);
        assert_eq!(printed.since(), 1_795_348_803);
    }

    #[test]
    fn a_flood_is_bounded_and_counted() {
        let (mut printed, sink) = printed();
        for second in 0..3000 {
            printed.take(&at(second, &[b'x'; 20_000]), "stdout");
        }
        let reports = sink.reports();
        assert!(reports.len() < 3000 / 2, "{}", reports.len());
        for report in &reports {
            if let Body::Printed { line, .. } = &report.body {
                assert_eq!((line.len(), report.raw_len), (LINE, Some(20_000)));
            }
        }
        printed.allowance = 1.0;
        printed.take(&at(3001, b"after"), "stdout");
        let reports = sink.reports();
        assert!(matches!(reports[reports.len() - 2].body, Body::LimitReached { count: 1.., .. }));
    }
}

//! What an intruder gives, on its way to the artifact store: whole, as it streams, or as a recorded terminal.
//!
//! The log socket takes a few chunks at once and then wants to be emptied by the collector, which is a matter
//! of a millisecond. A bounded wait for it is what a disk costs; where it is not over in time the artifact is
//! not kept, and the conversation goes on.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use decnet_logging::artifact::{ArtifactWriter, CHUNK_LIMIT, Stored};
use decnet_logging::asciicast::{Asciicast, Header};
use decnet_logging::event::{Body, Report};
use decnet_logging::sink::EventSink;

use crate::clock::Clock;
use crate::session::Session;

/// How long one artifact waits for the collector in all.
const PATIENCE: Duration = Duration::from_secs(2);

/// How soon it looks again.
const AGAIN: Duration = Duration::from_millis(1);

/// Bytes that wait for the collector behind the conversations of this decky. What comes beyond is not kept.
const WAITING_LIMIT: usize = 8 * 1024 * 1024;

/// How many bytes wait at present.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// The name of the format in `session.recorded`.
const FORMAT: &str = "asciicast-v2";

/// An artifact that streams. Dropped without [`Artifact::finish`], nothing is kept.
#[derive(Debug)]
pub struct Artifact {
    writer: ArtifactWriter,
    patience: Duration,
}

impl Artifact {
    pub(crate) fn new(sink: Arc<dyn EventSink>, source: IpAddr) -> Self {
        Artifact { writer: ArtifactWriter::new(sink, source), patience: PATIENCE }
    }

    /// Takes the next bytes.
    pub async fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK_LIMIT) {
            self.wait().await;
            self.writer.write(chunk);
        }
    }

    /// How many bytes were written.
    pub fn size(&self) -> u64 {
        self.writer.size()
    }

    /// Ends it, and tells what became of it.
    pub async fn finish(mut self) -> Stored {
        self.wait().await;
        self.writer.finish()
    }

    async fn wait(&mut self) {
        while !self.writer.has_room() && !self.patience.is_zero() {
            tokio::time::sleep(AGAIN).await;
            self.patience = self.patience.saturating_sub(AGAIN);
        }
    }
}

/// Hands bytes over that are all there already, and then sends the report that is made of what became of
/// them. The conversation never waits: what finds no room at once goes on behind it.
pub(crate) fn keep(
    session: &Session,
    sink: Arc<dyn EventSink>,
    bytes: &[u8],
    told: impl FnOnce(Stored) -> Report + Send + 'static,
) {
    let mut artifact = Artifact::new(sink, session.source().ip());
    let mut rest = bytes;
    while !rest.is_empty() && artifact.writer.has_room() {
        let (chunk, after) = rest.split_at(rest.len().min(CHUNK_LIMIT));
        artifact.writer.write(chunk);
        rest = after;
    }
    let done = rest.is_empty() && artifact.writer.has_room();
    let runtime = tokio::runtime::Handle::try_current();
    let (false, Ok(runtime), Some(share)) = (done, runtime, Share::take(rest.len())) else {
        artifact.writer.write(rest);
        return session.send(told(artifact.writer.finish()));
    };
    let (session, rest) = (session.clone(), rest.to_vec());
    runtime.spawn(async move {
        artifact.write(&rest).await;
        session.send(told(artifact.finish().await));
        drop(share);
    });
}

/// A part of [`WAITING_LIMIT`], given back when it is dropped.
struct Share(usize);

impl Share {
    fn take(bytes: usize) -> Option<Share> {
        let share = Share(bytes);
        (WAITING.fetch_add(bytes, Ordering::Relaxed) + bytes <= WAITING_LIMIT).then_some(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        WAITING.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// A terminal session that is recorded as asciicast v2. [`Recording::finish`] reports it.
#[derive(Debug)]
pub struct Recording {
    session: Session,
    artifact: Artifact,
    cast: Asciicast,
    /// The header line, until there is somewhere to write it.
    header: Option<String>,
    /// Of the decky's clock, in microseconds.
    began: i64,
}

impl Recording {
    /// Begins one of a conversation's terminal.
    pub fn new(session: &Session, width: u16, height: u16, env: Vec<(String, String)>) -> Self {
        let clock: &Clock = &session.host().clock;
        let began = clock.micros();
        let timestamp = began.div_euclid(1_000_000);
        let (cast, header) = Asciicast::new(&Header { width, height, timestamp, env });
        Recording {
            session: session.clone(),
            artifact: session.artifact(),
            cast,
            header: Some(header),
            began,
        }
    }

    /// What the terminal showed.
    pub async fn output(&mut self, bytes: &[u8]) {
        let line = self.cast.output(self.elapsed(), bytes);
        self.put(line).await;
    }

    /// What was typed.
    pub async fn input(&mut self, bytes: &[u8]) {
        let line = self.cast.input(self.elapsed(), bytes);
        self.put(line).await;
    }

    /// The terminal has another size.
    pub async fn resize(&mut self, width: u16, height: u16) {
        let line = self.cast.resize(self.elapsed(), width, height);
        self.put(line).await;
    }

    /// Ends it, and reports `session.recorded`.
    pub async fn finish(mut self) {
        let elapsed = self.elapsed();
        let line = self.cast.finish(elapsed);
        self.put(line).await;
        let stored = self.artifact.finish().await;
        self.session.emit(Body::SessionRecorded {
            artifact: stored.sha256.to_string(),
            format: FORMAT.to_owned(),
            duration_ms: elapsed / 1000,
        });
    }

    async fn put(&mut self, line: String) {
        if let Some(header) = self.header.take() {
            self.artifact.write(header.as_bytes()).await;
        }
        self.artifact.write(line.as_bytes()).await;
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.session.host().clock.micros() - self.began).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use decnet_core::identity::OsFamily;
    use decnet_core::service::{Port, Transport};
    use decnet_logging::artifact::frame::{self, Frame};
    use decnet_logging::sink::MemorySink;

    use super::*;
    use crate::testing::{decky, host, identity, session};

    const PORT: Port = Port { number: 80, transport: Transport::Tcp, tls: false };

    /// A sink whose room comes and goes.
    #[derive(Default)]
    struct Narrow {
        room: Mutex<usize>,
        frames: Mutex<Vec<Vec<u8>>>,
        reports: Mutex<Vec<Report>>,
    }

    impl EventSink for Narrow {
        fn emit(&self, report: Report) {
            self.reports.lock().unwrap().push(report);
        }
        fn artifact(&self, frame: &Frame<'_>) -> bool {
            if let Frame::Chunk { .. } = frame {
                let mut room = self.room.lock().unwrap();
                if *room == 0 {
                    return false;
                }
                *room -= 1;
            }
            self.frames.lock().unwrap().push(frame::encode(frame));
            true
        }
        fn has_room(&self) -> bool {
            *self.room.lock().unwrap() > 0
        }
    }

    fn narrow(room: usize) -> (Arc<Narrow>, Session) {
        let sink = Arc::new(Narrow { room: Mutex::new(room), ..Narrow::default() });
        let host = host(decky(identity(OsFamily::Linux, 1, &[]), 1, &[]));
        let destination = (host.decky.address, 80).into();
        let sink_of_session = Arc::clone(&sink) as Arc<dyn EventSink>;
        let source = ([198, 51, 100, 7], 40_000).into();
        (sink, Session::new(host, sink_of_session, source, destination, Transport::Tcp, None))
    }

    fn stored(report: &Report) -> (u64, bool) {
        let Body::FileUpload { size, stored, .. } = report.body else { panic!("{report:?}") };
        (size, stored)
    }

    #[tokio::test(start_paused = true)]
    async fn what_finds_no_room_goes_behind_the_conversation() {
        let (sink, session) = narrow(2);
        let bytes = vec![7; 10 * CHUNK_LIMIT + 1];
        session.upload("x", &bytes);
        assert!(sink.reports.lock().unwrap().is_empty(), "it is told when it is known");
        for _ in 0..9 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            *sink.room.lock().unwrap() += 1;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let reports = sink.reports.lock().unwrap();
        assert_eq!(stored(&reports[0]), (bytes.len() as u64, true));
        assert_eq!(sink.frames.lock().unwrap().len(), 1 + 11 + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_collector_that_hangs_costs_two_seconds_and_the_artifact() {
        let (sink, session) = narrow(1);
        let before = tokio::time::Instant::now();
        let mut artifact = session.artifact();
        artifact.write(&vec![1; 100 * CHUNK_LIMIT]).await;
        let told = artifact.finish().await;
        assert_eq!((told.size, told.stored), (100 * CHUNK_LIMIT as u64, false));
        assert!(before.elapsed() <= PATIENCE + AGAIN, "{:?}", before.elapsed());
        session.upload("y", &[2; 3]);
        tokio::time::sleep(PATIENCE * 2).await;
        assert_eq!(stored(&sink.reports.lock().unwrap()[0]), (3, false));
    }

    #[test]
    fn a_share_is_given_back_and_bounded() {
        let first = Share::take(WAITING_LIMIT).unwrap();
        assert!(Share::take(1).is_none());
        drop(first);
        assert!(Share::take(WAITING_LIMIT).is_some());
    }

    #[tokio::test]
    async fn a_terminal_is_recorded_and_can_be_played() {
        let sink = Arc::new(MemorySink::new());
        let host = host(decky(identity(OsFamily::Linux, 1, &[]), 1, &[]));
        let session = session(&host, &sink, PORT);
        let mut recording = Recording::new(&session, 80, 24, vec![("TERM".into(), "xterm".into())]);
        recording.output(b"root@srv:~# ").await;
        recording.input(b"id\r").await;
        recording.output(b"id\r\nuid=0(root)\r\n").await;
        recording.resize(100, 30).await;
        recording.finish().await;
        let reports = sink.reports();
        let Body::SessionRecorded { artifact, format, .. } = &reports[0].body else { panic!("{reports:?}") };
        assert_eq!(format, "asciicast-v2");
        let text = String::from_utf8(sink.kept(artifact).unwrap()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1795176000,"));
        assert_eq!(lines[2], "[0.000000,\"i\",\"id\\r\"]");
        assert_eq!(lines.len(), 5);
    }
}

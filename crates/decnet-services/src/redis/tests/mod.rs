//! Conversations over a pipe: what goes on the wire and what is reported.
#![allow(clippy::unwrap_used, reason = "a test stops where its set-up breaks")]

mod bounds;
mod events;
mod identity;
mod persona;
mod wording;

use std::sync::Arc;

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::Port;
use decnet_logging::event::{Body, Report};
use decnet_logging::sink::MemorySink;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::host::Host;
use crate::server::Server;
use crate::testing;

/// A decky with Redis.
pub(super) struct Decky {
    pub(super) host: Arc<Host>,
    pub(super) server: Arc<dyn Server>,
}

impl Decky {
    /// Release and persona values.
    pub(super) fn new(version: &str, values: &[(&str, &str)]) -> Decky {
        Decky::of(testing::identity(OsFamily::Linux, 1, &[("redis", "redis", version, "")]), 1, values)
    }

    /// Any identity.
    pub(super) fn of(identity: Identity, seed: u64, values: &[(&str, &str)]) -> Decky {
        let host = testing::host(testing::decky(identity, seed, &[("redis", values)]));
        let server = Arc::from(testing::server(&host, "redis"));
        Decky { host, server }
    }

    /// Without planted keys.
    pub(super) fn empty(version: &str) -> Decky {
        Decky::new(version, &[("keys", "none")])
    }

    /// A connection.
    pub(super) fn connect(&self) -> Talk {
        let (stream, sink, task) = testing::connect(&self.host, Arc::clone(&self.server), Port::tcp(6379));
        Talk { stream, sink, task: Some(task), buffer: Vec::new() }
    }
}

/// A connection of a test.
pub(super) struct Talk {
    stream: DuplexStream,
    sink: Arc<MemorySink>,
    task: Option<tokio::task::JoinHandle<std::io::Result<()>>>,
    buffer: Vec<u8>,
}

impl Talk {
    /// Sends bytes as they are.
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Sends an argument vector.
    pub(super) async fn send_words(&mut self, words: &[&[u8]]) {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        self.send(&out).await;
    }

    /// The next reply as it stands on the wire.
    pub(super) async fn reply(&mut self) -> String {
        loop {
            if let Some(end) = whole(&self.buffer, 0) {
                let reply: Vec<u8> = self.buffer.drain(..end).collect();
                return String::from_utf8_lossy(&reply).into_owned();
            }
            let mut piece = vec![0u8; 65_536];
            let read =
                tokio::time::timeout(std::time::Duration::from_secs(3600), self.stream.read(&mut piece));
            let read = read.await.expect("a reply within the hour").unwrap();
            assert!(read > 0, "closed after {}", self.buffer.escape_ascii());
            self.buffer.extend_from_slice(&piece[..read]);
        }
    }

    /// Asks in an inline line.
    pub(super) async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.reply().await
    }

    /// Everything until the connection is closed.
    pub(super) async fn rest(&mut self) -> String {
        let mut rest = std::mem::take(&mut self.buffer);
        self.stream.read_to_end(&mut rest).await.unwrap();
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// Closes and gives everything that was reported.
    pub(super) async fn end(mut self) -> Vec<Report> {
        self.stream.shutdown().await.unwrap();
        drop(self.stream);
        let _ = self.task.take().unwrap().await.unwrap();
        self.sink.reports()
    }
}

/// Where a whole reply ends.
fn whole(bytes: &[u8], at: usize) -> Option<usize> {
    let line = bytes[at..].windows(2).position(|pair| pair == b"\r\n")? + at;
    let end = line + 2;
    let number = || std::str::from_utf8(&bytes[at + 1..line]).unwrap().parse::<i64>().unwrap();
    let items = match bytes[at] {
        b'$' | b'=' if number() >= 0 => {
            let end = end + number() as usize + 2;
            return (bytes.len() >= end).then_some(end);
        }
        b'*' | b'~' | b'>' => number().max(0),
        b'%' => number() * 2,
        _ => 0,
    };
    (0..items).try_fold(end, |at, _| if at < bytes.len() { whole(bytes, at) } else { None })
}

/// The value of a line of INFO.
pub(super) fn field(info: &str, name: &str) -> String {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .unwrap_or_else(|| panic!("no {name} in {info}"))
        .to_owned()
}

/// The kinds of what was reported, in order.
pub(super) fn kinds(reports: &[Report]) -> Vec<&'static str> {
    reports.iter().map(|report| report.body.kind()).collect()
}

/// Whether an exploit of that name was reported.
pub(super) fn exploit(reports: &[Report], wanted: &str) -> bool {
    reports.iter().any(|report| matches!(&report.body, Body::ExploitAttempt { name, .. } if name == wanted))
}

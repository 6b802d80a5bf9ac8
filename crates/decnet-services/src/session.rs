//! One conversation as its server reports it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use decnet_core::service::Transport;
use decnet_logging::artifact::Stored;
use decnet_logging::event::{Body, RAW_LIMIT, Report, Session as SessionId};
use decnet_logging::sink::EventSink;

use crate::artifact::{self, Artifact};
use crate::host::Host;

/// The conversation that a server is in: it knows who speaks to whom, and takes what happened.
/// Cloning is cheap and gives the same conversation.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    id: SessionId,
    host: Arc<Host>,
    sink: Arc<dyn EventSink>,
    source: SocketAddr,
    destination: SocketAddr,
    transport: Transport,
    tls: AtomicBool,
    persona: Option<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.0.id)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Begins a conversation; the id is fresh.
    pub fn new(
        host: Arc<Host>,
        sink: Arc<dyn EventSink>,
        source: SocketAddr,
        destination: SocketAddr,
        transport: Transport,
        persona: Option<String>,
    ) -> Session {
        let id = SessionId(u128::from_be_bytes(host.entropy.bytes()));
        Session(Arc::new(Inner {
            id,
            host,
            sink,
            source,
            destination,
            transport,
            tls: AtomicBool::new(false),
            persona,
        }))
    }

    /// The decky.
    pub fn host(&self) -> &Arc<Host> {
        &self.0.host
    }

    /// The intruder's end.
    pub fn source(&self) -> SocketAddr {
        self.0.source
    }

    /// Our end.
    pub fn destination(&self) -> SocketAddr {
        self.0.destination
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.0.id
    }

    /// Marks everything that follows as having come through TLS.
    pub fn set_tls(&self) {
        self.0.tls.store(true, Ordering::Relaxed);
    }

    /// An event of this conversation, to add raw bytes or tags to before [`Self::send`].
    pub fn report(&self, body: Body) -> Report {
        Report {
            session: self.0.id,
            src_ip: self.0.source.ip(),
            src_port: self.0.source.port(),
            dst_ip: self.0.destination.ip(),
            dst_port: self.0.destination.port(),
            transport: self.0.transport,
            tls: self.0.tls.load(Ordering::Relaxed),
            src_mac: None,
            body,
            persona: self.0.persona.clone(),
            raw: None,
            raw_len: None,
            raw_truncated: false,
            tags: Vec::new(),
        }
    }

    /// Hands an event over.
    pub fn send(&self, report: Report) {
        self.0.sink.emit(report);
    }

    /// Begins an artifact: a file, a mail, whatever the intruder gives and is too long for an event.
    pub fn artifact(&self) -> Artifact {
        Artifact::new(Arc::clone(&self.0.sink), self.source().ip())
    }

    /// Keeps bytes that are all there, and sends the report that is made of what became of them. Bytes that
    /// find no room at once go behind the conversation, and so does the report.
    pub fn keep(&self, bytes: &[u8], told: impl FnOnce(Stored) -> Report + Send + 'static) {
        artifact::keep(self, Arc::clone(&self.0.sink), bytes, told);
    }

    /// Keeps bytes that the intruder gave under a name, and reports `file.upload` with their beginning.
    pub fn upload(&self, name: &str, bytes: &[u8]) {
        let (session, name) = (self.clone(), name.to_owned());
        let raw = bytes[..bytes.len().min(RAW_LIMIT)].to_vec();
        self.keep(bytes, move |stored| {
            let mut report = session.report(uploaded(name, stored)).with_raw(&raw);
            report.raw_len = Some(stored.size);
            report.raw_truncated = raw.len() as u64 != stored.size;
            report
        });
    }

    /// Reports that something happened.
    pub fn emit(&self, body: Body) {
        self.send(self.report(body));
    }

    /// Reports that something happened, with the bytes behind it.
    pub fn emit_raw(&self, body: Body, raw: &[u8]) {
        self.send(self.report(body).with_raw(raw));
    }
}

/// The event of an upload and of what became of it.
pub fn uploaded(name: String, stored: Stored) -> Body {
    let sha256 = stored.sha256.to_string();
    let artifact = stored.stored.then(|| sha256.clone());
    Body::FileUpload { name, size: stored.size, sha256, stored: stored.stored, artifact }
}

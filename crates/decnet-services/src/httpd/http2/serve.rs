//! A connection of HTTP/2 on its socket: requests go to the site, answers back, many at a time.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;

use decnet_logging::event::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{Connection, Event};
use super::manner::{Engine, Manner, Violation};
use super::{frame, head};
use crate::connection::Stream;
use crate::httpd::framer::Framer;
use crate::httpd::response::multiplexed;
use crate::httpd::serve::{Tail, probe_kind};
use crate::httpd::{
    Arrival, Detail, Fault, Field, Head, HeadLimits, LineVerdict, Request, Response, Site, Version,
};
use crate::session::Session;

/// Read at once.
const READ: usize = 16 * 1024;
/// Most mistakes of one connection that become events; the rest says nothing new.
const MISTAKES: u32 = 32;
/// Most requests whose body still comes in after the answer and is waited for before they are reported.
const LATE: usize = 64;
/// HTTP_1_1_REQUIRED (RFC 9113 section 7).
const HTTP_1_1_REQUIRED: u32 = 13;

/// A request with its answer.
type Answered = (u32, Request, Response);
type Answering<'a> = Pin<Box<dyn Future<Output = Answered> + Send + 'a>>;

/// Holds the conversation. Returning closes the connection.
///
/// # Errors
/// The connection broke, or was idle for longer than the product waits.
pub async fn serve(
    stream: Box<dyn Stream>,
    session: &Session,
    site: &dyn Site,
    arrival: Arrival,
    manner: &'static Manner,
) -> io::Result<()> {
    let mut talk = Talk {
        stream,
        session,
        site,
        arrival,
        manner,
        connection: Connection::new(manner),
        reading: BTreeMap::new(),
        late: BTreeMap::new(),
        answering: Vec::new(),
        requests: 0,
        mistakes: 0,
    };
    let outcome = talk.run().await;
    talk.finish();
    if outcome.is_ok() {
        talk.stream.linger(site.profile().linger).await;
    }
    outcome
}

struct Talk<'a> {
    stream: Box<dyn Stream>,
    session: &'a Session,
    site: &'a dyn Site,
    arrival: Arrival,
    manner: &'static Manner,
    connection: Connection,
    /// Requests whose body is read before the answer; as many as there are streams.
    reading: BTreeMap<u32, Request>,
    /// Answered requests whose body still comes in, with their status.
    late: BTreeMap<u32, (Request, u16)>,
    answering: Vec<Answering<'a>>,
    requests: u32,
    mistakes: u32,
}

/// What ended the waiting.
enum Woken {
    Read(usize),
    Answers(Vec<Answered>),
    Late,
}

impl<'a> Talk<'a> {
    async fn run(&mut self) -> io::Result<()> {
        self.flush().await?;
        let mut buffer = vec![0u8; READ];
        let mut active = Instant::now();
        loop {
            let deadline = self.deadline(active);
            match self.wait(&mut buffer, deadline).await? {
                Woken::Read(0) => return Ok(()),
                Woken::Read(read) => {
                    active = Instant::now();
                    self.connection.feed(&buffer[..read]);
                    while let Some(event) = self.connection.next_event() {
                        self.event(event);
                        if self.manner.at_once {
                            self.answer_what_is_ready().await;
                        }
                    }
                    self.answer_what_is_ready().await;
                }
                Woken::Answers(answers) => {
                    active = Instant::now();
                    answers.into_iter().for_each(|answered| self.answered(answered));
                }
                Woken::Late => {
                    self.connection.goodbye(0, self.manner.farewell);
                    self.flush().await?;
                    self.stream.linger(self.site.profile().linger).await;
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            self.flush().await?;
            if self.connection.is_over() {
                return Ok(());
            }
        }
    }

    /// Until when the client must have said something; `None` while answers are on their way.
    fn deadline(&self, active: Instant) -> Option<Instant> {
        let profile = self.site.profile();
        if !self.answering.is_empty() {
            return None;
        }
        let patience = match (self.connection.open(), self.requests) {
            (0, 0) => self.manner.patience,
            (0, _) => profile.keep_alive.idle,
            _ => profile.body_timeout,
        };
        Some(active + patience)
    }

    async fn wait(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<Woken> {
        let answering = &mut self.answering;
        let stream = &mut self.stream;
        let either = async {
            tokio::select! {
                biased;
                answers = ready(answering, true) => Ok(Woken::Answers(answers)),
                read = stream.read(buffer) => read.map(Woken::Read),
            }
        };
        match deadline {
            Some(deadline) => timeout_at(deadline, either).await.unwrap_or(Ok(Woken::Late)),
            None => either.await,
        }
    }

    async fn answer_what_is_ready(&mut self) {
        for answered in ready(&mut self.answering, false).await {
            self.answered(answered);
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        loop {
            let bytes = self.connection.output();
            if bytes.is_empty() {
                return Ok(());
            }
            // A client that does not read is left.
            match timeout(self.site.profile().body_timeout, self.stream.write_all(&bytes)).await {
                Ok(written) => written?,
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
            self.stream.flush().await?;
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Request { stream, fields, end } => self.request(stream, fields, end),
            Event::Unacceptable { stream, fields, too_large } => {
                self.fingerprint(&fields);
                let detail = if too_large { Detail::ListTooLarge } else { Detail::BadLine };
                self.refuse(stream, detail, read_head(&fields), head::as_text(&fields), None);
            }
            Event::Data { stream, bytes, end } => self.data(stream, &bytes, end),
            Event::Over { stream } => {
                if let Some(request) = self.reading.remove(&stream) {
                    self.site.report(&request, 0, self.session);
                }
                self.report_late(stream);
            }
            Event::Refused { fields } => {
                self.fingerprint(&fields);
                self.probe("malformed", &head::as_text(&fields));
            }
            Event::Mistake(violation) => self.mistake(violation),
        }
    }

    fn mistake(&mut self, violation: Violation) {
        let pending = self.connection.pending().to_vec();
        match violation {
            Violation::Flood | Violation::RapidReset | Violation::TooManyContinuations => {
                self.session.emit(Body::LimitReached {
                    limit: format!("http2 {violation:?}"),
                    count: u64::from(self.requests),
                });
            }
            Violation::Preface => self.probe(probe_kind(&pending), &pending),
            _ => self.probe("malformed", &pending),
        }
    }

    fn probe(&mut self, kind: &str, raw: &[u8]) {
        self.mistakes += 1;
        if self.mistakes <= MISTAKES {
            self.session.emit_raw(Body::ScanProbe { kind: kind.to_owned() }, raw);
        }
    }

    fn fingerprint(&mut self, fields: &[Field]) {
        self.requests = self.requests.saturating_add(1);
        if self.requests == 1 {
            let value = self.connection.fingerprint(fields);
            self.session.emit(Body::ClientFingerprint { kind: "http2".to_owned(), value });
        }
    }

    fn request(&mut self, stream: u32, fields: Vec<Field>, end: bool) {
        self.fingerprint(&fields);
        let head = read_head(&fields);
        let raw = head::as_text(&fields);
        let mut request = match self.site.accept(&head, self.arrival) {
            Ok(request) => request,
            Err(detail) => return self.refuse(stream, detail, head, raw, None),
        };
        let length = head::value(&fields, b"content-length").is_some();
        request.version = Version::V20;
        request.fields = fields;
        request.raw = raw;
        let posts = matches!(request.method.as_str(), "POST" | "PUT");
        if self.manner.engine == Engine::HttpSys && end && posts && !length {
            let raw = request.raw.clone();
            return self.refuse(stream, Detail::NoLength, head, raw, Some(request));
        }
        // lighttpd notices at the end of a body that nobody told its length.
        let unmeasured = self.manner.engine == Engine::Lighttpd && !end && !length;
        if unmeasured || !end && self.site.reads_body(&request) {
            self.connection.body_wanted(stream);
            self.reading.insert(stream, request);
            return;
        }
        self.answer(stream, request);
    }

    fn data(&mut self, stream: u32, bytes: &[u8], end: bool) {
        let profile = self.site.profile();
        let request = match (self.reading.get_mut(&stream), self.late.get_mut(&stream)) {
            (Some(request), _) | (None, Some((request, _))) => request,
            (None, None) => return,
        };
        request.body_len += bytes.len() as u64;
        let room = profile.body_kept.saturating_sub(request.body.len()).min(bytes.len());
        request.body.extend_from_slice(&bytes[..room]);
        let too_large = request.body_len > profile.body_limit;
        if end {
            self.report_late(stream);
        }
        if !too_large && !end {
            return;
        }
        let Some(request) = self.reading.remove(&stream) else { return };
        let announced = request.field("content-length").and_then(|text| text.parse::<u64>().ok());
        let detail = match announced {
            _ if too_large => Detail::BodyTooLarge,
            Some(announced) if announced != request.body_len => Detail::BadLength,
            None if self.manner.engine == Engine::Lighttpd => Detail::NoLength,
            _ => return self.answer(stream, request),
        };
        let (head, raw) = (read_head(&request.fields), request.raw.clone());
        self.refuse(stream, detail, head, raw, Some(request));
    }

    fn answer(&mut self, stream: u32, request: Request) {
        let (site, session) = (self.site, self.session);
        self.answering.push(Box::pin(async move {
            let response = site.respond(&request, session).await;
            if !response.delay.is_zero() {
                tokio::time::sleep(response.delay).await;
            }
            (stream, request, response)
        }));
    }

    fn answered(&mut self, (stream, request, response): Answered) {
        let status = response.status;
        // Who is at its end, and who took the request back, has said everything.
        let unfinished = self.connection.is_unfinished(stream);
        self.respond(stream, &response, Some(&request));
        if !unfinished {
            self.site.report(&request, status, self.session);
            return;
        }
        if self.late.len() >= LATE
            && let Some((first, _)) = self.late.first_key_value()
        {
            self.report_late(*first);
        }
        self.late.insert(stream, (request, status));
    }

    fn respond(&mut self, stream: u32, response: &Response, request: Option<&Request>) {
        if response.http1_only {
            self.connection.reset(stream, HTTP_1_1_REQUIRED);
            return;
        }
        let now = self.session.host().clock.seconds();
        let (fields, body) = multiplexed(response, request, self.site.profile(), self.manner, now);
        self.connection.respond(stream, &fields, body);
        // keepalive_requests; the others do not count on a multiplexed connection.
        if self.manner.engine == Engine::Nginx && self.requests >= self.site.profile().keep_alive.requests {
            self.connection.drain();
        }
    }

    fn report_late(&mut self, stream: u32) {
        if let Some((request, status)) = self.late.remove(&stream) {
            self.site.report(&request, status, self.session);
        }
    }

    /// Answers what is no request as the product does.
    fn refuse(&mut self, stream: u32, detail: Detail, head: Head, raw: Vec<u8>, request: Option<Request>) {
        let fault = Fault { detail, head, arrival: self.arrival, request };
        let response = self.site.refuse(&fault, self.session);
        match (&fault.request, &response) {
            (Some(request), Some(response)) => self.site.report(request, response.status, self.session),
            _ => self.probe("malformed", &raw),
        }
        match response {
            Some(response) => self.respond(stream, &response, fault.request.as_ref()),
            None => self.connection.reset(stream, 1),
        }
    }

    /// What is worth an event when it is over.
    fn finish(&mut self) {
        for (_, request) in std::mem::take(&mut self.reading) {
            self.site.report(&request, 0, self.session);
        }
        for (_, (request, status)) in std::mem::take(&mut self.late) {
            self.site.report(&request, status, self.session);
        }
        if self.requests > 0 || self.mistakes > 0 {
            return;
        }
        let pending = self.connection.pending().to_vec();
        if self.connection.is_prefaced() {
            self.probe("handshake_only", frame::PREFACE);
        } else if !pending.is_empty() {
            self.probe(probe_kind(&pending), &pending);
        }
    }
}

/// The answers that are there; `waits`: at least one, however long it takes.
async fn ready(answering: &mut Vec<Answering<'_>>, waits: bool) -> Vec<Answered> {
    poll_fn(|context| {
        let mut done = Vec::new();
        let mut at = 0;
        while at < answering.len() {
            match answering[at].as_mut().poll(context) {
                Poll::Ready(answered) => {
                    done.push(answered);
                    // In order: those that were asked for first are answered first.
                    drop(answering.remove(at));
                }
                Poll::Pending => at += 1,
            }
        }
        if waits && done.is_empty() { Poll::Pending } else { Poll::Ready(done) }
    })
    .await
}

/// The head of HTTP/1.1 that the product's rules judge.
fn read_head(fields: &[Field]) -> Head {
    let limits = HeadLimits {
        request_line: usize::MAX,
        field_line: usize::MAX,
        fields: usize::MAX,
        total: usize::MAX,
    };
    let mut framer = Framer::default();
    framer.feed(&head::as_http1(fields));
    match framer.head(&limits, |_, _| LineVerdict::More) {
        Some(Ok(head) | Err((_, head))) => head,
        None => Head::default(),
    }
}

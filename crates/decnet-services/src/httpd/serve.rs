//! A connection: requests in, answers out, until the product or the client has enough.

use std::io;
use std::time::Duration;

use decnet_logging::event::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::framer::{BodyProgress, BodyReader, Framer, HeadFault};
use super::response::{State, encode};
use super::{Arrival, BrokenBody, Detail, Fault, Head, Request, Response, Site};
use crate::connection::Stream;
use crate::session::Session;
use crate::tls::Prefixed;

/// Most bytes that are read and thrown away after our side is closed.
const LINGER_BYTES: usize = 1024 * 1024;
/// Read at once.
const READ: usize = 8 * 1024;

/// Holds the conversation. Returning closes the connection.
///
/// # Errors
/// The connection broke, or was idle for longer than the product waits.
pub async fn serve(
    stream: Box<dyn Stream>,
    session: &Session,
    site: &dyn Site,
    arrival: Arrival,
) -> io::Result<()> {
    let mut talk = Talk { stream, session, site, arrival, framer: Framer::default(), served: 0 };
    while talk.exchange().await? {}
    Ok(())
}

struct Talk<'a> {
    stream: Box<dyn Stream>,
    session: &'a Session,
    site: &'a dyn Site,
    arrival: Arrival,
    framer: Framer,
    served: u32,
}

/// What reading a head came to.
enum Incoming {
    Head(Head),
    Fault(HeadFault, Head),
    Late(Head),
    Gone,
}

impl Talk<'_> {
    /// One request and its answer; whether another one may follow.
    async fn exchange(&mut self) -> io::Result<bool> {
        let head = match self.head().await? {
            Incoming::Head(head) => head,
            Incoming::Gone => return Ok(false),
            Incoming::Late(head) => {
                self.refuse(Detail::Timeout, head, None).await?;
                return Err(io::ErrorKind::TimedOut.into());
            }
            Incoming::Fault(fault, head) => {
                let detail = match fault {
                    HeadFault::Line => Detail::BadLine,
                    HeadFault::LineTooLong => Detail::LineTooLong,
                    HeadFault::FieldTooLong => Detail::FieldTooLong,
                    HeadFault::TooManyFields => Detail::TooManyFields,
                    HeadFault::TooLong => Detail::HeadTooLong,
                };
                // What the line itself is wrong in, the product knows better.
                let detail = match (fault, self.site.accept(&head, self.arrival)) {
                    (HeadFault::Line, Err(better)) => better,
                    _ => detail,
                };
                return self.refuse(detail, head, None).await;
            }
        };
        let mut request = match self.site.accept(&head, self.arrival) {
            Ok(request) => request,
            Err(detail) => return self.refuse(detail, head, None).await,
        };
        let profile = self.site.profile();
        let mut body = BodyReader::new(request.body_length, profile.body_kept);
        let mut progress = self.framer.body(&mut body);
        let reads_first = self.site.reads_body(&request);
        if reads_first && progress == BodyProgress::More {
            if request.expects_continue {
                self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
                self.stream.flush().await?;
            }
            progress = self.body(&mut body).await?;
            if progress == BodyProgress::More {
                // The client left, or took too long, in the middle of its body.
                (request.body, request.body_len) = body.into_parts();
                self.site.report(&request, 0, self.session);
                return Ok(false);
            }
        }
        if body.received() > profile.body_limit {
            (request.body, request.body_len) = body.into_parts();
            return self.refuse(Detail::BodyTooLarge, head, Some(request)).await;
        }
        if progress == BodyProgress::Broken && profile.broken_body == BrokenBody::Refuse {
            (request.body, request.body_len) = body.into_parts();
            return self.refuse(Detail::BadChunk, head, Some(request)).await;
        }
        request.body = body.kept().to_vec();
        request.body_len = body.received();
        let mut response = self.site.respond(&request, self.session).await;
        if progress == BodyProgress::Broken {
            response = response.closing();
        }
        let status = response.status;
        if !response.delay.is_zero() {
            tokio::time::sleep(response.delay).await;
        }
        let takeover = response.takeover.take();
        let keep = self.send(&response, Some(&request)).await?;
        if progress == BodyProgress::More {
            progress = self.body(&mut body).await?;
            (request.body, request.body_len) = body.into_parts();
        }
        self.site.report(&request, status, self.session);
        self.served += 1;
        if let Some(takeover) = takeover {
            let (empty, _) = tokio::io::duplex(1);
            let stream = std::mem::replace(&mut self.stream, Box::new(empty));
            takeover(Prefixed::new(self.framer.pending().to_vec(), stream)).await?;
            return Ok(false);
        }
        if !keep || progress != BodyProgress::Done {
            self.stream.linger(self.site.profile().linger).await;
            return Ok(false);
        }
        Ok(true)
    }

    async fn head(&mut self) -> io::Result<Incoming> {
        let profile = self.site.profile();
        let first = self.served == 0;
        let mut deadline =
            Instant::now() + if first { profile.head_timeout } else { profile.keep_alive.idle };
        let mut began = first || !self.framer.is_empty();
        let site = self.site;
        loop {
            match self.framer.head(&profile.head, |line, complete| site.judge_line(line, complete)) {
                Some(Ok(head)) => return Ok(Incoming::Head(head)),
                Some(Err((fault, head))) => return Ok(Incoming::Fault(fault, head)),
                None => {}
            }
            if !began && !self.framer.is_empty() {
                began = true;
                deadline = Instant::now() + profile.head_timeout;
            }
            match timeout_at(deadline, self.read()).await {
                Ok(read) => {
                    if read? == 0 {
                        self.unfinished();
                        return Ok(Incoming::Gone);
                    }
                }
                Err(_) if self.framer.is_empty() => return Err(io::ErrorKind::TimedOut.into()),
                Err(_) => {
                    let mut whole = Framer::default();
                    std::mem::swap(&mut whole, &mut self.framer);
                    let limits =
                        super::HeadLimits { total: 0, request_line: 0, field_line: 0, ..profile.head };
                    let head = match whole.head(&limits, |_, _| super::LineVerdict::More) {
                        Some(Ok(head) | Err((_, head))) => head,
                        None => Head::default(),
                    };
                    return Ok(Incoming::Late(head));
                }
            }
        }
    }

    /// Bytes that never became a request are worth an event.
    fn unfinished(&self) {
        let pending = self.framer.pending();
        if !pending.is_empty() {
            self.session.emit_raw(Body::ScanProbe { kind: probe_kind(pending).to_owned() }, pending);
        }
    }

    async fn body(&mut self, body: &mut BodyReader) -> io::Result<BodyProgress> {
        let profile = self.site.profile();
        loop {
            match self.framer.body(body) {
                BodyProgress::More if body.received() > profile.body_limit => return Ok(BodyProgress::Done),
                BodyProgress::More => {}
                progress => return Ok(progress),
            }
            match timeout(profile.body_timeout, self.read()).await {
                Ok(read) => {
                    if read? == 0 {
                        return Ok(BodyProgress::More);
                    }
                }
                Err(_) => return Ok(BodyProgress::More),
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        let mut buffer = [0u8; READ];
        let read = self.stream.read(&mut buffer).await?;
        self.framer.feed(&buffer[..read]);
        Ok(read)
    }

    /// Answers what is no request as the product does; never keeps the connection.
    async fn refuse(&mut self, detail: Detail, head: Head, request: Option<Request>) -> io::Result<bool> {
        let raw = head.raw().to_vec();
        let fault = Fault { detail, head, arrival: self.arrival, request };
        let response = self.site.refuse(&fault, self.session);
        match (&fault.request, &response) {
            (Some(request), Some(response)) => self.site.report(request, response.status, self.session),
            _ => {
                let kind = match fault.detail {
                    Detail::PlainOnTls => "wrong_protocol",
                    _ => probe_kind(&raw),
                };
                self.session.emit_raw(Body::ScanProbe { kind: kind.to_owned() }, &raw);
            }
        }
        if let Some(response) = response {
            let request = fault.request.as_ref();
            self.send(&response, request).await?;
            if response.half_open {
                self.stream.drain(self.site.profile().linger).await;
            }
        }
        self.stream.linger(self.site.profile().linger).await;
        Ok(false)
    }

    async fn send(&mut self, response: &Response, request: Option<&Request>) -> io::Result<bool> {
        let state = State { served: self.served, now: self.session.host().clock.seconds() };
        let (bytes, keep) = encode(response, request, self.site.profile(), state);
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await?;
        Ok(keep)
    }
}

/// The end of a connection.
pub(super) trait Tail {
    /// Closes our side and reads on for a moment: unread bytes would turn the close into a reset that
    /// takes the answer with it.
    async fn linger(&mut self, wait: Duration);

    /// Reads what comes and throws it away, for a moment.
    async fn drain(&mut self, wait: Duration);
}

impl Tail for Box<dyn Stream> {
    async fn linger(&mut self, wait: Duration) {
        if self.shutdown().await.is_err() {
            return;
        }
        self.drain(wait).await;
    }

    async fn drain(&mut self, wait: Duration) {
        let drain = async {
            let mut buffer = [0u8; READ];
            let mut total = 0;
            while let Ok(read) = self.read(&mut buffer).await {
                total += read;
                if read == 0 || total > LINGER_BYTES {
                    return;
                }
            }
        };
        // Whether it ended by itself makes no difference.
        let _ = timeout(wait, drain).await;
    }
}

/// What kind of bytes these are, for `scan.probe`.
pub(super) fn probe_kind(bytes: &[u8]) -> &'static str {
    let starts = |prefixes: &[&[u8]]| prefixes.iter().any(|prefix| bytes.starts_with(prefix));
    if starts(&[
        b"\x16\x03",
        b"SSH-",
        b"EHLO",
        b"HELO",
        b"USER ",
        b"\x03\x00\x00",
        b"\x00\x00\x00",
        b"*1\r\n",
        b"\xff\xfb",
        b"\xff\xfd",
        b"RFB ",
        b"JRMI",
        b"GIOP",
        b"MGLNDD",
    ]) || [&b" RTSP/"[..], b" SIP/"].iter().any(|mark| bytes.windows(mark.len()).any(|part| part == *mark))
    {
        "wrong_protocol"
    } else {
        "malformed"
    }
}

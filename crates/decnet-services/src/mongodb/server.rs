//! The conversation.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decnet_logging::event::{Body, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::codec::compress::UnpackError;
use super::codec::message::{Answer, Ask, EXHAUST, Framer, MORE_TO_COME, MessageError, collection};
use super::codec::{Document, Value};
use super::commands::{Call, Client, State};
use super::fault::Fault;
use super::persona::Persona;
use crate::connection::Connection;
use crate::host::Host;
use crate::server::{BuildError, Conversation, Server};
use crate::session::Session;

/// Bytes that one connection may send.
const CONNECTION_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of one message before a login, and after.
const MESSAGE: (usize, usize) = (1024 * 1024, 16 * 1024 * 1024);
/// Bytes of unfinished messages over all connections.
const BUFFERED: usize = 32 * 1024 * 1024;
/// How long a client may be silent; the product waits for ever.
const IDLE: Duration = Duration::from_secs(1800);
/// How long a client may refuse to read.
const WRITE: Duration = Duration::from_secs(60);
/// How long a `hello` may wait for a change.
const AWAIT: u64 = 60_000;
/// Bytes of a statement in an event; all of it is in the raw bytes.
const STATEMENT: usize = 4096;

/// Makes the server of a decky.
///
/// # Errors
/// A persona value that cannot be used.
pub(crate) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    Ok(Box::new(MongoDb {
        persona: Arc::new(Persona::new(host)?),
        host: Arc::clone(host),
        state: Mutex::new(None),
        buffered: AtomicUsize::new(0),
    }))
}

struct MongoDb {
    host: Arc<Host>,
    persona: Arc<Persona>,
    /// Made when the first connection comes.
    state: Mutex<Option<State>>,
    buffered: AtomicUsize,
}

/// A connection's place; leaving gives it back.
struct Seat<'a> {
    server: &'a MongoDb,
    held: usize,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.server.buffered.fetch_sub(self.held, Ordering::Relaxed);
        if let Some(state) = self.server.lock().as_mut() {
            state.counters.connections -= 1;
        }
    }
}

/// What a connection has been up to.
#[derive(Default)]
struct Record {
    requests: u64,
    worked: bool,
    started: bool,
    broken: bool,
}

/// What follows an answer.
struct Turn {
    answer: Option<Answer>,
    /// Wait, answer, and again, as long as the client listens.
    stream: Option<Duration>,
    wait: Option<Duration>,
}

impl MongoDb {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A panic under the lock ends that conversation alone; every command leaves the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the state, which is made first where it is not, and begun anew where the machine
    /// was restarted: with what it held, as the disk keeps it.
    fn with<T>(&self, port: u16, run: impl FnOnce(&mut State) -> T) -> T {
        let mut slot = self.lock();
        let now = self.host.clock.seconds();
        let start = (self.host.identity().booted_at(now) + self.persona.start_delay).min(now - 1) * 1_000_000;
        let state = match slot.take() {
            Some(mut old) if start > old.started + 1_000_000 => {
                let mut new = State::new(&self.host, &self.persona, port, start);
                std::mem::swap(&mut new.store, &mut old.store);
                new.counters.connections = old.counters.connections;
                new
            }
            Some(state) => state,
            None => State::new(&self.host, &self.persona, port, start),
        };
        run(slot.insert(state))
    }

    async fn converse(&self, mut connection: Connection) -> io::Result<()> {
        connection.allow(CONNECTION_BYTES);
        let session = connection.session().clone();
        let port = connection.port().number;
        let mut client = self.with(port, |state| {
            state.counters.connections += 1;
            state.counters.created += 1;
            state.next_connection = state.next_connection.wrapping_add(1);
            Client::new(state.next_connection, shown(session.source()))
        });
        let mut seat = Seat { server: self, held: 0 };
        let mut framer = Framer::default();
        let mut record = Record::default();
        let result = self
            .serve(&mut connection, &session, port, &mut seat, &mut framer, &mut client, &mut record)
            .await;
        if !record.broken && connection.traffic().received() > 0 {
            if record.requests == 0 {
                session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, framer.rest());
            } else if !record.worked {
                session.emit(Body::ScanProbe { kind: "handshake_only".to_owned() });
            }
        }
        drop(seat);
        result?;
        connection.shutdown().await
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one conversation")]
    async fn serve(
        &self,
        connection: &mut Connection,
        session: &Session,
        port: u16,
        seat: &mut Seat<'_>,
        framer: &mut Framer,
        client: &mut Client,
        record: &mut Record,
    ) -> io::Result<()> {
        let mut buffer = vec![0u8; 16 * 1024];
        let mut next_id = 1i32;
        loop {
            let bound = if self.persona.auth && client.user.is_none() { MESSAGE.0 } else { MESSAGE.1 };
            while let Some(frame) = framer.next(bound) {
                let length = frame.raw.len() as i64;
                let request = match frame.request {
                    Ok(request) => request,
                    Err((id, error)) => {
                        record.broken = true;
                        return self.broken(connection, session, &frame.raw, id, error).await;
                    }
                };
                record.requests += 1;
                let (id, compressor) = (request.id, request.compressor);
                let turn = self.with(port, |state| {
                    state.counters.requests += 1;
                    state.counters.bytes_in += length;
                    carry_out(state, client, session, request.ask, &frame.raw, record)
                });
                let Some(answer) = turn.answer else { continue };
                if let Some(wait) = turn.wait {
                    sleep(wait).await;
                }
                let bytes = answer.bytes(next_id, id, compressor);
                self.write(connection, port, &bytes).await?;
                let mut last = next_id;
                next_id = next_id.wrapping_add(1);
                // A client that takes several answers is told again and again that nothing has changed.
                if let (Some(every), Answer::Message { body, .. }) = (turn.stream, answer) {
                    let mut byte = [0u8; 1];
                    loop {
                        match timeout(every, connection.read(&mut byte)).await {
                            Ok(read) => {
                                if read? == 0 {
                                    return Ok(());
                                }
                                framer.push(&byte);
                                break;
                            }
                            Err(_) => {
                                let mut body = body.clone();
                                body.set("localTime", Value::Date(self.host.clock.micros().div_euclid(1000)));
                                let answer = Answer::Message { flags: MORE_TO_COME, body };
                                let bytes = answer.bytes(next_id, last, compressor);
                                self.write(connection, port, &bytes).await?;
                                last = next_id;
                                next_id = next_id.wrapping_add(1);
                            }
                        }
                    }
                }
            }
            self.account(seat, framer, session)?;
            let read = timeout(IDLE, connection.read(&mut buffer)).await;
            match read.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?? {
                0 => return Ok(()),
                read => framer.push(&buffer[..read]),
            }
        }
    }

    /// Answers bytes that are no message.
    async fn broken(
        &self,
        connection: &mut Connection,
        session: &Session,
        raw: &[u8],
        id: i32,
        error: MessageError,
    ) -> io::Result<()> {
        match error {
            MessageError::Length(_) if raw.starts_with(b"GET ") => {
                session.emit_raw(Body::ScanProbe { kind: "wrong_protocol".to_owned() }, raw);
                let text =
                    "It looks like you are trying to access MongoDB over HTTP on the native driver port.";
                let end = if self.persona.since(3, 6) { "\r\n" } else { "\n" };
                let old = "You are trying to access MongoDB on the native driver port. For http diagnostic access, add 1000 to the port number\n";
                let body = if self.persona.since(2, 6) { format!("{text}{end}") } else { old.to_owned() };
                let answer = format!(
                    "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                connection.write_all(answer.as_bytes()).await?;
            }
            // The beginning of TLS reads as a length that a message may have.
            MessageError::TooLong(length) if !is_foreign(raw) => {
                session.emit(Body::LimitReached { limit: "message bytes".to_owned(), count: length as u64 });
            }
            MessageError::Unpack(UnpackError::Length { claimed, real }) if claimed > real => {
                session.emit_raw(
                    Body::ExploitAttempt { name: "CVE-2025-14847".to_owned(), confidence: 80 },
                    raw,
                );
            }
            MessageError::Bson(_) => {
                session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, raw);
                let body = Fault::new(22, "invalid bson").answer(self.persona.release);
                let answer = Answer::Message { flags: 0, body }.bytes(1, id, None);
                connection.write_all(&answer).await?;
            }
            _ => {
                let kind = if is_foreign(raw) { "wrong_protocol" } else { "malformed" };
                session.emit_raw(Body::ScanProbe { kind: kind.to_owned() }, raw);
            }
        }
        connection.flush().await
    }

    /// Counts what this connection holds of unfinished messages; over the decky's bound it is closed.
    fn account(&self, seat: &mut Seat<'_>, framer: &Framer, session: &Session) -> io::Result<()> {
        let held = framer.held();
        self.buffered.fetch_add(held, Ordering::Relaxed);
        let all = self.buffered.fetch_sub(seat.held, Ordering::Relaxed) - seat.held;
        seat.held = held;
        if held > 0 && all > BUFFERED {
            session.emit(Body::LimitReached { limit: "buffered bytes".to_owned(), count: all as u64 });
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }

    async fn write(&self, connection: &mut Connection, port: u16, bytes: &[u8]) -> io::Result<()> {
        self.with(port, |state| state.counters.bytes_out += bytes.len() as i64);
        let write = async {
            connection.write_all(bytes).await?;
            connection.flush().await
        };
        timeout(WRITE, write).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// Carries one request out and reports it.
fn carry_out(
    state: &mut State,
    client: &mut Client,
    session: &Session,
    ask: Ask,
    raw: &[u8],
    record: &mut Record,
) -> Turn {
    let plain = |answer| Turn { answer, stream: None, wait: None };
    match ask {
        Ask::Command { flags, body } => {
            let database = body.text("$db").map(str::to_owned);
            let answer = match &database {
                Some(database) => command(state, client, session, database, &body, raw, record),
                None => {
                    Fault::new(40571, "OP_MSG requests require a $db argument").answer(state.persona.release)
                }
            };
            if flags & MORE_TO_COME != 0 {
                return plain(None);
            }
            let name = body.0.first().map_or("", |(name, _)| name.as_str());
            let waits = matches!(name, "hello" | "isMaster" | "ismaster")
                && body
                    .document("topologyVersion")
                    .is_some_and(|version| version.get("processId") == Some(&Value::ObjectId(state.process)))
                && answer.truth("ok");
            let wait = body.number("maxAwaitTimeMS").and_then(|ms| u64::try_from(ms).ok()).filter(|_| waits);
            let wait = wait.map(|ms| Duration::from_millis(ms.clamp(1, AWAIT)));
            let stream = wait.filter(|_| flags & EXHAUST != 0);
            let flags = if stream.is_some() { MORE_TO_COME } else { 0 };
            Turn { answer: Some(Answer::Message { flags, body: answer }), stream, wait }
        }
        Ask::Query { namespace, skip, count, query, fields } => {
            let database = namespace.split('.').next().unwrap_or("").to_owned();
            let reply = |documents| Answer::Reply { flags: 8, cursor: 0, start: 0, documents };
            if collection(&namespace) == "$cmd" {
                let inner = match query.document("$query").or(query.document("query")) {
                    Some(inner) => inner.clone(),
                    None => query,
                };
                let name = inner.0.first().map_or("", |(name, _)| name.as_str()).to_owned();
                const ALLOWED: &[&str] = &[
                    "hello",
                    "isMaster",
                    "ismaster",
                    "_isSelf",
                    "authenticate",
                    "buildinfo",
                    "buildInfo",
                    "saslContinue",
                    "saslStart",
                ];
                if state.persona.since(5, 1) && !ALLOWED.contains(&name.as_str()) {
                    record.worked = true;
                    report(session, &inner, &database, Outcome::Failed, 0, raw);
                    let fault = Fault::new(
                        352,
                        format!(
                            "Unsupported OP_QUERY command: {name}. The client driver may require an upgrade. For more details see https://dochub.mongodb.org/core/legacy-opcode-removal"
                        ),
                    );
                    return plain(Some(reply(vec![fault.answer(state.persona.release)])));
                }
                state.counters.deprecated += 1;
                let answer = command(state, client, session, &database, &inner, raw, record);
                return plain(Some(reply(vec![answer])));
            }
            if state.persona.since(5, 1) {
                report(session, &query, &database, Outcome::Failed, 0, raw);
                let fault = Document::new()
                    .with("$err", "Unsupported OP_QUERY command: find. The client driver may require an upgrade. For more details see https://dochub.mongodb.org/core/legacy-opcode-removal")
                    .with("code", 352);
                return plain(Some(Answer::Reply { flags: 10, cursor: 0, start: 0, documents: vec![fault] }));
            }
            let mut find = Document::new()
                .with("find", collection(&namespace))
                .with("filter", query.document("$query").cloned().unwrap_or(query))
                .with("skip", skip.max(0));
            if count != 0 {
                find.push(if count < 0 { "limit" } else { "batchSize" }, count.saturating_abs());
            }
            if let Some(fields) = fields {
                find.push("projection", fields);
            }
            let answer = command(state, client, session, &database, &find, raw, record);
            plain(Some(legacy(&answer, "firstBatch")))
        }
        Ask::GetMore { namespace, count, cursor } => {
            let database = namespace.split('.').next().unwrap_or("").to_owned();
            let body = Document::new()
                .with("getMore", cursor)
                .with("collection", collection(&namespace))
                .with("batchSize", count.max(0));
            let answer = command(state, client, session, &database, &body, raw, record);
            plain(Some(legacy(&answer, "nextBatch")))
        }
        Ask::Write { namespace, command: body } => {
            if !state.persona.since(5, 1) {
                let database = namespace.split('.').next().unwrap_or("").to_owned();
                command(state, client, session, &database, &body, raw, record);
            }
            plain(None)
        }
        Ask::KillCursors(cursors) => {
            if !state.needs_login(client) {
                for id in cursors {
                    let body =
                        Document::new().with("killCursors", "$cmd").with("cursors", vec![Value::Long(id)]);
                    let _ =
                        state.execute(client, &Call { name: "killCursors", database: "admin", body: &body });
                }
            }
            plain(None)
        }
        Ask::Unknown(opcode) => {
            record.broken = true;
            session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, raw);
            let _ = opcode;
            plain(None)
        }
    }
}

/// The answer of a command as an answer to a legacy query.
fn legacy(answer: &Document, batch: &str) -> Answer {
    let Some(cursor) = answer.document("cursor") else {
        let fault = Document::new()
            .with("$err", answer.text("errmsg").unwrap_or(""))
            .with("code", i32::try_from(answer.number("code").unwrap_or(0)).unwrap_or(0));
        return Answer::Reply { flags: 10, cursor: 0, start: 0, documents: vec![fault] };
    };
    let documents = cursor.array(batch).unwrap_or_default().iter().filter_map(|value| match value {
        Value::Document(document) => Some(document.clone()),
        _ => None,
    });
    Answer::Reply {
        flags: 8,
        cursor: cursor.number("id").unwrap_or(0),
        start: 0,
        documents: documents.collect(),
    }
}

/// Runs a command, reports it, and completes its answer.
fn command(
    state: &mut State,
    client: &mut Client,
    session: &Session,
    database: &str,
    body: &Document,
    raw: &[u8],
    record: &mut Record,
) -> Document {
    let began = state.host.clock.micros();
    let name = body.0.first().map_or("", |(name, _)| name.as_str());
    state.counters.command += 1;
    client.rows = 0;
    let result = state.execute(client, &Call { name, database, body });
    let outcome = match &result {
        Ok(answer) if answer.get("writeErrors").is_none() => Outcome::Accepted,
        _ => Outcome::Failed,
    };
    let spent = (state.host.clock.micros() - began).clamp(20, 1_000_000);
    match name {
        "find" | "aggregate" | "count" | "distinct" | "getMore" => {
            state.counters.reads += 1;
            state.counters.read_micros += spent;
        }
        "insert" | "update" | "delete" | "findAndModify" | "findandmodify" => {
            state.counters.writes += 1;
            state.counters.write_micros += spent;
        }
        _ => {}
    }
    let greeting = matches!(
        name,
        "hello"
            | "isMaster"
            | "ismaster"
            | "ping"
            | "buildInfo"
            | "buildinfo"
            | "endSessions"
            | "saslStart"
            | "saslContinue"
            | "getnonce"
            | "authenticate"
            | "whatsmyuri"
    );
    if !greeting {
        record.worked = true;
        if outcome == Outcome::Accepted && !state.persona.auth && !record.started {
            record.started = true;
            session.emit(Body::SessionStarted { username: String::new(), privilege: "root".to_owned() });
        }
    }
    // The exchanges of a login are told by their end, with the credential; heartbeats are not told.
    let login = matches!(name, "saslStart" | "saslContinue" | "getnonce" | "authenticate");
    let heartbeat = greeting && client.metadata.is_none() && record.requests > 1;
    if !login && !heartbeat {
        report(session, body, database, outcome, client.rows, raw);
    }
    for (event, bytes) in std::mem::take(&mut client.notes) {
        match (event, bytes) {
            (Body::FileUpload { name, .. }, Some(bytes)) => session.upload(&name, &bytes),
            (event @ Body::AuthAttempt { .. }, None) => {
                record.worked = true;
                session.emit_raw(event, raw);
            }
            (event, Some(bytes)) => session.emit_raw(event, &bytes),
            (event, None) => session.emit(event),
        }
    }
    let mut answer = match result {
        Ok(answer) => answer.with("ok", 1.0),
        Err(fault) => {
            state.counters.user_asserts += 1;
            fault.answer(state.persona.release)
        }
    };
    if state.persona.replset.is_some() && state.persona.since(3, 6) {
        let seconds = u64::try_from(state.host.clock.seconds()).unwrap_or(0);
        let stamp = Value::Timestamp((seconds - seconds % 10) << 32 | 1);
        let signature = Document::new().with("hash", Value::Binary(0, vec![0; 20])).with("keyId", 0i64);
        answer.push(
            "$clusterTime",
            Document::new().with("clusterTime", stamp.clone()).with("signature", signature),
        );
        answer.push("operationTime", stamp);
    }
    answer
}

/// Whether bytes are the beginning of TLS, SSH, HTTP or RDP.
fn is_foreign(raw: &[u8]) -> bool {
    [&b"\x16\x03"[..], b"SSH-", b"OPTIONS", b"HEAD ", b"POST ", b"\x03\x00\x00"]
        .iter()
        .any(|start| raw.starts_with(start))
}

fn report(session: &Session, body: &Document, database: &str, outcome: Outcome, rows: u64, raw: &[u8]) {
    const NOISE: &[&str] =
        &["lsid", "$db", "$clusterTime", "$readPreference", "client", "speculativeAuthenticate"];
    let told = Document(body.0.iter().filter(|(name, _)| !NOISE.contains(&name.as_str())).cloned().collect());
    let statement = told.json(STATEMENT);
    let database = Some(database.to_owned());
    session.emit_raw(Body::Query { statement, database, outcome, rows }, raw);
}

fn shown(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => format!("{mapped}:{}", address.port()),
            None => format!("[{ip}]:{}", address.port()),
        },
        IpAddr::V4(ip) => format!("{ip}:{}", address.port()),
    }
}

impl Server for MongoDb {
    fn product(&self) -> String {
        format!("mongodb/{}", self.persona.version)
    }

    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        Box::pin(self.converse(connection))
    }
}

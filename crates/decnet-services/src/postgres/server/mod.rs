//! The conversation.

mod authenticate;
mod extended;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use decnet_logging::event::{Body, Credential, Direction, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::codec::reply::{Fault, Field, Replies};
use super::codec::{
    AUTHENTICATION_LIMIT, Bind, MESSAGE_LIMIT, Message, Opening, Startup, Wrong, message, message_length,
    opening, opening_length,
};
use super::persona::{Method, Persona};
use super::product::Note;
use super::run::{CopyIn, Done, Plan, Ran, Refused, Talk, Transaction, plan, shortened, split};
use super::state::{Backend, CONNECTIONS, State};
use super::{errors, format, login, settings};
use crate::connection::{Connection, Stream};
use crate::host::Host;
use crate::scram;
use crate::server::{BuildError, Conversation, Server};
use crate::session::Session;
use crate::sql::Value;
use crate::tls::{Endpoint, Habit, Settings};

/// Bytes that one connection may send: dumps that are loaded, large objects.
const CONNECTION_BYTES: u64 = 32 * 1024 * 1024;
/// `authentication_timeout`.
const AUTHENTICATION: Duration = Duration::from_secs(60);
/// How long a client that is in may be silent: our bound, the product has none.
const IDLE: Duration = Duration::from_secs(1800);
/// How long a client may refuse to read.
const WRITE: Duration = Duration::from_secs(60);
/// The longest sleep that is kept.
const SLEEP: Duration = Duration::from_secs(300);
/// Prepared statements and portals of one connection.
const NAMED_LIMIT: usize = 500;
/// Bytes of COPY data that one statement takes.
const COPY_LIMIT: usize = 8 * 1024 * 1024;
/// Bytes of a statement in an event.
const STATEMENT_LIMIT: usize = 8 * 1024;

/// Makes the server of a decky.
///
/// # Errors
/// A persona value that cannot be used.
pub(crate) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    Ok(Box::new(Postgres {
        persona: Persona::new(host)?,
        host: Arc::clone(host),
        state: Mutex::new(None),
        tls: OnceLock::new(),
    }))
}

struct Postgres {
    host: Arc<Host>,
    persona: Persona,
    /// Made when the first connection comes.
    state: Mutex<Option<State>>,
    tls: OnceLock<Endpoint>,
}

/// A connection's place among the processes; leaving takes it out.
struct Seat<'a> {
    server: &'a Postgres,
    process: u32,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.server.with(|state| state.backends.remove(&self.process));
    }
}

/// A statement of Parse.
#[derive(Clone)]
struct Prepared {
    text: String,
    plan: Plan,
    types: Vec<u32>,
}

/// A portal: a statement with its parameters, and what is left of its rows.
struct Portal {
    prepared: Prepared,
    values: Vec<Value>,
    results: Vec<u16>,
    rest: Option<(Vec<Field>, Vec<Vec<Value>>)>,
}

/// A client that is in.
struct Line {
    stream: Box<dyn Stream>,
    session: Session,
    talk: Talk,
    statements: BTreeMap<Vec<u8>, Prepared>,
    portals: BTreeMap<Vec<u8>, Portal>,
    out: Replies,
}

/// What the loop does after a message.
enum Next {
    Go,
    End,
}

impl Postgres {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A panic under the lock is caught above and ends that conversation; statements leave the state whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, run: impl FnOnce(&mut State) -> T) -> T {
        let mut slot = self.lock();
        run(slot.get_or_insert_with(|| State::new(&self.host, &self.persona)))
    }

    fn endpoint(&self) -> &Endpoint {
        self.tls.get_or_init(|| {
            Endpoint::new(Settings {
                habit: Habit::of_system(self.host.identity()),
                alpn: if self.persona.release.since(17) { vec!["postgresql"] } else { Vec::new() },
                alpn_strict: false,
                timeout: AUTHENTICATION,
            })
        })
    }

    /// A fault of the startup, whose file moved in 17.
    fn fatal(&self, code: &str, text: impl Into<String>) -> Fault {
        let mut fault = errors::fault("FATAL", code, text);
        let directory = if fault.source.0.starts_with("auth") { "libpq" } else { "postmaster" };
        if self.persona.release.since(17) && fault.source.0 == "postmaster.c" {
            fault.source.0 = "backend_startup.c".to_owned();
        }
        fault.source.0 = self.persona.file(&fault.source.0, directory);
        fault
    }

    fn old(&self) -> bool {
        (self.persona.release.0, self.persona.release.1) < (9, 6)
    }

    async fn send(&self, stream: &mut dyn Stream, replies: &mut Replies) -> io::Result<()> {
        let bytes = std::mem::take(&mut replies.0);
        if bytes.is_empty() {
            return Ok(());
        }
        timeout(WRITE, async {
            stream.write_all(&bytes).await?;
            stream.flush().await
        })
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn refuse(&self, stream: &mut dyn Stream, fault: &Fault) -> io::Result<()> {
        let mut out = Replies::default();
        out.fault(fault, self.old());
        self.send(stream, &mut out).await?;
        stream.shutdown().await
    }

    async fn converse(&self, mut connection: Connection) -> io::Result<()> {
        connection.allow(CONNECTION_BYTES);
        let session = connection.session().clone();
        let stream: Box<dyn Stream> = Box::new(connection);
        match timeout(AUTHENTICATION, self.begin(stream, &session)).await {
            Ok(Ok(Some((stream, startup, end_point)))) => {
                self.enter(stream, &session, startup, end_point).await
            }
            Ok(Ok(None)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Up to a startup message that is one.
    async fn begin(
        &self,
        mut stream: Box<dyn Stream>,
        session: &Session,
    ) -> io::Result<Option<(Box<dyn Stream>, Startup, Option<Vec<u8>>)>> {
        let mut end_point = None;
        let mut asked = false;
        loop {
            let mut head = [0u8; 4];
            let mut got = 0;
            while got < 4 {
                let read = stream.read(&mut head[got..]).await?;
                if read == 0 {
                    if got > 0 {
                        session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &head[..got]);
                    } else if asked {
                        session.emit(Body::ScanProbe { kind: "handshake_only".to_owned() });
                    }
                    return Ok(None);
                }
                got += read;
            }
            let Ok(length) = opening_length(head) else {
                let mut raw = head.to_vec();
                let mut more = [0u8; 1024];
                if let Ok(Ok(read)) = timeout(Duration::from_millis(50), stream.read(&mut more)).await {
                    raw.extend_from_slice(&more[..read]);
                }
                let kind = if raw.starts_with(b"\x16\x03") || raw.is_ascii() {
                    "wrong_protocol"
                } else {
                    "malformed"
                };
                session.emit_raw(Body::ScanProbe { kind: kind.to_owned() }, &raw);
                stream.shutdown().await?;
                return Ok(None);
            };
            let mut body = vec![0u8; length - 4];
            stream.read_exact(&mut body).await?;
            match opening(&body) {
                Some(Opening::Ssl) => {
                    asked = true;
                    if !self.persona.tls || end_point.is_some() {
                        stream.write_all(b"N").await?;
                        stream.flush().await?;
                        continue;
                    }
                    stream.write_all(b"S").await?;
                    stream.flush().await?;
                    let Some(established) = self.endpoint().upgrade(stream, session).await? else {
                        return Ok(None);
                    };
                    end_point = Some(established.end_point);
                    stream = established.stream;
                }
                Some(Opening::Gss) => {
                    asked = true;
                    stream.write_all(if self.persona.gss { b"G" } else { b"N" }).await?;
                    stream.flush().await?;
                    if self.persona.gss {
                        // There is no key for the client's token: the product closes.
                        let mut token = [0u8; 2048];
                        let _ = stream.read(&mut token).await?;
                        stream.shutdown().await?;
                        return Ok(None);
                    }
                }
                Some(Opening::Cancel { process, .. }) => {
                    session.emit_raw(
                        Body::Command {
                            command: "cancel".to_owned(),
                            line: process.to_string(),
                            outcome: Outcome::Failed,
                        },
                        &body,
                    );
                    stream.shutdown().await?;
                    return Ok(None);
                }
                Some(Opening::Startup(startup)) => {
                    if let Some(fault) = self.startup_fault(&startup) {
                        session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &body);
                        if startup.version.0 < 3 {
                            let text = format!("E{}:  {}\n\0", fault.severity, fault.message);
                            stream.write_all(text.as_bytes()).await?;
                            stream.shutdown().await?;
                        } else {
                            self.refuse(&mut *stream, &fault).await?;
                        }
                        return Ok(None);
                    }
                    return Ok(Some((stream, startup, end_point)));
                }
                None => return Ok(None),
            }
        }
    }

    /// What is wrong with a startup message.
    fn startup_fault(&self, startup: &Startup) -> Option<Fault> {
        let (major, minor) = startup.version;
        if major != 3 {
            let mut fault = self.fatal(
                "0A000",
                format!(
                    "unsupported frontend protocol {major}.{minor}: server supports {}",
                    self.persona.protocols()
                ),
            );
            let file = if self.persona.release.since(17) { "backend_startup.c" } else { "postmaster.c" };
            fault.source = (self.persona.file(file, "postmaster"), self.persona.line, "ProcessStartupPacket");
            return Some(fault);
        }
        if !startup.whole {
            return Some(
                self.fatal("08P01", "invalid startup packet layout: expected terminator as last byte"),
            );
        }
        if startup.get("user").is_none_or(<[u8]>::is_empty) {
            return Some(self.fatal("28000", "no PostgreSQL user name specified in startup packet"));
        }
        None
    }

    async fn enter(
        &self,
        mut stream: Box<dyn Stream>,
        session: &Session,
        startup: Startup,
        end_point: Option<Vec<u8>>,
    ) -> io::Result<()> {
        let text = |name: &str| startup.get(name).map(|value| String::from_utf8_lossy(value).into_owned());
        // NAMEDATALEN cuts names.
        let cut = |name: String| name.chars().take(63).collect::<String>();
        let user = cut(text("user").unwrap_or_default());
        let database = cut(text("database").filter(|name| !name.is_empty()).unwrap_or_else(|| user.clone()));
        let application = text("application_name").unwrap_or_default();
        let shown: Vec<String> = startup
            .parameters
            .iter()
            .filter(|(name, _)| name != b"user")
            .map(|(name, value)| {
                format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            })
            .collect();
        session.emit(Body::ClientFingerprint { kind: "postgres.startup".to_owned(), value: shown.join(" ") });
        let mut out = Replies::default();
        let options: Vec<Vec<u8>> = startup
            .parameters
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| name.starts_with(b"_pq_."))
            .collect();
        let newest = if self.persona.release.since(18) { 2 } else { 0 };
        if startup.version.1 > newest || !options.is_empty() {
            out.negotiate(0x0003_0000 | newest as u32, &options);
        }
        if let Some(refusal) = &self.persona.refusal {
            let credential = Credential {
                username: user,
                method: "postgres".to_owned(),
                token: None,
                ..Credential::default()
            };
            session.emit(Body::AuthAttempt { credential, outcome: Outcome::Failed });
            out.fault(&self.fatal("28000", refusal.clone()), self.old());
            self.send(&mut *stream, &mut out).await?;
            return stream.shutdown().await;
        }
        let full = self.with(|state| state.backends.len() >= CONNECTIONS);
        if full {
            session.emit(Body::LimitReached { limit: "connections".to_owned(), count: CONNECTIONS as u64 });
            return self.refuse(&mut *stream, &self.fatal("53300", "sorry, too many clients already")).await;
        }
        let process = self.with(|state| {
            state.process = if state.process > 4_100_000 {
                1_000
            } else {
                state.process + 1 + u32::from(session.source().port() % 3)
            };
            let process = state.process;
            state.backends.insert(
                process,
                Backend {
                    state: "startup",
                    user: user.clone(),
                    database: database.clone(),
                    ..Backend::default()
                },
            );
            process
        });
        let _seat = Seat { server: self, process };
        let check = self.authenticate(&mut *stream, session, &user, end_point, &mut out);
        match timeout(AUTHENTICATION, check).await {
            Ok(Ok(Some(()))) => {}
            Ok(Ok(None)) => return stream.shutdown().await,
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
        let known = self.with(|state| state.catalogue.database(&database, false).is_some());
        if !known {
            let mut fault = self.fatal("3D000", format!("database \"{database}\" does not exist"));
            fault.source = (self.persona.file("postinit.c", "utils\\init"), 948, "InitPostgres");
            out.fault(&fault, self.old());
            self.send(&mut *stream, &mut out).await?;
            return stream.shutdown().await;
        }
        let mut talk = Talk {
            process,
            user: user.clone(),
            session_user: user.clone(),
            database: database.clone(),
            local: (address(session.destination()), session.destination().port()),
            remote: (address(session.source()), session.source().port()),
            ..Talk::default()
        };
        for (name, value) in &startup.parameters {
            let name = String::from_utf8_lossy(name).to_lowercase();
            if !matches!(name.as_str(), "user" | "database" | "options" | "replication")
                && talk.settings.len() < 100
            {
                let value = String::from_utf8_lossy(value).into_owned();
                let value = if name == "client_encoding" {
                    value.to_uppercase().replace("UTF-8", "UTF8")
                } else {
                    value
                };
                talk.settings.insert(name, value);
            }
        }
        let now = self.host.clock.micros();
        let superuser = self.with(|state| {
            if let Some(backend) = state.backends.get_mut(&process) {
                *backend = Backend {
                    database,
                    user: user.clone(),
                    application,
                    address: talk.remote.0.clone(),
                    port: talk.remote.1,
                    started: now,
                    query_started: now,
                    changed: now,
                    state: "idle",
                    ..Backend::default()
                };
            }
            for (name, value) in settings::status(&talk.product(&self.persona, state)) {
                out.parameter(name, &value);
            }
            state.superuser(&user)
        });
        let privilege = if superuser { "admin" } else { "user" };
        session.emit(Body::SessionStarted { username: user, privilege: privilege.to_owned() });
        let key: [u8; 4] = self.host.entropy.bytes();
        out.key(process, &key);
        out.ready(b'I');
        let mut line = Line {
            stream,
            session: session.clone(),
            talk,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            out,
        };
        let result = self.serve(&mut line).await;
        // A block that was not ended is undone.
        self.with(|state| line.talk.end(state, false));
        result?;
        line.stream.shutdown().await
    }

    /// Reads a message; `None` at the end.
    async fn read(&self, line: &mut Line) -> io::Result<Option<Message>> {
        loop {
            let mut head = [0u8; 5];
            match timeout(IDLE, line.stream.read_exact(&mut head)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
            match message_length(head, MESSAGE_LIMIT) {
                Ok(length) => {
                    let mut body = vec![0u8; length];
                    line.stream.read_exact(&mut body).await?;
                    match message(head[0], &body) {
                        Ok(message) => return Ok(Some(message)),
                        Err(_) => {
                            line.session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &body);
                            line.talk.fail();
                            line.out.fault(
                                &errors::fault("ERROR", "08P01", "invalid string in message"),
                                self.old(),
                            );
                            // The product answers with ReadyForQuery after a simple query, and skips to Sync else.
                            if head[0] == b'Q' || !self.skip(line).await? {
                                line.out.ready(line.talk.letter());
                            }
                            self.send(&mut *line.stream, &mut line.out).await?;
                        }
                    }
                }
                Err(Wrong::Type(kind)) => {
                    line.session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &head);
                    let fault =
                        errors::fault("FATAL", "08P01", format!("invalid frontend message type {kind}"));
                    self.refuse(&mut *line.stream, &fault).await?;
                    return Ok(None);
                }
                Err(_) => {
                    line.session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &head);
                    return Ok(None);
                }
            }
        }
    }

    /// Leaves out messages up to Sync, as the product does after an error of the extended protocol. `true`:
    /// the client went away.
    async fn skip(&self, line: &mut Line) -> io::Result<bool> {
        self.send(&mut *line.stream, &mut line.out).await?;
        loop {
            let mut head = [0u8; 5];
            if timeout(IDLE, line.stream.read_exact(&mut head))
                .await
                .map_err(|_| io::ErrorKind::TimedOut)?
                .is_err()
            {
                return Ok(true);
            }
            let Ok(length) = message_length(head, MESSAGE_LIMIT) else { return Ok(true) };
            let mut body = vec![0u8; length];
            line.stream.read_exact(&mut body).await?;
            match head[0] {
                b'S' => return Ok(false),
                b'X' => return Ok(true),
                _ => {}
            }
        }
    }

    async fn serve(&self, line: &mut Line) -> io::Result<()> {
        self.send(&mut *line.stream, &mut line.out).await?;
        loop {
            let Some(message) = self.read(line).await? else { return Ok(()) };
            let ended =
                self.with(|state| state.backends.get(&line.talk.process).is_some_and(|b| b.terminated));
            if ended {
                let fault =
                    errors::fault("FATAL", "57P01", "terminating connection due to administrator command");
                return self.refuse(&mut *line.stream, &fault).await;
            }
            match self.answer(line, message).await? {
                Next::Go => {}
                Next::End => return Ok(()),
            }
        }
    }

    async fn answer(&self, line: &mut Line, message: Message) -> io::Result<Next> {
        let extended = match message {
            Message::Query(text) => {
                self.simple(line, &text).await?;
                line.out.ready(line.talk.letter());
                self.send(&mut *line.stream, &mut line.out).await?;
                return Ok(Next::Go);
            }
            Message::Terminate => return Ok(Next::End),
            Message::Sync => {
                line.portals.clear();
                line.out.ready(line.talk.letter());
                self.send(&mut *line.stream, &mut line.out).await?;
                return Ok(Next::Go);
            }
            Message::Flush => {
                self.send(&mut *line.stream, &mut line.out).await?;
                return Ok(Next::Go);
            }
            Message::Function => {
                line.out.fault(
                    &errors::fault("ERROR", "42883", "function with OID 0 does not exist"),
                    self.old(),
                );
                line.out.ready(line.talk.letter());
                self.send(&mut *line.stream, &mut line.out).await?;
                return Ok(Next::Go);
            }
            // What is left of a COPY that failed is left out.
            Message::CopyData(_) | Message::CopyDone | Message::CopyFail(_) => return Ok(Next::Go),
            Message::Password(_) => {
                let fault = errors::fault("FATAL", "08P01", "invalid frontend message type 112");
                self.refuse(&mut *line.stream, &fault).await?;
                return Ok(Next::End);
            }
            Message::Parse { name, query, types } => self.parse(line, name, &query, types),
            Message::Bind(bind) => self.bind(line, bind),
            Message::Describe { statement, name } => self.describe(line, statement, &name),
            Message::Execute { portal, limit } => self.execute(line, &portal, limit as usize).await?,
            Message::Close { statement, name } => {
                if statement {
                    line.statements.remove(&name);
                } else {
                    line.portals.remove(&name);
                }
                line.out.message(b'3', b"");
                Ok(())
            }
        };
        if let Err(fault) = extended {
            line.talk.fail();
            line.out.fault(&fault, self.old());
            if self.skip(line).await? {
                return Ok(Next::End);
            }
            line.portals.clear();
            line.out.ready(line.talk.letter());
            self.send(&mut *line.stream, &mut line.out).await?;
        }
        Ok(Next::Go)
    }

    /// Runs a statement and reports it; the fault of one that is refused.
    async fn run(&self, line: &mut Line, text: &str, plan: &Plan, values: Vec<Value>) -> Result<Ran, Fault> {
        let now = self.host.clock.micros();
        let process = line.talk.process;
        let result = self.with(|state| {
            if let Some(backend) = state.backends.get_mut(&process) {
                backend.state = "active";
                backend.query = shortened(text);
                backend.query_started = now;
                backend.changed = now;
                backend.transaction = Some(now);
            }
            line.talk.run(&self.persona, state, text, plan, values, now)
        });
        let delay = result.as_ref().map_or(Duration::ZERO, |ran| ran.delay);
        if !delay.is_zero() {
            sleep(delay.min(SLEEP)).await;
        }
        let idle = match line.talk.transaction {
            Transaction::Idle => "idle",
            Transaction::Open => "idle in transaction",
            Transaction::Failed => "idle in transaction (aborted)",
        };
        self.with(|state| {
            if let Some(backend) = state.backends.get_mut(&process) {
                backend.state = idle;
                backend.changed = self.host.clock.micros();
                backend.transaction = (idle != "idle").then_some(backend.query_started);
            }
        });
        let rows = match &result {
            Ok(Ran { done: Done::Rows(_, rows, _), .. }) => rows.len() as u64,
            Ok(Ran { done: Done::CopyOut(_, lines), .. }) => lines.len() as u64,
            Ok(Ran { done: Done::Tag(tag), .. }) => {
                tag.rsplit(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
            }
            _ => 0,
        };
        let mut end = text.len().min(STATEMENT_LIMIT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        line.session.emit_raw(
            Body::Query {
                statement: text[..end].to_owned(),
                database: Some(line.talk.database.clone()),
                outcome: if result.is_ok() { Outcome::Accepted } else { Outcome::Failed },
                rows,
            },
            text.as_bytes(),
        );
        match result {
            Ok(mut ran) => {
                for table in &ran.touched {
                    let bait = format!("{}.{table}", line.talk.database);
                    line.session.emit(Body::BaitTouched { bait, planted_on: None });
                }
                note(&line.session, std::mem::take(&mut ran.notes), std::mem::take(&mut ran.kept));
                Ok(ran)
            }
            Err(Refused { fault, notes, kept }) => {
                note(&line.session, notes, kept);
                Err(fault)
            }
        }
    }

    async fn simple(&self, line: &mut Line, text: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(text).into_owned();
        let parts = split(&text);
        if parts.is_empty() {
            line.out.message(b'I', b"");
            return Ok(());
        }
        // The product reads everything before it does anything.
        let mut plans = Vec::new();
        for part in &parts {
            match plan(part.text) {
                Ok(plan) => plans.push(plan),
                Err(mut fault) => {
                    fault.position = fault
                        .position
                        .map(|at| at + text.get(..part.offset).unwrap_or_default().chars().count());
                    line.session.emit(Body::Query {
                        statement: shortened(&text),
                        database: Some(line.talk.database.clone()),
                        outcome: Outcome::Failed,
                        rows: 0,
                    });
                    line.talk.fail();
                    line.out.fault(&fault, self.old());
                    return Ok(());
                }
            }
        }
        for (part, plan) in parts.iter().zip(&plans) {
            let ran = match self.run(line, part.text, plan, Vec::new()).await {
                Ok(ran) => ran,
                Err(mut fault) => {
                    fault.position = fault
                        .position
                        .map(|at| at + text.get(..part.offset).unwrap_or_default().chars().count());
                    line.out.fault(&fault, self.old());
                    return Ok(());
                }
            };
            for notice in &ran.notices {
                line.out.fault(notice, self.old());
            }
            match ran.done {
                Done::Rows(fields, rows, tag) => {
                    line.out.description(&fields);
                    for row in &rows {
                        self.row(line, &fields, row).await?;
                    }
                    line.out.complete(&tag);
                }
                Done::Tag(tag) => line.out.complete(&tag),
                Done::Empty => line.out.message(b'I', b""),
                Done::CopyOut(columns, lines) => self.copy_out(line, columns, &lines).await?,
                Done::CopyIn(copy) => {
                    if !self.copy_in(line, &copy).await? {
                        return Ok(());
                    }
                }
            }
            for (name, value) in &ran.reported {
                line.out.parameter(name, value);
            }
        }
        Ok(())
    }

    async fn row(&self, line: &mut Line, fields: &[Field], row: &[Value]) -> io::Result<()> {
        let values: Vec<Option<Vec<u8>>> = row
            .iter()
            .zip(fields)
            .map(|(value, field)| format::encode(value, field.oid, field.format == 1))
            .collect();
        line.out.row(&values);
        if line.out.0.len() > 64 * 1024 {
            self.send(&mut *line.stream, &mut line.out).await?;
        }
        Ok(())
    }

    async fn copy_out(&self, line: &mut Line, columns: usize, lines: &[String]) -> io::Result<()> {
        line.out.copy(b'H', columns);
        for text in lines {
            line.out.message(b'd', format!("{text}\n").as_bytes());
            if line.out.0.len() > 64 * 1024 {
                self.send(&mut *line.stream, &mut line.out).await?;
            }
        }
        line.out.message(b'c', b"");
        line.out.complete(&format!("COPY {}", lines.len()));
        Ok(())
    }

    /// Takes the rows of COPY … FROM STDIN. `false` where an error ended it.
    async fn copy_in(&self, line: &mut Line, copy: &CopyIn) -> io::Result<bool> {
        line.out.copy(b'G', copy.count);
        self.send(&mut *line.stream, &mut line.out).await?;
        let mut data = Vec::new();
        let failed = loop {
            match self.read(line).await? {
                Some(Message::CopyData(more)) if data.len() + more.len() <= COPY_LIMIT => {
                    data.extend_from_slice(&more)
                }
                Some(Message::CopyData(_)) => {
                    line.session.emit(Body::LimitReached {
                        limit: "copy bytes".to_owned(),
                        count: data.len() as u64,
                    });
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Some(Message::CopyDone) => break None,
                Some(Message::CopyFail(why)) => {
                    let why = String::from_utf8_lossy(&why).into_owned();
                    break Some(errors::fault("ERROR", "57014", format!("COPY from stdin failed: {why}")));
                }
                Some(Message::Sync | Message::Flush) => {}
                Some(_) | None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        line.session.upload(&format!("copy {}", copy.table), &data);
        let now = self.host.clock.micros();
        let taken = match failed {
            Some(fault) => Err(fault),
            None => self
                .with(|state| line.talk.take(&self.persona, state, copy, &data, now))
                .map_err(|refused| refused.fault),
        };
        match taken {
            Ok(rows) => {
                line.out.complete(&format!("COPY {rows}"));
                Ok(true)
            }
            Err(fault) => {
                line.talk.fail();
                line.out.fault(&fault, self.old());
                Ok(false)
            }
        }
    }
}

/// Reports what a statement did besides its rows.
fn note(session: &Session, notes: Vec<Note>, kept: Vec<(String, Vec<u8>)>) {
    for note in notes {
        session.emit(match note {
            Note::Exploit(name) => Body::ExploitAttempt { name: name.to_owned(), confidence: 90 },
            Note::Read(name) => Body::FileDownload {
                name: Some(name),
                url: None,
                direction: Direction::Requested,
                size: None,
                bait: None,
            },
            Note::Wrote(name) => Body::StateChanged { object: name, old: None, new: "written".to_owned() },
            Note::Changed(object, new) => Body::StateChanged { object, old: None, new },
        });
    }
    for (name, bytes) in kept {
        session.upload(&name, &bytes);
    }
}

fn address(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| ip.to_string(), |mapped| mapped.to_string()),
        IpAddr::V4(ip) => ip.to_string(),
    }
}

impl Server for Postgres {
    fn product(&self) -> String {
        format!("postgresql/{}", self.persona.version.split(' ').next().unwrap_or_default())
    }

    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        Box::pin(self.converse(connection))
    }

    fn refusal(&self) -> Option<Vec<u8>> {
        let mut out = Replies::default();
        out.fault(&self.fatal("53300", "sorry, too many clients already"), self.old());
        Some(out.0)
    }
}

//! Commands: which there are, who may call them, and what they answer.

mod admin;
mod data;
mod info;
mod login;
mod write;

use std::collections::VecDeque;
use std::sync::Arc;

use decnet_logging::event::Body;

use super::codec::{Document, Value};
use super::fault::Fault;
use super::persona::Persona;
use super::store::Store;
use crate::host::Host;
use crate::scram;

pub(crate) use info::build_info;
pub(crate) use login::Exchange;

/// Cursors over all connections of a decky; the oldest goes first.
const CURSORS: usize = 256;
/// Bytes of documents that cursors keep.
const CURSOR_BYTES: usize = 32 * 1024 * 1024;
/// Bytes of a batch of answers.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Something to report, with the bytes behind it; a [`Body::FileUpload`] is kept as an artifact.
pub(crate) type Note = (Body, Option<Vec<u8>>);

/// A cursor that has more to give.
pub(crate) struct Cursor {
    id: i64,
    namespace: String,
    rest: VecDeque<Arc<Document>>,
    bytes: usize,
}

/// Counts since the server began.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) insert: i64,
    pub(crate) query: i64,
    pub(crate) update: i64,
    pub(crate) delete: i64,
    pub(crate) getmore: i64,
    pub(crate) command: i64,
    pub(crate) deprecated: i64,
    pub(crate) bytes_in: i64,
    pub(crate) bytes_out: i64,
    pub(crate) requests: i64,
    pub(crate) connections: i64,
    pub(crate) created: i64,
    pub(crate) user_asserts: i64,
    pub(crate) reads: i64,
    pub(crate) read_micros: i64,
    pub(crate) writes: i64,
    pub(crate) write_micros: i64,
}

/// The server's state, which all its connections share.
pub(crate) struct State {
    pub(crate) host: Arc<Host>,
    pub(crate) persona: Arc<Persona>,
    pub(crate) store: Store,
    pub(crate) counters: Counters,
    pub(crate) cursors: VecDeque<Cursor>,
    /// When it began, in microseconds.
    pub(crate) started: i64,
    pub(crate) port: u16,
    /// `topologyVersion.processId`.
    pub(crate) process: [u8; 12],
    next_object: u32,
    pub(crate) next_connection: i32,
}

/// One connection.
pub(crate) struct Client {
    pub(crate) connection: i32,
    /// `address:port` of its other end.
    pub(crate) address: String,
    /// Who is logged in: name and database.
    pub(crate) user: Option<(String, String)>,
    pub(crate) exchange: Option<Exchange>,
    pub(crate) greeted: bool,
    pub(crate) metadata: Option<Document>,
    pub(crate) notes: Vec<Note>,
    pub(crate) touched: Vec<String>,
    pub(crate) rows: u64,
    pub(crate) nonce: String,
}

/// A command as it is carried out.
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) database: &'a str,
    pub(crate) body: &'a Document,
}

/// The commands of the product that are known here: name, since which release, until which, and whether
/// they answer somebody who is not logged in.
const COMMANDS: &[(&str, Release, Release, bool)] = &[
    ("aggregate", (2, 2), ALWAYS, false),
    ("authenticate", (0, 0), ALWAYS, true),
    ("buildInfo", (0, 0), ALWAYS, true),
    ("buildinfo", (0, 0), ALWAYS, true),
    ("collMod", (2, 2), ALWAYS, false),
    ("collStats", (0, 0), ALWAYS, false),
    ("collstats", (0, 0), ALWAYS, false),
    ("compact", (2, 0), ALWAYS, false),
    ("connPoolStats", (0, 0), ALWAYS, false),
    ("connectionStatus", (2, 4), ALWAYS, true),
    ("copydb", (0, 0), (4, 2), false),
    ("count", (0, 0), ALWAYS, false),
    ("clone", (0, 0), (4, 2), false),
    ("create", (0, 0), ALWAYS, false),
    ("createIndexes", (2, 6), ALWAYS, false),
    ("createRole", (2, 6), ALWAYS, false),
    ("createUser", (2, 6), ALWAYS, false),
    ("currentOp", (3, 2), ALWAYS, false),
    ("dataSize", (0, 0), ALWAYS, false),
    ("dbHash", (0, 0), ALWAYS, false),
    ("dbStats", (0, 0), ALWAYS, false),
    ("dbstats", (0, 0), ALWAYS, false),
    ("delete", (2, 6), ALWAYS, false),
    ("distinct", (0, 0), ALWAYS, false),
    ("drop", (0, 0), ALWAYS, false),
    ("dropDatabase", (0, 0), ALWAYS, false),
    ("dropIndexes", (0, 0), ALWAYS, false),
    ("dropUser", (2, 6), ALWAYS, false),
    ("endSessions", (3, 6), ALWAYS, true),
    ("eval", (0, 0), (4, 2), false),
    ("$eval", (0, 0), (4, 2), false),
    ("explain", (3, 0), ALWAYS, false),
    ("features", (0, 0), ALWAYS, true),
    ("find", (3, 2), ALWAYS, false),
    ("findAndModify", (0, 0), ALWAYS, false),
    ("findandmodify", (0, 0), ALWAYS, false),
    ("fsync", (0, 0), ALWAYS, false),
    ("getCmdLineOpts", (0, 0), ALWAYS, false),
    ("getFreeMonitoringStatus", (4, 0), (7, 0), false),
    ("getLastError", (0, 0), (5, 1), true),
    ("getlasterror", (0, 0), (5, 1), true),
    ("getLog", (0, 0), ALWAYS, false),
    ("getMore", (3, 2), ALWAYS, false),
    ("getParameter", (0, 0), ALWAYS, false),
    ("getnonce", (0, 0), (4, 0), true),
    ("hello", (4, 4), ALWAYS, true),
    ("hostInfo", (2, 2), ALWAYS, false),
    ("insert", (2, 6), ALWAYS, false),
    ("isMaster", (0, 0), ALWAYS, true),
    ("ismaster", (0, 0), ALWAYS, true),
    ("killCursors", (3, 2), ALWAYS, false),
    ("killOp", (3, 2), ALWAYS, false),
    ("killSessions", (3, 6), ALWAYS, false),
    ("listCollections", (3, 0), ALWAYS, false),
    ("listCommands", (0, 0), ALWAYS, true),
    ("listDatabases", (0, 0), ALWAYS, false),
    ("listIndexes", (3, 0), ALWAYS, false),
    ("logout", (0, 0), ALWAYS, true),
    ("mapReduce", (0, 0), ALWAYS, false),
    ("mapreduce", (0, 0), ALWAYS, false),
    ("ping", (0, 0), ALWAYS, true),
    ("profile", (0, 0), ALWAYS, false),
    ("refreshSessions", (3, 6), ALWAYS, false),
    ("renameCollection", (0, 0), ALWAYS, false),
    ("replSetGetConfig", (3, 0), ALWAYS, false),
    ("replSetGetStatus", (0, 0), ALWAYS, false),
    ("replSetInitiate", (0, 0), ALWAYS, false),
    ("rolesInfo", (2, 6), ALWAYS, false),
    ("saslContinue", (2, 4), ALWAYS, true),
    ("saslStart", (2, 4), ALWAYS, true),
    ("serverStatus", (0, 0), ALWAYS, false),
    ("setParameter", (0, 0), ALWAYS, false),
    ("shutdown", (0, 0), ALWAYS, false),
    ("startSession", (3, 6), ALWAYS, false),
    ("top", (0, 0), ALWAYS, false),
    ("update", (2, 6), ALWAYS, false),
    ("usersInfo", (2, 6), ALWAYS, false),
    ("validate", (0, 0), ALWAYS, false),
    ("whatsmyuri", (0, 0), ALWAYS, true),
];
type Release = (u32, u32);
const ALWAYS: Release = (u32::MAX, 0);

impl State {
    /// A server that began at `started` microseconds.
    pub(crate) fn new(host: &Arc<Host>, persona: &Arc<Persona>, port: u16, started: i64) -> State {
        let identity = host.identity();
        let now = host.clock.micros();
        let mut process = [0; 12];
        process[..4].copy_from_slice(&u32::try_from(started / 1_000_000).unwrap_or(0).to_be_bytes());
        process[4..]
            .copy_from_slice(&identity.draw(&["mongodb", "process", &started.to_string()]).bytes::<8>());
        let mut draw = identity.draw(&["mongodb", "load", &started.to_string()]);
        // The house's own applications have been at work since then.
        let seconds = ((now - started) / 1_000_000).max(1);
        let mut per = |most: u64| seconds.saturating_mul(draw.between(1, most.max(1)) as i64) / 600;
        let counters = Counters {
            insert: per(30),
            query: per(900),
            update: per(120),
            delete: per(6),
            getmore: per(40),
            command: per(1200) + seconds / 5,
            bytes_in: per(400_000),
            bytes_out: per(2_400_000),
            requests: per(1800) + seconds / 5,
            created: per(60) + 4,
            connections: 0,
            deprecated: 0,
            user_asserts: per(2),
            reads: per(900),
            read_micros: per(200_000),
            writes: per(150),
            write_micros: per(90_000),
        };
        let connection = i32::try_from(counters.created).unwrap_or(1);
        State {
            store: super::bait::plant(identity, persona, now),
            host: Arc::clone(host),
            persona: Arc::clone(persona),
            counters,
            cursors: VecDeque::new(),
            started,
            port,
            process,
            next_object: draw.below(1 << 24) as u32,
            next_connection: connection + 1,
        }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) fn now_ms(&self) -> i64 {
        self.host.clock.micros().div_euclid(1000)
    }

    /// Whether commands need a login.
    pub(crate) fn needs_login(&self, client: &Client) -> bool {
        self.persona.auth && client.user.is_none()
    }

    /// A fresh ObjectId.
    pub(crate) fn object_id(&mut self) -> [u8; 12] {
        let mut id = self.process;
        let seconds = u32::try_from(self.host.clock.seconds()).unwrap_or(0);
        id[..4].copy_from_slice(&seconds.to_be_bytes());
        self.next_object = (self.next_object + 1) & 0x00ff_ffff;
        id[9..].copy_from_slice(&self.next_object.to_be_bytes()[1..]);
        id
    }

    /// A fresh UUID.
    pub(crate) fn uuid(&self) -> [u8; 16] {
        let mut bytes: [u8; 16] = self.host.entropy.bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes
    }

    /// The commands of the release, for `listCommands`.
    fn known(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        let release = self.persona.release;
        COMMANDS.iter().filter(move |row| row.1 <= release && release < row.2).map(|row| (row.0, row.3))
    }

    /// Carries a command out.
    ///
    /// # Errors
    /// What the product says.
    pub(crate) fn execute(&mut self, client: &mut Client, call: &Call<'_>) -> Result<Document, Fault> {
        let spelled = self.known().find(|(name, _)| *name == call.name);
        let Some((name, open)) = spelled else {
            let mut text = format!("no such command: '{}'", call.name);
            if !self.persona.since(3, 0) {
                text = format!("no such command: {}", call.name);
            }
            return Err(Fault::new(59, text));
        };
        if !open && self.needs_login(client) {
            return Err(self.unauthorized(call));
        }
        if call.database.is_empty() || call.database.contains(['/', '\\', '.', ' ', '"', '\0']) {
            return Err(Fault::new(73, format!("Invalid database name: '{}'", call.database)));
        }
        const ADMIN: &[&str] = &[
            "listDatabases",
            "getLog",
            "getCmdLineOpts",
            "getParameter",
            "setParameter",
            "replSetGetStatus",
            "replSetInitiate",
            "replSetGetConfig",
            "shutdown",
            "top",
            "currentOp",
            "fsync",
            "renameCollection",
            "killOp",
            "getFreeMonitoringStatus",
        ];
        if ADMIN.contains(&name) && call.database != "admin" {
            return Err(Fault::new(13, format!("{name} may only be run against the admin database.")));
        }
        match name {
            "find" | "getMore" | "aggregate" | "count" | "distinct" | "explain" | "killCursors"
            | "listCollections" | "listDatabases" | "listIndexes" | "collStats" | "collstats" | "dbStats"
            | "dbstats" | "dataSize" | "validate" | "mapReduce" | "mapreduce" => {
                data::execute(self, client, call, name)
            }
            "insert" | "update" | "delete" | "findAndModify" | "findandmodify" | "create"
            | "createIndexes" | "drop" | "dropDatabase" | "dropIndexes" | "renameCollection" => {
                write::execute(self, client, call, name)
            }
            "saslStart" | "saslContinue" | "authenticate" | "getnonce" | "logout" | "connectionStatus"
            | "usersInfo" | "rolesInfo" | "createUser" | "dropUser" | "createRole" => {
                login::execute(self, client, call, name)
            }
            "hello" | "isMaster" | "ismaster" | "buildInfo" | "buildinfo" | "hostInfo" | "serverStatus"
            | "getLog" | "getCmdLineOpts" | "getParameter" | "whatsmyuri" | "listCommands" | "top"
            | "currentOp" | "features" => info::execute(self, client, call, name),
            _ => admin::execute(self, client, call, name),
        }
    }

    fn unauthorized(&self, call: &Call<'_>) -> Fault {
        let text = if !self.persona.since(3, 0) {
            "unauthorized".to_owned()
        } else if !self.persona.since(3, 6) {
            format!("not authorized on {} to execute command {}", call.database, shown(call.body))
        } else if !self.persona.since(4, 0) {
            "there are no users authenticated".to_owned()
        } else {
            let first = if self.persona.since(6, 0) { 'C' } else { 'c' };
            format!("{first}ommand {} requires authentication", call.name)
        };
        Fault::new(13, text)
    }

    /// Gives documents as a first batch, and keeps the rest behind a cursor.
    pub(crate) fn batch(
        &mut self,
        client: &mut Client,
        namespace: &str,
        documents: Vec<Arc<Document>>,
        size: usize,
        single: bool,
    ) -> Document {
        let mut rest: VecDeque<Arc<Document>> = documents.into();
        let batch = taken(&mut rest, size);
        client.rows += batch.len() as u64;
        let id = if rest.is_empty() || single { 0 } else { self.keep(namespace, rest) };
        Document::new()
            .with("cursor", Document::new().with("firstBatch", batch).with("id", id).with("ns", namespace))
    }

    fn keep(&mut self, namespace: &str, rest: VecDeque<Arc<Document>>) -> i64 {
        let bytes = rest.iter().map(|document| document.size()).sum();
        let id = (u64::from_be_bytes(self.host.entropy.bytes()) >> 1) as i64;
        self.cursors.push_back(Cursor { id, namespace: namespace.to_owned(), rest, bytes });
        while self.cursors.len() > CURSORS
            || self.cursors.len() > 1
                && self.cursors.iter().map(|cursor| cursor.bytes).sum::<usize>() > CURSOR_BYTES
        {
            self.cursors.pop_front();
        }
        id
    }

    /// The next documents of a cursor, and its id while there are more.
    pub(crate) fn more(&mut self, id: i64, namespace: &str, size: usize) -> Result<(Vec<Value>, i64), Fault> {
        let Some(at) = self.cursors.iter().position(|cursor| cursor.id == id) else {
            return Err(Fault::new(43, format!("cursor id {id} not found")));
        };
        let Some(cursor) = self.cursors.get_mut(at) else { return Ok((Vec::new(), 0)) };
        if cursor.namespace != namespace {
            return Err(Fault::new(
                13,
                format!(
                    "Requested getMore on namespace '{namespace}', but cursor belongs to a different namespace {}",
                    cursor.namespace
                ),
            ));
        }
        let batch = taken(&mut cursor.rest, size);
        if cursor.rest.is_empty() {
            self.cursors.remove(at);
            return Ok((batch, 0));
        }
        Ok((batch, id))
    }
}

fn taken(rest: &mut VecDeque<Arc<Document>>, size: usize) -> Vec<Value> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < size {
        let Some(document) = rest.pop_front() else { break };
        bytes += document.size();
        batch.push(Value::Document(Document::clone(&document)));
        if bytes > BATCH_BYTES {
            break;
        }
    }
    batch
}

impl Client {
    /// A connection from an address.
    pub(crate) fn new(connection: i32, address: String) -> Client {
        Client {
            connection,
            address,
            user: None,
            exchange: None,
            greeted: false,
            metadata: None,
            notes: Vec::new(),
            touched: Vec::new(),
            rows: 0,
            nonce: String::new(),
        }
    }

    /// Reports something.
    pub(crate) fn note(&mut self, body: Body) {
        self.notes.push((body, None));
    }
}

/// A command as messages of the product show it.
pub(crate) fn shown(body: &Document) -> String {
    let mut text = String::from("{ ");
    for (at, (name, value)) in body.0.iter().filter(|(name, _)| !name.starts_with('$')).enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        let shown = match value {
            Value::Double(number) => format!("{number:?}"),
            other => super::query::update::text_of(other),
        };
        text.push_str(&format!("{name}: {shown}"));
        if text.len() > 2000 {
            break;
        }
    }
    text + " }"
}

/// The name of the collection that a command is about.
///
/// # Errors
/// A name that is none.
pub(crate) fn collection<'a>(call: &'a Call<'_>) -> Result<&'a str, Fault> {
    match call.body.0.first().map(|(_, value)| value) {
        Some(Value::Text(name)) if name.is_empty() || name.starts_with('.') || name.contains('\0') => {
            Err(Fault::new(73, format!("Invalid namespace specified '{}.{name}'", call.database)))
        }
        Some(Value::Text(name)) if name.len() + call.database.len() > 254 => Err(Fault::new(
            73,
            format!("Fully qualified namespace is too long. Namespace: {}.{name} Max: 255", call.database),
        )),
        Some(Value::Text(name)) => Ok(name),
        Some(other) => Err(Fault::new(73, format!("collection name has invalid type {}", other.kind_name()))),
        None => Err(Fault::bad("no collection")),
    }
}

/// The name of the SCRAM mechanism.
pub(crate) fn mechanism(name: &str) -> Option<scram::Algorithm> {
    match name {
        "SCRAM-SHA-1" => Some(scram::Algorithm::Sha1),
        "SCRAM-SHA-256" => Some(scram::Algorithm::Sha256),
        _ => None,
    }
}

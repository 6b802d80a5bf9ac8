//! The conversation.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use decnet_logging::event::{Body, Outcome};
use tokio::io::AsyncWriteExt;

use super::auth::{self, Exchange};
use super::client::{Client, PREPARED, Prepared};
use super::codec::{self, Execute, Status, capability, extended};
use super::failure::{Failure, failure};
use super::front::{Done, Front, Reply, dialect};
use super::persona::Persona;
use super::product::Dialect;
use super::record;
use super::statement::{Sort, Statement, split, unwrap_comments};
use super::store::{CONNECTIONS, Store};
use super::wire::{Arrival, Wire};
use super::{metadata, schema};
use crate::connection::Connection;
use crate::host::Host;
use crate::server::{BuildError, Conversation, Server};
use crate::session::Session;
use crate::sql::Value;
use crate::tls::{Endpoint, Settings};
use std::cell::Cell;
use std::collections::HashMap;

/// Bytes that one connection may send: dumps that are read in are long.
const CONNECTION_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of a packet after it.
const COMMAND_BOUND: usize = 2 * 1024 * 1024;
/// `connect_timeout`.
pub(super) const LOGIN: Duration = Duration::from_secs(10);
/// How long a client may be silent; the product's eight hours are longer than any connection here lasts.
const IDLE: Duration = Duration::from_secs(1800);
/// The longest that one command takes.
const DELAY: Duration = Duration::from_secs(300);
/// Statements in one packet.
const STATEMENTS: usize = 1000;

/// Makes the server of a decky.
///
/// # Errors
/// A persona value that cannot be used.
pub(crate) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    let persona = Persona::new(host)?;
    let tls = persona
        .tls
        .clone()
        .map(|habit| Endpoint::new(Settings { habit, alpn: Vec::new(), alpn_strict: false, timeout: LOGIN }));
    Ok(Box::new(MySql {
        host: Arc::clone(host),
        persona,
        store: Mutex::new(None),
        tls,
        exchange: OnceLock::new(),
    }))
}

/// The server of a decky.
pub(super) struct MySql {
    pub(super) host: Arc<Host>,
    pub(super) persona: Persona,
    /// Made when the first connection comes.
    store: Mutex<Option<Store>>,
    /// In-band TLS, where it is offered.
    pub(super) tls: Option<Endpoint>,
    /// Made when the first password without TLS is asked for.
    pub(super) exchange: OnceLock<Option<Exchange>>,
}

/// A connection's place in the list; leaving takes it out.
struct Seat<'a> {
    server: &'a MySql,
    id: u32,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(store) = self.server.lock().as_mut() {
            store.state.live.remove(&self.id);
        }
    }
}

/// Whether the conversation goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It does.
    On,
    /// It is closed.
    End,
}

impl MySql {
    fn lock(&self) -> MutexGuard<'_, Option<Store>> {
        // A panic under the lock is caught above and ends that conversation; every statement leaves the
        // store whole.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something on the store.
    pub(super) fn with<T>(&self, port: u16, run: impl FnOnce(&mut Store) -> T) -> T {
        run(self.lock().get_or_insert_with(|| Store::new(&self.host, &self.persona, port)))
    }

    /// A salt as the product draws it: printable in MariaDB and old MySQL, anything of seven bits but NUL
    /// and `$` in MySQL since 5.6.
    fn salt(&self) -> [u8; 20] {
        let printable = self.persona.maria() || !self.persona.release.since(5, 6);
        std::array::from_fn(|_| {
            let byte = self.host.entropy.between(if printable { 33 } else { 1 }, 126) as u8;
            if byte == b'$' { b'%' } else { byte }
        })
    }

    async fn converse(&self, mut connection: Connection) -> io::Result<()> {
        connection.allow(CONNECTION_BYTES);
        let session = connection.session().clone();
        let port = connection.port().number;
        let address = session.source().ip();
        let mut wire = Wire::new(Box::new(connection));
        tokio::time::sleep(self.host.entropy.delay(3, 18)).await;
        let product = self.persona.product();
        let refusal = self.with(port, |store| {
            if self.persona.refuses {
                return Some((1130, format!("Host '{address}' is not allowed to connect to this {product} server")));
            }
            if store.state.is_blocked(address) {
                let tool = if self.persona.maria() && self.persona.release.since(10, 5) { "mariadb-admin" } else { "mysqladmin" };
                return Some((
                    1129,
                    format!(
                        "Host '{address}' is blocked because of many connection errors; unblock with '{tool} flush-hosts'"
                    ),
                ));
            }
            (store.state.live.len() > CONNECTIONS).then(|| (1040, "Too many connections".to_owned()))
        });
        if let Some((code, text)) = refusal {
            wire.send(&codec::error(code, None, &text)).await?;
            wire.flush().await?;
            return wire.stream.shutdown().await;
        }
        let id = self.with(port, |store| store.state.connect(&self.host));
        let _seat = Seat { server: self, id };
        let salt = self.salt();
        let version = self.persona.greeting_version();
        let greeting = codec::Greeting {
            version: &version,
            connection: id,
            salt: &salt,
            capabilities: self.persona.capabilities(),
            extended: self.persona.extended(),
            charset: self.persona.charset,
            status: Status::AUTOCOMMIT,
            plugin: self.persona.plugin(),
        };
        wire.send(&greeting.emit()).await?;
        let mut client = Client::new(id, address.to_string());
        let (wire, entered) = self.enter(wire, &session, port, &mut client, &salt).await?;
        let Some(mut wire) = wire else { return Ok(()) };
        if entered {
            self.with(port, |store| store.state.forgive(Some(address)));
            while self.command(&mut wire, &session, port, &mut client, &salt).await? == Next::On {}
        }
        wire.flush().await?;
        wire.stream.shutdown().await
    }

    /// Chooses a database.
    pub(super) fn choose(&self, port: u16, client: &mut Client, name: &str) -> Result<(), Failure> {
        self.with(port, |store| {
            Front { host: &self.host, persona: &self.persona, store, client }.choose(name)
        })
    }

    /// Writes an error.
    pub(super) async fn fail(&self, wire: &mut Wire, failure: &Failure) -> io::Result<()> {
        wire.send(&codec::error(failure.code, Some(failure.state), &failure.message)).await
    }

    /// Reads one command and answers it.
    async fn command(
        &self,
        wire: &mut Wire,
        session: &Session,
        port: u16,
        client: &mut Client,
        salt: &[u8; 20],
    ) -> io::Result<Next> {
        wire.flush().await?;
        wire.begin();
        let payload = match wire.read(COMMAND_BOUND, IDLE).await? {
            Arrival::Packet(payload) => payload,
            Arrival::OutOfOrder => {
                record::broken(session, wire.rest());
                let state = (self.persona.maria() || self.persona.release.since(9, 0)).then_some("08S01");
                wire.send(&codec::error(1156, state, "Got packets out of order")).await?;
                return Ok(Next::End);
            }
            Arrival::TooLarge(size) => {
                session.emit(Body::LimitReached { limit: "packet bytes".to_owned(), count: size as u64 });
                let text = "Got a packet bigger than 'max_allowed_packet' bytes";
                wire.send(&codec::error(1153, Some("08S01"), text)).await?;
                return Ok(Next::End);
            }
            Arrival::Closed | Arrival::Late => return Ok(Next::End),
        };
        let killed = self.with(port, |store| {
            store.state.questions += 1;
            store.state.live.get(&client.session.connection).is_none_or(|live| live.killed)
        });
        if killed {
            let (code, text) = if self.persona.maria() {
                (1927, "Connection was killed")
            } else {
                (
                    4031,
                    "The client was disconnected by the server because of inactivity. See wait_timeout and interactive_timeout for configuring this behavior.",
                )
            };
            let state = if self.persona.maria() { "70100" } else { "HY000" };
            self.fail(wire, &failure(code, state, text)).await?;
            return Ok(Next::End);
        }
        let Some((verb, body)) = payload.split_first() else {
            self.fail(wire, &failure(1047, "08S01", "Unknown command")).await?;
            return Ok(Next::On);
        };
        let name = |bytes: &[u8]| String::from_utf8_lossy(auth::without_nul(bytes).as_slice()).into_owned();
        match verb {
            1 => return Ok(Next::End),
            2 => {
                let name = name(body);
                let outcome = self.choose(port, client, &name);
                let reported = if outcome.is_ok() { Outcome::Accepted } else { Outcome::Failed };
                record::query(session, format!("USE `{name}`").as_bytes(), client.database(), reported, 0);
                match outcome {
                    Ok(()) => self.fine(wire, client).await?,
                    Err(failure) => self.fail(wire, &failure).await?,
                }
            }
            3 => {
                let text = attributes(&self.persona, client, body);
                self.query(wire, session, port, client, text).await?;
            }
            4 => self.fields(wire, port, client, body).await?,
            5 | 6 => {
                let word = if *verb == 5 { "CREATE" } else { "DROP" };
                let text = format!("{word} DATABASE `{}`", name(body).replace('`', "``"));
                self.query(wire, session, port, client, text.as_bytes()).await?;
            }
            7 | 13 | 27 => {
                if *verb == 27 {
                    match body {
                        [0, ..] => client.capabilities |= capability::MULTI_STATEMENTS,
                        _ => client.capabilities &= !capability::MULTI_STATEMENTS,
                    }
                }
                if *verb != 7 && client.plain_eof(&self.persona) {
                    wire.send(&codec::eof(client.status(), 0)).await?;
                } else {
                    let header = if *verb == 7 { 0 } else { 0xfe };
                    wire.send(&codec::ok(header, 0, 0, client.status(), 0, "")).await?;
                }
            }
            9 => {
                let text = self.with(port, |store| self.statistics(store));
                wire.send(text.as_bytes()).await?;
            }
            10 => self.query(wire, session, port, client, b"SHOW PROCESSLIST").await?,
            12 => {
                let id = body.iter().take(4).rev().fold(0u32, |id, byte| id << 8 | u32::from(*byte));
                self.query(wire, session, port, client, format!("KILL {id}").as_bytes()).await?;
            }
            14 => self.fine(wire, client).await?,
            17 => return self.change(wire, session, port, client, salt, body, &payload).await,
            18 | 30 => {
                session.emit_raw(
                    Body::ExploitAttempt { name: "mysql.binlog_dump".to_owned(), confidence: 90 },
                    &payload,
                );
                let text = "Binary log is not open";
                self.fail(wire, &failure(1236, "HY000", text)).await?;
            }
            22 => self.prepare(wire, session, port, client, body).await?,
            23 => self.execute(wire, session, port, client, body).await?,
            24 => {
                // A value that is sent ahead; there is no answer.
                if let (Some(id), Some(index), Some(bytes)) =
                    (Execute::statement(body), body.get(4..6), body.get(6..))
                    && let Some(prepared) = client.prepared.get_mut(&id)
                {
                    prepared.add(usize::from(index[0]) | usize::from(index[1]) << 8, bytes);
                }
            }
            25 => {
                if let Some(id) = Execute::statement(body) {
                    client.prepared.remove(&id);
                }
            }
            26 => match Execute::statement(body).and_then(|id| client.prepared.get_mut(&id)) {
                Some(prepared) => {
                    prepared.long.clear();
                    self.fine(wire, client).await?;
                }
                None => self.unknown(wire, body, "mysqld_stmt_reset").await?,
            },
            28 => self.unknown(wire, body, "mysqld_stmt_fetch").await?,
            31 => {
                let charset = client.charset as u8;
                let (user, capabilities) = (client.user.clone(), client.capabilities);
                client.reset();
                client.begin(&user, capabilities, charset);
                self.fine(wire, client).await?;
            }
            _ => {
                session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &payload);
                self.fail(wire, &failure(1047, "08S01", "Unknown command")).await?;
            }
        }
        Ok(Next::On)
    }

    /// Writes that all went well.
    pub(super) async fn fine(&self, wire: &mut Wire, client: &Client) -> io::Result<()> {
        wire.send(&codec::ok(0, 0, 0, client.status(), 0, "")).await
    }

    async fn unknown(&self, wire: &mut Wire, body: &[u8], command: &str) -> io::Result<()> {
        let id = Execute::statement(body).unwrap_or(0);
        let text = format!("Unknown prepared statement handler ({id}) given to {command}");
        self.fail(wire, &failure(1243, "HY000", text)).await
    }

    /// What COM_STATISTICS says.
    fn statistics(&self, store: &Store) -> String {
        let uptime = (self.host.clock.seconds() - store.state.started).max(1);
        let questions = store.state.questions;
        let thousandths = questions * 1000 / u64::try_from(uptime).unwrap_or(1);
        let opens = 120 + store.catalogue.objects() * 3;
        format!(
            "Uptime: {uptime}  Threads: {}  Questions: {questions}  Slow queries: 0  Opens: {opens}  {}Open tables: {}  \
             Queries per second avg: {}.{:03}",
            store.state.live.len(),
            if self.persona.maria() { "" } else { "Flush tables: 3  " },
            opens - 60,
            thousandths / 1000,
            thousandths % 1000
        )
    }

    /// Carries one statement out, waits as long as it takes, reports it.
    async fn carry_out(
        &self,
        session: &Session,
        port: u16,
        client: &mut Client,
        statement: &Statement<'_>,
        raw: &[u8],
    ) -> Done {
        let id = client.session.connection;
        let database = client.database().to_owned();
        let done = self.with(port, |store| {
            let now = self.host.clock.seconds();
            if let Some(live) = store.state.live.get_mut(&id) {
                live.since = now;
                live.statement = Some(statement.text.chars().take(1024).collect());
            }
            if let Some(verb) =
                ["select", "insert", "update", "delete"].into_iter().find(|verb| statement.is(0, &[verb]))
            {
                *store.state.verbs.entry(verb).or_default() += 1;
            }
            Front { host: &self.host, persona: &self.persona, store, client }.run(statement)
        });
        if !done.delay.is_zero() {
            tokio::time::sleep(done.delay.min(DELAY)).await;
        }
        self.with(port, |store| {
            if let Some(live) = store.state.live.get_mut(&id) {
                live.statement = None;
                client.database().clone_into(&mut live.database);
            }
        });
        let (outcome, rows) = match &done.reply {
            Reply::Rows { rows, .. } => (Outcome::Accepted, rows.len() as u64),
            Reply::Ok { rows, .. } => (Outcome::Accepted, *rows),
            Reply::Fail(_) => (Outcome::Failed, 0),
        };
        record::query(session, raw, &database, outcome, rows);
        for note in &done.notes {
            session.emit(note.clone());
        }
        done
    }

    /// COM_QUERY.
    async fn query(
        &self,
        wire: &mut Wire,
        session: &Session,
        port: u16,
        client: &mut Client,
        bytes: &[u8],
    ) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let unwrapped = self.unwrapped(&text);
        let statements = split(&unwrapped);
        if statements.is_empty() {
            record::query(session, bytes, client.database(), Outcome::Failed, 0);
            return self.fail(wire, &failure(1065, "42000", "Query was empty")).await;
        }
        if statements.len() > 1 && !client.can(capability::MULTI_STATEMENTS) {
            record::query(session, bytes, client.database(), Outcome::Failed, 0);
            let at = statements[1].start;
            return self.fail(wire, &super::failure::syntax(&self.persona, &unwrapped, at)).await;
        }
        let last = statements.len().min(STATEMENTS) - 1;
        for (index, statement) in statements.iter().enumerate().take(STATEMENTS) {
            let raw = if statements.len() == 1 { bytes } else { statement.text.as_bytes() };
            let done = self.carry_out(session, port, client, statement, raw).await;
            let failed = matches!(done.reply, Reply::Fail(_));
            let more = if index < last { Status::MORE_RESULTS } else { 0 };
            self.reply(wire, client, &done.reply, more, false).await?;
            if failed {
                break;
            }
        }
        Ok(())
    }

    fn unwrapped(&self, text: &str) -> String {
        let super::persona::Release(major, minor, patch) = self.persona.release;
        unwrap_comments(text, major * 10_000 + minor * 100 + patch, self.persona.maria())
    }

    /// Writes an answer.
    async fn reply(
        &self,
        wire: &mut Wire,
        client: &Client,
        reply: &Reply,
        more: u16,
        binary: bool,
    ) -> io::Result<()> {
        let status = client.status() | more;
        let warnings = u16::try_from(client.warnings.len()).unwrap_or(u16::MAX);
        match reply {
            Reply::Fail(failure) => self.fail(wire, failure).await,
            Reply::Ok { rows, id, info } => {
                let id = u64::try_from(*id).unwrap_or(0);
                wire.send(&codec::ok(0, *rows, id, status, warnings, info)).await
            }
            Reply::Rows { columns, rows } => {
                self.columns(wire, client, columns, status).await?;
                for row in rows {
                    let row = if binary { codec::binary_row(columns, row) } else { codec::text_row(row) };
                    wire.send(&row).await?;
                }
                let status = if rows.len() > 1 { status | Status::NO_INDEX } else { status };
                if client.plain_eof(&self.persona) {
                    wire.send(&codec::eof(status, warnings)).await
                } else {
                    wire.send(&codec::ok(0xfe, 0, 0, status, warnings, "")).await
                }
            }
        }
    }

    /// Writes the head of rows.
    async fn columns(
        &self,
        wire: &mut Wire,
        client: &Client,
        columns: &[codec::Column],
        status: u16,
    ) -> io::Result<()> {
        let mut count = Vec::new();
        let optional = !self.persona.maria()
            && self.persona.release.since(8, 0)
            && client.can(capability::OPTIONAL_METADATA);
        if optional {
            count.push(1);
        }
        codec::put_number(&mut count, columns.len() as u64);
        if client.extended & extended::CACHE != 0 {
            count.push(1);
        }
        wire.send(&count).await?;
        self.descriptions(wire, client, columns).await?;
        if client.plain_eof(&self.persona) {
            wire.send(&codec::eof(status, 0)).await?;
        }
        Ok(())
    }

    async fn descriptions(
        &self,
        wire: &mut Wire,
        client: &Client,
        columns: &[codec::Column],
    ) -> io::Result<()> {
        for column in columns {
            wire.send(&codec::column(column, client.extended & extended::METADATA != 0, None)).await?;
        }
        Ok(())
    }

    /// COM_FIELD_LIST.
    async fn fields(&self, wire: &mut Wire, port: u16, client: &mut Client, body: &[u8]) -> io::Result<()> {
        let table = body.split(|byte| *byte == 0).next().unwrap_or_default();
        let table = String::from_utf8_lossy(table).into_owned();
        let found = self.with(port, |store| {
            let front = Front { host: &self.host, persona: &self.persona, store, client };
            let dialect = dialect!(front);
            let schema = front.client.database().to_owned();
            if schema.is_empty() {
                return Err(failure(1046, "3D000", "No database selected"));
            }
            let context = crate::sql::Context::new(&front.store.catalogue, &front.client.session, &dialect);
            let path = [schema.clone(), table.clone()];
            let own = schema::table(&dialect, &context, &path);
            let stored = match own {
                Some(table) => table,
                None => context
                    .find(&path)
                    .ok()
                    .and_then(|place| front.store.catalogue.at(place).cloned())
                    .ok_or_else(|| {
                    failure(1146, "42S02", format!("Table '{schema}.{table}' doesn't exist"))
                })?,
            };
            let charset = front.client.charset;
            Ok(stored
                .columns
                .iter()
                .map(|column| {
                    let default = match (&column.default, column.kind.is_number() && !column.nullable) {
                        (Some(value), _) => Some(super::functions::string(value)),
                        (None, true) => Some("0".to_owned()),
                        (None, false) => (!column.nullable).then(String::new),
                    };
                    (metadata::stored(&dialect, &schema, &stored.name, column, charset), default)
                })
                .collect::<Vec<_>>())
        });
        match found {
            Err(failure) => self.fail(wire, &failure).await,
            Ok(columns) => {
                for (column, default) in &columns {
                    let default = default.as_ref().map(String::as_bytes);
                    let more = client.extended & extended::METADATA != 0;
                    wire.send(&codec::column(column, more, Some(default))).await?;
                }
                if client.plain_eof(&self.persona) {
                    wire.send(&codec::eof(client.status(), 0)).await
                } else {
                    wire.send(&codec::ok(0xfe, 0, 0, client.status(), 0, "")).await
                }
            }
        }
    }

    /// COM_STMT_PREPARE.
    async fn prepare(
        &self,
        wire: &mut Wire,
        session: &Session,
        port: u16,
        client: &mut Client,
        body: &[u8],
    ) -> io::Result<()> {
        let text = self.unwrapped(&String::from_utf8_lossy(body));
        let statements = split(&text);
        let outcome = match statements.as_slice() {
            [] => Err(failure(1065, "42000", "Query was empty")),
            [_, second, ..] => Err(super::failure::syntax(&self.persona, &text, second.start)),
            [statement] => self.plan(port, client, statement),
        };
        let (count, columns) = match outcome {
            Ok(plan) => plan,
            Err(failure) => {
                record::query(session, body, client.database(), Outcome::Failed, 0);
                return self.fail(wire, &failure).await;
            }
        };
        if client.prepared.len() >= PREPARED {
            session
                .emit(Body::LimitReached { limit: "prepared statements".to_owned(), count: PREPARED as u64 });
            let text = "Can't create more than max_prepared_stmt_count statements (current value: 16382)";
            return self.fail(wire, &failure(1461, "42000", text)).await;
        }
        client.last_prepared = client.last_prepared.wrapping_add(1);
        let id = client.last_prepared;
        client.prepared.insert(id, Prepared { text, count, ..Prepared::default() });
        let mut head = vec![0];
        head.extend_from_slice(&id.to_le_bytes());
        head.extend_from_slice(&u16::try_from(columns.len()).unwrap_or(u16::MAX).to_le_bytes());
        head.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
        head.extend_from_slice(&[0, 0, 0]);
        wire.send(&head).await?;
        let placeholders = vec![metadata::placeholder(self.persona.maria()); count];
        for part in [&placeholders, &columns] {
            if !part.is_empty() {
                self.descriptions(wire, client, part).await?;
                if client.plain_eof(&self.persona) {
                    wire.send(&codec::eof(client.status(), 0)).await?;
                }
            }
        }
        Ok(())
    }

    /// How many placeholders a statement has, and which columns it gives.
    fn plan(
        &self,
        port: u16,
        client: &mut Client,
        statement: &Statement<'_>,
    ) -> Result<(usize, Vec<codec::Column>), Failure> {
        let count = (0..statement.words.len())
            .filter(|at| statement.words[*at].sort == Sort::Sign && statement.word(*at) == "?")
            .count();
        if count > usize::from(u16::MAX) {
            return Err(failure(1390, "HY000", "Prepared statement contains too many placeholders"));
        }
        let reads = ["select", "show", "with", "desc", "describe", "explain"]
            .iter()
            .any(|verb| statement.is(0, &[verb]));
        if !reads {
            // Whether it can be carried out shows when it is; that it is no statement shows now.
            let parsed = crate::sql::parse(&sqlparser::dialect::MySqlDialect {}, statement.text);
            let engine =
                ["insert", "update", "delete", "replace"].iter().any(|verb| statement.is(0, &[verb]));
            if let (Err(error), true) = (parsed, engine) {
                return Err(super::failure::of(
                    &self.persona,
                    error,
                    statement.text,
                    client.database(),
                    "prepare",
                ));
            }
            return Ok((count, Vec::new()));
        }
        // Tried with nothing in its placeholders; a trial changes and reports nothing.
        let mut trial = client.clone();
        trial.session.parameters = vec![Value::Null; count];
        let done = self.with(port, |store| {
            Front { host: &self.host, persona: &self.persona, store, client: &mut trial }.run(statement)
        });
        match done.reply {
            Reply::Fail(failure) => Err(failure),
            Reply::Rows { columns, .. } => Ok((count, columns)),
            Reply::Ok { .. } => Ok((count, Vec::new())),
        }
    }

    /// COM_STMT_EXECUTE.
    async fn execute(
        &self,
        wire: &mut Wire,
        session: &Session,
        port: u16,
        client: &mut Client,
        body: &[u8],
    ) -> io::Result<()> {
        let id = Execute::statement(body);
        let Some(prepared) = id.and_then(|id| client.prepared.get(&id)).cloned() else {
            return self.unknown(wire, body, "mysqld_stmt_execute").await;
        };
        let Some(mut execute) = Execute::read(body, prepared.count, prepared.types.as_deref()) else {
            record::broken(session, body);
            return self
                .fail(wire, &failure(1210, "HY000", "Incorrect arguments to mysqld_stmt_execute"))
                .await;
        };
        for (index, bytes) in &prepared.long {
            if let Some(value) = execute.values.get_mut(*index) {
                *value = match std::str::from_utf8(bytes) {
                    Ok(text) => Value::text(text),
                    Err(_) => Value::bytes(bytes),
                };
            }
        }
        if let Some(kept) = id.and_then(|id| client.prepared.get_mut(&id)) {
            if execute.types.is_some() {
                kept.types = execute.types.take();
            }
            kept.long.clear();
        }
        let shown = filled(&prepared.text, &execute.values);
        client.session.parameters = execute.values;
        let statements = split(&prepared.text);
        let Some(statement) = statements.first() else {
            return self.fail(wire, &failure(1065, "42000", "Query was empty")).await;
        };
        let done = self.carry_out(session, port, client, statement, shown.as_bytes()).await;
        client.session.parameters.clear();
        self.reply(wire, client, &done.reply, 0, true).await
    }
}

/// The text of COM_QUERY, behind the attributes that MySQL 8 lets stand before it.
fn attributes<'a>(persona: &Persona, client: &Client, body: &'a [u8]) -> &'a [u8] {
    let sent = !persona.maria() && persona.release.since(8, 0) && client.can(capability::QUERY_ATTRIBUTES);
    match body {
        [0, 1, text @ ..] if sent => text,
        _ => body,
    }
}

/// A prepared statement with its values, as the product's log writes it.
fn filled(text: &str, values: &[Value]) -> String {
    let statement = Statement::of(text);
    let mut out = String::new();
    let (mut from, mut next) = (0, values.iter());
    for (at, word) in statement.words.iter().enumerate() {
        if word.sort == Sort::Sign && statement.word(at) == "?" {
            out.push_str(&text[from..word.at.start]);
            match next.next() {
                Some(Value::Null) | None => out.push_str("NULL"),
                Some(value @ (Value::Integer(_) | Value::Float(_) | Value::Decimal(_))) => {
                    out.push_str(&super::functions::string(value));
                }
                Some(value) => {
                    out.push_str(&format!("'{}'", super::functions::string(value).replace('\'', "''")))
                }
            }
            from = word.at.end;
        }
    }
    out.push_str(&text[from..]);
    out
}

impl Server for MySql {
    fn product(&self) -> String {
        format!("{}/{}", self.persona.product().to_lowercase(), self.persona.version)
    }

    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        Box::pin(self.converse(connection))
    }

    fn refusal(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        codec::packet(&mut out, 0, &codec::error(1040, None, "Too many connections"));
        Some(out)
    }
}

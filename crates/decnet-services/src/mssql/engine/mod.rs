//! What the server keeps and computes: one for all connections of a decky.

mod administration;
mod batch;
mod calls;
mod errors;
mod objects;
mod procedures;
mod product;
mod script;
mod security;
mod system;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use decnet_logging::event::{Body, Outcome};

pub(super) use calls::Prepared;

use super::codec::{Notice, TdsVersion, Tokens};
use super::persona::Persona;
use crate::bait;
use crate::cmdshell;
use crate::host::Host;
use crate::sql::moment::DAY;
use crate::sql::{Catalogue, Database, Schema, Session};

/// Logins that intruders may add.
const MOST_LOGINS: usize = 256;
/// Assemblies, jobs, linked servers and procedures that intruders may add, each.
const MOST_OBJECTS: usize = 256;
/// The number of the first table of a user.
const FIRST_NUMBER: u32 = 245_575_913;

/// A login of the server.
#[derive(Clone, Debug)]
pub(super) struct LoginAccount {
    /// Its name.
    pub(super) name: String,
    /// Its password; none for those that cannot be logged in with.
    pub(super) password: Option<String>,
    /// `S`, `U`, `R`, `C` as in `sys.server_principals`.
    pub(super) kind: char,
    /// Whether it may not log in.
    pub(super) disabled: bool,
    /// Whether it may do everything.
    pub(super) sysadmin: bool,
    /// Its number.
    pub(super) id: i64,
    /// Its security identifier.
    pub(super) sid: Vec<u8>,
    /// When it was made, in microseconds since 1970.
    pub(super) made: i64,
}

/// An option of `sp_configure`.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) id: i64,
    pub(super) name: &'static str,
    pub(super) minimum: i64,
    pub(super) maximum: i64,
    pub(super) configured: i64,
    pub(super) running: i64,
    pub(super) advanced: bool,
    pub(super) dynamic: bool,
}

/// A job of the agent.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) made: i64,
    pub(super) steps: Vec<(String, String)>,
}

/// What the server keeps besides tables.
pub(super) struct Facts {
    pub(super) logins: Vec<LoginAccount>,
    pub(super) settings: Vec<Setting>,
    pub(super) assemblies: Vec<(String, String)>,
    pub(super) jobs: Vec<Job>,
    pub(super) linked: Vec<(String, String)>,
    /// Procedures that intruders made: name and text.
    pub(super) routines: BTreeMap<String, String>,
    pub(super) started: i64,
    pub(super) databases_made: BTreeMap<String, i64>,
    pub(super) sessions: BTreeMap<u16, (String, String, String)>,
}

/// Everything.
pub(super) struct State {
    pub(super) catalogue: Catalogue,
    pub(super) facts: Facts,
    pub(super) shell: cmdshell::Machine,
    next_descriptor: u64,
}

/// What a connection is to the engine.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// What statements are carried out with.
    pub(super) session: Session,
    /// Whether it may do everything.
    pub(super) sysadmin: bool,
    /// Nested transactions.
    pub(super) transactions: i64,
    pub(super) descriptor: u64,
    /// Statements that were prepared, by handle.
    pub(super) prepared: BTreeMap<i32, Prepared>,
    pub(super) next_handle: i32,
    /// `@@error`, and whether counts are not told.
    pub(super) last_error: i64,
    pub(super) no_count: bool,
    /// Whom EXECUTE AS made of the login.
    pub(super) impersonated: Vec<String>,
}

/// Something that happened, to be reported.
#[derive(Debug)]
pub(super) enum Note {
    /// An event.
    Event(Body),
    /// Bytes that the intruder gave: name and content.
    Given(String, Vec<u8>),
}

/// What came of a request.
pub(super) struct Answer {
    /// The reply.
    pub(super) tokens: Tokens,
    /// What happened.
    pub(super) notes: Vec<Note>,
    /// How long it would have taken.
    pub(super) delay: Duration,
    /// Whether an error was told.
    pub(super) outcome: Outcome,
    /// Rows that went out or changed.
    pub(super) rows: u64,
}

/// What does not change while a request runs.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) host: Arc<Host>,
    pub(super) persona: Arc<Persona>,
}

impl State {
    /// What stands there before anybody came.
    pub(super) fn new(host: &Arc<Host>, persona: &Persona) -> State {
        let identity = host.identity();
        let now = host.clock.micros();
        let today = i32::try_from(now.div_euclid(DAY)).unwrap_or(0);
        let installed = identity.times.installed * 1_000_000;
        let mut databases: Vec<Database> = ["master", "tempdb", "model", "msdb"]
            .into_iter()
            .map(|name| database(name, Vec::new()))
            .collect();
        let mut databases_made = BTreeMap::from([
            // As the installation media have it: master shows the date of the first release of 2003.
            ("master".to_owned(), crate::sql::moment::parse("2003-04-08 09:13:36.390").unwrap_or(0)),
            ("model".to_owned(), crate::sql::moment::parse("2003-04-08 09:13:36.390").unwrap_or(0)),
        ]);
        let planted = bait::databases(identity, "mssql", &persona.applications, today);
        for (index, schema) in planted.into_iter().enumerate() {
            databases_made.insert(schema.name.clone(), installed + (index as i64 + 1) * 5_400_000_000);
            databases.push(database(&schema.name, schema.tables));
        }
        let started = identity.booted_at(now / 1_000_000) * 1_000_000
            + identity.draw(&["mssql", "start"]).between(9_000_000, 40_000_000) as i64;
        databases_made.insert("tempdb".to_owned(), started);
        State {
            catalogue: Catalogue::new(databases, FIRST_NUMBER),
            facts: Facts {
                logins: security::logins(identity, persona, installed),
                settings: system::settings(persona),
                assemblies: Vec::new(),
                jobs: vec![Job {
                    id: security::guid(&mut identity.draw(&["mssql", "job"])),
                    name: "syspolicy_purge_history".to_owned(),
                    made: installed,
                    steps: Vec::new(),
                }],
                linked: Vec::new(),
                routines: BTreeMap::new(),
                started: started.min(now),
                databases_made,
                sessions: BTreeMap::new(),
            },
            shell: cmdshell::Machine::new(identity, &service_account(persona), host.decky.address),
            next_descriptor: 0,
        }
    }

    /// The login of that name, in any case.
    pub(super) fn login(&self, name: &str) -> Option<&LoginAccount> {
        self.facts.logins.iter().find(|login| login.name.eq_ignore_ascii_case(name))
    }

    /// A number for a transaction.
    pub(super) fn descriptor(&mut self) -> u64 {
        self.next_descriptor += 1;
        self.next_descriptor << 32 | 0x3b
    }
}

fn database(name: &str, tables: Vec<crate::sql::Table>) -> Database {
    Database {
        name: name.to_owned(),
        schemas: vec![
            Schema { name: "dbo".to_owned(), tables },
            Schema { name: "guest".to_owned(), tables: Vec::new() },
        ],
    }
}

/// The account that the service runs under: a virtual one.
fn service_account(persona: &Persona) -> String {
    match persona.instance.as_str() {
        "" => "NT SERVICE\\MSSQLSERVER".to_owned(),
        instance => format!("NT SERVICE\\MSSQL${instance}"),
    }
}

/// A request under way.
pub(super) struct Run<'a> {
    pub(super) shared: &'a Shared,
    pub(super) state: &'a mut State,
    pub(super) client: &'a mut Client,
    pub(super) tokens: Tokens,
    pub(super) notes: Vec<Note>,
    pub(super) delay: Duration,
    failed: bool,
    rows: u64,
    /// Procedures within each other; above 0, statements end with DONEINPROC.
    depth: u32,
    /// Statements that may still be carried out.
    budget: u32,
    /// Whether the batch is over.
    over: bool,
    /// Messages are kept for a CATCH rather than told.
    caught: Option<Notice>,
    catching: u32,
    blocks: u32,
    began: std::time::Instant,
}

impl<'a> Run<'a> {
    /// A request of this client.
    pub(super) fn new(
        shared: &'a Shared,
        state: &'a mut State,
        client: &'a mut Client,
        version: TdsVersion,
    ) -> Run<'a> {
        client.session.now = shared.local_now();
        Run {
            shared,
            state,
            client,
            tokens: Tokens::new(version),
            notes: Vec::new(),
            delay: Duration::ZERO,
            failed: false,
            rows: 0,
            depth: 0,
            budget: batch::STATEMENTS,
            over: false,
            caught: None,
            catching: 0,
            blocks: 0,
            began: std::time::Instant::now(),
        }
    }

    /// What came of it.
    pub(super) fn answer(self) -> Answer {
        Answer {
            tokens: self.tokens,
            notes: self.notes,
            delay: self.delay,
            outcome: if self.failed { Outcome::Failed } else { Outcome::Accepted },
            rows: self.rows,
        }
    }

    fn note(&mut self, body: Body) {
        self.notes.push(Note::Event(body));
    }

    fn exploit(&mut self, name: &str, confidence: u8) {
        self.note(Body::ExploitAttempt { name: name.to_owned(), confidence });
    }

    fn changed(&mut self, object: impl Into<String>, new: impl Into<String>) {
        self.note(Body::StateChanged { object: object.into(), old: None, new: new.into() });
    }
}

impl Shared {
    /// The present in microseconds since 1970 in UTC, which servers in a company's data centre show.
    pub(super) fn local_now(&self) -> i64 {
        self.host.clock.micros()
    }
}

//! What all connections of one server share.

use std::collections::BTreeMap;

use super::persona::Persona;
use crate::bait;
use crate::host::Host;
use crate::sql::{Catalogue, Database, Schema};

/// The oid of the first object that is not the system's: `FirstNormalObjectId` and what initdb's own
/// databases are followed by.
const FIRST_OID: u32 = 16_384;
/// `max_connections`.
pub(crate) const CONNECTIONS: usize = 100;
/// Roles that may be made.
const ROLE_LIMIT: usize = 1_000;
/// Bytes of large objects.
const LARGE_OBJECT_LIMIT: usize = 8 * 1024 * 1024;

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Role {
    /// Its number.
    pub(crate) oid: u32,
    /// Its name.
    pub(crate) name: String,
    /// The password, where it was set by somebody who is in.
    pub(crate) password: Option<String>,
    /// SUPERUSER.
    pub(crate) superuser: bool,
    /// LOGIN.
    pub(crate) login: bool,
    /// CREATEROLE.
    pub(crate) create_role: bool,
    /// CREATEDB.
    pub(crate) create_database: bool,
    /// REPLICATION.
    pub(crate) replication: bool,
    /// BYPASSRLS.
    pub(crate) bypass: bool,
}

/// A connection, as `pg_stat_activity` shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backend {
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) application: String,
    pub(crate) address: String,
    pub(crate) port: u16,
    /// Microseconds.
    pub(crate) started: i64,
    pub(crate) query_started: i64,
    pub(crate) changed: i64,
    pub(crate) transaction: Option<i64>,
    pub(crate) state: &'static str,
    pub(crate) query: String,
    /// Somebody ended it with `pg_terminate_backend`.
    pub(crate) terminated: bool,
}

/// A function that somebody made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) oid: u32,
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) arguments: String,
    pub(crate) result: String,
    pub(crate) body: String,
}

/// The whole of it.
#[derive(Debug)]
pub(crate) struct State {
    /// Databases, schemas, tables.
    pub(crate) catalogue: Catalogue,
    /// Roles, `postgres` first.
    pub(crate) roles: Vec<Role>,
    /// Owners of databases by name; of all others `postgres`.
    pub(crate) owners: BTreeMap<String, String>,
    /// Numbers of databases by name.
    pub(crate) numbers: BTreeMap<String, u32>,
    /// ALTER SYSTEM.
    pub(crate) settings: BTreeMap<String, String>,
    /// Extensions by database and name.
    pub(crate) extensions: Vec<(String, String)>,
    /// Functions by database.
    pub(crate) functions: Vec<(String, Function)>,
    /// Comments by object number.
    pub(crate) comments: BTreeMap<u32, String>,
    /// Large objects.
    pub(crate) large: BTreeMap<u32, Vec<u8>>,
    /// Connections by process.
    pub(crate) backends: BTreeMap<u32, Backend>,
    /// The next process.
    pub(crate) process: u32,
    next_oid: u32,
    /// When the server was started, in microseconds.
    pub(crate) started: i64,
    /// The number of the next transaction.
    pub(crate) transaction: u64,
}

impl State {
    /// As it is before anybody came.
    pub(crate) fn new(host: &Host, persona: &Persona) -> State {
        let identity = host.identity();
        let now = host.clock.seconds();
        let today = i32::try_from(now.div_euclid(86_400)).unwrap_or(0);
        let known: Vec<&str> = bait::Application::ALL.iter().map(|(word, _)| *word).collect();
        let words =
            |word: &&String| known.contains(&word.as_str()) || matches!(word.as_str(), "auto" | "none");
        let kinds: Vec<String> = persona.databases.iter().filter(words).cloned().collect();
        let named: Vec<&String> = persona.databases.iter().filter(|word| !words(word)).collect();
        let applications = if kinds.is_empty() && !named.is_empty() {
            bait::applications(identity, "postgres", &["auto".to_owned()])
        } else {
            bait::applications(identity, "postgres", &kinds)
        };
        let mut planted = bait::databases(identity, "postgres", &applications, today);
        // Names that the operator gave are given to what was drawn; what is left over is empty.
        let mut databases: Vec<Database> = Vec::new();
        let system = ["postgres", "template1", "template0"];
        for name in system {
            databases.push(database(name, Vec::new()));
        }
        for name in named {
            if databases.iter().any(|known| known.name == *name) {
                continue;
            }
            let tables = if planted.is_empty() { Vec::new() } else { planted.remove(0).tables };
            databases.push(database(name, tables));
        }
        for schema in planted {
            if !kinds.is_empty() && databases.iter().all(|known| known.name != schema.name) {
                databases.push(database(&schema.name, schema.tables));
            }
        }
        let mut draw = identity.draw(&["postgres", "cluster"]);
        let mut numbers = BTreeMap::new();
        let fresh = persona.release.since(15);
        let mut oid = FIRST_OID + draw.below(8) as u32;
        let owner_oid = oid;
        oid += 1;
        for database in &databases {
            let number = match (database.name.as_str(), fresh) {
                ("template1", _) => 1,
                ("template0", true) => 4,
                ("postgres", true) => 5,
                ("template0", false) => 13_000 + persona.release.0 * 10,
                ("postgres", false) => 13_001 + persona.release.0 * 10,
                _ => {
                    oid += 1;
                    oid - 1
                }
            };
            numbers.insert(database.name.clone(), number);
        }
        let mut roles = vec![Role {
            oid: 10,
            name: "postgres".to_owned(),
            superuser: true,
            login: true,
            create_role: true,
            create_database: true,
            replication: true,
            bypass: true,
            password: None,
        }];
        let mut named = vec![persona.owner.clone()];
        named.extend(persona.users.iter().map(|(name, _)| name.clone()));
        for (index, name) in named.into_iter().enumerate() {
            if roles.iter().all(|role| role.name != name) {
                let oid = if index == 0 { owner_oid } else { oid };
                roles.push(Role { oid, name, login: true, ..Role::default() });
            }
            oid += 1;
        }
        let owners = databases
            .iter()
            .filter(|database| !system.contains(&database.name.as_str()))
            .map(|database| (database.name.clone(), persona.owner.clone()))
            .collect();
        let first = oid + 3 + draw.below(40) as u32;
        let boot = identity.booted_at(now) + draw.between(6, 25) as i64;
        State {
            catalogue: Catalogue::new(databases, first),
            roles,
            owners,
            numbers,
            settings: BTreeMap::new(),
            extensions: Vec::new(),
            functions: Vec::new(),
            comments: BTreeMap::new(),
            large: BTreeMap::new(),
            backends: BTreeMap::new(),
            process: 1_000 + draw.below(3_000) as u32,
            next_oid: 40_000 + draw.below(30_000) as u32,
            started: boot.min(now - 1) * 1_000_000 + draw.below(1_000_000) as i64,
            transaction: 740 + draw.below(90_000),
        }
    }

    /// A number for something new.
    pub(crate) fn oid(&mut self) -> u32 {
        self.next_oid = self.next_oid.wrapping_add(1);
        self.next_oid
    }

    /// A role by name.
    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// Whether a role may do everything.
    pub(crate) fn superuser(&self, name: &str) -> bool {
        self.role(name).is_some_and(|role| role.superuser)
    }

    /// Makes room for one more role.
    pub(crate) fn room_for_role(&self) -> bool {
        self.roles.len() < ROLE_LIMIT
    }

    /// Puts bytes into a large object; `false` where there is no room.
    pub(crate) fn put_large(&mut self, oid: u32, at: usize, bytes: &[u8]) -> bool {
        let held: usize = self.large.values().map(Vec::len).sum();
        if held + bytes.len() + at.saturating_sub(self.large.get(&oid).map_or(0, Vec::len))
            > LARGE_OBJECT_LIMIT
            || (self.large.len() >= ROLE_LIMIT && !self.large.contains_key(&oid))
        {
            return false;
        }
        let object = self.large.entry(oid).or_default();
        let end = at + bytes.len();
        if object.len() < end {
            object.resize(end, 0);
        }
        object[at..end].copy_from_slice(bytes);
        true
    }

    /// The owner of a database.
    pub(crate) fn owner(&self, database: &str) -> &str {
        self.owners.get(database).map_or("postgres", String::as_str)
    }

    /// The number of a role; of one that is gone, `postgres`'s.
    pub(crate) fn role_oid(&self, name: &str) -> u32 {
        self.role(name).map_or(10, |role| role.oid)
    }
}

fn database(name: &str, tables: Vec<crate::sql::Table>) -> Database {
    Database { name: name.to_owned(), schemas: vec![Schema { name: "public".to_owned(), tables }] }
}

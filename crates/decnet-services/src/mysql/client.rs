//! One connection as the statements see it.

use std::collections::BTreeMap;

use super::codec::{Parameter, Status, capability};
use super::persona::Persona;
use super::store::CATALOGUE;
use crate::sql::{self, Value};

/// Prepared statements of one connection.
pub(crate) const PREPARED: usize = 256;
/// Bytes of long values that are kept for one statement.
const LONG: usize = 1024 * 1024;
/// Variables that one session may set.
const VARIABLES: usize = 256;
/// Warnings that are kept.
const WARNINGS: usize = 64;

/// A prepared statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    /// Its text.
    pub(crate) text: String,
    /// Its placeholders.
    pub(crate) count: usize,
    /// The types of last time.
    pub(crate) types: Option<Vec<Parameter>>,
    /// Values that were sent ahead, by placeholder.
    pub(crate) long: BTreeMap<usize, Vec<u8>>,
}

impl Prepared {
    /// Adds to a value that is sent ahead; what is too long is cut.
    pub(crate) fn add(&mut self, index: usize, bytes: &[u8]) {
        if index < self.count {
            let held: usize = self.long.values().map(Vec::len).sum();
            let room = LONG.saturating_sub(held).min(bytes.len());
            self.long.entry(index).or_default().extend_from_slice(&bytes[..room]);
        }
    }
}

/// A connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// The engine's part.
    pub(crate) session: sql::Session,
    /// The user.
    pub(crate) user: String,
    /// Its address, as it stands in `USER()`.
    pub(crate) host: String,
    /// What it can.
    pub(crate) capabilities: u32,
    /// MariaDB's further capabilities.
    pub(crate) extended: u32,
    /// Its collation.
    pub(crate) charset: u16,
    /// Variables that it set for itself.
    pub(crate) settings: BTreeMap<String, String>,
    /// Level, number and text of the warnings of its last statement.
    pub(crate) warnings: Vec<(&'static str, u16, String)>,
    /// Rows of its last query before LIMIT.
    pub(crate) found_rows: i64,
    /// Whether a transaction is open.
    pub(crate) transaction: bool,
    /// Prepared statements by number.
    pub(crate) prepared: BTreeMap<u32, Prepared>,
    /// Texts of PREPARE by name.
    pub(crate) named: BTreeMap<String, String>,
    /// The number of the last prepared statement.
    pub(crate) last_prepared: u32,
}

impl Client {
    /// A connection before its login.
    pub(crate) fn new(id: u32, host: String) -> Client {
        Client {
            session: sql::Session {
                database: CATALOGUE.to_owned(),
                connection: id,
                row_count: -1,
                ..sql::Session::default()
            },
            host,
            ..Client::default()
        }
    }

    /// Begins a session of a user.
    pub(crate) fn begin(&mut self, user: &str, capabilities: u32, charset: u8) {
        user.clone_into(&mut self.user);
        user.clone_into(&mut self.session.user);
        self.capabilities = capabilities;
        self.charset = u16::from(charset);
        let (set, order) = match charset {
            8 => ("latin1", "latin1_swedish_ci"),
            33 => ("utf8mb3", "utf8mb3_general_ci"),
            255 => ("utf8mb4", "utf8mb4_0900_ai_ci"),
            _ => ("utf8mb4", "utf8mb4_general_ci"),
        };
        self.names(set, order);
    }

    /// Sets the character set of what comes and goes.
    pub(crate) fn names(&mut self, set: &str, collation: &str) {
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.settings.insert(name.to_owned(), set.to_owned());
        }
        self.settings.insert("collation_connection".to_owned(), collation.to_owned());
    }

    /// As COM_RESET_CONNECTION leaves it.
    pub(crate) fn reset(&mut self) {
        self.settings.clear();
        self.session.variables.clear();
        self.session.last_id = 0;
        self.prepared.clear();
        self.named.clear();
        self.warnings.clear();
        self.transaction = false;
    }

    /// The database that is chosen; empty for none.
    pub(crate) fn database(&self) -> &str {
        self.session.path.first().map_or("", String::as_str)
    }

    /// Sets a variable of the session; false where there is no room.
    pub(crate) fn set(&mut self, name: &str, value: String) -> bool {
        if self.settings.len() >= VARIABLES && !self.settings.contains_key(name) {
            return false;
        }
        self.settings.insert(name.to_owned(), value);
        true
    }

    /// Sets a variable of the user; false where there is no room.
    pub(crate) fn assign(&mut self, name: &str, value: Value) -> bool {
        let variables = &mut self.session.variables;
        let held: usize = variables.values().map(Value::size).sum();
        if (variables.len() >= VARIABLES && !variables.contains_key(name)) || held + value.size() > 2 * LONG {
            return false;
        }
        variables.insert(name.to_owned(), value);
        true
    }

    /// Keeps a warning.
    pub(crate) fn warn(&mut self, level: &'static str, code: u16, text: impl Into<String>) {
        if self.warnings.len() < WARNINGS {
            self.warnings.push((level, code, text.into()));
        }
    }

    /// The status flags.
    pub(crate) fn status(&self) -> u16 {
        let autocommit = self.settings.get("autocommit").is_none_or(|value| value == "ON");
        let mut status = if autocommit { Status::AUTOCOMMIT } else { 0 };
        if self.transaction {
            status |= Status::IN_TRANSACTION;
        }
        status
    }

    /// Whether the client can do something.
    pub(crate) fn can(&self, capability: u32) -> bool {
        self.capabilities & capability != 0
    }

    /// Whether it wants OK in place of EOF.
    pub(crate) fn plain_eof(&self, persona: &Persona) -> bool {
        !(self.can(capability::DEPRECATE_EOF) && persona.capabilities() & capability::DEPRECATE_EOF != 0)
    }
}

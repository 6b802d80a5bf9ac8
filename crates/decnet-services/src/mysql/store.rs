//! What all connections of a server share.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::auth;
use super::persona::Persona;
use crate::bait;
use crate::host::Host;
use crate::sql::{Catalogue, Database};

/// The name of the one database that a flat catalogue has; nobody sees it.
pub(crate) const CATALOGUE: &str = "def";
/// The schemas of the system, which are made when asked for.
pub(crate) const INFORMATION: &str = "information_schema";
/// Accounts that an intruder may add.
const ACCOUNTS: usize = 256;
/// Addresses of which failed handshakes are counted.
const ADDRESSES: usize = 1024;
/// Failed handshakes after which the product blocks an address (`max_connect_errors`).
const CONNECT_ERRORS: u32 = 100;
/// Connections at once (`max_connections`).
pub(crate) const CONNECTIONS: usize = 151;
/// Variables that an intruder may set for all.
const GLOBALS: usize = 1024;

/// An account in `mysql.user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The user.
    pub(crate) user: String,
    /// From where.
    pub(crate) host: String,
    /// The plugin.
    pub(crate) plugin: &'static str,
    /// What is stored of the password.
    pub(crate) stored: String,
    /// The password, where logins with it are let in.
    pub(crate) password: Option<String>,
    /// Whether it may do everything.
    pub(crate) all: bool,
}

/// A connection as SHOW PROCESSLIST shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// The user.
    pub(crate) user: String,
    /// Address and port.
    pub(crate) host: String,
    /// The database.
    pub(crate) database: String,
    /// When its last statement began, in seconds since 1970.
    pub(crate) since: i64,
    /// The statement under way.
    pub(crate) statement: Option<String>,
    /// Whether somebody ended it by KILL.
    pub(crate) killed: bool,
}

/// Everything but the catalogue.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// When the server started, in seconds since 1970.
    pub(crate) started: i64,
    /// The number of the next connection.
    pub(crate) next_connection: u32,
    /// Those that are open, by number.
    pub(crate) live: BTreeMap<u32, Live>,
    /// Statements so far.
    pub(crate) questions: u64,
    /// The same by their first word.
    pub(crate) verbs: BTreeMap<&'static str, u64>,
    /// The accounts.
    pub(crate) accounts: Vec<Account>,
    /// Variables that were set for all.
    pub(crate) globals: BTreeMap<String, String>,
    /// Users whose passwords caching_sha2 knows.
    pub(crate) cached: BTreeSet<String>,
    /// The port.
    pub(crate) port: u16,
    errors: BTreeMap<IpAddr, u32>,
}

/// Catalogue and state.
#[derive(Debug)]
pub(crate) struct Store {
    /// What is stored.
    pub(crate) catalogue: Catalogue,
    /// The rest.
    pub(crate) state: State,
}

impl Store {
    /// As the server is before anybody came.
    pub(crate) fn new(host: &Arc<Host>, persona: &Persona, port: u16) -> Store {
        let identity = host.identity();
        let now = host.clock.seconds();
        let today = i32::try_from(now.div_euclid(86_400)).unwrap_or(0);
        let mut schemas = bait::databases(identity, "mysql", &persona.applications, today);
        schemas.sort_by(|a, b| a.name.cmp(&b.name));
        let catalogue = Catalogue::new(vec![Database { name: CATALOGUE.to_owned(), schemas }], 1_000);
        let started = (identity.booted_at(now) + persona.start_delay).min(now - 1);
        let accounts = accounts(persona, identity);
        // Applications of the house have connected since the start.
        let mut draw = identity.draw(&["mysql", "history"]);
        let days = u64::try_from((now - started) / 86_400).unwrap_or(0);
        let questions = draw.between(300, 900) + days * draw.between(2_000, 30_000);
        let next_connection =
            persona.first_connection.wrapping_add(u32::try_from(days * draw.between(3, 40)).unwrap_or(0));
        let state = State { started, next_connection, questions, accounts, port, ..State::default() };
        Store { catalogue, state }
    }
}

impl State {
    /// Takes a number for a new connection. Others come and go meanwhile, so they have gaps.
    pub(crate) fn connect(&mut self, host: &Host) -> u32 {
        let id = self.next_connection;
        self.next_connection = id.wrapping_add(host.entropy.between(1, 3) as u32).max(1);
        self.live.insert(id, Live { since: host.clock.seconds(), ..Live::default() });
        id
    }

    /// Whether an address had too many failed handshakes.
    pub(crate) fn is_blocked(&self, address: IpAddr) -> bool {
        self.errors.get(&address).is_some_and(|count| *count >= CONNECT_ERRORS)
    }

    /// Counts a failed handshake.
    pub(crate) fn failed(&mut self, address: IpAddr) {
        if self.errors.len() >= ADDRESSES && !self.errors.contains_key(&address) {
            self.errors.pop_first();
        }
        *self.errors.entry(address).or_default() += 1;
    }

    /// Forgets the failed handshakes of an address, as a login does, or of all, as FLUSH HOSTS does.
    pub(crate) fn forgive(&mut self, address: Option<IpAddr>) {
        match address {
            Some(address) => {
                self.errors.remove(&address);
            }
            None => self.errors.clear(),
        }
    }

    /// The account by which a user may log in.
    pub(crate) fn account(&self, user: &[u8]) -> Option<&Account> {
        self.accounts.iter().find(|account| account.password.is_some() && account.user.as_bytes() == user)
    }

    /// Adds an account; false where there is no room.
    pub(crate) fn add(&mut self, account: Account) -> bool {
        self.accounts.retain(|other| (&other.user, &other.host) != (&account.user, &account.host));
        if self.accounts.len() >= ACCOUNTS {
            return false;
        }
        self.accounts.push(account);
        true
    }

    /// Sets a variable for all; false where there is no room.
    pub(crate) fn set(&mut self, name: &str, value: String) -> bool {
        if self.globals.len() >= GLOBALS && !self.globals.contains_key(name) {
            return false;
        }
        self.globals.insert(name.to_owned(), value);
        true
    }
}

/// The accounts of a fresh installation, and those of the persona.
fn accounts(persona: &Persona, identity: &decnet_core::identity::Identity) -> Vec<Account> {
    let plugin = match persona.plugin() {
        Some(auth::CACHING) => auth::CACHING,
        _ => auth::NATIVE,
    };
    let mut draw = identity.draw(&["mysql", "accounts"]);
    // What is stored for caching_sha2: rounds, a salt of 20 characters, 43 of the hash.
    let mut sealed = |password: &str| match plugin {
        auth::CACHING => {
            const LETTERS: &str = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
            format!("$A$005${}{}", draw.text(LETTERS, 20), draw.text(LETTERS, 43))
        }
        _ => auth::stored_native(password.as_bytes()),
    };
    let mut accounts = Vec::new();
    let system: &[&str] = match persona.maria() {
        true if persona.release.since(10, 4) => &["mariadb.sys", "mysql", "root"],
        true => &["root"],
        false if persona.release.since(8, 0) => &["mysql.infoschema", "mysql.session", "mysql.sys", "root"],
        false if persona.release.since(5, 7) => &["mysql.session", "mysql.sys", "root"],
        false => &["root"],
    };
    for user in system {
        let stored = match (*user, persona.maria()) {
            ("root", false) => sealed(&draw_password(identity)),
            ("root" | "mysql", true) => "invalid".to_owned(),
            (_, true) => String::new(),
            _ if plugin == auth::CACHING => {
                "$A$005$THISISACOMBINATIONOFINVALIDSALTANDPASSWORDTHATMUSTNEVERBRBEUSED".to_owned()
            }
            _ => "*THISISNOTAVALIDPASSWORDTHATCANBEUSEDHERE".to_owned(),
        };
        accounts.push(Account {
            user: (*user).to_owned(),
            host: "localhost".to_owned(),
            plugin,
            stored,
            password: None,
            all: matches!(*user, "root" | "mysql"),
        });
    }
    for (user, password) in &persona.users {
        accounts.push(Account {
            user: user.clone(),
            host: "%".to_owned(),
            plugin,
            stored: sealed(password),
            password: Some(password.clone()),
            all: true,
        });
    }
    accounts
}

/// A password that nobody knows, of which a hash stands in `mysql.user`.
fn draw_password(identity: &decnet_core::identity::Identity) -> String {
    identity.draw(&["mysql", "root"]).text("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_blocked_and_bounded() {
        let mut state = State::default();
        let address = |number: u32| IpAddr::from(number.to_be_bytes());
        for _ in 0..CONNECT_ERRORS {
            assert!(!state.is_blocked(address(1)));
            state.failed(address(1));
        }
        assert!(state.is_blocked(address(1)));
        state.forgive(Some(address(1)));
        assert!(!state.is_blocked(address(1)));
        for number in 0..5_000 {
            state.failed(address(number));
        }
        assert!(state.errors.len() <= ADDRESSES);
        for number in 0..5_000 {
            state.set(&number.to_string(), String::new());
        }
        assert_eq!(state.globals.len(), GLOBALS);
    }
}

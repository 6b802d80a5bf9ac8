//! What is reported of a conversation.

use decnet_logging::event::{Body, Credential, Outcome, text};

use super::auth;
use crate::session::Session;

/// Bytes of a statement in an event; all of it is in the raw bytes.
const STATEMENT: usize = 8192;

/// What a client showed of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The password itself.
    Clear(Vec<u8>),
    /// The answer of `mysql_native_password` to a salt.
    Native([u8; 20], Vec<u8>),
    /// The first answer of `caching_sha2_password` to a salt.
    Caching([u8; 20], Vec<u8>),
    /// No password.
    Nothing,
}

/// Reports a login.
pub(crate) fn login(session: &Session, user: &[u8], proof: &Proof, outcome: Outcome, raw: &[u8]) {
    let credential = match proof {
        Proof::Clear(password) => Credential::password("mysql-clear", user, password),
        Proof::Nothing => Credential::password("mysql-native", user, b""),
        Proof::Native(salt, answer) => {
            Credential::hash("mysql-native", user, auth::crackable(salt, answer), "hashcat-11200")
        }
        Proof::Caching(salt, answer) => Credential::hash(
            "caching-sha2",
            user,
            format!("$mysql-sha2${}*{}", auth::hex(salt), auth::hex(answer)),
            "mysql-caching-sha2",
        ),
    };
    session.emit_raw(Body::AuthAttempt { credential, outcome }, raw);
}

/// Reports a statement.
pub(crate) fn query(session: &Session, statement: &[u8], database: &str, outcome: Outcome, rows: u64) {
    let (mut shown, _) = text(statement);
    if shown.len() > STATEMENT {
        let mut end = STATEMENT;
        while !shown.is_char_boundary(end) {
            end -= 1;
        }
        shown.truncate(end);
        shown.push('…');
    }
    let database = (!database.is_empty()).then(|| database.to_owned());
    session.emit_raw(Body::Query { statement: shown, database, outcome, rows }, statement);
}

/// Reports what is no packet of this protocol.
pub(crate) fn broken(session: &Session, raw: &[u8]) {
    let foreign = [
        &b"\x16\x03"[..],
        b"SSH-",
        b"GET ",
        b"POST ",
        b"OPTIONS",
        b"HEAD ",
        b"\x03\x00\x00",
        b"HELP",
        b"PING",
    ];
    let kind =
        if foreign.iter().any(|start| raw.starts_with(start)) { "wrong_protocol" } else { "malformed" };
    session.emit_raw(Body::ScanProbe { kind: kind.to_owned() }, raw);
}

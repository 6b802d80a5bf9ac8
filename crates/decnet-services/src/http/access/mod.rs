//! Who is let in, who is in, and what they changed: the part of a site that outlives a connection.

mod accounts;
mod changes;
mod sessions;

pub(super) use accounts::{Accounts, LockOut};
pub(super) use changes::Changes;
pub(super) use sessions::Sessions;

/// What a decky's site remembers for as long as the decky lives.
pub(super) struct Access {
    /// Who may log in.
    pub(super) accounts: Accounts,
    /// Who has.
    pub(super) sessions: Sessions,
    /// What they left.
    pub(super) changes: Changes,
}

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Let in, under this name.
    In(String),
    /// The name or the password is wrong.
    Wrong,
    /// The account is locked, whatever the password.
    Locked,
}

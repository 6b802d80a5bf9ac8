//! Who is logged in.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Most logins that are remembered; the one that was quiet longest makes room.
const SESSIONS: usize = 256;
/// Most one-time values of a session, as many as Tomcat's CsrfPreventionFilter keeps (`nonceCacheSize`).
const NONCES: usize = 5;

struct Login {
    token: String,
    user: String,
    /// Seconds since 1970.
    seen: i64,
    nonces: VecDeque<String>,
}

/// Who is logged in, by the secret in their cookie.
#[derive(Default)]
pub(in super::super) struct Sessions(Mutex<VecDeque<Login>>);

impl Sessions {
    /// Remembers a login.
    pub(in super::super) fn open(&self, token: &str, user: &str, now: i64) {
        self.with(|logins| {
            logins.retain(|login| login.token != token);
            if logins.len() >= SESSIONS
                && let Some(quietest) =
                    logins.iter().enumerate().min_by_key(|(_, login)| login.seen).map(|(at, _)| at)
            {
                logins.remove(quietest);
            }
            let (token, user) = (token.to_owned(), user.to_owned());
            logins.push_back(Login { token, user, seen: now, nonces: VecDeque::new() });
        });
    }

    /// Whose it is, unless it was quiet for `idle` seconds.
    pub(in super::super) fn user(&self, token: &str, now: i64, idle: i64) -> Option<String> {
        self.with(|logins| {
            logins.retain(|login| login.token != token || now - login.seen < idle);
            let login = logins.iter_mut().find(|login| login.token == token)?;
            login.seen = now;
            Some(login.user.clone())
        })
    }

    /// Forgets a login.
    pub(in super::super) fn close(&self, token: &str) {
        self.with(|logins| logins.retain(|login| login.token != token));
    }

    /// Adds a one-time value to a session; the oldest of too many goes.
    pub(in super::super) fn add_nonce(&self, token: &str, nonce: &str) {
        self.with(|logins| {
            if let Some(login) = logins.iter_mut().find(|login| login.token == token) {
                if login.nonces.len() >= NONCES {
                    login.nonces.pop_front();
                }
                login.nonces.push_back(nonce.to_owned());
            }
        });
    }

    /// Whether a session was given that value not long ago.
    pub(in super::super) fn has_nonce(&self, token: &str, nonce: &str) -> bool {
        self.with(|logins| {
            logins.iter().any(|login| login.token == token && login.nonces.iter().any(|own| own == nonce))
        })
    }

    fn with<T>(&self, use_them: impl FnOnce(&mut VecDeque<Login>) -> T) -> T {
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_lasts_until_it_is_idle_or_ended() {
        let sessions = Sessions::default();
        sessions.open("a", "root", 0);
        assert_eq!(sessions.user("a", 9, 10).as_deref(), Some("root"));
        assert_eq!(sessions.user("a", 18, 10).as_deref(), Some("root"));
        assert_eq!(sessions.user("a", 28, 10), None);
        sessions.open("b", "root", 0);
        sessions.close("b");
        assert_eq!(sessions.user("b", 0, 10), None);
        assert_eq!(sessions.user("", 0, 10), None);
    }

    #[test]
    fn logins_and_their_nonces_are_bounded() {
        let sessions = Sessions::default();
        for number in 0..SESSIONS as i64 * 2 {
            sessions.open(&number.to_string(), "root", number);
        }
        assert_eq!(sessions.0.lock().unwrap().len(), SESSIONS);
        let last = (SESSIONS * 2 - 1).to_string();
        for nonce in 0..NONCES + 1 {
            sessions.add_nonce(&last, &nonce.to_string());
        }
        assert!(!sessions.has_nonce(&last, "0"));
        assert!(sessions.has_nonce(&last, "1"));
    }
}

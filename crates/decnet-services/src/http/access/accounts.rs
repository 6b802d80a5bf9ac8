//! The configured accounts, and how long somebody who guesses is kept out.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Verdict;

/// Most names whose failures are counted at once, as many as Tomcat's LockOutRealm counts (`cacheSize`).
/// The one that failed longest ago makes room.
const COUNTED: usize = 1000;
/// The longest name that is counted; a longer one is nobody's.
const NAME: usize = 256;

/// When a product locks an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct LockOut {
    /// So many failures lock it; 0: never.
    pub(in super::super) failures: u32,
    /// Seconds after which a failure no longer counts; 0: until a login succeeds.
    pub(in super::super) window: i64,
    /// Seconds that it stays locked.
    pub(in super::super) locked: i64,
    /// Whether a failure while it is locked begins the time anew.
    pub(in super::super) prolonged: bool,
    /// Whether names that do not exist are locked like the others.
    pub(in super::super) strangers: bool,
}

impl LockOut {
    /// Never.
    pub(in super::super) const NONE: LockOut =
        LockOut { failures: 0, window: 0, locked: 0, prolonged: false, strangers: false };
}

#[derive(Clone, Copy, Default)]
struct Record {
    failures: u32,
    /// Seconds since 1970.
    last: i64,
    locked_at: Option<i64>,
}

/// Who may log in.
pub(in super::super) struct Accounts {
    list: Vec<(String, String)>,
    lock_out: LockOut,
    records: Mutex<BTreeMap<String, Record>>,
}

impl Accounts {
    /// Those accounts under that rule.
    pub(in super::super) fn new(list: Vec<(String, String)>, lock_out: LockOut) -> Accounts {
        Accounts { list, lock_out, records: Mutex::default() }
    }

    /// Names and passwords, in the order of the config: what NTLM and digests are verified against.
    pub(in super::super) fn list(&self) -> &[(String, String)] {
        &self.list
    }

    /// Judges a name and a password at a time, in seconds since 1970. Names are compared without case, as
    /// every product here does.
    pub(in super::super) fn judge(&self, name: &[u8], password: &[u8], now: i64) -> Verdict {
        let account = self.list.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
        let right =
            account.filter(|(_, known)| known.as_bytes() == password).map(|(known, _)| known.as_str());
        self.settle(name, account.is_some(), right, now)
    }

    /// Judges what a form without a name sends: any account's password opens it.
    pub(in super::super) fn judge_password(&self, password: &[u8], now: i64) -> Verdict {
        let right = self.list.iter().find(|(_, known)| known.as_bytes() == password);
        self.settle(b"", true, right.map(|(known, _)| known.as_str()), now)
    }

    /// Counts the outcome of a proof that was verified elsewhere.
    pub(in super::super) fn settle(
        &self,
        name: &[u8],
        exists: bool,
        right: Option<&str>,
        now: i64,
    ) -> Verdict {
        let rule = self.lock_out;
        let verdict = right.map_or(Verdict::Wrong, |known| Verdict::In(known.to_owned()));
        if rule.failures == 0 || name.len() > NAME || !(exists || rule.strangers) {
            return verdict;
        }
        let key = String::from_utf8_lossy(name).to_lowercase();
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = records.get(&key).copied().unwrap_or_default();
        let expired = record.locked_at.is_some_and(|at| now - at >= rule.locked);
        let faded = rule.window > 0 && record.locked_at.is_none() && now - record.last >= rule.window;
        if expired || faded {
            record = Record::default();
        }
        let verdict = match (record.locked_at, right) {
            (Some(at), _) => {
                // Tomcat counts a failure, not a right password, while it refuses both.
                let again = rule.prolonged && right.is_none();
                record.locked_at = Some(if again { now } else { at });
                Verdict::Locked
            }
            (None, Some(_)) => {
                records.remove(&key);
                return verdict;
            }
            (None, None) => {
                record.failures += 1;
                record.last = now;
                record.locked_at = (record.failures >= rule.failures).then_some(now);
                Verdict::Wrong
            }
        };
        if records.len() >= COUNTED && !records.contains_key(&key) {
            let oldest = records.iter().min_by_key(|(_, record)| record.last).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                records.remove(&oldest);
            }
        }
        records.insert(key, record);
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOMCAT: LockOut = LockOut { failures: 5, window: 0, locked: 300, prolonged: true, strangers: true };

    fn accounts(rule: LockOut) -> Accounts {
        Accounts::new(vec![("Root".into(), "a:b".into()), ("guest".into(), String::new())], rule)
    }

    #[test]
    fn only_an_accounts_own_password_opens_it() {
        let accounts = accounts(LockOut::NONE);
        assert_eq!(accounts.judge(b"root", b"a:b", 0), Verdict::In("Root".into()));
        assert_eq!(accounts.judge(b"guest", b"", 0), Verdict::In("guest".into()));
        assert_eq!(accounts.judge(b"root", b"", 0), Verdict::Wrong);
        assert_eq!(accounts.judge(b"guest", b"a:b", 0), Verdict::Wrong);
        assert_eq!(accounts.judge(b"", b"", 0), Verdict::Wrong);
        assert_eq!(Accounts::new(vec![], TOMCAT).judge_password(b"", 0), Verdict::Wrong);
    }

    #[test]
    fn an_account_locks_and_opens_again() {
        let accounts = accounts(TOMCAT);
        for _ in 0..5 {
            assert_eq!(accounts.judge(b"root", b"x", 100), Verdict::Wrong);
        }
        assert_eq!(accounts.judge(b"root", b"a:b", 101), Verdict::Locked);
        // A failure in between makes it longer, a right password does not.
        assert_eq!(accounts.judge(b"root", b"x", 200), Verdict::Locked);
        assert_eq!(accounts.judge(b"root", b"a:b", 499), Verdict::Locked);
        assert_eq!(accounts.judge(b"root", b"a:b", 500), Verdict::In("Root".into()));
        assert_eq!(accounts.judge(b"guest", b"", 101), Verdict::In("guest".into()));
    }

    #[test]
    fn failures_fade_where_the_product_forgets_them() {
        let rule = LockOut { failures: 2, window: 60, locked: 60, prolonged: false, strangers: false };
        let accounts = accounts(rule);
        assert_eq!(accounts.judge(b"root", b"x", 0), Verdict::Wrong);
        assert_eq!(accounts.judge(b"root", b"x", 60), Verdict::Wrong);
        assert_eq!(accounts.judge(b"root", b"a:b", 61), Verdict::In("Root".into()));
        for _ in 0..9 {
            assert_eq!(accounts.judge(b"nobody", b"x", 70), Verdict::Wrong);
        }
    }

    #[test]
    fn the_names_that_are_counted_are_bounded() {
        let accounts = accounts(TOMCAT);
        for number in 0..COUNTED as i64 * 2 {
            accounts.judge(format!("user{number}").as_bytes(), b"x", number);
        }
        accounts.judge(&[b'a'; 4096], b"x", 0);
        assert_eq!(accounts.records.lock().unwrap().len(), COUNTED);
    }
}

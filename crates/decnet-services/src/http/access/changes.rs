//! What intruders left behind: deployed applications, plugins, settings.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// Most things that stay; the oldest makes room.
const OBJECTS: usize = 512;
/// Most bytes of one name and its value; what is longer is cut.
const LENGTH: usize = 4096;

/// Names and values, in the order in which they came.
#[derive(Default)]
pub(in super::super) struct Changes(Mutex<VecDeque<(String, String)>>);

fn cut(text: &str) -> String {
    text.chars().take(LENGTH / 4).collect()
}

impl Changes {
    /// Keeps a value and gives the one that was there.
    pub(in super::super) fn set(&self, name: &str, value: &str) -> Option<String> {
        let (name, value) = (cut(name), cut(value));
        self.with(|kept| {
            if let Some((_, held)) = kept.iter_mut().find(|(held, _)| *held == name) {
                return Some(std::mem::replace(held, value));
            }
            if kept.len() >= OBJECTS {
                kept.pop_front();
            }
            kept.push_back((name, value));
            None
        })
    }

    /// The value of that name.
    pub(in super::super) fn get(&self, name: &str) -> Option<String> {
        let name = cut(name);
        self.with(|kept| kept.iter().find(|(held, _)| *held == name).map(|(_, value)| value.clone()))
    }

    /// Takes a value away.
    pub(in super::super) fn remove(&self, name: &str) -> Option<String> {
        let name = cut(name);
        self.with(|kept| {
            let at = kept.iter().position(|(held, _)| *held == name)?;
            kept.remove(at).map(|(_, value)| value)
        })
    }

    /// What stands under a beginning of names: the rest of each name, and its value.
    pub(in super::super) fn under(&self, beginning: &str) -> Vec<(String, String)> {
        self.with(|kept| {
            kept.iter()
                .filter_map(|(name, value)| Some((name.strip_prefix(beginning)?.to_owned(), value.clone())))
                .collect()
        })
    }

    fn with<T>(&self, use_them: impl FnOnce(&mut VecDeque<(String, String)>) -> T) -> T {
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_within_bounds() {
        let changes = Changes::default();
        assert_eq!(changes.set("a/1", "x"), None);
        assert_eq!(changes.set("a/1", "y").as_deref(), Some("x"));
        assert_eq!(changes.under("a/"), vec![("1".to_owned(), "y".to_owned())]);
        assert_eq!(changes.remove("a/1").as_deref(), Some("y"));
        for number in 0..OBJECTS * 2 {
            changes.set(&number.to_string(), &"€".repeat(LENGTH));
        }
        let kept = changes.under("");
        assert_eq!(kept.len(), OBJECTS);
        assert!(kept.iter().all(|(_, value)| value.len() <= LENGTH));
    }
}

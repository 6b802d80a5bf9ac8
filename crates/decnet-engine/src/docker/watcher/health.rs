//! What happens to containers, told apart from what intruders do.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use decnet_logging::event::timestamp;
use serde::Serialize;

use super::append;
use super::mend::Happening;
use crate::native::keeper::report;

/// The file, in the state directory.
pub(in super::super) const HEALTH_FILE: &str = "health.jsonl";
/// Bytes after which it is moved aside; one earlier file is kept.
const LIMIT: u64 = 4 << 20;

/// The file of what happens to containers.
pub(super) struct Health {
    path: PathBuf,
}

/// A line of it.
#[derive(Serialize)]
struct Line<'a> {
    ts: String,
    fleet: &'a str,
    decky: &'a str,
    role: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<&'a str>,
}

impl Health {
    pub(super) fn new(path: PathBuf) -> Health {
        Health { path }
    }

    /// Tells of it.
    pub(super) fn happened(&self, fleet: &str, happening: &Happening) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = Line {
            ts: timestamp::format(i64::try_from(now.as_micros()).unwrap_or_default()),
            fleet,
            decky: &happening.decky,
            role: &happening.role,
            service: happening.service.as_deref(),
            event: &happening.action,
            exit_code: happening.exit_code.as_deref(),
        };
        let written = serde_json::to_vec(&line).map_err(std::io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            if std::fs::metadata(&self.path).is_ok_and(|now| now.len() > LIMIT) {
                std::fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
            }
            append(&self.path, &line)
        });
        if let Err(error) = written {
            report::operator(&format!("{}: {error}", self.path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(HEALTH_FILE);
        let health = Health::new(path.clone());
        let happening = Happening {
            decky: "decky-01".into(),
            role: "base".into(),
            service: None,
            action: "die".into(),
            exit_code: Some("137".into()),
        };
        std::fs::write(&path, vec![b'\n'; LIMIT as usize + 1]).unwrap();
        health.happened("fleet", &happening);
        health.happened("fleet", &happening);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains(r#""decky":"decky-01","role":"base","event":"die","exit_code":"137""#),
            "{text}"
        );
        assert!(path.with_extension("jsonl.1").exists());
    }
}

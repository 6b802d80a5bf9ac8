//! `decnet events artifact`: a kept file, a mail, a recorded terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use decnet_engine::native::RunDirectory;
use decnet_logging::artifact::{Digest, find};
use serde::Serialize;
use sha2::Digest as _;

use crate::failure::Failure;
use crate::output::{self, Outcome, Report, Shown};
use crate::terminal::Terminal;

/// Artifacts with the same beginning that are named.
const NAMED: usize = 10;

/// Writes one artifact to a file, or to a standard output that is no terminal.
pub(super) fn run(
    wanted: &str,
    to: Option<&Path>,
    state: &Path,
    terminal: &Terminal,
) -> Result<Outcome, Failure> {
    let wanted = wanted.to_ascii_lowercase();
    if !(4..=64).contains(&wanted.len()) || !wanted.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::Usage(format!(
            "`{}` is no SHA-256; write its 64 hexadecimal digits, or at least the first four of them",
            wanted.escape_debug()
        )));
    }
    let directory = RunDirectory::of(state).artifacts();
    let found =
        find(&directory, &wanted, NAMED).map_err(|error| Failure::file("read", &directory, &error))?;
    let (digest, path) = match &found[..] {
        [] => return Err(Failure::Failed(format!("no artifact {wanted} is kept"))),
        [one] => one,
        several => {
            let all: Vec<String> = several.iter().map(|(digest, _)| digest.to_string()).collect();
            return Err(Failure::Usage(format!("{wanted} begins several artifacts:\n{}", all.join("\n"))));
        }
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| file.read_to_end(&mut bytes))
        .map_err(|error| Failure::file("read", path, &error))?;
    // A crash of this machine may have cut it short.
    if Digest(sha2::Sha256::digest(&bytes).into()) != *digest {
        return Err(Failure::Failed(format!(
            "the artifact {digest} is damaged: its bytes have another hash"
        )));
    }
    let Some(to) = to else {
        if terminal.is_seen() {
            return Err(Failure::Usage(
                "an artifact may be anything, also what a terminal obeys: write it to a file with -o, or pipe it"
                    .to_owned(),
            ));
        }
        terminal.write_bytes(&bytes);
        return Ok(Outcome::done(Shown));
    };
    // Not over another file, and never executable.
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .and_then(|mut file| file.write_all(&bytes))
        .map_err(|error| Failure::file("write", to, &error))?;
    let file = to.display().to_string();
    Ok(Outcome::done(Written { sha256: digest.to_string(), size: bytes.len() as u64, file }))
}

/// The answer.
#[derive(Serialize)]
struct Written {
    sha256: String,
    size: u64,
    file: String,
}

impl Report for Written {
    fn json(&self) -> Option<serde_json::Result<String>> {
        output::json(self)
    }

    fn human(&self) -> String {
        format!("{} bytes to {}; handle it as what it is: an intruder's\n", self.size, self.file)
    }
}

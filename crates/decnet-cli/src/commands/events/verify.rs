//! `decnet events verify`.

use std::path::{Path, PathBuf};

use decnet_engine::native::RunDirectory;
use decnet_logging::event::timestamp;
use decnet_logging::journal::{Break, Hash, Verified, VerifyError, verify};
use serde::Serialize;

use crate::arguments::Verify;
use crate::failure::{Failure, exit};
use crate::output::{Outcome, Report, count, json};

/// What was checked, or the first place where the chain is broken.
#[derive(Serialize)]
#[serde(tag = "chain", rename_all = "snake_case")]
enum Answer {
    Whole {
        journal: PathBuf,
        #[serde(flatten)]
        verified: Verified,
    },
    Broken {
        journal: PathBuf,
        #[serde(flatten)]
        found: Break,
    },
}

/// Walks the whole chain.
pub(super) fn run(arguments: &Verify, state: &Path) -> Result<Outcome, Failure> {
    let journal = arguments.journal.clone().unwrap_or_else(|| RunDirectory::of(state).events());
    let wanted = arguments.contains.as_deref().map(str::parse::<Hash>).transpose();
    let wanted = wanted.map_err(|error| Failure::Usage(format!("--contains: {error}")))?;
    match verify(&journal, wanted) {
        Ok(verified) => {
            let code = if verified.contains == Some(false) { exit::FAILED } else { exit::DONE };
            Ok(Outcome::done(Answer::Whole { journal, verified }).with_code(code))
        }
        Err(VerifyError::Broken(found)) => {
            Ok(Outcome::done(Answer::Broken { journal, found }).with_code(exit::FAILED))
        }
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}

impl Report for Answer {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        match self {
            Answer::Broken { found, .. } => format!(
                "the journal is broken\n  segment  {}\n  byte     {}\n  event    {}\n  {}\n",
                found.segment.display(),
                found.offset,
                found.seq,
                found.damage
            ),
            Answer::Whole { journal, verified } => whole(journal, verified),
        }
    }
}

fn whole(journal: &Path, verified: &Verified) -> String {
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let mut text = format!(
        "{}: the chain is whole\n  {}, {}\n",
        journal.display(),
        count(number(verified.segments), "segment"),
        count(number(verified.records), "event")
    );
    for (word, end) in [("first", verified.first), ("last ", verified.last)] {
        if let Some((seq, time)) = end {
            text.push_str(&format!("  {word}      {seq}, {}\n", timestamp::format(time)));
        }
    }
    text.push_str(&format!("  last hash  {}\n", verified.last_hash));
    if verified.first.is_some_and(|(seq, _)| seq > 1) {
        text.push_str("  older events have been removed with their segments\n");
    }
    if verified.torn > 0 {
        text.push_str(&format!(
            "  the last {} bytes are no whole line: being written now, torn by a crash, or cut\n",
            verified.torn
        ));
    }
    if let Some(had) = verified.had {
        text.push_str(&format!(
            "  events up to {had} were delivered and are not here: the end was cut off, or lost by a crash of the machine\n"
        ));
    }
    match verified.contains {
        Some(true) => text.push_str("  the hash asked for is that of a line\n"),
        Some(false) => text.push_str("  THE HASH ASKED FOR IS NOT HERE: its line was changed or removed\n"),
        None => {}
    }
    text
}

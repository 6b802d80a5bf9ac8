//! `decnet doctor`.

use std::path::Path;

use decnet_core::state;
use decnet_engine::doctor::{Finding, Verdict, examine};
use decnet_engine::native::NativeEngine;
use serde::Serialize;

use super::status;
use crate::arguments::Doctor;
use crate::failure::exit;
use crate::output::{Outcome, Report, json};
use crate::table::table;

#[derive(Serialize)]
struct Examined {
    findings: Vec<Finding>,
}

/// Looks at this machine. What limits a fleet is an answer; what forbids one is a failure.
pub(crate) fn run(arguments: &Doctor, directory: &Path) -> Outcome {
    // Who may not read the state has deployed nothing.
    let deployed = state::peek(directory).unwrap_or_default();
    let deployed = deployed.as_ref().map(|state| {
        let runs = match state.engine {
            state::Engine::Native => NativeEngine::new(directory).is_running(),
            state::Engine::Docker => status::docker(directory, &state.plan).is_ok_and(|fleet| {
                fleet.deckies.iter().any(|decky| decky.health != decnet_engine::Health::Down)
            }),
        };
        (&state.plan, runs)
    });
    let findings = examine(arguments.interface.as_deref(), deployed);
    let code = match findings.iter().map(|finding| finding.verdict).max() {
        Some(Verdict::Missing) => exit::FAILED,
        Some(Verdict::Limited) => exit::PARTLY,
        Some(Verdict::Good) | None => exit::DONE,
    };
    Outcome::done(Examined { findings }).with_code(code)
}

impl Report for Examined {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let rows = self.findings.iter().map(|finding| {
            [
                finding.subject.clone(),
                finding.verdict.to_string(),
                finding.found.clone(),
                finding.remedy.clone().unwrap_or_default(),
            ]
        });
        table(["what", "verdict", "found", "remedy"], rows)
    }
}

//! `decnet teardown`.

use std::path::Path;

use decnet_core::state::{self, StateDir};
use decnet_engine::docker::DockerEngine;
use decnet_engine::native::NativeEngine;
use decnet_engine::{Engine, Scope};
use serde::Serialize;

use super::{catalogue_of_all, compose};
use crate::arguments::Teardown;
use crate::failure::{Failure, exit};
use crate::output::{Outcome, Report, json};

#[derive(Serialize)]
struct TornDown {
    removed: Vec<String>,
    problems: Vec<String>,
}

/// Takes the fleet, or one decky, away.
pub(crate) fn run(arguments: &Teardown, path: &Path) -> Result<Outcome, Failure> {
    // A directory that we may not look into is not an empty one; opening it says why.
    if matches!(path.try_exists(), Ok(false)) {
        return Ok(Outcome::done(TornDown { removed: Vec::new(), problems: Vec::new() }));
    }
    let directory = StateDir::open(path)?;
    let state = directory.load()?;
    let native = NativeEngine::new(path);
    let docker = DockerEngine::new(path, compose::platform(&catalogue_of_all()));
    let Some(mut state) = state else {
        // Without a state there may still be what a crash left of either engine.
        let mut problems = docker.teardown(&Scope::All)?;
        problems.extend(native.teardown(&Scope::All)?);
        directory.remove()?;
        let code = if problems.is_empty() { exit::DONE } else { exit::PARTLY };
        return Ok(Outcome::done(TornDown { removed: Vec::new(), problems }).with_code(code));
    };
    let engine: &dyn Engine = match state.engine {
        state::Engine::Native => &native,
        state::Engine::Docker => &docker,
    };
    let known: Vec<String> = state.plan.deckies.iter().map(|decky| decky.name.clone()).collect();
    let (removed, problems) = match &arguments.id {
        None => {
            let problems = engine.teardown(&Scope::All)?;
            directory.remove()?;
            (known, problems)
        }
        Some(name) => {
            if !known.contains(name) {
                return Err(Failure::Usage(format!(
                    "there is no decky `{name}`; there are {}",
                    known.join(", ")
                )));
            }
            let problems = engine.teardown(&Scope::Deckies(vec![name.clone()]))?;
            state.plan.deckies.retain(|decky| decky.name != *name);
            directory.save(&state)?;
            (vec![name.clone()], problems)
        }
    };
    let code = if problems.is_empty() { exit::DONE } else { exit::PARTLY };
    Ok(Outcome::done(TornDown { removed, problems }).with_code(code))
}

impl Report for TornDown {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let mut text = match self.removed.as_slice() {
            [] => "nothing was deployed\n".to_owned(),
            [one] => format!("{one} is gone\n"),
            all => format!("{} deckies are gone\n", all.len()),
        };
        for problem in &self.problems {
            text.push_str(&format!("left behind: {problem}\n"));
        }
        text
    }
}

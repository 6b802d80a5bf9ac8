//! `decnet status`.

use std::path::Path;

use decnet_core::{Plan, state};
use decnet_engine::docker::DockerEngine;
use decnet_engine::native::NativeEngine;
use decnet_engine::{Engine, EngineError, FleetStatus, Health};
use serde::Serialize;

use super::{catalogue_of_all, compose};
use crate::failure::{Failure, exit};
use crate::output::{Outcome, Report, json};
use crate::table::table;

#[derive(Serialize)]
struct Status {
    deployed: bool,
    #[serde(flatten)]
    fleet: Option<FleetStatus>,
}

/// What really runs.
pub(crate) fn run(directory: &Path) -> Result<Outcome, Failure> {
    let Some(state) = state::peek(directory)? else {
        return Ok(Outcome::done(Status { deployed: false, fleet: None }));
    };
    let fleet = match state.engine {
        state::Engine::Native => NativeEngine::new(directory).status(&state.plan)?,
        state::Engine::Docker => docker(directory, &state.plan)?,
    };
    let code = if fleet.health == Health::Up { exit::DONE } else { exit::PARTLY };
    Ok(Outcome::done(Status { deployed: true, fleet: Some(fleet) }).with_code(code))
}

/// What Docker says of a fleet.
pub(crate) fn docker(directory: &Path, plan: &Plan) -> Result<FleetStatus, EngineError> {
    DockerEngine::new(directory, compose::platform(&catalogue_of_all())).status(plan)
}

impl Report for Status {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let Some(fleet) = &self.fleet else { return "nothing is deployed\n".to_owned() };
        let rows = fleet.deckies.iter().map(|decky| {
            let services: Vec<String> = decky
                .services
                .iter()
                .map(|service| match service.health {
                    Health::Up => service.slug.clone(),
                    health => format!("{} ({health})", service.slug),
                })
                .collect();
            let health = match &decky.reason {
                Some(reason) => format!("{}: {reason}", decky.health),
                None => decky.health.to_string(),
            };
            [
                decky.name.clone(),
                decky.address.to_string(),
                decky.mac.to_string(),
                decky.hostname.clone(),
                decky.os.clone(),
                services.join(", "),
                health,
            ]
        });
        let mut text = table(["decky", "address", "MAC", "host name", "system", "services", "state"], rows);
        let up = fleet.deckies.iter().filter(|decky| decky.health == Health::Up).count();
        text.push_str(&format!(
            "{} ({} engine): {}, {up} of {} deckies up\n",
            fleet.fleet,
            fleet.engine,
            fleet.health,
            fleet.deckies.len()
        ));
        for problem in &fleet.problems {
            text.push_str(&format!("problem: {problem}\n"));
        }
        text
    }
}

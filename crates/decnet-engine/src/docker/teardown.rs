//! Taking a fleet away: everything that was made, even after a crash, even when half of it is gone.

use std::collections::BTreeMap;

use super::compose;
use super::containers::{self, Container, Which};
use super::control::Watch;
use super::daemon::Daemon;
use super::record::{Place, Record};
use super::watcher::Link;
use super::{client, files, images, network};
use crate::error::EngineError;

/// Takes everything away. Returns what could not be.
pub(super) fn all(place: &Place, link: &Link) -> Result<Vec<String>, EngineError> {
    compose::end_left_over(place);
    let record = place.load();
    let mut problems = Vec::new();
    if record.is_some() || place.folder().exists() {
        let daemon = Daemon::connect()?;
        // While this holds, the watcher mends nothing. One that does not answer is ended before.
        let held = match (link.is_running(), &record) {
            (true, Some(record)) => {
                let watch = record.render(place).map(|rendered| client::watch(place, record, &rendered));
                watch.and_then(|watch| link.deploying(watch)).ok()
            }
            _ => None,
        };
        if held.is_none() {
            link.end()?;
        }
        let found = find(&daemon, place, record.as_ref())?;
        problems.extend(daemon.wait(containers::remove(&daemon.docker, &found, &mut |_| {})));
        let fleet = record.as_ref().map(|record| record.plan.fleet.as_str()).unwrap_or_default();
        problems.extend(daemon.wait(network::remove(&daemon.docker, fleet)));
        problems.extend(remove_images(&daemon));
    }
    // Last: what the services said before they went is written.
    link.end()?;
    problems.extend(place.remove());
    Ok(problems)
}

/// Removes every image of ours that nobody uses. The daemon goes on with a build for a moment after whoever
/// asked for it was killed, so what is found is looked for again.
fn remove_images(daemon: &Daemon) -> Vec<String> {
    /// How often, and how long a step of such a build may take.
    const ROUNDS: usize = 10;
    const STEP: std::time::Duration = std::time::Duration::from_millis(200);
    let mut problems = Vec::new();
    for _ in 0..ROUNDS {
        let cut_off = daemon.wait(images::remove_left_over_steps(&daemon.docker));
        let ours = daemon.wait(images::ours(&daemon.docker));
        problems = daemon.wait(images::remove(&daemon.docker, &ours));
        let unnamed = ours.iter().any(|image| image.starts_with("sha256:"));
        if !cut_off && !unnamed {
            break;
        }
        std::thread::sleep(STEP);
    }
    problems
}

/// The fleet's containers: by its name, and by the compose file they were made from.
fn find(daemon: &Daemon, place: &Place, record: Option<&Record>) -> Result<Vec<Container>, EngineError> {
    let mut found = BTreeMap::new();
    let folder = place.folder();
    let folder = folder.to_string_lossy();
    let mut queries = vec![Which::Directory(&folder)];
    queries.extend(record.map(|record| Which::Fleet(&record.plan.fleet)));
    for which in queries {
        for container in daemon.wait(containers::list(&daemon.docker, which))? {
            found.insert(container.id.clone(), container);
        }
    }
    Ok(found.into_values().collect())
}

/// Takes single deckies away; the others go on.
pub(super) fn some(place: &Place, link: &Link, names: &[String]) -> Result<Vec<String>, EngineError> {
    let Some(mut record) = place.load() else { return Ok(Vec::new()) };
    let daemon = Daemon::connect()?;
    record.plan.deckies.retain(|decky| !names.contains(&decky.name));
    let rendered = record.render(place)?;
    // A daemon without its watcher still loses its containers.
    let hold = |watch: Watch| link.is_running().then(|| link.deploying(watch)).transpose();
    let held = hold(client::watch(place, &record, &rendered))?;
    let mut problems = Vec::new();
    for name in names {
        let fleet = record.plan.fleet.clone();
        let found = daemon.wait(containers::list(&daemon.docker, Which::Decky(&fleet, name)))?;
        problems.extend(daemon.wait(containers::remove(&daemon.docker, &found, &mut |_| {})));
    }
    files::put(&place.compose_file(), rendered.compose.as_bytes(), 0o600)?;
    place.save(&record)?;
    files::sweep(place, &rendered);
    drop(held);
    Ok(problems)
}

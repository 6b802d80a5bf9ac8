//! The containers of a fleet, as the daemon tells of them.

use std::collections::HashMap;

use bollard::Docker;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, LogsOptions, RemoveContainerOptions,
    RestartContainerOptions,
};
use decnet_compose::layout;
use decnet_net::namespace;

use super::daemon::{is_moot, next, said, words};
use crate::error::EngineError;

/// Requests that remove containers at once: the daemon itself does few at a time.
const AT_ONCE: usize = 8;

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) decky: String,
    /// One of [`layout`]'s roles.
    pub(super) role: String,
    pub(super) service: Option<String>,
    /// What the daemon calls its state: `running`, `exited`, …
    pub(super) state: String,
    /// Its first process on this host, while it runs.
    pub(super) pid: Option<u32>,
    pub(super) restarts: u64,
    /// Why it is not running, where the daemon says so.
    pub(super) error: Option<String>,
    pub(super) exit_code: Option<i64>,
}

impl Container {
    /// The network namespace that it is in, while it runs.
    pub(super) fn namespace(&self) -> Option<u64> {
        self.pid.and_then(namespace::number_of)
    }

    /// How it ended, in words.
    pub(super) fn end(&self) -> String {
        match (&self.error, self.exit_code) {
            (Some(error), _) => error.clone(),
            (None, Some(code)) => format!("{} with exit code {code}", self.state),
            (None, None) => self.state.clone(),
        }
    }
}

/// Which containers.
#[derive(Clone, Debug)]
pub(super) enum Which<'a> {
    /// All of a fleet.
    Fleet(&'a str),
    /// Those of one of its deckies.
    Decky(&'a str, &'a str),
    /// All that compose made from a file in that directory.
    Directory(&'a str),
}

impl Which<'_> {
    fn filters(&self) -> HashMap<String, Vec<String>> {
        let labels = match self {
            Which::Fleet(fleet) => vec![format!("{}={fleet}", layout::LABEL_FLEET)],
            Which::Decky(fleet, decky) => {
                vec![format!("{}={fleet}", layout::LABEL_FLEET), format!("{}={decky}", layout::LABEL_DECKY)]
            }
            Which::Directory(directory) => vec![
                layout::LABEL_FLEET.to_owned(),
                format!("com.docker.compose.project.working_dir={directory}"),
            ],
        };
        HashMap::from([("label".to_owned(), labels)])
    }
}

/// Lists containers, running or not, by name.
pub(super) async fn list(docker: &Docker, which: Which<'_>) -> Result<Vec<Container>, EngineError> {
    let options = ListContainersOptions { all: true, filters: Some(which.filters()), ..Default::default() };
    let found = docker.list_containers(Some(options)).await.map_err(said("list the fleet's containers"))?;
    let mut containers = Vec::with_capacity(found.len());
    for summary in found {
        let Some(id) = summary.id else { continue };
        if let Some(container) = inspect(docker, &id).await? {
            containers.push(container);
        }
    }
    containers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(containers)
}

/// How many run.
pub(super) async fn running(docker: &Docker, which: Which<'_>) -> Result<usize, EngineError> {
    let options = ListContainersOptions { filters: Some(which.filters()), ..Default::default() };
    let found = docker.list_containers(Some(options)).await.map_err(said("list the fleet's containers"))?;
    Ok(found.len())
}

/// Looks at one; `None` where it is gone.
pub(super) async fn inspect(docker: &Docker, id: &str) -> Result<Option<Container>, EngineError> {
    let found = match docker.inspect_container(id, None::<InspectContainerOptions>).await {
        Ok(found) => found,
        Err(error) if is_moot(&error) => return Ok(None),
        Err(error) => return Err(said("look at a container")(error)),
    };
    let mut labels = found.config.and_then(|config| config.labels).unwrap_or_default();
    let state = found.state.unwrap_or_default();
    let mut label = |name: &str| labels.remove(name);
    Ok(Some(Container {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        decky: label(layout::LABEL_DECKY).unwrap_or_default(),
        role: label(layout::LABEL_ROLE).unwrap_or_default(),
        service: label(layout::LABEL_SERVICE),
        state: state.status.map(|status| status.to_string()).unwrap_or_default(),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
        restarts: found.restart_count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default(),
        error: state.error.filter(|error| !error.is_empty()),
        exit_code: state.exit_code,
    }))
}

/// Removes containers, running or not. Returns what could not be removed.
pub(super) async fn remove(
    docker: &Docker,
    containers: &[Container],
    done: &mut dyn FnMut(usize),
) -> Vec<String> {
    let mut problems = Vec::new();
    // What lives in a namespace goes before what owns it.
    let (bases, others): (Vec<_>, Vec<_>) =
        containers.iter().partition(|container| container.role == layout::ROLE_BASE);
    let mut count = 0;
    for some in others.chunks(AT_ONCE).chain(bases.chunks(AT_ONCE)) {
        let mut requests = tokio::task::JoinSet::new();
        for container in some {
            let (docker, id, name) = (docker.clone(), container.id.clone(), container.name.clone());
            requests.spawn(async move {
                let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
                match docker.remove_container(&id, Some(options)).await {
                    Err(error) if !is_moot(&error) => Some(format!("container {name}: {}", words(&error))),
                    _ => None,
                }
            });
        }
        while let Some(joined) = requests.join_next().await {
            problems.extend(joined.ok().flatten());
            count += 1;
            done(count);
        }
    }
    // Somebody else was removing them already: what matters is that they are gone.
    let mut left = Vec::new();
    for problem in problems {
        let still = containers
            .iter()
            .find(|container| problem.starts_with(&format!("container {}:", container.name)));
        if let Some(container) = still
            && is_gone(docker, &container.id).await
        {
            continue;
        }
        left.push(problem);
    }
    left
}

/// Whether a container goes within a moment.
async fn is_gone(docker: &Docker, id: &str) -> bool {
    for _ in 0..50 {
        if matches!(inspect(docker, id).await, Ok(None)) {
            return true;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    false
}

/// The last line that a container printed; none where it printed nothing.
pub(super) async fn last_word(docker: &Docker, id: &str) -> Option<String> {
    /// Characters of it that are kept.
    const KEPT: usize = 200;
    let options = LogsOptions { stdout: true, stderr: true, tail: "1".to_owned(), ..Default::default() };
    let mut output = Box::pin(docker.logs(id, Some(options)));
    let mut last = None;
    while let Some(Ok(piece)) = next(&mut output).await {
        let text = String::from_utf8_lossy(&piece.into_bytes()).trim().to_owned();
        last = Some(text).filter(|text| !text.is_empty()).or(last);
    }
    // Whatever printed it may be a stranger's: no control character of it reaches a terminal.
    last.map(|text| text.chars().take(KEPT).map(|c| if c.is_control() { '?' } else { c }).collect())
}

/// Starts a container again at once, in its base's present namespace.
pub(super) async fn restart(docker: &Docker, container: &Container) -> Result<(), EngineError> {
    let options = RestartContainerOptions { t: Some(0), ..Default::default() };
    match docker.restart_container(&container.id, Some(options)).await {
        Err(error) if !is_moot(&error) => {
            Err(said(format!("restart the container {}", container.name))(error))
        }
        _ => Ok(()),
    }
}

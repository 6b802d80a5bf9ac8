//! Following Docker's events, and mending what Docker leaves broken.
//!
//! A base that is started again has a new network namespace; its services stay in the old one, where nobody
//! reaches them, and Docker calls them up.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use bollard::Docker;
use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, StartContainerOptions};
use decnet_compose::layout;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::containers::{self, Container, Which};
use super::super::daemon;
use super::News;
use crate::error::EngineError;
use crate::native::keeper::report;

/// How long a daemon that went away is waited for before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long Docker's own restart of a container is waited for.
const DOCKERS_TURN: Duration = Duration::from_millis(400);
/// How often a decky is looked after in a row before the next event is waited for.
const ROUNDS: usize = 5;

/// Something that happened to a container of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Happening {
    pub(super) decky: String,
    pub(super) role: String,
    pub(super) service: Option<String>,
    /// `start`, `die`, `oom`, …, as Docker calls it.
    pub(super) action: String,
    pub(super) exit_code: Option<String>,
}

impl Happening {
    fn of(message: EventMessage) -> Option<Happening> {
        let mut attributes = message.actor?.attributes?;
        Some(Happening {
            decky: attributes.remove(layout::LABEL_DECKY)?,
            role: attributes.remove(layout::LABEL_ROLE)?,
            service: attributes.remove(layout::LABEL_SERVICE),
            action: message.action?,
            exit_code: attributes.remove("exitCode"),
        })
    }

    /// Whether something may have to be mended: a base with a new namespace, or anything that ended.
    pub(super) fn concerns_us(&self) -> bool {
        self.action == "die" || (self.action == "start" && self.role == layout::ROLE_BASE)
    }
}

/// Follows events and mends deckies, each in a task of its own.
pub(super) struct Mender {
    news: mpsc::Sender<News>,
    socket: PathBuf,
    following: Option<JoinHandle<()>>,
    /// The deckies that are looked after right now; whether something more happened to them meanwhile.
    busy: BTreeMap<String, bool>,
}

impl Mender {
    pub(super) fn new(news: mpsc::Sender<News>) -> Result<Mender, EngineError> {
        Ok(Mender { news, socket: daemon::socket()?, following: None, busy: BTreeMap::new() })
    }

    /// Follows the events of that fleet's containers, and of no other's.
    pub(super) fn follow(&mut self, fleet: &str) {
        let task = tokio::spawn(follow(self.socket.clone(), fleet.to_owned(), self.news.clone()));
        if let Some(before) = self.following.replace(task) {
            before.abort();
        }
    }

    /// Looks after a decky, now or as soon as the task that already does is done.
    pub(super) fn mend(&mut self, fleet: &str, decky: String) {
        if let Some(again) = self.busy.get_mut(&decky) {
            *again = true;
            return;
        }
        self.busy.insert(decky.clone(), false);
        let (socket, fleet, news) = (self.socket.clone(), fleet.to_owned(), self.news.clone());
        tokio::spawn(async move {
            if let Err(error) = mend(&socket, &fleet, &decky).await {
                report::operator(&format!("{decky}: {error}"));
            }
            let _ = news.send(News::Mended(decky)).await;
        });
    }

    /// A task is done. Whether something more happened to its decky meanwhile.
    pub(super) fn mended(&mut self, decky: &str) -> bool {
        self.busy.remove(decky) == Some(true)
    }

    /// Whether no decky is looked after right now.
    pub(super) fn is_idle(&self) -> bool {
        self.busy.is_empty()
    }
}

async fn follow(socket: PathBuf, fleet: String, news: mpsc::Sender<News>) {
    let mut told = false;
    loop {
        match follow_once(&socket, &fleet, &news).await {
            Ok(()) => told = false,
            Err(error) if !told => {
                report::operator(&error.to_string());
                told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Until the daemon ends the stream.
async fn follow_once(
    socket: &std::path::Path,
    fleet: &str,
    news: &mpsc::Sender<News>,
) -> Result<(), EngineError> {
    let docker = daemon::open(socket).await?;
    let filters = HashMap::from([
        ("type".to_owned(), vec!["container".to_owned()]),
        ("label".to_owned(), vec![format!("{}={fleet}", layout::LABEL_FLEET)]),
        ("event".to_owned(), ["start", "die", "oom", "destroy"].map(str::to_owned).to_vec()),
    ]);
    let options = EventsOptions { filters: Some(filters), ..Default::default() };
    let mut events = Box::pin(docker.events(Some(options)));
    // The request goes out with the first poll: what happens after that is heard.
    let _ = news.send(News::Following).await;
    while let Some(event) = daemon::next(&mut events).await {
        let event = event.map_err(daemon::said("follow the daemon's events"))?;
        if let Some(happening) = Happening::of(event) {
            let _ = news.send(News::Container(happening)).await;
        }
    }
    Ok(())
}

/// Brings a decky's containers together in the namespace of its base.
async fn mend(socket: &std::path::Path, fleet: &str, decky: &str) -> Result<(), EngineError> {
    let docker = daemon::open(socket).await?;
    for round in 0..ROUNDS {
        let all = containers::list(&docker, Which::Decky(fleet, decky)).await?;
        let Some(base) = all.iter().find(|container| container.role == layout::ROLE_BASE) else {
            return Ok(());
        };
        let Some(home) = base.namespace() else {
            // Docker restarts what ended by itself; what was stopped or killed through it, we do.
            tokio::time::sleep(DOCKERS_TURN).await;
            let now = containers::inspect(&docker, &base.id).await?;
            if now.is_some_and(|now| now.pid.is_none() && now.state != "restarting") {
                start(&docker, base).await?;
            }
            continue;
        };
        let astray: Vec<&Container> = all
            .iter()
            .filter(|container| container.role != layout::ROLE_BASE && container.namespace() != Some(home))
            // One that Docker is about to start again, it starts in the right place.
            .filter(|container| container.pid.is_some() || container.state != "restarting" || round > 1)
            .collect();
        if astray.is_empty() {
            return Ok(());
        }
        // The guard first: services serve only behind it.
        let (guards, others): (Vec<&Container>, Vec<&Container>) =
            astray.into_iter().partition(|container| container.role == layout::ROLE_GUARD);
        let mut requests = tokio::task::JoinSet::new();
        for container in guards.into_iter().chain(others) {
            let (docker, container) = (docker.clone(), container.clone());
            requests.spawn(async move {
                match container.pid {
                    Some(_) => containers::restart(&docker, &container).await,
                    None => start(&docker, &container).await,
                }
            });
        }
        while let Some(joined) = requests.join_next().await {
            if let Ok(Err(error)) = joined {
                report::operator(&format!("{decky}: {error}"));
            }
        }
    }
    Ok(())
}

async fn start(docker: &Docker, container: &Container) -> Result<(), EngineError> {
    match docker.start_container(&container.id, None::<StartContainerOptions>).await {
        Err(error) if !daemon::is_moot(&error) => {
            Err(daemon::said(format!("start the container {}", container.name))(error))
        }
        _ => Ok(()),
    }
}

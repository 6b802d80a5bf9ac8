//! `decnet lab`: the same deployment in a LAN in a box, and a seat for the attacker.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use decnet_engine::native::{NativeEngine, RunDirectory};
use decnet_engine::{Engine, Scope, lab};
use decnet_logging::coalesce::Coalesce;
use decnet_logging::event::{Body, Event};
use decnet_logging::reader::{Filter, Reader};
use decnet_net::NetError;
use decnet_net::lab::{HOST_INTERFACE, Layout};
use serde::Serialize;

use super::plan_view::plan_table;
use super::{deploy, events, visit};
use crate::arguments::{Deploy, Lab};
use crate::config;
use crate::failure::{Failure, exit};
use crate::output::{Outcome, Report, json};
use crate::terminal::Terminal;

/// How long after the attack what the wire gathered is waited for.
const AFTERMATH: Duration = Duration::from_millis(1100);
/// Events shown at the end; the rest are counted.
const SHOWN: usize = 60;

#[derive(Serialize)]
struct Attacked {
    attacker: String,
    exit_code: Option<i32>,
    events: Vec<Event>,
    events_file: Option<PathBuf>,
}

/// Builds the box, deploys in it, runs the attacker, tells what was trapped, and takes everything away.
pub(crate) fn run(arguments: &Lab, state: Option<&Path>, terminal: &Terminal) -> Result<Outcome, Failure> {
    let mut deployment = arguments.deploy.clone();
    if deployment.dry_run {
        return Err(Failure::Usage(
            "a lab is for trying; for a dry run there is `decnet deploy --dry-run`".to_owned(),
        ));
    }
    let layout = layout(&deployment)?;
    // Before anything else starts a thread: a user namespace can only be entered alone.
    let built = lab::build(layout.clone())?;
    let scratch =
        tempfile::tempdir().map_err(|error| Failure::Failed(format!("make a directory: {error}")))?;
    let directory = state.map_or_else(|| scratch.path().join("state"), Path::to_owned);
    deployment.interface = Some(HOST_INTERFACE.to_owned());
    deployment.subnet = Some(layout.subnet.to_string());
    deployment.gateway = Some(layout.host.to_string());
    let engine = NativeEngine::new(&directory);
    let deployed = {
        // On a thread that lives in the box: everything the deployment starts is born there.
        let mut result = None;
        built.host.run(|| {
            result = Some(deploy::deploy(&deployment, &directory, terminal));
            Ok::<(), NetError>(())
        })?;
        result.unwrap_or_else(|| Err(Failure::Failed("the deployment was not run".to_owned())))?
    };
    terminal.note(plan_table(&deployed.plan).trim_end());
    let exit_code = if arguments.visit {
        let mut visited = Vec::new();
        built.attacker.run(|| {
            visited = visit::visit(&deployed.plan);
            Ok::<(), NetError>(())
        })?;
        terminal.note(visit::table_of(&visited).trim_end());
        Some(0)
    } else {
        let command = match arguments.attack.as_slice() {
            [] => {
                terminal.note(&format!(
                    "you are the attacker, {} on {}; leaving the shell ends the lab",
                    layout.attacker, layout.subnet
                ));
                vec![std::env::var_os("SHELL").unwrap_or_else(|| OsString::from("/bin/sh"))]
            }
            command => command.to_vec(),
        };
        lab::attack(&built, &command, scratch.path())?.code()
    };
    std::thread::sleep(AFTERMATH);
    let problems = engine.teardown(&Scope::All)?;
    for problem in problems {
        terminal.warn(&problem);
    }
    let file = RunDirectory::of(&directory).events();
    let events = read_all(&file)?;
    if let Ok(kept) = decnet_core::state::StateDir::open(&directory) {
        kept.remove()?;
    }
    let events_file = state.map(|_| file);
    let attacked = Attacked { attacker: layout.attacker.to_string(), exit_code, events, events_file };
    // What the attacker's tool made of it is the answer's own matter, unless it could not run.
    let code = if exit_code == Some(127) { exit::FAILED } else { exit::DONE };
    Ok(Outcome::done(attacked).with_code(code))
}

/// The LAN in the box: the usual one, or that of the flag or config.
fn layout(deployment: &Deploy) -> Result<Layout, Failure> {
    let (request, _) = match (&deployment.subnet, &deployment.config) {
        (None, Some(_)) => config::request(deployment)?,
        _ => Default::default(),
    };
    let wished = deployment.subnet.clone().or(request.general.net.map(|net| net.value));
    match wished {
        None => Ok(Layout::default()),
        Some(text) => {
            let subnet: ipnet::Ipv4Net =
                text.parse().map_err(|_| Failure::Usage(format!("--subnet: `{text}` is not a network")))?;
            Ok(Layout::on(subnet.trunc())?)
        }
    }
}

fn read_all(file: &Path) -> Result<Vec<Event>, Failure> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let failed = |error: std::io::Error| Failure::file("read", file, &error);
    let mut reader = Reader::open(file, Filter::default()).map_err(failed)?;
    let mut all = Vec::new();
    while let Some(event) = reader.next_event().map_err(failed)? {
        all.push(event);
    }
    all.extend(reader.finish());
    // What the fleet says of its own health is not what was trapped.
    all.retain(|event| !events::is_health(event));
    Ok(all)
}

impl Report for Attacked {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let mut text = format!("\nwhat was trapped ({} events):\n", self.events.len());
        let mut lines = Vec::new();
        let mut story = Coalesce::default();
        let trapped =
            self.events.iter().filter(|event| !matches!(event.report.body, Body::ScanSummary { .. }));
        trapped.for_each(|event| story.push(event.clone(), |line| lines.push(events::human::line(&line))));
        story.finish(|line| lines.push(events::human::line(&line)));
        for line in lines.iter().take(SHOWN) {
            text.push_str(line);
            text.push('\n');
        }
        if lines.len() > SHOWN {
            text.push_str(&format!("… and {} more", lines.len() - SHOWN));
            text.push_str(match &self.events_file {
                Some(_) => "; `decnet events` shows them all\n",
                None => "; keep them with --state-dir and read them with `decnet events`\n",
            });
        }
        text
    }
}

//! `decnet validate`.

use std::path::Path;

use decnet_core::diagnostic::{Level, has_errors};
use decnet_core::{Diagnostic, HostFacts, Origin, Plan, Request, ResolveOptions, resolve};
use ipnet::Ipv4Net;
use serde::Serialize;

use crate::arguments::Validate;
use crate::config;
use crate::diagnostics;
use crate::excerpt::harmless;
use crate::failure::{Failure, exit};
use crate::output::{Outcome, Report, count, json};
use crate::personas;

/// What the resolver says of a network that it was told by the machine.
const DETECTED: &str = "network.detected";

#[derive(Serialize)]
struct Verdict {
    file: String,
    valid: bool,
    deckies: usize,
    diagnostics: Vec<Diagnostic>,
}

/// Checks a config file without a look at this machine: what would be detected is taken to be there.
pub(crate) fn run(arguments: &Validate) -> Result<Outcome, Failure> {
    let (plan, found) = match config::read_file(&arguments.file) {
        Ok((mut request, mut found)) => {
            config::anchor_files(&mut request, Some(&arguments.file))?;
            config::join(&mut found, decnet_engine::files::examine(&request));
            judge(&request, &arguments.file, found)
        }
        // Not even text: a verdict like any other.
        Err(Failure::Request(found)) => (None, found),
        Err(other) => return Err(other),
    };
    let valid = !has_errors(&found);
    let verdict = Verdict {
        file: arguments.file.display().to_string(),
        valid,
        deckies: plan.filter(|_| valid).map_or(0, |plan| plan.deckies.len()),
        diagnostics: found,
    };
    Ok(Outcome::done(verdict).with_code(if valid { exit::DONE } else { exit::USAGE }))
}

/// Resolves as a deployment would, as far as that needs no look at a network.
fn judge(request: &Request, file: &Path, mut found: Vec<Diagnostic>) -> (Option<Plan>, Vec<Diagnostic>) {
    let general = &request.general;
    // A LAN that the config leaves to detection is stood in for by one that holds every address.
    let subnet = general.net.is_none().then(Ipv4Net::default);
    let facts = HostFacts { subnet, ..HostFacts::default() };
    let catalogue = personas::catalogue(request, Some(file), &mut found);
    let (plan, mut more) = resolve(request, &facts, &catalogue, &ResolveOptions::seeded(0));
    // What was found out about the stand-in is true of no LAN.
    more.retain(|diagnostic| diagnostic.code != DETECTED);
    config::join(&mut found, more);
    for (key, given) in [("net", &general.net), ("gw", &general.gw)] {
        if given.is_none() {
            let message = format!("no `{key}` is given; it is detected when the fleet is deployed");
            found.push(Diagnostic::new(Level::Note, DETECTED, Origin::Program, message));
        }
    }
    (plan, found)
}

impl Report for Verdict {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let mut text = diagnostics::render(&self.diagnostics);
        let summary = diagnostics::summary(&self.diagnostics);
        let file = harmless(&self.file);
        text.push_str(&match (self.valid, summary.as_str()) {
            (false, _) => format!("{file} is not valid: {summary}\n"),
            (true, "") => format!("{file} is valid: {}\n", count(self.deckies, "decky")),
            (true, _) => format!("{file} is valid: {}, {summary}\n", count(self.deckies, "decky")),
        });
        text
    }
}

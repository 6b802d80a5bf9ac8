//! `decnet validate`.

use decnet_core::diagnostic::{has_errors, sort_by_place};
use decnet_core::{Diagnostic, HostFacts, ResolveOptions, resolve};
use serde::Serialize;

use super::catalogue_of_all;
use crate::arguments::Validate;
use crate::config;
use crate::diagnostics;
use crate::failure::{Failure, exit};
use crate::output::{Outcome, Report, json};
use crate::terminal::Terminal;

#[derive(Serialize)]
struct Verdict {
    file: String,
    valid: bool,
    deckies: usize,
    diagnostics: Vec<Diagnostic>,
}

/// Checks a config file without a look at this machine: what would be detected is taken to be there.
pub(crate) fn run(arguments: &Validate, _: &Terminal) -> Result<Outcome, Failure> {
    let (request, mut found) = config::read_file(&arguments.file)?;
    // A LAN that the config leaves to detection is stood in for by one with room for any fleet.
    let subnet = request.general.net.is_none().then(|| ipnet::Ipv4Net::new_assert([10, 0, 0, 0].into(), 8));
    let facts = HostFacts { subnet, ..HostFacts::default() };
    let (plan, more) = resolve(&request, &facts, &catalogue_of_all(), &ResolveOptions::seeded(0));
    found.extend(more);
    sort_by_place(&mut found);
    let valid = !has_errors(&found);
    let verdict = Verdict {
        file: arguments.file.display().to_string(),
        valid,
        deckies: plan.filter(|_| valid).map_or(0, |plan| plan.deckies.len()),
        diagnostics: found,
    };
    Ok(Outcome::done(verdict).with_code(if valid { exit::DONE } else { exit::USAGE }))
}

impl Report for Verdict {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let mut text = diagnostics::render(&self.diagnostics);
        if self.valid {
            text.push_str(&format!("{} is valid: {} deckies\n", self.file, self.deckies));
        }
        text
    }
}

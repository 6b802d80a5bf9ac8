//! `decnet`: arguments in, one call, rendering out.

mod arguments;
mod commands;
mod config;
mod diagnostics;
mod excerpt;
mod failure;
mod output;
mod personas;
mod progress;
#[cfg(test)]
mod readme;
mod table;
mod terminal;

use std::process::ExitCode;

use arguments::{Arguments, Command, OutputFormat};
use clap::Parser;
use failure::Failure;
use output::Outcome;
use terminal::Terminal;

fn main() -> ExitCode {
    // The engine's own processes are this binary as well; they are no commands and have no help.
    let mut words = std::env::args_os().skip(1).peekable();
    if words.next_if(|word| word == "internal").is_some() {
        return ExitCode::from(decnet_engine::internal::run(words));
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let terminal = Terminal::new(&arguments.global);
    let done = run(&arguments, &terminal).and_then(|outcome| terminal.render(&outcome));
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            terminal.fail(&failure);
            ExitCode::from(failure.code())
        }
    }
}

/// Help and version, which are no failures, and a command line that cannot be understood: clap words both,
/// and knows their exit codes. A program that asked for JSON gets its answer as JSON here too.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || !arguments::wants_json(std::env::args_os()) {
        error.exit();
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    // Behind the message stand the usage and the advice to try --help.
    let message = text.split("\n\nUsage:").next().unwrap_or(text).trim();
    let failure = Failure::Usage(message.to_owned());
    Terminal::for_programs().fail(&failure);
    ExitCode::from(failure.code())
}

fn run(arguments: &Arguments, terminal: &Terminal) -> Result<Outcome, Failure> {
    let state = arguments.global.state_dir();
    let shows_lines =
        matches!(&arguments.command, Command::Events(events) if events.view.is_none() && events.by.is_none());
    if arguments.global.output == OutputFormat::Syslog && !shows_lines {
        return Err(Failure::Usage("--output syslog is for `decnet events` that shows events".to_owned()));
    }
    match &arguments.command {
        Command::Deploy(deploy) => commands::deploy::run(deploy, &state, terminal),
        Command::Lab(lab) => commands::lab::run(lab, arguments.global.named_state_dir().as_deref(), terminal),
        Command::Status => commands::status::run(&state),
        Command::Teardown(teardown) => commands::teardown::run(teardown, &state),
        Command::Doctor(doctor) => Ok(commands::doctor::run(doctor, &state)),
        Command::Services => Ok(commands::catalogue::services()),
        Command::Archetypes => Ok(commands::catalogue::archetypes()),
        Command::Distros => Ok(commands::catalogue::distros()),
        Command::Validate(validate) => commands::validate::run(validate),
        Command::Events(events) => commands::events::run(events, &state, terminal),
        Command::Completions { shell } => commands::generate::completions(*shell),
        Command::Man { directory } => commands::generate::man(directory.as_deref()),
    }
}

//! `decnet completions` and `decnet man`: made from the command line's own definitions.

use std::path::Path;

use clap::CommandFactory;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::output::{Message, Outcome, Plain};

/// A shell's completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "decnet", &mut script);
    text(script)
}

/// The manual page, or the pages of all commands in a directory.
pub(crate) fn man(directory: Option<&Path>) -> Result<Outcome, Failure> {
    // `help` has no page, so none refers to it.
    let command = Arguments::command().disable_help_subcommand(true);
    match directory {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command)
                .render(&mut page)
                .map_err(|error| Failure::Failed(format!("the manual page cannot be made: {error}")))?;
            text(page)
        }
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(|error| Failure::file("make", directory, &error))?;
            clap_mangen::generate_to(command, directory)
                .map_err(|error| Failure::file("write the manual pages to", directory, &error))?;
            Ok(Outcome::done(Message { message: format!("the manual pages are in {}", directory.display()) }))
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<Outcome, Failure> {
    let text = String::from_utf8(bytes).map_err(|_| Failure::Failed("the text is not UTF-8".to_owned()))?;
    Ok(Outcome::done(Plain(text)))
}

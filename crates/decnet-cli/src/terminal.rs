//! The only place that prints.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is where it is done")]

use std::io::{IsTerminal, Write};

use decnet_core::Diagnostic;
use serde_json::json;

use crate::arguments::{Global, OutputFormat};
use crate::diagnostics;
use crate::failure::{Failure, exit};
use crate::output::Outcome;
use crate::progress::Bar;

/// How to talk to whoever started us.
pub(crate) struct Terminal {
    format: OutputFormat,
    verbose: u8,
}

impl Terminal {
    pub(crate) fn new(global: &Global) -> Terminal {
        Terminal { format: global.output, verbose: global.verbose }
    }

    /// Of a command line that was not understood but for its wish for JSON.
    pub(crate) fn for_programs() -> Terminal {
        Terminal { format: OutputFormat::Json, verbose: 0 }
    }

    /// Whether JSON is wanted.
    pub(crate) fn is_json(&self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Which form is wanted.
    pub(crate) fn format(&self) -> OutputFormat {
        self.format
    }

    /// Whether the standard output is a terminal.
    pub(crate) fn is_seen(&self) -> bool {
        std::io::stdout().is_terminal()
    }

    /// Writes bytes as they are to the standard output, which is no terminal.
    pub(crate) fn write_bytes(&self, bytes: &[u8]) {
        let mut output = std::io::stdout().lock();
        if output.write_all(bytes).and_then(|()| output.flush()).is_err() {
            std::process::exit(i32::from(exit::DONE));
        }
    }

    /// How much more to say.
    pub(crate) fn verbose(&self) -> u8 {
        self.verbose
    }

    /// Shows what a command gave back; returns its exit code.
    pub(crate) fn render(&self, outcome: &Outcome) -> Result<u8, Failure> {
        let text = match (self.format, outcome.value.json()) {
            (OutputFormat::Human | OutputFormat::Syslog, _) => outcome.value.human(),
            (OutputFormat::Json, None) => String::new(),
            (OutputFormat::Json, Some(json)) => {
                let json =
                    json.map_err(|error| Failure::Failed(format!("the answer is no JSON: {error}")))?;
                format!("{json}\n")
            }
        };
        self.write(&text);
        Ok(outcome.code)
    }

    /// Writes to the standard output; a reader that went away ends us in silence, as it should.
    pub(crate) fn write(&self, text: &str) {
        let mut output = anstream::stdout().lock();
        if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
            std::process::exit(i32::from(exit::DONE));
        }
    }

    /// Says something beside the answer. Programs get it only in the answer.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_json() {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// Warns.
    pub(crate) fn warn(&self, text: &str) {
        let style = anstyle::AnsiColor::Yellow.on_default().bold();
        let _ = writeln!(anstream::stderr(), "{style}warning:{style:#} {text}");
    }

    /// Shows diagnostics that do not stop the command.
    pub(crate) fn diagnose(&self, found: &[Diagnostic]) {
        if !self.is_json() && !found.is_empty() {
            let _ = write!(anstream::stderr(), "{}", diagnostics::render(found));
        }
    }

    /// A progress bar, where somebody can see it.
    pub(crate) fn bar(&self) -> Bar {
        Bar::new(!self.is_json() && std::io::stderr().is_terminal())
    }

    /// Says why a command failed.
    pub(crate) fn fail(&self, failure: &Failure) {
        if self.is_json() {
            let error = match failure {
                Failure::Request(found) => {
                    json!({ "message": "the request is not valid", "diagnostics": found })
                }
                Failure::Usage(message) | Failure::Failed(message) => json!({ "message": message }),
            };
            self.write(&format!("{:#}\n", json!({ "error": error })));
            return;
        }
        let mut errors = anstream::stderr().lock();
        let style = anstyle::AnsiColor::Red.on_default().bold();
        let _ = match failure {
            Failure::Request(found) => {
                writeln!(errors, "{}{}", diagnostics::render(found), diagnostics::summary(found))
            }
            Failure::Usage(message) => {
                writeln!(errors, "{style}error:{style:#} {message}\nFor the ways to use it, try --help.")
            }
            Failure::Failed(message) => writeln!(errors, "{style}error:{style:#} {message}"),
        };
    }
}

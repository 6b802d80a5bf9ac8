//! Running the real program, as whoever types the command does.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]
#![allow(clippy::disallowed_methods, reason = "the tests start the program that they test")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory of its own, in which the program runs and beneath which it keeps its state.
pub(crate) struct Place {
    directory: TempDir,
}

/// What a run left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The program, told nothing by the environment of whoever runs the tests.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_decnet"));
        self.furnish(&mut command).args(arguments);
        command
    }

    /// Sets up another command in the same way.
    pub(crate) fn furnish<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .current_dir(self.directory.path())
            .env("DECNET_STATE_DIR", self.path("state"))
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .stdin(Stdio::null())
    }

    /// Runs it to its end. Whatever happens, nobody ever sees a panic.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Done {
        finish(&mut self.command(arguments))
    }

    /// Runs it and reads the one JSON value that it prints.
    #[track_caller]
    pub(crate) fn json<S: AsRef<OsStr>>(&self, arguments: &[S]) -> (i32, Value) {
        let arguments = arguments.iter().map(AsRef::as_ref).chain(["--output", "json"].map(OsStr::new));
        let done = self.run(&arguments.collect::<Vec<_>>());
        let value = serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"));
        (done.code, value)
    }
}

#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    let done = Done {
        code: output.status.code().unwrap_or_else(|| panic!("ended by a signal: {output:?}")),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    for text in [&done.out, &done.err] {
        for trace in ["panicked", "RUST_BACKTRACE", "thread '", ".rs:"] {
            assert!(!text.contains(trace), "a trace of a panic: {done:?}");
        }
        assert!(!text.contains('\u{1b}'), "a sequence for terminals, and this is none: {done:?}");
    }
    done
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

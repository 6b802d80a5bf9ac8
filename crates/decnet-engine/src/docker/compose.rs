//! `docker compose` or `docker-compose`, whichever is here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::daemon::Daemon;
use super::record::Place;
use crate::error::EngineError;
use crate::process;

/// Lines of what compose said that are kept for an error.
const KEPT: usize = 12;
/// How often it is looked how far compose is.
const LOOK: Duration = Duration::from_millis(250);

/// A compose command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compose {
    words: &'static [&'static str],
}

impl Compose {
    /// Finds one. The plugin is asked, since `docker` is there without it; the older program is only looked
    /// for, since it takes seconds to say its version.
    pub(super) fn find() -> Result<Compose, EngineError> {
        let plugin = Compose { words: &["docker", "compose"] };
        let answers = plugin
            .command()
            .args(["version", "--short"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if answers {
            return Ok(plugin);
        }
        let older = Compose { words: &["docker-compose"] };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = std::env::split_paths(&path).any(|folder| folder.join(older.words[0]).is_file());
        is_there.then_some(older).ok_or(EngineError::NoCompose)
    }

    fn command(&self) -> Command {
        let mut command = process::command(self.words[0]);
        command.args(&self.words[1..]);
        command
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        self.words.join(" ")
    }

    /// Brings the containers of the compose file up: new ones are made, changed ones replaced, others left
    /// alone, and those that are no longer in it removed. `look` is called every now and then.
    pub(super) fn up(
        &self,
        place: &Place,
        project: &str,
        daemon: &Daemon,
        look: &mut dyn FnMut(),
    ) -> Result<(), EngineError> {
        let mut command = self.command();
        command
            .args(["-p", project, "-f"])
            .arg(place.compose_file())
            // A base that is made anew has a new namespace: what lived in the old one is made anew too, also
            // where nothing about it changed.
            .args(["up", "-d", "--no-build", "--remove-orphans", "--always-recreate-deps"])
            .env("DOCKER_HOST", format!("unix://{}", daemon.socket.display()))
            // A daemon that starts a hundred containers answers late.
            .env("COMPOSE_HTTP_TIMEOUT", "300")
            .env("DOCKER_CLIENT_TIMEOUT", "300")
            .env("COMPOSE_PARALLEL_LIMIT", "16")
            .current_dir(place.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let failed = |error| EngineError::system(format!("start {}", self.name()), error);
        let mut child = command.spawn().map_err(failed)?;
        // By which a teardown finds it when this process is killed.
        let _ = fs::write(place.compose_process(), child.id().to_string());
        let said =
            child.stderr.take().map(|errors| std::thread::spawn(move || last_lines(BufReader::new(errors))));
        let status = loop {
            match child.try_wait().map_err(failed)? {
                Some(status) => break status,
                None => {
                    look();
                    std::thread::sleep(LOOK);
                }
            }
        };
        let _ = fs::remove_file(place.compose_process());
        if status.success() {
            return Ok(());
        }
        let said = said.and_then(|thread| thread.join().ok()).unwrap_or_default();
        Err(EngineError::Compose { command: format!("{} up", self.name()), said })
    }
}

/// What matters of the end of what compose said: lines about errors, else the last ones.
fn last_lines(reader: impl BufRead) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in reader.lines().map_while(Result::ok) {
        if lines.len() >= KEPT * 4 {
            lines.remove(0);
        }
        lines.push(line.trim().to_owned());
    }
    let errors: Vec<&String> = lines.iter().filter(|line| line.to_lowercase().contains("error")).collect();
    let chosen: Vec<&String> = if errors.is_empty() {
        lines.iter().skip(lines.len().saturating_sub(KEPT)).collect()
    } else {
        errors.into_iter().take(KEPT).collect()
    };
    let mut text: Vec<&str> = chosen.into_iter().map(String::as_str).collect();
    text.dedup();
    text.join("; ")
}

/// Ends a compose that a killed deployment left running.
pub(super) fn end_left_over(place: &Place) {
    let Some(pid) =
        fs::read_to_string(place.compose_process()).ok().and_then(|text| text.trim().parse().ok())
    else {
        return;
    };
    let pid: i32 = pid;
    let runs_our_file = || {
        let arguments =
            fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
        let file = place.compose_file();
        let file = file.as_os_str().as_encoded_bytes();
        arguments.split(|byte| *byte == 0).any(|argument| argument == file)
    };
    let until = Instant::now() + Duration::from_secs(5);
    // The number may be another process's by now: only one that works on our file is ended.
    while runs_our_file() && Instant::now() < until {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = fs::remove_file(place.compose_process());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_come_before_the_rest() {
        let said = "Creating decky-01 ...\nERROR: for decky-01  no room\nERROR: for decky-01  no room\nbye\n";
        assert_eq!(last_lines(said.as_bytes()), "ERROR: for decky-01  no room");
        assert_eq!(last_lines("one\ntwo\n".as_bytes()), "one; two");
        let many: String = (0..1000).map(|line| format!("{line}\n")).collect();
        assert_eq!(last_lines(many.as_bytes()).split("; ").count(), KEPT);
    }
}

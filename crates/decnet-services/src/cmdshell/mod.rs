//! The command prompt of Windows, as far as an intruder sees it through another service: one line in, lines
//! out. Everything it says comes from the identity; nothing is started, fetched or reached.

mod commands;
mod files;

use std::time::Duration;

use decnet_core::identity::Identity;

use files::Files;

/// Bytes of one line that is run; cmd.exe's own limit is 8,191 characters.
const LINE_LIMIT: usize = 8191;
/// Commands in one line.
const COMMANDS: usize = 64;

/// A machine with its files, shared by everybody who gets a prompt on it.
pub struct Machine {
    facts: Facts,
    files: Files,
    directory: String,
}

/// What commands tell.
pub(crate) struct Facts {
    pub(crate) identity: Identity,
    pub(crate) account: String,
    pub(crate) users: Vec<String>,
    pub(crate) address: std::net::Ipv4Addr,
}

/// What came of a line.
#[derive(Debug, Default)]
pub struct Ran {
    /// What it printed.
    pub lines: Vec<String>,
    /// `%ERRORLEVEL%`.
    pub status: i32,
    /// What it would have fetched.
    pub fetched: Vec<String>,
    /// Files that it wrote: path and content.
    pub written: Vec<(String, Vec<u8>)>,
    /// How long it would have taken.
    pub delay: Duration,
}

impl Machine {
    /// The machine of an identity; lines are run as `account` (`DOMAIN\name`).
    pub fn new(identity: &Identity, account: &str, address: std::net::Ipv4Addr) -> Machine {
        let people = crate::bait::People::of(identity);
        let mut draw = identity.draw(&["cmdshell", "users"]);
        let mut users = vec!["Administrator".to_owned(), "DefaultAccount".to_owned(), "Guest".to_owned()];
        if let Some(person) = people.pick(&mut draw) {
            users.push(person.account.clone());
        }
        users.push("WDAGUtilityAccount".to_owned());
        Machine {
            facts: Facts { identity: identity.clone(), account: account.to_owned(), users, address },
            files: Files::new(identity),
            directory: "C:\\Windows\\system32".to_owned(),
        }
    }

    /// Runs a line as `cmd.exe /c` does.
    pub fn run(&mut self, line: &str, now: i64) -> Ran {
        let mut ran = Ran::default();
        let line: String = line.chars().take(LINE_LIMIT).collect();
        let mut directory = self.directory.clone();
        for (joint, command) in pieces(&line).into_iter().take(COMMANDS) {
            let skip = match joint {
                Joint::And => ran.status != 0,
                Joint::Or => ran.status == 0,
                Joint::Always => false,
            };
            if !skip {
                self.command(&command, &mut directory, now, &mut ran, 0);
            }
        }
        ran
    }

    fn command(&mut self, text: &str, directory: &mut String, now: i64, ran: &mut Ran, depth: u32) {
        let (text, target) = redirected(text);
        let before = ran.lines.len();
        // Filters behind a pipe see what came before them.
        let mut stages = text.split('|');
        let first = self.facts.expand(stages.next().unwrap_or_default().trim());
        commands::run(self, &first, directory, now, ran, depth);
        for stage in stages {
            let fed = ran.lines.split_off(before);
            ran.lines.extend(commands::filter(stage.trim(), fed));
        }
        if let Some((path, append)) = target {
            let said = ran.lines.split_off(before);
            let path = self.files.absolute(directory, &path);
            let mut content = if append { self.files.read(&path).unwrap_or_default() } else { Vec::new() };
            for line in said {
                content.extend(line.as_bytes());
                content.extend(b"\r\n");
            }
            if path.eq_ignore_ascii_case("nul") || path.to_lowercase().ends_with("\\nul") {
                return;
            }
            if self.files.write(&path, content.clone(), now) {
                ran.written.push((path, content));
            } else {
                ran.lines.push("Access is denied.".to_owned());
                ran.status = 1;
            }
        }
    }

    /// What is in a folder: names, and whether they are folders.
    pub fn entries(&self, path: &str) -> Vec<(String, bool)> {
        self.files
            .list(path)
            .map(|all| all.into_iter().map(|entry| (entry.name, entry.folder)).collect())
            .unwrap_or_default()
    }

    /// Whether a path is a file, and whether it is a folder.
    pub fn exists(&self, path: &str) -> (bool, bool) {
        let folder = self.files.list(path).is_some();
        (!folder && self.files.read(path).is_some(), folder)
    }
}

impl Facts {
    /// Variables in percent signs.
    fn expand(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((head, tail)) = rest.split_once('%') {
            out.push_str(head);
            let Some((name, after)) = tail.split_once('%') else {
                out.push('%');
                rest = tail;
                continue;
            };
            match self.variable(name) {
                Some(value) => out.push_str(&value),
                None => {
                    out.push('%');
                    out.push_str(name);
                    out.push('%');
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    /// The variables of a service's environment.
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let short = self.account.rsplit('\\').next().unwrap_or_default().to_owned();
        let names = &self.identity.names;
        Some(match name.to_ascii_uppercase().as_str() {
            "COMPUTERNAME" => names.netbios.clone(),
            "USERNAME" => short,
            "USERDOMAIN" => names.netbios_domain.clone(),
            "USERPROFILE" => format!("C:\\Users\\{short}"),
            "SYSTEMROOT" | "WINDIR" => "C:\\Windows".to_owned(),
            "SYSTEMDRIVE" | "HOMEDRIVE" => "C:".to_owned(),
            "TEMP" | "TMP" => format!("C:\\Users\\{short}\\AppData\\Local\\Temp"),
            "PUBLIC" => "C:\\Users\\Public".to_owned(),
            "PROGRAMFILES" => "C:\\Program Files".to_owned(),
            "PROGRAMDATA" | "ALLUSERSPROFILE" => "C:\\ProgramData".to_owned(),
            "COMSPEC" => "C:\\Windows\\system32\\cmd.exe".to_owned(),
            "OS" => "Windows_NT".to_owned(),
            "PROCESSOR_ARCHITECTURE" => "AMD64".to_owned(),
            "NUMBER_OF_PROCESSORS" => "4".to_owned(),
            "PATHEXT" => ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC".to_owned(),
            "PATH" => "C:\\Windows\\system32;C:\\Windows;C:\\Windows\\System32\\Wbem;C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\".to_owned(),
            _ => return None,
        })
    }
}

/// When a command of a line is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joint {
    Always,
    And,
    Or,
}

/// The commands of a line, divided by `&`, `&&` and `||` outside of quotes.
fn pieces(line: &str) -> Vec<(Joint, String)> {
    let mut all = vec![(Joint::Always, String::new())];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let twice = letters.peek() == Some(&letter);
        let joint = match letter {
            '&' if !quoted && twice => Some(Joint::And),
            '&' if !quoted => Some(Joint::Always),
            '|' if !quoted && twice => Some(Joint::Or),
            _ => None,
        };
        quoted ^= letter == '"';
        match joint {
            Some(joint) => {
                if joint != Joint::Always {
                    letters.next();
                }
                all.push((joint, String::new()));
            }
            None if letter == '^' && !quoted => {
                if let (Some(escaped), Some((_, last))) = (letters.next(), all.last_mut()) {
                    last.push(escaped);
                }
            }
            None => {
                if let Some((_, last)) = all.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    all.retain(|(_, text)| !text.trim().is_empty());
    all
}

/// A command without its redirection, and where that goes: the path, and whether it is appended.
fn redirected(text: &str) -> (String, Option<(String, bool)>) {
    let text = text.replace("2>&1", "").replace("2>nul", "").replace("2> nul", "");
    let mut quoted = false;
    let at = text.char_indices().find(|(_, letter)| {
        quoted ^= *letter == '"';
        *letter == '>' && !quoted
    });
    let Some((at, _)) = at else { return (text, None) };
    let append = text[at..].starts_with(">>");
    let path = text[at..].trim_start_matches('>').trim().trim_matches('"').to_owned();
    (text[..at].to_owned(), (!path.is_empty()).then_some((path, append)))
}

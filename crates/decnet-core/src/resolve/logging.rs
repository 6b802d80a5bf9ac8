//! `[general]`: where events go.

use std::path::{Component, Path, PathBuf};

use super::words::{self, Word};
use crate::diagnostic::{Diagnostic, Origin};
use crate::plan::{LogFile, LogTarget, LogTransport, Logging, Rotation, bytes, seconds};
use crate::request::{Folders, Request, Text};

/// The log targets of a request, each with its place. Names of files in them are absolute as far as the
/// request knows where they begin.
pub fn log_targets(request: &Request, diagnostics: &mut Vec<Diagnostic>) -> Vec<(LogTarget, Origin)> {
    let mut found: Vec<(LogTarget, Origin)> = Vec::new();
    let list = request.general.log_target.as_ref();
    for Word { text, origin } in list.into_iter().flat_map(words::split) {
        let mut complain = |message: String, help: &str| {
            diagnostics
                .push(Diagnostic::error("general.log-target", origin.clone(), message).help(help.to_owned()));
        };
        let mut target = match text.parse::<LogTarget>() {
            Ok(target) => target,
            Err(error) => {
                complain(
                    error.to_string(),
                    "such as `10.0.0.5:514` or `tls://siem.corp.lan:6514?ca=/etc/ssl/siem-ca.pem`",
                );
                continue;
            }
        };
        let options = &mut target.options;
        if target.transport == LogTransport::Tls && options.ca.is_none() && options.fingerprint.is_none() {
            complain(
                format!("log target {} does not say whose certificate is trusted", target.place()),
                "add `?ca=FILE` with the authority that signed it, or `?fingerprint=sha256:…` of the \
                 certificate itself; the authorities that browsers trust are never asked",
            );
            continue;
        }
        if options.cert.is_some() != options.key.is_some() {
            let (given, missing) = if options.cert.is_some() { ("cert", "key") } else { ("key", "cert") };
            complain(
                format!("log target {} has a `{given}` without a `{missing}`", target.place()),
                "a client certificate takes both: `cert=FILE&key=FILE`",
            );
            continue;
        }
        for path in [&mut options.ca, &mut options.cert, &mut options.key].into_iter().flatten() {
            *path = anchor(path, &origin, &request.folders);
        }
        let same = |other: &LogTarget| {
            (other.transport, &other.host, other.port) == (target.transport, &target.host, target.port)
        };
        if let Some((_, first)) = found.iter().find(|(other, _)| same(other)) {
            let message = format!("log target {} is named twice", target.place());
            diagnostics.push(
                Diagnostic::error("general.log-target", origin, message).related(first.clone(), "here first"),
            );
            continue;
        }
        found.push((target, origin));
    }
    found
}

pub(super) fn resolve(request: &Request, diagnostics: &mut Vec<Diagnostic>) -> Logging {
    let targets = log_targets(request, diagnostics).into_iter().map(|(target, _)| target).collect();
    let files = log_files(request, diagnostics);
    let general = &request.general;
    let keys = [&general.log_rotate_size, &general.log_rotate_age, &general.log_rotate_keep];
    if general.log_file.is_none()
        && let Some(key) = keys.into_iter().flatten().next()
    {
        let message = "there is no log file to rotate";
        diagnostics.push(
            Diagnostic::warning("general.log-rotate", key.origin.clone(), message)
                .help("write `log_file = FILE` in `[general]`"),
        );
    }
    let wrong = |text: &Text, what: &str, help: &str, diagnostics: &mut Vec<Diagnostic>| {
        let message = format!("`{}` is no {what} for log files", text.value);
        diagnostics.push(
            Diagnostic::error("general.log-rotate", text.origin.clone(), message).help(help.to_owned()),
        );
    };
    let mut rotation = Rotation::default();
    if let Some(text) = &general.log_rotate_size {
        rotation.size = bytes(&text.value).filter(|size| *size >= Rotation::SMALLEST_SIZE);
        if rotation.size.is_none() {
            wrong(text, "size", "such as `100M`; 1M or more", diagnostics);
        }
    }
    if let Some(text) = &general.log_rotate_age {
        rotation.age = seconds(&text.value).filter(|age| *age >= Rotation::SHORTEST_AGE);
        if rotation.age.is_none() {
            wrong(text, "age", "such as `12h`, `1d` or `4w`; 1m or more", diagnostics);
        }
    }
    if let Some(text) = &general.log_rotate_keep {
        let keep = text.value.trim().parse().ok().filter(|keep| (1..=Rotation::LARGEST_KEEP).contains(keep));
        match keep {
            Some(keep) => rotation.keep = keep,
            None => wrong(text, "number to keep", "a whole number from 1 to 1000", diagnostics),
        }
        if general.log_rotate_size.is_none() && general.log_rotate_age.is_none() {
            let message = "log files are not rotated, so none is kept";
            diagnostics.push(
                Diagnostic::warning("general.log-rotate", text.origin.clone(), message)
                    .help("give `log_rotate_size` or `log_rotate_age` too"),
            );
        }
    }
    Logging { targets, files, rotation }
}

fn log_files(request: &Request, diagnostics: &mut Vec<Diagnostic>) -> Vec<LogFile> {
    let mut found: Vec<(LogFile, Origin)> = Vec::new();
    let Some(list) = &request.general.log_file else { return Vec::new() };
    let mut words = words::split(list);
    if words.is_empty() {
        words.push(words::whole(list));
    }
    for Word { text, origin } in words {
        let mut file = match text.parse::<LogFile>() {
            Ok(file) => file,
            Err(error) => {
                diagnostics.push(
                    Diagnostic::error("general.log-file", origin, error.to_string())
                        .help("such as `/var/log/decnet.log` or `json:/var/log/decnet.jsonl`"),
                );
                continue;
            }
        };
        file.path = anchor(&file.path, &origin, &request.folders);
        if let Some((_, first)) = found.iter().find(|(other, _)| other.path == file.path) {
            let message = format!("log file {} is named twice", file.path.display());
            diagnostics.push(
                Diagnostic::error("general.log-file", origin, message).related(first.clone(), "here first"),
            );
            continue;
        }
        found.push((file, origin));
    }
    found.into_iter().map(|(file, _)| file).collect()
}

/// A path of a config begins at its folder, one of a flag at the current one.
fn anchor(path: &Path, origin: &Origin, folders: &Folders) -> PathBuf {
    let base = match origin {
        Origin::File { .. } => &folders.config,
        Origin::Flag(_) | Origin::Program => &folders.current,
    };
    let joined = base.as_ref().map_or_else(|| path.to_owned(), |base| base.join(path));
    // `./x` and `a//b`, so that one file has one name.
    joined.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Source, Spanned};

    #[test]
    fn a_log_file_is_found_from_anywhere() {
        let source = Source::new("conf/fleet.ini", "log_file = deep/x.log");
        let folders = Folders { config: Some("/etc/conf".into()), current: Some("/home/me".into()) };
        let at = |origin: Origin, value: &str| {
            let mut request = Request { folders: folders.clone(), ..Request::default() };
            request.general.log_file = Some(Spanned::new(value.to_owned(), origin));
            let files = log_files(&request, &mut Vec::new());
            files[0].path.to_str().unwrap().to_owned()
        };
        assert_eq!(at(Origin::file(&source, 11..21), "deep/./x.log"), "/etc/conf/deep/x.log");
        assert_eq!(at(Origin::file(&source, 11..21), "/var/log/x.log"), "/var/log/x.log");
        assert_eq!(at(Origin::Flag("--log-file"), "json:./x.log"), "/home/me/x.log");
    }
}

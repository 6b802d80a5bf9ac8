//! From the command line and a config file to a request.

use std::io::ErrorKind;
use std::path::Path;
use std::string::FromUtf8Error;

use decnet_core::diagnostic::{Origin, Source, Spanned, sort_by_place};
use decnet_core::request::{FleetFlags, Folders, Format, read};
use decnet_core::{Diagnostic, Request};

use crate::arguments::Deploy;
use crate::failure::Failure;

/// Reads a config file. What is wrong with its text is in the diagnostics.
pub(crate) fn read_file(path: &Path) -> Result<(Request, Vec<Diagnostic>), Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let name = path.display().to_string();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(read(&Source::new(name, text), Format::of_path(path))),
        Err(error) => Err(Failure::Request(vec![not_utf8(name, &error)])),
    }
}

/// A wrong name is wrong usage; a right one that cannot be read has failed.
fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound => Failure::Usage(format!("there is no config file `{path}`")),
        ErrorKind::IsADirectory => {
            Failure::Usage(format!("`{path}` is a directory; name the config file in it"))
        }
        _ => Failure::Failed(format!("cannot read the config file `{path}`: {error}")),
    }
}

/// The first place that is not UTF-8. Nothing else is said of such a file: UTF-16 would be wrong everywhere.
fn not_utf8(name: String, error: &FromUtf8Error) -> Diagnostic {
    let at = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(at).copied().unwrap_or_default();
    let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
    let message = format!("the byte 0x{byte:02X} is not UTF-8");
    let end = at + char::REPLACEMENT_CHARACTER.len_utf8();
    Diagnostic::error("config.not-utf-8", Origin::file(&Source::new(name, text), at..end), message)
        .help("save the file as UTF-8")
}

/// Adds what resolving found. A fleet that is empty because its sections were refused is not told to be
/// empty as well.
pub(crate) fn join(found: &mut Vec<Diagnostic>, mut more: Vec<Diagnostic>) {
    const REFUSED: [&str; 4] =
        ["config.empty-section-name", "config.toml-syntax", "config.unknown-section", "config.wrong-type"];
    if found.iter().any(|diagnostic| REFUSED.contains(&diagnostic.code)) {
        more.retain(|diagnostic| diagnostic.code != "fleet.empty");
    }
    found.append(&mut more);
    sort_by_place(found);
}

/// What `decnet deploy` was asked for.
pub(crate) fn request(deploy: &Deploy) -> Result<(Request, Vec<Diagnostic>), Failure> {
    let (mut request, mut found) = match &deploy.config {
        Some(path) => {
            let (request, mut found) = read_file(path)?;
            found.extend(flags_that_lose(deploy, path, &request));
            (request, found)
        }
        None => (fleet(deploy)?, Vec::new()),
    };
    // These flags win over the config.
    let flag = |name: &'static str, value: &Option<String>| {
        value.as_ref().map(|value| Spanned::new(value.clone(), Origin::Flag(name)))
    };
    // A flag that may be repeated is a list.
    let list = |values: &[String]| (!values.is_empty()).then(|| values.join(", "));
    let general = &mut request.general;
    for (place, value) in [
        (&mut general.net, flag("--subnet", &deploy.subnet)),
        (&mut general.gw, flag("--gateway", &deploy.gateway)),
        (&mut general.interface, flag("--interface", &deploy.interface)),
        (&mut general.log_target, flag("--log-target", &list(&deploy.log_target))),
        (&mut general.log_file, flag("--log-file", &list(&deploy.log_file))),
        (&mut general.engine, flag("--engine", &deploy.engine)),
        (&mut general.seed, flag("--seed", &deploy.seed)),
        (&mut general.ipvlan, flag("--ipvlan", &deploy.ipvlan.then(|| "yes".to_owned()))),
        (&mut request.ip_start, flag("--ip-start", &deploy.ip_start)),
    ] {
        if value.is_some() {
            *place = value;
        }
    }
    request.folders = folders(deploy.config.as_deref())?;
    found.shrink_to_fit();
    Ok((request, found))
}

/// Where relative names of files begin: the processes that open them have another current directory. One
/// from a config is relative to its file, one from a flag to where the command was typed.
fn folders(config: Option<&Path>) -> Result<Folders, Failure> {
    let current = std::env::current_dir().map_err(|error| Failure::file("find", Path::new("."), &error))?;
    let config = config.and_then(Path::parent).map(|folder| current.join(folder));
    Ok(Folders { config, current: Some(current) })
}

/// Makes the paths of persona keys absolute: those of a config file are relative to that file.
pub(crate) fn anchor_files(request: &mut Request, config: Option<&Path>) -> Result<(), Failure> {
    let folder = config.and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    let base = folder.unwrap_or(Path::new("."));
    let base = std::path::absolute(base).map_err(|error| Failure::file("find", base, &error))?;
    decnet_engine::files::anchor(request, &base);
    Ok(())
}

fn fleet(deploy: &Deploy) -> Result<Request, Failure> {
    let Some(deckies) = deploy.deckies.clone() else {
        return Err(Failure::Usage("how many deckies? give --deckies NUMBER, or --config FILE".to_owned()));
    };
    if deploy.services.is_none() && deploy.archetype.is_none() && !deploy.randomize_services {
        return Err(Failure::Usage(
            "what shall they offer? give --services, --archetype or --randomize-services".to_owned(),
        ));
    }
    Ok(Request::fleet(FleetFlags {
        deckies,
        services: deploy.services.clone(),
        randomize_services: deploy.randomize_services,
        distro: deploy.distro.clone(),
        randomize_distros: deploy.randomize_distros,
        archetype: deploy.archetype.clone(),
    }))
}

/// Flags that describe deckies say nothing beside a config, which describes its own: an error, not silence.
fn flags_that_lose(deploy: &Deploy, config: &Path, request: &Request) -> Vec<Diagnostic> {
    let given = [
        ("--deckies", deploy.deckies.is_some()),
        ("--services", deploy.services.is_some()),
        ("--randomize-services", deploy.randomize_services),
        ("--distro", deploy.distro.is_some()),
        ("--randomize-distros", deploy.randomize_distros),
        ("--archetype", deploy.archetype.is_some()),
    ];
    let losing = given.into_iter().filter(|(_, given)| *given);
    losing
        .map(|(flag, _)| {
            let config = config.display();
            let message = format!("`{config}` says which deckies there are, so this flag would do nothing");
            let mut diagnostic = Diagnostic::error("flag.config-wins", Origin::Flag(flag), message)
                .help("take the flag away, or write it into the config's sections");
            if let Some(group) = request.groups.first() {
                diagnostic = diagnostic.related(group.name.origin.clone(), "its first decky");
            }
            diagnostic
        })
        .collect()
}

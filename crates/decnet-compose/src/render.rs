//! Plan in, files out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use decnet_core::identity::OsFamily;
use decnet_core::plan::{Attachment, Decky, Plan};

use crate::file::Network;
use crate::host_file::host_file;
use crate::image::BuildContext;
use crate::layout;
use crate::platform::{Image, Options, Platform};
use crate::template::is_plain;
use crate::text::{Key, to_yaml};
use crate::writer::Writer;

/// A fleet as files. Nothing has been written yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The compose project's name, for `-p`.
    pub project: String,
    /// The text of the compose file.
    pub compose: String,
    /// The images to build, by directory.
    pub contexts: Vec<BuildContext>,
    /// What must lie on the host before the containers start, in the order of the plan's deckies.
    pub deckies: Vec<DeckyFiles>,
}

/// The host's side of a decky's mounts. Directories are searchable and files readable by others
/// (0711 and 0444): the containers' user is nobody's friend on the host.
#[derive(Clone, PartialEq, Eq)]
pub struct DeckyFiles {
    /// The decky's name.
    pub decky: String,
    /// Its directory.
    pub directory: PathBuf,
    /// The path of its host file.
    pub host_file: PathBuf,
    /// The text of its host file.
    pub host_file_text: String,
    /// The log sockets to make: who speaks on one is whom it was made for.
    pub log_directories: Vec<LogDirectory>,
}

impl fmt::Debug for DeckyFiles {
    /// Leaves the host file's text out: it holds the seed from which keys are made.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeckyFiles")
            .field("decky", &self.decky)
            .field("directory", &self.directory)
            .field("host_file", &self.host_file)
            .field("log_directories", &self.log_directories)
            .finish_non_exhaustive()
    }
}

impl DeckyFiles {
    /// The directory of a service's log socket; `None` asks for the guard's.
    pub fn log_directory(&self, service: Option<&str>) -> Option<&Path> {
        let mut logs = self.log_directories.iter();
        logs.find(|log| log.service.as_deref() == service).map(|log| log.path.as_path())
    }
}

/// The directory of a log socket, [`layout::LOG_SOCKET`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirectory {
    /// The slug of the service; `None` for the decky's guard.
    pub service: Option<String>,
    /// The directory on the host.
    pub path: PathBuf,
}

/// Why a plan cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The platform has no image for a decky's distro.
    #[error("{decky} runs the distro `{distro}`, for which there is no image; there are {known}")]
    NoImage {
        /// The decky.
        decky: String,
        /// Its distro.
        distro: String,
        /// The distros that have an image.
        known: String,
    },
    /// The platform knows nothing of a decky's OS family.
    #[error("{decky} is of the OS family {family}, for which there are no kernel settings")]
    NoSysctls {
        /// The decky.
        decky: String,
        /// Its family.
        family: OsFamily,
    },
    /// A decky has a service of the user's own that the plan does not describe.
    #[error("{decky} has the custom service `{slug}`, which the plan does not describe; add [custom-{slug}]")]
    NoCustomService {
        /// The decky.
        decky: String,
        /// The service.
        slug: String,
    },
    /// A name that compose, Docker or a path cannot hold.
    #[error(
        "`{name}` cannot be the name of {what}: use letters, digits, `_`, `-` and, inside, `.`; \
         begin with a letter or digit"
    )]
    Name {
        /// Of what.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Two containers would have one name.
    #[error("two containers would be called `{name}`; rename the decky or the service")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A run directory that cannot be mounted from.
    #[error("the run directory `{}` is not an absolute path in UTF-8", path.display())]
    RunDirectory {
        /// The path.
        path: PathBuf,
    },
    /// A run directory that would tell an intruder what he is in.
    #[error(
        "the run directory `{}` would be readable inside the containers; choose one without `{word}` in it",
        path.display()
    )]
    TellingRunDirectory {
        /// The path.
        path: PathBuf,
        /// The word.
        word: &'static str,
    },
    /// An image or kernel setting that is no such thing.
    #[error("{text:?} is neither the name of an image nor a kernel setting: those are printable ASCII")]
    PlatformText {
        /// The text.
        text: String,
    },
    /// A decky that cannot be written as JSON.
    #[error("the host file of {decky} cannot be written: {source}")]
    HostFile {
        /// The decky.
        decky: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A compose file that cannot be written as YAML.
    #[error("the compose file cannot be written: {0}")]
    Yaml(#[from] serde_saphyr::ser::Error),
}

/// Renders a fleet. The same input gives the same bytes.
///
/// # Errors
/// A plan that does not fit the platform or holds a name that cannot be a container's; see [`Error`].
pub fn render(plan: &Plan, platform: &Platform, options: &Options) -> Result<Rendered, Error> {
    let run_directory = run_directory(&options.run_directory)?;
    check_names(plan, options)?;
    check_platform(platform)?;

    let contexts = contexts(plan, platform, options)?;
    let mut writer = Writer::new(plan, platform, options, &contexts);
    writer.raw(&header(plan, options));
    writer.raw(if plan.deckies.is_empty() { "services: {}\n" } else { "services:\n" });
    let mut deckies = Vec::with_capacity(plan.deckies.len());
    for decky in &plan.deckies {
        let files = decky_files(decky, platform, run_directory)?;
        writer.decky(decky, &files)?;
        deckies.push(files);
    }
    writer.raw(&to_yaml(&BTreeMap::from([("networks", networks(plan, options))]))?);
    let compose = writer.finish();
    Ok(Rendered { project: plan.fleet.clone(), compose, contexts: contexts.into_values().collect(), deckies })
}

/// The host's side of a decky.
fn decky_files(decky: &Decky, platform: &Platform, run_directory: &str) -> Result<DeckyFiles, Error> {
    let host_file_text =
        host_file(decky).map_err(|source| Error::HostFile { decky: decky.name.clone(), source })?;
    let directory = Path::new(run_directory).join(layout::directory_name(decky));
    let guard = LogDirectory { service: None, path: directory.join("guard") };
    let own = decky.services.iter().filter(|service| platform.is_own(service));
    let services = own.map(|service| LogDirectory {
        path: directory.join("log").join(&service.slug),
        service: Some(service.slug.clone()),
    });
    Ok(DeckyFiles {
        decky: decky.name.clone(),
        host_file: directory.join("host.json"),
        host_file_text,
        log_directories: std::iter::once(guard).chain(services).collect(),
        directory,
    })
}

/// The build contexts that the plan needs, by slug.
fn contexts<'a>(
    plan: &'a Plan,
    platform: &'a Platform,
    options: &Options,
) -> Result<BTreeMap<&'a str, BuildContext>, Error> {
    let mut contexts = BTreeMap::new();
    for decky in &plan.deckies {
        let image = image(platform, &decky.name, &decky.distro)?;
        let slug = platform.context_slug(&decky.distro, &image.build_base);
        if !contexts.contains_key(slug) {
            check_name("a distro", slug)?;
            contexts.insert(slug, BuildContext::new(slug, &image.build_base, &options.tag));
        }
    }
    Ok(contexts)
}

pub(crate) fn image<'a>(platform: &'a Platform, decky: &str, distro: &str) -> Result<&'a Image, Error> {
    platform.images.get(distro).ok_or_else(|| Error::NoImage {
        decky: decky.to_owned(),
        distro: distro.to_owned(),
        known: platform.images.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
    })
}

fn networks<'a>(plan: &'a Plan, options: &'a Options) -> BTreeMap<Key<'a>, Network<'a>> {
    BTreeMap::from([
        (
            Key(&options.lan_network),
            Network {
                name: (&options.lan_network).into(),
                external: Some(true),
                driver: None,
                internal: None,
                labels: BTreeMap::new(),
            },
        ),
        (
            Key(layout::LOG_NETWORK),
            Network {
                name: layout::LOG_NETWORK.into(),
                external: None,
                driver: Some("bridge"),
                internal: Some(true),
                labels: BTreeMap::from([(layout::LABEL_FLEET, (&plan.fleet).into())]),
            },
        ),
    ])
}

/// What a reader of the file must know to run it by hand.
fn header(plan: &Plan, options: &Options) -> String {
    let network = &plan.network;
    let driver = match network.attachment {
        Attachment::Macvlan => "macvlan",
        Attachment::Ipvlan => "ipvlan",
    };
    let interface = network.interface.as_deref().unwrap_or("INTERFACE");
    let mut text = String::new();
    // Writing to a string cannot fail. The interface's name comes from outside: escaped, it stays in its line.
    let _ = write!(
        text,
        "# Written by decnet; the next deployment writes it anew.\n\
         # By hand: docker compose -p {project} up -d, after\n\
         #   docker network create -d {driver} --subnet {subnet} --gateway {gateway} -o parent={interface} {lan}\n",
        project = plan.fleet,
        subnet = network.subnet,
        gateway = network.gateway,
        interface = interface.escape_default(),
        lan = options.lan_network,
    );
    text
}

/// The run directory as text.
fn run_directory(path: &Path) -> Result<&str, Error> {
    let text = path.to_str().filter(|text| text.starts_with('/') && !text.contains('\0'));
    let text = text.ok_or_else(|| Error::RunDirectory { path: path.to_owned() })?;
    let lower = text.to_ascii_lowercase();
    match ["decnet", "decky", "honeypot"].into_iter().find(|word| lower.contains(word)) {
        Some(word) => Err(Error::TellingRunDirectory { path: path.to_owned(), word }),
        None => Ok(text),
    }
}

/// Checks every name that the plan and the caller bring.
fn check_names(plan: &Plan, options: &Options) -> Result<(), Error> {
    check_name("a fleet", &plan.fleet)?;
    check_name("an image tag", &options.tag)?;
    check_name("a network", &options.lan_network)?;
    let mut names = BTreeSet::new();
    let mut unique = |name: String| match names.insert(name.clone()) {
        true => Ok(()),
        false => Err(Error::Duplicate { name }),
    };
    for decky in &plan.deckies {
        check_name("a decky", &decky.name)?;
        unique(decky.name.clone())?;
        for service in &decky.services {
            check_name("a service", &service.slug)?;
            unique(layout::service_name(decky, &service.slug))?;
        }
    }
    Ok(())
}

/// Names of containers, images and directories: what Docker, compose and every file system take.
fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let sound = name.starts_with(edge)
        && name.ends_with(|c: char| edge(c) || c == '_' || c == '-')
        && name.chars().all(|c| edge(c) || matches!(c, '_' | '-' | '.'))
        && !name.contains("..")
        && name.len() <= 100;
    if sound { Ok(()) } else { Err(Error::Name { what, name: name.to_owned() }) }
}

/// Checks the texts that stand in templates.
fn check_platform(platform: &Platform) -> Result<(), Error> {
    let images = platform.images.values().flat_map(|image| [&image.image, &image.build_base]);
    let settings = platform.sysctls.values().flatten().flat_map(|(key, value)| [key, value]);
    match images.chain(settings).find(|text| text.is_empty() || !is_plain(text)) {
        Some(text) => Err(Error::PlatformText { text: text.clone() }),
        None => Ok(()),
    }
}

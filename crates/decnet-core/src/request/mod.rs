//! What the user asked for, with the place of every value.
//!
//! Values are kept as text: a config file in INI, one in TOML and the command line all give the same
//! request, and one place ([`mod@crate::resolve`]) judges it.
//!
//! [`read`] makes a request of a config file. What is wrong with the file's form is found here, what is
//! wrong with the values is found there; both report everything in one run.
//!
//! ```
//! use decnet_core::diagnostic::Source;
//! use decnet_core::request::{Format, read};
//!
//! let source = Source::new("fleet.ini", "[web]\nservices = ssh, http\namuont = 3\n");
//! let (request, diagnostics) = read(&source, Format::Ini);
//! assert_eq!(request.groups[0].services.as_ref().unwrap().value, "ssh, http");
//! assert_eq!(
//!     diagnostics[0].to_string(),
//!     "fleet.ini:3:1: error: unknown key `amuont` in `[web]` [config.unknown-key]"
//! );
//! assert_eq!(diagnostics[0].help.as_deref(), Some("did you mean `amount`?"));
//! ```
//!
//! # How INI is read
//! One `key = value` on a line; only `=` separates, and white space around key and value does not count.
//! A line whose first character is `#` or `;` is a comment; behind a value (or within a line) these two
//! start one if white space stands before them and white space or the line's end behind. A value in `"` or
//! `'` is taken without the quotes and as it is; quotes inside a value stay and protect what they enclose.
//! `%` and `\` mean nothing special. `-` in a key of ours is read as `_`. A byte order mark and CRLF are
//! accepted.
//!
//! # Codes
//! | code | is said of |
//! |---|---|
//! | `config.text-without-equals` | a line that is neither section, entry nor comment |
//! | `config.colon-in-key`, `config.empty-key` | an entry without a proper key |
//! | `config.unclosed-quote`, `config.text-after-quote` | a quoted value that is not wholly quoted |
//! | `config.control-character` | an INI line with a control character other than a tab |
//! | `config.unclosed-section`, `config.text-after-section` | a section header |
//! | `config.empty-section-name`, `config.unknown-section` | a section of no kind that there is |
//! | `config.key-outside-section` | an entry above the first section |
//! | `config.duplicate-section`, `config.duplicate-key` | the second one; the first one counts |
//! | `config.unknown-key`, `config.empty-value` | an entry of `[general]`, a decky or a custom service |
//! | `config.comment-in-value` | a warning: text behind ` ; ` in a persona value or command |
//! | `config.toml-syntax`, `config.wrong-type`, `config.comma-in-item` | TOML |
//! | `config.ini-syntax` | a line on which the INI reader and the line index disagree; never expected |

mod fleet;
mod ini;
mod line_index;
mod schema;
mod section_name;
mod sections;
mod toml;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Source, Spanned, sort_by_place};

pub use fleet::FleetFlags;
pub use section_name::LONGEST_NAME;
pub(crate) use section_name::flaw;

/// How a config file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Sections and `key = value`.
    Ini,
    /// TOML 1.1.
    Toml,
}

impl Format {
    /// TOML for a name that ends in `.toml`, in either case; INI for every other.
    pub fn of_path(path: &Path) -> Format {
        match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("toml") => Format::Toml,
            _ => Format::Ini,
        }
    }
}

/// Reads a config file: the request, as far as it can be understood, and everything that is wrong with the
/// file's form, sorted by place. Where a diagnostic is an error, the request lacks what it is about.
pub fn read(source: &Arc<Source>, format: Format) -> (Request, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let sections = match format {
        Format::Ini => ini::read(source, &mut diagnostics),
        Format::Toml => toml::read(source, &mut diagnostics),
    };
    let request = sections::build(sections, &mut diagnostics);
    sort_by_place(&mut diagnostics);
    (request, diagnostics)
}

/// A text value and its place.
pub type Text = Spanned<String>;

/// A whole request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `[general]`, and the flags that stand above it.
    pub general: General,
    /// Deckies and groups, in the order in which they were written.
    pub groups: Vec<Group>,
    /// `[name.service]`.
    pub personas: Vec<PersonaSection>,
    /// `[custom-SLUG]`.
    pub customs: Vec<CustomSection>,
    /// `--ip-start`: the first address to assign.
    pub ip_start: Option<Text>,
    /// Where relative names of files begin.
    pub folders: Folders,
}

/// Where relative names of files in a request begin; they stay relative where that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Those of the config file: its own folder.
    pub config: Option<PathBuf>,
    /// Those of flags: the folder in which the command was typed.
    pub current: Option<PathBuf>,
}

/// `[general]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct General {
    /// The LAN, as CIDR.
    pub net: Option<Text>,
    /// Its gateway.
    pub gw: Option<Text>,
    /// The NIC.
    pub interface: Option<Text>,
    /// Comma list of syslog servers.
    pub log_target: Option<Text>,
    /// Comma list of log files.
    pub log_file: Option<Text>,
    /// Before which size a log file is put aside.
    pub log_rotate_size: Option<Text>,
    /// At which age a log file is put aside.
    pub log_rotate_age: Option<Text>,
    /// How many log files that were put aside are kept.
    pub log_rotate_keep: Option<Text>,
    /// `auto`, `docker` or `native`.
    pub engine: Option<Text>,
    /// The seed, a number.
    pub seed: Option<Text>,
    /// The DNS domain of the fleet.
    pub domain: Option<Text>,
    /// A directory of packet personas of the user's own.
    pub personas: Option<Text>,
    /// Whether to share the NIC's MAC address.
    pub ipvlan: Option<Text>,
}

/// A decky, or a group of deckies that are alike: `[name]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The section's name.
    pub name: Text,
    /// A fixed address.
    pub ip: Option<Text>,
    /// Comma list of service slugs.
    pub services: Option<Text>,
    /// An archetype's slug.
    pub archetype: Option<Text>,
    /// An OS family or the slug of a packet persona.
    pub nmap_os: Option<Text>,
    /// How many; 1 when absent.
    pub amount: Option<Text>,
    /// Comma list of distro slugs, cycled over the members.
    pub distro: Option<Text>,
    /// Whether each member draws its distro.
    pub randomize_distros: Option<Text>,
    /// A fixed host name.
    pub hostname: Option<Text>,
    /// A fixed MAC address.
    pub mac: Option<Text>,
    /// Whether each member draws its services.
    pub randomize_services: Option<Text>,
    /// Whether the members are numbered even where there is but one: `decky-01` of `-n 1`.
    pub numbered: bool,
}

impl Group {
    /// A group with nothing but a name.
    pub fn new(name: Text) -> Self {
        Group {
            name,
            ip: None,
            services: None,
            archetype: None,
            nmap_os: None,
            amount: None,
            distro: None,
            randomize_distros: None,
            hostname: None,
            mac: None,
            randomize_services: None,
            numbered: false,
        }
    }
}

/// `[name.service]`: persona values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonaSection {
    /// The decky or group.
    pub owner: Text,
    /// The service.
    pub service: Text,
    /// Keys and values, in order.
    pub entries: Vec<(Text, Text)>,
}

/// `[custom-SLUG]`: a service of the user's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomSection {
    /// The slug, without `custom-`.
    pub slug: Text,
    /// The Docker image.
    pub binary: Option<Text>,
    /// The command.
    pub exec: Option<Text>,
    /// Its ports.
    pub ports: Option<Text>,
}

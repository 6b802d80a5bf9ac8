//! The command line, as clap reads it. Help, completions and man pages are made from these definitions.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use decnet_logging::event::Severity;

use crate::failure::exit;

/// Fills a LAN with fake machines: whoever touches one is an intruder, and every step is recorded.
#[derive(Debug, Parser)]
#[command(name = "decnet", bin_name = "decnet", version, max_term_width = 100, after_help = exit_codes())]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

fn exit_codes() -> String {
    let lines = exit::MEANINGS.map(|(code, meaning)| format!("  {code}  {meaning}"));
    format!("Exit codes:\n{}", lines.join("\n"))
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Tables for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = OutputFormat::Human)]
    pub(crate) output: OutputFormat,
    /// Where the deployment is remembered [default: /var/lib/decnet for root, else $XDG_STATE_HOME/decnet]
    #[arg(long, global = true, env = "DECNET_STATE_DIR", hide_env_values = true, value_name = "DIRECTORY")]
    state_dir: Option<OsString>,
    /// Say more about what is done
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Global {
    /// The state directory that was named, absolute: the fleet's processes have another current directory. An
    /// empty name, such as that of an empty variable, is none.
    pub(crate) fn named_state_dir(&self) -> Option<PathBuf> {
        let directory = self.state_dir.as_deref().filter(|name| !name.is_empty()).map(Path::new)?;
        Some(std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned()))
    }

    /// The state directory of this user.
    pub(crate) fn state_dir(&self) -> PathBuf {
        if let Some(directory) = self.named_state_dir() {
            return directory;
        }
        if decnet_engine::preflight::is_root() {
            return PathBuf::from("/var/lib/decnet");
        }
        // The XDG base directory specification: an unset, empty or relative value counts as unset.
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_else(|| PathBuf::from("."));
        std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| home.join(".local/state"))
            .join("decnet")
    }
}

/// Whether a command line that clap refuses asks for JSON.
pub(crate) fn wants_json(words: impl Iterator<Item = OsString>) -> bool {
    // What stands behind `--` is another program's.
    let words: Vec<OsString> = words.take_while(|word| word != "--").collect();
    words.iter().any(|word| word == "--output=json")
        || words.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Human,
    Json,
    /// RFC 5424 lines; of `events` alone
    Syslog,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Put a fleet of deckies on the LAN, or change the one that is there
    Deploy(Box<Deploy>),
    /// Try a fleet in a private LAN inside this machine, as its attacker
    Lab(Box<Lab>),
    /// What really runs
    Status,
    /// Take the fleet away
    Teardown(Teardown),
    /// Whether this machine can carry a fleet, and what to do where it cannot
    Doctor(Doctor),
    /// The services a decky can offer
    Services,
    /// The roles a decky can have
    Archetypes,
    /// The distributions a decky can be built on
    Distros,
    /// Check a config file; every problem in one run
    Validate(Validate),
    /// Read what was trapped
    Events(Box<Events>),
    /// Print a shell's completion script
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all commands to a directory
    Man {
        /// Where to write them
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

/// What `doctor` takes.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The interface that a fleet would join [default: that with the default route]
    #[arg(long, short, value_name = "INTERFACE")]
    pub(crate) interface: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// One machine
    #[default]
    Unihost,
    /// A Docker Swarm
    Swarm,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Deploy {
    /// One machine or a Docker Swarm
    #[arg(long, short, value_enum, default_value_t)]
    pub(crate) mode: Mode,
    /// How many deckies; required without --config
    #[arg(long, short = 'n', value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) deckies: Option<String>,
    /// The network interface of this machine [default: that of the default route]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) interface: Option<String>,
    /// The LAN, as CIDR [default: that of the interface]
    #[arg(long, value_name = "CIDR")]
    pub(crate) subnet: Option<String>,
    /// The LAN's gateway [default: that of the default route]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) gateway: Option<String>,
    /// The first address to assign [default: the first of the LAN]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip_start: Option<String>,
    /// Services of every decky, by comma; see `decnet services`
    #[arg(long, value_name = "LIST")]
    pub(crate) services: Option<String>,
    /// One to three services for each decky, drawn by chance
    #[arg(long)]
    pub(crate) randomize_services: bool,
    /// Distributions, by comma, cycled over the deckies; see `decnet distros` [default: those of the role, else all]
    #[arg(long, value_name = "LIST")]
    pub(crate) distro: Option<String>,
    /// A distribution for each decky, drawn by chance
    #[arg(long)]
    pub(crate) randomize_distros: bool,
    /// A role: services, operating system and distributions at once; see `decnet archetypes`
    #[arg(long, short, value_name = "ROLE")]
    pub(crate) archetype: Option<String>,
    /// A syslog server: host:port, udp://host:port, tcp://host:port or tls://host:port?ca=FILE; may be repeated
    #[arg(long, value_name = "TARGET")]
    pub(crate) log_target: Vec<String>,
    /// A file of RFC 5424 lines, or json:FILE, or ecs:FILE; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Vec<String>,
    /// One MAC address for all deckies, for Wi-Fi
    #[arg(long)]
    pub(crate) ipvlan: bool,
    /// Resolve everything and write the compose file, but start nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where a dry run writes the compose file and its build contexts
    #[arg(long, value_name = "DIRECTORY", default_value = "decnet-dry-run", requires = "dry_run")]
    pub(crate) compose_dir: PathBuf,
    /// Build every image anew
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// A config file, INI or TOML
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What runs the fleet: auto, docker or native [default: auto]
    #[arg(long, value_name = "ENGINE")]
    pub(crate) engine: Option<String>,
    /// The number everything is drawn from; the same one gives the same plan [default: that of the fleet that is there, else drawn]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(crate) seed: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Lab {
    #[command(flatten)]
    pub(crate) deploy: Deploy,
    /// Visit every open port of the fleet once, without any tool of this machine
    #[arg(long, conflicts_with = "attack")]
    pub(crate) visit: bool,
    /// The attacker's command; a shell when there is none
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) attack: Vec<OsString>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Teardown {
    /// Everything
    #[arg(long)]
    pub(crate) all: bool,
    /// One decky; the rest stays
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The config file, INI or TOML
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Events {
    #[command(subcommand)]
    pub(crate) view: Option<EventsView>,
    /// Print the JSON Schema of events, and nothing else
    #[arg(long)]
    pub(crate) schema: bool,
    /// Go on and show events as they come
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only these deckies
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) decky: Vec<String>,
    /// Only these services
    #[arg(long, value_name = "SLUG", value_delimiter = ',')]
    pub(crate) service: Vec<String>,
    /// Only these sources: addresses or networks
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) src: Vec<String>,
    /// Only these kinds, such as auth.attempt, or auth for all auth.*
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kind: Vec<String>,
    /// Only events at least so severe
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub(crate) severity: Option<LeastSeverity>,
    /// Only since then: 10m, 2h, 3d, a date or a time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// One conversation from its beginning to its end: its id, or the first digits of it
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    /// What each source did, or what was done to each decky, the worst first
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with_all = ["follow", "session"])]
    pub(crate) by: Option<EventsBy>,
    /// Every event on a line of its own: scans are not gathered, heartbeats and all bytes are shown
    #[arg(long)]
    pub(crate) raw: bool,
    /// A file of events instead of the journal: JSON lines, or RFC 5424 lines
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// What else can be asked of the events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsView {
    /// Fetch what an intruder gave: an upload, a mail, a recorded terminal
    Artifact {
        /// Its SHA-256, or the first digits of it
        sha256: String,
        /// The file to write; must not be there yet
        #[arg(long = "to", short = 'o', value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// What is missing: numbers without event, and whiles without a sign of life
    Gaps {
        /// A file of events instead of the journal: JSON lines, or RFC 5424 lines
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Check that the journal is what was written: the chain of all its hashes
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Another journal's directory [default: that of the state directory]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) journal: Option<PathBuf>,
    /// A hash that was printed earlier: fail if the journal does not hold it any more
    #[arg(long, value_name = "HASH")]
    pub(crate) contains: Option<String>,
}

/// What events are gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventsBy {
    /// The intruder's address
    Src,
    /// The decky
    Decky,
}

/// The severities that events have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeastSeverity {
    Critical,
    Error,
    Warning,
    Notice,
    Info,
}

impl From<LeastSeverity> for Severity {
    fn from(least: LeastSeverity) -> Severity {
        match least {
            LeastSeverity::Critical => Severity::Critical,
            LeastSeverity::Error => Severity::Error,
            LeastSeverity::Warning => Severity::Warning,
            LeastSeverity::Notice => Severity::Notice,
            LeastSeverity::Info => Severity::Info,
        }
    }
}

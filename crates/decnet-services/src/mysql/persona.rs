//! What this server claims to be: product, release, platform, accounts.

use std::sync::Arc;

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, parse_bool, parse_credentials};

use super::auth;
use crate::bait;
use crate::host::Host;
use crate::server::BuildError;
use crate::tls::{Attribute, Extension, Habit, Issuer, KeyKind as Key};

const SLUG: &str = "mysql";

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// A release number, for comparing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Release {
    /// Reads `8.0.36-0ubuntu0.22.04.1`; what follows the numbers is ignored.
    pub(crate) fn parse(text: &str) -> Option<Release> {
        let mut parts = text.trim().split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let major = parts.next()??;
        let mut next = || parts.next().flatten().unwrap_or(0);
        Some(Release(major, next(), next()))
    }

    /// Whether it is `major.minor` or later.
    pub(crate) fn since(self, major: u32, minor: u32) -> bool {
        self >= Release(major, minor, 0)
    }
}

/// Where the package puts things, from `data/rows.tsv`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    pub(crate) comment: String,
    pub(crate) compile_os: String,
    pub(crate) datadir: String,
    pub(crate) socket: String,
    pub(crate) pid_file: String,
    pub(crate) basedir: String,
    pub(crate) plugin_dir: String,
    pub(crate) secure_file_priv: String,
    pub(crate) log_error: String,
}

/// The whole persona.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    /// Whose it is.
    pub(crate) flavour: Flavour,
    /// The release, for comparing.
    pub(crate) release: Release,
    /// What `VERSION()` says.
    pub(crate) version: String,
    /// `version_comment`.
    pub(crate) comment: String,
    /// Where things are.
    pub(crate) places: Places,
    /// Names and passwords that are let in.
    pub(crate) users: Vec<(String, String)>,
    /// The applications whose databases are here.
    pub(crate) applications: Vec<bait::Application>,
    /// Whether every client is refused.
    pub(crate) refuses: bool,
    /// How its certificate looks, where it has one.
    pub(crate) tls: Option<Habit>,
    /// The collation in the greeting.
    pub(crate) charset: u8,
    /// Whether names of databases and tables disregard case.
    pub(crate) fold_names: bool,
    /// The first number of a connection.
    pub(crate) first_connection: u32,
    /// Seconds between the machine's boot and the server's start.
    pub(crate) start_delay: i64,
}

impl Persona {
    /// Reads the persona of a host.
    ///
    /// # Errors
    /// A value that cannot be used, or no release known.
    pub(crate) fn new(host: &Arc<Host>) -> Result<Persona, BuildError> {
        let identity = host.identity();
        let values = host.persona(SLUG);
        let value = |key: &str| values.get(key).map(|value| value.trim().to_owned());
        let product = identity.product(SLUG);
        let (flavour, version) = match (value("mysql_version").filter(|text| !text.is_empty()), product) {
            (Some(text), _) => {
                let text = text.strip_prefix("5.5.5-").map_or(text.clone(), str::to_owned);
                let release = Release::parse(&text).unwrap_or_default();
                let maria = text.to_ascii_lowercase().contains("mariadb") || (10..20).contains(&release.0);
                (if maria { Flavour::MariaDb } else { Flavour::MySql }, text)
            }
            (None, Some(product)) => {
                let maria = product.name == "mariadb";
                let mut text = product.version.clone();
                if maria {
                    text.push_str("-MariaDB");
                }
                if !product.suffix.is_empty() {
                    text.push('-');
                    text.push_str(&product.suffix);
                }
                (if maria { Flavour::MariaDb } else { Flavour::MySql }, text)
            }
            (None, None) => {
                return Err(BuildError::NoProduct {
                    hostname: identity.names.hostname.clone(),
                    component: SLUG,
                });
            }
        };
        // A release that does not read as one keeps its text; the rows of a common one then stand for it.
        let release = Release::parse(&version).unwrap_or(match flavour {
            Flavour::MySql => Release(8, 0, 36),
            Flavour::MariaDb => Release(10, 11, 6),
        });
        let flag = |key: &'static str| -> Result<Option<bool>, BuildError> {
            let Some(text) = value(key) else { return Ok(None) };
            BuildError::check(SLUG, key, KeyKind::Boolean, &text)?;
            Ok(parse_bool(&text))
        };
        let users = value("users").unwrap_or_default();
        BuildError::check(SLUG, "users", KeyKind::Credentials, &users)?;
        let users = parse_credentials(&users).unwrap_or_default();
        let kinds: Vec<String> = value("databases")
            .unwrap_or_default()
            .split(',')
            .map(|word| word.trim().to_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        for word in &kinds {
            let known = bait::Application::ALL.iter().any(|(name, _)| name == word);
            if !known && word != "auto" && word != "none" {
                return Err(BuildError::Persona {
                    service: SLUG,
                    key: "databases",
                    value: word.clone(),
                    why: format!("is none of {}", super::DATABASES),
                });
            }
        }
        let places = places(identity, flavour, release);
        let habit = match flavour {
            Flavour::MySql => release.since(5, 7),
            Flavour::MariaDb => release.since(11, 4),
        };
        let tls = flag("tls")?.unwrap_or(habit);
        let mut draw = identity.draw(&[SLUG, "server"]);
        Ok(Persona {
            flavour,
            release,
            comment: value("mysql_banner").unwrap_or_else(|| places.comment.clone()),
            places,
            users,
            applications: bait::applications(identity, SLUG, &kinds),
            refuses: flag("host_acl")?.unwrap_or(false),
            tls: tls.then(|| certificate(identity, flavour, release, &version)),
            charset: charset(identity, flavour, release),
            fold_names: identity.os.family == OsFamily::Windows,
            first_connection: draw.between(180, 9_000) as u32,
            start_delay: draw.between(5, 40) as i64,
            version,
        })
    }

    /// Whether it is MariaDB.
    pub(crate) fn maria(&self) -> bool {
        self.flavour == Flavour::MariaDb
    }

    /// The version in the greeting: MariaDB 10 puts one that old replicas understand before it.
    pub(crate) fn greeting_version(&self) -> String {
        if self.maria() && self.release.0 == 10 {
            format!("5.5.5-{}", self.version)
        } else {
            self.version.clone()
        }
    }

    /// The number alone, `8.0.36`.
    pub(crate) fn number(&self) -> String {
        let Release(major, minor, patch) = self.release;
        format!("{major}.{minor}.{patch}")
    }

    /// The plugin that the greeting names; servers before 5.5 know none.
    pub(crate) fn plugin(&self) -> Option<&'static str> {
        match self.flavour {
            Flavour::MySql if self.release.since(8, 0) => Some(auth::CACHING),
            _ if self.release.since(5, 5) => Some(auth::NATIVE),
            _ => None,
        }
    }

    /// Capabilities of the greeting. Sources: the release's own headers, and captures of MySQL 5.1, 5.5,
    /// 5.7, 8.0 and MariaDB 5.5, 10.3, 10.11.
    pub(crate) fn capabilities(&self) -> u32 {
        let bits = match self.flavour {
            Flavour::MySql if self.release.since(8, 0) => 0xdfff_ffff,
            Flavour::MySql if self.release.since(5, 7) => 0xc1ff_ffff,
            Flavour::MySql if self.release.since(5, 6) => 0x807f_ffff,
            Flavour::MySql if self.release.since(5, 5) => 0x800f_ffff,
            Flavour::MySql => 0x0000_ffff,
            Flavour::MariaDb if self.release.since(10, 4) => 0x81ff_fffe,
            Flavour::MariaDb if self.release.since(10, 2) => 0x81bf_fffe,
            Flavour::MariaDb if self.release.since(10, 0) => 0xa03f_ffff,
            Flavour::MariaDb => 0xa00f_ffff,
        };
        if self.tls.is_some() { bits } else { bits & !super::codec::capability::SSL }
    }

    /// MariaDB's further capabilities.
    pub(crate) fn extended(&self) -> u32 {
        match self.flavour {
            Flavour::MySql => 0,
            Flavour::MariaDb if self.release.since(11, 5) => 0x3d,
            Flavour::MariaDb if self.release.since(10, 6) => 0x1d,
            Flavour::MariaDb if self.release.since(10, 5) => 0x0f,
            Flavour::MariaDb if self.release.since(10, 2) => 0x07,
            Flavour::MariaDb => 0,
        }
    }

    /// What it calls itself in messages.
    pub(crate) fn product(&self) -> &'static str {
        if self.maria() { "MariaDB" } else { "MySQL" }
    }
}

fn charset(identity: &Identity, flavour: Flavour, release: Release) -> u8 {
    let packaged = identity.os.row.starts_with("debian")
        || identity.os.row.starts_with("ubuntu")
        || identity.os.row.starts_with("kali");
    match flavour {
        Flavour::MySql if release.since(8, 0) => 255,
        Flavour::MySql => 8,
        // Debian's configuration sets utf8mb4; from 11.6 on it is the product's own default.
        Flavour::MariaDb if release.since(11, 6) => 45,
        Flavour::MariaDb if packaged && release.since(10, 0) => 45,
        Flavour::MariaDb => 8,
    }
}

fn places(identity: &Identity, flavour: Flavour, release: Release) -> Places {
    let name = if flavour == Flavour::MariaDb { "mariadb" } else { "mysql" };
    let family = format!("={}", identity.os.family);
    let rows: Vec<Vec<&str>> = include_str!("data/rows.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
        .collect();
    let fits = |row: &&Vec<&str>| row.get(1) == Some(&name);
    let row = rows
        .iter()
        .filter(fits)
        .find(|row| identity.os.row.starts_with(row[0]))
        .or_else(|| rows.iter().filter(fits).find(|row| row[0] == family))
        .or_else(|| rows.iter().filter(fits).find(|row| row[0] == "=linux"));
    let major = identity.os.version.split(' ').next().unwrap_or_default();
    let field = |at: usize| {
        let text = row.and_then(|row| row.get(at)).copied().unwrap_or_default();
        if text == "-" {
            return String::new();
        }
        text.replace("{os}", major)
            .replace("{series}", &format!("{}.{}", release.0, release.1))
            .replace("{hostname}", &identity.names.hostname)
    };
    Places {
        comment: field(2),
        compile_os: field(3),
        datadir: field(4),
        socket: field(5),
        pid_file: field(6),
        basedir: field(7),
        plugin_dir: field(8),
        secure_file_priv: field(9),
        log_error: field(10),
    }
}

/// MySQL makes its certificate by an authority of its own when it is first started; MariaDB 11.4 and later
/// one that signs itself. A server that was given one by hand has the system's.
fn certificate(identity: &Identity, flavour: Flavour, release: Release, version: &str) -> Habit {
    let number = version.split('-').next().unwrap_or(version);
    let common = |name: String| vec![(Attribute::CommonName, name)];
    match flavour {
        Flavour::MySql if release.since(5, 7) => Habit {
            key: Key::Rsa2048,
            subject: common(format!("MySQL_Server_{number}_Auto_Generated_Server_Certificate")),
            issuer: Issuer::Authority(common(format!("MySQL_Server_{number}_Auto_Generated_CA_Certificate"))),
            names: Vec::new(),
            printable: false,
            days: 3650,
            renewed_after: None,
            made_after_days: (0, 3),
            serial_bytes: 1,
            extensions: vec![Extension::NotAuthority],
        },
        Flavour::MariaDb if release.since(11, 4) => Habit {
            key: Key::Rsa2048,
            subject: common("MariaDB Server".to_owned()),
            issuer: Issuer::Itself,
            names: Vec::new(),
            printable: false,
            days: 3650,
            renewed_after: None,
            made_after_days: (0, 3),
            serial_bytes: 1,
            extensions: Vec::new(),
        },
        _ => Habit::of_system(identity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_read_and_compare() {
        assert_eq!(Release::parse("10.11.6-MariaDB-0+deb12u1"), Some(Release(10, 11, 6)));
        assert_eq!(Release::parse("8.0.36-0ubuntu0.22.04.1"), Some(Release(8, 0, 36)));
        assert_eq!(Release::parse("eight"), None);
        assert!(Release(10, 6, 1).since(10, 6) && !Release(10, 5, 99).since(10, 6));
    }
}

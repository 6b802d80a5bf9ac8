//! What this PostgreSQL claims to be: release, build, accounts, databases, who may come in.

use std::sync::Arc;

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, parse_bool, parse_credentials};

use crate::host::Host;
use crate::server::BuildError;

const SLUG: &str = "postgres";

/// A release number, for comparing: `9.6.24` is 9, 6, 24; `15.6` is 15, 6, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Release {
    fn parse(text: &str) -> Option<Release> {
        let number = text.split([' ', '(', '-']).find(|part| !part.is_empty())?;
        let mut parts = number.split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let major = parts.next()??;
        let minor = parts.next().flatten().unwrap_or(0);
        Some(Release(major, minor, parts.next().flatten().unwrap_or(0)))
    }

    /// Whether it is of that major version or a later one.
    pub(crate) fn since(self, major: u32) -> bool {
        self.0 >= major
    }

    /// The major version as it stands in paths: `15`, `9.6`.
    pub(crate) fn major(self) -> String {
        if self.0 >= 10 { self.0.to_string() } else { format!("{}.{}", self.0, self.1) }
    }

    /// `server_version_num`.
    pub(crate) fn number(self) -> u32 {
        if self.0 >= 10 { self.0 * 10_000 + self.1 } else { self.0 * 10_000 + self.1 * 100 + self.2 }
    }
}

/// What a client is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// `md5`.
    Md5,
    /// `scram-sha-256`.
    Scram,
    /// `password`: in clear.
    Password,
}

/// The whole persona.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    /// `server_version`.
    pub(crate) version: String,
    /// The same, for comparing.
    pub(crate) release: Release,
    /// What `version()` says.
    pub(crate) banner: String,
    /// Whether it is Windows.
    pub(crate) windows: bool,
    /// Roles that may log in, with their passwords.
    pub(crate) users: Vec<(String, String)>,
    /// Words for what the databases hold, or their names.
    pub(crate) databases: Vec<String>,
    /// What a client is asked for.
    pub(crate) method: Method,
    /// The text with which everybody is turned away.
    pub(crate) refusal: Option<String>,
    /// Whether there is TLS.
    pub(crate) tls: bool,
    /// Whether the build knows GSSAPI.
    pub(crate) gss: bool,
    /// `data_directory`.
    pub(crate) data: String,
    /// The directory of `postgresql.conf`.
    pub(crate) config: String,
    /// The line of ProcessStartupPacket that refuses a protocol.
    pub(crate) line: u32,
    /// What the salts of unknown roles are made with.
    pub(crate) salt_key: [u8; 32],
    /// What owns the applications' databases.
    pub(crate) owner: String,
}

impl Persona {
    /// Reads the persona of a host.
    ///
    /// # Errors
    /// A value that cannot be used, or no release known.
    pub(crate) fn new(host: &Arc<Host>) -> Result<Persona, BuildError> {
        let identity = host.identity();
        let values = host.persona(SLUG);
        let value =
            |key: &str| values.get(key).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty());
        let version = match (value("pg_version"), identity.product(SLUG)) {
            (Some(version), _) => version,
            (None, Some(product)) if product.suffix.is_empty() => product.version.clone(),
            (None, Some(product)) => format!("{} ({})", product.version, product.suffix),
            (None, None) => {
                return Err(BuildError::NoProduct {
                    hostname: identity.names.hostname.clone(),
                    component: SLUG,
                });
            }
        };
        let release = Release::parse(&version).ok_or_else(|| BuildError::Persona {
            service: SLUG,
            key: "pg_version",
            value: version.clone(),
            why: "does not begin with a release number such as 15.6".to_owned(),
        })?;
        let users = match value("users") {
            Some(list) => parse_credentials(&list).map_err(|why| BuildError::Persona {
                service: SLUG,
                key: "users",
                value: list.clone(),
                why,
            })?,
            None => Vec::new(),
        };
        let method = match value("auth").as_deref() {
            None | Some("auto") => {
                if release.since(14) {
                    Method::Scram
                } else {
                    Method::Md5
                }
            }
            Some("md5") => Method::Md5,
            Some("scram") => Method::Scram,
            Some("password") => Method::Password,
            Some(other) => {
                return Err(BuildError::Persona {
                    service: SLUG,
                    key: "auth",
                    value: other.to_owned(),
                    why: "is none of auto, md5, scram, password".to_owned(),
                });
            }
        };
        let debian = identity.os.row.starts_with("debian") || identity.os.row.starts_with("ubuntu");
        let tls = match value("tls") {
            Some(text) => {
                BuildError::check(SLUG, "tls", KeyKind::Boolean, &text)?;
                parse_bool(&text).unwrap_or(debian)
            }
            None => debian,
        };
        let windows = identity.os.family == OsFamily::Windows;
        let platform = platform(identity);
        let field = |at: usize| platform.get(at).copied().unwrap_or("").replace("{major}", &release.major());
        let banner = if windows && release.since(17) {
            format!("PostgreSQL {version} on x86_64-windows, compiled by msvc-19.41.34120, 64-bit")
        } else if windows {
            format!("PostgreSQL {version}, compiled by {}, 64-bit", field(2))
        } else {
            format!("PostgreSQL {version} on {}, compiled by {}, 64-bit", field(1), field(2))
        };
        let list = value("databases").unwrap_or_else(|| "auto".to_owned());
        let owner = users.iter().map(|(name, _)| name.clone()).find(|name| name != "postgres");
        let drawn = *identity
            .draw(&[SLUG, "owner"])
            .pick(&["app", "webapp", "dbuser", "erp", "appuser"])
            .unwrap_or(&"app");
        Ok(Persona {
            banner,
            windows,
            users,
            databases: list
                .split(',')
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect(),
            method,
            refusal: value("hba"),
            tls,
            gss: release.since(12) && !windows && identity.os.family == OsFamily::Linux,
            data: field(3),
            config: field(4),
            line: line(release),
            salt_key: identity.draw(&[SLUG, "mock authentication nonce"]).bytes(),
            owner: owner.unwrap_or_else(|| drawn.to_owned()),
            version,
            release,
        })
    }

    /// The password of a role, where it may log in.
    pub(crate) fn password(&self, user: &str) -> Option<&str> {
        self.users.iter().find(|(name, _)| name == user).map(|(_, password)| password.as_str())
    }

    /// The oldest and newest protocol as the refusal of another one names them.
    pub(crate) fn protocols(&self) -> &'static str {
        match self.release.0 {
            ..=10 => "1.0 to 3.0",
            11..=13 => "2.0 to 3.0",
            14..=17 => "3.0 to 3.0",
            _ => "3.0 to 3.2",
        }
    }

    /// How the build names a source file: Visual Studio's with their path until 16, which was the last with
    /// a project of its own.
    pub(crate) fn file(&self, name: &str, directory: &str) -> String {
        if self.windows && !self.release.since(17) {
            format!(".\\src\\backend\\{directory}\\{name}")
        } else {
            name.to_owned()
        }
    }
}

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

fn platform(identity: &Identity) -> Vec<&'static str> {
    let family = format!("={}", identity.os.family);
    let rows: Vec<_> = rows(include_str!("data/platforms.tsv")).collect();
    let fits =
        |row: &&Vec<&'static str>| row.first().is_some_and(|prefix| identity.os.row.starts_with(prefix));
    let own = |row: &&Vec<&'static str>| row.first().is_some_and(|prefix| *prefix == family);
    rows.iter().find(fits).or_else(|| rows.iter().find(own)).cloned().unwrap_or_default()
}

/// The line of ProcessStartupPacket that refuses a protocol.
fn line(release: Release) -> u32 {
    let mut nearest = None;
    for row in rows(include_str!("data/lines.tsv")) {
        let [first, last, line] = row[..] else { continue };
        let (Some(first), Some(last), Ok(line)) =
            (Release::parse(first), Release::parse(last), line.parse::<u32>())
        else {
            continue;
        };
        if first <= release && release <= last {
            return line;
        }
        let same =
            if release.0 >= 10 { first.0 == release.0 } else { (first.0, first.1) == (release.0, release.1) };
        let distance =
            first.number().abs_diff(release.number()).min(last.number().abs_diff(release.number()));
        let rank = (!same, distance);
        if nearest.is_none_or(|(known, _)| rank < known) {
            nearest = Some((rank, line));
        }
    }
    nearest.map_or(0, |(_, line)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_read_and_compare() {
        assert_eq!(Release::parse("15.6 (Debian 15.6-0+deb12u1)"), Some(Release(15, 6, 0)));
        assert_eq!(Release::parse("9.6.24"), Some(Release(9, 6, 24)));
        assert_eq!(Release::parse("seven"), None);
        assert_eq!(Release(15, 6, 0).number(), 150_006);
        assert_eq!(Release(9, 2, 24).number(), 90_224);
        assert_eq!(Release(9, 2, 24).major(), "9.2");
    }

    #[test]
    fn a_release_has_its_line() {
        for (release, expected) in [
            (Release(9, 2, 24), 1755),
            (Release(13, 5, 0), 2133),
            (Release(13, 20, 0), 2133),
            (Release(14, 2, 0), 2138),
            (Release(15, 0, 0), 2194),
            (Release(15, 18, 0), 2222),
        ] {
            assert_eq!(line(release), expected, "{release:?}");
        }
    }
}

//! What this Redis claims to be: release, platform, configuration, history.

use std::collections::BTreeMap;
use std::sync::Arc;

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, parse_bool};

use super::tables;
use crate::host::Host;
use crate::server::BuildError;

const SLUG: &str = "redis";

/// A release number, for comparing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl Release {
    /// Reads `7.0.15`; what follows the numbers is ignored.
    pub(crate) fn parse(text: &str) -> Option<Release> {
        let mut parts = text.trim().split('.').map(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        });
        let major = parts.next()??;
        let rest: Vec<u32> = parts.map(|part| part.unwrap_or(0)).collect();
        Some(Release(major, rest.first().copied().unwrap_or(0), rest.get(1).copied().unwrap_or(0)))
    }

    /// Whether it is `major.minor` or later.
    pub(crate) fn since(self, major: u32, minor: u32) -> bool {
        self >= Release(major, minor, 0)
    }
}

/// The platform that the binary was built for.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    /// `gcc_version` of INFO.
    pub(crate) gcc: &'static str,
    /// `mem_allocator`.
    pub(crate) allocator: &'static str,
    /// `multiplexing_api`.
    pub(crate) multiplexing: &'static str,
    /// `executable`.
    pub(crate) executable: &'static str,
    /// `config_file`.
    pub(crate) config_file: &'static str,
    /// `dir`
    pub(crate) directory: &'static str,
    /// `logfile`
    pub(crate) log_file: &'static str,
    /// `pidfile`
    pub(crate) pid_file: &'static str,
    /// `supervised`
    pub(crate) supervised: &'static str,
}

/// The whole persona.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    /// As it stands on the wire.
    pub(crate) version: String,
    /// The same, for comparing.
    pub(crate) release: Release,
    /// `os` of INFO.
    pub(crate) os: String,
    /// 64 or 32.
    pub(crate) bits: u8,
    /// `redis_build_id`.
    pub(crate) build_id: String,
    /// The platform.
    pub(crate) platform: Platform,
    /// Whether it is Windows, where paths and INFO differ.
    pub(crate) windows: bool,
    /// The password of the default user.
    pub(crate) password: Option<String>,
    /// Whether protected mode is on.
    pub(crate) protected: bool,
    /// What the databases hold.
    pub(crate) bait: Vec<String>,
    /// Names and versions of modules.
    pub(crate) modules: Vec<(String, i64)>,
    /// Bytes of memory that the machine has.
    pub(crate) memory: u64,
    /// `maxmemory`: the product's own bound, small enough that ours below it is never seen.
    pub(crate) max_memory: u64,
    /// What an idle server of this release and platform takes.
    pub(crate) startup_memory: u64,
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
        // Without a release in plan or identity the row of the distribution stands, Debian's where unknown.
        let version = value("redis_version")
            .filter(|version| !version.is_empty())
            .or_else(|| product.map(|product| product.version.clone()))
            .ok_or_else(|| BuildError::NoProduct {
                hostname: identity.names.hostname.clone(),
                component: SLUG,
            })?;
        // A release that does not read as one keeps its text; the latest rows then stand for it.
        let release = Release::parse(&version).unwrap_or(Release(7, 2, 0));
        let (platform, os_line) = platform(identity);
        let os = value("os_string").unwrap_or_else(|| {
            os_line.replace("{kernel}", &identity.os.kernel).replace("{machine}", &identity.os.architecture)
        });
        let protected = match value("protected_mode") {
            Some(text) => {
                BuildError::check(SLUG, "protected_mode", KeyKind::Boolean, &text)?;
                parse_bool(&text).unwrap_or(false)
            }
            None => false,
        };
        let bait = words(value("keys").as_deref().unwrap_or("auto"));
        for word in &bait {
            if !super::BAIT.split(", ").any(|known| known == word) {
                return Err(BuildError::Persona {
                    service: SLUG,
                    key: "keys",
                    value: word.clone(),
                    why: format!("is none of {}", super::BAIT),
                });
            }
        }
        let modules = words(value("modules").as_deref().unwrap_or(""))
            .into_iter()
            .map(|word| match word.split_once(':') {
                Some((name, version)) => {
                    version.parse().map(|version| (name.to_owned(), version)).map_err(|_| {
                        BuildError::Persona {
                            service: SLUG,
                            key: "modules",
                            value: word.clone(),
                            why: "is neither a name nor name:number".to_owned(),
                        }
                    })
                }
                None => Ok((word, 1)),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut draw = identity.draw(&[SLUG, "machine"]);
        // The whole machine shares this one number of gigabytes; firmware and kernel keep a little.
        let gigabytes = *identity.draw(&["memory"]).pick(&[2u64, 4, 4, 8, 8, 16, 16, 32]).unwrap_or(&8);
        let memory = gigabytes * 1024 * 1024 * 1024 - draw.between(30_000, 110_000) * 4096;
        let max_memory = *draw.pick(&[10u64, 12, 14, 15, 16]).unwrap_or(&16) * 1024 * 1024;
        let bits =
            if matches!(identity.os.architecture.as_str(), "i686" | "armv7l" | "mips") { 32 } else { 64 };
        let startup_memory = startup_memory(release) + draw.below(64) * 16;
        let start_delay = draw.between(4, 30) as i64;
        let build_id = tables::rows(include_str!("data/builds.tsv"))
            .find(|row| matches!(row[..], [prefix, known, _] if identity.os.row.starts_with(prefix) && known == version))
            .and_then(|row| row.get(2).map(|id| (*id).to_owned()))
            .unwrap_or_else(|| identity.draw(&[SLUG, "build", &version]).text("0123456789abcdef", 16));
        Ok(Persona {
            release,
            os,
            bits,
            build_id,
            platform,
            windows: identity.os.family == OsFamily::Windows,
            password: value("requirepass").filter(|password| !password.is_empty()),
            protected,
            bait,
            modules,
            memory,
            max_memory,
            startup_memory,
            start_delay,
            version,
        })
    }

    /// What stands in the configuration besides the defaults of the release.
    pub(crate) fn configured(&self, port: u16) -> BTreeMap<&'static str, String> {
        let mut config = BTreeMap::from([
            ("port", port.to_string()),
            ("dir", self.platform.directory.to_owned()),
            ("logfile", self.platform.log_file.to_owned()),
            ("pidfile", self.platform.pid_file.to_owned()),
            ("supervised", self.platform.supervised.to_owned()),
            ("requirepass", self.password.clone().unwrap_or_default()),
            ("protected-mode", if self.protected { "yes" } else { "no" }.to_owned()),
            ("maxmemory", self.max_memory.to_string()),
            (
                "daemonize",
                if self.platform.supervised == "systemd" || self.windows { "no" } else { "yes" }.to_owned(),
            ),
            ("bind", if self.release.since(6, 2) { "* -::*" } else { "0.0.0.0" }.to_owned()),
        ]);
        if !self.release.since(5, 0) {
            config.insert("tcp-keepalive", "300".to_owned());
        }
        config
    }
}

/// About what an idle server of a release takes, from servers of these releases just started.
fn startup_memory(release: Release) -> u64 {
    match release {
        r if r.since(7, 0) => 876_000,
        r if r.since(6, 2) => 810_000,
        r if r.since(6, 0) => 803_000,
        r if r.since(5, 0) => 791_000,
        _ => 765_000,
    }
}

fn words(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn platform(identity: &Identity) -> (Platform, &'static str) {
    let family = format!("={}", identity.os.family);
    let rows: Vec<Vec<&'static str>> = tables::rows(include_str!("data/platforms.tsv")).collect();
    let row = rows
        .iter()
        .find(|row| identity.os.row.starts_with(row[0]))
        .or_else(|| rows.iter().find(|row| row[0] == family));
    let field = |at: usize| row.and_then(|row| row.get(at).copied()).unwrap_or("");
    let platform = Platform {
        gcc: field(1),
        allocator: field(2),
        multiplexing: field(3),
        executable: field(4),
        config_file: field(5),
        directory: field(6),
        log_file: field(7),
        pid_file: field(8),
        supervised: field(9),
    };
    (platform, field(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_read_and_compare() {
        assert_eq!(Release::parse("7.0.15"), Some(Release(7, 0, 15)));
        assert_eq!(Release::parse("3.2.100"), Some(Release(3, 2, 100)));
        assert_eq!(Release::parse("7.4-rc1"), Some(Release(7, 4, 0)));
        assert_eq!(Release::parse("seven"), None);
        assert!(Release(6, 2, 7).since(6, 0) && !Release(6, 2, 7).since(7, 0));
    }
}

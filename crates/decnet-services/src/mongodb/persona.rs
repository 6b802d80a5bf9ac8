//! What a MongoDB shows of itself, by release and platform.
//!
//! Sources: wire versions from the product's `wire_version.h`; git hashes from `mongod --version` as it
//! stands in public logs and Dockerfiles of that release; build environments from public `buildInfo`
//! answers (7.0.9 on Ubuntu 22.04 and Debian 12). A release whose hash is not known has one drawn.

use std::sync::Arc;

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, parse_bool, parse_credentials};

use crate::host::Host;
use crate::server::BuildError;

const SLUG: &str = "mongodb";

/// Release and hash.
const HASHES: &[(&str, &str)] = &[
    ("2.4.14", "05bebf9ab15511a71bfbded684bb226014c0a553"),
    ("3.6.23", "d352e6a4764659e0d0350ce77279de3c1f243e5c"),
    ("4.0.28", "af1a9dc12adcfa83cc19571cb3faba26eeddac92"),
    ("4.2.24", "5e4ec1d24431fcdd28b579a024c5c801b8cde4e2"),
    ("4.4.29", "f4dda329a99811c707eb06d05ad023599f9be263"),
    ("6.0.14", "25225db95574916fecab3af75b184409f8713aef"),
    ("7.0.9", "3ff3a3925c36ed277cf5eafca5495f2e3728dd67"),
    ("7.0.12", "b6513ce0781db6818e24619e8a461eae90bc94fc"),
];

/// `maxWireVersion` of a release.
pub(crate) fn wire_version(release: (u32, u32)) -> i32 {
    match release {
        (..=1, _) | (2, ..=4) => 0,
        (2, _) => 2,
        (3, 0 | 1) => 3,
        (3, 2 | 3) => 4,
        (3, 4 | 5) => 5,
        (3, _) => 6,
        (4, 0 | 1) => 7,
        (4, 2 | 3) => 8,
        (4, _) => 9,
        (5, minor) => 13 + minor.min(3) as i32,
        (6, minor) => 17 + minor.min(3) as i32,
        (7, minor) => 21 + minor.min(3) as i32,
        (8, 0) => 25,
        (8, 1) => 26,
        _ => 27,
    }
}

/// The whole persona.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    /// As it stands on the wire.
    pub(crate) version: String,
    /// The same, for comparing.
    pub(crate) release: (u32, u32),
    /// The third number.
    pub(crate) patch: u32,
    /// `gitVersion`.
    pub(crate) git: String,
    /// `distmod`.
    pub(crate) distmod: &'static str,
    /// `openssl.running`; none where it was built without.
    pub(crate) openssl: Option<&'static str>,
    /// `target_os`.
    pub(crate) target: &'static str,
    /// Where its files are.
    pub(crate) config_file: &'static str,
    /// `storage.dbPath`.
    pub(crate) data: &'static str,
    /// `systemLog.path`.
    pub(crate) log: &'static str,
    /// Whether commands need a login.
    pub(crate) auth: bool,
    /// Who may log in.
    pub(crate) users: Vec<(String, String)>,
    /// The words or names of `databases`.
    pub(crate) databases: Vec<String>,
    /// The replica set.
    pub(crate) replset: Option<String>,
    /// Mebibytes of memory of the machine.
    pub(crate) memory: u64,
    /// Cores.
    pub(crate) cores: u64,
    /// Seconds between the machine's boot and the server's start.
    pub(crate) start_delay: i64,
    /// The process.
    pub(crate) pid: i64,
}

impl Persona {
    /// Reads the persona of a host.
    ///
    /// # Errors
    /// A value that cannot be used, or no release known.
    pub(crate) fn new(host: &Arc<Host>) -> Result<Persona, BuildError> {
        let identity = host.identity();
        let values = host.persona(SLUG);
        let value = |key: &str| {
            values.get(key).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let version = value("mongo_version")
            .or_else(|| identity.product(SLUG).map(|product| product.version.clone()))
            .ok_or_else(|| BuildError::NoProduct {
                hostname: identity.names.hostname.clone(),
                component: SLUG,
            })?;
        let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().ok());
        let mut number = || numbers.next().flatten();
        // A text that is no release keeps its text; the latest rows stand for it.
        let (release, patch) = match (number(), number()) {
            (Some(major), Some(minor)) => ((major, minor), number().unwrap_or(0)),
            (Some(major), None) => ((major, 0), 0),
            _ => ((7, 0), 0),
        };
        let auth = match value("auth") {
            Some(text) => {
                BuildError::check(SLUG, "auth", KeyKind::Boolean, &text)?;
                parse_bool(&text).unwrap_or(true)
            }
            None => true,
        };
        let users = match value("users") {
            Some(text) => parse_credentials(&text).map_err(|wrong| BuildError::Persona {
                service: SLUG,
                key: "users",
                value: wrong,
                why: "is not user:password".to_owned(),
            })?,
            None => Vec::new(),
        };
        let databases = value("databases").unwrap_or_default();
        let databases: Vec<String> =
            databases.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if let Some(bad) = databases
            .iter()
            .find(|name| name.contains(['/', '\\', '.', ' ', '"', '$', '\0']) || name.len() > 63)
        {
            return Err(BuildError::Persona {
                service: SLUG,
                key: "databases",
                value: bad.clone(),
                why: "is no name of a database".to_owned(),
            });
        }
        let mut draw = identity.draw(&[SLUG, "machine"]);
        let git = HASHES
            .iter()
            .find(|(known, _)| *known == version)
            .map(|(_, hash)| (*hash).to_owned())
            .unwrap_or_else(|| identity.draw(&[SLUG, "git", &version]).text("0123456789abcdef", 40));
        let gigabytes = *identity.draw(&["memory"]).pick(&[2u64, 4, 4, 8, 8, 16, 16, 32]).unwrap_or(&8);
        let (distmod, openssl) = build_of(identity);
        let windows = identity.os.family == OsFamily::Windows;
        let bsd = identity.os.family == OsFamily::Bsd;
        Ok(Persona {
            release,
            patch,
            git,
            distmod: if windows && release < (4, 2) { "2008plus-ssl" } else { distmod },
            openssl: (!windows).then_some(openssl),
            target: if windows {
                "windows"
            } else if bsd {
                "freebsd"
            } else {
                "linux"
            },
            config_file: if windows {
                "C:\\Program Files\\MongoDB\\Server\\bin\\mongod.cfg"
            } else if bsd {
                "/usr/local/etc/mongodb.conf"
            } else {
                "/etc/mongod.conf"
            },
            data: if windows {
                "C:\\Program Files\\MongoDB\\Server\\data"
            } else if bsd {
                "/var/db/mongodb"
            } else if distmod.starts_with("rhel") || distmod.starts_with("amazon") {
                "/var/lib/mongo"
            } else {
                "/var/lib/mongodb"
            },
            log: if windows {
                "C:\\Program Files\\MongoDB\\Server\\log\\mongod.log"
            } else if bsd {
                "/var/db/mongodb/mongod.log"
            } else {
                "/var/log/mongodb/mongod.log"
            },
            auth,
            users,
            databases,
            replset: value("replset").filter(|name| name != "none"),
            memory: gigabytes * 1024 - draw.between(40, 220),
            cores: *draw.pick(&[1u64, 2, 2, 4, 4, 8]).unwrap_or(&2),
            start_delay: draw.between(5, 40) as i64,
            pid: draw.between(480, 1900) as i64,
            version,
        })
    }

    /// Whether it is at least that release.
    pub(crate) fn since(&self, major: u32, minor: u32) -> bool {
        self.release >= (major, minor)
    }

    /// `maxWireVersion`.
    pub(crate) fn wire(&self) -> i32 {
        wire_version(self.release)
    }
}

/// `distmod` and OpenSSL of the packages for a platform.
fn build_of(identity: &Identity) -> (&'static str, &'static str) {
    let row = identity.os.row.as_str();
    let version = identity.os.version.as_str();
    match identity.os.family {
        OsFamily::Windows => ("windows", ""),
        OsFamily::Bsd => ("", "OpenSSL 3.0.12 24 Oct 2023"),
        _ if row.starts_with("ubuntu20") || version.starts_with("20.04") => {
            ("ubuntu2004", "OpenSSL 1.1.1f  31 Mar 2020")
        }
        _ if row.starts_with("ubuntu") => ("ubuntu2204", "OpenSSL 3.0.2 15 Mar 2022"),
        _ if row.starts_with("rocky") || row.starts_with("fedora") => ("rhel90", "OpenSSL 3.0.7 1 Nov 2022"),
        _ if row.starts_with("centos") => ("rhel70", "OpenSSL 1.0.1e-fips 11 Feb 2013"),
        _ if row.starts_with("debian") && version.starts_with("11") => {
            ("debian11", "OpenSSL 1.1.1n  15 Mar 2022")
        }
        _ => ("debian12", "OpenSSL 3.0.11 19 Sep 2023"),
    }
}

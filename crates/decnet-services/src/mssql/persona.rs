//! What this SQL Server claims to be.

use std::sync::Arc;

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, parse_bool, parse_credentials};

use super::codec::{Encryption, TdsVersion};
use crate::bait;
use crate::host::Host;
use crate::ntlm::{Names, Release, Server, Version};
use crate::server::BuildError;

const SLUG: &str = "mssql";

/// A build that was released.
#[derive(Clone, Copy, Debug)]
pub(super) struct Build {
    /// `15.0.4375.4`
    pub(super) number: &'static str,
    /// The name of the release.
    pub(super) name: &'static str,
    /// Its servicing level, as in `@@version` behind the name.
    pub(super) level: &'static str,
    /// `RTM`, `SP3`: SERVERPROPERTY('ProductLevel').
    pub(super) product_level: &'static str,
    /// `CU27`; empty where there is none.
    pub(super) update_level: &'static str,
    /// The article of the update; empty for a first release.
    pub(super) article: &'static str,
    /// When it was compiled, as `@@version` prints it.
    pub(super) compiled: &'static str,
    /// The year in the copyright line.
    pub(super) copyright: &'static str,
}

macro_rules! builds {
    ($($number:literal $name:literal $product:literal $update:literal $level:literal $article:literal
       $compiled:literal $copyright:literal;)*) => {
        &[$(Build {
            number: $number, name: $name, level: $level, product_level: $product, update_level: $update,
            article: $article, compiled: $compiled, copyright: $copyright,
        }),*]
    };
}

/// Builds by number. Numbers, levels and articles are those of Microsoft's lists of builds; the times at
/// which a build was compiled are from public `@@version` output where there is some.
#[rustfmt::skip]
const BUILDS: &[Build] = builds! {
    "10.50.1600.1" "2008 R2" "RTM" "" "RTM" "" "Apr  2 2010 15:48:46" "Microsoft Corporation";
    "10.50.6000.34" "2008 R2" "SP3" "" "SP3" "KB2979597" "Aug 19 2014 12:21:34" "Microsoft Corporation";
    "10.50.6560.0" "2008 R2" "SP3" "" "SP3-GDR" "KB4057113" "Dec 28 2017 15:03:48" "Microsoft Corporation";
    "11.0.2100.60" "2012" "RTM" "" "RTM" "" "Feb 10 2012 19:39:15" "Microsoft Corporation";
    "11.0.7001.0" "2012" "SP4" "" "SP4" "KB4018073" "Aug 15 2017 10:23:29" "Microsoft Corporation";
    "11.0.7507.2" "2012" "SP4" "" "SP4-GDR" "KB4583465" "Nov  1 2020 00:48:37" "Microsoft Corporation";
    "12.0.2000.8" "2014" "RTM" "" "RTM" "" "Feb 20 2014 20:04:26" "Microsoft Corporation";
    "12.0.6024.0" "2014" "SP3" "" "SP3" "KB4022619" "Sep  7 2018 01:37:51" "Microsoft Corporation";
    "13.0.1601.5" "2016" "RTM" "" "RTM" "" "Apr 29 2016 23:23:58" "Microsoft Corporation";
    "13.0.6435.1" "2016" "SP3" "" "SP3-GDR" "KB5029186" "Jul 30 2023 04:42:50" "Microsoft Corporation";
    "13.0.6441.1" "2016" "SP3" "" "SP3-GDR" "KB5040946" "May 26 2024 20:56:14" "Microsoft Corporation";
    "14.0.1000.169" "2017" "RTM" "" "RTM" "" "Aug 22 2017 17:04:49" "2017 Microsoft Corporation";
    "14.0.3465.1" "2017" "RTM" "CU31" "RTM-CU31-GDR" "KB5029376" "Jul 30 2023 15:31:58" "2017 Microsoft Corporation";
    "14.0.3471.2" "2017" "RTM" "CU31" "RTM-CU31-GDR" "KB5040940" "Jun  3 2024 19:42:52" "2017 Microsoft Corporation";
    "15.0.2000.5" "2019" "RTM" "" "RTM" "" "Sep 24 2019 13:48:23" "2019 Microsoft Corporation";
    "15.0.4355.3" "2019" "RTM" "CU25" "RTM-CU25" "KB5033688" "Jan 30 2024 17:02:22" "2019 Microsoft Corporation";
    "15.0.4375.4" "2019" "RTM" "CU27" "RTM-CU27" "KB5037331" "Jun 10 2024 18:00:07" "2019 Microsoft Corporation";
    "15.0.4385.2" "2019" "RTM" "CU28" "RTM-CU28" "KB5039747" "Jul 25 2024 20:43:13" "2019 Microsoft Corporation";
    "16.0.1000.6" "2022" "RTM" "" "RTM" "" "Oct  8 2022 05:58:25" "2022 Microsoft Corporation";
    "16.0.4115.5" "2022" "RTM" "CU12" "RTM-CU12" "KB5033663" "Mar  4 2024 08:56:10" "2022 Microsoft Corporation";
    "16.0.4135.4" "2022" "RTM" "CU14" "RTM-CU14" "KB5038325" "Jul 10 2024 14:09:09" "2022 Microsoft Corporation";
    "16.0.4165.4" "2022" "RTM" "CU16" "RTM-CU16" "KB5048033" "Nov  6 2024 19:24:49" "2022 Microsoft Corporation";
    "16.0.4175.1" "2022" "RTM" "CU17" "RTM-CU17" "KB5048038" "Dec 13 2024 17:39:27" "2022 Microsoft Corporation";
};

/// The numbers of a build.
fn numbers(text: &str) -> [u32; 4] {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

/// The whole persona.
#[derive(Clone, Debug)]
pub(super) struct Persona {
    /// `15.0.4375.4`, as it stands on the wire.
    pub(super) version: String,
    /// The same, for comparing.
    pub(super) numbers: [u32; 4],
    /// The row of the table that says the rest.
    pub(super) build: Build,
    /// `Standard Edition (64-bit)`
    pub(super) edition: &'static str,
    /// The server's name: `SRV-SQL-01`.
    pub(super) machine: String,
    /// The instance; empty for the default one.
    pub(super) instance: String,
    /// The accounts that are let in.
    pub(super) users: Vec<(String, String)>,
    /// The applications whose databases there are.
    pub(super) applications: Vec<bait::Application>,
    /// What it wants encrypted.
    pub(super) encryption: Encryption,
    /// Whether TLS must come before anything else.
    pub(super) strict: bool,
    /// Whether 1434/udp answers.
    pub(super) browser: bool,
    /// Whether it runs on Windows.
    pub(super) windows: bool,
    /// The newest version of the protocol that it speaks.
    pub(super) newest: TdsVersion,
    /// Its half of NTLM.
    pub(super) ntlm: Server,
}

impl Persona {
    /// Reads the persona of a host.
    ///
    /// # Errors
    /// A value that cannot be used, or no release known.
    pub(super) fn new(host: &Arc<Host>) -> Result<Persona, BuildError> {
        let identity = host.identity();
        let values = host.persona(SLUG);
        let value = |key: &str| values.get(key).map(|value| value.trim()).filter(|value| !value.is_empty());
        let product = identity.product(SLUG);
        let wanted = value("mssql_version")
            .map(str::to_owned)
            .or_else(|| product.map(|product| product.version.clone()))
            .ok_or_else(|| BuildError::NoProduct {
                hostname: identity.names.hostname.clone(),
                component: SLUG,
            })?;
        let (version, build) = released(&wanted).ok_or_else(|| BuildError::Persona {
            service: SLUG,
            key: "mssql_version",
            value: wanted.clone(),
            why: "names no release of SQL Server; give a year such as 2019 or a build such as 15.0.4375.4"
                .to_owned(),
        })?;
        let users = match value("users") {
            Some(text) => {
                BuildError::check(SLUG, "users", KeyKind::Credentials, text)?;
                parse_credentials(text).unwrap_or_default()
            }
            None => Vec::new(),
        };
        let browser = match value("browser") {
            Some(text) => {
                BuildError::check(SLUG, "browser", KeyKind::Boolean, text)?;
                parse_bool(text).unwrap_or(false)
            }
            None => false,
        };
        let major = numbers(&version)[0];
        let words: Vec<String> = value("databases")
            .unwrap_or("auto")
            .split([',', ' '])
            .map(|word| word.trim().to_lowercase())
            .filter(|word| !word.is_empty())
            .collect();
        let encrypt = value("encrypt").unwrap_or("off");
        let windows = identity.os.family == OsFamily::Windows;
        let machine = value("server_name").unwrap_or(&identity.names.netbios).to_owned();
        let mut names = Names::of(identity);
        if names.netbios_computer != machine {
            if !names.joined {
                names.netbios_domain.clone_from(&machine);
            }
            names.netbios_computer.clone_from(&machine);
        }
        let release = match (windows, Version::read(&identity.os.version)) {
            (true, Some(version)) => Release::Windows(version),
            _ => Release::Samba,
        };
        Ok(Persona {
            numbers: numbers(&version),
            version,
            build,
            edition: edition(identity, product.map_or("", |product| &product.suffix)),
            machine,
            instance: value("instance")
                .filter(|name| !name.eq_ignore_ascii_case("mssqlserver"))
                .unwrap_or_default()
                .to_owned(),
            users,
            applications: bait::applications(identity, SLUG, &words),
            encryption: if encrypt == "off" { Encryption::Off } else { Encryption::Required },
            // Strict came with 2022; before, forcing was as much as there was.
            strict: encrypt == "force" && major >= 16,
            browser,
            windows,
            newest: match major {
                ..=9 => TdsVersion::V7_2,
                10 => TdsVersion::V7_3B,
                _ => TdsVersion::V7_4,
            },
            ntlm: Server::new(names, release),
        })
    }

    /// `SRV-SQL-01` or `SRV-SQL-01\SQLEXPRESS`: `@@servername`, and in every message.
    pub(super) fn server_name(&self) -> String {
        match self.instance.as_str() {
            "" => self.machine.clone(),
            instance => format!("{}\\{instance}", self.machine),
        }
    }

    /// `@@servicename`.
    pub(super) fn service_name(&self) -> &str {
        if self.instance.is_empty() { "MSSQLSERVER" } else { &self.instance }
    }

    /// Major, minor and build number as PRELOGIN and LOGINACK have them.
    pub(super) fn wire_version(&self) -> (u8, u8, u16) {
        let [major, minor, build, _] = self.numbers;
        (major.min(255) as u8, minor.min(255) as u8, build.min(65_535) as u16)
    }

    /// Whether TLS before PRELOGIN is spoken (TDS 8.0, since 2022).
    pub(super) fn speaks_strict(&self) -> bool {
        self.numbers[0] >= 16
    }

    /// `@@version`.
    pub(super) fn banner(&self, identity: &Identity) -> String {
        let build = &self.build;
        let article = if build.article.is_empty() { String::new() } else { format!(" ({})", build.article) };
        let system = if self.windows {
            let mut parts = identity.os.version.rsplitn(2, '.');
            let (number, base) = (parts.next().unwrap_or(""), parts.next().unwrap_or("10.0"));
            // 2012 and later name the virtual machine; without one there is nothing.
            let vm =
                ["VMware", "QEMU", "Microsoft"].iter().any(|maker| identity.hardware.vendor.contains(maker));
            let hypervisor = if vm { " (Hypervisor)" } else { "" };
            format!("Windows {} <X64> (Build {number}: ){hypervisor}", windows_name(&identity.os.name, base))
        } else {
            format!("Linux ({}) <X64>", identity.os.name)
        };
        format!(
            "Microsoft SQL Server {} ({}){article} - {} (X64) \n\t{} \n\tCopyright (C) {}\n\t{} on {system}\n",
            build.name, build.level, self.version, build.compiled, build.copyright, self.edition
        )
    }
}

/// `Server 2019 Standard 10.0`, as GetVersion's caller in SQL Server writes it.
fn windows_name(name: &str, base: &str) -> String {
    let name = name.trim_start_matches("Windows ");
    // Up to 2008 R2 it was called by its kernel.
    if base.starts_with("6.0") || base.starts_with("6.1") {
        format!("NT {base}")
    } else {
        format!("{name} {base}")
    }
}

/// A build and the row for it: the number itself, or the newest of a year or a major version.
fn released(text: &str) -> Option<(String, Build)> {
    let number = text
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .find(|word| word.split('.').count() >= 3 && word.split('.').all(|part| !part.is_empty()));
    if let Some(number) = number {
        let wanted = numbers(number);
        let same = BUILDS.iter().filter(|build| numbers(build.number)[..2] == wanted[..2]);
        // The row of the newest build that is not newer.
        let row = same.clone().rfind(|build| numbers(build.number) <= wanted);
        let row = row.or_else(|| same.clone().next())?;
        return Some((number.to_owned(), *row));
    }
    let text = text.to_lowercase();
    let mut newest = None;
    for build in BUILDS {
        let major = numbers(build.number)[0].to_string();
        if text.contains(&build.name.to_lowercase()) || text.trim_end_matches(".0") == major {
            newest = Some(build);
        }
    }
    newest.map(|build| (build.number.to_owned(), *build))
}

/// The edition: Express where the identity says so, else one that companies buy.
fn edition(identity: &Identity, suffix: &str) -> &'static str {
    if suffix.contains("express") {
        return "Express Edition (64-bit)";
    }
    let editions = [
        "Standard Edition (64-bit)",
        "Standard Edition (64-bit)",
        "Enterprise Edition: Core-based Licensing (64-bit)",
        "Developer Edition (64-bit)",
    ];
    identity.draw(&["mssql", "edition"]).pick(&editions).copied().unwrap_or(editions[0])
}

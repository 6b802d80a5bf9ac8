//! The coherence of a decky: one record from which every protocol reads names, versions, keys and
//! "random" constants, so that no two protocols of one machine contradict each other.
//!
//! An identity is derived from the decky's seed, its archetype's product set and its distro. It holds no
//! clock: dates are absolute (drawn relative to the day on which the catalogue was last revised), and the
//! time of the last boot is a pure function of the present ([`Identity::booted_at`]), because a real
//! machine is rebooted now and then.

pub(crate) mod derive;
mod expand;
mod machine;
mod products;
pub(crate) mod taken;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::seed::{Draw, Seed};

/// An operating system family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OsFamily {
    /// Linux distributions.
    Linux,
    /// Microsoft Windows.
    Windows,
    /// FreeBSD and its kin.
    Bsd,
    /// Printers, PLCs, sensors.
    Embedded,
    /// Cisco IOS.
    Cisco,
}

impl OsFamily {
    /// All of them, in the order of the tables.
    pub const ALL: [OsFamily; 5] =
        [OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded, OsFamily::Cisco];

    /// The word used in configs.
    pub const fn slug(self) -> &'static str {
        match self {
            OsFamily::Linux => "linux",
            OsFamily::Windows => "windows",
            OsFamily::Bsd => "bsd",
            OsFamily::Embedded => "embedded",
            OsFamily::Cisco => "cisco",
        }
    }
}

impl fmt::Display for OsFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.slug())
    }
}

/// A word that names no OS family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no OS family; there are linux, windows, bsd, embedded and cisco")]
pub struct UnknownFamily(pub String);

impl FromStr for OsFamily {
    type Err = UnknownFamily;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OsFamily::ALL
            .into_iter()
            .find(|family| family.slug() == text)
            .ok_or_else(|| UnknownFamily(text.to_owned()))
    }
}

/// The operating system that a decky claims to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// The family.
    pub family: OsFamily,
    /// The row of the catalogue it was taken from: a distro (`debian`), a Windows row (`server-2019`), a
    /// device (`brother-hl`), a BSD or IOS release.
    pub row: String,
    /// The name a person would give it: "Debian GNU/Linux 12 (bookworm)", "Windows Server 2019 Standard".
    pub name: String,
    /// Its version: "12", "10.0.17763", "15.2(4)M7", a firmware number.
    pub version: String,
    /// The kernel release as `uname -r` prints it, or the Windows build number; empty where there is none.
    pub kernel: String,
    /// The kernel's build string as `uname -v` prints it; empty where there is none.
    pub kernel_build: String,
    /// The machine as `uname -m` prints it.
    pub architecture: String,
}

/// A product behind a service or component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The product: "redis", "nginx", "apache", "net-snmp", "iis".
    pub name: String,
    /// Its version as the product prints it, without the distribution's suffix: "7.0.15".
    pub version: String,
    /// The distribution's suffix or the text in brackets: "Debian", "0ubuntu0.22.04.1"; empty where none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suffix: String,
}

/// The device behind the decky: what a sticker on its case would say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    /// The maker: "Dell Inc.", "VMware, Inc.", "Brother".
    pub vendor: String,
    /// The model: "PowerEdge R640", "HL-L2350DW series".
    pub model: String,
    /// The serial number in the vendor's form.
    pub serial: String,
    /// Who made the network card, as the OUI's owner is called.
    pub nic_vendor: String,
}

/// The names of a decky.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// The host name without a domain, in the case that the system uses.
    pub hostname: String,
    /// Host name and domain, lower case.
    pub fqdn: String,
    /// The DNS domain, lower case.
    pub domain: String,
    /// The NetBIOS computer name: at most 15 characters, upper case.
    pub netbios: String,
    /// The NetBIOS domain, or the workgroup of a host that is not joined.
    pub netbios_domain: String,
    /// Whether the host is joined to [`Self::domain`].
    pub joined: bool,
    /// The organisation, for certificates.
    pub organisation: String,
}

/// The times of a decky, in seconds since 1970-01-01 UTC unless named otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The IANA name of its time zone.
    pub timezone: String,
    /// When its system was installed. Certificates and host keys were made then.
    pub installed: i64,
    /// Seconds between two reboots.
    pub reboot_period: i64,
    /// How far its clock is off, in milliseconds; less than two seconds either way.
    pub clock_offset_ms: i64,
}

/// Everything about a decky that more than one protocol may show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Root of all derived values of this decky. Secret: keys are made from it.
    pub seed: Seed,
    /// Its names.
    pub names: Names,
    /// Its operating system.
    pub os: Os,
    /// Its hardware.
    pub hardware: Hardware,
    /// Its times.
    pub times: Times,
    /// The variant of its archetype: "a", "b"; empty without an archetype.
    pub variant: String,
    /// The product behind each service, by the service's slug ("ssh", "http", "redis", "snmp", …), and behind
    /// components that are no service: "kernel", "openssl", "php", "shell", "python", "systemd", "webapp",
    /// "containerd".
    pub products: BTreeMap<String, Product>,
    /// The account that the commonly sprayed credentials open, where the user set none:
    /// user name and password. ssh and telnet of linux and embedded deckies use it.
    pub weak_account: Option<(String, String)>,
}

impl Identity {
    /// A stream of derived values for one purpose of one service.
    pub fn draw(&self, labels: &[&str]) -> Draw {
        self.seed.draw(labels)
    }

    /// The product of a component, where the identity has one.
    pub fn product(&self, component: &str) -> Option<&Product> {
        self.products.get(component)
    }

    /// When the system was last booted, given the present, both in seconds since 1970-01-01 UTC.
    ///
    /// Reboots follow a period from the install date on. Before the install date (a wrong clock) the
    /// answer is the install date.
    pub fn booted_at(&self, now: i64) -> i64 {
        let since = now.saturating_sub(self.times.installed);
        if since <= 0 || self.times.reboot_period <= 0 {
            return self.times.installed;
        }
        // Every boot takes place some way into its period, so that reboots do not come like clockwork.
        let turn = since / self.times.reboot_period;
        let boot = |turn: i64| {
            let jitter = self.draw(&["reboot", &turn.to_string()]).below(self.times.reboot_period as u64 / 2);
            self.times.installed + turn * self.times.reboot_period + jitter as i64
        };
        let this = boot(turn);
        if this <= now {
            this
        } else if turn > 0 {
            boot(turn - 1)
        } else {
            self.times.installed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            seed: Seed::from_number(1),
            names: Names {
                hostname: "SRV-FILES-01".into(),
                fqdn: "srv-files-01.corp.example".into(),
                domain: "corp.example".into(),
                netbios: "SRV-FILES-01".into(),
                netbios_domain: "CORP".into(),
                joined: false,
                organisation: "Example".into(),
            },
            os: Os {
                family: OsFamily::Linux,
                row: "debian".into(),
                name: "Debian GNU/Linux 12 (bookworm)".into(),
                version: "12".into(),
                kernel: "6.1.0-26-amd64".into(),
                kernel_build: "#1 SMP".into(),
                architecture: "x86_64".into(),
            },
            hardware: Hardware {
                vendor: "Dell Inc.".into(),
                model: "PowerEdge R640".into(),
                serial: "ABC1234".into(),
                nic_vendor: "Dell Inc.".into(),
            },
            times: Times {
                timezone: "Europe/Berlin".into(),
                installed: 1_700_000_000,
                reboot_period: 40 * 86_400,
                clock_offset_ms: 120,
            },
            variant: "a".into(),
            products: BTreeMap::new(),
            weak_account: None,
        }
    }

    #[test]
    fn the_last_boot_is_never_in_the_future_and_never_far_back() {
        let identity = identity();
        let mut last = 0;
        for day in 0..2000 {
            let now = identity.times.installed + day * 86_400;
            let boot = identity.booted_at(now);
            assert!(boot <= now && boot >= identity.times.installed);
            assert!(now - boot <= 2 * identity.times.reboot_period);
            assert!(boot >= last, "a boot that was the last one stays in the past");
            last = boot;
        }
    }

    #[test]
    fn families_read_back() {
        for family in OsFamily::ALL {
            assert_eq!(family.slug().parse::<OsFamily>().unwrap(), family);
        }
        assert!("plan9".parse::<OsFamily>().is_err());
    }
}

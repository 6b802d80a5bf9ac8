//! The shapes of the catalogue's tables.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::address::MacAddress;
use crate::identity::{OsFamily, Product};

/// A role for a decky: services, operating system and distributions at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archetype {
    /// The name in `archetype=`.
    pub slug: String,
    /// Its services, by slug.
    pub services: Vec<String>,
    /// The operating system that it claims.
    pub os: OsFamily,
    /// The distributions whose images its containers run, cycled over the deckies.
    pub distros: Vec<String>,
    /// What it is, for tables.
    pub description: String,
    /// Words for host names.
    pub(crate) words: Vec<String>,
    /// Its variants, "a" first.
    #[serde(rename = "variant")]
    pub(crate) variants: Vec<Variant>,
}

/// One of the machines that an archetype may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    /// "a" or "b".
    pub(crate) name: String,
    /// The operating systems it runs; none: the decky's distribution.
    #[serde(default)]
    pub(crate) rows: Vec<String>,
    /// The distributions that call for it.
    #[serde(default)]
    pub(crate) distros: Vec<String>,
    /// Its machines; none: those of the row.
    #[serde(default)]
    pub(crate) hardware: Vec<String>,
    /// Its host name patterns; none: those of the row.
    #[serde(default)]
    pub(crate) hostnames: Vec<String>,
    /// Whether it is joined to the domain.
    #[serde(default)]
    pub(crate) joined: bool,
    /// The product it prefers among those of the row, by service.
    #[serde(default)]
    pub(crate) prefer: BTreeMap<String, String>,
    /// Products that the row has not, by component.
    #[serde(default)]
    pub(crate) products: Products,
}

/// Products to choose from, by component.
pub(crate) type Products = BTreeMap<String, Vec<ProductChoice>>;

/// `name version rest`, as the tables write a product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ProductChoice(pub(crate) Product);

impl TryFrom<String> for ProductChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut words = text.splitn(3, ' ');
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            return Err(format!("product `{text}` is not `name version rest`"));
        };
        let version = if version == "-" { "" } else { version };
        let suffix = words.next().unwrap_or_default();
        Ok(ProductChoice(Product { name: name.into(), version: version.into(), suffix: suffix.into() }))
    }
}

/// A Linux distribution: the image of a container, and what a Linux decky claims to be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distro {
    /// The name in `distro=`.
    pub slug: String,
    /// The Docker image. Our binary is static, so it is the build base as well.
    pub image: String,
    /// The name in tables.
    pub name: String,
    /// How its machines are called: `generic`, `rhel`, `minimal` or `rolling`.
    pub style: String,
}

/// An operating system family, as a decky's network namespace shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Which.
    pub slug: OsFamily,
    /// What it is, for tables.
    pub description: String,
    /// The time to live of its packets.
    pub ttl: u8,
    /// The sysctls of a decky's network namespace.
    pub sysctls: BTreeMap<String, String>,
    /// The operating system of a decky of which nothing else is known.
    pub(crate) row: String,
    /// Products where the row names none.
    pub(crate) products: Products,
}

/// A packet persona of decnet-fingerprint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Persona {
    /// The name in `nmap_os=`.
    pub slug: String,
    /// Its family.
    pub family: OsFamily,
    /// The systems that answer like it.
    pub description: String,
    /// The operating systems of the catalogue that it fits.
    pub(crate) rows: Vec<String>,
    /// Its file, where it is one of the user's own.
    #[serde(skip)]
    pub facts: Option<String>,
}

/// An operating system release or a device's firmware, with the products it comes with.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) slug: String,
    /// Set by the loader for the tables that hold one family only.
    pub(crate) family: Option<OsFamily>,
    pub(crate) name: String,
    /// Absent where `firmware` gives versions.
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) firmware: Vec<String>,
    #[serde(default = "x86_64")]
    pub(crate) architecture: String,
    /// Release and build string.
    #[serde(default)]
    pub(crate) kernels: Vec<(String, String)>,
    /// The services that make it likely where no archetype says.
    #[serde(default)]
    pub(crate) suits: Vec<String>,
    #[serde(default)]
    pub(crate) hardware: Vec<String>,
    #[serde(default)]
    pub(crate) hostnames: Vec<String>,
    /// The host name style where there are no patterns; a distribution's row has that of the distribution.
    #[serde(default)]
    pub(crate) style: String,
    /// First and last day of installation.
    #[serde(default)]
    pub(crate) installed: Option<(String, String)>,
    #[serde(default)]
    pub(crate) reboot_days: Option<(u64, u64)>,
    /// Too old to be drawn; the user has to ask for its packet persona.
    #[serde(default)]
    pub(crate) only_by_persona: bool,
    #[serde(default)]
    pub(crate) products: Products,
    /// Components that are no services: `php`, `openssl`, `shell`, …
    #[serde(default)]
    pub(crate) extras: Products,
    /// Set by the loader: `installed` in seconds since 1970.
    #[serde(skip)]
    pub(crate) window: (i64, i64),
    /// Set by the loader: the personas that fit it, the first one its own.
    #[serde(skip)]
    pub(crate) personas: Vec<String>,
}

fn x86_64() -> String {
    "x86_64".to_owned()
}

impl Row {
    /// The family. The loader refuses a row without one.
    pub(crate) fn family(&self) -> OsFamily {
        self.family.unwrap_or(OsFamily::Linux)
    }
}

/// Machines of one kind.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hardware {
    pub(crate) slug: String,
    pub(crate) vendor: String,
    pub(crate) models: Vec<String>,
    pub(crate) nics: Vec<String>,
    pub(crate) serial: String,
}

/// The network cards of one maker.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nic {
    pub(crate) slug: String,
    pub(crate) vendor: String,
    /// Whether it is a hypervisor's.
    #[serde(default, rename = "virtual")]
    pub(crate) is_virtual: bool,
    pub(crate) prefixes: Vec<Prefix>,
}

/// A vendor's prefix, with the bounds of the fourth octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Prefix {
    pub(crate) oui: [u8; 3],
    pub(crate) fourth: (u8, u8),
}

impl Prefix {
    /// Whether an address may have been handed out under it.
    pub(crate) fn holds(&self, mac: MacAddress) -> bool {
        mac.oui() == self.oui && (self.fourth.0..=self.fourth.1).contains(&mac.octets()[3])
    }
}

impl TryFrom<String> for Prefix {
    type Error = String;

    /// Reads `00:0c:29` or `00:50:56@80-bf`.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let wrong = || format!("`{text}` is not a MAC prefix");
        let hex = |pair: &str| u8::from_str_radix(pair, 16).map_err(|_| wrong());
        let (oui, range) = text.split_once('@').unwrap_or((&text, "00-ff"));
        let octets: Vec<u8> = oui.split(':').map(hex).collect::<Result<_, _>>()?;
        let oui = octets.try_into().map_err(|_| wrong())?;
        let (low, high) = range.split_once('-').ok_or_else(wrong)?;
        let fourth = (hex(low)?, hex(high)?);
        if fourth.0 > fourth.1 {
            return Err(wrong());
        }
        Ok(Prefix { oui, fourth })
    }
}

/// A place where a fleet may stand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Region {
    pub(crate) timezone: String,
    pub(crate) sites: Vec<String>,
}

/// Names for the organisation that the fleet belongs to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Organisations {
    pub(crate) names: Vec<String>,
    pub(crate) kinds: Vec<String>,
    pub(crate) domains: Vec<String>,
}

/// The halves of two-word host names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rolling {
    pub(crate) first: Vec<String>,
    pub(crate) last: Vec<String>,
}

/// `user:password` pairs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    pub(crate) linux: Vec<String>,
    pub(crate) embedded: Vec<String>,
}

/// What belongs to no row.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct General {
    pub(crate) as_of: String,
    pub(crate) installed_months: (i64, i64),
    pub(crate) reboot_days: (u64, u64),
    pub(crate) linux_hardware: Vec<String>,
    pub(crate) linux_hardware_rolling: Vec<String>,
    pub(crate) styles: BTreeMap<String, Vec<String>>,
    pub(crate) words: BTreeMap<String, Vec<String>>,
    pub(crate) rolling: Rolling,
    #[serde(rename = "region")]
    pub(crate) regions: Vec<Region>,
    pub(crate) organisations: Organisations,
    pub(crate) credentials: Credentials,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_split_at_the_first_two_spaces() {
        let product = |text: &str| ProductChoice::try_from(text.to_owned()).map(|choice| choice.0);
        let apache = product("apache 2.4.62 Rocky Linux").unwrap();
        assert_eq!((&*apache.name, &*apache.version, &*apache.suffix), ("apache", "2.4.62", "Rocky Linux"));
        assert_eq!(product("debut -").unwrap().version, "");
        assert!(product("debut").is_err());
    }

    #[test]
    fn prefixes_may_bound_the_fourth_octet() {
        let prefix = |text: &str| Prefix::try_from(text.to_owned());
        let vcenter = prefix("00:50:56@80-bf").unwrap();
        assert!(vcenter.holds(MacAddress([0, 0x50, 0x56, 0x80, 1, 2])));
        assert!(!vcenter.holds(MacAddress([0, 0x50, 0x56, 0xc0, 1, 2])));
        assert_eq!(prefix("00:0c:29").unwrap().fourth, (0, 255));
        for wrong in ["00:0c", "00:0c:29@9", "00:0c:29@9-1", "zz:0c:29"] {
            assert!(prefix(wrong).is_err(), "{wrong}");
        }
    }
}

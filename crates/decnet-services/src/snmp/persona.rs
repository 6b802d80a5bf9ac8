//! Which agent a decky plays, and what it says of itself: from the persona keys and the identity.

use std::fmt::Write as _;

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::plan::Decky;
use decnet_core::service::PersonaValues;

use super::usm::User;
use crate::asn1::{LengthForm, Oid};
use crate::server::BuildError;

/// An agent product on a kind of device. Each has its own tree and its own manners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// net-snmp's snmpd on a server, gateway or sensor that runs Linux.
    NetSnmp,
    /// FreeBSD's bsnmpd.
    Bsnmpd,
    /// The SNMP service of Windows.
    Windows,
    /// A Brother printer.
    Brother,
    /// An HP printer.
    HpPrinter,
    /// A Siemens S7 controller.
    Siemens,
    /// A Schneider Modicon controller.
    Schneider,
    /// A Cisco IOS router.
    CiscoRouter,
    /// A Cisco IOS switch.
    CiscoSwitch,
    /// An uninterruptible power supply with an APC network card.
    Ups,
}

/// A community.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Community {
    pub(crate) name: String,
    pub(crate) write: bool,
}

/// What the agent is.
#[derive(Debug)]
pub(crate) struct Persona {
    pub(crate) profile: Profile,
    /// The agent's version, where it has one.
    pub(crate) version: String,
    pub(crate) communities: Vec<Community>,
    pub(crate) users: Vec<User>,
    pub(crate) descr: String,
    pub(crate) object_id: Oid,
    pub(crate) contact: String,
    pub(crate) location: String,
    pub(crate) name: String,
    /// sysServices (RFC 3418).
    pub(crate) services: i32,
    /// snmpEngineID.
    pub(crate) engine_id: Vec<u8>,
    /// How it writes lengths.
    pub(crate) form: LengthForm,
    /// Whether it speaks v3.
    pub(crate) v3: bool,
    /// The largest message that it says it takes.
    pub(crate) max_size: i32,
}

impl Persona {
    /// From what the user set and who the decky is.
    ///
    /// # Errors
    /// A value of a key that no agent could have.
    pub(crate) fn new(decky: &Decky, values: &PersonaValues) -> Result<Persona, BuildError> {
        let identity = &decky.identity;
        let value = |key: &str| values.get(key).map(String::as_str);
        let profile = profile(identity, decky, value("device"));
        let version = identity
            .product("snmp")
            .or_else(|| identity.product("net-snmp"))
            .map(|product| product.version.clone())
            .filter(|version| version != "-")
            .unwrap_or_default();
        let version =
            if profile == Profile::NetSnmp && version.is_empty() { "5.9.3".into() } else { version };
        let communities = communities(value("snmp_community").unwrap_or(default_communities(profile)));
        let users = users(value("v3_users").unwrap_or_default())?;
        let object_id = match value("sys_object_id") {
            None => default_object_id(profile, decky),
            Some(text) => {
                text.trim().parse().map_err(|error: crate::asn1::ParseOidError| BuildError::Persona {
                    service: "snmp",
                    key: "sys_object_id",
                    value: text.to_owned(),
                    why: format!("is refused: {error}"),
                })?
            }
        };
        let (contact, location) = contact_and_location(profile, identity);
        let text = |key: &str, default: String| value(key).map_or(default, str::to_owned);
        Ok(Persona {
            profile,
            communities,
            users,
            descr: text("sys_descr", default_descr(profile, decky)),
            object_id,
            contact: text("sys_contact", contact),
            location: text("sys_location", location),
            name: text("sys_name", default_name(profile, identity)),
            services: services(profile),
            engine_id: engine_id(profile, decky),
            form: match profile {
                // The SNMP service writes every sequence before it knows its contents.
                Profile::Windows => LengthForm::TwoBytes,
                _ => LengthForm::Shortest,
            },
            v3: !matches!(profile, Profile::Windows | Profile::Siemens | Profile::Schneider),
            max_size: match profile {
                Profile::NetSnmp => 65_507,
                Profile::Bsnmpd => 2_048,
                _ => 1_500,
            },
            version,
        })
    }

    /// The community of that name.
    pub(crate) fn community(&self, name: &[u8]) -> Option<&Community> {
        self.communities.iter().find(|community| community.name.as_bytes() == name)
    }

    /// The user of that name.
    pub(crate) fn user(&self, name: &[u8]) -> Option<&User> {
        self.users.iter().find(|user| user.name.as_bytes() == name)
    }

    /// For events: `net-snmp/5.9.3`.
    pub(crate) fn product(&self) -> String {
        let name = match self.profile {
            Profile::NetSnmp => "net-snmp",
            Profile::Bsnmpd => "bsnmpd",
            Profile::Windows => "windows-snmp",
            Profile::Brother => "brother-nc",
            Profile::HpPrinter => "jetdirect",
            Profile::Siemens => "siemens-snmp",
            Profile::Schneider => "schneider-snmp",
            Profile::CiscoRouter | Profile::CiscoSwitch => "cisco-ios",
            Profile::Ups => "apc-snmp",
        };
        if self.version.is_empty() { name.to_owned() } else { format!("{name}/{}", self.version) }
    }
}

fn profile(identity: &Identity, decky: &Decky, device: Option<&str>) -> Profile {
    let vendor = identity.hardware.vendor.to_ascii_lowercase();
    let row = identity.os.row.as_str();
    let hp = vendor.starts_with("hp") || vendor.starts_with("hewlett") || row.starts_with("hp-");
    let printer = if hp { Profile::HpPrinter } else { Profile::Brother };
    let schneider = vendor.starts_with("schneider") || row.starts_with("schneider");
    let plc = if schneider { Profile::Schneider } else { Profile::Siemens };
    match device.map(str::trim) {
        Some("printer") => return printer,
        Some("switch") => return Profile::CiscoSwitch,
        Some("ups") => return Profile::Ups,
        Some("plc") => return plc,
        _ => {}
    }
    let by_product = match identity.product("snmp").map(|product| product.name.as_str()) {
        Some("net-snmp") => Some(Profile::NetSnmp),
        Some("bsnmpd") => Some(Profile::Bsnmpd),
        Some("windows-snmp") => Some(Profile::Windows),
        Some("brother-nc") => Some(Profile::Brother),
        Some("jetdirect") => Some(Profile::HpPrinter),
        Some("siemens-snmp") => Some(Profile::Siemens),
        Some("schneider-snmp") => Some(Profile::Schneider),
        Some("cisco-ios") => Some(Profile::CiscoRouter),
        _ => None,
    };
    if let Some(profile) = by_product.filter(|_| device.is_none()) {
        return profile;
    }
    match identity.os.family {
        OsFamily::Linux => Profile::NetSnmp,
        OsFamily::Windows => Profile::Windows,
        OsFamily::Bsd => Profile::Bsnmpd,
        OsFamily::Cisco => Profile::CiscoRouter,
        // `server` on a device, or a device that runs Linux underneath.
        OsFamily::Embedded if device.is_some() || !identity.os.kernel.is_empty() => Profile::NetSnmp,
        OsFamily::Embedded
            if row.starts_with("siemens") || schneider || decky.service("conpot").is_some() =>
        {
            plc
        }
        OsFamily::Embedded => printer,
    }
}

/// What the devices come with: a community that reads, and on some one that writes. Linux and Windows
/// have none until an administrator sets one, and that is `public` as a rule.
fn default_communities(profile: Profile) -> &'static str {
    match profile {
        Profile::NetSnmp | Profile::Bsnmpd | Profile::Windows | Profile::HpPrinter | Profile::Schneider => {
            "public"
        }
        // Brother's manuals name `internal` as the community that writes.
        Profile::Brother => "public,rw:internal",
        Profile::Siemens | Profile::CiscoRouter | Profile::CiscoSwitch | Profile::Ups => "public,rw:private",
    }
}

fn communities(list: &str) -> Vec<Community> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| match entry.strip_prefix("rw:") {
            Some(name) => Community { name: name.trim().to_owned(), write: true },
            None => Community { name: entry.to_owned(), write: false },
        })
        .collect()
}

fn users(list: &str) -> Result<Vec<User>, BuildError> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            User::parse(entry).map_err(|why| BuildError::Persona {
                service: "snmp",
                key: "v3_users",
                value: entry.to_owned(),
                why,
            })
        })
        .collect()
}

/// The text behind sysDescr, in the form of the product.
fn default_descr(profile: Profile, decky: &Decky) -> String {
    let identity = &decky.identity;
    let os = &identity.os;
    let hardware = &identity.hardware;
    match profile {
        // `uname -a` without the operating system's name at the end.
        Profile::NetSnmp => {
            format!("Linux {} {} {} {}", identity.names.hostname, os.kernel, os.kernel_build, os.architecture)
        }
        // nodename, kern.hostid, sysname, release (bsnmpd's main).
        Profile::Bsnmpd => format!(
            "{} {} FreeBSD {}",
            identity.names.fqdn,
            identity.draw(&["snmp", "hostid"]).between(1 << 28, u64::from(u32::MAX)),
            os.kernel
        ),
        Profile::Windows => {
            let (family, model, stepping) = processor_signature(identity);
            format!(
                "Hardware: {family} Model {model} Stepping {stepping} AT/AT COMPATIBLE - Software: Windows \
                 Version {} (Build {} Multiprocessor Free)",
                windows_version(&os.kernel),
                os.kernel
            )
        }
        Profile::Brother => {
            let mut draw = identity.draw(&["snmp", "brother"]);
            let product = identity.product("snmp").map_or("8200h", |product| product.version.as_str());
            let date =
                format!("{:02}.{:02}.{:02}", draw.between(15, 23), draw.between(1, 12), draw.between(1, 28));
            let model_id = draw.text("0123456789ABCDEFGHJKLMNPQRSTUVWX", 3);
            format!("Brother NC-{product}, Firmware Ver.{}  ({date}),MID 8C5-{model_id},FID 2", os.version)
        }
        Profile::HpPrinter => {
            let mut draw = identity.draw(&["snmp", "jetdirect"]);
            let year = 2000 + draw.between(12, 22);
            let date = format!("{:02}/{:02}/{year}", draw.between(1, 12), draw.between(1, 28));
            if os.row.contains("futuresmart") {
                let print = format!("JDI{}", draw.between(23_500_000, 24_990_000));
                format!("HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM {print},CIDATE {date}")
            } else {
                let date = format!(
                    "{:02}/{:02}/{}",
                    draw.between(1, 12),
                    draw.between(1, 28),
                    draw.between(2008, 2014)
                );
                let firmware = if os.version.starts_with("V.") { os.version.as_str() } else { "V.36.11" };
                let rom = firmware.get(..4).unwrap_or("V.36");
                format!(
                    "HP ETHERNET MULTI-ENVIRONMENT,ROM {rom}.{:02},JETDIRECT,JD128,EEPROM {firmware},CIDATE {date}",
                    draw.between(5, 30)
                )
            }
        }
        Profile::Siemens => {
            let order = if hardware.model.starts_with("6ES7") {
                hardware.model.as_str()
            } else {
                "6ES7 214-1AG40-0XB0"
            };
            let revision = identity.draw(&["snmp", "hardware revision"]).between(1, 6);
            let firmware = os.version.strip_prefix('V').unwrap_or(&os.version);
            format!(
                "Siemens, SIMATIC S7, CPU-1200, {order}, HW: {revision}, FW: V.{firmware}, {}",
                hardware.serial
            )
        }
        Profile::Schneider => {
            let firmware = os.version.strip_prefix('V').unwrap_or(&os.version);
            format!("Product: {} - Ethernet Processor. Firmware: V{firmware}", hardware.model)
        }
        Profile::CiscoRouter | Profile::CiscoSwitch => cisco_descr(profile, identity),
        Profile::Ups => {
            let mut draw = identity.draw(&["snmp", "apc"]);
            let made =
                format!("{:02}/{:02}/{}", draw.between(1, 12), draw.between(1, 28), draw.between(2012, 2019));
            format!(
                "APC Web/SNMP Management Card (MB:v4.1.0 PF:v6.5.0 PN:apc_hw05_aos_650.bin AF1:v6.5.0 \
                 AN1:apc_hw05_sumx_650.bin MN:AP9630 HR:08 SN: {} MD:{made})",
                hardware.serial
            )
        }
    }
}

fn cisco_descr(profile: Profile, identity: &Identity) -> String {
    let version = &identity.os.version;
    let mut draw = identity.draw(&["snmp", "cisco"]);
    let access_point = identity.os.row.contains("ap");
    let (series, image, built) = match profile {
        Profile::CiscoSwitch => ("C2960", "C2960-LANBASEK9-M", "prod_rel_team"),
        _ if access_point => ("C1140", "C1140-K9W7-M", "prod_rel_team"),
        _ => ("C2900", "C2900-UNIVERSALK9-M", "prod_rel_team"),
    };
    // The year follows the release train.
    let year = match version.get(..4) {
        Some("12.4" | "12.2") => 2011,
        Some("15.0" | "15.1") => 2012,
        Some("15.2") => 2014,
        _ => 2016,
    };
    let days = ["Mon", "Tue", "Wed", "Thu", "Fri"];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let day = draw.between(1, 28);
    let month = draw.below(12) as usize;
    let date = time::Month::try_from(month as u8 + 1)
        .ok()
        .and_then(|month| time::Date::from_calendar_date(year, month, day as u8).ok());
    let weekday = date.map_or(0, |date| usize::from(date.weekday().number_days_from_monday()));
    let weekday = days.get(weekday).copied().unwrap_or("Sat");
    format!(
        "Cisco IOS Software, {series} Software ({image}), Version {version}, RELEASE SOFTWARE (fc{})\r\n\
         Technical Support: http://www.cisco.com/techsupport\r\n\
         Copyright (c) 1986-{year} by Cisco Systems, Inc.\r\n\
         Compiled {weekday} {day:02}-{}-{:02} {:02}:{:02} by {built}",
        draw.between(1, 3),
        months.get(month).copied().unwrap_or("Jan"),
        year % 100,
        draw.below(24),
        draw.below(60)
    )
}

/// The version that GetVersion gives programs without a manifest: frozen at 6.3 since Windows 8.1.
fn windows_version(build: &str) -> &'static str {
    match build.parse::<u32>() {
        Ok(..=6003) => "6.0",
        Ok(..=7601) => "6.1",
        Ok(..=9200) => "6.2",
        _ => "6.3",
    }
}

/// Family, model and stepping of the processor as Windows prints them.
pub(crate) fn processor_signature(identity: &Identity) -> (&'static str, u64, u64) {
    let mut draw = identity.draw(&["snmp", "processor"]);
    let server = identity.os.row.contains("server");
    // Skylake-SP, Cascade Lake, Ice Lake-SP; Coffee Lake, Comet Lake, Tiger Lake.
    let models: &[(u64, u64)] = if server {
        &[(85, 4), (85, 7), (106, 6), (79, 1)]
    } else {
        &[(158, 10), (165, 5), (140, 1), (142, 12)]
    };
    let (model, stepping) = draw.pick(models).copied().unwrap_or((85, 7));
    ("Intel64 Family 6", model, stepping)
}

fn default_object_id(profile: Profile, decky: &Decky) -> Oid {
    let identity = &decky.identity;
    let enterprise = |arcs: &[u32]| Oid::new(&[1, 3, 6, 1, 4, 1]).with(arcs);
    match profile {
        Profile::NetSnmp => enterprise(&[8072, 3, 2, 10]),
        Profile::Bsnmpd => {
            // oid_freeBSDVersion, and the numbers of the release behind it.
            let release = identity.os.kernel.split('-').next().unwrap_or_default();
            let numbers: Vec<u32> = release.split('.').filter_map(|part| part.parse().ok()).collect();
            enterprise(&[12325, 1, 1, 2, 1]).with(&numbers)
        }
        Profile::Windows => {
            // Workstation, server, domain controller.
            let role = match decky.archetype.as_deref() {
                Some("domain-controller") => 3,
                _ if identity.os.row.contains("server") => 2,
                _ => 1,
            };
            enterprise(&[311, 1, 1, 3, 1, role])
        }
        Profile::Brother => enterprise(&[2435, 2, 3, 9, 1]),
        Profile::HpPrinter => enterprise(&[11, 2, 3, 9, 1]),
        Profile::Siemens => enterprise(&[4329, 6, 3, 2, 1]),
        Profile::Schneider => enterprise(&[3833, 1, 7, 255, 6]),
        // CISCO-PRODUCTS-MIB.
        Profile::CiscoRouter => {
            let number = match identity.hardware.model.as_str() {
                model if model.contains("2901") => 1046,
                model if model.contains("2921") => 1044,
                model if model.contains("114") => 1034,
                _ => 1045,
            };
            enterprise(&[9, 1, number])
        }
        Profile::CiscoSwitch => enterprise(&[9, 1, 716]),
        // PowerNet-MIB: smartUPS.
        Profile::Ups => enterprise(&[318, 1, 3, 27]),
    }
}

fn default_name(profile: Profile, identity: &Identity) -> String {
    match profile {
        Profile::Bsnmpd => identity.names.fqdn.clone(),
        Profile::CiscoRouter | Profile::CiscoSwitch if !identity.names.domain.is_empty() => {
            format!("{}.{}", identity.names.hostname, identity.names.domain)
        }
        _ => identity.names.hostname.clone(),
    }
}

/// Devices come with both empty; whoever opens snmpd to the network fills them in.
fn contact_and_location(profile: Profile, identity: &Identity) -> (String, String) {
    let mut draw = identity.draw(&["snmp", "contact"]);
    match profile {
        Profile::NetSnmp | Profile::Bsnmpd | Profile::CiscoRouter | Profile::CiscoSwitch => {
            let role = draw
                .pick(&["noc", "it", "sysadmin", "netops", "infra", "it-operations"])
                .copied()
                .unwrap_or("it");
            let mut location = String::new();
            match draw.below(4) {
                0 => location.push_str("Server room"),
                1 => {
                    let _ = write!(location, "Rack {}, U{:02}", draw.between(1, 24), draw.between(2, 40));
                }
                2 => {
                    let _ = write!(
                        location,
                        "DC{} / {}{:02}",
                        draw.between(1, 3),
                        draw.text("ABCDEF", 1),
                        draw.between(1, 18)
                    );
                }
                _ => {
                    let _ = write!(location, "Building {}, floor {}", draw.between(1, 6), draw.between(0, 4));
                }
            }
            (format!("{role}@{}", identity.names.domain), location)
        }
        Profile::Ups => ("Unknown".into(), "Unknown".into()),
        _ => (String::new(), String::new()),
    }
}

fn services(profile: Profile) -> i32 {
    match profile {
        Profile::Windows => 76,
        Profile::CiscoRouter => 78,
        Profile::CiscoSwitch => 6,
        Profile::HpPrinter => 64,
        Profile::Siemens => 76,
        _ => 72,
    }
}

/// snmpEngineID (RFC 3411 section 5) in the form of the vendor.
fn engine_id(profile: Profile, decky: &Decky) -> Vec<u8> {
    let identity = &decky.identity;
    let mac = decky.mac.octets();
    let with_mac = |enterprise: u32| {
        let mut id = (enterprise | 0x8000_0000).to_be_bytes().to_vec();
        id.push(3);
        id.extend(mac);
        id
    };
    match profile {
        // Four random bytes, then the time of the first start in the byte order and size of the machine.
        Profile::NetSnmp => {
            let mut id = (8072u32 | 0x8000_0000).to_be_bytes().to_vec();
            id.push(0x80);
            id.extend(identity.draw(&["snmp", "engine"]).bytes::<4>());
            let first_start = identity.times.installed
                + 1_800
                + identity.draw(&["snmp", "first start"]).below(90_000) as i64;
            match identity.os.architecture.as_str() {
                "mips" => id.extend((first_start as u32).to_be_bytes()),
                machine if machine.starts_with("arm") => id.extend((first_start as u32).to_le_bytes()),
                _ => id.extend(first_start.to_le_bytes()),
            }
            id
        }
        // Text (format 4) under the enterprise of the Begemot agent: the host name.
        Profile::Bsnmpd => {
            let mut id = (12325u32 | 0x8000_0000).to_be_bytes().to_vec();
            id.push(4);
            id.extend(identity.names.fqdn.bytes().take(27));
            id
        }
        Profile::CiscoRouter | Profile::CiscoSwitch => {
            let mut id = (9u32 | 0x8000_0000).to_be_bytes().to_vec();
            id.extend([3, 0]);
            id.extend(mac);
            id
        }
        Profile::Brother => with_mac(2435),
        Profile::HpPrinter => with_mac(11),
        Profile::Windows => with_mac(311),
        Profile::Siemens => with_mac(4329),
        Profile::Schneider => with_mac(3833),
        Profile::Ups => with_mac(318),
    }
}

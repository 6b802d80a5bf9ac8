//! What runs on the host: from the tables of the system, the services of the decky, and the identity.

use std::sync::LazyLock;

use decnet_core::identity::OsFamily;
use decnet_core::service::Transport;
use serde::Deserialize;

use super::facts::Machine;
use super::live::Flow;

/// A process of the data file.
#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    args: String,
    /// Resident kilobytes.
    memory: u32,
    /// Thousandths of a processor.
    #[serde(default)]
    busy: u32,
    #[serde(default = "once")]
    count: u32,
    #[serde(default)]
    rows: Vec<String>,
    #[serde(default)]
    vendors: Vec<String>,
    /// The service it belongs to; `slug` in the list of services.
    #[serde(default, alias = "slug")]
    service: String,
    #[serde(default)]
    product: String,
    #[serde(default)]
    pid: u32,
    #[serde(default)]
    kind: i32,
    /// The first Windows build that has it.
    #[serde(default)]
    since: u32,
}

fn once() -> u32 {
    1
}

#[derive(Debug, Deserialize)]
struct Driver {
    vendors: Vec<String>,
    threads: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Table {
    kernel: Vec<String>,
    driver: Vec<Driver>,
    linux: Vec<Entry>,
    embedded: Vec<Entry>,
    bsd: Vec<Entry>,
    windows: Vec<Entry>,
    service: Vec<Entry>,
}

/// A broken file would be a broken build; a test reads it. Here it gives an empty table.
static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../data/processes.toml")).unwrap_or_default());

/// A process that runs.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) args: String,
    /// hrSWRunType: 2 operating system, 4 application.
    pub(crate) kind: i32,
    /// hrSWRunStatus: 1 running, 2 runnable, 4 invalid (idle kernel threads on Linux).
    pub(crate) status: i32,
    /// Kilobytes.
    pub(crate) memory: u32,
    /// Hundredths of seconds of processor time.
    pub(crate) time: Flow,
    /// The service it belongs to.
    pub(crate) service: String,
}

/// Everything that runs, by process number.
pub(crate) fn list(machine: &Machine<'_>) -> Vec<Process> {
    let identity = machine.identity;
    let table = &*TABLE;
    let mut draw = identity.draw(&["snmp", "processes"]);
    let mut processes = Vec::new();
    let mut pid;
    let family = identity.os.family;
    let time = |busy: f64, pid: u32| Flow {
        rate: busy / 10.0,
        phase: f64::from(pid % 97) / 97.0,
        base: u64::from(pid % 13),
    };
    match family {
        OsFamily::Linux | OsFamily::Embedded => {
            processes.push(Process {
                pid: 1,
                name: if identity.os.row == "teltonika-rut" { "procd" } else { "systemd" }.into(),
                path: "/sbin/init".into(),
                args: String::new(),
                kind: 4,
                status: 2,
                memory: 12_400,
                time: time(0.4, 1),
                service: String::new(),
            });
            pid = 2;
            let extra = table.driver.iter().filter(|driver| fits_vendor(&driver.vendors, machine));
            let threads = table.kernel.iter().chain(extra.flat_map(|driver| &driver.threads));
            for name in threads {
                let idle =
                    name != "kthreadd" && !name.starts_with("ksoftirqd") && !name.starts_with("migration");
                let short: String = name.chars().take(15).collect();
                let busy = if name.starts_with("rcu_") || name.starts_with("jbd2") { 0.3 } else { 0.0 };
                processes.push(Process {
                    pid,
                    name: if name.starts_with("kworker") { name.clone() } else { short },
                    path: String::new(),
                    args: String::new(),
                    kind: 2,
                    status: if idle { 4 } else { 2 },
                    memory: 0,
                    time: time(busy, pid),
                    service: String::new(),
                });
                pid += if draw.below(9) == 0 { 2 } else { 1 };
            }
            pid += draw.between(90, 260) as u32;
        }
        _ => pid = if family == OsFamily::Bsd { 1 } else { 100 },
    }
    let entries: &[Entry] = match family {
        OsFamily::Linux => &table.linux,
        OsFamily::Embedded => &table.embedded,
        OsFamily::Bsd => &table.bsd,
        OsFamily::Windows => &table.windows,
        OsFamily::Cisco => &[],
    };
    let services: &[Entry] = if family == OsFamily::Windows { &[] } else { &table.service };
    let chosen = entries.iter().chain(services).filter(|entry| fits(entry, machine));
    for entry in chosen {
        for turn in 0..entry.count.max(1) {
            let own = if entry.pid != 0 {
                entry.pid
            } else {
                // Windows numbers in fours, the others one by one with gaps for what has ended.
                pid += if family == OsFamily::Windows {
                    4 * draw.between(5, 60) as u32
                } else {
                    draw.between(1, 17) as u32
                };
                pid
            };
            let jitter = draw.between(90, 112);
            processes.push(Process {
                pid: own,
                name: entry.name.clone(),
                path: filled(&entry.path, machine, &entry.service),
                args: match filled(&entry.args, machine, &entry.service) {
                    // Service hosts have had a policy flag since Windows 10 1709.
                    args if family == OsFamily::Windows && windows_build(machine) < 16_299 => {
                        args.strip_suffix(" -p").unwrap_or(&args).to_owned()
                    }
                    args => args,
                },
                kind: if entry.kind == 0 { 4 } else { entry.kind },
                // The agent that answers is the one that runs.
                status: if entry.service == "snmp" { 1 } else { 2 },
                memory: (u64::from(entry.memory) * jitter / 100) as u32,
                time: time(f64::from(entry.busy) / f64::from(turn + 1) + 0.02, own),
                service: entry.service.clone(),
            });
        }
        // Daemons of services are started after the system's own.
        if !entry.service.is_empty() && family != OsFamily::Windows {
            pid += draw.between(3, 60) as u32;
        }
    }
    processes.sort_by_key(|process| process.pid);
    processes.dedup_by_key(|process| process.pid);
    processes
}

/// The process that owns a port; process 1 where none fits.
pub(crate) fn owner(processes: &[Process], machine: &Machine<'_>, transport: Transport, port: u16) -> u32 {
    let slug = machine
        .decky
        .open_ports()
        .find(|(_, open)| open.number == port && open.transport == transport)
        .map(|(service, _)| service.slug.as_str());
    let by_name = |name: &str| processes.iter().find(|process| process.name == name);
    slug.and_then(|slug| processes.iter().find(|process| process.service == slug))
        .or_else(|| match port {
            53 => by_name("systemd-resolve"),
            323 => by_name("chronyd"),
            _ => None,
        })
        .map_or(1, |process| process.pid)
}

fn fits_vendor(vendors: &[String], machine: &Machine<'_>) -> bool {
    vendors.is_empty()
        || vendors.iter().any(|vendor| machine.identity.hardware.vendor.starts_with(vendor.as_str()))
}

fn fits(entry: &Entry, machine: &Machine<'_>) -> bool {
    let identity = machine.identity;
    let row = &identity.os.row;
    // Rows that are named nowhere have what the most common one of the family has.
    let known = TABLE.linux.iter().chain(&TABLE.service).any(|other| other.rows.contains(row));
    let row = if known || !identity.os.family.eq(&OsFamily::Linux) { row.as_str() } else { "debian" };
    let fits_row = entry.rows.is_empty() || entry.rows.iter().any(|name| name == row);
    let fits_service = entry.service.is_empty() || machine.decky.service(&entry.service).is_some();
    let fits_product = entry.product.is_empty()
        || identity.product(&entry.service).is_some_and(|product| product.name == entry.product)
        || (entry.service == "snmp" && machine.persona.product().starts_with(&entry.product));
    let fits_build = entry.since == 0 || entry.since <= windows_build(machine);
    fits_row && fits_service && fits_product && fits_build && fits_vendor(&entry.vendors, machine)
}

/// The Windows build of the decky.
fn windows_build(machine: &Machine<'_>) -> u32 {
    super::windows::version_of(&machine.identity.os.kernel)
}

/// Puts the decky's own values into a command line.
fn filled(text: &str, machine: &Machine<'_>, service: &str) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let machine_id: String = machine
        .identity
        .draw(&["machine-id"])
        .bytes::<16>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let version = machine.identity.product(service).map_or("15", |product| product.version.as_str());
    let major = version.split('.').next().unwrap_or(version);
    text.replace("{machine}", &machine_id)
        .replace("{major}", major)
        .replace("{address}", &machine.address.to_string())
        .replace("{host}", &machine.identity.names.hostname)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_whole() {
        let table: Table = toml::from_str(include_str!("../data/processes.toml")).unwrap();
        assert!(table.kernel.len() > 30 && table.linux.len() > 20 && table.windows.len() > 20);
        for entry in table.linux.iter().chain(&table.service).chain(&table.embedded) {
            assert!(entry.name.len() <= 15, "{} is longer than a task's name", entry.name);
        }
    }
}

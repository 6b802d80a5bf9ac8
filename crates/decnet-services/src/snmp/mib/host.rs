//! HOST-RESOURCES-MIB (RFC 2790): storage, devices, processes, software.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use decnet_core::identity::OsFamily;
use serde::Deserialize;

use super::facts::{Disk, Machine};
use super::live::{Live, Swing, date_and_time};
use super::processes;
use super::short::{bytes, counter, int, no_oid, oid, text};
use super::{Builder, Source};
use crate::snmp::persona::Profile;
use crate::snmp::zone::utc_offset;

const HOST: &[u32] = &[1, 3, 6, 1, 2, 1, 25];

/// Bytes of a command line's path and of its arguments (RFC 2790: 128).
const LONGEST_TEXT: usize = 128;

#[derive(Debug, Default, Deserialize)]
struct Software {
    /// By row: the distributions, and the two lists of Windows.
    #[serde(flatten)]
    base: BTreeMap<String, Packages>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Packages {
    List(Vec<String>),
    /// `service`: row, product, packages.
    Services(BTreeMap<String, BTreeMap<String, Vec<String>>>),
}

/// A broken file would be a broken build; a test reads it. Here it gives no software.
static SOFTWARE: LazyLock<Software> =
    LazyLock::new(|| toml::from_str(include_str!("../data/software.toml")).unwrap_or_default());

/// The subtrees of a host that runs a general operating system.
pub(super) fn host(builder: &mut Builder, machine: &Machine<'_>) {
    system(builder, machine);
    storage(builder, machine);
    devices(builder, machine);
    running(builder, machine);
    installed(builder, machine);
}

fn system(builder: &mut Builder, machine: &Machine<'_>) {
    let windows = machine.persona.profile == Profile::Windows;
    let under = |number: u32| [HOST, &[1, number]].concat();
    let phase = machine.traffic().0.phase;
    builder.scalar(&under(1), Live::SystemUptime);
    builder.scalar(&under(2), Live::Date { zone: !windows });
    if machine.persona.profile == Profile::NetSnmp {
        builder.scalar(&under(3), int(393_216));
        builder.scalar(&under(4), text(boot_line(machine)));
    } else {
        builder.scalar(&under(3), int(1));
        builder.scalar(&under(4), text(""));
    }
    builder.scalar(&under(5), Live::Gauge(Swing { low: 0.0, high: 1.6, period: 30_000.0, phase }));
    let processes = processes::list(machine).len() as f64;
    builder.scalar(
        &under(6),
        Live::Gauge(Swing { low: processes, high: processes + 4.9, period: 700.0, phase }),
    );
    builder.scalar(&under(7), int(0));
}

fn boot_line(machine: &Machine<'_>) -> String {
    let kernel = &machine.identity.os.kernel;
    let id = machine.identity.draw(&["root file system"]).bytes::<16>();
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let uuid = format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]);
    match machine.identity.os.row.as_str() {
        "rocky9" | "centos7" | "fedora" => format!(
            "BOOT_IMAGE=(hd0,msdos1)/vmlinuz-{kernel} root=/dev/mapper/rl-root ro resume=/dev/mapper/rl-swap \
             rd.lvm.lv=rl/root rd.lvm.lv=rl/swap\n"
        ),
        _ => format!("BOOT_IMAGE=/boot/vmlinuz-{kernel} root=UUID={uuid} ro quiet\n"),
    }
}

fn storage(builder: &mut Builder, machine: &Machine<'_>) {
    let kind = |number: u32| oid(&[HOST, &[2, 1, number]].concat());
    const RAM: u32 = 2;
    const VIRTUAL: u32 = 3;
    const OTHER: u32 = 1;
    const FIXED: u32 = 4;
    let memory = i64::try_from(machine.memory).unwrap_or(i64::MAX);
    builder.scalar(&[HOST, &[2, 2]].concat(), int(memory));
    let mut table = builder.table(&[HOST, &[2, 3, 1]].concat(), (1, 7));
    let course = machine.memory_course();
    let used = course.free.complement(machine.memory as f64);
    let swapped = course.swap_free.complement(machine.swap as f64);
    let committed = Swing { low: used.low + swapped.low, high: used.high + swapped.low, ..used };
    if machine.persona.profile == Profile::Windows {
        // Disks first, then memory, counted in clusters and in units of 64 kilobytes.
        let mut index = 0;
        for disk in &machine.disks {
            index += 1;
            let serial = machine.identity.draw(&["volume", disk.mount]).bytes::<4>();
            let serial: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
            table.row(
                &[index],
                [
                    (1, int(index)),
                    (2, kind(FIXED)),
                    (3, text(format!("{} Label:  Serial Number {serial}", disk.mount))),
                    (4, int(Disk::BLOCK)),
                    (5, int(disk.size)),
                    (6, Live::Integer(disk.used).into()),
                    (7, counter(0)),
                ],
            );
        }
        for (name, number, total, used) in [
            (
                "Virtual Memory",
                VIRTUAL,
                machine.memory + machine.swap,
                Swing { high: used.high * 1.1, ..used },
            ),
            ("Physical Memory", RAM, machine.memory, used),
        ] {
            index += 1;
            let units = |kilobytes: f64| kilobytes / 64.0;
            table.row(
                &[index],
                [
                    (1, int(index)),
                    (2, kind(number)),
                    (3, text(name)),
                    (4, int(65_536)),
                    (5, int(total / 64)),
                    (6, Live::Integer(Swing { low: units(used.low), high: units(used.high), ..used }).into()),
                    (7, counter(0)),
                ],
            );
        }
        return;
    }
    let nothing = Swing { low: 0.0, high: 0.0, ..used };
    let whole = |kilobytes: u64| int(kilobytes);
    let rows: Vec<(u32, u32, &str, Source, Swing)> = match machine.persona.profile {
        // bsnmpd's snmp_hostres counts real memory and swap devices.
        Profile::Bsnmpd => vec![
            (1, RAM, "Real Memory Metrics", whole(machine.memory), used),
            (2, VIRTUAL, "Swap:/dev/gpt/swapfs", whole(machine.swap), swapped),
        ],
        _ => {
            let mut rows = vec![
                (1, RAM, "Physical memory", whole(machine.memory), used),
                (3, VIRTUAL, "Virtual memory", whole(machine.memory + machine.swap), committed),
                (6, OTHER, "Memory buffers", whole(machine.memory), course.buffers),
                (7, OTHER, "Cached memory", Live::Integer(course.cached).into(), course.cached),
                (8, OTHER, "Shared memory", Live::Integer(course.shared).into(), course.shared),
                (10, VIRTUAL, "Swap space", whole(machine.swap), swapped),
            ];
            if machine.net_snmp_since(9) {
                rows.push((11, OTHER, "Available memory", Live::Integer(course.available).into(), nothing));
            }
            rows
        }
    };
    for (index, number, name, total, used) in rows {
        table.row(
            &[index],
            [
                (1, int(index)),
                (2, kind(number)),
                (3, text(name)),
                (4, int(1024)),
                (5, total),
                (6, Live::Integer(used).into()),
            ],
        );
    }
    for (number, disk) in machine.disks.iter().enumerate() {
        let index = storage_index(number);
        table.row(
            &[index],
            [
                (1, int(index)),
                (2, kind(FIXED)),
                (3, text(disk.mount)),
                (4, int(Disk::BLOCK)),
                (5, int(disk.size)),
                (6, Live::Integer(disk.used).into()),
            ],
        );
    }
    if machine.persona.profile == Profile::NetSnmp {
        file_systems(builder, machine);
    }
}

/// The kernel's own mounts come first and take numbers, too.
fn storage_index(number: usize) -> u32 {
    [35, 36, 38, 39, 54, 57].get(number).copied().unwrap_or(58 + number as u32)
}

fn file_systems(builder: &mut Builder, machine: &Machine<'_>) {
    let mut table = builder.table(&[HOST, &[3, 8, 1]].concat(), (1, 9));
    // Never saved, as far as the host knows: 0000-01-01.
    let never = [0, 0, 1, 1, 0, 0, 0, 0];
    for (number, disk) in machine.disks.iter().enumerate() {
        let index = storage_index(number) - 30;
        let xfs = ["rocky9", "centos7"].contains(&machine.identity.os.row.as_str());
        let kind = match (disk.volatile, xfs) {
            // hrFSOther and hrFSLinuxExt2; XFS has no number of its own.
            (true, _) | (_, true) => 1,
            _ => 23,
        };
        table.row(
            &[index],
            [
                (1, int(index)),
                (2, text(disk.mount)),
                (3, text("")),
                (4, oid(&[HOST, &[3, 9, kind]].concat())),
                (5, int(1)),
                (6, int(if disk.bootable { 1 } else { 2 })),
                (7, int(storage_index(number))),
                (8, bytes(never)),
                (9, bytes(never)),
            ],
        );
    }
}

fn devices(builder: &mut Builder, machine: &Machine<'_>) {
    let windows = machine.persona.profile == Profile::Windows;
    let net_snmp = machine.persona.profile == Profile::NetSnmp;
    let kind = |number: u32| oid(&[HOST, &[3, 1, number]].concat());
    const PROCESSOR: u32 = 3;
    const NETWORK: u32 = 4;
    const DISK: u32 = 6;
    const COPROCESSOR: u32 = 12;
    // net-snmp makes the index of the kind and a number; the others count.
    let index =
        |group: u32, number: u32, counted: u32| if net_snmp { group * 65_536 + number } else { counted };
    let phase = machine.traffic().0.phase;
    let mut counted = 0;
    let mut processors = Vec::new();
    let mut networks = Vec::new();
    let mut table = builder.table(&[HOST, &[3, 2, 1]].concat(), (1, 6));
    for number in 0..machine.processors {
        counted += 1;
        let device = index(PROCESSOR, number, counted);
        processors.push((device, number));
        let name = if windows { "Intel" } else { machine.processor.as_str() };
        table.row(
            &[device],
            [(1, int(device)), (2, kind(PROCESSOR)), (3, text(name)), (4, no_oid()), (5, int(2))],
        );
    }
    for interface in &machine.interfaces {
        counted += 1;
        let device = index(NETWORK, interface.index, counted);
        networks.push((device, interface.index));
        let name =
            if windows { interface.descr.clone() } else { format!("network interface {}", interface.name) };
        table.row(
            &[device],
            [
                (1, int(device)),
                (2, kind(NETWORK)),
                (3, text(name)),
                (4, no_oid()),
                (5, int(if interface.up { 2 } else { 5 })),
                (6, counter(0)),
            ],
        );
    }
    if windows {
        for disk in &machine.disks {
            counted += 1;
            table.row(
                &[counted],
                [
                    (1, int(counted)),
                    (2, kind(DISK)),
                    (3, text(format!("Fixed Disk {}", disk.mount))),
                    (4, no_oid()),
                    (5, int(2)),
                    (6, counter(0)),
                ],
            );
        }
    } else if net_snmp {
        let device = index(COPROCESSOR, 0, 0);
        table.row(
            &[device],
            [
                (1, int(device)),
                (2, kind(COPROCESSOR)),
                (3, text("Guessing that there's a floating point co-processor")),
                (4, no_oid()),
            ],
        );
    }
    let mut table = builder.table(&[HOST, &[3, 3, 1]].concat(), (1, 2));
    for (device, number) in processors {
        let busy = Swing {
            low: 0.0,
            high: machine.load * 100.0 / f64::from(machine.processors) * 3.0 + 4.0,
            period: 900.0 + f64::from(number) * 77.0,
            phase: (phase + f64::from(number) * 0.13).fract(),
        };
        table.row(&[device], [(1, no_oid()), (2, Live::Integer(busy).into())]);
    }
    let mut table = builder.table(&[HOST, &[3, 4, 1]].concat(), (1, 1));
    for (device, interface) in networks {
        table.cell(1, &[device], int(interface));
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn running(builder: &mut Builder, machine: &Machine<'_>) {
    let windows = machine.persona.profile == Profile::Windows;
    let processes = processes::list(machine);
    if windows {
        builder.scalar(&[HOST, &[4, 1]].concat(), int(1));
    }
    let mut table = builder.table(&[HOST, &[4, 2, 1]].concat(), (1, 7));
    for process in &processes {
        table.row(
            &[process.pid],
            [
                (1, int(process.pid)),
                (2, text(&process.name)),
                (3, no_oid()),
                (4, text(cut(&process.path))),
                (5, text(cut(&process.args))),
                (6, int(process.kind)),
                (7, int(process.status)),
            ],
        );
    }
    let mut table = builder.table(&[HOST, &[5, 1, 1]].concat(), (1, 2));
    for process in &processes {
        table.row(&[process.pid], [(1, Live::Grows(process.time).into()), (2, int(process.memory))]);
    }
}

/// Packages of the distribution and of the decky's services, sorted by name.
fn packages(machine: &Machine<'_>) -> Vec<String> {
    let identity = machine.identity;
    let list = |key: &str| match SOFTWARE.base.get(key) {
        Some(Packages::List(list)) => list.clone(),
        _ => Vec::new(),
    };
    if identity.os.family == OsFamily::Windows {
        let mut all = list("windows");
        let mut draw = identity.draw(&["snmp", "software"]);
        all.extend(list("windows_choice").into_iter().filter(|_| draw.below(3) == 0));
        if machine.decky.service("mssql").is_some() {
            all.push("Microsoft SQL Server 2019 (64-bit)".into());
        }
        all.sort();
        return all;
    }
    let mut all = list(&identity.os.row);
    if all.is_empty() {
        return all;
    }
    let of_services = match SOFTWARE.base.get("service") {
        Some(Packages::Services(rows)) => rows.get(&identity.os.row),
        _ => None,
    };
    for service in machine.decky.services.iter().filter(|service| !service.custom) {
        let product = identity.product(&service.slug).cloned().unwrap_or_default();
        let key = if service.slug == "ssh" { "ssh" } else { product.name.as_str() };
        for package in of_services.and_then(|map| map.get(key)).into_iter().flatten() {
            all.push(package.replace("{version}", &product.version).replace("{suffix}", &product.suffix));
        }
    }
    if identity.os.kernel.ends_with("amd64") {
        let version = identity
            .os
            .kernel_build
            .split_whitespace()
            .find(|word| word.contains('-') && word.starts_with(|c: char| c.is_ascii_digit()));
        if let Some(version) = version {
            all.push(format!("linux-image-{}_{version}_amd64", identity.os.kernel));
        }
    } else if identity.os.kernel.ends_with("x86_64") {
        all.push(format!("kernel-core-{}", identity.os.kernel));
    } else {
        all.push(format!(
            "linux-image-{}_{}_amd64",
            identity.os.kernel,
            identity.os.kernel.replace("-generic", ".0")
        ));
    }
    all.sort();
    all.dedup();
    all
}

fn installed(builder: &mut Builder, machine: &Machine<'_>) {
    let identity = machine.identity;
    let windows = machine.persona.profile == Profile::Windows;
    let mut draw = identity.draw(&["snmp", "updates"]);
    // Unattended updates run in the morning of some days, those of an administrator at any time of work.
    let updates: Vec<i64> = (0..draw.between(4, 9))
        .map(|_| {
            identity.times.installed + draw.between(2, 110) as i64 * 86_400 + draw.below(30_000) as i64
                - 15_000
        })
        .collect();
    let mut table = builder.table(&[HOST, &[6, 3, 1]].concat(), (1, 5));
    for (index, package) in (1u32..).zip(packages(machine)) {
        let mut draw = identity.draw(&["snmp", "package", &package]);
        // Most came with the system, some with one of the updates since, which take a few minutes each.
        let when = match draw.below(4) {
            0 => updates
                .get(draw.below(updates.len() as u64) as usize)
                .copied()
                .unwrap_or(identity.times.installed),
            _ => identity.times.installed + draw.below(1_700) as i64,
        } + draw.below(140) as i64;
        let date = date_and_time(when * 1_000_000, utc_offset(&identity.times.timezone, when), !windows);
        table.row(
            &[index],
            [(1, int(index)), (2, text(cut(&package))), (3, no_oid()), (4, int(4)), (5, bytes(date))],
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_whole() {
        let software: Software = toml::from_str(include_str!("../data/software.toml")).unwrap();
        let Some(Packages::List(debian)) = software.base.get("debian") else { panic!("no debian") };
        assert!(debian.len() > 120);
        assert!(matches!(software.base.get("service"), Some(Packages::Services(rows)) if rows.len() == 5));
    }
}

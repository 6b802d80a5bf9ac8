//! The LAN Manager MIB of Windows: services, users, shares, domain. The tables that enumeration tools read
//! first.

use super::Builder;
use super::facts::Machine;
use super::live::{Flow, Live};
use super::short::{counter, gauge, int, string_index, text};

const LAN_MANAGER: &[u32] = &[1, 3, 6, 1, 4, 1, 77, 1];

/// Services that run on every Windows host, by display name, with what can be done to each: 4 paused or
/// not, 2 uninstalled or not (svSvcCanBeUninstalled).
const SERVICES: [&str; 38] = [
    "Base Filtering Engine",
    "Background Tasks Infrastructure Service",
    "COM+ Event System",
    "CNG Key Isolation",
    "Certificate Propagation",
    "Cryptographic Services",
    "DCOM Server Process Launcher",
    "DHCP Client",
    "DNS Client",
    "Diagnostic Policy Service",
    "Diagnostic System Host",
    "Distributed Link Tracking Client",
    "Distributed Transaction Coordinator",
    "Group Policy Client",
    "IP Helper",
    "Local Session Manager",
    "Network Connections",
    "Network List Service",
    "Network Location Awareness",
    "Network Store Interface Service",
    "Plug and Play",
    "Power",
    "Print Spooler",
    "RPC Endpoint Mapper",
    "Remote Procedure Call (RPC)",
    "SNMP Service",
    "Security Accounts Manager",
    "Shell Hardware Detection",
    "System Event Notification Service",
    "System Events Broker",
    "Task Scheduler",
    "TCP/IP NetBIOS Helper",
    "Themes",
    "User Profile Service",
    "Windows Defender Antivirus Service",
    "Windows Event Log",
    "Windows Management Instrumentation",
    "Workstation",
];

/// Services that come with what the decky offers.
const OF_SERVICES: [(&str, &[&str]); 7] = [
    ("smb", &["Server"]),
    (
        "rdp",
        &[
            "Remote Desktop Services",
            "Remote Desktop Configuration",
            "Remote Desktop Services UserMode Port Redirector",
        ],
    ),
    ("http", &["World Wide Web Publishing Service", "Windows Process Activation Service"]),
    (
        "mssql",
        &["SQL Server (MSSQLSERVER)", "SQL Server VSS Writer", "SQL Server CEIP service (MSSQLSERVER)"],
    ),
    (
        "ldap",
        &[
            "Active Directory Domain Services",
            "Active Directory Web Services",
            "DFS Replication",
            "DNS Server",
            "Kerberos Key Distribution Center",
            "Netlogon",
        ],
    ),
    ("ftp", &["Microsoft FTP Service"]),
    ("smtp", &["Microsoft Exchange Transport"]),
];

/// The subtree.
pub(super) fn lan_manager(builder: &mut Builder, machine: &Machine<'_>) {
    let identity = machine.identity;
    let common = |number: u32| [LAN_MANAGER, &[1, number]].concat();
    let server = |number: u32| [LAN_MANAGER, &[2, number]].concat();
    builder.scalar(&common(1), text(version_major(&identity.os.kernel)));
    builder.scalar(&common(2), text(version_minor(&identity.os.kernel)));
    builder.scalar(&common(3), gauge(2u32));
    let phase = machine.traffic().0.phase;
    let sessions = Flow { rate: 0.002, phase, base: 2 };
    builder.scalar(&common(4), Live::Count32(sessions));
    builder.scalar(&common(5), counter(0));
    builder.scalar(&common(6), Live::Count32(sessions.times(14.0)));
    builder.scalar(&common(7), Live::Count32(sessions.times(21.0)));
    let services = services(machine);
    builder.scalar(&server(1), text(""));
    builder.scalar(&server(2), int(services.len() as u32));
    let mut table = builder.table(&[LAN_MANAGER, &[2, 3, 1]].concat(), (1, 5));
    for service in &services {
        table.row(
            &string_index(service),
            [
                (1, text(service)),
                (2, int(4)),
                (3, int(1)),
                (4, int(if service.contains("Remote Procedure") { 1 } else { 2 })),
                (5, int(1)),
            ],
        );
    }
    builder.scalar(&server(5), counter(0));
    builder.scalar(&server(9), counter(0));
    builder.scalar(&server(13), Live::Count32(sessions.times(9.0)));
    builder.scalar(&server(14), int(16_777_216));
    builder.scalar(&server(15), int(if identity.os.row.contains("server") { 65_535 } else { 20 }));
    builder.scalar(&server(16), int(15));
    builder.scalar(&server(19), int(0));
    let users = users(machine);
    builder.scalar(&server(24), int(users.len() as u32));
    let mut table = builder.table(&[LAN_MANAGER, &[2, 25, 1]].concat(), (1, 1));
    for user in &users {
        table.cell(1, &string_index(user), text(user));
    }
    let shares = shares(machine);
    builder.scalar(&server(26), int(shares.len() as u32));
    let mut table = builder.table(&[LAN_MANAGER, &[2, 27, 1]].concat(), (1, 3));
    for (name, path, comment) in &shares {
        table.row(&string_index(name), [(1, text(name)), (2, text(path)), (3, text(comment))]);
    }
    builder.scalar(&server(28), int(0));
    builder.scalar(&[LAN_MANAGER, &[4, 1]].concat(), text(&identity.names.netbios_domain));
}

fn services(machine: &Machine<'_>) -> Vec<String> {
    let mut list: Vec<String> = SERVICES.iter().map(|name| (*name).to_owned()).collect();
    if version_of(&machine.identity.os.kernel) < 15_063 {
        // Renamed with Windows 10 1703.
        list.iter_mut().filter(|name| name.contains("Defender")).for_each(|name| {
            *name = "Windows Defender Service".to_owned();
        });
    }
    for (slug, names) in OF_SERVICES {
        if machine.decky.service(slug).is_some() {
            list.extend(names.iter().map(|name| (*name).to_owned()));
        }
    }
    if machine.identity.hardware.vendor.starts_with("VMware") {
        list.extend(["VMware Tools".to_owned(), "VMware Alias Manager and Ticket Service".to_owned()]);
    }
    list.sort();
    list
}

/// Local accounts, disabled ones included, as Windows lists them.
fn users(machine: &Machine<'_>) -> Vec<String> {
    let mut draw = machine.identity.draw(&["snmp", "users"]);
    let mut list: Vec<String> =
        ["Administrator", "Guest", "DefaultAccount", "WDAGUtilityAccount"].map(str::to_owned).to_vec();
    // DefaultAccount came with Windows 10, the account of Application Guard with 1709.
    match version_of(&machine.identity.os.kernel) {
        0..10_240 => list.truncate(2),
        10_240..16_299 => list.truncate(3),
        _ => {}
    }
    for (name, odds) in [("svc_backup", 3), ("localadmin", 3), ("svc_sql", 5), ("support", 4), ("scanner", 5)]
    {
        if draw.below(odds) == 0 {
            list.push(name.to_owned());
        }
    }
    if let Some((user, _)) = &machine.identity.weak_account {
        list.push(user.clone());
    }
    list.sort();
    list.dedup();
    list
}

/// Administrative shares (which end in `$`) are not listed by the agent; the others are.
fn shares(machine: &Machine<'_>) -> Vec<(String, String, String)> {
    let set = machine.decky.service("smb").and_then(|service| service.persona.get("shares")).cloned();
    if machine.decky.service("smb").is_none() {
        return Vec::new();
    }
    let share = |name: &str| (name.to_owned(), format!("D:\\{name}"), String::new());
    match set {
        Some(list) => list
            .split(',')
            .map(|entry| entry.split(':').next().unwrap_or(entry).trim())
            .filter(|name| !name.is_empty() && !name.ends_with('$'))
            .map(share)
            .collect(),
        None if machine.decky.service("ldap").is_some() => vec![
            (
                "NETLOGON".into(),
                format!("C:\\Windows\\SYSVOL\\sysvol\\{}\\SCRIPTS", machine.identity.names.domain),
                "Logon server share ".into(),
            ),
            ("SYSVOL".into(), "C:\\Windows\\SYSVOL\\sysvol".into(), "Logon server share ".into()),
        ],
        None => Vec::new(),
    }
}

pub(super) fn version_of(build: &str) -> u32 {
    build.parse().unwrap_or(17_763)
}

fn version_major(build: &str) -> &'static str {
    if version_of(build) >= 10_240 { "10" } else { "6" }
}

fn version_minor(build: &str) -> &'static str {
    match version_of(build) {
        7_600..=7_601 => "1",
        9_200 => "2",
        9_600 => "3",
        _ => "0",
    }
}

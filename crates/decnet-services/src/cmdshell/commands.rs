//! The commands.

use std::time::Duration;

use super::{Machine, Ran};
use crate::sql::moment;

/// The words of a command, without their quotes.
fn words(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => all.push(String::new()),
            _ => {
                if let Some(last) = all.last_mut() {
                    last.push(letter);
                }
            }
        }
    }
    all.retain(|word| !word.is_empty());
    all
}

/// Runs one command.
pub(super) fn run(
    machine: &mut Machine,
    text: &str,
    directory: &mut String,
    now: i64,
    ran: &mut Ran,
    depth: u32,
) {
    let all = words(text.trim_start_matches('@'));
    let Some(first) = all.first() else { return };
    let lower = first.to_lowercase();
    let name = lower.rsplit('\\').next().unwrap_or_default().trim_end_matches(".exe").to_owned();
    let rest: Vec<&str> = all[1..].iter().map(String::as_str).collect();
    ran.status = 0;
    let names = &machine.facts.identity.names;
    let account = machine.facts.account.to_lowercase();
    match name.as_str() {
        "whoami"
            if rest
                .iter()
                .any(|word| word.eq_ignore_ascii_case("/priv") || word.eq_ignore_ascii_case("/all")) =>
        {
            ran.lines.extend(
                [
                    "",
                    "PRIVILEGES INFORMATION",
                    "----------------------",
                    "",
                    "Privilege Name                Description                               State   ",
                    "============================= ========================================= ========",
                    "SeAssignPrimaryTokenPrivilege Replace a process level token             Disabled",
                    "SeIncreaseQuotaPrivilege      Adjust memory quotas for a process        Disabled",
                    "SeChangeNotifyPrivilege       Bypass traverse checking                  Enabled ",
                    "SeImpersonatePrivilege        Impersonate a client after authentication Enabled ",
                    "SeCreateGlobalPrivilege       Create global objects                     Enabled ",
                    "SeIncreaseWorkingSetPrivilege Increase a process working set            Disabled",
                ]
                .map(str::to_owned),
            );
        }
        "whoami" => ran.lines.push(account),
        "hostname" => ran.lines.push(names.netbios.clone()),
        "ver" => {
            let version = &machine.facts.identity.os.version;
            ran.lines.push(String::new());
            ran.lines.push(format!("Microsoft Windows [Version {version}]"));
        }
        "echo" => {
            let said = text.trim_start_matches('@').get(first.len()..).unwrap_or_default();
            let said = said.strip_prefix([' ', '.']).unwrap_or(said).trim_end();
            if said.is_empty() && !text.contains('.') {
                ran.lines.push("ECHO is on.".to_owned());
            } else {
                ran.lines.push(said.to_owned());
            }
        }
        "cd" | "chdir" | "pushd" => match rest.iter().find(|word| !word.eq_ignore_ascii_case("/d")) {
            None => ran.lines.push(directory.clone()),
            Some(path) => {
                let path = machine.files.absolute(directory, path);
                match machine.files.folder(&path) {
                    Some(found) => *directory = found.to_owned(),
                    None => fail(ran, "The system cannot find the path specified."),
                }
            }
        },
        "dir" => dir(machine, &rest, directory, ran),
        "type" | "more" => {
            for name in rest.iter().filter(|word| !word.starts_with('/')) {
                let path = machine.files.absolute(directory, name);
                match machine.files.read(&path) {
                    Some(bytes) => {
                        ran.lines.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
                    }
                    None if machine.files.folder(&path).is_some() => fail(ran, "Access is denied."),
                    None => fail(ran, "The system cannot find the file specified."),
                }
            }
        }
        "md" | "mkdir" => {
            for name in rest {
                let path = machine.files.absolute(directory, name);
                if !machine.files.make(&path, now) {
                    fail(ran, &format!("A subdirectory or file {name} already exists."));
                }
            }
        }
        "del" | "erase" => {
            for name in rest.iter().filter(|word| !word.starts_with('/')) {
                let path = machine.files.absolute(directory, name);
                if !machine.files.remove(&path) {
                    fail(ran, &format!("Could Not Find {path}"));
                }
            }
        }
        "set" if rest.is_empty() => {
            for name in [
                "ALLUSERSPROFILE",
                "COMPUTERNAME",
                "ComSpec",
                "NUMBER_OF_PROCESSORS",
                "OS",
                "Path",
                "PATHEXT",
                "PROCESSOR_ARCHITECTURE",
                "ProgramData",
                "ProgramFiles",
                "PUBLIC",
                "SystemDrive",
                "SystemRoot",
                "TEMP",
                "TMP",
                "USERDOMAIN",
                "USERNAME",
                "USERPROFILE",
                "windir",
            ] {
                ran.lines.push(format!("{name}={}", machine.facts.variable(name).unwrap_or_default()));
            }
        }
        "set" | "title" | "rem" | "chcp" | "exit" | "attrib" | "icacls" | "cls" => {}
        "ipconfig" => {
            ran.lines.extend(ipconfig(machine, rest.iter().any(|word| word.eq_ignore_ascii_case("/all"))))
        }
        "net" | "net1" => net(machine, &rest, ran),
        "tasklist" => ran.lines.extend(tasklist(machine)),
        "systeminfo" => {
            ran.delay += Duration::from_millis(2500);
            ran.lines.extend(systeminfo(machine, now));
        }
        "ping" => {
            let host = rest.iter().rev().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
            ran.delay += Duration::from_secs(4);
            ran.lines.push(format!(
                "Ping request could not find host {host}. Please check the name and try again."
            ));
            ran.status = 1;
        }
        "cmd" if depth < 8 => {
            let inner =
                text.to_lowercase().find("/c").and_then(|at| text.get(at + 2..)).unwrap_or_default().trim();
            let inner =
                inner.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(inner).to_owned();
            run(machine, &inner, directory, now, ran, depth + 1);
        }
        "powershell" | "pwsh" => powershell(machine, text, ran),
        "certutil" | "bitsadmin" | "curl" | "wget" | "mshta" | "regsvr32" | "rundll32" | "msiexec"
        | "ftp" | "tftp" => {
            let urls = addresses(text);
            if urls.is_empty() && matches!(name.as_str(), "wget" | "tftp") {
                return unknown(ran, first);
            }
            ran.fetched.extend(urls);
            ran.delay += Duration::from_secs(12);
            match name.as_str() {
                "certutil" => ran.lines.extend(
                    [
                        "****  Online  ****",
                        "CertUtil: -URLCache command FAILED: 0x80072ee2 (WinHttp: 12002 ERROR_WINHTTP_TIMEOUT)",
                        "CertUtil: The operation timed out",
                    ]
                    .map(str::to_owned),
                ),
                "curl" => ran.lines.push("curl: (28) Connection timed out".to_owned()),
                "bitsadmin" => ran.lines.push("Unable to complete transfer.".to_owned()),
                _ => {}
            }
            ran.status = 1;
        }
        "reg" | "sc" | "schtasks" | "wmic" | "netsh" | "vssadmin" | "bcdedit" | "taskkill" | "start" => {
            fail(ran, if name == "sc" { "[SC] OpenSCManager FAILED 5:" } else { "ERROR: Access is denied." });
        }
        _ if machine.files.read(&machine.files.absolute(directory, first)).is_some() => {
            fail(
                ran,
                "This version of the program is not compatible with the version of Windows you're running.",
            );
        }
        _ => unknown(ran, first),
    }
}

fn fail(ran: &mut Ran, text: &str) {
    ran.lines.push(text.to_owned());
    ran.status = 1;
}

fn unknown(ran: &mut Ran, name: &str) {
    ran.lines.push(format!("'{name}' is not recognized as an internal or external command,"));
    ran.lines.push("operable program or batch file.".to_owned());
    ran.status = 1;
}

/// The addresses in a command.
fn addresses(text: &str) -> Vec<String> {
    text.split(['"', '\'', ' ', '(', ')', ';', ','])
        .filter(|word| word.contains("://") || word.starts_with("\\\\"))
        .take(16)
        .map(str::to_owned)
        .collect()
}

fn powershell(machine: &Machine, text: &str, ran: &mut Ran) {
    use base64::Engine as _;
    let mut script = text.to_owned();
    // What is encoded is Base64 of UTF-16.
    if let Some(word) = words(text).into_iter().rfind(|word| word.len() > 20)
        && let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(&word)
    {
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
        script = String::from_utf16_lossy(&units);
        ran.written.push(("powershell-encoded.ps1".to_owned(), script.clone().into_bytes()));
    }
    let urls = addresses(&script);
    let lower = script.to_lowercase();
    if !urls.is_empty() {
        ran.fetched.extend(urls);
        ran.delay += Duration::from_secs(21);
        ran.lines.push("Exception calling \"DownloadString\" with \"1\" argument(s): \"Unable to connect to the remote server\"".to_owned());
        ran.lines.push("At line:1 char:1".to_owned());
        ran.status = 1;
    } else if lower.contains("$psversiontable") {
        ran.lines.push(format!("PSVersion                      5.1.{}.1", machine.facts.identity.os.kernel));
    } else if lower.trim_end().ends_with("whoami") {
        ran.lines.push(machine.facts.account.to_lowercase());
    } else {
        // Scripts are blocked by the policy of the house.
        ran.delay += Duration::from_millis(900);
        ran.lines.push("This program is blocked by group policy. For more information, contact your system administrator.".to_owned());
        ran.status = 1;
    }
}

/// `11/20/2026  01:05 PM`.
fn shown(at: i64) -> String {
    let (year, month, day) = moment::calendar(i32::try_from(at.div_euclid(moment::DAY)).unwrap_or(0));
    let minutes = at.rem_euclid(moment::DAY) / 60_000_000;
    let (hour, minute) = (minutes / 60, minutes % 60);
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!("{month:02}/{day:02}/{year}  {hour:02}:{minute:02} {half}")
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn volume(machine: &Machine) -> String {
    let serial = machine.facts.identity.draw(&["cmdshell", "volume"]).text("0123456789ABCDEF", 8);
    format!("{}-{}", &serial[..4], &serial[4..])
}

fn dir(machine: &Machine, rest: &[&str], directory: &str, ran: &mut Ran) {
    let name = rest.iter().find(|word| !word.starts_with('/')).copied().unwrap_or(".");
    let bare = rest.iter().any(|word| word.eq_ignore_ascii_case("/b"));
    let path = machine.files.absolute(directory, name);
    let Some(entries) = machine.files.list(&path) else {
        if !bare {
            ran.lines.push(" Volume in drive C has no label.".to_owned());
            ran.lines.push(format!(" Volume Serial Number is {}", volume(machine)));
            ran.lines.push(String::new());
        }
        return fail(ran, "File Not Found");
    };
    if bare {
        ran.lines.extend(entries.into_iter().map(|entry| entry.name));
        return;
    }
    let written = machine.files.folder(&path).unwrap_or(&path);
    let root = if written.len() == 2 { "\\" } else { "" };
    ran.lines.push(" Volume in drive C has no label.".to_owned());
    ran.lines.push(format!(" Volume Serial Number is {}", volume(machine)));
    ran.lines.push(String::new());
    ran.lines.push(format!(" Directory of {written}{root}"));
    ran.lines.push(String::new());
    let (mut files, mut folders, mut bytes) = (0u64, 0u64, 0u64);
    for entry in entries {
        if entry.folder {
            folders += 1;
            ran.lines.push(format!("{}    <DIR>          {}", shown(entry.changed), entry.name));
        } else {
            files += 1;
            bytes += entry.size;
            ran.lines.push(format!("{} {:>17} {}", shown(entry.changed), grouped(entry.size), entry.name));
        }
    }
    let free =
        machine.facts.identity.draw(&["cmdshell", "free"]).between(20_000_000_000, 90_000_000_000) & !0xfff;
    ran.lines.push(format!("{files:>16} File(s) {:>14} bytes", grouped(bytes)));
    ran.lines.push(format!("{folders:>16} Dir(s) {:>15} bytes free", grouped(free)));
}

fn ipconfig(machine: &Machine, all: bool) -> Vec<String> {
    let names = &machine.facts.identity.names;
    let mut lines = vec![String::new(), "Windows IP Configuration".to_owned(), String::new()];
    if all {
        lines.push(format!("   Host Name . . . . . . . . . . . . : {}", names.netbios));
        lines.push(format!("   Primary Dns Suffix  . . . . . . . : {}", names.domain));
        lines.push("   Node Type . . . . . . . . . . . . : Hybrid".to_owned());
        lines.push("   IP Routing Enabled. . . . . . . . : No".to_owned());
        lines.push("   WINS Proxy Enabled. . . . . . . . : No".to_owned());
        lines.push(String::new());
    }
    lines.push(String::new());
    lines.push("Ethernet adapter Ethernet0:".to_owned());
    lines.push(String::new());
    lines.push(format!("   Connection-specific DNS Suffix  . : {}", names.domain));
    let [a, b, c, _] = machine.facts.address.octets();
    lines.push(format!("   IPv4 Address. . . . . . . . . . . : {}", machine.facts.address));
    lines.push("   Subnet Mask . . . . . . . . . . . : 255.255.255.0".to_owned());
    lines.push(format!("   Default Gateway . . . . . . . . . : {a}.{b}.{c}.1"));
    lines
}

fn net(machine: &Machine, rest: &[&str], ran: &mut Ran) {
    let names = &machine.facts.identity.names;
    let columns = |all: &[String]| -> Vec<String> {
        all.chunks(3).map(|row| row.iter().map(|name| format!("{name:<25}")).collect::<String>()).collect()
    };
    let rule = "-".repeat(79);
    let done = "The command completed successfully.";
    match rest.first().map(|word| word.to_lowercase()).as_deref() {
        Some("user" | "users") if rest.len() == 1 => {
            ran.lines.extend([
                String::new(),
                format!("User accounts for \\\\{}", names.netbios),
                String::new(),
                rule,
            ]);
            ran.lines.extend(columns(&machine.facts.users));
            ran.lines.push(done.to_owned());
        }
        Some("user" | "localgroup" | "group")
            if rest
                .iter()
                .any(|word| word.eq_ignore_ascii_case("/add") || word.eq_ignore_ascii_case("/delete")) =>
        {
            fail(ran, "System error 5 has occurred.");
            ran.lines.extend([String::new(), "Access is denied.".to_owned()]);
        }
        Some("user") => {
            let wanted = rest.get(1).copied().unwrap_or_default();
            match machine.facts.users.iter().find(|name| name.eq_ignore_ascii_case(wanted)) {
                Some(name) => {
                    ran.lines.push(format!("User name                    {name}"));
                    ran.lines.push("Account active               Yes".to_owned());
                    ran.lines.push("Local Group Memberships      *Users".to_owned());
                    ran.lines.push(done.to_owned());
                }
                None => {
                    fail(ran, "The user name could not be found.");
                    ran.lines.extend([
                        String::new(),
                        "More help is available by typing NET HELPMSG 2221.".to_owned(),
                    ]);
                }
            }
        }
        Some("localgroup") if rest.len() == 1 => {
            ran.lines.extend([
                String::new(),
                format!("Aliases for \\\\{}", names.netbios),
                String::new(),
                rule,
            ]);
            ran.lines.extend(
                [
                    "*Administrators",
                    "*Backup Operators",
                    "*Distributed COM Users",
                    "*Event Log Readers",
                    "*Guests",
                    "*IIS_IUSRS",
                    "*Performance Log Users",
                    "*Power Users",
                    "*Remote Desktop Users",
                    "*Users",
                ]
                .map(str::to_owned),
            );
            ran.lines.push(done.to_owned());
        }
        Some("localgroup") => {
            let group = rest.get(1).copied().unwrap_or_default();
            ran.lines.push(format!("Alias name     {group}"));
            ran.lines.extend([String::new(), "Members".to_owned(), String::new(), rule]);
            if group.eq_ignore_ascii_case("administrators") {
                ran.lines.push("Administrator".to_owned());
            }
            ran.lines.push(done.to_owned());
        }
        Some("group") => {
            fail(ran, "This command can be used only on a Windows Domain Controller.");
            ran.lines
                .extend([String::new(), "More help is available by typing NET HELPMSG 3515.".to_owned()]);
        }
        Some("view" | "use" | "share" | "start" | "stop" | "accounts" | "session" | "time") => {
            ran.lines.push("There are no entries in the list.".to_owned());
        }
        _ => {
            fail(ran, "The syntax of this command is:");
            ran.lines.extend([
                String::new(),
                "NET".to_owned(),
                "    [ ACCOUNTS | COMPUTER | CONFIG | CONTINUE | FILE | GROUP | HELP |".to_owned(),
                "      HELPMSG | LOCALGROUP | PAUSE | SESSION | SHARE | START |".to_owned(),
                "      STATISTICS | STOP | TIME | USE | USER | VIEW ]".to_owned(),
            ]);
        }
    }
}

fn tasklist(machine: &Machine) -> Vec<String> {
    let mut draw = machine.facts.identity.draw(&["cmdshell", "tasks"]);
    let mut lines = vec![
        String::new(),
        "Image Name                     PID Session Name        Session#    Mem Usage".to_owned(),
        "========================= ======== ================ =========== ============".to_owned(),
    ];
    let mut pid = 4;
    for (name, memory) in [
        ("System", 144),
        ("Registry", 72_000),
        ("smss.exe", 1_220),
        ("csrss.exe", 5_100),
        ("wininit.exe", 6_800),
        ("services.exe", 11_200),
        ("lsass.exe", 21_400),
        ("svchost.exe", 14_600),
        ("svchost.exe", 11_900),
        ("svchost.exe", 23_100),
        ("svchost.exe", 17_700),
        ("spoolsv.exe", 15_300),
        ("sqlwriter.exe", 8_400),
        ("sqlservr.exe", 412_000),
        ("sqlceip.exe", 52_100),
        ("MsMpEng.exe", 198_000),
        ("WmiPrvSE.exe", 18_900),
        ("tasklist.exe", 8_900),
    ] {
        let memory = memory + draw.below(memory / 8 + 40);
        lines.push(format!("{name:<25} {pid:>8} {:<16} {:>11} {:>10} K", "Services", 0, grouped(memory)));
        pid += draw.between(10, 120) * 4;
    }
    lines
}

fn systeminfo(machine: &Machine, now: i64) -> Vec<String> {
    let identity = &machine.facts.identity;
    let boot = identity.booted_at(now / 1_000_000) * 1_000_000;
    let build = &identity.os.kernel;
    vec![
        String::new(),
        format!("Host Name:                 {}", identity.names.netbios),
        format!("OS Name:                   Microsoft {}", identity.os.name),
        format!("OS Version:                {} N/A Build {build}", identity.os.version),
        "OS Manufacturer:           Microsoft Corporation".to_owned(),
        "OS Build Type:             Multiprocessor Free".to_owned(),
        "Registered Owner:          Windows User".to_owned(),
        format!("Registered Organization:   {}", identity.names.organisation),
        format!("Original Install Date:     {}", shown(identity.times.installed * 1_000_000)),
        format!("System Boot Time:          {}", shown(boot)),
        format!("System Manufacturer:       {}", identity.hardware.vendor),
        format!("System Model:              {}", identity.hardware.model),
        "System Type:               x64-based PC".to_owned(),
        "Windows Directory:         C:\\Windows".to_owned(),
        "System Directory:          C:\\Windows\\system32".to_owned(),
        "Total Physical Memory:     16,384 MB".to_owned(),
        format!(
            "Domain:                    {}",
            if identity.names.joined { &identity.names.domain } else { "WORKGROUP" }
        ),
    ]
}

/// Commands behind a pipe: find, findstr, sort, more.
pub(super) fn filter(text: &str, lines: Vec<String>) -> Vec<String> {
    let all = words(text);
    let name = all.first().map(|name| name.to_lowercase()).unwrap_or_default();
    let fold = all.iter().any(|word| word.eq_ignore_ascii_case("/i"));
    let wanted = all.iter().skip(1).find(|word| !word.starts_with('/')).cloned().unwrap_or_default();
    match name.trim_end_matches(".exe") {
        "find" | "findstr" => lines
            .into_iter()
            .filter(|line| {
                if fold {
                    line.to_lowercase().contains(&wanted.to_lowercase())
                } else {
                    line.contains(&wanted)
                }
            })
            .collect(),
        "sort" => {
            let mut lines = lines;
            lines.sort_by_key(|line| line.to_lowercase());
            lines
        }
        "more" => lines,
        _ => vec![
            format!("'{name}' is not recognized as an internal or external command,"),
            "operable program or batch file.".to_owned(),
        ],
    }
}

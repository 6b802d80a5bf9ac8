//! What is wrong with a request is found in one run, with its place and a stable code.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use decnet_core::diagnostic::{Level, has_errors};
use decnet_core::request::{FleetFlags, Request};
use decnet_core::{Diagnostic, HostFacts, Origin, ResolveOptions, Spanned, resolve};
use support::{catalogue, facts, ini, ini_with};

/// Resolves and expects that diagnostic: level, code, `line:column`, a part of the message, a part of the
/// help.
#[track_caller]
fn expect(text: &str, level: Level, code: &str, place: &str, message: &str, help: &str) {
    let (plan, found) = ini(text);
    assert_eq!(plan.is_some(), !has_errors(&found), "a plan if and only if there is no error: {found:#?}");
    let fits = |one: &&Diagnostic| {
        one.level == level
            && one.code == code
            && one.origin.to_string() == format!("fleet.ini:{place}")
            && one.message.contains(message)
            && one.help.as_deref().unwrap_or_default().contains(help)
    };
    assert!(
        found.iter().any(|one| fits(&one)),
        "{code} at {place} with `{message}` and `{help}`: {found:#?}"
    );
    for one in &found {
        let first = one.message.chars().next().unwrap();
        assert!(!first.is_uppercase() || one.message.starts_with("Windows"), "lower case: {}", one.message);
        assert!(!one.message.ends_with('.'), "no full stop: {}", one.message);
    }
}

#[track_caller]
fn error(text: &str, code: &str, place: &str, message: &str, help: &str) {
    expect(text, Level::Error, code, place, message, help);
}

#[track_caller]
fn warning(text: &str, code: &str, place: &str, message: &str, help: &str) {
    expect(text, Level::Warning, code, place, message, help);
}

#[test]
fn unknown_words_are_named_and_guessed() {
    error("[a]\narchetype = lunix-server\n", "archetype.unknown", "2:13", "`lunix-server`", "`linux-server`");
    error("[a]\nservices = ssh, htp\n", "service.unknown", "2:17", "`htp`", "`http`");
    error("[a]\nservices = ssh\ndistro = debain\n", "distro.unknown", "3:10", "`debain`", "`debian`");
    error(
        "[a]\nservices = ssh\ndistro = templeos\n",
        "distro.unknown",
        "3:10",
        "`templeos`",
        "there are debian",
    );
    error("[a]\nservices = ssh\nnmap_os = windwos\n", "os.unknown", "3:11", "`windwos`", "`windows`");
    error(
        "[a]\nservices = ssh\n[a.ssh]\nssh_verison = x\n",
        "persona.unknown-key",
        "4:1",
        "ssh_verison",
        "`ssh_version`",
    );
    error(
        "[files]\nservices = ssh\n[flies.ssh]\nusers =\n",
        "persona.unknown-owner",
        "3:2",
        "`flies`",
        "`files`",
    );
    error("[a]\nservices = ssh\n[a.shh]\nusers =\n", "service.unknown", "3:4", "`shh`", "`ssh`");
    error(
        "[general]\nengine = dokcer\n[a]\nservices = ssh\n",
        "general.engine",
        "2:10",
        "`dokcer`",
        "`docker`",
    );
}

#[test]
fn amounts() {
    for (value, code) in [
        ("0", "amount.zero"),
        ("-3", "amount.invalid"),
        ("many", "amount.invalid"),
        ("70000", "amount.too-many"),
        ("99999999999999999999999999", "amount.too-many"),
    ] {
        error(&format!("[a]\nservices = ssh\namount = {value}\n"), code, "3:10", "amount", "from 1 to");
    }
    error(
        "[a]\nservices = ssh\namount = 3\nip = 10.20.1.1\n",
        "amount.with-ip",
        "4:6",
        "3 members",
        "leave out",
    );
    error("[a]\nservices = ssh\namount = 3\nhostname = x\n", "amount.with-hostname", "4:12", "3 members", "");
    error(
        "[a]\nservices = ssh\namount = 3\nmac = 00:1b:21:1:2:3\n",
        "amount.with-mac",
        "4:7",
        "3 members",
        "",
    );
    error(
        "[general]\nnet = 10.0.0.0/29\ngw = 10.0.0.1\n[a]\nservices = ssh\namount = 3\n[b]\nservices = ssh\namount = 4\n",
        "amount.too-many",
        "9:10",
        "room for 5",
        "",
    );
}

#[test]
fn addresses() {
    let at =
        |ip: &str| format!("[general]\nnet = 10.20.0.0/24\ngw = 10.20.0.1\n[a]\nservices = ssh\nip = {ip}\n");
    for (ip, code) in [
        ("10.20.0.300", "address.invalid"),
        ("10.21.0.9", "address.outside"),
        ("10.20.0.1", "address.gateway"),
        ("10.20.0.5", "address.host"),
        ("10.20.0.0", "address.network"),
        ("10.20.0.255", "address.broadcast"),
    ] {
        error(&at(ip), code, "6:6", ip, "");
    }
    error(
        "[a]\nservices = ssh\nip = 10.20.0.9\n[b]\nservices = ssh\nip = 10.20.0.9\n",
        "address.duplicate",
        "6:6",
        "10.20.0.9",
        "",
    );
    let mut facts = facts();
    facts.in_use.insert("10.20.0.9".parse().unwrap());
    let text = "[a]\nservices = ssh\nip = 10.20.0.9\n";
    let (plan, found) = ini_with(text, &facts, &ResolveOptions::seeded(1));
    assert!(plan.is_some() && found.iter().any(|one| one.code == "address.in-use"));
}

#[test]
fn a_full_network_is_told() {
    let mut facts = facts();
    facts.subnet = Some("10.20.0.0/29".parse().unwrap());
    facts.in_use = (2..5).map(|last| [10, 20, 0, last].into()).collect();
    let (plan, found) = ini_with("[a]\nservices = ssh\namount = 2\n", &facts, &ResolveOptions::seeded(1));
    assert!(plan.is_none());
    let exhausted = found.iter().find(|one| one.code == "network.exhausted").unwrap();
    assert!(exhausted.message.contains("1 of 2"), "{}", exhausted.message);
    assert!(exhausted.help.as_ref().unwrap().contains("3 addresses are in use"));
}

#[test]
fn names() {
    error("[a]\nservices = ssh\n[A]\nservices = ssh\n", "name.duplicate", "3:2", "`A`", "");
    error(
        "[web]\nservices = ssh\namount = 3\n[web-02]\nservices = ssh\n",
        "name.clash",
        "4:2",
        "`web-02`",
        "",
    );
    error(
        "[web-01]\nservices = ssh\namount = 2\n[web]\nservices = ssh\namount = 2\n",
        "name.clash",
        "1:2",
        "`web-01`",
        "",
    );
    let request = Request {
        groups: vec![decnet_core::request::Group::new(Spanned::new("a b".into(), Origin::Program))],
        ..Request::default()
    };
    let (_, found) = resolve(&request, &facts(), &catalogue(), &ResolveOptions::default());
    assert!(found.iter().any(|one| one.code == "name.invalid"));
    assert!(found.iter().any(|one| one.code == "service.none"));
    let (plan, found) = resolve(&Request::default(), &facts(), &catalogue(), &ResolveOptions::default());
    assert!(plan.is_none() && found.iter().any(|one| one.code == "fleet.empty"));
}

#[test]
fn host_names() {
    let one = |name: &str| format!("[a]\nservices = ssh\nhostname = {name}\n");
    for name in ["a_b", "-a", "a-", "a..b", "a.1", "a b", &"a".repeat(64)] {
        error(&one(name), "hostname.invalid", "3:12", name, "");
    }
    error(
        "[a]\nservices = ssh\nhostname = Web1\n[b]\nservices = ssh\nhostname = web1.other.lan\n",
        "hostname.duplicate",
        "6:12",
        "`web1`",
        "",
    );
    warning(&one("my-decky-3"), "hostname.tell", "3:12", "`decky`", "");
    warning(
        "[a]\nservices = smb\nnmap_os = windows\nhostname = a-name-of-19-letter\n",
        "hostname.long",
        "4:12",
        "a-name-of-19-letter",
        "15",
    );
}

#[test]
fn mac_addresses() {
    let one = |mac: &str| format!("[a]\nservices = ssh\nmac = {mac}\n");
    error(&one("00:1b:21"), "mac.invalid", "3:7", "00:1b:21", "");
    error(&one("00:00:00:00:00:00"), "mac.invalid", "3:7", "no address", "");
    error(&one("01:1b:21:00:00:01"), "mac.multicast", "3:7", "multicast", "even");
    error(&one("ff:ff:ff:ff:ff:ff"), "mac.multicast", "3:7", "multicast", "even");
    warning(&one("02:42:0a:00:00:01"), "mac.local", "3:7", "02:42", "");
    error(
        "[a]\nservices = ssh\nmac = 00:1b:21:00:00:01\n[b]\nservices = ssh\nmac = 00-1B-21-00-00-01\n",
        "mac.duplicate",
        "6:7",
        "00:1b:21:00:00:01",
        "",
    );
    warning(
        "[a]\narchetype = printer\nmac = 00:0c:29:11:22:33\n",
        "mac.vendor",
        "3:7",
        "virtual machine",
        "",
    );
    warning(
        "[a]\narchetype = industrial-control\nmac = 3c:2a:f4:11:22:33\n",
        "mac.vendor",
        "3:7",
        "Brother",
        "",
    );
    let text = "[general]\nipvlan = yes\n[a]\nservices = ssh\nmac = 00:1b:21:00:00:01\n";
    warning(text, "mac.ipvlan", "5:7", "00:1b:21:00:00:01", "");
    let (plan, found) = ini("[a]\nservices = ssh\nmac = 52:54:00:11:22:33\n");
    assert!(plan.is_some() && !found.iter().any(|one| one.code == "mac.local"), "{found:?}");
}

#[test]
fn services() {
    error("[a]\nnmap_os = linux\n", "service.none", "1:2", "`a`", "archetype");
    error("[a]\nservices = ,\n", "service.none", "2:12", "`a`", "");
    warning("[a]\nservices = ssh, ssh\n", "service.duplicate", "2:17", "`ssh`", "");
    error(
        "[custom-web]\nbinary = x\nports = 80\n[a]\nservices = http, web\n",
        "service.port-clash",
        "5:18",
        "port 80",
        "",
    );
    warning("[a]\nservices = smb, k8s\nnmap_os = windows\n", "service.incoherent", "2:17", "k8s", "linux");
    warning(
        "[a]\nservices = ssh\nrandomize_services = yes\n",
        "service.randomize",
        "3:22",
        "none is drawn",
        "",
    );
    error("[a]\nrandomize_services = perhaps\n", "service.randomize", "2:22", "perhaps", "");
    error("[a]\nservices = ssh\nrandomize_distros = perhaps\n", "distro.randomize", "3:21", "perhaps", "");
    warning("[a]\nservices = ssh\ndistro = arch\nnmap_os = linux-3\n", "os.distro", "4:11", "Arch Linux", "");
}

#[test]
fn personas() {
    error(
        "[a]\nservices = http\n[a.http]\nresponse_code = 99\n",
        "persona.value",
        "4:17",
        "`99` of http.response_code is not a whole number",
        "",
    );
    error("[a]\nservices = ssh\n[a.ssh]\nusers = root\n", "persona.value", "4:9", "user:password", "");
    error(
        "[a]\nservices = ssh\n[a.http]\nserver_header = x\n",
        "persona.missing-service",
        "3:4",
        "`http`",
        "it has ssh",
    );
    error(
        "[a]\nservices = redis\n[a.redis]\nversion = 7\nredis_version = 6\n",
        "persona.duplicate-key",
        "5:1",
        "one key",
        "",
    );
    error(
        "[custom-mine]\nbinary = x\nports = 9\n[a]\nservices = mine\n[a.mine]\nkey = 1\n",
        "persona.custom",
        "6:4",
        "`mine`",
        "",
    );
    warning(
        "[a]\nservices = ssh\n[a.ssh]\nssh_version = OpenSSH_for_Windows_8.1\n",
        "persona.family",
        "4:15",
        "windows",
        "",
    );
    warning(
        "[a]\nrandomize_services = yes\n[a.conpot]\nx = 1\n",
        "persona.missing-service",
        "3:4",
        "not drawn",
        "",
    );
}

#[test]
fn customs() {
    error(
        "[custom-ssh]\nbinary = x\nports = 9\n[a]\nservices = ssh\n",
        "custom.builtin",
        "1:2",
        "`ssh`",
        "custom-my-ssh",
    );
    error(
        "[custom-x]\nports = 9\n[a]\nservices = x\n",
        "custom.no-binary",
        "1:2",
        "no Docker image",
        "binary =",
    );
    error("[custom-x]\nbinary = a b\nports = 9\n[a]\nservices = x\n", "custom.binary", "2:10", "`a b`", "");
    for ports in ["0", "70000", "ssh", "9/sctp", "9, 9"] {
        let text = format!("[custom-x]\nbinary = y\nports = {ports}\n[a]\nservices = x\n");
        let place = if ports == "9, 9" { "3:12" } else { "3:9" };
        error(&text, "custom.ports", place, "", "");
    }
    error(
        "[custom-x]\nbinary = y\nports = 9\nexec = sh -c 'oops\n[a]\nservices = x\n",
        "custom.exec",
        "4:8",
        "not closed",
        "",
    );
    warning("[custom-x]\nbinary = y\n[a]\nservices = x\n", "custom.no-ports", "1:2", "no ports", "");
    warning("[custom-x]\nbinary = y\nports = 9\n[a]\nservices = ssh\n", "custom.unused", "1:2", "`x`", "");
}

#[test]
fn general() {
    let with = |line: &str| format!("[general]\n{line}\n[a]\nservices = ssh\n");
    error(&with("net = 10.20.0.0"), "network.net", "2:7", "10.20.0.0", "/24");
    error(&with("net = fd00::/64"), "network.net", "2:7", "fd00::/64", "IPv4");
    error(&with("net = 127.0.0.0/8"), "network.net", "2:7", "127.0.0.0/8", "");
    error(&with("net = 10.20.0.0/31"), "network.too-small", "2:7", "/31", "");
    warning(&with("net = 10.20.0.7/16"), "network.host-bits", "2:7", "10.20.0.0/16", "");
    warning(&with("net = 192.168.9.0/24"), "network.not-local", "2:7", "eth0", "");
    error(&with("gw = router"), "network.gw", "2:6", "`router`", "");
    error(&with("gw = 10.99.0.1"), "network.gw-outside", "2:6", "outside", "10.20.0.1");
    error(&with("gw = 10.20.0.0"), "network.gw-outside", "2:6", "no host address", "");
    error(&with("seed = abc"), "general.seed", "2:8", "`abc`", "");
    error(&with("log_target = http://x:1"), "general.log-target", "2:14", "http://x:1", "");
    error(&with("log_file = /var/log/"), "general.log-file", "2:12", "/var/log/", "");
    error(&with("ipvlan = perhaps"), "general.ipvlan", "2:10", "perhaps", "");
    error(&with("domain = -x.lan"), "general.domain", "2:10", "-x.lan", "");
    error(
        &with("interface = a-very-long-interface"),
        "general.interface",
        "2:13",
        "a-very-long-interface",
        "15",
    );
}

#[test]
fn the_lan_is_given_or_detected() {
    let text = "[general]\ngw = nonsense\n[a]\nservices = ssh, htp\n";
    let (plan, found) = ini_with(text, &HostFacts::default(), &ResolveOptions::seeded(1));
    assert!(plan.is_none());
    let codes: Vec<&str> = found.iter().map(|one| one.code).collect();
    assert!(
        ["network.missing", "network.gw", "service.unknown"].iter().all(|code| codes.contains(code)),
        "{codes:?}"
    );
    let (_, found) = ini("[a]\nservices = ssh\n");
    let notes: Vec<&str> =
        found.iter().filter(|one| one.level == Level::Note).map(|one| one.message.as_str()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("net") && notes[1].contains("gw"));
}

#[test]
fn a_wireless_nic_is_named() {
    let facts = HostFacts { wireless: true, interface: Some("wlp3s0".into()), ..facts() };
    let (_, found) = ini_with("[a]\nservices = ssh\n", &facts, &ResolveOptions::seeded(1));
    assert!(found.iter().any(|one| one.code == "network.wireless" && one.message.contains("wlp3s0")));
    let text = "[general]\nipvlan = yes\n[a]\nservices = ssh\n";
    let (_, found) = ini_with(text, &facts, &ResolveOptions::seeded(1));
    assert!(!found.iter().any(|one| one.code == "network.wireless"));
}

#[test]
fn flags_are_places() {
    let mut request = Request::fleet(FleetFlags {
        deckies: "none".into(),
        services: Some("ssh, xyz".into()),
        distro: Some("beos".into()),
        archetype: Some("mainframe".into()),
        ..FleetFlags::default()
    });
    request.ip_start = Some(Spanned::new("10.99.0.1".into(), Origin::Flag("--ip-start")));
    request.general.net = Some(Spanned::new("10.20.0.0/24".into(), Origin::Flag("--subnet")));
    let (plan, found) = resolve(&request, &facts(), &catalogue(), &ResolveOptions::seeded(1));
    assert!(plan.is_none());
    let places: Vec<(String, &str)> = found
        .iter()
        .filter(|one| one.level == Level::Error)
        .map(|one| (one.origin.to_string(), one.code))
        .collect();
    for expected in [
        ("--deckies", "amount.invalid"),
        ("--services", "service.unknown"),
        ("--distro", "distro.unknown"),
        ("--archetype", "archetype.unknown"),
        ("--ip-start", "network.ip-start-outside"),
    ] {
        assert!(
            places.iter().any(|(place, code)| (place.as_str(), *code) == expected),
            "{expected:?}: {places:?}"
        );
    }
    let none = Request::fleet(FleetFlags { deckies: "2".into(), ..FleetFlags::default() });
    let (_, found) = resolve(&none, &facts(), &catalogue(), &ResolveOptions::seeded(1));
    let none = found.iter().find(|one| one.code == "service.none").unwrap();
    assert!(none.help.as_ref().unwrap().contains("--randomize-services"));
}

#[test]
fn everything_is_found_in_one_run() {
    let (_, found) = ini(
        "[general]\nseed = x\nlog_target = nowhere\n[a]\nservices = shh\nip = 1.2.3\nmac = zz\nhostname = -\n\
         [b]\narchetype = nothing\namount = 0\nnmap_os = amiga\n[c.ssh]\nusers = a:b\n",
    );
    let mut codes: Vec<&str> =
        found.iter().filter(|one| one.level == Level::Error).map(|one| one.code).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "address.invalid",
            "amount.zero",
            "archetype.unknown",
            "general.log-target",
            "general.seed",
            "hostname.invalid",
            "mac.invalid",
            "os.unknown",
            "persona.unknown-owner",
            "service.unknown",
        ]
    );
}

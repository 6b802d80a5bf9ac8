//! The 25 services as far as planning knows them. The real descriptors live in decnet-services, above this
//! crate; these have the same ports, families and a few of the same keys.
#![allow(dead_code, reason = "each test program uses a part of it")]

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::request::{Format, read};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port, ServiceDescriptor};
use decnet_core::{Catalogue, Diagnostic, HostFacts, Plan, ResolveOptions, diagnostic, resolve};

use OsFamily::{Bsd, Cisco, Embedded, Linux, Windows};

const fn text(name: &'static str, aliases: &'static [&'static str]) -> PersonaKey {
    PersonaKey { name, aliases, kind: KeyKind::Text, default: "identity", doc: "a text on the wire" }
}

const USERS: PersonaKey = PersonaKey {
    name: "users",
    aliases: &[],
    kind: KeyKind::Credentials,
    default: "one weak account",
    doc: "who may log in",
};

const fn service(
    slug: &'static str,
    ports: &'static [Port],
    families: &'static [OsFamily],
    keys: &'static [PersonaKey],
) -> ServiceDescriptor {
    ServiceDescriptor { slug, role: "test", ports, keys, families, yields: &[], narrow: None, image: None }
}

/// A PLC whose product is a Modicon speaks neither S7 nor DNP3.
fn plc_ports(identity: &Identity, _: &PersonaValues) -> Vec<Port> {
    let schneider = identity.product("conpot").is_some_and(|product| product.name.starts_with("schneider"));
    CONPOT.iter().copied().filter(|port| !schneider || ![102, 20000].contains(&port.number)).collect()
}

const CONPOT: &[Port] = &[Port::tcp(502), Port::tcp(102), Port::tcp(20000), Port::udp(161), Port::tcp(80)];

pub(crate) static SERVICES: [ServiceDescriptor; 25] = [
    service(
        "ssh",
        &[Port::tcp(22)],
        &[Linux, Windows, Bsd, Embedded, Cisco],
        &[text("ssh_version", &["ssh_banner"]), text("kernel_version", &[]), USERS],
    ),
    service(
        "http",
        &[Port::tcp(80), Port::tls(443)],
        &[Linux, Windows, Bsd, Embedded, Cisco],
        &[
            text("server_header", &[]),
            PersonaKey {
                name: "response_code",
                aliases: &[],
                kind: KeyKind::Integer { min: 100, max: 599 },
                default: "200",
                doc: "the status of /",
            },
        ],
    ),
    service("ftp", &[Port::tcp(21)], &[Linux, Windows, Bsd, Embedded], &[]),
    service("tftp", &[Port::udp(69)], &[Linux, Windows, Bsd, Embedded, Cisco], &[]),
    service(
        "smb",
        &[Port::tcp(445), Port::tcp(139)],
        &[Linux, Windows, Bsd, Embedded],
        &[text("os_version", &[]), text("workgroup", &[])],
    ),
    service("rdp", &[Port::tcp(3389)], &[Linux, Windows, Bsd], &[]),
    service("telnet", &[Port::tcp(23)], &[Linux, Windows, Bsd, Embedded, Cisco], &[USERS]),
    service("vnc", &[Port::tcp(5900)], &[Linux, Windows, Bsd, Embedded], &[]),
    service("smtp", &[Port::tcp(25), Port::tcp(587)], &[Linux, Windows, Bsd, Embedded], &[]),
    service("imap", &[Port::tcp(143), Port::tls(993)], &[Linux, Windows, Bsd], &[]),
    service("pop3", &[Port::tcp(110), Port::tls(995)], &[Linux, Windows, Bsd], &[]),
    service("ldap", &[Port::tcp(389), Port::tls(636)], &[Linux, Windows, Bsd], &[]),
    service("llmnr", &[Port::udp(5355), Port::udp(5353)], &[Linux, Windows, Bsd, Embedded], &[]),
    service("mysql", &[Port::tcp(3306)], &[Linux, Windows, Bsd, Embedded], &[text("mysql_version", &[])]),
    service("postgres", &[Port::tcp(5432)], &[Linux, Windows, Bsd], &[]),
    service("mssql", &[Port::tcp(1433)], &[Linux, Windows], &[]),
    service("mongodb", &[Port::tcp(27017)], &[Linux, Windows, Bsd], &[]),
    service(
        "redis",
        &[Port::tcp(6379)],
        &[Linux, Windows, Bsd, Embedded],
        &[text("redis_version", &["version"])],
    ),
    service("elasticsearch", &[Port::tcp(9200)], &[Linux, Windows], &[]),
    service("mqtt", &[Port::tcp(1883)], &[Linux, Windows, Bsd, Embedded], &[]),
    service("snmp", &[Port::udp(161)], &[Linux, Windows, Bsd, Embedded, Cisco], &[]),
    service("sip", &[Port::udp(5060), Port::tcp(5060)], &[Linux, Windows, Bsd, Embedded, Cisco], &[]),
    service("k8s", &[Port::tls(6443), Port::tcp(8080)], &[Linux], &[]),
    service("docker_api", &[Port::tcp(2375), Port::tls(2376)], &[Linux, Windows], &[]),
    ServiceDescriptor {
        yields: &[("snmp", Port::udp(161)), ("http", Port::tcp(80))],
        narrow: Some(plc_ports),
        ..service("conpot", CONPOT, &[Embedded], &[])
    },
];

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::builtin(&SERVICES)
}

/// A machine at 10.20.0.5 of 10.20.0.0/16.
pub(crate) fn facts() -> HostFacts {
    HostFacts {
        interface: Some("eth0".into()),
        subnet: Some("10.20.0.0/16".parse().unwrap()),
        gateway: Some("10.20.0.1".parse().unwrap()),
        address: Some("10.20.0.5".parse().unwrap()),
        ..HostFacts::default()
    }
}

/// Reads an INI text and resolves it with seed 1.
pub(crate) fn ini(text: &str) -> (Option<Plan>, Vec<Diagnostic>) {
    ini_with(text, &facts(), &ResolveOptions::seeded(1))
}

pub(crate) fn ini_with(
    text: &str,
    facts: &HostFacts,
    options: &ResolveOptions<'_>,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let source = diagnostic::Source::new("fleet.ini", text);
    let (request, mut found) = read(&source, Format::Ini);
    let (plan, more) = resolve(&request, facts, &catalogue(), options);
    found.extend(more);
    (plan, found)
}

/// The plan of an INI text that has no errors.
pub(crate) fn plan(text: &str) -> Plan {
    let (plan, found) = ini(text);
    plan.unwrap_or_else(|| panic!("no plan: {found:#?}"))
}

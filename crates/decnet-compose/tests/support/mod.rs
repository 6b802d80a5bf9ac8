//! Fleets made by hand.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use decnet_compose::{Idle, Image, Platform};
use decnet_core::identity::{Hardware, Identity, Names, Os, OsFamily, Times};
use decnet_core::plan::{
    Attachment, CustomService, Decky, EngineChoice, Logging, Network, Plan, ServicePlan, VERSION,
};
use decnet_core::service::{PersonaValues, Port};
use decnet_core::{MacAddress, Seed};

/// Every built-in service with its ports.
pub(crate) const SERVICES: &[(&str, &[Port])] = &[
    ("conpot", &[Port::tcp(502), Port::tcp(102), Port::tcp(20000)]),
    ("docker_api", &[Port::tcp(2375), Port::tls(2376)]),
    ("elasticsearch", &[Port::tcp(9200)]),
    ("ftp", &[Port::tcp(21)]),
    ("http", &[Port::tcp(80), Port::tls(443)]),
    ("imap", &[Port::tcp(143), Port::tls(993)]),
    ("k8s", &[Port::tls(6443), Port::tcp(8080)]),
    ("ldap", &[Port::tcp(389), Port::tls(636)]),
    ("llmnr", &[Port::udp(5355), Port::udp(5353)]),
    ("mongodb", &[Port::tcp(27017)]),
    ("mqtt", &[Port::tcp(1883)]),
    ("mssql", &[Port::tcp(1433)]),
    ("mysql", &[Port::tcp(3306)]),
    ("pop3", &[Port::tcp(110), Port::tls(995)]),
    ("postgres", &[Port::tcp(5432)]),
    ("rdp", &[Port::tcp(3389)]),
    ("redis", &[Port::tcp(6379)]),
    ("sip", &[Port::udp(5060), Port::tcp(5060)]),
    ("smb", &[Port::tcp(445), Port::tcp(139)]),
    ("smtp", &[Port::tcp(25), Port::tcp(587)]),
    ("snmp", &[Port::udp(161)]),
    ("ssh", &[Port::tcp(22)]),
    ("telnet", &[Port::tcp(23)]),
    ("tftp", &[Port::udp(69)]),
    ("vnc", &[Port::tcp(5900)]),
];

/// A service without persona values.
pub(crate) fn service(slug: &str) -> ServicePlan {
    let ports = SERVICES.iter().find(|(known, _)| *known == slug).map_or(&[][..], |(_, ports)| ports);
    ServicePlan { slug: slug.into(), ports: ports.to_vec(), persona: PersonaValues::new(), custom: false }
}

/// A service of the user's own, on that port.
pub(crate) fn custom_service(slug: &str, port: u16) -> ServicePlan {
    ServicePlan {
        slug: slug.into(),
        ports: vec![Port::tcp(port)],
        persona: PersonaValues::new(),
        custom: true,
    }
}

/// The `index`th decky, `decky-01` at 198.51.100.20 being the first.
pub(crate) fn decky(index: u32, family: OsFamily, distro: &str, services: &[&str]) -> Decky {
    let name = format!("decky-{:02}", index + 1);
    let host = format!("srv-files-{index:02}");
    let address = u32::from(Ipv4Addr::new(198, 51, 100, 20)) + index;
    let [_, low @ ..] = index.to_be_bytes();
    Decky {
        name: name.clone(),
        group: "decky".into(),
        archetype: Some("file-server".into()),
        address: Ipv4Addr::from(address),
        mac: MacAddress([0x00, 0x1b, 0x21, low[0], low[1], low[2]]),
        os_persona: "linux-5".into(),
        os_facts: None,
        distro: distro.into(),
        identity: Identity {
            seed: Seed::from_number(1).derive(&[&name]),
            names: Names {
                hostname: host.to_uppercase(),
                fqdn: format!("{host}.corp.northwind-labs.net"),
                domain: "corp.northwind-labs.net".into(),
                netbios: host.to_uppercase(),
                netbios_domain: "CORP".into(),
                joined: false,
                organisation: "Northwind Labs".into(),
            },
            os: Os {
                family,
                row: distro.into(),
                name: "Debian GNU/Linux 12 (bookworm)".into(),
                version: "12".into(),
                kernel: "6.1.0-37-amd64".into(),
                kernel_build: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)".into(),
                architecture: "x86_64".into(),
            },
            hardware: Hardware {
                vendor: "Dell Inc.".into(),
                model: "PowerEdge R640".into(),
                serial: format!("7XK{index:04}"),
                nic_vendor: "Intel Corporate".into(),
            },
            times: Times {
                timezone: "Europe/Berlin".into(),
                installed: 1_780_000_000,
                reboot_period: 40 * 86_400,
                clock_offset_ms: 0,
            },
            variant: "a".into(),
            products: BTreeMap::new(),
            weak_account: None,
        },
        services: services.iter().map(|slug| service(slug)).collect(),
    }
}

/// A fleet of these deckies.
pub(crate) fn plan(deckies: Vec<Decky>) -> Plan {
    Plan {
        version: VERSION,
        fleet: "fleet-5f3a9c01".into(),
        seed: 1,
        network: Network {
            interface: Some("eth0".into()),
            subnet: "198.51.100.0/24".parse().unwrap(),
            gateway: Ipv4Addr::new(198, 51, 100, 1),
            host: Some(Ipv4Addr::new(198, 51, 100, 2)),
            attachment: Attachment::Macvlan,
        },
        domain: "corp.northwind-labs.net".into(),
        engine: EngineChoice::Docker,
        logging: Logging::default(),
        custom_services: Vec::new(),
        deckies,
    }
}

/// `count` deckies with three services each, of two distros and two families.
pub(crate) fn fleet(count: u32) -> Plan {
    let deckies = (0..count)
        .map(|index| match index % 2 {
            0 => decky(index, OsFamily::Linux, "debian", &["http", "mysql", "ssh"]),
            _ => decky(index, OsFamily::Windows, "ubuntu22", &["ldap", "rdp", "smb"]),
        })
        .collect();
    plan(deckies)
}

/// Every built-in service and one of the user's own on one decky.
pub(crate) fn everything() -> Plan {
    let slugs: Vec<&str> = SERVICES.iter().map(|(slug, _)| *slug).collect();
    let mut one = decky(0, OsFamily::Embedded, "alpine", &slugs);
    one.services.push(custom_service("myapp", 9999));
    let mut plan = plan(vec![one]);
    plan.custom_services.push(CustomService {
        slug: "myapp".into(),
        image: "registry.example/my-app:1.2".into(),
        exec: vec!["/usr/bin/app".into(), "--token".into(), "pa$$word ${HOME}".into(), "22:22".into()],
        ports: vec![Port::tcp(9999)],
    });
    plan
}

/// The images and kernel settings of the product's own tables, as far as the tests go.
pub(crate) fn platform() -> Platform {
    let same = |image: &str| Image { image: image.into(), build_base: image.into(), idle: Idle::Sleep };
    let sysctls = |rows: &[(&str, &str)]| {
        rows.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let ttl_and_retries =
        |ttl, retries| sysctls(&[("net.ipv4.ip_default_ttl", ttl), ("net.ipv4.tcp_syn_retries", retries)]);
    Platform {
        images: BTreeMap::from([
            ("alpine".to_owned(), same("alpine:3.19")),
            ("debian".to_owned(), same("debian:bookworm-slim")),
            ("ubuntu22".to_owned(), same("ubuntu:22.04")),
        ]),
        sysctls: BTreeMap::from([
            (OsFamily::Linux, ttl_and_retries("64", "6")),
            (
                OsFamily::Windows,
                sysctls(&[
                    ("net.ipv4.ip_default_ttl", "128"),
                    ("net.ipv4.tcp_rmem", "4096 131072 8388608"),
                    ("net.ipv4.tcp_syn_retries", "2"),
                ]),
            ),
            (OsFamily::Embedded, ttl_and_retries("255", "3")),
        ]),
        service_images: BTreeMap::new(),
    }
}

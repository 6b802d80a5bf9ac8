//! The registry as a whole: which services there are, on which ports, with which persona keys.

use std::collections::BTreeSet;

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily, Product};
use decnet_core::service::{KeyKind, PersonaValues, Port};
use decnet_services::registry::descriptors;
use decnet_services::testing::identity;

/// Every service with its ports in the order of the tables, and the persona keys that users are promised.
/// A service may have more keys than these.
const SERVICES: &[(&str, &str, &[&str])] = &[
    ("conpot", "502, 102, 20000, 161/udp, 80", &[]),
    ("docker_api", "2375, 2376 (TLS)", &["docker_version"]),
    ("elasticsearch", "9200", &["es_version", "cluster_name"]),
    ("ftp", "21", &[]),
    ("http", "80, 443 (TLS)", &["server_header", "response_code", "fake_app"]),
    ("imap", "143, 993 (TLS)", &[]),
    ("k8s", "6443 (TLS), 8080", &["k8s_version"]),
    ("ldap", "389, 636 (TLS)", &["base_dn", "domain"]),
    ("llmnr", "5355/udp, 5353/udp", &[]),
    ("mongodb", "27017", &["mongo_version"]),
    ("mqtt", "1883", &["mqtt_version"]),
    ("mssql", "1433, 1434/udp", &["mssql_version"]),
    ("mysql", "3306", &["mysql_version", "mysql_banner"]),
    ("pop3", "110, 995 (TLS)", &[]),
    ("postgres", "5432", &["pg_version"]),
    ("rdp", "3389", &["os_version", "build"]),
    ("redis", "6379", &["redis_version"]),
    ("sip", "5060/udp, 5060", &["sip_server", "sip_domain"]),
    ("smb", "445, 139", &["workgroup", "server_name", "os_version"]),
    ("smtp", "25, 587", &["smtp_banner", "smtp_mta"]),
    ("snmp", "161/udp", &["snmp_community", "sys_descr"]),
    ("ssh", "22", &["ssh_version", "kernel_version", "users"]),
    ("telnet", "23", &[]),
    ("tftp", "69/udp", &[]),
    ("vnc", "5900", &["vnc_version"]),
];

fn descriptor(slug: &str) -> &'static ServiceDescriptor {
    decnet_services::find(slug).unwrap_or_else(|| panic!("no service {slug}")).descriptor
}

fn shown(ports: &[Port]) -> String {
    ports.iter().map(Port::to_string).collect::<Vec<_>>().join(", ")
}

#[test]
fn there_are_exactly_the_25_services() {
    let slugs: Vec<&str> = descriptors().iter().map(|service| service.slug).collect();
    let expected: Vec<&str> = SERVICES.iter().map(|(slug, _, _)| *slug).collect();
    assert_eq!(slugs, expected, "sorted, and no slug twice");
    assert_eq!(slugs.len(), 25);
}

#[test]
fn ports_are_those_of_the_tables() {
    for (slug, ports, _) in SERVICES {
        assert_eq!(shown(descriptor(slug).ports), *ports, "{slug}");
    }
}

#[test]
fn the_promised_persona_keys_are_there() {
    let missing: Vec<String> = SERVICES
        .iter()
        .flat_map(|(slug, _, keys)| keys.iter().map(move |key| (slug, key)))
        .filter(|(slug, key)| descriptor(slug).keys.iter().all(|known| known.name != **key))
        .map(|(slug, key)| format!("{slug}.{key}"))
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
}

#[test]
fn other_spellings_are_understood() {
    for (slug, alias, name) in [
        ("ssh", "ssh_banner", "ssh_version"),
        ("smtp", "banner", "smtp_banner"),
        ("smtp", "mta", "smtp_mta"),
        ("mysql", "version", "mysql_version"),
        ("redis", "version", "redis_version"),
    ] {
        assert_eq!(descriptor(slug).key(alias).map(|key| key.name), Some(name), "{slug}.{alias}");
    }
}

#[test]
fn descriptors_are_complete() {
    for service in descriptors() {
        let slug = service.slug;
        let plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        assert!(plain(slug), "{slug}");
        assert!(!service.role.is_empty(), "{slug} has a role");
        assert!(!service.keys.is_empty(), "{slug} has persona keys");
        let mut names = BTreeSet::new();
        for key in service.keys {
            assert!(!key.default.is_empty(), "{slug}.{} says where its value comes from", key.name);
            assert!(key.doc.ends_with('.') && key.doc.len() > 20, "{slug}.{}: doc is a sentence", key.name);
            for name in [key.name].iter().chain(key.aliases) {
                assert!(plain(name), "{slug}.{name}");
                assert!(names.insert(*name), "{slug}.{name} means two things");
            }
            match key.kind {
                KeyKind::OneOf(words) => {
                    let distinct: BTreeSet<_> = words.iter().collect();
                    assert!(words.len() > 1 && distinct.len() == words.len(), "{slug}.{}", key.name);
                }
                KeyKind::Integer { min, max } => assert!(min < max, "{slug}.{}", key.name),
                _ => {}
            }
        }
        let distinct: BTreeSet<_> = service.families.iter().collect();
        assert!(!distinct.is_empty() && distinct.len() == service.families.len(), "families of {slug}");
    }
}

#[test]
fn what_is_left_to_another_service_is_a_port_of_both() {
    for service in descriptors() {
        for (other, port) in service.yields {
            assert!(service.ports.contains(port), "{} does not have {port}", service.slug);
            assert!(
                descriptor(other).ports.iter().any(|theirs| theirs.clashes_with(*port)),
                "{other}: {port}"
            );
        }
    }
}

/// Values that a user might write for a key, sensible and not.
fn values(kind: KeyKind) -> Vec<String> {
    let mut values: Vec<String> =
        ["", "yes", "no", "off", "closed", "65535", "a:b", "\u{0}"].map(String::from).to_vec();
    if let KeyKind::OneOf(words) = kind {
        values.extend(words.iter().flat_map(|word| [(*word).to_owned(), format!(" {word} ")]));
    }
    values
}

#[test]
fn narrowing_never_invents_a_port() {
    for service in descriptors() {
        for family in OsFamily::ALL {
            let who = identity(family, 1, &[]);
            let check = |persona: PersonaValues| {
                let ports = service.ports_for(&who, &persona);
                for (index, port) in ports.iter().enumerate() {
                    let declared = service.ports.iter().any(|declared| declared.clashes_with(*port));
                    assert!(declared, "{}: {port} with {persona:?}", service.slug);
                    let twice = ports[..index].iter().any(|other| other.clashes_with(*port));
                    assert!(!twice, "{}: {port} twice with {persona:?}", service.slug);
                }
            };
            check(PersonaValues::new());
            for key in service.keys {
                for value in values(key.kind) {
                    check(PersonaValues::from([(key.name.to_owned(), value)]));
                }
            }
        }
    }
}

#[test]
fn unset_keys_leave_a_port_open_on_every_system_that_fits() {
    for service in descriptors() {
        for family in service.families {
            let ports = service.ports_for(&identity(*family, 1, &[]), &PersonaValues::new());
            assert!(!ports.is_empty(), "{} on {family}", service.slug);
        }
    }
}

fn narrowed(slug: &str, who: &Identity, persona: &[(&str, &str)]) -> String {
    let persona = persona.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    shown(&descriptor(slug).ports_for(who, &persona))
}

#[test]
fn personas_close_the_ports_that_their_product_lacks() {
    let linux = identity(OsFamily::Linux, 1, &[]);
    let device = identity(OsFamily::Embedded, 1, &[]);
    for (slug, persona, ports) in [
        ("k8s", &[][..], "6443 (TLS), 8080"),
        ("k8s", &[("port8080", "closed")], "6443 (TLS)"),
        ("docker_api", &[], "2375, 2376 (TLS)"),
        ("docker_api", &[("open_2375", "no")], "2376 (TLS)"),
        ("imap", &[("tls", "off")], "143"),
        ("pop3", &[("tls", "off")], "110"),
        ("llmnr", &[], "5355/udp, 5353/udp"),
        ("llmnr", &[("mdns", "no")], "5355/udp"),
        ("llmnr", &[("llmnr", "no")], "5353/udp"),
    ] {
        assert_eq!(narrowed(slug, &linux, persona), ports, "{slug} {persona:?}");
    }
    assert_eq!(narrowed("llmnr", &device, &[]), "5353/udp");
    for (plc, ports) in [
        ("siemens-s7-1200-rtu", "502, 102, 20000, 161/udp, 80"),
        ("siemens-s7-300", "102, 161/udp, 80"),
        ("schneider-m340", "502, 161/udp, 80"),
        ("wago-750", "502, 161/udp, 80"),
        ("moxa-rtu", "502, 161/udp, 80"),
        ("sel-rtu", "502, 20000, 80"),
    ] {
        assert_eq!(narrowed("conpot", &device, &[("plc", plc)]), ports, "{plc}");
    }
}

#[test]
fn the_identity_narrows_where_the_user_says_nothing() {
    let mut who = identity(OsFamily::Embedded, 1, &[]);
    who.products.insert("conpot".into(), Product { name: "schneider-m340".into(), ..Product::default() });
    assert_eq!(narrowed("conpot", &who, &[]), "502, 161/udp, 80");
    assert_eq!(narrowed("conpot", &who, &[("plc", "siemens-s7-300")]), "102, 161/udp, 80");

    let mut who = identity(OsFamily::Windows, 1, &[]);
    assert_eq!(narrowed("llmnr", &who, &[]), "5355/udp, 5353/udp", "Server 2019");
    who.os.kernel = "9600".into();
    assert_eq!(narrowed("llmnr", &who, &[]), "5355/udp", "Server 2012 R2");
    assert_eq!(narrowed("llmnr", &who, &[("mdns", "yes")]), "5355/udp, 5353/udp");
}

//! From requests to plans.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::collections::BTreeSet;

use decnet_core::identity::OsFamily;
use decnet_core::plan::{Attachment, EngineChoice};
use decnet_core::request::{FleetFlags, Request};
use decnet_core::{Decky, HostFacts, Plan, ResolveOptions, resolve};
use support::{catalogue, facts, ini, ini_with, plan};

fn fleet(flags: FleetFlags, seed: u64) -> Plan {
    let (plan, found) =
        resolve(&Request::fleet(flags), &facts(), &catalogue(), &ResolveOptions::seeded(seed));
    plan.unwrap_or_else(|| panic!("no plan: {found:#?}"))
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.deckies.iter().map(|decky| decky.name.as_str()).collect()
}

fn slugs(decky: &Decky) -> Vec<&str> {
    decky.services.iter().map(|service| service.slug.as_str()).collect()
}

#[test]
fn a_small_plan() {
    let plan = plan(
        "[general]\nseed = 42\ndomain = corp.kessler.com\nlog_target = 10.20.0.9:514\n\
         [web]\narchetype = web-server\namount = 2\n\
         [dc]\narchetype = domain-controller\nip = 10.20.0.40\nhostname = DC07\n\
         [plc]\narchetype = industrial-control\n\
         [web.http]\nserver_header = nginx\n[web-02.http]\nresponse_code = 403\n",
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&plan).unwrap());
}

#[test]
fn the_command_line_numbers_its_deckies() {
    let services =
        |n: &str| FleetFlags { deckies: n.into(), services: Some("ssh".into()), ..FleetFlags::default() };
    assert_eq!(names(&fleet(services("1"), 1)), ["decky-01"]);
    assert_eq!(names(&fleet(services("2"), 1)), ["decky-01", "decky-02"]);
    assert_eq!(fleet(services("120"), 1).deckies[119].name, "decky-120");
    assert_eq!(fleet(services("120"), 1).deckies[0].name, "decky-01");
}

#[test]
fn a_single_decky_keeps_the_name_of_its_section() {
    let plan = plan("[web]\nservices = http\n[db]\nservices = mysql\namount = 2\n");
    assert_eq!(names(&plan), ["db-01", "db-02", "web"]);
    assert_eq!(plan.decky("db-02").unwrap().group, "db");
}

#[test]
fn distros_cycle_in_the_order_of_the_table() {
    let plan =
        fleet(FleetFlags { deckies: "10".into(), services: Some("ssh".into()), ..FleetFlags::default() }, 3);
    let distros: Vec<&str> = plan.deckies.iter().map(|decky| decky.distro.as_str()).collect();
    assert_eq!(
        distros,
        ["debian", "ubuntu22", "ubuntu20", "rocky9", "centos7", "alpine", "fedora", "kali", "arch", "debian"]
    );
    for decky in &plan.deckies {
        assert_eq!(decky.identity.os.row, decky.distro, "a Linux decky shows its distro");
    }
}

#[test]
fn a_listed_distro_wins_over_drawing_and_the_archetype() {
    let plan =
        plan("[a]\narchetype = file-server\ndistro = fedora, arch\nrandomize_distros = yes\namount = 4\n");
    let distros: Vec<&str> = plan.deckies.iter().map(|decky| decky.distro.as_str()).collect();
    assert_eq!(distros, ["fedora", "arch", "fedora", "arch"]);
    assert!(plan.deckies.iter().all(|decky| decky.identity.os.row == decky.distro), "no appliance stands in");
}

#[test]
fn services_come_from_the_user_then_the_archetype_then_the_draw() {
    let plan = plan(
        "[a]\nservices = redis, ftp\narchetype = printer\n[b]\narchetype = printer\n\
         [c]\nrandomize_services = yes\namount = 40\n",
    );
    assert_eq!(slugs(plan.decky("a").unwrap()), ["ftp", "redis"]);
    assert_eq!(slugs(plan.decky("b").unwrap()), ["ftp", "snmp"]);
    let drawn: Vec<Vec<&str>> = plan.deckies.iter().filter(|decky| decky.group == "c").map(slugs).collect();
    assert!(drawn.iter().all(|set| (1..=3).contains(&set.len())));
    assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 40, "each set once");
}

#[test]
fn drawn_services_are_unique_as_long_as_there_are_sets_left() {
    // ssh, telnet, http, snmp, sip and tftp make 6 + 15 + 20 sets.
    let plan = plan("[r]\nnmap_os = cisco\nrandomize_services = yes\namount = 45\n");
    let sets: BTreeSet<Vec<&str>> = plan.deckies.iter().map(slugs).collect();
    assert_eq!(sets.len(), 41);
}

#[test]
fn the_os_comes_from_nmap_os_then_the_archetype_then_is_linux() {
    let plan = plan(
        "[a]\nservices = ssh\n[b]\narchetype = windows-server\n[c]\narchetype = windows-server\nnmap_os = linux\n\
         [d]\nservices = smb, rdp\nnmap_os = windows-server-2016\n[e]\nservices = snmp\nnmap_os = brother\n\
         [f]\narchetype = printer\nnmap_os = hp-laserjet-m525\n[g]\nservices = ssh\nnmap_os = linux-3\n",
    );
    let os = |name: &str| {
        let decky = plan.decky(name).unwrap();
        (decky.identity.os.family, decky.identity.os.row.as_str(), decky.os_persona.as_str())
    };
    assert_eq!(os("a").0, OsFamily::Linux);
    assert_eq!(os("b").0, OsFamily::Windows);
    assert_eq!(os("c").0, OsFamily::Linux);
    assert_eq!(os("d"), (OsFamily::Windows, "windows-server-2016", "windows-server-2016"));
    assert_eq!(os("e"), (OsFamily::Embedded, "brother-hl", "brother"));
    assert_eq!(os("f"), (OsFamily::Embedded, "hp-futuresmart", "hp-laserjet-m525"));
    assert!(["centos7", "synology-dsm", "freepbx"].contains(&os("g").1) && os("g").2 == "linux-3");
}

#[test]
fn every_persona_gives_a_row_of_its_own() {
    for persona in catalogue().personas() {
        let plan = plan(&format!("[a]\nservices = snmp\nnmap_os = {}\namount = 3\n", persona.slug));
        for decky in &plan.deckies {
            assert_eq!(decky.os_persona, persona.slug);
            assert_eq!(decky.identity.os.family, persona.family);
        }
    }
}

#[test]
fn a_workstation_is_no_server_and_a_printer_no_plc() {
    let plan = plan(
        "[w]\nservices = smb, rdp\nnmap_os = windows\n[s]\nservices = ldap, mssql\nnmap_os = windows\n\
         [p]\nservices = snmp, ftp\nnmap_os = embedded\n[c]\nservices = conpot\nnmap_os = embedded\n",
    );
    let row = |name: &str| plan.decky(name).unwrap().identity.os.row.clone();
    assert!(row("s").starts_with("windows-server"), "{}", row("s"));
    assert!(["brother-hl", "hp-jetdirect", "hp-futuresmart", "edge-hub"].contains(&row("p").as_str()));
    assert!(["siemens-s7-1200", "schneider-m340"].contains(&row("c").as_str()));
}

#[test]
fn the_rows_of_archetypes_are_those_of_their_variants() {
    for archetype in catalogue().archetypes() {
        let plan = plan(&format!("[x]\narchetype = {}\namount = 30\n", archetype.slug));
        let variants: BTreeSet<&str> =
            plan.deckies.iter().map(|decky| decky.identity.variant.as_str()).collect();
        assert!(variants.contains("a") && variants.contains("b"), "{}: {variants:?}", archetype.slug);
        for decky in &plan.deckies {
            assert_eq!(decky.identity.os.family, archetype.os, "{}", archetype.slug);
            let products = &decky.identity.products;
            assert!(decky.services.iter().all(|service| products.contains_key(&service.slug)));
        }
    }
}

#[test]
fn host_names_have_the_style_of_the_system() {
    let plan = plan(
        "[a]\nservices = ssh\ndistro = debian\n[b]\nservices = ssh\ndistro = rocky9\n\
         [c]\nservices = ssh\ndistro = alpine\n[d]\nservices = ssh\ndistro = kali\n\
         [e]\narchetype = windows-workstation\namount = 12\n[f]\narchetype = printer\namount = 12\n",
    );
    let name = |name: &str| plan.decky(name).unwrap().identity.names.clone();
    let a = name("a").hostname;
    assert!(a.starts_with("SRV-") && a.split('-').count() == 3, "{a}");
    let b = name("b");
    assert!(b.fqdn.ends_with(".localdomain") && b.hostname.ends_with(|c: char| c.is_ascii_digit()), "{b:?}");
    let c = name("c").hostname;
    assert!(c.split('-').count() == 2 && c == c.to_lowercase(), "{c}");
    let d = name("d").hostname;
    assert!(d.split('-').all(|word| word.chars().all(char::is_alphabetic)), "{d}");
    for decky in &plan.deckies {
        let hostname = &decky.identity.names.hostname;
        match decky.identity.os.row.as_str() {
            "windows-10" => assert!(hostname.contains("-WS-0") && decky.identity.names.joined),
            "windows-11" => assert!(hostname.starts_with("DESKTOP-") && hostname.len() == 15),
            "brother-hl" => {
                let mac = decky.mac.to_string().replace(':', "").to_uppercase();
                assert_eq!(*hostname, format!("BRN{mac}"));
            }
            "hp-jetdirect" | "hp-futuresmart" => {
                let mac = decky.mac.to_string().replace(':', "").to_uppercase();
                assert_eq!(*hostname, format!("NPI{}", &mac[6..]));
            }
            _ => {}
        }
    }
}

#[test]
fn the_domain_of_the_fleet_is_everybodys() {
    let plan = plan(
        "[general]\ndomain = Corp.Kessler.com\n[a]\nservices = ssh\ndistro = rocky9, debian\namount = 4\n",
    );
    assert_eq!(plan.domain, "corp.kessler.com");
    assert!(plan.deckies.iter().all(|decky| decky.identity.names.fqdn.ends_with(".corp.kessler.com")));
    assert_eq!(plan.deckies[0].identity.names.organisation, "Kessler");
}

#[test]
fn persona_values_reach_the_group_and_a_member_overrides_them_key_by_key() {
    let plan = plan(
        "[web]\nservices = http, ssh\namount = 2\n[web-extra]\nservices = http\n\
         [web.http]\nserver_header = nginx\nresponse_code = 200\n[web-02.http]\nresponse_code = 403\n\
         [web.ssh]\nssh_banner = OpenSSH_9.2\n",
    );
    let value =
        |name: &str, key: &str| plan.decky(name).unwrap().service("http").unwrap().persona.get(key).cloned();
    assert_eq!(value("web-01", "response_code").as_deref(), Some("200"));
    assert_eq!(value("web-02", "response_code").as_deref(), Some("403"));
    assert_eq!(value("web-02", "server_header").as_deref(), Some("nginx"));
    assert_eq!(value("web-extra", "server_header"), None);
    let ssh = plan.decky("web-01").unwrap().service("ssh").unwrap();
    assert_eq!(ssh.persona.get("ssh_version").map(String::as_str), Some("OpenSSH_9.2"), "the canonical name");
}

#[test]
fn a_plc_leaves_snmp_and_http_to_the_services_of_that_name() {
    let plan = plan(
        "[a]\nservices = conpot, snmp, http\nnmap_os = siemens-plc\n[b]\nservices = conpot\nnmap_os = embedded\n",
    );
    let numbers = |name: &str, slug: &str| -> Vec<u16> {
        plan.decky(name).unwrap().service(slug).unwrap().ports.iter().map(|port| port.number).collect()
    };
    assert!(!numbers("a", "conpot").contains(&161) && !numbers("a", "conpot").contains(&80));
    assert_eq!(numbers("a", "snmp"), [161]);
    assert!(numbers("b", "conpot").contains(&161));
}

#[test]
fn a_persona_narrows_the_ports() {
    let plan = plan("[a]\narchetype = industrial-control\namount = 30\n");
    for decky in &plan.deckies {
        let s7 = decky.open_ports().any(|(_, port)| port.number == 102);
        assert_eq!(s7, decky.identity.os.row == "siemens-s7-1200");
    }
}

#[test]
fn weak_accounts_differ_and_stay_where_users_is_unset() {
    let plan = plan(
        "[a]\nservices = ssh\namount = 60\n[b]\nservices = ssh\n[b.ssh]\nusers =\n\
         [c]\nservices = ssh\nnmap_os = windows\n[d]\nservices = http\n[e]\narchetype = iot-device\n",
    );
    let account = |decky: &Decky| decky.identity.weak_account.clone();
    let accounts: BTreeSet<_> =
        plan.deckies.iter().filter(|decky| decky.group == "a").filter_map(account).collect();
    assert_eq!(accounts.len(), 60);
    for name in ["b", "c", "d"] {
        assert_eq!(account(plan.decky(name).unwrap()), None, "{name}");
    }
    assert!(account(plan.decky("e").unwrap()).is_some());
}

#[test]
fn addresses_skip_what_is_taken() {
    let mut facts = facts();
    facts.subnet = Some("10.20.0.0/28".parse().unwrap());
    facts.in_use = ["10.20.0.2".parse().unwrap(), "10.20.0.4".parse().unwrap()].into();
    let (plan, _) = ini_with(
        "[a]\nservices = ssh\namount = 3\n[b]\nservices = ssh\nip = 10.20.0.6\n",
        &facts,
        &ResolveOptions::seeded(1),
    );
    let addresses: Vec<String> =
        plan.unwrap().deckies.iter().map(|decky| decky.address.to_string()).collect();
    // .1 is the gateway, .2 and .4 are in use, .5 is the host, .6 is explicit.
    assert_eq!(addresses, ["10.20.0.3", "10.20.0.7", "10.20.0.8", "10.20.0.6"]);
}

#[test]
fn ip_start_is_the_first_address() {
    let mut request = Request::fleet(FleetFlags {
        deckies: "2".into(),
        services: Some("ssh".into()),
        ..FleetFlags::default()
    });
    request.ip_start =
        Some(decnet_core::Spanned::new("10.20.3.0".into(), decnet_core::Origin::Flag("--ip-start")));
    let (plan, _) = resolve(&request, &facts(), &catalogue(), &ResolveOptions::seeded(1));
    let addresses: Vec<String> =
        plan.unwrap().deckies.iter().map(|decky| decky.address.to_string()).collect();
    assert_eq!(addresses, ["10.20.3.0", "10.20.3.1"]);
}

#[test]
fn without_a_nic_the_net_is_enough() {
    let text = "[general]\nnet = 192.168.7.0/24\nengine = native\nipvlan = yes\n[a]\nservices = ssh\n";
    let (plan, found) = ini_with(text, &HostFacts::default(), &ResolveOptions::seeded(1));
    let plan = plan.unwrap();
    assert_eq!(plan.network.gateway.to_string(), "192.168.7.1");
    assert_eq!(plan.network.interface, None);
    assert_eq!(plan.network.attachment, Attachment::Ipvlan);
    assert_eq!(plan.engine, EngineChoice::Native);
    assert!(found.iter().any(|one| one.code == "network.detected" && one.message.contains("192.168.7.1")));
}

#[test]
fn the_seed_of_the_config_wins() {
    let with = |text: &str, seed| ini_with(text, &facts(), &ResolveOptions::seeded(seed)).0.unwrap();
    let text = "[general]\nseed = 7\n[a]\nservices = ssh\n";
    assert_eq!(with(text, 1), with(text, 2));
    assert_eq!(with(text, 1).seed, 7);
    assert_ne!(
        with("[a]\nservices = ssh\n", 1).deckies[0].mac,
        with("[a]\nservices = ssh\n", 2).deckies[0].mac
    );
}

#[test]
fn a_redeploy_keeps_what_was_there() {
    let before = "[b]\nservices = ssh\namount = 6\n[r]\nrandomize_services = yes\namount = 4\n[p]\narchetype = printer\n";
    let after = "[a]\nservices = http\namount = 5\n[b]\nservices = ssh\namount = 9\n\
                 [r]\nrandomize_services = yes\namount = 8\n[p]\narchetype = printer\n[x]\nservices = ssh\nip = 10.20.0.3\n";
    let first = plan(before);
    let options = ResolveOptions { seed: 1, previous: Some(&first) };
    let (again, _) = ini_with(before, &facts(), &options);
    assert_eq!(again.as_ref(), Some(&first), "the same request gives the same plan");

    let mut facts = facts();
    facts.in_use = first.deckies.iter().map(|decky| decky.address).collect();
    let (second, _) = ini_with(after, &facts, &options);
    let second = second.unwrap();
    for old in &first.deckies {
        let new = second.decky(&old.name).unwrap();
        if old.address.to_string() == "10.20.0.3" {
            assert_ne!(new.address, old.address, "the user gave it to another");
        } else {
            assert_eq!(new.address, old.address, "{}", old.name);
        }
        assert_eq!((new.mac, &new.distro, &new.services), (old.mac, &old.distro, &old.services));
        assert_eq!(new.identity, old.identity);
    }
    let other_seed = Plan { seed: 9, ..first.clone() };
    let (fresh, _) = ini_with(before, &facts, &ResolveOptions { seed: 1, previous: Some(&other_seed) });
    assert_ne!(
        fresh.unwrap().deckies[0].address,
        first.deckies[0].address,
        "another fleet's plan says nothing"
    );
}

#[test]
fn another_role_keeps_the_address_and_no_more() {
    let first = plan("[a]\nservices = ssh\n[b]\nservices = ssh\n");
    let options = ResolveOptions { seed: 1, previous: Some(&first) };
    let (second, _) = ini_with("[b]\narchetype = printer\n", &facts(), &options);
    let (old, new) = (first.decky("b").unwrap(), &second.unwrap().deckies[0]);
    assert_eq!(new.address, old.address);
    assert_eq!(new.identity.seed, old.identity.seed);
    assert_ne!(new.mac, old.mac, "no printer has the card of a server");
    assert_ne!(new.identity.names.hostname, old.identity.names.hostname);
}

#[test]
fn custom_services_are_services() {
    let plan = plan(
        "[custom-scada]\nbinary = registry.lan/scada:2\nexec = /run --name \"a b\"\nports = 9999, 9998/udp\n\
         [a]\nservices = scada, ssh\n",
    );
    assert_eq!(plan.custom_services[0].exec, ["/run", "--name", "a b"]);
    let service = plan.decky("a").unwrap().service("scada").unwrap();
    assert!(service.custom && service.ports.len() == 2);
    assert!(!plan.decky("a").unwrap().service("ssh").unwrap().custom);
}

#[test]
fn two_hundred_deckies_look_different() {
    let plan =
        fleet(FleetFlags { deckies: "200".into(), randomize_services: true, ..FleetFlags::default() }, 11);
    let count = |of: fn(&Decky) -> String| plan.deckies.iter().map(of).collect::<BTreeSet<_>>().len();
    assert_eq!(count(|decky| decky.identity.names.hostname.to_lowercase()), 200);
    assert_eq!(count(|decky| decky.identity.names.netbios.clone()), 200);
    assert_eq!(count(|decky| decky.identity.hardware.serial.clone()), 200);
    assert_eq!(count(|decky| decky.identity.times.installed.to_string()), 200);
    assert!(count(|decky| format!("{:02x?}", decky.mac.oui())) > 30);
    assert!(count(|decky| decky.identity.os.kernel.clone()) > 30);
    for decky in &plan.deckies {
        assert!(!decky.mac.is_multicast());
        assert!(!decky.mac.is_local() || decky.mac.oui() == [0x52, 0x54, 0]);
        assert!(decky.identity.times.clock_offset_ms.abs() < 2000);
        let json = serde_json::to_string(&decky.identity).unwrap();
        assert!(!json.contains("decky") && !json.contains("decnet"), "{json}");
        assert!(!decky.identity.names.netbios.is_empty() && decky.identity.names.netbios.len() <= 15);
    }
}

#[test]
fn every_service_has_a_product_on_every_family() {
    for family in OsFamily::ALL {
        for service in &support::SERVICES {
            let (plan, _) = ini(&format!("[a]\nservices = {}\nnmap_os = {family}\n", service.slug));
            let plan = plan.unwrap();
            let product = plan.deckies[0].identity.product(service.slug);
            assert!(
                product.is_some_and(|product| !product.name.is_empty() && !product.version.contains('{'))
            );
        }
    }
}

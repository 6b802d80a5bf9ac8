//! The trees of every profile: order, types, coherence with the identity, bounds.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use decnet_core::identity::OsFamily;
use decnet_core::plan::Decky;
use decnet_core::service::PersonaValues;

use super::live::Moment;
use super::{Tree, build};
use crate::asn1::{LengthForm, Oid};
use crate::snmp::agent::{Agent, Asker, Written};
use crate::snmp::codec::{Binding, Pdu, PduKind};
use crate::snmp::persona::{Persona, Profile};
use crate::snmp::stats::Stats;
use crate::snmp::value::Value;
use crate::testing::{decky, identity};

/// A decky of each profile.
pub(crate) fn deckies(seed: u64) -> Vec<(Profile, Decky)> {
    let net_snmp: &[(&str, &str, &str, &str)] = &[
        ("snmp", "net-snmp", "5.9.3", ""),
        ("ssh", "openssh", "9.2p1", "Debian-2+deb12u6"),
        ("http", "apache", "2.4.62", "Debian"),
    ];
    let make = |family,
                products: &[(&str, &str, &str, &str)],
                device: &str,
                row: &str,
                vendor: &str,
                model: &str| {
        let mut who = identity(family, seed, products);
        if !row.is_empty() {
            who.os.row = row.to_owned();
        }
        if !vendor.is_empty() {
            who.hardware.vendor = vendor.to_owned();
            who.hardware.model = model.to_owned();
        }
        let values: &[(&str, &str)] = if device.is_empty() { &[] } else { &[("device", device)] };
        let values: Vec<(&str, &str)> = values.to_vec();
        decky(who, seed, &[("snmp", &values), ("ssh", &[]), ("http", &[])])
    };
    vec![
        (Profile::NetSnmp, make(OsFamily::Linux, net_snmp, "", "", "", "")),
        (Profile::Bsnmpd, make(OsFamily::Bsd, &[("snmp", "bsnmpd", "1.14", "")], "", "", "", "")),
        (
            Profile::Windows,
            make(
                OsFamily::Windows,
                &[("snmp", "windows-snmp", "-", "")],
                "",
                "windows-server-2019",
                "VMware, Inc.",
                "VMware7,1",
            ),
        ),
        (
            Profile::Brother,
            make(
                OsFamily::Embedded,
                &[("snmp", "brother-nc", "8200h", "")],
                "",
                "brother-hl",
                "Brother",
                "HL-L2350DW series",
            ),
        ),
        (
            Profile::HpPrinter,
            make(
                OsFamily::Embedded,
                &[("snmp", "jetdirect", "-", "")],
                "",
                "hp-jetdirect",
                "HP",
                "LaserJet P4015",
            ),
        ),
        (
            Profile::Siemens,
            make(
                OsFamily::Embedded,
                &[("snmp", "siemens-snmp", "-", "")],
                "",
                "siemens-s7-1200",
                "Siemens AG",
                "6ES7 214-1AG40-0XB0",
            ),
        ),
        (
            Profile::Schneider,
            make(
                OsFamily::Embedded,
                &[("snmp", "schneider-snmp", "-", "")],
                "",
                "schneider-m340",
                "Schneider Electric",
                "BMX P34 2020",
            ),
        ),
        (
            Profile::CiscoRouter,
            make(
                OsFamily::Cisco,
                &[("snmp", "cisco-ios", "15.2(4)M7", "")],
                "",
                "ios-router",
                "Cisco",
                "CISCO2911/K9",
            ),
        ),
        (Profile::CiscoSwitch, make(OsFamily::Cisco, &[], "switch", "", "Cisco", "WS-C2960-24TT-L")),
        (Profile::Ups, make(OsFamily::Embedded, &[], "ups", "", "APC", "Smart-UPS 1500")),
    ]
}

fn persona(decky: &Decky) -> Persona {
    let values: PersonaValues =
        decky.service("snmp").map(|service| service.persona.clone()).unwrap_or_default();
    Persona::new(decky, &values).unwrap()
}

fn moment(uptime_seconds: i64) -> Moment {
    Moment {
        now: 1_795_176_000_000_000 + uptime_seconds * 1_000_000,
        uptime: uptime_seconds * 1_000_000,
        agent_uptime: uptime_seconds * 1_000_000,
        utc_offset: 60,
        boots: 3,
        stats: Stats::default(),
    }
}

fn walk(tree: &Tree, moment: &Moment, v1: bool) -> Vec<Binding> {
    let mut written = Written::new();
    let mut agent = Agent { tree, written: &mut written, moment, form: LengthForm::Shortest, room: 1400 };
    let mut at = Oid::new(&[0, 0]);
    let mut all = Vec::new();
    loop {
        let request = Pdu {
            kind: PduKind::GetNext,
            request_id: 1,
            error_status: 0,
            error_index: 0,
            bindings: vec![Binding { name: at.clone(), value: Value::Null }],
        };
        let answer = agent.answer(Asker { v1, write: false }, &request).unwrap().pdu;
        let found = answer.bindings[0].clone();
        if answer.error_status != 0 || found.value.is_exception() {
            return all;
        }
        assert!(found.name > at, "{:?} does not come after {at:?}", found.name);
        at = found.name.clone();
        all.push(found);
    }
}

#[test]
fn every_tree_is_walked_from_one_end_to_the_other() {
    for (profile, decky) in deckies(4) {
        let persona = persona(&decky);
        assert_eq!(persona.profile, profile);
        let began = Instant::now();
        let tree = build(&decky, &persona);
        let took = began.elapsed();
        let all = walk(&tree, &moment(86_400), false);
        assert_eq!(all.len(), tree.len());
        println!("{profile:?}: {} objects, built in {took:?}", all.len());
        assert!((150..6_000).contains(&all.len()), "{profile:?}: {} objects", all.len());
        // Each instance of a table or scalar lies in an object that is known to exist.
        for found in &all {
            assert!(!found.value.is_exception() && !matches!(found.value, Value::Null | Value::Unknown(..)));
            let loose = found.name.is_below(&[1, 3, 6, 1, 2, 1, 88])
                || found.name.is_below(&[1, 3, 6, 1, 2, 1, 92])
                || found.name.is_below(&[1, 3, 6, 1, 4, 1, 8072])
                || found.name.is_below(&[1, 3, 6, 1, 6, 3, 12]);
            let beside = Oid::new(&[found.name.arcs(), &[77, 77]].concat());
            assert!(
                loose || tree.exception(&beside) == Value::NoSuchInstance,
                "{profile:?}: {:?}",
                found.name
            );
        }
        let v1 = walk(&tree, &moment(86_400), true);
        assert!(v1.iter().all(|found| !matches!(found.value, Value::Counter64(_))));
        let wide = all.iter().filter(|found| matches!(found.value, Value::Counter64(_))).count();
        assert_eq!(v1.len() + wide, all.len());
        let mut seen = HashSet::new();
        assert!(tree.nodes().iter().all(|node| seen.insert(node.name.clone())));
    }
}

#[test]
fn counters_only_grow_and_types_stay() {
    for (profile, decky) in deckies(9) {
        let tree = build(&decky, &persona(&decky));
        let mut last: Vec<Binding> = walk(&tree, &moment(1), false);
        for seconds in [2, 30, 3_600, 86_400, 86_401] {
            let now = walk(&tree, &moment(seconds), false);
            assert_eq!(now.len(), last.len());
            for (before, after) in last.iter().zip(&now) {
                assert!(before.value.same_type(&after.value), "{profile:?}: {:?}", after.name);
                if let (Value::Counter64(before), Value::Counter64(value)) = (&before.value, &after.value)
                    && !after.name.is_below(&[1, 3, 6, 1, 4, 1, 2021, 4])
                {
                    assert!(value >= before, "{profile:?}: {:?} went back", after.name);
                }
            }
            last = now;
        }
        let octets = |at: i64| {
            let all = walk(&tree, &moment(at), false);
            all.into_iter()
                .filter(|found| found.name.is_below(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 10]))
                .map(|found| found.value)
                .collect::<Vec<_>>()
        };
        assert_ne!(octets(1_000), octets(1_060), "{profile:?}: the interfaces stand still");
    }
}

#[test]
fn what_is_shown_is_the_decky() {
    for (profile, decky) in deckies(5) {
        let tree = build(&decky, &persona(&decky));
        let all = walk(&tree, &moment(9_000), false);
        let below = |root: &[u32]| -> Vec<Value> {
            all.iter().filter(|found| found.name.is_below(root)).map(|found| found.value.clone()).collect()
        };
        let mac = Value::Octets(decky.mac.octets().to_vec());
        assert!(
            below(&[1, 3, 6, 1, 2, 1, 2, 2, 1, 6]).contains(&mac),
            "{profile:?}: no interface has the MAC"
        );
        let address = Value::IpAddress(decky.address.octets().to_vec());
        assert!(below(&[1, 3, 6, 1, 2, 1, 4, 20, 1, 1]).contains(&address));
        // Open to the network is what the decky answers on, and nothing else.
        let ports = |root: &[u32], place: usize| -> BTreeSet<u32> {
            all.iter()
                .filter_map(|found| found.name.arcs().strip_prefix(root))
                .filter(|index| index[0] == 0)
                .map(|index| index[place])
                .collect()
        };
        assert_eq!(ports(&[1, 3, 6, 1, 2, 1, 6, 13, 1, 1], 4), BTreeSet::from([22, 80, 443]), "{profile:?}");
        assert_eq!(ports(&[1, 3, 6, 1, 2, 1, 7, 5, 1, 1], 4), BTreeSet::from([161]), "{profile:?}");
        let shown: Vec<String> = all.iter().map(|found| found.value.describe()).collect();
        for tell in
            ["decnet", "decky", "Venus", "CP 443-1 EX40", "S7-200", "Mouser", "Technodrome", "@localhost"]
        {
            let low = tell.to_lowercase();
            let found = shown.iter().find(|text| text.to_lowercase().contains(&low));
            assert_eq!(found, None, "{profile:?} shows `{tell}`");
        }
    }
}

#[test]
fn two_deckies_share_no_value_that_looks_drawn() {
    for ((profile, first), (_, second)) in deckies(11).into_iter().zip(deckies(12)) {
        let (one, other) = (persona(&first), persona(&second));
        assert_ne!(one.engine_id, other.engine_id, "{profile:?}");
        let values = |decky: &Decky, persona: &Persona| -> Vec<(Oid, Value)> {
            walk(&build(decky, persona), &moment(500_000), false)
                .into_iter()
                .map(|found| (found.name, found.value))
                .collect()
        };
        let one: HashSet<String> = values(&first, &one).into_iter().filter_map(large).collect();
        let other: HashSet<String> = values(&second, &other).into_iter().filter_map(large).collect();
        let shared: Vec<&String> = one.intersection(&other).collect();
        assert!(shared.is_empty(), "{profile:?}: {shared:?}");
    }
}

/// Counters that moved: two machines with the same number on one would be one machine.
fn large((name, value): (Oid, Value)) -> Option<String> {
    match value {
        Value::Counter32(number) if number > 100_000 => Some(format!("{name} {number}")),
        Value::Counter64(number) if number > 100_000 && !name.is_below(&[1, 3, 6, 1, 4, 1, 2021, 4]) => {
            Some(format!("{name} {number}"))
        }
        _ => None,
    }
}

#[test]
fn memory_adds_up() {
    let (_, decky) = deckies(3).remove(0);
    let tree = build(&decky, &persona(&decky));
    let now = moment(777_777);
    let number = |text: &str| match tree.get(&text.parse().unwrap()).unwrap().value(&now) {
        Value::Integer(number) => i64::from(number),
        other => panic!("{text}: {other:?}"),
    };
    let total = number("1.3.6.1.4.1.2021.4.5.0");
    let free = number("1.3.6.1.4.1.2021.4.6.0");
    assert_eq!(number("1.3.6.1.2.1.25.2.2.0"), total);
    assert!((total - free - number("1.3.6.1.2.1.25.2.3.1.6.1")).abs() <= 2);
    assert!(free > 0 && free < total);
}

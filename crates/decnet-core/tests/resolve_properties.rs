//! What holds for every request.
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail the test")]

mod support;

use std::collections::HashSet;

use decnet_core::diagnostic::{Level, has_errors};
use decnet_core::request::{FleetFlags, Group, Request};
use decnet_core::{HostFacts, Origin, Plan, ResolveOptions, Spanned, resolve};
use proptest::prelude::*;
use support::{SERVICES, catalogue, facts};

fn text(value: impl Into<String>) -> Spanned<String> {
    Spanned::new(value.into(), Origin::Program)
}

/// A word of a list, or now and then something that is none.
fn word(list: Vec<String>) -> impl Strategy<Value = String> {
    prop_oneof![30 => prop::sample::select(list), 1 => "[a-z]{0,6}"]
}

fn list(words: Vec<String>) -> impl Strategy<Value = String> {
    prop::collection::vec(word(words), 1..4).prop_map(|words| words.join(", "))
}

fn group() -> impl Strategy<Value = Group> {
    let catalogue = catalogue();
    let services = SERVICES.iter().map(|service| service.slug.to_owned()).collect();
    let archetypes = catalogue.archetypes().iter().map(|one| one.slug.clone()).collect();
    let distros = catalogue.distros().iter().map(|one| one.slug.clone()).collect();
    let systems: Vec<String> = catalogue.personas().map(|one| one.slug.clone()).collect();
    let systems =
        systems.into_iter().chain(catalogue.families().iter().map(|one| one.slug.to_string())).collect();
    (
        "[a-d]{1,2}",
        prop::option::weighted(0.4, list(services)),
        prop::option::weighted(0.4, word(archetypes)),
        prop::option::weighted(0.3, word(systems)),
        prop::option::weighted(
            0.6,
            prop_oneof![20 => (1usize..40).prop_map(|n| n.to_string()), 1 => (40usize..140).prop_map(|n| n.to_string()), 1 => "[0-9a-z-]{1,2}"],
        ),
        prop::option::weighted(0.3, list(distros)),
        prop::option::weighted(
            0.2,
            prop_oneof![20 => Just("10.20.0.".to_owned()), 1 => Just("10.2.0.".to_owned())],
        ),
        (
            prop::option::weighted(0.1, "[a-zA-Z0-9-]{1,20}"),
            0u8..255,
            any::<bool>(),
            any::<bool>(),
            any::<bool>(),
        ),
    )
        .prop_map(|(name, services, archetype, nmap_os, amount, distro, ip, rest)| {
            let (hostname, last, random, random_distros, numbered) = rest;
            let single = ip.is_some() || hostname.is_some();
            Group {
                ip: ip.map(|net| text(format!("{net}{last}"))),
                services: services.map(text),
                archetype: archetype.map(text),
                nmap_os: nmap_os.map(text),
                amount: amount.filter(|_| !single).map(text),
                distro: distro.map(text),
                randomize_distros: random_distros.then(|| text("yes")),
                hostname: hostname.map(text),
                randomize_services: Some(text(if random { "yes" } else { "no" })),
                numbered,
                ..Group::new(text(name))
            }
        })
}

fn request() -> impl Strategy<Value = Request> {
    prop::collection::vec(group(), 1..5).prop_map(|groups| Request { groups, ..Request::default() })
}

#[track_caller]
fn once<T: std::hash::Hash + Eq + std::fmt::Debug>(plan: &Plan, of: impl Fn(&decnet_core::Decky) -> T) {
    let mut seen = HashSet::new();
    for decky in &plan.deckies {
        let value = of(decky);
        assert!(!seen.contains(&value), "twice: {value:?}");
        seen.insert(value);
    }
}

fn check(plan: &Plan, facts: &HostFacts) {
    once(plan, |decky| decky.name.to_lowercase());
    once(plan, |decky| decky.address);
    once(plan, |decky| decky.mac);
    once(plan, |decky| decky.identity.names.hostname.to_lowercase());
    once(plan, |decky| decky.identity.names.netbios.clone());
    once(plan, |decky| decky.identity.hardware.serial.clone());
    let subnet = plan.network.subnet;
    for decky in &plan.deckies {
        let address = decky.address;
        assert!(subnet.contains(&address) && address != subnet.network() && address != subnet.broadcast());
        assert!(address != plan.network.gateway && Some(address) != facts.address);
        assert!(!decky.mac.is_multicast() && decky.mac.octets()[..2] != [2, 0x42]);
        assert!(!decky.services.is_empty());
        assert!(decky.services.is_sorted_by(|a, b| a.slug < b.slug));
        let ports: Vec<_> = decky.open_ports().map(|(_, port)| (port.number, port.transport)).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len(), "{ports:?}");
        for service in &decky.services {
            assert!(decky.identity.product(&service.slug).is_some(), "{}", service.slug);
        }
        let identity = &decky.identity;
        assert!(identity.times.clock_offset_ms.abs() < 2000 && identity.times.reboot_period > 0);
        assert!(
            identity.names.netbios.len() <= 15 && identity.names.fqdn == identity.names.fqdn.to_lowercase()
        );
        let persona = catalogue().persona(&decky.os_persona).unwrap();
        assert_eq!(persona.family, identity.os.family);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_request_gives_a_sound_plan_or_errors(request in request(), seed: u64) {
        let facts = facts();
        let (plan, found) = resolve(&request, &facts, &catalogue(), &ResolveOptions::seeded(seed));
        prop_assert_eq!(plan.is_some(), !has_errors(&found));
        let Some(plan) = plan else {
            prop_assert!(found.iter().any(|one| one.level == Level::Error));
            return Ok(());
        };
        check(&plan, &facts);
        let (again, _) = resolve(&request, &facts, &catalogue(), &ResolveOptions::seeded(seed));
        prop_assert_eq!(serde_json::to_vec(&plan).unwrap(), serde_json::to_vec(&again.unwrap()).unwrap());
        let options = ResolveOptions { seed, previous: Some(&plan) };
        let (redeployed, _) = resolve(&request, &facts, &catalogue(), &options);
        prop_assert_eq!(redeployed.as_ref(), Some(&plan));
        let read: Plan = serde_json::from_slice(&serde_json::to_vec(&plan).unwrap()).unwrap();
        prop_assert_eq!(read, plan);
    }

    #[test]
    fn growing_keeps_the_identities_that_there_are(
        mut request in request(),
        seed: u64,
        which: prop::sample::Index,
        more in 1usize..30,
    ) {
        // Groups whose members have a number of their own, so that growing renames none.
        for group in &mut request.groups {
            group.numbered = true;
            (group.ip, group.hostname) = (None, None);
        }
        let facts = facts();
        let (before, _) = resolve(&request, &facts, &catalogue(), &ResolveOptions::seeded(seed));
        let Some(before) = before else { return Ok(()) };
        let at = which.index(request.groups.len());
        let group = &mut request.groups[at];
        let amount: usize = group.amount.as_ref().map_or(1, |amount| amount.value.parse().unwrap());
        group.amount = Some(text((amount + more).to_string()));
        let options = ResolveOptions { seed, previous: Some(&before) };
        let (after, _) = resolve(&request, &facts, &catalogue(), &options);
        let after = after.unwrap();
        for old in &before.deckies {
            let new = after.decky(&old.name).unwrap();
            prop_assert_eq!(new, old);
        }
        // Without the plan before, a fleet of one group keeps them too.
        if request.groups.len() == 1 {
            let (alone, _) = resolve(&request, &facts, &catalogue(), &ResolveOptions::seeded(seed));
            for old in &before.deckies {
                prop_assert_eq!(alone.as_ref().unwrap().decky(&old.name).unwrap(), old);
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(
        fields in prop::collection::vec(prop::option::of("\\PC{0,12}"), 21),
        seed: u64,
    ) {
        let mut fields = fields.into_iter().map(|field| field.map(text));
        let mut next = || fields.next().flatten();
        let mut request = Request::fleet(FleetFlags::default());
        let group = &mut request.groups[0];
        for field in [
            &mut group.ip, &mut group.services, &mut group.archetype, &mut group.nmap_os, &mut group.amount,
            &mut group.distro, &mut group.randomize_distros, &mut group.hostname, &mut group.mac,
            &mut group.randomize_services,
        ] {
            *field = next();
        }
        let general = &mut request.general;
        for field in [
            &mut general.net, &mut general.gw, &mut general.interface, &mut general.log_target,
            &mut general.log_file, &mut general.engine, &mut general.seed, &mut general.domain,
            &mut general.log_rotate_size, &mut general.log_rotate_age, &mut general.log_rotate_keep,
            &mut general.ipvlan, &mut request.ip_start,
        ] {
            *field = next();
        }
        let (plan, found) = resolve(&request, &facts(), &catalogue(), &ResolveOptions::seeded(seed));
        prop_assert_eq!(plan.is_some(), !has_errors(&found));
    }
}

#[test]
fn a_thousand_deckies_are_all_different() {
    let flags = FleetFlags { deckies: "1000".into(), randomize_services: true, ..FleetFlags::default() };
    let facts = facts();
    let (plan, _) = resolve(&Request::fleet(flags), &facts, &catalogue(), &ResolveOptions::seeded(5));
    let plan = plan.unwrap();
    check(&plan, &facts);
    once(&plan, |decky| decky.services.iter().map(|service| service.slug.clone()).collect::<Vec<_>>());
    for archetype in catalogue().archetypes() {
        let flags = FleetFlags {
            deckies: "1000".into(),
            archetype: Some(archetype.slug.clone()),
            ..FleetFlags::default()
        };
        let (plan, _) = resolve(&Request::fleet(flags), &facts, &catalogue(), &ResolveOptions::seeded(5));
        check(&plan.unwrap(), &facts);
    }
}

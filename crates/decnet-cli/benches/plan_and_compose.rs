//! From a config to the compose file of a thousand deckies, with the real services: what a dry run does
//! before it writes.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use criterion::{Criterion, criterion_group, criterion_main};
use decnet_compose::{Idle, Image, Options, Platform, render};
use decnet_core::diagnostic::Source;
use decnet_core::request::{Format, read};
use decnet_core::{Catalogue, HostFacts, Plan, ResolveOptions, resolve};

/// A thousand deckies of all fourteen roles, one section with a persona for each role.
fn config(catalogue: &Catalogue) -> String {
    let archetypes = catalogue.archetypes();
    let mut text = "[general]\nnet = 10.0.0.0/16\ngw = 10.0.0.1\nseed = 7\n".to_owned();
    for (at, archetype) in archetypes.iter().enumerate() {
        let amount = 1000 / archetypes.len() + usize::from(at < 1000 % archetypes.len());
        let slug = &archetype.slug;
        text.push_str(&format!("[{slug}]\narchetype = {slug}\namount = {amount}\n"));
    }
    text.push_str(
        "[linux-server.ssh]\nusers = root:toor, admin:admin\n[web-server.http]\nfake_app = wordpress\n",
    );
    text
}

fn plan(text: &str, catalogue: &Catalogue) -> Plan {
    let (request, found) = read(&Source::new("fleet.ini", text), Format::Ini);
    assert!(found.is_empty());
    resolve(&request, &HostFacts::default(), catalogue, &ResolveOptions::default()).0.unwrap()
}

fn platform(catalogue: &Catalogue) -> Platform {
    let image = |name: &String| Image { image: name.clone(), build_base: name.clone(), idle: Idle::Sleep };
    let images = catalogue.distros().iter().map(|distro| (distro.slug.clone(), image(&distro.image)));
    let sysctls = catalogue.families().iter().map(|family| (family.slug, family.sysctls.clone()));
    Platform { images: images.collect(), sysctls: sysctls.collect(), service_images: Default::default() }
}

fn thousand_deckies(criterion: &mut Criterion) {
    let catalogue = Catalogue::builtin(decnet_services::registry::descriptors());
    let (text, platform, options) = (config(&catalogue), platform(&catalogue), Options::default());
    let planned = plan(&text, &catalogue);
    assert_eq!(planned.deckies.len(), 1000);
    criterion.bench_function("plan 1000 deckies", |bencher| bencher.iter(|| plan(&text, &catalogue)));
    criterion.bench_function("plan and compose 1000 deckies", |bencher| {
        bencher.iter(|| render(&plan(&text, &catalogue), &platform, &options).unwrap());
    });
}

criterion_group!(benches, thousand_deckies);
criterion_main!(benches);

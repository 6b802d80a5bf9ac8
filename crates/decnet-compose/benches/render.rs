//! Rendering a fleet of a thousand deckies with three services each.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, criterion_group, criterion_main};
use decnet_compose::{Options, render};

#[path = "../tests/support/mod.rs"]
mod support;

fn thousand_deckies(criterion: &mut Criterion) {
    let (plan, platform, options) = (support::fleet(1000), support::platform(), Options::default());
    criterion.bench_function("render 1000 deckies", |bencher| {
        bencher.iter(|| render(&plan, &platform, &options));
    });
}

criterion_group!(benches, thousand_deckies);
criterion_main!(benches);

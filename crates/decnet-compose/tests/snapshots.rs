//! Whole fleets as text. A change of these files is a change of every deployment: read the difference.
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]

mod support;

use decnet_compose::{Idle, Image, Options, host_file, render};
use decnet_core::Plan;
use decnet_core::identity::OsFamily;
use decnet_core::plan::Attachment;

fn compose(plan: &Plan) -> String {
    render(plan, &support::platform(), &Options::default()).unwrap().compose
}

#[test]
fn two_deckies() {
    insta::assert_snapshot!(compose(&support::fleet(2)));
}

#[test]
fn every_service_and_one_of_the_users_own() {
    insta::assert_snapshot!(compose(&support::everything()));
}

#[test]
fn ipvlan_without_a_known_interface_or_domain() {
    let mut plan = support::plan(vec![support::decky(0, OsFamily::Linux, "debian", &["redis"])]);
    plan.network.attachment = Attachment::Ipvlan;
    plan.network.interface = None;
    plan.deckies[0].identity.names.domain.clear();
    insta::assert_snapshot!(compose(&plan));
}

#[test]
fn without_distro_images_and_with_a_service_that_brings_its_own() {
    let plan = support::plan(vec![support::decky(0, OsFamily::Linux, "debian", &["ftp", "redis"])]);
    let mut platform = support::platform();
    let image = Image { image: "debian:bookworm-slim".into(), build_base: "scratch".into(), idle: Idle::Own };
    platform.images.insert("debian".into(), image);
    platform.service_images.insert("ftp".into(), "registry.example/ftp:2".into());
    insta::assert_snapshot!(render(&plan, &platform, &Options::default()).unwrap().compose);
}

#[test]
fn nothing() {
    insta::assert_snapshot!(compose(&support::plan(Vec::new())));
}

#[test]
fn what_lies_beside_the_compose_file() {
    let rendered = render(&support::fleet(2), &support::platform(), &Options::default()).unwrap();
    insta::assert_debug_snapshot!((rendered.project, rendered.contexts, rendered.deckies));
}

#[test]
fn what_a_container_is_told() {
    let decky = support::decky(0, OsFamily::Linux, "debian", &["ssh"]);
    insta::assert_snapshot!(host_file(&decky).unwrap());
}

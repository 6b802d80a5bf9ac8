//! Elasticsearch under attack: curl's conversation event by event, and what nmap reads.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod lab_support;

use decnet_core::service::Transport;
use decnet_logging::event::Body;
use lab_support::{TestLab, assert_sound, of};

const NMAP: (&str, &str) = ("nmap", "nmap");
const CURL: (&str, &str) = ("curl", "curl");

#[test]
fn nmap_names_the_release_and_a_wipe_is_told() {
    let Some(lab) = TestLab::build(&[NMAP, CURL]) else { return };
    let plan = lab
        .deploy_config(
            "
[general]
net = 198.51.100.0/24
interface = eth0
engine = native
seed = 5

[search]
distro = debian
services = elasticsearch
[search.elasticsearch]
es_version = 6.8.23
cluster_name = lab-es
",
        )
        .plan;
    let decky = &plan.deckies[0];
    let address = decky.address.to_string();
    // nmap 7.93 knows the answers of releases without X-elastic-product.
    let hosts = lab.nmap(120, &["-sV", "--version-all", "-sC", "-p", "9200", &address]);
    let port = hosts[0].port(Transport::Tcp, 9200);
    assert_eq!(port.product.as_deref(), Some("Elasticsearch REST API"), "{port:#?}");
    assert_eq!(port.version.as_deref(), Some("6.8.23"), "{port:#?}");

    let curl = |arguments: &[&str]| {
        let mut all = vec!["-s", "--max-time", "10"];
        all.extend(arguments);
        let said = lab.attack_for(20, "curl", &all);
        assert!(said.status.success(), "{said:?}");
        said.out
    };
    let url = |path: &str| format!("http://{address}:9200{path}");
    assert!(curl(&[&url("/_cat/indices?v")]).starts_with("health status index "));
    assert_eq!(curl(&["-X", "DELETE", &url("/_all")]), "{\"acknowledged\":true}");
    assert_eq!(curl(&[&url("/_cat/indices")]), "", "what was wiped stays so in the next conversation");

    let events = lab.finish();
    assert_sound(&events, lab.attacker());
    let told = of(&events, decky, "elasticsearch");
    assert!(told.iter().any(|event| {
        matches!(&event.report.body, Body::StateChanged { object, new, .. } if object.starts_with("index ") && new == "deleted")
    }));
}

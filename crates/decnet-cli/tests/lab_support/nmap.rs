//! nmap's XML report, as far as the tests read it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use decnet_core::MacAddress;
use decnet_core::service::Transport;
use roxmltree::{Document, Node};

use super::{Said, TestLab};

/// A host that is up.
#[derive(Debug, Clone)]
pub struct Host {
    pub address: Ipv4Addr,
    pub mac: Option<MacAddress>,
    pub vendor: Option<String>,
    /// Ports that nmap tells of one by one.
    pub ports: Vec<Port>,
    /// Ports that it only counts, by state.
    pub others: BTreeMap<String, usize>,
    /// Scripts that ran for the host.
    pub scripts: BTreeMap<String, String>,
}

/// A port that nmap tells of.
#[derive(Debug, Clone)]
pub struct Port {
    pub transport: Transport,
    pub number: u16,
    pub state: String,
    pub service: String,
    pub tunnel: Option<String>,
    pub product: Option<String>,
    pub version: Option<String>,
    pub extra: Option<String>,
    /// The host name that the service told.
    pub hostname: Option<String>,
    pub device: Option<String>,
    /// What nmap asks to be sent of a service that it does not recognise.
    pub unrecognized: Option<String>,
    /// Scripts that ran for the port.
    pub scripts: BTreeMap<String, String>,
}

impl Host {
    /// The open ports, sorted.
    pub fn open(&self) -> Vec<(Transport, u16)> {
        let mut open: Vec<_> = self
            .ports
            .iter()
            .filter(|port| port.state == "open")
            .map(|port| (port.transport, port.number))
            .collect();
        open.sort_unstable();
        open
    }

    /// How many ports are in a state, told or counted.
    pub fn count(&self, state: &str) -> usize {
        let told = self.ports.iter().filter(|port| port.state == state).count();
        told + self.others.get(state).copied().unwrap_or(0)
    }

    /// A port that nmap told of.
    pub fn port(&self, transport: Transport, number: u16) -> &Port {
        self.ports
            .iter()
            .find(|port| port.transport == transport && port.number == number)
            .unwrap_or_else(|| panic!("{transport} {number} of {} is not told: {self:?}", self.address))
    }
}

impl Port {
    /// A script's result; the test fails where the script told nothing.
    pub fn script(&self, name: &str) -> &str {
        self.scripts
            .get(name)
            .unwrap_or_else(|| panic!("{name} told nothing of port {}: {self:?}", self.number))
    }
}

impl TestLab {
    /// Scans as the attacker, within so many seconds; returns the hosts that are up, by address.
    pub fn nmap(&self, seconds: u64, arguments: &[&str]) -> Vec<Host> {
        let mut all = vec!["-n", "-oX", "-"];
        all.extend(arguments);
        let said = self.attack_for(seconds, "nmap", &all);
        assert!(said.status.success(), "{said:?}");
        hosts(&said)
    }
}

fn hosts(said: &Said) -> Vec<Host> {
    // nmap names a style sheet in a document type declaration.
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = Document::parse_with_options(&said.out, options).unwrap();
    let mut hosts: Vec<Host> = document
        .descendants()
        .filter(|node| node.has_tag_name("host"))
        .filter(|node| child(*node, "status").and_then(|status| status.attribute("state")) == Some("up"))
        .map(host)
        .collect();
    hosts.sort_by_key(|host| host.address);
    hosts
}

fn host(node: Node<'_, '_>) -> Host {
    let address = |kind: &str| {
        node.children().find(|one| one.has_tag_name("address") && one.attribute("addrtype") == Some(kind))
    };
    let ports = child(node, "ports");
    let below = |name: &'static str| {
        ports.into_iter().flat_map(move |ports| ports.children().filter(move |one| one.has_tag_name(name)))
    };
    Host {
        address: address("ipv4").and_then(|one| one.attribute("addr")).unwrap().parse().unwrap(),
        mac: address("mac")
            .and_then(|one| one.attribute("addr"))
            .map(|mac| mac.to_lowercase().parse().unwrap()),
        vendor: address("mac").and_then(|one| one.attribute("vendor")).map(str::to_owned),
        ports: below("port").map(port).collect(),
        others: below("extraports")
            .map(|one| (text(one, "state").unwrap(), text(one, "count").unwrap().parse().unwrap()))
            .collect(),
        scripts: child(node, "hostscript").map(scripts).unwrap_or_default(),
    }
}

fn port(node: Node<'_, '_>) -> Port {
    let service = child(node, "service");
    let told = |name: &str| service.and_then(|service| text(service, name));
    Port {
        transport: match node.attribute("protocol") {
            Some("udp") => Transport::Udp,
            _ => Transport::Tcp,
        },
        number: node.attribute("portid").unwrap().parse().unwrap(),
        state: child(node, "state").and_then(|state| text(state, "state")).unwrap(),
        service: told("name").unwrap_or_default(),
        tunnel: told("tunnel"),
        product: told("product"),
        version: told("version"),
        extra: told("extrainfo"),
        hostname: told("hostname"),
        device: told("devicetype"),
        unrecognized: told("servicefp"),
        scripts: scripts(node),
    }
}

fn scripts(node: Node<'_, '_>) -> BTreeMap<String, String> {
    node.children()
        .filter(|one| one.has_tag_name("script"))
        .filter_map(|one| Some((text(one, "id")?, text(one, "output")?)))
        .collect()
}

fn child<'a, 'input>(node: Node<'a, 'input>, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|one| one.has_tag_name(name))
}

fn text(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.attribute(name).map(str::to_owned)
}

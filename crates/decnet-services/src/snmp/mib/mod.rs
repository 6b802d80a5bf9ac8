//! The management information base of a decky: one file per subtree, put together from its identity.

mod cisco;
mod facts;
mod host;
mod interfaces;
mod ip;
pub(crate) mod live;
mod net_snmp;
mod plc;
mod printer;
mod processes;
mod system;
#[cfg(test)]
mod tests;
mod transport;
mod ucd;
mod ups;
mod windows;

use decnet_core::plan::Decky;

use facts::Machine;
use live::{Live, Moment};

use super::persona::{Persona, Profile};

use super::value::Value;
use crate::asn1::Oid;

/// The tree of a decky's persona.
pub(crate) fn build(decky: &Decky, persona: &Persona) -> Tree {
    let machine = Machine::new(decky, persona);
    let mut builder = Builder::default();
    system::system(&mut builder, &machine);
    system::snmp(&mut builder, &machine);
    interfaces::interfaces(&mut builder, &machine);
    ip::ip_group(&mut builder, &machine);
    ip::icmp(&mut builder, &machine);
    transport::tcp(&mut builder, &machine);
    transport::udp(&mut builder, &machine);
    match persona.profile {
        Profile::NetSnmp => {
            host::host(&mut builder, &machine);
            ucd::ucd(&mut builder, &machine);
            net_snmp::net_snmp(&mut builder, &machine);
        }
        Profile::Bsnmpd => host::host(&mut builder, &machine),
        Profile::Windows => {
            host::host(&mut builder, &machine);
            windows::lan_manager(&mut builder, &machine);
        }
        Profile::Brother | Profile::HpPrinter => printer::printer(&mut builder, &machine),
        Profile::Siemens | Profile::Schneider => plc::plc(&mut builder, &machine),
        Profile::CiscoRouter | Profile::CiscoSwitch => cisco::cisco(&mut builder, &machine),
        Profile::Ups => ups::ups(&mut builder, &machine),
    }
    builder.finish()
}

/// What may be written to an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// A string of at most so many bytes.
    Text(usize),
    /// One of these numbers.
    OneOf(&'static [i32]),
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    /// Always the same.
    Fixed(Value),
    /// Computed when asked.
    Live(Live),
}

/// An instance of an object.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: Oid,
    /// Its value, until somebody wrote another.
    pub(crate) source: Source,
    /// What may be written.
    pub(crate) rule: Option<Rule>,
}

/// An object that exists, with or without instances: it tells noSuchInstance from noSuchObject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    /// A scalar, or the entry of a table.
    root: Oid,
    /// The first and the last column of a table; `None` for a scalar.
    columns: Option<(u32, u32)>,
}

/// A finished tree: sorted, without doubles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    objects: Vec<Object>,
    writable_areas: Vec<Oid>,
}

impl Tree {
    /// How many instances there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All instances, in order.
    #[cfg(test)]
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The instance of that name.
    pub(crate) fn get(&self, name: &Oid) -> Option<&Node> {
        self.nodes.binary_search_by(|node| node.name.cmp(name)).ok().and_then(|at| self.nodes.get(at))
    }

    /// The first instance behind that name.
    pub(crate) fn next(&self, name: &Oid) -> Option<&Node> {
        self.nodes.get(self.nodes.partition_point(|node| node.name <= *name))
    }

    /// The exception for a name that has no instance.
    pub(crate) fn exception(&self, name: &Oid) -> Value {
        if self.object_of(name).is_some() { Value::NoSuchInstance } else { Value::NoSuchObject }
    }

    /// Whether an instance of that name could be there.
    fn object_of(&self, name: &Oid) -> Option<&Object> {
        // Objects do not lie within each other, so only the last one at or before the name can hold it.
        let at = self.objects.partition_point(|object| object.root <= *name);
        let object = self.objects.get(at.checked_sub(1)?)?;
        let below = name.arcs().strip_prefix(object.root.arcs())?;
        match object.columns {
            None => Some(object),
            Some((first, last)) => {
                below.first().filter(|column| (first..=last).contains(column)).map(|_| object)
            }
        }
    }

    /// Whether the name is another instance of a scalar that may be written.
    pub(crate) fn is_beside_writable(&self, name: &Oid) -> bool {
        self.object_of(name).is_some_and(|object| {
            object.columns.is_none()
                && self.get(&object.root.with(&[0])).is_some_and(|node| node.rule.is_some())
        })
    }

    /// Whether rows may be created there.
    pub(crate) fn in_writable_area(&self, name: &Oid) -> bool {
        self.writable_areas.iter().any(|area| name.is_below(area.arcs()))
    }
}

impl Node {
    /// The value at that moment.
    pub(crate) fn value(&self, moment: &Moment) -> Value {
        match &self.source {
            Source::Fixed(value) => value.clone(),
            Source::Live(live) => live.value(moment),
        }
    }
}

/// Collects the subtrees of a decky.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    objects: Vec<Object>,
    writable_areas: Vec<Oid>,
}

impl Builder {
    /// A scalar: the instance 0 of `object`.
    pub(crate) fn scalar(&mut self, object: &[u32], value: impl Into<Source>) {
        self.declare_scalar(object);
        self.node(Oid::new(object).with(&[0]), value.into(), None);
    }

    /// A scalar that a manager may write.
    pub(crate) fn writable(&mut self, object: &[u32], value: impl Into<Source>, rule: Rule) {
        self.declare_scalar(object);
        self.node(Oid::new(object).with(&[0]), value.into(), Some(rule));
    }

    /// Scalars with one source each, numbered under `group` from `first` on.
    pub(crate) fn scalars(&mut self, group: &[u32], first: u32, values: impl IntoIterator<Item = Source>) {
        for (number, value) in (first..).zip(values) {
            self.scalar(&[group, &[number]].concat(), value);
        }
    }

    /// A scalar that exists and has no instance now.
    pub(crate) fn declare_scalar(&mut self, object: &[u32]) {
        self.objects.push(Object { root: Oid::new(object), columns: None });
    }

    /// A table: `entry` is the table's number and 1, `columns` the first and the last column.
    pub(crate) fn table(&mut self, entry: &[u32], columns: (u32, u32)) -> TableBuilder<'_> {
        let entry = Oid::new(entry);
        self.objects.push(Object { root: entry.clone(), columns: Some(columns) });
        TableBuilder { builder: self, entry }
    }

    /// An area in which managers create rows.
    pub(crate) fn writable_area(&mut self, root: &[u32]) {
        self.writable_areas.push(Oid::new(root));
    }

    /// One instance by its full name.
    pub(crate) fn instance(&mut self, name: Oid, value: impl Into<Source>) {
        self.node(name, value.into(), None);
    }

    fn node(&mut self, name: Oid, source: Source, rule: Option<Rule>) {
        self.nodes.push(Node { name, source, rule });
    }

    /// Sorts; of two instances of one name, the one that was added first stays.
    pub(crate) fn finish(mut self) -> Tree {
        self.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        self.nodes.dedup_by(|later, earlier| later.name == earlier.name);
        self.nodes.shrink_to_fit();
        self.objects.sort();
        self.objects.dedup_by(|later, earlier| later.root == earlier.root);
        self.objects.shrink_to_fit();
        Tree { nodes: self.nodes, objects: self.objects, writable_areas: self.writable_areas }
    }
}

/// Fills one table.
pub(crate) struct TableBuilder<'a> {
    builder: &'a mut Builder,
    entry: Oid,
}

impl TableBuilder<'_> {
    /// One cell.
    pub(crate) fn cell(&mut self, column: u32, index: &[u32], value: impl Into<Source>) -> &mut Self {
        let name = self.entry.with(&[&[column], index].concat());
        self.builder.node(name, value.into(), None);
        self
    }

    /// A row: columns and their values.
    pub(crate) fn row(&mut self, index: &[u32], cells: impl IntoIterator<Item = (u32, Source)>) -> &mut Self {
        for (column, value) in cells {
            self.cell(column, index, value);
        }
        self
    }
}

impl From<Value> for Source {
    fn from(value: Value) -> Source {
        Source::Fixed(value)
    }
}

impl From<Live> for Source {
    fn from(live: Live) -> Source {
        Source::Live(live)
    }
}

/// Short forms for the tables of this folder.
pub(crate) mod short {
    use super::{Live, Source, Value};
    use crate::snmp::mib::live::Flow;

    pub(crate) fn int(number: impl TryInto<i32>) -> Source {
        Value::Integer(number.try_into().unwrap_or(i32::MAX)).into()
    }

    pub(crate) fn gauge(number: impl TryInto<u32>) -> Source {
        Value::Gauge32(number.try_into().unwrap_or(u32::MAX)).into()
    }

    pub(crate) fn counter(number: u32) -> Source {
        Value::Counter32(number).into()
    }

    pub(crate) fn ticks(number: u32) -> Source {
        Value::TimeTicks(number).into()
    }

    pub(crate) fn text(text: impl AsRef<str>) -> Source {
        Value::text(text).into()
    }

    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Source {
        Value::bytes(bytes).into()
    }

    pub(crate) fn oid(arcs: &[u32]) -> Source {
        Value::oid(arcs).into()
    }

    /// 0.0, which stands for "none".
    pub(crate) fn no_oid() -> Source {
        Value::oid(&[0, 0]).into()
    }

    pub(crate) fn ip(address: std::net::Ipv4Addr) -> Source {
        Value::IpAddress(address.octets().to_vec()).into()
    }

    pub(crate) fn grows(flow: Flow) -> Source {
        Live::Count32(flow).into()
    }

    pub(crate) fn grows_wide(flow: Flow) -> Source {
        Live::Count64(flow).into()
    }

    /// The numbers of an address, for an index.
    pub(crate) fn arcs(address: std::net::Ipv4Addr) -> [u32; 4] {
        address.octets().map(u32::from)
    }

    /// A string as an index: its length and its bytes.
    pub(crate) fn string_index(text: &str) -> Vec<u32> {
        let mut index = vec![text.len() as u32];
        index.extend(text.bytes().map(u32::from));
        index
    }
}

//! Which keys a section may hold, what each accepts, and the field that it fills.

use super::{CustomSection, General, Group, Text};

/// What a key accepts in TOML. In INI every value is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts {
    /// A string.
    Text,
    /// A string or an integer.
    Integer,
    /// A string or a boolean.
    Boolean,
    /// A comma list in a string, or an array.
    List,
    /// An integer, a comma list in a string, or an array of integers and strings.
    Ports,
    /// A command line in a string, or an array of its words.
    Command,
    /// Persona values: a string, a number, a boolean, or an array of them.
    Any,
}

impl Accepts {
    /// The kinds in words.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Accepts::Text => "text in quotes",
            Accepts::Integer => "a whole number",
            Accepts::Boolean => "true or false",
            Accepts::List => "text or a list of texts",
            Accepts::Ports => "a port, or a list of ports",
            Accepts::Command => "text, or a list of words",
            Accepts::Any => "text, a number, true or false, or a list of them",
        }
    }
}

/// A key of a section that fills a `T`.
pub(super) struct Key<T> {
    /// As written.
    pub(super) name: &'static str,
    /// Words that people write for it; they are suggested, never taken.
    pub(super) instead_of: &'static [&'static str],
    /// What it accepts.
    pub(super) accepts: Accepts,
    /// Whether it may be empty.
    pub(super) may_be_empty: bool,
    /// Where it goes.
    pub(super) field: fn(&mut T) -> &mut Option<Text>,
}

impl<T> Key<T> {
    const fn new(
        name: &'static str,
        instead_of: &'static [&'static str],
        accepts: Accepts,
        field: fn(&mut T) -> &mut Option<Text>,
    ) -> Self {
        Key { name, instead_of, accepts, may_be_empty: false, field }
    }
}

/// The keys of `[general]`.
pub(super) static GENERAL: [Key<General>; 13] = [
    Key::new("net", &["subnet", "network", "cidr", "lan"], Accepts::Text, |to| &mut to.net),
    Key::new("gw", &["gateway", "router"], Accepts::Text, |to| &mut to.gw),
    Key::new("interface", &["nic", "iface", "device"], Accepts::Text, |to| &mut to.interface),
    Key::new("log_target", &["syslog", "log_server", "log_targets"], Accepts::List, |to| &mut to.log_target),
    Key::new("log_file", &["log", "log_files"], Accepts::List, |to| &mut to.log_file),
    Key::new("log_rotate_size", &["log_size"], Accepts::Integer, |to| &mut to.log_rotate_size),
    Key::new("log_rotate_age", &["log_age"], Accepts::Text, |to| &mut to.log_rotate_age),
    Key::new("log_rotate_keep", &["log_keep"], Accepts::Integer, |to| &mut to.log_rotate_keep),
    Key::new("engine", &[], Accepts::Text, |to| &mut to.engine),
    Key::new("seed", &[], Accepts::Integer, |to| &mut to.seed),
    Key::new("domain", &["dns_domain"], Accepts::Text, |to| &mut to.domain),
    Key::new("personas", &["persona_dir", "fingerprints"], Accepts::Text, |to| &mut to.personas),
    Key::new("ipvlan", &["macvlan", "wifi"], Accepts::Boolean, |to| &mut to.ipvlan),
];

/// The keys of a decky or group.
pub(super) static GROUP: [Key<Group>; 10] = [
    Key::new("ip", &["address", "ip_address"], Accepts::Text, |to| &mut to.ip),
    Key::new("services", &[], Accepts::List, |to| &mut to.services),
    Key::new("archetype", &["role", "type"], Accepts::Text, |to| &mut to.archetype),
    Key::new("nmap_os", &["os", "os_family", "family"], Accepts::Text, |to| &mut to.nmap_os),
    Key::new("amount", &["count", "number", "deckies"], Accepts::Integer, |to| &mut to.amount),
    Key::new("distro", &["distribution"], Accepts::List, |to| &mut to.distro),
    Key::new("randomize_distros", &["randomize_distro"], Accepts::Boolean, |to| &mut to.randomize_distros),
    Key::new("hostname", &["host", "name"], Accepts::Text, |to| &mut to.hostname),
    Key::new("mac", &["mac_address"], Accepts::Text, |to| &mut to.mac),
    Key::new("randomize_services", &[], Accepts::Boolean, |to| &mut to.randomize_services),
];

/// The keys of a service of the user's own.
pub(super) static CUSTOM: [Key<CustomSection>; 3] = [
    Key::new("binary", &["image"], Accepts::Text, |to| &mut to.binary),
    Key {
        name: "exec",
        instead_of: &["command", "cmd", "entrypoint"],
        accepts: Accepts::Command,
        // Empty is the same as absent: the image's own command.
        may_be_empty: true,
        field: |to| &mut to.exec,
    },
    Key::new("ports", &["port"], Accepts::Ports, |to| &mut to.ports),
];

/// The key of that name; `-` is read as `_`.
pub(super) fn find<'a, T>(keys: &'a [Key<T>], name: &str) -> Option<&'a Key<T>> {
    keys.iter().find(|key| key.name == name || (name.contains('-') && key.name == name.replace('-', "_")))
}

/// The names of `keys`.
pub(super) fn names<T>(keys: &'static [Key<T>]) -> impl Iterator<Item = &'static str> {
    keys.iter().map(|key| key.name)
}

/// The key that someone who wrote `name` most likely meant.
pub(super) fn meant<T>(keys: &'static [Key<T>], name: &str) -> Option<&'static str> {
    let folded = name.to_ascii_lowercase().replace('-', "_");
    let known = keys.iter().find(|key| key.instead_of.contains(&folded.as_str())).map(|key| key.name);
    known.or_else(|| crate::suggest::closest(name, names(keys)))
}

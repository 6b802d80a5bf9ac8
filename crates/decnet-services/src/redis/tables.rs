//! The tables of the product, read once per process when the first connection comes.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use super::persona::Release;

/// What COMMAND knows of a command or subcommand.
#[derive(Debug)]
pub(crate) struct Spec {
    /// Lower case; a subcommand with its container: `config|get`.
    pub(crate) name: &'static str,
    /// The release that brought it.
    pub(crate) since: Release,
    /// Arguments with the name: exactly, or at least where negative.
    pub(crate) arity: i64,
    /// `write`, `denyoom`, `noscript`, …
    pub(crate) flags: Vec<&'static str>,
    /// First key, last key, step, as COMMAND shows them.
    pub(crate) keys: (i64, i64, i64),
    /// ACL categories without the `@`.
    pub(crate) categories: Vec<&'static str>,
    /// Names of its subcommands, without the container.
    pub(crate) subcommands: Vec<&'static str>,
}

impl Spec {
    /// Whether it has that flag.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether that many arguments, the name included, will do.
    pub(crate) fn takes(&self, arguments: usize) -> bool {
        let arguments = arguments as i64;
        if self.arity >= 0 { arguments == self.arity } else { arguments >= -self.arity }
    }
}

/// Every command and subcommand by name.
pub(crate) fn commands() -> &'static HashMap<&'static str, Spec> {
    static TABLE: OnceLock<HashMap<&'static str, Spec>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table: HashMap<&'static str, Spec> = HashMap::new();
        for row in rows(include_str!("data/commands.tsv")) {
            let [name, since, arity, flags, first, last, step, categories] = row[..] else { continue };
            let number = |text: &str| text.parse().unwrap_or(0);
            let words =
                |text: &'static str| text.split(',').filter(|word| !word.is_empty()).collect::<Vec<_>>();
            let spec = Spec {
                name,
                since: Release::parse(since).unwrap_or_default(),
                arity: number(arity),
                flags: words(flags),
                keys: (number(first), number(last), number(step)),
                categories: words(categories),
                subcommands: Vec::new(),
            };
            table.insert(name, spec);
        }
        let mut names: Vec<&'static str> = table.keys().copied().collect();
        names.sort_unstable();
        for name in names {
            if let Some((container, subcommand)) = name.split_once('|')
                && let Some(spec) = table.get_mut(container)
            {
                spec.subcommands.push(subcommand);
            }
        }
        table
    })
}

/// How CONFIG SET checks a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ParameterKind {
    /// `yes` or `no`.
    Bool,
    /// A number within bounds.
    Integer(i64, i64),
    /// Bytes, with `kb`, `mb`, `gb`.
    Memory,
    /// One of a few words.
    Enum(Vec<&'static str>),
    /// Anything.
    Text,
    /// Checked by code: `save`, `dir`, `notify-keyspace-events`, …
    Special(&'static str),
}

/// A parameter of CONFIG.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its other name and the release that brought that.
    pub(crate) alias: Option<(&'static str, Release)>,
    /// The release that brought it.
    pub(crate) since: Release,
    /// The release that took it away.
    pub(crate) until: Option<Release>,
    /// Never to be set while running.
    pub(crate) immutable: bool,
    /// From release 7 on only to be set where the configuration file allows it.
    pub(crate) protected: bool,
    /// How it is checked.
    pub(crate) kind: ParameterKind,
    default: &'static str,
    older: Option<(Release, &'static str)>,
}

impl Parameter {
    /// The default of a release.
    pub(crate) fn default(&self, release: Release) -> &'static str {
        match &self.older {
            Some((before, value)) if release < *before => value,
            _ => self.default,
        }
    }

    /// The names under which a release knows it.
    pub(crate) fn names(&self, release: Release) -> Vec<&'static str> {
        if self.until.is_some_and(|until| release >= until) {
            return Vec::new();
        }
        let mut names = Vec::new();
        if release >= self.since {
            names.push(self.name);
        }
        if let Some((alias, since)) = self.alias
            && release >= since
        {
            names.push(alias);
        }
        names
    }
}

/// Every parameter.
pub(crate) fn parameters() -> &'static [Parameter] {
    static TABLE: OnceLock<Vec<Parameter>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let release = |text: &str| Release::parse(text).unwrap_or_default();
        rows(include_str!("data/config.tsv"))
            .filter_map(|row| {
                let [name, alias, since, mode, kind, default] = row[..] else { return None };
                let (since, until) = match since.split_once('-') {
                    Some((since, until)) => (since, Some(release(until))),
                    None => (since, None),
                };
                let (kind, detail) = kind.split_once(':').unwrap_or((kind, ""));
                let kind = match kind {
                    "bool" => ParameterKind::Bool,
                    "int" => {
                        let (low, high) = detail.split_once(':').unwrap_or(("0", "0"));
                        ParameterKind::Integer(low.parse().unwrap_or(0), high.parse().unwrap_or(i64::MAX))
                    }
                    "memory" => ParameterKind::Memory,
                    "enum" => ParameterKind::Enum(detail.split(',').collect()),
                    "text" => ParameterKind::Text,
                    other => ParameterKind::Special(other),
                };
                let (default, older) = match default.split_once('<') {
                    Some((default, older)) => {
                        let older = older.split_once('=').map(|(before, value)| (release(before), value));
                        (default, older)
                    }
                    None => (default, None),
                };
                Some(Parameter {
                    name,
                    alias: alias.split_once('@').map(|(alias, since)| (alias, release(since))),
                    since: release(since),
                    until,
                    immutable: mode == "immutable",
                    protected: mode == "protected",
                    kind,
                    default,
                    older,
                })
            })
            .collect()
    })
}

/// The parameter of that name or other name, where the release has it.
pub(crate) fn parameter(name: &str, release: Release) -> Option<&'static Parameter> {
    parameters().iter().find(|parameter| parameter.names(release).contains(&name))
}

/// The lines of `<container> HELP` between its first and its last.
pub(crate) fn help(container: &str) -> Vec<&'static str> {
    include_str!("data/help.txt")
        .lines()
        .skip_while(|line| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) != Some(container))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .collect()
}

/// Tips, key specifications and documentation: what COMMAND, COMMAND INFO and COMMAND DOCS add. Parsed
/// for the asking client and dropped: it is large and rarely asked for.
pub(crate) fn documentation() -> BTreeMap<String, serde_json::Value> {
    serde_json::from_str(include_str!("data/command_docs.json")).unwrap_or_default()
}

/// The fields of each line of a table that is not a comment.
pub(crate) fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let count = |table: &'static str| table.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(commands().len(), count(include_str!("data/commands.tsv")));
        assert_eq!(parameters().len(), count(include_str!("data/config.tsv")));
        assert!(commands().values().all(|spec| spec.arity != 0 && spec.since != Release::default()));
        let docs = documentation();
        assert_eq!(docs["docs"].as_object().unwrap().len(), 240);
        assert!(help("config").contains(&"RESETSTAT"));
    }

    #[test]
    fn a_release_knows_its_parameters() {
        let release = |text: &str| Release::parse(text).unwrap();
        assert!(parameter("gopher-enabled", release("6.2.7")).is_some());
        assert!(parameter("gopher-enabled", release("7.0.15")).is_none());
        assert!(parameter("replica-priority", release("3.2.12")).is_none());
        assert!(parameter("slave-priority", release("3.2.12")).is_some());
        assert_eq!(
            parameter("save", release("5.0.7")).unwrap().default(release("5.0.7")),
            "900 1 300 10 60 10000"
        );
        assert_eq!(
            parameter("save", release("7.0.15")).unwrap().default(release("7.0.15")),
            "3600 1 300 100 60 10000"
        );
        // 7.0.15 shows 192 names; what the real one shows is compared by the conversation test.
        let names: usize = parameters().iter().map(|p| p.names(release("7.0.15")).len()).sum();
        assert_eq!(names, 192);
    }
}

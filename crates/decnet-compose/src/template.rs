//! Containers of one kind differ in a few scalars. Each kind is written as YAML once, with marks in the
//! places of those scalars, and copied with the marks filled in: a fleet of thousands is rendered in the
//! time of copying its text.

use serde::Serialize;

use crate::text::to_yaml;

/// A scalar that differs from container to container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The decky's name.
    Decky,
    /// The decky's name as a network mode.
    Namespace,
    /// The compose service of the decky's guard.
    Guard,
    /// The host name.
    Hostname,
    /// The DNS domain.
    Domain,
    /// The MAC address.
    Mac,
    /// The address.
    Address,
    /// The path of the host file.
    HostFile,
    /// The path of the log directory.
    LogDirectory,
    /// The revision of the host file.
    Revision,
    /// The slug of the service.
    Service,
}

/// How many slots there are.
const SLOTS: usize = Slot::Service as usize + 1;

/// The first character of a mark; the second is its successor by the slot's number. Both are from the
/// private use area. The rest of a template holds printable ASCII only, see [`is_plain`].
const MARK: char = '\u{e000}';

impl Slot {
    /// What stands in a template in its place.
    pub(crate) fn mark(self) -> String {
        // The private use area goes on for 6,400 characters.
        let number = char::from_u32(u32::from(MARK) + 1 + self as u32).unwrap_or(MARK);
        String::from_iter([MARK, number])
    }
}

/// Whether a text may stand in a template beside the marks.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// What fills the slots: scalars as they are written in YAML.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filling([String; SLOTS]);

impl Filling {
    /// Sets what a slot is filled with.
    pub(crate) fn set(&mut self, slot: Slot, scalar: impl Into<String>) {
        self.0[slot as usize] = scalar.into();
    }

    fn get(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }
}

/// A block mapping that stands `indent` spaces in.
pub(crate) fn indented<T: Serialize>(value: &T, indent: usize) -> Result<String, serde_saphyr::ser::Error> {
    let mut text = String::new();
    // No scalar goes over several lines, see `to_yaml`.
    for line in to_yaml(value)?.lines() {
        text.extend(std::iter::repeat_n(' ', indent));
        text.push_str(line);
        text.push('\n');
    }
    Ok(text)
}

/// A kind of container as text.
#[derive(Debug)]
pub(crate) struct Template {
    /// Text, and the slot that follows it.
    parts: Vec<(String, usize)>,
    /// The text after the last slot.
    rest: String,
}

impl Template {
    /// The template of a block mapping that stands `indent` spaces in.
    pub(crate) fn new<T: Serialize>(value: &T, indent: usize) -> Result<Template, serde_saphyr::ser::Error> {
        let text = indented(value, indent)?;
        let mut template = Template { parts: Vec::new(), rest: String::new() };
        let mut pieces = text.split(MARK);
        let mut before = pieces.next().unwrap_or_default();
        for piece in pieces {
            let mut characters = piece.chars();
            let number = characters.next().map_or(0, u32::from);
            let slot = number.saturating_sub(u32::from(MARK) + 1) as usize;
            template.parts.push((before.to_owned(), slot));
            before = characters.as_str();
        }
        template.rest = before.to_owned();
        Ok(template)
    }

    /// Appends a copy with its slots filled.
    pub(crate) fn fill(&self, filling: &Filling, text: &mut String) {
        for (before, slot) in &self.parts {
            text.push_str(before);
            text.push_str(filling.get(*slot));
        }
        text.push_str(&self.rest);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::text::Value;

    #[test]
    fn a_copy_reads_as_if_it_had_been_written_whole() {
        let shape = |decky: Value<'static>, host: Value<'static>| {
            BTreeMap::from([("a", vec![decky.clone(), "b".into(), host]), ("c", vec![decky])])
        };
        let template = Template::new(&shape(Slot::Decky.into(), Slot::Hostname.into()), 0).unwrap();
        let mut filling = Filling::default();
        filling.set(Slot::Decky, "one");
        filling.set(Slot::Hostname, "two");
        let mut text = String::new();
        template.fill(&filling, &mut text);
        assert_eq!(text, to_yaml(&shape("one".into(), "two".into())).unwrap());
    }

    #[test]
    fn every_line_is_indented() {
        let template = Template::new(&BTreeMap::from([("a", vec![1, 2])]), 4).unwrap();
        let mut text = String::new();
        template.fill(&Filling::default(), &mut text);
        assert_eq!(text, "    a:\n    - 1\n    - 2\n");
    }
}

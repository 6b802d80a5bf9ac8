//! The deckies of each group, and their names.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::groups::Group;
use crate::diagnostic::Diagnostic;
use crate::plan::{Decky, Plan};

/// A decky to be.
pub(super) struct Member<'p> {
    pub(super) name: String,
    /// The group's place in the list of groups.
    pub(super) group: usize,
    /// Its place in the group, from 0.
    pub(super) index: usize,
    /// The decky of that name in the plan before.
    pub(super) previous: Option<&'p Decky>,
}

impl<'p> Member<'p> {
    /// The decky of that name in the plan before, if it had the same role.
    pub(super) fn same_before(&self, group: &Group<'_>) -> Option<&'p Decky> {
        let archetype = group.archetype.map(|archetype| archetype.slug.as_str());
        self.previous
            .filter(|before| before.group == group.name() && before.archetype.as_deref() == archetype)
    }
}

/// All of them.
pub(super) struct Members<'p> {
    /// In the order of the request.
    pub(super) list: Vec<Member<'p>>,
    /// The order in which they take what may exist once: those of the plan before first, each part by name.
    pub(super) order: Vec<usize>,
}

impl Members<'_> {
    /// The place in the list of the decky of that name.
    pub(super) fn by_name(&self) -> HashMap<&str, usize> {
        self.list.iter().enumerate().map(|(at, member)| (member.name.as_str(), at)).collect()
    }
}

/// The order of names in which `web-2` stands before `web-10` and `web-99` before `web-100`.
pub(super) fn by_name(a: &str, b: &str) -> Ordering {
    // Numbers too long for a machine word count as 0 and are compared as text, below.
    fn key(name: &str) -> (&str, u64) {
        let head = name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        let (head, number) = name.split_at(head);
        (head, number.parse().unwrap_or_default())
    }
    key(a).cmp(&key(b)).then_with(|| a.cmp(b))
}

/// The name of a member: the group's own for a single decky, else with a number of two digits or more.
fn member_name(group: &Group<'_>, index: usize) -> String {
    if group.amount == 1 && !group.section.numbered {
        return group.name().to_owned();
    }
    // The width does not depend on the amount: a group that grows past 99 must not rename its members.
    format!("{}-{:02}", group.name(), index + 1)
}

pub(super) fn expand<'p>(
    groups: &[Group<'_>],
    previous: Option<&'p Plan>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Members<'p> {
    let before: HashMap<&str, &'p Decky> = previous
        .map(|plan| plan.deckies.iter().map(|decky| (decky.name.as_str(), decky)).collect())
        .unwrap_or_default();
    let mut list: Vec<Member<'p>> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        for index in 0..group.amount {
            let name = member_name(group, index);
            let previous = before.get(name.as_str()).copied();
            list.push(Member { name, group: at, index, previous });
        }
    }
    check_names(groups, &list, diagnostics);
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b): (&Member<'_>, &Member<'_>) = (&list[a], &list[b]);
        a.previous.is_none().cmp(&b.previous.is_none()).then_with(|| by_name(&a.name, &b.name))
    });
    Members { list, order }
}

/// Names are one in every case, because host and container names know none.
fn check_names(groups: &[Group<'_>], list: &[Member<'_>], diagnostics: &mut Vec<Diagnostic>) {
    let mut first: HashMap<String, usize> = HashMap::new();
    for (at, group) in groups.iter().enumerate() {
        match first.entry(group.name().to_ascii_lowercase()) {
            Entry::Vacant(free) => {
                free.insert(at);
            }
            Entry::Occupied(taken) => {
                let other = &groups[*taken.get()];
                let message = format!("there are two deckies or groups called `{}`", group.name());
                diagnostics.push(
                    Diagnostic::error("name.duplicate", group.origin().clone(), message)
                        .related(other.origin().clone(), "the first one"),
                );
            }
        }
    }
    // Two groups clash once, however many of their members do.
    let mut told = std::collections::HashSet::new();
    for member in list {
        let group = &groups[member.group];
        if member.name == group.name() {
            continue;
        }
        if let Some(&other) = first.get(&member.name.to_ascii_lowercase())
            && other != member.group
            && told.insert((member.group, other))
        {
            let message =
                format!("`{}` is the name of a member of `{}` too", groups[other].name(), group.name());
            diagnostics.push(
                Diagnostic::error("name.clash", groups[other].origin().clone(), message)
                    .related(group.origin().clone(), format!("a group of {}", group.amount))
                    .help("call one of them otherwise"),
            );
        }
    }
    let mut members: HashMap<String, usize> = HashMap::new();
    for member in list.iter().filter(|member| member.name != groups[member.group].name()) {
        if let Some(other) = members.insert(member.name.to_ascii_lowercase(), member.group)
            && other != member.group
            && !groups[other].name().eq_ignore_ascii_case(groups[member.group].name())
            && told.insert((member.group, other))
        {
            let group = &groups[member.group];
            let message = format!(
                "`{}` is a member of `{}` and of `{}`",
                member.name,
                groups[other].name(),
                group.name()
            );
            diagnostics.push(
                Diagnostic::error("name.clash", group.origin().clone(), message)
                    .related(groups[other].origin().clone(), "the other group")
                    .help("call one of them otherwise"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_as_numbers() {
        let mut names = ["web-100", "web", "web-11", "db-2", "web-099", "web-99", "web-2"];
        names.sort_by(|a, b| by_name(a, b));
        assert_eq!(names, ["db-2", "web", "web-2", "web-11", "web-099", "web-99", "web-100"]);
    }
}

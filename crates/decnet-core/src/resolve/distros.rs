//! The distribution of each decky's container.

use super::groups::{Distros, Group};
use super::members::Members;
use crate::catalogue::{Catalogue, Distro};
use crate::identity::derive::decky_seed;
use crate::seed::Seed;

/// The distribution of every member.
///
/// A list of the user's is cycled over the members of its group. The archetype's list and the whole table
/// are cycled over the fleet: group by group, so that a group that grows leaves the others as they are.
pub(super) fn choose(
    groups: &[Group<'_>],
    members: &Members<'_>,
    catalogue: &Catalogue,
    root: &Seed,
) -> Vec<&'static Distro> {
    let all = catalogue.distros();
    members
        .list
        .iter()
        .map(|member| {
            let cycle = |list: &[&'static Distro], at: usize| list[at % list.len().max(1)];
            let group = &groups[member.group];
            match &group.distros {
                Distros::Listed(list) => cycle(list, member.index),
                Distros::Random => {
                    decky_seed(root, &member.name).draw(&["distro"]).pick(all).unwrap_or(&all[0])
                }
                Distros::Cycled(list) => {
                    let before = member.same_before(group).map(|before| before.distro.as_str());
                    let kept = list.iter().copied().find(|distro| Some(distro.slug.as_str()) == before);
                    kept.unwrap_or_else(|| cycle(list, member.group + member.index))
                }
            }
        })
        .collect()
}

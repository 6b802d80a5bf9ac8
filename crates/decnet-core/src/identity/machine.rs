//! Which machine a decky is: the operating system's row, the variant of its archetype, the hardware.

use super::OsFamily;
use crate::catalogue::{Archetype, Catalogue, Distro, Hardware, Persona, Row, Variant};
use crate::seed::Draw;

/// What the request says about the machine.
#[derive(Clone, Copy)]
pub(crate) struct Claim<'a> {
    pub(crate) archetype: Option<&'static Archetype>,
    pub(crate) family: OsFamily,
    /// Where `nmap_os` names one.
    pub(crate) persona: Option<&'static Persona>,
    pub(crate) distro: &'static Distro,
    /// Whether the user named the distro, so that no appliance may stand in for it.
    pub(crate) distro_is_explicit: bool,
    pub(crate) services: &'a [&'a str],
}

/// A machine.
#[derive(Clone, Copy)]
pub(super) struct Machine {
    pub(super) row: &'static Row,
    /// The archetype's variant, where the machine is one.
    pub(super) variant: Option<&'static Variant>,
    pub(super) hardware: &'static Hardware,
    pub(super) hostnames: &'static [String],
    /// The slug of its packet persona.
    pub(super) persona: &'static str,
}

/// Decides. The same claim and draw give the same machine.
pub(super) fn choose(catalogue: &Catalogue, claim: &Claim<'_>, draw: &mut Draw) -> Machine {
    let tables = catalogue.tables();
    let distro_row = catalogue.row(&claim.distro.slug);
    let fits = |row: &Row| claim.persona.is_none_or(|persona| persona.rows.contains(&row.slug));
    let rows_of = |slugs: &'static [String]| slugs.iter().filter_map(|slug| catalogue.row(slug));

    let variant = choose_variant(catalogue, claim, draw);
    let wants_distro = claim.family == OsFamily::Linux && claim.distro_is_explicit;
    let mut at_home: Vec<&'static Row> = match variant {
        // An appliance, unless the user wants a distribution of his own.
        Some(variant) if !variant.rows.is_empty() && !wants_distro => {
            rows_of(&variant.rows).filter(|row| fits(row)).collect()
        }
        _ if claim.family == OsFamily::Linux => distro_row.into_iter().filter(|row| fits(row)).collect(),
        _ => Vec::new(),
    };
    // Where nothing says more: the rows of the persona or family that suit the services best.
    if at_home.is_empty() {
        let candidates: Vec<&'static Row> = match claim.persona {
            Some(persona) => rows_of(&persona.rows).collect(),
            None => tables
                .rows
                .iter()
                .filter(|row| row.family() == claim.family && !row.only_by_persona)
                .collect(),
        };
        let score =
            |row: &Row| row.suits.iter().filter(|slug| claim.services.contains(&slug.as_str())).count();
        let best = candidates.iter().map(|row| score(row)).max().unwrap_or_default();
        at_home = candidates.into_iter().filter(|row| score(row) == best).collect();
    }
    let fallback = catalogue.family(claim.family).row.as_str();
    let row = draw.pick(&at_home).copied().or_else(|| catalogue.row(fallback)).unwrap_or(&tables.rows[0]);

    // The variant's case and names belong to the variant's systems.
    let own = variant.filter(|variant| variant.rows.is_empty() || variant.rows.contains(&row.slug));
    let own = own.filter(|variant| {
        !variant.rows.is_empty() || Some(row.slug.as_str()) == distro_row.map(|row| row.slug.as_str())
    });
    let machines = match own {
        Some(variant) if !variant.hardware.is_empty() => &variant.hardware,
        _ => &row.hardware,
    };
    let hardware = draw
        .pick(machines)
        .and_then(|slug| tables.hardware.iter().find(|machine| machine.slug == *slug))
        .unwrap_or(&tables.hardware[0]);
    let hostnames = match own {
        Some(variant) if !variant.hostnames.is_empty() => variant.hostnames.as_slice(),
        _ => row.hostnames.as_slice(),
    };
    let persona = match claim.persona {
        Some(persona) => persona.slug.as_str(),
        None => row.personas.first().map_or("linux-5", String::as_str),
    };
    Machine { row, variant: own, hardware, hostnames, persona }
}

/// The variant: one that the distribution or persona calls for, else any.
fn choose_variant(catalogue: &Catalogue, claim: &Claim<'_>, draw: &mut Draw) -> Option<&'static Variant> {
    let archetype = claim.archetype.filter(|archetype| archetype.os == claim.family)?;
    let can_be = |variant: &&'static Variant| match claim.persona {
        None => true,
        Some(persona) if variant.rows.is_empty() => persona.rows.contains(&claim.distro.slug),
        Some(persona) => variant.rows.iter().any(|row| persona.rows.contains(row)),
    };
    let called_for = |variant: &&'static Variant| {
        variant.distros.contains(&claim.distro.slug) && catalogue.row(&claim.distro.slug).is_some()
    };
    let mut among: Vec<&'static Variant> = archetype.variants.iter().filter(can_be).collect();
    if among.is_empty() {
        among = archetype.variants.iter().collect();
    }
    if among.iter().any(called_for) {
        among.retain(called_for);
    }
    draw.pick(&among).copied()
}

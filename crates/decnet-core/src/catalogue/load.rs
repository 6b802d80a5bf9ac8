//! Reading the embedded tables, and the checks that keep them coherent.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::macros::format_description;
use time::{Date, Duration};

use super::model::{
    Archetype, Distro, Family, General, Hardware, Nic, Persona, ProductChoice, Region, Row, Variant,
};
use crate::identity::OsFamily;

/// All tables.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) archetypes: Vec<Archetype>,
    pub(crate) distros: Vec<Distro>,
    pub(crate) families: Vec<Family>,
    pub(crate) personas: Vec<Persona>,
    pub(crate) rows: Vec<Row>,
    pub(crate) hardware: Vec<Hardware>,
    pub(crate) nics: Vec<Nic>,
    pub(crate) general: General,
    /// The day of the last revision, in seconds since 1970.
    pub(crate) as_of: i64,
}

/// A table that contradicts itself. Only someone who changes the data files meets it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("{file} is not readable: {message}")]
    Syntax { file: &'static str, message: String },
    #[error("{owner} names the unknown {kind} `{name}`")]
    Dangling { owner: String, kind: &'static str, name: String },
    #[error("{owner}: {message}")]
    Wrong { owner: String, message: String },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Archetypes {
    archetype: Vec<Archetype>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Distros {
    distro: Vec<Distro>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Families {
    family: Vec<Family>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Personas {
    persona: Vec<Persona>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    row: Vec<Row>,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Machines {
    nic: Vec<Nic>,
    hardware: Vec<Hardware>,
}

/// The tables, read once in the life of a process.
pub(crate) fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    // The text is part of the program, and the test below reads it: it cannot fail in a build that passed.
    TABLES.get_or_init(|| load().expect("the embedded catalogue is valid"))
}

fn parse<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, LoadError> {
    toml::from_str(text).map_err(|error| LoadError::Syntax { file, message: error.to_string() })
}

/// Seconds since 1970 of the first moment of a day written `2025-06-01`.
fn day(owner: &str, text: &str) -> Result<i64, LoadError> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .map(|date| date.midnight().assume_utc().unix_timestamp())
        .map_err(|error| LoadError::Wrong { owner: owner.to_owned(), message: format!("`{text}`: {error}") })
}

fn load() -> Result<Tables, LoadError> {
    let mut rows = Vec::new();
    for (file, text, family) in [
        ("rows-linux.toml", include_str!("../../data/rows-linux.toml"), Some(OsFamily::Linux)),
        ("rows-windows.toml", include_str!("../../data/rows-windows.toml"), Some(OsFamily::Windows)),
        ("rows-devices.toml", include_str!("../../data/rows-devices.toml"), None),
    ] {
        for mut row in parse::<Rows>(file, text)?.row {
            row.family = row.family.or(family);
            rows.push(row);
        }
    }
    let machines: Machines = parse("hardware.toml", include_str!("../../data/hardware.toml"))?;
    let general: General = parse("general.toml", include_str!("../../data/general.toml"))?;
    let as_of = day("general.toml", &general.as_of)?;
    let mut tables = Tables {
        archetypes: parse::<Archetypes>("archetypes.toml", include_str!("../../data/archetypes.toml"))?
            .archetype,
        distros: parse::<Distros>("distros.toml", include_str!("../../data/distros.toml"))?.distro,
        families: parse::<Families>("families.toml", include_str!("../../data/families.toml"))?.family,
        personas: parse::<Personas>("personas.toml", include_str!("../../data/personas.toml"))?.persona,
        rows,
        hardware: machines.hardware,
        nics: machines.nic,
        general,
        as_of,
    };
    complete(&mut tables)?;
    check(&tables)?;
    Ok(tables)
}

/// Fills in what one table says of the rows of another.
fn complete(tables: &mut Tables) -> Result<(), LoadError> {
    let month = Duration::days(30).whole_seconds();
    let (least, most) = tables.general.installed_months;
    for row in &mut tables.rows {
        row.window = match &row.installed {
            Some((first, last)) => (day(&row.slug, first)?, day(&row.slug, last)?),
            None => (tables.as_of - most * month, tables.as_of - least * month),
        };
        row.personas = tables
            .personas
            .iter()
            .filter(|persona| persona.rows.contains(&row.slug))
            .map(|persona| persona.slug.clone())
            .collect();
        if let Some(distro) = tables.distros.iter().find(|distro| distro.slug == row.slug) {
            row.style.clone_from(&distro.style);
        }
        if row.hardware.is_empty() {
            row.hardware.clone_from(match row.style.as_str() {
                "rolling" => &tables.general.linux_hardware_rolling,
                _ => &tables.general.linux_hardware,
            });
        }
        if row.hostnames.is_empty() {
            row.hostnames = tables.general.styles.get(&row.style).cloned().unwrap_or_default();
        }
    }
    Ok(())
}

fn check(tables: &Tables) -> Result<(), LoadError> {
    let known = |owner: &str, kind: &'static str, name: &str, among: &BTreeSet<&str>| {
        if among.contains(name) {
            Ok(())
        } else {
            Err(LoadError::Dangling { owner: owner.to_owned(), kind, name: name.to_owned() })
        }
    };
    let wrong =
        |owner: &str, message: &str| LoadError::Wrong { owner: owner.to_owned(), message: message.into() };
    let rows: BTreeSet<&str> = tables.rows.iter().map(|row| row.slug.as_str()).collect();
    let hardware: BTreeSet<&str> = tables.hardware.iter().map(|machine| machine.slug.as_str()).collect();
    let distros: BTreeSet<&str> = tables.distros.iter().map(|distro| distro.slug.as_str()).collect();
    let nics: BTreeSet<&str> = tables.nics.iter().map(|nic| nic.slug.as_str()).collect();
    if rows.len() != tables.rows.len() || hardware.len() != tables.hardware.len() {
        return Err(wrong("the tables", "two rows or two machines share a slug"));
    }
    for archetype in &tables.archetypes {
        for distro in &archetype.distros {
            known(&archetype.slug, "distro", distro, &distros)?;
        }
        if archetype.variants.is_empty() || archetype.words.is_empty() {
            return Err(wrong(&archetype.slug, "it has no variants or no words"));
        }
        for Variant { rows: of, distros: for_, hardware: on, products, .. } in &archetype.variants {
            for row in of {
                known(&archetype.slug, "row", row, &rows)?;
            }
            for distro in for_ {
                known(&archetype.slug, "distro", distro, &distros)?;
            }
            for machine in on {
                known(&archetype.slug, "hardware", machine, &hardware)?;
            }
            if of.is_empty() && archetype.os != OsFamily::Linux {
                return Err(wrong(&archetype.slug, "a variant that is no Linux machine needs rows"));
            }
            chosen(&archetype.slug, products.values())?;
        }
    }
    for distro in &tables.distros {
        known("distros.toml", "row", &distro.slug, &rows)?;
        known(
            "distros.toml",
            "style",
            &distro.style,
            &tables.general.styles.keys().map(String::as_str).collect(),
        )?;
    }
    for family in OsFamily::ALL {
        let Some(family) = tables.families.iter().find(|row| row.slug == family) else {
            return Err(wrong(family.slug(), "the family has no entry"));
        };
        known(family.slug.slug(), "row", &family.row, &rows)?;
        chosen(family.slug.slug(), family.products.values())?;
    }
    for persona in &tables.personas {
        for slug in &persona.rows {
            known(&persona.slug, "row", slug, &rows)?;
        }
        if persona.rows.is_empty() {
            return Err(wrong(&persona.slug, "it fits no row"));
        }
    }
    for row in &tables.rows {
        if row.family.is_none() {
            return Err(wrong(&row.slug, "it has no family"));
        }
        for machine in &row.hardware {
            known(&row.slug, "hardware", machine, &hardware)?;
        }
        let ill = [
            (row.personas.is_empty(), "no packet persona fits it"),
            (row.hostnames.is_empty(), "it has neither host names nor a style"),
            (row.version.is_empty() == row.firmware.is_empty(), "it needs a version or firmware, not both"),
            (
                row.window.0 >= row.window.1 || row.window.1 >= tables.as_of,
                "its install dates are out of order",
            ),
        ];
        if let Some((_, message)) = ill.iter().find(|(ill, _)| *ill) {
            return Err(wrong(&row.slug, message));
        }
        chosen(&row.slug, row.products.values().chain(row.extras.values()))?;
    }
    for machine in &tables.hardware {
        for nic in &machine.nics {
            known(&machine.slug, "nic", nic, &nics)?;
        }
        if machine.nics.is_empty() || machine.models.is_empty() {
            return Err(wrong(&machine.slug, "it has no network card or no model"));
        }
    }
    for Region { timezone, sites } in &tables.general.regions {
        if sites.is_empty() {
            return Err(wrong(timezone, "it has no sites"));
        }
    }
    Ok(())
}

/// Every component has something to choose from.
fn chosen<'a>(owner: &str, mut lists: impl Iterator<Item = &'a Vec<ProductChoice>>) -> Result<(), LoadError> {
    if lists.any(Vec::is_empty) {
        return Err(LoadError::Wrong { owner: owner.to_owned(), message: "a product list is empty".into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_tables_are_valid() {
        let tables = load().unwrap();
        assert_eq!(tables.archetypes.len(), 14);
        assert_eq!(tables.distros.len(), 9);
        assert_eq!(tables.families.len(), 5);
    }

    #[test]
    fn a_dangling_name_is_found() {
        let mut tables = load().unwrap();
        tables.personas[0].rows.push("windows-12".into());
        assert!(matches!(check(&tables), Err(LoadError::Dangling { name, .. }) if name == "windows-12"));
        let mut tables = load().unwrap();
        tables.rows[0].products.insert("ssh".into(), Vec::new());
        assert!(check(&tables).is_err());
    }

    #[test]
    fn no_prefix_is_local_or_multicast_but_that_of_kvm() {
        for nic in &load().unwrap().nics {
            for prefix in &nic.prefixes {
                assert!(prefix.oui == [0x52, 0x54, 0] || prefix.oui[0] & 3 == 0, "{prefix:?}");
            }
        }
    }
}

//! The catalogue: archetypes, distributions, operating system families, packet personas, and the tables
//! from which identities are drawn.
//!
//! The tables are data files that are part of the program (`data/*.toml`); they are read once. The services
//! are not the catalogue's own: whoever builds one passes their descriptors in.

mod load;
mod model;

use std::collections::BTreeMap;

pub(crate) use load::Tables;
pub use model::{Archetype, Distro, Family, Persona};
pub(crate) use model::{Hardware, Nic, ProductChoice, Row, Variant};

use crate::address::MacAddress;
use crate::identity::OsFamily;
use crate::service::ServiceDescriptor;

/// Everything that a request may name.
#[derive(Clone, Debug)]
pub struct Catalogue {
    tables: &'static Tables,
    services: BTreeMap<&'static str, &'static ServiceDescriptor>,
    /// Packet personas of the user's own, by slug.
    own_personas: BTreeMap<&'static str, &'static Persona>,
}

impl Catalogue {
    /// The tables of this program, with the services given. Of two services of one slug the later counts.
    pub fn builtin(services: impl IntoIterator<Item = &'static ServiceDescriptor>) -> Catalogue {
        let services = services.into_iter().map(|service| (service.slug, service)).collect();
        Catalogue { tables: load::tables(), services, own_personas: BTreeMap::new() }
    }

    /// Adds a packet persona of the user's own, whose systems and machines are those of `like`. `facts` is
    /// its file, which the plan takes along for whoever makes packets of it.
    ///
    /// Personas live as long as the program: what is added is never given back.
    pub fn add_persona(&mut self, slug: &str, like: &Persona, facts: String) {
        let persona = Persona {
            slug: slug.to_owned(),
            description: format!("{slug}, like {}", like.slug),
            facts: Some(facts),
            ..like.clone()
        };
        let persona: &'static Persona = Box::leak(Box::new(persona));
        self.own_personas.insert(&persona.slug, persona);
    }

    /// The archetypes, in the order of the tables.
    pub fn archetypes(&self) -> &'static [Archetype] {
        &self.tables.archetypes
    }

    /// The archetype of that slug.
    pub fn archetype(&self, slug: &str) -> Option<&'static Archetype> {
        self.tables.archetypes.iter().find(|archetype| archetype.slug == slug)
    }

    /// The distributions, in the order in which deckies cycle through them.
    pub fn distros(&self) -> &'static [Distro] {
        &self.tables.distros
    }

    /// The distribution of that slug.
    pub fn distro(&self, slug: &str) -> Option<&'static Distro> {
        self.tables.distros.iter().find(|distro| distro.slug == slug)
    }

    /// The operating system families.
    pub fn families(&self) -> &'static [Family] {
        &self.tables.families
    }

    /// What is known of a family.
    pub fn family(&self, family: OsFamily) -> &'static Family {
        let tables = &self.tables.families;
        // The loader refuses tables that lack a family.
        tables.iter().find(|row| row.slug == family).unwrap_or(&tables[0])
    }

    /// The packet personas: those of the program, then the user's own.
    pub fn personas(&self) -> impl Iterator<Item = &'static Persona> + Clone + '_ {
        self.tables.personas.iter().chain(self.own_personas.values().copied())
    }

    /// The packet persona of that slug.
    pub fn persona(&self, slug: &str) -> Option<&'static Persona> {
        self.personas().find(|persona| persona.slug == slug)
    }

    /// The services, sorted by slug.
    pub fn services(&self) -> impl Iterator<Item = &'static ServiceDescriptor> + '_ {
        self.services.values().copied()
    }

    /// The service of that slug.
    pub fn service(&self, slug: &str) -> Option<&'static ServiceDescriptor> {
        self.services.get(slug).copied()
    }

    /// Who makes the network card of that address, where the tables know.
    pub fn nic_vendor(&self, mac: MacAddress) -> Option<&'static str> {
        self.nic(mac).map(|nic| nic.vendor.as_str())
    }

    /// The maker of that address, by its first three octets alone.
    pub(crate) fn nic(&self, mac: MacAddress) -> Option<&'static Nic> {
        self.tables.nics.iter().find(|nic| nic.prefixes.iter().any(|prefix| prefix.oui == mac.oui()))
    }

    pub(crate) fn tables(&self) -> &'static Tables {
        self.tables
    }

    pub(crate) fn row(&self, slug: &str) -> Option<&'static Row> {
        self.tables.rows.iter().find(|row| row.slug == slug)
    }
}

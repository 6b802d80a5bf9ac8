//! `decnet services`, `archetypes`, `distros`.

use decnet_core::service::Port;
use serde::Serialize;

use super::catalogue_of_all;
use crate::output::{Outcome, Report, json};
use crate::table::table;

#[derive(Serialize)]
struct Services {
    services: Vec<Service>,
}

#[derive(Serialize)]
struct Service {
    slug: &'static str,
    role: &'static str,
    ports: Vec<Port>,
    families: Vec<&'static str>,
    image: &'static str,
    served: bool,
    keys: Vec<Key>,
}

#[derive(Serialize)]
struct Key {
    name: &'static str,
    aliases: Vec<&'static str>,
    accepts: String,
    default: &'static str,
    doc: &'static str,
}

/// The services.
pub(crate) fn services() -> Outcome {
    let services = decnet_services::registry()
        .into_iter()
        .map(|service| {
            let descriptor = service.descriptor;
            Service {
                slug: descriptor.slug,
                role: descriptor.role,
                ports: descriptor.ports.to_vec(),
                families: descriptor.families.iter().map(|family| family.slug()).collect(),
                image: descriptor.image.unwrap_or("built in"),
                served: service.is_served(),
                keys: descriptor
                    .keys
                    .iter()
                    .map(|key| Key {
                        name: key.name,
                        aliases: key.aliases.to_vec(),
                        accepts: key.kind.describe(),
                        default: key.default,
                        doc: key.doc,
                    })
                    .collect(),
            }
        })
        .collect();
    Outcome::done(Services { services })
}

impl Report for Services {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let rows = self.services.iter().map(|service| {
            let ports: Vec<String> = service.ports.iter().map(Port::to_string).collect();
            let keys: Vec<&str> = service.keys.iter().map(|key| key.name).collect();
            [
                service.slug.to_owned(),
                ports.join(", "),
                service.role.to_owned(),
                service.image.to_owned(),
                if service.served { "yes" } else { "not yet" }.to_owned(),
                keys.join(", "),
            ]
        });
        table(["service", "ports", "role", "image", "server", "persona keys"], rows)
    }
}

#[derive(Serialize)]
struct Archetypes {
    archetypes: Vec<Archetype>,
}

#[derive(Serialize)]
struct Archetype {
    slug: &'static str,
    services: Vec<String>,
    os: &'static str,
    distros: Vec<String>,
    description: &'static str,
}

/// The roles.
pub(crate) fn archetypes() -> Outcome {
    let archetypes = catalogue_of_all()
        .archetypes()
        .iter()
        .map(|archetype| Archetype {
            slug: &archetype.slug,
            services: archetype.services.clone(),
            os: archetype.os.slug(),
            distros: archetype.distros.clone(),
            description: &archetype.description,
        })
        .collect();
    Outcome::done(Archetypes { archetypes })
}

impl Report for Archetypes {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let rows = self.archetypes.iter().map(|archetype| {
            [
                archetype.slug.to_owned(),
                archetype.services.join(", "),
                archetype.os.to_owned(),
                archetype.distros.join(", "),
                archetype.description.to_owned(),
            ]
        });
        table(["archetype", "services", "OS", "distributions", "description"], rows)
    }
}

#[derive(Serialize)]
struct Distros {
    distros: Vec<Distro>,
}

#[derive(Serialize)]
struct Distro {
    slug: &'static str,
    image: &'static str,
    name: &'static str,
    hostname_style: &'static str,
}

/// The distributions.
pub(crate) fn distros() -> Outcome {
    let distros = catalogue_of_all()
        .distros()
        .iter()
        .map(|distro| Distro {
            slug: &distro.slug,
            image: &distro.image,
            name: &distro.name,
            hostname_style: &distro.style,
        })
        .collect();
    Outcome::done(Distros { distros })
}

impl Report for Distros {
    fn json(&self) -> Option<serde_json::Result<String>> {
        json(self)
    }

    fn human(&self) -> String {
        let rows = self.distros.iter().map(|distro| {
            [
                distro.slug.to_owned(),
                distro.image.to_owned(),
                distro.name.to_owned(),
                distro.hostname_style.to_owned(),
            ]
        });
        table(["distro", "image and build base", "name", "host names"], rows)
    }
}

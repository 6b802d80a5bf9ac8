//! Writing a plan as a compose file and its build contexts.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use decnet_compose::{Idle, Image, Options, Platform, Rendered, render};
use decnet_core::{Catalogue, Plan};

use super::catalogue_of_all;
use crate::failure::Failure;

/// The compose file's name.
const FILE: &str = "compose.yaml";

/// What containers are made of, from the catalogue.
pub(crate) fn platform(catalogue: &Catalogue) -> Platform {
    let images = catalogue.distros().iter().map(|distro| {
        // Our binary is static, so every distribution is its own build base.
        let image =
            Image { image: distro.image.clone(), build_base: distro.image.clone(), idle: Idle::Sleep };
        (distro.slug.clone(), image)
    });
    let service_images = catalogue
        .services()
        .filter_map(|service| Some((service.slug.to_owned(), service.image?.to_owned())))
        .collect::<BTreeMap<_, _>>();
    Platform {
        images: images.collect(),
        sysctls: catalogue.families().iter().map(|family| (family.slug, family.sysctls.clone())).collect(),
        service_images,
    }
}

/// Writes them below `directory`; returns the compose file. Files that an earlier dry run wrote there are
/// replaced.
pub(crate) fn write(plan: &Plan, directory: &Path) -> Result<PathBuf, Failure> {
    let rendered = render(plan, &platform(&catalogue_of_all()), &Options::default())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    let Rendered { compose, contexts, .. } = rendered;
    let file = directory.join(FILE);
    make(directory)?;
    put(&file, &compose)?;
    for context in contexts {
        let folder = directory.join(&context.directory);
        make(&folder)?;
        put(&folder.join("Dockerfile"), &context.dockerfile)?;
    }
    Ok(file)
}

fn make(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| Failure::file("make", directory, &error))
}

/// The compose file names every decoy: it is for its user's eyes.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::file("write", path, &error))
}

//! Images: the distributions' own, and those of our binary on them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bollard::Docker;
use bollard::query_parameters::{
    BuildImageOptions, CreateImageOptions, ListContainersOptions, ListImagesOptions, RemoveContainerOptions,
    RemoveImageOptions,
};
use decnet_compose::{BuildContext, Idle, Platform, layout};
use decnet_core::Plan;

use super::context::archive;
use super::daemon::{is_moot, next, said, words};
use crate::engine::{Phase, Progress};
use crate::error::EngineError;

/// How long a pull may make no progress.
const STALL: std::time::Duration = std::time::Duration::from_secs(60);
/// The label on every image that is built (its Dockerfile sets it).
const LABEL: &str = "decnet.image=service";
/// What stands for no base at all.
const SCRATCH: &str = "scratch";

/// Gets what the plan's deckies and custom services run, where it is not here. A distribution that cannot be
/// had is replaced by our own minimal base in the platform, with a warning; a custom service's image cannot
/// be replaced.
pub(super) async fn provide(
    docker: &Docker,
    plan: &Plan,
    platform: &mut Platform,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<String>, EngineError> {
    let distros: BTreeSet<&str> = plan.deckies.iter().map(|decky| decky.distro.as_str()).collect();
    let mut wanted: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for distro in distros {
        if let Some(image) = platform.images.get(distro).filter(|image| image.image != SCRATCH) {
            wanted.entry(image.image.clone()).or_default().push(distro);
        }
    }
    let customs = custom_images(plan);
    let total = wanted.len() + customs.len();
    let mut warnings = Vec::new();
    let mut done = 0;
    for (image, distros) in wanted {
        progress(Progress { phase: Phase::Pull, done, total });
        if let Err(why) = have(docker, &image).await {
            warnings.push(format!(
                "the image {image} cannot be had ({why}): {} run on a minimal base of our own; nothing that \
                 the network shows depends on it",
                distros.join(", ")
            ));
            for distro in distros {
                if let Some(image) = platform.images.get_mut(distro) {
                    image.idle = Idle::Own;
                    image.build_base = SCRATCH.to_owned();
                    image.image = SCRATCH.to_owned();
                }
            }
        }
        done += 1;
    }
    for (slug, image) in customs {
        progress(Progress { phase: Phase::Pull, done, total });
        have(docker, &image).await.map_err(|why| EngineError::Docker {
            action: format!("get the image {image} of the service {slug}"),
            why: format!("{why}; build or load it here, or leave the service out"),
        })?;
        done += 1;
    }
    progress(Progress { phase: Phase::Pull, done, total });
    Ok(warnings)
}

fn custom_images(plan: &Plan) -> BTreeMap<String, String> {
    plan.deckies
        .iter()
        .flat_map(|decky| &decky.services)
        .filter(|service| service.custom)
        .filter_map(|service| {
            let custom = plan.custom_services.iter().find(|custom| custom.slug == service.slug)?;
            Some((custom.slug.clone(), custom.image.clone()))
        })
        .collect()
}

/// Whether the image is here, after trying to pull it.
async fn have(docker: &Docker, image: &str) -> Result<(), String> {
    match docker.inspect_image(image).await {
        Ok(_) => return Ok(()),
        Err(error) if is_moot(&error) => {}
        Err(error) => return Err(words(&error)),
    }
    // Without a tag or digest the daemon would fetch every tag there is.
    let tagged = image.rsplit('/').next().is_some_and(|last| last.contains(':') || last.contains('@'));
    let from_image = if tagged { image.to_owned() } else { format!("{image}:latest") };
    let options = CreateImageOptions { from_image: Some(from_image), ..Default::default() };
    let mut steps = Box::pin(docker.create_image(Some(options), None, None));
    loop {
        match tokio::time::timeout(STALL, next(&mut steps)).await {
            Err(_) => return Err(format!("nothing came for {} s", STALL.as_secs())),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(short(&words(&error))),
            Ok(Some(Ok(step))) => {
                if let Some(error) = step.error {
                    return Err(short(&error));
                }
            }
        }
    }
}

/// The last part of a chain of causes, which says what it was.
fn short(text: &str) -> String {
    text.rsplit(": ").next().unwrap_or(text).to_owned()
}

/// Builds the images of our binary that are not here yet.
pub(super) async fn build(
    docker: &Docker,
    contexts: &[BuildContext],
    binary: &[u8],
    anew: bool,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), EngineError> {
    let total = contexts.len();
    for (done, context) in contexts.iter().enumerate() {
        progress(Progress { phase: Phase::Build, done, total });
        if anew || docker.inspect_image(&context.image).await.is_err() {
            build_one(docker, context, binary, anew).await?;
        }
    }
    progress(Progress { phase: Phase::Build, done: total, total });
    Ok(())
}

async fn build_one(
    docker: &Docker,
    context: &BuildContext,
    binary: &[u8],
    anew: bool,
) -> Result<(), EngineError> {
    let mut files: Vec<(&str, u32, &[u8])> = vec![("Dockerfile", 0o644, context.dockerfile.as_bytes())];
    files.extend(context.files().iter().map(|name| (*name, decnet_compose::BINARY_MODE, binary)));
    let options = BuildImageOptions {
        t: Some(context.image.clone()),
        buildargs: Some(HashMap::from([("BASE_IMAGE".to_owned(), context.base_image.clone())])),
        nocache: anew,
        rm: true,
        forcerm: true,
        // Nothing is fetched while it is built.
        networkmode: Some("none".to_owned()),
        ..Default::default()
    };
    let body = bollard::body_full(archive(&files).into());
    let action = || format!("build the image {} on {}", context.image, context.base_image);
    let mut steps = Box::pin(docker.build_image(options, None, Some(body)));
    while let Some(step) = next(&mut steps).await {
        let step = step.map_err(said(action()))?;
        if let Some(why) = step.error {
            return Err(EngineError::Docker { action: action(), why });
        }
    }
    Ok(())
}

/// Removes what a build that was cut off left: the container of its last step. Those of a fleet carry its
/// label, and those of a build have never run. Returns whether there were any.
pub(super) async fn remove_left_over_steps(docker: &Docker) -> bool {
    let filters = HashMap::from([
        ("label".to_owned(), vec![LABEL.to_owned()]),
        ("status".to_owned(), vec!["created".to_owned()]),
    ]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let mut any = false;
    for container in docker.list_containers(Some(options)).await.unwrap_or_default() {
        let is_fleets =
            container.labels.as_ref().is_some_and(|labels| labels.contains_key(layout::LABEL_FLEET));
        if let (Some(id), false) = (container.id, is_fleets) {
            any = true;
            let options = RemoveContainerOptions { force: true, ..Default::default() };
            // A build that still goes on takes it away itself.
            let _ = docker.remove_container(&id, Some(options)).await;
        }
    }
    any
}

/// Removes these images of ours, but for those that another fleet's containers use.
pub(super) async fn remove(docker: &Docker, names: &[String]) -> Vec<String> {
    /// The daemon's "a container uses it".
    const CONFLICT: u16 = 409;
    let mut problems = Vec::new();
    for name in names {
        match docker.remove_image(name, None::<RemoveImageOptions>, None).await {
            Ok(_) => {}
            Err(bollard::errors::Error::DockerResponseServerError { status_code: CONFLICT, .. }) => {}
            Err(error) if is_moot(&error) => {}
            Err(error) => problems.push(format!("image {name}: {}", words(&error))),
        }
    }
    problems
}

/// Every image of ours on this daemon, by name; those without a name by id.
pub(super) async fn ours(docker: &Docker) -> Vec<String> {
    let filters = HashMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
    let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
    let found = docker.list_images(Some(options)).await.unwrap_or_default();
    found
        .into_iter()
        .flat_map(|image| {
            let named: Vec<String> =
                image.repo_tags.into_iter().filter(|name| !name.starts_with("<none>")).collect();
            if named.is_empty() { vec![image.id] } else { named }
        })
        .collect()
}

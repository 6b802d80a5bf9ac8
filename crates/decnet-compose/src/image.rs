//! Images of our binary: one per distinct build base and not one per service, because the binary holds
//! every service, and building is what takes the time.

use crate::layout::{BINARY, CONTEXT_BINARY, UNPRIVILEGED};

/// The permissions of the binary in a build context (the classic builder cannot set them).
pub const BINARY_MODE: u32 = 0o755;

/// A directory to build an image from: a Dockerfile, and beside it our static binary, which the caller
/// puts there as [`CONTEXT_BINARY`] with [`BINARY_MODE`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildContext {
    /// The name of the image: `decnet/service:debian-0.1.0`.
    pub image: String,
    /// The value of the build argument `BASE_IMAGE`.
    pub base_image: String,
    /// Where the context lies, relative to the compose file.
    pub directory: String,
    /// The text of its `Dockerfile`.
    pub dockerfile: String,
}

impl BuildContext {
    pub(crate) fn new(slug: &str, base_image: &str, tag: &str) -> BuildContext {
        BuildContext {
            image: format!("decnet/service:{slug}-{tag}"),
            base_image: base_image.to_owned(),
            directory: format!("./images/{slug}"),
            dockerfile: dockerfile(),
        }
    }

    /// The files of the context beside the Dockerfile, by name.
    pub fn files(&self) -> &'static [&'static str] {
        &[CONTEXT_BINARY]
    }
}

/// The label is how teardown finds images; it is not visible from inside.
fn dockerfile() -> String {
    format!(
        "ARG BASE_IMAGE\n\
         FROM ${{BASE_IMAGE}}\n\
         LABEL decnet.image=service\n\
         COPY {CONTEXT_BINARY} {BINARY}\n\
         USER {UNPRIVILEGED}\n\
         ENTRYPOINT [\"{BINARY}\"]\n\
         CMD []\n"
    )
}

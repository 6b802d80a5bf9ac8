//! One module per command: arguments in, an outcome out.

pub(crate) mod catalogue;
pub(crate) mod compose;
pub(crate) mod deploy;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod generate;
pub(crate) mod lab;
pub(crate) mod plan_view;
pub(crate) mod status;
pub(crate) mod teardown;
pub(crate) mod validate;
pub(crate) mod visit;

use decnet_core::Catalogue;

/// The catalogue of everything that is linked in.
pub(crate) fn catalogue_of_all() -> Catalogue {
    Catalogue::builtin(decnet_services::registry::descriptors())
}

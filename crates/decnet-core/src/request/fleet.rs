//! A fleet asked for on the command line.

use super::{Group, Request};
use crate::diagnostic::{Origin, Spanned};

/// The flags of `decnet deploy` that describe deckies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetFlags {
    /// `--deckies`: how many.
    pub deckies: String,
    /// `--services`: comma list of slugs.
    pub services: Option<String>,
    /// `--randomize-services`.
    pub randomize_services: bool,
    /// `--distro`: comma list of slugs.
    pub distro: Option<String>,
    /// `--randomize-distros`.
    pub randomize_distros: bool,
    /// `--archetype`.
    pub archetype: Option<String>,
}

impl Request {
    /// One group named `decky`, whose members are `decky-01`, `decky-02`, … even where there is but one.
    /// Every value's place is its flag. `general` and `ip_start` are the caller's to add.
    ///
    /// ```
    /// use decnet_core::request::{FleetFlags, Request};
    ///
    /// let flags = FleetFlags { deckies: "20".into(), randomize_services: true, ..FleetFlags::default() };
    /// let request = Request::fleet(flags);
    /// assert_eq!(request.groups[0].amount.as_ref().unwrap().origin.to_string(), "--deckies");
    /// ```
    pub fn fleet(flags: FleetFlags) -> Request {
        let flag = |name: &'static str, value: String| Spanned::new(value, Origin::Flag(name));
        let switch = |name: &'static str, on: bool| on.then(|| flag(name, "yes".to_owned()));
        let group = Group {
            amount: Some(flag("--deckies", flags.deckies)),
            services: flags.services.map(|value| flag("--services", value)),
            randomize_services: switch("--randomize-services", flags.randomize_services),
            distro: flags.distro.map(|value| flag("--distro", value)),
            randomize_distros: switch("--randomize-distros", flags.randomize_distros),
            archetype: flags.archetype.map(|value| flag("--archetype", value)),
            numbered: true,
            ..Group::new(flag("--deckies", "decky".to_owned()))
        };
        Request { groups: vec![group], ..Request::default() }
    }
}

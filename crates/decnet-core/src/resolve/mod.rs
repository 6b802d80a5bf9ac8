//! From a request to a plan.
//!
//! [`resolve`] is a pure function: the same request, facts, catalogue and options give the same plan, byte
//! for byte. It finds everything that is wrong in one run, and makes a plan only if nothing is.
//!
//! ```
//! use decnet_core::request::{FleetFlags, Request};
//! use decnet_core::service::{Port, ServiceDescriptor};
//! use decnet_core::{Catalogue, HostFacts, ResolveOptions, resolve};
//!
//! static SSH: ServiceDescriptor = ServiceDescriptor {
//!     slug: "ssh",
//!     role: "SSH",
//!     ports: &[Port::tcp(22)],
//!     keys: &[],
//!     families: &[decnet_core::identity::OsFamily::Linux],
//!     yields: &[],
//!     narrow: None,
//!     image: None,
//! };
//!
//! let flags = FleetFlags { deckies: "3".into(), services: Some("ssh".into()), ..FleetFlags::default() };
//! let facts = HostFacts { subnet: Some("192.168.1.0/24".parse().unwrap()), ..HostFacts::default() };
//! let catalogue = Catalogue::builtin([&SSH]);
//! let (plan, _) = resolve(&Request::fleet(flags), &facts, &catalogue, &ResolveOptions::seeded(7));
//! let plan = plan.unwrap();
//! assert_eq!(plan.deckies[0].name, "decky-01");
//! assert_eq!(plan.deckies[2].address.to_string(), "192.168.1.4");
//! ```

mod addresses;
mod customs;
mod distros;
mod general;
mod groups;
mod hosts;
mod logging;
mod members;
mod personas;
mod ports;
mod services;
mod words;

pub use logging::log_targets;

use crate::catalogue::Catalogue;
use crate::diagnostic::{Diagnostic, Origin, has_errors, sort_by_place};
use crate::facts::HostFacts;
use crate::identity::derive::{Claim, Derived, Site, Wanted, derive};
use crate::plan::{Decky, Plan, ServicePlan, VERSION};
use crate::request::Request;
use crate::seed::Seed;
use crate::service::PersonaValues;

/// What resolving needs beside request, facts and catalogue.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResolveOptions<'a> {
    /// The seed where the request names none: drawn once by the caller and stored with the deployment.
    pub seed: u64,
    /// The plan that is deployed. Its deckies keep addresses, names and machines, as far as the request
    /// leaves them so; without the same seed it is ignored.
    pub previous: Option<&'a Plan>,
}

impl ResolveOptions<'_> {
    /// A seed and no plan before this one.
    pub const fn seeded(seed: u64) -> Self {
        ResolveOptions { seed, previous: None }
    }
}

/// The most deckies of one plan.
pub const MOST_DECKIES: usize = 1 << 16;

/// Makes a plan of a request.
///
/// Everything that is wrong, doubtful or worth knowing comes back, sorted by place. There is a plan if and
/// only if nothing of it is an error.
pub fn resolve(
    request: &Request,
    facts: &HostFacts,
    catalogue: &Catalogue,
    options: &ResolveOptions<'_>,
) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let plan = build(request, facts, catalogue, options, &mut diagnostics);
    sort_by_place(&mut diagnostics);
    let plan = plan.filter(|_| !has_errors(&diagnostics));
    (plan, diagnostics)
}

fn build(
    request: &Request,
    facts: &HostFacts,
    catalogue: &Catalogue,
    options: &ResolveOptions<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Plan> {
    let general = general::resolve(request, facts, options.seed, diagnostics);
    let root = Seed::from_number(general.seed);
    let previous = options.previous.filter(|previous| previous.seed == general.seed);

    let customs = customs::resolve(&request.customs, catalogue, diagnostics);
    let known = services::Known::new(catalogue, &customs);
    let capacity = general.network.as_ref().map(|network| network.subnet);
    let groups = groups::resolve(&request.groups, &known, capacity, diagnostics);
    if request.groups.is_empty() {
        diagnostics.push(
            Diagnostic::error("fleet.empty", Origin::Program, "there are no deckies")
                .help("write a section such as `[web]` with `services = ssh, http`, or use --deckies"),
        );
        return None;
    }
    let members = members::expand(&groups, previous, diagnostics);
    let distros = distros::choose(&groups, &members, catalogue, &root);
    let slugs = services::choose(&groups, &members, &known, &root);
    let personas = personas::resolve(&request.personas, &groups, &members, &slugs, &known, diagnostics);
    customs::warn_unused(&request.customs, &slugs, diagnostics);

    let attachment = general.network.as_ref().map(|network| network.attachment);
    let mut taken = hosts::reserve(&groups, catalogue, attachment, diagnostics);
    let addresses = addresses::assign(&groups, &members, &general, facts, previous.is_some(), diagnostics);

    let site = Site::new(catalogue, root, general.domain.clone());
    let mut derived: Vec<Option<Derived>> = members.list.iter().map(|_| None).collect();
    for &at in &members.order {
        let member = &members.list[at];
        let group = &groups[member.group];
        let services: Vec<&str> = slugs[at].iter().map(String::as_str).collect();
        let claim = Claim {
            archetype: group.archetype,
            family: group.family,
            persona: group.persona,
            distro: distros[at],
            distro_is_explicit: group.names_distro(),
            services: &services,
        };
        let wanted = Wanted {
            name: &member.name,
            claim,
            hostname: group.hostname.as_ref().map(|name| (name.short.as_str(), name.domain.as_deref())),
            mac: group.mac,
            wants_account: personas::wants_account(&services, |slug| personas.of(at, member.group, slug)),
            previous: member.previous,
        };
        derived[at] = Some(derive(catalogue, &site, &wanted, &mut taken));
    }

    let mut clashes = ports::Clashes::default();
    let mut deckies = Vec::with_capacity(members.list.len());
    for (at, (member, derived)) in members.list.iter().zip(derived).enumerate() {
        let Some(Derived { identity, mac, persona }) = derived else { continue };
        let group = &groups[member.group];
        let values: Vec<PersonaValues> =
            slugs[at].iter().map(|slug| personas.of(at, member.group, slug)).collect();
        let ports = ports::of_decky(&slugs[at], &values, &identity, &known);
        clashes.check(member, group, &slugs[at], &ports, diagnostics);
        let services = slugs[at]
            .iter()
            .zip(ports)
            .zip(values)
            .map(|((slug, ports), persona)| ServicePlan {
                slug: slug.clone(),
                ports,
                persona,
                custom: known.is_custom(slug),
            })
            .collect();
        hosts::check_vendor(group, &identity, catalogue, mac, diagnostics);
        let Some(address) = addresses.get(at).copied().flatten() else { continue };
        deckies.push(Decky {
            name: member.name.clone(),
            group: group.name().to_owned(),
            archetype: group.archetype.map(|archetype| archetype.slug.clone()),
            address,
            mac,
            os_persona: persona.to_owned(),
            os_facts: group.persona.and_then(|persona| persona.facts.clone()),
            distro: distros[at].slug.clone(),
            identity,
            services,
        });
    }
    deckies.sort_by(|a: &Decky, b: &Decky| members::by_name(&a.name, &b.name));
    let fleet: String = root.bytes()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Plan {
        version: VERSION,
        fleet: format!("fleet-{fleet}"),
        seed: general.seed,
        network: general.network?,
        domain: site.domain,
        engine: general.engine,
        logging: general.logging,
        custom_services: customs,
        deckies,
    })
}

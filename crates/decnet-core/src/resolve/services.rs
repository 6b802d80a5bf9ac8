//! Which services each decky offers.

use std::collections::{HashMap, HashSet};

use super::groups::{Group, Services};
use super::members::Members;
use super::ports;
use crate::catalogue::Catalogue;
use crate::identity::OsFamily;
use crate::identity::derive::decky_seed;
use crate::plan::CustomService;
use crate::seed::{Draw, Seed};
use crate::service::ServiceDescriptor;

/// The built-in services and the user's own.
pub(super) struct Known<'a> {
    pub(super) catalogue: &'a Catalogue,
    customs: &'a [CustomService],
}

impl<'a> Known<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, customs: &'a [CustomService]) -> Self {
        Known { catalogue, customs }
    }

    pub(super) fn builtin(&self, slug: &str) -> Option<&'static ServiceDescriptor> {
        self.catalogue.service(slug)
    }

    pub(super) fn custom(&self, slug: &str) -> Option<&'a CustomService> {
        self.customs.iter().find(|custom| custom.slug == slug)
    }

    pub(super) fn is_custom(&self, slug: &str) -> bool {
        self.custom(slug).is_some()
    }

    pub(super) fn has(&self, slug: &str) -> bool {
        self.builtin(slug).is_some() || self.is_custom(slug)
    }

    /// Every slug.
    pub(super) fn slugs(&self) -> impl Iterator<Item = &str> + Clone {
        let builtin: Vec<&'static str> = self.catalogue.services().map(|service| service.slug).collect();
        builtin.into_iter().chain(self.customs.iter().map(|custom| custom.slug.as_str()))
    }
}

/// The services of every member, sorted by slug.
pub(super) fn choose(
    groups: &[Group<'_>],
    members: &Members<'_>,
    known: &Known<'_>,
    root: &Seed,
) -> Vec<Vec<String>> {
    let mut chosen: Vec<Vec<String>> = vec![Vec::new(); members.list.len()];
    let mut random = Random::default();
    for &at in &members.order {
        let member = &members.list[at];
        let group = &groups[member.group];
        chosen[at] = match &group.services {
            Services::Fixed(slugs) => slugs.clone(),
            Services::Random => {
                let before =
                    member.same_before(group).filter(|before| before.identity.os.family == group.family);
                let before = before.map(|before| before.services.iter().map(|service| service.slug.as_str()));
                let mut draw = decky_seed(root, &member.name).draw(&["services"]);
                random.set(group.family, known.catalogue, before, &mut draw)
            }
        };
    }
    chosen
}

/// The most services that are drawn for one decky.
const MOST: u64 = 3;

/// Draws sets of services, each once while there are any left.
#[derive(Default)]
struct Random {
    used: HashSet<Vec<&'static str>>,
    pools: HashMap<OsFamily, Pool>,
}

/// The services that a family may offer.
struct Pool {
    services: Vec<&'static ServiceDescriptor>,
    /// Every set that is possible, made when drawing has become hopeless, and how far it has been used.
    all: Option<(Vec<Vec<&'static str>>, usize)>,
}

impl Random {
    fn set<'b>(
        &mut self,
        family: OsFamily,
        catalogue: &Catalogue,
        before: Option<impl Iterator<Item = &'b str>>,
        draw: &mut Draw,
    ) -> Vec<String> {
        let pool = self.pools.entry(family).or_insert_with(|| Pool {
            services: catalogue.services().filter(|service| service.families.contains(&family)).collect(),
            all: None,
        });
        let owned = |set: &[&str]| set.iter().map(|slug| (*slug).to_owned()).collect();
        if let Some(before) = before {
            let kept: Option<Vec<&'static str>> = before
                .map(|slug| {
                    pool.services.iter().find(|service| service.slug == slug).map(|service| service.slug)
                })
                .collect();
            if let Some(kept) = kept.filter(|kept| (1..=MOST as usize).contains(&kept.len()))
                && self.used.insert(kept.clone())
            {
                return owned(&kept);
            }
        }
        let mut last = Vec::new();
        for _ in 0..48 {
            last = pool.draw(draw);
            if self.used.insert(last.clone()) {
                return owned(&last);
            }
        }
        let (all, next) = pool.all.get_or_insert_with(|| (every_set(&pool.services), 0));
        while let Some(set) = all.get(*next) {
            *next += 1;
            if self.used.insert(set.clone()) {
                return owned(set);
            }
        }
        owned(&last)
    }
}

impl Pool {
    /// One to three services of which no two want one port, sorted.
    fn draw(&self, draw: &mut Draw) -> Vec<&'static str> {
        let wanted = draw.between(1, MOST);
        let mut set: Vec<&'static ServiceDescriptor> = Vec::new();
        for _ in 0..wanted {
            let fitting: Vec<_> =
                self.services.iter().copied().filter(|service| fits(&set, service)).collect();
            let Some(service) = draw.pick(&fitting) else { break };
            set.push(service);
        }
        sorted(&set)
    }
}

fn fits(set: &[&'static ServiceDescriptor], service: &'static ServiceDescriptor) -> bool {
    set.iter().all(|other| other.slug != service.slug && !ports::contend(other, service))
}

fn sorted(set: &[&'static ServiceDescriptor]) -> Vec<&'static str> {
    let mut slugs: Vec<&'static str> = set.iter().map(|service| service.slug).collect();
    slugs.sort_unstable();
    slugs
}

/// Every set of one to three services that can share a host.
fn every_set(services: &[&'static ServiceDescriptor]) -> Vec<Vec<&'static str>> {
    let mut all = Vec::new();
    for (i, &a) in services.iter().enumerate() {
        all.push(sorted(&[a]));
        for (j, &b) in services.iter().enumerate().skip(i + 1).filter(|(_, b)| fits(&[a], b)) {
            all.push(sorted(&[a, b]));
            for &c in services.iter().skip(j + 1).filter(|c| fits(&[a, b], c)) {
                all.push(sorted(&[a, b, c]));
            }
        }
    }
    all
}

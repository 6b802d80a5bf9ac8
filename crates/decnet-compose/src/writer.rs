//! Writes the compose file, the containers of one decky after the other.

use std::collections::BTreeMap;

use decnet_core::identity::OsFamily;
use decnet_core::plan::{Decky, Plan, ServicePlan};

use crate::container::{Fleet, Names};
use crate::image::BuildContext;
use crate::layout;
use crate::platform::{Options, Platform};
use crate::render::{DeckyFiles, Error, image};
use crate::template::{Filling, Slot, Template, indented};
use crate::text::{key, scalar};

/// How far a container stands in.
const INDENT: usize = 4;

/// What bases differ in by more than a scalar: distro, OS family, and whether there is a domain.
type BaseKind<'a> = (&'a str, OsFamily, bool);

/// The file as far as it is written, and the templates made for it.
pub(crate) struct Writer<'a> {
    plan: &'a Plan,
    platform: &'a Platform,
    fleet: Fleet<'a>,
    contexts: &'a BTreeMap<&'a str, BuildContext>,
    bases: BTreeMap<BaseKind<'a>, Template>,
    /// Guard and service, by build context.
    owns: BTreeMap<&'a str, (Template, Template)>,
    /// The file so far.
    text: String,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        platform: &'a Platform,
        options: &'a Options,
        contexts: &'a BTreeMap<&'a str, BuildContext>,
    ) -> Writer<'a> {
        let containers: usize = plan.deckies.iter().map(|decky| 2 + decky.services.len()).sum();
        Writer {
            plan,
            platform,
            fleet: Fleet {
                name: &plan.fleet,
                lan: &options.lan_network,
                attachment: plan.network.attachment,
            },
            contexts,
            bases: BTreeMap::new(),
            owns: BTreeMap::new(),
            // About what a container takes, so that the text is not moved while it grows.
            text: String::with_capacity(2048 + containers * 1200),
        }
    }

    /// Writes text as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// The whole text.
    pub(crate) fn finish(self) -> String {
        self.text
    }

    /// Writes the containers of a decky.
    pub(crate) fn decky(&mut self, decky: &'a Decky, files: &DeckyFiles) -> Result<(), Error> {
        let names = &decky.identity.names;
        let guard = layout::guard_name(decky);
        // Keyed with the decky's seed: the label tells nothing of what the file holds.
        let revision = decky.identity.seed.derive(&["host file", &files.host_file_text]);
        let mut filling = Filling::default();
        filling.set(Slot::Decky, key(&decky.name)?);
        filling.set(Slot::Namespace, scalar(&namespace(decky))?);
        filling.set(Slot::Guard, key(&guard)?);
        filling.set(Slot::Hostname, scalar(&names.hostname)?);
        filling.set(Slot::Domain, scalar(&names.domain)?);
        filling.set(Slot::Mac, scalar(&decky.mac.to_string())?);
        filling.set(Slot::Address, scalar(&decky.address.to_string())?);
        filling.set(Slot::HostFile, scalar(&files.host_file.to_string_lossy())?);
        filling.set(Slot::Revision, scalar(&layout::hexadecimal(revision.bytes()))?);

        let image = image(self.platform, &decky.name, &decky.distro)?;
        let slug = self.platform.context_slug(&decky.distro, &image.build_base);
        let family = decky.identity.os.family;
        let sysctls = self.platform.sysctls.get(&family);
        let sysctls = sysctls.ok_or_else(|| Error::NoSysctls { decky: decky.name.clone(), family })?;
        let own = &self.contexts[slug];

        let kind = (decky.distro.as_str(), family, !names.domain.is_empty());
        if !self.bases.contains_key(&kind) {
            let base = self.fleet.base(image, own, sysctls, kind.2);
            self.bases.insert(kind, Template::new(&base, INDENT)?);
        }
        if !self.owns.contains_key(slug) {
            let guard = Template::new(&self.fleet.guard(own), INDENT)?;
            let service = Template::new(&self.fleet.service(own), INDENT)?;
            self.owns.insert(slug, (guard, service));
        }

        self.name(layout::base_name(decky))?;
        self.bases[&kind].fill(&filling, &mut self.text);
        self.name(&guard)?;
        filling.set(Slot::LogDirectory, log_scalar(files, None)?);
        self.owns[slug].0.fill(&filling, &mut self.text);
        for service in &decky.services {
            self.name(&layout::service_name(decky, &service.slug))?;
            if self.platform.is_own(service) {
                filling.set(Slot::LogDirectory, log_scalar(files, Some(&service.slug))?);
                filling.set(Slot::Service, key(&service.slug)?);
                self.owns[slug].1.fill(&filling, &mut self.text);
            } else {
                let text = self.custom(decky, service)?;
                self.text.push_str(&text);
            }
        }
        Ok(())
    }

    /// The key under which a container stands.
    fn name(&mut self, name: &str) -> Result<(), Error> {
        let name = key(name)?;
        self.text.push_str("  ");
        self.text.push_str(&name);
        self.text.push_str(":\n");
        Ok(())
    }

    /// A service that is not our binary.
    fn custom(&self, decky: &Decky, service: &ServicePlan) -> Result<String, Error> {
        let missing = || Error::NoCustomService { decky: decky.name.clone(), slug: service.slug.clone() };
        let (image, exec) = if service.custom {
            let own = self.plan.custom_services.iter().find(|custom| custom.slug == service.slug);
            let own = own.ok_or_else(missing)?;
            (own.image.as_str(), own.exec.as_slice())
        } else {
            let image = self.platform.service_images.get(&service.slug).ok_or_else(missing)?;
            (image.as_str(), &[][..])
        };
        let names = Names {
            decky: (&decky.name).into(),
            namespace: namespace(decky).into(),
            guard: layout::guard_name(decky).into(),
        };
        Ok(indented(&self.fleet.custom(names, image, exec, &service.slug), INDENT)?)
    }
}

/// The network mode of a container that joins the decky's namespace.
fn namespace(decky: &Decky) -> String {
    format!("service:{}", layout::base_name(decky))
}

/// The log directory of a service, or of the guard.
fn log_scalar(files: &DeckyFiles, service: Option<&str>) -> Result<String, Error> {
    let path = files.log_directory(service).unwrap_or(&files.directory);
    Ok(scalar(&path.to_string_lossy())?.into_owned())
}

//! The kinds of containers that a decky is made of.

use std::collections::BTreeMap;

use decnet_core::plan::Attachment;
use serde_saphyr::FlowSeq;

use crate::file::{Arguments, Bind, Build, Endpoint, Service};
use crate::hardening;
use crate::image::BuildContext;
use crate::layout;
use crate::platform::{Idle, Image, Sysctls};
use crate::template::Slot;
use crate::text::{Key, Value};

/// How the containers of a decky call each other.
pub(crate) struct Names<'a> {
    /// The base, which is also the decky's name.
    pub(crate) decky: Value<'a>,
    /// The base as a network mode.
    pub(crate) namespace: Value<'a>,
    /// The guard.
    pub(crate) guard: Value<'a>,
}

/// The names in a template.
const SLOTS: Names<'static> = Names {
    decky: Value::Slot(Slot::Decky),
    namespace: Value::Slot(Slot::Namespace),
    guard: Value::Slot(Slot::Guard),
};

/// What the containers of a fleet have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fleet<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The network that its deckies join.
    pub(crate) lan: &'a str,
    /// How they join it.
    pub(crate) attachment: Attachment,
}

impl<'a> Fleet<'a> {
    /// The container that is the decky to the network. Nothing listens in it.
    pub(crate) fn base(
        &self,
        image: &'a Image,
        own: &'a BuildContext,
        sysctls: &'a Sysctls,
        domain: bool,
    ) -> Service<'a> {
        let (port_start, zero) = hardening::UNPRIVILEGED_PORTS;
        let mut settings: BTreeMap<Key<'_>, Value<'_>> =
            sysctls.iter().map(|(key, value)| (Key(key), value.into())).collect();
        settings.insert(Key(port_start), zero.into());
        let base = Service {
            hostname: Some(Slot::Hostname.into()),
            domainname: domain.then(|| Slot::Domain.into()),
            // The service's key and not the endpoint's, which docker-compose 1 refuses. An IPvlan has the
            // NIC's own address.
            mac_address: (self.attachment == Attachment::Macvlan).then(|| Slot::Mac.into()),
            networks: Some(BTreeMap::from([(
                Key(self.lan),
                Endpoint { ipv4_address: Slot::Address.into() },
            )])),
            sysctls: Some(settings),
            labels: self.labels(layout::ROLE_BASE, Slot::Decky.into()),
            ..hardening::base()
        };
        match image.idle {
            Idle::Sleep => Service {
                image: Some((&image.image).into()),
                entrypoint: Some(words(["sleep", "infinity"])),
                ..base
            },
            Idle::Own => run(own, ["internal", "idle"], base),
        }
    }

    /// The sidecar that makes the namespace reply-only: it may answer, not ask, but for what its services
    /// must say first. It stays and is restarted with the base, rather than running once, because a daemon
    /// that restarts brings the base up in a new namespace, and a namespace without its guard is open.
    ///
    /// The packet persona has its place beside it: a second sidecar, with NET_ADMIN, NET_RAW and
    /// /dev/net/tun, that the services wait for as they wait for the guard.
    pub(crate) fn guard(&self, own: &'a BuildContext) -> Service<'a> {
        let guard = run(own, ["internal", "guard"], hardening::sidecar(&["NET_ADMIN"]));
        self.told(self.joined(guard, layout::ROLE_GUARD, SLOTS))
    }

    /// A service of ours.
    pub(crate) fn service(&self, own: &'a BuildContext) -> Service<'a> {
        let service = run(own, ["internal", "serve", "--service"], hardening::service());
        let mut service = self.told(self.joined(service, layout::ROLE_SERVICE, SLOTS));
        service.labels.insert(layout::LABEL_SERVICE, Slot::Service.into());
        if let Some(FlowSeq(command)) = &mut service.command {
            command.push(Slot::Service.into());
        }
        service
    }

    /// A service that is a stranger's image, unchanged. What it prints is what it logs. Its command may
    /// hold any text, so it is no template.
    pub(crate) fn custom(
        &self,
        names: Names<'a>,
        image: &'a str,
        exec: &'a [String],
        slug: &'a str,
    ) -> Service<'a> {
        let mut service = self.joined(hardening::custom(), layout::ROLE_CUSTOM, names);
        service.image = Some(image.into());
        service.command = (!exec.is_empty()).then(|| FlowSeq(exec.iter().map(Value::from).collect()));
        service.labels.insert(layout::LABEL_SERVICE, slug.into());
        service
    }

    /// Puts a container into the decky's namespace; all but the guard wait for the guard.
    fn joined(&self, service: Service<'a>, role: &'static str, names: Names<'a>) -> Service<'a> {
        let mut after = vec![names.decky.clone()];
        if role != layout::ROLE_GUARD {
            after.push(names.guard);
        }
        Service {
            network_mode: Some(names.namespace),
            depends_on: Some(FlowSeq(after)),
            labels: self.labels(role, names.decky),
            ..service
        }
    }

    /// Gives a container of ours its host file and log socket.
    fn told(&self, mut service: Service<'a>) -> Service<'a> {
        let bind =
            |source: Slot, target| Bind { r#type: "bind", source: source.into(), target, read_only: true };
        service.volumes =
            vec![bind(Slot::HostFile, layout::HOST_FILE), bind(Slot::LogDirectory, layout::LOG_DIRECTORY)];
        service.labels.insert(layout::LABEL_REVISION, Slot::Revision.into());
        service
    }

    fn labels(&self, role: &'static str, decky: Value<'a>) -> BTreeMap<&'static str, Value<'a>> {
        BTreeMap::from([
            (layout::LABEL_FLEET, self.name.into()),
            (layout::LABEL_DECKY, decky),
            (layout::LABEL_ROLE, role.into()),
        ])
    }
}

/// Makes a container run our binary.
fn run<'a, const N: usize>(
    own: &'a BuildContext,
    command: [&'a str; N],
    service: Service<'a>,
) -> Service<'a> {
    Service {
        image: Some((&own.image).into()),
        build: Some(Build {
            context: (&own.directory).into(),
            args: Arguments { base_image: (&own.base_image).into() },
        }),
        command: Some(words(command)),
        ..service
    }
}

fn words<'a, const N: usize>(words: [&'a str; N]) -> FlowSeq<Vec<Value<'a>>> {
    FlowSeq(words.into_iter().map(Value::from).collect())
}

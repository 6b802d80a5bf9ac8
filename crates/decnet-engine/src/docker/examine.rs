//! What Docker is like on this machine.

use bollard::query_parameters::InspectNetworkOptions;
use decnet_compose::layout;

use super::compose::Compose;
use super::daemon::Daemon;
use crate::doctor::{Finding, Verdict};
use crate::error::EngineError;

/// The oldest version of the API that was tried: that of Docker 20.10.
const OLDEST: (u32, u32) = (1, 41);

/// Looks for a daemon and for compose.
pub(crate) fn examine() -> Vec<Finding> {
    let finding = |subject: &str, verdict, found: String, remedy: &str| Finding {
        subject: subject.to_owned(),
        verdict,
        found,
        remedy: (verdict != Verdict::Good).then(|| remedy.to_owned()),
    };
    let daemon = match Daemon::connect() {
        Ok(daemon) => daemon,
        Err(error) => {
            return vec![finding(
                "Docker",
                Verdict::Limited,
                error.to_string(),
                "start Docker (`systemctl start docker`), or deploy with --engine native",
            )];
        }
    };
    let mut findings = Vec::new();
    let version = daemon.wait(daemon.docker.version()).unwrap_or_default();
    let (product, api) = (version.version.unwrap_or_default(), version.api_version.unwrap_or_default());
    let number =
        api.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let verdict = if number.is_some_and(|number: (u32, u32)| number >= OLDEST) {
        Verdict::Good
    } else {
        Verdict::Limited
    };
    findings.push(finding(
        "Docker",
        verdict,
        format!("version {product}, API {api}"),
        "use Docker 20.10 (API 1.41) or newer",
    ));
    if let Err(EngineError::NoDocker { why, .. }) = daemon.shares_our_network() {
        findings.push(finding(
            "Docker's network",
            Verdict::Limited,
            format!("the daemon cannot be used from here: {why}"),
            "run this on the machine itself, or deploy with --engine native",
        ));
    }
    findings.push(match Compose::find() {
        Ok(compose) => finding("compose", Verdict::Good, compose.name(), ""),
        Err(error) => finding(
            "compose",
            Verdict::Limited,
            error.to_string(),
            "install docker-compose-plugin (Docker's packages) or docker-compose (Debian's)",
        ),
    });
    let network =
        daemon.wait(daemon.docker.inspect_network(layout::LAN_NETWORK, None::<InspectNetworkOptions>));
    if let Ok(network) = network {
        let ours = network.labels.is_some_and(|labels| labels.contains_key(layout::LABEL_FLEET));
        if !ours {
            findings.push(finding(
                "Docker's networks",
                Verdict::Limited,
                format!("there is a network {} that this program did not make", layout::LAN_NETWORK),
                "remove it: `docker network rm decnet_lan`",
            ));
        }
    }
    findings
}

//! What every container is denied. All of it was tried together: a service with no capability at all,
//! as an unprivileged user, on a read-only root, binds 22, 80 and 445, because its namespace's
//! `ip_unprivileged_port_start` is 0.

use std::collections::BTreeMap;

use serde_saphyr::{FlowMap, FlowSeq};

use crate::file::{Logging, LoggingOptions, Service, Ulimits};
use crate::layout::UNPRIVILEGED;

/// Lets unprivileged users bind ports from 1 on, in the decky's namespace only.
pub(crate) const UNPRIVILEGED_PORTS: (&str, &str) = ("net.ipv4.ip_unprivileged_port_start", "0");

/// What a stranger's image usually needs to start as root and drop to a user of its own, and no more: of
/// Docker's default set NET_RAW (which opens packet sockets: ARP spoofing, sniffing the LAN), MKNOD,
/// AUDIT_WRITE, SETFCAP and SYS_CHROOT are missing.
const CUSTOM_CAPABILITIES: &[&str] =
    &["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETPCAP", "SETUID"];

/// What holds for every container.
fn common<'a>(pids: u32, memory: &'static str, cpus: f64) -> Service<'a> {
    Service {
        image: None,
        build: None,
        entrypoint: None,
        command: None,
        hostname: None,
        domainname: None,
        mac_address: None,
        networks: None,
        network_mode: None,
        depends_on: None,
        sysctls: None,
        init: None,
        user: None,
        read_only: None,
        cap_drop: FlowSeq(vec!["ALL"]),
        cap_add: None,
        security_opt: FlowSeq(vec!["no-new-privileges:true".into()]),
        ipc: "private",
        pids_limit: pids,
        mem_limit: memory,
        // The same as the memory: no swap.
        memswap_limit: memory,
        cpus,
        ulimits: FlowMap(Ulimits { nofile: 4096, core: 0 }),
        tmpfs: None,
        volumes: Vec::new(),
        logging: Logging {
            driver: "json-file",
            options: FlowMap(LoggingOptions { max_size: "1m", max_file: "3" }),
        },
        labels: BTreeMap::new(),
        restart: "unless-stopped",
        stop_grace_period: "1s",
    }
}

/// A base: it only idles.
pub(crate) fn base<'a>() -> Service<'a> {
    Service {
        // Without an init, process 1 ignores the request to stop and the daemon waits for its time-out.
        init: Some(true),
        user: Some(UNPRIVILEGED.into()),
        read_only: Some(true),
        ..common(16, "16m", 0.1)
    }
}

/// A service of ours.
pub(crate) fn service<'a>() -> Service<'a> {
    Service {
        user: Some(UNPRIVILEGED.into()),
        read_only: Some(true),
        tmpfs: Some(FlowSeq(vec!["/tmp:size=8m,noexec,nosuid,nodev".into()])),
        ..common(64, "64m", 0.25)
    }
}

/// A sidecar that works on the namespace with these capabilities. It is root inside, since added
/// capabilities are not in effect for any other user.
pub(crate) fn sidecar<'a>(capabilities: &[&'static str]) -> Service<'a> {
    Service {
        user: Some("0:0".into()),
        read_only: Some(true),
        cap_add: Some(FlowSeq(capabilities.to_vec())),
        ..common(16, "32m", 0.25)
    }
}

/// An image that is not ours: it may need to be root at first, and to write to its own files.
pub(crate) fn custom<'a>() -> Service<'a> {
    Service { cap_add: Some(FlowSeq(CUSTOM_CAPABILITIES.to_vec())), ..common(256, "256m", 0.5) }
}

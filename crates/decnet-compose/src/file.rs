//! The part of the compose format that is written here, as types; fields in the order of the file.
//!
//! There is no `version` (deprecated) and no `name` (unknown to docker-compose 1): the project's name is
//! given to the command.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_saphyr::{FlowMap, FlowSeq};

use crate::text::{Key, Value};

/// A short list, on one line.
pub(crate) type Line<T> = FlowSeq<Vec<T>>;

/// A service: one container.
#[derive(Debug, Serialize)]
pub(crate) struct Service<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<Build<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entrypoint: Option<Line<Value<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<Line<Value<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) domainname: Option<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mac_address: Option<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) networks: Option<BTreeMap<Key<'a>, Endpoint<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network_mode: Option<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) depends_on: Option<Line<Value<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sysctls: Option<BTreeMap<Key<'a>, Value<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) init: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<Value<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_only: Option<bool>,
    pub(crate) cap_drop: Line<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cap_add: Option<Line<&'static str>>,
    pub(crate) security_opt: Line<Value<'a>>,
    pub(crate) ipc: &'static str,
    pub(crate) pids_limit: u32,
    pub(crate) mem_limit: &'static str,
    pub(crate) memswap_limit: &'static str,
    pub(crate) cpus: f64,
    pub(crate) ulimits: FlowMap<Ulimits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tmpfs: Option<Line<Value<'a>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) volumes: Vec<Bind<'a>>,
    pub(crate) logging: Logging,
    pub(crate) labels: BTreeMap<&'static str, Value<'a>>,
    pub(crate) restart: &'static str,
    pub(crate) stop_grace_period: &'static str,
}

/// How an image is built.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Build<'a> {
    pub(crate) context: Value<'a>,
    pub(crate) args: Arguments<'a>,
}

/// The build arguments.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Arguments<'a> {
    #[serde(rename = "BASE_IMAGE")]
    pub(crate) base_image: Value<'a>,
}

/// A container's place in a network.
#[derive(Debug, Serialize)]
pub(crate) struct Endpoint<'a> {
    pub(crate) ipv4_address: Value<'a>,
}

/// Limits of a process. There is no `nproc`: the kernel counts it over all processes of a user, and the
/// services of the whole fleet are one user; `pids_limit` counts per container.
#[derive(Debug, Serialize)]
pub(crate) struct Ulimits {
    pub(crate) nofile: u32,
    pub(crate) core: u32,
}

/// A host file or directory inside a container, read-only. The long form: no character of a path can be
/// taken for a separator.
#[derive(Debug, Serialize)]
pub(crate) struct Bind<'a> {
    pub(crate) r#type: &'static str,
    pub(crate) source: Value<'a>,
    pub(crate) target: &'static str,
    pub(crate) read_only: bool,
}

/// Where a container's output goes.
#[derive(Debug, Serialize)]
pub(crate) struct Logging {
    pub(crate) driver: &'static str,
    pub(crate) options: FlowMap<LoggingOptions>,
}

/// How much of it is kept.
#[derive(Debug, Serialize)]
pub(crate) struct LoggingOptions {
    #[serde(rename = "max-size")]
    pub(crate) max_size: &'static str,
    #[serde(rename = "max-file")]
    pub(crate) max_file: &'static str,
}

/// A network.
#[derive(Debug, Serialize)]
pub(crate) struct Network<'a> {
    pub(crate) name: Value<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) external: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) driver: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) internal: Option<bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<&'static str, Value<'a>>,
}

//! Which ways out there are, and how they are opened.

use std::io;
use std::path::PathBuf;

use decnet_core::plan::{LogFile, LogForm, LogTarget, LogTransport, Logging, Rotation};
use serde::{Deserialize, Serialize};

use super::OperatorLog;
use super::datagrams::DatagramDelivery;
use super::delivery::Delivery;
use super::log_file::FileDelivery;
use super::stream::StreamDelivery;

/// One way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "way", rename_all = "lowercase")]
pub enum DeliveryConfig {
    /// A file of lines.
    File {
        /// Which, and of what form.
        #[serde(flatten)]
        file: LogFile,
        /// When it is put aside.
        rotation: Rotation,
    },
    /// A syslog server.
    Target {
        /// Which.
        target: LogTarget,
    },
}

/// Longest readable part of a delivery's name.
const READABLE: usize = 48;

impl DeliveryConfig {
    /// A file that is never put aside.
    pub fn file(form: LogForm, path: impl Into<PathBuf>) -> DeliveryConfig {
        let file = LogFile { form, path: path.into() };
        DeliveryConfig::File { file, rotation: Rotation { size: None, age: None, keep: 0 } }
    }

    /// The ways out of a plan.
    pub fn of(logging: &Logging) -> Vec<DeliveryConfig> {
        let files = logging.files.iter();
        let files = files.map(|file| DeliveryConfig::File { file: file.clone(), rotation: logging.rotation });
        let targets = logging.targets.iter().map(|target| DeliveryConfig::Target { target: target.clone() });
        files.chain(targets).collect()
    }

    /// The name under which a cursor is kept: see [`Delivery::name`]. It is the place's own, so that other
    /// options, or another rotation, go on where the earlier ones were.
    pub fn name(&self) -> String {
        let (kind, place) = match self {
            DeliveryConfig::File { file, .. } => ("file", file.path.to_string_lossy().into_owned()),
            DeliveryConfig::Target { target } => (target.transport.scheme(), target.place()),
        };
        // Two places may look alike once they are made readable: the hash keeps them apart.
        let hash = fnv1a(place.as_bytes());
        let skip = place.chars().count().saturating_sub(READABLE);
        let readable: String = place
            .chars()
            .skip(skip)
            .map(|c| c.to_ascii_lowercase())
            .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' })
            .collect();
        format!("{kind}-{}-{hash:016x}", readable.trim_matches('-'))
    }
}

/// FNV-1a with 64 bits: the same in every version of this program, which the standard library's hashes are
/// not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Why a way out cannot be opened. A server that is down is no reason: it is tried again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The file cannot be opened: make its directory, or give this user the right.
    #[error("open the event file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Opens a way out. Nothing is sent yet, and no server is asked; what a TLS target needs on disk is read
/// with every connection, so that a renewed certificate is found.
///
/// # Errors
/// A file cannot be opened.
pub fn open(config: &DeliveryConfig, log: OperatorLog) -> Result<Box<dyn Delivery>, OpenError> {
    let name = config.name();
    Ok(match config {
        DeliveryConfig::File { file, rotation } => {
            let failed = |source| OpenError::File { path: file.path.clone(), source };
            Box::new(FileDelivery::open(name, file, *rotation, log).map_err(failed)?)
        }
        DeliveryConfig::Target { target } if target.transport == LogTransport::Udp => {
            Box::new(DatagramDelivery::new(name, target.clone()))
        }
        DeliveryConfig::Target { target } => Box::new(StreamDelivery::new(name, target.clone())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_differ() {
        let file =
            |path: &str| DeliveryConfig::File { file: path.parse().unwrap(), rotation: Rotation::default() };
        let target = |text: &str| DeliveryConfig::Target { target: text.parse().unwrap() };
        assert_eq!(file("/var/log/Decnet.log").name(), "file-var-log-decnet.log-237a2b37e444b69c");
        assert_ne!(file("/var/log/Decnet.log").name(), file("/var/log/decnet.log").name());
        assert_ne!(target("tcp://[::1]:6").name(), target("tcp://[::2]:6").name());
        assert_eq!(target("udp://siem:514?size=8k").name(), target("siem:514").name());
        let long = file(&format!("/{}", "ü".repeat(4000))).name();
        assert!(long.len() < 100);
        assert!(long.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b)));
    }

    #[test]
    fn a_configuration_survives_json() {
        let logging = Logging {
            targets: vec!["tls://siem:6514?ca=/ca.pem".parse().unwrap()],
            files: vec!["ecs:/x".parse().unwrap()],
            rotation: Rotation { size: Some(1 << 20), age: None, keep: 2 },
        };
        let all = DeliveryConfig::of(&logging);
        let json = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Vec<DeliveryConfig>>(&json).unwrap(), all);
    }
}

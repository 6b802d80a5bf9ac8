//! Persona values and identity to what the node shows, and what differs between releases.

use decnet_core::identity::{Identity, OsFamily};
use decnet_core::seed::Draw;
use decnet_core::service::{PersonaValues, parse_credentials};

use super::DESCRIPTOR;
use crate::bait::People;
use crate::server::BuildError;

/// A release: number, build hash, build date, Lucene. Source: answers to `GET /` of the published packages,
/// as they stand in public documentation and issue reports of users.
struct Build {
    version: &'static str,
    hash: &'static str,
    date: &'static str,
    lucene: &'static str,
    /// The JDK that is bundled (none before 7.0).
    java: &'static str,
}

const BUILDS: &[Build] = &[
    Build {
        version: "6.8.23",
        hash: "4f67856",
        date: "2022-01-06T21:30:50.087716Z",
        lucene: "7.7.3",
        java: "11.0.16",
    },
    Build {
        version: "7.17.9",
        hash: "ef48222227ee6b9e70e502f0f0daa52435ee634d",
        date: "2023-01-31T05:34:43.305517834Z",
        lucene: "8.11.1",
        java: "19.0.2",
    },
    Build {
        version: "7.17.13",
        hash: "2b211dbb8bfdecaf7f5b44d356bdfe54b1050c13",
        date: "2023-08-31T17:33:19.958690787Z",
        lucene: "8.11.1",
        java: "20.0.2",
    },
    Build {
        version: "7.17.18",
        hash: "8682172c2130b9a411b1bd5ff37c9792367de6b0",
        date: "2024-02-02T12:04:59.691750271Z",
        lucene: "8.11.1",
        java: "21.0.2",
    },
    Build {
        version: "7.17.22",
        hash: "38e9ca2e81304a821c50862dafab089ca863944b",
        date: "2024-06-06T07:35:17.876121680Z",
        lucene: "8.11.3",
        java: "22.0.1",
    },
    Build {
        version: "8.4.3",
        hash: "42f05b9372a9a4a470db3b52817899b99a76ee73",
        date: "2022-10-04T07:17:24.662462378Z",
        lucene: "9.3.0",
        java: "18.0.2.1",
    },
    Build {
        version: "8.11.3",
        hash: "64cf052f3b56b1fd4449f5454cb88aca7e739d9a",
        date: "2023-12-08T11:33:53.634979452Z",
        lucene: "9.8.0",
        java: "21.0.1",
    },
    Build {
        version: "8.13.4",
        hash: "da95df118650b55a500dcc181889ac35c6d8da7c",
        date: "2024-05-06T22:04:45.107454559Z",
        lucene: "9.10.0",
        java: "21.0.2",
    },
];

/// A release number to compare.
pub(super) type Number = (u32, u32, u32);

fn number(text: &str) -> Number {
    let mut parts = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Everything that was decided when the server was built.
#[derive(Clone, Debug)]
pub(super) struct Persona {
    /// As the user wrote it.
    pub(super) version: String,
    pub(super) number: Number,
    pub(super) hash: &'static str,
    pub(super) date: &'static str,
    pub(super) lucene: &'static str,
    pub(super) java: &'static str,
    /// `deb`, `rpm`, `zip`.
    pub(super) package: &'static str,
    pub(super) cluster: String,
    pub(super) cluster_uuid: String,
    pub(super) node: String,
    pub(super) node_id: String,
    pub(super) ephemeral_id: String,
    pub(super) security: bool,
    pub(super) tls: bool,
    pub(super) users: Vec<(String, String)>,
    /// The words of `indices`.
    pub(super) indices: Vec<String>,
}

/// 22 letters: a random UUID in the URL-safe alphabet of Base64.
pub(super) fn uuid(mut bytes: [u8; 16]) -> String {
    use base64::Engine as _;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn cluster(people: &People, draw: &mut Draw) -> String {
    let stem = &people.stem;
    let names = [
        "elasticsearch".to_owned(),
        "elasticsearch".to_owned(),
        format!("{stem}-es"),
        format!("{stem}-search"),
        format!("{stem}-logging"),
        format!("es-{stem}-prod"),
    ];
    draw.pick(&names).cloned().unwrap_or_default()
}

impl Persona {
    /// Decides.
    ///
    /// # Errors
    /// A value that its key does not take.
    pub(super) fn new(identity: &Identity, values: &PersonaValues) -> Result<Persona, BuildError> {
        for key in DESCRIPTOR.keys {
            if let Some(value) = values.get(key.name) {
                BuildError::check("elasticsearch", key.name, key.kind, value)?;
            }
        }
        let get = |name: &str| values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let version = get("es_version")
            .map(str::to_owned)
            .or_else(|| identity.product("elasticsearch").map(|product| product.version.clone()))
            .unwrap_or_else(|| "7.17.9".to_owned());
        let number = number(&version);
        // The nearest row: the last one that is not newer.
        let index = BUILDS.iter().rposition(|build| self::number(build.version) <= number).unwrap_or(0);
        let build = &BUILDS[index];
        let security = match get("security").unwrap_or("auto") {
            "on" => true,
            "off" => false,
            _ => number.0 >= 8,
        };
        let tls = match get("tls").unwrap_or("auto") {
            "on" => true,
            "off" => false,
            _ => number.0 >= 8 && security,
        };
        let row = identity.os.row.as_str();
        let package = if identity.os.family == OsFamily::Windows {
            "zip"
        } else if ["centos", "rocky", "alma", "rhel", "fedora", "oracle", "amazon", "opensuse", "sles"]
            .iter()
            .any(|name| row.starts_with(name))
        {
            "rpm"
        } else {
            "deb"
        };
        let id = |what: &str| uuid(identity.draw(&["elasticsearch", what]).bytes());
        let people = People::of(identity);
        Ok(Persona {
            hash: build.hash,
            date: build.date,
            lucene: build.lucene,
            java: build.java,
            version,
            number,
            package,
            cluster: get("cluster_name")
                .map(str::to_owned)
                .unwrap_or_else(|| cluster(&people, &mut identity.draw(&["elasticsearch", "cluster"]))),
            cluster_uuid: id("cluster uuid"),
            node: get("node_name").map_or_else(|| identity.names.hostname.clone(), str::to_owned),
            node_id: id("node id"),
            ephemeral_id: id("ephemeral id"),
            security,
            tls,
            users: get("users").map(|value| parse_credentials(value).unwrap_or_default()).unwrap_or_default(),
            indices: get("indices")
                .unwrap_or("auto")
                .split(',')
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect(),
        })
    }

    /// Whether it is that release or a newer one.
    pub(super) fn since(&self, major: u32, minor: u32) -> bool {
        (self.number.0, self.number.1) >= (major, minor)
    }

    /// `minimum_wire_compatibility_version` and `minimum_index_compatibility_version`.
    pub(super) fn minimums(&self) -> (&'static str, &'static str) {
        match self.number.0 {
            0..=6 => ("5.6.0", "5.0.0"),
            7 => ("6.8.0", "6.0.0-beta1"),
            _ => ("7.17.0", "7.0.0"),
        }
    }

    /// The challenges of a 401, best first. The comma came with 8.9 or so.
    pub(super) fn challenges(&self) -> Vec<&'static str> {
        let basic = if self.since(8, 9) {
            "Basic realm=\"security\", charset=\"UTF-8\""
        } else {
            "Basic realm=\"security\" charset=\"UTF-8\""
        };
        // Tokens and keys are served where HTTP is encrypted; keys always from 8 on.
        match (self.number.0, self.tls) {
            (8.., true) => vec![basic, "Bearer realm=\"security\"", "ApiKey"],
            (8.., false) => vec![basic, "ApiKey"],
            (7, true) => vec![basic, "Bearer realm=\"security\"", "ApiKey"],
            (6, true) => vec![basic, "Bearer realm=\"security\""],
            _ => vec![basic],
        }
    }

    /// The warning of a 7.13 or later that nobody gave a password.
    pub(super) fn warning(&self) -> Option<String> {
        (self.number.0 == 7 && self.number.1 >= 13 && !self.security).then(|| {
            format!(
                "299 Elasticsearch-{}-{} \"Elasticsearch built-in security features are not enabled. Without authentication, your cluster could be accessible to anyone. See https://www.elastic.co/guide/en/elasticsearch/reference/{}.{}/security-minimal-setup.html to enable security.\"",
                self.version, self.hash, self.number.0, self.number.1
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::identity;

    fn persona(values: &[(&str, &str)]) -> Persona {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Persona::new(&identity(OsFamily::Linux, 1, &[]), &values).unwrap()
    }

    #[test]
    fn a_release_brings_its_build_its_login_and_its_tls() {
        for build in BUILDS {
            let persona = persona(&[("es_version", build.version)]);
            assert_eq!((persona.hash, persona.lucene), (build.hash, build.lucene));
            let new = build.version.starts_with('8');
            assert_eq!((persona.security, persona.tls), (new, new), "{}", build.version);
        }
        assert_eq!(persona(&[("es_version", "7.17.15")]).lucene, "8.11.1");
        assert_eq!(persona(&[("es_version", "1.4.2")]).hash, "4f67856");
        let off = persona(&[("es_version", "8.4.3"), ("security", "off")]);
        assert!(!off.security && !off.tls);
        assert_eq!(persona(&[("es_version", "7.17.9"), ("security", "on")]).challenges().len(), 1);
    }
}

//! Persona values and identity to what the server shows.

use decnet_core::Seed;
use decnet_core::identity::{Identity, OsFamily, Product as Named};
use decnet_core::service::{PersonaValues, parse_bool, parse_credentials};

use super::access::LockOut;
use super::products::apache::{Apache, Packaging};
use super::products::device::Device;
use super::products::iis::Iis;
use super::products::lighttpd::Lighttpd;
use super::products::nginx::Nginx;
use super::products::{Product, Release, is_red_hat, release};
use super::{APPS, DESCRIPTOR};
use crate::httpd::http2::{self, Manner};
use crate::server::BuildError;

/// The kind of server, as far as default pages and certificates go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Apache,
    Iis,
    Lighttpd,
    Device,
}

/// The site to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Application {
    WordPress,
    PhpMyAdmin,
    GitLab,
    Jenkins,
    Tomcat,
    Owa,
    Printer,
    Router,
    ApacheDefault,
    NginxDefault,
    IisDefault,
    LighttpdDefault,
    /// The desktop of a Synology NAS.
    Dsm,
    /// A bare server of a device without pages of its own.
    Empty,
}

/// Everything that was decided when the server was built.
pub(super) struct Persona {
    pub(super) kind: Kind,
    pub(super) product: Box<dyn Product>,
    /// The product and its release, for events.
    pub(super) label: String,
    pub(super) application: Application,
    pub(super) response_code: Option<u16>,
    pub(super) extra_headers: Vec<(String, String)>,
    pub(super) custom_body: Option<String>,
    pub(super) title: String,
    pub(super) app_version: Option<String>,
    pub(super) vhosts: Vec<String>,
    pub(super) basic_realm: Option<String>,
    /// Whether the whole site is behind Integrated Windows authentication.
    pub(super) windows_auth: bool,
    /// How HTTP/2 is spoken, where it is offered.
    pub(super) http2: Option<&'static Manner>,
    /// What is offered by ALPN, best first; empty: the extension is not looked at.
    pub(super) alpn: Vec<&'static str>,
    /// Names and passwords that are let in.
    pub(super) users: Vec<(String, String)>,
    /// When the application keeps somebody out who guesses.
    pub(super) lock_out: LockOut,
}

/// A server token taken apart: `Apache/2.4.62 (Debian) OpenSSL/3.0.15`.
fn read_token(token: &str) -> Named {
    let (name, rest) = token.split_once('/').unwrap_or((token, ""));
    let version: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
    let suffix = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(text, _)| text);
    let name = match name.to_ascii_lowercase().as_str() {
        "apache" => "apache".to_owned(),
        "microsoft-iis" => "iis".to_owned(),
        "microsoft-httpapi" => "httpapi".to_owned(),
        "cisco-ios" => "cisco-ios".to_owned(),
        "hp-chaisoe" => "hp-chaisoe".to_owned(),
        "goahead-webs" => "goahead".to_owned(),
        other if other.starts_with("hp http server") => "hp-http-server".to_owned(),
        other => other.to_owned(),
    };
    Named { name, version, suffix: suffix.to_owned() }
}

/// The server token of a product.
fn token(product: &Named, identity: &Identity) -> String {
    let versioned = !product.version.is_empty() && product.version != "-";
    let mut token = match product.name.as_str() {
        "apache" => "Apache".to_owned(),
        "iis" => "Microsoft-IIS".to_owned(),
        "httpapi" => "Microsoft-HTTPAPI".to_owned(),
        other => other.to_owned(),
    };
    if versioned {
        token = format!("{token}/{}", product.version);
    }
    if !product.suffix.is_empty() {
        token = format!("{token} ({})", product.suffix);
    }
    // Red Hat's package loads mod_ssl, which adds itself to a full token.
    if product.name == "apache"
        && is_red_hat(identity)
        && let Some(openssl) = identity.product("openssl")
    {
        token = format!("{token} OpenSSL/{}", openssl.version);
    }
    token
}

/// The server where the identity names none.
fn usual(family: OsFamily) -> Named {
    let named = |name: &str, version: &str, suffix: &str| Named {
        name: name.into(),
        version: version.into(),
        suffix: suffix.into(),
    };
    match family {
        OsFamily::Linux => named("apache", "2.4.62", "Debian"),
        OsFamily::Windows => named("iis", "10.0", ""),
        OsFamily::Bsd => named("nginx", "1.24.0", ""),
        OsFamily::Embedded => named("lighttpd", "1.4.59", ""),
        OsFamily::Cisco => named("cisco-ios", "-", ""),
    }
}

impl Persona {
    /// Decides.
    ///
    /// # Errors
    /// A value that its key does not take.
    pub(super) fn new(identity: &Identity, values: &PersonaValues) -> Result<Persona, BuildError> {
        for key in DESCRIPTOR.keys {
            if let Some(value) = values.get(key.name) {
                BuildError::check("http", key.name, key.kind, value)?;
            }
        }
        let get = |name: &str| values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        let header = get("server_header");
        let own = identity.product("http").or_else(|| identity.product("httpd")).cloned();
        let named = header.map(read_token).or(own).unwrap_or_else(|| usual(identity.os.family));
        let shown = header.map_or_else(|| token(&named, identity), str::to_owned);
        let release = release(&named.version);
        let (kind, product): (Kind, Box<dyn Product>) = match named.name.as_str() {
            "nginx" | "openresty" => (Kind::Nginx, Box::new(Nginx::new(&shown, release))),
            "apache" => {
                let debian = matches!(named.suffix.as_str(), "Debian" | "Ubuntu");
                let mut allow = vec!["GET", "POST", "OPTIONS", "HEAD", "TRACE"];
                identity.draw(&["http", "allow"]).shuffle(&mut allow);
                let packaging = Packaging {
                    token: shown.clone(),
                    release: if release == (0, 0, 0) { (2, 4, 62) } else { release },
                    trace: !debian,
                    deflate: debian,
                    idle: 5,
                    allow,
                };
                (Kind::Apache, Box::new(Apache::new(packaging)))
            }
            "iis" => (Kind::Iis, Box::new(Iis::new(&shown, true))),
            "httpapi" => (Kind::Iis, Box::new(Iis::new(&shown, false))),
            "lighttpd" => (Kind::Lighttpd, Box::new(Lighttpd::new(&shown, release))),
            other => (Kind::Device, Box::new(Device::new(other, &named.version, header, identity))),
        };
        let application = match get("fake_app") {
            Some(name) => application(name),
            None => default_application(kind, identity, &named),
        };
        let extra_headers = match get("extra_headers") {
            Some(text) => read_headers(text).map_err(|why| BuildError::Persona {
                service: "http",
                key: "extra_headers",
                value: text.to_owned(),
                why,
            })?,
            None => Vec::new(),
        };
        let multiplexes = get("http2").and_then(parse_bool).unwrap_or(match kind {
            Kind::Iis => named.name == "iis" || identity.os.version.starts_with("10."),
            Kind::Lighttpd => release >= (1, 4, 59),
            // The package of GitLab sets it; those of distributions do not.
            Kind::Nginx => application == Application::GitLab,
            Kind::Apache | Kind::Device => false,
        });
        let http2 = product.http2().filter(|_| multiplexes);
        let alpn =
            http2.iter().map(|_| http2::ALPN).chain(http1_alpn(kind, release).iter().copied()).collect();
        Ok(Persona {
            http2,
            alpn,
            kind,
            product,
            label: if named.version.is_empty() || named.version == "-" {
                named.name.clone()
            } else {
                format!("{}/{}", named.name, named.version)
            },
            application,
            response_code: get("response_code").and_then(|value| value.parse().ok()),
            extra_headers,
            custom_body: values.get("custom_body").filter(|value| !value.is_empty()).cloned(),
            title: get("site_title").unwrap_or(&identity.names.organisation).to_owned(),
            app_version: get("app_version").map(str::to_owned),
            vhosts: get("vhosts")
                .map(|list| list.split(',').map(|name| name.trim().to_ascii_lowercase()).collect())
                .unwrap_or_default(),
            basic_realm: get("basic_realm").map(str::to_owned),
            windows_auth: get("windows_auth").and_then(parse_bool).unwrap_or(false),
            users: get("users").and_then(|list| parse_credentials(list).ok()).unwrap_or_default(),
            lock_out: lock_out(application, identity),
        })
    }
}

/// The names of HTTP/1 that a product has in ALPN.
fn http1_alpn(kind: Kind, release: Release) -> &'static [&'static str] {
    match kind {
        // It lists the old ones, too (NGX_HTTP_ALPN_PROTOS, since 1.21.4).
        Kind::Nginx if release >= (1, 21, 4) || release == (0, 0, 0) => &["http/1.1", "http/1.0", "http/0.9"],
        // mod_ssl, since 2.4.17.
        Kind::Apache => &["http/1.1"],
        // http.sys, since Windows 10.
        Kind::Iis if release >= (10, 0, 0) || release.0 == 2 => &["http/1.1"],
        // mod_openssl, since 1.4.53.
        Kind::Lighttpd if release >= (1, 4, 53) => &["http/1.1", "http/1.0"],
        Kind::Nginx | Kind::Iis | Kind::Lighttpd | Kind::Device => &[],
    }
}

/// What the application does against guessing as it is installed.
fn lock_out(application: Application, identity: &Identity) -> LockOut {
    match application {
        // `maximum_attempts` and `unlock_in` of GitLab's settings of Devise.
        Application::GitLab => {
            LockOut { failures: 10, window: 0, locked: 600, prolonged: false, strangers: false }
        }
        // LockOutRealm: `failureCount` and `lockOutTime`.
        Application::Tomcat => {
            LockOut { failures: 5, window: 0, locked: 300, prolonged: true, strangers: true }
        }
        // Exchange knows only its domain's policy: Microsoft's own is none, the baseline that is often
        // taken instead is ten failures in a quarter of an hour. All deckies of a domain have the same.
        Application::Owa => {
            let domain = &identity.names.domain;
            let number = domain.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
            let failures = *Seed::from_number(number).draw(&["lock-out"]).pick(&[0, 5, 10, 10]).unwrap_or(&0);
            LockOut { failures, window: 900, locked: 900, prolonged: false, strangers: false }
        }
        // "Auto block" of DSM 7: ten failures in five minutes block an address until somebody lifts it.
        Application::Dsm => LockOut {
            failures: 10,
            window: 300,
            locked: 10 * 365 * 86_400,
            prolonged: false,
            strangers: true,
        },
        _ => LockOut::NONE,
    }
}

fn application(name: &str) -> Application {
    debug_assert!(APPS.contains(&name));
    match name {
        "wordpress" => Application::WordPress,
        "phpmyadmin" => Application::PhpMyAdmin,
        "gitlab" => Application::GitLab,
        "jenkins" => Application::Jenkins,
        "tomcat" => Application::Tomcat,
        "owa" => Application::Owa,
        "printer" => Application::Printer,
        "router" => Application::Router,
        "apache_default" => Application::ApacheDefault,
        "nginx_default" => Application::NginxDefault,
        _ => Application::IisDefault,
    }
}

fn default_application(kind: Kind, identity: &Identity, named: &Named) -> Application {
    match kind {
        _ if identity.os.row.starts_with("synology") => Application::Dsm,
        // A small computer with a whole distribution is no router.
        Kind::Lighttpd
            if ["Raspbian", "Debian", "Ubuntu"].iter().any(|name| identity.os.name.starts_with(name)) =>
        {
            Application::LighttpdDefault
        }
        Kind::Nginx => Application::NginxDefault,
        Kind::Apache => Application::ApacheDefault,
        Kind::Iis => Application::IisDefault,
        Kind::Lighttpd | Kind::Device => match named.name.as_str() {
            "debut" | "hp-chaisoe" | "hp-http-server" => Application::Printer,
            _ if ["Brother", "HP", "Hewlett"]
                .iter()
                .any(|maker| identity.hardware.vendor.starts_with(maker)) =>
            {
                Application::Printer
            }
            "uhttpd" | "lighttpd" | "mini_httpd" | "goahead" | "cisco-ios" => Application::Router,
            _ => Application::Empty,
        },
    }
}

/// A JSON object, or `Name: value | Name: value`.
fn read_headers(text: &str) -> Result<Vec<(String, String)>, String> {
    let pairs: Vec<(String, String)> = if text.starts_with('{') {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).map_err(|error| format!("is not a JSON object: {error}"))?;
        object
            .into_iter()
            .map(|(name, value)| match value {
                serde_json::Value::String(text) => (name, text),
                other => (name, other.to_string()),
            })
            .collect()
    } else {
        text.split('|')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| match part.split_once(':') {
                Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
                None => Err(format!("holds `{part}`, which is not `Name: value`")),
            })
            .collect::<Result<_, _>>()?
    };
    for (name, value) in &pairs {
        if !super::products::is_token(name.as_bytes()) || value.contains(['\r', '\n']) {
            return Err(format!("holds `{name}`, which cannot be a field"));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_taken_apart() {
        let read = read_token("Apache/2.4.62 (Rocky Linux) OpenSSL/3.0.7");
        assert_eq!(
            (read.name.as_str(), read.version.as_str(), read.suffix.as_str()),
            ("apache", "2.4.62", "Rocky Linux")
        );
        assert_eq!(read_token("Microsoft-IIS/8.5").name, "iis");
        assert_eq!(read_token("nginx").version, "");
    }

    #[test]
    fn extra_headers_come_in_two_forms() {
        let expected = vec![("X-A".to_owned(), "b: c".to_owned()), ("X-D".to_owned(), "1".to_owned())];
        assert_eq!(read_headers("X-A: b: c | X-D:1").unwrap(), expected);
        assert_eq!(read_headers("{\"X-A\":\"b: c\",\"X-D\":1}").unwrap(), expected);
        assert!(read_headers("nonsense").is_err());
        assert!(read_headers("{\"X A\":\"b\"}").is_err());
    }
}

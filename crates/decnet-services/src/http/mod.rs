//! HTTP/HTTPS web server: a site or an application behind nginx, Apache, IIS, lighttpd or the small
//! server of a device.

#[cfg(feature = "servers")]
mod access;
#[cfg(feature = "servers")]
mod apps;
#[cfg(feature = "servers")]
mod exploits;
#[cfg(feature = "servers")]
mod integrated;
#[cfg(feature = "servers")]
mod persona;
#[cfg(feature = "servers")]
mod products;
#[cfg(feature = "servers")]
mod server;
#[cfg(feature = "servers")]
mod static_files;

use decnet_core::ServiceDescriptor;
use decnet_core::identity::{Identity, OsFamily};
use decnet_core::service::{KeyKind, PersonaKey, PersonaValues, Port, parse_bool};

use crate::registry::Service;

/// The applications that `fake_app` takes.
pub(crate) const APPS: &[&str] = &[
    "wordpress",
    "phpmyadmin",
    "gitlab",
    "jenkins",
    "tomcat",
    "owa",
    "printer",
    "router",
    "apache_default",
    "nginx_default",
    "iis_default",
];

const PORTS: &[Port] = &[Port::tcp(80), Port::tls(443)];

const KEYS: &[PersonaKey] = &[
    PersonaKey {
        name: "server_header",
        aliases: &["server"],
        kind: KeyKind::Text,
        default: "the host's web server and release",
        doc: "The Server field, word for word; a product named in it also sets how requests are read, refused and answered.",
    },
    PersonaKey {
        name: "response_code",
        aliases: &[],
        kind: KeyKind::Integer { min: 100, max: 599 },
        default: "200",
        doc: "The status of the page at `/` and of nothing else.",
    },
    PersonaKey {
        name: "fake_app",
        aliases: &["app"],
        kind: KeyKind::OneOf(APPS),
        default: "the default page of the host's web server",
        doc: "The application that the site shows, with its login.",
    },
    PersonaKey {
        name: "extra_headers",
        aliases: &[],
        kind: KeyKind::Text,
        default: "none",
        doc: "Fields added to every answer of the site: a JSON object, or `Name: value` divided by `|`.",
    },
    PersonaKey {
        name: "custom_body",
        aliases: &[],
        kind: KeyKind::Text,
        default: "the application's page",
        doc: "The body of the page at `/`.",
    },
    PersonaKey {
        name: "site_title",
        aliases: &["title"],
        kind: KeyKind::Text,
        default: "the organisation",
        doc: "The name of the site where the application shows one.",
    },
    PersonaKey {
        name: "app_version",
        aliases: &[],
        kind: KeyKind::Text,
        default: "a release of the time of installation",
        doc: "The release of the application, shown wherever it shows one.",
    },
    PersonaKey {
        name: "tls",
        aliases: &["https"],
        kind: KeyKind::Boolean,
        default: "yes",
        doc: "Whether port 443 is open; without it the port is closed.",
    },
    PersonaKey {
        name: "http2",
        aliases: &["h2"],
        kind: KeyKind::Boolean,
        default: "yes for IIS 10, lighttpd since 1.4.59 and GitLab; no for nginx and Apache, as they are packaged",
        doc: "Whether HTTP/2 is offered to clients with TLS (ALPN), where the product has it.",
    },
    PersonaKey {
        name: "vhosts",
        aliases: &[],
        kind: KeyKind::List,
        default: "the host's own names",
        doc: "Names under which the site is there; the certificate names them, other names get the server's default page.",
    },
    PersonaKey {
        name: "basic_realm",
        aliases: &[],
        kind: KeyKind::Text,
        default: "none",
        doc: "Puts the whole site behind HTTP Basic authentication with this realm; `users` are let in.",
    },
    PersonaKey {
        name: "files",
        aliases: &[],
        kind: KeyKind::Path,
        default: "none",
        doc: "A folder of the machine that deploys whose files the site serves below `/`; each that is read is reported as a bait.",
    },
    PersonaKey {
        name: "users",
        aliases: &[],
        kind: KeyKind::Credentials,
        default: "nobody",
        doc: "Who may log in to the application, by its form and by HTTP Basic; what they do there is kept and reported.",
    },
    PersonaKey {
        name: "windows_auth",
        aliases: &["ntlm"],
        kind: KeyKind::Boolean,
        default: "no",
        doc: "Puts the whole site behind Integrated Windows authentication: Negotiate and NTLM, with the host's names and build in the challenge.",
    },
];

/// What planning knows of it.
pub static DESCRIPTOR: ServiceDescriptor = ServiceDescriptor {
    slug: "http",
    role: "HTTP/HTTPS web server",
    ports: PORTS,
    keys: KEYS,
    families: &[OsFamily::Linux, OsFamily::Windows, OsFamily::Bsd, OsFamily::Embedded, OsFamily::Cisco],
    yields: &[],
    narrow: Some(ports),
    image: None,
};

/// `tls = no` closes the TLS port.
fn ports(_: &Identity, persona: &PersonaValues) -> Vec<Port> {
    let tls = persona.get("tls").and_then(|value| parse_bool(value)).unwrap_or(true);
    PORTS.iter().copied().filter(|port| tls || !port.tls).collect()
}

#[cfg(feature = "servers")]
inventory::submit! { Service::served(&DESCRIPTOR, server::build) }
#[cfg(not(feature = "servers"))]
inventory::submit! { Service::described(&DESCRIPTOR) }

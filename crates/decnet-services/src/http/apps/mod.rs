//! The sites: what is at which path, the login forms and what they answer. Pages are templates of our own
//! (`../pages/`), filled from the identity.

mod archive;
mod defaults;
mod device_settings;
mod devices;
mod dsm;
mod gitlab;
mod gitlab_inside;
mod jenkins;
mod jenkins_inside;
pub(super) mod owa;
mod owa_inside;
mod phpmyadmin;
mod phpmyadmin_main;
mod picture;
mod tomcat;
mod tomcat_manager;
mod wordpress;
mod wordpress_admin;

use std::time::Duration;

use decnet_core::identity::{Identity, OsFamily};
use decnet_logging::event::{Body, Credential, Outcome};

use super::access::{Access, Verdict};
use super::persona::{Application, Persona};
use super::products::escape;
use crate::host::Host;
use crate::httpd::{Authorization, Document, Form, Request, Response};
use crate::session::Session;

/// What is at a path.
pub(super) enum Answer {
    /// A file: the server sends it by its own rules.
    Document(Document),
    /// A page that a program makes.
    Page(Response),
    /// The server's own error page.
    Error(u16),
    /// Elsewhere, said by the server.
    Redirect(u16, String),
}

/// A request on its way through a site.
pub(super) struct Visit<'a> {
    pub(super) request: &'a Request,
    pub(super) host: &'a Host,
    pub(super) persona: &'a Persona,
    pub(super) session: &'a Session,
    pub(super) access: &'a Access,
}

impl Visit<'_> {
    pub(super) fn identity(&self) -> &Identity {
        self.host.identity()
    }

    pub(super) fn path(&self) -> &str {
        &self.request.path
    }

    /// Scheme and authority as the client knows them.
    pub(super) fn origin(&self) -> String {
        let scheme = if self.request.secure { "https" } else { "http" };
        let host = self.request.host.clone().unwrap_or_else(|| self.host.decky.address.to_string());
        match self.request.host_port {
            Some(port) if port != if self.request.secure { 443 } else { 80 } => {
                format!("{scheme}://{host}:{port}")
            }
            _ => format!("{scheme}://{host}"),
        }
    }

    pub(super) fn form(&self) -> Form {
        Form::read(&self.request.field("content-type").unwrap_or_default(), &self.request.body)
    }

    /// Now, seconds since 1970, by the decky's clock.
    pub(super) fn now(&self) -> i64 {
        self.host.clock.seconds()
    }

    /// Judges a login by a form and reports it. A look at the form's address is no attempt.
    pub(super) fn log_in(&self, username: &[u8], password: &[u8]) -> Verdict {
        self.log_in_as(username, username, password)
    }

    /// The same for a name that means another: `DOMAIN\name`.
    fn log_in_as(&self, username: &[u8], meant: &[u8], password: &[u8]) -> Verdict {
        if self.request.method != "POST" || (username.is_empty() && password.is_empty()) {
            return Verdict::Wrong;
        }
        let verdict = self.access.accounts.judge(meant, password, self.now());
        self.told(Credential::password("form", username, password), &verdict);
        verdict
    }

    /// Judges a form that asks for a password alone.
    fn log_in_by_password(&self, password: &[u8]) -> Verdict {
        let verdict = self.access.accounts.judge_password(password, self.now());
        // Such a form is the one administrator's.
        self.told(Credential::password("form", b"admin", password), &verdict);
        verdict
    }

    /// Judges the name and password of HTTP Basic, where there are any, and reports them.
    pub(super) fn basic(&self) -> Option<Verdict> {
        self.basic_as(<[u8]>::to_vec)
    }

    /// The same for names that may mean others.
    fn basic_as(&self, meant: impl Fn(&[u8]) -> Vec<u8>) -> Option<Verdict> {
        let value = self.request.field("authorization")?;
        let Authorization::Basic { username, password } = Authorization::read(&value) else { return None };
        let verdict = self.access.accounts.judge(&meant(&username), &password, self.now());
        self.told(Credential::password("basic", &username, &password), &verdict);
        Some(verdict)
    }

    fn told(&self, credential: Credential, verdict: &Verdict) {
        let outcome = if matches!(verdict, Verdict::In(_)) { Outcome::Accepted } else { Outcome::Failed };
        let raw = if credential.method == "form" { &self.request.body } else { &self.request.raw };
        self.session.emit_raw(Body::AuthAttempt { credential, outcome }, raw);
    }

    /// Remembers a login under the secret of its cookie, and reports that somebody is in.
    fn open(&self, token: &str, user: &str, privilege: &str) {
        self.access.sessions.open(token, user, self.now());
        let (username, privilege) = (user.to_owned(), privilege.to_owned());
        self.session.emit(Body::SessionStarted { username, privilege });
    }

    /// Who has that secret, unless they were idle for so many seconds.
    fn user_of(&self, token: &str, idle: i64) -> Option<String> {
        self.access.sessions.user(token, self.now(), idle)
    }

    /// Keeps what the intruder changed, and reports it.
    fn change(&self, object: &str, value: &str) {
        let old = self.access.changes.set(object, value);
        self.session.emit(Body::StateChanged { object: object.to_owned(), old, new: value.to_owned() });
    }

    /// Takes something away that the intruder left, and reports it.
    fn take_away(&self, object: &str) {
        let old = self.access.changes.remove(object);
        self.session.emit(Body::StateChanged { object: object.to_owned(), old, new: String::new() });
    }

    /// What the intruder made of a value, or what it was.
    fn setting(&self, object: &str, otherwise: &str) -> String {
        self.access.changes.get(object).unwrap_or_else(|| otherwise.to_owned())
    }

    /// Reports a line that the intruder had carried out.
    fn command(&self, command: &str, line: &str, outcome: Outcome) {
        self.session.emit_raw(
            Body::Command { command: command.to_owned(), line: line.to_owned(), outcome },
            line.as_bytes(),
        );
    }

    /// How long the application takes for a login: a base of its own machine and a jitter per attempt.
    pub(super) fn thinking(&self) -> Duration {
        let base = self.identity().draw(&["http", "login time"]).between(300, 900);
        self.host.entropy.delay(base, base + 600)
    }

    /// How long a page takes that a program makes.
    pub(super) fn working(&self) -> Duration {
        let base = self.identity().draw(&["http", "page time"]).between(15, 60);
        self.host.entropy.delay(base, base * 2)
    }

    /// The application's release: the user's, or one drawn from those of the time.
    pub(super) fn version(&self, releases: &[&str]) -> String {
        match &self.persona.app_version {
            Some(version) => version.clone(),
            None => self
                .identity()
                .draw(&["http", "application version"])
                .pick(releases)
                .map_or_else(String::new, |version| (*version).to_owned()),
        }
    }

    /// A stable value of this site.
    pub(super) fn stable(&self, label: &str, alphabet: &str, length: usize) -> String {
        self.identity().draw(&["http", label]).text(alphabet, length)
    }

    /// When the site was put there, seconds since 1970: some time after the installation.
    pub(super) fn deployed(&self) -> i64 {
        let mut draw = self.identity().draw(&["http", "deployed"]);
        self.identity().times.installed + draw.between(3_600, 20 * 86_400) as i64
    }

    /// A file of the site.
    pub(super) fn file(&self, label: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        let fraction = self.identity().draw(&["http", "file", label]).below(1_000_000) as i64;
        Answer::Document(Document {
            content_type: content_type.to_owned(),
            body: body.into(),
            modified: self.deployed() * 1_000_000 + fraction,
        })
    }
}

pub(super) use wordpress::iso;

pub(super) const HEX: &str = "0123456789abcdef";
pub(super) const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HTML: &str = "text/html; charset=UTF-8";

/// A page of a program.
fn html(visit: &Visit<'_>, status: u16, body: String) -> Response {
    Response::new(status, HTML, body).after(visit.working())
}

/// Fills a template: `{{name}}` by the escaped value, `{{{name}}}` by the value as it is. A place without
/// a value is left empty.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        out.push_str(&rest[..at]);
        let raw = rest[at..].starts_with("{{{");
        let (open, close) = if raw { (3, "}}}") } else { (2, "}}") };
        let Some(end) = rest[at + open..].find(close) else {
            out.push_str(&rest[at..]);
            return out;
        };
        let name = &rest[at + open..at + open + end];
        if let Some((_, value)) = values.iter().find(|(key, _)| *key == name) {
            if raw {
                out.push_str(value);
            } else {
                out.push_str(&escape(value));
            }
        }
        rest = &rest[at + open + end + close.len()..];
    }
    out.push_str(rest);
    out
}

/// Whether a program answers the path, so that the server passes any method and the body on.
pub(super) fn is_page(application: Application, path: &str) -> bool {
    match application {
        Application::WordPress | Application::PhpMyAdmin => {
            path.ends_with(".php")
                || path.ends_with('/')
                || path.starts_with("/wp-json")
                || (application == Application::WordPress
                    && !path.rsplit('/').next().is_some_and(|name| name.contains('.')))
        }
        Application::GitLab
        | Application::Jenkins
        | Application::Tomcat
        | Application::Owa
        | Application::Printer
        | Application::Router
        | Application::Dsm => true,
        Application::ApacheDefault
        | Application::NginxDefault
        | Application::IisDefault
        | Application::LighttpdDefault
        | Application::Empty => false,
    }
}

/// Whether the application judges HTTP Basic at that path.
pub(super) fn judges(application: Application, identity: &Identity, path: &str) -> bool {
    match application {
        Application::Tomcat => tomcat::realm(path).is_some(),
        Application::Jenkins => jenkins::judges(path),
        Application::Router => identity.os.family == OsFamily::Cisco,
        Application::Owa => owa::judges(path),
        _ => false,
    }
}

/// What the site has at the request's path.
pub(super) fn answer(application: Application, visit: &Visit<'_>) -> Answer {
    match application {
        Application::WordPress => wordpress::answer(visit),
        Application::PhpMyAdmin => phpmyadmin::answer(visit),
        Application::GitLab => gitlab::answer(visit),
        Application::Jenkins => jenkins::answer(visit),
        Application::Tomcat => tomcat::answer(visit),
        Application::Owa => owa::answer(visit),
        Application::Printer => devices::printer(visit),
        Application::Router => devices::router(visit),
        Application::ApacheDefault => defaults::apache(visit),
        Application::NginxDefault => defaults::nginx(visit),
        Application::IisDefault => defaults::iis(visit),
        Application::LighttpdDefault => defaults::lighttpd(visit),
        Application::Dsm => dsm::answer(visit),
        Application::Empty => Answer::Error(404),
    }
}

/// The status page of the server for a visitor from elsewhere, used where an application does not own
/// the root.
pub(super) fn server_default(visit: &Visit<'_>) -> Answer {
    use super::persona::Kind;
    match visit.persona.kind {
        Kind::Nginx => defaults::nginx(visit),
        Kind::Iis => defaults::iis(visit),
        Kind::Apache => defaults::apache(visit),
        Kind::Lighttpd | Kind::Device => Answer::Error(404),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_escape_unless_told() {
        let values = [("a", "<b>"), ("b", "x")];
        assert_eq!(fill("1{{a}}2{{{a}}}3{{none}}4{{b}}", &values), "1&lt;b&gt;2<b>34x");
        assert_eq!(fill("{{open", &values), "{{open");
    }
}

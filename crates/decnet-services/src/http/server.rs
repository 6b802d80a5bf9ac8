//! The server: product, site and TLS put together.

use std::borrow::Cow;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use decnet_logging::event::{Body, Outcome};

use super::access::{Access, Accounts, Changes, Sessions, Verdict};
use super::apps::{self, Answer, Visit};
use super::exploits;
use super::integrated::{self, Handshake, Step};
use super::persona::{Application, Kind, Persona};
use super::products::Place;
use super::static_files;
use crate::connection::{Connection, Stream};
use crate::host::Host;
use crate::httpd::{
    Answering, Arrival, Authorization, Detail, Fault, Form, Head, LineVerdict, Profile, Request, Response,
    Site, Version, http2, report, serve,
};
use crate::ntlm;
use crate::server::{BuildError, Conversation, Server};
use crate::session::{Session, uploaded};
use crate::tls::{Endpoint, Habit, Opening, Prefixed, Settings};

/// What one connection may send us: uploads of firmware and archives are larger than our usual bound.
const CONNECTION_BYTES: u64 = 34 * 1024 * 1024;

/// Makes the server of one decky.
pub(super) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    let persona = Persona::new(host.identity(), &host.persona("http"))?;
    let access = Access {
        accounts: Accounts::new(persona.users.clone(), persona.lock_out),
        sessions: Sessions::default(),
        changes: Changes::default(),
    };
    let ntlm = ntlm::Server::of(host.identity());
    Ok(Box::new(Http { host: Arc::clone(host), persona, access, ntlm, tls: OnceLock::new() }))
}

struct Http {
    host: Arc<Host>,
    persona: Persona,
    access: Access,
    ntlm: ntlm::Server,
    tls: OnceLock<Endpoint>,
}

impl Http {
    fn tls(&self) -> &Endpoint {
        self.tls.get_or_init(|| {
            let mut habit = Habit::of_system(self.host.identity());
            if !self.persona.vhosts.is_empty() {
                habit.names.clone_from(&self.persona.vhosts);
            }
            Endpoint::new(Settings {
                habit,
                alpn: self.persona.alpn.clone(),
                alpn_strict: self.persona.kind == Kind::Nginx,
                timeout: self.persona.product.profile().head_timeout,
            })
        })
    }

    async fn converse(&self, mut connection: Connection) -> io::Result<()> {
        connection.allow(CONNECTION_BYTES);
        let session = connection.session().clone();
        let port = connection.port();
        let stream: Box<dyn Stream> = Box::new(connection);
        if !port.tls {
            let talk = Talk::new(self);
            return serve(stream, &session, &talk, Arrival { secure: false, port: port.number }).await;
        }
        match self.tls().open(stream, &session).await? {
            Opening::Secure(established) => {
                let talk = Talk::new(self);
                let arrival = Arrival { secure: true, port: port.number };
                match talk.http2().filter(|_| established.alpn.as_deref() == Some(http2::ALPN.as_bytes())) {
                    Some(manner) => http2::serve(established.stream, &session, &talk, arrival, manner).await,
                    None => serve(established.stream, &session, &talk, arrival).await,
                }
            }
            Opening::Plain(stream) => self.plain_on_tls(stream, &session, port.number).await,
            Opening::Closed => Ok(()),
        }
    }

    /// HTTP, or anything else, where a handshake was due.
    async fn plain_on_tls(
        &self,
        stream: Prefixed<Box<dyn Stream>>,
        session: &Session,
        port: u16,
    ) -> io::Result<()> {
        let talk = Talk { plain_on_tls: true, ..Talk::new(self) };
        serve(Box::new(stream), session, &talk, Arrival { secure: true, port }).await
    }

    fn place(&self) -> Place {
        let identity = self.host.identity();
        let name =
            if identity.names.fqdn.is_empty() { &identity.names.hostname } else { &identity.names.fqdn };
        Place {
            name: name.to_ascii_lowercase(),
            now: self.host.clock.seconds(),
            boundary: u64::from_be_bytes(self.host.entropy.bytes()),
        }
    }

    fn answer(&self, request: &Request, session: &Session, handshake: &Handshake) -> Response {
        let place = self.place();
        let persona = &self.persona;
        let visit = Visit { request, host: &self.host, persona, session, access: &self.access };
        // Before the site is asked for anything, so that its methods and its lack of pages stay unseen.
        let mut proven = None;
        if integrated::guards(persona, request) {
            let step = handshake.step(request, &self.ntlm, &self.host, session, &self.access.accounts);
            match self.identify(step, &visit, &place) {
                Ok(fields) => proven = Some(fields),
                Err(mut response) => {
                    // The handshake belongs to a connection: http.sys wants HTTP/1.1 for it as soon as a
                    // token comes.
                    response.http1_only = request.field("authorization").is_some();
                    return *response;
                }
            }
        }
        let page = apps::is_page(persona.application, &request.path);
        if let Some(response) = persona.product.gate(request, page, &place) {
            return response;
        }
        if let Some(realm) = &persona.basic_realm
            && !matches!(visit.basic(), Some(Verdict::In(_)))
        {
            let delay =
                if request.field("authorization").is_some() { visit.thinking() } else { Duration::ZERO };
            let mut response = persona.product.error(401, request, &place);
            response.fields.insert(0, ("WWW-Authenticate".into(), format!("Basic realm=\"{realm}\"")));
            return response.after(delay);
        }
        let root = matches!(request.path.as_str(), "/" | "/index.html" | "/index.php");
        let foreign = !persona.vhosts.is_empty()
            && !request.host.as_ref().is_some_and(|host| persona.vhosts.contains(host));
        let answer = match &persona.custom_body {
            Some(body) if root && !foreign => visit.file("custom", "text/html", body.clone().into_bytes()),
            _ if foreign => apps::server_default(&visit),
            _ if proven.is_some()
                && apps::owa::is_guarded(&request.path)
                && persona.application == Application::Owa =>
            {
                apps::owa::admitted(&visit)
            }
            _ => match static_files::answer(&visit) {
                Some(answer) => answer,
                None => apps::answer(persona.application, &visit),
            },
        };
        let mut response = match answer {
            Answer::Document(document) => {
                let untyped = document.content_type.is_empty();
                let mut response = persona.product.document(request, &document, &place);
                if untyped && response.content_type.as_deref() == Some("") {
                    response.content_type = None;
                }
                response
            }
            Answer::Page(response) => persona.product.page(request, response),
            Answer::Error(status) => persona.product.error(status, request, &place),
            Answer::Redirect(status, to) => persona.product.redirect(status, request, &to, &place),
        };
        response.fields.extend(proven.unwrap_or_default());
        if let Some(status) = persona.response_code
            && request.path == "/"
            && response.status != status
        {
            response.status = status;
            response.reason = crate::httpd::response::reason(status).into();
        }
        response
    }

    /// A step of Integrated Windows authentication: the answer to who is nobody yet, or the fields that the
    /// answer to somebody gets.
    fn identify(
        &self,
        step: Step,
        visit: &Visit<'_>,
        place: &Place,
    ) -> Result<Vec<(Cow<'static, str>, String)>, Box<Response>> {
        let exchange = self.persona.application == Application::Owa && apps::owa::is_guarded(visit.path());
        let ask = || {
            if exchange && let Answer::Page(response) = apps::answer(Application::Owa, visit) {
                return self.persona.product.page(visit.request, response);
            }
            let response = self.persona.product.error(401, visit.request, place);
            response.with("WWW-Authenticate", "Negotiate").with("WWW-Authenticate", "NTLM")
        };
        match step {
            Step::Ask => Err(Box::new(ask())),
            Step::Refused => Err(Box::new(ask().after(visit.thinking()))),
            Step::Continue(value) => {
                let response = if exchange {
                    self.persona.product.page(visit.request, apps::owa::challenge(visit))
                } else {
                    self.persona.product.challenge(visit.request, place)
                };
                Err(Box::new(response.with("WWW-Authenticate", value)))
            }
            Step::Admitted { last, now } => {
                let last = last.map(|value| ("WWW-Authenticate".into(), value));
                let kept = now.then(|| ("Persistent-Auth".into(), "true".to_owned()));
                Ok(last.into_iter().chain(kept).collect())
            }
        }
    }

    /// Whether the name and password of HTTP Basic are for the site behind the target to judge.
    fn judges(&self, request: &Request) -> bool {
        if self
            .persona
            .product
            .gate(request, apps::is_page(self.persona.application, &request.path), &self.place())
            .is_some()
        {
            return false;
        }
        self.persona.basic_realm.is_some()
            || apps::judges(self.persona.application, self.host.identity(), &request.path)
    }

    /// Credentials in the head, whatever the target.
    fn credentials(&self, request: &Request, session: &Session) {
        for name in ["authorization", "proxy-authorization"] {
            let Some(value) = request.field(name) else { continue };
            let authorization = Authorization::read(&value);
            // What the site judged was reported with its outcome.
            if matches!(authorization, Authorization::Basic { .. })
                && name == "authorization"
                && self.judges(request)
            {
                continue;
            }
            if let Some(credential) = authorization.credential(&request.method) {
                session
                    .emit_raw(Body::AuthAttempt { credential, outcome: Outcome::Failed }, value.as_bytes());
            } else if let Authorization::Ntlm { scheme, .. } = authorization {
                // Where Windows authentication is due, the handshake tells what is in it.
                if integrated::guards(&self.persona, request) {
                    continue;
                }
                let value = value.trim_start_matches(&scheme).trim().to_owned();
                session.emit(Body::ClientFingerprint { kind: "ntlm_message".to_owned(), value });
            }
        }
    }

    /// Files in a form, or a bare body that is put somewhere.
    fn uploads(&self, request: &Request, session: &Session) {
        // The bytes stand in the raw bytes of the request, as far as an event holds them.
        let told = |name: &str, bytes: &[u8]| {
            let (session, name) = (session.clone(), name.to_owned());
            session.clone().keep(bytes, move |stored| session.report(uploaded(name, stored)));
        };
        // A digest of a part would name something that nobody sent.
        if request.body_len as usize != request.body.len() {
            return;
        }
        let form = Form::read(&request.field("content-type").unwrap_or_default(), &request.body);
        for part in form.files() {
            told(part.file_name.as_deref().unwrap_or_default(), &part.value);
        }
        if request.method == "PUT" && !request.body.is_empty() {
            told(&request.path, &request.body);
        }
    }
}

impl Server for Http {
    fn product(&self) -> String {
        self.persona.label.clone()
    }

    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        Box::pin(self.converse(connection))
    }
}

/// One connection as the kit sees it.
struct Talk<'a> {
    http: &'a Http,
    plain_on_tls: bool,
    agent_seen: AtomicBool,
    handshake: Handshake,
}

impl<'a> Talk<'a> {
    fn new(http: &'a Http) -> Talk<'a> {
        Talk {
            http,
            plain_on_tls: false,
            agent_seen: AtomicBool::new(false),
            handshake: Handshake::default(),
        }
    }
}

impl Site for Talk<'_> {
    fn profile(&self) -> &Profile {
        self.http.persona.product.profile()
    }

    fn http2(&self) -> Option<&'static http2::Manner> {
        self.http.persona.http2
    }

    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict {
        match self.http.persona.product.judge_line(line, complete) {
            // Apache refuses a foreign protocol as soon as it sees it.
            LineVerdict::More if self.plain_on_tls && complete && self.http.persona.kind == Kind::Apache => {
                LineVerdict::Stop
            }
            verdict => verdict,
        }
    }

    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
        let accepted = self.http.persona.product.accept(head, arrival);
        match (self.plain_on_tls, self.http.persona.kind) {
            (false, _) => accepted,
            (true, Kind::Nginx) => Err(accepted.err().unwrap_or(Detail::PlainOnTls)),
            (true, _) => Err(Detail::PlainOnTls),
        }
    }

    fn refuse(&self, fault: &Fault, session: &Session) -> Option<Response> {
        match &fault.request {
            Some(request) => self.credentials_and_exploits(request, session),
            None => {
                let raw = fault.head.raw();
                tell_exploits(exploits::recognise_refused(raw), raw, session);
            }
        }
        self.http.persona.product.refuse(fault, &self.http.place())
    }

    fn reads_body(&self, request: &Request) -> bool {
        // No product waits for a body that nobody wants while other streams go on.
        (self.http.persona.product.reads_body_first() && request.version < Version::V20)
            || apps::is_page(self.http.persona.application, &request.path)
    }

    fn respond<'a>(&'a self, request: &'a Request, session: &'a Session) -> Answering<'a> {
        Box::pin(async move {
            let mut response = self.http.answer(request, session, &self.handshake);
            for (name, value) in &self.http.persona.extra_headers {
                response.remove(name);
                response = response.with(name.clone(), value.clone());
            }
            response
        })
    }

    fn report(&self, request: &Request, status: u16, session: &Session) {
        report(request, status, session);
        if let Some(agent) = request.field("user-agent")
            && !self.agent_seen.swap(true, Ordering::Relaxed)
        {
            session.emit(Body::ClientFingerprint { kind: "user_agent".to_owned(), value: agent });
        }
        if request.target.starts_with("/nice%20ports%2C/Tri%6Eity.txt%2ebak") {
            session.emit(Body::ScanProbe { kind: "nmap".to_owned() });
        }
        self.http.uploads(request, session);
        self.credentials_and_exploits(request, session);
    }
}

impl Talk<'_> {
    fn credentials_and_exploits(&self, request: &Request, session: &Session) {
        self.http.credentials(request, session);
        let raw = [&request.raw[..], &request.body].concat();
        tell_exploits(exploits::recognise(request), &raw, session);
    }
}

fn tell_exploits(exploits: Vec<exploits::Exploit>, raw: &[u8], session: &Session) {
    for exploit in exploits {
        let body = Body::ExploitAttempt { name: exploit.name.to_owned(), confidence: exploit.confidence };
        session.emit_raw(body, raw);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{connect, decky, host, identity, server};
    use decnet_core::identity::OsFamily;
    use decnet_core::service::Port;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn slow(product: &str, version: &str, sent: &[u8]) -> (Vec<u8>, std::io::Result<()>, Duration) {
        let linux = identity(OsFamily::Linux, 1, &[("http", product, version, "")]);
        let host = host(decky(linux, 1, &[("http", &[])]));
        let (mut client, _, task) = connect(&host, Arc::from(server(&host, "http")), Port::tcp(80));
        let began = tokio::time::Instant::now();
        client.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        drop(client);
        (answer, task.await.unwrap(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn slow_heads_end_as_the_product_ends_them() {
        let (answer, _, took) = slow("apache", "2.4.62", b"GET / HTTP/1.1\r\nHost: a\r\n").await;
        assert!(answer.starts_with(b"HTTP/1.1 408 Request Timeout\r\n"), "{}", answer.escape_ascii());
        assert_eq!(took.as_secs(), 20);
        let (answer, outcome, took) = slow("nginx", "1.22.1", b"GET / HTTP/1.1\r\nHost: a\r\n").await;
        assert_eq!((answer.as_slice(), took.as_secs()), (&b""[..], 60));
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (answer, ..) = slow("apache", "2.4.62", b"").await;
        assert!(answer.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_kept_connection_ends_after_the_products_patience() {
        let (answer, _, took) = slow("apache", "2.4.62", b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.starts_with(b"HTTP/1.1 404"));
        assert_eq!(took.as_secs(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_counted_and_only_their_beginning_is_kept() {
        let linux = identity(OsFamily::Linux, 1, &[("http", "apache", "2.4.62", "Debian")]);
        let host = host(decky(linux, 1, &[("http", &[])]));
        let (mut client, sink, task) = connect(&host, Arc::from(server(&host, "http")), Port::tcp(80));
        let size = 3_000_000;
        let head =
            format!("POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n");
        client.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..size / 1000 {
            client.write_all(&[b'a'; 1000]).await.unwrap();
        }
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        drop(client);
        task.await.unwrap().unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 404"));
        let request = sink
            .reports()
            .into_iter()
            .find(|report| matches!(&report.body, Body::Request { body_len, .. } if *body_len == Some(size)))
            .unwrap();
        assert!(request.raw_truncated);
        assert!(request.raw.unwrap().0.len() <= 64 * 1024);
        assert!(
            Persona::new(host.identity(), &host.persona("http")).unwrap().product.profile().body_kept
                <= 256 * 1024
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn no_bytes_break_a_product(
            bytes in proptest::collection::vec(
                proptest::prop_oneof![
                    proptest::prelude::any::<u8>(),
                    proptest::prelude::Just(b'\n'),
                    proptest::prelude::Just(b' '),
                    proptest::prelude::Just(b':'),
                ],
                0..200,
            ),
            start in proptest::sample::select(vec!["", "GET / HTTP/1.1\r\nHost: a\r\n", "POST /wp-login.php HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n", "GET /"]),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
            for (family, product, app) in [
                (OsFamily::Linux, "nginx", "wordpress"),
                (OsFamily::Linux, "apache", "gitlab"),
                (OsFamily::Windows, "iis", "owa"),
                (OsFamily::Embedded, "lighttpd", "router"),
                (OsFamily::Embedded, "debut", "printer"),
            ] {
                runtime.block_on(async {
                    let identity = identity(family, 1, &[("http", product, "1.0", "")]);
                    let host = host(decky(identity, 1, &[("http", &[("fake_app", app)])]));
                    let (mut client, _, task) = connect(&host, Arc::from(server(&host, "http")), Port::tcp(80));
                    client.write_all(start.as_bytes()).await.unwrap();
                    // The server may have closed already.
                    let _ = client.write_all(&bytes).await;
                    let _ = client.shutdown().await;
                    let mut answer = Vec::new();
                    let _ = client.read_to_end(&mut answer).await;
                    drop(client);
                    // A panic would be an error of the task.
                    let _ = task.await.unwrap();
                });
            }
        }
    }
}

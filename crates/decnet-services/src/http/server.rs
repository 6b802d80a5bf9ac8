//! The server: product, site and TLS put together.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use decnet_logging::event::{Body, Outcome};

use super::apps::{self, Answer, Visit};
use super::exploits;
use super::persona::{Kind, Persona};
use super::products::Place;
use crate::connection::{Connection, Stream};
use crate::host::Host;
use crate::httpd::{
    Answering, Arrival, Authorization, Detail, Fault, Form, Head, LineVerdict, Profile, Request, Response,
    Site, report, serve,
};
use crate::server::{BuildError, Conversation, Server};
use crate::session::{Session, uploaded};
use crate::tls::{Endpoint, Habit, Opening, Prefixed, Settings};

/// What one connection may send us: uploads of firmware and archives are larger than our usual bound.
const CONNECTION_BYTES: u64 = 34 * 1024 * 1024;

/// Makes the server of one decky.
pub(super) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    let persona = Persona::new(host.identity(), &host.persona("http"))?;
    Ok(Box::new(Http { host: Arc::clone(host), persona, tls: OnceLock::new() }))
}

struct Http {
    host: Arc<Host>,
    persona: Persona,
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
                // nginx lists the old ones, too (NGX_HTTP_ALPN_PROTOS).
                alpn: if self.persona.kind == Kind::Nginx {
                    vec!["http/1.1", "http/1.0", "http/0.9"]
                } else {
                    vec!["http/1.1"]
                },
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
            let talk = Talk { http: self, plain_on_tls: false, agent_seen: AtomicBool::new(false) };
            return serve(stream, &session, &talk, Arrival { secure: false, port: port.number }).await;
        }
        match self.tls().open(stream, &session).await? {
            Opening::Secure(established) => {
                let talk = Talk { http: self, plain_on_tls: false, agent_seen: AtomicBool::new(false) };
                serve(established.stream, &session, &talk, Arrival { secure: true, port: port.number }).await
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
        let talk = Talk { http: self, plain_on_tls: true, agent_seen: AtomicBool::new(false) };
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

    fn answer(&self, request: &Request, session: &Session) -> Response {
        let place = self.place();
        let persona = &self.persona;
        let page = apps::is_page(persona.application, &request.path);
        if let Some(response) = persona.product.gate(request, page, &place) {
            return response;
        }
        let visit = Visit { request, host: &self.host, persona, session };
        if let Some(realm) = &persona.basic_realm {
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
            _ => apps::answer(persona.application, &visit),
        };
        let mut response = match answer {
            Answer::Document(document) => persona.product.document(request, &document, &place),
            Answer::Page(response) => persona.product.page(request, response),
            Answer::Error(status) => persona.product.error(status, request, &place),
            Answer::Redirect(status, to) => persona.product.redirect(status, request, &to, &place),
        };
        if let Some(status) = persona.response_code
            && request.path == "/"
            && response.status != status
        {
            response.status = status;
            response.reason = crate::httpd::response::reason(status).into();
        }
        response
    }

    /// Credentials in the head, whatever the target.
    fn credentials(&self, request: &Request, session: &Session) {
        for name in ["authorization", "proxy-authorization"] {
            let Some(value) = request.field(name) else { continue };
            let authorization = Authorization::read(&value);
            if let Some(credential) = authorization.credential(&request.method) {
                session
                    .emit_raw(Body::AuthAttempt { credential, outcome: Outcome::Failed }, value.as_bytes());
            } else if let Authorization::Ntlm { scheme, .. } = authorization {
                // The first message names no user; the challenge belongs to the NTLM kit.
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
}

impl Site for Talk<'_> {
    fn profile(&self) -> &Profile {
        self.http.persona.product.profile()
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
        self.http.persona.product.reads_body_first()
            || apps::is_page(self.http.persona.application, &request.path)
    }

    fn respond<'a>(&'a self, request: &'a Request, session: &'a Session) -> Answering<'a> {
        Box::pin(async move {
            let mut response = self.http.answer(request, session);
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

//! The server: persona, cluster, HTTP and TLS put together.

use std::borrow::Cow;
use std::io;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use decnet_logging::event::{Body, Credential, Outcome as Told};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::api::{Answer, Call, Node, dispatch};
use super::bait;
use super::codec::json::Json;
use super::codec::table::Asked;
use super::codec::target::{parameters, segments, version, words};
use super::error::EsError;
use super::exploits;
use super::persona::Persona;
use super::store::Cluster;
use crate::connection::{Connection, Stream};
use crate::host::Host;
use crate::httpd::{
    Answering, Arrival, Authorization, BodyLength, BrokenBody, Detail, Fault, Field, Head, HeadLimits,
    KeepAlive, KeepAliveStyle, LineVerdict, Profile, Request, Response, Site, Slot, Version, report, serve,
};
use crate::server::{BuildError, Conversation, Server};
use crate::session::{Session, uploaded};
use crate::tls::{Attribute, Endpoint, Extension, Habit, Issuer, KeyKind, Opening, Settings};

/// What one connection may send us: bulks are larger than our usual bound.
const CONNECTION_BYTES: u64 = 64 * 1024 * 1024;
/// The largest body; the product takes 100 MB.
const BODY_LIMIT: u64 = 32 * 1024 * 1024;
/// How much of a body is worked on.
const BODY_KEPT: usize = 2 * 1024 * 1024;
/// `http.max_initial_line_length`.
const LINE: usize = 4096;
/// `http.max_header_size`: 8 kB before 8, 16 kB since.
const HEADER: usize = 16 * 1024;

/// Makes the server of one decky.
pub(super) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    let persona = Persona::new(host.identity(), &host.persona("elasticsearch"))?;
    let profile = profile(&persona);
    Ok(Box::new(Elasticsearch {
        host: Arc::clone(host),
        persona,
        profile,
        cluster: Mutex::new(Cluster::default()),
        tls: OnceLock::new(),
    }))
}

/// Netty as the product sets it up: lower-case names, no Server, no Date.
fn profile(persona: &Persona) -> Profile {
    let header = if persona.number.0 >= 8 { HEADER } else { HEADER / 2 };
    Profile {
        server: None,
        layout: &[Slot::Rest],
        echo_version: true,
        head: HeadLimits { request_line: LINE, field_line: header, fields: 1000, total: LINE + header },
        keep_alive: KeepAlive {
            style: KeepAliveStyle::Exceptions,
            // The product waits for ever.
            idle: Duration::from_secs(1800),
            requests: u32::MAX,
        },
        head_timeout: Duration::from_secs(300),
        body_timeout: Duration::from_secs(300),
        body_limit: BODY_LIMIT,
        broken_body: BrokenBody::Refuse,
        linger: Duration::from_secs(1),
        body_kept: BODY_KEPT,
    }
}

struct Elasticsearch {
    host: Arc<Host>,
    persona: Persona,
    profile: Profile,
    cluster: Mutex<Cluster>,
    tls: OnceLock<Endpoint>,
}

/// How a request proves who sent it.
enum Login {
    Open,
    In(String),
    Missing,
    Refused(String),
}

impl Elasticsearch {
    /// The certificate that the node made for itself when it was installed.
    fn tls(&self) -> &Endpoint {
        self.tls.get_or_init(|| {
            let identity = self.host.identity();
            let habit = Habit {
                key: KeyKind::Rsa2048,
                subject: vec![(Attribute::CommonName, self.persona.node.clone())],
                issuer: Issuer::Authority(vec![(
                    Attribute::CommonName,
                    "Elasticsearch security auto-configuration HTTP CA".to_owned(),
                )]),
                names: vec!["localhost".to_owned(), self.persona.node.clone()],
                days: 730,
                // The node would not start with one that has run out, so somebody made it anew.
                renewed_after: Some(700),
                made_after_days: (0, 6),
                serial_bytes: 20,
                extensions: vec![
                    Extension::SubjectKey,
                    Extension::AuthorityKey,
                    Extension::SubjectNames,
                    Extension::NotAuthority,
                ],
                ..Habit::of_system(identity)
            };
            Endpoint::new(Settings {
                habit,
                alpn: Vec::new(),
                alpn_strict: false,
                timeout: Duration::from_secs(10),
            })
        })
    }

    async fn converse(&self, mut connection: Connection) -> io::Result<()> {
        connection.allow(CONNECTION_BYTES);
        let session = connection.session().clone();
        let port = connection.port().number;
        let stream: Box<dyn Stream> = Box::new(connection);
        let talk = Talk { server: self, agent_seen: AtomicBool::new(false), started: AtomicBool::new(false) };
        if !self.persona.tls {
            return serve(stream, &session, &talk, Arrival { secure: false, port }).await;
        }
        match self.tls().open(stream, &session).await? {
            Opening::Secure(established) => {
                serve(established.stream, &session, &talk, Arrival { secure: true, port }).await
            }
            // `received plaintext http traffic on an https channel, closing connection`.
            Opening::Plain(mut stream) => {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let mut head = vec![0u8; 4096];
                let read = stream.read(&mut head).await?;
                session.emit_raw(Body::ScanProbe { kind: "wrong_protocol".to_owned() }, &head[..read]);
                stream.shutdown().await
            }
            Opening::Closed => Ok(()),
        }
    }

    /// Who asks; credentials are reported.
    fn login(&self, request: &Request, session: &Session) -> Login {
        let Some(value) = request.field("authorization") else {
            return if self.persona.security { Login::Missing } else { Login::Open };
        };
        let authorization = Authorization::read(&value);
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        let (credential, good, told) = match &authorization {
            Authorization::Basic { username, password } => {
                let is = |(name, secret): &(String, String)| {
                    name.as_bytes() == username && secret.as_bytes() == password
                };
                let good = self.persona.users.iter().any(is);
                let name = String::from_utf8_lossy(username).into_owned();
                (
                    Credential::password("basic", username, password),
                    good.then(|| name.clone()),
                    format!("unable to authenticate user [{name}] for REST request"),
                )
            }
            other => {
                let key = scheme.eq_ignore_ascii_case("apikey");
                let bearer = matches!(other, Authorization::Bearer(_));
                let mut credential = Credential {
                    method: if key {
                        "apikey"
                    } else if bearer {
                        "bearer"
                    } else {
                        "other"
                    }
                    .to_owned(),
                    token: Some(if key || bearer { rest.trim().to_owned() } else { value.clone() }),
                    ..Credential::default()
                };
                if key {
                    use base64::Engine as _;
                    // An API key is its id and its secret.
                    let decoded =
                        base64::engine::general_purpose::STANDARD.decode(rest.trim()).unwrap_or_default();
                    if let Some(at) = decoded.iter().position(|byte| *byte == b':') {
                        credential.username = String::from_utf8_lossy(&decoded[..at]).into_owned();
                    }
                }
                let told = if key || bearer {
                    "unable to authenticate with provided credentials and anonymous access is not allowed for this request"
                } else {
                    "missing authentication credentials for REST request"
                };
                (credential, None, told.to_owned())
            }
        };
        let outcome = if good.is_some() && self.persona.security { Told::Accepted } else { Told::Failed };
        session.emit_raw(Body::AuthAttempt { credential, outcome }, value.as_bytes());
        match (self.persona.security, good) {
            // Without security the field is not looked at.
            (false, _) => Login::Open,
            (true, Some(name)) => Login::In(name),
            (true, None) => Login::Refused(told),
        }
    }

    fn unauthorized(&self, request: &Request, told: &str) -> EsError {
        let challenges = self.persona.challenges();
        let reason = if told.starts_with("unable to authenticate with") {
            told.to_owned()
        } else {
            format!("{told} [{}]", request.target)
        };
        let header: Json = match challenges.as_slice() {
            [one] => Json::from(*one),
            many => Json::List(many.iter().map(|challenge| Json::from(*challenge)).collect()),
        };
        let mut inner = Json::empty();
        inner.set("WWW-Authenticate", header);
        EsError::new(401, "security_exception", reason).with("header", inner)
    }

    /// Does what a request asks.
    fn answer(&self, request: &Request, session: &Session, started: &AtomicBool) -> Response {
        let path = request.target.split('?').next().unwrap_or_default();
        let (Some(words), Some(given)) = (segments(path), parameters(&request.query)) else {
            return self.shown(
                request,
                &[],
                Err(EsError::argument("unterminated escape sequence at end of string: ".to_owned() + path)),
            );
        };
        let user = match self.login(request, session) {
            Login::Open => None,
            Login::In(name) => Some(name),
            Login::Missing => {
                let error = self.unauthorized(request, "missing authentication credentials for REST request");
                return self.shown(request, &given, Err(error));
            }
            Login::Refused(told) => {
                let wait = self.host.entropy.delay(60, 140);
                let error = self.unauthorized(request, &told);
                return self.shown(request, &given, Err(error)).after(wait);
            }
        };
        if !started.swap(true, Ordering::Relaxed) {
            let (username, privilege) = match &user {
                Some(name) => (name.clone(), "superuser"),
                None => ("anonymous".to_owned(), "superuser"),
            };
            session.emit(Body::SessionStarted { username, privilege: privilege.to_owned() });
        }
        if let Some(error) = self.media_type(request) {
            return self.shown(request, &given, Err(error));
        }
        let now = self.host.clock.micros() / 1000;
        let node = Node { host: &self.host, persona: &self.persona };
        // A poisoned lock means that another conversation panicked; what it left is still a cluster.
        let mut cluster = self.cluster.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !cluster.ready {
            bait::plant(&mut cluster, self.host.identity(), &self.persona, now);
        }
        cluster.requests += 1;
        let mut call = Call {
            node: &node,
            cluster: &mut cluster,
            method: &request.method,
            names: Vec::new(),
            parameters: &given,
            body: &request.body,
            now,
            user,
            notes: Vec::new(),
            uploads: Vec::new(),
        };
        let outcome = dispatch(&mut call, &request.target, &words);
        let (notes, uploads) = (std::mem::take(&mut call.notes), std::mem::take(&mut call.uploads));
        drop(cluster);
        self.tell(notes, uploads, session);
        self.shown(request, &given, outcome)
    }

    /// Reports what a request did. Many changes of one request are told as the first of them and a count.
    fn tell(&self, notes: Vec<Body>, uploads: Vec<(String, Vec<u8>)>, session: &Session) {
        const TOLD: usize = 50;
        let count = notes.len();
        let mut ransom = false;
        for note in &notes {
            if let Body::StateChanged { object, new, .. } = note {
                ransom |= exploits::ransom(object, new);
            }
        }
        for note in notes.into_iter().take(TOLD) {
            session.emit(note);
        }
        if count > TOLD {
            session.emit(Body::StateChanged {
                object: "documents".to_owned(),
                old: None,
                new: format!("{} more", count - TOLD),
            });
        }
        if ransom {
            session.emit(Body::ExploitAttempt { name: "ransom note".to_owned(), confidence: 90 });
        }
        for (name, bytes) in uploads {
            let inner = session.clone();
            session.keep(&bytes, move |stored| inner.report(uploaded(name, stored)));
        }
    }

    /// Bodies of a type that the product does not read.
    fn media_type(&self, request: &Request) -> Option<EsError> {
        if request.body_len == 0 {
            return None;
        }
        let Some(kind) = request.field("content-type") else {
            return Some(EsError::bare(406, "Content-Type header is missing"));
        };
        let plain = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let known = [
            "application/json",
            "application/x-ndjson",
            "application/yaml",
            "application/cbor",
            "application/smile",
        ];
        let vendor = plain.starts_with("application/vnd.elasticsearch+") && self.persona.since(7, 11);
        if known.contains(&plain.as_str()) || vendor {
            return None;
        }
        Some(EsError::bare(406, format!("Content-Type header [{kind}] is not supported")))
    }

    /// An outcome in the form that was asked for.
    fn shown(
        &self,
        request: &Request,
        given: &[(String, String)],
        outcome: Result<Answer, EsError>,
    ) -> Response {
        let get = |key: &str| given.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let on = |key: &str| get(key).is_some_and(|value| value != "false");
        let yaml = get("format") == Some("yaml");
        let pretty = on("pretty")
            || (request.target.split('?').next() == Some("/")
                && outcome.is_ok()
                && get("pretty") != Some("false"));
        let mut allow = None;
        let mut challenge = false;
        let (status, kind, body) = match outcome {
            Ok(Answer::Status(status)) => (status, self.json_type(request), String::new()),
            Ok(Answer::Text(text)) => (200, self.text_type(), text),
            Ok(Answer::Table(mut table)) => {
                if let Some(Err(missing)) = get("s").map(|by| table.sort(by)) {
                    let error = EsError::new(
                        500,
                        "unsupported_operation_exception",
                        format!("Unable to sort by unknown sort key `{missing}`"),
                    );
                    return self.shown(request, given, Err(error));
                }
                let asked = Asked { headers: get("h"), verbose: on("v"), help: on("help") };
                // A table is JSON where it is asked for, or where the client reads nothing else.
                let accept = request.field("accept").unwrap_or_default();
                let wants =
                    accept.contains("json") && !accept.contains("*/*") && !accept.contains("text/plain");
                match get("format") {
                    Some("json") => (
                        200,
                        self.json_type(request),
                        self.text(&table.json(asked.headers), on("pretty"), false),
                    ),
                    Some("yaml") => {
                        (200, "application/yaml".into(), self.text(&table.json(asked.headers), false, true))
                    }
                    None if wants => (
                        200,
                        self.json_type(request),
                        self.text(&table.json(asked.headers), on("pretty"), false),
                    ),
                    _ => (200, self.text_type(), table.text(asked)),
                }
            }
            Ok(Answer::Json(status, value)) => {
                let value = match get("filter_path").filter(|filter| !filter.is_empty()) {
                    Some(filter) => value.filtered(filter).unwrap_or_else(Json::empty),
                    None => value,
                };
                let kind = if yaml { "application/yaml".into() } else { self.json_type(request) };
                (status, kind, self.text(&value, pretty, yaml))
            }
            Err(error) => {
                challenge = error.status == 401;
                allow = error.allow.clone();
                let body = if error.status == 200 {
                    String::new()
                } else {
                    self.text(&error.answer(), on("pretty"), yaml)
                };
                let kind = if error.status == 200 { self.text_type() } else { self.json_type(request) };
                (error.status, kind, body)
            }
        };
        let mut response = Response::bare(status);
        if let Some(id) = request.field("x-opaque-id") {
            response = response.with("X-Opaque-Id", id);
        }
        if challenge {
            for challenge in self.persona.challenges() {
                response = response.with("WWW-Authenticate", challenge);
            }
        }
        if let Some(allow) = allow {
            response = response.with("Allow", allow.into_string());
        }
        if let Some(warning) = self.persona.warning().filter(|_| status != 401) {
            response = response.with(if self.persona.since(7, 0) { "Warning" } else { "warning" }, warning);
        }
        if self.persona.since(7, 14) {
            response = response.with("X-elastic-product", "Elasticsearch");
        }
        let mut bytes = body.into_bytes();
        let mut encoding = None;
        // `http.compression` is on by default, and off under TLS.
        if !self.persona.tls && request.accepts_gzip() && !bytes.is_empty() && request.method != "HEAD" {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::new(3));
            if encoder.write_all(&bytes).is_ok()
                && let Ok(packed) = encoder.finish()
            {
                bytes = packed;
                encoding = Some("gzip");
            }
        }
        response = response.with("content-type", kind);
        if let Some(encoding) = encoding {
            response = response.with("content-encoding", encoding);
        }
        response = response.with("content-length", bytes.len().to_string());
        if request.version < Version::V11 && request.lists("connection", "keep-alive") {
            response = response.with("connection", "keep-alive");
        }
        response.body = bytes;
        response
    }

    fn text(&self, value: &Json, pretty: bool, yaml: bool) -> String {
        match (yaml, pretty) {
            (true, _) => value.yaml(),
            (_, true) => value.pretty(),
            _ => value.compact(),
        }
    }

    fn json_type(&self, request: &Request) -> Cow<'static, str> {
        if self.persona.since(7, 11) {
            // A client that names the release whose forms it understands is answered in its words.
            let accept =
                request.field("accept").or_else(|| request.field("content-type")).unwrap_or_default();
            let accept = accept.split(',').next().unwrap_or_default().replace(' ', "");
            if accept.starts_with("application/vnd.elasticsearch+json") && accept.contains("compatible-with=")
            {
                return Cow::Owned(accept);
            }
        }
        Cow::Borrowed(if self.persona.number.0 >= 8 {
            "application/json"
        } else {
            "application/json; charset=UTF-8"
        })
    }

    fn text_type(&self) -> Cow<'static, str> {
        Cow::Borrowed("text/plain; charset=UTF-8")
    }

    /// An answer to what Netty could not read: the request line of an invalid message is HTTP/1.0.
    fn malformed(&self, kind: &'static str, reason: &str) -> Response {
        let error = EsError::new(400, kind, reason);
        let body = error.answer().compact();
        let mut head = String::from("HTTP/1.0 400 Bad Request\r\n");
        if let Some(warning) = self.persona.warning() {
            head.push_str(&format!("Warning: {warning}\r\n"));
        }
        if self.persona.since(7, 14) {
            head.push_str("X-elastic-product: Elasticsearch\r\n");
        }
        let kind =
            if self.persona.number.0 >= 8 { "application/json" } else { "application/json; charset=UTF-8" };
        head.push_str(&format!("content-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len()));
        let mut response = Response::bare(400).closing();
        response.simple = true;
        response.body = (head + &body).into_bytes();
        response
    }
}

impl Server for Elasticsearch {
    fn product(&self) -> String {
        format!("elasticsearch/{}", self.persona.version)
    }

    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        Box::pin(self.converse(connection))
    }
}

/// One connection as the kit sees it.
struct Talk<'a> {
    server: &'a Elasticsearch,
    agent_seen: AtomicBool,
    started: AtomicBool,
}

fn field(line: &[u8]) -> Field {
    let at = line.iter().position(|byte| *byte == b':');
    match at {
        Some(at) => {
            Field { name: line[..at].trim_ascii().to_vec(), value: line[at + 1..].trim_ascii().to_vec() }
        }
        None => Field { name: line.trim_ascii().to_vec(), value: Vec::new() },
    }
}

impl Site for Talk<'_> {
    fn profile(&self) -> &Profile {
        &self.server.profile
    }

    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict {
        let (_, _, last) = words(line);
        // A line is read to its end; one without a version is no request.
        if complete && version(last).is_err() { LineVerdict::Stop } else { LineVerdict::More }
    }

    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
        let (method, target, text) = words(head.line());
        let (major, minor) = version(text).map_err(|_| Detail::BadVersion)?;
        let target = String::from_utf8_lossy(target).into_owned();
        // An absolute target loses its scheme and authority.
        let target = match target.split_once("://") {
            Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                rest.find('/').map_or_else(|| "/".to_owned(), |at| rest[at..].to_owned())
            }
            _ => target,
        };
        let query = target.split_once('?').map_or(String::new(), |(_, query)| query.to_owned());
        let fields: Vec<Field> = head.fields().map(field).collect();
        let mut request = Request {
            method: String::from_utf8_lossy(method).to_uppercase(),
            path: target.split('?').next().unwrap_or_default().to_owned(),
            target,
            query,
            version: Version { major, minor },
            fields,
            host: None,
            host_port: None,
            body_length: BodyLength::Exactly(0),
            expects_continue: false,
            body: Vec::new(),
            body_len: 0,
            raw: head.raw().to_vec(),
            last: false,
            secure: arrival.secure,
            port: arrival.port,
        };
        if request.lists("transfer-encoding", "chunked") {
            request.body_length = BodyLength::Chunked;
        } else if let Some(length) = request.field("content-length") {
            request.body_length = BodyLength::Exactly(length.parse().map_err(|_| Detail::BadLength)?);
        }
        request.expects_continue = request.lists("expect", "100-continue");
        Ok(request)
    }

    fn refuse(&self, fault: &Fault, session: &Session) -> Option<Response> {
        let server = self.server;
        let long = if server.persona.since(7, 17) {
            "too_long_http_line_exception"
        } else {
            "too_long_frame_exception"
        };
        let header = if server.persona.since(7, 17) {
            "too_long_http_header_exception"
        } else {
            "too_long_frame_exception"
        };
        let exploits = exploits::recognise(&String::from_utf8_lossy(fault.head.line()), "");
        for exploit in exploits {
            session
                .emit(Body::ExploitAttempt { name: exploit.name.to_owned(), confidence: exploit.confidence });
        }
        Some(match fault.detail {
            Detail::Timeout | Detail::PlainOnTls => return None,
            Detail::BodyTooLarge => {
                session.emit(Body::LimitReached {
                    limit: "request body bytes".to_owned(),
                    count: fault.request.as_ref().map_or(0, |request| request.body_len),
                });
                Response::bare(413).with("content-length", "0").closing()
            }
            Detail::LineTooLong => server.malformed(long, "An HTTP line is larger than 4096 bytes."),
            Detail::FieldTooLong | Detail::HeadTooLong | Detail::TooManyFields => {
                let bound = if server.persona.number.0 >= 8 { HEADER } else { HEADER / 2 };
                server.malformed(header, &format!("HTTP header is larger than {bound} bytes."))
            }
            Detail::BadLength => {
                let value = fault
                    .head
                    .fields()
                    .map(field)
                    .find(|field| field.name.eq_ignore_ascii_case(b"content-length"));
                let value =
                    value.map(|field| String::from_utf8_lossy(&field.value).into_owned()).unwrap_or_default();
                server.malformed("number_format_exception", &format!("For input string: \"{value}\""))
            }
            Detail::BadChunk => server.malformed("number_format_exception", "For input string: \"\""),
            _ => {
                let (_, _, text) = words(fault.head.line());
                let reason =
                    version(text).err().unwrap_or_else(|| "text is empty (possibly HTTP/0.9)".to_owned());
                server.malformed("illegal_argument_exception", &reason)
            }
        })
    }

    fn respond<'a>(&'a self, request: &'a Request, session: &'a Session) -> Answering<'a> {
        Box::pin(async move { self.server.answer(request, session, &self.started) })
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
        let raw = [&request.raw[..], &request.body].concat();
        for exploit in exploits::recognise(&request.target, &String::from_utf8_lossy(&request.body)) {
            let body = Body::ExploitAttempt { name: exploit.name.to_owned(), confidence: exploit.confidence };
            session.emit_raw(body, &raw);
        }
    }
}

//! The conversation.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use decnet_logging::event::{Body, Credential, Outcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::codec::{
    Batch, Call, Encryption, Framed, Framer, HEADER, Login, Message, Notice, PACKET_SIZES, Prelogin,
    TdsVersion, Terms, Tokens, command, emit, kind, old_login,
};
use super::engine::{Answer, Client, Note, Run, Shared, State};
use super::persona::Persona;
use super::tunnel::Tunnel;
use crate::connection::{Connection, Stream};
use crate::datagram::Exchange;
use crate::host::Host;
use crate::ntlm::{self, message_type};
use crate::server::{BuildError, Conversation, Server};
use crate::session::Session;
use crate::spnego::{self, Token, mechanism};
use crate::tls::{Attribute, Endpoint, Habit, Issuer, KeyKind, Prefixed, Settings};

/// Bytes that one connection may send: assemblies in hexadecimal are large.
const CONNECTION_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes of unfinished messages over all connections.
const BUFFERED_BOUND: usize = 32 * 1024 * 1024;
/// How long a login may take; the product closes after about this (observed).
const LOGIN_TIME: Duration = Duration::from_secs(15);
/// How long a client that is in may be silent.
const IDLE: Duration = Duration::from_secs(600);
/// How long a client may refuse to read.
const WRITE: Duration = Duration::from_secs(60);
/// The size of packets before the login, and where the client does not say.
const PACKET: usize = 4096;
/// The first session of a user; those below are the system's.
const FIRST_SPID: u16 = 51;
/// Messages that one connection may begin integrated authentication with.
const SSPI_ROUNDS: usize = 4;

/// Makes the server of a decky.
///
/// # Errors
/// A persona value that cannot be used.
pub(crate) fn build(host: &Arc<Host>) -> Result<Box<dyn Server>, BuildError> {
    let persona = Arc::new(Persona::new(host)?);
    let settings = |alpn: Vec<&'static str>| Settings {
        habit: habit(host),
        alpn,
        alpn_strict: false,
        timeout: LOGIN_TIME,
    };
    Ok(Box::new(Mssql {
        inside: Endpoint::new(settings(Vec::new())).up_to_1_2(),
        strict: Endpoint::new(settings(vec!["tds/8.0"])),
        shared: Shared { host: Arc::clone(host), persona },
        state: Mutex::new(None),
        sessions: Mutex::default(),
        buffered: AtomicUsize::new(0),
    }))
}

/// The certificate that the server makes for itself where it was given none: 30 years, no extension, a new one
/// whenever it starts.
fn habit(host: &Host) -> Habit {
    Habit {
        key: KeyKind::Rsa2048,
        subject: vec![(Attribute::CommonName, "SSL_Self_Signed_Fallback".to_owned())],
        issuer: Issuer::Itself,
        names: Vec::new(),
        printable: false,
        days: 10_957,
        renewed_after: Some((host.identity().times.reboot_period / 86_400).max(1)),
        made_after_days: (0, 3),
        serial_bytes: 16,
        extensions: Vec::new(),
    }
}

struct Mssql {
    shared: Shared,
    inside: Endpoint,
    strict: Endpoint,
    /// Made when the first client is let in.
    state: Mutex<Option<State>>,
    sessions: Mutex<BTreeSet<u16>>,
    buffered: AtomicUsize,
}

/// The number of a connection; leaving gives it back.
struct Seat<'a> {
    server: &'a Mssql,
    spid: u16,
    held: usize,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.server.buffered.fetch_sub(self.held, Ordering::Relaxed);
        self.server.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.spid);
        if let Some(state) = self.server.lock().as_mut() {
            state.facts.sessions.remove(&self.spid);
        }
    }
}

/// A stream with its messages.
struct Wire {
    stream: Box<dyn Stream>,
    framer: Framer,
    packet: usize,
    spid: u16,
}

impl Wire {
    async fn read(&mut self, seat: &mut Seat<'_>, session: &Session) -> io::Result<Option<Message>> {
        let mut buffer = vec![0u8; 16 * 1024];
        loop {
            match self.framer.next() {
                Some(Framed::Message(message)) => return Ok(Some(message)),
                Some(Framed::Broken(bytes)) => {
                    session.emit_raw(Body::ScanProbe { kind: probe(&bytes).to_owned() }, &bytes);
                    return Ok(None);
                }
                Some(Framed::TooLong(count)) => {
                    session
                        .emit(Body::LimitReached { limit: "message bytes".to_owned(), count: count as u64 });
                    return Ok(None);
                }
                None => {}
            }
            let read = self.stream.read(&mut buffer).await?;
            if read == 0 {
                let rest = self.framer.rest();
                if !rest.is_empty() {
                    session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, rest);
                }
                return Ok(None);
            }
            self.framer.push(&buffer[..read]);
            seat.account(self.framer.held(), session)?;
        }
    }

    async fn send(&mut self, body: &[u8]) -> io::Result<()> {
        let mut out = Vec::with_capacity(body.len() + HEADER);
        emit(kind::REPLY, body, self.packet, self.spid, &mut out);
        timeout(WRITE, async {
            self.stream.write_all(&out).await?;
            self.stream.flush().await
        })
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

impl Seat<'_> {
    /// Counts what a connection holds of unfinished messages.
    fn account(&mut self, held: usize, session: &Session) -> io::Result<()> {
        let buffered = &self.server.buffered;
        buffered.fetch_add(held, Ordering::Relaxed);
        buffered.fetch_sub(self.held, Ordering::Relaxed);
        self.held = held;
        let all = buffered.load(Ordering::Relaxed);
        if held > PACKET && all > BUFFERED_BOUND {
            session.emit(Body::LimitReached { limit: "buffered bytes".to_owned(), count: all as u64 });
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

/// What bytes are that are no packet.
fn probe(bytes: &[u8]) -> &'static str {
    let words: [&[u8]; 5] = [b"GET ", b"POST", b"OPTI", b"SSH-", b"HELP"];
    let foreign = words.iter().any(|word| bytes.starts_with(word)) || bytes.first() == Some(&0x16);
    if foreign { "wrong_protocol" } else { "malformed" }
}

impl Mssql {
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        // A panic under the lock ends its conversation; what it leaves is whole between statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut slot = self.lock();
        work(slot.get_or_insert_with(|| State::new(&self.shared.host, &self.shared.persona)))
    }

    /// The lowest number that is free.
    fn seat(&self) -> Option<Seat<'_>> {
        let mut taken = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let spid = (FIRST_SPID..32_767).find(|number| !taken.contains(number))?;
        taken.insert(spid);
        Some(Seat { server: self, spid, held: 0 })
    }

    async fn converse(&self, mut connection: Connection) -> io::Result<()> {
        connection.allow(CONNECTION_BYTES);
        let session = connection.session().clone();
        let traffic = connection.traffic();
        let Some(mut seat) = self.seat() else { return Ok(()) };
        let result = self.begin(connection, &session, &mut seat).await;
        if traffic.received() == 0 {
            session.emit(Body::ScanProbe { kind: "empty".to_owned() });
        }
        result
    }

    async fn begin(
        &self,
        mut connection: Connection,
        session: &Session,
        seat: &mut Seat<'_>,
    ) -> io::Result<()> {
        let persona = &self.shared.persona;
        let mut first = [0u8; 1];
        let read = timeout(LOGIN_TIME, connection.read(&mut first)).await;
        if !matches!(read, Ok(Ok(1))) {
            return Ok(());
        }
        let mut stream: Box<dyn Stream> = Box::new(Prefixed::new(first.to_vec(), connection));
        let strict = first[0] == 0x16 && persona.speaks_strict();
        if strict {
            match self.strict.upgrade(stream, session).await? {
                Some(established) => stream = established.stream,
                None => return Ok(()),
            }
        } else if persona.strict {
            session.emit_raw(Body::ScanProbe { kind: "handshake_only".to_owned() }, &first);
            return Ok(());
        }
        let spid = seat.spid;
        let mut wire = Wire { stream, framer: Framer::default(), packet: PACKET, spid: 0 };
        let opened = timeout(LOGIN_TIME, self.open(wire, session, seat, strict)).await;
        match opened {
            Ok(Ok(Some((opened, client, version)))) => {
                wire = opened;
                wire.spid = spid;
                self.serve(wire, session, seat, client, version).await
            }
            Ok(Ok(None)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// PRELOGIN, TLS and LOGIN7. `None`: the conversation is over.
    async fn open(
        &self,
        mut wire: Wire,
        session: &Session,
        seat: &mut Seat<'_>,
        strict: bool,
    ) -> io::Result<Option<(Wire, Client, TdsVersion)>> {
        let persona = &self.shared.persona;
        let Some(mut message) = wire.read(seat, session).await? else { return Ok(None) };
        let mut only_login = None;
        let mut greeted = false;
        if message.kind == kind::PRELOGIN {
            greeted = true;
            let prelogin = match Prelogin::read(&message.body) {
                Ok(prelogin) => prelogin,
                Err(_) => {
                    session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &message.body);
                    return Ok(None);
                }
            };
            session.emit_raw(
                Body::ClientFingerprint { kind: "tds_prelogin".to_owned(), value: prelogin.fingerprint() },
                &message.body,
            );
            let client = prelogin.encryption();
            let (encryption, goes_on) = persona.encryption.answer(client);
            let terms =
                Terms { version: persona.wire_version(), encryption, instance: persona.service_name() };
            wire.send(&prelogin.answer(terms)).await?;
            let _ = prelogin.has_nonce();
            if !goes_on {
                return Ok(None);
            }
            let wants_tls = !strict && encryption != Encryption::NotSupported;
            if wants_tls {
                let tunnel = Tunnel::new(wire.stream);
                let inside = Box::new(tunnel.clone());
                // A client that goes away here has looked at PRELOGIN alone, as scanners do.
                let Some(established) = self.inside.upgrade(inside, session).await? else {
                    session.emit(Body::ScanProbe { kind: "handshake_only".to_owned() });
                    return Ok(None);
                };
                tunnel.established();
                if encryption == Encryption::Off {
                    only_login = Some(tunnel);
                }
                wire.stream = established.stream;
            }
            match wire.read(seat, session).await? {
                Some(next) => message = next,
                None => {
                    if !wants_tls {
                        session.emit(Body::ScanProbe { kind: "handshake_only".to_owned() });
                    }
                    return Ok(None);
                }
            }
        }
        if message.kind == kind::OLD_LOGIN
            && let Some((user, password)) = old_login(&message.body)
        {
            let credential = Credential::password("tds-login", &user, &password);
            session.emit_raw(Body::AuthAttempt { credential, outcome: Outcome::Failed }, &message.body);
            return Ok(None);
        }
        if message.kind != kind::LOGIN || !greeted && persona.encryption != Encryption::Off {
            session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &message.body);
            return Ok(None);
        }
        if let Some(tunnel) = only_login {
            // What follows the login goes in clear.
            wire.stream = Box::new(tunnel);
        }
        let login = match Login::read(&message.body) {
            Ok(login) => login,
            Err(_) => {
                session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &message.body);
                return Ok(None);
            }
        };
        let version = TdsVersion::agree(login.version, persona.newest, strict);
        session.emit(Body::ClientFingerprint { kind: "tds_login".to_owned(), value: fingerprint(&login) });
        wire.spid = seat.spid;
        let user = if login.integrated || !login.sspi.is_empty() {
            self.integrated(&mut wire, session, seat, &login, version).await?
        } else {
            self.by_password(&mut wire, session, &login, &message.body, version).await?
        };
        let Some(user) = user else { return Ok(None) };
        self.welcome(&mut wire, session, seat, &login, &user, version)
            .await
            .map(|client| client.map(|c| (wire, c, version)))
    }

    async fn by_password(
        &self,
        wire: &mut Wire,
        session: &Session,
        login: &Login,
        raw: &[u8],
        version: TdsVersion,
    ) -> io::Result<Option<String>> {
        let accepted = self.with(|state| {
            state
                .login(&login.user)
                .filter(|known| !known.disabled && known.kind == 'S')
                .filter(|known| known.password.as_deref() == Some(login.password.as_str()))
                .map(|known| known.name.clone())
        });
        let credential = Credential::password("tds-login", login.user.as_bytes(), login.password.as_bytes());
        let outcome = if accepted.is_some() { Outcome::Accepted } else { Outcome::Failed };
        session.emit_raw(Body::AuthAttempt { credential, outcome }, raw);
        sleep(self.shared.host.entropy.delay(6, 40)).await;
        if accepted.is_none() {
            self.refuse(
                wire,
                version,
                &[Notice::new(18456, 14, 1, format!("Login failed for user '{}'.", login.user))],
            )
            .await?;
        }
        Ok(accepted)
    }

    /// Says why the login fails, and ends.
    async fn refuse(&self, wire: &mut Wire, version: TdsVersion, notices: &[Notice]) -> io::Result<()> {
        let mut tokens = Tokens::new(version);
        for notice in notices {
            tokens.notice(notice, &self.shared.persona.server_name());
        }
        tokens.done(0, None, true);
        wire.send(&tokens.finish()).await?;
        wire.stream.shutdown().await
    }

    async fn integrated(
        &self,
        wire: &mut Wire,
        session: &Session,
        seat: &mut Seat<'_>,
        login: &Login,
        version: TdsVersion,
    ) -> io::Result<Option<String>> {
        let persona = &self.shared.persona;
        let untrusted = || {
            Notice::new(
                18452,
                14,
                1,
                "Login failed. The login is from an untrusted domain and cannot be used with Integrated authentication.",
            )
        };
        let mut exchange: Option<ntlm::Exchange> = None;
        let mut bytes = login.sspi.clone();
        for _ in 0..SSPI_ROUNDS {
            let (wrapped, inner) = match unwrap(&bytes) {
                Some(unwrapped) if persona.windows => unwrapped,
                _ => {
                    session.emit_raw(
                        Body::AuthAttempt {
                            credential: Credential { method: "sspi".to_owned(), ..Credential::default() },
                            outcome: Outcome::Failed,
                        },
                        &bytes,
                    );
                    self.refuse(wire, version, &[untrusted()]).await?;
                    return Ok(None);
                }
            };
            let reply = match inner {
                None => spnego::Response::incomplete(mechanism::NTLM, None).write(),
                Some(message) if message_type(&message) == Some(3) => {
                    let Some(got) =
                        exchange.as_ref().and_then(|exchange| exchange.authenticate(&message).ok())
                    else {
                        self.refuse(wire, version, &[untrusted()]).await?;
                        return Ok(None);
                    };
                    session.emit(Body::ClientFingerprint {
                        kind: "ntlm_version".to_owned(),
                        value: got.fingerprint(),
                    });
                    let accounts: Vec<(String, String)> = self.with(|state| {
                        state
                            .facts
                            .logins
                            .iter()
                            .filter(|known| known.kind != 'R')
                            .filter_map(|known| {
                                let short = known.name.rsplit('\\').next()?.to_owned();
                                Some((short, known.password.clone()?))
                            })
                            .collect()
                    });
                    let admitted = got.admitted(&accounts).map(str::to_owned);
                    let outcome = if admitted.is_some() { Outcome::Accepted } else { Outcome::Failed };
                    session.emit_raw(Body::AuthAttempt { credential: got.credential(), outcome }, &message);
                    sleep(self.shared.host.entropy.delay(12, 60)).await;
                    let domain = &persona.ntlm.names().netbios_domain;
                    if admitted.is_none() {
                        let name = format!("{}\\{}", got.domain, got.username);
                        let ours = got.domain.is_empty() || got.domain.eq_ignore_ascii_case(domain);
                        let notice = if ours && !got.is_anonymous() {
                            Notice::new(18456, 14, 1, format!("Login failed for user '{name}'."))
                        } else {
                            untrusted()
                        };
                        self.refuse(wire, version, &[notice]).await?;
                    }
                    return Ok(admitted.map(|user| format!("{domain}\\{user}")));
                }
                Some(message) => {
                    let nonce = self.shared.host.entropy.bytes();
                    match persona.ntlm.challenge(&message, nonce, self.shared.host.clock.micros()) {
                        Ok(made) => {
                            let answer = made.message().to_vec();
                            exchange = Some(made);
                            if wrapped {
                                spnego::Response::incomplete(mechanism::NTLM, Some(answer)).write()
                            } else {
                                answer
                            }
                        }
                        Err(_) => {
                            self.refuse(wire, version, &[untrusted()]).await?;
                            return Ok(None);
                        }
                    }
                }
            };
            let mut tokens = Tokens::new(version);
            tokens.sspi(&reply);
            wire.send(&tokens.unfinished()).await?;
            match wire.read(seat, session).await? {
                Some(message) if message.kind == kind::SSPI => bytes = message.body,
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    /// What a client hears that was let in.
    async fn welcome(
        &self,
        wire: &mut Wire,
        session: &Session,
        seat: &Seat<'_>,
        login: &Login,
        user: &str,
        version: TdsVersion,
    ) -> io::Result<Option<Client>> {
        let persona = &self.shared.persona;
        let mut client = Client { sysadmin: true, ..Client::default() };
        client.session.user = user.to_owned();
        client.session.path = vec!["dbo".to_owned()];
        client.session.connection = u32::from(seat.spid);
        let found = self.with(|state| {
            let about = (login.host.clone(), login.application.clone(), user.to_owned());
            state.facts.sessions.insert(seat.spid, about);
            if login.database.is_empty() {
                return Some("master".to_owned());
            }
            let at = state.catalogue.database(login.database.trim_matches(['[', ']']), true)?;
            Some(state.catalogue.databases[at].name.clone())
        });
        let Some(database) = found else {
            let text = format!(
                "Cannot open database \"{}\" requested by the login. The login failed.",
                login.database
            );
            let failed = Notice::new(18456, 14, 1, format!("Login failed for user '{user}'."));
            self.refuse(wire, version, &[Notice::new(4060, 11, 1, text), failed]).await?;
            return Ok(None);
        };
        client.session.database.clone_from(&database);
        let wanted = usize::try_from(login.packet_size).unwrap_or(PACKET);
        let packet = match wanted {
            0 => PACKET,
            wanted => wanted.clamp(*PACKET_SIZES.start(), *PACKET_SIZES.end()),
        };
        let server = persona.server_name();
        let mut tokens = Tokens::new(version);
        tokens.database(&database, "master");
        tokens
            .notice(&Notice::new(5701, 0, 2, format!("Changed database context to '{database}'.")), &server);
        tokens.collation();
        tokens.language("us_english", "");
        tokens.notice(&Notice::new(5703, 0, 1, "Changed language setting to us_english."), &server);
        tokens.login_ack(persona.wire_version());
        tokens.packet_size(packet, PACKET);
        tokens.features(login);
        tokens.done(0, None, false);
        wire.send(&tokens.finish()).await?;
        wire.packet = packet;
        session.emit(Body::SessionStarted { username: user.to_owned(), privilege: "sysadmin".to_owned() });
        Ok(Some(client))
    }

    async fn serve(
        &self,
        mut wire: Wire,
        session: &Session,
        seat: &mut Seat<'_>,
        mut client: Client,
        version: TdsVersion,
    ) -> io::Result<()> {
        loop {
            let read = timeout(IDLE, wire.read(seat, session)).await;
            let message = match read {
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(message) => message?,
            };
            let Some(message) = message else { return Ok(()) };
            if message.reset {
                client.session.variables.clear();
                client.transactions = 0;
            }
            let Some(answer) = self.request(session, &mut client, &message, version) else {
                session.emit_raw(Body::ScanProbe { kind: "malformed".to_owned() }, &message.body);
                return Ok(());
            };
            let Answer { tokens, notes, delay, .. } = answer;
            for note in notes {
                match note {
                    Note::Event(body) => session.emit(body),
                    Note::Given(name, bytes) => session.upload(&name, &bytes),
                }
            }
            let mut stopped = false;
            if !delay.is_zero() {
                tokio::select! {
                    () = sleep(delay) => {}
                    next = wire.read(seat, session) => match next? {
                        Some(message) if message.kind == kind::ATTENTION => stopped = true,
                        _ => return Ok(()),
                    },
                }
            }
            if stopped {
                let mut tokens = Tokens::new(version);
                tokens.done_attention();
                wire.send(&tokens.finish()).await?;
            } else {
                wire.send(&tokens.finish()).await?;
            }
        }
    }

    /// One request; `None` for what cannot be read.
    fn request(
        &self,
        session: &Session,
        client: &mut Client,
        message: &Message,
        version: TdsVersion,
    ) -> Option<Answer> {
        let database = client.session.database.clone();
        let mut statement = String::new();
        let answer = match message.kind {
            kind::BATCH => {
                let batch = Batch::read(&message.body, version).ok()?;
                statement.clone_from(&batch.text);
                self.with(|state| {
                    let mut run = Run::new(&self.shared, state, client, version);
                    run.batch(&batch.text);
                    run.answer()
                })
            }
            kind::RPC => {
                let calls = Call::read(&message.body, version).ok()?;
                for call in &calls {
                    let values: Vec<String> =
                        call.parameters.iter().map(|parameter| parameter.value.to_string()).collect();
                    statement.push_str(&format!("{} {}\n", call.procedure.name(), values.join(", ")));
                }
                self.with(|state| {
                    let mut run = Run::new(&self.shared, state, client, version);
                    for call in &calls {
                        run.call(call);
                    }
                    run.answer()
                })
            }
            kind::ATTENTION => {
                let mut tokens = Tokens::new(version);
                tokens.done_attention();
                return Some(Answer {
                    tokens,
                    notes: Vec::new(),
                    delay: Duration::ZERO,
                    outcome: Outcome::Accepted,
                    rows: 0,
                });
            }
            kind::TRANSACTION => self.with(|state| {
                let total = message
                    .body
                    .get(..4)
                    .and_then(|bytes| bytes.try_into().ok())
                    .map_or(0, u32::from_le_bytes);
                let at = usize::try_from(total).unwrap_or(0);
                let what = message.body.get(at).copied().unwrap_or(0);
                let text = match what {
                    5 => "BEGIN TRANSACTION",
                    7 => "COMMIT TRANSACTION",
                    8 => "ROLLBACK TRANSACTION",
                    _ => "SAVE TRANSACTION x",
                };
                text.clone_into(&mut statement);
                let mut run = Run::new(&self.shared, state, client, version);
                run.batch(text);
                run.answer()
            }),
            kind::BULK => {
                session.upload("bulk-load.tds", &message.body);
                let mut tokens = Tokens::new(version);
                tokens.done(command::INSERT, Some(0), false);
                return Some(Answer {
                    tokens,
                    notes: Vec::new(),
                    delay: Duration::ZERO,
                    outcome: Outcome::Accepted,
                    rows: 0,
                });
            }
            _ => return None,
        };
        session.emit_raw(
            Body::Query {
                statement: statement.chars().take(16_384).collect(),
                database: Some(database),
                outcome: answer.outcome,
                rows: answer.rows,
            },
            &message.body,
        );
        Some(answer)
    }
}

/// The NTLM message in what a client sent, and whether it was wrapped. An inner `None`: it has to choose.
fn unwrap(bytes: &[u8]) -> Option<(bool, Option<Vec<u8>>)> {
    match Token::read(bytes).ok()? {
        Token::Ntlm => Some((false, Some(bytes.to_vec()))),
        Token::Kerberos => None,
        Token::Init(init) if !init.offers(mechanism::NTLM) => None,
        Token::Init(init) => Some((true, init.token_of(mechanism::NTLM).map(<[u8]>::to_vec))),
        Token::Response(response) => Some((true, response.token.clone())),
    }
}

/// What a login tells of its client.
fn fingerprint(login: &Login) -> String {
    let id: Vec<String> = login.client_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let features: Vec<String> = login.features.iter().map(|(number, _)| number.to_string()).collect();
    format!(
        "host={} application={} library={} server={} language={} database={} tds={:08x} client={:08x} pid={} packet={} \
         id={} flags={:02x}{:02x}{:02x}{:02x} features={} attach={} new_password={}",
        login.host,
        login.application,
        login.library,
        login.server,
        login.language,
        login.database,
        login.version,
        login.client_version,
        login.process,
        login.packet_size,
        id.join(":"),
        login.flags[0],
        login.flags[1],
        login.flags[2],
        login.flags[3],
        features.join(","),
        login.attach,
        login.new_password,
    )
}

impl Server for Mssql {
    fn product(&self) -> String {
        format!("mssql/{}", self.shared.persona.version)
    }

    fn connection<'a>(&'a self, connection: Connection) -> Conversation<'a> {
        Box::pin(self.converse(connection))
    }

    /// The Browser (MC-SQLR): 02 and 03 ask for all instances, 04 for one, 0F for the administrators' port.
    fn datagram<'a>(&'a self, exchange: Exchange) -> Conversation<'a> {
        Box::pin(async move {
            let persona = &self.shared.persona;
            if !persona.browser {
                return Ok(());
            }
            let bytes = exchange.bytes();
            let wanted = bytes.get(1..).unwrap_or_default();
            let end = wanted.iter().position(|byte| *byte == 0).unwrap_or(wanted.len());
            let wanted = String::from_utf8_lossy(&wanted[..end]).into_owned();
            let known = matches!(bytes.first(), Some(2..=4 | 0x0f));
            exchange.session().emit_raw(
                if known {
                    Body::Query {
                        statement: format!("SQL Browser {:02x} {wanted}", bytes[0]),
                        database: None,
                        outcome: Outcome::Accepted,
                        rows: 1,
                    }
                } else {
                    Body::ScanProbe { kind: "malformed".to_owned() }
                },
                bytes,
            );
            let one = bytes.first() == Some(&4);
            if !matches!(bytes.first(), Some(2..=4))
                || one && !wanted.eq_ignore_ascii_case(persona.service_name())
            {
                return Ok(());
            }
            let text = format!(
                "ServerName;{};InstanceName;{};IsClustered;No;Version;{};tcp;1433;;",
                persona.machine,
                persona.service_name(),
                // The Browser knows the first build of a release, not the update.
                persona.version
            );
            let mut reply = vec![5];
            reply.extend((text.len() as u16).to_le_bytes());
            reply.extend(text.as_bytes());
            exchange.reply(&reply)
        })
    }
}

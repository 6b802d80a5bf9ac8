//! The part of the conversation before, and in the middle where a client changes its user, that lets in or
//! refuses.

use std::io;

use decnet_logging::event::{Body, Outcome};

use super::auth::{self, Exchange};
use super::client::Client;
use super::codec::{self, ChangeUser, Login, Opening, capability};
use super::failure::failure;
use super::record::{self, Proof};
use super::server::{LOGIN, MySql, Next};
use super::wire::{Arrival, Wire};
use crate::session::Session;
use crate::tls::{Prefixed, RsaPair};

/// Bytes of a packet before a login.
const LOGIN_BOUND: usize = 64 * 1024;

/// What a client shows to be let in.
struct Attempt<'a> {
    user: &'a [u8],
    answer: &'a [u8],
    plugin: &'a str,
    can_switch: bool,
    raw: &'a [u8],
}

impl MySql {
    /// Reads the login, inside of TLS where the client asks for it. No wire: it is closed.
    pub(super) async fn enter(
        &self,
        mut wire: Wire,
        session: &Session,
        port: u16,
        client: &mut Client,
        salt: &[u8; 20],
    ) -> io::Result<(Option<Wire>, bool)> {
        let mut secure = false;
        loop {
            let payload = match wire.read(LOGIN_BOUND, LOGIN).await? {
                Arrival::Packet(payload) => payload,
                Arrival::OutOfOrder => {
                    record::broken(session, wire.rest());
                    let state = (self.persona.maria() || self.persona.release.since(9, 0)).then_some("08S01");
                    wire.send(&codec::error(1156, state, "Got packets out of order")).await?;
                    self.with(port, |store| store.state.failed(session.source().ip()));
                    return Ok((Some(wire), false));
                }
                Arrival::TooLarge(_) => {
                    record::broken(session, wire.rest());
                    wire.send(&codec::error(1043, Some("08S01"), "Bad handshake")).await?;
                    return Ok((Some(wire), false));
                }
                Arrival::Closed | Arrival::Late => {
                    if !wire.rest().is_empty() {
                        record::broken(session, wire.rest());
                    }
                    self.with(port, |store| store.state.failed(session.source().ip()));
                    return Ok((Some(wire), false));
                }
            };
            match (Opening::read(&payload), &self.tls) {
                (Opening::Tls, Some(endpoint)) if !secure => {
                    let (stream, rest, sequence) = wire.into_parts();
                    let stream = Box::new(Prefixed::new(rest, stream));
                    let Some(established) = endpoint.upgrade(stream, session).await? else {
                        self.with(port, |store| store.state.failed(session.source().ip()));
                        return Ok((None, false));
                    };
                    wire = Wire::resume(established.stream, sequence);
                    secure = true;
                }
                (Opening::Login(login), _) => {
                    let entered =
                        self.login(&mut wire, session, port, client, salt, secure, &login, &payload).await?;
                    return Ok((Some(wire), entered));
                }
                (opening, _) => {
                    record::broken(session, &payload);
                    let announced = opening != Opening::Malformed { announced: false };
                    wire.send(&codec::error(1043, announced.then_some("08S01"), "Bad handshake")).await?;
                    self.with(port, |store| store.state.failed(session.source().ip()));
                    return Ok((Some(wire), false));
                }
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one login, used here alone")]
    async fn login(
        &self,
        wire: &mut Wire,
        session: &Session,
        port: u16,
        client: &mut Client,
        salt: &[u8; 20],
        secure: bool,
        login: &Login,
        raw: &[u8],
    ) -> io::Result<bool> {
        if !login.attributes.is_empty() {
            let value = login
                .attributes
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(",");
            session.emit(Body::ClientFingerprint { kind: "mysql_attributes".to_owned(), value });
        }
        let capabilities = login.capabilities & (self.persona.capabilities() | capability::MYSQL);
        client.extended = login.extended & self.persona.extended();
        let user = String::from_utf8_lossy(&login.user).into_owned();
        if login.capabilities & capability::PROTOCOL_41 == 0 {
            record::login(session, &login.user, &Proof::Nothing, Outcome::Aborted, raw);
            let text = self.too_old();
            wire.send(&codec::error(1251, None, &text)).await?;
            return Ok(false);
        }
        let proposed = login.plugin.as_deref().map(|name| String::from_utf8_lossy(name).into_owned());
        let proposed = proposed.unwrap_or_else(|| auth::NATIVE.to_owned());
        let can_switch = login.capabilities & capability::PLUGIN_AUTH != 0;
        let attempt =
            Attempt { user: &login.user, answer: &login.answer, plugin: &proposed, can_switch, raw };
        if !self.prove(wire, session, port, salt, secure, &attempt).await? {
            return Ok(false);
        }
        client.begin(&user, capabilities, login.charset);
        self.started(session, port, client);
        if let Some(database) = &login.database {
            let name = String::from_utf8_lossy(database).into_owned();
            if let Err(failure) = self.choose(port, client, &name) {
                self.fail(wire, &failure).await?;
                return Ok(false);
            }
        }
        wire.send(&codec::ok(0, 0, 0, client.status(), 0, "")).await?;
        Ok(true)
    }

    fn started(&self, session: &Session, port: u16, client: &Client) {
        let source = session.source();
        self.with(port, |store| {
            if let Some(live) = store.state.live.get_mut(&client.session.connection) {
                live.user.clone_from(&client.user);
                live.host = format!("{}:{}", client.host, source.port());
                client.database().clone_into(&mut live.database);
            }
        });
        session.emit(Body::SessionStarted { username: client.user.clone(), privilege: "admin".to_owned() });
    }

    /// What a client that cannot log in is told.
    fn too_old(&self) -> String {
        format!(
            "Client does not support authentication protocol requested by server; consider upgrading {} client",
            self.persona.product()
        )
    }

    /// Lets a client prove who it is, and answers where it does not. Only the last word, OK, is left to
    /// the caller.
    async fn prove(
        &self,
        wire: &mut Wire,
        session: &Session,
        port: u16,
        salt: &[u8; 20],
        secure: bool,
        attempt: &Attempt<'_>,
    ) -> io::Result<bool> {
        let plugin = match self.persona.plugin() {
            Some(plugin) => plugin,
            None => auth::NATIVE,
        };
        let mut answer = attempt.answer.to_vec();
        let mut proof = match attempt.plugin {
            auth::NATIVE if answer.len() == 20 => Proof::Native(*salt, answer.clone()),
            auth::CLEAR if !answer.is_empty() => Proof::Clear(auth::without_nul(&answer)),
            _ => Proof::Nothing,
        };
        if attempt.plugin != plugin {
            if !attempt.can_switch {
                record::login(session, attempt.user, &proof, Outcome::Failed, attempt.raw);
                let text = self.too_old();
                wire.send(&codec::error(1251, Some("08004"), &text)).await?;
                return Ok(false);
            }
            wire.send(&codec::switch(plugin, salt)).await?;
            match wire.read(LOGIN_BOUND, LOGIN).await? {
                Arrival::Packet(payload) => answer = payload,
                _ => {
                    record::login(session, attempt.user, &proof, Outcome::Aborted, attempt.raw);
                    return Ok(false);
                }
            }
        }
        let account = self.with(port, |store| store.state.account(attempt.user).cloned());
        let password = account.as_ref().and_then(|account| account.password.clone());
        // One NUL is how caching_sha2 says that there is no password.
        let empty = answer.is_empty() || answer == [0];
        let right = if empty {
            password.as_deref() == Some("")
        } else if plugin == auth::NATIVE {
            proof = Proof::Native(*salt, answer.clone());
            password.as_ref().is_some_and(|password| {
                !password.is_empty() && auth::native(password.as_bytes(), salt) == answer
            })
        } else {
            let name = String::from_utf8_lossy(attempt.user).into_owned();
            let quick = password.as_ref().is_some_and(|password| {
                auth::caching(password.as_bytes(), salt) == answer
                    && self.with(port, |store| store.state.cached.contains(&name))
            });
            if quick {
                proof = Proof::Caching(*salt, answer.clone());
                wire.send(&[1, 3]).await?;
                true
            } else {
                wire.send(&[1, 4]).await?;
                match self.full(wire, salt, secure).await? {
                    Some(given) => {
                        let right = password.as_ref().is_some_and(|password| password.as_bytes() == given);
                        proof = Proof::Clear(given);
                        if right {
                            self.with(port, |store| store.state.cached.insert(name));
                        }
                        right
                    }
                    None => {
                        let proof = Proof::Caching(*salt, answer);
                        record::login(session, attempt.user, &proof, Outcome::Aborted, attempt.raw);
                        return Ok(false);
                    }
                }
            }
        };
        let outcome = if right { Outcome::Accepted } else { Outcome::Failed };
        record::login(session, attempt.user, &proof, outcome, attempt.raw);
        if !right {
            wire.flush().await?;
            tokio::time::sleep(self.host.entropy.delay(1, 4)).await;
            let user = String::from_utf8_lossy(attempt.user);
            let host = session.source().ip();
            // MariaDB gives some unknown users the plugin of an account that has no password.
            let socket = self.persona.maria()
                && self.persona.release.since(10, 4)
                && account.is_none()
                && self.host.identity().draw(&["mysql", "unknown user", &user]).below(5) == 0;
            let refused = if socket {
                failure(1698, "28000", format!("Access denied for user '{user}'@'{host}'"))
            } else {
                let used = if empty { "NO" } else { "YES" };
                failure(
                    1045,
                    "28000",
                    format!("Access denied for user '{user}'@'{host}' (using password: {used})"),
                )
            };
            self.fail(wire, &refused).await?;
        }
        Ok(right)
    }

    /// The full authentication of caching_sha2: the password in clear inside of TLS, encrypted outside.
    async fn full(&self, wire: &mut Wire, salt: &[u8; 20], secure: bool) -> io::Result<Option<Vec<u8>>> {
        let Arrival::Packet(mut payload) = wire.read(LOGIN_BOUND, LOGIN).await? else { return Ok(None) };
        if secure {
            return Ok(Some(auth::without_nul(&payload)));
        }
        let Some(exchange) = self.exchange() else { return Ok(None) };
        if payload == [2] {
            let mut key = vec![1];
            key.extend_from_slice(exchange.public.as_bytes());
            wire.send(&key).await?;
            let Arrival::Packet(sealed) = wire.read(LOGIN_BOUND, LOGIN).await? else { return Ok(None) };
            payload = sealed;
        }
        Ok(exchange.open(&payload, salt))
    }

    fn exchange(&self) -> Option<&Exchange> {
        self.exchange
            .get_or_init(|| {
                let pair = RsaPair::of(self.host.identity(), "mysql password").ok()?;
                Exchange::new(&pair).ok()
            })
            .as_ref()
    }

    /// COM_CHANGE_USER: a login in the middle.
    #[allow(clippy::too_many_arguments, reason = "the parts of one login, used here alone")]
    pub(super) async fn change(
        &self,
        wire: &mut Wire,
        session: &Session,
        port: u16,
        client: &mut Client,
        salt: &[u8; 20],
        body: &[u8],
        raw: &[u8],
    ) -> io::Result<Next> {
        let Some(change) = ChangeUser::read(body, client.capabilities) else {
            self.fail(wire, &failure(1047, "08S01", "Unknown command")).await?;
            return Ok(Next::End);
        };
        let plugin = change.plugin.as_deref().map(|name| String::from_utf8_lossy(name).into_owned());
        let plugin = plugin.unwrap_or_else(|| auth::NATIVE.to_owned());
        let attempt = Attempt {
            user: &change.user,
            answer: &change.answer,
            plugin: &plugin,
            can_switch: client.can(capability::PLUGIN_AUTH),
            raw,
        };
        if !self.prove(wire, session, port, salt, false, &attempt).await? {
            return Ok(Next::End);
        }
        let (capabilities, charset) = (client.capabilities, client.charset as u8);
        client.reset();
        client.session.path.clear();
        client.begin(&String::from_utf8_lossy(&change.user), capabilities, charset);
        self.started(session, port, client);
        if let Some(database) = change.database {
            let name = String::from_utf8_lossy(&database).into_owned();
            if let Err(failure) = self.choose(port, client, &name) {
                self.fail(wire, &failure).await?;
                return Ok(Next::On);
            }
        }
        self.fine(wire, client).await?;
        Ok(Next::On)
    }
}

//! Integrated Windows authentication (RFC 4559): NTLM, bare and inside Negotiate. It proves who is at the
//! other end of a *connection*, so that what follows on it needs no field any more.

use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use decnet_logging::event::{Body, Outcome};

use super::access::{Accounts, Verdict};
use super::apps;
use super::persona::{Application, Persona};
use crate::host::Host;
use crate::httpd::{Authorization, Request};
use crate::ntlm::{self, Exchange, message_type};
use crate::session::Session;
use crate::spnego::{self, Token, mechanism};

/// Whether who asks for this must say who he is.
pub(super) fn guards(persona: &Persona, request: &Request) -> bool {
    persona.windows_auth || (persona.application == Application::Owa && apps::owa::is_guarded(&request.path))
}

/// The message in an `Authorization` field, with its scheme; `None` without one of this kind.
fn message(request: &Request) -> Option<(&'static str, Vec<u8>)> {
    match Authorization::read(&request.field("authorization")?) {
        Authorization::Ntlm { scheme, message } => {
            Some((if scheme.eq_ignore_ascii_case("ntlm") { "NTLM" } else { "Negotiate" }, message))
        }
        _ => None,
    }
}

/// What comes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The connection is nobody's: the client must choose a scheme.
    Ask,
    /// The handshake goes on: the value of `WWW-Authenticate`.
    Continue(String),
    /// The client showed a wrong secret.
    Refused,
    /// The connection is somebody's; with what ends the handshake in `WWW-Authenticate`, where something
    /// does, and whether it was this request that ended it.
    Admitted {
        /// The last value of `WWW-Authenticate`.
        last: Option<String>,
        /// Whether the handshake ended now.
        now: bool,
    },
}

/// How far a connection is.
#[derive(Default)]
enum State {
    #[default]
    Nobody,
    Challenged(Box<Exchange>),
    Somebody,
}

/// The handshake of one connection.
#[derive(Default)]
pub(super) struct Handshake(Mutex<State>);

impl Handshake {
    /// Takes the request's field and reports what it tells. `accounts` are let in.
    pub(super) fn step(
        &self,
        request: &Request,
        server: &ntlm::Server,
        host: &Host,
        session: &Session,
        accounts: &Accounts,
    ) -> Step {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((scheme, bytes)) = message(request) else {
            return match *state {
                State::Somebody => Step::Admitted { last: None, now: false },
                // A request without the field begins anew.
                _ => {
                    *state = State::Nobody;
                    Step::Ask
                }
            };
        };
        let before = std::mem::take(&mut *state);
        let (wrapped, bytes) = match unwrap(&bytes, session) {
            Some(Inner::Ntlm { wrapped, message }) => (wrapped, message),
            Some(Inner::Choose) => return Step::Continue(field(scheme, true, None)),
            None => return Step::Ask,
        };
        match (message_type(&bytes), before) {
            (Some(1), _) => {
                let nonce = host.entropy.bytes();
                let Ok(exchange) = server.challenge(&bytes, nonce, host.clock.micros()) else {
                    return Step::Ask;
                };
                let step = Step::Continue(field(scheme, wrapped, Some(exchange.message())));
                *state = State::Challenged(Box::new(exchange));
                step
            }
            (Some(3), State::Challenged(exchange)) => {
                let Ok(got) = exchange.authenticate(&bytes) else { return Step::Refused };
                let fingerprint =
                    || Body::ClientFingerprint { kind: "ntlm_version".to_owned(), value: got.fingerprint() };
                session.emit(fingerprint());
                let credential = got.credential();
                let name = credential.username.clone();
                let exists = accounts.list().iter().any(|(known, _)| known.eq_ignore_ascii_case(&name));
                let right = got.admitted(accounts.list());
                let verdict = accounts.settle(name.as_bytes(), exists, right, host.clock.seconds());
                let admitted = match verdict {
                    Verdict::In(user) => Some(user),
                    _ => None,
                };
                let outcome = if admitted.is_some() { Outcome::Accepted } else { Outcome::Failed };
                session.emit_raw(Body::AuthAttempt { credential, outcome }, &bytes);
                let Some(username) = admitted else { return Step::Refused };
                session.emit(Body::SessionStarted { username, privilege: "user".to_owned() });
                *state = State::Somebody;
                let done = spnego::Response::completed().write();
                let last = wrapped.then(|| format!("{scheme} {}", STANDARD.encode(done)));
                Step::Admitted { last, now: true }
            }
            _ => Step::Ask,
        }
    }
}

/// What is in a message.
enum Inner {
    Ntlm {
        wrapped: bool,
        message: Vec<u8>,
    },
    /// A list of mechanisms with NTLM in it, but not first.
    Choose,
}

/// Takes the wrapping off. What the client prefers to NTLM is worth an event: a ticket of Kerberos names its
/// domain.
fn unwrap(bytes: &[u8], session: &Session) -> Option<Inner> {
    match Token::read(bytes).ok()? {
        Token::Ntlm => Some(Inner::Ntlm { wrapped: false, message: bytes.to_vec() }),
        Token::Init(init) => {
            let list: Vec<String> = init.mechanisms.iter().map(ToString::to_string).collect();
            session.emit(Body::ClientFingerprint {
                kind: "spnego_mechanisms".to_owned(),
                value: list.join(","),
            });
            match init.token_of(mechanism::NTLM) {
                Some(message) => Some(Inner::Ntlm { wrapped: true, message: message.to_vec() }),
                None if init.offers(mechanism::NTLM) => Some(Inner::Choose),
                None => None,
            }
        }
        Token::Response(response) => response.token.map(|message| Inner::Ntlm { wrapped: true, message }),
        Token::Kerberos => {
            session.emit(Body::ClientFingerprint {
                kind: "spnego_mechanisms".to_owned(),
                value: crate::asn1::Oid::new(mechanism::KERBEROS).to_string(),
            });
            None
        }
    }
}

/// `NTLM TlRMTVNT…`
fn field(scheme: &str, wrapped: bool, message: Option<&[u8]>) -> String {
    let bytes = if wrapped {
        spnego::Response::incomplete(mechanism::NTLM, message.map(<[u8]>::to_vec)).write()
    } else {
        message.unwrap_or_default().to_vec()
    };
    format!("{scheme} {}", STANDARD.encode(bytes))
}

//! TLS for every service that speaks it: looks at the first bytes before anything else, keeps the raw
//! ClientHello and what follows from it, and answers with the decky's own certificate.
//!
//! The library that does the handshake stands behind [`Provider`], so that another one can give older
//! personas the versions and ciphers that this one does not have.

mod certificate;
mod der;
mod hello;
mod key;
mod prefixed;
mod rustls_provider;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use decnet_logging::event::Body;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

pub use certificate::{Attribute, Certificate, Extension, Habit, Issuer, KeyKind, Name};
pub use hello::Hello;
pub use prefixed::Prefixed;
pub use rustls_provider::Rustls;

use crate::connection::Stream;
use crate::session::Session;

/// Why there is no TLS.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A key could not be made or used.
    #[error("no key for the certificate: {0}")]
    Key(String),
    /// The library refuses the certificate or the settings.
    #[error("the TLS library refuses the settings: {0}")]
    Settings(String),
    /// See [`KeyKind::P256`].
    #[error("a certificate with a P-256 key cannot sign itself; give it an authority")]
    SelfSignedP256,
}

/// A handshake under way.
pub type Handshake<'a> = Pin<Box<dyn Future<Output = io::Result<Established>> + Send + 'a>>;

/// The result of a handshake.
pub struct Established {
    /// What is inside.
    pub stream: Box<dyn Stream>,
    /// The application protocol that was agreed on.
    pub alpn: Option<Vec<u8>>,
    /// What binds a login to this channel (`tls-server-end-point`, RFC 5929 section 4): the SHA-256 of the
    /// server's certificate.
    pub end_point: Vec<u8>,
}

/// A TLS library.
pub trait Provider: Send + Sync {
    /// Does the server's side of the handshake on a stream whose first bytes are the ClientHello. A
    /// failed handshake has sent its alert.
    fn handshake<'a>(&'a self, stream: Box<dyn Stream>, hello: &'a Hello) -> Handshake<'a>;
}

/// What a service wants of TLS.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How its certificate looks.
    pub habit: Habit,
    /// The application protocols that it has, best first; empty: it does not look at the extension.
    pub alpn: Vec<&'static str>,
    /// Whether a client that offers only other protocols is refused with an alert (nginx) or served as
    /// if it had not asked (Apache).
    pub alpn_strict: bool,
    /// How long a client may take until the handshake is done.
    pub timeout: Duration,
}

/// What came in on a TLS port.
pub enum Opening {
    /// A handshake, done. Everything the session reports from now on is marked as TLS.
    Secure(Established),
    /// Something else: nothing was read from the stream as far as its reader can tell.
    Plain(Prefixed<Box<dyn Stream>>),
    /// Nothing, or a handshake that failed.
    Closed,
}

/// A service's TLS port. Nothing is built before the first handshake.
pub struct Endpoint {
    settings: Settings,
    up_to_1_2: bool,
    provider: OnceLock<Result<Arc<dyn Provider>, TlsError>>,
}

impl Endpoint {
    /// With these settings.
    pub fn new(settings: Settings) -> Endpoint {
        Endpoint { settings, up_to_1_2: false, provider: OnceLock::new() }
    }

    /// The same without TLS 1.3: TLS inside a protocol that has to know where its handshake ends cannot have
    /// the tickets that 1.3 sends behind it.
    #[must_use]
    pub fn up_to_1_2(mut self) -> Endpoint {
        self.up_to_1_2 = true;
        self
    }

    fn provider(&self, session: &Session) -> Result<Arc<dyn Provider>, TlsError> {
        let host = session.host();
        self.provider
            .get_or_init(|| {
                let made = Certificate::make(host.identity(), &self.settings.habit, host.clock.seconds())?;
                let make = if self.up_to_1_2 { Rustls::up_to_1_2 } else { Rustls::new };
                let provider = make(made, &self.settings.alpn, self.settings.alpn_strict)?;
                Ok(Arc::new(provider) as Arc<dyn Provider>)
            })
            .clone()
    }

    /// Takes a connection on a TLS port as it comes: looks what it is, does the handshake where it is
    /// one, and reports `tls.hello` whether or not it succeeds.
    ///
    /// # Errors
    /// The connection broke, was idle for too long, or the decky has no key.
    pub async fn open(&self, stream: Box<dyn Stream>, session: &Session) -> io::Result<Opening> {
        self.opening(stream, session, true).await
    }

    /// As [`Self::open`] after STARTTLS and its kin, where anything but a handshake is an error.
    ///
    /// # Errors
    /// See [`Self::open`]; also what is no handshake.
    pub async fn upgrade(
        &self,
        stream: Box<dyn Stream>,
        session: &Session,
    ) -> io::Result<Option<Established>> {
        match self.opening(stream, session, false).await? {
            Opening::Secure(established) => Ok(Some(established)),
            _ => Ok(None),
        }
    }

    async fn opening(
        &self,
        mut stream: Box<dyn Stream>,
        session: &Session,
        plain: bool,
    ) -> io::Result<Opening> {
        let mut flight = Vec::new();
        let reading = read_flight(&mut stream, &mut flight);
        let whole = match timeout(self.settings.timeout, reading).await {
            Ok(read) => read?,
            Err(_) if flight.is_empty() => return Err(io::ErrorKind::TimedOut.into()),
            Err(_) => false,
        };
        if flight.is_empty() {
            return Ok(Opening::Closed);
        }
        if !looks_like_tls(&flight) && plain {
            return Ok(Opening::Plain(Prefixed::new(flight, stream)));
        }
        let hello = Hello::read(&flight);
        let kept = flight.clone();
        let handshake = async {
            if !whole {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let provider = self.provider(session).map_err(io::Error::other)?;
            let stream: Box<dyn Stream> = Box::new(Prefixed::new(flight, stream));
            provider.handshake(stream, &hello).await
        };
        let outcome = match timeout(self.settings.timeout, handshake).await {
            Ok(outcome) => outcome,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        session.set_tls();
        session.emit_raw(
            Body::TlsHello {
                sni: hello.server_name.clone().unwrap_or_default(),
                alpn: hello.alpn_names(),
                ja3: hello.ja3(),
                ja4: hello.ja4(),
                versions: hello.versions(),
                completed: outcome.is_ok(),
            },
            &kept,
        );
        match outcome {
            Ok(established) => Ok(Opening::Secure(established)),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error),
            Err(_) => Ok(Opening::Closed),
        }
    }
}

/// A TLS record with a handshake, or the old hello of SSL 2 (RFC 5246 appendix E.2).
fn looks_like_tls(bytes: &[u8]) -> bool {
    match bytes {
        [0x16, 3, ..] | [0x16] => true,
        [length, _, 1, ..] => length & 0x80 != 0,
        _ => false,
    }
}

/// Reads until the first message is complete or turns out to be something else. `false`: it ended before.
async fn read_flight(stream: &mut Box<dyn Stream>, flight: &mut Vec<u8>) -> io::Result<bool> {
    let mut buffer = [0u8; 4096];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(false);
        }
        flight.extend_from_slice(&buffer[..read]);
        if !looks_like_tls(flight) || flight[0] != 0x16 || hello::flight_length(flight).is_some() {
            return Ok(true);
        }
        if flight.len() > hello::HELLO_LIMIT {
            return Ok(true);
        }
    }
}

/// A key pair that is no certificate's: MySQL hands its public half to clients that want to encrypt a
/// password.
#[derive(Clone, Debug)]
pub struct RsaPair {
    /// The private key, PKCS#8.
    pub private: Vec<u8>,
    /// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), DER.
    pub public: Vec<u8>,
}

impl RsaPair {
    /// The pair of 2048 bits that an identity has under `label`. Takes a fraction of a second.
    ///
    /// # Errors
    /// No primes were found.
    pub fn of(identity: &decnet_core::identity::Identity, label: &str) -> Result<RsaPair, TlsError> {
        let key = key::rsa(&mut identity.draw(&["rsa pair", label]))?;
        Ok(RsaPair { private: key.pkcs8, public: key.public_info })
    }
}

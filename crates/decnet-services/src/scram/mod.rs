//! SCRAM, the server's side (RFC 5802 with SHA-1, RFC 7677 with SHA-256), for the services that log clients
//! in with it.
//!
//! A [`Server`] is one exchange. It has no way to know a password that is wrong: what an intruder tried
//! stands in the [`Transcript`], against which guesses can be checked.

mod message;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use message::{Binding, ClientFinal, ClientFirst};

/// Bytes that a message of a client may have.
pub const MESSAGE_LIMIT: usize = 4096;

/// The hash of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// SCRAM-SHA-1.
    Sha1,
    /// SCRAM-SHA-256.
    Sha256,
}

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is no message of the exchange. What is wrong with it.
    #[error("malformed SCRAM message: {0}")]
    Malformed(&'static str),
    /// The nonce is not the one of this exchange.
    #[error("SCRAM nonce does not match")]
    Nonce,
    /// The channel binding is not the one of this connection.
    #[error("SCRAM channel binding check failed")]
    Binding,
    /// It asks for an extension (`m=`), of which there are none.
    #[error("client requires an unsupported SCRAM extension")]
    Extension,
    /// A message out of its turn.
    #[error("SCRAM message out of its turn")]
    Order,
}

/// What the server knows of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// Its password, already in the form that the product hashes (MongoDB's SCRAM-SHA-1 hashes an MD5).
    Password(String),
    /// The keys that a product stores in its place.
    Keys(Keys),
}

/// StoredKey and ServerKey of RFC 5802 section 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// StoredKey: the hash of ClientKey.
    pub stored: Vec<u8>,
    /// ServerKey.
    pub server: Vec<u8>,
}

impl Algorithm {
    /// The name of the mechanism.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha1 => "SCRAM-SHA-1",
            Algorithm::Sha256 => "SCRAM-SHA-256",
        }
    }

    /// Bytes of its hash.
    pub fn length(self) -> usize {
        match self {
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
        }
    }

    fn hmac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => hmac::HMAC_SHA256,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), text).as_ref().to_vec()
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Algorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => &digest::SHA256,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }

    /// The keys that a password gives. Zero iterations count as one.
    pub fn keys(self, password: &str, salt: &[u8], iterations: u32) -> Keys {
        let algorithm = match self {
            Algorithm::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Algorithm::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        };
        let mut salted = vec![0; self.length()];
        let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        let client = self.hmac(&salted, b"Client Key");
        Keys { stored: self.hash(&client), server: self.hmac(&salted, b"Server Key") }
    }
}

/// The salt that an unknown user is shown: always the same for one user of one server (`key` is the
/// server's secret), and like that of no other server. `length` is at most 32.
pub fn mock_salt(key: &[u8], user: &str, length: usize) -> Vec<u8> {
    let mut salt = Algorithm::Sha256.hmac(key, user.as_bytes());
    salt.truncate(length);
    salt
}

/// The text in which PostgreSQL stores the keys of a role (`pg_authid.rolpassword`), which is also what
/// hashcat 28600 reads.
pub fn verifier(algorithm: Algorithm, keys: &Keys, salt: &[u8], iterations: u32) -> String {
    format!(
        "{}${iterations}:{}${}:{}",
        algorithm.name(),
        STANDARD.encode(salt),
        STANDARD.encode(&keys.stored),
        STANDARD.encode(&keys.server)
    )
}

/// Everything by which a guess at the password can be checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// The user that the client's first message names; PostgreSQL's clients leave it empty.
    pub user: String,
    /// The salt.
    pub salt: Vec<u8>,
    /// The iterations.
    pub iterations: u32,
    /// AuthMessage of RFC 5802 section 3.
    pub message: String,
    /// ClientProof.
    pub proof: Vec<u8>,
    mechanism: &'static str,
}

impl Transcript {
    /// One line: `$scram-sha-256$user*iterations*salt*AuthMessage*ClientProof`, the binary fields in base64.
    /// A guess is right if ClientKey, which is the proof XOR HMAC(StoredKey, AuthMessage), hashes to
    /// StoredKey.
    pub fn line(&self, user: &str) -> String {
        format!(
            "${}${user}*{}*{}*{}*{}",
            self.mechanism.to_ascii_lowercase(),
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(&self.message),
            STANDARD.encode(&self.proof)
        )
    }

    /// Whether the password is the one that the client has.
    pub fn check(&self, password: &str) -> bool {
        let algorithm = if self.mechanism == "SCRAM-SHA-1" { Algorithm::Sha1 } else { Algorithm::Sha256 };
        proves(algorithm, &algorithm.keys(password, &self.salt, self.iterations), &self.message, &self.proof)
    }
}

/// What came of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the server says at the end: `v=…` after a right proof; `e=invalid-proof` after a wrong one,
    /// which products with errors of their own do not send.
    pub server_final: Vec<u8>,
    /// Whether the proof is right.
    pub accepted: bool,
    /// What an intruder has shown.
    pub transcript: Transcript,
}

fn proves(algorithm: Algorithm, keys: &Keys, message: &str, proof: &[u8]) -> bool {
    let signature = algorithm.hmac(&keys.stored, message.as_bytes());
    if proof.len() != signature.len() {
        return false;
    }
    let client: Vec<u8> = proof.iter().zip(&signature).map(|(proof, signature)| proof ^ signature).collect();
    constant_time::verify_slices_are_equal(&algorithm.hash(&client), &keys.stored).is_ok()
}

/// One exchange.
#[derive(Debug)]
pub struct Server {
    algorithm: Algorithm,
    nonce: String,
    account: Option<Account>,
    salt: Vec<u8>,
    iterations: u32,
    binding: Option<Vec<u8>>,
    first: Option<ClientFirst>,
    server_first: String,
    done: bool,
}

impl Server {
    /// An exchange for an account, or for none: it then goes its way like any other and fails at the end.
    /// `nonce` is the server's part, any random bytes; it goes out in base64.
    pub fn new(
        algorithm: Algorithm,
        nonce: &[u8],
        account: Option<Account>,
        salt: impl Into<Vec<u8>>,
        iterations: u32,
    ) -> Server {
        Server {
            algorithm,
            nonce: STANDARD.encode(nonce),
            account,
            salt: salt.into(),
            iterations,
            binding: None,
            first: None,
            server_first: String::new(),
            done: false,
        }
    }

    /// The same for the mechanism `-PLUS`: the client must send this channel binding
    /// (`tls-server-end-point`: the hash of the server's certificate, RFC 5929 section 4).
    #[must_use]
    pub fn bound(mut self, binding: Vec<u8>) -> Server {
        self.binding = Some(binding);
        self
    }

    /// Takes the client's first message and gives the server's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn first(&mut self, client_first: &[u8]) -> Result<Vec<u8>, Error> {
        if self.first.is_some() {
            return Err(Error::Order);
        }
        let first = ClientFirst::parse(client_first)?;
        match (&first.binding, &self.binding) {
            (Binding::Required(_), None) | (Binding::None | Binding::Unseen, Some(_)) => {
                return Err(Error::Binding);
            }
            _ => {}
        }
        self.server_first = format!(
            "r={}{},s={},i={}",
            first.nonce,
            self.nonce,
            STANDARD.encode(&self.salt),
            self.iterations
        );
        self.first = Some(first);
        Ok(self.server_first.clone().into_bytes())
    }

    /// Takes the client's last message.
    ///
    /// # Errors
    /// What is wrong with it, which is not a wrong proof: that is an [`Outcome`].
    pub fn last(&mut self, client_final: &[u8]) -> Result<Outcome, Error> {
        let Some(first) = self.first.as_ref().filter(|_| !self.done) else { return Err(Error::Order) };
        self.done = true;
        let last = ClientFinal::parse(client_final)?;
        let mut bound = first.header.clone().into_bytes();
        bound.extend_from_slice(self.binding.as_deref().unwrap_or_default());
        if last.binding != bound {
            return Err(Error::Binding);
        }
        if last.nonce.strip_prefix(first.nonce.as_str()) != Some(self.nonce.as_str()) {
            return Err(Error::Nonce);
        }
        if last.proof.len() != self.algorithm.length() {
            return Err(Error::Malformed("the proof has the wrong length"));
        }
        let message = format!("{},{},{}", first.bare, self.server_first, last.without_proof);
        // An unknown user costs as much as a known one.
        let (keys, known) = match &self.account {
            Some(Account::Password(password)) => {
                (self.algorithm.keys(password, &self.salt, self.iterations), true)
            }
            Some(Account::Keys(keys)) => (keys.clone(), true),
            None => (self.algorithm.keys("", &self.salt, self.iterations), false),
        };
        let accepted = proves(self.algorithm, &keys, &message, &last.proof) && known;
        let server_final = if accepted {
            let signature = self.algorithm.hmac(&keys.server, message.as_bytes());
            format!("v={}", STANDARD.encode(signature)).into_bytes()
        } else {
            b"e=invalid-proof".to_vec()
        };
        let transcript = Transcript {
            user: first.user.clone(),
            salt: self.salt.clone(),
            iterations: self.iterations,
            message,
            proof: last.proof,
            mechanism: self.algorithm.name(),
        };
        Ok(Outcome { server_final, accepted, transcript })
    }
}

//! The messages of a client (RFC 5802 section 7).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Error, MESSAGE_LIMIT};

/// What a client says of channel binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `n`: it has none.
    None,
    /// `y`: it has it, and believes that the server has not.
    Unseen,
    /// `p=`: it uses this kind.
    Required(String),
}

/// The client's first message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFirst {
    /// The GS2 header, as it came.
    pub header: String,
    /// What stands behind it.
    pub bare: String,
    /// What it says of channel binding.
    pub binding: Binding,
    /// The user, `=2C` and `=3D` undone.
    pub user: String,
    /// The client's nonce.
    pub nonce: String,
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.len() > MESSAGE_LIMIT {
        return Err(Error::Malformed("it is too long"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Error::Malformed("it is not UTF-8"))?;
    if text.contains('\0') { Err(Error::Malformed("it holds a null byte")) } else { Ok(text) }
}

fn attribute<'a>(part: Option<&'a str>, name: &str, wanted: &'static str) -> Result<&'a str, Error> {
    part.and_then(|part| part.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix('='))
        .ok_or(Error::Malformed(wanted))
}

/// Whether a nonce is `printable` of RFC 5802: anything that can be seen but a comma.
fn printable(nonce: &str) -> bool {
    !nonce.is_empty() && nonce.bytes().all(|byte| matches!(byte, 0x21..=0x2b | 0x2d..=0x7e))
}

impl ClientFirst {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<ClientFirst, Error> {
        let text = text(bytes)?;
        let mut heads = text.splitn(3, ',');
        let binding = match heads.next() {
            Some("n") => Binding::None,
            Some("y") => Binding::Unseen,
            Some(other) => {
                Binding::Required(attribute(Some(other), "p", "unexpected channel-binding flag")?.to_owned())
            }
            None => return Err(Error::Malformed("it is empty")),
        };
        let authorization = heads.next().ok_or(Error::Malformed("it has no GS2 header"))?;
        if !authorization.is_empty() {
            attribute(Some(authorization), "a", "the authorization identity is none")?;
        }
        let bare = heads.next().ok_or(Error::Malformed("it has no GS2 header"))?;
        let header = text.get(..text.len() - bare.len()).unwrap_or_default().to_owned();
        let mut parts = bare.split(',');
        let first = parts.next();
        if first.is_some_and(|first| first.starts_with("m=")) {
            return Err(Error::Extension);
        }
        let user = attribute(first, "n", "attribute \"n\" expected")?;
        let user = user.replace("=2C", ",").replace("=3D", "=");
        let nonce = attribute(parts.next(), "r", "attribute \"r\" expected")?.to_owned();
        if !printable(&nonce) {
            return Err(Error::Malformed("non-printable characters in SCRAM nonce"));
        }
        Ok(ClientFirst { header, bare: bare.to_owned(), binding, user, nonce })
    }
}

/// The client's last message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFinal {
    /// `c`: the GS2 header and the channel binding.
    pub binding: Vec<u8>,
    /// `r`: both nonces.
    pub nonce: String,
    /// `p`: ClientProof.
    pub proof: Vec<u8>,
    /// The message up to the proof.
    pub without_proof: String,
}

impl ClientFinal {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<ClientFinal, Error> {
        let text = text(bytes)?;
        let (without_proof, proof) =
            text.rsplit_once(",p=").ok_or(Error::Malformed("attribute \"p\" expected"))?;
        let mut parts = without_proof.split(',');
        let binding = attribute(parts.next(), "c", "attribute \"c\" expected")?;
        let nonce = attribute(parts.next(), "r", "attribute \"r\" expected")?;
        Ok(ClientFinal {
            binding: STANDARD.decode(binding).map_err(|_| Error::Malformed("malformed base64"))?,
            nonce: nonce.to_owned(),
            proof: STANDARD.decode(proof).map_err(|_| Error::Malformed("malformed base64"))?,
            without_proof: without_proof.to_owned(),
        })
    }
}

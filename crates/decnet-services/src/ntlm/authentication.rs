//! What a client answered: who it says it is, the secret behind it, and whether a password fits.

use decnet_logging::event::Credential;

use super::Version;
use super::crypto::{desl, hex, hmac_md5, md5, nt_hash, nt_hash_v2, rc4};
use super::message::{Authenticate, Blob, flags, text};

/// Where the integrity code stands in an AUTHENTICATE message that has one.
const INTEGRITY_CODE: std::ops::Range<usize> = 72..88;

/// The response to a challenge, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// None: a null session.
    Anonymous,
    /// Only that of LAN Manager.
    Lm([u8; 24]),
    /// NTLMv1.
    V1 {
        /// The NT response.
        nt: [u8; 24],
        /// The LAN Manager response; with extended session security, the client's challenge and zeros.
        lm: Vec<u8>,
        /// Whether a client's challenge is in it.
        extended: bool,
    },
    /// NTLMv2.
    V2 {
        /// NTProofStr, the digest.
        proof: [u8; 16],
        /// What the digest is over besides the challenge.
        blob: Vec<u8>,
    },
    /// Of no known length, as sent.
    Unknown {
        /// The LAN Manager field.
        lm: Vec<u8>,
        /// The NT field.
        nt: Vec<u8>,
    },
}

/// A client's answer, complete with the challenge it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// The account.
    pub username: String,
    /// Its domain; may be empty.
    pub domain: String,
    /// The client's name for itself.
    pub workstation: String,
    /// The client's release, where it says so.
    pub version: Option<Version>,
    /// What both sides settled on.
    pub flags: u32,
    /// The response.
    pub response: Response,
    challenge: [u8; 8],
    session_key: Vec<u8>,
    /// The three messages with the code blanked out, and the code.
    integrity: Option<(Vec<u8>, [u8; 16])>,
}

impl Authentication {
    pub(super) fn new(message: &Authenticate<'_>, challenge: [u8; 8]) -> Authentication {
        let unicode = message.flags & flags::UNICODE != 0;
        let array = |bytes: &[u8]| <[u8; 24]>::try_from(bytes).ok();
        let response = match (message.nt, message.lm) {
            ([], [] | [_]) if message.user.is_empty() => Response::Anonymous,
            ([], lm) if let Some(lm) = array(lm) => Response::Lm(lm),
            (nt, lm) if let Some(nt) = array(nt) => Response::V1 {
                nt,
                lm: lm.to_vec(),
                extended: message.flags & flags::EXTENDED_SESSION_SECURITY != 0
                    && lm.len() == 24
                    && lm[8..].iter().all(|byte| *byte == 0),
            },
            (nt, lm) => match nt.split_first_chunk::<16>() {
                // Both versions, reserved, time, challenge, reserved.
                Some((proof, blob)) if blob.len() >= 28 => {
                    Response::V2 { proof: *proof, blob: blob.to_vec() }
                }
                _ => Response::Unknown { lm: lm.to_vec(), nt: nt.to_vec() },
            },
        };
        Authentication {
            username: text(message.user, unicode),
            domain: text(message.domain, unicode),
            workstation: text(message.workstation, unicode),
            version: message.version,
            flags: message.flags,
            response,
            challenge,
            session_key: message.session_key.to_vec(),
            integrity: None,
        }
    }

    /// Keeps what the integrity code is over, where the blob says there is one.
    pub(super) fn integrity(mut self, message: &[u8], before: &[&[u8]]) -> Authentication {
        if self.blob().is_some_and(|blob| blob.integrity_code)
            && let Some(code) = message.get(INTEGRITY_CODE).and_then(|code| code.try_into().ok())
        {
            let mut all = before.concat();
            let start = all.len();
            all.extend_from_slice(message);
            all[start + INTEGRITY_CODE.start..start + INTEGRITY_CODE.end].fill(0);
            self.integrity = Some((all, code));
        }
        self
    }

    /// What an NTLMv2 response says besides its digest.
    pub fn blob(&self) -> Option<Blob> {
        match &self.response {
            Response::V2 { blob, .. } => Some(Blob::read(blob)),
            _ => None,
        }
    }

    /// What a `client.fingerprint` of kind `ntlm_version` says: release and the client's name for itself.
    pub fn fingerprint(&self) -> String {
        let version = self.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let name = if self.workstation.is_empty() { "-" } else { &self.workstation };
        format!("{version} {name} {:#010x}", self.flags)
    }

    /// Whether it is a null session.
    pub fn is_anonymous(&self) -> bool {
        self.response == Response::Anonymous
    }

    /// The credential for an event. A null session has the method `anonymous` and an empty password.
    pub fn credential(&self) -> Credential {
        // One line of fields divided by colons, whatever the client calls itself.
        let plain = |name: &str| name.replace(|c: char| c.is_control(), "?");
        let (user, domain) = (plain(&self.username), plain(&self.domain));
        let challenge = hex(&self.challenge);
        let (method, format, line) = match &self.response {
            Response::V2 { proof, blob } => (
                "ntlmv2",
                "hashcat-5600",
                format!("{user}::{domain}:{challenge}:{}:{}", hex(proof), hex(blob)),
            ),
            Response::V1 { nt, lm, .. } => {
                let lm = if lm.len() == 24 { hex(lm) } else { String::new() };
                ("ntlmv1", "hashcat-5500", format!("{user}::{domain}:{lm}:{}:{challenge}", hex(nt)))
            }
            Response::Lm(lm) => ("lm", "john-netlm", format!("$NETLM${challenge}${}", hex(lm))),
            Response::Unknown { lm, nt } => {
                ("ntlm", "ntlm-unknown", format!("{user}::{domain}:{}:{}:{challenge}", hex(lm), hex(nt)))
            }
            Response::Anonymous => {
                let mut credential = Credential::password("anonymous", b"", b"");
                credential.domain = (!self.domain.is_empty()).then(|| self.domain.clone());
                return credential;
            }
        };
        let mut credential = Credential::hash(method, self.username.as_bytes(), line, format);
        credential.domain = Some(self.domain.clone());
        credential
    }

    /// Whether this password made the response, and the integrity code where there is one.
    pub fn verify(&self, password: &str) -> bool {
        let fits = match &self.response {
            Response::V2 { proof, blob } => {
                let key = nt_hash_v2(password, &self.username, &self.domain);
                hmac_md5(&key, &[&self.challenge, blob]) == *proof
            }
            Response::V1 { nt, lm, extended } => {
                let challenge = if *extended { self.mixed(lm) } else { self.challenge };
                desl(&nt_hash(password), &challenge) == *nt
            }
            Response::Anonymous | Response::Lm(_) | Response::Unknown { .. } => false,
        };
        fits && match (&self.integrity, self.exported_session_key(password)) {
            (Some((messages, code)), Some(key)) => hmac_md5(&key, &[messages]) == *code,
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// The account that is let in: the first of that name, in any case, whose password fits. Names given
    /// with a domain (`user@domain`, which clients send in one field) match by the part before it, too.
    pub fn admitted<'a>(&self, accounts: &'a [(String, String)]) -> Option<&'a str> {
        let sent = self.username.to_lowercase();
        let short = sent.split_once('@').map_or(sent.as_str(), |(user, _)| user);
        accounts
            .iter()
            .find(|(user, password)| {
                let user = user.to_lowercase();
                (user == sent || user == short) && self.verify(password)
            })
            .map(|(user, _)| user.as_str())
    }

    /// The key that the session is signed and sealed with (ExportedSessionKey, section 3.1.5.1.2), given the
    /// right password. `None` where the response yields none.
    pub fn exported_session_key(&self, password: &str) -> Option<[u8; 16]> {
        let exchange_key = match &self.response {
            Response::V2 { proof, .. } => {
                hmac_md5(&nt_hash_v2(password, &self.username, &self.domain), &[proof])
            }
            Response::V1 { lm, extended, .. } => {
                let base = super::crypto::md4(&nt_hash(password));
                match (extended, lm.get(..8)) {
                    (true, Some(client)) => hmac_md5(&base, &[&self.challenge, client]),
                    // The key of LAN Manager: a combination that no client since Windows 2000 asks for.
                    _ if self.flags & flags::LM_KEY != 0 => return None,
                    _ => base,
                }
            }
            Response::Anonymous | Response::Lm(_) | Response::Unknown { .. } => return None,
        };
        if self.flags & flags::KEY_EXCHANGE == 0 {
            return Some(exchange_key);
        }
        rc4(&exchange_key, &self.session_key).try_into().ok()
    }

    /// The challenge of both sides, as the v1 response with extended session security takes it.
    fn mixed(&self, lm: &[u8]) -> [u8; 8] {
        let digest = md5(&[&self.challenge, lm.get(..8).unwrap_or_default()]);
        std::array::from_fn(|place| digest[place])
    }
}

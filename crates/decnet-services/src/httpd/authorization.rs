//! The Authorization field (RFC 9110 section 11.6.2): what is in it, as a credential for an event.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use decnet_logging::event::Credential;

/// What a client sent to prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Name and password (RFC 7617).
    Basic {
        /// Before the first colon.
        username: Vec<u8>,
        /// After it.
        password: Vec<u8>,
    },
    /// A digest (RFC 7616); parameters by lower-case name.
    Digest(Vec<(String, String)>),
    /// An NTLM message, bare or inside Negotiate. The challenge is for the service to make, with the kits
    /// `ntlm` and `spnego`.
    Ntlm {
        /// `NTLM` or `Negotiate`.
        scheme: String,
        /// The message; not an NTLM one where it is Kerberos.
        message: Vec<u8>,
    },
    /// A bearer token (RFC 6750).
    Bearer(String),
    /// Anything else, as sent.
    Other(String),
}

impl Authorization {
    /// Reads the value of the field.
    pub fn read(value: &str) -> Authorization {
        let value = value.trim();
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = rest.trim();
        let decode = || STANDARD.decode(rest).or_else(|_| STANDARD_NO_PAD.decode(rest)).ok();
        match scheme.to_ascii_lowercase().as_str() {
            "basic" => match decode() {
                Some(bytes) => {
                    let at = bytes.iter().position(|byte| *byte == b':');
                    let (username, password) = match at {
                        Some(at) => (bytes[..at].to_vec(), bytes[at + 1..].to_vec()),
                        None => (bytes, Vec::new()),
                    };
                    Authorization::Basic { username, password }
                }
                None => Authorization::Other(value.to_owned()),
            },
            "digest" => Authorization::Digest(parameters(rest)),
            "ntlm" | "negotiate" => match decode() {
                Some(message) => Authorization::Ntlm { scheme: scheme.to_owned(), message },
                None => Authorization::Other(value.to_owned()),
            },
            "bearer" => Authorization::Bearer(rest.to_owned()),
            _ => Authorization::Other(value.to_owned()),
        }
    }

    /// The credential in it; `None` for the first message of NTLM and for what is not understood.
    pub fn credential(&self, method: &str) -> Option<Credential> {
        match self {
            Authorization::Basic { username, password } => {
                Some(Credential::password("basic", username, password))
            }
            Authorization::Digest(parameters) => {
                let get = |name: &str| {
                    parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
                };
                // John's format for HTTP Digest: the fields of the response, in its order.
                let hash = format!(
                    "$response${}${}${}${method}${}${}${}${}${}",
                    get("response"),
                    get("username"),
                    get("realm"),
                    get("uri"),
                    get("nonce"),
                    get("nc"),
                    get("cnonce"),
                    get("qop"),
                );
                let mut credential =
                    Credential::hash("digest-md5", get("username").as_bytes(), hash, "john-hdaa");
                credential.domain = Some(get("realm").to_owned());
                Some(credential)
            }
            Authorization::Bearer(token) => Some(Credential {
                method: "bearer".to_owned(),
                token: Some(token.clone()),
                ..Credential::default()
            }),
            Authorization::Ntlm { .. } | Authorization::Other(_) => None,
        }
    }
}

/// `a="b", c=d`; at most 32 of them.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut rest = text;
    while out.len() < 32 {
        let Some((key, after)) = rest.split_once('=') else { break };
        let key = key.trim_matches([',', ' ', '\t']).to_ascii_lowercase();
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        out.push((key, value.trim().to_owned()));
        rest = next;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_clients_send() {
        assert_eq!(
            Authorization::read("Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ=="),
            Authorization::Basic { username: b"Aladdin".into(), password: b"open:sesame".into() }
        );
        // The example of RFC 2617 section 3.5.
        let digest = Authorization::read(
            "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             uri=\"/dir/index.html\", qop=auth, nc=00000001, cnonce=\"0a4f113b\", \
             response=\"6629fae49393a05397450978507c4ef1\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        );
        let credential = digest.credential("GET").unwrap();
        assert_eq!(credential.username, "Mufasa");
        assert_eq!(
            credential.hash.unwrap(),
            "$response$6629fae49393a05397450978507c4ef1$Mufasa$testrealm@host.com$GET$/dir/index.html\
             $dcd98b7102dd2f0e8b11d0f600bfb0c093$00000001$0a4f113b$auth"
        );
        assert!(matches!(
            Authorization::read("NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAAKAGFKAAAADw=="),
            Authorization::Ntlm { .. }
        ));
    }

    proptest! {
        #[test]
        fn any_value_is_read(value in "\\PC{0,80}") {
            let _ = Authorization::read(&value).credential("GET");
            let _ = Authorization::read(&format!("Digest {value}")).credential("GET");
        }
    }
}

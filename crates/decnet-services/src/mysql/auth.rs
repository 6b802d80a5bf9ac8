//! Passwords: what a client proves, and how that is checked.

use aws_lc_rs::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;

use crate::tls::{RsaPair, TlsError};

/// `mysql_native_password`.
pub(crate) const NATIVE: &str = "mysql_native_password";
/// `caching_sha2_password`.
pub(crate) const CACHING: &str = "caching_sha2_password";
/// What clients that have nothing better send: the password itself.
pub(crate) const CLEAR: &str = "mysql_clear_password";

fn hash(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    digest(algorithm, &parts.concat()).as_ref().to_vec()
}

fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b.iter().cycle()).map(|(a, b)| a ^ b).collect()
}

/// What a client answers by `mysql_native_password`: SHA1(p) XOR SHA1(salt + SHA1(SHA1(p))).
pub(crate) fn native(password: &[u8], salt: &[u8; 20]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
    let twice = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
    xor(&once, &hash(&SHA1_FOR_LEGACY_USE_ONLY, &[salt, &twice]))
}

/// What a client answers by `caching_sha2_password` at first: SHA256(p) XOR SHA256(SHA256(SHA256(p)) + salt).
pub(crate) fn caching(password: &[u8], salt: &[u8; 20]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    let once = hash(&SHA256, &[password]);
    let twice = hash(&SHA256, &[&once]);
    xor(&once, &hash(&SHA256, &[&twice, salt]))
}

/// What `mysql.user` holds for a native password: `*` and SHA1(SHA1(p)) in upper case.
pub(crate) fn stored_native(password: &[u8]) -> String {
    if password.is_empty() {
        return String::new();
    }
    let once = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[password]);
    let twice = hash(&SHA1_FOR_LEGACY_USE_ONLY, &[&once]);
    format!("*{}", hex(&twice).to_uppercase())
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The line that hashcat reads in mode 11200.
pub(crate) fn crackable(salt: &[u8; 20], answer: &[u8]) -> String {
    format!("$mysqlna${}*{}", hex(salt), hex(answer))
}

/// The server's key for passwords on connections without TLS.
pub(crate) struct Exchange {
    /// The public half as it is sent: PEM.
    pub(crate) public: String,
    private: OaepPrivateDecryptingKey,
}

impl Exchange {
    /// From a pair of keys.
    ///
    /// # Errors
    /// The library refuses the key.
    pub(crate) fn new(pair: &RsaPair) -> Result<Exchange, TlsError> {
        let refused = |_| TlsError::Key("the library refuses the password key".to_owned());
        let private = PrivateDecryptingKey::from_pkcs8(&pair.private)
            .map_err(|_| TlsError::Key("the library refuses the password key".to_owned()))?;
        let private = OaepPrivateDecryptingKey::new(private).map_err(refused)?;
        let body = base64::engine::general_purpose::STANDARD.encode(&pair.public);
        let mut public = String::from("-----BEGIN PUBLIC KEY-----\n");
        for line in body.as_bytes().chunks(64) {
            public.push_str(&String::from_utf8_lossy(line));
            public.push('\n');
        }
        public.push_str("-----END PUBLIC KEY-----\n");
        Ok(Exchange { public, private })
    }

    /// The password in what a client encrypted: XORed with the salt, and with a NUL at its end.
    pub(crate) fn open(&self, sealed: &[u8], salt: &[u8; 20]) -> Option<Vec<u8>> {
        let mut plain = vec![0; self.private.min_output_size()];
        let plain = self.private.decrypt(&OAEP_SHA1_MGF1SHA1, sealed, &mut plain, None).ok()?;
        Some(without_nul(&xor(plain, salt)))
    }
}

/// A text without the NUL at its end.
pub(crate) fn without_nul(text: &[u8]) -> Vec<u8> {
    text.strip_suffix(b"\0").unwrap_or(text).to_vec()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};

    use super::*;
    use crate::testing;

    /// `SELECT PASSWORD('secret')` of MariaDB 10.11.
    #[test]
    fn passwords_are_stored_as_the_product_does() {
        assert_eq!(stored_native(b"secret"), "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7");
        assert_eq!(stored_native(b""), "");
    }

    /// Computed with PyMySQL 1.0.2 (`scramble_native_password`, `scramble_caching_sha2`).
    #[test]
    fn answers_are_those_of_clients() {
        let salt = b"4f(1]_G%~p6[I;-m^o5Y";
        assert_eq!(hex(&native(b"secret", salt)), include_str!("data/test-native.txt").trim());
        assert_eq!(hex(&caching(b"secret", salt)), include_str!("data/test-caching.txt").trim());
        assert_eq!(native(b"", salt), b"");
    }

    #[test]
    fn what_a_client_seals_is_opened() {
        let identity = testing::identity(decnet_core::identity::OsFamily::Linux, 3, &[]);
        let pair = RsaPair::of(&identity, "test").unwrap();
        let exchange = Exchange::new(&pair).unwrap();
        assert!(exchange.public.starts_with("-----BEGIN PUBLIC KEY-----\nMIIB"));
        let salt = b"4f(1]_G%~p6[I;-m^o5Y";
        let public =
            OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&pair.public).unwrap()).unwrap();
        let mut sealed = vec![0; public.ciphertext_size()];
        let sealed =
            public.encrypt(&OAEP_SHA1_MGF1SHA1, &xor(b"pass word\0", salt), &mut sealed, None).unwrap();
        assert_eq!(exchange.open(sealed, salt).unwrap(), b"pass word");
        assert_eq!(exchange.open(&[1; 256], salt), None);
    }
}

//! The user-based security model (RFC 3414) with HMAC-MD5-96 and HMAC-SHA-96, and privacy by AES-128 in
//! cipher feedback mode (RFC 3826). DES is not spoken, as in agents whose TLS library leaves it out.

use std::fmt::Write as _;
use std::sync::OnceLock;

use aws_lc_rs::cipher::{
    AES_128, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{digest, hmac};
use md5::{Digest as _, Md5};

/// Bytes of a digest in a message.
pub(super) const DIGEST_LENGTH: usize = 12;
/// Seconds that a message may be off (RFC 3414 section 2.2.3).
pub(super) const TIME_WINDOW: i64 = 150;
/// Bytes that a password is stretched to (RFC 3414 appendix A.2).
const STRETCHED: usize = 1_048_576;

/// How messages of a user are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthProtocol {
    /// HMAC-MD5-96.
    Md5,
    /// HMAC-SHA-96.
    Sha1,
}

impl AuthProtocol {
    /// The method's name in events.
    pub fn method(self) -> &'static str {
        match self {
            AuthProtocol::Md5 => "snmpv3-md5",
            AuthProtocol::Sha1 => "snmpv3-sha1",
        }
    }

    fn hash(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            AuthProtocol::Md5 => {
                let mut hash = Md5::new();
                for part in parts {
                    hash.update(part);
                }
                hash.finalize().to_vec()
            }
            AuthProtocol::Sha1 => {
                let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
                for part in parts {
                    hash.update(part);
                }
                hash.finish().as_ref().to_vec()
            }
        }
    }

    /// The key of a password, localized to an engine.
    pub fn localized_key(self, password: &[u8], engine_id: &[u8]) -> Vec<u8> {
        let stretched: Vec<u8> = if password.is_empty() {
            vec![0; STRETCHED]
        } else {
            password.iter().copied().cycle().take(STRETCHED).collect()
        };
        let key = self.hash(&[&stretched]);
        self.hash(&[&key, engine_id, &key])
    }

    /// The digest of a message whose own digest field is zero.
    pub fn digest(self, key: &[u8], message: &[u8]) -> [u8; DIGEST_LENGTH] {
        let full = match self {
            AuthProtocol::Md5 => hmac_md5(key, message),
            AuthProtocol::Sha1 => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        };
        let mut digest = [0; DIGEST_LENGTH];
        for (to, from) in digest.iter_mut().zip(full) {
            *to = from;
        }
        digest
    }
}

/// RFC 2104 over MD5. The key is a localized one of 16 bytes, so it never needs to be hashed first.
fn hmac_md5(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut inner_pad = [0x36u8; 64];
    let mut outer_pad = [0x5cu8; 64];
    for ((inner, outer), byte) in inner_pad.iter_mut().zip(&mut outer_pad).zip(key) {
        *inner ^= byte;
        *outer ^= byte;
    }
    let inner = AuthProtocol::Md5.hash(&[&inner_pad, message]);
    AuthProtocol::Md5.hash(&[&outer_pad, &inner])
}

/// A user of the agent.
#[derive(Debug)]
pub struct User {
    /// The name.
    pub name: String,
    /// How messages are authenticated, and the password; `None` for a user without.
    pub auth: Option<(AuthProtocol, String)>,
    /// The password for privacy by AES.
    pub privacy: Option<String>,
    /// Whether the user may write.
    pub write: bool,
    keys: OnceLock<Keys>,
}

#[derive(Debug, Default)]
struct Keys {
    auth: Vec<u8>,
    privacy: Vec<u8>,
}

impl User {
    /// Reads `name`, `name:md5:password`, `name:sha:password:aes:password`; `rw:` before it lets the user
    /// write.
    ///
    /// # Errors
    /// What is wrong with it, as the second half of a sentence.
    pub fn parse(entry: &str) -> Result<User, String> {
        let (write, entry) = match entry.strip_prefix("rw:") {
            Some(rest) => (true, rest),
            None => (false, entry),
        };
        let parts: Vec<&str> = entry.split(':').collect();
        let protocol = |word: &str| match word.to_ascii_lowercase().as_str() {
            "md5" => Ok(AuthProtocol::Md5),
            "sha" | "sha1" => Ok(AuthProtocol::Sha1),
            _ => Err(format!("names `{word}`, which is neither md5 nor sha")),
        };
        let long = |password: &str| {
            if password.len() < 8 {
                Err("has a password of less than 8 characters, which no agent takes".to_owned())
            } else {
                Ok(password.to_owned())
            }
        };
        let (name, auth, privacy) = match parts.as_slice() {
            [name] => (name, None, None),
            [name, word, password] => (name, Some((protocol(word)?, long(password)?)), None),
            [name, word, password, cipher, secret] if cipher.eq_ignore_ascii_case("aes") => {
                (name, Some((protocol(word)?, long(password)?)), Some(long(secret)?))
            }
            _ => return Err("is not name, name:md5:password or name:sha:password:aes:password".to_owned()),
        };
        if name.is_empty() || name.len() > 32 {
            return Err("holds a user whose name is not 1 to 32 characters".to_owned());
        }
        Ok(User { name: (*name).to_owned(), auth, privacy, write, keys: OnceLock::new() })
    }

    /// Derives the keys on first use: stretching takes milliseconds, and most deckies are never asked.
    fn keys(&self, engine_id: &[u8]) -> &Keys {
        self.keys.get_or_init(|| match &self.auth {
            None => Keys::default(),
            Some((protocol, password)) => Keys {
                auth: protocol.localized_key(password.as_bytes(), engine_id),
                privacy: match &self.privacy {
                    None => Vec::new(),
                    Some(secret) => protocol.localized_key(secret.as_bytes(), engine_id),
                },
            },
        })
    }

    /// Whether the digest at `at` in `message` is the user's.
    pub fn verifies(&self, engine_id: &[u8], message: &[u8], at: usize) -> bool {
        let Some((protocol, _)) = &self.auth else { return false };
        let Some(given) = message.get(at..at + DIGEST_LENGTH) else { return false };
        let zeroed = with_zeroed_digest(message, at);
        protocol.digest(&self.keys(engine_id).auth, &zeroed) == given
    }

    /// Puts the user's digest into a message whose digest field at `at` is zero.
    pub fn sign(&self, engine_id: &[u8], message: &mut [u8], at: usize) {
        let Some((protocol, _)) = &self.auth else { return };
        let digest = protocol.digest(&self.keys(engine_id).auth, message);
        if let Some(field) = message.get_mut(at..at + DIGEST_LENGTH) {
            field.copy_from_slice(&digest);
        }
    }

    /// Decrypts a scoped PDU.
    pub fn decrypt(
        &self,
        engine_id: &[u8],
        boots: i32,
        time: i32,
        salt: &[u8],
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        let key = self.keys(engine_id).privacy.get(..16)?;
        let iv = initial_vector(boots, time, salt)?;
        let key = DecryptingKey::cfb128(UnboundCipherKey::new(&AES_128, key).ok()?).ok()?;
        let mut buffer = bytes.to_vec();
        let plain = key.decrypt(&mut buffer, DecryptionContext::Iv128(FixedLength::from(iv))).ok()?;
        Some(plain.to_vec())
    }

    /// Encrypts a scoped PDU.
    pub fn encrypt(
        &self,
        engine_id: &[u8],
        boots: i32,
        time: i32,
        salt: &[u8],
        bytes: &[u8],
    ) -> Option<Vec<u8>> {
        let key = self.keys(engine_id).privacy.get(..16)?;
        let iv = initial_vector(boots, time, salt)?;
        let key = EncryptingKey::cfb128(UnboundCipherKey::new(&AES_128, key).ok()?).ok()?;
        let mut buffer = bytes.to_vec();
        key.less_safe_encrypt(&mut buffer, EncryptionContext::Iv128(FixedLength::from(iv))).ok()?;
        Some(buffer)
    }
}

/// Boots, time and salt (RFC 3826 section 3.1.2.1).
fn initial_vector(boots: i32, time: i32, salt: &[u8]) -> Option<[u8; 16]> {
    let mut iv = [0; 16];
    iv[..4].copy_from_slice(&boots.to_be_bytes());
    iv[4..8].copy_from_slice(&time.to_be_bytes());
    iv[8..].copy_from_slice(salt.get(..8).filter(|_| salt.len() == 8)?);
    Some(iv)
}

fn with_zeroed_digest(message: &[u8], at: usize) -> Vec<u8> {
    let mut zeroed = message.to_vec();
    if let Some(field) = zeroed.get_mut(at..at + DIGEST_LENGTH) {
        field.fill(0);
    }
    zeroed
}

/// A signed message as one line for hashcat (mode 25000): `$SNMPv3$0$packet$message$engine$digest`, the
/// message with its digest zeroed. `None` where the digest has not 12 bytes, or the message is longer than
/// hashcat takes. hashcat 6.2 reads engine ids of 13 to 17 bytes; john's parser takes shorter ones, too.
pub fn hashcat_line(packet: u32, engine_id: &[u8], message: &[u8], at: usize) -> Option<String> {
    const LONGEST: usize = 1500;
    let digest = message.get(at..at + DIGEST_LENGTH)?;
    if message.len() > LONGEST || engine_id.is_empty() {
        return None;
    }
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    };
    let zeroed = with_zeroed_digest(message, at);
    // The packet number has at most 8 digits; it serves people only.
    let packet = packet % 100_000_000;
    Some(format!("$SNMPv3$0${packet}${}${}${}", hex(&zeroed), hex(engine_id), hex(digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 3414 appendix A.3.
    #[test]
    fn keys_of_the_rfc() {
        let engine = unhex("000000000000000000000002");
        assert_eq!(
            AuthProtocol::Md5.localized_key(b"maplesyrup", &engine),
            unhex("526f5eed9fcce26f8964c2930787d82b")
        );
        assert_eq!(
            AuthProtocol::Sha1.localized_key(b"maplesyrup", &engine),
            unhex("6695febc9288e36282235fc7151f128497b38f3f")
        );
    }

    /// The example hash of hashcat's mode 25000, password `hashcat1`: digest, line and all.
    #[test]
    fn the_line_is_what_hashcat_reads() {
        let message = "30818f0201033011020409242fc0020300ffe304010102010304383036041180001f88808106d566\
            db57fd600000000002011002020118040a6d61747269785f4d4435040c0000000000000000000000000400303d0411\
            80001f88808106d566db57fd60000000000400a226020411f319300201000201003018301606082b06010201010200\
            060a2b06010401bf0803020a";
        let engine = "80001f88808106d566db57fd6000000000";
        let digest = "1b37c3ea872731f922959e90";
        let mut bytes = unhex(message);
        let at =
            bytes.windows(14).position(|window| window[..2] == [4, 12] && window[2..] == [0; 12]).unwrap()
                + 2;
        let user = User::parse("matrix_MD5:md5:hashcat1").unwrap();
        user.sign(&unhex(engine), &mut bytes, at);
        assert_eq!(&bytes[at..at + 12], unhex(digest));
        assert!(user.verifies(&unhex(engine), &bytes, at));
        let line = hashcat_line(45_889_431, &unhex(engine), &bytes, at).unwrap();
        assert_eq!(line, format!("$SNMPv3$0$45889431${message}${engine}${digest}"));
        bytes[20] ^= 1;
        assert!(!user.verifies(&unhex(engine), &bytes, at));
        assert!(!user.verifies(&unhex(engine), &bytes, bytes.len() - 3), "a digest past the end");
        assert_eq!(hashcat_line(1, &unhex(engine), &bytes, bytes.len()), None);
    }

    #[test]
    fn privacy_goes_both_ways() {
        let user = User::parse("audit:sha:authpass34:aes:privpass34").unwrap();
        let sealed = user.encrypt(b"engine", 3, 99, b"12345678", b"scoped").unwrap();
        assert_ne!(sealed, b"scoped");
        assert_eq!(user.decrypt(b"engine", 3, 99, b"12345678", &sealed).unwrap(), b"scoped");
        assert_ne!(user.decrypt(b"engine", 3, 98, b"12345678", &sealed).unwrap(), b"scoped");
        assert_eq!(user.decrypt(b"engine", 3, 99, b"1234567", &sealed), None);
        assert!(User::parse("plain").unwrap().decrypt(b"engine", 3, 99, b"12345678", &sealed).is_none());
    }

    #[test]
    fn users_as_they_are_written() {
        let user = User::parse("rw:ops:SHA:longenough").unwrap();
        assert!(user.write && user.privacy.is_none());
        assert_eq!(user.auth, Some((AuthProtocol::Sha1, "longenough".into())));
        for entry in ["", "a:b", "a:des:longenough", "a:md5:short", "a:md5:longenough:des:longenough"] {
            assert!(User::parse(entry).is_err(), "{entry}");
        }
    }
}

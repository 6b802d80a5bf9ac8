//! Passwords: what a client is asked, what it answers, what crackers read of it.

use md5::{Digest, Md5};

use super::persona::{Method, Persona};
use super::state::Role;
use crate::scram;

/// `SCRAM_SHA_256_DEFAULT_ITERATIONS`.
pub(crate) const ITERATIONS: u32 = 4096;
/// Bytes of a salt, and of the server's nonce.
const SALT: usize = 16;
pub(crate) const NONCE: usize = 18;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the client answers to AuthenticationMD5Password, without the word `md5`.
pub(crate) fn md5_answer(user: &str, password: &str, salt: [u8; 4]) -> String {
    let inner = hex(&Md5::digest(format!("{password}{user}")));
    hex(&Md5::digest([inner.as_bytes(), &salt].concat()))
}

/// The line of hashcat 11100 for an answer; none where the answer is no hash.
pub(crate) fn md5_line(user: &str, salt: [u8; 4], answer: &str) -> Option<String> {
    let hash = answer.strip_prefix("md5")?;
    (hash.len() == 32 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then(|| format!("$postgres${user}*{}*{hash}", hex(&salt)))
}

/// The salt of a role: always the same, whether there is such a role or not.
pub(crate) fn salt(persona: &Persona, user: &str) -> Vec<u8> {
    scram::mock_salt(&persona.salt_key, user, SALT)
}

/// The password of a role, where there is one.
pub(crate) fn password<'a>(persona: &'a Persona, role: Option<&'a Role>, user: &str) -> Option<&'a str> {
    let role = role?;
    role.login.then(|| role.password.as_deref().or_else(|| persona.password(user))).flatten()
}

/// What `pg_authid` holds for a role.
pub(crate) fn stored(persona: &Persona, role: &Role) -> Option<String> {
    let password = role.password.as_deref().or_else(|| persona.password(&role.name))?;
    if persona.method == Method::Md5 || !persona.release.since(10) {
        return Some(format!("md5{}", hex(&Md5::digest(format!("{password}{}", role.name)))));
    }
    let salt = salt(persona, &role.name);
    let keys = scram::Algorithm::Sha256.keys(password, &salt, ITERATIONS);
    Some(scram::verifier(scram::Algorithm::Sha256, &keys, &salt, ITERATIONS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_crackers_read() {
        // The example of hashcat's mode 11100: postgres, salt 74402844, password hashcat.
        let line = "$postgres$postgres*74402844*4e7fabaaf34d780c4a5822d28ee1c83e";
        let salt = [0x74, 0x40, 0x28, 0x44];
        let answer = format!("md5{}", md5_answer("postgres", "hashcat", salt));
        assert_eq!(md5_line("postgres", salt, &answer).as_deref(), Some(line));
        assert_eq!(md5_line("postgres", salt, "md5nothex"), None);
    }
}

//! The arithmetic of NTLM (MS-NLMP section 3.3 and 6).

use des::Des;
use des::cipher::generic_array::GenericArray;
use des::cipher::{BlockEncrypt as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};

/// HMAC-MD5 of the parts, one after the other.
pub(super) fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    // A key is a block: filled up with zeros, which is what the algorithm does with a short one.
    let mut block = [0u8; 64];
    block[..16].copy_from_slice(key);
    let mut mac = <Hmac<Md5> as hmac::Mac>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// MD5 of the parts, one after the other.
pub(super) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// MD4.
pub(super) fn md4(bytes: &[u8]) -> [u8; 16] {
    Md4::digest(bytes).into()
}

/// UTF-16, little end first.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// NTOWFv1: MD4 of the password, the hash that Windows keeps.
pub(super) fn nt_hash(password: &str) -> [u8; 16] {
    md4(&utf16(password))
}

/// NTOWFv2: the hash bound to user and domain.
pub(super) fn nt_hash_v2(password: &str, user: &str, domain: &str) -> [u8; 16] {
    hmac_md5(&nt_hash(password), &[&utf16(&user.to_uppercase()), &utf16(domain)])
}

/// DESL: eight bytes under three keys, cut from sixteen bytes filled up with zeros.
pub(super) fn desl(hash: &[u8; 16], challenge: &[u8; 8]) -> [u8; 24] {
    let mut padded = [0u8; 21];
    padded[..16].copy_from_slice(hash);
    let mut out = [0u8; 24];
    for (key, block) in padded.chunks_exact(7).zip(out.chunks_exact_mut(8)) {
        let cipher = Des::new(GenericArray::from_slice(&with_parity_bits(key)));
        block.copy_from_slice(challenge);
        cipher.encrypt_block(GenericArray::from_mut_slice(block));
    }
    out
}

/// 56 bits as the eight bytes of a DES key; the parity bits are not looked at.
fn with_parity_bits(key: &[u8]) -> [u8; 8] {
    let bits = key.iter().take(7).fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
    std::array::from_fn(|place| ((bits >> (49 - 7 * place)) as u8 & 0x7f) << 1)
}

/// RC4, which carries the session key of those who exchange one.
pub(super) fn rc4(key: &[u8; 16], data: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|place| place as u8);
    let mut j = 0u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % 16]);
        state.swap(i, usize::from(j));
    }
    let (mut i, mut j) = (0u8, 0u8);
    data.iter()
        .map(|byte| {
            i = i.wrapping_add(1);
            j = j.wrapping_add(state[usize::from(i)]);
            state.swap(usize::from(i), usize::from(j));
            byte ^ state[usize::from(state[usize::from(i)].wrapping_add(state[usize::from(j)]))]
        })
        .collect()
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

    #[test]
    fn the_vectors_of_rfc_1320() {
        for (text, digest) in [
            ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
            ("a", "bde52cb31de33e46245e05fbdbd6fb24"),
            ("message digest", "d9130a8164549fe818874806e1c7014b"),
        ] {
            assert_eq!(hex(&md4(text.as_bytes())), digest);
        }
    }

    #[test]
    fn the_vectors_of_ms_nlmp_4_2() {
        // 4.2.2.1.2 NTOWFv1, 4.2.4.1.1 NTOWFv2
        assert_eq!(hex(&nt_hash("Password")), "a4f49c406510bdcab6824ee7c30fd852");
        assert_eq!(hex(&nt_hash_v2("Password", "User", "Domain")), "0c868a403bfd7a93a3001ef22ef02e3f");
        // 4.2.2.2.1 NTLMv1 response
        assert_eq!(
            hex(&desl(&nt_hash("Password"), &CHALLENGE)),
            "67c43011f30298a2ad35ece64f16331c44bdbed927841f94"
        );
        // 4.2.2.1.3 the session base key, 4.2.2.2.3 its encryption of a random key of 0x55
        let key = md4(&nt_hash("Password"));
        assert_eq!(hex(&key), "d87262b0cde4b1cb7499becccdf10784");
        assert_eq!(hex(&rc4(&key, &[0x55; 16])), "518822b1b3f350c8958682ecbb3e3cb7");
    }
}

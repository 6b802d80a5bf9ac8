//! Keys that a decky always has again: drawn from its identity, never from the system's randomness.

use aws_lc_rs::agreement;
use crypto_bigint::{NonZero, U1024, U2048};
use crypto_primes::hazmat::{SetBits, SmallFactorsSieveFactory};
use crypto_primes::{Flavor, is_prime, sieve_and_find};
use decnet_core::seed::Draw;

use super::TlsError;
use super::der;

const RSA_ENCRYPTION: &[u64] = &[1, 2, 840, 113_549, 1, 1, 1];
const EC_PUBLIC_KEY: &[u64] = &[1, 2, 840, 10_045, 2, 1];
const PRIME256V1: &[u64] = &[1, 2, 840, 10_045, 3, 1, 7];
const EXPONENT: u64 = 65_537;

/// A private key and what a certificate says of it.
pub(super) struct Key {
    /// The private key in PKCS#8 (RFC 5208).
    pub(super) pkcs8: Vec<u8>,
    /// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
    pub(super) public_info: Vec<u8>,
    /// The content of its BIT STRING, from which key identifiers are made.
    pub(super) public_bits: Vec<u8>,
}

/// An RSA key of 2048 bits (RFC 8017). Takes a fraction of a second: two primes of 1024 bits are searched.
///
/// # Errors
/// The search failed, which its bounds rule out; no key is made up in that case.
pub(super) fn rsa(draw: &mut Draw) -> Result<Key, TlsError> {
    let mut source = Source(draw);
    loop {
        let (mut p, mut q) = (prime(&mut source)?, prime(&mut source)?);
        if p == q {
            continue;
        }
        if p < q {
            std::mem::swap(&mut p, &mut q);
        }
        if let Some(key) = assemble(&p, &q) {
            return Ok(key);
        }
    }
}

/// Its two top bits are set, so that the product of two always has 2048 bits.
fn prime(source: &mut Source<'_>) -> Result<U1024, TlsError> {
    let factory = SmallFactorsSieveFactory::<U1024>::new(Flavor::Any, 1024, SetBits::TwoMsb)
        .map_err(|error| TlsError::Key(error.to_string()))?;
    sieve_and_find(source, factory, |_, candidate| is_prime(Flavor::Any, candidate))
        .map_err(|error| TlsError::Key(error.to_string()))?
        .ok_or_else(|| TlsError::Key("no prime found".to_owned()))
}

/// `None` where the exponent has no inverse: one pair of primes in about thirty thousand.
fn assemble(p: &U1024, q: &U1024) -> Option<Key> {
    let n: U2048 = p.concatenating_mul(q);
    let (p1, q1) = (p.wrapping_sub(&U1024::ONE), q.wrapping_sub(&U1024::ONE));
    let phi: U2048 = p1.concatenating_mul(&q1);
    let phi = Option::<NonZero<U2048>>::from(NonZero::new(phi))?;
    let d = Option::<U2048>::from(U2048::from_u64(EXPONENT).invert_mod(&phi))?;
    let reduce = |by: &U1024| -> Option<U1024> {
        let by = Option::<NonZero<U1024>>::from(NonZero::new(*by))?;
        let (_, rest) = d.div_rem(&by);
        Some(rest)
    };
    let (dp, dq) = (reduce(&p1)?, reduce(&q1)?);
    let coefficient =
        Option::<U1024>::from(q.invert_mod(&Option::<NonZero<U1024>>::from(NonZero::new(*p))?))?;
    let narrow = |value: &U1024| der::integer(value.to_be_bytes().as_ref());
    let wide = |value: &U2048| der::integer(value.to_be_bytes().as_ref());
    let e = der::integer(&EXPONENT.to_be_bytes());
    let private = der::sequence(&[
        der::integer(&[0]),
        wide(&n),
        e.clone(),
        wide(&d),
        narrow(p),
        narrow(q),
        narrow(&dp),
        narrow(&dq),
        narrow(&coefficient),
    ]);
    let algorithm = der::sequence(&[der::oid(RSA_ENCRYPTION), der::null()]);
    let public_bits = der::sequence(&[wide(&n), e]);
    Some(Key {
        pkcs8: der::sequence(&[der::integer(&[0]), algorithm.clone(), der::octets(&private)]),
        public_info: der::sequence(&[algorithm, der::bits(&public_bits, 0)]),
        public_bits,
    })
}

/// An ECDSA key on P-256.
///
/// # Errors
/// The curve refuses every scalar, which does not happen.
pub(super) fn p256(draw: &mut Draw) -> Result<Key, TlsError> {
    // A scalar outside 1..n is refused; the chance of that is 2^-32 for each draw.
    for _ in 0..16 {
        let scalar: [u8; 32] = draw.bytes();
        let Ok(private) = agreement::PrivateKey::from_private_key(&agreement::ECDH_P256, &scalar) else {
            continue;
        };
        let public =
            private.compute_public_key().map_err(|_| TlsError::Key("no public key on P-256".to_owned()))?;
        let public_bits = public.as_ref().to_vec();
        let algorithm = der::sequence(&[der::oid(EC_PUBLIC_KEY), der::oid(PRIME256V1)]);
        let ec = der::sequence(&[
            der::integer(&[1]),
            der::octets(&scalar),
            der::tlv(0xa1, &der::bits(&public_bits, 0)),
        ]);
        return Ok(Key {
            pkcs8: der::sequence(&[der::integer(&[0]), algorithm.clone(), der::octets(&ec)]),
            public_info: der::sequence(&[algorithm, der::bits(&public_bits, 0)]),
            public_bits,
        });
    }
    Err(TlsError::Key("no scalar on P-256".to_owned()))
}

/// A stream of derived bytes as the prime search wants it.
struct Source<'a>(&'a mut Draw);

impl rand_core::TryRng for Source<'_> {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_be_bytes(self.0.bytes()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.number())
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(buffer);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Source<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{self, KeyPair};
    use decnet_core::Seed;

    #[test]
    fn an_rsa_key_is_the_same_again_and_signs() {
        let make = |seed| rsa(&mut Seed::from_number(seed).draw(&["tls key"])).unwrap();
        let (one, again, other) = (make(1), make(1), make(2));
        assert_eq!(one.pkcs8, again.pkcs8);
        assert_ne!(one.public_bits, other.public_bits);
        let pair = signature::RsaKeyPair::from_pkcs8(&one.pkcs8).unwrap();
        assert_eq!(pair.public_modulus_len(), 256);
        assert_eq!(pair.public_key().as_ref(), one.public_bits);
        let mut signed = vec![0; pair.public_modulus_len()];
        pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), b"text", &mut signed).unwrap();
        signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &one.public_bits)
            .verify(b"text", &signed)
            .unwrap();
    }

    #[test]
    fn a_p256_key_is_the_same_again_and_signs() {
        let make = || p256(&mut Seed::from_number(1).draw(&["tls key"])).unwrap();
        assert_eq!(make().pkcs8, make().pkcs8);
        let key = make();
        let pair =
            signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, &key.pkcs8)
                .unwrap();
        assert_eq!(pair.public_key().as_ref(), key.public_bits);
    }
}

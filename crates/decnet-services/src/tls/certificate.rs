//! Certificates as a product or its administrator would have made them: same subject form, life,
//! extensions and their order, and dates that follow the system's installation, never the deployment.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use decnet_core::identity::{Identity, OsFamily};

use super::key::{self, Key};
use super::{TlsError, der};

const SHA256_WITH_RSA: &[u64] = &[1, 2, 840, 113_549, 1, 1, 11];
const DAY: i64 = 86_400;

/// The kind of a leaf's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, 2048 bits.
    Rsa2048,
    /// ECDSA on P-256. Only for certificates that an authority signs: the authority's RSA signature is
    /// the same every time, an ECDSA signature of the leaf's own key would not be.
    P256,
}

/// An attribute of a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// CN
    CommonName,
    /// C
    Country,
    /// ST
    State,
    /// L
    Locality,
    /// O
    Organisation,
    /// OU
    Unit,
    /// emailAddress of PKCS #9
    Email,
    /// DC of RFC 4519
    DomainComponent,
}

/// A distinguished name, in the order it is written.
pub type Name = Vec<(Attribute, String)>;

/// An extension; a certificate holds them in the order of its habit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// CA:FALSE, not critical.
    NotAuthority,
    /// CA:TRUE, critical, as `openssl req -x509` writes it.
    Authority,
    /// The names of [`Habit::names`].
    SubjectNames,
    /// SHA-1 of the key.
    SubjectKey,
    /// SHA-1 of the issuer's key.
    AuthorityKey,
    /// Digital signature and key encipherment; critical.
    KeyUsage,
    /// Key and data encipherment; not critical, as IIS writes it.
    KeyUsageEncipher,
    /// TLS server.
    ServerUsage,
    /// TLS server and client.
    ServerAndClientUsage,
}

/// Who signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// The key itself.
    Itself,
    /// An authority of that name; its key is drawn from the same identity.
    Authority(Name),
}

/// How a certificate is made.
#[derive(Clone, Debug)]
pub struct Habit {
    /// The key of the leaf.
    pub key: KeyKind,
    /// Whom it is for.
    pub subject: Name,
    /// Who signs it.
    pub issuer: Issuer,
    /// Names in subjectAltName: DNS names.
    pub names: Vec<String>,
    /// Whether names are UTF8String (OpenSSL) or PrintableString where they can be (Windows).
    pub printable: bool,
    /// Its life in days.
    pub days: i64,
    /// After how many days it is made anew, for those that look after it; `None`: it just runs out.
    pub renewed_after: Option<i64>,
    /// Days between the system's installation and the first certificate, lowest and highest.
    pub made_after_days: (u64, u64),
    /// Length of the serial number in bytes.
    pub serial_bytes: usize,
    /// The extensions in their order.
    pub extensions: Vec<Extension>,
}

impl Habit {
    /// What the system's own packaging would leave there: `ssl-cert` on Debian and Ubuntu, the httpd
    /// package on Red Hat and its kin, a self-signed certificate of the management console on Windows,
    /// one by the vendor on a device.
    pub fn of_system(identity: &Identity) -> Habit {
        use Attribute::{CommonName, Country, Email, Locality, Organisation, State, Unit};
        use Extension::{
            Authority, AuthorityKey, KeyUsage, KeyUsageEncipher, NotAuthority, ServerUsage, SubjectKey,
            SubjectNames,
        };
        let names = &identity.names;
        let mut habit = Habit {
            key: KeyKind::Rsa2048,
            subject: vec![(CommonName, names.hostname.clone())],
            issuer: Issuer::Itself,
            names: vec![names.hostname.clone()],
            printable: false,
            days: 3650,
            renewed_after: None,
            made_after_days: (0, 0),
            serial_bytes: 20,
            extensions: vec![NotAuthority, SubjectNames, SubjectKey],
        };
        let row = identity.os.row.as_str();
        let starts = |rows: &[&str]| rows.iter().any(|name| row.starts_with(name));
        match identity.os.family {
            // Observed: ssl-cert with OpenSSL 3.0 (SKI is added); OpenSSL 1.1.1 of Ubuntu 20.04 adds none.
            OsFamily::Linux if starts(&["ubuntu20"]) => {
                habit.extensions = vec![NotAuthority, SubjectNames];
            }
            // The spec file of httpd in EL 7: `openssl req` with -set_serial $RANDOM and 365 days.
            OsFamily::Linux if starts(&["centos", "sangoma", "freepbx"]) => {
                habit.subject = vec![
                    (Country, "--".into()),
                    (State, "SomeState".into()),
                    (Locality, "SomeCity".into()),
                    (Organisation, "SomeOrganization".into()),
                    (Unit, "SomeOrganizationalUnit".into()),
                    (CommonName, names.fqdn.clone()),
                    (Email, format!("root@{}", names.fqdn)),
                ];
                habit.days = 365;
                habit.serial_bytes = 2;
                habit.extensions = vec![SubjectKey, AuthorityKey, Authority];
            }
            // httpd-ssl-gencerts of EL 8 and 9 and Fedora: sscg with its own throw-away authority.
            OsFamily::Linux if starts(&["rocky", "alma", "rhel", "fedora"]) => {
                let common = vec![
                    (Country, "US".to_owned()),
                    (Organisation, "Unspecified".to_owned()),
                    (CommonName, names.fqdn.clone()),
                    (Email, format!("root@{}", names.fqdn)),
                ];
                let mut authority = common.clone();
                let number = identity.draw(&["sscg authority"]).below(u64::MAX);
                authority.insert(2, (Unit, format!("ca-{number}")));
                habit.subject = common;
                habit.issuer = Issuer::Authority(authority);
                habit.names = vec![names.fqdn.clone()];
                habit.days = 365;
                habit.serial_bytes = 8;
                habit.extensions = vec![SubjectNames, KeyUsage, ServerUsage, NotAuthority];
            }
            OsFamily::Linux | OsFamily::Bsd => {}
            OsFamily::Windows => {
                habit.subject = vec![(CommonName, names.fqdn.clone())];
                habit.names = vec![names.fqdn.clone()];
                habit.printable = true;
                habit.days = 365;
                habit.renewed_after = Some(340);
                habit.made_after_days = (0, 20);
                habit.serial_bytes = 16;
                habit.extensions = vec![KeyUsageEncipher, SubjectNames, ServerUsage, SubjectKey];
            }
            OsFamily::Embedded | OsFamily::Cisco => {
                let vendor = &identity.hardware.vendor;
                let short = vendor.split([',', ' ']).next().unwrap_or(vendor).to_owned();
                habit.subject = match short.as_str() {
                    "Brother" => vec![(CommonName, names.hostname.clone())],
                    "HP" | "Hewlett" => vec![
                        (CommonName, names.hostname.clone()),
                        (Organisation, "HP".into()),
                        (Unit, "HP-IPG".into()),
                    ],
                    "Cisco" => vec![(
                        CommonName,
                        format!(
                            "IOS-Self-Signed-Certificate-{}",
                            identity.draw(&["ios certificate"]).below(4_294_967_295)
                        ),
                    )],
                    _ => vec![(Organisation, short), (CommonName, names.hostname.clone())],
                };
                habit.serial_bytes = if short_serial(identity) { 1 } else { 8 };
                habit.extensions = vec![Authority, SubjectKey];
                habit.names = vec![];
            }
        }
        habit
    }

    /// A certificate by a company's own authority with an elliptic key, as ACME clients ask for it.
    pub fn by_authority(identity: &Identity, hosts: &[String], authority: Name) -> Habit {
        use Extension::{
            AuthorityKey, KeyUsage, NotAuthority, ServerAndClientUsage, SubjectKey, SubjectNames,
        };
        Habit {
            key: KeyKind::P256,
            subject: vec![(
                Attribute::CommonName,
                hosts.first().cloned().unwrap_or_else(|| identity.names.fqdn.clone()),
            )],
            issuer: Issuer::Authority(authority),
            names: hosts.to_vec(),
            printable: true,
            days: 90,
            renewed_after: Some(60),
            made_after_days: (0, 30),
            serial_bytes: 18,
            extensions: vec![
                KeyUsage,
                ServerAndClientUsage,
                NotAuthority,
                SubjectKey,
                AuthorityKey,
                SubjectNames,
            ],
        }
    }
}

/// IOS numbers its certificates from 1.
fn short_serial(identity: &Identity) -> bool {
    identity.os.family == OsFamily::Cisco
}

/// A certificate with its key.
pub struct Certificate {
    /// The leaf, DER.
    pub der: Vec<u8>,
    /// Its private key, PKCS#8.
    pub key: Vec<u8>,
}

impl Certificate {
    /// Makes the certificate that this identity has at `now` (seconds since 1970). The same identity,
    /// habit and renewal period give the same bytes.
    ///
    /// # Errors
    /// Keys could not be made, or a self-signed P-256 certificate is asked for.
    pub fn make(identity: &Identity, habit: &Habit, now: i64) -> Result<Certificate, TlsError> {
        let (low, high) = habit.made_after_days;
        let mut draw = identity.draw(&["tls certificate"]);
        let first =
            identity.times.installed + draw.between(low, high) as i64 * DAY + draw.between(90, 40_000) as i64;
        let turn = match habit.renewed_after {
            Some(days) if days > 0 && now > first => (now - first) / (days * DAY),
            _ => 0,
        };
        let begins = first + turn * habit.renewed_after.unwrap_or(0) * DAY;
        let leaf = match habit.key {
            KeyKind::Rsa2048 => key::rsa(&mut identity.draw(&["tls key"]))?,
            KeyKind::P256 => key::p256(&mut identity.draw(&["tls key", "p256"]))?,
        };
        let (issuer_name, issuer) = match &habit.issuer {
            Issuer::Itself if habit.key == KeyKind::P256 => return Err(TlsError::SelfSignedP256),
            Issuer::Itself => (&habit.subject, None),
            Issuer::Authority(name) => (name, Some(key::rsa(&mut identity.draw(&["tls authority key"]))?)),
        };
        let issuer = issuer.as_ref().unwrap_or(&leaf);
        let signer =
            RsaKeyPair::from_pkcs8(&issuer.pkcs8).map_err(|error| TlsError::Key(error.to_string()))?;

        let mut serial = vec![0u8; habit.serial_bytes.clamp(1, 20)];
        identity.draw(&["tls serial", &turn.to_string()]).fill(&mut serial);
        // Positive and of full length, as the tools make them; one byte is the count of a device.
        serial[0] = if serial.len() == 1 { 1 } else { serial[0] & 0x7f | 0x10 };
        let algorithm = der::sequence(&[der::oid(SHA256_WITH_RSA), der::null()]);
        let body = der::sequence(&[
            der::tlv(0xa0, &der::integer(&[2])),
            der::integer(&serial),
            algorithm.clone(),
            name(issuer_name, habit.printable),
            der::sequence(&[der::time(begins), der::time(begins + habit.days * DAY)]),
            name(&habit.subject, habit.printable),
            leaf.public_info.clone(),
            der::tlv(0xa3, &extensions(habit, &leaf, issuer)),
        ]);
        let mut signature = vec![0; signer.public_modulus_len()];
        signer
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &body, &mut signature)
            .map_err(|_| TlsError::Key("the authority's key does not sign".to_owned()))?;
        let der = der::sequence(&[body, algorithm, der::bits(&signature, 0)]);
        Ok(Certificate { der, key: leaf.pkcs8 })
    }
}

fn name(name: &Name, printable: bool) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = name
        .iter()
        .map(|(attribute, value)| {
            let (oid, fixed): (&[u64], Option<u8>) = match attribute {
                Attribute::CommonName => (&[2, 5, 4, 3], None),
                Attribute::Country => (&[2, 5, 4, 6], Some(0x13)),
                Attribute::State => (&[2, 5, 4, 8], None),
                Attribute::Locality => (&[2, 5, 4, 7], None),
                Attribute::Organisation => (&[2, 5, 4, 10], None),
                Attribute::Unit => (&[2, 5, 4, 11], None),
                Attribute::Email => (&[1, 2, 840, 113_549, 1, 9, 1], Some(0x16)),
                Attribute::DomainComponent => (&[0, 9, 2342, 19_200_300, 100, 1, 25], Some(0x16)),
            };
            let can =
                value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte));
            let tag = fixed.unwrap_or(if printable && can { 0x13 } else { 0x0c });
            der::set(&der::sequence(&[der::oid(oid), der::tlv(tag, value.as_bytes())]))
        })
        .collect();
    der::sequence(&parts)
}

fn extensions(habit: &Habit, leaf: &Key, issuer: &Key) -> Vec<u8> {
    let identifier = |key: &Key| digest(&SHA1_FOR_LEGACY_USE_ONLY, &key.public_bits).as_ref().to_vec();
    let usage = |content: Vec<u8>, critical: bool, oid: &[u64]| {
        let mut parts = vec![der::oid(oid)];
        if critical {
            parts.push(der::yes());
        }
        parts.push(der::octets(&content));
        der::sequence(&parts)
    };
    const SERVER: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
    const CLIENT: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
    let parts: Vec<Vec<u8>> = habit
        .extensions
        .iter()
        .map(|extension| match extension {
            Extension::NotAuthority => usage(der::sequence(&[]), false, &[2, 5, 29, 19]),
            Extension::Authority => usage(der::sequence(&[der::yes()]), true, &[2, 5, 29, 19]),
            Extension::SubjectNames => {
                let names: Vec<Vec<u8>> =
                    habit.names.iter().map(|name| der::tlv(0x82, name.as_bytes())).collect();
                usage(der::sequence(&names), false, &[2, 5, 29, 17])
            }
            Extension::SubjectKey => usage(der::octets(&identifier(leaf)), false, &[2, 5, 29, 14]),
            Extension::AuthorityKey => {
                usage(der::sequence(&[der::tlv(0x80, &identifier(issuer))]), false, &[2, 5, 29, 35])
            }
            Extension::KeyUsage => usage(der::bits(&[0xa0], 5), true, &[2, 5, 29, 15]),
            Extension::KeyUsageEncipher => usage(der::bits(&[0x30], 4), false, &[2, 5, 29, 15]),
            Extension::ServerUsage => usage(der::sequence(&[der::oid(SERVER)]), false, &[2, 5, 29, 37]),
            Extension::ServerAndClientUsage => {
                usage(der::sequence(&[der::oid(SERVER), der::oid(CLIENT)]), false, &[2, 5, 29, 37])
            }
        })
        .collect();
    der::sequence(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW, identity};

    #[test]
    fn a_certificate_is_stable_and_its_own() {
        let one = identity(OsFamily::Linux, 1, &[]);
        let habit = Habit::of_system(&one);
        let first = Certificate::make(&one, &habit, NOW).unwrap();
        assert_eq!(first.der, Certificate::make(&one, &habit, NOW + 10 * DAY).unwrap().der);
        let other = identity(OsFamily::Linux, 2, &[]);
        let second = Certificate::make(&other, &Habit::of_system(&other), NOW).unwrap();
        assert_ne!(first.key, second.key);
        assert!(!first.der.windows(20).any(|part| second.der.windows(20).any(|other| {
            // Nothing of twenty bytes that looks random is in both: algorithm identifiers are shorter.
            part == other && part.iter().filter(|byte| **byte > 0x7f).count() > 6
        })));
    }

    #[test]
    fn a_windows_certificate_is_renewed() {
        let mut windows = identity(OsFamily::Windows, 1, &[]);
        windows.times.installed = NOW - 1000 * DAY;
        let habit = Habit::of_system(&windows);
        let now = Certificate::make(&windows, &habit, NOW).unwrap();
        let later = Certificate::make(&windows, &habit, NOW + 400 * DAY).unwrap();
        assert_ne!(now.der, later.der);
        assert_eq!(now.key, later.key);
    }

    #[test]
    fn an_elliptic_key_needs_an_authority() {
        let linux = identity(OsFamily::Linux, 1, &[]);
        let authority = vec![(Attribute::CommonName, "Northwind Issuing CA 1".to_owned())];
        let mut habit = Habit::by_authority(&linux, &["www.northwind-labs.net".into()], authority);
        let made = Certificate::make(&linux, &habit, NOW).unwrap();
        assert_eq!(made.der, Certificate::make(&linux, &habit, NOW).unwrap().der);
        habit.issuer = Issuer::Itself;
        assert!(matches!(Certificate::make(&linux, &habit, NOW), Err(TlsError::SelfSignedP256)));
    }
}

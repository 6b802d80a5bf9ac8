use proptest::prelude::*;

use super::crypto::{hex, utf16};
use super::*;

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const NONCE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];

/// An AUTHENTICATE message with these fields, names in UTF-16.
fn authenticate(flags: u32, lm: &[u8], nt: &[u8], domain: &str, user: &str, key: &[u8]) -> Vec<u8> {
    let (domain, user, host) = (utf16(domain), utf16(user), utf16("COMPUTER"));
    let mut out = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let mut payload = Vec::new();
    for part in [lm, nt, &domain, &user, &host, key] {
        let length = (part.len() as u16).to_le_bytes();
        out.extend_from_slice(&[length, length].concat());
        out.extend_from_slice(&(72 + payload.len() as u32).to_le_bytes());
        payload.extend_from_slice(part);
    }
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&[10, 0, 0x65, 0x4a, 0, 0, 0, 15]);
    out.extend_from_slice(&payload);
    out
}

fn negotiate(flags: u32) -> Vec<u8> {
    let mut out = b"NTLMSSP\0\x01\0\0\0".to_vec();
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&[0; 16]);
    out
}

fn server() -> Server {
    let mut names = Names::of_computer("SERVER", "Server");
    names.netbios_domain = "DOMAIN".into();
    names.dns_domain = "domain.example".into();
    names.dns_tree = Some("domain.example".into());
    names.joined = true;
    Server::new(names, Release::Windows(Version { major: 10, minor: 0, build: 17763 }))
}

fn answered(offered: u32, message: &[u8]) -> Authentication {
    server().challenge(&negotiate(offered), NONCE, 0).unwrap().authenticate(message).unwrap()
}

/// The pairs of a challenge's target information.
fn pairs(message: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let number = |at: usize| u16::from_le_bytes([message[at], message[at + 1]]);
    let mut rest = &message[usize::from(number(44))..][..usize::from(number(40))];
    let mut out = Vec::new();
    while let [a, b, c, d, after @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*c, *d]));
        out.push((u16::from_le_bytes([*a, *b]), after[..length].to_vec()));
        rest = &after[length..];
    }
    out
}

/// MS-NLMP section 4.2.2: NTLMv1 with a plain challenge.
#[test]
fn ntlm_v1_of_the_specification() {
    let lm = unhex("98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13");
    let nt = unhex("67c43011f30298a2ad35ece64f16331c44bdbed927841f94");
    let key = unhex("518822b1b3f350c8958682ecbb3e3cb7");
    let got = answered(0xe202_0233, &authenticate(0xe202_8233, &lm, &nt, "Domain", "User", &key));
    assert!(got.verify("Password") && !got.verify("password"));
    assert_eq!(got.exported_session_key("Password"), Some([0x55; 16]));
    let credential = got.credential();
    assert_eq!(
        (credential.method.as_str(), credential.hash_format.as_deref()),
        ("ntlmv1", Some("hashcat-5500"))
    );
    assert_eq!(credential.hash.unwrap(), format!("User::Domain:{}:{}:0123456789abcdef", hex(&lm), hex(&nt)));
}

/// MS-NLMP section 4.2.3: NTLMv1 with a client's challenge.
#[test]
fn ntlm_v1_with_client_challenge_of_the_specification() {
    let lm = unhex("aaaaaaaaaaaaaaaa00000000000000000000000000000000");
    let nt = unhex("7537f803ae367128ca458204bde7caf81e97ed2683267232");
    let got = answered(0x820a_8233, &authenticate(0x820a_8233, &lm, &nt, "Domain", "User", &[]));
    assert!(got.verify("Password") && !got.verify(""));
    assert!(matches!(got.response, Response::V1 { extended: true, .. }));
    // 4.2.3.1.3: the key exchange key.
    assert_eq!(hex(&got.exported_session_key("Password").unwrap()), "eb93429a8bd952f8b89c55b87f475edc");
}

/// MS-NLMP section 4.2.4: NTLMv2.
#[test]
fn ntlm_v2_of_the_specification() {
    let blob = unhex(
        "01010000000000000000000000000000aaaaaaaaaaaaaaaa0000000002000c0044006f006d00610069006e0001000c00530065007200760065007200000000000000 0000",
    );
    let nt = [unhex("68cd0ab851e51c96aabc927bebef6a1c"), blob.clone()].concat();
    let lm = unhex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
    let key = unhex("c5dad2544fc9799094ce1ce90bc9d03e");
    let got = answered(0xe28a_8233, &authenticate(0xe28a_8233, &lm, &nt, "Domain", "User", &key));
    assert!(got.verify("Password") && !got.verify("Passwort"));
    assert_eq!(got.exported_session_key("Password"), Some([0x55; 16]));
    assert_eq!(
        (got.username.as_str(), got.domain.as_str(), got.workstation.as_str()),
        ("User", "Domain", "COMPUTER")
    );
    assert_eq!(got.fingerprint(), "10.0.19045 COMPUTER 0xe28a8233");
    let credential = got.credential();
    assert_eq!(
        (credential.method.as_str(), credential.hash_format.as_deref()),
        ("ntlmv2", Some("hashcat-5600"))
    );
    assert_eq!(
        credential.hash.unwrap(),
        format!("User::Domain:0123456789abcdef:68cd0ab851e51c96aabc927bebef6a1c:{}", hex(&blob))
    );
    let accounts = [("other".to_owned(), "Password".to_owned()), ("USER".to_owned(), "Password".to_owned())];
    assert_eq!(got.admitted(&accounts), Some("USER"));
    assert_eq!(got.admitted(&accounts[..1]), None);
}

/// The code over all three messages: without it a relay could take signing out of the flags.
#[test]
fn an_answer_that_was_changed_on_its_way_is_not_the_clients() {
    let flags = 0xa288_8215;
    let exchange = server().challenge(&negotiate(0xa208_8297), NONCE, 0).unwrap();
    let mut blob = unhex("01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000");
    // MsvAvFlags: a code is there; MsvAvTargetName; the end.
    blob.extend_from_slice(&[6, 0, 4, 0, 2, 0, 0, 0, 9, 0, 6, 0, b'a', 0, b'/', 0, b'b', 0, 0, 0, 0, 0]);
    let key = super::crypto::nt_hash_v2("Password", "User", "Domain");
    let proof = super::crypto::hmac_md5(&key, &[&NONCE, &blob]);
    let nt = [proof.as_slice(), &blob].concat();
    let mut message = authenticate(flags, &[0; 24], &nt, "Domain", "User", &[]);
    // Room for the code: what the fields point at moves.
    message.splice(72..72, [0; 16]);
    for at in [12, 20, 28, 36, 44, 52] {
        let offset = u16::from_le_bytes([message[at + 4], message[at + 5]]) + 16;
        message[at + 4..at + 6].copy_from_slice(&offset.to_le_bytes());
    }
    let read = |message: &[u8]| exchange.authenticate(message).unwrap();
    let session_key = read(&message).exported_session_key("Password").unwrap();
    assert!(!read(&message).verify("Password"), "a code of zeros");
    let code =
        super::crypto::hmac_md5(&session_key, &[&negotiate(0xa208_8297), exchange.message(), &message]);
    message[72..88].copy_from_slice(&code);
    let got = read(&message);
    assert!(got.verify("Password") && !got.verify("password"));
    assert_eq!(got.blob().unwrap().target_name.as_deref(), Some("a/b"));
    message[60] &= !0x10;
    assert!(!read(&message).verify("Password"), "signing taken out");
}

#[test]
fn challenges_are_those_of_windows() {
    // What nmap's scripts offer, and what Windows of a domain answers to it.
    let exchange = server().challenge(&negotiate(0xa008_8207), NONCE, 1_577_836_800_000_000).unwrap();
    let message = exchange.message();
    assert_eq!(message[20..24], 0xa289_8205u32.to_le_bytes());
    assert_eq!(message[24..32], NONCE);
    assert_eq!(message[48..56], [10, 0, 0x63, 0x45, 0, 0, 0, 15]);
    assert_eq!(message[56..68], *utf16("DOMAIN"));
    let text = |name: &str| utf16(name);
    assert_eq!(
        pairs(message),
        [
            (2, text("DOMAIN")),
            (1, text("SERVER")),
            (4, text("domain.example")),
            (3, text("Server")),
            (5, text("domain.example")),
            (7, 0x01d5_c036_6905_0000u64.to_le_bytes().to_vec()),
            (0, vec![]),
        ]
    );
    // A browser of Windows, to a server of no domain.
    let alone = Server::new(
        Names::of_computer("SRV", "Srv"),
        Release::Windows(Version { major: 6, minor: 3, build: 9600 }),
    );
    let exchange = alone.challenge(&negotiate(0xe208_8297), NONCE, 0).unwrap();
    assert_eq!(exchange.message()[20..24], 0xe28a_8215u32.to_le_bytes());
    assert!(pairs(exchange.message()).iter().all(|(id, _)| *id != 5), "no forest without a domain");
}

#[test]
fn old_clients_get_what_they_understand() {
    // Windows 98: its code page, no target wanted, nothing but flags.
    let short = b"NTLMSSP\0\x01\0\0\0\x02\x82\0\0";
    let exchange = server().challenge(short, NONCE, 0).unwrap();
    assert_eq!(exchange.message()[20..24], 0x0200_8202u32.to_le_bytes());
    let asks = server().challenge(&negotiate(0x0000_8206), NONCE, 0).unwrap();
    assert_eq!(asks.message()[56..62], *b"DOMAIN");
    assert_eq!(
        server().challenge(&negotiate(0x0000_8200), NONCE, 0).unwrap_err(),
        Error::NoCharacterSet { flags: 0x8200 }
    );
    // Its answer ends before the session key: names in the code page, payload at 52.
    let mut answer = b"NTLMSSP\0\x03\0\0\0".to_vec();
    let parts: [&[u8]; 5] = [&[7; 24], &[8; 24], b"DOM", b"J\xd6RG", b"PC"];
    let mut at = 52;
    for part in parts {
        let length = (part.len() as u16).to_le_bytes();
        answer.extend_from_slice(&[length, length].concat());
        answer.extend_from_slice(&(at as u32).to_le_bytes());
        at += part.len();
    }
    answer.extend_from_slice(&parts.concat());
    let got = exchange.authenticate(&answer).unwrap();
    assert_eq!((got.username.as_str(), got.domain.as_str(), got.workstation.as_str()), ("JÖRG", "DOM", "PC"));
    assert_eq!(got.version, None);
}

#[test]
fn samba_gives_its_version_to_those_who_ask() {
    let samba = Server::new(Names::of_computer("NAS", "nas"), Release::Samba);
    let silent = samba.challenge(&negotiate(0xa008_8207), NONCE, 0).unwrap();
    assert_eq!(silent.message()[48..56], [0; 8]);
    let told = samba.challenge(&negotiate(0xa208_8207), NONCE, 0).unwrap();
    assert_eq!(told.message()[48..56], [6, 1, 0, 0, 0, 0, 0, 15]);
}

#[test]
fn null_sessions_and_odd_lengths_are_told_apart() {
    let got = answered(0xe208_8297, &authenticate(0xe208_8a15, &[0], &[], "", "", &[]));
    assert!(got.is_anonymous() && !got.verify(""));
    let credential = got.credential();
    assert_eq!((credential.method.as_str(), credential.password.as_deref()), ("anonymous", Some("")));
    let got = answered(0xe208_8297, &authenticate(0x8205, &[9; 24], &[], "D", "u", &[]));
    assert_eq!(got.credential().hash.unwrap(), format!("$NETLM$0123456789abcdef${}", "09".repeat(24)));
    let got = answered(0xe208_8297, &authenticate(0x8205, &[], &[9; 30], "D", "u\n:", &[]));
    assert_eq!(got.response, Response::Unknown { lm: vec![], nt: vec![9; 30] });
    assert!(!got.credential().hash.unwrap().contains('\n'));
}

#[test]
fn fields_outside_of_the_message_are_refused() {
    let exchange = server().challenge(&negotiate(0xe208_8297), NONCE, 0).unwrap();
    let whole = authenticate(0xe208_8215, &[0; 24], &[1; 60], "D", "u", &[]);
    for length in 0..72 {
        assert!(exchange.authenticate(&whole[..length]).is_err(), "{length}");
    }
    let mut outside = whole.clone();
    outside[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        exchange.authenticate(&outside),
        Err(Error::OutOfRange { field: "NT response", length: 60, .. })
    ));
    let mut long = whole.clone();
    long.resize(MAX_MESSAGE + 1, 0);
    assert_eq!(exchange.authenticate(&long), Err(Error::TooLong { length: MAX_MESSAGE + 1 }));
    assert_eq!(exchange.authenticate(&negotiate(7)), Err(Error::WrongType { found: 1, wanted: 3 }));
    // Overlapping fields are the client's own affair.
    let mut overlapping = whole;
    overlapping[16..20].copy_from_slice(&80u32.to_le_bytes());
    assert!(exchange.authenticate(&overlapping).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 1u8..4) {
        let message = [b"NTLMSSP\0".as_slice(), &[kind, 0, 0, 0], &bytes].concat();
        let exchange = server().challenge(&negotiate(0xe208_8297), NONCE, i64::MAX).unwrap();
        for bytes in [&bytes, &message] {
            let _ = server().challenge(bytes, NONCE, i64::MIN);
            if let Ok(got) = exchange.authenticate(bytes) {
                let line = got.credential().hash.unwrap_or_default();
                prop_assert!(!line.contains(['\n', '\r', '\0']));
                let _ = (got.verify("x"), got.fingerprint(), got.blob());
            }
        }
    }

    #[test]
    fn any_lengths_and_offsets_are_read(
        changes in proptest::collection::vec((12usize..72, any::<u8>()), 0..12),
        response in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let exchange = server().challenge(&negotiate(0xe208_8297), NONCE, 0).unwrap();
        let mut message = authenticate(0xe288_8215, &[0; 24], &response, "D", "u", &[5; 16]);
        for (at, byte) in changes {
            message[at] = byte;
        }
        if let Ok(got) = exchange.authenticate(&message) {
            let _ = (got.credential(), got.verify("x"), got.exported_session_key("x"));
        }
    }
}

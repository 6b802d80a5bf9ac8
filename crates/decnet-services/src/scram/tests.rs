use proptest::prelude::*;

use super::*;

/// The exchange of RFC 5802 section 5 and of RFC 7677 section 3; the server's nonce stands in them as text.
fn exchange(algorithm: Algorithm, account: Option<Account>) -> (Server, &'static str, &'static str, String) {
    let (client, server, salt, proof, last) = match algorithm {
        Algorithm::Sha1 => (
            "fyko+d2lbbFgONRv9qkxdawL",
            "3rfcNHYJY1ZVvWVs7j",
            "QSXCR+Q6sek8bf92",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        Algorithm::Sha256 => (
            "rOprNGfwEbeRWgbNEkqO",
            "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    };
    let mut made = Server::new(algorithm, b"", account, STANDARD.decode(salt).unwrap(), 4096);
    made.nonce = server.to_owned();
    let first = made.first(format!("n,,n=user,r={client}").as_bytes()).unwrap();
    assert_eq!(String::from_utf8(first).unwrap(), format!("r={client}{server},s={salt},i=4096"));
    (made, proof, last, format!("c=biws,r={client}{server}"))
}

#[test]
fn the_exchanges_of_the_standards_hold() {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
        let (mut server, proof, expected, start) =
            exchange(algorithm, Some(Account::Password("pencil".to_owned())));
        let outcome = server.last(format!("{start},p={proof}").as_bytes()).unwrap();
        assert!(outcome.accepted);
        assert_eq!(String::from_utf8(outcome.server_final).unwrap(), expected);
        assert!(outcome.transcript.check("pencil") && !outcome.transcript.check("pencils"));
        assert_eq!(server.last(b"c=biws,r=x,p=AA=="), Err(Error::Order), "an exchange ends once");
    }
}

#[test]
fn stored_keys_do_as_well_as_a_password() {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    let keys = Algorithm::Sha256.keys("pencil", &salt, 4096);
    assert_eq!(
        verifier(Algorithm::Sha256, &keys, &salt, 4096),
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
         wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    );
    let (mut server, proof, _, start) = exchange(Algorithm::Sha256, Some(Account::Keys(keys)));
    assert!(server.last(format!("{start},p={proof}").as_bytes()).unwrap().accepted);
}

#[test]
fn a_wrong_or_unknown_account_fails_at_the_end_and_leaves_its_transcript() {
    for account in [None, Some(Account::Password("pen".to_owned()))] {
        let (mut server, proof, _, start) = exchange(Algorithm::Sha256, account);
        let outcome = server.last(format!("{start},p={proof}").as_bytes()).unwrap();
        assert!(!outcome.accepted);
        assert_eq!(outcome.server_final, b"e=invalid-proof");
        assert!(outcome.transcript.check("pencil"), "what the intruder tried can be found");
        assert_eq!(outcome.transcript.user, "user");
        let line = outcome.transcript.line("anna");
        assert!(line.starts_with("$scram-sha-256$anna*4096*W22ZaJ0SNY7soEsUEjb6gQ==*"), "{line}");
    }
    // An account that is none never opens, whatever its guess.
    let mut server = Server::new(Algorithm::Sha256, b"nonce", None, *b"salt", 1);
    server.first(b"n,,n=,r=c").unwrap();
    let keys = Algorithm::Sha256.keys("", b"salt", 1);
    let nonce = format!("c{}", STANDARD.encode(b"nonce"));
    let message = format!("n=,r=c,{},c=biws,r={nonce}", server.server_first);
    let signature = Algorithm::Sha256.hmac(&keys.stored, message.as_bytes());
    let proof = STANDARD.encode(signature);
    assert!(!server.last(format!("c=biws,r={nonce},p={proof}").as_bytes()).unwrap().accepted);
}

#[test]
fn what_does_not_fit_is_told_apart() {
    let first = |text: &str| Server::new(Algorithm::Sha256, b"n", None, *b"salt", 1).first(text.as_bytes());
    assert_eq!(first("n,,m=x,n=u,r=c"), Err(Error::Extension));
    assert_eq!(first("p=tls-unique,,n=u,r=c"), Err(Error::Binding));
    assert!(matches!(first("x,,n=u,r=c"), Err(Error::Malformed(_))));
    assert!(matches!(first("n,,n=u,r="), Err(Error::Malformed(_))));
    assert!(matches!(first(&format!("n,,n=u,r={}", "c".repeat(MESSAGE_LIMIT))), Err(Error::Malformed(_))));
    let last = |text: &str| {
        let mut server = Server::new(Algorithm::Sha256, b"n", None, *b"salt", 1);
        server.first(b"n,,n=u=2C=3D,r=c").unwrap();
        assert_eq!(server.first.as_ref().unwrap().user, "u,=");
        server.last(text.as_bytes())
    };
    let proof = STANDARD.encode([0; 32]);
    assert_eq!(last(&format!("c=eSws,r=cbg==,p={proof}")), Err(Error::Binding));
    assert_eq!(last(&format!("c=biws,r=cbh==,p={proof}")), Err(Error::Nonce));
    assert!(matches!(last("c=biws,r=cbg==,p=AA=="), Err(Error::Malformed(_))));
    assert!(!last(&format!("c=biws,r=cbg==,p={proof}")).unwrap().accepted);
    assert_eq!(
        Server::new(Algorithm::Sha1, b"n", None, *b"s", 1).last(b"c=biws,r=c,p=AA=="),
        Err(Error::Order)
    );
}

#[test]
fn a_binding_is_part_of_the_proof() {
    let mut server = Server::new(Algorithm::Sha256, b"n", None, *b"salt", 1).bound(b"hash".to_vec());
    assert!(server.first(b"p=tls-server-end-point,,n=,r=c").is_ok());
    let bound = STANDARD.encode(b"p=tls-server-end-point,,hash");
    let proof = STANDARD.encode([0; 32]);
    assert!(server.last(format!("c={bound},r=cbg==,p={proof}").as_bytes()).is_ok());
    let mut server = Server::new(Algorithm::Sha256, b"n", None, *b"salt", 1).bound(b"hash".to_vec());
    assert_eq!(server.first(b"n,,n=,r=c"), Err(Error::Binding));
}

#[test]
fn a_mock_salt_is_the_users_and_the_servers() {
    assert_eq!(mock_salt(b"one", "anna", 16), mock_salt(b"one", "anna", 16));
    assert_ne!(mock_salt(b"one", "anna", 16), mock_salt(b"one", "otto", 16));
    assert_ne!(mock_salt(b"one", "anna", 16), mock_salt(b"two", "anna", 16));
    assert_eq!(mock_salt(b"one", "anna", 16).len(), 16);
}

proptest! {
    #[test]
    fn no_bytes_harm(first in proptest::collection::vec(any::<u8>(), 0..200), last in "[ncpr=,a-zA-Z0-9+/]{0,80}") {
        let mut server = Server::new(Algorithm::Sha1, b"n", None, *b"salt", 1);
        let _ = server.first(&first);
        let mut server = Server::new(Algorithm::Sha1, b"n", None, *b"salt", 1);
        server.first(b"n,,n=u,r=c").unwrap();
        if let Ok(outcome) = server.last(last.as_bytes()) {
            prop_assert!(!outcome.accepted);
        }
    }
}

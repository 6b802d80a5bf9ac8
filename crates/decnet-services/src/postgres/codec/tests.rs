use proptest::prelude::*;

use super::reply::*;
use super::*;

/// What psql 15 sends: SSLRequest, the startup message, a query.
const SSL: &[u8] = b"\x00\x00\x00\x08\x04\xd2\x16\x2f";
const STARTUP: &[u8] = b"\x00\x00\x00\x54\x00\x03\x00\x00user\0postgres\0database\0postgres\0\
    application_name\0psql\0client_encoding\0UTF8\0\0";

#[test]
fn openings_are_read() {
    assert_eq!(opening(&SSL[4..]), Some(Opening::Ssl));
    assert_eq!(opening(b"\x04\xd2\x16\x30"), Some(Opening::Gss));
    assert_eq!(
        opening(b"\x04\xd2\x16\x2e\0\0\0\x07\0\0\0\x08"),
        Some(Opening::Cancel { process: 7, key: vec![0, 0, 0, 8] })
    );
    let Some(Opening::Startup(startup)) = opening(&STARTUP[4..]) else { panic!() };
    assert_eq!(opening_length(*STARTUP.first_chunk().unwrap()), Ok(STARTUP.len()));
    assert_eq!(startup.version, (3, 0));
    assert!(startup.whole);
    assert_eq!(startup.get("application_name"), Some(&b"psql"[..]));
    let Some(Opening::Startup(startup)) = opening(b"\xff\x53MBr\0\0\0") else { panic!() };
    assert_eq!(startup.version, (65_363, 19_778), "what nmap sends");
    assert!(startup.whole, "a name, an empty value and the end, by chance");
    let Some(Opening::Startup(startup)) = opening(b"\xff\x53MBr\0\0") else { panic!() };
    assert!(!startup.whole);
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    assert_eq!(opening_length(*b"GET "), Err(()));
    assert_eq!(opening_length([0, 0, 0, 7]), Err(()));
    assert_eq!(message_length(*b"Q\0\0\0\x03", MESSAGE_LIMIT), Err(Wrong::Length));
    assert_eq!(message_length(*b"Q\x7f\0\0\0", MESSAGE_LIMIT), Err(Wrong::Length));
    assert_eq!(message_length(*b"Z\0\0\0\x04", MESSAGE_LIMIT), Err(Wrong::Type(b'Z')));
    assert_eq!(message_length(*b"Q\0\0\0\x0d", MESSAGE_LIMIT), Ok(9));
}

#[test]
fn messages_are_read_and_what_is_left_over_is_wrong() {
    assert_eq!(message(b'Q', b"SELECT 1\0"), Ok(Message::Query(b"SELECT 1".to_vec())));
    assert_eq!(message(b'Q', b"SELECT 1"), Err(Wrong::Content));
    assert_eq!(message(b'Q', b"SELECT 1\0x"), Err(Wrong::Content));
    assert_eq!(
        message(b'P', b"s\0SELECT $1\0\0\x01\0\0\0\x17"),
        Ok(Message::Parse { name: b"s".to_vec(), query: b"SELECT $1".to_vec(), types: vec![23] })
    );
    let bind = Bind {
        portal: Vec::new(),
        statement: b"s".to_vec(),
        formats: vec![1],
        values: vec![Some(b"ab".to_vec()), None],
        results: vec![0, 1],
    };
    assert_eq!(
        message(b'B', b"\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x02\0\0\0\x01"),
        Ok(Message::Bind(bind))
    );
    assert_eq!(message(b'B', b"\0s\0\0\0\0\x01\x7f\xff\xff\xffab\0\0"), Err(Wrong::Content));
    assert_eq!(message(b'D', b"Ss\0"), Ok(Message::Describe { statement: true, name: b"s".to_vec() }));
    assert_eq!(message(b'D', b"Xs\0"), Err(Wrong::Content));
    assert_eq!(message(b'E', b"\0\0\0\0\x05"), Ok(Message::Execute { portal: Vec::new(), limit: 5 }));
}

/// Real bytes: the refusal of a PostgreSQL 15 for what nmap sends.
#[test]
fn a_refusal_is_the_products() {
    let fault = Fault::from(Fields {
        severity: "FATAL",
        code: "0A000".into(),
        message: "unsupported frontend protocol 65363.19778: server supports 3.0 to 3.0".into(),
        source: ("postmaster.c".into(), 2195, "ProcessStartupPacket"),
        ..Fields::default()
    });
    let mut replies = Replies::default();
    replies.fault(&fault, false);
    let expected =
        b"SFATAL\0VFATAL\0C0A000\0Munsupported frontend protocol 65363.19778: server supports 3.0 \
                     to 3.0\0Fpostmaster.c\0L2195\0RProcessStartupPacket\0\0";
    assert_eq!(&replies.0[5..], &expected[..]);
    assert_eq!(replies.0[..5], [b'E', 0, 0, 0, expected.len() as u8 + 4]);
}

proptest! {
    #[test]
    fn no_bytes_harm(kind in any::<u8>(), mut body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = opening(&body);
        let _ = message(kind, &body);
        for kind in b"QPBDECSHXpdcfF" {
            let _ = message(*kind, &body);
        }
        // A real message, with some of it changed.
        for (at, byte) in STARTUP[4..].iter().enumerate().take(body.len()) {
            if body[at] < 240 {
                body[at] = *byte;
            }
        }
        let _ = opening(&body);
    }
}

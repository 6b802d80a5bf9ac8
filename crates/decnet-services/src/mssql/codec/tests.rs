//! Whole messages, and every byte that is none.

use proptest::prelude::*;

use super::*;

/// What nmap's service probe sends (nmap-service-probes, `ms-sql-s`).
const NMAP: &[u8] =
    b"\x12\x01\0\x34\0\0\0\0\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x0c\x03\0\x28\0\x04\xff\
\x08\0\x01\x55\0\0\0MSSQLServer\0\x48\x0f\0\0";

fn messages(bytes: &[u8], pieces: usize) -> Vec<Framed> {
    let mut framer = Framer::default();
    let mut all = Vec::new();
    for piece in bytes.chunks(pieces.max(1)) {
        framer.push(piece);
        while let Some(framed) = framer.next() {
            all.push(framed);
        }
    }
    all
}

#[test]
fn the_answer_holds_what_was_asked_and_nothing_else() {
    let framed = messages(NMAP, 3);
    let [Framed::Message(message)] = framed.as_slice() else { panic!("{framed:?}") };
    let prelogin = Prelogin::read(&message.body).unwrap();
    assert_eq!(prelogin.instance(), "MSSQLServer");
    assert_eq!(prelogin.encryption(), Encryption::Off);
    let terms = Terms { version: (15, 0, 4375), encryption: Encryption::Off, instance: "MSSQLSERVER" };
    let answer = prelogin.answer(terms);
    assert_eq!(
        answer,
        b"\0\0\x15\0\x06\x01\0\x1b\0\x01\x02\0\x1c\0\x01\x03\0\x1d\0\0\xff\x0f\0\x11\x17\0\0\0\0"
    );
    let read = Prelogin::read(&answer).unwrap();
    assert_eq!(read.options.iter().map(|(token, _)| *token).collect::<Vec<_>>(), [0, 1, 2, 3]);
    // Another instance is refused, and a short list of options gets a short answer: no fixed block.
    let terms = Terms { instance: "SQLEXPRESS", ..terms };
    let short = Prelogin { options: vec![(0, vec![0; 6]), (2, b"OTHER\0".to_vec())] };
    assert_eq!(short.answer(terms).last(), Some(&1));
}

#[test]
fn encryption_follows_the_table() {
    use Encryption::{NotSupported, Off, On, Required};
    for (server, client, answer) in [
        (Off, Off, (Off, true)),
        (Off, On, (On, true)),
        (Off, NotSupported, (NotSupported, true)),
        (Required, Off, (Required, true)),
        (Required, On, (On, true)),
        (Required, NotSupported, (Required, false)),
    ] {
        assert_eq!(server.answer(client), answer, "{server:?} {client:?}");
    }
}

#[test]
fn a_version_is_never_newer_than_both() {
    for (client, server, agreed) in [
        (0x7400_0004, TdsVersion::V7_4, TdsVersion::V7_4),
        (0x7400_0004, TdsVersion::V7_3B, TdsVersion::V7_3B),
        (0x7100_0001, TdsVersion::V7_4, TdsVersion::V7_1),
        (0x7000_0000, TdsVersion::V7_4, TdsVersion::V7_0),
        (0x730a_0003, TdsVersion::V7_4, TdsVersion::V7_3),
        (0xff00_0000, TdsVersion::V7_4, TdsVersion::V7_4),
    ] {
        assert_eq!(TdsVersion::agree(client, server, false), agreed, "{client:08x}");
    }
}

#[test]
fn a_message_longer_than_the_bound_is_none() {
    let mut bytes = Vec::new();
    let body = vec![0; 5 * 1024 * 1024];
    emit(kind::BATCH, &body, 32_767, 0, &mut bytes);
    assert!(matches!(messages(&bytes, 65_536)[0], Framed::TooLong(_)));
}

#[test]
fn passwords_of_the_old_login_are_read() {
    let mut body = vec![0; 31 * 3];
    body[31..33].copy_from_slice(b"sa");
    body[61] = 2;
    body[62..68].copy_from_slice(b"secret");
    body[92] = 6;
    assert_eq!(old_login(&body), Some((b"sa".to_vec(), b"secret".to_vec())));
    assert_eq!(old_login(&body[..90]), None);
}

proptest! {
    #[test]
    fn messages_survive_packets_of_any_size(
        body in prop::collection::vec(any::<u8>(), 0..9000),
        size in 512usize..4096,
        pieces in 1usize..3000,
    ) {
        let mut bytes = Vec::new();
        emit(kind::BATCH, &body, size, 51, &mut bytes);
        prop_assert_eq!(
            messages(&bytes, pieces),
            [Framed::Message(Message { kind: kind::BATCH, body, reset: false })]
        );
    }

    #[test]
    fn no_bytes_break_a_reader(
        bytes in prop::collection::vec(any::<u8>(), 0..600),
        at in 0usize..60,
        byte in any::<u8>(),
        version in prop::sample::select(vec![TdsVersion::V7_0, TdsVersion::V7_1, TdsVersion::V7_4]),
    ) {
        for bytes in [bytes.clone(), { let mut seed = NMAP.to_vec(); let at = at.min(seed.len() - 1); seed[at] = byte; seed }] {
            let _ = messages(&bytes, 7);
            let _ = Prelogin::read(&bytes).map(|prelogin| prelogin.fingerprint());
            let _ = Login::read(&bytes);
            let _ = Batch::read(&bytes, version);
            let _ = Call::read(&bytes, version);
            let _ = Wrapping::default().unwrap(&bytes);
            let _ = old_login(&bytes);
            let mut call = vec![4, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 0, 0, 0];
            call.extend_from_slice(&bytes);
            let _ = Call::read(&call, TdsVersion::V7_4);
        }
    }
}

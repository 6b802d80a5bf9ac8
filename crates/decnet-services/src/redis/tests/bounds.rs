//! Clients together, waiting, and our own bounds.

use std::time::Duration;

use decnet_core::Seed;
use decnet_logging::event::Body;

use super::{Decky, Talk};

fn limited(reports: &[decnet_logging::event::Report], wanted: &str) -> bool {
    reports.iter().any(|report| matches!(&report.body, Body::LimitReached { limit, .. } if limit == wanted))
}

#[tokio::test(start_paused = true)]
async fn blocked_clients_really_wait_and_are_served_in_order() {
    let decky = Decky::empty("7.0.15");
    let (mut first, mut second, mut pusher) = (decky.connect(), decky.connect(), decky.connect());
    first.send(b"BLPOP l 0\r\n").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    second.send(b"BLPOP nokey l 0\r\nPING\r\n").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(pusher.ask("INFO clients").await.contains("blocked_clients:2\r\n"));
    assert_eq!(pusher.ask("RPUSH l a b c").await, ":3\r\n");
    assert_eq!(first.reply().await, "*2\r\n$1\r\nl\r\n$1\r\na\r\n");
    assert_eq!(second.reply().await, "*2\r\n$1\r\nl\r\n$1\r\nb\r\n");
    assert_eq!(second.reply().await, "+PONG\r\n", "what was sent meanwhile is done after");
    assert_eq!(pusher.ask("LRANGE l 0 -1").await, "*1\r\n$1\r\nc\r\n");
    let before = tokio::time::Instant::now();
    assert_eq!(first.ask("BRPOP nokey 2.5").await, "*-1\r\n");
    assert!((2_400..2_700).contains(&before.elapsed().as_millis()));
    first.send(b"XREAD BLOCK 0 STREAMS s $\r\n").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    pusher.ask("XADD s 1-1 a b").await;
    assert!(first.reply().await.contains("1-1"));
    second.send(b"BLMOVE from to LEFT RIGHT 0\r\n").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    first.send(b"BLPOP to 0\r\n").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    pusher.ask("LPUSH from x").await;
    assert_eq!(second.reply().await, "$1\r\nx\r\n");
    assert_eq!(first.reply().await, "*2\r\n$2\r\nto\r\n$1\r\nx\r\n");
    second.send(b"BLPOP nokey 0\r\n").await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let list = pusher.ask("CLIENT LIST").await;
    let id = list.lines().find(|line| line.contains("flags=b")).unwrap();
    let id = id.split(' ').next().unwrap().trim_start_matches("id=").to_owned();
    assert_eq!(pusher.ask(&format!("CLIENT UNBLOCK {id} ERROR")).await, ":1\r\n");
    assert_eq!(second.reply().await, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
}

#[tokio::test]
async fn messages_go_from_client_to_client() {
    let decky = Decky::empty("7.0.15");
    let (mut listener, mut speaker, mut watcher) = (decky.connect(), decky.connect(), decky.connect());
    assert_eq!(listener.ask("SUBSCRIBE news").await, "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    assert_eq!(listener.ask("PSUBSCRIBE n*").await, "*3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:2\r\n");
    assert!(listener.ask("GET a").await.starts_with("-ERR Can't execute 'get': only (P|S)SUBSCRIBE"));
    assert_eq!(listener.ask("PING").await, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    assert_eq!(watcher.ask("MONITOR").await, "+OK\r\n");
    assert_eq!(speaker.ask("PUBLISH news hi").await, ":2\r\n");
    assert_eq!(listener.reply().await, "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
    assert_eq!(listener.reply().await, "*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$2\r\nhi\r\n");
    let line = watcher.reply().await;
    assert!(line.starts_with('+') && line.ends_with("\" \"news\" \"hi\"\r\n"), "{line}");
    assert!(line.contains("[0 198.51.100.7:40000] \"PUBLISH\""));
    speaker.ask("CONFIG SET notify-keyspace-events KEA").await;
    listener.ask("PSUBSCRIBE __key*__:*").await;
    speaker.ask("SET a b").await;
    assert!(listener.reply().await.contains("__keyspace@0__:a"));
    assert!(listener.reply().await.contains("__keyevent@0__:set"));
}

#[tokio::test]
async fn tracking_clients_are_told_to_forget() {
    let decky = Decky::empty("7.0.15");
    let (mut reader, mut writer) = (decky.connect(), decky.connect());
    reader.ask("HELLO 3").await;
    assert_eq!(reader.ask("CLIENT TRACKING on").await, "+OK\r\n");
    reader.ask("GET a").await;
    writer.ask("SET a 1").await;
    assert_eq!(reader.reply().await, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n");
}

#[tokio::test]
async fn a_watched_key_breaks_the_transaction_of_another() {
    let decky = Decky::empty("7.0.15");
    let (mut one, mut two) = (decky.connect(), decky.connect());
    one.ask("WATCH a").await;
    one.ask("MULTI").await;
    one.ask("SET a mine").await;
    two.ask("SET a theirs").await;
    assert_eq!(one.ask("EXEC").await, "*-1\r\n");
    assert_eq!(one.ask("GET a").await, "$6\r\ntheirs\r\n");
}

#[tokio::test]
async fn a_replica_gets_the_data_and_what_follows() {
    let decky = Decky::empty("6.0.16");
    let (mut replica, mut writer) = (decky.connect(), decky.connect());
    writer.ask("SET a b").await;
    assert_eq!(replica.ask("REPLCONF listening-port 6380").await, "+OK\r\n");
    assert!(replica.ask("PSYNC ? -1").await.starts_with("+FULLRESYNC "));
    writer.ask("SELECT 3").await;
    writer.ask("SET c d").await;
    assert!(writer.ask("INFO replication").await.contains("slave0:ip=198.51.100.7,port=6380,state=online"));
    tokio::time::sleep(Duration::from_millis(20)).await;
    writer.ask("CLIENT KILL TYPE replica").await;
    let stream = replica.rest().await;
    assert!(
        stream.contains("REDIS0009") && stream.contains("SELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$1\r\nc"),
        "{stream}"
    );
}

#[tokio::test]
async fn the_keyspace_is_bounded_in_bytes() {
    let decky = Decky::empty("7.0.15");
    let mut last = String::new();
    let mut reports = Vec::new();
    for round in 0..4 {
        let mut talk = decky.connect();
        talk.ask("CONFIG SET maxmemory 0").await;
        for i in 0..14 {
            talk.send_words(&[b"SET", format!("k{round}:{i}").as_bytes(), &vec![b'x'; 1_000_000]]).await;
            last = talk.reply().await;
        }
        reports.extend(talk.end().await);
    }
    assert_eq!(last, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
    assert!(limited(&reports, "keyspace"));
    let mut talk = decky.connect();
    for line in ["SETRANGE r 500000000 x", "SETBIT b 4000000000 1", "BITFIELD b SET u8 4000000000 1"] {
        assert!(talk.ask(line).await.starts_with("-OOM"), "{line}");
    }
    for command in [&b"APPEND"[..], b"LPUSH", b"SADD", b"PUBLISH"] {
        talk.send_words(&[command, b"k0:0", &vec![b'x'; 1_000_000]]).await;
        assert_eq!(talk.reply().await.starts_with("-OOM"), command != b"PUBLISH");
    }
    assert_eq!(talk.ask("GET nokey").await, "$-1\r\n");
    assert_eq!(talk.ask("DEL k0:0").await, ":1\r\n");
    assert_eq!(talk.ask("SET small x").await, "+OK\r\n");
}

#[tokio::test]
async fn the_keyspace_is_bounded_in_keys() {
    let decky = Decky::empty("7.0.15");
    let mut talk = decky.connect();
    let mut words: Vec<Vec<u8>> = vec![b"MSET".to_vec()];
    for i in 0..9_999 {
        words.push(format!("k{i}").into_bytes());
        words.push(b"v".to_vec());
    }
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    talk.send_words(&words).await;
    assert_eq!(talk.reply().await, "+OK\r\n");
    assert_eq!(talk.ask("SET one more").await, "+OK\r\n");
    assert!(talk.ask("SET two more").await.starts_with("-OOM"));
}

#[tokio::test]
async fn what_is_kept_for_clients_is_bounded() {
    let decky = Decky::empty("7.0.15");
    for (first, line) in
        [("PING", "SUBSCRIBE"), ("MULTI", "SET a"), ("PING", "WATCH"), ("PING", "SCRIPT LOAD --")]
    {
        let mut talk = decky.connect();
        talk.ask(first).await;
        let mut end = String::new();
        for i in 0..40 {
            let long = format!("{line} {}{}\r\n", i, "x".repeat(60_000));
            let words: Vec<&[u8]> = long.trim_end().splitn(3, ' ').map(str::as_bytes).collect();
            for _ in 0..8 {
                let unique = format!("{}{}", String::from_utf8_lossy(words[words.len() - 1]), rand(&decky));
                let mut words = words.clone();
                let at = words.len() - 1;
                words[at] = unique.as_bytes();
                talk.send_words(&words).await;
                let mut piece = vec![0; 1 << 20];
                let read = tokio::io::AsyncReadExt::read(&mut talk.stream, &mut piece).await.unwrap();
                end = String::from_utf8_lossy(&piece[..read]).into_owned();
                if read == 0 || end.starts_with("-OOM") {
                    break;
                }
            }
            if end.is_empty() || end.starts_with("-OOM") {
                break;
            }
        }
        assert!(end.is_empty() || end.starts_with("-OOM"), "{line}: {}", &end[..end.len().min(80)]);
        drop(talk.end().await);
    }
    // The clients are gone and so is what was kept for them; scripts stay until they are flushed.
    let mut talk = decky.connect();
    assert_eq!(talk.ask("SCRIPT FLUSH").await, "+OK\r\n");
    assert!(talk.ask("SUBSCRIBE again").await.starts_with("*3"));
}

fn rand(decky: &Decky) -> String {
    decky.host.entropy.text("abcdefgh", 12)
}

#[tokio::test]
async fn replies_that_repeat_a_value_without_end_are_cut_off() {
    let decky = Decky::empty("7.0.15");
    let mut talk = decky.connect();
    talk.send_words(&[b"SET", b"k", &vec![b'x'; 1_000_000]]).await;
    talk.reply().await;
    let mut words: Vec<&[u8]> = vec![b"MGET"];
    words.resize(1000, b"k");
    talk.send_words(&words).await;
    assert_eq!(talk.rest().await, "");
    assert!(limited(&talk.end().await, "reply bytes"));
    for command in ["SRANDMEMBER s -1000000000", "HRANDFIELD h -1000000000", "ZRANDMEMBER z -1000000000"] {
        let mut talk = decky.connect();
        talk.ask("SADD s member").await;
        talk.ask("HSET h f v").await;
        talk.ask("ZADD z 1 m").await;
        talk.send(format!("{command}\r\n").as_bytes()).await;
        assert_eq!(talk.rest().await, "", "{command}");
    }
}

#[tokio::test]
async fn scripts_end() {
    let mut talk = Decky::empty("7.0.15").connect();
    for script in [
        "while true do end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t+1] = {} end",
        "local function f() return f() + 1 end return f()",
        "return string.rep('x', 1000000000)",
        "for i = 1, 1e9 do redis.call('ping') end",
        "local t = {} for i=1,1e7 do t[i] = i end return t",
        "return string.find(string.rep('a', 5000), string.rep('a-', 500) .. 'b')",
    ] {
        talk.send_words(&[b"EVAL", script.as_bytes(), b"0"]).await;
        let reply = talk.reply().await;
        assert!(reply.starts_with('-'), "{script}: {}", &reply[..reply.len().min(100)]);
    }
    assert_eq!(talk.ask("PING").await, "+PONG\r\n");
}

#[tokio::test]
async fn a_request_over_the_bound_closes_the_connection() {
    let mut talk = Decky::empty("7.0.15").connect();
    talk.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n").await;
    let piece = vec![b'x'; 100_000];
    for _ in 0..90 {
        if tokio::io::AsyncWriteExt::write_all(&mut talk.stream, &piece).await.is_err() {
            break;
        }
    }
    assert_eq!(talk.rest().await, "");
    assert!(limited(&talk.sink.reports(), "request bytes"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_closed_after_ten_minutes_and_a_listener_is_not() {
    let decky = Decky::empty("7.0.15");
    let (mut silent, mut listener) = (decky.connect(), decky.connect());
    listener.ask("SUBSCRIBE a").await;
    let before = tokio::time::Instant::now();
    assert_eq!(silent.rest().await, "");
    assert!((595..610).contains(&before.elapsed().as_secs()));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(listener.ask("PING").await.starts_with("*2"));
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_writes_back() {
    let decky = Decky::empty("7.0.15");
    let mut talk = decky.connect();
    assert_eq!(talk.ask("CLIENT PAUSE 3000 WRITE").await, "+OK\r\n");
    assert_eq!(talk.ask("GET a").await, "$-1\r\n");
    talk.send(b"SET a b\r\n").await;
    let mut other = decky.connect();
    assert_eq!(other.ask("CLIENT UNPAUSE").await, "+OK\r\n");
    assert_eq!(talk.reply().await, "+OK\r\n");
}

/// Words that the fuzzer puts together: commands, subcommands, options, keys, numbers, junk.
fn word(draw: &mut decnet_core::seed::Draw, names: &[&'static str]) -> Vec<u8> {
    const OTHERS: [&str; 60] = [
        "a",
        "b",
        "k",
        "l",
        "h",
        "s",
        "z",
        "x",
        "g",
        "0",
        "1",
        "-1",
        "2",
        "10",
        "100",
        "-100",
        "1.5",
        "inf",
        "-inf",
        "nan",
        "(1",
        "[a",
        "+",
        "-",
        "*",
        "$",
        ">",
        "=",
        "~",
        "?",
        "",
        "NX",
        "XX",
        "GET",
        "EX",
        "PX",
        "COUNT",
        "MATCH",
        "LIMIT",
        "STORE",
        "BY",
        "WITHSCORES",
        "BYSCORE",
        "REV",
        "LEFT",
        "RIGHT",
        "STREAMS",
        "GROUP",
        "BLOCK",
        "MAXLEN",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615",
        "return redis.call(KEYS[1])",
        "return {1,2,{3}}",
        "u8",
        "i64",
        "km",
        "5-1",
        "MIN",
    ];
    match draw.below(10) {
        0..=1 => draw.pick(names).map_or(Vec::new(), |name| name.as_bytes().to_vec()),
        9 => {
            let mut junk = vec![0; draw.below(20) as usize];
            draw.fill(&mut junk);
            junk
        }
        _ => draw.pick(&OTHERS).map_or(Vec::new(), |other| other.as_bytes().to_vec()),
    }
}

/// Random command lines against one server: nothing panics, every request is answered or ends the
/// connection, memory stays within the bound.
async fn fuzz(version: &str, seed: u64, rounds: usize) {
    let decky = Decky::empty(version);
    let mut draw = Seed::from_number(seed).draw(&["fuzz"]);
    let mut names: Vec<&'static str> = crate::redis::tables::commands().keys().copied().collect();
    names.sort_unstable();
    let mut talk: Talk = decky.connect();
    for _ in 0..rounds {
        let name = *draw.pick(&names).unwrap();
        let mut words: Vec<Vec<u8>> = name.split('|').map(|part| part.as_bytes().to_vec()).collect();
        for _ in 0..draw.below(7) {
            words.push(word(&mut draw, &names));
        }
        // Waiting, leaving and listening are tested elsewhere; here they would only stop the fuzzer.
        let ends = [
            "quit",
            "shutdown",
            "monitor",
            "sync",
            "psync",
            "client|pause",
            "client|reply",
            "debug",
            "client|kill",
        ];
        let waits = name.starts_with('b') && !name.starts_with("bit") && !name.starts_with("bg");
        let subscribes = name.contains("subscribe");
        if ends.contains(&name)
            || waits
            || subscribes
            || name.starts_with("wait")
            || name.starts_with("xread")
        {
            continue;
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        talk.send_words(&words).await;
        talk.send(b"*1\r\n$5\r\nRESET\r\n").await;
        let first = talk.reply().await;
        assert!(!first.is_empty());
        if version.starts_with('7') {
            loop {
                if talk.reply().await == "+RESET\r\n" {
                    break;
                }
            }
        } else {
            talk.reply().await;
        }
        if draw.below(200) == 0 {
            talk.end().await;
            talk = decky.connect();
        }
    }
    let info = talk.ask("INFO memory").await;
    let used: u64 = super::field(&info, "used_memory").parse().unwrap();
    assert!(used < 40 * 1024 * 1024, "{used}");
    drop(talk.end().await);
}

#[tokio::test]
async fn random_commands_do_no_harm() {
    fuzz("7.0.15", 1, 12_000).await;
}

#[tokio::test]
async fn random_commands_do_no_harm_to_older_releases() {
    fuzz("6.2.7", 2, 3_000).await;
}

#[tokio::test]
async fn mutated_sessions_do_no_harm() {
    let decky = Decky::new("7.0.15", &[]);
    let mut draw = Seed::from_number(3).draw(&["mutate"]);
    let session = b"*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3\r\nxyz\r\nGET a\r\n*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n\
        HELLO 3\r\nMULTI\r\nINCR n\r\nEXEC\r\n*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\nSUBSCRIBE c\r\nRESET\r\nQUIT\r\n";
    for _ in 0..3_000 {
        let mut bytes = session.to_vec();
        for _ in 0..draw.between(1, 6) {
            let at = draw.below(bytes.len() as u64) as usize;
            if bytes.len() < 2 {
                break;
            }
            match draw.below(4) {
                0 => bytes[at] = draw.number() as u8,
                1 => {
                    bytes.remove(at);
                }
                2 => bytes.insert(at, b"*$\r\n0 \"'"[draw.below(8) as usize]),
                _ => bytes.truncate(at + 1),
            }
        }
        let mut talk = decky.connect();
        for piece in bytes.chunks(draw.between(1, 60) as usize) {
            if tokio::io::AsyncWriteExt::write_all(&mut talk.stream, piece).await.is_err() {
                break;
            }
        }
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut talk.stream).await;
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut talk.stream, &mut rest).await;
        talk.task.take().unwrap().await.expect("no panic").ok();
    }
}

//! Coherence with the identity, and that no two deckies share what looks random.

use std::collections::BTreeSet;

use decnet_core::Seed;
use decnet_core::identity::OsFamily;

use super::{Decky, field};
use crate::testing;

fn decky(seed: u64) -> Decky {
    let mut identity = testing::identity(
        OsFamily::Linux,
        1,
        &[("redis", "redis", "7.0.15", ""), ("mysql", "mysql", "8.0.36", "")],
    );
    identity.seed = Seed::from_number(seed);
    Decky::of(identity, 1, &[])
}

#[tokio::test]
async fn fifty_deckies_share_no_value_that_looks_random() {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for seed in 0..50 {
        let mut talk = decky(seed).connect();
        let info = talk.ask("INFO").await;
        let mut values = vec![field(&info, "run_id"), field(&info, "master_replid")];
        for key in talk
            .ask("KEYS *")
            .await
            .lines()
            .filter(|line| ["sess", "SESSION", "_cache_:"].iter().any(|part| line.contains(part)))
        {
            values.push(key.to_owned());
        }
        let config = talk.ask("KEYS *:config").await;
        let name = config.lines().nth(2).unwrap().to_owned();
        let hash = talk.ask(&format!("HGET {name} db.password")).await;
        values.push(hash);
        assert!(values.len() > 3);
        for value in values {
            assert!(seen.insert(value.clone()), "{value} is shared");
        }
    }
}

#[tokio::test]
async fn the_same_decky_is_the_same_after_a_restart_of_ours() {
    let (mut first, mut second) = (decky(7).connect(), decky(7).connect());
    let (a, b) = (first.ask("INFO server").await, second.ask("INFO server").await);
    for name in ["run_id", "process_id", "uptime_in_seconds", "redis_build_id"] {
        assert_eq!(field(&a, name), field(&b, name));
    }
    let keys = |text: String| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(keys(first.ask("KEYS *").await), keys(second.ask("KEYS *").await));
}

#[tokio::test]
async fn uptime_lies_within_that_of_the_host_and_the_platform_fits() {
    for seed in 0..20 {
        let decky = decky(seed);
        let info = decky.connect().ask("INFO").await;
        let uptime: i64 = field(&info, "uptime_in_seconds").parse().unwrap();
        assert!(uptime > 0 && uptime <= decky.host.uptime(), "{uptime} {}", decky.host.uptime());
        assert_eq!(field(&info, "gcc_version"), "12.2.0");
        assert_eq!(field(&info, "mem_allocator"), "jemalloc-5.3.0");
        let saved: i64 = field(&info, "rdb_last_save_time").parse().unwrap();
        assert!(saved <= testing::NOW && saved >= testing::NOW - uptime.min(3600));
        let (used, rss, peak) = ("used_memory", "used_memory_rss", "used_memory_peak");
        let number = |name: &str| field(&info, name).parse::<u64>().unwrap();
        assert!(number(used) < number(rss) && number(used) <= number(peak) && number(used) % 8 == 0);
        assert!(number(rss) < number("total_system_memory"));
        assert!(number("total_commands_processed") > number("total_connections_received"));
    }
}

#[tokio::test]
async fn windows_bsd_and_embedded_have_personas_of_their_own() {
    for (family, os, path) in [
        (OsFamily::Windows, "Windows", "C:\\Program Files\\Redis"),
        (OsFamily::Bsd, "FreeBSD 14.0-RELEASE x86_64", "/var/db/redis"),
        (OsFamily::Embedded, "Linux", "/var/lib/redis"),
    ] {
        let identity = testing::identity(family, 1, &[("redis", "redis", "3.2.100", "")]);
        let mut talk = Decky::of(identity, 1, &[]).connect();
        assert!(field(&talk.ask("INFO server").await, "os").starts_with(os));
        assert!(talk.ask("CONFIG GET dir").await.contains(path));
    }
}

#[tokio::test]
async fn nothing_of_ours_is_on_the_wire() {
    let mut talk = decky(3).connect();
    let mut all = String::new();
    for line in [
        "INFO everything",
        "CONFIG GET *",
        "CLIENT LIST",
        "KEYS *",
        "COMMAND",
        "COMMAND DOCS",
        "MEMORY STATS",
        "MEMORY MALLOC-STATS",
        "DEBUG HELP",
        "ACL LIST",
        "LATENCY DOCTOR",
    ] {
        all.push_str(&talk.ask(line).await);
    }
    let lower = all.to_lowercase();
    for word in ["decnet", "decky", "decoy", "honeypot", "tokio", "rust"] {
        assert!(!lower.contains(word), "{word}");
    }
}

#[tokio::test]
async fn the_application_goes_on_and_its_sessions_expire() {
    let identity = testing::identity(OsFamily::Linux, 1, &[("redis", "redis", "7.0.15", "")]);
    let decky = testing::decky(identity, 1, &[("redis", &[("keys", "sessions,cache")])]);
    let (clock, hand) = crate::clock::Clock::manual(testing::NOW * 1_000_000);
    let entropy = crate::entropy::Entropy::seeded(decky.identity.seed);
    let host = std::sync::Arc::new(crate::host::Host {
        decky,
        clock,
        entropy,
        limits: Default::default(),
        files: Default::default(),
    });
    let server: std::sync::Arc<dyn crate::server::Server> =
        std::sync::Arc::from(testing::server(&host, "redis"));
    let decky = Decky { host, server };
    let mut talk = decky.connect();
    let before: BTreeSet<String> = talk.ask("KEYS *").await.lines().map(str::to_owned).collect();
    hand.fetch_add(13 * 3_600_000_000, std::sync::atomic::Ordering::Relaxed);
    let after: BTreeSet<String> = decky.connect().ask("KEYS *").await.lines().map(str::to_owned).collect();
    let sessions = |keys: &BTreeSet<String>| {
        keys.iter().filter(|key| key.len() > 25 && !key.contains(":cache:")).cloned().collect::<BTreeSet<_>>()
    };
    assert!(!sessions(&after).is_empty());
    assert!(
        sessions(&before).intersection(&sessions(&after)).count() < 3,
        "sessions live twelve hours at most"
    );
}

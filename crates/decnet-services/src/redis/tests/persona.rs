//! Every persona key changes the wire.

use super::{Decky, field};

#[tokio::test]
async fn redis_version() {
    let decky = Decky::new("7.0.15", &[("redis_version", "6.2.7"), ("keys", "none")]);
    assert_eq!(decky.server.product(), "redis/6.2.7");
    let mut talk = decky.connect();
    assert_eq!(field(&talk.ask("INFO server").await, "redis_version"), "6.2.7");
    assert!(talk.ask("LOLWUT").await.contains("Redis ver. 6.2.7"));
    assert!(talk.ask("foo").await.contains("unknown command `foo`"));
    // A text that is no release stands on the wire as it is, with the latest wording.
    let odd = Decky::new("7.0.15", &[("redis_version", "unstable-x")]);
    assert_eq!(field(&odd.connect().ask("INFO server").await, "redis_version"), "unstable-x");
}

#[tokio::test]
async fn os_string() {
    let own = Decky::new("7.0.15", &[]).connect().ask("INFO server").await;
    assert_eq!(field(&own, "os"), "Linux 6.1.0-37-amd64 x86_64");
    let set = Decky::new("7.0.15", &[("os_string", "Linux 4.4.0 armv7l")]).connect().ask("INFO server").await;
    assert_eq!(field(&set, "os"), "Linux 4.4.0 armv7l");
}

#[tokio::test]
async fn requirepass() {
    let decky = Decky::new("7.0.15", &[("requirepass", "hunter2")]);
    let mut talk = decky.connect();
    assert_eq!(talk.ask("PING").await, "-NOAUTH Authentication required.\r\n");
    assert!(talk.ask("HELLO 3 AUTH default hunter2").await.starts_with("%7"));
    assert!(talk.ask("CONFIG GET requirepass").await.contains("hunter2"));
    // Before the login long requests are refused, as since the fix of CVE-2021-32675.
    let mut talk = decky.connect();
    talk.send(b"*11\r\n").await;
    assert_eq!(talk.rest().await, "-ERR Protocol error: unauthenticated multibulk length\r\n");
}

#[tokio::test]
async fn protected_mode() {
    let mut talk = Decky::new("7.0.15", &[("protected_mode", "yes")]).connect();
    let text = talk.rest().await;
    assert!(
        text.starts_with(
            "-DENIED Redis is running in protected mode because protected mode is enabled and no"
        )
    );
    assert!(text.ends_with("outside.\r\n"));
    let old = Decky::new("5.0.7", &[("protected_mode", "yes")]).connect().rest().await;
    assert!(old.contains("no bind address was specified"));
    let mut with_password =
        Decky::new("7.0.15", &[("protected_mode", "yes"), ("requirepass", "x")]).connect();
    assert_eq!(with_password.ask("PING").await, "-NOAUTH Authentication required.\r\n");
}

#[tokio::test]
async fn keys() {
    assert_eq!(Decky::new("7.0.15", &[("keys", "none")]).connect().ask("DBSIZE").await, ":0\r\n");
    let mut talk = Decky::new("7.0.15", &[("keys", "mail")]).connect();
    assert!(talk.ask("KEYS *").await.contains("RS"));
    assert!(talk.ask("TYPE RS").await.contains("hash"));
    let mut talk = Decky::new("7.0.15", &[("keys", "cache,queue")]).connect();
    let keys = talk.ask("KEYS *").await;
    assert!(keys.contains(":cache:") && keys.contains(":queues"), "{keys}");
}

#[tokio::test]
async fn modules() {
    let mut talk = Decky::new("7.0.15", &[("modules", "search:20811, bf")]).connect();
    let list = talk.ask("MODULE LIST").await;
    assert!(list.starts_with("*2\r\n") && list.contains("search") && list.contains(":20811"), "{list}");
    assert!(talk.ask("INFO modules").await.contains("module:name=bf,ver=1,"));
    assert!(talk.ask("HELLO").await.contains("search"));
}

#[test]
fn a_value_that_cannot_be_used_is_refused_with_its_name() {
    for (key, value) in [("keys", "treasure"), ("modules", "x:y"), ("protected_mode", "maybe")] {
        let host = crate::testing::host(crate::testing::decky(
            crate::testing::identity(
                decnet_core::identity::OsFamily::Linux,
                1,
                &[("redis", "redis", "7.0.15", "")],
            ),
            1,
            &[("redis", &[(key, value)])],
        ));
        let build = crate::registry::find("redis").unwrap().build.unwrap();
        let Err(error) = build(&host) else { panic!("{key}={value} was taken") };
        assert!(error.to_string().starts_with(&format!("redis.{key} = `{}`", value)), "{error}");
    }
}

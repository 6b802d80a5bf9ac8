//! Texts by release.

use super::Decky;

#[tokio::test]
async fn unknown_commands_are_quoted_as_each_release_does() {
    for (version, reply) in [
        ("3.2.12", "-ERR unknown command 'foo'\r\n"),
        ("4.0.14", "-ERR unknown command 'foo'\r\n"),
        ("5.0.7", "-ERR unknown command `foo`, with args beginning with: `a`, `b`, \r\n"),
        ("6.2.7", "-ERR unknown command `foo`, with args beginning with: `a`, `b`, \r\n"),
        ("7.0.15", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"),
        ("7.2.4", "-ERR unknown command 'foo', with args beginning with: 'a' 'b' \r\n"),
    ] {
        let mut talk = Decky::empty(version).connect();
        assert_eq!(talk.ask("foo a b").await, reply, "{version}");
    }
}

#[tokio::test]
async fn logins_are_refused_in_the_words_of_the_release() {
    let six = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your \
               configuration is correct?\r\n";
    for (version, open, wrong) in [
        ("3.2.12", "-ERR Client sent AUTH, but no password is set\r\n", "-ERR invalid password\r\n"),
        ("5.0.7", "-ERR Client sent AUTH, but no password is set\r\n", "-ERR invalid password\r\n"),
        ("6.0.16", six, "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        ("7.0.15", six, "-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
    ] {
        assert_eq!(Decky::empty(version).connect().ask("AUTH x").await, open, "{version}");
        let decky = Decky::new(version, &[("keys", "none"), ("requirepass", "s3cret")]);
        let mut talk = decky.connect();
        assert_eq!(talk.ask("GET a").await, "-NOAUTH Authentication required.\r\n");
        assert_eq!(
            talk.ask("foo").await.split(' ').next(),
            Some("-ERR"),
            "unknown comes before unauthenticated"
        );
        assert_eq!(talk.ask("AUTH x").await, wrong, "{version}");
        assert_eq!(talk.ask("AUTH s3cret").await, "+OK\r\n");
        assert_eq!(talk.ask("GET a").await, "$-1\r\n");
    }
}

#[tokio::test]
async fn commands_parameters_and_subcommands_belong_to_a_release() {
    for (version, command, start) in [
        ("3.2.12", "HELLO 3", "-ERR unknown command 'HELLO'"),
        ("3.2.12", "XADD s * a b", "-ERR unknown command"),
        ("5.0.7", "ACL WHOAMI", "-ERR unknown command `ACL`"),
        ("6.0.16", "ACL WHOAMI", "$7"),
        ("6.0.16", "GETEX a", "-ERR unknown command"),
        ("6.2.7", "GETEX a", "$-1"),
        ("6.2.7", "FUNCTION LIST", "-ERR unknown command"),
        (
            "6.2.7",
            "CONFIG foo",
            "-ERR Unknown subcommand or wrong number of arguments for 'foo'. Try CONFIG HELP.",
        ),
        ("7.0.15", "CONFIG foo", "-ERR unknown subcommand 'foo'. Try CONFIG HELP."),
        (
            "6.2.7",
            "CONFIG GET a b",
            "-ERR Unknown subcommand or wrong number of arguments for 'GET'. Try CONFIG HELP.",
        ),
        ("6.2.7", "CONFIG SET nope 1", "-ERR Unsupported CONFIG parameter: nope"),
        ("5.0.7", "CONFIG SET maxmemory foo", "-ERR Invalid argument 'foo' for CONFIG SET 'maxmemory'\r"),
        (
            "6.2.7",
            "CONFIG SET maxmemory foo",
            "-ERR Invalid argument 'foo' for CONFIG SET 'maxmemory' - argument must",
        ),
        ("6.2.7", "CONFIG GET replicaof", "*2"),
        ("3.2.12", "CONFIG GET replicaof", "*0"),
        ("3.2.12", "CONFIG GET slaveof", "*2"),
        ("6.2.7", "DEBUG SLEEP 0", "+OK"),
        ("7.0.15", "DEBUG SLEEP 0", "-ERR DEBUG command not allowed."),
        ("6.2.7", "MODULE LOAD /tmp/x.so", "-ERR Error loading the extension. Please check the server logs."),
        ("7.0.15", "MODULE LOAD /tmp/x.so", "-ERR MODULE command not allowed."),
        ("7.2.4", "CLIENT SETINFO lib-name x", "+OK"),
        ("7.0.15", "CLIENT SETINFO lib-name x", "-ERR unknown subcommand 'SETINFO'"),
        ("6.2.7", "EVAL return(a) 0", "-ERR Error running script (call to f_"),
        (
            "7.0.15",
            "EVAL return(a) 0",
            "-ERR user_script:1: Script attempted to access nonexistent global variable 'a'",
        ),
    ] {
        let reply = Decky::empty(version).connect().ask(command).await;
        assert!(reply.starts_with(start), "{version} {command}: {reply}");
    }
}

#[tokio::test]
async fn info_has_the_sections_and_lines_of_the_release() {
    for (version, has, lacks) in [
        (
            "3.2.12",
            vec!["# Clients", "client_longest_output_list"],
            vec!["# Modules", "allocator_active", "errorstat"],
        ),
        (
            "5.0.7",
            vec!["allocator_active", "used_memory_startup"],
            vec!["tracking_clients", "monotonic_clock"],
        ),
        ("6.0.16", vec!["# Modules", "tracking_clients"], vec!["monotonic_clock", "# Errorstats"]),
        ("6.2.7", vec!["monotonic_clock", "# Errorstats"], vec!["used_memory_vm_eval", "async_loading"]),
        ("7.0.15", vec!["used_memory_vm_eval", "async_loading"], vec!["listener0"]),
        ("7.2.4", vec!["listener0:name=tcp,bind=*,bind=-::*,port=6379"], vec![]),
    ] {
        let info = Decky::empty(version).connect().ask("INFO").await;
        assert!(info.contains(&format!("redis_version:{version}\r\n")));
        assert!(has.iter().all(|line| info.contains(line)), "{version}: {info}");
        assert!(!lacks.iter().any(|line| info.contains(line)), "{version}: {info}");
    }
}

#[tokio::test]
async fn protocol_errors_end_the_connection() {
    for (bytes, reply) in [
        (&b"*x\r\n"[..], "-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n+PING\r\n", "-ERR Protocol error: expected '$', got '+'\r\n"),
        (b"*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        (b"SET \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        (b"PING\r\n*1\r\n$x\r\nPING\r\n", "+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", ""),
        (b"QUIT\r\nPING\r\n", "+OK\r\n"),
    ] {
        let mut talk = Decky::empty("7.0.15").connect();
        talk.send(bytes).await;
        assert_eq!(talk.rest().await, reply, "{}", bytes.escape_ascii());
    }
}

/// What gives simple decoys away, by the book of services: an empty line, an HTTP request, garbage, DBSIZE,
/// HELP and QUIT, a login that always works, commands that are not there, an INFO that stands still.
#[tokio::test]
async fn the_known_tells_are_absent() {
    let decky = Decky::new("7.0.15", &[]);
    let mut talk = decky.connect();
    talk.send(b"\r\n\r\n\n   \r\nPING\r\n").await;
    assert_eq!(talk.reply().await, "+PONG\r\n", "empty lines get no answer");
    assert_eq!(talk.ask("GET / HTTP/1.1").await, "-ERR wrong number of arguments for 'get' command\r\n");
    assert_eq!(talk.ask("[[,[[").await, "-ERR unknown command '[[,[[', with args beginning with: \r\n");
    assert_eq!(talk.ask("HELP").await, "-ERR unknown command 'HELP', with args beginning with: \r\n");
    assert!(talk.ask("DBSIZE").await.starts_with(':'));
    assert!(talk.ask("AUTH anything").await.starts_with("-ERR AUTH"));
    assert!(talk.ask("AUTH admin admin").await.starts_with("-WRONGPASS"));
    assert_eq!(talk.ask("COMMAND COUNT").await, ":240\r\n");
    assert_eq!(talk.ask("SET a b").await, "+OK\r\n");
    assert_eq!(talk.ask("GET a").await, "$1\r\nb\r\n");
    assert!(talk.ask("HELLO 3").await.starts_with("%7\r\n"));
    let count = |info: &str| super::field(info, "total_commands_processed").parse::<u64>().unwrap();
    let (first, second) = (talk.ask("INFO").await, talk.ask("INFO").await);
    assert_eq!(count(&second), count(&first) + 1, "the counters move");
    assert!(first.contains("# Keyspace\r\ndb0:keys="));
    assert_eq!(talk.ask("QUIT").await, "+OK\r\n");
}

#[tokio::test]
async fn resp3_types() {
    let mut talk = Decky::empty("7.0.15").connect();
    talk.ask("HSET h a 1").await;
    talk.ask("ZADD z 1.5 a").await;
    talk.ask("SADD s a").await;
    assert_eq!(talk.ask("HGETALL h").await, "*2\r\n$1\r\na\r\n$1\r\n1\r\n");
    assert!(talk.ask("HELLO 3 SETNAME me").await.contains("$5\r\nproto\r\n:3\r\n"));
    assert_eq!(talk.ask("HGETALL h").await, "%1\r\n$1\r\na\r\n$1\r\n1\r\n");
    assert_eq!(talk.ask("ZRANGE z 0 -1 WITHSCORES").await, "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
    assert_eq!(talk.ask("SMEMBERS s").await, "~1\r\n$1\r\na\r\n");
    assert_eq!(talk.ask("GET nokey").await, "_\r\n");
    assert!(talk.ask("CLIENT LIST").await.starts_with('='));
    assert_eq!(talk.ask("CLIENT GETNAME").await, "$2\r\nme\r\n");
    assert!(talk.ask("CONFIG GET maxclients").await.starts_with("%1\r\n"));
    assert_eq!(talk.ask("RESET").await, "+RESET\r\n");
    assert_eq!(talk.ask("GET nokey").await, "$-1\r\n");
}

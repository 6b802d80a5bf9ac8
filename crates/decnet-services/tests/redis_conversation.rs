//! The same script said to the decoy and to the real server, over loopback.
//!
//! The real server is the one at `DECNET_REFERENCE_REDIS=host:port` (7.0.x, freshly started, its data is flushed), or
//! `redis-server` of the machine, started for the test. Without either the comparison is skipped and says
//! so; under `DECNET_TEST_REQUIRE=all` that fails.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, reason = "a test stops where its set-up breaks")]
#![allow(clippy::print_stdout, reason = "a skip must be seen")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use decnet_core::identity::OsFamily;
use decnet_services::testing;

/// A reply, read for its structure and kept with its bytes.
#[derive(Clone, Debug, PartialEq)]
struct Reply {
    mark: u8,
    head: Vec<u8>,
    items: Vec<Reply>,
}

impl Reply {
    fn wire(&self) -> Vec<u8> {
        let mut out = vec![self.mark];
        match self.mark {
            b'$' | b'=' if self.head != b"-1" => {
                out.extend_from_slice(format!("{}\r\n", self.head.len()).as_bytes());
                out.extend_from_slice(&self.head);
            }
            _ => out.extend_from_slice(&self.head),
        }
        out.extend_from_slice(b"\r\n");
        self.items.iter().for_each(|item| out.extend(item.wire()));
        out
    }

    fn shape(&self) -> String {
        let items: Vec<String> = self.items.iter().map(Reply::shape).collect();
        format!("{}[{}]", char::from(self.mark), items.join(","))
    }

    fn sorted(&self) -> Vec<Vec<u8>> {
        let mut items: Vec<Vec<u8>> = if self.items.len().is_multiple_of(2)
            && self.items.iter().step_by(2).all(|item| item.mark == b'$')
            && self.items.iter().skip(1).step_by(2).any(|item| item.mark == b'*')
        {
            self.items.chunks(2).map(|pair| [pair[0].wire(), pair[1].sorted().concat()].concat()).collect()
        } else {
            // Inside, flags and subcommands stand in any order, too.
            self.items
                .iter()
                .map(|item| if item.items.is_empty() { item.wire() } else { item.sorted().concat() })
                .collect()
        };
        items.sort();
        items
    }
}

struct Client {
    writer: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let writer = TcpStream::connect(address).unwrap();
        writer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let reader = BufReader::new(writer.try_clone().unwrap());
        Client { writer, reader }
    }

    fn send(&mut self, words: &[Vec<u8>]) {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        self.writer.write_all(&out).unwrap();
    }

    fn read(&mut self) -> Reply {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).unwrap();
        assert!(line.ends_with(b"\r\n"), "no whole line: {}", line.escape_ascii());
        let (mark, text) = (line[0], line[1..line.len() - 2].to_vec());
        let number = || std::str::from_utf8(&text).unwrap().parse::<i64>().unwrap();
        let count = match mark {
            b'$' | b'=' if number() >= 0 => {
                let mut body = vec![0; number() as usize + 2];
                self.reader.read_exact(&mut body).unwrap();
                body.truncate(number() as usize);
                return Reply { mark, head: body, items: Vec::new() };
            }
            b'*' | b'~' | b'>' => number().max(0),
            b'%' => number() * 2,
            _ => 0,
        };
        let items = (0..count).map(|_| self.read()).collect();
        Reply { mark, head: text, items }
    }

    fn ask(&mut self, line: &str) -> Reply {
        self.send(&words(line));
        self.read()
    }

    /// Everything until the server closes.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if self.reader.read_to_end(&mut rest).is_err() {
            rest.extend_from_slice(b"(still open)");
        }
        rest
    }
}

/// Words of a line; in double quotes `\n`, `\r`, `\xHH`, `\"` and `\\` are escapes.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut bytes = line.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' => {}
            b'"' => {
                let mut word = Vec::new();
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => match bytes.next().unwrap() {
                            b'n' => word.push(b'\n'),
                            b'r' => word.push(b'\r'),
                            b'x' => {
                                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                                word.push(
                                    u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap(),
                                );
                            }
                            other => word.push(other),
                        },
                        other => word.push(other),
                    }
                }
                words.push(word);
            }
            first => {
                let mut word = vec![first];
                while bytes.peek().is_some_and(|byte| *byte != b' ') {
                    word.extend(bytes.next());
                }
                words.push(word);
            }
        }
    }
    words
}

/// A decoy of some release without planted keys.
fn decoy(version: &str, values: &[(&str, &str)]) -> SocketAddr {
    let version = version.to_owned();
    let mut values: Vec<(String, String)> =
        values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    if !values.iter().any(|(key, _)| key == "keys") {
        values.push(("keys".to_owned(), "none".to_owned()));
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let identity = testing::identity(OsFamily::Linux, 1, &[("redis", "redis", &version, "")]);
            let values: Vec<(&str, &str)> =
                values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let decky = testing::decky(identity, 1, &[("redis", &values)]);
            let host = decnet_services::host::Host::new(decky).unwrap();
            let (addresses, _sink) = testing::serve_on_loopback(&host, "redis");
            sender.send(*addresses.values().next().unwrap()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv_timeout(Duration::from_secs(20)).unwrap()
}

/// A redis-server of the test's own; ended with it.
struct Reference {
    address: SocketAddr,
    child: Option<Child>,
    directory: Option<std::path::PathBuf>,
    /// One test at a time has the one server that was given.
    _alone: Option<std::sync::MutexGuard<'static, ()>>,
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Says that something is skipped; fails where nothing may be.
fn skip(what: &str) {
    if std::env::var("DECNET_TEST_REQUIRE").is_ok_and(|value| value == "all") {
        panic!("{what}, and DECNET_TEST_REQUIRE=all");
    }
    println!("SKIPPED: {what}");
}

fn reference() -> Option<Reference> {
    if let Ok(text) = std::env::var("DECNET_REFERENCE_REDIS") {
        let address =
            text.parse().unwrap_or_else(|_| panic!("DECNET_REFERENCE_REDIS=`{text}` is no ip:port"));
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        let alone = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        return Some(Reference { address, child: None, directory: None, _alone: Some(alone) });
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let directory = std::env::temp_dir().join(format!("redis-reference-{}-{port}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    started(port, directory)
}

/// Starts a redis-server of the test's own on a loopback port, over a directory that goes with it.
fn started(port: u16, directory: std::path::PathBuf) -> Option<Reference> {
    let program = std::path::Path::new("/usr/bin/redis-server");
    if !program.exists() {
        skip("no redis-server to compare with; install the package redis-server");
        return None;
    }
    #[allow(clippy::disallowed_methods, reason = "a test starts the server that it compares with")]
    let child = std::process::Command::new(program)
        .args(["--bind", "127.0.0.1", "--save", "3600 1 300 100 60 10000", "--dir"])
        .arg(&directory)
        .args(["--port", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let reference = Reference {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        child: Some(child),
        directory: Some(directory),
        _alone: None,
    };
    let end = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(reference.address).is_err() {
        assert!(Instant::now() < end, "redis-server does not come up");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(reference)
}

fn difference(how: char, real: &Reply, ours: &Reply) -> bool {
    match how {
        '=' => real.wire() != ours.wire(),
        '~' => real.shape() != ours.shape(),
        '?' => real.sorted() != ours.sorted(),
        other => panic!("`{other}` is no way to compare"),
    }
}

fn shown(reply: &Reply) -> String {
    let wire = reply.wire();
    wire[..wire.len().min(600)].escape_ascii().to_string()
}

#[test]
fn the_same_script_gets_the_same_answers() {
    let Some(reference) = reference() else { return };
    let mut real = Client::connect(reference.address);
    let release = String::from_utf8(real.ask("INFO server").head).unwrap();
    if !release.contains("redis_version:7.0.") {
        return skip("the reference is not release 7.0, of which the script was taken");
    }
    let version = release.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap();
    let mut ours = Client::connect(decoy(version, &[]));
    let mut differences = Vec::new();
    let mut count = 0;
    for line in
        include_str!("redis_script.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (how, command) = line.split_at(1);
        let (a, b) = (real.ask(command), ours.ask(command));
        count += 1;
        if difference(how.chars().next().unwrap(), &a, &b) {
            differences.push(format!("{command}\n  real {}\n  ours {}", shown(&a), shown(&b)));
        }
    }
    println!("{count} commands compared with redis-server {version}");
    assert!(differences.is_empty(), "{} of {count} differ:\n{}", differences.len(), differences.join("\n"));
}

/// Bytes that are no requests, or several at once, and everything that comes back until the close.
const RAW: &[&[u8]] = &[
    b"QUIT\r\n",
    b"\r\n\r\n  \r\nPING\r\nQUIT\r\n",
    b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n",
    b"*x\r\n",
    b"*\r\n",
    b"* 1\r\n",
    b"*01\r\n",
    b"*2147483648\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n\x01PING\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$4\r\nPINGxx*1\r\n$4\r\nQUIT\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\nQUIT\r\n",
    b"SET a \"b\r\n",
    b"SET a \"b\"c\r\n",
    b"SET a 'b\\'c'\r\nGET a\r\nQUIT\r\n",
    b"SET a \"\\x41\\n\\q\"\r\nGET a\r\nQUIT\r\n",
    b"ECHO a\0b\r\nQUIT\r\n",
    b"GET / HTTP/1.0\r\n\r\nQUIT\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"get / HTTP/1.1\r\nhost: x\r\n\r\n",
    b"\x16\x03\x01\x00\x05\r\nQUIT\r\n",
    b"MULTI\r\nSET a 1\r\nQUIT\r\n",
    b"SUBSCRIBE a b\r\nPING\r\nPING x\r\nGET a\r\nUNSUBSCRIBE a b\r\nUNSUBSCRIBE\r\nQUIT\r\n",
    b"PSUBSCRIBE a*\r\nPUNSUBSCRIBE\r\nSSUBSCRIBE s\r\nSUNSUBSCRIBE\r\nQUIT\r\n",
    b"CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\nQUIT\r\n",
    b"HELLO 3 SETNAME x y\r\nHSET h a 1\r\nHGETALL h\r\nHELLO 3 FOO\r\nHELLO 5\r\nQUIT\r\n",
    b"CLIENT KILL TYPE normal SKIPME no\r\n",
];

/// What only RESP3 shows. `HELLO 3` itself holds the connection's id.
const RESP3: &[&str] = &[
    "FLUSHALL",
    "HSET h a 1 b 2",
    "HGETALL h",
    "HRANDFIELD nokey 1 WITHVALUES",
    "SADD s a",
    "SMEMBERS s",
    "SINTER s s",
    "SPOP nokey 2",
    "ZADD z 1.5 a inf b",
    "ZRANGE z 0 -1 WITHSCORES",
    "ZSCORE z a",
    "ZMSCORE z a nope",
    "ZINCRBY z 1 a",
    "ZADD z INCR 1 a",
    "ZPOPMIN z",
    "ZPOPMIN z 1",
    "ZRANDMEMBER z 1 WITHSCORES",
    "ZUNION 1 z WITHSCORES",
    "GET nokey",
    "LPOP nokey 1",
    "BLPOP nokey 0.01",
    "MGET nokey",
    "INCRBYFLOAT f 1.5",
    "GEOADD g 13.361389 38.115556 Palermo",
    "GEOPOS g Palermo nope",
    "GEODIST g Palermo Palermo",
    "GEOSEARCH g FROMLONLAT 13 38 BYRADIUS 100 km WITHCOORD WITHDIST",
    "XADD x 1-1 a b",
    "XREAD STREAMS x 0",
    "XRANGE x - +",
    "XGROUP CREATE x g 0",
    "XREADGROUP GROUP g c STREAMS x >",
    "XINFO STREAM x",
    "XINFO GROUPS x",
    "XPENDING x g",
    "CONFIG GET maxclients",
    "COMMAND INFO get",
    "COMMAND DOCS get",
    "COMMAND GETKEYSANDFLAGS set a b",
    "ACL GETUSER default",
    "ACL LOG",
    "CLIENT TRACKINGINFO",
    "CLIENT GETNAME",
    "FUNCTION STATS",
    "FUNCTION LIST",
    "MEMORY DOCTOR",
    "LATENCY DOCTOR",
    "LOLWUT",
    "MODULE LIST",
    "ROLE",
    "PUBSUB NUMSUB a",
    "OBJECT HELP",
    "EVAL \"return {1,'a',{ok='x'},redis.call('get','nokey')}\" 0",
    "EVAL \"return redis.call('hgetall','h')\" 0",
    "EVAL \"return {double=1.5}\" 0",
    "LCS nokey nokey IDX",
    "MULTI",
    "HGETALL h",
    "GET nokey",
    "EXEC",
    "WATCH h",
    "HSET h a 2",
    "MULTI",
    "EXEC",
    "SSCAN s 0",
    "HSCAN h 0",
    "SLOWLOG GET",
    "DUMP nokey",
    "SORT nokey",
];

#[test]
fn broken_and_pipelined_bytes_get_the_same_answers() {
    let Some(reference) = reference() else { return };
    let ours = decoy("7.0.15", &[]);
    let mut differences = Vec::new();
    for bytes in RAW {
        let [a, b] = [reference.address, ours].map(|address| {
            let mut client = Client::connect(address);
            client.writer.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            client.writer.write_all(bytes).unwrap();
            // The id of the connection is in the answer to HELLO.
            let text = client.rest().escape_ascii().to_string();
            text.split("\\r\\n").filter(|line| !line.starts_with(':')).collect::<Vec<_>>().join("\\r\\n")
        });
        if a != b {
            differences.push(format!("{}\n  real {a}\n  ours {b}", bytes.escape_ascii()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn resp3_gets_the_same_answers() {
    let Some(reference) = reference() else { return };
    let (mut real, mut ours) = (Client::connect(reference.address), Client::connect(decoy("7.0.15", &[])));
    assert_eq!(real.ask("HELLO 3").shape(), ours.ask("HELLO 3").shape());
    let mut differences = Vec::new();
    for line in RESP3 {
        let (a, b) = (real.ask(line), ours.ask(line));
        if a != b {
            differences.push(format!("{line}\n  real {}\n  ours {}", shown(&a), shown(&b)));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The names of INFO's lines and sections, in order; what stands behind them is of the machine.
#[test]
fn info_and_config_have_the_same_names() {
    let Some(reference) = reference() else { return };
    let (mut real, mut ours) = (Client::connect(reference.address), Client::connect(decoy("7.0.15", &[])));
    for asked in ["INFO", "INFO all", "INFO everything", "INFO server clients", "INFO foo", "INFO ALL foo"] {
        let [a, b] = [&mut real, &mut ours].map(|client| {
            let text = String::from_utf8(client.ask(asked).head).unwrap();
            let names = text.lines().map(|line| line.split(':').next().unwrap().to_owned());
            // Which commands and errors there were differs, and whether there are keys.
            let counted = ["cmdstat_", "latency_percentiles", "errorstat_", "db0"];
            names.filter(|name| !counted.iter().any(|start| name.starts_with(start))).collect::<Vec<_>>()
        });
        assert_eq!(a, b, "{asked}");
    }
    let [a, b] = [&mut real, &mut ours].map(|client| {
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = client
            .ask("CONFIG GET *")
            .items
            .chunks(2)
            .map(|p| (p[0].head.clone(), p[1].head.clone()))
            .collect();
        pairs.into_iter().collect::<std::collections::BTreeMap<_, _>>()
    });
    // Set by the package, by the persona, or by how the reference was started.
    let own = [
        "dir",
        "port",
        "bind",
        "logfile",
        "pidfile",
        "supervised",
        "maxmemory",
        "daemonize",
        "protected-mode",
    ];
    for (name, value) in &a {
        let name_text = String::from_utf8_lossy(name);
        let ours = b.get(name).unwrap_or_else(|| panic!("CONFIG GET lacks {name_text}"));
        assert!(
            ours == value || own.contains(&&*name_text),
            "{name_text}: {} but {}",
            value.escape_ascii(),
            ours.escape_ascii()
        );
    }
    assert_eq!(a.len(), b.len());
}

/// Runs a program of the machine; nothing where it is not there.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    if !std::path::Path::new(program).exists() {
        skip(&format!("no {program}"));
        return None;
    }
    #[allow(clippy::disallowed_methods, reason = "a test runs the clients that intruders use")]
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

#[test]
fn redis_cli_finds_nothing_odd() {
    let address = decoy("7.0.15", &[("keys", "sessions,cache,queue")]);
    let port = address.port().to_string();
    let cli = |more: &[&str], input: &str| run("/usr/bin/redis-cli", &[&["-p", &port], more].concat(), input);
    let Some(text) = cli(&[], "SET a b\nGET a\nLPUSH l 1 2\nLRANGE l 0 -1\nHELLO 3\nCONFIG GET save\nPING\n")
    else {
        return;
    };
    assert!(text.starts_with("OK\nb\n2\n2\n1\n") && text.ends_with("PONG\n"), "{text}");
    let keys = cli(&["--scan"], "").unwrap();
    let size: usize = cli(&["DBSIZE"], "").unwrap().trim().parse().unwrap();
    assert_eq!(keys.lines().collect::<std::collections::BTreeSet<_>>().len(), size);
    let big = cli(&["--bigkeys"], "").unwrap();
    assert!(big.contains(&format!("Sampled {size} keys in the keyspace!")), "{big}");
    assert!(cli(&["--memkeys"], "").unwrap().contains("Sampled"));
    assert!(cli(&["INFO", "keyspace"], "").unwrap().contains("db0:keys="));
    assert!(cli(&["--latency", "-i", "1", "--raw"], "").is_some());
    let eval = cli(&["EVAL", "return {KEYS[1],ARGV[1]}", "1", "k", "v"], "").unwrap();
    assert_eq!(eval, "k\nv\n");
    let piped = cli(&["--pipe"], "*3\r\n$3\r\nSET\r\n$1\r\np\r\n$1\r\nq\r\n").unwrap();
    assert!(piped.contains("errors: 0, replies: 1"), "{piped}");
}

/// What the decoy gives away as its dump is one: the real server loads it and finds the same keys.
#[test]
fn the_real_server_loads_our_dump() {
    let ours = decoy("7.0.15", &[("keys", "queue")]);
    let mut client = Client::connect(ours);
    let mut expected = Vec::new();
    for line in [
        "XADD st 1-1 a b c d",
        "XADD st 2-1 other 5",
        "XGROUP CREATE st g 0",
        "XREADGROUP GROUP g c STREAMS st >",
        "SADD ints 1 2 70000",
        "ZADD z 1.5 a 2 b",
        "RPUSH l a 1 -70000",
        "SET long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "SETEX soon 100000 x",
    ] {
        client.ask(line);
    }
    let questions = [
        "XRANGE st - +",
        "XPENDING st g",
        "XINFO GROUPS st",
        "SMEMBERS ints",
        "ZRANGE z 0 -1 WITHSCORES",
        "LRANGE l 0 -1",
        "GET long",
    ];
    for line in questions {
        expected.push(client.ask(line));
    }
    let mut replica = Client::connect(ours);
    replica.writer.write_all(b"SYNC\r\n").unwrap();
    let dump = replica.read();
    assert_eq!((dump.mark, &dump.head[..9]), (b'$', &b"REDIS0010"[..]));
    // A bulk without the line break behind it; what was read of it is not there, so the reader holds on to
    // the first two bytes of the stream, and there are none yet.
    let size: usize = String::from_utf8(client.ask("DBSIZE").head).unwrap().parse().unwrap();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let directory = std::env::temp_dir().join(format!("redis-dump-{}-{port}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("dump.rdb"), &dump.head).unwrap();
    let Some(reference) = started(port, directory) else { return };
    let mut real = Client::connect(reference.address);
    assert_eq!(String::from_utf8(real.ask("DBSIZE").head).unwrap().parse::<usize>().unwrap(), size);
    for (line, reply) in questions.iter().zip(expected) {
        assert_eq!(real.ask(line), reply, "{line}");
    }
}

#[test]
fn nmap_names_the_product() {
    let port = decoy("7.0.15", &[]).port().to_string();
    let arguments = ["-sV", "--version-all", "-n", "-p", &port, "--script", "+redis-info", "127.0.0.1"];
    let Some(text) = run("/usr/bin/nmap", &arguments, "") else { return };
    assert!(text.contains("redis") && text.contains("Redis key-value store"), "{text}");
    assert!(
        text.contains("Version: 7.0.15") && text.contains("Operating System: Linux 6.1.0-37-amd64 x86_64"),
        "{text}"
    );
    assert!(!text.contains("unrecognized"), "{text}");
}

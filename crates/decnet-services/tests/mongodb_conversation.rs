//! MongoDB's conversations: Debian's pymongo against the decoy, and bytes that no driver sends.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "the tests start real clients")]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use decnet_core::identity::OsFamily;
use decnet_core::service::Port;
use decnet_logging::event::{Body, Outcome};
use decnet_logging::sink::MemorySink;
use decnet_services::host::Host;
use decnet_services::testing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn host(seed: u64, version: &str, values: &[(&str, &str)]) -> Arc<Host> {
    let identity = testing::identity(OsFamily::Linux, seed, &[("mongodb", "mongodb", version, "")]);
    testing::host(testing::decky(identity, seed, &[("mongodb", values)]))
}

fn bodies(sink: &MemorySink) -> Vec<Body> {
    sink.reports().into_iter().map(|report| report.body).collect()
}

/// Runs a script of pymongo; what it prints, or nothing where it is not installed.
async fn pymongo(address: std::net::SocketAddr, script: &str) -> Option<String> {
    let have = Command::new("/usr/bin/python3").args(["-c", "import pymongo"]).stderr(Stdio::null()).status();
    if !have.is_ok_and(|status| status.success()) {
        assert!(
            std::env::var("DECNET_TEST_REQUIRE").is_err(),
            "pymongo not found; install the Debian package python3-pymongo"
        );
        eprintln!("skipped: pymongo not found; install the Debian package python3-pymongo");
        return None;
    }
    let script = script.replace("ADDRESS", &address.to_string());
    let run = tokio::task::spawn_blocking(move || {
        Command::new("timeout").args(["60", "/usr/bin/python3", "-c", &script]).output().unwrap()
    });
    let output = run.await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn pymongo_works_on_an_open_server_and_a_ransom_is_one_story() {
    let host = host(3, "6.0.14", &[("auth", "no"), ("databases", "shop")]);
    let (addresses, sink) = testing::serve_on_loopback(&host, "mongodb");
    let script = r#"
import pymongo, sys
c = pymongo.MongoClient("mongodb://ADDRESS/?compressors=zlib", serverSelectionTimeoutMS=5000)
print(c.server_info()["version"])
names = [d for d in c.list_database_names() if d not in ("admin", "config", "local")]
assert len(names) == 1, names
db = c[names[0]]
print(sorted(db.list_collection_names()))
orders = db.orders
total = orders.count_documents({})
assert total > 100, total
assert len(list(orders.find())) == total, "a cursor gives all"
one = orders.find_one({"status": "shipped"}, {"status": 1})
assert set(one) == {"_id", "status"}, one
assert abs((db.customers.find_one()["createdAt"] - db.customers.find_one()["_id"].generation_time.replace(tzinfo=None)).total_seconds()) < 2
rows = list(orders.aggregate([{"$match": {"quantity": {"$gt": 2}}}, {"$group": {"_id": "$status", "n": {"$sum": 1}}}, {"$sort": {"n": -1}}]))
assert rows and rows[0]["n"] >= rows[-1]["n"], rows
joined = list(orders.aggregate([{"$limit": 1}, {"$lookup": {"from": "customers", "localField": "customerId", "foreignField": "_id", "as": "c"}}]))
assert len(joined[0]["c"]) == 1, joined
a = c.admin.command("serverStatus"); b = c.admin.command("serverStatus")
assert b["network"]["numRequests"] > a["network"]["numRequests"] and len(str(b)) > 2000
assert c.admin.command("getLog", "startupWarnings")["log"]
t = c.test.things
t.insert_many([{"_id": i, "n": i} for i in range(300)])
assert t.update_many({"n": {"$lt": 10}}, {"$inc": {"n": 1000}}).modified_count == 10
assert t.count_documents({"n": {"$gte": 1000}}) == 10
assert t.find_one_and_update({"_id": 5}, {"$set": {"a.b": 1}}, return_document=True)["a"]["b"] == 1
assert t.delete_many({"_id": {"$lt": 5}}).deleted_count == 5
try:
    t.insert_one({"_id": 9}); sys.exit("a duplicate was taken")
except pymongo.errors.DuplicateKeyError as e:
    print(e.code)
try:
    c.admin.command("nosuch"); sys.exit("an unknown command was taken")
except pymongo.errors.OperationFailure as e:
    print(e.code, e.details["codeName"], e.details["errmsg"])
t.create_index("n"); assert "n_1" in t.index_information()
c.drop_database(names[0])
c["READ_ME_TO_RECOVER"].README.insert_one({"content": "All your data is backed up. You must pay 0.01 BTC to bc1qexample to recover your data."})
assert names[0] not in c.list_database_names()
print("done")
"#;
    let Some(said) = pymongo(addresses[&Port::tcp(27017)], script).await else { return };
    assert!(
        said.starts_with("6.0.14\n['adminUsers', ") || said.starts_with("6.0.14\n['admin_users', "),
        "{said}"
    );
    assert!(said.contains("11000\n59 CommandNotFound no such command: 'nosuch'\ndone"), "{said}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = bodies(&sink);
    assert!(
        told.iter().any(|body| matches!(body, Body::BaitTouched { bait, .. } if bait.ends_with(".orders")))
    );
    assert!(told.iter().any(|body| matches!(body, Body::StateChanged { new, .. } if new == "dropped")));
    assert!(
        told.iter()
            .any(|body| matches!(body, Body::ExploitAttempt { name, .. } if name == "mongodb.ransom_note"))
    );
    assert!(told.iter().any(
        |body| matches!(body, Body::FileUpload { name, .. } if name == "READ_ME_TO_RECOVER.README.txt")
    ));
    assert!(
        told.iter()
            .any(|body| matches!(body, Body::ClientFingerprint { value, .. } if value.contains("PyMongo")))
    );
}

#[tokio::test]
async fn pymongo_logs_in_and_others_do_not() {
    let host = host(4, "4.4.29", &[("users", "backup:s3cret")]);
    let (addresses, sink) = testing::serve_on_loopback(&host, "mongodb");
    let script = r#"
import pymongo
for how in ("SCRAM-SHA-1", "SCRAM-SHA-256"):
    c = pymongo.MongoClient("mongodb://backup:s3cret@ADDRESS/?authMechanism=" + how, serverSelectionTimeoutMS=5000)
    assert c.list_database_names()
    print(c.admin.command("connectionStatus")["authInfo"]["authenticatedUsers"])
    for user in ("backup", "nobody"):
        try:
            pymongo.MongoClient("mongodb://%s:wrong@ADDRESS/?authMechanism=%s" % (user, how), serverSelectionTimeoutMS=5000).list_database_names()
            raise SystemExit("let in")
        except pymongo.errors.OperationFailure as e:
            print(e.code, e.details["errmsg"])
c = pymongo.MongoClient("mongodb://ADDRESS/", serverSelectionTimeoutMS=5000)
for name in ("listDatabases", "serverStatus", "getLog"):
    try:
        c.admin.command(name, "global" if name == "getLog" else 1)
        raise SystemExit("answered")
    except pymongo.errors.OperationFailure as e:
        print(e.details)
"#;
    let Some(said) = pymongo(addresses[&Port::tcp(27017)], script).await else { return };
    let login = "[{'user': 'backup', 'db': 'admin'}]\n18 Authentication failed.\n18 Authentication failed.\n";
    let refused = |name: &str| {
        format!(
            "{{'ok': 0.0, 'errmsg': 'command {name} requires authentication', 'code': 13, 'codeName': 'Unauthorized'}}\n"
        )
    };
    let expected =
        format!("{login}{login}{}{}{}", refused("listDatabases"), refused("serverStatus"), refused("getLog"));
    assert_eq!(said, expected);
    let told = bodies(&sink);
    let count = |wanted: Outcome| {
        told.iter()
            .filter(|body| matches!(body, Body::AuthAttempt { outcome, .. } if *outcome == wanted))
            .count()
    };
    assert!(count(Outcome::Accepted) >= 2 && count(Outcome::Failed) >= 4, "{told:#?}");
    let line = told.iter().find_map(|body| match body {
        Body::AuthAttempt { credential, outcome: Outcome::Failed } => credential.hash.clone(),
        _ => None,
    });
    assert!(line.unwrap().starts_with("$scram-sha-1$"));
}

async fn exchange(address: std::net::SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut out = Vec::new();
    let _ = stream.read_to_end(&mut out).await;
    out
}

#[tokio::test]
async fn what_is_no_message_is_answered_as_the_product_does() {
    let host = host(5, "7.0.12", &[]);
    let (addresses, sink) = testing::serve_on_loopback(&host, "mongodb");
    let address = addresses[&Port::tcp(27017)];
    let said = String::from_utf8(exchange(address, b"GET / HTTP/1.0\r\n\r\n").await).unwrap();
    assert_eq!(
        said,
        "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 85\r\n\r\n\
         It looks like you are trying to access MongoDB over HTTP on the native driver port.\r\n"
    );
    assert!(exchange(address, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await.is_empty());
    // nmap's probe, which has no place since 5.1.
    let probe = b"\x41\0\0\0\x3a\x30\0\0\xff\xff\xff\xff\xd4\x07\0\0\0\0\0\0test.$cmd\0\0\0\0\0\xff\xff\xff\xff\x1b\0\0\0\x01serverStatus\0\0\0\0\0\0\0\xf0\x3f\0";
    let said = exchange(address, probe).await;
    assert_eq!(said[8..16], *b"\x3a\x30\0\0\x01\0\0\0");
    let text = String::from_utf8_lossy(&said).into_owned();
    assert!(text.contains("Unsupported OP_QUERY command: serverStatus."), "{text}");
    let told = bodies(&sink);
    let wrong =
        told.iter().filter(|body| matches!(body, Body::ScanProbe { kind } if kind == "wrong_protocol"));
    assert_eq!(wrong.count(), 2);
}

#[tokio::test]
async fn two_thousand_connections_and_random_bytes_end_in_order() {
    let host = host(6, "5.0.27", &[("auth", "no")]);
    let server: Arc<dyn decnet_services::server::Server> = testing::server(&host, "mongodb").into();
    let mut open = Vec::new();
    let ping = b"\x33\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x1e\0\0\0\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
    for number in 0..2000u32 {
        let (mut client, _, task) = testing::connect(&host, Arc::clone(&server), Port::tcp(27017));
        if number % 2 == 0 {
            client.write_all(ping).await.unwrap();
        } else {
            let noise: [u8; 64] = host.entropy.bytes();
            client.write_all(&noise).await.unwrap();
        }
        open.push((client, task));
    }
    for (number, (client, _)) in open.iter_mut().enumerate() {
        if number % 2 == 0 {
            let mut head = [0u8; 4];
            client.read_exact(&mut head).await.unwrap();
            assert!(u32::from_le_bytes(head) > 30);
        }
    }
    for (client, task) in open {
        drop(client);
        let _ = tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap();
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    eprintln!("2,000 connections: {peak}");
    let kib: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 600 * 1024, "{peak}");
}

#[tokio::test]
async fn no_two_deckies_share_what_looks_random_and_no_listed_value_shows() {
    let mut seen = std::collections::HashSet::new();
    for seed in 0..50 {
        let host = host(seed, "4.4.29", &[("auth", "no")]);
        let (addresses, _) = testing::serve_on_loopback(&host, "mongodb");
        let hello = b"\x34\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\x1f\0\0\0\x10hello\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
        let said = exchange(addresses[&Port::tcp(27017)], hello).await;
        let at = said.windows(9).position(|window| window == b"processId").unwrap() + 10;
        assert!(seen.insert(said[at + 4..at + 12].to_vec()), "seed {seed}");
        for listed in [&b"e68e9a0"[..], b"88839051", b"decnet", b"decky"] {
            assert!(!said.windows(listed.len()).any(|window| window == listed));
        }
    }
}

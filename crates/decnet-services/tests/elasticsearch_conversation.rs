//! An Elasticsearch as a client on a socket sees it: forms by release, login, what an intruder changes, what
//! is told of it, bounds, and bytes that are no request.
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]
#![allow(clippy::disallowed_methods, reason = "the real client is a process")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use decnet_core::identity::OsFamily;
use decnet_logging::event::{Body, Outcome, Report};
use decnet_logging::sink::MemorySink;
use decnet_services::testing::{decky, host, identity, serve_on_loopback};
use proptest::prelude::*;
use serde_json::Value;

struct Node {
    address: SocketAddr,
    sink: Arc<MemorySink>,
}

fn node(seed: u64, values: &[(&str, &str)]) -> Node {
    let linux = identity(OsFamily::Linux, seed, &[("elasticsearch", "elasticsearch", "7.17.9", "")]);
    let host = host(decky(linux, seed, &[("elasticsearch", values)]));
    let (ready, made) = std::sync::mpsc::channel();
    // The decoy lives on a thread of its own until the test's process ends.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            ready.send(serve_on_loopback(&host, "elasticsearch")).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (addresses, sink) = made.recv().unwrap();
    Node { address: *addresses.values().next().unwrap(), sink }
}

impl Node {
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn send(&self, method: &str, target: &str, fields: &str, body: &str) -> String {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        self.raw(
            format!(
                "{method} {target} HTTP/1.1\r\nHost: es\r\n{kind}{fields}Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        )
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> (u16, Value) {
        let answer = self.send(method, target, "", body);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
    }

    fn reports(&self) -> Vec<Report> {
        // The report of a request follows its answer.
        std::thread::sleep(Duration::from_millis(100));
        self.sink.reports()
    }
}

#[test]
fn the_root_is_that_of_the_release() {
    for (version, hash, lucene, product, kind) in [
        ("6.8.23", "4f67856", "7.7.3", false, "application/json; charset=UTF-8"),
        (
            "7.17.9",
            "ef48222227ee6b9e70e502f0f0daa52435ee634d",
            "8.11.1",
            true,
            "application/json; charset=UTF-8",
        ),
        ("8.4.3", "42f05b9372a9a4a470db3b52817899b99a76ee73", "9.3.0", true, "application/json"),
    ] {
        let node = node(
            1,
            &[("es_version", version), ("security", "off"), ("cluster_name", "c1"), ("node_name", "n1")],
        );
        let answer = node.send("GET", "/", "", "");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        for wanted in [
            format!("\r\ncontent-type: {kind}\r\ncontent-length: "),
            format!("\"number\" : \"{version}\""),
            format!("\"build_hash\" : \"{hash}\""),
            format!("\"lucene_version\" : \"{lucene}\""),
            "{\n  \"name\" : \"n1\",\n  \"cluster_name\" : \"c1\",\n".to_owned(),
            "  \"tagline\" : \"You Know, for Search\"\n}\n".to_owned(),
        ] {
            assert!(answer.contains(&wanted), "{wanted}: {answer}");
        }
        assert_eq!(answer.contains("X-elastic-product: Elasticsearch\r\n"), product);
        assert_eq!(answer.contains("\r\nWarning: 299 Elasticsearch-7.17.9-"), version.starts_with('7'));
        let low = answer.to_lowercase();
        for tell in
            ["\r\nserver:", "\r\ndate:", "green goblin", "usnyes01", "89d3241", "045dffec8b60", "r&dbackup"]
        {
            assert!(!low.contains(tell), "{tell}: {answer}");
        }
        let head = node.send("HEAD", "/", "", "");
        assert!(head.ends_with("\r\n\r\n") && head.contains("content-length: "), "{head}");
        assert!(node.raw(b"GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.0 200 OK\r\n"));
    }
}

#[test]
fn nobody_is_let_in_but_who_is_configured_and_each_try_is_told() {
    let node = node(2, &[("es_version", "8.13.4"), ("tls", "off"), ("users", "elastic:s3cret")]);
    let basic = |pair: &str| {
        format!("Authorization: Basic {}\r\n", base64::engine::general_purpose::STANDARD.encode(pair))
    };
    let answer = node.send("GET", "/_cat/indices", "", "");
    assert!(
        answer.starts_with(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"security\", charset=\"UTF-8\"\r\n"
        ),
        "{answer}"
    );
    assert!(
        answer.contains("missing authentication credentials for REST request [/_cat/indices]"),
        "{answer}"
    );
    let refused = node.send("GET", "/", &basic("elastic:changeme"), "");
    assert!(refused.contains("unable to authenticate user [elastic] for REST request [/]"), "{refused}");
    let key = base64::engine::general_purpose::STANDARD.encode("keyid:keysecret");
    assert!(node.send("GET", "/", &format!("Authorization: ApiKey {key}\r\n"), "").contains(" 401 "));
    assert!(node.send("GET", "/", "Authorization: Bearer tok\r\n", "").contains(" 401 "));
    assert!(node.send("GET", "/", &basic("elastic:s3cret"), "").contains(" 200 "));
    let tries: Vec<_> = node
        .reports()
        .into_iter()
        .filter_map(|report| match report.body {
            Body::AuthAttempt { credential, outcome } => Some((
                credential.method,
                credential.username,
                credential.password.or(credential.token).unwrap(),
                outcome,
            )),
            _ => None,
        })
        .collect();
    let wanted = [
        ("basic", "elastic", "changeme", Outcome::Failed),
        ("apikey", "keyid", key.as_str(), Outcome::Failed),
        ("bearer", "", "tok", Outcome::Failed),
        ("basic", "elastic", "s3cret", Outcome::Accepted),
    ];
    let tries: Vec<_> = tries.iter().map(|(a, b, c, d)| (a.as_str(), b.as_str(), c.as_str(), *d)).collect();
    assert_eq!(tries, wanted);
}

#[test]
fn errors_are_the_products() {
    let seven = node(3, &[]);
    let eight = node(3, &[("es_version", "8.4.3"), ("security", "off")]);
    let kind =
        |answer: &(u16, Value)| (answer.0, answer.1["error"]["type"].as_str().unwrap_or_default().to_owned());
    let missing = seven.ask("GET", "/asked/_search", "");
    assert_eq!(kind(&missing), (404, "index_not_found_exception".into()));
    assert_eq!(missing.1["error"]["root_cause"][0]["reason"], "no such index [asked]");
    assert_eq!(kind(&seven.ask("GET", "/_nope", "")), (400, "invalid_index_name_exception".into()));
    assert_eq!(kind(&seven.ask("PUT", "/Upper", "")), (400, "invalid_index_name_exception".into()));
    assert_eq!(
        eight.ask("GET", "/a/b", ""),
        (400, serde_json::json!({"error": "no handler found for uri [/a/b] and method [GET]"}))
    );
    let verb = seven.send("PUT", "/_search", "", "");
    assert!(verb.starts_with("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET,POST\r\n"), "{verb}");
    assert!(verb.ends_with(r#"{"error":"Incorrect HTTP method for uri [/_search] and method [PUT], allowed: [GET, POST]","status":405}"#), "{verb}");
    assert_eq!(
        kind(&seven.ask("POST", "/_search", r#"{"query":{"nope":{}}}"#)),
        (400, "parsing_exception".into())
    );
    let script = seven.ask(
        "POST",
        "/_search",
        r#"{"script_fields":{"a":{"script":"Runtime.getRuntime().exec(\"id\")"}}}"#,
    );
    assert_eq!(script.1["error"]["root_cause"][0]["type"], "script_exception");
    assert_eq!(kind(&script), (400, "search_phase_execution_exception".into()));
    let bare = seven.raw(b"HELP\r\n\r\n");
    assert!(
        bare.starts_with("HTTP/1.0 400 Bad Request\r\n")
            && bare.contains("text is empty (possibly HTTP/0.9)"),
        "{bare}"
    );
    let long = seven.raw(format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(5000)).as_bytes());
    assert!(long.contains("An HTTP line is larger than 4096 bytes."), "{long}");
    let form =
        seven.raw(b"POST /_search HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
    assert!(
        form.contains(" 406 ") && form.contains("Content-Type header [text/plain] is not supported"),
        "{form}"
    );
}

#[test]
fn a_wipe_and_a_note_are_one_story_and_last() {
    let node = node(4, &[("indices", "shop")]);
    let (_, listed) = node.ask("GET", "/_cat/indices?format=json", "");
    let names: Vec<String> =
        listed.as_array().unwrap().iter().map(|row| row["index"].as_str().unwrap().to_owned()).collect();
    let customers = names.iter().find(|name| name.ends_with("customers")).unwrap();
    let (_, found) = node.ask("GET", &format!("/{customers}/_search?size=1"), "");
    let total = found["hits"]["total"]["value"].as_u64().unwrap();
    assert!(total >= 90 && found["hits"]["hits"][0]["_source"]["email"].as_str().unwrap().contains('@'));
    // The figures of all that counts agree.
    let counted = |target: &str, path: &str| node.ask("GET", target, "").1.pointer(path).unwrap().clone();
    let all = counted("/_count", "/count");
    assert_eq!(all, counted("/_cluster/stats", "/indices/docs/count"));
    assert_eq!(all, counted("/_stats", "/_all/primaries/docs/count"));
    let summed: u64 = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["docs.count"].as_str().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(all, summed);
    assert_eq!(
        counted("/_cluster/stats", "/indices/store/size_in_bytes"),
        counted("/_stats", "/_all/primaries/store/size_in_bytes")
    );

    assert_eq!(node.ask("DELETE", "/*", "").1, serde_json::json!({"acknowledged": true}));
    let note = r#"{"note":"All your data is backed up. You must pay 0.02 BTC to recover it"}"#;
    assert_eq!(node.ask("POST", "/read_me/_doc", note).0, 201);
    let (_, listed) = node.ask("GET", "/_cat/indices?h=index,docs.count", "");
    assert_eq!(listed, "read_me 1\n");
    let told = node.reports();
    let changes: Vec<&str> = told
        .iter()
        .filter_map(|report| match &report.body {
            Body::StateChanged { object, new, .. } if new == "deleted" => Some(object.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(changes.len(), names.len());
    assert!(
        told.iter()
            .any(|report| matches!(&report.body, Body::ExploitAttempt { name, .. } if name == "ransom note"))
    );
    assert!(told.iter().any(|report| matches!(&report.body, Body::BaitTouched { bait, .. } if *bait == format!("index {customers}"))));
    assert!(told.iter().any(|report| matches!(&report.body, Body::Query { rows, .. } if *rows == total)));
}

#[test]
fn documents_have_versions_and_bulks_have_items() {
    let node = node(5, &[("indices", "none")]);
    let (status, made) = node.ask("PUT", "/a/_doc/1", r#"{"x":1}"#);
    assert_eq!(
        (status, &made["_version"], &made["_seq_no"], &made["_primary_term"], &made["_type"]),
        (201, &1.into(), &0.into(), &1.into(), &"_doc".into())
    );
    assert_eq!(node.ask("POST", "/a/_update/1", r#"{"doc":{"y":2}}"#).1["_version"], 2);
    assert_eq!(node.ask("PUT", "/a/_create/1", "{}").0, 409);
    let bulk = "{\"index\":{\"_index\":\"a\",\"_id\":\"2\"}}\n{\"x\":5}\n{\"delete\":{\"_index\":\"a\",\"_id\":\"9\"}}\n{\"create\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{}\n";
    let (_, done) = node.ask("POST", "/_bulk", bulk);
    let statuses: Vec<u64> = done["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_object().unwrap().values().next().unwrap()["status"].as_u64().unwrap())
        .collect();
    assert_eq!((statuses, &done["errors"]), (vec![201, 404, 409], &true.into()));
    let (_, found) = node.ask(
        "POST",
        "/a/_search",
        r#"{"query":{"range":{"x":{"gte":1}}},"sort":[{"x":"desc"}],"aggs":{"m":{"max":{"field":"x"}}}}"#,
    );
    assert_eq!(
        (&found["hits"]["hits"][0]["_id"], &found["aggregations"]["m"]["value"]),
        (&"2".into(), &5.0.into())
    );
    assert_eq!(node.ask("POST", "/a/_delete_by_query", r#"{"query":{"match_all":{}}}"#).1["deleted"], 2);
    assert_eq!(node.ask("GET", "/a/_doc/1", "").0, 404);
}

#[test]
fn attacks_are_recognised_and_never_done() {
    let node = node(6, &[("es_version", "6.8.23")]);
    for (target, body) in [
        (
            "/_search?pretty",
            r#"{"script_fields":{"a":{"lang":"groovy","script":"java.lang.Math.class.forName(\"java.lang.Runtime\").getRuntime().exec(\"id\")"}}}"#,
        ),
        ("/_plugin/head/../../../../../etc/passwd", ""),
        ("/_snapshot/a/b%2f..%2f..%2fetc%2fpasswd", ""),
        (
            "/_reindex",
            r#"{"source":{"remote":{"host":"http://203.0.113.5:9200"},"index":"x"},"dest":{"index":"y"}}"#,
        ),
    ] {
        let answer = node.ask(if body.is_empty() { "GET" } else { "POST" }, target, body);
        assert!(answer.0 >= 400 && !answer.1.to_string().contains("root:"), "{answer:?}");
    }
    let told: Vec<String> = node
        .reports()
        .into_iter()
        .filter_map(|report| match report.body {
            Body::ExploitAttempt { name, .. } => Some(name),
            Body::FileDownload { url, .. } => url,
            _ => None,
        })
        .collect();
    for wanted in ["CVE-2015-1427", "CVE-2015-3337", "CVE-2015-5531", "http://203.0.113.5:9200"] {
        assert!(told.iter().any(|name| name == wanted), "{wanted}: {told:?}");
    }
}

#[test]
fn fifty_nodes_share_no_random_looking_value() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 1..=50 {
        let node = node(seed, &[("indices", "helpdesk")]);
        let root = node.ask("GET", "/", "").1;
        assert!(seen.insert(root["cluster_uuid"].as_str().unwrap().to_owned()));
        let nodes = node.ask("GET", "/_nodes", "").1;
        assert!(seen.insert(nodes["nodes"].as_object().unwrap().keys().next().unwrap().clone()));
        assert!(
            seen.insert(node.ask("GET", "/_license", "").1["license"]["uid"].as_str().unwrap().to_owned())
        );
        for row in node.ask("GET", "/_cat/indices?format=json", "").1.as_array().unwrap() {
            assert!(seen.insert(row["uuid"].as_str().unwrap().to_owned()));
        }
    }
}

#[test]
fn what_an_intruder_adds_is_bounded() {
    let node = node(7, &[("indices", "none")]);
    let big = format!("{{\"x\":\"{}\"}}", "a".repeat(1_000_000));
    let statuses: Vec<u16> = (0..20).map(|_| node.ask("POST", "/a/_doc", &big).0).collect();
    assert_eq!((statuses[0], statuses[19]), (201, 429), "{statuses:?}");
    assert!(node.reports().iter().any(|report| matches!(report.body, Body::LimitReached { .. })));
    assert_eq!(node.ask("DELETE", "/a", "").0, 200);
    assert_eq!(node.ask("POST", "/a/_doc", "{}").0, 201, "what is deleted makes room");
    let mut last = 200;
    for number in 0..600 {
        last = node.ask("PUT", &format!("/i{number}"), "").0;
        if last != 200 {
            break;
        }
    }
    assert_eq!(last, 400, "the product has at most 1000 shards");
}

#[test]
fn curl_reads_a_certificate_of_the_nodes_own_authority() {
    if Command::new("curl").arg("--version").output().is_err() {
        assert!(std::env::var_os("DECNET_TEST_REQUIRE").is_none(), "curl is missing");
        eprintln!("skipped: curl is missing");
        return;
    }
    let node = node(8, &[("es_version", "8.4.3"), ("users", "elastic:s3cret"), ("node_name", "es01")]);
    let curl = |url: String, more: &[&str]| {
        let said =
            Command::new("curl").args(["-sv", "--max-time", "20"]).args(more).arg(url).output().unwrap();
        (
            said.status.code(),
            String::from_utf8_lossy(&said.stdout).into_owned(),
            String::from_utf8_lossy(&said.stderr).into_owned(),
        )
    };
    let (_, body, told) = curl(format!("https://{}/", node.address), &["-k", "-u", "elastic:s3cret"]);
    assert!(body.contains("\"number\" : \"8.4.3\""), "{body}");
    assert!(
        told.contains("CN=es01") && told.contains("CN=Elasticsearch security auto-configuration HTTP CA"),
        "{told}"
    );
    assert_eq!(curl(format!("http://{}/", node.address), &[]).0, Some(52), "plain HTTP gets no answer");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("DECNET_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64)
    ))]
    #[test]
    fn no_request_breaks_the_node(
        method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE", "HEAD"]),
        path in "(/(_[a-z]{1,6}|a|_search|_doc|_cat|indices|_bulk|_update|%2e%2e|[a-z*,-]{1,4})){0,4}",
        query in "([a-z_]{1,6}=[a-z0-9:.*-]{0,6}&?){0,3}",
        body in "[ -~\n]{0,80}",
    ) {
        static NODE: std::sync::OnceLock<Node> = std::sync::OnceLock::new();
        let node = NODE.get_or_init(|| node(9, &[("indices", "portal")]));
        let answer = node.send(method, &format!("/{}?{query}", path.trim_start_matches('/')), "", &body);
        prop_assert!(answer.starts_with("HTTP/1."), "{answer}");
        prop_assert!(!answer.contains("decnet") && !answer.contains("decky"), "{}", answer);
    }
}

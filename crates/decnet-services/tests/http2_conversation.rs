//! The same script of HTTP/2, well-formed and not, to the decoy and to the real server: every frame must
//! be equal but for dates, entity tags and what depends on them.
//!
//! The references are started here when their binaries are there. A missing one is a skip that says so,
//! and a failure under `DECNET_TEST_REQUIRE=all`.
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
use decnet_logging::event::{Body, Report};
use decnet_logging::sink::MemorySink;
use decnet_services::httpd::http2::frame::{self, Framer, Kind, PREFACE, Piece};
use decnet_services::httpd::http2::hpack::{Decoder, ListLimits};
use decnet_services::testing::{decky, host, identity, serve_on_loopback};

const PAGE: &str = include_str!("../src/http/pages/nginx.html");

// --- the decoy ---------------------------------------------------------------------------------------

struct Decoy {
    tls: SocketAddr,
    sink: Arc<MemorySink>,
}

fn decoy(family: OsFamily, product: (&str, &str, &str), values: &[(&str, &str)]) -> Decoy {
    let (name, version, suffix) = product;
    let identity = identity(family, 1, &[("http", name, version, suffix)]);
    let host = host(decky(identity, 1, &[("http", values)]));
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
    Decoy { tls: addresses[&Port::tls(443)], sink }
}

impl Decoy {
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

// --- the references ----------------------------------------------------------------------------------

struct Reference {
    tls: SocketAddr,
    version: String,
    process: Child,
    directory: PathBuf,
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn skip(what: &str) {
    assert_ne!(std::env::var("DECNET_TEST_REQUIRE").as_deref(), Ok("all"), "{what} is required");
    eprintln!("SKIPPED: {what} is not here");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn version_of(binary: &str) -> Option<String> {
    let output = Command::new(binary).arg("-v").output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    let at = text.find('/')?;
    Some(text[at + 1..].chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect())
}

/// Starts a server from its configuration, with a certificate and the page.
fn reference(
    binary: &str,
    arguments: impl Fn(&Path) -> Vec<String>,
    config: impl Fn(&Path, u16) -> String,
) -> Option<Reference> {
    let version = version_of(binary)?;
    let name = Path::new(binary).file_name().unwrap().to_string_lossy().into_owned();
    let directory = std::env::temp_dir().join(format!("reference-h2-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    for part in ["html", "logs", "tmp"] {
        std::fs::create_dir_all(directory.join(part)).unwrap();
    }
    std::fs::write(directory.join("html/index.html"), PAGE).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=reference"])
        .arg("-keyout")
        .arg(directory.join("key.pem"))
        .arg("-out")
        .arg(directory.join("cert.pem"))
        .stderr(Stdio::null())
        .status()
        .ok()?;
    assert!(made.success());
    let both =
        [directory.join("key.pem"), directory.join("cert.pem")].map(|path| std::fs::read(path).unwrap());
    std::fs::write(directory.join("both.pem"), both.concat()).unwrap();
    let port = free_port();
    std::fs::write(directory.join("config"), config(&directory, port)).unwrap();
    let mut process = Command::new(binary).args(arguments(&directory)).stderr(Stdio::null()).spawn().ok()?;
    let tls = SocketAddr::from(([127, 0, 0, 1], port));
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(tls).is_err() {
        assert!(process.try_wait().unwrap().is_none(), "{binary} did not start");
        assert!(Instant::now() < until, "{binary} does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    Some(Reference { tls, version, process, directory })
}

fn nginx() -> Option<Reference> {
    let arguments = |directory: &Path| {
        ["-p", &format!("{}/", directory.display()), "-c", "config"].map(str::to_owned).to_vec()
    };
    reference("/usr/sbin/nginx", arguments, |_, port| {
        format!(
            "daemon off; master_process off; worker_processes 1; error_log logs/error.log; pid logs/pid;\n\
             events {{ worker_connections 128; }}\n\
             http {{ types {{ text/html html; }} default_type application/octet-stream; access_log off; gzip on;\n\
             client_body_temp_path tmp/b; proxy_temp_path tmp/p; fastcgi_temp_path tmp/f; uwsgi_temp_path tmp/u; scgi_temp_path tmp/s;\n\
             server {{ listen 127.0.0.1:{port} ssl http2; ssl_certificate cert.pem; ssl_certificate_key key.pem; root html;\n\
             server_name _; location / {{ try_files $uri $uri/ =404; }} }} }}\n"
        )
    })
}

fn apache() -> Option<Reference> {
    let arguments = |directory: &Path| {
        ["-X", "-f", &directory.join("config").display().to_string()].map(str::to_owned).to_vec()
    };
    reference("/usr/sbin/apache2", arguments, |directory, port| {
        let modules: String =
            ["mpm_event", "authz_core", "dir", "mime", "filter", "deflate", "reqtimeout", "ssl", "http2"]
                .iter()
                .map(|module| {
                    format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
                })
                .collect();
        format!(
            "ServerRoot {0}\nUser www-data\nGroup www-data\nPidFile logs/pid\nErrorLog logs/error.log\n{modules}\
             Listen 127.0.0.1:{port}\nServerName srv-test-01.corp.northwind-labs.net\nServerTokens OS\nServerSignature On\n\
             TraceEnable Off\nKeepAliveTimeout 5\nRequestReadTimeout header=20-40,minrate=500 body=10,minrate=500\n\
             TypesConfig /dev/null\nAddType text/html .html\nDirectoryIndex index.html\n\
             AddOutputFilterByType DEFLATE text/html text/plain text/xml text/css\nDocumentRoot {0}/html\n\
             <Directory {0}/html>\nRequire all granted\n</Directory>\nProtocols h2 http/1.1\nSSLEngine on\n\
             SSLCertificateFile cert.pem\nSSLCertificateKeyFile key.pem\n",
            directory.display()
        )
    })
}

fn lighttpd() -> Option<Reference> {
    let arguments = |directory: &Path| {
        ["-D", "-f", &directory.join("config").display().to_string()].map(str::to_owned).to_vec()
    };
    reference("/usr/sbin/lighttpd", arguments, |directory, port| {
        format!(
            "server.document-root = \"{0}/html\"\nserver.bind = \"127.0.0.1\"\nserver.port = {port}\n\
             server.modules = (\"mod_openssl\")\nindex-file.names = (\"index.html\")\n\
             mimetype.assign = (\".html\" => \"text/html\")\nssl.engine = \"enable\"\n\
             ssl.pemfile = \"{0}/both.pem\"\nserver.errorlog = \"{0}/logs/error.log\"\n",
            directory.display()
        )
    })
}

// --- the client --------------------------------------------------------------------------------------

/// Takes any certificate: what is tested is behind it.
#[derive(Debug)]
struct Anyone(Arc<rustls::crypto::CryptoProvider>);

impl rustls::client::danger::ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &[rustls::pki_types::CertificateDer<'_>],
        _: &rustls::pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls::pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &rustls::pki_types::CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

type Tls = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A connection that offers these protocols, and the one that was chosen.
fn connect(address: SocketAddr, alpn: &[&str]) -> (Tls, Option<String>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = rustls::pki_types::ServerName::try_from("a").unwrap();
    let mut session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut socket).unwrap();
    }
    let chosen = session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    (rustls::StreamOwned::new(session, socket), chosen)
}

/// The frames that answer some bytes, a line each, and whether the server closed.
fn ask(address: SocketAddr, bytes: &[u8], patience: Duration) -> (Vec<String>, bool) {
    let (mut stream, chosen) = connect(address, &["h2", "http/1.1"]);
    assert_eq!(chosen.as_deref(), Some("h2"));
    stream.sock.set_read_timeout(Some(patience)).unwrap();
    // A server that refuses early may close before all is written.
    let _ = stream.write_all(bytes);
    let _ = stream.flush();
    let mut answer = Vec::new();
    let mut buffer = [0u8; 65536];
    let closed = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break true,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) => {
                break !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            }
        }
    };
    (show(&answer), closed)
}

fn show(bytes: &[u8]) -> Vec<String> {
    let mut framer = Framer::new(0xff_ffff);
    framer.feed(bytes);
    let mut decoder = Decoder::new(4096, true);
    let limits = ListLimits { text: 65_536, total: 1 << 20, fields: 1000 };
    std::iter::from_fn(|| framer.next_piece())
        .map(|piece| match piece {
            Piece::Frame(head, payload) if head.kind == Kind::Headers => {
                let fields = decoder.read(&payload, &limits).unwrap().fields;
                let fields: Vec<String> = fields
                    .iter()
                    .map(|field| {
                        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                        mask(&text(&field.name), &text(&field.value))
                    })
                    .collect();
                format!("HEADERS {:x} {} {}", head.flags, head.stream, fields.join("; "))
            }
            Piece::Frame(head, payload) => {
                format!("{:?} {:x} {} {}", head.kind, head.flags, head.stream, payload.escape_ascii())
            }
            Piece::Data { head, .. } => format!("DATA {:x} {} {}", head.flags, head.stream, head.length),
            other => format!("{other:?}"),
        })
        .collect()
}

fn mask(name: &str, value: &str) -> String {
    match name {
        "date" | "last-modified" | "etag" => format!("{name}: *"),
        // Its order is that of a hash table seeded when the server starts.
        "allow" => {
            let mut methods: Vec<&str> = value.split(',').map(str::trim).collect();
            methods.sort_unstable();
            format!("allow: {}", methods.join(","))
        }
        _ => format!("{name}: {value}"),
    }
}

// --- the script --------------------------------------------------------------------------------------

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, Kind::from(kind), flags, stream, payload);
    out
}

fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write_settings(&mut out, values);
    out
}

/// A block of literals that no table is needed for.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        for text in [name, value] {
            let mut length = text.len();
            if length < 127 {
                out.push(length as u8);
            } else {
                out.push(127);
                length -= 127;
                while length >= 128 {
                    out.push((length % 128) as u8 | 0x80);
                    length /= 128;
                }
                out.push(length as u8);
            }
            out.extend_from_slice(text.as_bytes());
        }
    }
    out
}

fn list<'a>(method: &'a str, path: &'a str, more: &[(&'a str, &'a str)]) -> Vec<u8> {
    let mut fields = vec![(":method", method), (":scheme", "https"), (":authority", "a"), (":path", path)];
    fields.extend_from_slice(more);
    block(&fields)
}

fn request(stream: u32, method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 5, stream, &list(method, path, more))
}

fn begun(stream: u32, method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    frame(1, 4, stream, &list(method, path, more))
}

/// Name and bytes after preface, SETTINGS and its acknowledgement.
fn script() -> Vec<(&'static str, Vec<u8>)> {
    let mut script: Vec<(&'static str, Vec<u8>)> = Vec::new();
    let hello = [PREFACE, &settings(&[]), &frame(4, 1, 0, b"")].concat();
    let mut raw = |name: &'static str, bytes: Vec<u8>| script.push((name, bytes));
    raw("nothing", Vec::new());
    raw("preface only", PREFACE.to_vec());
    raw("http/1", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec());
    raw("garbage", b"\0\x01\x02\x03".repeat(10));
    raw("bad preface", [b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec(), settings(&[])].concat());
    raw("short", b"foo\r\n\r\n".to_vec());
    raw("no settings", [PREFACE.to_vec(), request(1, "GET", "/x", &[])].concat());
    raw("ping first", [PREFACE.to_vec(), frame(6, 0, 0, b"12345678")].concat());
    let setting = |values: &[(u16, u32)], rest: Vec<u8>| {
        [PREFACE.to_vec(), settings(values), frame(4, 1, 0, b""), rest].concat()
    };
    let twice = [request(1, "GET", "/x", &[]), request(3, "GET", "/x", &[])].concat();
    raw("no table", setting(&[(1, 0)], twice.clone()));
    raw("large table", setting(&[(1, 100_000)], twice.clone()));
    raw("small window", setting(&[(4, 5)], request(1, "GET", "/", &[])));
    let opened = [request(1, "GET", "/", &[]), frame(8, 0, 1, &7u32.to_be_bytes())].concat();
    raw("no window, then a little", setting(&[(4, 0)], opened));
    let mut add = |name: &'static str, bytes: &[u8]| script.push((name, [&hello, bytes].concat()));
    add("twice", &twice);
    for (name, method, path, more) in [
        ("get /", "GET", "/", &[][..]),
        ("get 404", "GET", "/x", &[]),
        ("head", "HEAD", "/", &[]),
        ("head 404", "HEAD", "/x", &[]),
        ("options", "OPTIONS", "/", &[]),
        ("options *", "OPTIONS", "*", &[]),
        ("trace", "TRACE", "/", &[]),
        ("delete", "DELETE", "/", &[]),
        ("unknown method", "AAAA", "/", &[]),
        ("lower case method", "get", "/x", &[]),
        ("traversal", "GET", "/../../etc/passwd", &[]),
        ("bad escape", "GET", "/%zz", &[]),
        ("range", "GET", "/", &[("range", "bytes=0-9")]),
        ("any tag", "GET", "/", &[("if-none-match", "*")]),
        ("both hosts", "GET", "/x", &[("host", "b")]),
        ("upper case", "GET", "/x", &[("Foo", "b")]),
        ("blank in name", "GET", "/x", &[("a b", "b")]),
        ("line feed", "GET", "/x", &[("a", "b\nc")]),
        ("nul", "GET", "/x", &[("a", "b\0c")]),
        ("connection", "GET", "/x", &[("connection", "keep-alive")]),
        ("te", "GET", "/x", &[("te", "gzip")]),
        ("transfer-encoding", "GET", "/x", &[("transfer-encoding", "chunked")]),
        ("empty path", "GET", "", &[]),
        ("no slash", "GET", "x", &[]),
        ("late pseudo", "GET", "/x", &[("a", "b"), (":foo", "c")]),
        ("repeated", "GET", "/x", &[(":path", "/x")]),
    ] {
        add(name, &request(1, method, path, more));
    }
    let long = format!("/{}", "a".repeat(9000));
    add("long path", &request(1, "GET", &long, &[]));
    add("long field", &request(1, "GET", "/x", &[("x", &long)]));
    let names: Vec<String> = (0..120).map(|n| format!("x-{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (&name[..], "1")).collect();
    add("many fields", &request(1, "GET", "/x", &many));
    for (name, fields) in [
        ("no authority", &[(":method", "GET"), (":scheme", "https"), (":path", "/x")][..]),
        ("host", &[(":method", "GET"), (":scheme", "https"), (":path", "/x"), ("host", "a")]),
        ("http", &[(":method", "GET"), (":scheme", "http"), (":path", "/x"), (":authority", "a")]),
        (
            "bad authority",
            &[(":method", "GET"), (":scheme", "https"), (":path", "/x"), (":authority", "a b")],
        ),
        ("no scheme", &[(":method", "GET"), (":path", "/x"), (":authority", "a")]),
        ("no method", &[(":scheme", "https"), (":path", "/x"), (":authority", "a")]),
        ("connect", &[(":method", "CONNECT"), (":authority", "a:443")]),
    ] {
        add(name, &frame(1, 5, 1, &block(fields)));
    }
    let post = |more: &[(&str, &str)], rest: Vec<u8>| [begun(1, "POST", "/x", more), rest].concat();
    add("post", &post(&[("content-length", "2")], frame(0, 1, 1, b"ab")));
    add("post short", &post(&[("content-length", "3")], frame(0, 1, 1, b"ab")));
    add("post long", &post(&[("content-length", "1")], frame(0, 1, 1, b"ab")));
    add("post without length", &post(&[], frame(0, 1, 1, b"ab")));
    add("post large", &post(&[("content-length", "2000000")], Vec::new()));
    add("post padded", &post(&[("content-length", "2")], frame(0, 9, 1, b"\x03ab\0\0\0")));
    add("post padded wrongly", &post(&[], frame(0, 9, 1, b"\xffab")));
    let trailers = [frame(0, 0, 1, b"ab"), frame(1, 5, 1, &block(&[("a", "b")]))].concat();
    add("trailers", &post(&[("content-length", "2")], trailers));
    add("headers in a body", &post(&[], begun(1, "GET", "/x", &[])));
    add("reset", &post(&[], frame(3, 0, 1, b"\0\0\0\x08")));
    add("window of a stream, zero", &post(&[], frame(8, 0, 1, &[0; 4])));
    add("window of a stream, too large", &post(&[], frame(8, 0, 1, b"\x7f\xff\xff\xff")));
    let whole = list("GET", "/x", &[]);
    let (first, second) = whole.split_at(20);
    add("continuation", &[frame(1, 1, 1, first), frame(9, 4, 1, second)].concat());
    add("continuation of another", &[frame(1, 1, 1, first), frame(9, 4, 3, second)].concat());
    add("continuation interrupted", &[frame(1, 1, 1, first), frame(6, 0, 0, b"12345678")].concat());
    add("continuation alone", &frame(9, 4, 1, &whole));
    add("headers 0", &frame(1, 5, 0, &whole));
    add("headers even", &frame(1, 5, 2, &whole));
    add("headers lower", &[request(3, "GET", "/x", &[]), request(1, "GET", "/x", &[])].concat());
    add("headers again", &[request(1, "GET", "/x", &[]), request(1, "GET", "/x", &[])].concat());
    add("headers with priority", &frame(1, 0x25, 1, &[b"\0\0\0\0\x0f", &whole[..]].concat()));
    add("headers on itself", &frame(1, 0x25, 1, &[b"\0\0\0\x01\x0f", &whole[..]].concat()));
    add("headers with half a priority", &frame(1, 0x25, 1, b"\0\0"));
    add("headers padded", &frame(1, 0xd, 1, &[b"\x05", &whole[..], &[0; 5]].concat()));
    add("headers padded wrongly", &frame(1, 0xd, 1, b"\xff\0\0\0\0\0"));
    add("data after the end", &[request(1, "GET", "/x", &[]), frame(0, 0, 1, b"abc")].concat());
    for (name, kind, flags, stream, payload) in [
        ("ping", 6, 0, 0, &b"12345678"[..]),
        ("ping ack", 6, 1, 0, b"12345678"),
        ("ping size", 6, 0, 0, b"1234567"),
        ("ping on a stream", 6, 0, 1, b"12345678"),
        ("data 0", 0, 0, 0, b"abc"),
        ("data idle", 0, 0, 1, b"abc"),
        ("data even", 0, 0, 2, b"abc"),
        ("settings on a stream", 4, 0, 1, b""),
        ("settings size", 4, 0, 0, b"12345"),
        ("settings ack size", 4, 1, 0, b"123456"),
        ("settings push", 4, 0, 0, b"\0\x02\0\0\0\x02"),
        ("settings window", 4, 0, 0, b"\0\x04\x80\0\0\0"),
        ("settings small frame", 4, 0, 0, b"\0\x05\0\0\0\x64"),
        ("settings large frame", 4, 0, 0, b"\0\x05\x01\0\0\0"),
        ("settings unknown", 4, 0, 0, b"\0\x99\0\0\0\x01"),
        ("unknown frame", 0x77, 0xff, 0, b"abc"),
        ("push", 5, 4, 1, b"\0\0\0\x02"),
        ("goaway", 7, 0, 0, &[0; 8]),
        ("goaway size", 7, 0, 0, &[0; 4]),
        ("goaway on a stream", 7, 0, 1, &[0; 8]),
        ("reset idle", 3, 0, 1, b"\0\0\0\x08"),
        ("reset 0", 3, 0, 0, b"\0\0\0\x08"),
        ("reset size", 3, 0, 1, b"\0\0\0"),
        ("priority", 2, 0, 1, b"\0\0\0\0\x0f"),
        ("priority 0", 2, 0, 0, b"\0\0\0\0\x0f"),
        ("priority size", 2, 0, 1, b"\0\0\0\0"),
        ("priority on itself", 2, 0, 1, b"\0\0\0\x01\x0f"),
        ("window", 8, 0, 0, b"\0\0\x03\xe8"),
        ("window zero", 8, 0, 0, &[0; 4]),
        ("window idle", 8, 0, 1, b"\0\0\0\x0a"),
        ("window size", 8, 0, 0, b"\0\0\x01"),
        ("window too large", 8, 0, 0, b"\x7f\xff\xff\xff"),
        ("index 0", 1, 5, 1, b"\x80"),
        ("index 100", 1, 5, 1, b"\xe4"),
        ("large integer", 1, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
        ("half a field", 1, 5, 1, b"\x82\x84\x40\x0a"),
        ("large table of ours", 1, 5, 1, b"\x3f\xe1\xff\x03\x82"),
        ("bad huffman", 1, 5, 1, b"\x82\x00\x84\xff\xff\xff\xff\x01a"),
    ] {
        add(name, &frame(kind, flags, stream, payload));
    }
    add("late change of the table", &frame(1, 5, 1, &[&whole[..], b"\x20"].concat()));
    add("large ping", &[&b"\0\x50\0\x06\0\0\0\0\0"[..], &[b'a'; 0x5000]].concat());
    add("large unknown", &[&b"\0\x50\0\x77\0\0\0\0\0"[..], &[b'a'; 0x5000]].concat());
    add("goaway, then a request", &[frame(7, 0, 0, &[0; 8]), request(1, "GET", "/x", &[])].concat());
    script
}

fn compare(decoy: SocketAddr, reference: SocketAddr, skip: &[&str]) -> Vec<String> {
    let patience = Duration::from_millis(700);
    let script: Vec<_> = script().into_iter().filter(|(name, _)| !skip.contains(name)).collect();
    // Waiting for what does not come takes most of the time, so several wait at once.
    let next = std::sync::atomic::AtomicUsize::new(0);
    let differences = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((name, bytes)) =
                    script.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    let ours = ask(decoy, bytes, patience);
                    let mut real = ask(reference, bytes, patience);
                    // Apache's streams are threads: which of two comes first is theirs to decide.
                    for _ in 0..5 {
                        if real != ours {
                            real = ask(reference, bytes, patience);
                        }
                    }
                    if real != ours {
                        let text = format!(
                            "--- {name}\nreal (closed: {}):\n  {}\nours (closed: {}):\n  {}\n",
                            real.1,
                            real.0.join("\n  "),
                            ours.1,
                            ours.0.join("\n  "),
                        );
                        differences.lock().unwrap().push(text);
                    }
                }
            });
        }
    });
    differences.into_inner().unwrap()
}

fn assert_equal(differences: &[String]) {
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.concat());
}

#[test]
fn nginx_answers_as_the_real_one() {
    let Some(reference) = nginx() else { return skip("nginx") };
    let values = [("fake_app", "nginx_default"), ("http2", "yes")];
    let decoy = decoy(OsFamily::Linux, ("nginx", &reference.version, ""), &values);
    assert_equal(&compare(decoy.tls, reference.tls, &[]));
}

#[test]
fn apache_answers_as_the_real_one() {
    let Some(reference) = apache() else { return skip("apache2") };
    let values = [("fake_app", "apache_default"), ("custom_body", PAGE), ("http2", "yes")];
    let decoy = decoy(OsFamily::Linux, ("apache", &reference.version, "Debian"), &values);
    assert_equal(&compare(decoy.tls, reference.tls, &[]));
}

#[test]
fn lighttpd_answers_as_the_real_one() {
    let Some(reference) = lighttpd() else { return skip("lighttpd") };
    let values = [("fake_app", "nginx_default"), ("custom_body", PAGE)];
    let decoy = decoy(OsFamily::Linux, ("lighttpd", &reference.version, ""), &values);
    assert_equal(&compare(decoy.tls, reference.tls, &[]));
}

/// Who offers what to whom: the answer in ALPN, or none.
#[test]
fn products_offer_what_they_have() {
    let any: &[&str] = &["h2", "http/1.1"];
    for (family, product, values, offered, expected) in [
        (OsFamily::Linux, ("nginx", "1.22.1", ""), &[][..], any, Some("http/1.1")),
        (OsFamily::Linux, ("nginx", "1.22.1", ""), &[("http2", "yes")], any, Some("h2")),
        (OsFamily::Linux, ("nginx", "1.22.1", ""), &[("fake_app", "gitlab")], any, Some("h2")),
        (OsFamily::Linux, ("nginx", "1.14.2", ""), &[], any, None),
        (OsFamily::Linux, ("apache", "2.4.62", "Debian"), &[], any, Some("http/1.1")),
        (OsFamily::Linux, ("apache", "2.4.62", "Debian"), &[], &["h2"], None),
        (OsFamily::Linux, ("apache", "2.4.62", "Debian"), &[("http2", "yes")], &["h2"], Some("h2")),
        (OsFamily::Linux, ("apache", "2.4.10", "Debian"), &[("http2", "yes")], any, Some("http/1.1")),
        (OsFamily::Linux, ("lighttpd", "1.4.69", ""), &[], any, Some("h2")),
        (OsFamily::Linux, ("lighttpd", "1.4.69", ""), &[("http2", "no")], any, Some("http/1.1")),
        (OsFamily::Linux, ("lighttpd", "1.4.53", ""), &[("http2", "yes")], any, Some("http/1.1")),
        (OsFamily::Linux, ("lighttpd", "1.4.45", ""), &[], any, None),
        (OsFamily::Windows, ("iis", "10.0", ""), &[], any, Some("h2")),
        (OsFamily::Windows, ("iis", "8.5", ""), &[], any, None),
        (OsFamily::Embedded, ("mini_httpd", "1.19", ""), &[], any, None),
        (OsFamily::Embedded, ("goahead", "2.5.0", ""), &[("http2", "yes")], any, None),
    ] {
        let decoy = decoy(family, product, values);
        let (_, chosen) = connect(decoy.tls, offered);
        assert_eq!(chosen.as_deref(), expected, "{product:?} {values:?} to {offered:?}");
    }
}

/// One session, many requests, each told with its list as it was sent.
#[test]
fn requests_are_reported_with_their_fields_and_the_client_with_its_fingerprint() {
    let values = [("http2", "yes"), ("fake_app", "wordpress")];
    let decoy = decoy(OsFamily::Linux, ("nginx", "1.22.1", ""), &values);
    let login = "log=admin&pwd=hunter2&wp-submit=Log+In";
    let length = login.len().to_string();
    let form = [("content-type", "application/x-www-form-urlencoded"), ("content-length", &length)];
    let bytes = [
        PREFACE.to_vec(),
        settings(&[(3, 100), (4, 10_485_760), (2, 0)]),
        frame(8, 0, 0, &1_048_510_465u32.to_be_bytes()),
        begun(1, "POST", "/wp-login.php", &form),
        request(3, "GET", "/x?a=b", &[("user-agent", "tester/1.0"), ("cookie", "a=b")]),
        frame(0, 0, 1, &login.as_bytes()[..10]),
        frame(0, 1, 1, &login.as_bytes()[10..]),
    ];
    let (frames, _) = ask(decoy.tls, &bytes.concat(), Duration::from_secs(6));
    // The login thinks for a moment; the other stream does not wait for it.
    let place = |start: &str| frames.iter().position(|line| line.starts_with(start)).unwrap();
    assert!(place("HEADERS 4 3 :status: 404") < place("HEADERS 4 1 :status: 200"), "{frames:#?}");
    // A program wants the body: the window of its stream is opened as nginx opens it.
    assert!(frames.iter().any(|line| line.starts_with("WindowUpdate 0 1")), "{frames:#?}");
    let request = decoy.wait(
        "the request",
        |report| matches!(&report.body, Body::Request { target, .. } if target == "/x?a=b"),
    );
    let Body::Request { method, version, headers, status, .. } = &request.body else { unreachable!() };
    assert_eq!((method.as_str(), version.as_deref(), status.as_str()), ("GET", Some("HTTP/2.0"), "404"));
    let expected = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "a"),
        (":path", "/x?a=b"),
        ("user-agent", "tester/1.0"),
        ("cookie", "a=b"),
    ];
    assert_eq!(headers, &expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let login = decoy.wait("the login", |report| matches!(&report.body, Body::AuthAttempt { .. }));
    let posted = decoy.wait(
        "the body",
        |report| matches!(&report.body, Body::Request { method, body_len: Some(38), .. } if method == "POST"),
    );
    let fingerprint = decoy.wait(
        "the fingerprint",
        |report| matches!(&report.body, Body::ClientFingerprint { kind, .. } if kind == "http2"),
    );
    let Body::ClientFingerprint { value, .. } = &fingerprint.body else { unreachable!() };
    assert_eq!(value, "3:100;4:10485760;2:0|1048510465|0|m,s,a,p");
    let sessions = [&request, &login, &posted, &fingerprint].map(|report| report.session);
    assert!(sessions.iter().all(|session| *session == sessions[0]));
    assert!(request.tls);
}

/// Clients as they are: curl and nghttp understand every product.
#[test]
fn real_clients_are_served() {
    for (tool, arguments) in [("curl", &["--version"][..]), ("nghttp", &["--version"])] {
        if Command::new(tool).args(arguments).stdout(Stdio::null()).status().is_err() {
            skip(tool);
            continue;
        }
        for (family, product) in [
            (OsFamily::Linux, ("nginx", "1.22.1", "")),
            (OsFamily::Linux, ("apache", "2.4.62", "Debian")),
            (OsFamily::Linux, ("lighttpd", "1.4.69", "")),
            (OsFamily::Windows, ("iis", "10.0", "")),
        ] {
            let decoy = decoy(family, product, &[("http2", "yes")]);
            let url = format!("https://{}/", decoy.tls);
            let output = if tool == "curl" {
                // All of the page, through windows that curl manages itself.
                Command::new("curl")
                    .args(["-sk", "--http2", "-w", "%{http_version} %{http_code}\n", "-o", "/dev/null", &url])
                    .args(["-o", "/dev/null", &url])
                    .output()
            } else {
                Command::new("nghttp").args(["-ny", "-s", "-m", "3", "-w", "8", &url]).output()
            };
            let output = output.unwrap();
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            let expected =
                if tool == "curl" { text.matches("2 200\n").count() } else { text.matches(" 200 ").count() };
            assert_eq!(expected, if tool == "curl" { 2 } else { 3 }, "{tool} and {product:?}: {text}");
        }
    }
}

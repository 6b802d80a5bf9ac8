//! Integrated Windows authentication over HTTP: by hand, and by curl, which has an NTLM of its own.
//!
//! A missing tool is a skip that says so, and a failure under `DECNET_TEST_REQUIRE=all`.
#![allow(clippy::disallowed_methods, reason = "clients are processes of their own")]
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]
#![allow(clippy::print_stderr, reason = "a skip must be seen")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use decnet_core::identity::OsFamily;
use decnet_core::service::Port;
use decnet_logging::event::{Body, Credential, Outcome};
use decnet_logging::sink::MemorySink;
use decnet_services::host::Host;
use decnet_services::testing::{decky, identity, serve_on_loopback};

/// The opening of nmap's `http-ntlm-info`.
const NMAP: &str = "TlRMTVNTUAABAAAAB4IIoAAAAAAAAAAAAAAAAAAAAAA=";
/// The same inside SPNEGO, NTLM the only mechanism.
const WRAPPED: &str =
    "YEAGBisGAQUFAqA2MDSgDjAMBgorBgEEAYI3AgIKoiIEIE5UTE1TU1AAAQAAAAeCCKAAAAAAAAAAAAAAAAAAAAAA";

struct Decoy {
    address: SocketAddr,
    sink: Arc<MemorySink>,
}

fn decoy(seed: u64, values: &[(&str, &str)]) -> Decoy {
    let mut windows = identity(OsFamily::Windows, seed, &[("http", "iis", "10.0", "")]);
    windows.names.joined = true;
    // By the true clock: clients that sign their answer look at the challenge's.
    let host = Host::new(decky(windows, seed, &[("http", values)])).unwrap();
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
    Decoy { address: addresses[&Port::tcp(80)], sink }
}

impl Decoy {
    /// Waits for that many logins.
    fn logins(&self, count: usize) -> Vec<(Credential, Outcome)> {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let logins: Vec<_> = self
                .sink
                .reports()
                .into_iter()
                .filter_map(|report| match report.body {
                    Body::AuthAttempt { credential, outcome } => Some((credential, outcome)),
                    _ => None,
                })
                .collect();
            if logins.len() >= count {
                assert_eq!(logins.len(), count, "{logins:#?}");
                return logins;
            }
            assert!(Instant::now() < until, "{:#?}", self.sink.reports());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn fingerprints(&self, kind: &str) -> Vec<String> {
        self.sink
            .reports()
            .into_iter()
            .filter_map(|report| match report.body {
                Body::ClientFingerprint { kind: own, value } if own == kind => Some(value),
                _ => None,
            })
            .collect()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// A connection that is kept.
struct Client(BufReader<TcpStream>);

struct Answer {
    status: u16,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The token after a scheme.
    fn token(&self, scheme: &str) -> Vec<u8> {
        let [value] = self.all("WWW-Authenticate")[..] else { panic!("{:?}", self.fields) };
        STANDARD.decode(value.strip_prefix(scheme).unwrap().trim()).unwrap()
    }
}

impl Client {
    fn new(decoy: &Decoy) -> Client {
        let stream = TcpStream::connect(decoy.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Client(BufReader::new(stream))
    }

    fn get(&mut self, path: &str, authorization: Option<&str>) -> Answer {
        let field = authorization.map(|value| format!("Authorization: {value}\r\n")).unwrap_or_default();
        let request = format!("GET {path} HTTP/1.1\r\nHost: mail.test\r\n{field}\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut fields = Vec::new();
        loop {
            line.clear();
            self.0.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            fields.push((name.to_owned(), value.to_owned()));
        }
        let length = fields.iter().find(|(name, _)| name == "Content-Length").unwrap().1.parse().unwrap();
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        Answer { status, fields, body }
    }
}

/// Whether the tool is there; where it is not, the test says so or fails.
fn tool(name: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
    if found.status.success() {
        return true;
    }
    assert!(
        !std::env::var("DECNET_TEST_REQUIRE").is_ok_and(|value| value == "all"),
        "{name} is missing: install it with apt"
    );
    eprintln!("skipped: {name} is missing");
    false
}

/// Where Debian's gss-ntlmssp says that it is there: an NTLM for GSS-API, which signs its answers.
const GSS_NTLM: &str = "/etc/gss/mech.d/mech.ntlmssp.conf";

/// Runs curl; gives status and what came.
fn curl(arguments: &[&str]) -> (String, String) {
    let mut all = vec!["--silent", "--show-error", "--max-time", "20", "-w", "\n%{http_code}"];
    all.extend(arguments);
    let said = Command::new("curl").args(all).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[test]
fn a_site_asks_and_challenges_as_iis_does() {
    let decoy = decoy(1, &[("windows_auth", "yes")]);
    let mut client = Client::new(&decoy);
    let asked = client.get("/", None);
    assert_eq!((asked.status, asked.all("WWW-Authenticate")), (401, vec!["Negotiate", "NTLM"]));
    assert_eq!(asked.all("Server"), ["Microsoft-IIS/10.0"]);
    assert_eq!(asked.all("X-Powered-By"), ["ASP.NET"]);
    assert_eq!(asked.body.len(), 1293);
    // Http.sys itself goes on.
    let challenged = client.get("/", Some(&format!("NTLM {NMAP}")));
    assert_eq!((challenged.status, challenged.all("Server")), (401, vec!["Microsoft-HTTPAPI/2.0"]));
    assert_eq!((challenged.body.len(), challenged.all("Connection").len()), (341, 0));
    let message = challenged.token("NTLM");
    assert_eq!(message[20..24], 0xa289_8205u32.to_le_bytes());
    assert_eq!(message[48..52], [10, 0, 0x63, 0x45]);
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for name in ["CORP", "SRV-TEST-01", "SRV-TEST-01.corp.northwind-labs.net", "corp.northwind-labs.net"] {
        let name = wide(name);
        assert!(message.windows(name.len()).any(|part| part == name));
    }
    // No challenge comes twice.
    let again = client.get("/", Some(&format!("NTLM {NMAP}"))).token("NTLM");
    assert_ne!(message[24..32], again[24..32]);
    // Bare and wrapped inside Negotiate.
    let bare = client.get("/", Some(&format!("Negotiate {NMAP}"))).token("Negotiate");
    assert!(bare.starts_with(b"NTLMSSP\0\x02"));
    let wrapped = client.get("/", Some(&format!("Negotiate {WRAPPED}"))).token("Negotiate");
    assert!(wrapped.starts_with(b"\xa1\x82") && wrapped.windows(9).any(|part| part == b"NTLMSSP\0\x02"));
    assert_eq!(decoy.fingerprints("spnego_mechanisms"), ["1.3.6.1.4.1.311.2.2.10"]);
    // What is no message, or the wrong one, begins anew.
    for wrong in ["NTLM", "NTLM AAAA", "NTLM TlRMTVNTUAADAAAA", "Negotiate YIIBIgYJKoZI", "Basic dTpw"] {
        let answer = client.get("/", Some(wrong));
        assert_eq!(answer.all("WWW-Authenticate"), ["Negotiate", "NTLM"], "{wrong}");
    }
}

#[test]
fn a_bare_http_sys_asks_for_itself() {
    let values = [("windows_auth", "yes"), ("server_header", "Microsoft-HTTPAPI/2.0")];
    let decoy = decoy(5, &values);
    let mut client = Client::new(&decoy);
    let asked = client.get("/", None);
    assert_eq!((asked.status, asked.all("WWW-Authenticate")), (401, vec!["Negotiate", "NTLM"]));
    assert_eq!((asked.all("Server"), asked.body.len()), (vec!["Microsoft-HTTPAPI/2.0"], 341));
    assert!(client.get("/", Some(&format!("NTLM {NMAP}"))).token("NTLM").starts_with(b"NTLMSSP\0\x02"));
}

#[test]
fn exchange_asks_where_its_clients_are_asked() {
    let decoy = decoy(2, &[("fake_app", "owa")]);
    let mut client = Client::new(&decoy);
    for (path, schemes) in [
        ("/ews/exchange.asmx", vec!["Negotiate", "NTLM"]),
        ("/rpc/rpcproxy.dll", vec!["Negotiate", "NTLM"]),
        ("/Autodiscover/Autodiscover.xml", vec!["Negotiate", "NTLM", "Basic realm=\"mail.test\""]),
    ] {
        let asked = client.get(path, None);
        assert_eq!((asked.status, asked.body.len()), (401, 0), "{path}");
        assert_eq!(asked.all("WWW-Authenticate"), schemes, "{path}");
        assert_eq!(asked.all("X-FEServer"), ["SRV-TEST-02"]);
        assert_eq!(asked.all("X-Powered-By"), ["ASP.NET"]);
        let message = client.get(path, Some(&format!("NTLM {NMAP}"))).token("NTLM");
        assert!(message.starts_with(b"NTLMSSP\0\x02"), "{path}");
    }
    // Elsewhere there is nothing to say to it.
    let front = client.get("/owa/auth/logon.aspx", Some(&format!("NTLM {NMAP}")));
    assert_eq!((front.status, front.all("WWW-Authenticate").len()), (200, 0));
    assert_eq!(client.get("/ews/healthcheck.htm", None).status, 200);
}

#[test]
fn curl_is_recorded_refused_and_let_in() {
    if !tool("curl") {
        return;
    }
    let values =
        [("fake_app", "owa"), ("users", "j.doe:Corr3ct horse,svc:x"), ("app_version", "15.2.1544.14")];
    let decoy = decoy(3, &values);
    let url = decoy.url("/autodiscover/autodiscover.xml");
    let (status, _) = curl(&["--ntlm", "-u", "CORP\\j.doe:Summer2026!", &url]);
    assert_eq!(status, "401");
    let (status, body) = curl(&["--ntlm", "-u", "CORP\\J.Doe:Corr3ct horse", &url]);
    assert_eq!(status, "200");
    assert!(body.contains("<ErrorCode>600</ErrorCode>"), "{body}");
    // Nobody else's connection is open for it.
    assert_eq!(curl(&[&url]).0, "401");
    // Who is in stays in, on this connection: two transfers, one login.
    let said = curl(&["--ntlm", "-u", "svc:x", &url, &url]).1;
    assert_eq!(said.matches("<ErrorCode>600").count(), 2, "{said}");
    let (status, _) = curl(&["--ntlm", "-u", ":", &url]);
    assert_eq!(status, "401");
    let logins = decoy.logins(4);
    let outcomes: Vec<_> =
        logins.iter().map(|(credential, outcome)| (credential.username.as_str(), *outcome)).collect();
    assert_eq!(
        outcomes[..3],
        [("j.doe", Outcome::Failed), ("J.Doe", Outcome::Accepted), ("svc", Outcome::Accepted)]
    );
    let (wrong, _) = &logins[0];
    assert_eq!((wrong.method.as_str(), wrong.domain.as_deref()), ("ntlmv2", Some("CORP")));
    assert_eq!(wrong.hash_format.as_deref(), Some("hashcat-5600"));
    let line = wrong.hash.as_deref().unwrap();
    let parts: Vec<&str> = line.split(':').collect();
    let [user, "", domain, challenge, proof, blob] = parts[..] else { panic!("{line}") };
    assert_eq!((user, domain, challenge.len(), proof.len()), ("j.doe", "CORP", 16, 32));
    assert!(blob.starts_with("0101000000000000"));
    assert_eq!(proof_of("Summer2026!", user, domain, challenge, blob), proof);
    assert_ne!(proof_of("Summer2025!", user, domain, challenge, blob), proof);
    assert_eq!(decoy.fingerprints("ntlm_version").len(), 4);
}

#[test]
fn a_client_that_negotiates_and_signs_is_let_in_by_the_right_password_only() {
    if !tool("curl") || !(std::path::Path::new(GSS_NTLM).exists() || tool("gss-ntlmssp")) {
        return;
    }
    let decoy = decoy(4, &[("windows_auth", "yes"), ("users", "j.doe:Summer2026!")]);
    let file = std::env::temp_dir().join(format!("http-ntlm-{}", std::process::id()));
    for (password, status) in [("Summer2026!", "200"), ("Summer2027!", "401")] {
        std::fs::write(&file, format!("CORP:j.doe:{password}\n")).unwrap();
        let said = Command::new("curl")
            .args(["--silent", "--max-time", "20", "-D", "-", "-o", "/dev/null", "--negotiate", "-u", ":"])
            .arg(decoy.url("/"))
            .env("NTLM_USER_FILE", &file)
            .output()
            .unwrap();
        let heads = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(heads.matches("HTTP/1.1 ").count(), 2, "{heads}");
        assert!(heads.contains("WWW-Authenticate: Negotiate oYI"), "{heads}");
        let last = heads.rsplit("HTTP/1.1 ").next().unwrap();
        assert!(last.starts_with(status), "{heads}");
        assert_eq!(last.contains("WWW-Authenticate: Negotiate oQcwBaADCgEA\r\n"), status == "200", "{heads}");
    }
    std::fs::remove_file(&file).unwrap();
    let logins = decoy.logins(2);
    assert_eq!((logins[0].1, logins[1].1), (Outcome::Accepted, Outcome::Failed));
    assert_eq!(logins[1].0.hash_format.as_deref(), Some("hashcat-5600"));
    assert!(decoy.fingerprints("ntlm_version").iter().all(|value| value.starts_with("6.2.0 ")));
}

/// NTProofStr, written down a second time from MS-NLMP section 3.3.2.
fn proof_of(password: &str, user: &str, domain: &str, challenge: &str, blob: &str) -> String {
    use hmac::{Hmac, Mac};
    use md4::{Digest, Md4};
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let unhex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
    };
    let keyed = |key: &[u8], text: &[u8]| {
        let mut mac = <Hmac<md5::Md5> as Mac>::new_from_slice(key).unwrap();
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    };
    let key = keyed(&Md4::digest(wide(password)), &wide(&(user.to_uppercase() + domain)));
    let proof = keyed(&key, &unhex(&(challenge.to_owned() + blob)));
    proof.iter().map(|byte| format!("{byte:02x}")).collect()
}

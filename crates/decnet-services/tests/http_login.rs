//! What is behind the logins of the web applications, as a client with a cookie jar sees it: configured
//! accounts get in, nobody else does, guessing locks where the product locks, and what is left stays.
#![allow(clippy::unwrap_used, reason = "a broken set-up should stop the test where it is")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use decnet_core::identity::OsFamily;
use decnet_core::service::Port;
use decnet_logging::event::{Body, Outcome, Report};
use decnet_logging::sink::MemorySink;
use decnet_services::files::{Folder, Loose, pack};
use decnet_services::testing::{decky, host_with_files, identity, serve_on_loopback};

const USERS: (&str, &str) = ("users", "anna:s3cret,ben:other");

struct Site {
    address: SocketAddr,
    sink: Arc<MemorySink>,
    jar: BTreeMap<String, String>,
}

fn site_with(
    family: OsFamily,
    seed: u64,
    product: &str,
    values: &[(&str, &str)],
    row: Option<(&str, &str)>,
    files: &[Loose],
) -> Site {
    let mut identity = identity(family, seed, &[("http", product, "2.4.62", "Debian")]);
    if let Some((row, name)) = row {
        identity.os.row = row.to_owned();
        identity.os.name = name.to_owned();
    }
    let mut handed = BTreeMap::new();
    if !files.is_empty() {
        let folder = Folder::open(Arc::new(pack(files).unwrap())).unwrap();
        handed.insert(("http".to_owned(), "files".to_owned()), folder);
    }
    let host = host_with_files(decky(identity, seed, &[("http", values)]), handed);
    let (ready, made) = std::sync::mpsc::channel();
    // The decoy lives on a thread of its own until the test's process ends.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            ready.send(serve_on_loopback(&host, "http")).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (addresses, sink) = made.recv().unwrap();
    Site { address: addresses[&Port::tcp(80)], sink, jar: BTreeMap::new() }
}

fn site(family: OsFamily, product: &str, app: &str) -> Site {
    site_with(family, 1, product, &[("fake_app", app), USERS], None, &[])
}

impl Site {
    fn send(&mut self, method: &str, target: &str, fields: &str, body: &[u8]) -> String {
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies =
            if cookies.is_empty() { String::new() } else { format!("Cookie: {}\r\n", cookies.join("; ")) };
        let mut request = format!(
            "{method} {target} HTTP/1.1\r\nHost: www.test\r\n{cookies}{fields}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        for line in answer.lines().take_while(|line| !line.is_empty()) {
            if let Some((name, value)) =
                line.strip_prefix("Set-Cookie: ").and_then(|cookie| cookie.split_once('='))
            {
                self.jar.insert(name.to_owned(), value.split(';').next().unwrap().to_owned());
            }
        }
        answer
    }

    fn get(&mut self, target: &str) -> String {
        self.send("GET", target, "", b"")
    }

    fn post(&mut self, target: &str, form: &str) -> String {
        self.send("POST", target, "Content-Type: application/x-www-form-urlencoded\r\n", form.as_bytes())
    }

    fn upload(&mut self, target: &str, fields: &[(&str, &str)], file: (&str, &str, &[u8])) -> String {
        let mut body = Vec::new();
        for (name, value) in fields {
            body.extend_from_slice(
                format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .as_bytes(),
            );
        }
        body.extend_from_slice(
            format!(
                "--B\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\r\n",
                file.0, file.1
            )
            .as_bytes(),
        );
        body.extend_from_slice(file.2);
        body.extend_from_slice(b"\r\n--B--\r\n");
        self.send("POST", target, "Content-Type: multipart/form-data; boundary=B\r\n", &body)
    }

    fn reports(&self) -> Vec<Report> {
        // The report of a request follows its answer.
        std::thread::sleep(Duration::from_millis(100));
        self.sink.reports()
    }

    fn outcomes(&self) -> Vec<(String, Outcome)> {
        let reports = self.reports().into_iter();
        reports
            .filter_map(|report| match report.body {
                Body::AuthAttempt { credential, outcome } => Some((credential.username, outcome)),
                _ => None,
            })
            .collect()
    }

    fn commands(&self) -> Vec<String> {
        let reports = self.reports().into_iter();
        reports
            .filter_map(|report| match report.body {
                Body::Command { line, .. } => Some(line),
                _ => None,
            })
            .collect()
    }
}

fn basic(user: &str, password: &str) -> String {
    use base64::Engine as _;
    format!(
        "Authorization: Basic {}\r\n",
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
    )
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1.split(after).next().unwrap()
}

/// A zip archive that holds the central entry of one empty file.
fn archive(name: &str) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(30, 0);
    let entry = bytes.len();
    bytes.extend_from_slice(b"PK\x01\x02");
    bytes.resize(entry + 28, 0);
    bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
    bytes.resize(entry + 46, 0);
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

/// Address of the form, its fields with `{password}`, what only somebody who is in sees, and where.
const FORMS: &[(OsFamily, &str, &str, &str, &str, &str, &str)] = &[
    (
        OsFamily::Linux,
        "apache",
        "wordpress",
        "/wp-login.php",
        "log=anna&pwd={password}",
        "/wp-admin/",
        "Howdy, <span class=\"display-name\">anna",
    ),
    (
        OsFamily::Linux,
        "apache",
        "phpmyadmin",
        "/phpmyadmin/index.php",
        "pma_username=anna&pma_password={password}",
        "/phpmyadmin/",
        "information_schema",
    ),
    (
        OsFamily::Linux,
        "nginx",
        "gitlab",
        "/users/sign_in",
        "user[login]=anna&user[password]={password}",
        "/api/v4/user",
        "\"username\":\"anna\"",
    ),
    (
        OsFamily::Linux,
        "apache",
        "jenkins",
        "/j_spring_security_check",
        "j_username=anna&j_password={password}",
        "/script",
        "Groovy script",
    ),
    (
        OsFamily::Windows,
        "iis",
        "owa",
        "/owa/auth.owa",
        "username=CORP%5Canna&password={password}",
        "/owa/",
        "<h2>Inbox</h2>",
    ),
    (
        OsFamily::Embedded,
        "debut",
        "printer",
        "/general/status.html",
        "password={password}",
        "/net/net/ldap.html",
        "LDAP Server Address",
    ),
    (
        OsFamily::Embedded,
        "lighttpd",
        "router",
        "/cgi-bin/luci/",
        "luci_username=anna&luci_password={password}",
        "/cgi-bin/luci/admin/system/admin",
        "Confirmation",
    ),
];

#[test]
fn only_the_right_password_opens_an_application() {
    for (family, product, app, address, form, inside, mark) in FORMS {
        let mut site = site(*family, product, app);
        for password in ["wrong", "", "S3CRET", "other"] {
            // The password of another account opens what asks for no name.
            if *app == "printer" && password == "other" {
                continue;
            }
            site.post(address, &form.replace("{password}", password));
            assert!(!site.get(inside).contains(mark), "{app}: {password}");
        }
        let answer = site.post(address, &form.replace("{password}", "s3cret"));
        assert!(answer.starts_with("HTTP/1.1 30"), "{app}: {answer}");
        assert!(site.get(inside).contains(mark), "{app}: {}", site.get(inside));
        // A jar that is made up opens nothing.
        let mut jar = site.jar.clone();
        jar.values_mut().for_each(|value| *value = value.chars().rev().collect());
        let kept = std::mem::replace(&mut site.jar, jar);
        assert!(!site.get(inside).contains(mark), "{app}");
        site.jar = kept;
        let outcomes = site.outcomes();
        assert_eq!(outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Accepted).count(), 1, "{app}");
        assert!(outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Failed).count() >= 2, "{app}");
        let started = site.reports().iter().any(
            |report| matches!(&report.body, Body::SessionStarted { username, .. } if username == "anna"),
        );
        assert!(started, "{app}");
    }
}

#[test]
fn nobody_gets_in_where_nobody_is_configured() {
    for (family, product, app, address, form, inside, mark) in FORMS {
        let mut site = site_with(*family, 2, product, &[("fake_app", app)], None, &[]);
        for password in ["s3cret", "admin", ""] {
            site.post(address, &form.replace("{password}", password));
        }
        assert!(!site.get(inside).contains(mark), "{app}");
        assert!(site.outcomes().iter().all(|(_, outcome)| *outcome == Outcome::Failed), "{app}");
    }
}

#[test]
fn an_archive_is_deployed_called_and_taken_away() {
    let mut site = site(OsFamily::Linux, "apache", "tomcat");
    let login = basic("anna", "s3cret");
    let list = site.send("GET", "/manager/html", &login, b"");
    assert!(list.contains("Tomcat Web Application Manager") && !list.contains("/shell"), "{list}");
    let nonce = between(&list, "CSRF_NONCE=", "\"").to_owned();
    let war = archive("cmd.jsp");
    let head = format!("{login}Content-Type: multipart/form-data; boundary=B\r\n");
    let mut body =
        b"--B\r\nContent-Disposition: form-data; name=\"deployWar\"; filename=\"shell.war\"\r\n\r\n".to_vec();
    body.extend_from_slice(&war);
    body.extend_from_slice(b"\r\n--B--\r\n");
    let address = "/manager/html/upload?org.apache.catalina.filters.CSRF_NONCE=";
    let forged = site.send("POST", &format!("{address}0"), &head, &body);
    assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
    let deployed = site.send("POST", &format!("{address}{nonce}"), &head, &body);
    assert!(deployed.contains("OK - Deployed application at context path [/shell]"), "{deployed}");
    assert!(site.get("/shell/cmd.jsp?cmd=id").starts_with("HTTP/1.1 200"));
    assert!(site.get("/shell/other.jsp").starts_with("HTTP/1.1 404"));
    assert_eq!(site.commands(), ["cmd=id"]);
    let uploads: Vec<u64> = site
        .reports()
        .iter()
        .filter_map(|report| match &report.body {
            Body::FileUpload { name, size, .. } if name == "shell.war" => Some(*size),
            _ => None,
        })
        .collect();
    assert_eq!(uploads, [war.len() as u64, war.len() as u64]);
    let text = site.send("GET", "/manager/text/list", &login, b"");
    assert!(text.contains("/shell:running:0:shell\n"), "{text}");
    let gone = site.send("GET", "/manager/text/undeploy?path=/shell", &login, b"");
    assert!(gone.contains("OK - Undeployed application at context path [/shell]"), "{gone}");
    assert!(site.get("/shell/cmd.jsp").starts_with("HTTP/1.1 404"));
}

#[test]
fn tomcat_locks_after_five_failures_and_tells_nobody() {
    let mut site = site(OsFamily::Linux, "apache", "tomcat");
    for _ in 0..5 {
        assert!(site.send("GET", "/manager/html", &basic("anna", "x"), b"").starts_with("HTTP/1.1 401"));
    }
    assert!(site.send("GET", "/manager/html", &basic("anna", "s3cret"), b"").starts_with("HTTP/1.1 401"));
    assert!(site.send("GET", "/manager/html", &basic("ben", "other"), b"").starts_with("HTTP/1.1 200"));
    // Each credential is told of once.
    assert_eq!(site.outcomes().len(), 7);
}

#[test]
fn a_plugin_is_installed_and_stays() {
    let mut site = site(OsFamily::Linux, "apache", "wordpress");
    assert!(site.get("/wp-admin/users.php").contains("Location: http://www.test/wp-login.php?redirect_to="));
    site.post("/wp-login.php", "log=anna&pwd=s3cret");
    let form = site.get("/wp-admin/plugin-install.php");
    let nonce = between(&form, "name=\"_wpnonce\" value=\"", "\"").to_owned();
    let target = "/wp-admin/update.php?action=upload-plugin";
    let forged = site.upload(target, &[("_wpnonce", "0")], ("pluginzip", "x.zip", &archive("x/x.php")));
    assert!(forged.contains("expired"), "{forged}");
    let done = site.upload(target, &[("_wpnonce", &nonce)], ("pluginzip", "x.zip", &archive("x/x.php")));
    assert!(done.contains("Plugin installed successfully."), "{done}");
    site.jar.clear();
    assert!(site.get("/wp-content/plugins/x/x.php?c=id").starts_with("HTTP/1.1 200"));
    assert_eq!(site.commands(), ["c=id"]);
    assert!(site.get("/wp-json/wp/v2/users").contains("\"slug\":\"anna\""));
    let icon = site.get("/favicon.ico");
    let place = between(&icon, "Location: http://www.test", "\r").to_owned();
    assert!(site.get(&place).starts_with("HTTP/1.1 200"), "{place}");
}

#[test]
fn password_guessers_of_wordpress_see_which_one_was_right() {
    let mut site = site(OsFamily::Linux, "apache", "wordpress");
    let call = |password: &str| {
        format!(
            "<methodCall><methodName>wp.getUsersBlogs</methodName><params><param><value><string>anna</string></value></param><param><value><string>{password}</string></value></param></params></methodCall>"
        )
    };
    assert!(
        site.send("POST", "/xmlrpc.php", "", call("x").as_bytes())
            .contains("Incorrect username or password.")
    );
    assert!(site.send("POST", "/xmlrpc.php", "", call("s3cret").as_bytes()).contains("isAdmin"));
}

#[test]
fn a_script_is_recorded_and_starts_nothing() {
    let mut site = site(OsFamily::Linux, "apache", "jenkins");
    let script = "script=println+%22id%22.execute().text";
    let login = basic("anna", "s3cret");
    let head = format!("{login}Content-Type: application/x-www-form-urlencoded\r\n");
    let answer = site.send("POST", "/scriptText", &head, script.as_bytes());
    assert!(answer.contains("Cannot run program \"id\""), "{answer}");
    assert_eq!(site.commands(), ["println \"id\".execute().text"]);
    site.post("/j_spring_security_check", "j_username=anna&j_password=s3cret");
    let forged = site.post("/scriptText", script);
    assert!(forged.contains("No valid crumb was included in the request"), "{forged}");
}

#[test]
fn a_token_of_gitlab_opens_its_interface() {
    let mut site = site(OsFamily::Linux, "nginx", "gitlab");
    let answer = site.post("/oauth/token", "grant_type=password&username=anna&password=s3cret");
    let token = between(&answer, "\"access_token\":\"", "\"").to_owned();
    let projects = site.send("GET", "/api/v4/projects", &format!("Private-Token: {token}\r\n"), b"");
    assert!(projects.contains("path_with_namespace"), "{projects}");
    let user = site.send("GET", "/api/v4/user", "Private-Token: 0\r\n", b"");
    assert!(user.contains("401 Unauthorized"), "{user}");
    // The eleventh guess is not judged any more, and looks like the others.
    for _ in 0..10 {
        assert!(
            site.post("/users/sign_in", "user[login]=ben&user[password]=x")
                .contains("Invalid login or password.")
        );
    }
    assert!(
        site.post("/users/sign_in", "user[login]=ben&user[password]=other")
            .contains("Invalid login or password.")
    );
}

#[test]
fn a_router_records_what_is_put_behind_an_address() {
    let mut site = site(OsFamily::Embedded, "lighttpd", "router");
    site.post("/cgi-bin/luci/", "luci_username=anna&luci_password=s3cret");
    let answer = site.get("/cgi-bin/luci/admin/network/diag_ping/127.0.0.1%3bid");
    assert!(answer.contains("bad address '127.0.0.1;id'"), "{answer}");
    assert_eq!(site.commands(), ["127.0.0.1;id"]);
    assert!(site.reports().iter().any(|report| matches!(report.body, Body::ExploitAttempt { .. })));
    site.post("/cgi-bin/luci/admin/network/dhcp", "server=198.51.100.66");
    assert!(site.get("/cgi-bin/luci/admin/network/dhcp").contains("value=\"198.51.100.66\""));
}

#[test]
fn a_nas_shows_its_own_login_and_a_small_computer_no_router() {
    let row = Some(("synology-dsm", "Synology DSM 7.2.1"));
    let mut nas = site_with(OsFamily::Linux, 3, "nginx", &[USERS], row, &[]);
    let page = nas.get("/");
    assert!(page.contains("Synology&nbsp;NAS") && !page.contains("Welcome to nginx"), "{page}");
    let login = |password: &str| {
        format!("/webapi/entry.cgi?api=SYNO.API.Auth&version=7&method=login&account=anna&passwd={password}")
    };
    assert!(nas.get(&login("x")).contains("\"code\":400"));
    assert!(nas.get(&login("s3cret")).contains("\"success\":true"));
    for _ in 0..10 {
        nas.get(&login("x"));
    }
    assert!(nas.get(&login("s3cret")).contains("\"code\":407"));
    let row = Some(("edge-hub", "Raspbian GNU/Linux 11 (bullseye)"));
    let mut hub = site_with(OsFamily::Embedded, 4, "lighttpd", &[], row, &[]);
    let page = hub.get("/");
    assert!(page.contains("Placeholder page") && !page.contains("LuCI"), "{page}");
}

#[test]
fn basic_authentication_lets_configured_accounts_through() {
    let mut site = site_with(OsFamily::Linux, 5, "apache", &[("basic_realm", "Intern"), USERS], None, &[]);
    assert!(site.get("/").starts_with("HTTP/1.1 401"));
    assert!(site.send("GET", "/", &basic("anna", "x"), b"").starts_with("HTTP/1.1 401"));
    assert!(site.send("GET", "/", &basic("anna", "s3cret"), b"").starts_with("HTTP/1.1 200"));
    let expected = [("anna".to_owned(), Outcome::Failed), ("anna".to_owned(), Outcome::Accepted)];
    assert_eq!(site.outcomes(), expected);
}

#[test]
fn files_are_served_as_the_product_serves_files() {
    let loose = |path: &str, text: &str| Loose {
        path: path.to_owned(),
        modified: 1_700_000_000_500_000,
        bytes: text.as_bytes().to_vec(),
    };
    let files = [
        loose("docs/salaries.csv", "name;salary"),
        loose("docs/.htaccess", "x"),
        loose("app.js", "1"),
        loose("odd.kdbx", "vault"),
    ];
    let mut apache = site_with(OsFamily::Linux, 6, "apache", &[], None, &files);
    let csv = apache.get("/docs/salaries.csv");
    assert!(
        csv.contains("Content-Type: text/csv") && csv.contains("ETag: \"b-") && csv.ends_with("name;salary"),
        "{csv}"
    );
    let part = apache.send("GET", "/docs/salaries.csv", "Range: bytes=0-3\r\n", b"");
    assert!(part.starts_with("HTTP/1.1 206") && part.ends_with("name"), "{part}");
    assert!(!apache.get("/odd.kdbx").contains("Content-Type"));
    assert!(apache.get("/docs").contains("Location: http://www.test/docs/"));
    let list = apache.get("/docs/");
    assert!(
        list.contains("Index of /docs") && list.contains("salaries.csv") && !list.contains(".htaccess"),
        "{list}"
    );
    assert!(apache.get("/docs/.htaccess").starts_with("HTTP/1.1 403"));
    assert!(apache.get("/docs/../../etc/passwd").starts_with("HTTP/1.1 400"));
    assert!(apache.get("/").contains("It works"));
    let read: Vec<(Option<String>, Option<String>)> = apache
        .reports()
        .into_iter()
        .filter_map(|report| match report.body {
            Body::FileDownload { name, bait, .. } => Some((name, bait)),
            _ => None,
        })
        .collect();
    assert_eq!(read.len(), 3);
    assert_eq!(read[0], (Some("/docs/salaries.csv".to_owned()), Some("files/docs/salaries.csv".to_owned())));
    let mut nginx = site_with(OsFamily::Linux, 7, "nginx", &[], None, &files);
    assert!(nginx.get("/docs/").starts_with("HTTP/1.1 403"));
    assert!(nginx.get("/app.js").contains("Content-Type: application/javascript"));
    assert!(nginx.get("/odd.kdbx").contains("Content-Type: application/octet-stream"));
    let mut iis = site_with(OsFamily::Windows, 8, "iis", &[], None, &files);
    assert!(iis.get("/odd.kdbx").starts_with("HTTP/1.1 404"));
    assert!(iis.get("/DOCS/Salaries.csv").starts_with("HTTP/1.1 200"));
}

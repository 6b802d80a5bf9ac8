//! Tomcat's manager for somebody with its password: the list of applications, deploying and undeploying,
//! by the page and by the text interface.
//! Texts: `LocalStrings.properties` and the pages of `org.apache.catalina.manager`, Tomcat 9 and 10.

use decnet_logging::event::{Body, Direction, Outcome};

use super::tomcat::{RELEASES, own};
use super::{Answer, HEX, Visit, archive, fill};
use crate::http::access::Verdict;
use crate::http::products::escape;
use crate::httpd::Response;

const LIST: &str = include_str!("../pages/tomcat_manager.html");
const ROW: &str = include_str!("../pages/tomcat_manager_row.html");
/// `session-timeout` of Tomcat's `web.xml`, seconds.
const IDLE: i64 = 1800;
/// Name, display name and whether it came with the manager.
const SHIPPED: &[(&str, &str, bool)] = &[
    ("/", "", false),
    ("/host-manager", "Tomcat Host Manager Application", true),
    ("/manager", "Tomcat Manager Application", true),
];
/// Where deployed applications are remembered: the context path follows, the value is what is in them.
const DEPLOYED: &str = "webapp:";

pub(super) fn answer(visit: &Visit<'_>, path: &str, root: &str, realm: &str) -> Answer {
    let cookie = visit.request.cookie("JSESSIONID").filter(|token| token.len() == 32);
    let user = match visit.basic() {
        Some(Verdict::In(user)) => user,
        _ => return unauthorized(visit, realm),
    };
    // The interface for scripts keeps no session.
    let script = path.starts_with("/manager/text/");
    let mut fresh = None;
    let token = match cookie.filter(|token| visit.user_of(token, IDLE).as_deref() == Some(&user)) {
        Some(token) => token,
        None => {
            let token = visit.host.entropy.text(&HEX.to_ascii_uppercase(), 32);
            visit.open(&token, &user, "manager-gui");
            fresh = (!script).then(|| format!("JSESSIONID={token}; Path={root}; HttpOnly"));
            token
        }
    };
    let mut response = match (root, path.strip_prefix(root).unwrap_or_default()) {
        ("/host-manager", "/html" | "/html/" | "/html/list") => {
            let body = fill(include_str!("../pages/tomcat_hosts.html"), &[("version", &visit.version(RELEASES))]);
            Response::new(200, "text/html;charset=utf-8", body)
        }
        ("/manager", "/html" | "/html/" | "/html/list") => page(visit, &token, "OK"),
        ("/manager", "/status" | "/status/all") => status(visit),
        ("/manager", route) if route.starts_with("/html/") => html(visit, route, &token),
        ("/manager", route) if route.starts_with("/text/") => text(visit, route.trim_start_matches("/text")),
        _ => own(
            visit,
            404,
            &format!("The requested resource [{path}] is not available"),
            "The origin server did not find a current representation for the target resource or is not willing to disclose that one exists.",
        ),
    }
    .with("Cache-Control", "private")
    .with("X-Frame-Options", "DENY")
    .with("X-Content-Type-Options", "nosniff")
    .after(visit.working());
    if let Some(cookie) = fresh {
        response = response.with("Set-Cookie", cookie);
    }
    Answer::Page(response)
}

fn unauthorized(visit: &Visit<'_>, realm: &str) -> Answer {
    let tried = visit.request.field("authorization").is_some();
    let body = fill(include_str!("../pages/tomcat_unauthorized.html"), &[]);
    Answer::Page(
        Response::new(401, "text/html;charset=UTF-8", body)
            .with("Cache-Control", "private")
            .with("WWW-Authenticate", format!("Basic realm=\"{realm}\""))
            .after(if tried { visit.thinking() } else { visit.working() }),
    )
}

/// What the manager's page does: each needs a value from the page that was shown last.
fn html(visit: &Visit<'_>, route: &str, token: &str) -> Response {
    let nonce = visit.request.query_value("org.apache.catalina.filters.CSRF_NONCE").unwrap_or_default();
    if !visit.access.sessions.has_nonce(token, &nonce) {
        let body = fill(include_str!("../pages/tomcat_forbidden.html"), &[]);
        return Response::new(403, "text/html;charset=UTF-8", body);
    }
    let path = visit.request.query_value("path").unwrap_or_default();
    let message = match (visit.request.method.as_str(), route) {
        ("POST", "/html/upload") => {
            let form = visit.form();
            match form.files().find(|part| part.name == b"deployWar") {
                None => "FAIL - File upload failed, no file".to_owned(),
                Some(part) => {
                    let name = part.file_name.clone().unwrap_or_default();
                    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
                    match file.strip_suffix(".war").filter(|base| !base.is_empty()) {
                        None => format!("FAIL - File uploaded [{file}] must be a .war"),
                        Some(base) => {
                            let context = if base == "ROOT" { "/".to_owned() } else { format!("/{base}") };
                            deploy(
                                visit,
                                &context,
                                &part.value,
                                false,
                                &format!("FAIL - War file [{file}] already exists on server"),
                            )
                        }
                    }
                }
            }
        }
        ("POST", "/html/deploy") => {
            let form = visit.form();
            let war = form.text("deployWar").unwrap_or_default();
            remote(visit, &war)
        }
        ("POST", "/html/undeploy") => undeploy(visit, &path),
        ("POST", "/html/start" | "/html/stop" | "/html/reload") => {
            let verb = route.trim_start_matches("/html/");
            control(visit, verb, &path)
        }
        ("POST", "/html/expire") => {
            format!("OK - Session information for application at context path [{path}]")
        }
        _ => format!("FAIL - Unknown command [{route}]"),
    };
    page(visit, token, &message)
}

/// The interface for scripts.
fn text(visit: &Visit<'_>, route: &str) -> Response {
    let path = visit.request.query_value("path").unwrap_or_default();
    let body = match route {
        "/list" => {
            let mut out = "OK - Listed applications for virtual host [localhost]\n".to_owned();
            for (context, state, sessions) in applications(visit) {
                let base = if context == "/" { "ROOT" } else { context.trim_start_matches('/') };
                out.push_str(&format!("{context}:{state}:{sessions}:{base}\n"));
            }
            out
        }
        "/deploy" if visit.request.method == "PUT" => {
            let update = visit.request.query_value("update").as_deref() == Some("true");
            let taken = format!("FAIL - Application already exists at path [{path}]");
            if path.starts_with('/') {
                format!("{}\n", deploy(visit, &path, &visit.request.body, update, &taken))
            } else {
                format!("FAIL - Invalid context path [{path}] was specified\n")
            }
        }
        "/deploy" => format!("{}\n", remote(visit, &visit.request.query_value("war").unwrap_or_default())),
        "/undeploy" => format!("{}\n", undeploy(visit, &path)),
        "/start" | "/stop" | "/reload" => format!("{}\n", control(visit, route.trim_start_matches('/'), &path)),
        "/serverinfo" => {
            let os = &visit.identity().os;
            let name = if os.name.starts_with("Windows") { os.name.as_str() } else { "Linux" };
            let arch = if os.architecture == "x86_64" { "amd64" } else { os.architecture.as_str() };
            format!(
                "OK - Server info\nTomcat Version: [Apache Tomcat/{}]\nOS Name: [{name}]\nOS Version: [{}]\nOS Architecture: [{arch}]\nJVM Version: [{}]\nJVM Vendor: [{}]\n",
                visit.version(RELEASES),
                os.kernel,
                java(visit),
                if name == "Linux" { "Debian" } else { "Eclipse Adoptium" },
            )
        }
        "/sessions" | "/expire" => format!("OK - Session information for application at context path [{path}]\n"),
        "/resources" => "OK - Listed global resources of all types\nUserDatabase:org.apache.catalina.users.MemoryUserDatabase\n".to_owned(),
        "/vminfo" | "/threaddump" | "/sslConnectorCiphers" => "OK\n".to_owned(),
        other => format!("FAIL - Unknown command [{other}]\n"),
    };
    Response::new(200, "text/plain;charset=utf-8", body)
}

fn java(visit: &Visit<'_>) -> String {
    let releases = ["11.0.20+8", "11.0.23+9", "17.0.9+9-Debian-1deb12u1", "17.0.12+7-Debian-2deb12u1"];
    visit
        .identity()
        .draw(&["http", "java"])
        .pick(&releases)
        .map_or_else(String::new, |text| (*text).to_owned())
}

/// Context path, state and number of sessions of every application.
fn applications(visit: &Visit<'_>) -> Vec<(String, String, usize)> {
    let shipped = SHIPPED.iter().map(|(context, _, manager)| {
        let state = visit.setting(&format!("webapp-state:{context}"), "running");
        ((*context).to_owned(), state, usize::from(*manager && *context == "/manager"))
    });
    let mut all: Vec<(String, String, usize)> = shipped.collect();
    for (context, _) in visit.access.changes.under(DEPLOYED) {
        let state = visit.setting(&format!("webapp-state:{context}"), "running");
        all.push((context, state, 0));
    }
    all.sort();
    all.dedup_by(|one, other| one.0 == other.0);
    all
}

fn deploy(visit: &Visit<'_>, context: &str, war: &[u8], update: bool, taken: &str) -> String {
    let exists = applications(visit).iter().any(|(known, ..)| known == context);
    if exists && !update {
        return taken.to_owned();
    }
    let names = archive::names(war);
    if names.is_empty() {
        visit.change(&format!("{DEPLOYED}{context}"), "");
        visit.access.changes.set(&format!("webapp-state:{context}"), "stopped");
        return format!(
            "FAIL - Deployed application at context path [{context}] but context failed to start"
        );
    }
    visit.change(&format!("{DEPLOYED}{context}"), &names.join("\n"));
    visit.access.changes.remove(&format!("webapp-state:{context}"));
    format!("OK - Deployed application at context path [{context}]")
}

/// An archive on the server itself. An address is taken for a path, and nothing is there.
fn remote(visit: &Visit<'_>, war: &str) -> String {
    if war.is_empty() {
        return "FAIL - Invalid parameters supplied for command [/deploy]".to_owned();
    }
    if war.contains("://") {
        visit.session.emit(Body::FileDownload {
            name: None,
            url: Some(war.to_owned()),
            direction: Direction::Requested,
            size: None,
            bait: None,
        });
    }
    let base = "/var/lib/tomcat/webapps";
    let file = war.rsplit('/').next().unwrap_or_default();
    let path = war.replace("//", "/");
    format!(
        "FAIL - Unable to copy [{base}/{path}] to [{base}/{file}], details of the error may be in the server logs"
    )
}

fn undeploy(visit: &Visit<'_>, context: &str) -> String {
    let known = visit.access.changes.get(&format!("{DEPLOYED}{context}")).is_some();
    if known {
        visit.take_away(&format!("{DEPLOYED}{context}"));
        return format!("OK - Undeployed application at context path [{context}]");
    }
    match SHIPPED.iter().find(|(shipped, ..)| *shipped == context) {
        Some((_, _, true)) if context == "/manager" => {
            "FAIL - The manager cannot reload, stop, or undeploy itself".to_owned()
        }
        // What the package installed belongs to another user than the server runs as.
        Some(_) => format!(
            "FAIL - Unable to delete [/usr/share/tomcat-admin{context}]. The continued presence of this file may cause problems."
        ),
        None => format!("FAIL - No context exists named [{}]", escape(context).replace('/', "&#47;")),
    }
}

fn control(visit: &Visit<'_>, verb: &str, context: &str) -> String {
    if !applications(visit).iter().any(|(known, ..)| known == context) {
        return format!("FAIL - No context exists named [{}]", escape(context).replace('/', "&#47;"));
    }
    if context == "/manager" && verb != "start" {
        return "FAIL - The manager cannot reload, stop, or undeploy itself".to_owned();
    }
    let (state, done) = match verb {
        "stop" => ("stopped", "Stopped"),
        "reload" => ("running", "Reloaded"),
        _ => ("running", "Started"),
    };
    visit.change(&format!("webapp-state:{context}"), state);
    format!("OK - {done} application at context path [{context}]")
}

fn page(visit: &Visit<'_>, token: &str, message: &str) -> Response {
    let nonce = visit.host.entropy.text(&HEX.to_ascii_uppercase(), 32);
    visit.access.sessions.add_nonce(token, &nonce);
    let mut rows = String::new();
    for (at, (context, state, sessions)) in applications(visit).into_iter().enumerate() {
        let display =
            SHIPPED.iter().find(|(shipped, ..)| *shipped == context).map_or("", |(_, name, _)| name);
        let running = state == "running";
        rows.push_str(&fill(
            ROW,
            &[
                ("colour", if at % 2 == 0 { "#FFFFFF" } else { "#C3F3C3" }),
                ("context", &context),
                ("display", display),
                ("running", if running { "true" } else { "false" }),
                ("sessions", &sessions.to_string()),
                ("nonce", &nonce),
            ],
        ));
    }
    let os = &visit.identity().os;
    let body = fill(
        LIST,
        &[
            ("message", message),
            ("rows", &rows),
            ("nonce", &nonce),
            ("version", &visit.version(RELEASES)),
            ("java", &java(visit)),
            ("vendor", "Debian"),
            ("os", if os.name.starts_with("Windows") { os.name.as_str() } else { "Linux" }),
            ("release", &os.kernel),
            ("arch", if os.architecture == "x86_64" { "amd64" } else { os.architecture.as_str() }),
            ("host", &visit.identity().names.hostname.to_ascii_lowercase()),
            ("address", &visit.host.decky.address.to_string()),
        ],
    );
    Response::new(200, "text/html;charset=utf-8", body)
}

fn status(visit: &Visit<'_>) -> Response {
    let draw = visit.host.entropy.between(60, 180);
    let body = format!(
        "<html>\n<head><title>/manager</title></head>\n<body bgcolor=\"#FFFFFF\">\n<h1>Server Status</h1>\n<h1>JVM</h1><p> Free memory: {}.{:02} MiB Total memory: 256.00 MiB Max memory: 1024.00 MiB</p>\n<h1>\"http-nio-8080\"</h1><p> Max threads: 200 Current thread count: 10 Current threads busy: 1 Keep alive sockets count: 1</p>\n</body>\n</html>\n",
        draw,
        draw % 97
    );
    Response::new(200, "text/html;charset=utf-8", body)
}

/// A request for an application that an intruder deployed. Its pages run and print nothing; what they are
/// told is recorded.
pub(super) fn deployed(visit: &Visit<'_>, path: &str) -> Option<Answer> {
    let contexts = visit.access.changes.under(DEPLOYED);
    let (context, names) = contexts
        .into_iter()
        .filter(|(context, _)| {
            let context = context.trim_end_matches('/');
            path.strip_prefix(context).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|(context, _)| context.len())?;
    if visit.setting(&format!("webapp-state:{context}"), "running") != "running" {
        return None;
    }
    let rest = path.strip_prefix(context.trim_end_matches('/')).unwrap_or_default();
    if rest.is_empty() {
        return Some(Answer::Page(Response::bare(302).with("Location", format!("{context}/"))));
    }
    let inside = rest.trim_start_matches('/');
    let mut held = names.lines();
    let found = if inside.is_empty() {
        held.any(|name| matches!(name, "index.jsp" | "index.html" | "index.htm"))
    } else {
        !inside.starts_with("WEB-INF") && held.any(|name| name == inside)
    };
    if !found {
        return None;
    }
    let line = match visit.request.method.as_str() {
        "POST" => String::from_utf8_lossy(&visit.request.body).into_owned(),
        _ => visit.request.query.clone(),
    };
    visit.command(path, &line, Outcome::Accepted);
    Some(Answer::Page(Response::new(200, "text/html;charset=ISO-8859-1", "\n").after(visit.working())))
}

//! Jenkins LTS behind the host's web server: nothing is shown before a login.

use super::jenkins_inside as inside;
use super::{ALPHANUMERIC, Answer, HEX, Visit, fill};
use crate::http::access::Verdict;
use crate::httpd::Response;

pub(super) const RELEASES: &[&str] = &["2.401.3", "2.414.3", "2.426.3", "2.440.3", "2.462.3", "2.479.2"];
const LOGIN: &str = include_str!("../pages/jenkins.html");

pub(super) fn marked(visit: &Visit<'_>, response: Response) -> Response {
    let version = visit.version(RELEASES);
    let instance = visit.stable("jenkins session", HEX, 8);
    response
        .with("X-Content-Type-Options", "nosniff")
        .with("X-Hudson", "1.395")
        .with("X-Jenkins", version)
        .with("X-Jenkins-Session", instance)
}

fn with_session(visit: &Visit<'_>, response: Response) -> Response {
    if visit.request.field("cookie").is_some_and(|cookies| cookies.contains("JSESSIONID.")) {
        return response;
    }
    let (name, value) = (inside::cookie_name(visit), new_session(visit));
    response
        .with("Set-Cookie", format!("{name}={value}; Path=/; HttpOnly"))
        .with("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

/// A session's id as Jetty makes it.
fn new_session(visit: &Visit<'_>) -> String {
    format!("node0{}.node0", visit.host.entropy.text(&ALPHANUMERIC.to_ascii_lowercase()[26..], 26))
}

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let path = visit.path();
    if judges(path) {
        match visit.basic() {
            Some(Verdict::In(user)) => {
                let token = new_session(visit);
                visit.open(&token, &user, "administrator");
                return inside::answer(visit, &user, &token, false);
            }
            Some(_) => {
                let body = "<html><head><title>Error 401 Unauthorized</title></head>\n<body><h2>HTTP ERROR 401 Unauthorized</h2>\n</body>\n</html>\n";
                let response = Response::new(401, "text/html;charset=iso-8859-1", body)
                    .with("WWW-Authenticate", "Basic realm=\"Jenkins\"")
                    .after(visit.thinking());
                return Answer::Page(marked(visit, response));
            }
            None => {}
        }
    }
    if let Some((user, token)) = inside::visitor(visit) {
        return inside::answer(visit, &user, &token, true);
    }
    match path {
        "/login" | "/loginError" => {
            let failed = path == "/loginError";
            let notice = if failed {
                "<div class=\"app-sign-in-register__error\">Invalid username or password</div>"
            } else {
                ""
            };
            let from = visit.request.query_value("from").unwrap_or_else(|| "/".to_owned());
            let body = fill(
                LOGIN,
                &[
                    ("version", &visit.version(RELEASES)),
                    ("notice", notice),
                    ("from", &from),
                    ("crumb", &visit.host.entropy.text(HEX, 64)),
                ],
            );
            let response = Response::new(if failed { 401 } else { 200 }, "text/html;charset=utf-8", body)
                .with("Cache-Control", "no-cache,no-store,must-revalidate")
                .with("X-Frame-Options", "sameorigin")
                .after(visit.working());
            Answer::Page(marked(visit, with_session(visit, response)))
        }
        "/j_spring_security_check" | "/j_acegi_security_check" => {
            let form = visit.form();
            let name = form.bytes("j_username").unwrap_or_default();
            if let Verdict::In(user) = visit.log_in(name, form.bytes("j_password").unwrap_or_default()) {
                let token = new_session(visit);
                visit.open(&token, &user, "administrator");
                let from = form.text("from").filter(|from| from.starts_with('/') && !from.starts_with("//"));
                let response = Response::bare(302)
                    .with("Set-Cookie", format!("{}={token}; Path=/; HttpOnly", inside::cookie_name(visit)))
                    .with("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
                    .with("Location", format!("{}{}", visit.origin(), from.as_deref().unwrap_or("/")))
                    .after(visit.thinking());
                return Answer::Page(marked(visit, response));
            }
            let response = Response::bare(302)
                .with("Location", format!("{}/loginError", visit.origin()))
                .after(visit.thinking());
            Answer::Page(marked(visit, with_session(visit, response)))
        }
        "/robots.txt" => Answer::Page(Response::new(
            200,
            "text/plain",
            "# we don't want robots to click \"build\" links\nUser-agent: *\nDisallow: /\n",
        )),
        "/tcpSlaveAgentListener/" => Answer::Page(marked(
            visit,
            Response::new(404, "text/html;charset=utf-8", "<html><body>Not found</body></html>"),
        )),
        _ => {
            // Every address asks for a login, also those that are not there.
            let encoded: String = visit
                .request
                .target
                .bytes()
                .map(|byte| {
                    if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
                        char::from(byte).to_string()
                    } else {
                        format!("%{byte:02X}")
                    }
                })
                .collect();
            let body = format!(
                "<html><head><meta http-equiv='refresh' content='1;url=/login?from={encoded}'/><script id='redirect' data-redirect-url='/login?from={encoded}' src='/static/{}/scripts/redirect.js'></script></head><body style='background-color:white; color:white;'>\nAuthentication required\n<!--\n-->\n\n</body></html>{}",
                visit.stable("jenkins static", HEX, 8),
                " ".repeat(64)
            );
            let response = Response::new(403, "text/html;charset=utf-8", body).after(visit.working());
            Answer::Page(marked(visit, with_session(visit, response)))
        }
    }
}

/// Whether HTTP Basic is judged at that path: everywhere but where the login itself is.
pub(super) fn judges(path: &str) -> bool {
    !["/login", "/loginError", "/j_spring_security_check", "/robots.txt"].contains(&path)
}

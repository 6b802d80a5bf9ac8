//! Jenkins LTS behind the host's web server: nothing is shown before a login.

use super::{ALPHANUMERIC, Answer, HEX, Visit, fill};
use crate::httpd::Response;

const RELEASES: &[&str] = &["2.401.3", "2.414.3", "2.426.3", "2.440.3", "2.462.3", "2.479.2"];
const LOGIN: &str = include_str!("../pages/jenkins.html");

fn marked(visit: &Visit<'_>, response: Response) -> Response {
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
    let name = visit.stable("jenkins cookie", HEX, 8);
    let value = visit.host.entropy.text(&ALPHANUMERIC.to_ascii_lowercase()[26..], 26);
    response
        .with("Set-Cookie", format!("JSESSIONID.{name}=node0{value}.node0; Path=/; HttpOnly"))
        .with("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")
}

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let path = visit.path();
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
            let _ = visit.log_in(name, form.bytes("j_password").unwrap_or_default());
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

/// Whether HTTP Basic is judged at that path.
pub(super) fn judges(_: &str) -> bool {
    false
}

//! Apache Tomcat 9 and 10 behind the host's web server.

use super::tomcat_manager as manager;
use super::{Answer, Visit, fill};
use crate::http::products::escape;
use crate::httpd::Response;

pub(super) const RELEASES: &[&str] = &["9.0.70", "9.0.83", "9.0.95", "10.1.18", "10.1.30"];
const HOME: &str = include_str!("../pages/tomcat.html");

pub(super) fn own(visit: &Visit<'_>, status: u16, text: &str, description: &str) -> Response {
    let reason = crate::httpd::response::reason(status);
    let message =
        if text.is_empty() { String::new() } else { format!("<p><b>Message</b> {}</p>", escape(text)) };
    let body = format!(
        "<!doctype html><html lang=\"en\"><head><title>HTTP Status {status} – {reason}</title><style type=\"text/css\">body {{font-family:Tahoma,Arial,sans-serif;}} h1, h2, h3, b {{color:white;background-color:#525D76;}} h1 {{font-size:22px;}} h2 {{font-size:16px;}} h3 {{font-size:14px;}} p {{font-size:12px;}} a {{color:black;}} .line {{height:1px;background-color:#525D76;border:none;}}</style></head><body><h1>HTTP Status {status} – {reason}</h1><hr class=\"line\" /><p><b>Type</b> Status Report</p>{message}<p><b>Description</b> {description}</p><hr class=\"line\" /><h3>Apache Tomcat/{}</h3></body></html>",
        escape(&visit.version(RELEASES))
    );
    Response::new(status, "text/html;charset=utf-8", body)
        .with("Content-Language", "en")
        .after(visit.working())
}

/// The context and the realm of a path that asks for a name and a password.
pub(super) fn realm(path: &str) -> Option<(&'static str, &'static str)> {
    [("/manager", "Tomcat Manager Application"), ("/host-manager", "Tomcat Host Manager Application")]
        .into_iter()
        .find(|(root, _)| {
            path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ';']))
        })
        // The context's own root sends on before it asks.
        .filter(|(root, _)| path.trim_end_matches('/') != *root)
}

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let path = visit.path();
    // A session's id may stand in the path.
    let path = path.split(';').next().unwrap_or_default();
    if let Some((root, realm)) = realm(path) {
        return manager::answer(visit, path, root, realm);
    }
    if let Some(answer) = manager::deployed(visit, path) {
        return answer;
    }
    match path {
        "/manager" | "/host-manager" => Answer::Page(Response::bare(302).with("Location", format!("{path}/"))),
        "/manager/" | "/host-manager/" => Answer::Page(
            Response::new(302, "text/html", Vec::new())
                .with("X-Frame-Options", "DENY")
                .with("X-Content-Type-Options", "nosniff")
                .with("Location", format!("{path}html"))
                .after(visit.working()),
        ),
        "/" | "/index.jsp" => {
            let body = fill(HOME, &[("version", &visit.version(RELEASES))]);
            Answer::Page(Response::new(200, "text/html;charset=UTF-8", body).after(visit.working()))
        }
        "/tomcat.css" => visit.file("tomcat.css", "text/css", "body{margin:10px 20px;text-align:center;font-family:Arial,sans-serif}#wrapper{max-width:1000px;margin:0 auto;text-align:left}\n"),
        "/docs/" | "/examples/" => Answer::Page(own(visit, 403, "", "The server understood the request but refuses to authorize it.")),
        _ => Answer::Page(own(
            visit,
            404,
            &format!("The requested resource [{path}] is not available"),
            "The origin server did not find a current representation for the target resource or is not willing to disclose that one exists.",
        )),
    }
}

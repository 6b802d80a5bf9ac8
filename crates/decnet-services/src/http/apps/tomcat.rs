//! Apache Tomcat 9 and 10 behind the host's web server.

use super::{Answer, HEX, Visit, fill};
use crate::http::products::escape;
use crate::httpd::Response;

const RELEASES: &[&str] = &["9.0.70", "9.0.83", "9.0.95", "10.1.18", "10.1.30"];
const HOME: &str = include_str!("../pages/tomcat.html");

fn own(visit: &Visit<'_>, status: u16, text: &str, description: &str) -> Response {
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

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let path = visit.path();
    let manager = ["/manager", "/host-manager"]
        .iter()
        .find(|root| path.strip_prefix(*root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    if let Some(root) = manager {
        let realm = if *root == "/manager" {
            "Tomcat Manager Application"
        } else {
            "Tomcat Host Manager Application"
        };
        if path == *root || path == format!("{root}/") {
            return Answer::Page(Response::bare(302).with("Location", format!("{root}/html")));
        }
        let tried = visit.request.field("authorization").is_some();
        let text = "<p>You are not authorized to view this page. If you have not changed any configuration files, please examine the file <tt>conf/tomcat-users.xml</tt> in your installation. That file must contain the credentials to let you use this webapp.</p>";
        let body = format!(
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">\n<html>\n <head>\n  <title>401 Unauthorized</title>\n </head>\n <body>\n   <h1>401 Unauthorized</h1>\n   {text}\n </body>\n</html>\n"
        );
        let nonce = visit.host.entropy.text(&HEX.to_ascii_uppercase(), 32);
        let mut response = Response::new(401, "text/html;charset=ISO-8859-1", body)
            .with("Cache-Control", "private")
            .with("WWW-Authenticate", format!("Basic realm=\"{realm}\""))
            .with("Set-Cookie", format!("JSESSIONID={nonce}; Path={root}; HttpOnly"))
            .after(if tried { visit.thinking() } else { visit.working() });
        if tried {
            response.remove("set-cookie");
        }
        return Answer::Page(response);
    }
    match path {
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

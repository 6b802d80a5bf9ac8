//! Outlook on the web of Exchange 2016 and 2019.

use super::owa_inside as inside;
use super::{Answer, HEX, Visit, fill};
use crate::http::access::Verdict;
use crate::httpd::Response;

/// Builds as `X-OWA-Version` shows them.
const RELEASES: &[&str] =
    &["15.1.2507.35", "15.1.2507.39", "15.2.1118.40", "15.2.1258.28", "15.2.1544.11", "15.2.1544.14"];
const LOGIN: &str = include_str!("../pages/owa.html");

pub(super) fn marked(visit: &Visit<'_>, response: Response) -> Response {
    let raw: String = visit.host.entropy.text(HEX, 32);
    let id = format!("{}-{}-{}-{}-{}", &raw[..8], &raw[8..12], &raw[12..16], &raw[16..20], &raw[20..]);
    let response = response.with("request-id", id);
    response.with("X-FEServer", visit.identity().names.netbios.clone())
}

fn redirect(visit: &Visit<'_>, to: &str) -> Answer {
    let body = format!(
        "<html><head><title>Object moved</title></head><body>\r\n<h2>Object moved to <a href=\"{}\">here</a>.</h2>\r\n</body></html>\r\n",
        crate::http::products::escape(to)
    );
    Answer::Page(marked(
        visit,
        Response::new(302, "text/html; charset=utf-8", body)
            .with("Cache-Control", "private")
            .with("Location", to)
            .after(visit.working()),
    ))
}

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let path = visit.path().to_ascii_lowercase();
    let origin = visit.origin();
    let version = visit.version(RELEASES);
    if let Some((user, token)) = inside::visitor(visit)
        && let Some(answer) = inside::page(visit, &user, &token, &path, &version)
    {
        return answer;
    }
    match path.as_str() {
        "/" => redirect(visit, &format!("{origin}/owa/")),
        "/owa" => Answer::Redirect(301, format!("{origin}/owa/")),
        "/ecp" => Answer::Redirect(301, format!("{origin}/ecp/")),
        "/owa/" => redirect(
            visit,
            &format!(
                "{origin}/owa/auth/logon.aspx?url={}%2fowa%2f&reason=0",
                origin.replace(':', "%3a").replace('/', "%2f")
            ),
        ),
        "/ecp/" | "/ecp/default.aspx" => redirect(
            visit,
            &format!(
                "{origin}/owa/auth/logon.aspx?url={}%2fecp%2f&reason=0",
                origin.replace(':', "%3a").replace('/', "%2f")
            ),
        ),
        "/owa/auth/logon.aspx" => {
            let failed = visit.request.query_value("reason").is_some_and(|reason| reason == "2");
            let notice = if failed {
                "<div id=\"signInErrorDiv\" class=\"signInError\" role=\"alert\" tabIndex=\"0\">The user name or password you entered isn't correct. Try entering it again.</div>"
            } else {
                ""
            };
            let asset = version.rsplit_once('.').map_or(version.as_str(), |(head, _)| head);
            let body = fill(LOGIN, &[("asset", asset), ("origin", &origin), ("notice", notice)]);
            Answer::Page(marked(
                visit,
                Response::new(200, "text/html; charset=utf-8", body)
                    .with("Cache-Control", "no-cache, no-store")
                    .with("Pragma", "no-cache")
                    .with("Expires", "-1")
                    .with("X-OWA-Version", version)
                    .with("X-Frame-Options", "SAMEORIGIN")
                    .after(visit.working()),
            ))
        }
        "/owa/auth.owa" => {
            let form = visit.form();
            let name = form.bytes("username").unwrap_or_default();
            let verdict = visit.log_in_as(
                name,
                &inside::account(visit, name),
                form.bytes("password").unwrap_or_default(),
            );
            if let Verdict::In(user) = verdict {
                let to = form.text("destination").filter(|to| to.starts_with(&format!("{origin}/")));
                let to = to.unwrap_or_else(|| format!("{origin}/owa/"));
                return match redirect(visit, &to) {
                    Answer::Page(response) => {
                        let response = inside::cookies(visit, &user, response.with("X-OWA-Version", version));
                        Answer::Page(response.after(visit.thinking()))
                    }
                    other => other,
                };
            }
            let to = format!(
                "{origin}/owa/auth/logon.aspx?url={}%2fowa%2f&reason=2",
                origin.replace(':', "%3a").replace('/', "%2f")
            );
            match redirect(visit, &to) {
                Answer::Page(response) => {
                    Answer::Page(response.with("X-OWA-Version", version).after(visit.thinking()))
                }
                other => other,
            }
        }
        "/owa/healthcheck.htm" | "/ews/healthcheck.htm" | "/ecp/healthcheck.htm" => {
            let body = format!("200 OK<br/>{}", visit.identity().names.fqdn.to_ascii_uppercase());
            Answer::Page(marked(visit, Response::new(200, "text/html", body)))
        }
        "/favicon.ico" => redirect(visit, &format!("{origin}/owa/favicon.ico")),
        _ if path.starts_with("/autodiscover/autodiscover.json") && visit.request.target.contains('@') => {
            // The builds shown have the fix of ProxyShell.
            Answer::Page(marked(visit, Response::new(400, "text/html", "").after(visit.working())))
        }
        _ if is_guarded(&path) => {
            let tried =
                if judges(&path) { visit.basic_as(|name| inside::account(visit, name)) } else { None };
            if let Some(Verdict::In(_)) = tried {
                // ActiveSync says what it speaks; autodiscovery misses its question.
                let (status, kind) =
                    if path.starts_with("/auto") { (400, "text/html") } else { (200, "text/plain") };
                let server = version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
                return Answer::Page(marked(
                    visit,
                    Response::new(status, kind, "")
                        .with("MS-Server-ActiveSync", server)
                        .with("MS-ASProtocolVersions", "2.0,2.1,2.5,12.0,12.1,14.0,14.1,16.0,16.1")
                        .after(visit.thinking()),
                ));
            }
            let response =
                Response::bare(401).with("WWW-Authenticate", "Negotiate").with("WWW-Authenticate", "NTLM");
            let response = if path.starts_with("/microsoft-server") || path.starts_with("/autodiscover") {
                response.with(
                    "WWW-Authenticate",
                    format!("Basic realm=\"{}\"", visit.request.host.as_deref().unwrap_or_default()),
                )
            } else {
                response
            };
            Answer::Page(marked(visit, response.after(visit.working())))
        }
        _ => Answer::Error(404),
    }
}

/// Paths behind Integrated Windows authentication, in their order of use by clients.
const GUARDED: &[&str] =
    &["/autodiscover", "/ews", "/rpc", "/mapi", "/oab", "/microsoft-server-activesync", "/powershell"];

/// Whether who asks for this path must say who he is: all but what answers before anybody is asked.
pub(in super::super) fn is_guarded(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let below =
        |root: &&str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    GUARDED.iter().any(below)
        && !path.ends_with("/healthcheck.htm")
        && !path.starts_with("/autodiscover/autodiscover.json")
}

/// A step of the handshake: Exchange's own modules answer, without a page.
pub(in super::super) fn challenge(visit: &Visit<'_>) -> Response {
    marked(visit, Response::bare(401))
}

/// What is there for somebody who said who he is.
pub(in super::super) fn admitted(visit: &Visit<'_>) -> Answer {
    let path = visit.path().to_ascii_lowercase();
    let page = |status, kind: &'static str, body: String| {
        Answer::Page(marked(visit, Response::new(status, kind, body).after(visit.working())))
    };
    match path.as_str() {
        // A question without the schema's request in it, and one that nobody's mailbox answers.
        "/autodiscover/autodiscover.xml" => {
            let seconds = visit.host.clock.seconds().rem_euclid(86_400);
            let fraction = visit.host.entropy.between(0, 9_999_999);
            let time = format!(
                "{:02}:{:02}:{:02}.{fraction:07}",
                seconds / 3600,
                seconds / 60 % 60,
                seconds % 60
            );
            let id = visit.identity().draw(&["http", "exchange"]).between(100_000_000, 4_294_967_295);
            page(
                200,
                "text/xml; charset=utf-8",
                format!(
                    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n\
                     <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">\r\n  \
                     <Response>\r\n    <Error Time=\"{time}\" Id=\"{id}\">\r\n      <ErrorCode>600</ErrorCode>\r\n      \
                     <Message>Invalid Request</Message>\r\n      <DebugData />\r\n    </Error>\r\n  \
                     </Response>\r\n</Autodiscover>"
                ),
            )
        }
        "/ews" | "/ews/" => Answer::Error(403),
        // The service's page for a browser; what is sent to it by clients is no call it can read.
        "/ews/exchange.asmx" if visit.request.method == "GET" => {
            Answer::Redirect(302, format!("{}/EWS/Services.wsdl", visit.origin()))
        }
        "/ews/exchange.asmx" => page(
            500,
            "text/xml; charset=utf-8",
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
             <s:Body><s:Fault><faultcode xmlns:a=\"http://schemas.microsoft.com/exchange/services/2006/types\">\
             a:ErrorInternalServerError</faultcode><faultstring xml:lang=\"en-US\">An internal server error occurred. \
             The operation failed.</faultstring></s:Fault></s:Body></s:Envelope>"
                .to_owned(),
        ),
        _ if path.starts_with("/powershell") || path.starts_with("/mapi") => Answer::Error(403),
        _ => Answer::Error(404),
    }
}

/// Whether HTTP Basic is judged at that path.
pub(super) fn judges(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    path.starts_with("/autodiscover") || path.starts_with("/microsoft-server-activesync")
}

//! The desktop of a Synology NAS: its login page, and the interface that the page itself uses.
//! Codes: Synology's "DSM Login Web API Guide".

use decnet_logging::event::Credential;
use serde_json::json;

use super::{ALPHANUMERIC, Answer, Visit, fill};
use crate::http::access::Verdict;
use crate::httpd::Response;

const PAGE: &str = include_str!("../pages/dsm.html");
/// "Logout timer" of DSM, seconds.
const IDLE: i64 = 900;

fn reply(visit: &Visit<'_>, value: &serde_json::Value) -> Response {
    Response::new(200, "application/json; charset=\"UTF-8\"", value.to_string())
        .with("X-Frame-Options", "SAMEORIGIN")
        .with("X-Content-Type-Options", "nosniff")
        .with("Cache-Control", "max-age=0, no-cache, no-store, must-revalidate")
        .after(visit.working())
}

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    match visit.path() {
        "/" | "/index.cgi" | "/webman/index.cgi" => {
            let build = visit.identity().os.version.rsplit('-').next().unwrap_or_default().to_owned();
            let hardware = &visit.identity().hardware;
            let names = &visit.identity().names;
            let body =
                fill(PAGE, &[("host", &names.hostname), ("model", &hardware.model), ("build", &build)]);
            Answer::Page(
                Response::new(200, "text/html; charset=\"UTF-8\"", body)
                    .with("Cache-Control", "no-store")
                    .with("X-Frame-Options", "SAMEORIGIN")
                    .with("X-Content-Type-Options", "nosniff")
                    .with("X-XSS-Protection", "1; mode=block")
                    .with("P3P", "CP=\"IDC DSP COR ADM DEVi TAIi PSA PSD IVAi IVDi CONi HIS OUR IND CNT\"")
                    .after(visit.working()),
            )
        }
        "/robots.txt" => visit.file("robots", "text/plain", "User-agent: *\nDisallow: /\n"),
        "/favicon.ico" => Answer::Error(404),
        "/webapi/query.cgi" | "/webapi/entry.cgi" | "/webapi/auth.cgi" => Answer::Page(interface(visit)),
        _ => Answer::Error(404),
    }
}

fn interface(visit: &Visit<'_>) -> Response {
    let form = visit.form();
    let get = |name: &str| visit.request.query_value(name).or_else(|| form.text(name)).unwrap_or_default();
    match (get("api").as_str(), get("method").as_str()) {
        ("SYNO.API.Info", "query") => reply(
            visit,
            &json!({"data": {"SYNO.API.Auth": {"maxVersion": 7, "minVersion": 1, "path": "entry.cgi"}, "SYNO.API.Info": {"maxVersion": 1, "minVersion": 1, "path": "entry.cgi"}, "SYNO.FileStation.List": {"maxVersion": 2, "minVersion": 1, "path": "entry.cgi"}, "SYNO.DSM.Info": {"maxVersion": 2, "minVersion": 1, "path": "entry.cgi"}}, "success": true}),
        ),
        ("SYNO.API.Auth", "login") => {
            let (name, password) = (get("account"), get("passwd"));
            if name.is_empty() {
                return reply(visit, &json!({"error": {"code": 101}, "success": false}));
            }
            let list = visit.access.accounts.list();
            let right =
                list.iter().find(|(known, own)| known.eq_ignore_ascii_case(&name) && *own == password);
            // "Auto block" counts addresses, not accounts.
            let source = visit.session.source().ip().to_string();
            let known = right.map(|(known, _)| known.as_str());
            let verdict = visit.access.accounts.settle(source.as_bytes(), true, known, visit.now());
            visit.told(Credential::password("form", name.as_bytes(), password.as_bytes()), &verdict);
            let response = match verdict {
                Verdict::In(user) => {
                    let sid = visit.host.entropy.text(ALPHANUMERIC, 86);
                    let privilege = "administrators";
                    visit.open(&sid, &user, privilege);
                    let body = json!({"data": {"did": visit.host.entropy.text(ALPHANUMERIC, 86), "is_portal_port": false, "sid": sid}, "success": true});
                    reply(visit, &body).with("Set-Cookie", format!("id={sid};path=/; HttpOnly"))
                }
                Verdict::Wrong => reply(visit, &json!({"error": {"code": 400}, "success": false})),
                Verdict::Locked => reply(visit, &json!({"error": {"code": 407}, "success": false})),
            };
            response.after(visit.thinking())
        }
        (api, _) => {
            let token =
                Some(get("_sid")).filter(|sid| !sid.is_empty()).or_else(|| visit.request.cookie("id"));
            let Some(user) = token.as_ref().and_then(|token| visit.user_of(token, IDLE)) else {
                return reply(visit, &json!({"error": {"code": 119}, "success": false}));
            };
            let identity = visit.identity();
            match api {
                "SYNO.API.Auth" => {
                    visit.access.sessions.close(&token.unwrap_or_default());
                    reply(visit, &json!({"success": true}))
                }
                "SYNO.DSM.Info" => reply(
                    visit,
                    &json!({"data": {"codepage": "enu", "model": identity.hardware.model, "serial": identity.hardware.serial, "uptime": visit.host.uptime(), "version_string": identity.os.name, "user": user}, "success": true}),
                ),
                "SYNO.FileStation.List" => reply(
                    visit,
                    &json!({"data": {"offset": 0, "shares": [{"isdir": true, "name": "home", "path": "/home"}, {"isdir": true, "name": "homes", "path": "/homes"}], "total": 2}, "success": true}),
                ),
                _ => reply(visit, &json!({"error": {"code": 102}, "success": false})),
            }
        }
    }
}

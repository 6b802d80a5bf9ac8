//! GitLab: the sign-in page and what its API says to strangers.

use super::gitlab_inside as inside;
use super::{ALPHANUMERIC, Answer, HEX, Visit, fill};
use crate::http::access::Verdict;
use crate::httpd::Response;

const RELEASES: &[&str] = &["16.7.7", "16.11.6", "17.3.7", "17.5.5", "17.7.3"];
const LOGIN: &str = include_str!("../pages/gitlab.html");
const ROBOTS: &str = "User-agent: *\nDisallow: /autocomplete/users\nDisallow: /autocomplete/projects\nDisallow: /search\nDisallow: /admin\nDisallow: /profile\nDisallow: /dashboard\nDisallow: /users\nDisallow: /api/v*\nDisallow: /help\n";

/// Rails adds these to everything.
pub(super) fn rails(visit: &Visit<'_>, response: Response) -> Response {
    let id = visit.host.entropy.text(&ALPHANUMERIC.to_ascii_uppercase()[..26], 26);
    response
        .with("Cache-Control", "max-age=0, private, must-revalidate")
        .with("X-Content-Type-Options", "nosniff")
        .with("X-Frame-Options", "SAMEORIGIN")
        .with("X-Gitlab-Meta", format!("{{\"correlation_id\":\"{id}\",\"version\":\"1\"}}"))
        .with("X-Permitted-Cross-Domain-Policies", "none")
        .with("X-Request-Id", id)
        .with("X-Runtime", format!("0.{:06}", visit.host.entropy.between(9_000, 90_000)))
        .with("X-Ua-Compatible", "IE=edge")
        .with("X-Xss-Protection", "1; mode=block")
        .with("Strict-Transport-Security", "max-age=63072000")
        .with("Referrer-Policy", "strict-origin-when-cross-origin")
        .after(visit.working())
}

pub(super) fn json(visit: &Visit<'_>, status: u16, body: &str) -> Answer {
    Answer::Page(rails(visit, Response::new(status, "application/json", body)))
}

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let path = visit.path();
    if let Some((user, token)) = inside::visitor(visit) {
        let version = visit.version(RELEASES);
        let there =
            inside::api(visit, &user, &version).or_else(|| inside::page(visit, &user, &token, &version));
        if let Some(answer) = there {
            return answer;
        }
    }
    if path == "/oauth/token"
        && let Some(answer) = inside::token(visit)
    {
        return answer;
    }
    match path {
        "/users/sign_in" => sign_in(visit),
        "/-/health" => Answer::Page(Response::new(404, "text/plain", "")),
        "/robots.txt" => visit.file("robots", "text/plain", ROBOTS),
        "/api/v4/version" | "/api/v4/metadata" | "/api/v4/user" | "/api/v4/users" => {
            json(visit, 401, "{\"message\":\"401 Unauthorized\"}")
        }
        "/api/v4/projects" => json(visit, 200, "[]"),
        "/explore" | "/" | "/dashboard" | "/admin" | "/help" | "/users/sign_up" => {
            let to = format!("{}/users/sign_in", visit.origin());
            let body = format!("<html><body>You are being <a href=\"{to}\">redirected</a>.</body></html>");
            Answer::Page(
                rails(visit, Response::new(302, "text/html; charset=utf-8", body)).with("Location", to),
            )
        }
        _ if path.starts_with("/api/") => json(visit, 404, "{\"error\":\"404 Not Found\"}"),
        "/oauth/token" => json(
            visit,
            401,
            "{\"error\":\"invalid_client\",\"error_description\":\"Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.\"}",
        ),
        _ => {
            let body = "<!DOCTYPE html>\n<html>\n<head>\n  <meta content=\"width=device-width, initial-scale=1\" name=\"viewport\" />\n  <title>Not Found</title>\n</head>\n<body>\n  <h1>404: Page not found</h1>\n  <p>Make sure the address is correct and the page has not moved.</p>\n  <p>Please contact your GitLab administrator if you think this is a mistake.</p>\n</body>\n</html>\n";
            Answer::Page(rails(visit, Response::new(404, "text/html; charset=utf-8", body)))
        }
    }
}

fn sign_in(visit: &Visit<'_>) -> Answer {
    let mut notice = "";
    let mut status = 200;
    let mut delay = visit.working();
    if visit.request.method == "POST" {
        let form = visit.form();
        let name = form.bytes("user[login]").unwrap_or_default();
        let password = form.bytes("user[password]").unwrap_or_default();
        // A locked account has the text of a wrong password: GitLab sets Devise to be paranoid.
        if let Verdict::In(user) = visit.log_in(name, password) {
            return inside::welcome(visit, &user);
        }
        delay = visit.thinking();
        notice = "<div class=\"flash-container\"><div class=\"gl-alert gl-alert-danger\" data-testid=\"alert-danger\"><div class=\"gl-alert-body\">Invalid login or password.</div></div></div>";
        status = 422;
    }
    let entropy = &visit.host.entropy;
    let body = fill(
        LOGIN,
        &[
            ("notice", notice),
            ("token", &entropy.text(ALPHANUMERIC, 86)),
            ("origin", &visit.origin()),
            ("asset", &visit.stable("gitlab asset", HEX, 64)),
        ],
    );
    let secure = if visit.request.secure { " Secure;" } else { "" };
    let response = rails(visit, Response::new(status, "text/html; charset=utf-8", body))
        .with(
            "Set-Cookie",
            format!("_gitlab_session={}; path=/;{secure} HttpOnly; SameSite=None", entropy.text(HEX, 32)),
        )
        .after(delay);
    Answer::Page(response)
}

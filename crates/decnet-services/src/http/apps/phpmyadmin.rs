//! phpMyAdmin 4.9 and 5.x, at `/phpmyadmin/` as distributions install it; the rest is the server's page.

use super::phpmyadmin_main as main;
use super::{ALPHANUMERIC, Answer, HEX, Visit, fill, html, server_default};
use crate::http::access::Verdict;
use crate::http::products::escape;

const RELEASES: &[&str] = &["5.2.1", "5.2.2", "5.1.3", "4.9.5"];
const LOGIN: &str = include_str!("../pages/phpmyadmin.html");

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    match visit.path() {
        "/phpmyadmin" => Answer::Redirect(301, format!("{}/phpmyadmin/", visit.origin())),
        "/phpmyadmin/" | "/phpmyadmin/index.php" => login(visit),
        "/phpmyadmin/robots.txt" => visit.file("robots", "text/plain", "User-agent: *\nDisallow: /\n"),
        "/phpmyadmin/favicon.ico" => Answer::Error(404),
        "/phpmyadmin/README" | "/phpmyadmin/ChangeLog" | "/phpmyadmin/setup/" => Answer::Error(403),
        path if path.starts_with("/phpmyadmin/") && path.ends_with(".php") => Answer::Error(404),
        "/" | "/index.html" | "/index.nginx-debian.html" => server_default(visit),
        _ => Answer::Error(404),
    }
}

fn login(visit: &Visit<'_>) -> Answer {
    let version = visit.version(RELEASES);
    let entropy = &visit.host.entropy;
    // A client with a session keeps it; the token is per session.
    let session = visit
        .request
        .cookie("phpMyAdmin")
        .filter(|value| value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        .unwrap_or_else(|| entropy.text(&ALPHANUMERIC.to_ascii_lowercase()[26..], 32));
    let token = entropy.text(HEX, 32);
    let mut username = String::new();
    let mut error = String::new();
    let mut delay = visit.working();
    if visit.request.method == "POST" {
        let form = visit.form();
        let name = form.bytes("pma_username").unwrap_or_default();
        let password = form.bytes("pma_password").unwrap_or_default();
        username = String::from_utf8_lossy(name).into_owned();
        if !name.is_empty() {
            // AllowNoPassword is off: an account without a password is nobody's here.
            if let Verdict::In(user) = visit.log_in(name, password)
                && !password.is_empty()
            {
                return main::welcome(visit, &user);
            }
            delay = visit.thinking();
            let using = if password.is_empty() { "NO" } else { "YES" };
            let shown = escape(&username);
            error = if password.is_empty() {
                "<div class=\"alert alert-danger\" role=\"alert\">Login without a password is forbidden by configuration (see AllowNoPassword)</div>".to_owned()
            } else {
                format!(
                    "<div class=\"alert alert-danger\" role=\"alert\"><code>mysqli::real_connect(): (HY000/1045): Access denied for user &#039;{shown}&#039;@&#039;localhost&#039; (using password: {using})</code></div>"
                )
            };
        }
    }
    let inside = main::visitor(visit);
    let body =
        match inside.as_ref().filter(|_| visit.request.query_value("route").as_deref() != Some("/logout")) {
            Some((user, _)) => main::page(visit, user, &version),
            None => login_page(visit, &version, &token, &session, &username, &error),
        };
    if let (Some((_, token)), Some("/logout")) = (&inside, visit.request.query_value("route").as_deref()) {
        visit.access.sessions.close(token);
    }
    let secure = if visit.request.secure { "; secure" } else { "" };
    Answer::Page(
        html(visit, 200, body)
            .with(
                "Set-Cookie",
                format!("phpMyAdmin={session}; path=/phpmyadmin/{secure}; HttpOnly; SameSite=Strict"),
            )
            .with("Set-Cookie", format!("pma_lang=en; path=/phpmyadmin/{secure}; HttpOnly; SameSite=Strict"))
            .with("Expires", crate::httpd::date::format(visit.host.clock.seconds()))
            .with(
                "Cache-Control",
                "no-store, no-cache, must-revalidate, pre-check=0, post-check=0, max-age=0",
            )
            .with("X-Frame-Options", "DENY")
            .with("Referrer-Policy", "no-referrer")
            .with("X-Content-Type-Options", "nosniff")
            .with("X-Robots-Tag", "noindex, nofollow")
            .with("Pragma", "no-cache")
            .after(delay),
    )
}

fn login_page(
    visit: &Visit<'_>,
    version: &str,
    token: &str,
    session: &str,
    username: &str,
    error: &str,
) -> String {
    fill(
        LOGIN,
        &[
            ("version", version),
            ("host", visit.request.host.as_deref().unwrap_or(&visit.identity().names.fqdn)),
            ("token", token),
            ("session", session),
            ("username", username),
            ("error", error),
        ],
    )
}

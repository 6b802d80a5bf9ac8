//! GitLab for somebody who is logged in: the projects of a small group, by page and by API.

use decnet_logging::event::{Body, Credential, Outcome};
use serde_json::{Value, json};

use super::gitlab::{json as respond, rails};
use super::wordpress::iso;
use super::{Answer, HEX, Visit, fill};
use crate::http::access::Verdict;
use crate::http::products::escape;
use crate::httpd::Response;

const PAGE: &str = include_str!("../pages/gitlab_inside.html");
/// `session_expire_delay` of GitLab, a week in minutes, here in seconds.
const IDLE: i64 = 10_080 * 60;
/// Life of a token of `/oauth/token`, seconds.
const TOKEN: i64 = 7200;
/// Repositories such as an IT department has.
const PROJECTS: &[&str] = &[
    "ansible-playbooks",
    "backup-scripts",
    "intranet",
    "monitoring",
    "docker-images",
    "customer-portal",
    "reporting",
    "network-configs",
    "ci-templates",
    "documentation",
];

struct Project {
    id: u64,
    name: String,
    /// Seconds since 1970.
    made: i64,
}

fn group(visit: &Visit<'_>) -> String {
    let name = visit.identity().names.organisation.to_lowercase();
    let slug: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    slug.trim_matches('-').to_owned()
}

fn projects(visit: &Visit<'_>) -> Vec<Project> {
    let mut draw = visit.identity().draw(&["http", "gitlab projects"]);
    let mut names = PROJECTS.to_vec();
    draw.shuffle(&mut names);
    let count = draw.between(2, 5) as usize;
    let (mut id, mut made) = (1, visit.deployed());
    names
        .into_iter()
        .take(count)
        .map(|name| {
            id += draw.between(1, 6);
            made += draw.between(3_600, 12 * 86_400) as i64;
            Project { id, name: name.to_owned(), made }
        })
        .filter(|project| project.made < visit.now())
        .collect()
}

/// Who the visitor is: by the cookie of a session, or by a token.
pub(super) fn visitor(visit: &Visit<'_>) -> Option<(String, String)> {
    let token =
        visit.request.field("private-token").or_else(|| visit.request.query_value("private_token")).or_else(
            || {
                let value = visit.request.field("authorization")?;
                value.strip_prefix("Bearer ").map(str::to_owned)
            },
        );
    if let Some(token) = token {
        let user = visit.user_of(&token, TOKEN);
        let outcome = if user.is_some() { Outcome::Accepted } else { Outcome::Failed };
        let credential = Credential {
            method: "private-token".to_owned(),
            token: Some(token.clone()),
            ..Credential::default()
        };
        visit.session.emit(Body::AuthAttempt { credential, outcome });
        return user.map(|user| (user, token));
    }
    let token = visit.request.cookie("_gitlab_session")?;
    visit.user_of(&token, IDLE).map(|user| (user, token))
}

/// The answer to a login that was let in.
pub(super) fn welcome(visit: &Visit<'_>, user: &str) -> Answer {
    let token = visit.host.entropy.text(HEX, 32);
    visit.open(&token, user, "user");
    let to = format!("{}/", visit.origin());
    let body = format!("<html><body>You are being <a href=\"{to}\">redirected</a>.</body></html>");
    let secure = if visit.request.secure { " Secure;" } else { "" };
    let until = crate::httpd::date::format(visit.now() + IDLE);
    Answer::Page(
        rails(visit, Response::new(302, "text/html; charset=utf-8", body))
            .with("Location", to)
            .with(
                "Set-Cookie",
                format!(
                    "known_sign_in={}%3D%3D; path=/; expires={}; HttpOnly",
                    visit.host.entropy.text(super::ALPHANUMERIC, 62),
                    crate::httpd::date::format(visit.now() + 14 * 86_400)
                ),
            )
            .with("Set-Cookie", format!("_gitlab_session={token}; path=/; expires={until};{secure} HttpOnly"))
            .after(visit.thinking()),
    )
}

/// `/oauth/token` with a name and a password (RFC 6749 section 4.3).
pub(super) fn token(visit: &Visit<'_>) -> Option<Answer> {
    let form = visit.form();
    if form.text("grant_type").as_deref() != Some("password") {
        return None;
    }
    let name = form.bytes("username").unwrap_or_default();
    let verdict = visit.log_in(name, form.bytes("password").unwrap_or_default());
    let Verdict::In(user) = verdict else {
        let body = "{\"error\":\"invalid_grant\",\"error_description\":\"The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.\"}";
        return Some(late(visit, respond(visit, 400, body)));
    };
    let token = visit.host.entropy.text(HEX, 64);
    visit.open(&token, &user, "api");
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN, "refresh_token": visit.host.entropy.text(HEX, 64), "scope": "api", "created_at": visit.now()});
    Some(late(visit, respond(visit, 200, &body.to_string())))
}

fn late(visit: &Visit<'_>, answer: Answer) -> Answer {
    match answer {
        Answer::Page(response) => Answer::Page(response.after(visit.thinking())),
        other => other,
    }
}

fn profile(visit: &Visit<'_>, name: &str) -> Value {
    let at = visit.access.accounts.list().iter().position(|(known, _)| known == name).unwrap_or(0);
    json!({"id": at + 1, "username": name, "name": name, "state": "active", "locked": false, "web_url": format!("{}/{name}", visit.origin()), "created_at": format!("{}.000Z", iso(visit.deployed())), "email": format!("{name}@{}", visit.identity().names.domain)})
}

/// The API to somebody who is logged in; none for what is not there.
pub(super) fn api(visit: &Visit<'_>, user: &str, version: &str) -> Option<Answer> {
    let path = visit.path().strip_prefix("/api/v4/")?.trim_end_matches('/');
    let origin = visit.origin();
    let group = group(visit);
    let value = match path {
        "version" | "metadata" => json!({"version": version, "revision": visit.stable("gitlab revision", HEX, 11)}),
        "user" => profile(visit, user),
        "users" => visit.access.accounts.list().iter().map(|(name, _)| profile(visit, name)).collect(),
        "projects" => projects(visit)
            .iter()
            .map(|project| {
                let path = format!("{group}/{}", project.name);
                json!({"id": project.id, "description": null, "name": project.name, "name_with_namespace": format!("{} / {}", visit.identity().names.organisation, project.name), "path": project.name, "path_with_namespace": path, "created_at": format!("{}.000Z", iso(project.made)), "default_branch": "main", "visibility": "private", "empty_repo": true, "http_url_to_repo": format!("{origin}/{path}.git"), "web_url": format!("{origin}/{path}")})
            })
            .collect(),
        "groups" => json!([{"id": 2, "name": visit.identity().names.organisation, "path": group, "visibility": "private", "web_url": format!("{origin}/groups/{group}")}]),
        "personal_access_tokens" | "user/keys" | "runners" => json!([]),
        _ => return None,
    };
    Some(respond(visit, 200, &value.to_string()))
}

/// A page to somebody who is logged in; none for what is not there.
pub(super) fn page(visit: &Visit<'_>, user: &str, token: &str, version: &str) -> Option<Answer> {
    let path = visit.path();
    if path == "/users/sign_out" {
        visit.access.sessions.close(token);
        let to = format!("{}/users/sign_in", visit.origin());
        let body = format!("<html><body>You are being <a href=\"{to}\">redirected</a>.</body></html>");
        return Some(Answer::Page(
            rails(visit, Response::new(302, "text/html; charset=utf-8", body)).with("Location", to),
        ));
    }
    let group = group(visit);
    let all = projects(visit);
    let (title, body) = match path {
        "/" | "/dashboard" | "/dashboard/projects" => {
            let rows: String = all.iter().map(|project| format!("<li class=\"project-row\"><h2><a class=\"text-plain\" href=\"/{group}/{0}\"><span class=\"namespace-name\">{1} / </span><span class=\"project-name\">{0}</span></a></h2></li>", project.name, escape(&visit.identity().names.organisation))).collect();
            ("Projects".to_owned(), format!("<ul class=\"projects-list\">{rows}</ul>"))
        }
        "/-/profile" | "/-/user_settings/profile" => {
            ("Edit Profile".to_owned(), format!("<p>{}</p>", escape(user)))
        }
        "/admin" | "/admin/users" => {
            let body = "<h3>404: Page not found</h3>";
            return Some(Answer::Page(rails(visit, Response::new(404, "text/html; charset=utf-8", body))));
        }
        "/help" => {
            ("Help".to_owned(), format!("<h1>GitLab Community Edition <span>{}</span></h1>", escape(version)))
        }
        _ => {
            let name = path.trim_matches('/').strip_prefix(&format!("{group}/"))?;
            let project = all.iter().find(|project| project.name == name)?;
            (project.name.clone(), "<h3>The repository for this project is empty</h3>".to_owned())
        }
    };
    let text = fill(
        PAGE,
        &[
            ("title", &title),
            ("user", user),
            ("body", &body),
            ("asset", &visit.stable("gitlab asset", HEX, 64)),
            ("token", &visit.host.entropy.text(super::ALPHANUMERIC, 86)),
        ],
    );
    Some(Answer::Page(rails(visit, Response::new(200, "text/html; charset=utf-8", text))))
}

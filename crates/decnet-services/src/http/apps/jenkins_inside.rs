//! Jenkins for somebody who is logged in: the list of jobs, and the script console.

use decnet_logging::event::Outcome;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::jenkins::{RELEASES, marked};
use super::{Answer, HEX, Visit, fill};
use crate::http::products::escape;
use crate::httpd::Response;

const PAGE: &str = include_str!("../pages/jenkins_inside.html");
/// A session of Jetty as Jenkins sets it, seconds.
const IDLE: i64 = 1800;
/// What an IT department lets it do.
const JOBS: &[&str] = &[
    "backup-nightly",
    "build-portal",
    "deploy-intranet",
    "db-dump",
    "release-api",
    "sync-ldap",
    "update-certs",
    "website-test",
    "cleanup-workspace",
    "sonar-scan",
];

fn jobs(visit: &Visit<'_>) -> Vec<String> {
    let mut draw = visit.identity().draw(&["http", "jenkins jobs"]);
    let mut names = JOBS.to_vec();
    draw.shuffle(&mut names);
    let count = draw.between(2, 5) as usize;
    let mut names: Vec<String> = names.into_iter().take(count).map(str::to_owned).collect();
    names.extend(visit.access.changes.under("job:").into_iter().map(|(name, _)| name));
    names.sort();
    names
}

pub(super) fn cookie_name(visit: &Visit<'_>) -> String {
    format!("JSESSIONID.{}", visit.stable("jenkins cookie", HEX, 8))
}

/// The session of a login, by its cookie.
pub(super) fn visitor(visit: &Visit<'_>) -> Option<(String, String)> {
    let token = visit.request.cookie(&cookie_name(visit))?;
    visit.user_of(&token, IDLE).map(|user| (user, token))
}

/// The value against forgery of a session (`DefaultCrumbIssuer`).
fn crumb(visit: &Visit<'_>, token: &str) -> String {
    let salt = visit.stable("jenkins crumb salt", HEX, 64);
    Sha256::digest(format!("{token};{salt}")).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn page(visit: &Visit<'_>, user: &str, token: &str, title: &str, body: &str) -> Response {
    let text = fill(
        PAGE,
        &[
            ("title", title),
            ("user", user),
            ("body", body),
            ("crumb", &crumb(visit, token)),
            ("version", &visit.version(RELEASES)),
        ],
    );
    Response::new(200, "text/html;charset=utf-8", text)
        .with("Cache-Control", "no-cache,no-store,must-revalidate")
        .with("X-Hudson-Theme", "default")
        .with("Referrer-Policy", "same-origin")
        .with("X-Frame-Options", "sameorigin")
}

/// A page or a piece of the API; `by_session`: the login is a cookie's, which forms can be forged for.
pub(super) fn answer(visit: &Visit<'_>, user: &str, token: &str, by_session: bool) -> Answer {
    let path = visit.path();
    let post = visit.request.method == "POST";
    let form = visit.form();
    let forged = || {
        let sent = visit.request.field("jenkins-crumb").or_else(|| form.text("Jenkins-Crumb"));
        by_session && sent.as_deref() != Some(&crumb(visit, token))
    };
    let origin = visit.origin();
    let json =
        |value: serde_json::Value| Response::new(200, "application/json;charset=utf-8", value.to_string());
    let response = match path {
        _ if post && forged() => {
            let body = format!(
                "<html><head><title>Error 403 No valid crumb was included in the request</title></head>\n<body><h2>HTTP ERROR 403 No valid crumb was included in the request</h2>\n<table>\n<tr><th>URI:</th><td>{}</td></tr>\n<tr><th>STATUS:</th><td>403</td></tr>\n<tr><th>MESSAGE:</th><td>No valid crumb was included in the request</td></tr>\n<tr><th>SERVLET:</th><td>Stapler</td></tr>\n</table>\n</body>\n</html>\n",
                escape(path)
            );
            Response::new(403, "text/html;charset=iso-8859-1", body)
                .with("Cache-Control", "must-revalidate,no-cache,no-store")
        }
        "/" | "/view/all/" => {
            let rows: String = jobs(visit).iter().map(|name| format!("<tr id=\"job_{0}\" class=\"job-status-blue\"><td><a href=\"job/{0}/\" class=\"jenkins-table__link\"><span>{0}</span></a></td></tr>", escape(name))).collect();
            page(
                visit,
                user,
                token,
                "Dashboard",
                &format!(
                    "<table id=\"projectstatus\" class=\"jenkins-table sortable\"><tbody>{rows}</tbody></table>"
                ),
            )
        }
        "/api/json" => {
            let list: Vec<serde_json::Value> = jobs(visit).iter().map(|name| json!({"_class": "hudson.model.FreeStyleProject", "name": name, "url": format!("{origin}/job/{name}/"), "color": "blue"})).collect();
            json(
                json!({"_class": "hudson.model.Hudson", "assignedLabels": [{"name": "built-in"}], "mode": "NORMAL", "nodeDescription": "the Jenkins controller's built-in node", "nodeName": "", "numExecutors": 2, "jobs": list, "quietingDown": false, "useCrumbs": true, "useSecurity": true}),
            )
        }
        "/crumbIssuer/api/json" => json(
            json!({"_class": "hudson.security.csrf.DefaultCrumbIssuer", "crumb": crumb(visit, token), "crumbRequestField": "Jenkins-Crumb"}),
        ),
        "/crumbIssuer/api/xml" => {
            let plain = format!("Jenkins-Crumb:{}", crumb(visit, token));
            let body = if visit.request.query.contains("xpath") {
                plain
            } else {
                format!(
                    "<defaultCrumbIssuer _class='hudson.security.csrf.DefaultCrumbIssuer'><crumb>{}</crumb><crumbRequestField>Jenkins-Crumb</crumbRequestField></defaultCrumbIssuer>",
                    crumb(visit, token)
                )
            };
            Response::new(200, "application/xml;charset=utf-8", body)
        }
        "/whoAmI/api/json" => json(
            json!({"_class": "hudson.security.WhoAmI", "anonymous": false, "authenticated": true, "authorities": ["authenticated"], "details": null, "name": user, "toString": format!("org.springframework.security.authentication.UsernamePasswordAuthenticationToken [Principal={user}]")}),
        ),
        "/script" | "/scriptText" | "/computer/(built-in)/script" | "/computer/(master)/script" => {
            let script =
                form.text("script").or_else(|| visit.request.query_value("script")).unwrap_or_default();
            let output =
                if post && !script.is_empty() { console(visit, path, &script) } else { String::new() };
            if path == "/scriptText" {
                if post {
                    Response::new(200, "text/plain;charset=utf-8", output)
                } else {
                    Response::new(405, "text/plain;charset=utf-8", "requires POST")
                }
            } else {
                let result = if post {
                    format!("<h2>Result</h2><pre>{}</pre>", escape(&output))
                } else {
                    String::new()
                };
                page(
                    visit,
                    user,
                    token,
                    "Script Console",
                    &format!(
                        "<p>Type in an arbitrary Groovy script and execute it on the server. Useful for trouble-shooting and diagnostics.</p><form action=\"script\" method=\"post\"><textarea id=\"script\" name=\"script\" class=\"script\">{}</textarea><button type=\"submit\" name=\"Submit\" class=\"jenkins-button\">Run</button></form>{result}",
                        escape(&script)
                    ),
                )
            }
        }
        "/createItem" if post => {
            let name = visit.request.query_value("name").or_else(|| form.text("name")).unwrap_or_default();
            let sound = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_. ".contains(&byte));
            if !sound || jobs(visit).contains(&name) {
                Response::new(400, "text/html;charset=utf-8", "")
                    .with("X-Error", format!("A job already exists with the name \u{2018}{name}\u{2019}"))
            } else {
                visit.change(&format!("job:{name}"), &String::from_utf8_lossy(&visit.request.body));
                Response::new(200, "text/plain;charset=utf-8", "")
            }
        }
        "/manage/" | "/manage" => page(
            visit,
            user,
            token,
            "Manage Jenkins",
            "<ul><li><a href=\"configure\">System</a></li><li><a href=\"pluginManager\">Plugins</a></li><li><a href=\"computer\">Nodes</a></li><li><a href=\"script\">Script Console</a></li></ul>",
        ),
        "/computer/" => page(
            visit,
            user,
            token,
            "Nodes",
            "<table id=\"computers\"><tr><td>Built-In Node</td><td>Linux (amd64)</td><td>In sync</td></tr></table>",
        ),
        "/asynchPeople/" | "/securityRealm/" => {
            let rows: String = visit
                .access
                .accounts
                .list()
                .iter()
                .map(|(name, _)| format!("<tr><td><a href=\"/user/{0}/\">{0}</a></td></tr>", escape(name)))
                .collect();
            page(visit, user, token, "People", &format!("<table id=\"people\">{rows}</table>"))
        }
        "/logout" => {
            visit.access.sessions.close(token);
            Response::bare(302).with("Location", format!("{origin}/"))
        }
        _ => {
            let job = path.strip_prefix("/job/").and_then(|rest| {
                let (name, rest) = rest.split_once('/').unwrap_or((rest, ""));
                jobs(visit).contains(&name.to_owned()).then(|| (name.to_owned(), rest.to_owned()))
            });
            match job {
                Some((name, rest)) if rest.starts_with("build") && post => {
                    visit.command("build", &name, Outcome::Accepted);
                    Response::bare(201).with(
                        "Location",
                        format!("{origin}/queue/item/{}/", visit.host.entropy.between(20, 900)),
                    )
                }
                Some((name, _)) => page(visit, user, token, &name, "<h2>Permalinks</h2>"),
                None => {
                    let body = format!(
                        "<html><head><title>Error 404 Not Found</title></head>\n<body><h2>HTTP ERROR 404 Not Found</h2>\n<table>\n<tr><th>URI:</th><td>{}</td></tr>\n<tr><th>STATUS:</th><td>404</td></tr>\n<tr><th>MESSAGE:</th><td>Not Found</td></tr>\n<tr><th>SERVLET:</th><td>Stapler</td></tr>\n</table>\n</body>\n</html>\n",
                        escape(path)
                    );
                    Response::new(404, "text/html;charset=iso-8859-1", body)
                }
            }
        }
    };
    Answer::Page(marked(visit, response.after(visit.working())))
}

/// What a Groovy script prints on a machine that lets it start no program: the texts in its `println`.
fn console(visit: &Visit<'_>, path: &str, script: &str) -> String {
    let starts = [".execute(", "ProcessBuilder", "getRuntime("].iter().any(|word| script.contains(word));
    let outcome = if starts { Outcome::Failed } else { Outcome::Accepted };
    visit.command(path.rsplit('/').next().unwrap_or_default(), script, outcome);
    if starts {
        let program =
            script.split(['"', '\'']).nth(1).and_then(|text| text.split_whitespace().next()).unwrap_or("sh");
        // As under a unit with NoExecPaths=.
        return format!(
            "java.io.IOException: Cannot run program \"{program}\": error=13, Permission denied\n\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1143)\n\tat java.base/java.lang.ProcessBuilder.start(ProcessBuilder.java:1073)\n\tat java.base/java.lang.Runtime.exec(Runtime.java:594)\n\tat java.base/java.lang.Runtime.exec(Runtime.java:418)\n\tat java.base/java.lang.Runtime.exec(Runtime.java:315)\n\tat org.codehaus.groovy.runtime.ProcessGroovyMethods.execute(ProcessGroovyMethods.java:544)\n\tat Script1.run(Script1.groovy:1)\nCaused by: java.io.IOException: error=13, Permission denied\n\tat java.base/java.lang.ProcessImpl.forkAndExec(Native Method)\n\t... 22 more\n"
        );
    }
    script
        .split("println")
        .skip(1)
        .take(32)
        .filter_map(|rest| {
            let rest = rest.trim_start_matches(['(', ' ']);
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            rest[1..].split(quote).next().filter(|text| !text.contains('$')).map(|text| format!("{text}\n"))
        })
        .collect()
}

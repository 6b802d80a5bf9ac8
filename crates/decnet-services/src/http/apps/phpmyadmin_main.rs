//! phpMyAdmin for somebody who is logged in: the server, its databases, and SQL that finds nothing.

use decnet_logging::event::{Body, Outcome};

use super::{ALPHANUMERIC, Answer, Visit, fill, html};
use crate::http::products::escape;

const PAGE: &str = include_str!("../pages/phpmyadmin_main.html");
/// `LoginCookieValidity`, seconds.
const IDLE: i64 = 1440;
/// What a server of an office would hold.
const DATABASES: &[&str] = &[
    "wordpress",
    "intranet",
    "shop",
    "crm",
    "helpdesk",
    "inventory",
    "timesheet",
    "nextcloud",
    "wiki",
    "tickets",
    "billing",
    "hr",
];
/// Privileged databases of MySQL itself.
const OWN: &[&str] = &["information_schema", "mysql", "performance_schema", "sys"];

/// The server's databases, sorted as the server sorts them.
fn databases(visit: &Visit<'_>) -> Vec<String> {
    let mut draw = visit.identity().draw(&["http", "databases"]);
    let mut names = DATABASES.to_vec();
    draw.shuffle(&mut names);
    let count = draw.between(1, 4) as usize;
    let mut all: Vec<String> =
        names.into_iter().take(count).chain(OWN.iter().copied()).map(str::to_owned).collect();
    all.extend(visit.access.changes.under("database:").into_iter().map(|(name, _)| name));
    all.sort();
    all.dedup();
    all
}

/// The session of a login, by its cookie.
pub(super) fn visitor(visit: &Visit<'_>) -> Option<(String, String)> {
    let token = visit.request.cookie("phpMyAdmin")?;
    visit.user_of(&token, IDLE).map(|user| (user, token))
}

/// The answer to a login that was let in: a new session, and the login itself sealed in two cookies.
pub(super) fn welcome(visit: &Visit<'_>, user: &str) -> Answer {
    let entropy = &visit.host.entropy;
    let token = entropy.text(&ALPHANUMERIC.to_ascii_lowercase()[26..], 32);
    visit.open(&token, user, "database");
    let secure = if visit.request.secure { "; secure" } else { "" };
    let sealed = |length: usize| entropy.text(ALPHANUMERIC, length) + "%3D";
    let cookie = |name: &str, value: &str, kept: &str| {
        format!("{name}={value}{kept}; path=/phpmyadmin/{secure}; HttpOnly; SameSite=Strict")
    };
    let month = 2_592_000;
    let kept = format!("; expires={}; Max-Age={month}", crate::httpd::date::format(visit.now() + month));
    Answer::Page(
        html(visit, 302, String::new())
            .with("Set-Cookie", cookie("phpMyAdmin", &token, ""))
            .with("Set-Cookie", cookie("pmaUser-1", &sealed(63), &kept))
            .with("Set-Cookie", cookie("pmaAuth-1", &sealed(95), ""))
            .with("Location", format!("{}/phpmyadmin/index.php?route=/", visit.origin()))
            .after(visit.thinking()),
    )
}

/// A page; the caller adds the fields that all pages have.
pub(super) fn page(visit: &Visit<'_>, user: &str, version: &str) -> String {
    let form = visit.form();
    let mut body = match visit.request.query_value("db").or_else(|| form.text("db")) {
        Some(database) if databases(visit).contains(&database) => {
            visit.session.emit(Body::Query {
                statement: format!("SHOW TABLES FROM `{database}`"),
                database: Some(database.clone()),
                outcome: Outcome::Accepted,
                rows: 0,
            });
            format!(
                "<h2>{}</h2><div class=\"alert alert-primary\" role=\"alert\">No tables found in database.</div>",
                escape(&database)
            )
        }
        _ => String::new(),
    };
    if let Some(statement) = form.text("sql_query").or_else(|| visit.request.query_value("sql_query")) {
        body.push_str(&sql(visit, &statement));
    }
    let list: String = databases(visit)
        .iter()
        .map(|name| {
            let name = escape(name);
            format!("<li class=\"database\"><a class=\"hover_show_full\" href=\"index.php?route=/database/structure&amp;db={name}\" title=\"Structure\">{name}</a></li>\n")
        })
        .collect();
    let system = visit.identity();
    let server = system.product("mysql").map_or_else(
        || "10.11.6-MariaDB".to_owned(),
        |product| format!("{}{}", product.version, if product.name == "mariadb" { "-MariaDB" } else { "" }),
    );
    fill(
        PAGE,
        &[
            ("host", visit.request.host.as_deref().unwrap_or(&system.names.fqdn)),
            ("version", version),
            ("user", user),
            ("server", &server),
            ("databases", &list),
            ("body", &body),
            ("token", &visit.host.entropy.text(super::HEX, 32)),
        ],
    )
}

/// Says what a statement came to. Nothing is carried out but making and dropping databases.
fn sql(visit: &Visit<'_>, statement: &str) -> String {
    let words: Vec<&str> = statement.split_whitespace().take(3).collect();
    let verb = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    let lower = statement.to_ascii_lowercase();
    let refused = if lower.contains("into outfile")
        || lower.contains("into dumpfile")
        || lower.contains("load_file")
    {
        Some(
            "#1290 - The MySQL server is running with the --secure-file-priv option so it cannot execute this statement",
        )
    } else if ["grant", "set", "install", "shutdown"].contains(&verb.as_str()) {
        Some("#1227 - Access denied; you need (at least one of) the SUPER privilege(s) for this operation")
    } else {
        None
    };
    let outcome = if refused.is_some() { Outcome::Failed } else { Outcome::Accepted };
    visit.session.emit_raw(
        Body::Query { statement: statement.to_owned(), database: None, outcome, rows: 0 },
        statement.as_bytes(),
    );
    if let Some(text) = refused {
        return format!(
            "<div class=\"alert alert-danger\" role=\"alert\"><h1>Error</h1><p><strong>MySQL said: </strong></p><code>{text}</code></div>"
        );
    }
    if let [verb, kind, name, ..] = words[..]
        && kind.eq_ignore_ascii_case("database")
    {
        let object = format!("database:{}", name.trim_matches(['`', ';']));
        if verb.eq_ignore_ascii_case("create") {
            visit.change(&object, "created");
        } else if verb.eq_ignore_ascii_case("drop") && visit.access.changes.get(&object).is_some() {
            visit.take_away(&object);
        }
    }
    "<div class=\"alert alert-success\" role=\"alert\">MySQL returned an empty result set (i.e. zero rows).</div>".to_owned()
}

//! WordPress for somebody who is logged in: dashboard, users, profile, plugins and themes.

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::wordpress::{author, posts, version};
use super::{ALPHANUMERIC, Answer, Visit, archive, fill, html};
use crate::http::products::escape;
use crate::httpd::Response;

const PAGE: &str = include_str!("../pages/wordpress_admin.html");
/// `wp_set_auth_cookie`: two days, fourteen where the login is to be remembered; and half a day of grace.
const DAYS: i64 = 2;
const DAYS_REMEMBERED: i64 = 14;
/// Where what was installed is remembered.
const PLUGIN: &str = "plugin:";
const THEME: &str = "theme:";
/// Menu and title of the pages that are there.
const PAGES: &[(&str, &str)] = &[
    ("index.php", "Dashboard"),
    ("edit.php", "Posts"),
    ("upload.php", "Media Library"),
    ("themes.php", "Themes"),
    ("theme-install.php", "Add Themes"),
    ("theme-editor.php", "Edit Themes"),
    ("plugins.php", "Plugins"),
    ("plugin-install.php", "Add Plugins"),
    ("plugin-editor.php", "Edit Plugins"),
    ("users.php", "Users"),
    ("profile.php", "Profile"),
    ("options-general.php", "General Settings"),
    ("update.php", "Update"),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `COOKIEHASH`: the MD5 of the site's address.
fn cookie_hash(visit: &Visit<'_>) -> String {
    hex(&Md5::digest(format!("http://{}", visit.identity().names.fqdn.to_ascii_lowercase()).as_bytes()))
}

/// Who the cookie belongs to, and its secret.
fn visitor(visit: &Visit<'_>) -> Option<(String, String)> {
    let value = visit.request.cookie(&format!("wordpress_logged_in_{}", cookie_hash(visit)))?;
    let value = value.replace("%7C", "|").replace("%7c", "|");
    let token = value.split('|').nth(2)?.to_owned();
    let user = visit.user_of(&token, DAYS_REMEMBERED * 86_400)?;
    Some((user, token))
}

/// A value that forms carry against forgery, as `wp_create_nonce` makes it.
fn nonce(visit: &Visit<'_>, token: &str, action: &str) -> String {
    let salt = visit.stable("wordpress nonce salt", ALPHANUMERIC, 64);
    let tick = visit.now() / 43_200;
    hex(&Sha256::digest(format!("{tick}|{action}|{token}|{salt}").as_bytes()))[..10].to_owned()
}

/// The answer to a login that was let in.
pub(super) fn welcome(visit: &Visit<'_>, user: &str) -> Answer {
    let form = visit.form();
    let origin = visit.origin();
    let remembered = form.bytes("rememberme").is_some();
    let lasts = if remembered { DAYS_REMEMBERED } else { DAYS } * 86_400;
    let expires = visit.now() + lasts;
    let token = visit.host.entropy.text(ALPHANUMERIC, 43);
    visit.open(&token, user, "administrator");
    let hash = cookie_hash(visit);
    let secure = visit.request.secure;
    let cookie = |scheme: &str, name: &str, path: &str, secure: bool| {
        let salt = visit.stable(&format!("wordpress {scheme} salt"), ALPHANUMERIC, 64);
        let proof = hex(&Sha256::digest(format!("{user}|{expires}|{token}|{salt}").as_bytes()));
        let kept = if remembered {
            let until = crate::httpd::date::format(expires + 43_200);
            format!("; expires={until}; Max-Age={}", lasts + 43_200)
        } else {
            String::new()
        };
        let flag = if secure { "; secure" } else { "" };
        format!("{name}_{hash}={user}%7C{expires}%7C{token}%7C{proof}{kept}; path={path}{flag}; HttpOnly")
    };
    let name = if secure { "wordpress_sec" } else { "wordpress" };
    // Only a place on the site itself is gone to (`wp_safe_redirect`).
    let to = form
        .text("redirect_to")
        .filter(|to| to.starts_with(&format!("{origin}/")) || (to.starts_with('/') && !to.starts_with("//")))
        .unwrap_or_else(|| format!("{origin}/wp-admin/"));
    let flag = if secure { "; secure" } else { "" };
    Answer::Page(
        html(visit, 302, String::new())
            .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
            .with("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private")
            .with("Set-Cookie", format!("wordpress_test_cookie=WP%20Cookie%20check; path=/{flag}; HttpOnly"))
            .with("X-Frame-Options", "SAMEORIGIN")
            .with("Set-Cookie", cookie("auth", name, "/wp-content/plugins", secure))
            .with("Set-Cookie", cookie("auth", name, "/wp-admin", secure))
            .with("Set-Cookie", cookie("logged in", "wordpress_logged_in", "/", secure))
            .with("X-Redirect-By", "WordPress")
            .with("Location", to)
            .after(visit.thinking()),
    )
}

/// `wp-login.php?action=logout`; none where nobody is logged in.
pub(super) fn log_out(visit: &Visit<'_>) -> Option<Answer> {
    let (_, token) = visitor(visit)?;
    visit.access.sessions.close(&token);
    let hash = cookie_hash(visit);
    let past = crate::httpd::date::format(visit.now() - 31_536_000);
    Some(Answer::Page(
        html(visit, 302, String::new())
            .with("Set-Cookie", format!("wordpress_logged_in_{hash}=%20; expires={past}; Max-Age=0; path=/"))
            .with("X-Redirect-By", "WordPress")
            .with("Location", format!("{}/wp-login.php?loggedout=true&wp_lang=en_US", visit.origin())),
    ))
}

fn elsewhere(visit: &Visit<'_>, to: String) -> Answer {
    Answer::Page(
        html(visit, 302, String::new())
            .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
            .with("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private")
            .with("X-Redirect-By", "WordPress")
            .with("Location", to),
    )
}

/// A page under `/wp-admin/`; none where there is none.
pub(super) fn answer(visit: &Visit<'_>, file: &str) -> Option<Answer> {
    let file = if file.is_empty() { "index.php" } else { file };
    let (_, title) = PAGES.iter().find(|(name, _)| *name == file)?;
    let origin = visit.origin();
    let Some((user, token)) = visitor(visit) else {
        let shown = if file == "index.php" { "" } else { file };
        let back: String =
            format!("{origin}/wp-admin/{shown}").bytes().map(super::wordpress::percent).collect();
        return Some(elsewhere(visit, format!("{origin}/wp-login.php?redirect_to={back}&reauth=1")));
    };
    let body = match file {
        "index.php" => dashboard(visit),
        "edit.php" => posts(visit)
            .iter()
            .map(|post| format!("<tr id=\"post-{}\"><td class=\"title column-title\"><strong>{}</strong></td><td>{}</td></tr>", post.id, escape(&post.title), escape(&author(visit))))
            .collect::<String>(),
        "users.php" => users(visit),
        "profile.php" => match profile(visit, &user, &token) {
            Ok(body) => body,
            Err(answer) => return Some(*answer),
        },
        "plugins.php" => match plugins(visit, &token) {
            Ok(body) => body,
            Err(answer) => return Some(*answer),
        },
        "themes.php" => themes(visit),
        "plugin-install.php" => upload_form(visit, &token, "plugin"),
        "theme-install.php" => upload_form(visit, &token, "theme"),
        "update.php" => install(visit, &token),
        // As with DISALLOW_FILE_EDIT, which hosting panels set.
        "plugin-editor.php" | "theme-editor.php" => return Some(denied(visit)),
        "options-general.php" => {
            let site = visit.setting("option:blogname", &visit.persona.title);
            format!("<form method=\"post\" action=\"options.php\"><table class=\"form-table\"><tr><th>Site Title</th><td><input name=\"blogname\" type=\"text\" value=\"{}\" class=\"regular-text\" /></td></tr><tr><th>WordPress Address (URL)</th><td><input name=\"siteurl\" type=\"url\" value=\"{}\" class=\"regular-text code\" /></td></tr></table></form>", escape(&site), escape(&origin))
        }
        _ => "<p>No media files found.</p>".to_owned(),
    };
    Some(page(visit, &user, &token, title, &body))
}

fn page(visit: &Visit<'_>, user: &str, token: &str, title: &str, body: &str) -> Answer {
    let text = fill(
        PAGE,
        &[
            ("title", title),
            ("site", &visit.persona.title),
            ("origin", &visit.origin()),
            ("version", &version(visit)),
            ("user", user),
            ("logout", &nonce(visit, token, "log-out")),
            ("body", body),
        ],
    );
    Answer::Page(
        html(visit, 200, text)
            .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
            .with("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private")
            .with("Referrer-Policy", "strict-origin-when-cross-origin")
            .with("X-Frame-Options", "SAMEORIGIN"),
    )
}

/// `wp_die`.
fn dead(visit: &Visit<'_>, message: &str) -> Answer {
    let body = format!(
        "<!DOCTYPE html>\n<html lang=\"en-US\">\n<head>\n\t<meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\" />\n\t<meta name=\"viewport\" content=\"width=device-width\">\n\t<meta name='robots' content='max-image-preview:large, noindex, follow' />\n\t<title>WordPress &rsaquo; Error</title>\n</head>\n<body id=\"error-page\">\n\t<div class=\"wp-die-message\">{message}</div></body>\n</html>\n"
    );
    Answer::Page(
        html(visit, 403, body)
            .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
            .with("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private"),
    )
}

fn denied(visit: &Visit<'_>) -> Answer {
    dead(visit, "Sorry, you are not allowed to access this page.")
}

fn dashboard(visit: &Visit<'_>) -> String {
    let count = posts(visit).len();
    format!(
        "<div id=\"dashboard-widgets-wrap\"><div id=\"dashboard_right_now\" class=\"postbox\"><h2>At a Glance</h2><ul><li class=\"post-count\"><a href=\"edit.php?post_type=post\">{count} Posts</a></li><li class=\"page-count\"><a href=\"edit.php?post_type=page\">1 Page</a></li></ul><p id=\"wp-version-message\">WordPress {} running <a href=\"themes.php\">Twenty Twenty-Four</a> theme.</p></div></div>",
        escape(&version(visit))
    )
}

fn users(visit: &Visit<'_>) -> String {
    let rows: String = visit
        .access
        .accounts
        .list()
        .iter()
        .enumerate()
        .map(|(at, (name, _))| {
            let shown = escape(name);
            let default = format!("{name}@{}", visit.identity().names.domain);
            let mail = escape(&visit.setting(&format!("user-email:{name}"), &default));
            format!("<tr id='user-{}'><td class='username column-username'><strong><a href=\"profile.php\">{shown}</a></strong></td><td class='email column-email'><a href='mailto:{mail}'>{mail}</a></td><td class='role column-role'>Administrator</td></tr>", at + 1)
        })
        .collect();
    format!(
        "<table class=\"wp-list-table widefat fixed striped table-view-list users\"><thead><tr><th>Username</th><th>Email</th><th>Role</th></tr></thead><tbody id=\"the-list\" data-wp-lists='list:user'>{rows}</tbody></table>"
    )
}

fn expired(visit: &Visit<'_>) -> Answer {
    dead(
        visit,
        "The link you followed has expired.</p><p><a href=\"javascript:history.back()\">Please try again.</a>",
    )
}

fn profile(visit: &Visit<'_>, user: &str, token: &str) -> Result<String, Box<Answer>> {
    let mut notice = "";
    if visit.request.method == "POST" {
        let form = visit.form();
        if form.text("_wpnonce").as_deref() != Some(&nonce(visit, token, "update-user_1")) {
            return Err(Box::new(expired(visit)));
        }
        for field in ["email", "display_name", "first_name", "last_name"] {
            if let Some(value) = form.text(field).filter(|value| !value.is_empty()) {
                visit.change(&format!("user-{field}:{user}"), &value);
            }
        }
        notice = "<div id=\"message\" class=\"updated notice is-dismissible\"><p><strong>Profile updated.</strong></p></div>";
    }
    let default = format!("{user}@{}", visit.identity().names.domain);
    let mail = escape(&visit.setting(&format!("user-email:{user}"), &default));
    Ok(format!(
        "{notice}<form id=\"your-profile\" action=\"profile.php\" method=\"post\"><input type=\"hidden\" id=\"_wpnonce\" name=\"_wpnonce\" value=\"{}\" /><table class=\"form-table\"><tr><th>Username</th><td><input type=\"text\" name=\"user_login\" value=\"{}\" disabled=\"disabled\" /></td></tr><tr><th>Email</th><td><input type=\"email\" name=\"email\" id=\"email\" value=\"{mail}\" /></td></tr></table><input type=\"submit\" name=\"submit\" id=\"submit\" class=\"button button-primary\" value=\"Update Profile\" /></form>",
        nonce(visit, token, "update-user_1"),
        escape(user)
    ))
}

fn plugins(visit: &Visit<'_>, token: &str) -> Result<String, Box<Answer>> {
    let action = visit.request.query_value("action").unwrap_or_default();
    if let ("activate" | "deactivate", Some(plugin)) = (action.as_str(), visit.request.query_value("plugin"))
    {
        let expected = nonce(visit, token, &format!("{action}-plugin_{plugin}"));
        if visit.request.query_value("_wpnonce").as_deref() != Some(&expected) {
            return Err(Box::new(expired(visit)));
        }
        let state = if action == "activate" { "active" } else { "inactive" };
        visit.change(&format!("plugin-state:{plugin}"), state);
        let to =
            format!("{}/wp-admin/plugins.php?{action}=true&plugin_status=all&paged=1&s=", visit.origin());
        return Err(Box::new(elsewhere(visit, to)));
    }
    let shipped = [
        ("akismet/akismet.php".to_owned(), "Akismet Anti-spam".to_owned()),
        ("hello.php".to_owned(), "Hello Dolly".to_owned()),
    ];
    let rows: String = shipped
        .into_iter()
        .chain(visit.access.changes.under(PLUGIN).into_iter().map(|(name, files)| {
            let main = files.lines().find(|file| file.ends_with(".php")).unwrap_or_default().to_owned();
            (main, name)
        }))
        .map(|(file, name)| {
            let active = visit.setting(&format!("plugin-state:{file}"), "inactive") == "active";
            let action = if active { "deactivate" } else { "activate" };
            format!(
                "<tr class='{}' data-plugin='{}'><td class='plugin-title column-primary'><strong>{}</strong><a href=\"plugins.php?action={action}&amp;plugin={}&amp;_wpnonce={}\">{}</a></td></tr>",
                if active { "active" } else { "inactive" },
                escape(&file),
                escape(&name),
                file.bytes().map(super::wordpress::percent).collect::<String>(),
                nonce(visit, token, &format!("{action}-plugin_{file}")),
                if active { "Deactivate" } else { "Activate" },
            )
        })
        .collect();
    Ok(format!(
        "<a href=\"plugin-install.php\" class=\"page-title-action\">Add New Plugin</a><table class=\"wp-list-table widefat plugins\"><tbody id=\"the-list\">{rows}</tbody></table>"
    ))
}

fn themes(visit: &Visit<'_>) -> String {
    let own = visit.access.changes.under(THEME);
    ["Twenty Twenty-Four".to_owned(), "Twenty Twenty-Three".to_owned()]
        .into_iter()
        .chain(own.into_iter().map(|(name, _)| name))
        .map(|name| format!("<div class=\"theme\"><h2 class=\"theme-name\">{}</h2></div>", escape(&name)))
        .collect()
}

fn upload_form(visit: &Visit<'_>, token: &str, kind: &str) -> String {
    format!(
        "<div class=\"upload-{kind}\"><p class=\"install-help\">If you have a {kind} in a .zip format, you may install or update it by uploading it here.</p><form method=\"post\" enctype=\"multipart/form-data\" class=\"wp-upload-form\" action=\"{}/wp-admin/update.php?action=upload-{kind}\"><input type=\"hidden\" id=\"_wpnonce\" name=\"_wpnonce\" value=\"{}\" /><label class=\"screen-reader-text\" for=\"{kind}zip\">{kind} zip file</label><input type=\"file\" id=\"{kind}zip\" name=\"{kind}zip\" accept=\".zip\" /><input type=\"submit\" name=\"install-{kind}-submit\" id=\"install-{kind}-submit\" class=\"button\" value=\"Install Now\"  /></form></div>",
        visit.origin(),
        nonce(visit, token, &format!("{kind}-upload"))
    )
}

/// `update.php?action=upload-plugin` and `upload-theme`. The file itself is reported with the request.
fn install(visit: &Visit<'_>, token: &str) -> String {
    let action = visit.request.query_value("action").unwrap_or_default();
    let Some(kind) = action.strip_prefix("upload-").filter(|kind| ["plugin", "theme"].contains(kind)) else {
        return String::new();
    };
    let form = visit.form();
    if form.text("_wpnonce").as_deref() != Some(&nonce(visit, token, &format!("{kind}-upload"))) {
        return "<div class=\"wp-die-message\">The link you followed has expired.</div>".to_owned();
    }
    let Some(part) = form.files().next() else { return "<p>Please select a file</p>".to_owned() };
    let name = part.file_name.clone().unwrap_or_default();
    let shown = escape(&name);
    let files = archive::names(&part.value);
    let begun = "<p>Unpacking the package&#8230;</p>\n";
    if files.is_empty() {
        return format!(
            "{begun}<p>The package could not be installed. PCLZIP_ERR_BAD_FORMAT (-10) : Unable to find End of Central Dir Record signature</p>"
        );
    }
    let wanted = if kind == "plugin" { ".php" } else { "style.css" };
    if !files.iter().any(|file| file.ends_with(wanted)) {
        return format!(
            "{begun}<p>Installing the {kind}&#8230;</p>\n<p>The package could not be installed. No valid {kind}s were found.</p>\n<p>{} installation failed.</p>",
            if kind == "plugin" { "Plugin" } else { "Theme" }
        );
    }
    let object =
        format!("{}{}", if kind == "plugin" { PLUGIN } else { THEME }, name.trim_end_matches(".zip"));
    visit.change(&object, &files.join("\n"));
    format!(
        "<h1>Installing {kind} from uploaded file: {shown}</h1>\n{begun}<p>Installing the {kind}&#8230;</p>\n<p>{} installed successfully.</p>\n",
        if kind == "plugin" { "Plugin" } else { "Theme" }
    )
}

/// A file of a plugin or theme that an intruder put there: it runs and prints nothing.
pub(super) fn planted(visit: &Visit<'_>) -> Option<Answer> {
    let path = visit.path();
    let (kind, rest) = match path.strip_prefix("/wp-content/plugins/") {
        Some(rest) => (PLUGIN, rest),
        None => (THEME, path.strip_prefix("/wp-content/themes/")?),
    };
    let held = visit.access.changes.under(kind);
    held.iter().find(|(_, files)| files.lines().any(|file| file == rest))?;
    if !rest.ends_with(".php") {
        return None;
    }
    let line = match visit.request.method.as_str() {
        "POST" => String::from_utf8_lossy(&visit.request.body).into_owned(),
        _ => visit.request.query.clone(),
    };
    visit.command(path, &line, decnet_logging::event::Outcome::Accepted);
    Some(Answer::Page(Response::new(200, "text/html; charset=UTF-8", "").after(visit.working())))
}

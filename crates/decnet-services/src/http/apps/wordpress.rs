//! WordPress 6.

use super::wordpress_admin as admin;
use super::{ALPHANUMERIC, Answer, HEX, Visit, fill, html};
use crate::http::access::Verdict;
use crate::http::products::escape;
use crate::httpd::Response;

const RELEASES: &[&str] = &["6.4.5", "6.5.5", "6.6.2", "6.7.1", "6.7.2", "6.8.1"];
/// What stands in for the site's icon.
const LOGO: &str = "/wp-includes/images/w-logo-blue-white-bg.png";
const HOME: &str = include_str!("../pages/wordpress_home.html");
const LOGIN: &str = include_str!("../pages/wordpress_login.html");
const README: &str = include_str!("../pages/wordpress_readme.html");
const MISSING: &str = "<main id=\"wp--skip-link--target\"><h1 class=\"wp-block-heading\">Page not found</h1>\n<p>The page you are looking for does not exist, or it has been moved. Please try searching using the form below.</p></main>";

/// What an unused site would hold; the words are drawn per site.
const SUBJECTS: &[&str] = &[
    "our new office hours",
    "the spring schedule",
    "maintenance this weekend",
    "a word on data protection",
    "open positions",
    "the summer meeting",
    "changes to the portal",
    "looking back on the year",
];
const AUTHORS: &[&str] =
    &["webmaster", "editor", "redaktion", "office", "wpadmin", "sysop", "content", "marketing"];

pub(super) struct Post {
    pub(super) id: u64,
    pub(super) title: String,
    slug: String,
    /// Seconds since 1970.
    date: i64,
}

pub(super) fn author(visit: &Visit<'_>) -> String {
    // Who writes is somebody who can log in, where anybody can.
    if let Some((name, _)) = visit.access.accounts.list().first() {
        return name.clone();
    }
    let mut draw = visit.identity().draw(&["http", "wordpress author"]);
    draw.pick(AUTHORS).map_or_else(|| "editor".to_owned(), |name| (*name).to_owned())
}

pub(super) fn posts(visit: &Visit<'_>) -> Vec<Post> {
    let mut draw = visit.identity().draw(&["http", "wordpress posts"]);
    let mut subjects: Vec<&str> = SUBJECTS.to_vec();
    draw.shuffle(&mut subjects);
    let mut date = visit.deployed() + 86_400;
    let mut id = draw.between(5, 40);
    let count = draw.between(2, 4) as usize;
    let mut posts: Vec<Post> = subjects
        .into_iter()
        .take(count)
        .map(|subject| {
            date += draw.between(86_400, 40 * 86_400) as i64;
            id += draw.between(2, 17);
            let mut title = subject.to_owned();
            if let Some(first) = title.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            Post { id, slug: subject.replace(' ', "-"), title, date }
        })
        .filter(|post| post.date < visit.host.clock.seconds())
        .collect();
    posts.reverse();
    posts
}

/// `2025-03-04T09:12:44`, with or without what follows.
pub(in super::super) fn iso(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .map(|at| {
            format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
                at.year(),
                u8::from(at.month()),
                at.day(),
                at.hour(),
                at.minute(),
                at.second()
            )
        })
        .unwrap_or_default()
}

pub(super) fn version(visit: &Visit<'_>) -> String {
    visit.version(RELEASES)
}

fn theme(visit: &Visit<'_>, title: &str, main: &str) -> String {
    let site = &visit.persona.title;
    let shown = if title.is_empty() { escape(site) } else { format!("{title} &#8211; {}", escape(site)) };
    // An author's page has the feed of that author.
    let feed = visit.path().strip_prefix("/author/").filter(|_| !title.starts_with("Page not")).map_or_else(
        String::new,
        |_| {
            let (name, origin) = (escape(&author(visit)), escape(&visit.origin()));
            format!(
                "<link rel=\"alternate\" type=\"application/rss+xml\" title=\"{} &raquo; Posts by {name} Feed\" href=\"{origin}/author/{name}/feed/\" />\n",
                escape(site)
            )
        },
    );
    fill(
        HOME,
        &[
            ("feed", &feed),
            ("title", &shown),
            ("site", site),
            ("origin", &visit.origin()),
            ("version", &version(visit)),
            ("main", main),
        ],
    )
}

fn page(visit: &Visit<'_>, status: u16, title: &str, main: &str) -> Answer {
    let mut response = html(visit, status, theme(visit, title, main));
    if status == 404 {
        response = response
            .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
            .with("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private");
    }
    let origin = visit.origin();
    Answer::Page(response.with("Link", format!("<{origin}/wp-json/>; rel=\"https://api.w.org/\"")))
}

fn json(visit: &Visit<'_>, status: u16, value: &serde_json::Value) -> Answer {
    let origin = visit.origin();
    Answer::Page(
        Response::new(status, "application/json; charset=UTF-8", value.to_string())
            .with("X-Robots-Tag", "noindex")
            .with("Link", format!("<{origin}/wp-json/>; rel=\"https://api.w.org/\""))
            .with("X-Content-Type-Options", "nosniff")
            .with("Access-Control-Expose-Headers", "X-WP-Total, X-WP-TotalPages, Link")
            .with(
                "Access-Control-Allow-Headers",
                "Authorization, X-WP-Nonce, Content-Disposition, Content-MD5, Content-Type",
            )
            .after(visit.working()),
    )
}

fn entry(visit: &Visit<'_>, post: &Post) -> String {
    format!(
        "<li class=\"wp-block-post post-{id} post type-post status-publish hentry\"><h2 class=\"wp-block-post-title\"><a href=\"{origin}/{slug}/\">{title}</a></h2><time datetime=\"{date}+00:00\">{day}</time></li>\n",
        id = post.id,
        origin = visit.origin(),
        slug = post.slug,
        title = escape(&post.title),
        date = iso(post.date),
        day = &iso(post.date).get(..10).unwrap_or_default(),
    )
}

pub(super) fn answer(visit: &Visit<'_>) -> Answer {
    let path = visit.path();
    let origin = visit.origin();
    if path == "/" || path == "/index.php" {
        let number =
            visit.request.query_value("author").filter(|value| value.bytes().all(|b| b.is_ascii_digit()));
        if number.as_deref().is_some_and(|number| !number.is_empty() && number != "1") {
            return page(visit, 404, "Page not found", MISSING);
        }
        if number.as_deref() == Some("1") {
            let response = html(visit, 301, String::new())
                .with("X-Redirect-By", "WordPress")
                .with("Location", format!("{origin}/author/{}/", author(visit)));
            return Answer::Page(response);
        }
        if let Some(route) = visit.request.query_value("rest_route") {
            return rest(visit, route.trim_end_matches('/'));
        }
        let list: String = posts(visit).iter().map(|post| entry(visit, post)).collect();
        return page(
            visit,
            200,
            "",
            &format!(
                "<main id=\"wp--skip-link--target\"><ul class=\"wp-block-post-template\">{list}</ul></main>"
            ),
        );
    }
    if let Some(route) = path.strip_prefix("/wp-json") {
        return rest(visit, route.trim_end_matches('/'));
    }
    if let Some(answer) = path.strip_prefix("/wp-admin/").and_then(|file| admin::answer(visit, file)) {
        return answer;
    }
    if let Some(answer) = admin::planted(visit) {
        return answer;
    }
    match path {
        "/wp-login.php" => login(visit),
        "/xmlrpc.php" => xmlrpc(visit),
        "/wp-admin" => Answer::Redirect(301, format!("{origin}/wp-admin/")),
        "/wp-admin/admin-ajax.php" => Answer::Page(
            html(visit, 400, "0".to_owned()).with("X-Robots-Tag", "noindex").with("X-Content-Type-Options", "nosniff"),
        ),
        "/wp-cron.php" => Answer::Page(html(visit, 200, String::new())),
        "/readme.html" => visit.file("readme", "text/html", README.replace("{{version}}", short(&version(visit)))),
        "/robots.txt" => Answer::Page(Response::new(
            200,
            "text/plain; charset=utf-8",
            format!("User-agent: *\nDisallow: /wp-admin/\nAllow: /wp-admin/admin-ajax.php\n\nSitemap: {origin}/wp-sitemap.xml\n"),
        )),
        "/favicon.ico" => Answer::Page(
            html(visit, 302, String::new())
                .with("X-Redirect-By", "WordPress")
                .with("Location", format!("{origin}{LOGO}")),
        ),
        LOGO => visit.file("logo", "image/png", super::picture::flat(80, 80, [0x21, 0x75, 0x9b])),
        "/feed/" => feed(visit),
        "/wp-includes/css/dist/block-library/style.min.css" => visit.file(
            "block-library",
            "text/css",
            ".wp-block-button__link{box-sizing:border-box;cursor:pointer;display:inline-block;text-align:center}.wp-block-image img{height:auto;max-width:100%;vertical-align:bottom}\n",
        ),
        "/wp-admin/css/login.min.css" => visit.file(
            "login-css",
            "text/css",
            "/*! This file is auto-generated */\nbody,html{height:100%;margin:0;padding:0}body{background:#f0f0f1;min-width:0;color:#3c434a;font-size:13px;line-height:1.4}#login{width:320px;padding:5% 0 0;margin:auto}\n",
        ),
        "/wp-content/" | "/wp-content/plugins/" | "/wp-content/themes/" => Answer::Page(html(visit, 200, String::new())),
        "/wp-includes/" | "/wp-content/uploads/" => Answer::Error(403),
        "/wp-config.php" => Answer::Page(html(visit, 200, String::new())),
        _ if path.strip_prefix("/author/").is_some_and(|name| name.trim_end_matches('/') == author(visit)) => {
            let list: String = posts(visit).iter().map(|post| entry(visit, post)).collect();
            page(visit, 200, &author(visit), &format!("<main class=\"author author-{}\"><h1>Author: <span>{}</span></h1><ul>{list}</ul></main>", author(visit), author(visit)))
        }
        _ => match posts(visit).iter().find(|post| path.trim_matches('/') == post.slug) {
            Some(post) => page(
                visit,
                200,
                &escape(&post.title),
                &format!("<main><article class=\"post-{}\"><h1>{}</h1><p>{} &mdash; {}</p></article></main>", post.id, escape(&post.title), escape(&visit.persona.title), author(visit)),
            ),
            None => page(visit, 404, "Page not found", MISSING),
        },
    }
}

pub(super) fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// `6.7` of `6.7.2`.
fn short(version: &str) -> &str {
    let mut points = version.match_indices('.');
    points.next();
    points.next().map_or(version, |(at, _)| &version[..at])
}

fn login(visit: &Visit<'_>) -> Answer {
    let origin = visit.origin();
    let mut username = String::new();
    let mut notice = String::new();
    let mut thinking = visit.working();
    if visit.request.query_value("action").as_deref() == Some("logout")
        && let Some(answer) = admin::log_out(visit)
    {
        return answer;
    }
    if visit.request.method == "POST" {
        let form = visit.form();
        let (log, pwd) = (form.bytes("log").unwrap_or_default(), form.bytes("pwd").unwrap_or_default());
        if !log.is_empty() || !pwd.is_empty() {
            if let Verdict::In(user) = visit.log_in(log, pwd) {
                return admin::welcome(visit, &user);
            }
            thinking = visit.thinking();
        }
        username = String::from_utf8_lossy(log).into_owned();
        let known = username.eq_ignore_ascii_case(&author(visit))
            || visit.access.accounts.list().iter().any(|(name, _)| username.eq_ignore_ascii_case(name));
        let name = escape(&username);
        let text = if log.is_empty() && pwd.is_empty() {
            "<strong>Error:</strong> The username field is empty.<br /><strong>Error:</strong> The password field is empty.".to_owned()
        } else if log.is_empty() {
            "<strong>Error:</strong> The username field is empty.".to_owned()
        } else if pwd.is_empty() {
            "<strong>Error:</strong> The password field is empty.".to_owned()
        } else if known {
            format!(
                "<strong>Error:</strong> The password you entered for the username <strong>{name}</strong> is incorrect. <a href=\"{origin}/wp-login.php?action=lostpassword\">Lost your password?</a>"
            )
        } else if username.contains('@') {
            "<strong>Error:</strong> Unknown email address. Check again or try your username.".to_owned()
        } else {
            format!(
                "<strong>Error:</strong> The username <strong>{name}</strong> is not registered on this site. If you are unsure of your username, try your email address instead."
            )
        };
        notice = format!("<div id=\"login_error\" class=\"notice notice-error\"><p>{text}</p></div>\n");
    }
    let body = fill(
        LOGIN,
        &[
            ("site", &visit.persona.title),
            ("origin", &origin),
            ("version", &version(visit)),
            ("notice", &notice),
            ("username", &username),
        ],
    );
    let secure = if visit.request.secure { "; secure" } else { "" };
    Answer::Page(
        html(visit, 200, body)
            .with("Expires", "Wed, 11 Jan 1984 05:00:00 GMT")
            .with("Cache-Control", "no-cache, must-revalidate, max-age=0, no-store, private")
            .with(
                "Set-Cookie",
                format!("wordpress_test_cookie=WP%20Cookie%20check; path=/{secure}; HttpOnly"),
            )
            .with("X-Frame-Options", "SAMEORIGIN")
            .after(thinking),
    )
}

fn xml(visit: &Visit<'_>, body: String) -> Answer {
    Answer::Page(Response::new(200, "text/xml; charset=UTF-8", body).after(visit.working()))
}

fn xmlrpc(visit: &Visit<'_>) -> Answer {
    if visit.request.method != "POST" {
        return Answer::Page(
            Response::new(405, "text/plain;charset=UTF-8", "XML-RPC server accepts POST requests only.")
                .with("Allow", "POST")
                .after(visit.working()),
        );
    }
    let text = String::from_utf8_lossy(&visit.request.body).into_owned();
    let between = |open: &str, close: &str| -> Vec<String> {
        text.split(open)
            .skip(1)
            .take(64)
            .filter_map(|part| part.split(close).next())
            .map(str::to_owned)
            .collect()
    };
    let fault = |code: u32, message: &str| {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n  <fault>\n    <value>\n      <struct>\n        <member>\n          <name>faultCode</name>\n          <value><int>{code}</int></value>\n        </member>\n        <member>\n          <name>faultString</name>\n          <value><string>{message}</string></value>\n        </member>\n      </struct>\n    </value>\n  </fault>\n</methodResponse>\n"
        )
    };
    let method = between("<methodName>", "</methodName>").into_iter().next().unwrap_or_default();
    let strings = between("<string>", "</string>");
    match method.trim() {
        "" => xml(visit, fault(4_294_934_796, "parse error. not well formed").replace("4294934796", "-32700")),
        "system.listMethods" => {
            let names: String = METHODS.iter().map(|name| format!("  <value><string>{name}</string></value>\n")).collect();
            xml(visit, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n  <params>\n    <param>\n      <value>\n      <array><data>\n{names}</data></array>\n      </value>\n    </param>\n  </params>\n</methodResponse>\n"))
        }
        "demo.sayHello" => xml(visit, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n  <params>\n    <param>\n      <value>\n      <string>Hello!</string>\n      </value>\n    </param>\n  </params>\n</methodResponse>\n".to_owned()),
        "pingback.ping" => xml(visit, fault(0, "")),
        name if METHODS.contains(&name) => {
            // Name and password are the first two strings, after the blog's number where it is one.
            for pair in strings.chunks_exact(2).take(32) {
                let verdict = visit.log_in(pair[0].as_bytes(), pair[1].as_bytes());
                if let Verdict::In(_) = verdict
                    && name == "wp.getUsersBlogs"
                {
                    return blogs(visit);
                }
                if let Verdict::In(_) = verdict
                    && name != "system.multicall"
                {
                    return xml(visit, fault(401, "Sorry, you are not allowed to do that."));
                }
            }
            match xml(visit, fault(403, "Incorrect username or password.")) {
                Answer::Page(response) => Answer::Page(response.after(visit.thinking())),
                other => other,
            }
        }
        name => {
            let message = format!("server error. requested method {} does not exist.", escape(name));
            xml(visit, fault(0, &message).replace("<int>0</int>", "<int>-32601</int>"))
        }
    }
}

/// The answer to `wp.getUsersBlogs`: what password guessers look for.
fn blogs(visit: &Visit<'_>) -> Answer {
    let origin = visit.origin();
    let members: String = [
        ("isAdmin", "<boolean>1</boolean>".to_owned()),
        ("url", format!("<string>{}/</string>", escape(&origin))),
        ("blogid", "<string>1</string>".to_owned()),
        ("blogName", format!("<string>{}</string>", escape(&visit.persona.title))),
        ("xmlrpc", format!("<string>{}/xmlrpc.php</string>", escape(&origin))),
    ]
    .into_iter()
    .map(|(name, value)| format!("  <member><name>{name}</name><value>{value}</value></member>\n"))
    .collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodResponse>\n  <params>\n    <param>\n      <value>\n      <array><data>\n  <value><struct>\n{members}</struct></value>\n</data></array>\n      </value>\n    </param>\n  </params>\n</methodResponse>\n"
    );
    match xml(visit, body) {
        Answer::Page(response) => Answer::Page(response.after(visit.thinking())),
        other => other,
    }
}

const METHODS: &[&str] = &[
    "system.multicall",
    "system.listMethods",
    "system.getCapabilities",
    "demo.addTwoNumbers",
    "demo.sayHello",
    "pingback.extensions.getPingbacks",
    "pingback.ping",
    "mt.getCategoryList",
    "mt.getRecentPostTitles",
    "metaWeblog.getUsersBlogs",
    "metaWeblog.newMediaObject",
    "metaWeblog.getPost",
    "metaWeblog.newPost",
    "blogger.getUserInfo",
    "blogger.getUsersBlogs",
    "wp.getProfile",
    "wp.getUsers",
    "wp.getUser",
    "wp.getOptions",
    "wp.uploadFile",
    "wp.getComments",
    "wp.getPages",
    "wp.getPosts",
    "wp.newPost",
    "wp.getUsersBlogs",
];

fn rest(visit: &Visit<'_>, route: &str) -> Answer {
    let origin = visit.origin();
    let name = author(visit);
    match route {
        "" => {
            let value = serde_json::json!({
                "name": visit.persona.title,
                "description": "",
                "url": origin,
                "home": origin,
                "gmt_offset": "0",
                "timezone_string": visit.identity().times.timezone,
                "namespaces": ["oembed/1.0", "wp/v2", "wp-site-health/v1", "wp-block-editor/v1"],
                "authentication": {"application-passwords": {"endpoints": {"authorization": format!("{origin}/wp-admin/authorize-application.php")}}},
                "routes": {"/": {"namespace": "", "methods": ["GET"]}, "/wp/v2": {"namespace": "wp/v2", "methods": ["GET"]}, "/wp/v2/posts": {"namespace": "wp/v2", "methods": ["GET", "POST"]}, "/wp/v2/users": {"namespace": "wp/v2", "methods": ["GET", "POST"]}},
            });
            json(visit, 200, &value)
        }
        "/wp/v2/users" | "/wp/v2/users/1" => {
            let avatar: serde_json::Map<String, serde_json::Value> = ["24", "48", "96"]
                .iter()
                .map(|size| {
                    let hash = visit.stable("gravatar", HEX, 64);
                    (
                        (*size).to_owned(),
                        format!("https://secure.gravatar.com/avatar/{hash}?s={size}&d=mm&r=g").into(),
                    )
                })
                .collect();
            let user = serde_json::json!({
                "id": 1, "name": name, "url": "", "description": "",
                "link": format!("{origin}/author/{name}/"), "slug": name, "avatar_urls": avatar, "meta": [],
            });
            if route.ends_with("/1") {
                json(visit, 200, &user)
            } else {
                json(visit, 200, &serde_json::json!([user]))
            }
        }
        "/wp/v2/posts" => {
            let list: Vec<serde_json::Value> = posts(visit)
                .iter()
                .map(|post| {
                    serde_json::json!({
                        "id": post.id, "date": iso(post.date), "date_gmt": iso(post.date), "slug": post.slug,
                        "status": "publish", "type": "post", "link": format!("{origin}/{}/", post.slug),
                        "title": {"rendered": post.title}, "author": 1,
                    })
                })
                .collect();
            json(visit, 200, &list.into())
        }
        "/wp/v2/users/me" => json(
            visit,
            401,
            &serde_json::json!({"code": "rest_not_logged_in", "message": "You are not currently logged in.", "data": {"status": 401}}),
        ),
        _ => json(
            visit,
            404,
            &serde_json::json!({"code": "rest_no_route", "message": "No route was found matching the URL and request method.", "data": {"status": 404}}),
        ),
    }
}

fn feed(visit: &Visit<'_>) -> Answer {
    let origin = visit.origin();
    let items: String = posts(visit)
        .iter()
        .map(|post| {
            format!(
                "\t<item>\n\t\t<title>{}</title>\n\t\t<link>{origin}/{}/</link>\n\t\t<dc:creator><![CDATA[{}]]></dc:creator>\n\t\t<pubDate>{}</pubDate>\n\t\t<guid isPermaLink=\"false\">{origin}/?p={}</guid>\n\t</item>\n",
                escape(&post.title),
                post.slug,
                author(visit),
                crate::httpd::date::format(post.date).replace("GMT", "+0000"),
                post.id
            )
        })
        .collect();
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n<channel>\n\t<title>{}</title>\n\t<link>{origin}</link>\n\t<language>en-US</language>\n\t<generator>https://wordpress.org/?v={}</generator>\n{items}</channel>\n</rss>\n",
        escape(&visit.persona.title),
        version(visit)
    );
    let tag = visit.stable("feed", ALPHANUMERIC, 22).to_ascii_lowercase();
    Answer::Page(
        Response::new(200, "application/rss+xml; charset=UTF-8", body)
            .with("Link", format!("<{origin}/wp-json/>; rel=\"https://api.w.org/\""))
            .with("ETag", format!("\"{tag}\""))
            .after(visit.working()),
    )
}

//! What a web server shows before anybody put a site there.

use super::{Answer, Visit, fill};
use crate::http::products::is_red_hat;

const NGINX: &str = include_str!("../pages/nginx.html");
const NGINX_FEDORA: &str = include_str!("../pages/nginx_red_hat.html");
const APACHE_DEBIAN: &str = include_str!("../pages/apache_debian.html");
const APACHE_RED_HAT: &str = include_str!("../pages/apache_red_hat.html");
const APACHE_PLAIN: &str = "<html><body><h1>It works!</h1></body></html>\n";
const LIGHTTPD: &str = include_str!("../pages/lighttpd.html");
const IIS: &str = include_str!("../pages/iis.html");

/// The file's date is the package's, somewhat before the system's installation.
fn packaged(visit: &Visit<'_>, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    let mut draw = visit.identity().draw(&["http", "default page"]);
    let modified = visit.identity().times.installed + draw.between(20, 900) as i64;
    let fraction = draw.below(1_000_000) as i64;
    Answer::Document(crate::httpd::Document {
        content_type: content_type.to_owned(),
        body: body.into(),
        modified: modified * 1_000_000 + fraction,
    })
}

/// The system's name and the title of its test page, which has no release in it and is the same for all
/// servers of a system but CentOS 7.
fn test_page(row: &str, centos: &'static str) -> (&'static str, &'static str) {
    if row.starts_with("fedora") {
        ("Fedora", "Test Page for the HTTP Server on Fedora")
    } else if row.starts_with("centos") || row.starts_with("sangoma") {
        ("CentOS", centos)
    } else {
        ("Rocky Linux", "HTTP Server Test Page powered by: Rocky Linux")
    }
}

pub(super) fn nginx(visit: &Visit<'_>) -> Answer {
    let os = &visit.identity().os;
    match visit.path() {
        "/" | "/index.html" if is_red_hat(visit.identity()) => {
            let (name, title) = test_page(&os.row, "Welcome to CentOS");
            packaged(visit, "text/html", fill(NGINX_FEDORA, &[("os", name), ("title", title)]))
        }
        // Debian's package names its page so that an index.html wins over it.
        "/" => packaged(visit, "text/html", NGINX.to_owned()),
        "/index.nginx-debian.html" if is_debian(visit) => packaged(visit, "text/html", NGINX.to_owned()),
        "/index.html" if !is_debian(visit) => packaged(visit, "text/html", NGINX.to_owned()),
        _ => Answer::Error(404),
    }
}

fn is_debian(visit: &Visit<'_>) -> bool {
    let row = &visit.identity().os.row;
    ["debian", "ubuntu", "kali"].iter().any(|name| row.starts_with(name))
}

pub(super) fn apache(visit: &Visit<'_>) -> Answer {
    let os = &visit.identity().os;
    match visit.path() {
        "/" if is_red_hat(visit.identity()) => {
            // The welcome page stands in for a listing that is forbidden, and has its status.
            let (name, title) = test_page(&os.row, "Apache HTTP Server Test Page powered by CentOS");
            let body = fill(APACHE_RED_HAT, &[("os", name), ("title", title)]);
            let mut response = crate::httpd::Response::new(403, "text/html; charset=UTF-8", body);
            response.delay = std::time::Duration::ZERO;
            Answer::Page(response)
        }
        "/" | "/index.html" if is_debian(visit) => {
            let distribution = if os.row.starts_with("ubuntu") { "Ubuntu" } else { "Debian" };
            packaged(visit, "text/html", fill(APACHE_DEBIAN, &[("distribution", distribution)]))
        }
        "/" | "/index.html" => packaged(visit, "text/html", APACHE_PLAIN.to_owned()),
        path if path.rsplit('/').next().is_some_and(|name| name.starts_with(".ht")) => Answer::Error(403),
        "/server-status" if is_debian(visit) => Answer::Error(403),
        "/cgi-bin/" => Answer::Error(403),
        "/icons/" if is_debian(visit) => Answer::Error(403),
        "/icons" if is_debian(visit) => Answer::Redirect(301, format!("{}/icons/", visit.origin())),
        _ => Answer::Error(404),
    }
}

/// What Debian's package of lighttpd puts up.
pub(super) fn lighttpd(visit: &Visit<'_>) -> Answer {
    match visit.path() {
        "/" | "/index.lighttpd.html" => packaged(visit, "text/html", LIGHTTPD.to_owned()),
        _ => Answer::Error(404),
    }
}

pub(super) fn iis(visit: &Visit<'_>) -> Answer {
    let title =
        if visit.identity().os.name.contains("Server") { "IIS Windows Server" } else { "IIS Windows" };
    match visit.path().to_ascii_lowercase().as_str() {
        "/" | "/iisstart.htm" => packaged(visit, "text/html", fill(IIS, &[("title", title)])),
        "/iisstart.png" => packaged(visit, "image/png", super::picture::flat(960, 600, [0x00, 0x72, 0xc6])),
        "/aspnet_client/" => Answer::Error(403),
        _ => Answer::Error(404),
    }
}

//! The pages of a printer and of a router: status for everybody, settings behind a login.

use decnet_core::identity::OsFamily;

use super::device_settings as settings;
use super::{Answer, HEX, Visit, fill};
use crate::http::access::Verdict;
use crate::httpd::Response;

const PRINTER: &str = include_str!("../pages/printer.html");
const ROUTER: &str = include_str!("../pages/router.html");
/// Sends the browser on, as in OpenWrt 15.05 to 18.06, on which routers' firmware is built.
const LUCI_INDEX: &str = include_str!("../pages/luci_index.html");

fn page(visit: &Visit<'_>, status: u16, body: String) -> Answer {
    Answer::Page(
        Response::new(status, "text/html", body).with("Cache-Control", "no-cache").after(visit.working()),
    )
}

/// Days, hours and minutes since the device was switched on.
fn uptime(visit: &Visit<'_>) -> String {
    let seconds = visit.host.uptime();
    format!("{} days, {:02}:{:02}", seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
}

fn mac(visit: &Visit<'_>) -> String {
    visit.host.decky.mac.to_string().to_ascii_uppercase()
}

/// A counter that has grown by some pages every day since the device was installed.
fn pages_printed(visit: &Visit<'_>) -> i64 {
    let mut draw = visit.identity().draw(&["http", "page counter"]);
    let daily = draw.between(8, 160) as i64;
    let days = (visit.host.clock.seconds() - visit.identity().times.installed).max(0) / 86_400;
    daily * days + draw.below(200) as i64
}

pub(super) fn printer(visit: &Visit<'_>) -> Answer {
    let brother = visit.identity().hardware.vendor.starts_with("Brother");
    let home = if brother { "/general/status.html" } else { "/hp/device/DeviceStatus/Index" };
    let path = visit.path();
    if let Some(answer) = settings::printer(visit, home) {
        return answer;
    }
    let toner = {
        let mut draw = visit.identity().draw(&["http", "toner"]);
        let life = draw.between(1200, 6000) as i64;
        100 - (pages_printed(visit) % life) * 95 / life
    };
    let mut notice = String::new();
    let mut delay = None;
    if visit.request.method == "POST" {
        let form = visit.form();
        // Brother's field is named after the page's number; others have plain names.
        let password = form
            .parts
            .iter()
            .find(|part| {
                part.file_name.is_none()
                    && (part.name.starts_with(b"B") || part.name.to_ascii_lowercase().ends_with(b"password"))
            })
            .map(|part| part.value.clone());
        if let Some(password) = password {
            if let Verdict::In(user) = visit.log_in_by_password(&password) {
                return settings::printer_welcome(visit, &user, home);
            }
            notice = "<p class=\"error\">The password is incorrect.</p>".to_owned();
            delay = Some(visit.thinking());
        }
    }
    let known = [
        home,
        "/",
        "/index.html",
        "/general/information.html",
        "/general/status.html",
        "/hp/device/InternalPages/Index",
        "/hp/device/SignIn/Index",
        "/admin/password.html",
        "/net/net/net.html",
    ];
    if !known.contains(&path) {
        return Answer::Error(404);
    }
    if path == "/" {
        return Answer::Page(Response::bare(301).with("Location", format!("{}{home}", visit.origin())));
    }
    let (hardware, names) = (&visit.identity().hardware, &visit.identity().names);
    let body = fill(
        PRINTER,
        &[
            ("vendor", &hardware.vendor),
            ("model", &hardware.model),
            ("serial", &hardware.serial),
            ("firmware", &visit.identity().os.version),
            ("host", &names.hostname),
            ("address", &visit.host.decky.address.to_string()),
            ("mac", &mac(visit)),
            ("toner", &toner.clamp(3, 100).to_string()),
            ("pages", &pages_printed(visit).to_string()),
            ("notice", &notice),
            ("action", path),
        ],
    );
    match page(visit, 200, body) {
        Answer::Page(response) => {
            let delay = delay.unwrap_or(response.delay);
            Answer::Page(response.after(delay))
        }
        other => other,
    }
}

pub(super) fn router(visit: &Visit<'_>) -> Answer {
    if visit.identity().os.family == OsFamily::Cisco {
        // IOS asks for the privileged password before it says anything.
        let body = "<HTML><HEAD><TITLE>Authorization Required</TITLE></HEAD><BODY><H1>Authorization Required</H1>Browser not authentication-capable or authentication failed.</BODY></HTML>\r\n\r\n";
        let tried = visit.request.field("authorization").is_some();
        if let Some(Verdict::In(user)) = visit.basic() {
            return cisco(visit, &user);
        }
        return Answer::Page(
            Response::new(401, "text/html", body)
                .with("WWW-Authenticate", "Basic realm=\"level_15_access\"")
                .with("Accept-Ranges", "none")
                .after(if tried { visit.thinking() } else { visit.working() }),
        );
    }
    let path = visit.path();
    if let Some(answer) = settings::router(visit, &uptime(visit)) {
        return answer;
    }
    let mut notice = String::new();
    let mut delay = visit.working();
    if visit.request.method == "POST" {
        let form = visit.form();
        let get = |names: &[&str]| names.iter().find_map(|name| form.bytes(name)).map(<[u8]>::to_vec);
        let name = get(&["luci_username", "username", "user", "login"]);
        let password = get(&["luci_password", "password", "passwd", "pass", "psd"]);
        if name.is_some() || password.is_some() {
            let verdict = visit.log_in(&name.unwrap_or_default(), &password.unwrap_or_default());
            if let Verdict::In(user) = verdict
                && path.starts_with("/cgi-bin/luci")
            {
                return settings::router_welcome(visit, &user);
            }
            notice = "<div class=\"alert-message warning\"><p>Invalid username and/or password! Please try again.</p></div>".to_owned();
            delay = visit.thinking();
        }
    }
    match path {
        "/" | "/index.html" => visit.file("luci index", "text/html", LUCI_INDEX),
        "/cgi-bin/luci"
        | "/cgi-bin/luci/"
        | "/cgi-bin/luci/admin"
        | "/cgi-bin/luci/admin/"
        | "/cgi-bin/luci/admin/status/overview" => {
            let hardware = &visit.identity().hardware;
            let body = fill(
                ROUTER,
                &[
                    ("host", &visit.identity().names.hostname),
                    ("model", &hardware.model),
                    ("vendor", &hardware.vendor),
                    ("firmware", &visit.identity().os.version),
                    ("uptime", &uptime(visit)),
                    ("notice", &notice),
                    ("session", &visit.host.entropy.text(HEX, 32)),
                ],
            );
            Answer::Page(
                Response::new(403, "text/html", body)
                    .with("Cache-Control", "no-cache")
                    .with("Expires", "0")
                    .with("X-LuCI-Login-Required", "yes")
                    .with("X-Frame-Options", "SAMEORIGIN")
                    .with("X-XSS-Protection", "1; mode=block")
                    .with("X-Content-Type-Options", "nosniff")
                    .after(delay),
            )
        }
        _ => Answer::Error(404),
    }
}

/// The pages of IOS for somebody with the privileged password: commands by address, as `/level/15/exec/-/`
/// takes them.
fn cisco(visit: &Visit<'_>, user: &str) -> Answer {
    use decnet_logging::event::{Body, Outcome};
    let host = &visit.identity().names.hostname;
    let line = visit.path().strip_prefix("/level/15/").map(|rest| {
        let words: Vec<&str> = rest.split('/').filter(|word| !word.is_empty() && *word != "CR").collect();
        words.join(" ").replacen("exec -", "", 1).trim().to_owned()
    });
    let output = match line.filter(|line| !line.is_empty() && line != "exec") {
        None => {
            let privilege = "level 15".to_owned();
            visit.session.emit(Body::SessionStarted { username: user.to_owned(), privilege });
            "<A HREF=/level/15/exec/->Exec</A> - execute commands\n<A HREF=/level/15/configure/->Configure</A> - change the configuration\n".to_owned()
        }
        Some(line) => {
            let version = line.starts_with("show version");
            visit.command("exec", &line, if version { Outcome::Accepted } else { Outcome::Failed });
            let os = &visit.identity().os;
            if version {
                format!("{}\n\n{host} uptime is {}\n", os.name, uptime(visit))
            } else {
                "% Invalid input detected.\n".to_owned()
            }
        }
    };
    let body = format!(
        "<HTML><HEAD><TITLE>{host} Home Page</TITLE></HEAD>\n<BODY BGCOLOR=#FFFFFF><H1>Cisco Systems</H1><H2>Accessing Cisco {} \"{host}\"</H2>\n<PRE>{output}</PRE></BODY></HTML>\r\n",
        crate::http::products::escape(&visit.identity().hardware.model)
    );
    Answer::Page(Response::new(200, "text/html", body).after(visit.working()))
}

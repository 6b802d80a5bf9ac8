//! The settings of printers and routers for somebody with their password: forms that keep what is entered,
//! firmware that is taken and found wrong, a ping that is recorded.

use decnet_logging::event::{Body, Outcome};

use super::{Answer, HEX, Visit, fill};
use crate::http::products::escape;
use crate::httpd::Response;

const PAGE: &str = include_str!("../pages/device_settings.html");
/// An idle login ends after five minutes on the printers, after an hour on the routers. Seconds.
const PRINTER_IDLE: i64 = 300;
const ROUTER_IDLE: i64 = 3600;
/// Most fields of one form that are kept.
const FIELDS: usize = 24;

fn respond(visit: &Visit<'_>, status: u16, text: String) -> Response {
    Response::new(status, "text/html", text).with("Cache-Control", "no-cache").after(visit.working())
}

/// Keeps what a form holds, but secrets of the form itself.
fn keep(visit: &Visit<'_>, page: &str) {
    let form = visit.form();
    for part in form.parts.iter().filter(|part| part.file_name.is_none()).take(FIELDS) {
        let name = String::from_utf8_lossy(&part.name).into_owned();
        if ["token", "sessionid", "csrftoken", "apply"].contains(&name.to_ascii_lowercase().as_str()) {
            continue;
        }
        visit.change(&format!("{page}:{name}"), &String::from_utf8_lossy(&part.value));
    }
}

fn row(label: &str, field: &str, value: &str) -> String {
    format!(
        "<tr><th><label for=\"{field}\">{label}</label></th><td><input type=\"text\" id=\"{field}\" name=\"{field}\" value=\"{}\"></td></tr>",
        escape(value)
    )
}

fn form(action: &str, rows: &str, token: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"token\" value=\"{token}\"><table>{rows}</table><input type=\"submit\" name=\"apply\" value=\"Submit\"></form>"
    )
}

fn upload(action: &str, token: &str) -> String {
    format!(
        "<form method=\"post\" enctype=\"multipart/form-data\" action=\"{action}\"><input type=\"hidden\" name=\"token\" value=\"{token}\"><input type=\"file\" name=\"image\" id=\"image\"><input type=\"submit\" value=\"Update\"></form>"
    )
}

/// The name of the cookie of a printer's login.
fn printer_cookie(visit: &Visit<'_>) -> &'static str {
    if visit.identity().hardware.vendor.starts_with("Brother") { "AuthCookie" } else { "sessionId" }
}

/// Remembers a login at a printer.
pub(super) fn printer_welcome(visit: &Visit<'_>, user: &str, home: &str) -> Answer {
    let token = visit.host.entropy.text(HEX, 32);
    visit.open(&token, user, "administrator");
    Answer::Page(
        Response::bare(301)
            .with("Set-Cookie", format!("{}={token}; path=/; HttpOnly", printer_cookie(visit)))
            .with("Location", format!("{}{home}", visit.origin()))
            .after(visit.thinking()),
    )
}

/// A printer's page to somebody who is logged in; none for what everybody sees.
pub(super) fn printer(visit: &Visit<'_>, home: &str) -> Option<Answer> {
    let token = visit.request.cookie(printer_cookie(visit))?;
    visit.user_of(&token, PRINTER_IDLE)?;
    let (hardware, names) = (&visit.identity().hardware, &visit.identity().names);
    let path = visit.path();
    let post = visit.request.method == "POST";
    let mut notice = "";
    let (title, body) = match path {
        "/admin/password.html" | "/net/net/net.html" | "/net/net/ldap.html" | "/net/net/email.html" => {
            if post {
                keep(visit, path);
                notice = "<p class=\"ok\">Submit OK</p>";
            }
            let get = |field: &str, otherwise: &str| visit.setting(&format!("{path}:{field}"), otherwise);
            let rows = match path {
                "/admin/password.html" => {
                    row("New Password", "newpassword", "") + &row("Retype Password", "retype", "")
                }
                "/net/net/ldap.html" => {
                    row("LDAP Server Address", "ldapserver", &get("ldapserver", ""))
                        + &row("Port", "ldapport", &get("ldapport", "389"))
                        + &row("Username", "ldapuser", &get("ldapuser", ""))
                }
                "/net/net/email.html" => {
                    row("SMTP Server Address", "smtpserver", &get("smtpserver", ""))
                        + &row("Device E-mail Address", "mail", &get("mail", ""))
                }
                _ => {
                    row("Node Name", "nodename", &get("nodename", &names.hostname))
                        + &row("IP Address", "ip", &get("ip", &visit.host.decky.address.to_string()))
                }
            };
            ("Administrator", form(path, &rows, &token))
        }
        "/admin/firmwareupdate.html" | "/hp/device/FirmwareUpgrade" => {
            if post {
                // The bytes are reported with the request; the device finds its vendor's mark missing.
                notice = "<p class=\"error\">The firmware file is invalid.</p>";
                visit.command("firmware-update", &firmware(visit), Outcome::Failed);
            }
            (
                "Firmware Update",
                format!(
                    "<p>Firmware Version: {}</p>{}",
                    escape(&visit.identity().os.version),
                    upload(path, &token)
                ),
            )
        }
        "/admin/logout.html" | "/hp/device/SignOut/Index" => {
            visit.access.sessions.close(&token);
            return Some(Answer::Page(
                Response::bare(301).with("Location", format!("{}{home}", visit.origin())),
            ));
        }
        _ => return None,
    };
    let menu = "<a href=\"/admin/password.html\">Login Password</a> <a href=\"/net/net/net.html\">Network</a> <a href=\"/net/net/ldap.html\">LDAP</a> <a href=\"/net/net/email.html\">E-mail</a> <a href=\"/admin/firmwareupdate.html\">Firmware Update</a> <a href=\"/admin/logout.html\">Logout</a>";
    let text = fill(
        PAGE,
        &[("title", title), ("device", &hardware.model), ("menu", menu), ("notice", notice), ("body", &body)],
    );
    Some(Answer::Page(respond(visit, 200, text)))
}

fn firmware(visit: &Visit<'_>) -> String {
    visit.form().files().next().and_then(|part| part.file_name.clone()).unwrap_or_default()
}

/// Remembers a login at a router.
pub(super) fn router_welcome(visit: &Visit<'_>, user: &str) -> Answer {
    let token = visit.host.entropy.text(HEX, 32);
    visit.open(&token, user, "root");
    Answer::Page(
        Response::bare(302)
            .with("Set-Cookie", format!("sysauth={token}; path=/cgi-bin/luci/"))
            .with("Location", visit.path().to_owned())
            .after(visit.thinking()),
    )
}

/// A router's page to somebody who is logged in; none for what is not there, or for strangers.
pub(super) fn router(visit: &Visit<'_>, uptime: &str) -> Option<Answer> {
    let token = visit.request.cookie("sysauth")?;
    visit.user_of(&token, ROUTER_IDLE)?;
    let route = visit.path().strip_prefix("/cgi-bin/luci")?.trim_matches('/');
    let identity = visit.identity();
    let post = visit.request.method == "POST";
    let mut notice = "";
    let page = format!("/cgi-bin/luci/{route}");
    let get = |field: &str, otherwise: &str| visit.setting(&format!("{page}:{field}"), otherwise);
    let (title, body) = match route {
        "" | "admin" | "admin/status" | "admin/status/overview" => (
            "Status",
            format!(
                "<table><tr><th>Hostname</th><td>{}</td></tr><tr><th>Model</th><td>{}</td></tr><tr><th>Firmware Version</th><td>{}</td></tr><tr><th>Kernel Version</th><td>{}</td></tr><tr><th>Uptime</th><td>{uptime}</td></tr></table>",
                escape(
                    &visit.setting("/cgi-bin/luci/admin/system/system:hostname", &identity.names.hostname)
                ),
                escape(&identity.hardware.model),
                escape(&identity.os.version),
                escape(&identity.os.kernel)
            ),
        ),
        "admin/system/system" | "admin/system/admin" | "admin/network/dhcp" | "admin/network/wireless" => {
            if post {
                keep(visit, &page);
                notice = "<div class=\"alert-message\">Changes applied.</div>";
            }
            let rows = match route {
                "admin/system/admin" => row("Password", "pw1", "") + &row("Confirmation", "pw2", ""),
                "admin/network/dhcp" => row("DNS forwardings", "server", &get("server", "")),
                "admin/network/wireless" => {
                    row("ESSID", "ssid", &get("ssid", &identity.names.netbios_domain))
                        + &row("Key", "key", "")
                }
                _ => row("Hostname", "hostname", &get("hostname", &identity.names.hostname)),
            };
            ("Settings", form(&page, &rows, &token))
        }
        "admin/system/flashops" | "admin/system/flashops/sysupgrade" => {
            if post {
                notice = "<div class=\"alert-message error\">The uploaded image file does not contain a supported format. Make sure that you choose the generic image format for your platform.</div>";
                visit.command("firmware-update", &firmware(visit), Outcome::Failed);
            }
            ("Flash Firmware", upload("/cgi-bin/luci/admin/system/flashops/sysupgrade", &token))
        }
        "admin/network/diagnostics" => (
            "Network Utilities",
            format!(
                "<form method=\"post\" action=\"/cgi-bin/luci/admin/network/diagnostics\"><input type=\"hidden\" name=\"token\" value=\"{token}\"><input name=\"ping\" value=\"openwrt.org\"><input type=\"submit\" value=\"Ping\"></form>{}",
                if post {
                    pinged(visit, &visit.form().text("ping").unwrap_or_default())
                } else {
                    String::new()
                }
            ),
        ),
        "admin/logout" => {
            visit.access.sessions.close(&token);
            return Some(Answer::Page(
                Response::bare(302)
                    .with(
                        "Set-Cookie",
                        "sysauth=; expires=Thu, 01 Jan 1970 01:00:00 GMT; path=/cgi-bin/luci/",
                    )
                    .with("Location", "/cgi-bin/luci/"),
            ));
        }
        _ => {
            let target = ["diag_ping", "diag_traceroute", "diag_nslookup"]
                .iter()
                .find_map(|tool| route.strip_prefix(&format!("admin/network/{tool}/")))?;
            let text = ping(visit, target);
            return Some(Answer::Page(Response::new(200, "text/plain", text).after(visit.working())));
        }
    };
    let menu = "<a href=\"/cgi-bin/luci/admin/status/overview\">Status</a> <a href=\"/cgi-bin/luci/admin/system/system\">System</a> <a href=\"/cgi-bin/luci/admin/system/admin\">Administration</a> <a href=\"/cgi-bin/luci/admin/system/flashops\">Backup / Flash Firmware</a> <a href=\"/cgi-bin/luci/admin/network/dhcp\">DHCP and DNS</a> <a href=\"/cgi-bin/luci/admin/network/diagnostics\">Diagnostics</a> <a href=\"/cgi-bin/luci/admin/logout\">Logout</a>";
    let title = format!("{title} - LuCI");
    let text = fill(
        PAGE,
        &[
            ("title", &title),
            ("device", &identity.names.hostname),
            ("menu", menu),
            ("notice", notice),
            ("body", &body),
        ],
    );
    Some(Answer::Page(respond(visit, 200, text)))
}

fn pinged(visit: &Visit<'_>, target: &str) -> String {
    format!("<pre>{}</pre>", escape(&ping(visit, target)))
}

/// A ping that reaches nobody. What stands beside an address is an attempt to have the shell run it.
fn ping(visit: &Visit<'_>, target: &str) -> String {
    let plain = !target.is_empty()
        && target.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte));
    visit.command("ping", target, if plain { Outcome::Accepted } else { Outcome::Failed });
    if !plain {
        let body = Body::ExploitAttempt { name: "command-injection".to_owned(), confidence: 90 };
        visit.session.emit_raw(body, target.as_bytes());
        return format!("ping: bad address '{target}'\n");
    }
    match target.parse::<std::net::Ipv4Addr>() {
        Ok(address) => format!(
            "PING {address} ({address}): 56 data bytes\n\n--- {address} ping statistics ---\n5 packets transmitted, 0 packets received, 100% packet loss\n"
        ),
        Err(_) => format!("ping: bad address '{target}'\n"),
    }
}

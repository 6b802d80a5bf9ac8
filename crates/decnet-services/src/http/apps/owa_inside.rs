//! Outlook on the web for somebody who is logged in: an inbox of their organisation's ordinary mail.

use decnet_logging::event::Body;

use super::owa::marked;
use super::wordpress::iso;
use super::{ALPHANUMERIC, Answer, Visit, fill};
use crate::http::products::escape;
use crate::httpd::Response;

const PAGE: &str = include_str!("../pages/owa_inbox.html");
/// `PrivateTimeout` is eight hours, `PublicTimeout` a quarter of an hour; the login page offers no choice
/// since Exchange 2016, and sends the first. Seconds.
const IDLE: i64 = 8 * 3600;
/// Subject and text; the second of those with a file name is a bait.
const MAILS: &[(&str, &str)] = &[
    ("Maintenance window on Saturday", "The file servers will be restarted between 22:00 and 23:30."),
    (
        "New VPN profile",
        "Please import the attached profile before the end of the month. The old one stops working then.",
    ),
    ("Your password expires in 7 days", "Change it with Ctrl+Alt+Del on a computer in the office."),
    ("Minutes of Tuesday's meeting", "Thanks to all who took part. The open points are in the list."),
    ("Invoice approval pending", "Three invoices wait for your approval in the workflow."),
    ("Printer on the second floor", "It was replaced today; the new queue has the same name."),
    ("Backup report", "Last night: 14 jobs succeeded, 1 with warnings."),
    (
        "Service account for monitoring",
        "As agreed: the account is set up. Its password is in the vault of the team.",
    ),
    ("Welcome to the team", "Please read the attached guide for your first week."),
    ("Parking during the renovation", "The yard is closed from Monday."),
];

struct Mail {
    from: &'static str,
    subject: &'static str,
    text: &'static str,
    /// Seconds since 1970.
    date: i64,
}

/// The mails of an account: drawn for the decky and the account, newest first.
fn mails(visit: &Visit<'_>, user: &str) -> Vec<Mail> {
    let mut draw = visit.identity().draw(&["http", "owa mail", user]);
    let mut all = MAILS.to_vec();
    draw.shuffle(&mut all);
    let count = draw.between(4, 8) as usize;
    // The week stands still for a reader who comes back.
    let mut date = visit.now() / 604_800 * 604_800;
    all.into_iter()
        .take(count)
        .map(|(subject, text)| {
            date -= draw.between(1_800, 2 * 86_400) as i64;
            let from = *draw
                .pick(&["IT Service Desk", "Administrator", "HR", "Facility Management"])
                .unwrap_or(&"Administrator");
            Mail { from, subject, text, date }
        })
        .collect()
}

/// The name in `DOMAIN\name` and `name@domain`.
pub(super) fn account(visit: &Visit<'_>, name: &[u8]) -> Vec<u8> {
    let names = &visit.identity().names;
    let text = String::from_utf8_lossy(name).into_owned();
    if visit.access.accounts.list().iter().any(|(known, _)| known.eq_ignore_ascii_case(&text)) {
        return name.to_vec();
    }
    if let Some((domain, user)) = text.split_once('\\')
        && (domain.eq_ignore_ascii_case(&names.netbios_domain) || domain.eq_ignore_ascii_case(&names.domain))
    {
        return user.as_bytes().to_vec();
    }
    match text.rsplit_once('@') {
        Some((user, domain)) if domain.eq_ignore_ascii_case(&names.domain) => user.as_bytes().to_vec(),
        _ => name.to_vec(),
    }
}

/// The session of a login, by its cookies.
pub(super) fn visitor(visit: &Visit<'_>) -> Option<(String, String)> {
    let token = visit.request.cookie("cadata")?;
    visit.user_of(&token, IDLE).map(|user| (user, token))
}

/// The cookies of a login that was let in: five, of which the first is its secret.
pub(super) fn cookies(visit: &Visit<'_>, user: &str, mut response: Response) -> Response {
    let entropy = &visit.host.entropy;
    let token = entropy.text(ALPHANUMERIC, 86) + "==";
    visit.open(&token, user, "mailbox");
    let secure = if visit.request.secure { " secure;" } else { "" };
    for (name, value) in [
        ("cadata", token),
        ("cadataTTL", entropy.text(ALPHANUMERIC, 22) + "=="),
        ("cadataKey", entropy.text(ALPHANUMERIC, 342) + "=="),
        ("cadataIV", entropy.text(ALPHANUMERIC, 342) + "=="),
        ("cadataSig", entropy.text(ALPHANUMERIC, 342) + "=="),
    ] {
        response = response.with("Set-Cookie", format!("{name}={value}; path=/;{secure} HttpOnly"));
    }
    response
}

/// A page to somebody who is logged in; none for what is not there.
pub(super) fn page(visit: &Visit<'_>, user: &str, token: &str, path: &str, version: &str) -> Option<Answer> {
    let names = &visit.identity().names;
    let body = match path {
        "/owa/" | "/owa/default.aspx" => {
            let rows: String = mails(visit, user).iter().enumerate().map(|(at, mail)| format!("<tr class=\"item\"><td>{}</td><td><a href=\"/owa/?ae=Item&amp;id={at}\">{}</a></td><td>{}</td></tr>", mail.from, mail.subject, &iso(mail.date)[..10])).collect();
            let item = visit.request.query_value("id").and_then(|id| id.parse::<usize>().ok());
            match item.and_then(|at| mails(visit, user).into_iter().nth(at)) {
                Some(mail) => {
                    visit.session.emit(Body::BaitTouched {
                        bait: format!("mail: {}", mail.subject),
                        planted_on: Some(names.hostname.clone()),
                    });
                    format!(
                        "<h2>{}</h2><p>From: {}<br>Sent: {}</p><div>{}</div>",
                        mail.subject,
                        mail.from,
                        iso(mail.date).replace('T', " "),
                        mail.text
                    )
                }
                None => format!("<h2>Inbox</h2><table class=\"list\">{rows}</table>"),
            }
        }
        "/owa/logoff.owa" | "/owa/auth/logoff.aspx" => {
            visit.access.sessions.close(token);
            return None;
        }
        // Who is no administrator of Exchange sees only their own options.
        "/ecp/" | "/ecp/default.aspx" => {
            format!("<h2>Options</h2><p>{}<br>{}@{}</p>", escape(user), escape(user), escape(&names.domain))
        }
        _ => return None,
    };
    let text =
        fill(PAGE, &[("user", user), ("domain", &names.domain), ("body", &body), ("version", version)]);
    Some(Answer::Page(marked(
        visit,
        Response::new(200, "text/html; charset=utf-8", text)
            .with("Cache-Control", "private, no-store")
            .with("X-OWA-Version", version)
            .with("X-BackEndHttpStatus", "200")
            .with("X-Frame-Options", "SAMEORIGIN")
            .after(visit.working()),
    )))
}

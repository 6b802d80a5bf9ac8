//! Files of the user's own below `/`, as the product serves files: its types, its index, its lists.

use decnet_logging::event::{Body, Direction};

use super::apps::{Answer, Visit};
use super::persona::Kind;
use super::products::escape;
use crate::files::Folder;
use crate::httpd::{Document, Response};

/// Extension and type where the products agree: nginx's `mime.types`, Debian's `/etc/mime.types`, the table
/// of IIS and lighttpd's.
const TYPES: &[(&str, &str)] = &[
    ("html", "text/html"),
    ("htm", "text/html"),
    ("css", "text/css"),
    ("txt", "text/plain"),
    ("xml", "text/xml"),
    ("json", "application/json"),
    ("gif", "image/gif"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("svg", "image/svg+xml"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("doc", "application/msword"),
    ("xls", "application/vnd.ms-excel"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
];

/// The type that a product gives a file by its name; the empty text where it gives none, nothing where it
/// does not serve such a file.
fn content_type(kind: Kind, name: &str) -> Option<&'static str> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    let own = match (kind, extension.as_str()) {
        (Kind::Nginx, "js") => Some("application/javascript"),
        (Kind::Iis, "js") => Some("application/javascript"),
        (_, "js") => Some("text/javascript"),
        (Kind::Nginx, "ico") | (Kind::Iis, "ico") => Some("image/x-icon"),
        (_, "ico") => Some("image/vnd.microsoft.icon"),
        (Kind::Iis, "zip") => Some("application/x-zip-compressed"),
        (Kind::Apache, "xml") => Some("application/xml"),
        (Kind::Apache, "csv") => Some("text/csv"),
        (Kind::Iis, "csv") => Some("application/octet-stream"),
        (Kind::Apache, "sql") => Some("application/sql"),
        (Kind::Apache, "gz") => Some("application/x-gzip"),
        _ => TYPES.iter().find(|(known, _)| *known == extension).map(|(_, kind)| *kind),
    };
    match (own, kind) {
        (Some(own), _) => Some(own),
        (None, Kind::Apache) => Some(""),
        // 404.3: a type that is not in the table is not served.
        (None, Kind::Iis) => None,
        (None, _) => Some("application/octet-stream"),
    }
}

/// The names that stand for a folder, in the product's order.
fn indexes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Nginx => &["index.html", "index.htm", "index.nginx-debian.html"],
        Kind::Apache => &["index.html", "index.htm"],
        Kind::Iis => &["Default.htm", "index.htm", "index.html", "iisstart.htm"],
        Kind::Lighttpd => &["index.html", "index.lighttpd.html"],
        Kind::Device => &["index.html", "index.htm"],
    }
}

/// The user's file at the request's path; none where the site's own is due.
pub(super) fn answer(visit: &Visit<'_>) -> Option<Answer> {
    let folder = visit.host.folder("http", "files")?;
    let kind = visit.persona.kind;
    let path = visit.path().trim_start_matches('/');
    // Windows has names without case.
    let path = match kind {
        Kind::Iis => folder
            .list()
            .find(|(own, ..)| own.eq_ignore_ascii_case(path))
            .map_or_else(|| path.to_owned(), |(own, ..)| own.to_owned()),
        _ => path.to_owned(),
    };
    let hidden = path.rsplit('/').next().is_some_and(|name| name.starts_with(".ht"));
    if kind == Kind::Apache && hidden && folder.read(&path).is_some() {
        return Some(Answer::Error(403));
    }
    if !path.is_empty() && !path.ends_with('/') {
        if folder.is_folder(&path) {
            return Some(Answer::Redirect(301, format!("{}{}/", visit.origin(), visit.path())));
        }
        return serve(visit, folder, &path);
    }
    let below = path.trim_end_matches('/');
    if !folder.is_folder(below) {
        return None;
    }
    let inside = |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
    let index = indexes(kind).iter().find_map(|name| serve(visit, folder, &inside(name)));
    match index {
        Some(answer) => Some(answer),
        // The root without an index of its own stays the site's.
        None if below.is_empty() => None,
        None if kind == Kind::Apache => Some(listing(visit, folder, below)),
        None => Some(Answer::Error(403)),
    }
}

fn serve(visit: &Visit<'_>, folder: &Folder, path: &str) -> Option<Answer> {
    let file = folder.read(path)?;
    let Some(kind) = content_type(visit.persona.kind, path) else { return Some(Answer::Error(404)) };
    if visit.request.method == "GET" {
        visit.session.emit(Body::FileDownload {
            name: Some(format!("/{path}")),
            url: None,
            direction: Direction::Served,
            size: Some(file.bytes.len() as u64),
            bait: Some(format!("files/{path}")),
        });
    }
    Some(Answer::Document(Document {
        content_type: kind.to_owned(),
        body: file.bytes,
        modified: file.modified,
    }))
}

/// A size as `apr_strfsize` writes it, four characters.
fn size(bytes: u64) -> String {
    if bytes < 973 {
        return format!("{bytes:3} ");
    }
    let mut rest = bytes;
    for unit in ["K", "M", "G", "T"] {
        let remain = rest & 1023;
        rest >>= 10;
        if rest >= 973 {
            continue;
        }
        if rest < 9 || (rest == 9 && remain < 973) {
            let mut tenths = (remain * 5 + 256) / 512;
            if tenths >= 10 {
                rest += 1;
                tenths = 0;
            }
            return format!("{rest}.{tenths}{unit}");
        }
        return format!("{:3}{unit}", if remain >= 512 { rest + 1 } else { rest });
    }
    "****".to_owned()
}

/// The list of a folder as mod_autoindex makes it under Debian's and Red Hat's `autoindex.conf`.
fn listing(visit: &Visit<'_>, folder: &Folder, below: &str) -> Answer {
    let beginning = format!("{below}/");
    let mut rows: Vec<(String, bool, u64, i64)> = Vec::new();
    for (path, bytes, modified) in folder.list() {
        let Some(rest) = path.strip_prefix(&beginning) else { continue };
        match rest.split_once('/') {
            None if !rest.starts_with(".ht") => rows.push((rest.to_owned(), false, bytes, modified)),
            None => {}
            Some((name, _)) => match rows.iter_mut().find(|(known, ..)| known == &format!("{name}/")) {
                Some(row) => row.3 = row.3.max(modified),
                None => rows.push((format!("{name}/"), true, 0, modified)),
            },
        }
    }
    rows.sort();
    let parent = below.rsplit_once('/').map_or_else(|| "/".to_owned(), |(parent, _)| format!("/{parent}/"));
    let mut body = format!(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<html>\n <head>\n  <title>Index of /{0}</title>\n </head>\n <body>\n<h1>Index of /{0}</h1>\n  <table>\n   <tr><th valign=\"top\"><img src=\"/icons/blank.gif\" alt=\"[ICO]\"></th><th><a href=\"?C=N;O=D\">Name</a></th><th><a href=\"?C=M;O=A\">Last modified</a></th><th><a href=\"?C=S;O=A\">Size</a></th><th><a href=\"?C=D;O=A\">Description</a></th></tr>\n   <tr><th colspan=\"5\"><hr></th></tr>\n<tr><td valign=\"top\"><img src=\"/icons/back.gif\" alt=\"[PARENTDIR]\"></td><td><a href=\"{1}\">Parent Directory</a>       </td><td>&nbsp;</td><td align=\"right\">  - </td><td>&nbsp;</td></tr>\n",
        escape(below),
        escape(&parent)
    );
    for (name, is_folder, bytes, modified) in rows {
        let (icon, alt) = match content_type(Kind::Apache, &name) {
            _ if is_folder => ("folder", "[DIR]"),
            Some(kind) if kind.starts_with("text/") => ("text", "[TXT]"),
            Some(kind) if kind.starts_with("image/") => ("image2", "[IMG]"),
            Some("application/zip" | "application/x-gzip") => ("compressed", "[   ]"),
            Some("application/pdf") => ("layout", "[   ]"),
            _ => ("unknown", "[   ]"),
        };
        let date = super::apps::iso(modified.div_euclid(1_000_000)).replace('T', " ");
        let date = date.get(..16).unwrap_or_default();
        let shown = if is_folder { "  - ".to_owned() } else { size(bytes) };
        let href: String = name
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b'~' => {
                    char::from(byte).to_string()
                }
                other => format!("%{other:02x}"),
            })
            .collect();
        let name = escape(&name);
        body.push_str(&format!(
            "<tr><td valign=\"top\"><img src=\"/icons/{icon}.gif\" alt=\"{alt}\"></td><td><a href=\"{href}\">{name}</a>{}</td><td align=\"right\">{date}  </td><td align=\"right\">{shown}</td><td>&nbsp;</td></tr>\n",
            " ".repeat(23usize.saturating_sub(name.chars().count()))
        ));
    }
    let server = visit.persona.product.profile().server.clone().unwrap_or_default();
    let host = visit.request.host.clone().unwrap_or_else(|| visit.host.decky.address.to_string());
    let port = visit.request.host_port.unwrap_or(visit.request.port);
    body.push_str(&format!(
        "   <tr><th colspan=\"5\"><hr></th></tr>\n</table>\n<address>{} Server at {} Port {port}</address>\n</body></html>\n",
        escape(&server),
        escape(&host)
    ));
    Answer::Page(Response::new(200, "text/html;charset=UTF-8", body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_four_characters() {
        for (bytes, text) in
            [(0, "  0 "), (972, "972 "), (973, "1.0K"), (1536, "1.5K"), (10_240, " 10K"), (1 << 20, "1.0M")]
        {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}

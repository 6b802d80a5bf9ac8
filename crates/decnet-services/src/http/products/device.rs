//! The small servers of printers, routers, controllers and switches: one table.

use std::borrow::Cow;
use std::time::Duration;

use decnet_core::identity::Identity;

use super::{Place, Product, accept_leniently, escape, is_token, split_line};
use crate::httpd::content::{Rules, Selected, select};
use crate::httpd::framer::HeadLimits;
use crate::httpd::{
    Arrival, BrokenBody, Closing, Detail, Document, Fault, Framing, Head, KeepAlive, KeepAliveStyle,
    LineVerdict, Profile, Request, Response, Slot, Version,
};

/// A row of the table. In texts `{version}`, `{model}`, `{serial}`, `{status}`, `{reason}`, `{server}`,
/// `{path}` and `{detail}` are filled in.
struct Row {
    /// The product's name in the catalogue.
    name: &'static str,
    /// The value of `Server`.
    server: &'static str,
    layout: &'static [Slot],
    style: KeepAliveStyle,
    error_type: &'static str,
    error: &'static str,
    /// Whether it speaks HTTP/1.0 to old clients.
    echo_version: bool,
}

const SERVER_FIRST: &[Slot] = &[
    Slot::Server,
    Slot::Date,
    Slot::Rest,
    Slot::ContentType,
    Slot::ContentLength,
    Slot::TransferEncoding,
    Slot::KeepAlive,
    Slot::Connection,
];
const DATE_FIRST: &[Slot] = &[
    Slot::Date,
    Slot::Server,
    Slot::Named("WWW-Authenticate"),
    Slot::ContentType,
    Slot::Rest,
    Slot::ContentLength,
    Slot::TransferEncoding,
    Slot::KeepAlive,
    Slot::Connection,
];
const LENGTH_FIRST: &[Slot] =
    &[Slot::ContentLength, Slot::Connection, Slot::ContentType, Slot::Rest, Slot::Server];
const CONNECTION_FIRST: &[Slot] = &[
    Slot::Connection,
    Slot::TransferEncoding,
    Slot::KeepAlive,
    Slot::Rest,
    Slot::ContentType,
    Slot::ContentLength,
];

/// Sources: answers in nmap's table of services and public descriptions of the devices; bodies are plain.
const ROWS: &[Row] = &[
    Row {
        name: "debut",
        server: "debut/{version}",
        layout: LENGTH_FIRST,
        style: KeepAliveStyle::Never,
        error_type: "text/html",
        error: "<HTML><HEAD><TITLE>{status} {reason}</TITLE></HEAD>\n<BODY><H1>{status} {reason}</H1>\n</BODY></HTML>\n",
        echo_version: true,
    },
    Row {
        name: "hp-chaisoe",
        server: "HP-ChaiSOE/{version}",
        layout: SERVER_FIRST,
        style: KeepAliveStyle::Exceptions,
        error_type: "text/html",
        error: "<HTML><HEAD><TITLE>{status} {reason}</TITLE></HEAD><BODY><H1>{status} {reason}</H1></BODY></HTML>\n",
        echo_version: true,
    },
    Row {
        name: "hp-http-server",
        server: "HP HTTP Server; HP {model} - {part}; Serial Number: {serial}; Built:{built}",
        layout: SERVER_FIRST,
        style: KeepAliveStyle::Exceptions,
        error_type: "text/html",
        error: "<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>\n",
        echo_version: false,
    },
    Row {
        name: UHTTPD,
        // uhttpd of OpenWrt sends no Server.
        server: "",
        layout: CONNECTION_FIRST,
        style: KeepAliveStyle::Echo,
        error_type: "text/html",
        error: "<h1>{reason}</h1>{detail}",
        echo_version: true,
    },
    Row {
        name: "mini_httpd",
        server: "mini_httpd/{version}",
        layout: SERVER_FIRST,
        style: KeepAliveStyle::Never,
        error_type: "text/html; charset=iso-8859-1",
        error: "<HTML><HEAD><TITLE>{status} {reason}</TITLE></HEAD>\n<BODY BGCOLOR=\"#cc9999\" TEXT=\"#000000\" LINK=\"#2020ff\" VLINK=\"#4040cc\">\n<H4>{status} {reason}</H4>\nThe requested URL was not found on this server.\n<HR>\n<ADDRESS>{server}</ADDRESS>\n</BODY></HTML>\n",
        echo_version: false,
    },
    Row {
        name: "goahead",
        server: "GoAhead-Webs",
        layout: SERVER_FIRST,
        style: KeepAliveStyle::Never,
        error_type: "text/html",
        error: "<html><head><title>Document Error: {reason}</title></head>\r\n\t\t<body><h2>Access Error: {reason}</h2>\r\n\t\t<p>Cannot open URL {path}</p></body></html>\r\n",
        echo_version: true,
    },
    Row {
        name: SCHNEIDER,
        server: "Schneider-WEB/V{version}",
        layout: SERVER_FIRST,
        style: KeepAliveStyle::Never,
        error_type: "text/html",
        error: "<html><head><title>Document Error: {reason}</title></head>\r\n\t\t<body><h2>Access Error: {reason}</h2>\r\n\t\t<p>{detail}</p></body></html>\r\n\r\n",
        echo_version: false,
    },
    Row {
        name: "siemens-portal",
        server: "",
        layout: SERVER_FIRST,
        style: KeepAliveStyle::Exceptions,
        error_type: "text/html",
        error: "<html><head><title>{status} {reason}</title></head><body><h1>{status} {reason}</h1></body></html>\r\n",
        echo_version: false,
    },
    Row {
        name: "cisco-ios",
        server: "cisco-IOS",
        layout: DATE_FIRST,
        style: KeepAliveStyle::Never,
        error_type: "text/html",
        error: "<HTML><HEAD><TITLE>{reason}</TITLE></HEAD>\n<BODY><H1>{status} {reason}</H1></BODY></HTML>\r\n",
        echo_version: false,
    },
];

/// The server of OpenWrt. It writes pages in chunks as it goes.
const UHTTPD: &str = "uhttpd";
/// Schneider's server, an old GoAhead with habits of its own.
const SCHNEIDER: &str = "schneider-web";

/// The product number on an HP device's label.
fn hp_part(model: &str) -> &'static str {
    match model {
        "LaserJet 500 MFP M525f" => "CF117A",
        _ => "CF116A",
    }
}

/// When and for which chip an HP device's firmware was built: `Mon Aug 15, 2011 07:15:20AM {…, ASIC id 0x…}`.
fn hp_build(at: i64, draw: &mut decnet_core::seed::Draw) -> String {
    let text = crate::httpd::date::format(at);
    let words: Vec<&str> = text.split([' ', ',', ':']).filter(|word| !word.is_empty()).collect();
    let [day, date, month, year, hour, minute, second, _] = words[..] else { return String::new() };
    let (hour, half) = match hour.parse::<u8>().unwrap_or(0) {
        0 => (12, "AM"),
        hour @ 1..12 => (hour, "AM"),
        12 => (12, "PM"),
        hour => (hour - 12, "PM"),
    };
    let image = draw.text("ABCDEFGHJKLMNPRSTUVWXYZ", 5);
    format!(
        "{day} {month} {date}, {year} {hour:02}:{minute}:{second}{half} {{{image}N1130BR, ASIC id 0x00380104}}"
    )
}

/// The date as Schneider's server writes it: `SUN NOV 22 13:24:55 2026`.
fn shouted_date(now: i64) -> String {
    let text = crate::httpd::date::format(now).to_ascii_uppercase();
    let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let [day, date, month, year, time, _] = words[..] else { return text };
    format!("{day} {month} {date} {time} {year}")
}

const RULES: Rules = Rules {
    exact_date: false,
    broken_range_refused: false,
    lower_case_parts: false,
    ranges_in_partial: true,
    ranges: 1,
};

pub(in super::super) struct Device {
    profile: Profile,
    row: &'static Row,
    server: String,
    dated: bool,
}

impl Device {
    /// The device server of that name; an unknown name is taken as a small server of no special habits.
    pub(in super::super) fn new(
        name: &str,
        version: &str,
        header: Option<&str>,
        identity: &Identity,
    ) -> Device {
        // An unknown server is read and refused like the plainest of them.
        let row = ROWS
            .iter()
            .find(|row| name.eq_ignore_ascii_case(row.name))
            .or_else(|| ROWS.iter().find(|row| row.name == "mini_httpd"))
            .unwrap_or(&ROWS[0]);
        let mut draw = identity.draw(&["http device"]);
        let server = header.map(str::to_owned).unwrap_or_else(|| {
            let built = hp_build(identity.times.installed - 200 * 86_400, &mut draw);
            row.server
                .replace("{version}", if version == "-" { "" } else { version })
                .replace("{model}", &identity.hardware.model)
                .replace("{serial}", &identity.hardware.serial)
                .replace("{part}", hp_part(&identity.hardware.model))
                .replace("{built}", &built)
        });
        Device {
            profile: Profile {
                server: (!server.is_empty()).then(|| Cow::Owned(server.clone())),
                layout: row.layout,
                echo_version: row.echo_version,
                head: HeadLimits { request_line: 4096, field_line: 4096, fields: 64, total: 16 * 1024 },
                keep_alive: KeepAlive { style: row.style, idle: Duration::from_secs(20), requests: 100 },
                head_timeout: Duration::from_secs(30),
                body_timeout: Duration::from_secs(30),
                body_limit: 32 * 1024 * 1024,
                broken_body: BrokenBody::Refuse,
                linger: Duration::from_secs(1),
                body_kept: 256 * 1024,
            },
            row,
            server,
            dated: row.layout.contains(&Slot::Date),
        }
    }

    fn plain(&self, status: u16, path: &str, place: &Place) -> Response {
        if self.row.name == SCHNEIDER {
            return self.schneider(status, path, place);
        }
        let reason = crate::httpd::response::reason(status);
        // Only uhttpd's page has a place for it.
        let detail = match status {
            404 => format!("The requested URL {} was not found on this server.", escape(path)),
            _ => String::new(),
        };
        let body = self
            .row
            .error
            .replace("{detail}", &detail)
            .replace("{status}", &status.to_string())
            .replace("{reason}", reason)
            .replace("{server}", &escape(&self.server))
            .replace("{path}", &escape(path));
        let mut response = Response::new(status, self.row.error_type, body);
        response.reason = reason.into();
        if self.row.name == UHTTPD {
            response.framing = Framing::Dynamic;
        }
        response
    }

    /// Schneider's errors: one reason for all, a date that shouts, and a length without the last line end.
    fn schneider(&self, status: u16, path: &str, place: &Place) -> Response {
        let reason = "Page not found";
        let detail = match status {
            404 => format!("Cannot open URL {}", escape(path)),
            _ => "Bad request type".to_owned(),
        };
        let body = self.row.error.replace("{reason}", reason).replace("{detail}", &detail);
        let length = body.len() - 2;
        let mut response = Response::bare(if status == 404 { 404 } else { 400 })
            .with("Server", self.server.clone())
            .with("Date", shouted_date(place.now))
            .with("Pragma", "no-cache")
            .with("Cache-Control", "no-cache")
            .with("Content-length", length.to_string())
            .with("Content-Type", self.row.error_type);
        response.reason = reason.into();
        response.body = body.into_bytes();
        response.framing = Framing::Close;
        response.closing = Closing::Silent;
        response.layout = Some(&[Slot::Rest]);
        response
    }
}

impl Product for Device {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict {
        match (complete, split_line(line, true)) {
            (false, _) => LineVerdict::More,
            (true, Some(line)) if is_token(line.method) => {
                if line.version.is_some() {
                    LineVerdict::More
                } else {
                    LineVerdict::Alone
                }
            }
            _ => LineVerdict::Stop,
        }
    }

    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
        match split_line(head.line(), true) {
            Some(line) if line.version.is_none() => {
                if line.method != b"GET" || !line.target.starts_with(b"/") {
                    return Err(Detail::BadLine);
                }
                let mut request = super::blank(head, &line, Version::V09, arrival);
                super::set_path(&mut request, line.target)?;
                Ok(request)
            }
            _ => accept_leniently(head, arrival, false),
        }
    }

    fn refuse(&self, fault: &Fault, place: &Place) -> Option<Response> {
        let status = match fault.detail {
            Detail::Timeout | Detail::PlainOnTls => return None,
            Detail::BadVersion => 505,
            Detail::LineTooLong => 414,
            Detail::BodyTooLarge => 413,
            Detail::BadTransferEncoding => 501,
            _ => 400,
        };
        let mut response = self.plain(status, "", place);
        if response.closing == Closing::AsAsked {
            response.closing = Closing::Announced;
        }
        Some(response)
    }

    fn gate(&self, request: &Request, page: bool, place: &Place) -> Option<Response> {
        match request.method.as_str() {
            "GET" | "HEAD" | "POST" => None,
            _ if page && request.method != "TRACE" => None,
            _ => Some(self.plain(501, &request.path, place)),
        }
    }

    fn error(&self, status: u16, request: &Request, place: &Place) -> Response {
        self.plain(status, &request.path, place)
    }

    fn document(&self, request: &Request, document: &Document, place: &Place) -> Response {
        match select(request, document, None, &RULES, place.now, "THIS_STRING_SEPARATES") {
            Selected::Response(mut response) => {
                if !self.dated {
                    response.remove("last-modified");
                }
                response
            }
            Selected::PreconditionFailed => self.plain(412, &request.path, place),
            Selected::Unsatisfiable(_) => self.plain(416, &request.path, place),
        }
    }

    fn redirect(&self, status: u16, _: &Request, to: &str, _: &Place) -> Response {
        Response::bare(status).with("Location", to)
    }
}

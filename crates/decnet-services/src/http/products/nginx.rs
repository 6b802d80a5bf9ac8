//! nginx. Rules and texts compared with nginx 1.22.1 byte for byte; older releases by their change log.

use std::time::Duration;

use super::{Line, Place, Product, Release, absolute, blank, content_length, gzip, set_path, version};
use crate::httpd::content::{Rules, Selected, select};
use crate::httpd::framer::HeadLimits;
use crate::httpd::http2::{Manner, manner};
use crate::httpd::{
    Arrival, BodyLength, BrokenBody, Closing, Detail, Document, Fault, Framing, Head, KeepAlive,
    KeepAliveStyle, LineVerdict, Profile, Request, Response, Slot, Version,
};

const LAYOUT: &[Slot] = &[
    Slot::Server,
    Slot::Date,
    Slot::ContentType,
    Slot::ContentLength,
    Slot::Named("Last-Modified"),
    Slot::Named("Location"),
    Slot::TransferEncoding,
    Slot::Connection,
    Slot::KeepAlive,
    Slot::Rest,
];

/// `large_client_header_buffers 4 8k` after `client_header_buffer_size 1k`.
const LIMITS: HeadLimits =
    HeadLimits { request_line: 8190, field_line: 8190, fields: 4096, total: 33 * 1024 };

/// `client_max_body_size 1m`.
const BODY: u64 = 1024 * 1024;

const RULES: Rules = Rules {
    exact_date: true,
    broken_range_refused: true,
    lower_case_parts: false,
    ranges_in_partial: false,
    ranges: 64,
};

/// Six of these follow an error page for MSIE and Chrome.
const PADDING: &str = "<!-- a padding to disable MSIE and Chrome friendly error page -->\r\n";

pub(in super::super) struct Nginx {
    profile: Profile,
    token: String,
    release: Release,
}

impl Nginx {
    /// `token` is the server token of header and error pages.
    pub(in super::super) fn new(token: &str, release: Release) -> Nginx {
        // A server without a version is one with `server_tokens off`; its rules are those of a recent one.
        let release = if release == (0, 0, 0) { (1, 24, 0) } else { release };
        Nginx {
            profile: Profile {
                server: Some(token.to_owned().into()),
                layout: LAYOUT,
                echo_version: false,
                head: LIMITS,
                keep_alive: KeepAlive {
                    style: KeepAliveStyle::Always,
                    idle: Duration::from_secs(75),
                    // Raised in 1.19.10.
                    requests: if release >= (1, 19, 10) { 1000 } else { 100 },
                },
                head_timeout: Duration::from_secs(60),
                body_timeout: Duration::from_secs(60),
                body_limit: BODY,
                broken_body: BrokenBody::Answer,
                linger: Duration::from_secs(5),
                body_kept: 256 * 1024,
            },
            token: token.to_owned(),
            release,
        }
    }

    /// Spaces and control characters in targets, Transfer-Encoding beside Content-Length or in HTTP/1.0,
    /// and blanks in field names are refused since 1.21.1.
    fn strict(&self) -> bool {
        self.release >= (1, 21, 1)
    }

    fn plain_error(&self, status: u16, title: &str, heading: &str, note: Option<&str>) -> Response {
        let note = note.map(|note| format!("<center>{note}</center>\r\n")).unwrap_or_default();
        // The background colour went away in 1.15.
        let background = if self.release < (1, 15, 0) { " bgcolor=\"white\"" } else { "" };
        let body = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body{background}>\r\n\
             <center><h1>{heading}</h1></center>\r\n{note}<hr><center>{}</center>\r\n</body>\r\n</html>\r\n",
            self.token
        );
        let mut response = Response::new(status, "text/html", body);
        response.reason = reason(status).into();
        response
    }

    fn page_of(&self, status: u16) -> Response {
        let title = format!("{status} {}", reason(status));
        self.plain_error(status, &title, &title, None)
    }

    fn compress(&self, request: &Request, mut response: Response) -> Response {
        let html = response.content_type.as_deref().is_some_and(|kind| kind.starts_with("text/html"));
        let wanted = html
            && response.body.len() >= 20
            && request.version >= Version::V11
            && request.accepts_gzip()
            && request.field("via").is_none()
            && response.field("content-range").is_none();
        if wanted && let Some(body) = gzip(&response.body) {
            response.body = body;
            response.framing = Framing::Dynamic;
            response.remove("accept-ranges");
            for (name, value) in &mut response.fields {
                if name.eq_ignore_ascii_case("etag") && !value.starts_with("W/") {
                    *value = format!("W/{value}");
                }
            }
            response = response.with("Content-Encoding", "gzip");
        }
        response
    }

    fn line<'a>(&self, line: &'a [u8]) -> Result<(Line<'a>, Version), Detail> {
        let (method, rest) = line.split_at(line.iter().position(|byte| *byte == b' ').unwrap_or(line.len()));
        if method.is_empty() || !method.iter().all(|byte| byte.is_ascii_uppercase() || b"_-".contains(byte)) {
            return Err(Detail::BadLine);
        }
        let rest = trim_blanks(rest);
        // The version is after the last blank; targets of old releases may hold blanks themselves.
        let mut end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        if !self.strict()
            && let Some(last) = rest.windows(6).rposition(|part| part == b" HTTP/")
        {
            end = last;
        }
        let (target, tail) = (&rest[..end], trim_blanks(&rest[end..]));
        let origin = target.starts_with(b"/");
        if target.is_empty() || !(origin || absolute(target).is_some()) {
            return Err(Detail::BadLine);
        }
        if self.strict() && target.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
            return Err(Detail::BadLine);
        }
        if tail.is_empty() {
            let alone = Line { method, target, version: None };
            return if method == b"GET" { Ok((alone, Version::V09)) } else { Err(Detail::BadLine) };
        }
        let Some(digits) = tail.strip_prefix(b"HTTP/") else { return Err(Detail::BadLine) };
        let major: Vec<u8> = digits.iter().copied().take_while(u8::is_ascii_digit).collect();
        match major.as_slice() {
            [] | [b'0', ..] => return Err(Detail::BadLine),
            [b'1'] => {}
            _ => return Err(Detail::BadVersion),
        }
        let text = &tail[..tail.iter().position(|byte| *byte == b' ').unwrap_or(tail.len())];
        if !trim_blanks(&tail[text.len()..]).is_empty() {
            return Err(Detail::BadLine);
        }
        let version = version(text).ok_or(Detail::BadLine)?;
        Ok((Line { method, target, version: Some(text) }, version))
    }
}

fn trim_blanks(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().take_while(|byte| **byte == b' ').count()..]
}

/// nginx's own words where they differ from the usual ones.
fn reason(status: u16) -> &'static str {
    match status {
        302 => "Moved Temporarily",
        405 => "Not Allowed",
        408 => "Request Time-out",
        414 => "Request-URI Too Large",
        503 => "Service Temporarily Unavailable",
        504 => "Gateway Time-out",
        other => crate::httpd::response::reason(other),
    }
}

impl Product for Nginx {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn http2(&self) -> Option<&'static Manner> {
        // Since 1.9.5.
        (self.release >= (1, 9, 5)).then_some(&manner::NGINX)
    }

    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict {
        if !complete {
            // The method is judged byte by byte, so that a foreign protocol gets its answer at once.
            let method = line.split(|byte| *byte == b' ').next().unwrap_or_default();
            let good = method.iter().all(|byte| byte.is_ascii_uppercase() || b"_-\r".contains(byte));
            return if good { LineVerdict::More } else { LineVerdict::Stop };
        }
        match self.line(line) {
            Ok((_, Version::V09)) => LineVerdict::Alone,
            Ok(_) => LineVerdict::More,
            Err(_) => LineVerdict::Stop,
        }
    }

    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
        let (line, version) = self.line(head.line())?;
        let mut request = blank(head, &line, version, arrival);
        for line in head.fields() {
            let name = &line[..line.iter().position(|byte| *byte == b':').unwrap_or(line.len())];
            let bad_name = name.iter().any(|byte| *byte <= b' ' || *byte == 0x7f);
            if (self.strict() && bad_name) || line.contains(&0) || line.contains(&b'\r') {
                return Err(Detail::BadField);
            }
        }
        let mut hosts = request.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(b"host"));
        match (hosts.next().map(|field| field.value.clone()), hosts.next()) {
            (Some(_), Some(_)) => return Err(Detail::BadHost),
            (Some(value), None) => {
                let Some((name, port)) = super::host(&value) else {
                    return Err(Detail::BadHost);
                };
                (request.host, request.host_port) = (Some(name), port);
            }
            (None, _) if version >= Version::V11 => return Err(Detail::NoHost),
            (None, _) => {}
        }
        let target = match absolute(line.target) {
            Some((path, authority)) if !line.target.starts_with(b"/") => {
                request.host = super::host(authority).map(|(name, _)| name);
                path
            }
            _ => line.target,
        };
        set_path(&mut request, target)?;
        let length = content_length(&request)?;
        request.body_length = match request.field("transfer-encoding") {
            None => BodyLength::Exactly(length.unwrap_or(0)),
            Some(_) if self.strict() && version < Version::V11 => return Err(Detail::BadTransferEncoding),
            Some(_) if self.strict() && length.is_some() => return Err(Detail::BadLength),
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => BodyLength::Chunked,
            Some(_) => return Err(Detail::BadTransferEncoding),
        };
        request.expects_continue = request.lists("expect", "100-continue");
        if length.is_some_and(|length| length > BODY) {
            return Err(Detail::BodyTooLarge);
        }
        Ok(request)
    }

    fn refuse(&self, fault: &Fault, _: &Place) -> Option<Response> {
        let status = match fault.detail {
            // A client that is too slow is dropped without a word.
            Detail::Timeout => return None,
            Detail::BadVersion => 505,
            Detail::LineTooLong => 414,
            Detail::BodyTooLarge => 413,
            Detail::BadTransferEncoding => {
                let old = self.line(fault.head.line()).is_ok_and(|(_, version)| version < Version::V11);
                if old { 400 } else { 501 }
            }
            _ => 400,
        };
        let mut response = match fault.detail {
            Detail::PlainOnTls => {
                let note = "The plain HTTP request was sent to HTTPS port";
                self.plain_error(400, &format!("400 {note}"), "400 Bad Request", Some(note))
            }
            Detail::FieldTooLong | Detail::HeadTooLong | Detail::TooManyFields => {
                let note = "Request Header Or Cookie Too Large";
                self.plain_error(400, &format!("400 {note}"), "400 Bad Request", Some(note))
            }
            _ => self.page_of(status),
        };
        // A line without a version is HTTP/0.9, which has no heads.
        let words = fault.head.line().split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count();
        let origin =
            fault.head.line().split(|byte| *byte == b' ').nth(1).is_some_and(|word| word.starts_with(b"/"));
        response.simple = words == 2 && origin && fault.detail != Detail::LineTooLong;
        response.half_open = fault.detail == Detail::BodyTooLarge;
        Some(response.closing())
    }

    fn gate(&self, request: &Request, page: bool, _: &Place) -> Option<Response> {
        match request.method.as_str() {
            "TRACE" => Some(self.page_of(405).closing()),
            "CONNECT" if self.strict() => Some(self.page_of(405).closing()),
            "GET" | "HEAD" => None,
            _ if page => None,
            // Only what is there is refused; the rest is not found, whatever the method.
            _ => None,
        }
    }

    fn error(&self, status: u16, request: &Request, _: &Place) -> Response {
        let mut response = self.page_of(status);
        let agent = request.field("user-agent").unwrap_or_default();
        let padded = agent.contains("MSIE ") && !agent.contains("Opera")
            || !agent.contains("Gecko/") && agent.contains("Chrome/");
        if status >= 400 && padded && request.version >= Version::V10 {
            response.body.extend_from_slice(PADDING.repeat(6).as_bytes());
        }
        if matches!(status, 400 | 413 | 414 | 500 | 501) {
            response = response.closing();
        }
        self.compress(request, response)
    }

    fn document(&self, request: &Request, document: &Document, place: &Place) -> Response {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return self.error(405, request, place);
        }
        let etag = format!("\"{:x}-{:x}\"", document.modified.div_euclid(1_000_000), document.body.len());
        let boundary = format!("{:020}", place.boundary % 1_000_000);
        match select(request, document, Some(&etag), &RULES, place.now, &boundary) {
            Selected::Response(response) if response.status == 200 => self.compress(request, response),
            Selected::Response(response) => response,
            Selected::PreconditionFailed => {
                // It promises to stay and closes: the answer is made too late to take the word back.
                let mut response = self.error(412, request, place);
                if request.wants_keep_alive() {
                    response = response.with("Connection", "keep-alive");
                    response.closing = Closing::Silent;
                }
                response
            }
            Selected::Unsatisfiable(range) => self.error(416, request, place).with("Content-Range", range),
        }
    }

    fn page(&self, request: &Request, mut response: Response) -> Response {
        response.reason = reason(response.status).into();
        if response.framing == Framing::Length && !response.body.is_empty() {
            response.framing = Framing::Dynamic;
        }
        self.compress(request, response)
    }

    fn reads_body_first(&self) -> bool {
        false
    }
}

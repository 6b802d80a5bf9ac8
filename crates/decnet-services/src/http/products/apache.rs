//! Apache httpd. Rules and texts compared with 2.4.71 (Debian) byte for byte; older releases by what their
//! packages are known to print.

use std::time::Duration;

use super::{
    HEAD, Place, Product, Release, absolute, blank, escape, field, gzip, host, is_token, split_line,
};
use crate::httpd::content::{Rules, Selected, select};
use crate::httpd::http2::{Manner, manner};
use crate::httpd::{
    Arrival, BodyLength, BrokenBody, Closing, Detail, Document, Fault, Framing, Head, KeepAlive,
    KeepAliveStyle, LineVerdict, Profile, Request, Response, Slot, Version, date,
};

const LAYOUT: &[Slot] = &[
    Slot::Date,
    Slot::Server,
    Slot::Rest,
    Slot::ContentLength,
    Slot::Named("Vary"),
    Slot::Named("Content-Range"),
    Slot::KeepAlive,
    Slot::Connection,
    Slot::TransferEncoding,
    Slot::ContentType,
];

/// Where a filter or program knows the length last.
const LENGTH_LAST: &[Slot] = &[
    Slot::Date,
    Slot::Server,
    Slot::Rest,
    Slot::Named("Vary"),
    Slot::Named("Content-Encoding"),
    Slot::ContentLength,
    Slot::KeepAlive,
    Slot::Connection,
    Slot::TransferEncoding,
    Slot::ContentType,
];

/// What mod_http2 answers itself.
const EARLY: &[Slot] = &[Slot::Date, Slot::Server, Slot::ContentLength, Slot::ContentType];

const RULES: Rules = Rules {
    exact_date: false,
    broken_range_refused: false,
    lower_case_parts: true,
    ranges_in_partial: true,
    ranges: 200,
};

const ERROR_TYPE: &str = "text/html; charset=iso-8859-1";
/// Methods that the server knows without serving them.
const KNOWN: &[&str] = &[
    "PUT",
    "DELETE",
    "CONNECT",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "VERSION-CONTROL",
    "CHECKOUT",
    "UNCHECKOUT",
    "CHECKIN",
    "UPDATE",
    "LABEL",
    "REPORT",
    "MKWORKSPACE",
    "MKACTIVITY",
    "BASELINE-CONTROL",
    "MERGE",
];

/// What a packager decided.
#[derive(Clone, Debug)]
pub(in super::super) struct Packaging {
    /// The server token: `Apache/2.4.62 (Debian)`.
    pub(in super::super) token: String,
    /// The release.
    pub(in super::super) release: Release,
    /// TRACE is echoed. Debian's and Ubuntu's security.conf turn it off.
    pub(in super::super) trace: bool,
    /// mod_deflate works on text (Debian and Ubuntu).
    pub(in super::super) deflate: bool,
    /// `KeepAliveTimeout`, seconds.
    pub(in super::super) idle: u64,
    /// The order in which `Allow` lists methods: that of a hash table seeded when the server starts.
    pub(in super::super) allow: Vec<&'static str>,
}

/// A host and its port.
type Authority = (String, Option<u16>);

pub(in super::super) struct Apache {
    profile: Profile,
    packaging: Packaging,
}

impl Apache {
    pub(in super::super) fn new(packaging: Packaging) -> Apache {
        Apache {
            profile: Profile {
                server: Some(packaging.token.clone().into()),
                layout: LAYOUT,
                echo_version: false,
                head: HEAD,
                keep_alive: KeepAlive {
                    style: KeepAliveStyle::Echo,
                    idle: Duration::from_secs(packaging.idle),
                    requests: 100,
                },
                // mod_reqtimeout: header=20-40.
                head_timeout: Duration::from_secs(20),
                body_timeout: Duration::from_secs(20),
                body_limit: 1024 * 1024 * 1024,
                broken_body: BrokenBody::Refuse,
                linger: Duration::from_secs(2),
                body_kept: 256 * 1024,
            },
            packaging,
        }
    }

    fn allow(&self) -> String {
        let trace = self.packaging.trace;
        let methods: Vec<&str> =
            self.packaging.allow.iter().copied().filter(|method| trace || *method != "TRACE").collect();
        methods.join(",")
    }

    /// The canned page. `name` and `port` stand in the signature, `text` in the body.
    fn canned(&self, status: u16, text: &str, name: &str, port: u16) -> Response {
        // 4.01 was seen in 2.4.71, the old one in every release until 2.4.66; between them nobody looked.
        let doctype = if self.packaging.release >= (2, 4, 67) {
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\" \"http://www.w3.org/TR/html4/strict.dtd\">"
        } else {
            "<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">"
        };
        let reason = self.reason(status);
        let body = format!(
            "{doctype}\n<html><head>\n<title>{status} {reason}</title>\n</head><body>\n<h1>{reason}</h1>\n\
             {text}<hr>\n<address>{} Server at {} Port {port}</address>\n</body></html>\n",
            escape(&self.packaging.token),
            escape(name),
        );
        let mut response = Response::new(status, ERROR_TYPE, body);
        response.reason = reason.into();
        response.length_hidden_from_head = true;
        // ap_status_drops_connection()
        if matches!(status, 400 | 408 | 411 | 413 | 414 | 500 | 501 | 503) {
            response = response.closing();
        }
        response
    }

    fn reason(&self, status: u16) -> &'static str {
        match status {
            501 if self.packaging.release < (2, 4, 0) => "Method Not Implemented",
            other => crate::httpd::response::reason(other),
        }
    }

    fn text(&self, status: u16, request: Option<&Request>, location: &str) -> String {
        let method = escape(request.map_or("", |request| request.method.as_str()));
        // Pages stopped repeating the address in 2.4.41 (CVE-2019-10092).
        let old = self.packaging.release < (2, 4, 41);
        let url = escape(request.map_or("", |request| request.path.as_str()));
        match status {
            301 | 302 | 303 | 307 => {
                format!("<p>The document has moved <a href=\"{}\">here</a>.</p>\n", escape(location))
            }
            400 => "<p>Your browser sent a request that this server could not understand.<br />\n</p>\n".into(),
            401 => "<p>This server could not verify that you\nare authorized to access the document\nrequested.  Either you supplied the wrong\ncredentials (e.g., bad password), or your\nbrowser doesn't understand how to supply\nthe credentials required.</p>\n".into(),
            403 if old => format!("<p>You don't have permission to access {url}\non this server.<br />\n</p>\n"),
            403 => "<p>You don't have permission to access this resource.</p>\n".into(),
            404 if old => format!("<p>The requested URL {url} was not found on this server.</p>\n"),
            404 => "<p>The requested URL was not found on this server.</p>\n".into(),
            405 if old => format!("<p>The requested method {method} is not allowed for the URL {url}.</p>\n"),
            405 => format!("<p>The requested method {method} is not allowed for this URL.</p>\n"),
            408 => "<p>Server timeout waiting for the HTTP request from the client.</p>\n".into(),
            413 => format!(
                "<p>The requested resource does not allow request data with {method} requests, or the amount of data provided in\nthe request exceeds the capacity limit.</p>\n"
            ),
            414 => "<p>The requested URL's length exceeds the capacity\nlimit for this server.<br />\n</p>\n".into(),
            416 => "<p>None of the range-specifier values in the Range\nrequest-header field overlap the current extent\nof the selected resource.</p>\n".into(),
            501 if old => format!("<p>{method} to {url} not supported.<br />\n</p>\n"),
            501 => format!("<p>{method} not supported for current URL.<br />\n</p>\n"),
            503 => "<p>The server is temporarily unable to service your\nrequest due to maintenance downtime or capacity\nproblems. Please try again later.</p>\n".into(),
            _ => "<p>The server encountered an internal error or\nmisconfiguration and was unable to complete\nyour request.</p>\n<p>Please contact the server administrator at \n webmaster@localhost to inform them of the time this error occurred,\n and the actions you performed just before this error.</p>\n<p>More information about this error may be available\nin the server error log.</p>\n".into(),
        }
    }

    fn for_request(&self, status: u16, text: &str, request: &Request, place: &Place) -> Response {
        let name = request.host.as_deref().unwrap_or(&place.name);
        let port = request.host_port.unwrap_or(if request.secure { 443 } else { 80 });
        self.canned(status, text, name, port)
    }

    fn line<'a>(&self, head: &'a [u8]) -> Option<(super::Line<'a>, Version)> {
        let line = split_line(head, false)?;
        let clean = |bytes: &[u8]| bytes.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
        if !is_token(line.method) || line.target.is_empty() || !clean(line.target) {
            return None;
        }
        let Some(text) = line.version else {
            return (line.method == b"GET").then_some((line, Version::V09));
        };
        let digits: [u8; 8] = text.try_into().ok()?;
        let version = match digits {
            [b'H', b'T', b'T', b'P', b'/', major @ b'1'..=b'9', b'.', minor @ b'0'..=b'9'] => {
                Version { major: u16::from(major - b'0'), minor: u16::from(minor - b'0') }
            }
            _ => return None,
        };
        Some((line, version))
    }

    /// Why a head gives no request, and the host as far as it was understood by then.
    fn read(&self, head: &Head, arrival: Arrival) -> Result<Request, (Detail, Option<Authority>)> {
        let fail = |detail| Err((detail, None));
        let Some((line, version)) = self.line(head.line()) else { return fail(Detail::BadLine) };
        if head.bare_lf && version > Version::V09 {
            return fail(Detail::BadLine);
        }
        let mut request = blank(head, &line, version, arrival);
        request.fields.clear();
        for line in head.fields() {
            if line.iter().any(|byte| *byte == 0 || *byte == b'\r' || *byte == 0x7f) {
                return fail(Detail::BadField);
            }
            match (line.first(), request.fields.last_mut()) {
                // Folding (RFC 9112 section 5.2) is still taken.
                (Some(b' ' | b'\t'), Some(last)) => {
                    last.value.push(b' ');
                    last.value.extend_from_slice(line.trim_ascii());
                }
                (Some(b' ' | b'\t'), None) => return fail(Detail::BadField),
                _ => {
                    let read = field(line);
                    if !line.contains(&b':') || !is_token(&read.name) {
                        return fail(Detail::BadField);
                    }
                    request.fields.push(read);
                }
            }
        }
        let hosts: Vec<Vec<u8>> = request
            .fields
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(b"host"))
            .map(|field| field.value.clone())
            .collect();
        let target = absolute(line.target).filter(|_| !line.target.starts_with(b"/"));
        let connect = line.method == b"CONNECT";
        let named = match (&target, &hosts[..]) {
            (Some((_, authority)), _) => host(authority),
            (None, _) if connect => host(line.target),
            (None, [value]) => host(value).filter(|(name, _)| {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
            }),
            _ => None,
        };
        if hosts.len() > 1 || (hosts.len() == 1 && named.is_none()) {
            return fail(Detail::BadHost);
        }
        if hosts.is_empty() && version >= Version::V11 {
            return Err((Detail::NoHost, named));
        }
        (request.host, request.host_port) = match named.clone() {
            Some((name, port)) => (Some(name), port),
            None => (None, None),
        };
        let lengths: Vec<&[u8]> = request
            .fields
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(b"content-length"))
            .map(|field| field.value.as_slice())
            .collect();
        let length = match lengths[..] {
            [] => Some(0),
            [value] if value.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok())
            }
            _ => None,
        };
        request.body_length = match request.field("transfer-encoding") {
            Some(coding) => {
                let last = coding.rsplit(',').next().unwrap_or_default().trim().to_ascii_lowercase();
                if last != "chunked" {
                    return fail(Detail::BadTransferEncoding);
                }
                // Two lengths are a smuggler's tool: the second one wins and the connection ends.
                request.last = !lengths.is_empty();
                BodyLength::Chunked
            }
            None => match length {
                Some(length) => BodyLength::Exactly(length),
                None => return fail(Detail::BadLength),
            },
        };
        let path: &[u8] = match &target {
            Some((path, _)) => path,
            None if connect => b"/",
            None if line.target == b"*" => b"/",
            None if line.target.starts_with(b"/") => line.target,
            None => return fail(Detail::BadPath),
        };
        let (path, query) = crate::httpd::request::split_target(path);
        request.query = String::from_utf8_lossy(query).into_owned();
        request.path = match crate::httpd::request::decode_path(path) {
            Ok(path) => path,
            // A name with a NUL, or with an encoded slash, is looked for and not found.
            Err(crate::httpd::PathFault::Nul) => String::from_utf8_lossy(path).into_owned(),
            Err(_) => return Err((Detail::BadPath, named)),
        };
        let encoded_slash = path.windows(3).any(|part| part.eq_ignore_ascii_case(b"%2f"));
        if encoded_slash {
            request.path = String::from_utf8_lossy(path).into_owned();
        }
        if let Some(expect) = request.field("expect") {
            if !expect.eq_ignore_ascii_case("100-continue") {
                return Err((Detail::BadExpectation, named));
            }
            request.expects_continue = version >= Version::V11;
        }
        Ok(request)
    }
}

impl Product for Apache {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn http2(&self) -> Option<&'static Manner> {
        // mod_http2 is there since 2.4.17.
        (self.packaging.release >= (2, 4, 17)).then_some(&manner::APACHE)
    }

    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict {
        if !complete {
            return LineVerdict::More;
        }
        match self.line(line) {
            Some((_, Version::V09)) => LineVerdict::Alone,
            Some(_) => LineVerdict::More,
            None => LineVerdict::Stop,
        }
    }

    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
        self.read(head, arrival).map_err(|(detail, _)| detail)
    }

    fn refuse(&self, fault: &Fault, place: &Place) -> Option<Response> {
        let port = if fault.arrival.secure { 443 } else { 80 };
        if let Some(request) = &fault.request {
            let mut response = self.for_request(
                if fault.detail == Detail::BodyTooLarge { 413 } else { 400 },
                &self.text(if fault.detail == Detail::BodyTooLarge { 413 } else { 400 }, Some(request), ""),
                request,
                place,
            );
            if fault.detail == Detail::BadChunk {
                // The filters are gone by then, so nobody counts the page.
                response.framing = Framing::Close;
            }
            return Some(response);
        }
        let known = self.read(&fault.head, fault.arrival).err().and_then(|(_, host)| host);
        let (name, port) = match known {
            Some((name, given)) => (name, given.unwrap_or(port)),
            None => (place.name.clone(), port),
        };
        let bad = |note: &str| {
            format!(
                "<p>Your browser sent a request that this server could not understand.<br />\n{note}</p>\n"
            )
        };
        let response = match fault.detail {
            Detail::LineTooLong => self.canned(414, &self.text(414, None, ""), &name, port),
            Detail::FieldTooLong => {
                self.canned(400, &bad("Size of a request header field exceeds server limit."), &name, port)
            }
            Detail::TooManyFields | Detail::HeadTooLong => self.canned(
                400,
                &bad("The number of request header fields exceeds this server's limit."),
                &name,
                port,
            ),
            Detail::ListTooLarge => {
                // A target that was too large is not there.
                let words = fault.head.line().split(|byte| *byte == b' ').filter(|word| !word.is_empty());
                let mut response = if words.count() < 3 {
                    let text = format!(
                        "{}<p>Additionally, a 400 Bad Request\nerror was encountered while trying to use an ErrorDocument to handle the request.</p>\n",
                        self.text(414, None, "")
                    );
                    self.canned(414, &text, &place.name, 443)
                } else {
                    let text = "<p>The server refused this request because\nthe request header fields are too large.</p>\n";
                    self.canned(431, text, &place.name, 443)
                };
                response.layout = Some(EARLY);
                response
            }
            Detail::Timeout => {
                // Only a head whose request line came is worth an answer.
                self.line(fault.head.line())?;
                self.canned(408, &self.text(408, None, ""), &name, port)
            }
            Detail::BadExpectation => {
                let value =
                    fault.head.fields().map(field).find(|field| field.name.eq_ignore_ascii_case(b"expect"));
                let value =
                    value.map(|field| String::from_utf8_lossy(&field.value).into_owned()).unwrap_or_default();
                let text = format!(
                    "<p>The expectation given in the Expect request-header\nfield could not be met by this server.\nThe client sent<pre>\n    Expect: {}\n</pre>\n</p><p>Only the 100-continue expectation is supported.</p>\n",
                    escape(&value)
                );
                let mut response = self.canned(417, &text, &name, port);
                response.closing = Closing::Silent;
                response
            }
            Detail::PlainOnTls => {
                // Bytes that are no request at all are dropped without a word.
                self.line(fault.head.line())?;
                let note = "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />\n Instead use the HTTPS scheme to access this URL, please.<br />\n";
                self.canned(400, &bad(note), &place.name, fault.arrival.port)
            }
            _ => self.canned(400, &bad(""), &name, port),
        };
        Some(response)
    }

    fn gate(&self, request: &Request, page: bool, place: &Place) -> Option<Response> {
        let refused = |status: u16| {
            let text = self.text(status, Some(request), "");
            let mut response = self.for_request(status, &text, request, place);
            response.fields.insert(0, ("Allow".into(), self.allow()));
            Some(response)
        };
        match request.method.as_str() {
            "GET" | "HEAD" | "POST" => None,
            "TRACE" if self.packaging.trace => {
                let blank_line = b"\r\n";
                let start = request.raw.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
                let mut echo = request.raw[start..].to_vec();
                if !echo.ends_with(b"\r\n\r\n") {
                    echo.extend_from_slice(blank_line);
                }
                let mut response = Response::new(200, "message/http", echo);
                response.framing = Framing::Dynamic;
                Some(response)
            }
            "TRACE" => refused(405).map(|mut response| {
                response.fields.iter_mut().for_each(|(_, value)| value.clear());
                response
            }),
            "OPTIONS" if request.target == "*" => {
                let mut response = Response::bare(200);
                response.framing = Framing::Length;
                Some(response)
            }
            "OPTIONS" if !page => Some(Response::new(200, "text/html", "").with("Allow", self.allow())),
            _ if page => None,
            method if KNOWN.contains(&method) => refused(405),
            _ => refused(501),
        }
    }

    fn error(&self, status: u16, request: &Request, place: &Place) -> Response {
        self.for_request(status, &self.text(status, Some(request), ""), request, place)
    }

    fn document(&self, request: &Request, document: &Document, place: &Place) -> Response {
        let mut etag = format!("\"{:x}-{:x}\"", document.body.len(), document.modified);
        let text = ["text/html", "text/plain", "text/css", "text/xml"];
        let compressible =
            self.packaging.deflate && text.iter().any(|kind| document.content_type.starts_with(kind));
        let packed = (compressible && request.accepts_gzip() && request.field("range").is_none())
            .then(|| gzip(&document.body))
            .flatten();
        if packed.is_some() {
            etag = format!("\"{:x}-{:x}-gzip\"", document.body.len(), document.modified);
        }
        let boundary = format!("{:x}", place.boundary);
        match select(request, document, Some(&etag), &RULES, place.now, &boundary) {
            Selected::Response(mut response) => {
                match response.status {
                    304 => response = response.with("Accept-Ranges", "bytes"),
                    _ if compressible => response = response.with("Vary", "Accept-Encoding"),
                    _ => {}
                }
                if let (200, Some(packed)) = (response.status, packed) {
                    response.body = packed;
                    response.layout = Some(LENGTH_LAST);
                    response = response.with("Content-Encoding", "gzip");
                }
                response
            }
            Selected::PreconditionFailed => Response::new(412, document.content_type.clone(), "")
                .with("Last-Modified", date::format(document.modified.div_euclid(1_000_000)))
                .with("ETag", etag)
                .with("Accept-Ranges", "bytes"),
            Selected::Unsatisfiable(_) => {
                let mut response = self.error(416, request, place);
                response.framing = Framing::Dynamic;
                response
            }
        }
    }

    fn page(&self, request: &Request, mut response: Response) -> Response {
        response.layout = Some(LENGTH_LAST);
        let text = response.content_type.as_deref().is_some_and(|kind| kind.starts_with("text/"));
        if self.packaging.deflate && text && !response.body.is_empty() {
            response = response.with("Vary", "Accept-Encoding");
            if request.accepts_gzip()
                && let Some(body) = gzip(&response.body)
            {
                response.body = body;
                response = response.with("Content-Encoding", "gzip");
            }
        }
        // What fits the buffer of the output filters is counted, the rest goes out in chunks.
        if response.framing == Framing::Length && response.body.len() > 8000 {
            response.framing = Framing::Dynamic;
        }
        response
    }

    fn redirect(&self, status: u16, request: &Request, to: &str, place: &Place) -> Response {
        self.for_request(status, &self.text(status, Some(request), to), request, place).with("Location", to)
    }
}

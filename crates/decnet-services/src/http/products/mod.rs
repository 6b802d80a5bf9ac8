//! The servers that the decoy can be: how each reads, refuses and writes. One file per product; what they
//! share stands here.

pub(super) mod apache;
pub(super) mod device;
pub(super) mod iis;
pub(super) mod lighttpd;
pub(super) mod nginx;

use decnet_core::identity::Identity;

use crate::httpd::framer::HeadLimits;
use crate::httpd::http2::Manner;
use crate::httpd::{
    Arrival, BodyLength, Detail, Document, Fault, Field, Head, LineVerdict, Profile, Request, Response,
    Version,
};

/// A release, as far as it was given: `1.22.1` is (1, 22, 1).
pub(super) type Release = (u32, u32, u32);

/// Reads a release; what is missing or no number is 0.
pub(super) fn release(text: &str) -> Release {
    let mut parts = text.split(['.', '-', '+']).map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    });
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// What a product knows of the machine it runs on.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The name it has for itself.
    pub(super) name: String,
    /// Now, seconds since 1970.
    pub(super) now: i64,
    /// Divides the parts of an answer with several ranges; fresh.
    pub(super) boundary: u64,
}

/// A server.
pub(super) trait Product: Send + Sync {
    fn profile(&self) -> &Profile;

    /// How it speaks HTTP/2 where that is switched on; `None`: no release of it does.
    fn http2(&self) -> Option<&'static Manner> {
        None
    }
    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict;
    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail>;
    fn refuse(&self, fault: &Fault, place: &Place) -> Option<Response>;

    /// Answers methods that never reach the site. `page`: the target is made by a program, which takes
    /// any method the server passes on.
    fn gate(&self, request: &Request, page: bool, place: &Place) -> Option<Response>;

    /// Its own error page.
    fn error(&self, status: u16, request: &Request, place: &Place) -> Response;

    /// The page around a step of Integrated Windows authentication.
    fn challenge(&self, request: &Request, place: &Place) -> Response {
        self.error(401, request, place)
    }

    /// A file.
    fn document(&self, request: &Request, document: &Document, place: &Place) -> Response;

    /// What a program behind it made: adds what the server adds.
    fn page(&self, request: &Request, response: Response) -> Response {
        let _ = request;
        response
    }

    /// Sends the client elsewhere.
    fn redirect(&self, status: u16, request: &Request, to: &str, place: &Place) -> Response {
        self.error(status, request, place).with("Location", to)
    }

    /// Whether the body is read before a target that is no program is answered.
    fn reads_body_first(&self) -> bool {
        true
    }
}

/// The two or three words of a request line.
pub(super) struct Line<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    pub(super) version: Option<&'a [u8]>,
}

/// Splits a request line at blanks: at runs of them, or at each one alone.
pub(super) fn split_line(line: &[u8], runs: bool) -> Option<Line<'_>> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !runs || !word.is_empty());
    let (method, target) = (words.next()?, words.next()?);
    let version = words.next();
    (words.next().is_none()).then_some(Line { method, target, version })
}

/// `HTTP/1.1` and its kin: digits, a point, digits.
pub(super) fn version(text: &[u8]) -> Option<Version> {
    let text = std::str::from_utf8(text.strip_prefix(b"HTTP/")?).ok()?;
    let (major, minor) = text.split_once('.')?;
    let number = |part: &str| {
        let short = (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        short.then(|| part.parse().ok()).flatten()
    };
    Some(Version { major: number(major)?, minor: number(minor)? })
}

/// The characters of a token (RFC 9110 section 5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// A field line at its first colon; without one, all of it is the name.
pub(super) fn field(line: &[u8]) -> Field {
    match line.iter().position(|byte| *byte == b':') {
        Some(at) => Field { name: line[..at].to_vec(), value: line[at + 1..].trim_ascii().to_vec() },
        None => Field { name: line.to_vec(), value: Vec::new() },
    }
}

/// A host and its port; `None` where it is none.
pub(super) fn host(value: &[u8]) -> Option<(String, Option<u16>)> {
    let text = std::str::from_utf8(value).ok()?;
    if text.is_empty()
        || text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'/' || byte == b'\\')
    {
        return None;
    }
    let (name, port) = match text.rfind(':') {
        Some(at) if !text[at..].contains(']') => {
            let port = &text[at + 1..];
            (&text[..at], if port.is_empty() { None } else { Some(port.parse::<u16>().ok()?) })
        }
        _ => (text, None),
    };
    if name.is_empty() {
        return None;
    }
    Some((name.trim_end_matches('.').to_ascii_lowercase(), port))
}

/// An absolute target without its scheme and authority, and the authority.
pub(super) fn absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = target.windows(3).position(|part| part == b"://")?;
    if !target[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)) || at == 0 {
        return None;
    }
    let rest = &target[at + 3..];
    let end = rest.iter().position(|byte| *byte == b'/' || *byte == b'?').unwrap_or(rest.len());
    let path: &[u8] = if end == rest.len() { b"/" } else { &rest[end..] };
    Some((path, &rest[..end]))
}

/// A request with nothing but its head's bytes in it.
pub(super) fn blank(head: &Head, line: &Line<'_>, version: Version, arrival: Arrival) -> Request {
    Request {
        method: String::from_utf8_lossy(line.method).into_owned(),
        target: String::from_utf8_lossy(line.target).into_owned(),
        path: "/".to_owned(),
        query: String::new(),
        version,
        fields: head.fields().map(field).collect(),
        host: None,
        host_port: None,
        body_length: BodyLength::Exactly(0),
        expects_continue: false,
        body: Vec::new(),
        body_len: 0,
        raw: head.raw().to_vec(),
        last: false,
        secure: arrival.secure,
        port: arrival.port,
    }
}

/// Content-Length where there is exactly one number.
pub(super) fn content_length(request: &Request) -> Result<Option<u64>, Detail> {
    let mut found = None;
    for field in request.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(b"content-length")) {
        let digits = !field.value.is_empty() && field.value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(&field.value).ok().and_then(|text| text.parse::<u64>().ok());
        match (digits, number, found) {
            (true, Some(number), None) => found = Some(number),
            _ => return Err(Detail::BadLength),
        }
    }
    Ok(found)
}

/// The rules of small servers, which take nearly everything: used by lighttpd and the devices.
pub(super) fn accept_leniently(head: &Head, arrival: Arrival, host_needed: bool) -> Result<Request, Detail> {
    accept_with_path(head, arrival, host_needed, |request, target| {
        if !target.starts_with(b"/") && target != b"*" {
            return Err(Detail::BadPath);
        }
        set_path(request, target)
    })
}

/// As [`accept_leniently`], with other rules for the path.
pub(super) fn accept_with_path(
    head: &Head,
    arrival: Arrival,
    host_needed: bool,
    set_path: impl Fn(&mut Request, &[u8]) -> Result<(), Detail>,
) -> Result<Request, Detail> {
    let line = split_line(head.line(), true).ok_or(Detail::BadLine)?;
    let Some(text) = line.version else { return Err(Detail::BadLine) };
    if !is_token(line.method) {
        return Err(Detail::BadLine);
    }
    let version = version(text).ok_or(Detail::BadLine)?;
    if version.major != 1 {
        return Err(Detail::BadVersion);
    }
    let mut request = blank(head, &line, version, arrival);
    if head.fields().any(|line| line.contains(&0)) {
        return Err(Detail::BadField);
    }
    match request.bytes("host") {
        Some(value) => {
            let Some((name, port)) = host(value) else { return Err(Detail::BadHost) };
            (request.host, request.host_port) = (Some(name), port);
        }
        None if host_needed && version >= Version::V11 => return Err(Detail::NoHost),
        None => {}
    }
    let target = absolute(line.target).map_or(line.target, |(path, _)| path);
    set_path(&mut request, target)?;
    let length = content_length(&request)?;
    request.body_length = if request.lists("transfer-encoding", "chunked") {
        BodyLength::Chunked
    } else {
        BodyLength::Exactly(length.unwrap_or(0))
    };
    request.expects_continue = request.lists("expect", "100-continue");
    Ok(request)
}

/// Fills path and query in.
pub(super) fn set_path(request: &mut Request, target: &[u8]) -> Result<(), Detail> {
    let (path, query) = crate::httpd::request::split_target(target);
    request.query = String::from_utf8_lossy(query).into_owned();
    request.path = crate::httpd::request::decode_path(path).map_err(|_| Detail::BadPath)?;
    Ok(())
}

/// Whether a line without its end could still become a request: small servers wait for the end.
pub(super) fn wait_for_the_end(_: &[u8], _: bool) -> LineVerdict {
    LineVerdict::More
}

/// gzip as servers on Unix send it: no name, no time.
pub(super) fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// The bounds that most servers of the Unix world share.
pub(super) const HEAD: HeadLimits =
    HeadLimits { request_line: 8190, field_line: 8190, fields: 100, total: 820 * 1024 };

/// Text for HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Whether the distribution is one of Red Hat's kin.
pub(super) fn is_red_hat(identity: &Identity) -> bool {
    ["rocky", "alma", "rhel", "centos", "fedora", "sangoma"]
        .iter()
        .any(|row| identity.os.row.starts_with(row))
}

//! lighttpd 1.4.

use std::time::Duration;

use super::{Place, Product, Release, accept_with_path, is_token, split_line, version};
use crate::httpd::content::{Rules, Selected, select};
use crate::httpd::framer::HeadLimits;
use crate::httpd::http2::{Manner, manner};
use crate::httpd::request::{decode_path, split_target};
use crate::httpd::{
    Arrival, BrokenBody, Detail, Document, Fault, Head, KeepAlive, KeepAliveStyle, LineVerdict, PathFault,
    Profile, Request, Response, Slot,
};

const LAYOUT: &[Slot] = &[
    Slot::Named("Location"),
    Slot::Named("Allow"),
    Slot::ContentType,
    Slot::Named("Content-Type"),
    Slot::Named("ETag"),
    Slot::Named("Last-Modified"),
    Slot::ContentLength,
    Slot::Named("Accept-Ranges"),
    Slot::Rest,
    Slot::TransferEncoding,
    Slot::Connection,
    Slot::Date,
    Slot::Server,
];

const RULES: Rules = Rules {
    exact_date: true,
    broken_range_refused: false,
    lower_case_parts: false,
    ranges_in_partial: true,
    ranges: 10,
};

pub(in super::super) struct Lighttpd {
    profile: Profile,
    release: Release,
}

impl Lighttpd {
    pub(in super::super) fn new(token: &str, release: Release) -> Lighttpd {
        Lighttpd {
            profile: Profile {
                server: Some(token.to_owned().into()),
                layout: LAYOUT,
                echo_version: true,
                head: HeadLimits { request_line: 8192, field_line: 8192, fields: 512, total: 8192 },
                keep_alive: KeepAlive {
                    style: KeepAliveStyle::Exceptions,
                    idle: Duration::from_secs(5),
                    requests: if release >= (1, 4, 54) { 1000 } else { 100 },
                },
                head_timeout: Duration::from_secs(60),
                body_timeout: Duration::from_secs(60),
                body_limit: 64 * 1024 * 1024,
                broken_body: BrokenBody::Refuse,
                linger: Duration::from_secs(2),
                body_kept: 256 * 1024,
            },
            release,
        }
    }

    fn xml(&self, status: u16) -> Response {
        let reason = crate::httpd::response::reason(status);
        let reason = match status {
            413 => "Payload Too Large",
            414 => "URI Too Long",
            416 => "Range Not Satisfiable",
            _ => reason,
        };
        // A dash stood between number and phrase until 1.4.53.
        let title = if self.release >= (1, 4, 54) {
            format!("{status} {reason}")
        } else {
            format!("{status} - {reason}")
        };
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n\
             <!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\"\n         \
             \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">\n\
             <html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n <head>\n  \
             <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
        );
        let mut response = Response::new(status, "text/html", body);
        response.reason = reason.into();
        response
    }
}

impl Product for Lighttpd {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn http2(&self) -> Option<&'static Manner> {
        // Since 1.4.56.
        (self.release >= (1, 4, 56)).then_some(&manner::LIGHTTPD)
    }

    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict {
        match (complete, split_line(line, true)) {
            (false, _) => LineVerdict::More,
            (true, Some(line)) if line.version.is_some() && is_token(line.method) => LineVerdict::More,
            _ => LineVerdict::Stop,
        }
    }

    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
        accept_with_path(head, arrival, true, |request, target| {
            if !target.starts_with(b"/") && target != b"*" && request.method != "CONNECT" {
                return Err(Detail::BadPath);
            }
            let (path, query) = split_target(target);
            request.query = String::from_utf8_lossy(query).into_owned();
            request.path = match decode_path(path) {
                Ok(path) => path,
                Err(PathFault::Nul) => return Err(Detail::BadPath),
                // It stays below the root, takes half an escape as it is, and finds nothing there.
                Err(_) => String::from_utf8_lossy(path).into_owned(),
            };
            Ok(())
        })
    }

    fn refuse(&self, fault: &Fault, _: &Place) -> Option<Response> {
        let status = match fault.detail {
            Detail::Timeout | Detail::PlainOnTls => return None,
            Detail::BadVersion => 505,
            Detail::LineTooLong
            | Detail::FieldTooLong
            | Detail::HeadTooLong
            | Detail::TooManyFields
            | Detail::ListTooLarge => 431,
            Detail::NoLength => 411,
            Detail::BodyTooLarge => 413,
            Detail::BadTransferEncoding => 501,
            Detail::BadExpectation => 417,
            Detail::BadLine => {
                let text = split_line(fault.head.line(), true).and_then(|line| line.version);
                if text.and_then(version).is_some_and(|version| version.major != 1) { 505 } else { 400 }
            }
            _ => 400,
        };
        Some(self.xml(status).closing())
    }

    fn gate(&self, request: &Request, page: bool, _: &Place) -> Option<Response> {
        match request.method.as_str() {
            "GET" | "HEAD" | "POST" => None,
            "OPTIONS" if !page => Some(Response::bare(200).with("Allow", "OPTIONS, GET, HEAD, POST")),
            "CONNECT" => Some(self.xml(405).closing()),
            _ if page => None,
            _ => Some(self.xml(501)),
        }
    }

    fn error(&self, status: u16, _: &Request, _: &Place) -> Response {
        self.xml(status)
    }

    fn document(&self, request: &Request, document: &Document, place: &Place) -> Response {
        // Its tags are a decimal hash of size and date (inode left out).
        let mut hash: u32 = 5381;
        for byte in document.modified.to_le_bytes().iter().chain(&document.body.len().to_le_bytes()) {
            hash = hash.rotate_left(5).wrapping_mul(33) ^ u32::from(*byte);
        }
        let boundary = "fkj49sn38dcn3";
        match select(request, document, Some(&format!("\"{hash}\"")), &RULES, place.now, boundary) {
            // It names the type of what did not change, too.
            Selected::Response(response) if response.status == 304 => {
                response.with("Content-Type", document.content_type.clone())
            }
            Selected::Response(response) => response,
            Selected::PreconditionFailed => self.xml(412),
            Selected::Unsatisfiable(range) => self.xml(416).with("Content-Range", range),
        }
    }

    fn redirect(&self, status: u16, _: &Request, to: &str, _: &Place) -> Response {
        Response::bare(status).with("Location", to)
    }
}

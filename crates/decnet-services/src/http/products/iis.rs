//! Internet Information Services on http.sys, which answers what is no request itself.

use std::time::Duration;

use super::{Place, Product, accept_leniently, is_token, split_line, version, wait_for_the_end};
use crate::httpd::content::{Rules, Selected, select};
use crate::httpd::framer::HeadLimits;
use crate::httpd::http2::{Manner, manner};
use crate::httpd::{
    Arrival, BrokenBody, Detail, Document, Fault, Head, KeepAlive, KeepAliveStyle, LineVerdict, Profile,
    Request, Response, Slot,
};

const LAYOUT: &[Slot] = &[
    Slot::Named("Cache-Control"),
    Slot::TransferEncoding,
    Slot::ContentType,
    Slot::Named("Location"),
    Slot::Named("Last-Modified"),
    Slot::Named("Accept-Ranges"),
    Slot::Named("ETag"),
    Slot::Named("Allow"),
    Slot::Server,
    Slot::Rest,
    Slot::Named("X-Powered-By"),
    Slot::Date,
    Slot::Connection,
    Slot::ContentLength,
];

/// http.sys: MaxFieldLength and MaxRequestBytes are 16 KiB.
const LIMITS: HeadLimits =
    HeadLimits { request_line: 16_384, field_line: 16_384, fields: 1000, total: 16_384 };
/// Request filtering: maxUrl and maxQueryString; beyond them 404.14 and 404.15.
const URL: usize = 4096;
const QUERY: usize = 2048;

const RULES: Rules = Rules {
    exact_date: false,
    broken_range_refused: false,
    lower_case_parts: false,
    ranges_in_partial: true,
    ranges: 16,
};

/// Seconds between 1601 and 1970.
const FILETIME_EPOCH: i64 = 11_644_473_600;

pub(in super::super) struct Iis {
    profile: Profile,
    powered_by: bool,
    site: bool,
}

impl Iis {
    /// `token` is the server token; without `site` only http.sys is there.
    pub(in super::super) fn new(token: &str, site: bool) -> Iis {
        Iis {
            profile: Profile {
                server: Some(token.to_owned().into()),
                layout: LAYOUT,
                echo_version: false,
                head: LIMITS,
                keep_alive: KeepAlive {
                    style: KeepAliveStyle::Exceptions,
                    idle: Duration::from_secs(120),
                    requests: u32::MAX,
                },
                head_timeout: Duration::from_secs(120),
                body_timeout: Duration::from_secs(120),
                body_limit: 30_000_000,
                broken_body: BrokenBody::Refuse,
                linger: Duration::from_secs(2),
                body_kept: 256 * 1024,
            },
            powered_by: site,
            site,
        }
    }

    /// A page of http.sys itself.
    fn kernel(status: u16, title: &str, heading: &str, text: &str) -> Response {
        let body = format!(
            "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"\"http://www.w3.org/TR/html4/strict.dtd\">\r\n\
             <HTML><HEAD><TITLE>{title}</TITLE>\r\n\
             <META HTTP-EQUIV=\"Content-Type\" Content=\"text/html; charset=us-ascii\"></HEAD>\r\n\
             <BODY><h2>{heading}</h2>\r\n<hr><p>HTTP Error {status}. {text}</p>\r\n</BODY></HTML>\r\n"
        );
        let mut response = Response::new(status, "text/html; charset=us-ascii", body).closing();
        response.reason = title.to_owned().into();
        response.server = Some(Some("Microsoft-HTTPAPI/2.0".into()));
        response
    }

    /// The short page of a site: details are for clients on the machine itself.
    fn short(&self, status: u16, title: &str, text: &str) -> Response {
        let body = format!(
            "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd\">\r\n\
             <html xmlns=\"http://www.w3.org/1999/xhtml\">\r\n<head>\r\n\
             <meta http-equiv=\"Content-Type\" content=\"text/html; charset=iso-8859-1\"/>\r\n\
             <title>{title}</title>\r\n<style type=\"text/css\">\r\n<!--\r\n\
             body{{margin:0;font-size:.7em;font-family:Verdana, Arial, Helvetica, sans-serif;background:#EEEEEE;}}\r\n\
             fieldset{{padding:0 15px 10px 15px;}} \r\n\
             h1{{font-size:2.4em;margin:0;color:#FFF;}}\r\n\
             h2{{font-size:1.7em;margin:0;color:#CC0000;}} \r\n\
             h3{{font-size:1.2em;margin:10px 0 0 0;color:#000000;}} \r\n\
             #header{{width:96%;margin:0 0 0 0;padding:6px 2% 6px 2%;font-family:\"trebuchet MS\", Verdana, sans-serif;color:#FFF;\r\n\
             background-color:#555555;}}\r\n\
             #content{{margin:0 0 0 2%;position:relative;}}\r\n\
             .content-container{{background:#FFF;width:96%;margin-top:8px;padding:10px;position:relative;}}\r\n\
             -->\r\n</style>\r\n</head>\r\n<body>\r\n\
             <div id=\"header\"><h1>Server Error</h1></div>\r\n<div id=\"content\">\r\n \
             <div class=\"content-container\"><fieldset>\r\n  <h2>{title}</h2>\r\n  <h3>{text}</h3>\r\n \
             </fieldset></div>\r\n</div>\r\n</body>\r\n</html>\r\n"
        );
        self.powered(Response::new(status, "text/html", body))
    }

    fn powered(&self, response: Response) -> Response {
        if self.powered_by && response.field("x-powered-by").is_none() {
            return response.with("X-Powered-By", "ASP.NET");
        }
        response
    }
}

/// The date as IIS shows it: the bytes of a FILETIME, lowest first, without leading zeros, and a change
/// count.
fn etag(modified: i64) -> String {
    let ticks = (modified.saturating_add(FILETIME_EPOCH * 1_000_000)).saturating_mul(10);
    let digits: String = ticks.to_le_bytes().iter().map(|byte| format!("{byte:x}")).collect();
    format!("\"{digits}:0\"")
}

impl Product for Iis {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn http2(&self) -> Option<&'static Manner> {
        // http.sys of Windows 10 and Server 2016, which is older where it says so.
        let release = self.profile.server.as_deref().and_then(|token| token.split_once("IIS/"));
        let new = release.is_none_or(|(_, text)| super::release(text) >= (10, 0, 0));
        new.then_some(&manner::HTTP_SYS)
    }

    fn judge_line(&self, line: &[u8], complete: bool) -> LineVerdict {
        if !complete {
            return wait_for_the_end(line, complete);
        }
        match split_line(line, true).and_then(|line| line.version) {
            Some(_) => LineVerdict::More,
            None => LineVerdict::Stop,
        }
    }

    fn accept(&self, head: &Head, arrival: Arrival) -> Result<Request, Detail> {
        let mut request = accept_leniently(head, arrival, true)?;
        // Dots above the root are cut off, not refused.
        if request.path.is_empty() {
            request.path = "/".to_owned();
        }
        Ok(request)
    }

    fn refuse(&self, fault: &Fault, _: &Place) -> Option<Response> {
        let bad = |heading: &str, text: &str| {
            let heading = if heading.is_empty() {
                "Bad Request".to_owned()
            } else {
                format!("Bad Request - {heading}")
            };
            Iis::kernel(400, "Bad Request", &heading, text)
        };
        Some(match fault.detail {
            // Schannel drops the connection.
            Detail::Timeout | Detail::PlainOnTls => return None,
            Detail::NoHost | Detail::BadHost => bad("Invalid Hostname", "The request hostname is invalid."),
            Detail::LineTooLong => {
                Iis::kernel(414, "URI Too Long", "Request URL Too Long", "The request URL is too long.")
            }
            Detail::NoLength => Iis::kernel(
                411,
                "Length Required",
                "Length Required",
                "The request must be chunked or have a content length.",
            ),
            Detail::FieldTooLong | Detail::TooManyFields | Detail::HeadTooLong | Detail::ListTooLarge => {
                bad("Request Too Long", "The size of the request headers is too long.")
            }
            Detail::BadField => bad("Invalid Header", "The request has an invalid header name."),
            Detail::BadPath => bad("Invalid URL", "The request URL is invalid."),
            Detail::BadLength => bad(
                "Invalid Content Length",
                "There is an invalid content length or chunk length in the request.",
            ),
            Detail::BadChunk => bad(
                "Invalid Content Length",
                "There is an invalid content length or chunk length in the request.",
            ),
            Detail::BadTransferEncoding => Iis::kernel(
                501,
                "Not Implemented",
                "Not Implemented",
                "The request transfer encoding is not implemented.",
            ),
            Detail::BodyTooLarge => self.short(
                413,
                "413 - Request entity too large.",
                "The page was not displayed because the request entity is too large.",
            ),
            Detail::BadVersion => Iis::kernel(
                505,
                "HTTP Version Not Supported",
                "HTTP Version Not Supported",
                "The requested HTTP version is not supported.",
            ),
            Detail::BadLine | Detail::BadExpectation => {
                let line = split_line(fault.head.line(), true);
                match line {
                    Some(line) if !is_token(line.method) => {
                        bad("Invalid Verb", "The request verb is invalid.")
                    }
                    Some(line) if line.version.is_some_and(|text| version(text).is_none()) => {
                        bad("", "The request is badly formed.")
                    }
                    Some(_) => bad("", "The request is badly formed."),
                    None => bad("Invalid Verb", "The request verb is invalid."),
                }
            }
        })
    }

    fn gate(&self, request: &Request, page: bool, _: &Place) -> Option<Response> {
        if !self.site {
            let mut response =
                Iis::kernel(404, "Not Found", "Not Found", "The requested resource is not found.");
            if request.wants_keep_alive() {
                response.closing = crate::httpd::Closing::AsAsked;
            }
            return Some(response);
        }
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if path.len() > URL || query.len() > QUERY {
            return Some(self.not_found());
        }
        match request.method.as_str() {
            "GET" | "HEAD" => None,
            "TRACE" => Some(self.short(
                501,
                "501 - Header values specify a method that is not implemented.",
                "The page you are looking for cannot be displayed because a header value in the request does not match certain configuration settings on the Web server. For example, a request header might specify a POST to a static file that cannot be posted to, or specify a Transfer-Encoding value that cannot make chunked transfers.",
            )),
            "OPTIONS" if !page => {
                let mut response = Response::bare(200)
                    .with("Allow", "OPTIONS, TRACE, GET, HEAD, POST")
                    .with("Public", "OPTIONS, TRACE, GET, HEAD, POST");
                response.body = Vec::new();
                Some(self.powered(response))
            }
            _ if page => None,
            _ => None,
        }
    }

    fn error(&self, status: u16, request: &Request, place: &Place) -> Response {
        if status == 401 && !self.site {
            return self.challenge(request, place);
        }
        let (title, text) = match status {
            401 => (
                "401 - Unauthorized: Access is denied due to invalid credentials.",
                "You do not have permission to view this directory or page using the credentials that you supplied.",
            ),
            403 => (
                "403 - Forbidden: Access is denied.",
                "You do not have permission to view this directory or page using the credentials that you supplied.",
            ),
            404 => return self.not_found(),
            405 => (
                "405 - HTTP verb used to access this page is not allowed.",
                "The page you are looking for cannot be displayed because an invalid method (HTTP verb) was used to attempt access.",
            ),
            412 => (
                "412 - Precondition set by the client failed when evaluated on the Web server.",
                "The request was not completed due to preconditions that are set in the request header. Preconditions prevent the requested method from being applied to a resource other than the one intended. An example of a precondition is testing for expired content in the page cache of the client.",
            ),
            416 => (
                "416 - Requested range not satisfiable.",
                "None of the ranges that the client asked for lies within the resource.",
            ),
            301 | 302 => {
                return self.powered(Response::new(status, "text/html; charset=UTF-8", ""));
            }
            _ => (
                "500 - Internal server error.",
                "There is a problem with the resource you are looking for, and it cannot be displayed.",
            ),
        };
        self.short(status, title, text)
    }

    /// Http.sys speaks the protocol itself (kernel-mode authentication, the default since IIS 7); the site
    /// does not see the request before somebody is there.
    fn challenge(&self, _: &Request, _: &Place) -> Response {
        let text = "The requested resource requires user authentication.";
        let mut response = Iis::kernel(401, "Not Authorized", "Not Authorized", text);
        response.reason = crate::httpd::response::reason(401).into();
        response.closing = crate::httpd::Closing::AsAsked;
        response
    }

    fn document(&self, request: &Request, document: &Document, place: &Place) -> Response {
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return self.error(405, request, place).with("Allow", "GET, HEAD, OPTIONS, TRACE");
        }
        let boundary = "[lka9uw3et5vxybtp87ghq23dpu7djv84nhls9p]";
        match select(request, document, Some(&etag(document.modified)), &RULES, place.now, boundary) {
            Selected::Response(response) => self.powered(response),
            Selected::PreconditionFailed => self.error(412, request, place),
            Selected::Unsatisfiable(range) => self.error(416, request, place).with("Content-Range", range),
        }
    }

    fn page(&self, _: &Request, response: Response) -> Response {
        self.powered(response)
    }

    fn redirect(&self, status: u16, request: &Request, to: &str, place: &Place) -> Response {
        let moved = if status == 301 { "Document Moved" } else { "Object Moved" };
        let mut response = self.error(status, request, place).with("Location", to);
        response.body = format!(
            "<head><title>{moved}</title></head>\n<body><h1>{moved}</h1>This document may be found <a HREF=\"{}\">here</a></body>",
            super::escape(to)
        )
        .into_bytes();
        response
    }
}

impl Iis {
    fn not_found(&self) -> Response {
        self.short(
            404,
            "404 - File or directory not found.",
            "The resource you are looking for might have been removed, had its name changed, or is temporarily unavailable.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_have_the_lengths_that_scanners_know() {
        let iis = Iis::new("Microsoft-IIS/10.0", true);
        // What the tests of ASP.NET Core expect of http.sys.
        assert_eq!(
            Iis::kernel(
                411,
                "Length Required",
                "Length Required",
                "The request must be chunked or have a content length.",
            )
            .body
            .len(),
            344
        );
        assert!(iis.http2().is_some() && Iis::new("Microsoft-IIS/8.5", true).http2().is_none());
        assert_eq!(iis.not_found().body.len(), 1245);
        let kernel = |heading: &str, text: &str| Iis::kernel(400, "Bad Request", heading, text).body.len();
        assert_eq!(kernel("Bad Request - Invalid Hostname", "The request hostname is invalid."), 334);
        assert_eq!(kernel("Bad Request - Invalid Verb", "The request verb is invalid."), 326);
        assert_eq!(kernel("Bad Request - Invalid URL", "The request URL is invalid."), 324);
        assert_eq!(
            Iis::kernel(
                401,
                "Not Authorized",
                "Not Authorized",
                "The requested resource requires user authentication."
            )
            .body
            .len(),
            341
        );
        assert_eq!(
            Iis::kernel(404, "Not Found", "Not Found", "The requested resource is not found.").body.len(),
            315
        );
    }

    #[test]
    fn the_entity_tag_is_a_date() {
        // 2020-01-01: FILETIME 0x01d5c03669050000.
        assert_eq!(etag(1_577_836_800_000_000), "\"0056936c0d51:0\"");
    }
}

//! Documents with a date: conditional requests and ranges (RFC 9110 sections 13 and 14), by the rules
//! of a product.

use super::date;
use super::request::Request;
use super::response::{Framing, Response};

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its type.
    pub content_type: String,
    /// What it holds.
    pub body: Vec<u8>,
    /// When it was changed, microseconds since 1970-01-01 UTC.
    pub modified: i64,
}

/// How a product treats conditions and ranges.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// If-Modified-Since counts only when it is exactly the document's date (nginx).
    pub exact_date: bool,
    /// A broken range is answered with 416 (nginx) instead of the whole document.
    pub broken_range_refused: bool,
    /// Whether parts of multipart answers have `Content-type` instead of `Content-Type` (Apache).
    pub lower_case_parts: bool,
    /// Whether partial answers keep `Accept-Ranges`.
    pub ranges_in_partial: bool,
    /// Most ranges in one request.
    pub ranges: usize,
}

/// What to answer.
#[derive(Debug)]
pub enum Selected {
    /// This.
    Response(Response),
    /// 412 by the product's own page.
    PreconditionFailed,
    /// 416 by the product's own page, with this Content-Range.
    Unsatisfiable(String),
}

/// Answers a request for a document. `etag` is the product's form of it, with quotes; `boundary` divides
/// the parts of an answer with several ranges.
pub fn select(
    request: &Request,
    document: &Document,
    etag: Option<&str>,
    rules: &Rules,
    now: i64,
    boundary: &str,
) -> Selected {
    let modified = document.modified.div_euclid(1_000_000);
    let tags = |value: &str| {
        value.trim() == "*"
            || value
                .split(',')
                .any(|tag| etag.is_some_and(|etag| tag.trim().trim_start_matches("W/") == etag))
    };
    if let Some(value) = request.field("if-match") {
        if !tags(&value) {
            return Selected::PreconditionFailed;
        }
    } else if let Some(since) = request.field("if-unmodified-since").as_deref().and_then(date::parse)
        && modified > since
    {
        return Selected::PreconditionFailed;
    }
    let unchanged = match request.field("if-none-match") {
        Some(value) => tags(&value),
        None => request.field("if-modified-since").as_deref().and_then(date::parse).is_some_and(|since| {
            if rules.exact_date { since == modified } else { since >= modified && since <= now }
        }),
    };
    let base = |status: u16, body: Vec<u8>| {
        let mut response = Response::new(status, document.content_type.clone(), body)
            .with("Last-Modified", date::format(modified));
        if let Some(etag) = etag {
            response = response.with("ETag", etag);
        }
        response
    };
    if unchanged {
        let mut response = base(304, Vec::new());
        response.framing = Framing::Absent;
        return Selected::Response(response);
    }
    let size = document.body.len();
    let whole = || base(200, document.body.clone()).with("Accept-Ranges", "bytes");
    let fresh = request.field("if-range").is_none_or(|value| {
        etag.is_some_and(|etag| value.trim() == etag) || date::parse(&value) == Some(modified)
    });
    let Some(value) = request.field("range").filter(|_| fresh && request.method != "HEAD") else {
        return Selected::Response(whole());
    };
    let ranges = match read_ranges(&value, size, rules.ranges) {
        Ranges::None => return Selected::Response(whole()),
        Ranges::Broken if !rules.broken_range_refused => return Selected::Response(whole()),
        Ranges::Broken | Ranges::Outside => {
            return Selected::Unsatisfiable(format!("bytes */{size}"));
        }
        Ranges::Some(ranges) => ranges,
    };
    let accept = |response: Response| {
        if rules.ranges_in_partial { response.with("Accept-Ranges", "bytes") } else { response }
    };
    if let [(from, to)] = ranges[..] {
        let response = accept(base(206, document.body[from..=to].to_vec()))
            .with("Content-Range", format!("bytes {from}-{to}/{size}"));
        return Selected::Response(response);
    }
    let mut body = Vec::new();
    let (kind, range) = if rules.lower_case_parts {
        ("Content-type", "Content-range")
    } else {
        ("Content-Type", "Content-Range")
    };
    for (from, to) in ranges {
        body.extend_from_slice(
            format!(
                "\r\n--{boundary}\r\n{kind}: {}\r\n{range}: bytes {from}-{to}/{size}\r\n\r\n",
                document.content_type
            )
            .as_bytes(),
        );
        body.extend_from_slice(&document.body[from..=to]);
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let mut response = accept(base(206, body));
    response.content_type = Some(format!("multipart/byteranges; boundary={boundary}").into());
    Selected::Response(response)
}

enum Ranges {
    /// Not asked for, or more than the document: send it whole.
    None,
    /// Not understood.
    Broken,
    /// None of them lies in the document.
    Outside,
    /// First and last byte.
    Some(Vec<(usize, usize)>),
}

fn read_ranges(value: &str, size: usize, most: usize) -> Ranges {
    let Some(list) = value.trim().strip_prefix("bytes=") else { return Ranges::None };
    let mut ranges = Vec::new();
    let mut total = 0usize;
    for part in list.split(',').take(most + 1) {
        let Some((first, last)) = part.trim().split_once('-') else { return Ranges::Broken };
        let (from, to) = match (first.trim(), last.trim()) {
            ("", "") => return Ranges::Broken,
            ("", suffix) => {
                let Ok(length) = suffix.parse::<usize>() else { return Ranges::Broken };
                if length == 0 {
                    continue;
                }
                (size.saturating_sub(length), size.saturating_sub(1))
            }
            (first, "") => {
                let Ok(from) = first.parse::<usize>() else { return Ranges::Broken };
                (from, size.saturating_sub(1))
            }
            (first, last) => {
                let (Ok(from), Ok(to)) = (first.parse::<usize>(), last.parse::<usize>()) else {
                    return Ranges::Broken;
                };
                if to < from {
                    return Ranges::Broken;
                }
                (from, to.min(size.saturating_sub(1)))
            }
        };
        if from < size && from <= to {
            total = total.saturating_add(to - from + 1);
            ranges.push((from, to));
        }
    }
    // More than the document itself is never sent: ranges must not make a small request a flood.
    if ranges.len() > most || total > size {
        return Ranges::None;
    }
    if ranges.is_empty() { Ranges::Outside } else { Ranges::Some(ranges) }
}

//! Header lists as requests (RFC 9113 section 8.3): what is wrong with one, and the head of HTTP/1.1 that
//! says the same, which a product's own rules judge.

use super::manner::{Engine, Flaw};
use crate::httpd::request::Field;

/// Fields of HTTP/1.1's connections (RFC 9113 section 8.2.2).
const CONNECTION: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// The first value of a name.
pub fn value<'a>(fields: &'a [Field], name: &[u8]) -> Option<&'a [u8]> {
    fields.iter().find(|field| field.name == name).map(|field| field.value.as_slice())
}

fn is_name(name: &[u8]) -> bool {
    let name = name.strip_prefix(b":").unwrap_or(name);
    !name.is_empty()
        && name
            .iter()
            .all(|byte| *byte > b' ' && *byte != 0x7f && *byte != b':' && !byte.is_ascii_uppercase())
}

/// All that is wrong with a list of a request, in the order in which products look: they differ in which
/// of it they mind.
pub fn flaws(fields: &[Field], engine: Engine) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut add = |flaw: Flaw| {
        if !flaws.contains(&flaw) {
            flaws.push(flaw);
        }
    };
    let mut regular = false;
    for (at, field) in fields.iter().enumerate() {
        let name = field.name.as_slice();
        if !is_name(name) {
            add(Flaw::BadName);
        }
        if field.value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            add(Flaw::BadValue);
        }
        if name.starts_with(b":") {
            if regular {
                add(Flaw::LatePseudo);
            }
            let known: [&[u8]; 4] = [b":method", b":scheme", b":authority", b":path"];
            if !(known.contains(&name) || name == b":protocol" && engine == Engine::Lighttpd) {
                add(Flaw::UnknownPseudo);
            }
            if fields[..at].iter().any(|other| other.name == name) {
                add(Flaw::RepeatedPseudo);
            }
        } else {
            regular = true;
            let te = name == b"te" && !field.value.eq_ignore_ascii_case(b"trailers");
            if CONNECTION.contains(&name) || te {
                add(Flaw::ConnectionField);
            }
        }
    }
    let connect = value(fields, b":method") == Some(b"CONNECT");
    let method = value(fields, b":method").is_some_and(|method| !method.is_empty());
    let path = value(fields, b":path");
    let scheme = value(fields, b":scheme").is_some_and(|scheme| !scheme.is_empty());
    // nginx knows no CONNECT; the others want nothing but an authority with it.
    let whole = if connect && engine != Engine::Nginx {
        path.is_none() && !scheme
    } else {
        path.is_some_and(|path| !path.is_empty()) && scheme
    };
    if !method || !whole {
        add(Flaw::MissingPseudo);
    }
    if let Some(path) = path
        && !path.starts_with(b"/")
        && !(path == b"*" && value(fields, b":method") == Some(b"OPTIONS"))
    {
        add(Flaw::BadPath);
    }
    let (authority, host) = (value(fields, b":authority"), value(fields, b"host"));
    match (authority, host) {
        (None, None) => add(Flaw::NoHost),
        (Some(authority), Some(host)) if authority != host => add(Flaw::TwoHosts),
        _ => {}
    }
    let bad = |text: &[u8]| {
        text.is_empty() || text.iter().any(|byte| *byte <= b' ' || *byte >= 0x7f || b"/\\<>\"".contains(byte))
    };
    if authority.or(host).is_some_and(bad) {
        add(Flaw::BadAuthority);
    }
    flaws
}

/// The same request as the head of HTTP/1.1. Bytes that would end a line are blanks: the list was refused
/// because of them, or they are only shown.
pub fn as_http1(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    let put = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend(bytes.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }));
    };
    let method = value(fields, b":method").unwrap_or_default();
    let authority = value(fields, b":authority");
    put(&mut out, method);
    out.push(b' ');
    match (value(fields, b":path"), authority) {
        (None, Some(authority)) if method == b"CONNECT" => put(&mut out, authority),
        (path, _) => put(&mut out, path.unwrap_or_default()),
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    if let Some(authority) = authority {
        out.extend_from_slice(b"Host: ");
        put(&mut out, authority);
        out.extend_from_slice(b"\r\n");
    }
    let skipped = |name: &[u8]| {
        name.starts_with(b":") || CONNECTION.contains(&name) || name == b"host" && authority.is_some()
    };
    for field in fields.iter().filter(|field| !skipped(&field.name)) {
        put(&mut out, &field.name);
        out.extend_from_slice(b": ");
        put(&mut out, &field.value);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// The list as it is shown in events: a field a line.
pub fn as_text(fields: &[Field]) -> Vec<u8> {
    let lines = fields.iter().flat_map(|field| [&field.name[..], b": ", &field.value, b"\r\n"].concat());
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[(&str, &str)]) -> Vec<Field> {
        pairs.iter().map(|(name, value)| Field { name: (*name).into(), value: (*value).into() }).collect()
    }

    const GOOD: [(&str, &str); 4] =
        [(":method", "GET"), (":scheme", "https"), (":authority", "a"), (":path", "/x")];

    #[test]
    fn a_list_becomes_the_same_request() {
        let mut pairs = GOOD.to_vec();
        pairs.extend([("accept", "*/*"), ("te", "trailers"), ("cookie", "a=b")]);
        assert!(flaws(&list(&pairs), Engine::Nghttp2).is_empty());
        assert_eq!(
            as_http1(&list(&pairs)),
            b"GET /x HTTP/1.1\r\nHost: a\r\naccept: */*\r\nte: trailers\r\ncookie: a=b\r\n\r\n"
        );
    }

    #[test]
    fn every_flaw_is_found() {
        for (more, flaw) in [
            (("Foo", "b"), Flaw::BadName),
            (("a b", "b"), Flaw::BadName),
            (("", "b"), Flaw::BadName),
            (("a", "b\nc"), Flaw::BadValue),
            (("a", "b\0c"), Flaw::BadValue),
            ((":foo", "b"), Flaw::UnknownPseudo),
            ((":path", "/x"), Flaw::RepeatedPseudo),
            (("connection", "keep-alive"), Flaw::ConnectionField),
            (("te", "gzip"), Flaw::ConnectionField),
            (("host", "b"), Flaw::TwoHosts),
        ] {
            let mut pairs = GOOD.to_vec();
            pairs.push(more);
            assert_eq!(flaws(&list(&pairs), Engine::Nghttp2), [flaw], "{more:?}");
        }
        for (left_out, flaw) in
            [(0, Flaw::MissingPseudo), (1, Flaw::MissingPseudo), (2, Flaw::NoHost), (3, Flaw::MissingPseudo)]
        {
            let mut pairs = GOOD.to_vec();
            pairs.remove(left_out);
            assert_eq!(flaws(&list(&pairs), Engine::Nghttp2), [flaw], "{left_out}");
        }
        let connect = list(&[(":method", "CONNECT"), (":authority", "a:443")]);
        assert!(flaws(&connect, Engine::Nghttp2).is_empty());
        assert_eq!(flaws(&connect, Engine::Nginx), [Flaw::MissingPseudo]);
    }

    #[test]
    fn no_value_ends_a_line() {
        let mut pairs = GOOD.to_vec();
        pairs[3].1 = "/x HTTP/1.1\r\nX: y";
        pairs.push(("a", "b\r\nHost: c"));
        let head = as_http1(&list(&pairs));
        assert_eq!(head.windows(2).filter(|pair| *pair == b"\r\n").count(), 4);
    }
}

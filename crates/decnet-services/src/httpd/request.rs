//! A request that a product accepted, with everything as it was sent.

use super::framer::BodyLength;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Before the point.
    pub major: u16,
    /// After it.
    pub minor: u16,
}

impl Version {
    /// The one without a version in its request line.
    pub const V09: Version = Version { major: 0, minor: 9 };
    /// HTTP/1.0
    pub const V10: Version = Version { major: 1, minor: 0 };
    /// HTTP/1.1
    pub const V11: Version = Version { major: 1, minor: 1 };
    /// HTTP/2, as servers write it in their logs.
    pub const V20: Version = Version { major: 2, minor: 0 };
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP/{}.{}", self.major, self.minor)
    }
}

/// A header field: the name in its own case, the value without the blanks around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Before the colon.
    pub name: Vec<u8>,
    /// After it.
    pub value: Vec<u8>,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// As sent.
    pub method: String,
    /// As sent; bytes that are no UTF-8 are replaced.
    pub target: String,
    /// The path: decoded, without `.` and `..`; set by the product.
    pub path: String,
    /// After the question mark, not decoded.
    pub query: String,
    /// The version.
    pub version: Version,
    /// The fields in order; with HTTP/2 the pseudo-header fields, too, as they were sent.
    pub fields: Vec<Field>,
    /// The host as the product understands it, in lower case, without the port.
    pub host: Option<String>,
    /// The port beside the host, where one was sent.
    pub host_port: Option<u16>,
    /// How its body is delimited.
    pub body_length: BodyLength,
    /// Whether it asked for `100 Continue`.
    pub expects_continue: bool,
    /// The first bytes of the body.
    pub body: Vec<u8>,
    /// How long the body was.
    pub body_len: u64,
    /// The bytes of the head; with HTTP/2 the list of fields, a line each.
    pub raw: Vec<u8>,
    /// Whether the product ends the connection after it whatever the client asks.
    pub last: bool,
    /// Whether it came through TLS.
    pub secure: bool,
    /// The port it came in on.
    pub port: u16,
}

impl Request {
    /// The first field of that name, in any case; bytes that are no UTF-8 are replaced.
    pub fn field(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The bytes of the first field of that name, in any case.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
            .map(|field| field.value.as_slice())
    }

    /// Whether a list-valued field holds that word, in any case.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes())).any(|field| {
            field
                .value
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    }

    /// Whether the client keeps the connection open as far as it is concerned (RFC 9112 section 9.3).
    pub fn wants_keep_alive(&self) -> bool {
        if self.last || self.lists("connection", "close") {
            return false;
        }
        self.version >= Version::V11 || self.lists("connection", "keep-alive")
    }

    /// A cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.field("cookie")?;
        cookies
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    }

    /// A value of the query, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        super::form::pairs(self.query.as_bytes())
            .into_iter()
            .find(|(key, _)| key == name.as_bytes())
            .map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
    }

    /// Whether gzip may be used for the answer.
    pub fn accepts_gzip(&self) -> bool {
        self.field("accept-encoding").is_some_and(|value| {
            value.split(',').any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default();
                let refused = parts.any(|part| {
                    part.strip_prefix("q=").is_some_and(|q| q.trim_matches(['0', '.']).is_empty())
                });
                name.eq_ignore_ascii_case("gzip") && !refused
            })
        })
    }
}

/// Why a target gives no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// A percent sign without two hexadecimal digits.
    BadEscape,
    /// `%00`.
    Nul,
    /// `..` above the root.
    AboveRoot,
}

/// A path as servers look it up: escapes decoded once, `.` and `..` resolved, repeated slashes merged.
/// Bytes that are no UTF-8 are replaced.
///
/// # Errors
/// What products refuse, each in its own way.
pub fn decode_path(raw: &[u8]) -> Result<String, PathFault> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        if *byte == b'%' {
            let digit =
                |offset: usize| raw.get(at + offset).and_then(|digit| char::from(*digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(1), digit(2)) else { return Err(PathFault::BadEscape) };
            let value = (high * 16 + low) as u8;
            if value == 0 {
                return Err(PathFault::Nul);
            }
            bytes.push(value);
            at += 3;
        } else {
            bytes.push(*byte);
            at += 1;
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let mut parts: Vec<&str> = Vec::new();
    let mut segments = text.split('/').skip(1).peekable();
    let mut trailing = false;
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "" | "." => trailing = last,
            ".." => {
                if parts.pop().is_none() {
                    return Err(PathFault::AboveRoot);
                }
                trailing = last;
            }
            other => {
                parts.push(other);
                trailing = false;
            }
        }
    }
    let mut path = format!("/{}", parts.join("/"));
    if trailing && path.len() > 1 {
        path.push('/');
    }
    Ok(path)
}

/// Splits a target into its path and query parts, as bytes.
pub fn split_target(target: &[u8]) -> (&[u8], &[u8]) {
    let target = target.split(|byte| *byte == b'#').next().unwrap_or_default();
    match target.iter().position(|byte| *byte == b'?') {
        Some(at) => (&target[..at], &target[at + 1..]),
        None => (target, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_resolved_once() {
        assert_eq!(decode_path(b"/a/./b//../c%20d/").unwrap(), "/a/c d/");
        assert_eq!(decode_path(b"/").unwrap(), "/");
        assert_eq!(decode_path(b"/%252e").unwrap(), "/%2e");
        assert_eq!(decode_path(b"/a/%2e%2e/%2e%2e/x"), Err(PathFault::AboveRoot));
        assert_eq!(decode_path(b"/%zz"), Err(PathFault::BadEscape));
        assert_eq!(decode_path(b"/a%00"), Err(PathFault::Nul));
    }

    proptest! {
        #[test]
        fn no_path_leaves_the_root(raw in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'.'), Just(b'/')], 0..100)) {
            let mut target = vec![b'/'];
            target.extend(raw);
            if let Ok(path) = decode_path(&target) {
                prop_assert!(path.starts_with('/'));
                prop_assert!(!path.split('/').any(|part| part == ".."));
            }
        }
    }
}

//! Request lines, paths and parameters as the product's HTTP library takes them apart.

/// A request line in its three words. Blanks in front are skipped; words that are missing are empty.
pub(in super::super) fn words(line: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let line = line.trim_ascii();
    let blank = |bytes: &[u8]| bytes.iter().position(|byte| *byte == b' ' || *byte == b'\t');
    let Some(first) = blank(line) else { return (line, b"", b"") };
    let rest = line[first..].trim_ascii_start();
    match blank(rest) {
        Some(second) => (&line[..first], &rest[..second], rest[second..].trim_ascii_start()),
        None => (&line[..first], rest, b""),
    }
}

/// The version in a request line, or why there is none.
///
/// # Errors
/// The reason that the library gives.
pub(in super::super) fn version(text: &[u8]) -> Result<(u16, u16), String> {
    let shown = String::from_utf8_lossy(text).to_ascii_uppercase();
    if shown.is_empty() {
        return Err("text is empty (possibly HTTP/0.9)".to_owned());
    }
    let bad = || format!("invalid version format: {shown}");
    let (name, number) = shown.split_once('/').ok_or_else(bad)?;
    let (major, minor) = number.split_once('.').ok_or_else(bad)?;
    let digit = |text: &str| {
        let good = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        if good { text.parse::<u16>().ok() } else { None }
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(bad());
    }
    Ok((digit(major).ok_or_else(bad)?, digit(minor).ok_or_else(bad)?))
}

/// Percent-decoding; `+` is a blank in parameters only. `None`: an escape is broken.
pub(in super::super) fn decode(text: &str, plus: bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'%' => {
                let digits = text.get(at + 1..at + 3)?;
                if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return None;
                }
                out.push(u8::from_str_radix(digits, 16).ok()?);
                at += 3;
            }
            b'+' if plus => {
                out.push(b' ');
                at += 1;
            }
            byte => {
                out.push(byte);
                at += 1;
            }
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// The decoded words of a path, empty ones left out.
pub(in super::super) fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/').filter(|part| !part.is_empty()).map(|part| decode(part, false)).collect()
}

/// The parameters of a query, decoded, in order.
pub(in super::super) fn parameters(query: &str) -> Option<Vec<(String, String)>> {
    query
        .split(['&', ';'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name, true)?, decode(value, true)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_taken_apart() {
        assert_eq!(words(b"GET /a HTTP/1.1"), (&b"GET"[..], &b"/a"[..], &b"HTTP/1.1"[..]));
        assert_eq!(words(b"HELP"), (&b"HELP"[..], &b""[..], &b""[..]));
        assert_eq!(version(b""), Err("text is empty (possibly HTTP/0.9)".into()));
        assert_eq!(version(b"RTSP/1.0"), Ok((1, 0)));
        assert_eq!(version(b"http/x"), Err("invalid version format: HTTP/X".into()));
        assert_eq!(segments("//a%2Fb/c/").unwrap(), ["a/b", "c"]);
        assert_eq!(segments("/%zz"), None);
        assert_eq!(
            parameters("q=a+b&pretty").unwrap(),
            [("q".into(), "a b".into()), ("pretty".into(), String::new())]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_apart(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let (_, target, text) = words(&bytes);
            let _ = version(text);
            let target = String::from_utf8_lossy(target);
            let _ = (segments(&target), parameters(&target));
        }
    }
}

//! Form bodies: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578), read without
//! complaint and with a bound on the number of fields.

/// Most fields that are read of one form.
const FIELDS: usize = 256;

/// A field of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: Vec<u8>,
    /// The file name, for a file.
    pub file_name: Option<String>,
    /// The declared type, for a file.
    pub content_type: Option<String>,
    /// What it holds.
    pub value: Vec<u8>,
}

/// A decoded form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The fields in order.
    pub parts: Vec<Part>,
}

impl Form {
    /// Reads a body by its declared type. Anything that is no form gives an empty one.
    pub fn read(content_type: &str, body: &[u8]) -> Form {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "multipart/form-data" => {
                let boundary = content_type.split(';').skip(1).find_map(|part| {
                    let (key, value) = part.trim().split_once('=')?;
                    key.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"').to_owned())
                });
                Form { parts: boundary.map(|boundary| multipart(body, &boundary)).unwrap_or_default() }
            }
            // Brute-force tools often leave the type out.
            "application/x-www-form-urlencoded" | "" => Form {
                parts: pairs(body)
                    .into_iter()
                    .map(|(name, value)| Part { name, value, ..Part::default() })
                    .collect(),
            },
            _ => Form::default(),
        }
    }

    /// The first value of that name.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.parts.iter().find(|part| part.name == name.as_bytes()).map(|part| part.value.as_slice())
    }

    /// The first value of that name as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.file_name.is_some())
    }
}

/// `a=b&c=d`, decoded.
pub fn pairs(text: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .take(FIELDS)
        .map(|pair| match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (unescape(&pair[..at]), unescape(&pair[at + 1..])),
            None => (unescape(pair), Vec::new()),
        })
        .collect()
}

/// Percent escapes and plus signs decoded; a broken escape stays as it is.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let digit = |offset: usize| text.get(at + offset).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'+', ..) => {
                out.push(b' ');
                at += 1;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len().max(1)).position(|window| window == needle)
}

fn multipart(body: &[u8], boundary: &str) -> Vec<Part> {
    let mark = format!("--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let Some(first) = find(body, &mark) else { return parts };
    let mut rest = &body[first + mark.len()..];
    while parts.len() < FIELDS && !rest.starts_with(b"--") {
        let (section, next) = match find(rest, &mark) {
            Some(at) => (&rest[..at], Some(&rest[at + mark.len()..])),
            None => (rest, None),
        };
        if let Some(part) = section_of(section) {
            parts.push(part);
        }
        match next {
            Some(next) => rest = next,
            None => break,
        }
    }
    parts
}

fn section_of(section: &[u8]) -> Option<Part> {
    let section = section.strip_prefix(b"\r\n").or_else(|| section.strip_prefix(b"\n")).unwrap_or(section);
    let (head, value) = match find(section, b"\r\n\r\n") {
        Some(at) => (&section[..at], &section[at + 4..]),
        None => {
            let at = find(section, b"\n\n")?;
            (&section[..at], &section[at + 2..])
        }
    };
    let value = value.strip_suffix(b"\r\n").or_else(|| value.strip_suffix(b"\n")).unwrap_or(value);
    let mut part = Part { value: value.to_vec(), ..Part::default() };
    for line in String::from_utf8_lossy(head).lines() {
        let Some((name, text)) = line.split_once(':') else { continue };
        if name.trim().eq_ignore_ascii_case("content-type") {
            part.content_type = Some(text.trim().to_owned());
        } else if name.trim().eq_ignore_ascii_case("content-disposition") {
            for attribute in text.split(';') {
                let Some((key, value)) = attribute.trim().split_once('=') else { continue };
                let value = value.trim_matches('"');
                match key {
                    "name" => part.name = value.as_bytes().to_vec(),
                    "filename" => part.file_name = Some(value.to_owned()),
                    _ => {}
                }
            }
        }
    }
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_are_read() {
        let form =
            Form::read("application/x-www-form-urlencoded; charset=UTF-8", b"log=ad%6Din&pwd=a+b%zz&x");
        assert_eq!(form.text("log").unwrap(), "admin");
        assert_eq!(form.text("pwd").unwrap(), "a b%zz");
        assert_eq!(form.text("x").unwrap(), "");
        let body = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"s.war\"\r\nContent-Type: application/zip\r\n\r\nPK\r\n\r\n--B--\r\n";
        let form = Form::read("multipart/form-data; boundary=B", body);
        assert_eq!(form.text("a").unwrap(), "b");
        let file = form.files().next().unwrap();
        assert_eq!((file.file_name.as_deref(), file.value.as_slice()), (Some("s.war"), &b"PK\r\n"[..]));
    }

    proptest! {
        #[test]
        fn any_body_is_read(body in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'-'), Just(b'B'), Just(b'&')], 0..300)) {
            prop_assert!(Form::read("multipart/form-data; boundary=B", &body).parts.len() <= FIELDS);
            prop_assert!(Form::read("", &body).parts.len() <= FIELDS);
        }
    }
}

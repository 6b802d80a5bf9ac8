//! The names in a zip archive, as its central directory has them (APPNOTE 4.3.12).

/// Most names that are read of one archive.
const NAMES: usize = 64;
/// The longest name that is read.
const LENGTH: usize = 200;

/// The names of the files in it; none where it is no archive.
pub(super) fn names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    if !bytes.starts_with(b"PK\x03\x04") {
        return names;
    }
    let mut at = 0;
    while names.len() < NAMES {
        let Some(found) = bytes.get(at..).and_then(|rest| find(rest, b"PK\x01\x02")) else { break };
        let entry = &bytes[at + found..];
        let Some(&[low, high]) = entry.get(28..30) else { break };
        let length = usize::from(u16::from_le_bytes([low, high]));
        at += found + 4;
        if let Some(name) = entry.get(46..46 + length).filter(|name| !name.is_empty() && length <= LENGTH) {
            let name = String::from_utf8_lossy(name).into_owned();
            if !name.ends_with('/') && !name.contains('\n') {
                names.push(name);
            }
        }
    }
    names
}

fn find(haystack: &[u8], needle: &[u8; 4]) -> Option<usize> {
    haystack.windows(4).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(name: &str) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.resize(28, 0);
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        bytes.resize(46, 0);
        bytes.extend_from_slice(name.as_bytes());
        bytes
    }

    #[test]
    fn names_are_read_and_bounded() {
        let mut archive = b"PK\x03\x04data".to_vec();
        archive.extend(entry("cmd.jsp"));
        archive.extend(entry("WEB-INF/"));
        archive.extend(entry("WEB-INF/web.xml"));
        assert_eq!(names(&archive), ["cmd.jsp", "WEB-INF/web.xml"]);
        assert!(names(b"no archive").is_empty());
        for _ in 0..NAMES * 2 {
            archive.extend(entry("a"));
        }
        assert_eq!(names(&archive).len(), NAMES);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'P'), Just(b'K'), Just(1u8), Just(2u8)], 0..200)) {
            let mut archive = b"PK\x03\x04".to_vec();
            archive.extend(bytes);
            let _ = names(&archive);
        }
    }
}

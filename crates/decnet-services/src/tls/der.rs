//! The little of DER (X.690) that keys and certificates need, written by hand because the order and the
//! string types of a certificate are part of what a product looks like.

/// A tag, a definite length and the content.
pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let skip = bytes.iter().take_while(|byte| **byte == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend_from_slice(&bytes[skip..]);
    }
    out.extend_from_slice(content);
    out
}

/// SEQUENCE of parts that are DER already.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// SET of one part.
pub(super) fn set(part: &[u8]) -> Vec<u8> {
    tlv(0x31, part)
}

/// A non-negative INTEGER from big-endian bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[skip..];
    let mut content = Vec::with_capacity(digits.len() + 1);
    if digits.first().is_none_or(|first| first & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(digits);
    tlv(0x02, &content)
}

/// OBJECT IDENTIFIER from its arcs; at least two of them.
pub(super) fn oid(arcs: &[u64]) -> Vec<u8> {
    let mut content = Vec::new();
    let mut push = |mut value: u64| {
        let mut groups = vec![(value & 0x7f) as u8];
        value >>= 7;
        while value > 0 {
            groups.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        groups.reverse();
        content.extend_from_slice(&groups);
    };
    if let [first, second, rest @ ..] = arcs {
        push(first * 40 + second);
        rest.iter().for_each(|arc| push(*arc));
    }
    tlv(0x06, &content)
}

/// NULL.
pub(super) fn null() -> Vec<u8> {
    vec![0x05, 0x00]
}

/// BOOLEAN TRUE.
pub(super) fn yes() -> Vec<u8> {
    vec![0x01, 0x01, 0xff]
}

/// OCTET STRING.
pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    tlv(0x04, content)
}

/// BIT STRING with a number of unused bits in its last byte.
pub(super) fn bits(content: &[u8], unused: u8) -> Vec<u8> {
    let mut out = vec![unused];
    out.extend_from_slice(content);
    tlv(0x03, &out)
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5), from seconds since 1970.
pub(super) fn time(seconds: i64) -> Vec<u8> {
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let tail = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if (1950..2050).contains(&at.year()) {
        tlv(0x17, format!("{:02}{tail}", at.year().rem_euclid(100)).as_bytes())
    } else {
        tlv(0x18, format!("{:04}{tail}", at.year()).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_encodings() {
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
        assert_eq!(integer(&[1, 0, 1]), [2, 3, 1, 0, 1]);
        assert_eq!(oid(&[1, 2, 840, 113_549, 1, 1, 11]), [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11]);
        assert_eq!(tlv(4, &[7; 200])[..4], [4, 0x81, 200, 7]);
        assert_eq!(tlv(4, &[7; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(time(1_700_000_000), b"\x17\x0d231114221320Z");
        assert_eq!(time(2_600_000_000), b"\x18\x0f20520522141320Z".to_vec());
    }
}

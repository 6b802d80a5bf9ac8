//! Reading a ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) without judging it, and the two
//! fingerprints made from it. Total: any bytes give a [`Hello`], with what could be read.

use md5::{Digest as _, Md5};
use sha2::Sha256;

const SERVER_NAME: u16 = 0x0000;
const SUPPORTED_GROUPS: u16 = 0x000a;
const POINT_FORMATS: u16 = 0x000b;
const SIGNATURE_ALGORITHMS: u16 = 0x000d;
const ALPN: u16 = 0x0010;
const SUPPORTED_VERSIONS: u16 = 0x002b;

/// The largest first flight that is kept; a ClientHello with post-quantum shares has about 2 KiB.
pub(super) const HELLO_LIMIT: usize = 32 * 1024;

/// What a client said first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The version of the message itself: 0x0303 for TLS 1.2 and 1.3.
    pub legacy_version: u16,
    /// The cipher suites, in order, GREASE included.
    pub ciphers: Vec<u16>,
    /// The extensions by type, in order, GREASE included.
    pub extensions: Vec<u16>,
    /// The groups, in order.
    pub groups: Vec<u16>,
    /// The EC point formats.
    pub point_formats: Vec<u8>,
    /// The signature algorithms, in order.
    pub signatures: Vec<u16>,
    /// The application protocols, in order, as bytes.
    pub alpn: Vec<Vec<u8>>,
    /// The name the client asks for.
    pub server_name: Option<String>,
    /// What the supported_versions extension lists.
    pub supported_versions: Vec<u16>,
    /// Whether it ended before it was complete.
    pub truncated: bool,
}

/// GREASE values (RFC 8701) are noise by design and left out of fingerprints.
fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// A cursor that never fails hard.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).and_then(|bytes| bytes.first().copied())
    }

    fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A vector with a one-byte length; what there is of it.
    fn vector8(&mut self) -> Option<(&'a [u8], bool)> {
        let length = usize::from(self.byte()?);
        Some(self.some(length))
    }

    /// A vector with a two-byte length; what there is of it.
    fn vector16(&mut self) -> Option<(&'a [u8], bool)> {
        let length = usize::from(self.short()?);
        Some(self.some(length))
    }

    fn some(&mut self, length: usize) -> (&'a [u8], bool) {
        let there = length.min(self.0.len());
        let (head, tail) = self.0.split_at(there);
        self.0 = tail;
        (head, there < length)
    }
}

fn shorts(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

/// How much of the stream belongs to the first message: `None` while it is not complete.
/// Anything that is not a handshake record ends it at once.
pub(super) fn flight_length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let mut message = 0usize;
    let mut wanted: Option<usize> = None;
    let mut head = Vec::with_capacity(4);
    let mut used = 0;
    loop {
        if used >= HELLO_LIMIT {
            return Some(used);
        }
        match rest.first() {
            None => return None,
            Some(0x16) => {}
            Some(_) => return Some(bytes.len()),
        }
        if rest.len() < 5 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
        if length == 0 {
            return Some(bytes.len());
        }
        let body = rest.get(5..5 + length)?;
        used += 5 + length;
        rest = &rest[5 + length..];
        message += body.len();
        for byte in body {
            if head.len() < 4 {
                head.push(*byte);
            }
        }
        if let [_, a, b, c] = head[..] {
            wanted = Some(4 + usize::from(a) * 65_536 + usize::from(b) * 256 + usize::from(c));
        }
        if wanted.is_some_and(|wanted| message >= wanted) {
            return Some(used);
        }
    }
}

impl Hello {
    /// Reads the records of a first flight.
    pub fn read(flight: &[u8]) -> Hello {
        let mut message = Vec::with_capacity(flight.len());
        let mut rest = flight;
        while rest.len() >= 5 && rest[0] == 0x16 {
            let length = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
            let end = (5 + length).min(rest.len());
            message.extend_from_slice(&rest[5..end]);
            rest = &rest[end..];
        }
        let mut hello = Hello { truncated: true, ..Hello::default() };
        if message.first() != Some(&1) || message.len() < 4 {
            return hello;
        }
        let mut reader = Reader(&message[4..]);
        let complete = hello.fill(&mut reader);
        hello.truncated = complete.is_none();
        hello
    }

    /// `None` as soon as something is missing; what was read until then stays.
    fn fill(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.legacy_version = reader.short()?;
        reader.take(32)?;
        let (_, cut) = reader.vector8()?;
        (!cut).then_some(())?;
        let (ciphers, cut) = reader.vector16()?;
        self.ciphers = shorts(ciphers);
        (!cut).then_some(())?;
        let (_, cut) = reader.vector8()?;
        (!cut).then_some(())?;
        if reader.0.is_empty() {
            return Some(());
        }
        let (extensions, cut) = reader.vector16()?;
        let mut extensions = Reader(extensions);
        while !extensions.0.is_empty() {
            let kind = extensions.short()?;
            self.extensions.push(kind);
            let (data, cut) = extensions.vector16()?;
            self.extension(kind, data);
            (!cut).then_some(())?;
        }
        (!cut).then_some(())
    }

    fn extension(&mut self, kind: u16, data: &[u8]) {
        let mut reader = Reader(data);
        match kind {
            SERVER_NAME => {
                let Some((list, _)) = reader.vector16() else { return };
                let mut list = Reader(list);
                if list.byte() == Some(0)
                    && let Some((name, _)) = list.vector16()
                {
                    self.server_name = Some(String::from_utf8_lossy(name).into_owned());
                }
            }
            SUPPORTED_GROUPS => {
                self.groups = reader.vector16().map(|(list, _)| shorts(list)).unwrap_or_default();
            }
            POINT_FORMATS => {
                self.point_formats = reader.vector8().map(|(list, _)| list.to_vec()).unwrap_or_default();
            }
            SIGNATURE_ALGORITHMS => {
                self.signatures = reader.vector16().map(|(list, _)| shorts(list)).unwrap_or_default();
            }
            ALPN => {
                let Some((list, _)) = reader.vector16() else { return };
                let mut list = Reader(list);
                while let Some((name, _)) = list.vector8() {
                    self.alpn.push(name.to_vec());
                }
            }
            SUPPORTED_VERSIONS => {
                self.supported_versions = reader.vector8().map(|(list, _)| shorts(list)).unwrap_or_default();
            }
            _ => {}
        }
    }

    /// The versions that the client offers, by name, GREASE left out; the newest first as a rule.
    pub fn versions(&self) -> Vec<String> {
        let named = |version: &u16| match version {
            0x0304 => "TLSv1.3".to_owned(),
            0x0303 => "TLSv1.2".to_owned(),
            0x0302 => "TLSv1.1".to_owned(),
            0x0301 => "TLSv1.0".to_owned(),
            0x0300 => "SSLv3".to_owned(),
            0x0002 => "SSLv2".to_owned(),
            other => format!("{other:#06x}"),
        };
        if self.supported_versions.is_empty() {
            return if self.legacy_version == 0 { vec![] } else { vec![named(&self.legacy_version)] };
        }
        self.supported_versions.iter().filter(|version| !is_grease(**version)).map(named).collect()
    }

    /// The string of which JA3 is the MD5: version, ciphers, extensions, groups, point formats.
    pub fn ja3_text(&self) -> String {
        let list = |values: &[u16]| {
            let values: Vec<String> =
                values.iter().filter(|value| !is_grease(**value)).map(u16::to_string).collect();
            values.join("-")
        };
        let formats: Vec<String> = self.point_formats.iter().map(u8::to_string).collect();
        format!(
            "{},{},{},{},{}",
            self.legacy_version,
            list(&self.ciphers),
            list(&self.extensions),
            list(&self.groups),
            formats.join("-")
        )
    }

    /// JA3: 32 hexadecimal digits.
    pub fn ja3(&self) -> String {
        hex(&Md5::digest(self.ja3_text().as_bytes()))
    }

    /// JA4 (FoxIO's public definition, TLS over TCP): `t13d1516h2_8daaf6152771_e5627efa2ab1`.
    pub fn ja4(&self) -> String {
        let plain = |values: &[u16]| -> Vec<u16> {
            values.iter().copied().filter(|value| !is_grease(*value)).collect()
        };
        let newest = plain(&self.supported_versions).into_iter().max().unwrap_or(self.legacy_version);
        let version = match newest {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            0x0002 => "s2",
            _ => "00",
        };
        let name = if self.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
        let mut ciphers = plain(&self.ciphers);
        let mut extensions = plain(&self.extensions);
        let counts = (ciphers.len().min(99), extensions.len().min(99));
        let alpn = match self.alpn.first().map(Vec::as_slice) {
            None | Some([]) => "00".to_owned(),
            Some(value) => {
                let (first, last) = (value[0], value[value.len() - 1]);
                if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
                    format!("{}{}", char::from(first), char::from(last))
                } else {
                    format!("{:x}{:x}", first >> 4, last & 0x0f)
                }
            }
        };
        let list = |values: &[u16]| -> String {
            values.iter().map(|value| format!("{value:04x}")).collect::<Vec<_>>().join(",")
        };
        let digest = |text: &str, empty: bool| -> String {
            if empty { "0".repeat(12) } else { hex(&Sha256::digest(text.as_bytes())[..6]) }
        };
        ciphers.sort_unstable();
        let no_extensions = extensions.is_empty();
        extensions.retain(|kind| *kind != SERVER_NAME && *kind != ALPN);
        extensions.sort_unstable();
        let mut second = list(&extensions);
        if !self.signatures.is_empty() {
            second = format!("{second}_{}", list(&plain(&self.signatures)));
        }
        format!(
            "t{version}{name}{:02}{:02}{alpn}_{}_{}",
            counts.0,
            counts.1,
            digest(&list(&ciphers), ciphers.is_empty()),
            digest(&second, no_extensions),
        )
    }

    /// The protocols it asks for, as text.
    pub fn alpn_names(&self) -> Vec<String> {
        self.alpn.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chrome() -> Hello {
        // The worked example of the JA4 definition.
        let ciphers = [
            0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
            0x009d, 0x002f, 0x0035,
        ];
        let extensions = [
            0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b,
            0xff01, 0x000b, 0x000a, 0x0015,
        ];
        Hello {
            legacy_version: 0x0303,
            ciphers: [&[0x8a8a][..], &ciphers].concat(),
            extensions: [&[0x1a1a][..], &extensions].concat(),
            signatures: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            supported_versions: vec![0x6a6a, 0x0304, 0x0303],
            ..Hello::default()
        }
    }

    #[test]
    fn ja4_of_the_worked_example() {
        assert_eq!(chrome().ja4(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn ja3_of_the_worked_example() {
        let hello = Hello {
            legacy_version: 769,
            ciphers: vec![47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            extensions: vec![0, 10, 11],
            groups: vec![23, 24, 25],
            point_formats: vec![0],
            ..Hello::default()
        };
        assert_eq!(hello.ja3_text(), "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0");
        assert_eq!(hello.ja3(), "ada70206e40642a3e4461f35503241d5");
        assert_eq!(
            Hello {
                legacy_version: 769,
                ciphers: vec![4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99],
                ..Hello::default()
            }
            .ja3(),
            "de350869b8c85de67a350c8d186f11e6"
        );
    }

    #[test]
    fn odd_alpn_is_shown_in_nibbles() {
        let hello = Hello { alpn: vec![vec![0xab, 0xcd]], ..Hello::default() };
        assert!(hello.ja4().starts_with("t00i0000ad_"), "{}", hello.ja4());
        assert!(hello.ja4().ends_with("_000000000000_000000000000"));
    }

    fn encode(hello: &Hello) -> Vec<u8> {
        let mut extensions = Vec::new();
        let mut push = |kind: u16, data: &[u8]| {
            extensions.extend_from_slice(&kind.to_be_bytes());
            extensions.extend_from_slice(&(data.len() as u16).to_be_bytes());
            extensions.extend_from_slice(data);
        };
        let list = |values: &[u16]| -> Vec<u8> { values.iter().flat_map(|v| v.to_be_bytes()).collect() };
        for kind in &hello.extensions {
            match *kind {
                SIGNATURE_ALGORITHMS => {
                    let data = list(&hello.signatures);
                    push(*kind, &[&(data.len() as u16).to_be_bytes()[..], &data].concat());
                }
                SUPPORTED_VERSIONS => {
                    let data = list(&hello.supported_versions);
                    push(*kind, &[&[data.len() as u8][..], &data].concat());
                }
                ALPN => {
                    let data: Vec<u8> =
                        hello.alpn.iter().flat_map(|name| [&[name.len() as u8][..], name].concat()).collect();
                    push(*kind, &[&(data.len() as u16).to_be_bytes()[..], &data].concat());
                }
                SERVER_NAME => push(*kind, b"\0\x0c\0\0\x09a.example"),
                other => push(other, b""),
            }
        }
        let ciphers = list(&hello.ciphers);
        let mut body = hello.legacy_version.to_be_bytes().to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend((ciphers.len() as u16).to_be_bytes());
        body.extend(ciphers);
        body.extend([1, 0]);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut message = vec![1, 0];
        message.extend((body.len() as u16).to_be_bytes());
        message.extend(body);
        // In records of 100 bytes: clients may split it.
        message
            .chunks(100)
            .flat_map(|part| [&[0x16, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat())
            .collect()
    }

    #[test]
    fn a_split_hello_is_read_whole() {
        let hello = chrome();
        let flight = encode(&hello);
        assert_eq!(flight_length(&flight), Some(flight.len()));
        assert_eq!(flight_length(&flight[..flight.len() - 1]), None);
        let read = Hello::read(&flight);
        assert_eq!(read.ja4(), hello.ja4());
        assert_eq!(read.server_name.as_deref(), Some("a.example"));
        assert_eq!(read.versions(), ["TLSv1.3", "TLSv1.2"]);
        assert!(!read.truncated);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut flight = vec![0x16, 3, 1];
            flight.extend_from_slice(&bytes);
            let hello = Hello::read(&flight);
            prop_assert_eq!(hello.ja3().len(), 32);
            prop_assert!(hello.ja4().len() >= 36);
            if let Some(length) = flight_length(&flight) {
                prop_assert!(length <= flight.len());
            }
        }

        #[test]
        fn a_cut_hello_keeps_what_came(at in 0usize..400) {
            let flight = encode(&chrome());
            let read = Hello::read(&flight[..at.min(flight.len())]);
            prop_assert!(read.ciphers.len() <= 16);
        }
    }
}

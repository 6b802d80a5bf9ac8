//! Reading.

use super::{Class, Error, Oid, Tag};

/// How deep elements of indefinite length may be nested.
pub(super) const MAX_INDEFINITE: usize = 32;

/// One element: its tag, its contents, and all of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// What it is.
    pub tag: Tag,
    /// What it holds, without an end-of-contents mark.
    pub contents: &'a [u8],
    /// Its bytes, header included.
    pub raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// Reads the elements inside.
    pub fn reader(&self) -> Reader<'a> {
        Reader::new(self.contents)
    }

    /// The contents as a signed number of any encoded length that fits 64 bits; leading bytes that say
    /// nothing are skipped. Zero bytes are 0, as net-snmp and most others take them.
    ///
    /// # Errors
    /// The number needs more than 64 bits.
    pub fn signed(&self) -> Result<i64, Error> {
        let mut bytes = self.contents;
        let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
        let filler = if negative { 0xff } else { 0 };
        while let [first, second, ..] = bytes
            && *first == filler
            && (second & 0x80 != 0) == negative
        {
            bytes = &bytes[1..];
        }
        if bytes.len() > 8 {
            return Err(Error::NumberTooLarge { length: self.contents.len() });
        }
        let start = if negative { -1i64 } else { 0 };
        Ok(bytes.iter().fold(start, |number, byte| (number << 8) | i64::from(*byte)))
    }

    /// The contents as an unsigned number of up to 64 bits, whatever its first bit says: counters are sent
    /// with and without the zero byte before them.
    ///
    /// # Errors
    /// The number needs more than 64 bits.
    pub fn unsigned(&self) -> Result<u64, Error> {
        let zeros = self.contents.iter().take_while(|byte| **byte == 0).count();
        let bytes = &self.contents[zeros..];
        if bytes.len() > 8 {
            return Err(Error::NumberTooLarge { length: self.contents.len() });
        }
        Ok(bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    /// The contents as an object identifier.
    ///
    /// # Errors
    /// They are none.
    pub fn oid(&self) -> Result<Oid, Error> {
        Oid::from_contents(self.contents)
    }
}

/// Reads elements one after the other. A failed read leaves it where it was.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next element, where one can be read.
    pub fn peek(&self) -> Option<Tag> {
        tag(self.rest).ok().map(|(tag, _)| tag)
    }

    /// The next element, of whatever type.
    ///
    /// # Errors
    /// The bytes are no element, or end too early.
    pub fn element(&mut self) -> Result<Element<'a>, Error> {
        let (element, used) = element(self.rest, 0)?;
        self.rest = &self.rest[used..];
        Ok(element)
    }

    /// The next element, which must be of that type.
    ///
    /// # Errors
    /// Another type, no element, or too few bytes.
    pub fn expect(&mut self, expected: Tag) -> Result<Element<'a>, Error> {
        match tag(self.rest)? {
            (found, _) if found.same_type(expected) => self.element(),
            (found, _) => Err(Error::Unexpected { found, expected }),
        }
    }

    /// The elements of a SEQUENCE.
    ///
    /// # Errors
    /// It is none.
    pub fn sequence(&mut self) -> Result<Reader<'a>, Error> {
        self.expect(Tag::SEQUENCE).map(|element| element.reader())
    }

    /// An INTEGER.
    ///
    /// # Errors
    /// It is none, or has more than 64 bits.
    pub fn integer(&mut self) -> Result<i64, Error> {
        self.expect(Tag::INTEGER)?.signed()
    }

    /// An OCTET STRING in one piece.
    ///
    /// # Errors
    /// It is none.
    pub fn octets(&mut self) -> Result<&'a [u8], Error> {
        self.expect(Tag::OCTET_STRING).map(|element| element.contents)
    }

    /// An OBJECT IDENTIFIER.
    ///
    /// # Errors
    /// It is none.
    pub fn oid(&mut self) -> Result<Oid, Error> {
        self.expect(Tag::OBJECT_IDENTIFIER)?.oid()
    }
}

/// Reads an identifier; gives it and its length.
fn tag(bytes: &[u8]) -> Result<(Tag, usize), Error> {
    let first = *bytes.first().ok_or(Error::Truncated { wanted: 1 })?;
    let class = match first >> 6 {
        0 => Class::Universal,
        1 => Class::Application,
        2 => Class::Context,
        _ => Class::Private,
    };
    let constructed = first & 0x20 != 0;
    let low = u32::from(first & 0x1f);
    if low != 0x1f {
        return Ok((Tag { class, constructed, number: low }, 1));
    }
    let mut number: u32 = 0;
    for (place, byte) in bytes.iter().enumerate().skip(1) {
        if number >> 25 != 0 {
            return Err(Error::TagTooLarge);
        }
        number = (number << 7) | u32::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok((Tag { class, constructed, number }, place + 1));
        }
    }
    Err(Error::Truncated { wanted: 1 })
}

/// Reads a length; gives it (`None`: indefinite) and how many bytes it took.
fn length(bytes: &[u8]) -> Result<(Option<usize>, usize), Error> {
    let first = *bytes.first().ok_or(Error::Truncated { wanted: 1 })?;
    if first & 0x80 == 0 {
        return Ok((Some(usize::from(first)), 1));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 {
        return Ok((None, 1));
    }
    let digits =
        bytes.get(1..1 + count).ok_or_else(|| Error::Truncated { wanted: 1 + count - bytes.len() })?;
    let mut length: usize = 0;
    for digit in digits {
        // No datagram and no bounded stream of ours holds more than 2^31 bytes.
        if length >> 23 != 0 {
            return Err(Error::BadLength);
        }
        length = (length << 8) | usize::from(*digit);
    }
    Ok((Some(length), 1 + count))
}

/// Reads an element; gives it and how many bytes it took.
fn element(bytes: &[u8], depth: usize) -> Result<(Element<'_>, usize), Error> {
    let (tag, tag_length) = tag(bytes)?;
    let (length, length_length) = length(&bytes[tag_length..])?;
    let header = tag_length + length_length;
    match length {
        Some(length) => {
            let end = header + length;
            let contents =
                bytes.get(header..end).ok_or_else(|| Error::Truncated { wanted: end - bytes.len() })?;
            Ok((Element { tag, contents, raw: &bytes[..end] }, end))
        }
        None if !tag.constructed => Err(Error::BadLength),
        None if depth >= MAX_INDEFINITE => Err(Error::TooDeep),
        None => {
            // Elements follow until two zero bytes.
            let mut at = header;
            loop {
                if bytes.get(at..at + 2) == Some(&[0, 0]) {
                    let contents = &bytes[header..at];
                    return Ok((Element { tag, contents, raw: &bytes[..at + 2] }, at + 2));
                }
                let inner = bytes.get(at..).ok_or(Error::Truncated { wanted: 2 })?;
                let (_, used) = element(inner, depth + 1)?;
                at += used;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sloppy_lengths_and_numbers_are_read() {
        // 30 82 00 07: three length bytes where one would do; 02 03 00 00 05: an integer with zeros before.
        let mut reader = Reader::new(b"\x30\x82\x00\x07\x02\x03\x00\x00\x05\x05\x00tail");
        let mut inner = reader.sequence().unwrap();
        assert_eq!(inner.integer().unwrap(), 5);
        assert_eq!(inner.element().unwrap().tag, Tag::NULL);
        assert_eq!(reader.rest(), b"tail");
        assert_eq!(Reader::new(b"\x02\x00").integer().unwrap(), 0);
        assert_eq!(Reader::new(b"\x02\x03\xff\xff\x80").integer().unwrap(), -128);
        assert_eq!(
            Reader::new(b"\x41\x04\xff\xff\xff\xff").element().unwrap().unsigned().unwrap(),
            0xffff_ffff
        );
    }

    #[test]
    fn indefinite_lengths_end_at_two_zeros() {
        let bytes = b"\x30\x80\x02\x01\x07\x30\x80\x05\x00\x00\x00\x00\x00!";
        let mut reader = Reader::new(bytes);
        let outer = reader.element().unwrap();
        assert_eq!(outer.contents, b"\x02\x01\x07\x30\x80\x05\x00\x00\x00");
        assert_eq!(reader.rest(), b"!");
        let deep: Vec<u8> = [0x30, 0x80].repeat(100_000);
        assert_eq!(Reader::new(&deep).element(), Err(Error::TooDeep));
        assert_eq!(Reader::new(b"\x04\x80\x00\x00").element(), Err(Error::BadLength));
    }

    #[test]
    fn a_failed_read_moves_nothing() {
        let mut reader = Reader::new(b"\x02\x01\x05");
        assert!(matches!(reader.octets(), Err(Error::Unexpected { .. })));
        assert_eq!(reader.integer().unwrap(), 5);
        assert_eq!(Reader::new(b"\x04\x84\xff\xff\xff\xff").element(), Err(Error::BadLength));
        assert_eq!(Reader::new(b"\x04\x05ab").element(), Err(Error::Truncated { wanted: 3 }));
        assert_eq!(
            Reader::new(b"\x02\x0a\x01234567890").integer(),
            Err(Error::NumberTooLarge { length: 10 })
        );
        assert_eq!(Reader::new(b"\x1f\xff\xff\xff\xff\xff\x7f\x00").element(), Err(Error::TagTooLarge));
        assert_eq!(Reader::new(b"\x7f\x81\x00\x01x").element().unwrap().tag.number, 128);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(element) = reader.element() {
                prop_assert!(element.raw.len() >= 2 && element.contents.len() < element.raw.len());
                let _ = (element.signed(), element.unsigned(), element.oid());
                let _ = element.reader().element();
            }
        }
    }
}

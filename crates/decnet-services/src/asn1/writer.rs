//! Writing.

use super::{Class, Oid, Tag};

/// How the length of a constructed element is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LengthForm {
    /// As short as it goes: one byte up to 127 (the distinguished form).
    #[default]
    Shortest,
    /// Always `82` and two bytes, up to 65535: what encoders do that write the header before they know
    /// the contents.
    TwoBytes,
}

/// Collects elements.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    form: LengthForm,
}

impl Writer {
    /// An empty one that writes the shortest lengths.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// An empty one that writes lengths of constructed elements in that form.
    pub fn with_form(form: LengthForm) -> Writer {
        Writer { out: Vec::new(), form }
    }

    /// What was written so far.
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// An element with these contents.
    pub fn element(&mut self, tag: Tag, contents: &[u8]) {
        self.tag(tag);
        self.length(contents.len(), if tag.constructed { self.form } else { LengthForm::Shortest });
        self.out.extend_from_slice(contents);
    }

    /// An element whose contents `fill` writes. The tag is made constructed.
    pub fn constructed(&mut self, tag: Tag, fill: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::with_form(self.form);
        fill(&mut inner);
        self.element(tag.holding_elements(), &inner.out);
    }

    /// An INTEGER.
    pub fn integer(&mut self, number: i64) {
        self.signed(Tag::INTEGER, number);
    }

    /// A signed number under another tag, in the fewest bytes.
    pub fn signed(&mut self, tag: Tag, number: i64) {
        let bytes = number.to_be_bytes();
        let mut skip = 0;
        while skip < 7
            && ((bytes[skip] == 0 && bytes[skip + 1] & 0x80 == 0)
                || (bytes[skip] == 0xff && bytes[skip + 1] & 0x80 != 0))
        {
            skip += 1;
        }
        self.element(tag, &bytes[skip..]);
    }

    /// An unsigned number, in the fewest bytes, with a zero byte before it where its first bit is set.
    pub fn unsigned(&mut self, tag: Tag, number: u64) {
        let mut bytes = [0u8; 9];
        bytes[1..].copy_from_slice(&number.to_be_bytes());
        let mut skip = 0;
        while skip < 8 && bytes[skip] == 0 && bytes[skip + 1] & 0x80 == 0 {
            skip += 1;
        }
        self.element(tag, &bytes[skip..]);
    }

    /// A string of bytes under that tag.
    pub fn octets(&mut self, tag: Tag, bytes: &[u8]) {
        self.element(tag, bytes);
    }

    /// An OBJECT IDENTIFIER.
    pub fn oid(&mut self, oid: &Oid) {
        let mut contents = Vec::with_capacity(oid.arcs().len() + 4);
        oid.write_contents(&mut contents);
        self.element(Tag::OBJECT_IDENTIFIER, &contents);
    }

    /// A NULL.
    pub fn null(&mut self) {
        self.element(Tag::NULL, &[]);
    }

    /// A BOOLEAN, true as `ff`.
    pub fn boolean(&mut self, value: bool) {
        self.element(Tag::BOOLEAN, &[if value { 0xff } else { 0 }]);
    }

    /// Bytes that are elements already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn tag(&mut self, tag: Tag) {
        let class = match tag.class {
            Class::Universal => 0x00,
            Class::Application => 0x40,
            Class::Context => 0x80,
            Class::Private => 0xc0,
        };
        let first = class | if tag.constructed { 0x20 } else { 0 };
        if tag.number < 0x1f {
            self.out.push(first | tag.number as u8);
            return;
        }
        self.out.push(first | 0x1f);
        let groups = (32 - tag.number.leading_zeros()).div_ceil(7);
        for group in (0..groups).rev() {
            let bits = (tag.number >> (group * 7)) as u8 & 0x7f;
            self.out.push(if group == 0 { bits } else { bits | 0x80 });
        }
    }

    fn length(&mut self, length: usize, form: LengthForm) {
        let bytes = length.to_be_bytes();
        if form == LengthForm::TwoBytes && length <= 0xffff {
            self.out.push(0x82);
            self.out.extend_from_slice(&bytes[bytes.len() - 2..]);
            return;
        }
        if length < 0x80 {
            self.out.push(length as u8);
            return;
        }
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        self.out.push(0x80 | (bytes.len() - zeros) as u8);
        self.out.extend_from_slice(&bytes[zeros..]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_in_both_forms() {
        let mut writer = Writer::new();
        writer.octets(Tag::OCTET_STRING, &[7; 200]);
        assert_eq!(&writer.bytes()[..3], b"\x04\x81\xc8");
        let mut writer = Writer::with_form(LengthForm::TwoBytes);
        writer.constructed(Tag::SEQUENCE, |inner| inner.integer(1));
        assert_eq!(writer.into_bytes(), b"\x30\x82\x00\x03\x02\x01\x01");
    }

    #[test]
    fn counters_keep_their_sign_byte() {
        let mut writer = Writer::new();
        writer.unsigned(Tag::application(1), 0xffff_ffff);
        writer.unsigned(Tag::application(6), u64::MAX);
        writer.unsigned(Tag::application(3), 0);
        assert_eq!(
            writer.into_bytes(),
            b"\x41\x05\x00\xff\xff\xff\xff\x46\x09\x00\xff\xff\xff\xff\xff\xff\xff\xff\x43\x01\x00"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            signed in any::<i64>(),
            unsigned in any::<u64>(),
            octets in proptest::collection::vec(any::<u8>(), 0..400),
            number in any::<u32>(),
            arcs in proptest::collection::vec(any::<u32>(), 0..100),
            two in any::<bool>(),
        ) {
            let oid = Oid::new(&[&[1, 3][..], &arcs].concat());
            let tag = Tag { class: Class::Private, constructed: false, number };
            let form = if two { LengthForm::TwoBytes } else { LengthForm::Shortest };
            let mut writer = Writer::with_form(form);
            writer.constructed(Tag::SEQUENCE, |inner| {
                inner.integer(signed);
                inner.unsigned(Tag::application(6), unsigned);
                inner.octets(tag, &octets);
                inner.oid(&oid);
            });
            let bytes = writer.into_bytes();
            let mut outer = Reader::new(&bytes);
            let mut inner = outer.sequence().unwrap();
            prop_assert!(outer.is_empty());
            prop_assert_eq!(inner.integer().unwrap(), signed);
            prop_assert_eq!(inner.element().unwrap().unsigned().unwrap(), unsigned);
            let string = inner.element().unwrap();
            prop_assert_eq!((string.tag, string.contents), (tag, &octets[..]));
            prop_assert_eq!(inner.oid().unwrap(), oid);
            prop_assert!(inner.is_empty());
        }
    }
}

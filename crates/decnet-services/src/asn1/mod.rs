//! Basic Encoding Rules (ITU-T X.690): a reader that forgives what real peers send, and a writer that
//! emits the definite, shortest form.
//!
//! Several protocols of the fleet are ASN.1 underneath: SNMP, LDAP, SPNEGO, Kerberos tickets. They share
//! this kit and not a schema compiler, for two reasons. A decoy must *read* what no schema allows, byte
//! for byte, because malformed input is what it is there to record: lengths with leading zeros, integers
//! that are not minimal, indefinite lengths. And it must *write* exactly the bytes of the product it
//! plays, among them forms that a canonical encoder never emits (a Windows SNMP agent writes every
//! sequence length in three bytes). Both are a few hundred lines here and a fight with a derived codec.
//!
//! Nothing panics, nothing recurses with the input, and nothing allocates more than the input's own size.
//!
//! ```
//! use decnet_services::asn1::{Reader, Tag, Writer};
//!
//! let mut writer = Writer::new();
//! writer.constructed(Tag::SEQUENCE, |inner| {
//!     inner.integer(-129);
//!     inner.octets(Tag::OCTET_STRING, b"public");
//! });
//! let bytes = writer.into_bytes();
//! assert_eq!(bytes, b"\x30\x0c\x02\x02\xff\x7f\x04\x06public");
//!
//! let mut fields = Reader::new(&bytes).sequence()?;
//! assert_eq!(fields.integer()?, -129);
//! assert_eq!(fields.octets()?, b"public");
//! assert!(fields.is_empty());
//! # Ok::<(), decnet_services::asn1::Error>(())
//! ```

mod oid;
mod reader;
mod writer;

use std::fmt;

pub use oid::{MAX_ARCS, Oid, ParseOidError};
pub use reader::{Element, Reader};
pub use writer::{LengthForm, Writer};

/// The class bits of a tag (X.690 section 8.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Defined by ASN.1 itself.
    Universal,
    /// Defined by the application protocol.
    Application,
    /// Defined by its place in the enclosing type.
    Context,
    /// Defined by agreement.
    Private,
}

/// An identifier: class, whether the contents are elements themselves, and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The class.
    pub class: Class,
    /// Whether the contents are elements.
    pub constructed: bool,
    /// The number; above 30 it is written in the long form.
    pub number: u32,
}

impl Tag {
    /// BOOLEAN.
    pub const BOOLEAN: Tag = Tag::universal(1);
    /// INTEGER.
    pub const INTEGER: Tag = Tag::universal(2);
    /// BIT STRING.
    pub const BIT_STRING: Tag = Tag::universal(3);
    /// OCTET STRING.
    pub const OCTET_STRING: Tag = Tag::universal(4);
    /// NULL.
    pub const NULL: Tag = Tag::universal(5);
    /// OBJECT IDENTIFIER.
    pub const OBJECT_IDENTIFIER: Tag = Tag::universal(6);
    /// ENUMERATED.
    pub const ENUMERATED: Tag = Tag::universal(10);
    /// SEQUENCE and SEQUENCE OF.
    pub const SEQUENCE: Tag = Tag { class: Class::Universal, constructed: true, number: 16 };
    /// SET and SET OF.
    pub const SET: Tag = Tag { class: Class::Universal, constructed: true, number: 17 };

    /// A primitive universal tag.
    pub const fn universal(number: u32) -> Tag {
        Tag { class: Class::Universal, constructed: false, number }
    }

    /// A primitive application tag.
    pub const fn application(number: u32) -> Tag {
        Tag { class: Class::Application, constructed: false, number }
    }

    /// A primitive context tag.
    pub const fn context(number: u32) -> Tag {
        Tag { class: Class::Context, constructed: false, number }
    }

    /// The same tag with elements inside.
    #[must_use]
    pub const fn holding_elements(self) -> Tag {
        Tag { constructed: true, ..self }
    }

    /// Whether both name the same type; primitive and constructed strings do.
    pub fn same_type(self, other: Tag) -> bool {
        self.class == other.class && self.number == other.number
    }
}

impl fmt::Display for Tag {
    /// `universal 2`, `context 0 constructed`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = match self.class {
            Class::Universal => "universal",
            Class::Application => "application",
            Class::Context => "context",
            Class::Private => "private",
        };
        write!(f, "{class} {}{}", self.number, if self.constructed { " constructed" } else { "" })
    }
}

/// Why bytes could not be read as what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends inside an element.
    #[error("the input ends inside an element: {wanted} bytes more are needed")]
    Truncated {
        /// How many bytes are missing, as far as known.
        wanted: usize,
    },
    /// Another type was expected here.
    #[error("found {found} where {expected} belongs")]
    Unexpected {
        /// What is there.
        found: Tag,
        /// What belongs there.
        expected: Tag,
    },
    /// A tag number above 32 bits.
    #[error("a tag number of more than 32 bits")]
    TagTooLarge,
    /// A length that no input of ours can have, or an indefinite length where none may stand.
    #[error("an element's length is not usable")]
    BadLength,
    /// Indefinite lengths nested too deeply.
    #[error("indefinite lengths are nested more than {} deep", reader::MAX_INDEFINITE)]
    TooDeep,
    /// A number that does not fit.
    #[error("a number of {length} bytes does not fit")]
    NumberTooLarge {
        /// Its encoded length.
        length: usize,
    },
    /// Contents that are no object identifier.
    #[error("not an object identifier")]
    BadOid,
}

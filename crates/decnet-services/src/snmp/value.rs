//! The values of SNMP objects (RFC 2578 section 7.1, RFC 3416 section 3).

use crate::asn1::{Element, Error, Oid, Tag, Writer};

/// IpAddress.
pub(super) const IP_ADDRESS: Tag = Tag::application(0);
/// Counter32.
pub(super) const COUNTER32: Tag = Tag::application(1);
/// Gauge32 and Unsigned32.
pub(super) const GAUGE32: Tag = Tag::application(2);
/// TimeTicks.
pub(super) const TIME_TICKS: Tag = Tag::application(3);
/// Opaque.
pub(super) const OPAQUE: Tag = Tag::application(4);
/// Counter64.
pub(super) const COUNTER64: Tag = Tag::application(6);

/// A value of a variable binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// INTEGER, Integer32.
    Integer(i32),
    /// OCTET STRING.
    Octets(Vec<u8>),
    /// NULL, as requests carry it.
    Null,
    /// OBJECT IDENTIFIER.
    Oid(Oid),
    /// IpAddress; four bytes unless a peer sent others.
    IpAddress(Vec<u8>),
    /// Counter32.
    Counter32(u32),
    /// Gauge32 or Unsigned32.
    Gauge32(u32),
    /// TimeTicks, hundredths of a second.
    TimeTicks(u32),
    /// Opaque.
    Opaque(Vec<u8>),
    /// Counter64.
    Counter64(u64),
    /// The exception noSuchObject.
    NoSuchObject,
    /// The exception noSuchInstance.
    NoSuchInstance,
    /// The exception endOfMibView.
    EndOfMibView,
    /// Any other type, with its contents.
    Unknown(Tag, Vec<u8>),
}

impl Value {
    /// A string.
    pub fn text(text: impl AsRef<str>) -> Value {
        Value::Octets(text.as_ref().as_bytes().to_vec())
    }

    /// A string of bytes.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
        Value::Octets(bytes.into())
    }

    /// An object identifier.
    pub fn oid(arcs: &[u32]) -> Value {
        Value::Oid(Oid::new(arcs))
    }

    /// A floating point number in the wrapping that net-snmp sends (an Opaque that holds tag 9f 78).
    pub fn float(number: f32) -> Value {
        let mut bytes = vec![0x9f, 0x78, 4];
        bytes.extend_from_slice(&number.to_be_bytes());
        Value::Opaque(bytes)
    }

    /// Whether it is one of the three exceptions.
    pub fn is_exception(&self) -> bool {
        matches!(self, Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView)
    }

    /// Whether both are of one type.
    pub fn same_type(&self, other: &Value) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Reads a value.
    ///
    /// # Errors
    /// A number or identifier that does not fit its type.
    pub fn parse(element: &Element<'_>) -> Result<Value, Error> {
        let plain = Tag { constructed: false, ..element.tag };
        let octets = || element.contents.to_vec();
        // 32-bit types are cut to 32 bits, as agents in C do.
        Ok(match plain {
            Tag::INTEGER => Value::Integer(element.signed()? as i32),
            Tag::OCTET_STRING => Value::Octets(octets()),
            Tag::NULL => Value::Null,
            Tag::OBJECT_IDENTIFIER => Value::Oid(element.oid()?),
            IP_ADDRESS => Value::IpAddress(octets()),
            COUNTER32 => Value::Counter32(element.unsigned()? as u32),
            GAUGE32 => Value::Gauge32(element.unsigned()? as u32),
            TIME_TICKS => Value::TimeTicks(element.unsigned()? as u32),
            OPAQUE => Value::Opaque(octets()),
            COUNTER64 => Value::Counter64(element.unsigned()?),
            tag if tag == Tag::context(0) => Value::NoSuchObject,
            tag if tag == Tag::context(1) => Value::NoSuchInstance,
            tag if tag == Tag::context(2) => Value::EndOfMibView,
            _ => Value::Unknown(element.tag, octets()),
        })
    }

    /// Writes it.
    pub fn write(&self, writer: &mut Writer) {
        match self {
            Value::Integer(number) => writer.integer(i64::from(*number)),
            Value::Octets(bytes) => writer.octets(Tag::OCTET_STRING, bytes),
            Value::Null => writer.null(),
            Value::Oid(oid) => writer.oid(oid),
            Value::IpAddress(bytes) => writer.octets(IP_ADDRESS, bytes),
            Value::Counter32(number) => writer.unsigned(COUNTER32, u64::from(*number)),
            Value::Gauge32(number) => writer.unsigned(GAUGE32, u64::from(*number)),
            Value::TimeTicks(number) => writer.unsigned(TIME_TICKS, u64::from(*number)),
            Value::Opaque(bytes) => writer.octets(OPAQUE, bytes),
            Value::Counter64(number) => writer.unsigned(COUNTER64, *number),
            Value::NoSuchObject => writer.octets(Tag::context(0), &[]),
            Value::NoSuchInstance => writer.octets(Tag::context(1), &[]),
            Value::EndOfMibView => writer.octets(Tag::context(2), &[]),
            Value::Unknown(tag, bytes) => writer.octets(*tag, bytes),
        }
    }

    /// The value as an event shows it.
    pub fn describe(&self) -> String {
        match self {
            Value::Integer(number) => number.to_string(),
            Value::Octets(bytes) => bytes.escape_ascii().to_string(),
            Value::Null => "null".to_owned(),
            Value::Oid(oid) => oid.to_string(),
            Value::IpAddress(bytes) => bytes.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
            Value::Counter32(number) | Value::Gauge32(number) | Value::TimeTicks(number) => {
                number.to_string()
            }
            Value::Counter64(number) => number.to_string(),
            Value::Opaque(bytes) | Value::Unknown(_, bytes) => {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            Value::NoSuchObject => "noSuchObject".to_owned(),
            Value::NoSuchInstance => "noSuchInstance".to_owned(),
            Value::EndOfMibView => "endOfMibView".to_owned(),
        }
    }
}

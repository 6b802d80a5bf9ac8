//! SNMP messages: v1 (RFC 1157), v2c (RFC 1901) and v3 (RFC 3412) with the user-based security parameters
//! (RFC 3414), read from any bytes and written as the product writes them.

use super::value::Value;
use crate::asn1::{Class, Error, LengthForm, Oid, Reader, Tag, Writer};

/// Variable bindings that one message may hold; agents have bounds of that order, too.
pub const MAX_BINDINGS: usize = 1024;

/// Why a datagram is not a message that we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unparsed {
    /// Not the encoding.
    #[error(transparent)]
    Encoding(#[from] Error),
    /// A version that is none of 0, 1 and 3.
    #[error("version {0} is none of 0, 1 and 3")]
    Version(i64),
    /// A PDU type that does not exist in that version.
    #[error("there is no PDU type {0}")]
    PduType(Tag),
    /// Too many variable bindings.
    #[error("more than {MAX_BINDINGS} variable bindings")]
    TooManyBindings,
    /// A security model that is not the user-based one.
    #[error("security model {0} is not the user-based one")]
    SecurityModel(i64),
}

/// What a PDU asks for or says (RFC 3416 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PduKind {
    /// GetRequest.
    Get,
    /// GetNextRequest.
    GetNext,
    /// Response.
    Response,
    /// SetRequest.
    Set,
    /// The v1 Trap, whose contents are not read.
    TrapV1,
    /// GetBulkRequest.
    GetBulk,
    /// InformRequest.
    Inform,
    /// SNMPv2-Trap.
    TrapV2,
    /// Report.
    Report,
    /// Any other context tag.
    Unknown(u32),
}

impl PduKind {
    fn from_number(number: u32) -> PduKind {
        match number {
            0 => PduKind::Get,
            1 => PduKind::GetNext,
            2 => PduKind::Response,
            3 => PduKind::Set,
            4 => PduKind::TrapV1,
            5 => PduKind::GetBulk,
            6 => PduKind::Inform,
            7 => PduKind::TrapV2,
            8 => PduKind::Report,
            other => PduKind::Unknown(other),
        }
    }

    fn number(self) -> u32 {
        match self {
            PduKind::Get => 0,
            PduKind::GetNext => 1,
            PduKind::Response => 2,
            PduKind::Set => 3,
            PduKind::TrapV1 => 4,
            PduKind::GetBulk => 5,
            PduKind::Inform => 6,
            PduKind::TrapV2 => 7,
            PduKind::Report => 8,
            PduKind::Unknown(number) => number,
        }
    }

    /// Its name in events.
    pub fn name(self) -> &'static str {
        match self {
            PduKind::Get => "get",
            PduKind::GetNext => "getnext",
            PduKind::Response => "response",
            PduKind::Set => "set",
            PduKind::TrapV1 | PduKind::TrapV2 => "trap",
            PduKind::GetBulk => "getbulk",
            PduKind::Inform => "inform",
            PduKind::Report => "report",
            PduKind::Unknown(_) => "unknown",
        }
    }
}

/// A variable and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Which.
    pub name: Oid,
    /// Its value; NULL in most requests.
    pub value: Value,
}

impl Binding {
    fn write(&self, writer: &mut Writer) {
        writer.constructed(Tag::SEQUENCE, |pair| {
            pair.oid(&self.name);
            self.value.write(pair);
        });
    }

    /// How many bytes it takes.
    pub fn encoded_length(&self, form: LengthForm) -> usize {
        let mut writer = Writer::with_form(form);
        self.write(&mut writer);
        writer.bytes().len()
    }
}

/// A PDU. In a GetBulkRequest the two error fields are non-repeaters and max-repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// What it is.
    pub kind: PduKind,
    /// The asker's number for it.
    pub request_id: i32,
    /// error-status, or non-repeaters.
    pub error_status: i32,
    /// error-index, or max-repetitions.
    pub error_index: i32,
    /// The variables.
    pub bindings: Vec<Binding>,
}

impl Pdu {
    fn parse(reader: &mut Reader<'_>) -> Result<Pdu, Unparsed> {
        let element = reader.element()?;
        if element.tag.class != Class::Context || !element.tag.constructed {
            return Err(Unparsed::PduType(element.tag));
        }
        let kind = PduKind::from_number(element.tag.number);
        if let PduKind::Unknown(_) = kind {
            return Err(Unparsed::PduType(element.tag));
        }
        let mut pdu = Pdu { kind, request_id: 0, error_status: 0, error_index: 0, bindings: Vec::new() };
        if kind == PduKind::TrapV1 {
            return Ok(pdu);
        }
        let mut fields = element.reader();
        pdu.request_id = fields.integer()? as i32;
        pdu.error_status = fields.integer()? as i32;
        pdu.error_index = fields.integer()? as i32;
        let mut list = fields.sequence()?;
        while !list.is_empty() {
            if pdu.bindings.len() >= MAX_BINDINGS {
                return Err(Unparsed::TooManyBindings);
            }
            let mut pair = list.sequence()?;
            let name = pair.oid()?;
            let value = Value::parse(&pair.element()?)?;
            pdu.bindings.push(Binding { name, value });
        }
        Ok(pdu)
    }

    fn write(&self, writer: &mut Writer) {
        writer.constructed(Tag::context(self.kind.number()), |fields| {
            fields.integer(i64::from(self.request_id));
            fields.integer(i64::from(self.error_status));
            fields.integer(i64::from(self.error_index));
            fields.constructed(Tag::SEQUENCE, |list| {
                for binding in &self.bindings {
                    binding.write(list);
                }
            });
        });
    }
}

/// The versions that carry a community.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// SNMPv1.
    V1,
    /// SNMPv2c.
    V2c,
}

/// msgFlags: authenticated.
pub const AUTH: u8 = 1;
/// msgFlags: encrypted.
pub const PRIV: u8 = 2;
/// msgFlags: a report is wanted.
pub const REPORTABLE: u8 = 4;

/// The user-based security parameters (RFC 3414 section 2.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// The authoritative engine.
    pub engine_id: Vec<u8>,
    /// How often it booted.
    pub boots: i32,
    /// Seconds since it last booted.
    pub time: i32,
    /// The user.
    pub user: Vec<u8>,
    /// The digest.
    pub authentication: Vec<u8>,
    /// Where the digest lies in the datagram, in bytes from its start.
    pub authentication_at: usize,
    /// The salt.
    pub privacy: Vec<u8>,
}

/// A PDU with its context (RFC 3412 section 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scoped {
    /// The engine that holds the context.
    pub context_engine_id: Vec<u8>,
    /// The context.
    pub context_name: Vec<u8>,
    /// What is asked.
    pub pdu: Pdu,
}

impl Scoped {
    /// Reads one, as it stands after decryption.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<Scoped, Unparsed> {
        let mut fields = Reader::new(bytes).sequence()?;
        Ok(Scoped {
            context_engine_id: fields.octets()?.to_vec(),
            context_name: fields.octets()?.to_vec(),
            pdu: Pdu::parse(&mut fields)?,
        })
    }

    /// Its bytes.
    pub fn encode(&self, form: LengthForm) -> Vec<u8> {
        let mut writer = Writer::with_form(form);
        writer.constructed(Tag::SEQUENCE, |fields| {
            fields.octets(Tag::OCTET_STRING, &self.context_engine_id);
            fields.octets(Tag::OCTET_STRING, &self.context_name);
            self.pdu.write(fields);
        });
        writer.into_bytes()
    }
}

/// What a v3 message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// In clear.
    Plain(Scoped),
    /// Encrypted.
    Encrypted(Vec<u8>),
    /// In clear, but not readable: the security parameters count all the same.
    Unreadable(Unparsed),
}

/// A v3 message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V3 {
    /// The asker's number for the message.
    pub message_id: i32,
    /// The largest message that it takes.
    pub max_size: i32,
    /// [`AUTH`], [`PRIV`], [`REPORTABLE`].
    pub flags: u8,
    /// The security parameters.
    pub security: Security,
    /// The rest.
    pub payload: Payload,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// v1 or v2c.
    Community {
        /// Which of the two.
        version: Version,
        /// The community.
        community: Vec<u8>,
        /// What is asked.
        pdu: Pdu,
    },
    /// v3.
    V3(V3),
}

impl Message {
    /// Reads a datagram. Bytes behind the message are ignored, as agents do.
    ///
    /// # Errors
    /// Why it is no message.
    pub fn parse(bytes: &[u8]) -> Result<Message, Unparsed> {
        let mut fields = Reader::new(bytes).sequence()?;
        match fields.integer()? {
            0 => Message::parse_community(Version::V1, fields),
            1 => Message::parse_community(Version::V2c, fields),
            3 => Message::parse_v3(bytes, fields),
            other => Err(Unparsed::Version(other)),
        }
    }

    fn parse_community(version: Version, mut fields: Reader<'_>) -> Result<Message, Unparsed> {
        let community = fields.octets()?.to_vec();
        let pdu = Pdu::parse(&mut fields)?;
        let fits = match pdu.kind {
            PduKind::TrapV1 => version == Version::V1,
            PduKind::GetBulk | PduKind::Inform | PduKind::TrapV2 | PduKind::Report => version == Version::V2c,
            _ => true,
        };
        if fits {
            Ok(Message::Community { version, community, pdu })
        } else {
            Err(Unparsed::PduType(Tag::context(pdu.kind.number()).holding_elements()))
        }
    }

    fn parse_v3(datagram: &[u8], mut fields: Reader<'_>) -> Result<Message, Unparsed> {
        let mut header = fields.sequence()?;
        let message_id = header.integer()? as i32;
        let max_size = header.integer()?.clamp(0, i64::from(i32::MAX)) as i32;
        let flags = header.octets()?.first().copied().unwrap_or(0);
        let model = header.integer()?;
        if model != 3 {
            return Err(Unparsed::SecurityModel(model));
        }
        let parameters = fields.octets()?;
        let mut security = Reader::new(parameters).sequence()?;
        let engine_id = security.octets()?.to_vec();
        let boots = security.integer()? as i32;
        let time = security.integer()? as i32;
        let user = security.octets()?.to_vec();
        let authentication = security.octets()?;
        let privacy = security.octets()?.to_vec();
        // Both slices lie in the datagram, so the distance of their ends to its end says where.
        let authentication_at = offset_in(datagram, authentication);
        let security = Security {
            engine_id,
            boots,
            time,
            user,
            authentication: authentication.to_vec(),
            authentication_at,
            privacy,
        };
        let payload = if flags & PRIV != 0 {
            Payload::Encrypted(fields.octets()?.to_vec())
        } else {
            match Scoped::parse(fields.rest()) {
                Ok(scoped) => Payload::Plain(scoped),
                Err(why) => Payload::Unreadable(why),
            }
        };
        Ok(Message::V3(V3 { message_id, max_size, flags, security, payload }))
    }

    /// Its bytes. The digest of a v3 message is written as it stands in the parameters.
    pub fn encode(&self, form: LengthForm) -> Vec<u8> {
        let mut writer = Writer::with_form(form);
        writer.constructed(Tag::SEQUENCE, |fields| match self {
            Message::Community { version, community, pdu } => {
                fields.integer(match version {
                    Version::V1 => 0,
                    Version::V2c => 1,
                });
                fields.octets(Tag::OCTET_STRING, community);
                pdu.write(fields);
            }
            Message::V3(message) => message.write(fields, form),
        });
        writer.into_bytes()
    }
}

impl V3 {
    fn write(&self, fields: &mut Writer, form: LengthForm) {
        fields.integer(3);
        fields.constructed(Tag::SEQUENCE, |header| {
            header.integer(i64::from(self.message_id));
            header.integer(i64::from(self.max_size));
            header.octets(Tag::OCTET_STRING, &[self.flags]);
            header.integer(3);
        });
        let mut parameters = Writer::with_form(form);
        parameters.constructed(Tag::SEQUENCE, |security| {
            security.octets(Tag::OCTET_STRING, &self.security.engine_id);
            security.integer(i64::from(self.security.boots));
            security.integer(i64::from(self.security.time));
            security.octets(Tag::OCTET_STRING, &self.security.user);
            security.octets(Tag::OCTET_STRING, &self.security.authentication);
            security.octets(Tag::OCTET_STRING, &self.security.privacy);
        });
        fields.octets(Tag::OCTET_STRING, parameters.bytes());
        match &self.payload {
            Payload::Plain(scoped) => fields.raw(&scoped.encode(form)),
            Payload::Encrypted(bytes) => fields.octets(Tag::OCTET_STRING, bytes),
            Payload::Unreadable(_) => {}
        }
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset_in(whole: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize).min(whole.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `snmpget -v1 -c public 127.0.0.1 1.3.6.1.2.1.1.3.0 1.3.6.1.2.1.1.5.0` of net-snmp 5.9.3.
    const GET: &[u8] = b"\x30\x37\x02\x01\x00\x04\x06public\xa0\x2a\x02\x04\x6d\x9f\x5c\x25\x02\x01\x00\
        \x02\x01\x00\x30\x1c\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x05\x00\x30\x0c\x06\x08\x2b\x06\
        \x01\x02\x01\x01\x05\x00\x05\x00";

    /// The report with which snmpd 5.9.3 answers a discovery.
    const REPORT: &[u8] = b"\x30\x71\x02\x01\x03\x30\x11\x02\x04\x14\x0b\xef\x31\x02\x03\x00\xff\xe3\x04\x01\
        \x00\x02\x01\x03\x04\x21\x30\x1f\x04\x11\x80\x00\x1f\x88\x80\xbf\x4d\xd7\x5e\x91\xe0\x02\x6b\x00\x00\
        \x00\x00\x02\x01\x01\x02\x01\x06\x04\x00\x04\x00\x04\x00\x30\x36\x04\x11\x80\x00\x1f\x88\x80\xbf\x4d\
        \xd7\x5e\x91\xe0\x02\x6b\x00\x00\x00\x00\x04\x00\xa8\x1f\x02\x04\x30\x31\x0e\x94\x02\x01\x00\x02\x01\
        \x00\x30\x11\x30\x0f\x06\x0a\x2b\x06\x01\x06\x03\x0f\x01\x01\x04\x00\x41\x01\x10";

    #[test]
    fn captures_are_read_and_written_to_the_byte() {
        for capture in [GET, REPORT] {
            let message = Message::parse(capture).unwrap();
            assert_eq!(message.encode(LengthForm::Shortest), capture);
        }
        let Message::Community { version: Version::V1, community, pdu } = Message::parse(GET).unwrap() else {
            panic!("not v1");
        };
        assert_eq!((community.as_slice(), pdu.kind, pdu.bindings.len()), (&b"public"[..], PduKind::Get, 2));
        let Message::V3(report) = Message::parse(REPORT).unwrap() else { panic!("not v3") };
        assert_eq!((report.security.engine_id.len(), report.security.time, report.flags), (17, 6, 0));
        assert_eq!(&REPORT[report.security.authentication_at - 2..][..2], b"\x04\x00");
    }

    #[test]
    fn what_no_version_knows_is_unparsed() {
        let mut v2_pdu_in_v1 = GET.to_vec();
        v2_pdu_in_v1[13] = 0xa5;
        assert!(matches!(Message::parse(&v2_pdu_in_v1), Err(Unparsed::PduType(_))));
        let mut version_2 = GET.to_vec();
        version_2[4] = 2;
        assert_eq!(Message::parse(&version_2), Err(Unparsed::Version(2)));
        assert!(matches!(Message::parse(b"GET / HTTP/1.1\r\n"), Err(Unparsed::Encoding(_))));
        assert!(matches!(Message::parse(&GET[..40]), Err(Unparsed::Encoding(_))));
    }

    #[test]
    fn the_number_of_bindings_is_bounded() {
        let binding = Binding { name: Oid::new(&[1, 3]), value: Value::Null };
        let pdu = |count| Pdu {
            kind: PduKind::Get,
            request_id: 1,
            error_status: 0,
            error_index: 0,
            bindings: vec![binding.clone(); count],
        };
        let encode = |count| {
            Message::Community { version: Version::V1, community: b"c".to_vec(), pdu: pdu(count) }
                .encode(LengthForm::Shortest)
        };
        assert!(Message::parse(&encode(MAX_BINDINGS)).is_ok());
        assert_eq!(Message::parse(&encode(MAX_BINDINGS + 1)), Err(Unparsed::TooManyBindings));
    }

    fn value() -> impl Strategy<Value = Value> {
        let octets = || proptest::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            any::<i32>().prop_map(Value::Integer),
            octets().prop_map(Value::Octets),
            Just(Value::Null),
            proptest::collection::vec(any::<u32>(), 0..20)
                .prop_map(|arcs| Value::Oid(Oid::new(&[&[1, 3][..], &arcs].concat()))),
            octets().prop_map(Value::IpAddress),
            any::<u32>().prop_map(Value::Counter32),
            any::<u32>().prop_map(Value::Gauge32),
            any::<u32>().prop_map(Value::TimeTicks),
            octets().prop_map(Value::Opaque),
            any::<u64>().prop_map(Value::Counter64),
            Just(Value::NoSuchObject),
            Just(Value::NoSuchInstance),
            Just(Value::EndOfMibView),
        ]
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Message::parse(&bytes);
            let _ = Scoped::parse(&bytes);
        }

        #[test]
        fn a_damaged_message_is_read_without_panic(at in 0usize..113, byte in any::<u8>(), cut in 0usize..114) {
            let mut bytes = REPORT.to_vec();
            bytes[at] = byte;
            let _ = Message::parse(&bytes);
            let _ = Message::parse(&bytes[..cut]);
        }

        #[test]
        fn what_is_written_is_read(
            request_id in any::<i32>(),
            status in any::<i32>(),
            values in proptest::collection::vec(value(), 0..8),
            user in proptest::collection::vec(any::<u8>(), 0..32),
            two in any::<bool>(),
            v3 in any::<bool>(),
        ) {
            let form = if two { LengthForm::TwoBytes } else { LengthForm::Shortest };
            let name = Oid::new(&[1, 3, 6, 1, 4, 1, 2021]);
            let bindings = values.into_iter().map(|value| Binding { name: name.clone(), value }).collect();
            let pdu = Pdu { kind: PduKind::Set, request_id, error_status: status, error_index: 3, bindings };
            let message = if v3 {
                Message::V3(V3 {
                    message_id: request_id,
                    max_size: 1500,
                    flags: REPORTABLE,
                    security: Security { user, ..Security::default() },
                    payload: Payload::Plain(Scoped {
                        context_engine_id: vec![1; 17],
                        context_name: Vec::new(),
                        pdu,
                    }),
                })
            } else {
                Message::Community { version: Version::V2c, community: user, pdu }
            };
            let mut read = Message::parse(&message.encode(form)).unwrap();
            if let Message::V3(v3) = &mut read {
                v3.security.authentication_at = 0;
            }
            prop_assert_eq!(read, message);
        }
    }
}

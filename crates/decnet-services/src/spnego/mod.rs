//! SPNEGO: which mechanism a client and a server use, and its tokens (RFC 4178, MS-SPNG).
//!
//! The server's half of HTTP's `Negotiate`, SMB, LDAP's GSS-SPNEGO and CredSSP. What deviates from the RFC,
//! and is taken here as Windows takes it:
//!
//! - A client that speaks nothing but NTLM leaves the wrapping out and sends the bare NTLM message, and then
//!   wants bare answers ([`Token::Ntlm`]). MS-SPNG section 3.2.5.2 calls it universal receiver.
//! - The first token may be a Kerberos one without wrapping ([`Token::Kerberos`]).
//! - Windows writes Kerberos's identifier twice, once with a wrong number (1.2.840.48018.1.2.2, a 16-bit
//!   overflow in Windows 2000), and prefers the wrong one.
//! - The server speaks first in SMB: NegTokenInit2 with a hint that says to ignore it (MS-SPNG section 2.2.1).
//! - Where the first mechanism of the client's list is not ours, its token is not looked at, and the answer
//!   names the mechanism we want; its first message comes in the next token.

use crate::asn1::{Class, Error, Oid, Reader, Tag, Writer};

/// A mechanism.
pub mod mechanism {
    /// SPNEGO itself.
    pub const SPNEGO: &[u32] = &[1, 3, 6, 1, 5, 5, 2];
    /// NTLM.
    pub const NTLM: &[u32] = &[1, 3, 6, 1, 4, 1, 311, 2, 2, 10];
    /// Extended negotiation, which Windows lists first.
    pub const NEGOEX: &[u32] = &[1, 3, 6, 1, 4, 1, 311, 2, 2, 30];
    /// Kerberos as Windows 2000 wrote it.
    pub const KERBEROS_MICROSOFT: &[u32] = &[1, 2, 840, 48_018, 1, 2, 2];
    /// Kerberos.
    pub const KERBEROS: &[u32] = &[1, 2, 840, 113_554, 1, 2, 2];
    /// Kerberos between users.
    pub const KERBEROS_USER_TO_USER: &[u32] = &[1, 2, 840, 113_554, 1, 2, 2, 3];
}

/// The hint of NegTokenInit2, word for word (MS-SPNG section 2.2.1).
const HINT: &[u8] = b"not_defined_in_RFC4178@please_ignore";
/// The most mechanisms of a list that are kept; real lists have at most five.
pub const MAX_MECHANISMS: usize = 16;

const GENERAL_STRING: Tag = Tag::universal(27);

/// How far the negotiation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The client is who it says.
    AcceptCompleted,
    /// Another token is due.
    AcceptIncomplete,
    /// It is over.
    Reject,
    /// Another token is due, and the integrity of the list must be shown.
    RequestMic,
    /// Another number.
    Unknown(i64),
}

impl State {
    fn number(self) -> i64 {
        match self {
            State::AcceptCompleted => 0,
            State::AcceptIncomplete => 1,
            State::Reject => 2,
            State::RequestMic => 3,
            State::Unknown(number) => number,
        }
    }

    fn of(number: i64) -> State {
        match number {
            0 => State::AcceptCompleted,
            1 => State::AcceptIncomplete,
            2 => State::Reject,
            3 => State::RequestMic,
            other => State::Unknown(other),
        }
    }
}

/// What a client opens with (NegTokenInit).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Init {
    /// What it can, best first; at most [`MAX_MECHANISMS`].
    pub mechanisms: Vec<Oid>,
    /// The first token of the first mechanism.
    pub token: Option<Vec<u8>>,
    /// The integrity code of the list.
    pub integrity_code: Option<Vec<u8>>,
}

impl Init {
    /// Whether the mechanism is in the list.
    pub fn offers(&self, mechanism: &[u32]) -> bool {
        self.mechanisms.iter().any(|own| own.arcs() == mechanism)
    }

    /// The token, where the first mechanism is this one.
    pub fn token_of(&self, mechanism: &[u32]) -> Option<&[u8]> {
        let first = self.mechanisms.first().is_some_and(|first| first.arcs() == mechanism);
        self.token.as_deref().filter(|_| first)
    }
}

/// What either side sends then (NegTokenResp).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// How far it is.
    pub state: Option<State>,
    /// The mechanism that the server took.
    pub mechanism: Option<Oid>,
    /// The mechanism's token.
    pub token: Option<Vec<u8>>,
    /// The integrity code of the list.
    pub integrity_code: Option<Vec<u8>>,
}

/// A client's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// An NTLM message without wrapping; the answer is bare, too.
    Ntlm,
    /// Kerberos without wrapping.
    Kerberos,
    /// The first one.
    Init(Init),
    /// A later one.
    Response(Response),
}

impl Token {
    /// Reads a token.
    ///
    /// # Errors
    /// It is none.
    pub fn read(bytes: &[u8]) -> Result<Token, Error> {
        if bytes.starts_with(crate::ntlm::SIGNATURE) {
            return Ok(Token::Ntlm);
        }
        let mut outer = Reader::new(bytes);
        let element = outer.element()?;
        match (element.tag.class, element.tag.number) {
            (Class::Application, 0) => {
                let mut inner = element.reader();
                let mechanism = inner.oid()?;
                match mechanism.arcs() {
                    mechanism::SPNEGO => Token::choice(&mut inner),
                    mechanism::KERBEROS | mechanism::KERBEROS_MICROSOFT => Ok(Token::Kerberos),
                    _ => Err(Error::BadOid),
                }
            }
            _ => Token::choice(&mut Reader::new(bytes)),
        }
    }

    /// NegotiationToken: [0] NegTokenInit, [1] NegTokenResp.
    fn choice(reader: &mut Reader<'_>) -> Result<Token, Error> {
        let element = reader.element()?;
        let mut fields = element.reader().sequence()?;
        match (element.tag.class, element.tag.number) {
            (Class::Context, 0) => Ok(Token::Init(init(&mut fields)?)),
            (Class::Context, 1) => Ok(Token::Response(response(&mut fields)?)),
            _ => Err(Error::Unexpected { found: element.tag, expected: Tag::context(0).holding_elements() }),
        }
    }
}

fn init(fields: &mut Reader<'_>) -> Result<Init, Error> {
    let mut out = Init::default();
    while !fields.is_empty() {
        let field = fields.element()?;
        let mut value = field.reader();
        match field.tag.number {
            0 => {
                let mut list = value.sequence()?;
                while !list.is_empty() && out.mechanisms.len() < MAX_MECHANISMS {
                    out.mechanisms.push(list.oid()?);
                }
            }
            2 => out.token = Some(value.octets()?.to_vec()),
            // [3] is the code in the RFC, and hints in MS-SPNG, whose code is [4].
            3 if value.peek().is_some_and(|tag| tag.same_type(Tag::OCTET_STRING)) => {
                out.integrity_code = Some(value.octets()?.to_vec());
            }
            4 => out.integrity_code = Some(value.octets()?.to_vec()),
            _ => {}
        }
    }
    Ok(out)
}

fn response(fields: &mut Reader<'_>) -> Result<Response, Error> {
    let mut out = Response::default();
    while !fields.is_empty() {
        let field = fields.element()?;
        let mut value = field.reader();
        match field.tag.number {
            0 => out.state = Some(State::of(value.expect(Tag::ENUMERATED)?.signed()?)),
            1 => out.mechanism = Some(value.oid()?),
            2 => out.token = Some(value.octets()?.to_vec()),
            3 => out.integrity_code = Some(value.octets()?.to_vec()),
            _ => {}
        }
    }
    Ok(out)
}

fn context(number: u32) -> Tag {
    Tag::context(number).holding_elements()
}

impl Response {
    /// Asks for the next token: the mechanism taken and its answer, such as NTLM's challenge.
    pub fn incomplete(mechanism: &[u32], token: Option<Vec<u8>>) -> Response {
        Response {
            state: Some(State::AcceptIncomplete),
            mechanism: Some(Oid::new(mechanism)),
            token,
            integrity_code: None,
        }
    }

    /// The client is who it says.
    pub fn completed() -> Response {
        Response { state: Some(State::AcceptCompleted), ..Response::default() }
    }

    /// It is not.
    pub fn rejected() -> Response {
        Response { state: Some(State::Reject), ..Response::default() }
    }

    /// As bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.constructed(context(1), |choice| {
            choice.constructed(Tag::SEQUENCE, |fields| {
                if let Some(state) = self.state {
                    fields.constructed(context(0), |field| field.signed(Tag::ENUMERATED, state.number()));
                }
                if let Some(mechanism) = &self.mechanism {
                    fields.constructed(context(1), |field| field.oid(mechanism));
                }
                if let Some(token) = &self.token {
                    fields.constructed(context(2), |field| field.octets(Tag::OCTET_STRING, token));
                }
                if let Some(code) = &self.integrity_code {
                    fields.constructed(context(3), |field| field.octets(Tag::OCTET_STRING, code));
                }
            });
        });
        writer.into_bytes()
    }
}

/// What a server offers before the client speaks (NegTokenInit2): its mechanisms, best first. `hint`: with
/// the hint of Windows since Vista and of Samba.
pub fn offer(mechanisms: &[&[u32]], hint: bool) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.constructed(Tag::application(0).holding_elements(), |token| {
        token.oid(&Oid::new(mechanism::SPNEGO));
        token.constructed(context(0), |choice| {
            choice.constructed(Tag::SEQUENCE, |fields| {
                fields.constructed(context(0), |field| {
                    field.constructed(Tag::SEQUENCE, |list| {
                        mechanisms.iter().for_each(|mechanism| list.oid(&Oid::new(mechanism)));
                    });
                });
                if hint {
                    fields.constructed(context(3), |field| {
                        field.constructed(Tag::SEQUENCE, |hints| {
                            hints.constructed(context(0), |name| name.octets(GENERAL_STRING, HINT));
                        });
                    });
                }
            });
        });
    });
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a browser of Windows sends that has no ticket: NTLM first, its first message within.
    const BROWSER: &[u8] =
        b"\x60\x40\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x36\x30\x34\xa0\x0e\x30\x0c\x06\x0a\
        \x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a\xa2\x22\x04\x20NTLMSSP\0\x01\0\0\0\x97\x82\x08\xe2\
        \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    #[test]
    fn first_tokens_are_read() {
        let Token::Init(init) = Token::read(BROWSER).unwrap() else { panic!("no first token") };
        assert!(init.offers(mechanism::NTLM) && !init.offers(mechanism::KERBEROS));
        assert!(init.token_of(mechanism::NTLM).unwrap().starts_with(b"NTLMSSP\0\x01"));
        assert_eq!(init.token_of(mechanism::KERBEROS), None);
        assert_eq!(Token::read(b"NTLMSSP\0\x01").unwrap(), Token::Ntlm);
        let kerberos = b"\x60\x0d\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00";
        assert_eq!(Token::read(kerberos).unwrap(), Token::Kerberos);
        assert!(Token::read(b"").is_err());
    }

    #[test]
    fn answers_are_those_of_windows() {
        assert_eq!(Response::completed().write(), b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00");
        assert_eq!(Response::rejected().write(), b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\x02");
        let challenge = Response::incomplete(mechanism::NTLM, Some(b"NTLMSSP\0\x02".to_vec()));
        let bytes = challenge.write();
        assert_eq!(
            bytes,
            b"\xa1\x22\x30\x20\xa0\x03\x0a\x01\x01\xa1\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a\
              \xa2\x0b\x04\x09NTLMSSP\0\x02"
                .to_vec()
        );
        assert_eq!(Token::read(&bytes).unwrap(), Token::Response(challenge));
    }

    /// The offer in the SMB negotiate answer of a Windows 10 machine of no domain.
    #[test]
    fn the_offer_is_that_of_windows() {
        let bytes = offer(&[mechanism::NEGOEX, mechanism::NTLM], false);
        assert_eq!(
            bytes,
            b"\x60\x28\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x1e\x30\x1c\xa0\x1a\x30\x18\x06\x0a\x2b\x06\x01\x04\x01\
              \x82\x37\x02\x02\x1e\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"
        );
        let hinted = offer(&[mechanism::NTLM], true);
        assert!(hinted.ends_with(b"\xa3\x2a\x30\x28\xa0\x26\x1b\x24not_defined_in_RFC4178@please_ignore"));
        let Token::Init(init) = Token::read(&hinted).unwrap() else { panic!("no offer") };
        assert_eq!((init.mechanisms.len(), init.integrity_code), (1, None));
    }

    #[test]
    fn lists_are_kept_only_so_far() {
        let many = vec![mechanism::NTLM; 100];
        let Token::Init(init) = Token::read(&offer(&many, false)).unwrap() else { panic!("no offer") };
        assert_eq!(init.mechanisms.len(), MAX_MECHANISMS);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(
            bytes in proptest::collection::vec(any::<u8>(), 0..120),
            at in 0usize..66,
            byte in any::<u8>(),
        ) {
            let _ = Token::read(&bytes);
            let mut changed = BROWSER.to_vec();
            changed[at] = byte;
            let _ = Token::read(&changed);
        }
    }
}

//! PRELOGIN (section 2.2.6.5): what client and server agree on before the login.

use super::Unparsed;

/// Options by their token.
mod option {
    pub(super) const VERSION: u8 = 0x00;
    pub(super) const ENCRYPTION: u8 = 0x01;
    pub(super) const INSTANCE: u8 = 0x02;
    pub(super) const THREAD: u8 = 0x03;
    pub(super) const MARS: u8 = 0x04;
    pub(super) const TRACE: u8 = 0x05;
    pub(super) const FEDERATED: u8 = 0x06;
    pub(super) const NONCE: u8 = 0x07;
    pub(super) const END: u8 = 0xff;
}

/// Options that are read of one message; the protocol has eight.
const MOST_OPTIONS: usize = 16;

/// What is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Encryption {
    /// The login alone.
    Off,
    /// Everything.
    On,
    /// Nothing: one side cannot.
    NotSupported,
    /// Everything, or there is no conversation.
    Required,
    /// Not one of the protocol's.
    Unknown(u8),
}

impl Encryption {
    fn of(byte: u8) -> Encryption {
        match byte {
            0 => Encryption::Off,
            1 => Encryption::On,
            2 => Encryption::NotSupported,
            3 => Encryption::Required,
            // The high bits ask for a client certificate, which SQL Server has never taken.
            other => Encryption::Unknown(other),
        }
    }

    fn byte(self) -> u8 {
        match self {
            Encryption::Off => 0,
            Encryption::On => 1,
            Encryption::NotSupported => 2,
            Encryption::Required => 3,
            Encryption::Unknown(byte) => byte,
        }
    }

    /// What a server answers that is set so, and whether the conversation goes on (the table of
    /// section 2.2.6.5).
    pub(in super::super) fn answer(self, client: Encryption) -> (Encryption, bool) {
        match (self, client) {
            (Encryption::Off, Encryption::On | Encryption::Required) => (Encryption::On, true),
            (Encryption::Off, Encryption::NotSupported) => (Encryption::NotSupported, true),
            (Encryption::Off, _) => (Encryption::Off, true),
            (_, Encryption::On | Encryption::Required) => (Encryption::On, true),
            (_, Encryption::NotSupported) => (Encryption::Required, false),
            _ => (Encryption::Required, true),
        }
    }
}

/// What a client opens with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Prelogin {
    /// The options in the client's order, each with its data.
    pub(in super::super) options: Vec<(u8, Vec<u8>)>,
}

/// What the server says of itself.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Terms<'a> {
    /// Major, minor and build number.
    pub(in super::super) version: (u8, u8, u16),
    /// The negotiated encryption.
    pub(in super::super) encryption: Encryption,
    /// The name of the instance; what else a client asks for is refused with a 1.
    pub(in super::super) instance: &'a str,
}

impl Prelogin {
    /// Reads the option list.
    pub(in super::super) fn read(body: &[u8]) -> Result<Prelogin, Unparsed> {
        let mut options = Vec::new();
        let mut at = 0;
        loop {
            let token = *body.get(at).ok_or(Unparsed::Truncated("PRELOGIN"))?;
            if token == option::END {
                break;
            }
            if options.len() == MOST_OPTIONS {
                return Err(Unparsed::TooLarge("option list of PRELOGIN"));
            }
            let Some([oh, ol, lh, ll]) = body.get(at + 1..at + 5) else {
                return Err(Unparsed::Truncated("PRELOGIN"));
            };
            let offset = usize::from(u16::from_be_bytes([*oh, *ol]));
            let length = usize::from(u16::from_be_bytes([*lh, *ll]));
            let data = body.get(offset..offset + length).ok_or(Unparsed::OutOfRange("option of PRELOGIN"))?;
            options.push((token, data.to_vec()));
            at += 5;
        }
        Ok(Prelogin { options })
    }

    fn option(&self, token: u8) -> Option<&[u8]> {
        self.options.iter().find(|(other, _)| *other == token).map(|(_, data)| data.as_slice())
    }

    /// What the client wants encrypted. One that does not say cannot (section 3.3.5.1).
    pub(in super::super) fn encryption(&self) -> Encryption {
        let byte = self.option(option::ENCRYPTION).and_then(|data| data.first());
        byte.map_or(Encryption::NotSupported, |byte| Encryption::of(*byte))
    }

    /// The instance that the client asks for; empty for any.
    pub(in super::super) fn instance(&self) -> String {
        let data = self.option(option::INSTANCE).unwrap_or_default();
        let end = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
        String::from_utf8_lossy(&data[..end]).into_owned()
    }

    /// A line that tells clients apart: version, and the options in their order.
    pub(in super::super) fn fingerprint(&self) -> String {
        let version = match self.option(option::VERSION) {
            Some([major, minor, high, low, rest @ ..]) => {
                let sub = match rest {
                    [high, low, ..] => u16::from_be_bytes([*high, *low]),
                    _ => 0,
                };
                format!("{major}.{minor}.{}.{sub}", u16::from_be_bytes([*high, *low]))
            }
            _ => "-".to_owned(),
        };
        let options: Vec<String> =
            self.options.iter().map(|(token, data)| format!("{token}:{}", data.len())).collect();
        format!("{version} {} encryption={}", options.join(","), self.encryption().byte())
    }

    /// The server's answer: what the client asked, in the server's order, and nothing else.
    pub(in super::super) fn answer(&self, terms: Terms<'_>) -> Vec<u8> {
        let (major, minor, build) = terms.version;
        let [high, low] = build.to_be_bytes();
        let wanted = self.instance();
        let wrong = !wanted.is_empty()
            && !wanted.eq_ignore_ascii_case(terms.instance)
            && !wanted.eq_ignore_ascii_case("MSSQLServer");
        let known: [(u8, Vec<u8>); 7] = [
            (option::VERSION, vec![major, minor, high, low, 0, 0]),
            (option::ENCRYPTION, vec![terms.encryption.byte()]),
            (option::INSTANCE, vec![u8::from(wrong)]),
            // Both are for the client to tell; the server names them without data (observed).
            (option::THREAD, Vec::new()),
            (option::MARS, vec![u8::from(self.option(option::MARS) == Some(&[1]))]),
            (option::TRACE, Vec::new()),
            (option::FEDERATED, vec![0]),
        ];
        // VERSION must come, whatever the client sends; encryption is told to all who understand it.
        let asked: Vec<&(u8, Vec<u8>)> = known
            .iter()
            .filter(|(token, _)| *token <= option::ENCRYPTION || self.option(*token).is_some())
            .collect();
        let mut offset = asked.len() * 5 + 1;
        let mut head = Vec::new();
        let mut data = Vec::new();
        for (token, value) in asked {
            head.push(*token);
            head.extend((offset as u16).to_be_bytes());
            head.extend((value.len() as u16).to_be_bytes());
            offset += value.len();
            data.extend_from_slice(value);
        }
        head.push(option::END);
        head.extend(data);
        head
    }

    /// Whether it holds a nonce: a driver that knows federated authentication.
    pub(in super::super) fn has_nonce(&self) -> bool {
        self.option(option::NONCE).is_some()
    }
}

//! The little of nf_tables' netlink form that a reply-only namespace needs: attributes, expressions, and the
//! counters of rules read back. No I/O; reading is total on any bytes.

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
/// `NFPROTO_INET`: IPv4 and IPv6 in one table.
const INET: u8 = 1;
/// Netlink message header and `nfgenmsg`.
const HEADERS: usize = 16 + 4;

/// The kind of our mark among a rule's user data, which are kind, length and value: none that nft(8) knows.
const USER_KIND: u8 = 0x80;

/// `NLM_F_REQUEST`.
pub(super) const REQUEST: u16 = 0x001;
/// `NLM_F_ACK`.
pub(super) const ACK: u16 = 0x004;
/// `NLM_F_DUMP`.
pub(super) const DUMP: u16 = 0x300;
/// `NLM_F_CREATE`.
pub(super) const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`.
pub(super) const APPEND: u16 = 0x800;

/// `NLMSG_ERROR`.
pub(super) const ERROR: u16 = 2;
/// `NLMSG_DONE`.
pub(super) const DONE: u16 = 3;

/// What is asked of nf_tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// `NFT_MSG_NEWTABLE`
    NewTable = 0,
    /// `NFT_MSG_DELTABLE`
    DeleteTable = 2,
    /// `NFT_MSG_NEWCHAIN`
    NewChain = 3,
    /// `NFT_MSG_NEWRULE`
    NewRule = 6,
    /// `NFT_MSG_GETRULE`
    GetRule = 7,
}

/// Attributes, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes(Vec<u8>);

impl Attributes {
    /// None yet.
    pub(super) fn new() -> Attributes {
        Attributes::default()
    }

    /// One with these bytes.
    #[must_use]
    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Attributes {
        let length = 4 + value.len();
        // No attribute that is written here comes near 64 KiB.
        self.0.extend((length as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// One with a number, in the network's order as nf_tables has it.
    #[must_use]
    pub(super) fn number(self, kind: u16, value: u32) -> Attributes {
        self.bytes(kind, &value.to_be_bytes())
    }

    /// One with a text.
    #[must_use]
    pub(super) fn text(self, kind: u16, value: &str) -> Attributes {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// One that holds others (`NLA_F_NESTED`).
    #[must_use]
    pub(super) fn nested(self, kind: u16, inner: Attributes) -> Attributes {
        self.bytes(kind | 0x8000, &inner.0)
    }
}

/// A message of nf_tables.
pub(super) fn message(kind: Message, flags: u16, sequence: u32, attributes: &Attributes) -> Vec<u8> {
    write(SUBSYSTEM << 8 | kind as u16, flags | REQUEST, sequence, [INET, 0, 0, 0], &attributes.0)
}

/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`: what stands between them happens wholly or not at all.
pub(super) fn batch_edge(end: bool, sequence: u32) -> Vec<u8> {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    write(0x10 + u16::from(end), REQUEST, sequence, [0, 0, high, low], &[])
}

fn write(kind: u16, flags: u16, sequence: u32, generic: [u8; 4], attributes: &[u8]) -> Vec<u8> {
    let length = HEADERS + attributes.len();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0u32.to_ne_bytes());
    bytes.extend(generic);
    bytes.extend(attributes);
    bytes
}

/// A rule: expressions, and a mark by which it is found again.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    expressions: Attributes,
    mark: u8,
}

/// Verdicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// `NF_DROP`
    Drop = 0,
    /// `NF_ACCEPT`
    Accept = 1,
}

/// Where in a packet a field lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// `NFT_PAYLOAD_NETWORK_HEADER`
    Network = 1,
    /// `NFT_PAYLOAD_TRANSPORT_HEADER`
    Transport = 2,
}

/// Facts about a packet that stand in no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meta {
    /// `NFT_META_OIFNAME`, 16 bytes.
    OutputName = 7,
    /// `NFT_META_NFPROTO`, one byte: 2 is IPv4.
    Family = 15,
    /// `NFT_META_L4PROTO`, one byte.
    Protocol = 16,
}

impl Rule {
    /// One that matches everything and does nothing.
    pub(super) fn new(mark: u8) -> Rule {
        Rule { expressions: Attributes::new(), mark }
    }

    fn expression(mut self, name: &str, data: Attributes) -> Rule {
        let expression = Attributes::new().text(1, name).nested(2, data);
        self.expressions = self.expressions.nested(1, expression);
        self
    }

    /// Only packets whose register holds that.
    fn equals(self, value: &[u8]) -> Rule {
        let data = Attributes::new().bytes(1, value);
        self.expression("cmp", Attributes::new().number(1, 1).number(2, 0).nested(3, data))
    }

    /// Only packets of which that is true.
    pub(super) fn meta(self, key: Meta, value: &[u8]) -> Rule {
        self.expression("meta", Attributes::new().number(2, key as u32).number(1, 1)).equals(value)
    }

    /// Only packets with those bytes there.
    pub(super) fn payload(self, base: Base, offset: u32, value: &[u8]) -> Rule {
        self.load(base, offset, value.len() as u32).equals(value)
    }

    /// Only packets with those bits of the byte there.
    pub(super) fn bits(self, base: Base, offset: u32, mask: u8, value: u8) -> Rule {
        let data = |byte: u8| Attributes::new().bytes(1, &[byte]);
        let bitwise =
            Attributes::new().number(1, 1).number(2, 1).number(3, 1).nested(4, data(mask)).nested(5, data(0));
        self.load(base, offset, 1).expression("bitwise", bitwise).equals(&[value])
    }

    fn load(self, base: Base, offset: u32, length: u32) -> Rule {
        let payload =
            Attributes::new().number(1, 1).number(2, base as u32).number(3, offset).number(4, length);
        self.expression("payload", payload)
    }

    /// Only packets of a conversation that the other side began.
    pub(super) fn reply(self) -> Rule {
        // `NFT_CT_DIRECTION` is `IP_CT_DIR_REPLY`.
        self.expression("ct", Attributes::new().number(2, 1).number(1, 1)).equals(&[1])
    }

    /// Counts.
    pub(super) fn counted(self) -> Rule {
        let zero = 0u64.to_be_bytes();
        self.expression("counter", Attributes::new().bytes(1, &zero).bytes(2, &zero))
    }

    /// Ends the rule.
    pub(super) fn verdict(self, verdict: Verdict) -> Rule {
        let code = Attributes::new().number(1, verdict as u32);
        let data = Attributes::new().nested(2, code);
        self.expression("immediate", Attributes::new().number(1, 0).nested(2, data))
    }

    /// The rule's attributes, in a chain.
    pub(super) fn attributes(&self, table: &str, chain: &str) -> Attributes {
        Attributes::new()
            .text(1, table)
            .text(2, chain)
            .nested(4, self.expressions.clone())
            .bytes(7, &[USER_KIND, 1, self.mark])
    }
}

/// A message as it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// The kind.
    pub(super) kind: u16,
    /// The number of the question.
    pub(super) sequence: u32,
    /// What follows the header.
    pub(super) body: &'a [u8],
}

/// Splits what was received into messages; a truncated one ends it.
pub(super) fn answers(bytes: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?)).ok()?;
        let message = rest.get(..length).filter(|_| length >= 16)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Answer {
            kind: u16::from_ne_bytes(message.get(4..6)?.try_into().ok()?),
            sequence: u32::from_ne_bytes(message.get(8..12)?.try_into().ok()?),
            body: message.get(16..)?,
        })
    })
}

/// The error number of an answer of the kind [`ERROR`]; 0 is success.
pub(super) fn error_number(body: &[u8]) -> Option<i32> {
    Some(-i32::from_ne_bytes(body.get(..4)?.try_into().ok()?))
}

/// The mark of a rule and how many packets it has counted.
pub(super) fn count(body: &[u8]) -> Option<(u8, u64)> {
    let attributes = body.get(4..)?;
    let [USER_KIND, 1, mark] = *find(attributes, 7)? else { return None };
    let packets = each(find(attributes, 4)?).find_map(|(_, expression)| {
        let is_counter = find(expression, 1)?.starts_with(b"counter\0");
        let data = find(expression, 2).filter(|_| is_counter)?;
        Some(u64::from_be_bytes(find(data, 2)?.try_into().ok()?))
    })?;
    Some((mark, packets))
}

fn find(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    each(attributes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// Every attribute, without the two marks in its kind.
fn each(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?) & 0x3fff;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_rule_is_read_back() {
        let rule = Rule::new(7).meta(Meta::Protocol, &[6]).counted().verdict(Verdict::Drop);
        let bytes = message(Message::NewRule, CREATE, 3, &rule.attributes("t", "c"));
        let mut all = answers(&bytes);
        let answer = all.next().unwrap();
        assert_eq!((answer.kind, answer.sequence), (SUBSYSTEM << 8 | 6, 3));
        assert_eq!(count(answer.body), Some((7, 0)));
        assert!(all.next().is_none());
    }

    #[test]
    fn a_rule_without_a_counter_has_no_count() {
        let rule = Rule::new(1).verdict(Verdict::Accept);
        let bytes = message(Message::NewRule, 0, 1, &rule.attributes("t", "c"));
        assert_eq!(count(answers(&bytes).next().unwrap().body), None);
    }

    proptest! {
        #[test]
        fn any_answer(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            for answer in answers(&bytes) {
                let _ = (count(answer.body), error_number(answer.body));
            }
            let _ = count(&bytes);
        }
    }
}

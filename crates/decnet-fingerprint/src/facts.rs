//! What an operating system's packets look like: the data of a persona.
//!
//! One TOML file is one persona. `data/personas/` of this crate holds those that come with the program, and
//! they are the examples to write one's own by. Every field must be there; there are no defaults, because
//! a value that nobody looked up would be a wrong one.
//!
//! ```
//! let text = include_str!("../data/personas/windows-10.toml");
//! let facts = decnet_fingerprint::Facts::parse(text).expect("it is sound");
//! assert_eq!(facts.ttl, 128);
//! let wrong = text.replace("ttl = 128", "ttl = 0");
//! assert_eq!(decnet_fingerprint::Facts::parse(&wrong).unwrap_err().to_string(), "ttl is 0; it is 1 to 255");
//! ```

use serde::{Deserialize, Serialize};

use crate::options;

/// All facts of one persona.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Facts {
    /// Only in a file of one's own: the persona of the program whose systems and machines a decky shows in
    /// its services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Time to live of what it sends (TCP and UDP).
    pub ttl: u8,
    /// Whether its TCP segments say "don't fragment".
    pub tcp_dont_fragment: bool,
    /// Whether its datagrams do.
    pub udp_dont_fragment: bool,
    /// The identification of its packets.
    pub ip_id: IpIds,
    /// How it opens a TCP connection.
    pub tcp: Negotiation,
    /// Where its sequence numbers begin.
    pub initial_sequence: InitialSequence,
    /// What it answers to segments outside a connection.
    pub probes: Probes,
    /// Its ICMP errors; none: it sends none.
    pub unreachable: Option<Unreachable>,
    /// Its echo replies; none: it answers no ping.
    pub echo: Option<Echo>,
}

/// How packets are identified (RFC 791), by what they carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IpIds {
    /// Segments of a connection (nmap's TI).
    pub open: IpId,
    /// Resets (nmap's CI).
    pub reset: IpId,
    /// ICMP messages and datagrams (nmap's II).
    pub other: IpId,
}

/// One way to identify packets. All `counter`s of a machine are one and the same (nmap's SS=S).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IpId {
    /// Zero where the packet may not be fragmented at all.
    Zero,
    /// One more for each packet.
    Counter,
    /// Any.
    Random,
    /// More by a random step each time.
    RandomSteps,
}

/// How a TCP connection is opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Negotiation {
    /// The segment size that it announces.
    pub mss: Mss,
    /// Its window scale (RFC 7323); none: it does not know the option.
    pub window_scale: Option<u8>,
    /// Whether it knows selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Its timestamps (RFC 7323); none: it does not know the option.
    pub timestamps: Option<Timestamps>,
    /// Whether it agrees to explicit congestion notification (RFC 3168).
    pub ecn: bool,
    /// The order of its options.
    pub layout: Layouts,
    /// The window of its SYN and SYN-ACK.
    pub window: Window,
    /// How often it repeats a SYN-ACK that nobody acknowledges.
    pub syn_ack_retries: u8,
}

/// The segment size of a SYN-ACK. Never more than the network card takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Mss {
    /// Its own.
    Own(u16),
    /// Its own or the peer's, the smaller one.
    Smaller {
        /// Its own.
        own: u16,
        /// The peer's where the peer names none.
        default: u16,
    },
}

/// The clock behind timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Timestamps {
    /// Ticks per second, at most 1000.
    pub hz: u32,
    /// Where it begins.
    pub from: Epoch,
}

/// Where the clock behind timestamps begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Epoch {
    /// At the machine's boot, so that it tells the uptime.
    Boot,
    /// Anywhere, and elsewhere for each peer (Linux from 4.13 on).
    Peer,
    /// Anywhere, and elsewhere for each connection (FreeBSD, Linux from 6.11 on).
    Connection,
}

/// The layouts, by what both sides agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Layouts {
    /// Timestamps and selective acknowledgements.
    pub timestamps_and_sack: Layout,
    /// Timestamps alone.
    pub timestamps: Layout,
    /// Selective acknowledgements alone.
    pub sack: Layout,
    /// Neither.
    pub neither: Layout,
}

/// The order of options, a letter for each: `M` segment size, `W` window scale, `S` selective
/// acknowledgements permitted, `T` timestamps, `N` no operation, `L` end of the list. What stands in brackets
/// is left out where no window scale is agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Layout(pub String);

/// The window of a SYN-ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Window {
    /// Always the same.
    Fixed(u16),
    /// One with timestamps, another without.
    ByTimestamps {
        /// With timestamps.
        with: u16,
        /// Without.
        without: u16,
    },
    /// So many segments: of the announced size, less the 12 octets of timestamps.
    Segments(u16),
    /// Rounded up to whole segments.
    RoundedUp(u16),
    /// The same, but rounded down to whole segments of the peer's size where no scale is agreed on.
    RoundedDownUnscaled {
        /// The window.
        window: u16,
        /// Segments are taken for no smaller than this.
        smallest: u16,
    },
}

/// How initial sequence numbers follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum InitialSequence {
    /// By steps of a rate and a spread (nmap's ISR and SP are eight times these numbers).
    Spread {
        /// The binary logarithm of the mean step per second.
        rate: f64,
        /// The binary logarithm of the steps' standard deviation per second.
        deviation: f64,
    },
    /// By a clock that runs on its own (nmap's GCD is a multiple of the unit).
    Clock {
        /// The step of one tick.
        unit: u32,
        /// Ticks per second.
        hz: u32,
    },
    /// By a clock that a peer finds just as far on as the time since it last asked (nmap's SP is 0).
    Steady {
        /// The step of one tick.
        unit: u32,
        /// Ticks per second.
        hz: u32,
    },
}

/// What is answered to segments outside a connection, named after the probes of nmap that ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Probes {
    /// No ACK, SYN or FIN, to an open port (T2).
    pub null_to_open: Answer,
    /// SYN with FIN to an open port (T3).
    pub syn_fin_to_open: Answer,
    /// ACK to an open port (T4).
    pub ack_to_open: Answer,
    /// SYN to a closed port (T5).
    pub syn_to_closed: Answer,
    /// ACK to a closed port (T6).
    pub ack_to_closed: Answer,
    /// Neither ACK nor SYN, to a closed port (T7).
    pub null_to_closed: Answer,
}

/// An answer to a segment outside a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Answer {
    /// None.
    Silence,
    /// As to a plain SYN. Only for `syn-fin-to-open`.
    SynAck,
    /// A reset.
    Reset(Reset),
}

/// A reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Reset {
    /// Its sequence number.
    pub sequence: Sequence,
    /// Its acknowledgement number.
    pub acknowledgement: Acknowledgement,
    /// Whether it has the ACK flag.
    pub ack: bool,
    /// Whether it says "don't fragment".
    pub dont_fragment: bool,
    /// Its window.
    pub window: u16,
}

/// Where a reset's sequence number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sequence {
    /// Zero.
    Zero,
    /// The probe's acknowledgement number.
    ProbeAcknowledgement,
    /// The one after it.
    AfterProbeAcknowledgement,
}

/// Where a reset's acknowledgement number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acknowledgement {
    /// Zero.
    Zero,
    /// The probe's acknowledgement number.
    ProbeAcknowledgement,
    /// The probe's sequence number.
    ProbeSequence,
    /// What follows the probe: its sequence number, its data, SYN and FIN.
    ProbeEnd,
}

/// ICMP errors (RFC 792), for datagrams to closed ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Unreachable {
    /// Octets of the longest one, with its own header and what it quotes.
    pub longest: u16,
    /// Its time to live.
    pub ttl: u8,
    /// Its type of service.
    pub type_of_service: u8,
    /// Whether it says "don't fragment".
    pub dont_fragment: bool,
    /// The four octets that nothing is in, by RFC 792.
    pub unused: u32,
    /// The header checksum of the packet that it quotes.
    pub quoted_ip_checksum: Quoted,
    /// The checksum of the datagram that it quotes.
    pub quoted_udp_checksum: Quoted,
    /// How many one peer gets; none: one for each datagram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
}

/// A bound on how many ICMP errors one peer gets, which is what makes a UDP scan of such a system slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pace {
    /// So many at once after a pause.
    pub burst: u32,
    /// Then one in so many milliseconds.
    pub every_ms: u32,
}

/// How faithfully something is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quoted {
    /// As it came.
    Good,
    /// Zero.
    Zero,
    /// Something else.
    Bad,
}

/// Echo replies (RFC 792).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Echo {
    /// Their time to live.
    pub ttl: u8,
    /// Whether they say "don't fragment".
    pub dont_fragment: EchoFragment,
    /// Whether the code of the request comes back, or zero.
    pub keeps_code: bool,
    /// Whether the type of service of the request comes back, or zero.
    pub keeps_type_of_service: bool,
}

/// When an echo reply says "don't fragment".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EchoFragment {
    /// Never.
    Never,
    /// When the request does.
    AsAsked,
    /// Always.
    Always,
}

/// A persona that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// No TOML, or a field that is not there, unknown, or of another kind.
    #[error("{message}")]
    Form {
        /// What is wrong.
        message: String,
        /// Where, in bytes of the text.
        place: Option<std::ops::Range<usize>>,
    },
    /// A number out of its range.
    #[error("{field} is {value}; it is {range}")]
    Range {
        /// Which field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        range: &'static str,
    },
    /// A layout with something that is no option, or without one that it is for.
    #[error("layout {field} is `{layout}`: {flaw}")]
    Layout {
        /// Which.
        field: &'static str,
        /// What it says.
        layout: String,
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// `syn-ack` where it cannot be.
    #[error("{0} cannot be `syn-ack`; only `syn-fin-to-open` can")]
    SynAck(&'static str),
}

impl Facts {
    /// Reads a persona.
    ///
    /// # Errors
    /// The text is no persona, or one that cannot be.
    pub fn parse(text: &str) -> Result<Facts, FactsError> {
        let facts: Facts = toml::from_str(text)
            .map_err(|error| FactsError::Form { message: error.message().to_owned(), place: error.span() })?;
        facts.check()?;
        Ok(facts)
    }

    fn check(&self) -> Result<(), FactsError> {
        let range = |ok: bool, field, value: String, range| match ok {
            true => Ok(()),
            false => Err(FactsError::Range { field, value, range }),
        };
        range(self.ttl > 0, "ttl", self.ttl.to_string(), "1 to 255")?;
        let tcp = &self.tcp;
        let (own, default) = match tcp.mss {
            Mss::Own(own) => (own, own),
            Mss::Smaller { own, default } => (own, default),
        };
        for mss in [own, default] {
            range((64..=9000).contains(&mss), "tcp.mss", mss.to_string(), "64 to 9000")?;
        }
        if let Some(scale) = tcp.window_scale {
            let ok = scale <= options::LARGEST_SCALE;
            range(ok, "tcp.window-scale", scale.to_string(), "0 to 14")?;
        }
        if let Some(Timestamps { hz, .. }) = tcp.timestamps {
            range((1..=1000).contains(&hz), "tcp.timestamps.hz", hz.to_string(), "1 to 1000")?;
        }
        let retries = tcp.syn_ack_retries;
        range(retries <= 10, "tcp.syn-ack-retries", retries.to_string(), "0 to 10")?;
        match self.initial_sequence {
            InitialSequence::Spread { rate, deviation } => {
                for (field, value) in
                    [("initial-sequence.spread.rate", rate), ("initial-sequence.spread.deviation", deviation)]
                {
                    range((0.0..=40.0).contains(&value), field, value.to_string(), "0 to 40")?;
                }
            }
            InitialSequence::Clock { hz, .. } | InitialSequence::Steady { hz, .. } => {
                let ok = (1..=1_000_000).contains(&hz);
                range(ok, "initial-sequence.clock.hz", hz.to_string(), "1 to 1000000")?;
            }
        }
        if let Some(Pace { burst, every_ms }) = self.unreachable.and_then(|unreachable| unreachable.pace) {
            let ok = (1..=1000).contains(&burst);
            range(ok, "unreachable.pace.burst", burst.to_string(), "1 to 1000")?;
            let ok = (1..=60_000).contains(&every_ms);
            range(ok, "unreachable.pace.every-ms", every_ms.to_string(), "1 to 60000")?;
        }
        if let Some(Unreachable { longest, ttl, .. }) = self.unreachable {
            range(longest >= 56, "unreachable.longest", longest.to_string(), "56 or more")?;
            range(ttl > 0, "unreachable.ttl", ttl.to_string(), "1 to 255")?;
        }
        if let Some(Echo { ttl, .. }) = self.echo {
            range(ttl > 0, "echo.ttl", ttl.to_string(), "1 to 255")?;
        }
        let probes = &self.probes;
        for (field, answer) in [
            ("null-to-open", probes.null_to_open),
            ("ack-to-open", probes.ack_to_open),
            ("syn-to-closed", probes.syn_to_closed),
            ("ack-to-closed", probes.ack_to_closed),
            ("null-to-closed", probes.null_to_closed),
        ] {
            if answer == Answer::SynAck {
                return Err(FactsError::SynAck(field));
            }
        }
        self.check_layouts()
    }

    fn check_layouts(&self) -> Result<(), FactsError> {
        let Layouts { timestamps_and_sack, timestamps, sack, neither } = &self.tcp.layout;
        for (field, layout, with_timestamps, with_sack) in [
            ("timestamps-and-sack", timestamps_and_sack, true, true),
            ("timestamps", timestamps, true, false),
            ("sack", sack, false, true),
            ("neither", neither, false, false),
        ] {
            let text = layout.0.as_str();
            let wrong = |flaw| Err(FactsError::Layout { field, layout: text.to_owned(), flaw });
            let count = |letter: char| text.chars().filter(|one| *one == letter).count();
            if text.chars().any(|letter| !"MWSTNL()".contains(letter)) {
                return wrong("only M W S T N L ( ) can stand in it");
            }
            // A layout that is never asked for (no timestamps in this system) has to be sound all the same.
            let needs_timestamps = with_timestamps && self.tcp.timestamps.is_some();
            let needs_sack = with_sack && self.tcp.sack;
            if count('M') != 1 {
                return wrong("M stands in it once");
            }
            if count('T') > 1 || (needs_timestamps && count('T') == 0) || (!with_timestamps && count('T') > 0)
            {
                return wrong("T stands in it once where timestamps are agreed on, else not");
            }
            if count('S') > 1 || (needs_sack && count('S') == 0) || (!with_sack && count('S') > 0) {
                return wrong("S stands in it once where selective acknowledgements are agreed on, else not");
            }
            let block = text.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
            let bracketed = block.is_some_and(|(block, _)| block.contains('W'));
            if count('(') != count(')') || count('(') > 1 || count('W') > 1 || (count('W') == 1 && !bracketed)
            {
                return wrong("W stands in brackets, and there is one pair of them");
            }
            if self.tcp.window_scale.is_some() && count('W') == 0 {
                return wrong("W is missing, and the system has a window scale");
            }
            let octets: usize = text
                .chars()
                .map(|letter| match letter {
                    'M' => 4,
                    'W' => 3,
                    'S' => 2,
                    'T' => 10,
                    'N' | 'L' => 1,
                    _ => 0,
                })
                .sum();
            if octets > options::MOST {
                return wrong("it takes more than 40 octets");
            }
        }
        Ok(())
    }
}

//! TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018): reading them, and laying them out as an operating
//! system does.

use crate::bytes::{put, u8_at, u16_at};
use crate::header::Tcp;

/// The most octets that options can take.
pub(crate) const MOST: usize = 40;
/// The largest window scale (RFC 7323 section 2.3).
pub(crate) const LARGEST_SCALE: u8 = 14;

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// Where the options of a segment stand, and what some of them say. Places are those of the option's kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) mss: Option<(usize, u16)>,
    pub(crate) window_scale: Option<(usize, u8)>,
    pub(crate) sack_permitted: Option<usize>,
    pub(crate) timestamps: Option<usize>,
    /// The first block, and how many there are.
    pub(crate) sack_blocks: Option<(usize, usize)>,
}

impl Options {
    /// Reads them up to the first that is malformed. Of an option that stands twice the last counts, as in
    /// the kernel.
    pub(crate) fn of(buffer: &[u8], tcp: &Tcp) -> Options {
        let mut options = Options::default();
        let mut at = tcp.options;
        while at < tcp.data {
            let kind = u8_at(buffer, at);
            if kind == END {
                break;
            }
            if kind == NOP {
                at += 1;
                continue;
            }
            let length = usize::from(u8_at(buffer, at + 1));
            if at + 1 >= tcp.data || length < 2 || at + length > tcp.data {
                break;
            }
            match (kind, length) {
                (MSS, 4) => options.mss = Some((at, u16_at(buffer, at + 2))),
                (WINDOW_SCALE, 3) => {
                    options.window_scale = Some((at, u8_at(buffer, at + 2).min(LARGEST_SCALE)));
                }
                (SACK_PERMITTED, 2) => options.sack_permitted = Some(at),
                (TIMESTAMPS, 10) => options.timestamps = Some(at),
                (SACK, 10 | 18 | 26 | 34) => options.sack_blocks = Some((at + 2, (length - 2) / 8)),
                _ => {}
            }
            at += length;
        }
        options
    }
}

/// What the options of a SYN say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) mss: u16,
    pub(crate) window_scale: Option<u8>,
    pub(crate) sack: bool,
    /// The value, and the echo of the peer's.
    pub(crate) timestamps: Option<(u32, u32)>,
}

/// Writes an offer by a layout (see [`crate::facts::Layout`]); returns the octets, a multiple of four.
pub(crate) fn lay_out(layout: &str, offer: &Offer) -> ([u8; MOST], usize) {
    let mut octets = [0; MOST];
    let mut length = 0;
    let mut in_scale_block = false;
    for letter in layout.bytes() {
        match letter {
            b'(' => in_scale_block = true,
            b')' => in_scale_block = false,
            _ if in_scale_block && offer.window_scale.is_none() => {}
            b'M' => {
                let [high, low] = offer.mss.to_be_bytes();
                put(&mut octets, length, &[MSS, 4, high, low]);
                length += 4;
            }
            b'N' => {
                put(&mut octets, length, &[NOP]);
                length += 1;
            }
            b'L' => length += 1,
            b'W' => {
                put(&mut octets, length, &[WINDOW_SCALE, 3, offer.window_scale.unwrap_or_default()]);
                length += 3;
            }
            b'S' => {
                put(&mut octets, length, &[SACK_PERMITTED, 2]);
                length += 2;
            }
            b'T' => {
                let (value, echo) = offer.timestamps.unwrap_or_default();
                put(&mut octets, length, &[TIMESTAMPS, 10]);
                put(&mut octets, length + 2, &value.to_be_bytes());
                put(&mut octets, length + 6, &echo.to_be_bytes());
                length += 10;
            }
            _ => {}
        }
    }
    // What is left of the last word is "end of options", which is zero.
    (octets, length.next_multiple_of(4).min(MOST))
}

//! The wire: packets, and what stands in them. No sockets, no clocks, no randomness.
//!
//! Source: "Client/Server Protocol" of the MySQL internals manual and of MariaDB's knowledge base, compared
//! with captures of MariaDB 10.11.

mod execute;
mod handshake;
mod reply;

pub(crate) use execute::{Execute, Parameter};
pub(crate) use handshake::{ChangeUser, Greeting, Login, Opening, capability, extended};
pub(crate) use reply::{Column, Status, flag, kind};
pub(crate) use reply::{binary_row, column, eof, error, float, ok, switch, text_row};

/// The largest payload of one packet; longer ones go on in the next.
pub(crate) const PACKET: usize = 0xff_ffff;

/// What the framer found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A packet, its pieces joined.
    Packet {
        /// The sequence number of its last piece.
        sequence: u8,
        /// What stands in it.
        payload: Vec<u8>,
    },
    /// A packet with another number than the next.
    OutOfOrder,
    /// A packet longer than is taken.
    TooLarge(usize),
}

/// Cuts bytes into packets.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    buffer: Vec<u8>,
}

impl Framer {
    /// Takes bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The bytes that are no packet yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer
    }

    /// The next packet, which must bear the number `expected` and be no longer than `bound`.
    pub(crate) fn next(&mut self, expected: u8, bound: usize) -> Option<Frame> {
        let mut at = 0;
        let mut sequence = expected;
        let mut total = 0usize;
        loop {
            let head = self.buffer.get(at..at + 4)?;
            let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
            if head[3] != sequence {
                return Some(Frame::OutOfOrder);
            }
            total += length;
            if total > bound {
                return Some(Frame::TooLarge(total));
            }
            at += 4;
            self.buffer.get(at..at + length)?;
            at += length;
            if length < PACKET {
                break;
            }
            sequence = sequence.wrapping_add(1);
        }
        let taken: Vec<u8> = self.buffer.drain(..at).collect();
        let mut payload = Vec::with_capacity(total);
        let mut rest = taken.as_slice();
        while let [a, b, c, _, tail @ ..] = rest {
            let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
            let (piece, next) = tail.split_at(length.min(tail.len()));
            payload.extend_from_slice(piece);
            rest = next;
        }
        Some(Frame::Packet { sequence, payload })
    }
}

/// Writes a payload as packets, numbered from `sequence`; gives the number of the next.
pub(crate) fn packet(out: &mut Vec<u8>, mut sequence: u8, payload: &[u8]) -> u8 {
    let mut rest = payload;
    loop {
        let (piece, next) = rest.split_at(rest.len().min(PACKET));
        out.extend_from_slice(&(piece.len() as u32).to_le_bytes()[..3]);
        out.push(sequence);
        out.extend_from_slice(piece);
        sequence = sequence.wrapping_add(1);
        // A full piece is followed by another, also by an empty one.
        if piece.len() < PACKET {
            return sequence;
        }
        rest = next;
    }
}

/// Writes a length-encoded number.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u64) {
    let bytes = number.to_le_bytes();
    match number {
        0..=250 => out.push(bytes[0]),
        251..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Writes a length-encoded text.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Reads from the front of a payload; `None` where it is too short.
pub(crate) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// So many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A number of `count` bytes, at most 8, the lowest first.
    pub(crate) fn number(&mut self, count: usize) -> Option<u64> {
        Some(self.take(count)?.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Bytes up to a NUL, which is taken too.
    pub(crate) fn until_nul(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let text = self.take(end)?;
        self.byte()?;
        Some(text)
    }

    /// A length-encoded number.
    pub(crate) fn length(&mut self) -> Option<u64> {
        match self.byte()? {
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            0xfb | 0xff => None,
            small => Some(u64::from(small)),
        }
    }

    /// A length-encoded text.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.length()?).ok()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn long_payloads_go_on_in_the_next_packet() {
        let payload = vec![7; PACKET];
        let mut out = Vec::new();
        assert_eq!(packet(&mut out, 3, &payload), 5);
        assert_eq!(out.len(), PACKET + 8);
        let mut framer = Framer::default();
        framer.push(&out[..100]);
        assert_eq!(framer.next(3, usize::MAX), None);
        framer.push(&out[100..]);
        assert_eq!(framer.next(3, usize::MAX), Some(Frame::Packet { sequence: 4, payload }));
        assert!(framer.rest().is_empty());
    }

    #[test]
    fn numbers_and_sizes_are_held() {
        let mut framer = Framer::default();
        framer.push(b"GET / HTTP/1.0\r\n\r\n");
        assert_eq!(framer.next(1, 1024), Some(Frame::OutOfOrder));
        let mut framer = Framer::default();
        framer.push(&[0xff, 0xff, 0x0f, 1]);
        assert_eq!(framer.next(1, 1024), Some(Frame::TooLarge(0x0f_ffff)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(payload in prop::collection::vec(any::<u8>(), 0..600), number in any::<u64>()) {
            let mut out = Vec::new();
            packet(&mut out, 0, &payload);
            let mut framer = Framer::default();
            for byte in &out {
                framer.push(&[*byte]);
            }
            prop_assert_eq!(framer.next(0, 1 << 20), Some(Frame::Packet { sequence: 0, payload: payload.clone() }));
            let mut text = Vec::new();
            put_number(&mut text, number);
            put_text(&mut text, &payload);
            let mut reader = Reader(&text);
            prop_assert_eq!(reader.length(), Some(number));
            prop_assert_eq!(reader.text(), Some(payload.as_slice()));
        }

        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..400), sequence in any::<u8>()) {
            let mut framer = Framer::default();
            framer.push(&bytes);
            while let Some(Frame::Packet { .. }) = framer.next(sequence, 4096) {}
            let _ = Login::read(&bytes);
            let _ = Opening::read(&bytes);
            let _ = ChangeUser::read(&bytes, u32::MAX);
            let _ = Execute::read(&bytes, 3, None);
        }
    }
}

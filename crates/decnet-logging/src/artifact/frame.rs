//! The datagrams that carry an artifact from a service to the collector. A report is a JSON object and
//! begins with `{`; a frame begins with a control character that no JSON text can begin with (RFC 8259
//! section 2). Numbers are big-endian.
//!
//! ```text
//! 01 id(8) source(16)        begin; the source as IPv6, IPv4 mapped (RFC 4291 section 2.5.5.2)
//! 02 id(8) bytes…            1 to 16384 bytes, in order
//! 03 id(8) size(8)           end, after so many bytes
//! 04 id(8)                   given up
//! ```

use std::net::{IpAddr, Ipv6Addr};

use super::CHUNK_LIMIT;

const BEGIN: u8 = 1;
const CHUNK: u8 = 2;
const END: u8 = 3;
const ABORT: u8 = 4;

/// One step of one artifact. `id` tells the artifacts of one socket apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// An artifact begins, of that source. An unfinished one with the same id is thrown away.
    Begin {
        /// Which.
        id: u64,
        /// Who gives it.
        source: IpAddr,
    },
    /// Its next bytes.
    Chunk {
        /// Which.
        id: u64,
        /// At least 1, at most [`CHUNK_LIMIT`].
        bytes: &'a [u8],
    },
    /// That was all.
    End {
        /// Which.
        id: u64,
        /// How many bytes there were: another number, and some were lost on the way.
        size: u64,
    },
    /// It is not to be kept.
    Abort {
        /// Which.
        id: u64,
    },
}

/// Whether a datagram wants to be a frame.
pub fn is_frame(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(BEGIN..=ABORT))
}

/// Reads a datagram. None for one that is no frame.
pub fn decode(datagram: &[u8]) -> Option<Frame<'_>> {
    let (kind, rest) = datagram.split_first()?;
    let (id, rest) = rest.split_first_chunk::<8>()?;
    let id = u64::from_be_bytes(*id);
    Some(match *kind {
        BEGIN => {
            let source = Ipv6Addr::from(<[u8; 16]>::try_from(rest).ok()?);
            let source = source.to_ipv4_mapped().map_or(IpAddr::V6(source), IpAddr::V4);
            Frame::Begin { id, source }
        }
        CHUNK if (1..=CHUNK_LIMIT).contains(&rest.len()) => Frame::Chunk { id, bytes: rest },
        END => Frame::End { id, size: u64::from_be_bytes(rest.try_into().ok()?) },
        ABORT if rest.is_empty() => Frame::Abort { id },
        _ => return None,
    })
}

/// Writes a frame. Bytes past [`CHUNK_LIMIT`] are for the next one: the writer never gives more.
pub fn encode(frame: &Frame<'_>) -> Vec<u8> {
    let head = |kind: u8, id: u64, room: usize| {
        let mut datagram = Vec::with_capacity(9 + room);
        datagram.push(kind);
        datagram.extend_from_slice(&id.to_be_bytes());
        datagram
    };
    match *frame {
        Frame::Begin { id, source } => {
            let mut datagram = head(BEGIN, id, 16);
            let source = match source {
                IpAddr::V4(source) => source.to_ipv6_mapped(),
                IpAddr::V6(source) => source,
            };
            datagram.extend_from_slice(&source.octets());
            datagram
        }
        Frame::Chunk { id, bytes } => {
            let mut datagram = head(CHUNK, id, bytes.len());
            datagram.extend_from_slice(bytes);
            datagram
        }
        Frame::End { id, size } => {
            let mut datagram = head(END, id, 8);
            datagram.extend_from_slice(&size.to_be_bytes());
            datagram
        }
        Frame::Abort { id } => head(ABORT, id, 0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(id in any::<u64>(), source in any::<IpAddr>(), size in any::<u64>(),
                                   bytes in proptest::collection::vec(any::<u8>(), 1..3000)) {
            // A mapped address is the IPv4 address that it maps.
            let source = match source {
                IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(source, IpAddr::V4),
                v4 => v4,
            };
            for frame in [
                Frame::Begin { id, source },
                Frame::Chunk { id, bytes: &bytes },
                Frame::End { id, size },
                Frame::Abort { id },
            ] {
                let datagram = encode(&frame);
                prop_assert!(is_frame(&datagram));
                prop_assert_eq!(decode(&datagram), Some(frame));
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&datagram).is_err());
            }
        }

        #[test]
        fn no_datagram_makes_it_panic(datagram in proptest::collection::vec(any::<u8>(), 0..64), kind in 0u8..6) {
            let _ = decode(&datagram);
            let mut datagram = datagram;
            datagram.insert(0, kind);
            if let Some(frame) = decode(&datagram) {
                prop_assert_eq!(encode(&frame).len(), datagram.len());
            }
        }
    }

    #[test]
    fn a_chunk_is_bounded_and_not_empty() {
        let chunk = |length| encode(&Frame::Chunk { id: 1, bytes: &vec![0; length] });
        assert!(decode(&chunk(CHUNK_LIMIT)).is_some());
        assert!(decode(&chunk(CHUNK_LIMIT + 1)).is_none());
        assert!(decode(&chunk(0)).is_none());
        assert!(!is_frame(b"{\"event\":1}") && !is_frame(b"") && !is_frame(b"\t{}"));
    }
}

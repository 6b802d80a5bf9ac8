//! OP_COMPRESSED: zlib by flate2, which is here for other services, and snappy by the crate `snap` (no
//! dependencies). zstd has no compressor in pure Rust that stands beside the original; a server that is
//! configured for the other two is a usual one.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;

/// A compressor by its number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compressor {
    /// 0: as it is.
    Noop,
    /// 1.
    Snappy,
    /// 2.
    Zlib,
}

/// Why a body cannot be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnpackError {
    /// It is damaged.
    #[error("the compressed body is damaged")]
    Damaged,
    /// It unpacks to another length than it says. Past 7.0.27 and the like the product refuses it; before,
    /// more said than there is showed what lay in memory.
    #[error("{claimed} bytes are said, {real} there")]
    Length {
        /// Bytes that it says.
        claimed: usize,
        /// Bytes that there are.
        real: usize,
    },
}

impl Compressor {
    /// The names by which clients ask, in the order in which a server offers them.
    pub(crate) const OFFERED: [(&'static str, Compressor); 2] =
        [("snappy", Compressor::Snappy), ("zlib", Compressor::Zlib)];

    /// By number.
    pub(crate) fn of(number: u8) -> Option<Compressor> {
        match number {
            0 => Some(Compressor::Noop),
            1 => Some(Compressor::Snappy),
            2 => Some(Compressor::Zlib),
            _ => None,
        }
    }

    /// Its number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Compressor::Noop => 0,
            Compressor::Snappy => 1,
            Compressor::Zlib => 2,
        }
    }

    /// Unpacks a body that is said to be `claimed` bytes long; never more memory than `bound` and a little.
    ///
    /// # Errors
    /// [`UnpackError`].
    pub(crate) fn unpack(self, body: &[u8], claimed: usize, bound: usize) -> Result<Vec<u8>, UnpackError> {
        let unpacked = match self {
            Compressor::Noop => body.to_vec(),
            Compressor::Snappy => {
                let real = snap::raw::decompress_len(body).map_err(|_| UnpackError::Damaged)?;
                if real > bound {
                    return Err(UnpackError::Length { claimed, real });
                }
                snap::raw::Decoder::new().decompress_vec(body).map_err(|_| UnpackError::Damaged)?
            }
            Compressor::Zlib => {
                let mut out = Vec::new();
                let limit = claimed.min(bound) as u64 + 1;
                ZlibDecoder::new(body).take(limit).read_to_end(&mut out).map_err(|_| UnpackError::Damaged)?;
                out
            }
        };
        if unpacked.len() != claimed {
            return Err(UnpackError::Length { claimed, real: unpacked.len() });
        }
        Ok(unpacked)
    }

    /// Packs a body; none where that fails.
    pub(crate) fn pack(self, body: &[u8]) -> Option<Vec<u8>> {
        match self {
            Compressor::Noop => Some(body.to_vec()),
            Compressor::Snappy => snap::raw::Encoder::new().compress_vec(body).ok(),
            Compressor::Zlib => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(body).ok()?;
                encoder.finish().ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_packed_unpacks_and_bombs_do_not() {
        let body = vec![b'x'; 100_000];
        for compressor in [Compressor::Noop, Compressor::Snappy, Compressor::Zlib] {
            let packed = compressor.pack(&body).unwrap();
            assert_eq!(compressor.unpack(&packed, body.len(), 1 << 20).unwrap(), body);
            assert!(matches!(
                compressor.unpack(&packed, 10, 1 << 20),
                Err(UnpackError::Length { claimed: 10, .. })
            ));
            if compressor != Compressor::Noop {
                assert!(matches!(compressor.unpack(&packed, 1 << 30, 1000), Err(UnpackError::Length { .. })));
            }
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(number in 0u8..3, claimed in 0usize..5000,
                          body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(compressor) = Compressor::of(number) {
                let _ = compressor.unpack(&body, claimed, 4096);
            }
        }
    }
}

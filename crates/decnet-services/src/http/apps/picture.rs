//! Pictures of our own where a site shows one.

use std::io::Write as _;

/// A plain field of one colour (PNG, one byte per pixel).
pub(super) fn flat(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        out.extend_from_slice(&(data.len() as u32).to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(data);
        out.extend_from_slice(kind);
        out.extend_from_slice(data);
        out.extend_from_slice(&sum.sum().to_be_bytes());
    };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend_from_slice(&[8, 3, 0, 0, 0]);
    chunk(b"IHDR", &header);
    chunk(b"PLTE", &colour);
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    // Every row begins with its filter: none. Writing to memory does not fail.
    let _ = encoder.write_all(&vec![0; (width as usize + 1) * height as usize]);
    chunk(b"IDAT", &encoder.finish().unwrap_or_default());
    chunk(b"IEND", &[]);
    out
}

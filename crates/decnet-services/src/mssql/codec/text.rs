//! UTF-16 as the protocol has it.

/// Text as UTF-16, low byte first.
pub(in super::super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// The text of UTF-16 bytes; what is none becomes the replacement character, an odd last byte is left out.
pub(in super::super) fn utf16_lossy(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    String::from_utf16_lossy(&units)
}

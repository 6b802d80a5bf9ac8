//! Reading and writing network byte order, and the Internet checksum (RFC 1071, RFC 1624).
//!
//! Everything here is total: reading past the end gives zero, writing past it does nothing. So no packet,
//! however it is cut, can make the persona panic; callers check lengths where the difference matters.

/// The octet at `at`.
pub(crate) fn u8_at(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or_default()
}

/// The 16 bit number at `at`.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(octets) => u16::from_be_bytes(*octets),
        None => 0,
    }
}

/// The 32 bit number at `at`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    match bytes.get(at..).and_then(<[u8]>::first_chunk) {
        Some(octets) => u32::from_be_bytes(*octets),
        None => 0,
    }
}

/// Writes octets at `at`.
pub(crate) fn put(bytes: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..octets.len())) {
        place.copy_from_slice(octets);
    }
}

/// Writes octets at `at` and keeps the checksum at `checksum` right, where one is named (RFC 1624).
/// `base` is where the checksummed data begins.
pub(crate) fn patch(bytes: &mut [u8], base: usize, at: usize, octets: &[u8], checksum: Option<usize>) {
    if at < base || bytes.len() < at + octets.len() {
        return;
    }
    if let Some(place) = checksum {
        let mut sum = u32::from(!u16_at(bytes, place));
        for (offset, new) in octets.iter().enumerate() {
            let shift = if (at + offset - base).is_multiple_of(2) { 8 } else { 0 };
            let old = u16::from(u8_at(bytes, at + offset)) << shift;
            sum += u32::from(!old) + u32::from(u16::from(*new) << shift);
        }
        put(bytes, place, &finish(sum).to_be_bytes());
    }
    put(bytes, at, octets);
}

/// The sum of the data as 16 bit words, added to `sum`.
pub(crate) fn add(data: &[u8], mut sum: u32) -> u32 {
    let (words, odd) = data.as_chunks::<2>();
    for word in words {
        sum += u32::from(u16::from_be_bytes(*word));
    }
    if let [last] = odd {
        sum += u32::from(*last) << 8;
    }
    sum
}

/// Folds a sum into a checksum.
pub(crate) fn finish(mut sum: u32) -> u16 {
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_checksum_of_rfc_1071() {
        let data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(finish(add(&data, 0)), !0xddf2);
        assert_eq!(finish(add(&[0xff], 0)), !0xff00);
    }

    proptest! {
        /// Patching gives the checksum that summing anew gives; of the two zeroes either may come out.
        #[test]
        fn patching_is_summing_anew(
            mut data in proptest::collection::vec(any::<u8>(), 12..60),
            at in 0usize..70,
            octets in proptest::collection::vec(any::<u8>(), 0..10),
        ) {
            const PLACE: usize = 4;
            prop_assume!(at + octets.len() <= PLACE || at >= PLACE + 2);
            put(&mut data, PLACE, &[0, 0]);
            let sum = finish(add(&data, 0));
            put(&mut data, PLACE, &sum.to_be_bytes());
            patch(&mut data, 0, at, &octets, Some(PLACE));
            prop_assert!(matches!(finish(add(&data, 0)), 0 | 0xffff), "{data:?}");
            if at + octets.len() <= data.len() {
                prop_assert_eq!(&data[at..at + octets.len()], &octets[..]);
            }
        }

        #[test]
        fn nothing_is_read_or_written_past_the_end(
            mut data in proptest::collection::vec(any::<u8>(), 0..6),
            at in 0usize..10,
        ) {
            let before = data.clone();
            let _ = (u8_at(&data, at), u16_at(&data, at), u32_at(&data, at));
            put(&mut data, at, &[1, 2, 3, 4]);
            prop_assert!(at + 4 <= data.len() || data == before);
        }
    }
}

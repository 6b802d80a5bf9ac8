//! LZF, in which the product packs long strings of its dumps.

/// LZF as liblzf's lzf_c.c with a table of 2¹⁶ entries (the product's `ULTRA_FAST 0`, `VERY_FAST 1`);
/// `None` where it saves less than four bytes.
pub(super) fn compress(input: &[u8]) -> Option<Vec<u8>> {
    const BITS: u32 = 16;
    const MAX_OFFSET: usize = 1 << 13;
    const MAX_LENGTH: usize = (1 << 8) + (1 << 3);
    let limit = input.len() - 4;
    let mut table = vec![usize::MAX; 1 << BITS];
    let slot = |value: u32| {
        ((value >> (3 * 8 - BITS)).wrapping_sub(value.wrapping_mul(5)) & ((1 << BITS) - 1)) as usize
    };
    let mut out: Vec<u8> = vec![0];
    let mut literals = 0usize;
    let mut at = 0;
    let mut hash = u32::from(input[0]) << 8 | u32::from(input[1]);
    while at + 2 < input.len() {
        hash = hash << 8 | u32::from(input[at + 2]);
        let place = &mut table[slot(hash & 0x00ff_ffff)];
        let reference = std::mem::replace(place, at);
        let matches = reference != usize::MAX
            && reference > 0
            && at - reference - 1 < MAX_OFFSET
            && input[reference..reference + 3] == input[at..at + 3];
        if !matches {
            literals += 1;
            out.push(input[at]);
            at += 1;
            if literals == 32 {
                let run = out.len() - literals - 1;
                out[run] = (literals - 1) as u8;
                literals = 0;
                out.push(0);
            }
            if out.len() > limit {
                return None;
            }
            continue;
        }
        let offset = at - reference - 1;
        let most = (input.len() - at - 2).min(MAX_LENGTH);
        let mut run = 2;
        loop {
            run += 1;
            if run >= most || input.get(reference + run) != input.get(at + run) {
                break;
            }
        }
        if literals > 0 {
            let place = out.len() - literals - 1;
            out[place] = (literals - 1) as u8;
        } else {
            out.pop();
        }
        let stored = run - 2;
        if stored < 7 {
            out.push((offset >> 8) as u8 + ((stored as u8) << 5));
        } else {
            out.push((offset >> 8) as u8 + (7 << 5));
            out.push((stored - 7) as u8);
        }
        out.push(offset as u8);
        literals = 0;
        out.push(0);
        if out.len() > limit {
            return None;
        }
        // VERY_FAST: only the last two positions of a match are remembered.
        at += run;
        if at + 2 >= input.len() {
            break;
        }
        for back in (1..=2).rev() {
            let from = at - back;
            let value =
                u32::from(input[from]) << 16 | u32::from(input[from + 1]) << 8 | u32::from(input[from + 2]);
            table[slot(value)] = from;
        }
        hash = u32::from(input[at]) << 8 | u32::from(input[at + 1]);
    }
    for byte in &input[at.min(input.len())..] {
        literals += 1;
        out.push(*byte);
        if literals == 32 {
            let run = out.len() - literals - 1;
            out[run] = 31;
            literals = 0;
            out.push(0);
        }
    }
    if literals > 0 {
        let run = out.len() - literals - 1;
        out[run] = (literals - 1) as u8;
    } else {
        out.pop();
    }
    (out.len() <= limit).then_some(out)
}

/// Unpacks to exactly `length` bytes.
pub(super) fn decompress(input: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < input.len() {
        let control = usize::from(input[at]);
        at += 1;
        if control < 32 {
            out.extend_from_slice(input.get(at..=at + control)?);
            at += control + 1;
        } else {
            let mut run = control >> 5;
            if run == 7 {
                run += usize::from(*input.get(at)?);
                at += 1;
            }
            let back = ((control & 0x1f) << 8 | usize::from(*input.get(at)?)) + 1;
            at += 1;
            let from = out.len().checked_sub(back)?;
            for i in 0..run + 2 {
                let byte = *out.get(from + i)?;
                out.push(byte);
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn compression_comes_back(bytes in proptest::collection::vec(0u8..4, 21..2000)) {
            if let Some(packed) = compress(&bytes) {
                prop_assert_eq!(decompress(&packed, bytes.len()).unwrap(), bytes);
            }
        }

        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(out) = decompress(&bytes, 1000) {
                prop_assert_eq!(out.len(), 1000);
            }
        }
    }
}

//! HyperLogLog: strings with the product's dense form and header, so that GET shows what a real one does.

use crate::redis::codec::Reply;
use crate::redis::engine::{Answer, Call, Fault};

pub(super) const HANDLERS: super::Group = &[
    ("pfadd", pfadd),
    ("pfcount", pfcount),
    ("pfdebug", pfdebug),
    ("pfmerge", pfmerge),
    ("pfselftest", |_| Ok(Reply::OK)),
];

/// 2¹⁴ registers of 6 bits.
const REGISTERS: usize = 16_384;
const HEADER: usize = 16;
const DENSE: usize = HEADER + REGISTERS * 6 / 8;
const NOT_ONE: &str = "WRONGTYPE Key is not a valid HyperLogLog string value.";

type Registers = Vec<u8>;
/// The last count, little endian; the highest bit says that it is out of date.
type Cache = [u8; 8];
const STALE: Cache = [0, 0, 0, 0, 0, 0, 0, 0x80];

fn cache_of(bytes: &[u8]) -> Cache {
    bytes.get(8..16).and_then(|bytes| bytes.try_into().ok()).unwrap_or(STALE)
}

fn decode(bytes: &[u8]) -> Result<Registers, Fault> {
    if bytes.len() < HEADER || &bytes[..4] != b"HYLL" || bytes[4] > 1 {
        return Err(NOT_ONE.into());
    }
    let mut registers = vec![0u8; REGISTERS];
    let data = &bytes[HEADER..];
    if bytes[4] == 0 {
        if bytes.len() != DENSE {
            return Err(NOT_ONE.into());
        }
        for (at, register) in registers.iter_mut().enumerate() {
            let bit = at * 6;
            let low = u16::from(data[bit / 8]);
            let high = u16::from(data.get(bit / 8 + 1).copied().unwrap_or(0));
            *register = ((low | high << 8) >> (bit % 8) & 63) as u8;
        }
        return Ok(registers);
    }
    // Sparse: runs of zeros, long runs of zeros, runs of one value.
    let (mut at, mut i) = (0, 0);
    let corrupt = "INVALIDOBJ Corrupted HLL object detected";
    while i < data.len() {
        let byte = data[i];
        let (value, length) = if byte & 0xc0 == 0 {
            (0, usize::from(byte & 0x3f) + 1)
        } else if byte & 0xc0 == 0x40 {
            i += 1;
            let low = data.get(i).copied().ok_or(corrupt)?;
            (0, (usize::from(byte & 0x3f) << 8 | usize::from(low)) + 1)
        } else {
            (((byte >> 2) & 0x1f) + 1, usize::from(byte & 3) + 1)
        };
        let run = registers.get_mut(at..at + length).ok_or(corrupt)?;
        run.fill(value);
        at += length;
        i += 1;
    }
    if at == REGISTERS { Ok(registers) } else { Err(corrupt.into()) }
}

fn encode(registers: &[u8], cache: Cache) -> Vec<u8> {
    let mut sparse = [&b"HYLL\x01\0\0\0"[..], &cache].concat();
    let mut at = 0;
    while at < registers.len() {
        let value = registers[at];
        let run = registers[at..].iter().take_while(|other| **other == value).count();
        let run = match value {
            0 if run > 64 => {
                let run = run.min(16_384);
                sparse.push(0x40 | ((run - 1) >> 8) as u8);
                sparse.push((run - 1) as u8);
                run
            }
            0 => {
                sparse.push((run - 1) as u8);
                run
            }
            // A value that does not fit the sparse form makes the whole dense.
            33.. => {
                sparse.resize(usize::from(u16::MAX), 0);
                break;
            }
            value => {
                let run = run.min(4);
                sparse.push(0x80 | (value - 1) << 2 | (run - 1) as u8);
                run
            }
        };
        at += run;
    }
    // `hll-sparse-max-bytes`
    if sparse.len() <= 3000 + HEADER {
        return sparse;
    }
    let mut dense = vec![0u8; DENSE];
    dense[..8].copy_from_slice(b"HYLL\0\0\0\0");
    dense[8..HEADER].copy_from_slice(&cache);
    for (at, register) in registers.iter().enumerate() {
        let bit = at * 6;
        let value = u16::from(*register) << (bit % 8);
        dense[HEADER + bit / 8] |= value as u8;
        if let Some(byte) = dense.get_mut(HEADER + bit / 8 + 1) {
            *byte |= (value >> 8) as u8;
        }
    }
    dense
}

/// MurmurHash64A with the product's seed.
fn murmur(key: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = 0xadc8_3b19u64 ^ (key.len() as u64).wrapping_mul(M);
    let chunks = key.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        let mut k = u64::from_le_bytes(word).wrapping_mul(M);
        k ^= k >> 47;
        hash = (hash ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u64::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 47
}

fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let index = (hash & (REGISTERS as u64 - 1)) as usize;
    let rest = hash >> 14 | 1 << 50;
    (index, rest.trailing_zeros() as u8 + 1)
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

/// The estimate of Ertl's paper, as the product computes it.
fn count(registers: &[u8]) -> i64 {
    let mut histogram = [0u32; 64];
    for register in registers {
        histogram[usize::from(*register & 63)] += 1;
    }
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[51])) / m);
    for value in histogram[1..=50].iter().rev() {
        z = (z + f64::from(*value)) * 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    (0.721_347_520_444_481_7 * m * m / z).round() as i64
}

fn read(call: &mut Call<'_>, key: &[u8]) -> Result<Option<(Registers, Cache)>, Fault> {
    match call.string(key)? {
        Some(bytes) => Ok(Some((decode(bytes)?, cache_of(bytes)))),
        None => Ok(None),
    }
}

fn pfadd(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let old = read(call, &key)?;
    let mut changed = old.is_none();
    let (mut registers, mut cache) = old.unwrap_or_else(|| (vec![0; REGISTERS], STALE));
    for element in call.args.iter().skip(2) {
        let (index, value) = place(element);
        if registers[index] < value {
            registers[index] = value;
            changed = true;
        }
    }
    if changed {
        call.room(DENSE)?;
        cache[7] |= 0x80;
        super::strings::replace(call, &key, encode(&registers, cache), "pfadd");
    }
    Ok(Reply::Integer(i64::from(changed)))
}

fn pfcount(call: &mut Call<'_>) -> Answer {
    if call.len() == 2 {
        return pfcount_one(call);
    }
    let mut all = vec![0u8; REGISTERS];
    for at in 1..call.len() {
        let key = call.arg(at).to_vec();
        if let Some((registers, _)) = read(call, &key)? {
            for (a, b) in all.iter_mut().zip(registers) {
                *a = (*a).max(b);
            }
        }
    }
    Ok(Reply::Integer(count(&all)))
}

/// The count of one key is kept in it.
fn pfcount_one(call: &mut Call<'_>) -> Answer {
    let key = call.arg(1).to_vec();
    let Some((registers, cache)) = read(call, &key)? else { return Ok(Reply::Integer(0)) };
    if cache[7] & 0x80 == 0 {
        return Ok(Reply::Integer(i64::from_le_bytes(cache)));
    }
    let total = count(&registers);
    super::strings::replace(call, &key, encode(&registers, total.to_le_bytes()), "pfadd");
    Ok(Reply::Integer(total))
}

fn pfmerge(call: &mut Call<'_>) -> Answer {
    let mut all = vec![0u8; REGISTERS];
    for at in 1..call.len() {
        let key = call.arg(at).to_vec();
        if let Some((registers, _)) = read(call, &key)? {
            for (a, b) in all.iter_mut().zip(registers) {
                *a = (*a).max(b);
            }
        }
    }
    call.room(DENSE)?;
    let key = call.arg(1).to_vec();
    super::strings::replace(call, &key, encode(&all, STALE), "pfadd");
    Ok(Reply::OK)
}

fn pfdebug(call: &mut Call<'_>) -> Answer {
    let key = call.arg(2).to_vec();
    let Some(bytes) = call.string(&key)?.map(<[u8]>::to_vec) else {
        return Err("ERR The specified key does not exist".into());
    };
    let registers = decode(&bytes)?;
    match call.word(1).as_str() {
        "getreg" => {
            Ok(Reply::Array(registers.into_iter().map(|value| Reply::Integer(i64::from(value))).collect()))
        }
        "encoding" => Ok(Reply::Simple(if bytes[4] == 0 { "dense" } else { "sparse" }.into())),
        "todense" => Ok(Reply::Integer(i64::from(bytes[4] != 0))),
        _ => Err(Fault::quoting("ERR Unknown PFDEBUG subcommand '", call.arg(1), "'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_read_back_and_count() {
        let mut registers = vec![0u8; REGISTERS];
        for i in 0..20_000u32 {
            let (index, value) = place(i.to_string().as_bytes());
            registers[index] = registers[index].max(value);
            if [3, 5_000, 19_999].contains(&i) {
                assert_eq!(decode(&encode(&registers, STALE)).unwrap(), registers);
                let error = (count(&registers) - i64::from(i) - 1).abs() as f64 / f64::from(i + 1);
                assert!(error < 0.03, "{i}: {error}");
            }
        }
        assert!(decode(b"HYLL").is_err() && decode(&[b"HYLL\x01".as_slice(), &[0xff; 40]].concat()).is_err());
    }
}

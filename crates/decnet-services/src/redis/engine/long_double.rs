//! Sums as the product makes them on x86: in C's `long double` of 64 significant bits, printed with 17
//! decimals. `10.6 + 5000` is then 5010.60000000000000009, as with the product.

/// `mantissa × 2^exponent`; the mantissa has its highest bit set, or is zero.
#[derive(Clone, Copy)]
struct LongDouble {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

/// The sum of two decimal texts as INCRBYFLOAT writes it; `None` where it is out of the range that this
/// arithmetic covers, which callers then do in double precision.
pub(super) fn sum(a: &[u8], b: &[u8]) -> Option<String> {
    print(add(parse(a)?, parse(b)?)?)
}

/// Rounds a wide mantissa to 64 bits, half to even. `lost` says that bits below were dropped before.
fn rounded(negative: bool, wide: u128, exponent: i32, lost: bool) -> LongDouble {
    if wide == 0 {
        return LongDouble { negative, mantissa: 0, exponent: 0 };
    }
    let bits = 128 - wide.leading_zeros() as i32;
    if bits <= 64 {
        let shift = 64 - bits;
        return LongDouble { negative, mantissa: (wide as u64) << shift, exponent: exponent - shift };
    }
    let drop = (bits - 64) as u32;
    let kept = wide >> drop;
    let rest = wide & ((1u128 << drop) - 1);
    let half = 1u128 << (drop - 1);
    let up = rest > half || (rest == half && (lost || kept & 1 == 1));
    let kept = kept + u128::from(up);
    if kept >> 64 == 1 {
        return LongDouble { negative, mantissa: 1 << 63, exponent: exponent + drop as i32 + 1 };
    }
    LongDouble { negative, mantissa: kept as u64, exponent: exponent + drop as i32 }
}

fn parse(text: &[u8]) -> Option<LongDouble> {
    let text = std::str::from_utf8(text).ok()?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, power) = match text.split_once(['e', 'E']) {
        Some((digits, power)) => (digits, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let mut number: u128 = 0;
    for digit in whole.chars().chain(fraction.chars()) {
        number = number.checked_mul(10)?.checked_add(u128::from(digit.to_digit(10)?))?;
    }
    let scale = power.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    if number == 0 {
        return Some(LongDouble { negative, mantissa: 0, exponent: 0 });
    }
    if scale >= 0 {
        let number = number.checked_mul(10u128.checked_pow(scale as u32)?)?;
        return Some(rounded(negative, number, 0, false));
    }
    let divisor = 10u128.checked_pow(scale.unsigned_abs())?;
    // As many binary digits as fit; enough for 64 and a few to round by.
    let shift = number.leading_zeros();
    let wide = (number << shift) / divisor;
    let lost = !(number << shift).is_multiple_of(divisor);
    if 128 - wide.leading_zeros() < 66 {
        return None;
    }
    // A one below the last bit stands for what the division left.
    Some(rounded(negative, wide | u128::from(lost), -(shift as i32), lost))
}

fn add(a: LongDouble, b: LongDouble) -> Option<LongDouble> {
    if a.mantissa == 0 {
        return Some(b);
    }
    if b.mantissa == 0 {
        return Some(a);
    }
    let (big, small) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
    let gap = (big.exponent - small.exponent) as u32;
    if gap > 126 {
        return Some(big);
    }
    // The larger one is moved up as far as it can go, the smaller one down by the rest.
    let up = gap.min(62);
    let down = gap - up;
    let wide = i128::try_from(u128::from(big.mantissa) << up).ok()?;
    let narrow = u128::from(small.mantissa);
    let lost = down > 0 && narrow & ((1u128 << down) - 1) != 0;
    let narrow = i128::try_from(narrow >> down | u128::from(lost)).ok()?;
    let signed = |value: i128, negative: bool| if negative { -value } else { value };
    let total = signed(wide, big.negative) + signed(narrow, small.negative);
    Some(rounded(total < 0, total.unsigned_abs(), big.exponent - up as i32, lost))
}

fn print(value: LongDouble) -> Option<String> {
    const DECIMALS: u128 = 100_000_000_000_000_000;
    let sign = if value.negative && value.mantissa != 0 { "-" } else { "" };
    if value.exponent >= 0 {
        let whole = u128::from(value.mantissa).checked_mul(2u128.checked_pow(value.exponent as u32)?)?;
        return Some(format!("{sign}{whole}"));
    }
    let places = value.exponent.unsigned_abs();
    if places > 120 {
        return None;
    }
    let mantissa = u128::from(value.mantissa);
    let (whole, rest) =
        if places >= 64 { (0, mantissa) } else { (mantissa >> places, mantissa & ((1u128 << places) - 1)) };
    let scaled = rest.checked_mul(DECIMALS)?;
    let (mut fraction, left) = (scaled >> places, scaled & ((1u128 << places) - 1));
    let half = 1u128 << (places - 1);
    fraction += u128::from(left > half || (left == half && fraction & 1 == 1));
    let whole = whole + fraction / DECIMALS;
    let text = format!("{sign}{whole}.{:017}", fraction % DECIMALS);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn sums_are_those_of_redis_server() {
        // INCRBYFLOAT of redis-server 7.0.15 on x86-64.
        for (a, b, total) in [
            ("10.5", "0.1", "10.6"),
            ("10.6", "5.0e3", "5010.60000000000000009"),
            ("5010.60000000000000009", "-200", "4810.60000000000000009"),
            ("0", "3.0", "3"),
            ("3", "-3", "0"),
            ("0.1", "0.2", "0.3"),
            ("-1.5", "0.25", "-1.25"),
        ] {
            assert_eq!(sum(a.as_bytes(), b.as_bytes()).as_deref(), Some(total), "{a} + {b}");
        }
        for bad in ["", "x", ".", "1e999", "--1"] {
            assert_eq!(sum(bad.as_bytes(), b"1"), None);
        }
    }
}

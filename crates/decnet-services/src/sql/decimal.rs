//! Numbers with a fixed count of decimals.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Decimals that a result keeps at most.
const MOST_DECIMALS: u8 = 20;

/// A decimal number: `unscaled` divided by ten to the power of `scale`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    unscaled: i128,
    scale: u8,
}

/// A text that is no decimal number, or one of more than 38 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no decimal number")]
pub struct NoDecimal;

fn power(exponent: u8) -> Option<i128> {
    10i128.checked_pow(u32::from(exponent))
}

impl Decimal {
    /// `unscaled` divided by ten to the power of `scale`.
    pub const fn new(unscaled: i128, scale: u8) -> Decimal {
        Decimal { unscaled, scale }
    }

    /// Digits behind the point.
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// The digits without their point.
    pub const fn unscaled(self) -> i128 {
        self.unscaled
    }

    /// The same number with another count of decimals, rounded half away from zero; none where it has too
    /// many digits.
    pub fn rescaled(self, scale: u8) -> Option<Decimal> {
        let unscaled = match scale.cmp(&self.scale) {
            Ordering::Equal => self.unscaled,
            Ordering::Greater => self.unscaled.checked_mul(power(scale - self.scale)?)?,
            Ordering::Less => {
                let divisor = power(self.scale - scale)?;
                let (whole, rest) = (self.unscaled / divisor, self.unscaled % divisor);
                let up = rest.unsigned_abs() * 2 >= divisor.unsigned_abs();
                whole + if up { self.unscaled.signum() } else { 0 }
            }
        };
        Some(Decimal { unscaled, scale })
    }

    /// The nearest whole number; none where it does not fit.
    pub fn rounded(self) -> Option<i64> {
        i64::try_from(self.rescaled(0)?.unscaled).ok()
    }

    /// As floating point.
    pub fn float(self) -> f64 {
        self.unscaled as f64 / 10f64.powi(i32::from(self.scale))
    }

    fn aligned(self, other: Decimal) -> Option<(i128, i128, u8)> {
        let scale = self.scale.max(other.scale);
        Some((self.rescaled(scale)?.unscaled, other.rescaled(scale)?.unscaled, scale))
    }

    /// The sum; none where it has too many digits.
    pub fn plus(self, other: Decimal) -> Option<Decimal> {
        let (a, b, scale) = self.aligned(other)?;
        Some(Decimal { unscaled: a.checked_add(b)?, scale })
    }

    /// The difference; none where it has too many digits.
    pub fn minus(self, other: Decimal) -> Option<Decimal> {
        self.plus(Decimal { unscaled: other.unscaled.checked_neg()?, scale: other.scale })
    }

    /// The product; none where it has too many digits.
    pub fn times(self, other: Decimal) -> Option<Decimal> {
        let product = Decimal {
            unscaled: self.unscaled.checked_mul(other.unscaled)?,
            scale: self.scale.checked_add(other.scale)?,
        };
        product.rescaled(product.scale.min(MOST_DECIMALS))
    }

    /// The quotient with `more` decimals than the dividend; none where it has too many digits or the divisor
    /// is zero.
    pub fn divided(self, other: Decimal, more: u8) -> Option<Decimal> {
        let scale = self.scale.saturating_add(more).min(MOST_DECIMALS);
        let shift = scale.checked_add(other.scale)?.checked_sub(self.scale)?;
        // One digit more than asked for, to round on.
        let dividend = self.unscaled.checked_mul(power(shift.checked_add(1)?)?)?;
        Decimal { unscaled: dividend.checked_div(other.unscaled)?, scale: scale + 1 }.rescaled(scale)
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Decimal { unscaled: i128::from(number), scale: 0 }
    }
}

impl FromStr for Decimal {
    type Err = NoDecimal;

    fn from_str(text: &str) -> Result<Self, NoDecimal> {
        let (sign, digits) = match text.as_bytes() {
            [b'-', ..] => (-1, &text[1..]),
            [b'+', ..] => (1, &text[1..]),
            _ => (1, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return Err(NoDecimal);
        }
        let unscaled: i128 = format!("0{whole}{fraction}").parse().map_err(|_| NoDecimal)?;
        let scale = u8::try_from(fraction.len()).map_err(|_| NoDecimal)?;
        Ok(Decimal { unscaled: sign * unscaled, scale })
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if self.unscaled < 0 { "-" } else { "" };
        if scale == 0 { write!(f, "{sign}{whole}") } else { write!(f, "{sign}{whole}.{fraction}") }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.aligned(*other) {
            Some((a, b, _)) => a.cmp(&b),
            None => self.float().total_cmp(&other.float()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(decimal("0.1").plus(decimal("0.2")).unwrap().to_string(), "0.3");
        assert_eq!(decimal("1.25").times(decimal("-4")).unwrap().to_string(), "-5.00");
        assert_eq!(decimal("10").divided(decimal("3"), 4).unwrap().to_string(), "3.3333");
        assert_eq!(decimal("2").divided(decimal("3"), 4).unwrap().to_string(), "0.6667");
        assert_eq!(decimal("1").divided(decimal("0.0"), 4), None);
        assert_eq!(decimal("-0.005").rescaled(2).unwrap().to_string(), "-0.01");
        assert!(decimal("1.10") == decimal("1.1") && decimal("-1") < decimal("0.5"));
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert_eq!("9".repeat(60).parse::<Decimal>(), Err(NoDecimal));
        assert_eq!(Decimal::new(i128::MAX, 0).plus(Decimal::new(1, 0)), None);
        assert_eq!(Decimal::new(i128::MAX, 0).times(Decimal::new(2, 0)), None);
        for text in ["", ".", "-", "1e5", "0x1", "1.2.3"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
    }
}

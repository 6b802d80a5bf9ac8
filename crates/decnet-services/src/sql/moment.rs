//! Days and points in time, in the proleptic Gregorian calendar, without zones.

/// Microseconds of a day.
pub const DAY: i64 = 86_400_000_000;

/// The day number, counted from 1970-01-01, of a date; none for a date that there is not.
pub fn days(year: i32, month: u32, day: u32) -> Option<i32> {
    let month = u8::try_from(month).ok().and_then(|month| time::Month::try_from(month).ok())?;
    let date = time::Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
    Some(date.to_julian_day() - EPOCH)
}

/// The Julian day of 1970-01-01.
const EPOCH: i32 = 2_440_588;

/// Year, month and day of a day number; the last day that can be written for one too far.
pub fn calendar(days: i32) -> (i32, u32, u32) {
    let date = time::Date::from_julian_day(days.saturating_add(EPOCH)).unwrap_or(time::Date::MAX);
    (date.year(), u32::from(u8::from(date.month())), u32::from(date.day()))
}

/// `2024-02-29`.
pub fn date(days: i32) -> String {
    let (year, month, day) = calendar(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2024-02-29 13:37:00`, with as many decimals as are not zero.
pub fn timestamp(at: i64) -> String {
    let (days, rest) = (at.div_euclid(DAY), at.rem_euclid(DAY));
    let seconds = rest / 1_000_000;
    let mut text = format!(
        "{} {:02}:{:02}:{:02}",
        date(i32::try_from(days).unwrap_or(i32::MAX)),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let micros = rest % 1_000_000;
    if micros > 0 {
        text.push_str(format!(".{micros:06}").trim_end_matches('0'));
    }
    text
}

/// Reads `2024-02-29`, `2024-02-29 13:37`, `2024-02-29T13:37:00.5Z`; none for anything else.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, clock) = match text.find([' ', 'T']) {
        Some(at) => (&text[..at], text[at + 1..].trim_end_matches('Z')),
        None => (text, ""),
    };
    let mut parts = date.splitn(3, '-');
    let mut number = || parts.next().and_then(|part| part.parse::<u32>().ok());
    let (year, month, day) = (number()?, number()?, number()?);
    let days = days(i32::try_from(year).ok()?, month, day)?;
    let mut micros = 0i64;
    if !clock.is_empty() {
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut unit = 3_600_000_000i64;
        for (index, part) in whole.split(':').enumerate() {
            let value: i64 = part.parse().ok()?;
            let limit = if index == 0 { 24 } else { 60 };
            if index > 2 || !(0..limit).contains(&value) {
                return None;
            }
            micros += value * unit;
            unit /= 60;
        }
        if !fraction.is_empty() {
            let digits: String = fraction.chars().take(6).collect();
            micros += format!("{digits:0<6}").parse::<i64>().ok()?;
        }
    }
    Some(i64::from(days) * DAY + micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_back() {
        for text in
            ["1970-01-01 00:00:00", "2024-02-29 13:37:00.25", "1969-12-31 23:59:59", "9999-12-31 00:00:00"]
        {
            assert_eq!(timestamp(parse(text).unwrap()), text);
        }
        for text in ["2023-02-29", "2024-13-01", "today", "2024-01-01 25:00", "2024-01-01 10:61:00", ""] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(timestamp(i64::MAX), timestamp(i64::MAX), "no panic at the edge");
    }
}

//! The offset of a decky's time zone from UTC, by the rules in force since 2007.
//!
//! The zones are those that identities are given; an unknown one counts as UTC.

use time::{Date, Month, OffsetDateTime, Weekday};

/// When the clocks change.
#[derive(Clone, Copy)]
enum Summer {
    /// Never.
    None,
    /// Last Sunday of March to last Sunday of October, 01:00 UTC.
    Europe,
    /// Second Sunday of March to first Sunday of November, 02:00 local time.
    America,
    /// First Sunday of October to first Sunday of April, 02:00 standard time.
    Australia,
}

/// Minutes east of UTC at that time, in seconds since 1970-01-01 UTC.
pub(crate) fn utc_offset(zone: &str, at: i64) -> i32 {
    let (standard, summer) = match zone {
        "Europe/London" | "Europe/Dublin" | "Europe/Lisbon" => (0, Summer::Europe),
        "Europe/Helsinki" | "Europe/Athens" | "Europe/Bucharest" | "Europe/Kiev" => (120, Summer::Europe),
        "Europe/Moscow" | "Europe/Istanbul" => (180, Summer::None),
        _ if zone.starts_with("Europe/") => (60, Summer::Europe),
        "America/Chicago" => (-360, Summer::America),
        "America/Denver" => (-420, Summer::America),
        "America/Los_Angeles" => (-480, Summer::America),
        "America/New_York" | "America/Toronto" | "America/Detroit" => (-300, Summer::America),
        "America/Sao_Paulo" => (-180, Summer::None),
        "Australia/Sydney" | "Australia/Melbourne" => (600, Summer::Australia),
        "Asia/Tokyo" | "Asia/Seoul" => (540, Summer::None),
        "Asia/Singapore" | "Asia/Shanghai" | "Asia/Hong_Kong" => (480, Summer::None),
        "Asia/Kolkata" => (330, Summer::None),
        _ => (0, Summer::None),
    };
    let year = OffsetDateTime::from_unix_timestamp(at).map_or(1970, OffsetDateTime::year);
    let local_change = |date: Option<Date>, minutes_local: i64, offset: i32| {
        date.map_or(i64::MAX, |date| {
            date.midnight().assume_utc().unix_timestamp() + (minutes_local - i64::from(offset)) * 60
        })
    };
    let is_summer = match summer {
        Summer::None => false,
        Summer::Europe => {
            let begin = local_change(last_sunday(year, Month::March), 60, 0);
            let end = local_change(last_sunday(year, Month::October), 60, 0);
            (begin..end).contains(&at)
        }
        Summer::America => {
            let begin = local_change(sunday(year, Month::March, 2), 120, standard);
            let end = local_change(sunday(year, Month::November, 1), 120, standard + 60);
            (begin..end).contains(&at)
        }
        Summer::Australia => {
            let end = local_change(sunday(year, Month::April, 1), 120, standard);
            let begin = local_change(sunday(year, Month::October, 1), 120, standard);
            at < end || at >= begin
        }
    };
    standard + if is_summer { 60 } else { 0 }
}

/// The n-th Sunday of a month.
fn sunday(year: i32, month: Month, which: u8) -> Option<Date> {
    let first = Date::from_calendar_date(year, month, 1).ok()?;
    let to_sunday = (7 - first.weekday().number_days_from_sunday()) % 7;
    Date::from_calendar_date(year, month, 1 + to_sunday + 7 * (which - 1)).ok()
}

/// The last Sunday of a month of 31 days.
fn last_sunday(year: i32, month: Month) -> Option<Date> {
    (25..=31)
        .filter_map(|day| Date::from_calendar_date(year, month, day).ok())
        .find(|date| date.weekday() == Weekday::Sunday)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_known_moments() {
        // 2026-11-20, 2026-07-01, and the hours around the change of 2026-03-29 01:00 UTC.
        assert_eq!(utc_offset("Europe/Berlin", 1_795_176_000), 60);
        assert_eq!(utc_offset("Europe/Berlin", 1_782_900_000), 120);
        assert_eq!(utc_offset("Europe/London", 1_774_745_999), 0);
        assert_eq!(utc_offset("Europe/London", 1_774_746_000), 60);
        assert_eq!(utc_offset("America/New_York", 1_782_900_000), -240);
        assert_eq!(utc_offset("America/New_York", 1_795_176_000), -300);
        assert_eq!(utc_offset("Australia/Sydney", 1_795_176_000), 660);
        assert_eq!(utc_offset("Australia/Sydney", 1_782_900_000), 600);
        assert_eq!(utc_offset("Mars/Olympus", 1_782_900_000), 0);
    }
}

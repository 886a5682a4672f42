//! The time of day in UTC, as RFC 3339.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, as `2026-11-23T18:26:40.123456Z`.
pub(super) fn now() -> String {
    stamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The time this long after 1970.
fn stamp(since_1970: Duration) -> String {
    let (days, seconds) = (since_1970.as_secs() / 86_400, since_1970.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since_1970.subsec_micros())
}

/// The milliseconds from 1970 to a time that [`now`] wrote; `None` for anything else.
pub(crate) fn millis(stamp: &str) -> Option<u64> {
    let number = |from: usize, to: usize| stamp.get(from..to)?.parse::<u64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = 3600 * number(11, 13)? + 60 * number(14, 16)? + number(17, 19)?;
    Some(1000 * (86_400 * days(year, month, day)? + seconds) + number(20, 23)?)
}

/// The inverse of [`date`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (146_097 * era + day_of_era).checked_sub(719_468)
}

/// Without `-` and `:`, for file names. The names sort by time.
pub(super) fn compact(stamp: &str) -> String {
    stamp.replace(['-', ':'], "")
}

/// Days since 1970 to year, month, day (Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        assert_eq!(stamp(Duration::ZERO), "1970-01-01T00:00:00.000000Z");
        assert_eq!(stamp(Duration::from_micros(951_782_400_000_001)), "2000-02-29T00:00:00.000001Z");
        assert_eq!(stamp(Duration::from_secs(1_795_458_400)), "2026-11-23T18:26:40.000000Z");
        assert_eq!(compact(&stamp(Duration::ZERO)), "19700101T000000.000000Z");
    }

    #[test]
    fn a_stamp_is_read_back_to_the_millisecond() {
        for micros in [0, 951_782_400_001_000, 1_795_458_400_123_456, 4_102_444_799_999_999] {
            assert_eq!(millis(&stamp(Duration::from_micros(micros))), Some(micros / 1000));
        }
        assert_eq!([millis(""), millis("yesterday"), millis("1969-01-01T00:00:00.000000Z")], [None; 3]);
    }
}

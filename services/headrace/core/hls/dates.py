"""Wall-clock dates in playlists' form, from Unix time alone.

Law: proleptic Gregorian, UTC, millisecond precision (ISO 8601, RFC 8216bis §4.4.4.6); no clock and no locale.
"""

_DAYS_TO_1970 = 719_468  # from 0000-03-01, where this calendar's years begin
_DAYS_IN_ERA = 146_097  # 400 years, after which the calendar repeats


def iso_8601(unix_ms: int) -> str:
    """`2026-03-01T12:00:00.000Z` for milliseconds since 1970-01-01T00:00Z."""
    seconds, ms = divmod(unix_ms, 1000)
    days, second = divmod(seconds, 86_400)
    year, month, day = _civil(days)
    hour, minute = second // 3600, second // 60 % 60
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second % 60:02}.{ms:03}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """Year, month and day. Years counted from March put the leap day last, and months fall on a line of 153/5 days."""
    era, day_of_era = divmod(days + _DAYS_TO_1970, _DAYS_IN_ERA)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return 400 * era + year_of_era + (month <= 2), month, day

"""Days and times as people write them: "2026-11-01", "yesterday", "last monday", "3 weeks ago".

A small grammar rather than a library: what it takes is listed in `ACCEPTED`, everything else is
refused, and the same words at the same moment always mean the same time.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from perdure.companion import calendar
from perdure.companion.calendar import DaySpan

ACCEPTED = (
    "2026-11-01, 2026-11, 2026-11-01 14:30, today, yesterday, monday, last monday, "
    "3 weeks ago, an hour ago, last month, last week"
)
"""What the grammar takes, for the text of errors."""
_AGO = re.compile(
    r"(?P<number>\d{1,6}|[a-z]+|[一二两三四五六七八九十])\s*(?P<unit>[a-z]+|秒钟?|分钟|小时|[天日周年月]|星期|个月)"
    r"\s*(?:ago|前|以前|之前)"
)
_AT = re.compile(
    r"(?P<day>.+?)(?:t|\s+at\s+|\s+|,\s*)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
)
_WEEK_DAY = re.compile(
    rf"(?:last\s+|on\s+)?({'|'.join(name for day in calendar.DAYS for name in (day, day[:3]))})"
)
_CHINESE_DAY = re.compile(rf"(上)?(?:周|星期|礼拜)([{calendar.EAST_DAYS[0]}天])")
_LAST_SPAN = re.compile(r"(last|this|上个?|这个?|本)\s*(week|month|year|周|星期|月|年)")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_YEAR = re.compile(r"(\d{4})年")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_FULL_WIDTH = {0x3000: " ", **{0xFF10 + n: str(n) for n in range(10)}, 0xFF1A: ":", 0xFF0C: ","}


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: from ``begin`` to just before ``end``, both aware.

    "yesterday" is a whole day, "14:30" a minute, "3 hours ago" a second.
    """

    begin: datetime
    end: datetime


def parse_date(text: str, now: datetime, zone: tzinfo | None = None) -> Span | None:
    """The time that a text means; None where it is not one of `ACCEPTED`.

    Args:
        text: what somebody wrote, in any case.
        now: the present moment, aware. "ago" and "last" count from it.
        zone: the time zone that days and hours are in; the system's without one.
    """
    clean = " ".join(text.translate(_FULL_WIDTH).casefold().split())
    try:
        return _exact(clean, zone) or _parse(clean, now.astimezone(zone), zone)
    except (ValueError, OverflowError):
        return None


def _exact(text: str, zone: tzinfo | None) -> Span | None:
    """A time in ISO 8601 with its own offset, as in JSON output."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d[t ]\d\d:\d\d(:\d\d)?(\.\d+)?(z|[+-]\d\d:?\d\d)", text):
        return None
    moment = datetime.fromisoformat(text.upper()).astimezone(zone)
    return Span(moment, moment + timedelta(seconds=1))


def _parse(text: str, now: datetime, zone: tzinfo | None) -> Span | None:
    if text in {"now", "现在"}:
        return Span(now, now + timedelta(seconds=1))
    ago = _AGO.fullmatch(text)
    if ago:
        return _ago(ago["number"], ago["unit"], now, zone)
    found = _days(text, now.date())
    if found is not None:
        return Span(_local(found.begin, zone), _local(found.end, zone))
    at = _AT.fullmatch(text)
    found = _days(at["day"], now.date()) if at else None
    if at is None or found is None or found != calendar.days(found.begin):
        return _today_at(text, now, zone)
    begin = datetime.combine(
        found.begin, time(int(at["hour"]), int(at["minute"]), int(at["second"] or 0))
    )
    long = timedelta(seconds=1) if at["second"] else timedelta(minutes=1)
    moment = _aware(begin, zone)
    return Span(moment, moment + long)


def _today_at(text: str, now: datetime, zone: tzinfo | None) -> Span | None:
    if not re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        return None
    return _parse(f"{now.date().isoformat()} {text}", now, zone)


def _days(text: str, today: date) -> DaySpan | None:
    """The days that a text means."""
    if text == "day before yesterday" or text in calendar.DAY_WORDS:
        return calendar.days(today - timedelta(days=calendar.DAY_WORDS.get(text, 2)))
    if found := _DATE.fullmatch(text):
        return calendar.days(date(int(found[1]), int(found[2]), int(found[3])))
    if found := _MONTH.fullmatch(text):
        return calendar.months(int(found[1]), int(found[2]))
    if found := _YEAR.fullmatch(text):
        return calendar.months(int(found[1]), 1, 12)
    return _named(text, today)


def _named(text: str, today: date) -> DaySpan | None:
    """A day of the week, or a week, month or year counted from this one."""
    if found := _WEEK_DAY.fullmatch(text):
        return calendar.weekday(found[1], today)
    if found := _CHINESE_DAY.fullmatch(text):
        return calendar.weekday(found[2], today, of_last_week=bool(found[1]))
    if found := _LAST_SPAN.fullmatch(text):
        back = int(found[1].startswith(("last", "上")))
        return calendar.span(calendar.UNITS[found[2]], back, today)
    return None


def _ago(counted: str, unit: str, now: datetime, zone: tzinfo | None) -> Span | None:
    """A time ago: hours and less by the clock, days and more by the calendar."""
    units = calendar.UNITS
    plural = units.get(unit) or units.get(unit.removesuffix("s") if len(unit) > 3 else "")
    count = calendar.number(counted)
    if plural is None:
        return None
    if plural in {"seconds", "minutes", "hours"}:
        # Through UTC: on one clock, Python subtracts as if it were never put forward or back.
        moment = (now.astimezone(UTC) - timedelta(**{plural: count})).astimezone(zone)
    else:
        naive = now.replace(tzinfo=None)
        if plural in {"days", "weeks"}:
            then = naive - timedelta(**{plural: count})
        else:
            year, month = calendar.months_before(naive, count * (12 if plural == "years" else 1))
            then = naive.replace(
                year=year, month=month, day=min(naive.day, monthrange(year, month)[1])
            )
        moment = _aware(then, zone)
    return Span(moment, moment + timedelta(seconds=1))


def _local(day: date, zone: tzinfo | None) -> datetime:
    return _aware(datetime.combine(day, time()), zone)


def _aware(naive: datetime, zone: tzinfo | None) -> datetime:
    """A wall clock's time, with the offset of that day."""
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)

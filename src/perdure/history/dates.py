"""Days and times as people write them: "2026-11-01", "yesterday", "last monday", "3 weeks ago".

A small grammar rather than a library: what it takes is listed in `ACCEPTED`, everything else is
refused, and the same words at the same moment always mean the same time.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

ACCEPTED = (
    "2026-11-01, 2026-11, 2026-11-01 14:30, today, yesterday, monday, last monday, "
    "3 weeks ago, an hour ago, last month, last week"
)
"""What the grammar takes, for the text of errors."""
_UNITS = {
    "second": "seconds",
    "sec": "seconds",
    "minute": "minutes",
    "min": "minutes",
    "hour": "hours",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years",
    "秒": "seconds",
    "秒钟": "seconds",
    "分钟": "minutes",
    "小时": "hours",
    "天": "days",
    "日": "days",
    "周": "weeks",
    "星期": "weeks",
    "月": "months",
    "个月": "months",
    "年": "years",
}
_NUMBERS = {
    **dict.fromkeys(("one", "a", "an", "一"), 1),
    **dict.fromkeys(("two", "两", "二"), 2),
    **{word: 3 + n for n, word in enumerate(("three", "four", "five", "six", "seven"))},
    **{word: 8 + n for n, word in enumerate(("eight", "nine", "ten", "eleven", "twelve"))},
    **{word: 3 + n for n, word in enumerate("三四五六七八九十")},
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CHINESE_DAYS = "一二三四五六日"
_WORDS = {"today": 0, "yesterday": 1, "今天": 0, "昨天": 1, "前天": 2, "day before yesterday": 2}
_AGO = re.compile(
    r"(?P<number>\d{1,6}|[a-z]+|[一二两三四五六七八九十])\s*(?P<unit>[a-z]+|秒钟?|分钟|小时|[天日周年月]|星期|个月)"
    r"\s*(?:ago|前|以前|之前)"
)
_AT = re.compile(
    r"(?P<day>.+?)(?:t|\s+at\s+|\s+|,\s*)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
)
_LAST_DAY = re.compile(rf"(?:last\s+|on\s+)?({'|'.join(_DAYS)}|{'|'.join(d[:3] for d in _DAYS)})")
_CHINESE_DAY = re.compile(r"(上)?(?:周|星期|礼拜)([一二三四五六日天])")
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
    """The time that a text means; None where it is none of `ACCEPTED`.

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
    """ISO 8601 with an offset of its own, as JSON output has it."""
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
    days = _days(text, now.date())
    if days is not None:
        return Span(_local(days[0], zone), _local(days[1], zone))
    at = _AT.fullmatch(text)
    days = _days(at["day"], now.date()) if at else None
    if at is None or days is None or days[1] - days[0] != timedelta(days=1):
        return _today_at(text, now, zone)
    begin = datetime.combine(
        days[0], time(int(at["hour"]), int(at["minute"]), int(at["second"] or 0))
    )
    long = timedelta(seconds=1) if at["second"] else timedelta(minutes=1)
    moment = _aware(begin, zone)
    return Span(moment, moment + long)


def _today_at(text: str, now: datetime, zone: tzinfo | None) -> Span | None:
    if not re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
        return None
    return _parse(f"{now.date().isoformat()} {text}", now, zone)


def _days(text: str, today: date) -> tuple[date, date] | None:
    """The first day that a text means, and the day after the last one."""
    if text in _WORDS:
        day = today - timedelta(days=_WORDS[text])
        return day, day + timedelta(days=1)
    found = _DATE.fullmatch(text)
    if found:
        day = date(int(found[1]), int(found[2]), int(found[3]))
        return day, day + timedelta(days=1)
    found = _MONTH.fullmatch(text)
    if found:
        return _months(int(found[1]), int(found[2]), 1)
    found = _YEAR.fullmatch(text)
    if found:
        return _months(int(found[1]), 1, 12)
    return _week_day(text, today) or _last_span(text, today)


def _months(year: int, month: int, count: int) -> tuple[date, date]:
    first = date(year, month, 1)
    after = month - 1 + count
    return first, date(year + after // 12, after % 12 + 1, 1)


def _week_day(text: str, today: date) -> tuple[date, date] | None:
    """Monday and last Monday are the newest one before today; 上周一 is the one of last week."""
    found = _LAST_DAY.fullmatch(text)
    if found:
        number = next(n for n, name in enumerate(_DAYS) if name.startswith(found[1]))
        day = today - timedelta(days=(today.weekday() - number - 1) % 7 + 1)
        return day, day + timedelta(days=1)
    found = _CHINESE_DAY.fullmatch(text)
    if not found:
        return None
    number = _CHINESE_DAYS.index(found[2].replace("天", "日"))
    day = today - timedelta(days=today.weekday() - number + (7 if found[1] else 0))
    return (day, day + timedelta(days=1)) if day <= today else None


def _last_span(text: str, today: date) -> tuple[date, date] | None:
    """The week (from Monday), month or year before this one, or this one."""
    found = _LAST_SPAN.fullmatch(text)
    if not found:
        return None
    back = int(found[1].startswith(("last", "上")))
    unit = _UNITS[found[2]]
    if unit == "weeks":
        monday = today - timedelta(days=today.weekday() + 7 * back)
        return monday, monday + timedelta(days=7)
    if unit == "years":
        return _months(today.year - back, 1, 12)
    months = today.year * 12 + today.month - 1 - back
    return _months(months // 12, months % 12 + 1, 1)


def _ago(number: str, unit: str, now: datetime, zone: tzinfo | None) -> Span | None:
    """So long before now. Hours and less by the clock's run, days and more by the calendar."""
    plural = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s") if len(unit) > 3 else "")
    count = int(number) if number.isdecimal() else _NUMBERS.get(number)
    if plural is None or count is None:
        return None
    if plural in {"seconds", "minutes", "hours"}:
        # Through UTC: on one clock, Python subtracts as if it were never put forward or back.
        moment = (now.astimezone(UTC) - timedelta(**{plural: count})).astimezone(zone)
    else:
        naive = now.replace(tzinfo=None)
        if plural in {"days", "weeks"}:
            then = naive - timedelta(**{plural: count})
        else:
            months = naive.year * 12 + naive.month - 1 - count * (12 if plural == "years" else 1)
            year, month = months // 12, months % 12 + 1
            then = naive.replace(
                year=year, month=month, day=min(naive.day, monthrange(year, month)[1])
            )
        moment = _aware(then, zone)
    return Span(moment, moment + timedelta(seconds=1))


def _local(day: date, zone: tzinfo | None) -> datetime:
    return _aware(datetime.combine(day, time()), zone)


def _aware(naive: datetime, zone: tzinfo | None) -> datetime:
    """A wall clock's time with its offset on that day."""
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)

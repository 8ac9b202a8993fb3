"""Words for numbers, weekdays, months and units of time, and the days they stand for.

Commands read one date out of a whole text, recall finds times inside of a message; both with the
words and by the arithmetic here. Weeks begin on Monday.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = "january february march april may june july august september october november december"
MONTHS = _MONTHS.split()
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
EAST_DAYS = ("一二三四五六日", "月火水木金土日")
"""Days of the week in Chinese (after 周 or 星期) and in Japanese (before 曜)."""
DAY_WORDS = {"today": 0, "yesterday": 1, "今天": 0, "昨天": 1, "前天": 2}
"""Days before this one."""
_ONES = "one two three four five six seven eight nine ten eleven twelve"
_EAST_ONES = ("", *"一二三四五六七八九")
_EAST_TENS = ("", "十", "二十", "三十")
NUMBERS = {
    **{word: n for n, word in enumerate(_ONES.split(), 1)},
    **{
        tens + ones: 10 * t + n
        for t, tens in enumerate(_EAST_TENS)
        for n, ones in enumerate(_EAST_ONES)
    },
    "a": 1,
    "an": 1,
    "两": 2,
}
del NUMBERS[""]
UNITS = {
    word: unit
    for unit, words in {
        "seconds": "second sec 秒 秒钟",
        "minutes": "minute min 分钟",
        "hours": "hour 小时",
        "days": "day 天 日",
        "weeks": "week 周 星期 个星期 礼拜 个礼拜 週 週間",
        "months": "month 月 个月 ヶ月 か月 カ月 ヵ月",
        "years": "year 年",
    }.items()
    for word in words.split()
}
"""Units in one piece each, as `datetime.timedelta` names them."""


@dataclass(frozen=True, slots=True)
class DaySpan:
    """Whole days from a start to an end, on the clock of the place where the words were said."""

    begin: date
    end: date


def number(text: str) -> int:
    """The number that digits or a word from `NUMBERS` stand for.

    Raises:
        ValueError: if it is neither.
    """
    if not text.isdecimal() and text not in NUMBERS:
        raise ValueError(text)
    return NUMBERS.get(text) or int(text)


def days(begin: date, count: int = 1) -> DaySpan:
    """A span of ``count`` days."""
    return DaySpan(begin, begin + timedelta(days=count))


def months(year: int, month: int, count: int = 1) -> DaySpan:
    """A span of whole months.

    Raises:
        ValueError: if the month or the year is none.
    """
    after = month - 1 + count
    return DaySpan(date(year, month, 1), date(year + after // 12, after % 12 + 1, 1))


def months_before(day: date, count: int) -> tuple[int, int]:
    """The year and month that lie a number of months before a day's month."""
    left = day.year * 12 + day.month - 1 - count
    return left // 12, left % 12 + 1


def weekday(name: str, today: date, *, of_last_week: bool = False) -> DaySpan | None:
    """The latest such weekday, today included; None for one that is still to come.

    Monday (or mon) is the newest one before today; 一 of 周一 and 月 of 月曜日 are those of this
    week, or of the last one.
    """
    if name.isascii():
        at = next(n for n, day in enumerate(DAYS) if day.startswith(name))
        back = (today.weekday() - at - 1) % 7 + 1
    else:
        name = name.replace("天", "日")
        at = next(row.index(name) for row in EAST_DAYS if name in row)
        back = today.weekday() - at + 7 * of_last_week
    return days(today - timedelta(days=back)) if back >= 0 else None


def span(unit: str, back: int, today: date) -> DaySpan:
    """The week, month or year (a word from `UNITS`) that lies a number of them before this one."""
    if unit == "weeks":
        return days(today - timedelta(days=today.weekday() + 7 * back), 7)
    if unit == "years":
        return months(today.year - back, 1, 12)
    return months(*months_before(today, back))

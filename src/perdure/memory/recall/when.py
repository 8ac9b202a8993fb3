"""Time expressions inside a message: "last summer", "in March", "三周前", "先週の月曜日".

`history.dates` reads a date that somebody gives to a command and refuses what is none; here dates
are picked out of talk, and what is not understood is passed over. Seasons are those of the
northern hemisphere. Chinese and Japanese are read without their words being told apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {
    **{word: n for n, word in enumerate(_ONES, 1)},
    **{word: n for n, word in enumerate("一二三四五六七八九十", 1)},
    **dict.fromkeys(("a", "an"), 1),
    **dict.fromkeys(("a couple of", "couple of", "两", "二"), 2),
    **dict.fromkeys(("a few", "few", "several", "几", "数"), 3),
}
_SEASONS = {
    **dict.fromkeys(("spring", "春"), 3),
    **dict.fromkeys(("summer", "夏"), 6),
    **dict.fromkeys(("autumn", "fall", "秋"), 9),
    **dict.fromkeys(("winter", "冬"), 12),
}
_MONTH = "(?P<month>" + "|".join(rf"{name}|{name[:3]}\b\.?" for name in _MONTHS) + ")"
_N = r"(?P<n>\d{1,3}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_BACK = {
    **dict.fromkeys(("去", "昨", "last", "上", "先", "past"), 1),
    **dict.fromkeys(("前", "一昨"), 2),
    **dict.fromkeys(("今", "this", "这", "本"), 0),
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """From the start of one day to the start of another, on the clock where the words were said."""

    begin: date
    end: date


@dataclass(frozen=True, slots=True)
class Season:
    """Months that come every year, or a day of one: "in March", "on 8 May" without a year.

    Attributes:
        month: the first month, 1 to 12.
        count: how many.
        day: a day of the month; 0 for all.
    """

    month: int
    count: int = 1
    day: int = 0

    def stretches(self, first: int, last: int) -> list[Stretch]:
        """Its stretches in these years; one that begins in the year before is among them."""
        found = []
        for year in range(first - 1, last + 1):
            try:
                if self.day:
                    begin = date(year, self.month, self.day)
                    found.append(Stretch(begin, begin + timedelta(days=1)))
                else:
                    found.append(_months(year, self.month, self.count))
            except ValueError:
                continue  # the 29th of February
        return found


Time = Stretch | Season


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a message says, by its times and its words.

    Attributes:
        times: the times that it speaks of.
        named: names of months and seasons among them, which are words as well.
        rest: all else that it says.
    """

    times: tuple[Time, ...]
    named: str
    rest: str

    @property
    def words(self) -> str:
        """All of it but what only places it in time."""
        return f"{self.rest} {self.named}".rstrip()


def times_in(text: str, now: datetime | None) -> Spoken:
    """Times that a message speaks of, and what else it says.

    Args:
        text: the message.
        now: the present moment as the speaker's clock has it; without it nothing relative is read.
    """
    rest = unicodedata.normalize("NFKC", text).casefold()
    today = now.date() if now is not None else None
    found: list[Time] = []
    named: list[str] = []
    for pattern, read in _RULES:
        for match in pattern.finditer(rest):
            try:
                time = read(match, today)
            except (ValueError, OverflowError):
                continue
            if time is None:
                continue
            found.append(time)
            named += [word for word in (*_MONTHS, *_SEASONS) if word in match[0]]
            # What is read is not read again: "8 May 2023" is not also "May 2023".
            rest = rest[: match.start()] + " " * len(match[0]) + rest[match.end() :]
    return Spoken(tuple(found), " ".join(named), rest if found else text)


def _months(year: int, month: int, count: int) -> Stretch:
    after = month - 1 + count
    return Stretch(date(year, month, 1), date(year + after // 12, after % 12 + 1, 1))


def _month(name: str) -> int:
    if name.rstrip("月").isdecimal():
        return int(name.rstrip("月"))
    if name in _EAST_MONTHS:
        return _EAST_MONTHS.index(name) + 1
    return next(n for n, month in enumerate(_MONTHS, 1) if month.startswith(name.rstrip(".")[:3]))


def _day_number(text: str) -> int:
    """1 to 31, in figures or as 二十一."""
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    return (_NUMBERS[tens] if tens else 1) * 10 * bool(ten) + (_NUMBERS[ones] if ones else 0)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else _NUMBERS[text]


def _full(match: re.Match[str], today: date | None) -> Time | None:  # noqa: ARG001 - a rule's signature
    year, day = match["year"], _day_number(match["day"])
    month = _month(match["month"])
    if not year:
        # The 29th of February has to be a day of some year.
        date(2000, month, day)
        return Season(month, day=day)
    begin = date(int(year), month, day)
    return Stretch(begin, begin + timedelta(days=1))


def _of_year(match: re.Match[str], today: date | None) -> Time | None:
    """A month, a year, or a month of a year."""
    groups = match.groupdict()
    name = groups.get("month")
    month = _month(name) if name else 0
    if not 0 <= month <= 12:
        return None
    if groups.get("year"):
        return _months(int(groups["year"]), month or 1, 1 if month else 12)
    back = groups.get("back")
    if back and today is not None:
        return _of_year_back(back, month, today)
    return Season(month) if month and not back else None


def _of_year_back(back: str, month: int, today: date) -> Stretch:
    """The last March is the one before this month; 去年三月 is that of the last year."""
    year = today.year - _BACK[back]
    if not month:
        return _months(year, 1, 12)
    if back not in _EAST_YEARS:
        year = today.year if month < today.month or not _BACK[back] else today.year - 1
    return _months(year, month, 1)


_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}


def _nth(match: re.Match[str], today: date | None) -> Time | None:  # noqa: ARG001 - a rule's signature
    """The first weekend of a month, its second Monday, its last week; of any year its month.

    A weekend belongs to the month that its Saturday is in, a week to that of its Monday. What was
    done on a weekend is told in the days after it, so those count as well.
    """
    month, unit, nth = _month(match["month"]), match["unit"], _NTH[match["nth"]]
    if not match["year"]:
        return Season(month)
    whole = _months(int(match["year"]), month, 1)
    weekday = {"weekend": 5, "week": 0}.get(unit, _DAYS.index(unit) if unit in _DAYS else 0)
    days = [whole.begin + timedelta(days=n) for n in range((whole.end - whole.begin).days)]
    fitting = [day for day in days if day.weekday() == weekday]
    begin = fitting[nth - 1] if nth > 0 else fitting[-1]
    return Stretch(begin, begin + timedelta(days={"weekend": 5, "week": 7}.get(unit, 1)))


def _season(match: re.Match[str], today: date | None) -> Time | None:
    start = _SEASONS[match["season"]]
    groups = match.groupdict()
    year, word = groups.get("year"), groups.get("back") or ""
    back = _BACK.get(word)
    if year:
        return _months(int(year), start, 3)
    if back is None:
        return Season(start, 3)
    if today is None:
        return None
    if word in _EAST_YEARS:
        return _months(today.year - back, start, 3)
    # "Last summer" is the newest one that is over, "this summer" the one now or to come.
    year_of = today.year
    if back:
        while _months(year_of, start, 3).end > today:
            year_of -= 1
    return _months(year_of, start, 3)


def _day(match: re.Match[str], today: date | None) -> Time | None:
    if today is None:
        return None
    back = next(n for words, n in _DAY_WORDS if match[0] in words)
    begin = today - timedelta(days=back)
    return Stretch(begin, begin + timedelta(days=1))


_DAY_WORDS = (
    (("the day before yesterday", "前天", "一昨日", "おととい"), 2),
    (("yesterday", "last night", "昨天", "昨日", "昨晚", "昨夜", "きのう"), 1),
    (("today", "this morning", "tonight", "今天", "今日", "今朝", "今晚"), 0),
)


def _weekday(match: re.Match[str], today: date | None) -> Time | None:
    if today is None:
        return None
    name = match["day"]
    if name in _DAYS:
        back = (today.weekday() - _DAYS.index(name) - 1) % 7 + 1
    else:
        number = "一二三四五六日".find(name.replace("天", "日"))
        number = number if number >= 0 else "月火水木金土日".index(name)
        back = today.weekday() - number + (7 if match["last"] else 0)
        if back < 0:
            return None
    begin = today - timedelta(days=back)
    return Stretch(begin, begin + timedelta(days=1))


def _span(match: re.Match[str], today: date | None) -> Time | None:
    """Last week, this month, last year: by the calendar, weeks from Monday."""
    if today is None:
        return None
    back = _BACK[match["back"]]
    unit = match["unit"]
    if unit in {"week", "周", "星期", "週"}:
        begin = today - timedelta(days=today.weekday() + 7 * back)
        return Stretch(begin, begin + timedelta(days=7))
    if unit in {"weekend", "周末", "週末"}:
        # The newest Saturday and Sunday that are over, or those of this week.
        begin = today - timedelta(days=today.weekday() - 5 + 7 * back)
        return Stretch(begin, begin + timedelta(days=2))
    if unit in {"year", "年"}:
        return _months(today.year - back, 1, 12)
    months = today.year * 12 + today.month - 1 - back
    return _months(months // 12, months % 12 + 1, 1)


def _ago(match: re.Match[str], today: date | None) -> Time | None:
    """So long ago, as roughly as people mean it: a tenth and the unit's own half to either side."""
    if today is None:
        return None
    count = _number(match["n"])
    unit = match["unit"]
    days = next(n for words, n in _UNITS if unit in words)
    middle = today - timedelta(days=round(count * days))
    half = max(1, round(days / 2 + count * days / 10)) if days > 1 else (0 if count < 3 else 1)
    if match["n"] in {"a few", "few", "several", "几", "数"}:
        half = max(half, round(days * 2))
    return Stretch(middle - timedelta(days=half), middle + timedelta(days=half + 1))


_UNITS = (
    (("day", "天", "日"), 1.0),
    (("week", "周", "星期", "个星期", "週間", "週", "礼拜", "个礼拜"), 7.0),
    (("month", "个月", "月", "ヶ月", "か月", "カ月", "ヵ月"), 30.44),
    (("year", "年"), 365.25),
)
_EAST_MONTHS = [
    "一月",
    "二月",
    "三月",
    "四月",
    "五月",
    "六月",
    "七月",
    "八月",
    "九月",
    "十月",
    "十一月",
    "十二月",
]
_EAST_MONTH = r"(?P<month>\d\d?月|十[一二]月|[一二三四五六七八九十]月)"
_EAST_DAY = r"(?P<day>\d\d?|[一二三十]?十?[一二三四五六七八九十])"
_EAST_SEASON = "(?P<season>[春夏秋冬])(?:[天季]|(?=[休のにはも]|$))"
_EAST_N = r"(?P<n>\d{1,3}|[一二两三四五六七八九十几数])"
_EAST_YEARS = ("去", "昨", "前", "一昨", "今")
_EAST_YEAR = rf"(?P<back>{'|'.join(_EAST_YEARS)})"
_SEASON = r"(?P<season>spring|summer|autumn|fall|winter)\b"
_DAY = "|".join(
    rf"\b{word}\b" if word.isascii() else word for words, _ in _DAY_WORDS for word in words
)
Rule = Callable[[re.Match[str], date | None], Time | None]
_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern), read)
    for pattern, read in (
        (rf"\b{_YEAR}[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)\b", _full),
        (rf"(?:(?P<year>\d{{4}})年の?)?{_EAST_MONTH}{_EAST_DAY}[日号]", _full),
        (rf"\b(?P<day>\d\d?)(?:st|nd|rd|th)?(?:\s+of)?\s+{_MONTH}(?:,?\s+{_YEAR})?", _full),
        (rf"\b{_MONTH}\s+(?P<day>\d\d?)(?:st|nd|rd|th)?\b(?:,?\s+{_YEAR})?", _full),
        (
            (
                rf"\b(?P<nth>{'|'.join(_NTH)})\s+(?P<unit>weekend|week|{'|'.join(_DAYS)})"
                rf"\s+(?:of|in)\s+{_MONTH}(?:,?\s+(?:of\s+)?{_YEAR})?"
            ),
            _nth,
        ),
        (rf"\b{_MONTH},?\s+(?:of\s+)?{_YEAR}\b", _of_year),
        (rf"\b{_YEAR}-(?P<month>\d\d)\b", _of_year),
        (rf"\b{_SEASON}\s+(?:of\s+)?{_YEAR}", _season),
        (rf"\b(?:(?P<back>last|this|past)|in(?: the)?)\s+{_SEASON}", _season),
        (rf"(?:(?:(?P<year>\d{{4}})|{_EAST_YEAR})年の?)?{_EAST_SEASON}", _season),
        (_DAY, _day),
        (rf"\b(?P<last>last|on|this)\s+(?P<day>{'|'.join(_DAYS)})\b", _weekday),
        (r"(?P<last>上个?)?(?:周|星期|礼拜)(?P<day>[一二三四五六日天])", _weekday),
        (r"(?P<last>先週)?の?(?P<day>[月火水木金土日])曜日?", _weekday),
        (r"\b(?P<back>last|this|past)\s+(?P<unit>weekend|week|month|year)\b", _span),
        (r"(?P<back>上|这|本)个?(?P<unit>周末|周|星期|月)", _span),
        (r"(?P<back>先|今)(?P<unit>週末|週|月)(?!間)", _span),
        (rf"\b{_N}\s+(?P<unit>day|week|month|year)s?\s+ago\b", _ago),
        (rf"{_EAST_N}(?P<unit>天|周|个?星期|个?礼拜|个月|年)(?:以前|之前|前)", _ago),
        (rf"{_EAST_N}(?P<unit>日|週間|[ヶかカヵ]月|年)(?:ほど|くらい)?前", _ago),
        (rf"(?P<year>\d{{4}})年(?:の?{_EAST_MONTH})?", _of_year),
        (rf"{_EAST_YEAR}年(?:の?{_EAST_MONTH})?", _of_year),
        (rf"(?<![\d个ヶか]){_EAST_MONTH}(?!曜)", _of_year),
        (rf"\b(?:in|during|since|last|this)\s+{_YEAR}\b", _of_year),
        (rf"\b(?P<back>last|this)\s+{_MONTH}", _of_year),
        (rf"\b(?:in|during|since|of)\s+{_MONTH}(?!\w)", _of_year),
    )
)  # fmt: skip

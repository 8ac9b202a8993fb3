"""Time expressions inside a message: "last summer", "in March", "三周前", "先週の月曜日".

`snapshot.revisions.dates` reads a date that somebody gives to a command and refuses what is none;
here dates are picked out of ordinary sentences, and what is not understood is ignored. Seasons are
those of the northern hemisphere. Chinese and Japanese are read without their words being told
apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from perdure.companion import calendar
from perdure.companion.calendar import DaySpan

_FEW = {
    **dict.fromkeys(("a couple of", "couple of"), 2),
    **dict.fromkeys(("a few", "few", "several", "几", "数"), 3),
}
_SEASONS = {
    **dict.fromkeys(("spring", "春"), 3),
    **dict.fromkeys(("summer", "夏"), 6),
    **dict.fromkeys(("autumn", "fall", "秋"), 9),
    **dict.fromkeys(("winter", "冬"), 12),
}
_MONTH = "(?P<month>" + "|".join(rf"{name}|{name[:3]}\b\.?" for name in calendar.MONTHS) + ")"
_N = r"(?P<n>\d{1,3}|" + "|".join(sorted(calendar.NUMBERS | _FEW, key=len, reverse=True)) + ")"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_BACK = {
    **dict.fromkeys(("去", "昨", "last", "上", "先", "past"), 1),
    **dict.fromkeys(("前", "一昨"), 2),
    **dict.fromkeys(("今", "this", "这", "本"), 0),
}


@dataclass(frozen=True, slots=True)
class Season:
    """Months, or a day, of every year: "in March", "on 8 May" without a year.

    Attributes:
        month: the first month, 1 to 12.
        count: how many.
        day: a day of the month; 0 for all.
    """

    month: int
    count: int = 1
    day: int = 0

    def stretches(self, first: int, last: int) -> list[DaySpan]:
        """Its stretches in these years, with one that begins in the year before."""
        found = []
        for year in range(first - 1, last + 1):
            try:
                if self.day:
                    found.append(calendar.days(date(year, self.month, self.day)))
                else:
                    found.append(calendar.months(year, self.month, self.count))
            except ValueError:
                continue  # the 29th of February
        return found


Time = DaySpan | Season


@dataclass(frozen=True, slots=True)
class TimedText:
    """The times that a message speaks of, and its other words.

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
        """All words but those that only place it in time."""
        return f"{self.rest} {self.named}".rstrip()


def times_in(text: str, now: datetime | None) -> TimedText:
    """Find the times that a message speaks of, and what else it says.

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
            named += [word for word in (*calendar.MONTHS, *_SEASONS) if word in match[0]]
            # What is read is not read again: "8 May 2023" is not also "May 2023".
            rest = rest[: match.start()] + " " * len(match[0]) + rest[match.end() :]
    return TimedText(tuple(found), " ".join(named), rest if found else text)


def _month(name: str) -> int:
    name = name.removesuffix("月")
    if name.isdecimal() or name in calendar.NUMBERS:
        return calendar.number(name)
    short = name[:3]
    return next(n for n, month in enumerate(calendar.MONTHS, 1) if month.startswith(short))


def _full(match: re.Match[str], today: date | None) -> Time | None:  # noqa: ARG001 - a rule's signature
    year, day = match["year"], calendar.number(match["day"])
    month = _month(match["month"])
    if not year:
        # The 29th of February has to be a day of some year.
        date(2000, month, day)
        return Season(month, day=day)
    return calendar.days(date(int(year), month, day))


def _of_year(match: re.Match[str], today: date | None) -> Time | None:
    """A month, a year, or a month of a year."""
    groups = match.groupdict()
    name = groups.get("month")
    month = _month(name) if name else 0
    if not 0 <= month <= 12:
        return None
    if groups.get("year"):
        return calendar.months(int(groups["year"]), month or 1, 1 if month else 12)
    back = groups.get("back")
    if back and today is not None:
        return _of_year_back(back, month, today)
    return Season(month) if month and not back else None


def _of_year_back(back: str, month: int, today: date) -> DaySpan:
    """The last March is the one before this month; 去年三月 is that of the last year."""
    year = today.year - _BACK[back]
    if not month:
        return calendar.months(year, 1, 12)
    if back not in _EAST_YEARS:
        year = today.year if month < today.month or not _BACK[back] else today.year - 1
    return calendar.months(year, month, 1)


_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}


def _nth(match: re.Match[str], today: date | None) -> Time | None:  # noqa: ARG001 - a rule's signature
    """The first weekend of a month, its second Monday, its last week; of any year its month.

    A weekend belongs to the month that its Saturday is in, a week to that of its Monday. What was
    done on a weekend is told in the days after it, so those count as well.
    """
    month, unit, nth = _month(match["month"]), match["unit"], _NTH[match["nth"]]
    if not match["year"]:
        return Season(month)
    whole = calendar.months(int(match["year"]), month, 1)
    first = {"weekend": 5, "week": 0}.get(
        unit, calendar.DAYS.index(unit) if unit in calendar.DAYS else 0
    )
    every = [whole.begin + timedelta(days=n) for n in range((whole.end - whole.begin).days)]
    fitting = [day for day in every if day.weekday() == first]
    begin = fitting[nth - 1] if nth > 0 else fitting[-1]
    return calendar.days(begin, {"weekend": 5, "week": 7}.get(unit, 1))


def _season(match: re.Match[str], today: date | None) -> Time | None:
    start = _SEASONS[match["season"]]
    groups = match.groupdict()
    year, word = groups.get("year"), groups.get("back") or ""
    back = _BACK.get(word)
    if year:
        return calendar.months(int(year), start, 3)
    if back is None:
        return Season(start, 3)
    if today is None:
        return None
    if word in _EAST_YEARS:
        return calendar.months(today.year - back, start, 3)
    # "Last summer" is the newest one that is over, "this summer" the one now or to come.
    year_of = today.year
    if back:
        while calendar.months(year_of, start, 3).end > today:
            year_of -= 1
    return calendar.months(year_of, start, 3)


def _day(match: re.Match[str], today: date | None) -> Time | None:
    if today is None:
        return None
    return calendar.days(today - timedelta(days=_DAY_WORDS[match[0]]))


_DAY_WORDS = {
    **calendar.DAY_WORDS,
    **dict.fromkeys(("the day before yesterday", "一昨日", "おととい"), 2),
    **dict.fromkeys(("last night", "昨日", "昨晚", "昨夜", "きのう"), 1),
    **dict.fromkeys(("this morning", "tonight", "今日", "今朝", "今晚"), 0),
}


def _weekday(match: re.Match[str], today: date | None) -> Time | None:
    if today is None:
        return None
    return calendar.weekday(match["day"], today, of_last_week=bool(match["last"]))


def _span(match: re.Match[str], today: date | None) -> Time | None:
    """Last week, this month, last year: by the calendar, weeks from Monday."""
    if today is None:
        return None
    back = _BACK[match["back"]]
    if match["unit"] in {"weekend", "周末", "週末"}:
        # The newest Saturday and Sunday that are over, or those of this week.
        return calendar.days(today - timedelta(days=today.weekday() - 5 + 7 * back), 2)
    return calendar.span(calendar.UNITS[match["unit"]], back, today)


def _ago(match: re.Match[str], today: date | None) -> Time | None:
    """So long ago, as roughly as people mean it: a tenth and the unit's own half to either side."""
    if today is None:
        return None
    few = _FEW.get(match["n"], 0)
    count = few or calendar.number(match["n"])
    unit = _LENGTHS[calendar.UNITS[match["unit"]]]
    middle = today - timedelta(days=round(count * unit))
    half = max(1, round(unit / 2 + count * unit / 10)) if unit > 1 else (0 if count < 3 else 1)
    if few == 3:
        half = max(half, round(unit * 2))
    return calendar.days(middle - timedelta(days=half), 2 * half + 1)


_LENGTHS = {"days": 1.0, "weeks": 7.0, "months": 30.44, "years": 365.25}
_EAST_MONTH = r"(?P<month>\d\d?月|十[一二]月|[一二三四五六七八九十]月)"
_EAST_DAY = r"(?P<day>\d\d?|[一二三十]?十?[一二三四五六七八九十])"
_EAST_SEASON = "(?P<season>[春夏秋冬])(?:[天季]|(?=[休のにはも]|$))"
_EAST_N = r"(?P<n>\d{1,3}|[一二两三四五六七八九十几数])"
_EAST_YEARS = ("去", "昨", "前", "一昨", "今")
_EAST_YEAR = rf"(?P<back>{'|'.join(_EAST_YEARS)})"
_SEASON = r"(?P<season>spring|summer|autumn|fall|winter)\b"
_DAY = "|".join(rf"\b{word}\b" if word.isascii() else word for word in _DAY_WORDS)
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
                rf"\b(?P<nth>{'|'.join(_NTH)})\s+(?P<unit>weekend|week|{'|'.join(calendar.DAYS)})"
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
        (rf"\b(?P<last>last|on|this)\s+(?P<day>{'|'.join(calendar.DAYS)})\b", _weekday),
        (rf"(?P<last>上个?)?(?:周|星期|礼拜)(?P<day>[{calendar.EAST_DAYS[0]}天])", _weekday),
        (rf"(?P<last>先週)?の?(?P<day>[{calendar.EAST_DAYS[1]}])曜日?", _weekday),
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

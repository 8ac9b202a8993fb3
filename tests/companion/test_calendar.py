"""Words for numbers and days, and stretches of the calendar."""

from __future__ import annotations

from datetime import date

import pytest

from perdure.companion import calendar
from perdure.companion.calendar import DaySpan

WEDNESDAY = date(2026, 11, 25)


def test_numbers_are_read_in_figures_and_in_words() -> None:
    words = ["12", "a", "twelve", "两", "十", "十一", "二十", "三十一"]
    assert [calendar.number(word) for word in words] == [12, 1, 12, 2, 10, 11, 20, 31]
    for word in ("many", "一二"):
        with pytest.raises(ValueError, match=word):
            calendar.number(word)


def test_months_go_on_into_the_next_year() -> None:
    assert calendar.months(2026, 12) == DaySpan(date(2026, 12, 1), date(2027, 1, 1))
    assert calendar.months(2026, 12, 3) == DaySpan(date(2026, 12, 1), date(2027, 3, 1))
    assert calendar.months_before(WEDNESDAY, 11) == (2025, 12)


@pytest.mark.parametrize(
    ("name", "day"),
    [("wednesday", 18), ("tue", 24), ("monday", 23), ("三", 25), ("一", 23), ("月", 23)],
)
def test_a_day_of_the_week_is_the_newest_one(name: str, day: int) -> None:
    assert calendar.weekday(name, WEDNESDAY) == calendar.days(date(2026, 11, day))


def test_in_the_east_it_is_that_of_a_week() -> None:
    assert calendar.weekday("天", WEDNESDAY) is None
    assert calendar.weekday("天", WEDNESDAY, of_last_week=True) == calendar.days(date(2026, 11, 22))


def test_weeks_begin_on_monday() -> None:
    assert calendar.span("weeks", 1, WEDNESDAY) == calendar.days(date(2026, 11, 16), 7)
    assert calendar.span("months", 11, WEDNESDAY) == calendar.months(2025, 12)
    assert calendar.span("years", 1, WEDNESDAY) == calendar.months(2025, 1, 12)

"""Dates as people write them."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from perdure.snapshot.revisions.dates import parse_date

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 18, 30, 15, tzinfo=BERLIN)  # a Wednesday
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Shanghai", "Asia/Kathmandu", "UTC")


def span(text: str, now: datetime = NOW) -> tuple[str, str] | None:
    found = parse_date(text, now, BERLIN)
    if found is None:
        return None
    return f"{found.begin:%Y-%m-%d %H:%M:%S}", f"{found.end:%Y-%m-%d %H:%M:%S}"


def day(first: str, after: str) -> tuple[str, str]:
    return f"{first} 00:00:00", f"{after} 00:00:00"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-01", day("2026-11-01", "2026-11-02")),
        ("2026/11/1", day("2026-11-01", "2026-11-02")),
        ("2026-10", day("2026-10-01", "2026-11-01")),
        ("2026-12", day("2026-12-01", "2027-01-01")),
        ("Today", day("2026-11-25", "2026-11-26")),
        ("yesterday", day("2026-11-24", "2026-11-25")),
        ("last monday", day("2026-11-23", "2026-11-24")),
        ("wednesday", day("2026-11-18", "2026-11-19")),
        ("on friday", day("2026-11-20", "2026-11-21")),
        ("last week", day("2026-11-16", "2026-11-23")),
        ("this week", day("2026-11-23", "2026-11-30")),
        ("last month", day("2026-10-01", "2026-11-01")),
        ("last year", day("2025-01-01", "2026-01-01")),
        ("昨天", day("2026-11-24", "2026-11-25")),
        ("２０２６年11月1日", day("2026-11-01", "2026-11-02")),
        ("上周一", day("2026-11-16", "2026-11-17")),
        ("三周前", ("2026-11-04 18:30:15", "2026-11-04 18:30:16")),
        ("2 个月前", ("2026-09-25 18:30:15", "2026-09-25 18:30:16")),
        ("3 weeks ago", ("2026-11-04 18:30:15", "2026-11-04 18:30:16")),
        ("a month ago", ("2026-10-25 18:30:15", "2026-10-25 18:30:16")),
        ("an hour ago", ("2026-11-25 17:30:15", "2026-11-25 17:30:16")),
        ("2026-11-01 14:30", ("2026-11-01 14:30:00", "2026-11-01 14:31:00")),
        ("2026-11-01T14:30:05", ("2026-11-01 14:30:05", "2026-11-01 14:30:06")),
        ("yesterday at 9:05", ("2026-11-24 09:05:00", "2026-11-24 09:06:00")),
        ("14:30", ("2026-11-25 14:30:00", "2026-11-25 14:31:00")),
        ("2026-11-01T14:30:00+00:00", ("2026-11-01 15:30:00", "2026-11-01 15:30:01")),
    ],
)
def test_what_is_taken(text: str, expected: tuple[str, str]) -> None:
    assert span(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "main", "2026-13-01", "2026-02-30", "tomorrow", "ago", "weeks ago", "3 moons ago", "7",
     "2026", "2026-11-01 25:00", "last blue moon", "99999 years ago", "-1 days ago", "now()"],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    assert span(text) is None


def test_a_month_ago_from_a_longer_month_is_its_last_day() -> None:
    march = datetime(2026, 3, 31, 8, tzinfo=BERLIN)
    assert span("a month ago", march) == ("2026-02-28 08:00:00", "2026-02-28 08:00:01")


def test_a_day_of_25_hours_is_a_day() -> None:
    """Clocks went back on 25 October: the day is longer, hours ago run on."""
    found = parse_date("2026-10-25", NOW, BERLIN)
    assert found is not None
    assert found.end.astimezone(UTC) - found.begin.astimezone(UTC) == timedelta(hours=25)
    before = datetime(2026, 10, 25, 4, tzinfo=BERLIN)
    assert span("3 hours ago", before) == ("2026-10-25 02:00:00", "2026-10-25 02:00:01")
    found = parse_date("3 hours ago", before, BERLIN)
    assert found is not None
    assert found.begin.utcoffset() == timedelta(hours=2)


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_those_of_the_systems_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        found = parse_date("2026-07-01", datetime(2026, 11, 1, tzinfo=UTC))
        assert found is not None
        assert found.begin == datetime(2026, 7, 1, tzinfo=ZoneInfo(zone))
    time.tzset()


@settings(max_examples=60)
@given(
    st.integers(1, 400),
    st.sampled_from(["second", "minute", "hour", "day", "week", "month", "year"]),
    st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - the zone comes apart
    st.sampled_from(ZONES),
)
def test_ago_is_gits(count: int, unit: str, wall: datetime, zone: str) -> None:
    """Git's own reading of "N units ago" is the second opinion."""
    count = min(count, 9) if unit == "year" else min(count, 100) if unit == "month" else count
    assume(wall.day <= 28 or unit not in {"month", "year"})  # git lets 31 February run into March
    now = wall.replace(microsecond=0, tzinfo=ZoneInfo(zone))
    text = f"{count} {unit}{'s' * (count > 1)} ago"
    found = parse_date(text, now, ZoneInfo(zone))
    assert found is not None
    naive = found.begin.replace(tzinfo=None, fold=0)
    twice = naive.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone))
    other = naive.replace(tzinfo=ZoneInfo(zone), fold=1)
    if unit not in {"second", "minute", "hour"}:  # git takes a day for 24 hours where clocks change
        assume(found.begin.utcoffset() == now.utcoffset())
    assume(twice.replace(tzinfo=None) == naive and twice.utcoffset() == other.utcoffset())
    environ = {"TZ": zone, "GIT_TEST_DATE_NOW": str(int(now.timestamp()))}
    done = subprocess.run(
        ["git", "rev-parse", f"--since={text}"],
        env=dict(os.environ) | environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == f"--max-age={int(found.begin.timestamp())}"


@settings(max_examples=400)
@given(st.text(max_size=25) | st.from_regex(r"[0-9 a-z:年月日前-]{1,20}", fullmatch=True))
def test_any_text_is_a_time_or_refused_and_the_same_each_time(text: str) -> None:
    found = parse_date(text, NOW, BERLIN)
    assert found == parse_date(f"  {text.upper()} ", NOW, BERLIN)
    if found is not None:
        assert found.begin < found.end


@given(st.dates(date(1970, 1, 2), date(2200, 1, 1)), st.sampled_from(ZONES))
def test_a_written_day_is_that_day(written: object, zone: str) -> None:
    found = parse_date(str(written), NOW, ZoneInfo(zone))
    assert found is not None
    assert (found.begin.date(), found.begin.time().isoformat()) == (written, "00:00:00")

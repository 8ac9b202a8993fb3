from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from perdure.companion.readme import updated_readme

PAGE = b"# Mira\n\n- [Who](persona/)\n- [What was said](conversations/)\n- [How](RESTORE.md)\n"
MONTHS = st.lists(st.from_regex(r"20[0-9]{2}-[01][0-9]", fullmatch=True), max_size=20)


def fresh(page: bytes, *months: str, assets: tuple[str, ...] = ()) -> str:
    return updated_readme(page, name="Mira", months=months, assets=assets).decode()


def test_months_are_listed_the_newest_first_and_twelve_at_most() -> None:
    shown = fresh(PAGE, *(f"2026-{n:02}" for n in range(1, 13)), "2027-01")
    links = re.findall(r"^  - \[(.*)\]\(conversations/(.*)/\)$", shown, re.MULTILINE)
    assert [first for first, _ in links] == ["2027-01", *(f"2026-{n:02}" for n in range(12, 1, -1))]
    assert all(first == second for first, second in links)
    assert shown.index("2026-02") < shown.index("RESTORE.md")


def test_a_folder_of_another_name_is_no_month() -> None:
    assert fresh(PAGE, "2026-11", "](evil)", "notes") == fresh(PAGE, "2026-11")


def test_an_avatar_goes_over_the_title_once() -> None:
    shown = fresh(PAGE, assets=("other.png", "avatar.webp"))
    assert shown.startswith("![Mira](assets/avatar.webp)\n\n# Mira\n")
    assert fresh(shown.encode(), assets=("avatar.webp",)) == shown
    mine = b"My own words.\n\n" + PAGE
    assert fresh(mine, assets=("avatar.png",)) == mine.decode()


def test_another_page_is_left_alone() -> None:
    for page in (b"", b"# Mira\n\nJust this.\n", b"\xff\xfe", b"- [x](persona/)\r\n"):
        assert updated_readme(page, name="Mira", months=["2026-11"], assets=[]) == page


@given(st.text(max_size=80), st.text(max_size=80), MONTHS, MONTHS)
def test_every_other_line_stays_and_a_second_look_changes_nothing(
    before: str, after: str, earlier: list[str], months: list[str]
) -> None:
    page = f"{before}\n- [What was said](conversations/)\n{after}".encode()
    once = updated_readme(page, name="Mira", months=earlier, assets=[])
    assert updated_readme(once, name="Mira", months=earlier, assets=[]) == once
    twice = updated_readme(once, name="Mira", months=[*earlier, *months], assets=[])
    assert twice == updated_readme(page, name="Mira", months=[*earlier, *months], assets=[])
    links = re.compile(rb"  - \[20..-..\]\(conversations/20..-../\)\n")
    assert links.sub(b"", twice) == page

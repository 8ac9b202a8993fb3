from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import perdure.companion.clock
from tests.chat.test_session import talk
from tests.conftest import assert_sound, git
from tests.views.why_lives import moving_clock


def subjects(path: Path) -> list[str]:
    return git(path, "log", "--format=%s", "--reverse").splitlines()


async def test_the_readme_gets_a_month_before_its_first_talk(companion: Path) -> None:
    with moving_clock() as wait:
        await talk(companion, "One.")
        assert not any("README" in each for each in subjects(companion))
        wait(timedelta(days=32))
        await talk(companion, "Two.", "Three.")
        month = f"{perdure.companion.clock.now():%Y-%m}"
        said = [each for each in subjects(companion) if "README" in each or "turn:" in each]
        assert said == [
            "turn: One.",
            f"companion: the README has {month}",
            "turn: Two.",
            "turn: Three.",
        ]
        assert f"](conversations/{month}/)" in (companion / "README.md").read_text()
        assert "Base" not in git(companion, "log", "-2", "--format=%B")
        assert_sound(companion)


async def test_a_readme_that_was_taken_away_stays_away(companion: Path) -> None:
    git(companion, "rm", "-q", "README.md")
    git(companion, "commit", "-qm", "companion: no page")
    with moving_clock() as wait:
        wait(timedelta(days=32))
        await talk(companion, "One.")
    assert not (companion / "README.md").exists()
    assert_sound(companion)


async def test_words_of_ones_own_stay_in_the_readme(companion: Path) -> None:
    page = companion / "README.md"
    page.write_text(page.read_text().replace("\n- [", "\nMy own words.\n\n- [", 1))
    with moving_clock() as wait:
        wait(timedelta(days=32))
        await talk(companion, "One.")
        month = f"{perdure.companion.clock.now():%Y-%m}"
    assert "My own words." in page.read_text()
    assert f"[{month}]" in page.read_text()
    assert_sound(companion)


async def test_months_that_two_lives_added_come_together(companion: Path) -> None:
    await talk(companion, "Before.")
    with moving_clock() as wait:
        wait(timedelta(days=32))
        git(companion, "branch", "other")
        await talk(companion, "One.")
        first = f"{perdure.companion.clock.now():%Y-%m}"
        git(companion, "switch", "-q", "other")
        wait(timedelta(days=32))
        await talk(companion, "Two.")
        second = f"{perdure.companion.clock.now():%Y-%m}"
        git(companion, "merge", "-q", "-m", "merge: both", "main")
        page = (companion / "README.md").read_text()
        assert f"[{first}]" in page
        assert f"[{second}]" in page

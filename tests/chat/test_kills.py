from __future__ import annotations

from pathlib import Path

from tests.chat.kill_chat import kill_many


def test_kills_at_random_moments_lose_nothing_that_was_shown(tmp_path: Path) -> None:
    """The short version of `python -m tests.chat.kill_chat --times 200`."""
    outcome = kill_many(tmp_path / "mira", times=8, seed=11)
    assert outcome.faults == []
    assert outcome.kills == 8
    assert outcome.saved > 0

"""A companion, a place that has her, and a second device."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rescue.devices import add_backup, clone, say, sync


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A bare repository to come."""
    return tmp_path / "place.git"


@pytest.fixture
def first(companion: Path, place: Path) -> Path:
    """The companion, synced with the place after one turn."""
    say(companion, "the first thing")
    add_backup(companion, place)
    sync(companion)
    return companion


@pytest.fixture
def second(first: Path, place: Path, tmp_path: Path) -> Path:
    """A clone of her."""
    return clone(place, tmp_path / "second")

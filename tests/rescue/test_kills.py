"""A sync that ends at any of its writes: nothing half-done is seen, and the next one succeeds.

Some of them here; each of them with ``python -m tests.rescue.kill_sync``, also ``--full``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rescue.kill_sync import prepared, run_once


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    prepared(folder)
    return folder


@pytest.mark.parametrize("at", [2, 45, 90, 130, 165, 190])
def test_killed_at_a_write(start: Path, at: int) -> None:
    assert run_once(start, at, full=False)


@pytest.mark.parametrize("at", [10, 75, 150])
def test_the_disk_is_full_from_a_write_on(start: Path, at: int) -> None:
    assert run_once(start, at, full=True)

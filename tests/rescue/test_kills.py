"""A sync that ends at any of its writes: nothing half-done is seen, and the next one succeeds.

Some of them here; each of them with ``python -m tests.rescue.kill_sync``, also ``--full``. And a
server that is killed: at many places with ``python -m tests.rescue.cut_sync --kills 200``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rescue import cut_sync
from tests.rescue.kill_sync import count_calls, prepared, run_once


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("start")
    prepared(folder)
    return folder


@pytest.fixture(scope="module")
def calls(start: Path) -> int:
    return count_calls(start)


@pytest.mark.parametrize("share", [0.01, 0.23, 0.43, 0.62, 0.8, 0.95])
def test_killed_at_a_write(start: Path, calls: int, share: float) -> None:
    assert run_once(start, round(share * calls), full=False)


@pytest.mark.parametrize("share", [0.05, 0.43, 0.85])
def test_the_disk_is_full_from_a_write_on(start: Path, calls: int, share: float) -> None:
    assert run_once(start, round(share * calls), full=True)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("far")
    cut_sync.prepared(folder)
    return folder


@pytest.mark.parametrize(("which", "at"), [("push", 200_000), ("pull", 300_000)])
def test_the_server_is_killed_halfway(far: Path, which: str, at: int) -> None:
    cut_sync.run_once(far, which, at, kill=True)

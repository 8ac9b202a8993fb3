"""Finds the remote that a push is for, and begins to connect, before anything else is imported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from perdure.git import layout
from perdure.git.errors import HistoryError
from perdure.git.remotes.record import record_in
from perdure.git.remotes.settings import remotes_in
from perdure.git.state.folder import StateFolder
from perdure.git.wire.address import parse_address
from perdure.git.wire.connect import EarlyConnection

_TURN = 0.0005
"""Seconds after which another thread gets its turn."""


@contextmanager
def connected_early(path: Path, name: str | None) -> Iterator[EarlyConnection | None]:
    """Begin to connect to the first of the remotes that a push is for.

    None where that cannot be told at a glance: whoever looks closer says why. None too where
    nothing was pushed yet: before a first push the place is asked as a stranger would ask, and
    nobody signs in there before that, and before the history was looked through.

    Args:
        path: the companion's folder, which must be the user's own as always.
        name: of the remote; None: all of them.
    """
    early: EarlyConnection | None = None
    with suppress(HistoryError, OSError):
        place = layout.find(path)
        remotes = remotes_in(place.git_dir)
        found = next((each for each in remotes if name in {None, each.name}), None)
        if found is not None and found.secret is None:
            record = record_in(StateFolder(place), found.name, found.url)
            if record.is_checked:
                early = EarlyConnection(parse_address(found.url), found.name)
    if early is None:
        yield None
        return
    # The thread that speaks needs a moment many times; imports would let it wait 5 ms for each.
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        with early:
            yield early
    finally:
        sys.setswitchinterval(usual)

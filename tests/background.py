"""What goes on beside a talk, and nothing in the product waits for."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from perdure.chat.session import Session
from perdure.git.packs import background


async def idle(session: Session) -> None:
    """Wait for the end of what a session writes down between turns."""
    running = session.remembering._running
    if running is not None:
        await asyncio.wait({running})


def wait_for_children(seconds: float) -> bool:
    """Wait until no packing process started by this one is left; False when the time is over."""
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            background._reap()
        if not background._children:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)


@contextlib.contextmanager
def unpacked(companion: Path) -> Iterator[None]:
    """No packs are joined meanwhile: git's fsck does not look again for one that goes beside it."""
    lock = background.lock_of(companion / ".git")
    lock.take(wait=60.0)
    with lock:
        yield

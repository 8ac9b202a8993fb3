"""What goes on beside a talk, and nothing in the product waits for."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

from perdure import child
from perdure.chat.session import Session
from perdure.git.packs import background


async def idle(session: Session) -> None:
    """Wait for the end of what a session writes down between turns."""
    running = session.memory._running
    if running is not None:
        await asyncio.wait({running})


def wait_for_children() -> None:
    """Wait until no packing process started by this one is left."""
    while child.spawned:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(next(iter(child.spawned)), 0)
        child.reap()


@contextlib.contextmanager
def unpacked(companion: Path) -> Iterator[None]:
    """No packs are joined meanwhile: git's fsck does not look again for one that goes beside it."""
    lock = background.packing_lock(companion / ".git")
    lock.take(wait=math.inf)
    with lock:
        yield

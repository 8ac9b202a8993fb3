"""The process that packs: ``python -P -m perdure.git.maintenance.process GITDIR``.

Afterwards it brings the timeline's index level. It ends by itself when nothing is due any more, and
may be killed at any time.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import DamagedRepository
from perdure.git.maintenance.refresh_timeline import bring_level
from perdure.git.packs import write
from perdure.git.packs.background import failure_file, loose_are_many, packing_lock
from perdure.git.packs.repack import Repacking

_NICE = 10
"""A tenth of what a turn gets. At 19, a sixtieth, packing would not come to its end where other
programs keep the machine busy all day.
"""
_REST = 0.02
"""Seconds without a write after each piece of a pack: two or three turns' fsyncs fit in."""


def work(git_dir: Path) -> int:
    """Take every packing step that is due. Returns the exit code: 0 done, 1 failed."""
    lock = packing_lock(git_dir)
    if not lock.try_take():
        return 0
    with lock:
        failed = failure_file(git_dir)
        trouble = ""
        try:
            for _ in Repacking(git_dir).steps():
                pass
            if loose_are_many(git_dir / "objects"):
                trouble = "loose objects that cannot be read are left"
        except (OSError, DamagedRepository) as error:
            trouble = str(error)
        with contextlib.suppress(OSError):
            if trouble:
                _note(failed, trouble)
            else:
                failed.unlink(missing_ok=True)
        return 1 if trouble else 0


def _note(failed: Path, trouble: str) -> None:
    try:
        disk.replace_file(failed, f"{trouble}\n".encode(), synced=False)
    except OSError:
        # Without room for the reason the file alone keeps every turn from trying again.
        failed.touch()


def step_back() -> None:
    """Lower this process's priority.

    A session of processes is a scheduling group of its own on Linux (autogroup, sched(7)): within
    it `nice` has nobody to yield to, so the group is put back as well.
    """
    with contextlib.suppress(OSError):
        os.nice(_NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICE), "ascii")


def main() -> int:
    """Detach from the terminal, inherited descriptors and the current folder."""
    git_dir = Path(sys.argv[1])
    os.closerange(3, 4096)
    with contextlib.suppress(OSError):
        os.setsid()
    step_back()
    write.rest = _REST
    os.chdir("/")
    code = work(git_dir)
    bring_level(git_dir)
    return code


if __name__ == "__main__":
    sys.exit(main())

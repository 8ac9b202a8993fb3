"""The process that syncs: ``python -P -m perdure.rescue.process FOLDER``.

It waits for the moment that `perdure.rescue.due` names, syncs with every remote, and ends by itself
when nothing is left, when syncing is off, when it failed too often, or when the folder has gone. It
may be killed at any time. What it could not do stands in each remote's record, where the status
line and ``perdure list`` find it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from perdure.actions.workspace import Workspace
from perdure.companion.config.settings import SyncPolicy
from perdure.errors import Problem
from perdure.git.maintenance.process import step_back
from perdure.git.refs.refs import HEADS, TAGS
from perdure.git.remotes.background import nudge_file, sync_lock
from perdure.git.remotes.record import read_record
from perdure.git.remotes.settings import list_remotes
from perdure.git.repository.repository import Repository
from perdure.rescue.due import Waiting, due_at
from perdure.views.remotes import at_risk

_LOOK = 1.0
"""Seconds between two looks."""
_STAYS = 20.0
"""Seconds for which it stays after a sync, so that a steady conversation starts it once."""
_TRIES = 8
"""Failures in a row after which it ends; the next turn starts it again."""


class Clock(Protocol):
    """Where the process takes its time from."""

    def now(self) -> float:
        """Seconds, which never go back."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait."""
        ...


class _Monotonic:
    """Time that neither a set clock nor a machine that sleeps moves on."""

    def now(self) -> float:
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


class Background:
    """Syncs one repository until nothing is left to do."""

    def __init__(self, repo: Repository, clock: Clock | None = None) -> None:
        """``clock``: the machine's, without one."""
        self._repo = repo
        self._clock: Clock = clock or _Monotonic()
        self._folder = _identity(repo.git_dir)
        self._seen: object = None
        self._has_synced = False
        self._refs: dict[str, str] = {}
        self._policy: SyncPolicy = "off"
        self._waiting: Waiting | None = None
        self._failures, self._failed_at = 0, 0.0

    def run(self) -> None:
        """Look, wait and sync; ends when all is synced, or cannot be."""
        last = self._clock.now()
        while self._failures < _TRIES and self._is_there():
            self._look()
            now = self._clock.now()
            if self._waiting is not None:
                last = now
                at = due_at(self._policy, self._waiting)
                if at is None:
                    return
                if now >= at:
                    self._sync()
                    continue
            elif now - last > _STAYS:
                return
            self._clock.pause(_LOOK)

    def has_more(self) -> bool:
        """Whether something came that it has not looked at."""
        return self._is_there() and self._seen != _mark(self._repo)

    def _is_there(self) -> bool:
        return self._folder is not None and _identity(self._repo.git_dir) == self._folder

    def _look(self) -> None:
        """Look at the branches and tags: has anything changed, and is it on every remote?"""
        mark = _mark(self._repo)
        if mark != self._seen or self._has_synced:
            self._seen, self._has_synced = mark, False
            self._compare()
        is_nudged = nudge_file(self._repo).exists()
        if self._waiting is None:
            if is_nudged:
                nudge_file(self._repo).unlink(missing_ok=True)
            return
        self._waiting = replace(
            self._waiting, nudged=is_nudged, failures=self._failures, failed_at=self._failed_at
        )

    def _compare(self) -> None:
        """Compare the refs with what the remotes have."""
        refs = _refs(self._repo)
        if is_level(self._repo):
            self._waiting = None
        elif refs != self._refs or self._waiting is None:
            now = self._clock.now()
            lacks = at_risk(self._repo)
            since = self._waiting.since if self._waiting is not None else now
            self._waiting = Waiting(since, now, lacks.turns if lacks is not None else 0)
            self._policy = Workspace(self._repo).settings.sync
        self._refs = refs

    def _sync(self) -> None:
        from perdure.rescue.run import sync_by_itself

        nudge_file(self._repo).unlink(missing_ok=True)
        try:
            is_done = sync_by_itself(Workspace(self._repo))
        except (Problem, OSError):
            is_done = False
        self._failures = 0 if is_done else self._failures + 1
        self._failed_at = self._clock.now()
        # What was said meanwhile waits from here on.
        self._has_synced = True
        if is_done:
            self._waiting = None


def _identity(folder: Path) -> tuple[int, int] | None:
    """Which folder stands there; None where there is none."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _mark(repo: Repository) -> object:
    """Changes whenever a branch or tag does: a ref is replaced, and so its folder changes."""
    found: list[tuple[str, int]] = []
    stack = [str(repo.git_dir / "refs" / "heads"), str(repo.git_dir / "refs" / "tags")]
    while stack:
        folder = stack.pop()
        with contextlib.suppress(OSError):
            found.append((folder, Path(folder).stat().st_mtime_ns))
            with os.scandir(folder) as entries:
                stack += [each.path for each in entries if each.is_dir(follow_symlinks=False)]
    with contextlib.suppress(OSError):
        packed = (repo.git_dir / "packed-refs").stat()
        found.append(("", packed.st_mtime_ns))
    return sorted(found)


def _refs(repo: Repository) -> dict[str, str]:
    refs = repo.parts().refs
    return {**refs.names(HEADS), **refs.names(TAGS)}


def is_level(repo: Repository) -> bool:
    """Whether every remote that is not paused is known to have all that is here."""
    here = _refs(repo)
    for remote in list_remotes(repo):
        record = read_record(repo, remote.name, remote.url)
        if record.pause is None and not record.has(here):
            return False
    return True


def work(path: Path, clock: Clock | None = None) -> int:
    """Sync in the background, unless another process does. Returns the exit code."""
    with Repository.open(path) as repo:
        while True:
            lock = sync_lock(repo)
            if not lock.try_take():
                return 0
            with lock:
                background = Background(repo, clock)
                background.run()
            # What came while the lock was still held started no other process.
            if not background.has_more():
                return 0


def main() -> int:
    """Detach from the terminal, inherited descriptors and the current folder."""
    path = Path(sys.argv[1])
    os.closerange(3, 4096)
    with contextlib.suppress(OSError):
        os.setsid()
    step_back()
    os.chdir("/")
    try:
        return work(path)
    except (Problem, OSError):
        # The folder is gone, or cannot be read: whoever opens it next is told.
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""The process that syncs: ``python -P -m perdure.rescue.process FOLDER``.

It waits for the moment that `perdure.rescue.due` names, syncs with every remote, and ends by itself
when nothing is left. It may be killed at any time. What it could not do stands in each remote's
record, where the status line and ``perdure list`` find it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

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
"""Seconds between two looks at the branches."""
_STAYS = 20.0
"""Seconds for which it stays after a sync, so that a steady conversation starts it once."""
_TRIES = 4
"""Failures in a row after which it ends; the next turn starts it again."""


class Background:
    """Syncs one repository until nothing is left to do."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._seen: dict[str, str] = {}
        self._waiting: Waiting | None = None
        self._failures, self._failed_at = 0, 0.0

    def run(self) -> None:
        """Look, wait and sync; ends when all is synced, or cannot be."""
        last = time.time()
        while self._failures < _TRIES:
            self._look()
            if self._waiting is not None:
                last = time.time()
                at = due_at(self._policy(), self._waiting)
                if at is None:
                    return
                if last >= at:
                    self._sync()
            elif time.time() - last > _STAYS:
                return
            time.sleep(_LOOK)

    def _look(self) -> None:
        """Look at the branches and tags: has anything changed, and is it on every remote?"""
        here = _refs(self._repo)
        now = time.time()
        if here != self._seen:
            self._seen = here
            if is_level(self._repo):
                self._waiting = None
                return
            since = self._waiting.since if self._waiting is not None else now
            lacks = at_risk(self._repo)
            self._waiting = Waiting(since, now, lacks.turns if lacks is not None else 0)
        if self._waiting is not None:
            self._waiting = Waiting(
                self._waiting.since,
                self._waiting.latest,
                self._waiting.turns,
                nudge_file(self._repo).exists(),
                self._failures,
                self._failed_at,
            )

    def _policy(self) -> SyncPolicy:
        return Workspace(self._repo).settings.sync

    def _sync(self) -> None:
        from perdure.git.wire.errors import RemoteProblem
        from perdure.rescue.run import sync_each

        nudge_file(self._repo).unlink(missing_ok=True)
        failed = False
        try:
            workspace = Workspace(self._repo)
            for _, found in sync_each(workspace, list_remotes(self._repo)):
                failed = failed or isinstance(found, RemoteProblem) or not found.is_level
        except Problem:
            failed = True
        self._failures = self._failures + 1 if failed else 0
        self._failed_at = time.time()
        self._seen = {}
        if not failed:
            self._waiting = None


def _refs(repo: Repository) -> dict[str, str]:
    refs = repo.parts().refs
    return {**refs.names(HEADS), **refs.names(TAGS)}


def is_level(repo: Repository) -> bool:
    """Whether every remote that is not paused is known to have all that is here."""
    here = _refs(repo)
    for remote in list_remotes(repo):
        record = read_record(repo, remote.name, remote.url)
        if record.pause is None and any(record.agreed.get(ref) != oid for ref, oid in here.items()):
            return False
    return True


def work(path: Path) -> int:
    """Sync in the background, unless another process does. Returns the exit code."""
    with Repository.open(path) as repo:
        while True:
            lock = sync_lock(repo)
            if not lock.try_take():
                return 0
            with lock:
                Background(repo).run()
            # What was said while the lock was still held started no other process.
            if is_level(repo) or read_failed(repo):
                return 0


def read_failed(repo: Repository) -> bool:
    """Whether the last try failed with some remote."""
    records = (read_record(repo, each.name, each.url) for each in list_remotes(repo))
    return any(record.trouble for record in records)


def main() -> int:
    """Detach from the terminal, inherited descriptors and the current folder."""
    path = Path(sys.argv[1])
    os.closerange(3, 4096)
    with contextlib.suppress(OSError):
        os.setsid()
    step_back()
    os.chdir("/")
    return work(path)


if __name__ == "__main__":
    sys.exit(main())

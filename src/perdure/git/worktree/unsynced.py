"""Index entries and work files that still have to be brought to their branch, on disk."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping

from perdure.git import disk
from perdure.git.layout import Layout
from perdure.git.objects.tree import Blobs, oid_of
from perdure.git.state import fields

Waiting = dict[str, dict[str, list[str | None]]]
"""Per branch and path the blobs that index entry and work file may still have."""


class PendingSync:
    """What one work tree still has to sync. The caller holds the commit lock."""

    def __init__(self, layout: Layout) -> None:
        self._own = layout.own
        name = "main" if layout.own == layout.git_dir else layout.own.name
        self._file = layout.state / f"level-{name}.json"
        self._in_memory: Waiting = {}

    @property
    def is_waiting(self) -> bool:
        """Whether anything is pending."""
        return bool(self._in_memory) or self._file.exists()

    def read(self) -> Waiting:
        """Everything that is pending."""
        if self._in_memory:
            return self._in_memory
        try:
            value = json.loads(disk.read_file(self._file))
        except (OSError, ValueError, RecursionError):
            return {}
        rows = value.items() if isinstance(value, dict) else ()
        read = {name: fields.blobs(paths) for name, paths in rows if fields.is_branch(name)}
        return {name: paths for name, paths in read.items() if paths}

    def former(self, branch: str) -> Mapping[str, list[str | None]]:
        """The blobs pending for each path of a branch, newest last."""
        return self.read().get(branch, {}) if self.is_waiting else {}

    def add(self, branch: str, blobs: Blobs) -> None:
        """Record changes that are to be applied to index and files as soon as possible."""
        pairs = {path: [*map(oid_of, pair)] for path, pair in blobs.items()}
        self.note(branch, pairs)

    def note(self, branch: str, blobs: Mapping[str, Iterable[str | None]]) -> None:
        """Record which blobs the index entry and work file of each path may still hold."""
        waiting = self.read()
        paths = waiting.setdefault(branch, {})
        for path, oids in blobs.items():
            former = paths.setdefault(path, [])
            for oid in oids:
                if oid in former:
                    former.remove(oid)
                former.append(oid)
        # On a full disk this session at least remembers.
        self._in_memory = waiting
        disk.replace_file(self._file, json.dumps(waiting).encode(), synced=False)
        self._in_memory = {}

    def announce(self, branch: str, blobs: Blobs) -> bool:
        """Record, before a commit, what must be in sync after it; on disk when this returns.

        For commits that no journal names: without this a kill between the branch and the index
        would leave the index behind, and the next ``git commit`` take the change back.

        Returns:
            Whether `withdraw` may forget it: nothing else was waiting.
        """
        was_waiting = self.is_waiting
        self.add(branch, blobs)
        with self._file.open("rb") as file:
            disk.sync_data(file.fileno())
        disk.sync_folder(self._file.parent)
        return not was_waiting

    def withdraw(self) -> None:
        """Forget what `announce` recorded, now that index and files are on disk."""
        self._in_memory = {}
        with contextlib.suppress(OSError):
            self._forget()

    def replace(self, waiting: Mapping[str, Mapping[str, list[str | None]]]) -> None:
        """Replace everything that is pending."""
        self._in_memory = {}
        if waiting:
            disk.replace_file(self._file, json.dumps(waiting).encode(), synced=False)
        else:
            self._forget()

    def _forget(self) -> None:
        disk.sync_folder(self._own)
        self._file.unlink(missing_ok=True)

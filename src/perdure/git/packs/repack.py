"""Background packing: turns what sessions wrote into a few small packs of deltas.

Two kinds of steps. *Fresh*: packs that sessions have joined, and loose objects that git left when
there are many, become one pack in which each older version of a path is a delta of the next newer
one. *Merge*: eight packs of about one size become one; entries are copied with the base that they
have. Eight becomes one at most twice, so an object is written three times in its life, and reading
a companion of any age meets some tens of packs.

A step leaves what was there until the new pack has been read back, every object hashed, and is on
the disk with its folder; so a crash leaves the old packs, or both. `docs/durability.md` has the
order. Whoever runs a step holds ``state/packing.lock``; the commit lock is not needed, since
sessions and this module keep lists of their own and never touch a pack of the other's list but
after it was replaced.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import DamagedRepository
from perdure.git.objects.pack import PackFile
from perdure.git.objects.store import MOST_BYTES, ObjectStore
from perdure.git.packs.background import JOINED_LIMIT, LOOSE_LIMIT, loose_are_many
from perdure.git.packs.delta_order import write_versions
from perdure.git.packs.join import Join
from perdure.git.packs.scan import Content, contents
from perdure.git.packs.small import (
    PROTECTED,
    has_index_chain,
    read_list,
    remove_multi_pack_index,
    remove_pack,
    write_list,
)
from perdure.git.packs.write import BACKGROUND_PREFIX, PackStream, remove_unfinished

_NAME = re.compile(r"[0-9a-f]{38}")
Objects = dict[bytes, tuple[bytes, bytes]]
"""Kind and content by id."""

FAN = 8
"""Packs of one tier that are merged."""
FIRST_TIER, LAST_TIER = 4, 6
"""Tiers of delta packs: fresh ones, of 8, of 64; those of 64 (some 16,000 turns) stay."""
STEP_PACKS = 32
_STEP_BYTES = 8 * 1024 * 1024
"""Compressed bytes of one fresh step, which has its objects in memory."""
_STEP_LOOSE = 8192
_LARGEST = 1024 * 1024 * 1024
"""Bytes above which packs are not merged; indexes here name offsets below 2 GiB only."""


class Repacking:
    """The packing steps of one repository."""

    def __init__(self, git_dir: Path) -> None:
        self._git_dir = git_dir
        self._folder = git_dir / "objects" / "pack"
        self._state = git_dir / "perdure" / "state"
        self._list = self._state / "packed"
        self._store = ObjectStore(git_dir / "objects")
        self._unfit: set[str] = set()

    def steps(self) -> Iterator[str]:
        """Remove what a dead process left unfinished, then run every step that is due.

        Yields:
            What each step did.

        Raises:
            OSError: no space, no permission. What was there is untouched.
            DamagedRepository: a pack did not read back as it was written, and was dropped.
        """
        remove_unfinished(self._folder, BACKGROUND_PREFIX)
        while not has_index_chain(self._folder) and not git_is_packing(self._git_dir):
            done = self._pack_joined() or self._pack_loose() or self._merge_tier()
            if not done:
                return
            yield done

    # Fresh packs

    def _sources(self) -> list[str]:
        """Packs of sessions, oldest first: the list has them in the order of writing."""
        waiting = read_list(self._state / "packs", self._folder)
        joined = [n for n, tier in waiting.free.items() if tier > 1 and n not in self._unfit]
        if len(joined) < JOINED_LIMIT:
            return []
        chosen: list[str] = []
        size = 0
        for name in joined[:STEP_PACKS]:
            size += (self._folder / f"{name}.pack").stat().st_size
            if chosen and size > _STEP_BYTES:
                break
            chosen.append(name)
        return chosen

    def _pack_joined(self) -> str:
        objects: Objects = {}
        sound: list[str] = []
        for name in self._sources():
            found = self._all_of(name)
            if found is None:
                self._unfit.add(name)
                continue
            sound.append(name)
            objects.update(found)
        if not sound:
            return ""
        self._write(objects)
        self._remove(sound)
        return f"{len(sound)} packs made small"

    def _all_of(self, name: str) -> Objects | None:
        """What a pack holds; None where anything in it is damaged: it is then left as it is."""
        found: Objects = {}
        try:
            for content in contents(PackFile(self._folder / f"{name}.idx")):
                if not content.is_sound:
                    return None
                found[content.oid] = content.kind, content.data
        except (OSError, DamagedRepository):
            return None
        return found

    def _write(self, objects: Objects) -> None:
        with PackStream(self._folder, len(objects)) as stream:
            write_versions(stream, objects)
            new = stream.finish()
            # Listed first: a name without a pack is passed over, a pack that no list has is never
            # merged.
            packed = read_list(self._list, self._folder)
            write_list(self._list, {**packed.packs, new: FIRST_TIER}, synced=True)
            stream.put_in_place()

    def _pack_loose(self) -> str:
        root = self._store.folder
        if not loose_are_many(root):
            return ""
        objects: Objects = {}
        paths: list[Path] = []
        size = 0
        for path in loose_files(root):
            oid = path.parent.name + path.name
            if oid in self._unfit:
                continue
            with contextlib.suppress(OSError, DamagedRepository):
                found = self._store.loose(oid, MOST_BYTES)
                content = Content(bytes.fromhex(oid), *(found or (b"", b"")))
                if found is None or not content.is_sound:
                    self._unfit.add(oid)
                    continue
                objects[content.oid] = found
                paths.append(path)
                size += len(content.data)
            if len(paths) >= _STEP_LOOSE or size > 8 * _STEP_BYTES:
                break
        if len(paths) < LOOSE_LIMIT // 4:
            return ""
        self._write(objects)
        for path in paths:
            path.unlink(missing_ok=True)
        return f"{len(paths)} loose objects packed"

    # Merging

    def _merge_tier(self) -> str:
        packed = read_list(self._list, self._folder)
        for tier in range(FIRST_TIER, LAST_TIER):
            while True:
                free = packed.free.items()
                names = [n for n, t in free if t == tier and n not in self._unfit][:FAN]
                if len(names) < FAN:
                    break
                if self._merge(names, tier, packed.packs):
                    return f"{FAN} packs of tier {tier} merged"
        return ""

    def _merge(self, names: Sequence[str], tier: int, packed: dict[str, int]) -> bool:
        """Merge packs, given oldest first. False when some are not fit for it, which is noted."""
        packs = [PackFile(self._folder / f"{name}.idx") for name in reversed(names)]
        unfit = {pack.name for pack in packs if not pack.is_whole()}
        if sum(len(pack.pack) for pack in packs) > _LARGEST:
            unfit.update(names)
        if unfit:
            self._unfit |= unfit
            return False
        plan = Join(packs, self._store)
        with PackStream(self._folder, plan.count) as stream:
            plan.write(stream)
            new = stream.finish()
            # It stands where its parts stand, which are gone from the list when they are gone.
            after: dict[str, int] = {}
            for name, level in packed.items():
                after[name] = level
                if name == names[-1]:
                    after[new] = tier + 1
            write_list(self._list, after, synced=True)
            stream.put_in_place()
        self._remove([name for name in names if name != new])
        return True

    def _remove(self, replaced: Sequence[str]) -> None:
        """Remove what a pack that is in place and on the disk replaces."""
        if not remove_multi_pack_index(self._folder):
            return
        # Marks that somebody has set since are heeded.
        for name in replaced:
            if not any((self._folder / (name + mark)).exists() for mark in PROTECTED):
                self._store.drop_pack(name)
                remove_pack(self._folder, name)


def git_is_packing(git_dir: Path) -> bool:
    """Whether a `git gc` that is alive holds its ``gc.pid`` here."""
    try:
        text = disk.read_file(git_dir / "gc.pid", most=1024).decode("utf-8", "replace")
        pid, _, host = text.strip().partition(" ")
        if host != socket.gethostname():
            return False
        os.kill(int(pid), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, OverflowError):
        return False
    return True


def loose_files(objects: Path) -> Iterator[Path]:
    """Files that hold one object each."""
    for number in range(256):
        folder = objects / f"{number:02x}"
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            yield from sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))

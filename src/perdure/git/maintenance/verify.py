"""Checks a history: every object is hashed again, and everything that refs reach exists.

dulwich's own check finds neither a missing object nor a broken ref. This one reads every pack in
one pass, so that no delta is applied twice, and only reads: it may be interrupted at any time. In
memory are the ids of all objects (some 200 bytes each) and what they name (4 bytes each), never
their contents.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from perdure.git.errors import DamagedRepository
from perdure.git.maintenance.check_roots import (
    Finding,
    FindingKind,
    Roots,
    collect,
    locks,
)
from perdure.git.objects.pack import PackFile
from perdure.git.objects.store import EMPTY_TREE, OTHER_COPY, ObjectStore
from perdure.git.packs.delta_order import tree_entries
from perdure.git.packs.repack import loose_files
from perdure.git.packs.scan import Content, contents
from perdure.progress import Progress

RECENT = 30 * 86400.0
"""Seconds: an unreachable commit younger than that is mentioned, somebody may be looking for it."""
_MENTIONED = 20
_EVERY = 2048
_LINK = b"160000"


@dataclass(slots=True)
class Report:
    """What a check found.

    Attributes:
        findings: damage first.
        objects: how many objects were read, copies counted.
        packs: how many packs.
        unreachable: objects that nothing leads to; harmless.
        is_complete: False when it was interrupted: then nothing is said about what is missing.
    """

    findings: list[Finding] = field(default_factory=list)
    objects: int = 0
    packs: int = 0
    unreachable: int = 0
    is_complete: bool = True

    @property
    def is_sound(self) -> bool:
        """Whether there is no damage, as far as it was read."""
        return not any(finding.is_damage for finding in self.findings)


class Graph:
    """Which object refers to which, by number."""

    def __init__(self) -> None:
        self.number: dict[bytes, int] = {}
        self.first = array("Q")
        self.count = array("L")
        self.targets = array("L")
        self.kind = bytearray()

    def of(self, oid: bytes) -> int:
        """The number of an object, assigned on first use."""
        number = self.number.get(oid)
        if number is None:
            number = self.number[oid] = len(self.kind)
            self.kind.append(0)
            self.first.append(0)
            self.count.append(0)
        return number

    def put(self, oid: bytes, kind: bytes, named: list[bytes]) -> None:
        """Add a sound object and what it refers to; a second copy changes nothing."""
        number = self.of(oid)
        if self.kind[number]:
            return
        self.kind[number] = kind[0]
        self.first[number] = len(self.targets)
        self.targets.extend([self.of(other) for other in named])
        self.count[number] = len(named)

    def reach(self, starts: list[int]) -> bytearray:
        """Which objects are reached, 1 for each."""
        seen = bytearray(len(self.kind))
        waiting = starts
        while waiting:
            number = waiting.pop()
            if not seen[number]:
                seen[number] = 1
                begin = self.first[number]
                waiting.extend(
                    other
                    for other in self.targets[begin : begin + self.count[number]]
                    if not seen[other]
                )
        return seen


class _Stopped(Exception):
    """The check was cancelled."""


class _Check:
    def __init__(
        self, git_dir: Path, progress: Progress | None, should_stop: Callable[[], bool] | None
    ) -> None:
        self._git_dir = git_dir
        self._progress = progress
        self._should_stop = should_stop
        self._store = ObjectStore(git_dir / "objects")
        self._folders = [git_dir / "objects", *self._store.alternates()]
        self._graph = Graph()
        self._broken: dict[bytes, str] = {}
        self._met: set[Path] = set()
        self._total = 0
        self.report = Report()
        self._shallow = _words(git_dir / "shallow")
        self._is_partial = any((git_dir / "objects" / "pack").glob("*.promisor"))

    def run(self) -> None:
        roots = collect(self._git_dir)
        try:
            self._read_all()
        except _Stopped:
            self.report.is_complete = False
        self._tell_broken()
        self.report.findings += roots.findings
        if self.report.is_complete:
            self._follow(roots)
        self.report.findings += locks(self._git_dir)
        self.report.findings.sort(key=lambda finding: not finding.is_damage)

    # Reading

    def _read_all(self) -> None:
        for folder in self._folders:
            self._check_git_extras(folder)
        files = [path for folder in self._folders for path in loose_files(folder)]
        packs = self._new_packs()
        self._total = sum(pack.count for pack in packs) + len(files)
        for path in files:
            self._take(self._loose(path))
        # Until none is new: what is packed anew meanwhile is in a pack that comes later.
        met = -1
        while met < len(self._met):
            met = len(self._met)
            for pack in packs:
                self.report.packs += 1
                self._read_pack(pack)
            packs = self._new_packs()

    def _new_packs(self) -> list[PackFile]:
        return [pack for folder in self._folders for pack in self._packs(folder)]

    def _packs(self, folder: Path) -> Iterator[PackFile]:
        for idx in sorted((folder / "pack").glob("*.idx")):
            if idx in self._met:
                continue
            self._met.add(idx)
            try:
                pack = PackFile(idx)
                is_whole = pack.is_whole()
            except FileNotFoundError:
                # Packed anew meanwhile; or an index whose pack is gone.
                if idx.exists():
                    self._say_pack(f"{idx.name} has no pack")
                continue
            except (OSError, DamagedRepository) as error:
                self._say_pack(str(error))
                continue
            if not is_whole:
                self._say_pack(f"{pack.path.name} or its index does not have its checksum")
            yield pack

    def _check_git_extras(self, folder: Path) -> None:
        """Files that git makes from packs and commits, and trips over when they are broken."""
        for name in ("pack/multi-pack-index", "info/commit-graph"):
            if not _has_checksum(folder / name):
                step = f"remove {folder / name}; git makes it again"
                self._say_pack(f"git's {name} does not have its checksum", step)
        gone = _named_by_multi_pack_index(folder / "pack") - {
            path.name for path in (folder / "pack").glob("*.idx")
        }
        if gone:
            step = f"remove {folder / 'pack' / 'multi-pack-index'}; git makes it again"
            self._say_pack(f"git's multi-pack-index names {min(gone)}, which is not there", step)

    def _say_pack(self, what: str, step: str = OTHER_COPY) -> None:
        self.report.findings.append(Finding("pack", what, step))

    def _read_pack(self, pack: PackFile) -> None:
        try:
            for content in contents(pack):
                self._take(content)
        except FileNotFoundError:
            return
        except (OSError, DamagedRepository) as error:
            self._say_pack(str(error))

    def _loose(self, path: Path) -> Content:
        oid = path.parent.name + path.name
        raw = bytes.fromhex(oid)
        try:
            found = ObjectStore(path.parent.parent).loose(oid)
        except (OSError, DamagedRepository) as error:
            return Content(raw, b"", b"", str(error))
        return Content(raw, *(found or (b"", b"")))

    def _take(self, content: Content) -> None:
        report = self.report
        report.objects += 1
        if report.objects % _EVERY == 0:
            if self._progress is not None:
                self._progress(report.objects, self._total)
            if self._should_stop is not None and self._should_stop():
                raise _Stopped
        if not content.kind:
            if content.trouble:
                self._broken.setdefault(content.oid, content.trouble)
        elif not content.is_sound:
            self._broken.setdefault(content.oid, "it does not have the content it is named for")
        else:
            self._note(content)

    def _note(self, content: Content) -> None:
        try:
            named = self._named(content)
        except (ValueError, DamagedRepository):
            self._broken.setdefault(content.oid, f"it is no {content.kind.decode()} that git reads")
            return
        self._graph.put(content.oid, content.kind, named)

    def _named(self, content: Content) -> list[bytes]:
        oid, kind, data = content[:3]
        if kind == b"tree":
            entries = tree_entries(data)
            if sum(len(mode) + len(name) + 22 for mode, name, _ in entries) != len(data):
                raise DamagedRepository("a tree cannot be read")
            return [inner for mode, _, inner in entries if mode != _LINK]
        if kind == b"commit":
            if data[:5] != b"tree " or data[45:46] != b"\n":
                raise DamagedRepository("a commit names no tree")
            named = [bytes.fromhex(data[5:45].decode())]
            at = 46
            is_cut = oid.hex() in self._shallow
            while data[at : at + 7] == b"parent ":
                if not is_cut:
                    named.append(bytes.fromhex(data[at + 7 : at + 47].decode()))
                at += 48
            return named
        if kind == b"tag":
            return [bytes.fromhex(data[7:47].decode())]
        return []

    # Following

    def _tell_broken(self) -> None:
        for oid, why in self._broken.items():
            has_copy = oid in self._graph.number and self._graph.kind[self._graph.of(oid)]
            kind: FindingKind = "odd" if has_copy else "corrupt"
            step = "another copy of it here is whole" if has_copy else OTHER_COPY
            says = f"object {oid.hex()} is broken: {why}"
            self.report.findings.append(Finding(kind, says, step, oid.hex()))

    def _follow(self, roots: Roots) -> None:
        graph = self._graph
        graph.put(bytes.fromhex(EMPTY_TREE), b"tree", [])
        starts = [graph.of(bytes.fromhex(oid)) for oid in roots.named]
        seen = graph.reach(list(starts))
        self._tell_missing(seen, roots)
        soft = [graph.number.get(bytes.fromhex(oid)) for oid in roots.soft]
        kept = graph.reach(starts + [number for number in soft if number is not None])
        for oid in roots.commits:
            number = graph.of(bytes.fromhex(oid))
            if graph.kind[number] not in {0, ord("c")}:
                says = f"{roots.named[oid]} names something else than a commit"
                self.report.findings.append(Finding("ref", says, "move it to a commit", oid))
        self._tell_unreachable(kept)

    def _tell_missing(self, seen: bytearray, roots: Roots) -> None:
        graph = self._graph
        for oid, number in graph.number.items():
            if not seen[number] or graph.kind[number] or oid in self._broken:
                continue
            name = roots.named.get(oid.hex())
            if name is None and self._is_partial:
                continue
            says = f"object {oid.hex()} is missing" + (f"; {name} names it" if name else "")
            self.report.findings.append(Finding("missing", says, OTHER_COPY, oid.hex()))

    def _tell_unreachable(self, kept: bytearray) -> None:
        graph = self._graph
        loose = [
            (oid, number)
            for oid, number in graph.number.items()
            if graph.kind[number] and not kept[number] and oid.hex() != EMPTY_TREE
        ]
        self.report.unreachable = len(loose)
        commits = [(oid, number) for oid, number in loose if graph.kind[number] == ord("c")]
        inner: set[int] = set()
        for _, number in commits:
            begin = graph.first[number]
            inner.update(graph.targets[begin : begin + graph.count[number]])
        tips = [oid for oid, number in commits if number not in inner]
        recent: list[tuple[float, str, str]] = []
        for oid in tips:
            with contextlib.suppress(DamagedRepository):
                info = self._store.commit(oid.hex())
                at = info.committed_at.timestamp()
                if time.time() - at < RECENT:
                    recent.append((at, oid.hex(), info.subject))
        for _, name, subject in sorted(recent, reverse=True)[:_MENTIONED]:
            says = f"no branch leads to commit {name[:12]}, {subject[:60]!r}"
            step = f"git branch NAME {name[:12]} if it is missed"
            self.report.findings.append(Finding("unreachable", says, step, name))


def check(
    git_dir: Path,
    *,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Report:
    """Check a whole repository. Nothing is written; writers may go on beside it.

    Args:
        git_dir: the common git folder.
        progress: called every so often with how many objects were read, and how many there are.
        should_stop: asked as often; the report of what was read until then is returned.
    """
    run = _Check(git_dir, progress, should_stop)
    run.run()
    return run.report


def _words(path: Path) -> frozenset[str]:
    try:
        return frozenset(path.read_text("ascii", "replace").split())
    except OSError:
        return frozenset()


def _has_checksum(path: Path) -> bool:
    """Whether a file ends with the SHA-1 of what is before; true where there is none."""
    try:
        data = path.read_bytes()
    except OSError:
        return True
    return hashlib.sha1(data[:-20], usedforsecurity=False).digest() == data[-20:]


def _named_by_multi_pack_index(folder: Path) -> set[str]:
    """Names of the pack indexes that a multi-pack-index covers (``gitformat-pack``)."""
    try:
        data = (folder / "multi-pack-index").read_bytes()
        for at in range(12, 12 + 12 * data[6], 12):
            name, begin = struct.unpack_from(">4sQ", data, at)
            if name == b"PNAM":
                (end,) = struct.unpack_from(">Q", data, at + 16)
                words = data[begin:end].split(b"\0")
                return {word.decode("utf-8", "replace") for word in words if word}
    except (OSError, IndexError, struct.error):
        pass
    return set()

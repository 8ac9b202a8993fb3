"""Fetches what a remote has got since the last proof, and nothing of it into the companion here.

What was proven is here too, so a copy is made that borrows the objects of this machine and lacks
what came since: only that has to come, and it is hashed and connected as in a whole restore.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.companion.conversation.chunk import ALTERNATIVES, CONVERSATIONS, parse_chunk_path
from perdure.git import disk
from perdure.git.objects.new_objects import NewObjects
from perdure.git.packs.incoming import IncomingPack, check_incoming
from perdure.git.refs.refs import HEADS
from perdure.git.remotes.fetch import refuse_odd
from perdure.git.remotes.reconcile import travelling
from perdure.git.repository.create import fresh_repository
from perdure.git.repository.repository import Repository
from perdure.git.wire.errors import EmptyRemote
from perdure.rescue.drill.census import ChunkCensus
from perdure.rescue.drill.comparison import Comparison
from perdure.rescue.drill.report import DrillReport

if TYPE_CHECKING:
    from perdure.git.remotes.proof import Proof
    from perdure.git.wire.transport import Advertised, Transport


class Unsure(Exception):
    """What came since cannot be told from what is here: only a whole restore can tell."""


@contextmanager
def fetched_since(
    folder: Path,
    here: Repository,
    proof: Proof,
    transport: Transport,
    report: DrillReport,
    progress: Callable[[str], None],
) -> Iterator[Repository]:
    """Fetch what the remote has and the proof has not; the block has the copy, open.

    Raises:
        Unsure: what came needs something that this machine has, and the proof does not cover.
        EmptyRemote, RemoteProblem, HistoryError: as for `perdure.git.remotes.fetch.fetched`.
    """
    place = folder / "copy"
    progress(f"asking {report.remote} what is new")
    with fresh_repository(place) as fresh:
        borrowed = os.fsencode(here.git_dir.absolute() / "objects") + b"\n"
        disk.write_file(fresh.repo.git_dir / "objects" / "info" / "alternates", borrowed)
        refs = _fetch(fresh.repo, here, proof, transport, report, progress)
        fresh.put_refs(refs)
    report.tips = refs
    with Repository.open(place) as copy:
        yield copy


def _fetch(
    copy: Repository,
    here: Repository,
    proof: Proof,
    transport: Transport,
    report: DrillReport,
    progress: Callable[[str], None],
) -> dict[str, str]:
    parts = copy.parts()
    has = here.parts().store.has
    proven = [oid for oid in proof.covers if has(oid)]
    known = {oid for oid in proof.tips.values() if has(oid)}
    wanted: list[str] = []

    def wants(advertised: Advertised) -> Sequence[str]:
        refs = travelling(advertised.refs).values()
        wanted.extend(oid for oid in dict.fromkeys(refs) if oid not in known)
        return wanted

    with IncomingPack(copy.git_dir) as incoming:
        advertised = transport.fetch(wants, proven, here.commits.parents, incoming.write, progress)
        refs = travelling(advertised.refs)
        if not any(ref.startswith(HEADS) for ref in refs):
            raise EmptyRemote(f"there is no companion at {report.url}: it is empty")
        if not wanted:
            return refs
        incoming.index(parts.store)
        refuse_odd(check_incoming(incoming, parts.store, wanted))
        _refuse_unproven(here, proven, incoming, wanted)
        report.objects = incoming.count
        with parts.writer.exclusive("storing what came"):
            keep = incoming.put_in_place(parts.writer.packs)
        with keep or nullcontext():
            parts.store.rescan()
    return refs


def _refuse_unproven(
    here: Repository, proven: list[str], incoming: IncomingPack, wanted: list[str]
) -> None:
    """Raise Unsure where what came leans on something that only this machine is known to have."""
    parts = here.parts()
    newer = NewObjects(parts.store, parts.boundary, proven)
    newer.run(list(parts.refs.names("refs/").values()))
    seen = incoming.inspection
    named = {*seen.trees, *seen.blobs, *seen.commits, *seen.tagged, *map(bytes.fromhex, wanted)}
    if any(oid in newer.wanted and oid not in incoming.numbers for oid in named):
        raise Unsure


class KnownTurns:
    """Counts the turns of a commit from those of one that is proven, by what differs."""

    def __init__(self, proof: Proof, census: ChunkCensus) -> None:
        self._census = census
        self._known = {
            proof.tips[ref]: count for ref, count in proof.turns.items() if ref in proof.tips
        }

    def turns(self, repo: Repository, commit: str) -> int:
        """Turns that a commit's conversations have. Raises HistoryError."""
        if commit not in self._known:
            has = repo.parts().store.has
            # The longest line is the one that was talked on, and differs least from what is new.
            found = [(turns, oid) for oid, turns in self._known.items() if has(oid)]
            base = max(found)[1] if found else None
            self._known[commit] = (
                self._census.turns(repo, commit)
                if base is None
                else self._known[base] + self._more(repo, base, commit)
            )
        return self._known[commit]

    def _more(self, repo: Repository, base: str, commit: str) -> int:
        more = 0
        for folder in (ALTERNATIVES, CONVERSATIONS):
            more = 0
            roots = [repo.folder_oid(folder, oid) for oid in (base, commit)]
            for change in repo.folder_difference(*roots):
                path = f"{folder}/{change.path}"
                if parse_chunk_path(path) is not None:
                    sides = (change.old_oid, change.new_oid)
                    old, new = (self._census.chunk(repo, path, oid) if oid else 0 for oid in sides)
                    more += new - old
        return more


def look_at_news(
    here: Repository,
    copy: Repository,
    proof: Proof,
    report: DrillReport,
    progress: Callable[[str], None],
) -> None:
    """Read the chunks that came, count the turns, and compare with what is here.

    Raises:
        HistoryError: something cannot be read, here or in the copy.
    """
    comparison = Comparison(here, copy, report)
    census = ChunkCensus(progress)
    comparison.refs()
    comparison.turns(KnownTurns(proof, census))
    comparison.troubles(census)
    report.chunks = census.read

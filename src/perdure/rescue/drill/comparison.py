"""Compares what came back from a remote with what is here: refs, turns and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from perdure.git.refs.refs import HEADS, TAGS, short_name
from perdure.git.remotes.kept import lines_to_keep
from perdure.git.remotes.reconcile import KEPT
from perdure.git.remotes.record import read_record
from perdure.plural import plural
from perdure.rescue.drill.report import BranchTurns, DrillReport, Verdict
from perdure.views.remotes import turns_beyond

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.rescue.drill.census import ChunkCensus, CountsTurns

_NAMED = 5


class Comparison:
    """One comparison of the companion with a copy of her."""

    def __init__(self, here: Repository, there: Repository, report: DrillReport) -> None:
        """``there``: the copy, in which everything that the remote has can be read."""
        self._here, self._there, self._report = here, there, report
        self._has = here.parts().store.has

    def refs(self) -> None:
        """Find the branches, tags and kept lines that did not come back, or came back older."""
        there, lines = self._report.tips, self._lines()
        refs = self._here.parts().refs
        here = {**refs.names(HEADS), **refs.names(TAGS), **lines}
        for prefix, one, many in (
            (HEADS, "branch", "branches"),
            (TAGS, "tag", "tags"),
            (KEPT, "kept line", "kept lines"),
        ):
            lacking = [ref for ref in here if ref.startswith(prefix) and ref not in there]
            if lacking:
                names = "" if prefix == KEPT else f" ({_named(map(short_name, lacking))})"
                self._report.add(
                    Verdict.UNPROVEN,
                    f"{plural(len(lacking), one, many)} of this companion did not come back{names}",
                    self._push() if prefix == KEPT else self._step(lacking),
                )
        changed = [
            ref for ref in here if ref.startswith(TAGS) and there.get(ref, here[ref]) != here[ref]
        ]
        if changed:
            names = _named(map(short_name, changed))
            self._report.add(Verdict.UNPROVEN, f"{names} names something else there than here")

    def turns(self, counter: CountsTurns) -> None:
        """Count the turns of every branch on both sides, and find those that did not come back."""
        refs = self._here.parts().refs.names(HEADS)
        heads = {ref: oid for ref, oid in self._report.tips.items() if ref.startswith(HEADS)}
        times = (self._there.commit_info(oid).committed_at for oid in heads.values())
        self._report.newest = max(times).timestamp()
        for ref in sorted({*refs, *heads}):
            there = counter.turns(self._there, heads[ref]) if ref in heads else None
            here = counter.turns(self._here, refs[ref]) if ref in refs else None
            self._report.branches.append(BranchTurns(short_name(ref), here, there))
        self._report.covers = known = self._known_here()
        if not known:
            self._report.add(
                Verdict.BROKEN,
                f"{self._report.remote} has another companion: no commit of this one is there",
                "perdure remote list shows the address; an empty place can be added with: "
                "perdure remote add NAME ADDRESS",
            )
            return
        lacks = turns_beyond(self._here, known)
        if lacks:
            self._report.add(
                Verdict.UNPROVEN,
                f"{lacks.count_text()} of this companion did not come back",
                self._push(),
            )

    def troubles(self, census: ChunkCensus) -> None:
        """Find chunks that cannot be read whole there, and are not like that here."""
        found = [each for oid, each in census.troubles.items() if not self._has(oid)]
        if found:
            others = f", and {plural(len(found) - 1, 'other file')}" if found[1:] else ""
            self._report.add(
                Verdict.BROKEN,
                f"a conversation that came back is damaged: {found[0]}{others}",
                f"git fetch {self._report.remote}; then git log --remotes -- {found[0].path} says "
                "who changed it",
            )
        others_here = len(census.troubles) - len(found)
        if others_here:
            self._report.add(
                Verdict.PROVEN,
                f"{plural(others_here, 'conversation file')} cannot be read whole, and is no other "
                "here",
            )

    def _known_here(self) -> list[str]:
        """Commits that both sides have: tips of the copy, or the nearest below that are here."""
        found: list[str] = []
        seen: set[str] = set()
        waiting = [oid for oid in self._report.tips.values() if self._is_commit(oid)]
        while waiting:
            oid = waiting.pop()
            if oid in seen:
                continue
            seen.add(oid)
            if self._has(oid):
                found.append(oid)
            else:
                waiting += self._there.commits.parents(oid)
        return found

    def _is_commit(self, oid: str) -> bool:
        return self._there.parts().store.size(oid)[0] == b"commit"

    def _lines(self) -> Mapping[str, str]:
        """Kept lines, those among them that get their ref with the next sync."""
        lines = dict(self._here.parts().refs.names(KEPT))
        for move in lines_to_keep(self._here):
            if move.new is not None:
                lines[move.ref] = move.new
        return lines

    def _step(self, lacking: list[str]) -> str:
        """What to do about branches or tags that are not there: a push brings back none it had."""
        agreed = read_record(self._here, self._report.remote, self._report.url).agreed
        if not any(ref in agreed for ref in lacking):
            return self._push()
        return (
            f"perdure sync {self._report.remote}: what was taken away there goes here too, and its "
            "line is kept"
        )

    def _push(self) -> str:
        return f"perdure push {self._report.remote}"


def _named(names: Iterator[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more

"""Restores a companion from a remote into a scratch folder, and looks at all of her."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git.repository.create import fresh_repository
from perdure.git.repository.repository import Repository
from perdure.rescue.clone import restore_into
from perdure.rescue.drill.census import ChunkCensus
from perdure.rescue.drill.comparison import Comparison
from perdure.rescue.drill.index_process import recall_beside, timeline_beside
from perdure.rescue.drill.prompts import check_prompts, history_progress
from perdure.rescue.drill.report import DrillReport, Verdict

if TYPE_CHECKING:
    from perdure.git.wire.transport import Transport


@contextmanager
def restored(
    folder: Path, transport: Transport, report: DrillReport, progress: Callable[[str], None]
) -> Iterator[Repository]:
    """Restore everything; the block has the copy, open.

    Every object of the copy came from the remote: it was hashed on its way in, and what it names is
    there (`perdure.git.packs.incoming`). The copy has no remote, so nothing goes back by itself.

    Raises:
        EmptyRemote, RemoteProblem, HistoryError: as for `perdure.rescue.clone.clone`.
    """
    place = folder / "copy"
    progress(f"restoring everything from {report.remote}")
    with fresh_repository(place) as fresh:
        got, _, left_out = restore_into(fresh, transport, report.url, progress)
        report.tips, report.objects = got.refs, got.objects
    for path, reason in left_out:
        report.add(Verdict.PROVEN, f"{path} is not written by a restore: {reason}")
    with Repository.open(place) as copy:
        yield copy


def look_at_all(
    here: Repository, copy: Repository, report: DrillReport, progress: Callable[[str], None]
) -> None:
    """Read every chunk, rebuild the indexes and the last prompts, and compare with what is here.

    Raises:
        HistoryError: something cannot be read, here or in the copy.
    """
    comparison = Comparison(here, copy, report)
    census = ChunkCensus(progress)
    with recall_beside(copy, report):
        with timeline_beside(copy, history_progress(progress)):
            comparison.refs()
            comparison.turns(census)
            comparison.troubles(census)
            report.chunks = census.read
        check_prompts(here, copy, report, progress)
        progress("reading every conversation for recall")

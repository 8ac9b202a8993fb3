"""Drills one remote, and keeps what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from perdure.companion.clock import now
from perdure.git.errors import DamagedRepository, HistoryError, ReadOnly, StorageFull, WriteFailed
from perdure.git.refs.refs import HEADS
from perdure.git.remotes.proof import Proof, read_drills, write_drills
from perdure.git.remotes.record import read_record
from perdure.git.remotes.settings import Remote
from perdure.git.wire.address import parse_address
from perdure.git.wire.errors import (
    CutOff,
    EmptyRemote,
    NoRepositoryThere,
    OddContent,
    RemoteProblem,
    TooMuch,
    UnsupportedRemote,
)
from perdure.rescue.drill.damage import in_words
from perdure.rescue.drill.report import Depth, DrillReport, Verdict
from perdure.rescue.drill.scratch import scratch_folder
from perdure.rescue.run import opened

if TYPE_CHECKING:
    from perdure.backends.protocol import BackendSpec
    from perdure.git.repository.repository import Repository

_LOST = (EmptyRemote, NoRepositoryThere)
_BROKEN = (DamagedRepository, OddContent, TooMuch, UnsupportedRemote)
_HERE = (StorageFull, ReadOnly, WriteFailed)
_CORRUPT = ("corrupt", "missing", "unable to read", "bad object", "loose object", "inflate")
"""Words with which git's own server side ends a fetch that it has no whole objects for."""
_ROOM = 3
"""A copy with its files and indexes takes about so many times what the objects take."""
_ROOM_LEAST = 64 * 1024 * 1024


def drill(
    repo: Repository,
    remote: Remote,
    depth: Depth,
    progress: Callable[[str], None] = lambda _: None,
    *,
    backends: Sequence[BackendSpec] = (),
) -> DrillReport:
    """Drill one remote, and note down what came of it. The companion here is only read.

    A quick one looks at what is new since the last proof; without one, it is a full one. One that
    speaks does so through ``backends``.

    Raises:
        HistoryError: the companion here cannot be read, or the report cannot be kept.
    """
    report = DrillReport(remote.name, remote.url, depth, now())
    begun = time.monotonic()
    try:
        _ask_as_stranger(repo, remote, report, progress)
        _drill(repo, remote, report, backends, progress)
    except HistoryError as problem:
        _judge(repo, remote, report, problem)
    report.findings.sort(key=lambda each: list(Verdict).index(each.kind), reverse=True)
    report.seconds = time.monotonic() - begun
    _note(repo, remote, report)
    return report


def _drill(
    repo: Repository,
    remote: Remote,
    report: DrillReport,
    backends: Sequence[BackendSpec],
    progress: Callable[[str], None],
) -> None:
    proof = read_drills(repo, remote.name, remote.url).proof
    if report.depth == "quick" and proof is not None:
        from perdure.rescue.drill.news import Unsure, fetched_since, look_at_news

        try:
            with (
                scratch_folder(_ROOM_LEAST) as folder,
                opened(remote) as transport,
                fetched_since(folder, repo, proof, transport, report, progress) as copy,
            ):
                look_at_news(repo, copy, proof, report, progress)
                return
        except (Unsure, DamagedRepository):
            # Damage here and damage there look alike in a copy that borrows objects.
            report.tips = {}
    _drill_all(repo, remote, report, backends, progress)


def _drill_all(
    repo: Repository,
    remote: Remote,
    report: DrillReport,
    backends: Sequence[BackendSpec],
    progress: Callable[[str], None],
) -> None:
    from perdure.rescue.drill.restore import look_at_all, restored

    if report.depth == "quick":
        report.depth = "full"
    with (
        scratch_folder(_room(repo)) as folder,
        opened(remote) as transport,
        restored(folder, transport, report, progress) as copy,
    ):
        look_at_all(repo, copy, report, progress)
        if report.depth == "speak":
            from perdure.rescue.drill.voices import speak

            speak(copy, backends, report, progress)


def _room(repo: Repository) -> int:
    files = (repo.git_dir / "objects").rglob("*")
    return _ROOM * sum(path.lstat().st_size for path in files) + _ROOM_LEAST


def _ask_as_stranger(
    repo: Repository, remote: Remote, report: DrillReport, progress: Callable[[str], None]
) -> None:
    """Find out whether anybody can read the place, unless that was agreed to."""
    address = parse_address(remote.url)
    if address.scheme == "file" or read_record(repo, remote.name, remote.url).is_public_agreed:
        return
    from perdure.git.wire.public import is_public

    progress(f"asking as a stranger whether anybody can read {remote.name}")
    if is_public(address):
        report.add(
            Verdict.UNPROVEN,
            f"ANYBODY CAN READ {remote.url}, and with it every conversation",
            "make it private there; or add it again with --public if that is what you want",
        )


def _judge(repo: Repository, remote: Remote, report: DrillReport, problem: HistoryError) -> None:
    """Say what an error means: a backup that is broken, or one that could not be asked."""
    name, what = remote.name, in_words(repo, problem.what)
    had_some = bool(read_record(repo, name, remote.url).agreed)
    words = problem.what.lower()
    if isinstance(problem, DamagedRepository) and report.tips:
        report.add(
            Verdict.UNPROVEN,
            f"what came back is whole, and the companion here is not: {what}",
            f"perdure clone {remote.url} brings her back, into a new folder",
        )
        return
    is_broken = (
        isinstance(problem, _BROKEN)
        or (isinstance(problem, _LOST) and had_some)
        or (isinstance(problem, RemoteProblem) and any(word in words for word in _CORRUPT))
    )
    if is_broken:
        report.add(
            Verdict.BROKEN,
            f"nothing can be restored from {name}: {what}",
            "nothing here was changed: add an empty place (perdure remote add NAME ADDRESS) and "
            "push to it; then look at the old one with git fsck --full",
        )
    elif isinstance(problem, EmptyRemote):
        report.add(Verdict.UNPROVEN, f"nothing was pushed to {name} yet", f"perdure push {name}")
    elif isinstance(problem, (RemoteProblem, *_HERE)):
        step = problem.next_step
        if isinstance(problem, CutOff):
            step = "try again; if it stays so, look at it there with git fsck --full"
        report.add(Verdict.UNPROVEN, f"{name} could not be tried: {what}", step)
    else:
        raise problem


def _note(repo: Repository, remote: Remote, report: DrillReport) -> None:
    """Keep the report, and the proof if it is one."""
    known = read_drills(repo, remote.name, remote.url)
    at = report.at.timestamp()
    record = msgspec.structs.replace(known, tried_at=at, report=report.to_dict())
    if report.verdict is Verdict.BROKEN:
        failure = next(each.what for each in report.findings if each.kind is Verdict.BROKEN)
        record = msgspec.structs.replace(record, proof=None, failure=failure)
    elif report.covers:
        record = msgspec.structs.replace(record, proof=_proof(report, known.proof), failure="")
    write_drills(repo, remote.name, record)


def _proof(report: DrillReport, before: Proof | None) -> Proof:
    at = report.at.timestamp()
    earlier = before if report.depth == "quick" else None
    spoke = tuple(each.backend for each in report.replies if not each.problem)
    counted = {each.name: each.there for each in report.branches if each.there is not None}
    return Proof(
        at,
        dict(report.tips),
        report.covers,
        {f"{HEADS}{name}": count for name, count in counted.items()},
        full_at=earlier.full_at if earlier is not None else at,
        newest=report.newest,
        spoke=earlier.spoke if earlier is not None else spoke,
    )

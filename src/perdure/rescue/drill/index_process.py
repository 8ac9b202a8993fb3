"""Builds an index of a copy: ``python -P -m perdure.rescue.drill.index_process FOLDER INDEX``.

Processes of their own, one for ``timeline`` and one for ``recall``, beside the rest of a drill.
They end when whoever started them does.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure.environment import child_environment
from perdure.git.refs.refs import HEADS
from perdure.git.repository.repository import Repository
from perdure.progress import Progress
from perdure.recall.index import RecallIndex
from perdure.rescue.drill.report import DrillReport, Verdict


@contextmanager
def timeline_beside(copy: Repository, progress: Progress) -> Iterator[None]:
    """Build the timeline's index while the block runs; then wait for it.

    Where that fails, whoever asks the timeline makes what is missing, and meets what is wrong.

    Args:
        copy: the copy.
        progress: called with how many commits were read and how many there are, during the wait.
    """
    with _started(copy, "timeline") as process:
        yield
        for line in process.stdout or ():
            done, total = line.split()
            progress(int(done), int(total))
        process.wait()


@contextmanager
def recall_beside(copy: Repository, report: DrillReport) -> Iterator[None]:
    """Build the recall index while the block runs; then it is there, or a finding says why not."""
    with _started(copy, "recall") as process:
        yield
        # Not communicate(): that closes its input, and the process would end.
        said = process.stdout.read() if process.stdout is not None else ""
        process.wait()
    if process.returncode:
        report.add(Verdict.UNPROVEN, "the recall index could not be built from what came back")
    elif said.strip():
        report.add(Verdict.PROVEN, said.strip())


@contextmanager
def _started(copy: Repository, index: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-P", "-m", __name__, str(copy.path), index]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(),
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def build_index() -> int:
    """Build one index; what there is to say of it goes to standard output."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with Repository.open(Path(sys.argv[1]), recover=False) as repo:
        return _build_recall(repo) if sys.argv[2] == "recall" else _build_timeline(repo)


def _build_recall(repo: Repository) -> int:
    with RecallIndex.open(repo) as recall:
        recall.update("HEAD")
        print(recall.notice)  # noqa: T201 - read by whoever started it
        return int(recall.is_partial)


def _build_timeline(repo: Repository) -> int:
    def say(done: int, total: int) -> None:
        print(done, total, flush=True)  # noqa: T201 - read by whoever started it

    timeline = repo.timeline(say)
    tips = dict.fromkeys(repo.parts().refs.names(HEADS).values())
    return int(not all(timeline.update(tip) for tip in tips))


def _end_with_parent() -> None:
    """End when the other end of standard input is closed, as it is when the parent dies."""
    # Not by sys.stdin, whose lock this thread would hold when the interpreter ends.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(build_index())

"""Builds the recall index of a copy: ``python -P -m perdure.rescue.drill.recall_process FOLDER``.

A process of its own, beside the rest of a drill. It ends when whoever started it does.
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
from perdure.git.repository.repository import Repository
from perdure.recall.index import RecallIndex
from perdure.rescue.drill.report import DrillReport, Verdict


@contextmanager
def recall_beside(copy: Repository, report: DrillReport) -> Iterator[None]:
    """Build the index while the block runs; afterwards it is there, or a finding says why not."""
    command = [sys.executable, "-P", "-m", __name__, str(copy.path)]
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
            yield
            # Not communicate(): that closes its input, and the process would end.
            said = process.stdout.read() if process.stdout is not None else ""
            process.wait()
        finally:
            process.kill()
    if process.returncode:
        report.add(Verdict.UNPROVEN, "the recall index could not be built from what came back")
    elif said.strip():
        report.add(Verdict.PROVEN, said.strip())


def build_recall() -> int:
    """Build the index; what there is to say of it goes to standard output."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with (
        Repository.open(Path(sys.argv[1]), recover=False) as repo,
        RecallIndex.open(repo) as recall,
    ):
        recall.update("HEAD")
        print(recall.notice)  # noqa: T201 - read by whoever started it
        return int(recall.is_partial)


def _end_with_parent() -> None:
    """End when the other end of standard input is closed, as it is when the parent dies."""
    # Not by sys.stdin, whose lock this thread would hold when the interpreter ends.
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(build_recall())

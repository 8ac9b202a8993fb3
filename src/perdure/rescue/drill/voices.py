"""Lets a restored companion say one line through each backend that is confirmed on this device."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from perdure.actions.history.branch import begin_branch, check_out_branch
from perdure.actions.trust import is_confirmed
from perdure.actions.workspace import Workspace
from perdure.backends.destination import destination
from perdure.backends.drivers import make_backend
from perdure.backends.errors import BackendError
from perdure.backends.protocol import BackendSpec
from perdure.backends.store.catalogue import DEFAULT_MODEL
from perdure.chat.events import Failed, Saved
from perdure.chat.session import Session
from perdure.companion.config.manifest import BACKENDS_FOLDER, parse_manifest
from perdure.companion.errors import CompanionProblem
from perdure.errors import Problem, one_line
from perdure.interrupts import run_coroutine
from perdure.rescue.drill.report import DrillReport, RestoredReply, Verdict
from perdure.snapshot.companion import backend_spec
from perdure.snapshot.files import read_small

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository

LINE = "Are you there?"
"""What the restored companion is asked."""
LIMIT = 45.0
"""Seconds that one backend has for its reply."""
_TOKENS = 32
_EMBEDDED = BackendSpec("embedded", "embedded", DEFAULT_MODEL)


def confirmed_backends(repo: Repository) -> list[BackendSpec]:
    """The backends of the last commit that are confirmed on this device, and the embedded one.

    They are those of the companion here: the copy's own manifests are not asked.

    Raises:
        HistoryError: the companion cannot be read.
    """
    found = []
    for entry in repo.files(BACKENDS_FOLDER, "HEAD"):
        with suppress(CompanionProblem):
            manifest = parse_manifest(read_small(repo, entry.oid), entry.path)
            if is_confirmed(repo, manifest):
                found.append(_brief(backend_spec(manifest)))
    if not any(each.driver == "embedded" for each in found):
        found.append(_brief(_EMBEDDED))
    return found


def _brief(spec: BackendSpec) -> BackendSpec:
    """The same, with a short reply of a model that runs on this machine's processor."""
    if spec.driver != "embedded":
        return spec
    return replace(spec, parameters={**spec.parameters, "max_tokens": _TOKENS})


def hosted_warning(specs: Sequence[BackendSpec]) -> list[str]:
    """What leaves this machine when they speak, one sentence a backend."""
    lines = []
    for spec in specs:
        with suppress(BackendError):
            if make_backend(spec).hosted:
                lines.append(
                    f"{spec.name} is asked at {destination(spec)}, away from this machine: it is "
                    "sent the persona, memory and the last turns, as with any message, and "
                    f"“{LINE}”"
                )
    return lines


def speak(
    copy: Repository,
    specs: Sequence[BackendSpec],
    report: DrillReport,
    progress: Callable[[str], None],
) -> None:
    """Let the copy speak through each of them, each time from where it was restored.

    It is the scratch copy that speaks, on a branch of its own for each; nothing of it comes here.

    Raises:
        HistoryError: the copy cannot be written to.
    """
    start = copy.resolve("HEAD")
    for number, spec in enumerate(specs, 1):
        progress(f"asking {spec.name} for a reply")
        with Workspace.open(copy.path) as workspace:
            begin_branch(workspace, f"drill-{number}", start)
            check_out_branch(workspace, f"drill-{number}")
        begun = time.monotonic()
        text, problem = run_coroutine(_reply(copy, spec))
        seconds = time.monotonic() - begun
        report.replies.append(RestoredReply(spec.name, text, seconds, problem))
    silent = [each for each in report.replies if each.problem]
    kind = Verdict.UNPROVEN if len(silent) == len(report.replies) else Verdict.PROVEN
    for each in silent:
        report.add(kind, f"nothing was said through {each.backend}: {each.problem}")
    if not report.replies:
        report.add(
            Verdict.UNPROVEN,
            "there is no backend to speak through",
            "perdure models pull fetches the embedded one",
        )


async def _reply(copy: Repository, spec: BackendSpec) -> tuple[str, str]:
    """What was said, and why nothing was."""
    try:
        async with asyncio.timeout(LIMIT):
            session = await Session.open(copy.path, backends=[make_backend(spec)])
            try:
                async for event in session.send(LINE):
                    if isinstance(event, Failed):
                        return "", event.what
                    if isinstance(event, Saved) and event.turn.replies:
                        return event.turn.replies[-1].text, ""
            finally:
                await session.close()
    except TimeoutError:
        return "", f"no reply within {LIMIT:.0f} seconds"
    except Problem as problem:
        return "", one_line(problem.what)
    return "", "no reply came"

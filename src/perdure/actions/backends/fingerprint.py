"""The model behind a backend's name: noted when first seen, shown and committed when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.protocol import BackendSpec, Fingerprint
from perdure.backends.roles.shape import PLAIN, Shape, parse_shape
from perdure.companion.clock import now
from perdure.companion.config.backend_lock import (
    LOCKS_FOLDER,
    LockEntry,
    lock_path,
    parse_lock,
    render_lock,
)
from perdure.companion.errors import BadFile, CompanionProblem
from perdure.git.errors import BranchRewritten, TipMoved
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.author import device
from perdure.snapshot.companion import seen_backends
from perdure.snapshot.files import read_small_at

_MOST_TELLING = ("digest", "quantisation", "template", "adapters", "context_length", "served")
_BY_REPLY = {"served", "system_fingerprint", "window"}
"""Details that do not say which model was asked for: an API names the one that serves with its
reply, so no session knows it before its first."""


@dataclass(frozen=True, slots=True)
class BackendNote:
    """What is known of a backend after it was noted.

    Attributes:
        form: how requests are sent to it.
        commit: that wrote it down; "" where nothing changed.
        message: a sentence for the user; "" where it is seen, or names the model that serves,
            for the first time.
    """

    form: RequestForm
    commit: str = ""
    message: str = ""


def note_fingerprint(
    repo: Repository,
    *,
    tip: str,
    branch: str | None,
    author: Author,
    spec: BackendSpec,
    found: Fingerprint,
    learned: RequestForm | None = None,
) -> BackendNote:
    """Commit what a backend runs and how it is asked, unless it is what was last seen here.

    Args:
        repo: the companion's.
        tip: the commit that ``branch`` stands at, or will begin at.
        branch: to commit on; None where it is gone, and nothing is written.
        author: of the commit.
        spec: the backend.
        found: what it runs.
        learned: the form that it was just found to take; None: as remembered.

    Returns:
        What is known then. A lock file that cannot be read is left alone.
    """
    path = lock_path(device())
    data = read_small_at(repo, path, tip)
    try:
        entries = parse_lock(data, path) if data is not None else {}
    except BadFile:
        return BackendNote(form_of(spec, found, None, learned))
    before, at = entries.get(spec.name), now()
    seen, form = _noted(spec, found, before, learned, at.isoformat())
    if branch is None or (before is not None and seen == replace(before, seen=seen.seen)):
        return BackendNote(form)
    entries[spec.name] = seen
    subject, message = _news(spec.name, before, seen)
    try:
        commit = repo.commit(
            [Change(path, render_lock(entries))],
            message=f"backend: {subject}\n",
            author=author,
            branch=branch,
            at=at,
            expect={path: repo.oid(path, tip)},
            start=tip,
        )
    except (BranchRewritten, TipMoved):
        # git has begun a rebase under the reply, or another session has noted a model of its own
        # just now: it is news the next time, too.
        return BackendNote(form)
    return BackendNote(form, commit, message)


def _noted(
    spec: BackendSpec,
    found: Fingerprint,
    before: LockEntry | None,
    learned: RequestForm | None,
    at: str,
) -> tuple[LockEntry, RequestForm]:
    """The entry as it will be, and how requests are sent."""
    seen = _as_seen(found, at)
    same = before is not None and (before.fingerprint == seen.fingerprint or _learns(seen, before))
    kept = before if same or (before is not None and _learns(before, seen)) else None
    form = form_of(spec, found, kept, learned)
    shape = str(form.shape) if form.shape != PLAIN or found.shape else ""
    if before is not None and same:
        seen = replace(before, seen=at)
    return replace(seen, shape=shape, without=form.without), form


def known_form(repo: Repository, rev: str, spec: BackendSpec, found: Fingerprint) -> RequestForm:
    """How a commit says that requests are sent to a backend; writes nothing."""
    seen = seen_backends(repo, rev).get(spec.name)
    kept = seen if seen is not None and same_model(seen, found) else None
    return form_of(spec, found, kept)


def same_model(seen: LockEntry, found: Fingerprint) -> bool:
    """Whether a backend still runs what was seen, as far as it says."""
    now_seen = _as_seen(found)
    return seen.fingerprint == found.short or _learns(now_seen, seen) or _learns(seen, now_seen)


def form_of(
    spec: BackendSpec,
    found: Fingerprint,
    seen: LockEntry | None,
    learned: RequestForm | None = None,
) -> RequestForm:
    """How requests are sent: as the manifest says, else as was learned, last seen, or is stated.

    ``seen`` is the lock's entry where it is of the same model.
    """
    without = learned.without if learned is not None else seen.without if seen is not None else ()
    if spec.shape:
        return RequestForm(_shape(spec.shape), without)
    if learned is not None:
        return learned
    stated = seen.shape if seen is not None and seen.shape else found.shape
    return RequestForm(_shape(stated), without)


def _shape(text: str) -> Shape:
    """The shape that a lock entry names; a plain one for words that mean nothing here."""
    try:
        return parse_shape(text) if text else PLAIN
    except ValueError:
        return PLAIN


def form_at_base(repo: Repository, rev: str, backend: str, fingerprint: str) -> RequestForm:
    """The form that a turn's requests had, read from the lock files of its base commit.

    Of several devices that know the backend, the one that saw the same fingerprint counts, and of
    those this one: the turn does not say which it was.
    """
    own = lock_path(device())
    found: list[tuple[bool, bool, LockEntry]] = []
    for path in (each.path for each in repo.files(LOCKS_FOLDER, rev)):
        with suppress(CompanionProblem):
            seen = parse_lock(repo.read(path, rev) or b"", path).get(backend)
            if seen is not None:
                found.append((seen.fingerprint != fingerprint, path != own, seen))
    if not found:
        return RequestForm()
    seen = min(found, key=lambda each: each[:2])[2]
    return RequestForm(_shape(seen.shape), seen.without)


def _news(name: str, before: LockEntry | None, seen: LockEntry) -> tuple[str, str]:
    """The commit's subject, and the sentence for the user."""
    what = seen.details.get("digest") or seen.fingerprint
    if before is None:
        return f"{name} is first seen here, running {what[:32]}", ""
    if _learns(before, seen):
        return f"{name} answers as {seen.details['served'][:60]}", ""
    if before.fingerprint == seen.fingerprint:
        return f"{name} is sent {_sent(seen)}", ""
    message = f"The model behind {name} changed: {_difference(before, seen)}."
    return f"{name} now runs {what[:32]}", message


def _sent(seen: LockEntry) -> str:
    without = f", without {', '.join(seen.without)}" if seen.without else ""
    return f"prompts with {_shape(seen.shape).described}{without}"


def _as_seen(found: Fingerprint, at: str = "") -> LockEntry:
    """An entry for what a backend runs, as far as it says."""
    return LockEntry(found.short, {key: it for key, it in found.details.items() if it}, at)


def _learns(without: LockEntry, served: LockEntry) -> bool:
    """Whether the second differs from the first only by what a reply tells."""
    only_there = "served" in served.details and "served" not in without.details
    return only_there and _as_asked(without.details) == _as_asked(served.details)


def _as_asked(details: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in details.items() if value and key not in _BY_REPLY}


def _difference(before: LockEntry, now: LockEntry) -> str:
    changed = [
        f"{key.replace('_', ' ')} {before.details.get(key) or 'unknown'} → {now.details[key]}"
        for key in _MOST_TELLING
        if now.details.get(key) and now.details.get(key) != before.details.get(key)
    ]
    return "; ".join(changed) or f"fingerprint {before.fingerprint} → {now.fingerprint}"

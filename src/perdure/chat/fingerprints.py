"""The model behind a backend's name: noted when first seen, said and committed when it changed."""

from __future__ import annotations

import platform
from collections.abc import Mapping

from perdure.backends.protocol import Fingerprint
from perdure.chat.clock import now
from perdure.companion.errors import BadFile
from perdure.companion.locks import Seen, lock_path, parse_lock, render_lock
from perdure.companion.names import slug
from perdure.history.repository import Author, Change, Repository

_MOST_TELLING = ("digest", "quantisation", "template", "adapters", "context_length", "served")
_BY_REPLY = {"served", "system_fingerprint", "window"}
"""Details that do not say which model was asked for: an API names the one that serves with its
reply, so no session knows it before its first."""


def device() -> str:
    """This machine's name in file names."""
    return slug(platform.node().partition(".")[0]) or "this-device"


def note_fingerprint(
    repo: Repository,
    *,
    tip: str,
    branch: str,
    author: Author,
    name: str,
    found: Fingerprint,
) -> tuple[str, str] | None:
    """Commit what a backend runs, if that is not what was last seen on this device.

    ``tip`` is the commit that ``branch`` stands at, or will begin at.

    Returns:
        The commit, and a sentence for the user ("" where the backend is seen, or names the model
        that serves, for the first time); None where nothing changed. A lock file that cannot be
        read is left alone.
    """
    path = lock_path(device())
    data = repo.read(path, tip)
    try:
        entries = parse_lock(data, path) if data is not None else {}
    except BadFile:
        return None
    before, at = entries.get(name), now()
    details = {key: value for key, value in found.details.items() if value}
    seen = Seen(found.short, details, at.isoformat())
    if before is not None and (before.fingerprint == seen.fingerprint or _learns(seen, before)):
        return None
    entries[name] = seen
    subject, told = _news(name, before, seen)
    commit = repo.commit(
        [Change(path, render_lock(entries))],
        message=f"backend: {subject}\n",
        author=author,
        branch=branch,
        at=at,
        expect={path: repo.oid(path, tip)},
        start=tip,
    )
    return commit, told


def _news(name: str, before: Seen | None, seen: Seen) -> tuple[str, str]:
    """The commit's subject, and the sentence for the user."""
    what = seen.details.get("digest") or seen.fingerprint
    if before is None:
        return f"{name} is first seen here, running {what[:32]}", ""
    if _learns(before, seen):
        return f"{name} answers as {seen.details['served'][:60]}", ""
    told = f"The model behind {name} changed: {_difference(before, seen)}."
    return f"{name} now runs {what[:32]}", told


def _learns(without: Seen, served: Seen) -> bool:
    """Whether the second differs from the first by nothing but what a reply tells."""
    only_there = "served" in served.details and "served" not in without.details
    return only_there and _as_asked(without.details) == _as_asked(served.details)


def _as_asked(details: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in details.items() if value and key not in _BY_REPLY}


def _difference(before: Seen, now: Seen) -> str:
    changed = [
        f"{key.replace('_', ' ')} {before.details.get(key) or 'unknown'} → {now.details[key]}"
        for key in _MOST_TELLING
        if now.details.get(key) and now.details.get(key) != before.details.get(key)
    ]
    return "; ".join(changed) or f"fingerprint {before.fingerprint} → {now.fingerprint}"

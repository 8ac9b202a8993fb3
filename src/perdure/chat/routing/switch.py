"""Switching to another backend during a conversation: for one reply, or for good.

For good means first in companion.yaml, as a commit of its own. All of it blocks; a `Session` calls
it on its worker thread. Edits of the backends' files are committed before, on their own, as they
are before a turn: what the user wrote a moment ago counts. May run beside a reply, whose turn then
lands on top.
"""

from __future__ import annotations

from perdure.actions.backends.manage import BackendActions
from perdure.actions.trust import usable_spec
from perdure.backends.protocol import BackendSpec
from perdure.chat.routing.backend_set import BackendEntry, UnusableManifest, listed_backends
from perdure.chat.turn.store import TurnStore
from perdure.companion.config.upgrades import SETTINGS
from perdure.notice import Notice
from perdure.snapshot.errors import RequestProblem


def backend_choices(store: TurnStore) -> list[tuple[BackendEntry, int]]:
    """All backends in the folder with their place in the order, the listed ones first."""
    with BackendActions(store.repo.path) as backends:
        return [
            (
                BackendEntry(backends.spec(row.manifest))
                if row.manifest is not None
                else unreadable(row.name, row.problem),
                row.order,
            )
            for row in backends.listed()
        ]


def look_up(store: TurnStore, name: str) -> tuple[BackendEntry, list[Notice]]:
    """A backend by its name, listed or not, and what there is to tell.

    Raises:
        NoBackend, CompanionProblem, HistoryError: there is none, or its file cannot be read.
    """
    with BackendActions(store.repo.path) as backends:
        notices = _take_edits(backends, store) if store.repo.head().branch is not None else []
        return BackendEntry(usable_spec(store.repo, backends.manifest(name))), notices


def put_first(store: TurnStore, name: str) -> tuple[list[BackendEntry], list[Notice]]:
    """List the backend ``name`` first; the others stay behind it, in their order.

    Returns:
        Those listed by now, and what there is to tell.

    Raises:
        RequestProblem: no branch is checked out, or companion.yaml has an edit that cannot be read.
        NoBackend, HistoryError, CompanionProblem: nothing was changed.
    """
    with BackendActions(store.repo.path) as backends:
        notices = _take_edits(backends, store)
        backends.put_first(name)
    return listed_backends(store.repo, "HEAD"), notices


def _take_edits(backends: BackendActions, store: TurnStore) -> list[Notice]:
    outside = backends.commit_hand_edits()
    # Committed later, an edited companion.yaml would take the new order back.
    in_the_way = next((text for text in outside.held if text.startswith(SETTINGS)), "")
    if in_the_way:
        raise RequestProblem(
            in_the_way.rstrip("."),
            kept="nothing was switched",
            next_step=f"fix {SETTINGS} in {store.repo.path} and try again",
        )
    return [Notice(text) for text in outside.committed]


def unreadable(name: str, problem: str) -> BackendEntry:
    """A backend whose file cannot be read."""
    return BackendEntry(BackendSpec(name, "", ""), UnusableManifest(problem))

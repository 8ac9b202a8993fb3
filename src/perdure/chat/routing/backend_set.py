"""The backends of a session: read from the tree before each turn, made, and let go of.

A driver is made anew only where its spec changed, so a model that is loaded stays loaded. One that
cannot be used (its manifest cannot be read, came from outside, asks for what the driver lacks)
keeps its place and refuses there, as one that does not answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perdure.actions.agreement import as_agreed
from perdure.actions.trust import usable_spec
from perdure.backends.destination import destination
from perdure.backends.disabled import DisabledBackend
from perdure.backends.drivers import make_backend
from perdure.backends.errors import Action, BackendError
from perdure.backends.protocol import Backend, BackendSpec
from perdure.companion.config.settings import parse_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import CompanionProblem
from perdure.git.repository.repository import Repository
from perdure.snapshot.companion import read_manifest
from perdure.snapshot.errors import NoBackend
from perdure.snapshot.files import read_small_at

Make = Callable[[BackendSpec], Backend]


class UnusableManifest(BackendError):
    """A manifest that is not there or cannot be read."""

    action = Action.FAIL_OVER


@dataclass(frozen=True, slots=True)
class BackendEntry:
    """A backend as the tree has it; ``problem`` is what is wrong with its file."""

    spec: BackendSpec
    problem: BackendError | None = None


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """A backend that could be switched to. ``order`` counts from 1; 0 outside of the list."""

    name: str
    model: str
    driver: str
    order: int
    hosted: bool
    host: str
    """Host, with the port if there is one; empty for a model inside perdure."""
    problem: str = ""
    """Why it cannot be used; empty where it can."""

    @property
    def runs(self) -> str:
        """Where it runs, in words; or why it cannot."""
        if self.problem:
            return self.problem
        return f"leaves this machine: {self.host}" if self.hosted else "this machine"

    def speaks(self, *, once: bool) -> str:
        """What a switch to it means, as a sentence."""
        how_long = "For the next reply only" if once else "From now on"
        leaves = f"; what you say goes to {self.host}" if self.hosted else ""
        return f"{how_long}, {self.name} speaks ({self.model}){leaves}."


@dataclass(frozen=True, slots=True)
class BackendOrder:
    """Who is asked for the next reply: those listed, in order; before them, the one chosen."""

    listed: tuple[Backend, ...]
    chosen: Backend | None = None

    @property
    def order(self) -> tuple[Backend, ...]:
        """All of them as they are asked."""
        if self.chosen is None:
            return self.listed
        return (self.chosen, *(each for each in self.listed if each is not self.chosen))


def find(repo: Repository, rev: str, name: str) -> BackendEntry:
    """A backend in the tree of ``rev``, listed or not. Nothing wrong with it is raised."""
    try:
        return BackendEntry(usable_spec(repo, read_manifest(repo, rev, name)))
    except (CompanionProblem, NoBackend) as problem:
        unusable = UnusableManifest(problem.what, problem.kept, problem.next_step)
        return BackendEntry(BackendSpec(name, "", ""), unusable)


def listed_backends(repo: Repository, rev: str) -> list[BackendEntry]:
    """Those that companion.yaml lists, in failover order, as agreed on this device.

    Raises:
        NoBackend: it lists none.
        CompanionProblem: it cannot be read.
    """
    names = as_agreed(repo, parse_settings(read_small_at(repo, SETTINGS, rev) or b"")).backends
    if not names:
        raise NoBackend(
            "companion.yaml lists no backend.",
            next_step="Name one under `backends:`, such as a file in the folder backends/",
        )
    return [find(repo, rev, name) for name in names]


class BackendSet:
    """The drivers of a session. Used on the event loop only; nothing is opened here."""

    def __init__(self, fixed: Sequence[Backend] = (), make: Make = make_backend) -> None:
        """``fixed`` take the place of those in the tree."""
        self.fixed = bool(fixed)
        self._make = make
        self._made = {each.spec.name: (BackendEntry(each.spec), each) for each in fixed}
        self._retired: list[Backend] = []
        self.listed: tuple[BackendEntry, ...] = tuple(found for found, _ in self._made.values())
        """Those of companion.yaml, in failover order, as last read."""
        self.chosen: BackendEntry | None = None
        """Who answers the next unusable, and only that; None for the one listed first."""

    def follow(
        self, listed: Sequence[BackendEntry], speaking: BackendEntry | None = None
    ) -> BackendOrder:
        """Take over what the tree says by now. ``speaking`` goes first for one reply."""
        self.listed = tuple(listed)
        if speaking is not None:
            names = {each.spec.name: each for each in listed}
            speaking = names.get(speaking.spec.name, speaking)
        kept = [*listed, *(each for each in (self.chosen, speaking) if each is not None)]
        for name, (found, backend) in list(self._made.items()):
            if found not in kept:
                self._retired.append(backend)
                del self._made[name]
        backends = tuple(map(self._made_for, listed))
        return BackendOrder(backends, self._made_for(speaking) if speaking is not None else None)

    def next(self) -> Backend:
        """Who is asked next."""
        return self._made_for(self.chosen or self.listed[0])

    def first(self) -> Backend:
        """The one that is listed first."""
        return self._made_for(self.listed[0])

    def _made_for(self, found: BackendEntry) -> Backend:
        made, backend = self._made.get(found.spec.name, (None, None))
        if made == found and backend is not None:
            return backend
        if backend is not None:
            self._retired.append(backend)
        made_now = self._driver(found)
        self._made[found.spec.name] = (found, made_now)
        return made_now

    def candidate(self, found: BackendEntry, order: int) -> BackendChoice:
        """What a face shows of a backend."""
        spec, backend = found.spec, self._looked_at(found)
        problem = backend.problem.what if isinstance(backend, DisabledBackend) else ""
        host = destination(spec)
        return BackendChoice(
            spec.name, spec.model, spec.driver, order, backend.hosted, host, problem
        )

    def check(self, found: BackendEntry) -> None:
        """Raises BackendError for one that cannot be used."""
        backend = self._looked_at(found)
        if isinstance(backend, DisabledBackend):
            raise backend.problem

    def _looked_at(self, found: BackendEntry) -> Backend:
        """The driver that is there, else one that is made for a look only."""
        made, backend = self._made.get(found.spec.name, (None, None))
        return backend if backend is not None and made == found else self._driver(found)

    def _driver(self, found: BackendEntry) -> Backend:
        """A new driver; one that refuses where none can be made."""
        if found.problem is not None:
            return DisabledBackend(found.spec, found.problem)
        if found.spec.disabled:
            return DisabledBackend(found.spec)
        try:
            return self._make(found.spec)
        except BackendError as problem:
            return DisabledBackend(found.spec, problem)

    async def close_retired(self) -> None:
        """Let go of drivers that the tree has no more; not while one of them may be speaking."""
        retired, self._retired = self._retired, []
        await _close(retired)

    async def close(self) -> None:
        """Let go of every model and connection."""
        await self.close_retired()
        await _close([backend for _, backend in self._made.values()])


async def _close(backends: Sequence[Backend]) -> None:
    """One that cannot be closed does not keep the others from it."""
    for backend in backends:
        with contextlib.suppress(BackendError):
            await backend.close()

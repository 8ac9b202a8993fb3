"""The backends of a companion: listed, added, put in order, confirmed, pinned."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from perdure.actions import trust
from perdure.actions.agreement import (
    UnagreedSetting,
    agree_to,
    begin_agreement,
    companion_here,
    unagreed_settings,
)
from perdure.actions.backends.fingerprint import known_form, note_fingerprint, same_model
from perdure.actions.backends.token_corrections import Corrections
from perdure.actions.errors import CannotAct, branch_of
from perdure.actions.hand_edits import HandEditCommits, commit_hand_edits
from perdure.actions.trust import Unconfirmed
from perdure.backends.drivers import make_backend
from perdure.backends.hosted.request_form import RequestForm
from perdure.backends.protocol import Backend, BackendSpec, Fingerprint
from perdure.companion.config.backend_lock import LockEntry
from perdure.companion.config.manifest import (
    Manifest,
    check_keys,
    manifest_path,
    parse_manifest,
    render_manifest,
)
from perdure.companion.config.settings import CompanionSettings, edit_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import CompanionProblem
from perdure.companion.names import numbered
from perdure.git.errors import HistoryError
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.author import human_of
from perdure.snapshot.companion import CompanionAt, backend_spec, seen_backends
from perdure.snapshot.errors import NoBackend, RequestProblem
from perdure.snapshot.files import read_small_at

_FOLDER = "backends"
_SEARCHED = 5000
"""Commits that are searched for the one that brought a manifest, where somebody asked for it."""
_NAME = re.compile(r"[^\W_][\w.-]{0,59}")


@dataclass(frozen=True, slots=True)
class BackendRow:
    """One backend, as its file says. ``order`` counts from 1; 0 outside companion.yaml's list."""

    name: str
    order: int
    manifest: Manifest | None
    confirmed: bool = True
    edited: bool = False
    """The file in the folder is not committed yet."""
    problem: str = ""


class BackendActions:
    """Acts on a companion's backends as the folder has them, hand edits included."""

    def __init__(self, path: Path) -> None:
        """Open the companion. Raises HistoryError, RequestProblem, CompanionProblem."""
        self._repo = Repository.open(path)
        try:
            self._companion: CompanionAt = companion_here(self._repo, "HEAD")
            begin_agreement(self._repo)
            self._look_for_edits()
        except BaseException:
            self._repo.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._repo.close()

    @property
    def corrections(self) -> Corrections:
        """What was learned from backends' own counts of tokens."""
        return Corrections(self._repo.cache_dir)

    @property
    def settings(self) -> CompanionSettings:
        """companion.yaml, as committed, and as it counts on this device."""
        return self._companion.settings

    def commit_hand_edits(self) -> HandEditCommits:
        """Commit what was edited by hand in the manifests and companion.yaml, as before a turn."""
        branch, folders = branch_of(self._repo), (_FOLDER, SETTINGS)
        done = commit_hand_edits(self._repo, branch, self._author(), folders)
        if done.committed:
            self._companion = companion_here(self._repo, "HEAD")
        self._look_for_edits()
        return done

    def _look_for_edits(self) -> None:
        edits = self._repo.edits.find((_FOLDER,))
        self._edits = {each.path: each.content for each in edits.ready}
        self._own = {each.name for each in trust.manifests_written_here(self._repo, edits.ready)}

    def listed(self) -> list[BackendRow]:
        """All manifests, those in failover order first. Opens none of the backends."""
        order = self._companion.settings.backends
        paths = {entry.path for entry in self._repo.files(_FOLDER)} | self._edits.keys()
        names = {
            Path(path).stem
            for path in paths
            if path.endswith(".yaml") and self._edits.get(path, b"") is not None
        }
        rest = sorted(names - set(order))
        return [self._row(name, place) for place, name in enumerate(order, 1)] + [
            self._row(name, 0) for name in rest
        ]

    def _row(self, name: str, order: int) -> BackendRow:
        edited = manifest_path(name) in self._edits
        try:
            manifest = self.manifest(name)
            check_keys(manifest)
        except (CompanionProblem, NoBackend) as problem:
            return BackendRow(name, order, None, edited=edited, problem=str(problem))
        return BackendRow(name, order, manifest, self._usable(manifest), edited)

    def _usable(self, manifest: Manifest) -> bool:
        return manifest.name in self._own or trust.is_confirmed(self._repo, manifest)

    def text(self, name: str) -> bytes:
        """A manifest's file, comments and all. Raises NoBackend."""
        path = manifest_path(name)
        data = self._edits[path] if path in self._edits else read_small_at(self._repo, path)
        if data is not None:
            return data
        listed = name in self._companion.settings.backends
        there = ", ".join(row.name for row in self.listed()) if not listed else ""
        raise NoBackend(
            f"companion.yaml lists the backend {name!r}, but there is no {path}"
            if listed
            else f"there is no backend {name!r}",
            next_step=f"write {path}, or take {name!r} out of companion.yaml"
            if listed
            else f"there are: {there}"
            if there
            else "perdure backend add",
        )

    def manifest(self, name: str) -> Manifest:
        """Read a manifest. Raises NoBackend, CompanionProblem with file and line."""
        return parse_manifest(self.text(name), manifest_path(name))

    def spec(self, manifest: Manifest) -> BackendSpec:
        """What a driver needs of a manifest; disabled until the user agrees to it.

        Raises:
            BadFile: it has a key that means nothing.
        """
        check_keys(manifest)
        if self._usable(manifest):
            return backend_spec(manifest)
        return trust.usable_spec(self._repo, manifest)

    def backend(self, name: str) -> Backend:
        """Make a backend, not yet opened; one that refuses where it waits to be confirmed.

        Raises:
            NoBackend, CompanionProblem, BackendError: there is none, or it cannot be used.
        """
        return make_backend(self.spec(self.manifest(name)))

    def seen(self, name: str) -> LockEntry | None:
        """What the backend ran when it was last seen on this device."""
        return seen_backends(self._repo).get(name)

    async def pin(self, backend: Backend) -> str:
        """Accept what a backend runs as what it should run; returns the fingerprint.

        Raises BackendError; HistoryError where it cannot be noted.
        """
        try:
            await backend.open()
            found = await backend.fingerprint()
        finally:
            await backend.close()
        self._note(backend.spec, found)
        return found.short

    def _note(self, spec: BackendSpec, found: Fingerprint, form: RequestForm | None = None) -> str:
        return note_fingerprint(
            self._repo,
            tip=self._repo.resolve("HEAD"),
            branch=branch_of(self._repo),
            author=self._author(),
            spec=spec,
            found=found,
            learned=form,
        ).message

    def note_form(self, spec: BackendSpec, found: Fingerprint, form: RequestForm) -> None:
        """Note how a backend wants to be asked, if that is new.

        Not where it runs another model than last seen: accepting that is the next turn's, or
        `pin`'s. Raises HistoryError.
        """
        seen = self.seen(spec.name)
        is_other = seen is not None and not same_model(seen, found)
        if not is_other and form != known_form(self._repo, "HEAD", spec, found):
            self._note(spec, found, form)

    def free_name(self, wanted: str) -> str:
        """``wanted``, or ``wanted-2`` and so on where there is one of that name."""
        taken = {row.name for row in self.listed()}
        return next(name for name in numbered(wanted) if name not in taken)

    def check_new(self, name: str) -> None:
        """Raises RequestProblem where no backend may be added under that name."""
        if not _NAME.fullmatch(name):
            raise CannotAct(
                f"{name!r} is not a valid name for a backend",
                next_step="use letters, digits, '-', '_' and '.', such as local",
            )
        path = manifest_path(name)
        taken = name in self._companion.settings.backends or any(
            row.name == name for row in self.listed()
        )
        if taken or (self._repo.path / path).exists():
            raise CannotAct(
                f"there is already a backend {name}",
                next_step=f"edit {path}, or choose another name",
            )

    def add(self, manifest: Manifest, *, first: bool = False) -> int:
        """Commit a manifest, last or first in the failover order; its place there.

        The user wrote it here, so it is confirmed. Raises RequestProblem, CompanionProblem,
        BackendError, HistoryError; nothing was changed then.
        """
        self.check_new(manifest.name)
        path = manifest_path(manifest.name)
        data = render_manifest(manifest)
        parse_manifest(data, path)
        make_backend(backend_spec(manifest))

        def extended(names: Sequence[str]) -> list[str]:
            return [manifest.name, *names] if first else [*names, manifest.name]

        order = extended(self.settings.backends)
        trust.confirm(self._repo, [manifest])
        changes = [Change(path, data), self._ordered(extended(self._written))]
        self._commit(changes, f"backend: add {manifest.name}", order)
        return order.index(manifest.name) + 1

    def use(self, names: Sequence[str]) -> tuple[str, ...]:
        """Set the failover order. Backends that are not named stay in the folder."""
        for name in names:
            self.manifest(name)
        order = list(dict.fromkeys(names))
        self._use(order, order)
        return tuple(order)

    def put_first(self, name: str) -> None:
        """Ask a backend first; the others stay behind it, in their order.

        So they do in companion.yaml, where another device may have written others.
        """
        self.manifest(name)
        orders = (self._written, self.settings.backends)
        written, agreed = ([name, *(each for each in names if each != name)] for names in orders)
        self._use(written, agreed)

    def _use(self, written: list[str], agreed: list[str]) -> None:
        if tuple(written) != self._written:
            subject = f"backend: use {', then '.join(written)}"
            self._commit([self._ordered(written)], subject, agreed)
        else:
            agree_to(self._repo, backends=tuple(agreed))
            self._companion = companion_here(self._repo, "HEAD")

    def waiting(self, names: Iterable[str] | None = None) -> list[Unconfirmed]:
        """The backends that wait to be confirmed, in the list or not, with who brought each."""
        return trust.unconfirmed_backends(self._repo, "HEAD", names, most=_SEARCHED)

    def confirm(self, agreed: Iterable[Unconfirmed]) -> None:
        """Remember that the user agreed to these as they were shown. Raises HistoryError."""
        trust.confirm(self._repo, agreed)

    def unagreed(self, names: Iterable[str] = ()) -> list[UnagreedSetting]:
        """The settings of companion.yaml that this device has not agreed to.

        With ``names`` of backends: the order alone, where it has one of them.
        """
        found = unagreed_settings(self._repo, "HEAD", most=_SEARCHED)
        wanted = set(names)
        if not wanted:
            return list(found)
        listed = not wanted.isdisjoint(self._written)
        return [each for each in found if listed and each.key == _FOLDER]

    def agree(self, setting: UnagreedSetting) -> None:
        """Remember that the user agreed to a setting as it was shown. Raises HistoryError."""
        agree_to(self._repo, **{setting.key: setting.there})

    @property
    def _written(self) -> tuple[str, ...]:
        """The order as companion.yaml has it."""
        return (self._companion.as_written or self.settings).backends

    def _ordered(self, names: list[str]) -> Change:
        data = read_small_at(self._repo, SETTINGS)
        return Change(SETTINGS, edit_settings(data or b"", {"backends": names}))

    def _commit(self, changes: list[Change], subject: str, agreed: list[str]) -> None:
        self._repo.commit(
            changes,
            message=f"{subject}\n",
            author=self._author(),
            branch=branch_of(self._repo),
            expect={change.path: self._repo.oid(change.path) for change in changes},
        )
        agree_to(self._repo, backends=tuple(agreed))
        with suppress(HistoryError, RequestProblem, CompanionProblem):
            self._companion = companion_here(self._repo, "HEAD")

    def _author(self) -> Author:
        return human_of(self._repo, self._companion.settings.user)

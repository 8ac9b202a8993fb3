"""A companion opened to be acted on: its repository, its branch, and who writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from perdure.actions.errors import CannotAct, branch_of
from perdure.actions.lease import ConversationLease
from perdure.companion.clock import now
from perdure.companion.config.upgrades import SETTINGS, refuse_newer
from perdure.companion.errors import CompanionProblem, NewerFormat
from perdure.git.errors import HistoryError
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.author import author_of, device, human_of
from perdure.snapshot.errors import newer_companion
from perdure.snapshot.files import read_small_at

if TYPE_CHECKING:
    from perdure.actions.hand_edits import HandEditCommits
    from perdure.companion.config.settings import CompanionSettings


class Workspace:
    """One companion, opened to be changed; use it in a ``with`` statement."""

    def __init__(self, repo: Repository, settings: CompanionSettings | None = None) -> None:
        self.repo = repo
        self.lease: ConversationLease | None = None
        """The lease of the session that acts; None where there is no session."""
        self._settings = settings

    @contextmanager
    def leased(self) -> Iterator[ConversationLease]:
        """A lease to write with; released afterwards unless the session holds it."""
        lease = self.lease or ConversationLease(self.repo)
        try:
            yield lease
        finally:
            if self.lease is None:
                lease.release()

    @classmethod
    def open(cls, path: Path, *, reading: bool = False) -> Workspace:
        """Open the companion at ``path``.

        Args:
            path: of its folder.
            reading: nothing is going to be changed.

        Raises:
            NewerCompanion: a newer perdure has made it; it can be read, and not changed.
            HistoryError: it cannot be opened.
        """
        repo = Repository.open(path)
        try:
            data = None if reading or repo.head().commit is None else read_small_at(repo, SETTINGS)
            refuse_newer(data or b"")
        except NewerFormat as problem:
            repo.close()
            raise newer_companion(problem) from problem
        except BaseException:
            repo.close()
            raise
        return cls(repo)

    @property
    def settings(self) -> CompanionSettings:
        """companion.yaml of the last commit, as it counts on this device.

        Defaults where it cannot be read: a broken one keeps nobody from going back to a good one.
        Read when first asked for, since the YAML library takes long to import.
        """
        if self._settings is None:
            self._settings = _settings(self.repo)
        return self._settings

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.repo.close()

    @property
    def author(self) -> Author:
        """The human: git's identity, or the companion's user."""
        return human_of(self.repo, self.settings.user)

    @property
    def companion(self) -> Author:
        """The companion, as the author of what she does herself."""
        return author_of(self.settings.name)

    @property
    def branch(self) -> str:
        """The branch that is checked out. Raises CannotAct where none is."""
        return branch_of(self.repo)

    @property
    def tip(self) -> str:
        """The commit that is checked out. Raises UnknownRevision where there is none."""
        return self.repo.resolve("HEAD")

    def generated(self, start: str) -> str:
        """A branch name that no other device makes up: ``<start>-<day>-<device>``."""
        return f"{start}-{now():%Y-%m-%d}-{device()}"

    def commit_hand_edits(self) -> HandEditCommits:
        """Commit hand edits, each concern by itself, as before a turn."""
        from perdure.actions.hand_edits import commit_hand_edits

        self._settings = None
        return commit_hand_edits(self.repo, self.branch, self.author)

    def commit(
        self,
        changes: Sequence[Change],
        message: str,
        since: str = "",
        *,
        author: Author | None = None,
    ) -> str:
        """Commit changed files to the branch that is checked out.

        Args:
            changes: the files afterwards.
            message: the commit's.
            since: the commit from which the changes were thought out, where somebody was asked
                about them since; the last one without.
            author: who writes it; the human without one.

        Raises:
            CannotAct: one of the files has an uncommitted edit.
            CompanionProblem: a file would not be readable afterwards; names file and line.
            TipMoved: others have committed to one of the files since; nothing was changed.
            Busy, StorageFull, ReadOnly: nothing was changed.
        """
        self._settings = None
        for change in changes:
            check_readable(change)
        edited = self.repo.diff(None, None, [change.path for change in changes])
        if edited:
            raise CannotAct(
                f"{edited[0].path} has an uncommitted edit",
                next_step="commit it, or move the file away, then try again",
            )
        before = self.repo.read(SETTINGS)
        commit = self.repo.commit(
            changes,
            message=message,
            author=author or self.author,
            branch=self.branch,
            at=now(),
            expect={c.path: self.repo.oid(c.path, since or None) for c in changes},
        )
        for change in changes:
            if change.path == SETTINGS:
                from perdure.actions.agreement import learn_edit

                learn_edit(self.repo, before, change.content)
                self._settings = None
        return commit


def refuse_key(name: str) -> None:
    """Raise CannotAct if the name of a new branch or tag holds a key."""
    from perdure.companion.secrets import looks_secret

    if looks_secret(name):
        raise CannotAct(
            "that name contains what looks like a key, and names go wherever the repository goes",
            next_step="choose another name",
        )


def check_readable(change: Change) -> None:
    """Raise CompanionProblem if settings or a manifest could not be read afterwards."""
    from perdure.companion.config.manifest import parse_manifest
    from perdure.companion.config.settings import parse_settings

    if change.content is None:
        return
    if change.path == SETTINGS:
        parse_settings(change.content)
    elif change.path.startswith("backends/") and change.path.endswith(".yaml"):
        parse_manifest(change.content, change.path)


def _settings(repo: Repository) -> CompanionSettings:
    from perdure.actions.agreement import as_agreed
    from perdure.companion.config.settings import CompanionSettings, parse_settings

    try:
        data = read_small_at(repo, SETTINGS)
        if data:
            return as_agreed(repo, parse_settings(data, read_only=True))
    except (CompanionProblem, HistoryError):
        pass
    return CompanionSettings("Companion")

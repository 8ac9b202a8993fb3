"""What can go wrong with a companion's history. Each error says what is safe and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from perdure.errors import Problem

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_SHUT = {errno.EROFS, errno.EACCES, errno.EPERM}
NO_MORE_FILES = {errno.EMFILE, errno.ENFILE}
"""What the system says where this process, or the machine, may open no more files."""


class HistoryError(Problem):
    """Base class of the history engine's errors."""


class NotARepository(HistoryError):
    """There is no git repository at that place."""


class UnsupportedRepository(HistoryError):
    """A kind of repository that the engine does not support: sha256, reftable, bare."""


class DamagedRepository(HistoryError):
    """Part of the repository cannot be read: HEAD is gone, an object is missing or broken."""


class NotOwned(HistoryError):
    """The folder belongs to another user of the machine and has not been declared safe."""


class LinkInside(HistoryError):
    """There is a link, pipe or device inside the git folder, where git only makes files."""


class MissingObject(DamagedRepository):
    """An object that the history names is missing from the object store."""


class RefusedPack(DamagedRepository):
    """What another repository sent is broken, or more than is taken from outside."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"what the other repository sent was refused: {why}",
            "nothing was changed here",
            "try again; if it stays so, look at the other repository with git fsck",
        )


class TooLargeObject(DamagedRepository):
    """An object is larger than what is read of its kind.

    Attributes:
        size: its bytes.
    """

    def __init__(self, oid: str, size: int, most: int) -> None:
        super().__init__(
            f"{oid} has {size:,} bytes, more than the {most:,} that perdure reads",
            "nothing was changed",
            "git can show it, and git log names who brought it",
        )
        self.size = size


class TooManyFiles(DamagedRepository):
    """A commit holds more files than can be examined."""


def too_many(place: str, most: int) -> TooManyFiles:
    """The error for a folder with too many files; "" means the whole commit."""
    return TooManyFiles(
        f"{place or 'the companion'} has more than {most:,} files, more than perdure looks at",
        "nothing was changed",
        "remove those that do not belong there; git log names who brought them",
    )


class TooMuchUnpacked(DamagedRepository):
    """A repository's objects unpack to far more than any companion's."""

    def __init__(self) -> None:
        super().__init__(
            "its objects unpack to far more than they are",
            "nothing was changed here",
            "git count-objects -v and git verify-pack -v show them there",
        )


class UnknownRevision(HistoryError):
    """A name that stands for no commit here, or for more than one."""


class BadPath(HistoryError):
    """A path that cannot safely be stored in a tree."""


class TipMoved(HistoryError):
    """The branch no longer has the version of a file that the change was based on.

    Attributes:
        path: the file in question.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} was changed by someone else in the meantime",
            "their version stays",
            "read the file again, then repeat the change",
        )
        self.path = path


class UnsavedEdits(HistoryError):
    """Uncommitted edits in the work tree are in the way.

    Attributes:
        paths: the files, each with the reason.
    """

    def __init__(self, paths: Sequence[tuple[str, str]]) -> None:
        shown = ", ".join(f"{path} ({reason})" for path, reason in paths[:5])
        more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
        super().__init__(
            f"files that you edited would be overwritten: {shown}{more}",
            "nothing was changed",
            "commit these edits, or move the files away, then try again",
        )
        self.paths = list(paths)


class Unfinished(HistoryError):
    """A merge, rebase, cherry-pick, revert or bisect is open in the work tree."""


class BranchGone(HistoryError):
    """The branch was renamed or deleted in the meantime."""


class BranchRewritten(HistoryError):
    """A rebase or the like is in progress on the branch, and may reset it at the end."""


class CheckedOutElsewhere(HistoryError):
    """Another work tree of the same repository has the branch checked out."""


class RefElsewhere(HistoryError):
    """A branch or tag has moved since the change was planned."""


class NotCarriedOut(HistoryError):
    """An operation is recorded but not finished yet; it will be finished by itself."""

    def __init__(self, reason: HistoryError) -> None:
        super().__init__(
            f"decided, but not yet carried out: {reason.what}",
            "nothing is lost; the next command does the rest",
            "fix that, and do not repeat this",
        )


class NothingToUndo(HistoryError):
    """There is nothing to undo or redo."""


class StillInConflict(HistoryError):
    """A merge cannot be concluded because some conflicts are not settled.

    Attributes:
        paths: the files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(
            f"not resolved yet: {', '.join(paths)}",
            "nothing was changed",
            "edit them until no conflict markers (<<<<<<<, =======, >>>>>>>) are left, then try "
            "again",
        )
        self.paths = list(paths)


class CannotMerge(HistoryError):
    """Unrelated histories, or a kind of file that cannot be merged here."""


class NoCommonCommit(CannotMerge):
    """Two histories have nothing in common, as far as they are here."""


class Busy(HistoryError):
    """Another process has held a lock for too long."""


class StorageFull(HistoryError):
    """The disk is full, or the quota is used up."""


class ReadOnly(HistoryError):
    """The file system is read-only, or permissions forbid writing."""


class NoMoreFiles(HistoryError):
    """Too many files are open in this process or on this machine."""


class WriteFailed(HistoryError):
    """The operating system refused a write for another reason."""


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn an OSError in the block into one of these errors.

    Args:
        doing: what was being done, as in "saving a turn".

    Raises:
        StorageFull: no space or quota left.
        ReadOnly: the place may not be written.
        NoMoreFiles: no more files may be open.
        WriteFailed: anything else that the operating system reported.
    """
    try:
        yield
    except OSError as error:
        kept = "everything saved earlier is untouched"
        if error.errno in _FULL:
            raise StorageFull(
                f"the disk is full: {doing} did not succeed",
                kept,
                "free some space, then try again",
            ) from error
        if error.errno in _SHUT:
            raise ReadOnly(
                f"{doing} did not succeed: {error.strerror}: {error.filename or 'the repository'}",
                kept,
                "make the folder writable, then try again",
            ) from error
        if error.errno in NO_MORE_FILES:
            raise NoMoreFiles(
                f"{doing} did not succeed: too many files are open",
                kept,
                "allow more (ulimit -n 1024) or close other programs, then try again",
            ) from error
        raise WriteFailed(f"{doing} did not succeed: {error}", kept) from error

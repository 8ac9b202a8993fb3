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
    """Base of this room's errors."""


class NotARepository(HistoryError):
    """There is no git repository at that place."""


class UnsupportedRepository(HistoryError):
    """A git repository of a kind that the engine does not write: sha256, reftable, bare."""


class DamagedRepository(HistoryError):
    """Something that git wrote cannot be read: HEAD gone, an object missing or broken."""


class NotOwned(HistoryError):
    """Another user of the machine owns the folder, and nobody has said that it is trusted."""


class LinkInside(HistoryError):
    """A link, a pipe or a device stands inside the git folder, where git makes files only."""


class MissingObject(DamagedRepository):
    """An object that history names is nowhere in the object store."""


class TooLargeObject(DamagedRepository):
    """Something stored is larger than what is read of its kind; its header says so.

    Attributes:
        size: its bytes.
    """

    def __init__(self, oid: str, size: int, most: int) -> None:
        super().__init__(
            f"{oid} has {size:,} bytes, and no more than {most:,} are read of such an object",
            "nothing was changed",
            "git can show it, and git log names who brought it",
        )
        self.size = size


class TooManyFiles(DamagedRepository):
    """A commit holds more files than can be looked at, as a tree that holds itself does."""


def too_many(place: str, most: int) -> TooManyFiles:
    """The error for a folder, "" for all of a commit, with more files than are looked at."""
    return TooManyFiles(
        f"{place or 'the companion'} has more than {most:,} files, more than perdure looks at",
        "nothing was changed",
        "take those away that do not belong there; git log names who brought them",
    )


class UnknownRevision(HistoryError):
    """A branch, tag or id that names no commit here, or more than one."""


class BadPath(HistoryError):
    """A path that cannot be stored in a tree safely."""


class TipMoved(HistoryError):
    """The tip no longer holds the version of a file that the change was made from.

    Attributes:
        path: the file in question.
    """

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} was changed by someone else meanwhile",
            "their version stays",
            "read the file again and repeat the change",
        )
        self.path = path


class UnsavedEdits(HistoryError):
    """Work files with edits that are in no commit stand in the way.

    Attributes:
        paths: the files, each with the reason.
    """

    def __init__(self, paths: Sequence[tuple[str, str]]) -> None:
        shown = ", ".join(f"{path} ({reason})" for path, reason in paths[:5])
        more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
        super().__init__(
            f"files with edits of yours would be overwritten: {shown}{more}",
            "nothing was changed",
            "commit these edits, or move the files away, and repeat",
        )
        self.paths = list(paths)


class Unfinished(HistoryError):
    """A merge, rebase, cherry-pick, revert or bisect is open in the work tree."""


class BranchGone(HistoryError):
    """The branch that was to be committed to was renamed or deleted meanwhile."""


class BranchRewritten(HistoryError):
    """git goes through the commits of the branch, and may put it back at the end."""


class CheckedOutElsewhere(HistoryError):
    """Another work tree of the same repository has the branch checked out."""


class RefElsewhere(HistoryError):
    """A branch or tag is not where it was when the change was thought out."""


class NotCarriedOut(HistoryError):
    """An operation is decided, and files or branches cannot follow yet; they do by themselves."""

    def __init__(self, reason: HistoryError) -> None:
        super().__init__(
            f"decided, but not carried out yet: {reason.what}",
            "nothing is lost; what is missing follows with the next command",
            "put that right, and do not repeat this",
        )


class NothingToUndo(HistoryError):
    """There is no operation to take back, or to do again."""


class StillInConflict(HistoryError):
    """A merge is to be concluded while files of it are not settled.

    Attributes:
        paths: the files.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(
            f"not settled yet: {', '.join(paths)}",
            "nothing was changed",
            "edit them until no marks (<<<<<<<, =======, >>>>>>>) are left, and repeat",
        )
        self.paths = list(paths)


class CannotMerge(HistoryError):
    """Two lines that have no commit in common, or a kind of file that is not merged here."""


class Busy(HistoryError):
    """Another process holds a lock for longer than is worth waiting."""


class StorageFull(HistoryError):
    """No space, or no quota, for what had to be written."""


class ReadOnly(HistoryError):
    """The file system or its permissions let nothing be written."""


class NoMoreFiles(HistoryError):
    """The process, or the machine, may not have as many files open as are needed."""


class WriteFailed(HistoryError):
    """The operating system refused a write for another reason."""


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Turn an OSError of the block into this room's error.

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
        kept = "everything saved before is untouched"
        if error.errno in _FULL:
            raise StorageFull(
                f"the disk is full: {doing} did not succeed", kept, "free some space and repeat"
            ) from error
        if error.errno in _SHUT:
            raise ReadOnly(
                f"{doing} did not succeed: {error.strerror}: {error.filename or 'the repository'}",
                kept,
                "make the folder writable and repeat",
            ) from error
        if error.errno in NO_MORE_FILES:
            raise NoMoreFiles(
                f"{doing} did not succeed: too many files are open",
                kept,
                "allow more (ulimit -n 1024) or close other programs, and repeat",
            ) from error
        raise WriteFailed(f"{doing} did not succeed: {error}", kept) from error

"""``operation.json``: the plan of an operation or of a merge, as it is read after a crash."""

from __future__ import annotations

import json

import msgspec

from perdure.git.commit.plan import Plan
from perdure.git.refs.refs import Head, RefMove, is_ref_name
from perdure.git.state import fields

MERGE_FILES = frozenset({"MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE"})
"""The files of git's that a plan may remove: what an open merge leaves besides the index."""

FormerBlobs = dict[str, list[str | None]]


class BadPlan(Exception):
    """The file holds something that perdure never writes there."""


class Written(msgspec.Struct):
    """A plan as it was read.

    Attributes:
        own: the git folder of the work tree that it is about, relative to the common one.
        boot: the start of the machine in which it was written.
        locks: lock files and their inodes.
        kind: ``merge`` for a merge, of an operation nothing.
    """

    own: str
    boot: str = ""
    locks: list[tuple[str, int]] = []
    kind: str = ""


class WrittenMerge(Written, kw_only=True):
    """Of a merge, per path the blobs that its file may have, and the paths in conflict."""

    paths: FormerBlobs
    forced: list[str]


class WrittenOperation(Written, kw_only=True):
    """Of an operation, what `Plan` has."""

    op: str
    log: str | None
    moves: list[tuple[str, str | None, str | None]]
    before: tuple[str | None, str | None]
    after: tuple[str | None, str | None]
    accepted: FormerBlobs = {}
    done: list[str] = []

    def plan(self) -> Plan:
        """The operation."""
        return Plan(
            op=self.op,
            log=self.log,
            moves=tuple(RefMove(*move) for move in self.moves),
            before=Head(*self.before),
            after=Head(*self.after),
            accepted={path: set(oids) for path, oids in self.accepted.items()},
            done=tuple(self.done),
        )


def read_plan(data: bytes) -> WrittenMerge | WrittenOperation:
    """Read the file.

    Raises:
        BadPlan: it is cut, or names what no operation may touch.
    """
    try:
        # Not by msgspec's own decoder: it refuses halves of a pair, as names of files have that
        # are no UTF-8.
        value = json.loads(data)
        if msgspec.convert(value, type=Written).kind == "merge":
            return _merge(msgspec.convert(value, type=WrittenMerge))
        return _operation(msgspec.convert(value, type=WrittenOperation))
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        raise BadPlan(str(error) or type(error).__name__) from error


def _operation(found: WrittenOperation) -> WrittenOperation:
    for ref, old, new in found.moves:
        _check(is_ref_name(ref) and fields.is_branch(ref), f"{ref[:80]!r} is no ref of ours")
        _check(all(map(fields.is_oid_or_none, (old, new))), f"{ref} moves to what is no id")
    for branch, commit in (found.before, found.after):
        _check(branch is None or fields.is_branch(branch), f"{branch!r} is no branch")
        _check(fields.is_oid_or_none(commit), "HEAD is at what is no id")
    _check(fields.is_oid(found.op) and fields.is_oid_or_none(found.log), "it has no id")
    _check(MERGE_FILES.issuperset(found.done), "it removes what is no file of a merge")
    _check(fields.blobs(found.accepted) == found.accepted, "it names what is no file")
    return found


def _merge(found: WrittenMerge) -> WrittenMerge:
    _check(fields.blobs(found.paths) == found.paths, "it names what is no file")
    _check(found.paths.keys() >= set(found.forced), "it names what is no file")
    return found


def _check(holds: bool, why: str) -> None:  # noqa: FBT001 (reads as an assertion)
    if not holds:
        raise BadPlan(why)

"""Finds the commits that still have a lost file, and the git command that restores it.

The branches are looked at by their trees alone: no file is read, nothing is written or recovered.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from perdure.git import layout, links, ownership
from perdure.git.errors import HistoryError
from perdure.git.index import file as index_file
from perdure.git.index.file import IndexTrouble
from perdure.git.index.full import read_index
from perdure.git.layout import Layout
from perdure.git.refs.refs import HEADS, REMOTES, TAGS, free_branch
from perdure.git.refs.revisions import Revisions
from perdure.git.repository.repository import Repository
from perdure.git.worktree.git_folder import GitFolder

_MOST = 2000
"""Branches and tags that are looked at: about 0.2 ms each."""
_INDEX_READ = 16 << 20
"""Bytes of an index that are looked through: names stand in their order."""
_USUAL = ("main", "master", "trunk")


@dataclass(frozen=True, slots=True)
class WayBack:
    """What is the matter, a clause, and what the user can do about it, a sentence.

    ``has_commit``: one is checked out, so that the history can be read and walked.
    """

    what: str
    next_step: str
    has_commit: bool = False


def is_known(work: Path, path: str) -> bool:
    """Whether the folder is a repository of ours, or one with a file at HEAD, a branch or a tag.

    Bare repositories count. One that cannot be opened, or whose commits cannot be read, counts
    where our state is in it, or the file in its index.
    """
    try:
        found = _Commits(work, path)
    except (HistoryError, OSError):
        return (work / ".git" / "perdure").is_dir() or _is_staged(work, path)
    known = found.is_ours or found.at_head or next(found.names(), None) is not None
    return known or _is_staged(work, path)


def _is_staged(work: Path, path: str) -> bool:
    """Whether the index has the file, as its bytes say: no object may be there to read it with.

    Format: https://git-scm.com/docs/index-format, the flags before a name end with its length.
    """
    name = path.encode()
    with suppress(OSError), (work / ".git" / "index").open("rb") as file:
        return len(name).to_bytes(2, "big") + name + b"\0" in file.read(_INDEX_READ)
    return False


def way_back(work: Path, path: str) -> WayBack | None:
    """How to get back a file that is missing from the work tree or from HEAD.

    Args:
        work: the root of the work tree, or a bare repository.
        path: of the file, in the root folder.

    Returns:
        None where work tree and HEAD have it.

    Raises:
        HistoryError: there is no repository, or none that can be read.
    """
    found = _Commits(work, path)
    if found.is_bare:
        return WayBack(
            f"{work.name} is a bare repository, with no files to write to",
            f"To bring her back from it: perdure clone {shlex.quote(str(work))}",
        )
    is_there = (work / path).is_file()
    if found.at_head:
        command = found.checkout()
        words = _in(work, f"Bring it back with: {command}")
        return None if is_there else WayBack(f"{path} is missing in {work}", words, True)
    return _to_a_branch(found) or _to_a_commit(found, is_there=is_there)


def _to_a_branch(found: _Commits) -> WayBack | None:
    """For a HEAD without the file, where a branch or a tag has it."""
    names = list(found.names())
    if not names:
        return None
    here = found.branch
    if here is None:
        what = f"the commit that is checked out in {found.work} has no {found.path}"
    elif found.is_born:
        what = f"the branch {here}, checked out in {found.work}, has no {found.path}"
    else:
        what = f"the branch {here}, checked out in {found.work}, has no commit yet"
    command = found.switch(names)
    shown = names[0].removeprefix(HEADS).removeprefix(REMOTES).removeprefix(TAGS)
    go = "go there with"
    if not found.is_born and command.startswith("git switch ") and names[0].startswith(HEADS):
        # git refuses where turns came since: all that is staged here looks like edits.
        go = f"perdure {command.removeprefix('git ')} goes there; or, if nothing was said since"
    words = _in(found.work, f"{shown} has it; {go}: {command}")
    return WayBack(what, words, found.is_born)


def _to_a_commit(found: _Commits, *, is_there: bool) -> WayBack:
    """For a file that no branch and no tag has."""
    path, work = shlex.quote(found.path), found.work
    if is_there:
        return WayBack(
            f"{found.path} is in {work}, and in no commit",
            _in(work, 'Commit what is there: git add -A && git commit -m "Bring it back"'),
            found.is_born,
        )
    if found.is_born:
        last = f'git checkout "$(git rev-list -1 HEAD -- {path})~" -- {path}'
        return WayBack(
            f"no branch of {work} has {found.path} any more",
            _in(work, f'Bring it back with: {last} && git commit -m "Bring {found.path} back"'),
            True,
        )
    return WayBack(
        f"no branch of {work} has a commit",
        _in(work, "Fetch it from a backup, or look for it with: git log --all --reflog"),
    )


def _in(work: Path, words: str) -> str:
    """Words that end with a command, so that it works from where the user stands."""
    with suppress(OSError):
        if Path.cwd() == work:
            return words
    before, colon, command = words.partition(": ")
    return f"{before}{colon}cd {shlex.quote(str(work))} && {command}"


class _Commits:
    """The commits of one repository, asked for one file in the root folder.

    Raises HistoryError where there is no repository that can be read.
    """

    def __init__(self, work: Path, path: str) -> None:
        self.work, self.path = work, path
        is_git_dir = work.name == ".git" or (work / ".git").exists()
        self.is_bare = not is_git_dir and layout.looks_bare(work)
        if not self.is_bare:
            Repository.open(work, recover=False).close()  # it says why it may not be opened
        place = _bare(work) if self.is_bare else layout.find(work)
        self._git = GitFolder.at(place)
        self._revisions = Revisions(self._git.store, self._git.refs)
        head = self._git.refs.head()
        self.branch = head.branch
        self.is_born = head.commit is not None
        self.is_ours = (place.git_dir / "perdure").is_dir()
        self.at_head = head.commit is not None and self._has(head.commit)

    def _has(self, commit: str) -> bool:
        with suppress(HistoryError):
            node = self._git.trees.entries(self._git.trees.root(commit)).get(self.path)
            return node is not None and node[0] & 0o170000 == 0o100000
        return False

    def names(self) -> Iterator[str]:
        """Full names of branches and tags whose commit has the file, the usual ones first."""
        for prefix in (HEADS, REMOTES, TAGS):
            refs = self._git.refs.names(prefix)
            usual = {name: index for index, name in enumerate(_USUAL)}
            order = sorted(
                (name for name in refs if not name.endswith("/HEAD")),
                key=lambda name: (usual.get(name.rpartition("/")[2], len(usual)), name),
            )
            for name in islice(order, _MOST):
                with suppress(HistoryError):
                    if self._has(self._revisions.resolve(name)):
                        yield name

    def checkout(self) -> str:
        """The command that brings the file back from HEAD, as git's index stands."""
        path = shlex.quote(self.path)
        try:
            data = read_index(self._git.layout.own / "index", self._git.trees)
            slots = index_file.below(data, [self.path]).get(self.path, [])
        except (OSError, IndexTrouble):
            slots = []
        if any(slot.hidden for slot in slots):
            # Kept out of the work tree on purpose: git passes over it without this option.
            return f"git checkout --ignore-skip-worktree-bits -- {path}"
        staged = bool(slots) and not any(slot.stage for slot in slots)
        return f"git checkout{'' if staged else ' HEAD'} -- {path}"

    def switch(self, names: Sequence[str]) -> str:
        """The command that goes to the best of some branches and tags."""
        elsewhere = self._git.refs.checked_out_elsewhere()
        free = [name for name in names if name.removeprefix(HEADS) not in elsewhere]
        best = (free or names)[0]
        short = best.removeprefix(HEADS).removeprefix(TAGS)
        if best.startswith(HEADS) and free:
            return f"git switch {shlex.quote(short)}"
        if not best.startswith(REMOTES):
            name = free_branch(self._git.refs, "restored")
            return f"git switch -c {name} {shlex.quote(short)}"
        remote, _, branch = best.removeprefix(REMOTES).partition("/")
        twins = [name for name in self._git.refs.names(REMOTES) if name.endswith(f"/{branch}")]
        if HEADS + branch in self._git.refs.names(HEADS):
            wanted = shlex.quote(free_branch(self._git.refs, f"{remote}-{branch}"))
            return f"git switch -c {wanted} {shlex.quote(f'{remote}/{branch}')}"
        if len(twins) > 1:
            # git asks which remote is meant.
            return f"git checkout {shlex.quote(f'{remote}/{branch}')} -B {shlex.quote(branch)}"
        return f"git switch {shlex.quote(branch)}"


def _bare(folder: Path) -> Layout:
    """Where things are in a bare repository that may be read."""
    ownership.check_owner(folder, (folder,))
    place = Layout(folder, folder, folder)
    links.check_links(place.git_dir, place.own)
    return place

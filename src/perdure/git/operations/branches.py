"""Lists, creates, switches and deletes branches and tags; each change is one operation."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from perdure.git.errors import BadPath, UnknownRevision
from perdure.git.objects.commit import Author
from perdure.git.operations.operation import Operation, RefMove, perform
from perdure.git.refs.refs import HEADS, TAGS, check_branch, is_ref_name

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch. ``elsewhere``: the other work tree that has it checked out, "" for none."""

    name: str
    commit: str
    at: datetime
    subject: str
    is_current: bool
    elsewhere: str = ""


def branches(repo: Repository) -> list[Branch]:
    """List the branches, the most recently committed first."""
    parts = repo.parts()
    current = parts.refs.head().branch
    elsewhere = parts.refs.checked_out_elsewhere()
    found = []
    for ref, commit in parts.refs.names(HEADS).items():
        name = ref.removeprefix(HEADS)
        info = repo.commit_info(commit)
        found.append(
            Branch(
                name,
                commit,
                info.committed_at,
                info.subject,
                name == current,
                elsewhere.get(name, ""),
            )
        )
    return sorted(found, key=lambda branch: (-branch.at.timestamp(), branch.name))


def check_checkout(repo: Repository, commit: str) -> None:
    """Check in advance whether a commit can be checked out.

    Raises:
        BadPath: one has a name that no file can have.
        CannotMerge: links or submodules differ, which are git's business.
        TooManyFiles: there are more than are looked at.
    """
    from perdure.git.worktree.checkout import differing

    here, trees = repo.head().commit, repo.parts().trees
    differing(trees, trees.root_of(here), trees.root(commit))


def switch(
    repo: Repository, branch: str, *, author: Author, at: datetime | None = None
) -> Operation:
    """Check out a branch.

    Raises:
        UnknownRevision: there is no such branch.
        UnsavedEdits: files with edits differ between the two.
        CheckedOutElsewhere: another work tree has it.
        Unfinished: a merge or the like is open.
        Busy: git is writing.
    """
    _tip(repo, check_branch(branch), branch)
    return perform(repo, "switch", f"to {branch}", author=author, head=branch, at=at)


def branch_tip(repo: Repository, name: str) -> str | None:
    """The commit that a branch names; None where there is no such branch."""
    with suppress(UnknownRevision):
        return repo.resolve(f"{HEADS}{name}")
    return None


def start_branch(
    repo: Repository,
    name: str,
    start: str | None = None,
    *,
    author: Author,
    switch_to: bool = True,
    kind: str = "branch",
    description: str = "",
    at: datetime | None = None,
) -> Operation:
    """Create a branch, and check it out if asked to.

    Args:
        repo: the repository.
        name: its name; must not exist.
        start: a revision; HEAD without one.
        author: who does it.
        switch_to: whether it is checked out.
        kind: kind of the entry, ``rewind`` for example.
        description: words of the entry; the name and place without.
        at: aware time of the entry.

    Raises:
        BadPath: it exists, a tag has its name, or git would not take the name.
        UnknownRevision: there is no such commit.
        UnsavedEdits: files with edits differ between here and there.
        Unfinished: a merge or the like is open.
        Busy: git is writing.
    """
    ref = check_branch(name)
    refs = repo.parts().refs
    if refs.read(ref) is not None:
        raise BadPath(
            f"there is already a branch {name}", "it stays as it is", "choose another name"
        )
    if refs.read(f"{TAGS}{name}") is not None:
        raise _ambiguous(name, "tag")
    commit = repo.resolve(start or "HEAD")
    description = description or f"{name} begins at {commit[:7]}"
    return perform(
        repo,
        kind,
        description,
        [RefMove(ref, None, commit)],
        author=author,
        head=name if switch_to else None,
        at=at,
    )


def drop_branch(
    repo: Repository, name: str, *, author: Author, at: datetime | None = None
) -> Operation:
    """Delete a branch. Its commits stay, kept by the log of operations.

    Raises:
        UnknownRevision: there is no such branch.
        HistoryError: it is checked out.
    """
    ref = check_branch(name)
    move = RefMove(ref, _tip(repo, ref, name), None)
    return perform(repo, "drop", f"the branch {name}", [move], author=author, at=at)


def _tip(repo: Repository, ref: str, name: str) -> str:
    """The commit of a branch. Raises UnknownRevision."""
    commit = repo.parts().refs.read(ref)
    if commit is None:
        raise UnknownRevision(
            f"there is no branch {name}", "nothing was changed", "perdure branch lists them"
        )
    return commit


def tag(
    repo: Repository,
    name: str,
    rev: str | None = None,
    *,
    author: Author,
    at: datetime | None = None,
) -> Operation:
    """Make a lightweight tag.

    Raises:
        BadPath: the tag exists, a branch has its name, or git would not take the name.
        UnknownRevision: there is no such commit.
    """
    ref = new_tag(repo, name)
    if repo.parts().refs.read(f"{HEADS}{name}") is not None:
        raise _ambiguous(name, "branch")
    commit = repo.resolve(rev or "HEAD")
    return perform(
        repo, "tag", f"{name} at {commit[:7]}", [RefMove(ref, None, commit)], author=author, at=at
    )


def new_tag(repo: Repository, name: str) -> str:
    """The ref of a tag to come. Raises BadPath: it exists, or git would not take the name."""
    ref = f"{TAGS}{name}"
    if not is_ref_name(ref) or not name:
        raise BadPath(f"{name!r} cannot be the name of a tag", "nothing was changed")
    if repo.parts().refs.read(ref) is not None:
        raise BadPath(f"there is already a tag {name}", "it stays as it is", "choose another name")
    return ref


def _ambiguous(name: str, what: str) -> BadPath:
    """Git takes both, and then refuses ``git push origin NAME``, as it may mean either."""
    return BadPath(
        f"there is already a {what} {name}, and git could not tell the two apart",
        "nothing was changed",
        "choose another name",
    )

"""Make a safe companion of a folder that somebody handed over.

Its history is copied, object by object, into a repository of our own; everything is read as data
(`perdure.git.repository.stranger`). What is in no commit there is offered: edited files as edits,
words of a turn that was being written as text, a message that was not sent as a draft.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perdure.actions.companion.folder_files import FolderEdits, files_of, take_edits
from perdure.actions.trust import unconfirmed_backends
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.names import title_from
from perdure.companion.secrets import mask_secrets
from perdure.git.commit.journal_file import Record
from perdure.git.disk import replace_file
from perdure.git.repository.create import FreshRepository, fresh_repository
from perdure.git.repository.repository import Change, Repository
from perdure.git.repository.stranger import CopiedHistory, StrangerFolder, harmless
from perdure.plural import plural
from perdure.progress import Progress
from perdure.snapshot.author import author_of
from perdure.snapshot.companion import best_branch, her_names
from perdure.snapshot.errors import NotACompanion

WORDS_FILE = "unsaved-words.txt"
"""In the companion's folder; no kind of file that perdure commits."""
_NAMED = 5
_NOTHING = CopiedHistory({}, None, (), (), borrows=False, remotes=0)


@dataclass(frozen=True, slots=True)
class Adoption:
    """A companion about to appear: what came of a folder, and what is offered beside it.

    Attributes:
        name: what she is called.
        folder: the folder that was handed over; it stays as it is.
        path: where she will be.
        branch: the branch that is checked out.
        history: what was copied; empty for a folder without git.
        left_out: files that were not written, each with the reason.
        edits: what is in no commit there: files that were taken, and those that were not.
        unfinished: what git has not finished there, ``merge`` for instance; "" for nothing.
        elsewhere: names of its other work trees, whose files were not looked at.
        words: what journals hold of turns that were being written, as text; "" for nothing.
        draft: a message that was typed and not sent.
        waiting: backends that are not used before they are confirmed.
    """

    name: str
    folder: Path
    path: Path
    branch: str
    history: CopiedHistory
    left_out: tuple[tuple[str, str], ...]
    edits: FolderEdits
    unfinished: str
    elsewhere: tuple[str, ...]
    words: str
    draft: str
    waiting: tuple[str, ...]

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        lines = [f"Makes {self.name} a companion in {self.path}. {self.folder} stays as it is."]
        heads = sum(name.startswith("refs/heads/") for name in self.history.refs)
        tags = sum(name.startswith("refs/tags/") for name in self.history.refs)
        if heads:
            lines.append(
                f"Copies {plural(heads, 'branch', 'branches')} and {plural(tags, 'tag')}, every "
                "object checked; no settings, hooks or list of operations, so undo begins anew."
            )
        else:
            lines.append("The folder has no git history; its files become the first commit.")
        named = (self.history.head or "").removeprefix("refs/heads/")
        if heads and named != self.branch:
            there = f"the branch {named}, which has no companion" if named else "no branch"
            lines.append(f"Checks out {self.branch}: the folder names {there}.")
        lines += self._not_taken()
        if self.edits.taken:
            lines.append(
                f"In no commit there, and taken as edits by hand: {_some(self.edits.taken)}."
            )
        lines += self._edits_left()
        if self.words:
            lines.append(f"Words of a turn that was being written go into {WORDS_FILE}:")
            lines += [f"  {line}" for line in self.words.splitlines()[:_NAMED]]
        if self.draft:
            lines.append(f"A message that was not sent becomes a draft: {title_from(self.draft)}")
        if self.waiting:
            lines.append(f"Not used before you confirm it: the backend {_some(self.waiting)}.")
        return lines

    def _not_taken(self) -> list[str]:
        lines = [f"Leaves out {name}: {why}." for name, why in self.history.left_out[:_NAMED]]
        more = len(self.history.left_out) - _NAMED
        if more > 0:
            lines.append(f"Leaves out {more} more branches and tags.")
        if self.history.borrows:
            lines.append("The folder borrows objects from another one, which was not read.")
        if self.history.remotes:
            lines.append(
                f"Leaves out {plural(self.history.remotes, 'branch', 'branches')} that it knows of "
                "remotes."
            )
        lines += [f"Does not write {path}: {why}." for path, why in self.left_out[:_NAMED]]
        odd = sum(each.kind not in {"link", "submodule", "strict"} for each in self.history.odd)
        if odd:
            lines.append(f"The history holds {plural(odd, 'odd name')}, none of which is written.")
        strict = [each.says for each in self.history.odd if each.kind == "strict"]
        if strict:
            lines.append(f"A server may refuse its history: {_some(list(dict.fromkeys(strict)))}.")
        return lines

    def _edits_left(self) -> list[str]:
        by_reason: dict[str, list[str]] = {}
        for path, reason in self.edits.left:
            by_reason.setdefault(reason, []).append(path)
        lines = [f"Not taken: {_some(paths)}: {why}." for why, paths in by_reason.items()]
        if self.edits.others:
            lines.append(f"No companion's, and stays there: {_some(self.edits.others)}.")
        if self.unfinished:
            lines.append(
                f"A {self.unfinished} is not finished there, and is not gone on with here."
            )
        if self.elsewhere:
            lines.append(
                f"Edits in its other work trees were not looked at: {_some(self.elsewhere)}."
            )
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "path": str(self.path),
            "branch": self.branch,
            "refs": sorted(self.history.refs),
            "left_out": [
                {"name": name, "reason": why}
                for name, why in (*self.history.left_out, *self.left_out, *self.edits.left)
            ],
            "edits": self.edits.taken,
            "others": self.edits.others,
            "unfinished": self.unfinished or None,
            "other_work_trees": list(self.elsewhere),
            "words": self.words or None,
            "draft": self.draft or None,
            "unconfirmed": list(self.waiting),
        }


@contextmanager
def adopting(folder: Path, path: Path, progress: Progress | None = None) -> Iterator[Adoption]:
    """Copy a folder's companion beside its place; at the end of the block it moves there.

    In the block the caller shows what came, and asks; whatever it raises, nothing stays.

    Args:
        folder: the folder that was handed over; it is only read.
        path: where she will be; must not exist, or be an empty folder.
        progress: called with how many objects were copied, and how many there are.

    Raises:
        NotACompanion: there is none in the folder.
        HistoryError: its history cannot be copied, or the place not be written.
    """
    stranger = StrangerFolder(folder)
    with fresh_repository(path) as fresh:
        repo = fresh.repo
        edits, left_out = FolderEdits(), []
        if stranger.git_dir is None:
            history = _NOTHING
            branch, edits = _from_files(stranger, fresh)
        else:
            history = stranger.copy_history(fresh, progress)
            branch = best_branch(repo, history.head)
            if repo.oid(SETTINGS, f"refs/heads/{branch}") is None:
                raise _no_companion(folder)
            left_out = fresh.check_out(branch)
            if not stranger.is_bare:
                edits = take_edits(stranger, repo, history.head)
        name = next(iter(her_names(repo, "HEAD")), folder.name)
        words = _text(repo, stranger.unsaved_turns())
        adoption = Adoption(
            name, folder, path, branch, history, tuple(left_out), edits,
            stranger.open_operation(), tuple(stranger.linked_trees()), words,
            mask_secrets(stranger.draft())[0],
            tuple(each.name for each in unconfirmed_backends(repo, "HEAD", most=0)),
        )  # fmt: skip
        yield adoption
        _take(adoption, repo)


def _no_companion(folder: Path) -> NotACompanion:
    return NotACompanion(
        f"{folder} has no {SETTINGS}, in a commit or beside one, so no companion is in it",
        "Nothing was changed",
        "Choose another folder, or create a companion: perdure new NAME",
    )


def _from_files(stranger: StrangerFolder, fresh: FreshRepository) -> tuple[str, FolderEdits]:
    """Commit the files of a folder without git; the branch, and what was left."""
    files, edits = files_of(stranger)
    if SETTINGS not in files:
        raise _no_companion(stranger.path)
    branch = "main"
    fresh.repo.commit(
        [Change(path, data) for path, data in files.items()],
        message=f"companion: files of the folder {title_from(stranger.path.name)}\n",
        author=fresh.repo.human() or author_of("perdure"),
        branch=branch,
    )
    return branch, edits


def _text(repo: Repository, turns: Sequence[Record]) -> str:
    """What some journals hold, as text that nothing obeys; turns that were committed left out."""
    said = []
    for turn in turns:
        if any(repo.commits.is_on_branch(each.branch, each.commit) for each in turn.intents):
            continue
        message = turn.header.get("message")
        anew = turn.end.get("text") if turn.end is not None else None
        for words in (
            message.get("text") if isinstance(message, dict) else None,
            anew if isinstance(anew, str) else turn.text,
        ):
            if isinstance(words, str) and words.strip():
                whole = words.encode("utf-8", "replace").decode()
                said.append(harmless(mask_secrets(whole)[0]).strip())
    return "\n\n".join(said)


def _take(adoption: Adoption, repo: Repository) -> None:
    """Put what was offered beside the history: words, a draft; the edits are there, not flushed."""
    if adoption.edits.taken:
        os.sync()
    if adoption.words:
        replace_file(repo.path / WORDS_FILE, f"{adoption.words}\n".encode(), synced=True)
    if adoption.draft:
        repo.state.own()
        replace_file(repo.state_dir / "draft.txt", adoption.draft.encode(), synced=True)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(name.replace("\n", "\\n") for name in names[:_NAMED]) + (
        f" and {more} more" if more > 0 else ""
    )

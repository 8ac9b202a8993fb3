"""Change the persona: one file in an editor, or the standard boundaries added."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perdure.actions.errors import BoundariesThere, CannotAct, branch_of
from perdure.actions.subjects import Edit, edit_subject
from perdure.companion.clock import now
from perdure.companion.errors import BadFile, FileTrouble
from perdure.companion.names import title_from
from perdure.companion.persona.check_files import kind_of
from perdure.companion.persona.findings import CONFLICT, mask
from perdure.companion.persona.persona import PERSONA_FOLDER, read_persona
from perdure.companion.templates import boundaries_file
from perdure.git.paths import is_path
from perdure.git.repository.repository import Author, Change, Repository
from perdure.snapshot.author import human_of
from perdure.snapshot.companion import read_companion
from perdure.snapshot.errors import RequestProblem
from perdure.snapshot.files import MOST_FILES, entries_below
from perdure.snapshot.revisions.diff import TextChange

_BOUNDARIES = "persona/90-boundaries.md"
_NUMBERED = re.compile(r"^[0-9]+[-_. ]*")


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A file of the persona before an editor opens it.

    Attributes:
        path: the file, from the companion's root.
        place: where it is on this machine.
        before: its content as it is in the folder; None for a new one.
        committed: its content in the last commit; None for a new one.
        tip: the last commit.
    """

    path: str
    place: Path
    before: bytes | None
    committed: bytes | None
    tip: str

    @property
    def is_edited(self) -> bool:
        """Whether it has edits already that are in no commit."""
        return self.before != self.committed


@dataclass(frozen=True, slots=True)
class CommittedEdit:
    """An edit that was committed. ``change`` has both texts."""

    path: str
    commit: str
    change: TextChange
    left_out: tuple[FileTrouble, ...] = ()
    """Text of the file that does not come into prompts."""


def persona_paths(repo: Repository) -> list[str]:
    """The paths of the persona's files, in the folder and in the last commit."""
    copies = {each.path for each in repo.edits.copies(PERSONA_FOLDER)}
    here = repo.work_tree().below(PERSONA_FOLDER, most=MOST_FILES[PERSONA_FOLDER]).keys() - copies
    there = entries_below(repo, PERSONA_FOLDER, None) if repo.head().commit else []
    found = {*here, *(entry.path for entry in there if is_path(entry.path))}
    return sorted(path for path in found if kind_of(path) is not None)


def find_file(repo: Repository, name: str) -> str:
    """The path that a name means, by `match_file`; else that of a new file.

    Raises:
        RequestProblem: several files are meant, or it cannot be a file of the persona.
    """
    there = persona_paths(repo)
    found = match_file(there, name)
    if found is not None:
        return found
    wanted = name.strip().removeprefix("./").removesuffix(".md")
    path = (
        f"{wanted}.md"
        if wanted.startswith(f"{PERSONA_FOLDER}/")
        else f"{PERSONA_FOLDER}/{wanted}.md"
    )
    parts = path.split("/")
    if kind_of(path) is None or any(part in ("", ".", "..") for part in parts):
        raise CannotAct(
            f"{name} is not a file of the persona",
            next_step=f"there are: {', '.join(there)}"
            if there
            else f"name one below {PERSONA_FOLDER}/",
        )
    return path


def match_file(paths: Sequence[str], name: str) -> str | None:
    """The one of ``paths`` that a name means; None where none is. RequestProblem for several.

    A name may lack the folder, the number in front, and ``.md``.
    """
    wanted = name.strip().removeprefix("./").removesuffix(".md").casefold()
    for form in range(4):
        found = [path for path in paths if _forms(path)[form] == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            raise CannotAct(f"{name} may be {', '.join(found)}", next_step="give the whole path")
    return None


def _forms(path: str) -> tuple[str, str, str, str]:
    """What a file may be called: by its path, without the folder, its name, without the number."""
    whole = path.casefold().removesuffix(".md")
    stem = whole.rpartition("/")[2]
    return whole, whole.removeprefix(f"{PERSONA_FOLDER}/"), stem, _NUMBERED.sub("", stem)


def begin_edit(repo: Repository, name: str) -> FileEdit:
    """Read a file before an editor opens it.

    Raises:
        RequestProblem: there is no such file, it is a link, no branch is checked out, or a merge or
            the like is not finished.
    """
    path = find_file(repo, name)
    state = repo.state_of_work()
    if state.open_operation:
        raise CannotAct(
            f"a {state.open_operation} is not finished",
            next_step=f"finish it first, with perdure merge or git {state.open_operation}",
        )
    branch_of(repo)
    place = repo.path / path
    if place.is_symlink() or not place.resolve().is_relative_to(repo.path.resolve()):
        raise CannotAct(f"{path} is a link", next_step="put a file in its place")
    tip = repo.resolve("HEAD")
    before = place.read_bytes() if place.is_file() else None
    place.parent.mkdir(parents=True, exist_ok=True)
    return FileEdit(path, place, before, repo.read(path, tip), tip)


def finish_edit(repo: Repository, editing: FileEdit, note: str = "") -> CommittedEdit | None:
    """Commit what the editor left; None if nothing changed.

    A new file without a word is taken away again.

    Raises:
        RequestProblem: the file cannot be committed as it is; it stays in the folder as it was
            written.
        TipMoved, HistoryError: nothing was committed; the file stays as it was written.
    """
    path, place = editing.path, editing.place
    data = place.read_bytes() if place.is_file() and not place.is_symlink() else None
    if data is not None and editing.before is None and not data.strip():
        place.unlink()
        with suppress(OSError):  # not empty: it was there before
            place.parent.rmdir()
        return None
    if data in (editing.before, editing.committed):
        return None
    left_out = _check(path, data)
    old, new = (
        None if each is None else each.decode("utf-8", "replace")
        for each in (editing.committed, data)
    )
    change = TextChange(path, old, new)
    if repo.read(path) == data:  # a session has committed it meanwhile, before its turn
        return CommittedEdit(path, repo.resolve("HEAD"), change, left_out)
    held = dict(repo.edits.find((path,)).held)
    if path in held:
        raise _left(path, held[path])
    subject = title_from(mask(note)[0]) or edit_subject([Edit(path, editing.committed, data)])
    commit = repo.commit(
        [Change(path, data)],
        message=f"persona: {subject}\n",
        author=_author(repo),
        branch=branch_of(repo),
        at=now(),
        expect={path: repo.oid(path, editing.tip)},
    )
    return CommittedEdit(path, commit, change, left_out)


def _check(path: str, data: bytes | None) -> tuple[FileTrouble, ...]:
    """What in a file will not come into prompts.

    Raises RequestProblem for what no prompt could be made from, or what must not be kept.
    """
    if data is None:
        return ()
    try:
        left_out = read_persona({path: data}).left_out
    except BadFile as problem:
        line = f", line {problem.line}" if problem.line else ""
        raise _left(path, f"{problem.problem}{line}") from problem
    text = data.decode("utf-8", "replace")
    if CONFLICT.search(text):
        raise _left(path, "it contains merge conflict markers")
    if mask(text)[1]:
        raise _left(path, "it contains what looks like a key or a password")
    return left_out


def _left(path: str, why: str) -> RequestProblem:
    return RequestProblem(
        f"{path} was not committed: {why}",
        kept="it stays in the folder as you wrote it",
        next_step=f"perdure persona edit {path.removeprefix(f'{PERSONA_FOLDER}/')}",
    )


def add_boundaries(path: Path) -> str:
    """Commit the standard boundaries file; returns its path. Raises BoundariesThere."""
    repo = Repository.open(path)
    companion = read_companion(repo, "HEAD")
    if companion.persona.boundaries:
        raise BoundariesThere(
            "this persona already has a boundaries file.",
            kept="Nothing was changed",
            next_step="Edit it like any other file in persona/",
        )
    repo.commit(
        [Change(_BOUNDARIES, boundaries_file(companion.settings.language))],
        message="persona: add boundaries\n",
        author=_author(repo),
        branch=branch_of(repo),
        expect={_BOUNDARIES: None},
    )
    return _BOUNDARIES


def _author(repo: Repository) -> Author:
    """The human: git's identity, or the companion's user."""
    return human_of(repo, read_companion(repo, "HEAD").settings.user)

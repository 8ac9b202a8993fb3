"""Edits that people make in the folder: found before a turn, committed apart from it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from perdure.actions.agreement import learn_edit, written_here
from perdure.actions.concerns import KINDS
from perdure.actions.notice_marks import mark_first
from perdure.actions.subjects import Edit, describe_edits, edit_subject
from perdure.actions.trust import confirm, manifests_written_here
from perdure.companion.config.manifest import parse_manifest
from perdure.companion.config.settings import parse_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.errors import CompanionProblem
from perdure.companion.persona.findings import CONFLICT, mask
from perdure.companion.persona.persona import read_persona
from perdure.companion.yaml.quote import scalar
from perdure.git.errors import HistoryError, TipMoved
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.worktree.edits import FOLDER_GONE, STAGED, STAGED_OTHERWISE, ConflictCopy
from perdure.notice import Notice

_ATTEMPTS = 5
_NAMED = 6


@dataclass(frozen=True, slots=True)
class HandEditCommits:
    """What was committed, one sentence each, and what was left alone, with the reason.

    ``copies`` are no edits: a sync program or an editor has made them.
    """

    committed: tuple[str, ...]
    held: tuple[str, ...]
    copies: tuple[ConflictCopy, ...] = ()


def commit_hand_edits(
    repo: Repository, branch: str, author: Author, below: Sequence[str] = tuple(KINDS)
) -> HandEditCommits:
    """Commit edited files of the work tree as the human, one commit for each concern.

    ``below`` names the files and folders of a companion that are looked at. A file that does not
    parse stays uncommitted and is named: the turn uses HEAD's version. So does one that others keep
    committing to at the same time.
    """
    committed: list[str] = []
    for _ in range(_ATTEMPTS):
        try:
            return _commit_found(repo, branch, author, below, committed)
        except TipMoved as moved:
            trouble = str(moved)
    return HandEditCommits(tuple(committed), (trouble,))


def _commit_found(
    repo: Repository, branch: str, author: Author, below: Sequence[str], committed: list[str]
) -> HandEditCommits:
    """Look once. Raises TipMoved if one of the files was committed meanwhile."""
    seen = repo.head().commit
    edits = repo.edits.find(below)
    held = _held(edits.held)
    ready = []
    for change in edits.ready:
        trouble = _trouble(change) or _unfit(change, repo.read(change.path, seen))
        if trouble:
            held.append(trouble)
        else:
            ready.append(change)
    ours = manifests_written_here(repo, ready)
    own = {change.path for change in written_here(repo, ready)}
    by_kind = sorted(ready, key=lambda change: (_kind(change.path), change.path))
    for kind, group in groupby(by_kind, key=lambda change: _kind(change.path)):
        changes = list(group)
        made = [Edit(each.path, repo.read(each.path, seen), each.content) for each in changes]
        message = f"{kind}: {edit_subject(made)}\n"
        expect = {change.path: repo.oid(change.path, seen) for change in changes}
        repo.commit(changes, message=message, author=author, branch=branch, expect=expect)
        committed.append(describe_edits(made))
        for each in made:
            if each.path == SETTINGS:
                learn_edit(repo, each.before, each.after, known=SETTINGS not in own)
                committed += filter(None, [rename_notice(each)])
    if ours:
        # What cannot be remembered is asked about, no more.
        with suppress(HistoryError):
            confirm(repo, ours)
    return HandEditCommits(tuple(committed), tuple(held), tuple(edits.copies))


def rename_notice(edit: Edit) -> str:
    """What to say when an edit of companion.yaml gives her another name; else ""."""
    if edit.before is None or edit.after is None:
        return ""
    try:
        before, after = (parse_settings(data, read_only=True) for data in (edit.before, edit.after))
    except CompanionProblem:
        return ""
    if before.name in after.her_names:
        return ""
    return (
        f"She is now called {after.name}. What she said as {before.name} stays hers. For replies "
        "under that name that did not come from her backends, such as imported ones, add this "
        f"line to {SETTINGS}: former_names: [{scalar(before.name)}]"
    )


def _held(rows: Sequence[tuple[str, str]]) -> list[str]:
    """What is left alone: one sentence for each reason, with a next step where it needs one."""
    found: dict[str, list[str]] = {}
    for path, reason in rows:
        found.setdefault(reason, []).append(path)
    said = []
    for reason, paths in found.items():
        if reason == FOLDER_GONE:
            said += [f"{path}/ is missing. To bring it back, in her folder: git checkout -- {path}"
                     for path in paths]  # fmt: skip
            continue
        step = "; commit it with git" if reason in (STAGED, STAGED_OTHERWISE) else ""
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        said.append(f"{', '.join(paths[:_NAMED])}{more}: {reason}{step}")
    return said


def chunk_notices(repo: Repository, branch: str, place: str, written: str) -> list[Notice]:
    """Notices about a conversation's file that somebody edited or deleted during a reply.

    Args:
        repo: the repository.
        branch: the one of the turn.
        place: the file that the turn was to stand in.
        written: the one that it stands in.
    """
    if written != place and repo.edits.is_edited(branch, place):
        return [
            Notice(
                f"{place} was edited by hand while the reply was written, so the turn is in a new "
                "conversation that continues from it. Commit that edit with git, or take it "
                "back, whenever you like.",
                "warning",
            )
        ]
    if repo.edits.is_gone(branch, written) and mark_first(repo, "chunk-gone-said", written):
        return [
            Notice(
                f"{written} is missing in the folder. What was said is still in the history. To "
                f"bring it back, in her folder: git checkout -- {written}",
                "warning",
            )
        ]
    return []


def copy_notices(repo: Repository, copies: Sequence[ConflictCopy]) -> list[Notice]:
    """One notice for the conflict copies that were not yet named in this folder."""
    fresh = [each for each in copies if mark_first(repo, "copy-said", each.path)]
    if not fresh:
        return []
    if len(fresh) == 1:
        (one,) = fresh
        return [
            Notice(
                f"{one.path} looks like a copy of {one.original} that a sync program or an editor "
                "made: it is neither committed nor read. Copy what you want to keep into "
                f"{one.original} and delete it; to keep it as it is: git add and git commit.",
                "warning",
            )
        ]
    named = ", ".join(each.path for each in fresh[:_NAMED])
    more = f" and {len(fresh) - _NAMED} more" * (len(fresh) > _NAMED)
    return [
        Notice(
            f"{len(fresh)} files look like copies that a sync program or an editor made, and are "
            f"neither committed nor read: {named}{more}. Copy what you want to keep into the "
            "originals and delete them; to keep one as it is: git add and git commit.",
            "warning",
        )
    ]


def stray_branch_notices(repo: Repository) -> list[Notice]:
    """A notice for each file that a sync program has put among the branches, given once."""
    notices = []
    for name, commit in repo.stray_refs().items():
        if not mark_first(repo, "stray-branch-said", f"{name} {commit}"):
            continue
        try:
            repo.commit_info(commit)
            keep = f"To keep what was said there: perdure branch rescued --at {commit[:10]}"
        except HistoryError:
            keep = "The commits it names are not here"
        notices.append(
            Notice(
                f"A sync program left a copy of a branch in .git: {name}. It is not a branch, and "
                f"git does not see it. {keep}. Then delete the file. Two machines that sync .git "
                "file by file can lose turns; git push and git pull do not.",
                "warning",
            )
        )
    return notices


def _kind(path: str) -> str:
    return KINDS[path.partition("/")[0]]


def _trouble(change: Change) -> str:
    """Why a changed file cannot be committed yet; empty if it can be read."""
    if change.content is None:
        return f"{SETTINGS} is missing from the folder." if change.path == SETTINGS else ""
    try:
        if change.path == SETTINGS:
            parse_settings(change.content)
        elif change.path.startswith("backends/") and change.path.endswith(".yaml"):
            parse_manifest(change.content, change.path)
        elif change.path.endswith((".md", ".yaml")):
            change.content.decode("utf-8")
            read_persona({change.path: change.content})  # passes over what is no part of it
    except CompanionProblem as problem:
        return str(problem)
    except UnicodeDecodeError as problem:
        line = change.content.count(b"\n", 0, problem.start) + 1
        return f"{change.path}, line {line}: not UTF-8 text."
    return ""


def _unfit(change: Change, before: bytes | None) -> str:
    """Why git must not keep an edit: conflict marks, or a key. Empty if it may.

    What the last commit has already is nothing new, and no reason to hold back what comes with it.
    """
    if change.content is None or not change.path.endswith((".md", ".yaml")):
        return ""
    text, old = change.content.decode(), (before or b"").decode("utf-8", "replace")
    mark = CONFLICT.search(text)
    if mark and not CONFLICT.search(old):
        line = text.count("\n", 0, mark.start()) + 1
        return f"{change.path}:{line}: a merge conflict marker"
    if mask(text)[1] > mask(old)[1]:
        known = set(old.split("\n"))
        lines = enumerate(text.split("\n"), 1)
        number = next((n for n, line in lines if line not in known and mask(line)[1]), 1)
        return f"{change.path}:{number}: this looks like a key or a password, which git would keep"
    return ""

"""The archive: a copy of everything in a folder, a tag, and a companion that is only read.

Order: the setting is committed, the commit is tagged, the copy is written beside its place and
renamed into it, and noted in the state folder. A crash or a full disk before the rename leaves an
archived companion without that copy; the same command again goes on from there.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from perdure.actions.companion.reading_copy import write_reading_copy
from perdure.actions.errors import CannotAct
from perdure.actions.history.next_message import REOPEN
from perdure.actions.workspace import Workspace
from perdure.companion.clock import now
from perdure.companion.config.settings import edit_settings
from perdure.companion.config.upgrades import SETTINGS
from perdure.companion.names import numbered, slug
from perdure.git.bundle import bundle_refs, sha256_of, shared_refs, write_bundle
from perdure.git.errors import HistoryError, storage_errors
from perdure.git.operations.annotated_tags import tag_with_note
from perdure.git.repository.repository import Change, Repository
from perdure.plural import plural

_NOTES = "archives.json"


@dataclass(frozen=True, slots=True)
class ArchivePlan:
    """What archiving will do. ``tag`` is "" where she is in the archive already."""

    name: str
    folder: Path
    tag: str
    branches: int
    tags: int

    def describe(self) -> list[str]:
        """One sentence a line, for the user to read beforehand."""
        branches = plural(self.branches, "branch", "branches")
        refs = f"{branches}, {plural(self.tags + bool(self.tag), 'tag')}"
        lines = [
            f"Writes a copy of everything to {self.folder}:",
            f"  a git bundle ({refs}), and a reading copy in plain Markdown.",
        ]
        if self.tag:
            lines.append(f"Tags this state as {self.tag}.")
            lines.append(
                f"{self.name} can be read from then on, but not chatted with. To reopen: {REOPEN}"
            )
        return lines

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "tag": self.tag or None,
            "branches": self.branches,
            "tags": self.tags,
        }


@dataclass(frozen=True, slots=True)
class ArchiveCopy:
    """A copy that was written. ``sha256`` is that of the bundle."""

    bundle: Path
    sha256: str
    conversations: int


def plan_archive(workspace: Workspace, folder: Path | None = None) -> ArchivePlan:
    """Plan to archive a companion.

    Args:
        workspace: the companion.
        folder: where the copy goes; a new folder beside the companion without.

    Raises:
        CannotAct: something is at that place, or it is inside the companion.
    """
    day = f"{now():%Y-%m-%d}"
    base = slug(workspace.settings.name)
    target = (folder or workspace.repo.path.parent / f"{base}-archive-{day}").absolute()
    if target.exists():
        raise CannotAct(
            f"{target} exists", kept="it stays as it is", next_step="choose another folder with -o"
        )
    if target.is_relative_to(workspace.repo.path):
        raise CannotAct(
            f"{target} is inside the companion", next_step="choose a folder outside with -o"
        )
    refs = shared_refs(workspace.repo)
    free = (name for name in numbered(f"archive-{day}") if f"refs/tags/{name}" not in refs)
    tag = "" if workspace.settings.archived else next(free)
    heads = sum(name.startswith("refs/heads/") for name in refs)
    return ArchivePlan(workspace.settings.name, target, tag, heads, len(refs) - heads)


def archive(workspace: Workspace, plan: ArchivePlan) -> ArchiveCopy:
    """Do what a plan says.

    Raises:
        HistoryError: the copy could not be written; what was done before stays.
        CannotAct: companion.yaml has an edit that is in no commit.
    """
    repo = workspace.repo
    if plan.tag:
        commit = _set_archived(workspace, value=True)
        note = f"{plan.name} goes into the archive"
        tag_with_note(repo, plan.tag, commit, note, author=workspace.author, at=now())
    copy = _write_copy(repo, plan)
    _note(repo, copy)
    return copy


def reopen(workspace: Workspace) -> str:
    """Take a companion out of the archive in one commit. Raises CannotAct if she is not in it."""
    if not workspace.settings.archived:
        raise CannotAct(f"{workspace.settings.name} is not in the archive")
    return _set_archived(workspace, value=False)


def _set_archived(workspace: Workspace, *, value: bool) -> str:
    data = edit_settings(
        workspace.repo.read(SETTINGS) or b"", {"archived": True if value else None}
    )
    where = "into" if value else "out of"
    return workspace.commit([Change(SETTINGS, data)], f"companion: {where} the archive\n")


def _write_copy(repo: Repository, plan: ArchivePlan) -> ArchiveCopy:
    unfinished = plan.folder.with_name(f"{plan.folder.name}.part")
    name = f"{slug(plan.name)}.bundle"
    with storage_errors("writing the archive"):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        try:
            digest = write_bundle(repo, unfinished / name)
            count = write_reading_copy(repo, unfinished / "reading", plan.name)
            about = _about(plan, name, digest)
            (unfinished / "README.md").write_text(about, "utf-8")
            unfinished.rename(plan.folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return ArchiveCopy(plan.folder / name, digest, count)


def _about(plan: ArchivePlan, bundle: str, digest: str) -> str:
    return f"""# {plan.name}, archived on {now():%Y-%m-%d}

- `{bundle}`: everything, with its whole history, as a git bundle.
  SHA-256 `{digest}`.
- `reading/`: every conversation as plain Markdown, to be read without any program;
  `reading/files/` has persona, lore and memory.

To bring {plan.name} back, with git alone or with perdure:

    git clone {bundle} {slug(plan.name)}

Then, to talk again: `{REOPEN}`, or take the line `archived: yes` out of `companion.yaml`.
"""


# What was copied where


def _note(repo: Repository, copy: ArchiveCopy) -> None:
    """Note where the copy is, for `proven_copy`. If the note is lost, a new copy is needed."""
    known = [each for each in _noted(repo) if each["path"] != str(copy.bundle)]
    value = [*known, {"path": str(copy.bundle), "sha256": copy.sha256}]
    with suppress(OSError):
        (repo.state_dir / _NOTES).write_text(json.dumps(value, indent=1), "utf-8")


def _noted(repo: Repository) -> list[dict[str, str]]:
    try:
        value = json.loads((repo.state_dir / _NOTES).read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    rows = value if isinstance(value, list) else []
    return [
        {"path": str(row["path"]), "sha256": str(row["sha256"])}
        for row in rows
        if isinstance(row, dict) and {"path", "sha256"} <= row.keys()
    ]


def proven_copy(repo: Repository) -> Path | None:
    """Find a bundle that holds every branch and tag as they are, and is still what was checked."""
    wanted = shared_refs(repo)
    for row in reversed(_noted(repo)):
        path = Path(row["path"])
        try:
            has = bundle_refs(path)
            if all(has.get(name) == oid for name, oid in wanted.items()) and (
                sha256_of(path) == row["sha256"]
            ):
                return path
        except (OSError, HistoryError):
            continue
    return None

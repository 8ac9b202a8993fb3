"""Tags: names that stay on one commit."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from perdure.git.errors import DamagedRepository, HistoryError
from perdure.git.refs.refs import packed_refs


class HasTags(Protocol):
    """What the listing needs of a repository."""

    git_dir: Path

    def resolve(self, rev: str) -> str: ...


def tags(repo: HasTags) -> dict[str, list[str]]:
    """Names of tags by the commit that they are on, annotated ones followed; sorted by name.

    A tag of something else than a commit is left out.
    """
    found: dict[str, list[str]] = {}
    for name in sorted({*_loose(repo.git_dir), *_packed(repo.git_dir)}):
        try:
            found.setdefault(repo.resolve(f"refs/tags/{name}"), []).append(name)
        except HistoryError:
            continue
    return found


def _loose(git_dir: Path) -> list[str]:
    folder = git_dir / "refs" / "tags"
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    ]


def _packed(git_dir: Path) -> list[str]:
    try:
        lines = packed_refs(git_dir / "packed-refs").decode("utf-8", "replace").split("\n")
    except (OSError, DamagedRepository):
        return []
    names = [line.partition(" ")[2] for line in lines if line[:1] not in {"#", "^", ""}]
    return [name.removeprefix("refs/tags/") for name in names if name.startswith("refs/tags/")]

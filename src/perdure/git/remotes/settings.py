"""The remotes of a repository, as git's own configuration has them (git-config(1), remote.*)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from perdure.git import disk
from perdure.git.config.repository import pairs
from perdure.git.errors import HistoryError
from perdure.git.refs.refs import HEADS, LOCK_WAIT, REMOTES, is_ref_name

if TYPE_CHECKING:
    from perdure.git.repository.repository import Repository
    from perdure.git.wire.address import UrlSecret

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}(?:\.[A-Za-z0-9_-]+)*")
_HEADER = re.compile(r'\s*\[\s*([A-Za-z0-9.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\]')
_MAY_HOLD_SECRET = re.compile(r"//.*[@?]", re.DOTALL)
_TRAVEL = ("refs/heads/*", "refs/tags/*", "refs/perdure/kept/*")
"""What a plain ``git push NAME`` sends: all that a sync sends."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote.

    Attributes:
        name: what it is called.
        url: its address, without the password that the configuration may have in it.
        secret: that password, which belongs in the keyring.
    """

    name: str
    url: str
    secret: UrlSecret | None = field(default=None, repr=False)


def list_remotes(repo: Repository) -> list[Remote]:
    """The remotes, sorted by name; the first address of each. See `remotes_in`."""
    return remotes_in(repo.git_dir)


def remotes_in(git_dir: Path) -> list[Remote]:
    """The remotes that a git folder's configuration has.

    A name that no ref can have is left out: it comes from a folder of others, and would be a path.
    """
    found: dict[str, str] = {}
    for key, value in pairs(_text(git_dir / "config")):
        if key.startswith("remote.") and key.endswith(".url"):
            found.setdefault(key.removeprefix("remote.").removesuffix(".url"), value)
    return [
        _remote(name, url)
        for name, url in sorted(found.items())
        if url and is_ref_name(f"{HEADS}{name}/HEAD")
    ]


def _remote(name: str, url: str) -> Remote:
    if not _MAY_HOLD_SECRET.search(url):
        return Remote(name, url)
    from perdure.git.wire.address import shown_address

    return Remote(name, *shown_address(url))


def find_remote(repo: Repository, name: str) -> Remote:
    """A remote by its name. Raises HistoryError where there is none."""
    known = list_remotes(repo)
    for remote in known:
        if remote.name == name:
            return remote
    there = ", ".join(each.name for each in known)
    step = f"There are: {there}" if there else "Add one: perdure remote add backup ADDRESS"
    raise HistoryError(f"there is no remote {name!r}", "nothing was changed", step)


def check_new_name(repo: Repository, name: str) -> None:
    """Raise HistoryError unless a new remote can be called that, in git and in file names."""
    if not _NAME.fullmatch(name) or name.endswith(".lock"):
        raise HistoryError(
            f"{name!r} cannot be the name of a remote",
            "nothing was changed",
            "use letters, digits, - and _, such as: backup",
        )
    if any(each.name == name for each in list_remotes(repo)):
        raise HistoryError(
            f"there is already a remote {name}",
            "it stays as it is",
            f"choose another name, or first: perdure remote remove {name}",
        )


def add_remote(repo: Repository, name: str, url: str) -> Remote:
    """Write a remote into git's configuration, in one atomic step.

    The branch that is checked out gets it as its upstream, unless it has one.

    Args:
        repo: the repository.
        name: what it will be called.
        url: the address, without a password.

    Raises:
        HistoryError: there is one of that name, or it cannot be a name.
        Busy: git is writing its configuration.
    """
    check_new_name(repo, name)
    lines = [f'[remote "{name}"]', f"\turl = {_quoted(url)}"]
    lines.append(f"\tfetch = +refs/heads/*:{REMOTES}{name}/*")
    lines += [f"\tpush = {ref}:{ref}" for ref in _TRAVEL]
    branch = repo.head().branch
    upstream = []
    if branch is not None:
        upstream = [f'[branch "{_escaped(branch)}"]', f"\tremote = {name}"]
        upstream.append(f"\tmerge = {_quoted(HEADS + branch)}")

    def added(text: str) -> str:
        has_one = any(key == f"branch.{branch}.remote" for key, _ in pairs(text))
        rows = lines if has_one else lines + upstream
        return text + "\n" * (text[-1:] not in {"", "\n"}) + "\n".join(rows) + "\n"

    _rewrite(repo, added)
    return Remote(name, url)


def clean_address(repo: Repository, remote: Remote) -> None:
    """Take the password out of a remote's address in git's configuration.

    Raises:
        Busy: git is writing its configuration.
    """
    _rewrite(repo, lambda text: _cleaned(text, remote.name))


def _cleaned(text: str, name: str) -> str:
    kept: list[str] = []
    for header, lines in _sections(re.sub(r"\\\r?\n", "", text)):
        is_its = header == ("remote", name)
        kept += [_without_secret(line) if is_its else line for line in lines]
    return "\n".join(kept)


def _without_secret(line: str) -> str:
    """A line of a remote's section: its address, or anything else, which stays as it is."""
    from perdure.git.wire.address import shown_address

    header = _HEADER.match(line)
    start = header.end() if header else 0
    found = re.match(r"\s*(push)?url\s*=", line[start:], re.IGNORECASE)
    if not found:
        return line
    ((_, value),) = pairs(f"[remote]\n{line[start:]}")
    shown, secret = shown_address(value)
    return line if secret is None else f"{line[:start]}{found[0]} {_quoted(shown)}"


def remove_remote(repo: Repository, name: str) -> None:
    """Take a remote out of git's configuration, and what branches have it as their upstream.

    Raises:
        HistoryError: there is none of that name.
        Busy: git is writing its configuration.
    """
    find_remote(repo, name)
    _rewrite(repo, lambda text: _without(text, name))


def _without(text: str, name: str) -> str:
    kept: list[str] = []
    for header, lines in _sections(text):
        kind, inner = header
        is_its = kind == "remote" and inner == name
        names_it = kind == "branch" and any(
            key.endswith(".remote") and value == name for key, value in pairs("\n".join(lines))
        )
        if not (is_its or names_it):
            kept += lines
    return "\n".join(kept)


def _sections(text: str) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Each section's kind and inner name, with its lines; first what stands before any."""
    header: tuple[str, str] = ("", "")
    lines: list[str] = []
    for line in text.split("\n"):
        found = _HEADER.match(line)
        if found:
            yield header, lines
            inner = re.sub(r"\\(.)", r"\1", found[2] or "")
            header, lines = (found[1].lower(), inner), []
        lines.append(line)
    yield header, lines


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(value: str) -> str:
    plain = re.fullmatch(r"[^\s\"\\#;]+(?: [^\s\"\\#;]+)*", value)
    return value if plain else f'"{_escaped(value)}"'


def _path(repo: Repository) -> Path:
    return repo.git_dir / "config"


def _text(path: Path) -> str:
    try:
        return disk.read_file(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return ""


def _rewrite(repo: Repository, edited: Callable[[str], str]) -> None:
    """Rewrite the configuration as it stands once nobody else can write it."""
    layout, path = repo.parts().layout, _path(repo)
    with repo.writer.exclusive("writing git's configuration"):
        lock = layout.lock(path)
        try:
            lock.take(wait=LOCK_WAIT)
            lock.write(edited(_text(path)).encode("utf-8", "surrogateescape"))
            lock.publish()
        finally:
            lock.release()
        disk.sync_folder(layout.git_dir)

"""The repository's own git configuration: what perdure writes, and what it reports."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from perdure.git import disk
from perdure.git.errors import UnsupportedRepository

_LARGEST = 4 * 1024 * 1024
_SECTION = re.compile(r'\[\s*([A-Za-z0-9.-]+)\s*(?:"((?:[^"\\]|\\.)*+)")?\s*\]')
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(.*))?")

_STORAGE = "extensions.refstorage"

_WRITTEN = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = true
\tsplitIndex = false
\tfsync = added,reference
\tautocrlf = false
"""
_WRITTEN_REST = """\
[index]
\tversion = 2
\tsparse = false
[gc]
\tauto = 0
\twriteCommitGraph = false
"""
_MAC = "\tignorecase = true\n\tprecomposeunicode = true\n"

_ALLOWED = (
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|splitindex|fsync|fsyncmethod"
    r"|autocrlf|eol|safecrlf|ignorecase|precomposeunicode|symlinks|quotepath|abbrev|compression"
    r"|loosecompression|untrackedcache|checkstat|trustctime|preloadindex|commentchar"
    r"|whitespace|filesreflocktimeout|packedrefstimeout|lockfilepid|multipackindex|commitgraph"
    r"|bigfilethreshold|deltabasecachelimit|sharedrepository|sparsecheckout(cone)?|warnambiguousrefs"
    r"|protect(hfs|ntfs)|prefersymlinkrefs|packedgit\w+|createobject|unsetenvvars)"
    r"|feature\.(manyfiles|experimental)|i18n\.\w+|splitindex\.\w+|index\.\w+|gc\.\w+|pack\.\w+|maintenance\.\w+|user\.(name|email|useconfigonly)"
    r"|author\.(name|email)|committer\.(name|email)|extensions\.\w+|init\.\w+|color\.[\w.-]+"
    r"|(branch|remote)\..*\.(url|pushurl|fetch|push|merge|remote|rebase|tagopt|prune|mirror"
    r"|promisor|partialclonefilter|prunetags"
    r"|description|pushremote)|(merge|diff|log|status|push|pull|fetch|rebase|commit|tag|advice"
    r"|rerere|transfer|receive|blame|column|format|help|notes|stash|apply|grep|worktree)\.[\w-]+"
)
_RUNS = (
    r"core\.(fsmonitor|hookspath|sshcommand|editor|pager|askpass|gitproxy|attributesfile"
    r"|alternaterefscommand|worktree)|(filter|merge|diff|difftool|mergetool)\..*\.\w+|diff\.external"
    r"|sequence\.editor|alias\..*|include\.path|includeif\..*|gpg\..*|.*\.helper|(commit|tag|push)\.gpgsign"
    r"|log\.showsignature|gc\.recentobjectshook"
    r"|remote\..*\.(uploadpack|receivepack|vcs|proxy)|uploadpack\..*|http\..*|url\..*|protocol\..*"
)


def rendered() -> str:
    """The configuration of a new repository, without any identity."""
    return _WRITTEN + (_MAC if sys.platform == "darwin" else "") + _WRITTEN_REST


def pairs(text: str) -> Iterator[tuple[str, str]]:
    """Every key and value in their order; a key may come several times.

    Keys are in lower case, but for the middle part of ``a.b.c``. Includes are not followed. Lines
    that git would refuse are skipped: git itself says so.
    """
    section = ""
    for raw in re.sub(r"\\\r?\n", "", text).split("\n"):
        line = raw.strip()
        found = _SECTION.match(line)
        if found:
            section = found[1].lower()
            if found[2] is not None:
                section += "." + re.sub(r"\\(.)", r"\1", found[2])
            line = line[found.end() :].strip()
        pair = _KEY.fullmatch(line) if line[:1] not in {"#", ";"} else None
        if pair and section:
            yield f"{section}.{pair[1].lower()}", _value(pair[2])


def _value(raw: str | None) -> str:
    """A value without quotes, escapes and the comment behind it; a bare key means true."""
    if raw is None:
        return "true"
    out: list[str] = []
    quoted = False
    characters = iter(raw)
    for c in characters:
        if c == '"':
            quoted = not quoted
        elif c == "\\":
            follow = next(characters, "")
            out.append({"n": "\n", "t": "\t", "b": ""}.get(follow, follow))
        elif c in "#;" and not quoted:
            break
        else:
            out.append(c)
    return "".join(out).strip()


def is_true(value: str) -> bool:
    """Whether git takes a value for true."""
    return value.lower() in {"true", "yes", "on", "1"}


def read_config(git_dir: Path) -> dict[str, str]:
    """The repository's configuration; empty if it has no file."""
    try:
        data = disk.read_file(git_dir / "config", most=_LARGEST)
        return dict(pairs(data.decode("utf-8", "replace")))
    except FileNotFoundError:
        return {}
    except disk.TooLong as error:
        raise UnsupportedRepository(
            f"{git_dir / 'config'} is too large to be git's configuration",
            "nothing was changed",
            "see git config --list --local",
        ) from error


def ref_storage(values: dict[str, str]) -> str:
    """How a repository keeps its refs: ``files``, ``reftable``, or what nobody here knows."""
    return values.get(_STORAGE, "files").lower()


def with_refs_in_files(text: str) -> str:
    """The settings of a repository that keeps its refs in tables, for when it does not any more.

    All other lines stay as they are; the format goes back to 0 where no other extension needs 1.

    Raises:
        UnsupportedRepository: the line about tables is written in a way that is not edited here.
    """
    before = list(pairs(text))
    others = [key for key, _ in before if key.startswith("extensions.") and key != _STORAGE]
    format_key = "core.repositoryformatversion"
    wanted = [
        (key, value if key != format_key or others else "0")
        for key, value in before
        if key != _STORAGE
    ]
    kept, section = [], ""
    for line in text.split("\n"):
        found = _SECTION.match(line.strip())
        section = found[1].lower() if found else section
        new = line
        if section == "extensions":
            new = re.sub(r"(?i)(^|\])\s*refstorage\s*=[^\\]*$", r"\1", line)
        elif section == "core" and not others:
            new = re.sub(
                r"(?i)((?:^|\])\s*repositoryformatversion\s*=\s*)1(\s*)$", r"\g<1>0\2", line
            )
        if new or not line:
            kept.append(new)
    edited = "\n".join(kept)
    if list(pairs(edited)) != wanted:
        raise UnsupportedRepository(
            "the line extensions.refstorage in .git/config is written in an unusual way",
            "nothing was changed",
            "convert the folder with the git that made it: git refs migrate --ref-format=files",
        )
    return edited


def other_ids() -> UnsupportedRepository:
    """The error for a repository whose ids are SHA-256."""
    return UnsupportedRepository(
        "its commits are named by SHA-256, and perdure reads those named by SHA-1",
        "nothing was changed",
        "make a copy with the usual names, in the folder above it: "
        "git init --object-format=sha1 COPY; git -C FOLDER fast-export --all | git -C COPY "
        "fast-import; git -C COPY checkout main",
    )


def check_supported(values: dict[str, str]) -> None:
    """Refuse a repository of a kind that the engine could damage.

    Raises:
        UnsupportedRepository: sha256 ids, a bare one, an unknown extension or place of refs.
    """
    step = "open it with git, or clone it into an ordinary repository"
    if is_true(values.get("core.bare", "false")):
        raise UnsupportedRepository("a bare repository has no files to read and edit", "", step)
    version = values.get("core.repositoryformatversion", "0")
    if version not in {"0", "1"}:
        raise UnsupportedRepository(f"repository format {version} is not known", "", step)
    known = {"noop", "preciousobjects", "partialclone", "worktreeconfig", "relativeworktrees"}
    for key, value in values.items():
        name = key.removeprefix("extensions.")
        if name == key:
            continue
        if name == "objectformat" and value.lower() == "sha256":
            raise other_ids()
        usual = {"objectformat": {"sha1"}, "refstorage": {"files", "reftable"}}.get(name)
        if usual is not None and value.lower() not in usual:
            raise UnsupportedRepository(f"repositories with {value} are not supported", "", step)
        if usual is None and version == "1" and name not in known:
            raise UnsupportedRepository(f"the repository extension {name} is not known", "", step)


def odd_settings(files: Sequence[Path], work: Path) -> list[tuple[Path, str, str]]:
    """Settings that make git run something or read other files, or that we do not know.

    What we write ourselves is none of it, nor that ``core.worktree`` names the very work tree, as
    git writes it for a submodule.

    Args:
        files: the repository's own files of settings, the first in its git folder.
        work: root of the work tree.

    Returns:
        The file, the key and the value of each, sorted by key in every file.
    """
    found = []
    for path in files:
        with contextlib.suppress(OSError):
            text = disk.read_file(path).decode("utf-8", "replace")
            found += [(path, key, value) for key, value in odd(text)]
    git_dir, here = files[0].parent, os.path.realpath(work)
    return [
        row
        for row in found
        if not (row[1] == "core.worktree" and os.path.realpath(git_dir / row[2]) == here)
    ]


def odd(text: str) -> list[tuple[str, str]]:
    """Keys, with values, that make git run something or read other files, or that we do not know.

    Sorted by key. What we write ourselves is none of it.
    """
    # Compiled here: that takes longer than opening a repository does.
    runs, allowed = re.compile(_RUNS), re.compile(_ALLOWED)
    return sorted(
        (key, value)
        for key, value in pairs(text)
        if runs.fullmatch(key) or not allowed.fullmatch(key)
    )

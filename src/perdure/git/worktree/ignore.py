r"""Git's ignore rules (gitignore(5)), from ``.gitignore`` and the like.

Rules may come from a stranger, so files of them, their lines and the work of matching are bounded.
Rules that cannot be followed are said (`RulesTrouble`), not left out: a file that its owner wanted
ignored would be committed. dulwich 1.2 reads lines other than git does (with a byte order mark, a
NUL, ``\\`` before a space, several carriage returns), and its matching takes exponential time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from perdure.git import disk
from perdure.git.wildmatch import Pattern, plain_length
from perdure.git.worktree.files import NotRegular, TooLarge, WorkTree

MOST_BYTES = 256 * 1024
"""Of all rules together."""
LONGEST_RULE = 4096
"""Bytes of a line; no path is longer."""
_MOST_WORK = 5_000_000
"""Bytes of names that are held against patterns: about two seconds."""
_BOM = b"\xef\xbb\xbf"


class RulesTrouble(Exception):
    """Ignore rules cannot be read, or take too long to apply."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One ignore rule.

    Attributes:
        pattern: what follows ``start``; None where that is the end.
        start: bytes with which what is matched begins.
        ending: for ``*`` and plain bytes after it, these.
        is_name: the last name alone is matched, wherever it is; else the path below the file's
            folder.
        is_folder: only folders are meant.
        is_negated: what matches is not ignored.
    """

    pattern: Pattern | None
    start: bytes
    ending: bytes | None
    is_name: bool
    is_folder: bool
    is_negated: bool

    def matches(self, path: bytes) -> bool:
        """Whether it is about a path, which is below the folder of the file of rules."""
        text = path.rpartition(b"/")[2] if self.is_name else path
        if self.ending is not None:
            return text.endswith(self.ending)
        if self.pattern is None:
            return text == self.start
        return text.startswith(self.start) and self.pattern.matches(text[len(self.start) :])


def _without_spaces(line: bytes) -> bytes:
    """A line without the spaces at its end that no backslash keeps."""
    end = at = 0
    while at < len(line):
        if line[at] == 0x5C:
            at += 2
            end = at
            continue
        at += 1
        if line[at - 1] != 0x20:
            end = at
    return line[:end] if end < len(line) else line


def rule(line: bytes, *, folded: bool = False) -> Rule | None:
    """One pattern, spaces at its end taken off; None for one that says nothing."""
    is_negated = line.startswith(b"!")
    line = line[is_negated:]
    is_folder = line.endswith(b"/")
    line = line[: len(line) - is_folder]
    is_name = b"/" not in line
    if not line:
        return None
    line = line.lower() if folded else line
    ending = None
    if is_name and line.startswith(b"*") and plain_length(line[1:]) == len(line) - 1:
        ending = line[1:]
    line = line.removeprefix(b"/")
    length = plain_length(line)
    start, rest = line[:length], line[length:]
    # As git does, the pattern is cut here: `a**/b` takes `ac/d/b`, as `**/b` takes `c/d/b`.
    pattern = Pattern(rest, folded=folded) if rest and ending is None else None
    return Rule(pattern, start, ending, is_name, is_folder, is_negated)


def parse_rules(data: bytes, *, folded: bool = False) -> list[Rule]:
    """The rules of one file, in its order; ``folded``: case does not matter (core.ignorecase).

    Raises:
        RulesTrouble: a line is longer than any path.
    """
    rules = []
    for raw in data.removeprefix(_BOM).split(b"\n"):
        line = raw.removesuffix(b"\r").partition(b"\0")[0]
        if len(line) > LONGEST_RULE:
            raise RulesTrouble("a line is longer than any path")
        if line and not line.startswith(b"#"):
            found = rule(_without_spaces(line), folded=folded)
            if found is not None:
                rules.append(found)
    return rules


class Ignored:
    """The rules of one work tree, each file read when a path below it is first asked about."""

    def __init__(
        self, work: WorkTree, git_dir: Path, users: Path | None = None, *, folded: bool = False
    ) -> None:
        """Prepare the rules; no file is read yet.

        Args:
            work: the work tree.
            git_dir: the common git folder, for ``info/exclude``.
            users: the user's own file (``core.excludesFile``).
            folded: whether case does not matter.
        """
        self._work = work
        self._folded = folded
        self._bytes_left = MOST_BYTES
        self._work_left = _MOST_WORK
        self._folders: dict[str, list[Rule]] = {}
        self._known: dict[str, bool] = {}
        self._general = [self._read(git_dir / "info" / "exclude")]
        if users is not None:
            self._general.append(self._read(users, is_own=True))

    def _read(self, path: Path, *, is_own: bool = False) -> list[Rule]:
        try:
            # The user may have put a link in the place of a file of his own.
            found = os.path.realpath(path) if is_own else path
            return self._parse(disk.read_file(found, most=self._bytes_left), str(path))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return []
        except OSError as error:
            if is_own:
                return []
            raise RulesTrouble(f"{path} cannot be read: {error.strerror}") from error

    def _parse(self, data: bytes, place: str) -> list[Rule]:
        self._bytes_left -= len(data)
        try:
            return parse_rules(data, folded=self._folded)
        except RulesTrouble as error:
            raise RulesTrouble(f"of {place} {error}") from error

    def _of(self, folder: str) -> list[Rule]:
        """The rules of the ``.gitignore`` in one folder."""
        known = self._folders.get(folder)
        if known is None:
            path = f"{folder}/.gitignore" if folder else ".gitignore"
            try:
                seen = self._work.read(path, most=self._bytes_left)
            except TooLarge as error:
                raise RulesTrouble(f"{path} is too large to be read") from error
            except NotRegular as error:
                if (self._work.root / path).is_dir():
                    seen = None
                else:
                    raise RulesTrouble(f"{path} is no regular file") from error
            except OSError as error:
                raise RulesTrouble(f"{path} cannot be read: {error.strerror}") from error
            known = self._folders[folder] = self._parse(seen.data, path) if seen else []
        return known

    def is_ignored(self, path: str, *, is_folder: bool = False) -> bool:
        """Whether a path is ignored, by itself or with a folder that it is in.

        Raises:
            RulesTrouble: the rules cannot be followed.
        """
        parent = path.rpartition("/")[0]
        if parent and self._folder(parent):
            return True
        return self._decided(path, is_folder=is_folder)

    def _folder(self, path: str) -> bool:
        """Whether a folder is ignored. What is in an ignored one can never be brought back."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self.is_ignored(path, is_folder=True)
        return known

    def _decided(self, path: str, *, is_folder: bool) -> bool:
        """What the last matching rule says, nearer files first."""
        raw = os.fsencode(path)
        raw = raw.lower() if self._folded else raw
        folder = path.rpartition("/")[0]
        while True:
            below = raw[len(os.fsencode(folder)) + 1 :] if folder else raw
            found = self._last(self._of(folder), below, is_folder=is_folder)
            if found is not None:
                return not found.is_negated
            if not folder:
                break
            folder = folder.rpartition("/")[0]
        for rules in self._general:
            found = self._last(rules, raw, is_folder=is_folder)
            if found is not None:
                return not found.is_negated
        return False

    def _last(self, rules: list[Rule], path: bytes, *, is_folder: bool) -> Rule | None:
        for each in reversed(rules):
            self._work_left -= 4 + (len(path) if each.pattern else 0)
            if self._work_left < 0:
                raise RulesTrouble("git's ignore rules here take too long to be followed")
            if (is_folder or not each.is_folder) and each.matches(path):
                return each
        return None

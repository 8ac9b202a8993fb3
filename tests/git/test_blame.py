"""Blame, with git's own as the second opinion, on random histories with merges."""

from __future__ import annotations

import random
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.git.diff.blame import blame
from perdure.git.repository.repository import Repository

PATH = "persona/20-voice.md"


class Tale:
    """A random history of one file, for `git fast-import`."""

    def __init__(self, seed: int, *, unique: bool) -> None:
        self.dice = random.Random(seed)
        self.unique = unique
        self.made = 0
        self.versions: list[list[str]] = []
        self.parents: list[list[int]] = []

    def line(self) -> str:
        self.made += 1
        return f"line {self.made}" if self.unique else self.dice.choice("abcde")

    def edited(self, lines: list[str]) -> list[str]:
        out = list(lines)
        for _ in range(self.dice.randint(1, 4)):
            at = self.dice.randint(0, len(out))
            if out and self.dice.random() < 0.4:
                del out[at : at + self.dice.randint(1, 3)]
            else:
                out[at:at] = [self.line() for _ in range(self.dice.randint(1, 3))]
        return out

    def merged(self, one: list[str], two: list[str]) -> list[str]:
        """Lines of both in order; of what only one has, some may get lost."""
        if not self.unique:
            return self.dice.choice([one, two, [*one, *two]])
        both = sorted({*one} & {*two}, key=one.index)
        out, left, right = [], 0, 0
        for name in [*both, None]:
            ends = [len(v) if name is None else v.index(name) for v in (one, two)]
            out += [line for line in one[left : ends[0]] if self.dice.random() < 0.9]
            out += [line for line in two[right : ends[1]] if self.dice.random() < 0.9]
            out += [name] if name else []
            left, right = ends[0] + 1, ends[1] + 1
        return list(dict.fromkeys(out))

    def grow(self, count: int) -> None:
        self.versions.append([self.line() for _ in range(5)])
        self.parents.append([])
        for _ in range(count):
            one = self.dice.randrange(max(0, len(self.versions) - 3), len(self.versions))
            two = self.dice.randrange(len(self.versions))
            if two != one and self.dice.random() < 0.25:
                self.parents.append([one, two])
                self.versions.append(self.merged(self.versions[one], self.versions[two]))
            else:
                self.parents.append([one])
                same = self.dice.random() < 0.2
                before = self.versions[one]
                self.versions.append(before if same else self.edited(before))

    def stream(self) -> bytes:
        out = []
        for number, (lines, parents) in enumerate(zip(self.versions, self.parents, strict=True)):
            text = "".join(f"{line}\n" for line in lines).encode()
            out.append(
                f"commit refs/heads/all\nmark :{number + 1}\n"
                f"committer Ana <ana@example.org> {1_700_000_000 + 60 * number} +0000\n"
                "data 1\nx\n".encode()
            )
            names = ["from", *["merge"] * 9]
            out += [
                f"{word} :{parent + 1}\n".encode()
                for word, parent in zip(names, parents, strict=False)
            ]
            out.append(f"M 100644 inline {PATH}\ndata {len(text)}\n".encode() + text + b"\n")
            out.append(f"M 100644 inline n\ndata {len(str(number))}\n{number}\n".encode())
        last = len(self.versions)
        out.append(f"reset refs/heads/main\nfrom :{last}\n\n".encode())
        return b"".join(out)


def git(path: Path, *words: str, data: bytes | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(path), *words], input=data, capture_output=True, check=True
    )
    return done.stdout.decode()


def gits(path: Path) -> list[tuple[str, int, str]]:
    """Commit, line there and text of each line by `git blame`."""
    rows, here = [], ("", 0)
    for line in git(path, "blame", "--line-porcelain", "main", "--", PATH).split("\n"):
        words = line.split(" ")
        if len(words) >= 3 and len(words[0]) == 40:
            here = (words[0], int(words[1]))
        elif line.startswith("\t"):
            rows.append((*here, line[1:]))
    return rows


def made(tale: Tale, folder: Path) -> Repository:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "fast-import", "--quiet", "--force", data=tale.stream())
    return Repository.open(folder, recover=False)


@settings(max_examples=25)
@given(st.integers(0, 10**9), st.integers(1, 25), st.booleans())
def test_blame_is_gits(seed: int, count: int, with_index: bool) -> None:  # noqa: FBT001
    """Where the lines differ from one another, nothing is left to taste: every line agrees."""
    tale = Tale(seed, unique=True)
    tale.grow(count)
    with tempfile.TemporaryDirectory() as folder:
        repo = made(tale, Path(folder))
        tip = repo.resolve("main")
        if with_index:
            with repo.timeline().jumps(tip) as jump:
                found = blame(repo, tip, PATH, jump)
        else:
            found = blame(repo, tip, PATH)
        expected = gits(Path(folder)) if tale.versions[-1] else []
        assert [(line.commit.id, line.was, line.text) for line in found] == expected
        assert [line.number for line in found] == list(range(1, len(found) + 1))


def test_a_line_that_both_sides_brought_to_a_merge_is_blamed_twice(tmp_path: Path) -> None:
    tale = Tale(0, unique=True)
    tale.versions = [["line"], ["line", "ours"], ["theirs", "line"]]
    tale.versions.append([*tale.versions[1], *tale.versions[2]])
    tale.parents = [[], [0], [0], [1, 2]]
    repo = made(tale, tmp_path)
    found = blame(repo, repo.resolve("main"), PATH)
    assert [line.number for line in found] == [1, 2, 3, 4]
    assert [(line.commit.id, line.was, line.text) for line in found] == gits(tmp_path)

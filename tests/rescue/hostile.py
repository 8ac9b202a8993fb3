"""Repositories that are written by hand to do harm, object by object and ref by ref."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from perdure.git.objects.store import object_id
from tests.conftest import git
from tests.git.packs_by_hand import tree_of
from tests.processes import started

EVE = "Eve <eve@far.invalid>"
Row = tuple[str, str | bytes, str]
"""An entry of a tree: mode, name, id."""


class Place:
    """A bare repository whose files are written one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, kind: str, data: bytes) -> str:
        """Store an object, whatever is in it."""
        oid = object_id(kind.encode(), data)
        file = self.path / "objects" / oid[:2] / oid[2:]
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            head = b"%s %d\0" % (kind.encode(), len(data))
            file.write_bytes(zlib.compress(head + data, 1))
        return oid

    def blob(self, data: bytes = b"touch PWNED\n") -> str:
        return self.put("blob", data)

    def tree(self, *rows: Row) -> str:
        return self.put("tree", tree_of(*rows))

    def tip(self, ref: str = "refs/heads/main") -> str:
        return git(self.path, "rev-parse", ref).strip()

    def rows(self) -> list[Row]:
        """The entries at the top of the tip's tree."""
        found: list[Row] = []
        for line in git(self.path, "ls-tree", "main").splitlines():
            head, name = line.split("\t")
            mode, _, oid = head.split(" ")
            found.append((mode.lstrip("0"), name, oid))
        return found

    def commit(
        self,
        tree: str,
        *parents: str,
        says: bytes = b"persona: better\n",
        at: str = "1700000000 +0000",
        who: str = EVE,
    ) -> str:
        lines = [f"tree {tree}", *(f"parent {each}" for each in parents)]
        lines += [f"author {who} {at}", f"committer {who} {at}", "", ""]
        return self.put("commit", "\n".join(lines).encode() + says)

    def ref(self, name: str, oid: str) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{oid}\n")

    def packed(self, refs: Mapping[str, str]) -> None:
        """More refs than there are, in the one file that holds many."""
        form = "--format=%(refname) %(objectname)"
        known: dict[str, str] = dict(refs)
        for row in git(self.path, "for-each-ref", form).splitlines():
            name, oid = row.split(" ")
            known[name] = oid
        lines = [f"{oid} {name}\n" for name, oid in sorted(known.items())]
        (self.path / "packed-refs").write_text("".join(["# pack-refs with: sorted \n", *lines]))

    def add(self, *extra: Row) -> None:
        """A commit on the tip whose tree has entries as they are given."""
        names = {name for _, name, _ in extra}
        rows = [*(row for row in self.rows() if row[1] not in names), *extra]
        self.ref("refs/heads/main", self.commit(self.tree(*sorted(rows, key=_order)), self.tip()))

    def files(
        self,
        changes: Mapping[str, str | bytes],
        *,
        says: bytes = b"persona: better\n",
        at: str = "1700000000 +0000",
        who: str = EVE,
        ref: str = "refs/heads/main",
    ) -> None:
        """A commit on the tip with other files."""
        env = dict(os.environ) | {"GIT_INDEX_FILE": str(self.path / "of-the-test")}

        def run(*words: str) -> str:
            words = ("git", "-C", str(self.path), *words)
            done = subprocess.run(words, env=env, check=True, capture_output=True, text=True)
            return done.stdout.strip()

        run("read-tree", "main")
        for path, text in changes.items():
            oid = self.blob(text if isinstance(text, bytes) else text.encode())
            run("update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")
        tree = run("write-tree")
        (self.path / "of-the-test").unlink()
        self.ref(ref, self.commit(tree, self.tip(), says=says, at=at, who=who))


def _order(row: Row) -> bytes:
    name = row[1] if isinstance(row[1], bytes) else row[1].encode()
    return name + b"/" if row[0] == "40000" else name


@dataclass(frozen=True)
class Done:
    """What became of a command. ``megabytes``: the most memory that it had."""

    code: int
    said: str
    trouble: str
    megabytes: int


# A process counts the memory of the one that it was forked from, so that a small one comes between.
_BETWEEN = """
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True)
sys.stdout.buffer.write(done.stdout)
sys.stderr.buffer.write(done.stderr)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)
sys.exit(done.returncode)
"""


def run_limited(*words: str, folder: Path) -> Done:
    """The command in a process of its own, which may work for a minute and have a gigabyte."""
    command = str(Path(sys.executable).with_name("perdure"))
    with started(
        [sys.executable, "-c", _BETWEEN, command, *words],
        folder=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        said, trouble = child.communicate()
    trouble, _, megabytes = trouble.rstrip("\n").rpartition("\n")
    return Done(child.returncode, said, trouble, int(megabytes))

"""Kill a process that rewinds, switches, merges, undoes and talks, at random moments.

    python -m tests.git.kill_operations --times 200

A child does one thing after the other and prints what HEAD, the branches and the files were when
each was acknowledged. It is killed with SIGKILL and the repository is opened again. Then: what was
acknowledged last holds, or that and one act more; HEAD, index and work tree agree with one another;
no lock is left; the next act works; `git fsck --full --strict` and `git status` are clean.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from perdure.git.errors import NothingToUndo, RefElsewhere, UnknownRevision
from perdure.git.merge.merge import merge
from perdure.git.merge.sides import Resolver
from perdure.git.operations import branches
from perdure.git.operations.log import walk_log
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.undo import perform as undo
from tests.background import unpacked
from tests.processes import killed_after

MIRA = Author("Mira", "mira@companion.invalid")
OPS = "refs/perdure/ops"
KINDS = ("turn", "turn", "rewind", "switch", "merge", "undo", "undo", "redo", "drop")


def state(repo: Repository) -> str:
    """Where everything is, on one line."""
    refs = repo.parts().refs
    head = refs.head()
    rows = [f"{name}={oid}" for name, oid in refs.names("refs/heads/").items()]
    return " ".join([f"HEAD={head.branch}", f"ops={refs.read(OPS)}", *rows])


def act(repo: Repository, dice: random.Random, number: int) -> None:
    """One random thing that a user does."""
    names = [branch.name for branch in branches.branches(repo)]
    here = repo.head().branch or "main"
    kind = dice.choice(
        ["turn", "turn", "rewind", "switch", "merge", "undo", "undo", "redo", "drop"]
    )
    try:
        if kind == "turn":
            files = [f"c/{dice.randrange(9)}.md" for _ in range(3)]
            repo.commit(
                [Change(path, f"{number} {path}\n".encode()) for path in files],
                message=f"turn: {number}", author=MIRA, branch=here,
            )  # fmt: skip
        elif kind == "rewind":
            depth = sum(1 for _ in repo.commits.log(limit=6)) - 1
            start = f"HEAD~{dice.randint(0, depth)}" if depth else "HEAD"
            name = repo.free_branch(f"line-{abs(number)}")
            branches.start_branch(repo, name, start, author=MIRA, kind="rewind")
        elif kind == "switch":
            branches.switch(repo, dice.choice(names), author=MIRA)
        elif kind == "merge":
            other = dice.choice(names)
            ours = Resolver(lambda _: True, lambda files, _: {f.path: f.ours for f in files})
            merge(repo, other, author=MIRA, resolver=ours)
        elif kind == "undo":
            undo.undo(repo, author=MIRA)
        elif kind == "redo":
            undo.redo(repo, author=MIRA)
        elif len(names) > 2:
            branches.drop_branch(
                repo, dice.choice([name for name in names if name != here]), author=MIRA
            )
    except (NothingToUndo, RefElsewhere, UnknownRevision):
        pass


def child(path: Path, seed: int) -> None:
    dice = random.Random(seed)
    with Repository.open(path) as repo:
        for number in range(10_000):
            act(repo, dice, seed * 10_000 + number)
            os.write(1, f"{state(repo)}\n".encode())


def git(path: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", path, *words], capture_output=True, text=True, check=False)
    return "\n".join(
        line for line in (done.stdout + done.stderr).splitlines() if "dangling" not in line
    )


def check(path: Path, last: str) -> tuple[list[str], str]:
    """Open after a kill; troubles, and the state now."""
    troubles = []
    with Repository.open(path) as repo:
        if repo.recovery_trouble:
            troubles.append(repo.recovery_trouble)
        now = state(repo)
        if now != last and last:
            then = dict(row.split("=") for row in last.split())
            here = dict(row.split("=") for row in now.split())
            logged = [entry.id for entry in walk_log(repo.parts().refs.read(OPS), repo.commit_info)]
            ops, before = here["ops"], then["ops"]
            changed = {key for key in here.keys() | then.keys() if here.get(key) != then.get(key)}
            if ops == before and len(changed) > 1:
                troubles.append(f"more than one ref moved without an operation: {changed}")
            if ops != before and logged[1:2] not in ([before], []):
                troubles.append(f"two operations for one: {before} {ops}")
        act(repo, random.Random(1), -1)
    # git's fsck does not look again for a pack that is joined to others beside it.
    with unpacked(path):
        for words in (("status", "--porcelain"), ("fsck", "--full", "--strict")):
            said = git(path, *words)
            if said:
                troubles.append(f"git {words[0]}: {said}")
    # The kernel frees perdure's own; their files stay.
    own = path / ".git" / "perdure"
    locks = [lock for lock in (path / ".git").rglob("*.lock") if not lock.is_relative_to(own)]
    troubles.extend(f"left: {lock}" for lock in locks)
    return troubles, now


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--child", type=Path)
    wanted = parser.parse_args()
    if wanted.child:
        child(wanted.child, wanted.seed)
        return 0
    dice = random.Random(wanted.seed)
    folder = Path(tempfile.mkdtemp(prefix="kill-operations-"))
    path = folder / "mira"
    create_repository(
        path, {"persona/10-who.md": b"I am Mira.\n"}, message="c", author=MIRA
    ).close()
    acknowledged = beyond = 0
    for number in range(wanted.times):
        words = [
            sys.executable,
            "-m",
            "tests.git.kill_operations",
            "--child",
            str(path),
            "--seed",
            str(dice.randrange(10**6)),
        ]
        with killed_after(subprocess.Popen(words, stdout=subprocess.PIPE)) as writer:
            assert writer.stdout is not None
            head = writer.stdout.readline()
            time.sleep(dice.uniform(0.0, 0.25))
            writer.kill()
            rest = writer.stdout.read()
        # A long line can be cut by the kill.
        lines = (head + rest).decode().rpartition("\n")[0].splitlines()
        acknowledged += len(lines)
        troubles, now = check(path, lines[-1] if lines else "")
        beyond += bool(lines) and now != lines[-1]
        if troubles:
            print(f"after kill {number + 1}: {troubles}; the repository is left at {path}")
            return 1
    shutil.rmtree(folder)
    print(
        f"{wanted.times} kills: {acknowledged} acts acknowledged, 0 lost; {beyond} others were "
        "finished; 0 blocked restarts; fsck and status clean each time"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run plain git at random moments beside a writer, and compare texts at the tips.

    python -m tests.git.beside_git --times 500

A child commits turns on whatever branch is checked out. Beside it: `git add x && git commit`,
`git commit -a` with an editor that takes its time, `git stash` and `pop`, `git checkout -b`; git's
own housekeeping (`gc --prune=now`, `repack -ad` and `-adf`, `prune`), also while an editor is open;
rebases that stop, and are continued, given up or left. git may find its locks taken and be asked
again, as a person would. In the end every turn's text stands at the tip of the branch that it was
acknowledged on, and no commit touches both `persona/` and `conversations/`; but for one in the very
moment in which an editor's lock of the index goes: it can have read the index from before the
turns, which are landed again then.

    python -m tests.git.beside_git --times 500 --only keep

`--only keep` does the housekeeping alone, `--only rebase` the rebases.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from perdure.git.errors import BranchRewritten, TipMoved
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal
from tests.background import unpacked
from tests.processes import killed_after

MIRA = Author("Mira", "mira@companion.invalid")
AT_ONCE = "persona: by hand, again"
HOUSEKEEPING = ["gc -q --prune=now", "repack -adq", "repack -adfq", "prune --expire=now"]
_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def append(repo: Repository, branch: str, file: str, line: bytes, journal: Journal) -> bool:
    """Commit a line on top of what the tip has; False when that is not what was read."""
    tip = repo.resolve(branch)
    oid = repo.oid(file, tip)
    text = (repo.blob(oid) if oid else b"") + line
    try:
        repo.commit(
            [Change(file, text)],
            message=line.decode()[:11],
            author=MIRA,
            branch=branch,
            expect={file: oid},
            journal=journal,
        )
    except TipMoved:
        return False
    return True


def landed(repo: Repository, file: str, line: bytes, journal: Journal) -> str | None:
    """Commit a line on the branch that is checked out, its name; None where that was not to be."""
    branch = repo.head().branch
    try:
        if branch is not None and append(repo, branch, file, line, journal):
            return branch
    except BranchRewritten:
        pass
    time.sleep(0.005)
    return None


def child(path: Path) -> None:
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    with Repository.open(path) as repo:
        turn = 0
        while not stopped:
            file = f"conversations/2026-11/22/2026-11-22-1803-{turn // 15:04d}-9f3a77c0.md"
            journal = Journal.begin(repo, {"turn": turn})
            line = f"turn {turn:06d}: {random.randbytes(40).hex()}\n"
            branch = None
            while branch is None and not stopped:
                branch = landed(repo, file, line.encode(), journal)
            if branch is None:
                break
            os.write(1, f"{branch} {line}".encode())
            turn += 1
            time.sleep(random.uniform(0.0, 0.12))
        repo.writer.apply_pending()


class Beside:
    """A person with git beside the writer."""

    def __init__(
        self,
        path: Path,
        dice: random.Random,
        only: str,
        writer: subprocess.Popen[bytes],
        turns: Path,
    ) -> None:
        self.path = path
        self.writer = writer
        self.turns = turns
        self.dice = dice
        self.done: Counter[str] = Counter()
        self.again = 0
        self.clashes = 0
        self.branches = 0
        self.only = only
        editor = path.parent / "editor.sh"
        editor.write_text('#!/bin/sh\nsleep "$EDITOR_TAKES"\necho "persona: by hand" > "$1"\n')
        editor.chmod(0o755)
        self.env = {**os.environ, **_IDENTITY, "GIT_EDITOR": str(editor), "EDITOR_TAKES": "0.1"}

    def git(self, *words: str, give_up_on: tuple[str, ...] = ()) -> bool:
        for _ in range(200):
            done = subprocess.run(
                ["git", "-C", str(self.path), *words],
                capture_output=True,
                text=True,
                env=self.env,
                check=False,
            )
            if done.returncode == 0:
                return True
            said = done.stdout + done.stderr
            if any(word in said for word in ("nothing to commit", "no changes added", "No stash")):
                return False
            if any(word in said for word in give_up_on):
                return False
            # `git stash` says nothing at all when it finds the index locked.
            busy = (".lock", "cannot lock ref", "could not write index", "stash entry is kept")
            if said and not any(word in said for word in busy):
                raise SystemExit(f"git {words}: {said}")
            self.again += 1
            # Who was told that the branch has moved is quicker the second time.
            self.env["EDITOR_TAKES"] = "0.01"
            if os.environ.get("BESIDE_VERBOSE"):
                print(words, said.strip()[:150], flush=True)
            time.sleep(self.dice.uniform(0.1, 0.3))
        raise SystemExit(f"git {words} never got its turn: {said}")

    def keep_house(self) -> None:
        """What git does to its packs; now and then while `git commit -a` waits for its editor."""
        # Not what prunes loose objects: `git commit` has written its own, and no ref has them yet;
        # git-gc(1) warns of that, and it has nothing to do with us.
        with_editor = self.dice.random() < 0.3
        chosen = [way for way in HOUSEKEEPING if "repack" in way or not with_editor]
        words = self.dice.choice(chosen).split()
        if with_editor:
            self.edit()
            env = {**self.env, "EDITOR_TAKES": "1.5"}
            command = ["git", "-C", str(self.path), "commit", "-qa"]
            editor = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
            with killed_after(editor):
                time.sleep(self.dice.uniform(0.0, 0.2))
                self.git(*words, give_up_on=("gc is already running",))
                editor.wait()
            # That commit may have failed, since the branch has moved under its editor.
            self.git("commit", "-qam", AT_ONCE)
        else:
            self.git(*words, give_up_on=("gc is already running",))
        self.done[words[0]] += 1

    def rebase(self) -> None:
        """Go through the last commits, stop, and go on, give up or leave."""
        self.env["GIT_SEQUENCE_EDITOR"] = "sed -i -e 1s/^pick/edit/"
        place = self.path / ".git" / "rebase-merge"
        for _ in range(3):
            self.git("commit", "-qm", f"persona: {self.edit()}", "--", "persona")
        for _ in range(200):
            # Where it finds a lock taken it can have begun: then it stops, as at a commit to edit.
            if self.git("rebase", "-i", "HEAD~3", give_up_on=("changes", ".lock", "cannot lock")):
                break
            if place.exists():
                break
            # Where a turn came between git's checkout of HEAD~3 and its move of HEAD, git leaves
            # files and index as they are there, and no rebase: what a user has to put back.
            self.git("checkout", "-q", "HEAD", "--", "persona")
            time.sleep(0.02)
        time.sleep(self.dice.uniform(0.0, 0.2))
        end = self.dice.choice(("--continue", "--abort", "--quit"))
        if place.exists() and end == "--continue":
            self.git("rebase", "--continue", give_up_on=("but expected",))
        branch = (place / "head-name").read_text().strip() if place.exists() else ""
        if branch and end == "--quit":
            self.git("rebase", "--quit")
            self.git("checkout", "-qf", branch.removeprefix("refs/heads/"))
        elif branch:
            # Where a turn was quicker, giving up is all that git offers.
            self.git("rebase", "--abort", give_up_on=("o rebase in progress",))
        self.done["rebase"] += 1

    def edit(self) -> str:
        name = f"persona/{self.dice.choice(('10-who', '20-voice', '30-you'))}.md"
        with (self.path / name).open("a") as file:
            file.write(f"- line {self.dice.random()}\n")
        return name

    def is_at_rest(self, branch: str) -> bool:
        """Whether the writer has come to a branch, and has left nothing of another one's there."""
        has_come = f"\n{branch} turn" in self.turns.read_text()
        return has_come and not show(
            self.path, "diff", "--cached", "--name-only", "--", "conversations"
        )

    def act(self) -> None:
        kinds = ("add", "all", "stash", "branch", "keep", "rebase")
        weights = (6, 3, 2, 1, 3, 1)
        kind = self.only or self.dice.choices(kinds, weights)[0]
        if kind in {"keep", "rebase"}:
            (self.keep_house if kind == "keep" else self.rebase)()
            return
        name = self.edit()
        if kind == "add":
            self.git("add", name)
            self.git("commit", "-m", "persona: added by hand")
        elif kind == "all":
            self.env["EDITOR_TAKES"] = str(round(self.dice.choice((0.01, 0.1, 0.3)), 3))
            if self.dice.random() < 0.02:
                self.env["EDITOR_TAKES"] = "2.6"
            self.git("commit", "-a")
        elif kind == "stash":
            self.git("stash")
            # A turn that lands while `git stash` looks at the files can be in the stash too.
            if not self.git("stash", "pop", give_up_on=("needs merge",)):
                self.clashes += 1
                self.git("checkout", "HEAD", "--", "conversations")
                self.git("stash", "drop")
            self.git("commit", "-m", "persona: out of the stash", "--", "persona")
        else:
            self.branches += 1
            self.git("checkout", "-b", f"side-{self.branches}")
            # `checkout -b` reads the tip and switches HEAD a moment later. A turn in between is
            # staged on the new branch until the writer takes it back: nobody types that fast.
            while self.writer.poll() is None and not self.is_at_rest(f"side-{self.branches}"):
                time.sleep(0.02)
            self.git("commit", "-am", "persona: on a new branch")
        self.done[kind] += 1


def show(path: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(path), *words], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")


def check(path: Path, acknowledged: list[tuple[str, str]]) -> list[str]:
    troubles: list[str] = []
    tips: dict[str, set[str]] = {}
    for branch, line in acknowledged:
        if branch not in tips:
            tree = show(path, "grep", "-h", "turn ", branch, "--", "conversations")
            tips[branch] = set(tree.splitlines())
        if line not in tips[branch]:
            troubles.append(f"{line[:11]} is not at the tip of {branch}")
    log = show(path, "log", "--branches", "--format=%x00%H %s", "--name-only")
    for block in log.split("\0")[1:]:
        names = [name for name in block.splitlines()[1:] if name]
        tops = {name.partition("/")[0] for name in names}
        if {"persona", "conversations"} <= tops and len(block.splitlines()) < 40:
            commit, _, subject = block.splitlines()[0].partition(" ")
            is_merge = show(path, "rev-list", "--parents", "-1", commit).count(" ") > 1
            if not is_merge and subject != AT_ONCE:
                troubles.append(f"{commit} mixes {sorted(tops)}")
    # git's fsck does not look again for a pack that is joined to others beside it.
    with unpacked(path):
        fsck = show(path, "fsck", "--full", "--strict")
    troubles += [line for line in fsck.splitlines() if line and "dangling" not in line]
    status = show(path, "status", "--porcelain", "--untracked-files=all")
    if status:
        troubles.append(f"status: {status}")
    return troubles


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", default="", choices=("", "keep", "rebase"))
    parser.add_argument("--child", type=Path)
    wanted = parser.parse_args()
    if wanted.child:
        child(wanted.child)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(tempfile.mkdtemp(prefix="beside-git-"))
    path = folder / "mira"
    files = {f"persona/{name}.md": b"text\n" for name in ("10-who", "20-voice", "30-you")}
    create_repository(path, files, message="companion: begin", author=MIRA)
    output = (folder / "turns").open("w+b")
    command = [sys.executable, "-m", "tests.git.beside_git", "--child", str(path)]
    writer = subprocess.Popen(command, stdout=output)
    beside = Beside(path, random.Random(wanted.seed), wanted.only, writer, folder / "turns")
    try:
        for _ in range(wanted.times):
            beside.act()
            time.sleep(beside.dice.uniform(0.0, 0.03))
            if writer.poll() is not None:
                print(f"the writer died; the repository is left at {path}")
                return 1
    finally:
        writer.terminate()
        writer.wait()
    output.seek(0)
    acknowledged = []
    for raw in output.read().decode().splitlines():
        branch, _, line = raw.partition(" ")
        acknowledged.append((branch, line))
    troubles = check(path, acknowledged)
    if troubles:
        print("\n".join(troubles[:20]), f"\nthe repository is left at {path}")
        return 1
    shutil.rmtree(folder)
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(beside.done.items()))
    print(
        f"{wanted.times} times git beside {len(acknowledged)} turns ({kinds}; git had to ask again "
        f"{beside.again} times, {beside.clashes} stashes clashed): every text at the tip of its "
        "branch, no commit mixed"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

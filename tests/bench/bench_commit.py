"""What a turn's commit costs: ours against `git add` + `git commit`, at 100 to 50,000 turns.

Run it with `python tests/bench/bench_commit.py`. Both write to the same disk, in turns, with
everything fsynced (git with `core.fsync=all`). A disk whose fsync costs nothing (tmpfs) is refused:
the figures would mean nothing there. They mean little where whole lives were just deleted, as other
benches do: making a file is slow there for minutes. ``PERDURE_BENCH_DIR`` names a better folder.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author, Change, Repository
from perdure.git.repository.turn_journal import Journal

MIRA = Author("Mira", "mira@companion.invalid")
_BEGIN = datetime(2026, 1, 1, 8, 0, tzinfo=UTC)
_CHUNK_LIMIT = 16 * 1024
SAMPLES = 100
WARM_UP = 8
_WORDS = """
the a of and to in you that was it for on are with as they be at one have this from had by word but
what some we can out other were all there when up use your how said an each she which do river lamp
winter letter garden quiet remember tomorrow mother kitchen window story afraid laugh morning train
coffee walk dream music because maybe really still never always little
""".split()  # noqa: SIM905 (a list of ninety strings reads worse)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as it lands: the chunk's path, its whole content, and the commit's message."""

    number: int
    path: str
    content: bytes
    message: str
    at: datetime


def turns(seed: int = 17) -> Iterator[Turn]:
    """A talk as people have it: 280 turns a day, 25 a conversation, chunks of 16 KiB.

    A message has some 15 words, a reply some 60.
    """
    dice = random.Random(seed)

    def say(mean: int) -> str:
        return " ".join(dice.choices(_WORDS, k=max(2, int(dice.expovariate(1 / mean)))))

    number = 0
    while True:
        day, of_day = divmod(number, 280)
        at = _BEGIN + timedelta(days=day, minutes=3 * of_day)
        if number % 25 == 0:
            start, chunk, text = f"{at:%Y-%m-%d-%H%M}", 1, ""
            tag = f"{dice.getrandbits(32):08x}"
        place = f"conversations/{start[:7]}/{start[8:10]}/{start}-{chunk:04d}-{tag}.md"
        text = text or f"---\nconversation: {start}-{tag}\nchunk: {chunk}\n---\n"
        text += f"\n## {number}\n\n**Ana** {say(15)}\n\n**Mira** {say(60)}\n"
        message = (
            f"turn: {say(6)}\n\nTurn: {start}-{tag}/{number % 25 + 1}\nBackend: local\n"
            f"Model: smollm2-135m-instruct\nFingerprint: b179c9523d0e6a0f\nAssembly: 1\n"
            f"Prompt: {dice.getrandbits(128):032x}\nTokens: 812+64\n"
        )
        yield Turn(number, place, text.encode(), message, at)
        if len(text) > _CHUNK_LIMIT:
            chunk, text = chunk + 1, ""
        number += 1


def history(path: Path, count: int) -> Iterator[Turn]:
    """Make a repository of so many turns; returns the talk, to be gone on with.

    `git fast-import` writes the history. What a session of ours has not joined yet is like after
    any turn: some small packs, made by the warm-up.
    """
    files = {f"persona/{n}0-part.md": b"A line about her.\n" * 40 for n in range(1, 7)}
    create_repository(path, files, message="companion: begin", author=MIRA).close()
    talk = turns()
    stream = subprocess.Popen(
        ["git", "-C", str(path), "fast-import", "--quiet", "--force", "--depth=0"],
        stdin=subprocess.PIPE,
    )
    assert stream.stdin is not None
    for turn in talk:
        message = turn.message.encode()
        when = int(turn.at.timestamp())
        stream.stdin.write(
            b"commit refs/heads/main\ncommitter Mira <mira@companion.invalid> %d +0000\n"
            b"data %d\n%s\n" % (when, len(message), message)
        )
        if turn.number == 0:
            stream.stdin.write(b"from refs/heads/main^0\n")
        path_bytes = turn.path.encode()
        stream.stdin.write(
            b"M 100644 inline %s\ndata %d\n%s\n" % (path_bytes, len(turn.content), turn.content)
        )
        if turn.number == count - 1:
            break
    stream.stdin.close()
    if stream.wait():
        raise SystemExit("git fast-import failed")
    subprocess.run(["git", "-C", str(path), "reset", "-q", "--hard"], check=True)
    return talk


def ours(repo: Repository, turn: Turn) -> float:
    """Seconds of one turn through the engine, journal included."""
    start = time.perf_counter()
    journal = Journal.begin(repo, {"turn": turn.number})
    repo.commit(
        [Change(turn.path, turn.content)],
        message=turn.message,
        author=MIRA,
        branch="main",
        at=turn.at,
        journal=journal,
    )
    return time.perf_counter() - start


def gits(path: Path, turn: Turn) -> float:
    """Seconds of one turn with git, the work file's writing included."""
    base = ["git", "-C", str(path), "-c", "core.fsync=all", "-c", "user.name=Mira"]
    start = time.perf_counter()
    file = path / turn.path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(turn.content)
    subprocess.run([*base, "add", turn.path], check=True)
    commit = [*base, "-c", "user.email=mira@companion.invalid", "commit", "-q", "-m", turn.message]
    subprocess.run(commit, check=True)
    return time.perf_counter() - start


def fsync_latency(folder: Path, times: int = 60) -> float:
    """Median seconds of writing 4 KiB to a new file and syncing it."""
    spent = []
    for number in range(times):
        fd = os.open(folder / f"probe-{number}", os.O_WRONLY | os.O_CREAT)
        os.write(fd, b"x" * 4096)
        start = time.perf_counter()
        os.fsync(fd)
        spent.append(time.perf_counter() - start)
        os.close(fd)
        (folder / f"probe-{number}").unlink()
    return statistics.median(spent)


def fsyncs_a_turn(path: Path) -> float | None:
    """Fsync and fdatasync calls of one turn by strace; None where there is no strace."""
    if shutil.which("strace") is None:
        return None
    record = path.parent / "strace.out"
    command = ["strace", "-f", "-o", str(record), "-e", "trace=fsync,fdatasync,write"]
    script = [sys.executable, __file__, "--turns", str(path)]
    subprocess.run([*command, *script], check=True, stdout=subprocess.DEVNULL)
    inside, calls, marks = False, 0, 0
    for line in record.read_text().splitlines():
        if "turn mark" in line:
            inside, marks = not inside, marks + 1
        elif inside and ("fsync(" in line or "fdatasync(" in line):
            calls += 1
    return calls / 10 if marks == 2 else None


def _ten_turns(path: Path) -> None:
    """Twelve turns, marks around the last ten: the child that strace watches."""
    talk = iter(turns(seed=99))
    with Repository.open(path) as repo:
        for _ in range(2):
            ours(repo, next(talk))
        os.write(1, b"turn mark\n")
        for _ in range(10):
            ours(repo, next(talk))
        os.write(1, b"turn mark\n")


def place() -> Path:
    """A folder on a disk with a real fsync; exits where there is none."""
    for base in (os.environ.get("PERDURE_BENCH_DIR"), tempfile.gettempdir(), Path.home()):
        if base is None:
            continue
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", str(base)], check=False, capture_output=True, text=True
        ).stdout.strip()
        if kind not in {"tmpfs", "ramfs"}:
            return Path(tempfile.mkdtemp(prefix="bench-commit-", dir=base))
    raise SystemExit("bench_commit: only tmpfs here, where fsync costs nothing; no figures")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two repositories with the same history, and the talk to be gone on with."""

    repo: Repository
    peer: Path
    talk: Iterator[Turn]
    mine: list[float]
    theirs: list[float]

    @classmethod
    def make(cls, folder: Path, count: int) -> Pair:
        """Both with so many turns."""
        talk = history(folder / f"ours-{count}", count)
        history(folder / f"git-{count}", count)
        repo = Repository.open(folder / f"ours-{count}")
        return cls(repo, folder / f"git-{count}", talk, [], [])

    def step(self) -> None:
        """One turn each."""
        turn = next(self.talk)
        self.mine.append(ours(self.repo, turn))
        self.theirs.append(gits(self.peer, turn))

    def is_level(self) -> bool:
        """Whether git finds nothing to do after all that."""
        status = ["git", "-C", str(self.repo.path), "status", "--porcelain"]
        return not subprocess.run(status, check=True, capture_output=True).stdout


def run() -> None:
    """Print the figures."""
    folder = place()
    counts = (100, 10_000, 50_000)
    try:
        print(f"turn commit, everything fsynced ({folder.parent}, median of {SAMPLES})")
        print(f"  fsync of a 4 KiB file: {fsync_latency(folder) * 1e3:.2f} ms")
        pairs = [Pair.make(folder, count) for count in counts]
        for _ in range(WARM_UP + SAMPLES):
            for pair in pairs:
                pair.step()
        medians = []
        for count, pair in zip(counts, pairs, strict=True):
            mine, theirs = pair.mine[WARM_UP:], pair.theirs[WARM_UP:]
            medians.append(statistics.median(mine))
            peer = statistics.median(theirs)
            print(
                f"  at {count:>6} turns: ours {medians[-1] * 1e3:.1f} ms (slowest "
                f"{max(mine) * 1e3:.0f}), git add + commit with core.fsync=all {peer * 1e3:.1f} ms:"
                f" ratio {medians[-1] / peer:.2f} (target 0.75)"
            )
            if not pair.is_level():
                raise SystemExit(f"the index of {pair.repo.path} is not level")
            pair.repo.close()
        for count, median in zip(counts[1:], medians[1:], strict=True):
            print(f"  {count:,} against 100 turns: {median / medians[0]:.2f} (target 1.2)")
        calls = fsyncs_a_turn(folder / "ours-100")
        shown = "no strace here, not counted" if calls is None else f"{calls:.1f} (target 12)"
        print(f"  fsyncs a turn by strace: {shown}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--turns"]:
        _ten_turns(Path(sys.argv[2]))
    else:
        run()

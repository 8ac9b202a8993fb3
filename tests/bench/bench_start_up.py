"""Start-up of the command line beside a bare `python -c pass`, medians in the same run."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.lives import make_life

RUNS = 15
PERDURE = str(Path(sys.executable).with_name("perdure"))


# An installed program has its bytecode; where a variable forbids writing it, the compiler would be
# measured.
ENVIRON = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def median(*words: str) -> float:
    """Milliseconds from start to end of a command, the first run left out."""
    times = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=ENVIRON)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times[1:])


def run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        life = Path(folder) / "life"
        make_life(life, 10_000)
        bare = median(sys.executable, "-c", "pass")
        print(f"start-up, medians of {RUNS}; peer: python -c pass {bare:.1f} ms")
        for name, target, words in (
            ("perdure --version", 5, ["--version"]),
            ("perdure --help", None, ["--help"]),
            ("perdure log -n 20, 10,000 turns", 10, ["-c", str(life), "log", "-n", "20"]),
            ("perdure show @, 10,000 turns", None, ["-c", str(life), "show", "@"]),
        ):
            took = median(PERDURE, *words)
            limit = f" (at most {target})" if target else ""
            print(f"  {name:34} {took:7.1f} ms  {took / bare:5.1f} times{limit}")
        old = median("git", "-C", str(life), "log", "-n", "20")
        print(f"  {'git log -n 20, the same life':34} {old:7.1f} ms  {old / bare:5.1f} times")


if __name__ == "__main__":
    run()

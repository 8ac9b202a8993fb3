"""Long random lives: `python -m tests.system.walk --steps 3000 --lives 10`.

Everything in `acts`, by dice. After each step texts, ids, refs, status and locks are compared with
the model, every so often `git fsck --strict`. A failure prints all that was done before it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from perdure.companion.clock import now
from perdure.companion.config.manifest import Manifest
from perdure.companion.templates import new_companion
from perdure.errors import Problem
from perdure.git.repository.create import create_repository
from perdure.git.repository.repository import Author
from tests.system.acts import ACTS
from tests.system.life import Life


def new(path: Path) -> None:
    """A companion without any talk."""
    manifest = Manifest(name="rehearsal", driver="embedded", model="smollm2-135m-instruct")
    files = new_companion(template="friend", name="Mira", user="Ana", manifest=manifest, at=now())
    author = Author("Mira", "mira@companion.invalid")
    create_repository(path, files, message="companion: Mira begins\n", author=author).close()


def walk(life: Life, steps: int, dice: random.Random) -> None:
    """So many steps."""
    names = list(ACTS)
    weights = [ACTS[name][0] for name in names]
    while life.steps < steps:
        name = dice.choices(names, weights)[0]
        life.act(name, ACTS[name][1], dice.randrange)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=1000, help="of each life")
    parser.add_argument("--lives", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    done: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="walk-") as folder, asyncio.Runner() as runner:
        config = Path(folder) / "gitconfig"
        config.write_text("[user]\n\tname = Ana\n\temail = ana@example.invalid\n")
        os.environ["GIT_CONFIG_GLOBAL"] = str(config)
        began = time.monotonic()
        for number in range(asked.lives):
            path = Path(folder) / f"mira-{number}"
            new(path)
            life = Life(path, runner)
            try:
                walk(life, asked.steps, random.Random(asked.seed + number))
                life.end()
            except (AssertionError, Problem, OSError, KeyboardInterrupt):
                traceback.print_exc()
                kept = Path(tempfile.mkdtemp(prefix="walk-kept-")) / "mira"
                path.rename(kept)
                print("\n".join(f"{at}. {what}" for at, what in enumerate(life.told)))
                print(f"seed {asked.seed + number}, step {life.steps}; it is left at {kept}")
                return 1
            done += life.done
            refused += life.refused
    print(f"{sum(done.values())} steps in {asked.lives} lives (seed {asked.seed}), "
          f"{time.monotonic() - began:.0f} s, 0 found")  # fmt: skip
    print(", ".join(f"{count} {name}" for name, count in done.most_common()))
    print("refused:", ", ".join(f"{count} {name}" for name, count in refused.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())

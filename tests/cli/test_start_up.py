"""Start-up is a feature: what a command imports is guarded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "textual",
    "xllamacpp",
    "tiktoken",
    "anthropic",
    "ollama",
    "openai",
    "ruamel",
    "rich",
    "re2",
    "regex",
    "httpx",
    "httpx2",
)


def imported(*words: str, cwd: Path) -> set[str]:
    """Top-level names of all modules that a command imports."""
    return {name.split(".")[0] for name in modules(*words, cwd=cwd)}


def modules(*words: str, cwd: Path) -> set[str]:
    """All modules that a command imports."""
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('\\n@'.join(['', *sys.modules]), file=sys.stderr))\n"
        f"sys.argv = ['perdure', *{list(words)!r}]\n"
        "from perdure.cli.entry import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=cwd, check=False
    )
    return {line[1:] for line in done.stderr.splitlines() if line.startswith("@")}


def test_a_log_reads_no_files_of_the_companion_where_nothing_is_set_aside(companion: Path) -> None:
    found = modules("log", "-n", "20", cwd=companion)
    assert "perdure.git.repository.repository" in found
    assert not {name for name in found if name.startswith(("perdure.companion", "perdure.chat."))}


@pytest.mark.parametrize(
    ("words", "more"),
    [
        (("--version",), ("click", "dulwich", "asyncio")),
        (("--help",), ("dulwich", "asyncio", "msgspec")),
        (("log", "-n", "20"), ("asyncio", "msgspec")),
        (("show", "@"), ("asyncio",)),
        (("ops",), ("asyncio", "msgspec")),
        (("branch",), ("asyncio",)),
        (("undo", "--dry-run"), ("asyncio",)),
        (("aside", "--list"), ("asyncio",)),
        (("memory", "list"), ("asyncio",)),
        (("memory", "review"), ("asyncio",)),
        (("merge",), ("asyncio",)),
    ],
)
def test_a_light_command_imports_nothing_heavy(
    words: tuple[str, ...], more: tuple[str, ...], companion: Path
) -> None:
    found = imported(*words, cwd=companion)
    assert "perdure" in found
    assert found.isdisjoint({*HEAVY, *more})


def test_say_imports_no_screen_and_no_driver_that_it_does_not_use(companion: Path) -> None:
    found = imported("say", "Hello.", cwd=companion)
    assert "dulwich" in found
    assert found.isdisjoint(
        {"textual", "anthropic", "ollama", "openai", "tiktoken", "re2", "regex"}
    )

"""Where perdure installs without a compiler: asks pip for wheels, for machines that are not here.

``python -m tests.bench.wheels [extra…]`` prints the table of docs/files.md. Nothing is installed.
Markers of perdure's own requirements are those of the other machine, those of what they require in
turn are this one's: pip knows no other.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
MACHINES = {
    "Linux, x86-64": ("linux", "x86_64", "manylinux"),
    "Linux, aarch64": ("linux", "aarch64", "manylinux"),
    "Linux with musl, x86-64": ("linux", "x86_64", "musllinux"),
    "Linux with musl, aarch64": ("linux", "aarch64", "musllinux"),
    "macOS, arm64": ("darwin", "arm64", "macosx"),
}
_TAGS = {
    "manylinux": [*(f"manylinux_2_{n}" for n in range(28, 4, -1)), "manylinux2014"],
    "musllinux": ["musllinux_1_2", "musllinux_1_1"],
    "macosx": ["macosx_14_0"],
}


def sets() -> dict[str, list[Requirement]]:
    """The requirements of the base install, and of each extra."""
    project = tomllib.loads(PROJECT.read_text())["project"]
    named = {"": project["dependencies"], **project["optional-dependencies"]}
    return {name: [Requirement(each) for each in found] for name, found in named.items()}


def for_machine(
    requirements: list[Requirement], system: str, processor: str, python: str
) -> Iterator[str]:
    """Those that count on a machine, without their markers."""
    there = {"sys_platform": system, "platform_machine": processor, "python_version": python}
    for each in requirements:
        if each.marker is None or each.marker.evaluate(there):
            yield str(each).partition(";")[0].strip()


def lacking(requirements: list[str], processor: str, kind: str, python: str) -> str:
    """What has no wheel for a machine, in pip's words; "" where all of it has."""
    if not requirements:
        return ""
    abi = f"cp{python.replace('.', '')}"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"),
                *("--quiet", "--no-input", "--disable-pip-version-check"),
                *("--only-binary", ":all:", "--target", folder, "--python-version", python),
                *("--implementation", "cp", "--abi", abi, "--abi", "abi3", "--abi", "none"),
                *(f"--platform={tag}_{processor}" for tag in _TAGS[kind]),
                *requirements,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return ""
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    return (errors or [done.stderr])[-1].rpartition(" for ")[2].split(">")[0]


def cell(requirements: list[Requirement], system: str, processor: str, kind: str) -> str:
    """The Pythons for which all of it has wheels, and what lacks one for the others."""
    there: list[str] = []
    missing: list[str] = []
    for python in PYTHONS:
        wanted = list(for_machine(requirements, system, processor, python))
        name = lacking(wanted, processor, kind, python)
        (missing if name else there).append(name or python)
    every = there == list(PYTHONS)
    parts = [f"{PYTHONS[0]} to {PYTHONS[-1]}" if every else ", ".join(there)] if there else []
    return "; ".join(parts + [f"no wheel of {name}" for name in dict.fromkeys(missing)])


def main(only: list[str]) -> None:
    """Print a row for each machine, a column for each extra."""
    columns = {name: found for name, found in sets().items() if not only or name in only}
    titles = (f"`{name}`" if name else "perdure itself" for name in columns)
    print(f"| machine | {' | '.join(titles)} |")
    print(f"| --- |{' --- |' * len(columns)}")
    for machine, (system, processor, kind) in MACHINES.items():
        cells = (cell(found, system, processor, kind) for found in columns.values())
        print(f"| {machine} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

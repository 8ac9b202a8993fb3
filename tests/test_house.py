"""The house stays readable: sizes of folders and modules, and names that mean one thing."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import perdure

ROOT = Path(perdure.__file__).parent
MODULES_A_FOLDER = 12
LINES_A_MODULE = 600
LINES_A_CLASS = 400
FOLDERS = {"cli/commands": "a command is a file"}
"""Folders that are larger, and why."""
NOUNS = {
    "greeting",
    "incoming",
    "missing",
    "outgoing",
    "pending",
    "ranking",
    "scoring",
    "spelling",
    "system_keyring",
    "v2_wording",
}
"""Module names in -ing that are nouns (`missing` is git's own; packs are incoming or outgoing)."""
SAME_NAME = {
    ("prompt", "assemble"): "each version has its own; `versions` picks one",
    ("prompt", "moment_lines"): "a version is frozen, with what it shares by name only",
    ("prompt", "said"): "a version is frozen, with what it shares by name only",
    ("chat", "T"): "a type variable",
    ("git", "MOST_BYTES"): "each reader has a bound of its own",
    ("git", "connect"): "to a file of SQLite's, and to a remote",
    ("backends", "DEFAULT_ADDRESS"): "each driver has its own",
    ("backends", "DEFAULT_WINDOW"): "each driver has its own",
}
"""Public names of two modules of one room, and why each is the right one in both."""

QUOTED = re.compile(r"\bperdure(?:\.[a-z_]\w*)+(?:\.[A-Z]\w*)*")
NO_MODULE = {"perdure.fish": "a shell's file of completions"}
"""What looks like a module's name, and what it is."""


@dataclass(frozen=True)
class Module:
    """One module of the package: its path below it without the suffix, and what it is."""

    name: str
    lines: int
    tree: ast.Module

    @property
    def folder(self) -> str:
        """The folder that it is in."""
        return self.name.rpartition("/")[0]

    @property
    def room(self) -> str:
        """The folder directly below the package, or the module itself."""
        return self.name.partition("/")[0]


@cache
def modules() -> tuple[Module, ...]:
    """Every module but the packages' own files."""
    return tuple(
        Module(
            path.relative_to(ROOT).with_suffix("").as_posix(),
            len(text.splitlines()),
            ast.parse(text),
        )
        for path in sorted(ROOT.rglob("*.py"))
        if path.name != "__init__.py"
        for text in [path.read_text("utf-8")]
    )


def public_names(module: Module) -> Iterator[str]:
    """What a module defines at its top for others."""
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            names = []
        yield from (name for name in names if not name.startswith("_"))


def test_a_folder_has_no_more_modules_than_one_can_take_in() -> None:
    found: dict[str, int] = defaultdict(int)
    for module in modules():
        found[module.folder] += 1
    assert len(found) > 30
    assert {
        folder: number
        for folder, number in found.items()
        if number > MODULES_A_FOLDER and folder not in FOLDERS
    } == {}
    assert all(found[folder] > MODULES_A_FOLDER for folder in FOLDERS)


def test_modules_and_classes_keep_their_size() -> None:
    assert {m.name: m.lines for m in modules() if m.lines > LINES_A_MODULE} == {}
    classes = {
        f"{module.name}.{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    assert {name: lines for name, lines in classes.items() if lines > LINES_A_CLASS} == {}


def test_a_module_is_named_by_a_noun() -> None:
    found = {stem for m in modules() if (stem := m.name.rpartition("/")[2]).endswith("ing")}
    assert found - NOUNS == set()
    assert found >= NOUNS


def test_a_public_name_means_one_thing_in_its_room() -> None:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for module in modules():
        # A command's function has the command's name, whatever group it is in.
        if not module.name.startswith("cli/commands/"):
            for name in set(public_names(module)):
                found[module.room, name].append(module.name)
    twice = {key: places for key, places in found.items() if len(places) > 1}
    assert {key: places for key, places in twice.items() if key not in SAME_NAME} == {}
    assert set(SAME_NAME) <= set(twice)


def test_no_class_is_there_for_its_only_subclass() -> None:
    """A class that nobody names but one subclass is that subclass, cut in two."""
    places: dict[str, str] = {}
    subclasses: dict[str, set[str]] = defaultdict(set)
    uses: dict[str, int] = defaultdict(int)
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                places[node.name] = module.name
                for base in node.bases:
                    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
                    subclasses[name].add(node.name)
            elif isinstance(node, ast.Name):
                uses[node.id] += 1
            elif isinstance(node, ast.Attribute):
                uses[node.attr] += 1
    cut = {
        name: places[name]
        for name, below in subclasses.items()
        if name in places and len(below) == 1 and uses[name] == 1
    }
    assert cut == {}


@pytest.mark.parametrize("package", sorted({m.folder for m in modules() if m.folder}))
def test_a_package_says_what_it_is(package: str) -> None:
    tree = ast.parse((ROOT / package / "__init__.py").read_text("utf-8"))
    said = ast.get_docstring(tree)
    assert said, package
    assert len(said.splitlines()) >= 4, f"{package}: its nouns, and which file to open first"


@pytest.mark.parametrize("folder", ["src", "tests", "docs"])
def test_a_name_in_quotes_is_there(folder: str) -> None:
    lost = defaultdict(set)
    for path in sorted((Path(__file__).parents[1] / folder).rglob("*")):
        if path.suffix in {".py", ".md", ".yaml"}:
            for name in set(QUOTED.findall(path.read_text("utf-8", "replace"))) - set(NO_MODULE):
                if not is_there(name):
                    lost[name].add(path.name)
    assert lost == {}


@cache
def is_there(name: str) -> bool:
    """Whether a name leads to a module, or to something in one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True

"""Acts, undos, redos and syncs on two devices in any order: nobody's words go by another's undo."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from perdure.git.errors import NothingToUndo
from tests.rescue.devices import add_backup, clone, edit, refs, say, sync
from tests.rescue.test_undo_after_sync import redo, undo

STEPS = st.lists(
    st.tuples(st.sampled_from("AB"), st.sampled_from(["say", "edit", "undo", "redo", "sync"])),
    min_size=4,
    max_size=14,
)
BOTH_UNDO = [
    ("A", "say"), ("A", "sync"), ("B", "say"), ("B", "sync"), ("A", "sync"), ("A", "undo"),
    ("B", "undo"), ("A", "sync"), ("B", "sync"), ("B", "redo"), ("A", "say"), ("A", "undo"),
    ("A", "redo"), ("B", "undo"), ("A", "undo"), ("A", "undo"),
]  # fmt: skip


ONE_EDIT = [("A", "edit"), ("A", "sync"), ("B", "sync"), ("A", "undo"), ("A", "sync")]


class Device:
    """One device, and what its user has done there and not undone."""

    def __init__(self, path: Path, letter: str) -> None:
        self.path, self.letter = path, letter
        self.done: list[str] = []
        self.undone: list[str] = []

    def texts(self) -> set[str]:
        """What stands at the tip, of either device."""
        words = ["grep", "-h", "-o", "-w", "-E", "said-[AB][0-9]+", "HEAD", "--", "conversations"]
        found = subprocess.run(
            ["git", "-C", self.path, *words, "persona"],
            capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip
        return set(found.stdout.split())

    def act(self, act: str, number: int) -> None:
        before = self.texts()
        match act:
            case "undo":
                self._walk(undo, self.done, self.undone)
                assert self.texts() == before - set(self.undone[-1:])
            case "redo":
                self._walk(redo, self.undone, self.done)
                assert self.texts() >= before
            case "sync":
                assert sync(self.path).is_level
                mine = {text for text in before if text.startswith(f"said-{self.letter}")}
                assert mine <= self.texts()
            case _:
                text = f"said-{self.letter}{number}"
                if act == "say":
                    say(self.path, text)
                else:
                    edit(self.path, f"persona/{text}.md", f"{text}\n")
                self.done.append(text)
                self.undone.clear()
                assert self.texts() == before | {text}

    def _walk(self, step, taken: list[str], given: list[str]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        if not taken:
            with pytest.raises(NothingToUndo):
                step(self.path)
            return
        step(self.path)
        given.append(taken.pop())


# Finding the shortest order that fails would take minutes.
UNTIMED = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)


@settings(UNTIMED, max_examples=8)
@given(steps=STEPS)
@example(steps=BOTH_UNDO)
@example(steps=ONE_EDIT)
def test_undo_takes_back_what_was_done_here_last(
    companion: Path, steps: list[tuple[str, str]]
) -> None:
    run(companion, steps)


@pytest.mark.long
@settings(UNTIMED, max_examples=200, derandomize=False)
@given(steps=STEPS)
def test_two_hundred_orders(companion: Path, steps: list[tuple[str, str]]) -> None:
    run(companion, steps)


def run(companion: Path, steps: list[tuple[str, str]]) -> None:
    """Carry out the steps; then sync, and compare."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        shutil.copytree(companion, folder / "first", symlinks=True)
        add_backup(folder / "first", folder / "place.git")
        sync(folder / "first")
        devices = {
            "A": Device(folder / "first", "A"),
            "B": Device(clone(folder / "place.git", folder / "second"), "B"),
        }
        for number, (letter, act) in enumerate(steps):
            devices[letter].act(act, number)
        for letter in "ABAB":
            assert sync(devices[letter].path).is_level
        assert refs(folder / "first") == refs(folder / "second")
        wanted = {text for device in devices.values() for text in device.done}
        assert devices["A"].texts() == wanted

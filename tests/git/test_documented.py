"""Each file of the git room says in docs/architecture.md why it is our own."""

from __future__ import annotations

import re
from pathlib import Path

import perdure.git

PROJECT = Path(__file__).parents[2]


def test_the_documents_say_of_every_file_why_it_is_our_own() -> None:
    text = (PROJECT / "docs/architecture.md").read_text("utf-8")
    table = text.partition("## Why the git room is our own")[2].partition("\n## ")[0]
    room = Path(perdure.git.__file__).parent
    files = {str(each.relative_to(room)) for each in room.rglob("*.py")}
    lines = re.findall(r"^\| `([^`]+)` \| .", table, re.MULTILINE)
    assert lines == sorted(lines)
    # A file that is new, moved or gone needs its line there made, moved or taken away.
    assert set(lines) == {each for each in files if not each.endswith("__init__.py")}

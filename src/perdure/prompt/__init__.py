"""The prompt of a turn: a pure function of the values of a tree and of a recorded choice.

Choice: what fits into a window (`choose`, `add_recalled`). Only this depends on token counts and on
recall, and it is written on the commit.
Assembly: the rules by which the chosen parts are put together (`assemble`). There is a module for
each version, and a past prompt is rebuilt by its own (`assembly`); begin with `versions.py`.
Part: one piece of a prompt, with the file and line that it came from.
Budget: the most tokens that a kind of part may take. Scan: the search for keys of lore.
"""

from __future__ import annotations

from perdure.prompt.choice import choose
from perdure.prompt.recalled import BaseChoice, add_recalled
from perdure.prompt.values import (
    Choice,
    Part,
    PartKind,
    PastTurn,
    Prompt,
    PromptInputs,
    digest,
)
from perdure.prompt.versions import ASSEMBLIES, assemble, assembly, newest_assembly

__all__ = [
    "ASSEMBLIES",
    "BaseChoice",
    "Choice",
    "Part",
    "PartKind",
    "PastTurn",
    "Prompt",
    "PromptInputs",
    "add_recalled",
    "assemble",
    "assembly",
    "choose",
    "digest",
    "newest_assembly",
]

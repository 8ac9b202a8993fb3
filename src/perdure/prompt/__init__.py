"""The prompt of a turn: a pure function of a tree's values and of a recorded choice.

`choose` and `add_recalled` decide what fits into a window; `assemble` puts the chosen parts
together. Only the choice depends on token counts and on recall, and it is written on the commit, so
a past prompt is rebuilt by the rules of its version alone (`assembly`).
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

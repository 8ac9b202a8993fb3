"""The versions of the prompt. Old ones stay, so that a prompt of any year can be rebuilt."""

from __future__ import annotations

from collections.abc import Callable

from perdure.prompt import v1, v2, v3
from perdure.prompt.errors import UnknownAssembly
from perdure.prompt.values import Choice, Prompt, PromptInputs

Assemble = Callable[[PromptInputs, Choice], Prompt]

ASSEMBLIES: dict[int, Assemble] = {1: v1.assemble, 2: v2.assemble, 3: v3.assemble}
"""Each version's rules under its number, as the trailer ``Assembly`` of a turn has it."""


def newest_assembly() -> int:
    """The version by which new prompts are made."""
    return max(ASSEMBLIES)


def assembly(version: int) -> Assemble:
    """The rules of a version. Raises UnknownAssembly."""
    found = ASSEMBLIES.get(version)
    if found is None:
        raise UnknownAssembly(
            f"this prompt was put together by version {version} of the rules, and this perdure "
            f"knows them up to {newest_assembly()}",
            kept="Nothing was changed",
            next_step="Update perdure",
        )
    return found


def assemble(inputs: PromptInputs, choice: Choice) -> Prompt:
    """Put a prompt together by the newest rules. Raises ChoiceMissing."""
    return ASSEMBLIES[newest_assembly()](inputs, choice)
